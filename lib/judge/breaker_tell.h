/* SPDX-License-Identifier: MIT */
/* What a circuit breaker says of itself: to people, and to the store. */
#ifndef CANARY__JUDGE_BREAKER_TELL_H
#define CANARY__JUDGE_BREAKER_TELL_H

#include <canary/breaker.h>

enum { CANARY__BREAKER_MESSAGE = 256 };

/* A change of its state. */
struct canary__breaker_change {
    int32_t state;     /* CANARY_BREAKER_..., the new one */
    int64_t at_ns;     /* real time */
    uint64_t outcomes; /* that led to it */
    uint64_t failures;
    int64_t open_ns; /* OPEN: how long */
};

/* One line, in the same words whatever the locale. */
void canary__breaker_message(const canary_breaker_options *options,
                             const struct canary__breaker_change *change,
                             char message[CANARY__BREAKER_MESSAGE]);

/* Writes a document of the context's rollout that says so. May block on storage. */
int canary__breaker_tell(canary_ctx *ctx, const canary_breaker_options *options,
                         const struct canary__breaker_change *change, canary_error *error);

#endif
