# SPDX-License-Identifier: MIT
"""policy check, set, show, diff and remove."""

import hashlib
import json
import pathlib
import re
import sys

from cli import Store, check, contains, equal, finish

TOP = pathlib.Path(sys.argv[2])
EXAMPLES = TOP / "examples" / "policies"
RULE = {"name": "errors", "metric": "error", "above": "5%", "window": "1m", "action": "rollback"}


def policy(store, name, **keys):
    """Writes a policy; its path and text."""
    text = json.dumps(dict({"policy": 1, "name": name, "rules": [RULE]}, **keys), indent=1) + "\n"
    path = store.directory / f"{name}.json"
    path.write_text(text, encoding="utf-8")
    return str(path), text


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def reading(store):
    path, text = policy(store, "first", description="what for")
    out = store.good("policy", "check", path, db=False).out
    for part in ("policy first, sha256 " + sha256(text), "what for", "mode: approve",
                 "errors (critical): rolls back to stage 0 when the rate of error is above 5 % over 1m",
                 "sound"):
        contains(out, part, f"check: says {part[:40]}")
    shown = store.good("-o", "json", "policy", "check", path, db=False).json
    equal((shown["valid"], shown["name"], shown["sha256"], shown["mode"], shown["rules"], shown["problems"],
           shown["rollout"]), (True, "first", sha256(text), "approve", 1, [], None), "check: JSON")
    equal(shown["explanation"], out.splitlines()[:-1], "check: the same words in JSON")
    equal(store.good("policy", "check", "--stdin", stdin=text.encode(), db=False).out, out,
          "check --stdin: the same")
    equal(store.good("policy", "check", "-", stdin=text.encode(), db=False).out, out, "check -: the same")
    equal(store.good("policy", "check", path, db=False,
                     env={"CANARY_DB": "/nowhere", "CANARY_ROLLOUT": "x"}).out, out,
          "check: a store in the environment is not asked")
    path, text = policy(store, "turned", description="ends \u202ethgir eht no")
    out = store.good("policy", "check", path, db=False).out
    check("\u202e" not in out and "ends \\u202ethgir eht no" in out,
          "check: a description does not turn lines about", out)
    check("ends \u202ethgir eht no" in store.good("-o", "json", "policy", "check", path,
                                                  db=False).json["explanation"],
          "check: in JSON it is what it is")


def wrong(store):
    broken = store.directory / "broken.json"
    broken.write_text('{ "policy": 1,\n  "name": "a\033[31mb",\n  "rules": [] }', encoding="utf-8")
    result = store.run("policy", "check", str(broken), db=False)
    equal(result.code, 2, "check of what is no JSON: exit 2")
    contains(result.out, "line 2, column", "check of what is no JSON: the place")
    path, _ = policy(store, "wrong", mode="x", alpha=9, rules=[dict(RULE, window="90x", to=3)])
    result = store.run("policy", "check", path, db=False)
    equal(result.code, 2, "check of a bad policy: exit 2")
    for part in ('mode: "x" is none of observe, approve, auto', "alpha: 9 is no number",
                 'rules[0].window: "90x" is no time', "rules[0].to: 3 is no way down", "4 errors"):
        contains(result.out, part, f"check of a bad policy: {part}")
    found = store.run("-o", "json", "policy", "check", path, db=False)
    equal(found.code, 2, "check of a bad policy, JSON: exit 2")
    equal((found.json["valid"], [entry["place"] for entry in found.json["problems"]]),
          (False, ["mode", "alpha", "rules[0].window", "rules[0].to"]), "check of a bad policy, JSON: places")
    equal({entry["severity"] for entry in found.json["problems"]}, {"error"}, "and all of them errors")
    check("\033" not in store.run("policy", "check", str(broken), db=False).out, "nothing steers the terminal")
    equal(store.run("policy", "check", str(store.directory / "none"), db=False).code, 1,
          "check of a file that is not there: exit 1")
    equal(store.run("policy", "check", str(store.directory), db=False).code, 1, "check of a directory: exit 1")
    big = store.run("policy", "check", "/dev/zero", db=False)
    equal(big.code, 2, "check of a file without end: exit 2")
    contains(big.out, "at most 65536", "check of a file without end: says what is allowed")
    for words in (("policy", "check"), ("policy", "check", path, "--stdin"), ("policy", "set"),
                  ("policy", "diff"), ("policy", "set", "--stdin", "--digest", "0" * 64),
                  ("policy", "diff", "checkout", path, "--stdin"), ("policy", "show", "--text", "-o", "json"),
                  ("policy", "set", "other", path, "--rollout", "checkout")):
        equal(store.run(*words).code, 2, f"{' '.join(words[:4])}: exit 2")
    result = store.run("policy", "set", path)
    equal(result.code, 2, "set of a bad policy: exit 2")
    contains(result.err, 'mode: "x" is none of', "set of a bad policy: the first problem")
    contains(result.err, "policy check", "set of a bad policy: where to see all")


def nothing_yet(store):
    path, _ = policy(store, "first")
    for words in (("policy", "show"), ("policy", "diff", path)):
        result = store.run(*words)
        equal(result.code, 1, f"{words[1]} without a policy: exit 1")
        contains(result.err, "policy set checkout FILE", f"{words[1]} without a policy: what puts one in force")
    result = store.run("policy", "show", "chekout")
    equal(result.code, 1, "show of an unknown rollout: exit 1")
    contains(result.err, "did you mean --rollout checkout?", "show of an unknown rollout: the nearest")


def setting(store):
    first, first_text = policy(store, "first")
    second, second_text = policy(store, "second", rules=[dict(RULE, above="4%")])
    dry = store.js("policy", "set", "checkout", first, "--dry-run")
    equal((dry["dry_run"], dry["action"], dry["undo"]), (True, "policy", None), "set --dry-run: says what it would be")
    equal(store.run("policy", "show").code, 1, "set --dry-run: changes nothing")
    made = store.js("policy", "set", "checkout", first, "--by", "ann", "--note", "reviewed")
    equal((made["action"], made["by"], made["note"], made["moved_percentage"]), ("policy", "ann", "reviewed", 0),
          "set: JSON")
    check(made["undo"].endswith(f"policy remove checkout --expect-revision {made['revision']}"),
          "set: the first one is undone by removing it", made["undo"])
    contains(" ".join(made["warnings"]), "nothing was recorded yet", "set: warns of what cannot be checked")
    shown = store.js("policy", "show")
    equal((shown["name"], shown["sha256"], shown["by"], shown["note"], shown["text"], shown["in_force"]),
          ("first", sha256(first_text), "ann", "reviewed", first_text, True), "show: JSON")
    equal(shown["policy"], json.loads(first_text), "show: the policy as JSON")
    text = store.good("policy", "show", "checkout").out
    for part in ("in force by revision", "by ann: reviewed", sha256(first_text), "errors (critical)"):
        contains(text, part, f"show: {part[:30]}")
    equal(store.good("policy", "show", "--text").out, first_text, "show --text: as it was written")
    result = store.good("policy", "set", second)
    contains(result.out, "policy second is in force, mode approve, 1 rule, sha256 " + sha256(second_text), "set: says it")
    undo = re.search(r"undo: canaryctl (.*)", result.out).group(1).split()
    contains(" ".join(undo), f"--digest {sha256(first_text)}", "set: the line that undoes it")
    equal(store.run(*undo[2:]).code, 0, "and that does")
    equal(store.js("policy", "show")["sha256"], sha256(first_text), "the first one is in force again")
    equal(store.run(*undo[2:]).code, 6, "undone twice: exit 6")
    earlier = store.good("policy", "show", "--digest", sha256(second_text)).out
    contains(earlier, "not in force any more", "show --digest: an earlier one")
    equal(store.js("policy", "show", "--digest", sha256(second_text))["in_force"], False, "the same in JSON")
    equal(store.run("policy", "show", "--digest", "0" * 64).code, 1, "show --digest of none: exit 1")
    equal(store.run("policy", "show", "--digest", "x").code, 2, "show --digest of no digest: exit 2")
    actions = [entry["action"] for entry in store.js("history")]
    equal(actions.count("policy"), 3, "history has each of them")
    equal(store.run("verify").code, 0, "the trail verifies")


def comparing(store):
    first, _ = policy(store, "first")
    changed, _ = policy(store, "changed", mode="auto", rules=[dict(RULE, above="4%"), dict(RULE, name="more")])
    result = store.good("policy", "diff", "checkout", first)
    equal(result.out, "", "diff of the same: silent, exit 0")
    result = store.run("policy", "diff", changed)
    equal(result.code, 1, "diff of another: exit 1")
    for part in ("--- checkout in force", "+++ " + changed, "@@ -1,", '+   "above": "4%",',
                 "in words", "- mode: approve", "+ mode: auto",
                 "- errors (critical): rolls back to stage 0 when the rate of error is above 5 %",
                 "+ errors (critical): rolls back to stage 0 when the rate of error is above 4 %",
                 "+ more (critical)"):
        contains(result.out, part, f"diff: {part[:40]}")
    shown = store.run("-o", "json", "policy", "diff", changed)
    equal((shown.code, shown.json["different"]), (1, True), "diff: JSON")
    check(any("4 %" in line for line in shown.json["added"]) and any("5 %" in line for line in shown.json["removed"]),
          "diff: JSON has both in words", shown.json)
    same = store.run("-o", "json", "policy", "diff", first)
    equal((same.code, same.json["different"], same.json["added"]), (0, False, []), "diff of the same: JSON")
    spaced = store.directory / "spaced.json"
    spaced.write_text(pathlib.Path(first).read_text(encoding="utf-8") + "\n", encoding="utf-8")
    result = store.run("policy", "diff", str(spaced))
    equal(result.code, 1, "diff of another text with the same meaning: exit 1")
    contains(result.out, "in words: the same", "and says that it means the same")


def against_the_rollout(store):
    ladder, _ = policy(store, "ladder", stages=[{"percentage": 1}, {"percentage": 100}])
    result = store.run("policy", "check", ladder)
    equal(result.code, 5, "check against another ladder: exit 5")
    contains(result.out, "stages: names 2 stages above 0", "and says it")
    equal(store.run("policy", "check", ladder, db=False).code, 0, "by itself it is sound")
    result = store.run("policy", "set", ladder)
    equal(result.code, 5, "set against another ladder: exit 5")
    contains(result.err, "names 2 stages above 0", "and says it, too")
    kind, _ = policy(store, "kind", rules=[{"name": "f", "metric": "tokens", "statistic": "rate", "above": 0.5,
                                            "window": "1m", "action": "hold"}])
    equal(store.run("policy", "check", kind, "--rollout", "checkout").code, 0, "an unknown metric warns")
    store.good("record", "--metric", "tokens", "--cohort", "new", "--value", "7")
    result = store.run("-o", "json", "policy", "check", kind)
    equal(result.code, 5, "a metric of another kind: exit 5")
    equal([(entry["severity"], entry["place"]) for entry in result.json["problems"]],
          [("error", "rules[0].statistic")], "a metric of another kind: told as an error")
    limit, _ = policy(store, "limit", rules=[dict(RULE, metric="hits", statistic="rate")])
    result = store.run("-o", "json", "policy", "check", limit)
    equal((result.code, [(entry["severity"], entry["place"]) for entry in result.json["problems"]]),
          (0, [("warning", "rules[0].metric")]), "a metric that nobody records: a warning, exit 0")


def removing(store):
    digest = store.js("policy", "show")["sha256"]
    equal(store.run("policy", "remove", "--expect-revision", "1").code, 6, "remove of another revision: exit 6")
    contains(store.good("policy", "remove", "--dry-run").out, "no policy would be in force", "remove --dry-run")
    made = store.js("policy", "remove", "checkout", "--note", "by hand for now")
    contains(made["undo"], f"policy set checkout --digest {digest}", "remove: the line that undoes it")
    equal(store.run("policy", "show").code, 1, "remove: no policy is in force")
    store.good("policy", "set", "checkout", "--digest", digest)
    equal(store.js("policy", "show")["sha256"], digest, "and back again")


def pages_and_examples(store):
    page = (TOP / "docs" / "policy.md").read_text(encoding="utf-8")
    block = re.search(r"```json\n(.*?)```", page, re.DOTALL).group(1)
    out = store.good("policy", "check", "--stdin", stdin=block.encode(), db=False).out
    words = re.findall(r"^    ([a-z-]+ \((?:critical|high|medium|low)\): .*)$", page, re.MULTILINE)
    equal(len(words), 3, "docs/policy.md says three rules in words")
    for line in words:
        contains(out, line + "\n", f"docs/policy.md: {line[:30]}")
    names = sorted(path.name for path in EXAMPLES.glob("*.json"))
    equal(names, ["cost-bounded.json", "model-quality.json", "service-objectives.json", "speed-accuracy.json"],
          "four examples")
    for name in names:
        text = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))
        stages = ",".join(str(stage["percentage"]) for stage in text["stages"])
        equal(text["name"] + ".json", name, f"{name} is named like its policy")
        with Store() as one:
            one.good("create", "checkout", "--stages", stages)
            one.good("policy", "set", "checkout", str(EXAMPLES / name))
            equal(one.js("policy", "show")["policy"], text, f"{name} can be put in force")
            equal(one.good("policy", "diff", str(EXAMPLES / name)).out, "", f"{name} is what is in force")


with Store() as main:
    main.good("create", "checkout")
    reading(main)
    wrong(main)
    nothing_yet(main)
    setting(main)
    comparing(main)
    against_the_rollout(main)
    removing(main)
    pages_and_examples(main)
finish()
