/* SPDX-License-Identifier: MIT */
#ifndef CANARY__OVERRIDES_H
#define CANARY__OVERRIDES_H

#include "control/edit.h"

/* Digest and counts of the overrides that stand in the store, into the row. */
int canary__overrides_count(struct canary__edit *edit, struct canary__rollout_row *row);

/* 1 in `*matches` when the overrides that stand in the store are the ones the row signs. Within any
 * transaction. */
int canary__overrides_verify(canary_store *store, void *transaction,
                             const struct canary__rollout_row *row, int *matches,
                             canary_error *error);

#endif
