# SPDX-License-Identifier: MIT
"""Open and close: no leak, no cycle that keeps a store open, no crash when others still decide."""

from __future__ import annotations

import gc
import logging
import os
import pathlib
import pickle
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable

import pytest

import libcanary
from libcanary import testing


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def resident() -> int:
    """Bytes of memory in use, without what the allocator keeps for itself."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_closing_is_idempotent(db: pathlib.Path) -> None:
    opened = libcanary.open(db, "skills")
    assert not opened.closed and "skills" in repr(opened)
    opened.close()
    opened.close()
    assert opened.closed and opened.store.closed and "closed" in repr(opened)
    calls: list[Callable[[], object]] = [
        lambda: opened.should_use_new("a"), lambda: opened.should_use_new(None),
        lambda: opened.decide("a"), lambda: opened.decide_many(["a"]),
        opened.info, opened.kill, opened.revive, opened.advance, opened.state,
        opened.store.flags, opened.store.refresh, opened.store.verify, opened.store.bell,
        opened.overrides, opened.history, lambda: opened.store.rollout("skills"),
    ]
    for call in calls:
        with pytest.raises(libcanary.ClosedError, match="is closed") as caught:
            call()
        assert isinstance(caught.value, ValueError)


def test_what_is_not_closed_warns_and_closes(db: pathlib.Path) -> None:
    gc.collect()  # what other tests left
    before = descriptors(), threads()
    with pytest.warns(ResourceWarning, match="skills"):
        opened = libcanary.open(db, "skills")
        assert threads() > before[1]
        del opened
        gc.collect()
    assert (descriptors(), threads()) == before


def test_no_cycle_keeps_a_store_open(db: pathlib.Path) -> None:
    before = threads()

    class Service:
        def __init__(self) -> None:
            self.rollout = libcanary.open(db, "skills", kill_switch=self.down)

        def down(self) -> bool:
            return False

    service = Service()
    gone = weakref.ref(service)
    assert service.rollout.should_use_new("alice")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del service
        gc.collect()
    assert gone() is None and threads() == before


def test_handles_do_not_pickle(skills: libcanary.Rollout) -> None:
    for handle in (skills, skills.store):
        with pytest.raises(TypeError, match="open it in the other process"):
            pickle.dumps(handle)


def test_half_made_handles() -> None:
    for kind in (libcanary.Rollout, libcanary.Store):
        raw = kind.__new__(kind)
        assert raw.closed
        raw.close()
        del raw
    raw = libcanary.Rollout.__new__(libcanary.Rollout)
    with pytest.raises(libcanary.ClosedError):
        raw.should_use_new("alice")
    with testing.rollout() as opened, pytest.raises(TypeError, match="already"):
        opened.__init__(opened.store, "test")  # type: ignore[misc]


@pytest.mark.parametrize("call", ["should_use_new", "decide", "info", "decide_many"])
def test_closing_while_others_decide(db: pathlib.Path, call: str) -> None:
    """Every thread gets answers, then ClosedError; none anything else, and nothing crashes."""
    for _ in range(10):
        opened = libcanary.open(db, "skills")
        method = getattr(opened, call)
        arguments = {"info": (), "decide_many": (["alice"] * 50,)}.get(call, ("alice",))
        wrong: list[BaseException] = []
        started = threading.Barrier(5)

        def work() -> None:
            started.wait()
            try:
                while True:
                    method(*arguments)
            except libcanary.ClosedError:
                pass
            except BaseException as error:
                wrong.append(error)

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        started.wait()
        closers = [threading.Thread(target=opened.close) for _ in range(2)]
        for closer in closers:
            closer.start()
        for thread in workers + closers:
            thread.join(20)
            assert not thread.is_alive()
        assert not wrong


def test_closing_waits_for_a_change(db: pathlib.Path) -> None:
    """A thread that is inside a call when another closes finishes it."""
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);" \
        "c.execute('BEGIN EXCLUSIVE'); print(flush=True); sys.stdin.read()"
    with libcanary.open(db, "skills", busy_timeout=10) as opened, subprocess.Popen(
        [sys.executable, "-c", code, str(db)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as locker:
        assert locker.stdin and locker.stdout and locker.stdout.readline()
        got: list[object] = []
        changer = threading.Thread(target=lambda: got.append(opened.set_percentage(7)))
        changer.start()
        # The GIL is free while the change waits, else this thread would not come here.
        changer.join(0.2)
        assert changer.is_alive()
        closer = threading.Thread(target=opened.close)
        closer.start()
        closer.join(0.2)
        assert closer.is_alive()
        locker.stdin.close()
        changer.join(10)
        closer.join(10)
    assert len(got) == 1 and isinstance(got[0], libcanary.Change)


def leaks(work: Callable[[], object], rounds: int, warm: int) -> int:
    for _ in range(warm):
        work()
    gc.collect()
    before = resident()
    for _ in range(rounds):
        work()
    gc.collect()
    return resident() - before


def everything(db: pathlib.Path) -> None:
    with libcanary.open(db, "skills", watcher=False, kill_switch=lambda: False) as opened:
        opened.decide_many(["alice", None, b"x" * 300])
        opened.decide("alice")
        opened.info()
        opened.state()
        opened.overrides()
        opened.history(limit=3)
        opened.store.flags()
        for bad in (lambda: opened.rollback(9), lambda: opened.should_use_new(7),  # type: ignore
                    lambda: opened.decide_many([7]), lambda: opened.store.rollout("none")):
            try:
                bad()
            except (libcanary.Error, TypeError):
                pass


def test_no_leak_in_any_call(db: pathlib.Path) -> None:
    with libcanary.open(db, "skills", watcher=False) as opened:
        opened.set_overrides([f"user-{i}" for i in range(20)], "old")
    logging.getLogger("libcanary").setLevel(logging.CRITICAL)
    gc.collect()
    before = descriptors(), threads()
    assert leaks(lambda: everything(db), 300, 100) < 1 << 20
    assert (descriptors(), threads()) == before
    logging.getLogger("libcanary").setLevel(logging.NOTSET)


def test_no_leak_in_decisions(skills: libcanary.Rollout) -> None:
    skills.set_percentage(50)
    decide, users = skills.should_use_new, [f"user-{i}" for i in range(1000)]

    def work() -> None:
        for user in users:
            decide(user)
            decide(user.encode())
            skills.decide(user)
        skills.decide_many(users)

    assert leaks(work, 100, 20) < 1 << 20


def test_objects_are_counted_right(skills: libcanary.Rollout) -> None:
    user, raw, users = "user-" + "x" * 9, b"raw-" * 3, ["a" * 20, b"b" * 20, None]
    first = [sys.getrefcount(o) for o in (user, raw, users, None, skills, skills.store)]
    for _ in range(1000):
        skills.should_use_new(user)
        skills.should_use_new(raw)
        skills.decide(user)
        skills.decide_many(users)  # type: ignore[arg-type]
        skills.info()
    last = [sys.getrefcount(o) for o in (user, raw, users, None, skills, skills.store)]
    # None is shared with everybody; where it is immortal it does not count at all.
    assert all(abs(a - b) < 50 for a, b in zip(first, last)), (first, last)


@pytest.mark.slow
def test_no_leak_over_a_million_opens_and_ten_million_decisions(db: pathlib.Path) -> None:
    """CANARY_LONG=1 does all of it (several minutes), otherwise a hundredth."""
    scale = 1 if os.environ.get("CANARY_LONG") else 100

    def life() -> None:
        with testing.memory_store() as store:
            store.create("test")
            with store.rollout("test", kill_switch=None) as opened:
                opened.should_use_new("alice")

    assert leaks(life, 1_000_000 // scale, 2000) < 4 << 20

    def open_close() -> None:
        with libcanary.open(db, "skills"):
            pass

    before = descriptors(), threads()
    assert leaks(open_close, 10_000 // scale, 50) < 4 << 20
    assert (descriptors(), threads()) == before
    with libcanary.open(db, "skills") as opened:
        opened.set_percentage(50)
        decide = opened.should_use_new
        users = [f"user-{i}" for i in range(10_000)]

        def many() -> None:
            for user in users:
                decide(user)

        assert leaks(many, 1000 // scale, 2) < 1 << 20


def test_log_lines_arrive(caplog: pytest.LogCaptureFixture) -> None:
    with testing.memory_store() as store, caplog.at_level(logging.WARNING, "libcanary"):
        store.create("one")
        with store.rollout("one") as one:
            one.set_percentage(10)
        store.create("two")
    assert any("salt" in record.getMessage() for record in caplog.records)
    assert {record.name for record in caplog.records} == {"libcanary"}


def test_a_log_handler_that_fails_harms_nobody() -> None:
    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("full disk")

    logger, broken, seen = logging.getLogger("libcanary"), Broken(), []
    hook, sys.unraisablehook = sys.unraisablehook, lambda args: seen.append(args.exc_value)
    logger.addHandler(broken)
    try:
        with testing.memory_store() as store:
            store.create("one")
            with store.rollout("one") as one:
                one.set_percentage(10)
            store.create("two")
    finally:
        logger.removeHandler(broken)
        sys.unraisablehook = hook
    assert seen and str(seen[0]) == "full disk"


def test_silent_unless_logging_is_set_up(tmp_path: pathlib.Path) -> None:
    code = """
import libcanary, sys
store = libcanary.open_store(sys.argv[1], create=True)
store.create("one")
with store.rollout("one") as one: one.set_percentage(10)
store.create("two")
keep = store.rollout("two")  # left open at exit, watcher and all
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.db")], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180)
    assert (done.returncode, done.stdout) == (0, "")
