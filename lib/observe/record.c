/* SPDX-License-Identifier: MIT */
/* Recording: counting in the thread's own slot. */
#include <canary/bucket.h>
#include <canary/observe.h>

#include <stddef.h>
#include <string.h>

#include "core/hash.h"
#include "observe/count.h"
#include "observe/observation.h"

enum {
    OUTCOME_LEAST = offsetof(canary_outcome, reserved) + sizeof(uint32_t),
    DECISION_LEAST = offsetof(canary_decision, age_ns) + sizeof(int64_t),
};

/* The one number that every thread has and no other thread that lives: the address of its control
 * block. Asking for a thread id would be a system call, thread-local storage of our own would need a
 * destructor, or leak with each dlclose(). */
static inline uintptr_t thread_pointer(void) {
#if defined(__x86_64__) && defined(__LP64__)
    uintptr_t pointer;

    __asm__("mov %%fs:0, %0" : "=r"(pointer));
    return pointer;
#elif defined(__aarch64__)
    uintptr_t pointer;

    __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
#else
    return (uintptr_t)pthread_self();
#endif
}

/* Control blocks lie at like places of equally large stacks: only a product spreads them. */
static inline uint32_t first_slot(uintptr_t pointer) {
    return (uint32_t)((uint64_t)pointer * UINT64_C(0x9e3779b97f4a7c15) >> 57);
}

_Static_assert(CANARY__SLOTS_OWNED == 128, "first_slot() gives 7 bits");

/* Out of line: the first record of a thread, and threads whose first slot is another's. A slot once
 * passed by never becomes free again, so that the search ends at the same one each time. Relaxed
 * orders suffice: a slot's counters are written by nobody before the exchange and by this thread alone
 * after it; a thread that inherits the pointer of one that ended was started after that one's end. */
static __attribute__((noinline)) uint32_t find_slot(struct canary__shards *shards,
                                                    uintptr_t pointer) {
    uint32_t first = first_slot(pointer);

    for (uint32_t i = 0; i < CANARY__SLOTS_OWNED; i++) {
        uint32_t slot = (first + i) % CANARY__SLOTS_OWNED;
        uintptr_t owner = atomic_load_explicit(&shards->owners[slot], memory_order_relaxed);

        if (owner == 0 &&
            atomic_compare_exchange_strong_explicit(&shards->owners[slot], &owner, pointer,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            atomic_fetch_add_explicit(&shards->claimed, 1, memory_order_relaxed);
            return slot;
        }
        if (owner == pointer) {
            return slot;
        }
    }
    atomic_store_explicit(&shards->sharing, 1, memory_order_relaxed);
    return CANARY__SLOTS_OWNED + first % CANARY__SLOTS_SHARED;
}

/* Out of line: the first record of a context in a process. */
static __attribute__((noinline, cold)) struct canary__observer *make_observer(canary_ctx *ctx) {
    struct canary__observer *observer = canary__observer_make(ctx);

    if (observer == NULL) {
        atomic_fetch_add_explicit(&ctx->unrecorded, 1, memory_order_relaxed);
        return NULL;
    }
    /* What was dropped before is told by whoever can count at last. */
    canary__count(&observer->shards->slots[find_slot(observer->shards, thread_pointer())]
                       .rejected[CANARY__LOSS_DROPPED],
                  atomic_exchange_explicit(&ctx->unrecorded, 0, memory_order_relaxed), 1);
    atomic_store_explicit(&observer->shards->used, 1, memory_order_release);
    canary__observation_attach(canary_ctx_store(ctx)); /* who did not make it is a child */
    atomic_store_explicit(&ctx->observer, observer, memory_order_release);
    return observer;
}

/* Answers -1 when there is no memory to count in. */
static inline int find_place(canary_ctx *ctx, struct canary__place *place) {
    struct canary__observer *observer = atomic_load_explicit(&ctx->observer, memory_order_acquire);
    uintptr_t pointer = thread_pointer();
    uint32_t slot = first_slot(pointer);

    /* The page of the context is wiped by fork, too, so that a child comes by here. */
    if (UNLIKELY(observer == NULL)) {
        observer = make_observer(ctx);
        if (observer == NULL) {
            return -1;
        }
    }
    if (UNLIKELY(atomic_load_explicit(&observer->shards->owners[slot], memory_order_relaxed) !=
                 pointer)) {
        slot = find_slot(observer->shards, pointer);
    }
    place->observer = observer;
    place->slot = slot;
    place->part = CANARY__PART_UNKNOWN;
    return 0;
}

/* -- outcomes -- */

/* A newer program's outcome: what this library does not know must be zero. */
static __attribute__((noinline, cold)) int is_plain(const canary_outcome *outcome) {
    const unsigned char *bytes = (const unsigned char *)outcome;

    if (outcome->size < OUTCOME_LEAST || outcome->size > 1 << 16) {
        return 0;
    }
    for (size_t i = OUTCOME_LEAST; i < outcome->size; i++) {
        if (bytes[i] != 0) {
            return 0;
        }
    }
    return 1;
}

enum { ONLY_MEASUREMENTS = 1000 }; /* beside the causes of rejection */

/* Why an outcome cannot count at all, ONLY_MEASUREMENTS, or -1. */
static inline int outcome_fault(const canary_outcome *outcome, int cohort) {
    if (UNLIKELY((outcome->size != OUTCOME_LEAST && !is_plain(outcome)) ||
                 outcome->reserved != 0)) {
        return CANARY_REJECTED_ARGUMENT;
    }
    if (UNLIKELY(cohort != CANARY_OLD && cohort != CANARY_NEW)) {
        return CANARY_REJECTED_COHORT;
    }
    if (UNLIKELY((uint32_t)outcome->status >= CANARY__STATUSES)) {
        return outcome->status != CANARY_STATUS_NONE         ? CANARY_REJECTED_STATUS
               : outcome->duration_ns != CANARY_NOT_MEASURED ? CANARY_REJECTED_DURATION
                                                             : ONLY_MEASUREMENTS;
    }
    /* From CANARY_NOT_MEASURED on, in one comparison. */
    if (UNLIKELY((uint64_t)outcome->duration_ns + 1 > (uint64_t)CANARY_DURATION_MAX_NS + 1)) {
        return CANARY_REJECTED_DURATION;
    }
    return -1;
}

static inline __attribute__((always_inline)) void count_outcome(const struct canary__place *place,
                                                                int cohort, int reason,
                                                                const canary_outcome *outcome,
                                                                int shared) {
    struct canary__outcome_slot *slot = &canary__slot_of(place)->cohorts[cohort];

    canary__count(&slot->status[place->part][outcome->status], 1, shared);
    canary__count(&slot->reasons[reason], 1, shared);
    if (outcome->duration_ns >= 0) {
        canary__count_duration(
            &slot->duration, (uint64_t)outcome->duration_ns, &place->observer->duration,
            atomic_load_explicit(&place->observer->duration_thresholds, memory_order_acquire),
            shared);
    }
}

static __attribute__((noinline)) void count_shared(const struct canary__place *place, int cohort,
                                                   int reason, const canary_outcome *outcome) {
    count_outcome(place, cohort, reason, outcome, 1);
}

/* Out of line: an outcome with a fault, or that is none. */
static __attribute__((noinline, cold)) int count_otherwise(const struct canary__place *place,
                                                           int fault, int cohort,
                                                           const canary_outcome *outcome) {
    if (fault != ONLY_MEASUREMENTS) {
        return canary__reject(place, fault);
    }
    return outcome->measurement_count == 0 ? CANARY_OK
                                           : canary__count_measurements(place, cohort, outcome);
}

/* Counts an outcome that has no fault, but for its measurements. */
static inline void count_checked(const struct canary__place *place, int cohort, int reason,
                                 const canary_outcome *outcome) {
    if (LIKELY(!canary__is_shared(place))) {
        count_outcome(place, cohort, reason, outcome, 0);
    } else {
        count_shared(place, cohort, reason, outcome);
    }
}

static inline int count_rest(const struct canary__place *place, int cohort,
                             const canary_outcome *outcome) {
    return LIKELY(outcome->measurement_count == 0)
               ? CANARY_OK
               : canary__count_measurements(place, cohort, outcome);
}

static inline uint32_t part_of(uint32_t mixed) {
    return CANARY__PART_HALVES + canary__sample_half(mixed);
}

static inline void sample(const struct canary__place *place, int cohort, uint32_t mixed) {
    struct canary__shards *shards = place->observer->shards;
    uint32_t bank = atomic_load_explicit(&shards->bank, memory_order_relaxed);

    canary__sample_put(&shards->samples[bank & 1][cohort], mixed);
}

/* Whether a decision says who was decided: those whom the ramp decided, under the rollout's salt. */
static inline int says_user(const canary_decision *decision) {
    return (decision->reason == CANARY_REASON_SPLIT || decision->reason == CANARY_REASON_STATIC) &&
           decision->bucket < CANARY_BUCKETS;
}

static inline int decision_fault(const canary_decision *decision) {
    if (UNLIKELY(decision->size < DECISION_LEAST || decision->reason < 0 ||
                 decision->reason >= CANARY__REASONS)) {
        return CANARY_REJECTED_ARGUMENT;
    }
    return UNLIKELY(decision->cohort != CANARY_OLD && decision->cohort != CANARY_NEW)
               ? CANARY_REJECTED_COHORT
               : -1;
}

int canary_record(canary_ctx *ctx, const canary_decision *decision, const canary_outcome *outcome) {
    struct canary__place place;
    uint32_t mixed = 0;
    int fault;

    if (UNLIKELY(ctx == NULL || decision == NULL || outcome == NULL)) {
        return CANARY_E_INVALID;
    }
    if (UNLIKELY(find_place(ctx, &place) != 0)) {
        return CANARY_E_NOMEM;
    }
    fault = decision_fault(decision);
    if (LIKELY(fault < 0)) {
        fault = outcome_fault(outcome, decision->cohort);
        mixed = canary__sample_mix(decision->hash);
        place.part = says_user(decision) ? part_of(mixed) : CANARY__PART_UNKNOWN;
    }
    if (UNLIKELY(fault >= 0)) {
        return count_otherwise(&place, fault, decision->cohort, outcome);
    }
    count_checked(&place, decision->cohort, decision->reason, outcome);
    if (LIKELY(place.part != CANARY__PART_UNKNOWN)) {
        sample(&place, decision->cohort, mixed);
    }
    return count_rest(&place, decision->cohort, outcome);
}

int canary_record_user(canary_ctx *ctx, const void *user_id, uint64_t user_id_size, int cohort,
                       const canary_outcome *outcome) {
    struct canary__place place;
    uint32_t mixed = 0;
    uint64_t word;
    int fault;

    if (ctx == NULL || outcome == NULL) {
        return CANARY_E_INVALID;
    }
    if (find_place(ctx, &place) != 0) {
        return CANARY_E_NOMEM;
    }
    fault = user_id == NULL || user_id_size == 0 || user_id_size > SIZE_MAX
                ? CANARY_REJECTED_ARGUMENT
                : outcome_fault(outcome, cohort);
    if (fault >= 0 && fault != ONLY_MEASUREMENTS) {
        return canary__reject(&place, fault);
    }
    word = canary__snapshot_word(ctx);
    /* Before the first load the salt is not known, and the user would be counted as another one. */
    if ((word & CANARY__WORD_LOADED) != 0) {
        mixed = canary__sample_mix(
            canary__hash_one(canary__snapshot_start(ctx, word), user_id, (size_t)user_id_size));
        place.part = part_of(mixed);
    }
    if (fault >= 0) {
        return count_otherwise(&place, fault, cohort, outcome);
    }
    count_checked(&place, cohort, CANARY_REASON_UNKNOWN, outcome);
    if (place.part != CANARY__PART_UNKNOWN) {
        sample(&place, cohort, mixed);
    }
    return count_rest(&place, cohort, outcome);
}

int canary_record_cohort(canary_ctx *ctx, int cohort, const canary_outcome *outcome) {
    struct canary__place place;
    int fault;

    if (UNLIKELY(ctx == NULL || outcome == NULL)) {
        return CANARY_E_INVALID;
    }
    if (UNLIKELY(find_place(ctx, &place) != 0)) {
        return CANARY_E_NOMEM;
    }
    fault = outcome_fault(outcome, cohort);
    if (UNLIKELY(fault >= 0)) {
        return count_otherwise(&place, fault, cohort, outcome);
    }
    count_checked(&place, cohort, CANARY_REASON_UNKNOWN, outcome);
    return count_rest(&place, cohort, outcome);
}

int canary_expose(canary_ctx *ctx, const canary_decision *decision) {
    struct canary__place place;
    int fault;

    if (ctx == NULL || decision == NULL) {
        return CANARY_E_INVALID;
    }
    if (find_place(ctx, &place) != 0) {
        return CANARY_E_NOMEM;
    }
    fault = decision_fault(decision);
    if (fault >= 0) {
        return canary__reject(&place, fault);
    }
    canary__count(&canary__slot_of(&place)->cohorts[decision->cohort].reasons[decision->reason], 1,
                  canary__is_shared(&place));
    if (says_user(decision)) {
        sample(&place, decision->cohort, canary__sample_mix(decision->hash));
    }
    return CANARY_OK;
}

void canary_outcome_init(canary_outcome *outcome, uint32_t size) {
    if (outcome != NULL && size >= OUTCOME_LEAST) {
        memset(outcome, 0, size);
        outcome->size = size;
        outcome->duration_ns = CANARY_NOT_MEASURED;
    }
}
