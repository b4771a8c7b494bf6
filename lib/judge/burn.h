/* SPDX-License-Identifier: MIT */
/* How fast an error budget is used up, and how long evidence takes to come in. */
#ifndef CANARY__JUDGE_BURN_H
#define CANARY__JUDGE_BURN_H

#include "judge/special.h"

/* Bad events without which a long window is no basis for a verdict. */
#define CANARY__JUDGE_BURN_LEAST 5.0

/* (bad/total)/(1-objective): at 1 the budget lasts exactly its period. NaN without events, or when the
 * objective is not between 0 and 1. `share.k` counts the bad. */
double canary__judge_burn(struct canary__judge_share share, double objective);

/* The rate that uses up `budget` (0.02 for 2 %) of the budget of `period` within `window`. */
double canary__judge_burn_factor(double budget, double window, double period);

/* A long window, so that it matters, and a short one, so that it still goes on (Google's Site
 * Reliability Workbook, chapter 5). YES when both burn at `factor` or more and the long one has enough
 * bad events; NO when either surely burns less; else UNKNOWN. */
int canary__judge_burns(struct canary__judge_share in_long, struct canary__judge_share in_short,
                        double objective, double factor);

struct canary__judge_plan {
    double rate;   /* of bad events in the old cohort */
    double share;  /* of requests that go to the new one */
    double ratio;  /* the new cohort's rate divided by the old one's */
    double margin; /* the ratio that is allowed, or that must be proven not to be reached */
    double alpha;
    double effect; /* design effect */
};

/* Requests of the new cohort until harm is proven (sign 1), or until its absence is, so that an advance
 * may be made (sign -1): about the median, within a quarter. ln E is followed along its expected path;
 * chance brings more than half of all paths to the end before that, as a Brownian motion with the same
 * drift and variance is (its first passage has the inverse Gaussian distribution). INFINITY when this
 * ratio is never proven, NaN for a plan that cannot be. */
double canary__judge_plan_requests(const struct canary__judge_plan *plan, int sign);

#endif
