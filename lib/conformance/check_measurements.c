/* SPDX-License-Identifier: MIT */
/* The store of measurements beside a store: how it comes to be, and that it is another one. */
#include <stdlib.h>
#include <string.h>

#include "conformance/suite.h"

/* A handle on the decisions alone. */
static int open_decisions(struct canary__suite *suite, int fresh,
                          struct canary__suite_handle **out) {
    int passed;

    suite->measurements = 0;
    passed = canary__suite_open(suite, fresh, out);
    suite->measurements = 1;
    return passed;
}

static int measure(struct canary__suite *suite, struct canary__suite_handle *decisions,
                   struct canary__suite_handle **out) {
    int code = canary__suite_measure(suite, decisions, 1, 0, out);

    CANARY__SUITE_REQUIRE(suite, code == CANARY_OK, "measurements(create) returned %s: %s",
                          canary_error_name(code), suite->error.message);
    return 1;
}

static int put_number(struct canary__suite *suite, struct canary__suite_handle *handle,
                      const char *name) {
    return canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE) &&
           canary__suite_put(suite, handle, canary__suite_row_number(suite, name, 1)) &&
           canary__suite_end(suite, handle, 1);
}

int canary__suite_check_making(struct canary__suite *suite) {
    struct canary__suite_handle *decisions;
    struct canary__suite_handle *made;
    struct canary__suite_handle *found;
    int code;

    CANARY__SUITE_TRY(open_decisions(suite, 1, &decisions));
    code = canary__suite_measure(suite, decisions, 0, 0, &found);
    CANARY__SUITE_TRY(canary__suite_refused(suite, code, CANARY_E_NO_STORE,
                                            "measurements of a new store, not to be created,"));
    CANARY__SUITE_TRY(measure(suite, decisions, &made));
    code = made->methods.begin(made->store, CANARY_STORAGE_READ, &made->transaction, &suite->error);
    if (code == CANARY_OK) {
        CANARY__SUITE_TRY(canary__suite_end(suite, made, 0));
    } else {
        made->transaction = NULL;
        CANARY__SUITE_TRY(canary__suite_refused(suite, code, CANARY_E_NO_STORE,
                                                "begin(READ) before the first begin(WRITE)"));
    }
    CANARY__SUITE_TRY(put_number(suite, made, "a"));
    CANARY__SUITE_TRY(canary__suite_counts(suite, made, suite->tables->numbers, 1, "after one"));
    code = canary__suite_measure(suite, decisions, 0, 0, &found);
    CANARY__SUITE_REQUIRE(suite, code == CANARY_OK,
                          "measurements that are there cannot be opened: %s: %s",
                          canary_error_name(code), suite->error.message);
    return canary__suite_counts(suite, found, suite->tables->numbers, 1, "when opened again");
}

int canary__suite_check_sharing(struct canary__suite *suite) {
    struct canary__suite_handle *decisions;
    struct canary__suite_handle *first;
    struct canary__suite_handle *second;

    CANARY__SUITE_TRY(open_decisions(suite, 1, &decisions));
    CANARY__SUITE_TRY(measure(suite, decisions, &first));
    CANARY__SUITE_TRY(measure(suite, decisions, &second));
    CANARY__SUITE_TRY(put_number(suite, first, "a"));
    CANARY__SUITE_TRY(put_number(suite, second, "b"));
    CANARY__SUITE_TRY(canary__suite_counts(suite, first, suite->tables->numbers, 2,
                                           "after each of two handles has written one"));
    canary__suite_close(first);
    CANARY__SUITE_TRY(put_number(suite, second, "c"));
    /* It may be closed after the store that it is beside. */
    canary__suite_close(decisions);
    CANARY__SUITE_TRY(put_number(suite, second, "d"));
    return canary__suite_counts(suite, second, suite->tables->numbers, 4,
                                "after its store was closed");
}

/* A flag of the decisions, whatever the suite is at. */
static int put_flag(struct canary__suite *suite, struct canary__suite_handle *handle) {
    return canary__suite_put(suite, handle,
                             canary__suite_row_new(suite, CANARY_TABLE_FLAGS, "flag", 0, NULL, 0));
}

int canary__suite_check_apart(struct canary__suite *suite) {
    struct canary__suite_handle *decisions;
    struct canary__suite_handle *figures;

    CANARY__SUITE_TRY(open_decisions(suite, 1, &decisions));
    CANARY__SUITE_TRY(measure(suite, decisions, &figures));
    CANARY__SUITE_TRY(put_number(suite, figures, "a"));
    /* A change is made while figures are being written, and the other way round. */
    CANARY__SUITE_TRY(canary__suite_begin(suite, figures, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(canary__suite_put(suite, figures, canary__suite_row_number(suite, "b", 1)));
    CANARY__SUITE_TRY(canary__suite_begin(suite, decisions, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(put_flag(suite, decisions));
    CANARY__SUITE_TRY(canary__suite_end(suite, decisions, 1));
    CANARY__SUITE_TRY(canary__suite_begin(suite, decisions, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(put_flag(suite, decisions));
    CANARY__SUITE_TRY(canary__suite_end(suite, figures, 1));
    CANARY__SUITE_TRY(canary__suite_end(suite, decisions, 0));
    CANARY__SUITE_TRY(canary__suite_counts(suite, figures, suite->tables->numbers, 2,
                                           "after a change was taken back"));
    return canary__suite_counts(suite, decisions, CANARY_TABLE_FLAGS, 1,
                                "beside two committed measurements");
}
