/* SPDX-License-Identifier: MIT */
/* A store in memory, for tests and for programs that keep no state.
 *
 * Each table is a treap, so that 100 000 pinned users arrive in any order at the same cost. A write
 * transaction works in place and notes how to take each step back; taking back allocates nothing, so
 * it cannot fail.
 *
 * Measurements are a second one, which lives until the first and all its own users have let go. Its
 * users have a lock each, so what they share is entered by an atomic word. */
#include <stdatomic.h>
#include <string.h>

#include "base/fail.h"
#include "storage/shape.h"
#include "storage/stores.h"
#include "storage/treap.h"

/* One step of a write transaction. */
struct step {
    int table;
    struct canary__node *added;   /* or NULL */
    struct canary__node *removed; /* or NULL; kept until the end */
};

struct memory;

struct transaction {
    struct memory *store;
    int mode;
};

struct memory {
    struct canary__hooks own_hooks;
    const struct canary__hooks *hooks;
    const struct canary__set *set;
    struct canary__node *roots[CANARY__SET_MOST];
    struct memory *measurements;
    _Atomic(int) users;
    _Atomic(int) holders; /* transactions that read; -1 = one that writes */
    uint64_t random;
    uint64_t commits;
    struct step *steps;
    size_t steps_used;
    size_t steps_room;
    struct transaction read;
    struct transaction write;
};

/* -- rows of their own -- */

static uint64_t next_random(struct memory *store) {
    uint64_t value = store->random += 0x9e3779b97f4a7c15u;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

/* One allocation a row: the values, then their bytes, each followed by a zero. */
static struct canary__node *new_node(struct memory *store, const canary_storage_table *table,
                                     const canary_storage_row *row) {
    size_t size = sizeof(struct canary__node) + table->column_count * sizeof(canary_storage_value);
    struct canary__node *node;
    char *data;

    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->types[i] != CANARY_VALUE_INTEGER) {
            size += (i < row->count ? (size_t)row->values[i].size : 0) + 1;
        }
    }
    node = canary__alloc(store->hooks, size);
    if (node == NULL) {
        return NULL;
    }
    node->size = size;
    node->priority = next_random(store);
    data = (char *)&node->values[table->column_count];
    for (uint32_t i = 0; i < table->column_count; i++) {
        canary_storage_value *value = &node->values[i];

        value->type = table->types[i];
        if (value->type == CANARY_VALUE_INTEGER) {
            value->integer = i < row->count ? row->values[i].integer : 0;
            continue;
        }
        value->data = data;
        value->size = i < row->count ? row->values[i].size : 0;
        if (value->size != 0) {
            memcpy(data, row->values[i].data, (size_t)value->size);
        }
        data += value->size + 1;
    }
    return node;
}

static void free_node(struct memory *store, struct canary__node *node) {
    if (node != NULL) {
        canary__free(store->hooks, node, node->size);
    }
}

static void free_tree(struct memory *store, struct canary__node *node) {
    if (node != NULL) {
        free_tree(store, node->left);
        free_tree(store, node->right);
        free_node(store, node);
    }
}

/* -- transactions -- */

static int begin(void *pointer, int mode, void **out, canary_error *error) {
    struct memory *store = pointer;
    int held = atomic_load(&store->holders);

    if (mode != CANARY_STORAGE_READ && mode != CANARY_STORAGE_WRITE) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "begin: mode %d is neither CANARY_STORAGE_READ nor _WRITE", mode);
    }
    /* There is one state and no copy of it, so nobody may look at it half changed. */
    do {
        if (held < 0 || (mode == CANARY_STORAGE_WRITE && held > 0)) {
            return canary__fail(error, CANARY_E_BUSY, 0,
                                "the store in memory has a transaction open; end it first");
        }
    } while (!atomic_compare_exchange_weak(&store->holders, &held,
                                           mode == CANARY_STORAGE_WRITE ? -1 : held + 1));
    *out = mode == CANARY_STORAGE_WRITE ? &store->write : &store->read;
    return CANARY_OK;
}

static struct canary__node **root_of(struct memory *store, int table) {
    return &store->roots[table - store->set->first];
}

/* Room for one step, before anything is changed. */
static int reserve_step(struct memory *store, canary_error *error) {
    size_t room = store->steps_room == 0 ? 64 : store->steps_room * 2;
    struct step *steps;

    if (store->steps_used < store->steps_room) {
        return CANARY_OK;
    }
    steps = canary__realloc(store->hooks, store->steps, store->steps_room * sizeof *steps,
                            room * sizeof *steps);
    if (steps == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "no memory for a change of %zu rows", room);
    }
    store->steps = steps;
    store->steps_room = room;
    return CANARY_OK;
}

static void take_back(struct memory *store, const struct step *step) {
    const canary_storage_table *table = canary_storage_table_get(step->table);
    struct canary__node **root = root_of(store, step->table);

    if (step->added == NULL) {
        canary__treap_insert(root, step->removed, table->key_count);
        return;
    }
    root = canary__treap_find(root, step->added->values, table->key_count);
    if (step->removed == NULL) {
        canary__treap_take_out(root);
    } else {
        canary__treap_exchange(root, step->removed);
    }
    free_node(store, step->added);
}

static int end(void *pointer, int commit, canary_error *error) {
    struct transaction *transaction = pointer;
    struct memory *store = transaction->store;

    (void)error;
    if (transaction->mode == CANARY_STORAGE_READ) {
        atomic_fetch_sub(&store->holders, 1);
        return CANARY_OK;
    }
    if (commit && store->steps_used > 0) {
        store->commits++;
    }
    while (store->steps_used > 0) {
        const struct step *step = &store->steps[--store->steps_used];

        if (commit) {
            free_node(store, step->removed);
        } else {
            take_back(store, step);
        }
    }
    canary__free(store->hooks, store->steps, store->steps_room * sizeof *store->steps);
    store->steps = NULL;
    store->steps_room = 0;
    atomic_store(&store->holders, 0);
    return CANARY_OK;
}

static int token(void *pointer, uint64_t *out, canary_error *error) {
    const struct transaction *transaction = pointer;

    (void)error;
    *out = transaction->store->commits;
    return CANARY_OK;
}

/* -- rows -- */

struct walk {
    const canary_storage_table *table;
    const canary_storage_range *range;
    canary_storage_sink sink;
    void *user_data;
    uint64_t given;
};

/* Below the range, in it, above it. */
static int place_of(const struct walk *walk, const struct canary__node *node) {
    const canary_storage_range *range = walk->range;
    int order = canary__treap_compare_key(node->values, range->key, range->key_count);

    if (order != 0 || range->after == NULL) {
        return order;
    }
    order = canary__treap_compare(&node->values[range->key_count], range->after);
    if (range->descending) {
        return order >= 0 ? 1 : 0;
    }
    return order <= 0 ? -1 : 0;
}

/* Returns 1 to go on. As deep as the tree, some fifty calls for a hundred thousand rows. */
static int give(struct walk *walk, const struct canary__node *node) {
    canary_storage_row row;
    int place;

    if (node == NULL) {
        return 1;
    }
    place = place_of(walk, node);
    if (place < 0) {
        return give(walk, node->right);
    }
    if (place > 0) {
        return give(walk, node->left);
    }
    if (!give(walk, walk->range->descending ? node->right : node->left)) {
        return 0;
    }
    if (walk->range->limit != 0 && walk->given == walk->range->limit) {
        return 0;
    }
    walk->given++;
    row = (canary_storage_row){ (uint32_t)sizeof row, walk->table->table, walk->table->column_count,
                                0, node->values };
    if (walk->sink(walk->user_data, &row) != 0) {
        return 0;
    }
    return give(walk, walk->range->descending ? node->left : node->right);
}

static int read(void *pointer, int number, const canary_storage_range *range,
                canary_storage_sink sink, void *user_data, canary_error *error) {
    struct transaction *transaction = pointer;
    struct walk walk = { NULL, range, sink, user_data, 0 };
    int rc = canary__shape_table(transaction->store->set, number, &walk.table, error);

    if (rc == CANARY_OK) {
        rc = canary__shape_check_range(walk.table, range, error);
    }
    if (rc == CANARY_OK) {
        give(&walk, *root_of(transaction->store, number));
    }
    return rc;
}

static int check_mode(const struct transaction *transaction, canary_error *error) {
    if (transaction->mode != CANARY_STORAGE_WRITE) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "a read transaction cannot write; begin one with CANARY_STORAGE_WRITE");
    }
    return CANARY_OK;
}

static int write(void *pointer, const canary_storage_row *row, canary_error *error) {
    struct transaction *transaction = pointer;
    struct memory *store = transaction->store;
    const canary_storage_table *table;
    struct canary__node **place;
    struct step step;
    int rc = canary__shape_table(store->set, row->table, &table, error);

    if (rc == CANARY_OK) {
        rc = check_mode(transaction, error);
    }
    if (rc == CANARY_OK) {
        rc = canary__shape_check_row(table, row, error);
    }
    if (rc != CANARY_OK) {
        return rc;
    }
    place = canary__treap_find(root_of(store, row->table), row->values, table->key_count);
    if (*place != NULL && row->table == CANARY_TABLE_CHANGES) {
        return canary__fail(error, CANARY_E_CONFLICT, 0,
                            "change %lld is there already and the trail is append-only; read the "
                            "newest change again",
                            (long long)row->values[0].integer);
    }
    rc = reserve_step(store, error);
    if (rc != CANARY_OK) {
        return rc;
    }
    step = (struct step){ row->table, new_node(store, table, row), *place };
    if (step.added == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "%s: no memory for a row", table->name);
    }
    if (*place == NULL) {
        canary__treap_insert(root_of(store, row->table), step.added, table->key_count);
    } else {
        canary__treap_exchange(place, step.added);
    }
    store->steps[store->steps_used++] = step;
    return CANARY_OK;
}

static int remove_row(void *pointer, int number, const canary_storage_value *key,
                      canary_error *error) {
    struct transaction *transaction = pointer;
    struct memory *store = transaction->store;
    const canary_storage_table *table;
    struct canary__node **place;
    int rc = canary__shape_table(store->set, number, &table, error);

    if (rc == CANARY_OK) {
        rc = check_mode(transaction, error);
    }
    if (rc == CANARY_OK) {
        rc = canary__shape_check_key(table, key, error);
    }
    if (rc == CANARY_OK) {
        rc = reserve_step(store, error);
    }
    if (rc != CANARY_OK) {
        return rc;
    }
    place = canary__treap_find(root_of(store, number), key, table->key_count);
    if (*place == NULL) {
        return canary__fail(error, CANARY_E_NOT_FOUND, 0, "%s: no row has this key", table->name);
    }
    store->steps[store->steps_used++] = (struct step){ number, NULL, *place };
    canary__treap_take_out(place);
    return CANARY_OK;
}

static void close_store(void *pointer) {
    struct memory *store = pointer;
    struct canary__hooks hooks;

    if (store == NULL || atomic_fetch_sub(&store->users, 1) > 1) {
        return;
    }
    hooks = store->own_hooks;
    close_store(store->measurements);
    for (int i = 0; i < CANARY__SET_MOST; i++) {
        free_tree(store, store->roots[i]);
    }
    canary__free(&hooks, store->steps, store->steps_room * sizeof *store->steps);
    canary__free(&hooks, store, sizeof *store);
}

static struct memory *new_memory(const struct canary__hooks *hooks, const struct canary__set *set,
                                 canary_error *error) {
    struct memory *store = canary__alloc(hooks, sizeof *store);

    if (store == NULL) {
        canary__fail(error, CANARY_E_NOMEM, 0, "no memory for a store");
        return NULL;
    }
    store->own_hooks = *hooks;
    store->hooks = &store->own_hooks;
    store->set = set;
    store->users = 1;
    store->read = (struct transaction){ store, CANARY_STORAGE_READ };
    store->write = (struct transaction){ store, CANARY_STORAGE_WRITE };
    return store;
}

static const canary_storage_methods memory_methods = {
    .size = (uint32_t)sizeof memory_methods,
    .version = CANARY_STORAGE_VERSION,
    .name = "memory",
    .begin = begin,
    .read = read,
    .write = write,
    .remove = remove_row,
    .end = end,
    .close = close_store,
    .token = token,
};

static int measurements(void *pointer, int create, canary_storage_methods *methods,
                        void **implementation, canary_error *error) {
    struct memory *store = pointer;

    if (store->measurements == NULL && !create) {
        return canary__fail(error, CANARY_E_NO_STORE, 0,
                            "nothing was recorded in this store in memory yet");
    }
    if (store->measurements == NULL) {
        store->measurements = new_memory(store->hooks, &canary__set_measurements, error);
    }
    if (store->measurements == NULL) {
        return CANARY_E_NOMEM;
    }
    atomic_fetch_add(&store->measurements->users, 1);
    *methods = memory_methods;
    *implementation = store->measurements;
    return CANARY_OK;
}

int canary__memory_open_set(const struct canary__hooks *hooks, const struct canary__set *set,
                            canary_storage_methods *methods, void **implementation,
                            canary_error *error) {
    struct memory *store = new_memory(hooks, set, error);

    if (store == NULL) {
        return CANARY_E_NOMEM;
    }
    *methods = memory_methods;
    methods->measurements = set == &canary__set_decisions ? measurements : NULL;
    *implementation = store;
    return CANARY_OK;
}

int canary__memory_open(const struct canary__hooks *hooks, canary_storage_methods *methods,
                        void **implementation, canary_error *error) {
    return canary__memory_open_set(hooks, &canary__set_decisions, methods, implementation, error);
}
