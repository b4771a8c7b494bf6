/* SPDX-License-Identifier: MIT */
/* A store of one's own: rollouts in one JSON file that is kept under version control.
 *
 *     json_store                 proves the store with the conformance suite
 *     json_store FILE ROLLOUT    advances the rollout in FILE, both made when missing
 *
 * A commit puts a new file in the old one's place: readers need no lock, a crash leaves the old
 * file. Writers take turns by a lock on a file beside it. Tables and columns are asked of
 * libcanary, so the store knows nothing of rollouts. */
#include <canary/canary.h>
#include <canary/conformance.h>
#include <canary/storage.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { KEY_MAX = 16384 }; /* a user id of 4096 bytes in hex, a name, and room */

struct store {
    char directory[PATH_MAX];
    char path[PATH_MAX], lock[PATH_MAX + 16], fresh[PATH_MAX + 16], bell[PATH_MAX + 16];
};

struct transaction {
    struct store *store;
    json_t *root; /* table name -> key -> row */
    int lock;     /* -1 when reading */
};

/* Bytes become lower-case hex, which has their order. */
static json_t *to_json(const canary_storage_value *value) {
    char hex[2 * 4096 + 1] = "";

    if (value->type == CANARY_VALUE_INTEGER) {
        return json_integer(value->integer);
    }
    if (value->type == CANARY_VALUE_TEXT) {
        return json_stringn(value->size == 0 ? "" : value->data, value->size);
    }
    for (uint64_t i = 0; i < value->size && i < 4096; i++) {
        snprintf(hex + 2 * i, 3, "%02x", ((const unsigned char *)value->data)[i]);
    }
    return json_string(hex);
}

/* Adds a key column to a row's name in the file. strcmp() puts these names in the order of the
 * keys: a space is below every character of a name, and no number of a key is negative. */
static void add_key(char *name, const canary_storage_value *value) {
    json_t *json = to_json(value);
    size_t used = strlen(name);

    if (json_is_integer(json)) {
        snprintf(name + used, KEY_MAX - used, "%019lld ", (long long)value->integer);
    } else {
        snprintf(name + used, KEY_MAX - used, "%s ", json_string_value(json));
    }
    json_decref(json);
}

static int end(void *pointer, int commit, canary_error *error);

static int begin(void *pointer, int mode, void **out, canary_error *error) {
    struct transaction *transaction = calloc(1, sizeof *transaction);
    json_error_t problem = { .text = "no memory" };
    int code = CANARY_OK;

    if (transaction == NULL) {
        return canary_storage_fail(error, CANARY_E_NOMEM, 0, "no memory for a transaction");
    }
    transaction->store = pointer;
    transaction->lock = -1;
    if (mode == CANARY_STORAGE_WRITE) {
        transaction->lock = open(transaction->store->lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (transaction->lock < 0) {
            code = canary_storage_fail(error, CANARY_E_READ_ONLY, errno, "cannot open the lock");
        } else if (flock(transaction->lock, LOCK_EX | LOCK_NB) != 0) {
            code = canary_storage_fail(error, CANARY_E_BUSY, errno, "another has the lock");
        }
    }
    if (code == CANARY_OK) { /* under the lock: what was read before may be old by now */
        FILE *file = fopen(transaction->store->path, "re");

        if (file != NULL) {
            transaction->root = json_loadf(file, 0, &problem);
            fclose(file);
            if (transaction->root == NULL) {
                code = canary_storage_fail(error, CANARY_E_CORRUPT, problem.line, problem.text);
            }
        } else if (errno == ENOENT) {
            transaction->root = json_object();
        } else {
            code = canary_storage_fail(error, CANARY_E_IO, errno, "cannot open the file");
        }
    }
    if (code != CANARY_OK) {
        end(transaction, 0, NULL);
        return code;
    }
    *out = transaction;
    return CANARY_OK;
}

/* Gives one row to the sink and answers what the sink answers; -1 when the row is no good. */
static int give(const canary_storage_table *table, const json_t *json, canary_storage_sink sink,
                void *user_data) {
    canary_storage_value values[64] = { { 0, 0, 0, NULL, 0 } };
    canary_storage_row row = { sizeof row, table->table, table->column_count, 0, values };
    unsigned char bytes[4096]; /* of the one blob that a table has */

    for (uint32_t i = 0; i < table->column_count; i++) {
        const json_t *value = json_object_get(json, table->columns[i]);

        if (table->types[i] == CANARY_VALUE_INTEGER ? !json_is_integer(value)
                                                    : !json_is_string(value)) {
            return -1; /* people edit this file */
        }
        values[i].type = table->types[i];
        values[i].integer = json_integer_value(value);
        values[i].data = json_string_value(value);
        values[i].size = json_string_length(value);
        if (table->types[i] == CANARY_VALUE_BLOB) {
            values[i].size /= 2;
            if (values[i].size > sizeof bytes) {
                return -1;
            }
            for (uint64_t j = 0; j < values[i].size; j++) {
                sscanf((const char *)values[i].data + 2 * j, "%2hhx", &bytes[j]);
            }
            values[i].data = bytes;
        }
    }
    return sink(user_data, &row) != 0;
}

static int compare(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int read_rows(void *pointer, int number, const canary_storage_range *range,
                     canary_storage_sink sink, void *user_data, canary_error *error) {
    const canary_storage_table *table = canary_storage_table_get(number);
    json_t *rows = json_object_get(((struct transaction *)pointer)->root, table->name);
    const char **names = calloc(json_object_size(rows) + 1, sizeof *names);
    char prefix[KEY_MAX] = "", after[KEY_MAX] = "";
    size_t count = 0;
    int answer = 0;

    if (names == NULL) {
        return canary_storage_fail(error, CANARY_E_NOMEM, 0, "no memory for the rows");
    }
    for (uint32_t i = 0; i < range->key_count; i++) {
        add_key(prefix, &range->key[i]);
    }
    if (range->after != NULL) {
        strcpy(after, prefix);
        add_key(after, range->after);
    }
    for (void *i = json_object_iter(rows); i != NULL; i = json_object_iter_next(rows, i)) {
        const char *name = json_object_iter_key(i);
        int beyond = strncmp(name, after, strlen(after)); /* 0 also when there is no `after` */

        if (strncmp(name, prefix, strlen(prefix)) == 0 &&
            (range->after == NULL || (range->descending ? beyond < 0 : beyond > 0))) {
            names[count++] = name;
        }
    }
    qsort(names, count, sizeof *names, compare);
    for (size_t i = 0; i < count && answer == 0 && (range->limit == 0 || i < range->limit); i++) {
        answer = give(table, json_object_get(rows, names[range->descending ? count - 1 - i : i]),
                      sink, user_data);
    }
    free(names);
    return answer >= 0 ? CANARY_OK
                       : canary_storage_fail(error, CANARY_E_CORRUPT, 0,
                                             "a column is missing or has another type");
}

static int write_row(void *pointer, const canary_storage_row *row, canary_error *error) {
    struct transaction *transaction = pointer;
    const canary_storage_table *table = canary_storage_table_get(row->table);
    json_t *rows = json_object_get(transaction->root, table->name);
    json_t *json = json_object();
    char name[KEY_MAX] = "";
    int failed = 0;

    for (uint32_t i = 0; i < row->count; i++) {
        if (i < table->key_count) {
            add_key(name, &row->values[i]);
        }
        failed |= json_object_set_new(json, table->columns[i], to_json(&row->values[i]));
    }
    if (rows == NULL) {
        rows = json_object();
        failed |= json_object_set_new(transaction->root, table->name, rows);
    }
    if (row->table == CANARY_TABLE_CHANGES && json_object_get(rows, name) != NULL) {
        json_decref(json);
        return canary_storage_fail(error, CANARY_E_CONFLICT, 0, "this change is there already");
    }
    failed |= json_object_set_new(rows, name, json);
    return failed ? canary_storage_fail(error, CANARY_E_NOMEM, 0, "no memory for a row")
                  : CANARY_OK;
}

static int remove_row(void *pointer, int number, const canary_storage_value *key,
                      canary_error *error) {
    struct transaction *transaction = pointer;
    const canary_storage_table *table = canary_storage_table_get(number);
    char name[KEY_MAX] = "";

    if (number == CANARY_TABLE_CHANGES) {
        return canary_storage_fail(error, CANARY_E_INVALID, 0, "the trail is append-only");
    }
    for (uint32_t i = 0; i < table->key_count; i++) {
        add_key(name, &key[i]);
    }
    return json_object_del(json_object_get(transaction->root, table->name), name) == 0
               ? CANARY_OK
               : canary_storage_fail(error, CANARY_E_NOT_FOUND, 0, "no row has this key");
}

static int sync_path(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int result = file < 0 ? -1 : fsync(file);

    if (file >= 0) {
        close(file);
    }
    return result;
}

static int end(void *pointer, int commit, canary_error *error) {
    struct transaction *transaction = pointer;
    const struct store *store = transaction->store;
    int code = CANARY_OK;

    /* The content is on the disk before the file takes its place, and the place after. */
    if (commit && transaction->lock >= 0 &&
        (json_dump_file(transaction->root, store->fresh, JSON_INDENT(1) | JSON_SORT_KEYS) != 0 ||
         sync_path(store->fresh) != 0 || rename(store->fresh, store->path) != 0 ||
         sync_path(store->directory) != 0)) {
        code = canary_storage_fail(error, errno == ENOSPC ? CANARY_E_FULL : CANARY_E_IO, errno,
                                   "cannot put a new file in the old one's place");
    }
    json_decref(transaction->root);
    if (transaction->lock >= 0) {
        close(transaction->lock);
    }
    free(transaction);
    return code;
}

static const char *doorbell(void *pointer) {
    return ((struct store *)pointer)->bell;
}

static const canary_storage_methods methods = {
    .size = sizeof methods,
    .version = CANARY_STORAGE_VERSION,
    .name = "json",
    .begin = begin,
    .read = read_rows,
    .write = write_row,
    .remove = remove_row,
    .end = end,
    .close = free,
    .doorbell = doorbell,
};

/* The paths are made absolute here, since programs change their directory. */
static struct store *open_store(const char *path) {
    struct store *store = calloc(1, sizeof *store);
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX];

    snprintf(directory, sizeof directory, "%.*s", slash == NULL ? 1 : (int)(slash - path + 1),
             slash == NULL ? "." : path);
    if (store == NULL || realpath(directory, store->directory) == NULL) {
        free(store);
        return NULL;
    }
    snprintf(store->path, sizeof store->path, "%.3800s/%.250s", store->directory,
             slash == NULL ? path : slash + 1);
    snprintf(store->lock, sizeof store->lock, "%s-lock", store->path);
    snprintf(store->fresh, sizeof store->fresh, "%s-new", store->path);
    snprintf(store->bell, sizeof store->bell, "%s-doorbell", store->path);
    return store;
}

/* -- its proof and its use -- */

static int open_named(void *directory, const char *name, int fresh, canary_storage_methods *out,
                      void **implementation) {
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s.json", (const char *)directory, name);
    if (fresh) {
        unlink(path);
    }
    *out = methods;
    *implementation = open_store(path);
    return *implementation == NULL ? CANARY_E_IO : CANARY_OK;
}

static void report(void *user_data, const char *check, int passed, const char *detail) {
    (void)user_data;
    printf("%-7s %s  %s\n", passed > 0 ? "ok" : passed < 0 ? "skipped" : "FAILED", check, detail);
}

static int prove(void) {
    char directory[] = "/tmp/json_store.XXXXXX";
    char command[64];
    canary_conformance suite = { sizeof suite, 0, open_named, directory, report, NULL, 0 };
    int failed;

    if (mkdtemp(directory) == NULL) {
        perror(directory);
        return 1;
    }
    failed = canary_conformance_run(&suite);
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command) != 0 || failed != 0;
}

static int advance(const char *path, const char *rollout) {
    canary_error error = CANARY_ERROR_INIT;
    canary_change change = { .size = sizeof change };
    canary_rollout_spec spec = { .size = sizeof spec, .name = rollout };
    canary_store *store = NULL;
    struct store *mine = open_store(path);
    int code;

    if (mine == NULL) {
        perror(path);
        return 1;
    }
    code = canary_store_open_custom(&methods, mine, NULL, &store, &error);
    if (code != CANARY_OK) {
        free(mine); /* from success on it is the library's */
    } else {
        code = canary_create(store, &spec, NULL, NULL, &error);
    }
    if (code == CANARY_OK || code == CANARY_E_EXISTS) {
        code = canary_advance(store, rollout, NULL, &change, &error);
    }
    if (code == CANARY_OK) {
        printf("%s is at stage %d, %g %%\n", rollout, change.to_stage,
               change.to_percentage_bp / 100.0);
    } else {
        fprintf(stderr, "%s: %s\n", canary_error_name(code), error.message);
    }
    canary_store_close(&store);
    return code == CANARY_OK ? 0 : 1;
}

int main(int count, char **arguments) {
    return count == 3 ? advance(arguments[1], arguments[2]) : prove();
}
