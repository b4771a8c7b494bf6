/* SPDX-License-Identifier: MIT */
/* Figures on their way from the recorders to the measurement store.
 *
 *     observation  the state of a store, its life, and what control tells
 *     departed     counts of contexts that were closed
 *     parcels      gathered figures of each context, waiting
 *     flush        parcels into the measurement store, once and only once
 *     flusher      the thread that does so every ten seconds
 *     retain       merging of old rows into coarser ones
 *     merge        rows of the measurement store
 *     generation   which change a revision belongs to
 *
 * Locks, outermost first: `flush`; canary__store_keep(); the decision store's lock; an observer's lock.
 * None is held while the measurement store is waited for but `flush`, for which fork() and changes never
 * wait. A fork finds the decision store's lock and the observers' taken by its handler, so that in the
 * child every list is whole; what was pending there is the parent's, and is let go. */
#ifndef CANARY__OBSERVATION_H
#define CANARY__OBSERVATION_H

#include <pthread.h>

#include "observe/merge.h"

/* Gathered figures of one context and one time. */
struct canary__parcel {
    struct canary__parcel *next;
    int64_t start_ns;    /* of the tick it belongs to, real time */
    uint64_t revision;   /* shown when the first of it was recorded */
    uint64_t generation; /* of that revision; 0 = not looked up yet */
    uint64_t sequence;   /* of the last delivery that it may have arrived with; 0 = none */
    uint64_t outcomes;
    uint64_t refused; /* by the row it was merged into, if that comes to be committed */
    size_t bytes;
    struct canary__sheet sheet; /* under generation 0 until that is known */
    struct canary__sample users[2];
};

/* What became of outcomes of one context. */
struct canary__delivered {
    uint64_t merged;  /* outcomes */
    uint64_t dropped; /* outcomes: too many to keep, or not merged before it was closed */
    uint64_t refused; /* events of metrics that others declared differently */
    uint32_t coarsened;
    uint32_t reserved;
};

/* What of one context waits. Under its observer's lock; parcels leave the list, and are changed, only
 * under the lock `flush` as well. */
struct canary__pending {
    struct canary__pending *next; /* list: under the store's lock */
    struct canary__follower *follower;
    struct canary__observer *observer;
    uint64_t revision;   /* to which belongs what is recorded now */
    uint32_t sampled;    /* users that were added when samples were taken last */
    int resample;        /* take them whatever `sampled` says */
    int gathered;        /* at least once: */
    int64_t gathered_at; /* monotonic time of the last */
    struct canary__parcel *first;
    struct canary__parcel **end;
    size_t bytes;
    uint32_t waiting;
    struct canary__delivered delivered;
    struct canary__delivered told; /* `delivered` when the context left */
    uint64_t known_revision;       /* the last one whose generation was looked up */
    uint64_t known_generation;
    uint32_t ready;      /* parcels at the head of the list that are being delivered */
    int closing;         /* this delivery is its last */
    uint32_t complained; /* set of metrics that this was logged of */
};

/* What of a store must not be inherited. */
struct canary__observation_page {
    pthread_mutex_t flush;   /* gathering and delivering */
    pthread_mutex_t opening; /* the measurement store */
    pthread_mutex_t report;  /* the last line of fields; innermost */
    _Atomic(uint32_t) thread_started;
    uint32_t stop; /* futex word; 1 ends the thread */
    pthread_t thread;
    uint32_t alive;    /* 1 once this process uses it; under the store's lock */
    char writer[33];   /* a random name of this process; "" = none yet */
    uint64_t sequence; /* of its last delivery */
    int ungathered;    /* 1 when the last gathering left something with the recorders */
    int64_t real_at;   /* both clocks at the last gathering; `clocks` 1 = they are set */
    int64_t monotonic_at;
    int clocks;
    int64_t jumped_at;   /* monotonic time of the last jump; valid when `clock_jumps` is not 0 */
    int retained;        /* nothing was left to do at: */
    int64_t retained_at; /* monotonic time of the last look at old rows */
    char rollout[CANARY_NAME_MAX + 1]; /* after which the next look goes on */

    uint64_t flushes;
    int64_t flushed_at;
    int64_t flush_ns;
    uint32_t clock_jumps;
    int32_t last_error;
    char last_message[496];
    int gave_up;        /* a context was closed before what it had was merged: */
    int64_t gave_up_at; /* monotonic time of the last */
};

/* Of one store. Kept over fork. */
struct canary__observation {
    canary_store *store;
    struct canary__observation_page *page;
    _Atomic(canary_store *) measurements[2];  /* by `create` */
    struct canary__pending *pendings;         /* valid while page->alive */
    struct canary__pending *inherited;        /* a parent's: to be freed */
    struct canary__departed *departed;        /* valid while page->alive; see departed.h */
    struct canary__departed *departed_before; /* a parent's: to be freed */
    uint64_t departed_serial;                 /* of the last record; with the store's lock */
};

/* Told by recorders when they have counted something for the first time in a process, and by whoever
 * makes an observer; any number of times. Wait-free. */
void canary__observation_attach(canary_store *store);

/* The state of a store, made when there is none; NULL without memory. Any thread. */
struct canary__observation *canary__observation_of(canary_store *store);

/* Whether anything was recorded in this process. */
int canary__observation_records(const struct canary__follower *follower);
/* Whether its figures can be merged anywhere. */
int canary__observation_delivers(const canary_store *store);
/* What canary_recording() tells, and what was counted, into an empty sheet. With `leaves` what is delivered
 * later comes on top, for a context that is being closed. CANARY_E_NOMEM. */
int canary__observation_take(canary_ctx *ctx, int leaves, canary_recording_info *info,
                             struct canary__sheet *totals);
/* The list of what waits; contexts leave it only under the lock `flush`. With the store's lock. */
struct canary__pending *canary__observation_pendings(struct canary__observation *observation);
/* Frees what a parent left. With the lock `flush`. */
void canary__observation_disinherit(struct canary__observation *observation);

/* -- parcels -- */

/* What waits of one context; NULL without memory. With the store's lock. */
struct canary__pending *canary__parcels_pending(struct canary__observation *observation,
                                                struct canary__follower *follower,
                                                uint64_t revision);
/* Gathers what every context recorded into parcels, keeps their number in bounds, and answers the list
 * of contexts; `ungathered` tells whether there was memory for all of it. With the lock `flush`. */
struct canary__pending *canary__parcels_gather(struct canary__observation *observation);
/* Gathers at a change of generation, `revision` being the one that was in effect. With the store's
 * lock. */
void canary__parcels_cut(struct canary__follower *follower, uint64_t revision);
/* Takes the parcel at `*place` out of the list. */
struct canary__parcel *canary__parcels_take(struct canary__pending *pending,
                                            struct canary__parcel **place);
void canary__parcel_free(const struct canary__hooks *hooks, struct canary__parcel *parcel);
/* All of a context, which is in no list any more. */
void canary__parcels_free(const struct canary__hooks *hooks, struct canary__pending *pending);

/* -- flush -- */

#define CANARY__FLUSH_GATHER 1 /* what was recorded until now, too */
#define CANARY__FLUSH_ONCE 2 /* tries once, instead of asking until the busy timeout or the stop */

/* Delivers what waits. `how` is a set of the above. */
int canary__flush(struct canary__observation *observation, int how, canary_error *error);

/* -- flusher -- */

/* Starts the thread unless there is one, or the store wants none. By the watcher alone. */
void canary__flusher_start(struct canary__observation *observation);
void canary__flusher_stop(struct canary__observation *observation);
int canary__flusher_stopped(const struct canary__observation *observation);

/* -- retain -- */

/* Merges some old rows into coarser ones, where it is time to look for them. With the lock `flush`. */
void canary__retain(struct canary__observation *observation, canary_store *measurements);
/* The same at the time `now_ns`: at most about `most` rows, of the rollouts that come after `rollout`
 * by name (CANARY_NAME_MAX + 1 bytes), which becomes the last one looked at, or "" at the end. One
 * transaction, begun once. Answers in `*moved` how many rows were taken away. */
int canary__retain_some(canary_store *measurements, int64_t now_ns, uint32_t most, char *rollout,
                        uint32_t *moved, canary_error *error);

#endif
