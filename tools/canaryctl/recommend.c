/* SPDX-License-Identifier: MIT */
/* `recommend`: what to do next, how urgent it is, and the figures at a glance. */
#include "figures.h"
#include "jsonout.h"
#include "judged.h"
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static enum say_colour colour_of(const char *priority) {
    return strcmp(priority, "critical") == 0 || strcmp(priority, "high") == 0 ? SAY_BAD
           : strcmp(priority, "medium") == 0                                  ? SAY_WARN
                                                                              : SAY_GOOD;
}

static const char *string_of(const json_t *object, const char *key) {
    const char *string = json_string_value(json_object_get(object, key));
    return string != NULL ? string : "";
}

static void add_recommendations(const json_t *list, struct text *out) {
    static const char *const titles[] = { "PRIORITY", "TYPE", "MESSAGE" };
    struct table table;
    size_t index;
    json_t *entry;
    table_begin(&table, 3, titles, 0);
    json_array_foreach(list, index, entry) {
        const char *priority = string_of(entry, "priority");
        table_cell(&table, colour_of(priority), "%s", priority);
        table_safe(&table, SAY_STRONG, string_of(entry, "type"));
        table_safe(&table, SAY_PLAIN, string_of(entry, "message"));
    }
    table_end(&table, out, 0);
}

static void add_number(struct table *table, const json_t *figure, const char *key) {
    const json_t *value = json_object_get(figure, key);
    if (json_is_number(value))
        table_cell(table, SAY_PLAIN, "%.6g", json_number_value(value));
    else
        table_cell(table, SAY_DIM, "-");
}

static void add_count(struct table *table, const json_t *figure, const char *key) {
    const json_t *value = json_object_get(figure, key);
    double count = json_is_number(value) ? json_number_value(value) : -1;
    struct text text = { 0 };
    if (count >= 0 && count < 1e18)
        figures_count((uint64_t)llround(count), &text);
    else
        text_add(&text, "-");
    table_cell(table, SAY_DIM, "%s", text.data);
    text_free(&text);
}

static void add_summary(json_t *summary, struct text *out) {
    static const char *const titles[] = { "METRIC",  "FIGURE", "OLD",   "NEW",
                                          "NEW/OLD", "N OLD",  "N NEW", "STATE" };
    struct table table;
    const char *metric;
    json_t *figures;
    if (json_object_size(summary) == 0)
        return;
    table_begin(&table, 8, titles, 0x7cu);
    json_object_foreach(summary, metric, figures) {
        const char *name;
        json_t *figure;
        json_object_foreach(figures, name, figure) {
            const char *unit = string_of(figure, "unit");
            char title[128];
            snprintf(title, sizeof(title), "%s%s%s%s", name, unit[0] != '\0' ? " (" : "", unit,
                     unit[0] != '\0' ? ")" : "");
            table_safe(&table, SAY_STRONG, metric);
            table_safe(&table, SAY_PLAIN, title);
            add_number(&table, figure, "old");
            add_number(&table, figure, "new");
            add_number(&table, figure, "ratio");
            add_count(&table, figure, "n_old");
            add_count(&table, figure, "n_new");
            table_safe(&table, SAY_PLAIN, string_of(figure, "state"));
        }
    }
    text_add(out, "\n");
    table_end(&table, out, 0);
}

static void print(const struct session *session, const canary_verdict *verdict) {
    struct text text = { 0 };
    struct text out = { 0 };
    (void)session;
    canary_verdict_recommend(verdict, text_write, &text, NULL);
    if (say_mode.json) {
        judged_print_json(&text);
        return;
    }
    json_t *object = json_loadb(text.data != NULL ? text.data : "", text.size, 0, NULL);
    judged_head(verdict, &out);
    text_add(&out, "\n");
    add_recommendations(json_object_get(object, "recommendations"), &out);
    add_summary(json_object_get(object, "metrics_summary"), &out);
    say_text(&out);
    json_decref(object);
    text_free(&text);
    text_free(&out);
}

int recommend_run(struct session *session, int count, char **words) {
    int action;
    int result = session_open_named(session, count, words, 0);
    return result == 0 ? judged_by(session, CANARY_EVALUATE_LOOK, print, &action) : result;
}
