# SPDX-License-Identifier: MIT
"""The same loop around every Python peer; PROTOCOL.md beside the peers says what goes over the
pipes."""
import json
import os
import sys
import time

# Contexts built beforehand are few, so that they stay in the cache: in the peer's favour.
PREPARED = 10_000


def flags(name):
    """A file of flags, as text."""
    with open(os.path.join(os.environ["PEER_FLAGS"], name)) as file:
        return file.read()


def version(distribution):
    from importlib.metadata import version as ask

    return ask(distribution)


def _round(users, offset, count, decide):
    hits = 0
    clock = time.perf_counter_ns
    slices = []
    start = offset % len(users)
    while count > 0:
        part = users[start:start + count]
        slices.append(part)
        count -= len(part)
        start = 0
    begun = clock()
    for part in slices:
        for user in part:
            if decide(user):
                hits += 1
    return clock() - begun, hits


def run(version, decide, prepare=None, evaluate=None):
    """`decide` is the whole question, from the id to the answer; `evaluate` answers from what
    `prepare` built, and is None where the two are one."""
    with open(sys.argv[1]) as file:
        ids = file.read().split()
    modes = {"call": (ids, decide)}
    if evaluate is not None:
        modes["ready"] = ([prepare(user) for user in ids[:PREPARED]], evaluate)
    print(json.dumps({"version": version, "modes": list(modes)}), flush=True)
    for line in sys.stdin:
        mode, offset, count = line.split()
        users, function = modes[mode]
        print(*_round(users, int(offset), int(count), function), flush=True)
