/* SPDX-License-Identifier: MIT */
/* What a process has open, decided and recorded in one store, at one moment: taken under locks, so
 * that it can be written out without any. */
#ifndef CANARY__SCENE_H
#define CANARY__SCENE_H

#include "control/store.h"
#include "observe/recorder.h"

/* One rollout. Several contexts of it are one: counts are added up, and of their states it has the most
 * cautious. Of metrics that they declared differently it has the oldest open
 * context's. */
struct canary__scene_rollout {
    canary_ctx_info info;
    canary_recording_info recording;
    struct canary__sheet sheet;       /* generation 0 */
    struct canary__declared duration; /* thresholds of the built-in one */
    struct canary__declared *metrics;
    uint32_t metric_count;
};

/* All zeros is an empty one. */
struct canary__scene {
    struct canary__scene_rollout *rollouts; /* by name */
    uint32_t count;
    uint32_t capacity;
};

/* What one context counted, into an empty one, but for its state. `leaves` as for
 * canary__observation_take(). CANARY_E_NOMEM; free what there is. */
int canary__scene_counts(const struct canary__hooks *hooks, canary_ctx *ctx, int leaves,
                         struct canary__scene_rollout *out);
/* Adds counts of one rollout, but for the state. CANARY_E_NOMEM. */
int canary__scene_add(const struct canary__hooks *hooks, struct canary__scene_rollout *to,
                      const struct canary__scene_rollout *from);
void canary__scene_rollout_free(const struct canary__hooks *hooks,
                                struct canary__scene_rollout *rollout);

/* CANARY_E_NOMEM leaves it empty. */
int canary__scene_take(canary_store *store, struct canary__scene *scene);
void canary__scene_free(const struct canary__hooks *hooks, struct canary__scene *scene);

#endif
