/* SPDX-License-Identifier: MIT */
/* What a tally says, as numbers for people. */
#include <math.h>
#include <string.h>

#include "observe/histogram.h"
#include "observe/tally.h"

enum {
    WIDE = sizeof(struct canary__wide) / sizeof(uint32_t),
    WIDEST = 2 * WIDE, /* limbs of a square of a wide number */
};

static uint64_t total(const uint64_t *numbers, size_t count) {
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum = sum + numbers[i] < sum ? UINT64_MAX : sum + numbers[i];
    }
    return sum;
}

static double ratio(uint64_t part, uint64_t whole) {
    return whole != 0 ? (double)part / (double)whole : NAN;
}

/* -- variance -- */

static void limbs(struct canary__wide value, uint32_t *out) {
    for (int i = 0; i < 2; i++) {
        out[i] = (uint32_t)(value.low >> 32 * i);
        out[i + 2] = (uint32_t)(value.high >> 32 * i);
    }
}

static void multiply(struct canary__wide a, struct canary__wide b, uint32_t *out) {
    uint32_t x[WIDE];
    uint32_t y[WIDE];

    limbs(a, x);
    limbs(b, y);
    memset(out, 0, WIDEST * sizeof *out);
    for (int i = 0; i < WIDE; i++) {
        uint64_t carry = 0;

        for (int k = 0; k < WIDE; k++) {
            carry += (uint64_t)x[i] * y[k] + out[i + k];
            out[i + k] = (uint32_t)carry;
            carry >>= 32;
        }
        out[i + WIDE] = (uint32_t)carry;
    }
}

/* (squares - sum^2 / n) / (n - 1), as (n * squares - sum^2) / n / (n - 1): the difference, in which all
 * digits of a narrow distribution far from 0 would be lost, is taken in 256 bits and is exact. It is
 * below 0 only where an outcome is half recorded. */
static double variance(const struct canary__tally *tally, uint64_t n) {
    struct canary__wide size = tally->sum;
    uint32_t squares[WIDEST];
    uint32_t square[WIDEST];
    uint64_t borrow = 0;
    double difference = 0;

    if (n < 2 || tally->lossy) {
        return NAN;
    }
    if (tally->kind != CANARY_METRIC_DURATION && size.high >> 63 != 0) {
        size.low = 0 - size.low;
        size.high = ~size.high + (size.low == 0);
    }
    multiply((struct canary__wide){ n, 0 }, tally->squares, squares);
    multiply(size, size, square);
    for (int i = 0; i < WIDEST; i++) {
        uint64_t limb = (uint64_t)squares[i] - square[i] - borrow;

        squares[i] = (uint32_t)limb;
        borrow = limb >> 63;
    }
    if (borrow) {
        return 0;
    }
    for (int i = WIDEST - 1; i >= 0; i--) {
        difference = difference * 0x1p32 + squares[i];
    }
    return difference / (double)n / (double)(n - 1);
}

/* -- kinds -- */

/* A number of units, of which there are `inverse` in 1. Where that is whole, as for a resolution of
 * 0.01, dividing by it gives the number that its decimal digits would be read as. */
static double scale(double number, double resolution) {
    double inverse = 1 / resolution;

    if (inverse < 0x1p53) {
        inverse = (double)(uint64_t)(inverse + 0.5);
        if (1 / inverse == resolution) {
            return number / inverse;
        }
    }
    return number * resolution;
}

static double extreme(int64_t coded, double resolution) {
    return coded != 0 ? scale((double)((coded - 1) / 2), resolution) : NAN;
}

static void sums(const struct canary__tally *tally, double sum, double unit, canary_figures *out) {
    double deviation = scale(1, unit);

    out->sum = scale(sum, unit);
    out->mean = out->n != 0 ? scale(sum / (double)out->n, unit) : NAN;
    out->variance = variance(tally, out->n) * deviation * deviation;
}

static void figures_of_duration(const struct canary__tally *tally, canary_figures *out) {
    static const double of_microseconds = 1e6;
    const struct {
        double q;
        double *to;
    } quantiles[] = {
        { 0.5, &out->p50 },  { 0.9, &out->p90 },    { 0.95, &out->p95 },
        { 0.99, &out->p99 }, { 0.999, &out->p999 },
    };

    out->overflow = tally->overflow;
    if (tally->buckets != NULL) {
        out->n = total(tally->buckets, CANARY__HISTOGRAM_BUCKETS);
    }
    out->n = total((uint64_t[]){ out->n, out->overflow }, 2);
    sums(tally, canary__wide_double(tally->sum), 1e-9, out);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        *quantiles[i].to =
            canary__histogram_quantile(tally->buckets, tally->overflow, quantiles[i].q) /
            of_microseconds;
    }
    for (uint32_t i = 0; tally->buckets != NULL && i < CANARY__HISTOGRAM_BUCKETS; i++) {
        if (tally->buckets[i] != 0) {
            out->bucket_count = i + 1;
            out->buckets = tally->buckets;
        }
    }
    for (uint32_t i = 0; i < tally->threshold_count; i++) {
        out->threshold_n[i] = tally->threshold_n[i];
        out->threshold_above[i] = tally->threshold_above[i];
    }
}

/* Where counts have stopped at their end, nothing is known of their halves. */
static void figures_of_halves(const struct canary__tally *tally, int hit, canary_figures *out) {
    for (int half = 0; half < 2; half++) {
        out->half_n[half] = total(tally->halves[half], CANARY__TALLY_HALF);
        out->half_k[half] = tally->halves[half][hit];
    }
    if (out->n == UINT64_MAX) {
        memset(out->half_n, 0, sizeof out->half_n);
        memset(out->half_k, 0, sizeof out->half_k);
    }
}

static void figures_of_classification(const uint64_t *counts, canary_figures *out) {
    double q;

    out->tp = counts[CANARY__COUNT_TP];
    out->fp = counts[CANARY__COUNT_FP];
    out->fn = counts[CANARY__COUNT_FN];
    out->tn = counts[CANARY__COUNT_TN];
    out->precision = ratio(out->tp, total((uint64_t[]){ out->tp, out->fp }, 2));
    out->recall = ratio(out->tp, total((uint64_t[]){ out->tp, out->fn }, 2));
    q = ratio(out->tp, total((uint64_t[]){ out->tp, out->fp, out->fn }, 3));
    out->f1 = 2 * q / (1 + q);
}

void canary__tally_figures(const struct canary__tally *tally, int wanted, canary_figures *out) {
    *out = (canary_figures){
        .size = (uint32_t)sizeof *out,
        .n = total(tally->counts, CANARY__TALLY_COUNTS),
        .rate = NAN,
        .sum = NAN,
        .mean = NAN,
        .variance = NAN,
        .minimum = NAN,
        .maximum = NAN,
        .p50 = NAN,
        .p90 = NAN,
        .p95 = NAN,
        .p99 = NAN,
        .p999 = NAN,
        .precision = NAN,
        .recall = NAN,
        .f1 = NAN,
    };
    switch (tally->kind) {
    case CANARY__TALLY_STATUS:
    case CANARY_METRIC_PROPORTION:
        wanted = tally->kind == CANARY__TALLY_STATUS ? wanted : CANARY__COUNT_HIT;
        out->k = tally->counts[wanted];
        figures_of_halves(tally, wanted, out);
        out->rate = ratio(out->k, out->n);
        break;
    case CANARY_METRIC_DURATION:
        figures_of_duration(tally, out);
        break;
    case CANARY_METRIC_VALUE:
    case CANARY_METRIC_SCORE:
        sums(tally, canary__wide_double_signed(tally->sum), tally->resolution, out);
        out->minimum = extreme(tally->least, tally->resolution);
        out->maximum = extreme(tally->most, tally->resolution);
        break;
    case CANARY_METRIC_CLASSIFICATION:
        figures_of_classification(tally->counts, out);
        break;
    default:
        break;
    }
}
