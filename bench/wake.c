/* SPDX-License-Identifier: MIT */
/* The floor under propagation.c: how long this machine takes to wake one waiting process, and the last
 * of 64, by a futex alone. What is above it is ours. */
#include <stdio.h>

#include "floor.h"

static void show(int count) {
    double ms[FLOOR_SAMPLES];

    floor_measure(count, ms);
    printf("bare futex, until the last of N processes runs %18d  %5d  %8.3f  %8.3f  %8.3f\n", count,
           FLOOR_SAMPLES, ms[FLOOR_SAMPLES / 2], ms[FLOOR_SAMPLES * 99 / 100],
           ms[FLOOR_SAMPLES - 1]);
}

int main(void) {
    printf("%-58s %3s  %5s  %8s  %8s  %8s\n", "ms", "N", "count", "p50", "p99", "max");
    show(1);
    show(FLOOR_MOST);
    return 0;
}
