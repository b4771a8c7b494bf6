/* SPDX-License-Identifier: MIT */
/* One of the serving processes of examples/judged: decides, "serves", records. */
#include "judged.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { USERS = 200000 };

/* xorshift64*: the same traffic in each run. */
static uint64_t draw(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static double share(uint64_t *state) {
    return (double)(draw(state) >> 11) / (double)(UINT64_C(1) << 53);
}

static void serve(canary_ctx *ctx, struct scenario *scenario, uint64_t *random, int64_t now_ns) {
    canary_decision decision = CANARY_DECISION_INIT;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    char user[32];
    double rate = scenario->base;
    int size = snprintf(user, sizeof user, "user-%" PRIu64, draw(random) % USERS);

    canary_explain(ctx, user, (uint64_t)size, &decision);
    if (decision.cohort == CANARY_NEW && now_ns - scenario->begin_ns >= scenario->late_ns) {
        rate *= scenario->harm;
    }
    outcome.status = share(random) < rate ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
    /* Some 40 ms, with a tail. */
    outcome.duration_ns =
        (int64_t)(40e6 * exp(0.5 * (share(random) + share(random) + share(random) - 1.5)));
    canary_record(ctx, &decision, &outcome);
    if (rate > scenario->base && outcome.status != CANARY_STATUS_OK) {
        int64_t none = 0;

        atomic_fetch_add(&scenario->shared->harmed, 1);
        atomic_compare_exchange_strong(&scenario->shared->first_harm_ns, &none, now_ns);
    }
}

/* Notes when this process is on the old path for everybody. */
static void look(canary_ctx *ctx, struct scenario *scenario, int *flipped) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;

    canary_info(ctx, &info);
    if (info.effective_bp != 0) {
        *flipped = 0;
    } else if (!*flipped) {
        int64_t now_ns = scenario_clock(scenario, CANARY_CLOCK_REALTIME);
        int64_t last = atomic_load(&scenario->shared->last_flip_ns);

        while (last < now_ns &&
               !atomic_compare_exchange_weak(&scenario->shared->last_flip_ns, &last, now_ns)) {
        }
        *flipped = 1;
    }
}

int worker_serve(struct scenario *scenario, unsigned number) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15) * (number + 1);
    int64_t tick = scenario->begin_ns / CANARY_TICK_NS;
    double served = 0;
    int flipped = 0;

    scenario_options(scenario, &options);
    if (canary_open(scenario->db, scenario->rollout, &options, &ctx, &error) != CANARY_OK) {
        fprintf(stderr, "judged: worker %u: %s\n", number, error.message);
        atomic_store(&scenario->shared->delivered[number], INT64_MAX); /* wait for the others */
        return 1;
    }
    while (!atomic_load(&scenario->shared->stop)) {
        int64_t now_ns = scenario_clock(scenario, CANARY_CLOCK_REALTIME);
        double due = (double)(now_ns - scenario->begin_ns) / (double)CANARY_TICK_NS *
                     scenario->requests / WORKERS;

        look(ctx, scenario, &flipped);
        /* On a busy machine what was missed is not made up for: traffic is lower then. */
        if (due - served > (double)scenario->requests) {
            served = due;
        }
        for (; served < due; served++) {
            serve(ctx, scenario, &random, now_ns);
        }
        /* The library does this by itself every tick of real time; here a tick is over sooner. */
        if (now_ns / CANARY_TICK_NS != tick) {
            tick = now_ns / CANARY_TICK_NS;
            canary_flush(canary_ctx_store(ctx), NULL);
            atomic_store(&scenario->shared->delivered[number], tick);
        }
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    canary_close(&ctx);
    return 0;
}
