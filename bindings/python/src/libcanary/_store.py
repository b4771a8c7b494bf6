# SPDX-License-Identifier: MIT
"""Store and Rollout: the extension's types with an operator's calls in Python's idiom."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from . import _core
from ._errors import InvalidError
from ._figures import (
    Baseline,
    Exposure,
    Imported,
    ImportResult,
    Metrics,
    Recording,
    exposure_of,
    metrics_of,
    recording_of,
)
from ._observe import (
    Kind,
    Metric,
    Moment,
    Span,
    follow,
    import_rows,
    query,
)
from ._types import (
    Bell,
    Change,
    Flag,
    Info,
    Override,
    State,
    Verification,
    change_of,
    flag_of,
    info_of,
    state_of,
    verification_of,
)

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Self, Unpack
    else:
        from typing_extensions import Self, Unpack

    from .testing import Clock

User = str | bytes
Percentage = int | float | Decimal | Fraction
Cohort = Literal["new", "old"]
#: (name, percent) or (name, percent, seconds to stay), or just the percentage
StageSpec = Percentage | tuple[str, Percentage] | tuple[str, Percentage, float]

_COHORTS = {"old": 0, "new": 1}
_LOG_LEVELS = ((40, 1), (30, 2), (20, 3))


class ChangeOptions(TypedDict, total=False):
    """What every change takes besides."""

    #: who; recorded as "unknown" when it is left out
    by: str | None
    #: why
    note: str | None
    #: what it rests on, any text up to 64 KiB
    evidence: str | None
    #: ConflictError unless this is the present revision, or stage
    expected_revision: int | None
    expected_stage: int | None
    #: answer what would happen, and change nothing
    dry_run: bool
    #: recorded as such; skips gates
    emergency: bool


def _basis_points(percentage: Percentage) -> int:
    if isinstance(percentage, bool) or not isinstance(
        percentage, (int, float, Decimal, Fraction)
    ):
        raise TypeError(f"a percentage is a number, not {type(percentage).__name__}")
    if not math.isfinite(percentage):
        raise InvalidError(f"{percentage!r} is no percentage; 0 to 100 is allowed")
    exact = Fraction(repr(percentage)) if isinstance(percentage, float) else Fraction(percentage)
    bp = exact * 100
    if bp.denominator != 1:
        raise InvalidError(f"{percentage} %: at most two decimals are allowed")
    if not 0 <= bp <= 10000:
        raise InvalidError(f"{percentage} % is out of range; 0 to 100 is allowed")
    return int(bp)


def _nanoseconds(seconds: float | None, what: str) -> int:
    if seconds is None:
        return 0
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{what} is a number of seconds, not {type(seconds).__name__}")
    # Nine billion seconds are as many nanoseconds as 64 bits hold.
    if not 0 < seconds < 9e9:
        raise InvalidError(f"{what} is {seconds} s; more than 0 is allowed")
    return max(1, round(seconds * 1e9))


def _options(options: ChangeOptions) -> dict[str, Any]:
    known: dict[str, Any] = dict(options)
    dry_run, emergency = known.pop("dry_run", False), known.pop("emergency", False)
    flags = (_core.CHANGE_DRY_RUN if dry_run else 0) | (
        _core.CHANGE_EMERGENCY if emergency else 0
    )
    return {"flags": flags} | {key: value for key, value in known.items() if value is not None}


def _stages(stages: Sequence[StageSpec] | None) -> tuple[tuple[str | None, int, int], ...]:
    if stages is None:
        return ()
    rungs: list[tuple[str | None, int, int]] = []
    for stage in stages:
        if isinstance(stage, tuple):
            name, percentage, *dwell = stage
            dwell_ns = round(dwell[0] * 1e9) if dwell else 0
            rungs.append((name, _basis_points(percentage), dwell_ns))
        else:
            rungs.append((None, _basis_points(stage), 0))
    if not rungs:
        raise InvalidError("a ladder has at least one stage above 0")
    if len({name is None for name, _, _ in rungs}) > 1:
        raise InvalidError("give every stage a name, or none")
    return tuple(rungs)


def _cohort(cohort: str) -> int:
    try:
        return _COHORTS[cohort]
    except (KeyError, TypeError):
        raise InvalidError(f'{cohort!r} is no cohort; "new" and "old" are') from None


def _path(path: object) -> None:
    # The extension takes None for a store in memory, which a variable left empty must not make.
    if path is None:
        raise TypeError("path is a str, bytes or os.PathLike, not None")


def _users(users: Iterable[User]) -> tuple[User, ...]:
    if isinstance(users, (str, bytes)):
        raise TypeError("users is a list of user ids, not one id")
    return tuple(users)


class Store(_core.Store):
    """Where rollouts live: a file, or memory. A context manager that closes itself.

    Calls here read and write files and may wait for another process, up to `busy_timeout`; they
    release the GIL meanwhile. Under asyncio give them to a thread (``asyncio.to_thread``).
    """

    __slots__ = ()

    def __init__(
        self,
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None,
        *,
        create: bool = False,
        read_only: bool = False,
        defer: bool = False,
        watcher: bool = True,
        tick: float | None = None,
        busy_timeout: float | None = None,
        log_level: int = 30,
        clock: Clock | None = None,
    ) -> None:
        flags = (
            (_core.OPEN_CREATE if create else 0)
            | (_core.OPEN_READ_ONLY if read_only else 0)
            | (_core.OPEN_DEFER if defer else 0)
            | (0 if watcher else _core.OPEN_NO_WATCHER)
        )
        level = next((ours for theirs, ours in _LOG_LEVELS if log_level >= theirs), 4)
        super().__init__(
            path,
            flags if path is not None else 0,
            _nanoseconds(tick, "tick"),
            _nanoseconds(busy_timeout, "busy_timeout"),
            level,
            clock,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<libcanary.Store {'in memory' if self.path is None else repr(self.path)}{state}>"

    def rollout(
        self,
        name: str,
        *,
        stale_after: float | None = None,
        kill_switch: Callable[[], object] | None = None,
        defer: bool = False,
    ) -> Rollout:
        """Opens one rollout of this store, ready to decide. See `libcanary.open`."""
        return Rollout(
            self, name, stale_after=stale_after, kill_switch=kill_switch, defer=defer
        )

    def create(
        self,
        name: str,
        *,
        stages: Sequence[StageSpec] | None = None,
        salt: str = "",
        flag: str | None = None,
        by: str | None = None,
        note: str | None = None,
        evidence: str | None = None,
        dry_run: bool = False,
    ) -> Change:
        """Creates a rollout at stage 0, where everybody gets the old path.

        `stages` is the ladder above 0, for example ``[("TRY", 1), ("HALF", 50), ("ALL", 100)]``;
        without it 5, 25, 50 and 100 %. `flag` names the switch it obeys, by default its own.
        """
        options: ChangeOptions = {
            "by": by,
            "note": note,
            "evidence": evidence,
            "dry_run": dry_run,
        }
        return change_of(self._create(name, _stages(stages), salt, flag, **_options(options)))

    def rollouts(self) -> list[State]:
        """All rollouts, by name."""
        return [state_of(entry) for entry in self._rollouts()]

    def state(self, name: str) -> State:
        """One rollout, read afresh."""
        return state_of(self._rollout(name))

    def flags(self) -> list[Flag]:
        """All flags, by name."""
        return [flag_of(entry) for entry in self._flags()]

    def set_flag(self, name: str, enabled: bool, **options: Unpack[ChangeOptions]) -> Change:
        """Switches a flag, which is made when it is not there. Off kills whatever obeys it."""
        return change_of(self._change("flag", name, 1 if enabled else 0, **_options(options)))

    def history(
        self, rollout: str | None = None, *, limit: int = 0, before: int = 0
    ) -> list[Change]:
        """The audit trail, newest first: of one rollout, or of the whole store.

        `limit` 0 takes all; `before` begins below that change id, for paging.
        """
        if limit < 0 or before < 0:
            raise InvalidError("limit and before are not negative")
        return [change_of(entry) for entry in self._history(rollout, limit, before)]

    def metrics(
        self,
        rollout: str,
        *,
        window: Span | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        by_generation: bool = False,
        generation: int | None = None,
        step: Span | None = None,
        metric: str | None = None,
        baseline: bool = False,
    ) -> Metrics:
        """What all processes recorded, cohort against cohort: of the last `window`, or `since`
        `until`, or of all time.

        With `step` a set of rows for each step of that length, with `by_generation` for each time
        between two changes of the percentage. `baseline` gives the captured baseline instead.
        What this process recorded since its last tick is not in it before `flush()`.
        """
        asked = query(
            self._now(), window, since, until, by_generation, generation, step, metric, baseline
        )
        return metrics_of(self._metrics(rollout, *asked))

    def exposure(
        self,
        rollout: str,
        *,
        window: Span | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        generation: int | None = None,
    ) -> Exposure:
        """Decisions in that time, and the distinct users of a generation, by default the newest."""
        asked = query(self._now(), window, since, until, generation=generation)
        return exposure_of(self._exposure(rollout, *asked))

    def import_rows(
        self, rollout: str, rows: Iterable[Mapping[str, Any]], *, key: str | None = None
    ) -> Imported:
        """Merges figures that were computed elsewhere, in one transaction.

        A row is ``{"metric": "f1", "cohort": "new", "tp": 91, "fp": 9, "fn": 9}``: proportions have
        `n` and `k`, values and scores a `value`, durations a `duration` in seconds or as a
        timedelta, classifications `tp`, `fp`, `fn` and `tn`. `kind`, `unit` and
        ``"declare": True`` declare a metric that is not known yet, `at` says when. A row that is
        not allowed is refused by itself, and the others merged. `key` names the delivery: the same
        one again merges nothing.
        """
        told, refused = import_rows(rows, _COHORTS)
        results, repeated = self._import(rollout, key, told)
        of_told = iter([ImportResult(*result) for result in results])
        every = [refused.get(i) or next(of_told) for i in range(len(told) + len(refused))]
        return Imported(tuple(every), repeated)

    def baseline_capture(
        self,
        rollout: str,
        *,
        window: Span | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        by: str | None = None,
        note: str | None = None,
        dry_run: bool = False,
    ) -> Baseline:
        """Freezes what the old cohort lived through in that time, by hour of the week; in place of
        an earlier baseline."""
        if window is None and since is None:
            raise InvalidError("say from when on: window=, or since=")
        _, from_ns, to_ns, *_ = query(self._now(), window, since, until)
        flags = _core.CHANGE_DRY_RUN if dry_run else 0
        return Baseline(**self._baseline_capture(rollout, from_ns, to_ns, by, note, flags))

    def baseline_read(self, rollout: str) -> Baseline:
        """Tells about the baseline; its figures come from ``metrics(rollout, baseline=True)``."""
        return Baseline(**self._baseline_read(rollout))

    def verify(self) -> Verification:
        """Proves that nobody edited the trail, and no state apart from it. True when all is well."""
        return verification_of(self._verify())

    def bell(self) -> Bell:
        """Looks at the doorbell, and rings it once."""
        return Bell(*self._bell())


class Rollout(_core.Context):
    """One rollout, ready to decide: from any thread, at any time between open and close.

    A context manager that closes itself. It survives a fork: a child decides at once and follows
    changes by itself.
    """

    __slots__ = ("__weakref__",)

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        stale_after: float | None = None,
        kill_switch: Callable[[], object] | None = None,
        defer: bool = False,
        _owns_store: bool = False,
    ) -> None:
        super().__init__(
            store,
            name,
            kill_switch,
            _nanoseconds(stale_after, "stale_after"),
            _core.OPEN_DEFER if defer else 0,
            _owns_store,
        )
        follow(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<libcanary.Rollout {self.name!r}{' closed' if self.closed else ''}>"

    if TYPE_CHECKING:

        @property
        def store(self) -> Store: ...

    def info(self) -> Info:
        """State and freshness: what is acted on, how old it is, what brought it, what failed."""
        return info_of(self._info())

    def state(self) -> State:
        """The rollout as it stands in the store, read afresh."""
        return self.store.state(self.name)

    def declare(
        self,
        name: str | Metric,
        kind: Kind | None = None,
        *,
        unit: str = "",
        minimum: float | None = None,
        maximum: float | None = None,
        resolution: float | None = None,
        thresholds: Iterable[Span] = (),
    ) -> None:
        """Declares a metric, for the `values` of outcomes: see `Metric`, which may be given instead.

        Declaring the same again does nothing, another one of that name is a ConflictError.
        """
        if isinstance(name, Metric):
            metric = name
        elif kind is None:
            raise TypeError("a metric has a kind: declare(name, kind)")
        else:
            metric = Metric(name, kind, unit, minimum, maximum, resolution, tuple(thresholds))
        self._declare(*metric._arguments())

    def recording(self) -> Recording:
        """What became of the outcomes that this process recorded: counted, rejected, merged."""
        return recording_of(self._recording())

    def openmetrics(self) -> str:
        """As `Store.openmetrics`: of every rollout that this process has open in the store."""
        return self.store.openmetrics()

    def metrics(
        self,
        *,
        window: Span | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        by_generation: bool = False,
        generation: int | None = None,
        step: Span | None = None,
        metric: str | None = None,
        baseline: bool = False,
    ) -> Metrics:
        """What all processes recorded for this rollout; see `Store.metrics`."""
        return self.store.metrics(
            self.name,
            window=window,
            since=since,
            until=until,
            by_generation=by_generation,
            generation=generation,
            step=step,
            metric=metric,
            baseline=baseline,
        )

    def exposure(
        self,
        *,
        window: Span | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        generation: int | None = None,
    ) -> Exposure:
        """Decisions and distinct users; see `Store.exposure`."""
        return self.store.exposure(
            self.name, window=window, since=since, until=until, generation=generation
        )

    def import_rows(
        self, rows: Iterable[Mapping[str, Any]], *, key: str | None = None
    ) -> Imported:
        """Merges figures that were computed elsewhere; see `Store.import_rows`."""
        return self.store.import_rows(self.name, rows, key=key)

    def baseline_capture(
        self,
        *,
        window: Span | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        by: str | None = None,
        note: str | None = None,
        dry_run: bool = False,
    ) -> Baseline:
        """Freezes what the old cohort lived through; see `Store.baseline_capture`."""
        return self.store.baseline_capture(
            self.name,
            window=window,
            since=since,
            until=until,
            by=by,
            note=note,
            dry_run=dry_run,
        )

    def baseline_read(self) -> Baseline:
        """Tells about the baseline of this rollout."""
        return self.store.baseline_read(self.name)

    def _make(self, what: str, number: int = 0, **arguments: Any) -> Change:
        return change_of(self.store._change(what, self.name, number, **arguments))

    def advance(self, **options: Unpack[ChangeOptions]) -> Change:
        """Moves to the next rung of the ladder."""
        return self._make("advance", **_options(options))

    def rollback(self, stage: int = 0, **options: Unpack[ChangeOptions]) -> Change:
        """Moves down, by default to everybody on the old path. Never refused, never queued.

        It takes effect before it is recorded: on a StoreError with `in_effect` True every process
        of the host acts on it already.
        """
        return self._make("rollback", stage, **_options(options))

    def set_stage(self, stage: int, **options: Unpack[ChangeOptions]) -> Change:
        """Moves to a rung, up or down."""
        return self._make("stage", stage, **_options(options))

    def set_percentage(
        self,
        percentage: Percentage,
        *,
        phase: str | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Change:
        """Sets the share of users on the new path: 0 to 100, at most two decimals.

        `phase` names it for people; without it the rung that it reaches.
        """
        return self._make(
            "percentage", _basis_points(percentage), text=phase, **_options(options)
        )

    def set_flag(self, enabled: bool, **options: Unpack[ChangeOptions]) -> Change:
        """Switches the flag that this rollout obeys. Off sends everybody to the old path."""
        return self.store.set_flag(self.state().flag, enabled, **options)

    def accept(self, **options: Unpack[ChangeOptions]) -> Change:
        """Signs what stands in the store, after somebody looked at what was changed outside."""
        return self._make("accept", **_options(options))

    def history(self, *, limit: int = 0, before: int = 0) -> list[Change]:
        """This rollout's changes, newest first."""
        return self.store.history(self.name, limit=limit, before=before)

    def overrides(self) -> list[Override]:
        """The pinned users, in the order of their bytes."""
        found: list[Override] = []
        for user, cohort in self.store._overrides(self.name):
            try:
                found.append(Override(user.decode(), cohort))
            except UnicodeDecodeError:
                found.append(Override(user, cohort))
        return found

    def set_override(
        self, user: User, cohort: Cohort, **options: Unpack[ChangeOptions]
    ) -> Change:
        """Pins a user to "new" or "old", whatever the percentage."""
        return self._make("pin", _cohort(cohort), users=(user,), **_options(options))

    def set_overrides(
        self, users: Iterable[User], cohort: Cohort, **options: Unpack[ChangeOptions]
    ) -> Change:
        """Pins many users in one transaction, with one row in the trail."""
        return self._make("pin", _cohort(cohort), users=_users(users), **_options(options))

    def remove_override(self, user: User, **options: Unpack[ChangeOptions]) -> Change:
        """Removes a pin."""
        return self._make("unpin", users=(user,), **_options(options))


def open(
    path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    rollout: str,
    *,
    create: bool = False,
    read_only: bool = False,
    defer: bool = False,
    watcher: bool = True,
    tick: float | None = None,
    busy_timeout: float | None = None,
    stale_after: float | None = None,
    kill_switch: Callable[[], object] | None = None,
    log_level: int = 30,
) -> Rollout:
    """Opens one rollout of the store at `path`, ready to decide; closing it closes the store.

    Args:
        path: the database file.
        rollout: its name in the store.
        create: make the store, and the rollout at stage 0, when there is none.
        read_only: never write, not even to finish a dead writer's work.
        defer: succeed though nothing can be read yet; everybody gets the old path until then.
        watcher: follow changes in a thread; without it call ``rollout.store.refresh()``.
        tick: seconds between looks where the doorbell does not reach; 0.25 by default.
        busy_timeout: seconds that a change waits for a locked store; 5 by default.
        stale_after: seconds after which a state that could not be confirmed counts for nothing and
            everybody gets the old path; by default the last known state stays.
        kill_switch: called without arguments at each decision; anything true sends the user to the
            old path. It makes each decision as slow as itself, some 30 ns at the least, and is the
            only Python code in it. An exception in it counts as true and goes to
            ``sys.unraisablehook``.
        log_level: the least level that reaches the logger "libcanary".
    """
    _path(path)
    store = Store(
        path,
        create=create,
        read_only=read_only,
        defer=defer,
        watcher=watcher,
        tick=tick,
        busy_timeout=busy_timeout,
        log_level=log_level,
    )
    try:
        return _open_in(store, rollout, create, stale_after, kill_switch, defer)
    except BaseException:
        store.close()
        raise


def _open_in(
    store: Store,
    name: str,
    create: bool,
    stale_after: float | None,
    kill_switch: Callable[[], object] | None,
    defer: bool,
) -> Rollout:
    from ._errors import ExistsError, NotFoundError

    def again() -> Rollout:
        return Rollout(
            store,
            name,
            stale_after=stale_after,
            kill_switch=kill_switch,
            defer=defer,
            _owns_store=True,
        )

    if create:
        try:
            store.state(name)
        except NotFoundError:
            try:
                store.create(name)
            except ExistsError:
                pass  # another process was faster
    return again()


def open_store(
    path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    *,
    create: bool = False,
    read_only: bool = False,
    defer: bool = False,
    watcher: bool = True,
    tick: float | None = None,
    busy_timeout: float | None = None,
    log_level: int = 30,
) -> Store:
    """Opens the store at `path`, for several rollouts (one watcher for all), or for an operator."""
    _path(path)
    return Store(
        path,
        create=create,
        read_only=read_only,
        defer=defer,
        watcher=watcher,
        tick=tick,
        busy_timeout=busy_timeout,
        log_level=log_level,
    )

