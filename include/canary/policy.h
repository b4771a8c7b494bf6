/* SPDX-License-Identifier: MIT */
/* Policies: what a release must show before it is opened further, and what pulls it back. Part of
 * libcanary-judge.
 *
 * A policy is a JSON text that people keep beside their code. docs/policy.md explains each key, and
 * docs/policy.schema.json describes it for editors. The text in force lives in the audit trail of its
 * rollout; its SHA-256 stands in every verdict that used it. */
#ifndef CANARY_POLICY_H
#define CANARY_POLICY_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>
#include <canary/observe.h>
#include <canary/rollout.h>

CANARY_BEGIN_DECLS

typedef struct canary_policy canary_policy; /* opaque: a policy that was read and found sound */

#define CANARY_POLICY_FORMAT 1                   /* value of the key "policy" */
#define CANARY_POLICY_SIZE_MAX CANARY_POLICY_MAX /* longest text, bytes: what a store keeps */
#define CANARY_POLICY_RULES_MAX 64               /* rules of a policy */
#define CANARY_POLICY_OBJECTIVES_MAX 16          /* service objectives of a policy */

/* canary_policy_info.mode: how far a guard may go by itself. Pinned for ever. */
#define CANARY_MODE_OBSERVE 1 /* tells what it would do, and does nothing */
#define CANARY_MODE_APPROVE 2 /* rolls back by itself; a person approves each advance */
#define CANARY_MODE_AUTO 3    /* advances by itself, too */

/* Receives one thing that is wrong with a policy, or looks wrong. `place` is "line 4, column 9" for a
 * text that is no JSON, else a path such as "rules[3].window"; `message` says what stands there and what
 * is allowed. Both are valid during the call. Any value but 0 ends the reporting. */
typedef int (*canary_policy_problem_fn)(void *user_data, const char *place, const char *message);

/* Reads a policy of `size` bytes at `text`. What is not understood is refused: unknown or doubled keys,
 * wrong types, impossible windows, missing margins. The error's message begins with the place of the
 * first problem; `problem` (may be NULL) receives all of them. The text is copied.
 * Thread: any thread. Blocking: never waits for storage; allocates. Errors: CANARY_E_INVALID (what is
 * wrong, where, and what is allowed), _NOMEM. */
CANARY_API int canary_policy_parse(const char *text, uint64_t size, canary_policy **out,
                                   canary_policy_problem_fn problem, void *user_data,
                                   canary_error *error);

/* Frees a policy and sets `*policy` to NULL; NULL and a pointer to NULL are allowed.
 * Thread: one thread per object. Blocking: wait-free but for the allocator. Errors: none. */
CANARY_API void canary_policy_close(canary_policy **policy);

/* What a policy says about itself. Owned by the caller, who sets `size`. */
typedef struct canary_policy_info {
    uint32_t size;   /* sizeof(canary_policy_info) of the caller */
    int32_t mode;    /* CANARY_MODE_... */
    uint32_t frozen; /* 1: verdicts are told, nobody acts */
    uint32_t rule_count;
    uint32_t metric_count; /* distinct metrics that rules name */
    uint32_t stage_count;  /* stages it names, 0 = those of the rollout */
    uint32_t objective_count;
    uint32_t attempts; /* rollbacks by guards after which none advances; 0 = no limit */
    double alpha; /* chance that a healthy release is rolled back by evidence, per generation */
    double design_effect; /* 0 = measured */
    int64_t grace_ns;     /* without traffic for longer: hold */
    int64_t cooldown_ns;  /* no advance by a guard for so long after a rollback */
    char name[136];
    char digest[72]; /* SHA-256 of the text, 64 lower-case hex digits */
    char description[512];
} canary_policy_info;

/* clang-format off */
#define CANARY_POLICY_INFO_INIT \
    { (uint32_t)sizeof(canary_policy_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 } }
/* clang-format on */

/* Function twin of CANARY_POLICY_INFO_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_policy_info_init(canary_policy_info *info, uint32_t size);

/* Fills `*out` up to `out->size`. Thread: any thread. Blocking: wait-free. Errors: CANARY_E_INVALID
 * (NULL, size too small). */
CANARY_API int canary_policy_describe(const canary_policy *policy, canary_policy_info *out);

/* The text as it was read, `*size` bytes (may be NULL) and a NUL; lives as long as the policy. NULL for
 * NULL. Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_policy_text(const canary_policy *policy, uint64_t *size);

/* Writes the policy in plain sentences, one rule a line, as `canaryctl policy check` prints it.
 * Thread: any thread. Blocking: never waits for storage. Errors: CANARY_E_INVALID (NULL), _REFUSED
 * (`write` answered something else than 0), _NOMEM. */
CANARY_API int canary_policy_explain(const canary_policy *policy, canary_write_fn write,
                                     void *user_data, canary_error *error);

/* Holds a policy against a rollout of the store: stages that its ladder does not have, metrics that
 * nobody has declared or recorded, kinds that do not fit the statistic, a baseline that is missing,
 * thresholds that durations are not compared with, margins that are hardly any. `problem` receives each;
 * `*errors` (may be NULL) counts those with which canary_policy_set() would refuse it, and has counted
 * one before `problem` is told of it: whatever leaves it alone is a warning.
 * Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID, _NOT_FOUND, _NOMEM and
 * every storage error. */
CANARY_API int canary_policy_check(const canary_policy *policy, canary_store *store,
                                   const char *rollout, canary_policy_problem_fn problem,
                                   void *user_data, uint32_t *errors, canary_error *error);

/* Puts a policy in force for a rollout: a change "policy" with the whole text as evidence. Evidence of
 * rules whose question is the same in the policy before is kept, the rest begins anew.
 * Thread: any thread. Blocking: may block on storage. Errors: those of canary_rollout_policy_set();
 * _REFUSED when stages of the policy are not those of the rollout, or a known metric has another kind. */
CANARY_API int canary_policy_set(canary_store *store, const char *rollout,
                                 const canary_policy *policy, const canary_change_options *options,
                                 canary_change *out, canary_error *error);

/* Reads the policy in force (`digest` NULL), or an earlier one by its digest.
 * Thread: any thread. Blocking: may block on storage. Errors: those of canary_rollout_policy_read()
 * (_NOT_FOUND: the rollout has none), and of canary_policy_parse() when a text in the store is not, or no
 * longer, understood. */
CANARY_API int canary_policy_load(canary_store *store, const char *rollout, const char *digest,
                                  canary_policy **out, canary_error *error);

/* "observe", "approve" or "auto"; "unknown" for any other number. Static.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_mode_name(int mode);

CANARY_END_DECLS

#endif
