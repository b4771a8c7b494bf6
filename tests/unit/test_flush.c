/* SPDX-License-Identifier: MIT */
/* What is recorded comes into the measurement store: all of it, once, under its tick and generation. */
#include "flushed.h"

static const char name[] = "pay";
static const int64_t second = INT64_C(1000000000);

static uint64_t events(canary_store *store, uint64_t generation, int cohort, const char *metric) {
    struct stored stored = flushed_read(store, name);
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
    info = flushed_recording(ctx);
    assert_int_equal(info.recording, 0);
    OK(canary_flush(unit->store, &error));
    assert_int_equal(stored_outcomes(unit->store, name), 0);
    flushed_record(ctx, CANARY_NEW, 10, 3);
    flushed_record(ctx, CANARY_OLD, 20, 1);
    info = flushed_recording(ctx);
    assert_int_equal(info.recording, 1);
    assert_int_equal(info.outcomes, 30);
    assert_int_equal(info.merged, 0);
    OK(canary_flush(unit->store, &error));
    OK(canary_flush(unit->store, &error));
    stored = flushed_read(unit->store, name);
    assert_int_equal(stored_events(&stored, 0, CANARY_NEW, "+status"), 10);
    assert_int_equal(stored_events(&stored, 0, CANARY_OLD, "+status"), 20);
    assert_int_equal(stored_events(&stored, 0, CANARY_NEW, "duration"), 10);
    assert_int_equal(stored.rows[0], 1);
    assert_int_equal(stored.first[0],
                     UNIT_NOW - 5 * second - (UNIT_NOW - 5 * second) % CANARY_TICK_NS);
    stored_free(unit->store, &stored);
    info = flushed_recording(ctx);
    assert_int_equal(info.merged, 30);
    assert_int_equal(info.flushes, 1);
    assert_int_equal(info.flushed_at_ns, UNIT_NOW);
    assert_int_equal(info.waiting, 0);
    assert_int_equal(info.last_error, 0);
    flushed_pass(unit, 10 * second);
    flushed_record(ctx, CANARY_NEW, 5, 0);
    OK(canary_flush(unit->store, &error));
    stored = flushed_read(unit->store, name);
    assert_int_equal(stored.rows[0], 2);
    assert_int_equal(stored_events(&stored, 0, CANARY_NEW, "+status"), 15);
    stored_free(unit->store, &stored);
    flushed_record(ctx, CANARY_NEW, 7, 0);
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

    flushed_record(ctx, CANARY_NEW, 3, 0);
    OK(canary_flag_set(unit->store, first.flag, 0, NULL, NULL, &error));
    OK(canary_flag_set(unit->store, first.flag, 1, NULL, NULL, &error));
    flushed_record(ctx, CANARY_NEW, 4, 0);
    unit_set(unit, name, 2500);
    now = unit_read(unit, name);
    flushed_record(ctx, CANARY_NEW, 5, 0);
    OK(canary_override_set(unit->store, name, "x", 1, CANARY_NEW, NULL, NULL, &error));
    flushed_record(ctx, CANARY_NEW, 6, 0);
    OK(canary_flush(unit->store, &error));
    assert_int_equal(events(unit->store, first.revision, CANARY_NEW, "+status"), 7);
    assert_int_equal(events(unit->store, now.revision, CANARY_NEW, "+status"), 11);
    unit_set(unit, name, 0);
    flushed_record(ctx, CANARY_OLD, 2, 0);
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

    flushed_record(ctx, CANARY_NEW, 3, 0);
    OK(canary_set_percentage(other, name, 9000, NULL, NULL, NULL, &error));
    OK(canary_set_percentage(other, name, 500, NULL, NULL, NULL, &error));
    OK(canary_refresh(unit->store, &error));
    flushed_record(ctx, CANARY_NEW, 4, 0);
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
    info = flushed_recording(second_ctx);
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
        flushed_record(ctx, CANARY_NEW, 10, 0);
        OK(canary_flush(unit->store, &error));
        flushed_pass(unit, 10 * second);
        unit->realtime += i == 0 ? -hour : i == 1 ? hour : 0;
    }
    assert_int_equal(flushed_recording(ctx).clock_jumps, 2);
    unit->realtime += 4 * second; /* slewed */
    OK(canary_flush(unit->store, &error));
    assert_int_equal(flushed_recording(ctx).clock_jumps, 2);
    stored = flushed_read(unit->store, name);
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
        flushed_record(ctx, CANARY_NEW, 10, 1);
        flushed_record(theirs, CANARY_OLD, 7, 1);
        flushed_pass(unit, 10 * second);
        OK(canary_flush(i % 2 == 0 ? unit->store : other, &error));
        OK(canary_flush(i % 2 == 0 ? other : unit->store, &error));
    }
    stored = flushed_read(unit->store, name);
    assert_int_equal(stored_events(&stored, 0, CANARY_NEW, "+status"), 300);
    assert_int_equal(stored_events(&stored, 0, CANARY_OLD, "+status"), 210);
    assert_in_range(stored.rows[0], 30, 31);
    stored_free(unit->store, &stored);
    assert_int_equal(flushed_recording(ctx).clock_jumps, 0);
    assert_int_equal(flushed_recording(theirs).clock_jumps, 0);
    canary_close(&theirs);
    canary_store_close(&other);
    canary_close(&ctx);
}

/* -- users -- */

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
        flushed_pass(unit, 10 * second);
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
        UNIT_BOTH(test_users),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
