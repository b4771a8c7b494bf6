/* SPDX-License-Identifier: MIT */
#include "control/trail.h"

#include <string.h>

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
