/* SPDX-License-Identifier: MIT */
/* Algorithm 1 inside the library; the contract is in <canary/bucket.h>. */
#ifndef CANARY__BUCKET_H
#define CANARY__BUCKET_H

#include <stdint.h>

static inline uint32_t canary__bucket_of(uint32_t hash) {
    return (hash % 100) * 100 + (hash / 100) % 100;
}

/* A percentage as decisions want it: whole percents above, hundredths of one below. Made when a state
 * is published, so that no decision has to divide. */
#define CANARY__SHARE_ALL (100u << 7)

static inline uint32_t canary__share_of(uint32_t bp) {
    return bp / 100 << 7 | bp % 100;
}

static inline uint32_t canary__share_bp(uint32_t share) {
    return (share >> 7) * 100 + (share & 0x7f);
}

/* 2^64 / 100, rounded up. Multiplied by a 32-bit number, and cut to 64 bits, it gives the number's
 * remainder by 100 as a fraction of 2^64: r * CANARY__BUCKET_STEP and less than one step more
 * (Lemire, Kaser, Kurz: Faster remainder by direct computation, 2019). */
#define CANARY__BUCKET_STEP UINT64_C(0x028f5c28f5c28f5d)

/* canary__bucket_of(hash) < bp, for a share below all, in one multiplication behind the hash instead
 * of four: the decision waits for it. Only who shares the last percent of the ramp has to look at
 * the lower half of the bucket. */
static inline int canary__bucket_below(uint32_t hash, uint32_t share) {
    uint64_t place = CANARY__BUCKET_STEP * hash;
    uint64_t edge = CANARY__BUCKET_STEP * (share >> 7);
    uint32_t rest = share & 0x7f;

    if (__builtin_expect(rest != 0 && place - edge < CANARY__BUCKET_STEP, 0)) {
        return hash / 100 % 100 < rest;
    }
    return place < edge;
}

#endif
