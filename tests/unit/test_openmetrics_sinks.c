/* SPDX-License-Identifier: MIT */
/* Where the text for Prometheus goes: a buffer, a callback, and nowhere when memory runs out. */
#include "exposed.h"

#include <unistd.h>

/* -- into a buffer, and into a callback -- */

struct stopping {
    int calls;
    int stop_at;
};

static int stop(void *user_data, const char *text, uint64_t size) {
    struct stopping *stopping = user_data;

    assert_non_null(text);
    assert_true(size > 0);
    return ++stopping->calls == stopping->stop_at ? -7 : 0;
}

static void buffers(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    uint64_t needed = 0;
    uint64_t size = 1;
    char *buffer;
    char *text;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    text = exposed_text(unit->store);
    FAILS(CANARY_E_FULL, "buffer", "bytes",
          canary_format_openmetrics(unit->store, NULL, 0, &needed, &error));
    assert_int_equal(needed, strlen(text));
    FAILS(CANARY_E_FULL, "buffer", "bytes",
          canary_format_openmetrics(unit->store, NULL, 100000, &size, &error));
    assert_int_equal(size, needed);
    buffer = malloc(needed + 1);
    assert_non_null(buffer);
    for (uint64_t capacity = 0; capacity <= needed; capacity += capacity + 1 < needed ? 97 : 1) {
        if (capacity + 97 > needed && capacity < needed) {
            capacity = needed;
        }
        memset(buffer, 'x', needed + 1);
        FAILS(CANARY_E_FULL, "buffer", "",
              canary_format_openmetrics(unit->store, buffer, capacity, &size, &error));
        assert_int_equal(size, needed);
        if (capacity > 0) {
            assert_int_equal(buffer[0], '\0');
        }
        assert_true(unit_all(buffer + capacity, needed + 1 - capacity, 'x'));
    }
    OK(canary_format_openmetrics(unit->store, buffer, needed + 1, &size, &error));
    assert_int_equal(size, needed);
    assert_string_equal(buffer, text);
    FAILS(CANARY_E_INVALID, "size", "",
          canary_format_openmetrics(unit->store, buffer, needed + 1, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "",
          canary_format_openmetrics(NULL, buffer, needed + 1, &size, &error));
    assert_int_equal(size, 0);
    assert_int_equal(buffer[0], '\0');
    FAILS(CANARY_E_INVALID, "write", "", canary_write_openmetrics(unit->store, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_write_openmetrics(NULL, stop, NULL, &error));
    free(buffer);
    free(text);
    canary_close(&ctx);
}

static void sinks_that_stop(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    struct stopping all = { 0, 0 };

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    OK(canary_write_openmetrics(unit->store, stop, &all, &error));
    assert_true(all.calls > 2);
    for (int i = 1; i <= all.calls; i++) {
        struct stopping some = { 0, i };

        FAILS(CANARY_E_REFUSED, "-7", "",
              canary_write_openmetrics(unit->store, stop, &some, &error));
        assert_int_equal(some.calls, i);
    }
    canary_close(&ctx);
}

/* No lock is held: everything that takes one can be called from there. */
static int use_store(void *user_data, const char *text, uint64_t size) {
    struct unit *unit = user_data;
    canary_ctx *ctx;
    char *inner;

    (void)text;
    (void)size;
    unit_set(unit, "checkout", 100);
    ctx = unit_open(unit, "checkout");
    (void)unit_info(ctx);
    exposed_record(ctx, CANARY_NEW, CANARY_STATUS_OK, 1);
    inner = exposed_text(unit->store);
    free(inner);
    canary_close(&ctx);
    return 0;
}

static void writing_holds_no_lock(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    alarm(60);
    OK(canary_write_openmetrics(unit->store, use_store, unit, &error));
    alarm(0);
    canary_close(&ctx);
}

/* The program's kill switch is asked without a lock, too. */
static int asks_back(void *user_data) {
    struct unit *unit = user_data;

    if (unit->store != NULL) {
        (void)canary_refresh(unit->store, NULL);
    }
    return 1;
}

static void kill_switch_without_a_lock(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_ctx *ctx = NULL;
    char *text;

    unit_create(unit, "checkout");
    options.kill_switch = asks_back;
    options.kill_switch_data = unit;
    OK(canary_open_in(unit->store, "checkout", &options, &ctx, &error));
    alarm(60);
    text = exposed_text(unit->store);
    alarm(0);
    HAS(text, "canary_kill_reason{rollout=\"checkout\",reason=\"hook\"} 1");
    free(text);
    canary_close(&ctx);
}

/* -- without memory -- */

static void without_memory(void **state) {
    struct exposed_heap heap = { 0, -1, 0 };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *store = NULL;
    canary_ctx *contexts[3] = { NULL, NULL, NULL };
    canary_rollout_spec spec = { .size = sizeof spec };
    struct stopping none = { 0, 0 };
    uint64_t before;
    int failures = 0;

    (void)state;
    options.allocate = exposed_allocate;
    options.allocate_data = &heap;
    OK(canary_store_open_memory(&options, &store, &error));
    for (int i = 0; i < 3; i++) {
        spec.name = i < 2 ? "twice" : "once";
        if (i != 1) {
            OK(canary_create(store, &spec, NULL, NULL, &error));
        }
        OK(canary_open_in(store, spec.name, NULL, &contexts[i], &error));
        (void)exposed_declare(contexts[i], i == 0 ? "x" : "y", CANARY_METRIC_DURATION, NULL, 0, 0);
        exposed_measure_value(contexts[i], CANARY_OLD, 0, 1e6);
        exposed_record(contexts[i], CANARY_NEW, CANARY_STATUS_OK, 1000000);
    }
    before = heap.bytes;
    for (int64_t nth = 0;; nth++) {
        canary_error error = CANARY_ERROR_INIT;
        int code;
        int failed;

        heap.left = nth;
        code = canary_write_openmetrics(store, stop, &none, &error);
        failed = heap.left < 0;
        heap.left = -1;
        assert_int_equal(heap.bytes, before);
        if (!failed) {
            assert_int_equal(code, CANARY_OK);
            break;
        }
        assert_int_equal(code, CANARY_E_NOMEM);
        assert_int_equal(error.code, CANARY_E_NOMEM);
        assert_int_equal(none.calls, 0);
        failures++;
    }
    assert_true(failures > 5);
    for (int i = 0; i < 3; i++) {
        canary_close(&contexts[i]);
    }
    canary_store_close(&store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_MEMORY_ONLY(buffers),        UNIT_MEMORY_ONLY(sinks_that_stop),
        UNIT_BOTH(writing_holds_no_lock), UNIT_BOTH(kill_switch_without_a_lock),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
