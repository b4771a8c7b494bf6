# SPDX-License-Identifier: MIT
"""What a decision costs from Python: everything in one run, in turn, the best of several rounds.

    python bench/decision.py [--check]

--check fails when a call costs more above the same call in C than it may: 30 ns for one user, 40 ns a
user for many. Budgets are differences, so that the machine's speed and its load matter less.
"""

import hashlib
import json
import sys
import time

import libcanary
from libcanary import _core, testing

ROUNDS, USERS = 15, 20_000
BUDGET_ONE, BUDGET_MANY = 30, 40
LOOP = "the loop around each call"


def by_hand(user: str) -> bool:
    digest = hashlib.sha256(user.encode()).digest()
    h = int.from_bytes(digest[:4], "big")
    return h % 100 * 100 + h // 100 % 100 < 5000


def each(call, users) -> float:
    """Nanoseconds a call, with the loop around it, which measure() takes off in the end."""
    start = time.perf_counter_ns()
    for user in users:
        call(user)
    return (time.perf_counter_ns() - start) / len(users)


def whole(call, users) -> float:
    start = time.perf_counter_ns()
    call(users)
    return (time.perf_counter_ns() - start) / len(users)


def loop(users) -> float:
    start = time.perf_counter_ns()
    for _ in users:
        pass
    return (time.perf_counter_ns() - start) / len(users)


def measure() -> dict[str, float]:
    # 36 bytes, as the text of a UUID.
    users = [f"{i:08d}-0000-4000-8000-{i * 7919 % 10**12:012d}" for i in range(USERS)]
    raw = [user.encode() for user in users]
    ids = tuple(users)
    with testing.rollout("a", percentage=50) as one, testing.rollout(
        "b", percentage=50, kill_switch=lambda: False
    ) as hooked, testing.rollout("c", percentage=100) as static:
        assert one.decide_many(users) == [by_hand(user) for user in users]
        best: dict[str, float] = {}

        def note(name: str, ns: float) -> None:
            best[name] = min(ns, best.get(name, ns))

        for _ in range(ROUNDS):
            note(LOOP, loop(users))
            note("bare abi3 call", each(_core._bare, users))
            c_one, c_many = _core._measure(one, ids)
            note("C, one user", c_one)
            note("C, many users", c_many)
            note("should_use_new(str)", each(one.should_use_new, users))
            note("should_use_new(bytes)", each(one.should_use_new, raw))
            note("should_use_new(str) at 100 %", each(static.should_use_new, users))
            note("decide_many, a user", whole(one.decide_many, users))
            note("decide(str)", each(one.decide, users[:2000]))
            note("should_use_new with a kill switch", each(hooked.should_use_new, users))
            note("three lines of hashlib", each(by_hand, users[:2000]))
        for name in best:
            if not name.startswith(("C, ", "decide_many", LOOP)):
                best[name] -= best[LOOP]
        best["kernel"] = one.info().hash_kernel  # type: ignore[assignment]
    return best


def main() -> int:
    best = measure()
    one = best["should_use_new(str)"] - best["C, one user"]
    many = best["decide_many, a user"] - best["C, many users"]
    if "--json" in sys.argv:
        print(json.dumps(best | {"one above C": one, "many above C": many}))
        return 0
    print(f"libcanary {libcanary.library_version}, hash kernel {best.pop('kernel')}")
    for name, ns in best.items():
        print(f"{name:36} {ns:8.1f} ns")
    print(f"{'should_use_new(str) above C':36} {one:8.1f} ns   at most {BUDGET_ONE}")
    print(f"{'decide_many above C, a user':36} {many:8.1f} ns   at most {BUDGET_MANY}")
    return int("--check" in sys.argv and (one > BUDGET_ONE or many > BUDGET_MANY))


if __name__ == "__main__":
    sys.exit(main())
