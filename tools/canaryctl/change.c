/* SPDX-License-Identifier: MIT */
/* See change.h. */
#include "change.h"

#include "jsonout.h"
#include "percent.h"
#include "state.h"
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int begin(const struct session *session, struct change *change) {
    *change = (struct change){ .made = { .size = (uint32_t)sizeof(canary_change) },
                               .error = CANARY_ERROR_INIT };
    return session_change_options(session, &change->options);
}

int change_open(struct session *session, uint32_t flags, struct change *change) {
    int result = begin(session, change);
    if (result == 0)
        result = session_open(session, flags);
    /* Whoever looks at something before the change starts the clock again after it. */
    change->started = when_monotonic();
    return result;
}

int change_open_rollout(struct session *session, uint32_t flags, struct change *change) {
    int result = change_open(session, flags, change);
    if (result == 0)
        result = session_rollout(session);
    change->started = when_monotonic();
    return result;
}

int change_open_named(struct session *session, int count, char **words, struct change *change) {
    int result = begin(session, change);
    if (result == 0)
        result = session_open_named(session, count, words, 0);
    change->started = when_monotonic();
    return result;
}

struct change_report change_report(const struct change *change) {
    return (struct change_report){ .change = &change->made,
                                   .duration_ns = when_monotonic() - change->started,
                                   .returned_at_ns = when_now() };
}

/* Which way users move, in basis points: above 0 from old to new. */
static int32_t moved(const struct change_report *report, const canary_rollout *after) {
    if (report->exposure_known)
        return (int32_t)report->to_effective_bp - (int32_t)report->from_effective_bp;
    /* A percentage that changes under a kill moves nobody, now. */
    if (after != NULL && state_killed_everywhere(after))
        return 0;
    return (int32_t)report->change->to_percentage_bp - (int32_t)report->change->from_percentage_bp;
}

static const char *next_line(const char *line) {
    const char *end = strchr(line, '\n');
    return end != NULL ? end + 1 : NULL;
}

static json_t *warnings_json(const char *warnings) {
    json_t *array = json_array();
    struct text one = { 0 };
    for (const char *line = warnings; line != NULL; line = next_line(line)) {
        text_clear(&one);
        text_bytes(&one, line, strcspn(line, "\n"));
        json_array_append_new(array, jsonout_string(one.data));
    }
    text_free(&one);
    return array;
}

static void say_json(const struct session *session, const struct change_report *report,
                     const canary_rollout *after) {
    const canary_change *change = report->change;
    (void)session;
    json_t *object = json_object();
    json_object_set_new(object, "rollout",
                        change->rollout[0] != '\0' ? jsonout_string(change->rollout) : json_null());
    json_object_set_new(object, "action", jsonout_string(change->action));
    if (change->flag[0] != '\0')
        json_object_set_new(object, "flag", jsonout_string(change->flag));
    json_object_set_new(object, "dry_run", json_boolean(report->dry_run));
    json_object_set_new(object, "from_stage",
                        change->from_stage < 0 ? json_null() : json_integer(change->from_stage));
    json_object_set_new(object, "to_stage", json_integer(change->to_stage));
    json_object_set_new(object, "from_percentage", jsonout_percent(change->from_percentage_bp));
    json_object_set_new(object, "to_percentage", jsonout_percent(change->to_percentage_bp));
    if (after != NULL) {
        json_object_set_new(object, "effective_percentage", jsonout_percent(after->effective_bp));
        json_object_set_new(object, "killed", json_boolean(after->kill_reasons != 0));
        json_object_set_new(object, "kill_reasons", state_kill_words(after->kill_reasons));
    }
    int32_t bp = moved(report, after);
    json_object_set_new(object, "moved_percentage", jsonout_percent((uint32_t)abs(bp)));
    json_object_set_new(object, "moved_to",
                        bp == 0 ? json_null() : json_string(canary_cohort_name(bp > 0)));
    json_object_set_new(object, "revision", json_integer((json_int_t)change->revision));
    json_object_set_new(object, "id", json_integer((json_int_t)change->id));
    json_object_set_new(object, "at", jsonout_time(change->at_ns));
    json_object_set_new(object, "by", jsonout_string(change->by));
    json_object_set_new(object, "note", jsonout_string(change->note));
    json_object_set_new(object, "hash", jsonout_string(change->hash));
    json_object_set_new(object, "undo",
                        report->undo != NULL ? jsonout_string(report->undo) : json_null());
    json_object_set_new(object, "duration_ms", jsonout_milliseconds(report->duration_ns));
    json_object_set_new(object, "returned_at_ns", json_integer(report->returned_at_ns));
    if (report->warning != NULL)
        json_object_set_new(object, "warnings", warnings_json(report->warning));
    jsonout_print(object);
}

static void add_stage(struct text *out, const canary_rollout *after, int32_t stage, uint32_t bp) {
    char percent[PERCENT_SIZE];
    percent_format(bp, percent);
    text_addf(out, "stage %d", stage);
    if (after != NULL && stage >= 0 && (uint32_t)stage < after->stage_count) {
        bool present = stage == after->stage && bp == after->percentage_bp;
        text_add(out, " ");
        text_safe_string(out, present                         ? after->stage_name
                              : bp == after->stages_bp[stage] ? after->stage_names[stage]
                                                              : "(off the ladder)");
    }
    text_addf(out, " %s %%", percent);
}

static void add_moved(struct text *out, const struct change_report *report,
                      const canary_rollout *after) {
    int32_t bp = moved(report, after);
    char percent[PERCENT_SIZE];
    percent_format((uint32_t)abs(bp), percent);
    if (bp == 0)
        text_add(out, report->dry_run ? "nobody would move" : "nobody moves");
    else
        text_addf(out, "about %s %% of users %s %s", percent,
                  report->dry_run ? "would move" : "move", bp > 0 ? "old to new" : "new to old");
}

static void say_lines(const struct session *session, const struct change_report *report,
                      const canary_rollout *after) {
    const canary_change *change = report->change;
    (void)session;
    struct text out = { 0 };
    if (report->dry_run)
        text_addf(&out, "%sdry run, nothing is changed%s\n", say_begin(SAY_WARN), say_end());
    if (change->rollout[0] != '\0')
        text_addf(&out, "%s%s%s  ", say_begin(SAY_STRONG), change->rollout, say_end());
    if (report->what != NULL) {
        text_add(&out, report->what);
    } else {
        add_stage(&out, after, change->from_stage, change->from_percentage_bp);
        text_add(&out, "  ->  ");
        add_stage(&out, after, change->to_stage, change->to_percentage_bp);
    }
    text_add(&out, "\n  ");
    if (after != NULL && !report->dry_run) {
        state_exposure(after, &out);
        text_add(&out, "\n  ");
    }
    add_moved(&out, report, after);
    if (!report->dry_run) {
        char span[WHEN_SIZE];
        char at[WHEN_SIZE];
        when_span(report->duration_ns, span);
        when_short(change->at_ns, at);
        if (change->revision > 0)
            text_addf(&out, "; recorded as revision %" PRIu64, change->revision);
        else
            text_addf(&out, "; recorded as change %" PRIu64 " of the store", change->id);
        text_addf(&out, " at %s by ", at);
        text_safe_string(&out, change->by);
        text_addf(&out, ", took %s", span);
    }
    text_add(&out, "\n");
    if (report->undo != NULL && !report->dry_run) {
        text_addf(&out, "  %sundo:%s ", say_begin(SAY_DIM), say_end());
        text_safe_string(&out, report->undo);
        text_add(&out, "\n");
    } else if (report->no_undo != NULL && !report->dry_run) {
        text_addf(&out, "  %sundo:%s %s\n", say_begin(SAY_DIM), say_end(), report->no_undo);
    }
    say_text(&out);
    text_free(&out);
    for (const char *line = report->warning; line != NULL; line = next_line(line))
        say_warning("%.*s", (int)strcspn(line, "\n"), line);
}

void change_say(const struct session *session, const struct change_report *report) {
    canary_rollout state = STATE_ROLLOUT_INIT;
    canary_error error = CANARY_ERROR_INIT;
    /* The change is made whatever this says: without it the report is only shorter. */
    const canary_rollout *after = NULL;
    if (report->change->rollout[0] != '\0' &&
        canary_rollout_read(session->store, report->change->rollout, &state, &error) == CANARY_OK)
        after = &state;
    if (say_mode.json)
        say_json(session, report, after);
    else
        say_lines(session, report, after);
}

void change_undo(const struct session *session, const canary_change *change,
                 const canary_rollout *after, struct text *out) {
    char percent[PERCENT_SIZE];
    percent_format(change->from_percentage_bp, percent);
    session_command(session, true, out);
    bool rung = after != NULL && change->from_stage >= 0 &&
                (uint32_t)change->from_stage < after->stage_count &&
                after->stages_bp[change->from_stage] == change->from_percentage_bp;
    if (change->from_percentage_bp < change->to_percentage_bp && rung)
        text_addf(out, "rollback --stage %d", change->from_stage);
    else if (rung)
        text_addf(out, "set --stage %d", change->from_stage);
    else
        text_addf(out, "set --percent %s", percent);
    /* Raising again from an old terminal must not override what somebody did since. */
    if (change->from_percentage_bp > change->to_percentage_bp)
        text_addf(out, " --expect-revision %" PRIu64, change->revision);
}

json_t *change_json(const canary_change *change) {
    json_t *object = json_object();
    json_object_set_new(object, "id", json_integer((json_int_t)change->id));
    json_object_set_new(object, "rollout", jsonout_string(change->rollout));
    json_object_set_new(object, "revision", json_integer((json_int_t)change->revision));
    json_object_set_new(object, "action", jsonout_string(change->action));
    json_object_set_new(object, "from_stage",
                        change->from_stage < 0 ? json_null() : json_integer(change->from_stage));
    json_object_set_new(object, "to_stage", json_integer(change->to_stage));
    json_object_set_new(object, "from_percentage", jsonout_percent(change->from_percentage_bp));
    json_object_set_new(object, "to_percentage", jsonout_percent(change->to_percentage_bp));
    if (change->flag[0] != '\0')
        json_object_set_new(object, "flag", jsonout_string(change->flag));
    if (change->user_hash != 0) {
        char hash[16];
        snprintf(hash, sizeof(hash), "%08x", change->user_hash);
        json_object_set_new(object, "user_hash", json_string(hash));
    }
    json_object_set_new(object, "at", jsonout_time(change->at_ns));
    json_object_set_new(object, "by", jsonout_string(change->by));
    json_object_set_new(object, "note", jsonout_string(change->note));
    json_object_set_new(object, "hash", jsonout_string(change->hash));
    json_object_set_new(object, "previous_hash", jsonout_string(change->previous_hash));
    return object;
}
