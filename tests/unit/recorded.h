/* SPDX-License-Identifier: MIT */
/* What tests of recording share: a context, outcomes and metrics for it, and what it gathered. */
#ifndef UNIT_RECORDED_H
#define UNIT_RECORDED_H

#include "support.h"

#include "observe/recorder.h"

/* The rollout "r" at this percentage. */
canary_ctx *recorded_open(struct unit *unit, uint32_t percentage_bp);
canary_decision recorded_decide(canary_ctx *ctx, const char *user);
canary_outcome recorded_outcome(int status, int64_t duration_ns);
canary_metric recorded_metric(int kind, const char *name);
/* The handle; fails when the metric is refused. */
int32_t recorded_declare(canary_ctx *ctx, const canary_metric *wanted);

/* What was recorded since the last gathering; recorded_free() it. */
struct canary__sheet recorded_gather(canary_ctx *ctx);
void recorded_free(canary_ctx *ctx, struct canary__sheet *sheet);
uint64_t recorded_count(const struct canary__sheet *sheet, int cohort, const char *metric,
                        int what);
/* The last call, which gave `code`, was refused for this cause, and nothing else was counted. */
void recorded_refusal(canary_ctx *ctx, int cause, int code);

#endif
