# SPDX-License-Identifier: MIT
"""baseline capture, show and compare."""

import datetime
import json
import time

from cli import Store, check, contains, equal, finish

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def week(store):
    """Three weeks of hours, the same rate in the same hour of the week: 1 % at even hours, 2 % at odd."""
    hour = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0)
    rows = []
    for back in range(0, 24 * 21):
        at = hour - datetime.timedelta(hours=back)
        place = at.weekday() * 24 + at.hour
        for cohort in ("old", "new"):
            rows.append({"metric": "error", "cohort": cohort, "n": 1000,
                         "k": (10 if place % 2 == 0 else 20) * (1 if cohort == "old" else 3),
                         "at": at.strftime("%Y-%m-%dT%H:%M:%SZ")})
    rows.append({"metric": "duration", "cohort": "old", "duration": 0.012,
                 "at": hour.strftime("%Y-%m-%dT%H:%M:%SZ")})
    made = store.js("import", "--format", "json", "--stdin", "--declare",
                    stdin="\n".join(json.dumps(row) for row in rows).encode())
    equal(made["refused"], 0, "three weeks of figures are imported")


def none_yet(store):
    for words in (("baseline", "show"), ("baseline", "compare")):
        result = store.run(*words)
        equal(result.code, 1, f"{' '.join(words)} without one: exit 1")
        contains(result.err, "baseline capture", f"{' '.join(words)} without one: says what makes one")
    result = store.run("baseline", "capture")
    equal(result.code, 5, "capturing nothing: exit 5")
    contains(result.err, "metrics --window 30d", "capturing nothing: says where to look")


def capture(store):
    dry = store.js("baseline", "capture", "--days", "14", "--dry-run")
    equal((dry["dry_run"], dry["hours"]), (True, 168), "capture --dry-run: says what it would be")
    equal(store.run("baseline", "show").code, 1, "capture --dry-run: keeps nothing")
    made = store.js("baseline", "capture", "--days", "14", "--by", "ann", "--note", "before")
    equal((made["hours"], made["by"], made["note"], made["replaced"]), (168, "ann", "before", None),
          "capture: JSON")
    text = store.good("baseline", "capture", "--days", "7", "--note", "a quiet week").out
    contains(text, "baseline captured", "capture: says so")
    contains(text, "figures in 168 of 168 hours", "capture: how much of the week it has")
    contains(text, "replaces", "capture: names the one that it replaced")
    for words, part in ((("--days", "0"), "1 to 400"), (("--days", "401"), "1 to 400"), (("--days", "x"), '"x"'),
                        (("--from", "soon"), '"soon"'), (("--from", "1h", "--to", "2h"), "before"),
                        (("--days", "3", "--from", "2d"), "not both"),
                        (("--to", "2199-01-01"), "2199-01-01")):
        result = store.run("baseline", "capture", *words)
        equal(result.code, 2, f"capture {' '.join(words)}: exit 2")
        contains(result.err, part, f"capture {' '.join(words)}: says {part}")


def show(store):
    text = store.good("baseline", "show").out
    for part in ("captured", "a quiet week", "error", "1.50 %", "duration", "12.0 ms"):
        contains(text, part, f"show: {part}")
    shown = store.js("baseline", "show")
    rows = {row["metric"]: row["baseline"] for row in shown["metrics"]}
    check(abs(rows["error"]["rate"] - 0.015) < 1e-12, "show: the rate of the whole week", rows["error"])
    equal(rows["error"]["n"], 168000, "show: of the old cohort alone")
    equal(len(shown["week"]), 168, "show: every hour of the week")
    for entry in shown["week"][:3]:
        place = entry["hour_of_week"]
        equal((entry["day"], entry["hour"]), (DAYS[place // 24], place % 24), "show: which hour it is")
        rates = [row["baseline"]["rate"] for row in entry["metrics"] if row["metric"] == "error"]
        equal(rates, [0.01 if place % 2 == 0 else 0.02], "show: and its rate")


def compare(store):
    """The window touches few hours of the week, and only these are compared with."""
    store.good("record", "--metric", "error", "--cohort", "old", "--n", "100", "--k", "2")
    window = store.js("baseline", "compare", "--window", "30m")
    rows = {row["metric"]: row for row in window["metrics"]}
    since = datetime.datetime.fromisoformat(window["from"].replace("Z", "+00:00"))
    until = datetime.datetime.fromisoformat(window["to"].replace("Z", "+00:00"))
    hours = {(at.weekday() * 24 + at.hour) for at in (since, until)}
    expected = sum(10 if hour % 2 == 0 else 20 for hour in hours) / (1000 * len(hours))
    check(abs(rows["error"]["baseline"]["rate"] - expected) < 1e-12,
          f"compare: the same {len(hours)} hours of the week", rows["error"])
    equal(rows["error"]["baseline"]["n"], 1000 * len(hours), "compare: and no others")
    check(abs(rows["error"]["old_difference"]["rate"]["absolute"] -
              (rows["error"]["old"]["rate"] - expected)) < 1e-12, "compare: the difference",
          rows["error"])
    text = store.good("baseline", "compare", "--window", "3h").out
    for part in ("BASELINE", "NEW-BASE", "error", "captured", "UTC"):
        contains(text, part, f"compare: the table has {part}")
    equal([row["metric"] for row in store.js("baseline", "compare", "--metric", "error")["metrics"]],
          ["error"], "compare --metric: that one alone")
    result = store.run("baseline", "compare", "--metric", "eror")
    equal(result.code, 1, "compare --metric mistyped: exit 1")
    contains(result.err, "did you mean error?", "compare --metric mistyped: names the nearest")
    equal(store.run("baseline", "compare", "--window", "soon").code, 2, "compare --window soon: exit 2")


# All of it within one hour of the clock, or other hours of the week would be meant.
if time.time() % 3600 > 3500:
    time.sleep(3601 - time.time() % 3600)
with Store() as main:
    main.good("create", "checkout")
    none_yet(main)
    week(main)
    capture(main)
    show(main)
    compare(main)
finish()
