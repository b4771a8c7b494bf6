/* SPDX-License-Identifier: MIT */
/* Figures from elsewhere: what is refused, and that the rest counts all the same. */
#include "imported.h"

#include <math.h>

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

#define BAD(expected, says, and_says, ...)                                                         \
    do {                                                                                           \
        canary_import_row row = good;                                                              \
        __VA_ARGS__;                                                                               \
        refused(unit, &row, expected, says, and_says);                                             \
    } while (0)

static void rows_refused_one_by_one(void **state) {
    struct unit *unit = *state;
    canary_import_row first[] = { imported_classified(CANARY_NEW, 1, 0, 0),
                                  imported_valued("quality", CANARY_METRIC_SCORE, 0.5),
                                  imported_valued("cost", CANARY_METRIC_VALUE, 1) };
    canary_import_row good = imported_proportion("error", CANARY_NEW, 10, 1);
    int64_t now = unit->realtime;

    imported(unit, NULL, first, COUNT(first));
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
    good = imported_valued("cost", 0, 5);
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
    assert_int_equal(imported_figures(unit, "cost", CANARY_NEW)->n, 1);
}

/* Good rows count though others of the delivery are refused. */
static void good_rows_among_bad(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[] = { imported_proportion("error", CANARY_NEW, 10, 1),
                                 imported_proportion("eror", CANARY_NEW, 10, 1),
                                 imported_proportion("error", CANARY_NEW, 10, 11),
                                 imported_proportion("error", CANARY_NEW, 20, 2) };
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
        assert_int_equal(imported_figures(unit, "error", CANARY_NEW)->n, 30);
        assert_int_equal(imported_figures(unit, "error", CANARY_NEW)->k, 3);
    }
}

static void calls_refused(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[2] = { imported_proportion("error", CANARY_NEW, 10, 1),
                                  imported_proportion("error", CANARY_NEW, 10, 1) };
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
    assert_int_equal(imported(unit, key, rows, 2), 0);
    assert_int_equal(imported(unit, key, rows, 2), 1);
}

static void read_only_handles(void **state) {
    struct unit *unit = *state;
    canary_import_row row = imported_proportion("error", CANARY_NEW, 10, 1);
    canary_store *store;

    imported(unit, NULL, &row, 1);
    unit->options.flags = CANARY_OPEN_READ_ONLY | CANARY_OPEN_NO_WATCHER;
    store = unit_another(unit);
    FAILS(CANARY_E_READ_ONLY, "READ_ONLY", "",
          canary_import(store, MEASURED, NULL, &row, 1, NULL, NULL, &error));
    canary_store_close(&store);
    assert_int_equal(imported_figures(unit, "error", CANARY_NEW)->n, 10);
}

static void too_many_metrics(void **state) {
    struct unit *unit = *state;
    canary_import_row rows[300];
    canary_import_result results[300];
    char names[300][20];

    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "metric_%03d", i);
        rows[i] = imported_valued(names[i], CANARY_METRIC_VALUE, 1);
    }
    OK(canary_import(unit->store, MEASURED, NULL, rows, 300, results, NULL, &error));
    assert_int_equal(results[255].declared, 1);
    assert_int_equal(results[256].code, CANARY_E_REFUSED);
    assert_non_null(strstr(results[256].message, "256"));
    assert_int_equal(measured_read(unit, NULL)->count, 256);
    rows[0] = imported_row("metric_400", 0);
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
    canary_import_row wait = imported_valued("wait", CANARY_METRIC_DURATION, 5e6);
    canary_import_row cost = imported_valued("cost", CANARY_METRIC_VALUE, 1);

    measured_outcomes(unit, CANARY_TABLE_TICKS, UNIT_NOW / CANARY__TICK_NS * CANARY__TICK_NS, 2, 0,
                      9, 1);
    for (size_t i = 0; i < COUNT(sql); i++) {
        canary_import_row *row = i < 3 ? &wait : &cost;
        const struct measured *m;

        /* In a step of its own, so that there is nothing that it could conflict with. */
        row->at_ns = UNIT_NOW - (int64_t)i * CANARY__TICK_NS;
        measured_by_hand(unit, "DELETE FROM metrics");
        (void)imported(unit, NULL, i < 3 ? &cost : &wait, 1);
        (void)imported(unit, NULL, row, 1);
        measured_by_hand(unit, sql[i]);
        FAILS(CANARY_E_CORRUPT, "makes no sense", row->metric,
              canary_import(unit->store, MEASURED, NULL, row, 1, NULL, NULL, &error));
        m = measured_read(unit, NULL);
        assert_int_equal(m->report.damaged, 0);
        assert_int_equal(m->rows[measured_row(m, "error", 0)].cohorts[0].n, 9);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_BOTH(rows_refused_one_by_one), MEASURED_BOTH(good_rows_among_bad),
        MEASURED_BOTH(calls_refused),           MEASURED_SQLITE(read_only_handles),
        MEASURED_BOTH(too_many_metrics),        MEASURED_SQLITE(declarations_without_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
