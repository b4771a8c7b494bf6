/* SPDX-License-Identifier: MIT */
#include "judge/breaker_tell.h"

#include <canary/document.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "judge/dossier.h"
#include "judge/fail.h"

enum { NS_A_MS = 1000000 };

/* Tenths of a percent, in whole numbers: "%g" would write them as the locale does. */
static unsigned permille(double rate) {
    return (unsigned)(rate * 1000 + 0.5);
}

void canary__breaker_message(const canary_breaker_options *options,
                             const struct canary__breaker_change *change,
                             char message[CANARY__BREAKER_MESSAGE]) {
    unsigned rate = permille(options->rate);

    switch (change->state) {
    case CANARY_BREAKER_OPEN:
        snprintf(
            message, CANARY__BREAKER_MESSAGE,
            "circuit breaker opened: %" PRIu64 " of %" PRIu64
            " outcomes of the new cohort failed, which is above %u.%u %%; everybody gets old for "
            "%" PRId64 " ms",
            change->failures, change->outcomes, rate / 10, rate % 10, change->open_ns / NS_A_MS);
        break;
    case CANARY_BREAKER_HALF_OPEN:
        snprintf(message, CANARY__BREAKER_MESSAGE,
                 "circuit breaker half open: at most %u.%02u %% of users get new",
                 options->half_open_bp / 100, options->half_open_bp % 100);
        break;
    default:
        snprintf(message, CANARY__BREAKER_MESSAGE,
                 "circuit breaker closed: %" PRIu64 " of %" PRIu64
                 " outcomes of the new cohort failed while it was half open",
                 change->failures, change->outcomes);
        break;
    }
}

int canary__breaker_tell(canary_ctx *ctx, const canary_breaker_options *options,
                         const struct canary__breaker_change *change, canary_error *error) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_document document = CANARY_DOCUMENT_INIT;
    char name[CANARY_DOCUMENT_NAME_MAX + 1];
    char text[512];
    json_t *object;
    size_t size = 0;
    int code = canary_info(ctx, &info);

    if (code != CANARY_OK) {
        return canary__judge_fail(error, code, "the name of the rollout is not known");
    }
    object = json_pack(
        "{s:I, s:I, s:s, s:f, s:I, s:I, s:I}", "at", (json_int_t)change->at_ns, "pid",
        (json_int_t)getpid(), "state", canary_breaker_state_name(change->state), "rate",
        change->outcomes != 0 ? (double)change->failures / (double)change->outcomes : 0.0,
        "outcomes", (json_int_t)change->outcomes, "failures", (json_int_t)change->failures,
        "window_ms", (json_int_t)(options->window_ns / NS_A_MS));
    if (object != NULL) {
        size = json_dumpb(object, text, sizeof text, JSON_COMPACT | JSON_REAL_PRECISION(6));
        json_decref(object);
    }
    if (size == 0 || size > sizeof text) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a document");
    }
    snprintf(name, sizeof name, "%s%020" PRId64 "-%ld", CANARY__DOCUMENT_BREAKER, change->at_ns,
             (long)getpid());
    document.name = name;
    document.data = text;
    document.data_size = size;
    return canary_document_write(canary_ctx_store(ctx), info.rollout, &document, 1, error);
}
