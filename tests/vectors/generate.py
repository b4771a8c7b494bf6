#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bucket vectors, made from the rule alone.

    generate.py           writes vectors.tsv and cohorts.tsv beside this file
    generate.py --check   makes them again and compares; exit 1 when a byte differs

Needs nothing but the standard library, and shares no code with libcanary: that both arrive at the
same numbers is the point. The files are part of the ABI. A line may be added; none ever changes."""

import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUCKETS = 10000
USERS = 1_000_000

# "" is the common case. The others: short, with a colon of its own, not ASCII, as long as a block of
# SHA-256 leaves room for, and the longest one allowed.
SALTS = [
    b"",
    b"s",
    b"spring",
    b"2026:checkout",
    "übergröße-é".encode(),
    b"x" * 55,
    b"y" * 64,
    b"z" * 128,
]

# The default ladder, and percentages between its rungs that only the second half of the bucket
# tells apart.
PERCENTAGES = [0, 1, 500, 750, 2500, 3333, 5000, 9999, 10000]


def hash_user(salt, user):
    prefix = salt + b":" if salt else b""
    return int.from_bytes(hashlib.sha256(prefix + user).digest()[:4], "big")


def bucket(h):
    return (h % 100) * 100 + (h // 100) % 100


def ascii_id(length):
    return (b"user-0123456789-abcdefghijklmnopqrstuvwxyz" * (length // 42 + 1))[:length]


def binary_id(length, salt):
    """Any bytes, the same ones each time."""
    return hashlib.shake_256(b"%d/" % length + salt).digest(length)


def ids_of_length(length):
    yield ascii_id(length)
    yield bytes(length)  # nothing but NUL
    yield ascii_id(length)[: length // 2] + b"\0" + ascii_id(length)[length // 2 + 1 :]
    yield b"\xff" * length  # no UTF-8 at all
    yield (b"\xc3\x28" * length)[:length]  # a cut sequence
    yield binary_id(length, b"")


def id_for_each_bucket():
    """The first of user-0, user-1, ... in each bucket."""
    found = {}
    number = 0
    while len(found) < BUCKETS:
        user = b"user-%d" % number
        found.setdefault(bucket(hash_user(b"", user)), user)
        number += 1
    return [found[b] for b in range(BUCKETS)]


def vectors():
    for user, salt in [(b"alice", b""), (b"bob", b""), (b"user-1", b""), (b"alice", b"spring")]:
        yield user, salt
    for user in id_for_each_bucket():
        yield user, b""
    for length in range(1, 201):
        for user in ids_of_length(length):
            yield user, b""
        for salt in SALTS[1:3]:
            yield binary_id(length, salt), salt
    # Every salt with ids that bring the message to and over the edges of SHA-256's blocks.
    for salt in SALTS[1:]:
        for total in (55, 56, 57, 63, 64, 65, 119, 120, 121, 127, 128, 129, 191, 192, 193):
            length = total - len(salt) - 1
            if length > 0:
                yield ascii_id(length), salt
        for user in (b"a", b"alice", b"\0", "größe".encode(), b"user@example.com", b":", b"::"):
            yield user, salt


def vector_lines():
    yield "# id (hex)\tsalt (hex, - = none)\th\tbucket"
    seen = set()
    for user, salt in vectors():
        if (user, salt) not in seen:
            seen.add((user, salt))
            h = hash_user(salt, user)
            yield f"{user.hex()}\t{salt.hex() or '-'}\t{h}\t{bucket(h)}"


def cohort_lines():
    yield "# salt (hex, - = none)\tpercentage_bp\tusers with new\tSHA-256 of the cohorts"
    for salt in SALTS[:1] + SALTS[2:3]:
        buckets = [bucket(hash_user(salt, b"user-%d" % i)) for i in range(USERS)]
        for percentage in PERCENTAGES:
            cohorts = bytes(b < percentage for b in buckets)
            digest = hashlib.sha256(cohorts).hexdigest()
            yield f"{salt.hex() or '-'}\t{percentage}\t{sum(cohorts)}\t{digest}"


def main(arguments):
    files = {"vectors.tsv": vector_lines, "cohorts.tsv": cohort_lines}
    if arguments == []:
        for name, lines in files.items():
            (HERE / name).write_text("".join(line + "\n" for line in lines()), "ascii")
        return 0
    if arguments != ["--check"]:
        print(__doc__, file=sys.stderr)
        return 2
    wrong = 0
    for name, lines in files.items():
        recorded = (HERE / name).read_text("ascii").splitlines()
        made = list(lines())
        different = [n for n, pair in enumerate(zip(recorded, made), 1) if pair[0] != pair[1]]
        for number in different[:5]:
            print(f"{name}:{number}: recorded {recorded[number - 1]!r}, now {made[number - 1]!r}")
        if len(recorded) != len(made):
            print(f"{name}: {len(recorded)} lines recorded, {len(made)} made now")
        if different or len(recorded) != len(made):
            wrong = 1
        else:
            print(f"{name}: {len(made) - 1} lines agree")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
