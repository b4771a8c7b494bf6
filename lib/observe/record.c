/* SPDX-License-Identifier: MIT */
/* Recording: counting in the thread's own slot. */
#include <canary/bucket.h>
#include <canary/observe.h>

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/hash.h"
#include "observe/observation.h"
#include "observe/recorder.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum {
    NANOSECONDS = 1000, /* of a microsecond */
    OUTCOME_LEAST = offsetof(canary_outcome, reserved) + sizeof(uint32_t),
    DECISION_LEAST = offsetof(canary_decision, age_ns) + sizeof(int64_t),
};

/* What one record counts in. `shared` is known at compile time wherever that saves something. */
struct place {
    struct canary__observer *observer;
    uint32_t slot;
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

/* The owner is the only writer of an own slot: no locked instruction. */
static inline void count(canary__counter *counter, uint64_t add, int shared) {
    if (shared) {
        atomic_fetch_add_explicit(counter, add, memory_order_relaxed);
    } else {
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + add,
                              memory_order_relaxed);
    }
}

/* Out of line: the first record of a context in a process. */
static __attribute__((noinline, cold)) struct canary__observer *make_observer(canary_ctx *ctx) {
    struct canary__observer *observer = canary__observer_make(ctx);

    if (observer == NULL) {
        atomic_fetch_add_explicit(&ctx->unrecorded, 1, memory_order_relaxed);
        return NULL;
    }
    /* What was dropped before is told by whoever can count at last. */
    count(&observer->shards->slots[find_slot(observer->shards, thread_pointer())]
               .rejected[CANARY__LOSS_DROPPED],
          atomic_exchange_explicit(&ctx->unrecorded, 0, memory_order_relaxed), 1);
    atomic_store_explicit(&observer->shards->used, 1, memory_order_release);
    canary__observation_attach(canary_ctx_store(ctx)); /* who did not make it is a child */
    atomic_store_explicit(&ctx->observer, observer, memory_order_release);
    return observer;
}

/* Answers -1 when there is no memory to count in. */
static inline int find_place(canary_ctx *ctx, struct place *place) {
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
    return 0;
}

static inline struct canary__slot_of_thread *slot_of(const struct place *place) {
    return &place->observer->shards->slots[place->slot];
}

static inline int is_shared(const struct place *place) {
    return place->slot >= CANARY__SLOTS_OWNED;
}

static __attribute__((noinline, cold)) int reject(const struct place *place, int cause) {
    count(&slot_of(place)->rejected[cause], 1, is_shared(place));
    return CANARY_E_INVALID;
}

static inline void count_square(canary__counter *limbs, uint64_t value, int shared) {
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
    count(&limbs[0], low & UINT32_MAX, shared);
    count(&limbs[1], low >> 32, shared);
    if (UNLIKELY(high != 0)) { /* 4.3 s and more */
        count(&limbs[2], high, shared);
    }
}

static inline void count_duration(struct canary__duration_slot *slot, uint64_t duration_ns,
                                  const struct canary__declared *metric, uint32_t thresholds,
                                  int shared) {
    uint64_t us = duration_ns / NANOSECONDS;

    count(&slot->sum_ns, duration_ns & UINT32_MAX, shared);
    if (UNLIKELY(duration_ns > UINT32_MAX)) {
        count(&slot->sum_high, duration_ns >> 32, shared);
    }
    count_square(slot->squares, duration_ns, shared);
    if (LIKELY(us < CANARY__HISTOGRAM_END)) {
        count(&slot->buckets[canary__histogram_index(us)], 1, shared);
    } else {
        count(&slot->overflow, 1, shared);
    }
    if (thresholds > 0) {
        uint32_t above = 0;

        while (above < thresholds && (uint64_t)metric->thresholds_ns[above] < duration_ns) {
            above++;
        }
        count(&slot->above[above], 1, shared);
    }
}

/* -- declared metrics -- */

static void count_extreme(_Atomic(int64_t) *extreme, int64_t number, int sign) {
    int64_t coded = 2 * number + 1;
    int64_t known = atomic_load_explicit(extreme, memory_order_relaxed);

    /* An exchange, though the slot is its thread's: gathering takes extremes out. */
    while (known == 0 || (sign < 0 ? coded < known : coded > known)) {
        if (atomic_compare_exchange_weak_explicit(extreme, &known, coded, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return;
        }
    }
}

static int count_value(const struct place *place, const struct canary__declared *metric, int cohort,
                       double value) {
    struct canary__value_slot *slot = canary__declared_slot(metric, place->slot, cohort);
    int shared = is_shared(place);
    double scaled;
    int64_t number;

    if (!isfinite(value)) {
        return CANARY_REJECTED_NUMBER;
    }
    scaled = value * metric->per_unit;
    if (value < metric->minimum || value > metric->maximum ||
        !(scaled >= -CANARY__MULTIPLES_MOST && scaled <= CANARY__MULTIPLES_MOST)) {
        return CANARY_REJECTED_RANGE;
    }
    number = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    count_extreme(&slot->minimum, number, -1);
    count_extreme(&slot->maximum, number, 1);
    count(&slot->n, 1, shared);
    count(&slot->sum_low, (uint64_t)number & UINT32_MAX, shared);
    /* Shifted as two's complement, whatever the compiler makes of negative numbers. */
    count(&slot->sum_high, (uint64_t)number >> 32 | (number < 0 ? UINT64_C(0xffffffff00000000) : 0),
          shared);
    count_square(slot->squares, (uint64_t)(number < 0 ? -number : number), shared);
    return -1;
}

static int count_declared_duration(const struct place *place, const struct canary__declared *metric,
                                   int cohort, double value) {
    if (!isfinite(value)) {
        return CANARY_REJECTED_NUMBER;
    }
    if (value < 0 || value > (double)CANARY_DURATION_MAX_NS) {
        return CANARY_REJECTED_DURATION;
    }
    count_duration(canary__declared_slot(metric, place->slot, cohort), (uint64_t)value, metric,
                   metric->threshold_count, is_shared(place));
    return -1;
}

static int count_proportion(const struct place *place, const struct canary__declared *metric,
                            int cohort, double value) {
    canary__counter *counters = canary__declared_slot(metric, place->slot, cohort);

    if (!isfinite(value)) {
        return CANARY_REJECTED_NUMBER;
    }
    if (value != 0 && value != 1) {
        return CANARY_REJECTED_KIND;
    }
    count(&counters[value != 0 ? CANARY__COUNT_HIT : CANARY__COUNT_MISS], 1, is_shared(place));
    return -1;
}

/* Answers why it was rejected, or -1. */
static int count_measurement(const struct place *place, int cohort,
                             const canary_measurement *measurement) {
    uint32_t known = atomic_load_explicit(&place->observer->metric_count, memory_order_acquire);
    int classified = (measurement->tp | measurement->fp | measurement->fn | measurement->tn) != 0;
    const struct canary__declared *metric;

    if (measurement->metric < 0 || (uint32_t)measurement->metric >= known) {
        return CANARY_REJECTED_UNDECLARED;
    }
    metric = &place->observer->metrics[measurement->metric];
    if (measurement->reserved != 0) {
        return CANARY_REJECTED_ARGUMENT;
    }
    if (metric->kind == CANARY_METRIC_CLASSIFICATION) {
        canary__counter *counters = canary__declared_slot(metric, place->slot, cohort);

        if (measurement->value != 0 || !classified) {
            return CANARY_REJECTED_KIND;
        }
        count(&counters[CANARY__COUNT_TP], measurement->tp, is_shared(place));
        count(&counters[CANARY__COUNT_FP], measurement->fp, is_shared(place));
        count(&counters[CANARY__COUNT_FN], measurement->fn, is_shared(place));
        count(&counters[CANARY__COUNT_TN], measurement->tn, is_shared(place));
        return -1;
    }
    if (classified) {
        return CANARY_REJECTED_KIND;
    }
    switch (metric->kind) {
    case CANARY_METRIC_PROPORTION:
        return count_proportion(place, metric, cohort, measurement->value);
    case CANARY_METRIC_DURATION:
        return count_declared_duration(place, metric, cohort, measurement->value);
    default:
        return count_value(place, metric, cohort, measurement->value);
    }
}

static __attribute__((noinline)) int count_measurements(const struct place *place, int cohort,
                                                        const canary_outcome *outcome) {
    int code = CANARY_OK;

    if (outcome->measurements == NULL || outcome->measurement_count > CANARY_METRICS_MAX) {
        return reject(place, CANARY_REJECTED_ARGUMENT);
    }
    for (uint32_t i = 0; i < outcome->measurement_count; i++) {
        int cause = count_measurement(place, cohort, &outcome->measurements[i]);

        if (cause >= 0) {
            code = reject(place, cause);
        }
    }
    return code;
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

static inline __attribute__((always_inline)) void count_outcome(const struct place *place,
                                                                int cohort, int reason,
                                                                const canary_outcome *outcome,
                                                                int shared) {
    struct canary__outcome_slot *slot = &slot_of(place)->cohorts[cohort];

    count(&slot->status[outcome->status], 1, shared);
    count(&slot->reasons[reason], 1, shared);
    if (outcome->duration_ns >= 0) {
        count_duration(
            &slot->duration, (uint64_t)outcome->duration_ns, &place->observer->duration,
            atomic_load_explicit(&place->observer->duration_thresholds, memory_order_acquire),
            shared);
    }
}

static __attribute__((noinline)) void count_shared(const struct place *place, int cohort,
                                                   int reason, const canary_outcome *outcome) {
    count_outcome(place, cohort, reason, outcome, 1);
}

/* Out of line: an outcome with a fault, or that is none. */
static __attribute__((noinline, cold)) int
count_otherwise(const struct place *place, int fault, int cohort, const canary_outcome *outcome) {
    if (fault != ONLY_MEASUREMENTS) {
        return reject(place, fault);
    }
    return outcome->measurement_count == 0 ? CANARY_OK : count_measurements(place, cohort, outcome);
}

/* Counts an outcome that has no fault, but for its measurements. */
static inline void count_checked(const struct place *place, int cohort, int reason,
                                 const canary_outcome *outcome) {
    if (LIKELY(!is_shared(place))) {
        count_outcome(place, cohort, reason, outcome, 0);
    } else {
        count_shared(place, cohort, reason, outcome);
    }
}

static inline int count_rest(const struct place *place, int cohort, const canary_outcome *outcome) {
    return LIKELY(outcome->measurement_count == 0) ? CANARY_OK
                                                   : count_measurements(place, cohort, outcome);
}

static inline void sample(const struct place *place, int cohort, uint32_t hash) {
    struct canary__shards *shards = place->observer->shards;
    uint32_t bank = atomic_load_explicit(&shards->bank, memory_order_relaxed);

    canary__sample_put(&shards->samples[bank & 1][cohort], canary__sample_mix(hash));
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
    struct place place;
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
    }
    if (UNLIKELY(fault >= 0)) {
        return count_otherwise(&place, fault, decision->cohort, outcome);
    }
    count_checked(&place, decision->cohort, decision->reason, outcome);
    if (LIKELY(says_user(decision))) {
        sample(&place, decision->cohort, decision->hash);
    }
    return count_rest(&place, decision->cohort, outcome);
}

int canary_record_user(canary_ctx *ctx, const void *user_id, uint64_t user_id_size, int cohort,
                       const canary_outcome *outcome) {
    struct place place;
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
    if (fault >= 0) {
        return count_otherwise(&place, fault, cohort, outcome);
    }
    count_checked(&place, cohort, CANARY_REASON_UNKNOWN, outcome);
    word = canary__snapshot_word(ctx);
    /* Before the first load the salt is not known, and the user would be counted as another one. */
    if ((word & CANARY__WORD_LOADED) != 0) {
        sample(&place, cohort,
               canary__hash_one(canary__snapshot_start(ctx, word), user_id, (size_t)user_id_size));
    }
    return count_rest(&place, cohort, outcome);
}

int canary_record_cohort(canary_ctx *ctx, int cohort, const canary_outcome *outcome) {
    struct place place;
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
    struct place place;
    int fault;

    if (ctx == NULL || decision == NULL) {
        return CANARY_E_INVALID;
    }
    if (find_place(ctx, &place) != 0) {
        return CANARY_E_NOMEM;
    }
    fault = decision_fault(decision);
    if (fault >= 0) {
        return reject(&place, fault);
    }
    count(&slot_of(&place)->cohorts[decision->cohort].reasons[decision->reason], 1,
          is_shared(&place));
    if (says_user(decision)) {
        sample(&place, decision->cohort, decision->hash);
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
