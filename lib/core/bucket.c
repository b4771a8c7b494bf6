/* SPDX-License-Identifier: MIT */
#include "core/bucket.h"

#include <canary/bucket.h>
#include <canary/context.h>
#include <canary/error.h>

#include <sodium/crypto_hash_sha256.h>
#include <string.h>

uint32_t canary__bucket_hash(const char *prefix, size_t prefix_size, const void *id,
                             size_t id_size) {
    unsigned char digest[crypto_hash_sha256_BYTES];

    if (prefix_size == 0) {
        crypto_hash_sha256(digest, id, id_size);
    } else {
        crypto_hash_sha256_state state;

        crypto_hash_sha256_init(&state);
        crypto_hash_sha256_update(&state, (const unsigned char *)prefix, prefix_size);
        crypto_hash_sha256_update(&state, id, id_size);
        crypto_hash_sha256_final(&state, digest);
    }
    return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 |
           (uint32_t)digest[3];
}

int canary_hash_user(const char *salt, const void *user_id, uint64_t user_id_size, uint32_t *hash) {
    char prefix[CANARY_SALT_MAX + 1];
    size_t length = salt == NULL ? 0 : strnlen(salt, CANARY_SALT_MAX + 1);

    if (hash == NULL || user_id == NULL || user_id_size == 0 || user_id_size > SIZE_MAX ||
        length > CANARY_SALT_MAX) {
        return CANARY_E_INVALID;
    }
    if (length > 0) {
        memcpy(prefix, salt, length);
        prefix[length++] = ':';
    }
    *hash = canary__bucket_hash(prefix, length, user_id, (size_t)user_id_size);
    return CANARY_OK;
}

uint32_t canary_bucket_from_hash(uint32_t hash) {
    return canary__bucket_of(hash);
}
