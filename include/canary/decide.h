/* SPDX-License-Identifier: MIT */
/* Decisions: new path or old path for one user, now.
 *
 * Every call here may be made from any thread between open and close, at the same time as any
 * other, from threads the library has never seen and from signal handlers. None takes a lock,
 * allocates, or makes a system call. In doubt the answer is `old`.
 *
 * The order of reasons, first match wins:
 *   1 INVALID    no context, no user id, empty user id                          old
 *   2 KILLED     hook, canary_kill(), stored flag, CANARY_KILL, damaged bell    old
 *   3 NOT_READY  nothing was ever loaded                                        old
 *     STALE      the state is older than the stale policy allows                old
 *   4 OVERRIDE   an operator pinned this user                                   the pinned cohort
 *   5 STATIC     0 % or 100 %                                                   old or new
 *   6 SPLIT      bucket below the percentage                                    new, else old
 *
 * After fork() the first decision on a context in the child puts back the state that the parent
 * had, and starts the child's own watcher where the parent had one; that single call creates a
 * thread and is neither wait-free nor signal-safe. */
#ifndef CANARY_DECIDE_H
#define CANARY_DECIDE_H

#include <canary/context.h>
#include <canary/export.h>

CANARY_BEGIN_DECLS

#define CANARY_OLD 0
#define CANARY_NEW 1

/* Pinned for ever. */
#define CANARY_REASON_INVALID 1
#define CANARY_REASON_KILLED 2
#define CANARY_REASON_NOT_READY 3
#define CANARY_REASON_STALE 4
#define CANARY_REASON_OVERRIDE 5
#define CANARY_REASON_STATIC 6
#define CANARY_REASON_SPLIT 7

/* One decision, explained. Owned by the caller, who sets `size`. */
typedef struct canary_decision {
    uint32_t size;          /* sizeof(canary_decision) of the caller */
    int32_t cohort;         /* CANARY_OLD or CANARY_NEW */
    int32_t reason;         /* CANARY_REASON_... */
    uint32_t hash;          /* h of algorithm 1; 0 when the user id was invalid */
    uint32_t bucket;        /* 0 to 9999, or CANARY_BUCKET_NONE when the user id was invalid */
    uint32_t percentage_bp; /* what the store says, basis points */
    uint32_t effective_bp; /* what is acted on: 0 while killed, lower while something is in doubt */
    int32_t stage;         /* rung of the ladder; -1 when nothing was loaded, or INVALID */
    uint64_t revision;     /* of the rollout's state; 0 when nothing was loaded, or INVALID */
    int64_t age_ns;        /* since the store last confirmed the state; -1 never, or INVALID */
} canary_decision;

/* clang-format off */
#define CANARY_DECISION_INIT { (uint32_t)sizeof(canary_decision), 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* One user id for the batch call. */
typedef struct canary_user {
    const void *id; /* any bytes */
    uint64_t size;  /* how many */
} canary_user;

/* 1 when this user gets the new path, otherwise 0; exactly these. `user_id` is NUL-terminated.
 * Cannot fail: NULL arguments and an empty id answer 0.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API int canary_should_use_new(canary_ctx *ctx, const char *user_id);

/* The same for an id of `user_id_size` bytes that may hold NUL and any other byte. The two agree
 * for every id without NUL. Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API int canary_should_use_new_n(canary_ctx *ctx, const void *user_id, uint64_t user_id_size);

/* The same for a caller who has the hash already: hash once with canary_hash_user() under the
 * rollout's salt, decide on many rollouts. `user_id` serves overrides only and may be NULL with
 * size 0: then a user pinned to `old` is still recognised by the hash (another user with the same
 * 32 bits may get `old` too), and pins to `new` are not seen. Thread: any thread. Blocking:
 * wait-free. Errors: none. */
CANARY_API int canary_should_use_new_hash(canary_ctx *ctx, const void *user_id,
                                          uint64_t user_id_size, uint32_t hash);

/* The same for a ready bucket, 0 to 9999; any other number answers 0. Overrides are not seen, since
 * a bucket names 1 user in 10000: on a rollout with overrides use one of the calls above.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API int canary_should_use_new_bucket(canary_ctx *ctx, uint32_t bucket);

/* Decides and says why. Fills `*out` up to `out->size`; the bucket is computed even where the
 * reason did not need it. Takes the clock once, for the age. Thread: any thread. Blocking:
 * wait-free. Errors: CANARY_E_INVALID when `out` is NULL or its size too small; a NULL context and
 * an invalid id are no errors here but a decision with reason INVALID. */
CANARY_API int canary_explain(canary_ctx *ctx, const void *user_id, uint64_t user_id_size,
                              canary_decision *out);

/* Decides for `count` users under one and the same state: `cohorts[i]` becomes 0 or 1. A kill
 * hook is asked once for all of them. Returns how many got 1. NULL arrays with a count of 0 are
 * allowed; a NULL `users` or `cohorts` with a count writes nothing and answers 0. A NULL context
 * writes zeros. Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API uint64_t canary_decide_many(canary_ctx *ctx, const canary_user *users, uint64_t count,
                                       uint8_t *cohorts);

/* Decides for one user on `count` rollouts: `cohorts[i]` becomes what canary_should_use_new_n()
 * would answer for `contexts[i]`, 0 for a NULL context. The id is hashed once for all rollouts of
 * the same salt that come one after another, and for all that have none. Returns how many got 1.
 * NULL arrays with a count of 0 are allowed; a NULL `contexts` or `cohorts` with a count writes
 * nothing and answers 0; an invalid id writes zeros. Contexts may be of different stores and are
 * decided one after another, each under its own state of that moment. Thread: any thread. Blocking:
 * wait-free. Errors: none. */
CANARY_API uint64_t canary_decide_rollouts(canary_ctx *const *contexts, uint64_t count,
                                           const void *user_id, uint64_t user_id_size,
                                           uint8_t *cohorts);

/* Kills this rollout for this context: from the next decision on every user gets `old`, until
 * canary_revive(). Local to the process (a forked child inherits it), not stored, not audited; the
 * tool of a circuit breaker or a signal handler. NULL does nothing.
 * Thread: any thread. Blocking: wait-free, signal-safe. Errors: none. */
CANARY_API void canary_kill(canary_ctx *ctx);

/* Takes back canary_kill(); any other kill stays. NULL does nothing.
 * Thread: any thread. Blocking: wait-free, signal-safe. Errors: none. */
CANARY_API void canary_revive(canary_ctx *ctx);

/* Caps exposure of this rollout for this context: from the next decision on users are decided as if
 * the percentage were at most `percentage_bp` basis points; 10000 takes the cap away, and so does
 * anything above. It never raises: a state that is published later is shown at the cap while it is
 * above it, and as it is while it is below. Pins to `new` stay, as they do at any percentage. Cohort
 * and reason are those of the capped percentage, so a cap of 0 answers `old`, STATIC;
 * canary_decision.effective_bp and canary_ctx_info.effective_bp show it. Local to the process (a
 * forked child inherits it), not stored, not audited; what a circuit breaker half-opens with. Of two
 * calls at the same time either one is the last. NULL does nothing.
 * Thread: any thread. Blocking: never waits for a lock or for storage, signal-safe. Errors: none. */
CANARY_API void canary_limit(canary_ctx *ctx, uint32_t percentage_bp);

/* The name of a reason in lower case, for example "split"; "unknown" for any other number. Static.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_reason_name(int reason);

/* "old" or "new"; "unknown" for any other number. Static.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_cohort_name(int cohort);

CANARY_END_DECLS

#endif
