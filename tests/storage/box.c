/* SPDX-License-Identifier: MIT */
#include "box.h"

#include <stdlib.h>
#include <string.h>

#include "conformance/suite.h"

struct rows {
    canary_storage_row **rows;
    size_t count;
};

struct box {
    struct rows kept;
    struct rows written;
    struct box *measurements;
    int writing;
    int users;
};

static void clear(struct rows *rows) {
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->rows[i]);
    }
    free(rows->rows);
    *rows = (struct rows){ NULL, 0 };
}

static int begin(void *store, int mode, void **transaction, canary_error *error) {
    struct box *box = store;

    if (box->writing) {
        return canary_storage_fail(error, CANARY_E_BUSY, 0, "the box is open already");
    }
    box->writing = mode == CANARY_STORAGE_WRITE;
    *transaction = box;
    return 0;
}

/* The last row first: no order is promised. */
static int read_rows(void *transaction, int table, const canary_storage_range *range,
                     canary_storage_sink sink, void *user_data, canary_error *error) {
    struct box *box = transaction;

    (void)range;
    (void)error;
    for (size_t i = box->kept.count; i > 0; i--) {
        if (box->kept.rows[i - 1]->table == table && sink(user_data, box->kept.rows[i - 1]) != 0) {
            break;
        }
    }
    return 0;
}

static int write_row(void *transaction, const canary_storage_row *row, canary_error *error) {
    struct rows *written = &((struct box *)transaction)->written;
    canary_storage_row **rows =
        realloc(written->rows, (written->count + 1) * sizeof *written->rows);

    if (rows == NULL) {
        return canary_storage_fail(error, CANARY_E_NOMEM, 0, "no memory for a row");
    }
    written->rows = rows;
    rows[written->count++] = canary__suite_row_clone(row);
    return 0;
}

static int end(void *transaction, int commit, canary_error *error) {
    struct box *box = transaction;

    (void)error;
    if (commit) {
        clear(&box->kept);
        box->kept = box->written;
        box->written = (struct rows){ NULL, 0 };
    }
    clear(&box->written);
    box->writing = 0;
    return 0;
}

static void close_box(void *store) {
    struct box *box = store;

    if (box == NULL || --box->users > 0) {
        return;
    }
    close_box(box->measurements);
    clear(&box->kept);
    free(box);
}

static const canary_storage_methods box_methods = {
    .size = (uint32_t)sizeof box_methods,
    .version = CANARY_STORAGE_VERSION,
    .name = "box",
    .begin = begin,
    .read = read_rows,
    .write = write_row,
    .end = end,
    .close = close_box,
};

static struct box *new_box(void) {
    struct box *box = calloc(1, sizeof *box);

    if (box != NULL) {
        box->users = 1;
    }
    return box;
}

static int measurements(void *store, int create, canary_storage_methods *methods,
                        void **implementation, canary_error *error) {
    struct box *box = store;

    if (box->measurements == NULL && !create) {
        return canary_storage_fail(error, CANARY_E_NO_STORE, 0, "nothing was recorded yet");
    }
    if (box->measurements == NULL) {
        box->measurements = new_box();
    }
    if (box->measurements == NULL) {
        return canary_storage_fail(error, CANARY_E_NOMEM, 0, "no memory for a box");
    }
    box->measurements->users++;
    *methods = box_methods;
    *implementation = box->measurements;
    return 0;
}

int box_open(canary_storage_methods *methods, void **implementation, canary_error *error) {
    struct box *box = new_box();
    int code;

    if (box == NULL) {
        return canary_storage_fail(error, CANARY_E_NOMEM, 0, "no memory for a box");
    }
    *methods = box_methods;
    methods->measurements = measurements;
    *implementation = box;
    code = canary_storage_make_whole(methods, implementation, error);
    if (code != CANARY_OK) {
        close_box(box);
    }
    return code;
}
