/* SPDX-License-Identifier: MIT */
#include "judge/design_effect.h"

#include <math.h>

void canary__judge_split_start(struct canary__judge_split *split) {
    split->ticks = 0;
    split->squares = 0;
    canary__judge_evidence_start(&split->a_up);
    canary__judge_evidence_start(&split->b_up);
}

double canary__judge_split_effect(const struct canary__judge_split *split) {
    double effect = split->squares / split->ticks;

    if (!(split->ticks >= CANARY__JUDGE_EFFECT_LEAST) || !(effect >= 0) || isinf(effect)) {
        return NAN;
    }
    return effect > 1 ? effect : 1;
}

int canary__judge_split_add(struct canary__judge_split *split, struct canary__judge_share a,
                            struct canary__judge_share b, int planned) {
    const struct canary__judge_tick tick = { .fresh = a, .old = b };
    const struct canary__judge_tick turned = { .fresh = b, .old = a };
    double effect = canary__judge_split_effect(split);
    double m = a.k + b.k;
    double share = a.n / (a.n + b.n);
    struct canary__judge_step step;

    if (!canary__judge_share_is_possible(a) || !canary__judge_share_is_possible(b)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    if (a.n == 0 || b.n == 0) {
        return CANARY__JUDGE_NO;
    }
    if (canary__judge_step_above(&tick, 1, effect, &step) == CANARY__JUDGE_YES) {
        canary__judge_evidence_add(&split->a_up, &step, planned);
    }
    if (canary__judge_step_above(&turned, 1, effect, &step) == CANARY__JUDGE_YES) {
        canary__judge_evidence_add(&split->b_up, &step, planned);
    }
    if (m > 0) {
        double off = a.k - m * share;

        split->ticks += 1;
        split->squares += off * off / (m * share * (1 - share));
    }
    return CANARY__JUDGE_YES;
}

int canary__judge_split_differs(const struct canary__judge_split *split, double planned_ticks,
                                double alpha) {
    struct canary__judge_weight a;
    struct canary__judge_weight b;

    if (canary__judge_evidence_weigh(&split->a_up, planned_ticks, &a) != CANARY__JUDGE_YES ||
        canary__judge_evidence_weigh(&split->b_up, planned_ticks, &b) != CANARY__JUDGE_YES) {
        return CANARY__JUDGE_UNKNOWN;
    }
    return canary__judge_is_proven(a.ln_w > b.ln_w ? a.ln_w : b.ln_w, alpha / 2);
}

void canary__judge_split_save(const struct canary__judge_split *split,
                              double saved[CANARY__JUDGE_SPLIT_DOUBLES]) {
    saved[0] = split->ticks;
    saved[1] = split->squares;
    canary__judge_evidence_save(&split->a_up, saved + 2);
    canary__judge_evidence_save(&split->b_up, saved + 2 + CANARY__JUDGE_EVIDENCE_DOUBLES);
}

int canary__judge_split_restore(struct canary__judge_split *split,
                                const double saved[CANARY__JUDGE_SPLIT_DOUBLES]) {
    const double *second = saved + 2 + CANARY__JUDGE_EVIDENCE_DOUBLES;

    canary__judge_split_start(split);
    if (!(saved[0] >= 0) || !(saved[0] <= 0x1p53) || !(saved[1] >= 0) || isinf(saved[1]) ||
        canary__judge_evidence_restore(&split->a_up, saved + 2) != CANARY__JUDGE_YES ||
        canary__judge_evidence_restore(&split->b_up, second) != CANARY__JUDGE_YES) {
        canary__judge_split_start(split);
        return CANARY__JUDGE_UNKNOWN;
    }
    split->ticks = saved[0];
    split->squares = saved[1];
    return CANARY__JUDGE_YES;
}
