/* SPDX-License-Identifier: MIT */
/* Random numbers that are the same on each machine and in each run. */
#ifndef BENCH_CHANCE_H
#define BENCH_CHANCE_H

#include <stdint.h>

struct chance {
    uint64_t state;
};

/* Uniform in [0, 1). */
double chance_next(struct chance *chance);
/* How many of n independent events of probability p there are, for n*p below 500. */
unsigned chance_binomial(struct chance *chance, unsigned n, double p);

#endif
