/* SPDX-License-Identifier: MIT */
/* Sums over the slots of all threads, and what was added to them since the last time. */
#include <string.h>

#include "observe/recorder.h"

/* The slots behind the threads': sums at the last gathering, sums at the last look, their difference, and
 * how often the sums have passed 2^64. */
enum { LAST = CANARY__SLOTS, NOW, ADDED, PASSED };

_Static_assert((int)PASSED + 1 == (int)CANARY__SLOTS + (int)CANARY__SLOTS_GATHERING, "slots");
_Static_assert(CANARY__SLOTS <= 256, "an index fits a byte");

/* Slots of one kind: `slots` of `bytes` counters, `stride` apart. */
struct block {
    unsigned char *base;
    size_t stride;
    size_t bytes;
};

/* One gathering. */
struct look {
    struct canary__observer *observer;
    struct canary__sheet *sheet;
    int since_last; /* 0: all that was ever counted */
    size_t passed;  /* bytes from a counter in ADDED to that of its passes; 0 = there are none */
    uint32_t count; /* slots that are in use */
    uint8_t indices[CANARY__SLOTS];
};

static uint64_t load(const canary__counter *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void store(canary__counter *counter, uint64_t value) {
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static void *slot_at(const struct block *block, uint32_t index) {
    return block->base + index * block->stride;
}

static void look_begin(struct look *look, struct canary__observer *observer, int since_last,
                       struct canary__sheet *sheet) {
    struct canary__shards *shards = observer->shards;
    uint32_t sharing = atomic_load_explicit(&shards->sharing, memory_order_relaxed);

    look->observer = observer;
    look->sheet = sheet;
    look->since_last = since_last;
    look->count = 0;
    for (uint32_t i = 0; i < CANARY__SLOTS; i++) {
        if (i < CANARY__SLOTS_OWNED
                ? atomic_load_explicit(&shards->owners[i], memory_order_relaxed) != 0
                : sharing != 0) {
            look->indices[look->count++] = (uint8_t)i;
        }
    }
}

/* Slot by slot, so that memory is read in the order it lies in. Counters only rise, so the difference
 * to an earlier sum, modulo 2^64, is what was counted in between, and a sum below that of the look before
 * has passed 2^64. The limbs of sums get there: 2^33 numbers of 32 bits do. */
static void *add_up(struct look *look, const struct block *block) {
    canary__counter *last = slot_at(block, LAST);
    canary__counter *now = slot_at(block, NOW);
    canary__counter *added = slot_at(block, ADDED);
    canary__counter *passed = slot_at(block, PASSED);
    size_t counters = block->bytes / sizeof *now;

    memset((void *)added, 0, block->bytes);
    for (uint32_t i = 0; i < look->count; i++) {
        const canary__counter *slot = slot_at(block, look->indices[i]);

        for (size_t c = 0; c < counters; c++) {
            store(&added[c], load(&added[c]) + load(&slot[c]));
        }
    }
    for (size_t c = 0; c < counters; c++) {
        uint64_t sum = load(&added[c]);

        if (sum < load(&now[c])) {
            store(&passed[c], load(&passed[c]) + 1);
        }
        store(&now[c], sum);
        store(&added[c], sum - (look->since_last ? load(&last[c]) : 0));
    }
    look->passed = look->since_last ? 0 : (PASSED - ADDED) * block->stride;
    return added;
}

static struct block outcome_block(const struct canary__observer *observer) {
    return (struct block){ (unsigned char *)observer->shards->slots,
                           sizeof observer->shards->slots[0], sizeof observer->shards->slots[0] };
}

static struct block metric_block(const struct canary__declared *metric) {
    return (struct block){ metric->slots, metric->stride, metric->stride };
}

/* -- from counters to tallies -- */

/* sum += counter * 2^(32 * limb), the counter unsigned. */
static void add_limb(const struct look *look, struct canary__wide *sum,
                     const canary__counter *counter, int limb) {
    uint64_t value = load(counter);
    struct canary__wide shifted = { value, 0 };

    if (look->passed != 0) {
        shifted.high =
            load((const void *)((const unsigned char *)(const void *)counter + look->passed));
    }
    if (limb == 1) {
        shifted = (struct canary__wide){ value << 32, shifted.high << 32 | value >> 32 };
    } else if (limb == 2) {
        shifted = (struct canary__wide){ 0, value };
    }
    (void)canary__wide_add(sum, shifted);
}

static void add_squares(const struct look *look, struct canary__tally *tally,
                        const canary__counter *limbs) {
    for (int i = 0; i < CANARY__LIMBS; i++) {
        add_limb(look, &tally->squares, &limbs[i], i);
    }
}

static int any(const canary__counter *counters, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (load(&counters[i]) != 0) {
            return 1;
        }
    }
    return 0;
}

/* Counters that are kept as they are. Nothing counted makes no entry. */
static int put_counts(const struct look *look, int kind, int cohort, const char *metric,
                      const canary__counter *counters, size_t count) {
    struct canary__tally *tally;

    if (!any(counters, count)) {
        return CANARY_OK;
    }
    tally = canary__sheet_at(look->observer->hooks, look->sheet, 0, cohort, metric);
    if (tally == NULL) {
        return CANARY_E_NOMEM;
    }
    tally->kind = kind;
    for (size_t i = 0; i < count; i++) {
        tally->counts[i] = load(&counters[i]);
    }
    return CANARY_OK;
}

/* Counters of which there is a set of `count` for each part. */
static int put_parts(const struct look *look, int kind, int cohort, const char *metric,
                     const canary__counter *counters, size_t count) {
    struct canary__tally *tally;

    if (!any(counters, CANARY__PARTS * count)) {
        return CANARY_OK;
    }
    tally = canary__sheet_at(look->observer->hooks, look->sheet, 0, cohort, metric);
    if (tally == NULL) {
        return CANARY_E_NOMEM;
    }
    tally->kind = kind;
    for (size_t part = 0; part < CANARY__PARTS; part++) {
        for (size_t i = 0; i < count; i++) {
            uint64_t n = load(&counters[part * count + i]);

            tally->counts[i] += n;
            if (cohort == CANARY_OLD && part != CANARY__PART_UNKNOWN) {
                tally->halves[part - CANARY__PART_HALVES][i] = n;
            }
        }
    }
    return CANARY_OK;
}

static int put_duration(const struct look *look, int cohort, const char *metric,
                        const struct canary__duration_slot *slot,
                        const struct canary__declared *declared, uint32_t thresholds) {
    const struct canary__hooks *hooks = look->observer->hooks;
    struct canary__tally *tally;
    uint64_t above = 0;

    /* Of a record half done, the sum may be all there is; the next gathering has only the rest. */
    if (!any(&slot->sum_ns, sizeof *slot / sizeof slot->sum_ns)) {
        return CANARY_OK;
    }
    tally = canary__sheet_at(hooks, look->sheet, 0, cohort, metric);
    if (tally == NULL) {
        return CANARY_E_NOMEM;
    }
    tally->kind = CANARY_METRIC_DURATION;
    tally->buckets = canary__alloc(hooks, CANARY__HISTOGRAM_BUCKETS * sizeof *tally->buckets);
    if (tally->buckets == NULL) {
        return CANARY_E_NOMEM;
    }
    for (size_t i = 0; i < CANARY__HISTOGRAM_BUCKETS; i++) {
        tally->buckets[i] = load(&slot->buckets[i]);
    }
    tally->overflow = load(&slot->overflow);
    add_limb(look, &tally->sum, &slot->sum_ns, 0);
    add_limb(look, &tally->sum, &slot->sum_high, 1);
    add_squares(look, tally, slot->squares);
    /* From bins to counts above each threshold. */
    tally->threshold_count = thresholds;
    for (uint32_t i = thresholds; i > 0; i--) {
        above += load(&slot->above[i]);
        tally->thresholds_ns[i - 1] = declared->thresholds_ns[i - 1];
        tally->threshold_above[i - 1] = above;
    }
    above += load(&slot->above[0]);
    for (uint32_t i = 0; i < thresholds; i++) {
        tally->threshold_n[i] = above;
    }
    return CANARY_OK;
}

/* Takes the extreme of every slot out, so that it belongs to this gathering. What an earlier one took
 * and could not deliver is in the slot LAST. 0 = none. */
static int64_t take_extreme(const struct look *look, const struct block *block, size_t offset,
                            int sign) {
    _Atomic(int64_t) *kept = (void *)((unsigned char *)slot_at(block, LAST) + offset);
    int64_t extreme = atomic_load_explicit(kept, memory_order_relaxed);

    for (uint32_t i = 0; i < look->count; i++) {
        _Atomic(int64_t) *place =
            (void *)((unsigned char *)slot_at(block, look->indices[i]) + offset);
        int64_t found = atomic_exchange_explicit(place, 0, memory_order_relaxed);

        if (found != 0 && (extreme == 0 || (sign < 0 ? found < extreme : found > extreme))) {
            extreme = found;
        }
    }
    atomic_store_explicit(kept, extreme, memory_order_relaxed);
    return extreme;
}

/* A value that is recorded between the taking of one extreme and of the other is in one of them alone, and
 * may lie beyond the other: then there would be a greatest without a smallest, or below it, which no reader
 * of the stored form believes. Each of the two is a value that was recorded, and so bounds the other; what
 * was not taken is in the slot for the next gathering. */
static void order_extremes(int64_t *least, int64_t *most) {
    int64_t first = *least != 0 ? *least : *most;
    int64_t second = *most != 0 ? *most : *least;

    *least = first < second ? first : second;
    *most = first < second ? second : first;
}

static int put_value(const struct look *look, const struct block *block, int cohort,
                     const struct canary__declared *metric, const struct canary__value_slot *slot) {
    size_t base = cohort == CANARY_NEW ? metric->stride / 2 : 0;
    uint64_t high = load(&slot->sum_high);
    struct canary__tally *tally;
    int64_t least = 0;
    int64_t most = 0;

    if (look->since_last) {
        least = take_extreme(look, block, base + offsetof(struct canary__value_slot, minimum), -1);
        most = take_extreme(look, block, base + offsetof(struct canary__value_slot, maximum), 1);
        order_extremes(&least, &most);
    }
    /* What there is of a record half done goes, too: the next gathering has only the rest. */
    if (!any(&slot->n, offsetof(struct canary__value_slot, minimum) / sizeof slot->n) &&
        least == 0 && most == 0) {
        return CANARY_OK;
    }
    tally = canary__sheet_at(look->observer->hooks, look->sheet, 0, cohort, metric->name);
    if (tally == NULL) {
        return CANARY_E_NOMEM;
    }
    tally->kind = metric->kind;
    tally->resolution = metric->resolution;
    tally->counts[CANARY__COUNT_N] = load(&slot->n);
    add_limb(look, &tally->sum, &slot->sum_low, 0);
    /* The upper halves are signed: extended, then shifted by 32. */
    (void)canary__wide_add(
        &tally->sum,
        (struct canary__wide){
            high << 32, high >> 32 | ((int64_t)high < 0 ? UINT64_C(0xffffffff00000000) : 0) });
    add_squares(look, tally, slot->squares);
    tally->least = least;
    tally->most = most;
    return CANARY_OK;
}

static int put_metric(struct look *look, const struct canary__declared *metric) {
    struct block block = metric_block(metric);
    unsigned char *added = add_up(look, &block);
    int code = CANARY_OK;

    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW && code == CANARY_OK; cohort++) {
        void *slot = added + (cohort == CANARY_NEW ? metric->stride / 2 : 0);

        switch (metric->kind) {
        case CANARY_METRIC_DURATION:
            code = put_duration(look, cohort, metric->name, slot, metric, metric->threshold_count);
            break;
        case CANARY_METRIC_VALUE:
        case CANARY_METRIC_SCORE:
            code = put_value(look, &block, cohort, metric, slot);
            break;
        case CANARY_METRIC_PROPORTION:
            code = put_parts(look, metric->kind, cohort, metric->name, slot, CANARY__PROPORTION);
            break;
        default:
            code = put_counts(look, metric->kind, cohort, metric->name, slot, 4);
            break;
        }
    }
    return code;
}

static int put_outcomes(struct look *look) {
    struct canary__observer *observer = look->observer;
    struct block block = outcome_block(observer);
    struct canary__slot_of_thread *added = add_up(look, &block);
    uint32_t thresholds =
        atomic_load_explicit(&observer->duration_thresholds, memory_order_acquire);
    int code = CANARY_OK;

    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW && code == CANARY_OK; cohort++) {
        struct canary__outcome_slot *slot = &added->cohorts[cohort];

        code = put_parts(look, CANARY__TALLY_STATUS, cohort, CANARY__SHEET_STATUS, slot->status[0],
                         CANARY__STATUSES);
        if (code == CANARY_OK) {
            code = put_counts(look, CANARY__TALLY_DECISIONS, cohort, CANARY__SHEET_DECISIONS,
                              slot->reasons, CANARY__REASONS);
        }
        if (code == CANARY_OK) {
            code = put_duration(look, cohort, CANARY__SHEET_DURATION, &slot->duration,
                                &observer->duration, thresholds);
        }
    }
    return code == CANARY_OK
               ? put_counts(look, CANARY__TALLY_LOSSES, CANARY_OLD, CANARY__SHEET_LOSSES,
                            added->rejected, CANARY_REJECTED_COUNT + 1)
               : code;
}

static void commit(const struct block *block) {
    memcpy(slot_at(block, LAST), slot_at(block, NOW), block->bytes);
}

static void commit_all(struct canary__observer *observer, uint32_t metrics) {
    struct block block = outcome_block(observer);

    commit(&block);
    for (uint32_t i = 0; i < metrics; i++) {
        const struct canary__declared *metric = &observer->metrics[i];

        block = metric_block(metric);
        commit(&block);
        if (metric->kind == CANARY_METRIC_VALUE || metric->kind == CANARY_METRIC_SCORE) {
            for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
                struct canary__value_slot *last = canary__declared_slot(metric, LAST, cohort);

                atomic_store_explicit(&last->minimum, 0, memory_order_relaxed);
                atomic_store_explicit(&last->maximum, 0, memory_order_relaxed);
            }
        }
    }
}

static int gather(struct canary__observer *observer, int since_last, struct canary__sheet *out) {
    uint32_t metrics = atomic_load_explicit(&observer->metric_count, memory_order_acquire);
    struct look look;
    int code;

    look_begin(&look, observer, since_last, out);
    code = put_outcomes(&look);
    for (uint32_t i = 0; i < metrics && code == CANARY_OK; i++) {
        code = put_metric(&look, &observer->metrics[i]);
    }
    if (code != CANARY_OK) {
        canary__sheet_free(observer->hooks, out);
        return code;
    }
    if (since_last) {
        commit_all(observer, metrics);
    }
    return CANARY_OK;
}

int canary__observer_gather(struct canary__observer *observer, struct canary__sheet *out) {
    return gather(observer, 1, out);
}

int canary__observer_totals(struct canary__observer *observer, struct canary__sheet *out) {
    return gather(observer, 0, out);
}

/* -- users -- */

static struct canary__sample_table *bank_of(struct canary__observer *observer, uint32_t bank) {
    return observer->shards->samples[bank & 1];
}

int canary__observer_samples(struct canary__observer *observer, struct canary__sample out[2]) {
    struct canary__sample_table *tables =
        bank_of(observer, atomic_load_explicit(&observer->shards->bank, memory_order_relaxed));
    int code = canary__sample_take(observer->hooks, &tables[CANARY_OLD], &out[CANARY_OLD]);

    if (code == CANARY_OK) {
        code = canary__sample_take(observer->hooks, &tables[CANARY_NEW], &out[CANARY_NEW]);
        if (code != CANARY_OK) {
            canary__sample_free(observer->hooks, &out[CANARY_OLD]);
        }
    }
    return code;
}

uint32_t canary__observer_sampled(struct canary__observer *observer) {
    struct canary__sample_table *tables =
        bank_of(observer, atomic_load_explicit(&observer->shards->bank, memory_order_relaxed));

    return atomic_load_explicit(&tables[CANARY_OLD].added, memory_order_relaxed) +
           atomic_load_explicit(&tables[CANARY_NEW].added, memory_order_relaxed);
}

/* The other bank was left at the last turn: a recorder that still writes it has been in one call since
 * then. What it adds to the cleared table is one user in the wrong generation, at worst. */
void canary__observer_turn(struct canary__observer *observer) {
    uint32_t next = atomic_load_explicit(&observer->shards->bank, memory_order_relaxed) + 1;
    struct canary__sample_table *tables = bank_of(observer, next);

    canary__sample_clear(&tables[CANARY_OLD]);
    canary__sample_clear(&tables[CANARY_NEW]);
    atomic_store_explicit(&observer->shards->bank, next & 1, memory_order_release);
}
