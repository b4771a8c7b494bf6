/* SPDX-License-Identifier: MIT */
/* The rounds of SHA-256 with one message in each lane. Included by the file of a kernel after it has
 * defined TARGET, INLINE, WORDS and, for its registers,
 *
 *     vector, add, everywhere                 the same number in all lanes
 *     ROTATIONS, ROTATIONS_AND_SHIFT          the sigma functions of FIPS 180-4, 4.1.2
 *     choose, majority                        Ch and Maj of the same
 */
#ifndef CANARY__HASH_ROUNDS_H
#define CANARY__HASH_ROUNDS_H

#include "core/hash_kernels.h"

INLINE vector scheduled(const vector *w, int t) {
    vector w15 = w[(t + 1) & 15];
    vector w2 = w[(t + 14) & 15];

    return add(add(w[t], ROTATIONS_AND_SHIFT(w15, 7, 18, 3)),
               add(w[(t + 9) & 15], ROTATIONS_AND_SHIFT(w2, 17, 19, 10)));
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

#define EIGHT_ROUNDS(step, t)                                                                      \
    step(t);                                                                                       \
    ROUND(a, b, c, d, e, f, g, h, t);                                                              \
    step((t) + 1);                                                                                 \
    ROUND(h, a, b, c, d, e, f, g, (t) + 1);                                                        \
    step((t) + 2);                                                                                 \
    ROUND(g, h, a, b, c, d, e, f, (t) + 2);                                                        \
    step((t) + 3);                                                                                 \
    ROUND(f, g, h, a, b, c, d, e, (t) + 3);                                                        \
    step((t) + 4);                                                                                 \
    ROUND(e, f, g, h, a, b, c, d, (t) + 4);                                                        \
    step((t) + 5);                                                                                 \
    ROUND(d, e, f, g, h, a, b, c, (t) + 5);                                                        \
    step((t) + 6);                                                                                 \
    ROUND(c, d, e, f, g, h, a, b, (t) + 6);                                                        \
    step((t) + 7);                                                                                 \
    ROUND(b, c, d, e, f, g, h, a, (t) + 7)

#define AS_LOADED(t) ((void)0)
#define NEXT_WORD(t) (w[t] = scheduled(w, t))

static TARGET __attribute__((noinline)) void compress(vector *state, vector *w) {
    vector a = state[0];
    vector b = state[1];
    vector c = state[2];
    vector d = state[3];
    vector e = state[4];
    vector f = state[5];
    vector g = state[6];
    vector h = state[7];
    const uint32_t *k = canary__sha256_k;

    EIGHT_ROUNDS(AS_LOADED, 0);
    EIGHT_ROUNDS(AS_LOADED, 8);
    for (k += WORDS; k < canary__sha256_k + 64; k += WORDS) {
        EIGHT_ROUNDS(NEXT_WORD, 0);
        EIGHT_ROUNDS(NEXT_WORD, 8);
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
