/* SPDX-License-Identifier: MIT */
#include "observe/delivery.h"

#include <sodium/crypto_hash_sha256.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "control/edit.h"
#include "control/row_values.h"
#include "observe/scan.h"

enum {
    KEY_MAX = 128,
    DIGEST = 2, /* columns of the table */
    IMPORTED_AT = 4,
};

/* -- the digest -- */

static void put_number(crypto_hash_sha256_state *state, uint64_t number) {
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(number >> (56 - 8 * i));
    }
    crypto_hash_sha256_update(state, bytes, sizeof bytes);
}

static void put_double(crypto_hash_sha256_state *state, double number) {
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    put_number(state, bits);
}

static void put_text(crypto_hash_sha256_state *state, const char *text) {
    size_t size = text != NULL ? strlen(text) : 0;

    put_number(state, size);
    crypto_hash_sha256_update(state, (const unsigned char *)text, size);
}

/* Over the fields, not the bytes: another version of the caller has rows of another size. The library's
 * rows have been admitted, so that all are of the size of the first. */
static void digest_rows(const canary_import_row *rows, uint64_t count,
                        char digest[CANARY__DIGEST_TEXT]) {
    crypto_hash_sha256_state state;
    unsigned char bytes[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_init(&state);
    for (uint64_t i = 0; i < count; i++) {
        canary_import_row row = { 0 };

        memcpy(&row, (const unsigned char *)rows + i * rows->size,
               rows->size < sizeof row ? rows->size : sizeof row);
        put_number(&state, (uint64_t)row.cohort);
        put_number(&state, (uint64_t)row.kind);
        put_text(&state, row.metric);
        put_text(&state, row.unit);
        put_number(&state, (uint64_t)row.at_ns);
        put_number(&state, row.n);
        put_number(&state, row.k);
        put_double(&state, row.value);
        put_number(&state, row.tp);
        put_number(&state, row.fp);
        put_number(&state, row.fn);
        put_number(&state, row.tn);
        put_double(&state, row.minimum);
        put_double(&state, row.maximum);
        put_double(&state, row.resolution);
    }
    crypto_hash_sha256_final(&state, bytes);
    canary__text_hex(bytes, sizeof bytes, digest);
}

int canary__delivery_admit(struct canary__delivery *delivery, const canary_import_row *rows,
                           uint64_t count, canary_error *error) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    size_t length;

    if (delivery->key == NULL) {
        return CANARY_OK;
    }
    length = strspn(delivery->key, allowed);
    if (length == 0 || length > KEY_MAX || delivery->key[length] != '\0') {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "key \"%.140s\": allowed are 1 to %d of A-Z a-z 0-9 . _ : -",
                            delivery->key, KEY_MAX);
    }
    digest_rows(rows, count, delivery->digest);
    return CANARY_OK;
}

/* -- the table -- */

struct search {
    char digest[CANARY__DIGEST_TEXT];
    int64_t imported_at;
};

static int take_import(void *user_data, const canary_storage_row *row) {
    struct search *search = user_data;
    struct canary__row_cursor cursor = { row, DIGEST, 0 };
    struct canary__row_cursor time = { row, IMPORTED_AT, 0 };

    canary__row_take_text(&cursor, search->digest, sizeof search->digest);
    search->imported_at = canary__row_take_integer(&time, INT64_MIN, INT64_MAX);
    return 1;
}

int canary__delivery_find(const struct canary__delivery *delivery, canary_store *store,
                          void *transaction, int64_t now_ns, int32_t *known, canary_error *error) {
    canary_storage_value key[2] = { canary__value_text(delivery->rollout),
                                    canary__value_text(delivery->key) };
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 2, .key = key };
    struct search search = { .imported_at = INT64_MIN };
    char when[32];
    int code =
        store->methods.read(transaction, CANARY_TABLE_IMPORTS, &range, take_import, &search, error);

    /* Retention forgets it some time after that. */
    if (code != CANARY_OK || search.imported_at < now_ns - CANARY__HOURS_NS) {
        return code;
    }
    *known = strcmp(search.digest, delivery->digest) == 0;
    if (*known) {
        return CANARY_OK;
    }
    canary__edit_time(search.imported_at, when);
    return canary__fail(error, CANARY_E_CONFLICT, 0,
                        "under the key \"%s\" other rows were imported at %s; give these a key of "
                        "their own",
                        delivery->key, when);
}

int canary__delivery_keep(const struct canary__delivery *delivery, canary_store *store,
                          void *transaction, uint64_t rows, int64_t now_ns, canary_error *error) {
    canary_storage_value values[] = { canary__value_text(delivery->rollout),
                                      canary__value_text(delivery->key),
                                      canary__value_text(delivery->digest),
                                      canary__value_integer((int64_t)rows),
                                      canary__value_integer(now_ns) };
    canary_storage_row row = { (uint32_t)sizeof row, CANARY_TABLE_IMPORTS,
                               (uint32_t)(sizeof values / sizeof values[0]), 0, values };

    return store->methods.write(transaction, &row, error);
}
