# SPDX-License-Identifier: MIT
"""Wrong usages: exit 2, one line that names the value, what is allowed, and where the help is."""

from cli import Store, check, contains, equal, finish

# The words, what the line must name, what it must allow or suggest, and the help it points to.
WRONG = [
    ((), ["no command"], "canaryctl --help"),
    (("statsu",), ['"statsu"', 'did you mean "status"'], "canaryctl --help"),
    (("hist",), ['"hist"', 'did you mean "history"'], "canaryctl --help"),
    (("frobnicate",), ['"frobnicate"', "advance", "rollback", "doctor"], "canaryctl --help"),
    (("override",), ['"override add"', '"override remove"', '"override list"'],
     "canaryctl --help"),
    (("override", "ad", "x", "new"), ['"override ad"', 'did you mean "override add"'],
     "canaryctl --help"),
    (("flag", "of", "x"), ['"flag of"', 'did you mean "flag o'], "canaryctl --help"),
    (("--rolout", "x", "status"), ['"--rolout"', 'did you mean "--rollout"'],
     "canaryctl status --help"),
    (("--sta", "status"), ['"--sta"', "--stage", "--stages", "--status"],
     "canaryctl status --help"),
    (("status", "--verbose-please"), ['"--verbose-please"', "--help"], "canaryctl status --help"),
    (("status", "-x"), ['"-x"', "-o", "--"], "canaryctl status --help"),
    (("status", "--watch=yes"), ["--watch takes no value", "yes"], "canaryctl status --help"),
    (("status", "--rollout"), ["--rollout needs a value"], "canaryctl status --help"),
    (("--rollout", "--by", "x", "status"), ["--rollout needs a value", '"--by"'],
     "canaryctl status --help"),
    (("--rollout=", "status"), ["--rollout is empty", "NAME"], "canaryctl status --help"),
    (("--rollout", "a", "--rollout", "b", "status"), ["given twice", '"a"', '"b"'],
     "canaryctl status --help"),
    (("-o", "yaml", "status"), ['"yaml"', "table or json"], "canaryctl status --help"),
    (("--timeout", "soon", "status"), ['"soon"', "0 to 3600"], "canaryctl status --help"),
    (("--timeout", "3601", "status"), ['"3601"', "0 to 3600"], "canaryctl status --help"),
    (("--timeout", "-1", "status"), ['"-1"', "0 to 3600"], "canaryctl status --help"),
    (("status", "--dry-run"), ["--dry-run", "--watch"], "canaryctl status --help"),
    (("verify", "--limit", "3"), ["--limit", "no options of its own"], "canaryctl verify --help"),
    (("status", "now"), ['"now"', "too many"], "canaryctl status --help"),
    (("create",), ["missing", "create NAME"], "canaryctl create --help"),
    (("create", "a", "b"), ['"b"', "too many"], "canaryctl create --help"),
    (("create", "a", "--rollout", "b"), ['"a"', '"b"'], "canaryctl create --help"),
    (("create", "new", "--stages", "5,x,100"), ['"x"', "0 to 100"], "canaryctl create --help"),
    (("create", "new", "--stages", "5,25,25"), ["must rise", '"25"'], "canaryctl create --help"),
    (("create", "new", "--stages", "0,50"), ["stage 0", "leave it out"],
     "canaryctl create --help"),
    (("create", "new", "--stages", "5,,50"), ['""', "0 to 100"], "canaryctl create --help"),
    (("create", "new", "--stages", ",".join(f"{n}" for n in range(1, 40))), ["more than 31"],
     "canaryctl create --help"),
    (("create", "new", "--names", "a,b"), ["--names gives 2", "4 stages"],
     "canaryctl create --help"),
    (("create", "new", "--names", "a,b,c d,e"), ['"c d"', "A-Z a-z 0-9"],
     "canaryctl create --help"),
    (("create", "new", "--dwell", "1h,2h,3x,0"), ['"3x"', "30m"], "canaryctl create --help"),
    (("set",), ["--percent P or --stage N"], "canaryctl set --help"),
    (("set", "--percent", "5", "--stage", "1"), ["not both"], "canaryctl set --help"),
    (("set", "--stage", "1", "--phase", "x"), ["--phase", '"x"', "--percent"],
     "canaryctl set --help"),
    (("set", "--percent", "7.555"), ['"7.555"', "two decimals", "0 to 100"],
     "canaryctl set --help"),
    (("set", "--percent", "-1"), ['"-1"', "0 to 100"], "canaryctl set --help"),
    (("set", "--percent", "101"), ['"101"', "0 to 100"], "canaryctl set --help"),
    (("set", "--percent", "nan"), ['"nan"', "0 to 100"], "canaryctl set --help"),
    (("set", "--percent", "1e1"), ['"1e1"', "0 to 100"], "canaryctl set --help"),
    (("set", "--percent", "7,5"), ['"7,5"', "7.5"], "canaryctl set --help"),
    (("set", "--stage", "two"), ['"two"', "whole number", "31"], "canaryctl set --help"),
    (("rollback", "--stage", "-1"), ['"-1"', "0 to 31"], "canaryctl rollback --help"),
    (("advance", "--expect-stage", "99"), ['"99"', "0 to 31"], "canaryctl advance --help"),
    (("advance", "--expect-revision", "last"), ['"last"', "whole number"],
     "canaryctl advance --help"),
    (("history", "--limit", "many"), ['"many"', "whole number"], "canaryctl history --help"),
    (("explain",), ["missing", "USER"], "canaryctl explain --help"),
    (("decide",), ["USER", "--stdin"], "canaryctl decide --help"),
    (("decide", "alice", "--stdin"), ["not both"], "canaryctl decide --help"),
    (("override", "add", "alice"), ['"alice"', "new", "old"], "canaryctl override add --help"),
    (("override", "add", "alice", "nwe"), ['"nwe"', 'did you mean "new"'],
     "canaryctl override add --help"),
    (("override", "add", "", "new"), ["empty", "4096"], "canaryctl override add --help"),
    (("override", "add", "--stdin", "alice", "new"), ['"alice"', "cohort alone"],
     "canaryctl override add --help"),
    (("override", "add", "--stdin", "new"), ["no user id"], "canaryctl override add --help"),
    (("flag", "on"), ["missing", "NAME"], "canaryctl flag on --help"),
    (("completion", "tcsh"), ['"tcsh"', "bash, zsh or fish"], "canaryctl completion --help"),
    (("completion", "fsh"), ['"fsh"', "did you mean"], "canaryctl completion --help"),
    (("help", "everything"), ['"everything"'], "canaryctl help --help"),
    (("--status", "--advance"), ["--status", "--advance", "two commands"], "canaryctl --help"),
    (("status", "--history"), ['"status"', "--history", "two commands"], "canaryctl"),
    (("--advance", "--admin", "ann", "--by", "bob"), ['"ann"', '"bob"'], "canaryctl --help"),
    (("--status", "--stage", "2"), ["--stage"], "canaryctl status --help"),
]

with Store() as store:
    store.good("create", "checkout")
    before = store.js("history")
    for words, parts, help_line in WRONG:
        what = " ".join(words) or "(nothing)"
        result = store.run(*words)
        equal(result.code, 2, f"{what}: exit 2")
        lines = result.err.splitlines()
        if not check(len(lines) == 1 and result.out == "", f"{what}: one line", repr(result)):
            continue
        for part in parts:
            contains(lines[0], part, f"{what}: says {part}")
        contains(lines[0], help_line, f"{what}: points to {help_line}")
        error = store.run("-o", "json", *words).error if "yaml" not in words else None
        if error:
            equal((error["error"], error["exit"]), ("CANARY_E_INVALID", 2), f"{what}: as JSON")
    for env, part in (({"CANARY_OUTPUT": "xml"}, "CANARY_OUTPUT"),):
        result = store.run("status", env=env)
        equal(result.code, 2, f"{env}: exit 2")
        contains(result.err, part, f"{env}: names the variable")
    result = store.run("status", db=False)
    equal(result.code, 2, "no --db: exit 2")
    contains(result.err, "CANARY_DB", "no --db: names CANARY_DB")
    result = store.run("create", "bad name")
    equal(result.code, 2, "a name with a space: exit 2")
    contains(result.err, "bad name", "a name with a space: named")
    result = store.run("status", "--wat\033[31mch")
    check("\033" not in result.err, "escapes in arguments are shown escaped", result.err)
    equal(store.js("history"), before, "none of them changed anything")
finish()
