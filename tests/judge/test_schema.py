# SPDX-License-Identifier: MIT
"""docs/policy.schema.json and the library's reader say the same of the same texts.

What the reader accepts satisfies the schema. What the schema refuses, the reader refuses; the reader
refuses more, for reasons that a schema cannot state, and only for those of BEYOND."""

import copy
import json
import os
import pathlib
import random
import re
import subprocess
import sys

PARSER = sys.argv[1]
SCHEMA, PAGE, EXAMPLES = (pathlib.Path(name) for name in sys.argv[2:5])

# Words of the reader about what no schema can say.
BEYOND = re.compile("|".join([
    r"is no multiple of", r"is not within", r"is the name of", r"is not above the", r"is no way down",
    r"leaves no margin", r"is never so", r"takes? of it", r"is not shorter", r"taken for a",
    r"cannot be proven", r"is not allowed; above .0s., at most", r"at most two decimals",
    r"is no stage number from 1 to [1-9]\b", r"%. is not allowed; a (ratio|share) from",
    r"has \d+ bytes",
]))

BASES = [
    {"name": "a", "metric": "error", "above": "1%", "window": "1m", "action": "rollback"},
    {"name": "b", "metric": "error", "against": "old", "above": 1.5, "action": "rollback"},
    {"name": "c", "metric": "duration", "statistic": "p95", "above": "600ms", "window": "1m",
     "for": "5m", "action": "rollback", "to": "previous"},
    {"name": "d", "metric": "cost", "statistic": "mean", "against": "baseline", "above": "150%",
     "window": "1h", "action": "hold"},
    {"name": "e", "metric": "error", "statistic": "burn", "objective": "99.9%", "above": 2,
     "window": "1h", "short_window": "5m", "action": "rollback"},
    {"name": "f", "metric": "quality", "statistic": "f1", "against": "old", "above": 1.05,
     "action": "require", "alpha": 0.01},
    {"name": "g", "metric": "cost", "statistic": "mean", "below": 3, "window": "1d",
     "action": "require", "stages": [1, 2]},
    {"name": "h", "metric": "duration", "statistic": "p99", "against": "old", "above": 1.2,
     "action": "warn"},
    {"name": "i", "metric": "hits", "statistic": "rate", "below": 0.9, "proof": "evidence",
     "action": "hold"},
    {"name": "j", "metric": "duration", "statistic": "mean", "below": "25ms", "window": "1d",
     "action": "require", "cohort": "old"},
    {"name": "k", "metric": "cost", "statistic": "mean", "against": "old", "proof": "point",
     "above": "65%", "window": "1h", "action": "hold"},
]
OBJECTIVES = [
    {"name": "up", "statistic": "uptime", "above": "99.9%"},
    {"name": "p", "metric": "duration", "statistic": "p95", "below": "5s"},
    {"name": "e", "metric": "error", "below": 0.01},
    {"name": "m", "metric": "cost", "statistic": "mean", "below": 3},
]
STAGE = {"percentage": 5, "dwell": "24h", "name": "EARLY"}
TOP = {"policy": 1, "name": "test"}
VALUES = [
    None, True, False, 0, 1, 2, 3, -1, 0.5, 0.05, 1.5, 5, 7.5, 100, 1000, 1e6, 1e16, 64, 31, 32, "", "x",
    "a b", "error", "timeout", "duration", "cost", "rate", "mean", "p50", "p95", "p999", "f1",
    "precision", "recall", "burn", "uptime", "limit", "old", "new", "baseline", "point", "evidence",
    "rollback", "hold", "require", "warn", "previous", "low", "critical", "auto", "approve", "observe",
    "measured", "1%", "150%", "99.9%", "101%", "0%", "1 %", "0s", "10s", "1m", "5m", "65s", "24h", "1w",
    "31d", "40d", "600ms", "1.5s", "25us", "2h", "-1s", [], {}, [1], [1, 2], [0], [1, 1], ["1"],
    "\n", "\u0085", "é", "x" * 63, "x" * 64, "x" * 128, "x" * 129, "x" * 511, "x" * 512,
]
failures = 0


def failed(what, *details):
    global failures
    failures += 1
    if failures <= 10:
        print(f"FAILED  {what}")
        for detail in details:
            print(f"        {detail}")


def read(cases):
    """The reader's problems for each case; [] = accepted."""
    text = "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases)
    out = subprocess.run([PARSER], input=text.encode(), capture_output=True, check=True).stdout.decode()
    lines = out.split("\n")[:-1]
    assert len(lines) == len(cases), (len(lines), len(cases))
    return [[] if line == "ok" else line.split("\t") for line in lines]


def whole(rule=None, top=None, stages=None, objective=None):
    case = dict(TOP, rules=[rule or BASES[0]], **(top or {}))
    if stages is not None:
        case["stages"] = stages
    if objective is not None:
        case["objectives"] = [objective]
    return case


def changed(base, keys, chooser):
    """Every key set to every value, every key left out, and some pairs of keys at once."""
    for key in keys:
        if key in base:
            yield {k: v for k, v in base.items() if k != key}
        for value in VALUES:
            yield dict(base, **{key: value})
    for _ in range(150):
        one = dict(base)
        for key in chooser.sample(keys, 2):
            one[key] = chooser.choice(VALUES)
        yield one


def cases_of(schema, chooser):
    rule_keys = sorted(schema["$defs"]["rule"]["properties"])
    objective_keys = sorted(schema["$defs"]["objective"]["properties"])
    for base in BASES:
        for rule in changed(base, rule_keys, chooser):
            yield whole(rule)
    for base in OBJECTIVES:
        for objective in changed(base, objective_keys, chooser):
            yield whole(objective=objective)
    for stage in changed(STAGE, sorted(schema["$defs"]["stage"]["properties"]), chooser):
        yield whole(stages=[stage])
    for policy in changed(whole(), sorted(schema["properties"]), chooser):
        yield policy
    for base in BASES:
        for other in BASES:
            yield dict(TOP, rules=[base, dict(other, name="z")])


def keys_are_the_same(schema):
    """The reader lists the keys that it knows where it meets one that it does not."""
    places = {
        "": (schema, whole(top={"zzz": 1})),
        "rules[0].": (schema["$defs"]["rule"], whole(dict(BASES[0], zzz=1))),
        "stages[0].": (schema["$defs"]["stage"], whole(stages=[dict(STAGE, zzz=1)])),
        "objectives[0].": (schema["$defs"]["objective"], whole(objective=dict(OBJECTIVES[0], zzz=1))),
    }
    for place, (part, case) in places.items():
        told = [line for line in read([case])[0] if line.startswith(f"{place}zzz: ")]
        known = set(told[0].split("known here: ")[1].split(", ")) if told else set()
        if known != set(part["properties"]):
            failed(f"keys of {place or 'the policy'}", f"only one of both has {known ^ set(part['properties'])}")


def page_has_every_key(schema):
    """docs/policy.md has a row for each key, with the default that the schema names."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    parts = {"The policy": schema, "A stage": schema["$defs"]["stage"], "A rule": schema["$defs"]["rule"],
             "An objective": schema["$defs"]["objective"]}
    for title, part in parts.items():
        section = [text for text in sections if text.startswith(title + "\n")][0]
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
        for key, value in part["properties"].items():
            row = [cells for cells in rows if f"`{key}`" in cells[0]]
            if not row:
                failed(f"{PAGE.name}, {title}: there is no {key}")
            elif "default" in value and json.dumps(value["default"]) not in row[0][2]:
                failed(f"{PAGE.name}, {title}: the default of {key} is {value['default']!r}", row[0][2])
            elif key in part.get("required", ()) and row[0][2] != "required":
                failed(f"{PAGE.name}, {title}: {key} is required", row[0][2])


def main():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    keys_are_the_same(schema)
    page_has_every_key(schema)
    examples = sorted(EXAMPLES.glob("*.json"))
    if len(examples) < 4:
        failed(f"{EXAMPLES} has {len(examples)} policies")
    texts = [json.loads(path.read_text(encoding="utf-8")) for path in examples]
    for path, problems in zip(examples, read(texts)):
        if problems:
            failed(f"{path.name} is not accepted", *problems)
    try:
        import jsonschema
    except ImportError:
        print("python3-jsonschema is not installed: only keys and examples were compared")
        return 1 if failures else 77
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path, text in zip(examples, texts):
        for error in validator.iter_errors(text):
            failed(f"{path.name} does not satisfy the schema", error.message, error.json_path)
    seed = int(os.environ.get("CANARY_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"CANARY_TEST_SEED={seed}")
    chooser = random.Random(seed)
    cases = list(cases_of(schema, chooser))
    cases = chooser.sample(cases, 10000)
    tally = {"both accept": 0, "both refuse": 0, "only the reader refuses": 0}
    for case, problems in zip(copy.deepcopy(cases), read(cases)):
        fits = validator.is_valid(case)
        if not problems and not fits:
            failed("accepted by the reader, not by the schema", json.dumps(case),
                   next(validator.iter_errors(case)).message[:300])
        elif problems and fits and not any(BEYOND.search(problem) for problem in problems):
            failed("refused by the reader alone, for what a schema could say", json.dumps(case), *problems)
        tally["both accept" if not problems else "only the reader refuses" if fits else "both refuse"] += 1
    print(", ".join(f"{what}: {count}" for what, count in tally.items()))
    if min(tally.values()) < 20:
        failed("the cases are one-sided")
    return 1 if failures else 0


sys.exit(main())
