/* SPDX-License-Identifier: MIT */
/* `verify` and `accept`: proving the trail, and signing what was changed outside. */
#include "change.h"
#include "exits.h"
#include "jsonout.h"
#include "percent.h"
#include "state.h"
#include "verify.h"
#include "when.h"

#include <inttypes.h>

static const char *const kinds[] = { "unknown",   "gap",  "link",  "hash", "rollout", "flag",
                                     "overrides", "head", "store", "bell", "time" };

const char *verify_kind(int kind) {
    return kind > 0 && kind < (int)(sizeof(kinds) / sizeof(kinds[0])) ? kinds[kind] : kinds[0];
}

struct findings {
    struct text out;
    json_t *array;
};

static int add_finding(void *user_data, const canary_finding *finding) {
    struct findings *findings = user_data;
    if (findings->array != NULL) {
        json_t *object = json_object();
        json_object_set_new(object, "kind", json_string(verify_kind(finding->kind)));
        json_object_set_new(object, "change",
                            finding->change_id == 0 ? json_null()
                                                    : json_integer((json_int_t)finding->change_id));
        json_object_set_new(object, "rollout",
                            finding->rollout[0] == '\0' ? json_null()
                                                        : jsonout_string(finding->rollout));
        json_object_set_new(object, "flag",
                            finding->flag[0] == '\0' ? json_null() : jsonout_string(finding->flag));
        json_object_set_new(object, "message", jsonout_string(finding->message));
        json_object_set_new(object, "next", jsonout_string(finding->next));
        json_array_append_new(findings->array, object);
        return 0;
    }
    text_addf(&findings->out, "%s%s%s  ", say_begin(SAY_BAD), verify_kind(finding->kind),
              say_end());
    text_safe_string(&findings->out, finding->message);
    text_add(&findings->out, "\n");
    if (finding->next[0] != '\0') {
        text_add(&findings->out, "  next: ");
        text_safe_string(&findings->out, finding->next);
        text_add(&findings->out, "\n");
    }
    return 0;
}

int verify_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    int result = session_open(session, 0);
    if (result != 0)
        return result;
    struct findings findings = { .array = say_mode.json ? json_array() : NULL };
    canary_verify_report report = { .size = (uint32_t)sizeof(report) };
    canary_error error = CANARY_ERROR_INIT;
    int64_t start = when_monotonic();
    int code = canary_verify(session->store, add_finding, &findings, &report, &error);
    int64_t duration_ns = when_monotonic() - start;
    if (code != CANARY_OK && code != CANARY_E_TAMPERED) {
        json_decref(findings.array);
        text_free(&findings.out);
        return session_error(session, &error);
    }
    if (say_mode.json) {
        json_t *object = json_object();
        json_object_set_new(object, "verified", json_boolean(code == CANARY_OK));
        json_object_set_new(object, "changes", json_integer((json_int_t)report.changes));
        json_object_set_new(object, "rollouts", json_integer(report.rollouts));
        json_object_set_new(object, "flags", json_integer(report.flags));
        json_object_set_new(object, "head_hash", jsonout_string(report.head_hash));
        json_object_set_new(object, "findings", findings.array);
        json_object_set_new(object, "duration_ms", jsonout_milliseconds(duration_ns));
        jsonout_print(object);
    } else {
        char span[WHEN_SIZE];
        when_span(duration_ns, span);
        bool good = code == CANARY_OK;
        text_addf(&findings.out, "%s%s%s: %" PRIu64 " change%s, %u rollout%s, %u flag%s in %s\n",
                  say_begin(good ? SAY_GOOD : SAY_BAD), good ? "verified" : "NOT verified",
                  say_end(), report.changes, report.changes == 1 ? "" : "s", report.rollouts,
                  report.rollouts == 1 ? "" : "s", report.flags, report.flags == 1 ? "" : "s",
                  span);
        if (!good)
            text_addf(&findings.out, "  %u finding%s\n", report.findings,
                      report.findings == 1 ? "" : "s");
        text_addf(&findings.out, "  head %s\n", report.head_hash);
        say_text(&findings.out);
        text_free(&findings.out);
    }
    return code == CANARY_OK ? 0 : CTL_EXIT_UNHEALTHY;
}

static void add_signed(const canary_rollout *state, struct text *what) {
    char percent[PERCENT_SIZE];
    percent_format(state->percentage_bp, percent);
    text_addf(what, "signed: %s %%, stage %d ", percent, state->stage);
    text_safe_string(what, state->stage_name);
    text_addf(what, ", flag %s %s, %u users pinned to new, %u to old", state->flag,
              state->flag_enabled == 1 ? "on" : "off", state->overrides_new, state->overrides_old);
}

int accept_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    struct change run;
    int result = change_open_rollout(session, 0, &run);
    if (result != 0)
        return result;
    canary_rollout before = STATE_ROLLOUT_INIT;
    canary_rollout after = STATE_ROLLOUT_INIT;
    canary_rollout_read(session->store, session->rollout, &before, NULL);
    run.started = when_monotonic();
    if (canary_accept(session->store, session->rollout, &run.options, &run.made, &run.error) !=
        CANARY_OK)
        return session_error(session, &run.error);
    struct change_report report = change_report(&run);
    struct text what = { 0 };
    report.no_undo = "a signature stays; change the state instead";
    if (canary_rollout_read(session->store, session->rollout, &after, NULL) == CANARY_OK) {
        add_signed(&after, &what);
        report.what = what.data;
        report.exposure_known = true;
        report.from_effective_bp = state_effective_elsewhere(&before);
        report.to_effective_bp = state_effective_elsewhere(&after);
    }
    change_say(session, &report);
    text_free(&what);
    return 0;
}
