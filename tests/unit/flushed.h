/* SPDX-License-Identifier: MIT */
/* What tests of flushing share: outcomes to record, time that passes, and what came of them. */
#ifndef UNIT_FLUSHED_H
#define UNIT_FLUSHED_H

#include <sqlite3.h>

#include "stored.h"
#include "support.h"

/* `count` outcomes of a cohort that take 1, 2, 3, ... ms, the first `errors` of them errors. */
void flushed_record(canary_ctx *ctx, int cohort, int count, int errors);
canary_recording_info flushed_recording(canary_ctx *ctx);
/* Both clocks go on. */
void flushed_pass(struct unit *unit, int64_t ns);
/* Locks the metrics database exclusively, from another connection. */
void flushed_lock(struct unit *unit, sqlite3 **db);
/* For a thread: gives the lock back after a while. */
void *flushed_unlock_soon(void *db);
/* Free with stored_free(). */
struct stored flushed_read(canary_store *store, const char *rollout);

#endif
