/* SPDX-License-Identifier: MIT */
/* The layout of durations: its formula, its error, and quantiles against sorting. */
#include "figures.h"

#include <inttypes.h>
#include <math.h>

#include "observe/histogram.h"
#include "quantiles.h"

/* As it is written down, with a loop for the logarithm. */
static uint32_t by_formula(uint64_t v) {
    const unsigned p = 6;
    unsigned e = 0;

    if (v < 1u << p) {
        return (uint32_t)v;
    }
    while (v >> (e + 1) != 0) {
        e++;
    }
    return ((e - p + 1) << p) + (uint32_t)((v >> (e - p)) & ((1u << p) - 1));
}

static double middle(uint32_t index) {
    return (double)(canary__histogram_low(index) + canary__histogram_end(index)) / 2;
}

static void the_index_is_the_formula(void **state) {
    uint64_t seed = unit_seed();

    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        for (int off = -1; off <= 1; off++) {
            uint64_t us = (UINT64_C(1) << bit) + (uint64_t)off;

            assert_int_equal(canary__histogram_index(us), by_formula(us));
        }
    }
    assert_int_equal(canary__histogram_index(CANARY__HISTOGRAM_END - 1),
                     CANARY__HISTOGRAM_BUCKETS - 1);
    for (int i = 0; i < 1000000; i++) {
        uint64_t us = unit_random(&seed) >> 32 >> figures_below(&seed, 32);
        uint32_t index = canary__histogram_index(us);

        assert_int_equal(index, by_formula(us));
        assert_true(index < CANARY__HISTOGRAM_BUCKETS);
    }
}

static void buckets_follow_each_other_without_gap(void **state) {
    (void)state;
    assert_int_equal(canary__histogram_low(0), 0);
    for (uint32_t i = 0; i < CANARY__HISTOGRAM_BUCKETS; i++) {
        uint64_t low = canary__histogram_low(i);
        uint64_t end = canary__histogram_end(i);

        assert_true(low < end);
        assert_int_equal(canary__histogram_index(low), i);
        assert_int_equal(canary__histogram_index(end - 1), i);
        if (i + 1 < CANARY__HISTOGRAM_BUCKETS) {
            assert_int_equal(canary__histogram_low(i + 1), end);
        } else {
            assert_int_equal(end, CANARY__HISTOGRAM_END);
        }
    }
}

static void the_middle_is_off_by_a_hundred_and_twenty_eighth_at_most(void **state) {
    (void)state;
    for (uint32_t i = 0; i < CANARY__HISTOGRAM_BUCKETS; i++) {
        double low = (double)canary__histogram_low(i);
        double end = (double)canary__histogram_end(i);

        if (i < 64) {
            assert_true(middle(i) == low + 0.5 && end == low + 1);
        } else {
            assert_true(middle(i) - low <= low * 0x1p-7);
            assert_true(end - middle(i) <= end * 0x1p-7);
        }
    }
}

/* -- quantiles -- */

static int ascending(const void *a, const void *b) {
    const int64_t *x = a;
    const int64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static void check(const char *what, int64_t *durations, size_t n) {
    static const struct {
        uint64_t thousandths;
        size_t at;
    } quantiles[] = {
        { 500, offsetof(canary_figures, p50) },  { 900, offsetof(canary_figures, p90) },
        { 950, offsetof(canary_figures, p95) },  { 990, offsetof(canary_figures, p99) },
        { 999, offsetof(canary_figures, p999) },
    };
    struct canary__tally tally = { .kind = CANARY_METRIC_DURATION };
    canary_figures figures;

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(canary__tally_add_duration(&figures_hooks, &tally, durations[i]), 0);
    }
    canary__tally_figures(&tally, 0, &figures);
    assert_int_equal(figures.n, n);
    qsort(durations, n, sizeof *durations, ascending);
    for (size_t q = 0; q < COUNT(quantiles); q++) {
        /* In whole numbers, the rank of the definition. */
        size_t rank = (size_t)((quantiles[q].thousandths * n + 999) / 1000);
        double exact = (double)durations[rank - 1] * 1e-9;
        double found;

        memcpy(&found, (const char *)&figures + quantiles[q].at, sizeof found);
        if (exact >= 0x1p32 * 1e-6 ? !isinf(found)
                                   : !(fabs(found - exact) <= exact * 0x1p-7 + 1e-6)) {
            fail_msg("%s, %zu values, %" PRIu64 "/1000: %.9g s instead of %.9g s", what, n,
                     quantiles[q].thousandths, found, exact);
        }
    }
    canary__tally_free(&figures_hooks, &tally);
}

static int64_t draw(uint64_t *seed, int distribution) {
    switch (distribution) {
    case 0:
        return (int64_t)figures_below(seed, 3000000000);
    case 1:
        return (int64_t)(1e7 * exp(figures_normal(seed)));
    case 2:
        return figures_below(seed, 10) != 0 ? (int64_t)(2e6 + 1e5 * figures_normal(seed))
                                            : (int64_t)(9e8 + 1e8 * figures_normal(seed));
    case 3:
        return 123456789;
    case 4:
        return (int64_t)figures_below(seed, 64000); /* where buckets are a microsecond wide */
    default:
        return (int64_t)(unit_random(seed) >> 22 >> figures_below(seed, 42));
    }
}

static void quantiles_are_those_of_sorting(void **state) {
    static const char *const names[] = { "uniform",  "lognormal", "bimodal",
                                         "constant", "short",     "of any size" };
    static const size_t sizes[] = { 1, 2, 3, 9, 10, 11, 20, 99, 100, 101, 1000, 1001, 20000 };
    static int64_t durations[20000];
    uint64_t seed = unit_seed();

    (void)state;
    for (size_t d = 0; d < COUNT(names); d++) {
        for (size_t s = 0; s < COUNT(sizes); s++) {
            for (size_t i = 0; i < sizes[s]; i++) {
                durations[i] = draw(&seed, (int)d);
            }
            check(names[d], durations, sizes[s]);
        }
    }
}

/* The same as draw() in quantiles.py. */
static int64_t shaped(uint64_t *seed, int shape) {
    uint64_t a = unit_random(seed);
    uint64_t b = unit_random(seed);
    uint64_t power = 0;

    switch (shape) {
    case 0:
        return (int64_t)(a % 1000000000);
    case 1:
        for (int i = 0; i < 8; i++) {
            power += b >> 8 * i & 255;
        }
        return (int64_t)(((UINT64_C(1) << 20) + a % (1 << 20)) << power / 128 >> 5);
    case 2:
        return (int64_t)((2000000 + a % 200000) * (b % 10 == 0 ? 100 : 1));
    default:
        return (int64_t)(1000000 + a % 64000);
    }
}

static void quantiles_are_those_of_another_histogram(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(hdr_histogram); i++) {
        struct canary__tally tally = { .kind = CANARY_METRIC_DURATION };
        uint64_t seed = hdr_histogram[i].seed;
        canary_figures figures;

        for (size_t k = 0; k < hdr_histogram[i].n; k++) {
            assert_int_equal(canary__tally_add_duration(&figures_hooks, &tally,
                                                        shaped(&seed, hdr_histogram[i].shape)),
                             0);
        }
        canary__tally_figures(&tally, 0, &figures);
        for (size_t q = 0; q < 5; q++) {
            const double found[] = { figures.p50, figures.p90, figures.p95, figures.p99,
                                     figures.p999 };
            double other = hdr_histogram[i].quantiles[q] * 1e-9;

            if (!(fabs(found[q] - other) <= other * (0x1p-7 + 0.001) + 1e-6)) {
                fail_msg("row %zu, quantile %zu: %.9g instead of %.9g", i, q, found[q], other);
            }
        }
        canary__tally_free(&figures_hooks, &tally);
    }
}

/* Ranks must come out whole where q * n is, though no q but 0.5 is a double: 0.07 * 100 is above 7. */
static void a_rank_is_never_one_too_high(void **state) {
    static uint64_t buckets[CANARY__HISTOGRAM_BUCKETS];
    static const struct {
        double q;
        uint64_t of_1000;
    } quantiles[] = { { 0.07, 70 },  { 0.5, 500 },  { 0.9, 900 },
                      { 0.95, 950 }, { 0.99, 990 }, { 0.999, 999 } };

    (void)state;
    for (uint64_t n = 100000; n <= 2000000000; n = n * 3 / 2 / 1000 * 1000) {
        for (size_t i = 0; i < COUNT(quantiles); i++) {
            uint64_t rank = n / 1000 * quantiles[i].of_1000;

            buckets[10] = rank;
            buckets[20] = n - rank;
            assert_true(canary__histogram_quantile(buckets, 0, quantiles[i].q) == 10.5);
            buckets[10] = rank - 1;
            buckets[20] = n - rank + 1;
            assert_true(canary__histogram_quantile(buckets, 0, quantiles[i].q) == 20.5);
        }
    }
}

static void what_is_too_long_is_infinite(void **state) {
    static uint64_t buckets[CANARY__HISTOGRAM_BUCKETS];

    (void)state;
    assert_true(isnan(canary__histogram_quantile(NULL, 0, 0.5)));
    assert_true(isnan(canary__histogram_quantile(buckets, 0, 0.5)));
    assert_true(isinf(canary__histogram_quantile(NULL, 1, 0.001)));
    buckets[CANARY__HISTOGRAM_BUCKETS - 1] = 95;
    assert_true(canary__histogram_quantile(buckets, 5, 0.95) < 0x1p32);
    assert_true(isinf(canary__histogram_quantile(buckets, 5, 0.951)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIGURES_TEST(the_index_is_the_formula),
        FIGURES_TEST(buckets_follow_each_other_without_gap),
        FIGURES_TEST(the_middle_is_off_by_a_hundred_and_twenty_eighth_at_most),
        FIGURES_TEST(quantiles_are_those_of_sorting),
        FIGURES_TEST(quantiles_are_those_of_another_histogram),
        FIGURES_TEST(a_rank_is_never_one_too_high),
        FIGURES_TEST(what_is_too_long_is_infinite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
