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

/* When an operator last accepted what stands in the store, for this rollout or with NULL for any;
 * INT64_MIN for never. */
int canary__trail_accepted(const canary_storage_methods *methods, void *transaction,
                           const char *rollout, int64_t *at_ns, canary_error *error);

#endif
