#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Quantiles as HdrHistogram gives them, for test_histogram.c.

    quantiles.py           writes quantiles.h beside this file
    quantiles.py --check   makes it again and compares; exit 1 when a byte differs

Needs the package hdrhistogram, which no test run asks for: exit 77 without it. Durations are made
from whole numbers alone, so that the test makes the same ones."""

import pathlib
import sys

try:
    from hdrh.histogram import HdrHistogram
except ImportError:
    print("there is no hdrhistogram here")
    sys.exit(77)

OUT = pathlib.Path(__file__).resolve().parent / "quantiles.h"
MASK = (1 << 64) - 1
# Ranks are whole for every quantile: HdrHistogram rounds them, libcanary takes the next.
SIZES = [1000, 20000, 100000]
QUANTILES = [50, 90, 95, 99, 99.9]

HEAD = """/* SPDX-License-Identifier: MIT */
/* Made by quantiles.py: quantiles in nanoseconds, off by a thousandth at most. */
/* clang-format off */
static const struct {
    int shape;
    uint64_t seed;
    size_t n;
    double quantiles[5]; /* 0.5, 0.9, 0.95, 0.99, 0.999 */
} hdr_histogram[] = {
"""


class Random:
    def __init__(self, seed):
        self.seed = seed

    def next(self):
        self.seed = (self.seed + 0x9E3779B97F4A7C15) & MASK
        z = self.seed
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return z ^ z >> 31


def draw(random, shape):
    """The same as shaped() in test_histogram.c."""
    a, b = random.next(), random.next()
    if shape == 0:  # up to 1 s
        return a % 1_000_000_000
    if shape == 1:  # long-tailed: 1 ms times 2 to about a normal power
        power = sum(b >> 8 * i & 255 for i in range(8))
        return ((1 << 20) + a % (1 << 20) << power // 128) >> 5
    if shape == 2:  # a tenth a hundred times slower
        return (2_000_000 + a % 200_000) * (100 if b % 10 == 0 else 1)
    return 1_000_000 + a % 64_000  # narrow


def lines():
    for shape in range(4):
        for n in SIZES:
            seed = 1000 * shape + n
            random = Random(seed)
            histogram = HdrHistogram(1, 1 << 42, 3)
            for _ in range(n):
                histogram.record_value(draw(random, shape))
            values = [histogram.get_value_at_percentile(q) for q in QUANTILES]
            yield f"    {{ {shape}, {seed}, {n}, {{ {', '.join(map(str, values))} }} }},\n"


text = HEAD + "".join(lines()) + "};\n/* clang-format on */\n"
if sys.argv[1:] == ["--check"]:
    sys.exit(OUT.read_text() != text)
OUT.write_text(text)
