/* SPDX-License-Identifier: MIT */
/* `status`: one rollout, as it is now. */
#include "jsonout.h"
#include "percent.h"
#include "session.h"
#include "state.h"
#include "users.h"
#include "watch.h"

/* The command an operator most likely wants next. */
static void add_next(const struct session *session, const canary_rollout *state, struct text *out) {
    text_addf(out, "  %snext     %s  ", say_begin(SAY_DIM), say_end());
    if ((state->doubt & CANARY_DOUBT_ROLLBACK) != 0) {
        session_command(session, true, out);
        text_add(out, "rollback   once more, which records it\n");
        return;
    }
    if (state->doubt != 0) {
        session_command(session, true, out);
        text_add(out, "verify   says what was changed outside\n");
        return;
    }
    if ((state->kill_reasons & CANARY_KILL_FLAG) != 0) {
        session_command(session, false, out);
        text_addf(out, "flag on %s   when the reason is gone\n", state->flag);
        return;
    }
    for (uint32_t i = 0; i < state->stage_count; i++) {
        if (state->stages_bp[i] > state->percentage_bp) {
            char percent[PERCENT_SIZE];
            percent_format(state->stages_bp[i], percent);
            session_command(session, true, out);
            text_addf(out, "advance --expect-stage %d   to %s %%\n", state->stage, percent);
            return;
        }
    }
    text_add(out, "nothing: everybody has the new path\n");
}

int status_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    int result = session_open_rollout(session, 0);
    if (result != 0)
        return result;
    if (session_given(session, OPTION_WATCH))
        return watch_follow(session);
    canary_rollout state = STATE_ROLLOUT_INIT;
    canary_error error = CANARY_ERROR_INIT;
    if (canary_rollout_read(session->store, session->rollout, &state, &error) != CANARY_OK)
        return session_error(session, &error);
    if (say_mode.json) {
        json_t *object = state_json(&state);
        users_status_json(session, object);
        jsonout_print(object);
        return 0;
    }
    struct text out = { 0 };
    state_describe(&state, &out);
    users_status(session, &out);
    add_next(session, &state, &out);
    say_text(&out);
    text_free(&out);
    return 0;
}
