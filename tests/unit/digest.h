/* SPDX-License-Identifier: MIT */
/* The digests of rows, written a second time from their documented encoding and from nothing of the
 * library: SHA-256 over "canary-row-1" 0x00, the table's name, 0x00, then each value, 'I' and 8 bytes
 * big-endian, or 'T' or 'B', the size as 8 bytes big-endian, and the bytes. */
#ifndef UNIT_DIGEST_H
#define UNIT_DIGEST_H

#include <sodium/crypto_hash_sha256.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
    crypto_hash_sha256_state state;
};

void digest_begin(struct digest *digest, const char *table);
void digest_integer(struct digest *digest, int64_t value);
void digest_text(struct digest *digest, const char *text);
void digest_bytes(struct digest *digest, char type, const void *bytes, size_t size);
/* The first `columns` columns of a row, each by its type. */
void digest_row(struct digest *digest, sqlite3_stmt *row, int columns);
void digest_end(struct digest *digest, char text[65]);
void digest_end_raw(struct digest *digest, unsigned char bytes[32]);
void digest_hex(const unsigned char bytes[32], char text[65]);

#endif
