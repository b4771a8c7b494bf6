/* SPDX-License-Identifier: MIT */
/* The reference, and what is used where nothing faster can be. */
#include "core/hash_kernels.h"

/* clang-format off */
#define INITIAL \
    { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 }

const uint32_t canary__sha256_initial[8] = INITIAL;
const struct canary__hash_start canary__hash_plain = {
    .state = INITIAL,
    .abef = { 0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667 },
    .cdgh = { 0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372 },
    .sodium = { .state = INITIAL },
};

_Alignas(64) const uint32_t canary__sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
/* clang-format on */

uint32_t canary__hash_sodium_one(const struct canary__hash_start *start, const void *id,
                                 size_t size) {
    unsigned char digest[crypto_hash_sha256_BYTES];

    if (start->absorbed + start->tail_size == 0) {
        crypto_hash_sha256(digest, id, size);
    } else {
        crypto_hash_sha256_state state = start->sodium;

        crypto_hash_sha256_update(&state, id, size);
        crypto_hash_sha256_final(&state, digest);
    }
    return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 |
           (uint32_t)digest[3];
}

void canary__hash_sodium_many(const struct canary__hash_start *start, const canary_user *users,
                              size_t count, uint32_t *hashes) {
    for (size_t i = 0; i < count; i++) {
        hashes[i] = canary__hash_sodium_one(start, users[i].id,
                                            users[i].id != NULL ? (size_t)users[i].size : 0);
    }
}
