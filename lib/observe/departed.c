/* SPDX-License-Identifier: MIT */
#include "observe/departed.h"

#include <string.h>

#include "base/text.h"

/* Where the record of a rollout is, or would be. With the store's lock. */
static struct canary__departed **place_of(struct canary__observation *observation,
                                          const char *rollout) {
    struct canary__departed **place = &observation->departed;

    (void)canary__observation_pendings(observation); /* a raw clone() has none */
    while (*place != NULL && strcmp((*place)->rollout, rollout) != 0) {
        place = &(*place)->next;
    }
    return place;
}

static void departed_free(const struct canary__hooks *hooks, struct canary__departed *departed) {
    canary__scene_rollout_free(hooks, &departed->counts);
    canary__free(hooks, departed, sizeof *departed);
}

/* The last of its rollout: its series end, and begin at 0 when the rollout is opened again. */
static void forget(struct canary__observation *observation, const char *rollout) {
    canary_store *store = observation->store;
    struct canary__departed **place;
    struct canary__departed *found;

    /* In most programs: they need not wait for a refresh here. */
    if (observation->departed == NULL) {
        return;
    }
    canary__store_lock(store);
    place = place_of(observation, rollout);
    found = *place;
    if (found != NULL) {
        *place = found->next;
    }
    canary__store_unlock(store);
    if (found != NULL) {
        departed_free(&store->hooks, found);
    }
}

static int keep(struct canary__follower *follower) {
    canary_store *store = follower->store;
    const struct canary__hooks *hooks = &store->hooks;
    struct canary__observation *observation = canary__observation_of(store);
    struct canary__departed *made = observation != NULL ? canary__alloc(hooks, sizeof *made) : NULL;
    struct canary__observer *observer = canary__observer_of(follower->ctx);
    struct canary__departed **place;
    int code;

    if (made == NULL) {
        return CANARY_E_NOMEM;
    }
    canary__text_copy(made->rollout, sizeof made->rollout, follower->name);
    code = canary__scene_counts(hooks, follower->ctx, 1, &made->counts);
    made->counts.recording.threads = 0;
    made->counts.recording.waiting = 0;
    if (code == CANARY_OK) {
        canary__store_lock(store);
        place = place_of(observation, follower->name);
        if (*place == NULL) {
            made->serial = ++observation->departed_serial;
            *place = made;
            made = NULL;
        } else {
            code = canary__scene_add(hooks, &(*place)->counts, &made->counts);
        }
        if (code == CANARY_OK && observer != NULL) {
            observer->departed = (*place)->serial;
        }
        canary__store_unlock(store);
    }
    if (made != NULL) {
        departed_free(hooks, made);
    }
    return code;
}

/* What had no memory to be counted in was counted as dropped. */
static int counted(const struct canary__follower *follower) {
    return canary__observation_records(follower) ||
           atomic_load_explicit(&follower->ctx->unrecorded, memory_order_relaxed) != 0;
}

void canary__departed_leave(struct canary__follower *follower, int others) {
    canary_store *store = follower->store;
    struct canary__observation *observation =
        atomic_load_explicit(&store->observation, memory_order_acquire);

    if (!others) {
        if (observation != NULL) {
            forget(observation, follower->name);
        }
    } else if (counted(follower) && keep(follower) != CANARY_OK) {
        canary__log(
            &store->hooks, CANARY_LOG_WARNING,
            "canary: no memory to keep the counts of a closed context of \"%s\": those that "
            "Prometheus reads fall, and its rates of the next minutes are too high",
            follower->name);
    }
}

void canary__departed_delivered(struct canary__observation *observation,
                                const struct canary__follower *follower,
                                const struct canary__delivered *since) {
    canary_store *store = observation->store;
    uint64_t serial = canary__observer_of(follower->ctx)->departed;
    struct canary__departed *found;

    if (serial == 0) {
        return;
    }
    canary__store_keep(store);
    canary__store_lock(store);
    found = *place_of(observation, follower->name);
    if (found != NULL && found->serial == serial) {
        canary_recording_info *recording = &found->counts.recording;

        recording->merged += since->merged;
        recording->dropped += since->dropped;
        recording->coarsened += since->coarsened;
        recording->rejected[CANARY_REJECTED_KIND] += since->refused;
    }
    canary__store_unlock(store);
    canary__store_let_go(store);
}

int canary__departed_add(canary_store *store, struct canary__scene *scene) {
    struct canary__observation *observation =
        atomic_load_explicit(&store->observation, memory_order_acquire);
    int code = CANARY_OK;

    for (uint32_t i = 0; observation != NULL && i < scene->count && code == CANARY_OK; i++) {
        const struct canary__departed *found;

        canary__store_lock(store);
        found = *place_of(observation, scene->rollouts[i].info.rollout);
        canary__store_unlock(store);
        if (found != NULL) {
            code = canary__scene_add(&store->hooks, &scene->rollouts[i], &found->counts);
        }
    }
    return code;
}

void canary__departed_inherit(struct canary__observation *observation) {
    struct canary__departed **end = &observation->departed_before;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = observation->departed;
    observation->departed = NULL;
}

static void free_all(const struct canary__hooks *hooks, struct canary__departed **list) {
    while (*list != NULL) {
        struct canary__departed *departed = *list;

        *list = departed->next;
        departed_free(hooks, departed);
    }
}

void canary__departed_disinherit(struct canary__observation *observation) {
    free_all(&observation->store->hooks, &observation->departed_before);
}

void canary__departed_free(struct canary__observation *observation) {
    free_all(&observation->store->hooks, &observation->departed);
}
