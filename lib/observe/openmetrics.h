/* SPDX-License-Identifier: MIT */
/* The families that Prometheus reads, in four parts. docs/metrics.md has them in a table.
 *
 * Names of declared metrics become the value of the label `metric`, not part of a family's name: so
 * none of them, of any rollout and whatever its kind and unit, can meet a built-in family or another
 * metric, and every family has one type. */
#ifndef CANARY__OPENMETRICS_H
#define CANARY__OPENMETRICS_H

#include "observe/openmetrics_text.h"
#include "observe/scene.h"

typedef const struct canary__scene_rollout canary__exposed;

/* Writes one family's samples of one rollout. `which` is of the table that the family stands in. */
typedef void (*canary__openmetrics_fn)(struct canary__exposition *out, canary__exposed *of,
                                       size_t which);

/* One family of all rollouts. */
void canary__openmetrics_each(struct canary__exposition *out, const struct canary__scene *scene,
                              const struct canary__family *family, canary__openmetrics_fn write,
                              size_t which);

/* Begins a sample, with the labels that all of them have. `metric` may be NULL. */
void canary__openmetrics_begin(struct canary__exposition *out, const char *suffix,
                               canary__exposed *of);
void canary__openmetrics_begin_cohort(struct canary__exposition *out, const char *suffix,
                                      canary__exposed *of, int cohort, const char *metric);

/* What each rollout shows, what was counted, what was measured, and how that fares. */
void canary__openmetrics_state(struct canary__exposition *out, const struct canary__scene *scene);
void canary__openmetrics_counts(struct canary__exposition *out, const struct canary__scene *scene);
void canary__openmetrics_measures(struct canary__exposition *out,
                                  const struct canary__scene *scene);
void canary__openmetrics_recording(struct canary__exposition *out,
                                   const struct canary__scene *scene);

#endif
