/* SPDX-License-Identifier: MIT */
/* See scenes.h. Stands in for the state and the policy: the gate asks these for no more than this. */
#include "scenes.h"

#include <canary/decide.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct scene *present;

void canary__state_result(const struct canary__state *state, const struct canary_policy *policy,
                          uint32_t rule, canary_rule_result *out) {
    assert_ptr_equal(state, &present->state);
    assert_ptr_equal(policy, &present->policy);
    assert_true(rule < policy->rule_count);
    *out = present->said[rule];
}

int canary__state_self_test(const struct canary__state *state, char *metric) {
    (void)state;
    strcpy(metric, "error");
    return present->self_test;
}

double canary__state_highest(const struct canary__state *state,
                             const struct canary_policy *policy) {
    (void)state;
    (void)policy;
    return present->highest;
}

int64_t canary__policy_dwell(const struct canary_policy *policy, const canary_rollout *rollout,
                             int stage) {
    (void)policy;
    return stage >= 0 && stage < CANARY_STAGES_MAX ? rollout->dwell_ns[stage] : 0;
}

static void put_rule(struct scene *scene, int i, const char *name, int action, int urgency,
                     int state, int proof) {
    canary_rule_result *said = &scene->said[i];

    scene->policy.rules[i].stages = 0xfffffffeu;
    scene->policy.rules[i].window_ns = proof == CANARY_PROOF_POINT ? 5 * MINUTE : 0;
    *said = (canary_rule_result){
        .size = (uint32_t)sizeof *said,
        .action = action,
        .urgency = urgency,
        .state = state,
        .statistic = CANARY_STATISTIC_RATE,
        .against = proof == CANARY_PROOF_POINT ? CANARY_AGAINST_LIMIT : CANARY_AGAINST_OLD,
        .proof = proof,
        .above = action != CANARY_RULE_REQUIRE,
        .cohort = CANARY_NEW,
        .window_ns = scene->policy.rules[i].window_ns,
        .quantile = NAN,
        .threshold = proof == CANARY_PROOF_POINT ? 0.05 : 1.5,
        .value = 0.0094,
        .reference = proof == CANARY_PROOF_POINT ? NAN : 0.01,
        .ratio = proof == CANARY_PROOF_POINT ? NAN : 0.94,
        .low = proof == CANARY_PROOF_POINT ? NAN : 0.71,
        .high = proof == CANARY_PROOF_POINT ? NAN : 1.22,
        .n_new = 41200,
        .n_old = 782900,
        .k_new = 387,
        .k_old = 7829,
        .least = 100,
        .ln_w = proof == CANARY_PROOF_POINT ? NAN : -3,
        .p = proof == CANARY_PROOF_POINT ? NAN : 1,
        .alpha = proof == CANARY_PROOF_POINT ? NAN : 0.05,
        .design_effect = proof == CANARY_PROOF_POINT ? NAN : 1,
        .classical_p = NAN,
    };
    strcpy(said->name, name);
    strcpy(said->metric, i == TIMEOUTS ? "timeout" : i == ACCURATE ? "accuracy" : "error");
}

struct scene *scene_usual(void) {
    static const uint32_t ladder[] = { 0, 500, 2500, 5000, 10000 };
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    present = scene;
    scene->policy.mode = CANARY_MODE_AUTO;
    scene->policy.check_ratio = 1;
    scene->policy.attempts = 3;
    scene->policy.grace_ns = 15 * MINUTE;
    scene->policy.cooldown_ns = 30 * MINUTE;
    scene->policy.rule_count = RULES;
    strcpy(scene->policy.name, "usual");
    strcpy(scene->policy.digest, "0123456789abcdef");
    put_rule(scene, TIMEOUTS, "timeouts", CANARY_RULE_ROLLBACK, CANARY_URGENCY_CRITICAL,
             CANARY_STATE_CLEAR, CANARY_PROOF_POINT);
    put_rule(scene, ERRORS, "errors", CANARY_RULE_ROLLBACK, CANARY_URGENCY_CRITICAL,
             CANARY_STATE_CLEAR, CANARY_PROOF_EVIDENCE);
    put_rule(scene, SLOW, "slow", CANARY_RULE_HOLD, CANARY_URGENCY_MEDIUM, CANARY_STATE_CLEAR,
             CANARY_PROOF_POINT);
    put_rule(scene, NO_HARM, "no-harm", CANARY_RULE_REQUIRE, CANARY_URGENCY_MEDIUM,
             CANARY_STATE_MET, CANARY_PROOF_EVIDENCE);
    put_rule(scene, ACCURATE, "accurate", CANARY_RULE_REQUIRE, CANARY_URGENCY_MEDIUM,
             CANARY_STATE_MET, CANARY_PROOF_POINT);
    put_rule(scene, WARNING, "warning", CANARY_RULE_WARN, CANARY_URGENCY_LOW, CANARY_STATE_CLEAR,
             CANARY_PROOF_POINT);
    scene->rollout = (canary_rollout){
        .size = (uint32_t)sizeof scene->rollout,
        .stage_count = 5,
        .flag_enabled = 1,
        .revision = 9,
        .generation = 7,
        .generation_at_ns = BEGAN,
    };
    for (int i = 0; i < 5; i++) {
        scene->rollout.stages_bp[i] = ladder[i];
        scene->rollout.dwell_ns[i] = i > 0 ? 24 * HOUR : 0;
    }
    strcpy(scene->rollout.name, "checkout");
    strcpy(scene->rollout.flag, "checkout");
    scene->state.generation = 7;
    scene->state.rule_count = RULES;
    scene->state.through_ns = BEGAN + 25 * HOUR - 10 * SECOND;
    scene->state.traffic_ns = scene->state.through_ns;
    scene->highest = -INFINITY;
    scene->around = (struct canary__scene){
        .now_ns = BEGAN + 25 * HOUR,
        .rollout = &scene->rollout,
        .users_new = 2003,
        .users_old = 5997,
        .estimated_new = NAN,
        .estimated_old = NAN,
    };
    scene_at(scene, 2500);
    return scene;
}

void scene_free(struct scene *scene) {
    present = NULL;
    free(scene);
}

void scene_at(struct scene *scene, uint32_t percentage_bp) {
    scene->rollout.percentage_bp = percentage_bp;
    scene->rollout.effective_bp = percentage_bp;
    for (int i = 0; i < (int)scene->rollout.stage_count; i++) {
        if (scene->rollout.stages_bp[i] <= percentage_bp) {
            scene->rollout.stage = i;
        }
    }
    scene->around.users_new = 8000 * (double)percentage_bp / 10000;
    scene->around.users_old = 8000 - scene->around.users_new;
}

const canary_verdict *scene_judge(struct scene *scene) {
    present = scene;
    memset(scene->results, 0x5a, sizeof scene->results);
    memset(&scene->verdict, 0x5a, sizeof scene->verdict);
    canary__gate(&scene->policy, &scene->state, &scene->around, &scene->verdict, scene->results);
    return &scene->verdict;
}

void kill_it(struct scene *scene) {
    scene->rollout.kill_reasons = CANARY_KILL_FLAG;
}

void freeze(struct scene *scene) {
    scene->policy.frozen = 1;
}

void close_it(struct scene *scene) {
    uint32_t kills = scene->rollout.kill_reasons;

    scene_at(scene, 0);
    scene->rollout.kill_reasons = kills;
}

void break_limit(struct scene *scene) {
    scene->said[TIMEOUTS].state = CANARY_STATE_FIRING;
}

void damage(struct scene *scene) {
    scene->around.damaged = 1;
}

void prove_harm(struct scene *scene) {
    scene->said[ERRORS].state = CANARY_STATE_FIRING;
    scene->said[ERRORS].ratio = 2.1;
    scene->said[ERRORS].low = 1.62;
    scene->said[ERRORS].high = 2.75;
}

void go_silent(struct scene *scene) {
    scene->state.traffic_ns = scene->around.now_ns - 16 * MINUTE;
}

void divide_badly(struct scene *scene) {
    scene->around.users_new = 2500;
    scene->around.users_old = 5500;
}

void know_another(struct scene *scene) {
    scene->state.generation = 6;
}

void know_too_little(struct scene *scene) {
    scene->said[ACCURATE].state = CANARY_STATE_UNKNOWN;
}

void be_early(struct scene *scene) {
    scene->rollout.dwell_ns[1] = scene->rollout.dwell_ns[2] = 26 * HOUR;
}

void be_slow(struct scene *scene) {
    scene->said[SLOW].state = CANARY_STATE_FIRING;
}

void show_nothing(struct scene *scene) {
    scene->said[NO_HARM].state = CANARY_STATE_UNMET;
}

void try_too_often(struct scene *scene) {
    scene->around.guard_rollbacks = 3;
}

void cool_down(struct scene *scene) {
    scene->around.last_rollback_ns = scene->around.now_ns - 29 * MINUTE;
}

void want_approval(struct scene *scene) {
    scene->policy.mode = CANARY_MODE_APPROVE;
}

const struct step steps[STEPS] = {
    { "killed", kill_it, CANARY_VERDICT_HOLD, CANARY_CAUSE_KILLED, -1 },
    { "frozen", freeze, CANARY_VERDICT_HOLD, CANARY_CAUSE_FROZEN, -1 },
    { "closed", close_it, CANARY_VERDICT_HOLD, CANARY_CAUSE_CLOSED, -1 },
    { "limit", break_limit, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_LIMIT, TIMEOUTS },
    { "data", damage, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA, -1 },
    { "evidence", prove_harm, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE, ERRORS },
    { "no traffic", go_silent, CANARY_VERDICT_HOLD, CANARY_CAUSE_NO_TRAFFIC, -1 },
    { "mismatch", divide_badly, CANARY_VERDICT_HOLD, CANARY_CAUSE_MISMATCH, -1 },
    { "generation", know_another, CANARY_VERDICT_HOLD, CANARY_CAUSE_GENERATION, -1 },
    { "samples", know_too_little, CANARY_VERDICT_HOLD, CANARY_CAUSE_SAMPLES, ACCURATE },
    { "dwell", be_early, CANARY_VERDICT_HOLD, CANARY_CAUSE_DWELL, -1 },
    { "rule", be_slow, CANARY_VERDICT_HOLD, CANARY_CAUSE_RULE, SLOW },
    { "require", show_nothing, CANARY_VERDICT_HOLD, CANARY_CAUSE_REQUIRE, NO_HARM },
    { "attempts", try_too_often, CANARY_VERDICT_HOLD, CANARY_CAUSE_ATTEMPTS, -1 },
    { "cooldown", cool_down, CANARY_VERDICT_HOLD, CANARY_CAUSE_COOLDOWN, -1 },
    { "approval", want_approval, CANARY_VERDICT_HOLD, CANARY_CAUSE_APPROVAL, -1 },
};

void expect(const canary_verdict *verdict, int action, int cause, int rule, const char *what) {
    if (verdict->action != action || verdict->cause != cause || verdict->rule != rule) {
        fail_msg("%s: %s by %s, rule %d, instead of %s by %s, rule %d (%s)", what,
                 canary_verdict_name(verdict->action), canary_cause_name(verdict->cause),
                 verdict->rule, canary_verdict_name(action), canary_cause_name(cause), rule,
                 verdict->message);
    }
}
