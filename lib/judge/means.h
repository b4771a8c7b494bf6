/* SPDX-License-Identifier: MIT */
/* Means of durations, costs and scores: is the new cohort's mean above, or below, what is allowed of
 * the old one's? By an asymptotic confidence sequence: at every look at once, in the limit of many
 * values an arm, without a bound on the values.
 *
 * Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, arXiv 2103.06476: the two-sided form
 * (theorem 2.2), the one-sided one (appendix B), and the choice of rho. */
#ifndef CANARY__JUDGE_MEANS_H
#define CANARY__JUDGE_MEANS_H

#include "judge/special.h"

/* Fewer values in an arm are no basis for a limit theorem. */
#define CANARY__JUDGE_MEANS_LEAST 100.0

/* What is recorded of values. */
struct canary__judge_sums {
    double n;
    double sum;
    double squares;
};

struct canary__judge_arm {
    double n;
    double mean;
    double variance; /* of one value, divided by n - 1 */
};

/* One time during which the cohorts' shares stood still: a stage. */
struct canary__judge_stratum {
    struct canary__judge_sums fresh;
    struct canary__judge_sums old;
};

struct canary__judge_means_question {
    double factor; /* asked is the sign of mean_new - factor*mean_old - offset */
    double offset;
    double alpha;
    double best_n; /* where the sequence is tightest: values of both arms */
    double effect; /* design effect, at least 1 */
};

struct canary__judge_means_answer {
    double estimate; /* of mean_new - factor*mean_old - offset */
    double error;    /* its standard error, design effect included */
    double width;    /* of the one-sided bound: proven above when estimate - width > 0 */
    double p;        /* valid at every look, of the side that was asked for */
    double n;        /* values that it rests on */
    int strata;      /* that had enough in both arms */
};

/* UNKNOWN for fewer than two values, for sums that cannot be, and for values all equal, from which no
 * variance can be estimated. */
int canary__judge_arm_of(const struct canary__judge_sums *sums, struct canary__judge_arm *arm);

/* rho of the sequence that is tightest after best_n values. */
double canary__judge_sequence_rho(double best_n, double alpha);
/* Half the width of the two-sided sequence, and the width of the one-sided: for a mean of n values
 * whose estimate has the variance v. */
double canary__judge_sequence_two_sided(double v, double n, double rho, double alpha);
double canary__judge_sequence_one_sided(double v, double n, double rho, double alpha);

/* YES when it is proven that the mean is above (`sign` 1), or below (-1), what the question allows;
 * NO when not; UNKNOWN with too few values. Strata are weighted by the inverse of their variance, so
 * that a change of both means between stages is not taken for a difference. */
int canary__judge_means(const struct canary__judge_stratum *strata, size_t count,
                        const struct canary__judge_means_question *question, int sign,
                        struct canary__judge_means_answer *answer);

/* The relative difference mean_new/mean_old - 1 and its variance (delta method). */
int canary__judge_lift(const struct canary__judge_arm *fresh, const struct canary__judge_arm *old,
                       double *lift, double *variance);
/* The two-sided sequence of the relative difference. */
int canary__judge_lift_interval(const struct canary__judge_arm *fresh,
                                const struct canary__judge_arm *old, double alpha, double best_n,
                                double *low, double *high);

#endif
