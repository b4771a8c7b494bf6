/* SPDX-License-Identifier: MIT */
/* Reading rollouts, flags and overrides for people. */
#include <canary/rollout.h>

#include <stddef.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/environment.h"
#include "control/rows.h"
#include "control/trail.h"

static void fill_stages(const struct canary__rollout_row *row, canary_rollout *out) {
    out->stage_count = row->stage_count;
    for (uint32_t i = 0; i < row->stage_count && i < CANARY_STAGES_MAX; i++) {
        out->stages_bp[i] = row->stages[i].percentage_bp;
        out->dwell_ns[i] = row->stages[i].dwell_ns;
        canary__text_copy(out->stage_names[i], sizeof out->stage_names[i], row->stages[i].name);
    }
}

static int fill_flag(canary_store *store, void *transaction, const struct canary__flag_row *flag,
                     canary_rollout *out, canary_error *error) {
    int believed = flag->present && flag->enabled;

    canary__text_copy(out->flag, sizeof out->flag, flag->name);
    out->flag_enabled = flag->present && flag->enabled;
    out->flag_updated_at_ns = flag->updated_at;
    canary__text_copy(out->flag_updated_by, sizeof out->flag_updated_by, flag->updated_by);
    canary__text_copy(out->flag_note, sizeof out->flag_note, flag->note);
    if (!flag->intact) {
        out->doubt |= CANARY_DOUBT_FLAG;
    }
    if (!flag->intact && believed) {
        /* Switched on outside: whoever followed all along goes by what the trail says. */
        struct canary__change_row last;
        int code =
            canary__row_read_last_flag(&store->methods, transaction, flag->name, &last, error);

        if (code != CANARY_OK) {
            return code;
        }
        believed = last.public.id == 0 || strcmp(last.public.action, "flag_on") == 0;
    }
    if (!believed) {
        out->kill_reasons |= CANARY_KILL_FLAG;
    }
    return CANARY_OK;
}

/* What processes that have followed all along act on: a doubted row counts downwards only, from
 * what the trail last recorded. */
static int settle_effective(canary_store *store, void *transaction,
                            const struct canary__rollout_row *row, canary_rollout *out,
                            canary_error *error) {
    const struct canary__bell_entry *entry =
        canary__bell_find(&store->image, canary__bell_key(row->name));
    struct canary__change_row last;

    out->effective_bp = row->percentage_bp;
    if (!row->intact) {
        int code = canary__row_read_last(&store->methods, transaction, row->name, &last, error);

        if (code != CANARY_OK) {
            return code;
        }
        out->doubt |= CANARY_DOUBT_ROLLOUT;
        if (last.public.to_percentage_bp < out->effective_bp) {
            out->effective_bp = last.public.to_percentage_bp;
        }
    }
    if (store->image.damaged > 0) {
        out->doubt |= CANARY_DOUBT_BELL;
        out->kill_reasons |= CANARY_KILL_BELL;
    }
    if (entry != NULL &&
        (entry->state == CANARY__BELL_PENDING || row->revision < entry->revision)) {
        out->doubt |= CANARY_DOUBT_ROLLBACK;
        if (entry->cap_bp < out->effective_bp) {
            out->effective_bp = entry->cap_bp;
        }
    }
    if (canary__environment_kills(row->name)) {
        out->kill_reasons |= CANARY_KILL_ENVIRONMENT;
    }
    if (out->kill_reasons != 0) {
        out->effective_bp = 0;
    }
    return CANARY_OK;
}

static int fill_standing(canary_store *store, void *transaction,
                         const struct canary__rollout_row *row, canary_rollout *out,
                         canary_error *error) {
    struct canary__standing standing;
    int code = canary__trail_standing(&store->methods, transaction, row, &standing, error);

    out->generation = standing.generation;
    out->generation_at_ns = standing.generation_at;
    out->policy_revision = standing.policy_revision;
    canary__text_copy(out->policy, sizeof out->policy, row->policy);
    return code;
}

static int fill_rollout(canary_store *store, void *transaction, const char *name,
                        canary_rollout *out, canary_error *error) {
    struct canary__rollout_row row;
    struct canary__flag_row flag;
    int code = canary__row_read_rollout(&store->methods, transaction, name, &row, error);

    if (code == CANARY_OK) {
        code = canary__row_read_flag(&store->methods, transaction, row.flag, &flag, error);
    }
    if (code != CANARY_OK) {
        return code;
    }
    memset(out, 0, sizeof *out);
    out->size = (uint32_t)sizeof *out;
    out->stage = row.stage;
    out->percentage_bp = row.percentage_bp;
    out->algorithm = row.algorithm;
    out->revision = row.revision;
    out->updated_at_ns = row.updated_at;
    out->overrides_new = row.overrides_new;
    out->overrides_old = row.overrides_old;
    canary__text_copy(out->name, sizeof out->name, row.name);
    canary__text_copy(out->stage_name, sizeof out->stage_name, row.phase);
    canary__text_copy(out->salt, sizeof out->salt, row.salt);
    canary__text_copy(out->updated_by, sizeof out->updated_by, row.updated_by);
    canary__text_copy(out->note, sizeof out->note, row.note);
    fill_stages(&row, out);
    code = fill_standing(store, transaction, &row, out, error);
    if (code == CANARY_OK) {
        code = fill_flag(store, transaction, &flag, out, error);
    }
    return code != CANARY_OK ? code : settle_effective(store, transaction, &row, out, error);
}

int canary_rollout_read(canary_store *store, const char *rollout, canary_rollout *out,
                        canary_error *error) {
    canary_error unheard = canary__fail_none;
    canary_rollout found;
    void *transaction;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (out == NULL || rollout == NULL ||
        out->size < offsetof(canary_rollout, flag_note) + sizeof out->flag_note) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "canary_rollout_read: rollout or out is NULL, or out->size is not set");
    }
    code = canary__rows_begin(store, rollout, &transaction, error);
    if (code != CANARY_OK) {
        return code;
    }
    canary__bell_read(&store->bell, 1, &store->image);
    code = fill_rollout(store, transaction, rollout, &found, error);
    code = canary__rows_end(store, transaction, code, error);
    if (code == CANARY_OK) {
        canary__sized_out(out, &found, sizeof found);
    }
    return code;
}

static int gather_name(void *user_data, const canary_storage_row *stored) {
    struct canary__rollout_row row;

    canary__row_get_rollout(stored, &row);
    return canary__rows_add(user_data, row.name, sizeof row.name);
}

static int out_of_memory(canary_error *error) {
    return canary__fail(error, CANARY_E_NOMEM, 0, "out of memory for a list");
}

int canary_rollout_list(canary_store *store, canary_rollout_fn callback, void *user_data,
                        canary_error *error) {
    canary_error unheard = canary__fail_none;
    canary_storage_range all = { .size = (uint32_t)sizeof all };
    struct canary__rows names = { 0 };
    struct canary__rows found = { 0 };
    void *transaction;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (callback == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "canary_rollout_list: callback is NULL");
    }
    code = canary__rows_begin(store, NULL, &transaction, error);
    if (code != CANARY_OK) {
        return code;
    }
    names.hooks = &store->hooks;
    found.hooks = &store->hooks;
    canary__bell_read(&store->bell, 1, &store->image);
    code =
        store->methods.read(transaction, CANARY_TABLE_ROLLOUTS, &all, gather_name, &names, error);
    for (size_t at = 0; at < names.used && code == CANARY_OK; at += CANARY_NAME_MAX + 1) {
        canary_rollout one;

        code = fill_rollout(store, transaction, (const char *)names.bytes + at, &one, error);
        if (code == CANARY_OK && canary__rows_add(&found, &one, sizeof one) != 0) {
            break;
        }
    }
    if (code == CANARY_OK && (names.out_of_memory || found.out_of_memory)) {
        code = out_of_memory(error);
    }
    code = canary__rows_end(store, transaction, code, error);
    for (size_t at = 0; at < found.used && code == CANARY_OK; at += sizeof(canary_rollout)) {
        if (callback(user_data, (const canary_rollout *)(void *)(found.bytes + at)) != 0) {
            break;
        }
    }
    canary__rows_free(&names);
    canary__rows_free(&found);
    return code;
}

static int gather_flag(void *user_data, const canary_storage_row *stored) {
    struct canary__flag_row row;
    canary_flag flag = { .size = (uint32_t)sizeof flag };

    canary__row_get_flag(stored, NULL, &row);
    flag.enabled = (uint32_t)row.enabled;
    flag.doubt = row.intact ? 0 : CANARY_DOUBT_FLAG;
    flag.updated_at_ns = row.updated_at;
    canary__text_copy(flag.name, sizeof flag.name, row.name);
    canary__text_copy(flag.updated_by, sizeof flag.updated_by, row.updated_by);
    canary__text_copy(flag.note, sizeof flag.note, row.note);
    return canary__rows_add(user_data, &flag, sizeof flag);
}

static int count_obeying(void *user_data, const canary_storage_row *stored) {
    struct canary__rows *flags = user_data;
    struct canary__rollout_row row;

    canary__row_get_rollout(stored, &row);
    for (size_t at = 0; at < flags->used; at += sizeof(canary_flag)) {
        canary_flag *flag = (canary_flag *)(void *)(flags->bytes + at);

        flag->rollouts += strcmp(flag->name, row.flag) == 0;
    }
    return 0;
}

int canary_flag_list(canary_store *store, canary_flag_fn callback, void *user_data,
                     canary_error *error) {
    canary_error unheard = canary__fail_none;
    canary_storage_range all = { .size = (uint32_t)sizeof all };
    struct canary__rows flags = { 0 };
    void *transaction;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (callback == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "canary_flag_list: callback is NULL");
    }
    code = canary__rows_begin(store, NULL, &transaction, error);
    if (code != CANARY_OK) {
        return code;
    }
    flags.hooks = &store->hooks;
    code = store->methods.read(transaction, CANARY_TABLE_FLAGS, &all, gather_flag, &flags, error);
    if (code == CANARY_OK && flags.out_of_memory) {
        code = out_of_memory(error);
    }
    if (code == CANARY_OK) {
        code = store->methods.read(transaction, CANARY_TABLE_ROLLOUTS, &all, count_obeying, &flags,
                                   error);
    }
    code = canary__rows_end(store, transaction, code, error);
    for (size_t at = 0; at < flags.used && code == CANARY_OK; at += sizeof(canary_flag)) {
        if (callback(user_data, (const canary_flag *)(void *)(flags.bytes + at)) != 0) {
            break;
        }
    }
    canary__rows_free(&flags);
    return code;
}

/* An override in the gathering: cohort, size, bytes. */
static int gather_override(void *user_data, const canary_storage_row *row) {
    struct canary__rows *rows = user_data;
    uint64_t head[2];

    if (row->count < 3 || row->values[1].type != CANARY_VALUE_BLOB) {
        return 0;
    }
    head[0] = row->values[2].integer == 1;
    head[1] = row->values[1].size;
    return canary__rows_add(rows, head, sizeof head) != 0 ||
           canary__rows_add(rows, row->values[1].data, (size_t)head[1]) != 0;
}

int canary_override_list(canary_store *store, const char *rollout, canary_override_fn callback,
                         void *user_data, canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct canary__rows rows = { 0 };
    struct canary__rollout_row row;
    void *transaction;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (callback == NULL || rollout == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "canary_override_list: rollout or callback is NULL");
    }
    code = canary__rows_begin(store, rollout, &transaction, error);
    if (code != CANARY_OK) {
        return code;
    }
    rows.hooks = &store->hooks;
    code = canary__row_read_rollout(&store->methods, transaction, rollout, &row, error);
    if (code == CANARY_OK) {
        canary_storage_value key = canary__value_text(rollout);
        canary_storage_range range = { .size = (uint32_t)sizeof range,
                                       .key_count = 1,
                                       .key = &key };

        code = store->methods.read(transaction, CANARY_TABLE_OVERRIDES, &range, gather_override,
                                   &rows, error);
    }
    if (code == CANARY_OK && rows.out_of_memory) {
        code = out_of_memory(error);
    }
    code = canary__rows_end(store, transaction, code, error);
    for (size_t at = 0; at < rows.used && code == CANARY_OK;) {
        uint64_t head[2];

        memcpy(head, rows.bytes + at, sizeof head);
        at += sizeof head;
        if (callback(user_data, rows.bytes + at, head[1], (int)head[0]) != 0) {
            break;
        }
        at += (size_t)head[1];
    }
    canary__rows_free(&rows);
    return code;
}
