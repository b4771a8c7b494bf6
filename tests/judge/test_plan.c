/* SPDX-License-Identifier: MIT */
/* Plans: as long as the simulations took, every value that cannot be is refused with words, and what is
 * measured is what was recorded. */
#include "support.h"

#include <canary/judge.h>
#include <math.h>

static canary_plan usual(void) {
    canary_plan plan = CANARY_PLAN_INIT;

    plan.base_rate = 0.01;
    plan.share = 0.05;
    plan.ratio = 2;
    return plan;
}

static canary_plan_answer computed(const canary_plan *plan) {
    canary_plan_answer answer = CANARY_PLAN_ANSWER_INIT;
    canary_error error = CANARY_ERROR_INIT;

    assert_int_equal(canary_plan_compute(plan, &answer, &error), CANARY_OK);
    return answer;
}

static void near(double found, double expected, double share) {
    if (!(fabs(found - expected) <= share * expected)) {
        fail_msg("%g is not within %g %% of %g", found, share * 100, expected);
    }
}

/* Medians of the simulations at a base rate of 1 % and a share of 5 %; a plan is right to a quarter. */
static void as_long_as_simulations_took(void **state) {
    canary_plan plan = usual();

    (void)state;
    near(computed(&plan).find_new, 1100, 0.25);
    plan.ratio = 5;
    near(computed(&plan).find_new, 150, 0.25);
    near(computed(&plan).find_total, computed(&plan).find_new * 20, 1e-12);
}

static void more_of_each_takes_longer_or_less(void **state) {
    canary_plan plan = usual();
    canary_plan_answer before = computed(&plan);

    (void)state;
    assert_true(isnan(before.find_seconds) && isnan(before.prove_seconds));
    assert_true(before.prove_new > before.find_new / 10 && isfinite(before.prove_new));

    plan.per_second = 100;
    near(computed(&plan).find_seconds, before.find_total / 100, 1e-12);
    near(computed(&plan).prove_seconds, before.prove_total / 100, 1e-12);

    plan.margin = 1.5;
    assert_true(computed(&plan).find_new > before.find_new * 1.5);
    near(computed(&plan).prove_new, before.prove_new, 1e-12);
    plan.margin = 0;

    plan.proven = 1.2;
    assert_true(computed(&plan).prove_new > before.prove_new * 3);
    plan.proven = 0;

    plan.alpha = 0.001;
    assert_true(computed(&plan).find_new > before.find_new * 1.2);
    plan.alpha = 0;

    plan.effect = 3;
    assert_true(computed(&plan).find_new > before.find_new * 2);
    plan.effect = 0;

    plan.base_rate = 0.1;
    assert_true(computed(&plan).find_new < before.find_new / 5);
}

static void what_cannot_be_is_refused_with_words(void **state) {
    static const struct {
        size_t field;
        double value;
        const char *words;
    } wrong[] = {
        { offsetof(canary_plan, base_rate), 0, "base rate 0 is not allowed: above 0 and below 1" },
        { offsetof(canary_plan, base_rate), 1, "base rate 1" },
        { offsetof(canary_plan, base_rate), NAN, "base rate" },
        { offsetof(canary_plan, base_rate), 0.6, "can grow 1.66667 times at most" },
        { offsetof(canary_plan, share), 0, "share 0 is not allowed" },
        { offsetof(canary_plan, share), 1, "compares two cohorts" },
        { offsetof(canary_plan, share), -INFINITY, "share" },
        { offsetof(canary_plan, ratio), 1, "above the margin, 1" },
        { offsetof(canary_plan, ratio), NAN, "ratio" },
        { offsetof(canary_plan, ratio), INFINITY, "ratio inf is not allowed" },
        { offsetof(canary_plan, margin), 0.9, "margin 0.9 is not allowed: from 1 to 50" },
        { offsetof(canary_plan, margin), 2, "above the margin, 2" },
        { offsetof(canary_plan, margin), NAN, "margin" },
        { offsetof(canary_plan, proven), 1, "not reached 1 is not allowed" },
        { offsetof(canary_plan, proven), NAN, "not reached" },
        { offsetof(canary_plan, alpha), 1, "alpha 1 is not allowed" },
        { offsetof(canary_plan, alpha), -0.05, "alpha -0.05" },
        { offsetof(canary_plan, alpha), NAN, "alpha" },
        { offsetof(canary_plan, effect), 0.5, "design effect 0.5" },
        { offsetof(canary_plan, effect), NAN, "design effect" },
        { offsetof(canary_plan, per_second), -1, "-1 requests per second" },
        { offsetof(canary_plan, per_second), NAN, "requests per second" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        canary_plan plan = usual();
        canary_plan_answer answer = CANARY_PLAN_ANSWER_INIT;
        canary_error error = CANARY_ERROR_INIT;

        answer.find_new = -7;
        memcpy((char *)&plan + wrong[i].field, &wrong[i].value, sizeof(double));
        assert_int_equal(canary_plan_compute(&plan, &answer, &error), CANARY_E_INVALID);
        if (strstr(error.message, wrong[i].words) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", wrong[i].words, error.message);
        }
        assert_true(answer.find_new == -7);
    }
}

static void arguments_and_sizes(void **state) {
    canary_plan plan = usual();
    canary_plan_answer answer = CANARY_PLAN_ANSWER_INIT;
    canary_plan again;
    unsigned char older[sizeof answer];

    (void)state;
    assert_int_equal(canary_plan_compute(NULL, &answer, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_plan_compute(&plan, NULL, NULL), CANARY_E_INVALID);
    plan.size = 12;
    assert_int_equal(canary_plan_compute(&plan, &answer, NULL), CANARY_E_INVALID);
    plan = usual();
    answer.size = 0;
    assert_int_equal(canary_plan_compute(&plan, &answer, NULL), CANARY_E_INVALID);

    /* A caller who knows only the first fields gets those, and nothing behind them is touched. */
    memset(older, 0xee, sizeof older);
    canary_plan_answer_init((canary_plan_answer *)(void *)older, 16);
    assert_int_equal(canary_plan_compute(&plan, (canary_plan_answer *)(void *)older, NULL),
                     CANARY_OK);
    memcpy(&answer, older, 16);
    assert_true(answer.find_new > 0);
    assert_int_equal(older[16], 0xee);

    memset(&again, 0xee, sizeof again);
    canary_plan_init(&again, sizeof again);
    assert_int_equal(again.size, sizeof again);
    assert_true(again.base_rate == 0 && again.per_second == 0);
    canary_plan_init(NULL, sizeof again);
    canary_plan_answer_init(NULL, sizeof answer);
}

/* -- measured ------------------------------------------------------------------------------------- */

static void record(struct unit *unit, int cohort, uint64_t n, uint64_t k) {
    canary_import_row row = {
        .size = sizeof row, .cohort = cohort, .metric = "error", .n = n, .k = k
    };

    OK(canary_import(unit->store, "checkout", NULL, &row, 1, NULL, NULL, &error));
}

static void what_was_recorded_is_measured(void **state) {
    struct unit *unit = *state;
    canary_plan plan = CANARY_PLAN_INIT;

    unit_begin_at(unit, "checkout", 500);
    unit->realtime += CANARY_TICK_NS - unit->realtime % CANARY_TICK_NS;
    plan.share = 0.5;
    plan.base_rate = 0.25;
    OK(canary_plan_measure(unit->store, "checkout", &plan, &error));
    assert_true(plan.share == 0.5 && plan.base_rate == 0.25 && plan.per_second == 0);

    record(unit, CANARY_OLD, 9500, 95);
    OK(canary_plan_measure(unit->store, "checkout", &plan, &error));
    assert_true(fabs(plan.base_rate - 0.01) < 1e-12);
    assert_true(plan.share == 0.5);

    record(unit, CANARY_NEW, 500, 400);
    unit->realtime += CANARY_TICK_NS;
    OK(canary_plan_measure(unit->store, "checkout", &plan, &error));
    assert_true(fabs(plan.base_rate - 0.01) < 1e-12);
    assert_true(fabs(plan.share - 0.05) < 1e-12);
    near(plan.per_second, 1000, 1e-9);

    /* What was recorded at another percentage says nothing about this one. */
    unit_set(unit, "checkout", 2500);
    plan.per_second = 3;
    OK(canary_plan_measure(unit->store, "checkout", &plan, &error));
    assert_true(plan.per_second == 3);

    FAILS(CANARY_E_NOT_FOUND, "nobody", "",
          canary_plan_measure(unit->store, "nobody", &plan, &error));
    FAILS(CANARY_E_INVALID, "NULL", "", canary_plan_measure(NULL, "checkout", &plan, &error));
    plan.size = 4;
    FAILS(CANARY_E_INVALID, "size of 4", "",
          canary_plan_measure(unit->store, "checkout", &plan, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_long_as_simulations_took),
        cmocka_unit_test(more_of_each_takes_longer_or_less),
        cmocka_unit_test(what_cannot_be_is_refused_with_words),
        cmocka_unit_test(arguments_and_sizes),
        UNIT_BOTH(what_was_recorded_is_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
