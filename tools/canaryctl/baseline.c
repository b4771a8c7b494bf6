/* SPDX-License-Identifier: MIT */
/* `baseline capture`, `baseline show` and `baseline compare`: what the old cohort used to live
 * through. */
#include "exits.h"
#include "figures.h"
#include "jsonout.h"
#include "metrics.h"
#include "session.h"
#include "sparkline.h"
#include "table.h"
#include "when.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS (3600 * WHEN_SECOND)
#define DAY_NS (24 * HOUR_NS)
#define WEEK 168

static const char *const days[] = { "Monday", "Tuesday",  "Wednesday", "Thursday",
                                    "Friday", "Saturday", "Sunday" };

static void label(struct text *out, const char *name) {
    text_addf(out, "  %s%-9s%s  ", say_begin(SAY_DIM), name, say_end());
}

int baseline_missing(const struct session *session, const canary_error *error) {
    canary_rollout state = { .size = (uint32_t)sizeof(state) };
    /* It is the rollout that is not there. */
    if (canary_rollout_read(session->store, session->rollout, &state, NULL) == CANARY_E_NOT_FOUND)
        return session_error(session, error);
    struct text next = { 0 };
    session_command(session, true, &next);
    text_add(&next, "baseline capture --days 7   keeps one");
    int result = say_error(error, true, next.data);
    text_free(&next);
    return result;
}

static void set_info(json_t *object, const struct session *session,
                     const canary_baseline_info *info) {
    json_object_set_new(object, "rollout", jsonout_string(session->rollout));
    json_object_set_new(object, "captured_at",
                        info->captured_at_ns != 0 ? jsonout_time(info->captured_at_ns)
                                                  : json_null());
    json_object_set_new(object, "from", jsonout_time(info->from_ns));
    json_object_set_new(object, "to", jsonout_time(info->to_ns));
    json_object_set_new(object, "outcomes", json_integer((json_int_t)info->outcomes));
    json_object_set_new(object, "hours", json_integer(info->hours));
    json_object_set_new(object, "by", jsonout_string(info->by));
    json_object_set_new(object, "note", jsonout_string(info->note));
}

static void add_info(const canary_baseline_info *info, struct text *out) {
    char from[WHEN_SIZE];
    char to[WHEN_SIZE];
    char span[WHEN_SIZE];
    when_short(info->from_ns, from);
    when_short(info->to_ns, to);
    when_span(info->to_ns - info->from_ns, span);
    label(out, "covers");
    text_addf(out, "%s to %s (%s)\n", from, to, span);
    label(out, "outcomes");
    figures_count(info->outcomes, out);
    text_addf(out,
              " of the old cohort recorded by services; figures in %u of %d hours of the week\n",
              info->hours, WEEK);
    if (info->hours < WEEK) {
        label(out, "");
        text_add(out, "hours without figures have nothing to be compared with\n");
    }
}

static void add_captured(const canary_baseline_info *info, struct text *out) {
    char at[WHEN_SIZE];
    char ago[WHEN_SIZE];
    when_short(info->captured_at_ns, at);
    when_ago(info->captured_at_ns, when_now(), ago);
    label(out, "captured");
    text_addf(out, "%s (%s) by ", at, ago);
    text_safe_string(out, info->by);
    if (info->note[0] != '\0') {
        text_add(out, ": ");
        text_safe_string(out, info->note);
    }
    text_add(out, "\n");
}

/* Which time the baseline is to cover. */
static int take_time(const struct session *session, int64_t now, int64_t *from, int64_t *to) {
    const char *begin = session_value(session, OPTION_FROM);
    const char *end = session_value(session, OPTION_TO);
    int64_t number = 7;
    int result = session_number(session, OPTION_DAYS, 1, 400, &number);
    if (result != 0)
        return result;
    if (begin != NULL && session_given(session, OPTION_DAYS))
        return say_usage(session->command, "give --days or --from, not both");
    *to = now;
    if (end != NULL && (!when_parse_time(end, now, to) || *to <= 0 || *to > now))
        return say_usage(
            session->command,
            "--to \"%s\" is no time that has passed, as in 2026-01-31T09:00:00Z or 2h (ago)", end);
    *from = *to - number * DAY_NS;
    if (begin != NULL && (!when_parse_time(begin, now, from) || *from <= 0))
        return say_usage(session->command,
                         "--from \"%s\" is no time, as in 2026-01-31T09:00:00Z or 7d (ago)", begin);
    if (*from >= *to)
        return say_usage(session->command, "the time is empty: --from must lie before --to");
    *from = metrics_from(*from, now);
    return 0;
}

int baseline_capture_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    int64_t from = 0;
    int64_t to = 0;
    int result = take_time(session, when_now(), &from, &to);
    canary_change_options options;
    if (result == 0)
        result = session_change_options(session, &options);
    if (result == 0)
        result = session_open_rollout(session, 0);
    if (result != 0)
        return result;
    bool dry = session_given(session, OPTION_DRY_RUN);
    canary_baseline_info before = { .size = (uint32_t)sizeof(before) };
    canary_baseline_info info = { .size = (uint32_t)sizeof(info) };
    canary_error error = CANARY_ERROR_INIT;
    bool replaced =
        canary_baseline_read(session->store, session->rollout, &before, NULL) == CANARY_OK;
    int code = canary_baseline_capture(session->store, session->rollout, from, to, &options, &info,
                                       &error);
    if (code == CANARY_E_REFUSED) {
        struct text next = { 0 };
        session_command(session, true, &next);
        text_add(&next, "metrics --window 30d   shows what was recorded");
        result = say_error(&error, true, next.data);
        text_free(&next);
        return result;
    }
    if (code != CANARY_OK)
        return session_error(session, &error);
    if (say_mode.json) {
        json_t *object = json_object();
        set_info(object, session, &info);
        json_object_set_new(object, "dry_run", json_boolean(dry));
        json_object_set_new(object, "replaced",
                            replaced ? jsonout_time(before.captured_at_ns) : json_null());
        jsonout_print(object);
        return 0;
    }
    struct text out = { 0 };
    text_addf(&out, "%s%s%s  %s\n", say_begin(SAY_STRONG), session->rollout, say_end(),
              dry ? "dry run, nothing is changed; the baseline would be:" : "baseline captured");
    add_info(&info, &out);
    if (replaced) {
        char at[WHEN_SIZE];
        when_short(before.captured_at_ns, at);
        label(&out, "replaces");
        text_addf(&out, "the one of %s by ", at);
        text_safe_string(&out, before.by);
        text_add(&out, "\n");
    }
    say_text(&out);
    text_free(&out);
    return 0;
}

/* The hour of the week, from Monday, that a row of the baseline is about. */
static int hour_of(const struct figures_row *row) {
    int64_t hour = row->row.from_ns / HOUR_NS;
    return hour >= 0 && hour < WEEK ? (int)hour : -1;
}

static json_t *hours_json(const struct figures *hours) {
    json_t *array = json_array();
    for (size_t i = 0; i < hours->count;) {
        int hour = hour_of(&hours->rows[i]);
        json_t *metrics = json_array();
        for (; i < hours->count && hour_of(&hours->rows[i]) == hour; i++) {
            const struct figures_row *row = &hours->rows[i];
            json_t *metric = json_object();
            json_object_set_new(metric, "metric", jsonout_string(row->row.metric));
            json_object_set_new(metric, "baseline", figures_cohort_json(row, CANARY_OLD));
            json_array_append_new(metrics, metric);
        }
        if (hour < 0) {
            json_decref(metrics);
            continue;
        }
        json_array_append_new(array,
                              json_pack("{s:i, s:s, s:i, s:o}", "hour_of_week", hour, "day",
                                        days[hour / 24], "hour", hour % 24, "metrics", metrics));
    }
    return array;
}

/* How much there was in each hour, day by day: gaps and quiet nights show. */
static void add_week(const struct figures *hours, struct text *out) {
    double volumes[WEEK];
    double most = 0;
    if (!sparkline_able())
        return;
    for (int hour = 0; hour < WEEK; hour++)
        volumes[hour] = NAN;
    for (size_t i = 0; i < hours->count; i++) {
        int hour = hour_of(&hours->rows[i]);
        if (hour < 0 || strcmp(hours->rows[i].row.metric, "error") != 0)
            continue;
        volumes[hour] = (double)hours->rows[i].cohorts[CANARY_OLD].n;
        most = fmax(most, volumes[hour]);
    }
    text_addf(out, "\n%soutcomes by hour of the week (UTC), at most ", say_begin(SAY_DIM));
    figures_count((uint64_t)most, out);
    text_addf(out, " in an hour%s\n", say_end());
    for (int day = 0; day < 7; day++) {
        text_addf(out, "  %-9s  ", days[day]);
        sparkline_add(&volumes[(ptrdiff_t)day * 24], 24, 0, most, out);
        text_add(out, "\n");
    }
}

static void cell(struct table *table, struct text *text) {
    table_cell(table, SAY_PLAIN, "%s", text->size > 0 ? text->data : "");
    text_clear(text);
}

static void add_figures(const struct figures *figures, struct text *out) {
    static const char *const titles[] = { "METRIC", "FIGURE", "BASELINE" };
    struct table table;
    struct text text = { 0 };
    table_begin(&table, 3, titles, 1u << 2);
    for (size_t i = 0; i < figures->count; i++) {
        const struct figures_row *row = &figures->rows[i];
        const canary_figures *old = &row->cohorts[CANARY_OLD];
        table_safe(&table, SAY_STRONG, row->row.metric);
        table_cell(&table, SAY_DIM, "n");
        figures_count(old->n, &text);
        cell(&table, &text);
        for (const struct figure *figure = figures_of_kind(row->row.kind); figure->name != NULL;
             figure++) {
            if (figure->detail)
                continue;
            table_cell(&table, SAY_PLAIN, "%s", "");
            table_cell(&table, SAY_PLAIN, "%s", figure->name);
            figures_value(figure->value(old), figure->unit, row->row.unit, &text);
            cell(&table, &text);
        }
    }
    text_add(out, "\n");
    table_end(&table, out, 0);
    text_free(&text);
}

static int show(struct session *session, const canary_baseline_info *info, struct figures *all,
                struct figures *hours) {
    canary_error error = CANARY_ERROR_INIT;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    query.flags = CANARY_METRICS_BASELINE;
    int code = figures_read(session->store, session->rollout, &query, all, &error);
    query.step_ns = HOUR_NS;
    if (code == CANARY_OK)
        code = figures_read(session->store, session->rollout, &query, hours, &error);
    if (code != CANARY_OK)
        return session_error(session, &error);
    if (say_mode.json) {
        json_t *object = json_object();
        json_t *metrics = json_array();
        set_info(object, session, info);
        for (size_t i = 0; i < all->count; i++) {
            const struct figures_row *row = &all->rows[i];
            json_array_append_new(
                metrics,
                json_pack("{s:o, s:s, s:o, s:o}", "metric", jsonout_string(row->row.metric), "kind",
                          canary_metric_kind_name(row->row.kind), "unit",
                          row->row.unit[0] != '\0' ? jsonout_string(row->row.unit) : json_null(),
                          "baseline", figures_cohort_json(row, CANARY_OLD)));
        }
        json_object_set_new(object, "metrics", metrics);
        json_object_set_new(object, "week", hours_json(hours));
        json_object_set_new(object, "damaged", json_integer(all->report.damaged));
        jsonout_print(object);
        return 0;
    }
    struct text out = { 0 };
    text_addf(&out, "%s%s%s  baseline\n", say_begin(SAY_STRONG), session->rollout, say_end());
    add_captured(info, &out);
    add_info(info, &out);
    add_figures(all, &out);
    add_week(hours, &out);
    say_text(&out);
    text_free(&out);
    return 0;
}

int baseline_show_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    int result = session_open_rollout(session, 0);
    if (result != 0)
        return result;
    canary_baseline_info info = { .size = (uint32_t)sizeof(info) };
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_baseline_read(session->store, session->rollout, &info, &error);
    if (code == CANARY_E_NOT_FOUND)
        return baseline_missing(session, &error);
    if (code != CANARY_OK)
        return session_error(session, &error);
    struct figures all = { 0 };
    struct figures hours = { 0 };
    result = show(session, &info, &all, &hours);
    figures_free(&all);
    figures_free(&hours);
    return result;
}
