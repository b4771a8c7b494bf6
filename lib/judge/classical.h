/* SPDX-License-Identifier: MIT */
/* The tests of the textbooks, for reports. Each is valid for ONE look that was planned before the
 * data: read after every tick until it looks good, a test at 0.05 errs in half of all cases. Never
 * decide by them. */
#ifndef CANARY__JUDGE_CLASSICAL_H
#define CANARY__JUDGE_CLASSICAL_H

#include <stdint.h>

#include "judge/means.h"
#include "judge/special.h"

/* What a report prints beside each of these figures. */
#define CANARY__JUDGE_CLASSICAL_LABEL "valid for one planned look only"

struct canary__judge_test {
    double statistic; /* z, t, chi-square or U */
    double df;        /* degrees of freedom; NaN where there are none */
    double p;         /* two-sided, except for chi-square */
};

/* All answer YES, or UNKNOWN with NaN in `test`: too few values, no variance, impossible counts. */

/* Pooled variance; z > 0 when a has the higher rate. */
int canary__judge_two_proportions(struct canary__judge_share a, struct canary__judge_share b,
                                  struct canary__judge_test *test);

/* Unequal variances, degrees of freedom after Welch and Satterthwaite; t > 0 when a has the higher mean. */
int canary__judge_welch(const struct canary__judge_arm *a, const struct canary__judge_arm *b,
                        struct canary__judge_test *test);

struct canary__judge_lift_test {
    double lift; /* mean_new / mean_old - 1 */
    double error;
    double low; /* interval at 1 - alpha */
    double high;
    double p; /* two-sided, against a lift of 0 */
};

/* The same for the relative difference (delta method). */
int canary__judge_welch_lift(const struct canary__judge_arm *fresh,
                             const struct canary__judge_arm *old, double alpha,
                             struct canary__judge_lift_test *test);

/* Pearson's: counts against the probabilities `asked`; cells - 1 degrees of freedom. */
int canary__judge_chi_square(const double *counts, const double *asked, size_t cells,
                             struct canary__judge_test *test);

/* Mann-Whitney: the statistic is U of a, the pairs in which a is higher. Values come as counts of equal
 * ones in ascending order, as a histogram has them: ranks need no sorting and no memory, and what falls
 * into one bucket is tied. Normal approximation with corrections for ties and continuity. */
int canary__judge_mann_whitney(const uint64_t *a, const uint64_t *b, size_t buckets,
                               struct canary__judge_test *test);

#endif
