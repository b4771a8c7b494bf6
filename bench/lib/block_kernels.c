/* SPDX-License-Identifier: MIT */
#include "block_kernels.h"

#include <stddef.h>

#define INITIAL_A 0x6a09e667u

/* clang-format off */
#if defined(__x86_64__) || defined(__aarch64__)
static const _Alignas(64) uint32_t k[64] __attribute__((unused)) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
#endif
/* clang-format on */

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

const char bench_block_native_name[] = "SHA-NI";

#define FOUR_ROUNDS(group, w)                                                                      \
    do {                                                                                           \
        __m128i sum =                                                                              \
            _mm_add_epi32(w, _mm_load_si128((const __m128i *)(const void *)k + (group)));          \
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);                                             \
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));                    \
    } while (0)

/* The message words of four rounds, 16 rounds on, into `a`. */
#define NEXT_WORDS(a, b, c, d)                                                                     \
    a = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4)), d)

#define LOAD(i)                                                                                    \
    _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)block + (i)), big_endian)

__attribute__((noinline, target("sha,sse4.1"))) static uint32_t
native_block(const unsigned char *block) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef = _mm_set_epi32((int)INITIAL_A, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
    __m128i cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
    __m128i w0 = LOAD(0);
    __m128i w1 = LOAD(1);
    __m128i w2 = LOAD(2);
    __m128i w3 = LOAD(3);

    FOUR_ROUNDS(0, w0);
    FOUR_ROUNDS(1, w1);
    FOUR_ROUNDS(2, w2);
    FOUR_ROUNDS(3, w3);
    for (int group = 4; group < 16; group += 4) {
        NEXT_WORDS(w0, w1, w2, w3);
        FOUR_ROUNDS(group, w0);
        NEXT_WORDS(w1, w2, w3, w0);
        FOUR_ROUNDS(group + 1, w1);
        NEXT_WORDS(w2, w3, w0, w1);
        FOUR_ROUNDS(group + 2, w2);
        NEXT_WORDS(w3, w0, w1, w2);
        FOUR_ROUNDS(group + 3, w3);
    }
    return (uint32_t)_mm_extract_epi32(abef, 3) + INITIAL_A;
}

bench_block_fn bench_block_native(void) {
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_SSE4_1) == 0 ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & bit_SHA) == 0) {
        return NULL;
    }
    return native_block;
}

/* Older clang knows the intrinsics only where the whole program may use them. */
#elif defined(__aarch64__) && defined(__AARCH64EL__) &&                                            \
    (!defined(__clang__) || defined(__ARM_FEATURE_SHA2) || __clang_major__ >= 16)

#if defined(__clang__)
#define ARM_TARGET __attribute__((noinline, target("sha2")))
#else
#define ARM_TARGET __attribute__((noinline, target("+crypto")))
#endif
#include <arm_neon.h>
#include <sys/auxv.h>

const char bench_block_native_name[] = "ARMv8 SHA-2";

enum { HAS_SHA2 = 1 << 6 };

#define FOUR_ROUNDS(group, w)                                                                      \
    do {                                                                                           \
        uint32x4_t sum = vaddq_u32(w, vld1q_u32(k + (group)*4));                                   \
        uint32x4_t before = abcd;                                                                  \
        abcd = vsha256hq_u32(abcd, efgh, sum);                                                     \
        efgh = vsha256h2q_u32(efgh, before, sum);                                                  \
    } while (0)

#define NEXT_WORDS(a, b, c, d) a = vsha256su1q_u32(vsha256su0q_u32(a, b), c, d)

#define LOAD(i) vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(block + (i)*16)))

ARM_TARGET static uint32_t native_block(const unsigned char *block) {
    static const uint32_t initial[8] = { INITIAL_A,  0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    uint32x4_t abcd = vld1q_u32(initial);
    uint32x4_t efgh = vld1q_u32(initial + 4);
    uint32x4_t w0 = LOAD(0);
    uint32x4_t w1 = LOAD(1);
    uint32x4_t w2 = LOAD(2);
    uint32x4_t w3 = LOAD(3);

    FOUR_ROUNDS(0, w0);
    FOUR_ROUNDS(1, w1);
    FOUR_ROUNDS(2, w2);
    FOUR_ROUNDS(3, w3);
    for (int group = 4; group < 16; group += 4) {
        NEXT_WORDS(w0, w1, w2, w3);
        FOUR_ROUNDS(group, w0);
        NEXT_WORDS(w1, w2, w3, w0);
        FOUR_ROUNDS(group + 1, w1);
        NEXT_WORDS(w2, w3, w0, w1);
        FOUR_ROUNDS(group + 2, w2);
        NEXT_WORDS(w3, w0, w1, w2);
        FOUR_ROUNDS(group + 3, w3);
    }
    return vgetq_lane_u32(abcd, 0) + INITIAL_A;
}

bench_block_fn bench_block_native(void) {
    return (getauxval(AT_HWCAP) & HAS_SHA2) != 0 ? native_block : NULL;
}

#else

const char bench_block_native_name[] = "none";

bench_block_fn bench_block_native(void) {
    return NULL;
}

#endif
