/* SPDX-License-Identifier: MIT */
#include "examples.h"

static const char *folder;
static uint64_t seed;

const struct behaviour examples_well = {
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

struct traffic *example_open(const char *name) {
    struct traffic *traffic = malloc(sizeof *traffic);

    assert_non_null(traffic);
    traffic_open_file(traffic, folder, name, seed);
    traffic->side[CANARY_OLD] = traffic->side[CANARY_NEW] = examples_well;
    traffic->per_tick = 1000;
    return traffic;
}

void example_warm_up(struct traffic *traffic) {
    traffic_run(traffic, HOUR);
}

void example_close(struct traffic *traffic) {
    traffic_close(traffic);
    free(traffic);
}

void expect_hold(struct traffic *traffic, int cause, const char *rule) {
    const canary_verdict *verdict = traffic_judge(traffic);

    if (verdict->action != CANARY_VERDICT_HOLD || verdict->cause != cause ||
        strcmp(traffic_decider(traffic), rule) != 0) {
        fail_msg("not a hold by %s (%s), but %s: %s", canary_cause_name(cause), rule,
                 canary_cause_name(verdict->cause), verdict->message);
    }
}

void expect_advance(struct traffic *traffic) {
    const canary_verdict *verdict;

    expect_hold(traffic, CANARY_CAUSE_APPROVAL, "");
    assert_int_equal(traffic->verdict.risk, CANARY_RISK_LOW);
    traffic->scene.approved = 1;
    verdict = traffic_judge(traffic);
    assert_int_equal(verdict->action, CANARY_VERDICT_ADVANCE);
    assert_int_equal(verdict->to_stage, verdict->stage + 1);
    traffic->scene.approved = 0;
}

void expect_firing(struct traffic *traffic, int64_t took_ns, const char *rule, int to_stage) {
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

void expect_rollback(struct traffic *traffic, int64_t most_ns, const char *rule, int to_stage) {
    expect_firing(traffic, traffic_run_until_firing(traffic, most_ns), rule, to_stage);
}

void expect_climb(struct traffic *traffic, int64_t most_ns) {
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

int example_arguments(int argc, char **argv) {
    if (argc != 2) {
        print_error("usage: %s FOLDER\n", argv[0]);
        return -1;
    }
    folder = argv[1];
    seed = traffic_seed();
    return 0;
}
