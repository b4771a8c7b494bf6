/* SPDX-License-Identifier: MIT */
/* The thread that gathers on the ten-second marks of the clock, and delivers shortly after: one per
 * store and process. */
#include <signal.h>

#include "base/futex.h"
#include "observe/observation.h"

enum { STACK_BYTES = 512 * 1024 };

/* The clocks of processes agree, and all of them gather at the marks; their deliveries are spread a
 * little, and who meets a lock asks again. A long spread would be lost with a process that is killed. */
#define SPREAD_NS INT64_C(250000000)
#define AFTER_NS INT64_C(1000000) /* a timer may be early by a little */

int canary__flusher_stopped(const struct canary__observation *observation) {
    return __atomic_load_n(&observation->page->stop, __ATOMIC_ACQUIRE) != 0;
}

static void sleep_for(struct canary__observation *observation, int64_t ns) {
    int64_t until = canary__store_machine_ns() + ns;

    while (ns > 0 && !canary__flusher_stopped(observation)) {
        (void)canary__futex_wait(NULL, 0, &observation->page->stop, ns);
        ns = until - canary__store_machine_ns();
    }
}

static int64_t until_mark(const struct canary__observation *observation) {
    int64_t now = canary__now(&observation->store->hooks, CANARY_CLOCK_REALTIME);
    int64_t past = now % CANARY_TICK_NS;

    return CANARY_TICK_NS - (past < 0 ? 0 : past) + AFTER_NS;
}

static void *run(void *argument) {
    struct canary__observation *observation = argument;

    for (;;) {
        sleep_for(observation, until_mark(observation));
        if (canary__flusher_stopped(observation)) {
            return NULL;
        }
        pthread_mutex_lock(&observation->page->flush);
        (void)canary__parcels_gather(observation);
        pthread_mutex_unlock(&observation->page->flush);
        sleep_for(observation, canary__store_some(observation->store, SPREAD_NS));
        if (!canary__flusher_stopped(observation)) {
            (void)canary__flush(observation, 0, NULL);
        }
    }
}

void canary__flusher_start(struct canary__observation *observation) {
    struct canary__observation_page *page = observation->page;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;

    if (atomic_exchange_explicit(&page->thread_started, 1, memory_order_acq_rel) != 0) {
        return;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&page->thread, &attributes, run, observation) == 0) {
        (void)pthread_setname_np(page->thread, "canary-metrics");
    } else {
        atomic_store_explicit(&page->thread_started, 0, memory_order_release);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

void canary__flusher_stop(struct canary__observation *observation) {
    struct canary__observation_page *page = observation->page;

    if (atomic_load_explicit(&page->thread_started, memory_order_acquire) == 0) {
        return;
    }
    __atomic_store_n(&page->stop, 1, __ATOMIC_RELEASE);
    canary__futex_wake_stop(&page->stop, NULL);
    pthread_join(page->thread, NULL);
    atomic_store_explicit(&page->thread_started, 0, memory_order_release);
    __atomic_store_n(&page->stop, 0, __ATOMIC_RELEASE);
}
