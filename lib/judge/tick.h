/* SPDX-License-Identifier: MIT */
/* One tick of figures as rules read it. */
#ifndef CANARY__JUDGE_TICK_H
#define CANARY__JUDGE_TICK_H

#include <canary/metrics.h>

#include "judge/policy.h"
#include "judge/spans.h"
#include "judge/special.h"

#define CANARY__SETTLE_NS (2 * CANARY__SECOND_NS) /* a tick is taken so long after its end */

struct canary__tick_side {
    double n;       /* outcomes, or what was measured; classification: tp + fp + fn + tn */
    double k;       /* proportion: how many of n */
    double sum;     /* duration: seconds; value, score: as recorded */
    double squares; /* sum of squares: from variance, mean and n */
    double tp;
    double fp;
    double fn;
    double tn;
    double overflow; /* duration */
    uint32_t bucket_count;
    uint32_t threshold_count;
    const uint64_t *buckets; /* duration: histogram, borrowed; NULL = none */
    int64_t thresholds_ns[CANARY_THRESHOLDS_MAX];
    double threshold_n[CANARY_THRESHOLDS_MAX];
    double threshold_above[CANARY_THRESHOLDS_MAX];
};

struct canary__tick_metric {
    int32_t kind; /* CANARY_METRIC_...; 0 = no figures in this tick */
    uint32_t reserved;
    struct canary__tick_side side[2];   /* by cohort */
    struct canary__judge_share half[2]; /* of the old cohort, by a hash of the user */
};

struct canary__tick {
    int64_t from_ns;
    int64_t to_ns; /* of what is kept by the minute, or by the hour: the end of that */
    uint64_t generation;
    const struct canary__tick_metric *metrics; /* by metric_index of the policy */
};

/* Fills a side from the figures of a row. Buckets stay borrowed. The row's thresholds_ns are for the
 * caller to fill in, with their number: without them no threshold is compared with. */
void canary__tick_side_of(const canary_figures *figures, int kind, struct canary__tick_side *out);

/* Durations surely above `ns`: exact where it is one of the thresholds that all of this side's durations
 * were compared with, else by the histogram, in which a bucket counts when all of it is above. */
double canary__tick_above(const struct canary__tick_side *side, int64_t ns);
/* Durations that may be above `ns`: the same, but a bucket counts when any of it is above. */
double canary__tick_above_most(const struct canary__tick_side *side, int64_t ns);

/* Quantile of a histogram in seconds, as canary_figures has it; NaN when empty. */
double canary__tick_quantile(const struct canary__tick_side *side, double quantile);

#endif
