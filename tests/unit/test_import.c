/* SPDX-License-Identifier: MIT */
/* Figures from elsewhere: what counts, when, and that nothing counts twice. */
#include "imported.h"

#include <math.h>

#include "figures.h"

/* -- kinds -- */

static void every_kind(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[] = {
        imported_classified(CANARY_NEW, 91, 9, 9),
        imported_valued("cost", CANARY_METRIC_VALUE, 1.25),
        imported_valued("cost", CANARY_METRIC_VALUE, -0.75),
        imported_valued("quality", CANARY_METRIC_SCORE, 0.506),
        imported_valued("wait", CANARY_METRIC_DURATION, 5e6),
        imported_valued("duration", 0, 2e9),
        imported_proportion("hit", CANARY_OLD, 10, 4),
    };
    canary_import_result results[COUNT(rows)];
    const canary_figures *f;
    int32_t repeated = -1;

    rows[1].unit = rows[2].unit = "usd";
    rows[2].n = 1;
    rows[5].declare = 0;
    rows[6].kind = CANARY_METRIC_PROPORTION;
    rows[6].declare = 1;
    OK(canary_import(unit->store, MEASURED, "first", rows, COUNT(rows), results, &repeated,
                     &error));
    assert_int_equal(repeated, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(results[i].message, "");
        assert_int_equal(results[i].code, CANARY_OK);
        assert_int_equal(results[i].declared, i != 2 && i != 5);
    }
    f = imported_figures(unit, "f1", CANARY_NEW);
    assert_true(f->tp == 91 && f->fp == 9 && f->fn == 9 && f->tn == 0 && f->n == 109);
    assert_true(fabs(f->f1 - 0.91) < 1e-12 && fabs(f->precision - 0.91) < 1e-12);
    f = imported_figures(unit, "cost", CANARY_NEW);
    assert_true(f->n == 2 && f->sum == 0.5 && f->minimum == -0.75 && f->maximum == 1.25);
    f = imported_figures(unit, "quality", CANARY_NEW);
    assert_true(f->n == 1 && f->sum == 0.51); /* to the nearest multiple */
    f = imported_figures(unit, "wait", CANARY_NEW);
    assert_true(f->n == 1 && f->sum == 0.005);
    f = imported_figures(unit, "duration", CANARY_NEW);
    assert_true(f->n == 1 && f->sum == 2 && fabs(f->p50 - 2) < 2.0 / 128);
    f = imported_figures(unit, "hit", CANARY_OLD);
    assert_true(f->n == 10 && f->k == 4 && f->rate == 0.4);
    {
        const struct measured *m = measured_read(unit, NULL);

        assert_string_equal(m->rows[measured_row(m, "cost", 0)].row.unit, "usd");
        assert_string_equal(m->rows[measured_row(m, "wait", 0)].row.unit, "seconds");
        assert_int_equal(m->report.last_at_ns, unit->realtime);
        assert_int_equal(m->rows[0].row.from_ns, unit->realtime - unit->realtime % CANARY_TICK_NS);
    }
}

/* Errors counted elsewhere say nothing of timeouts, and leave what was recorded here alone. */
static void errors_without_timeouts(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[] = { imported_proportion("error", CANARY_NEW, 100, 3) };
    const canary_figures *f;

    imported(unit, NULL, rows, 1);
    f = imported_figures(unit, "error", CANARY_NEW);
    assert_true(f->n == 100 && f->k == 3 && f->rate == 0.03);
    assert_int_equal(measured_read(unit, NULL)->count, 1);
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR, 2, CANARY_NEW, 900, 7);
    f = imported_figures(unit, "error", CANARY_NEW);
    assert_true(f->n == 1000 && f->k == 10 && f->rate == 0.01);
    f = imported_figures(unit, "timeout", CANARY_NEW);
    assert_true(f->n == 900 && f->k == 0 && f->rate == 0);
    rows[0].metric = "timeout";
    imported(unit, NULL, rows, 1);
    f = imported_figures(unit, "timeout", CANARY_NEW);
    assert_true(f->n == 1000 && f->k == 3);
    f = imported_figures(unit, "error", CANARY_NEW);
    assert_true(f->n == 1000 && f->k == 10);
}

/* Rows of a caller who was compiled when they had no range yet. */
static void rows_of_another_size(void **state) {
    enum { OLD = offsetof(canary_import_row, minimum), COUNT_OF = 3 };
    struct unit *unit = *state;
    unsigned char bytes[COUNT_OF * OLD];

    for (int i = 0; i < COUNT_OF; i++) {
        canary_import_row row = imported_proportion("error", i % 2, 10, (uint64_t)i);

        row.size = OLD;
        memcpy(bytes + i * OLD, &row, OLD);
    }
    OK(canary_import(unit->store, MEASURED, NULL, (const canary_import_row *)(void *)bytes,
                     COUNT_OF, NULL, NULL, &error));
    assert_int_equal(imported_figures(unit, "error", CANARY_OLD)->n, 20);
    assert_int_equal(imported_figures(unit, "error", CANARY_OLD)->k, 2);
    assert_int_equal(imported_figures(unit, "error", CANARY_NEW)->k, 1);
}

/* -- once and only once -- */

static void keys(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[] = { imported_proportion("error", CANARY_NEW, 10, 1),
                                 imported_proportion("error", CANARY_OLD, 20, 2) };
    canary_import_row others[2] = { rows[0], rows[1] };
    canary_import_row bad = imported_proportion("error", CANARY_OLD, 1, 2);
    int32_t repeated;

    assert_int_equal(imported(unit, "a", rows, 2), 0);
    unit->realtime +=
        5 * CANARY__HOUR_NS; /* "now" is another time, and yet they are the same rows */
    assert_int_equal(imported(unit, "a", rows, 2), 1);
    assert_int_equal(imported_figures(unit, "error", CANARY_OLD)->n, 20);
    others[1].k = 3;
    FAILS(CANARY_E_CONFLICT, "\"a\"", "2026-09-21T14:13:20Z",
          canary_import(unit->store, MEASURED, "a", others, 2, NULL, &repeated, &error));
    FAILS(CANARY_E_CONFLICT, "\"a\"", "other rows",
          canary_import(unit->store, MEASURED, "a", rows, 1, NULL, &repeated, &error));
    assert_int_equal(imported_figures(unit, "error", CANARY_OLD)->n, 20);
    assert_int_equal(imported(unit, "b", rows, 2), 0);
    assert_int_equal(imported_figures(unit, "error", CANARY_OLD)->n, 40);
    assert_int_equal(imported(unit, NULL, rows, 2), 0);
    assert_int_equal(imported(unit, NULL, rows, 2), 0);
    assert_int_equal(imported_figures(unit, "error", CANARY_OLD)->n, 80);
    /* A delivery of nothing but bad rows can be mended and sent again. */
    OK(canary_import(unit->store, MEASURED, "c", &bad, 1, NULL, NULL, &error));
    bad.k = 1;
    assert_int_equal(imported(unit, "c", &bad, 1), 0);
    assert_int_equal(imported_figures(unit, "error", CANARY_OLD)->n, 81);
    /* Another rollout's keys are its own. */
    unit_create(unit, "other");
    OK(canary_import(unit->store, "other", "a", others, 2, NULL, &repeated, &error));
    assert_int_equal(repeated, 0);
}

static void keys_are_kept_for_400_days(void **state) {
    struct unit *unit = *state;
    canary_import_row row = imported_proportion("error", CANARY_NEW, 1, 0);
    char key[20];

    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "day-%d", i);
        imported(unit, key, &row, 1);
    }
    unit->realtime += 399 * CANARY__DAY_NS;
    imported(unit, "much-later", &row, 1);
    assert_int_equal(imported(unit, "day-0", &row, 1), 1);
    unit->realtime += 2 * CANARY__DAY_NS;
    imported(unit, "x", &row, 1);
    imported(unit, "y", &row, 1);
    assert_int_equal(imported(unit, "much-later", &row, 1), 1);
    assert_int_equal(imported(unit, "day-0", &row, 1), 0);
}

/* -- time and generation -- */

static void times(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    int64_t now = unit->realtime;
    static const struct {
        int64_t back;
        int64_t width;
    } ages[] = {
        { -23 * CANARY__HOUR_NS, CANARY__TICK_NS }, { CANARY__HOUR_NS, CANARY__TICK_NS },
        { 3 * CANARY__HOUR_NS, CANARY__MINUTE_NS }, { 6 * CANARY__DAY_NS, CANARY__MINUTE_NS },
        { 8 * CANARY__DAY_NS, CANARY__HOUR_NS },    { 399 * CANARY__DAY_NS, CANARY__HOUR_NS },
    };

    for (size_t i = 0; i < COUNT(ages); i++) {
        canary_import_row row = imported_proportion("error", CANARY_NEW, i + 1, 0);
        const struct measured *m;

        row.at_ns = now - ages[i].back + 123456789;
        imported(unit, NULL, &row, 1);
        query.from_ns = row.at_ns - row.at_ns % ages[i].width;
        query.to_ns = query.from_ns + 1;
        m = measured_read(unit, &query);
        assert_int_equal(m->count, 1);
        assert_int_equal(m->rows[0].cohorts[1].n, i + 1);
        assert_int_equal(m->report.to_ns - m->report.from_ns, ages[i].width);
    }
}

static void present_generation(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    canary_import_row row = imported_proportion("error", CANARY_NEW, 10, 0);

    imported(unit, NULL, &row, 1);
    unit_set(unit, MEASURED, 7500);                                    /* revision 3 */
    OK(canary_flag_set(unit->store, MEASURED, 1, NULL, NULL, &error)); /* 4, same exposure */
    row.n = 1;
    imported(unit, NULL, &row, 1);
    query.generation = 2;
    assert_int_equal(measured_read(unit, &query)->rows[0].cohorts[1].n, 10);
    query.generation = 3;
    assert_int_equal(measured_read(unit, &query)->rows[0].cohorts[1].n, 1);
}

/* However rows are divided into deliveries, and in whatever order they come, the figures are the same. */
static void any_division(void **state) {
    enum { ROWS = 200 };
    struct unit *unit = *state;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    uint64_t seed = unit_seed();
    canary_import_row rows[ROWS];
    struct measured *first = malloc(sizeof *first);
    uint64_t at = 0;

    assert_non_null(first);
    for (int i = 0; i < ROWS; i++) {
        int cohort = (int)figures_below(&seed, 2);

        switch (figures_below(&seed, 4)) {
        case 0:
            rows[i] = imported_valued("cost", CANARY_METRIC_VALUE, figures_normal(&seed));
            break;
        case 1:
            rows[i] = imported_valued("wait", CANARY_METRIC_DURATION, 1e9 * figures_uniform(&seed));
            break;
        case 2:
            rows[i] = imported_classified(cohort, figures_below(&seed, 9), 1, 1);
            break;
        default:
            rows[i] = imported_proportion("timeout", cohort, 9, figures_below(&seed, 9));
            break;
        }
        rows[i].cohort = cohort;
        rows[i].at_ns = unit->realtime - (int64_t)figures_below(&seed, 86400 * 20) * 1000000000;
    }
    OK(canary_import(unit->store, MEASURED, NULL, rows, ROWS, NULL, NULL, &error));
    query.step_ns = CANARY__HOUR_NS;
    *first = *measured_read(unit, &query);
    unit_create(unit, "again");
    for (int i = ROWS - 1; i > 0; i--) { /* shuffled */
        uint64_t other = figures_below(&seed, (uint64_t)i + 1);
        canary_import_row held = rows[i];

        rows[i] = rows[other];
        rows[other] = held;
    }
    while (at < ROWS) {
        uint64_t count = 1 + figures_below(&seed, 30);

        count = count < ROWS - at ? count : ROWS - at;
        OK(canary_import(unit->store, "again", NULL, rows + at, count, NULL, NULL, &error));
        at += count;
    }
    {
        const struct measured *m = measured_read_of(unit, "again", &query);

        assert_int_equal(m->count, first->count);
        for (uint32_t i = 0; i < m->count; i++) {
            assert_string_equal(m->rows[i].row.metric, first->rows[i].row.metric);
            assert_int_equal(m->rows[i].row.from_ns, first->rows[i].row.from_ns);
            assert_memory_equal(m->rows[i].cohorts, first->rows[i].cohorts,
                                sizeof m->rows[i].cohorts);
        }
    }
    free(first);
}

/* Thresholds that processes compare with count for imported durations, too. */
static void thresholds_of_the_declaration(void **state) {
    static const int64_t thresholds[] = { 1000000, 3000000 };
    struct unit *unit = *state;
    canary_metric metric = CANARY_METRIC_INIT;
    struct canary__declared declared;
    canary_store *store = measured_store(unit);
    canary_import_row row = imported_valued("duration", 0, 2e6);
    const struct measured *m;
    void *transaction;
    int made;

    metric.name = "duration";
    metric.kind = CANARY_METRIC_DURATION;
    metric.thresholds_ns = thresholds;
    metric.threshold_count = 2;
    OK(canary__declared_admit(&metric, &declared, &error));
    OK(canary__store_begin(store, CANARY_STORAGE_WRITE, &transaction, &error));
    OK(canary__merge_declare(store, transaction, MEASURED, &declared, &made, &error));
    OK(store->methods.end(transaction, 1, &error));
    canary__store_unlock(store);
    imported(unit, NULL, &row, 1);
    m = measured_read(unit, NULL);
    assert_int_equal(m->rows[0].row.threshold_count, 2);
    assert_int_equal(m->rows[0].cohorts[1].threshold_above[0], 1);
    assert_int_equal(m->rows[0].cohorts[1].threshold_above[1], 0);
    assert_int_equal(m->rows[0].cohorts[1].threshold_n[1], 1);
}

/* As many as a row can count, so often that 64 bits do not hold them: all that there can be, not little. */
static void too_many_counts(void **state) {
    enum { ROWS = 20000 };
    static canary_import_row rows[ROWS];
    struct unit *unit = *state;

    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = imported_proportion("hit", CANARY_NEW, 1000000000000000, 1000000000000000);
        rows[i].kind = CANARY_METRIC_PROPORTION;
        rows[i].declare = 1;
    }
    OK(canary_import(unit->store, MEASURED, NULL, rows, ROWS, NULL, NULL, &error));
    assert_true(imported_figures(unit, "hit", CANARY_NEW)->n == UINT64_MAX);
    assert_true(imported_figures(unit, "hit", CANARY_NEW)->rate == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_BOTH(every_kind),
        MEASURED_BOTH(errors_without_timeouts),
        MEASURED_BOTH(rows_of_another_size),
        MEASURED_BOTH(keys),
        MEASURED_BOTH(keys_are_kept_for_400_days),
        MEASURED_BOTH(times),
        MEASURED_BOTH(present_generation),
        MEASURED_BOTH(any_division),
        MEASURED_BOTH(thresholds_of_the_declaration),
        MEASURED_BOTH(too_many_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
