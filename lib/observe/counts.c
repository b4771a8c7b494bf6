/* SPDX-License-Identifier: MIT */
/* What the threads of this process counted so far, by cohort: the few counters that a circuit breaker
 * asks for many times a second, without the histograms and without a lock. */
#include <stddef.h>
#include <string.h>

#include "base/sized.h"
#include "observe/recorder.h"

enum { COUNTS_LEAST = offsetof(canary_cohort_counts, timeouts) + 2 * sizeof(uint64_t) };

static void add_slot(const struct canary__slot_of_thread *slot, canary_cohort_counts *counts) {
    for (int cohort = 0; cohort < 2; cohort++) {
        const struct canary__outcome_slot *from = &slot->cohorts[cohort];

        for (int part = 0; part < CANARY__PARTS; part++) {
            uint64_t status[CANARY__STATUSES];

            for (int i = 0; i < CANARY__STATUSES; i++) {
                status[i] = atomic_load_explicit(&from->status[part][i], memory_order_relaxed);
                counts->outcomes[cohort] += status[i];
            }
            counts->errors[cohort] += status[CANARY_STATUS_ERROR];
            counts->timeouts[cohort] += status[CANARY_STATUS_TIMEOUT];
        }
    }
}

int canary_counts(canary_ctx *ctx, canary_cohort_counts *out) {
    canary_cohort_counts counts = CANARY_COHORT_COUNTS_INIT;
    struct canary__observer *observer;

    if (ctx == NULL || out == NULL || out->size < COUNTS_LEAST) {
        return CANARY_E_INVALID;
    }
    observer = canary__observer_of(ctx);
    if (observer != NULL) {
        struct canary__shards *shards = observer->shards;
        uint32_t sharing = atomic_load_explicit(&shards->sharing, memory_order_relaxed);

        for (uint32_t i = 0; i < CANARY__SLOTS; i++) {
            if (i < CANARY__SLOTS_OWNED
                    ? atomic_load_explicit(&shards->owners[i], memory_order_relaxed) != 0
                    : sharing != 0) {
                add_slot(&shards->slots[i], &counts);
            }
        }
    }
    canary__sized_out(out, &counts, sizeof counts);
    return CANARY_OK;
}

void canary_cohort_counts_init(canary_cohort_counts *counts, uint32_t size) {
    if (counts != NULL && size >= COUNTS_LEAST) {
        memset(counts, 0, size);
        counts->size = size;
    }
}
