/* SPDX-License-Identifier: MIT */
/* What is kept of one metric of one cohort, and merged exactly: counts and sums are whole numbers, so
 * that the sum over any partition of the data is the whole, in any order. */
#ifndef CANARY__TALLY_H
#define CANARY__TALLY_H

#include <canary/metrics.h>

#include "base/hooks.h"

/* Beside CANARY_METRIC_...: what no program declares. Stored; pinned for ever. */
#define CANARY__TALLY_STATUS 64    /* counts by CANARY_STATUS_... */
#define CANARY__TALLY_DECISIONS 65 /* counts by CANARY_REASON_... */
#define CANARY__TALLY_LOSSES 66    /* counts by CANARY_REJECTED_..., then dropped; cohort 0 */

enum {
    CANARY__TALLY_COUNTS = 16,
    CANARY__TALLY_HALF = 3, /* counts that can be divided into halves */
    CANARY__LOSS_DROPPED = CANARY_REJECTED_COUNT,
    /* proportion */
    CANARY__COUNT_MISS = 0,
    CANARY__COUNT_HIT = 1,
    CANARY__PROPORTION = 2, /* counts */
    /* value, score */
    CANARY__COUNT_N = 0,
    /* classification */
    CANARY__COUNT_TP = 0,
    CANARY__COUNT_FP = 1,
    CANARY__COUNT_FN = 2,
    CANARY__COUNT_TN = 3,
};

/* 128 bits, two's complement where signed. */
struct canary__wide {
    uint64_t low;
    uint64_t high;
};

/* Counts stop at UINT64_MAX, which keeps their sum the same in any order. A tally in which every
 * number is 0 is empty whatever its kind: it is not stored, and takes the kind and resolution of what
 * is merged into it. */
struct canary__tally {
    int32_t kind;  /* CANARY_METRIC_... or CANARY__TALLY_...; 0 = empty */
    int32_t lossy; /* 1: squares went beyond 128 bits and are 0; there is no variance */
    uint64_t counts[CANARY__TALLY_COUNTS]; /* disjoint events: the number of all is their sum;
                                              duration: none, see buckets and overflow */
    uint64_t halves[2]
                   [CANARY__TALLY_HALF]; /* status, proportion; old cohort: those of `counts` whose
                                               user belongs to either half, see canary_figures */
    double resolution;                   /* value, score: what the numbers below are multiples of */
    struct canary__wide sum;             /* duration: nanoseconds. value, score: signed */
    struct canary__wide squares;         /* unsigned */
    int64_t least; /* value, score: 2 * smallest + 1, and 0 where there is none yet: an outcome */
    int64_t most;  /* that is being recorded may be in `counts` and not here. The same, greatest */
    uint64_t overflow;        /* duration: CANARY__HISTOGRAM_END and more */
    uint32_t threshold_count; /* ascending, each once */
    int64_t thresholds_ns[CANARY_THRESHOLDS_MAX];
    uint64_t threshold_n[CANARY_THRESHOLDS_MAX]; /* processes may know different thresholds */
    uint64_t threshold_above[CANARY_THRESHOLDS_MAX];
    uint64_t *buckets; /* duration: CANARY__HISTOGRAM_BUCKETS, allocated; NULL = all 0 */
};

/* sum += add, modulo 2^128. Answers the carry. */
int canary__wide_add(struct canary__wide *sum, struct canary__wide add);
/* sum += value, signed. */
void canary__wide_add_signed(struct canary__wide *sum, int64_t value);
/* a * a for any a. */
struct canary__wide canary__wide_square(int64_t a);
double canary__wide_double(struct canary__wide value);        /* unsigned */
double canary__wide_double_signed(struct canary__wide value); /* two's complement */

void canary__tally_free(const struct canary__hooks *hooks, struct canary__tally *tally);

/* How many of `counts` a kind uses; -1 for a kind that there is not. */
int canary__tally_counts(int kind);
/* Whether it divides them into halves. */
int canary__tally_divides(int kind);
/* Whether any of both halves' numbers is not 0. */
int canary__tally_is_divided(const struct canary__tally *tally);
/* Whether every number is 0. */
int canary__tally_is_empty(const struct canary__tally *tally);
/* Zeroed buckets, where it has none yet: CANARY_E_NOMEM. */
int canary__tally_need_buckets(const struct canary__hooks *hooks, struct canary__tally *tally);

/* to += from. CANARY_E_NOMEM, or CANARY_E_CONFLICT when kinds or resolutions differ; what `to` says is
 * then unchanged. Thresholds that nothing was compared with are left out; when those of both are more
 * than fit, the smallest are kept. */
int canary__tally_merge(const struct canary__hooks *hooks, struct canary__tally *to,
                        const struct canary__tally *from);
/* The same in two steps: what can fail, and then what cannot. */
int canary__tally_prepare(const struct canary__hooks *hooks, struct canary__tally *to,
                          const struct canary__tally *from);
void canary__tally_add(struct canary__tally *to, const struct canary__tally *from);

/* Single values, for figures from elsewhere. The caller has set the kind and checked them: a multiple
 * lies within 2^62, a duration is not negative. */
void canary__tally_add_value(struct canary__tally *tally, int64_t multiple);
int canary__tally_add_duration(const struct canary__hooks *hooks, struct canary__tally *tally,
                               int64_t duration_ns);

/* The figures of a tally of a declared kind; for STATUS see `wanted`: CANARY_STATUS_ERROR or
 * _TIMEOUT gives that proportion of all. Thresholds are numbered as in the tally, and `buckets` are the
 * tally's. */
void canary__tally_figures(const struct canary__tally *tally, int wanted, canary_figures *out);

#endif
