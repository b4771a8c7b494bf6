# SPDX-License-Identifier: MIT
"""What recording costs from Python: everything in one run, in turn, the best of several rounds.

    python bench/recording.py [--check] [--json]

--check fails when a call costs more above the same work in C than it may: 100 ns for record() with a
duration, 400 ns for a `with` block that decides, takes the time twice and records. Budgets are
differences, so that the machine's speed and its load matter less.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import libcanary
from libcanary import _core

ROUNDS, CALLS = 15, 10_000
BUDGET_RECORD, BUDGET_REQUEST = 100, 400
LOOP = "the loop around each call"


def each(call: Callable[[str], object], users: list[str]) -> float:
    """Nanoseconds a call, with the loop around it and the function that makes it one."""
    start = time.perf_counter_ns()
    for user in users:
        call(user)
    return (time.perf_counter_ns() - start) / len(users)


def by_hand(rollout: libcanary.Rollout) -> Callable[[str], None]:
    """What a program without the helper would write."""

    def call(user: str) -> None:
        decision = rollout.decide(user)
        start = time.perf_counter()
        status: libcanary.Status = "ok"
        try:
            pass
        except TimeoutError:
            status = "timeout"
            raise
        except BaseException:
            status = "error"
            raise
        finally:
            rollout.record(decision, status=status, duration=time.perf_counter() - start)

    return call


def with_block(rollout: libcanary.Rollout) -> Callable[[str], None]:
    def call(user: str) -> None:
        with rollout.request(user):
            pass

    return call


def with_value(rollout: libcanary.Rollout) -> Callable[[str], None]:
    def call(user: str) -> None:
        with rollout.request(user) as request:
            request.record("cost", 0.02)

    return call


async def async_blocks(rollout: libcanary.Rollout, users: list[str]) -> float:
    start = time.perf_counter_ns()
    for user in users:
        async with rollout.request(user):
            pass
    return (time.perf_counter_ns() - start) / len(users)


@contextmanager
def a_store() -> Iterator[libcanary.Rollout]:
    """A file, as in production: the flusher is at work meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        with libcanary.open(f"{folder}/canary.db", "checkout", create=True) as rollout:
            rollout.set_percentage(50)
            rollout.declare("cost", "value", unit="usd")
            rollout.declare("cache_hit", "proportion")
            yield rollout


def measure() -> dict[str, float]:
    # 36 bytes, as the text of a UUID.
    users = [f"{i:08d}-0000-4000-8000-{i * 7919 % 10**12:012d}" for i in range(CALLS)]
    ids = tuple(users)
    best: dict[str, float] = {}

    def note(name: str, ns: float) -> None:
        best[name] = min(ns, best.get(name, ns))

    with a_store() as rollout:
        record, expose = rollout.record, rollout.expose
        decision = rollout.decide(users[0])
        values = {"cost": 0.02, "cache_hit": True}
        for _ in range(ROUNDS):
            note(LOOP, each(lambda user: None, users))
            c_record, c_both = _core._measure_records(rollout, ids)
            note("C, a record", c_record)
            note("C, a decision that explains, and a record", c_both)
            note("record(decision)", each(lambda user: record(decision), users))
            note("record(decision, duration=)",
                 each(lambda user: record(decision, duration=0.012), users))
            note("record(decision, status=, duration=, values=)", each(
                lambda user: record(decision, status="ok", duration=0.012, values=values), users))
            note("record(user, cohort=, duration=)",
                 each(lambda user: record(user, cohort=True, duration=0.012), users))
            note("expose(decision)", each(lambda user: expose(decision), users))
            note("decide(user)", each(lambda user: rollout.decide(user), users))
            note("with request(user)", each(with_block(rollout), users))
            note("with request(user), one value", each(with_value(rollout), users))
            note("the same by hand, with decide() and try", each(by_hand(rollout), users))
            note("async with request(user)", asyncio.run(async_blocks(rollout, users)))
        assert not rollout.recording().rejected_total
    for name in best:
        if not name.startswith(("C, ", LOOP, "async")):
            best[name] -= best[LOOP]
    return best


def main() -> int:
    best = measure()
    record = best["record(decision, duration=)"] - best["C, a record"]
    request = best["with request(user)"] - best["C, a decision that explains, and a record"]
    if "--json" in sys.argv:
        print(json.dumps(best | {"record above C": record, "request above C": request}))
        return 0
    print(f"libcanary {libcanary.library_version}, Python {sys.version.split()[0]}")
    for name, ns in best.items():
        print(f"{name:48} {ns:8.1f} ns")
    print(f"{'record(decision, duration=) above C':48} {record:8.1f} ns   at most {BUDGET_RECORD}")
    print(f"{'with request(user) above C':48} {request:8.1f} ns   at most {BUDGET_REQUEST}")
    return int("--check" in sys.argv and (record > BUDGET_RECORD or request > BUDGET_REQUEST))


if __name__ == "__main__":
    sys.exit(main())
