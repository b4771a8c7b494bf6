/* SPDX-License-Identifier: MIT */
/* What one rule reads from one tick. */
#ifndef CANARY__JUDGE_READING_H
#define CANARY__JUDGE_READING_H

#include "judge/tick.h"

/* Additive; by cohort. */
struct canary__reading {
    double n[2]; /* of how many: outcomes, values, tp + fp + fn of F1, tp + fp, tp + fn */
    double x[2]; /* rate: how many; mean: their sum; F1, precision, recall: tp; quantile: above */
    double squares[2]; /* mean; may be NaN where it is not known, and nothing else is */
};

/* The durations that a quantile's rule counts: those above it, by cohort. */
struct canary__above {
    double seconds[2];
    int most[2]; /* count what may be above, not only what surely is */
};

/* YES and a reading; NO when the tick has no figures of the metric; UNKNOWN when its figures cannot be (NaN,
 * negative, more of something than of all) or are of a kind that the rule does not fit: then nothing
 * may be added. `above` for quantiles only; one that is not known is UNKNOWN. */
int canary__reading_of(const struct canary__tick_metric *metric, const struct canary__rule *rule,
                       const struct canary__above *above, struct canary__reading *out);

/* The value of one cohort: rate, mean, F1 ...; NaN without figures. A QUANTILE's is the share above. */
double canary__reading_value(const struct canary__reading *reading, int statistic, int cohort);

#endif
