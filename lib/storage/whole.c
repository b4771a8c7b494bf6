/* SPDX-License-Identifier: MIT */
/* A store that is read whole and written whole, with all that depends on keys done for it.
 *
 * The rows of the open transaction are in a store in memory, in a transaction of its own that is
 * always taken back: between two transactions nothing is there, so nothing can be old. A table comes
 * in when it is first asked for, which spares a look by token reading anything. */
#include <string.h>

#include "base/fail.h"
#include "base/hooks.h"
#include "storage/shape.h"
#include "storage/stores.h"

struct whole {
    struct canary__hooks hooks;
    const struct canary__set *set;
    canary_storage_methods author;
    void *store; /* the author's, and its transaction */
    void *transaction;
    canary_storage_methods memory;
    void *kept; /* memory's store, and its transaction */
    void *rows;
    int mode;
    int failed; /* what the loading of a table came to in this transaction */
    int loaded[CANARY__SET_MOST];
};

static const canary_storage_range everything = { .size = (uint32_t)sizeof everything };

/* -- from the author's store into memory -- */

struct loading {
    struct whole *whole;
    const canary_storage_table *table;
    canary_error *error;
    int code;
};

static int note_row(void *user_data, const canary_storage_row *row) {
    (void)row;
    *(int *)user_data = 1;
    return 1;
}

static int corrupt(struct loading *loading, const char *what) {
    loading->code =
        canary__fail(loading->error, CANARY_E_CORRUPT, 0, "%s: what the store holds is damaged: %s",
                     loading->table->name, what);
    return loading->code;
}

static int take_row(void *user_data, const canary_storage_row *row) {
    struct loading *loading = user_data;
    struct whole *whole = loading->whole;
    canary_storage_range same = { .size = (uint32_t)sizeof same,
                                  .key_count = loading->table->key_count,
                                  .key = row->values };
    canary_error own = canary__fail_none;
    int there = 0;
    int code;

    if (row->table != loading->table->table) {
        return corrupt(loading, "a row of another table came");
    }
    code = canary__shape_check_row(loading->table, row, &own);
    if (code != CANARY_OK) {
        return corrupt(loading, own.message);
    }
    /* Of two rows with one key nobody can tell which is meant, and the older may expose more. */
    code = whole->memory.read(whole->rows, row->table, &same, note_row, &there, &own);
    if (code == CANARY_OK && there) {
        return corrupt(loading, "two rows have the same key");
    }
    if (code == CANARY_OK) {
        code = whole->memory.write(whole->rows, row, &own);
    }
    if (code != CANARY_OK) {
        canary__fail_copy(loading->error, &own);
    }
    loading->code = code;
    return code;
}

static int load(struct whole *whole, int number, canary_error *error) {
    struct loading loading = { whole, NULL, error, CANARY_OK };
    canary_error own = canary__fail_none;
    int code = canary__shape_table(whole->set, number, &loading.table, error);

    if (code != CANARY_OK) {
        return code;
    }
    if (whole->failed != CANARY_OK) {
        /* Half a table may be in memory. */
        return canary__fail(error, whole->failed, 0,
                            "%s: reading has failed before in this transaction; end it",
                            loading.table->name);
    }
    if (whole->loaded[number - whole->set->first]) {
        return CANARY_OK;
    }
    code = whole->author.read(whole->transaction, number, &everything, take_row, &loading, &own);
    if (loading.code != CANARY_OK) {
        code = loading.code;
    } else if (code != CANARY_OK) {
        canary__fail_copy(error, &own);
    }
    whole->loaded[number - whole->set->first] = code == CANARY_OK;
    whole->failed = code;
    return code;
}

/* -- and back -- */

static int give_row(void *user_data, const canary_storage_row *row) {
    struct loading *saving = user_data;

    saving->code = saving->whole->author.write(saving->whole->transaction, row, saving->error);
    return saving->code;
}

static int save(struct whole *whole, canary_error *error) {
    struct loading saving = { whole, NULL, error, CANARY_OK };
    int code = CANARY_OK;

    /* All of it before the first row goes out: what is missing then would be lost. */
    for (int number = whole->set->first; number <= whole->set->last && code == CANARY_OK;
         number++) {
        code = load(whole, number, error);
    }
    for (int number = whole->set->first; number <= whole->set->last && code == CANARY_OK;
         number++) {
        code = whole->memory.read(whole->rows, number, &everything, give_row, &saving, error);
        code = code == CANARY_OK ? saving.code : code;
    }
    return code;
}

/* -- the methods -- */

static int begin(void *pointer, int mode, void **out, canary_error *error) {
    struct whole *whole = pointer;
    canary_error ignored = canary__fail_none;
    int code = whole->memory.begin(whole->kept, CANARY_STORAGE_WRITE, &whole->rows, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = whole->author.begin(whole->store, mode, &whole->transaction, error);
    if (code != CANARY_OK) {
        whole->memory.end(whole->rows, 0, &ignored);
        return code;
    }
    whole->mode = mode;
    whole->failed = CANARY_OK;
    memset(whole->loaded, 0, sizeof whole->loaded);
    *out = whole;
    return CANARY_OK;
}

static int end(void *pointer, int commit, canary_error *error) {
    struct whole *whole = pointer;
    canary_error own = canary__fail_none;
    int code = CANARY_OK;
    int ended;

    commit = commit && whole->mode == CANARY_STORAGE_WRITE;
    if (commit) {
        code = save(whole, error);
    }
    ended = whole->author.end(whole->transaction, commit && code == CANARY_OK, &own);
    if (code == CANARY_OK && ended != CANARY_OK) {
        canary__fail_copy(error, &own);
        code = ended;
    }
    whole->memory.end(whole->rows, 0, &own);
    return code;
}

static int read(void *pointer, int number, const canary_storage_range *range,
                canary_storage_sink sink, void *user_data, canary_error *error) {
    struct whole *whole = pointer;
    int code = load(whole, number, error);

    return code == CANARY_OK
               ? whole->memory.read(whole->rows, number, range, sink, user_data, error)
               : code;
}

/* What is to be replaced or removed must be there first. */
static int ready(struct whole *whole, int number, canary_error *error) {
    if (whole->mode != CANARY_STORAGE_WRITE) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "a read transaction cannot write; begin one with CANARY_STORAGE_WRITE");
    }
    return load(whole, number, error);
}

static int write(void *pointer, const canary_storage_row *row, canary_error *error) {
    struct whole *whole = pointer;
    int code = ready(whole, row->table, error);

    return code == CANARY_OK ? whole->memory.write(whole->rows, row, error) : code;
}

static int remove_row(void *pointer, int number, const canary_storage_value *key,
                      canary_error *error) {
    struct whole *whole = pointer;
    int code = ready(whole, number, error);

    return code == CANARY_OK ? whole->memory.remove(whole->rows, number, key, error) : code;
}

static void close_store(void *pointer) {
    struct whole *whole = pointer;

    whole->author.close(whole->store);
    whole->memory.close(whole->kept);
    canary__free(&whole->hooks, whole, sizeof *whole);
}

static int token(void *pointer, uint64_t *out, canary_error *error) {
    struct whole *whole = pointer;

    return whole->author.token(whole->transaction, out, error);
}

static int secret(void *pointer, uint8_t *out, canary_error *error) {
    struct whole *whole = pointer;

    return whole->author.secret(whole->transaction, out, error);
}

static int wait_store(void *pointer, int64_t timeout_ns, canary_error *error) {
    struct whole *whole = pointer;

    return whole->author.wait(whole->store, timeout_ns, error);
}

static const char *doorbell(void *pointer) {
    struct whole *whole = pointer;

    return whole->author.doorbell(whole->store);
}

static int check(void *pointer, int (*report)(void *user_data, const char *message),
                 void *user_data, canary_error *error) {
    struct whole *whole = pointer;

    return whole->author.check(whole->store, report, user_data, error);
}

static void before_fork(void *pointer) {
    struct whole *whole = pointer;

    whole->author.before_fork(whole->store);
}

static int measurements(void *pointer, int create, canary_storage_methods *methods,
                        void **implementation, canary_error *error);

static canary_storage_methods around(const canary_storage_methods *author) {
    return (canary_storage_methods){
        .size = (uint32_t)sizeof *author,
        .version = author->version,
        .name = author->name,
        .begin = begin,
        .read = read,
        .write = write,
        .remove = remove_row,
        .end = end,
        .close = close_store,
        .token = author->token == NULL ? NULL : token,
        .wait = author->wait == NULL ? NULL : wait_store,
        .doorbell = author->doorbell == NULL ? NULL : doorbell,
        .check = author->check == NULL ? NULL : check,
        .before_fork = author->before_fork == NULL ? NULL : before_fork,
        .secret = author->secret == NULL ? NULL : secret,
        .measurements = author->measurements == NULL ? NULL : measurements,
    };
}

/* The caller's structure may be shorter or longer than this library's: filled as far as both reach,
 * and what lies beyond in a longer one, which nobody here would call, is absent. */
static void put_methods(canary_storage_methods *to, const canary_storage_methods *from) {
    uint32_t size = to->size;
    size_t common = size < sizeof *from ? size : sizeof *from;

    memset(to, 0, size);
    memcpy(to, from, common);
    to->size = size;
}

static int make(const struct canary__hooks *hooks, const struct canary__set *set,
                canary_storage_methods *methods, void **implementation, canary_error *error) {
    canary_storage_methods given = { 0 };
    struct whole *whole;
    int code;

    if (methods->size >= offsetof(canary_storage_methods, token)) {
        memcpy(&given, methods, methods->size < sizeof given ? methods->size : sizeof given);
    }
    given.remove = remove_row; /* need not be there, and is never called */
    whole = canary__alloc(hooks, sizeof *whole);
    if (whole == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "no memory for a store");
    }
    whole->hooks = *hooks;
    whole->set = set;
    code = canary__storage_admit(&given, &whole->author, error);
    if (code == CANARY_OK) {
        code = canary__memory_open_set(&whole->hooks, set, &whole->memory, &whole->kept, error);
    }
    if (code != CANARY_OK) {
        canary__free(hooks, whole, sizeof *whole);
        return code;
    }
    given = around(&whole->author);
    put_methods(methods, &given);
    whole->store = *implementation;
    *implementation = whole;
    return CANARY_OK;
}

static int measurements(void *pointer, int create, canary_storage_methods *methods,
                        void **implementation, canary_error *error) {
    struct whole *whole = pointer;
    int code = whole->author.measurements(whole->store, create, methods, implementation, error);

    if (code != CANARY_OK || methods->size > CANARY_STORAGE_METHODS_ROOM ||
        methods->size < offsetof(canary_storage_methods, token) || methods->remove != NULL) {
        return code;
    }
    code = make(&whole->hooks, &canary__set_measurements, methods, implementation, error);
    if (code != CANARY_OK && methods->close != NULL) {
        methods->close(*implementation);
    }
    return code;
}

int canary_storage_make_whole(canary_storage_methods *methods, void **implementation,
                              canary_error *error) {
    const canary_options options = CANARY_OPTIONS_INIT;
    struct canary__hooks hooks;

    if (methods == NULL || implementation == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "methods and implementation are needed; NULL was given");
    }
    canary__hooks_init(&hooks, &options);
    return make(&hooks, &canary__set_decisions, methods, implementation, error);
}
