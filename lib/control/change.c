/* SPDX-License-Identifier: MIT */
/* Stages and percentages: advance, rollback, set. */
#include <canary/rollout.h>

#include "base/fail.h"
#include "base/text.h"
#include "control/lower.h"

int canary_advance(canary_store *store, const char *rollout, const canary_change_options *options,
                   canary_change *out, canary_error *error) {
    struct canary__edit edit;
    struct canary__rollout_row row;
    int code = canary__edit_begin(&edit, store, rollout, options, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = canary__edit_load(&edit, rollout, &row);
    if (code == CANARY_OK) {
        code = canary__edit_expect(&edit, &row);
    }
    if (code == CANARY_OK) {
        code = canary__edit_may_raise(&edit, &row);
    }
    if (code == CANARY_OK) {
        struct canary__rollout_row before = row;
        uint32_t next = 1;

        while (next < row.stage_count && row.stages[next].percentage_bp <= row.percentage_bp) {
            next++;
        }
        if (next >= row.stage_count) {
            code =
                canary__fail(error, CANARY_E_REFUSED, 0,
                             "\"%s\" is at its last stage, %d %s; there is nothing to advance to",
                             row.name, row.stage, row.phase);
        } else {
            canary__lower_move(&row, row.stages[next].percentage_bp, NULL);
            edit.moves = 1;
            code = canary__edit_write(&edit, &row, &before, "advance", "", 0);
        }
    }
    return canary__edit_end(&edit, code, out);
}

int canary_rollback(canary_store *store, const char *rollout, int stage,
                    const canary_change_options *options, canary_change *out, canary_error *error) {
    struct canary__lowering lowering = { .rollout = rollout, .action = "rollback", .stage = stage };
    struct canary__edit edit;
    int code = canary__edit_admit(&edit, store, rollout, options, error);

    if (code != CANARY_OK) {
        return code;
    }
    if (stage < 0 || stage >= CANARY_STAGES_MAX) {
        return canary__fail(error, CANARY_E_INVALID, 0, "stage %d: allowed are 0 to %d", stage,
                            CANARY_STAGES_MAX - 1);
    }
    return canary__lower(&edit, &lowering, out);
}

static int set_in_turn(struct canary__edit *edit, const char *rollout, uint32_t percentage_bp,
                       const char *phase, canary_change *out) {
    int emergency = (edit->options.flags & CANARY_CHANGE_EMERGENCY) != 0;
    struct canary__rollout_row row;
    struct canary__rollout_row before;
    int code = canary__edit_start(edit);

    if (code != CANARY_OK) {
        return code;
    }
    code = canary__edit_load(edit, rollout, &row);
    if (code == CANARY_OK) {
        code = canary__edit_expect(edit, &row);
    }
    if (code == CANARY_OK && percentage_bp > row.percentage_bp) {
        code = canary__edit_may_raise(edit, &row);
    }
    if (code == CANARY_OK) {
        before = row;
        canary__lower_move(&row, percentage_bp, phase);
        edit->moves = 1;
        code = canary__edit_write(edit, &row, &before, emergency ? "emergency" : "set", "", 0);
    }
    return canary__edit_end(edit, code, out);
}

/* `edit` is admitted, not begun. */
static int set_percentage(struct canary__edit *edit, const char *rollout, uint32_t percentage_bp,
                          const char *phase, canary_change *out, canary_error *error) {
    if (percentage_bp > CANARY_BP_MAX) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "percentage %u basis points: allowed are 0 to 10000 (100 %%)",
                            percentage_bp);
    }
    if (phase != NULL && !canary__text_is_name(phase, CANARY_PHASE_MAX)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "phase \"%.80s\": allowed are 1 to %d of A-Z a-z 0-9 . _ -", phase,
                            CANARY_PHASE_MAX);
    }
    if ((edit->options.flags & CANARY_CHANGE_EMERGENCY) != 0) {
        canary_error own = canary__fail_none;
        canary_error *heard = edit->error;
        /* The cap is known whatever the store says, and one above the present state holds nobody
         * down. */
        struct canary__lowering lowering = { .rollout = rollout,
                                             .action = "emergency",
                                             .phase = phase,
                                             .stage = -1,
                                             .to_bp = percentage_bp,
                                             .cap_bp = percentage_bp };
        int code;

        edit->error = &own;
        code = canary__lower(edit, &lowering, out);
        edit->error = heard;
        /* Not a lowering after all: it was withdrawn, and is done in its turn. */
        if (code != CANARY_E_INVALID) {
            if (code != CANARY_OK) {
                canary__fail_copy(error, &own);
            }
            return code;
        }
    }
    return set_in_turn(edit, rollout, percentage_bp, phase, out);
}

int canary_set_percentage(canary_store *store, const char *rollout, uint32_t percentage_bp,
                          const char *phase, const canary_change_options *options,
                          canary_change *out, canary_error *error) {
    struct canary__edit edit;
    int code = canary__edit_admit(&edit, store, rollout, options, error);

    return code != CANARY_OK ? code
                             : set_percentage(&edit, rollout, percentage_bp, phase, out, error);
}

int canary_set_stage(canary_store *store, const char *rollout, int stage,
                     const canary_change_options *options, canary_change *out,
                     canary_error *error) {
    canary_rollout now = { .size = (uint32_t)sizeof now };
    struct canary__edit edit;
    int code = canary__edit_admit(&edit, store, rollout, options, error);

    if (code != CANARY_OK) {
        return code;
    }
    if (stage == 0) {
        return canary_rollback(store, rollout, stage, options, out, error);
    }
    /* Up or down, only the store can tell: to ring before knowing would put everybody on `old` in
     * answer to a raise. */
    code = canary_rollout_read(store, rollout, &now, error);
    if (code != CANARY_OK) {
        return code;
    }
    if (stage < 0 || (uint32_t)stage >= now.stage_count) {
        return canary__fail(error, CANARY_E_INVALID, 0, "stage %d: \"%s\" has stages 0 to %u",
                            stage, rollout, now.stage_count - 1);
    }
    if (now.stages_bp[stage] <= now.percentage_bp) {
        return canary_rollback(store, rollout, stage, options, out, error);
    }
    /* On what was known when this was asked for: a rollback may have come since. */
    return set_percentage(&edit, rollout, now.stages_bp[stage], NULL, out, error);
}
