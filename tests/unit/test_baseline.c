/* SPDX-License-Identifier: MIT */
/* Baselines: what the old cohort lived through, frozen by hour of the week. */
#include "measured.h"

#include <math.h>

#include "figures.h"

/* Hour 14 of a Monday. */
#define HOUR14 MEASURED_HOUR

static canary_metrics_query of_baseline(int64_t step_ns) {
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;

    query.flags = CANARY_METRICS_BASELINE;
    query.step_ns = step_ns;
    return query;
}

static canary_baseline_info capture(struct unit *unit, int64_t from, int64_t to) {
    canary_change_options options = unit_by("alice@example.com");
    canary_baseline_info info = { .size = sizeof info };

    options.note = "before the summer";
    OK(canary_baseline_capture(unit->store, MEASURED, from, to, &options, &info, &error));
    return info;
}

static void fill(struct unit *unit) {
    measured_outcomes(unit, CANARY_TABLE_TICKS, HOUR14 + 10 * CANARY_TICK_NS, 2, CANARY_OLD, 100,
                      1);
    measured_outcomes(unit, CANARY_TABLE_TICKS, HOUR14 + 10 * CANARY_TICK_NS, 2, CANARY_NEW, 7, 7);
    measured_outcomes(unit, CANARY_TABLE_HOURS, HOUR14 - 7 * CANARY__DAY_NS, 1, CANARY_OLD, 300, 3);
    measured_outcomes(unit, CANARY_TABLE_MINUTES, HOUR14 - 15 * CANARY__HOUR_NS, 1, CANARY_OLD, 5,
                      0);
}

static void by_hour_of_the_week(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = of_baseline(CANARY__HOUR_NS);
    canary_baseline_info info;
    canary_baseline_info again = { .size = sizeof again };
    const struct measured *m;

    fill(unit);
    info = capture(unit, 0, 0);
    assert_int_equal(info.hours, 2);
    assert_int_equal(info.outcomes, 405);
    assert_int_equal(info.captured_at_ns, unit->realtime);
    assert_int_equal(info.from_ns, HOUR14 - 7 * CANARY__DAY_NS);
    assert_int_equal(info.to_ns, unit->realtime);
    assert_string_equal(info.by, "alice@example.com");
    assert_string_equal(info.note, "before the summer");
    OK(canary_baseline_read(unit->store, MEASURED, &again, &error));
    assert_memory_equal(&info, &again, sizeof info);

    query.metric = "error";
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 2);
    assert_int_equal(m->rows[0].row.from_ns, 14 * CANARY__HOUR_NS); /* Monday, 14:00 */
    assert_int_equal(m->rows[0].row.to_ns, 15 * CANARY__HOUR_NS);
    assert_int_equal(m->rows[0].cohorts[0].n, 400);
    assert_int_equal(m->rows[0].cohorts[0].k, 4);
    assert_int_equal(m->rows[0].cohorts[1].n, 0);
    assert_int_equal(m->rows[0].row.generation, 0);
    assert_int_equal(m->rows[1].row.from_ns, 167 * CANARY__HOUR_NS); /* Sunday, 23:00 */
    assert_int_equal(m->rows[1].cohorts[0].n, 5);
    query.step_ns = 0;
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 1);
    assert_int_equal(m->rows[0].cohorts[0].n, 405);
    assert_int_equal(m->rows[0].row.from_ns, info.from_ns);
    assert_int_equal(m->rows[0].row.to_ns, info.to_ns);
    assert_int_equal(m->report.from_ns, info.from_ns);
    assert_int_equal(m->report.to_ns, info.to_ns);
    assert_int_equal(m->report.last_at_ns, info.captured_at_ns);
    /* What is recorded later does not move it. */
    measured_outcomes(unit, CANARY_TABLE_TICKS, HOUR14 + 20 * CANARY_TICK_NS, 2, CANARY_OLD, 50,
                      50);
    assert_int_equal(measured_read(unit, &query)->rows[0].cohorts[0].n, 405);
}

/* A new one takes the whole place of the one before. */
static int no_row(void *user_data, const canary_metrics_row *row) {
    (void)user_data;
    (void)row;
    fail_msg("a row for a query that is not allowed");
    return 1;
}

/* Outcomes of the old cohort in the hours of the week that a time touches, -1 = no row. */
static int64_t within(struct unit *unit, int64_t from, int64_t to) {
    canary_metrics_query query = of_baseline(0);
    const struct measured *m;

    query.from_ns = from;
    query.to_ns = to;
    query.metric = "error";
    m = measured_read(unit, &query);
    assert_in_range(m->count, 0, 1);
    return m->count == 0 ? -1 : (int64_t)m->rows[0].cohorts[0].n;
}

static void hours_of_a_time(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = of_baseline(0);
    int64_t hour = CANARY__HOUR_NS;
    int64_t later = HOUR14 + 70 * CANARY__DAY_NS; /* a Monday, too */

    fill(unit);
    capture(unit, 0, 0);
    assert_int_equal(within(unit, later, later + hour), 400);
    assert_int_equal(within(unit, later + hour - 1, later + hour), 400);
    assert_int_equal(within(unit, later - hour, later), -1);
    assert_int_equal(within(unit, later - hour, later + 1), 400);
    assert_int_equal(within(unit, later + hour, later + 2 * hour), -1);
    assert_int_equal(within(unit, later - 15 * hour, later - 14 * hour), 5);
    assert_int_equal(within(unit, later - 15 * hour, later + 1), 405); /* over the week's end */
    assert_int_equal(within(unit, later - 14 * hour, later), -1);
    assert_int_equal(within(unit, later + hour, later + 168 * hour), 5);
    assert_int_equal(within(unit, later + hour, later + 168 * hour + 1), 405);
    assert_int_equal(within(unit, later, later + 300 * CANARY__DAY_NS), 405);
    query.step_ns = CANARY__HOUR_NS;
    query.from_ns = later;
    query.to_ns = later + hour;
    query.metric = "error";
    assert_int_equal(measured_read(unit, &query)->count, 1);
    query.to_ns = 0;
    FAILS(CANARY_E_INVALID, "query", "both or none",
          canary_metrics(unit->store, MEASURED, &query, no_row, NULL, NULL, &error));
}

static void taking_the_place(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = of_baseline(CANARY__HOUR_NS);
    canary_baseline_info info;
    const struct measured *m;

    fill(unit);
    capture(unit, 0, 0);
    unit->realtime += 1000;
    info = capture(unit, HOUR14 - CANARY__DAY_NS, HOUR14);
    assert_int_equal(info.hours, 1);
    assert_int_equal(info.outcomes, 5);
    assert_int_equal(info.from_ns, HOUR14 - CANARY__DAY_NS);
    assert_int_equal(info.to_ns, HOUR14);
    query.metric = "timeout";
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 1);
    assert_int_equal(m->rows[0].row.from_ns, 167 * CANARY__HOUR_NS);
    OK(canary_baseline_read(unit->store, MEASURED, &info, &error));
    assert_int_equal(info.hours, 1);
    assert_int_equal(info.captured_at_ns, unit->realtime);
}

static void dry_runs(void **state) {
    struct unit *unit = *state;
    canary_change_options options = unit_by("bob");
    canary_baseline_info info = { .size = sizeof info };

    options.flags = CANARY_CHANGE_DRY_RUN;
    FAILS(CANARY_E_REFUSED, MEASURED, "no figures",
          canary_baseline_capture(unit->store, MEASURED, 0, 0, &options, &info, &error));
    fill(unit);
    OK(canary_baseline_capture(unit->store, MEASURED, 0, 0, &options, &info, &error));
    assert_int_equal(info.outcomes, 405);
    FAILS(CANARY_E_NOT_FOUND, "no baseline", "",
          canary_baseline_read(unit->store, MEASURED, &info, &error));
    {
        canary_metrics_query query = of_baseline(0);

        assert_int_equal(measured_read(unit, &query)->count, 0);
    }
}

static void what_is_refused(void **state) {
    struct unit *unit = *state;
    canary_change_options options = unit_by("bob");
    canary_baseline_info info = { .size = sizeof info };
    struct canary__sheet sheet = { 0 };
    struct canary__tally *tally;

    FAILS(CANARY_E_REFUSED, MEASURED, "the beginning until 2026-09-21",
          canary_baseline_capture(unit->store, MEASURED, 0, 0, NULL, NULL, &error));
    measured_outcomes(unit, CANARY_TABLE_TICKS, HOUR14, 2, CANARY_NEW, 7, 7);
    tally = canary__sheet_at(&measured_store(unit)->hooks, &sheet, 2, 0, CANARY__SHEET_LOSSES);
    tally->kind = CANARY__TALLY_LOSSES;
    tally->counts[CANARY_REJECTED_NUMBER] = 9;
    measured_merge(unit, CANARY_TABLE_TICKS, HOUR14, &sheet);
    FAILS(CANARY_E_REFUSED, "old cohort", "no figures",
          canary_baseline_capture(unit->store, MEASURED, 0, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "from_ns -1", "",
          canary_baseline_capture(unit->store, MEASURED, -1, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "from_ns 9", "to_ns 9",
          canary_baseline_capture(unit->store, MEASURED, 9, 9, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"other\"", "",
          canary_baseline_capture(unit->store, "other", 0, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "",
          canary_baseline_capture(NULL, MEASURED, 0, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "name", "",
          canary_baseline_capture(unit->store, NULL, 0, 0, NULL, NULL, &error));
    options.by = "a\nb";
    FAILS(CANARY_E_INVALID, "by", "control",
          canary_baseline_capture(unit->store, MEASURED, 0, 0, &options, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "capture", MEASURED,
          canary_baseline_read(unit->store, MEASURED, &info, &error));
    FAILS(CANARY_E_INVALID, "out", "", canary_baseline_read(unit->store, MEASURED, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_baseline_read(NULL, MEASURED, &info, &error));
}

/* Everything that the old cohort has is in it: durations, values, errors from elsewhere. */
static void every_kind(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    uint64_t seed = unit_seed();
    struct measured *live = malloc(sizeof *live);
    canary_import_row row = { .size = sizeof row, .metric = "error", .n = 1000, .k = 10 };
    const struct measured *m;

    assert_non_null(live);
    for (int i = 0; i < 40; i++) {
        struct canary__sheet sheet = { 0 };

        for (int k = 0; k < 30; k++) {
            figures_record(&seed, &sheet);
        }
        measured_merge(unit, CANARY_TABLE_MINUTES,
                       HOUR14 - (int64_t)figures_below(&seed, 10000) * CANARY__MINUTE_NS, &sheet);
    }
    OK(canary_import(unit->store, MEASURED, NULL, &row, 1, NULL, NULL, &error));
    *live = *measured_read(unit, NULL);
    capture(unit, 0, unit->realtime + CANARY__DAY_NS);
    query = of_baseline(0);
    m = measured_read(unit, &query);
    assert_true(m->count > 6);
    assert_int_equal(m->report.rejected, 0);
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t other = measured_row(live, m->rows[i].row.metric, 0);
        canary_figures expected = live->rows[other].cohorts[0];

        if (m->rows[i].row.kind ==
            CANARY_METRIC_DURATION) { /* the new cohort had some thresholds */
            memcpy(expected.threshold_n, m->rows[i].cohorts[0].threshold_n,
                   sizeof expected.threshold_n);
            memcpy(expected.threshold_above, m->rows[i].cohorts[0].threshold_above,
                   sizeof expected.threshold_above);
        }
        assert_memory_equal(&m->rows[i].cohorts[0], &expected, sizeof expected);
        assert_int_equal(m->rows[i].buckets[0], live->rows[other].buckets[0]);
        assert_int_equal(m->rows[i].cohorts[1].n, 0);
    }
    free(live);
}

static void damaged_hours(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = of_baseline(CANARY__HOUR_NS);
    const struct measured *m;
    canary_baseline_info info = { .size = sizeof info };

    fill(unit);
    capture(unit, 0, 0);
    measured_by_hand(unit, "UPDATE baselines SET data = x'0102' WHERE hour = 14");
    query.metric = "error";
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 1);
    assert_int_equal(m->rows[0].row.from_ns, 167 * CANARY__HOUR_NS);
    assert_int_equal(m->report.damaged, 1);
    assert_non_null(strstr(m->report.damage, "hour of a baseline"));
    query.step_ns = 0;
    assert_int_equal(measured_read(unit, &query)->rows[0].cohorts[0].n, 405);
    capture(unit, 0, 0);
    measured_by_hand(unit, "DELETE FROM baselines WHERE hour = -1");
    assert_int_equal(measured_read(unit, &query)->count, 0);
    FAILS(CANARY_E_NOT_FOUND, "no baseline", "",
          canary_baseline_read(unit->store, MEASURED, &info, &error));
    /* Damage among what is captured is left out, and told. */
    measured_by_hand(unit, "UPDATE hours SET data = x'' ");
    unit->log_used = 0;
    assert_int_equal(capture(unit, 0, 0).outcomes, 105);
    assert_non_null(strstr(unit->log, "1 damaged row"));
    query.step_ns = CANARY__HOUR_NS;
    assert_int_equal(measured_read(unit, &query)->report.damaged, 0);
}

static void read_only_handles(void **state) {
    struct unit *unit = *state;
    canary_baseline_info info = { .size = sizeof info };
    canary_store *store;

    fill(unit);
    capture(unit, 0, 0);
    unit->options.flags = CANARY_OPEN_READ_ONLY | CANARY_OPEN_NO_WATCHER;
    store = unit_another(unit);
    FAILS(CANARY_E_READ_ONLY, "READ_ONLY", "",
          canary_baseline_capture(store, MEASURED, 0, 0, NULL, NULL, &error));
    OK(canary_baseline_read(store, MEASURED, &info, &error));
    assert_int_equal(info.outcomes, 405);
    canary_store_close(&store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_BOTH(by_hour_of_the_week), MEASURED_BOTH(hours_of_a_time),
        MEASURED_BOTH(taking_the_place),    MEASURED_BOTH(dry_runs),
        MEASURED_BOTH(what_is_refused),     MEASURED_BOTH(every_kind),
        MEASURED_SQLITE(damaged_hours),     MEASURED_SQLITE(read_only_handles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
