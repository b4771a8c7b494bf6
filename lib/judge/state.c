/* SPDX-License-Identifier: MIT */
#include "judge/state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/state_parts.h"

/* Ticks that W is planned for. A stage of a few minutes, or of none, is looked at for longer than that; one
 * without an end for a day, and what comes later counts as evidence, but no longer as a late change. */
static const double ticks_least = 360;
static const double ticks_of_a_day = 8640;

static int open_rule(const struct canary__rule *rule, struct canary__rule_state *state) {
    canary__policy_question(rule, &state->question);
    state->state = CANARY_STATE_UNKNOWN;
    state->baseline = NAN;
    if (rule->proof == CANARY_PROOF_EVIDENCE) {
        state->proof = malloc(sizeof *state->proof);
        if (state->proof != NULL) {
            state->proof->known = NAN;
            canary__proof_start(state->proof);
        }
        return state->proof != NULL ? 0 : -1;
    }
    state->window = canary__window_open(rule->window_ns);
    if (rule->statistic == CANARY_STATISTIC_BURN) {
        state->short_window = canary__window_open(rule->short_window_ns);
    }
    return state->window != NULL &&
                   (state->short_window != NULL || rule->statistic != CANARY_STATISTIC_BURN)
               ? 0
               : -1;
}

int canary__state_open(const struct canary_policy *policy, struct canary__state *state,
                       canary_error *error) {
    int failed = 0;

    memset(state, 0, sizeof *state);
    state->planned_ticks = ticks_of_a_day;
    state->rule_count = policy->rule_count;
    memcpy(state->digest, policy->digest, sizeof state->digest);
    for (uint32_t i = 0; i < policy->rule_count && !failed; i++) {
        failed = open_rule(&policy->rules[i], &state->rules[i]) != 0;
    }
    if (failed || canary__halves_open(policy, state) != 0) {
        canary__state_close(state);
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for the state of %u rules",
                                  policy->rule_count);
    }
    return CANARY_OK;
}

void canary__state_close(struct canary__state *state) {
    for (uint32_t i = 0; i < state->rule_count; i++) {
        free(state->rules[i].proof);
        canary__window_close(state->rules[i].window);
        canary__window_close(state->rules[i].short_window);
    }
    free(state->splits);
    free(state->recents);
    memset(state, 0, sizeof *state);
}

void canary__state_begin(struct canary__state *state, uint64_t generation, int64_t at_ns,
                         int64_t dwell_ns) {
    double ticks = dwell_ns > 0 ? (double)(dwell_ns / CANARY_TICK_NS) : ticks_of_a_day;

    state->generation = generation;
    state->generation_at_ns = at_ns;
    state->planned_ticks = ticks > ticks_least ? ticks : ticks_least;
    state->ticks = 0;
    state->silent_ns = 0;
    /* Ticks were taken by a clock that was ahead, and are taken back: halves wait for none of them. */
    if (state->through_ns == 0 && state->halves_ns > at_ns) {
        state->halves_ns = at_ns;
        state->halves_generation = 0;
    }
    for (uint32_t i = 0; i < state->rule_count; i++) {
        struct canary__rule_state *rule = &state->rules[i];

        rule->state = CANARY_STATE_UNKNOWN;
        rule->since_ns = rule->unknown_ns = 0;
        if (rule->proof != NULL) {
            canary__proof_start(rule->proof);
        }
        if (rule->window != NULL) {
            canary__window_clear(rule->window);
        }
        if (rule->short_window != NULL) {
            canary__window_clear(rule->short_window);
        }
    }
    canary__halves_begin(state);
}

void canary__state_baseline(struct canary__state *state, uint32_t rule, double value) {
    state->rules[rule].baseline = isfinite(value) ? value : NAN;
}

double canary__state_highest(const struct canary__state *state,
                             const struct canary_policy *policy) {
    double highest = -INFINITY;

    for (uint32_t i = 0; i < state->rule_count; i++) {
        const struct canary__rule *rule = &policy->rules[i];
        const struct canary__proof *proof = state->rules[i].proof;

        if (proof != NULL && rule->action == CANARY_RULE_ROLLBACK &&
            proof->highest_ln_w > highest &&
            canary__judge_is_proven(proof->highest_ln_w, rule->alpha) == CANARY__JUDGE_NO) {
            highest = proof->highest_ln_w;
        }
    }
    return highest;
}
