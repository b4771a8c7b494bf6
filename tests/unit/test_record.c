/* SPDX-License-Identifier: MIT */
/* Recording, as far as the memory of the process goes: what outcomes count, which are refused, and whose
 * users are sampled. */
#include "recorded.h"

static void test_cohort_served(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 10000);
    canary_decision new_path = recorded_decide(ctx, "alice");
    canary_outcome ok = recorded_outcome(CANARY_STATUS_OK, 1000000);
    canary_outcome late = recorded_outcome(CANARY_STATUS_TIMEOUT, CANARY_NOT_MEASURED);
    struct canary__sheet sheet;

    assert_null(canary__observer_of(ctx)); /* who does not record pays nothing */
    unit_set(unit, "r", 0);                /* what was served before counts as it was served */
    assert_int_equal(canary_record(ctx, &new_path, &ok), CANARY_OK);
    assert_int_equal(canary_record_cohort(ctx, CANARY_OLD, &late), CANARY_OK);
    assert_int_equal(canary_record_user(ctx, "bob", 3, CANARY_NEW, &ok), CANARY_OK);
    assert_int_equal(canary_expose(ctx, &new_path), CANARY_OK);
    sheet = recorded_gather(ctx);
    assert_int_equal(recorded_count(&sheet, CANARY_NEW, CANARY__SHEET_STATUS, CANARY_STATUS_OK), 2);
    assert_int_equal(recorded_count(&sheet, CANARY_OLD, CANARY__SHEET_STATUS, CANARY_STATUS_OK), 0);
    assert_int_equal(
        recorded_count(&sheet, CANARY_OLD, CANARY__SHEET_STATUS, CANARY_STATUS_TIMEOUT), 1);
    assert_int_equal(
        recorded_count(&sheet, CANARY_NEW, CANARY__SHEET_DECISIONS, CANARY_REASON_STATIC), 2);
    assert_int_equal(
        recorded_count(&sheet, CANARY_NEW, CANARY__SHEET_DECISIONS, CANARY_REASON_UNKNOWN), 1);
    assert_int_equal(canary__sheet_find(&sheet, 0, CANARY_NEW, "duration")->sum.low, 2000000);
    assert_null(canary__sheet_find(&sheet, 0, CANARY_OLD, "duration")); /* had none */
    assert_null(canary__sheet_find(&sheet, 0, CANARY_OLD, CANARY__SHEET_LOSSES));
    recorded_free(ctx, &sheet);
    sheet = recorded_gather(ctx); /* once and only once */
    assert_int_equal(sheet.count, 0);
    recorded_free(ctx, &sheet);
    canary_close(&ctx);
}

static void test_refused_outcomes(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_decision decision = recorded_decide(ctx, "alice");
    canary_decision odd;
    canary_outcome o = recorded_outcome(CANARY_STATUS_OK, 5);

    assert_int_equal(canary_record(NULL, &decision, &o), CANARY_E_INVALID);
    assert_int_equal(canary_record(ctx, NULL, &o), CANARY_E_INVALID);
    assert_int_equal(canary_record(ctx, &decision, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_record_cohort(NULL, 0, &o), CANARY_E_INVALID);
    assert_int_equal(canary_record_user(NULL, "a", 1, 0, &o), CANARY_E_INVALID);
    assert_int_equal(canary_expose(NULL, &decision), CANARY_E_INVALID);

    o.status = 3;
    recorded_refusal(ctx, CANARY_REJECTED_STATUS, canary_record(ctx, &decision, &o));
    o.status = -2;
    recorded_refusal(ctx, CANARY_REJECTED_STATUS, canary_record_cohort(ctx, CANARY_OLD, &o));
    o.status = CANARY_STATUS_NONE;
    recorded_refusal(ctx, CANARY_REJECTED_DURATION, canary_record_cohort(ctx, CANARY_OLD, &o));
    o = recorded_outcome(CANARY_STATUS_OK, -2);
    recorded_refusal(ctx, CANARY_REJECTED_DURATION, canary_record(ctx, &decision, &o));
    o.duration_ns = INT64_MIN;
    recorded_refusal(ctx, CANARY_REJECTED_DURATION, canary_record(ctx, &decision, &o));
    o.duration_ns = CANARY_DURATION_MAX_NS + 1;
    recorded_refusal(ctx, CANARY_REJECTED_DURATION, canary_record_cohort(ctx, CANARY_NEW, &o));
    o.duration_ns = INT64_MAX;
    recorded_refusal(ctx, CANARY_REJECTED_DURATION, canary_record(ctx, &decision, &o));
    o = recorded_outcome(CANARY_STATUS_OK, 5);
    recorded_refusal(ctx, CANARY_REJECTED_COHORT, canary_record_cohort(ctx, 2, &o));
    recorded_refusal(ctx, CANARY_REJECTED_COHORT, canary_record_user(ctx, "a", 1, -1, &o));
    recorded_refusal(ctx, CANARY_REJECTED_ARGUMENT, canary_record_user(ctx, "", 0, 1, &o));
    recorded_refusal(ctx, CANARY_REJECTED_ARGUMENT, canary_record_user(ctx, NULL, 1, 1, &o));
    odd = decision;
    odd.cohort = 7;
    recorded_refusal(ctx, CANARY_REJECTED_COHORT, canary_record(ctx, &odd, &o));
    odd = decision;
    odd.reason = 16;
    recorded_refusal(ctx, CANARY_REJECTED_ARGUMENT, canary_record(ctx, &odd, &o));
    odd = decision;
    odd.size = 8;
    recorded_refusal(ctx, CANARY_REJECTED_ARGUMENT, canary_record(ctx, &odd, &o));
    recorded_refusal(ctx, CANARY_REJECTED_ARGUMENT, canary_expose(ctx, &odd));
    o.reserved = 1;
    recorded_refusal(ctx, CANARY_REJECTED_ARGUMENT, canary_record(ctx, &decision, &o));
    o = recorded_outcome(CANARY_STATUS_OK, 5);
    o.size = 12;
    recorded_refusal(ctx, CANARY_REJECTED_ARGUMENT, canary_record(ctx, &decision, &o));
    canary_close(&ctx);
}

static void test_longer_outcome(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    struct {
        canary_outcome known;
        uint64_t unknown;
    } newer = { CANARY_OUTCOME_INIT, 0 };
    struct canary__sheet sheet;

    newer.known.size = sizeof newer;
    assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, &newer.known), CANARY_OK);
    sheet = recorded_gather(ctx);
    assert_int_equal(recorded_count(&sheet, CANARY_NEW, CANARY__SHEET_STATUS, CANARY_STATUS_OK), 1);
    recorded_free(ctx, &sheet);
    newer.unknown = 1;
    recorded_refusal(ctx, CANARY_REJECTED_ARGUMENT,
                     canary_record_cohort(ctx, CANARY_NEW, &newer.known));
    canary_close(&ctx);
}

static void test_users(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 2500);
    canary_outcome o = recorded_outcome(CANARY_STATUS_OK, 5);
    struct canary__observer *observer;
    struct canary__sample samples[2] = { { 0 } };
    char user[32];
    uint32_t new_users = 0;
    uint32_t before;

    for (int i = 0; i < 3000; i++) {
        canary_decision decision;

        snprintf(user, sizeof user, "user-%d", i % 1000);
        decision = recorded_decide(ctx, user);
        new_users += i < 1000 && decision.cohort == CANARY_NEW;
        assert_int_equal(canary_record(ctx, &decision, &o), CANARY_OK);
        if (i ==
            1500) { /* a user who is pinned, and one who met a kill switch, are not on the ramp */
            canary_kill(ctx);
            decision = recorded_decide(ctx, "killed");
            canary_record(ctx, &decision, &o);
            canary_revive(ctx);
        }
    }
    observer = canary__observer_of(ctx);
    assert_int_equal(canary__observer_samples(observer, samples), CANARY_OK);
    assert_int_equal(samples[CANARY_NEW].count, new_users);
    assert_int_equal(samples[CANARY_OLD].count, 1000 - new_users);
    canary__sample_free(observer->hooks, &samples[0]);
    canary__sample_free(observer->hooks, &samples[1]);
    before = canary__observer_sampled(observer);
    canary__observer_turn(observer);
    assert_int_equal(canary__observer_samples(observer, samples), CANARY_OK);
    assert_int_equal(samples[0].count + samples[1].count, 0);
    canary__sample_free(observer->hooks, &samples[0]);
    canary__sample_free(observer->hooks, &samples[1]);
    assert_true(before != canary__observer_sampled(observer));
    canary_close(&ctx);
}

/* More nanoseconds than 64 bits hold, in one tick. */
static void test_longest_durations(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 10000);
    canary_outcome o = recorded_outcome(CANARY_STATUS_OK, CANARY_DURATION_MAX_NS);
    struct canary__wide sum = { 0, 0 };
    struct canary__sheet sheet;
    const struct canary__tally *tally;

    for (int i = 0; i < 80000; i++) {
        assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, &o), CANARY_OK);
        canary__wide_add_signed(&sum, o.duration_ns);
    }
    sheet = recorded_gather(ctx);
    tally = canary__sheet_find(&sheet, 0, CANARY_NEW, "duration");
    assert_non_null(tally);
    assert_int_equal(tally->sum.high, 1);
    assert_int_equal(tally->sum.low, sum.low);
    assert_int_equal(sum.high, 1);
    recorded_free(ctx, &sheet);
    canary_close(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_MEMORY_ONLY(test_cohort_served),     UNIT_MEMORY_ONLY(test_refused_outcomes),
        UNIT_MEMORY_ONLY(test_longer_outcome),    UNIT_MEMORY_ONLY(test_users),
        UNIT_MEMORY_ONLY(test_longest_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
