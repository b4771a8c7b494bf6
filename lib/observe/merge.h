/* SPDX-License-Identifier: MIT */
/* The measurement store of a store, and the ways in which figures get into it. */
#ifndef CANARY__MERGE_H
#define CANARY__MERGE_H

#include "control/store.h"
#include "observe/recorder.h"

/* The store that keeps the measurements of `decisions`, opened once and kept. `create` 0:
 * CANARY_E_NO_STORE while there is none; begin may say so, too, when it went away since. `create` 1: a
 * write transaction makes it; CANARY_E_READ_ONLY when `decisions` is open for reading only.
 * CANARY_E_UNSUPPORTED when its methods keep none. Transactions on it: canary__store_begin(*out, ...),
 * (*out)->methods, canary__store_unlock(*out). */
int canary__merge_store(canary_store *decisions, int create, canary_store **out,
                        canary_error *error);

/* The generation that `revision` of a rollout belongs to: the greatest revision not above it whose
 * change set another percentage. Reads the trail of the decision store; no lock may be held. `revision`
 * 0: the rollout's present one. */
int canary__merge_generation(canary_store *decisions, const char *rollout, uint64_t revision,
                             uint64_t *generation, canary_error *error);

/* Inside a write transaction of the measurement store: */

/* Adds a sheet to the row (rollout, start_ns) of CANARY_TABLE_TICKS, _MINUTES or _HOURS. A row that is
 * damaged, or of a later library, stays as it is, and figures go into one beside it, a nanosecond
 * later. CANARY_E_CONFLICT when the row has a metric with another kind or resolution: then nothing was
 * merged. */
int canary__merge_sheet(canary_store *measurements, void *transaction, int table,
                        const char *rollout, int64_t start_ns, const struct canary__sheet *sheet,
                        canary_error *error);
/* The same, but entries that conflict are left out; how many events they counted is added to
 * `*refused`, and to the losses in the row. */
int canary__merge_what_fits(canary_store *measurements, void *transaction, int table,
                            const char *rollout, int64_t start_ns,
                            const struct canary__sheet *sheet, uint64_t *refused,
                            canary_error *error);

/* Adds samples of users to the row of a generation; with a damaged one in their place. */
int canary__merge_users(canary_store *measurements, void *transaction, const char *rollout,
                        uint64_t generation, const struct canary__sample users[2],
                        canary_error *error);

/* Reads the declaration of a metric (slots and stride stay 0); CANARY_E_NOT_FOUND, _CORRUPT. A read
 * transaction will do. */
int canary__merge_declaration(canary_store *measurements, void *transaction, const char *rollout,
                              const char *metric, struct canary__declared *out,
                              canary_error *error);
/* Declares a metric that is not known, answering 1 in `*declared`; CANARY_E_CONFLICT when it is known
 * with another kind, unit, range or resolution (thresholds may differ: theirs are added). */
int canary__merge_declare(canary_store *measurements, void *transaction, const char *rollout,
                          const struct canary__declared *metric, int *declared,
                          canary_error *error);

/* Events that a tally counts. */
uint64_t canary__merge_events(const struct canary__tally *tally);

#endif
