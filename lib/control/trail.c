/* SPDX-License-Identifier: MIT */
#include "control/trail.h"

#include <string.h>

#include "control/row_values.h"

int canary__trail_holds(const canary_storage_methods *methods, void *transaction,
                        const struct canary__rollout_row *row, int *holds, canary_error *error) {
    struct canary__change_row last;
    int code = canary__row_read_last(methods, transaction, row->name, &last, error);

    *holds = code == CANARY_OK && last.intact && last.public.revision == row->revision &&
             last.public.to_percentage_bp == row->percentage_bp;
    return code;
}

int canary__trail_denies(const canary_storage_methods *methods, void *transaction,
                         const struct canary__flag_row *flag, int *denies, canary_error *error) {
    struct canary__change_row last;
    int code;

    *denies = 0;
    if (!flag->present || !flag->enabled) {
        return CANARY_OK;
    }
    code = canary__row_read_last_flag(methods, transaction, flag->name, &last, error);
    /* A flag that was never switched is on since its making. One that is younger than the switch was
     * signed by an accept. */
    *denies =
        code != CANARY_OK || (last.public.id != 0 && strcmp(last.public.action, "flag_on") != 0 &&
                              flag->updated_at <= last.public.at_ns);
    return code;
}

struct standing_search {
    const struct canary__rollout_row *row;
    struct canary__standing *standing;
    int edited;
};

static int take_standing(void *user_data, const canary_storage_row *stored) {
    struct standing_search *search = user_data;
    struct canary__standing *standing = search->standing;
    struct canary__change_row row;
    const canary_change *c = &row.public;

    if (!canary__row_says(stored, CANARY__CHANGE_ROLLOUT, search->row->name)) {
        return 0;
    }
    canary__row_get_change(stored, &row);
    if (standing->generation == 0) {
        /* An edited row can hide the newest change of the percentage. */
        search->edited |= !row.intact;
        if (c->from_percentage_bp != c->to_percentage_bp || strcmp(c->action, "create") == 0) {
            standing->generation = c->revision;
            standing->generation_at = c->at_ns;
        }
    }
    if (search->row->policy[0] != '\0' && standing->policy_revision == 0 &&
        strcmp(c->action, "policy") == 0) {
        standing->policy_revision = c->revision;
    }
    return standing->generation != 0 &&
           (search->row->policy[0] == '\0' || standing->policy_revision != 0);
}

int canary__trail_standing(const canary_storage_methods *methods, void *transaction,
                           const struct canary__rollout_row *row, struct canary__standing *standing,
                           canary_error *error) {
    canary_storage_value name = canary__value_text(row->name);
    canary_storage_range range = { .size = (uint32_t)sizeof range,
                                   .descending = 1,
                                   .where_column = CANARY__CHANGE_ROLLOUT,
                                   .where_value = &name };
    struct standing_search search = { row, standing, 0 };
    int code;

    memset(standing, 0, sizeof *standing);
    code = methods->read(transaction, CANARY_TABLE_CHANGES, &range, take_standing, &search, error);
    if (standing->generation == 0) {
        standing->generation = row->revision;
        search.edited = 1;
    }
    if (search.edited && row->updated_at > standing->generation_at) {
        standing->generation_at = row->updated_at;
    }
    return code;
}

struct acceptance {
    const char *rollout;
    int64_t at_ns;
};

static int take_acceptance(void *user_data, const canary_storage_row *stored) {
    struct acceptance *acceptance = user_data;
    struct canary__change_row row;

    canary__row_get_change(stored, &row);
    if (!row.intact || strcmp(row.public.action, "accept") != 0 ||
        (acceptance->rollout != NULL && strcmp(row.public.rollout, acceptance->rollout) != 0)) {
        return 0;
    }
    acceptance->at_ns = row.public.at_ns;
    return 1;
}

int canary__trail_accepted(const canary_storage_methods *methods, void *transaction,
                           const char *rollout, int64_t *at_ns, canary_error *error) {
    struct acceptance acceptance = { rollout, INT64_MIN };
    canary_storage_range range = { .size = (uint32_t)sizeof range, .descending = 1 };
    int code = methods->read(transaction, CANARY_TABLE_CHANGES, &range, take_acceptance,
                             &acceptance, error);

    *at_ns = code == CANARY_OK ? acceptance.at_ns : INT64_MIN;
    return code;
}
