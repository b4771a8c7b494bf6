/* SPDX-License-Identifier: MIT */
/* Contexts of one store, and whole stores, opened and closed from many threads while the watcher
 * follows another handle's changes. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

enum { SECONDS = 4, OPENERS = 3 };

static const char *const names[] = { "one", "two", "three" };
static const char *path;
static canary_store *shared;
static atomic_int stop;
static atomic_int opened;
static atomic_int changes;
static char low[48];
static char high[48];

static void look(canary_ctx *ctx) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_decision d = CANARY_DECISION_INIT;

    CHECK(canary_should_use_new(ctx, low) == CANARY_NEW, "low user");
    CHECK(canary_should_use_new(ctx, high) == CANARY_OLD, "high user");
    CHECK(canary_explain(ctx, low, strlen(low), &d) == CANARY_OK, "explain");
    CHECK(d.reason == CANARY_REASON_SPLIT, "reason %s", canary_reason_name(d.reason));
    CHECK(canary_info(ctx, &info) == CANARY_OK, "info");
    CHECK(info.revision >= d.revision, "info shows revision %llu after %llu",
          (unsigned long long)info.revision, (unsigned long long)d.revision);
    CHECK(info.doubt == 0 && info.kill_reasons == 0, "doubt %u, kills %u", info.doubt,
          info.kill_reasons);
}

static void *open_contexts(void *argument) {
    const char *name = argument;

    while (!atomic_load(&stop)) {
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *ctx = NULL;
        canary_ctx *second = NULL;

        MUST(canary_open_in(shared, name, NULL, &ctx, &error), error);
        look(ctx);
        MUST(canary_open_in(shared, names[0], NULL, &second, &error), error);
        look(second);
        canary_close(&ctx);
        look(second);
        canary_close(&second);
        atomic_fetch_add(&opened, 1);
    }
    return NULL;
}

static void *open_stores(void *unused) {
    canary_options options = patient();

    (void)unused;
    while (!atomic_load(&stop)) {
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *ctx = NULL;

        MUST(canary_open(path, names[1], &options, &ctx, &error), error);
        look(ctx);
        if (atomic_load(&opened) % 3 == 0) {
            sleep_us(2000); /* time for its watcher to see something */
        }
        look(ctx);
        canary_close(&ctx);
        atomic_fetch_add(&opened, 1);
    }
    return NULL;
}

static void *refresh(void *unused) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;

    (void)unused;
    while (!atomic_load(&stop)) {
        canary_error error = CANARY_ERROR_INIT;
        int code = canary_refresh(shared, &error);

        CHECK(code == CANARY_OK || code == CANARY_E_BUSY, "refresh: %s", error.message);
        sleep_us(500);
    }
    (void)info;
    return NULL;
}

static void *operate(void *unused) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *own = NULL;
    uint64_t random = test_seed();

    (void)unused;
    options.flags = CANARY_OPEN_NO_WATCHER;
    MUST(canary_store_open(path, &options, &own, &error), error);
    while (!atomic_load(&stop)) {
        uint32_t to = 1000 + (uint32_t)(next_random(&random) % 8001);

        MUST(canary_set_percentage(own, names[next_random(&random) % 3], to, NULL, NULL, NULL,
                                   &error),
             error);
        atomic_fetch_add(&changes, 1);
    }
    canary_store_close(&own);
    return NULL;
}

static int hardly_anything(void) {
    return atomic_load(&opened) <= 5 || atomic_load(&changes) <= 5;
}

int main(void) {
    pthread_t threads[OPENERS + 4];
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *kept = NULL;
    int descriptors;

    path = path_in("db");
    user_in("", 0, 1000, 1, low, sizeof low);
    user_in("", 9000, 10000, 2, high, sizeof high);
    shared = make_store(path, names[0], 5000);
    for (int i = 1; i < 3; i++) {
        canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = names[i] };

        MUST(canary_create(shared, &spec, NULL, NULL, &error), error);
        MUST(canary_set_percentage(shared, names[i], 5000, NULL, NULL, NULL, &error), error);
    }
    /* What a store keeps open it has open from the first look on. */
    MUST(canary_open_in(shared, names[2], NULL, &kept, &error), error);
    MUST(canary_refresh(shared, &error), error);
    descriptors = count_descriptors();
    for (int i = 0; i < 50; i++) {
        int now = count_descriptors();

        descriptors = now < descriptors ? now : descriptors; /* between the watcher's looks */
        sleep_us(1000);
    }
    for (int i = 0; i < OPENERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, open_contexts, (void *)(uintptr_t)names[i]) == 0,
              "pthread_create");
    }
    CHECK(pthread_create(&threads[OPENERS], NULL, open_stores, NULL) == 0, "pthread_create");
    CHECK(pthread_create(&threads[OPENERS + 1], NULL, open_stores, NULL) == 0, "pthread_create");
    CHECK(pthread_create(&threads[OPENERS + 2], NULL, refresh, NULL) == 0, "pthread_create");
    CHECK(pthread_create(&threads[OPENERS + 3], NULL, operate, NULL) == 0, "pthread_create");
    for (int64_t began = now_ns();
         now_ns() - began < SECONDS * INT64_C(1000000000) ||
         (hardly_anything() && now_ns() - began < PATIENCE_S * INT64_C(1000000000));) {
        look(kept);
        sleep_us(200);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < OPENERS + 4; i++) {
        pthread_join(threads[i], NULL);
    }
    /* The watcher may just be in the middle of a look. */
    for (int i = 0; count_descriptors() != descriptors && i < PATIENCE_MS; i++) {
        sleep_us(1000);
    }
    CHECK(count_descriptors() == descriptors, "%d descriptors, %d before", count_descriptors(),
          descriptors);
    CHECK(!hardly_anything(), "%d opened, %d changes", atomic_load(&opened), atomic_load(&changes));
    printf("%d opened and closed, %d changes\n", atomic_load(&opened), atomic_load(&changes));
    /* The last context outlives the store's own handle. */
    canary_store_close(&shared);
    look(kept);
    canary_close(&kept);
    return 0;
}
