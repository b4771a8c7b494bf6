/* SPDX-License-Identifier: MIT */
/* Figures read back: which rows, of which time, step and generation. */
#include "measured.h"

#include <math.h>

#define S INT64_C(1000000000)

static canary_metrics_query everything(void) {
    return (canary_metrics_query)CANARY_METRICS_QUERY_INIT;
}

/* -- arguments -- */

static int no_row(void *user_data, const canary_metrics_row *row) {
    (void)user_data;
    fail_msg("a row of \"%s\"", row->metric);
    return 0;
}

static void nothing_recorded(void **state) {
    struct unit *unit = *state;
    canary_metrics_report report = { .size = sizeof report, .damaged = 7 };
    canary_exposure exposure = CANARY_EXPOSURE_INIT;
    canary_baseline_info info = { .size = sizeof info };

    OK(canary_metrics(unit->store, MEASURED, NULL, no_row, NULL, &report, &error));
    assert_true(unit_all((char *)&report + 4, sizeof report - 4, 0));
    OK(canary_metrics(unit->store, MEASURED, NULL, no_row, NULL, NULL, NULL));
    OK(canary_exposure_read(unit->store, MEASURED, NULL, &exposure, &error));
    assert_true(exposure.users_total == 0 && exposure.generation == 0 && exposure.sampled_all == 1);
    FAILS(CANARY_E_NOT_FOUND, "no baseline", MEASURED,
          canary_baseline_read(unit->store, MEASURED, &info, &error));
    (void)measured_store(unit); /* there now, but empty */
    OK(canary_metrics(unit->store, MEASURED, NULL, no_row, NULL, &report, &error));
    assert_true(unit_all((char *)&report + 4, sizeof report - 4, 0));
}

static void what_is_refused(void **state) {
    static const struct {
        canary_metrics_query query;
        const char *says;
    } queries[] = {
        { { 4, 0, 0, 0, 0, 0, NULL }, "size 4" },
        { { sizeof(canary_metrics_query), 4, 0, 0, 0, 0, NULL }, "flags 0x4" },
        { { sizeof(canary_metrics_query), 0, -1, 0, 0, 0, NULL }, "from_ns -1" },
        { { sizeof(canary_metrics_query), 0, 0, -5, 0, 0, NULL }, "to_ns -5" },
        { { sizeof(canary_metrics_query), 0, 9, 9, 0, 0, NULL }, "to_ns 9" },
        { { sizeof(canary_metrics_query), 0, 0, 0, -10 * S, 0, NULL }, "step_ns -10" },
        { { sizeof(canary_metrics_query), 0, 0, 0, 15 * S, 0, NULL }, "multiple of 10 s" },
        { { sizeof(canary_metrics_query), 0, 0, 0, 401 * CANARY__DAY_NS, 0, NULL }, "400 days" },
        { { sizeof(canary_metrics_query), 2, 5, 0, 0, 0, NULL }, "baseline" },
        { { sizeof(canary_metrics_query), 2, 0, 0, 10 * S, 0, NULL }, "one hour" },
        { { sizeof(canary_metrics_query), 3, 0, 0, 0, 0, NULL }, "baseline" },
        { { sizeof(canary_metrics_query), 2, 0, 0, 0, 1, NULL }, "baseline" },
    };
    struct unit *unit = *state;
    canary_exposure exposure = { 0 };

    for (size_t i = 0; i < COUNT(queries); i++) {
        FAILS(CANARY_E_INVALID, "query", queries[i].says,
              canary_metrics(unit->store, MEASURED, &queries[i].query, no_row, NULL, NULL, &error));
    }
    FAILS(CANARY_E_INVALID, "callback", "",
          canary_metrics(unit->store, MEASURED, NULL, NULL, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "",
          canary_metrics(NULL, MEASURED, NULL, no_row, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "rollout", "",
          canary_metrics(unit->store, NULL, NULL, no_row, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "a b", "allowed",
          canary_metrics(unit->store, "a b", NULL, no_row, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"other\"", "",
          canary_metrics(unit->store, "other", NULL, no_row, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "out", "size",
          canary_exposure_read(unit->store, MEASURED, NULL, &exposure, &error));
    FAILS(CANARY_E_INVALID, "out", "",
          canary_exposure_read(unit->store, MEASURED, NULL, NULL, &error));
    assert_int_equal(canary_metrics(unit->store, "other", NULL, no_row, NULL, NULL, NULL),
                     CANARY_E_NOT_FOUND);
}

/* -- rows -- */

static struct canary__tally *at(struct unit *unit, struct canary__sheet *sheet, uint64_t generation,
                                int cohort, const char *metric, int kind) {
    struct canary__tally *tally =
        canary__sheet_at(&measured_store(unit)->hooks, sheet, generation, cohort, metric);

    assert_non_null(tally);
    tally->kind = kind;
    return tally;
}

static void declare(struct unit *unit, const char *name, const char *unit_name) {
    canary_metric metric = CANARY_METRIC_INIT;
    struct canary__declared declared;
    canary_store *store = measured_store(unit);
    void *transaction;
    int made;

    metric.name = name;
    metric.kind = CANARY_METRIC_VALUE;
    metric.unit = unit_name;
    OK(canary__declared_admit(&metric, &declared, &error));
    OK(canary__store_begin(store, CANARY_STORAGE_WRITE, &transaction, &error));
    OK(canary__merge_declare(store, transaction, MEASURED, &declared, &made, &error));
    OK(store->methods.end(transaction, 1, &error));
    canary__store_unlock(store);
}

static void add_duration(struct unit *unit, struct canary__tally *tally, int64_t ns) {
    OK(canary__tally_add_duration(&measured_store(unit)->hooks, tally, ns));
}

/* Built-in metrics come first, then others by name; each cohort has its own figures; what a kind does
 * not have is not a number. */
static void rows_and_figures(void **state) {
    static const char *const names[] = {
        "error", "timeout", "duration", "a_cost", "hit", "zz_spam"
    };
    struct unit *unit = *state;
    struct canary__sheet sheet = { 0 };
    struct canary__tally *tally;
    const struct measured *m;
    const canary_figures *f;

    declare(unit, "a_cost", "usd");
    tally = at(unit, &sheet, 2, 0, CANARY__SHEET_STATUS, CANARY__TALLY_STATUS);
    tally->counts[CANARY_STATUS_OK] = 90;
    tally->counts[CANARY_STATUS_ERROR] = 8;
    tally->counts[CANARY_STATUS_TIMEOUT] = 2;
    tally = at(unit, &sheet, 2, 1, "hit", CANARY_METRIC_PROPORTION);
    tally->counts[CANARY__COUNT_HIT] = 3;
    tally->counts[CANARY__COUNT_MISS] = 1;
    tally = at(unit, &sheet, 2, 0, "a_cost", CANARY_METRIC_VALUE);
    tally->resolution = 0.5;
    canary__tally_add_value(tally, 3);
    canary__tally_add_value(tally, -2);
    tally = at(unit, &sheet, 2, 1, "zz_spam", CANARY_METRIC_CLASSIFICATION);
    tally->counts[CANARY__COUNT_TP] = 91;
    tally->counts[CANARY__COUNT_FP] = 9;
    tally->counts[CANARY__COUNT_FN] = 9;
    for (int cohort = 0; cohort < 2; cohort++) {
        tally = at(unit, &sheet, 2, cohort, "duration", CANARY_METRIC_DURATION);
        tally->threshold_count = 2;
        tally->thresholds_ns[0] = cohort ? 5000000 : 1000000;
        tally->thresholds_ns[1] = 20000000;
        add_duration(unit, tally, 10000000);
        add_duration(unit, tally, cohort ? 30000000 : 2000000);
    }
    /* Neither of these is a row of figures. */
    at(unit, &sheet, 2, 0, CANARY__SHEET_DECISIONS, CANARY__TALLY_DECISIONS)->counts[6] = 5;
    tally = at(unit, &sheet, 2, 0, CANARY__SHEET_LOSSES, CANARY__TALLY_LOSSES);
    tally->counts[CANARY_REJECTED_NUMBER] = 4;
    tally->counts[CANARY_REJECTED_RANGE] = 3;
    tally->counts[CANARY__LOSS_DROPPED] = 2;
    measured_merge(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + 20 * S, &sheet);

    m = measured_read(unit, NULL);
    assert_int_equal(m->count, COUNT(names));
    for (uint32_t i = 0; i < m->count; i++) {
        assert_string_equal(m->rows[i].row.metric, names[i]);
        assert_int_equal(m->rows[i].row.generation, 0);
        assert_int_equal(m->rows[i].row.from_ns, MEASURED_HOUR + 20 * S);
        assert_int_equal(m->rows[i].row.to_ns, MEASURED_HOUR + 30 * S);
        assert_string_equal(m->rows[i].row.unit, i == 2 ? "seconds" : i == 3 ? "usd" : "");
    }
    assert_int_equal(m->report.rejected, 7);
    assert_int_equal(m->report.dropped, 2);
    assert_int_equal(m->report.damaged, 0);
    assert_int_equal(m->report.from_ns, MEASURED_HOUR + 20 * S);
    assert_int_equal(m->report.to_ns, MEASURED_HOUR + 30 * S);

    f = &m->rows[0].cohorts[0];
    assert_int_equal(m->rows[0].row.kind, CANARY_METRIC_PROPORTION);
    assert_true(f->n == 100 && f->k == 8 && f->rate == 0.08 && isnan(f->mean) && isnan(f->p50));
    f = &m->rows[1].cohorts[0];
    assert_true(f->n == 100 && f->k == 2 && f->rate == 0.02);
    f = &m->rows[1].cohorts[1];
    assert_true(f->n == 0 && f->k == 0 && isnan(f->rate) && isnan(f->sum));

    assert_int_equal(m->rows[2].row.kind, CANARY_METRIC_DURATION);
    assert_int_equal(m->rows[2].row.threshold_count, 3);
    assert_int_equal(m->rows[2].row.thresholds_ns[0], 1000000);
    assert_int_equal(m->rows[2].row.thresholds_ns[1], 5000000);
    assert_int_equal(m->rows[2].row.thresholds_ns[2], 20000000);
    f = &m->rows[2].cohorts[0];
    assert_true(f->n == 2 && f->sum == 0.012 && f->mean == 0.006);
    assert_true(f->threshold_n[0] == 2 && f->threshold_above[0] == 2);
    assert_true(f->threshold_n[1] == 0 && f->threshold_above[1] == 0);
    assert_true(f->threshold_n[2] == 2 && f->threshold_above[2] == 0);
    f = &m->rows[2].cohorts[1];
    assert_true(f->threshold_n[0] == 0 && f->threshold_above[0] == 0);
    assert_true(f->threshold_n[1] == 2 && f->threshold_above[1] == 2);
    assert_true(f->threshold_n[2] == 2 && f->threshold_above[2] == 1);

    f = &m->rows[3].cohorts[0];
    assert_int_equal(m->rows[3].row.kind, CANARY_METRIC_VALUE);
    assert_true(f->n == 2 && f->sum == 0.5 && f->minimum == -1 && f->maximum == 1.5);
    f = &m->rows[4].cohorts[1];
    assert_true(f->n == 4 && f->k == 3 && f->rate == 0.75);
    f = &m->rows[5].cohorts[1];
    assert_true(f->n == 109 && f->tp == 91 && fabs(f->f1 - 0.91) < 1e-12);
}

/* One metric alone: errors without timeouts, although they are stored together. */
static void one_metric(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = everything();
    struct canary__sheet sheet = { 0 };
    const struct measured *m;

    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR, 2, 0, 10, 1);
    at(unit, &sheet, 2, 1, "hit", CANARY_METRIC_PROPORTION)->counts[CANARY__COUNT_HIT] = 3;
    measured_merge(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + 50 * S, &sheet);
    query.metric = "timeout";
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 1);
    assert_string_equal(m->rows[0].row.metric, "timeout");
    assert_int_equal(m->rows[0].cohorts[0].n, 10);
    assert_int_equal(m->report.to_ns, MEASURED_HOUR + 10 * S);
    query.metric = "hit";
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 1);
    assert_int_equal(m->rows[0].cohorts[1].n, 3);
    assert_int_equal(m->report.from_ns, MEASURED_HOUR + 50 * S);
    query.metric = CANARY__SHEET_STATUS;
    assert_int_equal(measured_read(unit, &query)->count, 0);
    query.metric = "hits";
    assert_int_equal(measured_read(unit, &query)->count, 0);
}

/* -- time -- */

/* A row belongs to where it begins, whatever it covers. */
static void edges_of_the_window(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = everything();
    const struct measured *m;

    measured_outcomes(unit, CANARY_TABLE_HOURS, MEASURED_HOUR - CANARY__HOUR_NS, 2, 0, 1000, 0);
    measured_outcomes(unit, CANARY_TABLE_MINUTES, MEASURED_HOUR, 2, 0, 100, 0);
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + 60 * S, 2, 0, 10, 0);
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + 70 * S, 2, 0, 1, 0);
    assert_int_equal(measured_count(measured_read(unit, NULL), 0), 1111);
    query.from_ns = MEASURED_HOUR - CANARY__HOUR_NS;
    assert_int_equal(measured_count(measured_read(unit, &query), 0), 1111);
    query.from_ns += 1;
    assert_int_equal(measured_count(measured_read(unit, &query), 0), 111);
    query.from_ns = MEASURED_HOUR + 1;
    assert_int_equal(measured_count(measured_read(unit, &query), 0), 11);
    query.to_ns = MEASURED_HOUR + 70 * S;
    m = measured_read(unit, &query);
    assert_int_equal(measured_count(m, 0), 10);
    assert_int_equal(m->rows[0].row.from_ns, query.from_ns);
    assert_int_equal(m->rows[0].row.to_ns, query.to_ns);
    assert_int_equal(m->report.from_ns, MEASURED_HOUR + 60 * S);
    query.to_ns = MEASURED_HOUR + 70 * S + 1;
    assert_int_equal(measured_count(measured_read(unit, &query), 0), 11);
    query.from_ns = 1;
    query.to_ns = MEASURED_HOUR;
    assert_int_equal(measured_count(measured_read(unit, &query), 0), 1000);
    query.to_ns = INT64_MAX;
    assert_int_equal(measured_count(measured_read(unit, &query), 0), 1111);
    query.from_ns = INT64_MAX - 1;
    assert_int_equal(measured_read(unit, &query)->count, 0);
}

static void steps(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = everything();
    const struct measured *m;

    query.metric = "error";
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + 30 * S, 2, 0, 1, 0);
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + 40 * S, 2, 1, 10, 0);
    measured_outcomes(unit, CANARY_TABLE_MINUTES, MEASURED_HOUR, 2, 0, 100, 0);
    measured_outcomes(unit, CANARY_TABLE_HOURS, MEASURED_HOUR - CANARY__HOUR_NS, 2, 0, 1000, 0);
    measured_outcomes(unit, CANARY_TABLE_HOURS, MEASURED_HOUR - 5000 * CANARY__HOUR_NS, 2, 0, 7, 0);
    query.step_ns = 20 * S;
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 5);
    assert_int_equal(m->rows[1].row.from_ns, MEASURED_HOUR - CANARY__HOUR_NS);
    assert_int_equal(m->rows[1].row.to_ns, MEASURED_HOUR - CANARY__HOUR_NS + 20 * S);
    assert_int_equal(m->rows[2].row.from_ns, MEASURED_HOUR);
    assert_int_equal(m->rows[2].cohorts[0].n, 100);
    assert_int_equal(m->rows[3].row.from_ns, MEASURED_HOUR + 20 * S);
    assert_int_equal(m->rows[3].cohorts[0].n, 1);
    assert_int_equal(m->rows[3].cohorts[1].n, 0);
    assert_int_equal(m->rows[4].row.from_ns, MEASURED_HOUR + 40 * S);
    assert_int_equal(m->rows[4].cohorts[1].n, 10);
    query.step_ns = CANARY__DAY_NS;
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 2);
    assert_int_equal(m->rows[1].row.from_ns % CANARY__DAY_NS, 0);
    assert_int_equal(m->rows[1].cohorts[0].n, 1101);
    assert_int_equal(m->rows[1].cohorts[1].n, 10);
    /* The first and last step are cut to the window. */
    query.step_ns = 20 * S;
    query.from_ns = MEASURED_HOUR + 25 * S;
    query.to_ns = MEASURED_HOUR + 41 * S;
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 2);
    assert_int_equal(m->rows[0].row.from_ns, MEASURED_HOUR + 25 * S);
    assert_int_equal(m->rows[0].row.to_ns, MEASURED_HOUR + 40 * S);
    assert_int_equal(m->rows[1].row.from_ns, MEASURED_HOUR + 40 * S);
    assert_int_equal(m->rows[1].row.to_ns, MEASURED_HOUR + 41 * S);
}

static void generations(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = everything();
    const struct measured *m;

    query.metric = "error";
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + 30 * S, 5, 0, 10, 0);
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + 30 * S, 2, 0, 1, 0);
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR, 2, 0, 1, 0);
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + 60 * S, 5, 1, 100, 0);
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 1);
    assert_int_equal(m->rows[0].cohorts[0].n, 12);
    query.flags = CANARY_METRICS_BY_GENERATION;
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 2);
    assert_int_equal(m->rows[0].row.generation, 2);
    assert_int_equal(m->rows[0].cohorts[0].n, 2);
    assert_int_equal(m->rows[0].row.from_ns, MEASURED_HOUR);
    assert_int_equal(m->rows[0].row.to_ns, MEASURED_HOUR + 40 * S);
    assert_int_equal(m->rows[1].row.generation, 5);
    assert_int_equal(m->rows[1].cohorts[0].n, 10);
    assert_int_equal(m->rows[1].cohorts[1].n, 100);
    assert_int_equal(m->rows[1].row.from_ns, MEASURED_HOUR + 30 * S);
    query.step_ns = CANARY__MINUTE_NS;
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 3);
    assert_int_equal(m->rows[0].row.generation, 2);
    assert_int_equal(m->rows[1].row.generation, 5);
    assert_int_equal(m->rows[2].row.from_ns, MEASURED_HOUR + 60 * S);
    query.flags = 0;
    query.step_ns = 0;
    query.generation = 5;
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 1);
    assert_int_equal(m->rows[0].row.generation, 5);
    assert_int_equal(m->rows[0].cohorts[0].n, 10);
    query.generation = 3;
    m = measured_read(unit, &query);
    assert_int_equal(m->count, 0);
    assert_int_equal(m->report.from_ns, 0);
}

/* From a request to the figures that everybody sees. */
static void recorded_and_read(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = unit_open(unit, MEASURED);
    canary_metric metric = CANARY_METRIC_INIT;
    canary_exposure exposure = CANARY_EXPOSURE_INIT;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    canary_measurement cost = { 0 };
    uint64_t users[2] = { 0, 0 };
    const struct measured *m;

    metric.name = "cost";
    metric.unit = "usd";
    metric.kind = CANARY_METRIC_VALUE;
    OK(canary_metric_declare(ctx, &metric, &cost.metric, &error));
    outcome.measurements = &cost;
    outcome.measurement_count = 1;
    for (int i = 0; i < 400; i++) {
        canary_decision decision = CANARY_DECISION_INIT;
        char id[20];
        int size = snprintf(id, sizeof id, "user-%d", i % 200);

        canary_explain(ctx, id, (uint64_t)size, &decision);
        users[decision.cohort] += i < 200;
        cost.value = decision.cohort == CANARY_NEW ? 0.25 : 0.5;
        outcome.duration_ns = 5000000;
        outcome.status = i < 200 ? CANARY_STATUS_OK : CANARY_STATUS_ERROR;
        assert_int_equal(canary_record(ctx, &decision, &outcome), CANARY_OK);
    }
    OK(canary_flush(unit->store, &error));
    m = measured_read(unit, NULL);
    assert_int_equal(m->count, 4);
    for (int cohort = 0; cohort < 2; cohort++) {
        assert_true(users[cohort] > 50);
        assert_int_equal(m->rows[0].cohorts[cohort].n, 2 * users[cohort]);
        assert_int_equal(m->rows[0].cohorts[cohort].k, users[cohort]);
        assert_int_equal(m->rows[1].cohorts[cohort].k, 0);
        assert_true(fabs(m->rows[2].cohorts[cohort].sum - 0.01 * (double)users[cohort]) < 1e-9);
        assert_true(m->rows[3].cohorts[cohort].mean == (cohort == CANARY_NEW ? 0.25 : 0.5));
    }
    assert_string_equal(m->rows[3].row.unit, "usd");
    assert_int_equal(m->report.last_at_ns, unit->realtime);
    OK(canary_exposure_read(unit->store, MEASURED, NULL, &exposure, &error));
    for (int cohort = 0; cohort < 2; cohort++) {
        assert_true(exposure.users[cohort] == (double)users[cohort]);
        assert_int_equal(exposure.decisions[cohort][CANARY_REASON_SPLIT], 2 * users[cohort]);
    }
    assert_int_equal(exposure.generation, 2);
    canary_close(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_BOTH(nothing_recorded),    MEASURED_BOTH(what_is_refused),
        MEASURED_BOTH(rows_and_figures),    MEASURED_BOTH(one_metric),
        MEASURED_BOTH(edges_of_the_window), MEASURED_BOTH(steps),
        MEASURED_BOTH(generations),         MEASURED_BOTH(recorded_and_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
