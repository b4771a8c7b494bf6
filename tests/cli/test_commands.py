# SPDX-License-Identifier: MIT
"""Every command of canaryctl, in both outputs, with its options, older spellings and variables."""

import datetime
import getpass
import hashlib
import pwd
import os
import re
import subprocess

from cli import Store, check, contains, equal, finish

STATUS_KEYS = {
    "rollout", "stage", "stage_name", "percentage", "effective_percentage", "killed",
    "kill_reasons", "flag", "salt", "algorithm", "revision", "updated_at", "updated_by", "note",
    "stages", "overrides",
}
HISTORY_KEYS = {
    "revision", "action", "from_stage", "to_stage", "from_percentage", "to_percentage", "at", "by",
    "note", "hash",
}
EXPLAIN_KEYS = {
    "user", "hash", "bucket", "cohort", "reason", "percentage", "stage", "revision", "at_stage",
    "reproduce",
}
CHANGE_KEYS = {
    "rollout", "action", "from_stage", "to_stage", "from_percentage", "to_percentage", "revision",
    "at", "by", "note", "hash", "moved_percentage", "undo", "duration_ms",
}


def is_time(text):
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text))


def create_and_status(store):
    made = store.js("create", "checkout", "--by", "ann", "--note", "first of all")
    check(CHANGE_KEYS <= set(made), "create: JSON has the keys of every change", sorted(made))
    equal((made["action"], made["revision"], made["by"], made["note"]),
          ("create", 1, "ann", "first of all"), "create: action, revision, by and note")
    equal(made["undo"], None, "create: has no undo")
    status = store.js("status")
    check(STATUS_KEYS <= set(status), "status: JSON has every key", sorted(status))
    equal(status["stage"], 0, "status: a new rollout is at stage 0")
    equal((status["percentage"], status["effective_percentage"]), (0, 0), "status: 0 % and 0 %")
    equal((status["killed"], status["kill_reasons"]), (False, []), "status: not killed")
    equal((status["flag"]["name"], status["flag"]["enabled"]), ("checkout", True),
          "status: a flag of its own, on")
    equal(status["overrides"], {"new": 0, "old": 0}, "status: nobody is pinned")
    equal([(s["stage"], s["name"], s["percentage"], s["dwell_seconds"]) for s in status["stages"]],
          [(0, "DISABLED", 0, 0), (1, "EARLY_TESTING", 5, 0), (2, "EXPANDED", 25, 0),
           (3, "HALF_ROLLOUT", 50, 0), (4, "FULL_ROLLOUT", 100, 0)], "status: the default ladder")
    check(is_time(status["updated_at"]), "status: updated_at is RFC 3339 in UTC",
          status["updated_at"])
    then = datetime.datetime.fromisoformat(status["updated_at"].replace("Z", "+00:00"))
    now = datetime.datetime.now(datetime.timezone.utc)
    check(abs((now - then).total_seconds()) < 60, "status: updated_at is now", str(then))
    text = store.good("status").out
    contains(text, "0 % configured, 0 % effective", "status: both shares in text")
    contains(text, "first of all", "status: the note in text")
    check("\033" not in text, "status: no colours when piped", text)
    listed = store.js("list")
    equal([entry["rollout"] for entry in listed], ["checkout"], "list: one rollout")
    check(STATUS_KEYS <= set(listed[0]), "list: the objects are those of status")
    contains(store.good("list").out, "checkout", "list: as a table")
    equal(store.good("list", "--brief").out, "checkout\n", "list --brief: names only")


def changes(store):
    change = store.js("advance", "--by", "bob", "--note", "go")
    check(CHANGE_KEYS <= set(change), "advance: JSON has the keys of every change", sorted(change))
    equal((change["action"], change["from_stage"], change["to_stage"]), ("advance", 0, 1),
          "advance: one stage up")
    equal((change["from_percentage"], change["to_percentage"]), (0, 5), "advance: from 0 to 5 %")
    equal((change["moved_percentage"], change["moved_to"]), (5, "new"), "advance: 5 % move to new")
    check(re.fullmatch("[0-9a-f]{64}", change["hash"]), "advance: the hash of its row")
    check(change["duration_ms"] >= 0, "advance: says how long it took")
    text = store.good("advance").out
    contains(text, "about 20 % of users move old to new", "advance: says what moved")
    contains(text, "25 % configured, 25 % effective", "advance: both shares in text")
    undo = re.search(r"undo: canaryctl (.*)", text)
    check(undo, "advance: says the line that undoes it", text)
    subprocess.run(["sh", "-c", f"{PROGRAM_QUOTED} {undo.group(1)}"], check=False,
                   env=store.environment(), capture_output=True)
    equal(store.js("status")["percentage"], 5, "the undo line of advance brings 5 % back")
    before = store.js("status")
    dry = store.js("advance", "--dry-run")
    equal((dry["dry_run"], dry["to_percentage"], dry["hash"]), (True, 25, ""),
          "advance --dry-run: says what would happen")
    contains(store.good("advance", "--dry-run").out, "would move",
             "advance --dry-run: says so in text")
    equal(store.js("status")["revision"], before["revision"], "advance --dry-run: changes nothing")
    equal(store.good("advance", "--expect-stage", "1").code, 0, "advance --expect-stage: fits")
    equal(store.js("status")["stage"], 2, "advance --expect-stage: went up")
    revision = store.js("status")["revision"]
    change = store.js("advance", "--expect-revision", str(revision))
    equal(change["revision"], revision + 1, "advance --expect-revision: fits")
    change = store.js("rollback", "--stage", "1", "--note", "5xx")
    equal((change["action"], change["to_percentage"], change["moved_to"]), ("rollback", 5, "old"),
          "rollback --stage 1: down to 5 %")
    contains(change["undo"], f"--expect-revision {change['revision']}",
             "rollback: its undo raises only if nothing happened since")
    subprocess.run(["sh", "-c", change["undo"].replace("canaryctl", PROGRAM_QUOTED, 1)],
                   env=store.environment(), capture_output=True, check=False)
    equal(store.js("status")["percentage"], 50, "the undo line of rollback brings 50 % back")
    store.good("rollback")
    equal(store.js("status")["percentage"], 0, "rollback: to 0 %")
    equal(store.run("rollback").code, 0, "rollback: repeating it is harmless")


def setting(store):
    change = store.js("set", "--percent", "7.5", "--phase", "canary")
    equal(change["to_percentage"], 7.5, "set --percent 7.5: a number with a decimal in JSON")
    status = store.js("status")
    equal((status["percentage"], status["effective_percentage"], status["stage_name"],
           status["stage"]), (7.5, 7.5, "canary", 1), "set --phase: status names it")
    contains(store.good("status").out, "off the ladder", "set: status says it is off the ladder")
    contains(store.good("-o", "json", "status").out, '"percentage": 7.5,',
             "status: 7.5 is written as 7.5")
    for given, stored in (("33.33", 33.33), ("0.01", 0.01), ("12%", 12), ("99.99", 99.99),
                          ("007.10", 7.1), ("100", 100), ("0", 0)):
        store.good("set", "--percent", given)
        raw = store.good("-o", "json", "status").out
        equal(store.js("status")["percentage"], stored, f"set --percent {given}")
        check(re.search(r'"percentage": %s,' % re.escape(f"{stored:g}"), raw),
              f"set --percent {given}: without digits of binary fractions")
    change = store.js("set", "--percent", "25", "--emergency", "--note", "INC-1")
    equal(change["action"], "emergency", "set --emergency: recorded as such")
    change = store.js("set", "--stage", "3")
    equal(store.js("status")["stage"], 3, "set --stage 3: up")
    change = store.js("set", "--stage", "1")
    equal((change["action"], store.js("status")["percentage"]), ("rollback", 5),
          "set --stage 1: down is a rollback")


def history(store):
    rows = store.js("history")
    check(all(HISTORY_KEYS <= set(row) for row in rows), "history: JSON has every key")
    revisions = [row["revision"] for row in rows]
    equal(revisions, sorted(revisions, reverse=True), "history: newest first")
    equal(len(rows), 20, "history: 20 by default")
    equal(len(store.js("history", "--limit", "3")), 3, "history --limit 3")
    everything = store.js("history", "--limit", "0")
    equal(everything[-1]["action"], "create", "history --limit 0: down to the creation")
    equal(everything[-1]["from_stage"], None, "history: a creation comes from nowhere")
    check(all(row["hash"] == above["previous_hash"]
              for above, row in zip(everything, everything[1:])), "history: the chain is there")
    text = store.good("history", "--limit", "2").out
    equal(len(text.splitlines()), 4, "history: a title, two rows and a hint at more")
    check(all("evidence" not in row for row in everything), "history: no evidence unasked")
    equal(store.js("history", "--evidence", "--limit", "1")[0].get("evidence"), None,
          "history --evidence: a change without has no key")
    equal(len(store.js("history", "--all", "--limit", "0")), len(everything),
          "history --all: the trail of the store")


def hostile_text(store):
    store.good("advance", "--by", "eve", "--note", "red \033[31m alert\nsecond line \u202e")
    text = store.good("history", "--limit", "1").out
    check("\033" not in text and "\u202e" not in text, "history: no terminal escape gets through",
          text)
    contains(text, "\\x1b[31m", "history: shown escaped")
    check("\033" not in store.good("status").out, "status: no terminal escape gets through")
    equal(store.js("history", "--limit", "1")[0]["note"], "red \033[31m alert\nsecond line \u202e",
          "history: JSON has the note as it is")


def bucket(salt, user):
    data = salt + b":" + user if salt else user
    h = int.from_bytes(hashlib.sha256(data).digest()[:4], "big")
    return h, h % 100 * 100 + h // 100 % 100


def reproduce(store, row, expected, what):
    done = subprocess.run(["sh", "-c", row["reproduce"]], capture_output=True, text=True,
                          check=False)
    equal(done.stdout.strip(), str(expected), what)


def explain(store):
    store.good("set", "--percent", "5")
    row = store.js("explain", "alice")
    check(EXPLAIN_KEYS <= set(row), "explain: JSON has every key", sorted(row))
    equal((row["user"], row["hash"], row["bucket"]), ("alice", "2bd806c9", 178),
          "explain: the known answer of alice")
    equal((row["cohort"], row["reason"], row["percentage"]), ("new", "split", 5),
          "explain: alice is new at 5 %")
    equal(row["at_stage"], [{"stage": 0, "percentage": 0, "cohort": "old"}] +
          [{"stage": n, "percentage": p, "cohort": "new"}
           for n, p in ((1, 5), (2, 25), (3, 50), (4, 100))], "explain: the cohort at every stage")
    reproduce(store, row, 178, "explain: its Python line gives the bucket of alice")
    users = ["bob", "user-1", "Zoë Ünïcode", "it's \"$HOME\" `x` \\ !", "a b", "x" * 200]
    for row, user in zip(store.good("-o", "json", "explain", *users).lines, users):
        h, place = bucket(b"", user.encode())
        equal((row["user"], row["hash"], row["bucket"]), (user, f"{h:08x}", place),
              f"explain: hash and bucket of {user[:20]!r}")
        reproduce(store, row, place, f"explain: the Python line for {user[:20]!r}")
    row = store.js("explain", b"caf\xe9")
    equal((row["user"], row["user_hex"]), (None, "636166e9"),
          "explain: an id that is not UTF-8 comes as hex")
    reproduce(store, row, bucket(b"", b"caf\xe9")[1], "explain: the Python line for odd bytes")
    text = store.good("explain", "alice").out
    for part in ("2bd806c9", "178", "split", "python3 -c", "HALF_ROLLOUT", "5 % configured"):
        contains(text, part, f"explain: text says {part}")
    check("\033" not in store.good("explain", "a\033[2Jb").out, "explain: escapes are shown escaped")
    row = store.js("explain", "")
    equal((row["reason"], row["cohort"], row["bucket"], row["stage"]), ("invalid", "old", None, 1),
          "explain: an empty id is invalid and old")


def salted():
    with Store() as store:
        store.good("create", "spring", "--salt", "spring")
        store.good("set", "--percent", "50")
        row = store.js("explain", "alice")
        equal((row["hash"], row["bucket"]), (f"{196761749:08x}", 4917),
              "explain: the known answer of alice under a salt")
        reproduce(store, row, 4917, "explain: the Python line knows the salt")
        equal(store.js("status")["salt"], "spring", "status: the salt")
    with Store() as store:
        store.good("create", "odd", "--salt", "sälz '\"$x")
        row = store.js("explain", "alice")
        reproduce(store, row, bucket("sälz '\"$x".encode(), b"alice")[1],
                  "explain: the Python line knows an odd salt")


def ladders():
    with Store() as store:
        store.good("create", "beta", "--stages", "5,25,100", "--names", "canary,beta,full",
                   "--dwell", "30m,2h,0")
        equal([(s["name"], s["percentage"], s["dwell_seconds"])
               for s in store.js("status")["stages"]],
              [("DISABLED", 0, 0), ("canary", 5, 1800), ("beta", 25, 7200), ("full", 100, 0)],
              "create: a ladder with names and dwell times")
        made = store.js("create", "other", "--stages", "0.5,20,50,100", "--flag", "shared")
        equal(made["rollout"], "other", "create: a second rollout")
        status = store.js("--rollout", "other", "status")
        equal((status["flag"]["name"], status["stages"][1]["percentage"]), ("shared", 0.5),
              "create: another flag, and stages below one percent")
        store.good("--rollout", "other", "advance")
        made = store.run("create", "third")
        contains(made.err, "--salt", "create: warns about a salt shared with a partly open rollout")
        contains(store.js("create", "fourth")["warnings"][0], "--salt",
                 "create: the warning is part of the JSON")
        made = store.run("create", "fifth", "--salt", "of its own")
        equal(made.err, "", "create: no warning with a salt of its own")


def overrides(store):
    change = store.js("override", "add", "bob", "new", "--note", "tester")
    equal(change["action"], "override_new", "override add: recorded")
    contains(change["undo"], "override remove bob", "override add: its undo")
    equal(store.js("explain", "bob")["reason"], "override", "override add: decides")
    change = store.js("override", "add", "bob", "old")
    contains(change["undo"], "override add bob new", "override add: the undo of a change of mind")
    store.good("override", "add", "mallory \033", "old")
    store.good("override", "add", b"caf\xe9", "new")
    equal(store.js("status")["overrides"], {"new": 1, "old": 2}, "status: counts of pins")
    rows = store.js("override", "list")
    equal(sorted((r["user"] or r["user_hex"], r["cohort"]) for r in rows),
          [("636166e9", "new"), ("bob", "old"), ("mallory \033", "old")], "override list: JSON")
    text = store.good("override", "list").out
    check("\033" not in text and "\\xe9" in text, "override list: text is escaped", text)
    store.good("override", "add", "carol", "new")
    result = store.run("rollback")
    contains(result.err, "2 users pinned to new still get the new path",
             "rollback: says who is not reached by it")
    contains(result.err, "flag off checkout", "rollback: and what reaches them")
    check(any("pinned" in warning for warning in store.js("rollback")["warnings"]),
          "rollback: the warning is part of the JSON")
    store.good("override", "remove", "carol")
    change = store.js("override", "remove", "bob")
    equal(change["action"], "override_remove", "override remove: recorded")
    contains(change["undo"], "override add bob old", "override remove: its undo")
    equal(store.run("override", "remove", "nobody").code, 1, "override remove: nobody is pinned")
    many = b"".join(b"user%d\r\n" % n for n in range(2000)) + b"\nuser5"
    before = store.js("status")["revision"]
    result = store.run("override", "add", "--stdin", "new", stdin=many)
    equal(result.code, 0, "override add --stdin: works")
    contains(result.err, "1 empty line left out", "override add --stdin: an empty line is told")
    status = store.js("status")
    equal((status["overrides"]["new"], status["revision"]), (2001, before + 1),
          "override add --stdin: 2000 pins in one change")


def flags(store):
    store.good("set", "--percent", "25")
    change = store.js("flag", "off", "checkout", "--by", "zoe", "--note", "INC-2")
    equal((change["action"], change["flag"], change["moved_percentage"], change["moved_to"]),
          ("flag_off", "checkout", 25, "old"), "flag off: everybody moves to old")
    status = store.js("status")
    equal((status["killed"], status["kill_reasons"], status["percentage"],
           status["effective_percentage"], status["flag"]["enabled"]),
          (True, ["flag"], 25, 0, False), "status: killed by the flag")
    text = store.good("status").out
    check(re.search(r"25 % configured, 0 % effective: flag checkout is off since .* by zoe", text),
          "status: says since when and by whom", text)
    equal(store.js("explain", "alice")["reason"], "killed", "explain: killed")
    row = store.js("explain", "user7")
    equal((row["cohort"], row["pinned"], row["at_stage"][0]["cohort"]), ("old", "new", "new"),
          "explain: a pin that the kill hides still shows at every stage")
    contains(store.good("explain", "alice").out, "flag checkout is off", "explain: says by what")
    change = store.good("advance").out
    contains(change, "nobody moves", "advance: under a kill nobody moves")
    store.good("rollback", "--stage", "2")
    text = store.good("flag", "on", "checkout").out
    contains(text, "about 25 % of users move old to new", "flag on: says what moves")
    contains(text, "flag off checkout", "flag on: its undo")
    flags = store.js("flag", "list")
    equal([(f["name"], f["enabled"], f["rollouts"]) for f in flags], [("checkout", True, 1)],
          "flag list: JSON")
    contains(store.good("flag", "list").out, "checkout", "flag list: table")
    result = store.run("flag", "off", "chekout")
    contains(result.out, "of the store", "flag off: a change that no rollout counts")
    contains(result.err, 'did you mean "checkout"', "flag off: a typo is told")


def whole_store(store):
    report = store.js("verify")
    equal((report["verified"], report["findings"]), (True, []), "verify: clean")
    equal(report["head_hash"], store.js("history", "--all", "--limit", "1")[0]["hash"],
          "verify: the head hash is the newest row's")
    contains(store.good("verify").out, "verified", "verify: text")
    report = store.js("doctor")
    equal((report["healthy"], report["errors"]), (True, 0), "doctor: healthy")
    contains(store.good("doctor").out, "healthy", "doctor: text")


def spellings(store):
    store.good("rollback")
    for old, new in ((("--status",), ("status",)), (("--history",), ("history",)),
                     (("--history", "--history-limit", "2"), ("history", "--limit", "2"))):
        old_out, new_out = store.js(*old), store.js(*new)
        equal(old_out, new_out, f"{' '.join(old)} is {' '.join(new)}")
    change = store.js("--advance", "--admin", "olga")
    equal((change["action"], change["by"], change["to_stage"]), ("advance", "olga", 1),
          "--advance --admin WHO is advance --by WHO")
    change = store.js("--stage", "3", "--admin", "olga")
    equal((change["to_stage"], change["by"]), (3, "olga"), "--stage 3 --admin WHO goes up")
    change = store.js("--stage", "0", "--admin", "olga")
    equal((change["to_stage"], change["action"]), (0, "rollback"),
          "--stage 0 --admin WHO is a rollback")
    store.good("--advance", "--admin", "olga")
    change = store.js("--rollback", "--admin", "olga")
    equal((change["to_stage"], change["action"]), (0, "rollback"), "--rollback is rollback")
    result = store.good("--clear-cache", db=False)
    contains(result.out, "computed", "--clear-cache: cohorts are computed")
    contains(result.out, "nothing to clear", "--clear-cache: nothing to clear")
    equal(store.js("--clear-cache")["cleared"], False, "--clear-cache: as JSON")


def variables(store):
    env = {"CANARY_DB": str(store.path), "CANARY_ROLLOUT": "checkout", "CANARY_ACTOR": "robot",
           "CANARY_OUTPUT": "json"}
    result = store.good("advance", env=env, db=False)
    equal((result.json["rollout"], result.json["by"]), ("checkout", "robot"),
          "CANARY_DB, _ROLLOUT, _ACTOR and _OUTPUT stand for options")
    check("--db" not in result.json["undo"], "undo: does not repeat what the environment says")
    result = store.good("-o", "table", "--by", "hand", "rollback", env=env, db=False)
    contains(result.out, "by hand", "options win over variables")
    change = store.js("advance")
    try:
        login = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        login = "unknown"
    equal(change["by"], login, "without --by and CANARY_ACTOR it is the login name")
    killed = store.js("status", env={"CANARY_KILL": "all"})
    equal((killed["kill_reasons"], killed["effective_percentage"]), (["environment"], 0),
          "CANARY_KILL shows in status")
    contains(store.good("status", env={"CANARY_KILL": "checkout"}).out, "CANARY_KILL",
             "CANARY_KILL is named in text")
    change = store.js("set", "--percent", "20", env={"CANARY_KILL": "all"})
    equal((change["moved_percentage"], change["moved_to"]), (15, "new"),
          "CANARY_KILL of this environment does not hide that users of the services move")
    first = store.good("--timeout", "1", "--output=json", "status", db=True)
    after = store.good("status", "--timeout", "1", "--output=json")
    equal(first.json, after.json, "options before and after the command are the same")
    after = store.good("status", "-ojson", env={"POSIXLY_CORRECT": "1"})
    equal(first.json, after.json, "POSIXLY_CORRECT changes nothing")
    result = store.run("status", env={"NO_COLOR": "1"})
    check("\033" not in result.out, "NO_COLOR: no colours")


def several():
    with Store() as store:
        store.good("create", "one")
        store.good("create", "two")
        result = store.run("status")
        equal(result.code, 2, "two rollouts and no --rollout: exit 2")
        check("one" in result.err and "two" in result.err, "and both are named", result.err)
        equal(store.js("status", "--rollout", "two")["rollout"], "two", "--rollout picks one")
        equal(len(store.js("list")), 2, "list: both")
        equal(store.js("list", "--brief"), ["one", "two"], "list --brief: JSON")


def help_texts(store):
    text = store.good("--help", db=False).out
    commands = ["metrics", "record", "import", "baseline capture", "baseline show",
                "baseline compare", "create", "list", "status", "advance", "rollback", "set", "history", "explain",
                "decide", "override add", "override remove", "override list", "flag list",
                "flag on", "flag off", "verify", "accept", "doctor", "completion", "help", "plan", "watch",
                "policy check", "policy set", "policy show", "policy diff", "policy remove", "evaluate",
                "recommend", "approve", "decide-log", "guard", "report"]
    for command in commands:
        check(f"\n  {command}" in text, f"--help lists {command}")
        one = store.good(*command.split(), "--help", db=False).out
        check(re.search(rf"\nexample\n  canaryctl .*{command}", one) and
              one.startswith(f"usage: canaryctl {command}"),
              f"{command} --help has usage and an example", one)
        equal(store.good("help", *command.split(), db=False).out, one, f"help {command}")
    equal(text.count("example:"), len(commands), "--help has an example for each command")
    contains(store.good("override", "--help", db=False).out, "override remove",
             "override --help shows its commands")
    contains(store.good("--version", db=False).out, "canaryctl 0.", "--version")
    check("libcanary" in store.js("--version", db=False), "--version as JSON")


def full_disk(store):
    with open("/dev/full", "wb") as full:
        process = store.start("status", stdout=full, stderr=subprocess.PIPE)
        error = process.communicate()[1]
    equal(process.returncode, 1, "a result that cannot be written is exit 1")
    contains(error.decode(), "cannot write", "and is told")


def closed_files(store):
    def run(closed, *words):
        return subprocess.run(["sh", "-c", f"exec {PROGRAM_QUOTED} \"$@\" {closed}", "sh", "--db",
                               str(store.path), *words],
                              env=store.environment(), capture_output=True, check=False)

    for closed in (">&-", ">&- 2>&-", "<&- >&- 2>&-"):
        revision = store.js("status")["revision"]
        done = run(closed, "set", "--percent", "3")
        equal(done.returncode, 1, f"{closed}: exit 1, as nobody was told")
        equal(store.js("status")["revision"], revision + 1, f"{closed}: the change is made")
        equal(store.run("doctor").code, 0, f"{closed}: nothing was written into another file")
    done = run(">&-", "status")
    equal(done.returncode, 1, ">&-: a status that nobody gets is exit 1")
    contains(done.stderr.decode(), "cannot write", ">&-: and is told")
    # Whatever file is opened first gets number 0, and what stands in it would be taken for users.
    for words in (("decide", "--stdin"), ("override", "add", "--stdin", "new")):
        done = run("<&-", *words)
        equal((done.returncode, done.stdout), (1, b""), f"<&-: {' '.join(words)}: exit 1")
        contains(done.stderr.decode(), "cannot read standard input", "<&-: and is told")


import shlex  # noqa: E402
from cli import PROGRAM  # noqa: E402

PROGRAM_QUOTED = shlex.quote(PROGRAM)

with Store() as main:
    create_and_status(main)
    changes(main)
    setting(main)
    history(main)
    hostile_text(main)
    explain(main)
    overrides(main)
    flags(main)
    whole_store(main)
    spellings(main)
    variables(main)
    help_texts(main)
    full_disk(main)
    closed_files(main)
salted()
ladders()
several()
finish()
