/* SPDX-License-Identifier: MIT */
/* Guards: they act on verdicts. Part of libcanary-judge.
 *
 * A guard judges each rollout that has a policy, about every 10 s, and does what the verdict and the
 * policy's mode say: roll back at once or by one stage, hold, advance. Any number of guards may run on
 * one store, in programs or as `canaryctl guard`: one of them holds the lease of a rollout and acts, the
 * others take over within 30 s of its end, however it ended. Whoever acts expects the revision that was
 * judged, so that one change comes of one verdict.
 *
 * A rollback by a person never waits for a guard, and a guard never changes anything after one: it
 * judges what is there then. */
#ifndef CANARY_GUARD_H
#define CANARY_GUARD_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>
#include <canary/rollout.h>
#include <canary/verdict.h>

CANARY_BEGIN_DECLS

typedef struct canary_guard canary_guard; /* opaque: a guard and its thread */

/* canary_guard_event.type. Pinned for ever. */
#define CANARY_EVENT_CHANGE 1  /* somebody changed the rollout */
#define CANARY_EVENT_VERDICT 2 /* a verdict that differs from the one before */
#define CANARY_EVENT_ACTION 3  /* this guard changed the rollout */
#define CANARY_EVENT_ERROR 4   /* judging or acting failed */
#define CANARY_EVENT_LEASE 5   /* this guard took or lost the lease */

/* Something happened. Owned by the library, valid during the callback. */
typedef struct canary_guard_event {
    uint32_t size; /* sizeof(canary_guard_event) of the library */
    int32_t type;
    int64_t at_ns; /* real time */
    const char *rollout;
    const canary_change *change;   /* CHANGE, ACTION; else NULL */
    const canary_verdict *verdict; /* VERDICT, ACTION; else NULL */
    int32_t code;                  /* ERROR: CANARY_E_... */
    int32_t acting;                /* LEASE: 1 took it, 0 lost it */
    const char *message;           /* one line; never NULL */
} canary_guard_event;

/* Called by the guard's thread, without a lock of libcanary held. */
typedef void (*canary_guard_fn)(void *user_data, const canary_guard_event *event);

/* canary_guard_options.flags */
#define CANARY_GUARD_OBSERVE 1u /* judge and tell, whatever the policy's mode; take no lease */

/* Owned by the caller, who sets `size`; copied by the call. NULL instead of the struct means all
 * defaults. */
typedef struct canary_guard_options {
    uint32_t size;       /* sizeof(canary_guard_options) of the caller */
    uint32_t flags;      /* CANARY_GUARD_... */
    const char *rollout; /* this one only; NULL = all of the store that have a policy */
    const char *by;      /* name in the trail; NULL = "guard@HOST:PID" */
    int64_t interval_ns; /* between two looks, by the store's clock hook, up to 1 day; 0 = 10 s */
    canary_guard_fn callback; /* NULL = none */
    void *user_data;
} canary_guard_options;

/* clang-format off */
#define CANARY_GUARD_OPTIONS_INIT \
    { (uint32_t)sizeof(canary_guard_options), 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* Function twin of CANARY_GUARD_OPTIONS_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_guard_options_init(canary_guard_options *options, uint32_t size);

/* Starts a guard in this process: a thread, with a store handle that it shares with the caller, who
 * keeps `store` open until canary_guard_stop(). It judges at once and then at each interval. It survives
 * trouble with the store, which it reports as events. A forked child has no guard.
 * Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID, _NOT_FOUND (no such
 * rollout), _NOMEM, _SYSTEM (no thread). */
CANARY_API int canary_guard_start(canary_store *store, const canary_guard_options *options,
                                  canary_guard **out, canary_error *error);

/* Ends a guard, gives its leases back, joins its thread and sets `*guard` to NULL; NULL and a pointer to
 * NULL are allowed. Not from the guard's own callback.
 * Thread: one thread per object. Blocking: may block on storage. Errors: none. */
CANARY_API void canary_guard_stop(canary_guard **guard);

/* One round of a guard, in the calling thread: judges, acts, tells, and gives the lease back.
 * Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID, _NOT_FOUND, _BUSY
 * (another guard holds the lease, and acts), _NOMEM, and every storage error; _REFUSED when an action was
 * refused, with its message. */
CANARY_API int canary_guard_once(canary_store *store, const canary_guard_options *options,
                                 canary_error *error);

/* A person agrees to the next advance of the present stage: `canaryctl approve`. It holds for this
 * generation only, and only opens the last of the gate's conditions. A later canary_decision_log() of
 * HOLD or ROLLBACK takes it back.
 * Thread: any thread. Blocking: may block on storage. Errors: those of canary_note(); _REFUSED at 0 %
 * or at the top; _CONFLICT also when the percentage was changed meanwhile. */
CANARY_API int canary_approve(canary_store *store, const char *rollout,
                              const canary_change_options *options, canary_change *out,
                              canary_error *error);

/* Writes a person's decision into the trail, for the record: `decision` is CANARY_VERDICT_...; changes no
 * exposure. The note must say why.
 * Thread: any thread. Blocking: may block on storage. Errors: those of canary_note(); _INVALID (another
 * decision, no note, or one that is too long with the word before it). */
CANARY_API int canary_decision_log(canary_store *store, const char *rollout, int decision,
                                   const canary_change_options *options, canary_change *out,
                                   canary_error *error);

CANARY_END_DECLS

#endif
