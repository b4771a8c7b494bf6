/* SPDX-License-Identifier: MIT */
#include "judge/reading.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static int is_count(double n) {
    return n >= 0 && n <= 0x1p53;
}

static int read_rate(const struct canary__tick_side *side, struct canary__judge_share *share) {
    share->n = side->n;
    share->k = side->k;
    return canary__judge_share_is_possible(*share);
}

static int read_classification(const struct canary__tick_side *side, int statistic,
                               struct canary__judge_share *share) {
    if (!is_count(side->tp) || !is_count(side->fp) || !is_count(side->fn)) {
        return 0;
    }
    share->k = side->tp;
    share->n = side->tp;
    share->n += statistic == CANARY_STATISTIC_RECALL ? 0 : side->fp;
    share->n += statistic == CANARY_STATISTIC_PRECISION ? 0 : side->fn;
    return canary__judge_share_is_possible(*share);
}

/* Durations above. A histogram that does not hold all of them tells nothing of the others. */
static int read_above(const struct canary__tick_side *side, double seconds, int most,
                      struct canary__judge_share *share) {
    double ns = seconds * 1e9;
    double held = side->overflow;

    if (!(ns >= 0) || !(ns < 0x1p62) || !is_count(side->n) ||
        side->bucket_count > CANARY_DURATION_BUCKETS ||
        (side->bucket_count > 0 && side->buckets == NULL)) {
        return 0;
    }
    for (uint32_t i = 0; i < side->bucket_count; i++) {
        held += (double)side->buckets[i];
    }
    share->n = side->n;
    share->k = most ? canary__tick_above_most(side, (int64_t)nearbyint(ns))
                    : canary__tick_above(side, (int64_t)nearbyint(ns));
    return held == side->n && canary__judge_share_is_possible(*share);
}

static int read_values(const struct canary__tick_side *side, struct canary__reading *out,
                       int cohort) {
    out->n[cohort] = side->n;
    out->x[cohort] = side->sum;
    out->squares[cohort] = side->squares >= 0 && side->squares < INFINITY ? side->squares : NAN;
    return is_count(side->n) && isfinite(side->sum) && (side->n > 0 || side->sum == 0);
}

static int fits(int kind, int statistic) {
    switch (statistic) {
    case CANARY_STATISTIC_RATE:
    case CANARY_STATISTIC_BURN:
        return kind == CANARY_METRIC_PROPORTION;
    case CANARY_STATISTIC_QUANTILE:
        return kind == CANARY_METRIC_DURATION;
    case CANARY_STATISTIC_MEAN:
        return kind == CANARY_METRIC_DURATION || kind == CANARY_METRIC_VALUE ||
               kind == CANARY_METRIC_SCORE;
    case CANARY_STATISTIC_F1:
    case CANARY_STATISTIC_PRECISION:
    case CANARY_STATISTIC_RECALL:
        return kind == CANARY_METRIC_CLASSIFICATION;
    default:
        return 0;
    }
}

int canary__reading_of(const struct canary__tick_metric *metric, const struct canary__rule *rule,
                       const struct canary__above *above, struct canary__reading *out) {
    memset(out, 0, sizeof *out);
    if (metric->kind == 0) {
        return CANARY__JUDGE_NO;
    }
    if (!fits(metric->kind, rule->statistic)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        const struct canary__tick_side *side = &metric->side[cohort];
        struct canary__judge_share share = { 0, 0 };
        int possible;

        if (rule->statistic == CANARY_STATISTIC_MEAN) {
            if (!read_values(side, out, cohort)) {
                return CANARY__JUDGE_UNKNOWN;
            }
            continue;
        }
        if (rule->statistic == CANARY_STATISTIC_QUANTILE) {
            possible = above != NULL &&
                       read_above(side, above->seconds[cohort], above->most[cohort], &share);
        } else if (metric->kind == CANARY_METRIC_CLASSIFICATION) {
            possible = read_classification(side, rule->statistic, &share);
        } else {
            possible = read_rate(side, &share);
        }
        if (!possible) {
            return CANARY__JUDGE_UNKNOWN;
        }
        out->n[cohort] = share.n;
        out->x[cohort] = share.k;
    }
    return CANARY__JUDGE_YES;
}

double canary__reading_value(const struct canary__reading *reading, int statistic, int cohort) {
    double n = reading->n[cohort];
    double x = reading->x[cohort];

    if (!(n > 0)) {
        return NAN;
    }
    /* F1 = 2q/(1+q) with q = tp/(tp+fp+fn) */
    return statistic == CANARY_STATISTIC_F1 ? 2 * x / (n + x) : x / n;
}
