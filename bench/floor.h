/* SPDX-License-Identifier: MIT */
/* What this machine needs to wake waiting processes by a bare futex: the floor under propagation. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stdint.h>

enum { FLOOR_MOST = 64, FLOOR_SAMPLES = 300 };

/* How long who woke everybody keeps still, until he looks whether all are there. */
enum { FLOOR_QUIET_US = 3000 };

struct floor;

/* `count` processes that wait. */
struct floor *floor_begin(int count);
/* Nanoseconds until the last of them ran. */
int64_t floor_sample(struct floor *floor);
void floor_end(struct floor *floor);

#endif
