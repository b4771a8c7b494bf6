/* SPDX-License-Identifier: MIT */
/* The state of a store whose contexts record: its life, and what control tells of. */
#include "observe/observation.h"

#include <string.h>

#include "base/fail.h"
#include "base/futex.h"
#include "base/page.h"
#include "observe/departed.h"
#include "storage/stores.h"

static struct canary__observation *known(canary_store *store) {
    return atomic_load_explicit(&store->observation, memory_order_acquire);
}

int canary__observation_records(const struct canary__follower *follower) {
    struct canary__observer *observer = canary__observer_of(follower->ctx);

    return observer != NULL &&
           atomic_load_explicit(&observer->shards->used, memory_order_acquire) != 0;
}

int canary__observation_delivers(const canary_store *store) {
    return store->methods.measurements != NULL && (store->flags & CANARY_OPEN_READ_ONLY) == 0;
}

/* -- what control tells -- */

/* Until the thread runs this asks for it at each round; it takes a few loads. */
static void look(canary_store *store) {
    struct canary__observation *observation = known(store);
    int any = 0;

    if (!canary__observation_delivers(store) ||
        (observation != NULL &&
         atomic_load_explicit(&observation->page->thread_started, memory_order_acquire) != 0)) {
        return;
    }
    canary__store_lock(store);
    for (struct canary__follower *f = store->followers; f != NULL && !any; f = f->next) {
        any = canary__observation_records(f);
    }
    canary__store_unlock(store);
    observation = any ? canary__observation_of(store) : NULL;
    if (observation != NULL) {
        canary__flusher_start(observation);
    }
}

static void moved(struct canary__follower *follower, uint64_t revision) {
    if (canary__observation_delivers(follower->store) && canary__observation_records(follower)) {
        canary__parcels_cut(follower, revision);
    }
}

static void tell_lost(const struct canary__follower *follower, uint64_t outcomes, const char *why) {
    canary__log(&follower->store->hooks, CANARY_LOG_WARNING,
                "canary: %llu outcomes of \"%s\" could not be merged before it was closed: %s",
                (unsigned long long)outcomes, follower->name, why);
}

static uint64_t outcomes_of(canary_ctx *ctx) {
    canary_cohort_counts counts = CANARY_COHORT_COUNTS_INIT;

    (void)canary_counts(ctx, &counts);
    return counts.outcomes[0] + counts.outcomes[1];
}

/* Answers what became of it since its context left. `pending` is NULL when there was no memory for it. With
 * the lock `flush`. */
static struct canary__delivered drop(struct canary__observation *observation,
                                     const struct canary__follower *follower,
                                     struct canary__pending *pending) {
    const struct canary__hooks *hooks = &observation->store->hooks;
    struct canary__pending **place = &observation->pendings;
    struct canary__delivered since = { 0 };
    uint64_t waiting = 0;
    uint64_t outcomes = outcomes_of(follower->ctx);
    uint64_t known = 0;
    uint64_t left;

    if (pending != NULL) {
        canary__store_lock(observation->store);
        while (*place != pending) {
            place = &(*place)->next;
        }
        *place = pending->next;
        pending->observer->shards->pending = NULL;
        canary__store_unlock(observation->store);
        for (const struct canary__parcel *p = pending->first; p != NULL; p = p->next) {
            waiting += p->outcomes;
        }
        known = pending->delivered.merged + pending->delivered.dropped + waiting;
        since.merged = pending->delivered.merged - pending->told.merged;
        since.dropped = pending->delivered.dropped - pending->told.dropped;
        since.refused = pending->delivered.refused - pending->told.refused;
        since.coarsened = pending->delivered.coarsened - pending->told.coarsened;
        if (pending->waiting > 0) {
            tell_lost(follower, waiting, observation->page->last_message);
        }
        canary__parcels_free(hooks, pending);
    }
    left = outcomes > known ? outcomes - known : 0;
    if (left > 0) {
        tell_lost(follower, left, "there was no memory to gather them");
    }
    since.dropped += waiting + left;
    return since;
}

/* A program that ends closes one context after the other: of a locked database they wait together for
 * as long as one would. What failed before the first of them is no reason not to wait. */
static void flush_closed(struct canary__observation *observation) {
    struct canary__observation_page *page = observation->page;
    int64_t now = canary__store_machine_ns();
    int how = CANARY__FLUSH_GATHER;

    pthread_mutex_lock(&page->report);
    if (page->gave_up && now - page->gave_up_at < observation->store->busy_ns) {
        how |= CANARY__FLUSH_ONCE;
    }
    pthread_mutex_unlock(&page->report);
    if (canary__flush(observation, how, NULL) != CANARY_E_BUSY) {
        return;
    }
    pthread_mutex_lock(&page->report);
    page->gave_up = 1;
    page->gave_up_at = canary__store_machine_ns();
    pthread_mutex_unlock(&page->report);
}

/* Last of all, what was recorded until now; nobody else sees the context any more. */
static void closed(struct canary__follower *follower) {
    canary_store *store = follower->store;
    struct canary__observer *observer = canary__observer_of(follower->ctx);
    struct canary__observation *observation;

    if (observer == NULL) {
        return;
    }
    if (canary__observation_delivers(store) && canary__observation_records(follower)) {
        observation = canary__observation_of(store);
        if (observation != NULL) {
            struct canary__delivered since;
            struct canary__pending *pending;

            canary__store_lock(store);
            pending = canary__parcels_pending(observation, follower, follower->shown.revision);
            if (pending != NULL) {
                pending->closing = 1;
            }
            canary__store_unlock(store);
            flush_closed(observation);
            pthread_mutex_lock(&observation->page->flush);
            since = drop(observation, follower, observer->shards->pending);
            pthread_mutex_unlock(&observation->page->flush);
            canary__departed_delivered(observation, follower, &since);
        }
    }
    canary__observer_free(observer);
}

void canary__observation_disinherit(struct canary__observation *observation) {
    while (observation->inherited != NULL) {
        struct canary__pending *pending = observation->inherited;

        observation->inherited = pending->next;
        canary__parcels_free(&observation->store->hooks, pending);
    }
    canary__departed_disinherit(observation);
}

static void observation_free(struct canary__observation *observation) {
    const struct canary__hooks *hooks = &observation->store->hooks;

    canary__page_free(observation->page, sizeof *observation->page);
    canary__free(hooks, observation, sizeof *observation);
}

static void ending(canary_store *store) {
    struct canary__observation *observation = known(store);

    if (observation == NULL) {
        return;
    }
    canary__flusher_stop(observation);
    for (int i = 0; i < 2; i++) {
        canary_store *measurements =
            atomic_load_explicit(&observation->measurements[i], memory_order_acquire);

        canary_store_close(&measurements);
    }
    canary__observation_disinherit(observation);
    canary__departed_free(observation);
    /* Fork handlers still know the store. */
    canary__store_lock(store);
    atomic_store_explicit(&store->observation, NULL, memory_order_release);
    canary__store_unlock(store);
    observation_free(observation);
}

/* -- fork -- */

struct canary__pending *canary__observation_pendings(struct canary__observation *observation) {
    /* A child of a raw clone(), where no handler ran, cannot know in what state it finds the list. */
    if (observation->page->alive == 0) {
        observation->pendings = NULL;
        observation->departed = NULL;
        observation->page->alive = 1;
    }
    return observation->pendings;
}

static void prepare(canary_store *store) {
    struct canary__observation *observation = known(store);

    if (observation != NULL) {
        for (struct canary__pending *p = canary__observation_pendings(observation); p != NULL;
             p = p->next) {
            canary__observer_lock(p->observer);
        }
    }
}

static void parent(canary_store *store) {
    struct canary__observation *observation = known(store);

    for (struct canary__pending *p = observation != NULL ? observation->pendings : NULL; p != NULL;
         p = p->next) {
        canary__observer_unlock(p->observer);
    }
}

/* Where the kernel wipes, all but the lists is zero already. */
static void child(canary_store *store) {
    struct canary__observation *observation = known(store);

    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (canary__observation_records(f)) {
            canary__observer_wipe(canary__observer_of(f->ctx));
        }
    }
    if (observation != NULL) {
        struct canary__pending **end = &observation->inherited;

        while (*end != NULL) {
            end = &(*end)->next;
        }
        *end = observation->pendings;
        observation->pendings = NULL;
        canary__departed_inherit(observation);
        memset(observation->page, 0, sizeof *observation->page);
    }
}

/* -- life -- */

static const struct canary__upper upper = {
    .look = look,
    .moved = moved,
    .leaves = canary__departed_leave,
    .closed = closed,
    .ending = ending,
    .prepare = prepare,
    .parent = parent,
    .child = child,
};

void canary__observation_attach(canary_store *store) {
    atomic_store_explicit(&store->upper, &upper, memory_order_release);
    if (atomic_load_explicit(&store->page->watcher, memory_order_acquire) == 0) {
        (void)canary__watcher_start(store, NULL); /* a child that has not decided yet */
    } else {
        /* However far away its next round is. */
        canary__futex_wake_stop(&store->page->stop, NULL);
    }
}

struct canary__observation *canary__observation_of(canary_store *store) {
    struct canary__observation *observation = known(store);
    void *none = NULL;
    struct canary__observation *made;

    if (observation != NULL) {
        return observation;
    }
    made = canary__alloc(&store->hooks, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->store = store;
    made->page = canary__page_new(sizeof *made->page);
    if (made->page == NULL) {
        canary__free(&store->hooks, made, sizeof *made);
        return NULL;
    }
    made->page->alive = 1;
    if (!atomic_compare_exchange_strong_explicit(&store->observation, &none, made,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        observation_free(made);
        return none;
    }
    atomic_store_explicit(&store->upper, &upper, memory_order_release);
    return made;
}

/* -- the measurement store -- */

static int open_measurements(canary_store *store, int create, canary_store **out,
                             canary_error *error) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_storage_methods methods;
    canary_error unheard = canary__fail_none;
    void *implementation = NULL;
    int code;

    canary__store_lock(store);
    code = canary__storage_measurements(&store->methods, store->implementation, create, &methods,
                                        &implementation, error != NULL ? error : &unheard);
    canary__store_unlock(store);
    if (code != CANARY_OK) {
        return code;
    }
    options.flags = CANARY_OPEN_NO_WATCHER | (store->flags & CANARY_OPEN_READ_ONLY);
    options.busy_timeout_ns = store->busy_ns;
    options.log = store->hooks.log;
    options.log_data = store->hooks.log_data;
    options.log_level = (uint32_t)store->hooks.log_level;
    options.clock = store->hooks.clock;
    options.clock_data = store->hooks.clock_data;
    options.allocate = store->hooks.allocate;
    options.allocate_data = store->hooks.allocate_data;
    code = canary_store_open_custom(&methods, implementation, &options, out, error);
    if (code == CANARY_OK) {
        /* Its lock is held over commits, and a slow disk under them must not make a fork keep the
         * locks of decisions. */
        canary__fork_patient(&(*out)->member);
    } else if (methods.close != NULL) {
        methods.close(implementation);
    }
    return code;
}

int canary__merge_store(canary_store *decisions, int create, canary_store **out,
                        canary_error *error) {
    struct canary__observation *observation;
    int code = CANARY_OK;

    *out = NULL;
    if (decisions->methods.measurements == NULL) {
        return canary__fail(error, CANARY_E_UNSUPPORTED, 0, "this store keeps no measurements");
    }
    if (create && (decisions->flags & CANARY_OPEN_READ_ONLY) != 0) {
        return canary__fail(error, CANARY_E_READ_ONLY, 0,
                            "the store was opened with CANARY_OPEN_READ_ONLY");
    }
    observation = canary__observation_of(decisions);
    if (observation == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "out of memory for figures");
    }
    pthread_mutex_lock(&observation->page->opening);
    for (int i = 1; i >= create && *out == NULL; i--) {
        *out = atomic_load_explicit(&observation->measurements[i], memory_order_acquire);
    }
    if (*out == NULL) {
        code = open_measurements(decisions, create, out, error);
        if (code == CANARY_OK) {
            atomic_store_explicit(&observation->measurements[create], *out, memory_order_release);
        }
    }
    pthread_mutex_unlock(&observation->page->opening);
    return code;
}
