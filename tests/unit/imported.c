/* SPDX-License-Identifier: MIT */
/* What tests of importing share. */
#include "imported.h"

canary_import_row imported_row(const char *metric, int cohort) {
    return (
        canary_import_row){ .size = sizeof(canary_import_row), .cohort = cohort, .metric = metric };
}

canary_import_row imported_proportion(const char *metric, int cohort, uint64_t n, uint64_t k) {
    canary_import_row row = imported_row(metric, cohort);

    row.n = n;
    row.k = k;
    return row;
}

canary_import_row imported_classified(int cohort, uint64_t tp, uint64_t fp, uint64_t fn) {
    canary_import_row row = imported_row("f1", cohort);

    row.kind = CANARY_METRIC_CLASSIFICATION;
    row.declare = 1;
    row.tp = tp;
    row.fp = fp;
    row.fn = fn;
    return row;
}

canary_import_row imported_valued(const char *metric, int kind, double value) {
    canary_import_row row = imported_row(metric, CANARY_NEW);

    row.kind = kind;
    row.declare = 1;
    row.value = value;
    if (kind == CANARY_METRIC_SCORE) {
        row.maximum = 1;
        row.resolution = 0.01;
    }
    return row;
}

int32_t imported(struct unit *unit, const char *key, const canary_import_row *rows,
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

const canary_figures *imported_figures(struct unit *unit, const char *metric, int cohort) {
    const struct measured *m = measured_read(unit, NULL);

    return &m->rows[measured_row(m, metric, 0)].cohorts[cohort];
}
