/* SPDX-License-Identifier: MIT */
/* `baseline compare`: both cohorts now, against what the old one used to live through in the same
 * hours of the week. */
#include "jsonout.h"
#include "metrics.h"
#include "session.h"
#include "table.h"
#include "when.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HOUR_NS (3600 * WHEN_SECOND)

struct compare {
    struct metrics_view view;
    struct figures baseline; /* of these hours of the week */
    canary_baseline_info info;
};

static int load(struct compare *compare, canary_error *error) {
    struct session *session = compare->view.session;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    compare->info.size = (uint32_t)sizeof(compare->info);
    int code = canary_baseline_read(session->store, session->rollout, &compare->info, error);
    if (code == CANARY_OK)
        code = metrics_load(&compare->view, error);
    query.flags = CANARY_METRICS_BASELINE;
    query.from_ns = compare->view.from_ns;
    query.to_ns = compare->view.now_ns;
    query.metric = compare->view.metric;
    if (code == CANARY_OK)
        code = figures_read(session->store, session->rollout, &query, &compare->baseline, error);
    return code;
}

static double value_or_nan(const struct figures_row *row, int cohort, const struct figure *figure) {
    return row != NULL ? figure->value(&row->cohorts[cohort]) : NAN;
}

static void cell(struct table *table, enum say_colour colour, struct text *text) {
    table_cell(table, colour, "%s", text->size > 0 ? text->data : "");
    text_clear(text);
}

static void add_count(struct table *table, const struct figures_row *row, int cohort) {
    struct text text = { 0 };
    if (row == NULL || row->cohorts[cohort].n == 0)
        text_add(&text, "no data");
    else
        figures_count(row->cohorts[cohort].n, &text);
    cell(table, SAY_DIM, &text);
    text_free(&text);
}

static void add_value(struct table *table, const struct figures_row *row, int cohort,
                      const struct figure *figure, bool *scarce) {
    struct text text = { 0 };
    if (row != NULL && figures_scarce(figure, row->row.kind, &row->cohorts[cohort])) {
        text_add(&text, "~ ");
        *scarce = true;
    }
    figures_value(value_or_nan(row, cohort, figure), figure->unit, row != NULL ? row->row.unit : "",
                  &text);
    cell(table, figure->headline ? SAY_STRONG : SAY_PLAIN, &text);
    text_free(&text);
}

static void add_row(struct table *table, const struct figures_row *before,
                    const struct figures_row *now, bool *scarce) {
    const canary_metrics_row *known = now != NULL ? &now->row : &before->row;
    struct text text = { 0 };
    table_safe(table, SAY_STRONG, known->metric);
    table_cell(table, SAY_DIM, "n");
    add_count(table, before, CANARY_OLD);
    add_count(table, now, CANARY_OLD);
    add_count(table, now, CANARY_NEW);
    table_cell(table, SAY_PLAIN, "%s", "");
    table_cell(table, SAY_PLAIN, "%s", "");
    for (const struct figure *figure = figures_of_kind(known->kind); figure->name != NULL;
         figure++) {
        if (figure->detail)
            continue;
        table_cell(table, SAY_PLAIN, "%s", "");
        table_cell(table, SAY_PLAIN, "%s", figure->name);
        add_value(table, before, CANARY_OLD, figure, scarce);
        add_value(table, now, CANARY_OLD, figure, scarce);
        add_value(table, now, CANARY_NEW, figure, scarce);
        for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
            figures_difference(value_or_nan(before, CANARY_OLD, figure),
                               value_or_nan(now, cohort, figure), figure->unit, known->unit, &text);
            cell(table, SAY_PLAIN, &text);
        }
    }
    text_free(&text);
}

static void add_table(const struct compare *compare, struct text *out) {
    static const char *const titles[] = { "METRIC", "FIGURE",   "BASELINE", "OLD",
                                          "NEW",    "OLD-BASE", "NEW-BASE" };
    struct table table;
    bool scarce = false;
    table_begin(&table, 7, titles, 0x7cu);
    for (size_t i = 0; i < compare->view.total.count; i++) {
        const struct figures_row *now = &compare->view.total.rows[i];
        add_row(&table, figures_find(&compare->baseline, now->row.metric, 0), now, &scarce);
    }
    for (size_t i = 0; i < compare->baseline.count; i++) {
        const struct figures_row *before = &compare->baseline.rows[i];
        if (figures_find(&compare->view.total, before->row.metric, 0) == NULL)
            add_row(&table, before, NULL, &scarce);
    }
    text_add(out, "\n");
    table_end(&table, out, 0);
    if (scarce)
        text_addf(out, "%s~ rests on few outcomes: more of them can change it much%s\n",
                  say_begin(SAY_DIM), say_end());
}

/* "Friday 14:00 to 16:00": the hours of the week that the window touches. */
static void add_hours(const struct metrics_view *view, struct text *out) {
    static const char *const days[] = { "Thursday", "Friday",  "Saturday", "Sunday",
                                        "Monday",   "Tuesday", "Wednesday" }; /* of January 1970 */
    int64_t first = view->from_ns / HOUR_NS;
    int64_t last = (view->now_ns - 1) / HOUR_NS + 1;
    if (last - first >= 168)
        text_add(out, "all hours of the week");
    else
        text_addf(out, "%s %02d:00 to %s%s%02d:00 UTC", days[first / 24 % 7], (int)(first % 24),
                  last / 24 != first / 24 ? days[last / 24 % 7] : "",
                  last / 24 != first / 24 ? " " : "", (int)(last % 24));
}

static void say_table(const struct compare *compare) {
    struct text out = { 0 };
    char ago[WHEN_SIZE];
    metrics_head(&compare->view, &out);
    when_ago(compare->info.captured_at_ns, compare->view.now_ns, ago);
    text_addf(&out, "  %sbaseline %s  ", say_begin(SAY_DIM), say_end());
    add_hours(&compare->view, &out);
    text_addf(&out, ", captured %s by ", ago);
    text_safe_string(&out, compare->info.by);
    text_add(&out, "\n");
    if (compare->baseline.count == 0)
        text_add(&out, "\nthe baseline has no figures of these hours of the week: a longer "
                       "--window touches more of them\n");
    if (compare->view.total.count == 0)
        text_add(&out, "\nnothing was recorded in this window\n");
    if (compare->baseline.count + compare->view.total.count > 0)
        add_table(compare, &out);
    say_text(&out);
    text_free(&out);
}

static json_t *row_json(const struct figures_row *before, const struct figures_row *now) {
    const struct figures_row *known = now != NULL ? now : before;
    json_t *object = json_object();
    json_object_set_new(object, "metric", jsonout_string(known->row.metric));
    json_object_set_new(object, "kind", json_string(canary_metric_kind_name(known->row.kind)));
    json_object_set_new(object, "unit",
                        known->row.unit[0] != '\0' ? jsonout_string(known->row.unit) : json_null());
    json_object_set_new(object, "baseline",
                        before != NULL ? figures_cohort_json(before, CANARY_OLD) : json_null());
    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
        char key[32];
        json_object_set_new(object, canary_cohort_name(cohort),
                            now != NULL ? figures_cohort_json(now, cohort) : json_null());
        snprintf(key, sizeof(key), "%s_difference", canary_cohort_name(cohort));
        json_object_set_new(object, key,
                            now != NULL && before != NULL
                                ? figures_difference_json(known->row.kind,
                                                          &before->cohorts[CANARY_OLD],
                                                          &now->cohorts[cohort])
                                : json_null());
    }
    return object;
}

static void say_object(const struct compare *compare) {
    const struct metrics_view *view = &compare->view;
    json_t *metrics = json_array();
    for (size_t i = 0; i < view->total.count; i++) {
        const struct figures_row *now = &view->total.rows[i];
        json_array_append_new(metrics,
                              row_json(figures_find(&compare->baseline, now->row.metric, 0), now));
    }
    for (size_t i = 0; i < compare->baseline.count; i++) {
        const struct figures_row *before = &compare->baseline.rows[i];
        if (figures_find(&view->total, before->row.metric, 0) == NULL)
            json_array_append_new(metrics, row_json(before, NULL));
    }
    jsonout_print(json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:i}", "rollout", jsonout_string(view->session->rollout), "from",
        jsonout_time(view->from_ns), "to", jsonout_time(view->now_ns), "captured_at",
        jsonout_time(compare->info.captured_at_ns), "metrics", metrics, "damaged",
        (int)(view->total.report.damaged + compare->baseline.report.damaged)));
}

static int say_comparison(struct compare *compare) {
    struct session *session = compare->view.session;
    canary_error error = CANARY_ERROR_INIT;
    int code = load(compare, &error);
    if (code == CANARY_E_NOT_FOUND)
        return baseline_missing(session, &error);
    if (code != CANARY_OK)
        return session_error(session, &error);
    if (compare->view.metric != NULL && compare->view.total.count + compare->baseline.count == 0)
        return metrics_unknown(session, compare->view.metric);
    if (say_mode.json)
        say_object(compare);
    else
        say_table(compare);
    return 0;
}

int baseline_compare_run(struct session *session, int count, char **words) {
    (void)count;
    (void)words;
    struct compare compare = { .view = { .session = session,
                                         .metric = session_value(session, OPTION_METRIC) } };
    int result = metrics_window(session, HOUR_NS, &compare.view);
    if (result == 0)
        result = session_open_rollout(session, 0);
    if (result == 0)
        result = say_comparison(&compare);
    metrics_free(&compare.view);
    figures_free(&compare.baseline);
    return result;
}
