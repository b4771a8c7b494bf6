/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <math.h>

uint64_t figures_left = UINT64_MAX;
uint64_t figures_held;
uint64_t figures_most;

static void *allocate(void *unused, void *block, uint64_t old_size, uint64_t size) {
    void *moved;

    (void)unused;
    if (size == 0) {
        figures_held -= old_size;
        free(block);
        return NULL;
    }
    if (figures_left == 0) {
        return NULL;
    }
    figures_left--;
    moved = realloc(block, size);
    assert_non_null(moved);
    figures_held += size - old_size;
    figures_most = figures_held > figures_most ? figures_held : figures_most;
    return moved;
}

struct canary__hooks figures_hooks = { .allocate = allocate };

int figures_setup(void **state) {
    (void)state;
    figures_left = UINT64_MAX;
    figures_held = 0;
    return 0;
}

int figures_teardown(void **state) {
    (void)state;
    return figures_held == 0 ? 0 : -1;
}

double figures_uniform(uint64_t *seed) {
    return (double)(unit_random(seed) >> 11) * 0x1p-53;
}

uint64_t figures_below(uint64_t *seed, uint64_t bound) {
    return unit_random(seed) % bound;
}

double figures_normal(uint64_t *seed) {
    const double turn = 6.283185307179586;

    return sqrt(-2 * log(1 - figures_uniform(seed))) * cos(turn * figures_uniform(seed));
}

/* -- sheets -- */

static void record_duration(uint64_t *seed, struct canary__tally *tally) {
    static const int64_t thresholds[] = { 1000000,   5000000,   20000000, 25000000,
                                          30000000,  31000000,  40000000, 90000000,
                                          100000000, 120000000, 500000000 };

    tally->kind = CANARY_METRIC_DURATION;
    if (tally->threshold_count == 0) {
        /* Not all processes know the same ones; together they know more than fit. */
        for (size_t i = figures_below(seed, 3); i < COUNT(thresholds);
             i += 1 + figures_below(seed, 4)) {
            tally->thresholds_ns[tally->threshold_count++] = thresholds[i];
            if (tally->threshold_count == CANARY_THRESHOLDS_MAX) {
                break;
            }
        }
    }
    /* Some so long that their squares do not fit 128 bits for ever, though here they do. */
    assert_int_equal(
        canary__tally_add_duration(&figures_hooks, tally,
                                   (int64_t)(unit_random(seed) >> 12 >> figures_below(seed, 52))),
        CANARY_OK);
}

void figures_record(uint64_t *seed, struct canary__sheet *sheet) {
    static const struct {
        const char *name;
        int kind;
        int counts;
        double resolution;
    } metrics[] = {
        { CANARY__SHEET_STATUS, CANARY__TALLY_STATUS, 3, 0 },
        { CANARY__SHEET_DECISIONS, CANARY__TALLY_DECISIONS, 16, 0 },
        { CANARY__SHEET_LOSSES, CANARY__TALLY_LOSSES, 9, 0 },
        { CANARY__SHEET_DURATION, CANARY_METRIC_DURATION, 0, 0 },
        { "cache_hit", CANARY_METRIC_PROPORTION, 2, 0 },
        { "cost", CANARY_METRIC_VALUE, 0, 1e-6 },
        { "quality", CANARY_METRIC_SCORE, 0, 0.25 },
        { "spam", CANARY_METRIC_CLASSIFICATION, 4, 0 },
        { "wait", CANARY_METRIC_DURATION, 0, 0 },
    };
    size_t i = figures_below(seed, COUNT(metrics));
    int cohort = metrics[i].kind == CANARY__TALLY_LOSSES ? 0 : (int)figures_below(seed, 2);
    struct canary__tally *tally = canary__sheet_at(
        &figures_hooks, sheet, 1 + figures_below(seed, 3) * 200, cohort, metrics[i].name);

    assert_non_null(tally);
    if (metrics[i].kind == CANARY_METRIC_DURATION) {
        record_duration(seed, tally);
        return;
    }
    tally->kind = metrics[i].kind;
    tally->resolution = metrics[i].resolution;
    if (metrics[i].counts > 0) {
        size_t which = figures_below(seed, (uint64_t)metrics[i].counts);

        tally->counts[which]++;
        if (canary__tally_divides(tally->kind) && cohort == CANARY_OLD &&
            figures_below(seed, 3) > 0) {
            tally->halves[figures_below(seed, 2)][which]++;
        }
    } else {
        canary__tally_add_value(tally,
                                (int64_t)(unit_random(seed) >> 17 >> figures_below(seed, 47)) *
                                    (figures_below(seed, 3) == 0 ? -1 : 1));
    }
}

void figures_equal(const struct canary__sheet *a, const struct canary__sheet *b) {
    uint8_t *bytes_a;
    uint8_t *bytes_b;
    size_t size_a;
    size_t size_b;

    assert_int_equal(canary__sheet_encode(&figures_hooks, a, &bytes_a, &size_a), CANARY_OK);
    assert_int_equal(canary__sheet_encode(&figures_hooks, b, &bytes_b, &size_b), CANARY_OK);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(bytes_a, bytes_b, size_a);
    canary__free(&figures_hooks, bytes_a, size_a);
    canary__free(&figures_hooks, bytes_b, size_b);
}
