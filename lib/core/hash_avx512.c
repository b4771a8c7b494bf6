/* SPDX-License-Identifier: MIT */
/* SHA-256 of sixteen ids at once: one id in each 32-bit element of AVX-512 registers. */
#include "core/hash_lanes.h"

#ifdef CANARY__HASH_X86

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx2,bmi2")))
#define INLINE static inline TARGET __attribute__((always_inline))

enum { LANES = 16, WORDS = 16 };
#define BLOCK 64u

/* Truth tables of vpternlogd. */
enum { XOR3 = 0x96, CHOOSE = 0xca, MAJORITY = 0xe8 };

INLINE __m512i add(__m512i a, __m512i b) {
    return _mm512_add_epi32(a, b);
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
INLINE __m512i row(const struct canary__hash_start *start, const canary_user *user,
                   unsigned block) {
    unsigned before = block * BLOCK;
    unsigned prefix = block == 0 ? start->tail_size : 0;
    unsigned end = start->tail_size + (unsigned)user->size; /* of the id, in the message */
    unsigned to = end < before ? 0 : end - before < BLOCK ? end - before : BLOCK;
    const void *place = (const void *)((uintptr_t)user->id + before - start->tail_size);
    uint64_t mine = _bzhi_u64(~UINT64_C(0), to) & ~_bzhi_u64(~UINT64_C(0), prefix);
    __m512i bytes = _mm512_maskz_loadu_epi8(_cvtu64_mask64(mine), place);
    __m512i pad = _mm512_loadu_si512(bit + BLOCK - to);

    if (prefix > 0) {
        bytes = _mm512_or_si512(bytes, _mm512_loadu_si512(start->tail));
    }
    if (end < before) {
        pad = _mm512_setzero_si512();
    }
    return _mm512_or_si512(bytes, pad);
}

INLINE __m512i big_endian(__m512i bytes) {
    return _mm512_shuffle_epi8(
        bytes, _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)));
}

/* Rows of one message each become columns: w[t] holds word t of all messages. */
INLINE void transpose(__m512i *w) {
    __m512i four[4][4];

    for (int i = 0; i < 4; i++) {
        __m512i ab_low = _mm512_unpacklo_epi32(w[4 * i], w[4 * i + 1]);
        __m512i ab_high = _mm512_unpackhi_epi32(w[4 * i], w[4 * i + 1]);
        __m512i cd_low = _mm512_unpacklo_epi32(w[4 * i + 2], w[4 * i + 3]);
        __m512i cd_high = _mm512_unpackhi_epi32(w[4 * i + 2], w[4 * i + 3]);

        four[i][0] = _mm512_unpacklo_epi64(ab_low, cd_low);
        four[i][1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        four[i][2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        four[i][3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
    for (int k = 0; k < 4; k++) {
        __m512i even_low = _mm512_shuffle_i32x4(four[0][k], four[1][k], 0x88);
        __m512i odd_low = _mm512_shuffle_i32x4(four[0][k], four[1][k], 0xdd);
        __m512i even_high = _mm512_shuffle_i32x4(four[2][k], four[3][k], 0x88);
        __m512i odd_high = _mm512_shuffle_i32x4(four[2][k], four[3][k], 0xdd);

        w[k] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        w[8 + k] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        w[4 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        w[12 + k] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
}

INLINE __m512i scheduled(const __m512i *w, int t) {
    __m512i w15 = w[(t + 1) & 15];
    __m512i w2 = w[(t + 14) & 15];

    return add(add(w[t], ROTATIONS_AND_SHIFT(w15, 7, 18, 3)),
               add(w[(t + 9) & 15], ROTATIONS_AND_SHIFT(w2, 17, 19, 10)));
}

/* One round; the registers change names instead of places, eight rounds come round. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                           \
    do {                                                                                           \
        __m512i sum = add(h, add(w[t], _mm512_set1_epi32((int)k[t])));                             \
                                                                                                   \
        sum = add(sum, add(ROTATIONS(e, 6, 11, 25), _mm512_ternarylogic_epi32(e, f, g, CHOOSE)));  \
        d = add(d, sum);                                                                           \
        h = add(sum, add(ROTATIONS(a, 2, 13, 22), _mm512_ternarylogic_epi32(a, b, c, MAJORITY)));  \
    } while (0)

#define EIGHT_ROUNDS(step, t)                                                                      \
    step(t);                                                                                       \
    ROUND(a, b, c, d, e, f, g, h, t);                                                              \
    step(t + 1);                                                                                   \
    ROUND(h, a, b, c, d, e, f, g, t + 1);                                                          \
    step(t + 2);                                                                                   \
    ROUND(g, h, a, b, c, d, e, f, t + 2);                                                          \
    step(t + 3);                                                                                   \
    ROUND(f, g, h, a, b, c, d, e, t + 3);                                                          \
    step(t + 4);                                                                                   \
    ROUND(e, f, g, h, a, b, c, d, t + 4);                                                          \
    step(t + 5);                                                                                   \
    ROUND(d, e, f, g, h, a, b, c, t + 5);                                                          \
    step(t + 6);                                                                                   \
    ROUND(c, d, e, f, g, h, a, b, t + 6);                                                          \
    step(t + 7);                                                                                   \
    ROUND(b, c, d, e, f, g, h, a, t + 7)

#define AS_LOADED(t) ((void)0)
#define NEXT_WORD(t) (w[t] = scheduled(w, t))

static TARGET __attribute__((noinline)) void compress(__m512i *state, __m512i *w) {
    __m512i a = state[0];
    __m512i b = state[1];
    __m512i c = state[2];
    __m512i d = state[3];
    __m512i e = state[4];
    __m512i f = state[5];
    __m512i g = state[6];
    __m512i h = state[7];
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

static TARGET void group(const struct canary__hash_start *start, const canary_user *const *lanes,
                         unsigned blocks, uint32_t *hashes) {
    __m512i state[8];
    uint32_t lengths[LANES];

    for (int i = 0; i < 8; i++) {
        state[i] = _mm512_set1_epi32((int)start->state[i]);
    }
    for (int i = 0; i < LANES; i++) {
        lengths[i] = 8 * (start->absorbed + start->tail_size + (uint32_t)lanes[i]->size);
    }
    for (unsigned block = 0; block < blocks; block++) {
        __m512i w[WORDS];

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
