/* SPDX-License-Identifier: MIT */
/* What the old cohort says about itself, whatever the percentage: how far requests of one user go together,
 * and how long its requests take. Both must be known before a tick is judged by them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/state_parts.h"

static int asks_quantile(const struct canary__rule *rule) {
    return rule->proof == CANARY_PROOF_EVIDENCE && rule->against == CANARY_AGAINST_OLD &&
           rule->statistic == CANARY_STATISTIC_QUANTILE;
}

/* Values of which `quantile` is known within about a tenth of its tail. */
static double most_for(double quantile) {
    double most = 100 / (1 - quantile);

    if (!(most > 2000)) {
        return 2000;
    }
    return most < 100000 ? most : 100000;
}

/* As many as a rule of proof POINT would need: ceil(4q/(1-q)), at least 200. */
static double enough_for(double quantile) {
    double enough = ceil(4 * quantile / (1 - quantile));

    return enough > 200 ? enough : 200;
}

static int is_proportion(const struct canary_policy *policy, uint32_t metric) {
    if (strcmp(policy->metrics[metric], "error") == 0) {
        return 1;
    }
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].metric_index == metric &&
            (policy->rules[i].statistic == CANARY_STATISTIC_RATE ||
             policy->rules[i].statistic == CANARY_STATISTIC_BURN)) {
            return 1;
        }
    }
    return 0;
}

static int has_evidence(const struct canary_policy *policy) {
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].proof == CANARY_PROOF_EVIDENCE) {
            return 1;
        }
    }
    return 0;
}

static double most_of(const struct canary_policy *policy, uint32_t metric) {
    double most = 0;

    for (uint32_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].metric_index == metric && asks_quantile(&policy->rules[i]) &&
            most_for(policy->rules[i].quantile) > most) {
            most = most_for(policy->rules[i].quantile);
        }
    }
    return most;
}

int canary__halves_open(const struct canary_policy *policy, struct canary__state *state) {
    state->splits = calloc(CANARY_POLICY_RULES_MAX, sizeof *state->splits);
    if (state->splits == NULL) {
        return -1;
    }
    for (uint32_t i = 0; i < policy->metric_count && has_evidence(policy); i++) {
        struct canary__split_state *split = &state->splits[state->split_count];

        if (is_proportion(policy, i)) {
            memcpy(split->metric, policy->metrics[i], sizeof split->metric);
            split->metric_index = i;
            canary__judge_split_start(&split->split);
            state->split_count++;
        }
    }
    for (uint32_t i = 0; i < policy->metric_count; i++) {
        state->recent_count += most_of(policy, i) > 0;
    }
    if (state->recent_count == 0) {
        return 0;
    }
    state->recents = calloc(state->recent_count, sizeof *state->recents);
    if (state->recents == NULL) {
        return -1;
    }
    state->recent_count = 0;
    for (uint32_t i = 0; i < policy->metric_count; i++) {
        if (most_of(policy, i) > 0) {
            struct canary__recent *recent = &state->recents[state->recent_count++];

            memcpy(recent->metric, policy->metrics[i], sizeof recent->metric);
            recent->metric_index = i;
            recent->most = most_of(policy, i);
        }
    }
    return 0;
}

/* -- durations -- */

/* A share of less than a thousandth is dropped, so that what is stored does not fill with buckets of
 * long ago. */
static void halve(struct canary__recent *recent) {
    static const double least = 0x1p-10;

    recent->overflow = recent->overflow / 2 < least ? 0 : recent->overflow / 2;
    recent->n = recent->overflow;
    for (uint32_t i = 0; i < CANARY_DURATION_BUCKETS; i++) {
        double half = recent->buckets[i] / 2;

        recent->buckets[i] = half < least ? 0 : half;
        recent->n += recent->buckets[i];
    }
}

static void add_durations(struct canary__recent *recent, const struct canary__tick_side *side) {
    double n = side->overflow;

    if (side->bucket_count > CANARY_DURATION_BUCKETS ||
        (side->bucket_count > 0 && side->buckets == NULL) || !(side->overflow >= 0)) {
        return;
    }
    for (uint32_t i = 0; i < side->bucket_count; i++) {
        n += (double)side->buckets[i];
    }
    if (!(n == side->n) || !(n <= 0x1p53)) {
        return;
    }
    recent->overflow += side->overflow;
    for (uint32_t i = 0; i < side->bucket_count; i++) {
        recent->buckets[i] += (double)side->buckets[i];
    }
    recent->n += n;
    while (recent->n >= 2 * recent->most) {
        halve(recent);
    }
}

/* The end of the bucket that the quantile is in, so that its durations count exactly; in seconds. */
static double quantile_of(const struct canary__recent *recent, double quantile) {
    double rank = quantile * recent->n * (1 - 0x1p-50);
    double below = 0;

    for (uint32_t i = 0; i < CANARY_DURATION_BUCKETS; i++) {
        below += recent->buckets[i];
        if (recent->buckets[i] > 0 && below >= rank) {
            return (double)canary_duration_bucket_ns(i + 1) * 1e-9;
        }
    }
    return NAN;
}

void canary__halves_know(struct canary__state *state, const struct canary_policy *policy) {
    for (uint32_t i = 0; i < state->rule_count; i++) {
        const struct canary__rule *rule = &policy->rules[i];

        for (uint32_t j = 0; j < state->recent_count && asks_quantile(rule); j++) {
            const struct canary__recent *recent = &state->recents[j];

            if (recent->metric_index == rule->metric_index &&
                recent->n >= enough_for(rule->quantile)) {
                state->rules[i].proof->known = quantile_of(recent, rule->quantile);
            }
        }
    }
}

/* -- halves -- */

static void test_split(struct canary__split_state *split) {
    if (canary__judge_split_differs(&split->split, CANARY__SELF_TEST_TICKS,
                                    CANARY__SELF_TEST_ALPHA) == CANARY__JUDGE_YES) {
        split->differs = 1;
    }
}

void canary__halves_add(struct canary__state *state, const struct canary__tick *tick) {
    if (tick->from_ns < state->halves_ns ||
        (tick->from_ns == state->halves_ns && tick->generation <= state->halves_generation)) {
        return;
    }
    state->halves_ns = tick->from_ns;
    state->halves_generation = tick->generation;
    for (uint32_t i = 0; i < state->split_count; i++) {
        struct canary__split_state *split = &state->splits[i];
        const struct canary__tick_metric *metric = &tick->metrics[split->metric_index];

        if (metric->kind == CANARY_METRIC_PROPORTION &&
            canary__judge_split_add(&split->split, metric->half[0], metric->half[1],
                                    split->ticks < CANARY__SELF_TEST_TICKS) == CANARY__JUDGE_YES) {
            split->ticks += 1;
            test_split(split);
        }
    }
    for (uint32_t i = 0; i < state->recent_count; i++) {
        const struct canary__tick_metric *metric = &tick->metrics[state->recents[i].metric_index];

        if (metric->kind == CANARY_METRIC_DURATION) {
            add_durations(&state->recents[i], &metric->side[CANARY_OLD]);
        }
    }
}

void canary__halves_begin(struct canary__state *state) {
    for (uint32_t i = 0; i < state->split_count; i++) {
        state->splits[i].differs = 0;
        test_split(&state->splits[i]);
    }
}

double canary__state_effect(const struct canary__state *state, const struct canary_policy *policy,
                            const struct canary__rule *rule) {
    double largest = NAN;

    if (policy->design_effect > 0) {
        return policy->design_effect;
    }
    for (uint32_t i = 0; i < state->split_count; i++) {
        double effect = canary__judge_split_effect(&state->splits[i].split);

        if (rule->statistic == CANARY_STATISTIC_RATE &&
            state->splits[i].metric_index == rule->metric_index) {
            return effect;
        }
        if (effect >= 1 && !(effect <= largest)) {
            largest = effect;
        }
    }
    /* Halves are kept of proportions only. Other metrics of the same requests go together as far as
     * the worst of those does. */
    return largest;
}

int canary__state_self_test(const struct canary__state *state, char *metric) {
    for (uint32_t i = 0; i < state->split_count; i++) {
        if (state->splits[i].differs) {
            memcpy(metric, state->splits[i].metric, sizeof state->splits[i].metric);
            return 1;
        }
    }
    return 0;
}
