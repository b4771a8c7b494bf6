/* SPDX-License-Identifier: MIT */
/* The floor under propagation.c: how long this machine takes to wake one waiting process, and the last
 * of 64, by a futex alone. What is above it is ours. As far apart as changes are there: a machine that
 * idles in between takes longer. */
#include <stdio.h>
#include <time.h>

#include "floor.h"
#include "series.h"

static void show(int count) {
    const struct timespec pause = { 0, 80000000 };
    struct bench_series series = { .what = "bare futex, until the last of N processes runs" };
    struct floor *floor = floor_begin(count);

    while (series.all.count < FLOOR_SAMPLES) {
        nanosleep(&pause, NULL);
        bench_series_begin(&series);
        bench_series_add(&series, 0, floor_sample(floor));
    }
    floor_end(floor);
    bench_series_report(&series, count);
}

int main(void) {
    printf("%-58s %3s  %5s  %8s  %8s  %8s\n", "ms", "N", "count", "p50", "p99", "max");
    show(1);
    show(FLOOR_MOST);
    return 0;
}
