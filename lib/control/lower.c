/* SPDX-License-Identifier: MIT */
#include "control/lower.h"

#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "control/follow.h"

void canary__lower_move(struct canary__rollout_row *row, uint32_t percentage_bp,
                        const char *phase) {
    row->percentage_bp = percentage_bp;
    row->stage = canary__row_stage_of(row, percentage_bp);
    if (phase == NULL) {
        /* Below the first rung the name of stage 0 would say that nobody gets `new`. */
        phase = row->stage == 0 && percentage_bp > 0 ? "CUSTOM" : row->stages[row->stage].name;
    }
    canary__text_copy(row->phase, sizeof row->phase, phase);
}

static int put(canary_store *store, const struct canary__lowering *lowering, uint64_t revision,
               uint32_t state, uint32_t cap_bp, canary_error *error) {
    return canary__bell_put(store->bell.path, canary__bell_key(lowering->rollout), revision, cap_bp,
                            state, error);
}

static uint32_t pending_cap(const struct canary__lowering *lowering) {
    return lowering->pending && lowering->found.cap_bp < lowering->cap_bp ? lowering->found.cap_bp
                                                                          : lowering->cap_bp;
}

static int put_pending(canary_store *store, const struct canary__lowering *lowering,
                       canary_error *error) {
    return put(store, lowering, 0, CANARY__BELL_PENDING, pending_cap(lowering), error);
}

/* Is there a rollback that waits for being recorded? A second one must not raise what it holds. */
static void look_for_pending(const canary_store *store, struct canary__lowering *lowering) {
    /* Not through the store's own: its lock may be held by a look that is stuck. */
    (void)canary__bell_peek(store->bell.path, canary__bell_key(lowering->rollout),
                            &lowering->found);
    lowering->pending = lowering->found.state == CANARY__BELL_PENDING;
}

/* Caps this process at once, bell or no bell. */
static void cap_here(canary_store *store, struct canary__lowering *lowering) {
    canary__store_lock(store);
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (strcmp(f->name, lowering->rollout) == 0) {
            f->cap_before.capped = f->capped;
            f->cap_before.local = f->cap_local;
            f->cap_before.bp = f->cap_bp;
            f->cap_before.revision = f->cap_revision;
            if (!f->capped || lowering->cap_bp < f->cap_bp) {
                f->cap_bp = lowering->cap_bp;
            }
            if (!f->capped) {
                f->cap_at = canary__now(&store->hooks, CANARY_CLOCK_REALTIME);
            }
            f->capped = 1;
            f->cap_local = f->cap_local || !lowering->rung;
            f->cap_revision = f->loaded ? f->good.revision : 0;
            canary__follow_publish(f, CANARY_SOURCE_CHANGE);
            lowering->local = 1;
        }
    }
    canary__store_unlock(store);
}

static void free_here(canary_store *store, struct canary__lowering *lowering) {
    canary__store_lock(store);
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (strcmp(f->name, lowering->rollout) == 0) {
            f->capped = f->cap_before.capped;
            f->cap_local = f->cap_before.local;
            f->cap_bp = f->cap_before.bp;
            f->cap_revision = f->cap_before.revision;
            canary__follow_publish(f, CANARY_SOURCE_CHANGE);
        }
    }
    canary__store_unlock(store);
    lowering->local = 0;
}

/* Recorded as `revision`: what this process held itself down to, perhaps lower than the rung, is over;
 * but not where the look after the commit failed. */
static void settled_here(canary_store *store, const struct canary__lowering *lowering,
                         uint64_t revision) {
    canary__store_lock(store);
    for (struct canary__follower *f = store->followers; f != NULL; f = f->next) {
        if (strcmp(f->name, lowering->rollout) == 0 && f->loaded && f->good.revision >= revision) {
            f->capped = 0;
            f->cap_local = 0;
            canary__follow_bell(f, &store->image);
            canary__follow_publish(f, CANARY_SOURCE_CHANGE);
        }
    }
    canary__store_unlock(store);
}

static void lower_now(canary_store *store, struct canary__lowering *lowering) {
    canary_error error = canary__fail_none;

    if (store->bell.path != NULL) {
        int code;

        look_for_pending(store, lowering);
        code = put_pending(store, lowering, &error);
        if (code == CANARY_OK) {
            code = canary__bell_ring(store->bell.path, &error);
            lowering->rung = code == CANARY_OK;
        }
        if (code != CANARY_OK) {
            canary__log(&store->hooks, CANARY_LOG_WARNING,
                        "canary: %s; the rollback takes effect when it is committed",
                        error.message);
        }
    }
    cap_here(store, lowering);
}

/* The call was a mistake (no such rollout, a raise): nothing is to stay. */
static void withdraw(canary_store *store, struct canary__lowering *lowering) {
    canary_error ignored = canary__fail_none;
    struct canary__bell_entry entry;

    (void)canary__bell_peek(store->bell.path, canary__bell_key(lowering->rollout), &entry);
    /* What another rollback has written there since is not ours to take back. */
    if (lowering->rung && entry.state == CANARY__BELL_PENDING &&
        entry.cap_bp == pending_cap(lowering)) {
        /* As it was: a recorded one may still hold those down who have not read it. */
        put(store, lowering, lowering->found.revision,
            lowering->pending ? CANARY__BELL_PENDING : CANARY__BELL_RECORDED,
            lowering->found.state != 0 ? lowering->found.cap_bp : lowering->cap_bp, &ignored);
        canary__bell_ring(store->bell.path, &ignored);
    }
    free_here(store, lowering);
}

/* In effect, not recorded: the entry is pending (again), so that no other change lifts it. */
static void keep_lowered(canary_store *store, const struct canary__lowering *lowering,
                         canary_error *error) {
    canary_error ignored = canary__fail_none;

    if (lowering->rung) {
        put_pending(store, lowering, &ignored);
        canary__bell_ring(store->bell.path, &ignored);
    }
    error->in_effect = lowering->rung || lowering->local;
}

static int settle_target(struct canary__edit *edit, const struct canary__rollout_row *row,
                         struct canary__lowering *lowering) {
    if (lowering->stage >= 0) {
        if (lowering->stage > 0 && (uint32_t)lowering->stage >= row->stage_count) {
            return canary__fail(edit->error, CANARY_E_INVALID, 0,
                                "stage %d: \"%s\" has stages 0 to %u", lowering->stage, row->name,
                                row->stage_count > 0 ? row->stage_count - 1 : 0);
        }
        lowering->to_bp = lowering->stage == 0 ? 0 : row->stages[lowering->stage].percentage_bp;
    }
    if (lowering->to_bp > row->percentage_bp) {
        return canary__fail(edit->error, CANARY_E_INVALID, 0,
                            "a rollback cannot raise exposure: %u.%02u %% is above the present "
                            "%u.%02u %% of \"%s\"; use advance or set",
                            lowering->to_bp / 100, lowering->to_bp % 100, row->percentage_bp / 100,
                            row->percentage_bp % 100, row->name);
    }
    return CANARY_OK;
}

static int record(struct canary__edit *edit, struct canary__lowering *lowering) {
    struct canary__rollout_row row;
    struct canary__rollout_row before;
    int code = canary__edit_load(edit, lowering->rollout, &row);

    if (code == CANARY_OK) {
        code = settle_target(edit, &row, lowering);
    }
    if (code != CANARY_OK) {
        return code;
    }
    before = row;
    code = canary__edit_believe(edit, &before);
    if (code != CANARY_OK) {
        return code;
    }
    edit->rearm = 0; /* this is the rollback that such an entry waits for */
    canary__lower_move(&row, lowering->to_bp, lowering->phase);
    edit->moves = 1;
    code = canary__edit_write(edit, &row, &before, lowering->action, "", 0);
    if (code == CANARY_OK && lowering->rung) {
        /* Before the commit: whoever reads the new revision is thereby freed of the cap, and nobody
         * is freed before. */
        canary_error ignored = canary__fail_none;
        struct canary__bell_entry entry;

        (void)canary__bell_peek(edit->store->bell.path, canary__bell_key(lowering->rollout),
                                &entry);
        /* A deeper one that was rung after this one and waits for the store keeps its entry. */
        if (entry.state != CANARY__BELL_PENDING || entry.cap_bp >= pending_cap(lowering)) {
            put(edit->store, lowering, row.revision, CANARY__BELL_RECORDED, lowering->cap_bp,
                &ignored);
        }
    }
    return code;
}

/* What a look without waiting already shows to be wrong is refused before anything is rung. */
static int foresee(struct canary__edit *edit, struct canary__lowering *lowering) {
    canary_store *store = edit->store;
    canary_error ignored = canary__fail_none;
    struct canary__rollout_row row;
    void *transaction = NULL;
    int code;

    canary__store_lock(store);
    code = store->methods.begin(store->implementation, CANARY_STORAGE_READ, &transaction, &ignored);
    if (code == CANARY_OK) {
        code = canary__row_read_rollout(&store->methods, transaction, lowering->rollout, &row,
                                        edit->error);
        store->methods.end(transaction, 0, &ignored);
    } else {
        code = CANARY_E_BUSY;
    }
    canary__store_unlock(store);
    if (code == CANARY_E_NOT_FOUND) {
        return code;
    }
    if (code != CANARY_OK) {
        /* Cannot be told now. A rung of unknown height: in doubt everybody goes to 0 %. */
        lowering->cap_bp = lowering->stage >= 0 ? 0 : lowering->to_bp;
        return CANARY_OK;
    }
    code = settle_target(edit, &row, lowering);
    lowering->cap_bp = lowering->to_bp;
    return code;
}

int canary__lower(struct canary__edit *edit, struct canary__lowering *lowering,
                  canary_change *out) {
    canary_error own = canary__fail_none;
    canary_error *error = edit->error;
    int dry = (edit->options.flags & CANARY_CHANGE_DRY_RUN) != 0;
    int code;

    edit->error = &own;
    /* Down to nothing needs no look at the store, which may be stuck: the bell rings first. */
    code = lowering->stage == 0 || (lowering->stage < 0 && lowering->to_bp == 0)
               ? CANARY_OK
               : foresee(edit, lowering);
    if (code != CANARY_OK) {
        edit->error = error;
        canary__fail_copy(error, &own);
        return code;
    }
    if (!dry) {
        lower_now(edit->store, lowering);
    }
    code = canary__edit_start(edit);
    if (code == CANARY_OK) {
        code = record(edit, lowering);
        code = canary__edit_end(edit, code, out);
    }
    edit->error = error; /* `own` ends here, the edit may go on */
    if (code == CANARY_OK) {
        if (!dry) {
            settled_here(edit->store, lowering, edit->head.public.revision);
        }
        return code;
    }
    if (!dry && (code == CANARY_E_NOT_FOUND || code == CANARY_E_INVALID)) {
        withdraw(edit->store, lowering);
    } else if (!dry) {
        keep_lowered(edit->store, lowering, &own);
    }
    canary__fail_copy(error, &own);
    return code;
}
