/* SPDX-License-Identifier: MIT */
/* Time goes on: ticks into windows and evidence, and what each rule then says. */
#include <math.h>

#include "judge/state_parts.h"

static const int64_t HOUR_NS = INT64_C(3600000000000);

static int applies(const struct canary__rule *rule, int stage) {
    return stage >= 0 && stage < CANARY_STAGES_MAX && (rule->stages >> stage & 1u) != 0;
}

static void slide(struct canary__rule_state *state, int64_t now_ns) {
    if (state->window != NULL) {
        canary__window_slide(state->window, now_ns);
    }
    if (state->short_window != NULL) {
        canary__window_slide(state->short_window, now_ns);
    }
}

static int into_windows(struct canary__rule_state *state, const struct canary__rule *rule,
                        const struct canary__tick *tick) {
    const struct canary__above above = canary__point_above(state, rule);
    struct canary__reading reading;
    int said = canary__reading_of(&tick->metrics[rule->metric_index], rule, &above, &reading);

    if (said == CANARY__JUDGE_YES) {
        canary__window_add(state->window, tick->from_ns, &reading);
        if (state->short_window != NULL) {
            canary__window_add(state->short_window, tick->from_ns, &reading);
        }
    }
    return said;
}

/* Ticks are missing before `now_ns`. What an advance requires had to hold at every one of them. What
 * speaks against the release goes on for as long as the window, which ends there, knows anything: a service with
 * a request a minute has no figures in most of its ticks, and its harm would stay pending for ever. What
 * fires goes on until it is known not to be so. */
static void bridge(struct canary__rule_state *state, const struct canary__rule *rule,
                   int64_t now_ns) {
    const struct canary__reading *sum;

    slide(state, now_ns);
    if (state->state == CANARY_STATE_FIRING) {
        return;
    }
    sum = state->window != NULL ? canary__window_sum(state->window) : NULL;
    if (rule->action == CANARY_RULE_REQUIRE || sum == NULL || !(sum->n[rule->cohort] > 0)) {
        state->since_ns = state->unknown_ns = 0;
    }
}

static void clear(struct canary__rule_state *state) {
    state->state = CANARY_STATE_CLEAR;
    state->since_ns = state->unknown_ns = 0;
}

/* A window may hold what was so long after the last figures. By silence nothing begins to fire. */
static int says_in_silence(const struct canary__rule_state *state,
                           const struct canary__rule *rule) {
    int says = canary__point_says(state, rule);

    return says == CANARY__JUDGE_YES && state->state == CANARY_STATE_PENDING ? CANARY__JUDGE_UNKNOWN
                                                                             : says;
}

static void add_point(struct canary__state *state, uint32_t index, const struct canary__rule *rule,
                      const struct canary__tick *tick, int stage, int64_t before_ns,
                      int64_t now_ns) {
    struct canary__rule_state *to = &state->rules[index];
    int said = into_windows(to, rule, tick);

    slide(to, now_ns);
    if (!applies(rule, stage)) {
        clear(to);
        return;
    }
    if (said == CANARY__JUDGE_YES) {
        said = canary__point_says(to, rule);
    } else if (said == CANARY__JUDGE_NO) {
        said = says_in_silence(to, rule);
    }
    canary__point_follow(to, rule, said, before_ns, now_ns);
}

static void add_proof(struct canary__state *state, const struct canary_policy *policy,
                      uint32_t index, const struct canary__tick *tick, int stage, int64_t now_ns) {
    const struct canary__rule *rule = &policy->rules[index];
    struct canary__rule_state *to = &state->rules[index];
    double effect = canary__state_effect(state, policy, rule);
    struct canary__above above = canary__proof_above(to->proof, rule);
    struct canary__reading reading;
    int said;

    if (!applies(rule, stage)) {
        clear(to);
        return;
    }
    said = canary__reading_of(&tick->metrics[rule->metric_index], rule, &above, &reading);
    if (said == CANARY__JUDGE_YES) {
        said = canary__proof_add(to->proof, rule, state->planned_ticks, effect, &reading);
    }
    canary__proof_follow(to, rule,
                         canary__proof_says(to->proof, rule, state->planned_ticks, effect),
                         said != CANARY__JUDGE_UNKNOWN, now_ns);
}

static int has_traffic(const struct canary_policy *policy, const struct canary__tick *tick) {
    for (uint32_t i = 0; i < policy->metric_count; i++) {
        if (tick->metrics[i].kind != 0 && tick->metrics[i].side[CANARY_NEW].n > 0) {
            return 1;
        }
    }
    return 0;
}

static void note_silence(struct canary__state *state, const struct canary_policy *policy,
                         int64_t until_ns) {
    int64_t from_ns =
        state->traffic_ns > state->generation_at_ns ? state->traffic_ns : state->generation_at_ns;
    int64_t silence;
    int64_t sum;

    /* Figures of long ago are kept by the hour. */
    if (!__builtin_sub_overflow(until_ns, from_ns, &silence) && silence > HOUR_NS &&
        silence > policy->grace_ns) {
        state->silent_ns =
            __builtin_add_overflow(state->silent_ns, silence, &sum) ? INT64_MAX : sum;
    }
}

int canary__state_add(struct canary__state *state, const struct canary_policy *policy,
                      const struct canary__tick *tick, int stage) {
    int64_t before_ns = state->through_ns != 0 ? state->through_ns : tick->from_ns;
    int64_t now_ns = 0;
    int mine = tick->generation == state->generation && tick->from_ns >= state->through_ns &&
               tick->from_ns >= 0 && tick->from_ns <= INT64_MAX - CANARY_TICK_NS;

    if (mine) {
        now_ns = tick->from_ns + CANARY_TICK_NS;
        now_ns = tick->to_ns > now_ns ? tick->to_ns : now_ns;
    }
    for (uint32_t i = 0; i < state->rule_count && mine; i++) {
        if (tick->from_ns >= before_ns + CANARY_TICK_NS) {
            bridge(&state->rules[i], &policy->rules[i], tick->from_ns);
        }
        if (state->rules[i].proof != NULL) {
            add_proof(state, policy, i, tick, stage, now_ns);
        } else {
            add_point(state, i, &policy->rules[i], tick, stage, before_ns, now_ns);
        }
    }
    /* After the rules, which may not judge a tick by what is learnt from it. */
    canary__halves_add(state, tick);
    canary__halves_know(state, policy);
    if (mine) {
        state->through_ns = now_ns;
        state->ticks += 1;
        if (has_traffic(policy, tick)) {
            note_silence(state, policy, tick->from_ns);
            state->traffic_ns = now_ns;
        }
    }
    return mine;
}

void canary__state_recall(struct canary__state *state, const struct canary_policy *policy,
                          const struct canary__tick *tick) {
    if (tick->generation != state->generation || tick->from_ns < 0) {
        return;
    }
    for (uint32_t i = 0; i < state->rule_count; i++) {
        if (state->rules[i].window != NULL) {
            slide(&state->rules[i], state->through_ns);
            into_windows(&state->rules[i], &policy->rules[i], tick);
        }
    }
}

void canary__state_pass(struct canary__state *state, const struct canary_policy *policy,
                        int64_t now_ns, int stage) {
    int64_t through_ns = now_ns - now_ns % CANARY_TICK_NS;
    int64_t before_ns = state->through_ns != 0 ? state->through_ns : through_ns;

    if (now_ns <= 0 || through_ns <= state->through_ns) {
        return;
    }
    for (uint32_t i = 0; i < state->rule_count; i++) {
        struct canary__rule_state *to = &state->rules[i];
        const struct canary__rule *rule = &policy->rules[i];

        slide(to, through_ns);
        if (!applies(rule, stage)) {
            clear(to);
            continue;
        }
        if (through_ns > before_ns) {
            bridge(to, rule, through_ns);
        }
        if (to->window != NULL) {
            canary__point_follow(to, rule, says_in_silence(to, rule), before_ns, through_ns);
        }
    }
    state->through_ns = through_ns;
}
