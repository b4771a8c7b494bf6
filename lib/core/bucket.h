/* SPDX-License-Identifier: MIT */
/* Algorithm 1 inside the library; the contract is in <canary/bucket.h>. */
#ifndef CANARY__BUCKET_H
#define CANARY__BUCKET_H

#include <stdint.h>

static inline uint32_t canary__bucket_of(uint32_t hash) {
    return (hash % 100) * 100 + (hash / 100) % 100;
}

/* 2^64 / 100, rounded up. Multiplied by a 32-bit number, and cut to 64 bits, it gives the number's
 * remainder by 100 as a fraction of 2^64: r * CANARY__BUCKET_STEP and less than one step more
 * (Lemire, Kaser, Kurz: Faster remainder by direct computation, 2019). */
#define CANARY__BUCKET_STEP UINT64_C(0x028f5c28f5c28f5d)

/* canary__bucket_of(hash) < bp, for a bp below 10000, in one multiplication behind the hash instead
 * of four: the decision waits for it. Only who shares the last percent of the ramp has to look at
 * the lower half of the bucket. */
static inline int canary__bucket_below(uint32_t hash, uint32_t bp) {
    uint64_t place = CANARY__BUCKET_STEP * hash;
    uint64_t edge = CANARY__BUCKET_STEP * (bp / 100);
    uint32_t rest = bp % 100;

    if (__builtin_expect(rest != 0 && place - edge < CANARY__BUCKET_STEP, 0)) {
        return hash / 100 % 100 < rest;
    }
    return place < edge;
}

#endif
