/* SPDX-License-Identifier: MIT */
/* The parts of a policy's text. Each tells of its problems and fills what it can. */
#ifndef CANARY__JUDGE_POLICY_PARTS_H
#define CANARY__JUDGE_POLICY_PARTS_H

#include <canary/metrics.h>

#include "judge/policy.h"
#include "judge/policy_reading.h"
#include "judge/spans.h"

#define CANARY__WINDOW_MAX_NS (31 * CANARY__DAY_NS)

/* Sets of kinds of metrics. */
#define CANARY__KIND(kind) (UINT32_C(1) << (kind))
#define CANARY__KINDS_ANY                                                                          \
    (CANARY__KIND(CANARY_METRIC_PROPORTION) | CANARY__KIND(CANARY_METRIC_DURATION) |               \
     CANARY__KIND(CANARY_METRIC_VALUE) | CANARY__KIND(CANARY_METRIC_SCORE) |                       \
     CANARY__KIND(CANARY_METRIC_CLASSIFICATION))
#define CANARY__KINDS_NUMBER (CANARY__KIND(CANARY_METRIC_VALUE) | CANARY__KIND(CANARY_METRIC_SCORE))

/* What is measured: metric and statistic, of a rule or an objective. */
struct canary__subject {
    char metric[CANARY_METRIC_NAME_MAX + 1];
    int32_t statistic;
    uint32_t kinds; /* that fit */
    double quantile;
    char word[16]; /* the statistic as in the text */
};

/* Reads "metric" and "statistic". `burns` 1: "burn" is one of the statistics. */
int canary__policy_subject(struct canary__policy_reading *reading, const struct canary__spot *spot,
                           int burns, struct canary__subject *out);

/* Reads "above" or "below" as a limit of the subject; durations become seconds. May narrow
 * `subject->kinds`. */
int canary__policy_limit(struct canary__policy_reading *reading, const struct canary__spot *spot,
                         struct canary__subject *subject, int32_t *above, double *limit);
/* Which of "above" and "below" stands there: the key, or NULL, when that was told. */
const char *canary__policy_side(struct canary__policy_reading *reading,
                                const struct canary__spot *spot, int32_t *above);
/* A share: a number or a percentage, of which `fits` says whether it is allowed. */
int canary__policy_share(struct canary__policy_reading *reading, const struct canary__spot *spot,
                         const char *key, double least, double most, const char *allowed,
                         double *out);

void canary__policy_rule(struct canary__policy_reading *reading, const struct canary__spot *spot,
                         uint32_t stage_count, struct canary__rule *out);
void canary__policy_objective(struct canary__policy_reading *reading,
                              const struct canary__spot *spot, struct canary__objective *out);
void canary__policy_stages(struct canary__policy_reading *reading, const struct canary__spot *spot,
                           struct canary_policy *out);

#endif
