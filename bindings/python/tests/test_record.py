# SPDX-License-Identifier: MIT
"""Recording: what is counted, what is rejected, what raises; and what reading says of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import decimal
import gc
import math
import os
import socket
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest

import libcanary
from libcanary import testing


@pytest.fixture
def half(canary_clock: testing.Clock) -> Iterator[libcanary.Rollout]:
    """At 50 %: alice (bucket 178) is new, user-1 (bucket 5280) old."""
    canary_clock.set(datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc))
    with testing.rollout("skills", percentage=50, clock=canary_clock) as opened:
        yield opened


def rejected(rollout: libcanary.Rollout) -> dict[str, int]:
    return {cause: n for cause, n in rollout.recording().rejected.items() if n}


def figures(rollout: libcanary.Rollout, **asked: Any) -> libcanary.Metrics:
    rollout.flush()
    return rollout.metrics(**asked)


# -- outcomes


def test_an_outcome_of_a_decision(half: libcanary.Rollout) -> None:
    new, old = half.decide("alice"), half.decide("user-1")
    assert new and not old
    assert half.record(new) is True
    assert half.record(new, status="error", duration=0.25) is True
    assert half.record(old, status="timeout", duration=datetime.timedelta(seconds=2)) is True
    found = figures(half)
    assert [row.metric for row in found] == ["error", "timeout", "duration"]
    error, timeout, duration = found
    assert (error.new.n, error.new.k, error.new.rate) == (2, 1, 0.5)
    assert (error.old.n, error.old.k) == (1, 0) and timeout.old.rate == 1
    assert (duration.new.n, duration.new.sum, duration.unit) == (1, 0.25, "seconds")
    assert duration.new.p99 == pytest.approx(0.25, rel=0.008)
    assert duration.old.mean == 2 and math.isnan(duration.old.rate)
    exposure = half.exposure()
    assert exposure.decisions_new == {"split": 2} and exposure.decisions_old == {"split": 1}
    assert (exposure.users_new, exposure.users_old, exposure.exact) == (1, 1, True)


def test_the_cohort_that_was_served_counts(half: libcanary.Rollout) -> None:
    """Whatever happened to the percentage since."""
    decision = half.decide("alice")
    half.rollback()
    assert half.record(decision)
    assert figures(half)["error"].new.n == 1


@pytest.mark.parametrize(("cohort", "new"), [(True, 1), (False, 0), ("new", 1), ("old", 0)])
def test_an_outcome_of_a_user(half: libcanary.Rollout, cohort: bool | str, new: int) -> None:
    assert half.record("alice", cohort=cohort)
    assert half.record(b"alice", cohort=cohort)
    row = figures(half)["error"]
    assert (row.new.n, row.old.n) == (2 * new, 2 - 2 * new)
    exposure = half.exposure()
    assert (exposure.users_new, exposure.users_old) == (new, 1 - new)
    assert exposure.decisions_new == ({"unknown": 2} if new else {})


@pytest.mark.parametrize("user", [None, "", b"", "\ud800"])
def test_nobody_got_the_old_path_and_counts(half: libcanary.Rollout, user: Any) -> None:
    assert half.record(user, cohort=half.should_use_new(user), status="error")
    assert half.record(half.decide(user))
    row = figures(half)["error"]
    assert (row.old.n, row.old.k, row.new.n) == (2, 1, 0) and half.exposure().users_total == 0


def test_exposure_without_an_outcome(half: libcanary.Rollout) -> None:
    for user in ("alice", "alice", "bob", "user-1"):
        assert half.expose(half.decide(user))
    half.flush()
    exposure = half.exposure()
    assert exposure.decisions_new == {"split": 3} and exposure.users_new == 2
    assert half.recording().outcomes == 0 and half.recording().decisions == 4
    with pytest.raises(TypeError, match="decide"):
        half.expose("alice")  # type: ignore[arg-type]


def test_wrong_values_are_rejected_and_visible(half: libcanary.Rollout) -> None:
    decision = half.decide("alice")
    half.declare("cost", "value", minimum=0)
    half.declare("hit", "proportion")
    half.declare("f1", "classification")
    for wrong in (-1.0, -1e-9, math.nan, -math.inf, math.inf, 1e300, 10**400, 300_000,
                  datetime.timedelta(seconds=-1), datetime.timedelta(days=4)):
        assert half.record(decision, duration=wrong) is False
    assert rejected(half) == {"duration": 10}
    assert half.record(decision, status="late") is False  # type: ignore[call-overload]
    assert half.record("alice", cohort="both") is False
    assert rejected(half) == {"duration": 10, "status": 1, "cohort": 1}
    assert half.recording().outcomes == 0
    # The rest of an outcome counts.
    for values, cause in (({"none": 1}, "undeclared"), ({"duration": 1}, "undeclared"),
                          ({"cost": math.nan}, "number"), ({"cost": math.inf}, "number"),
                          ({"cost": 10**400}, "number"), ({"cost": -1}, "range"),
                          ({"cost": (1, 2, 3)}, "kind"), ({"hit": 0.5}, "kind"),
                          ({"f1": 0.5}, "kind"), ({"f1": (1, -2, 3)}, "kind"),
                          ({"f1": (0, 0, 0)}, "kind"), ({"f1": (1, 2**40, 3)}, "kind")):
        before, counted = rejected(half), half.recording().outcomes
        assert half.record(decision, values=values) is False, values
        assert half.recording().outcomes == counted + 1
        assert rejected(half) == {**before, cause: before.get(cause, 0) + 1}, values
    assert half.recording().rejected_total == 24
    half.flush()
    assert half.metrics().rejected == 24


@pytest.mark.parametrize("arguments", [
    ((), {}), (("alice",), {}), (("alice", True), {}), ((7,), {"cohort": True}),
    (("alice",), {"cohort": 1}), (("alice",), {"cohort": True, "cost": 1}),
    (("alice",), {"cohort": True, "status": 1}), (("alice",), {"cohort": True, "duration": "1"}),
    (("alice",), {"cohort": True, "values": [1]}), (("alice",), {"cohort": True, "values": {1: 2}}),
    (("alice",), {"cohort": True, "values": {"cost": "x"}}),
    (("alice",), {"cohort": True, "values": {"cost": (1, 2)}}),
    (("alice",), {"cohort": True, "values": {"cost": (1, 2, 0.5)}}),
])
def test_wrong_types_raise_and_count_nothing(half: libcanary.Rollout, arguments: Any) -> None:
    half.declare("cost", "value")
    positional, named = arguments
    with pytest.raises((TypeError, ValueError)):
        half.record(*positional, **named)
    with pytest.raises(TypeError, match="itself"):
        half.record(half.decide("alice"), cohort=True)  # type: ignore[call-overload]
    assert not half.recording().recording


def test_a_decision_made_by_hand(half: libcanary.Rollout) -> None:
    decision = half.decide("alice")
    assert half.record(decision._replace(reason="whim")) is False
    assert rejected(half) == {"argument": 1}
    with pytest.raises(TypeError):
        half.record(decision._replace(hash="x"))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        half.record(tuple(decision), cohort=True)  # type: ignore[call-overload]


# -- metrics


def test_values_of_every_kind(half: libcanary.Rollout) -> None:
    half.declare("cache_hit", "proportion")
    half.declare("cost", "value", unit="usd", resolution=0.001)
    half.declare(libcanary.Metric("quality", "score", minimum=0, maximum=5))
    half.declare("query", "duration", thresholds=[0.1, datetime.timedelta(seconds=1)])
    half.declare("f1", "classification")
    half.declare("duration", "duration", thresholds=(0.5,))
    decision = half.decide("alice")
    for i in range(4):
        assert half.record(decision, duration=i / 4, values={
            "cache_hit": i > 0, "cost": decimal.Decimal("0.25"), "quality": i, "query": i / 2,
            "f1": (9, 1, 1) if i % 2 else (9, 1, 1, 4),
        })
    # Any mapping will do, and what was not measured is no value.
    assert half.record(decision, values=types.MappingProxyType({"cost": 1, "quality": None}))
    found = figures(half)
    assert [row.metric for row in found] == [
        "error", "timeout", "duration", "cache_hit", "cost", "f1", "quality", "query"]
    assert (found["cache_hit"].new.k, found["cache_hit"].new.rate) == (3, 0.75)
    cost = found["cost"]
    assert (cost.kind, cost.unit, cost.new.n, cost.new.sum) == ("value", "usd", 5, 2)
    assert (cost.new.minimum, cost.new.maximum) == (0.25, 1)
    assert (found["quality"].new.n, found["quality"].new.mean) == (4, 1.5)
    f1 = found["f1"].new
    assert (f1.tp, f1.fp, f1.fn, f1.tn, f1.n) == (36, 4, 4, 8, 52)
    assert f1.precision == f1.recall == f1.f1 == pytest.approx(0.9)
    assert found["query"].new.above == ((0.1, 4, 3), (1.0, 4, 1))
    assert found["duration"].new.above == ((0.5, 4, 1),)
    assert found["duration"].new.above[0].rate == 0.25
    assert found["cost"].old.n == 0 and math.isnan(found["cost"].old.mean)
    assert "cost" in found and "none" not in found and len(found) == 8
    with pytest.raises(KeyError):
        found["none"]


def test_declaring(half: libcanary.Rollout) -> None:
    for _ in range(2):
        half.declare("cost", "value", unit="usd")
    with pytest.raises(libcanary.ConflictError, match="cost"):
        half.declare("cost", "value", unit="eur")
    half.declare("debt", "value", maximum=0)  # the other end stays open
    decision = half.decide("alice")
    assert half.record(decision, values={"debt": -1e6})
    assert not half.record(decision, values={"debt": 1})
    for wrong in (lambda: half.declare("Cost", "value"), lambda: half.declare("a\0b", "value"),
                  lambda: half.declare("error", "proportion"),
                  lambda: half.declare("x", "sum"),  # type: ignore[arg-type]
                  lambda: half.declare("x", "score"), lambda: half.declare("x", "value", unit="$"),
                  lambda: half.declare("x", "value", minimum=1, maximum=1),
                  lambda: half.declare("x", "value", minimum=0, maximum=0),
                  lambda: half.declare("x", "duration", thresholds=[-1]),
                  lambda: half.declare("x", "duration", thresholds=[0.1] * 2),
                  lambda: half.declare("x", "duration", thresholds=range(1, 10)),
                  lambda: half.declare("x", "value", thresholds=[1])):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(TypeError):
        half.declare("x")
    for i in range(30):
        half.declare(f"metric_{i}", "proportion")
    with pytest.raises(libcanary.RefusedError):
        half.declare("one_too_many", "proportion")
    many = {f"metric_{i}": True for i in range(30)} | {"cost": 1, "debt": -1}
    assert half.record(decision, values=many)
    assert not half.record(decision, values=many | {"none": 1})
    found = figures(half)
    assert found["metric_7"].new.n == 1 and found["error"].new.n == 4


def test_values_without_an_outcome(half: libcanary.Rollout) -> None:
    half.declare("bought", "proportion")
    half.declare("turn", "value")
    assert half.record(half.decide("alice"), status=None, values={"bought": True})
    assert half.record("bob", cohort=True, status=None, values={"bought": False})
    assert not half.record("bob", cohort=True, status=None, duration=1)
    assert rejected(half) == {"duration": 1}
    with half.request("alice") as request:
        for i in range(100):  # more than one outcome has room for
            request.record("turn", i)
    found = figures(half)
    assert (found["bought"].new.n, found["bought"].new.k) == (2, 1)
    assert (found["turn"].new.n, found["turn"].new.sum) == (100, 4950)
    assert found["error"].new.n == half.recording().outcomes == 1
    assert half.exposure().users_total == 1


def test_a_number_that_changes_the_dictionary(half: libcanary.Rollout) -> None:
    half.declare("cost", "value")
    values: dict[str, Any] = {}

    class Number:
        def __float__(self) -> float:
            values.clear()
            return 0.5

    values.update({"cost": Number(), **{f"x{i}": Number() for i in range(20)}})
    half.record(half.decide("alice"), values=values)
    assert figures(half)["cost"].new.sum == 0.5


# -- the timing helper


def test_a_request(half: libcanary.Rollout, canary_clock: testing.Clock) -> None:
    half.declare("cost", "value")
    with half.request("alice") as request:
        assert request.new is True and request.cohort == "new" and request.user == "alice"
        assert request.decision == half.decide("alice")
        assert request.duration is None and request.status is None
        request.record("cost", 0.5)
        request.record("cost", 0.25)
        request.record("cost", None)
        canary_clock.advance(0.125)
    assert request.status == "ok" and request.duration == 0.125
    with half.request(None) as nobody:
        assert nobody.new is False and nobody.decision.reason == "invalid"
    found = figures(half)
    assert (found["error"].new.n, found["error"].new.k, found["error"].old.n) == (1, 0, 1)
    assert found["duration"].new.sum == 0.125
    assert (found["cost"].new.n, found["cost"].new.sum) == (2, 0.75)
    assert half.exposure().users_new == 1


class Late(Exception):
    """As of a library whose timeouts are not Python's."""


@pytest.mark.parametrize(("raised", "status"), [
    (RuntimeError(), "error"), (KeyboardInterrupt(), "error"), (GeneratorExit(), "error"),
    (asyncio.CancelledError(), "error"), (TimeoutError(), "timeout"),
    (asyncio.TimeoutError(), "timeout"), (socket.timeout(), "timeout"),
    (concurrent.futures.TimeoutError(), "timeout"), (Late(), "timeout"),
])
def test_an_exception_is_recorded_and_goes_on(
    half: libcanary.Rollout, raised: BaseException, status: str
) -> None:
    with pytest.raises(type(raised)) as caught:
        with half.request("alice", timeouts=Late) as request:
            raise raised
    assert caught.value is raised and request.status == status
    found = figures(half)
    assert found["error"].new.k == (status == "error")
    assert found["timeout"].new.k == (status == "timeout")


def test_a_status_that_was_set_counts(half: libcanary.Rollout) -> None:
    with pytest.raises(RuntimeError):
        with half.request("alice", timeouts=(Late, OSError)) as request:
            request.status = "ok"  # "not found" is an exception in many frameworks
            raise RuntimeError
    with half.request("alice") as request:
        request.status = "timeout"
        with pytest.raises(ValueError, match="no status"):
            request.status = "late"  # type: ignore[assignment]
        with pytest.raises(TypeError):
            request.status = 1  # type: ignore[assignment]
    with half.request("alice") as request:
        request.status = "error"
        request.status = None
    assert request.status == "ok"
    with half.request("alice") as request:
        request.discard()
    found = figures(half)
    assert (found["error"].new.n, found["error"].new.k, found["timeout"].new.k) == (3, 0, 1)


def test_a_request_begins_once_and_ends(half: libcanary.Rollout) -> None:
    request = half.request("alice")
    for early in (lambda: request.new, lambda: request.cohort, lambda: request.decision,
                  lambda: request.record("cost", 1), lambda: setattr(request, "status", "ok"),
                  lambda: request.__exit__(None, None, None)):
        with pytest.raises(RuntimeError, match="begun"):
            early()
    with request:
        with pytest.raises(RuntimeError, match="once"):
            request.__enter__()
        with pytest.raises(TypeError):
            request.record("cost", "much")  # type: ignore[arg-type]
    for late in (lambda: request.record("cost", 1), lambda: setattr(request, "status", "ok")):
        with pytest.raises(RuntimeError, match="ended"):
            late()
    with pytest.raises(TypeError, match="rollout.request"):
        libcanary.Request()
    for wrong in ((), ("a", "b")):
        with pytest.raises(TypeError):
            half.request(*wrong)
    with pytest.raises(TypeError, match="timeouts"):
        half.request("a", timeouts="late")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="late"):
        half.request("a", late=Late)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="str or bytes"), half.request(7):  # type: ignore[arg-type]
        pass
    assert half.recording().outcomes == 1


def test_nested_requests(half: libcanary.Rollout, canary_clock: testing.Clock) -> None:
    with half.request("alice") as outer:
        canary_clock.advance(1)
        with pytest.raises(Late), half.request("user-1", timeouts=Late) as inner:
            canary_clock.advance(2)
            raise Late
        canary_clock.advance(4)
    assert (outer.duration, inner.duration) == (7, 2)
    assert (outer.status, inner.status) == ("ok", "timeout")
    found = figures(half)["duration"]
    assert (found.new.sum, found.old.sum) == (7, 2)


def test_requests_in_tasks(half: libcanary.Rollout) -> None:
    half.declare("turn", "value")

    async def one(i: int) -> None:
        user = "alice" if i % 2 else "user-1"
        async with half.request(user) as request:
            for _ in range(i % 5):
                await asyncio.sleep(0)
            assert request.new is bool(i % 2)
            request.record("turn", i)
            if i % 10 == 9:
                raise TimeoutError

    async def every() -> None:
        ended = await asyncio.gather(*(one(i) for i in range(100)), return_exceptions=True)
        assert sum(isinstance(end, TimeoutError) for end in ended) == 10

    asyncio.run(every())
    found = figures(half)
    assert (found["timeout"].new.n, found["timeout"].new.k) == (50, 10)
    assert (found["turn"].new.sum, found["turn"].old.sum) == (2500, 2450)


def test_a_request_cut_by_asyncio(half: libcanary.Rollout) -> None:
    async def slow() -> None:
        with half.request("alice"):
            await asyncio.sleep(60)

    async def cut() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(slow(), 0.01)

    asyncio.run(cut())
    # Inside it is a cancellation, like a client's that went away: in doubt it is harm.
    assert figures(half)["error"].new.k == 1


def test_requests_in_threads(half: libcanary.Rollout) -> None:
    half.declare("turn", "value")

    def work(start: int) -> None:
        for i in range(start, start + 500):
            with half.request(f"user-{i}") as request:
                request.record("turn", i)

    threads = [threading.Thread(target=work, args=(500 * t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = figures(half)
    both = found["error"].new.n + found["error"].old.n
    assert both == 4000 == half.recording().outcomes == half.recording().merged
    assert found["turn"].new.sum + found["turn"].old.sum == sum(range(4000))
    assert half.exposure().users_total == 4000


def test_a_request_that_outlives_its_rollout() -> None:
    with testing.memory_store() as store:
        store.create("one")
        one = store.rollout("one")
        with one.request("alice") as request:
            one.close()
        assert request.duration is not None
        for call in (lambda: one.record("a", cohort=True), one.recording, one.flush,
                     lambda: one.declare("x", "value"), lambda: one.expose(request.decision)):
            with pytest.raises(libcanary.ClosedError):
                call()
        with pytest.raises(libcanary.ClosedError), one.request("alice"):
            pass
        with pytest.raises(KeyError), store.rollout("one") as one, one.request("bob"):
            raise KeyError


def test_a_kill_switch_is_asked_when_a_request_begins() -> None:
    with testing.rollout(percentage=100, kill_switch=lambda: True) as killed:
        with killed.request("alice") as request:
            assert not request.new and request.decision.reason == "killed"
        killed.flush()
        assert killed.exposure().decisions_old == {"killed": 1}
        assert killed.exposure().users_total == 0


# -- reading


def test_windows_steps_and_generations(
    half: libcanary.Rollout, canary_clock: testing.Clock
) -> None:
    began = canary_clock.now
    canary_clock.advance(5)  # what is flushed on the mark belongs to the tick that ends there
    first = half.info().revision
    for i in range(4):
        half.record(half.decide("alice"), status="error" if i == 3 else "ok")
        half.flush()
        canary_clock.advance(60)
        if i == 1:
            half.set_percentage(75)
    half.flush()
    assert half.metrics()["error"].new.n == 4
    assert half.metrics(window=150)["error"].new.n == 2
    assert half.metrics(window=datetime.timedelta(seconds=70))["error"].new.k == 1
    late = began + datetime.timedelta(seconds=150)
    assert half.metrics(since=late)["error"].new.n == 1
    assert half.metrics(until=late)["error"].new.n == 3
    assert half.metrics(since=late.timestamp(), until=began + datetime.timedelta(hours=1))
    empty = half.metrics(since=began - datetime.timedelta(hours=1), until=began)
    assert empty.rows == () and len(empty) == 0
    steps = [row for row in half.metrics(step=60, metric="error")]
    assert [row.new.n for row in steps] == [1, 1, 1, 1]
    assert steps[0].start == began and steps[0].end == began + datetime.timedelta(minutes=1)
    stages = [row for row in half.metrics(by_generation=True) if row.metric == "error"]
    assert [(row.new.n, row.generation) for row in stages] == [(2, first), (2, first + 1)]
    assert half.metrics(generation=first)["error"].new.n == 2
    assert half.exposure().generation == first + 1
    assert half.exposure(generation=first).decisions_new == {"split": 2}
    found = half.metrics()
    assert found.last_at is not None and found.damaged == 0 and found.from_ns < found.to_ns
    for wrong in ({"window": 0}, {"window": -1}, {"step": 7}, {"generation": 0},
                  {"since": datetime.datetime(2026, 1, 1)}, {"since": -1}):
        with pytest.raises(ValueError):
            half.metrics(**wrong)  # type: ignore[arg-type]
    for wrong_type in ({"window": 60, "since": late}, {"window": "1h"}, {"since": "now"}):
        with pytest.raises(TypeError):
            half.metrics(**wrong_type)  # type: ignore[arg-type]
    with pytest.raises(libcanary.NotFoundError):
        half.store.metrics("none")


def test_nothing_was_recorded(half: libcanary.Rollout) -> None:
    found = half.metrics()
    assert list(found) == [] and found.last_at is None and found.from_ns == 0
    assert half.exposure().users_total == 0
    assert not half.recording().recording and half.recording().flushed_at is None


def test_rows_from_elsewhere(half: libcanary.Rollout, canary_clock: testing.Clock) -> None:
    rows: list[dict[str, Any]] = [
        {"metric": "f1", "cohort": "new", "kind": "classification", "declare": True,
         "tp": 91, "fp": 9, "fn": 9},
        {"metric": "f1", "cohort": "both", "tp": 1},
        {"metric": "none", "cohort": "old", "value": 1},
        {"metric": "f1", "cohort": False, "tp": -1},
        {"metric": "duration", "cohort": "new", "value": 0.25, "at": canary_clock.now},
        {"metric": "error", "cohort": "old", "n": 100, "k": 7.0},
        {"metric": "f1", "cohort": "new", "tq": 1},
    ]
    done = half.import_rows(rows, key="eval:2026-03-01")
    assert not done and not done.repeated
    assert [row.ok for row in done.rows] == [True, False, False, False, True, True, False]
    assert done.rows[0].declared
    assert [number for number, _ in done.refused] == [1, 2, 3, 6]
    assert "tq" in dict(done.refused)[6] and "-1" in dict(done.refused)[3]
    assert half.import_rows(rows, key="eval:2026-03-01").repeated
    with pytest.raises(libcanary.ConflictError):
        half.import_rows(rows[:1], key="eval:2026-03-01")
    with pytest.raises(TypeError):
        half.import_rows([("f1", "new")])  # type: ignore[list-item]
    found = half.metrics()
    assert found["f1"].new.f1 == pytest.approx(0.91)
    assert found["duration"].new.sum == 0.25
    assert (found["error"].old.n, found["error"].old.k) == (100, 7)


def test_durations_from_elsewhere(half: libcanary.Rollout) -> None:
    done = half.import_rows([
        {"metric": "inner", "cohort": "new", "duration": 0.25, "declare": True},
        {"metric": "inner", "cohort": "new", "duration": datetime.timedelta(seconds=0.5)},
        {"metric": "inner", "cohort": "new", "duration": 1, "kind": "value"},
        {"metric": "inner", "cohort": "new", "duration": 1, "value": 1},
    ])
    assert [row.ok for row in done.rows] == [True, True, False, False]
    assert half.metrics()["inner"].new.sum == 0.75


def test_a_baseline(half: libcanary.Rollout, canary_clock: testing.Clock) -> None:
    with pytest.raises(libcanary.NotFoundError):
        half.baseline_read()
    for _ in range(10):
        half.record(half.decide("user-1"), duration=0.5)
    half.flush()
    canary_clock.advance(7200)
    with pytest.raises(ValueError, match="since"):
        half.baseline_capture()
    tried = half.baseline_capture(window=86400, dry_run=True)
    assert tried.outcomes == 10
    taken = half.baseline_capture(
        window=datetime.timedelta(days=7), by="ann", note="before the rollout")
    assert (taken.outcomes, taken.by, taken.note, taken.hours) == (
        10, "ann", "before the rollout", 1)
    assert half.baseline_read() == taken and taken.captured_at == canary_clock.now
    frozen = half.metrics(baseline=True)
    assert (frozen["duration"].old.n, frozen["duration"].old.mean) == (10, 0.5)


def test_openmetrics(half: libcanary.Rollout) -> None:
    half.record(half.decide("alice"), status="error", duration=0.25)
    text = half.openmetrics()
    assert text.endswith("\n# EOF\n")
    assert 'rollout="skills"' in text and 'cohort="new"' in text
    assert half.store.openmetrics().endswith("\n# EOF\n")


# -- forgetting nothing, leaking nothing


def test_closing_merges_what_is_left(db: Any) -> None:
    with libcanary.open(db, "skills") as skills:
        skills.record(skills.decide("alice"))
    with libcanary.open_store(db) as store:
        assert store.metrics("skills")["error"].new.n == 1


def test_no_leak_and_right_counts(half: libcanary.Rollout) -> None:
    half.declare("cost", "value")
    half.declare("f1", "classification")
    decision, values = half.decide("alice"), {"cost": 0.5, "f1": (1, 2, 3), "none": 1}
    user = "user-" + "x" * 9
    objects = (decision, values, user, half, None)

    def work() -> None:
        half.record(decision, values=values, duration=0.5, status="error")
        half.record(user, cohort=True)
        half.expose(decision)
        with half.request(user, timeouts=Late) as request:
            request.record("cost", 0.5)
            request.decision
        for wrong in ({"cohort": 3}, {"duration": "x"}, {"values": {"cost": "x"}}):
            try:
                half.record(user, **{"cohort": True} | wrong)  # type: ignore[call-overload]
            except TypeError:
                pass

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(2000):
        work()
    gc.collect()
    counts, before = [sys.getrefcount(o) for o in objects], resident()
    for _ in range(20_000):
        work()
    gc.collect()
    after = [sys.getrefcount(o) for o in objects]
    assert all(abs(a - b) < 50 for a, b in zip(counts, after)), (counts, after)
    assert resident() - before < 1 << 20
