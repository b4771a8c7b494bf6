/* SPDX-License-Identifier: MIT */
/* Times of one kind of change, and the line that is printed of them. */
#ifndef BENCH_SERIES_H
#define BENCH_SERIES_H

#include <stdint.h>

enum { SERIES_MOST = 300 };

struct bench_series {
    const char *what;
    double budget_ms; /* for p99; 0 = none */
    double floor_ms;  /* median of a bare wake of as many; 0 = not to be compared */
    int count;
    double ms[SERIES_MOST];
};

void bench_series_add(struct bench_series *series, int64_t from_ns, int64_t to_ns);

/* Prints, and answers 1 when p99 is above the budget. Sorts. */
int bench_series_report(struct bench_series *series, int processes);

/* For qsort() of doubles. */
int bench_ascending(const void *a, const void *b);

#endif
