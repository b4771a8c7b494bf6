/* SPDX-License-Identifier: MIT */
/* Verdicts about figures that are missing or bad, about clocks that jump, and about users. */
#include <math.h>

#include "judged.h"

#include <canary/document.h>

static struct judged now;

/* -- figures that are missing or bad -- */

static void a_metric_that_nobody_records(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_policy(unit,
                  "{\"policy\":1,\"name\":\"p\",\"mode\":\"auto\",\"design_effect\":1,\"rules\":["
                  "{\"name\":\"harm\",\"metric\":\"error\",\"against\":\"old\",\"above\":1.5,"
                  "\"action\":\"rollback\"},"
                  "{\"name\":\"hits\",\"metric\":\"cache_hit\",\"statistic\":\"rate\","
                  "\"below\":0.4,\"window\":\"5m\",\"action\":\"rollback\"}]}");
    judged_ticks(unit, 400, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_SAMPLES);
    assert_int_equal(now.verdict.rule, 1);
    assert_int_equal(now.rules[1].state, CANARY_STATE_UNKNOWN);
    assert_non_null(strstr(now.verdict.message, "hits"));
    unit_free(unit);
}

static void a_metric_that_stops(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", ",\"grace\":\"15m\"");
    judged_ticks(unit, 60, 950, 10, 50, 0);
    judged_pass(unit, 14 * MINUTE);
    judged_evaluate(unit, 0, &now);
    assert_int_not_equal(now.verdict.cause, CANARY_CAUSE_NO_TRAFFIC);
    assert_int_equal(now.verdict.action, CANARY_VERDICT_HOLD);
    judged_pass(unit, 2 * MINUTE);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_NO_TRAFFIC);
    /* It comes back. */
    judged_ticks(unit, 60, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    assert_int_not_equal(now.verdict.cause, CANARY_CAUSE_NO_TRAFFIC);
    unit_free(unit);
}

static void one_cohort_is_empty(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 400, 1000, 500, 0, 0);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_NO_TRAFFIC);
    unit_free(unit);
    unit = judged_new(UNIT_MEMORY, 500);
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 30, 0, 0, 50, 15);
    judged_evaluate(unit, 0, &now);
    /* Nothing to compare with: no harm is proven, and no advance either. */
    assert_int_equal(now.verdict.action, CANARY_VERDICT_HOLD);
    assert_int_not_equal(now.rules[0].state, CANARY_STATE_FIRING);
    unit_free(unit);
}

static void a_baseline_that_is_missing(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    canary_baseline_info info = { .size = sizeof info };

    (void)state;
    judged_policy(unit,
                  "{\"policy\":1,\"name\":\"p\",\"mode\":\"auto\",\"design_effect\":1,\"rules\":["
                  "{\"name\":\"worse\",\"metric\":\"error\",\"against\":\"baseline\","
                  "\"above\":\"150%\",\"window\":\"5m\",\"action\":\"rollback\"}]}");
    judged_ticks(unit, 60, 950, 10, 50, 5);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_SAMPLES);
    assert_int_equal(now.rules[0].state, CANARY_STATE_UNKNOWN);
    OK(canary_baseline_capture(unit->store, JUDGED, 0, 0, NULL, &info, &error));
    judged_ticks(unit, 60, 950, 10, 50, 5);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_LIMIT);
    assert_true(fabs(now.rules[0].reference - 10.0 / 950) < 1e-12);
    assert_true(fabs(now.rules[0].value - 0.1) < 1e-12);
    /* It knows one hour of the week; at another one the whole of it is better than no limit. */
    judged_pass(unit, 5 * HOUR);
    judged_ticks(unit, 60, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    assert_true(fabs(now.rules[0].reference - 10.0 / 950) < 1e-12);
    assert_int_equal(now.rules[0].state, CANARY_STATE_CLEAR);
    unit_free(unit);
}

/* The library that records refuses what is no number; nothing of it reaches a verdict. */
static void no_number_is_recorded(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 5000);
    canary_ctx *ctx = unit_open(unit, JUDGED);
    canary_metric cost = CANARY_METRIC_INIT;
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;
    int32_t handle = -1;

    (void)state;
    cost.kind = CANARY_METRIC_VALUE;
    cost.name = "cost";
    OK(canary_metric_declare(ctx, &cost, &handle, &error));
    judged_policy(unit,
                  "{\"policy\":1,\"name\":\"p\",\"mode\":\"auto\",\"design_effect\":1,\"rules\":["
                  "{\"name\":\"dear\",\"metric\":\"cost\",\"statistic\":\"mean\",\"above\":2.5,"
                  "\"window\":\"5m\",\"min_samples\":100,\"action\":\"rollback\"}]}");
    for (int i = 0; i < 400; i++) {
        const double values[] = { 1, NAN, INFINITY, 3 };
        canary_measurement cost_of = { .metric = handle, .value = values[i % 4] };
        canary_outcome outcome = CANARY_OUTCOME_INIT;

        outcome.measurements = &cost_of;
        outcome.measurement_count = 1;
        (void)canary_record_cohort(ctx, CANARY_NEW, &outcome);
    }
    OK(canary_flush(unit->store, &error));
    judged_pass(unit, 2 * TICK);
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.code, CANARY_OK);
    assert_true(now.rules[0].n_new == 200 && now.rules[0].value == 2);
    assert_int_equal(now.rules[0].state, CANARY_STATE_CLEAR);
    OK(canary_recording(ctx, &info));
    assert_int_equal(info.rejected[CANARY_REJECTED_NUMBER], 200);
    canary_close(&ctx);
    unit_free(unit);
}

static void a_quantile_is_told(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 5000);
    canary_ctx *ctx = unit_open(unit, JUDGED);

    (void)state;
    judged_policy(unit,
                  "{\"policy\":1,\"name\":\"p\",\"mode\":\"auto\",\"design_effect\":1,\"rules\":["
                  "{\"name\":\"slow\",\"metric\":\"duration\",\"statistic\":\"p95\","
                  "\"above\":\"600ms\",\"window\":\"5m\",\"action\":\"rollback\"}]}");
    for (int i = 0; i < 1000; i++) {
        canary_outcome outcome = CANARY_OUTCOME_INIT;

        outcome.duration_ns = i % 10 == 0 ? 900000000 : 100000000;
        (void)canary_record_cohort(ctx, CANARY_NEW, &outcome);
        outcome.duration_ns = 100000000;
        (void)canary_record_cohort(ctx, CANARY_OLD, &outcome);
    }
    OK(canary_flush(unit->store, &error));
    judged_pass(unit, 2 * TICK);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_LIMIT);
    assert_true(fabs(now.rules[0].value - 0.9) < 0.01);
    assert_true(fabs(now.rules[0].reference - 0.1) < 0.01);
    assert_non_null(strstr(now.rules[0].message, "ms"));
    canary_close(&ctx);
    unit_free(unit);
}

/* -- clocks -- */

static void a_clock_goes_back(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    double ln_w;

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 30, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    ln_w = now.rules[0].ln_w;
    judged_pass(unit, -HOUR);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA);
    judged_ticks(unit, 30, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA);
    assert_true(now.rules[0].n_new == 1500 && now.rules[0].ln_w == ln_w);
    /* And is right again: nothing was added twice. */
    judged_pass(unit, HOUR - 30 * TICK);
    judged_ticks(unit, 1, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    assert_true(now.rules[0].n_new == 1550);
    assert_int_not_equal(now.verdict.cause, CANARY_CAUSE_DATA);
    unit_free(unit);
}

static void a_clock_goes_forth(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 30, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    /* Of one process, which merges an hour ahead. */
    judged_pass(unit, HOUR);
    judged_outcomes(unit, 950, 10, 50, 1);
    judged_pass(unit, -HOUR);
    judged_ticks(unit, 1, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA);
    assert_true(now.rules[0].n_new == 1550);
    /* When that time has come it is no trouble any more. */
    judged_pass(unit, HOUR);
    judged_ticks(unit, 1, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    assert_int_not_equal(now.verdict.cause, CANARY_CAUSE_DATA);
    assert_true(now.rules[0].n_new == 1650);
    unit_free(unit);
}

/* A clock that was a year ahead does not stop a rollout for a year. */
static void a_new_percentage_leaves_a_wrong_clock_behind(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 5, 950, 10, 50, 1);
    judged_pass(unit, 365 * DAY);
    judged_outcomes(unit, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    judged_pass(unit, -365 * DAY);
    judged_ticks(unit, 5, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA);
    unit_set(unit, JUDGED, 2500);
    judged_ticks(unit, 5, 750, 8, 250, 2);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN);
    assert_true(now.rules[0].n_new == 1250);
    unit_free(unit);
}

/* -- users -- */

static void ramp_records(canary_ctx *ctx, uint64_t *seed, int users, int forced) {
    for (int i = 0; i < users; i++) {
        canary_decision decision = CANARY_DECISION_INIT;
        canary_outcome outcome = CANARY_OUTCOME_INIT;
        char user[32];
        int requests = 1 + (int)(unit_random(seed) % 4);
        int ill = !forced && unit_random(seed) % 20 == 0;

        snprintf(user, sizeof user, "u%llu", (unsigned long long)unit_random(seed));
        assert_int_equal(canary_explain(ctx, user, strlen(user), &decision), CANARY_OK);
        if (forced && i % 2 == 0) {
            decision.cohort = CANARY_NEW;
        }
        outcome.status = ill ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
        for (int r = 0; r < requests; r++) {
            assert_int_equal(canary_record(ctx, &decision, &outcome), CANARY_OK);
        }
    }
}

static void how_users_go_together_is_measured(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    canary_ctx *ctx = unit_open(unit, JUDGED);
    uint64_t seed = unit_seed();

    (void)state;
    judged_policy(unit, "{\"policy\":1,\"name\":\"p\",\"mode\":\"auto\",\"rules\":["
                        "{\"name\":\"harm\",\"metric\":\"error\",\"against\":\"old\","
                        "\"above\":1.5,\"action\":\"rollback\"}]}");
    for (int i = 0; i < 100; i++) {
        judged_pass(unit, TICK);
        ramp_records(ctx, &seed, 60, 0);
        OK(canary_flush(unit->store, &error));
    }
    judged_evaluate(unit, 0, &now);
    assert_true(isnan(now.rules[0].design_effect));
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_SAMPLES);
    for (int i = 0; i < 250; i++) {
        judged_pass(unit, TICK);
        ramp_records(ctx, &seed, 60, 0);
        OK(canary_flush(unit->store, &error));
    }
    judged_evaluate(unit, 0, &now);
    /* 1 to 4 requests of each user fail together: (1 + 4 + 9 + 16) / (1 + 2 + 3 + 4) = 3. */
    assert_true(now.rules[0].design_effect > 2 && now.rules[0].design_effect < 4.5);
    assert_true(now.verdict.users_new > 500 && now.verdict.users_new < 1700);
    assert_int_not_equal(now.verdict.cause, CANARY_CAUSE_MISMATCH);
    /* Who begins later learns it from what was before. */
    judged_plain(unit, "auto", "");
    unit_set(unit, JUDGED, 2500);
    judged_policy(unit, "{\"policy\":1,\"name\":\"q\",\"mode\":\"auto\",\"rules\":["
                        "{\"name\":\"harm\",\"metric\":\"error\",\"against\":\"old\","
                        "\"above\":1.6,\"action\":\"rollback\"}]}");
    judged_pass(unit, 3 * TICK);
    {
        canary_document state_of = CANARY_DOCUMENT_INIT;

        state_of.name = "judge/state";
        state_of.flags = CANARY_DOCUMENT_REMOVE;
        (void)canary_document_write(unit->store, JUDGED, &state_of, 1, NULL);
    }
    judged_evaluate(unit, 0, &now);
    assert_true(now.rules[0].design_effect > 2);
    canary_close(&ctx);
    unit_free(unit);
}

static void users_are_not_divided_as_asked(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    canary_ctx *ctx = unit_open(unit, JUDGED);
    uint64_t seed = unit_seed();

    (void)state;
    judged_plain(unit, "auto", "");
    for (int i = 0; i < 5; i++) {
        judged_pass(unit, TICK);
        ramp_records(ctx, &seed, 200, 1);
        OK(canary_flush(unit->store, &error));
    }
    judged_pass(unit, TICK);
    judged_evaluate(unit, 0, &now);
    assert_true(now.verdict.mismatch > 7);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_MISMATCH);
    canary_close(&ctx);
    unit_free(unit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_metric_that_nobody_records),
        cmocka_unit_test(a_metric_that_stops),
        cmocka_unit_test(one_cohort_is_empty),
        cmocka_unit_test(a_baseline_that_is_missing),
        cmocka_unit_test(no_number_is_recorded),
        cmocka_unit_test(a_quantile_is_told),
        cmocka_unit_test(a_clock_goes_back),
        cmocka_unit_test(a_clock_goes_forth),
        cmocka_unit_test(a_new_percentage_leaves_a_wrong_clock_behind),
        cmocka_unit_test(how_users_go_together_is_measured),
        cmocka_unit_test(users_are_not_divided_as_asked),
    };

    return cmocka_run_group_tests_name("verdicts about figures", tests, NULL, NULL);
}
