# SPDX-License-Identifier: MIT
"""libcanary.testing, and the fixtures as a project of its own would use them."""

from __future__ import annotations

import datetime
import importlib.metadata

import pytest

import libcanary
from libcanary import testing


def test_pinned_gives_back_what_was() -> None:
    with testing.rollout(old=["alice"]) as opened:
        with testing.pinned(opened, new=["alice", "bob"]):
            assert opened.decide_many(["alice", "bob"]) == [True, True]
        assert opened.overrides() == [("alice", "old")]
        with pytest.raises(RuntimeError), testing.pinned(opened, new=["bob"]):
            raise RuntimeError
        assert opened.overrides() == [("alice", "old")]
        with testing.pinned(opened, new=["bob"]):
            opened.close()


def test_clock() -> None:
    clock = testing.Clock(datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc))
    clock.advance(1.5)
    assert clock.now == datetime.datetime(2026, 1, 2, 0, 0, 1, 500000, datetime.timezone.utc)
    aged = clock.monotonic_ns
    clock.set(datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc))
    assert clock.now.year == 2020 and clock.monotonic_ns == aged
    with pytest.raises(ValueError):
        clock.advance(-1)
    with pytest.raises(ValueError, match="zone"):
        clock.set(datetime.datetime(2020, 1, 1))
    with pytest.raises(TypeError):
        testing.memory_store(clock=object())  # type: ignore[arg-type]


def test_what_was_recorded() -> None:
    clock = testing.Clock()
    with testing.rollout(new=["alice"], clock=clock) as opened:
        assert testing.outcomes(opened) == {"new": {}, "old": {}}
        with pytest.raises(KeyError):
            testing.measured(opened, "duration")
        opened.declare("cost", "value")
        for user in ("alice", "bob", "alice"):
            with opened.request(user) as request:
                clock.advance(0.5)
                request.record("cost", 2)
        with pytest.raises(TimeoutError), opened.request("bob"):
            raise TimeoutError
        opened.record(opened.decide("bob"), status="error")
        assert testing.outcomes(opened) == {
            "new": {"ok": 2}, "old": {"ok": 1, "error": 1, "timeout": 1}}
        assert testing.measured(opened, "cost")["new"].sum == 4
        assert testing.measured(opened, "duration")["new"].mean == 0.5
        assert testing.rejected(opened) == {}
        opened.record(opened.decide("bob"), values={"fee": 1})
        assert testing.rejected(opened) == {"undeclared": 1}


def test_the_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_paths(canary_rollout):
            a = canary_rollout(new=["alice"])
            b = canary_rollout("b", percentage=100)
            assert a.should_use_new("alice") and not a.should_use_new("bob")
            assert b.should_use_new("bob")

        def test_age(canary_clock, canary_store):
            canary_store.create("x")
            with canary_store.rollout("x", stale_after=5) as x:
                canary_clock.advance(6)
                assert x.decide("alice").reason == "stale"

        def test_outcomes(canary_rollout, canary_clock):
            from libcanary import testing
            c = canary_rollout("c", old=["alice"])
            with c.request("alice"):
                canary_clock.advance(2)
            assert testing.outcomes(c)["old"] == {"ok": 1}
            assert testing.measured(c, "duration")["old"].sum == 2
        """
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=3)


def test_versions_agree() -> None:
    assert importlib.metadata.version("libcanary") == libcanary.__version__
    assert not libcanary.bundled or libcanary.library_version == libcanary.__version__
