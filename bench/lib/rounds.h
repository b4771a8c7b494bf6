/* SPDX-License-Identifier: MIT */
/* Many short rounds in which the cases take turns, so that what else the machine does falls on all
 * of them alike. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <stdint.h>

#include "stats.h"

enum { BENCH_ROUNDS_MOST = 401 };

/* Does the work `count` times; `count` is a multiple of 8. */
typedef void (*bench_work_fn)(void *data, uint64_t count);

struct bench_case {
    const char *name;
    bench_work_fn work;
    void *data;
    uint64_t per_turn;            /* filled: how often the work is done in a turn */
    double ns[BENCH_ROUNDS_MOST]; /* filled: of one time, each round */
};

/* Gives each case a turn of about `turn_ns` in each of `rounds` rounds; in smoke runs far less. */
void bench_rounds(struct bench_case *cases, int count, int rounds, int64_t turn_ns);

/* Of the rounds last run. */
struct bench_spread bench_time(const struct bench_case *of);
struct bench_spread bench_ratio(const struct bench_case *of, const struct bench_case *to);

/* Times as many as cycles: for budgets that are nanoseconds. */
#define BENCH_CYCLE                                                                                \
    { .name = "one cycle (dependent addition)", .work = bench_additions }

#endif
