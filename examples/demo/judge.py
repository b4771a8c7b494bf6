#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lets two releases be judged in accelerated time, and checks how they end.

    judge.py --canaryctl PATH --judged PATH --policy FILE [--reports DIRECTORY] [--speed N]

A healthy release walks to 100 % by itself, each step with its reasons; one that begins to fail three
times as often halfway is rolled back with its evidence. Both leave a report that opens in a browser.
Exits 1 and names the expectation when one is missed.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
AT_THE_TOP = 0
ROLLED_BACK = 3
failures = []


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def expect(met, what):
    if not met:
        failures.append(what)
        print(paint("31", f"  MISSED: {what}"))


def canaryctl(arguments, database, *words):
    return subprocess.run(
        [arguments.canaryctl, "--db", str(database), *words],
        capture_output=True, text=True, check=False, timeout=120,
    )


def release(arguments, directory, name, hours, *more):
    """Runs one release to its end; answers its database and how it ended."""
    database = directory / f"{name}.db"
    print(paint("1", f"\n{name}: {' '.join(more) or 'no difference'}"), flush=True)
    print(" time      share   verdict  reasons", flush=True)
    run = subprocess.run(
        [arguments.judged, str(database), name, arguments.policy, "--speed", str(arguments.speed),
         "--hours", str(hours), *more], check=False, timeout=600,
    )
    return database, run.returncode


def evidence_of(arguments, database, action):
    """The recorded evidence of the newest change of this kind."""
    shown = canaryctl(arguments, database, "-o", "json", "history", "--evidence", "--limit", "0")
    rows = json.loads(shown.stdout) if shown.returncode == 0 else []
    return next((row.get("evidence", "") for row in rows if row["action"] == action), "")


def report(arguments, database, name):
    path = pathlib.Path(arguments.reports) / f"{name}.html"
    made = canaryctl(arguments, database, "report", "--period", "final", "--format", "html",
                     "--output", str(path))
    expect(made.returncode == 0 and path.exists() and "<svg" in path.read_text(),
           f"the report of {name} is written: {made.stderr.strip()}")
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--canaryctl", required=True)
    parser.add_argument("--judged", required=True)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--reports", help="where the reports go; without it they are looked at and removed")
    parser.add_argument("--speed", type=float, default=360.0)
    arguments = parser.parse_args()
    if arguments.reports:
        pathlib.Path(arguments.reports).mkdir(parents=True, exist_ok=True)

    print(paint("1", "\nJudged releases") + f", {arguments.speed:.0f} times as fast as life: four "
          "processes serve, a guard reads what they record")
    # Time goes faster than disks do: a tick is over in 28 ms, and four processes deliver in it.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="canary-judged-", dir=memory) as scratch:
        directory = pathlib.Path(scratch)
        healthy, ended = release(arguments, directory, "healthy", 4)
        expect(ended == AT_THE_TOP, f"the healthy release reaches 100 % by itself (it ended with {ended})")
        harmful, ended = release(arguments, directory, "harmful", 3, "--harm", "3", "--late", "0.6")
        expect(ended == ROLLED_BACK, f"the harmful one is rolled back (it ended with {ended})")
        evidence = evidence_of(arguments, harmful, "rollback")
        expect('"rules"' in evidence and '"policy"' in evidence,
               "the rollback carries its evidence and the policy's digest")
        for database in (healthy, harmful):
            expect(canaryctl(arguments, database, "verify").returncode == 0, "the trail verifies")
        arguments.reports = arguments.reports or scratch
        print(paint("1", "\nTheir reports open in a browser:"))
        for database, name in ((healthy, "healthy"), (harmful, "harmful")):
            print("  " + str(report(arguments, database, name)))
    if failures:
        print(paint("31", f"\n{len(failures)} expectations were missed"))
        return 1
    print("\nevery expectation was met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
