# SPDX-License-Identifier: MIT
"""The application's own kill switch: a callable, asked at each decision."""

from __future__ import annotations

import sys

import pytest

import libcanary
from libcanary.testing import rollout


def test_anything_true_kills() -> None:
    answer: object = False
    asked = 0

    def switch() -> object:
        nonlocal asked
        asked += 1
        return answer

    with rollout(percentage=100, new=["alice"], kill_switch=switch) as opened:
        for answer, new in ((0, True), ([], True), (None, True), ("x", False), (1, False)):
            asked = 0
            assert opened.should_use_new("alice") is new
            assert bool(opened.decide("alice")) is new
            assert opened.decide_many(["alice", "bob"]) == [new, new]
            assert asked == 3  # once for all users of a batch
            assert opened.info().killed_by == (set() if new else {"hook"})
            assert opened.decide("alice").reason == ("override" if new else "killed")
        # An id that is none is decided before.
        asked = 0
        assert opened.decide("").reason == "invalid" and opened.should_use_new(None) is False
        assert asked == 0


def test_a_switch_that_fails_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: seen.append(args.exc_value))

    def switch() -> bool:
        raise RuntimeError("no answer")

    with rollout(percentage=100, kill_switch=switch) as opened:
        assert opened.should_use_new("alice") is False
        assert opened.decide("alice").reason == "killed"
        assert opened.decide_many(["alice"]) == [False]
        assert opened.info().killed_by == {"hook"}
    assert [str(error) for error in seen] == ["no answer"] * 4


def test_an_interrupt_is_not_swallowed() -> None:
    def switch() -> bool:
        raise KeyboardInterrupt

    with rollout(percentage=100, kill_switch=switch) as opened:
        for call in (opened.should_use_new, opened.decide):
            with pytest.raises(KeyboardInterrupt):
                call("alice")
        with pytest.raises(KeyboardInterrupt):
            opened.decide_many(["alice"])
        with pytest.raises(KeyboardInterrupt):
            opened.info()


def test_a_switch_may_close_and_change() -> None:
    with rollout(percentage=100) as other:

        def switch() -> bool:
            if closing:
                opened.close()
            return not other.should_use_new("alice")

        closing = False
        store = other.store
        opened = store.rollout("test", kill_switch=switch)
        assert opened.should_use_new("alice")
        other.rollback()
        assert not opened.should_use_new("alice")
        closing = True
        other.set_percentage(100)
        with pytest.raises(libcanary.ClosedError):
            opened.should_use_new("alice")


def test_a_switch_is_callable() -> None:
    with pytest.raises(TypeError, match="callable"):
        with rollout(kill_switch=True):  # type: ignore[arg-type]
            pass


def test_the_environment_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_KILL", "other,test")
    with rollout(percentage=100) as opened:
        assert not opened.should_use_new("alice") and opened.info().killed_by == {"environment"}
