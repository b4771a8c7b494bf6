# SPDX-License-Identifier: MIT
"""status --watch: a line for each change when piped, a redrawn picture on a terminal."""

import json
import os
import pty
import select
import signal
import sqlite3
import subprocess
import time

from cli import Store, check, contains, equal, finish, locked


class Watch:
    """A running watch whose lines are read with a deadline."""

    def __init__(self, store, *words):
        self.process = store.start(*words, "status", "--watch", stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.rest = b""

    def line(self, seconds=60.0):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                return ""
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return ""
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def until(self, part, seconds=60.0):
        """The first line with `part` in it: a busy machine shows steps between, a rollback that is
        rung and not yet recorded, for one."""
        deadline = time.monotonic() + seconds
        line = ""
        while part not in line and time.monotonic() < deadline:
            line = self.line(deadline - time.monotonic())
        return line

    def end(self, number):
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=60), self.process.stderr.read().decode()
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None, "did not end"


def piped(store):
    watch = Watch(store)
    contains(watch.line(), "0 % configured, 0 % effective", "the first line is the present state")
    store.good("advance", "--by", "ann", "--note", "go")
    line = watch.until("5 % configured")
    contains(line, "5 % configured, 5 % effective", "a change is a line")
    contains(line, "by ann: go", "with who and why")
    db = sqlite3.connect(store.path)
    db.execute("UPDATE feature_flags SET enabled = 0")
    db.commit()
    db.close()
    killed = "5 % configured, 0 % effective; killed by flag"
    contains(watch.until(killed), killed, "so is a kill by SQL")
    equal(watch.line(0.6), "", "nothing is said while nothing changes")
    store.good("accept")
    store.good("rollback")
    contains(watch.until(": 0 % configured"), ": 0 % configured", "a percentage that changes under a kill is a line")
    store.good("flag", "on", "checkout")
    contains(watch.until("0 % effective; by"), "0 % effective; by", "so is a kill that ends at 0 %")
    store.good("set", "--percent", "5")
    contains(watch.until("5 % effective"), "5 % configured, 5 % effective", "and what follows")
    equal(watch.end(signal.SIGINT), (0, ""), "SIGINT ends it with 0")
    watch = Watch(store)
    watch.line()
    equal(watch.end(signal.SIGTERM), (0, ""), "SIGTERM ends it with 0")


def kill_alone(store):
    """At 0 %, in doubt and without a new revision, nothing but the reasons of the kill moves."""
    def edit(statement):
        db = sqlite3.connect(store.path)
        db.execute(f"UPDATE feature_flags SET {statement}")
        db.commit()
        db.close()

    watch = Watch(store)
    contains(watch.line(), "0 % configured, 0 % effective; by", "kill alone: begins at 0 %")
    edit("note = 'edited'")
    contains(watch.until("in doubt: flag"), "0 % effective; in doubt: flag",
             "kill alone: an edited flag is in doubt and not yet off")
    edit("enabled = 0")
    contains(watch.until("killed"), "0 % effective; killed by flag; in doubt: flag",
             "kill alone: that it kills is a line")
    edit("enabled = 1")
    contains(watch.until("effective; in doubt"), "0 % effective; in doubt: flag",
             "kill alone: and that it no longer does")
    equal(watch.end(signal.SIGTERM), (0, ""), "kill alone: ends with 0")


def as_json(store):
    watch = Watch(store, "-o", "json")
    first = json.loads(watch.line())
    for key in ("rollout", "revision", "percentage", "effective_percentage", "flag", "age_ms",
                "source", "last_error", "doubt", "seen_at"):
        check(key in first, f"JSON: {key}")
    store.good("set", "--percent", "50")
    second = json.loads(watch.until('"percentage": 50') or "{}")
    equal(second.get("percentage"), 50, "JSON: an object a line for each change")
    equal(watch.end(signal.SIGTERM)[0], 0, "JSON: ends with 0")


def rollback_while_locked(store):
    watch = Watch(store)
    contains(watch.line(), "50 % effective", "before: 50 %")
    with locked(store.path):
        rollback = store.start("--timeout", "120", "--rollout", "checkout", "rollback",
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = watch.until("0 % effective")
        contains(line, "50 % configured, 0 % effective",
                 "a rollback of a locked store is seen by others while it waits")
        check(rollback.poll() is None, "it still waits for the store")
    rollback.communicate()
    equal(rollback.returncode, 0, "and is recorded as soon as the store is free")
    contains(watch.until(": 0 % configured"), "0 % configured, 0 % effective", "which is seen, too")
    watch.end(signal.SIGTERM)


def reader_leaves(store):
    watch = Watch(store)
    watch.line()
    watch.process.stdout.close()
    store.good("set", "--percent", "1")
    try:
        code = watch.process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        watch.process.kill()
        code = "still running"
    equal((code, watch.process.stderr.read()), (0, b""), "a reader that leaves: a quiet end")


def screen(store, **env):
    """Runs a watch on a terminal of its own; gives what it drew."""
    control, terminal = pty.openpty()
    process = store.start("status", "--watch", stdin=terminal, stdout=terminal, stderr=terminal,
                          env=env)
    os.close(terminal)
    drawn = b""

    def collect(enough, seconds=60.0):
        nonlocal drawn
        deadline = time.monotonic() + seconds
        while not enough() and (left := deadline - time.monotonic()) > 0:
            if not select.select([control], [], [], left)[0]:
                break
            try:
                drawn += os.read(control, 65536)
            except OSError:
                break

    collect(lambda: b"% effective" in drawn)
    store.good("set", "--percent", "12.5", "--phase", "shown")
    collect(lambda: b"12.5 % configured" in drawn)
    if b"\033[H" in drawn:
        collect(lambda: drawn.count(b"\033[H") > 2)
    process.send_signal(signal.SIGINT)
    collect(lambda: False)  # to its end
    code = process.wait(timeout=60)
    os.close(control)
    return code, drawn.decode("utf-8", "replace")


def on_a_terminal(store):
    code, drawn = screen(store)
    equal(code, 0, "terminal: SIGINT ends it with 0")
    check(drawn.startswith("\033[?1049h"), "terminal: draws on the other screen", drawn[:80])
    check("\033[?1049l" in drawn and "\033[?25h" in drawn, "terminal: and gives it back")
    check(drawn.count("\033[H") > 2, "terminal: redraws")
    contains(drawn, "12.5 % configured", "terminal: shows the change")
    contains(drawn, "confirmed", "terminal: shows the age")
    check("\033[1m" in drawn, "terminal: in colours")
    code, drawn = screen(store, NO_COLOR="1")
    check("\033[1m" not in drawn and "\033[31m" not in drawn, "NO_COLOR: without colours")
    code, drawn = screen(store, TERM="dumb")
    check("\033" not in drawn, "TERM=dumb: no escapes at all, lines instead", drawn[:200])
    contains(drawn, "12.5 % configured", "TERM=dumb: shows the change")


with Store() as main:
    main.good("create", "checkout")
    piped(main)
    as_json(main)
    rollback_while_locked(main)
    reader_leaves(main)
    on_a_terminal(main)
with Store() as main:
    main.good("create", "checkout")
    kill_alone(main)
finish()
