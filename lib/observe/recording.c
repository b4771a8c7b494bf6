/* SPDX-License-Identifier: MIT */
/* What became of the outcomes of one context in this process. */
#include <stddef.h>
#include <string.h>

#include "base/sized.h"
#include "base/text.h"
#include "observe/observation.h"

static void fill_counts(const struct canary__sheet *totals, canary_recording_info *info) {
    for (uint32_t i = 0; i < totals->count; i++) {
        const struct canary__tally *tally = &totals->entries[i].tally;

        switch (tally->kind) {
        case CANARY__TALLY_STATUS:
            info->outcomes += canary__merge_events(tally);
            break;
        case CANARY__TALLY_DECISIONS:
            info->decisions += canary__merge_events(tally);
            break;
        case CANARY__TALLY_LOSSES:
            for (int why = 0; why < CANARY_REJECTED_COUNT; why++) {
                info->rejected[why] += tally->counts[why];
            }
            info->dropped += tally->counts[CANARY__LOSS_DROPPED];
            break;
        default:
            break;
        }
    }
}

static void fill_store(struct canary__observation *observation, canary_recording_info *info) {
    struct canary__observation_page *page = observation->page;

    pthread_mutex_lock(&page->report);
    info->flushes = page->flushes;
    info->flushed_at_ns = page->flushed_at;
    info->flush_ns = page->flush_ns;
    info->clock_jumps = page->clock_jumps;
    info->last_error = page->last_error;
    canary__text_copy(info->last_message, sizeof info->last_message, page->last_message);
    pthread_mutex_unlock(&page->report);
}

/* Under the observer's lock. */
static void fill_observer(struct canary__observer *observer, int leaves,
                          canary_recording_info *info) {
    const struct canary__shards *shards = observer->shards;
    struct canary__pending *pending = shards->pending;

    info->recording = (int32_t)atomic_load_explicit(&shards->used, memory_order_acquire);
    info->threads = atomic_load_explicit(&shards->claimed, memory_order_relaxed);
    info->sharing = atomic_load_explicit(&shards->sharing, memory_order_relaxed);
    if (pending != NULL) {
        info->merged = pending->delivered.merged;
        info->waiting = pending->waiting;
        info->coarsened = pending->delivered.coarsened;
        info->rejected[CANARY_REJECTED_KIND] += pending->delivered.refused;
        info->dropped += pending->delivered.dropped;
        if (leaves) {
            pending->told = pending->delivered;
        }
    }
}

int canary__observation_take(canary_ctx *ctx, int leaves, canary_recording_info *info,
                             struct canary__sheet *totals) {
    struct canary__observation *observation;
    struct canary__observer *observer;
    int code = CANARY_OK;

    *info = (canary_recording_info)CANARY_RECORDING_INFO_INIT;
    observer = canary__observer_of(ctx);
    observation = atomic_load_explicit(&canary_ctx_store(ctx)->observation, memory_order_acquire);
    if (observation != NULL) {
        fill_store(observation, info);
    }
    if (observer != NULL) {
        canary__observer_lock(observer);
        code = canary__observer_totals(observer, totals);
        fill_observer(observer, leaves, info);
        canary__observer_unlock(observer);
        fill_counts(totals, info);
    }
    info->dropped += atomic_load_explicit(&ctx->unrecorded, memory_order_relaxed);
    return code;
}

int canary_recording(canary_ctx *ctx, canary_recording_info *out) {
    canary_recording_info info;
    struct canary__sheet totals = { 0 };
    int code;

    if (ctx == NULL || out == NULL ||
        out->size < offsetof(canary_recording_info, last_message) + sizeof out->last_message) {
        return CANARY_E_INVALID;
    }
    code = canary__observation_take(ctx, 0, &info, &totals);
    canary__sheet_free(&canary_ctx_store(ctx)->hooks, &totals);
    if (code == CANARY_OK) {
        canary__sized_out(out, &info, sizeof info);
    }
    return code;
}
