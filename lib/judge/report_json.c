/* SPDX-License-Identifier: MIT */
/* A report as JSON. Times are RFC 3339 or null, shares of users percent, everything else in the unit of
 * its metric; what is not known is null. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/classical.h"
#include "judge/dump.h"
#include "judge/report.h"
#include "judge/verdict_fields.h"

/* Value of the key "report": the form of the text. */
#define FORMAT 1

static json_t *string_of(const char *text) {
    struct canary__text plain = { 0 };
    json_t *string;

    canary__text_plain(&plain, text);
    string = plain.failed ? NULL : json_string(canary__text_string(&plain));
    canary__text_free(&plain);
    return string;
}

static json_t *percent_of(uint32_t bp) {
    return canary__verdict_number((double)bp / 100);
}

/* Both take `value`; a NULL one makes them fail, and the whole report with them. */
static int set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value);
}

static int append(json_t *array, json_t *value) {
    return json_array_append_new(array, value);
}

/* Hands `object` over, or frees it after a failure. */
static json_t *whole(json_t *object, int failed) {
    if (failed || object == NULL) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *rollout_json(const struct canary__report *report) {
    const canary_rollout *rollout = &report->rollout;
    json_t *object = json_object();
    int failed = set(object, "name", string_of(rollout->name));

    failed |= set(object, "stage", json_integer(rollout->stage));
    failed |= set(object, "stage_name", string_of(rollout->stage_name));
    failed |= set(object, "percentage", percent_of(rollout->percentage_bp));
    failed |= set(object, "effective_percentage", percent_of(rollout->effective_bp));
    failed |= set(object, "revision", json_integer((json_int_t)rollout->revision));
    failed |= set(object, "since", canary__verdict_moment(rollout->generation_at_ns));
    return whole(object, failed);
}

static json_t *policy_json(const struct canary__report *report) {
    json_t *object;
    int failed;

    if (report->rollout.policy[0] == '\0') {
        return json_null();
    }
    object = json_object();
    failed = set(object, "sha256", string_of(report->rollout.policy));
    failed |=
        set(object, "name", report->policy != NULL ? string_of(report->policy->name) : json_null());
    failed |= set(object, "mode",
                  report->policy != NULL ? json_string(canary_mode_name(report->policy->mode))
                                         : json_null());
    failed |=
        set(object, "trouble",
            report->policy_trouble[0] != '\0' ? string_of(report->policy_trouble) : json_null());
    return whole(object, failed);
}

static json_t *cohorts(const double value[2]) {
    json_t *object = json_object();
    int failed = set(object, "old", canary__verdict_number(value[CANARY_OLD]));

    failed |= set(object, "new", canary__verdict_number(value[CANARY_NEW]));
    return whole(object, failed);
}

static json_t *figure_json(const struct canary__report_figure *figure) {
    double old = figure->value[CANARY_OLD];
    json_t *object = cohorts(figure->value);
    int failed = set(object, "figure", json_string(figure->name));

    failed |= set(object, "difference", canary__verdict_number(figure->value[CANARY_NEW] - old));
    failed |= set(object, "ratio",
                  old > 0 ? canary__verdict_number(figure->value[CANARY_NEW] / old) : json_null());
    failed |= set(object, "classical_test",
                  figure->test != NULL ? json_string(figure->test) : json_null());
    failed |= set(object, "classical_p", canary__verdict_number(figure->p));
    return whole(object, failed);
}

static json_t *metrics_json(const struct canary__report *report) {
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < report->metric_count; i++) {
        const struct canary__report_metric *metric = &report->metrics[i];
        json_t *object = json_object();
        json_t *figures = json_array();

        for (uint32_t j = 0; j < metric->count; j++) {
            failed |= append(figures, figure_json(&metric->figures[j]));
        }
        failed |= set(object, "metric", string_of(metric->name));
        failed |= set(object, "kind", json_string(canary_metric_kind_name(metric->kind)));
        failed |= set(object, "unit", string_of(metric->unit));
        failed |= set(object, "n", cohorts(metric->n));
        failed |= set(object, "figures", figures);
        failed |= append(array, object);
    }
    return whole(array, failed);
}

static json_t *users_json(const struct canary__report *report) {
    const canary_exposure *exposure = &report->exposure;
    json_t *object;
    int failed;

    if (exposure->generation == 0) {
        return json_null();
    }
    object = cohorts(exposure->users);
    failed = set(object, "exact", json_boolean(exposure->sampled_all));
    failed |= set(object, "generation", json_integer((json_int_t)exposure->generation));
    failed |= set(object, "classical_test",
                  isnan(report->users_p) ? json_null() : json_string("chi-square"));
    failed |= set(object, "classical_p", canary__verdict_number(report->users_p));
    return whole(object, failed);
}

static json_t *changes_json(const struct canary__report *report) {
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < report->change_count; i++) {
        const canary_change *change = &report->changes[i].change;
        json_t *object = json_object();

        failed |= set(object, "at", canary__verdict_moment(change->at_ns));
        failed |= set(object, "action", string_of(change->action));
        failed |= set(object, "revision", json_integer((json_int_t)change->revision));
        failed |= set(object, "from_percentage", percent_of(change->from_percentage_bp));
        failed |= set(object, "to_percentage", percent_of(change->to_percentage_bp));
        failed |= set(object, "by", string_of(change->by));
        failed |= set(object, "note", string_of(change->note));
        failed |= set(object, "evidence",
                      report->changes[i].evidence != NULL ? string_of(report->changes[i].evidence)
                                                          : json_null());
        failed |= append(array, object);
    }
    return whole(array, failed);
}

static json_t *verdicts_json(const struct canary__report *report) {
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < report->verdict_count; i++) {
        const struct canary__report_verdict *verdict = &report->verdicts[i];
        json_t *object = json_object();

        failed |= set(object, "at", canary__verdict_moment(verdict->at_ns));
        failed |= set(object, "action", json_string(canary_verdict_name(verdict->action)));
        failed |= set(object, "cause", json_string(canary_cause_name(verdict->cause)));
        failed |= set(object, "risk", json_string(canary_risk_name(verdict->risk)));
        failed |= set(object, "percentage", percent_of(verdict->percentage_bp));
        failed |= set(object, "message", string_of(verdict->message));
        failed |= append(array, object);
    }
    return whole(array, failed);
}

static json_t *incidents_json(const struct canary__report *report) {
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < report->incident_count; i++) {
        const struct canary__report_incident *incident = &report->incidents[i];
        json_t *object = json_object();

        failed |= set(object, "at", canary__verdict_moment(incident->at_ns));
        failed |= set(object, "until", canary__verdict_moment(incident->until_ns));
        failed |= set(object, "open", json_boolean(incident->open));
        failed |= set(object, "kind", json_string(canary__report_incident_name(incident->kind)));
        failed |= set(object, "title", string_of(incident->title));
        failed |= set(object, "detail", string_of(incident->detail));
        failed |=
            set(object, "by", incident->by[0] != '\0' ? string_of(incident->by) : json_null());
        failed |= append(array, object);
    }
    return whole(array, failed);
}

static json_t *objectives_json(const struct canary__report *report) {
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < report->objective_count; i++) {
        const struct canary__report_objective *objective = &report->objectives[i];
        const struct canary__objective *asked = objective->asked;
        json_t *object = json_object();

        failed |= set(object, "name", string_of(asked->name));
        failed |= set(object, "metric",
                      asked->metric[0] != '\0' ? string_of(asked->metric) : json_null());
        failed |= set(object, "statistic",
                      json_string(asked->statistic == CANARY__STATISTIC_UPTIME
                                      ? "uptime"
                                      : canary_statistic_name(asked->statistic)));
        failed |= set(object, "quantile", canary__verdict_number(asked->quantile));
        failed |=
            set(object, asked->above ? "above" : "below", canary__verdict_number(asked->target));
        failed |= set(object, "value", canary__verdict_number(objective->value));
        failed |= set(object, "old", canary__verdict_number(objective->side[CANARY_OLD]));
        failed |= set(object, "new", canary__verdict_number(objective->side[CANARY_NEW]));
        failed |= set(object, "met",
                      objective->met == CANARY__JUDGE_UNKNOWN
                          ? json_null()
                          : json_boolean(objective->met == CANARY__JUDGE_YES));
        failed |= append(array, object);
    }
    return whole(array, failed);
}

static json_t *series_json(const struct canary__report *report) {
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < report->series_count; i++) {
        const struct canary__report_series *series = &report->series[i];
        json_t *object = json_object();
        json_t *points = json_array();

        for (size_t j = 0; j < series->count; j++) {
            json_t *point = cohorts(series->points[j].value);

            failed |= set(point, "at", canary__verdict_moment(series->points[j].at_ns));
            failed |= set(point, "n", cohorts(series->points[j].n));
            failed |= append(points, point);
        }
        failed |= set(object, "metric", string_of(series->metric));
        failed |= set(object, "figure", json_string(series->figure));
        failed |= set(object, "points", points);
        failed |= append(array, object);
    }
    return whole(array, failed);
}

static json_t *evidence_json(const struct canary__report *report) {
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < report->evidence_count; i++) {
        const struct canary__report_evidence *evidence = &report->evidence[i];
        json_t *object = json_object();
        json_t *points = json_array();

        for (size_t j = 0; j < evidence->count; j++) {
            json_t *point = json_object();

            failed |= set(point, "at", canary__verdict_moment(evidence->points[j].at_ns));
            failed |= set(point, "ln_w", canary__verdict_number(evidence->points[j].value[0]));
            failed |= append(points, point);
        }
        failed |= set(object, "rule", string_of(evidence->rule));
        failed |= set(object, "ln_needed", canary__verdict_number(evidence->needed));
        failed |= set(object, "points", points);
        failed |= append(array, object);
    }
    return whole(array, failed);
}

static json_t *exposure_json(const struct canary__report *report) {
    json_t *array = json_array();
    int failed = array == NULL;

    for (size_t i = 0; i < report->step_count; i++) {
        json_t *object = json_object();

        failed |= set(object, "at", canary__verdict_moment(report->steps[i].at_ns));
        failed |= set(object, "percentage", percent_of(report->steps[i].percentage_bp));
        failed |= append(array, object);
    }
    return whole(array, failed);
}

static json_t *left_out_json(const struct canary__report *report) {
    json_t *object = json_object();
    int failed = set(object, "changes", json_integer((json_int_t)report->changes_left_out));

    failed |= set(object, "verdicts", json_integer((json_int_t)report->verdicts_left_out));
    failed |= set(object, "incidents", json_integer((json_int_t)report->incidents_left_out));
    failed |= set(object, "damaged_verdicts", json_integer((json_int_t)report->verdicts_damaged));
    failed |=
        set(object, "damaged_breaker_notes", json_integer((json_int_t)report->breakers_damaged));
    failed |= set(object, "damaged_figures", json_integer((json_int_t)report->recorded.damaged));
    failed |= set(object, "dropped_outcomes", json_integer((json_int_t)report->recorded.dropped));
    failed |= set(object, "rejected", json_integer((json_int_t)report->recorded.rejected));
    return whole(object, failed);
}

int canary__report_json(const struct canary__report *report, struct canary__text *out) {
    json_t *object = json_object();
    int failed = set(object, "report", json_integer(FORMAT));
    char *text;

    failed |= set(object, "rollout", rollout_json(report));
    failed |= set(object, "from", canary__verdict_moment(report->from_ns));
    failed |= set(object, "to", canary__verdict_moment(report->to_ns));
    failed |= set(object, "made_at", canary__verdict_moment(report->now_ns));
    failed |= set(object, "summary", string_of(report->summary));
    failed |= set(object, "policy", policy_json(report));
    failed |= set(object, "verdict",
                  report->latest.size != 0 ? canary__verdict_object(&report->latest) : json_null());
    failed |= set(object, "recommendation", string_of(report->recommendation));
    failed |= set(object, "objectives", objectives_json(report));
    failed |= set(object, "metrics", metrics_json(report));
    failed |= set(object, "classical", json_string(CANARY__JUDGE_CLASSICAL_LABEL));
    failed |= set(object, "users", users_json(report));
    failed |= set(object, "incidents", incidents_json(report));
    failed |= set(object, "changes", changes_json(report));
    failed |= set(object, "verdicts", verdicts_json(report));
    failed |= set(object, "exposure", exposure_json(report));
    failed |= set(object, "series", series_json(report));
    failed |= set(object, "evidence", evidence_json(report));
    failed |= set(object, "left_out", left_out_json(report));
    text =
        failed ? NULL : canary__judge_dump(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15), NULL);
    json_decref(object);
    if (text == NULL) {
        return -1;
    }
    canary__text_add(out, text);
    canary__text_add(out, "\n");
    free(text);
    return out->failed;
}
