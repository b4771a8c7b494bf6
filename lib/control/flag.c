/* SPDX-License-Identifier: MIT */
/* Switching a stored flag, and with it every rollout that obeys it. */
#include <canary/rollout.h>

#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "control/edit.h"

/* Names of the rollouts that obey a flag. */
struct names {
    canary_store *store;
    const char *flag;
    char (*list)[CANARY_NAME_MAX + 1];
    size_t count;
    size_t room;
    int out_of_memory;
};

static int take_name(void *user_data, const canary_storage_row *stored) {
    struct names *names = user_data;
    struct canary__rollout_row row;

    canary__row_get_rollout(stored, &row);
    if (strcmp(row.flag, names->flag) != 0) {
        return 0;
    }
    if (names->count == names->room) {
        size_t room = names->room == 0 ? 8 : names->room * 2;
        void *more = canary__realloc(&names->store->hooks, names->list,
                                     names->room * sizeof *names->list, room * sizeof *names->list);

        if (more == NULL) {
            names->out_of_memory = 1;
            return 1;
        }
        names->list = more;
        names->room = room;
    }
    canary__text_copy(names->list[names->count++], sizeof *names->list, row.name);
    return 0;
}

static int write_flag(struct canary__edit *edit, const char *name, int enabled) {
    const canary_storage_methods *methods = &edit->store->methods;
    struct canary__flag_row flag;
    int64_t now = canary__now(&edit->store->hooks, CANARY_CLOCK_REALTIME);
    int code = canary__row_read_flag(methods, edit->transaction, name, &flag, edit->error);

    if (code != CANARY_OK || (edit->options.flags & CANARY_CHANGE_DRY_RUN) != 0) {
        return code;
    }
    /* Readers take an older signed row for one put back by hand, so time must not go back here even
     * when the clock did. */
    flag.updated_at = now > flag.updated_at || !flag.intact ? now : flag.updated_at + 1;
    flag.enabled = enabled;
    canary__text_copy(flag.updated_by, sizeof flag.updated_by, edit->options.by);
    canary__text_copy(flag.note, sizeof flag.note, edit->options.note);
    return canary__row_write_flag(methods, edit->transaction, &flag, edit->error);
}

static int tell_rollouts(struct canary__edit *edit, struct names *names, const char *action) {
    canary_storage_range all = { .size = (uint32_t)sizeof all };
    int code = edit->store->methods.read(edit->transaction, CANARY_TABLE_ROLLOUTS, &all, take_name,
                                         names, edit->error);

    if (code == CANARY_OK && names->out_of_memory) {
        code = canary__fail(edit->error, CANARY_E_NOMEM, 0, "out of memory for a list of rollouts");
    }
    for (size_t i = 0; i < names->count && code == CANARY_OK; i++) {
        struct canary__rollout_row row;

        code = canary__edit_load(edit, names->list[i], &row);
        if (code == CANARY_OK) {
            code = canary__edit_remark(edit, &row, action, names->flag);
        }
    }
    if (code == CANARY_OK && names->count == 0) {
        code = canary__edit_append(edit, NULL, NULL, action, names->flag, 0);
    }
    return code;
}

int canary_flag_set(canary_store *store, const char *flag, int enabled,
                    const canary_change_options *options, canary_change *out, canary_error *error) {
    struct names names = { .store = store, .flag = flag };
    struct canary__edit edit;
    int code;

    if (enabled != 0 && enabled != 1) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "enabled is %d: allowed are 0 (off) and 1 (on)", enabled);
    }
    code = canary__edit_begin(&edit, store, flag, options, error);
    if (code != CANARY_OK) {
        return code;
    }
    code = write_flag(&edit, flag, enabled);
    if (code == CANARY_OK) {
        code = tell_rollouts(&edit, &names, enabled ? "flag_on" : "flag_off");
    }
    code = canary__edit_end(&edit, code, out);
    canary__free(&store->hooks, names.list, names.room * sizeof *names.list);
    return code;
}
