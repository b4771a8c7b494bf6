/* SPDX-License-Identifier: MIT */
/* What people say about a release: approvals and decisions. */
#include <canary/audit.h>
#include <canary/guard.h>
#include <stdio.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/sized.h"

/* Other changes may come in between; as long as the percentage stays, it is what was agreed to. */
enum { ATTEMPTS = 3 };

static int admit(canary_store *store, const char *rollout, const canary_change_options *from,
                 canary_change_options *to, const char *call, canary_error *error) {
    *to = (canary_change_options)CANARY_CHANGE_OPTIONS_INIT;
    if (store == NULL || rollout == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "%s: store or rollout is NULL", call);
    }
    if (from != NULL && canary__judge_sized_in(to, from, sizeof *to,
                                               offsetof(canary_change_options, reserved)) != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "%s: the size of the options, %u, is too small, or fields that "
                                  "are newer than this library are set",
                                  call, from->size);
    }
    to->size = (uint32_t)sizeof *to;
    return CANARY_OK;
}

static int is_at_top(const canary_rollout *state) {
    for (uint32_t i = 0; i < state->stage_count; i++) {
        if (state->stages_bp[i] > state->percentage_bp) {
            return 0;
        }
    }
    return 1;
}

int canary_approve(canary_store *store, const char *rollout, const canary_change_options *options,
                   canary_change *out, canary_error *error) {
    canary_rollout state = { .size = (uint32_t)sizeof state };
    canary_error own = CANARY_ERROR_INIT;
    canary_change_options how;
    uint64_t generation = 0;
    int code = admit(store, rollout, options, &how, "canary_approve", error);
    int any = code == CANARY_OK && how.expected_revision == CANARY_ANY_REVISION;

    for (int attempt = 0; attempt < ATTEMPTS && code == CANARY_OK; attempt++) {
        code = canary_rollout_read(store, rollout, &state, error);
        if (code != CANARY_OK) {
            return code;
        }
        if (state.percentage_bp == 0 || is_at_top(&state)) {
            return canary__judge_fail(
                error, CANARY_E_REFUSED,
                state.percentage_bp == 0
                    ? "rollout \"%s\" is at 0 %%: a person begins it, by an advance; there is "
                      "nothing to approve"
                    : "rollout \"%s\" is at the top of its ladder: there is no advance to approve",
                rollout);
        }
        if (attempt > 0 && state.generation != generation) {
            return canary__judge_pass(error, CANARY_E_CONFLICT, &own);
        }
        generation = state.generation;
        if (any) {
            how.expected_revision = (int64_t)state.revision;
        }
        code = canary_note(store, rollout, "approve", &how, out, &own);
        if (code != CANARY_E_CONFLICT || !any) {
            return code == CANARY_OK ? code : canary__judge_pass(error, code, &own);
        }
        code = CANARY_OK;
    }
    return code != CANARY_OK ? code : canary__judge_pass(error, CANARY_E_CONFLICT, &own);
}

int canary_decision_log(canary_store *store, const char *rollout, int decision,
                        const canary_change_options *options, canary_change *out,
                        canary_error *error) {
    char note[CANARY_NOTE_MAX + 64];
    canary_change_options how;
    int code = admit(store, rollout, options, &how, "canary_decision_log", error);

    if (code != CANARY_OK) {
        return code;
    }
    if (decision != CANARY_VERDICT_HOLD && decision != CANARY_VERDICT_ADVANCE &&
        decision != CANARY_VERDICT_ROLLBACK) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "decision %d is not allowed: 1 (hold), 2 (proceed) or 3 "
                                  "(rollback)",
                                  decision);
    }
    if (how.note == NULL || how.note[strspn(how.note, " \t\n")] == '\0') {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "a decision without a note is not recorded: say why, for who "
                                  "reads it later");
    }
    if (strlen(how.note) + strlen(canary_verdict_word(decision)) + 2 > CANARY_NOTE_MAX) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "the note has %zu bytes; with \"%s: \" before it at most %d are "
                                  "allowed",
                                  strlen(how.note), canary_verdict_word(decision), CANARY_NOTE_MAX);
    }
    snprintf(note, sizeof note, "%s: %s", canary_verdict_word(decision), how.note);
    how.note = note;
    return canary_note(store, rollout, "decision", &how, out, error);
}
