/* SPDX-License-Identifier: MIT */
/* Rows go in and come out byte for byte; keys replace; the trail is only added to. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/suite.h"

int canary__suite_check_methods(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    const canary_storage_methods *methods;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    methods = &handle->methods;
    CANARY__SUITE_REQUIRE(suite, methods->size >= offsetof(canary_storage_methods, token),
                          "size is %u, at least %zu is needed", methods->size,
                          offsetof(canary_storage_methods, token));
    CANARY__SUITE_REQUIRE(
        suite, methods->version >= 1 && methods->version <= CANARY_STORAGE_VERSION,
        "version is %u, 1 to %d are known", methods->version, CANARY_STORAGE_VERSION);
    CANARY__SUITE_REQUIRE(suite,
                          methods->begin && methods->read && methods->write && methods->remove &&
                              methods->end && methods->close,
                          "begin, read, write, remove, end and close are required");
    CANARY__SUITE_REQUIRE(
        suite, methods->name != NULL && methods->name[0] != '\0' && strlen(methods->name) <= 15,
        "name must have 1 to 15 bytes");
    return 1;
}

int canary__suite_check_empty(struct canary__suite *suite) {
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    for (int table = suite->tables->first; table <= suite->tables->last; table++) {
        CANARY__SUITE_TRY(canary__suite_counts(suite, handle, table, 0, "in a new store"));
    }
    return 1;
}

/* Writes the row, and finds it in the same transaction and in the next. */
static int round_trip(struct canary__suite *suite, struct canary__suite_handle *handle,
                      const canary_storage_row *row) {
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(canary__suite_write(suite, handle, row));
    CANARY__SUITE_TRY(canary__suite_holds(suite, handle, row, "in the transaction that wrote it"));
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_READ));
    CANARY__SUITE_TRY(canary__suite_holds(suite, handle, row, "after the commit"));
    return canary__suite_end(suite, handle, 0);
}

static int round_trip_and_free(struct canary__suite *suite, struct canary__suite_handle *handle,
                               canary_storage_row *row) {
    int passed = round_trip(suite, handle, row);

    free(row);
    return passed;
}

int canary__suite_check_round_trip(struct canary__suite *suite) {
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    for (int table = suite->tables->first; table <= suite->tables->last; table++) {
        for (int i = 1; i <= 5; i++) {
            char name[16];

            snprintf(name, sizeof name, "row.%d", i);
            CANARY__SUITE_TRY(round_trip_and_free(
                suite, handle, canary__suite_row_new(suite, table, name, i, name, strlen(name))));
        }
        CANARY__SUITE_TRY(canary__suite_counts(suite, handle, table, 5, "after five rows"));
    }
    return 1;
}

int canary__suite_check_blobs(struct canary__suite *suite) {
    static const size_t sizes[] = { 0, 1, 2, 255, 256, 4095, 4096, 1 << 20 };
    static unsigned char bytes[1 << 20];
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    for (int fill = 0; fill < 3; fill++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            /* Zeros; every byte value; bytes that no UTF-8 holds. */
            bytes[i] = fill == 0 ? 0 : fill == 1 ? (unsigned char)i : 0xff;
        }
        /* Ids of users are keys, and short; figures are not keys, and some are long. */
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] - !suite->measurements; i++) {
            CANARY__SUITE_TRY(round_trip_and_free(
                suite, handle,
                canary__suite_row_new(
                    suite, suite->measurements ? CANARY_TABLE_SUBJECTS : CANARY_TABLE_OVERRIDES,
                    "blobs", fill, bytes, sizes[i])));
        }
    }
    if (suite->measurements) {
        return canary__suite_counts(suite, handle, CANARY_TABLE_SUBJECTS, 3,
                                    "after blobs of 0 bytes to 1 MiB");
    }
    /* The empty one, and the byte zero of the first two fills, are the same keys. */
    return canary__suite_counts(suite, handle, CANARY_TABLE_OVERRIDES, 7 + 5 + 6,
                                "after blobs of 0 to 4096 bytes");
}

/* A row with this text in a column. */
static int text_trip(struct canary__suite *suite, struct canary__suite_handle *handle, int table,
                     int64_t number, const char *column, const char *data, size_t size) {
    canary_storage_row *row = canary__suite_row_new(suite, table, "texts", number, NULL, 0);
    canary_storage_value *value = canary__suite_row_value(row, column);

    value->data = data;
    value->size = size;
    return round_trip_and_free(suite, handle, row);
}

int canary__suite_check_texts(struct canary__suite *suite) {
    static const char utf8[] = "z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x90\xa4 \x7f\t\"'\\`;--%s";
    static char longest[65536 + 1];
    int table = suite->measurements ? CANARY_TABLE_BASELINES : CANARY_TABLE_CHANGES;
    const char *longer = suite->measurements ? "note" : "evidence";
    struct canary__suite_handle *handle;

    memset(longest, 'e', 65536);
    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(text_trip(suite, handle, table, 1, longer, longest, 65536));
    CANARY__SUITE_TRY(text_trip(suite, handle, table, 2, longer, "", 0));
    CANARY__SUITE_TRY(text_trip(suite, handle, table, 3, "note", utf8, sizeof utf8 - 1));
    /* A text ends where its size says, whatever stands behind. */
    CANARY__SUITE_TRY(text_trip(suite, handle, table, 4, "note", "note and more", 4));
    return canary__suite_counts(suite, handle, table, 4, "after four");
}

static int integer_trip(struct canary__suite *suite, struct canary__suite_handle *handle, int table,
                        int64_t key, const char *column, int64_t number) {
    canary_storage_row *row = canary__suite_row_new(suite, table, "extremes", key, NULL, 0);

    canary__suite_row_value(row, column)->integer = number;
    return round_trip_and_free(suite, handle, row);
}

int canary__suite_check_integers(struct canary__suite *suite) {
    static const int64_t extremes[] = {
        0,         1,         -1, INT32_MAX, INT32_MIN, (int64_t)1 << 53, ((int64_t)1 << 53) + 1,
        INT64_MAX, INT64_MIN,
    };
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
        if (suite->measurements) {
            CANARY__SUITE_TRY(integer_trip(suite, handle, CANARY_TABLE_TICKS, extremes[i],
                                           "requests_new", extremes[i]));
        } else {
            CANARY__SUITE_TRY(integer_trip(suite, handle, CANARY_TABLE_STAGES, (int64_t)i,
                                           "dwell_ns", extremes[i]));
            CANARY__SUITE_TRY(
                integer_trip(suite, handle, CANARY_TABLE_ROLLOUTS, 0, "updated_at", extremes[i]));
            CANARY__SUITE_TRY(
                integer_trip(suite, handle, CANARY_TABLE_ROLLOUTS, 0, "revision", extremes[i]));
        }
    }
    return round_trip_and_free(
        suite, handle, canary__suite_row_new(suite, suite->tables->rows, "", INT64_MAX, NULL, 0));
}

int canary__suite_check_replace(struct canary__suite *suite) {
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    for (int table = suite->tables->first; table <= suite->tables->last; table++) {
        for (int i = 0; i < 4 && table != CANARY_TABLE_CHANGES; i++) {
            CANARY__SUITE_TRY(round_trip_and_free(
                suite, handle, canary__suite_row_new(suite, table, "same", 3, "same", 4)));
        }
        CANARY__SUITE_TRY(canary__suite_counts(suite, handle, table,
                                               table == CANARY_TABLE_CHANGES ? 0 : 1,
                                               "after four rows with the same key"));
    }
    return 1;
}

static int remove_one(struct canary__suite *suite, struct canary__suite_handle *handle, int table) {
    canary_storage_row *gone = canary__suite_row_new(suite, table, "gone", 3, "gone", 4);
    canary_storage_row *stays = canary__suite_row_new(suite, table, "gone.not", 3, "gone.not", 8);
    int code;
    int passed = canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE) &&
                 canary__suite_write(suite, handle, gone) &&
                 canary__suite_write(suite, handle, stays) && canary__suite_end(suite, handle, 1) &&
                 canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE) &&
                 canary__suite_remove(suite, handle, gone);

    if (passed) {
        code = handle->methods.remove(handle->transaction, table, gone->values, &suite->error);
        passed = canary__suite_refused(suite, code, CANARY_E_NOT_FOUND,
                                       "remove of a row that is removed already") &&
                 canary__suite_end(suite, handle, 1) &&
                 canary__suite_counts(suite, handle, table, 1, "after one of two was removed") &&
                 canary__suite_begin(suite, handle, CANARY_STORAGE_READ) &&
                 canary__suite_holds(suite, handle, stays, "after another was removed") &&
                 canary__suite_end(suite, handle, 0);
    }
    free(gone);
    free(stays);
    return passed;
}

int canary__suite_check_remove(struct canary__suite *suite) {
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    for (int table = suite->tables->first; table <= suite->tables->last; table++) {
        CANARY__SUITE_TRY(table == CANARY_TABLE_CHANGES || remove_one(suite, handle, table));
    }
    return 1;
}

int canary__suite_check_append_only(struct canary__suite *suite) {
    canary_storage_row *first = canary__suite_row_new(suite, CANARY_TABLE_CHANGES, "a", 1, NULL, 0);
    canary_storage_row *second =
        canary__suite_row_new(suite, CANARY_TABLE_CHANGES, "b", 1, NULL, 0);
    struct canary__suite_handle *handle;
    int code;
    int passed = canary__suite_open(suite, 1, &handle) && round_trip(suite, handle, first) &&
                 canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE);

    if (passed) {
        code = handle->methods.write(handle->transaction, second, &suite->error);
        passed = canary__suite_refused(suite, code, CANARY_E_CONFLICT,
                                       "write of a change whose id exists") &&
                 canary__suite_end(suite, handle, 0) &&
                 canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE);
    }
    if (passed) {
        code = handle->methods.remove(handle->transaction, CANARY_TABLE_CHANGES, first->values,
                                      &suite->error);
        passed =
            code != CANARY_OK || canary__suite_fail(suite, "a row of the trail could be removed");
    }
    passed = passed && canary__suite_end(suite, handle, 0) &&
             canary__suite_begin(suite, handle, CANARY_STORAGE_READ) &&
             canary__suite_holds(suite, handle, first, "after attempts to replace and remove it") &&
             canary__suite_end(suite, handle, 0);
    free(first);
    free(second);
    return passed;
}
