/* SPDX-License-Identifier: MIT */
/* `advance`, `rollback` and `set`: moving along the ladder and beside it. */
#include "change.h"
#include "percent.h"
#include "state.h"

#include <stdio.h>

static int finish(struct session *session, const struct change *run) {
    const canary_change *change = &run->made;
    struct change_report report = change_report(run);
    report.dry_run = session_given(session, OPTION_DRY_RUN);
    canary_rollout after = STATE_ROLLOUT_INIT;
    bool known = canary_rollout_read(session->store, change->rollout, &after, NULL) == CANARY_OK;
    struct text undo = { 0 };
    if (change->from_percentage_bp != change->to_percentage_bp) {
        change_undo(session, change, known ? &after : NULL, &undo);
        report.undo = undo.data;
    } else {
        report.no_undo = "nothing to undo, the percentage was the same before";
    }
    struct text warning = { 0 };
    /* "Everybody to old" is what the operator wants to hear, and pins are the exception. */
    if (known && after.percentage_bp == 0 && after.overrides_new > 0 && after.kill_reasons == 0 &&
        !report.dry_run) {
        text_addf(&warning, "%u user%s pinned to new still get%s the new path; ",
                  after.overrides_new, after.overrides_new == 1 ? "" : "s",
                  after.overrides_new == 1 ? "s" : "");
        session_command(session, false, &warning);
        text_addf(&warning, "flag off %s   sends them to old, too", after.flag);
        report.warning = warning.data;
    }
    change_say(session, &report);
    text_free(&warning);
    text_free(&undo);
    return 0;
}

/* A lowering that reached the host and not the store: the operator must know both halves. */
static int not_recorded(struct session *session, const canary_error *error, const char *repeat) {
    canary_error told = *error;
    char message[sizeof(told.message) + 200];
    snprintf(message, sizeof(message),
             "%s is lowered on this host now, through the bell, but the change is NOT recorded: %s",
             session->rollout, error->message);
    snprintf(told.message, sizeof(told.message), "%.*s", (int)sizeof(told.message) - 1, message);
    struct text next = { 0 };
    session_command(session, true, &next);
    text_addf(&next,
              "%s   again when the store answers, which records it; until then every "
              "process of this host stays lowered",
              repeat);
    int result = say_error(&told, true, next.data);
    text_free(&next);
    return result;
}

static int failed(struct session *session, const canary_error *error, const char *repeat) {
    return error->in_effect == 1 ? not_recorded(session, error, repeat)
                                 : session_error(session, error);
}

int advance_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    struct change run;
    int result = change_open_rollout(session, 0, &run);
    if (result != 0)
        return result;
    if (canary_advance(session->store, session->rollout, &run.options, &run.made, &run.error) !=
        CANARY_OK)
        return session_error(session, &run.error);
    return finish(session, &run);
}

/* Nothing may stand between the operator and the bell: no reading before it when the rollout is
 * named, and a store that cannot be opened now is no reason not to ring. */
static int open_to_lower(struct session *session, int64_t *stage, struct change *run) {
    int result = session_number(session, OPTION_STAGE, 0, CANARY_STAGES_MAX - 1, stage);
    return result == 0 ? change_open_rollout(session, CANARY_OPEN_DEFER, run) : result;
}

int rollback_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    int64_t stage = 0;
    struct change run;
    int result = open_to_lower(session, &stage, &run);
    if (result != 0)
        return result;
    if (canary_rollback(session->store, session->rollout, (int)stage, &run.options, &run.made,
                        &run.error) == CANARY_OK)
        return finish(session, &run);
    char repeat[40];
    snprintf(repeat, sizeof(repeat), "rollback --stage %d", (int)stage);
    return failed(session, &run.error, stage == 0 ? "rollback" : repeat);
}

static int set_stage(struct session *session, struct change *run, int stage) {
    if (canary_set_stage(session->store, session->rollout, stage, &run->options, &run->made,
                         &run->error) == CANARY_OK)
        return finish(session, run);
    char repeat[40];
    snprintf(repeat, sizeof(repeat), "set --stage %d", stage);
    return failed(session, &run->error, repeat);
}

static int set_percent(struct session *session, struct change *run, uint32_t bp) {
    if (canary_set_percentage(session->store, session->rollout, bp,
                              session_value(session, OPTION_PHASE), &run->options, &run->made,
                              &run->error) == CANARY_OK)
        return finish(session, run);
    char percent[PERCENT_SIZE];
    char repeat[80];
    percent_format(bp, percent);
    snprintf(repeat, sizeof(repeat), "set --percent %s%s", percent,
             session_given(session, OPTION_EMERGENCY) ? " --emergency" : "");
    return failed(session, &run->error, repeat);
}

int set_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    const char *percent = session_value(session, OPTION_PERCENT);
    bool by_stage = session_given(session, OPTION_STAGE);
    if ((percent != NULL) == by_stage)
        return say_usage(session->command, by_stage ? "give --percent P or --stage N, not both"
                                                    : "give --percent P or --stage N");
    if (by_stage && session_given(session, OPTION_PHASE))
        return say_usage(session->command, "--phase \"%s\" goes with --percent: a stage has a name",
                         session_value(session, OPTION_PHASE));
    uint32_t bp = 0;
    int64_t stage = 0;
    const char *why = percent != NULL ? percent_parse(percent, &bp) : NULL;
    if (why != NULL)
        return say_usage(session->command, "--percent \"%s\" %s", percent, why);
    struct change run;
    int result = open_to_lower(session, &stage, &run);
    if (result != 0)
        return result;
    return by_stage ? set_stage(session, &run, (int)stage) : set_percent(session, &run, bp);
}
