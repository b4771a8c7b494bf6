# SPDX-License-Identifier: MIT
"""For tests of code that decides: a store in memory, pinned cohorts, a clock that a test sets.

    from libcanary.testing import rollout

    def test_both_paths():
        with rollout(new=["alice"], old=["bob"]) as checkout:
            assert page(checkout, "alice") == "new"
            assert page(checkout, "bob") == "old"

What the code recorded is told by `outcomes`, `measured` and `rejected`:

    def test_what_is_recorded():
        with rollout(new=["alice"]) as checkout:
            page(checkout, "alice")
            assert outcomes(checkout) == {"new": {"ok": 1}, "old": {}}

Installed as a pytest plugin too: see `canary_rollout` and `canary_clock`.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterable, Iterator

from .. import _core
from .._arguments import Percentage, User
from .._figures import Figures
from .._rollout import Rollout
from .._store import Store

__all__ = ["Clock", "measured", "memory_store", "outcomes", "pinned", "rejected", "rollout"]


class Clock(_core.Clock):
    """A clock that stands until it is moved: for stale states and the times in the audit trail."""

    __slots__ = ()

    def __init__(self, now: datetime.datetime | None = None) -> None:
        super().__init__(_ns_of(now or datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)))

    @property
    def now(self) -> datetime.datetime:
        """The wall clock, in UTC."""
        return _EPOCH + datetime.timedelta(microseconds=self.realtime_ns // 1000)

    def advance(self, seconds: float) -> None:
        """Moves time forward, for everything."""
        self.advance_ns(round(seconds * 1e9))

    def set(self, now: datetime.datetime) -> None:
        """Sets the wall clock, forth or back as somebody's hand would; ages do not notice."""
        self.set_realtime_ns(_ns_of(now))


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _ns_of(now: datetime.datetime) -> int:
    if now.tzinfo is None:
        raise ValueError("a time without a zone could be any of 24 hours")
    return (now - _EPOCH) // datetime.timedelta(microseconds=1) * 1000


def memory_store(clock: Clock | None = None) -> Store:
    """A new, empty store in memory. Changes are in effect when their call returns."""
    return Store(None, clock=clock)


@contextlib.contextmanager
def rollout(
    name: str = "test",
    *,
    percentage: Percentage = 0,
    new: Iterable[User] = (),
    old: Iterable[User] = (),
    salt: str = "",
    clock: Clock | None = None,
    stale_after: float | None = None,
    kill_switch: Callable[[], object] | None = None,
) -> Iterator[Rollout]:
    """A rollout in memory, at a percentage, with users pinned to either path."""
    with memory_store(clock) as store:
        store.create(name, salt=salt)
        with store.rollout(name, stale_after=stale_after, kill_switch=kill_switch) as opened:
            if percentage:
                opened.set_percentage(percentage)
            with pinned(opened, new=new, old=old):
                yield opened


@contextlib.contextmanager
def pinned(
    rollout: Rollout, *, new: Iterable[User] = (), old: Iterable[User] = ()
) -> Iterator[Rollout]:
    """Pins users while it lasts, and gives them back what they had."""
    wanted = {**dict.fromkeys(new, "new"), **dict.fromkeys(old, "old")}
    before = dict(rollout.overrides()) if wanted else {}
    try:
        for cohort in ("new", "old"):
            users = [user for user, theirs in wanted.items() if theirs == cohort]
            if users:
                rollout.set_overrides(users, cohort)
        yield rollout
    finally:
        if not rollout.closed and not rollout.store.closed:
            for user in wanted:
                if user in before:
                    rollout.set_override(user, "new" if before[user] == "new" else "old")
                else:
                    rollout.remove_override(user)


def outcomes(rollout: Rollout) -> dict[str, dict[str, int]]:
    """How many requests ended how, by cohort and status: ``{"new": {"ok": 2}, "old": {}}``."""
    rollout.flush()
    found = rollout.metrics()
    counts: dict[str, dict[str, int]] = {"new": {}, "old": {}}
    if "error" in found:
        for cohort in counts:
            error: Figures = getattr(found["error"], cohort)
            timeout: Figures = getattr(found["timeout"], cohort)
            every = {"ok": error.n - error.k - timeout.k, "error": error.k, "timeout": timeout.k}
            counts[cohort] = {status: n for status, n in every.items() if n}
    return counts


def measured(rollout: Rollout, metric: str) -> dict[str, Figures]:
    """The figures of a metric by cohort: ``measured(checkout, "cost")["new"].sum``. A KeyError when
    nothing was measured. Durations follow the rollout's clock, where it has one."""
    rollout.flush()
    row = rollout.metrics()[metric]
    return {"new": row.new, "old": row.old}


def rejected(rollout: Rollout) -> dict[str, int]:
    """What this process recorded and was not allowed, by cause: ``{}`` when all is well."""
    return {cause: n for cause, n in rollout.recording().rejected.items() if n}
