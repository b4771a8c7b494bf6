/* SPDX-License-Identifier: MIT */
/* A store with some history, edits of its file by hand, and what verify says to them. */
#ifndef UNIT_TAMPER_H
#define UNIT_TAMPER_H

#include "support.h"

#define BIT(kind) (1u << (kind))
#define GAP BIT(CANARY_FINDING_GAP)
#define LINK BIT(CANARY_FINDING_LINK)
#define HASH BIT(CANARY_FINDING_HASH)
#define ROLLOUT BIT(CANARY_FINDING_ROLLOUT)
#define FLAG BIT(CANARY_FINDING_FLAG)
#define OVERRIDES BIT(CANARY_FINDING_OVERRIDES)
#define HEAD BIT(CANARY_FINDING_HEAD)
#define STORE BIT(CANARY_FINDING_STORE)
#define BELL BIT(CANARY_FINDING_BELL)
#define TIME BIT(CANARY_FINDING_TIME)

/* "a" stands at 25 % with three pins and its own flag, "b" at 50 % with the flag "shared", and nobody
 * obeys the flag "alone"; the trail has 12 rows, the last one of "a". Beside it, for edits, are tables of
 * an earlier moment: `old_rollouts`, `old_flags`. For cmocka_run_group_tests(). */
int tamper_begin(void **state);
int tamper_end(void **state);

/* A copy of that store, open. */
struct unit *tamper_scene(void);

/* Runs SQL on the file, past the triggers that guard the trail, as somebody would who may write the file.
 * rehash(id) signs a row of the trail. */
void tamper_by_hand(struct unit *unit, const char *sql);

struct found {
    unsigned kinds; /* set of BIT(CANARY_FINDING_...) */
    unsigned count;
    unsigned stop_at;  /* ends the telling after so many */
    const char *about; /* NULL, or what some message shall hold */
    int told;          /* it did */
};

/* A canary_finding_fn that holds each finding against its documentation. */
int tamper_collect(void *user_data, const canary_finding *finding);

struct found tamper_verify(canary_store *store, const char *about);

#endif
