/* SPDX-License-Identifier: MIT */
/* What a row of figures is as a side of a tick, and what is read from its histogram. */
#include "ticks.h"

static void figures_become_sides(void **unused) {
    static uint64_t buckets[CANARY_DURATION_BUCKETS];
    canary_figures figures = {
        .size = (uint32_t)sizeof figures, .n = 3, .sum = 6, .mean = 2, .variance = 1, .overflow = 1
    };
    struct canary__tick_side side;
    uint32_t bucket = 0;

    (void)unused;
    while (canary_duration_bucket_ns(bucket + 1) <= 1500000) {
        bucket++;
    }
    buckets[bucket] = 2;
    figures.buckets = buckets;
    figures.bucket_count = bucket + 1;
    canary__tick_side_of(&figures, CANARY_METRIC_DURATION, &side);
    assert_true(side.n == 3 && side.sum == 6 && side.squares == 14 && side.overflow == 1);
    assert_true(canary__tick_above(&side, 1000000) == 3);
    assert_true(canary__tick_above(&side, 1500000) == 1);
    assert_true(canary__tick_above_most(&side, 1500000) == 3);
    assert_true(canary__tick_above(&side, canary_duration_bucket_ns(bucket)) == 3);
    assert_true(canary__tick_above_most(&side, canary_duration_bucket_ns(bucket + 1)) == 1);
    assert_true(canary__tick_above(&side, 2 * HOUR) == 0);
    assert_true(canary__tick_above_most(&side, 2 * HOUR) == 1);
    assert_near(canary__tick_quantile(&side, 0.5), 0.0015, 0.0015 / 120);
    assert_true(isinf(canary__tick_quantile(&side, 0.95)));
    assert_true(isnan(canary__tick_quantile(&side, 0)));
    figures.n = 1;
    figures.sum = figures.mean = 5;
    figures.variance = NAN;
    canary__tick_side_of(&figures, CANARY_METRIC_SCORE, &side);
    assert_true(side.squares == 25 && side.buckets == NULL && side.overflow == 0);
    assert_true(isnan(canary__tick_quantile(&side, 0.5)));
    figures.n = 0;
    figures.mean = NAN;
    canary__tick_side_of(&figures, CANARY_METRIC_VALUE, &side);
    assert_true(side.n == 0 && side.sum == 0 && side.squares == 0);
}

/* Against every single duration: surely above is never too many, and at most never too few. */
static void above_is_bounded_from_both_sides(void **unused) {
    enum { DURATIONS = 500 };
    static int64_t durations[DURATIONS];
    static uint64_t buckets[CANARY_DURATION_BUCKETS];
    struct canary__tick_side side = { .n = DURATIONS, .buckets = buckets };
    uint64_t seed = random_seed();

    (void)unused;
    side.bucket_count = CANARY_DURATION_BUCKETS;
    for (int i = 0; i < DURATIONS; i++) {
        uint32_t bucket = 0;

        /* Whole microseconds, as they are recorded: 1 us to some hours. */
        durations[i] = (int64_t)exp(random_uniform(&seed) * 23) * 1000;
        while (bucket < CANARY_DURATION_BUCKETS &&
               canary_duration_bucket_ns(bucket + 1) <= durations[i]) {
            bucket++;
        }
        if (bucket < CANARY_DURATION_BUCKETS) {
            buckets[bucket]++;
        } else {
            side.overflow++;
        }
    }
    for (int i = 0; i < 2000; i++) {
        int64_t ns = i % 2 ? durations[i % DURATIONS] : (int64_t)exp(random_uniform(&seed) * 30);
        int64_t wider = ns + ns / 32 + 2000;
        double above = 0;
        double above_wider = 0;

        for (int j = 0; j < DURATIONS; j++) {
            above += durations[j] > ns;
            above_wider += durations[j] > wider;
        }
        /* One that is as long as the limit counts as above it where a bucket begins there. */
        for (int j = 0; j < DURATIONS; j++) {
            above += durations[j] == ns;
        }
        assert_true(canary__tick_above(&side, ns) <= above);
        assert_true(canary__tick_above_most(&side, ns) >= above_wider);
        if (wider < canary_duration_bucket_ns(CANARY_DURATION_BUCKETS)) {
            assert_true(canary__tick_above(&side, ns) >= above_wider);
            assert_true(canary__tick_above_most(&side, wider) <= above);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_become_sides),
        cmocka_unit_test(above_is_bounded_from_both_sides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
