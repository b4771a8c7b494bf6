/* SPDX-License-Identifier: MIT */
/* A rollout under judgement, between store and gate: reads what is new, keeps what is known. A guard
 * holds one for each rollout, so that a round reads new ticks only; canary_evaluate() makes one anew. */
#ifndef CANARY__JUDGE_DOSSIER_H
#define CANARY__JUDGE_DOSSIER_H

#include "judge/gate.h"

/* Documents of a rollout. */
#define CANARY__DOCUMENT_STATE "judge/state"
#define CANARY__DOCUMENT_LEASE "judge/lease"
#define CANARY__DOCUMENT_LATEST "judge/latest"    /* the newest verdict, JSON */
#define CANARY__DOCUMENT_VERDICT "judge/verdict/" /* + at_ns as 20 digits: JSON */
#define CANARY__DOCUMENT_BREAKER "judge/breaker/" /* + at_ns as 20 digits, "-" and pid: JSON */

struct canary__dossier;

/* CANARY_E_NOMEM. */
int canary__dossier_open(canary_store *store, const char *rollout, struct canary__dossier **out,
                         canary_error *error);
void canary__dossier_close(struct canary__dossier **dossier);

/* Reads rollout, policy, stored state and new ticks, and judges. With `keep` the state is written, where
 * its version is still the one that was read (else it is read again, at most three times), and so is the
 * verdict where it belongs into the record. `*verdict` is the dossier's, valid until the next call; also
 * filled when an error is answered (HOLD, ERROR), unless the rollout is not there. */
int canary__dossier_judge(struct canary__dossier *dossier, int keep, const canary_verdict **verdict,
                          canary_error *error);

/* Keeps the last verdict in the record, whatever it says: somebody acted on it. */
int canary__dossier_record(struct canary__dossier *dossier, canary_error *error);

#endif
