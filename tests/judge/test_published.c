/* SPDX-License-Identifier: MIT */
/* Figures that others have published, to the digits they printed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge/burn.h"
#include "judge/classical.h"
#include "judge/evidence.h"
#include "judge/interval.h"
#include "judge/means.h"
#include "judge/srm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Equal when rounded to as many digits after the point as were printed. */
static void as_printed(double value, double printed, int digits) {
    double half = 0.5000001 * pow(10, -digits);

    if (!(fabs(value - printed) <= half)) {
        fail_msg("%.17g is not %.*f", value, digits, printed);
    }
}

/* Cut off after so many digits, not rounded. */
static void as_cut(double value, double printed, int digits) {
    double step = pow(10, -digits);

    if (!(value >= printed - 1e-9 * step && value <= printed + step)) {
        fail_msg("%.17g is not cut to %.*f", value, digits, printed);
    }
}

/* Printed as doubles: equal up to rounding in another order. */
static void as_computed(double value, double published) {
    if (!(fabs(value - published) <= 1e-12 * fmax(1, fabs(published)))) {
        fail_msg("%.17g is not %.17g", value, published);
    }
}

/* github.com/gostevehoward/confseq, test/uniform_boundaries_unittest.cpp */
static void confseq(void **state) {
    static const struct {
        struct canary__judge_share share;
        double best_n;
        double low;
        double high;
        int digits;
    } rates[] = {
        { { 1000, 700 }, 100, 0.651629, 0.745949, 6 },
        { { 50, 15 }, 50, 0.129556, 0.511896, 6 },
        { { 50, 5 }, 50, 0.013021, 0.269264, 6 },
        { { 50, 1 }, 50, 0, 0.13489, 5 },
        { { 2, 1 }, 50, 0, 1, 1 },
        { { 200, 100 }, 1, 0.328923, 0.671076, 6 },
        { { 1, 0 }, 50, 0, 1, 1 },
        { { 1, 1 }, 50, 0, 1, 1 },
    };
    double rho = canary__judge_mixture_rho(100, 0.05);

    (void)state;
    as_printed(rho, 12.60056, 5);
    as_printed(canary__judge_mixture_ln(10, 100, rho), -0.6510052, 7);
    as_printed(canary__judge_mixture_bound(100, rho, 0.05), 30.35209, 5);
    for (size_t i = 0; i < COUNT(rates); i++) {
        double low;
        double high;

        assert_int_equal(
            canary__judge_rate_interval(rates[i].share, 0.05, rates[i].best_n, &low, &high),
            CANARY__JUDGE_YES);
        as_cut(low, rates[i].low, rates[i].digits);
        as_cut(high, rates[i].high, rates[i].digits);
    }
}

/* GrowthBook, packages/stats/tests: a relative Welch test, and the asymptotic confidence sequence */
static void gbstats(void **state) {
    const struct canary__judge_sums old = { 3407, 1396.87, 52377.9767 };
    const struct canary__judge_sums fresh = { 3461, 2422.7, 134698.29 };
    const double p = 1396.0 / 3000;
    const double q = 2422.0 / 3461;
    const struct canary__judge_arm of_old = { 3000, p, p * (1 - p) };
    const struct canary__judge_arm of_new = { 3461, q, q * (1 - q) };
    struct canary__judge_arm a;
    struct canary__judge_arm b;
    struct canary__judge_lift_test test;
    double low;
    double high;

    (void)state;
    assert_int_equal(canary__judge_arm_of(&old, &a), CANARY__JUDGE_YES);
    assert_int_equal(canary__judge_arm_of(&fresh, &b), CANARY__JUDGE_YES);
    assert_int_equal(canary__judge_welch_lift(&b, &a, 0.05, &test), CANARY__JUDGE_YES);
    as_printed(test.lift, 0.70732, 5);
    as_printed(test.error, 0.37879, 5);
    as_printed(test.low, -0.03526, 5);
    as_printed(test.high, 1.44989, 5);
    as_printed(test.p, 0.06191, 5);
    assert_int_equal(canary__judge_lift_interval(&of_new, &of_old, 0.05, 5000, &low, &high),
                     CANARY__JUDGE_YES);
    as_printed(low, 0.40098, 5);
    as_printed(high, 0.60675, 5);
}

/* github.com/optimizely/ssrm */
static void ssrm(void **state) {
    static const double batches[4][3] = {
        { 20, 17, 9 }, { 18, 21, 8 }, { 4, 6, 4 }, { 18, 19, 11 }
    };
    const double asked[3] = { 0.4, 0.4, 0.2 };
    double prior[3] = { 1, 1, 1 };
    double sum[3] = { 0, 0, 0 };
    double ln_m1 = 0;
    double ln_m0 = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(batches); i++) {
        ln_m1 += canary__judge_ln_dirichlet(batches[i], prior, 3);
        ln_m0 += canary__judge_ln_multinomial(batches[i], asked, 3);
        for (int cell = 0; cell < 3; cell++) {
            prior[cell] += batches[i][cell];
            sum[cell] += batches[i][cell];
        }
    }
    as_computed(ln_m1, -19.96484521090386);
    as_computed(ln_m0, -15.781031228536165);
    /* And the factor, where batches make no difference: with a prior of weight 1000 around `asked`. */
    for (int cell = 0; cell < 3; cell++) {
        prior[cell] = 1000 * asked[cell];
    }
    as_computed(canary__judge_mismatch(sum, asked, 3, 1000),
                canary__judge_ln_dirichlet(sum, prior, 3) -
                    canary__judge_ln_multinomial(sum, asked, 3));
}

/* scipy.stats.chisquare and mannwhitneyu, statsmodels proportions_ztest, R t.test(extra ~ group) */
static void classical(void **state) {
    static const double dice[6] = { 16, 18, 16, 14, 12, 12 };
    static const double even[6] = { 1.0 / 6, 1.0 / 6, 1.0 / 6, 1.0 / 6, 1.0 / 6, 1.0 / 6 };
    static const double extra[2][10] = {
        { 0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0 },
        { 1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4 },
    };
    static const int males[] = { 19, 22, 16, 29, 24 };
    static const int females[] = { 20, 11, 17, 12 };
    uint64_t by_age[2][30] = { { 0 }, { 0 } };
    struct canary__judge_arm arms[2];
    struct canary__judge_test test;

    (void)state;
    assert_int_equal(canary__judge_chi_square(dice, even, 6, &test), CANARY__JUDGE_YES);
    as_computed(test.statistic, 2.0);
    as_computed(test.p, 0.84914503608460956);
    assert_int_equal(canary__judge_two_proportions((struct canary__judge_share){ 83, 5 },
                                                   (struct canary__judge_share){ 99, 12 }, &test),
                     CANARY__JUDGE_YES);
    as_computed(test.statistic, -1.4078304151258787);
    as_computed(test.p, 0.15918129181156992);
    for (int group = 0; group < 2; group++) {
        struct canary__judge_sums sums = { 10, 0, 0 };

        for (int i = 0; i < 10; i++) {
            sums.sum += extra[group][i];
            sums.squares += extra[group][i] * extra[group][i];
        }
        assert_int_equal(canary__judge_arm_of(&sums, &arms[group]), CANARY__JUDGE_YES);
    }
    assert_int_equal(canary__judge_welch(&arms[0], &arms[1], &test), CANARY__JUDGE_YES);
    as_printed(test.statistic, -1.8608, 4);
    as_printed(test.df, 17.776, 3);
    as_printed(test.p, 0.07939, 5);
    for (size_t i = 0; i < COUNT(males); i++) {
        by_age[0][males[i]]++;
    }
    for (size_t i = 0; i < COUNT(females); i++) {
        by_age[1][females[i]]++;
    }
    assert_int_equal(canary__judge_mann_whitney(by_age[0], by_age[1], 30, &test),
                     CANARY__JUDGE_YES);
    as_computed(test.statistic, 17);
    as_computed(test.p, 0.11134688653314041);
}

/* sloth.dev, the windows of a period of 30 days */
static void burn(void **state) {
    const double hour = 3600;
    const double period = 30 * 24 * hour;

    (void)state;
    as_computed(canary__judge_burn_factor(0.02, hour, period), 14.4);
    as_computed(canary__judge_burn_factor(0.05, 6 * hour, period), 6);
    as_computed(canary__judge_burn_factor(0.10, 24 * hour, period), 3);
    as_computed(canary__judge_burn_factor(0.10, 72 * hour, period), 1);
}

/* The process itself, computed beforehand by other code. */
static void evidence(void **state) {
    const struct canary__judge_tick first = { .fresh = { 50, 2 }, .old = { 950, 5 } };
    const struct canary__judge_tick second = { .fresh = { 250, 6 }, .old = { 750, 10 } };
    const struct canary__judge_tick silent = { .fresh = { 5000, 5 }, .old = { 95000, 0 } };
    struct canary__judge_evidence process;
    struct canary__judge_weight weight;
    struct canary__judge_step step;

    (void)state;
    canary__judge_evidence_start(&process);
    assert_int_equal(canary__judge_step_above(&first, 1, 1, &step), CANARY__JUDGE_YES);
    canary__judge_evidence_add(&process, &step, 1);
    assert_int_equal(canary__judge_evidence_weigh(&process, 8640, &weight), CANARY__JUDGE_YES);
    as_printed(weight.ln_e, 1.113573315268, 12);
    as_printed(weight.ln_w, 0.420541868751, 12);
    assert_int_equal(canary__judge_step_above(&second, 1, 1, &step), CANARY__JUDGE_YES);
    canary__judge_evidence_add(&process, &step, 1);
    assert_int_equal(canary__judge_evidence_weigh(&process, 8640, &weight), CANARY__JUDGE_YES);
    as_printed(weight.ln_e, 0.869612589211, 12);
    as_printed(weight.ln_m, 1.233734207194, 12);
    as_printed(weight.ln_w, 0.176631974552, 12);
    canary__judge_evidence_start(&process);
    assert_int_equal(canary__judge_step_above(&silent, 1, 1, &step), CANARY__JUDGE_YES);
    canary__judge_evidence_add(&process, &step, 1);
    assert_int_equal(canary__judge_evidence_weigh(&process, 8640, &weight), CANARY__JUDGE_YES);
    as_printed(weight.ln_e, 10.812782361222, 12);
    for (int j = 0; j < CANARY__JUDGE_ALTERNATIVES; j++) {
        as_computed(canary__judge_ln_alternative(j),
                    log(1.1) * pow(log(50) / log(1.1), (double)j / 15));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confseq),   cmocka_unit_test(gbstats), cmocka_unit_test(ssrm),
        cmocka_unit_test(classical), cmocka_unit_test(burn),    cmocka_unit_test(evidence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
