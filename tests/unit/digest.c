/* SPDX-License-Identifier: MIT */
#include "digest.h"

#include <stdio.h>
#include <string.h>

static void add(struct digest *digest, const void *bytes, size_t size) {
    crypto_hash_sha256_update(&digest->state, bytes, size);
}

static void add_number(struct digest *digest, char type, uint64_t number) {
    unsigned char bytes[9] = { (unsigned char)type };

    for (int i = 8; i > 0; i--) {
        bytes[i] = (unsigned char)(number & 0xff);
        number >>= 8;
    }
    add(digest, bytes, sizeof bytes);
}

void digest_begin(struct digest *digest, const char *table) {
    crypto_hash_sha256_init(&digest->state);
    add(digest, "canary-row-1", 13);
    add(digest, table, strlen(table) + 1);
}

void digest_integer(struct digest *digest, int64_t value) {
    add_number(digest, 'I', (uint64_t)value);
}

void digest_bytes(struct digest *digest, char type, const void *bytes, size_t size) {
    add_number(digest, type, size);
    if (size > 0) {
        add(digest, bytes, size);
    }
}

void digest_text(struct digest *digest, const char *text) {
    digest_bytes(digest, 'T', text, strlen(text));
}

void digest_row(struct digest *digest, sqlite3_stmt *row, int columns) {
    for (int i = 0; i < columns; i++) {
        int type = sqlite3_column_type(row, i);

        if (type == SQLITE_INTEGER) {
            digest_integer(digest, sqlite3_column_int64(row, i));
        } else {
            const void *bytes = sqlite3_column_blob(row, i);

            digest_bytes(digest, type == SQLITE_BLOB ? 'B' : 'T', bytes,
                         (size_t)sqlite3_column_bytes(row, i));
        }
    }
}

void digest_end_raw(struct digest *digest, unsigned char bytes[32]) {
    crypto_hash_sha256_final(&digest->state, bytes);
}

void digest_hex(const unsigned char bytes[32], char text[65]) {
    for (int i = 0; i < 32; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

void digest_end(struct digest *digest, char text[65]) {
    unsigned char bytes[32];

    digest_end_raw(digest, bytes);
    digest_hex(bytes, text);
}
