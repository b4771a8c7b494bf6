/* SPDX-License-Identifier: MIT */
#include "observe/departed.h"

#include <string.h>

void canary__scene_rollout_free(const struct canary__hooks *hooks,
                                struct canary__scene_rollout *rollout) {
    canary__sheet_free(hooks, &rollout->sheet);
    canary__free(hooks, rollout->metrics, rollout->metric_count * sizeof *rollout->metrics);
    memset(rollout, 0, sizeof *rollout);
}

void canary__scene_free(const struct canary__hooks *hooks, struct canary__scene *scene) {
    for (uint32_t i = 0; i < scene->count; i++) {
        canary__scene_rollout_free(hooks, &scene->rollouts[i]);
    }
    canary__free(hooks, scene->rollouts, scene->capacity * sizeof *scene->rollouts);
    memset(scene, 0, sizeof *scene);
}

/* -- one context -- */

static int copy_metrics(const struct canary__hooks *hooks, struct canary__observer *observer,
                        struct canary__scene_rollout *out) {
    uint32_t count = atomic_load_explicit(&observer->metric_count, memory_order_acquire);
    uint32_t thresholds =
        atomic_load_explicit(&observer->duration_thresholds, memory_order_acquire);

    if (thresholds > 0) {
        out->duration = observer->duration;
        out->duration.threshold_count = thresholds;
    }
    if (count > 0) {
        out->metrics = canary__alloc(hooks, count * sizeof *out->metrics);
        if (out->metrics == NULL) {
            return CANARY_E_NOMEM;
        }
        memcpy(out->metrics, observer->metrics, count * sizeof *out->metrics);
        out->metric_count = count;
        for (uint32_t i = 0; i < count; i++) {
            out->metrics[i].slots = NULL; /* a copy outlives them */
        }
    }
    return CANARY_OK;
}

int canary__scene_counts(const struct canary__hooks *hooks, canary_ctx *ctx, int leaves,
                         struct canary__scene_rollout *out) {
    struct canary__observer *observer = canary__observer_of(ctx);
    int code = canary__observation_take(ctx, leaves, &out->recording, &out->sheet);

    if (observer != NULL && code == CANARY_OK) {
        canary__observer_lock(observer);
        code = copy_metrics(hooks, observer, out);
        canary__observer_unlock(observer);
    }
    return code;
}

/* Nothing but canary__store_keep() is held: the program's kill switch is asked without a lock, and
 * the counters of many threads are added up without keeping changes waiting. */
static int take_context(const struct canary__hooks *hooks, canary_ctx *ctx,
                        struct canary__scene_rollout *out) {
    out->info = (canary_ctx_info)CANARY_CTX_INFO_INIT;
    (void)canary_info(ctx, &out->info);
    return canary__scene_counts(hooks, ctx, 0, out);
}

/* -- several contexts of one rollout -- */

static void add_info(canary_ctx_info *to, const canary_ctx_info *from) {
    to->kill_reasons |= from->kill_reasons;
    to->doubt |= from->doubt;
    if (from->effective_bp < to->effective_bp) {
        to->effective_bp = from->effective_bp;
    }
    if (to->age_ns >= 0 && (from->age_ns < 0 || from->age_ns > to->age_ns)) {
        to->age_ns = from->age_ns;
    }
}

/* But for what is the store's and the same in all. */
static void add_recording(canary_recording_info *to, const canary_recording_info *from) {
    for (size_t i = 0; i < sizeof to->rejected / sizeof *to->rejected; i++) {
        to->rejected[i] += from->rejected[i];
    }
    to->dropped += from->dropped;
    to->merged += from->merged;
    to->coarsened += from->coarsened;
    to->threads += from->threads;
    if (from->waiting > to->waiting) {
        to->waiting = from->waiting;
    }
}

static int knows_metric(const struct canary__scene_rollout *rollout, const char *name) {
    for (uint32_t i = 0; i < rollout->metric_count; i++) {
        if (strcmp(rollout->metrics[i].name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

static int add_metrics(const struct canary__hooks *hooks, struct canary__scene_rollout *to,
                       const struct canary__scene_rollout *from) {
    size_t size = to->metric_count * sizeof *to->metrics;

    for (uint32_t i = 0; i < from->metric_count; i++) {
        struct canary__declared *grown;

        if (knows_metric(to, from->metrics[i].name)) {
            continue;
        }
        grown = canary__realloc(hooks, to->metrics, size, size + sizeof *grown);
        if (grown == NULL) {
            return CANARY_E_NOMEM;
        }
        to->metrics = grown;
        to->metrics[to->metric_count++] = from->metrics[i];
        size += sizeof *grown;
    }
    return CANARY_OK;
}

/* Entry by entry: of a metric that two contexts declared differently the first one's stays, and the rest
 * is added all the same. */
static int add_sheet(const struct canary__hooks *hooks, struct canary__sheet *to,
                     const struct canary__sheet *from) {
    int code = CANARY_OK;

    for (uint32_t i = 0; i < from->count && code != CANARY_E_NOMEM; i++) {
        const struct canary__entry *entry = &from->entries[i];
        struct canary__tally *tally =
            canary__sheet_at(hooks, to, entry->generation, entry->cohort, entry->metric);

        code = tally != NULL ? canary__tally_merge(hooks, tally, &entry->tally) : CANARY_E_NOMEM;
    }
    return code == CANARY_E_NOMEM ? code : CANARY_OK;
}

int canary__scene_add(const struct canary__hooks *hooks, struct canary__scene_rollout *to,
                      const struct canary__scene_rollout *from) {
    int code = add_metrics(hooks, to, from);

    if (to->duration.threshold_count == 0) {
        to->duration = from->duration;
    }
    add_recording(&to->recording, &from->recording);
    return code == CANARY_OK ? add_sheet(hooks, &to->sheet, &from->sheet) : code;
}

/* Puts the last rollout where it belongs. There are few, and mostly they come in order. */
static int settle_last(const struct canary__hooks *hooks, struct canary__scene *scene) {
    struct canary__scene_rollout last = scene->rollouts[scene->count - 1];
    uint32_t place = scene->count - 1;
    int code;

    while (place > 0 && strcmp(scene->rollouts[place - 1].info.rollout, last.info.rollout) > 0) {
        place--;
    }
    if (place > 0 && strcmp(scene->rollouts[place - 1].info.rollout, last.info.rollout) == 0) {
        add_info(&scene->rollouts[place - 1].info, &last.info);
        code = canary__scene_add(hooks, &scene->rollouts[place - 1], &last);
        canary__scene_rollout_free(hooks, &scene->rollouts[--scene->count]);
        return code;
    }
    memmove(&scene->rollouts[place + 1], &scene->rollouts[place],
            (scene->count - 1 - place) * sizeof last);
    scene->rollouts[place] = last;
    return CANARY_OK;
}

/* -- all of them -- */

/* The oldest first: the list has the newest at its head. */
static int list_contexts(canary_store *store, canary_ctx ***out, uint32_t *count) {
    uint32_t place = 0;

    canary__store_lock(store);
    for (const struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        place++;
    }
    *count = place;
    *out = place > 0 ? canary__alloc(&store->hooks, place * sizeof **out) : NULL;
    if (*out != NULL) {
        for (const struct canary__follower *f = store->followers; f != NULL; f = f->next) {
            (*out)[--place] = f->ctx;
        }
    }
    canary__store_unlock(store);
    return *out != NULL || place == 0 ? CANARY_OK : CANARY_E_NOMEM;
}

static int take_all(canary_store *store, struct canary__scene *scene) {
    const struct canary__hooks *hooks = &store->hooks;
    canary_ctx **contexts;
    uint32_t count;
    int code = list_contexts(store, &contexts, &count);

    if (code == CANARY_OK && count > 0) {
        scene->rollouts = canary__alloc(hooks, count * sizeof *scene->rollouts);
        scene->capacity = count;
        code = scene->rollouts != NULL ? CANARY_OK : CANARY_E_NOMEM;
    }
    for (uint32_t i = 0; i < count && code == CANARY_OK; i++) {
        code = take_context(hooks, contexts[i], &scene->rollouts[scene->count++]);
        if (code == CANARY_OK) {
            code = settle_last(hooks, scene);
        }
    }
    canary__free(hooks, contexts, count * sizeof *contexts);
    return code;
}

int canary__scene_take(canary_store *store, struct canary__scene *scene) {
    int code;

    canary__store_keep(store);
    code = take_all(store, scene);
    if (code == CANARY_OK) {
        code = canary__departed_add(store, scene);
    }
    canary__store_let_go(store);
    if (code != CANARY_OK) {
        canary__scene_free(&store->hooks, scene);
    }
    return code;
}
