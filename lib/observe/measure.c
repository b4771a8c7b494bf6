/* SPDX-License-Identifier: MIT */
/* Counting values of declared metrics, and what is rejected. */
#include <math.h>

#include "observe/count.h"

__attribute__((cold)) int canary__reject(const struct canary__place *place, int cause) {
    canary__count(&canary__slot_of(place)->rejected[cause], 1, canary__is_shared(place));
    return CANARY_E_INVALID;
}

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

static int count_value(const struct canary__place *place, const struct canary__declared *metric,
                       int cohort, double value) {
    struct canary__value_slot *slot = canary__declared_slot(metric, place->slot, cohort);
    int shared = canary__is_shared(place);
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
    canary__count(&slot->n, 1, shared);
    canary__count(&slot->sum_low, (uint64_t)number & UINT32_MAX, shared);
    /* Shifted as two's complement, whatever the compiler makes of negative numbers. */
    canary__count(&slot->sum_high,
                  (uint64_t)number >> 32 | (number < 0 ? UINT64_C(0xffffffff00000000) : 0), shared);
    canary__count_square(slot->squares, (uint64_t)(number < 0 ? -number : number), shared);
    return -1;
}

static int count_declared_duration(const struct canary__place *place,
                                   const struct canary__declared *metric, int cohort,
                                   double value) {
    if (!isfinite(value)) {
        return CANARY_REJECTED_NUMBER;
    }
    if (value < 0 || value > (double)CANARY_DURATION_MAX_NS) {
        return CANARY_REJECTED_DURATION;
    }
    canary__count_duration(canary__declared_slot(metric, place->slot, cohort), (uint64_t)value,
                           metric, metric->threshold_count, canary__is_shared(place));
    return -1;
}

static int count_proportion(const struct canary__place *place,
                            const struct canary__declared *metric, int cohort, double value) {
    canary__counter *counters = canary__declared_slot(metric, place->slot, cohort);

    if (!isfinite(value)) {
        return CANARY_REJECTED_NUMBER;
    }
    if (value != 0 && value != 1) {
        return CANARY_REJECTED_KIND;
    }
    counters += place->part * CANARY__PROPORTION;
    canary__count(&counters[value != 0 ? CANARY__COUNT_HIT : CANARY__COUNT_MISS], 1,
                  canary__is_shared(place));
    return -1;
}

/* Answers why it was rejected, or -1. */
static int count_measurement(const struct canary__place *place, int cohort,
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
        canary__count(&counters[CANARY__COUNT_TP], measurement->tp, canary__is_shared(place));
        canary__count(&counters[CANARY__COUNT_FP], measurement->fp, canary__is_shared(place));
        canary__count(&counters[CANARY__COUNT_FN], measurement->fn, canary__is_shared(place));
        canary__count(&counters[CANARY__COUNT_TN], measurement->tn, canary__is_shared(place));
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

int canary__count_measurements(const struct canary__place *place, int cohort,
                               const canary_outcome *outcome) {
    int code = CANARY_OK;

    if (outcome->measurements == NULL || outcome->measurement_count > CANARY_METRICS_MAX) {
        return canary__reject(place, CANARY_REJECTED_ARGUMENT);
    }
    for (uint32_t i = 0; i < outcome->measurement_count; i++) {
        int cause = count_measurement(place, cohort, &outcome->measurements[i]);

        if (cause >= 0) {
            code = canary__reject(place, cause);
        }
    }
    return code;
}
