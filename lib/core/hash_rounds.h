/* SPDX-License-Identifier: MIT */
/* The rounds of SHA-256 with one message in each lane. Included by the file of a kernel after it has
 * defined TARGET, INLINE, BLOCK_WORDS, WORDS and, for its registers,
 *
 *     vector, add, everywhere                 the same number in all lanes
 *     ROTATIONS, ROTATIONS_AND_SHIFT          the sigma functions of FIPS 180-4, 4.1.2
 *     choose, majority                        Ch and Maj of the same
 */
#ifndef CANARY__HASH_ROUNDS_H
#define CANARY__HASH_ROUNDS_H

#include "core/hash_kernels.h"

INLINE vector scheduled(const vector *w) {
    return add(add(w[0], ROTATIONS_AND_SHIFT(w[1], 7, 18, 3)),
               add(w[9], ROTATIONS_AND_SHIFT(w[14], 17, 19, 10)));
}

/* One round; the registers change names instead of places, eight rounds come round. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                           \
    do {                                                                                           \
        vector sum = add(h, add(w[t], everywhere(k[t])));                                          \
                                                                                                   \
        sum = add(sum, add(ROTATIONS(e, 6, 11, 25), choose(e, f, g)));                             \
        (d) = add(d, sum);                                                                         \
        (h) = add(sum, add(ROTATIONS(a, 2, 13, 22), majority(a, b, c)));                           \
    } while (0)

/* `w` holds the sixteen words of the block, and has room for the forty-eight that follow from them. All are
 * made before the rounds: these wait for the processor's units, not for words, and so the rounds are
 * there once instead of with and without their share of the schedule. */
static TARGET __attribute__((noinline)) void compress(vector *state, vector *w) {
    vector a = state[0];
    vector b = state[1];
    vector c = state[2];
    vector d = state[3];
    vector e = state[4];
    vector f = state[5];
    vector g = state[6];
    vector h = state[7];

    for (int t = BLOCK_WORDS; t < WORDS; t++) {
        w[t] = scheduled(w + t - BLOCK_WORDS);
    }
    for (const uint32_t *k = canary__sha256_k; k < canary__sha256_k + WORDS; k += 8, w += 8) {
        ROUND(a, b, c, d, e, f, g, h, 0);
        ROUND(h, a, b, c, d, e, f, g, 1);
        ROUND(g, h, a, b, c, d, e, f, 2);
        ROUND(f, g, h, a, b, c, d, e, 3);
        ROUND(e, f, g, h, a, b, c, d, 4);
        ROUND(d, e, f, g, h, a, b, c, 5);
        ROUND(c, d, e, f, g, h, a, b, 6);
        ROUND(b, c, d, e, f, g, h, a, 7);
    }
    state[0] = add(state[0], a);
    state[1] = add(state[1], b);
    state[2] = add(state[2], c);
    state[3] = add(state[3], d);
    state[4] = add(state[4], e);
    state[5] = add(state[5], f);
    state[6] = add(state[6], g);
    state[7] = add(state[7], h);
}

#endif
