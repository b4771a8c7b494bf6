/* SPDX-License-Identifier: MIT */
/* The operator's side: rollouts, stages, changes, flags, overrides.
 *
 * Every change is one transaction: check what the caller expects, write the new state, append one
 * row to the audit trail. When a call returns 0 the change is durable, every context of this store
 * handle in this process acts on it, and the bell has rung for the other processes of the host.
 *
 * A rollback is never refused, queued or gated. It lowers exposure through the bell before it
 * touches the store: when the store is locked, full or broken the call fails,
 * `canary_error.in_effect` is 1, and every process on the host is held at the lower exposure until
 * a rollback is recorded. */
#ifndef CANARY_ROLLOUT_H
#define CANARY_ROLLOUT_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>

CANARY_BEGIN_DECLS

#define CANARY_ANY_REVISION (-1) /* expect nothing */
#define CANARY_ANY_STAGE (-1)

/* canary_change_options.flags */
#define CANARY_CHANGE_DRY_RUN 1u   /* answer what would happen; change nothing */
#define CANARY_CHANGE_EMERGENCY 2u /* recorded as such; skips gates; downwards it rings first */

/* Who changes, why, and what he believes the present state to be. Owned by the caller, who sets
 * `size` and begins with CANARY_CHANGE_OPTIONS_INIT. NULL instead of the struct means all defaults.
 */
typedef struct canary_change_options {
    uint32_t size;             /* sizeof(canary_change_options) of the caller */
    uint32_t flags;            /* CANARY_CHANGE_... */
    const char *by;            /* who; NULL or "" is recorded as "unknown" */
    const char *note;          /* why; NULL = none */
    const char *evidence;      /* what it rests on, any text up to 64 KiB; NULL = none */
    int64_t expected_revision; /* CANARY_ANY_REVISION or the revision the caller has seen */
    int32_t expected_stage;    /* CANARY_ANY_STAGE or the stage the caller has seen */
    uint32_t reserved;         /* 0 */
} canary_change_options;

/* clang-format off */
#define CANARY_CHANGE_OPTIONS_INIT \
    { (uint32_t)sizeof(canary_change_options), 0, 0, 0, 0, \
      CANARY_ANY_REVISION, CANARY_ANY_STAGE, 0 }
/* clang-format on */

/* Function twin of CANARY_CHANGE_OPTIONS_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_change_options_init(canary_change_options *options, uint32_t size);

/* Actions, as recorded: "create", "advance", "rollback", "set", "emergency", "flag_on", "flag_off",
 * "override_new", "override_old", "override_remove", "accept", "policy", "approve", "decision".
 * Later versions may add more: take an unknown word for a change that is of no concern. */

/* One row of the audit trail. Owned by the caller, who sets `size`. */
typedef struct canary_change {
    uint32_t size;      /* sizeof(canary_change) of the caller */
    int32_t from_stage; /* -1 for "create" */
    int32_t to_stage;
    uint32_t from_percentage_bp;
    uint32_t to_percentage_bp;
    uint32_t user_hash; /* override changes: h of the user under the rollout's salt; else 0 */
    uint64_t id;        /* place in the trail of the whole store, from 1, without gaps */
    uint64_t revision;  /* of the rollout after this change */
    int64_t at_ns;      /* nanoseconds since 1970-01-01 UTC */
    char rollout[136];  /* "" for a flag that no rollout names */
    char flag[136];     /* flag changes: the flag; else "" */
    char action[32];    /* one of the words above */
    char by[256];
    char note[1024];
    char hash[72];          /* SHA-256 of this row, 64 lower-case hex digits; "" in a dry run */
    char previous_hash[72]; /* of the row before it; 64 zeros in the first row */
} canary_change;

/* A rollout to be created. Owned by the caller, who sets `size`; copied by the call. */
typedef struct canary_rollout_spec {
    uint32_t size;        /* sizeof(canary_rollout_spec) of the caller */
    uint32_t stage_count; /* rungs above 0, at most CANARY_STAGES_MAX - 1; 0 = default ladder */
    const char *name;     /* [A-Za-z0-9._-]{1,128} */
    const uint32_t *stages_bp; /* `stage_count` percentages, rising, 1 to 10000 basis points */
    const char *const
        *stage_names;        /* `stage_count` names; NULL = default names, else "STAGE_<n>" */
    const int64_t *dwell_ns; /* `stage_count` dwell times, kept for policies; NULL = all 0 */
    const char *salt;        /* NULL or "" = none; up to CANARY_SALT_MAX bytes */
    const char *flag;        /* flag it obeys; NULL = one of its own, named like the rollout */
} canary_rollout_spec;

/* Present state of a rollout. Owned by the caller, who sets `size`. Stage 0 is always there, 0 %.
 */
typedef struct canary_rollout {
    uint32_t size;          /* sizeof(canary_rollout) of the caller */
    int32_t stage;          /* highest rung not above the percentage */
    uint32_t percentage_bp; /* configured */
    uint32_t effective_bp;  /* 0 when killed by flag or environment; lower while in doubt */
    uint32_t
        kill_reasons;   /* CANARY_KILL_FLAG, _ENVIRONMENT, _BELL: what anyone can see from here */
    uint32_t doubt;     /* set of CANARY_DOUBT_... */
    uint32_t algorithm; /* CANARY_ALGORITHM_... */
    uint32_t flag_enabled; /* 1 or 0 */
    uint64_t revision;
    int64_t updated_at_ns; /* nanoseconds since 1970-01-01 UTC */
    int64_t flag_updated_at_ns;
    uint32_t overrides_new; /* users pinned to new */
    uint32_t overrides_old; /* users pinned to old */
    uint32_t stage_count;   /* entries used in the arrays below, stage 0 included */
    uint32_t reserved;      /* 0 */
    uint32_t stages_bp[32];
    int64_t dwell_ns[32];
    char stage_names[32][64];
    char name[136];
    char stage_name[64]; /* the stage's name, or the phase that an operator gave */
    char salt[136];
    char flag[136];
    char updated_by[256];
    char note[1024];
    char flag_updated_by[256];
    char flag_note[1024];
    uint64_t generation;      /* revision of the change that set the present percentage */
    int64_t generation_at_ns; /* when that was: the dwell time counts from here; when the trail was
                                 edited, the time of the rollout's last change */
    char policy[72];          /* SHA-256 of the policy's text, 64 hex digits; "" = none */
    uint64_t policy_revision; /* of the change that set it; 0 = none */
} canary_rollout;

/* One flag. Owned by the caller, who sets `size`. */
typedef struct canary_flag {
    uint32_t size;     /* sizeof(canary_flag) of the caller */
    uint32_t enabled;  /* 1 or 0 */
    uint32_t doubt;    /* CANARY_DOUBT_FLAG or 0 */
    uint32_t rollouts; /* how many rollouts obey it */
    int64_t updated_at_ns;
    char name[136];
    char updated_by[256];
    char note[1024];
} canary_flag;

/* Callbacks of the listing calls: once an entry, `entry` valid during the call only, no lock held.
 * Any value but 0 ends the listing early, which is no error. */
typedef int (*canary_rollout_fn)(void *user_data, const canary_rollout *entry);
typedef int (*canary_flag_fn)(void *user_data, const canary_flag *entry);
typedef int (*canary_change_fn)(void *user_data, const canary_change *entry);
typedef int (*canary_override_fn)(void *user_data, const void *user_id, uint64_t user_id_size,
                                  int cohort);

/* All calls below -- Thread: any thread. Blocking: may block on storage, up to the store's
 * busy_timeout_ns. Common errors: CANARY_E_INVALID (NULL, a bad name, a text too long or not UTF-8,
 * a struct too small), _NO_STORE, _NOT_A_STORE, _NEWER, _CORRUPT, _HOSTILE, _PERMISSION, _IO,
 * _BUSY, _REPLACED, _NOMEM, _STORAGE; changes also _READ_ONLY, _FULL, _CONFLICT (an expectation was
 * not met; the message tells the present state and the last change; or the change raises, and while
 * it waited for the store a rollback was recorded), _TAMPERED (a raising change on state in doubt:
 * look, then canary_accept()) and _REFUSED (a raising change while a rollback is rung and not
 * recorded). `out` may be NULL and is filled on success only; `error` may be NULL. `options` may be
 * NULL. On failure nothing is half done. */

/* Creates a rollout at stage 0, with its flag switched on when the flag is new. A salt equal to
 * that of another partly open rollout is logged as a warning, since the same users come first in
 * both. Errors: common; _EXISTS; _INVALID (ladder not rising, names missing or double). */
CANARY_API int canary_create(canary_store *store, const canary_rollout_spec *spec,
                             const canary_change_options *options, canary_change *out,
                             canary_error *error);

/* Moves to the lowest rung above the present percentage. Errors: common; _NOT_FOUND; _REFUSED at
 * the top of the ladder. */
CANARY_API int canary_advance(canary_store *store, const char *rollout,
                              const canary_change_options *options, canary_change *out,
                              canary_error *error);

/* Moves down to `stage`, 0 for everybody to `old`. Rings first. Expectations in `options` are
 * recorded but never stop it. Repeating it is harmless. Errors: common except _CONFLICT, _TAMPERED
 * and _REFUSED; _NOT_FOUND; _INVALID when the stage's percentage is above the present one, which
 * would raise exposure. On a storage error see `in_effect`. */
CANARY_API int canary_rollback(canary_store *store, const char *rollout, int stage,
                               const canary_change_options *options, canary_change *out,
                               canary_error *error);

/* Moves to a rung, up or down; down is a canary_rollback(), after a look at the store which tells
 * that it is one (stage 0 needs no look). Errors: as of the two. */
CANARY_API int canary_set_stage(canary_store *store, const char *rollout, int stage,
                                const canary_change_options *options, canary_change *out,
                                canary_error *error);

/* Sets a percentage in basis points, on the ladder or not. `phase` names it for people; NULL takes
 * the name of the rung reached, or "CUSTOM" below the first. Errors: common; _NOT_FOUND; _INVALID above 10000. */
CANARY_API int canary_set_percentage(canary_store *store, const char *rollout,
                                     uint32_t percentage_bp, const char *phase,
                                     const canary_change_options *options, canary_change *out,
                                     canary_error *error);

/* Switches a flag; a flag that is not there is made. Each rollout that obeys it gets a row in its
 * trail; `out` receives the last one. Expectations are not looked at. Errors: common. */
CANARY_API int canary_flag_set(canary_store *store, const char *flag, int enabled,
                               const canary_change_options *options, canary_change *out,
                               canary_error *error);

/* Pins a user to CANARY_OLD or CANARY_NEW, replacing an earlier pin. Errors: common; _NOT_FOUND;
 * _INVALID (id empty or longer than 4096 bytes, another cohort). */
CANARY_API int canary_override_set(canary_store *store, const char *rollout, const void *user_id,
                                   uint64_t user_id_size, int cohort,
                                   const canary_change_options *options, canary_change *out,
                                   canary_error *error);

/* Pins `count` users in one transaction, with one row in the trail for all of them; otherwise like
 * canary_override_set(). An id that stands twice counts once. */
CANARY_API int canary_override_set_many(canary_store *store, const char *rollout,
                                        const void *const *user_ids, const uint64_t *user_id_sizes,
                                        uint64_t count, int cohort,
                                        const canary_change_options *options, canary_change *out,
                                        canary_error *error);

/* Removes a pin. Errors: common; _NOT_FOUND (no rollout, or the user is not pinned). */
CANARY_API int canary_override_remove(canary_store *store, const char *rollout, const void *user_id,
                                      uint64_t user_id_size, const canary_change_options *options,
                                      canary_change *out, canary_error *error);

/* Signs what stands in the store for this rollout, its flag and its overrides, after somebody
 * looked at it: rows changed outside become the state, the bell's damaged entries are cleared, and
 * the trail records it. Errors: common; _NOT_FOUND. */
CANARY_API int canary_accept(canary_store *store, const char *rollout,
                             const canary_change_options *options, canary_change *out,
                             canary_error *error);

#define CANARY_POLICY_MAX 65536 /* longest policy, bytes */

/* Makes a text of up to CANARY_POLICY_MAX bytes of UTF-8 without NUL the policy in force: a change
 * "policy", whose evidence is the text; its SHA-256 stands in the rollout. NULL or a size of 0 takes
 * the policy away. The text is copied and not looked at: canary_policy_set() of libcanary-judge checks
 * it first. Expectations in `options` hold. The same text once more is a change once more. Begins no
 * generation. Errors: common; _NOT_FOUND; _INVALID (`options->evidence` is not empty: the text takes its
 * place; text too long, not UTF-8 or with NUL in it); _TAMPERED (the rollout's row was changed
 * outside, and a policy must not be signed with it). */
CANARY_API int canary_rollout_policy_set(canary_store *store, const char *rollout, const char *text,
                                         uint64_t size, const canary_change_options *options,
                                         canary_change *out, canary_error *error);

/* Reads the text of a policy from the trail: the one in force (`digest` NULL), or any that ever was
 * by its SHA-256, 64 lower-case hex digits. The text is put into `buffer` of `capacity` bytes, with a
 * NUL behind it; `*size` (may be NULL) becomes its length without the NUL, also when the call ends in
 * CANARY_E_FULL, so that a first call with a NULL buffer asks for it. `change` (may be NULL, size
 * set) receives the newest change that set this text.
 * Errors: common; _NOT_FOUND (no rollout, no policy in force, or none of that digest); _FULL
 * (`buffer` is NULL or has no room); _INVALID (`digest` is none); _TAMPERED (the trail has no text of
 * the digest in force, or the change that holds it was edited). */
CANARY_API int canary_rollout_policy_read(canary_store *store, const char *rollout,
                                          const char *digest, char *buffer, uint64_t capacity,
                                          uint64_t *size, canary_change *change,
                                          canary_error *error);

/* Reads one rollout afresh. Errors: common; _NOT_FOUND. */
CANARY_API int canary_rollout_read(canary_store *store, const char *rollout, canary_rollout *out,
                                   canary_error *error);

/* Lists all rollouts by name. Errors: common. */
CANARY_API int canary_rollout_list(canary_store *store, canary_rollout_fn callback, void *user_data,
                                   canary_error *error);

/* Lists all flags by name. Errors: common. */
CANARY_API int canary_flag_list(canary_store *store, canary_flag_fn callback, void *user_data,
                                canary_error *error);

/* Lists the pinned users of a rollout in the order of their bytes. Errors: common; _NOT_FOUND. */
CANARY_API int canary_override_list(canary_store *store, const char *rollout,
                                    canary_override_fn callback, void *user_data,
                                    canary_error *error);

CANARY_END_DECLS

#endif
