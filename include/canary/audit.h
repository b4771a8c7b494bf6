/* SPDX-License-Identifier: MIT */
/* The audit trail: reading it, and proving that nobody edited it. */
#ifndef CANARY_AUDIT_H
#define CANARY_AUDIT_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>
#include <canary/rollout.h>

CANARY_BEGIN_DECLS

/* Calls `callback` for the changes of a rollout, newest first, at most `limit` (0 = all), beginning
 * below change id `before` (0 = from the newest). `rollout` NULL takes the whole store's trail.
 * Thread: any thread. Blocking: may block on storage. Errors: common ones of rollout.h; _NOT_FOUND.
 */
CANARY_API int canary_history(canary_store *store, const char *rollout, uint64_t limit,
                              uint64_t before, canary_change_fn callback, void *user_data,
                              canary_error *error);

/* Reads the evidence recorded with change `change_id`, as it stands there: canary_verify() tells
 * whether anybody edited it. It is put into `buffer` of `capacity` bytes, with a NUL behind it; `*size`
 * (may be NULL) becomes its length without the NUL, 0 when the change has none, and is set also when
 * the call ends in CANARY_E_FULL, so that a first call with a NULL buffer asks for it.
 * Thread: any thread. Blocking: may block on storage. Errors: common ones of rollout.h; _NOT_FOUND (no
 * such change); _FULL (`buffer` is NULL or has no room). */
CANARY_API int canary_change_evidence(canary_store *store, uint64_t change_id, char *buffer,
                                      uint64_t capacity, uint64_t *size, canary_error *error);

/* Records a person's word in the trail of a rollout and changes no exposure: `action` is "approve"
 * (somebody agrees to the next advance of the present generation) or "decision" (what somebody decided,
 * in `options->note`, for the record). The rollout's revision goes up by one. Expectations in
 * `options` hold; it is refused for nothing else, whatever state the rollout is in.
 * Thread: any thread. Blocking: may block on storage. Errors: common ones of rollout.h except
 * _TAMPERED and _REFUSED; _NOT_FOUND; _INVALID (another action). */
CANARY_API int canary_note(canary_store *store, const char *rollout, const char *action,
                           const canary_change_options *options, canary_change *out,
                           canary_error *error);

/* What verify found. Pinned for ever. */
#define CANARY_FINDING_GAP 1       /* a row of the trail is missing */
#define CANARY_FINDING_LINK 2      /* a row does not carry the hash of the row before it */
#define CANARY_FINDING_HASH 3      /* a row's content does not match its own hash */
#define CANARY_FINDING_ROLLOUT 4   /* a rollout's row was changed outside libcanary */
#define CANARY_FINDING_FLAG 5      /* a flag's row was changed outside libcanary, or is missing */
#define CANARY_FINDING_OVERRIDES 6 /* a rollout's overrides were changed outside libcanary */
#define CANARY_FINDING_HEAD 7      /* a rollout's state is not the one its last change recorded */
#define CANARY_FINDING_STORE 8     /* the store's own check (integrity of its file) complains */
#define CANARY_FINDING_BELL 9  /* the bell is damaged, or a rollback was rung and not recorded */
#define CANARY_FINDING_TIME 10 /* a change is dated before the one it follows, by over a minute */

/* One finding. Owned by the library, valid during the callback. */
typedef struct canary_finding {
    uint32_t size;      /* sizeof(canary_finding) of the library */
    int32_t kind;       /* CANARY_FINDING_... */
    uint64_t change_id; /* row of the trail, 0 when it is not about one */
    char rollout[136];  /* "" when it is not about one */
    char flag[136];     /* "" when it is not about one */
    char message[496];  /* one line: what, where, expected and found */
    char next[240];     /* the next thing to do, as a sentence or a command */
} canary_finding;

typedef int (*canary_finding_fn)(void *user_data, const canary_finding *finding);

/* Totals of a verification. Owned by the caller, who sets `size`. */
typedef struct canary_verify_report {
    uint32_t size;      /* sizeof(canary_verify_report) of the caller */
    uint32_t findings;  /* 0 = everything verifies */
    uint64_t changes;   /* rows of the trail read */
    uint32_t rollouts;  /* rollouts checked */
    uint32_t flags;     /* flags checked */
    char head_hash[72]; /* hash of the newest row: note it elsewhere to detect a trail cut short */
} canary_verify_report;

/* Reads the whole store and calls `callback` (may be NULL) for each finding, no lock held; any
 * value but 0 from it stops the reporting, not the counting. Proves: no row of the trail was
 * edited, added between or removed between; no state differs from what the trail says. Someone who
 * may write the file and rewrites the whole trail is caught only by comparing `head_hash`. Thread:
 * any thread. Blocking: may block on storage. Errors: CANARY_E_TAMPERED when there are findings;
 * otherwise the common ones of rollout.h. */
CANARY_API int canary_verify(canary_store *store, canary_finding_fn callback, void *user_data,
                             canary_verify_report *out, canary_error *error);

/* The bell of a store, for `doctor`. Owned by the caller, who sets `size`. */
typedef struct canary_bell_info {
    uint32_t size;   /* sizeof(canary_bell_info) of the caller */
    int32_t present; /* 1 when the store has a bell file and it can be read */
    int32_t works;   /* 1 when a ring was written and read back through it just now */
    int32_t waits;   /* 1 when the kernel can wait on it (futex); 0: polling by tick */
    int32_t damaged; /* entries that fail their checksum */
    int32_t pending; /* rollbacks rung and not recorded */
    char path[4096]; /* "" when the store has none */
} canary_bell_info;

/* Looks at the bell and rings it once, which costs every process on the host one look at the store.
 * Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID, _NOMEM. */
CANARY_API int canary_bell_check(canary_store *store, canary_bell_info *out, canary_error *error);

CANARY_END_DECLS

#endif
