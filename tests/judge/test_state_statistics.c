/* SPDX-License-Identifier: MIT */
/* Evidence about other things than rates: F1, quantiles, means. */
#include "ticks.h"

static void classes(struct world *world, int cohort, double tp, double fp, double fn, double tn) {
    struct canary__tick_metric *metric = world_metric(world, "answers");

    metric->kind = CANARY_METRIC_CLASSIFICATION;
    metric->side[cohort].tp = tp;
    metric->side[cohort].fp = fp;
    metric->side[cohort].fn = fn;
    metric->side[cohort].tn = tn;
    metric->side[cohort].n = tp + fp + fn + tn;
}

static void f1_is_judged_by_what_was_known_before(void **unused) {
    struct world world;
    struct canary__judge_tick tick = { .fresh = { 60, 20 }, .old = { 250, 150 } };
    struct canary__judge_step step;
    double f1;
    canary_rule_result result;

    (void)unused;
    world_open(&world, "",
               "{\"name\": \"f1\", \"metric\": \"answers\", \"statistic\": \"f1\", \"against\":"
               " \"old\", \"below\": 0.95, \"action\": \"rollback\"},"
               "{\"name\": \"precision\", \"metric\": \"answers\", \"statistic\": \"precision\","
               " \"against\": \"old\", \"below\": 0.95, \"action\": \"rollback\"},"
               "{\"name\": \"recall\", \"metric\": \"answers\", \"statistic\": \"recall\","
               " \"against\": \"old\", \"below\": 0.95, \"action\": \"rollback\"}");
    classes(&world, CANARY_NEW, 20, 10, 30, 5);
    classes(&world, CANARY_OLD, 150, 60, 40, 50);
    world_add(&world);
    /* Nothing was known of the old cohort's F1 before, so nothing is proven; it is no trouble either. */
    assert_true(world.state.rules[0].proof->ticks == 0);
    assert_true(isnan(world_result(&world).ln_w));
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    f1 = 2 * 0.6 / 1.6; /* q = 150/250 */
    assert_near(world.state.rules[0].proof->known, f1, 1e-12);
    classes(&world, CANARY_NEW, 20, 10, 30, 5);
    classes(&world, CANARY_OLD, 150, 60, 40, 50);
    world_add(&world);
    canary__judge_step_below(&tick, 0.95 * (2 - f1) / (2 - 0.95 * f1), 1, &step);
    assert_near(world_ln_e(&world), canary__judge_log_mean(step.by, CANARY__JUDGE_ALTERNATIVES),
                1e-12);
    result = world_result(&world);
    assert_near(result.value, 2 * 20.0 / (2 * 20 + 10 + 30), 1e-12);
    assert_near(result.reference, f1, 1e-12);
    assert_near(result.ratio, result.value / f1, 1e-12);
    canary__state_result(&world.state, world.policy, 1, &result);
    assert_near(result.value, 20.0 / 30, 1e-12);
    assert_near(result.reference, 150.0 / 210, 1e-12);
    assert_true(result.n_new == 60 && result.k_new == 40);
    canary__state_result(&world.state, world.policy, 2, &result);
    assert_near(result.value, 20.0 / 50, 1e-12);
    assert_near(result.reference, 150.0 / 190, 1e-12);
    world_close(&world);
}

/* The interval of F1's ratio is that of q, at the old cohort's F1: what the ratio is, at every look. */
static void f1_has_an_interval(void **unused) {
    const double q_old = 0.6;
    const double q_new = 0.45;
    const double truth = (2 * q_new / (1 + q_new)) / (2 * q_old / (1 + q_old));
    uint64_t seed = random_seed();
    int missed = 0;
    int excluded = 0; /* that nothing changed */

    (void)unused;
    for (int run = 0; run < 100; run++) {
        struct canary__judge_curve curve;
        struct canary__judge_interval of_q;
        canary_rule_result result;
        struct world world;
        int outside = 0;

        world_open(&world, "",
                   "{\"name\": \"f1\", \"metric\": \"answers\", \"statistic\": \"f1\", \"against\":"
                   " \"old\", \"below\": 0.95, \"action\": \"rollback\"}");
        canary__judge_curve_start(&curve);
        for (int i = 0; i < 100; i++) {
            double k[2] = { 0, 0 };
            struct canary__judge_tick tick;

            for (int j = 0; j < 100; j++) {
                k[0] += j < 40 && random_uniform(&seed) < q_new;
                k[1] += random_uniform(&seed) < q_old;
            }
            classes(&world, CANARY_NEW, k[0], 0, 40 - k[0], 5);
            classes(&world, CANARY_OLD, k[1], 0, 100 - k[1], 50);
            tick.fresh = (struct canary__judge_share){ 40, k[0] };
            tick.old = (struct canary__judge_share){ 100, k[1] };
            if (i > 0) {
                canary__judge_curve_add(&curve, &tick, 1);
            }
            world_add(&world);
            result = world_result(&world);
            assert_true(i > 0 || (isnan(result.low) && isnan(result.high)));
            outside |= result.low > truth || result.high < truth;
        }
        missed += outside;
        excluded += result.high < 1;
        assert_true(result.low > 0 && result.low < result.ratio && result.ratio < result.high);
        canary__judge_curve_interval(&curve, 0.05, &of_q);
        /* From q to F1 with the old cohort's q, and in steps of the grid. */
        for (int end = 0; end < 2; end++) {
            double q = result.reference / (2 - result.reference);
            double ratio = end ? of_q.high : of_q.low;

            assert_near(ratio * (1 + q) / (1 + ratio * q), end ? result.high : result.low, 1e-4);
        }
        world_close(&world);
    }
    assert_true(missed <= 12); /* 5 of them, and three standard deviations */
    assert_true(excluded > 80);
}

static void durations_of_a_tick(struct world *world, int slow) {
    for (int64_t ms = 1; ms <= 1000; ms++) {
        world_durations(world, "duration", CANARY_OLD, 1, ms * 1000000);
    }
    for (int64_t ms = 10; ms <= 1000; ms += 10) {
        world_durations(world, "duration", CANARY_NEW, 1, ms * (slow ? 2000000 : 1000000));
    }
}

static void quantiles_are_held_against_the_old_ones(void **unused) {
    static const char rule[] = "{\"name\": \"p95\", \"metric\": \"duration\", \"statistic\": "
                               "\"p95\", \"against\": \"old\","
                               " \"above\": 1.2, \"action\": \"rollback\"}";
    struct world world;
    canary_rule_result result;

    (void)unused;
    for (int slow = 0; slow < 2; slow++) {
        world_open(&world, "", rule);
        durations_of_a_tick(&world, slow);
        world_add(&world);
        /* The old one was not known before. */
        assert_true(world.state.rules[0].proof->ticks == 0);
        assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
        assert_near(world_result(&world).reference, 0.95, 0.95 / 60);
        for (int i = 0; i < 30; i++) {
            durations_of_a_tick(&world, slow);
            world_add(&world);
        }
        result = world_result(&world);
        assert_int_equal(result.state, slow ? CANARY_STATE_FIRING : CANARY_STATE_CLEAR);
        assert_true(isnan(result.value) && isnan(result.ratio) && isnan(result.low));
        assert_string_equal(result.unit, "seconds");
        assert_true(slow ? result.k_new > 1200 : result.k_new == 0);
        /* It is the end of a bucket, so those above it are counted exactly. */
        assert_true(result.k_old <= 0.05 * result.n_old && result.k_old > 0.03 * result.n_old);
        world_close(&world);
    }
}

/* Of a bucket that the limit lies in, nobody knows how much is above: it proves neither. */
static void in_doubt_a_quantile_proves_nothing(void **unused) {
    static const char *const rules[] = {
        "{\"name\": \"p95\", \"metric\": \"duration\", \"statistic\": \"p95\", \"against\": "
        "\"old\","
        " \"above\": 1.3, \"action\": \"rollback\"}",
        "{\"name\": \"p95\", \"metric\": \"duration\", \"statistic\": \"p95\", \"against\": "
        "\"old\","
        " \"below\": 1.3, \"action\": \"require\"}",
    };
    struct world world;

    (void)unused;
    for (int below = 0; below < 2; below++) {
        world_open(&world, "", rules[below]);
        for (int i = 0; i < 3; i++) {
            double limit = 1.3e9 * world.state.rules[0].proof->known;

            world_durations(&world, "duration", CANARY_OLD, 500, 100000000);
            if (i > 0) {
                world_durations(&world, "duration", CANARY_NEW, 100, (int64_t)limit);
            }
            world_add(&world);
        }
        assert_true(world_result(&world).k_old == 0);
        assert_true(world_result(&world).k_new == (below ? 200 : 0));
        world_close(&world);
    }
}

static void what_is_known_of_quantiles_follows_the_day(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "",
               "{\"name\": \"p95\", \"metric\": \"duration\", \"statistic\": \"p95\", \"against\":"
               " \"old\", \"above\": 1.2, \"action\": \"rollback\"}");
    for (int i = 0; i < 100; i++) {
        world_durations(&world, "duration", CANARY_OLD, 500, 100000000);
        world_add(&world);
    }
    assert_near(world_result(&world).reference, 0.1, 0.1 / 60);
    for (int i = 0; i < 20; i++) {
        world_durations(&world, "duration", CANARY_OLD, 500, 400000000);
        world_add(&world);
    }
    assert_near(world_result(&world).reference, 0.4, 0.4 / 60);
    assert_true(world.state.recents[0].n < 4000);
    /* It is of the old cohort, which a new percentage does not change. */
    canary__state_begin(&world.state, GENERATION + 1, world.tick.from_ns, 0);
    assert_near(world_result(&world).reference, 0.4, 0.4 / 60);
    world_close(&world);
}

static void means_are_proven(void **unused) {
    static const char rule[] =
        "{\"name\": \"cost\", \"metric\": \"cost\", \"statistic\": \"mean\", \"against\": \"old\","
        " \"above\": 1.1, \"action\": \"rollback\", \"min_samples\": 100}";
    struct world world;
    canary_rule_result result;

    (void)unused;
    for (int dear = 0; dear < 2; dear++) {
        world_open(&world, "", rule);
        for (int i = 0; i < 300; i++) {
            world_values(&world, "cost", CANARY_NEW, 10, dear ? 6 : 5);
            world_values(&world, "cost", CANARY_OLD, 90, 5);
            world_add(&world);
            if (i < 9) {
                assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
            }
        }
        result = world_result(&world);
        assert_int_equal(result.state, dear ? CANARY_STATE_FIRING : CANARY_STATE_CLEAR);
        assert_near(result.value, dear ? 6 : 5, 1e-9);
        assert_near(result.reference, 5, 1e-9);
        assert_true(result.low < result.ratio && result.ratio < result.high);
        assert_true(dear ? result.low > 1.1 && result.classical_p < 1e-6
                         : result.high < 1.1 && result.classical_p > 0.9);
        assert_true(dear == (result.p <= 0.05));
        assert_true(isnan(result.k_new));
        world_close(&world);
    }
}

/* Halves are kept of proportions only: others take the largest of those. */
static void other_metrics_take_the_largest_design_effect(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "\"design_effect\": \"measured\",",
               "{\"name\": \"cost\", \"metric\": \"cost\", \"statistic\": \"mean\", \"against\":"
               " \"old\", \"above\": 1.1, \"action\": \"rollback\"},"
               "{\"name\": \"hits\", \"metric\": \"hit\", \"statistic\": \"rate\", \"below\": 0.1,"
               " \"window\": \"1m\", \"action\": \"warn\"}," HARM);
    for (int i = 0; i < 200; i++) {
        assert_true(isnan(world_result(&world).design_effect));
        assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
        world_values(&world, "cost", CANARY_NEW, 10, 5);
        world_values(&world, "cost", CANARY_OLD, 90, 5);
        world_share(&world, "error", 50, 3, 950, 10);
        world_halves(&world, 475, i % 2 ? 9 : 5, i % 2 ? 1 : 5);
        /* Nothing but chance, or less, between the halves of this one. */
        *world_metric(&world, "hit") = *world_metric(&world, "error");
        world_metric(&world, "hit")->half[0] = (struct canary__judge_share){ 475, 5 };
        world_metric(&world, "hit")->half[1] = (struct canary__judge_share){ 475, 5 };
        world_add(&world);
    }
    assert_near(world_result(&world).design_effect, 3.2, 1e-12);
    world_close(&world);
}

/* -- intervals of ratios -- */

/* A search that begins anywhere finds the same point of the grid, next to the end that is found exactly
 * and outside of it. */
static void ends_do_not_depend_on_where_they_are_sought(void **unused) {
    static const double step = 0x1p-14 * 1.001;
    uint64_t seed = random_seed();
    struct canary__judge_curve curve;

    (void)unused;
    canary__judge_curve_start(&curve);
    for (int i = 0; i < 400; i++) {
        struct canary__judge_tick tick = {
            .fresh = { 1000, floor(random_uniform(&seed) * (i < 200 ? 3 : 100)) },
            .old = { 1000, i < 100 ? 0 : floor(random_uniform(&seed) * 30) },
        };
        struct canary__judge_interval exact;
        struct canary__judge_ends ends[3];

        canary__judge_curve_add(&curve, &tick, 1);
        assert_int_equal(canary__judge_curve_interval(&curve, 0.05, &exact), CANARY__JUDGE_YES);
        canary__judge_ends_start(&ends[0]);
        ends[1].low_at = ends[1].high_at = -1;
        ends[2].low_at = (int32_t)(random_next(&seed) % 140000);
        ends[2].high_at = INT32_MAX;
        for (int j = 0; j < 3; j++) {
            assert_int_equal(canary__judge_curve_ends(&curve, 0.05, &ends[j]), CANARY__JUDGE_YES);
            assert_true(ends[j].low == ends[0].low && ends[j].high == ends[0].high);
        }
        if (exact.low > 0) {
            assert_true(log(exact.low) - log(ends[0].low) >= -1e-12);
            assert_true(log(exact.low) - log(ends[0].low) <= step);
        } else {
            assert_true(ends[0].low == 0);
        }
        if (exact.high < INFINITY) {
            assert_true(log(ends[0].high) - log(exact.high) >= -1e-12);
            assert_true(log(ends[0].high) - log(exact.high) <= step);
        } else {
            assert_true(isinf(ends[0].high));
        }
    }
    curve.bend[3] = NAN;
    {
        struct canary__judge_ends ends = { 0, 0, 1, 1 };

        assert_int_equal(canary__judge_curve_ends(&curve, 0.05, &ends), CANARY__JUDGE_UNKNOWN);
        assert_true(isnan(ends.low) && isnan(ends.high));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f1_is_judged_by_what_was_known_before),
        cmocka_unit_test(f1_has_an_interval),
        cmocka_unit_test(quantiles_are_held_against_the_old_ones),
        cmocka_unit_test(in_doubt_a_quantile_proves_nothing),
        cmocka_unit_test(what_is_known_of_quantiles_follows_the_day),
        cmocka_unit_test(means_are_proven),
        cmocka_unit_test(other_metrics_take_the_largest_design_effect),
        cmocka_unit_test(ends_do_not_depend_on_where_they_are_sought),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
