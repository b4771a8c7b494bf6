/* SPDX-License-Identifier: MIT */
/* Requests of one user fail together. The design effect D says by how much the spread between two
 * groups of users exceeds that of independent requests; evidence is divided by it. It is measured where
 * there is nothing to find: between two halves of the old cohort, split by a hash of the user. The same
 * halves are held against each other by the very process that judges the new cohort; should that ever
 * "find harm", then D does not describe this traffic, and no verdict of such processes is to be
 * believed. */
#ifndef CANARY__JUDGE_DESIGN_EFFECT_H
#define CANARY__JUDGE_DESIGN_EFFECT_H

#include "judge/evidence.h"

/* Ticks with a bad event that an estimate needs. */
#define CANARY__JUDGE_EFFECT_LEAST 200.0

enum { CANARY__JUDGE_SPLIT_DOUBLES = 2 + 2 * CANARY__JUDGE_EVIDENCE_DOUBLES };

struct canary__judge_split {
    double ticks;                       /* that had a bad event and requests in both halves */
    double squares;                     /* sum of (k_a - m*pi)^2 / (m*pi*(1-pi)) */
    struct canary__judge_evidence a_up; /* "a is worse than b" */
    struct canary__judge_evidence b_up; /* "b is worse than a" */
};

void canary__judge_split_start(struct canary__judge_split *split);

/* Adds a tick of the halves a and b: to the self-test with the D known before, then to the estimate. D
 * of a tick must not depend on that tick. `planned` as for canary__judge_evidence_add(). YES, NO
 * (nothing to compare), UNKNOWN. */
int canary__judge_split_add(struct canary__judge_split *split, struct canary__judge_share a,
                            struct canary__judge_share b, int planned);

/* At least 1; NaN before enough ticks, which the steps of evidence take for UNKNOWN. */
double canary__judge_split_effect(const struct canary__judge_split *split);

/* The self-test with alpha for both directions together. YES: the halves of one cohort differ. */
int canary__judge_split_differs(const struct canary__judge_split *split, double planned_ticks,
                                double alpha);

void canary__judge_split_save(const struct canary__judge_split *split,
                              double saved[CANARY__JUDGE_SPLIT_DOUBLES]);
int canary__judge_split_restore(struct canary__judge_split *split,
                                const double saved[CANARY__JUDGE_SPLIT_DOUBLES]);

#endif
