/* SPDX-License-Identifier: MIT */
/* Making a rollout, and signing again what somebody changed outside. */
#include <canary/bucket.h>
#include <canary/rollout.h>

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/edit.h"
#include "control/lower.h"
#include "control/overrides.h"
#include "control/trail.h"

static const struct canary__stage_row default_ladder[] = {
    { "DISABLED", 0, 0 },        { "EARLY_TESTING", 500, 0 },  { "EXPANDED", 2500, 0 },
    { "HALF_ROLLOUT", 5000, 0 }, { "FULL_ROLLOUT", 10000, 0 },
};
enum { DEFAULT_STAGES = sizeof default_ladder / sizeof default_ladder[0] };

static const char no_overrides[] =
    "0000000000000000000000000000000000000000000000000000000000000000";

static int name_stage(struct canary__rollout_row *row, uint32_t stage, const char *name,
                      canary_error *error) {
    struct canary__stage_row *rung = &row->stages[stage];

    if (name == NULL) {
        snprintf(rung->name, sizeof rung->name, "STAGE_%u", stage);
    } else if (canary__text_is_name(name, CANARY_PHASE_MAX)) {
        canary__text_copy(rung->name, sizeof rung->name, name);
    } else {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "stage name \"%.80s\": allowed are 1 to %d of A-Z a-z 0-9 . _ -", name,
                            CANARY_PHASE_MAX);
    }
    for (uint32_t i = 0; i < stage; i++) {
        if (strcmp(row->stages[i].name, rung->name) == 0) {
            return canary__fail(error, CANARY_E_INVALID, 0,
                                "stage name \"%s\" stands twice; stages %u and %u need different "
                                "names",
                                rung->name, i, stage);
        }
    }
    return CANARY_OK;
}

static int same_percentages(const canary_rollout_spec *spec) {
    for (uint32_t i = 0; i < spec->stage_count; i++) {
        if (spec->stage_count != DEFAULT_STAGES - 1 ||
            spec->stages_bp[i] != default_ladder[i + 1].percentage_bp) {
            return 0;
        }
    }
    return 1;
}

static int build_ladder(const canary_rollout_spec *spec, struct canary__rollout_row *row,
                        canary_error *error) {
    int code = CANARY_OK;

    memcpy(row->stages, default_ladder, sizeof default_ladder);
    row->stage_count = DEFAULT_STAGES;
    if (spec->stage_count >= CANARY_STAGES_MAX ||
        (spec->stage_count > 0 && spec->stages_bp == NULL)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "%u stages: allowed are 0 (the default ladder) to %d, with their "
                            "percentages",
                            spec->stage_count, CANARY_STAGES_MAX - 1);
    }
    if (spec->stage_count > 0) {
        int standard = same_percentages(spec);

        row->stage_count = spec->stage_count + 1;
        for (uint32_t i = 1; i < row->stage_count && code == CANARY_OK; i++) {
            uint32_t bp = spec->stages_bp[i - 1];

            if (bp <= row->stages[i - 1].percentage_bp || bp > CANARY_BP_MAX) {
                return canary__fail(error, CANARY_E_INVALID, 0,
                                    "stage %u: %u.%02u %% must be above the stage before it "
                                    "(%u.%02u %%) and at most 100 %%",
                                    i, bp / 100, bp % 100, row->stages[i - 1].percentage_bp / 100,
                                    row->stages[i - 1].percentage_bp % 100);
            }
            row->stages[i].percentage_bp = bp;
            if (spec->stage_names != NULL || !standard) {
                code = name_stage(
                    row, i, spec->stage_names == NULL ? NULL : spec->stage_names[i - 1], error);
            }
        }
    }
    for (uint32_t i = 1; i < row->stage_count && spec->dwell_ns != NULL && spec->stage_count > 0;
         i++) {
        row->stages[i].dwell_ns = spec->dwell_ns[i - 1];
        if (spec->dwell_ns[i - 1] < 0) {
            return canary__fail(error, CANARY_E_INVALID, 0,
                                "stage %u: dwell time %lld ns is negative", i,
                                (long long)spec->dwell_ns[i - 1]);
        }
    }
    return code;
}

static int build_row(const canary_rollout_spec *spec, struct canary__rollout_row *row,
                     canary_error *error) {
    const char *flag = spec->flag != NULL ? spec->flag : spec->name;
    const char *salt = spec->salt != NULL ? spec->salt : "";

    memset(row, 0, sizeof *row);
    row->intact = 1;
    row->algorithm = CANARY_ALGORITHM_SHA256;
    canary__text_copy(row->name, sizeof row->name, spec->name);
    canary__text_copy(row->overrides_digest, sizeof row->overrides_digest, no_overrides);
    if (!canary__text_is_name(flag, CANARY_NAME_MAX)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "flag \"%.140s\": allowed are 1 to 128 of A-Z a-z 0-9 . _ -", flag);
    }
    canary__text_copy(row->flag, sizeof row->flag, flag);
    if (!canary__text_is_utf8(salt, CANARY_SALT_MAX, 1)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "salt: allowed are up to %d bytes of UTF-8 without control characters",
                            CANARY_SALT_MAX);
    }
    canary__text_copy(row->salt, sizeof row->salt, salt);
    return build_ladder(spec, row, error);
}

struct siblings {
    const struct canary__rollout_row *row;
    char shared[CANARY_NAME_MAX + 1];
};

static int find_sibling(void *user_data, const canary_storage_row *stored) {
    struct siblings *siblings = user_data;
    struct canary__rollout_row other;

    canary__row_get_rollout(stored, &other);
    if (strcmp(other.salt, siblings->row->salt) == 0 && other.percentage_bp > 0 &&
        other.percentage_bp < CANARY_BP_MAX) {
        canary__text_copy(siblings->shared, sizeof siblings->shared, other.name);
        return 1;
    }
    return 0;
}

static void warn_of_siblings(struct canary__edit *edit, const struct canary__rollout_row *row) {
    struct siblings siblings = { row, "" };
    canary_storage_range all = { .size = (uint32_t)sizeof all };
    canary_error ignored = canary__fail_none;

    edit->store->methods.read(edit->transaction, CANARY_TABLE_ROLLOUTS, &all, find_sibling,
                              &siblings, &ignored);
    if (siblings.shared[0] != '\0') {
        canary__log(&edit->store->hooks, CANARY_LOG_WARNING,
                    "canary: \"%s\" has the same salt as \"%s\", which is partly open: the same "
                    "users come first in both; give one a salt of its own (--salt)",
                    row->name, siblings.shared);
    }
}

static int create_flag(struct canary__edit *edit, const char *name, int enabled) {
    struct canary__flag_row flag;
    int code =
        canary__row_read_flag(&edit->store->methods, edit->transaction, name, &flag, edit->error);

    if (code != CANARY_OK || flag.present || (edit->options.flags & CANARY_CHANGE_DRY_RUN) != 0) {
        return code;
    }
    flag.enabled = enabled;
    flag.updated_at = canary__now(&edit->store->hooks, CANARY_CLOCK_REALTIME);
    canary__text_copy(flag.updated_by, sizeof flag.updated_by, edit->options.by);
    canary__text_copy(flag.note, sizeof flag.note, edit->options.note);
    return canary__row_write_flag(&edit->store->methods, edit->transaction, &flag, edit->error);
}

/* An entry left in the bell by an earlier rollout of this name would hold the new one down. */
static void forget_entry(struct canary__edit *edit, const char *name) {
    const struct canary__bell_entry *entry =
        canary__bell_find(&edit->store->image, canary__bell_key(name));
    canary_error ignored = canary__fail_none;

    if (entry != NULL && (edit->options.flags & CANARY_CHANGE_DRY_RUN) == 0) {
        canary__bell_put(edit->store->bell.path, entry->key, 0, 0, CANARY__BELL_RECORDED, &ignored);
    }
}

int canary_create(canary_store *store, const canary_rollout_spec *spec,
                  const canary_change_options *options, canary_change *out, canary_error *error) {
    canary_rollout_spec admitted = { 0 };
    struct canary__rollout_row row;
    struct canary__rollout_row existing;
    struct canary__edit edit;
    canary_error own = canary__fail_none;
    int code;

    if (spec == NULL || canary__sized_in(&admitted, spec, sizeof admitted,
                                         offsetof(canary_rollout_spec, stages_bp)) != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "canary_create: the spec is NULL, its size too small, or fields newer "
                            "than this library are set");
    }
    code = canary__edit_admit(&edit, store, admitted.name, options, error);
    if (code == CANARY_OK) {
        code = build_row(&admitted, &row, error);
    }
    if (code == CANARY_OK) {
        code = canary__edit_start(&edit);
    }
    if (code != CANARY_OK) {
        return code;
    }
    code = canary__row_read_rollout(&store->methods, edit.transaction, row.name, &existing, &own);
    if (code == CANARY_OK) {
        code = canary__fail(error, CANARY_E_EXISTS, 0,
                            "there is a rollout \"%s\" already, at %u.%02u %%", row.name,
                            existing.percentage_bp / 100, existing.percentage_bp % 100);
    } else if (code == CANARY_E_NOT_FOUND) {
        warn_of_siblings(&edit, &row);
        canary__lower_move(&row, 0, NULL);
        code = create_flag(&edit, row.flag, 1);
        if (code == CANARY_OK) {
            forget_entry(&edit, row.name);
            code = canary__edit_write(&edit, &row, NULL, "create", "", 0);
        }
    } else {
        canary__fail_copy(error, &own);
    }
    return canary__edit_end(&edit, code, out);
}

static int sign_flag(struct canary__edit *edit, const char *name) {
    struct canary__flag_row flag;
    int denied = 0;
    int code =
        canary__row_read_flag(&edit->store->methods, edit->transaction, name, &flag, edit->error);

    if (code == CANARY_OK && flag.intact) {
        code = canary__trail_denies(&edit->store->methods, edit->transaction, &flag, &denied,
                                    edit->error);
    }
    if (code != CANARY_OK || (edit->options.flags & CANARY_CHANGE_DRY_RUN) != 0) {
        return code;
    }
    if (!flag.present) {
        /* Missing counts as off, and off is what is signed. */
        return create_flag(edit, name, 0);
    }
    if (!flag.intact || denied) {
        flag.updated_at = canary__now(&edit->store->hooks, CANARY_CLOCK_REALTIME);
        canary__text_copy(flag.updated_by, sizeof flag.updated_by, edit->options.by);
        code = canary__row_write_flag(&edit->store->methods, edit->transaction, &flag, edit->error);
    }
    return code;
}

static void mend_bell(struct canary__edit *edit, const struct canary__rollout_row *row) {
    const struct canary__bell_entry *entry =
        canary__bell_find(&edit->store->image, canary__bell_key(row->name));
    const char *path = edit->store->bell.path;
    canary_error ignored = canary__fail_none;

    if (path == NULL || (edit->options.flags & CANARY_CHANGE_DRY_RUN) != 0) {
        return;
    }
    if (!edit->store->image.present || edit->store->image.damaged > 0) {
        canary__bell_repair(path, &ignored);
    }
    /* A rollback that is pending still wants to be recorded; one that is ahead of a store put back
     * from a copy ends here. */
    if (entry != NULL && entry->state == CANARY__BELL_RECORDED) {
        canary__bell_put(path, entry->key, row->revision, entry->cap_bp, CANARY__BELL_RECORDED,
                         &ignored);
    }
}

/* Values that no column of ours holds, a gap in the ladder: signed they would be in doubt again. */
static int check_signed(struct canary__edit *edit, const char *rollout) {
    struct canary__rollout_row row;
    int code = canary__row_read_rollout(&edit->store->methods, edit->transaction, rollout, &row,
                                        edit->error);

    if (code == CANARY_OK && !row.intact && (edit->options.flags & CANARY_CHANGE_DRY_RUN) == 0) {
        code = canary__fail(edit->error, CANARY_E_TAMPERED, 0,
                            "\"%s\" has a ladder with gaps or values out of range: that cannot be "
                            "signed; put it back by SQL or restore the file",
                            rollout);
    }
    return code;
}

int canary_accept(canary_store *store, const char *rollout, const canary_change_options *options,
                  canary_change *out, canary_error *error) {
    struct canary__rollout_row row;
    struct canary__rollout_row before;
    struct canary__change_row last;
    struct canary__edit edit;
    int code = canary__edit_begin(&edit, store, rollout, options, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = canary__edit_load(&edit, rollout, &row);
    if (code == CANARY_OK) {
        code = canary__edit_expect(&edit, &row);
    }
    if (code == CANARY_OK && (row.stage_count == 0 || row.algorithm != CANARY_ALGORITHM_SHA256 ||
                              !canary__text_is_name(row.flag, CANARY_NAME_MAX))) {
        code = canary__fail(error, CANARY_E_TAMPERED, 0,
                            "\"%s\" has no ladder, no flag or an unknown algorithm (%u): that "
                            "cannot be signed; put it back by SQL or restore the file",
                            row.name, row.algorithm);
    }
    if (code == CANARY_OK) {
        code = canary__row_read_last(&store->methods, edit.transaction, rollout, &last, edit.error);
    }
    if (code == CANARY_OK) {
        code = canary__overrides_count(&edit, &row);
    }
    if (code == CANARY_OK) {
        code = sign_flag(&edit, row.flag);
    }
    if (code == CANARY_OK) {
        /* From what the trail says to what stands there: that is what somebody changed. */
        before = row;
        before.stage = last.public.to_stage;
        before.percentage_bp = last.public.to_percentage_bp;
        if (last.public.revision > before.revision) {
            before.revision = last.public.revision;
        }
        if (row.stage != canary__row_stage_of(&row, row.percentage_bp)) {
            canary__lower_move(&row, row.percentage_bp, NULL); /* the phase was another rung's */
        }
        row.intact = 1;
        edit.rearm = 0;
        code = canary__edit_write(&edit, &row, &before, "accept", row.flag, 0);
    }
    if (code == CANARY_OK) {
        code = check_signed(&edit, rollout);
    }
    if (code == CANARY_OK) {
        mend_bell(&edit, &row);
    }
    return canary__edit_end(&edit, code, out);
}
