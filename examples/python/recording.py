# SPDX-License-Identifier: MIT
"""What each cohort lives through: a service records how its requests end, and reads the comparison.

    pip install ./bindings/python
    python examples/python/recording.py canary.db

Half of the users get a new search that is faster, dearer, and has a fault. `request()` decides, takes the
time, and records an exception as an error; the block only adds what it knows besides.
"""

import random
import sys
import time

import libcanary

METRICS = [
    libcanary.Metric("cost", "value", unit="usd"),
    libcanary.Metric("cache_hit", "proportion"),
    libcanary.Metric("duration", "duration", thresholds=(0.005,)),
]


class Broken(Exception):
    """A fault of the new search."""


def old_search(words: str) -> list[str]:
    time.sleep(0.002)
    return [words]


def new_search(words: str, lot: random.Random) -> list[str]:
    time.sleep(0.0005)
    if lot.random() < 0.05:
        raise Broken(words)
    return [words, words.upper()]


def serve(search: libcanary.Rollout, user: str, words: str, lot: random.Random) -> list[str]:
    with search.request(user) as request:
        hit = lot.random() < 0.4
        request.record("cache_hit", hit)
        if hit:
            return [words]
        request.record("cost", 0.002 if request.new else 0.001)
        return new_search(words, lot) if request.new else old_search(words)


def main(path: str) -> None:
    lot = random.Random(7)
    with libcanary.open(path, rollout="search", create=True) as search:
        search.set_percentage(50, by="example")
        for metric in METRICS:
            search.declare(metric)
        for i in range(1000):
            try:
                serve(search, f"user-{i % 300}", "canary", lot)
            except Broken:
                pass  # a service would answer 500; it is recorded already
        search.flush()  # a service leaves that to the library: every ten seconds, and at its end

        print(f"{'':16} {'old':>12} {'new':>12}")
        for row in search.metrics():
            for name in ("rate", "mean", "p95"):
                old, new = getattr(row.old, name), getattr(row.new, name)
                if old == old or new == new:  # what a kind does not have is not a number
                    print(f"{row.metric + ' ' + name:16} {old:12.4g} {new:12.4g}  {row.unit}")
        users = search.exposure()
        print(f"{'users':16} {users.users_old:12.0f} {users.users_new:12.0f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "canary.db")
