/* SPDX-License-Identifier: MIT */
/* `metrics`: what both cohorts lived through, and how it is read. */
#include "metrics.h"

#include "jsonout.h"
#include "state.h"
#include "when.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_NS (60 * WHEN_SECOND)
#define HOUR_NS (60 * MINUTE_NS)

int metrics_window(struct session *session, int64_t usual_ns, struct metrics_view *view) {
    const char *window = session_value(session, OPTION_WINDOW);
    const char *since = session_value(session, OPTION_SINCE);
    int64_t now = when_now();
    view->window_ns = usual_ns;
    if (window != NULL && since != NULL)
        return say_usage(session->command, "give --window or --since, not both");
    if (window != NULL &&
        (!when_parse_dwell(window, &view->window_ns) || view->window_ns < CANARY_TICK_NS))
        return say_usage(session->command,
                         "--window \"%s\" is no time of ten seconds or more, as in 30m, 1h, 7d",
                         window);
    if (since == NULL)
        return 0;
    view->window_ns = 0;
    if (!when_parse_time(since, now, &view->since_ns) || view->since_ns <= 0)
        return say_usage(session->command,
                         "--since \"%s\" is no time, as in 2026-01-31T09:00:00Z, \"2026-01-31 "
                         "09:00\" (UTC) or 2h (ago)",
                         since);
    if (view->since_ns > now)
        return say_usage(session->command, "--since \"%s\" lies ahead", since);
    return 0;
}

int64_t metrics_from(int64_t from_ns, int64_t now_ns) {
    int64_t age = now_ns - from_ns;
    int64_t step = age <= 2 * HOUR_NS        ? CANARY_TICK_NS
                   : age <= 7 * 24 * HOUR_NS ? MINUTE_NS
                                             : HOUR_NS;
    int64_t from = from_ns - from_ns % step;
    return from > 0 ? from : 1;
}

/* Users belong to a generation; with several in a view each is asked for by itself. */
static int load_exposure(struct metrics_view *view, canary_metrics_query query,
                         canary_error *error) {
    query.metric = NULL;
    query.flags = 0;
    view->exposure = (canary_exposure)CANARY_EXPOSURE_INIT;
    return canary_exposure_read(view->session->store, view->session->rollout, &query,
                                &view->exposure, error);
}

/* The users of each generation, without its decisions: those are kept by time, and cost a look at all of
 * it for each. */
static int load_users(struct metrics_view *view, canary_error *error) {
    const struct generations *generations = &view->generations;
    free(view->users);
    view->users = text_memory(NULL, generations->count * sizeof(view->users[0]));
    int code = CANARY_OK;
    for (size_t i = 0; i < generations->count && code == CANARY_OK; i++) {
        canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
        query.from_ns = view->now_ns;
        query.generation = generations->list[i].revision;
        view->users[i] = (canary_exposure)CANARY_EXPOSURE_INIT;
        if (figures_of_generation(&view->stages, query.generation))
            code = canary_exposure_read(view->session->store, view->session->rollout, &query,
                                        &view->users[i], error);
    }
    return code;
}

int metrics_load(struct metrics_view *view, canary_error *error) {
    canary_store *store = view->session->store;
    const char *rollout = view->session->rollout;
    view->now_ns = when_now();
    int64_t from = view->window_ns != 0 ? view->now_ns - view->window_ns : view->since_ns;
    view->from_ns = from != 0 ? metrics_from(from, view->now_ns) : 0;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    query.from_ns = view->from_ns;
    query.metric = view->metric;
    view->state = (canary_rollout)STATE_ROLLOUT_INIT;
    int code = canary_rollout_read(store, rollout, &view->state, error);
    if (code == CANARY_OK)
        code = figures_read(store, rollout, &query, &view->total, error);
    if (code == CANARY_OK)
        code = load_exposure(view, query, error);
    if (code != CANARY_OK || !view->by_stage)
        return code;
    query.flags = CANARY_METRICS_BY_GENERATION;
    code = figures_read(store, rollout, &query, &view->stages, error);
    if (code == CANARY_OK)
        code = generations_read(store, rollout, &view->generations, error);
    return code == CANARY_OK ? load_users(view, error) : code;
}

void metrics_free(struct metrics_view *view) {
    figures_free(&view->total);
    figures_free(&view->stages);
    generations_free(&view->generations);
    free(view->users);
    view->users = NULL;
}

int metrics_unknown(struct session *session, const char *metric) {
    struct figures known = { 0 };
    canary_error error = CANARY_ERROR_INIT;
    if (figures_read(session->store, session->rollout, NULL, &known, &error) != CANARY_OK) {
        figures_free(&known);
        return session_error(session, &error);
    }
    struct text next = { 0 };
    const char *nearest = NULL;
    int best = 4;
    for (size_t i = 0; i < known.count; i++) {
        const char *name = known.rows[i].row.metric;
        int distance = say_distance(metric, name);
        if (distance < best) {
            best = distance;
            nearest = name;
        }
        text_addf(&next, "%s%s", i == 0 ? "there are: " : ", ", name);
    }
    if (nearest != NULL)
        text_addf(&next, "; did you mean %s?", nearest);
    if (known.count == 0)
        text_add(&next, "there are no figures yet: a service records them with canary_record()");
    int result =
        say_failure(CANARY_E_NOT_FOUND, next.data,
                    "rollout \"%s\" has no figures of a metric \"%s\"", session->rollout, metric);
    text_free(&next);
    figures_free(&known);
    return result;
}

static int stop_at_first(void *user_data, const canary_metrics_row *row) {
    (void)row;
    *(bool *)user_data = true;
    return 1;
}

bool metrics_known(const struct metrics_view *view) {
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    bool any = false;
    query.metric = view->metric;
    query.step_ns = HOUR_NS; /* so that a part of what is kept tells */
    return canary_metrics(view->session->store, view->session->rollout, &query, stop_at_first, &any,
                          NULL, NULL) != CANARY_OK ||
           any;
}

/* Not when something was merged last: that may have been of another rollout, and figures given by hand leave
 * no trace there. A step that is under way ends later than now. */
int64_t metrics_newest(const canary_metrics_report *report, int64_t now_ns) {
    return report->to_ns < now_ns ? report->to_ns : now_ns;
}

static int show(struct metrics_view *view) {
    canary_error error = CANARY_ERROR_INIT;
    if (metrics_load(view, &error) != CANARY_OK)
        return session_error(view->session, &error);
    if (!session_given(view->session, OPTION_WATCH) && view->metric != NULL &&
        view->total.count == 0 && !metrics_known(view))
        return metrics_unknown(view->session, view->metric);
    if (session_given(view->session, OPTION_WATCH))
        return metrics_follow(view);
    if (say_mode.json) {
        jsonout_print(metrics_json(view));
        return 0;
    }
    struct text out = { 0 };
    metrics_head(view, &out);
    metrics_body(view, &out);
    metrics_sparklines(view, &out);
    say_text(&out);
    text_free(&out);
    return 0;
}

int metrics_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    struct metrics_view view = { .session = session,
                                 .by_stage = session_given(session, OPTION_BY_STAGE),
                                 .metric = session_value(session, OPTION_METRIC) };
    /* Stages last for days: all that is kept, unless less is asked for. */
    int result = metrics_window(session, view.by_stage ? 0 : HOUR_NS, &view);
    if (result != 0)
        return result;
    /* Whoever watches waits for the next look, not for a lock. */
    if (session_given(session, OPTION_WATCH) && session->busy_timeout_ns > WHEN_SECOND / 2)
        session->busy_timeout_ns = WHEN_SECOND / 2;
    result = session_open_rollout(session, 0);
    if (result == 0)
        result = show(&view);
    metrics_free(&view);
    return result;
}
