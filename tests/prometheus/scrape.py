#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What Prometheus makes of the text: its lint, its parser, its server; and Python's strict parser.

scrape.py SERVE [PAGE]

PAGE is a page of the documentation whose examples (queries, rules, a configuration) are tried as well.
"""
import ctypes
import json
import math
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

DEADLINE = 30
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OLDER = "text/plain; version=0.0.4; charset=utf-8"
# What the text has on its second reading, but not for ever.
MOVING = {"canary_state_age_seconds"}

complaints = []


def complain(text):
    print(text)
    complaints.append(text)


def same(what, expected, found):
    if expected != found:
        complain(f"{what}: {found!r} instead of {expected!r}")


def die_with_parent():
    """In the child: a server must not outlive a test that was killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def fetch(url, accept="*/*"):
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.headers.get("Content-Type"), answer.read().decode()


def series_of(text):
    """{(name, labels): value} of a text whose labels hold neither quotes nor commas."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            pairs = re.findall(r'(\w+)="([^"]*)"', labels or "")
            found[name, tuple(sorted(pairs))] = float(value)
    return found


class Serve:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=die_with_parent)
        self.port = int(self.process.stdout.readline())

    def text(self, kind=OPENMETRICS):
        got, text = fetch(f"http://127.0.0.1:{self.port}/metrics", kind)
        same("content type", kind, got)
        return text

    def more(self):
        self.process.stdin.write("more\n")
        self.process.stdin.flush()
        same("more", "recorded\n", self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        try:
            same("end of serve", 0, self.process.wait(10))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            complain("serve did not end with its input")


class Prometheus:
    def __init__(self, directory, target):
        config = directory / "prometheus.yml"
        config.write_text("scrape_configs:\n- job_name: canary\n"
                          "  scrape_interval: 250ms\n  scrape_timeout: 250ms\n"
                          f"  static_configs:\n  - targets: ['127.0.0.1:{target}']\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = directory / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"],
                cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=die_with_parent)

    def ask(self, path, **arguments):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        answer = json.loads(fetch(url)[1])
        if answer["status"] != "success":
            raise ValueError(answer)
        return answer["data"]

    def query(self, expression):
        """{(name, labels): value} without what Prometheus itself puts on."""
        found = {}
        for entry in self.ask("query", query=expression)["result"]:
            labels = dict(entry["metric"])
            name = labels.pop("__name__", "")
            for own in "job", "instance":
                labels.pop(own, None)
            found[name, tuple(sorted(labels.items()))] = float(entry["value"][1])
        return found

    def wait_for(self, what, done):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if done():
                    return True
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.1)
        complain(f"{what}: waited in vain; prometheus says:\n{self.log.read_text()[-2000:]}")
        return False

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def promtool(*arguments, text=None):
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True,
                          timeout=DEADLINE, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def check_lint(text):
    same("promtool check metrics", (0, ""), promtool("check", "metrics", text=text))


def check_strictly(text):
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        print("prometheus_client is not here: not read by its strict parser")
        return
    families = list(text_string_to_metric_families(text))
    read = {(s.name, tuple(sorted(s.labels.items()))): s.value
            for family in families for s in family.samples}
    same("series by the strict parser", series_of(text), read)
    print(f"{len(families)} families, {len(read)} series read by the strict parser")


def steady(series):
    return {key: value for key, value in series.items() if key[0] not in MOVING}


def check_scraped(prometheus, serve):
    everything = '{__name__=~"canary_.+"}'

    def arrived():
        return steady(prometheus.query(everything)) == steady(series_of(serve.text()))

    if not prometheus.wait_for("every series with its value", arrived):
        expected, found = steady(series_of(serve.text())), steady(prometheus.query(everything))
        for key in sorted(set(expected) | set(found)):
            if expected.get(key) != found.get(key):
                complain(f"{key}: {found.get(key)} instead of {expected.get(key)}")


def check_types(prometheus, text):
    told = {name: (entry[0]["type"], entry[0]["unit"])
            for name, entry in prometheus.ask("metadata").items() if name.startswith("canary_")}
    units = dict(re.findall(r"^# UNIT (\w+) (\w+)$", text, re.M))
    same("types and units", {name: (kind, units.get(name, ""))
                             for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M)}, told)


def outcomes(prometheus):
    found = prometheus.query('sum by (cohort) (canary_outcomes_total{rollout="checkout"})')
    return {dict(labels)["cohort"]: value for (_, labels), value in found.items()}


def blocks(page, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(), re.M | re.S) if page else []


def check_examples(prometheus, directory, page):
    for number, block in enumerate(blocks(page, "yaml")):
        path = directory / f"{number}.yml"
        path.write_text(block)
        kind = "rules" if block.startswith("groups:") else "config"
        status, said = promtool("check", kind, str(path))
        if status != 0:
            complain(f"{page.name}: {said}\n{block}")
    for block in blocks(page, "promql"):
        for expression in block.strip().split("\n\n"):
            found = prometheus.query(expression)
            if not found or all(math.isnan(value) for value in found.values()):
                complain(f"{page.name}: nothing comes of\n{expression}")


def main(program, page=None):
    page = pathlib.Path(page) if page and pathlib.Path(page).exists() else None
    serve = Serve(program)
    try:
        text = serve.text()
        check_lint(serve.text(OLDER))
        same("series of the older text", steady(series_of(text)),
             steady(series_of(serve.text(OLDER))))
        check_strictly(text)
        with tempfile.TemporaryDirectory(prefix="canary-prometheus-") as directory:
            prometheus = Prometheus(pathlib.Path(directory), serve.port)
            try:
                check_scraped(prometheus, serve)
                if not complaints:
                    check_types(prometheus, text)
                    before = outcomes(prometheus)
                    same("outcomes of both cohorts", 1000, sum(before.values()))
                    serve.more()
                    check_scraped(prometheus, serve)
                    same("outcomes after as many again",
                         {cohort: 2 * count for cohort, count in before.items()},
                         outcomes(prometheus))
                    check_examples(prometheus, pathlib.Path(directory), page)
            finally:
                prometheus.close()
    finally:
        serve.close()
    print("refused" if complaints else "all numbers are there")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
