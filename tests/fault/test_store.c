/* SPDX-License-Identifier: MIT */
/* Every call of the storage vtable failing, once or for good: a change is done or it is not, a
 * rollback is in effect either way, and nobody is raised. */
#include "every.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <canary/storage.h>

#include "base/hooks.h"
#include "storage/stores.h"

static char template_db[FAULT_PATH];
static char place[FAULT_PATH];

/* A store around another, whose calls can be made to fail. */
struct around {
    canary_storage_methods inner;
    void *implementation;
    struct canary__hooks hooks;
};

struct around_transaction {
    struct around *around;
    void *inner;
};

static struct {
    uint64_t countdown;
    int for_good; /* each following call fails, too */
    int fired;
    int code;
    int open; /* transactions */
} trouble;

static int fails(canary_error *error, const char *doing) {
    char message[64];

    assert_non_null(error);
    if (trouble.countdown == 0 || (trouble.countdown > 1 && --trouble.countdown > 0)) {
        return 0;
    }
    if (!trouble.for_good) {
        trouble.countdown = 0;
    }
    trouble.fired = 1;
    snprintf(message, sizeof message, "this %s was made to fail", doing);
    return canary_storage_fail(error, trouble.code, 0, message);
}

static int around_begin(void *store, int mode, void **out, canary_error *error) {
    struct around *around = store;
    struct around_transaction *transaction;
    int code = fails(error, "begin");

    if (code != CANARY_OK) {
        return code;
    }
    transaction = malloc(sizeof *transaction);
    assert_non_null(transaction);
    transaction->around = around;
    code = around->inner.begin(around->implementation, mode, &transaction->inner, error);
    if (code != CANARY_OK) {
        free(transaction);
        return code;
    }
    trouble.open++;
    *out = transaction;
    return CANARY_OK;
}

static int around_read(void *pointer, int table, const canary_storage_range *range,
                       canary_storage_sink sink, void *user_data, canary_error *error) {
    struct around_transaction *transaction = pointer;
    int code = fails(error, "read");

    return code != CANARY_OK ? code
                             : transaction->around->inner.read(transaction->inner, table, range,
                                                               sink, user_data, error);
}

static int around_write(void *pointer, const canary_storage_row *row, canary_error *error) {
    struct around_transaction *transaction = pointer;
    int code = fails(error, "write");

    return code != CANARY_OK ? code
                             : transaction->around->inner.write(transaction->inner, row, error);
}

static int around_remove(void *pointer, int table, const canary_storage_value *key,
                         canary_error *error) {
    struct around_transaction *transaction = pointer;
    int code = fails(error, "remove");

    return code != CANARY_OK
               ? code
               : transaction->around->inner.remove(transaction->inner, table, key, error);
}

/* Whatever is answered, the transaction is over. */
static int around_end(void *pointer, int commit, canary_error *error) {
    struct around_transaction *transaction = pointer;
    canary_error ignored = CANARY_ERROR_INIT;
    int code = fails(error, "end");
    int ended = transaction->around->inner.end(transaction->inner, commit && code == CANARY_OK,
                                               code == CANARY_OK ? error : &ignored);

    trouble.open--;
    free(transaction);
    return code != CANARY_OK ? code : ended;
}

static void around_close(void *store) {
    struct around *around = store;

    assert_int_equal(trouble.open, 0);
    around->inner.close(around->implementation);
    free(around);
}

static int around_token(void *pointer, uint64_t *token, canary_error *error) {
    struct around_transaction *transaction = pointer;
    int code = fails(error, "token");

    return code != CANARY_OK ? code
                             : transaction->around->inner.token(transaction->inner, token, error);
}

static const char *around_doorbell(void *store) {
    struct around *around = store;

    return around->inner.doorbell(around->implementation);
}

static int around_check(void *store, int (*report)(void *user_data, const char *message),
                        void *user_data, canary_error *error) {
    struct around *around = store;
    int code = fails(error, "check");

    return code != CANARY_OK
               ? code
               : around->inner.check(around->implementation, report, user_data, error);
}

static canary_store *open_around(struct around *around) {
    const canary_storage_methods methods = {
        .size = (uint32_t)sizeof methods,
        .version = CANARY_STORAGE_VERSION,
        .name = "around",
        .begin = around_begin,
        .read = around_read,
        .write = around_write,
        .remove = around_remove,
        .end = around_end,
        .close = around_close,
        .token = around_token,
        .doorbell = around->inner.doorbell != NULL ? around_doorbell : NULL,
        .check = around->inner.check != NULL ? around_check : NULL,
    };
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;

    if (canary_store_open_custom(&methods, around, &options, &store, &error) != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    return store;
}

static struct around *around_new(void) {
    struct around *around = calloc(1, sizeof *around);
    canary_options options = CANARY_OPTIONS_INIT;

    assert_non_null(around);
    canary__hooks_init(&around->hooks, &options);
    return around;
}

static canary_store *open_memory(void) {
    struct around *around = around_new();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store;

    assert_int_equal(
        canary__memory_open(&around->hooks, &around->inner, &around->implementation, &error), 0);
    store = open_around(around);
    fault_fill(store);
    return store;
}

static canary_store *open_sqlite(void) {
    struct around *around = around_new();
    canary_error error = CANARY_ERROR_INIT;

    fault_copy_store(template_db, place);
    assert_int_equal(canary__sqlite_open(place, 0, &around->hooks, &around->inner,
                                         &around->implementation, &error),
                     0);
    return open_around(around);
}

static void arm(uint64_t n) {
    trouble.countdown = n;
    trouble.fired = 0;
}

static int disarm(void) {
    trouble.countdown = 0;
    return trouble.fired;
}

static void run(canary_store *(*open)(void), const char *name, int for_good) {
    static const int codes[] = { CANARY_E_IO, CANARY_E_FULL, CANARY_E_CORRUPT, CANARY_E_BUSY };
    uint64_t steps = 0;

    trouble.for_good = for_good;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i += for_good ? 3 : 1) {
        struct every_bench bench = { .name = name, .open = open, .arm = arm, .disarm = disarm };

        trouble.code = bench.code = codes[i];
        for (size_t call = 0; call < every_call_count; call++) {
            steps += every_step(&bench, &every_calls[call]);
        }
    }
    print_message("%s: %llu calls failed\n", name, (unsigned long long)steps);
}

static void test_memory_once(void **unused) {
    (void)unused;
    run(open_memory, "around memory, once", 0);
}

static void test_memory_for_good(void **unused) {
    (void)unused;
    run(open_memory, "around memory, for good", 1);
}

static void test_sqlite_once(void **unused) {
    (void)unused;
    run(open_sqlite, "around sqlite, once", 0);
}

static void test_sqlite_for_good(void **unused) {
    (void)unused;
    run(open_sqlite, "around sqlite, for good", 1);
}

/* A rollback on a store that answers nothing at all, and the way back. */
static void test_rollback_without_store(void **unused) {
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;
    uint8_t got[FAULT_USERS];
    canary_ctx *elsewhere = NULL;
    canary_store *store = open_sqlite();

    (void)unused;
    assert_int_equal(canary_open(place, FAULT_ROLLOUT, &options, &elsewhere, &error), CANARY_OK);
    trouble.for_good = 1;
    trouble.code = CANARY_E_IO;
    for (int stage = 0; stage < 2; stage++) {
        arm(1);
        assert_int_equal(canary_rollback(store, FAULT_ROLLOUT, stage, NULL, NULL, &error),
                         CANARY_E_IO);
        disarm();
        assert_int_equal(error.in_effect, 1);
        assert_int_equal(canary_refresh(canary_ctx_store(elsewhere), &error), CANARY_OK);
        fault_decide(elsewhere, got);
        /* The second one asks for more than the first: not while neither is recorded. */
        assert_int_equal(fault_count(got), 4);
    }
    assert_int_equal(canary_advance(store, FAULT_ROLLOUT, NULL, NULL, &error), CANARY_E_REFUSED);
    fault_named(CANARY_E_REFUSED, &error);
    /* A mistake is refused and frees nobody. */
    assert_int_equal(canary_rollback(store, FAULT_ROLLOUT, 4, NULL, NULL, &error),
                     CANARY_E_INVALID);
    assert_int_equal(canary_refresh(canary_ctx_store(elsewhere), &error), CANARY_OK);
    fault_decide(elsewhere, got);
    assert_int_equal(fault_count(got), 4);
    /* Nor one that shows only once the store answers again. */
    arm(1);
    trouble.for_good = 0;
    assert_int_equal(canary_rollback(store, FAULT_ROLLOUT, 4, NULL, NULL, &error),
                     CANARY_E_INVALID);
    assert_true(disarm());
    assert_int_equal(canary_refresh(canary_ctx_store(elsewhere), &error), CANARY_OK);
    fault_decide(elsewhere, got);
    assert_int_equal(fault_count(got), 4);
    assert_int_equal(canary_rollback(store, FAULT_ROLLOUT, 1, NULL, NULL, &error), CANARY_OK);
    assert_int_equal(canary_refresh(canary_ctx_store(elsewhere), &error), CANARY_OK);
    fault_decide(elsewhere, got);
    assert_in_range(fault_count(got), 5, FAULT_USERS / 10);
    assert_int_equal(fault_verify(store), CANARY_OK);
    canary_close(&elsewhere);
    canary_store_close(&store);
}

static int setup(void **unused) {
    (void)unused;
    fault_path(template_db, "template.db");
    fault_path(place, "place.db");
    fault_make(template_db, 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_once),
        cmocka_unit_test(test_memory_for_good),
        cmocka_unit_test(test_sqlite_once),
        cmocka_unit_test(test_sqlite_for_good),
        cmocka_unit_test(test_rollback_without_store),
    };

    return cmocka_run_group_tests(tests, setup, fault_teardown);
}
