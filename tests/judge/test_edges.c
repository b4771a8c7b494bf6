/* SPDX-License-Identifier: MIT */
/* What judgement answers where there is no answer: unknown, never yes and never no; and what its
 * pieces promise each other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "judge/burn.h"
#include "judge/classical.h"
#include "judge/design_effect.h"
#include "judge/evidence.h"
#include "judge/interval.h"
#include "judge/means.h"
#include "judge/srm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct canary__judge_tick usual = { .fresh = { 50, 2 }, .old = { 950, 5 } };

static const struct canary__judge_share impossible[] = {
    { NAN, 1 }, { 10, NAN }, { 10, 11 }, { -1, -1 }, { 10, -1 }, { INFINITY, 1 }, { 0x1p54, 1 },
};

static void impossible_counts_are_unknown(void **state) {
    struct canary__judge_step step;
    struct canary__judge_curve curve;
    struct canary__judge_split split;
    struct canary__judge_test test;
    double low;
    double high;

    (void)state;
    canary__judge_curve_start(&curve);
    canary__judge_split_start(&split);
    for (size_t i = 0; i < COUNT(impossible); i++) {
        struct canary__judge_tick tick = { .fresh = impossible[i], .old = { 100, 1 } };
        struct canary__judge_tick turned = { .fresh = { 100, 1 }, .old = impossible[i] };

        assert_int_equal(canary__judge_step_above(&tick, 1, 1, &step), CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_step_above(&turned, 1, 1, &step), CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_step_below(&tick, 1, 1, &step), CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_step_below(&turned, 1, 1, &step), CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_step_over(impossible[i], 0.1, 1, &step),
                         CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_step_under(impossible[i], 0.1, 1, &step),
                         CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_curve_add(&curve, &tick, 1), CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_curve_add(&curve, &turned, 1), CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_split_add(&split, tick.fresh, tick.old, 1),
                         CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_split_add(&split, turned.fresh, turned.old, 1),
                         CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_two_proportions(tick.fresh, tick.old, &test),
                         CANARY__JUDGE_UNKNOWN);
        assert_true(isnan(test.p));
        assert_int_equal(canary__judge_rate_interval(impossible[i], 0.05, 100, &low, &high),
                         CANARY__JUDGE_UNKNOWN);
        assert_true(low == 0 && high == 1);
        assert_int_equal(canary__judge_burns(impossible[i], impossible[i], 0.99, 1),
                         CANARY__JUDGE_UNKNOWN);
    }
    assert_true(split.ticks == 0 && split.squares == 0);
}

static void impossible_questions_are_unknown(void **state) {
    static const double margins[] = { NAN, 0, -1, INFINITY };
    static const double limits[] = { NAN, 0, -1, 0.95, 1, INFINITY };
    static const double effects[] = { NAN, 0.999, 0, -1, INFINITY };
    struct canary__judge_step step;
    struct canary__judge_curve curve;

    (void)state;
    for (size_t i = 0; i < COUNT(margins); i++) {
        assert_int_equal(canary__judge_step_above(&usual, margins[i], 1, &step),
                         CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_step_below(&usual, margins[i], 1, &step),
                         CANARY__JUDGE_UNKNOWN);
    }
    for (size_t i = 0; i < COUNT(limits); i++) {
        assert_int_equal(canary__judge_step_over(usual.fresh, limits[i], 1, &step),
                         CANARY__JUDGE_UNKNOWN);
    }
    for (size_t i = 0; i < COUNT(effects); i++) {
        canary__judge_curve_start(&curve);
        assert_int_equal(canary__judge_step_above(&usual, 1, effects[i], &step),
                         CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_step_under(usual.fresh, 0.1, effects[i], &step),
                         CANARY__JUDGE_UNKNOWN);
        assert_int_equal(canary__judge_curve_add(&curve, &usual, effects[i]),
                         CANARY__JUDGE_UNKNOWN);
    }
    assert_int_equal(canary__judge_is_proven(NAN, 0.05), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_is_proven(100, NAN), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_is_proven(100, 0), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_is_proven(100, 1), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_is_proven(INFINITY, 0.05), CANARY__JUDGE_YES);
    assert_int_equal(canary__judge_is_proven(-INFINITY, 0.05), CANARY__JUDGE_NO);
    assert_true(isnan(canary__judge_anytime_p(NAN)));
    assert_true(canary__judge_anytime_p(-3) == 1);
}

static void an_empty_cohort_adds_nothing(void **state) {
    const struct canary__judge_tick without_new = { .fresh = { 0, 0 }, .old = { 100, 9 } };
    const struct canary__judge_tick without_old = { .fresh = { 100, 9 }, .old = { 0, 0 } };
    struct canary__judge_step step;

    (void)state;
    assert_int_equal(canary__judge_step_above(&without_new, 1, 1, &step), CANARY__JUDGE_NO);
    assert_int_equal(canary__judge_step_above(&without_old, 1, 1, &step), CANARY__JUDGE_NO);
    assert_int_equal(canary__judge_step_below(&without_old, 1, 1, &step), CANARY__JUDGE_NO);
    assert_int_equal(canary__judge_step_over(without_new.fresh, 0.1, 1, &step), CANARY__JUDGE_NO);
}

/* A state from a store may be anything. */
static void a_damaged_state_starts_anew(void **state) {
    static const double damage[] = { NAN, INFINITY };
    double saved[CANARY__JUDGE_EVIDENCE_DOUBLES];
    double again[CANARY__JUDGE_EVIDENCE_DOUBLES];
    struct canary__judge_evidence evidence;
    struct canary__judge_evidence restored;
    struct canary__judge_weight weight;
    struct canary__judge_step step;

    (void)state;
    canary__judge_evidence_start(&evidence);
    assert_int_equal(canary__judge_evidence_weigh(&evidence, 100, &weight), CANARY__JUDGE_YES);
    assert_true(weight.ln_e == 0 && weight.ln_m == -INFINITY);
    canary__judge_step_above(&usual, 1, 1, &step);
    canary__judge_evidence_add(&evidence, &step, 1);
    canary__judge_evidence_save(&evidence, saved);
    assert_int_equal(canary__judge_evidence_restore(&restored, saved), CANARY__JUDGE_YES);
    canary__judge_evidence_save(&restored, again);
    assert_memory_equal(saved, again, sizeof(saved));
    for (int i = 0; i < CANARY__JUDGE_EVIDENCE_DOUBLES; i++) {
        for (size_t d = 0; d < COUNT(damage); d++) {
            double before = saved[i];

            saved[i] = damage[d];
            assert_int_equal(canary__judge_evidence_restore(&restored, saved),
                             CANARY__JUDGE_UNKNOWN);
            assert_int_equal(canary__judge_evidence_weigh(&restored, 100, &weight),
                             CANARY__JUDGE_YES);
            assert_true(weight.ln_e == 0);
            saved[i] = before;
        }
    }
    evidence.since[3] = NAN;
    assert_int_equal(canary__judge_evidence_weigh(&evidence, 100, &weight), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_is_proven(weight.ln_w, 0.05), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_evidence_weigh(&restored, 0, &weight), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_evidence_weigh(&restored, NAN, &weight), CANARY__JUDGE_UNKNOWN);
}

/* Quiet ticks: M grows by one for each that was planned, so that M/T is never above 1, and W stays at
 * most 1 for as long as the stage lasts. */
static void what_was_not_planned_begins_no_change(void **state) {
    const struct canary__judge_tick quiet = { .fresh = { 50, 0 }, .old = { 950, 0 } };
    struct canary__judge_evidence evidence;
    struct canary__judge_weight weight;
    struct canary__judge_step step;

    (void)state;
    canary__judge_evidence_start(&evidence);
    for (int t = 0; t < 5000; t++) {
        canary__judge_step_above(&quiet, 1, 1, &step);
        canary__judge_evidence_add(&evidence, &step, t < 100);
        canary__judge_evidence_weigh(&evidence, 100, &weight);
        assert_true(fabs(weight.ln_m - log(t < 100 ? t + 1 : 100)) < 1e-12);
        assert_true(weight.ln_w <= 1e-12);
    }
}

/* The curve is the process: turned to any margin, and its ends where the processes refute. */
static void the_interval_inverts_the_process(void **state) {
    static const struct canary__judge_tick ticks[] = {
        { { 50, 2 }, { 950, 5 } },      { { 250, 6 }, { 750, 10 } }, { { 500, 9 }, { 500, 4 } },
        { { 5000, 70 }, { 4000, 40 } }, { { 90, 0 }, { 10, 1 } },
    };
    static const double margins[] = { 0.1, 0.7, 1, 1.37, 2, 20 };
    struct canary__judge_interval interval;
    struct canary__judge_curve curve;

    (void)state;
    canary__judge_curve_start(&curve);
    assert_int_equal(canary__judge_curve_interval(&curve, 0.05, &interval), CANARY__JUDGE_YES);
    assert_true(interval.low == 0 && isnan(interval.estimate) && isinf(interval.high));
    for (size_t i = 0; i < COUNT(ticks); i++) {
        canary__judge_curve_add(&curve, &ticks[i], 1.5);
    }
    for (size_t m = 0; m < COUNT(margins); m++) {
        struct canary__judge_evidence above;
        struct canary__judge_evidence below;
        struct canary__judge_weight weight;
        struct canary__judge_step step;

        canary__judge_evidence_start(&above);
        canary__judge_evidence_start(&below);
        for (size_t i = 0; i < COUNT(ticks); i++) {
            canary__judge_step_above(&ticks[i], margins[m], 1.5, &step);
            canary__judge_evidence_add(&above, &step, 1);
            canary__judge_step_below(&ticks[i], margins[m], 1.5, &step);
            canary__judge_evidence_add(&below, &step, 1);
        }
        canary__judge_evidence_weigh(&above, 100, &weight);
        assert_true(fabs(canary__judge_curve_above(&curve, margins[m]) - weight.ln_e) < 1e-6);
        canary__judge_evidence_weigh(&below, 100, &weight);
        assert_true(fabs(canary__judge_curve_below(&curve, margins[m]) - weight.ln_e) < 1e-6);
    }
    assert_int_equal(canary__judge_curve_interval(&curve, 0.05, &interval), CANARY__JUDGE_YES);
    assert_true(interval.low > 0 && interval.low < interval.estimate &&
                interval.estimate < interval.high && interval.high < INFINITY);
    assert_true(fabs(canary__judge_curve_above(&curve, interval.low) - log(40)) < 1e-9);
    assert_true(fabs(canary__judge_curve_below(&curve, interval.high) - log(40)) < 1e-9);
    /* Farther from the estimate than from a wider interval. */
    assert_true(canary__judge_curve_above(&curve, interval.estimate) < 0);
    assert_true(isnan(canary__judge_curve_above(&curve, NAN)));
    assert_true(isnan(canary__judge_curve_above(&curve, 0)));
    assert_int_equal(canary__judge_curve_interval(&curve, 0, &interval), CANARY__JUDGE_UNKNOWN);
    curve.bend[64] = NAN;
    assert_int_equal(canary__judge_curve_interval(&curve, 0.05, &interval), CANARY__JUDGE_UNKNOWN);
    assert_true(isnan(interval.low) && isnan(interval.high));
}

/* Nobody fails in one cohort: an interval all the same, open on one side. */
static void a_cohort_without_failures(void **state) {
    const struct canary__judge_tick only_new = { .fresh = { 5000, 50 }, .old = { 95000, 0 } };
    const struct canary__judge_tick only_old = { .fresh = { 50000, 0 }, .old = { 50000, 500 } };
    struct canary__judge_interval interval;
    struct canary__judge_curve curve;

    (void)state;
    canary__judge_curve_start(&curve);
    canary__judge_curve_add(&curve, &only_new, 1);
    canary__judge_curve_interval(&curve, 0.05, &interval);
    assert_true(interval.low > 10 && isinf(interval.estimate) && isinf(interval.high));
    canary__judge_curve_start(&curve);
    canary__judge_curve_add(&curve, &only_old, 1);
    canary__judge_curve_interval(&curve, 0.05, &interval);
    assert_true(interval.low == 0 && interval.estimate == 0 && interval.high < 0.1);
}

static void means_need_enough_and_finite_values(void **state) {
    const struct canary__judge_sums hundred = { 100, 1000, 12000 };
    const struct canary__judge_sums more = { 100, 1500, 24500 };
    struct canary__judge_means_question question = {
        .factor = 1, .offset = 0, .alpha = 0.05, .best_n = 5000, .effect = 1
    };
    struct canary__judge_means_answer answer;
    struct canary__judge_stratum strata[2] = { { more, hundred }, { { 99, 1e9, 1e18 }, hundred } };
    const struct canary__judge_sums broken[] = {
        { 100, NAN, 12000 }, { 100, 1000, NAN },      { NAN, 1000, 12000 }, { 100, 1000, 10000 },
        { 100, 1000, 9000 }, { 100, 1000, INFINITY }, { 99, 1000, 12000 },  { 0, 0, 0 },
    };

    (void)state;
    assert_int_equal(canary__judge_means(strata, 2, &question, 1, &answer), CANARY__JUDGE_YES);
    assert_int_equal(answer.strata, 1); /* 99 are too few */
    assert_true(answer.n == 200 && fabs(answer.estimate - 5) < 1e-12);
    /* p and the verdict say the same. */
    assert_true(answer.p < question.alpha);
    assert_int_equal(canary__judge_means(strata, 2, &question, -1, &answer), CANARY__JUDGE_NO);
    assert_true(answer.p == 1);
    question.offset = answer.estimate - answer.width;
    canary__judge_means(strata, 2, &question, 1, &answer);
    assert_true(fabs(answer.p - question.alpha) < 1e-12);
    for (size_t i = 0; i < COUNT(broken); i++) {
        strata[0].fresh = broken[i];
        assert_int_equal(canary__judge_means(strata, 1, &question, 1, &answer),
                         CANARY__JUDGE_UNKNOWN);
        assert_true(isnan(answer.estimate) && isnan(answer.p));
    }
    assert_int_equal(canary__judge_means(strata, 0, &question, 1, &answer), CANARY__JUDGE_UNKNOWN);
    strata[0].fresh = more;
    question.effect = NAN;
    assert_int_equal(canary__judge_means(strata, 1, &question, 1, &answer), CANARY__JUDGE_UNKNOWN);
    question.effect = 1;
    question.factor = NAN;
    assert_int_equal(canary__judge_means(strata, 1, &question, 1, &answer), CANARY__JUDGE_UNKNOWN);
}

/* Always the same half fails: no design effect of ticks shows it, the self-test does. */
static void halves_that_differ_are_found(void **state) {
    double saved[CANARY__JUDGE_SPLIT_DOUBLES];
    struct canary__judge_split split;
    struct canary__judge_split restored;
    int found = 0;

    (void)state;
    canary__judge_split_start(&split);
    for (int t = 0; t < 1000; t++) {
        const struct canary__judge_share bad = { 100, t % 2 == 0 ? 2 : 1 };
        const struct canary__judge_share good = { 100, t % 2 == 0 ? 0 : 1 };

        canary__judge_split_save(&split, saved);
        assert_int_equal(canary__judge_split_restore(&restored, saved), CANARY__JUDGE_YES);
        assert_memory_equal(&restored, &split, sizeof(split));
        assert_int_equal(isnan(canary__judge_split_effect(&split)), t < 200);
        assert_true(t >= 200 ||
                    canary__judge_split_differs(&split, 1000, 0.05) == CANARY__JUDGE_NO);
        canary__judge_split_add(&split, good, bad, 1);
        found |= canary__judge_split_differs(&split, 1000, 0.05) == CANARY__JUDGE_YES;
    }
    assert_true(found);
    assert_true(canary__judge_split_effect(&split) == 1); /* 2 and 0 in turn */
    canary__judge_split_start(&restored);
    for (int t = 0; t < 200; t++) {
        canary__judge_split_add(&restored, usual.old, usual.old, 1);
    }
    /* Halves more alike than chance makes them are no reason to believe more than independence. */
    assert_true(restored.squares == 0 && canary__judge_split_effect(&restored) == 1);
    saved[1] = NAN;
    assert_int_equal(canary__judge_split_restore(&restored, saved), CANARY__JUDGE_UNKNOWN);
    assert_true(restored.ticks == 0 && isnan(canary__judge_split_effect(&restored)));
}

static void mismatch_of_users(void **state) {
    const double asked[2] = { 0.95, 0.05 };
    const double fair[2] = { 95000, 5000 };
    const double off[2] = { 95000, 6500 };
    const double nobody[2] = { 100000, 0 };
    const double certain[2] = { 1, 0 };
    const double wrong[2] = { 0.9, 0.05 };
    const double broken[2] = { NAN, 1 };

    (void)state;
    assert_true(canary__judge_mismatch(fair, asked, 2, CANARY__JUDGE_SRM_WEIGHT) < 0);
    assert_true(canary__judge_mismatch(off, asked, 2, CANARY__JUDGE_SRM_WEIGHT) >
                log(CANARY__JUDGE_SRM_ALERT));
    assert_true(canary__judge_mismatch(nobody, asked, 2, CANARY__JUDGE_SRM_WEIGHT) >
                log(CANARY__JUDGE_SRM_ALERT));
    assert_true(isinf(canary__judge_mismatch(fair, certain, 2, CANARY__JUDGE_SRM_WEIGHT)));
    assert_true(isnan(canary__judge_mismatch(fair, wrong, 2, CANARY__JUDGE_SRM_WEIGHT)));
    assert_true(isnan(canary__judge_mismatch(broken, asked, 2, CANARY__JUDGE_SRM_WEIGHT)));
    assert_true(isnan(canary__judge_mismatch(fair, asked, 2, NAN)));
}

static void a_burn_needs_both_windows(void **state) {
    const struct canary__judge_share calm = { 1000, 1 };
    const struct canary__judge_share fire = { 1000, 200 };
    const struct canary__judge_share few = { 20, 4 };
    const struct canary__judge_share none = { 0, 0 };

    (void)state;
    assert_int_equal(canary__judge_burns(fire, fire, 0.99, 14.4), CANARY__JUDGE_YES);
    assert_int_equal(canary__judge_burns(fire, calm, 0.99, 14.4), CANARY__JUDGE_NO);
    assert_int_equal(canary__judge_burns(calm, fire, 0.99, 14.4), CANARY__JUDGE_NO);
    assert_int_equal(canary__judge_burns(few, few, 0.99, 14.4), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_burns(fire, none, 0.99, 14.4), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_burns(calm, none, 0.99, 14.4), CANARY__JUDGE_NO);
    assert_int_equal(canary__judge_burns(fire, fire, NAN, 14.4), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_burns(fire, fire, 0.99, NAN), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_burns(fire, fire, 1, 14.4), CANARY__JUDGE_UNKNOWN);
}

static void plans(void **state) {
    struct canary__judge_plan plan = {
        .rate = 0.01, .share = 0.05, .ratio = 2, .margin = 1, .alpha = 0.05, .effect = 1
    };
    double found = canary__judge_plan_requests(&plan, 1);

    (void)state;
    assert_in_range((uint64_t)found, 880, 1320);
    plan.effect = 3; /* three times as many requests say as much */
    assert_true(fabs(canary__judge_plan_requests(&plan, 1) / found - 3) < 1e-9);
    plan.effect = 1;
    assert_true(isinf(canary__judge_plan_requests(&plan, -1))); /* it is not below 1 */
    plan.ratio = 1;
    assert_true(isinf(canary__judge_plan_requests(&plan, 1)));
    plan.margin = 1.5;
    assert_true(isfinite(canary__judge_plan_requests(&plan, -1)));
    plan.rate = NAN;
    assert_true(isnan(canary__judge_plan_requests(&plan, 1)));
    plan.rate = 0.5;
    plan.ratio = 3; /* of ten requests fifteen would fail */
    assert_true(isnan(canary__judge_plan_requests(&plan, 1)));
}

static void textbooks_without_numbers(void **state) {
    const struct canary__judge_share none = { 100, 0 };
    const struct canary__judge_arm flat = { 10, 5, 0 };
    const struct canary__judge_arm nan = { 10, NAN, 1 };
    const uint64_t empty[3] = { 0, 0, 0 };
    const uint64_t same[3] = { 0, 7, 0 };
    struct canary__judge_test test;

    (void)state;
    assert_int_equal(canary__judge_two_proportions(none, none, &test), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_welch(&flat, &flat, &test), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_welch(&flat, &nan, &test), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_mann_whitney(empty, same, 3, &test), CANARY__JUDGE_UNKNOWN);
    assert_int_equal(canary__judge_mann_whitney(same, same, 3, &test), CANARY__JUDGE_UNKNOWN);
    assert_true(isnan(canary__judge_t_tails(NAN, 3)) && isnan(canary__judge_t_tails(1, NAN)));
    assert_true(isnan(canary__judge_t_tails(1, 0)) && isnan(canary__judge_chi_square_tail(NAN, 1)));
    assert_true(isnan(canary__judge_chi_square_tail(1, 0)));
    assert_true(canary__judge_t_tails(0, 3) == 1 && canary__judge_t_tails(INFINITY, 3) == 0);
    /* With many degrees of freedom Student's distribution is the normal one. */
    assert_true(fabs(canary__judge_t_tails(1.96, 1e9) - canary__judge_normal_tails(1.96)) < 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(impossible_counts_are_unknown),
        cmocka_unit_test(impossible_questions_are_unknown),
        cmocka_unit_test(an_empty_cohort_adds_nothing),
        cmocka_unit_test(a_damaged_state_starts_anew),
        cmocka_unit_test(what_was_not_planned_begins_no_change),
        cmocka_unit_test(the_interval_inverts_the_process),
        cmocka_unit_test(a_cohort_without_failures),
        cmocka_unit_test(means_need_enough_and_finite_values),
        cmocka_unit_test(halves_that_differ_are_found),
        cmocka_unit_test(mismatch_of_users),
        cmocka_unit_test(a_burn_needs_both_windows),
        cmocka_unit_test(plans),
        cmocka_unit_test(textbooks_without_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
