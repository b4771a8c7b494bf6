/* SPDX-License-Identifier: MIT */
/* The gate: a pure function from what is known to a verdict. */
#ifndef CANARY__JUDGE_GATE_H
#define CANARY__JUDGE_GATE_H

#include <canary/rollout.h>

#include "judge/state.h"

/* What surrounds the evidence: everything else that a verdict rests on. */
struct canary__scene {
    int64_t now_ns; /* real time */
    const canary_rollout *rollout;
    int64_t last_rollback_ns;    /* of this rollout, by anyone; 0 = none */
    int64_t last_opened_ns;      /* a circuit breaker of any process; 0 = none */
    uint32_t guard_rollbacks;    /* by guards since the policy was set */
    uint32_t approved;           /* 1: somebody approved the next advance of this generation */
    uint64_t approved_by_change; /* id of that change */
    uint32_t damaged;            /* rows of figures that were skipped */
    uint32_t clock;              /* 1: figures or changes from the future: a clock jumped */
    uint64_t dropped;            /* outcomes lost in this generation */
    double users_new;            /* sampled distinct users of this generation, for the ratio */
    double users_old;
    double estimated_new; /* estimates for people; NaN = none */
    double estimated_old;
};

/* The stage whose rules and dwell time are in force: rollout->stage, but 1 while somebody is exposed below
 * the first rung, at a percentage set by hand; there a release must be watched, too. 0 at 0 % only. It is
 * what canary__state_add() and canary__state_pass() are to be told. */
int canary__gate_stage(const canary_rollout *rollout);
/* When the time of the stage began: with the percentage, and anew where its flag was switched since, as
 * nobody lives through a stage behind a kill switch. */
int64_t canary__gate_since(const canary_rollout *rollout);

/* Fills `*out` and `results` (room for policy->rule_count), strings and messages included. `policy` NULL:
 * the verdict is HOLD, NO_POLICY. `state` is of this policy. Reads nothing else, changes nothing. */
void canary__gate(const struct canary_policy *policy, const struct canary__state *state,
                  const struct canary__scene *scene, canary_verdict *out,
                  canary_rule_result *results);

/* One sentence for a rule, and one for the verdict, made of what stands in it: a verdict that was filled
 * by hand (CANARY_CAUSE_ERROR) gets its sentence, too. `policy` may be NULL. */
void canary__gate_rule_message(canary_rule_result *result);
void canary__gate_message(const struct canary_policy *policy, const struct canary__scene *scene,
                          canary_verdict *verdict);

#endif
