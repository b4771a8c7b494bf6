/* SPDX-License-Identifier: MIT */
/* The example policies of limits and budgets, each driven through an advance, through everything that
 * holds it, and through each of its rollback rules, which must fire alone. */
#include "examples.h"

/* -- costs -- */

static const struct behaviour cheap = {
    .error = 0.01,
    .timeout = 0.001,
    .cache_hit = 0.6,
    .seconds = 1,
    .slow = 0.02,
    .slow_seconds = 4,
    .cost = 0.5,
};

static struct traffic *costs(void) {
    struct traffic *traffic = example_open("cost-bounded");

    traffic->side[CANARY_OLD] = traffic->side[CANARY_NEW] = cheap;
    traffic->side[CANARY_OLD].cost = 1;
    for (uint32_t i = 0; i < traffic->policy->rule_count; i++) {
        if (traffic->policy->rules[i].against == CANARY_AGAINST_BASELINE) {
            canary__state_baseline(&traffic->state, i, 1);
        }
    }
    return traffic;
}

static void a_cheaper_path_climbs(void **unused) {
    struct traffic *traffic = costs();

    (void)unused;
    traffic->cycle = 0.4;
    traffic->per_tick = 400;
    example_warm_up(traffic);
    expect_climb(traffic, DAY);
    example_close(traffic);
}

static void a_cheaper_path_must_show_what_is_required(void **unused) {
    struct traffic *traffic = costs();
    struct behaviour *fresh = &traffic->side[CANARY_NEW];

    (void)unused;
    example_warm_up(traffic);
    traffic_set(traffic, 1, 72 * HOUR - 3 * HOUR);
    fresh->cost = 0.75;
    traffic_run(traffic, 3 * HOUR - MINUTE);
    expect_hold(traffic, CANARY_CAUSE_DWELL, "");
    traffic_run(traffic, HOUR);
    expect_hold(traffic, CANARY_CAUSE_RULE, "saving-middling");
    fresh->cost = 0.6;
    traffic_run(traffic, HOUR + MINUTE);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "saving-good");
    fresh->cost = 0.4;
    traffic_run(traffic, 6 * HOUR);
    expect_advance(traffic);
    assert_int_equal(traffic->verdict.to_percentage_bp, 2500);

    fresh->error = 0.035;
    traffic_run(traffic, HOUR);
    expect_hold(traffic, CANARY_CAUSE_RULE, "errors-middling");
    fresh->error = cheap.error;
    traffic_run(traffic, 16 * MINUTE);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "errors-good");
    traffic_run(traffic, HOUR);
    expect_advance(traffic);

    fresh->slow = 0.2;
    fresh->slow_seconds = 7;
    traffic_run(traffic, HOUR);
    expect_hold(traffic, CANARY_CAUSE_RULE, "p95-middling");
    fresh->slow = 0;
    traffic_run(traffic, 16 * MINUTE);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "p95-good");
    traffic_run(traffic, HOUR);
    expect_advance(traffic);

    fresh->cache_hit = 0.3;
    traffic_run(traffic, HOUR);
    expect_hold(traffic, CANARY_CAUSE_REQUIRE, "cache-hits");
    example_close(traffic);
}

static void costs_without_a_baseline_hold(void **unused) {
    struct traffic *traffic = costs();

    (void)unused;
    for (uint32_t i = 0; i < traffic->policy->rule_count; i++) {
        canary__state_baseline(&traffic->state, i, NAN);
    }
    example_warm_up(traffic);
    traffic_set(traffic, 1, 72 * HOUR);
    traffic_run(traffic, 2 * HOUR);
    expect_hold(traffic, CANARY_CAUSE_SAMPLES, "cost-bad");
    example_close(traffic);
}

static void roll_back_costs(const char *rule, int64_t most_ns, struct behaviour fresh) {
    struct traffic *traffic = costs();

    traffic_set(traffic, 2, 0);
    traffic_run(traffic, HOUR);
    assert_int_equal(traffic_firing(traffic), 0);
    traffic->side[CANARY_NEW] = fresh;
    expect_rollback(traffic, most_ns, rule, 0);
    example_close(traffic);
}

static void each_rollback_of_costs_fires(void **unused) {
    struct behaviour fresh = cheap;

    (void)unused;
    fresh.error = 0.08;
    roll_back_costs("errors-bad", 5 * MINUTE, fresh);
    fresh = cheap;
    fresh.slow = 0.1;
    fresh.slow_seconds = 12;
    roll_back_costs("p95-bad", 5 * MINUTE, fresh);
    fresh = cheap;
    fresh.cost = 1.7;
    roll_back_costs("cost-bad", HOUR, fresh);
}

/* -- objectives -- */

static struct traffic *service(int stage) {
    struct traffic *traffic = example_open("service-objectives");

    traffic->per_tick = 20000;
    traffic->side[CANARY_OLD].error = traffic->side[CANARY_NEW].error = 0.001;
    traffic_set(traffic, stage, 0);
    return traffic;
}

static void a_service_within_its_objectives_climbs(void **unused) {
    struct traffic *traffic = service(0);

    (void)unused;
    traffic->cycle = 0.5;
    traffic->per_tick = 2500;
    expect_climb(traffic, HOUR);
    example_close(traffic);
}

static void a_service_needs_its_time_its_figures_and_a_person(void **unused) {
    struct traffic *traffic = service(1);

    (void)unused;
    traffic_run(traffic, 30 * MINUTE - 30 * SECOND);
    expect_hold(traffic, CANARY_CAUSE_DWELL, "");
    traffic_run(traffic, 30 * SECOND);
    expect_advance(traffic);
    assert_int_equal(traffic->verdict.to_percentage_bp, 1000);
    /* Within a minute of errors nothing goes up any more. */
    traffic->side[CANARY_NEW].error = 0.02;
    traffic_run(traffic, MINUTE);
    expect_hold(traffic, CANARY_CAUSE_RULE, "errors-gradual");
    /* So few that no window holds enough. */
    traffic->side[CANARY_NEW].error = 0;
    traffic->per_tick = 100;
    traffic_run(traffic, 10 * MINUTE);
    expect_hold(traffic, CANARY_CAUSE_SAMPLES, "p95-immediate");
    example_close(traffic);
}

struct burst {
    double error;
    double slow_seconds;
    int64_t well_ns; /* of each 250 s */
    int64_t least_ns;
    int64_t most_ns;
    const char *rule;
    int to_stage;
};

/* Bad for some time, well for some: what never lasts for five minutes may still use up the budget. */
static int64_t run_burst(struct traffic *traffic, const struct burst *burst) {
    int64_t from_ns = traffic->now_ns;

    while (traffic_firing(traffic) == 0 && traffic->now_ns - from_ns < burst->most_ns) {
        int bad = (traffic->now_ns - from_ns) % (250 * SECOND) < 250 * SECOND - burst->well_ns;

        traffic->side[CANARY_NEW].error = bad ? burst->error : 0;
        traffic->side[CANARY_NEW].slow = bad && burst->slow_seconds > 0 ? 0.1 : 0;
        traffic->side[CANARY_NEW].slow_seconds = burst->slow_seconds;
        traffic_tick(traffic);
    }
    return traffic->now_ns - from_ns;
}

static void each_rollback_of_a_service_fires(void **unused) {
    static const struct burst bursts[] = {
        { 0.001, 1.2, 0, 2 * MINUTE, 4 * MINUTE, "p95-immediate", 0 },
        { 0.12, 0, 0, MINUTE, 2 * MINUTE, "errors-immediate", 0 },
        { 0.04, 0, 0, 2 * MINUTE, 5 * MINUTE, "burn-immediate", 0 },
        { 0.001, 0.7, 0, 5 * MINUTE, 7 * MINUTE, "p95-gradual", 2 },
        { 0.015, 0, 0, 5 * MINUTE, 7 * MINUTE, "errors-gradual", 2 },
        { 0.022, 0, 70 * SECOND, 10 * MINUTE, 20 * MINUTE, "burn-gradual", 2 },
    };

    (void)unused;
    for (size_t i = 0; i < sizeof bursts / sizeof *bursts; i++) {
        struct traffic *traffic = service(3);
        int64_t took_ns = run_burst(traffic, &bursts[i]);

        assert_in_range(took_ns, bursts[i].least_ns, bursts[i].most_ns);
        expect_firing(traffic, took_ns, bursts[i].rule, bursts[i].to_stage);
        example_close(traffic);
    }
}

/* One stage down, judged anew: what was seen above does not pull it down further. */
static void a_gradual_rollback_is_judged_anew(void **unused) {
    struct traffic *traffic = service(3);

    (void)unused;
    traffic->side[CANARY_NEW].error = 0.015;
    expect_rollback(traffic, 7 * MINUTE, "errors-gradual", 2);
    traffic->scene.last_rollback_ns = traffic->scene.now_ns;
    traffic->scene.guard_rollbacks = 1;
    traffic_set(traffic, 2, 0);
    expect_hold(traffic, CANARY_CAUSE_SAMPLES, "p95-immediate");
    assert_true(traffic_result(traffic, "errors-gradual")->n_new == 0);
    traffic->side[CANARY_NEW].error = 0.001;
    assert_int_equal(traffic_run_until_firing(traffic, 29 * MINUTE), -1);
    expect_hold(traffic, CANARY_CAUSE_DWELL, "");
    traffic_run(traffic, 2 * MINUTE);
    expect_advance(traffic);
    example_close(traffic);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cheaper_path_climbs),
        cmocka_unit_test(a_cheaper_path_must_show_what_is_required),
        cmocka_unit_test(costs_without_a_baseline_hold),
        cmocka_unit_test(each_rollback_of_costs_fires),
        cmocka_unit_test(a_service_within_its_objectives_climbs),
        cmocka_unit_test(a_service_needs_its_time_its_figures_and_a_person),
        cmocka_unit_test(each_rollback_of_a_service_fires),
        cmocka_unit_test(a_gradual_rollback_is_judged_anew),
    };

    return example_arguments(argc, argv) != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
