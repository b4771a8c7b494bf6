/* SPDX-License-Identifier: MIT */
#include "series.h"

#include <stdio.h>
#include <stdlib.h>

int bench_ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

int bench_series_report(struct bench_series *series, int processes) {
    double p99;

    qsort(series->ms, (size_t)series->count, sizeof series->ms[0], bench_ascending);
    p99 = series->ms[series->count * 99 / 100];
    printf("%-58s %3d  %5d  %8.3f  %8.3f  %8.3f", series->what, processes, series->count,
           series->ms[series->count / 2], p99, series->ms[series->count - 1]);
    if (series->budget_ms > 0) {
        printf("   %s %.2f", p99 <= series->budget_ms ? "within" : "ABOVE", series->budget_ms);
    }
    if (series->floor_ms > 0) {
        printf("   median %.1f times a bare wake",
               series->ms[series->count / 2] / series->floor_ms);
    }
    printf("\n");
    fflush(stdout);
    return series->budget_ms > 0 && p99 > series->budget_ms;
}

void bench_series_add(struct bench_series *series, int64_t from_ns, int64_t to_ns) {
    series->ms[series->count++] = (double)(to_ns - from_ns) / 1e6;
}
