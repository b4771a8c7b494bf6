/* SPDX-License-Identifier: MIT */
/* What contexts had counted that were closed while others of the same rollout stay open: Prometheus takes a
 * number that falls for a new start, and would count the rest twice. Gone with the last context of the
 * rollout, and in a forked child, whose counters begin at 0. */
#ifndef CANARY__DEPARTED_H
#define CANARY__DEPARTED_H

#include "observe/observation.h"
#include "observe/scene.h"

struct canary__departed {
    struct canary__departed *next;
    char rollout[CANARY_NAME_MAX + 1];
    struct canary__scene_rollout counts; /* without a state, and nothing that is only now */
};

/* The context is in no list any more, and can still be asked. In canary__store_keep(). */
void canary__departed_leave(struct canary__follower *follower);
/* What became of figures that waited when it left. The context's locks are not held. */
void canary__departed_delivered(struct canary__observation *observation, const char *rollout,
                                const struct canary__delivered *since);
/* Adds what is kept to what is open. In canary__store_keep(). CANARY_E_NOMEM. */
int canary__departed_add(canary_store *store, struct canary__scene *scene);

/* In the child of fork(): it is the parent's. With the store's lock. */
void canary__departed_inherit(struct canary__observation *observation);
/* All of it; nobody uses the store any more. */
void canary__departed_free(struct canary__observation *observation);

#endif
