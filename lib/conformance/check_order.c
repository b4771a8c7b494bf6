/* SPDX-License-Identifier: MIT */
/* Rows come in the order of their keys, and of a range exactly those within. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conformance/suite.h"

enum { MANY = 20000 };

/* Every row beyond the one before it, in the reading direction. */
static int in_order(struct canary__suite *suite, const struct canary__suite_list *list,
                    int descending) {
    for (size_t i = 1; i < list->count; i++) {
        int order = canary__suite_row_compare(list->rows[i - 1], list->rows[i]);

        CANARY__SUITE_REQUIRE(suite, descending ? order > 0 : order < 0,
                              "%s: row %zu of %zu is out of order%s",
                              canary_storage_table_get(list->table)->name, i, list->count,
                              descending ? " (descending)" : "");
    }
    return 1;
}

/* The whole table has `count` rows, in order both ways. */
static int whole(struct canary__suite *suite, struct canary__suite_handle *handle, int table,
                 size_t count) {
    canary_storage_range down = { (uint32_t)sizeof down, 0, 1, 0, 0, NULL, NULL, NULL };
    struct canary__suite_list list = { 0 };
    int passed = canary__suite_begin(suite, handle, CANARY_STORAGE_READ) &&
                 canary__suite_read(suite, handle, table, NULL, &list) && in_order(suite, &list, 0);

    if (passed && list.count != count) {
        passed = canary__suite_fail(suite, "%zu rows came, %zu were written", list.count, count);
    }
    passed = passed && canary__suite_read(suite, handle, table, &down, &list) &&
             in_order(suite, &list, 1) && canary__suite_end(suite, handle, 0);
    if (passed && list.count != count) {
        passed = canary__suite_fail(suite, "%zu rows came downwards, %zu were written", list.count,
                                    count);
    }
    canary__suite_list_clear(&list);
    return passed;
}

int canary__suite_check_text_order(struct canary__suite *suite) {
    static const char *const names[] = { "b",   "a",  "aa",  "A",  "B",   "a.b",  "a-b",
                                         "a_b", "a0", "a10", "a9", "Z",   "zz",   "0",
                                         "~",   "ab", "aA",  "a.", "_ab", "a.b.c" };
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CANARY__SUITE_TRY(canary__suite_put(
            suite, handle,
            canary__suite_row_new(suite, suite->tables->numbers, names[i], 0, NULL, 0)));
    }
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    return whole(suite, handle, suite->tables->numbers, sizeof names / sizeof names[0]);
}

int canary__suite_check_blob_order(struct canary__suite *suite) {
    static const struct {
        const char *data;
        size_t size;
    } ids[] = { { "b", 1 },     { "a", 1 },        { "a\0", 2 },      { "a\0a", 3 },
                { "aa", 2 },    { "", 0 },         { "\0", 1 },       { "\xff", 1 },
                { "\x7f", 1 },  { "\x80", 1 },     { "\xff\xff", 2 }, { "\xff\x00", 2 },
                { "a\xff", 2 }, { "A", 1 },        { "10", 2 },       { "9", 1 },
                { "\0\0", 2 },  { "\xc3\xa4", 2 }, { "\n", 1 } };
    static const char *const names[] = { "a", "aa", "B", "a.b" };
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    for (size_t name = 0; name < 4; name++) {
        for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
            CANARY__SUITE_TRY(
                canary__suite_put(suite, handle,
                                  canary__suite_row_new(suite, CANARY_TABLE_OVERRIDES, names[name],
                                                        0, ids[i].data, ids[i].size)));
        }
    }
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    return whole(suite, handle, CANARY_TABLE_OVERRIDES, 4 * sizeof ids / sizeof ids[0]);
}

int canary__suite_check_integer_order(struct canary__suite *suite) {
    static const int64_t ids[] = { 10, 9, 1, 100, 2, 99, INT64_MAX, INT64_MAX - 1, 4294967296, 256,
                                   255, 65536, 11, 20,
                                   /* of measurements only */
                                   -1, 0, -2, INT64_MIN };
    size_t count = sizeof ids / sizeof ids[0] - (suite->measurements ? 0 : 4);
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    for (size_t i = 0; i < count; i++) {
        CANARY__SUITE_TRY(canary__suite_put(
            suite, handle, canary__suite_row_new(suite, suite->tables->rows, "", ids[i], NULL, 0)));
    }
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    return whole(suite, handle, suite->tables->rows, count);
}

/* What `range` must give of the rows `all`, which are in ascending order. */
static int compare_range(struct canary__suite *suite, struct canary__suite_handle *handle,
                         const struct canary__suite_list *all, const canary_storage_range *range) {
    struct canary__suite_list list = { 0 };
    size_t found = 0;
    int passed = canary__suite_read(suite, handle, all->table, range, &list);

    for (size_t i = 0; i < all->count && passed; i++) {
        canary_storage_row *row = all->rows[range->descending ? all->count - 1 - i : i];
        canary_storage_row *edge = canary__suite_row_clone(row);
        canary_storage_value *values = (canary_storage_value *)(edge + 1);
        int inside = 1;
        int order;

        if (range->limit != 0 && found == range->limit) {
            free(edge);
            break;
        }
        /* With the range's columns put into a copy, equal means they were equal before. */
        for (uint32_t column = 0; column < range->key_count; column++) {
            values[column] = range->key[column];
            inside = inside && canary__suite_row_compare(row, edge) == 0;
        }
        if (range->after != NULL && inside) {
            values[range->key_count] = *range->after;
            order = canary__suite_row_compare(row, edge);
            inside = range->descending ? order < 0 : order > 0;
        }
        if (inside) {
            passed = (found < list.count && canary__suite_row_equal(row, list.rows[found])) ||
                     canary__suite_fail(suite,
                                        "%s: row %zu of a range is missing or another one (%u key "
                                        "columns%s%s, limit %llu)",
                                        canary_storage_table_get(all->table)->name, found,
                                        range->key_count, range->after != NULL ? ", after" : "",
                                        range->descending ? ", descending" : "",
                                        (unsigned long long)range->limit);
            found++;
        }
        free(edge);
    }
    if (passed && found != list.count) {
        passed = canary__suite_fail(suite, "%s: a range gave %zu rows, %zu are in it",
                                    canary_storage_table_get(all->table)->name, list.count, found);
    }
    canary__suite_list_clear(&list);
    return passed;
}

/* Every combination of direction, limit and key, with and without `after`. */
static int all_ranges(struct canary__suite *suite, struct canary__suite_handle *handle,
                      const struct canary__suite_list *all) {
    static const uint64_t limits[] = { 0, 1, 2, 5, 1000000 };
    const canary_storage_table *table = canary_storage_table_get(all->table);

    for (uint32_t down = 0; down < 2; down++) {
        for (size_t limit = 0; limit < sizeof limits / sizeof limits[0]; limit++) {
            for (size_t i = 0; i < all->count; i += 3) {
                const canary_storage_value *key = all->rows[i]->values;

                for (uint32_t keys = 0; keys <= table->key_count; keys++) {
                    canary_storage_range range = { (uint32_t)sizeof range, keys, down, 0,
                                                   limits[limit],          key,  NULL, NULL };

                    CANARY__SUITE_TRY(compare_range(suite, handle, all, &range));
                    range.after = &key[keys];
                    if (keys < table->key_count) {
                        CANARY__SUITE_TRY(compare_range(suite, handle, all, &range));
                    }
                }
            }
        }
    }
    return 1;
}

int canary__suite_check_ranges(struct canary__suite *suite) {
    /* Names that a sloppy prefix comparison would mix. */
    static const char *const names[] = { "a", "a.", "aa", "b", "A", "a%", "a_" };
    static const char *const ids[] = { "1", "10", "2", "x", "x%", "X" };
    struct canary__suite_handle *handle;
    canary_storage_value nobody = { CANARY_VALUE_TEXT, 0, 0, "nobody", 6 };
    canary_storage_range range = { (uint32_t)sizeof range, 1, 0, 0, 0, &nobody, NULL, NULL };
    struct canary__suite_list all = { 0 };
    int passed = 1;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    for (int name = 0; name < 7; name++) {
        for (int i = 0; i < 6; i++) {
            for (int table = suite->tables->first; table <= suite->tables->last; table++) {
                int number = table == CANARY_TABLE_CHANGES ? name * 6 + i + 1 : i * 7;

                CANARY__SUITE_TRY(
                    canary__suite_put(suite, handle,
                                      canary__suite_row_new(suite, table, names[name], number,
                                                            ids[i], strlen(ids[i]))));
            }
        }
    }
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_READ));
    for (int table = suite->tables->first; table <= suite->tables->last && passed; table++) {
        passed =
            canary__suite_read(suite, handle, table, NULL, &all) && all_ranges(suite, handle, &all);
        if (passed && canary_storage_table_get(table)->types[0] == CANARY_VALUE_TEXT) {
            passed = compare_range(suite, handle, &all, &range);
        }
    }
    canary__suite_list_clear(&all);
    return passed && canary__suite_end(suite, handle, 0);
}

int canary__suite_check_early_end(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    struct canary__suite_list list = { 0 };
    int passed = 1;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    for (int i = 1; i <= 10; i++) {
        CANARY__SUITE_TRY(canary__suite_put(
            suite, handle, canary__suite_row_new(suite, suite->tables->rows, "", i, NULL, 0)));
    }
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_READ));
    for (size_t stop = 1; stop <= 3 && passed; stop++) {
        list.stop_after = stop;
        passed = canary__suite_read(suite, handle, suite->tables->rows, NULL, &list);
        if (passed && list.count != stop) {
            passed = canary__suite_fail(suite, "%zu rows came, the sink ended the reading at %zu",
                                        list.count, stop);
        }
    }
    list.stop_after = 0;
    passed = passed && canary__suite_read(suite, handle, suite->tables->rows, NULL, &list);
    if (passed && list.count != 10) {
        passed = canary__suite_fail(suite, "after an early end a full reading gave %zu rows of 10",
                                    list.count);
    }
    canary__suite_list_clear(&list);
    return passed && canary__suite_end(suite, handle, 0);
}

static double milliseconds(void) {
    struct timespec now = { 0, 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int canary__suite_check_large(struct canary__suite *suite) {
    int table = suite->measurements ? CANARY_TABLE_TICKS : CANARY_TABLE_OVERRIDES;
    struct canary__suite_handle *handle;
    double start;
    double written;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    start = milliseconds();
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    for (uint64_t i = 0; i < MANY; i++) {
        char id[32];
        /* An odd factor, so that the keys come in no order and none twice. */
        unsigned int key = (unsigned int)(i * 2654435761u);
        int length = snprintf(id, sizeof id, "%08x", key);

        CANARY__SUITE_TRY(canary__suite_put(
            suite, handle,
            canary__suite_row_new(suite, table, "large", (int64_t)key, id, (size_t)length)));
    }
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    written = milliseconds();
    CANARY__SUITE_TRY(whole(suite, handle, table, MANY));
    canary__suite_fail(suite, "%d rows written in %.0f ms, read twice in %.0f ms", MANY,
                       written - start, milliseconds() - written);
    return 1;
}
