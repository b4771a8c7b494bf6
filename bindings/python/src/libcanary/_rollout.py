# SPDX-License-Identifier: MIT
"""Rollout: the extension's type that decides, with an operator's calls on this one rollout."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _core
from ._arguments import (
    ChangeOptions,
    Cohort,
    Percentage,
    User,
    basis_points_of,
    check_path,
    cohort_of,
    nanoseconds_of,
    options_of,
    users_of,
)
from ._errors import ExistsError, NotFoundError
from ._figures import Baseline, Exposure, Imported, Metrics, Recording, recording_of
from ._observe import Kind, Metric, Moment, Span, follow
from ._store import Store
from ._types import Change, Info, Override, State, change_of, info_of

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Self, Unpack
    else:
        from typing_extensions import Self, Unpack


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
            nanoseconds_of(stale_after, "stale_after"),
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
        return self._make("advance", **options_of(options))

    def rollback(self, stage: int = 0, **options: Unpack[ChangeOptions]) -> Change:
        """Moves down, by default to everybody on the old path. Never refused, never queued.

        It takes effect before it is recorded: on a StoreError with `in_effect` True every process
        of the host acts on it already.
        """
        return self._make("rollback", stage, **options_of(options))

    def set_stage(self, stage: int, **options: Unpack[ChangeOptions]) -> Change:
        """Moves to a rung, up or down."""
        return self._make("stage", stage, **options_of(options))

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
            "percentage", basis_points_of(percentage), text=phase, **options_of(options)
        )

    def set_flag(self, enabled: bool, **options: Unpack[ChangeOptions]) -> Change:
        """Switches the flag that this rollout obeys. Off sends everybody to the old path."""
        return self.store.set_flag(self.state().flag, enabled, **options)

    def accept(self, **options: Unpack[ChangeOptions]) -> Change:
        """Signs what stands in the store, after somebody looked at what was changed outside."""
        return self._make("accept", **options_of(options))

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
        return self._make("pin", cohort_of(cohort), users=(user,), **options_of(options))

    def set_overrides(
        self, users: Iterable[User], cohort: Cohort, **options: Unpack[ChangeOptions]
    ) -> Change:
        """Pins many users in one transaction, with one row in the trail."""
        return self._make("pin", cohort_of(cohort), users=users_of(users), **options_of(options))

    def remove_override(self, user: User, **options: Unpack[ChangeOptions]) -> Change:
        """Removes a pin."""
        return self._make("unpin", users=(user,), **options_of(options))


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
    check_path(path)
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
