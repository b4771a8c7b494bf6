# SPDX-License-Identifier: MIT
"""metrics and record: figures of both cohorts as a table and as JSON, what is said of none, of few and of
damaged ones, and the users in status."""

import datetime
import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time

from cli import Store, check, contains, equal, finish, locked

OUTCOMES = os.path.abspath(sys.argv[2])

METRICS_KEYS = {"rollout", "from", "to", "merged_at", "metrics", "generations", "exposure", "rejected",
                "dropped", "damaged", "damage"}
ROW_KEYS = {"metric", "kind", "unit", "old", "new", "difference"}
KIND_KEYS = {
    "proportion": {"n", "k", "rate"},
    "duration": {"n", "mean", "p50", "p90", "p95", "p99", "p999", "sum", "variance", "overflow",
                 "thresholds"},
    "value": {"n", "mean", "deviation", "minimum", "maximum", "sum", "variance"},
    "classification": {"n", "tp", "fp", "fn", "tn", "precision", "recall", "f1"},
}


def serve(store, users=200, requests=10, rollout="checkout"):
    done = subprocess.run([OUTCOMES, str(store.path), rollout, str(users), str(requests)],
                          env=store.environment(), capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"a service recorded {users * requests} outcomes", done.stderr)


def by_name(report):
    return {row["metric"]: row for row in report["metrics"]}


def ago(**span):
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**span)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def nothing_yet(store):
    text = store.good("metrics").out
    contains(text, "no data: no outcomes recorded yet", "without outcomes: says so")
    contains(text, "canary_record()", "without outcomes: says what records them")
    report = store.js("metrics")
    equal(set(report), METRICS_KEYS, "without outcomes: JSON has every key")
    equal((report["metrics"], report["generations"], report["merged_at"]), ([], [], None),
          "without outcomes: JSON is empty")
    equal(store.js("status")["users"], None, "status: no users yet")
    check("users" not in store.good("status").out, "status: no line about users yet")
    check(not os.path.exists(f"{store.path}-metrics"), "looking makes no metrics database")
    result = store.run("metrics", "--metric", "eror")
    equal(result.code, 1, "--metric that is not there: exit 1")
    contains(result.err, "no figures yet", "--metric that is not there: says that there are none")


def a_service(store):
    store.good("set", "--percent", "25")
    serve(store)
    report = store.js("metrics")
    rows = by_name(report)
    equal([row["metric"] for row in report["metrics"]], ["error", "timeout", "duration", "cost"],
          "built-in metrics first, then declared ones")
    for row in report["metrics"]:
        equal(set(row), ROW_KEYS, f"{row['metric']}: JSON has every key")
        equal(set(row["old"]), KIND_KEYS[row["kind"]], f"{row['metric']}: figures of its kind")
    error = rows["error"]
    total = error["old"]["n"] + error["new"]["n"]
    equal(total, 2000, "every outcome is counted")
    equal(error["old"]["k"], error["old"]["n"] // 10, "every tenth of the old cohort failed")
    equal(error["new"]["k"], error["new"]["n"] // 5, "every fifth of the new cohort failed")
    check(abs(error["difference"]["rate"]["ratio"] - 2) < 0.1, "the ratio of the rates",
          error["difference"])
    duration = rows["duration"]
    check(abs(duration["old"]["p95"] - 0.01) < 0.0001 and abs(duration["new"]["p50"] - 0.02) < 0.0002,
          "durations are in seconds", duration)
    check(abs(duration["difference"]["mean"]["absolute"] - 0.01) < 1e-9, "and their difference",
          duration["difference"])
    equal((rows["cost"]["unit"], rows["cost"]["new"]["mean"], rows["cost"]["old"]["maximum"]),
          ("usd", 3, 1.5), "a declared value with its unit")
    equal(rows["timeout"]["difference"]["rate"], {"absolute": 0, "ratio": None},
          "a ratio to nothing is null")
    decisions = report["exposure"]["decisions"]
    equal(decisions["new"].get("split", 0) + decisions["old"].get("split", 0), 2000,
          "decisions by cohort and reason")
    users = report["exposure"]["users"]
    equal((users["total"], users["new"] + users["old"], users["exact"]), (200, 200, True),
          "few users are counted exactly")
    text = store.good("metrics").out
    for part in ("METRIC", "NEW/OLD", "10.00 %", "20.00 %", "+10.00 points", "10.0 ms", "20.0 ms",
                 "+10.0 ms", "3 usd", "2.00", "users", "the last 60 min"):
        contains(text, part, f"the table has {part}")
    check("\033" not in text and "\u2581" not in text, "piped: neither colours nor bars", text)
    columns = {line.index("NEW") for line in text.splitlines() if line.startswith("METRIC")}
    equal(len(columns), 1, "the table has one head")
    contains(store.good("metrics", "--metric", "cost").out, "cost", "--metric: that one")
    equal([row["metric"] for row in store.js("metrics", "--metric", "cost")["metrics"]], ["cost"],
          "--metric: that one alone")
    result = store.run("metrics", "--metric", "eror")
    equal(result.code, 1, "--metric mistyped: exit 1")
    contains(result.err, "did you mean error?", "--metric mistyped: names the nearest")


def age_of_figures(store):
    """Figures by hand leave no trace of a service, and those of one rollout say nothing of another."""
    store.good("create", "other", "--salt", "other")
    other = ("--rollout", "other")
    store.good(*other, "record", "--metric", "f1", "--cohort", "new", "--tp", "1", "--fp", "0", "--fn",
               "0", "--at", ago(hours=3, minutes=20))
    for words in ((), ("--metric", "f1")):
        text = store.good(*other, "metrics", *words).out
        contains(text, "in this window: nothing was recorded meanwhile", f"metrics {words}: older ones")
        check("no outcomes recorded yet" not in text, f"metrics {words}: does not deny them", text)
        check("newest figures" not in text, f"metrics {words}: no age of what is not there", text)
    serve(store)
    contains(store.good(*other, "metrics", "--window", "4h").out, "newest figures 3 h ago",
             "metrics: when the rollout's own newest figures are of")
    contains(store.good("doctor").out, "other: newest figures 3 h ago", "doctor: the same")


def users_in_status(store):
    text = store.good("status").out
    line = next((line for line in text.splitlines() if line.startswith("  users")), "")
    check(re.search(r"users +200, new \d+ \(\d+\.\d\d %\), old \d+; since revision 2", line),
          "status: a line about users", text)
    users = store.js("status")["users"]
    equal(set(users), {"total", "error", "new", "old", "exact", "generation"}, "status: JSON of users")
    equal((users["total"], users["error"], users["generation"]), (200, 0, 2), "status: users")
    metrics = f"{store.path}-metrics"
    with locked(metrics):
        start = time.monotonic()
        result = store.run("status")
        took = time.monotonic() - start
        equal(result.code, 0, "status with the metrics locked: exit 0")
        contains(result.out, "users      not known now", "status with the metrics locked: says so")
        check(took < 2, f"status with the metrics locked: after {took * 1000:.0f} ms")
        status = store.js("status")
        equal(status["users"], None, "status with the metrics locked: users are null in JSON")
        check(status.get("users_message"), "status with the metrics locked: and a message", status)
        result = store.run("--timeout", "0.1", "metrics")
        equal(result.code, 7, "metrics while locked: exit 7")
        contains(result.err, "fuser", "metrics while locked: says what to do")
    kept = open(metrics, "rb").read()
    with open(metrics, "wb") as file:
        file.write(b"this is a shopping list, not a database\n" * 100)
    result = store.run("status")
    equal(result.code, 0, "status with the metrics destroyed: exit 0")
    contains(result.out, "users      not known now", "status with the metrics destroyed: says so")
    equal(store.run("metrics").code, 3, "metrics destroyed: exit 3")
    result = store.run("doctor")
    equal(result.code, 8, "doctor with the metrics destroyed: exit 8")
    contains(result.out, "metrics", "doctor with the metrics destroyed: a finding")
    with open(metrics, "wb") as file:
        file.write(kept)
    contains(store.good("doctor").out, "checkout: newest figures",
             "doctor: a line about the metrics")


def by_stage(store):
    store.good("set", "--percent", "50", "--note", "half")
    store.good("override", "add", "somebody", "new")
    serve(store, 100, 4)
    report = store.js("metrics", "--by-stage")
    equal([(entry["generation"], entry["percentage"], entry["stage"])
           for entry in report["generations"]], [(2, 25, 2), (3, 50, 3)],
          "--by-stage: each time between two changes of the percentage")
    counts = [sum(row["old"]["n"] + row["new"]["n"] for row in entry["metrics"]
                  if row["metric"] == "error") for entry in report["generations"]]
    equal(counts, [2000, 400], "--by-stage: with its own outcomes")
    equal([entry["users"]["total"] for entry in report["generations"]], [200, 100],
          "--by-stage: with its own users")
    equal((report["generations"][0]["to"], report["generations"][1]["to"]),
          (report["generations"][1]["from"], None), "--by-stage: one ends as the next begins")
    text = store.good("metrics", "--by-stage").out
    contains(text, "stage 2 EXPANDED 25 %", "--by-stage: a heading")
    contains(text, "stage 3 HALF_ROLLOUT 50 %", "--by-stage: and the next")
    contains(text, "the present one", "--by-stage: the present one is named so")
    equal(text.count("METRIC"), 2, "--by-stage: a table each")


def windows(store):
    store.good("record", "--metric", "error", "--cohort", "old", "--n", "1000", "--k", "7", "--at",
               ago(hours=5))
    now = by_name(store.js("metrics"))["error"]["old"]["n"]
    longer = by_name(store.js("metrics", "--window", "6h"))["error"]["old"]["n"]
    equal(longer - now, 1000, "--window 6h: what was five hours ago as well")
    equal(by_name(store.js("metrics", "--since", "6h"))["error"]["old"]["n"], longer,
          "--since 6h: the same")
    equal(by_name(store.js("metrics", "--since", ago(hours=6)))["error"]["old"]["n"], longer,
          "--since with a date: the same")
    for words in (("--window", "5h59m"), ("--window", "0"), ("--window", "9s"), ("--since", "soon"),
                  ("--since", "2026-02-31"), ("--window", "1h", "--since", "1h")):
        result = store.run("metrics", *words)
        equal(result.code, 2, f"metrics {' '.join(words)}: exit 2")
        contains(result.err, words[0], f"metrics {' '.join(words)}: says which")


def by_hand(store):
    text = store.good("record", "--metric", "f1", "--cohort", "new", "--tp", "91", "--fp", "9", "--fn",
                      "9").out
    contains(text, "f1 = 0.9100", "record: the resulting figure")
    contains(text, "f1 is a new metric, a classification", "record: a new metric is declared")
    contains(text, "error, timeout, duration, cost", "record: the known ones are named")
    made = store.js("record", "--metric", "f1", "--cohort", "new", "--tp", "9", "--fp", "1", "--fn", "1")
    equal((made["declared"], made["kind"], made["cohort"], made["recorded"]),
          (False, "classification", "new", {"tp": 9, "fp": 1, "fn": 1, "tn": 0}),
          "record: known the second time")
    equal((made["figures"]["tp"], made["figures"]["fp"]), (100, 10), "record: counts add up")
    row = by_name(store.js("metrics"))["f1"]
    equal((row["new"]["tp"], row["old"]["n"], row["difference"]["f1"]["absolute"]), (100, 0, None),
          "metrics: shows it, and null for the cohort without any")
    contains(store.good("metrics", "--metric", "f1").out, "no data", "metrics: no data, in the table")
    made = store.js("record", "--metric", "accuracy", "--cohort", "old", "--n", "2000", "--k", "1930")
    equal((made["kind"], made["figures"]["rate"]), ("proportion", 0.965), "record: a proportion")
    made = store.js("record", "--metric", "cost", "--cohort", "new", "--value", "4.25")
    equal((made["kind"], made["figures"]["maximum"]), ("value", 4.25), "record: a value")
    made = store.js("record", "--metric", "training", "--cohort", "old", "--duration", "90m")
    equal((made["kind"], made["recorded"]), ("duration", {"duration": 5400}), "record: a duration")
    contains(store.good("record", "--metric", "acuracy", "--cohort", "old", "--n", "1", "--k", "1").out,
             "did you mean accuracy?", "record: a mistyped name is seen")
    then = ago(minutes=5)
    for attempt in ("recorded", "repeated"):
        made = store.js("record", "--metric", "keyed", "--cohort", "old", "--n", "10", "--k", "1",
                        "--at", then, "--key", "eval-1")
        equal(made["repeated"], attempt == "repeated", f"record --key: {attempt}")
        equal(made["figures"]["n"], 10, "record --key: counted once")
    result = store.run("record", "--metric", "keyed", "--cohort", "old", "--n", "11", "--k", "1",
                       "--key", "eval-1")
    equal(result.code, 6, "record: another figure under the same key: exit 6")
    result = store.run("record", "--metric", "cost", "--cohort", "new", "--n", "1", "--k", "1")
    check(result.code != 0 and "cost" in result.err, "record: the wrong kind is refused", repr(result))
    for words in (("--at", "2020-01-01"), ("--at", "2199-01-01")):
        result = store.run("record", "--metric", "cost", "--cohort", "new", "--value", "1", *words)
        equal(result.code, 2, f"record {' '.join(words)}: exit 2")
        contains(result.err, "400 days", f"record {' '.join(words)}: says what is allowed")
    result = store.run("--rollout", "chekout", "record", "--metric", "x", "--cohort", "new", "--value",
                       "1")
    equal(result.code, 1, "record of an unknown rollout: exit 1")
    contains(result.err, "did you mean --rollout checkout", "record of an unknown rollout: says so")


WRONG = [
    ((), ["--metric is missing"]),
    (("--metric", "x"), ["--cohort is missing"]),
    (("--metric", "x", "--cohort", "nwe"), ['"nwe"', 'did you mean "new"']),
    (("--metric", "x", "--cohort", "new"), ["the figure is missing", "--tp"]),
    (("--metric", "x", "--cohort", "new", "--n", "5"), ["--k is missing"]),
    (("--metric", "x", "--cohort", "new", "--n", "5", "--k", "6"), ["--k 6", "--n 5"]),
    (("--metric", "x", "--cohort", "new", "--n", "5", "--k", "-1"), ['"-1"', "whole number"]),
    (("--metric", "x", "--cohort", "new", "--n", "5", "--value", "1"), ["--n and --value"]),
    (("--metric", "x", "--cohort", "new", "--tp", "5", "--fp", "1"), ["--fn is missing"]),
    (("--metric", "x", "--cohort", "new", "--value", "nan"), ['"nan"', "finite"]),
    (("--metric", "x", "--cohort", "new", "--value", "1e999"), ['"1e999"', "finite"]),
    (("--metric", "x", "--cohort", "new", "--duration", "12"), ['"12"', "12.5ms"]),
    (("--metric", "x", "--cohort", "new", "--duration", "-1s"), ['"-1s"', "12.5ms"]),
    (("--metric", "x", "--cohort", "new", "--value", "1", "--at", "soon"), ['"soon"', "2h"]),
]


def wrong_records(store):
    before = store.js("metrics", "--window", "1d")["metrics"]
    for words, parts in WRONG:
        what = f"record {' '.join(words)}"
        result = store.run("record", *words)
        equal((result.code, result.out), (2, ""), f"{what}: exit 2")
        equal(len(result.err.splitlines()), 1, f"{what}: one line")
        for part in parts + ["canaryctl record --help"]:
            contains(result.err, part, f"{what}: says {part}")
    for name in ("Cost", "1st", "a" * 64, "a b", "", "x\033[31m"):
        result = store.run("record", "--metric", name, "--cohort", "new", "--value", "1")
        equal(result.code, 2, f"record of a metric {name!r}: exit 2")
        check("\033" not in result.err, f"record of a metric {name!r}: shown escaped", result.err)
    equal(store.js("metrics", "--window", "1d")["metrics"], before, "none of them recorded anything")


def damaged(store):
    db = sqlite3.connect(f"{store.path}-metrics")
    db.execute("UPDATE ticks SET data = x'00112233' WHERE rowid = (SELECT min(rowid) FROM ticks)")
    db.commit()
    changed = db.total_changes
    db.close()
    equal(changed, 1, "a row of the metrics is damaged")
    report = store.js("metrics")
    check(report["damaged"] == 1 and report["damage"], "damaged: counted and told in JSON", report)
    text = store.good("metrics").out
    contains(text, "1 damaged row was skipped", "damaged: a warning")
    contains(text, "doctor", "damaged: with what to do")
    result = store.run("doctor")
    equal(result.code, 8, "damaged: doctor ends with 8")
    contains(result.out, "damaged", "damaged: and names it")


class Watch:
    def __init__(self, store, *words):
        self.process = store.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.rest = b""

    def until(self, part, seconds=60.0):
        deadline = time.monotonic() + seconds
        while part.encode() not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                break
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                break
            self.rest += data
        return self.rest.decode()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60), self.process.stderr.read().decode()
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None, "did not end"


def watched(store):
    watch = Watch(store, "metrics", "--watch", "--metric", "watched")
    store.good("record", "--metric", "watched", "--cohort", "new", "--n", "10", "--k", "5")
    contains(watch.until("50.00 %"), "50.00 %", "--watch piped: what is recorded meanwhile is shown")
    before = watch.until("never", 3)
    store.good("record", "--metric", "watched", "--cohort", "new", "--n", "10", "--k", "0")
    after = watch.until("25.00 %")
    contains(after, "25.00 %", "--watch piped: and again when it changes")
    check(before.count("METRIC") < after.count("METRIC"), "--watch piped: a block for each change",
          after)
    equal(watch.end(), (0, ""), "--watch piped: SIGTERM ends it with 0")
    watch = Watch(store, "-o", "json", "metrics", "--watch", "--metric", "watched")
    line = watch.until("\n").splitlines()[0]
    equal(set(json.loads(line)), METRICS_KEYS, "--watch as JSON: an object a line")
    equal(watch.end(), (0, ""), "--watch as JSON: ends with 0")


def screen(store, *words, columns=110, rows=70, **env):
    """What it draws on a terminal of its own to its end; a watch is ended when it has drawn three times."""
    control, terminal = pty.openpty()
    subprocess.run(["stty", "cols", str(columns), "rows", str(rows)], stdin=terminal, check=False)
    process = store.start(*words, stdin=terminal, stdout=terminal, stderr=terminal, env=env)
    os.close(terminal)
    drawn = b""

    def collect(enough=lambda: False, seconds=60.0):
        nonlocal drawn
        deadline = time.monotonic() + seconds
        while not enough() and (left := deadline - time.monotonic()) > 0:
            if not select.select([control], [], [], left)[0]:
                break
            try:
                drawn += os.read(control, 65536)
            except OSError:
                break

    if "--watch" in words:
        collect(lambda: drawn.count(b"\033[H") > 2)
        process.send_signal(signal.SIGINT)
    collect()
    code = process.wait(timeout=60)
    os.close(control)
    return code, drawn.decode("utf-8", "replace")


def on_a_terminal(store):
    bars = "[\u2581-\u2588]"
    code, drawn = screen(store, "metrics", "--watch")
    equal(code, 0, "terminal: SIGINT ends --watch with 0")
    check(drawn.startswith("\033[?1049h") and "\033[?1049l" in drawn,
          "terminal: draws on the other screen and gives it back", drawn[:80])
    check(drawn.count("\033[H") > 1, "terminal: redraws")
    check(re.search(bars, drawn), "terminal: bars of the last hours", drawn)
    code, drawn = screen(store, "metrics", "--watch", columns=160, rows=12)
    picture = drawn.split("\033[H", 2)[2].split("\033[J")[0]
    equal(picture.count("\n"), 10, "a small terminal: no more lines than it has rows")
    contains(picture, "(more in a larger window)", "a small terminal: says so")
    check("METRIC" in picture and not re.search(bars, picture), "a small terminal: the table first",
          picture)
    code, drawn = screen(store, "metrics")
    check(re.search(bars, drawn), "terminal: bars without --watch, too")
    for env in ({"LC_ALL": "C"}, {"TERM": "dumb"}):
        code, drawn = screen(store, "metrics", **env)
        check("METRIC" in drawn and not re.search(bars, drawn), f"{env}: no bars", drawn)
    code, drawn = screen(store, "metrics", columns=60)
    check(not re.search(bars, drawn), "a narrow terminal: no bars", drawn)


with Store() as main:
    main.good("create", "checkout")
    nothing_yet(main)
    a_service(main)
    users_in_status(main)
    with Store() as several:
        several.good("create", "checkout")
        age_of_figures(several)
    by_stage(main)
    windows(main)
    by_hand(main)
    wrong_records(main)
    watched(main)
    on_a_terminal(main)
    damaged(main)
finish()
