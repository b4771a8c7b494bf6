/* SPDX-License-Identifier: MIT */
/* One metric of one cohort: sums without loss, merging, and figures that can be computed by hand. */
#include "figures.h"

#include <math.h>

#include "observe/histogram.h"

static canary_figures figures(const struct canary__tally *tally) {
    canary_figures out;

    memset(&out, 0x55, sizeof out);
    canary__tally_figures(tally, 0, &out);
    assert_int_equal(out.size, sizeof out);
    return out;
}

static void close_to(double found, double expected, double relative) {
    if (!(fabs(found - expected) <= fabs(expected) * relative)) {
        fail_msg("%.17g instead of %.17g", found, expected);
    }
}

/* -- numbers of 128 bits -- */

static void wide_numbers_carry(void **state) {
    struct canary__wide sum = { UINT64_MAX, 0 };

    (void)state;
    assert_int_equal(canary__wide_add(&sum, (struct canary__wide){ 1, 0 }), 0);
    assert_true(sum.low == 0 && sum.high == 1);
    sum = (struct canary__wide){ 5, UINT64_MAX };
    assert_int_equal(canary__wide_add(&sum, (struct canary__wide){ 0, 1 }), 1);
    assert_true(sum.low == 5 && sum.high == 0);
    /* A carry out of either addition to the upper half. */
    sum = (struct canary__wide){ UINT64_MAX, UINT64_MAX };
    assert_int_equal(canary__wide_add(&sum, (struct canary__wide){ 1, 0 }), 1);
    assert_true(sum.low == 0 && sum.high == 0);
    sum = (struct canary__wide){ UINT64_MAX, UINT64_MAX };
    assert_int_equal(canary__wide_add(&sum, (struct canary__wide){ 1, UINT64_MAX }), 1);
    assert_true(sum.low == 0 && sum.high == UINT64_MAX);
    sum = (struct canary__wide){ 0, 0 };
    canary__wide_add_signed(&sum, -7);
    assert_true(canary__wide_double_signed(sum) == -7);
    canary__wide_add_signed(&sum, 9);
    assert_true(canary__wide_double_signed(sum) == 2 && sum.high == 0);
    sum = (struct canary__wide){ 0, UINT64_C(1) << 63 };
    assert_true(canary__wide_double_signed(sum) == -0x1p127);
    assert_true(canary__wide_double(sum) == 0x1p127);
}

static void squares_are_whole(void **state) {
    uint64_t seed = unit_seed();
    struct canary__wide square = canary__wide_square(INT64_MIN);

    (void)state;
    assert_true(square.low == 0 && square.high == UINT64_C(1) << 62);
    square = canary__wide_square(INT64_MAX);
    assert_true(square.low == 1 && square.high == (UINT64_C(1) << 62) - 1);
    for (int i = 0; i < 100000; i++) {
        int64_t a = (int64_t)unit_random(&seed) >> figures_below(&seed, 64);
        struct canary__wide next = canary__wide_square(a);

        /* (a + 1)^2 = a^2 + a + (a + 1) */
        canary__wide_add_signed(&next, a);
        canary__wide_add_signed(&next, a + (a < INT64_MAX));
        square = canary__wide_square(a + (a < INT64_MAX));
        if (a < INT64_MAX) {
            assert_true(square.low == next.low && square.high == next.high);
        }
        square = canary__wide_square(a > INT64_MIN ? -a : a);
        next = canary__wide_square(a);
        assert_true(square.low == next.low && square.high == next.high);
    }
}

/* -- variance -- */

static void a_narrow_distribution_far_away_keeps_its_variance(void **state) {
    const int64_t far = INT64_C(100000000000000);
    struct canary__tally tally = { .kind = CANARY_METRIC_VALUE, .resolution = 1 };

    (void)state;
    for (int i = 0; i < 30000; i++) {
        canary__tally_add_value(&tally, far + i % 3);
    }
    /* Of a third each of 0, 1 and 2: 2/3, with n - 1. */
    close_to(figures(&tally).variance, 2.0 / 3 * 30000 / 29999, 1e-15);
    assert_true(figures(&tally).mean == 1e14 + 1);

    tally = (struct canary__tally){ .kind = CANARY_METRIC_VALUE, .resolution = 1 };
    for (int i = 0; i < 1000; i++) {
        canary__tally_add_value(&tally, -far);
    }
    assert_true(figures(&tally).variance == 0);
    assert_true(figures(&tally).minimum == -1e14 && figures(&tally).maximum == -1e14);
}

static void variance_is_that_of_two_passes(void **state) {
    static int64_t values[5000];
    uint64_t seed = unit_seed();

    (void)state;
    for (int run = 0; run < 50; run++) {
        struct canary__tally tally = { .kind = CANARY_METRIC_SCORE, .resolution = 0.5 };
        size_t n = 2 + figures_below(&seed, COUNT(values) - 2);
        unsigned shift = (unsigned)figures_below(&seed, 47);
        int64_t base = ((int64_t)unit_random(&seed) >> 18) * (run % 2);
        long double mean = 0;
        long double sum = 0;

        for (size_t i = 0; i < n; i++) {
            values[i] = base + ((int64_t)unit_random(&seed) >> 17 >> shift);
            canary__tally_add_value(&tally, values[i]);
            mean += (long double)(values[i] - base) / (long double)n;
        }
        for (size_t i = 0; i < n; i++) {
            long double off = (long double)(values[i] - base) - mean;

            sum += off * off;
        }
        close_to(figures(&tally).variance, (double)(sum / (long double)(n - 1) / 4), 1e-9);
    }
}

static void no_variance_of_one_value_or_of_lost_squares(void **state) {
    struct canary__tally tally = { .kind = CANARY_METRIC_DURATION };
    struct canary__tally other = { .kind = CANARY_METRIC_DURATION };

    (void)state;
    assert_int_equal(canary__tally_add_duration(&figures_hooks, &tally, 1000), 0);
    assert_true(isnan(figures(&tally).variance));
    assert_int_equal(canary__tally_add_duration(&figures_hooks, &tally, 3000), 0);
    close_to(figures(&tally).variance, 2e-12, 1e-12);

    /* Which of two sums goes beyond does not matter, nor what comes after. */
    tally.squares.high = UINT64_MAX;
    other.squares.high = 1;
    other.overflow = 1;
    assert_int_equal(canary__tally_merge(&figures_hooks, &other, &tally), 0);
    assert_int_equal(other.lossy, 1);
    assert_true(other.squares.low == 0 && other.squares.high == 0);
    assert_int_equal(canary__tally_add_duration(&figures_hooks, &other, 3000), 0);
    assert_true(other.squares.low == 0 && isnan(figures(&other).variance));
    assert_int_equal(figures(&other).n, 4);
    canary__tally_free(&figures_hooks, &tally);
    canary__tally_free(&figures_hooks, &other);
}

/* Of a record half done a gathering may see the sum and not the square. */
static void no_variance_is_below_zero(void **state) {
    struct canary__tally tally = { .kind = CANARY_METRIC_VALUE, .resolution = 1 };

    (void)state;
    canary__tally_add_value(&tally, 1000);
    canary__tally_add_value(&tally, 1000);
    tally.squares = canary__wide_square(1000);
    assert_true(figures(&tally).variance == 0);
}

/* -- merging -- */

static void different_ones_do_not_merge(void **state) {
    struct canary__tally cents = { .kind = CANARY_METRIC_VALUE, .resolution = 0.01 };
    struct canary__tally euros = { .kind = CANARY_METRIC_VALUE, .resolution = 1 };
    struct canary__tally hits = { .kind = CANARY_METRIC_PROPORTION };
    struct canary__tally before;

    (void)state;
    canary__tally_add_value(&cents, 5);
    canary__tally_add_value(&euros, 5);
    hits.counts[CANARY__COUNT_HIT] = 1;
    before = cents;
    assert_int_equal(canary__tally_merge(&figures_hooks, &cents, &euros), CANARY_E_CONFLICT);
    assert_int_equal(canary__tally_merge(&figures_hooks, &cents, &hits), CANARY_E_CONFLICT);
    assert_memory_equal(&before, &cents, sizeof cents);
    /* An empty one is anything. */
    euros = (struct canary__tally){ .kind = CANARY_METRIC_VALUE, .resolution = 1 };
    assert_int_equal(canary__tally_merge(&figures_hooks, &cents, &euros), 0);
    assert_memory_equal(&before, &cents, sizeof cents);
    assert_int_equal(canary__tally_merge(&figures_hooks, &euros, &cents), 0);
    assert_memory_equal(&before, &euros, sizeof cents);
}

static void counts_stop_at_the_greatest(void **state) {
    struct canary__tally a = { .kind = CANARY_METRIC_PROPORTION };
    struct canary__tally b = a;

    (void)state;
    a.counts[CANARY__COUNT_HIT] = UINT64_MAX - 1;
    b.counts[CANARY__COUNT_HIT] = 5;
    b.counts[CANARY__COUNT_MISS] = 7;
    assert_int_equal(canary__tally_merge(&figures_hooks, &a, &b), 0);
    assert_true(a.counts[CANARY__COUNT_HIT] == UINT64_MAX);
    assert_true(figures(&a).n == UINT64_MAX && figures(&a).rate == 1);
}

static struct canary__tally with_thresholds(uint32_t first, uint32_t step, uint32_t count) {
    struct canary__tally tally = { .kind = CANARY_METRIC_DURATION, .overflow = 10 };

    for (uint32_t i = 0; i < count; i++) {
        tally.thresholds_ns[i] = first + i * step;
        tally.threshold_n[i] = 10;
        tally.threshold_above[i] = 10 - i;
    }
    tally.threshold_count = count;
    return tally;
}

static void of_too_many_thresholds_the_smallest_stay(void **state) {
    struct canary__tally a = with_thresholds(100, 100, 8);
    struct canary__tally b = with_thresholds(150, 150, 8);

    (void)state;
    assert_int_equal(canary__tally_merge(&figures_hooks, &a, &b), 0);
    assert_int_equal(a.threshold_count, 8);
    for (uint32_t i = 0; i < 8; i++) {
        static const int64_t expected[] = { 100, 150, 200, 300, 400, 450, 500, 600 };

        assert_int_equal(a.thresholds_ns[i], expected[i]);
        assert_int_equal(a.threshold_n[i], expected[i] % 300 == 0 ? 20 : 10);
    }
    assert_int_equal(a.threshold_above[3], 10 - 2 + 10 - 1); /* 300: a's third, b's second */
    assert_int_equal(figures(&a).threshold_above[3], a.threshold_above[3]);
    assert_int_equal(figures(&a).threshold_n[3], 20);

    /* One that nothing was compared with takes nobody's place. */
    a = with_thresholds(100, 100, 8);
    b = with_thresholds(1, 1, 8);
    memset(b.threshold_n, 0, sizeof b.threshold_n);
    assert_int_equal(canary__tally_merge(&figures_hooks, &a, &b), 0);
    assert_int_equal(a.thresholds_ns[0], 100);
    assert_int_equal(canary__tally_merge(&figures_hooks, &b, &a), 0);
    assert_int_equal(b.thresholds_ns[0], 100);
    assert_int_equal(b.threshold_count, 8);
}

static void without_memory_nothing_changes(void **state) {
    struct canary__tally empty = { 0 };
    struct canary__tally from = { .kind = CANARY_METRIC_DURATION };
    struct canary__tally before;

    (void)state;
    assert_int_equal(canary__tally_add_duration(&figures_hooks, &from, 5000), 0);
    figures_left = 0;
    assert_int_equal(canary__tally_merge(&figures_hooks, &empty, &from), CANARY_E_NOMEM);
    assert_int_equal(empty.kind, 0);
    before = empty;
    assert_int_equal(canary__tally_add_duration(&figures_hooks, &empty, 5000), CANARY_E_NOMEM);
    assert_memory_equal(&before, &empty, sizeof empty);
    figures_left = UINT64_MAX;
    assert_int_equal(canary__tally_merge(&figures_hooks, &empty, &from), 0);
    assert_int_equal(figures(&empty).n, 1);
    canary__tally_free(&figures_hooks, &from);
    canary__tally_free(&figures_hooks, &empty);
}

/* -- figures -- */

static void proportions_by_hand(void **state) {
    struct canary__tally tally = { .kind = CANARY_METRIC_PROPORTION, .counts = { 6, 2 } };
    canary_figures out = figures(&tally);

    (void)state;
    assert_true(out.n == 8 && out.k == 2 && out.rate == 0.25);
    assert_true(isnan(out.sum) && isnan(out.mean) && isnan(out.p50) && isnan(out.f1));
    tally = (struct canary__tally){ .kind = CANARY__TALLY_STATUS, .counts = { 5, 3, 2 } };
    canary__tally_figures(&tally, CANARY_STATUS_ERROR, &out);
    assert_true(out.n == 10 && out.k == 3 && out.rate == 0.3);
    canary__tally_figures(&tally, CANARY_STATUS_TIMEOUT, &out);
    assert_true(out.n == 10 && out.k == 2 && out.rate == 0.2);
    tally = (struct canary__tally){ .kind = CANARY_METRIC_PROPORTION };
    assert_true(isnan(figures(&tally).rate));
}

static void classifications_by_hand(void **state) {
    struct canary__tally tally = { .kind = CANARY_METRIC_CLASSIFICATION,
                                   .counts = { 8, 2, 4, 86 } };
    canary_figures out = figures(&tally);

    (void)state;
    assert_true(out.n == 100 && out.tp == 8 && out.fp == 2 && out.fn == 4 && out.tn == 86);
    close_to(out.precision, 0.8, 1e-15);
    close_to(out.recall, 2.0 / 3, 1e-15);
    close_to(out.f1, 8.0 / 11, 1e-15); /* 2 * 0.8 * (2/3) / (0.8 + 2/3) */
    tally =
        (struct canary__tally){ .kind = CANARY_METRIC_CLASSIFICATION, .counts = { 0, 0, 0, 9 } };
    out = figures(&tally);
    assert_true(isnan(out.precision) && isnan(out.recall) && isnan(out.f1) && out.n == 9);
}

static void values_have_the_digits_they_were_given(void **state) {
    struct canary__tally tally = { .kind = CANARY_METRIC_VALUE, .resolution = 1e-6 };
    canary_figures out = figures(&tally);

    (void)state;
    assert_true(out.n == 0 && out.sum == 0 && isnan(out.mean) && isnan(out.minimum));
    canary__tally_add_value(&tally, -300000);
    canary__tally_add_value(&tally, 1100000);
    canary__tally_add_value(&tally, 0);
    out = figures(&tally);
    assert_true(out.n == 3 && out.sum == 0.8 && out.minimum == -0.3 && out.maximum == 1.1);
    close_to(out.mean, 0.8 / 3, 1e-15);
    close_to(out.variance, (0.09 + 1.21 - 0.64 / 3) / 2, 1e-14);
    /* What is no fraction of 1 is multiplied. */
    tally.resolution = 3;
    assert_true(figures(&tally).maximum == 3300000 && figures(&tally).sum == 2400000);
}

static void durations_by_hand(void **state) {
    struct canary__tally tally = { .kind = CANARY_METRIC_DURATION,
                                   .threshold_count = 2,
                                   .thresholds_ns = { 1000000, 2000000 } };
    canary_figures out = figures(&tally);

    (void)state;
    assert_true(out.n == 0 && out.sum == 0 && isnan(out.mean) && isnan(out.p50));
    for (int64_t ns = 500000; ns <= 3000000; ns += 500000) {
        assert_int_equal(canary__tally_add_duration(&figures_hooks, &tally, ns), 0);
    }
    /* The first that overflows, and the last that does not. */
    assert_int_equal(canary__tally_add_duration(&figures_hooks, &tally, INT64_C(4294967296000)), 0);
    assert_int_equal(canary__tally_add_duration(&figures_hooks, &tally, INT64_C(4294967295999)), 0);
    out = figures(&tally);
    assert_true(out.n == 8 && out.overflow == 1 && isinf(out.p999) && !isinf(out.p50));
    assert_true(out.threshold_n[0] == 8 && out.threshold_above[0] == 6);
    assert_true(out.threshold_n[1] == 8 && out.threshold_above[1] == 4);
    close_to(out.sum, 0.0105 + 4294.967296 + 4294.967295999, 1e-15);
    close_to(out.p50, 0.002, 0x1p-7);
    canary__tally_free(&figures_hooks, &tally);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIGURES_TEST(wide_numbers_carry),
        FIGURES_TEST(squares_are_whole),
        FIGURES_TEST(a_narrow_distribution_far_away_keeps_its_variance),
        FIGURES_TEST(variance_is_that_of_two_passes),
        FIGURES_TEST(no_variance_of_one_value_or_of_lost_squares),
        FIGURES_TEST(no_variance_is_below_zero),
        FIGURES_TEST(different_ones_do_not_merge),
        FIGURES_TEST(counts_stop_at_the_greatest),
        FIGURES_TEST(of_too_many_thresholds_the_smallest_stay),
        FIGURES_TEST(without_memory_nothing_changes),
        FIGURES_TEST(proportions_by_hand),
        FIGURES_TEST(classifications_by_hand),
        FIGURES_TEST(values_have_the_digits_they_were_given),
        FIGURES_TEST(durations_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
