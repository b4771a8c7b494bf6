/* SPDX-License-Identifier: MIT */
/* What the tests of verdicts and guards share: a rollout under a policy, with a clock that only the test
 * moves, figures for it, and verdicts to look at. */
#ifndef TESTS_JUDGE_JUDGED_H
#define TESTS_JUDGE_JUDGED_H

#include "support.h"

#include <canary/guard.h>
#include <canary/judge.h>

#define JUDGED "checkout"
#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define TICK (10 * SECOND)

/* "error above 1.5 times the old cohort's, by evidence: back to 0"; an advance needs 100 outcomes of the
 * new cohort. `%s` takes the mode, and keys more with a comma before them. */
#define JUDGED_POLICY                                                                              \
    "{\"policy\":1,\"name\":\"plain\",\"mode\":\"%s\",\"design_effect\":1%s,\"rules\":["           \
    "{\"name\":\"harm\",\"metric\":\"error\",\"against\":\"old\",\"above\":1.5,"                   \
    "\"action\":\"rollback\"},"                                                                    \
    "{\"name\":\"few\",\"metric\":\"error\",\"below\":\"50%%\",\"window\":\"10m\","                \
    "\"min_samples\":100,\"action\":\"require\"}]}"

/* A verdict that outlives its callback. */
struct judged {
    int code;
    int calls;
    canary_verdict verdict;
    canary_rule_result rules[64];
    canary_error error;
};

/* A store whose clock stands 3 s after a tick began, with the rollout at a percentage. */
struct unit *judged_new(int kind, uint32_t percentage_bp);
/* Puts a policy in force. */
void judged_policy(struct unit *unit, const char *text);
/* The plain one; `more` is "" or ",\"key\":value". */
void judged_plain(struct unit *unit, const char *mode, const char *more);

/* Outcomes of one tick: the one before the present moment's. */
void judged_outcomes(struct unit *unit, uint64_t n_old, uint64_t k_old, uint64_t n_new,
                     uint64_t k_new);
/* The same for any metric that is a proportion. */
void judged_proportion(struct unit *unit, const char *metric, int cohort, uint64_t n, uint64_t k);
/* Time goes by. */
void judged_pass(struct unit *unit, int64_t ns);
/* Both, `ticks` times: 10 s, then the outcomes in them. */
void judged_ticks(struct unit *unit, int ticks, uint64_t n_old, uint64_t k_old, uint64_t n_new,
                  uint64_t k_new);

/* canary_evaluate(); NULL-free: `out` is cleared first. */
void judged_evaluate(struct unit *unit, uint32_t flags, struct judged *out);
void judged_take(void *user_data, const canary_verdict *verdict);

/* Fails the test with the verdict's message. */
void judged_is(const struct judged *judged, int action, int cause);

/* How many verdicts are in the record, and the text of the newest in `newest` (may be NULL). */
uint32_t judged_recorded(struct unit *unit, char *newest, size_t size);

/* Changes in the trail with this action; the newest of them in `*out` (may be NULL). */
uint32_t judged_changes(canary_store *store, const char *action, canary_change *out);

#endif
