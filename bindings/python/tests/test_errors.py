# SPDX-License-Identifier: MIT
"""Exceptions: of the library's tree, of a fitting built-in, with the library's code and words."""

from __future__ import annotations

import copy
import multiprocessing.pool
import os
import pathlib
import pickle
import subprocess
import sys

import pytest

import libcanary
from libcanary import _errors, testing


def test_every_code_has_a_class() -> None:
    for code in range(-22, 0):
        error = _errors.make(code, "words", 5, True)
        assert type(error) is not libcanary.Error, code
        assert error.code == code and str(error) == error.message == "words"
        assert error.system == 5 and error.in_effect
        assert error.name.startswith("CANARY_E_") and error.name != "CANARY_E_UNKNOWN"
    later = _errors.make(-99, "words", 0, False)
    assert type(later) is libcanary.Error and later.code == -99 and later.system is None


@pytest.mark.parametrize("name", [n for n in libcanary.__all__ if n.endswith("Error")])
def test_exceptions_travel(name: str) -> None:
    kind = getattr(libcanary, name)
    error = kind("words", -5, 7, True)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind and str(twin) == "words"
        assert (twin.code, twin.system, twin.in_effect) == (-5, 7, True)
        assert repr(twin) == repr(error) and twin.args == error.args
        assert getattr(twin, "errno", None) == getattr(error, "errno", None)


def fail() -> None:
    libcanary.open("/nonexistent/canary.db", "skills")


def test_exceptions_come_back_from_a_pool() -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        with pytest.raises(libcanary.NoStoreError, match="/nonexistent/canary.db"):
            pool.apply(fail)
        pool.close()
        pool.join()


def test_a_missing_store(tmp_path: pathlib.Path) -> None:
    with pytest.raises(libcanary.NoStoreError, match="there is no store") as caught:
        libcanary.open(tmp_path / "none.db", "skills")
    assert isinstance(caught.value, FileNotFoundError) and caught.value.errno == 2
    assert not (tmp_path / "none.db").exists()
    with libcanary.open(tmp_path / "none.db", "skills", defer=True) as opened:
        assert opened.should_use_new("alice") is False
        assert opened.decide("alice").reason == "not_ready"
        info = opened.info()
        assert info.last_error == -16 and "none.db" in info.last_message
        assert info.age is None and info.stage is None
        with libcanary.open(tmp_path / "none.db", "skills", create=True) as creator:
            creator.set_percentage(100)
        opened.store.refresh()
        assert opened.should_use_new("alice") is True


def test_files_that_are_no_store(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "words.db"
    path.write_text("no database at all, but long enough to have a header " * 20)
    with pytest.raises(libcanary.NotAStoreError):
        libcanary.open(path, "skills")
    with pytest.raises(OSError):
        libcanary.open(tmp_path, "skills")


def test_a_damaged_store(db: pathlib.Path) -> None:
    raw = bytearray(db.read_bytes())
    raw[4096 : 4096 * 6] = os.urandom(4096 * 5)
    db.write_bytes(raw)
    with pytest.raises(libcanary.StoreError):
        libcanary.open(db, "skills")


def test_create_makes_store_and_rollout_once(tmp_path: pathlib.Path) -> None:
    for _ in range(2):
        with libcanary.open(tmp_path / "new.db", "skills", create=True) as opened:
            assert opened.state().revision == 1
    with pytest.raises(libcanary.NotFoundError, match="other"):
        libcanary.open(tmp_path / "new.db", "other")


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "a\0b", "ä", "a/b"])
def test_names_that_are_none(name: str) -> None:
    with testing.memory_store() as store:
        with pytest.raises(ValueError):
            store.create(name)
        with pytest.raises(ValueError):
            store.rollout(name)


def test_arguments_out_of_range(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.db"
    for bad in ({"tick": 0}, {"tick": -1}, {"tick": 1e-6}, {"busy_timeout": 1e6},
                {"stale_after": float("nan")}):
        with pytest.raises(ValueError):
            libcanary.open(path, "skills", create=True, **bad)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        libcanary.open(path, "skills", create=True, tick="1")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        libcanary.open(None, "skills")  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        libcanary.open("a\0b", "skills")
    with testing.memory_store() as store:
        store.create("skills")
        with pytest.raises(TypeError):
            store.rollout(7)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            libcanary.Rollout("canary.db", "skills")  # type: ignore[arg-type]
        with store.rollout("skills") as opened:
            with pytest.raises(ValueError):
                opened.advance(by="a\0b")
            with pytest.raises(ValueError, match="by"):
                opened.advance(by="x" * 300)
            with pytest.raises(OverflowError):
                opened.set_stage(2**40)


def test_paths_are_bytes_too(tmp_path: pathlib.Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.db"
    with libcanary.open(path, "skills", create=True) as opened:
        assert opened.store.path == path and os.path.exists(path)


LOCKER = """
import sqlite3, sys
locker = sqlite3.connect(sys.argv[1], isolation_level=None)
locker.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_rollback_that_cannot_be_recorded_is_in_effect(db: pathlib.Path) -> None:
    # Another process: in this one a second copy of SQLite would see no lock of the first.
    with libcanary.open(db, "skills", busy_timeout=0.05) as opened, subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(db)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as locker:
        assert locker.stdin and locker.stdout and locker.stdout.readline() == b"locked\n"
        with pytest.raises(libcanary.BusyError) as caught:
            opened.rollback()
        assert caught.value.in_effect and isinstance(caught.value, TimeoutError)
        assert not opened.should_use_new("alice")
        locker.stdin.close()
        locker.wait(90)
        opened.rollback()
        opened.set_percentage(100)
        assert opened.should_use_new("alice")
