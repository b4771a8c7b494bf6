# SPDX-License-Identifier: MIT
"""Store: the extension's type with an operator's calls in Python's idiom."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _core
from ._arguments import (
    COHORTS,
    ChangeOptions,
    StageSpec,
    check_path,
    nanoseconds_of,
    options_of,
    stages_of,
)
from ._errors import InvalidError
from ._figures import (
    Baseline,
    Exposure,
    Imported,
    ImportResult,
    Metrics,
    exposure_of,
    metrics_of,
)
from ._observe import Moment, Span, import_rows, query
from ._types import (
    Bell,
    Change,
    Flag,
    State,
    Verification,
    change_of,
    flag_of,
    state_of,
    verification_of,
)

if TYPE_CHECKING:
    if sys.version_info >= (3, 11):
        from typing import Self, Unpack
    else:
        from typing_extensions import Self, Unpack

    from ._rollout import Rollout
    from .testing import Clock

_LOG_LEVELS = ((40, 1), (30, 2), (20, 3))


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
            nanoseconds_of(tick, "tick"),
            nanoseconds_of(busy_timeout, "busy_timeout"),
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
        from ._rollout import Rollout  # which is made of stores

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
        return change_of(self._create(name, stages_of(stages), salt, flag, **options_of(options)))

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
        return change_of(self._change("flag", name, 1 if enabled else 0, **options_of(options)))

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
        told, refused = import_rows(rows, COHORTS)
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
    check_path(path)
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
