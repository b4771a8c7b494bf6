#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""agree.py PROGRAM [COUNT]: compute.c and reference.py agree on random inputs, and both on what is
published (published.json). Results may differ by 1e-12 of the largest number that was added on the way
to them, at least of 1; the inverted curve by its stated error. The seed is printed and taken from
CANARY_TEST_SEED."""
import json
import math
import os
import pathlib
import random
import subprocess
import sys

import reference

TOLERANCE = 1e-12


def counts(chance, most, rate):
    n = chance.randint(0 if chance.random() < 0.05 else 1, most)
    p = min(1.0, rate * math.exp(chance.gauss(0, 1)))
    if n > 200:
        k = min(n, max(0, round(chance.gauss(n * p, math.sqrt(n * p * (1 - p) + 1e-9)))))
    else:
        k = sum(chance.random() < p for _ in range(n))
    return [n, k]


def magnitude(chance, low, high):
    return math.exp(chance.uniform(math.log(low), math.log(high)))


def ticks(chance, count):
    most = int(magnitude(chance, 3, 1e5))
    rate = magnitude(chance, 1e-4, 0.5)
    return [counts(chance, most, rate) + counts(chance, most, rate) for _ in range(count)]


def evidence(chance):
    question = chance.randrange(4)
    margin = magnitude(chance, 0.3, 5) if question < 2 else magnitude(chance, 1e-4, 0.9)
    rows = ticks(chance, chance.randint(1, 12))
    return [question, margin, chance.choice([1, chance.uniform(1, 8)]), chance.randint(1, 10000),
            len(rows)] + [x for row in rows for x in row + [int(chance.random() < 0.8)]]


def interval(chance):
    rows = ticks(chance, chance.randint(1, 6))
    return [magnitude(chance, 0.05, 20), chance.choice([0.01, 0.05, 0.2]), chance.uniform(1, 4),
            len(rows)] + [x for row in rows for x in row]


def shares(chance, cells):
    weights = [chance.uniform(0.02, 1) for _ in range(cells)]
    return [w / sum(weights) for w in weights]


def mismatch(chance):
    cells = chance.randint(2, 6)
    most = magnitude(chance, 2, 1e6)
    return [cells, chance.choice([1000, magnitude(chance, 1, 1e5)])] + [
        chance.randint(0, int(most)) for _ in range(cells)] + shares(chance, cells)


def batch(chance):
    cells = chance.randint(2, 6)
    return [cells] + [chance.randint(0, 1000) for _ in range(cells)] + [
        magnitude(chance, 0.1, 100) for _ in range(cells)] + shares(chance, cells)


def mixture(chance):
    return [chance.gauss(0, 30), magnitude(chance, 0.1, 1e4), magnitude(chance, 0.1, 1e4),
            chance.uniform(0.001, 0.3)]


def rate(chance):
    return counts(chance, 1000, magnitude(chance, 0.001, 1)) + [chance.uniform(0.001, 0.3),
                                                                 magnitude(chance, 1, 1000)]


def sums(chance, least=2):
    n = int(magnitude(chance, least, 3000))
    mean = magnitude(chance, 0.1, 100)
    spread = mean * chance.uniform(0.3, 3)
    return [n, n * mean, n * mean * mean + (n - 1) * spread * spread]


def means(chance):
    strata = chance.randint(1, 4)
    return [chance.choice([1, chance.uniform(0.5, 2)]), chance.choice([0, chance.gauss(0, 10)]),
            chance.uniform(0.005, 0.2), magnitude(chance, 100, 1e5), chance.uniform(1, 5),
            chance.choice([-1, 1]), strata] + [
                x for _ in range(2 * strata) for x in sums(chance, 80)]


def lift(chance):
    return [chance.uniform(0.01, 0.2), magnitude(chance, 100, 1e5)] + sums(chance) + sums(chance)


def split(chance):
    rows = ticks(chance, chance.choice([50, 230, 260]))
    return [chance.randint(1, 10000), len(rows)] + [x for row in rows for x in row]


def proportions(chance):
    p = magnitude(chance, 0.001, 1)
    a, b = counts(chance, 5000, p), counts(chance, 5000, p)
    return [max(1, a[0]), a[1], max(1, b[0]), b[1]]


def chi_square(chance):
    cells = chance.randint(2, 12)
    asked = shares(chance, cells)
    return [cells] + [max(0, round(chance.gauss(500 * p, math.sqrt(500 * p)))) for p in asked] + asked


def ranks(chance):
    buckets = chance.randint(1, 20)
    return [buckets] + [chance.randint(0, 6) for _ in range(2 * buckets)]


def burn(chance):
    p = magnitude(chance, 1e-4, 0.1)
    return counts(chance, 10000, p) + counts(chance, 500, p) + [chance.choice([0.99, 0.995, 0.999]),
                                                                chance.choice([1, 3, 6, 14.4])]


def factor(chance):
    return [chance.random(), magnitude(chance, 1, 1e6), magnitude(chance, 1, 1e7)]


def plan(chance):
    return [magnitude(chance, 1e-4, 0.05), chance.uniform(0.01, 0.9), magnitude(chance, 0.2, 15),
            magnitude(chance, 0.5, 3), chance.uniform(0.005, 0.2), chance.uniform(1, 5),
            chance.choice([-1, 1])]


def run(program, cases):
    lines = "".join("%s %s\n" % (name, " ".join("%.17g" % x for x in numbers))
                    for name, numbers in cases)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit("%s: status %d: %s" % (program, done.returncode, done.stderr))
    return [[float(x) for x in line.split()[1:]] for line in done.stdout.splitlines()]


def differs(a, b, most):
    """Neither NaN nor an infinity agrees with anything but itself."""
    if math.isnan(a) or math.isnan(b):
        return not (math.isnan(a) and math.isnan(b))
    if math.isinf(a) or math.isinf(b):
        return a != b
    return not abs(a - b) <= most


def against_each_other(program, seed, count):
    chance = random.Random(seed)
    makers = [evidence, interval, mismatch, batch, mixture, rate, means, lift, split, proportions,
              chi_square, ranks, burn, factor, plan]
    # Slow ones, in Python, are asked less often.
    weights = [6, 0.3, 3, 3, 3, 1, 3, 1, 0.2, 3, 3, 3, 3, 1, 2]
    cases = []
    for _ in range(count):
        maker = chance.choices(makers, weights)[0]
        cases.append((maker.__name__, maker(chance)))
    wrong = 0
    worst = {}
    for (name, numbers), got in zip(cases, run(program, cases), strict=True):
        expected = reference.compute(name, numbers)
        if len(got) != len(expected):
            sys.exit("%s answers %d numbers, not %d" % (name, len(got), len(expected)))
        for i, (value, (other, size)) in enumerate(zip(got, expected)):
            if differs(value, other, TOLERANCE * size):
                wrong += 1
                if wrong <= 10:
                    print("%s, result %d: %.17g in C, %.17g in Python (size %g); input %s"
                          % (name, i, value, other, size, numbers))
            elif math.isfinite(value):
                worst[name] = max(worst.get(name, 0.0), abs(value - other) / size)
    print(", ".join("%s %.0e" % item for item in sorted(worst.items())))
    return wrong


def against_published(program, path):
    table = json.loads(path.read_text(encoding="ascii"))["values"]
    cases = [(entry["function"], [float(x) for x in entry["input"]]) for entry in table]
    wrong = 0
    for entry, got in zip(table, run(program, cases), strict=True):
        second = [value for value, _ in reference.compute(entry["function"], entry["input"])]
        for which, values in (("C", got), ("Python", second)):
            for i, expected in entry["expected"].items():
                most = entry["within"]
                if differs(values[int(i)], expected, most):
                    wrong += 1
                    print("%s: %.17g in %s, published is %r" % (entry["what"], values[int(i)], which,
                                                               expected))
    return wrong


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    seed = int(os.environ.get("CANARY_TEST_SEED") or random.SystemRandom().getrandbits(48))
    print("CANARY_TEST_SEED=%d, %d random inputs" % (seed, count))
    here = pathlib.Path(__file__).resolve().parent
    wrong = against_published(program, here / "published.json")
    wrong += against_each_other(program, seed, count)
    print("%d disagreements" % wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
