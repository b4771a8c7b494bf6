/* SPDX-License-Identifier: MIT */
/* The policies of examples/policies, each driven through an advance, through everything that holds it, and
 * through each of its rollback rules, which must fire alone: a rule that only fires when another one
 * does might as well not be there. */
#include "traffic.h"

static const char *folder;
static uint64_t seed;

/* Everybody fares well. */
static const struct behaviour well = {
    .error = 0.003,
    .timeout = 0.001,
    .accuracy = 0.97,
    .cache_hit = 0.9,
    .seconds = 0.02,
    .slow = 0.01,
    .slow_seconds = 0.1,
    .cost = 1,
    .f1 = 0.6,
};

static struct traffic *open_policy(const char *name) {
    struct traffic *traffic = malloc(sizeof *traffic);

    assert_non_null(traffic);
    traffic_open_file(traffic, folder, name, seed);
    traffic->side[CANARY_OLD] = traffic->side[CANARY_NEW] = well;
    traffic->per_tick = 1000;
    return traffic;
}

/* Watched since before anybody was exposed, so that the design effect is known. */
static void warm_up(struct traffic *traffic) {
    traffic_run(traffic, HOUR);
}

static void done(struct traffic *traffic) {
    traffic_close(traffic);
    free(traffic);
}

static void expect_hold(struct traffic *traffic, int cause, const char *rule) {
    const canary_verdict *verdict = traffic_judge(traffic);

    if (verdict->action != CANARY_VERDICT_HOLD || verdict->cause != cause ||
        strcmp(traffic_decider(traffic), rule) != 0) {
        fail_msg("not a hold by %s (%s), but %s: %s", canary_cause_name(cause), rule,
                 canary_cause_name(verdict->cause), verdict->message);
    }
}

/* Holds until a person agrees, and goes up by one then. */
static void expect_advance(struct traffic *traffic) {
    const canary_verdict *verdict;

    expect_hold(traffic, CANARY_CAUSE_APPROVAL, "");
    assert_int_equal(traffic->verdict.risk, CANARY_RISK_LOW);
    traffic->scene.approved = 1;
    verdict = traffic_judge(traffic);
    assert_int_equal(verdict->action, CANARY_VERDICT_ADVANCE);
    assert_int_equal(verdict->to_stage, verdict->stage + 1);
    traffic->scene.approved = 0;
}

/* A rule fires, and no other one does; it leads where it should. */
static void expect_firing(struct traffic *traffic, int64_t took_ns, const char *rule,
                          int to_stage) {
    const canary_verdict *verdict = traffic_judge(traffic);

    if (verdict->action != CANARY_VERDICT_ROLLBACK || strcmp(traffic_decider(traffic), rule) != 0) {
        fail_msg("not a rollback by %s, but: %s; %s", rule, verdict->message,
                 traffic_result(traffic, rule)->message);
    }
    assert_int_equal(traffic_firing(traffic), 1);
    assert_int_equal(verdict->to_stage, to_stage);
    assert_int_equal(verdict->to_percentage_bp, traffic->rollout.stages_bp[to_stage]);
    print_message("%s after %lld s: %s\n", rule, (long long)(took_ns / SECOND), verdict->message);
}

static void expect_rollback(struct traffic *traffic, int64_t most_ns, const char *rule,
                            int to_stage) {
    expect_firing(traffic, traffic_run_until_firing(traffic, most_ns), rule, to_stage);
}

/* -- the whole ladder -- */

/* From 0 % to the end of the last stage's time, in `most_ns` more than the dwell times; by day and by
 * night. Nothing pulls it back at any tick. */
static void climb(struct traffic *traffic, int64_t most_ns) {
    int top = (int)traffic->rollout.stage_count - 1;
    int64_t from_ns = traffic->now_ns;
    int64_t dwell = 0;

    for (int stage = 1; stage <= top; stage++) {
        int cause = 0;

        traffic_set(traffic, stage, 0);
        dwell += canary__policy_dwell(traffic->policy, &traffic->rollout, stage);
        traffic->scene.approved = 1;
        while (cause != CANARY_CAUSE_PROVEN && cause != CANARY_CAUSE_COMPLETE) {
            if (traffic_run_until_firing(traffic, 10 * MINUTE) >= 0 ||
                traffic->now_ns - from_ns > dwell + most_ns) {
                fail_msg("stage %d: %s", stage, traffic_judge(traffic)->message);
            }
            cause = traffic_judge(traffic)->cause;
        }
        assert_int_equal(cause, stage == top ? CANARY_CAUSE_COMPLETE : CANARY_CAUSE_PROVEN);
        print_message("%s, after %lld h: %s\n", traffic->policy->name,
                      (long long)((traffic->now_ns - from_ns) / HOUR), traffic->verdict.message);
    }
    assert_true(traffic->now_ns - from_ns >= dwell);
}

/* -- model quality -- */

static struct traffic *model(void) {
    struct traffic *traffic = open_policy("model-quality");

    traffic->side[CANARY_NEW].f1 = 0.75;
    traffic->side[CANARY_NEW].seconds = 0.022;
    return traffic;
}

static void a_better_model_climbs(void **unused) {
    struct traffic *traffic = model();

    (void)unused;
    traffic->cycle = 0.5;
    traffic->per_tick = 500;
    warm_up(traffic);
    climb(traffic, DAY);
    done(traffic);
}

static void a_model_needs_its_time_and_a_person(void **unused) {
    struct traffic *traffic = model();

    (void)unused;
    warm_up(traffic);
    traffic_set(traffic, 1, 0);
    traffic_run(traffic, DAY - MINUTE);
    expect_hold(traffic, CANARY_CAUSE_DWELL, "");
    traffic_run(traffic, MINUTE);
    expect_advance(traffic);
    assert_int_equal(traffic->verdict.to_percentage_bp, 2500);
    done(traffic);
}

/* A day old already; some hours of figures. */
static void hold_model(double f1, double errors, double seconds, const char *rule) {
    struct traffic *traffic = model();

    warm_up(traffic);
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
    done(traffic);
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
    done(traffic);
}

static void roll_back_model(const char *rule, int64_t most_ns, struct behaviour fresh) {
    struct traffic *traffic = model();

    warm_up(traffic);
    traffic_set(traffic, 2, 0);
    traffic_run(traffic, HOUR);
    assert_int_equal(traffic_firing(traffic), 0);
    traffic->side[CANARY_NEW] = fresh;
    expect_rollback(traffic, most_ns, rule, 0);
    done(traffic);
}

static void each_rollback_of_a_model_fires(void **unused) {
    struct behaviour fresh = well;

    (void)unused;
    fresh.error = 3 * well.error;
    roll_back_model("errors-up", 2 * HOUR, fresh);
    fresh = well;
    fresh.f1 = 0.4;
    roll_back_model("f1-down", HOUR, fresh);
    fresh = well;
    fresh.timeout = 0.02;
    roll_back_model("timeouts", 10 * MINUTE, fresh);
}

/* -- speed and accuracy -- */

static struct traffic *fast(void) {
    struct traffic *traffic = open_policy("speed-accuracy");

    traffic->per_tick = 300;
    traffic->side[CANARY_NEW].seconds = 0.015;
    return traffic;
}

static void a_faster_path_climbs(void **unused) {
    struct traffic *traffic = fast();

    (void)unused;
    traffic->cycle = 0.4;
    warm_up(traffic);
    climb(traffic, 2 * DAY);
    done(traffic);
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
    warm_up(traffic);
    traffic_set(traffic, 1, 0);
    fresh->seconds = well.seconds;
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
    traffic->side[CANARY_OLD] = well;
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
    done(traffic);
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

        warm_up(traffic);
        traffic_set(traffic, 2, 0);
        traffic->side[CANARY_NEW].accuracy = cases[i].accuracy;
        expect_rollback(traffic, cases[i].most_ns, "accuracy-floor", 0);
        done(traffic);
    }
}

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
    struct traffic *traffic = open_policy("cost-bounded");

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
    warm_up(traffic);
    climb(traffic, DAY);
    done(traffic);
}

static void a_cheaper_path_must_show_what_is_required(void **unused) {
    struct traffic *traffic = costs();
    struct behaviour *fresh = &traffic->side[CANARY_NEW];

    (void)unused;
    warm_up(traffic);
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
    done(traffic);
}

static void costs_without_a_baseline_hold(void **unused) {
    struct traffic *traffic = costs();

    (void)unused;
    for (uint32_t i = 0; i < traffic->policy->rule_count; i++) {
        canary__state_baseline(&traffic->state, i, NAN);
    }
    warm_up(traffic);
    traffic_set(traffic, 1, 72 * HOUR);
    traffic_run(traffic, 2 * HOUR);
    expect_hold(traffic, CANARY_CAUSE_SAMPLES, "cost-bad");
    done(traffic);
}

static void roll_back_costs(const char *rule, int64_t most_ns, struct behaviour fresh) {
    struct traffic *traffic = costs();

    traffic_set(traffic, 2, 0);
    traffic_run(traffic, HOUR);
    assert_int_equal(traffic_firing(traffic), 0);
    traffic->side[CANARY_NEW] = fresh;
    expect_rollback(traffic, most_ns, rule, 0);
    done(traffic);
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
    struct traffic *traffic = open_policy("service-objectives");

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
    climb(traffic, HOUR);
    done(traffic);
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
    done(traffic);
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
        done(traffic);
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
    assert_int_equal(traffic_judge(traffic)->action, CANARY_VERDICT_HOLD);
    traffic->side[CANARY_NEW].error = 0.001;
    assert_int_equal(traffic_run_until_firing(traffic, 29 * MINUTE), -1);
    expect_hold(traffic, CANARY_CAUSE_DWELL, "");
    traffic_run(traffic, 2 * MINUTE);
    expect_advance(traffic);
    done(traffic);
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
        cmocka_unit_test(a_cheaper_path_climbs),
        cmocka_unit_test(a_cheaper_path_must_show_what_is_required),
        cmocka_unit_test(costs_without_a_baseline_hold),
        cmocka_unit_test(each_rollback_of_costs_fires),
        cmocka_unit_test(a_service_within_its_objectives_climbs),
        cmocka_unit_test(a_service_needs_its_time_its_figures_and_a_person),
        cmocka_unit_test(each_rollback_of_a_service_fires),
        cmocka_unit_test(a_gradual_rollback_is_judged_anew),
    };

    if (argc != 2) {
        print_error("usage: %s FOLDER\n", argv[0]);
        return 1;
    }
    folder = argv[1];
    seed = traffic_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
