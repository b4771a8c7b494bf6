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
        made->decision = (canary_decision)CANARY_DECISION_INIT;
        canary_explain(ctx, user, strlen(user), &made->decision);
        made->requests[i].hash = made->decision.hash;
        made->requests[i].cohort = (uint8_t)made->decision.cohort;
        made->requests[i].status = random % 64 == 0 ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
        made->requests[i].duration_us = 1000 + (uint32_t)(random >> 20) % 99000;
    }
    return made;
}

static inline void fill(const struct bench_request *request, canary_decision *decision,
                        canary_outcome *outcome) {
    decision->hash = request->hash;
    decision->cohort = request->cohort;
    outcome->status = request->status;
    outcome->duration_ns = (int64_t)request->duration_us * 1000;
}

void bench_fill(void *data, uint64_t count) {
    const struct bench_outcomes *all = data;
    canary_decision decision = all->decision;
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    for (uint64_t i = 0; i < count; i++) {
        fill(&all->requests[i % BENCH_OUTCOMES], &decision, &outcome);
        bench_use((uint64_t)(uintptr_t)&decision);
        bench_use((uint64_t)(uintptr_t)&outcome);
        __asm__ volatile("" : : : "memory");
    }
}

void bench_record(void *data, uint64_t count) {
    struct bench_outcomes *all = data;
    canary_decision decision = all->decision;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    int failed = 0;

    for (uint64_t i = 0; i < count; i++) {
        fill(&all->requests[i % BENCH_OUTCOMES], &decision, &outcome);
        failed += canary_record(all->ctx, &decision, &outcome);
    }
    bench_use((uint64_t)failed);
}

void bench_record_cohort(void *data, uint64_t count) {
    struct bench_outcomes *all = data;
    canary_decision decision = all->decision;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    int failed = 0;

    for (uint64_t i = 0; i < count; i++) {
        fill(&all->requests[i % BENCH_OUTCOMES], &decision, &outcome);
        failed += canary_record_cohort(all->ctx, decision.cohort, &outcome);
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
    canary_decision other;
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    for (uint64_t i = 0; i < count; i++) {
        const canary_user *user = &all->ids->users[i % BENCH_IDS];

        canary_explain(all->ctx, user->id, user->size, &decision);
        fill(&all->requests[i % BENCH_OUTCOMES], &other, &outcome);
        canary_record(all->ctx, &decision, &outcome);
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
    canary_decision other;
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    for (uint64_t i = 0; i < count; i++) {
        const canary_user *user = &all->ids->users[i % BENCH_IDS];
        int cohort = canary_should_use_new_n(all->ctx, user->id, user->size);

        fill(&all->requests[i % BENCH_OUTCOMES], &other, &outcome);
        canary_record_cohort(all->ctx, cohort, &outcome);
    }
}

void bench_decide_record_user(void *data, uint64_t count) {
    struct bench_outcomes *all = data;
    canary_decision other;
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    for (uint64_t i = 0; i < count; i++) {
        const canary_user *user = &all->ids->users[i % BENCH_IDS];
        int cohort = canary_should_use_new_n(all->ctx, user->id, user->size);

        fill(&all->requests[i % BENCH_OUTCOMES], &other, &outcome);
        canary_record_user(all->ctx, user->id, user->size, cohort, &outcome);
    }
}
