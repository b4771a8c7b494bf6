/* SPDX-License-Identifier: MIT */
/* The store of the figures failing in every way: what was recorded waits, is merged once it answers
 * again, and once only. */
#include "fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../unit/stored.h"

static char template_db[FAULT_PATH];
static char place[FAULT_PATH];

/* -- calls of a store that fail -- */

static struct {
    canary_store *store; /* whose calls are counted */
    canary_storage_methods inner;
    uint64_t countdown;
    int fired;
    int code;
    int lies; /* an end that fails has committed all the same */
} trouble;

static int fails(canary_error *error) {
    assert_non_null(error);
    if (trouble.countdown == 0 || --trouble.countdown > 0) {
        return 0;
    }
    trouble.fired = 1;
    return canary_storage_fail(error, trouble.code, 0, "this was made to fail");
}

static int failing_begin(void *store, int mode, void **transaction, canary_error *error) {
    int code = fails(error);

    return code != CANARY_OK ? code : trouble.inner.begin(store, mode, transaction, error);
}

static int failing_read(void *transaction, int table, const canary_storage_range *range,
                        canary_storage_sink sink, void *user_data, canary_error *error) {
    int code = fails(error);

    return code != CANARY_OK
               ? code
               : trouble.inner.read(transaction, table, range, sink, user_data, error);
}

static int failing_write(void *transaction, const canary_storage_row *row, canary_error *error) {
    int code = fails(error);

    return code != CANARY_OK ? code : trouble.inner.write(transaction, row, error);
}

static int failing_remove(void *transaction, int table, const canary_storage_value *key,
                          canary_error *error) {
    int code = fails(error);

    return code != CANARY_OK ? code : trouble.inner.remove(transaction, table, key, error);
}

static int failing_end(void *transaction, int commit, canary_error *error) {
    canary_error ignored = CANARY_ERROR_INIT;
    int code = fails(error);
    int ended = trouble.inner.end(transaction, commit && (code == CANARY_OK || trouble.lies),
                                  code == CANARY_OK ? error : &ignored);

    return code != CANARY_OK ? code : ended;
}

static void make_fail(canary_store *store) {
    trouble.store = store;
    trouble.inner = store->methods;
    store->methods.begin = failing_begin;
    store->methods.read = failing_read;
    store->methods.write = failing_write;
    store->methods.remove = failing_remove;
    store->methods.end = failing_end;
}

static void arm(uint64_t n) {
    trouble.countdown = n;
    trouble.fired = 0;
}

static int disarm(void) {
    trouble.countdown = 0;
    return trouble.fired;
}

/* -- recording -- */

static int64_t now = INT64_C(1790000000000000000);

static int64_t driven_clock(void *user_data, int clock) {
    (void)user_data, (void)clock;
    return now;
}

static canary_ctx *open_place(int memory, const canary_options *options) {
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;
    canary_store *store = NULL;
    int code;

    if (memory) {
        assert_int_equal(canary_store_open_memory(options, &store, &error), CANARY_OK);
        fault_fill(store);
        code = canary_open_in(store, FAULT_ROLLOUT, options, &ctx, &error);
        canary_store_close(&store);
    } else {
        char metrics[FAULT_PATH];

        fault_copy_store(template_db, place);
        snprintf(metrics, sizeof metrics, "%.480s-metrics", place);
        (void)unlink(metrics);
        code = canary_open(place, FAULT_ROLLOUT, options, &ctx, &error);
    }
    if (code != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    return ctx;
}

static canary_options hurried(void) {
    canary_options options = fault_options();

    options.clock = driven_clock;
    options.busy_timeout_ns = 1000000;
    return options;
}

static int32_t declare(canary_ctx *ctx) {
    canary_metric metric = CANARY_METRIC_INIT;
    canary_error error = CANARY_ERROR_INIT;
    int32_t handle = -1;

    metric.kind = CANARY_METRIC_VALUE;
    metric.name = "cost";
    if (canary_metric_declare(ctx, &metric, &handle, &error) != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    return handle;
}

static void record(canary_ctx *ctx, int32_t metric, int count) {
    for (int i = 0; i < count; i++) {
        canary_measurement measurement = { .metric = metric, .value = i };
        canary_outcome outcome = CANARY_OUTCOME_INIT;
        const char *user = fault_user(i % FAULT_USERS);

        outcome.duration_ns = i * 1000;
        outcome.measurements = &measurement;
        outcome.measurement_count = 1;
        assert_int_equal(canary_record_user(ctx, user, strlen(user), i % 2, &outcome), CANARY_OK);
    }
}

static void must_be_stored(canary_store *store, uint64_t outcomes, const char *what) {
    canary_error error = CANARY_ERROR_INIT;
    struct stored stored;

    if (stored_read(store, FAULT_ROLLOUT, &stored, &error) != CANARY_OK) {
        fail_msg("%s: %s", what, error.message);
    }
    if (stored_events(&stored, 0, -1, CANARY__SHEET_STATUS) != outcomes ||
        stored_events(&stored, 0, -1, CANARY__SHEET_DURATION) != outcomes ||
        stored_events(&stored, 0, -1, "cost") != outcomes) {
        fail_msg("%s: %llu outcomes, %llu durations and %llu costs are stored of %llu", what,
                 (unsigned long long)stored_events(&stored, 0, -1, CANARY__SHEET_STATUS),
                 (unsigned long long)stored_events(&stored, 0, -1, CANARY__SHEET_DURATION),
                 (unsigned long long)stored_events(&stored, 0, -1, "cost"),
                 (unsigned long long)outcomes);
    }
    stored_free(store, &stored);
}

static canary_store *measurements_of(canary_ctx *ctx) {
    canary_error error = CANARY_ERROR_INIT;
    canary_store *measurements = NULL;

    if (canary__merge_store(canary_ctx_store(ctx), 1, &measurements, &error) != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    return measurements;
}

/* -- each call once -- */

static void each_call(int memory, int decisions, int code, int lies) {
    canary_options options = hurried();
    canary_ctx *ctx = open_place(memory, &options);
    int32_t metric = declare(ctx);
    canary_store *store = canary_ctx_store(ctx);
    uint64_t recorded = 0;
    uint64_t n = 0;
    int missed = 0; /* one flush makes more calls than another */
    int fired;

    trouble.code = code;
    trouble.lies = lies;
    make_fail(decisions ? store : measurements_of(ctx));
    do {
        canary_error error = CANARY_ERROR_INIT;
        char what[64];
        int answer;

        snprintf(what, sizeof what, "call %llu, %s", (unsigned long long)n + 1,
                 canary_error_name(code));
        now += 3000000000;
        record(ctx, metric, 10);
        recorded += 10;
        if (decisions || n % 3 == 2) { /* a generation for each */
            canary_set_percentage(store, FAULT_ROLLOUT, 100 + (uint32_t)n, NULL, NULL, NULL,
                                  &error);
            record(ctx, metric, 5);
            recorded += 5;
        }
        arm(++n);
        answer = canary_flush(store, &error);
        fired = disarm();
        assert_true(answer == CANARY_OK || fired);
        if (answer != CANARY_OK) {
            canary_recording_info info = CANARY_RECORDING_INFO_INIT;

            fault_named(answer, &error);
            assert_int_equal(canary_recording(ctx, &info), CANARY_OK);
            assert_int_equal(info.last_error, answer);
            assert_true(info.waiting > 0);
            canary_error_init(&error, sizeof error);
            answer = canary_flush(store, &error);
            if (answer != CANARY_OK) {
                fail_msg("%s, again: %s", what, error.message);
            }
        }
        must_be_stored(store, recorded, what);
        missed = fired ? 0 : missed + 1;
    } while (missed < 6);
    assert_true(n > (decisions ? 8 : 16));
    canary_close(&ctx);
}

static void test_each_call(void **unused) {
    static const int codes[] = { CANARY_E_IO, CANARY_E_FULL, CANARY_E_CORRUPT, CANARY_E_BUSY,
                                 CANARY_E_READ_ONLY };

    (void)unused;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        for (int memory = 0; memory < 2; memory++) {
            each_call(memory, 0, codes[i], 0);
            each_call(memory, 0, codes[i], 1);
            each_call(memory, 1, codes[i], 0);
        }
    }
}

/* Commits that fail, that took place and say otherwise, and ones that do neither, in any order. */
static void test_any_order(void **unused) {
    canary_options options = hurried();
    canary_ctx *ctx = open_place(1, &options);
    int32_t metric = declare(ctx);
    canary_store *store = canary_ctx_store(ctx);
    uint64_t recorded = 0;
    uint64_t failed = 0;

    (void)unused;
    trouble.code = CANARY_E_IO;
    make_fail(measurements_of(ctx));
    for (int i = 0; i < 2000; i++) {
        canary_error error = CANARY_ERROR_INIT;

        now += (int64_t)fault_below(12000000000u);
        record(ctx, metric, 3);
        recorded += 3;
        if (fault_below(20) == 0) {
            canary_set_percentage(store, FAULT_ROLLOUT, (uint32_t)fault_below(9000), NULL, NULL,
                                  NULL, &error);
        }
        trouble.lies = fault_below(2) == 0;
        arm(fault_below(25));
        failed += canary_flush(store, &error) != CANARY_OK;
        disarm();
    }
    assert_true(failed > 200);
    assert_int_equal(canary_flush(store, NULL), CANARY_OK);
    must_be_stored(store, recorded, "in any order");
    canary_close(&ctx);
}

/* -- memory -- */

static struct {
    uint64_t countdown;
    uint64_t bytes;
    int fired;
} hook;

static void *allocate(void *user_data, void *block, uint64_t old_size, uint64_t size) {
    void *moved;

    (void)user_data;
    if (size == 0) {
        hook.bytes -= old_size;
        free(block);
        return NULL;
    }
    if (hook.countdown > 0 && --hook.countdown == 0) {
        hook.fired = 1;
        return NULL;
    }
    moved = realloc(block, size);
    assert_non_null(moved);
    hook.bytes += size - old_size;
    return moved;
}

static void each_allocation(int memory) {
    canary_options options = hurried();
    uint64_t recorded = 0;
    uint64_t n = 0;
    canary_ctx *ctx;
    canary_store *store;
    int32_t metric;
    int missed = 0;
    int fired;

    options.allocate = allocate;
    ctx = open_place(memory, &options);
    store = canary_ctx_store(ctx);
    metric = declare(ctx);
    do {
        canary_error error = CANARY_ERROR_INIT;
        char what[64];
        int answer;

        snprintf(what, sizeof what, "allocation %llu", (unsigned long long)n + 1);
        now += 3000000000;
        record(ctx, metric, 10);
        recorded += 10;
        hook.fired = 0;
        hook.countdown = ++n;
        if (n % 2 == 0) { /* with a change of generation, without memory for its parcel, too */
            canary_set_percentage(store, FAULT_ROLLOUT, 100 + (uint32_t)n % 9000, NULL, NULL, NULL,
                                  &error);
        }
        answer = canary_flush(store, &error);
        fired = hook.fired;
        hook.countdown = 0;
        if (answer != CANARY_OK) {
            assert_true(fired);
            assert_int_equal(answer, CANARY_E_NOMEM);
            assert_true(error.message[0] != '\0');
        } else {
            must_be_stored(store, recorded, what); /* or it would have said so */
        }
        canary_error_init(&error, sizeof error);
        answer = canary_flush(store, &error);
        if (answer != CANARY_OK) {
            fail_msg("%s, again: %s", what, error.message);
        }
        must_be_stored(store, recorded, what);
        missed = fired ? 0 : missed + 1;
    } while (missed < 6);
    assert_true(n > 10);
    canary_close(&ctx);
    assert_int_equal(hook.bytes, 0);
}

static void test_each_allocation(void **unused) {
    (void)unused;
    each_allocation(1);
    each_allocation(0);
}

/* -- files -- */

static uint32_t waiting(canary_ctx *ctx) {
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;

    assert_int_equal(canary_recording(ctx, &info), CANARY_OK);
    return info.waiting;
}

static void test_files(void **unused) {
    canary_options options = hurried();
    canary_ctx *ctx = open_place(0, &options);
    canary_store *store = canary_ctx_store(ctx);
    canary_error error = CANARY_ERROR_INIT;
    int32_t metric = declare(ctx);
    char metrics[FAULT_PATH];
    char aside[FAULT_PATH];
    struct rlimit limit;
    int code;

    (void)unused;
    snprintf(metrics, sizeof metrics, "%.480s-metrics", place);
    snprintf(aside, sizeof aside, "%.480s-aside", place);
    record(ctx, metric, 10);
    assert_int_equal(canary_flush(store, &error), CANARY_OK);
    fault_copy(metrics, aside);

    /* Full. */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = fault_size(metrics);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    code = CANARY_OK;
    for (int i = 0; i < 5000 && code == CANARY_OK; i++) {
        record(ctx, metric, 10);
        now += CANARY_TICK_NS;
        code = canary_flush(store, &error);
    }
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(code, CANARY_E_FULL);
    fault_named(code, &error);
    assert_true(waiting(ctx) > 0);
    canary_error_init(&error, sizeof error);
    assert_int_equal(canary_flush(store, &error), CANARY_OK);
    assert_int_equal(waiting(ctx), 0);

    /* Put back from a copy. */
    record(ctx, metric, 7);
    assert_int_equal(rename(aside, metrics), 0);
    assert_int_equal(canary_flush(store, &error), CANARY_OK);
    must_be_stored(store, 17, "put back");

    /* Damaged, moved away, made anew. */
    fault_copy(metrics, aside);
    fault_write(aside, 0, "no database, no database, no database", 37);
    assert_int_equal(rename(aside, metrics), 0);
    for (int i = 0; i < 3; i++) {
        now += CANARY_TICK_NS;
        record(ctx, metric, 5);
        canary_error_init(&error, sizeof error);
        code = canary_flush(store, &error);
        assert_true(code == CANARY_E_NOT_A_STORE || code == CANARY_E_CORRUPT);
        fault_named(code, &error);
    }
    assert_int_equal(waiting(ctx), 3);
    assert_int_equal(rename(metrics, aside), 0);
    canary_error_init(&error, sizeof error);
    code = canary_flush(store, &error);
    if (code != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    must_be_stored(store, 15, "made anew");
    canary_close(&ctx);
}

/* Open for reading only: nothing is written, recording goes on, closing is quiet. */
static void test_read_only(void **unused) {
    canary_options options = hurried();
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx;
    char metrics[FAULT_PATH];
    int32_t metric;

    (void)unused;
    options.flags |= CANARY_OPEN_READ_ONLY;
    ctx = open_place(0, &options);
    snprintf(metrics, sizeof metrics, "%.480s-metrics", place);
    metric = declare(ctx);
    record(ctx, metric, 10);
    assert_int_equal(canary_flush(canary_ctx_store(ctx), &error), CANARY_E_READ_ONLY);
    fault_named(CANARY_E_READ_ONLY, &error);
    record(ctx, metric, 10);
    canary_close(&ctx);
    assert_int_not_equal(access(metrics, F_OK), 0);
}

static int setup(void **unused) {
    (void)unused;
    fault_seed();
    fault_path(template_db, "template.db");
    fault_path(place, "place.db");
    fault_make(template_db, 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call),       cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_each_allocation), cmocka_unit_test(test_files),
        cmocka_unit_test(test_read_only),
    };

    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, setup, fault_teardown);
}
