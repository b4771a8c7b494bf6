/* SPDX-License-Identifier: MIT */
/* A store of one's own: rollouts in one JSON file that is kept under version control.
 *
 * The file is read whole and written whole; keys, order and ranges are libcanary's business, by
 * canary_storage_make_whole(). A commit puts a new file in the old one's place: readers need no
 * lock, and a crash leaves the old file. Writers take turns by a lock on the directory, since a
 * lock on the file would go with the file. Tables and columns are asked of libcanary, so the store
 * knows nothing of rollouts. */
#include "json_store.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { COLUMNS_MAX = 64, ID_MAX = 4096 };

struct store {
    char directory[PATH_MAX], path[PATH_MAX + 32], fresh[PATH_MAX + 32], bell[PATH_MAX + 32];
    int lock;             /* the directory; locked while somebody writes */
    json_t *before, *now; /* of the transaction: table name -> rows, as found and as written */
};

/* Texts and ids are strings. An id whose bytes are no text is a list of numbers. */
static json_t *to_json(const canary_storage_value *value) {
    const unsigned char *bytes = value->data;
    json_t *json = value->type == CANARY_VALUE_INTEGER ? json_integer(value->integer)
                                                       : json_stringn(value->data, value->size);

    if (json == NULL && value->type == CANARY_VALUE_BLOB) {
        json_auto_t *list = json_array();

        for (uint64_t i = 0; i < value->size; i++) {
            if (json_array_append_new(list, json_integer(bytes[i])) != 0) {
                return NULL;
            }
        }
        return json_incref(list);
    }
    return json;
}

/* People edit the file: what has another type than its column becomes a NULL, which libcanary
 * refuses. */
static canary_storage_value to_value(const json_t *json, int32_t type, unsigned char *id) {
    canary_storage_value value = {
        json_is_integer(json) == (type == CANARY_VALUE_INTEGER) ? type : CANARY_VALUE_NULL, 0,
        json_integer_value(json), json_string_value(json), json_string_length(json)
    };

    for (; value.size < json_array_size(json) && value.size < ID_MAX; value.size++) {
        id[value.size] = (unsigned char)json_integer_value(json_array_get(json, value.size));
        value.data = id;
    }
    return value;
}

static int read_rows(void *pointer, int number, const canary_storage_range *range,
                     canary_storage_sink sink, void *user_data, canary_error *error) {
    const canary_storage_table *table = canary_storage_table_get(number);
    const struct store *store = pointer;
    const json_t *from, *json, *rows = json_object_get(store->before, table->name);
    size_t i;

    (void)range;
    json_object_set_new(store->now, table->name, json_array());
    if (rows != NULL && !json_is_array(rows)) {
        return canary_storage_fail(error, CANARY_E_CORRUPT, 0, "a table is not a list of rows");
    }
    json_array_foreach(rows, i, json) {
        canary_storage_value values[COLUMNS_MAX];
        canary_storage_row row = { sizeof row, number, 0, 0, values };
        unsigned char id[ID_MAX];

        while (row.count < table->column_count && row.count < COLUMNS_MAX &&
               (from = json_object_get(json, table->columns[row.count])) != NULL) {
            values[row.count] = to_value(from, table->types[row.count], id);
            row.count++;
        }
        if (sink(user_data, &row) != 0) {
            break;
        }
    }
    return CANARY_OK;
}

static int write_row(void *pointer, const canary_storage_row *row, canary_error *error) {
    const canary_storage_table *table = canary_storage_table_get(row->table);
    const struct store *store = pointer;
    json_t *json = json_object(), *rows = json_object_get(store->now, table->name);
    int failed = 0;

    for (uint32_t i = 0; i < row->count; i++) {
        failed |= json_object_set_new(json, table->columns[i], to_json(&row->values[i]));
    }
    failed |= json_array_append_new(rows, json);
    return failed ? canary_storage_fail(error, CANARY_E_NOMEM, 0, "no memory for a row")
                  : CANARY_OK;
}

static int end(void *pointer, int commit, canary_error *error) {
    struct store *store = pointer;
    FILE *file = commit ? fopen(store->fresh, "we") : NULL;
    int code = CANARY_OK;

    /* The content is on the disk before the file takes its place, and the place after. */
    if (commit && (file == NULL || json_dumpf(store->now, file, JSON_INDENT(1)) != 0 ||
                   fflush(file) != 0 || fsync(fileno(file)) != 0 ||
                   rename(store->fresh, store->path) != 0 || fsync(store->lock) != 0)) {
        code = canary_storage_fail(error, errno == ENOSPC ? CANARY_E_FULL : CANARY_E_IO, errno,
                                   "cannot put a new file in the old one's place");
    }
    if (file != NULL) {
        fclose(file);
    }
    json_decref(store->before);
    json_decref(store->now);
    close(store->lock);
    return code;
}

static int begin(void *pointer, int mode, void **out, canary_error *error) {
    struct store *store = pointer;
    json_error_t problem;
    char text[512];
    int closed;

    store->lock = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->lock < 0 ||
        (mode == CANARY_STORAGE_WRITE && flock(store->lock, LOCK_EX | LOCK_NB) != 0)) {
        int code = errno == EWOULDBLOCK ? CANARY_E_BUSY : CANARY_E_IO;
        close(store->lock);
        return canary_storage_fail(error, code, errno, "cannot lock the directory");
    }
    store->before = json_load_file(store->path, JSON_ALLOW_NUL, &problem);
    closed = store->before == NULL && json_error_code(&problem) == json_error_cannot_open_file;
    if (closed && errno == ENOENT) {
        store->before = json_object();
    }
    store->now = json_copy(store->before); /* the tables keep their places in the file */
    if (!json_is_object(store->before)) {
        snprintf(text, sizeof text, "no JSON object is in %.200s, line %d: %.200s", store->path,
                 problem.line, problem.text);
        end(store, 0, error);
        return canary_storage_fail(error, closed ? CANARY_E_IO : CANARY_E_CORRUPT, errno, text);
    }
    *out = store;
    return CANARY_OK;
}

static const char *doorbell(void *pointer) {
    return ((struct store *)pointer)->bell;
}

int json_store_open(const char *directory, canary_storage_methods *methods, void **implementation,
                    canary_error *error) {
    struct store *store = calloc(1, sizeof *store);
    int code;

    if (store == NULL || realpath(directory, store->directory) == NULL) {
        code = canary_storage_fail(error, CANARY_E_IO, errno, "cannot find the directory");
    } else {
        snprintf(store->path, sizeof store->path, "%s/rollouts.json", store->directory);
        snprintf(store->fresh, sizeof store->fresh, "%s/rollouts.json-new", store->directory);
        snprintf(store->bell, sizeof store->bell, "%s/rollouts.json-doorbell", store->directory);
        *methods = (canary_storage_methods){ .size = sizeof *methods,
                                             .version = CANARY_STORAGE_VERSION,
                                             .name = "json",
                                             .begin = begin,
                                             .read = read_rows,
                                             .write = write_row,
                                             .end = end,
                                             .close = free,
                                             .doorbell = doorbell };
        *implementation = store;
        code = canary_storage_make_whole(methods, implementation, error);
    }
    if (code != CANARY_OK) {
        free(store);
    }
    return code;
}
