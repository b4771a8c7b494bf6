/* SPDX-License-Identifier: MIT */
/* A store whose rows are anything: wrong types, too few columns, texts without an end, numbers out
 * of range. Whatever the library makes of them, its answers agree and nothing is read out of
 * bounds. */
#include "fuzz.h"

#include <canary/storage.h>

#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 4, MOST_COLUMNS = 24, MOST_BYTES = 80 };

static int begin(void *store, int mode, void **transaction, canary_error *error) {
    (void)mode, (void)error;
    *transaction = store;
    return CANARY_OK;
}

/* Blocks of exactly their size, so that a sanitizer sees one byte too many. */
static void *exact(const void *bytes, size_t size, int end) {
    char *block = malloc(size + (size_t)end);

    fuzz_require(block != NULL, "there is memory");
    memcpy(block, bytes, size);
    if (end) {
        block[size] = '\0';
    }
    return block;
}

static canary_storage_value take_value(struct fuzz_input *input, int32_t type,
                                       const canary_storage_value *wanted) {
    static const uint8_t digits[64] = "00000000000000000000000000000000"
                                      "00000000000000000000000000000000";
    canary_storage_value value = { 0 };
    uint8_t kind = fuzz_byte(input);
    const uint8_t *bytes;
    size_t taken = 0;

    if (wanted != NULL && kind % 16 != 15) {
        value = *wanted;
        if (value.type == CANARY_VALUE_TEXT || value.type == CANARY_VALUE_BLOB) {
            value.data = exact(value.data, value.size, 1);
        }
        return value;
    }
    value.type = kind % 8 == 7 ? kind / 8 % 4 : type;
    if (value.type == CANARY_VALUE_INTEGER) {
        value.integer = kind & 64 ? (int64_t)fuzz_number(input, 8) : fuzz_byte(input);
    } else if (value.type != CANARY_VALUE_NULL) {
        bytes = kind & 64 ? digits : fuzz_bytes(input, kind / 2 % MOST_BYTES, &taken);
        value.size = kind & 64 ? sizeof digits : taken;
        value.data = exact(bytes, value.size, value.type == CANARY_VALUE_TEXT);
    }
    return value;
}

static int give_row(struct fuzz_input *input, const canary_storage_table *table,
                    const canary_storage_range *range, canary_storage_sink sink, void *user_data) {
    canary_storage_value values[MOST_COLUMNS];
    uint8_t shape = fuzz_byte(input);
    canary_storage_row row = { sizeof row, table->table, table->column_count, 0, NULL };
    int result;

    if (shape % 16 == 15) { /* a row of an older version */
        row.count = shape / 16 % (table->column_count + 1);
    }
    for (uint32_t i = 0; i < row.count; i++) {
        values[i] =
            take_value(input, table->types[i], i < range->key_count ? &range->key[i] : NULL);
    }
    row.values = exact(values, row.count * sizeof values[0], 0);
    result = sink(user_data, &row);
    for (uint32_t i = 0; i < row.count; i++) {
        free((void *)(uintptr_t)values[i].data);
    }
    free((void *)(uintptr_t)row.values);
    return result;
}

static int read_rows(void *transaction, int number, const canary_storage_range *range,
                     canary_storage_sink sink, void *user_data, canary_error *error) {
    struct fuzz_input *input = transaction;
    const canary_storage_table *table = canary_storage_table_get(number);
    uint8_t rows = fuzz_byte(input);

    if (rows == 255) {
        return canary_storage_fail(error, CANARY_E_IO, 5, "the store does not want to");
    }
    for (uint8_t i = 0; i < rows % (MOST_ROWS + 1); i++) {
        if (give_row(input, table, range, sink, user_data) != 0) {
            break;
        }
    }
    return CANARY_OK;
}

static int write_row(void *transaction, const canary_storage_row *row, canary_error *error) {
    struct fuzz_input *input = transaction;

    (void)row;
    return fuzz_byte(input) != 255 ? CANARY_OK
                                   : canary_storage_fail(error, CANARY_E_FULL, 0, "it is full");
}

static int remove_row(void *transaction, int table, const canary_storage_value *key,
                      canary_error *error) {
    (void)transaction, (void)table, (void)key;
    return canary_storage_fail(error, CANARY_E_NOT_FOUND, 0, "it is not there");
}

static int end(void *transaction, int commit, canary_error *error) {
    (void)transaction, (void)commit, (void)error;
    return CANARY_OK;
}

static void nothing_to_close(void *store) {
    (void)store;
}

static int any_change(void *user_data, const canary_change *entry) {
    (void)user_data, (void)entry;
    return 0;
}

static int any_rollout(void *user_data, const canary_rollout *entry) {
    (void)user_data;
    fuzz_require(entry->stage_count <= CANARY_STAGES_MAX, "a ladder has at most 32 rungs");
    fuzz_require(entry->effective_bp <= CANARY_BP_MAX, "the effective share is a share");
    return 0;
}

static int any_flag(void *user_data, const canary_flag *entry) {
    (void)user_data, (void)entry;
    return 0;
}

static int any_override(void *user_data, const void *id, uint64_t size, int cohort) {
    (void)user_data, (void)id, (void)size, (void)cohort;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = { data, size };
    canary_storage_methods methods = { .size = sizeof methods,
                                       .version = CANARY_STORAGE_VERSION,
                                       .name = "fuzz",
                                       .begin = begin,
                                       .read = read_rows,
                                       .write = write_row,
                                       .remove = remove_row,
                                       .end = end,
                                       .close = nothing_to_close };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout rollout = { .size = sizeof rollout };
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;

    options.flags = CANARY_OPEN_NO_WATCHER | CANARY_OPEN_DEFER;
    if (canary_store_open_custom(&methods, &input, &options, &store, NULL) != CANARY_OK) {
        return 0;
    }
    if (canary_open_in(store, "checkout", &options, &ctx, NULL) == CANARY_OK) {
        for (int i = 0; i < 3; i++) {
            canary_refresh(store, NULL);
            fuzz_require_consistent(ctx);
        }
    }
    if (canary_rollout_read(store, "checkout", &rollout, NULL) == CANARY_OK) {
        any_rollout(NULL, &rollout);
    }
    canary_rollout_list(store, any_rollout, NULL, NULL);
    canary_flag_list(store, any_flag, NULL, NULL);
    canary_override_list(store, "checkout", any_override, NULL, NULL);
    canary_history(store, "checkout", 0, 0, any_change, NULL, NULL);
    canary_verify(store, NULL, NULL, NULL, NULL);
    canary_advance(store, "checkout", NULL, NULL, NULL);
    canary_rollback(store, "checkout", 0, NULL, NULL, NULL);
    canary_accept(store, "checkout", NULL, NULL, NULL);
    canary_close(&ctx);
    canary_store_close(&store);
    return 0;
}
