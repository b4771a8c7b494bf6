/* SPDX-License-Identifier: MIT */
#include "control/edit.h"

#include <string.h>
#include <time.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/trail.h"

#define ALL_FLAGS (CANARY_CHANGE_DRY_RUN | CANARY_CHANGE_EMERGENCY)
enum { EVIDENCE_MAX = 65536 };

void canary_change_options_init(canary_change_options *options, uint32_t size) {
    canary_change_options defaults = CANARY_CHANGE_OPTIONS_INIT;

    if (options != NULL && size >= sizeof options->size) {
        options->size = size;
        canary__sized_out(options, &defaults, sizeof defaults);
    }
}

void canary__edit_time(int64_t ns, char *out) {
    time_t seconds = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
    struct tm parts;

    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        canary__text_copy(out, 32, "an unknown time");
    }
}

static int admit_options(canary_change_options *to, const canary_change_options *from,
                         canary_error *error) {
    *to = (canary_change_options)CANARY_CHANGE_OPTIONS_INIT;
    if (from != NULL &&
        canary__sized_in(to, from, sizeof *to, offsetof(canary_change_options, by)) != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "change options: size %u is too small, or fields newer than this "
                            "library are set",
                            from->size);
    }
    if ((to->flags & ~ALL_FLAGS) != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0, "change options: unknown flags 0x%x",
                            to->flags);
    }
    if (to->by == NULL || to->by[0] == '\0') {
        to->by = "unknown";
    }
    if (!canary__text_is_utf8(to->by, CANARY_ACTOR_MAX, 1)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "by: allowed are up to %d bytes of UTF-8 without control characters",
                            CANARY_ACTOR_MAX);
    }
    if (to->note == NULL) {
        to->note = "";
    }
    if (!canary__text_is_utf8(to->note, CANARY_NOTE_MAX, 0)) {
        return canary__fail(error, CANARY_E_INVALID, 0, "note: allowed are up to %d bytes of UTF-8",
                            CANARY_NOTE_MAX);
    }
    if (to->evidence == NULL) {
        to->evidence = "";
    }
    if (!canary__text_is_utf8(to->evidence, EVIDENCE_MAX, 0)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "evidence: allowed are up to %d bytes of UTF-8", EVIDENCE_MAX);
    }
    return CANARY_OK;
}

/* Where the bell cannot be read nothing is known, and a change must not be refused for that. */
static uint64_t last_rollback(const canary_store *store, const char *rollout) {
    struct canary__bell_entry entry;

    if (canary__bell_peek(store->bell.path, canary__bell_key(rollout), &entry) != 0) {
        return UINT64_MAX;
    }
    return entry.state == CANARY__BELL_RECORDED ? entry.revision : 0;
}

int canary__edit_admit(struct canary__edit *edit, canary_store *store, const char *rollout,
                       const canary_change_options *options, canary_error *error) {
    memset(edit, 0, sizeof *edit);
    edit->store = store;
    canary_error_init(&edit->unheard, sizeof edit->unheard);
    edit->error = error != NULL ? error : &edit->unheard;
    if (store == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "store is NULL; open one first");
    }
    if (!canary__text_is_name(rollout, CANARY_NAME_MAX)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "name \"%.140s\": allowed are 1 to 128 of A-Z a-z 0-9 . _ -",
                            rollout == NULL ? "(null)" : rollout);
    }
    if ((store->flags & CANARY_OPEN_READ_ONLY) != 0) {
        return canary__fail(error, CANARY_E_READ_ONLY, 0,
                            "the store was opened with CANARY_OPEN_READ_ONLY");
    }
    edit->rolled_back = last_rollback(store, rollout);
    return admit_options(&edit->options, options, error);
}

int canary__edit_start(struct canary__edit *edit) {
    canary_store *store = edit->store;
    int code = canary__store_begin(store, CANARY_STORAGE_WRITE, &edit->transaction, edit->error);

    if (code != CANARY_OK) {
        return code;
    }
    canary__bell_read(&store->bell, 1, &store->image);
    code = canary__row_read_change(&store->methods, edit->transaction, 0, &edit->head, edit->error);
    if (code != CANARY_OK) {
        canary_error ignored = canary__fail_none;

        store->methods.end(edit->transaction, 0, &ignored);
        canary__store_unlock(store);
    }
    return code;
}

int canary__edit_begin(struct canary__edit *edit, canary_store *store, const char *rollout,
                       const canary_change_options *options, canary_error *error) {
    int code = canary__edit_admit(edit, store, rollout, options, error);

    return code != CANARY_OK ? code : canary__edit_start(edit);
}

static int conflict(struct canary__edit *edit, const struct canary__rollout_row *row,
                    const char *what, long long expected, long long found) {
    struct canary__change_row last;
    canary_error ignored = canary__fail_none;
    char when[32] = "an unknown time";

    if (canary__row_read_last(&edit->store->methods, edit->transaction, row->name, &last,
                              &ignored) != CANARY_OK) {
        memset(&last, 0, sizeof last);
    }
    canary__edit_time(last.public.at_ns, when);
    return canary__fail(edit->error, CANARY_E_CONFLICT, 0,
                        "expected %s %lld, but \"%s\" is at %s %lld, %u.%02u %%, revision %llu: "
                        "%s by %.80s at %s%s%.120s",
                        what, expected, row->name, what, found, row->percentage_bp / 100,
                        row->percentage_bp % 100, (unsigned long long)row->revision,
                        last.public.action[0] != '\0' ? last.public.action : "changed",
                        last.public.by, when, last.public.note[0] != '\0' ? ": " : "",
                        last.public.note);
}

int canary__edit_expect(struct canary__edit *edit, const struct canary__rollout_row *row) {
    const canary_change_options *options = &edit->options;

    if (options->expected_revision >= 0 && (uint64_t)options->expected_revision != row->revision) {
        return conflict(edit, row, "revision", options->expected_revision,
                        (long long)row->revision);
    }
    if (options->expected_stage >= 0 && options->expected_stage != row->stage) {
        return conflict(edit, row, "stage", options->expected_stage, row->stage);
    }
    return CANARY_OK;
}

int canary__edit_load(struct canary__edit *edit, const char *rollout,
                      struct canary__rollout_row *row) {
    const struct canary__bell_entry *entry;
    int code = canary__row_read_rollout(&edit->store->methods, edit->transaction, rollout, row,
                                        edit->error);

    if (code == CANARY_OK && row->intact) {
        /* An older signed row put back by hand: the next revision must not sign it as the newest.
         */
        code = canary__trail_holds(&edit->store->methods, edit->transaction, row, &row->intact,
                                   edit->error);
    }
    if (code == CANARY_OK) {
        /* A rollback died between its entry "recorded" and its commit: this change would bring the
         * revision that lifts the cap. */
        entry = canary__bell_find(&edit->store->image, canary__bell_key(rollout));
        edit->rearm = entry != NULL && entry->state == CANARY__BELL_RECORDED &&
                      entry->revision > row->revision;
    }
    return code;
}

int canary__edit_may_raise(struct canary__edit *edit, const struct canary__rollout_row *row) {
    const struct canary__bell_image *image = &edit->store->image;
    const struct canary__bell_entry *entry = canary__bell_find(image, canary__bell_key(row->name));
    const canary_storage_methods *methods = &edit->store->methods;
    struct canary__flag_row flag;
    int denied = 0;
    int code = canary__row_read_flag(methods, edit->transaction, row->flag, &flag, edit->error);

    if (code == CANARY_OK && flag.intact) {
        code = canary__trail_denies(methods, edit->transaction, &flag, &denied, edit->error);
    }
    if (code != CANARY_OK) {
        return code;
    }
    if (!row->intact || !flag.intact || denied ||
        (edit->head.public.id != 0 && !edit->head.intact)) {
        return canary__fail(edit->error, CANARY_E_TAMPERED, 0,
                            "\"%s\" was changed outside libcanary; look with `canaryctl verify`, "
                            "then `canaryctl accept`, then repeat this",
                            row->name);
    }
    if (image->damaged > 0) {
        return canary__fail(edit->error, CANARY_E_REFUSED, 0,
                            "the bell of the store is damaged and everybody gets `old`; look with "
                            "`canaryctl doctor`, then `canaryctl accept`");
    }
    if (edit->rearm || (entry != NULL && entry->state == CANARY__BELL_PENDING)) {
        return canary__fail(edit->error, CANARY_E_REFUSED, 0,
                            "a rollback of \"%s\" was rung and is not recorded; complete it with "
                            "`canaryctl rollback`, then repeat this",
                            row->name);
    }
    if (entry != NULL && entry->revision > edit->rolled_back) {
        /* Whoever asked for more did not know of it. */
        return canary__fail(
            edit->error, CANARY_E_CONFLICT, 0,
            "\"%s\" was rolled back to %u.%02u %% while this change waited for the "
            "store; look with `canaryctl status`, and repeat it if it is still meant",
            row->name, row->percentage_bp / 100, row->percentage_bp % 100);
    }
    return CANARY_OK;
}

int canary__edit_believe(struct canary__edit *edit, struct canary__rollout_row *row) {
    struct canary__change_row last;
    int code;

    if (row->intact) {
        return CANARY_OK;
    }
    code = canary__row_read_last(&edit->store->methods, edit->transaction, row->name, &last,
                                 edit->error);
    if (code == CANARY_OK && last.public.to_percentage_bp < row->percentage_bp) {
        row->percentage_bp = last.public.to_percentage_bp;
        row->stage = last.public.to_stage;
    }
    return code;
}

int canary__edit_append(struct canary__edit *edit, const struct canary__rollout_row *row,
                        const struct canary__rollout_row *before, const char *action,
                        const char *flag, uint32_t user_hash) {
    struct canary__change_row change;
    canary_change *c = &change.public;

    memset(&change, 0, sizeof change);
    c->size = (uint32_t)sizeof *c;
    c->id = edit->head.public.id + 1;
    if (row != NULL) {
        canary__text_copy(c->rollout, sizeof c->rollout, row->name);
        c->revision = row->revision;
        c->from_stage = before != NULL ? before->stage : -1;
        c->from_percentage_bp = before != NULL ? before->percentage_bp : 0;
        c->to_stage = row->stage;
        c->to_percentage_bp = row->percentage_bp;
    }
    canary__text_copy(c->action, sizeof c->action, action);
    canary__text_copy(c->flag, sizeof c->flag, flag);
    c->user_hash = user_hash;
    c->at_ns = canary__now(&edit->store->hooks, CANARY_CLOCK_REALTIME);
    canary__text_copy(c->by, sizeof c->by, edit->options.by);
    canary__text_copy(c->note, sizeof c->note, edit->options.note);
    change.evidence = edit->options.evidence;
    if (edit->head.public.id == 0) {
        memset(c->previous_hash, '0', 64);
    } else {
        canary__text_copy(c->previous_hash, sizeof c->previous_hash, edit->head.public.hash);
    }
    change.intact = 1;
    if ((edit->options.flags & CANARY_CHANGE_DRY_RUN) == 0) {
        int code = canary__row_write_change(&edit->store->methods, edit->transaction, &change,
                                            edit->error);

        if (code != CANARY_OK) {
            return code;
        }
    }
    edit->head = change;
    return CANARY_OK;
}

static int write_row(struct canary__edit *edit, struct canary__rollout_row *row,
                     const struct canary__rollout_row *before, struct canary__rollout_row *told,
                     const char *action, const char *flag, uint32_t user_hash) {
    int follows = edit->moves && edit->head.public.id != 0 && edit->head.intact;
    int code = CANARY_OK;

    row->revision = before != NULL ? before->revision + 1 : 1;
    row->updated_at = canary__now(&edit->store->hooks, CANARY_CLOCK_REALTIME);
    canary__text_copy(row->updated_by, sizeof row->updated_by, edit->options.by);
    canary__text_copy(row->note, sizeof row->note, edit->options.note);
    if ((edit->options.flags & CANARY_CHANGE_DRY_RUN) == 0) {
        code = canary__row_write_rollout(&edit->store->methods, edit->transaction, row,
                                         before == NULL, edit->error);
    }
    if (code == CANARY_OK) {
        if (told != NULL) {
            told->revision = row->revision;
        }
        code = canary__edit_append(edit, told != NULL ? told : row, told != NULL ? told : before,
                                   action, flag, user_hash);
    }
    edit->newsworthy = code == CANARY_OK && follows &&
                       canary__news_describe(&edit->news, before, row, &edit->head);
    if (code == CANARY_OK && edit->rearm && (edit->options.flags & CANARY_CHANGE_DRY_RUN) == 0) {
        const struct canary__bell_entry *entry =
            canary__bell_find(&edit->store->image, canary__bell_key(row->name));

        code = canary__bell_put(edit->store->bell.path, entry->key, 0, entry->cap_bp,
                                CANARY__BELL_PENDING, edit->error);
    }
    return code;
}

int canary__edit_write(struct canary__edit *edit, struct canary__rollout_row *row,
                       const struct canary__rollout_row *before, const char *action,
                       const char *flag, uint32_t user_hash) {
    return write_row(edit, row, before, NULL, action, flag, user_hash);
}

int canary__edit_remark(struct canary__edit *edit, struct canary__rollout_row *row,
                        const char *action, const char *flag) {
    struct canary__rollout_row before = *row;
    struct canary__rollout_row told = *row;
    int code = canary__edit_believe(edit, &told);

    return code != CANARY_OK ? code : write_row(edit, row, &before, &told, action, flag, 0);
}

/* All that can be done before the commit, so that little is left after it. */
static void prepare_to_tell(struct canary__edit *edit, struct canary__bell_ringer *ringer) {
    canary_store *store = edit->store;

    if (edit->newsworthy) {
        canary__news_learn(store, edit->transaction);
        edit->newsworthy = store->secret_known;
    }
    if (store->bell.path != NULL) {
        /* A bell that cannot be opened is tried, and complained of, after the commit. */
        (void)canary__bell_ringer_open(ringer, store->bell.path, NULL);
    }
    if (edit->newsworthy && ringer->fd >= 0) {
        canary__news_sign(&edit->news, ringer, store->secret);
    }
}

static int ring(struct canary__edit *edit, const struct canary__bell_ringer *ringer) {
    const char *path = edit->store->bell.path;

    if (ringer->fd < 0) {
        return CANARY_E_SYSTEM;
    }
    if (!edit->newsworthy) {
        return canary__bell_ringer_ring(ringer, path, &ringer->ring, sizeof ringer->ring, NULL);
    }
    return canary__bell_ringer_ring(ringer, path, &edit->news, sizeof edit->news, NULL);
}

/* The change is durable; a bell that does not ring delays others by a tick and is no failure. */
static void tell_everybody(struct canary__edit *edit, struct canary__bell_ringer *ringer) {
    canary_store *store = edit->store;
    canary_error error = canary__fail_none;

    if (store->bell.path != NULL) {
        int rung = ring(edit, ringer) == CANARY_OK;
        int elsewhere = canary__bell_ringer_close(ringer, store->bell.path);

        /* A commit can wait for readers for seconds, in which the file may have been exchanged. */
        if ((!rung || elsewhere) && canary__bell_ring(store->bell.path, &error) != CANARY_OK) {
            canary__log(&store->hooks, CANARY_LOG_WARNING,
                        "canary: %s; other processes follow within the tick", error.message);
        }
    }
    if (store->followers != NULL) {
        canary__store_refresh(store, CANARY_SOURCE_CHANGE, 0, &error);
    }
}

int canary__edit_end(struct canary__edit *edit, int code, canary_change *out) {
    canary_store *store = edit->store;
    int dry = (edit->options.flags & CANARY_CHANGE_DRY_RUN) != 0;
    int commit = code == CANARY_OK && !dry;
    struct canary__bell_ringer ringer = { .fd = -1 };
    canary_error own = canary__fail_none;
    int ended;

    if (commit) {
        prepare_to_tell(edit, &ringer);
    }
    ended = store->methods.end(edit->transaction, commit, &own);
    if (code == CANARY_OK && ended != CANARY_OK) {
        code = ended;
        canary__fail_copy(edit->error, &own);
    }
    if (commit && code == CANARY_OK) {
        tell_everybody(edit, &ringer);
    } else if (commit) {
        canary__bell_ringer_close(&ringer, store->bell.path);
    }
    canary__store_unlock(store);
    if (code == CANARY_OK && out != NULL) {
        canary__sized_out(out, &edit->head.public, sizeof edit->head.public);
    }
    return code;
}
