/* SPDX-License-Identifier: MIT */
/* SHA-256 by the cryptographic extension of ARMv8 (Arm ARM, SHA256H, SHA256H2, SHA256SU0,
 * SHA256SU1). */
#include "core/hash_kernels.h"

#ifdef CANARY__HASH_ARM

#include <arm_neon.h>

#if defined(__clang__)
#define TARGET __attribute__((target("sha2")))
#else
#define TARGET __attribute__((target("+crypto")))
#endif
#define INLINE static inline TARGET __attribute__((always_inline))
#define ONE canary__hash_armv8_one
#define MANY canary__hash_armv8_many

typedef uint32x4_t vector;

INLINE vector load(const void *p) {
    return vreinterpretq_u32_u8(vld1q_u8(p));
}

INLINE vector either(vector a, vector b) {
    return vorrq_u32(a, b);
}

INLINE vector move(vector bytes, vector indexes) {
    return vreinterpretq_u32_u8(
        vqtbl1q_u8(vreinterpretq_u8_u32(bytes), vreinterpretq_u8_u32(indexes)));
}

INLINE vector pair_of(uint64_t low, uint64_t high) {
    return vreinterpretq_u32_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)));
}

INLINE vector zero(void) {
    return vdupq_n_u32(0);
}

INLINE vector words(vector bytes) {
    return vreinterpretq_u32_u8(vrev32q_u8(vreinterpretq_u8_u32(bytes)));
}

INLINE vector length(uint64_t total) {
    return pair_of(0, total >> 29 | total << 35);
}

INLINE vector short_length(uint32_t total) {
    return pair_of(0, (uint64_t)total << 35);
}

/* a..d and e..h of FIPS 180-4, a and e in the lowest elements. */
struct state {
    vector abcd;
    vector efgh;
};

INLINE struct state begin(const struct canary__hash_start *start) {
    return (struct state){ vld1q_u32(start->state), vld1q_u32(start->state + 4) };
}

/* Rounds 4i to 4i+3. */
INLINE void rounds(struct state *s, int i, vector w) {
    vector sum = vaddq_u32(w, vld1q_u32(&canary__sha256_k[4 * i]));
    vector abcd = s->abcd;

    s->abcd = vsha256hq_u32(abcd, s->efgh, sum);
    s->efgh = vsha256h2q_u32(s->efgh, abcd, sum);
}

/* Four words from the sixteen before them. */
INLINE vector next_words(vector w0, vector w4, vector w8, vector w12) {
    return vsha256su1q_u32(vsha256su0q_u32(w0, w4), w8, w12);
}

INLINE void join(struct state *s, struct state before) {
    s->abcd = vaddq_u32(s->abcd, before.abcd);
    s->efgh = vaddq_u32(s->efgh, before.efgh);
}

INLINE uint32_t first_word(struct state s, struct state before) {
    return vgetq_lane_u32(vaddq_u32(s.abcd, before.abcd), 0);
}

#include "core/hash_stream.h"

#endif
