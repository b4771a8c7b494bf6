/* SPDX-License-Identifier: MIT */
#include "observe/tally.h"

#include <string.h>

#include "observe/histogram.h"

enum {
    BUCKETS_SIZE = CANARY__HISTOGRAM_BUCKETS * sizeof(uint64_t),
    NANOSECONDS = 1000, /* of a microsecond */
};

/* -- numbers -- */

int canary__wide_add(struct canary__wide *sum, struct canary__wide add) {
    uint64_t carry;
    int carries;

    sum->low += add.low;
    carry = sum->low < add.low;
    sum->high += carry;
    carries = sum->high < carry;
    sum->high += add.high;
    return carries | (sum->high < add.high);
}

void canary__wide_add_signed(struct canary__wide *sum, int64_t value) {
    (void)canary__wide_add(sum,
                           (struct canary__wide){ (uint64_t)value, value < 0 ? UINT64_MAX : 0 });
}

struct canary__wide canary__wide_square(int64_t a) {
    uint64_t size = a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
    uint64_t low = size & UINT32_MAX;
    uint64_t high = size >> 32;
    struct canary__wide square = { low * low, high * high };
    uint64_t middle = low * high; /* twice, at 2^32: 2^33 */

    (void)canary__wide_add(&square, (struct canary__wide){ middle << 33, middle >> 31 });
    return square;
}

double canary__wide_double(struct canary__wide value) {
    return (double)value.high * 0x1p64 + (double)value.low;
}

double canary__wide_double_signed(struct canary__wide value) {
    if (value.high >> 63 == 0) {
        return canary__wide_double(value);
    }
    value.low = 0 - value.low;
    value.high = ~value.high + (value.low == 0);
    return -canary__wide_double(value);
}

static void count(uint64_t *sum, uint64_t add) {
    *sum += add;
    if (*sum < add) {
        *sum = UINT64_MAX;
    }
}

/* -- a tally -- */

void canary__tally_free(const struct canary__hooks *hooks, struct canary__tally *tally) {
    canary__free(hooks, tally->buckets, BUCKETS_SIZE);
    memset(tally, 0, sizeof *tally);
}

int canary__tally_counts(int kind) {
    switch (kind) {
    case CANARY_METRIC_PROPORTION:
        return 2;
    case CANARY_METRIC_DURATION:
        return 0;
    case CANARY_METRIC_VALUE:
    case CANARY_METRIC_SCORE:
        return 1;
    case CANARY_METRIC_CLASSIFICATION:
        return 4;
    case CANARY__TALLY_STATUS:
        return 3;
    case CANARY__TALLY_DECISIONS:
        return CANARY__TALLY_COUNTS;
    case CANARY__TALLY_LOSSES:
        return CANARY__LOSS_DROPPED + 1;
    default:
        return -1;
    }
}

int canary__tally_divides(int kind) {
    return kind == CANARY__TALLY_STATUS || kind == CANARY_METRIC_PROPORTION;
}

static uint64_t bits(const uint64_t *numbers, size_t count) {
    uint64_t all = 0;

    for (size_t i = 0; i < count; i++) {
        all |= numbers[i];
    }
    return all;
}

int canary__tally_is_divided(const struct canary__tally *tally) {
    return (bits(tally->halves[0], CANARY__TALLY_HALF) |
            bits(tally->halves[1], CANARY__TALLY_HALF)) != 0;
}

int canary__tally_is_empty(const struct canary__tally *t) {
    return (bits(t->counts, CANARY__TALLY_COUNTS) | t->sum.low | t->sum.high | t->squares.low |
            t->squares.high | (uint64_t)t->lossy | (uint64_t)t->least | (uint64_t)t->most |
            t->overflow | bits(t->threshold_n, t->threshold_count)) == 0 &&
           (t->buckets == NULL || bits(t->buckets, CANARY__HISTOGRAM_BUCKETS) == 0);
}

int canary__tally_need_buckets(const struct canary__hooks *hooks, struct canary__tally *tally) {
    if (tally->buckets == NULL) {
        tally->buckets = canary__alloc(hooks, BUCKETS_SIZE);
    }
    return tally->buckets != NULL ? CANARY_OK : CANARY_E_NOMEM;
}

/* -- merging -- */

int canary__tally_prepare(const struct canary__hooks *hooks, struct canary__tally *to,
                          const struct canary__tally *from) {
    if (canary__tally_is_empty(from)) {
        return CANARY_OK;
    }
    if (!canary__tally_is_empty(to) &&
        (to->kind != from->kind || to->resolution != from->resolution)) {
        return CANARY_E_CONFLICT;
    }
    return from->buckets != NULL ? canary__tally_need_buckets(hooks, to) : CANARY_OK;
}

static void add_squares(struct canary__tally *tally, struct canary__wide squares, int lossy) {
    tally->lossy |= lossy | canary__wide_add(&tally->squares, squares);
    if (tally->lossy) {
        memset(&tally->squares, 0, sizeof tally->squares);
    }
}

static void add_extremes(struct canary__tally *tally, int64_t least, int64_t most) {
    if (least != 0 && (tally->least == 0 || least < tally->least)) {
        tally->least = least;
    }
    if (most != 0 && (tally->most == 0 || most > tally->most)) {
        tally->most = most;
    }
}

/* Takes threshold `i` of `tally` when it is the one at `ns`. */
static void take_threshold(const struct canary__tally *tally, uint32_t *i, int64_t ns, uint64_t *n,
                           uint64_t *above) {
    if (*i < tally->threshold_count && tally->thresholds_ns[*i] == ns) {
        count(n, tally->threshold_n[*i]);
        count(above, tally->threshold_above[*i]);
        (*i)++;
    }
}

/* One that is among the smallest of all is so in every part, too, which is why keeping these, and not
 * the first ones met, is the same in any order. One with nothing compared would push out others
 * without being stored itself, so that it would matter whether it was stored in between. */
static void add_thresholds(struct canary__tally *to, const struct canary__tally *from) {
    struct canary__tally old = *to;
    uint32_t a = 0;
    uint32_t b = 0;

    to->threshold_count = 0;
    while (to->threshold_count < CANARY_THRESHOLDS_MAX &&
           (a < old.threshold_count || b < from->threshold_count)) {
        int64_t ns = a < old.threshold_count ? old.thresholds_ns[a] : INT64_MAX;
        uint64_t n = 0;
        uint64_t above = 0;

        if (b < from->threshold_count && from->thresholds_ns[b] < ns) {
            ns = from->thresholds_ns[b];
        }
        take_threshold(&old, &a, ns, &n, &above);
        take_threshold(from, &b, ns, &n, &above);
        if (n != 0) {
            to->thresholds_ns[to->threshold_count] = ns;
            to->threshold_n[to->threshold_count] = n;
            to->threshold_above[to->threshold_count++] = above;
        }
    }
}

void canary__tally_add(struct canary__tally *to, const struct canary__tally *from) {
    if (canary__tally_is_empty(from)) {
        return;
    }
    to->kind = from->kind;
    to->resolution = from->resolution;
    for (size_t i = 0; i < CANARY__TALLY_COUNTS; i++) {
        count(&to->counts[i], from->counts[i]);
    }
    for (size_t i = 0; i < CANARY__TALLY_HALF; i++) {
        count(&to->halves[0][i], from->halves[0][i]);
        count(&to->halves[1][i], from->halves[1][i]);
    }
    (void)canary__wide_add(&to->sum, from->sum);
    add_squares(to, from->squares, from->lossy);
    add_extremes(to, from->least, from->most);
    count(&to->overflow, from->overflow);
    add_thresholds(to, from);
    if (from->buckets != NULL) {
        for (size_t i = 0; i < CANARY__HISTOGRAM_BUCKETS; i++) {
            count(&to->buckets[i], from->buckets[i]);
        }
    }
}

int canary__tally_merge(const struct canary__hooks *hooks, struct canary__tally *to,
                        const struct canary__tally *from) {
    int code = canary__tally_prepare(hooks, to, from);

    if (code == CANARY_OK) {
        canary__tally_add(to, from);
    }
    return code;
}

/* -- single values -- */

void canary__tally_add_value(struct canary__tally *tally, int64_t multiple) {
    count(&tally->counts[CANARY__COUNT_N], 1);
    canary__wide_add_signed(&tally->sum, multiple);
    add_squares(tally, canary__wide_square(multiple), 0);
    add_extremes(tally, 2 * multiple + 1, 2 * multiple + 1);
}

int canary__tally_add_duration(const struct canary__hooks *hooks, struct canary__tally *tally,
                               int64_t duration_ns) {
    uint64_t us = (uint64_t)duration_ns / NANOSECONDS;

    if (us >= CANARY__HISTOGRAM_END) {
        count(&tally->overflow, 1);
    } else if (canary__tally_need_buckets(hooks, tally) != CANARY_OK) {
        return CANARY_E_NOMEM;
    } else {
        count(&tally->buckets[canary__histogram_index(us)], 1);
    }
    canary__wide_add_signed(&tally->sum, duration_ns);
    add_squares(tally, canary__wide_square(duration_ns), 0);
    for (uint32_t i = 0; i < tally->threshold_count; i++) {
        count(&tally->threshold_n[i], 1);
        count(&tally->threshold_above[i], duration_ns > tally->thresholds_ns[i]);
    }
    return CANARY_OK;
}
