/* SPDX-License-Identifier: MIT */
#include "outcomes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "timing.h"

struct bench_outcomes *bench_outcomes_new(canary_ctx *ctx, const struct bench_ids *ids) {
    struct bench_outcomes *made = calloc(1, sizeof *made);
    uint64_t random = 88172645463325252u;

    if (made == NULL) {
        bench_die("outcomes", "no memory");
    }
    made->ctx = ctx;
    made->ids = ids;
    for (int i = 0; i < BENCH_OUTCOMES; i++) {
        char user[40];

        snprintf(user, sizeof user, "%08x-0000-4000-8000-%012x", (unsigned)i * 2654435761u,
                 (unsigned)i);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        made->decisions[i] = (canary_decision)CANARY_DECISION_INIT;
        canary_explain(ctx, user, strlen(user), &made->decisions[i]);
        made->outcomes[i] = (canary_outcome)CANARY_OUTCOME_INIT;
        made->outcomes[i].status = random % 64 == 0 ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
        made->outcomes[i].duration_ns = 1000000 + (int64_t)(random >> 20) % 99000000;
    }
    return made;
}

void bench_record(void *data, uint64_t count) {
    struct bench_outcomes *all = data;
    int failed = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = i % BENCH_OUTCOMES;

        failed += canary_record(all->ctx, &all->decisions[at], &all->outcomes[at]);
    }
    bench_use((uint64_t)failed);
}

void bench_record_cohort(void *data, uint64_t count) {
    struct bench_outcomes *all = data;
    int failed = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = i % BENCH_OUTCOMES;

        failed += canary_record_cohort(all->ctx, all->decisions[at].cohort, &all->outcomes[at]);
    }
    bench_use((uint64_t)failed);
}

void bench_explain(void *data, uint64_t count) {
    struct bench_outcomes *all = data;
    canary_decision decision = CANARY_DECISION_INIT;

    for (uint64_t i = 0; i < count; i++) {
        const canary_user *user = &all->ids->users[i % BENCH_IDS];

        canary_explain(all->ctx, user->id, user->size, &decision);
        bench_use((uint64_t)decision.cohort);
    }
}

void bench_explain_record(void *data, uint64_t count) {
    struct bench_outcomes *all = data;
    canary_decision decision = CANARY_DECISION_INIT;

    for (uint64_t i = 0; i < count; i++) {
        const canary_user *user = &all->ids->users[i % BENCH_IDS];

        canary_explain(all->ctx, user->id, user->size, &decision);
        canary_record(all->ctx, &decision, &all->outcomes[i % BENCH_OUTCOMES]);
    }
}

void bench_decide(void *data, uint64_t count) {
    struct bench_outcomes *all = data;
    uint64_t chosen = 0;

    for (uint64_t i = 0; i < count; i++) {
        const canary_user *user = &all->ids->users[i % BENCH_IDS];

        chosen += (unsigned)canary_should_use_new_n(all->ctx, user->id, user->size);
    }
    bench_use(chosen);
}

void bench_decide_record(void *data, uint64_t count) {
    struct bench_outcomes *all = data;

    for (uint64_t i = 0; i < count; i++) {
        const canary_user *user = &all->ids->users[i % BENCH_IDS];
        int cohort = canary_should_use_new_n(all->ctx, user->id, user->size);

        canary_record_cohort(all->ctx, cohort, &all->outcomes[i % BENCH_OUTCOMES]);
    }
}

void bench_decide_record_user(void *data, uint64_t count) {
    struct bench_outcomes *all = data;

    for (uint64_t i = 0; i < count; i++) {
        const canary_user *user = &all->ids->users[i % BENCH_IDS];
        int cohort = canary_should_use_new_n(all->ctx, user->id, user->size);

        canary_record_user(all->ctx, user->id, user->size, cohort,
                           &all->outcomes[i % BENCH_OUTCOMES]);
    }
}
