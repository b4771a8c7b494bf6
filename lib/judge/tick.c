/* SPDX-License-Identifier: MIT */
#include "judge/tick.h"

#include <math.h>
#include <string.h>

void canary__tick_side_of(const canary_figures *figures, int kind, struct canary__tick_side *out) {
    memset(out, 0, sizeof *out);
    out->n = (double)figures->n;
    out->k = (double)figures->k;
    out->tp = (double)figures->tp;
    out->fp = (double)figures->fp;
    out->fn = (double)figures->fn;
    out->tn = (double)figures->tn;
    if (kind != CANARY_METRIC_DURATION && kind != CANARY_METRIC_VALUE &&
        kind != CANARY_METRIC_SCORE) {
        return;
    }
    out->sum = figures->n != 0 ? figures->sum : 0;
    /* A variance of at least two values, and what the mean adds to it; of a single one its square. */
    out->squares = figures->n > 1 ? figures->variance * (out->n - 1) + out->sum * figures->mean
                                  : out->sum * out->sum;
    if (kind != CANARY_METRIC_DURATION) {
        return;
    }
    out->overflow = (double)figures->overflow;
    if (figures->buckets != NULL && figures->bucket_count <= CANARY_DURATION_BUCKETS) {
        out->bucket_count = figures->bucket_count;
        out->buckets = figures->buckets;
    }
    for (int i = 0; i < CANARY_THRESHOLDS_MAX; i++) {
        out->threshold_n[i] = (double)figures->threshold_n[i];
        out->threshold_above[i] = (double)figures->threshold_above[i];
    }
}

/* The exact count, where there is one: durations that were recorded before a threshold was declared were
 * not compared with it. */
static int exactly(const struct canary__tick_side *side, int64_t ns, double *above) {
    for (uint32_t i = 0; i < side->threshold_count && i < CANARY_THRESHOLDS_MAX; i++) {
        if (side->thresholds_ns[i] == ns && side->threshold_n[i] == side->n) {
            *above = side->threshold_above[i];
            return 1;
        }
    }
    return 0;
}

/* Durations in buckets from `first` on. */
static double from_bucket(const struct canary__tick_side *side, uint32_t first) {
    double above = side->overflow;

    for (uint32_t i = first; i < side->bucket_count; i++) {
        above += (double)side->buckets[i];
    }
    return above;
}

/* The first bucket whose lower bound is not below `ns`; CANARY_DURATION_BUCKETS for the overflow. */
static uint32_t bucket_from(int64_t ns) {
    uint32_t low = 0;
    uint32_t high = CANARY_DURATION_BUCKETS;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (canary_duration_bucket_ns(middle) < ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

double canary__tick_above(const struct canary__tick_side *side, int64_t ns) {
    double above;

    if (exactly(side, ns, &above)) {
        return above;
    }
    /* How much of the overflow is above is not known. */
    if (ns > canary_duration_bucket_ns(CANARY_DURATION_BUCKETS)) {
        return 0;
    }
    return from_bucket(side, bucket_from(ns));
}

double canary__tick_above_most(const struct canary__tick_side *side, int64_t ns) {
    uint32_t first;
    double above;

    if (exactly(side, ns, &above)) {
        return above;
    }
    first = bucket_from(ns);
    /* A bucket is whole microseconds: one that begins below `ns` ends above it, or at it. */
    if (first > 0 && canary_duration_bucket_ns(first) != ns) {
        first--;
    }
    return from_bucket(side, first);
}

double canary__tick_quantile(const struct canary__tick_side *side, double quantile) {
    double n = from_bucket(side, 0);
    double below = 0;
    double rank;

    if (!(n > 0) || !(quantile > 0) || !(quantile < 1)) {
        return NAN;
    }
    /* A hair less, as canary_figures has it: 0.07 * 100 is above 7 in doubles. */
    rank = quantile * n * (1 - 0x1p-50);
    for (uint32_t i = 0; i < side->bucket_count; i++) {
        below += (double)side->buckets[i];
        if (side->buckets[i] != 0 && below >= rank) {
            return ((double)canary_duration_bucket_ns(i) +
                    (double)canary_duration_bucket_ns(i + 1)) /
                   2 * 1e-9;
        }
    }
    return INFINITY;
}
