/* SPDX-License-Identifier: MIT */
/* All or nothing, alone, and one state: what one process can see of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conformance/suite.h"

static int commit_number(struct canary__suite *suite, struct canary__suite_handle *handle,
                         const char *name, int64_t at) {
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(canary__suite_put(suite, handle, canary__suite_row_number(suite, name, at)));
    return canary__suite_end(suite, handle, 1);
}

int canary__suite_check_own_reads(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    struct canary__suite_list list = { 0 };
    canary_storage_row *removed;
    int passed;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(commit_number(suite, handle, "a", 1));
    CANARY__SUITE_TRY(commit_number(suite, handle, "b", 1));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(canary__suite_put(suite, handle, canary__suite_row_number(suite, "a", 2)));
    CANARY__SUITE_TRY(canary__suite_put(suite, handle, canary__suite_row_number(suite, "c", 2)));
    removed = canary__suite_row_number(suite, "b", 1);
    passed = canary__suite_remove(suite, handle, removed) &&
             canary__suite_read(suite, handle, suite->tables->numbers, NULL, &list);
    free(removed);
    if (passed && (list.count != 2 ||
                   canary__suite_row_value(list.rows[0], suite->tables->number)->integer != 2 ||
                   memcmp(list.rows[1]->values[0].data, "c", 2) != 0)) {
        passed =
            canary__suite_fail(suite, "a write transaction does not read what it has replaced, "
                                      "added and removed");
    }
    canary__suite_list_clear(&list);
    return passed && canary__suite_end(suite, handle, 1) &&
           canary__suite_counts(suite, handle, suite->tables->numbers, 2, "after the commit");
}

int canary__suite_check_rollback(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    canary_storage_row *kept = canary__suite_row_number(suite, "kept", 1);
    canary_storage_row *replaced = canary__suite_row_number(suite, "replaced", 1);
    int passed = canary__suite_open(suite, 1, &handle) &&
                 canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE) &&
                 canary__suite_write(suite, handle, kept) &&
                 canary__suite_write(suite, handle, replaced) &&
                 canary__suite_end(suite, handle, 1);

    for (int round = 0; round < 3 && passed; round++) {
        passed = canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE) &&
                 canary__suite_put(suite, handle, canary__suite_row_number(suite, "added", 2)) &&
                 canary__suite_put(suite, handle, canary__suite_row_number(suite, "replaced", 2)) &&
                 canary__suite_put(suite, handle, canary__suite_row_number(suite, "replaced", 3)) &&
                 canary__suite_remove(suite, handle, kept) &&
                 canary__suite_put(
                     suite, handle,
                     canary__suite_row_new(suite, suite->tables->rows, "", round + 1, NULL, 0));
        /* Put back after the removal, and removed again: undone in the right order? */
        passed =
            passed &&
            canary__suite_put(suite, handle, canary__suite_row_number(suite, "kept", 2)) &&
            canary__suite_remove(suite, handle, kept) && canary__suite_end(suite, handle, 0) &&
            canary__suite_counts(suite, handle, suite->tables->numbers, 2, "after a rollback") &&
            canary__suite_counts(suite, handle, suite->tables->rows, 0, "after a rollback") &&
            canary__suite_begin(suite, handle, CANARY_STORAGE_READ) &&
            canary__suite_holds(suite, handle, kept, "after a rollback") &&
            canary__suite_holds(suite, handle, replaced, "after a rollback") &&
            canary__suite_end(suite, handle, 0);
    }
    free(kept);
    free(replaced);
    return passed;
}

int canary__suite_check_persistence(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    canary_storage_row *rows[CANARY__SUITE_TABLES] = { NULL };
    int first = suite->tables->first;
    int passed = canary__suite_open(suite, 1, &handle) &&
                 canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE);

    for (int table = first; table <= suite->tables->last; table++) {
        rows[table - first] = canary__suite_row_new(suite, table, "kept", 1, "\0\xff", 2);
        passed = passed && canary__suite_write(suite, handle, rows[table - first]);
    }
    passed = passed && canary__suite_end(suite, handle, 1);
    canary__suite_close_all(suite);
    passed = passed && canary__suite_open(suite, 0, &handle) &&
             canary__suite_begin(suite, handle, CANARY_STORAGE_READ);
    for (int table = first; table <= suite->tables->last; table++) {
        passed = passed && canary__suite_holds(suite, handle, rows[table - first],
                                               "after closing and opening");
        free(rows[table - first]);
    }
    passed = passed && canary__suite_end(suite, handle, 0);
    canary__suite_close_all(suite);
    return passed && canary__suite_open(suite, 1, &handle) &&
           canary__suite_counts(suite, handle, suite->tables->numbers, 0, "when opened fresh");
}

int canary__suite_check_isolation(struct canary__suite *suite) {
    struct canary__suite_handle *writer;
    struct canary__suite_handle *reader;
    struct canary__suite_list list = { 0 };
    int code;
    int passed = canary__suite_open(suite, 1, &writer) && canary__suite_open(suite, 0, &reader) &&
                 commit_number(suite, writer, "a", 1) &&
                 canary__suite_counts(suite, reader, suite->tables->numbers, 1,
                                      "in another handle after a commit") &&
                 canary__suite_begin(suite, writer, CANARY_STORAGE_WRITE) &&
                 canary__suite_put(suite, writer, canary__suite_row_number(suite, "a", 2)) &&
                 canary__suite_put(suite, writer, canary__suite_row_number(suite, "b", 2));

    CANARY__SUITE_TRY(passed);
    /* A reader may be kept out by a writer, but may not see what is not committed. */
    code = reader->methods.begin(reader->store, CANARY_STORAGE_READ, &reader->transaction,
                                 &suite->error);
    if (code == CANARY_OK) {
        passed = canary__suite_read(suite, reader, suite->tables->numbers, NULL, &list);
        if (passed &&
            (list.count != 1 ||
             canary__suite_row_value(list.rows[0], suite->tables->number)->integer != 1)) {
            passed = canary__suite_fail(suite, "a reader sees what is not committed");
        }
        canary__suite_list_clear(&list);
        passed = passed && canary__suite_end(suite, reader, 0);
    } else {
        reader->transaction = NULL;
        passed = canary__suite_refused(suite, code, CANARY_E_BUSY, "begin(READ) beside a writer");
    }
    return passed && canary__suite_end(suite, writer, 1) &&
           canary__suite_counts(suite, reader, suite->tables->numbers, 2,
                                "in another handle after the commit");
}

static double seconds(void) {
    struct timespec now = { 0, 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int canary__suite_check_exclusion(struct canary__suite *suite) {
    struct canary__suite_handle *first;
    struct canary__suite_handle *second;
    double start;
    double took;
    int code;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &first));
    CANARY__SUITE_TRY(canary__suite_open(suite, 0, &second));
    for (int ending = 0; ending < 2; ending++) {
        CANARY__SUITE_TRY(canary__suite_begin(suite, first, CANARY_STORAGE_WRITE));
        start = seconds();
        code = second->methods.begin(second->store, CANARY_STORAGE_WRITE, &second->transaction,
                                     &suite->error);
        took = seconds() - start;
        if (code != CANARY_OK) {
            second->transaction = NULL;
        }
        CANARY__SUITE_TRY(canary__suite_refused(suite, code, CANARY_E_BUSY,
                                                "begin(WRITE) beside another writer"));
        CANARY__SUITE_REQUIRE(
            suite, took < 1.0,
            "begin(WRITE) took %.1f s to say BUSY; it must not wait, libcanary does", took);
        CANARY__SUITE_TRY(
            canary__suite_put(suite, first, canary__suite_row_number(suite, "first", ending)));
        CANARY__SUITE_TRY(canary__suite_end(suite, first, ending));
        CANARY__SUITE_TRY(commit_number(suite, second, "second", ending));
    }
    return canary__suite_counts(suite, first, suite->tables->numbers, 2, "after both have written");
}
