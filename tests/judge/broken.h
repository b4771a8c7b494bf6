/* SPDX-License-Identifier: MIT */
/* What the tests of the circuit breaker share: a rollout at 50 % with a clock that only the test moves,
 * outcomes, and decisions to judge by. */
#ifndef TESTS_JUDGE_BROKEN_H
#define TESTS_JUDGE_BROKEN_H

#include "support.h"

#include <canary/breaker.h>
#include <canary/document.h>
#include <pthread.h>
#include <stdatomic.h>

#define BROKEN_ROLLOUT "broken"
#define BROKEN_WINDOW INT64_C(100000000) /* 100 ms: the machine's clock makes a look of 5 ms */
#define BROKEN_STEP (BROKEN_WINDOW / 20)
#define BROKEN_OPEN INT64_C(1000000000)

struct broken {
    canary_store *store;
    canary_ctx *ctx;
    canary_breaker *breaker;
    canary_breaker_options options;
    atomic_llong realtime;
    atomic_llong monotonic;
    atomic_int looks;     /* times that the breaker's thread asked what time it is */
    atomic_int hold;      /* 1: its next question waits until 0; it answers with a 2 that it does */
    atomic_int states[4]; /* calls of the callback, by state */
    atomic_int bad_calls; /* with a state or message that cannot be */
    atomic_int warnings;  /* lines in the log about a store that cannot be told */
    char first[32];       /* users by bucket: below 1 %, */
    char early[32];       /* 1 to 5 %, */
    char later[32];       /* 5 to 50 %, */
    char last[32];        /* 50 to 100 % */
};

/* In memory, at 50 %; no breaker is started. */
struct broken *broken_in_memory(void);
/* In steps, for another store: clocks and users; its hooks; and the rollout, once it is open. */
struct broken *broken_new(void);
void broken_hooks(struct broken *broken, canary_options *options);
struct broken *broken_on(struct broken *broken, canary_store *store);
void broken_free(struct broken *broken);

/* Starts a breaker with `broken->options`: BROKEN_WINDOW, BROKEN_OPEN, 5 % half open, else defaults. */
void broken_start(struct broken *broken);

/* `failures` of `outcomes` of a cohort end in an error or, every other one, in a timeout. */
void broken_record(struct broken *broken, int cohort, int outcomes, int failures);

/* Returns when the thread has looked, and acted, after all that was done before. */
void broken_look(struct broken *broken);
/* Moves the clocks, and looks. */
void broken_pass(struct broken *broken, int64_t ns);

/* The thread has no time for a look; what it has begun to look at is from before. */
void broken_hold(struct broken *broken);
void broken_release(struct broken *broken);

/* 1 when exactly the users below `bp` basis points get new, of 0, 100, 500, 5000 and 10000. */
int broken_serves(struct broken *broken, unsigned bp);

canary_breaker_info broken_info(struct broken *broken);
int broken_state(struct broken *broken);

/* Documents of breakers in the store. */
int broken_documents(canary_store *store);

#endif
