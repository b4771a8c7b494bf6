/* SPDX-License-Identifier: MIT */
/* The few functions of probability that C does not bring: sums of logarithms, and the tails of the
 * normal, Student's and the chi-square distribution. Pure; an argument that means nothing answers
 * NaN. */
#ifndef CANARY__JUDGE_SPECIAL_H
#define CANARY__JUDGE_SPECIAL_H

#include <stddef.h>

/* What the rooms' questions are answered with. Everything that is not surely yes or surely no is
 * unknown: each comparison is written so that NaN falls there. */
enum {
    CANARY__JUDGE_UNKNOWN = -1,
    CANARY__JUDGE_NO = 0,
    CANARY__JUDGE_YES = 1,
};

/* How often something was looked at, and how often it was so. Counts are exact in doubles up to 2^53. */
struct canary__judge_share {
    double n;
    double k;
};

/* 1 for counts that can be: 0 <= k <= n <= 2^53. */
int canary__judge_share_is_possible(struct canary__judge_share share);

/* ln(exp(a) + exp(b)); either may be -INFINITY. */
double canary__judge_log_add(double a, double b);
/* ln(1 + exp(x)) */
double canary__judge_softplus(double x);
/* ln of the mean of exp(x[i]), `count` > 0 */
double canary__judge_log_mean(const double *x, size_t count);

/* ln(gamma(x)) for x > 0. lgamma() writes `signgam`, which other threads read and write. */
double canary__judge_ln_gamma(double x);

/* Chance beyond |z| on both sides of the normal distribution. */
double canary__judge_normal_tails(double z);
/* Chance beyond |t| on both sides of Student's t distribution, df > 0 degrees of freedom. */
double canary__judge_t_tails(double t, double df);
/* The t > 0 with `tails` beyond it on both sides, 0 < tails < 1. */
double canary__judge_t_quantile(double tails, double df);
/* Chance above x of the chi-square distribution. */
double canary__judge_chi_square_tail(double x, double df);

#endif
