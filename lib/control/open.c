/* SPDX-License-Identifier: MIT */
/* Opening and closing contexts, and telling how fresh they are. */
#include <canary/canary.h>

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/environment.h"
#include "control/follow.h"
#include "control/options.h"
#include "core/hash.h"

enum { BUSY_STEP_NS = 200000 };

/* First decision in a forked child. A watcher that cannot be started shows in canary_info(). */
static void after_fork(void *owner) {
    struct canary__follower *follower = owner;

    (void)canary__watcher_start(follower->store, NULL);
}

static void follower_free(struct canary__follower *follower) {
    canary__ctx_free(follower->ctx);
    canary__free(&follower->store->hooks, follower, sizeof *follower);
}

static struct canary__follower *follower_new(canary_store *store, const char *rollout,
                                             const canary_options *options) {
    struct canary__follower *follower = canary__alloc(&store->hooks, sizeof *follower);

    if (follower == NULL) {
        return NULL;
    }
    follower->store = store;
    canary__text_copy(follower->name, sizeof follower->name, rollout);
    follower->bell_key = canary__bell_key(rollout);
    follower->killed_by_environment = canary__environment_kills(rollout);
    follower->good_flag = -1;
    follower->good_flag_at = INT64_MIN;
    follower->ctx = canary__ctx_new(&store->hooks, options, after_fork, follower);
    if (follower->ctx == NULL) {
        follower_free(follower);
        return NULL;
    }
    return follower;
}

/* Once for each context rather than once for each process: logs belong to stores. */
static void log_hash(canary_store *store) {
    struct canary__hash_choice choice;

    canary__hash_chosen(&choice);
    for (size_t i = 0; i < canary__hash_kernel_count; i++) {
        if ((choice.dropped & canary__hash_kernels[i].mark) != 0) {
            canary__log(&store->hooks, CANARY_LOG_ERROR,
                        "canary: SHA-256 by \"%s\" gave wrong answers on this machine and is not "
                        "used; have the processor looked at",
                        canary__hash_kernels[i].name);
        }
    }
    if (choice.refused) {
        canary__log(&store->hooks, CANARY_LOG_WARNING,
                    "canary: CANARY_SHA256 names no way to hash that can be used here; \"%s\" is "
                    "used, and \"%s\" for many users",
                    choice.one->name, choice.many->name);
    }
}

static void unlink_follower(struct canary__follower *follower) {
    canary_store *store = follower->store;
    struct canary__follower **place = &store->followers;
    int others = 0;

    canary__store_keep(store);
    canary__store_lock(store);
    while (*place != follower) {
        place = &(*place)->next;
    }
    *place = follower->next;
    for (const struct canary__follower *f = store->followers; f != NULL && !others; f = f->next) {
        others = strcmp(f->name, follower->name) == 0;
    }
    canary__store_unlock(store);
    if (canary__store_upper(store) != NULL) {
        canary__store_upper(store)->leaves(follower, others);
    }
    canary__store_let_go(store);
}

/* Reads the first state, asking a locked store again until the deadline. */
static int first_read(struct canary__follower *follower, int wait, canary_error *error) {
    canary_store *store = follower->store;
    const struct timespec step = { 0, BUSY_STEP_NS };
    int64_t deadline = canary__store_machine_ns() + (wait ? store->busy_ns : 0);
    canary_error own = canary__fail_none;

    for (;;) {
        int code;

        canary__store_lock(store);
        code = canary__store_refresh(store, CANARY_SOURCE_OPEN, 1, &own);
        /* Another rollout's trouble is not this one's. */
        if (follower->loaded) {
            code = CANARY_OK;
        } else if (code == CANARY_OK) {
            canary__log(&store->hooks, CANARY_LOG_WARNING,
                        "canary: \"%s\" was changed outside libcanary and nothing of it can be "
                        "believed: everybody gets `old` until `canaryctl accept`",
                        follower->name);
        }
        canary__store_unlock(store);
        if (code != CANARY_E_BUSY || canary__store_machine_ns() >= deadline) {
            if (code != CANARY_OK && wait) {
                canary__fail_copy(error, &own);
            }
            return code;
        }
        nanosleep(&step, NULL);
    }
}

int canary_open_in(canary_store *store, const char *rollout, const canary_options *options,
                   canary_ctx **out, canary_error *error) {
    canary_options admitted;
    struct canary__follower *follower;
    int deferred;
    int code = canary__options_admit(options, &admitted, error);

    if (code != CANARY_OK) {
        return code;
    }
    if (store == NULL || out == NULL || !canary__text_is_name(rollout, CANARY_NAME_MAX)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "canary_open_in: store or out is NULL, or the name \"%.140s\" is not 1 "
                            "to 128 of A-Z a-z 0-9 . _ -",
                            rollout == NULL ? "(null)" : rollout);
    }
    log_hash(store); /* and no decision has to make the choice */
    deferred = (admitted.flags & CANARY_OPEN_DEFER) != 0;
    follower = follower_new(store, rollout, &admitted);
    if (follower == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "out of memory for a context");
    }
    canary__store_lock(store);
    store->references++;
    follower->next = store->followers;
    store->followers = follower;
    /* Of a rollout that nobody has read yet an unmoved token says nothing, and another thread may
     * look before this one does. */
    store->token_known = 0;
    canary__store_unlock(store);
    code = first_read(follower, !deferred, error);
    if (code == CANARY_OK || deferred) {
        code = canary__watcher_start(store, error);
    }
    if (code != CANARY_OK) {
        unlink_follower(follower);
        follower_free(follower);
        canary__store_release(store);
        return code;
    }
    *out = follower->ctx;
    return CANARY_OK;
}

int canary_open(const char *path, const char *rollout, const canary_options *options,
                canary_ctx **out, canary_error *error) {
    canary_store *store = NULL;
    int code = canary_store_open(path, options, &store, error);

    if (code == CANARY_OK) {
        code = canary_open_in(store, rollout, options, out, error);
        canary_store_close(&store); /* the context holds it from here on */
    }
    return code;
}

static struct canary__follower *follower_of(canary_ctx *ctx) {
    return canary__ctx_cold(ctx)->owner;
}

void canary_close(canary_ctx **ctx) {
    struct canary__follower *follower;
    canary_store *store;

    if (ctx == NULL || *ctx == NULL) {
        return;
    }
    follower = follower_of(*ctx);
    *ctx = NULL;
    store = follower->store;
    unlink_follower(follower);
    if (canary__store_upper(store) != NULL) {
        canary__store_upper(store)->closed(follower);
    }
    follower_free(follower);
    canary__store_release(store);
}

canary_store *canary_ctx_store(canary_ctx *ctx) {
    return ctx == NULL ? NULL : follower_of(ctx)->store;
}

static int hook_kills(canary_ctx *ctx) {
    struct canary__cold *cold = canary__ctx_cold(ctx);

    return cold->kill_switch != NULL && cold->kill_switch(cold->kill_switch_data) != 0;
}

static void info_hash(canary_ctx_info *info) {
    struct canary__hash_choice choice;

    canary__hash_chosen(&choice);
    canary__text_copy(info->hash_kernel, sizeof info->hash_kernel, choice.one->name);
    canary__text_copy(info->hash_many_kernel, sizeof info->hash_many_kernel, choice.many->name);
    info->hash_dropped = choice.dropped;
    info->hash_refused = (uint32_t)choice.refused;
}

int canary_info(canary_ctx *ctx, canary_ctx_info *out) {
    canary_ctx_info info = { .size = (uint32_t)sizeof info };
    struct canary__follower *f;
    struct canary__cold *cold;
    canary_store *store;
    int64_t confirmed;
    int killed;

    if (ctx == NULL || out == NULL ||
        out->size < offsetof(canary_ctx_info, last_message) + sizeof out->last_message) {
        return CANARY_E_INVALID;
    }
    info_hash(&info);
    /* In a child that has not decided yet this puts back the inherited state and starts its
     * watcher, as a decision would. */
    (void)canary__snapshot_word(ctx);
    cold = canary__ctx_cold(ctx);
    killed = hook_kills(ctx); /* the program's code runs without our lock */
    f = follower_of(ctx);
    store = f->store;
    canary__store_lock(store);
    confirmed = atomic_load_explicit(&cold->confirmed_ns, memory_order_relaxed);
    if (confirmed >= 0) {
        int64_t age = canary__now(&store->hooks, CANARY_CLOCK_MONOTONIC) - confirmed;

        info.age_ns = age > 0 ? age : 0;
    } else {
        info.age_ns = -1;
    }
    info.source = f->loaded ? f->source : CANARY_SOURCE_NONE;
    info.revision = f->shown.revision;
    info.stage = f->shown.stage;
    info.percentage_bp = f->shown.percentage_bp;
    info.kill_reasons = canary__follow_kills(f) | (killed ? CANARY_KILL_HOOK : 0);
    if (atomic_load_explicit(&cold->killed_local, memory_order_relaxed) != 0) {
        info.kill_reasons |= CANARY_KILL_LOCAL;
    }
    info.effective_bp = canary__snapshot_limited(ctx, f->shown.effective_bp);
    if (info.kill_reasons != 0) {
        info.effective_bp = 0;
    }
    if (cold->stale_after_ns > 0 && info.age_ns > cold->stale_after_ns) {
        info.effective_bp = 0;
    }
    info.doubt = canary__follow_doubt(f);
    info.last_error = store->last_error;
    info.watcher = atomic_load_explicit(&store->page->watcher, memory_order_acquire) != 0 ? 1 : 0;
    info.bell = store->image.present && store->bell.word != NULL;
    info.publications = f->publications;
    info.overrides_new = f->pins_new;
    info.overrides_old = f->pins_old;
    canary__text_copy(info.rollout, sizeof info.rollout, f->name);
    canary__text_copy(info.stage_name, sizeof info.stage_name, f->good.phase);
    canary__text_copy(info.salt, sizeof info.salt, f->good.salt);
    canary__text_copy(info.store, sizeof info.store, store->methods.name);
    canary__text_copy(info.last_message, sizeof info.last_message, store->last_message);
    canary__store_unlock(store);
    canary__sized_out(out, &info, sizeof info);
    return CANARY_OK;
}
