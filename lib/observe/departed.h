/* SPDX-License-Identifier: MIT */
/* What contexts had counted that were closed while others of the same rollout stay open: Prometheus takes a
 * number that falls for a new start, and would count the rest twice. Gone with the last context of the
 * rollout, and in a forked child, whose counters begin at 0.
 *
 * Records come, change and go in canary__store_keep() and with the store's lock, which a fork finds held;
 * to read them either is enough. */
#ifndef CANARY__DEPARTED_H
#define CANARY__DEPARTED_H

#include "observe/observation.h"
#include "observe/scene.h"

struct canary__departed {
    struct canary__departed *next;
    uint64_t serial; /* tells it from one of the same rollout that was there before; not 0 */
    char rollout[CANARY_NAME_MAX + 1];
    struct canary__scene_rollout counts; /* without a state, and nothing that is only now */
};

/* The context is in no list any more, and can still be asked. In canary__store_keep(). */
void canary__departed_leave(struct canary__follower *follower, int others);
/* What became of figures that waited when it left, unless its record has gone. No lock is held. */
void canary__departed_delivered(struct canary__observation *observation,
                                const struct canary__follower *follower,
                                const struct canary__delivered *since);
/* Adds what is kept to what is open. In canary__store_keep(). CANARY_E_NOMEM. */
int canary__departed_add(canary_store *store, struct canary__scene *scene);

/* In the child of fork(): it is the parent's. With the store's lock. */
void canary__departed_inherit(struct canary__observation *observation);
/* Frees what a parent left. With the lock `flush`. */
void canary__departed_disinherit(struct canary__observation *observation);
/* Frees the rest; nobody uses the store any more. */
void canary__departed_free(struct canary__observation *observation);

#endif
