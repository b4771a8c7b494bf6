/* SPDX-License-Identifier: MIT */
/* `approve` and `decide-log`: what people say about a release, for the trail. */
#include "change.h"
#include "percent.h"
#include "state.h"

#include <canary/judge.h>

#include <string.h>
#include <strings.h>

static void say_change(const struct session *session, struct change *run, const struct text *what) {
    struct change_report report = change_report(run);
    canary_rollout after = STATE_ROLLOUT_INIT;
    report.dry_run = session_given(session, OPTION_DRY_RUN);
    report.what = what->data;
    report.exposure_known = true;
    if (canary_rollout_read(session->store, session->rollout, &after, NULL) == CANARY_OK)
        report.from_effective_bp = report.to_effective_bp = state_effective_elsewhere(&after);
    report.no_undo = "a trail only grows; say otherwise in a later entry";
    change_say(session, &report);
}

/* What the approval lets a guard do. */
static void add_step(const struct session *session, struct text *out) {
    canary_rollout state = STATE_ROLLOUT_INIT;
    char percent[PERCENT_SIZE];
    if (canary_rollout_read(session->store, session->rollout, &state, NULL) != CANARY_OK)
        return;
    for (uint32_t i = 0; i < state.stage_count; i++) {
        if (state.stages_bp[i] > state.percentage_bp) {
            percent_format(state.percentage_bp, percent);
            text_addf(out, "the advance from %s %%", percent);
            percent_format(state.stages_bp[i], percent);
            text_addf(out, " to %s %% %s approved, once everything else is shown", percent,
                      session_given(session, OPTION_DRY_RUN) ? "would be" : "is");
            return;
        }
    }
}

int approve_run(struct session *session, int count, char **words) {
    struct change run;
    struct text what = { 0 };
    int result = change_open_named(session, count, words, &run);
    if (result != 0)
        return result;
    if (canary_approve(session->store, session->rollout, &run.options, &run.made, &run.error) !=
        CANARY_OK)
        return session_error(session, &run.error);
    add_step(session, &what);
    say_change(session, &run, &what);
    text_free(&what);
    return 0;
}

static int decision_of(const char *word) {
    for (int decision = CANARY_VERDICT_HOLD; decision <= CANARY_VERDICT_ROLLBACK; decision++) {
        if (strcasecmp(word, canary_verdict_word(decision)) == 0)
            return decision;
    }
    return 0;
}

int decide_log_run(struct session *session, int count, char **words) {
    struct change run;
    struct text what = { 0 };
    const char *note = session_value(session, OPTION_NOTE);
    int decision = decision_of(words[count - 1]);
    if (decision == 0)
        return say_usage(session->command, "\"%s\" is no decision: PROCEED, HOLD or ROLLBACK",
                         words[count - 1]);
    if (note == NULL || note[strspn(note, " \t\n")] == '\0')
        return say_usage(session->command,
                         "--note TEXT is missing: say why, for who reads the trail later");
    int result = change_open_named(session, count - 1, words, &run);
    if (result != 0)
        return result;
    if (canary_decision_log(session->store, session->rollout, decision, &run.options, &run.made,
                            &run.error) != CANARY_OK)
        return session_error(session, &run.error);
    text_addf(&what, "the decision %s is in the trail", canary_verdict_word(decision));
    if (decision != CANARY_VERDICT_HOLD)
        text_addf(&what, "; it changes nothing by itself: %s does",
                  decision == CANARY_VERDICT_ADVANCE ? "advance" : "rollback");
    say_change(session, &run, &what);
    text_free(&what);
    return 0;
}
