/* SPDX-License-Identifier: MIT */
/* Counting in a slot; for the files that record. */
#ifndef CANARY__COUNT_H
#define CANARY__COUNT_H

#include "observe/recorder.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum { CANARY__NANOSECONDS = 1000 /* of a microsecond */ };

/* What one record counts in. `shared` is known at compile time wherever that saves something. */
struct canary__place {
    struct canary__observer *observer;
    uint32_t slot;
    uint32_t part; /* CANARY__PART_... */
};

/* The owner is the only writer of an own slot: no locked instruction. */
static inline void canary__count(canary__counter *counter, uint64_t add, int shared) {
    if (shared) {
        atomic_fetch_add_explicit(counter, add, memory_order_relaxed);
    } else {
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + add,
                              memory_order_relaxed);
    }
}

static inline struct canary__slot_of_thread *canary__slot_of(const struct canary__place *place) {
    return &place->observer->shards->slots[place->slot];
}

static inline int canary__is_shared(const struct canary__place *place) {
    return place->slot >= CANARY__SLOTS_OWNED;
}

static inline void canary__count_square(canary__counter *limbs, uint64_t value, int shared) {
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide square = (wide)value * value;
    uint64_t low = (uint64_t)square;
    uint64_t high = (uint64_t)(square >> 64);
#else
    struct canary__wide square = canary__wide_square((int64_t)value);
    uint64_t low = square.low;
    uint64_t high = square.high;
#endif
    canary__count(&limbs[0], low & UINT32_MAX, shared);
    canary__count(&limbs[1], low >> 32, shared);
    if (UNLIKELY(high != 0)) { /* 4.3 s and more */
        canary__count(&limbs[2], high, shared);
    }
}

static inline void canary__count_duration(struct canary__duration_slot *slot, uint64_t duration_ns,
                                          const struct canary__declared *metric,
                                          uint32_t thresholds, int shared) {
    uint64_t us = duration_ns / CANARY__NANOSECONDS;

    canary__count(&slot->sum_ns, duration_ns & UINT32_MAX, shared);
    if (UNLIKELY(duration_ns > UINT32_MAX)) {
        canary__count(&slot->sum_high, duration_ns >> 32, shared);
    }
    canary__count_square(slot->squares, duration_ns, shared);
    if (LIKELY(us < CANARY__HISTOGRAM_END)) {
        canary__count(&slot->buckets[canary__histogram_index(us)], 1, shared);
    } else {
        canary__count(&slot->overflow, 1, shared);
    }
    if (thresholds > 0) {
        uint32_t above = 0;

        while (above < thresholds && (uint64_t)metric->thresholds_ns[above] < duration_ns) {
            above++;
        }
        canary__count(&slot->above[above], 1, shared);
    }
}

/* Out of line: counts a rejection, and answers CANARY_E_INVALID. */
int canary__reject(const struct canary__place *place, int cause);

/* Counts what was measured besides; CANARY_E_INVALID when something of it was rejected. */
int canary__count_measurements(const struct canary__place *place, int cohort,
                               const canary_outcome *outcome);

#endif
