/* SPDX-License-Identifier: MIT */
/* What a program can know of its own state, and what the hooks are given. */
#include "support.h"

#include <time.h>

#define ROLLOUT "info"

static void every_field(void **state) {
    struct unit *unit = *state;
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT, .salt = "salz" };
    canary_ctx_info info;
    canary_ctx *ctx;

    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
    OK(canary_set_percentage(unit->store, ROLLOUT, 750, "canary", NULL, NULL, &error));
    OK(canary_override_set(unit->store, ROLLOUT, "a", 1, 1, NULL, NULL, &error));
    OK(canary_override_set(unit->store, ROLLOUT, "b", 1, 0, NULL, NULL, &error));
    OK(canary_override_set(unit->store, ROLLOUT, "c", 1, 0, NULL, NULL, &error));
    ctx = unit_open(unit, ROLLOUT);
    info = unit_info(ctx);
    assert_int_equal(info.source, CANARY_SOURCE_OPEN);
    assert_int_equal(info.age_ns, 0);
    assert_int_equal(info.revision, 5);
    assert_int_equal(info.stage, 1);
    assert_int_equal(info.percentage_bp, 750);
    assert_int_equal(info.effective_bp, 750);
    assert_int_equal(info.kill_reasons, 0);
    assert_int_equal(info.doubt, 0);
    assert_int_equal(info.last_error, 0);
    assert_int_equal(info.watcher, 0);
    assert_true(info.publications >= 1);
    assert_int_equal(info.overrides_new, 1);
    assert_int_equal(info.overrides_old, 2);
    assert_string_equal(info.rollout, ROLLOUT);
    assert_string_equal(info.stage_name, "canary");
    assert_string_equal(info.salt, "salz");
    assert_string_equal(info.store, unit->kind == UNIT_SQLITE ? "sqlite" : "memory");
    assert_string_equal(info.last_message, "");
    unit->monotonic += 12345;
    assert_int_equal(unit_info(ctx).age_ns, 12345);
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(unit_info(ctx).age_ns, 0);
    /* Nothing changed: nothing new was published, and the source is that of the state. */
    assert_int_equal(unit_info(ctx).publications, info.publications);
    assert_int_equal(unit_info(ctx).source, CANARY_SOURCE_OPEN);
    OK(canary_advance(unit->store, ROLLOUT, NULL, NULL, &error));
    assert_int_equal(unit_info(ctx).source, CANARY_SOURCE_CHANGE);
    assert_true(unit_info(ctx).publications > info.publications);
    assert_int_equal(unit_info(ctx).revision, 6);
    canary_close(&ctx);
}

/* A watcher is told of, and follows a change of another handle without being asked. */
static void watcher_is_shown(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *watching = NULL;
    canary_ctx *ctx = NULL;

    unit_create(unit, ROLLOUT);
    options.tick_ns = 2000000;
    OK(canary_store_open(unit->path, &options, &watching, &error));
    OK(canary_open_in(watching, ROLLOUT, NULL, &ctx, &error));
    assert_int_equal(unit_info(ctx).watcher, 1);
    unit_set(unit, ROLLOUT, 10000);
    for (int i = 0; i < 60000 && !canary_should_use_new(ctx, "u"); i++) {
        struct timespec step = { 0, 1000000 };

        nanosleep(&step, NULL);
    }
    assert_int_equal(canary_should_use_new(ctx, "u"), 1);
    assert_in_range(unit_info(ctx).source, CANARY_SOURCE_BELL, CANARY_SOURCE_TICK);
    canary_close(&ctx);
    canary_store_close(&watching);
}

/* Rows and ages take their times from the clock hook, and from nowhere else. */
static int check_time(void *user_data, const canary_change *entry) {
    int64_t *expected = user_data;

    assert_int_equal(entry->at_ns, *expected);
    *expected -= 1000;
    return 0;
}

static void times_come_from_the_hook(void **state) {
    struct unit *unit = *state;
    int64_t expected;

    unit->realtime = 1000;
    unit_create(unit, ROLLOUT);
    unit->realtime = 2000;
    OK(canary_advance(unit->store, ROLLOUT, NULL, NULL, &error));
    unit->realtime = 3000;
    OK(canary_override_set(unit->store, ROLLOUT, "u", 1, 1, NULL, NULL, &error));
    unit->realtime = 4000;
    OK(canary_flag_set(unit->store, ROLLOUT, 0, NULL, NULL, &error));
    unit->realtime = 5000;
    OK(canary_rollback(unit->store, ROLLOUT, 0, NULL, NULL, &error));
    expected = unit->realtime;
    OK(canary_history(unit->store, ROLLOUT, 0, 0, check_time, &expected, &error));
    assert_int_equal(expected, 0);
    assert_int_equal(unit_read(unit, ROLLOUT).updated_at_ns, 5000);
    assert_int_equal(unit_read(unit, ROLLOUT).flag_updated_at_ns, 4000);
}

/* Times before 1970 and far ahead are only numbers. */
static void odd_clocks(void **state) {
    static const int64_t times[] = { -1, -1000000000, INT64_MIN / 4, 0, INT64_MAX / 2 };
    struct unit *unit = *state;
    canary_change_options wrong = CANARY_CHANGE_OPTIONS_INIT;

    unit_create(unit, ROLLOUT);
    wrong.expected_revision = 0;
    for (size_t i = 0; i < COUNT(times); i++) {
        unit->realtime = times[i];
        unit_set(unit, ROLLOUT, (uint32_t)i + 1);
        assert_int_equal(unit_read(unit, ROLLOUT).updated_at_ns, times[i]);
        FAILS(CANARY_E_CONFLICT, "at ", "Z",
              canary_advance(unit->store, ROLLOUT, &wrong, NULL, &error));
    }
}

/* -- the log -- */

static int lines_with(const struct unit *unit, const char *first, const char *second) {
    const char *line = unit->log;
    int count = 0;

    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        char text[1024];

        snprintf(text, sizeof text, "%.*s", (int)length, line);
        count += strstr(text, first) != NULL && strstr(text, second) != NULL;
        line += length + (line[length] != '\0');
    }
    return count;
}

static void create_salted(struct unit *unit, const char *name, const char *salt) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = name, .salt = salt };

    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
}

static void salted_siblings_warn(void **state) {
    struct unit *unit = *state;

    create_salted(unit, "first", NULL);
    create_salted(unit, "second", "");
    assert_int_equal(lines_with(unit, "same salt", ""), 0); /* nobody is partly open yet */
    unit_set(unit, "first", 500);
    create_salted(unit, "third", NULL);
    assert_int_equal(lines_with(unit, "\"third\" has the same salt as \"first\"", "--salt"), 1);
    assert_int_equal(unit->log_level, CANARY_LOG_WARNING);
    create_salted(unit, "fourth", "own");
    assert_int_equal(lines_with(unit, "fourth", "same salt"), 0);
    unit_set(unit, "fourth", 9999);
    create_salted(unit, "fifth", "own");
    assert_int_equal(lines_with(unit, "fifth", "\"fourth\""), 1);
    unit_set(unit, "first", 10000);
    create_salted(unit, "sixth", "");
    assert_int_equal(lines_with(unit, "sixth", "same salt"), 0); /* fully open is no ramp */
}

static void levels_are_kept(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = sizeof spec, .name = "first" };
    canary_store *quiet = NULL;

    options.log = unit->options.log;
    options.log_data = unit;
    options.log_level = CANARY_LOG_ERROR;
    OK(canary_store_open_memory(&options, &quiet, &error));
    OK(canary_create(quiet, &spec, NULL, NULL, &error));
    OK(canary_set_percentage(quiet, "first", 1, NULL, NULL, NULL, &error));
    spec.name = "second";
    OK(canary_create(quiet, &spec, NULL, NULL, &error));
    assert_string_equal(unit->log, "");
    canary_store_close(&quiet);
}

/* User ids are personal data: they are stored where an operator pinned one, and nowhere else. */
static const char secret[] = "jane.doe@secret-example.org";

static int no_secret(void *user_data, const canary_change *entry) {
    unsigned *rows = user_data;
    char bytes[sizeof *entry];

    memcpy(bytes, entry, sizeof bytes);
    assert_null(memmem(bytes, sizeof bytes, secret, sizeof secret - 1));
    assert_null(memmem(bytes, sizeof bytes, "secret", 6));
    ++*rows;
    return 0;
}

static int no_secret_found(void *user_data, const canary_finding *finding) {
    (void)user_data;
    assert_null(strstr(finding->message, "secret"));
    assert_null(strstr(finding->next, "secret"));
    return 0;
}

static void user_ids_are_never_told(void **state) {
    struct unit *unit = *state;
    const void *ids[3] = { secret, secret, "other-secret" };
    uint64_t sizes[3] = { sizeof secret - 1, sizeof secret - 1, 12 };
    canary_change_options wrong = CANARY_CHANGE_OPTIONS_INIT;
    canary_decision d = CANARY_DECISION_INIT;
    canary_error told = CANARY_ERROR_INIT;
    canary_ctx *ctx;
    unsigned rows = 0;

    wrong.expected_revision = 77;
    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, 5000);
    ctx = unit_open(unit, ROLLOUT);
    for (int cohort = 0; cohort < 2; cohort++) {
        assert_int_equal(canary_override_set(unit->store, ROLLOUT, secret, sizeof secret - 1,
                                             cohort, NULL, NULL, NULL),
                         CANARY_OK);
        assert_int_equal(
            canary_override_set_many(unit->store, ROLLOUT, ids, sizes, 3, cohort, NULL, NULL, NULL),
            CANARY_OK);
        canary_should_use_new(ctx, secret);
        canary_explain(ctx, secret, sizeof secret - 1, &d);
        canary_override_set(unit->store, ROLLOUT, secret, sizeof secret - 1, cohort, &wrong, NULL,
                            &told);
        assert_null(strstr(told.message, "secret"));
        canary_override_set(unit->store, ROLLOUT, secret, 5000, cohort, NULL, NULL, &told);
        assert_null(strstr(told.message, "secret"));
    }
    OK(canary_override_remove(unit->store, ROLLOUT, secret, sizeof secret - 1, NULL, NULL, &error));
    assert_int_equal(
        canary_override_remove(unit->store, ROLLOUT, secret, sizeof secret - 1, NULL, NULL, &told),
        CANARY_E_NOT_FOUND);
    assert_null(strstr(told.message, "secret"));
    OK(canary_verify(unit->store, no_secret_found, NULL, NULL, &error));
    OK(canary_refresh(unit->store, &error));
    OK(canary_history(unit->store, ROLLOUT, 0, 0, no_secret, &rows, &error));
    assert_int_equal(rows, 7);
    assert_null(strstr(unit->log, "secret"));
    canary_close(&ctx);
}

/* -- the allocator -- */

struct heap {
    int64_t bytes;
    uint64_t calls;
};

static void *count_bytes(void *user_data, void *block, uint64_t old_size, uint64_t size) {
    struct heap *heap = user_data;
    void *fresh;

    heap->calls++;
    if (size == 0) {
        heap->bytes -= (int64_t)old_size;
        free(block);
        return NULL;
    }
    fresh = realloc(block, (size_t)size);
    if (fresh != NULL) {
        heap->bytes += (int64_t)size - (int64_t)(block != NULL ? old_size : 0);
    }
    return fresh;
}

/* Everything that is taken is given back, with the size it was taken with; decisions take nothing. */
static void allocations_are_returned(void **state) {
    struct heap heap = { 0, 0 };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    uint64_t calls;

    (void)state;
    options.allocate = count_bytes;
    options.allocate_data = &heap;
    OK(canary_store_open_memory(&options, &store, &error));
    OK(canary_create(store, &spec, NULL, NULL, &error));
    OK(canary_open_in(store, ROLLOUT, NULL, &ctx, &error));
    OK(canary_set_percentage(store, ROLLOUT, 5000, NULL, NULL, NULL, &error));
    for (int i = 0; i < 200; i++) {
        char id[16];
        int size = snprintf(id, sizeof id, "u%d", i);

        OK(canary_override_set(store, ROLLOUT, id, (uint64_t)size, i % 2, NULL, NULL, &error));
    }
    calls = heap.calls;
    for (int i = 0; i < 1000; i++) {
        char id[16];
        canary_user user = { id, (uint64_t)snprintf(id, sizeof id, "u%d", i) };
        uint8_t cohort;
        canary_decision d = CANARY_DECISION_INIT;

        canary_should_use_new(ctx, id);
        canary_decide_many(ctx, &user, 1, &cohort);
        canary_explain(ctx, id, user.size, &d);
    }
    assert_int_equal(heap.calls, calls);
    assert_true(heap.bytes > 0);
    OK(canary_verify(store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
    canary_store_close(&store);
    assert_int_equal(heap.bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(every_field),
        UNIT_SQLITE_ONLY(watcher_is_shown),
        UNIT_BOTH(times_come_from_the_hook),
        UNIT_BOTH(odd_clocks),
        UNIT_BOTH(salted_siblings_warn),
        UNIT_MEMORY_ONLY(levels_are_kept),
        UNIT_BOTH(user_ids_are_never_told),
        cmocka_unit_test(allocations_are_returned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
