/* SPDX-License-Identifier: MIT */
/* One set of fork handlers for the whole library, and the list of what they look after. */
#ifndef CANARY__FORK_H
#define CANARY__FORK_H

#include <canary/error.h>

/* Embedded in what must be at rest while the process forks. */
struct canary__fork_member {
    struct canary__fork_member *next;
    struct canary__fork_member *previous;
    void (*prepare)(struct canary__fork_member *member); /* lock; the forking thread */
    void (*parent)(struct canary__fork_member *member);  /* unlock */
    void (*child)(struct canary__fork_member *member);   /* make the lock anew */
    int patient;                                         /* see canary__fork_patient() */
};

/* Lock order: the list's own lock before any member's. Join and leave must therefore not be called
 * with a member's lock held. */
int canary__fork_join(struct canary__fork_member *member, canary_error *error);
void canary__fork_leave(struct canary__fork_member *member);

/* A member whose lock may be held for long: is prepared before all others, so that none of these is held
 * while it is waited for. */
void canary__fork_patient(struct canary__fork_member *member);

#endif
