/* SPDX-License-Identifier: MIT */
/* The thread that follows a store: one per store and process. */
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "base/fail.h"
#include "base/futex.h"
#include "control/store.h"

/* SQLite's deepest path needs well under half of this. */
enum { STACK_BYTES = 512 * 1024 };

/* A writer that is just committing keeps readers out for a moment. */
enum { BUSY_STEP_NS = 200000, BUSY_TRIES = 100 };

static int stopped(canary_store *store) {
    return __atomic_load_n(&store->page->stop, __ATOMIC_ACQUIRE) != 0;
}

/* When to look if nothing rings. News waits for its look a little longer than the tick would: the
 * moment after a ring belongs to those who have not heard it yet. */
static int64_t next_look(const canary_store *store) {
    return store->confirm_at != 0 ? store->confirm_at : store->tick_at;
}

/* Waits for the bell, for the store's own signal, or for the tick. Answers what ended it. */
static CANARY__HOT int wait_for_change(canary_store *store, uint32_t ring, const uint32_t *word,
                                       int64_t timeout_ns) {
    if (word == NULL && store->methods.wait != NULL) {
        canary_error error = canary__fail_none;

        if (store->methods.wait(store->implementation, timeout_ns, &error) == CANARY_OK) {
            return CANARY_SOURCE_TICK;
        }
        /* A broken wait must not become a busy loop. */
    }
    if (canary__futex_wait(word, ring, &store->page->stop, timeout_ns) == CANARY__FUTEX_FAULT) {
        /* The bell was cut short or unmapped; without this wait the thread would spin. */
        canary__futex_wait(NULL, 0, &store->page->stop, timeout_ns);
        return CANARY_SOURCE_TICK;
    }
    return CANARY_SOURCE_BELL; /* or the time is over: for news to be confirmed, or the tick's */
}

static CANARY__HOT void *watch(void *argument) {
    canary_store *store = argument;
    int source = CANARY_SOURCE_TICK;
    uint32_t ring = 0;
    int rang;
    int busy = 0;

    while (!stopped(store)) {
        int64_t until;
        const uint32_t *word;
        int code;

        canary__store_lock(store);
        code = canary__store_refresh(store, source, 0, NULL);
        /* The value was read before the store was: a ring after that reading differs from it, so
         * the wait below returns at once. The mapping outlives the wait, since only this thread and
         * the end of the store take it away. */
        rang = ring != store->image.ring;
        ring = store->image.ring;
        word = store->image.present ? store->bell.word : NULL;
        until = next_look(store);
        canary__store_unlock(store);
        if (rang) {
            /* Every process of the host was woken, and all the rest, going back to sleep included, takes
             * as long as to hear: those who have not heard yet come first. */
            sched_yield();
        }
        if (canary__store_upper(store) != NULL) {
            canary__store_upper(store)->look(store);
        }

        busy = code == CANARY_E_BUSY && busy < BUSY_TRIES ? busy + 1 : 0;
        if (busy > 0) {
            canary__futex_wait(NULL, 0, &store->page->stop, BUSY_STEP_NS);
        } else if (!stopped(store)) {
            int64_t timeout = until - canary__store_machine_ns();

            source = wait_for_change(store, ring, word, timeout > 0 ? timeout : 1);
        }
    }
    return NULL;
}

int canary__watcher_start(canary_store *store, canary_error *error) {
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int code;

    if ((store->flags & CANARY_OPEN_NO_WATCHER) != 0 ||
        atomic_exchange_explicit(&store->page->watcher, 1, memory_order_acq_rel) != 0) {
        return CANARY_OK;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* The host program's signals are not for this thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&store->page->thread, &attributes, watch, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (code != 0) {
        atomic_store_explicit(&store->page->watcher, 0, memory_order_release);
        return canary__fail(error, CANARY_E_SYSTEM, code,
                            "the watcher thread could not be started: %s; call canary_refresh() "
                            "instead",
                            strerror(code));
    }
    return CANARY_OK;
}

void canary__watcher_stop(canary_store *store) {
    const uint32_t *word;

    if (atomic_load_explicit(&store->page->watcher, memory_order_acquire) == 0) {
        return;
    }
    __atomic_store_n(&store->page->stop, 1, __ATOMIC_RELEASE);
    canary__store_lock(store); /* the watcher may be exchanging the mapping */
    word = store->bell.word;
    canary__store_unlock(store);
    canary__futex_wake_stop(&store->page->stop, word);
    pthread_join(store->page->thread, NULL);
    atomic_store_explicit(&store->page->watcher, 0, memory_order_release);
    __atomic_store_n(&store->page->stop, 0, __ATOMIC_RELEASE);
}
