# SPDX-License-Identifier: MIT
"""What reading measurements answers: plain values, all immutable."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ._types import _time

#: Why something was rejected, in the order of the library.
CAUSES = (
    "argument", "cohort", "status", "duration", "undeclared", "kind", "number", "range",
)


@dataclass(frozen=True)
class Recording:
    """What this process did with outcomes of one rollout, since it opened it or was forked."""

    #: True once something was recorded
    recording: bool
    outcomes: int
    #: `expose()` included
    decisions: int
    #: by cause: "argument", "cohort", "status", "duration", "undeclared", "kind", "number", "range"
    rejected: dict[str, int]
    #: outcomes lost for want of memory
    dropped: int
    #: outcomes that are in the metrics database
    merged: int
    #: transactions of this process that merged something
    flushes: int
    flushed_at_ns: int
    flush_ns: int
    #: ticks in memory that could not be merged yet
    waiting: int
    #: ticks that were merged into their neighbours meanwhile
    coarsened: int
    #: threads with memory of their own
    threads: int
    #: True when further threads came, which share
    sharing: bool
    #: times the wall clock went back, or forth by over five seconds
    clock_jumps: int
    #: code and text of the last flush; 0 and "" after a good one
    last_error: int
    last_message: str

    @property
    def flushed_at(self) -> datetime.datetime | None:
        """When something was merged last, in UTC; None when nothing was."""
        return _time(self.flushed_at_ns) if self.flushed_at_ns else None

    @property
    def rejected_total(self) -> int:
        """Of all causes."""
        return sum(self.rejected.values())


def recording_of(fields: dict[str, Any]) -> Recording:
    return Recording(rejected=dict(zip(CAUSES, fields.pop("rejected"))), **fields)


class Above(NamedTuple):
    """How many durations were above a threshold."""

    #: seconds
    threshold: float
    #: durations that were compared with it
    n: int
    above: int

    @property
    def rate(self) -> float:
        """above / n; NaN of none."""
        return self.above / self.n if self.n else float("nan")


@dataclass(frozen=True)
class Figures:
    """One metric in one cohort. What its kind does not have, and what cannot be computed from no
    data, is 0 for counts and NaN for the rest; comparisons with NaN are false."""

    #: outcomes, or what was measured; classification: tp + fp + fn + tn
    n: int
    #: proportion: how many of n
    k: int
    #: k / n
    rate: float
    #: duration: seconds; value, score: as recorded
    sum: float
    mean: float
    #: of single values, with n - 1
    variance: float
    minimum: float
    maximum: float
    #: duration: seconds, off by at most 0.8 % and 1 microsecond
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    #: durations longer than 71 minutes; quantiles there are infinite
    overflow: int
    tp: int
    fp: int
    fn: int
    tn: int
    precision: float
    recall: float
    f1: float
    #: one for each declared threshold
    above: tuple[Above, ...]


@dataclass(frozen=True)
class MetricRow:
    """One metric over one step of time, cohort against cohort."""

    metric: str
    #: "proportion", "duration", "value", "score" or "classification"
    kind: str
    #: "" = none
    unit: str
    from_ns: int
    to_ns: int
    #: the revision that began it; None where all generations are together
    generation: int | None
    old: Figures
    new: Figures

    @property
    def start(self) -> datetime.datetime:
        """First moment of the step, in UTC."""
        return _time(self.from_ns)

    @property
    def end(self) -> datetime.datetime:
        """First moment after it."""
        return _time(self.to_ns)


@dataclass(frozen=True)
class Metrics:
    """The figures of a rollout: iterate over the rows, or take one metric's by its name.

    Built-in metrics come first ("error", "timeout", "duration"), then declared ones by name; steps
    oldest first.
    """

    rows: tuple[MetricRow, ...] = field(repr=False)
    #: stored rows that were skipped because they are damaged, and what is wrong with the first
    damaged: int
    damage: str
    #: first moment that has figures, and the end of the last step that has some; 0 = there are none
    from_ns: int
    to_ns: int
    #: outcomes and measurements that were rejected in that time
    rejected: int
    #: outcomes lost for want of memory
    dropped: int
    #: newest merge by any process; 0 = none
    last_at_ns: int

    def __iter__(self) -> Iterator[MetricRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, metric: str) -> MetricRow:
        """The newest row of a metric: the only one, unless steps or generations were asked for."""
        for row in reversed(self.rows):
            if row.metric == metric:
                return row
        raise KeyError(metric)

    def __contains__(self, metric: object) -> bool:
        return any(row.metric == metric for row in self.rows)

    @property
    def last_at(self) -> datetime.datetime | None:
        """When any process merged last, in UTC."""
        return _time(self.last_at_ns) if self.last_at_ns else None


def _figures_of(fields: dict[str, Any], thresholds_ns: tuple[int, ...]) -> Figures:
    n, above = fields.pop("threshold_n"), fields.pop("threshold_above")
    return Figures(
        above=tuple(Above(t / 1e9, *counts) for t, *counts in zip(thresholds_ns, n, above)),
        **fields,
    )


def metrics_of(answer: tuple[list[dict[str, Any]], dict[str, Any]]) -> Metrics:
    rows, report = answer
    return Metrics(
        rows=tuple(
            MetricRow(
                metric=row["metric"],
                kind=row["kind"],
                unit=row["unit"],
                from_ns=row["from_ns"],
                to_ns=row["to_ns"],
                generation=row["generation"] or None,
                old=_figures_of(row["old"], row["thresholds_ns"]),
                new=_figures_of(row["new"], row["thresholds_ns"]),
            )
            for row in rows
        ),
        **report,
    )


@dataclass(frozen=True)
class Exposure:
    """Decisions, and distinct users with one standard error each, in users."""

    #: whose users these are; 0 = of all of the time asked for
    generation: int
    #: True: every user is in the sample, and the numbers are exact
    exact: bool
    #: by reason; "unknown" for outcomes that were recorded without their decision
    decisions_old: dict[str, int]
    decisions_new: dict[str, int]
    users_old: float
    users_new: float
    users_old_error: float
    users_new_error: float
    #: of either cohort
    users_total: float
    users_total_error: float
    sampled_old: int
    sampled_new: int
    #: users that are in the sample of both cohorts
    sampled_both: int
    #: share of all users that belongs to the sample
    sample_share: float


def _by_reason(reasons: tuple[str, ...], counts: tuple[int, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    # Reasons of a later library share the name "unknown".
    for reason, count in zip(reasons, counts):
        if count:
            found[reason] = found.get(reason, 0) + count
    return found


def exposure_of(fields: dict[str, Any]) -> Exposure:
    reasons = fields.pop("reasons")
    return Exposure(
        exact=fields.pop("sampled_all"),
        decisions_old=_by_reason(reasons, fields.pop("decisions_old")),
        decisions_new=_by_reason(reasons, fields.pop("decisions_new")),
        **fields,
    )


@dataclass(frozen=True)
class ImportResult:
    """What became of one row."""

    #: 0, or the code that it was refused with
    code: int
    #: True when it declared its metric
    declared: bool
    #: "" or what is wrong with it, and what is allowed
    message: str

    @property
    def ok(self) -> bool:
        """True when it was merged."""
        return self.code == 0


@dataclass(frozen=True)
class Imported:
    """What became of a delivery. It is true when every row was taken."""

    rows: tuple[ImportResult, ...]
    #: True: the same delivery was merged before, and nothing was merged now
    repeated: bool

    def __bool__(self) -> bool:
        return all(row.ok for row in self.rows)

    @property
    def refused(self) -> list[tuple[int, str]]:
        """Number, from 0, and trouble of each row that was not taken."""
        return [(i, row.message) for i, row in enumerate(self.rows) if not row.ok]


@dataclass(frozen=True)
class Baseline:
    """What the old cohort lived through, frozen."""

    #: hours of the week that have figures, of 168
    hours: int
    captured_at_ns: int
    from_ns: int
    to_ns: int
    #: of the old cohort in that time
    outcomes: int
    by: str
    note: str

    @property
    def captured_at(self) -> datetime.datetime:
        """When it was captured, in UTC."""
        return _time(self.captured_at_ns)
