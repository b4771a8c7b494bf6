# SPDX-License-Identifier: MIT
"""report: three forms of one story, periods, files, hostile notes, and what is refused."""

import html.parser
import json
import os
import re
import sqlite3
import subprocess
import sys

from cli import Store, check, contains, equal, finish

OUTCOMES = os.path.abspath(sys.argv[2])

KEYS = {"report", "rollout", "from", "to", "made_at", "summary", "policy", "verdict", "recommendation",
        "objectives", "metrics", "classical", "users", "incidents", "changes", "verdicts", "exposure",
        "series", "evidence", "left_out"}
POLICY = {
    "policy": 1, "name": "plain", "mode": "approve", "design_effect": 1,
    "rules": [
        {"name": "harm", "metric": "error", "against": "old", "above": 1.2, "action": "rollback"},
        {"name": "few", "metric": "error", "below": "50%", "window": "10m", "action": "require"},
    ],
    "objectives": [
        {"name": "uptime", "statistic": "uptime", "above": "99.9%"},
        {"name": "errors", "metric": "error", "statistic": "rate", "below": "1%"},
        {"name": "quick", "metric": "duration", "statistic": "p95", "below": "1h"},
    ],
}
HOSTILE = "</p><script>alert(1)</script> | [x](javascript:alert(1)) `rm -rf` \u202egnp.exe & \"'"


class Page(html.parser.HTMLParser):
    """What a browser would do with a page: its elements, attributes and text, and whether they nest."""

    VOID = {"meta", "br", "hr", "line"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts, self.wrong = [], set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def sound(page, what):
    equal((page.open, page.wrong), ([], []), f"{what}: every element is closed in order")
    check(not page.tags & {"script", "link", "img", "iframe", "object", "base", "a", "form"},
          f"{what}: no scripts, links or pictures from elsewhere", page.tags)
    outside = [a for a in page.attributes if a[1] in ("src", "href", "xlink:href") or a[1].startswith("on")]
    equal(outside, [], f"{what}: nothing is loaded, nothing is run")
    check(("meta", "name", "viewport") in page.attributes, f"{what}: it fits a phone")
    for tag, wanted in (("svg", "aria-label"),):
        pictures = [a for a in page.attributes if a[0] == tag and a[1] in (wanted, "aria-hidden")]
        count = sum(1 for a in page.attributes if a[0] == tag and a[1] == "viewbox")
        equal(len(pictures), count, f"{what}: every chart has words, or is ornament")


def nothing_yet(store):
    store.good("create", "checkout")
    text = store.good("report").out
    contains(text, "# Report on checkout", "a new rollout: a title")
    contains(text, "No policy is in force", "a new rollout: says what is missing")
    report = store.js("report", "checkout")
    equal(set(report), KEYS, "a new rollout: JSON has every key")
    equal((report["verdict"], report["metrics"], report["policy"]), (None, [], None), "a new rollout: empty")
    page = Page(store.good("report", "--format", "html").out)
    sound(page, "a new rollout")
    check("NOT JUDGED" in "".join(page.texts), "a new rollout: the page says so")
    check(not os.path.exists(f"{store.path}-metrics"), "looking makes no metrics database")


def serve(store):
    file = store.directory / "policy.json"
    file.write_text(json.dumps(POLICY))
    store.good("policy", "set", "checkout", str(file), "--by", "ada")
    store.good("set", "--percent", "25", "--by", "eve", "--note", HOSTILE)
    done = subprocess.run([OUTCOMES, str(store.path), "checkout", "200", "10"],
                          env=store.environment(), capture_output=True, text=True, check=False)
    check(done.returncode == 0, "a service recorded outcomes", done.stderr)
    for _ in range(3):
        store.good("record", "--metric", "error", "--cohort", "old", "--n", "10000", "--k", "100")
        store.good("record", "--metric", "error", "--cohort", "new", "--n", "3000", "--k", "900")
    store.good("evaluate", "checkout")
    store.good("decide-log", "checkout", "HOLD", "--by", "bob", "--note", "looks odd")
    store.good("rollback", "--note", "errors", "--by", "bob")


def story(store):
    report = store.js("report", "checkout")
    equal(report["rollout"]["percentage"], 0, "JSON: the rollout as it is")
    equal([one["action"] for one in report["changes"]],
          ["create", "policy", "set", "decision", "rollback"], "JSON: all changes, oldest first")
    equal(report["changes"][2]["by"], "eve", "JSON: who")
    check("\u202e" not in report["changes"][2]["note"], "JSON: marks that turn text around are gone")
    error = next(one for one in report["metrics"] if one["metric"] == "error")
    rate = error["figures"][0]
    check(rate["ratio"] > 5, "JSON: the new cohort is worse", rate)
    check(rate["classical_p"] < 1e-6 and rate["classical_test"] == "two-proportion z",
          "JSON: a classical figure", rate)
    equal(report["classical"], "valid for one planned look only", "JSON: and what it is good for")
    met = {one["name"]: one["met"] for one in report["objectives"]}
    equal(met, {"uptime": True, "errors": False, "quick": True}, "JSON: service objectives")
    check("rollback" in [one["kind"] for one in report["incidents"]], "JSON: the rollback is an incident",
          report["incidents"])
    check(report["verdict"]["word"] in ("HOLD", "ROLLBACK"), "JSON: the verdict", report["verdict"])
    equal([rule["name"] for rule in report["verdict"]["rules"]], ["harm", "few"], "JSON: its rules")
    equal(report["exposure"][-1]["percentage"], 0, "JSON: exposure at last")

    text = store.good("report").out
    for part in ("## Summary", "## Recommendation", "## Rules", "## Old against new", "## Service objectives",
                 "## Incidents", "## Decision log", "`harm`", "not met", "looks odd"):
        contains(text, part, f"Markdown: {part}")
    check("<script" not in text and not re.search(r"(?<!\\)\]\(", text) and "javascript:alert" in text,
          "Markdown: a hostile note is text")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    counts = {}
    for row in rows:
        counts.setdefault(row.replace("\\|", "").count("|"), []).append(row)
    check(all(len(some) >= 3 for some in counts.values()), "Markdown: no note breaks a table", counts)

    raw = store.good("report", "--format", "html").out
    page = Page(raw)
    sound(page, "a served rollout")
    words = "".join(page.texts)
    contains(words, "<script>alert(1)</script>", "HTML: a hostile note is text")
    check("\u202e" not in raw, "HTML: marks that turn text around are gone")
    check(raw.count("<figure") >= 4, "HTML: charts", raw.count("<figure"))
    check("prefers-color-scheme" in raw, "HTML: dark and light")
    contains(raw, "default-src &#39;none&#39;" if "&#39;none" in raw else "default-src 'none'",
             "HTML: forbids to load anything")


def files(store):
    html_file, json_file = store.directory / "r.html", store.directory / "r.json"
    result = store.good("report", "checkout", "--period", "week", "--output", str(html_file))
    equal(result.out, "", "--output: nothing on standard output")
    check(html_file.read_text().startswith("<!DOCTYPE html>"), "--output r.html: HTML")
    store.good("report", "checkout", "--period", "day", "--output", str(json_file))
    equal(set(json.loads(json_file.read_text())), KEYS, "--output r.json: JSON")
    store.good("report", "checkout", "--format", "md", "--output", str(json_file))
    check(json_file.read_text().startswith("# Report"), "--format goes before the file's name")
    contains(store.good("-o", "json", "report", "--format", "md").out, "# Report", "-o json --format md: Markdown")
    equal(sorted(name for name in os.listdir(store.directory) if name.startswith("r.")),
          ["r.html", "r.json"], "nothing else is left")
    before = html_file.read_text()
    result = store.run("report", "chekout", "--output", str(html_file))
    equal((result.code, html_file.read_text() == before), (1, True), "an error leaves the file as it was")
    result = store.run("report", "--output", str(store.directory / "no" / "r.html"))
    equal(result.code, 3, "no such directory: exit 3")
    contains(result.err, "cannot be written", "no such directory: says so")
    link, pipe = store.directory / "latest.html", store.directory / "pipe"
    link.symlink_to("r.html")
    store.good("report", "checkout", "--period", "day", "--output", str(link))
    check(link.is_symlink() and html_file.read_text() != before, "a link stays one, and its file is the new report")
    os.mkfifo(pipe)
    with subprocess.Popen(["timeout", "60", "cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        store.run("report", "checkout", "--output", str(pipe))
        still = pipe.is_fifo()
        if not still:
            reader.terminate()
        told = reader.communicate(timeout=60)[0].decode()
    check(still and told.startswith("# Report"), "a pipe, or a device, is written to and stays what it is")
    if os.path.exists("/dev/full"):
        with open("/dev/full", "wb") as full:
            process = store.start("report", stdout=full, stderr=subprocess.PIPE)
            process.communicate(timeout=60)
        equal(process.returncode, 1, "a full disk: exit 1")
        refused_by_disk = store.run("report", "checkout", "--output", "/dev/full")
        equal(refused_by_disk.code, 3, "--output to a full disk: exit 3, as for every file")
        contains(refused_by_disk.err, "No space left on device", "--output to a full disk: says so")


def refused(store):
    for words, part in (
        (("--period", "month"), "day, week or final"),
        (("--period", "weke"), "did you mean \"week\"?"),
        (("--format", "pdf"), "md, json or html"),
        (("--format", "csv"), "md, json or html"),
        (("one", "two"), "two"),
    ):
        result = store.run("report", *words)
        equal(result.code, 2, f"report {' '.join(words)}: exit 2")
        contains(result.err, part, f"report {' '.join(words)}: says what is allowed")
    result = store.run("status", "--output", "r.html")
    equal(result.code, 2, "--output takes a file for reports only")
    result = store.run("report", env={"CANARY_OUTPUT": "r.html"})
    equal(result.code, 2, "CANARY_OUTPUT is no file")


def damaged(store):
    with sqlite3.connect(f"{store.path}-metrics") as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        name = next(table for table in tables if "document" in table)
        database.execute(f"UPDATE {name} SET data = zeroblob(length(data))")
    report = store.js("report", "checkout")
    equal(report["verdict"], None, "damaged verdicts: none is believed")
    check(len(report["changes"]) == 5, "damaged verdicts: the rest is told")


with Store() as one:
    nothing_yet(one)
    serve(one)
    story(one)
    files(one)
    refused(one)
    damaged(one)
finish()
