/* SPDX-License-Identifier: MIT */
/* What cgo cannot say by itself. Handles cross as uintptr_t and ids as char pointers: for a void
 * pointer cgo looks at the memory behind it on each call. */
#ifndef CANARY_GO_BRIDGE_H
#define CANARY_GO_BRIDGE_H

#include <canary/canary.h>

#include <stdlib.h>
#include <string.h>

/* -- decisions: marked noescape and nocallback in rollout.go, so they must never reach Go -- */

static inline int bridge_decide(uintptr_t ctx, const char *id, uint64_t size) {
    return canary_should_use_new_n((canary_ctx *)ctx, id, size);
}

static inline int bridge_decide_hash(uintptr_t ctx, const char *id, uint64_t size, uint32_t hash) {
    return canary_should_use_new_hash((canary_ctx *)ctx, id, size, hash);
}

static inline int bridge_decide_bucket(uintptr_t ctx, uint32_t bucket) {
    return canary_should_use_new_bucket((canary_ctx *)ctx, bucket);
}

static inline int bridge_explain(uintptr_t ctx, const char *id, uint64_t size,
                                 canary_decision *out) {
    return canary_explain((canary_ctx *)ctx, id, size, out);
}

/* An id is where it begins in `bytes`, until here: then it becomes an address. `users` is memory
 * that Go's collector does not look into, and `bytes` stays in its place during the call. */
struct bridge_user {
    uint64_t begin;
    uint64_t size;
};

static inline uint64_t bridge_decide_many(uintptr_t ctx, const char *bytes,
                                          struct bridge_user *users, uint64_t count,
                                          uint8_t *cohorts) {
    canary_user *list = (canary_user *)(void *)users;

    for (uint64_t i = 0; i < count; i++) {
        struct bridge_user user;
        canary_user ready;

        memcpy(&user, &users[i], sizeof user);
        ready.id = bytes + user.begin;
        ready.size = user.size;
        memcpy(&list[i], &ready, sizeof ready);
    }
    return canary_decide_many((canary_ctx *)ctx, list, count, cohorts);
}

/* `contexts` are handles, 0 for none. */
static inline uint64_t bridge_decide_rollouts(const uintptr_t *contexts, uint64_t count,
                                              const char *id, uint64_t size, uint8_t *cohorts) {
    canary_ctx *list[32];

    for (uint64_t i = 0; i < count; i++) {
        list[i] = (canary_ctx *)contexts[i];
    }
    return canary_decide_rollouts(list, count, id, size, cohorts);
}

static inline void bridge_kill(uintptr_t ctx) {
    canary_kill((canary_ctx *)ctx);
}

static inline void bridge_revive(uintptr_t ctx) {
    canary_revive((canary_ctx *)ctx);
}

/* -- recording: likewise noescape and nocallback, in record.go. Values come apart from their outcome,
 * since a struct of Go must not lead to other memory of Go. -- */

static inline canary_outcome bridge_outcome(int status, int64_t duration_ns,
                                            const canary_measurement *values, uint32_t count) {
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    outcome.status = status;
    outcome.duration_ns = duration_ns;
    outcome.measurements = count > 0 ? values : NULL;
    outcome.measurement_count = count;
    return outcome;
}

static inline int bridge_record(uintptr_t ctx, const canary_decision *decision, int status,
                                int64_t duration_ns, const canary_measurement *values,
                                uint32_t count) {
    canary_outcome outcome = bridge_outcome(status, duration_ns, values, count);

    return canary_record((canary_ctx *)ctx, decision, &outcome);
}

static inline int bridge_record_user(uintptr_t ctx, const char *id, uint64_t size, int cohort,
                                     int status, int64_t duration_ns,
                                     const canary_measurement *values, uint32_t count) {
    canary_outcome outcome = bridge_outcome(status, duration_ns, values, count);

    return canary_record_user((canary_ctx *)ctx, id, size, cohort, &outcome);
}

static inline int bridge_record_cohort(uintptr_t ctx, int cohort, int status, int64_t duration_ns,
                                       const canary_measurement *values, uint32_t count) {
    canary_outcome outcome = bridge_outcome(status, duration_ns, values, count);

    return canary_record_cohort((canary_ctx *)ctx, cohort, &outcome);
}

static inline int bridge_expose(uintptr_t ctx, const canary_decision *decision) {
    return canary_expose((canary_ctx *)ctx, decision);
}

/* For the benchmark: what recording costs in C. */
static inline void bridge_record_often(uintptr_t ctx, const canary_decision *decision,
                                       int64_t duration_ns, uint64_t times) {
    for (uint64_t i = 0; i < times; i++) {
        bridge_record(ctx, decision, CANARY_STATUS_OK, duration_ns, NULL, 0);
    }
}

/* For the benchmark: what a call costs that does nothing. */
static inline int bridge_nothing(uintptr_t ctx, const char *id, uint64_t size) {
    (void)ctx;
    (void)id;
    return size == 0;
}

/* For the benchmark: what the decision costs in C. */
static inline uint64_t bridge_decide_often(uintptr_t ctx, const char *id, uint64_t size,
                                           uint64_t times) {
    uint64_t count = 0;

    for (uint64_t i = 0; i < times; i++) {
        count += (uint64_t)canary_should_use_new_n((canary_ctx *)ctx, id, size);
    }
    return count;
}

/* -- what calls back: the Go functions are in callbacks.go -- */

extern int canaryGoRollout(uintptr_t list, canary_rollout *entry);
extern int canaryGoFlag(uintptr_t list, canary_flag *entry);
extern int canaryGoChange(uintptr_t list, canary_change *entry);
extern int canaryGoOverride(uintptr_t list, char *id, uint64_t size, int cohort);
extern int canaryGoFinding(uintptr_t list, canary_finding *entry);
extern void canaryGoLog(uintptr_t logger, int level, char *message);
extern int canaryGoMetrics(uintptr_t list, canary_metrics_row *entry);

int bridge_rollout_list(canary_store *store, uintptr_t list, canary_error *error);
int bridge_flag_list(canary_store *store, uintptr_t list, canary_error *error);
int bridge_override_list(canary_store *store, const char *rollout, uintptr_t list,
                         canary_error *error);
int bridge_history(canary_store *store, const char *rollout, uint64_t limit, uint64_t before,
                   uintptr_t list, canary_error *error);
int bridge_verify(canary_store *store, uintptr_t list, canary_verify_report *out,
                  canary_error *error);
int bridge_metrics(canary_store *store, const char *rollout, const canary_metrics_query *query,
                   uintptr_t list, canary_metrics_report *report, canary_error *error);

/* Memory of C with what the store has to say; `text` is the caller's to free. */
struct bridge_text {
    char *text;
    uint64_t size;
    uint64_t room;
};

/* Gathered first: whoever reads the text may be slow, and no thread waits for it in C. */
int bridge_openmetrics(canary_store *store, int prometheus, struct bridge_text *out,
                       canary_error *error);
void bridge_set_log(canary_options *options, uintptr_t logger, uint32_t level);

/* A clock for tests: the time of `now`, in nanoseconds, for both clocks. */
int64_t *bridge_clock_new(int64_t now);
void bridge_clock_set(int64_t *clock, int64_t now);
int64_t bridge_clock_get(const int64_t *clock);
void bridge_set_clock(canary_options *options, int64_t *clock);

#endif
