/* SPDX-License-Identifier: MIT */
/* What is recorded in measurements: outcomes as a service has them. */
#ifndef BENCH_OUTCOMES_H
#define BENCH_OUTCOMES_H

#include <canary/canary.h>

#include "subject.h"

/* As many take turns, of as many users: one in 64 an error, durations of 1 to 100 ms. A power of 2. */
enum { BENCH_OUTCOMES = 4096 };

/* What differs from one request to the next; the structs themselves lie on the stack, as a service's
 * do. */
struct bench_request {
    uint32_t hash;
    uint8_t cohort;
    uint8_t status;
    uint32_t duration_us;
};

struct bench_outcomes {
    canary_ctx *ctx;
    const struct bench_ids *ids;
    canary_decision decision; /* of one of the users */
    struct bench_request requests[BENCH_OUTCOMES];
};

/* `ctx` as from bench_ctx(). */
struct bench_outcomes *bench_outcomes_new(canary_ctx *ctx, const struct bench_ids *ids);

/* Loops for bench_case; the data is a struct bench_outcomes. */
/* What the two below do besides recording: filling the structs. */
void bench_fill(void *data, uint64_t count);
void bench_record(void *data, uint64_t count);
void bench_record_cohort(void *data, uint64_t count);
void bench_explain(void *data, uint64_t count);
void bench_explain_record(void *data, uint64_t count);
void bench_decide(void *data, uint64_t count);
void bench_decide_record(void *data, uint64_t count);
void bench_decide_record_user(void *data, uint64_t count);

#endif
