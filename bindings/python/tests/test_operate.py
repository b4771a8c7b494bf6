# SPDX-License-Identifier: MIT
"""What an operator does, in this process and in another."""

from __future__ import annotations

import datetime
import pathlib
import sqlite3
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest

import libcanary
from libcanary import testing


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.001)


def test_a_rollout_walks_its_ladder() -> None:
    with testing.memory_store() as store:
        made = store.create("skills", by="ann", note="first")
        assert (made.action, made.from_stage, made.to_stage, made.id) == ("create", None, 0, 1)
        with store.rollout("skills") as skills:
            assert skills.name == "skills" and skills.store is store
            first = skills.advance(by="ann", note="go", evidence="ticket 7")
            assert (first.action, first.to_percentage_bp, first.percentage) == ("advance", 500, 5.0)
            assert (first.by, first.note, first.rollout) == ("ann", "go", "skills")
            assert skills.set_percentage(12.34, phase="MORE").to_percentage_bp == 1234
            assert skills.info().stage_name == "MORE" and skills.info().percentage == 12.34
            assert skills.set_stage(3).to_percentage_bp == 5000
            assert skills.rollback(1).to_stage == 1
            assert skills.rollback().to_percentage_bp == 0
            history = skills.history()
            assert [c.id for c in history] == [6, 5, 4, 3, 2, 1]
            assert history[0].previous_hash == history[1].hash
            assert [c.id for c in skills.history(limit=2, before=5)] == [4, 3]
            assert store.history() == history
            found = store.verify()
            assert found and found.changes == 6 and found.head_hash == history[0].hash


def test_times_are_of_the_clock(canary_store: libcanary.Store) -> None:
    change = canary_store.create("skills")
    assert change.at == datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    assert canary_store.state("skills").updated_at == change.at
    assert canary_store.flags()[0].updated_at == change.at


def test_a_ladder_of_ones_own() -> None:
    with testing.memory_store() as store:
        store.create("a", stages=[("TRY", 0.5), ("ALL", 100, 3600)], salt="spring", flag="f")
        state = store.state("a")
        assert [(s.name, s.percentage) for s in state.stages][1:] == [("TRY", 0.5), ("ALL", 100)]
        assert state.stages[2].dwell_ns == 3600 * 10**9
        assert (state.salt, state.flag, state.flag_enabled) == ("spring", "f", True)
        store.create("b", stages=[1, Decimal("2.5"), 100])
        assert [s.percentage_bp for s in store.state("b").stages] == [0, 100, 250, 10000]
        assert [s.name for s in store.rollouts()] == ["a", "b"]
        for bad in ([], [50, 20], [("A", 1), 2], [101], [0.001], [("A", 1), ("A", 2)], [5] * 40):
            with pytest.raises(ValueError):
                store.create("c", stages=bad)  # type: ignore[arg-type]
        with pytest.raises(libcanary.ExistsError):
            store.create("a")


@pytest.mark.parametrize("good, bp", [(0, 0), (100, 10000), (0.07, 7), (29.99, 2999),
                                      (Decimal("33.3"), 3330), (Fraction(1, 4), 25)])
def test_percentages_are_exact(good: float, bp: int) -> None:
    with testing.rollout() as opened:
        assert opened.set_percentage(good).to_percentage_bp == bp


@pytest.mark.parametrize("bad", [-1, 100.01, 0.001, float("nan"), float("inf"), Fraction(1, 3),
                                 Decimal("NaN"), 10**30])
def test_percentages_that_are_none(bad: float) -> None:
    with testing.rollout(percentage=7) as opened:
        with pytest.raises(libcanary.InvalidError):
            opened.set_percentage(bad)
        assert opened.info().percentage == 7
    for wrong in ("7", None, True):
        with testing.rollout() as opened, pytest.raises(TypeError):
            opened.set_percentage(wrong)  # type: ignore[arg-type]


def test_expectations_and_dry_runs() -> None:
    with testing.rollout() as opened:
        revision = opened.info().revision
        assert opened.advance(dry_run=True).hash == ""
        assert opened.info().revision == revision
        opened.advance(expected_revision=revision, expected_stage=0)
        with pytest.raises(libcanary.ConflictError, match="advance") as caught:
            opened.advance(expected_revision=revision)
        assert caught.value.code == -5 and caught.value.name == "CANARY_E_CONFLICT"
        with pytest.raises(RuntimeError):
            opened.advance(expected_stage=0)
        with pytest.raises(TypeError):
            opened.advance(expected="x")  # type: ignore[call-arg]
        opened.set_stage(4)
        with pytest.raises(libcanary.RefusedError):
            opened.advance()
        # A rollback is never refused, whatever was expected.
        assert opened.rollback(expected_revision=1).to_stage == 0
        with pytest.raises(libcanary.InvalidError):
            opened.rollback(3)


def test_flags_kill() -> None:
    with testing.rollout(percentage=100) as opened:
        assert opened.should_use_new("alice")
        change = opened.set_flag(False, by="ann")
        assert change.action == "flag_off" and not opened.should_use_new("alice")
        assert opened.info().killed and opened.info().killed_by == {"flag"}
        assert opened.state().killed_by == {"flag"} and not opened.state().flag_enabled
        assert [(f.name, f.enabled, f.rollouts) for f in opened.store.flags()] == [("test", False, 1)]
        opened.set_flag(True)
        assert opened.should_use_new("alice")


def test_overrides() -> None:
    with testing.rollout() as opened:
        opened.set_override("alice", "new", note="beta")
        assert opened.set_overrides([b"\xff", "bob", "alice"], "old").action == "override_old"
        assert opened.overrides() == [("alice", "old"), ("bob", "old"), (b"\xff", "old")]
        opened.set_override("alice", "new")
        assert opened.should_use_new("alice") and opened.info().overrides_old == 2
        opened.remove_override("alice")
        with pytest.raises(LookupError):
            opened.remove_override("alice")
        for bad in ("", b"", "x" * 5000):
            with pytest.raises(ValueError):
                opened.set_override(bad, "new")
        for wrong in (None, 7):
            with pytest.raises(TypeError):
                opened.set_override(wrong, "new")  # type: ignore[arg-type]
        with pytest.raises(UnicodeEncodeError):
            opened.set_override("\ud800", "new")
        with pytest.raises(ValueError, match="cohort"):
            opened.set_override("carol", "newer")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not one id"):
            opened.set_overrides("carol", "new")


def test_another_process_is_followed(
    skills: libcanary.Rollout, canaryctl: Callable[..., str], db: pathlib.Path
) -> None:
    assert skills.should_use_new("alice")
    canaryctl(db, "rollback")
    wait_for(lambda: not skills.should_use_new("alice"))
    assert skills.info().source in ("bell", "tick") and skills.info().watcher
    canaryctl(db, "set", "--percent", "50")
    wait_for(lambda: skills.should_use_new("alice"))
    assert skills.history(limit=1)[0].by == "test"


def test_without_a_watcher_refresh_follows(db: pathlib.Path, canaryctl: Callable[..., str]) -> None:
    with libcanary.open(db, "skills", watcher=False) as opened:
        canaryctl(db, "rollback")
        assert opened.info().watcher is False and opened.should_use_new("alice")
        opened.store.refresh()
        assert not opened.should_use_new("alice")


def test_what_was_changed_outside_is_found_and_accepted(db: pathlib.Path) -> None:
    with libcanary.open(db, "skills", watcher=False) as opened:
        opened.set_percentage(50)
    outside = sqlite3.connect(db)
    with outside:
        outside.execute("UPDATE rollouts SET percentage_bp = 10000")
    outside.close()
    with libcanary.open_store(db, watcher=False) as store:
        found = store.verify()
        assert not found and found.findings[0].kind == "rollout"
        assert found.findings[0].rollout == "skills" and found.findings[0].message
        with store.rollout("skills") as opened:
            assert "rollout" in opened.info().doubt and not opened.should_use_new("alice")
            with pytest.raises(libcanary.TamperedError):
                opened.advance()
            opened.accept(by="ann", note="it was me")
            assert opened.should_use_new("alice") and store.verify()
        assert store.bell().works


def test_several_rollouts_share_a_store(db: pathlib.Path) -> None:
    with libcanary.open_store(db) as store:
        store.create("other")
        with store.rollout("skills") as one, store.rollout("other") as two:
            assert one.should_use_new("alice") and not two.should_use_new("alice")
            store.close()
            assert one.should_use_new("alice")  # it lives on
            with pytest.raises(libcanary.ClosedError, match="store is closed"):
                one.advance()
