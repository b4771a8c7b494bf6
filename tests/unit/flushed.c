/* SPDX-License-Identifier: MIT */
#include "flushed.h"

#include <stdio.h>
#include <unistd.h>

void flushed_record(canary_ctx *ctx, int cohort, int count, int errors) {
    for (int i = 0; i < count; i++) {
        canary_outcome outcome = CANARY_OUTCOME_INIT;

        outcome.duration_ns = (i + 1) * 1000000;
        outcome.status = i < errors ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
        assert_int_equal(canary_record_cohort(ctx, cohort, &outcome), CANARY_OK);
    }
}

canary_recording_info flushed_recording(canary_ctx *ctx) {
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;

    assert_int_equal(canary_recording(ctx, &info), CANARY_OK);
    return info;
}

void flushed_pass(struct unit *unit, int64_t ns) {
    unit->realtime += ns;
    unit->monotonic += ns;
}

void flushed_lock(struct unit *unit, sqlite3 **db) {
    char path[600];

    snprintf(path, sizeof path, "%s-metrics", unit->path);
    assert_int_equal(sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(*db, 20000);
    assert_int_equal(sqlite3_exec(*db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
}

void *flushed_unlock_soon(void *db) {
    usleep(200000);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return NULL;
}

struct stored flushed_read(canary_store *store, const char *rollout) {
    struct stored stored;

    OK(stored_read(store, rollout, &stored, &error));
    return stored;
}
