#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests that what benchmarks record becomes tables, a page, a picture, and a status.

report_test.py BENCHMARK...
"""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = """before
<!-- made by scripts/bench: begin -->
what was there
<!-- made by scripts/bench: end -->
after
"""


def report(directory, record):
    page = os.path.join(directory, "page.md")
    with open(page, "w", encoding="utf-8") as file:
        file.write(PAGE)
    picture = os.path.join(directory, "picture.svg")
    judges = os.path.join(directory, "judges.svg")
    kept = os.path.join(directory, "bench.json")
    run = subprocess.run([sys.executable, "-B", os.path.join(HERE, "report.py"), "--record", record,
                          "--build", directory, "--json", kept, "--page", page, "--picture",
                          picture, "--judges", judges], capture_output=True, text=True, check=False)
    assert run.stderr == "", run.stderr
    with open(page, encoding="utf-8") as file:
        page_text = file.read()
    with open(kept, encoding="utf-8") as file:
        found = json.load(file)
    with open(picture, encoding="utf-8") as file:
        drawn = [xml.etree.ElementTree.parse(file)]
    if os.path.exists(judges):
        drawn.append(xml.etree.ElementTree.parse(judges))
    return run, page_text, found, drawn


def main(programs):
    with tempfile.TemporaryDirectory() as directory:
        record = os.path.join(directory, "bench.jsonl")
        environment = {**os.environ, "CANARY_BENCH_RECORD": record}
        for program in programs:
            subprocess.run([program, "--smoke"], env=environment, check=True,
                           stdout=subprocess.DEVNULL)
        with open(record, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        budgets = [line for line in lines if line["kind"] == "budget"]
        assert budgets, "no budget was recorded"

        # Nothing missed: whatever so short a run found is not judged here.
        judged = [{**line, "kept": True} if line["kind"] == "budget" else line for line in lines]
        with open(record, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in judged)
        run, page, found, drawn = report(directory, record)
        assert run.returncode == 0, run.stdout
        assert found["lines"] == judged
        assert found["machine"]["cpu"] and found["machine"]["commit"]
        for line in budgets:
            assert line["budget"] in run.stdout and f"| {line['budget']} |" in page
        assert page.startswith("before\n") and page.endswith("\nafter\n") and "what was there" not in page
        assert all(one.getroot().tag.endswith("svg") for one in drawn)
        judged_by = {line["name"].rpartition(", ")[0] for line in lines if line["program"] == "judges"
                     and line["kind"] == "figure"}
        assert len(drawn) == (2 if judged_by else 1)
        assert judged_by <= {text for one in drawn for text in one.getroot().itertext()}

        # One missed.
        judged[lines.index(budgets[0])]["kept"] = False
        with open(record, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in judged)
        run, page, _, _ = report(directory, record)
        assert run.returncode == 1 and "MISSED" in run.stdout and "MISSED" in page
    print(f"{len(lines)} lines, {len(budgets)} budgets")


if __name__ == "__main__":
    main(sys.argv[1:])
