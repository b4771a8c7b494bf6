#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Walks a rollout through its life in front of two running services, and checks what they do.

    operate.py --canaryctl PATH --service PATH [--users N] [--seed N] [--rate N]

Every figure in the table is measured: the services say when each of their threads first decided
under a new state and what their users got; the operator's clock starts when the change was
committed. Exits 1 and names the expectation when one is missed.
"""
import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

ROLLOUT = "checkout"
SERVICES = 2
THREADS = 2
SHARE_TOLERANCE_BP = 30  # 0.3 percentage points
# What a busy machine may need, not what is usual. Below the tick of 250 ms, so that a bell which does
# not ring is noticed.
COMMAND_LIMIT_MS = 200.0
SQL_LIMIT_MS = 250.0 + 750.0     # the tick, and what a busy machine may add
LOCKED_LIMIT_MS = 250.0 + 750.0  # counts from the start of a process
PATIENCE_S = 20.0

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ
failures = []


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def expect(met, what):
    if not met:
        failures.append(what)
        print(paint("31", f"  MISSED: {what}"))


def percent(bp):
    return f"{bp / 100:.2f} %"


def signed(number):
    return f"{number:+,}" if number else "0"


class Service:
    """One service process, and what it has reported so far."""

    def __init__(self, arguments, database, number):
        self.name = f"service {number}"
        self.states = []  # (time, effective)
        self.passes = []  # dictionaries
        self.ready = False
        self.ended = False
        self.decisions = 0
        self.requests = 0
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            [arguments.service, "--db", database, "--rollout", ROLLOUT,
             "--users", str(arguments.users), "--seed", str(arguments.seed),
             "--rate", str(arguments.rate), "--threads", str(THREADS)],
            stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            word, *rest = line.split()
            with self.news:
                if word == "state":
                    self.states.append(tuple(map(int, rest)))
                elif word == "pass":
                    keys = ("effective", "users", "new", "joined", "left")
                    entry = dict(zip(keys, map(int, rest)))
                    entry["digest"] = rest[5]
                    entry["shapes"] = dict(part.split("=") for part in rest[6:])
                    self.passes.append(entry)
                elif word == "ready":
                    self.ready = True
                elif word == "done":
                    self.decisions, self.requests = map(int, rest)
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def wait(self, answer, what):
        """Blocks until `answer()` gives something; None when the patience is at an end."""
        deadline = time.monotonic() + PATIENCE_S
        with self.news:
            while True:
                found = answer()
                if found:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    expect(False, f"{self.name} {'ended' if self.ended else 'never reported'}"
                                  f" while waiting for {what}")
                    return None
                self.news.wait(left)

    def followed(self, since, effective):
        """When each thread decided under this percentage for the first time."""
        def times():
            found = [at for at, share in self.states[since:] if share == effective]
            return found if len(found) >= THREADS else None
        return self.wait(times, f"decisions at {percent(effective)}")

    def served(self, since, effective):
        """The first complete pass over all users under this percentage."""
        return self.wait(lambda: next((entry for entry in self.passes[since:]
                                       if entry["effective"] == effective), None),
                         f"a pass over all users at {percent(effective)}")

    def stop(self):
        if self.process.returncode is not None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self.reader.join(PATIENCE_S)
        expect(code == 0, f"{self.name} ended with exit code {code}")


class Demo:
    def __init__(self, arguments, database):
        self.arguments = arguments
        self.database = database
        self.services = []
        self.effective = 0
        self.last = None
        self.recorded = [0, 0]  # outcomes seen so far, old and new

    def canaryctl(self, *words):
        return subprocess.run(
            [self.arguments.canaryctl, "--db", self.database, "--rollout", ROLLOUT, *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def command(self, *words):
        """Makes a change; answers when the library had committed it, since 1970."""
        done = self.canaryctl("--by", "demo", "-o", "json", *words)
        expect(done.returncode == 0, f"canaryctl {' '.join(words)}: exit code {done.returncode}: "
                                     f"{done.stdout.strip()}")
        return json.loads(done.stdout)["returned_at_ns"] if done.returncode == 0 else time.time_ns()

    def raw_sql(self, statement):
        """Makes a change the way an emergency does: with any SQL shell and no libcanary."""
        connection = sqlite3.connect(self.database)
        with connection:
            connection.execute(statement)
        at = time.time_ns()
        connection.close()
        return at

    def locked_rollback(self):
        """Rolls back while somebody else holds the database and does not let go."""
        holder = sqlite3.connect(self.database, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        at = time.time_ns()
        done = self.canaryctl("--by", "demo", "--timeout", "0.5", "rollback")
        holder.execute("ROLLBACK")
        holder.close()
        expect(done.returncode == 7, f"rollback of a locked store: exit code {done.returncode}, "
                                     f"7 expected: {done.stdout.strip()}")
        return at

    def step(self, label, change, configured, effective, limit_ms):
        """One row: change, wait until both services followed and served everybody, compare."""
        before = [(len(service.states), len(service.passes)) for service in self.services]
        if COLOUR:
            print(f"  {label:<41}{paint('2', 'waiting for the services ...')}", end="\r", flush=True)
        at = change() if change is not None else None
        times, passes = [], []
        for service, (states, seen) in zip(self.services, before):
            if at is not None:
                times += service.followed(states, effective) or []
            passes.append(service.served(seen, effective))
        if None in passes or (at is not None and len(times) < SERVICES * THREADS):
            return
        shown = self.canaryctl("-o", "json", "status")
        if shown.returncode != 0:
            return expect(False, f"{label}: canaryctl status: {shown.stdout.strip()}")
        status = json.loads(shown.stdout)
        observed = [10000 * entry["new"] / entry["users"] for entry in passes]
        late_ms = (max(times) - at) / 1e6 if times else None
        if COLOUR:
            print("\033[K", end="")
        print(f"  {label:<41}{percent(configured):>10}{percent(effective):>11}"
              f"{percent(observed[0]):>10}{signed(passes[0]['joined']):>11}{signed(-passes[0]['left']):>11}"
              f"{self.lateness(late_ms):>15}", flush=True)
        expect(status["percentage"] * 100 == configured,
               f"{label}: status says {status['percentage']} % configured")
        expect(status["effective_percentage"] * 100 == effective,
               f"{label}: status says {status['effective_percentage']} % effective")
        self.compare(label, effective, passes, observed)
        self.figures(effective)
        if late_ms is not None:
            expect(late_ms <= limit_ms, f"{label}: followed after {late_ms:.2f} ms, "
                                        f"{limit_ms:.0f} ms allowed")
        self.effective = effective
        self.last = passes[0]

    @staticmethod
    def lateness(late_ms):
        if late_ms is None:
            return "-"
        return f"{late_ms:.2f} ms" if late_ms > 0 else "at once"

    def compare(self, label, effective, passes, observed):
        for service, entry, share in zip(self.services, passes, observed):
            expect(abs(share - effective) <= SHARE_TOLERANCE_BP,
                   f"{label}: {service.name} served {percent(share)} new, "
                   f"{percent(effective)} expected, 0.3 points allowed")
            wrong = entry["left"] if effective > self.effective else entry["joined"]
            expect(wrong == 0, f"{label}: {wrong} users of {service.name} went the other way")
        expect(len({entry["digest"] for entry in passes}) == 1,
               f"{label}: the services disagree about some users")

    def metrics(self, *words):
        done = self.canaryctl("-o", "json", "metrics", "--window", "1h", *words)
        if done.returncode != 0:
            expect(False, f"canaryctl metrics: exit code {done.returncode}: {done.stdout.strip()}")
            return {}
        return json.loads(done.stdout)

    def figures(self, effective):
        """What the services recorded so far, merged by them once a second: both cohorts, live."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = {row["metric"]: row for row in self.metrics().get("metrics", [])}
            fresh = found.get("error", {}).get("new" if effective else "old", {}).get("n", 0)
            if fresh > self.recorded[effective > 0] or failures:
                break
            if time.monotonic() > deadline:
                return expect(False, "no outcomes of the services came into the metrics database")
            time.sleep(0.1)
        if "error" not in found or "duration" not in found:
            return expect(False, "canaryctl metrics lacks the built-in metrics")
        parts = []
        for position, cohort in enumerate(("old", "new")):
            error, duration = found["error"][cohort], found["duration"][cohort]
            self.recorded[position] = error["n"]
            if error["n"]:
                parts.append(f"{cohort} {error['n']:>9,} requests, {100 * error['rate']:.2f} % errors, "
                             f"p50 {1e6 * duration['p50']:.1f} us, p99 {1e6 * duration['p99']:.1f} us")
        for part in parts:
            print(paint("2", f"      {part}"), flush=True)

    def totals(self):
        """Every request that a service recorded is in the figures, and once."""
        for service in self.services:
            service.stop()
        requests = sum(service.requests for service in self.services)
        row = next((row for row in self.metrics("--metric", "error").get("metrics", [])), None)
        merged = row["old"]["n"] + row["new"]["n"] if row else 0
        print(f"\n{requests:,} requests recorded by {SERVICES} services, {merged:,} in the metrics "
              "database")
        expect(merged == requests, f"{requests:,} requests were recorded, {merged:,} merged")
        print("\n$ canaryctl metrics    (--by-stage shows each stage by itself)")
        done = self.canaryctl("metrics")
        self.show(done)
        expect(done.returncode == 0, f"metrics: exit code {done.returncode}")

    def shapes(self):
        """The share in each shape of user id: no shape is treated differently."""
        shares = []
        for shape, count in self.last["shapes"].items():
            share = 10000 * int(count) * len(self.last["shapes"]) / self.last["users"]
            shares.append(f"{shape} {percent(share)}")
        print(f"  by shape of id: {', '.join(shares)}")

    @staticmethod
    def show(done):
        print("".join(f"    {line}\n" for line in done.stdout.splitlines()), end="")

    def verify(self, code, words):
        done = self.canaryctl("verify")
        print(f"\n$ canaryctl verify    (exit code {done.returncode})")
        self.show(done)
        expect(done.returncode == code, f"verify: exit code {done.returncode}, {code} expected")
        for word in words:
            expect(word in done.stdout, f"verify does not name \"{word}\"")

    def run(self):
        arguments = self.arguments
        print(f"{arguments.users:,} users (UUID v4 and v7, e-mail, integer, ULID; seed "
              f"{arguments.seed}), {SERVICES} services with {THREADS} threads,\n"
              f"{arguments.rate:,} decisions a second each, one SQLite file {self.database}\n")
        self.command("create", ROLLOUT, "--note", "demonstration")
        self.services = [Service(arguments, self.database, number + 1)
                         for number in range(SERVICES)]
        for service in self.services:
            service.wait(lambda service=service: service.ready, "its start")
        print(paint("1", f"  {'operator':<41}{'configured':>10}{'effective':>11}{'observed':>10}"
                         f"{'joined':>11}{'left':>11}{'last followed':>15}"))
        self.step(f"canaryctl create {ROLLOUT}", None, 0, 0, COMMAND_LIMIT_MS)
        for words, share in ((("advance",), 500), (("advance",), 2500), (("advance",), 5000),
                             (("advance",), 10000), (("rollback",), 0),
                             (("set", "--percent", "25"), 2500)):
            self.step(f"canaryctl {' '.join(words)}",
                      lambda words=words: self.command(*words), share, share, COMMAND_LIMIT_MS)
        sql = f"UPDATE feature_flags SET enabled = 0 WHERE name = '{ROLLOUT}'"
        self.step("sqlite3: feature_flags SET enabled = 0", lambda: self.raw_sql(sql), 2500, 0,
                  SQL_LIMIT_MS)
        self.verify(8, [ROLLOUT, "flag"])
        print()
        self.step(f"canaryctl flag on {ROLLOUT}", lambda: self.command("flag", "on", ROLLOUT), 2500,
                  2500, COMMAND_LIMIT_MS)
        if self.last is not None:
            self.shapes()
        self.step("canaryctl rollback, database locked", self.locked_rollback, 2500, 0,
                  LOCKED_LIMIT_MS)
        self.command("rollback", "--note", "once more, to record it")
        print("  last followed: when the last thread of both services first decided so, counted from "
              "the return of\n  the call that made the change (at once: earlier than that); under the "
              "lock from the start of the\n  command. Below each step: the requests that the services "
              "handled since they started, by cohort")
        self.verify(0, [])
        print("\n$ canaryctl history")
        done = self.canaryctl("history")
        self.show(done)
        expect(done.returncode == 0, f"history: exit code {done.returncode}")
        self.totals()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--canaryctl", required=True)
    parser.add_argument("--service", required=True)
    parser.add_argument("--users", type=int, default=1000000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1000000)
    arguments = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="canary-demo-")
    demo = Demo(arguments, os.path.join(directory, "canary.db"))
    begun = time.monotonic()
    try:
        demo.run()
    except KeyboardInterrupt:
        expect(False, "interrupted")
    finally:
        for service in demo.services:
            service.stop()
        shutil.rmtree(directory, ignore_errors=True)
    decisions = sum(service.decisions for service in demo.services)
    print(f"\n{decisions:,} decisions in {time.monotonic() - begun:.1f} s")
    if failures:
        print(paint("31", f"demo: {len(failures)} missed, first: {failures[0]}"))
        return 1
    print(paint("32", "demo: every expectation met: ") +
          f"shares within 0.3 points, nobody went the other way, both services agree\n"
          f"about every user at every step, commands followed within {COMMAND_LIMIT_MS:.0f} ms and "
          f"plain SQL within {SQL_LIMIT_MS:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
