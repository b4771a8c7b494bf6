#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts what `meson test` wrote into its testlog.json.

results.py [--counts] LOG

Names every test that was skipped or failed, the latter with the lines that tell why, and closes with
`N passed, N failed, N skipped`. With --counts it prints the three numbers alone. The status is 1 when a test failed, or none passed.
"""
import json
import re
import sys

# How cmocka, Python, meson and the sanitizers begin what they object to. Their traces, which come after,
# run to hundreds of lines and bury it where a log is cut to its end.
TELLING = re.compile(
    r"\[ +(ERROR|FAILED) +\]|^(ERROR|FAIL)\b|ERROR: |\b\w*Error\b|: error\b|runtime error:|assert"
    r"|WARNING: ThreadSanitizer|^SUMMARY:|Sanitizer: |terminated|Aborted|timed out",
    re.IGNORECASE,
)
MOST = 12


def outcome(result):
    if result in ("OK", "EXPECTEDFAIL"):
        return "passed"
    if result == "SKIP":
        return "skipped"
    return "failed"


def last_line(test):
    lines = [line.strip() for line in (test.get("stdout") or "").splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why"


def reasons(test):
    text = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    lines = [line.strip()[:240] for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if TELLING.search(line)]
    return telling[:MOST] or lines[-MOST:]


def main(arguments):
    counts_only = arguments[:1] == ["--counts"]
    path = arguments[-1]
    tests = {"passed": [], "failed": [], "skipped": []}
    with open(path, encoding="utf-8") as log:
        for line in log:
            if line.strip():
                test = json.loads(line)
                tests[outcome(test["result"])].append(test)
    numbers = [len(tests[key]) for key in ("passed", "failed", "skipped")]
    if counts_only:
        print(*numbers)
    else:
        for test in tests["skipped"]:
            print(f"skipped: {test['name']}: {last_line(test)}")
        for test in tests["failed"]:
            print(f"failed:  {test['name']} ({test['result'].lower()})")
            for line in reasons(test):
                print(f"         {line}")
        print("{} passed, {} failed, {} skipped".format(*numbers))
    return 1 if tests["failed"] or not tests["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
