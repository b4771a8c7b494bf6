/* SPDX-License-Identifier: MIT */
#include "ours.h"

#include <math.h>

int ours_look(struct ours *ours, double effect, const struct release *release,
              const struct release_tick *tick) {
    const struct release_pace *pace = release->pace;
    int planned = pace->step > 0 ? pace->ticks : pace->ticks / RELEASE_STAGES;
    struct canary__judge_weight weight;
    struct canary__judge_step step;

    if (tick->begins) {
        canary__judge_evidence_start(&ours->evidence);
    }
    if (canary__judge_step_above(&tick->cohorts, ours->margin, effect, &step) !=
        CANARY__JUDGE_YES) {
        return 0;
    }
    canary__judge_evidence_add(&ours->evidence, &step, 1);
    canary__judge_evidence_weigh(&ours->evidence, planned, &weight);
    return canary__judge_is_proven(weight.ln_w, OURS_ALPHA) == CANARY__JUDGE_YES;
}

void ours_before(struct canary__judge_split *split, struct release *release) {
    struct release_tick tick;

    canary__judge_split_start(split);
    for (int t = 0; t < RELEASE_HOUR; t++) {
        release_before(release, &tick);
        canary__judge_split_add(split, tick.halves[0], tick.halves[1], 1);
    }
}

double ours_most(int runs) {
    return OURS_ALPHA + 3 * sqrt(OURS_ALPHA * (1 - OURS_ALPHA) / runs);
}
