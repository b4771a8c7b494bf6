/* SPDX-License-Identifier: MIT */
/* The published state alone, at a rate that no store reaches: one thread publishes as fast as it
 * can, so that readers lose their slot all the time, and every field follows from the revision. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/hooks.h"
#include "common.h"
#include "core/hash.h"
#include "core/pins.h"
#include "core/snapshot.h"

enum { READERS = 3, SECONDS = 3, PINS_MAX = 40 };

static canary_ctx *ctx;
static atomic_int stop;
static atomic_ullong answered;
static atomic_ullong gave_up;
static char always_new[32];
static char always_old[32];
static char ids[PINS_MAX][32];

static uint32_t percentage_of(uint64_t revision) {
    return 1 + (uint32_t)(revision * 2654435761u % 9998);
}

static int32_t stage_of(uint64_t revision) {
    return (int32_t)(revision * 40503u % 31);
}

/* Where a reader has no luck 16 times over, it answers `old` and NOT_READY: allowed, but rare. */
static void explain(const char *id, int pinned, uint64_t *last) {
    canary_decision d = CANARY_DECISION_INIT;

    canary_explain(ctx, id, strlen(id), &d);
    if (d.reason == CANARY_REASON_NOT_READY) {
        CHECK(d.cohort == CANARY_OLD, "not ready and new");
        atomic_fetch_add(&gave_up, 1);
        return;
    }
    CHECK(d.percentage_bp == percentage_of(d.revision) && d.stage == stage_of(d.revision),
          "revision %llu with %u bp and stage %d", (unsigned long long)d.revision, d.percentage_bp,
          d.stage);
    CHECK(d.effective_bp == d.percentage_bp, "effective %u of %u", d.effective_bp, d.percentage_bp);
    CHECK(d.revision >= *last, "revision went back");
    *last = d.revision;
    if (pinned >= 0) {
        CHECK(d.reason == CANARY_REASON_OVERRIDE && d.cohort == pinned, "%s: %s, cohort %d", id,
              canary_reason_name(d.reason), d.cohort);
    } else if (d.reason != CANARY_REASON_OVERRIDE) {
        CHECK(d.reason == CANARY_REASON_SPLIT && d.cohort == (d.bucket < d.effective_bp),
              "%s: %s, bucket %u at %u is %d", id, canary_reason_name(d.reason), d.bucket,
              d.effective_bp, d.cohort);
    } else {
        CHECK(d.cohort == CANARY_OLD, "%s is pinned to new", id);
    }
}

static void *reader(void *unused) {
    uint64_t last = 0;

    (void)unused;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        uint8_t cohorts[3];
        const canary_user list[3] = { { always_new, strlen(always_new) },
                                      { "free", 4 },
                                      { always_old, strlen(always_old) } };

        explain(always_new, CANARY_NEW, &last);
        explain(always_old, CANARY_OLD, &last);
        explain("free", -1, &last);
        explain(ids[last % PINS_MAX], -1, &last);
        canary_decide_many(ctx, list, 3, cohorts);
        /* All three `old`: it gave up. */
        CHECK(cohorts[2] == 0 && (cohorts[0] == 1 || cohorts[1] == 0), "batch %d %d %d", cohorts[0],
              cohorts[1], cohorts[2]);
        atomic_fetch_add_explicit(&answered, 4, memory_order_relaxed);
    }
    return NULL;
}

/* Sets of 2 to PINS_MAX pins, built in whatever block is free: small ones into large old blocks. */
static struct canary__pins *build(uint64_t revision) {
    struct canary__pin pins[PINS_MAX + 2];
    uint64_t count = revision % PINS_MAX;
    uint64_t bytes = 0;
    struct canary__pins *block;

    memset(pins, 0, sizeof pins);
    for (uint64_t i = 0; i < count + 2; i++) {
        const char *id = i == count ? always_new : i == count + 1 ? always_old : ids[i];

        pins[i].id = id;
        pins[i].size = strlen(id);
        pins[i].cohort = i == count ? CANARY_NEW : CANARY_OLD;
        pins[i].hash = canary__hash_one(&canary__hash_plain, id, strlen(id));
        bytes += (pins[i].size + 7) / 8 * 8;
    }
    block = canary__snapshot_block(ctx, canary__pins_words(count + 2, bytes));
    CHECK(block != NULL, "no block");
    canary__pins_build(block, pins, count + 2);
    return block;
}

int main(void) {
    canary_options options = CANARY_OPTIONS_INIT;
    struct canary__hooks hooks;
    pthread_t threads[READERS];
    int64_t end = now_ns() + SECONDS * INT64_C(1000000000);
    struct canary__pins *pins;
    uint64_t revision = 0;

    canary__hooks_init(&hooks, &options);
    ctx = canary__ctx_new(&hooks, &options, NULL, NULL);
    CHECK(ctx != NULL, "no context");
    user_in("", 9999, 10000, 1, always_new, sizeof always_new);
    user_in("", 0, 1, 2, always_old, sizeof always_old);
    for (int i = 0; i < PINS_MAX; i++) {
        snprintf(ids[i], sizeof ids[i], "pin-%d", i);
    }
    pins = build(0);
    for (int i = -1; i < READERS; i++) {
        if (i >= 0) {
            CHECK(pthread_create(&threads[i], NULL, reader, NULL) == 0, "pthread_create");
            continue;
        }
        canary__snapshot_publish(ctx, &(struct canary__state){ .loaded = 1,
                                                               .stage = stage_of(0),
                                                               .percentage_bp = percentage_of(0),
                                                               .effective_bp = percentage_of(0),
                                                               .pins = pins });
    }
    while (now_ns() < end) {
        for (int i = 0; i < 1000; i++) {
            struct canary__state state = { .loaded = 1 };

            revision++;
            /* Mostly the percentage alone moves; every so often the overrides. */
            if (revision % 8 == 0) {
                pins = build(revision);
            }
            state.stage = stage_of(revision);
            state.percentage_bp = percentage_of(revision);
            state.effective_bp = state.percentage_bp;
            state.revision = revision;
            state.pins = pins;
            canary__snapshot_publish(ctx, &state);
            if (revision % 128 == 0) {
                sleep_us(1); /* readers are to see something, too */
            }
        }
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(atomic_load(&answered) > 1000, "only %llu answers", atomic_load(&answered));
    CHECK(atomic_load(&gave_up) * 1000 < atomic_load(&answered), "%llu of %llu gave up",
          atomic_load(&gave_up), atomic_load(&answered));
    printf("%llu states published, %llu answers, %llu gave up\n", (unsigned long long)revision,
           atomic_load(&answered), atomic_load(&gave_up));
    canary__ctx_free(ctx);
    return 0;
}
