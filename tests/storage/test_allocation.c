/* SPDX-License-Identifier: MIT */
/* Every allocation failing once, ours and SQLite's: a named error, the store as it was, and the
 * next attempt works. */
#include "figures.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USERS = 40 };

static int64_t countdown;
static int fired;
static int64_t blocks; /* allocated and not freed, through the hook */
static sqlite3_mem_methods real_memory;

static int fails(void) {
    if (countdown == 0 || --countdown > 0) {
        return 0;
    }
    fired = 1;
    return 1;
}

static void arm(int64_t at) {
    countdown = at;
    fired = 0;
}

static void *hook(void *user_data, void *block, uint64_t old_size, uint64_t size) {
    (void)user_data;
    (void)old_size;
    if (size == 0) {
        blocks -= block != NULL;
        free(block);
        return NULL;
    }
    if (fails()) {
        return NULL;
    }
    blocks += block == NULL;
    return realloc(block, size);
}

static void *failing_malloc(int size) {
    return fails() ? NULL : real_memory.xMalloc(size);
}

static void *failing_realloc(void *block, int size) {
    return fails() ? NULL : real_memory.xRealloc(block, size);
}

static int setup(void **state) {
    canary_options options = CANARY_OPTIONS_INIT;
    struct place *place;

    if (place_setup_in_memory(state) != 0) {
        return -1;
    }
    place = *state;
    options.allocate = hook;
    canary__hooks_init(&place->hooks, &options);
    return 0;
}

static int teardown(void **state) {
    arm(0);
    return place_teardown(state);
}

/* Replaces a flag, adds one, removes none, adds users in no order. */
static int change(struct place *place, int64_t at) {
    int code = place_begin(place, CANARY_STORAGE_WRITE);
    canary_error first;

    if (code != CANARY_OK) {
        return code;
    }
    code = place_put_flag(place, "a", at);
    for (unsigned int i = 0; i < USERS && code == CANARY_OK; i++) {
        char id[16];

        snprintf(id, sizeof id, "%08x", i * 2654435761u);
        code = place_put_override(place, "r", id, 8);
    }
    if (code == CANARY_OK) {
        code = place_put_flag(place, "b", at);
    }
    if (code == CANARY_OK) {
        return place_end(place, 1);
    }
    first = place->error;
    place_end(place, 0);
    place->error = first;
    return code;
}

static int count_row(void *user_data, const canary_storage_row *row) {
    (void)row;
    ++*(int *)user_data;
    return 0;
}

static int read_all(struct place *place, int *count) {
    canary_storage_range all = { (uint32_t)sizeof all, 0, 0, 0, 0, NULL, NULL, NULL };
    int code = place_begin(place, CANARY_STORAGE_READ);
    canary_error first;

    *count = 0;
    for (int table = 1; table <= CANARY_TABLE_COUNT && code == CANARY_OK; table++) {
        code =
            place->methods.read(place->transaction, table, &all, count_row, count, &place->error);
    }
    first = place->error;
    if (place->transaction != NULL) {
        place_end(place, 0);
    }
    place->error = first;
    return code;
}

static void check_failure(struct place *place, int code) {
    if (code != CANARY_OK) {
        place_expect(place, code, CANARY_E_NOMEM, "memory");
    }
}

static void rounds(struct place *place, int (*open_store)(struct place *place)) {
    int64_t at = 0;
    int more = 1;

    while (more) {
        int count;
        int code;

        assert_int_equal(open_store(place), CANARY_OK);
        assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
        arm(++at);
        code = change(place, 2);
        more = fired;
        arm(0);
        check_failure(place, code);
        assert_int_equal(read_all(place, &count), CANARY_OK);
        /* Out of memory behind the commit of SQLite is the one place where both can be. */
        if (code == CANARY_OK || count != 1) {
            assert_int_equal(count, USERS + 2);
            assert_int_equal(place_flag(place, "a"), 2);
        } else {
            assert_int_equal(place_flag(place, "a"), 1);
        }
        arm(at);
        code = read_all(place, &count);
        more |= fired;
        arm(0);
        check_failure(place, code);
        assert_int_equal(change(place, 3), CANARY_OK);
        assert_int_equal(place_flag(place, "a"), 3);
        place_close(place);
        assert_int_equal(blocks, 0);
    }
    print_message("%d allocations\n", (int)at - 1);
    assert_true(at > 3);
}

static int open_memory(struct place *place) {
    return canary__memory_open(&place->hooks, &place->methods, &place->store, &place->error);
}

static int open_sqlite(struct place *place) {
    char journal[160];

    snprintf(journal, sizeof journal, "%s-journal", place->path);
    unlink(place->path);
    unlink(journal);
    return place_open(place, CANARY_OPEN_CREATE);
}

static void memory_store(void **state) {
    rounds(*state, open_memory);
}

static void sqlite_store(void **state) {
    rounds(*state, open_sqlite);
}

static void opening(void **state) {
    struct place *place = *state;
    int more = 1;

    for (int64_t at = 1; more; at++) {
        int code;

        arm(at);
        code = open_sqlite(place);
        more = fired;
        arm(0);
        check_failure(place, code);
        place_close(place);
        assert_int_equal(blocks, 0);
        assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
        assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
        place_close(place);
    }
}

/* Measurements being opened, made and written. */
static int flush(struct place *place, struct place *figures) {
    int code = figures_open(place, 1, figures);

    return code == CANARY_OK ? figures_commit(figures, "r", 1, 1) : code;
}

static void measurements_of(struct place *place, int (*open_store)(struct place *place)) {
    struct place figures;
    char path[160];
    int64_t at = 0;
    int more = 1;

    snprintf(path, sizeof path, "%s-metrics", place->path);
    while (more) {
        int code;

        unlink(path);
        assert_int_equal(open_store(place), CANARY_OK);
        /* Each of the first hundred, then fewer and fewer: SQLite makes thousands. */
        at += 1 + at / 100;
        arm(at);
        code = flush(place, &figures);
        more = fired;
        arm(0);
        check_failure(&figures, code);
        place_close(&figures);
        assert_int_equal(flush(place, &figures), CANARY_OK);
        assert_int_equal(figures_requests(&figures, "r"), 1);
        place_close(&figures);
        place_close(place);
        assert_int_equal(blocks, 0);
    }
    print_message("%d allocations\n", (int)at - 1);
    assert_true(at > 3);
}

static void measurements_in_memory(void **state) {
    measurements_of(*state, open_memory);
}

static void measurements_in_sqlite(void **state) {
    measurements_of(*state, open_sqlite);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(memory_store),           TEST(sqlite_store),           TEST(opening),
        TEST(measurements_in_memory), TEST(measurements_in_sqlite),
    };
    sqlite3_mem_methods failing;

    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
    failing = real_memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
