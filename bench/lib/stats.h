/* SPDX-License-Identifier: MIT */
/* Order statistics. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

/* The middle of many rounds, and between which values eight of ten of them lie. */
struct bench_spread {
    double median;
    double low;  /* a tenth of the rounds is below */
    double high; /* a tenth of the rounds is above */
};

/* Sorts `values`. */
struct bench_spread bench_spread_of(double *values, size_t count);

/* The spread of a[i] / b[i]: what was measured side by side is divided side by side. */
struct bench_spread bench_ratio_of(const double *a, const double *b, size_t count);

void bench_sort(uint64_t *values, size_t count);

#endif
