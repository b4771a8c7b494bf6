/* SPDX-License-Identifier: MIT */
#include "series.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "others.h"

/* Above what disks and clocks of an idle machine take, and below a tick of the scheduler, for which one
 * waits whose processor somebody else has. */
#define DISTURBED_NS INT64_C(250000)

/* Asking wakes a processor up, which an operator's command does not find awake either. */
#define SETTLE_NS 3000000

int bench_ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double p50(const struct bench_times *times) {
    return times->ms[times->count / 2];
}

static double p99(const struct bench_times *times) {
    return times->ms[times->count * 99 / 100];
}

static void show(const char *what, int processes, struct bench_times *times) {
    qsort(times->ms, (size_t)times->count, sizeof times->ms[0], bench_ascending);
    printf("%-58s %3d  %5d  %8.3f  %8.3f  %8.3f", what, processes, times->count, p50(times),
           p99(times), times->ms[times->count - 1]);
}

static int judge(const struct bench_series *series) {
    const struct bench_times *times = &series->alone;
    int within = series->budget_ms <= 0 || p99(times) <= series->budget_ms;

    if (series->budget_ms > 0) {
        printf("   %s %.2f", within ? "within" : "above", series->budget_ms);
    }
    if (series->floor != NULL) {
        const struct bench_times *floor = &series->floor->alone;
        double ratio = p99(times) / p99(floor);

        within = within || ratio <= series->ratio;
        printf("; of a bare wake p50 %.1f, p99 %.1f times (%.2f): %s", p50(times) / p50(floor),
               ratio, series->ratio, within ? "ok" : "MISSED");
    }
    return within;
}

int bench_series_report(struct bench_series *series, int processes) {
    int within;

    show(series->what, processes, &series->all);
    if (series->alone.count == 0) {
        printf("   other programs ran all the time: nothing can be said\n");
        return series->budget_ms > 0;
    }
    if (series->alone.count < series->all.count) {
        printf("\n");
        show("  of these, while no other program ran", processes, &series->alone);
    }
    within = judge(series);
    printf("\n");
    fflush(stdout);
    return !within;
}

void bench_series_begin(struct bench_series *series) {
    const struct timespec settle = { 0, SETTLE_NS };

    series->others_ns = bench_others_ns();
    nanosleep(&settle, NULL);
}

void bench_series_add(struct bench_series *series, int64_t from_ns, int64_t to_ns) {
    double ms = (double)(to_ns - from_ns) / 1e6;

    series->all.ms[series->all.count++] = ms;
    if (series->others_ns == 0 || llabs(bench_others_ns() - series->others_ns) < DISTURBED_NS) {
        series->alone.ms[series->alone.count++] = ms;
    }
}
