/* SPDX-License-Identifier: MIT */
/* SHA-256 of eight ids at once: one id in each 32-bit element of AVX2 registers. For processors that
 * have no SHA instructions, where libsodium takes some four times as long for an id. */
#include "core/hash_lanes.h"

#ifdef CANARY__HASH_X86

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx2")))
#define INLINE static inline TARGET __attribute__((always_inline))

enum { LANES = 8, BLOCK_WORDS = 16, WORDS = 64 };
#define BLOCK 64u

typedef __m256i vector;

INLINE vector everywhere(uint32_t number) {
    return _mm256_set1_epi32((int)number);
}

INLINE vector add(vector a, vector b) {
    return _mm256_add_epi32(a, b);
}

INLINE vector xor3(vector a, vector b, vector c) {
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

#define ROTATE(x, n) _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - (n)))

/* The functions of FIPS 180-4, 4.1.2. */
#define ROTATIONS(x, i, j, k) xor3(ROTATE(x, i), ROTATE(x, j), ROTATE(x, k))
#define ROTATIONS_AND_SHIFT(x, i, j, k) xor3(ROTATE(x, i), ROTATE(x, j), _mm256_srli_epi32(x, k))

INLINE vector choose(vector e, vector f, vector g) {
    return _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)));
}

INLINE vector majority(vector a, vector b, vector c) {
    return _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)));
}

/* Block number `block` of the message of one lane, without the length at its end. */
static void fill(const struct canary__hash_start *start, const canary_user *user, unsigned block,
                 unsigned char *row) {
    unsigned before = block * BLOCK;
    unsigned end = start->tail_size + (unsigned)user->size; /* of the id, in the message */
    unsigned from = block == 0 ? start->tail_size : 0;
    unsigned to = end < before ? 0 : end - before < BLOCK ? end - before : BLOCK;

    memset(row, 0, BLOCK);
    if (block == 0) {
        memcpy(row, start->tail, BLOCK);
    }
    if (to > from) {
        memcpy(row + from, (const unsigned char *)user->id + (before + from - start->tail_size),
               to - from);
    }
    if (end >= before && end - before < BLOCK) {
        row[to] = 0x80;
    }
}

INLINE vector load_words(const unsigned char *p) {
    const vector order = _mm256_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203,
                                           0x0c0d0e0f08090a0b, 0x0405060700010203);

    return _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(const void *)p), order);
}

/* Eight words of each of eight rows become eight columns. */
INLINE void transpose(unsigned char rows[LANES][BLOCK], unsigned at, __m256i *w) {
    vector pairs[LANES];
    vector fours[LANES];

    for (int i = 0; i < LANES; i += 2) {
        vector even = load_words(rows[i] + at);
        vector odd = load_words(rows[i + 1] + at);

        pairs[i] = _mm256_unpacklo_epi32(even, odd);
        pairs[i + 1] = _mm256_unpackhi_epi32(even, odd);
    }
    for (int i = 0; i < LANES; i += 4) {
        fours[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        w[i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
        w[i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
    }
}

#include "core/hash_rounds.h"

static TARGET void group(const struct canary__hash_start *start, const canary_user *const *lanes,
                         unsigned blocks, uint32_t *hashes) {
    vector state[8];
    uint32_t lengths[LANES];

    for (int i = 0; i < 8; i++) {
        state[i] = everywhere(start->state[i]);
    }
    for (int i = 0; i < LANES; i++) {
        lengths[i] = 8 * (start->absorbed + start->tail_size + (uint32_t)lanes[i]->size);
    }
    for (unsigned block = 0; block < blocks; block++) {
        unsigned char rows[LANES][BLOCK];
        vector w[WORDS];

        for (int i = 0; i < LANES; i++) {
            fill(start, lanes[i], block, rows[i]);
        }
        transpose(rows, 0, w);
        transpose(rows, BLOCK / 2, w + LANES);
        if (block == blocks - 1) {
            w[15] = _mm256_loadu_si256((const __m256i *)(const void *)lengths);
        }
        compress(state, w);
    }
    _mm256_storeu_si256((__m256i *)(void *)hashes, state[0]);
}

void canary__hash_avx2_many(const struct canary__hash_start *start, const canary_user *users,
                            size_t count, uint32_t *hashes) {
    static const struct canary__hash_lanes kernel = { LANES, 3, group };

    canary__hash_in_lanes(&kernel, start, users, count, hashes);
}

#endif
