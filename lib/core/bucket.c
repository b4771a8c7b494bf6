/* SPDX-License-Identifier: MIT */
#include "core/bucket.h"

#include <canary/bucket.h>
#include <canary/context.h>
#include <canary/error.h>

#include <string.h>

#include "core/hash.h"

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
    if (length == 0) {
        *hash = canary__hash_one(&canary__hash_plain, user_id, (size_t)user_id_size);
    } else {
        struct canary__hash_start start;

        canary__hash_begin(&start, prefix, length);
        *hash = canary__hash_one(&start, user_id, (size_t)user_id_size);
    }
    return CANARY_OK;
}

uint32_t canary_bucket_from_hash(uint32_t hash) {
    return canary__bucket_of(hash);
}
