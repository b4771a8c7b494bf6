/* SPDX-License-Identifier: MIT */
#include "stats.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static int ascending_whole(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

struct bench_spread bench_spread_of(double *values, size_t count) {
    struct bench_spread spread;

    qsort(values, count, sizeof *values, ascending);
    spread.median = values[count / 2];
    spread.low = values[count / 10];
    spread.high = values[count - 1 - count / 10];
    return spread;
}

struct bench_spread bench_ratio_of(const double *a, const double *b, size_t count) {
    struct bench_spread spread = { 0, 0, 0 };
    double *ratios = malloc(count * sizeof *ratios);

    if (ratios == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        ratios[i] = a[i] / b[i];
    }
    spread = bench_spread_of(ratios, count);
    free(ratios);
    return spread;
}

void bench_sort(uint64_t *values, size_t count) {
    qsort(values, count, sizeof *values, ascending_whole);
}
