/* SPDX-License-Identifier: MIT */
/* What is recorded comes into the measurement store: all of it, once, under its tick and generation. */
#include <unistd.h>

#include <sqlite3.h>

#include "stored.h"
#include "support.h"

static const char name[] = "pay";
static const int64_t second = INT64_C(1000000000);

static void record_many(canary_ctx *ctx, int cohort, int count, int errors) {
    for (int i = 0; i < count; i++) {
        canary_outcome outcome = CANARY_OUTCOME_INIT;

        outcome.duration_ns = (i + 1) * 1000000;
        outcome.status = i < errors ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
        assert_int_equal(canary_record_cohort(ctx, cohort, &outcome), CANARY_OK);
    }
}

static canary_recording_info recording(canary_ctx *ctx) {
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;

    assert_int_equal(canary_recording(ctx, &info), CANARY_OK);
    return info;
}

static void pass(struct unit *unit, int64_t ns) {
    unit->realtime += ns;
    unit->monotonic += ns;
}

static struct stored read_stored(canary_store *store) {
    struct stored stored;

    OK(stored_read(store, name, &stored, &error));
    return stored;
}

static uint64_t events(canary_store *store, uint64_t generation, int cohort, const char *metric) {
    struct stored stored = read_stored(store);
    uint64_t found = stored_events(&stored, generation, cohort, metric);

    stored_free(store, &stored);
    return found;
}

static void test_once(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    canary_recording_info info;
    struct stored stored;

    (void)unit_begin_at(unit, name, 2500);
    ctx = unit_open(unit, name);
    info = recording(ctx);
    assert_int_equal(info.recording, 0);
    OK(canary_flush(unit->store, &error));
    assert_int_equal(stored_outcomes(unit->store, name), 0);
    record_many(ctx, CANARY_NEW, 10, 3);
    record_many(ctx, CANARY_OLD, 20, 1);
    info = recording(ctx);
    assert_int_equal(info.recording, 1);
    assert_int_equal(info.outcomes, 30);
    assert_int_equal(info.merged, 0);
    OK(canary_flush(unit->store, &error));
    OK(canary_flush(unit->store, &error));
    stored = read_stored(unit->store);
    assert_int_equal(stored_events(&stored, 0, CANARY_NEW, "+status"), 10);
    assert_int_equal(stored_events(&stored, 0, CANARY_OLD, "+status"), 20);
    assert_int_equal(stored_events(&stored, 0, CANARY_NEW, "duration"), 10);
    assert_int_equal(stored.rows[0], 1);
    assert_int_equal(stored.first[0],
                     UNIT_NOW - 5 * second - (UNIT_NOW - 5 * second) % CANARY_TICK_NS);
    stored_free(unit->store, &stored);
    info = recording(ctx);
    assert_int_equal(info.merged, 30);
    assert_int_equal(info.flushes, 1);
    assert_int_equal(info.flushed_at_ns, UNIT_NOW);
    assert_int_equal(info.waiting, 0);
    assert_int_equal(info.last_error, 0);
    pass(unit, 10 * second);
    record_many(ctx, CANARY_NEW, 5, 0);
    OK(canary_flush(unit->store, &error));
    stored = read_stored(unit->store);
    assert_int_equal(stored.rows[0], 2);
    assert_int_equal(stored_events(&stored, 0, CANARY_NEW, "+status"), 15);
    stored_free(unit->store, &stored);
    record_many(ctx, CANARY_NEW, 7, 0);
    canary_close(&ctx);
    assert_int_equal(events(unit->store, 0, CANARY_NEW, "+status"), 22);
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_WRITERS), 1);
}

static void test_arguments(void **state) {
    struct unit *unit = *state;
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;
    canary_ctx *ctx;

    FAILS(CANARY_E_INVALID, "canary_flush", "NULL", canary_flush(NULL, &error));
    (void)unit_begin_at(unit, name, 2500);
    ctx = unit_open(unit, name);
    assert_int_equal(canary_recording(NULL, &info), CANARY_E_INVALID);
    assert_int_equal(canary_recording(ctx, NULL), CANARY_E_INVALID);
    info.size = 16;
    assert_int_equal(canary_recording(ctx, &info), CANARY_E_INVALID);
    canary_close(&ctx);
}

/* Each generation has its own figures, whatever else was changed in between. */
static void test_generations(void **state) {
    struct unit *unit = *state;
    canary_rollout first = unit_begin_at(unit, name, 500);
    canary_rollout now;
    canary_ctx *ctx = unit_open(unit, name);

    record_many(ctx, CANARY_NEW, 3, 0);
    OK(canary_flag_set(unit->store, first.flag, 0, NULL, NULL, &error));
    OK(canary_flag_set(unit->store, first.flag, 1, NULL, NULL, &error));
    record_many(ctx, CANARY_NEW, 4, 0);
    unit_set(unit, name, 2500);
    now = unit_read(unit, name);
    record_many(ctx, CANARY_NEW, 5, 0);
    OK(canary_override_set(unit->store, name, "x", 1, CANARY_NEW, NULL, NULL, &error));
    record_many(ctx, CANARY_NEW, 6, 0);
    OK(canary_flush(unit->store, &error));
    assert_int_equal(events(unit->store, first.revision, CANARY_NEW, "+status"), 7);
    assert_int_equal(events(unit->store, now.revision, CANARY_NEW, "+status"), 11);
    unit_set(unit, name, 0);
    record_many(ctx, CANARY_OLD, 2, 0);
    OK(canary_flush(unit->store, &error));
    now = unit_read(unit, name);
    assert_int_equal(events(unit->store, now.revision, CANARY_OLD, "+status"), 2);
    assert_int_equal(events(unit->store, 0, -1, "+status"), 20);
    canary_close(&ctx);
}

/* Changes that were made while this process did not look: the percentage is the same again. */
static void test_generation_passed_by(void **state) {
    struct unit *unit = *state;
    canary_rollout first = unit_begin_at(unit, name, 500);
    canary_store *other = unit_another(unit);
    canary_rollout now = { .size = (uint32_t)sizeof now };
    canary_ctx *ctx = unit_open(unit, name);

    record_many(ctx, CANARY_NEW, 3, 0);
    OK(canary_set_percentage(other, name, 9000, NULL, NULL, NULL, &error));
    OK(canary_set_percentage(other, name, 500, NULL, NULL, NULL, &error));
    OK(canary_refresh(unit->store, &error));
    record_many(ctx, CANARY_NEW, 4, 0);
    OK(canary_flush(unit->store, &error));
    OK(canary_rollout_read(unit->store, name, &now, &error));
    assert_int_equal(events(unit->store, first.revision, -1, "+status"), 3);
    assert_int_equal(events(unit->store, now.revision, -1, "+status"), 4);
    canary_close(&ctx);
    canary_store_close(&other);
}

static void test_generation_of(void **state) {
    struct unit *unit = *state;
    canary_rollout first = unit_begin_at(unit, name, 500);
    uint64_t generation;

    for (int i = 0; i < 40; i++) {
        OK(canary_flag_set(unit->store, first.flag, i % 2, NULL, NULL, &error));
    }
    OK(canary__merge_generation(unit->store, name, first.revision + 30, &generation, &error));
    assert_int_equal(generation, first.revision);
    OK(canary__merge_generation(unit->store, name, 0, &generation, &error));
    assert_int_equal(generation, first.revision);
    OK(canary__merge_generation(unit->store, name, 1, &generation, &error));
    assert_int_equal(generation, 1);
    FAILS(CANARY_E_NOT_FOUND, "", "",
          canary__merge_generation(unit->store, "none", 1, &generation, &error));
}

/* -- declared metrics -- */

static int32_t declare(canary_ctx *ctx, const char *metric, int kind, double resolution) {
    canary_metric spec = CANARY_METRIC_INIT;
    int32_t handle = -1;

    spec.name = metric;
    spec.kind = kind;
    spec.resolution = resolution;
    spec.unit = kind == CANARY_METRIC_VALUE ? "usd" : NULL;
    OK(canary_metric_declare(ctx, &spec, &handle, &error));
    return handle;
}

static void measure(canary_ctx *ctx, int32_t metric, double value) {
    canary_measurement measurement = { .metric = metric, .value = value };
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    outcome.measurements = &measurement;
    outcome.measurement_count = 1;
    assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, &outcome), CANARY_OK);
}

static void test_declared(void **state) {
    struct unit *unit = *state;
    canary_store *measurements;
    struct canary__declared declared;
    void *transaction;
    canary_ctx *ctx;
    int32_t cost;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    cost = declare(ctx, "cost", CANARY_METRIC_VALUE, 0.01);
    measure(ctx, cost, 1.5);
    OK(canary_flush(unit->store, &error));
    OK(canary__merge_store(unit->store, 0, &measurements, &error));
    OK(canary__store_begin(measurements, CANARY_STORAGE_READ, &transaction, &error));
    OK(canary__merge_declaration(measurements, transaction, name, "cost", &declared, &error));
    assert_int_equal(declared.kind, CANARY_METRIC_VALUE);
    assert_string_equal(declared.unit, "usd");
    assert_true(declared.resolution == 0.01);
    FAILS(CANARY_E_NOT_FOUND, "\"none\"", name,
          canary__merge_declaration(measurements, transaction, name, "none", &declared, &error));
    OK(measurements->methods.end(transaction, 0, &error));
    canary__store_unlock(measurements);
    assert_int_equal(events(unit->store, 0, CANARY_NEW, "cost"), 1);
    canary_close(&ctx);
}

/* What another process declared differently is rejected and counted; everything else is merged. */
static void test_conflict(void **state) {
    struct unit *unit = *state;
    canary_store *other = unit_another(unit);
    canary_recording_info info;
    canary_ctx *first;
    canary_ctx *second_ctx = NULL;
    int32_t cost;
    int32_t hits;

    (void)unit_begin_at(unit, name, 500);
    first = unit_open(unit, name);
    cost = declare(first, "cost", CANARY_METRIC_VALUE, 0.01);
    measure(first, cost, 2);
    OK(canary_flush(unit->store, &error));
    OK(canary_open_in(other, name, NULL, &second_ctx, &error));
    cost = declare(second_ctx, "cost", CANARY_METRIC_VALUE, 0.5);
    hits = declare(second_ctx, "hits", CANARY_METRIC_PROPORTION, 0);
    for (int i = 0; i < 3; i++) {
        measure(second_ctx, cost, 2);
        measure(second_ctx, hits, 1);
        OK(canary_flush(other, &error));
    }
    info = recording(second_ctx);
    assert_int_equal(info.rejected[CANARY_REJECTED_KIND], 3);
    assert_int_equal(info.merged, 6);
    assert_int_equal(events(unit->store, 0, -1, "cost"), 1);
    assert_int_equal(events(unit->store, 0, -1, "hits"), 3);
    assert_int_equal(events(unit->store, 0, -1, "+status"), 7);
    assert_int_equal(events(unit->store, 0, -1, "+losses"), 3);
    canary_close(&second_ctx);
    canary_store_close(&other);
    canary_close(&first);
}

static void test_thresholds_add_up(void **state) {
    struct unit *unit = *state;
    struct canary__declared metric = { .kind = CANARY_METRIC_DURATION,
                                       .name = "wait",
                                       .unit = "seconds",
                                       .threshold_count = 2,
                                       .thresholds_ns = { 500, 900 } };
    struct canary__declared known;
    canary_store *measurements;
    void *transaction;
    int declared;

    (void)unit_begin_at(unit, name, 500);
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    OK(canary__store_begin(measurements, CANARY_STORAGE_WRITE, &transaction, &error));
    OK(canary__merge_declare(measurements, transaction, name, &metric, &declared, &error));
    assert_int_equal(declared, 1);
    metric.thresholds_ns[0] = 600;
    OK(canary__merge_declare(measurements, transaction, name, &metric, &declared, &error));
    assert_int_equal(declared, 0);
    metric.threshold_count = 8;
    for (int i = 0; i < 8; i++) {
        metric.thresholds_ns[i] = 100 * (i + 1);
    }
    OK(canary__merge_declare(measurements, transaction, name, &metric, &declared, &error));
    OK(canary__merge_declaration(measurements, transaction, name, "wait", &known, &error));
    assert_int_equal(known.threshold_count, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(known.thresholds_ns[i], 100 * (i + 1));
    }
    metric.kind = CANARY_METRIC_VALUE;
    FAILS(CANARY_E_CONFLICT, "wait", "duration",
          canary__merge_declare(measurements, transaction, name, &metric, &declared, &error));
    OK(measurements->methods.end(transaction, 1, &error));
    canary__store_unlock(measurements);
}

/* -- clocks -- */

static void test_clock(void **state) {
    struct unit *unit = *state;
    const int64_t hour = 3600 * second;
    canary_ctx *ctx;
    struct stored stored;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    for (int i = 0; i < 4; i++) {
        record_many(ctx, CANARY_NEW, 10, 0);
        OK(canary_flush(unit->store, &error));
        pass(unit, 10 * second);
        unit->realtime += i == 0 ? -hour : i == 1 ? hour : 0;
    }
    assert_int_equal(recording(ctx).clock_jumps, 2);
    unit->realtime += 4 * second; /* slewed */
    OK(canary_flush(unit->store, &error));
    assert_int_equal(recording(ctx).clock_jumps, 2);
    stored = read_stored(unit->store);
    assert_int_equal(stored_events(&stored, 0, -1, "+status"), 40);
    assert_int_equal(stored.rows[0], 4);
    stored_free(unit->store, &stored);
    canary_close(&ctx);
}

static int64_t ahead(void *user_data, int clock) {
    const struct unit *unit = user_data;

    return 5 * second + (clock == CANARY_CLOCK_REALTIME ? unit->realtime : unit->monotonic);
}

/* Two processes whose clocks are five seconds apart. */
static void test_two_clocks(void **state) {
    struct unit *unit = *state;
    canary_options options = unit->options;
    canary_store *other = NULL;
    canary_ctx *theirs = NULL;
    canary_ctx *ctx;
    struct stored stored;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    options.clock = ahead;
    options.clock_data = unit;
    OK(canary_store_open(unit->path, &options, &other, &error));
    OK(canary_open_in(other, name, NULL, &theirs, &error));
    for (int i = 0; i < 30; i++) {
        record_many(ctx, CANARY_NEW, 10, 1);
        record_many(theirs, CANARY_OLD, 7, 1);
        pass(unit, 10 * second);
        OK(canary_flush(i % 2 == 0 ? unit->store : other, &error));
        OK(canary_flush(i % 2 == 0 ? other : unit->store, &error));
    }
    stored = read_stored(unit->store);
    assert_int_equal(stored_events(&stored, 0, CANARY_NEW, "+status"), 300);
    assert_int_equal(stored_events(&stored, 0, CANARY_OLD, "+status"), 210);
    assert_in_range(stored.rows[0], 30, 31);
    stored_free(unit->store, &stored);
    assert_int_equal(recording(ctx).clock_jumps, 0);
    assert_int_equal(recording(theirs).clock_jumps, 0);
    canary_close(&theirs);
    canary_store_close(&other);
    canary_close(&ctx);
}

/* -- a store that is away -- */

static void lock_metrics(struct unit *unit, sqlite3 **db) {
    char path[600];

    snprintf(path, sizeof path, "%s-metrics", unit->path);
    assert_int_equal(sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(*db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
}

static void test_locked(void **state) {
    struct unit *unit = *state;
    canary_recording_info info;
    sqlite3 *db = NULL;
    canary_ctx *ctx;

    (void)unit_begin_at(unit, name, 500);
    ctx = unit_open(unit, name);
    record_many(ctx, CANARY_NEW, 10, 0);
    OK(canary_flush(unit->store, &error));
    lock_metrics(unit, &db);
    unit->store->busy_ns = 1000000;
    {
        canary_store *measurements;

        OK(canary__merge_store(unit->store, 1, &measurements, &error));
        measurements->busy_ns = 1000000;
    }
    for (int i = 0; i < 5; i++) {
        pass(unit, 10 * second);
        record_many(ctx, CANARY_NEW, 10, 0);
        FAILS(CANARY_E_BUSY, "", "", canary_flush(unit->store, &error));
    }
    info = recording(ctx);
    assert_int_equal(info.waiting, 5);
    assert_int_equal(info.last_error, CANARY_E_BUSY);
    assert_true(info.last_message[0] != '\0');
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    OK(canary_flush(unit->store, &error));
    assert_non_null(strstr(unit->log, "cannot be merged"));
    assert_null(strstr(strstr(unit->log, "cannot be merged") + 1, "cannot be merged"));
    assert_non_null(strstr(unit->log, "merged again"));
    info = recording(ctx);
    assert_int_equal(info.waiting, 0);
    assert_int_equal(info.last_error, 0);
    assert_int_equal(info.merged, 60);
    assert_int_equal(stored_outcomes(unit->store, name), 60);
    canary_close(&ctx);
}

/* Contexts that are closed one after the other wait together as long as one would. */
static void test_locked_at_the_end(void **state) {
    enum { ROLLOUTS = 6 };
    struct unit *unit = *state;
    canary_store *measurements;
    canary_ctx *ctx[ROLLOUTS];
    sqlite3 *db = NULL;
    int64_t began;

    for (int i = 0; i < ROLLOUTS; i++) {
        char rollout[8];

        snprintf(rollout, sizeof rollout, "r%d", i);
        unit_create(unit, rollout);
        ctx[i] = unit_open(unit, rollout);
        record_many(ctx[i], CANARY_NEW, 10, 0);
    }
    OK(canary_flush(unit->store, &error));
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    measurements->busy_ns = second / 2;
    lock_metrics(unit, &db);
    began = canary__store_machine_ns();
    for (int i = 0; i < ROLLOUTS; i++) {
        record_many(ctx[i], CANARY_NEW, 10, 0);
        canary_close(&ctx[i]);
    }
    assert_true(canary__store_machine_ns() - began < 2 * second);
    assert_non_null(strstr(unit->log, "10 outcomes of \"r5\" could not be merged"));
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
}

/* A locked trail is waited for once, not once for each rollout whose generation is not known yet. */
static void test_locked_trail(void **state) {
    enum { ROLLOUTS = 6 };
    struct unit *unit = *state;
    canary_ctx *ctx[ROLLOUTS];
    sqlite3 *db = NULL;
    int64_t began;

    for (int i = 0; i < ROLLOUTS; i++) {
        char rollout[8];

        snprintf(rollout, sizeof rollout, "r%d", i);
        unit_create(unit, rollout);
        ctx[i] = unit_open(unit, rollout);
        record_many(ctx[i], CANARY_NEW, 10, 0);
    }
    assert_int_equal(sqlite3_open_v2(unit->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    unit->store->busy_ns = second / 2;
    began = canary__store_machine_ns();
    FAILS(CANARY_E_BUSY, "locked", "", canary_flush(unit->store, &error));
    assert_true(canary__store_machine_ns() - began < 2 * second);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    for (int i = 0; i < ROLLOUTS; i++) {
        canary_close(&ctx[i]);
    }
    assert_int_equal(stored_outcomes(unit->store, "r0"), 10);
    assert_int_equal(stored_outcomes(unit->store, "r5"), 10);
}

static void *unlock_soon(void *db) {
    usleep(200000);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return NULL;
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
    record_many(ctx, CANARY_NEW, 10, 0);
    OK(canary_flush(unit->store, &error));
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    measurements->busy_ns = second / 100;
    record_many(ctx, CANARY_NEW, 10, 0);
    lock_metrics(unit, &db);
    FAILS(CANARY_E_BUSY, "", "", canary_flush(unit->store, &error));
    measurements->busy_ns = 20 * second;
    assert_int_equal(pthread_create(&thread, NULL, unlock_soon, db), 0);
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
    record_many(ctx, CANARY_NEW, 10, 0);
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
    record_many(ctx, CANARY_NEW, 1, 0);
    OK(canary_flush(unit->store, &error));
    lock_metrics(unit, &db);
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    measurements->busy_ns = 1;
    for (int i = 0; i < 2000; i++) {
        pass(unit, 10 * second);
        record_many(ctx, i % 2, 1, 0);
        FAILS(CANARY_E_BUSY, "", "", canary_flush(unit->store, &error));
        if (i == 1000) {
            unit_set(unit, name, 600);
        }
    }
    info = recording(ctx);
    assert_true(info.waiting <= 361);
    assert_true(info.coarsened + info.waiting == 2001 || info.coarsened + info.waiting == 2000);
    assert_int_equal(info.dropped, 0);
    sqlite3_close(db);
    OK(canary_flush(unit->store, &error));
    stored = read_stored(unit->store);
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
        record_many(ctx, CANARY_NEW, 3, 0);
        unit_set(unit, name, 501 + i);
        if (i % 4 == 0) {
            pass(unit, 10 * second);
            FAILS(CANARY_E_BUSY, "busy", "", canary_flush(unit->store, &error));
        }
    }
    info = recording(ctx);
    assert_in_range(info.waiting, 500, 1440);
    assert_true(info.dropped > 0);
    measurements->methods = methods;
    OK(canary_flush(unit->store, &error));
    info = recording(ctx);
    assert_int_equal(info.outcomes, 4800);
    assert_int_equal(info.merged + info.dropped, 4800);
    stored = read_stored(unit->store);
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
        record_many(ctx, CANARY_NEW, 3, 0);
        unit_set(unit, name, 501 + i);
    }
    info = recording(ctx);
    assert_in_range(info.waiting, 300, 1440);
    assert_true(info.dropped > 0);
    OK(canary_flush(unit->store, &error));
    info = recording(ctx);
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
    record_many(ctx, CANARY_NEW, 10, 0);
    OK(canary_flush(unit->store, &error));
    snprintf(path, sizeof path, "%s-metrics", unit->path);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s-metrics-journal", unit->path);
    (void)unlink(path);
    record_many(ctx, CANARY_NEW, 7, 0);
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
    pass(unit, 7 * second);
    record_many(ctx, CANARY_NEW, 10, 0);
    OK(canary_flush(unit->store, &error));
    snprintf(path, sizeof path, "%s-metrics", unit->path);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE ticks SET data = x'0102030405060708090a0b'", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    record_many(ctx, CANARY_NEW, 3, 0);
    OK(canary_flush(unit->store, &error));
    record_many(ctx, CANARY_NEW, 4, 0);
    OK(canary_flush(unit->store, &error));
    stored = read_stored(unit->store);
    assert_int_equal(stored.rows[0], 2);
    assert_int_equal(stored.damaged, 1);
    assert_int_equal(stored_events(&stored, 0, -1, "+status"), 7);
    stored_free(unit->store, &stored);
    assert_non_null(strstr(unit->log, "beside"));
    canary_close(&ctx);
}

struct seen {
    uint64_t generation;
    int64_t users;
};

static int take_users(void *user_data, const canary_storage_row *row) {
    struct seen *seen = user_data;

    if ((uint64_t)row->values[1].integer == seen->generation) {
        seen->users = row->values[3].integer + row->values[4].integer;
    }
    return 0;
}

static int64_t users_of(canary_store *store, uint64_t generation) {
    struct seen seen = { .generation = generation };
    canary_storage_value key = canary__value_text(name);
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 1, .key = &key };
    canary_store *measurements;
    void *transaction;

    OK(canary__merge_store(store, 0, &measurements, &error));
    OK(canary__store_begin(measurements, CANARY_STORAGE_READ, &transaction, &error));
    OK(measurements->methods.read(transaction, CANARY_TABLE_SUBJECTS, &range, take_users, &seen,
                                  &error));
    OK(measurements->methods.end(transaction, 0, &error));
    canary__store_unlock(measurements);
    return seen.users;
}

/* Users of a generation, seen again and again in several ticks, count once. */
static void test_users(void **state) {
    struct unit *unit = *state;
    canary_rollout first = unit_begin_at(unit, name, 5000);
    canary_ctx *ctx;

    ctx = unit_open(unit, name);
    for (int round = 0; round < 3; round++) {
        for (int i = round == 2 ? 150 : 0; i < 100 * (round + 1); i++) {
            canary_decision decision = CANARY_DECISION_INIT;
            char id[24];
            int length = snprintf(id, sizeof id, "user-%d", i);

            assert_int_equal(canary_explain(ctx, id, (uint64_t)length, &decision), CANARY_OK);
            assert_int_equal(canary_expose(ctx, &decision), CANARY_OK);
        }
        pass(unit, 10 * second);
        OK(canary_flush(unit->store, &error));
        OK(canary_flush(unit->store, &error));
        if (round == 1) {
            unit_set(unit, name, 6000);
        }
    }
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_SUBJECTS), 2);
    assert_int_equal(events(unit->store, 0, -1, "+decisions"), 450);
    assert_int_equal(users_of(unit->store, first.revision), 200);
    assert_int_equal(users_of(unit->store, unit_read(unit, name).revision), 150);
    canary_close(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(test_once),
        UNIT_BOTH(test_arguments),
        UNIT_BOTH(test_generations),
        UNIT_SQLITE_ONLY(test_generation_passed_by),
        UNIT_BOTH(test_generation_of),
        UNIT_BOTH(test_declared),
        UNIT_SQLITE_ONLY(test_conflict),
        UNIT_BOTH(test_thresholds_add_up),
        UNIT_BOTH(test_clock),
        UNIT_SQLITE_ONLY(test_two_clocks),
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
        UNIT_BOTH(test_users),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
