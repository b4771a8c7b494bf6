/* SPDX-License-Identifier: MIT */
/* Times of one kind of change, and the line that is printed of them. */
#ifndef BENCH_SERIES_H
#define BENCH_SERIES_H

#include <stdint.h>

enum { SERIES_MOST = 300 };

struct bench_times {
    int count;
    double ms[SERIES_MOST];
};

struct bench_series {
    const char *what;
    double budget_ms; /* for p99; 0 = none */
    double ratio;     /* and what p99 may be of p99 of `floor` where the budget is above */
    const struct bench_series *floor; /* bare wakes of as many, in turn with these; or NULL */
    int64_t others_ns;                /* what others had had at bench_series_begin() */
    struct bench_times all;
    struct bench_times alone; /* those during which nobody else had a processor worth a word */
};

/* Before a measurement, and after it: what else the machine did in between tells whether the time
 * counts. Without the former every time does. */
void bench_series_begin(struct bench_series *series);
void bench_series_add(struct bench_series *series, int64_t from_ns, int64_t to_ns);

/* Prints, and answers 1 when p99 of the times alone is above the budget and above the ratio. Sorts;
 * the floor comes first. */
int bench_series_report(struct bench_series *series, int processes);

/* For qsort() of doubles. */
int bench_ascending(const void *a, const void *b);

#endif
