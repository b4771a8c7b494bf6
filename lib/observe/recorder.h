/* SPDX-License-Identifier: MIT */
/* Where outcomes are counted: memory that each thread owns a slot of, and what gathers it.
 *
 * A slot belongs to the thread whose thread pointer is written in `owners`; only that thread writes
 * it, with plain loads, adds and stores, so a record costs no locked instruction and no line that two
 * threads write. Counters only ever rise. Gathering sums the slots and takes the difference to the
 * last sum, so it never writes what a recorder writes, and what a thread that ended had counted stays.
 * A thread that gets the thread pointer of one that ended goes on in its slot. Threads that found no
 * free slot share some, with atomic additions.
 *
 * Events that are compared with each other (ok, error, timeout; hit, miss) are counted in disjoint
 * counters, one addition for each event: whatever moment gathering falls into, no part exceeds the
 * whole. Of sums and histograms a gathering may see a record half done; the next one sees the rest.
 *
 * All of it lies in pages that fork wipes: a child finds nothing counted, nothing gathered, nothing
 * waiting, and every lock open. What is declared lies in pages that it inherits. */
#ifndef CANARY__RECORDER_H
#define CANARY__RECORDER_H

#include <canary/observe.h>

#include <pthread.h>
#include <stdatomic.h>

#include "core/snapshot.h"
#include "observe/histogram.h"
#include "observe/sample.h"
#include "observe/sheet.h"

enum {
    CANARY__SLOTS_OWNED = CANARY_RECORDING_THREADS,
    CANARY__SLOTS_SHARED = 8,
    CANARY__SLOTS = CANARY__SLOTS_OWNED + CANARY__SLOTS_SHARED,
    CANARY__SLOTS_GATHERING = 4,
    CANARY__STATUSES = 3,
    CANARY__REASONS = 16,
    CANARY__LIMBS =
        3, /* of a sum of squares: each gets 32 bits of every square, and never carries */
};

typedef _Atomic(uint64_t) canary__counter;

/* A duration of one cohort. `above[i]`: longer than i of the thresholds, and no more. `sum_ns` gets the
 * lower 32 bits of every one, `sum_high` the upper: 71 000 durations of three days pass 2^64. */
struct canary__duration_slot {
    canary__counter sum_ns;
    canary__counter sum_high;
    canary__counter squares[CANARY__LIMBS];
    canary__counter overflow;
    canary__counter above[CANARY_THRESHOLDS_MAX + 1];
    canary__counter buckets[CANARY__HISTOGRAM_BUCKETS];
};

/* Whose users an outcome belongs to: each counter of a proportion is there once for each of these, so that
 * dividing the old cohort into halves costs no addition and no part ever exceeds the whole. The new
 * cohort's are divided as well, which saves a question, and not kept. */
enum {
    CANARY__PART_UNKNOWN, /* the user is not known, or was not decided by the ramp */
    CANARY__PART_HALVES,  /* + canary__sample_half() */
    CANARY__PARTS = CANARY__PART_HALVES + 2,
};

/* What every outcome counts, of one cohort. */
struct canary__outcome_slot {
    canary__counter status[CANARY__PARTS][CANARY__STATUSES];
    canary__counter reasons[CANARY__REASONS];
    struct canary__duration_slot duration;
};

/* One thread's. */
struct canary__slot_of_thread {
    _Alignas(64) struct canary__outcome_slot cohorts[2];
    canary__counter rejected[CANARY_REJECTED_COUNT + 1]; /* and CANARY__LOSS_DROPPED */
};

/* A value or score of one cohort. `sum_low` gets the lower 32 bits of every number, `sum_high` the
 * upper ones, signed. The extremes are since the last gathering, which takes them out, and kept as
 * 2 * number + 1, so that 0 means none. */
struct canary__value_slot {
    canary__counter n;
    canary__counter sum_low;
    canary__counter sum_high;
    canary__counter squares[CANARY__LIMBS];
    _Atomic(int64_t) minimum;
    _Atomic(int64_t) maximum;
};

/* Fields of canary_metric that recorders need, and the memory of its slots. */
struct canary__declared {
    char name[CANARY_METRIC_NAME_MAX + 1];
    char unit[CANARY_UNIT_MAX + 1];
    int32_t kind;
    uint32_t threshold_count;
    int64_t thresholds_ns[CANARY_THRESHOLDS_MAX];
    double minimum;
    double maximum;
    double resolution;
    double per_unit; /* 1 / resolution */
    unsigned char *
        slots; /* wiped: CANARY__SLOTS + CANARY__SLOTS_GATHERING of `stride` bytes, the last ones for gathering */
    uint32_t stride; /* of one slot: both cohorts */
    uint32_t reserved;
};

/* The wiped part. */
struct canary__shards {
    _Atomic(uintptr_t) owners[CANARY__SLOTS_OWNED];
    pthread_mutex_t lock; /* gathering, declaring, `pending`; never held over storage */
    _Atomic(uint32_t) claimed;
    _Atomic(uint32_t) sharing;
    _Atomic(uint32_t) used; /* 1 from the first record in this process on */
    _Atomic(uint32_t) bank; /* of `samples` that recorders use */
    void *pending;          /* of the files that flush; NULL = nothing yet */
    _Alignas(64) struct canary__sample_table samples[2][2]; /* by bank and cohort */
    struct canary__slot_of_thread
        slots[CANARY__SLOTS + CANARY__SLOTS_GATHERING]; /* the last ones for gathering */
};

/* One context's. Kept over fork. */
struct canary__observer {
    canary_ctx *ctx;
    const struct canary__hooks *hooks;
    struct canary__shards *shards;
    _Atomic(uint32_t)
        duration_thresholds;          /* of the built-in metric: release, after they are there */
    _Atomic(uint32_t) duration_fixed; /* 1 once they were declared, be it none */
    struct canary__declared duration; /* its thresholds; no slots of its own */
    _Atomic(uint32_t) metric_count;   /* release, after the entry is complete */
    struct canary__declared metrics[CANARY_METRICS_MAX];
    uint64_t departed; /* while it is closed: serial of the record that has its counts; 0 = none */
};

/* Admits a declaration: CANARY_E_INVALID, or `out` without slots. Equal: all but the thresholds. */
int canary__declared_admit(const canary_metric *metric, struct canary__declared *out,
                           canary_error *error);
int canary__declared_equal(const struct canary__declared *a, const struct canary__declared *b);
int canary__declared_name_fits(const char *name);
/* Wiped memory for every slot of a metric, or NULL. */
void *canary__observer_slots(uint32_t stride);

/* Whole multiples of a resolution that a number can have: squares of them add up in 128 bits. */
#define CANARY__MULTIPLES_MOST 140737488355328.0 /* 2^47 */

/* The observer of a context, or NULL when nothing was recorded or declared yet. Any thread. */
struct canary__observer *canary__observer_of(canary_ctx *ctx);
/* The same, made when there is none; NULL without memory. Wait-free but for mmap(). */
struct canary__observer *canary__observer_make(canary_ctx *ctx);
/* With the context, when no recorder runs any more; `pending` must be gone. NULL is allowed. */
void canary__observer_free(struct canary__observer *observer);

void canary__observer_lock(struct canary__observer *observer);
void canary__observer_unlock(struct canary__observer *observer);

/* In a child of a kernel that does not wipe: forgets everything that was counted. */
void canary__observer_wipe(struct canary__observer *observer);

/* Memory of a metric's slot `index` and cohort. */
static inline void *canary__declared_slot(const struct canary__declared *metric, uint32_t index,
                                          int cohort) {
    return metric->slots + (size_t)index * metric->stride +
           (cohort == CANARY_NEW ? metric->stride / 2 : 0);
}

/* What was counted since the last call, under generation 0; `out` must be empty. All or nothing:
 * after CANARY_E_NOMEM the next call gives it. Under the observer's lock. */
int canary__observer_gather(struct canary__observer *observer, struct canary__sheet *out);
/* What was counted in this process, all of it. Under the observer's lock. */
int canary__observer_totals(struct canary__observer *observer, struct canary__sheet *out);
/* Users seen since the last turn, by cohort. Under the observer's lock. */
int canary__observer_samples(struct canary__observer *observer, struct canary__sample out[2]);
/* How many users were ever added to the present bank: when it did not move, samples did not. */
uint32_t canary__observer_sampled(struct canary__observer *observer);
/* From now on recorders sample for a new generation. Under the observer's lock. */
void canary__observer_turn(struct canary__observer *observer);

#endif
