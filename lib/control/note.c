/* SPDX-License-Identifier: MIT */
/* Words of people in the trail, which change nothing else. */
#include <canary/audit.h>

#include <string.h>

#include "base/fail.h"
#include "control/edit.h"

static const char *known_action(const char *action) {
    static const char *const actions[] = { "approve", "decision" };

    for (size_t i = 0; action != NULL && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(action, actions[i]) == 0) {
            return actions[i];
        }
    }
    return NULL;
}

int canary_note(canary_store *store, const char *rollout, const char *action,
                const canary_change_options *options, canary_change *out, canary_error *error) {
    const char *known = known_action(action);
    struct canary__edit edit;
    struct canary__rollout_row row;
    int code = canary__edit_admit(&edit, store, rollout, options, error);

    if (code == CANARY_OK && known == NULL) {
        code = canary__fail(error, CANARY_E_INVALID, 0,
                            "action \"%.40s\": allowed are \"approve\" and \"decision\"",
                            action == NULL ? "(null)" : action);
    }
    if (code == CANARY_OK) {
        code = canary__edit_start(&edit);
    }
    if (code != CANARY_OK) {
        return code;
    }
    code = canary__edit_load(&edit, rollout, &row);
    if (code == CANARY_OK) {
        code = canary__edit_expect(&edit, &row);
    }
    if (code == CANARY_OK) {
        code = canary__edit_remark(&edit, &row, known, "");
    }
    return canary__edit_end(&edit, code, out);
}
