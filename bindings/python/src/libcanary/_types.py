# SPDX-License-Identifier: MIT
"""What the calls answer: plain values, all immutable."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, NamedTuple

_KILLS = {1: "local", 2: "flag", 4: "environment", 8: "bell", 16: "hook"}
_DOUBTS = {1: "rollout", 2: "flag", 4: "overrides", 8: "trail", 16: "bell", 32: "rollback"}
_FINDINGS = {
    1: "gap",
    2: "link",
    3: "hash",
    4: "rollout",
    5: "flag",
    6: "overrides",
    7: "head",
    8: "store",
    9: "bell",
    10: "time",
}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _names(bits: int, names: dict[int, str]) -> frozenset[str]:
    known = {name for bit, name in names.items() if bits & bit}
    return frozenset(known | ({"unknown"} if bits & ~sum(names) else set()))


def _time(at_ns: int) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=at_ns // 1000)


class Decision(NamedTuple):
    """One decision, explained. It is true when the user gets the new path."""

    use_new: bool
    #: "new" or "old"
    cohort: str
    #: "invalid", "killed", "not_ready", "stale", "override", "static" or "split"
    reason: str
    #: 0 to 9999, the user's fixed place; None when the user id is invalid
    bucket: int | None
    #: what the store says, in basis points
    percentage_bp: int
    #: what is acted on: 0 while killed, lower while something is in doubt
    effective_bp: int
    #: rung of the ladder; None when nothing was loaded
    stage: int | None
    revision: int
    #: seconds since the store last confirmed the state; None when it never did
    age: float | None
    #: h of algorithm 1
    hash: int

    def __bool__(self) -> bool:
        # A tuple with ten fields would be true for everybody.
        return self.use_new


class Stage(NamedTuple):
    """A rung of a ladder."""

    name: str
    percentage_bp: int
    dwell_ns: int

    @property
    def percentage(self) -> float:
        """In percent."""
        return self.percentage_bp / 100


@dataclass(frozen=True)
class Info:
    """State and freshness of an open rollout."""

    rollout: str
    #: "sqlite", "memory", or what the store calls itself
    store: str
    #: what brought the state: "open", "bell", "tick", "refresh", "change", "fork" or "none"
    source: str
    #: seconds since the state was last confirmed with the store; None when it never was
    age: float | None
    revision: int
    stage: int | None
    stage_name: str
    percentage_bp: int
    effective_bp: int
    #: why it is killed: of "local", "flag", "environment", "bell", "hook"
    killed_by: frozenset[str]
    #: what is in doubt: of "rollout", "flag", "overrides", "trail", "bell", "rollback"
    doubt: frozenset[str]
    #: code and text of the last failed look at the store; 0 and "" after a good one
    last_error: int
    last_message: str
    #: True while a thread of this process follows the store
    watcher: bool
    #: True while the doorbell reaches this process
    bell: bool
    publications: int
    overrides_new: int
    overrides_old: int
    salt: str
    hash_kernel: str
    hash_many_kernel: str

    @property
    def percentage(self) -> float:
        """What is acted on now, in percent."""
        return self.effective_bp / 100

    @property
    def killed(self) -> bool:
        """True while anything kills it."""
        return bool(self.killed_by)


def info_of(fields: dict[str, Any]) -> Info:
    age_ns, stage = fields.pop("age_ns"), fields.pop("stage")
    return Info(
        age=None if age_ns < 0 else age_ns / 1e9,
        stage=None if stage < 0 else stage,
        killed_by=_names(fields.pop("kill_reasons"), _KILLS),
        doubt=_names(fields.pop("doubt"), _DOUBTS),
        **fields,
    )


@dataclass(frozen=True)
class Change:
    """One row of the audit trail."""

    #: place in the trail of the whole store, from 1, without gaps
    id: int
    rollout: str
    flag: str
    #: "create", "advance", "rollback", "set", "emergency", "flag_on", "flag_off",
    #: "override_new", "override_old", "override_remove", "accept", "policy", "approve",
    #: "decision", or a word of a later version
    action: str
    from_stage: int | None
    to_stage: int
    from_percentage_bp: int
    to_percentage_bp: int
    user_hash: int
    revision: int
    at_ns: int
    by: str
    note: str
    #: SHA-256 of this row, and of the row before it; "" in a dry run
    hash: str
    previous_hash: str

    @property
    def at(self) -> datetime.datetime:
        """When, in UTC; `at_ns` has the nanoseconds."""
        return _time(self.at_ns)

    @property
    def percentage(self) -> float:
        """After the change, in percent."""
        return self.to_percentage_bp / 100


def change_of(fields: dict[str, Any]) -> Change:
    if fields["from_stage"] < 0:
        fields["from_stage"] = None
    return Change(**fields)


@dataclass(frozen=True)
class State:
    """A rollout as it stands in the store."""

    name: str
    stage: int
    stage_name: str
    percentage_bp: int
    effective_bp: int
    killed_by: frozenset[str]
    doubt: frozenset[str]
    algorithm: int
    revision: int
    updated_at_ns: int
    updated_by: str
    note: str
    flag: str
    flag_enabled: bool
    flag_updated_at_ns: int
    flag_updated_by: str
    flag_note: str
    overrides_new: int
    overrides_old: int
    salt: str
    stages: tuple[Stage, ...]

    @property
    def percentage(self) -> float:
        """What the store says, in percent."""
        return self.percentage_bp / 100

    @property
    def updated_at(self) -> datetime.datetime:
        """When it last moved, in UTC."""
        return _time(self.updated_at_ns)


def state_of(fields: dict[str, Any]) -> State:
    return State(
        killed_by=_names(fields.pop("kill_reasons"), _KILLS),
        doubt=_names(fields.pop("doubt"), _DOUBTS),
        stages=tuple(Stage(*stage) for stage in fields.pop("stages")),
        **fields,
    )


@dataclass(frozen=True)
class Flag:
    """A stored switch; off kills every rollout that obeys it."""

    name: str
    enabled: bool
    #: True when its row was changed outside libcanary
    in_doubt: bool
    #: how many rollouts obey it
    rollouts: int
    updated_at_ns: int
    updated_by: str
    note: str

    @property
    def updated_at(self) -> datetime.datetime:
        """When it was last switched, in UTC."""
        return _time(self.updated_at_ns)


def flag_of(fields: dict[str, Any]) -> Flag:
    return Flag(in_doubt=bool(fields.pop("doubt")), **fields)


class Override(NamedTuple):
    """A pinned user."""

    #: str where the id is UTF-8, else bytes
    user: str | bytes
    #: "new" or "old"
    cohort: str


class Finding(NamedTuple):
    """Something that does not verify."""

    #: "gap", "link", "hash", "rollout", "flag", "overrides", "head", "store", "bell" or "time"
    kind: str
    #: row of the trail; None when it is not about one
    change_id: int | None
    rollout: str
    flag: str
    message: str
    #: what to do next
    next: str


class Verification(NamedTuple):
    """What verify() found. It is true when everything verifies."""

    findings: tuple[Finding, ...]
    changes: int
    rollouts: int
    flags: int
    #: SHA-256 of the newest row: note it elsewhere, to detect a trail that was cut short
    head_hash: str

    def __bool__(self) -> bool:
        return not self.findings


def verification_of(fields: tuple[Any, ...]) -> Verification:
    findings = tuple(
        Finding(_FINDINGS.get(kind, "unknown"), change_id or None, *rest)
        for kind, change_id, *rest in fields[0]
    )
    return Verification(findings, *fields[1:])


class Bell(NamedTuple):
    """The doorbell through which processes of one host ring each other."""

    present: bool
    works: bool
    waits: bool
    damaged: int
    pending: int
    path: str
