/* SPDX-License-Identifier: MIT */
/* What a rule says, with the figures that it says it from. */
#include <math.h>
#include <string.h>

#include "judge/classical.h"
#include "judge/state_parts.h"

static void head(const struct canary__rule_state *state, const struct canary__rule *rule,
                 canary_rule_result *out) {
    memset(out, 0, sizeof *out);
    out->size = (uint32_t)sizeof *out;
    out->action = rule->action;
    out->urgency = rule->urgency;
    out->state = state->state;
    out->statistic = rule->statistic;
    out->against = rule->against;
    out->proof = rule->proof;
    out->above = rule->above;
    out->cohort = rule->against == CANARY_AGAINST_OLD ? CANARY_NEW : rule->cohort;
    out->to_stage = rule->to_stage;
    out->since_ns = state->since_ns;
    out->quantile = rule->statistic == CANARY_STATISTIC_QUANTILE ? rule->quantile : NAN;
    out->threshold = rule->threshold;
    out->value = out->reference = out->ratio = NAN;
    out->low = out->high = NAN;
    out->least = rule->least;
    out->ln_w = out->p = out->alpha = out->design_effect = out->classical_p = NAN;
    memcpy(out->name, rule->name, sizeof out->name);
    memcpy(out->metric, rule->metric, sizeof out->metric);
    if (strcmp(rule->metric, "duration") == 0 || rule->statistic == CANARY_STATISTIC_QUANTILE) {
        memcpy(out->unit, "seconds", sizeof "seconds");
    }
}

static double classical_shares(double k_new, double n_new, double k_old, double n_old) {
    struct canary__judge_test test;

    canary__judge_two_proportions((struct canary__judge_share){ n_new, k_new },
                                  (struct canary__judge_share){ n_old, k_old }, &test);
    return test.p;
}

static double classical_means(const struct canary__judge_sums *fresh,
                              const struct canary__judge_sums *old) {
    struct canary__judge_arm arms[2];
    struct canary__judge_test test;

    if (canary__judge_arm_of(fresh, &arms[0]) != CANARY__JUDGE_YES ||
        canary__judge_arm_of(old, &arms[1]) != CANARY__JUDGE_YES) {
        return NAN;
    }
    canary__judge_welch(&arms[0], &arms[1], &test);
    return test.p;
}

static void values(const struct canary__reading *sum, const struct canary__rule *rule,
                   canary_rule_result *out) {
    int has_k = rule->statistic != CANARY_STATISTIC_MEAN;

    out->n_new = sum->n[CANARY_NEW];
    out->n_old = sum->n[CANARY_OLD];
    out->k_new = has_k ? sum->x[CANARY_NEW] : NAN;
    out->k_old = has_k ? sum->x[CANARY_OLD] : NAN;
    if (rule->statistic != CANARY_STATISTIC_QUANTILE) {
        out->value = canary__reading_value(sum, rule->statistic, out->cohort);
        if (rule->against == CANARY_AGAINST_OLD) {
            out->reference = canary__reading_value(sum, rule->statistic, CANARY_OLD);
        }
    }
    if (rule->against == CANARY_AGAINST_OLD && has_k) {
        out->classical_p = classical_shares(out->k_new, out->n_new, out->k_old, out->n_old);
    }
}

static void point(const struct canary__rule_state *state, const struct canary__rule *rule,
                  canary_rule_result *out) {
    const struct canary__reading *sum = canary__window_sum(state->window);

    values(sum, rule, out);
    out->window_ns = rule->window_ns;
    out->for_ns = rule->for_ns;
    if (rule->statistic == CANARY_STATISTIC_BURN) {
        out->value = canary__judge_burn(
            (struct canary__judge_share){ sum->n[rule->cohort], sum->x[rule->cohort] },
            rule->objective);
    }
    if (rule->against == CANARY_AGAINST_BASELINE) {
        out->reference = state->baseline;
    }
    if (rule->against == CANARY_AGAINST_OLD && rule->statistic == CANARY_STATISTIC_MEAN) {
        const struct canary__judge_sums fresh = { sum->n[CANARY_NEW], sum->x[CANARY_NEW],
                                                  sum->squares[CANARY_NEW] };
        const struct canary__judge_sums old = { sum->n[CANARY_OLD], sum->x[CANARY_OLD],
                                                sum->squares[CANARY_OLD] };

        out->classical_p = classical_means(&fresh, &old);
    }
}

static void interval_of_means(const struct canary__proof *proof, const struct canary__rule *rule,
                              double effect, canary_rule_result *out) {
    struct canary__judge_arm fresh;
    struct canary__judge_arm old;

    if (!(effect >= 1) || !(proof->fresh.n >= CANARY__JUDGE_MEANS_LEAST) ||
        !(proof->old.n >= CANARY__JUDGE_MEANS_LEAST) ||
        canary__judge_arm_of(&proof->fresh, &fresh) != CANARY__JUDGE_YES ||
        canary__judge_arm_of(&proof->old, &old) != CANARY__JUDGE_YES) {
        return;
    }
    fresh.variance *= effect;
    old.variance *= effect;
    if (canary__judge_lift_interval(&fresh, &old, rule->alpha, CANARY__MEANS_BEST_N, &out->low,
                                    &out->high) == CANARY__JUDGE_YES) {
        out->low += 1;
        out->high += 1;
    }
}

/* The ratio of F1 that a ratio of q stands for, as the margin of its evidence is had: by the old cohort's
 * F1. It rises with that of q, so ends stay ends. */
static double f1_of(double ratio, double known) {
    double q = known / (2 - known);

    return isinf(ratio) ? ratio : ratio * (1 + q) / (1 + ratio * q);
}

static struct canary__reading totals_of(const struct canary__proof *proof, int is_mean) {
    struct canary__reading sum = { { 0 }, { 0 }, { 0 } };

    sum.n[CANARY_NEW] = proof->totals.n_new;
    sum.n[CANARY_OLD] = proof->totals.n_old;
    sum.x[CANARY_NEW] = is_mean ? proof->fresh.sum : proof->totals.k_new;
    sum.x[CANARY_OLD] = is_mean ? proof->old.sum : proof->totals.k_old;
    return sum;
}

static void proof_of(const struct canary__state *state, const struct canary_policy *policy,
                     uint32_t index, canary_rule_result *out) {
    const struct canary__rule *rule = &policy->rules[index];
    const struct canary__proof *proof = state->rules[index].proof;
    int is_mean = rule->statistic == CANARY_STATISTIC_MEAN;
    int require = rule->action == CANARY_RULE_REQUIRE;
    const struct canary__reading sum = totals_of(proof, is_mean);
    struct canary__judge_weight weight;

    values(&sum, rule, out);
    out->alpha = rule->alpha;
    out->design_effect = canary__state_effect(state, policy, rule);
    if (proof->ticks > 0 && canary__proof_weigh(proof, rule, state->planned_ticks,
                                                out->design_effect, &weight) == CANARY__JUDGE_YES) {
        out->ln_w = require ? weight.ln_e : weight.ln_w;
        out->p = canary__judge_anytime_p(require ? weight.ln_e : proof->highest_ln_w);
    }
    if (rule->against != CANARY_AGAINST_OLD) {
        return;
    }
    if (rule->statistic == CANARY_STATISTIC_QUANTILE) {
        out->reference = proof->known;
    }
    if (is_mean) {
        out->classical_p = classical_means(&proof->fresh, &proof->old);
        interval_of_means(proof, rule, out->design_effect, out);
    } else {
        out->low = proof->ends.low;
        out->high = proof->ends.high;
    }
    if (rule->statistic == CANARY_STATISTIC_F1) {
        out->low = f1_of(out->low, proof->known);
        out->high = f1_of(out->high, proof->known);
    }
}

void canary__state_result(const struct canary__state *state, const struct canary_policy *policy,
                          uint32_t rule, canary_rule_result *out) {
    head(&state->rules[rule], &policy->rules[rule], out);
    if (state->rules[rule].proof != NULL) {
        proof_of(state, policy, rule, out);
    } else {
        point(&state->rules[rule], &policy->rules[rule], out);
    }
    if (out->reference != 0) {
        out->ratio = out->value / out->reference;
    }
}
