/* SPDX-License-Identifier: MIT */
/* Every allocation failing once: the library's own through the allocator hook, and SQLite's through
 * its configuration. No crash, no leak, a name for the error, and nobody raised. */
#include "every.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char template_db[FAULT_PATH];
static char place[FAULT_PATH];

/* -- the hook -- */

static struct {
    uint64_t countdown; /* 0: disarmed */
    int fired;
    uint64_t blocks;
    uint64_t bytes;
} hook;

static int fails(uint64_t *countdown, int *fired) {
    if (*countdown == 0 || --*countdown > 0) {
        return 0;
    }
    *fired = 1;
    return 1;
}

/* Sizes must be told right: an allocator without headers depends on them. */
static void *allocate(void *user_data, void *block, uint64_t old_size, uint64_t size) {
    void *moved;

    assert_ptr_equal(user_data, &hook);
    assert_int_equal(block == NULL, old_size == 0);
    if (size == 0) {
        hook.blocks -= block != NULL;
        hook.bytes -= old_size;
        free(block);
        return NULL;
    }
    if (fails(&hook.countdown, &hook.fired)) {
        return NULL;
    }
    moved = realloc(block, size);
    assert_non_null(moved);
    hook.blocks += block == NULL;
    hook.bytes += size - old_size;
    return moved;
}

static void arm_hook(uint64_t n) {
    hook.countdown = n;
    hook.fired = 0;
}

static int disarm_hook(void) {
    hook.countdown = 0;
    return hook.fired;
}

static void nothing_left(void) {
    assert_int_equal(hook.blocks, 0);
    assert_int_equal(hook.bytes, 0);
}

static canary_options hooked(void) {
    canary_options options = fault_options();

    options.allocate = allocate;
    options.allocate_data = &hook;
    return options;
}

/* -- SQLite's -- */

static struct {
    uint64_t countdown;
    int fired;
} engine;

static sqlite3_mem_methods plain;

static void *engine_malloc(int size) {
    return fails(&engine.countdown, &engine.fired) ? NULL : plain.xMalloc(size);
}

static void *engine_realloc(void *block, int size) {
    return fails(&engine.countdown, &engine.fired) ? NULL : plain.xRealloc(block, size);
}

static void arm_engine(uint64_t n) {
    engine.countdown = n;
    engine.fired = 0;
}

static int disarm_engine(void) {
    engine.countdown = 0;
    return engine.fired;
}

/* -- where -- */

static canary_store *open_memory(void) {
    canary_options options = hooked();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;

    assert_int_equal(canary_store_open_memory(&options, &store, &error), CANARY_OK);
    fault_fill(store);
    return store;
}

static canary_store *open_sqlite(void) {
    canary_options options = hooked();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;

    fault_copy_store(template_db, place);
    if (canary_store_open(place, &options, &store, &error) != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    return store;
}

static const struct every_bench benches[] = {
    { .name = "hook, memory",
      .open = open_memory,
      .arm = arm_hook,
      .disarm = disarm_hook,
      .code = CANARY_E_NOMEM,
      .after = nothing_left },
    { .name = "hook, sqlite",
      .open = open_sqlite,
      .arm = arm_hook,
      .disarm = disarm_hook,
      .code = CANARY_E_NOMEM,
      .after = nothing_left },
    { .name = "sqlite's own",
      .stride = 25,
      .open = open_sqlite,
      .arm = arm_engine,
      .disarm = disarm_engine,
      .code = CANARY_E_NOMEM,
      .after = nothing_left },
};

static void run_bench(const struct every_bench *bench) {
    uint64_t steps = 0;

    for (size_t i = 0; i < every_call_count; i++) {
        steps += every_step(bench, &every_calls[i]);
    }
    print_message("%s: %llu allocations failed\n", bench->name, (unsigned long long)steps);
    assert_true(steps >= every_call_count);
}

static void test_hook_on_memory(void **unused) {
    (void)unused;
    run_bench(&benches[0]);
}

static void test_hook_on_sqlite(void **unused) {
    (void)unused;
    run_bench(&benches[1]);
}

static void test_sqlite_itself(void **unused) {
    (void)unused;
    run_bench(&benches[2]);
}

/* -- opening -- */

static int open_and_close(const char *path, uint32_t flags, canary_error *error) {
    canary_options options = hooked();
    canary_ctx *ctx = NULL;
    canary_store *store = NULL;
    int code;

    options.flags |= flags;
    if (path == NULL) {
        code = canary_store_open_memory(&options, &store, error);
    } else if ((flags & CANARY_OPEN_CREATE) != 0) {
        code = canary_store_open(path, &options, &store, error);
    } else {
        code = canary_open(path, FAULT_ROLLOUT, &options, &ctx, error);
    }
    assert_int_equal(code == CANARY_OK, store != NULL || ctx != NULL);
    canary_store_close(&store);
    canary_close(&ctx);
    return code;
}

static void open_failing(const char *path, uint32_t flags, void (*arm)(uint64_t),
                         int (*disarm)(void)) {
    uint64_t n = 0;
    int fired;

    do {
        canary_error error = CANARY_ERROR_INIT;
        int code;

        if (flags != 0) {
            unlink(path);
        } else if (path != NULL) {
            fault_copy_store(template_db, place);
        }
        arm(++n);
        code = open_and_close(path, flags, &error);
        fired = disarm();
        nothing_left();
        if (code != CANARY_OK) {
            assert_true(fired);
            fault_named(code, &error);
            if (code != CANARY_E_NOMEM) {
                fail_msg("allocation %llu: %s: %s", (unsigned long long)n, canary_error_name(code),
                         error.message);
            }
            canary_error_init(&error, sizeof error);
            code = open_and_close(path, flags, &error);
            if (code != CANARY_OK) {
                fail_msg("allocation %llu, again: %s", (unsigned long long)n, error.message);
            }
        }
    } while (fired);
    assert_true(n > 1);
}

static void test_opening(void **unused) {
    char made[FAULT_PATH];

    (void)unused;
    fault_path(made, "made.db");
    open_failing(NULL, 0, arm_hook, disarm_hook);
    open_failing(place, 0, arm_hook, disarm_hook);
    open_failing(place, 0, arm_engine, disarm_engine);
    open_failing(made, CANARY_OPEN_CREATE, arm_hook, disarm_hook);
    open_failing(made, CANARY_OPEN_CREATE, arm_engine, disarm_engine);
}

/* -- following -- */

/* Another process pins users to old and to new and lowers; this one reads it without memory. */
static void refresh_failing(void (*arm)(uint64_t), int (*disarm)(void)) {
    uint64_t n = 0;
    int fired;

    do {
        canary_options options = hooked();
        canary_error error = CANARY_ERROR_INIT;
        uint8_t before[FAULT_USERS];
        uint8_t wanted[FAULT_USERS];
        uint8_t got[FAULT_USERS];
        canary_ctx *ctx = NULL;
        canary_ctx *other = NULL;
        int code;

        fault_copy_store(template_db, place);
        assert_int_equal(canary_open(place, FAULT_ROLLOUT, &options, &ctx, &error), CANARY_OK);
        assert_int_equal(canary_open(place, FAULT_ROLLOUT, &options, &other, &error), CANARY_OK);
        fault_decide(ctx, before);
        for (int i = 0; i < 40; i++) {
            assert_int_equal(canary_override_set(canary_ctx_store(other), FAULT_ROLLOUT,
                                                 fault_user(i), strlen(fault_user(i)),
                                                 i % 2 == 0 ? CANARY_NEW : CANARY_OLD, NULL, NULL,
                                                 &error),
                             CANARY_OK);
        }
        assert_int_equal(canary_set_percentage(canary_ctx_store(other), FAULT_ROLLOUT, 1000, NULL,
                                               NULL, NULL, &error),
                         CANARY_OK);
        fault_decide(other, wanted);
        arm(++n);
        code = canary_refresh(canary_ctx_store(ctx), &error);
        fired = disarm();
        fault_decide(ctx, got);
        for (int i = 0; i < FAULT_USERS; i++) {
            before[i] |= wanted[i];
        }
        fault_never_raised(before, got, "a refresh without memory");
        if (code != CANARY_OK) {
            assert_true(fired);
            fault_named(code, &error);
            assert_int_equal(code, CANARY_E_NOMEM);
            assert_int_equal(canary_refresh(canary_ctx_store(ctx), &error), CANARY_OK);
        }
        fault_decide(ctx, got);
        assert_memory_equal(got, wanted, FAULT_USERS);
        canary_close(&ctx);
        canary_close(&other);
        nothing_left();
    } while (fired);
    assert_true(n > 1);
}

static void test_refresh(void **unused) {
    (void)unused;
    refresh_failing(arm_hook, disarm_hook);
    refresh_failing(arm_engine, disarm_engine);
}

/* -- setup -- */

static int setup(void **unused) {
    sqlite3_mem_methods failing;

    (void)unused;
    fault_seed();
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain), SQLITE_OK);
    failing = plain;
    failing.xMalloc = engine_malloc;
    failing.xRealloc = engine_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    fault_path(template_db, "template.db");
    fault_path(place, "place.db");
    fault_make(template_db, 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hook_on_memory), cmocka_unit_test(test_hook_on_sqlite),
        cmocka_unit_test(test_sqlite_itself),  cmocka_unit_test(test_opening),
        cmocka_unit_test(test_refresh),
    };

    return cmocka_run_group_tests(tests, setup, fault_teardown);
}
