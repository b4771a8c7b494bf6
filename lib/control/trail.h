/* SPDX-License-Identifier: MIT */
/* What the trail says of rows that are signed well, but may be old ones put back by hand. */
#ifndef CANARY__TRAIL_H
#define CANARY__TRAIL_H

#include "control/row.h"

/* Is this the state that the rollout's last change recorded? */
int canary__trail_holds(const canary_storage_methods *methods, void *transaction,
                        const struct canary__rollout_row *row, int *holds, canary_error *error);

/* Is this flag on, but older than the switch that put it off? */
int canary__trail_denies(const canary_storage_methods *methods, void *transaction,
                         const struct canary__flag_row *flag, int *denies, canary_error *error);

/* What the trail knows of a rollout's present state. */
struct canary__standing {
    uint64_t generation; /* revision that set the percentage; the row's own when no change tells */
    int64_t
        generation_at; /* the row's time when the trail was edited: rather too late than too early */
    uint64_t policy_revision; /* of the newest change "policy"; 0 without a policy */
};
int canary__trail_standing(const canary_storage_methods *methods, void *transaction,
                           const struct canary__rollout_row *row, struct canary__standing *standing,
                           canary_error *error);

/* When an operator last accepted what stands in the store, for this rollout or with NULL for any;
 * INT64_MIN for never. */
int canary__trail_accepted(const canary_storage_methods *methods, void *transaction,
                           const char *rollout, int64_t *at_ns, canary_error *error);

#endif
