/* SPDX-License-Identifier: MIT */
/* Algorithm 1 inside the library; the contract is in <canary/bucket.h>. */
#ifndef CANARY__BUCKET_H
#define CANARY__BUCKET_H

#include <stddef.h>
#include <stdint.h>

/* `h` of `id` behind `prefix`, which is the salt and its colon, or empty. */
uint32_t canary__bucket_hash(const char *prefix, size_t prefix_size, const void *id,
                             size_t id_size);

static inline uint32_t canary__bucket_of(uint32_t hash) {
    return (hash % 100) * 100 + (hash / 100) % 100;
}

#endif
