/* SPDX-License-Identifier: MIT */
#include "stored.h"

#include <string.h>

#include "control/rows.h"

enum { START = 1, DATA = 8 };

struct sum {
    canary_store *store;
    struct stored *out;
    int level;
    int code;
};

static int take(void *user_data, const canary_storage_row *row) {
    struct sum *sum = user_data;
    struct canary__sheet sheet = { 0 };
    canary_error error = CANARY_ERROR_INIT;
    int64_t start = row->values[START].integer;

    if (sum->out->rows[sum->level]++ == 0) {
        sum->out->first[sum->level] = start;
    }
    sum->out->last[sum->level] = start;
    sum->out->bytes += row->values[DATA].size;
    if (canary__sheet_decode(&sum->store->hooks, row->values[DATA].data,
                             (size_t)row->values[DATA].size, &sheet, &error) != CANARY_OK) {
        sum->out->damaged++;
        return 0;
    }
    sum->code = canary__sheet_merge(&sum->store->hooks, &sum->out->sheet, &sheet);
    canary__sheet_free(&sum->store->hooks, &sheet);
    return sum->code != CANARY_OK;
}

int stored_read(canary_store *store, const char *rollout, struct stored *out, canary_error *error) {
    struct sum sum = { .store = store, .out = out };
    canary_storage_value key = canary__value_text(rollout);
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 1, .key = &key };
    canary_store *measurements;
    void *transaction;
    int code;

    memset(out, 0, sizeof *out);
    code = canary__merge_store(store, 0, &measurements, error);
    if (code == CANARY_OK) {
        code = canary__rows_begin(measurements, NULL, &transaction, error);
    }
    if (code != CANARY_OK) {
        return code == CANARY_E_NO_STORE ? CANARY_OK : code;
    }
    for (sum.level = 0; sum.level < 3 && code == CANARY_OK; sum.level++) {
        code = measurements->methods.read(transaction, CANARY_TABLE_TICKS + sum.level, &range, take,
                                          &sum, error);
        code = code == CANARY_OK ? sum.code : code;
    }
    return canary__rows_end(measurements, transaction, code, error);
}

void stored_free(canary_store *store, struct stored *stored) {
    canary__sheet_free(&store->hooks, &stored->sheet);
}

uint64_t stored_events(const struct stored *stored, uint64_t generation, int cohort,
                       const char *metric) {
    uint64_t events = 0;

    for (uint32_t i = 0; i < stored->sheet.count; i++) {
        const struct canary__entry *entry = &stored->sheet.entries[i];

        if ((generation == 0 || entry->generation == generation) &&
            (cohort < 0 || entry->cohort == cohort) && strcmp(entry->metric, metric) == 0) {
            events += canary__merge_events(&entry->tally);
        }
    }
    return events;
}

uint64_t stored_outcomes(canary_store *store, const char *rollout) {
    canary_error error = CANARY_ERROR_INIT;
    struct stored stored;
    uint64_t outcomes = UINT64_MAX;

    if (stored_read(store, rollout, &stored, &error) == CANARY_OK) {
        outcomes = stored_events(&stored, 0, -1, CANARY__SHEET_STATUS);
    }
    stored_free(store, &stored);
    return outcomes;
}

static int count(void *user_data, const canary_storage_row *row) {
    (void)row;
    ++*(int64_t *)user_data;
    return 0;
}

int64_t stored_rows(canary_store *store, int table) {
    canary_storage_range range = { .size = (uint32_t)sizeof range };
    canary_error error = CANARY_ERROR_INIT;
    canary_store *measurements;
    void *transaction;
    int64_t rows = 0;
    int code = canary__merge_store(store, 0, &measurements, &error);

    if (code == CANARY_OK) {
        code = canary__rows_begin(measurements, NULL, &transaction, &error);
    }
    if (code != CANARY_OK) {
        return code == CANARY_E_NO_STORE ? 0 : -1;
    }
    code = measurements->methods.read(transaction, table, &range, count, &rows, &error);
    code = canary__rows_end(measurements, transaction, code, &error);
    return code == CANARY_OK ? rows : -1;
}
