/* SPDX-License-Identifier: MIT */
/* SHA-256 by the SHA extensions of x86 (Intel SDM volume 2B, SHA256RNDS2, SHA256MSG1, SHA256MSG2). */
#include "core/hash_kernels.h"

#ifdef CANARY__HASH_X86

#include <immintrin.h>

/* AVX for its instructions of three operands: without them a good many are copies, and the processor
 * sees less of the next decision. */
#define TARGET __attribute__((target("sha,avx")))
#define INLINE static inline TARGET __attribute__((always_inline))
#define ONE canary__hash_shani_one
#define MANY canary__hash_shani_many

typedef __m128i vector;

INLINE vector load(const void *p) {
    return _mm_loadu_si128((const __m128i *)p);
}

INLINE vector either(vector a, vector b) {
    return _mm_or_si128(a, b);
}

INLINE vector move(vector bytes, vector indexes) {
    return _mm_shuffle_epi8(bytes, indexes);
}

INLINE vector pair_of(uint64_t low, uint64_t high) {
    return _mm_set_epi64x((int64_t)high, (int64_t)low);
}

INLINE vector zero(void) {
    return _mm_setzero_si128();
}

INLINE vector words(vector bytes) {
    return _mm_shuffle_epi8(bytes, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

INLINE vector length(uint64_t total) {
    return _mm_set_epi32((int)(uint32_t)(total << 3), (int)(uint32_t)(total >> 29), 0, 0);
}

/* Of a message that is known to be short: two instructions less. */
INLINE vector short_length(uint32_t total) {
    return _mm_slli_si128(_mm_cvtsi32_si128((int)(total << 3)), 12);
}

/* a..h of FIPS 180-4 in the order of the instructions, highest element first. */
struct state {
    vector abef;
    vector cdgh;
};

INLINE struct state begin(const struct canary__hash_start *start) {
    return (struct state){ load(start->abef), load(start->cdgh) };
}

/* Rounds 4i to 4i+3. */
INLINE void rounds(struct state *s, int i, vector w) {
    vector sum = _mm_add_epi32(w, _mm_load_si128((const __m128i *)&canary__sha256_k[4 * i]));

    s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, sum);
    s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/* Four words from the sixteen before them. */
INLINE vector next_words(vector w0, vector w4, vector w8, vector w12) {
    vector sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), _mm_alignr_epi8(w12, w8, 4));

    return _mm_sha256msg2_epu32(sum, w12);
}

INLINE void join(struct state *s, struct state before) {
    s->abef = _mm_add_epi32(s->abef, before.abef);
    s->cdgh = _mm_add_epi32(s->cdgh, before.cdgh);
}

INLINE uint32_t first_word(struct state s, struct state before) {
    return (uint32_t)_mm_extract_epi32(_mm_add_epi32(s.abef, before.abef), 3);
}

#include "core/hash_stream.h"

#endif
