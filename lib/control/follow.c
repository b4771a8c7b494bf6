/* SPDX-License-Identifier: MIT */
/* What is believed of a rollout. The rule behind every line: what is unauthenticated, damaged or in
 * doubt may lower exposure at once; it never raises it. */
#include "control/follow.h"

#include <string.h>

#include "base/fail.h"
#include "control/trail.h"

/* A pending rollback caps until one is recorded. A recorded one caps who has not read it yet. When
 * the entry is gone (another file, a lost page) the cap stays until the store holds a change that was
 * made after the cap was heard of: a higher revision alone may be of one made before the rollback. */
CANARY__HOT void canary__follow_bell(struct canary__follower *f,
                                     const struct canary__bell_image *image) {
    const struct canary__bell_entry *entry;
    uint64_t revision = f->loaded ? f->good.revision : 0;

    f->bell_damaged = image->present && image->damaged > 0;
    entry = image->present ? canary__bell_find(image, f->bell_key) : NULL;
    if (f->cap_local && revision > f->cap_revision) {
        f->cap_local = 0;
    }
    if (f->cap_local) {
        return;
    }
    if (entry != NULL) {
        if (!f->capped) {
            f->cap_at = canary__now(&f->store->hooks, CANARY_CLOCK_REALTIME);
        }
        /* Who is held down by an entry and has read nothing since is not let up by another one of
         * greater height: it may be a mistake that will be withdrawn. */
        if (!f->capped || revision != f->cap_revision || entry->cap_bp < f->cap_bp) {
            f->cap_bp = entry->cap_bp;
        }
        f->capped = entry->state == CANARY__BELL_PENDING || revision < entry->revision;
        f->cap_revision = revision;
    } else if (f->capped && !f->bell_damaged && revision > f->cap_revision &&
               f->good.updated_at >= f->cap_at) {
        f->capped = 0;
    }
}

static int salt_moved(const struct canary__follower *f, const struct canary__rollout_row *row) {
    return f->loaded && strcmp(f->good.salt, row->salt) != 0;
}

/* Is this row the trail's, or an older signed one put back by hand? Looked at when nothing is known
 * yet; later the revision tells. */
static int matches_trail(struct canary__follower *f, void *transaction,
                         const struct canary__rollout_row *row) {
    canary_error ignored = canary__fail_none;
    int holds;

    (void)canary__trail_holds(&f->store->methods, transaction, row, &holds, &ignored);
    return holds;
}

/* An operator who accepted what he found may have put back an older store on purpose. */
static int accepted_since(struct canary__follower *f, void *transaction, int64_t seen_at) {
    canary_error ignored = canary__fail_none;
    int64_t at;

    (void)canary__trail_accepted(&f->store->methods, transaction, f->name, &at, &ignored);
    return at > seen_at;
}

static void believe_rollout(struct canary__follower *f, void *transaction,
                            const struct canary__rollout_row *row) {
    int good = row->intact && row->algorithm == CANARY_ALGORITHM_SHA256 && !salt_moved(f, row) &&
               !f->store->trail_doubt && strcmp(row->name, f->name) == 0;

    if (good && f->loaded) {
        good = row->revision >= f->good.revision ||
               (matches_trail(f, transaction, row) &&
                accepted_since(f, transaction, f->good.updated_at));
    } else if (good) {
        good = matches_trail(f, transaction, row);
    }
    if (good) {
        if (!f->loaded) {
            canary__snapshot_salt(f->ctx, row->salt);
            f->loaded = 1;
        }
        if (strcmp(f->good.flag, row->flag) != 0) {
            f->good_flag = -1;
            f->good_flag_at = INT64_MIN;
        }
        f->good = *row;
        f->row_bp = row->percentage_bp;
        return;
    }
    f->doubt |= CANARY_DOUBT_ROLLOUT;
    if (f->loaded) {
        f->row_bp =
            row->percentage_bp < f->good.percentage_bp ? row->percentage_bp : f->good.percentage_bp;
    }
}

static void believe_flag(struct canary__follower *f, void *transaction,
                         const struct canary__flag_row *flag) {
    int good = flag->intact && !f->store->trail_doubt;

    if (good && f->good_flag < 0) {
        canary_error ignored = canary__fail_none;
        int denied;

        (void)canary__trail_denies(&f->store->methods, transaction, flag, &denied, &ignored);
        good = !denied;
    } else if (good) {
        good =
            flag->updated_at >= f->good_flag_at || accepted_since(f, transaction, f->good_flag_at);
    }
    if (good) {
        f->good_flag = flag->enabled;
        f->good_flag_row = *flag;
        f->good_flag_at = flag->updated_at;
        f->flag_off = !flag->enabled;
        return;
    }
    f->doubt |= CANARY_DOUBT_FLAG;
    f->flag_off = !flag->present || !flag->enabled || f->good_flag != 1;
}

int canary__follow_rows(struct canary__follower *f, void *transaction, int hurried,
                        canary_error *error) {
    const canary_storage_methods *methods = &f->store->methods;
    struct canary__rollout_row row;
    struct canary__flag_row flag;
    int known = hurried && f->loaded && f->doubt == 0;
    int code = known ? canary__row_read_rollout_again(methods, transaction, &f->good, &row, error)
                     : canary__row_read_rollout(methods, transaction, f->name, &row, error);

    if (code != CANARY_OK) {
        return code;
    }
    f->doubt &= CANARY_DOUBT_OVERRIDES;
    believe_rollout(f, transaction, &row);
    /* A row in doubt may name another flag; the one last known rules. */
    code = known && f->good_flag >= 0
               ? canary__row_read_flag_again(methods, transaction, &f->good_flag_row, &flag, error)
               : canary__row_read_flag(methods, transaction, f->loaded ? f->good.flag : row.flag,
                                       &flag, error);
    if (code == CANARY_OK) {
        believe_flag(f, transaction, &flag);
    } else if (f->good_flag < 0) {
        f->flag_off = 1; /* never read: it may be off */
    }
    return code;
}

CANARY__HOT uint32_t canary__follow_kills(const struct canary__follower *f) {
    return (f->loaded && f->flag_off ? CANARY_KILL_FLAG : 0) |
           (f->killed_by_environment ? CANARY_KILL_ENVIRONMENT : 0) |
           (f->bell_damaged ? CANARY_KILL_BELL : 0);
}

uint32_t canary__follow_doubt(const struct canary__follower *f) {
    return f->doubt | (f->bell_damaged ? CANARY_DOUBT_BELL : 0) |
           (f->capped ? CANARY_DOUBT_ROLLBACK : 0) |
           (f->store->trail_doubt ? CANARY_DOUBT_TRAIL : 0);
}

/* Field by field: padding has no defined value. */
static CANARY__HOT int same_state(const struct canary__state *a, const struct canary__state *b) {
    return a->loaded == b->loaded && a->killed == b->killed && a->stage == b->stage &&
           a->percentage_bp == b->percentage_bp && a->effective_bp == b->effective_bp &&
           a->revision == b->revision && a->pins == b->pins;
}

CANARY__HOT void canary__follow_publish(struct canary__follower *f, int source) {
    struct canary__state state = { .stage = -1 };

    state.loaded = f->loaded;
    state.killed = canary__follow_kills(f) != 0;
    if (f->loaded) {
        state.stage = f->good.stage;
        state.percentage_bp = f->good.percentage_bp;
        state.revision = f->good.revision;
        state.effective_bp = f->row_bp;
        state.pins = f->pins;
    }
    if (f->capped && f->cap_bp < state.effective_bp) {
        state.effective_bp = f->cap_bp;
    }
    if (f->pins_unsafe) {
        /* Which users were pinned to `old` is not known: it could be any. */
        state.effective_bp = 0;
        state.pins = NULL;
    }
    if (f->publications > 0 && same_state(&state, &f->shown)) {
        return;
    }
    canary__snapshot_publish(f->ctx, &state);
    /* One change that left the percentage as it was begins no generation; of several nobody knows. */
    if (f->shown.loaded && !f->moved && state.revision != f->shown.revision &&
        (state.percentage_bp != f->shown.percentage_bp ||
         state.revision != f->shown.revision + 1)) {
        f->moved = 1;
        f->moved_from = f->shown.revision;
        f->store->moved = 1;
    }
    f->shown = state;
    f->source = source;
    f->publications++;
    canary__log(&f->store->hooks, CANARY_LOG_INFO,
                "canary: \"%s\" is at %u.%02u %% in effect%s, revision %llu", f->name,
                state.effective_bp / 100, state.effective_bp % 100, state.killed ? ", killed" : "",
                (unsigned long long)state.revision);
}
