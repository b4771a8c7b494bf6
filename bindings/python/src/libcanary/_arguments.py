# SPDX-License-Identifier: MIT
"""What callers pass, checked, and as the extension takes it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, TypedDict

from . import _core
from ._errors import InvalidError

User = str | bytes
Percentage = int | float | Decimal | Fraction
Cohort = Literal["new", "old"]
#: (name, percent) or (name, percent, seconds to stay), or just the percentage
StageSpec = Percentage | tuple[str, Percentage] | tuple[str, Percentage, float]

COHORTS = {"old": 0, "new": 1}


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


def basis_points_of(percentage: Percentage) -> int:
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


def nanoseconds_of(seconds: float | None, what: str) -> int:
    if seconds is None:
        return 0
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{what} is a number of seconds, not {type(seconds).__name__}")
    # Nine billion seconds are as many nanoseconds as 64 bits hold.
    if not 0 < seconds < 9e9:
        raise InvalidError(f"{what} is {seconds} s; more than 0 is allowed")
    return max(1, round(seconds * 1e9))


def options_of(options: ChangeOptions) -> dict[str, Any]:
    known: dict[str, Any] = dict(options)
    dry_run, emergency = known.pop("dry_run", False), known.pop("emergency", False)
    flags = (_core.CHANGE_DRY_RUN if dry_run else 0) | (
        _core.CHANGE_EMERGENCY if emergency else 0
    )
    return {"flags": flags} | {key: value for key, value in known.items() if value is not None}


def stages_of(stages: Sequence[StageSpec] | None) -> tuple[tuple[str | None, int, int], ...]:
    if stages is None:
        return ()
    rungs: list[tuple[str | None, int, int]] = []
    for stage in stages:
        if isinstance(stage, tuple):
            name, percentage, *dwell = stage
            dwell_ns = round(dwell[0] * 1e9) if dwell else 0
            rungs.append((name, basis_points_of(percentage), dwell_ns))
        else:
            rungs.append((None, basis_points_of(stage), 0))
    if not rungs:
        raise InvalidError("a ladder has at least one stage above 0")
    if len({name is None for name, _, _ in rungs}) > 1:
        raise InvalidError("give every stage a name, or none")
    return tuple(rungs)


def cohort_of(cohort: str) -> int:
    try:
        return COHORTS[cohort]
    except (KeyError, TypeError):
        raise InvalidError(f'{cohort!r} is no cohort; "new" and "old" are') from None


def check_path(path: object) -> None:
    # The extension takes None for a store in memory, which a variable left empty must not make.
    if path is None:
        raise TypeError("path is a str, bytes or os.PathLike, not None")


def users_of(users: Iterable[User]) -> tuple[User, ...]:
    if isinstance(users, (str, bytes)):
        raise TypeError("users is a list of user ids, not one id")
    return tuple(users)
