/* SPDX-License-Identifier: MIT */
/* Random operations against a model: a sorted list of rows, which is plainly right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/suite.h"

enum { TRANSACTIONS = 120, OPERATIONS = 12, ROWS = 400 };

_Static_assert(CANARY_TABLE_LAST_MEASUREMENT - CANARY_TABLE_FIRST_MEASUREMENT <
                       CANARY__SUITE_TABLES &&
                   CANARY_TABLE_COUNT <= CANARY__SUITE_TABLES,
               "room for the tables of either");

struct model {
    int first; /* table */
    canary_storage_row *rows[CANARY__SUITE_TABLES][ROWS];
    size_t count[CANARY__SUITE_TABLES];
};

static void clear(struct model *model) {
    for (int table = 0; table < CANARY__SUITE_TABLES; table++) {
        for (size_t i = 0; i < model->count[table]; i++) {
            free(model->rows[table][i]);
        }
        model->count[table] = 0;
    }
}

static void copy(struct model *to, const struct model *from) {
    clear(to);
    for (int table = 0; table < CANARY__SUITE_TABLES; table++) {
        for (size_t i = 0; i < from->count[table]; i++) {
            to->rows[table][i] = canary__suite_row_clone(from->rows[table][i]);
        }
        to->count[table] = from->count[table];
    }
}

/* Where the row with this key is or would be; `*found` tells which. */
static size_t place(const struct model *model, const canary_storage_row *row, int *found) {
    canary_storage_row *const *rows = model->rows[row->table - model->first];
    size_t i = 0;

    while (i < model->count[row->table - model->first] &&
           canary__suite_row_compare(rows[i], row) < 0) {
        i++;
    }
    *found =
        i < model->count[row->table - model->first] && canary__suite_row_compare(rows[i], row) == 0;
    return i;
}

static void put(struct model *model, canary_storage_row *row) {
    canary_storage_row **rows = model->rows[row->table - model->first];
    size_t *count = &model->count[row->table - model->first];
    int found;
    size_t i = place(model, row, &found);

    if (found) {
        free(rows[i]);
    } else {
        memmove(rows + i + 1, rows + i, (*count - i) * sizeof *rows);
        ++*count;
    }
    rows[i] = row;
}

static void take(struct model *model, const canary_storage_row *row) {
    canary_storage_row **rows = model->rows[row->table - model->first];
    size_t *count = &model->count[row->table - model->first];
    int found;
    size_t i = place(model, row, &found);

    if (found) {
        free(rows[i]);
        memmove(rows + i, rows + i + 1, (*count - i - 1) * sizeof *rows);
        --*count;
    }
}

/* Few keys, so that they meet. */
static canary_storage_row *random_row(struct canary__suite *suite) {
    static const char *const names[] = { "a", "aa", "b", "a.b", "B" };
    const struct canary__suite_tables *tables = suite->tables;
    uint64_t count = (uint64_t)tables->last - (uint64_t)tables->first + 1;
    int table = tables->first + (int)canary__suite_below(suite, count);
    unsigned char id[3];
    int64_t number = (int64_t)canary__suite_below(suite, 6);

    for (size_t i = 0; i < sizeof id; i++) {
        id[i] = canary__suite_below(suite, 2) == 0 ? 0 : 0xfe;
    }
    return canary__suite_row_new(
        suite, table, names[canary__suite_below(suite, 5)],
        table == CANARY_TABLE_CHANGES ? 1 + (int64_t)canary__suite_below(suite, ROWS / 2) : number,
        id, canary__suite_below(suite, 4));
}

static int same(struct canary__suite *suite, struct canary__suite_handle *handle,
                const struct model *model, const char *when) {
    struct canary__suite_list list = { 0 };
    int passed = 1;

    for (int table = model->first; table <= suite->tables->last && passed; table++) {
        const char *name = canary_storage_table_get(table)->name;

        passed = canary__suite_read(suite, handle, table, NULL, &list);
        if (passed && list.count != model->count[table - model->first]) {
            passed = canary__suite_fail(suite, "%s has %zu rows %s, %zu were expected", name,
                                        list.count, when, model->count[table - model->first]);
        }
        for (size_t i = 0; i < list.count && passed; i++) {
            if (!canary__suite_row_equal(list.rows[i], model->rows[table - model->first][i])) {
                passed = canary__suite_fail(suite, "%s: row %zu differs %s", name, i, when);
            }
        }
    }
    canary__suite_list_clear(&list);
    return passed;
}

static int operate(struct canary__suite *suite, struct canary__suite_handle *handle,
                   struct model *model) {
    canary_storage_row *row = random_row(suite);
    int append_only = row->table == CANARY_TABLE_CHANGES;
    int found;
    int passed;

    place(model, row, &found);
    if (!append_only && canary__suite_below(suite, 3) == 0) {
        int code =
            handle->methods.remove(handle->transaction, row->table, row->values, &suite->error);

        passed = found ? code == CANARY_OK ||
                             canary__suite_fail(suite, "remove of a row that is there returned %s",
                                                canary_error_name(code))
                       : canary__suite_refused(suite, code, CANARY_E_NOT_FOUND,
                                               "remove of a row that is not there");
        take(model, row);
        free(row);
        return passed;
    }
    if (append_only && found) {
        free(row);
        return 1;
    }
    passed = canary__suite_write(suite, handle, row);
    put(model, row);
    return passed;
}

static int run(struct canary__suite *suite, struct model *committed, struct model *working) {
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    for (int i = 0; i < TRANSACTIONS; i++) {
        int commit = canary__suite_below(suite, 3) != 0;
        uint64_t operations = canary__suite_below(suite, OPERATIONS);

        copy(working, committed);
        CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
        for (uint64_t j = 0; j < operations; j++) {
            CANARY__SUITE_TRY(operate(suite, handle, working));
        }
        CANARY__SUITE_TRY(same(suite, handle, working, "within the transaction"));
        CANARY__SUITE_TRY(canary__suite_end(suite, handle, commit));
        if (commit) {
            copy(committed, working);
        }
        if ((suite->config.flags & CANARY_CONFORMANCE_ONE_HANDLE) == 0 && i % 10 == 9) {
            canary__suite_close_all(suite);
            CANARY__SUITE_TRY(canary__suite_open(suite, 0, &handle));
        }
        CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_READ));
        CANARY__SUITE_TRY(
            same(suite, handle, committed, commit ? "after a commit" : "after a rollback"));
        CANARY__SUITE_TRY(canary__suite_end(suite, handle, 0));
    }
    return 1;
}

int canary__suite_check_random(struct canary__suite *suite) {
    struct model *models = calloc(2, sizeof *models);
    int passed;

    if (models == NULL) {
        return canary__suite_fail(suite, "no memory for the model");
    }
    models[0].first = suite->tables->first;
    models[1].first = suite->tables->first;
    passed = run(suite, &models[0], &models[1]);
    clear(&models[0]);
    clear(&models[1]);
    free(models);
    return passed;
}
