/* SPDX-License-Identifier: MIT */
/* SHA-256 of sixteen ids at once: one id in each 32-bit element of AVX-512 registers. */
#include "core/hash_lanes.h"

#ifdef CANARY__HASH_X86

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx2,bmi2")))
#define INLINE static inline TARGET __attribute__((always_inline))

enum { LANES = 16, BLOCK_WORDS = 16, WORDS = 64 };
#define BLOCK 64u

/* Truth tables of vpternlogd. */
enum { XOR3 = 0x96, CHOOSE = 0xca, MAJORITY = 0xe8 };

typedef __m512i vector;

INLINE vector add(vector a, vector b) {
    return _mm512_add_epi32(a, b);
}

INLINE vector everywhere(uint32_t number) {
    return _mm512_set1_epi32((int)number);
}

INLINE vector choose(vector e, vector f, vector g) {
    return _mm512_ternarylogic_epi32(e, f, g, CHOOSE);
}

INLINE vector majority(vector a, vector b, vector c) {
    return _mm512_ternarylogic_epi32(a, b, c, MAJORITY);
}

/* The sigma functions of FIPS 180-4, 4.1.2. Not functions of three counts: those must be
 * constants. */
#define ROTATIONS(x, i, j, k)                                                                      \
    _mm512_ternarylogic_epi32(_mm512_ror_epi32(x, i), _mm512_ror_epi32(x, j),                      \
                              _mm512_ror_epi32(x, k), XOR3)
#define ROTATIONS_AND_SHIFT(x, i, j, k)                                                            \
    _mm512_ternarylogic_epi32(_mm512_ror_epi32(x, i), _mm512_ror_epi32(x, j),                      \
                              _mm512_srli_epi32(x, k), XOR3)

/* Read from 64 - n: the bit that ends a message, at byte n; from 0: none. */
static const unsigned char bit[2 * BLOCK] = { [BLOCK] = 0x80 };

/* Block number `block` of the message of one lane, without the length at its end. A masked load
 * touches no byte outside its mask, so nothing beyond the id is read, wherever it ends. */
INLINE vector row(const struct canary__hash_start *start, const canary_user *user, unsigned block) {
    unsigned before = block * BLOCK;
    unsigned prefix = block == 0 ? start->tail_size : 0;
    unsigned end = start->tail_size + (unsigned)user->size; /* of the id, in the message */
    unsigned to = end < before ? 0 : end - before < BLOCK ? end - before : BLOCK;
    const void *place = (const void *)((uintptr_t)user->id + before - start->tail_size);
    uint64_t mine = _bzhi_u64(~UINT64_C(0), to) & ~_bzhi_u64(~UINT64_C(0), prefix);
    vector bytes = _mm512_maskz_loadu_epi8(_cvtu64_mask64(mine), place);
    vector pad = _mm512_loadu_si512(bit + BLOCK - to);

    if (prefix > 0) {
        bytes = _mm512_or_si512(bytes, _mm512_loadu_si512(start->tail));
    }
    if (end < before) {
        pad = _mm512_setzero_si512();
    }
    return _mm512_or_si512(bytes, pad);
}

INLINE vector big_endian(vector bytes) {
    return _mm512_shuffle_epi8(
        bytes, _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)));
}

/* Rows of one message each become columns: w[t] holds word t of all messages. */
INLINE void transpose(vector *w) {
    vector four[4][4];

    for (int i = 0; i < 4; i++) {
        vector ab_low = _mm512_unpacklo_epi32(w[4 * i], w[4 * i + 1]);
        vector ab_high = _mm512_unpackhi_epi32(w[4 * i], w[4 * i + 1]);
        vector cd_low = _mm512_unpacklo_epi32(w[4 * i + 2], w[4 * i + 3]);
        vector cd_high = _mm512_unpackhi_epi32(w[4 * i + 2], w[4 * i + 3]);

        four[i][0] = _mm512_unpacklo_epi64(ab_low, cd_low);
        four[i][1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        four[i][2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        four[i][3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
    for (int k = 0; k < 4; k++) {
        vector even_low = _mm512_shuffle_i32x4(four[0][k], four[1][k], 0x88);
        vector odd_low = _mm512_shuffle_i32x4(four[0][k], four[1][k], 0xdd);
        vector even_high = _mm512_shuffle_i32x4(four[2][k], four[3][k], 0x88);
        vector odd_high = _mm512_shuffle_i32x4(four[2][k], four[3][k], 0xdd);

        w[k] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        w[8 + k] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        w[4 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        w[12 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
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
        vector w[WORDS];

        for (int i = 0; i < LANES; i++) {
            w[i] = big_endian(row(start, lanes[i], block));
        }
        transpose(w);
        if (block == blocks - 1) {
            w[15] = _mm512_loadu_si512(lengths);
        }
        compress(state, w);
    }
    _mm512_storeu_si512(hashes, state[0]);
}

void canary__hash_avx512_many(const struct canary__hash_start *start, const canary_user *users,
                              size_t count, uint32_t *hashes) {
    static const struct canary__hash_lanes kernel = { LANES, LANES / 2, group };

    canary__hash_in_lanes(&kernel, start, users, count, hashes);
}

#endif
