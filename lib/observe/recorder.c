/* SPDX-License-Identifier: MIT */
/* The life of an observer. */
#include "observe/recorder.h"

#include <string.h>
#include <sys/mman.h>

#include "base/page.h"
#include "control/store.h"
#include "observe/observation.h"

/* A region of mostly untouched slots must not become resident by two megabytes at a time. */
static void *wiped_pages(size_t size) {
    void *pages = canary__page_new(size);

#ifdef MADV_NOHUGEPAGE
    if (pages != NULL) {
        (void)madvise(pages, size, MADV_NOHUGEPAGE);
    }
#endif
    return pages;
}

void *canary__observer_slots(uint32_t stride) {
    return wiped_pages((size_t)stride * (CANARY__SLOTS + CANARY__SLOTS_GATHERING));
}

static size_t slots_size(const struct canary__declared *metric) {
    return (size_t)metric->stride * (CANARY__SLOTS + CANARY__SLOTS_GATHERING);
}

void canary__observer_free(struct canary__observer *observer) {
    if (observer == NULL) {
        return;
    }
    for (uint32_t i = 0; i < CANARY_METRICS_MAX; i++) {
        canary__page_free(observer->metrics[i].slots, slots_size(&observer->metrics[i]));
    }
    canary__page_free(observer->shards, sizeof *observer->shards);
    munmap(observer, sizeof *observer);
}

/* By mmap rather than by the allocator: a record may be the first thing that a thread does which the
 * program's allocator must not be called from. */
static struct canary__observer *observer_new(canary_ctx *ctx) {
    struct canary__observer *observer =
        mmap(NULL, sizeof *observer, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (observer == MAP_FAILED) {
        return NULL;
    }
    observer->ctx = ctx;
    observer->hooks = canary__ctx_cold(ctx)->hooks;
    observer->shards = wiped_pages(sizeof *observer->shards);
    if (observer->shards == NULL) {
        munmap(observer, sizeof *observer);
        return NULL;
    }
    return observer;
}

struct canary__observer *canary__observer_of(canary_ctx *ctx) {
    return atomic_load_explicit(&canary__ctx_cold(ctx)->observer, memory_order_acquire);
}

struct canary__observer *canary__observer_make(canary_ctx *ctx) {
    struct canary__cold *cold = canary__ctx_cold(ctx);
    void *none = NULL;
    struct canary__observer *observer = atomic_load_explicit(&cold->observer, memory_order_acquire);

    if (observer == NULL) {
        struct canary__observer *made = observer_new(ctx);

        if (made == NULL) {
            /* What is dropped is counted, and to be asked for when the context is closed. */
            if (canary__store_upper(canary_ctx_store(ctx)) == NULL) {
                canary__observation_attach(canary_ctx_store(ctx));
            }
            return NULL;
        }
        /* Of several threads that come first, one wins and the others use his. */
        observer = made;
        if (!atomic_compare_exchange_strong_explicit(&cold->observer, &none, made,
                                                     memory_order_acq_rel, memory_order_acquire)) {
            canary__observer_free(made);
            observer = none;
        }
        canary__observation_attach(canary_ctx_store(ctx));
    }
    return observer;
}

void canary__observer_wipe(struct canary__observer *observer) {
    memset((void *)observer->shards, 0, sizeof *observer->shards);
    for (uint32_t i = 0; i < CANARY_METRICS_MAX; i++) {
        if (observer->metrics[i].slots != NULL) {
            memset(observer->metrics[i].slots, 0, slots_size(&observer->metrics[i]));
        }
    }
}

/* Zeros are an open mutex on every libc that has the wipe, as for the fork handlers' own. */
void canary__observer_lock(struct canary__observer *observer) {
    pthread_mutex_lock(&observer->shards->lock);
}

void canary__observer_unlock(struct canary__observer *observer) {
    pthread_mutex_unlock(&observer->shards->lock);
}
