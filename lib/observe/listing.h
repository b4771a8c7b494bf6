/* SPDX-License-Identifier: MIT */
/* Sheets as rows for the callback of canary_metrics(): gathered while the store is locked, handed out
 * when it is not. */
#ifndef CANARY__LISTING_H
#define CANARY__LISTING_H

#include "control/rows.h"
#include "observe/sheet.h"

struct canary__listing {
    canary_store *measurements;
    const char *rollout;
    const char *metric; /* this one only; NULL = all */
    canary_metrics_fn callback;
    void *user_data;
    struct canary__rows rows;
    struct canary__rows buckets; /* of their durations */
    struct canary__rows units;   /* of metrics that were looked up */
};

#define CANARY__LISTING_ENDED 1 /* the callback wants no more */

/* Adds what `generation` of the sheet says of the time from `from_ns` until `to_ns`. */
int canary__listing_add(struct canary__listing *listing, const struct canary__sheet *sheet,
                        uint64_t generation, int64_t from_ns, int64_t to_ns, canary_error *error);
/* Hands out what was added since the last time. No lock may be held. */
int canary__listing_hand(struct canary__listing *listing, canary_error *error);
void canary__listing_free(struct canary__listing *listing);

#endif
