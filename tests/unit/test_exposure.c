/* SPDX-License-Identifier: MIT */
/* Decisions and distinct users read back. */
#include "measured.h"

#include <math.h>

static void merge_decisions(struct unit *unit, int64_t start, uint64_t generation, int cohort,
                            int reason, uint64_t count) {
    struct canary__sheet sheet = { 0 };
    struct canary__tally *tally = canary__sheet_at(&measured_store(unit)->hooks, &sheet, generation,
                                                   cohort, CANARY__SHEET_DECISIONS);

    assert_non_null(tally);
    tally->kind = CANARY__TALLY_DECISIONS;
    tally->counts[reason] = count;
    measured_merge(unit, CANARY_TABLE_TICKS, start, &sheet);
}

static canary_exposure expose(struct unit *unit, const canary_metrics_query *query) {
    canary_exposure out = CANARY_EXPOSURE_INIT;

    OK(canary_exposure_read(unit->store, MEASURED, query, &out, &error));
    assert_int_equal(out.size, sizeof out);
    return out;
}

static void few_users_are_exact(void **state) {
    struct unit *unit = *state;
    canary_exposure out;

    measured_users(unit, 2, 300, 290, 390);
    out = expose(unit, NULL);
    assert_int_equal(out.generation, 2);
    assert_int_equal(out.sampled_all, 1);
    assert_true(out.users[0] == 300 && out.users[1] == 100 && out.users_total == 390);
    assert_true(out.users_error[0] == 0 && out.users_error[1] == 0 && out.users_total_error == 0);
    assert_true(out.sampled[0] == 300 && out.sampled[1] == 100 && out.sampled_both == 10);
    assert_true(out.sample_share == 1);
    assert_int_equal(out.damaged, 0);
}

static void many_users_are_estimated(void **state) {
    enum { OLD = 200000, NEW = 21000, BOTH = 1000 };
    struct unit *unit = *state;
    canary_exposure out;
    double share;

    measured_users(unit, 2, OLD, OLD - BOTH, OLD - BOTH + NEW);
    out = expose(unit, NULL);
    assert_int_equal(out.sampled_all, 0);
    assert_true(out.users_error[0] > 0.01 * OLD / 2 && out.users_error[0] < 0.016 * OLD);
    assert_true(fabs(out.users[0] - OLD) < 4 * out.users_error[0]);
    assert_true(fabs(out.users[1] - NEW) < 4 * out.users_error[1]);
    assert_true(fabs(out.users_total - (OLD + NEW - BOTH)) < 4 * out.users_total_error);
    /* Both cohorts at one level, or a test of the ratio would compare what cannot be compared. */
    assert_true(out.sampled[0] > 4000 && out.sampled[0] <= 8192);
    share = (double)out.sampled[1] / (double)(out.sampled[0] + out.sampled[1]);
    assert_true(fabs(share - (double)NEW / (OLD + NEW)) < 0.02);
    assert_true(fabs((double)out.sampled[1] / out.sample_share - NEW) < 0.2 * NEW);
    assert_true(out.sampled_both > 10 && out.sampled_both < 80);
}

/* Each cohort fits its sample, and both together would not fit one. */
static void what_is_known_is_not_estimated(void **state) {
    struct unit *unit = *state;
    canary_exposure out;

    measured_users(unit, 2, 8000, 7990, 15990);
    out = expose(unit, NULL);
    assert_int_equal(out.sampled_all, 1);
    assert_true(out.users[0] == 8000 && out.users[1] == 8000 && out.sampled_both == 10);
    assert_true(out.users_total == 15990 && out.users_total_error == 0);
}

/* People add them up. */
static void parts_make_the_whole(void **state) {
    enum { OLD = 150000, NEW = 5000 };
    struct unit *unit = *state;
    canary_exposure out;

    measured_users(unit, 2, OLD, OLD, OLD + NEW);
    out = expose(unit, NULL);
    assert_true(out.users[1] == NEW && out.users_error[1] == 0 && out.sampled_both == 0);
    assert_true(out.users_total == out.users[0] + out.users[1]);
    assert_true(out.users_total_error == out.users_error[0]);
    assert_true(fabs(out.users_total - (OLD + NEW)) < 4 * out.users_total_error);

    measured_users(unit, 3, OLD, 0, OLD); /* and who is in both counts once */
    out = expose(unit, NULL);
    assert_true(out.users_total == out.users[0] && out.users_total == out.users[1]);
    assert_true(fabs(out.users_total_error - out.users_error[0]) < 1e-6 * out.users_error[0]);
}

/* Without a generation asked for, the newest that has users is told about. */
static void which_generation(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    canary_exposure out;

    measured_users(unit, 2, 30, 0, 0);
    measured_users(unit, 10, 5, 100, 104);
    measured_users(unit, 11, 0, 0, 0);
    out = expose(unit, NULL);
    assert_true(out.generation == 10 && out.users[0] == 5 && out.users[1] == 4);
    query.generation = 2;
    out = expose(unit, &query);
    assert_true(out.generation == 2 && out.users[0] == 30 && out.users[1] == 0);
    query.generation = 3;
    out = expose(unit, &query);
    assert_true(out.generation == 3 && out.users[0] == 0 && out.users_total == 0);
}

static void decisions(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    canary_exposure out;

    merge_decisions(unit, MEASURED_HOUR, 2, CANARY_OLD, CANARY_REASON_SPLIT, 100);
    merge_decisions(unit, MEASURED_HOUR, 2, CANARY_NEW, CANARY_REASON_SPLIT, 10);
    merge_decisions(unit, MEASURED_HOUR + CANARY_TICK_NS, 5, CANARY_NEW, CANARY_REASON_OVERRIDE, 1);
    merge_decisions(unit, MEASURED_HOUR + CANARY_TICK_NS, 5, CANARY_NEW, CANARY_REASON_UNKNOWN, 3);
    merge_decisions(unit, MEASURED_HOUR + CANARY_TICK_NS, 5, CANARY_NEW, CANARY_REASON_SPLIT, 2);
    out = expose(unit, NULL);
    assert_int_equal(out.decisions[CANARY_OLD][CANARY_REASON_SPLIT], 100);
    assert_int_equal(out.decisions[CANARY_NEW][CANARY_REASON_SPLIT], 12);
    assert_int_equal(out.decisions[CANARY_NEW][CANARY_REASON_OVERRIDE], 1);
    assert_int_equal(out.decisions[CANARY_NEW][CANARY_REASON_UNKNOWN], 3);
    assert_int_equal(out.generation, 0);
    query.generation = 5;
    out = expose(unit, &query);
    assert_int_equal(out.decisions[CANARY_NEW][CANARY_REASON_SPLIT], 2);
    query.generation = 0;
    query.flags = CANARY_METRICS_BASELINE;
    FAILS(CANARY_E_INVALID, "baseline", "users",
          canary_exposure_read(unit->store, MEASURED, &query, &out, &error));
    query.flags = CANARY_METRICS_BY_GENERATION;
    query.to_ns = MEASURED_HOUR + CANARY_TICK_NS;
    out = expose(unit, &query);
    assert_int_equal(out.decisions[CANARY_NEW][CANARY_REASON_SPLIT], 10);
    assert_int_equal(out.decisions[CANARY_NEW][CANARY_REASON_OVERRIDE], 0);
}

/* Numbers of an older generation in the place of damaged ones would be wrong without anyone noticing. */
static void damaged_users(void **state) {
    struct unit *unit = *state;
    canary_exposure out;

    measured_users(unit, 2, 30, 0, 5);
    measured_users(unit, 7, 5, 100, 104);
    merge_decisions(unit, MEASURED_HOUR, 2, CANARY_OLD, CANARY_REASON_SPLIT, 100);
    measured_by_hand(unit, "UPDATE subjects SET data = substr(data, 1, length(data) - 1) "
                           "WHERE generation = 7");
    out = expose(unit, NULL);
    assert_int_equal(out.generation, 7);
    assert_true(isnan(out.users[0]) && isnan(out.users[1]) && isnan(out.users_total));
    assert_true(isnan(out.users_error[0]) && isnan(out.users_total_error));
    assert_int_equal(out.sampled[0], 0);
    assert_int_equal(out.damaged, 1);
    assert_non_null(strstr(out.damage, "users of generation 7"));
    assert_int_equal(out.decisions[CANARY_OLD][CANARY_REASON_SPLIT], 100);
    measured_by_hand(unit, "UPDATE ticks SET data = x'00'");
    out = expose(unit, NULL);
    assert_int_equal(out.damaged, 2);
    assert_non_null(strstr(out.damage, "tick of 2026-09-21T14:00:00Z"));
}

/* A caller who was compiled when it ended earlier. */
static void a_smaller_struct(void **state) {
    struct unit *unit = *state;
    canary_exposure out;

    measured_users(unit, 2, 30, 0, 5);
    memset(&out, 0x55, sizeof out);
    out.size = offsetof(canary_exposure, sampled);
    OK(canary_exposure_read(unit->store, MEASURED, NULL, &out, &error));
    assert_true(out.users_total == 30);
    assert_true(unit_all(&out.sampled, sizeof out - offsetof(canary_exposure, sampled), 0x55));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_BOTH(few_users_are_exact),
        MEASURED_BOTH(many_users_are_estimated),
        MEASURED_BOTH(what_is_known_is_not_estimated),
        MEASURED_BOTH(parts_make_the_whole),
        MEASURED_BOTH(which_generation),
        MEASURED_BOTH(decisions),
        MEASURED_SQLITE(damaged_users),
        MEASURED_BOTH(a_smaller_struct),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
