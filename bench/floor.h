/* SPDX-License-Identifier: MIT */
/* What this machine needs to wake waiting processes by a bare futex: the floor under propagation. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

enum { FLOOR_MOST = 64, FLOOR_SAMPLES = 300 };

/* Milliseconds until the last of `count` processes ran, ascending. */
void floor_measure(int count, double ms[FLOOR_SAMPLES]);

#endif
