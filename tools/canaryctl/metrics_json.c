/* SPDX-License-Identifier: MIT */
/* See metrics.h: the view for programs. */
#include "jsonout.h"
#include "metrics.h"
#include "users.h"

#include <string.h>

static json_t *time_or_null(int64_t ns) {
    return ns != 0 ? jsonout_time(ns) : json_null();
}

static json_t *exposure_json(const canary_exposure *exposure) {
    json_t *object = json_object();
    json_object_set_new(object, "users", users_json(exposure));
    json_object_set_new(object, "decisions", users_decisions_json(exposure));
    return object;
}

/* Those of one generation, from the row at `*at` on. */
static json_t *rows_json(const struct figures *figures, size_t *at) {
    json_t *array = json_array();
    uint64_t generation = *at < figures->count ? figures->rows[*at].row.generation : 0;
    for (; *at < figures->count && figures->rows[*at].row.generation == generation; ++*at)
        json_array_append_new(array, figures_row_json(&figures->rows[*at]));
    return array;
}

static json_t *generation_json(const struct metrics_view *view, size_t *at) {
    uint64_t revision = view->stages.rows[*at].row.generation;
    const struct generation *generation = generations_find(&view->generations, revision);
    json_t *object = json_object();
    json_object_set_new(object, "generation", json_integer((json_int_t)revision));
    json_object_set_new(object, "stage",
                        generation != NULL ? json_integer(generation->stage) : json_null());
    json_object_set_new(object, "percentage",
                        generation != NULL ? jsonout_percent(generation->percentage_bp)
                                           : json_null());
    json_object_set_new(object, "from", time_or_null(generation != NULL ? generation->from_ns : 0));
    json_object_set_new(object, "to", time_or_null(generation != NULL ? generation->to_ns : 0));
    json_object_set_new(object, "users",
                        generation != NULL
                            ? users_json(&view->users[generation - view->generations.list])
                            : json_null());
    json_object_set_new(object, "metrics", rows_json(&view->stages, at));
    return object;
}

json_t *metrics_json(const struct metrics_view *view) {
    const canary_metrics_report *report = &view->total.report;
    json_t *object = json_object();
    json_t *generations = json_array();
    size_t at = 0;
    json_object_set_new(object, "rollout", jsonout_string(view->session->rollout));
    /* Where all was asked for, what there is. */
    json_object_set_new(object, "from",
                        time_or_null(view->from_ns != 0 ? view->from_ns : report->from_ns));
    json_object_set_new(object, "to", jsonout_time(view->now_ns));
    json_object_set_new(object, "merged_at", time_or_null(report->last_at_ns));
    for (size_t i = 0; i < view->stages.count;)
        json_array_append_new(generations, generation_json(view, &i));
    json_object_set_new(object, "generations", generations);
    json_object_set_new(object, "metrics", rows_json(&view->total, &at));
    json_object_set_new(object, "exposure", exposure_json(&view->exposure));
    json_object_set_new(object, "rejected", json_integer((json_int_t)report->rejected));
    json_object_set_new(object, "dropped", json_integer((json_int_t)report->dropped));
    json_object_set_new(object, "damaged", json_integer(report->damaged));
    json_object_set_new(object, "damage",
                        report->damage[0] != '\0' ? jsonout_string(report->damage) : json_null());
    return object;
}
