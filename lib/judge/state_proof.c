/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "judge/state_parts.h"

/* Outcomes of the old cohort before its F1 is known well enough to ask about a multiple of it. */
static const double f1_least = 100;
/* As an evidence: what -log() of the smallest double is. */
static const double ln_most = 744;

void canary__proof_start(struct canary__proof *proof) {
    double known = proof->known;

    memset(proof, 0, sizeof *proof);
    canary__judge_evidence_start(&proof->evidence);
    canary__judge_curve_start(&proof->curve);
    proof->highest_ln_w = -INFINITY;
    canary__judge_ends_start(&proof->ends);
    /* Of the old cohort, which a new percentage does not change. */
    proof->known = known;
}

struct canary__above canary__proof_above(const struct canary__proof *proof,
                                         const struct canary__rule *rule) {
    struct canary__above above = { { NAN, NAN }, { 0, 0 } };

    /* In doubt what is to be proven is not so: of "above" count what surely is above, of "below" what may
     * be. The old cohort's is the end of a bucket, and exact. */
    above.most[CANARY_NEW] = !rule->above;
    if (rule->against == CANARY_AGAINST_OLD) {
        above.seconds[CANARY_OLD] = proof->known;
        above.seconds[CANARY_NEW] = proof->known * rule->threshold;
    } else {
        above.seconds[CANARY_OLD] = above.seconds[CANARY_NEW] = rule->threshold;
        above.most[CANARY_OLD] = !rule->above;
    }
    return above;
}

/* The rate that a limit of the statistic stands for. */
static double rate_of_limit(const struct canary__rule *rule) {
    switch (rule->statistic) {
    case CANARY_STATISTIC_QUANTILE:
        return 1 - rule->quantile;
    case CANARY_STATISTIC_F1:
        return rule->threshold / (2 - rule->threshold);
    default:
        return rule->threshold;
    }
}

/* The ratio of rates that a ratio of the statistic stands for. */
static double margin_of_ratio(const struct canary__proof *proof, const struct canary__rule *rule) {
    double c = rule->threshold;

    switch (rule->statistic) {
    case CANARY_STATISTIC_QUANTILE:
        return 1;
    case CANARY_STATISTIC_F1:
        /* q = F/(2-F), of the new one at the margin and of the old one. */
        return proof->known > 0 ? c * (2 - proof->known) / (2 - c * proof->known) : NAN;
    default:
        return c;
    }
}

int canary__proof_has_curve(const struct canary__rule *rule) {
    return rule->against == CANARY_AGAINST_OLD && rule->statistic != CANARY_STATISTIC_MEAN &&
           rule->statistic != CANARY_STATISTIC_QUANTILE;
}

/* Of what happens less often: alternatives are multiples of the limit, and below 92 % the next one is
 * 84 %; whatever lies between would never be proven. Above 8 % the next one is 8.8 %. */
static int step_of_limit(const struct canary__rule *rule, double effect,
                         const struct canary__judge_share *share, struct canary__judge_step *step) {
    struct canary__judge_share counted = *share;
    double limit = rate_of_limit(rule);
    int above = rule->above;

    if (limit > 0.5) {
        counted.k = share->n - share->k;
        limit = 1 - limit;
        above = !above;
    }
    return above ? canary__judge_step_over(counted, limit, effect, step)
                 : canary__judge_step_under(counted, limit, effect, step);
}

static int step_of(const struct canary__proof *proof, const struct canary__rule *rule,
                   double effect, const struct canary__judge_tick *tick,
                   struct canary__judge_step *step) {
    double margin = margin_of_ratio(proof, rule);

    if (rule->against != CANARY_AGAINST_OLD) {
        return step_of_limit(rule, effect, rule->cohort == CANARY_OLD ? &tick->old : &tick->fresh,
                             step);
    }
    /* Nothing is known of the old cohort's F1 yet, so nothing can be asked; the tick is none the worse. */
    if (isnan(margin) && effect >= 1) {
        return CANARY__JUDGE_NO;
    }
    return rule->above ? canary__judge_step_above(tick, margin, effect, step)
                       : canary__judge_step_below(tick, margin, effect, step);
}

static void know_f1(struct canary__proof *proof, const struct canary__rule *rule) {
    const struct canary__totals *totals = &proof->totals;

    if (rule->statistic == CANARY_STATISTIC_F1 && totals->n_old >= f1_least) {
        proof->known = 2 * totals->k_old / (totals->n_old + totals->k_old);
    }
}

static int add_values(struct canary__proof *proof, const struct canary__reading *reading) {
    if (isnan(reading->squares[CANARY_OLD]) || isnan(reading->squares[CANARY_NEW])) {
        return CANARY__JUDGE_UNKNOWN;
    }
    proof->totals.n_new += reading->n[CANARY_NEW];
    proof->totals.n_old += reading->n[CANARY_OLD];
    proof->fresh.n += reading->n[CANARY_NEW];
    proof->fresh.sum += reading->x[CANARY_NEW];
    proof->fresh.squares += reading->squares[CANARY_NEW];
    proof->old.n += reading->n[CANARY_OLD];
    proof->old.sum += reading->x[CANARY_OLD];
    proof->old.squares += reading->squares[CANARY_OLD];
    return CANARY__JUDGE_YES;
}

static int add_counts(struct canary__proof *proof, const struct canary__rule *rule,
                      double planned_ticks, double effect, const struct canary__reading *reading) {
    const struct canary__judge_tick tick = {
        .fresh = { reading->n[CANARY_NEW], reading->x[CANARY_NEW] },
        .old = { reading->n[CANARY_OLD], reading->x[CANARY_OLD] },
    };
    struct canary__judge_step step;
    int said = step_of(proof, rule, effect, &tick, &step);

    proof->totals.n_new += tick.fresh.n;
    proof->totals.n_old += tick.old.n;
    proof->totals.k_new += tick.fresh.k;
    proof->totals.k_old += tick.old.k;
    if (said == CANARY__JUDGE_YES) {
        canary__judge_evidence_add(&proof->evidence, &step, proof->ticks < planned_ticks);
        if (canary__proof_has_curve(rule)) {
            canary__judge_curve_add(&proof->curve, &tick, effect);
            canary__judge_curve_ends(&proof->curve, rule->alpha, &proof->ends);
        }
    }
    know_f1(proof, rule);
    return said;
}

int canary__proof_add(struct canary__proof *proof, const struct canary__rule *rule,
                      double planned_ticks, double effect, const struct canary__reading *reading) {
    struct canary__judge_weight weight;
    int said = rule->statistic == CANARY_STATISTIC_MEAN
                   ? add_values(proof, reading)
                   : add_counts(proof, rule, planned_ticks, effect, reading);

    if (said == CANARY__JUDGE_YES) {
        proof->ticks += 1;
        if (canary__proof_weigh(proof, rule, planned_ticks, effect, &weight) == CANARY__JUDGE_YES &&
            weight.ln_w > proof->highest_ln_w) {
            proof->highest_ln_w = weight.ln_w;
        }
    }
    return said;
}

static int weigh_means(const struct canary__proof *proof, const struct canary__rule *rule,
                       double effect, struct canary__judge_weight *weight) {
    const struct canary__judge_stratum stratum = { .fresh = proof->fresh, .old = proof->old };
    const struct canary__judge_means_question question = {
        .factor = rule->threshold,
        .offset = 0,
        .alpha = rule->alpha,
        .best_n = CANARY__MEANS_BEST_N,
        .effect = effect,
    };
    struct canary__judge_means_answer answer;
    int said = canary__judge_means(&stratum, 1, &question, rule->above ? 1 : -1, &answer);
    double ln = -log(answer.p);

    if (said == CANARY__JUDGE_UNKNOWN || isnan(ln)) {
        weight->ln_e = weight->ln_m = weight->ln_w = NAN;
        return CANARY__JUDGE_UNKNOWN;
    }
    /* A sequence knows of no late change: one number for all three. */
    weight->ln_e = weight->ln_m = weight->ln_w = ln < ln_most ? ln : ln_most;
    return CANARY__JUDGE_YES;
}

int canary__proof_weigh(const struct canary__proof *proof, const struct canary__rule *rule,
                        double planned_ticks, double effect, struct canary__judge_weight *weight) {
    return rule->statistic == CANARY_STATISTIC_MEAN
               ? weigh_means(proof, rule, effect, weight)
               : canary__judge_evidence_weigh(&proof->evidence, planned_ticks, weight);
}

int canary__proof_says(const struct canary__proof *proof, const struct canary__rule *rule,
                       double planned_ticks, double effect) {
    const struct canary__totals *totals = &proof->totals;
    int against_old = rule->against == CANARY_AGAINST_OLD;
    double n = against_old || rule->cohort == CANARY_NEW ? totals->n_new : totals->n_old;
    struct canary__judge_weight weight;

    if (!(n >= rule->least) || !(n > 0) || (against_old && !(totals->n_old > 0))) {
        return CANARY__JUDGE_UNKNOWN;
    }
    /* What was proven at any time of this generation is; for an advance only what is so now. */
    if (rule->action != CANARY_RULE_REQUIRE &&
        canary__judge_is_proven(proof->highest_ln_w, rule->alpha) == CANARY__JUDGE_YES) {
        return CANARY__JUDGE_YES;
    }
    if (!(effect >= 1) ||
        canary__proof_weigh(proof, rule, planned_ticks, effect, &weight) != CANARY__JUDGE_YES) {
        return CANARY__JUDGE_UNKNOWN;
    }
    return rule->action == CANARY_RULE_REQUIRE ? canary__judge_is_proven(weight.ln_e, rule->alpha)
                                               : CANARY__JUDGE_NO;
}

void canary__proof_follow(struct canary__rule_state *state, const struct canary__rule *rule,
                          int says, int usable, int64_t now_ns) {
    int require = rule->action == CANARY_RULE_REQUIRE;

    state->unknown_ns = 0;
    if (says == CANARY__JUDGE_YES && (usable || !require)) {
        state->since_ns = state->since_ns != 0 ? state->since_ns : now_ns;
        state->state = require ? CANARY_STATE_MET : CANARY_STATE_FIRING;
        return;
    }
    state->since_ns = 0;
    if (says == CANARY__JUDGE_NO && usable) {
        state->state = require ? CANARY_STATE_UNMET : CANARY_STATE_CLEAR;
    } else {
        state->state = CANARY_STATE_UNKNOWN;
    }
}
