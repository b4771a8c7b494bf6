/* SPDX-License-Identifier: MIT */
/* Stored baselines. Hour 0 of the week is Monday 00:00 UTC; the row of hour -1 holds the sum of all and
 * tells about the baseline. */
#ifndef CANARY__BASELINE_H
#define CANARY__BASELINE_H

#include "observe/listing.h"

enum {
    CANARY__WEEK_HOURS = 168,
    CANARY__WEEK_FIRST = 72, /* hour of the week in which 1970 began: a Thursday's */
};

/* Lists the figures of a rollout's baseline, all together or by hour of the week, of those hours of the
 * week that the time of `query` touches. Without a baseline there are none. */
int canary__baseline_list(struct canary__listing *listing, const canary_metrics_query *query,
                          canary_metrics_report *report, canary_error *error);

#endif
