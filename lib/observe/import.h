/* SPDX-License-Identifier: MIT */
/* One row of figures from elsewhere: what is allowed, and how it counts. */
#ifndef CANARY__IMPORT_H
#define CANARY__IMPORT_H

#include "observe/recorder.h"

#define CANARY__IMPORT_COUNT_MAX UINT64_C(1000000000000000) /* 10^15: far from where sums stop */

/* Admits a row but for its numbers: cohort, name, time at `now`. */
int canary__import_admit(const canary_import_row *row, int64_t now_ns, canary_error *error);
/* What a row says of its metric, as if it declared it. */
int canary__import_declares(const canary_import_row *row, struct canary__declared *out,
                            canary_error *error);
/* Whether its numbers are allowed for a metric. */
int canary__import_check(const canary_import_row *row, const struct canary__declared *metric,
                         canary_error *error);
/* Adds a row that was checked: CANARY_E_NOMEM. */
int canary__import_count(const struct canary__hooks *hooks, const canary_import_row *row,
                         const struct canary__declared *metric, struct canary__tally *tally);

#endif
