/* SPDX-License-Identifier: MIT */
/* Steps of a refresh, for one follower each. All under the store's lock. */
#ifndef CANARY__FOLLOW_H
#define CANARY__FOLLOW_H

#include "control/store.h"

/* Takes what the bell says about this rollout. */
void canary__follow_bell(struct canary__follower *follower, const struct canary__bell_image *image);

/* Reads the rollout and its flag and settles what is believed of them. In a hurry what was verified
 * before and is the same still is not verified again. */
int canary__follow_rows(struct canary__follower *follower, void *transaction, int hurried,
                        canary_error *error);

/* Reads the overrides when they moved, or with `always`. */
int canary__follow_pins(struct canary__follower *follower, void *transaction, int always,
                        canary_error *error);

/* Publishes what is believed now, if it differs from what is shown. */
void canary__follow_publish(struct canary__follower *follower, int source);

/* Set of CANARY_KILL_..., local and hook excepted. */
uint32_t canary__follow_kills(const struct canary__follower *follower);
uint32_t canary__follow_doubt(const struct canary__follower *follower);

#endif
