/* SPDX-License-Identifier: MIT */
/* The local cap against publication: one thread publishes as fast as it can, one caps, and what is shown
 * is never above the cap that was put, and in the end the lesser of the two. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/hooks.h"
#include "common.h"
#include "core/snapshot.h"

enum { SECONDS = 2, ROUNDS = 20000 };

static canary_ctx *ctx;
static atomic_int stop;
static atomic_ullong looked;

static void publish(uint64_t revision, uint32_t bp) {
    canary__snapshot_publish(
        ctx, &(struct canary__state){
                 .loaded = 1, .revision = revision, .percentage_bp = bp, .effective_bp = bp });
}

static uint32_t shown(uint32_t *percentage_bp) {
    canary_decision d = CANARY_DECISION_INIT;

    do {
        canary_explain(ctx, "u", 1, &d);
    } while (d.reason == CANARY_REASON_NOT_READY); /* it lost its slot 16 times over */
    CHECK(d.reason == (d.effective_bp % 10000 == 0 ? CANARY_REASON_STATIC : CANARY_REASON_SPLIT),
          "%s at %u", canary_reason_name(d.reason), d.effective_bp);
    *percentage_bp = d.percentage_bp;
    return d.effective_bp;
}

/* 0 and 100 % often: from below the cap to above it in one step. */
static uint32_t some(uint64_t n) {
    return n % 3 == 0 ? 0 : n % 3 == 1 ? 10000 : (uint32_t)(n * 2654435761u % 10001);
}

static void *publisher(void *unused) {
    uint64_t revision = 0;

    (void)unused;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        revision++;
        publish(revision, some(revision));
    }
    return NULL;
}

static void *reader(void *unused) {
    (void)unused;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        uint32_t percentage_bp;
        uint32_t effective_bp = shown(&percentage_bp);

        CHECK(effective_bp <= percentage_bp, "%u shown of %u", effective_bp, percentage_bp);
    }
    return NULL;
}

/* From the return of the call on nothing above the cap is seen. */
static void hold_under_publication(void) {
    int64_t end = now_ns() + SECONDS * INT64_C(1000000000);
    pthread_t threads[2];

    CHECK(pthread_create(&threads[0], NULL, publisher, NULL) == 0, "pthread_create");
    CHECK(pthread_create(&threads[1], NULL, reader, NULL) == 0, "pthread_create");
    for (uint64_t n = 1; now_ns() < end; n++) {
        uint32_t cap = some(n * 7);

        canary_limit(ctx, cap);
        for (int i = 0; i < 16; i++) {
            uint32_t percentage_bp;
            uint32_t effective_bp = shown(&percentage_bp);

            CHECK(effective_bp == (percentage_bp < cap ? percentage_bp : cap),
                  "%u shown of %u under a cap of %u", effective_bp, percentage_bp, cap);
            atomic_fetch_add_explicit(&looked, 1, memory_order_relaxed);
        }
    }
    atomic_store(&stop, 1);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

/* One publication and caps of two threads at the same moment, again and again. */
static atomic_ullong turn;
static atomic_int done;

static void *cap_in_turn(void *argument) {
    uint64_t mine = *(const uint64_t *)argument;

    for (uint64_t round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&turn) != round) {
            sched_yield();
        }
        if (mine == 1) {
            canary_limit(ctx, some(round * 5));
        } else {
            canary_kill(ctx);
            canary_revive(ctx);
        }
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static void meet(void) {
    static uint64_t which[2] = { 1, 2 };
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) {
        CHECK(pthread_create(&threads[i], NULL, cap_in_turn, &which[i]) == 0, "pthread_create");
    }
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uint32_t bp = some(round / 3 + round);
        uint32_t cap = some(round * 5);
        uint32_t percentage_bp;
        uint32_t effective_bp;

        atomic_store(&done, 0);
        atomic_store(&turn, round);
        publish(round, bp);
        while (atomic_load(&done) != 2) {
            sched_yield();
        }
        effective_bp = shown(&percentage_bp);
        CHECK(percentage_bp == bp && effective_bp == (bp < cap ? bp : cap),
              "round %llu: %u published, cap %u, %u shown", (unsigned long long)round, bp, cap,
              effective_bp);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

int main(void) {
    canary_options options = CANARY_OPTIONS_INIT;
    struct canary__hooks hooks;

    canary__hooks_init(&hooks, &options);
    ctx = canary__ctx_new(&hooks, &options, NULL, NULL);
    CHECK(ctx != NULL, "no context");
    publish(0, 0);
    hold_under_publication();
    canary_limit(ctx, 10000);
    meet();
    printf("%llu looks under caps, %d rounds\n", atomic_load(&looked), ROUNDS);
    canary__ctx_free(ctx);
    return 0;
}
