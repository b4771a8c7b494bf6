/* SPDX-License-Identifier: MIT */
#include "measured.h"

#include <sqlite3.h>

static int setup(void **state, int kind) {
    struct unit *unit = unit_new(kind);

    unit_create(unit, MEASURED);
    unit_set(unit, MEASURED, 5000);
    *state = unit;
    return 0;
}

int measured_setup_memory(void **state) {
    return setup(state, UNIT_MEMORY);
}

int measured_setup_sqlite(void **state) {
    return setup(state, UNIT_SQLITE);
}

canary_store *measured_store(struct unit *unit) {
    canary_store *store = NULL;

    OK(canary__merge_store(unit->store, 1, &store, &error));
    return store;
}

static void *begin(struct unit *unit, canary_store **store) {
    void *transaction = NULL;

    *store = measured_store(unit);
    OK(canary__store_begin(*store, CANARY_STORAGE_WRITE, &transaction, &error));
    return transaction;
}

static void end(canary_store *store, void *transaction) {
    OK(store->methods.end(transaction, 1, &error));
    canary__store_unlock(store);
}

void measured_merge(struct unit *unit, int table, int64_t start_ns, struct canary__sheet *sheet) {
    canary_store *store;
    void *transaction = begin(unit, &store);

    OK(canary__merge_sheet(store, transaction, table, MEASURED, start_ns, sheet, &error));
    end(store, transaction);
    canary__sheet_free(&store->hooks, sheet);
}

void measured_outcomes(struct unit *unit, int table, int64_t start_ns, uint64_t generation,
                       int cohort, uint64_t n, uint64_t k) {
    struct canary__sheet sheet = { 0 };
    struct canary__tally *tally = canary__sheet_at(&measured_store(unit)->hooks, &sheet, generation,
                                                   cohort, CANARY__SHEET_STATUS);

    assert_non_null(tally);
    tally->kind = CANARY__TALLY_STATUS;
    tally->counts[CANARY_STATUS_OK] = n - k;
    tally->counts[CANARY_STATUS_ERROR] = k;
    measured_merge(unit, table, start_ns, &sheet);
}

/* Users `from` to `to` of a made-up population. */
static void add_users(struct canary__sample_table *table, uint32_t from, uint32_t to) {
    for (uint32_t user = from; user < to; user++) {
        canary__sample_put(table, canary__sample_mix(user * 2654435761u + 12345));
    }
}

void measured_users(struct unit *unit, uint64_t generation, uint32_t old, uint32_t from,
                    uint32_t to) {
    static struct canary__sample_table tables[2];
    struct canary__sample samples[2] = { { 0 } };
    canary_store *store;
    void *transaction = begin(unit, &store);

    memset(tables, 0, sizeof tables);
    add_users(&tables[0], 0, old);
    add_users(&tables[1], from, to);
    for (int cohort = 0; cohort < 2; cohort++) {
        assert_int_equal(canary__sample_take(&store->hooks, &tables[cohort], &samples[cohort]),
                         CANARY_OK);
    }
    OK(canary__merge_users(store, transaction, MEASURED, generation, samples, &error));
    end(store, transaction);
    canary__sample_free(&store->hooks, &samples[0]);
    canary__sample_free(&store->hooks, &samples[1]);
}

struct moving {
    canary_store *store;
    struct canary__sheet sheet;
};

static int take(void *user_data, const canary_storage_row *row) {
    struct moving *moving = user_data;

    OK(canary__sheet_decode(&moving->store->hooks, row->values[8].data, (size_t)row->values[8].size,
                            &moving->sheet, &error));
    return 0;
}

void measured_retain(struct unit *unit, int from, int64_t start_ns, int to, int64_t to_start_ns) {
    canary_storage_value key[2] = { canary__value_text(MEASURED), canary__value_integer(start_ns) };
    canary_storage_range range = { .size = sizeof range, .key_count = 2, .key = key };
    struct moving moving = { .sheet = { 0 } };
    void *transaction = begin(unit, &moving.store);
    canary_store *store = moving.store;

    OK(store->methods.read(transaction, from, &range, take, &moving, &error));
    if (moving.sheet.count > 0) {
        OK(canary__merge_sheet(store, transaction, to, MEASURED, to_start_ns, &moving.sheet,
                               &error));
        OK(store->methods.remove(transaction, from, key, &error));
    }
    end(store, transaction);
    canary__sheet_free(&store->hooks, &moving.sheet);
}

void measured_by_hand(struct unit *unit, const char *sql) {
    char path[600];
    char *message = NULL;
    sqlite3 *db = NULL;

    snprintf(path, sizeof path, "%s-metrics", unit->path);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

uint64_t measured_buckets(const canary_figures *figures) {
    uint64_t sum = 0;

    for (uint32_t i = 0; i < figures->bucket_count; i++) {
        sum = sum * UINT64_C(0x9e3779b97f4a7c15) + figures->buckets[i] + 1;
    }
    return sum;
}

static int take_row(void *user_data, const canary_metrics_row *row) {
    struct measured *measured = user_data;

    assert_true(measured->count < MEASURED_ROWS);
    assert_int_equal(row->size, sizeof *row);
    assert_int_equal(row->old_cohort->size, sizeof *row->old_cohort);
    assert_true(row->from_ns < row->to_ns);
    measured->rows[measured->count].row = *row;
    measured->rows[measured->count].cohorts[0] = *row->old_cohort;
    measured->rows[measured->count].cohorts[1] = *row->new_cohort;
    for (int cohort = 0; cohort < 2; cohort++) {
        canary_figures *kept = &measured->rows[measured->count].cohorts[cohort];

        measured->rows[measured->count].buckets[cohort] = measured_buckets(kept);
        kept->buckets = NULL;
    }
    measured->count++;
    return measured->count == measured->stop_after;
}

const struct measured *measured_read_of(struct unit *unit, const char *rollout,
                                        const canary_metrics_query *query) {
    static struct measured measured;

    measured.count = 0;
    memset(&measured.report, 0x55, sizeof measured.report);
    measured.report.size = sizeof measured.report;
    OK(canary_metrics(unit->store, rollout, query, take_row, &measured, &measured.report, &error));
    return &measured;
}

const struct measured *measured_read(struct unit *unit, const canary_metrics_query *query) {
    return measured_read_of(unit, MEASURED, query);
}

uint64_t measured_count(const struct measured *measured, int cohort) {
    uint64_t n = 0;

    for (uint32_t i = 0; i < measured->count; i++) {
        if (strcmp(measured->rows[i].row.metric, "error") == 0) {
            n += measured->rows[i].cohorts[cohort].n;
        }
    }
    return n;
}

uint32_t measured_row(const struct measured *measured, const char *metric, uint32_t from) {
    for (uint32_t i = from; i < measured->count; i++) {
        if (strcmp(measured->rows[i].row.metric, metric) == 0) {
            return i;
        }
    }
    fail_msg("no row of \"%s\"", metric);
    return 0;
}
