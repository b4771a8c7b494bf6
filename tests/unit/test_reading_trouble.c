/* SPDX-License-Identifier: MIT */
/* Reading and importing with damaged rows, callbacks that call back, and memory and storage that fail. */
#include "measured.h"

#include <sodium/crypto_shorthash.h>

#include "figures.h"

/* -- damage -- */

static void fill(struct unit *unit) {
    for (int i = 0; i < 5; i++) {
        measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + i * CANARY_TICK_NS, 2,
                          CANARY_OLD, 1000, 10);
    }
}

static uint64_t old_outcomes(const struct measured *m) {
    return m->rows[measured_row(m, "error", 0)].cohorts[0].n;
}

/* Any byte of a row: it is told and left out, and the rest counts. */
static void any_damaged_byte(void **state) {
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    char sql[300];

    fill(unit);
    for (int i = 0; i < 30; i++) {
        const struct measured *m;

        snprintf(sql, sizeof sql,
                 "UPDATE ticks SET data = (SELECT CAST(substr(data, 1, abs(%lld) %% length(data)) "
                 "|| x'%02x' || substr(data, abs(%lld) %% length(data) + 2) AS BLOB) FROM ticks "
                 "WHERE start = %lld) WHERE start = %lld",
                 (long long)(seed >> 8), (unsigned)(seed & 255), (long long)(seed >> 8),
                 (long long)(MEASURED_HOUR + CANARY_TICK_NS), (long long)MEASURED_HOUR);
        unit_random(&seed);
        measured_by_hand(unit, sql);
        m = measured_read(unit, NULL);
        if (m->report.damaged == 0) { /* the byte was that already: one row twice */
            assert_int_equal(old_outcomes(m), 5000);
            continue;
        }
        assert_int_equal(m->report.damaged, 1);
        assert_non_null(strstr(m->report.damage, "tick of 2026-09-21T14:00:00Z: "));
        assert_true(strlen(m->report.damage) > strlen("tick of 2026-09-21T14:00:00Z: "));
        assert_int_equal(old_outcomes(m), 4000);
        assert_int_equal(m->report.from_ns, MEASURED_HOUR + CANARY_TICK_NS);
    }
}

/* Puts a row that a later library wrote, as far as this one can know, in the place of the first. */
static void write_newer(struct unit *unit) {
    static const unsigned char key[crypto_shorthash_KEYBYTES];
    unsigned char data[64] = { 77 };
    canary_store *store = measured_store(unit);
    canary_storage_value values[9] = { canary__value_text(MEASURED),
                                       canary__value_integer(MEASURED_HOUR) };
    canary_storage_row row = { sizeof row, CANARY_TABLE_TICKS, 9, 0, values };
    void *transaction;

    for (int i = 2; i < 8; i++) {
        values[i] = canary__value_integer(0);
    }
    crypto_shorthash(data + 40, data, 40, key);
    values[8] = canary__value_blob(data, 48);
    OK(canary__store_begin(store, CANARY_STORAGE_WRITE, &transaction, &error));
    OK(store->methods.write(transaction, &row, &error));
    OK(store->methods.end(transaction, 1, &error));
    canary__store_unlock(store);
}

static void other_damage(void **state) {
    struct unit *unit = *state;
    struct canary__sheet sheet = { 0 };
    struct canary__tally *tally;
    const struct measured *m;

    fill(unit);
    write_newer(unit);
    m = measured_read(unit, NULL);
    assert_int_equal(m->report.damaged, 1);
    assert_int_equal(old_outcomes(m), 4000);
    assert_non_null(strstr(m->report.damage, "version 77, written by a later libcanary"));
    /* What is recorded for that time goes beside it, and counts. */
    measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR, 2, CANARY_OLD, 1, 0);
    m = measured_read(unit, NULL);
    assert_int_equal(m->report.damaged, 1);
    assert_int_equal(old_outcomes(m), 4001);
    assert_int_equal(m->report.from_ns, MEASURED_HOUR);
    /* A metric that is of two kinds in two rows: neither disturbs the other metrics. */
    tally = canary__sheet_at(&measured_store(unit)->hooks, &sheet, 2, 0, "odd");
    tally->kind = CANARY_METRIC_PROPORTION;
    tally->counts[1] = 5;
    measured_merge(unit, CANARY_TABLE_HOURS, MEASURED_HOUR, &sheet);
    tally = canary__sheet_at(&measured_store(unit)->hooks, &sheet, 2, 0, "odd");
    tally->kind = CANARY_METRIC_CLASSIFICATION;
    tally->counts[0] = 7;
    measured_merge(unit, CANARY_TABLE_MINUTES, MEASURED_HOUR, &sheet);
    m = measured_read(unit, NULL);
    assert_int_equal(m->report.damaged, 2);
    assert_int_equal(old_outcomes(m), 4001);
    assert_int_equal(m->rows[measured_row(m, "odd", 0)].cohorts[0].n, 5);
    measured_by_hand(unit, "DELETE FROM hours; DELETE FROM minutes; UPDATE ticks SET data = x''");
    m = measured_read(unit, NULL);
    assert_int_equal(m->count, 0);
    assert_int_equal(m->report.damaged, 6);
    assert_non_null(strstr(m->report.damage, "tick of 2026-09-21T14:00:00Z")); /* the first */
    assert_int_equal(m->report.from_ns, 0);
}

/* Rows at times that make no sense are no reason to loop or to overflow. */
static void odd_times(void **state) {
    struct unit *unit = *state;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;

    fill(unit);
    measured_by_hand(unit, "UPDATE ticks SET start = 9223372036854775807 WHERE start = "
                           "(SELECT min(start) FROM ticks);"
                           "UPDATE ticks SET start = -9223372036854775807 WHERE start = "
                           "(SELECT min(start) FROM ticks);"
                           "UPDATE ticks SET start = start + 12345 WHERE start = "
                           "(SELECT start FROM ticks ORDER BY start LIMIT 1 OFFSET 1)");
    assert_int_equal(old_outcomes(measured_read(unit, NULL)), 3000);
    query.step_ns = CANARY_TICK_NS;
    assert_int_equal(measured_read(unit, &query)->count, 6);
}

/* -- callbacks -- */

struct calling {
    struct unit *unit;
    int rows;
    int stop;
};

static int count_row(void *user_data, const canary_metrics_row *row) {
    *(uint64_t *)user_data += row->old_cohort->n;
    return 0;
}

static int call_back(void *user_data, const canary_metrics_row *row) {
    struct calling *calling = user_data;
    canary_import_row import = { .size = sizeof import, .metric = "error", .n = 1 };
    canary_exposure exposure = CANARY_EXPOSURE_INIT;
    uint64_t n = 0;

    assert_true(row->old_cohort->n > 0);
    OK(canary_metrics(calling->unit->store, MEASURED, NULL, count_row, &n, NULL, &error));
    assert_true(n > 0);
    OK(canary_import(calling->unit->store, MEASURED, NULL, &import, 1, NULL, NULL, &error));
    OK(canary_exposure_read(calling->unit->store, MEASURED, NULL, &exposure, &error));
    OK(canary_set_percentage(calling->unit->store, MEASURED, (uint32_t)calling->rows + 1, NULL,
                             NULL, NULL, &error));
    return ++calling->rows == calling->stop;
}

static void callbacks_may_call(void **state) {
    struct unit *unit = *state;
    struct calling calling = { .unit = unit };
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    canary_metrics_report report = { .size = sizeof report };

    fill(unit);
    query.to_ns = MEASURED_HOUR + 5 * CANARY_TICK_NS;
    OK(canary_metrics(unit->store, MEASURED, &query, call_back, &calling, NULL, &error));
    assert_int_equal(calling.rows, 2);
    query.step_ns = CANARY_TICK_NS;
    calling.rows = 0;
    calling.stop = 3;
    OK(canary_metrics(unit->store, MEASURED, &query, call_back, &calling, &report, &error));
    assert_int_equal(calling.rows, 3);
    assert_int_equal(report.from_ns, MEASURED_HOUR);
}

/* -- what fails -- */

/* Counts down; the step at 0 fails once. */
static struct {
    uint64_t left;
    int fired;
    int64_t bytes;
    canary_storage_methods methods;
} trouble;

static int strikes(void) {
    if (trouble.left == 0 || --trouble.left > 0) {
        return 0;
    }
    trouble.fired = 1;
    return 1;
}

static void *allocate(void *user_data, void *block, uint64_t old_size, uint64_t size) {
    void *fresh;

    (void)user_data;
    if (size == 0) {
        trouble.bytes -= (int64_t)old_size;
        free(block);
        return NULL;
    }
    if (strikes()) {
        return NULL;
    }
    fresh = realloc(block, size);
    assert_non_null(fresh);
    trouble.bytes += (int64_t)size - (int64_t)(block == NULL ? 0 : old_size);
    return fresh;
}

static int gone(canary_error *error) {
    return canary_storage_fail(error, CANARY_E_IO, 5, "the disk is gone");
}

static int failing_begin(void *store, int mode, void **transaction, canary_error *error) {
    return strikes() ? gone(error) : trouble.methods.begin(store, mode, transaction, error);
}

static int failing_read(void *transaction, int table, const canary_storage_range *range,
                        canary_storage_sink sink, void *user_data, canary_error *error) {
    return strikes() ? gone(error)
                     : trouble.methods.read(transaction, table, range, sink, user_data, error);
}

static int failing_write(void *transaction, const canary_storage_row *row, canary_error *error) {
    return strikes() ? gone(error) : trouble.methods.write(transaction, row, error);
}

static int failing_remove(void *transaction, int table, const canary_storage_value *key,
                          canary_error *error) {
    return strikes() ? gone(error) : trouble.methods.remove(transaction, table, key, error);
}

static int failing_end(void *transaction, int commit, canary_error *error) {
    if (strikes()) {
        trouble.methods.end(transaction, 0, error);
        return gone(error);
    }
    return trouble.methods.end(transaction, commit, error);
}

static int read_them(struct unit *unit, int64_t step_ns, uint32_t flags, canary_error *error) {
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    canary_metrics_report report = { .size = sizeof report };
    uint64_t n = 0;
    int code;

    query.step_ns = step_ns;
    query.flags = flags;
    code = canary_metrics(unit->store, MEASURED, &query, count_row, &n, &report, error);
    assert_int_equal(report.damaged, 0);
    return code;
}

static int call_number(struct unit *unit, int number, canary_error *error) {
    canary_import_row rows[] = {
        { .size = sizeof rows[0], .metric = "error", .n = 1, .at_ns = unit->realtime },
        { .size = sizeof rows[0],
          .metric = "wait",
          .kind = CANARY_METRIC_DURATION,
          .declare = 1,
          .value = 5e6,
          .at_ns = unit->realtime - CANARY__DAY_NS },
        { .size = sizeof rows[0], .metric = "nobody", .n = 1 },
    };
    canary_exposure exposure = CANARY_EXPOSURE_INIT;
    canary_baseline_info info = { .size = sizeof info };

    switch (number) {
    case 0:
        return read_them(unit, 0, 0, error);
    case 1:
        return read_them(unit, CANARY_TICK_NS, CANARY_METRICS_BY_GENERATION, error);
    case 2:
        return canary_exposure_read(unit->store, MEASURED, NULL, &exposure, error);
    case 3:
        return canary_baseline_capture(unit->store, MEASURED, 0, 0, NULL, &info, error);
    case 4:
        return read_them(unit, 0, CANARY_METRICS_BASELINE, error);
    case 5:
        return canary_baseline_read(unit->store, MEASURED, &info, error);
    default:
        return canary_import(unit->store, MEASURED, "key", rows, COUNT(rows), NULL, NULL, error);
    }
}

static uint64_t errors_of_old(struct unit *unit) {
    const struct measured *m = measured_read(unit, NULL);

    return m->rows[measured_row(m, "error", 0)].cohorts[0].n;
}

/* Every call with each of its steps failing once: a named error, and nothing half done. */
static void each_step_failing(struct unit *unit, int code_expected) {
    for (int number = 0; number <= 6; number++) {
        uint64_t before = errors_of_old(unit);
        uint64_t n = 0;

        do {
            canary_error error = CANARY_ERROR_INIT;
            int code;

            trouble.fired = 0;
            trouble.left = ++n;
            code = call_number(unit, number, &error);
            trouble.left = 0;
            if (code != CANARY_OK) {
                assert_int_equal(trouble.fired, 1);
                assert_int_equal(code, code_expected);
                assert_int_equal(error.code, code);
                assert_true(strlen(error.message) > 5);
            }
            /* Only the end of a transaction that has nothing to keep may fail unseen. */
            assert_int_equal(errors_of_old(unit), before + (number == 6 && code == CANARY_OK));
            assert_true(n < 5000);
        } while (trouble.fired && !(number == 6 && errors_of_old(unit) != before));
        assert_true(n > 2 || number == 5); /* which needs no memory */
    }
}

static void fill_all(struct unit *unit) {
    uint64_t seed = unit_seed();

    fill(unit);
    measured_users(unit, 2, 30, 20, 40);
    for (int i = 0; i < 4; i++) {
        struct canary__sheet made = { 0 };
        struct canary__sheet sheet = { 0 };

        for (int k = 0; k < 20; k++) {
            figures_record(&seed, &made);
        }
        assert_int_equal(canary__sheet_merge(&measured_store(unit)->hooks, &sheet, &made),
                         CANARY_OK);
        canary__sheet_free(&figures_hooks, &made);
        measured_merge(unit, CANARY_TABLE_HOURS, MEASURED_HOUR - i * 9 * CANARY__HOUR_NS, &sheet);
    }
}

static void memory_failing(void **state) {
    struct unit *unit;
    canary_options options;

    (void)state;
    for (int kind = UNIT_MEMORY; kind <= UNIT_SQLITE; kind++) {
        unit = unit_new(kind);
        canary_store_close(&unit->store);
        options = unit->options;
        options.allocate = allocate;
        if (kind == UNIT_MEMORY) {
            OK(canary_store_open_memory(&options, &unit->store, &error));
        } else {
            OK(canary_store_open(unit->path, &options, &unit->store, &error));
        }
        unit_create(unit, MEASURED);
        fill_all(unit);
        each_step_failing(unit, CANARY_E_NOMEM);
        unit_free(unit);
        assert_int_equal(trouble.bytes, 0);
    }
}

static void storage_failing(void **state) {
    struct unit *unit = *state;
    canary_store *stores[2];

    fill_all(unit);
    assert_int_equal(call_number(unit, 3, NULL), CANARY_OK);
    OK(canary__merge_store(unit->store, 0, &stores[0], &error));
    OK(canary__merge_store(unit->store, 1, &stores[1], &error));
    trouble.methods = stores[0]->methods;
    for (int i = 0; i < 2; i++) {
        stores[i]->methods.begin = failing_begin;
        stores[i]->methods.read = failing_read;
        stores[i]->methods.write = failing_write;
        stores[i]->methods.remove = failing_remove;
        stores[i]->methods.end = failing_end;
    }
    each_step_failing(unit, CANARY_E_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_SQLITE(any_damaged_byte), MEASURED_SQLITE(other_damage),
        MEASURED_SQLITE(odd_times),        MEASURED_BOTH(callbacks_may_call),
        cmocka_unit_test(memory_failing),  MEASURED_BOTH(storage_failing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
