# SPDX-License-Identifier: MIT
"""A process that ends merges what it recorded, in all the ways in which Python processes end."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import libcanary

inherited: libcanary.Rollout | None = None


def recorded(db: pathlib.Path) -> int:
    with libcanary.open_store(db, watcher=False) as store:
        found = store.metrics("skills")
        return found["error"].new.n + found["error"].old.n if "error" in found else 0


def work(db: str, count: int) -> int:
    """Records, and leaves the rest to the end of the process."""
    signal.alarm(150)
    global inherited
    if inherited is None:
        inherited = libcanary.open(db, "skills")
    for i in range(count):
        with inherited.request(f"user-{i}"):
            pass
    return os.getpid()


def work_and_end(db: str, count: int) -> None:
    work(db, count)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "inherited", "spawn", "forkserver"])
def test_multiprocessing(db: pathlib.Path, method: str) -> None:
    global inherited
    context = multiprocessing.get_context(method if method != "inherited" else "fork")
    with libcanary.open(db, "skills") as opened:
        inherited = opened if method == "inherited" else None
        try:
            opened.record(opened.decide("alice"))  # the parent's own, which no child has
            workers = [context.Process(target=work_and_end, args=(str(db), 700)) for _ in range(3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(60)
                assert worker.exitcode == 0
        finally:
            inherited = None
    assert recorded(db) == 2101


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools(db: pathlib.Path, method: str) -> None:
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        pool.starmap(work_and_end, [(str(db), 100)] * 6)
        pool.close()
        pool.join()
    assert recorded(db) == 600
    with concurrent.futures.ProcessPoolExecutor(2, context) as executor:
        list(executor.map(work_and_end, [str(db)] * 6, [100] * 6))
    assert recorded(db) == 1200


PROGRAM = """
import os, signal, sys, threading, time
import libcanary

skills = libcanary.open(sys.argv[1], "skills", watcher=sys.argv[2] != "no watcher")
for i in range(500):
    with skills.request(f"user-{i}"):
        pass
if sys.argv[2] == "raise":
    raise SystemExit(3)
if sys.argv[2] == "signal":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(240)
if sys.argv[2] == "thread":
    # Somebody still records while the process ends.
    def go_on():
        while True:
            skills.record("alice", cohort=True)
    threading.Thread(target=go_on, daemon=True).start()
if sys.argv[2] == "fork":
    if os.fork() == 0:
        for i in range(300):
            skills.record("alice", cohort=True)
        sys.exit(0)
    os.wait()
if sys.argv[2] == "store closed":
    skills.store.close()
"""


@pytest.mark.parametrize(("how", "count", "status"), [
    ("end", 500, 0), ("raise", 500, 3), ("signal", 500, 3), ("thread", None, 0), ("fork", 800, 0),
    ("no watcher", 500, 0), ("store closed", 500, 0),
])
def test_the_end_of_a_program(
    db: pathlib.Path, how: str, count: int | None, status: int
) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM,
                           str(db), how], text=True, timeout=180,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (done.returncode, done.stdout) == (status, "")
    assert recorded(db) == count if count else recorded(db) > 500


def test_a_metrics_database_that_is_away_does_not_hold_up_the_end(db: pathlib.Path) -> None:
    """It is logged, and the program ends all the same."""
    code = """
import logging, os, sys
import libcanary

logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
skills = libcanary.open(sys.argv[1], "skills", watcher=False)
os.mkdir(sys.argv[1] + "-metrics")
skills.record("alice", cohort=True)
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code, str(db)], text=True, timeout=180,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and "since the last tick is lost" in done.stdout, done.stdout
    assert time.monotonic() - began < 30


def test_what_cannot_be_merged_harms_nobody(db: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Read-only, or not there yet: requests go on, and the end says what was lost."""
    code = """
import logging, sys
import libcanary

logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
kept = []  # open until the end
for path, options in ((sys.argv[1], {"read_only": True}), (sys.argv[2], {"defer": True})):
    skills = libcanary.open(path, "skills", **options)
    with skills.request("alice") as request:
        print(request.new)
    try:
        skills.flush()
    except libcanary.Error as error:
        print(type(error).__name__)
    assert skills.recording().outcomes == 1
    kept.append(skills)
"""
    done = subprocess.run([sys.executable, "-W", "ignore::ResourceWarning", "-c", code, str(db),
                           str(tmp_path / "none.db")], text=True, timeout=180,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert [line for line in done.stdout.splitlines() if ":" not in line] == [
        "True", "ReadOnlyError", "False", "NoStoreError"]
    assert done.stdout.count("is lost") == 2


@pytest.mark.slow
def test_ticks_are_merged_by_themselves(db: pathlib.Path) -> None:
    """Nobody closes, nobody flushes: within a tick and a little more it is there."""
    code = "import libcanary, sys, time\n" \
        "skills = libcanary.open(sys.argv[1], 'skills')\n" \
        "skills.record('alice', cohort=True)\nprint(flush=True)\ntime.sleep(240)"
    with subprocess.Popen([sys.executable, "-c", code, str(db)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline()
            deadline = time.monotonic() + 90
            while recorded(db) == 0:
                assert time.monotonic() < deadline, "it did not come"
                time.sleep(0.25)
        finally:
            process.kill()
