/* SPDX-License-Identifier: MIT */
/* The example policies that prove what they ask, each driven through an advance, through everything that
 * holds it, and through each of its rollback rules, which must fire alone: a rule that only fires when
 * another one does might as well not be there. */
#include "examples.h"

/* -- model quality -- */

static struct traffic *model(void) {
    struct traffic *traffic = example_open("model-quality");

    traffic->side[CANARY_NEW].f1 = 0.75;
    traffic->side[CANARY_NEW].seconds = 0.022;
    return traffic;
}

static void a_better_model_climbs(void **unused) {
    struct traffic *traffic = model();

    (void)unused;
    traffic->cycle = 0.5;
    traffic->per_tick = 500;
    example_warm_up(traffic);
    expect_climb(traffic, DAY);
    example_close(traffic);
}

static void a_model_needs_its_time_and_a_person(void **unused) {
    struct traffic *traffic = model();

    (void)unused;
    example_warm_up(traffic);
    traffic_set(traffic, 1, 0);
    traffic_run(traffic, DAY - MINUTE);
    expect_hold(traffic, CANARY_CAUSE_DWELL, "");
    traffic_run(traffic, MINUTE);
    expect_advance(traffic);
    assert_int_equal(traffic->verdict.to_percentage_bp, 2500);
    example_close(traffic);
}

/* A day old already; some hours of figures. */
static void hold_model(double f1, double errors, double seconds, const char *rule) {
    struct traffic *traffic = model();

    example_warm_up(traffic);
    traffic->side[CANARY_OLD].error = 0.01;
    traffic->side[CANARY_NEW].error = 0.01 * errors;
    traffic->side[CANARY_NEW].f1 = f1;
    traffic->side[CANARY_NEW].seconds *= seconds;
    traffic_set(traffic, 1, DAY);
    traffic_run(traffic, 6 * HOUR);
    if (rule == NULL) {
        expect_advance(traffic);
    } else {
        expect_hold(traffic, CANARY_CAUSE_REQUIRE, rule);
    }
    example_close(traffic);
}

static void a_model_must_show_what_is_required(void **unused) {
    (void)unused;
    hold_model(0.75, 1, 1, NULL);
    hold_model(0.61, 1, 1, "f1-up");
    hold_model(0.75, 1.3, 1, "errors-not-up");
    hold_model(0.75, 1, 1.35, "time-bounded");
}

static void a_model_waits_for_the_design_effect(void **unused) {
    struct traffic *traffic = model();

    (void)unused;
    traffic_set(traffic, 1, DAY);
    traffic_run(traffic, 10 * MINUTE);
    assert_int_equal(traffic_judge(traffic)->cause, CANARY_CAUSE_SAMPLES);
    example_close(traffic);
}

static void roll_back_model(const char *rule, int64_t most_ns, struct behaviour fresh) {
    struct traffic *traffic = model();

    example_warm_up(traffic);
    traffic_set(traffic, 2, 0);
    traffic_run(traffic, HOUR);
    assert_int_equal(traffic_firing(traffic), 0);
    traffic->side[CANARY_NEW] = fresh;
    expect_rollback(traffic, most_ns, rule, 0);
    /* Over the whole hour it was well. */
    assert_int_equal(strstr(traffic->verdict.message, " during a part of this stage") != NULL,
                     traffic->verdict.cause == CANARY_CAUSE_EVIDENCE);
    example_close(traffic);
}

static void each_rollback_of_a_model_fires(void **unused) {
    struct behaviour fresh = examples_well;

    (void)unused;
    fresh.error = 3 * examples_well.error;
    roll_back_model("errors-up", 2 * HOUR, fresh);
    fresh = examples_well;
    fresh.f1 = 0.4;
    roll_back_model("f1-down", HOUR, fresh);
    fresh = examples_well;
    fresh.timeout = 0.02;
    roll_back_model("timeouts", 10 * MINUTE, fresh);
}

/* -- speed and accuracy -- */

static struct traffic *fast(void) {
    struct traffic *traffic = example_open("speed-accuracy");

    traffic->per_tick = 300;
    traffic->side[CANARY_NEW].seconds = 0.015;
    return traffic;
}

static void a_faster_path_climbs(void **unused) {
    struct traffic *traffic = fast();

    (void)unused;
    traffic->cycle = 0.4;
    example_warm_up(traffic);
    expect_climb(traffic, 2 * DAY);
    example_close(traffic);
}

/* Until what the last day holds is as it should be again. */
static void recover(struct traffic *traffic) {
    const struct behaviour good = traffic->side[CANARY_NEW];

    traffic->side[CANARY_NEW].accuracy = 0.99;
    traffic_run(traffic, DAY + HOUR);
    traffic->side[CANARY_NEW] = good;
}

/* Only one thing is wrong at a time, and for an hour or a few. */
static void a_faster_path_must_show_what_is_required(void **unused) {
    struct traffic *traffic = fast();
    struct behaviour *fresh = &traffic->side[CANARY_NEW];
    struct behaviour good;

    (void)unused;
    example_warm_up(traffic);
    traffic_set(traffic, 1, 0);
    fresh->seconds = examples_well.seconds;
    traffic_run(traffic, 7 * DAY - HOUR);
    expect_hold(traffic, CANARY_CAUSE_DWELL, "");
    traffic_run(traffic, 3 * HOUR);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "faster-than-control");
    fresh->seconds = 0.01;
    traffic_run(traffic, 3 * HOUR);
    expect_advance(traffic);
    assert_int_equal(traffic->verdict.to_percentage_bp, 5000);
    good = *fresh;

    fresh->seconds = 0.2;
    traffic->side[CANARY_OLD].seconds = 0.4;
    traffic_run(traffic, 3 * HOUR);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "mean-time");
    traffic->side[CANARY_OLD] = examples_well;
    *fresh = good;
    recover(traffic);
    expect_advance(traffic);

    fresh->error = 0.1;
    traffic_run(traffic, 3 * HOUR);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "errors");
    *fresh = good;
    recover(traffic);

    fresh->cache_hit = 0.4;
    traffic_run(traffic, 4 * HOUR);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "cache-hits");
    *fresh = good;
    recover(traffic);
    expect_advance(traffic);

    /* A week is broken by one bad half-day, and begins anew. */
    fresh->accuracy = 0.935;
    traffic_run(traffic, 20 * HOUR);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "accuracy-week");
    *fresh = good;
    recover(traffic);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "accuracy-week");
    example_close(traffic);
}

/* Below 92 % by much, and by little. */
static void an_inaccurate_path_goes_back(void **unused) {
    static const struct {
        double accuracy;
        int64_t most_ns;
    } cases[] = { { 0.5, 2 * MINUTE }, { 0.85, HOUR }, { 0.9, DAY }, { 0.91, 3 * DAY } };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct traffic *traffic = fast();

        example_warm_up(traffic);
        traffic_set(traffic, 2, 0);
        traffic->side[CANARY_NEW].accuracy = cases[i].accuracy;
        expect_rollback(traffic, cases[i].most_ns, "accuracy-floor", 0);
        example_close(traffic);
    }
}

/* Above the floor by a little, which is not 95 % either. */
static void a_middling_path_stays(void **unused) {
    struct traffic *traffic = fast();

    (void)unused;
    example_warm_up(traffic);
    traffic_set(traffic, 2, 0);
    traffic->side[CANARY_NEW].accuracy = 0.925;
    assert_int_equal(traffic_run_until_firing(traffic, 2 * DAY), -1);
    example_close(traffic);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_better_model_climbs),
        cmocka_unit_test(a_model_needs_its_time_and_a_person),
        cmocka_unit_test(a_model_must_show_what_is_required),
        cmocka_unit_test(a_model_waits_for_the_design_effect),
        cmocka_unit_test(each_rollback_of_a_model_fires),
        cmocka_unit_test(a_faster_path_climbs),
        cmocka_unit_test(a_faster_path_must_show_what_is_required),
        cmocka_unit_test(an_inaccurate_path_goes_back),
        cmocka_unit_test(a_middling_path_stays),
    };

    return example_arguments(argc, argv) != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
