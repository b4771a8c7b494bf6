# SPDX-License-Identifier: MIT
"""evaluate, recommend, approve and decide-log: verdicts of small releases, both outputs, exit codes."""

import json
import re
import sqlite3
import time

from cli import Store, check, contains, equal, finish

POLICY = {
    "policy": 1, "name": "plain", "mode": "auto", "design_effect": 1,
    "rules": [
        {"name": "harm", "metric": "error", "against": "old", "above": 1.5, "action": "rollback"},
        {"name": "no-harm", "metric": "error", "against": "old", "below": 2, "action": "require"},
        {"name": "few", "metric": "error", "below": "50%", "window": "10m", "min_samples": 100,
         "action": "require"},
    ],
}
KEYS = {"verdict", "word", "rollout", "action", "cause", "risk", "rule", "message", "stage", "stage_name",
        "to_stage", "percentage", "to_percentage", "at", "through", "ready_at", "mode", "policy",
        "policy_name", "revision", "generation", "damaged", "mismatch", "users_new", "users_old",
        "rule_count", "rules"}


def begin(store, name, n=500, bad=5, percent="5", stages="5,25,50,100", dwell="0,0,0,0", **changes):
    policy = store.directory / f"{name}.json"
    policy.write_text(json.dumps({**POLICY, **changes}))
    store.good("create", name, "--stages", stages, "--dwell", dwell)
    if percent != "0":
        store.good("--rollout", name, "set", "--percent", percent)
    store.good("policy", "set", name, str(policy))
    for _ in range(5 if n else 0):
        for cohort, count, k in (("old", 9500, 100), ("new", n, bad)):
            store.good("--rollout", name, "record", "--metric", "error", "--cohort", cohort,
                       "--n", str(count), "--k", str(k))


def judged(store, name, word, cause, code):
    verdict = store.js("evaluate", name)
    equal((verdict["word"], verdict["cause"]), (word, cause), f"{name}: {word} by {cause}")
    equal(store.run("evaluate", name, "--exit-code").code, code, f"{name}: --exit-code gives {code}")
    text = store.good("evaluate", name).out
    contains(text.splitlines()[0], word, f"{name}: the text says {word}")
    # What is left of a time goes by between the two.
    spoken = re.sub(r"[0-9]+ min [0-9]+ s are left", "so much is left", text)
    contains(spoken, re.sub(r"[0-9]+ min [0-9]+ s are left", "so much is left", verdict["message"]),
             f"{name}: and why")
    return verdict


def verdicts(store):
    good = judged(store, "good", "PROCEED", "proven", 0)
    equal(set(good), KEYS, "the keys are those of docs/verdict.md")
    equal((good["percentage"], good["to_percentage"], good["to_stage"]), (5, 25, 2), "it leads up")
    contains(good["message"], "go on from 5 % to 25 %", "its sentence says so")
    equal([rule["name"] for rule in good["rules"]], ["harm", "no-harm", "few"], "rules in order")
    contains(good["rules"][1]["message"], "% anytime interval", "a rule has its interval")
    contains(good["rules"][1]["message"], ", n = 2 500 and 47 500: proven below 2", "and its figures")
    equal(good["rules"][2]["message"], "error rate 1 % in 10 min, n = 2 500: below 50 %, as required",
          "a limit's sentence")
    equal(store.js("--rollout", "good", "status")["percentage"], 5, "judging changes nothing")

    bad = judged(store, "bad", "ROLLBACK", "evidence", 11)
    equal((bad["rule"], bad["to_percentage"], bad["risk"]), (0, 0, "critical"), "harm leads down")
    contains(bad["message"], "roll back from 5 % to 0 %: rule harm: error ratio ", "and is told")
    contains(bad["message"], "proven above 1.5", "with what is proven")

    few = judged(store, "few", "HOLD", "samples", 10)
    contains(few["message"], "needs about 75 more outcomes of the new cohort, about ",
             "too few: says how many are missing and until when")
    check(few["ready_at"] is not None, "and when they will be there", few)
    contains(store.good("evaluate", "few").out, "at the present rate", "the text says it, too")

    early = judged(store, "early", "HOLD", "dwell", 10)
    contains(early["message"], "left of the stage's 1 h", "dwell: says what is left")
    closed = judged(store, "closed", "HOLD", "closed", 10)
    contains(closed["message"], "canaryctl --rollout closed advance", "closed: the next command")
    plain = judged(store, "plain", "HOLD", "no_policy", 10)
    equal((plain["mode"], plain["policy"], plain["rules"]), (None, "", []), "nothing to judge by")
    observed = judged(store, "observed", "ROLLBACK", "evidence", 11)
    contains(observed["message"], "next: canaryctl --rollout observed rollback --stage 0",
             "observe: a person's command")


def documents(store):
    found = set()
    for path in store.directory.glob("app.db*"):
        if path.suffix in (".db", ".db-metrics"):
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' "
                                          "AND name LIKE '%document%'").fetchall():
                    found |= {str(row) for row in db.execute(f"SELECT * FROM {name}")}
    return found


def looking(store):
    before = documents(store)
    store.good("evaluate", "looked", "--look")
    store.good("recommend", "looked")
    equal(documents(store), before, "--look and recommend keep nothing")
    store.good("evaluate", "looked")
    check(len(documents(store)) > len(before), "evaluate keeps what it learned")


def recommending(store):
    advice = store.good("recommend", "bad", "--json").json
    equal(set(advice), {"current_stage", "current_percentage", "risk_level", "recommendations",
                        "metrics_summary"}, "recommend: the keys")
    equal((advice["current_stage"], advice["current_percentage"], advice["risk_level"]),
          (1, 5, "critical"), "recommend: where it is, and how it is")
    first = advice["recommendations"][0]
    equal((first["type"], first["priority"]), ("rollback", "critical"), "the verdict first")
    check(all(set(entry) == {"type", "priority", "message"} for entry in advice["recommendations"]),
          "each has type, priority, message", advice)
    contains(json.dumps(advice["recommendations"][1:]), "not yet proven below 2", "then the rules")
    rate = advice["metrics_summary"]["error"]["rate"]
    equal((rate["n_new"], rate["n_old"], rate["new"]), (2500, 47500, 0.12), "figures at a glance")
    text = store.good("recommend", "bad").out
    for part in ("ROLLBACK", "PRIORITY", "critical", "METRIC", "error", "47 500"):
        contains(text, part, f"recommend: the text has {part}")
    equal(store.good("-o", "json", "recommend", "good").json["recommendations"][0]["type"], "advance",
          "recommend: -o json is the same as --json")


def approving(store):
    verdict = judged(store, "waits", "HOLD", "approval", 10)
    contains(verdict["message"], "canaryctl --rollout waits approve --note WHY", "says how")
    told = store.good("approve", "waits", "--by", "ada", "--note", "fine", "--dry-run").out
    contains(told, "would be approved", "--dry-run says so")
    equal(store.js("evaluate", "waits")["cause"], "approval", "and approves nothing")
    told = store.good("approve", "waits", "--by", "ada", "--note", "fine").out
    contains(told, "the advance from 5 % to 25 % is approved", "approve: says what")
    contains(told, "nobody moves", "approve: moves nobody")
    row = store.js("--rollout", "waits", "history")[0]
    equal((row["action"], row["by"], row["note"]), ("approve", "ada", "fine"), "it is in the trail")
    judged(store, "waits", "PROCEED", "proven", 0)
    store.good("--rollout", "waits", "set", "--percent", "25")
    store.good("--rollout", "waits", "set", "--percent", "5")
    result = store.run("approve", "waits", "--expect-revision", "1")
    equal(result.code, 6, "approve: another revision than expected is a conflict")
    for name, part in (("closed", "at 0 %"), ("top", "top of its ladder")):
        result = store.run("approve", name)
        equal(result.code, 5, f"approve: nothing to approve for {name}: exit 5")
        contains(result.err, part, f"approve: says why for {name}")


def deciding(store):
    told = store.good("decide-log", "good", "HOLD", "--by", "bo", "--note", "marketing waits").out
    contains(told, "the decision HOLD is in the trail", "decide-log: says what")
    row = store.js("--rollout", "good", "history")[0]
    equal((row["action"], row["by"], row["note"]), ("decision", "bo", "HOLD: marketing waits"),
          "it is in the trail")
    made = store.js("--rollout", "good", "decide-log", "proceed", "--note", "all fine")
    equal((made["action"], made["moved_percentage"]), ("decision", 0), "a small word will do")
    contains(store.good("decide-log", "good", "ROLLBACK", "--note", "x").out, "rollback does",
             "decide-log: says that it changes nothing")
    equal(store.js("--rollout", "good", "status")["percentage"], 5, "nothing is changed")


def refused(store):
    for words, code, part in (
        (("evaluate", "nobody"), 1, "no rollout"),
        (("evaluate", "good", "bad"), 2, "evaluate"),
        (("evaluate", "good", "--rollout", "bad"), 2, "two rollouts"),
        (("evaluate",), 2, "name one with --rollout"),
        (("recommend", "nobody"), 1, "no rollout"),
        (("evaluate", "good", "--json", "-o", "table"), 2, "--output is given twice"),
        (("recommend", "good", "--look"), 2, "--look"),
        (("approve", "nobody"), 1, "no rollout"),
        (("decide-log", "good", "MAYBE", "--note", "x"), 2, "PROCEED, HOLD or ROLLBACK"),
        (("decide-log", "good", "HOLD"), 2, "--note TEXT is missing"),
        (("decide-log", "good", "HOLD", "--note", "  "), 2, "--note TEXT is missing"),
        (("decide-log",), 2, "decide-log"),
        (("decide-log", "nobody", "HOLD", "--note", "x"), 1, "no rollout"),
    ):
        result = store.run(*words)
        check(result.code == code and part in result.err, f"{' '.join(words)}: exit {code}", result)
    result = store.run("evaluate", "no\x1b[2Jbody")
    check("\x1b" not in result.out + result.err, "a name that is none reaches no terminal as it is", result)
    result = store.run("evaluate", "nobody", "--json")
    equal((result.error["exit"], result.out), (1, ""), "an error is JSON, too")


def store_away(store):
    """The measurements cannot be read: a verdict all the same, and the error's exit code."""
    with open(str(store.path) + "-metrics", "r+b") as file:
        file.write(b"no database at all, just text" * 40)
    result = store.run("evaluate", "good", "--json")
    equal(result.code, 3, "damaged measurements: exit 3")
    equal((result.json["word"], result.json["cause"]), ("HOLD", "error"), "and the verdict is HOLD")
    contains(result.err, "canary", "and the error is told")


with Store() as store:
    store.good("create", "plain")
    begin(store, "closed", percent="0", n=0)
    begin(store, "top", percent="100", n=0)
    begin(store, "good")
    begin(store, "bad", bad=60)
    begin(store, "few", n=5, bad=0)
    begin(store, "early", dwell="1h,0,0,0")
    begin(store, "waits", mode="approve")
    begin(store, "observed", bad=60, mode="observe")
    begin(store, "looked")
    # A tick is judged 2 s after its end.
    time.sleep(12.5 - time.time() % 10 if time.time() % 10 > 2.4 else 12.5)
    looking(store)
    verdicts(store)
    recommending(store)
    approving(store)
    deciding(store)
    refused(store)
    store_away(store)
finish()
