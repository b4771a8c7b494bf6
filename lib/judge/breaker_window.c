/* SPDX-License-Identifier: MIT */
#include "judge/breaker_window.h"

#include <string.h>

static const struct canary__breaker_sample *before(const struct canary__breaker_window *window,
                                                   uint32_t back) {
    return &window->samples[(window->newest + CANARY__BREAKER_SAMPLES - back) %
                            CANARY__BREAKER_SAMPLES];
}

void canary__breaker_window_start(struct canary__breaker_window *window, int64_t window_ns,
                                  const struct canary__breaker_sample *sample) {
    memset(window, 0, sizeof *window);
    window->window_ns = window_ns;
    window->count = 1;
    window->samples[0] = *sample;
}

void canary__breaker_window_add(struct canary__breaker_window *window,
                                const struct canary__breaker_sample *sample) {
    const struct canary__breaker_sample *last = before(window, 0);

    if (sample->at_ns < last->at_ns || sample->outcomes < last->outcomes ||
        sample->failures < last->failures) {
        canary__breaker_window_start(window, window->window_ns, sample);
        return;
    }
    /* Looks may come fast where the clock is slow: one of two close ones is enough, and the samples
     * reach back for a whole window. The first stays, since nothing reaches back behind it. */
    if (window->count > 1 &&
        last->at_ns - before(window, 1)->at_ns < window->window_ns / (2 * CANARY__BREAKER_STEPS)) {
        window->samples[window->newest] = *sample;
        return;
    }
    window->newest = (window->newest + 1) % CANARY__BREAKER_SAMPLES;
    window->samples[window->newest] = *sample;
    if (window->count < CANARY__BREAKER_SAMPLES) {
        window->count++;
    }
}

void canary__breaker_window_sum(const struct canary__breaker_window *window, uint64_t *outcomes,
                                uint64_t *failures) {
    const struct canary__breaker_sample *last = before(window, 0);
    const struct canary__breaker_sample *first = before(window, window->count > 1 ? 1 : 0);
    int64_t reach = window->window_ns - 2 * (window->window_ns / CANARY__BREAKER_STEPS);

    for (uint32_t back = 2; back < window->count; back++) {
        const struct canary__breaker_sample *sample = before(window, back);

        if (last->at_ns - sample->at_ns > reach) {
            break;
        }
        first = sample;
    }
    *outcomes = last->outcomes - first->outcomes;
    *failures = last->failures - first->failures;
}
