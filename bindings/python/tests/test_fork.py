# SPDX-License-Identifier: MIT
"""fork, in all the ways Python has: a child decides at once and follows a rollback by itself."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import signal
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection

import pytest

import libcanary


def follows(opened: libcanary.Rollout, seconds: float = 60) -> bool:
    """True when a rollback comes through while it decides."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not opened.should_use_new("alice"):
            return True
        time.sleep(0.001)
    return False


def in_child(work: Callable[[], bool]) -> tuple[int, int]:
    """Forks; gives the child's number, and a pipe that says "r" when it decides."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            signal.alarm(150)  # a deadlock ends
            os.write(writing, b"r")
            status = 0 if work() else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    return child, reading


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_os_fork(db: pathlib.Path, canaryctl: Callable[..., str]) -> None:
    with libcanary.open(db, "skills") as opened:

        def work() -> bool:
            first = opened.should_use_new("alice")  # at once, from what the parent had
            if os.fork() == 0:  # and a child of the child
                os._exit(0 if follows(opened) else 3)
            ok = first and follows(opened) and opened.info().watcher
            opened.close()
            return ok and ended(-1) == 0

        children = [in_child(work) for _ in range(4)]
        for _, pipe in children:
            assert os.read(pipe, 1) == b"r"
            os.close(pipe)
        time.sleep(0.1)
        canaryctl(db, "rollback")
        assert [ended(child) for child, _ in children] == [0] * 4
        assert follows(opened)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_os_fork_under_load(db: pathlib.Path) -> None:
    """Forks while threads decide, ask, change, and use Python's own sqlite3 all the time."""
    with libcanary.open(db, "skills", kill_switch=lambda: False) as opened:
        stop = threading.Event()
        wrong: list[BaseException] = []

        def loop(call: Callable[[], object]) -> None:
            try:
                while not stop.is_set():
                    call()
            except BaseException as error:
                wrong.append(error)

        def refresh() -> None:
            try:
                opened.store.refresh()
            except libcanary.BusyError:
                pass  # it tries once, and somebody else is writing

        def other_sqlite() -> None:
            connection = sqlite3.connect(":memory:")
            connection.execute("CREATE TABLE t (x)")
            connection.close()

        calls: list[Callable[[], object]] = [
            lambda: opened.decide("alice"), opened.info, refresh,
            # With the system's SQLite, which both share, a child could wait for ever for a lock that
            # a thread of its parent held; see docs/threads-and-fork.md.
            *([other_sqlite] if libcanary.bundled else []),
            lambda: (opened.set_percentage(99), opened.set_percentage(100), time.sleep(0.01)),
        ]
        workers = [threading.Thread(target=loop, args=(call,), daemon=True) for call in calls]
        for worker in workers:
            worker.start()

        def work() -> bool:
            ok = opened.should_use_new("alice") in (True, False)
            opened.info()
            refresh()
            opened.close()  # nobody of the parent's threads is waited for
            return ok

        try:
            for _ in range(40):
                child, pipe = in_child(work)
                assert ended(child) == 0
                os.close(pipe)
        finally:
            stop.set()
            for worker in workers:
                worker.join(90)
        assert not wrong


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_os_fork_while_threads_record(db: pathlib.Path) -> None:
    """Each process counts its own, whatever its parent's threads were doing; the sum is exact."""
    with libcanary.open(db, "skills") as opened:
        opened.declare("turn", "value")
        stop = threading.Event()
        done = [0, 0, 0]
        wrong: list[BaseException] = []

        def record(mine: int) -> None:
            try:
                while not stop.is_set():
                    with opened.request(f"user-{done[mine] % 100}") as request:
                        request.record("turn", 1)
                    done[mine] += 1
                    if mine == 0 and done[mine] % 2000 == 0:
                        opened.flush()
            except BaseException as error:
                wrong.append(error)

        workers = [threading.Thread(target=record, args=(i,), daemon=True) for i in range(3)]
        for worker in workers:
            worker.start()

        def work() -> bool:
            first = not opened.recording().recording
            for i in range(100):
                with opened.request(f"user-{i}") as request:
                    request.record("turn", 1)
            opened.flush()
            info = opened.recording()
            opened.close()
            return first and info.outcomes == info.merged == 100

        try:
            for _ in range(10):
                child, pipe = in_child(work)
                assert ended(child) == 0
                os.close(pipe)
        finally:
            stop.set()
            for worker in workers:
                worker.join(90)
        assert not wrong
    with libcanary.open_store(db) as store:
        found = store.metrics("skills")
        assert found["error"].new.n == found["turn"].new.sum == sum(done) + 10 * 100
        assert store.exposure("skills").users_new == 100


inherited: libcanary.Rollout | None = None


def serve(db: str, pipe: Connection) -> None:
    """A worker: with the parent's handle where it was inherited, otherwise with its own."""
    signal.alarm(150)
    opened = inherited or libcanary.open(db, "skills")
    pipe.send(opened.should_use_new("alice"))
    pipe.send(follows(opened))
    if inherited is None:
        opened.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(db: pathlib.Path, canaryctl: Callable[..., str], method: str) -> None:
    global inherited
    context = multiprocessing.get_context(method)
    with libcanary.open(db, "skills") as opened:
        inherited = opened if method == "fork" else None
        try:
            ours, theirs = context.Pipe()
            workers = [context.Process(target=serve, args=(str(db), theirs)) for _ in range(2)]
            for worker in workers:
                worker.start()
            assert [ours.recv(), ours.recv()] == [True, True]
            canaryctl(db, "rollback")
            assert [ours.recv(), ours.recv()] == [True, True]
            for worker in workers:
                worker.join(90)
                assert worker.exitcode == 0
        finally:
            inherited = None
