/* SPDX-License-Identifier: MIT */
#include "series.h"

#include <stdio.h>
#include <stdlib.h>

int bench_ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double p50(const struct bench_series *series) {
    return series->ms[series->count / 2];
}

static double p99(const struct bench_series *series) {
    return series->ms[series->count * 99 / 100];
}

int bench_series_report(struct bench_series *series, int processes) {
    int within;

    qsort(series->ms, (size_t)series->count, sizeof series->ms[0], bench_ascending);
    printf("%-58s %3d  %5d  %8.3f  %8.3f  %8.3f", series->what, processes, series->count,
           p50(series), p99(series), series->ms[series->count - 1]);
    within = series->budget_ms <= 0 || p99(series) <= series->budget_ms;
    if (series->budget_ms > 0) {
        printf("   %s %.2f", within ? "within" : "above", series->budget_ms);
    }
    if (series->floor != NULL) {
        double ratio = p99(series) / p99(series->floor);

        within = within || ratio <= series->ratio;
        printf("; of a bare wake p50 %.1f, p99 %.1f times (%.2f): %s",
               p50(series) / p50(series->floor), ratio, series->ratio, within ? "ok" : "MISSED");
    }
    printf("\n");
    fflush(stdout);
    return !within;
}

void bench_series_add(struct bench_series *series, int64_t from_ns, int64_t to_ns) {
    series->ms[series->count++] = (double)(to_ns - from_ns) / 1e6;
}
