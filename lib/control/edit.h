/* SPDX-License-Identifier: MIT */
/* A change under way: one write transaction, the checks every change makes, the row in the
 * trail, and what follows a commit. */
#ifndef CANARY__EDIT_H
#define CANARY__EDIT_H

#include "control/news.h"
#include "control/store.h"

struct canary__edit {
    canary_store *store;
    canary_error *error; /* never NULL: stores are promised one */
    canary_error unheard;
    canary_change_options options;
    void *transaction;
    struct canary__change_row head; /* newest of the trail; after append the row just written */
    uint64_t rolled_back; /* revision of the bell's recorded rollback when this was asked for */
    int rearm;            /* a rung rollback would be forgotten by this commit */
    int moves; /* set by who changes nothing but percentage, rung and phase: the bell may tell it */
    int newsworthy; /* `news` holds what it may tell */
    struct canary__news news;
};

/* Checks the arguments every change has, then begins. On success the store's lock is held until
 * canary__edit_end(). `rollout` and `flag` may be NULL where there is none. */
int canary__edit_begin(struct canary__edit *edit, canary_store *store, const char *rollout,
                       const canary_change_options *options, canary_error *error);

/* What canary__edit_begin() checks, for those who must act before. */
int canary__edit_admit(struct canary__edit *edit, canary_store *store, const char *rollout,
                       const canary_change_options *options, canary_error *error);
/* The transaction only. */
int canary__edit_start(struct canary__edit *edit);

/* Reads the rollout and compares it with what the caller expects. */
int canary__edit_load(struct canary__edit *edit, const char *rollout,
                      struct canary__rollout_row *row);
int canary__edit_expect(struct canary__edit *edit, const struct canary__rollout_row *row);

/* May this rollout's exposure be raised? Not in doubt, and not while a rollback is rung. */
int canary__edit_may_raise(struct canary__edit *edit, const struct canary__rollout_row *row);

/* Of a row that was raised outside, the trail is to say where exposure really came from: puts that in. */
int canary__edit_believe(struct canary__edit *edit, struct canary__rollout_row *row);

/* The same as a row of the trail that tells something else than a percentage: flag or word. Of a row that
 * was raised outside it repeats what the trail said before, so that nobody takes it for recorded. */
int canary__edit_remark(struct canary__edit *edit, struct canary__rollout_row *row,
                        const char *action, const char *flag);

/* Writes the rollout's new state and its row of the trail. `row` gets its next revision here. */
int canary__edit_write(struct canary__edit *edit, struct canary__rollout_row *row,
                       const struct canary__rollout_row *before, const char *action,
                       const char *flag, uint32_t user_hash);

/* Appends a row to the trail. */
int canary__edit_append(struct canary__edit *edit, const struct canary__rollout_row *row,
                        const struct canary__rollout_row *before, const char *action,
                        const char *flag, uint32_t user_hash);

/* Commits when `code` is 0 and this is no dry run, else undoes; then rings, brings this process
 * up to date, and lets go of the lock. Answers what became of it. */
int canary__edit_end(struct canary__edit *edit, int code, canary_change *out);

/* Nanoseconds since the epoch as RFC 3339, UTC, seconds. `out` holds 32 bytes. */
void canary__edit_time(int64_t ns, char *out);

#endif
