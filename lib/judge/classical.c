/* SPDX-License-Identifier: MIT */
#include "judge/classical.h"

#include <math.h>

static int unknown(struct canary__judge_test *test) {
    *test = (struct canary__judge_test){ .statistic = NAN, .df = NAN, .p = NAN };
    return CANARY__JUDGE_UNKNOWN;
}

int canary__judge_two_proportions(struct canary__judge_share a, struct canary__judge_share b,
                                  struct canary__judge_test *test) {
    double pooled = (a.k + b.k) / (a.n + b.n);
    double variance = pooled * (1 - pooled) * (1 / a.n + 1 / b.n);

    if (!canary__judge_share_is_possible(a) || !canary__judge_share_is_possible(b) || !(a.n > 0) ||
        !(b.n > 0) || !(variance > 0)) {
        return unknown(test);
    }
    test->statistic = (a.k / a.n - b.k / b.n) / sqrt(variance);
    test->df = NAN;
    test->p = canary__judge_normal_tails(test->statistic);
    return CANARY__JUDGE_YES;
}

static double degrees(const struct canary__judge_arm *a, const struct canary__judge_arm *b) {
    double of_a = a->variance / a->n;
    double of_b = b->variance / b->n;

    return (of_a + of_b) * (of_a + of_b) / (of_a * of_a / (a->n - 1) + of_b * of_b / (b->n - 1));
}

static int is_testable(const struct canary__judge_arm *arm) {
    return arm->n >= 2 && isfinite(arm->n) && isfinite(arm->mean) && arm->variance >= 0 &&
           isfinite(arm->variance);
}

int canary__judge_welch(const struct canary__judge_arm *a, const struct canary__judge_arm *b,
                        struct canary__judge_test *test) {
    if (!is_testable(a) || !is_testable(b) || !(a->variance + b->variance > 0)) {
        return unknown(test);
    }
    test->statistic = (a->mean - b->mean) / sqrt(a->variance / a->n + b->variance / b->n);
    test->df = degrees(a, b);
    test->p = canary__judge_t_tails(test->statistic, test->df);
    return CANARY__JUDGE_YES;
}

int canary__judge_welch_lift(const struct canary__judge_arm *fresh,
                             const struct canary__judge_arm *old, double alpha,
                             struct canary__judge_lift_test *test) {
    double variance;
    double width;
    double df;

    *test = (struct canary__judge_lift_test){
        .lift = NAN, .error = NAN, .low = NAN, .high = NAN, .p = NAN
    };
    if (!is_testable(fresh) || !is_testable(old) || !(alpha > 0) || !(alpha < 1) ||
        canary__judge_lift(fresh, old, &test->lift, &variance) != CANARY__JUDGE_YES) {
        return CANARY__JUDGE_UNKNOWN;
    }
    df = degrees(fresh, old);
    test->error = sqrt(variance);
    width = canary__judge_t_quantile(alpha, df) * test->error;
    test->low = test->lift - width;
    test->high = test->lift + width;
    test->p = canary__judge_t_tails(test->lift / test->error, df);
    return CANARY__JUDGE_YES;
}

int canary__judge_chi_square(const double *counts, const double *asked, size_t cells,
                             struct canary__judge_test *test) {
    double total = 0;
    double sum = 0;

    for (size_t i = 0; i < cells; i++) {
        if (!(counts[i] >= 0) || !(asked[i] > 0) || !(asked[i] <= 1)) {
            return unknown(test);
        }
        total += counts[i];
        sum += asked[i];
    }
    if (cells < 2 || !(total > 0) || isinf(total) || !(fabs(sum - 1) <= 1e-9)) {
        return unknown(test);
    }
    test->statistic = 0;
    for (size_t i = 0; i < cells; i++) {
        double expected = total * asked[i];
        double off = counts[i] - expected;

        test->statistic += off * off / expected;
    }
    test->df = (double)(cells - 1);
    test->p = canary__judge_chi_square_tail(test->statistic, test->df);
    return CANARY__JUDGE_YES;
}

int canary__judge_mann_whitney(const uint64_t *a, const uint64_t *b, size_t buckets,
                               struct canary__judge_test *test) {
    double of_a = 0;
    double of_b = 0;
    double u = 0;
    double ties = 0;
    double all;
    double variance;
    double off;

    for (size_t i = 0; i < buckets; i++) {
        double in_a = (double)a[i];
        double in_b = (double)b[i];
        double tied = in_a + in_b;

        u += in_a * (of_b + in_b / 2);
        of_a += in_a;
        of_b += in_b;
        ties += tied * (tied * tied - 1);
    }
    all = of_a + of_b;
    variance = of_a * of_b / 12 * (all + 1 - ties / (all * (all - 1)));
    if (!(of_a > 0) || !(of_b > 0) || !(variance > 0)) {
        return unknown(test);
    }
    /* U is a whole or half number, the normal distribution is not: half a step nearer. */
    off = fabs(u - of_a * of_b / 2) - 0.5;
    test->statistic = u;
    test->df = NAN;
    test->p = off > 0 ? canary__judge_normal_tails(off / sqrt(variance)) : 1;
    return CANARY__JUDGE_YES;
}
