/* SPDX-License-Identifier: MIT */
/* Changes that lower exposure before they wait for the store: rollbacks and emergencies. */
#ifndef CANARY__LOWER_H
#define CANARY__LOWER_H

#include "control/edit.h"

struct canary__lowering {
    const char *rollout;
    const char *action;
    const char *phase; /* NULL: the rung's name */
    int stage;         /* rung to go down to, or -1: `to_bp` */
    uint32_t to_bp;    /* used when `stage` is -1 */
    uint32_t cap_bp;   /* what to hold everybody at until the change is recorded */

    struct canary__bell_entry
        found;   /* in the bell before, zeros for none; a pending one holds until */
    int pending; /* a rollback is recorded */
    int rung;    /* the bell has it */
    int local;   /* this process has it */
};

/* `edit` is admitted, not begun. */
int canary__lower(struct canary__edit *edit, struct canary__lowering *lowering, canary_change *out);

/* Puts a percentage into a row: rung and phase follow. */
void canary__lower_move(struct canary__rollout_row *row, uint32_t percentage_bp, const char *phase);

#endif
