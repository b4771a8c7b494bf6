/* SPDX-License-Identifier: MIT */
/* What stands in the measurement store, added up. Without a test framework: threads and children use it,
 * too. */
#ifndef UNIT_STORED_H
#define UNIT_STORED_H

#include <canary/canary.h>

#include <stdint.h>

#include "observe/merge.h"

/* Of a rollout, in ticks, minutes and hours. */
struct stored {
    struct canary__sheet sheet; /* the sum of all rows */
    uint32_t rows[3];           /* ticks, minutes, hours */
    uint32_t damaged;
    int64_t first[3];
    int64_t last[3];
    uint64_t bytes; /* of the stored sheets */
};

/* CANARY_OK or a code; nothing stored is no error. Free with stored_free(). */
int stored_read(canary_store *store, const char *rollout, struct stored *out, canary_error *error);
void stored_free(canary_store *store, struct stored *stored);

/* Outcomes of both cohorts; UINT64_MAX when they cannot be read. */
uint64_t stored_outcomes(canary_store *store, const char *rollout);
/* Events of one metric ("+status", "duration", ...) in a cohort and generation; 0 = all of these,
 * cohort -1 = both. */
uint64_t stored_events(const struct stored *stored, uint64_t generation, int cohort,
                       const char *metric);

/* Rows of any table of the measurement store; -1 when they cannot be read. */
int64_t stored_rows(canary_store *store, int table);

#endif
