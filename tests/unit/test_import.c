/* SPDX-License-Identifier: MIT */
/* Figures from elsewhere: what counts, what is refused, and that nothing counts twice. */
#include "measured.h"

#include <math.h>

#include "figures.h"

static canary_import_row row_of(const char *metric, int cohort) {
    return (
        canary_import_row){ .size = sizeof(canary_import_row), .cohort = cohort, .metric = metric };
}

static canary_import_row proportion(const char *metric, int cohort, uint64_t n, uint64_t k) {
    canary_import_row row = row_of(metric, cohort);

    row.n = n;
    row.k = k;
    return row;
}

static canary_import_row classified(int cohort, uint64_t tp, uint64_t fp, uint64_t fn) {
    canary_import_row row = row_of("f1", cohort);

    row.kind = CANARY_METRIC_CLASSIFICATION;
    row.declare = 1;
    row.tp = tp;
    row.fp = fp;
    row.fn = fn;
    return row;
}

static canary_import_row valued(const char *metric, int kind, double value) {
    canary_import_row row = row_of(metric, CANARY_NEW);

    row.kind = kind;
    row.declare = 1;
    row.value = value;
    if (kind == CANARY_METRIC_SCORE) {
        row.maximum = 1;
        row.resolution = 0.01;
    }
    return row;
}

/* All rows are allowed. */
static int32_t import(struct unit *unit, const char *key, const canary_import_row *rows,
                      uint64_t count) {
    canary_import_result results[16];
    int32_t repeated = -1;

    assert_true(count <= COUNT(results));
    OK(canary_import(unit->store, MEASURED, key, rows, count, results, &repeated, &error));
    for (uint64_t i = 0; i < count; i++) {
        if (results[i].code != CANARY_OK) {
            fail_msg("row %llu: %s", (unsigned long long)i, results[i].message);
        }
        assert_string_equal(results[i].message, "");
    }
    return repeated;
}

static void refused(struct unit *unit, const canary_import_row *row, int code, const char *says,
                    const char *and_says) {
    canary_import_result result = { .declared = 7 };

    OK(canary_import(unit->store, MEASURED, NULL, row, 1, &result, NULL, &error));
    if (result.code != code || strstr(result.message, says) == NULL ||
        strstr(result.message, and_says) == NULL) {
        fail_msg("%s: \"%s\" instead of %s: \"%s\" and \"%s\"", canary_error_name(result.code),
                 result.message, canary_error_name(code), says, and_says);
    }
    assert_int_equal(result.declared, 0);
}

static const canary_figures *figures(struct unit *unit, const char *metric, int cohort) {
    const struct measured *m = measured_read(unit, NULL);

    return &m->rows[measured_row(m, metric, 0)].cohorts[cohort];
}

/* -- kinds -- */

static void every_kind(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[] = {
        classified(CANARY_NEW, 91, 9, 9),
        valued("cost", CANARY_METRIC_VALUE, 1.25),
        valued("cost", CANARY_METRIC_VALUE, -0.75),
        valued("quality", CANARY_METRIC_SCORE, 0.506),
        valued("wait", CANARY_METRIC_DURATION, 5e6),
        valued("duration", 0, 2e9),
        proportion("hit", CANARY_OLD, 10, 4),
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
    f = figures(unit, "f1", CANARY_NEW);
    assert_true(f->tp == 91 && f->fp == 9 && f->fn == 9 && f->tn == 0 && f->n == 109);
    assert_true(fabs(f->f1 - 0.91) < 1e-12 && fabs(f->precision - 0.91) < 1e-12);
    f = figures(unit, "cost", CANARY_NEW);
    assert_true(f->n == 2 && f->sum == 0.5 && f->minimum == -0.75 && f->maximum == 1.25);
    f = figures(unit, "quality", CANARY_NEW);
    assert_true(f->n == 1 && f->sum == 0.51); /* to the nearest multiple */
    f = figures(unit, "wait", CANARY_NEW);
    assert_true(f->n == 1 && f->sum == 0.005);
    f = figures(unit, "duration", CANARY_NEW);
    assert_true(f->n == 1 && f->sum == 2 && fabs(f->p50 - 2) < 2.0 / 128);
    f = figures(unit, "hit", CANARY_OLD);
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
    canary_import_row rows[] = { proportion("error", CANARY_NEW, 100, 3) };
    const canary_figures *f;

    import(unit, NULL, rows, 1);
    f = figures(unit, "error", CANARY_NEW);
    assert_true(f->n == 100 && f->k == 3 && f->rate == 0.03);
    assert_int_equal(measured_read(unit, NULL)->count, 1);
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR, 2, CANARY_NEW, 900, 7);
    f = figures(unit, "error", CANARY_NEW);
    assert_true(f->n == 1000 && f->k == 10 && f->rate == 0.01);
    f = figures(unit, "timeout", CANARY_NEW);
    assert_true(f->n == 900 && f->k == 0 && f->rate == 0);
    rows[0].metric = "timeout";
    import(unit, NULL, rows, 1);
    f = figures(unit, "timeout", CANARY_NEW);
    assert_true(f->n == 1000 && f->k == 3);
    f = figures(unit, "error", CANARY_NEW);
    assert_true(f->n == 1000 && f->k == 10);
}

/* -- refusals -- */

#define BAD(expected, says, and_says, ...)                                                         \
    do {                                                                                           \
        canary_import_row row = good;                                                              \
        __VA_ARGS__;                                                                               \
        refused(unit, &row, expected, says, and_says);                                             \
    } while (0)

static void rows_refused_one_by_one(void **state) {
    struct unit *unit = *state;
    canary_import_row first[] = { classified(CANARY_NEW, 1, 0, 0),
                                  valued("quality", CANARY_METRIC_SCORE, 0.5),
                                  valued("cost", CANARY_METRIC_VALUE, 1) };
    canary_import_row good = proportion("error", CANARY_NEW, 10, 1);
    int64_t now = unit->realtime;

    import(unit, NULL, first, COUNT(first));
    BAD(CANARY_E_NOT_FOUND, "no metric \"f2\"",
        "known: error, timeout, duration, cost, f1, quality", row.metric = "f2");
    BAD(CANARY_E_INVALID, "cohort 2", "old (0)", row.cohort = 2);
    BAD(CANARY_E_INVALID, "(null)", "a-z", row.metric = NULL);
    BAD(CANARY_E_INVALID, "\"F1\"", "a-z", row.metric = "F1");
    BAD(CANARY_E_INVALID, "\"+status\"", "a-z", row.metric = "+status");
    BAD(CANARY_E_INVALID, "kind 6", "1 to 5", row.kind = 6);
    BAD(CANARY_E_INVALID, "declare 2", "0 or 1", row.declare = 2);
    BAD(CANARY_E_INVALID, "2025-", "400 days", row.at_ns = now - 401 * CANARY__DAY_NS);
    BAD(CANARY_E_INVALID, "2026-09-23", "one day ahead", row.at_ns = now + 2 * CANARY__DAY_NS);
    BAD(CANARY_E_INVALID, "proportion", "k of 0 to n", row.k = 11);
    BAD(CANARY_E_INVALID, "proportion", "n of 1", row.n = row.k = 0);
    BAD(CANARY_E_INVALID, "proportion", "10^15", row.n = UINT64_MAX);
    BAD(CANARY_E_INVALID, "proportion", "nothing else", row.value = NAN);
    BAD(CANARY_E_INVALID, "proportion", "nothing else", row.fn = 1);
    BAD(CANARY_E_CONFLICT, "is a proportion", "not a value", row.kind = CANARY_METRIC_VALUE);
    good = valued("cost", 0, 5);
    good.declare = 0;
    BAD(CANARY_E_INVALID, "value", "n of 0 or 1", row.n = 2);
    BAD(CANARY_E_INVALID, "value", "nothing else", row.k = 1);
    BAD(CANARY_E_INVALID, "nan", "between", row.value = NAN);
    BAD(CANARY_E_INVALID, "inf", "between", row.value = INFINITY);
    BAD(CANARY_E_INVALID, "1e+30", "between", row.value = 1e30);
    BAD(CANARY_E_CONFLICT, "unit \"\"", "\"cost\"", row.unit = "usd");
    BAD(CANARY_E_CONFLICT, "resolution 1e-06", "otherwise", row.resolution = 0.5);
    BAD(CANARY_E_CONFLICT, "range", "otherwise", row.minimum = NAN);
    BAD(CANARY_E_INVALID, "1.5", "0 and 1", row.metric = "quality"; row.value = 1.5);
    BAD(CANARY_E_INVALID, "duration", "three days", row.metric = "duration"; row.value = -1);
    BAD(CANARY_E_INVALID, "nan", "three days", row.metric = "duration"; row.value = NAN);
    BAD(CANARY_E_INVALID, "tp, fp", "not all", row.metric = "f1"; row.value = 0);
    BAD(CANARY_E_INVALID, "tp, fp", "nothing else", row.metric = "f1"; row.tp = 1);
    good.declare = 1;
    good.metric = "new_one";
    BAD(CANARY_E_INVALID, "new_one", "takes its kind", (void)row);
    BAD(CANARY_E_INVALID, "range", "score", row.kind = CANARY_METRIC_SCORE);
    BAD(CANARY_E_INVALID, "unit", "a-z", row.kind = CANARY_METRIC_VALUE; row.unit = "US$");
    /* A row that is not allowed itself declares nothing. */
    BAD(CANARY_E_INVALID, "nan", "between", row.kind = CANARY_METRIC_VALUE; row.value = NAN);
    good.declare = 0;
    BAD(CANARY_E_NOT_FOUND, "no metric \"new_one\"",
        "known: error, timeout, duration, cost, f1, quality", (void)row);
    assert_int_equal(measured_read(unit, NULL)->count, COUNT(first));
    assert_int_equal(figures(unit, "cost", CANARY_NEW)->n, 1);
}

/* Good rows count though others of the delivery are refused. */
static void good_rows_among_bad(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[] = { proportion("error", CANARY_NEW, 10, 1),
                                 proportion("eror", CANARY_NEW, 10, 1),
                                 proportion("error", CANARY_NEW, 10, 11),
                                 proportion("error", CANARY_NEW, 20, 2) };
    canary_import_result results[COUNT(rows)];
    int32_t repeated;

    for (int round = 0; round < 2; round++) {
        OK(canary_import(unit->store, MEASURED, "night-1", rows, COUNT(rows), results, &repeated,
                         &error));
        assert_int_equal(repeated, round);
        assert_int_equal(results[0].code, CANARY_OK);
        assert_int_equal(results[1].code, CANARY_E_NOT_FOUND);
        assert_int_equal(results[2].code, CANARY_E_INVALID);
        assert_int_equal(results[3].code, CANARY_OK);
        assert_int_equal(figures(unit, "error", CANARY_NEW)->n, 30);
        assert_int_equal(figures(unit, "error", CANARY_NEW)->k, 3);
    }
}

static void calls_refused(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[2] = { proportion("error", CANARY_NEW, 10, 1),
                                  proportion("error", CANARY_NEW, 10, 1) };
    char key[200];

    FAILS(CANARY_E_INVALID, "store", "",
          canary_import(NULL, MEASURED, NULL, rows, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "rollout", "",
          canary_import(unit->store, NULL, NULL, rows, 1, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"other\"", "",
          canary_import(unit->store, "other", NULL, rows, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "NULL", "rows",
          canary_import(unit->store, MEASURED, NULL, NULL, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "100001 rows", "0 to 100000",
          canary_import(unit->store, MEASURED, NULL, rows, 100001, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "key \"\"", "allowed",
          canary_import(unit->store, MEASURED, "", rows, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "key \"a b\"", "allowed",
          canary_import(unit->store, MEASURED, "a b", rows, 1, NULL, NULL, &error));
    memset(key, 'k', sizeof key);
    key[129] = '\0';
    FAILS(CANARY_E_INVALID, "key", "128",
          canary_import(unit->store, MEASURED, key, rows, 1, NULL, NULL, &error));
    rows[1].size -= 8;
    FAILS(CANARY_E_INVALID, "row 1", "size",
          canary_import(unit->store, MEASURED, NULL, rows, 2, NULL, NULL, &error));
    rows[0].size = 16;
    FAILS(CANARY_E_INVALID, "row 0", "too small",
          canary_import(unit->store, MEASURED, NULL, rows, 1, NULL, NULL, &error));
    OK(canary_import(unit->store, MEASURED, "k", NULL, 0, NULL, NULL, &error));
    assert_int_equal(measured_read(unit, NULL)->count, 0);
    key[128] = '\0';
    rows[0].size = rows[1].size = sizeof rows[0];
    assert_int_equal(import(unit, key, rows, 2), 0);
    assert_int_equal(import(unit, key, rows, 2), 1);
}

static void read_only_handles(void **state) {
    struct unit *unit = *state;
    canary_import_row row = proportion("error", CANARY_NEW, 10, 1);
    canary_store *store;

    import(unit, NULL, &row, 1);
    unit->options.flags = CANARY_OPEN_READ_ONLY | CANARY_OPEN_NO_WATCHER;
    store = unit_another(unit);
    FAILS(CANARY_E_READ_ONLY, "READ_ONLY", "",
          canary_import(store, MEASURED, NULL, &row, 1, NULL, NULL, &error));
    canary_store_close(&store);
    assert_int_equal(figures(unit, "error", CANARY_NEW)->n, 10);
}

/* Rows of a caller who was compiled when they had no range yet. */
static void rows_of_another_size(void **state) {
    enum { OLD = offsetof(canary_import_row, minimum), COUNT_OF = 3 };
    struct unit *unit = *state;
    unsigned char bytes[COUNT_OF * OLD];

    for (int i = 0; i < COUNT_OF; i++) {
        canary_import_row row = proportion("error", i % 2, 10, (uint64_t)i);

        row.size = OLD;
        memcpy(bytes + i * OLD, &row, OLD);
    }
    OK(canary_import(unit->store, MEASURED, NULL, (const canary_import_row *)(void *)bytes,
                     COUNT_OF, NULL, NULL, &error));
    assert_int_equal(figures(unit, "error", CANARY_OLD)->n, 20);
    assert_int_equal(figures(unit, "error", CANARY_OLD)->k, 2);
    assert_int_equal(figures(unit, "error", CANARY_NEW)->k, 1);
}

/* -- once and only once -- */

static void keys(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[] = { proportion("error", CANARY_NEW, 10, 1),
                                 proportion("error", CANARY_OLD, 20, 2) };
    canary_import_row others[2] = { rows[0], rows[1] };
    canary_import_row bad = proportion("error", CANARY_OLD, 1, 2);
    int32_t repeated;

    assert_int_equal(import(unit, "a", rows, 2), 0);
    unit->realtime +=
        5 * CANARY__HOUR_NS; /* "now" is another time, and yet they are the same rows */
    assert_int_equal(import(unit, "a", rows, 2), 1);
    assert_int_equal(figures(unit, "error", CANARY_OLD)->n, 20);
    others[1].k = 3;
    FAILS(CANARY_E_CONFLICT, "\"a\"", "2026-09-21T14:13:20Z",
          canary_import(unit->store, MEASURED, "a", others, 2, NULL, &repeated, &error));
    FAILS(CANARY_E_CONFLICT, "\"a\"", "other rows",
          canary_import(unit->store, MEASURED, "a", rows, 1, NULL, &repeated, &error));
    assert_int_equal(figures(unit, "error", CANARY_OLD)->n, 20);
    assert_int_equal(import(unit, "b", rows, 2), 0);
    assert_int_equal(figures(unit, "error", CANARY_OLD)->n, 40);
    assert_int_equal(import(unit, NULL, rows, 2), 0);
    assert_int_equal(import(unit, NULL, rows, 2), 0);
    assert_int_equal(figures(unit, "error", CANARY_OLD)->n, 80);
    /* A delivery of nothing but bad rows can be mended and sent again. */
    OK(canary_import(unit->store, MEASURED, "c", &bad, 1, NULL, NULL, &error));
    bad.k = 1;
    assert_int_equal(import(unit, "c", &bad, 1), 0);
    assert_int_equal(figures(unit, "error", CANARY_OLD)->n, 81);
    /* Another rollout's keys are its own. */
    unit_create(unit, "other");
    OK(canary_import(unit->store, "other", "a", others, 2, NULL, &repeated, &error));
    assert_int_equal(repeated, 0);
}

static void keys_are_kept_for_400_days(void **state) {
    struct unit *unit = *state;
    canary_import_row row = proportion("error", CANARY_NEW, 1, 0);
    char key[20];

    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "day-%d", i);
        import(unit, key, &row, 1);
    }
    unit->realtime += 399 * CANARY__DAY_NS;
    import(unit, "much-later", &row, 1);
    assert_int_equal(import(unit, "day-0", &row, 1), 1);
    unit->realtime += 2 * CANARY__DAY_NS;
    import(unit, "x", &row, 1);
    import(unit, "y", &row, 1);
    assert_int_equal(import(unit, "much-later", &row, 1), 1);
    assert_int_equal(import(unit, "day-0", &row, 1), 0);
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
        canary_import_row row = proportion("error", CANARY_NEW, i + 1, 0);
        const struct measured *m;

        row.at_ns = now - ages[i].back + 123456789;
        import(unit, NULL, &row, 1);
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
    canary_import_row row = proportion("error", CANARY_NEW, 10, 0);

    import(unit, NULL, &row, 1);
    unit_set(unit, MEASURED, 7500);                                    /* revision 3 */
    OK(canary_flag_set(unit->store, MEASURED, 1, NULL, NULL, &error)); /* 4, same exposure */
    row.n = 1;
    import(unit, NULL, &row, 1);
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
            rows[i] = valued("cost", CANARY_METRIC_VALUE, figures_normal(&seed));
            break;
        case 1:
            rows[i] = valued("wait", CANARY_METRIC_DURATION, 1e9 * figures_uniform(&seed));
            break;
        case 2:
            rows[i] = classified(cohort, figures_below(&seed, 9), 1, 1);
            break;
        default:
            rows[i] = proportion("timeout", cohort, 9, figures_below(&seed, 9));
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
    canary_import_row row = valued("duration", 0, 2e6);
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
    import(unit, NULL, &row, 1);
    m = measured_read(unit, NULL);
    assert_int_equal(m->rows[0].row.threshold_count, 2);
    assert_int_equal(m->rows[0].cohorts[1].threshold_above[0], 1);
    assert_int_equal(m->rows[0].cohorts[1].threshold_above[1], 0);
    assert_int_equal(m->rows[0].cohorts[1].threshold_n[1], 1);
}

static void too_many_metrics(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[300];
    canary_import_result results[300];
    char names[300][20];

    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "metric_%03d", i);
        rows[i] = valued(names[i], CANARY_METRIC_VALUE, 1);
    }
    OK(canary_import(unit->store, MEASURED, NULL, rows, 300, results, NULL, &error));
    assert_int_equal(results[255].declared, 1);
    assert_int_equal(results[256].code, CANARY_E_REFUSED);
    assert_non_null(strstr(results[256].message, "256"));
    assert_int_equal(measured_read(unit, NULL)->count, 256);
    rows[0] = row_of("metric_400", 0);
    OK(canary_import(unit->store, MEASURED, NULL, rows, 1, results, NULL, &error));
    assert_non_null(strstr(results[0].message, ", ..."));
}

/* What somebody wrote there by hand must not make figures that cannot be read any more. */
static void declarations_without_sense(void **state) {
    static const char *const sql[] = {
        "UPDATE metrics SET thresholds = '5000000,1000000'",
        "UPDATE metrics SET thresholds = '7,7'",
        "UPDATE metrics SET thresholds = '-5'",
        "UPDATE metrics SET resolution = '0' WHERE metric = 'cost'",
        "UPDATE metrics SET resolution = 'inf' WHERE metric = 'cost'",
    };
    struct unit *unit = *state;
    canary_import_row wait = valued("wait", CANARY_METRIC_DURATION, 5e6);
    canary_import_row cost = valued("cost", CANARY_METRIC_VALUE, 1);

    measured_outcomes(unit, CANARY_TABLE_TICKS, UNIT_NOW / CANARY__TICK_NS * CANARY__TICK_NS, 2, 0,
                      9, 1);
    for (size_t i = 0; i < COUNT(sql); i++) {
        canary_import_row *row = i < 3 ? &wait : &cost;
        const struct measured *m;

        /* In a step of its own, so that there is nothing that it could conflict with. */
        row->at_ns = UNIT_NOW - (int64_t)i * CANARY__TICK_NS;
        measured_by_hand(unit, "DELETE FROM metrics");
        (void)import(unit, NULL, i < 3 ? &cost : &wait, 1);
        (void)import(unit, NULL, row, 1);
        measured_by_hand(unit, sql[i]);
        FAILS(CANARY_E_CORRUPT, "makes no sense", row->metric,
              canary_import(unit->store, MEASURED, NULL, row, 1, NULL, NULL, &error));
        m = measured_read(unit, NULL);
        assert_int_equal(m->report.damaged, 0);
        assert_int_equal(m->rows[measured_row(m, "error", 0)].cohorts[0].n, 9);
    }
}

/* As many as a row can count, so often that 64 bits do not hold them: all that there can be, not little. */
static void too_many_counts(void **state) {
    enum { ROWS = 20000 };
    static canary_import_row rows[ROWS];
    struct unit *unit = *state;

    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = proportion("hit", CANARY_NEW, 1000000000000000, 1000000000000000);
        rows[i].kind = CANARY_METRIC_PROPORTION;
        rows[i].declare = 1;
    }
    OK(canary_import(unit->store, MEASURED, NULL, rows, ROWS, NULL, NULL, &error));
    assert_true(figures(unit, "hit", CANARY_NEW)->n == UINT64_MAX);
    assert_true(figures(unit, "hit", CANARY_NEW)->rate == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_BOTH(every_kind),
        MEASURED_BOTH(errors_without_timeouts),
        MEASURED_BOTH(rows_refused_one_by_one),
        MEASURED_BOTH(good_rows_among_bad),
        MEASURED_BOTH(calls_refused),
        MEASURED_SQLITE(read_only_handles),
        MEASURED_BOTH(rows_of_another_size),
        MEASURED_BOTH(keys),
        MEASURED_BOTH(keys_are_kept_for_400_days),
        MEASURED_BOTH(times),
        MEASURED_BOTH(present_generation),
        MEASURED_BOTH(any_division),
        MEASURED_BOTH(thresholds_of_the_declaration),
        MEASURED_BOTH(too_many_metrics),
        MEASURED_SQLITE(declarations_without_sense),
        MEASURED_BOTH(too_many_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
