/* SPDX-License-Identifier: MIT */
/* Calling a store, and saying which call failed how. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conformance/suite.h"

enum { PAUSE_NS = 200 * 1000, ATTEMPTS = 100000 };

static const canary_error no_error = CANARY_ERROR_INIT;

/* What a store says about a failure is part of what it promises. */
static int check_error(struct canary__suite *suite, int code, const char *call) {
    size_t room = sizeof suite->error.message;

    CANARY__SUITE_REQUIRE(suite, suite->error.code == code,
                          "%s returned %s, but the error says code %s", call,
                          canary_error_name(code), canary_error_name(suite->error.code));
    CANARY__SUITE_REQUIRE(suite, suite->error.message[0] != '\0',
                          "%s returned %s, but the error has no message", call,
                          canary_error_name(code));
    CANARY__SUITE_REQUIRE(suite, memchr(suite->error.message, '\0', room) != NULL,
                          "%s: the error's message does not end", call);
    return 1;
}

static int worked(struct canary__suite *suite, int code, const char *call) {
    if (code == CANARY_OK) {
        return 1;
    }
    return canary__suite_fail(suite, "%s returned %s: %s", call, canary_error_name(code),
                              suite->error.message);
}

int canary__suite_refused(struct canary__suite *suite, int code, int wanted, const char *call) {
    CANARY__SUITE_REQUIRE(suite, code == wanted, "%s returned %s, %s was expected: %s", call,
                          canary_error_name(code), canary_error_name(wanted),
                          code == CANARY_OK ? "" : suite->error.message);
    return check_error(suite, code, call);
}

/* The store may be older than this suite: what lies beyond its size is absent. */
static void cut(canary_storage_methods *methods) {
    if (methods->size < sizeof *methods) {
        memset((char *)methods + methods->size, 0, sizeof *methods - methods->size);
    }
}

int canary__suite_measure(struct canary__suite *suite, struct canary__suite_handle *decisions,
                          int create, int owned, struct canary__suite_handle **out) {
    struct canary__suite_handle before = *decisions;
    struct canary__suite_handle *handle = decisions;
    union {
        canary_storage_methods methods;
        char bytes[CANARY_STORAGE_METHODS_ROOM];
    } room;
    void *store = NULL;
    int code;

    memset(&room, 0, sizeof room);
    suite->error = no_error;
    code = before.methods.measurements(before.store, create, &room.methods, &store, &suite->error);
    if (code != CANARY_OK) {
        return code;
    }
    if (owned) {
        handle->beside = before.methods;
        handle->beside_store = before.store;
    } else {
        for (handle = suite->handles; handle->open; handle++) {
        }
        memset(handle, 0, sizeof *handle);
    }
    handle->methods = room.methods;
    handle->store = store;
    handle->open = 1;
    cut(&handle->methods);
    *out = handle;
    return CANARY_OK;
}

/* Until the first commit a reader may be told that nothing is there. */
static int make_now(struct canary__suite *suite, struct canary__suite_handle *handle) {
    return canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE) &&
           canary__suite_end(suite, handle, 1);
}

int canary__suite_open(struct canary__suite *suite, int fresh, struct canary__suite_handle **out) {
    struct timespec pause = { 0, PAUSE_NS };
    struct canary__suite_handle *handle = suite->handles;
    int code = CANARY_E_BUSY;

    while (handle->open) {
        handle++;
    }
    for (int i = 0; i < ATTEMPTS && code == CANARY_E_BUSY; i++) {
        if (i > 0) {
            nanosleep(&pause, NULL);
        }
        memset(handle, 0, sizeof *handle);
        code = suite->config.open(suite->config.user_data, suite->name, fresh, &handle->methods,
                                  &handle->store);
    }
    CANARY__SUITE_REQUIRE(suite, code == CANARY_OK, "open (fresh %d) returned %s", fresh,
                          canary_error_name(code));
    handle->open = 1;
    cut(&handle->methods);
    *out = handle;
    if (!suite->measurements) {
        return 1;
    }
    return worked(suite, canary__suite_measure(suite, handle, 1, 1, out), "measurements(create)") &&
           (!fresh || make_now(suite, handle));
}

void canary__suite_close(struct canary__suite_handle *handle) {
    canary_error error = CANARY_ERROR_INIT;

    if (!handle->open) {
        return;
    }
    if (handle->transaction != NULL) {
        handle->methods.end(handle->transaction, 0, &error);
    }
    if (handle->methods.close != NULL) {
        handle->methods.close(handle->store);
    }
    if (handle->beside.close != NULL) {
        handle->beside.close(handle->beside_store);
    }
    memset(handle, 0, sizeof *handle);
}

void canary__suite_close_all(struct canary__suite *suite) {
    for (int i = 0; i < CANARY__SUITE_HANDLES; i++) {
        canary__suite_close(&suite->handles[i]);
    }
}

int canary__suite_begin(struct canary__suite *suite, struct canary__suite_handle *handle,
                        int mode) {
    struct timespec pause = { 0, PAUSE_NS };
    int code = CANARY_E_BUSY;

    for (int i = 0; i < ATTEMPTS && code == CANARY_E_BUSY; i++) {
        if (i > 0) {
            nanosleep(&pause, NULL);
        }
        suite->error = no_error;
        code = handle->methods.begin(handle->store, mode, &handle->transaction, &suite->error);
    }
    if (code != CANARY_OK) {
        handle->transaction = NULL;
    }
    return worked(suite, code, mode == CANARY_STORAGE_WRITE ? "begin(WRITE)" : "begin(READ)");
}

int canary__suite_end(struct canary__suite *suite, struct canary__suite_handle *handle,
                      int commit) {
    void *transaction = handle->transaction;

    suite->error = no_error;
    handle->transaction = NULL;
    return worked(suite, handle->methods.end(transaction, commit, &suite->error),
                  commit ? "end(commit)" : "end(no commit)");
}

int canary__suite_commit(struct canary__suite *suite, struct canary__suite_handle *handle,
                         int *done) {
    void *transaction = handle->transaction;
    int code;

    suite->error = no_error;
    handle->transaction = NULL;
    code = handle->methods.end(transaction, 1, &suite->error);
    *done = code != CANARY_E_BUSY;
    return !*done || worked(suite, code, "end(commit)");
}

int canary__suite_write(struct canary__suite *suite, struct canary__suite_handle *handle,
                        const canary_storage_row *row) {
    suite->error = no_error;
    return worked(suite, handle->methods.write(handle->transaction, row, &suite->error), "write");
}

int canary__suite_put(struct canary__suite *suite, struct canary__suite_handle *handle,
                      canary_storage_row *row) {
    int passed = canary__suite_write(suite, handle, row);

    free(row);
    return passed;
}

int canary__suite_remove(struct canary__suite *suite, struct canary__suite_handle *handle,
                         const canary_storage_row *row) {
    suite->error = no_error;
    return worked(
        suite, handle->methods.remove(handle->transaction, row->table, row->values, &suite->error),
        "remove");
}

int canary__suite_read(struct canary__suite *suite, struct canary__suite_handle *handle, int table,
                       const canary_storage_range *range, struct canary__suite_list *list) {
    canary_storage_range all = { (uint32_t)sizeof all, 0, 0, 0, 0, NULL, NULL, NULL };
    const char *name = canary_storage_table_get(table)->name;

    canary__suite_list_clear(list);
    list->table = table;
    suite->error = no_error;
    CANARY__SUITE_TRY(
        worked(suite,
               handle->methods.read(handle->transaction, table, range == NULL ? &all : range,
                                    canary__suite_list_sink, list, &suite->error),
               "read"));
    CANARY__SUITE_REQUIRE(suite, list->problem == NULL, "%s: %s", name, list->problem);
    CANARY__SUITE_REQUIRE(suite, list->after_stop == 0,
                          "%s: %zu rows came after the sink had ended the reading", name,
                          list->after_stop);
    return 1;
}

int canary__suite_holds(struct canary__suite *suite, struct canary__suite_handle *handle,
                        const canary_storage_row *wanted, const char *when) {
    const canary_storage_table *table = canary_storage_table_get(wanted->table);
    canary_storage_range range = {
        (uint32_t)sizeof range, table->key_count, 0, 0, 0, wanted->values, NULL, NULL
    };
    struct canary__suite_list list = { 0 };
    int passed = canary__suite_read(suite, handle, wanted->table, &range, &list);

    if (passed && list.count != 1) {
        passed = canary__suite_fail(suite, "%s: a full key found %zu rows %s", table->name,
                                    list.count, when);
    } else if (passed && !canary__suite_row_equal(list.rows[0], wanted)) {
        passed =
            canary__suite_fail(suite, "%s: a row is not what was written %s", table->name, when);
    }
    canary__suite_list_clear(&list);
    return passed;
}

int canary__suite_counts(struct canary__suite *suite, struct canary__suite_handle *handle,
                         int table, size_t count, const char *when) {
    struct canary__suite_list list = { 0 };
    int passed = canary__suite_begin(suite, handle, CANARY_STORAGE_READ) &&
                 canary__suite_read(suite, handle, table, NULL, &list) &&
                 canary__suite_end(suite, handle, 0);

    if (passed && list.count != count) {
        passed = canary__suite_fail(suite, "%s has %zu rows %s, %zu were expected",
                                    canary_storage_table_get(table)->name, list.count, when, count);
    }
    canary__suite_list_clear(&list);
    return passed;
}
