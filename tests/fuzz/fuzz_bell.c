/* SPDX-License-Identifier: MIT */
/* Any bytes as the bell of a store: they are read, they lower or leave exposure, they can be
 * repaired. Signed with the store's secret they may raise it until the store was looked at, and no
 * longer. The first byte cuts the input in two bells, rung one after the other. */
#include "claim.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <canary/canary.h>
#include <canary/storage.h>

#include "base/hooks.h"
#include "control/news.h"
#include "storage/stores.h"

enum { USERS = 64 };

static char path[128];
static struct canary__hooks hooks;
static uint8_t before[USERS];

static const char *doorbell(void *store) {
    (void)store;
    return path;
}

static int secret(void *transaction, uint8_t *out, canary_error *error) {
    (void)transaction;
    (void)error;
    memset(out, 7, CANARY__SECRET);
    return CANARY_OK;
}

static void decide(canary_ctx *ctx, uint8_t *cohorts) {
    for (int i = 0; i < USERS; i++) {
        char id[16];

        snprintf(id, sizeof id, "user-%d", i);
        cohorts[i] = (uint8_t)canary_should_use_new(ctx, id);
    }
}

static void put_bell(const uint8_t *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    FUZZ_CLAIM(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

static canary_ctx *open_store(void) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "pay" };
    canary_storage_methods methods;
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    void *implementation;

    if (path[0] == '\0') {
        snprintf(path, sizeof path, "%s/canary-fuzz-bell-%d",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    }
    unlink(path);
    options.flags = CANARY_OPEN_NO_WATCHER;
    canary__hooks_init(&hooks, &options);
    FUZZ_CLAIM(canary__memory_open(&hooks, &methods, &implementation, NULL) == 0);
    methods.doorbell = doorbell;
    methods.secret = secret;
    FUZZ_CLAIM(canary_store_open_custom(&methods, implementation, &options, &store, NULL) == 0);
    FUZZ_CLAIM(canary_create(store, &spec, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_set_percentage(store, "pay", 5000, NULL, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_override_set(store, "pay", "user-3", 6, CANARY_NEW, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_open_in(store, "pay", &options, &ctx, NULL) == 0);
    decide(ctx, before);
    canary_store_close(&store);
    return ctx;
}

static void never_raised(canary_ctx *ctx) {
    uint8_t now[USERS];

    decide(ctx, now);
    for (int i = 0; i < USERS; i++) {
        FUZZ_CLAIM(now[i] <= before[i]);
    }
}

/* What a watcher does when it was woken. */
static void hear(canary_store *store) {
    canary__store_lock(store);
    store->tick_at = INT64_MAX;
    (void)canary__store_refresh(store, CANARY_SOURCE_BELL, 0, NULL);
    canary__store_unlock(store);
}

/* The bytes as news by somebody who has the secret; with `fitting` of the change that comes next. */
static void signed_news(canary_ctx *ctx, const uint8_t *bytes, size_t size, int fitting) {
    canary_store *store = canary_ctx_store(ctx);
    const struct canary__follower *f = store->followers;
    struct canary__bell_ringer ringer;
    struct canary__news news;

    memset(&news, 0, sizeof news);
    memcpy(&news, bytes, size < sizeof news ? size : sizeof news);
    if (fitting) {
        news.id = store->head_id + 1;
        news.revision = f->good.revision + 1;
        news.percentage_bp %= CANARY_BP_MAX + 1;
        news.stage = canary__row_stage_of(&f->good, news.percentage_bp);
        canary__row_digest_parse(store->head_hash, news.previous_hash);
        canary__row_digest_parse(f->good.checksum, news.row_before);
        news.phase[sizeof news.phase - 1] = '\0';
        memset(news.rollout, 0, sizeof news.rollout);
        memcpy(news.rollout, "pay", 3);
    }
    if (canary__bell_ringer_open(&ringer, path, NULL) != 0) {
        return;
    }
    canary__news_sign(&news, &ringer, store->secret);
    (void)canary__bell_ringer_ring(&ringer, path, &news, sizeof news, NULL);
    canary__bell_ringer_close(&ringer, path);
    hear(store);
    if (store->confirm_at != 0) {
        store->confirm_at = 1;
        hear(store);
    }
    FUZZ_CLAIM(store->confirm_at == 0);
    never_raised(ctx);
}

static void listen_to(canary_ctx *ctx, const uint8_t *bytes, size_t size) {
    canary_store *store = canary_ctx_store(ctx);
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_ctx *fresh = NULL;
    canary_options options = CANARY_OPTIONS_INIT;

    put_bell(bytes, size);
    hear(store);
    never_raised(ctx);
    (void)canary_refresh(store, NULL);
    never_raised(ctx);
    FUZZ_CLAIM(canary_info(ctx, &info) == 0);
    if (size < CANARY__BELL_SIZE) {
        FUZZ_CLAIM((info.kill_reasons & CANARY_KILL_BELL) != 0);
    }
    options.flags = CANARY_OPEN_NO_WATCHER;
    FUZZ_CLAIM(canary_open_in(store, "pay", &options, &fresh, NULL) == 0);
    never_raised(fresh);
    canary_close(&fresh);
    signed_news(ctx, bytes, size, 0);
    signed_news(ctx, bytes, size, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct canary__bell bell;
    static struct canary__bell_image image;
    canary_ctx *ctx;
    size_t cut;

    if (size == 0) {
        return 0;
    }
    ctx = open_store();
    cut = (size_t)data[0] * (size - 1) / 255;
    listen_to(ctx, data + 1, cut);
    listen_to(ctx, data + 1 + cut, size - 1 - cut);
    (void)canary_verify(canary_ctx_store(ctx), NULL, NULL, NULL, NULL);
    (void)canary_rollback(canary_ctx_store(ctx), "pay", 0, NULL, NULL, NULL);
    never_raised(ctx);
    (void)canary_refresh(canary_ctx_store(ctx), NULL);
    never_raised(ctx);

    FUZZ_CLAIM(canary__bell_repair(path, NULL) == 0);
    memset(&image, 0, sizeof image);
    canary__bell_init(&bell, path);
    canary__bell_read(&bell, 1, &image);
    FUZZ_CLAIM(image.present && image.damaged == 0);
    canary__bell_close(&bell);
    canary_close(&ctx);
    unlink(path);
    return 0;
}
