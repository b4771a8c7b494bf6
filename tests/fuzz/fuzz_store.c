/* SPDX-License-Identifier: MIT */
/* A store that answers what it likes: rows of any types, sizes and numbers, or its real rows with
 * some values changed. The library survives it; and who followed the store while it was honest is
 * raised by nothing it says later. */
#include "claim.h"

#include <string.h>

#include <canary/canary.h>
#include <canary/storage.h>

#include "base/hooks.h"
#include "storage/stores.h"

enum { USERS = 32, COLUMNS = 24, TEXT = 300, REPEATS = 1200 };

enum { HONEST, RAW, EDITED };

struct liar {
    canary_storage_methods inner;
    void *implementation;
    struct canary__hooks hooks;
    struct fuzz_stream stream;
    int mode;
    uint64_t tokens;
};

/* Data that a row of the liar's points to, in memory of just that size. */
struct lie {
    canary_storage_value values[COLUMNS];
    void *owned[COLUMNS];
    uint32_t count;
};

static void lie_free(struct lie *lie) {
    for (uint32_t i = 0; i < COLUMNS; i++) {
        free(lie->owned[i]);
        lie->owned[i] = NULL;
    }
}

static void lie_value(struct liar *liar, struct lie *lie, uint32_t i) {
    canary_storage_value *value = &lie->values[i];
    uint8_t kind = fuzz_byte(&liar->stream);

    memset(value, 0, sizeof *value);
    value->type = kind % 6; /* two that do not exist */
    value->integer = (kind & 0x40) != 0 ? (int64_t)fuzz_word(&liar->stream)
                                        : (int64_t)fuzz_byte(&liar->stream) - 2;
    if (value->type == CANARY_VALUE_TEXT || value->type == CANARY_VALUE_BLOB) {
        size_t size = fuzz_byte(&liar->stream);
        char *data;

        size = (kind & 0x80) != 0 ? size + 45 : size % 8;
        data = malloc(size + 1);
        FUZZ_CLAIM(data != NULL);
        for (size_t at = 0; at < size; at++) {
            data[at] = (char)fuzz_byte(&liar->stream);
        }
        data[size] = '\0';
        value->data = data;
        value->size = size;
        free(lie->owned[i]);
        lie->owned[i] = data;
    }
}

static int give_raw(struct liar *liar, int table, canary_storage_sink sink, void *user_data) {
    int rows = fuzz_byte(&liar->stream) % 4;

    for (int i = 0; i < rows; i++) {
        struct lie lie = { .count = fuzz_byte(&liar->stream) % COLUMNS };
        canary_storage_row row = { (uint32_t)sizeof row, table, lie.count, 0, lie.values };
        int repeats = fuzz_byte(&liar->stream) == 0xff ? REPEATS : 1;
        int answer = 0;

        for (uint32_t column = 0; column < lie.count; column++) {
            lie_value(liar, &lie, column);
        }
        while (repeats-- > 0 && answer == 0) {
            answer = sink(user_data, &row);
        }
        lie_free(&lie);
        if (answer != 0) {
            break;
        }
    }
    return CANARY_OK;
}

struct editing {
    struct liar *liar;
    canary_storage_sink sink;
    void *user_data;
};

static int edit_row(void *user_data, const canary_storage_row *row) {
    struct editing *editing = user_data;
    struct liar *liar = editing->liar;
    struct lie lie = { .count = row->count < COLUMNS ? row->count : COLUMNS };
    canary_storage_row told = { (uint32_t)sizeof told, row->table, lie.count, 0, lie.values };
    uint8_t what = fuzz_byte(&liar->stream);
    int answer = 0;

    memcpy(lie.values, row->values, lie.count * sizeof lie.values[0]);
    if (what % 4 == 1 && lie.count > 0) {
        lie_value(liar, &lie, what / 4 % lie.count);
    } else if (what % 4 == 2) {
        told.count = what / 4 % (lie.count + 1);
    } else if (what == 3) {
        answer = editing->sink(editing->user_data, &told); /* twice */
    }
    if (what != 7 && answer == 0) { /* not at all */
        answer = editing->sink(editing->user_data, &told);
    }
    lie_free(&lie);
    return answer;
}

/* -- the vtable -- */

static struct liar *current; /* transactions are the inner store's own */

static int liar_fails(canary_error *error) {
    FUZZ_CLAIM(error != NULL);
    return current->mode != HONEST && fuzz_byte(&current->stream) == 0xfe
               ? canary_storage_fail(error, CANARY_E_IO, 0, "the store says no")
               : CANARY_OK;
}

static int liar_begin(void *store, int mode, void **transaction, canary_error *error) {
    struct liar *liar = store;
    int code = liar_fails(error);

    return code != CANARY_OK ? code
                             : liar->inner.begin(liar->implementation, mode, transaction, error);
}

static int liar_read(void *transaction, int table, const canary_storage_range *range,
                     canary_storage_sink sink, void *user_data, canary_error *error) {
    struct editing editing = { current, sink, user_data };
    int code = liar_fails(error);

    if (code != CANARY_OK) {
        return code;
    }
    if (current->mode == RAW) {
        return give_raw(current, table, sink, user_data);
    }
    if (current->mode == EDITED) {
        return current->inner.read(transaction, table, range, edit_row, &editing, error);
    }
    return current->inner.read(transaction, table, range, sink, user_data, error);
}

static int liar_write(void *transaction, const canary_storage_row *row, canary_error *error) {
    int code = liar_fails(error);

    /* What was made of lies need not fit the real store. */
    return code != CANARY_OK || current->mode != HONEST
               ? code
               : current->inner.write(transaction, row, error);
}

static int liar_remove(void *transaction, int table, const canary_storage_value *key,
                       canary_error *error) {
    int code = liar_fails(error);

    return code != CANARY_OK || current->mode != HONEST
               ? code
               : current->inner.remove(transaction, table, key, error);
}

static int liar_end(void *transaction, int commit, canary_error *error) {
    return current->inner.end(transaction, commit && current->mode == HONEST, error);
}

static void liar_close(void *store) {
    struct liar *liar = store;

    liar->inner.close(liar->implementation);
}

static int liar_token(void *transaction, uint64_t *token, canary_error *error) {
    (void)transaction, (void)error;
    *token = ++current->tokens;
    return CANARY_OK;
}

/* -- the program -- */

static void decide(canary_ctx *ctx, uint8_t *cohorts) {
    for (int i = 0; i < USERS; i++) {
        char id[16];

        snprintf(id, sizeof id, "user-%d", i);
        cohorts[i] = (uint8_t)canary_should_use_new(ctx, id);
    }
}

static int take_rollout(void *user_data, const canary_rollout *entry) {
    FUZZ_CLAIM(entry->stage_count <= 32 && memchr(entry->name, 0, sizeof entry->name) != NULL);
    return *(int *)user_data;
}

static int take_flag(void *user_data, const canary_flag *entry) {
    FUZZ_CLAIM(memchr(entry->note, 0, sizeof entry->note) != NULL);
    return *(int *)user_data;
}

static int take_override(void *user_data, const void *id, uint64_t size, int cohort) {
    uint64_t sum = 0;

    for (uint64_t i = 0; i < size; i++) {
        sum += ((const uint8_t *)id)[i];
    }
    FUZZ_CLAIM(sum <= size * 255 && (cohort == CANARY_OLD || cohort == CANARY_NEW));
    return *(int *)user_data;
}

static int take_change(void *user_data, const canary_change *entry) {
    FUZZ_CLAIM(memchr(entry->hash, 0, sizeof entry->hash) != NULL);
    return *(int *)user_data;
}

static int take_finding(void *user_data, const canary_finding *entry) {
    FUZZ_CLAIM(entry->message[0] != '\0' && entry->next[0] != '\0');
    return *(int *)user_data;
}

static void ask_everything(canary_store *store) {
    canary_rollout rollout = { .size = (uint32_t)sizeof rollout };
    canary_error error = CANARY_ERROR_INIT;
    int go_on = 0;

    (void)canary_rollout_read(store, "pay", &rollout, &error);
    (void)canary_rollout_list(store, take_rollout, &go_on, &error);
    (void)canary_flag_list(store, take_flag, &go_on, &error);
    (void)canary_override_list(store, "pay", take_override, &go_on, &error);
    (void)canary_history(store, "pay", 0, 0, take_change, &go_on, &error);
    (void)canary_verify(store, take_finding, &go_on, NULL, &error);
}

static void change_everything(canary_store *store) {
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "fresh" };

    (void)canary_advance(store, "pay", NULL, NULL, NULL);
    (void)canary_rollback(store, "pay", 1, NULL, NULL, NULL);
    (void)canary_set_stage(store, "pay", 3, NULL, NULL, NULL);
    (void)canary_flag_set(store, "pay", 1, NULL, NULL, NULL);
    (void)canary_override_set(store, "pay", "user-9", 6, CANARY_NEW, NULL, NULL, NULL);
    (void)canary_override_remove(store, "pay", "user-3", 6, NULL, NULL, NULL);
    (void)canary_accept(store, "pay", NULL, NULL, NULL);
    (void)canary_create(store, &spec, NULL, NULL, NULL);
}

static void begin(struct liar *liar, canary_store **store, canary_ctx **ctx) {
    const canary_storage_methods methods = {
        .size = (uint32_t)sizeof methods,
        .version = CANARY_STORAGE_VERSION,
        .name = "liar",
        .begin = liar_begin,
        .read = liar_read,
        .write = liar_write,
        .remove = liar_remove,
        .end = liar_end,
        .close = liar_close,
        .token = liar_token,
    };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "pay" };

    options.flags = CANARY_OPEN_NO_WATCHER | CANARY_OPEN_DEFER;
    options.busy_timeout_ns = 1;
    canary__hooks_init(&liar->hooks, &options);
    current = liar;
    FUZZ_CLAIM(canary__memory_open(&liar->hooks, &liar->inner, &liar->implementation, NULL) == 0);
    FUZZ_CLAIM(canary_store_open_custom(&methods, liar, &options, store, NULL) == 0);
    FUZZ_CLAIM(canary_create(*store, &spec, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_set_percentage(*store, "pay", 10000, NULL, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_set_percentage(*store, "pay", 4000, NULL, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_override_set(*store, "pay", "user-3", 6, CANARY_NEW, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_override_set(*store, "pay", "user-4", 6, CANARY_OLD, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_open_in(*store, "pay", &options, ctx, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct liar liar = { .stream = { data, size } };
    canary_options options = CANARY_OPTIONS_INIT;
    uint8_t before[USERS];
    uint8_t now[USERS];
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    canary_ctx *fresh = NULL;

    begin(&liar, &store, &ctx);
    decide(ctx, before);
    liar.mode = fuzz_byte(&liar.stream) % 2 == 0 ? RAW : EDITED;
    for (int i = 0; i < 3; i++) {
        (void)canary_refresh(store, NULL);
        decide(ctx, now);
        for (int user = 0; user < USERS; user++) {
            FUZZ_CLAIM(now[user] <= before[user]);
        }
    }
    options.flags = CANARY_OPEN_NO_WATCHER | CANARY_OPEN_DEFER;
    if (canary_open_in(store, "pay", &options, &fresh, NULL) == CANARY_OK) {
        decide(fresh, now);
    }
    ask_everything(store);
    change_everything(store);
    decide(ctx, now);
    /* Honest again, and everything is as it was. */
    liar.mode = HONEST;
    canary_close(&fresh);
    (void)canary_refresh(store, NULL);
    canary_close(&ctx);
    canary_store_close(&store);
    return 0;
}
