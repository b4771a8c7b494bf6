/* SPDX-License-Identifier: MIT */
/* A measurement store that is locked, away, deleted or damaged: what waits comes into it later, memory
 * stays bounded, and what is lost is counted. */
#include <pthread.h>
#include <unistd.h>

#include <sqlite3.h>

#include "flushed.h"

static const char name[] = "pay";
static const int64_t second = INT64_C(1000000000);

/* -- a store that is away -- */

static void test_locked(void **state) {
    struct unit *unit = *state;
    canary_recording_info info;
    sqlite3 *db = NULL;
    canary_ctx *ctx;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    flushed_record(ctx, CANARY_NEW, 10, 0);
    OK(canary_flush(unit->store, &error));
    flushed_lock(unit, &db);
    unit->store->busy_ns = 1000000;
    {
        canary_store *measurements;

        OK(canary__merge_store(unit->store, 1, &measurements, &error));
        measurements->busy_ns = 1000000;
    }
    for (int i = 0; i < 5; i++) {
        flushed_pass(unit, 10 * second);
        flushed_record(ctx, CANARY_NEW, 10, 0);
        FAILS(CANARY_E_BUSY, "", "", canary_flush(unit->store, &error));
    }
    info = flushed_recording(ctx);
    assert_int_equal(info.waiting, 5);
    assert_int_equal(info.last_error, CANARY_E_BUSY);
    assert_true(info.last_message[0] != '\0');
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    OK(canary_flush(unit->store, &error));
    assert_non_null(strstr(unit->log, "cannot be merged"));
    assert_null(strstr(strstr(unit->log, "cannot be merged") + 1, "cannot be merged"));
    assert_non_null(strstr(unit->log, "merged again"));
    info = flushed_recording(ctx);
    assert_int_equal(info.waiting, 0);
    assert_int_equal(info.last_error, 0);
    assert_int_equal(info.merged, 60);
    assert_int_equal(stored_outcomes(unit->store, name), 60);
    canary_close(&ctx);
}

enum { ROLLOUTS = 30 };

/* "r0", "r1", ..., with ten outcomes each. */
static void open_many(struct unit *unit, canary_ctx **ctx) {
    for (int i = 0; i < ROLLOUTS; i++) {
        char rollout[8];

        snprintf(rollout, sizeof rollout, "r%d", i);
        unit_create(unit, rollout);
        ctx[i] = unit_open(unit, rollout);
        flushed_record(ctx[i], CANARY_NEW, 10, 0);
    }
}

/* Contexts that are closed one after the other wait together as long as one would. */
static void test_locked_at_the_end(void **state) {
    struct unit *unit = *state;
    canary_store *measurements;
    canary_ctx *ctx[ROLLOUTS];
    sqlite3 *db = NULL;
    int64_t began;

    open_many(unit, ctx);
    OK(canary_flush(unit->store, &error));
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    measurements->busy_ns = second / 2;
    flushed_lock(unit, &db);
    began = canary__store_machine_ns();
    for (int i = 0; i < ROLLOUTS; i++) {
        flushed_record(ctx[i], CANARY_NEW, 10, 0);
        canary_close(&ctx[i]);
    }
    assert_true(canary__store_machine_ns() - began < ROLLOUTS * second / 2);
    assert_non_null(strstr(unit->log, "10 outcomes of \"r29\" could not be merged"));
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
}

/* A locked trail is waited for once, not once for each rollout whose generation is not known yet. */
static void test_locked_trail(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx[ROLLOUTS];
    sqlite3 *db = NULL;
    int64_t began;

    open_many(unit, ctx);
    assert_int_equal(sqlite3_open_v2(unit->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    unit->store->busy_ns = second / 2;
    began = canary__store_machine_ns();
    FAILS(CANARY_E_BUSY, "locked", "", canary_flush(unit->store, &error));
    assert_true(canary__store_machine_ns() - began < ROLLOUTS * second / 2);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    for (int i = 0; i < ROLLOUTS; i++) {
        canary_close(&ctx[i]);
    }
    assert_int_equal(stored_outcomes(unit->store, "r0"), 10);
    assert_int_equal(stored_outcomes(unit->store, "r29"), 10);
}

/* That a tick met a lock is no reason for canary_close() not to wait for the next one to go. */
static void test_locked_before_the_end(void **state) {
    struct unit *unit = *state;
    canary_store *measurements;
    pthread_t thread;
    sqlite3 *db = NULL;
    canary_ctx *ctx;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    flushed_record(ctx, CANARY_NEW, 10, 0);
    OK(canary_flush(unit->store, &error));
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    measurements->busy_ns = second / 100;
    flushed_record(ctx, CANARY_NEW, 10, 0);
    flushed_lock(unit, &db);
    FAILS(CANARY_E_BUSY, "", "", canary_flush(unit->store, &error));
    measurements->busy_ns = 20 * second;
    assert_int_equal(pthread_create(&thread, NULL, flushed_unlock_soon, db), 0);
    canary_close(&ctx);
    pthread_join(thread, NULL);
    sqlite3_close(db);
    assert_int_equal(stored_outcomes(unit->store, name), 20);
}

/* The metrics are free, and only the trail, which names generations, is not: nothing is lost. */
static void test_closed_with_locked_trail(void **state) {
    struct unit *unit = *state;
    sqlite3 *db = NULL;
    canary_ctx *ctx;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    flushed_record(ctx, CANARY_NEW, 10, 0);
    assert_int_equal(sqlite3_open_v2(unit->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    unit->store->busy_ns = 1000000;
    canary_close(&ctx);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_int_equal(stored_outcomes(unit->store, name), 10);
}

/* Away for a day, and more generations than anybody has: memory stays bounded, sums stay right. */
static void test_away_for_long(void **state) {
    struct unit *unit = *state;
    canary_recording_info info;
    canary_store *measurements;
    struct stored stored;
    sqlite3 *db = NULL;
    canary_ctx *ctx;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    flushed_record(ctx, CANARY_NEW, 1, 0);
    OK(canary_flush(unit->store, &error));
    flushed_lock(unit, &db);
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    measurements->busy_ns = 1;
    for (int i = 0; i < 2000; i++) {
        flushed_pass(unit, 10 * second);
        flushed_record(ctx, i % 2, 1, 0);
        FAILS(CANARY_E_BUSY, "", "", canary_flush(unit->store, &error));
        if (i == 1000) {
            unit_set(unit, name, 600);
        }
    }
    info = flushed_recording(ctx);
    assert_true(info.waiting <= 361);
    assert_true(info.coarsened + info.waiting == 2001 || info.coarsened + info.waiting == 2000);
    assert_int_equal(info.dropped, 0);
    sqlite3_close(db);
    OK(canary_flush(unit->store, &error));
    stored = flushed_read(unit->store, name);
    assert_int_equal(stored_events(&stored, 0, -1, "+status"), 2001);
    assert_int_equal(stored_events(&stored, unit_read(unit, name).revision, -1, "+status"), 999);
    assert_true(stored.rows[0] + stored.rows[1] > 100);
    stored_free(unit->store, &stored);
    canary_close(&ctx);
}

static int always_busy(void *store, int mode, void **transaction, canary_error *error) {
    (void)store, (void)mode, (void)transaction;
    return canary_storage_fail(error, CANARY_E_BUSY, 0, "busy");
}

/* Generations without end while the store is away: what does not fit is dropped, and counted. */
static void test_too_many_generations(void **state) {
    struct unit *unit = *state;
    canary_recording_info info;
    canary_store *measurements;
    canary_storage_methods methods;
    struct stored stored;
    uint64_t lost = 0;
    canary_ctx *ctx;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    methods = measurements->methods;
    measurements->methods.begin = always_busy;
    measurements->busy_ns = 1;
    for (uint32_t i = 0; i < 1600; i++) {
        flushed_record(ctx, CANARY_NEW, 3, 0);
        unit_set(unit, name, 501 + i);
        if (i % 4 == 0) {
            flushed_pass(unit, 10 * second);
            FAILS(CANARY_E_BUSY, "busy", "", canary_flush(unit->store, &error));
        }
    }
    info = flushed_recording(ctx);
    assert_in_range(info.waiting, 450, 1440);
    assert_true(info.dropped > 0);
    measurements->methods = methods;
    OK(canary_flush(unit->store, &error));
    info = flushed_recording(ctx);
    assert_int_equal(info.outcomes, 4800);
    assert_int_equal(info.merged + info.dropped, 4800);
    stored = flushed_read(unit->store, name);
    assert_int_equal(stored_events(&stored, 0, -1, "+status"), info.merged);
    for (uint32_t i = 0; i < stored.sheet.count; i++) {
        const struct canary__tally *tally = &stored.sheet.entries[i].tally;

        lost += tally->kind == CANARY__TALLY_LOSSES ? tally->counts[CANARY__LOSS_DROPPED] : 0;
    }
    assert_int_equal(lost, info.dropped);
    stored_free(unit->store, &stored);
    canary_close(&ctx);
}

/* A program that has no watcher and never flushes, since it is only scraped: memory stays bounded. */
static void test_never_flushed(void **state) {
    struct unit *unit = *state;
    canary_recording_info info;
    canary_ctx *ctx;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    for (uint32_t i = 0; i < 2000; i++) {
        flushed_record(ctx, CANARY_NEW, 3, 0);
        unit_set(unit, name, 501 + i);
    }
    info = flushed_recording(ctx);
    assert_in_range(info.waiting, 300, 1440);
    assert_true(info.dropped > 0);
    OK(canary_flush(unit->store, &error));
    info = flushed_recording(ctx);
    assert_int_equal(info.outcomes, 6000);
    assert_int_equal(info.merged + info.dropped, 6000);
    canary_close(&ctx);
}

/* A deleted file is made anew; what waited goes into it. */
static void test_deleted(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    char path[600];

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    flushed_record(ctx, CANARY_NEW, 10, 0);
    OK(canary_flush(unit->store, &error));
    snprintf(path, sizeof path, "%s-metrics", unit->path);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s-metrics-journal", unit->path);
    (void)unlink(path);
    flushed_record(ctx, CANARY_NEW, 7, 0);
    OK(canary_flush(unit->store, &error));
    assert_int_equal(stored_outcomes(unit->store, name), 7);
    canary_close(&ctx);
}

/* A damaged row stays, is logged, and new figures go beside it. */
static void test_damaged_row(void **state) {
    struct unit *unit = *state;
    struct stored stored;
    sqlite3 *db = NULL;
    canary_ctx *ctx;
    char path[600];

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    flushed_pass(unit, 7 * second);
    flushed_record(ctx, CANARY_NEW, 10, 0);
    OK(canary_flush(unit->store, &error));
    snprintf(path, sizeof path, "%s-metrics", unit->path);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE ticks SET data = x'0102030405060708090a0b'", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    flushed_record(ctx, CANARY_NEW, 3, 0);
    OK(canary_flush(unit->store, &error));
    flushed_record(ctx, CANARY_NEW, 4, 0);
    OK(canary_flush(unit->store, &error));
    stored = flushed_read(unit->store, name);
    assert_int_equal(stored.rows[0], 2);
    assert_int_equal(stored.damaged, 1);
    assert_int_equal(stored_events(&stored, 0, -1, "+status"), 7);
    stored_free(unit->store, &stored);
    assert_non_null(strstr(unit->log, "beside"));
    canary_close(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_SQLITE_ONLY(test_locked),
        UNIT_SQLITE_ONLY(test_locked_at_the_end),
        UNIT_SQLITE_ONLY(test_locked_before_the_end),
        UNIT_SQLITE_ONLY(test_locked_trail),
        UNIT_SQLITE_ONLY(test_closed_with_locked_trail),
        UNIT_SQLITE_ONLY(test_away_for_long),
        UNIT_MEMORY_ONLY(test_too_many_generations),
        UNIT_MEMORY_ONLY(test_never_flushed),
        UNIT_SQLITE_ONLY(test_deleted),
        UNIT_SQLITE_ONLY(test_damaged_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
