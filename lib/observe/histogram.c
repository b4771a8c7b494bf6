/* SPDX-License-Identifier: MIT */
#include "observe/histogram.h"

#include <canary/metrics.h>

#include <math.h>
#include <stddef.h>

_Static_assert(CANARY_DURATION_BUCKETS == CANARY__HISTOGRAM_BUCKETS, "the layout that is told");

uint64_t canary__histogram_low(uint32_t index) {
    const uint32_t first = 1u << CANARY__HISTOGRAM_BITS;
    uint32_t octave = index >> CANARY__HISTOGRAM_BITS;

    return octave == 0 ? index : (uint64_t)(index % first + first) << (octave - 1);
}

int64_t canary_duration_bucket_ns(uint32_t index) {
    static const int64_t nanoseconds = 1000; /* of a microsecond */

    return (int64_t)canary__histogram_low(
               index < CANARY__HISTOGRAM_BUCKETS ? index : CANARY__HISTOGRAM_BUCKETS) *
           nanoseconds;
}

uint64_t canary__histogram_end(uint32_t index) {
    return canary__histogram_low(index + 1);
}

double canary__histogram_quantile(const uint64_t *buckets, uint64_t overflow, double q) {
    double n = (double)overflow;
    double below = 0;
    double rank;

    if (buckets != NULL) {
        for (uint32_t i = 0; i < CANARY__HISTOGRAM_BUCKETS; i++) {
            n += (double)buckets[i];
        }
    }
    if (n == 0) {
        return NAN;
    }
    /* A hair less than q * n: 0.07 * 100 is above 7 in doubles, and the rank of a hundred values must
     * not become 8 by it. In doubles, so that no number of values overflows. */
    rank = q * n * (1 - 0x1p-50);
    if (buckets != NULL) {
        for (uint32_t i = 0; i < CANARY__HISTOGRAM_BUCKETS; i++) {
            below += (double)buckets[i];
            if (buckets[i] != 0 && below >= rank) {
                return ((double)canary__histogram_low(i) + (double)canary__histogram_end(i)) / 2;
            }
        }
    }
    return INFINITY;
}
