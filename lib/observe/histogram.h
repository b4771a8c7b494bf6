/* SPDX-License-Identifier: MIT */
/* The fixed log-linear layout of durations: 64 buckets for each octave of microseconds, so that a
 * bucket is at most 2^-6 of its value wide and its middle at most 2^-7 off. Exact below 64. */
#ifndef CANARY__HISTOGRAM_H
#define CANARY__HISTOGRAM_H

#include <stdint.h>

#define CANARY__HISTOGRAM_LAYOUT 1 /* stored with every histogram; another layout gets another id */

enum {
    CANARY__HISTOGRAM_BITS = 6,                    /* P */
    CANARY__HISTOGRAM_BUCKETS = (32 - 6 + 1) << 6, /* 1728: microseconds below 2^32 */
};

#define CANARY__HISTOGRAM_END (UINT64_C(1) << 32) /* microseconds from here on overflow */

/* The bucket of `us` < CANARY__HISTOGRAM_END: us itself below 2^P, else ((e-P+1)<<P) +
 * ((us >> (e-P)) & (2^P-1)) with e = 63-clz(us); here without a branch. */
static inline uint32_t canary__histogram_index(uint64_t us) {
    uint32_t shift =
        63u - (uint32_t)__builtin_clzll(us | 1u << CANARY__HISTOGRAM_BITS) - CANARY__HISTOGRAM_BITS;

    /* With e = shift + P: (shift << P) + (us >> shift) carries the leading bit of us >> shift, which
     * is 2^P, into the octave; below 2^P there is no such bit and shift is 0. */
    return (shift << CANARY__HISTOGRAM_BITS) + (uint32_t)(us >> shift);
}

/* Smallest value of a bucket, and the smallest above it. */
uint64_t canary__histogram_low(uint32_t index);
uint64_t canary__histogram_end(uint32_t index);

/* The q-quantile in microseconds, 0 < q < 1: the middle of the bucket that holds the value of rank
 * ceil(q * n), of n = all buckets and `overflow`. NaN when n is 0, infinite when the rank lies in
 * the overflow. */
double canary__histogram_quantile(const uint64_t *buckets, uint64_t overflow, double q);

#endif
