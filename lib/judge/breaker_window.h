/* SPDX-License-Identifier: MIT */
/* What the new cohort lived through lately, of cumulative counts that are looked at now and then. */
#ifndef CANARY__JUDGE_BREAKER_WINDOW_H
#define CANARY__JUDGE_BREAKER_WINDOW_H

#include <stdint.h>

enum {
    CANARY__BREAKER_STEPS = 20, /* looks in a window */
    CANARY__BREAKER_SAMPLES =
        64, /* that are kept; at half a step from each other they fill a window */
};

/* One look: how many until then. */
struct canary__breaker_sample {
    int64_t at_ns;
    uint64_t outcomes;
    uint64_t failures;
};

struct canary__breaker_window {
    int64_t window_ns;
    uint32_t newest; /* index in samples */
    uint32_t count;
    struct canary__breaker_sample samples[CANARY__BREAKER_SAMPLES];
};

/* Forgets what came before `sample`. */
void canary__breaker_window_start(struct canary__breaker_window *window, int64_t window_ns,
                                  const struct canary__breaker_sample *sample);

/* Adds a look. A clock or count that goes back begins anew. */
void canary__breaker_window_add(struct canary__breaker_window *window,
                                const struct canary__breaker_sample *sample);

/* Outcomes and failures of the window. It ends at the newest look and is two steps shorter than its name:
 * one for what happened between two looks, one for a thread that comes late. So what goes on for a whole
 * window fills it within that time. What was counted since the look before belongs to it in any case,
 * however long ago that was. */
void canary__breaker_window_sum(const struct canary__breaker_window *window, uint64_t *outcomes,
                                uint64_t *failures);

#endif
