/* SPDX-License-Identifier: MIT */
/* For kernels that hash one id in each lane of their vectors: all lanes of a group take equally many
 * blocks. */
#ifndef CANARY__HASH_LANES_H
#define CANARY__HASH_LANES_H

#include "core/hash_kernels.h"

#define CANARY__HASH_LANES_MAX 16u
#define CANARY__HASH_LANES_BLOCKS 2u /* longer messages are hashed one by one */

/* Hashes as many ids as there are lanes; with what the start has absorbed they fill `blocks`. No id
 * is NULL. */
typedef void (*canary__hash_group_fn)(const struct canary__hash_start *start,
                                      const canary_user *const *lanes, unsigned blocks,
                                      uint32_t *hashes);

struct canary__hash_lanes {
    unsigned lanes;
    unsigned at_least; /* fewer ids than this are faster one by one */
    canary__hash_group_fn group;
};

void canary__hash_in_lanes(const struct canary__hash_lanes *kernel,
                           const struct canary__hash_start *start, const canary_user *users,
                           size_t count, uint32_t *hashes);

#endif
