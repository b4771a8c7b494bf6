/* SPDX-License-Identifier: MIT */
/* `guard`: judges rollouts and acts on the verdicts, beside the programs that serve. One line for each
 * event. */
#include "change.h"
#include "jsonout.h"
#include "percent.h"
#include "screen.h"
#include "session.h"
#include "when.h"

#include <canary/guard.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A signal, or a reader that has gone, is noticed within this. */
#define LOOK_MS 200
#define INTERVAL_MOST_NS (86400 * WHEN_SECOND)

struct guarding {
    struct session *session;
    bool elsewhere; /* another guard has a lease */
    bool alone;     /* one round for one rollout: its error is the command's own */
};

static const char *type_name(int type) {
    static const char *const names[] = {
        "unknown", "change", "verdict", "action", "error", "lease"
    };
    return type >= 1 && type <= 5 ? names[type] : names[0];
}

/* -- as JSON -- */

static json_t *verdict_json(const canary_verdict *verdict) {
    struct text text = { 0 };
    json_t *value = NULL;
    if (canary_verdict_json(verdict, text_write, &text, NULL) == CANARY_OK)
        value = json_loadb(text.data, text.size, 0, NULL);
    text_free(&text);
    return value != NULL ? value : json_null();
}

static void say_object(const canary_guard_event *event) {
    json_t *object = json_object();
    json_object_set_new(object, "event", json_string(type_name(event->type)));
    json_object_set_new(object, "at", jsonout_time(event->at_ns));
    json_object_set_new(object, "rollout", jsonout_string(event->rollout));
    json_object_set_new(object, "message", jsonout_string(event->message));
    if (event->change != NULL)
        json_object_set_new(object, "change", change_json(event->change));
    if (event->verdict != NULL)
        json_object_set_new(object, "verdict", verdict_json(event->verdict));
    if (event->type == CANARY_EVENT_ERROR)
        json_object_set_new(object, "error", json_string(canary_error_name(event->code)));
    if (event->type == CANARY_EVENT_LEASE)
        json_object_set_new(object, "acting", json_boolean(event->acting != 0));
    jsonout_line(object);
}

/* -- as a line -- */

static enum say_colour colour_of(const canary_guard_event *event) {
    switch (event->type) {
    case CANARY_EVENT_ERROR:
        return SAY_BAD;
    case CANARY_EVENT_ACTION:
        return event->change->to_percentage_bp < event->change->from_percentage_bp ? SAY_BAD
                                                                                   : SAY_GOOD;
    case CANARY_EVENT_VERDICT:
        return event->verdict->action == CANARY_VERDICT_ROLLBACK  ? SAY_WARN
               : event->verdict->action == CANARY_VERDICT_ADVANCE ? SAY_GOOD
                                                                  : SAY_PLAIN;
    default:
        return SAY_DIM;
    }
}

static void add_word(const canary_guard_event *event, struct text *out) {
    char from[PERCENT_SIZE];
    char to[PERCENT_SIZE];
    const char *begin = say_begin(colour_of(event));
    if (event->type == CANARY_EVENT_ACTION) {
        percent_format(event->change->from_percentage_bp, from);
        percent_format(event->change->to_percentage_bp, to);
        text_addf(out, "%s%s%s from %s %% to %s %%", begin, event->change->action, say_end(), from,
                  to);
    } else if (event->type == CANARY_EVENT_VERDICT) {
        text_addf(out, "%s%s%s (%s)", begin, canary_verdict_word(event->verdict->action), say_end(),
                  canary_cause_name(event->verdict->cause));
    } else {
        text_addf(out, "%s%s%s", begin, type_name(event->type), say_end());
    }
    if (event->type == CANARY_EVENT_ERROR)
        text_addf(out, " (%s)", canary_error_name(event->code));
}

static void say_line(const canary_guard_event *event) {
    struct text line = { 0 };
    char at[WHEN_SIZE];
    when_rfc3339(event->at_ns, at);
    text_addf(&line, "%s ", at);
    if (event->rollout[0] != '\0') {
        text_safe_string(&line, event->rollout);
        text_add(&line, " ");
    }
    add_word(event, &line);
    text_add(&line, ": ");
    text_safe_string(&line, event->message);
    text_add(&line, "\n");
    say_text(&line);
    text_free(&line);
}

static void take_event(void *user_data, const canary_guard_event *event) {
    struct guarding *guarding = user_data;
    if (event->type == CANARY_EVENT_LEASE && !event->acting)
        guarding->elsewhere = true;
    if (event->type == CANARY_EVENT_ERROR && guarding->alone)
        return;
    if (say_mode.json)
        say_object(event);
    else
        say_line(event);
}

/* -- running -- */

static int read_options(struct session *session, int count, canary_guard_options *options) {
    const char *interval = session_value(session, OPTION_INTERVAL);
    bool all = session_given(session, OPTION_ALL);
    if (all && (count > 0 || (session_given(session, OPTION_ROLLOUT) &&
                              !session->options.from_environment[OPTION_ROLLOUT])))
        return say_usage(session->command, "give a rollout or --all, not both");
    if (interval != NULL &&
        (!when_parse_dwell(interval, &options->interval_ns) || options->interval_ns < WHEN_SECOND ||
         options->interval_ns > INTERVAL_MOST_NS))
        return say_usage(session->command,
                         "--interval: \"%s\" is not allowed: 1s to 1d, for example 10s or 1m",
                         interval);
    if (session_given(session, OPTION_OBSERVE))
        options->flags |= CANARY_GUARD_OBSERVE;
    /* Who set CANARY_ACTOR is a person; what a guard does, a guard did. */
    if (session_given(session, OPTION_BY) && !session->options.from_environment[OPTION_BY])
        options->by = session->by;
    return 0;
}

static int go_once(struct guarding *guarding, const canary_guard_options *options) {
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_guard_once(guarding->session->store, options, &error);
    /* That another guard does the work is as good as having done it. */
    if (code == CANARY_OK || (code == CANARY_E_BUSY && guarding->elsewhere))
        return 0;
    return session_error(guarding->session, &error);
}

static int go_on(struct guarding *guarding, const canary_guard_options *options) {
    struct screen screen;
    canary_guard *guard = NULL;
    canary_error error = CANARY_ERROR_INIT;
    screen_begin(&screen);
    int code = canary_guard_start(guarding->session->store, options, &guard, &error);
    while (code == CANARY_OK && !screen_wait(&screen, LOOK_MS))
        continue;
    canary_guard_stop(&guard);
    screen_end(&screen);
    return code == CANARY_OK ? 0 : session_error(guarding->session, &error);
}

int guard_run(struct session *session, int count, char **words) {
    struct guarding guarding = { .session = session };
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;
    int result = read_options(session, count, &options);
    if (result == 0)
        result = session_given(session, OPTION_ALL) ? session_open(session, 0)
                                                    : session_open_named(session, count, words, 0);
    if (result != 0)
        return result;
    if (!session_given(session, OPTION_ALL))
        options.rollout = session->rollout;
    guarding.alone = session_given(session, OPTION_ONCE) && !session_given(session, OPTION_ALL);
    options.callback = take_event;
    options.user_data = &guarding;
    return session_given(session, OPTION_ONCE) ? go_once(&guarding, &options)
                                               : go_on(&guarding, &options);
}
