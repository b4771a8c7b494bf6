/* SPDX-License-Identifier: MIT */
/* Stored baselines. Hour 0 of the week is Monday 00:00 UTC; the row of hour -1 holds the sum of all and
 * tells about the baseline. */
#ifndef CANARY__BASELINE_H
#define CANARY__BASELINE_H

#include "observe/listing.h"

enum { CANARY__WEEK_HOURS = 168 };

/* Lists the figures of a rollout's baseline, all together or by hour of the week. Without a baseline
 * there are none. */
int canary__baseline_list(struct canary__listing *listing, int by_hour,
                          canary_metrics_report *report, canary_error *error);

#endif
