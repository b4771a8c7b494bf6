/* SPDX-License-Identifier: MIT */
/* What the files of the state share. */
#ifndef CANARY__JUDGE_STATE_PARTS_H
#define CANARY__JUDGE_STATE_PARTS_H

#include "judge/burn.h"
#include "judge/state.h"
#include "judge/window.h"

/* Planned ticks of the self-test: a day, then it goes on without looking for late changes. */
#define CANARY__SELF_TEST_TICKS 8640.0
/* Chance that the self-test takes one cohort for two, which costs all rollbacks by evidence. */
#define CANARY__SELF_TEST_ALPHA 0.01

/* Values of both arms together after which means' sequences are tightest. It may not depend on what is
 * seen; at a tenth and at ten times as many they are wider by less than a third. The default of gbstats. */
#define CANARY__MEANS_BEST_N 5000.0

/* -- state_proof.c: evidence of one rule -- */

void canary__proof_start(struct canary__proof *proof);
/* Adds what a tick said. NO: it tells nothing; UNKNOWN: it could not be used. */
int canary__proof_add(struct canary__proof *proof, const struct canary__rule *rule,
                      double planned_ticks, double effect, const struct canary__reading *reading);
/* ln of the evidence as it stands. UNKNOWN with too little for any. */
int canary__proof_weigh(const struct canary__proof *proof, const struct canary__rule *rule,
                        double planned_ticks, double effect, struct canary__judge_weight *weight);
/* Is it so: proven and enough outcomes? */
int canary__proof_says(const struct canary__proof *proof, const struct canary__rule *rule,
                       double planned_ticks, double effect);
/* Whether an interval of the ratio comes with it. Of F1 the curve is that of q. Of quantiles it would be
 * that of how many are above, from which no ratio of the quantiles follows. */
int canary__proof_has_curve(const struct canary__rule *rule);
/* The durations that a tick is asked about, by what was known before it. */
struct canary__above canary__proof_above(const struct canary__proof *proof,
                                         const struct canary__rule *rule);

/* -- state_halves.c: what the old cohort says about itself -- */

int canary__halves_open(const struct canary_policy *policy, struct canary__state *state);
/* Adds a tick of any generation, when it is newer than all that were added. */
void canary__halves_add(struct canary__state *state, const struct canary__tick *tick);
/* A generation begins. */
void canary__halves_begin(struct canary__state *state);
/* Tells rules about quantiles what the old cohort's is. */
void canary__halves_know(struct canary__state *state, const struct canary_policy *policy);
/* Design effect for a rule as known now; NaN = not yet. */
double canary__state_effect(const struct canary__state *state, const struct canary_policy *policy,
                            const struct canary__rule *rule);

/* -- state_point.c: rules of proof POINT -- */

/* The durations that a tick is asked about. */
struct canary__above canary__point_above(const struct canary__rule_state *state,
                                         const struct canary__rule *rule);
/* Is it so, in the window as it stands? */
int canary__point_says(const struct canary__rule_state *state, const struct canary__rule *rule);
/* The answer of one tick, or of time that went by since `before_ns`, into the rule's state. */
void canary__point_follow(struct canary__rule_state *state, const struct canary__rule *rule,
                          int says, int64_t before_ns, int64_t now_ns);
/* What is proven, into the rule's state; `usable` 0: the tick could not be used. */
void canary__proof_follow(struct canary__rule_state *state, const struct canary__rule *rule,
                          int says, int usable, int64_t now_ns);

#endif
