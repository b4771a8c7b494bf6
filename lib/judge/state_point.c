/* SPDX-License-Identifier: MIT */
/* Rules that ask how things are, not what is proven: a window, a threshold, and for how long. */
#include <math.h>

#include "judge/state_parts.h"

struct canary__above canary__point_above(const struct canary__rule_state *state,
                                         const struct canary__rule *rule) {
    double limit = rule->against == CANARY_AGAINST_BASELINE ? rule->threshold * state->baseline
                                                            : rule->threshold;
    int most = !rule->above;

    return (struct canary__above){ { limit, limit }, { most, most } };
}

static int negated(int says) {
    if (says == CANARY__JUDGE_UNKNOWN) {
        return says;
    }
    return says == CANARY__JUDGE_YES ? CANARY__JUDGE_NO : CANARY__JUDGE_YES;
}

static struct canary__judge_share share_in(const struct canary__window *window, int cohort) {
    const struct canary__reading *sum = canary__window_sum(window);

    return (struct canary__judge_share){ .n = sum->n[cohort], .k = sum->x[cohort] };
}

static int burn_says(const struct canary__rule_state *state, const struct canary__rule *rule) {
    struct canary__judge_share in_long = share_in(state->window, rule->cohort);
    int says;

    if (!(in_long.n >= rule->least)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    says = canary__judge_burns(in_long, share_in(state->short_window, rule->cohort),
                               rule->objective, rule->threshold);
    return rule->above ? says : negated(says);
}

static int compare(double value, double limit, int above) {
    if (above ? value > limit : value < limit) {
        return CANARY__JUDGE_YES;
    }
    if (above ? value <= limit : value >= limit) {
        return CANARY__JUDGE_NO;
    }
    return CANARY__JUDGE_UNKNOWN;
}

/* A quantile is above x when fewer than its rank are not. A hair less than q * n, as for the figures that
 * people see: 0.07 * 100 is above 7 in doubles. */
static int quantile_says(const struct canary__reading *sum, const struct canary__rule *rule) {
    double n = sum->n[rule->cohort];
    double rank = rule->quantile * n * (1 - 0x1p-50);

    return compare(rank, n - sum->x[rule->cohort], rule->above);
}

static int old_says(const struct canary__reading *sum, const struct canary__rule *rule) {
    double fresh = canary__reading_value(sum, rule->statistic, CANARY_NEW);
    double old = canary__reading_value(sum, rule->statistic, CANARY_OLD);

    if (!(sum->n[CANARY_NEW] >= rule->least) || !(sum->n[CANARY_OLD] >= rule->least)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    /* Nothing of nothing is not more than any multiple of it; whether it is less, nobody knows. */
    if (fresh == 0 && old == 0 && !rule->above) {
        return CANARY__JUDGE_UNKNOWN;
    }
    return compare(fresh, rule->threshold * old, rule->above);
}

int canary__point_says(const struct canary__rule_state *state, const struct canary__rule *rule) {
    const struct canary__reading *sum = canary__window_sum(state->window);
    double limit = rule->against == CANARY_AGAINST_BASELINE ? rule->threshold * state->baseline
                                                            : rule->threshold;

    if (rule->statistic == CANARY_STATISTIC_BURN) {
        return burn_says(state, rule);
    }
    if (rule->against == CANARY_AGAINST_OLD) {
        return old_says(sum, rule);
    }
    if (!(sum->n[rule->cohort] >= rule->least) || !(sum->n[rule->cohort] > 0)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    if (rule->statistic == CANARY_STATISTIC_QUANTILE) {
        return isnan(limit) ? CANARY__JUDGE_UNKNOWN : quantile_says(sum, rule);
    }
    return compare(canary__reading_value(sum, rule->statistic, rule->cohort), limit, rule->above);
}

void canary__point_follow(struct canary__rule_state *state, const struct canary__rule *rule,
                          int says, int64_t before_ns, int64_t now_ns) {
    int require = rule->action == CANARY_RULE_REQUIRE;

    if (says == CANARY__JUDGE_UNKNOWN) {
        /* Neither clears nor extends for longer than the window. */
        if (state->since_ns != 0) {
            state->unknown_ns = state->unknown_ns != 0 ? state->unknown_ns : before_ns;
            if (now_ns - state->unknown_ns > rule->window_ns) {
                state->since_ns = state->unknown_ns = 0;
            }
        }
        /* What is not known is never shown. */
        if (state->since_ns == 0 || require) {
            state->state = CANARY_STATE_UNKNOWN;
        }
        return;
    }
    state->unknown_ns = 0;
    if (says == CANARY__JUDGE_NO) {
        state->since_ns = 0;
        state->state = require ? CANARY_STATE_UNMET : CANARY_STATE_CLEAR;
        return;
    }
    state->since_ns = state->since_ns != 0 ? state->since_ns : now_ns;
    if (now_ns - state->since_ns >= rule->for_ns) {
        state->state = require ? CANARY_STATE_MET : CANARY_STATE_FIRING;
    } else {
        state->state = require ? CANARY_STATE_UNMET : CANARY_STATE_PENDING;
    }
}
