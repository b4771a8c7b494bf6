# SPDX-License-Identifier: MIT
"""Recording and figures in Python's words; and flushing when a process ends."""

from __future__ import annotations

import datetime
import logging
import os
import sys
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from . import _core
from ._errors import ClosedError, Error, InvalidError
from ._figures import ImportResult, Recording

#: seconds, or a timedelta
Span = float | datetime.timedelta
#: seconds since 1970, or a datetime that has a zone
Moment = float | datetime.datetime
Kind = Literal["proportion", "duration", "value", "score", "classification"]
Status = Literal["ok", "error", "timeout"]
#: a number, a bool, or (tp, fp, fn) or (tp, fp, fn, tn); None is no value
Value = float | bool | datetime.timedelta | tuple[int, int, int] | tuple[int, int, int, int] | None

_KINDS = {"proportion": 1, "duration": 2, "value": 3, "score": 4, "classification": 5}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_US = datetime.timedelta(microseconds=1)
# Whole multiples of a resolution that a number can have.
_MULTIPLES, _RESOLUTION = 2.0**47, 0.000001


def kind_of(kind: str) -> int:
    try:
        return _KINDS[kind]
    except (KeyError, TypeError):
        raise InvalidError(f"{kind!r} is no kind; {', '.join(_KINDS)} are") from None


@dataclass(frozen=True)
class Metric:
    """A metric to be declared.

    Args:
        name: a letter of a-z, and up to 62 more of a-z, 0-9 and _. "duration" adds thresholds to the
            built-in one; "error" and "timeout" are taken.
        kind: "proportion" (true or false: cache hits), "duration" (seconds), "value" (any number:
            cost), "score" (a number within a range: quality), or "classification" (true and false
            positives and negatives).
        unit: for people and for Prometheus; that of a duration is always seconds.
        minimum, maximum: of a value or score; a score must have both.
        resolution: numbers are kept as whole multiples of it, which makes sums exact; 0.000001 by
            default.
        thresholds: seconds; durations above each of them are counted exactly. At most 8.
    """

    name: str
    kind: Kind
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    resolution: float | None = None
    thresholds: tuple[Span, ...] = ()

    def _arguments(self) -> tuple[Any, ...]:
        minimum, maximum, kind = self.minimum, self.maximum, kind_of(self.kind)
        if minimum is not None and maximum is not None and not minimum < maximum:
            raise InvalidError(
                f'metric "{self.name}": the minimum {minimum} is not below the maximum {maximum}'
            )
        if (minimum is None) != (maximum is None) and kind == _KINDS["value"]:
            widest = _MULTIPLES * (self.resolution or _RESOLUTION)
            minimum = -widest if minimum is None else minimum
            maximum = widest if maximum is None else maximum
        return (
            self.name, kind, self.unit, minimum or 0.0, maximum or 0.0, self.resolution or 0.0,
            tuple(self.thresholds),
        )


# -- questions


def _span_ns(span: Span, what: str) -> int:
    if isinstance(span, datetime.timedelta):
        ns = span // _US * 1000
    elif isinstance(span, bool) or not isinstance(span, (int, float)):
        raise TypeError(f"{what} is seconds or a timedelta, not {type(span).__name__}")
    elif not 0 < span < 9e9:
        raise InvalidError(f"{what} is {span} s; more than 0 is allowed")
    else:
        ns = round(span * 1e9)
    if ns <= 0:
        raise InvalidError(f"{what} is {span}; more than 0 is allowed")
    return ns


def moment_ns(moment: Moment | None, what: str) -> int:
    """0, which the library takes for an end that is open, for None."""
    if moment is None:
        return 0
    if isinstance(moment, datetime.datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{what} has no zone: it could be any of 24 hours")
        return (moment - _EPOCH) // _US * 1000
    if isinstance(moment, bool) or not isinstance(moment, (int, float)):
        raise TypeError(
            f"{what} is a datetime, or seconds since 1970, not {type(moment).__name__}"
        )
    if not 0 <= moment < 9e9:
        raise InvalidError(f"{what} is {moment}; seconds since 1970 are allowed")
    return round(moment * 1e9)


def query(
    now_ns: int,
    window: Span | None,
    since: Moment | None,
    until: Moment | None,
    by_generation: bool = False,
    generation: int | None = None,
    step: Span | None = None,
    metric: str | None = None,
    baseline: bool = False,
) -> tuple[int, int, int, int, int, str | None]:
    """Flags, from, to, step, generation, metric, as the extension takes them."""
    from_ns, to_ns = moment_ns(since, "since"), moment_ns(until, "until")
    if window is not None:
        if since is not None:
            raise TypeError("window and since both say where to begin: give one of them")
        from_ns = max(1, (to_ns or now_ns) - _span_ns(window, "window"))
    if generation is not None and generation < 1:
        raise InvalidError("a generation is the revision that began it, from 1")
    flags = (_core.METRICS_BY_GENERATION if by_generation else 0) | (
        _core.METRICS_BASELINE if baseline else 0
    )
    return flags, from_ns, to_ns, 0 if step is None else _span_ns(step, "step"), generation or 0, metric


# -- figures from elsewhere

_ROW = {
    "metric", "cohort", "kind", "unit", "declare", "at", "n", "k", "value", "duration", "tp", "fp",
    "fn", "tn",
}


def import_rows(
    rows: Iterable[Mapping[str, Any]], cohorts: Mapping[str, int]
) -> tuple[tuple[tuple[Any, ...], ...], dict[int, ImportResult]]:
    """Rows as the extension takes them, and by their numbers those that it could not even be told."""
    told: list[tuple[Any, ...]] = []
    refused: dict[int, ImportResult] = {}
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"row {i} is a mapping of names to values, not {type(row).__name__}")
        try:
            told.append(_import_row(row, cohorts))
        except (TypeError, ValueError) as error:
            refused[i] = ImportResult(InvalidError.code, False, str(error))
    return tuple(told), refused


def _import_row(row: Mapping[str, Any], cohorts: Mapping[str, int]) -> tuple[Any, ...]:
    unknown = set(row) - _ROW
    if unknown:
        raise InvalidError(
            f"{sorted(unknown)[0]!r} is no field of a row; {', '.join(sorted(_ROW))} are"
        )
    cohort = row.get("cohort")
    if isinstance(cohort, bool):
        place = int(cohort)
    else:
        place = cohorts.get(cohort, -1) if isinstance(cohort, str) else -1
    kind, value = row.get("kind"), row.get("value", 0.0)
    if "duration" in row:
        # Whether a bare `value` is in seconds, only a row that says its kind can tell.
        if "value" in row or kind not in (None, "duration", _KINDS["duration"]):
            raise InvalidError("a row with a duration has no value, and no other kind")
        kind, value = "duration", row["duration"]
    if isinstance(value, datetime.timedelta):
        kind, value = kind or "duration", value.total_seconds()
    number = kind if isinstance(kind, int) else _KINDS.get(kind, -1) if kind else 0
    metric, unit = row.get("metric", ""), row.get("unit")
    if not isinstance(metric, str) or not isinstance(unit, (str, type(None))):
        raise InvalidError("metric and unit are text")
    if value and (number == _KINDS["duration"] or (not number and metric == "duration")):
        value *= 1e9  # seconds everywhere in Python
    counts = [_natural(row.get(name, 0), name) for name in ("tp", "fp", "fn", "tn")]
    return (
        place, number, bool(row.get("declare", False)), metric, unit,
        moment_ns(row.get("at"), "at"), _natural(row.get("n", 0), "n"),
        _natural(row.get("k", 0), "k"), float(value), *counts,
    )


def _natural(value: Any, what: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or not 0 <= value < 2**64:
        raise InvalidError(f"{what} is {value!r}; a whole number, 0 or more, is allowed")
    return value


# -- the end of a process


class _Recorder(Protocol):
    @property
    def closed(self) -> bool: ...
    @property
    def store(self) -> object: ...
    def recording(self) -> Recording: ...
    def flush(self) -> None: ...


_open: weakref.WeakSet[_Recorder] = weakref.WeakSet()
_log = logging.getLogger("libcanary")


def follow(opened: _Recorder) -> None:
    """From now on what `opened` recorded is merged when the process ends without closing it."""
    _open.add(opened)


def flush_all() -> None:
    failed: set[int] = set()
    for opened in _opened():
        # One flush is for all rollouts of a store. One that fails has waited for a lock already.
        store = id(opened.store)
        try:
            if store not in failed and not opened.closed and opened.recording().recording:
                opened.flush()
        except ClosedError:
            pass
        except Error as error:
            failed.add(store)
            _log.warning("what was recorded since the last tick is lost: %s", error)


def _opened() -> list[_Recorder]:
    while True:
        try:
            return list(_open)
        except RuntimeError:
            pass  # a thread opened or closed one meanwhile


class _Forked:
    """What multiprocessing keeps a weak reference to."""


_forked = _Forked()


def _at_exit_of_pools(after_fork: bool) -> None:
    """Workers of multiprocessing end by os._exit(), which runs no atexit, and forget at their start
    whatever was to run at the end; those of Celery run nothing but a signal's receivers."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(_forked, lambda _: _finalize(util))
        if not after_fork:
            _finalize(util)
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(
            _worker_ends, weak=False, dispatch_uid="libcanary"
        )


def _finalize(util: Any) -> None:
    util.Finalize(None, flush_all, exitpriority=-100)


def _worker_ends(**_: object) -> None:
    flush_all()


os.register_at_fork(after_in_child=lambda: _at_exit_of_pools(True))
_at_exit_of_pools(False)
