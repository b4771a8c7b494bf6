/* SPDX-License-Identifier: MIT */
/* The state of a rollout in words and as JSON; what list, status, watch and changes have in common.
 */
#ifndef CTL_STATE_H
#define CTL_STATE_H

#include "text.h"

#include <canary/canary.h>

#include <jansson.h>

/* {size} set, everything else 0. */
#define STATE_ROLLOUT_INIT                                                                         \
    { .size = (uint32_t)sizeof(canary_rollout) }

/* Adds "25 % configured, 0 % effective: flag x is off since ... by ...", coloured on a terminal. */
void state_exposure(const canary_rollout *state, struct text *out);
/* Adds why less than configured is effective, "" when nothing lowers it. */
void state_reasons(const canary_rollout *state, struct text *out);
/* Adds the lines of `status`. */
void state_describe(const canary_rollout *state, struct text *out);
/* Whether a kill reaches the services. CANARY_KILL in this environment reaches this program only:
 * what it would say of users is not what happens to them. */
bool state_killed_everywhere(const canary_rollout *state);
/* What is in effect for the services, then. */
uint32_t state_effective_elsewhere(const canary_rollout *state);

/* The object of `status`. */
json_t *state_json(const canary_rollout *state);

/* Sets of CANARY_KILL_ and CANARY_DOUBT_ bits as arrays of words. */
json_t *state_kill_words(uint32_t reasons);
json_t *state_doubt_words(uint32_t doubt);
/* The same as text: "flag, environment". */
void state_kill_text(uint32_t reasons, struct text *out);
void state_doubt_text(uint32_t doubt, struct text *out);

#endif
