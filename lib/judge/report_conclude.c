/* SPDX-License-Identifier: MIT */
/* The first and the last words of a report: what happened, and what to do next. */
#include <math.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/report.h"
#include "judge/special.h"

static void keep(const struct canary__text *text, char *to, size_t room) {
    const char *from = canary__text_string(text);
    size_t size = strlen(from);

    if (size >= room) {
        size = room - 1;
        while (size > 0 && ((unsigned char)from[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    memcpy(to, from, size);
    to[size] = '\0';
}

static void add_times(struct canary__text *text, size_t count, const char *one, const char *many) {
    canary__text_count(text, (double)count);
    canary__text_add(text, " ");
    canary__text_add(text, count == 1 ? one : many);
}

static void add_stage(const struct canary__report *report, struct canary__text *text) {
    const canary_rollout *rollout = &report->rollout;

    canary__text_add(text, rollout->name);
    canary__text_add(text, " is at ");
    canary__text_bp(text, rollout->percentage_bp);
    canary__text_addf(text, " (stage %d, ", (int)rollout->stage);
    canary__text_plain(text, rollout->stage_name);
    canary__text_add(text, ")");
    if (rollout->kill_reasons != 0) {
        canary__text_add(text, ", but a kill switch is on and everybody gets old");
    }
    if (rollout->generation_at_ns > 0) {
        canary__text_add(text, ", since ");
        canary__text_time(text, rollout->generation_at_ns);
    }
    canary__text_add(text, ". ");
}

static size_t count_changes(const struct canary__report *report) {
    return report->change_count + report->changes_left_out;
}

static size_t incidents_of(const struct canary__report *report, int kind) {
    size_t count = 0;

    for (size_t i = 0; i < report->incident_count; i++) {
        count += kind == 0 || report->incidents[i].kind == kind;
    }
    return count;
}

static void add_outcomes(const struct canary__report *report, struct canary__text *text) {
    for (size_t i = 0; i < report->metric_count; i++) {
        const struct canary__report_metric *metric = &report->metrics[i];

        if (strcmp(metric->name, "error") == 0) {
            canary__text_count(text, metric->n[CANARY_OLD] + metric->n[CANARY_NEW]);
            canary__text_add(text, " outcomes, ");
            canary__text_count(text, metric->n[CANARY_NEW]);
            canary__text_add(text, " of them of the new cohort");
            return;
        }
    }
    canary__text_add(text, "no outcomes were recorded");
}

static void summarise(struct canary__report *report, struct canary__text *text) {
    size_t rollbacks = incidents_of(report, CANARY__INCIDENT_ROLLBACK);

    add_stage(report, text);
    canary__text_add(text, "In this time: ");
    add_times(text, count_changes(report), "change", "changes");
    canary__text_add(text, ", ");
    add_times(text, rollbacks, "rollback", "rollbacks");
    canary__text_add(text, ", ");
    add_times(text, incidents_of(report, 0) - rollbacks, "other incident", "other incidents");
    canary__text_add(text, "; ");
    add_outcomes(report, text);
    canary__text_add(text, ".");
    for (size_t i = 0; i < report->objective_count; i++) {
        if (report->objectives[i].met == CANARY__JUDGE_NO) {
            canary__text_add(text, " Not met: the service objective ");
            canary__text_plain(text, report->objectives[i].asked->name);
            canary__text_add(text, ".");
        }
    }
}

static void recommend(struct canary__report *report, struct canary__text *text) {
    const canary_verdict *latest = &report->latest;
    const char *name = report->rollout.name;

    if (latest->size == 0) {
        if (report->policy_trouble[0] != '\0') {
            canary__text_add(text, "The policy in force cannot be read, so nothing is judged: ");
            canary__text_plain(text, report->policy_trouble);
        } else if (report->rollout.policy[0] == '\0') {
            canary__text_addf(text,
                              "No policy is in force, so nothing judges this rollout. "
                              "canaryctl policy set %s FILE puts one in force.",
                              name);
        } else {
            canary__text_addf(text,
                              "No verdict was stored in this time. canaryctl evaluate %s judges "
                              "now; a guard judges by itself.",
                              name);
        }
        return;
    }
    canary__text_plain(text, latest->message[0] != '\0' ? latest->message : "Nothing was said.");
    if (latest->revision != 0 && latest->revision != report->rollout.revision) {
        canary__text_addf(text,
                          " The rollout was changed since; canaryctl evaluate %s judges it as it "
                          "is now.",
                          name);
    }
}

int canary__report_conclude(struct canary__report *report, canary_error *error) {
    struct canary__text text = { 0 };
    int failed;

    summarise(report, &text);
    keep(&text, report->summary, sizeof report->summary);
    canary__text_clear(&text);
    recommend(report, &text);
    keep(&text, report->recommendation, sizeof report->recommendation);
    failed = text.failed;
    canary__text_free(&text);
    return failed ? canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a report") : CANARY_OK;
}
