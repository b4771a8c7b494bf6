/* SPDX-License-Identifier: MIT */
/* What canary_storage_make_whole() asks of a store that knows nothing of keys, and what it gives. */
#include <canary/storage.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES = 16 };

/* The simple store: flags in no order, and a diary of what was asked. */
struct simple {
    canary_storage_methods methods;
    void *whole;
    void *transaction;
    canary_error error;
    char names[ENTRIES][16]; /* what it holds */
    int64_t at[ENTRIES];
    int count;
    char new_names[ENTRIES][16]; /* what was written since begin() */
    int new_count;
    char diary[512];
    int begin_code;
    int write_code;
    int end_code;
    int32_t type_of_at; /* INTEGER, or damage */
    int table_of_flags; /* FLAGS, or damage */
    int closed;
};

static void note(struct simple *simple, const char *what) {
    size_t used = strlen(simple->diary);

    snprintf(simple->diary + used, sizeof simple->diary - used, "%s ", what);
}

static int simple_begin(void *store, int mode, void **transaction, canary_error *error) {
    struct simple *simple = store;

    simple->new_count = 0;
    note(simple, mode == CANARY_STORAGE_WRITE ? "begin-write" : "begin-read");
    *transaction = store;
    return simple->begin_code == 0
               ? 0
               : canary_storage_fail(error, simple->begin_code, 0, "begin fails");
}

static canary_storage_value text(const char *data) {
    return (canary_storage_value){ CANARY_VALUE_TEXT, 0, 0, data, strlen(data) };
}

static int simple_read(void *transaction, int table, const canary_storage_range *range,
                       canary_storage_sink sink, void *user_data, canary_error *error) {
    struct simple *simple = transaction;

    (void)error;
    assert_true(range->key_count == 0 && range->after == NULL && range->limit == 0);
    note(simple, canary_storage_table_get(table)->name);
    for (int i = 0; i < simple->count && table == CANARY_TABLE_FLAGS; i++) {
        canary_storage_value values[] = { text(simple->names[i]),
                                          { CANARY_VALUE_INTEGER, 0, 1, NULL, 0 },
                                          { simple->type_of_at, 0, simple->at[i], NULL, 0 } };
        canary_storage_row row = { sizeof row, simple->table_of_flags, 3, 0, values };

        if (sink(user_data, &row) != 0) {
            break;
        }
    }
    return 0;
}

static int simple_write(void *transaction, const canary_storage_row *row, canary_error *error) {
    struct simple *simple = transaction;
    char what[32];

    if (simple->write_code != 0) {
        return canary_storage_fail(error, simple->write_code, 0, "write fails");
    }
    assert_int_equal(row->count, canary_storage_table_get(row->table)->column_count);
    snprintf(what, sizeof what, "+%d", row->table);
    if (row->table == CANARY_TABLE_FLAGS) {
        snprintf(what, sizeof what, "+%s", (const char *)row->values[0].data);
        snprintf(simple->new_names[simple->new_count], 16, "%.15s", what + 1);
        simple->at[simple->new_count++] = row->values[2].integer;
    }
    note(simple, what);
    return 0;
}

static int simple_end(void *transaction, int commit, canary_error *error) {
    struct simple *simple = transaction;

    note(simple, commit ? "commit" : "end");
    if (commit && simple->end_code == 0) {
        memcpy(simple->names, simple->new_names, sizeof simple->names);
        simple->count = simple->new_count;
    }
    return simple->end_code == 0 ? 0 : canary_storage_fail(error, simple->end_code, 0, "end fails");
}

static void simple_close(void *store) {
    ((struct simple *)store)->closed++;
}

static int simple_token(void *transaction, uint64_t *token, canary_error *error) {
    (void)transaction;
    (void)error;
    *token = 7;
    return 0;
}

static int simple_secret(void *transaction, uint8_t *secret, canary_error *error) {
    assert_int_equal(((struct simple *)transaction)->count, 3);
    memset(secret, 9, 32);
    (void)error;
    return 0;
}

static int simple_wait(void *store, int64_t timeout_ns, canary_error *error) {
    (void)error;
    assert_int_equal(timeout_ns, 5);
    note(store, "wait");
    return 0;
}

static const char *simple_doorbell(void *store) {
    return ((struct simple *)store)->names[0];
}

static int simple_check(void *store, int (*report)(void *user_data, const char *message),
                        void *user_data, canary_error *error) {
    (void)error;
    return report(user_data, ((struct simple *)store)->names[0]);
}

static void simple_before_fork(void *store) {
    note(store, "fork");
}

static canary_storage_methods simple_methods(void) {
    return (canary_storage_methods){ .size = sizeof(canary_storage_methods),
                                     .version = CANARY_STORAGE_VERSION,
                                     .name = "simple",
                                     .begin = simple_begin,
                                     .read = simple_read,
                                     .write = simple_write,
                                     .end = simple_end,
                                     .close = simple_close };
}

static int setup(void **state) {
    struct simple *simple = calloc(1, sizeof *simple);

    simple->error = (canary_error)CANARY_ERROR_INIT;
    simple->type_of_at = CANARY_VALUE_INTEGER;
    simple->table_of_flags = CANARY_TABLE_FLAGS;
    simple->count = 3;
    strcpy(simple->names[0], "b");
    strcpy(simple->names[1], "aa");
    strcpy(simple->names[2], "a");
    simple->methods = simple_methods();
    simple->whole = simple;
    assert_int_equal(canary_storage_make_whole(&simple->methods, &simple->whole, &simple->error),
                     0);
    assert_ptr_not_equal(simple->whole, simple);
    *state = simple;
    return 0;
}

static int teardown(void **state) {
    struct simple *simple = *state;

    simple->methods.close(simple->whole);
    assert_int_equal(simple->closed, 1);
    free(simple);
    return 0;
}

static int begin(struct simple *simple, int mode) {
    simple->diary[0] = '\0';
    return simple->methods.begin(simple->whole, mode, &simple->transaction, &simple->error);
}

static int end(struct simple *simple, int commit) {
    return simple->methods.end(simple->transaction, commit, &simple->error);
}

static int join(void *user_data, const canary_storage_row *row) {
    strcat(user_data, row->values[0].data);
    strcat(user_data, " ");
    return 0;
}

/* The names of a range, or the code. */
static int names(struct simple *simple, const canary_storage_range *range, char *out) {
    out[0] = '\0';
    return simple->methods.read(simple->transaction, CANARY_TABLE_FLAGS, range, join, out,
                                &simple->error);
}

static int put(struct simple *simple, const char *name) {
    canary_storage_value values[] = { text(name), { CANARY_VALUE_INTEGER, 0, 1, NULL, 0 } };
    canary_storage_row row = { sizeof row, CANARY_TABLE_FLAGS, 2, 0, values };

    return simple->methods.write(simple->transaction, &row, &simple->error);
}

static int put_change(struct simple *simple, int64_t id) {
    canary_storage_value value = { CANARY_VALUE_INTEGER, 0, id, NULL, 0 };
    canary_storage_row row = { sizeof row, CANARY_TABLE_CHANGES, 1, 0, &value };

    return simple->methods.write(simple->transaction, &row, &simple->error);
}

static int take(struct simple *simple, const char *name) {
    canary_storage_value key = text(name);

    return simple->methods.remove(simple->transaction, CANARY_TABLE_FLAGS, &key, &simple->error);
}

static void rows_come_in_order_and_are_read_once(void **state) {
    struct simple *simple = *state;
    canary_storage_value a = text("a");
    canary_storage_range all = { .size = sizeof all };
    canary_storage_range down = { .size = sizeof down, .descending = 1, .limit = 2 };
    canary_storage_range beyond = { .size = sizeof beyond, .after = &a };
    char out[64];

    assert_int_equal(begin(simple, CANARY_STORAGE_READ), 0);
    assert_int_equal(names(simple, &all, out), 0);
    assert_string_equal(out, "a aa b ");
    assert_int_equal(names(simple, &down, out), 0);
    assert_string_equal(out, "b aa ");
    assert_int_equal(names(simple, &beyond, out), 0);
    assert_string_equal(out, "aa b ");
    assert_int_equal(end(simple, 0), 0);
    assert_string_equal(simple->diary, "begin-read feature_flags end ");
    /* The next transaction sees what is there then. */
    strcpy(simple->names[0], "0");
    assert_int_equal(begin(simple, CANARY_STORAGE_READ), 0);
    assert_int_equal(names(simple, &all, out), 0);
    assert_string_equal(out, "0 a aa ");
    assert_int_equal(end(simple, 0), 0);
}

static void a_commit_writes_everything_in_order(void **state) {
    struct simple *simple = *state;

    assert_int_equal(begin(simple, CANARY_STORAGE_WRITE), 0);
    assert_int_equal(put(simple, "a0"), 0);
    assert_int_equal(take(simple, "aa"), 0);
    assert_int_equal(take(simple, "aa"), CANARY_E_NOT_FOUND);
    assert_int_equal(put_change(simple, 10), 0);
    assert_int_equal(put_change(simple, 9), 0);
    assert_int_equal(put_change(simple, 9), CANARY_E_CONFLICT);
    assert_string_equal(simple->diary, "begin-write feature_flags changes ");
    assert_int_equal(end(simple, 1), 0);
    /* Every table is read before the first row is written. */
    assert_string_equal(simple->diary, "begin-write feature_flags changes rollouts stages "
                                       "overrides +a +a0 +b +5 +5 commit ");
}

static void an_end_without_commit_writes_nothing(void **state) {
    struct simple *simple = *state;
    canary_storage_range all = { .size = sizeof all };
    char out[64];

    assert_int_equal(begin(simple, CANARY_STORAGE_WRITE), 0);
    assert_int_equal(put(simple, "c"), 0);
    assert_int_equal(names(simple, &all, out), 0);
    assert_string_equal(out, "a aa b c ");
    assert_int_equal(end(simple, 0), 0);
    assert_string_equal(simple->diary, "begin-write feature_flags end ");
    assert_int_equal(begin(simple, CANARY_STORAGE_READ), 0);
    assert_int_equal(names(simple, &all, out), 0);
    assert_string_equal(out, "a aa b ");
    assert_int_equal(end(simple, 1), 0); /* nothing to commit in a read transaction */
    assert_string_equal(simple->diary, "begin-read feature_flags end ");
}

static void a_reader_cannot_write(void **state) {
    struct simple *simple = *state;

    assert_int_equal(begin(simple, CANARY_STORAGE_READ), 0);
    assert_int_equal(put(simple, "c"), CANARY_E_INVALID);
    assert_int_equal(take(simple, "a"), CANARY_E_INVALID);
    assert_int_equal(end(simple, 0), 0);
}

static void one_transaction_at_a_time(void **state) {
    struct simple *simple = *state;
    void *second = NULL;

    assert_int_equal(begin(simple, CANARY_STORAGE_READ), 0);
    assert_int_equal(
        simple->methods.begin(simple->whole, CANARY_STORAGE_READ, &second, &simple->error),
        CANARY_E_BUSY);
    assert_int_equal(end(simple, 0), 0);
    /* A begin that the store refused leaves nothing open. */
    simple->begin_code = CANARY_E_BUSY;
    assert_int_equal(begin(simple, CANARY_STORAGE_WRITE), CANARY_E_BUSY);
    assert_string_equal(simple->error.message, "begin fails");
    simple->begin_code = 0;
    assert_int_equal(begin(simple, CANARY_STORAGE_WRITE), 0);
    assert_int_equal(end(simple, 0), 0);
}

/* Damage is told, and is never written over. */
static void expect_damage(struct simple *simple, const char *part) {
    canary_storage_range all = { .size = sizeof all };
    char out[64];

    assert_int_equal(begin(simple, CANARY_STORAGE_WRITE), 0);
    assert_int_equal(names(simple, &all, out), CANARY_E_CORRUPT);
    assert_non_null(strstr(simple->error.message, part));
    /* Not even half of it is given out later. */
    assert_int_equal(names(simple, &all, out), CANARY_E_CORRUPT);
    assert_string_equal(out, "");
    assert_int_equal(put(simple, "c"), CANARY_E_CORRUPT);
    assert_int_equal(put_change(simple, 1), CANARY_E_CORRUPT);
    assert_int_equal(end(simple, 1), CANARY_E_CORRUPT);
    assert_null(strstr(simple->diary, "+"));
    assert_null(strstr(simple->diary, "commit"));
    assert_non_null(strstr(simple->diary, " end "));
}

static void damaged_rows_are_refused(void **state) {
    struct simple *simple = *state;

    simple->type_of_at = CANARY_VALUE_NULL;
    expect_damage(simple, "updated_at");
    simple->type_of_at = CANARY_VALUE_INTEGER;
    simple->table_of_flags = CANARY_TABLE_ROLLOUTS;
    expect_damage(simple, "another table");
    simple->table_of_flags = CANARY_TABLE_FLAGS;
    strcpy(simple->names[2], "b");
    expect_damage(simple, "same key");
}

static void a_failed_commit_is_none(void **state) {
    struct simple *simple = *state;

    simple->write_code = CANARY_E_FULL;
    assert_int_equal(begin(simple, CANARY_STORAGE_WRITE), 0);
    assert_int_equal(end(simple, 1), CANARY_E_FULL);
    assert_string_equal(simple->error.message, "write fails");
    assert_null(strstr(simple->diary, "commit"));
    simple->write_code = 0;
    simple->end_code = CANARY_E_IO;
    assert_int_equal(begin(simple, CANARY_STORAGE_WRITE), 0);
    assert_int_equal(end(simple, 1), CANARY_E_IO);
    assert_string_equal(simple->error.message, "end fails");
    simple->end_code = 0;
    assert_int_equal(begin(simple, CANARY_STORAGE_WRITE), 0);
    assert_int_equal(end(simple, 1), 0);
}

static int report_name(void *user_data, const char *message) {
    strcpy(user_data, message);
    return 0;
}

static void optional_operations_are_passed_on(void **state) {
    struct simple *simple = *state;
    canary_storage_methods methods = simple_methods();
    void *whole = simple;
    uint64_t token = 0;
    uint8_t secret[32] = { 0 };
    char said[16];

    /* What the store has not, the other has not either. */
    assert_true(simple->methods.token == NULL && simple->methods.wait == NULL &&
                simple->methods.doorbell == NULL && simple->methods.check == NULL &&
                simple->methods.before_fork == NULL && simple->methods.secret == NULL);
    assert_string_equal(simple->methods.name, "simple");
    methods.token = simple_token;
    methods.wait = simple_wait;
    methods.doorbell = simple_doorbell;
    methods.check = simple_check;
    methods.before_fork = simple_before_fork;
    methods.secret = simple_secret;
    assert_int_equal(canary_storage_make_whole(&methods, &whole, &simple->error), 0);
    assert_string_equal(methods.doorbell(whole), "b");
    assert_int_equal(methods.check(whole, report_name, said, &simple->error), 0);
    assert_string_equal(said, "b");
    assert_int_equal(methods.begin(whole, CANARY_STORAGE_READ, &simple->transaction, NULL), 0);
    assert_int_equal(methods.token(simple->transaction, &token, &simple->error), 0);
    assert_int_equal(token, 7);
    assert_int_equal(methods.secret(simple->transaction, secret, &simple->error), 0);
    assert_int_equal(secret[31], 9);
    assert_int_equal(methods.end(simple->transaction, 0, &simple->error), 0);
    assert_int_equal(methods.wait(whole, 5, &simple->error), 0);
    methods.before_fork(whole);
    /* A look by token has read no table. */
    assert_string_equal(simple->diary, "begin-read end wait fork ");
    methods.close(whole);
    assert_int_equal(simple->closed, 1);
    simple->closed = 0;
}

static int simple_remove(void *transaction, int table, const canary_storage_value *key,
                         canary_error *error) {
    (void)transaction;
    (void)table;
    (void)key;
    return canary_storage_fail(error, CANARY_E_NOT_FOUND, 0, "not here");
}

/* With a store that has rows without order, or one that knows of keys by itself. */
static int simple_measurements(void *store, int create, canary_storage_methods *methods,
                               void **implementation, canary_error *error) {
    struct simple *simple = store;

    note(simple, create ? "create" : "look");
    if (simple->begin_code != 0) {
        return canary_storage_fail(error, simple->begin_code, 0, "measurements fail");
    }
    *methods = simple_methods();
    methods->remove = create ? NULL : simple_remove;
    *implementation = simple;
    return 0;
}

static void measurements_are_made_whole(void **state) {
    struct simple *simple = *state;
    canary_storage_methods methods = simple_methods();
    canary_storage_methods figures;
    canary_storage_range all = { .size = sizeof all };
    void *whole = simple;
    void *kept = NULL;
    char out[64] = "";

    assert_null(simple->methods.measurements);
    simple->diary[0] = '\0';
    methods.measurements = simple_measurements;
    assert_int_equal(canary_storage_make_whole(&methods, &whole, &simple->error), 0);
    simple->begin_code = CANARY_E_NO_STORE;
    assert_int_equal(methods.measurements(whole, 0, &figures, &kept, &simple->error),
                     CANARY_E_NO_STORE);
    assert_string_equal(simple->error.message, "measurements fail");
    simple->begin_code = 0;
    /* What knows of keys stays as it is. */
    memset(&figures, 0, sizeof figures);
    assert_int_equal(methods.measurements(whole, 0, &figures, &kept, &simple->error), 0);
    assert_ptr_equal(kept, simple);
    assert_ptr_equal(figures.remove, simple_remove);
    memset(&figures, 0, sizeof figures);
    assert_int_equal(methods.measurements(whole, 1, &figures, &kept, &simple->error), 0);
    assert_ptr_not_equal(kept, simple);
    assert_non_null(figures.remove);
    assert_null(figures.measurements);
    assert_int_equal(figures.begin(kept, CANARY_STORAGE_WRITE, &simple->transaction, NULL), 0);
    assert_int_equal(figures.read(simple->transaction, CANARY_TABLE_WRITERS, &all, join, out, NULL),
                     0);
    assert_int_equal(
        figures.read(simple->transaction, CANARY_TABLE_FLAGS, &all, join, out, &simple->error),
        CANARY_E_INVALID);
    assert_int_equal(figures.end(simple->transaction, 1, &simple->error), 0);
    /* A commit reads what was not read yet, of its own tables only. */
    assert_string_equal(simple->diary, "look look create begin-write writers ticks minutes hours "
                                       "metrics subjects imports baselines "
                                       "documents commit ");
    figures.close(kept);
    assert_int_equal(simple->closed, 1);
    methods.close(whole);
    simple->closed = 0;
}

static void methods_of_every_age(void **state) {
    struct simple *simple = *state;
    size_t required = offsetof(canary_storage_methods, token);
    size_t sizes[] = { required, required + 8, sizeof simple->methods,
                       sizeof simple->methods + 16 };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        canary_storage_methods given = simple_methods();
        size_t common = sizes[i] < sizeof given ? sizes[i] : sizeof given;
        unsigned char *exact = malloc(sizes[i]); /* a sanitizer sees every byte beyond */
        void *whole = simple;

        given.size = (uint32_t)sizes[i];
        memset(exact, 0xff, sizes[i]);
        memcpy(exact, &given, common);
        assert_int_equal(
            canary_storage_make_whole((canary_storage_methods *)(void *)exact, &whole, NULL), 0);
        memcpy(&given, exact, common);
        assert_int_equal(given.size, sizes[i]);
        for (size_t beyond = common; beyond < sizes[i]; beyond++) {
            assert_int_equal(exact[beyond], 0);
        }
        given.close(whole);
        free(exact);
    }
    simple->closed = 0;
}

static void what_is_no_store_is_refused(void **state) {
    struct simple *simple = *state;
    canary_storage_methods good = simple_methods();
    canary_storage_methods bad = good;
    void *whole = simple;

    assert_int_equal(canary_storage_make_whole(NULL, &whole, &simple->error), CANARY_E_INVALID);
    assert_int_equal(canary_storage_make_whole(&bad, NULL, &simple->error), CANARY_E_INVALID);
    bad.size = 8;
    assert_int_equal(canary_storage_make_whole(&bad, &whole, &simple->error), CANARY_E_INVALID);
    bad = good;
    bad.version = 0;
    assert_int_equal(canary_storage_make_whole(&bad, &whole, &simple->error), CANARY_E_INVALID);
    bad.version = CANARY_STORAGE_VERSION + 1;
    assert_int_equal(canary_storage_make_whole(&bad, &whole, &simple->error), CANARY_E_UNSUPPORTED);
    bad = good;
    bad.write = NULL;
    assert_int_equal(canary_storage_make_whole(&bad, &whole, &simple->error), CANARY_E_INVALID);
    assert_ptr_equal(whole, simple);
    assert_ptr_equal(bad.begin, simple_begin);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rows_come_in_order_and_are_read_once),
        TEST(a_commit_writes_everything_in_order),
        TEST(an_end_without_commit_writes_nothing),
        TEST(a_reader_cannot_write),
        TEST(one_transaction_at_a_time),
        TEST(damaged_rows_are_refused),
        TEST(a_failed_commit_is_none),
        TEST(optional_operations_are_passed_on),
        TEST(measurements_are_made_whole),
        TEST(methods_of_every_age),
        TEST(what_is_no_store_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
