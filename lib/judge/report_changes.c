/* SPDX-License-Identifier: MIT */
/* The changes of a report's time, what each rests on, and the exposure that follows from them. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/report.h"

enum { EVIDENCE_MOST = 65536, LINE_MOST = 300 };

void *canary__report_grow(void **list, size_t *count, size_t *capacity, size_t size) {
    char *base = *list;

    if (*count == *capacity) {
        size_t more = *capacity == 0 ? 16 : *capacity * 2;

        base = more <= SIZE_MAX / size ? realloc(*list, more * size) : NULL;
        if (base == NULL) {
            return NULL;
        }
        *list = base;
        *capacity = more;
    }
    memset(base + *count * size, 0, size);
    return base + (*count)++ * size;
}

struct reading {
    struct canary__report *report;
    int flag_known;
    int share_known;
    int failed;
};

/* Newest first. Beyond the beginning only what stood then is looked for. */
static int take_change(void *user_data, const canary_change *change) {
    struct reading *reading = user_data;
    struct canary__report *report = reading->report;
    int is_flag = strcmp(change->action, "flag_on") == 0 || strcmp(change->action, "flag_off") == 0;

    if (change->at_ns >= report->to_ns) {
        return 0;
    }
    if (change->at_ns >= report->from_ns) {
        struct canary__report_change *one;

        /* Should the time begin with it: this is how it stood before. */
        report->begin_bp = change->from_percentage_bp;
        if (is_flag) {
            report->begin_on = strcmp(change->action, "flag_off") == 0;
        }
        if (report->change_count >= CANARY__REPORT_CHANGES) {
            report->changes_left_out++;
            return 0;
        }
        one = canary__report_grow((void **)&report->changes, &report->change_count,
                                  &report->change_capacity, sizeof *one);
        if (one == NULL) {
            reading->failed = 1;
            return 1;
        }
        memcpy(&one->change, change,
               change->size < sizeof one->change ? change->size : sizeof one->change);
        return 0;
    }
    if (!reading->share_known) {
        report->begin_bp = change->to_percentage_bp;
        reading->share_known = 1;
    }
    if (is_flag && !reading->flag_known) {
        report->begin_on = strcmp(change->action, "flag_on") == 0;
        reading->flag_known = 1;
    }
    return reading->flag_known;
}

static void cut(char *line, size_t most) {
    size_t end = most;

    if (strlen(line) <= most) {
        return;
    }
    while (end > 0 && ((unsigned char)line[end] & 0xc0) == 0x80) {
        end--;
    }
    memcpy(line + end, "...", 4);
}

/* One line that sums up the evidence of a change: the message of a verdict, or its beginning. */
static char *evidence_line(const char *evidence) {
    json_t *root = json_loadb(evidence, strlen(evidence), JSON_REJECT_DUPLICATES, NULL);
    const char *message = json_string_value(json_object_get(root, "message"));
    const char *from = message != NULL ? message : evidence;
    size_t size = strlen(from);
    char *line;

    size = size > LINE_MOST ? LINE_MOST + 1 : size;
    line = malloc(size + 4);
    if (line != NULL) {
        memcpy(line, from, size);
        line[size] = '\0';
        cut(line, LINE_MOST);
    }
    json_decref(root);
    return line;
}

/* What was done by a verdict says so in its evidence; a policy's evidence is its own text. */
static int rests_on_evidence(const char *action) {
    static const char *const actions[] = { "advance",   "rollback", "set",
                                           "emergency", "approve",  "decision" };

    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(action, actions[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static int read_evidence(struct canary__report *report, canary_error *error) {
    char *buffer = malloc(EVIDENCE_MOST + 1);
    int code = CANARY_OK;

    if (buffer == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a report");
    }
    for (size_t i = 0; code == CANARY_OK && i < report->change_count; i++) {
        struct canary__report_change *one = &report->changes[i];
        uint64_t size = 0;

        if (!rests_on_evidence(one->change.action)) {
            continue;
        }
        code = canary_change_evidence(report->store, one->change.id, buffer, EVIDENCE_MOST + 1,
                                      &size, error);
        if (code == CANARY_E_FULL) {
            code = CANARY_OK;
        } else if (code == CANARY_OK && size > 0) {
            one->evidence = evidence_line(buffer);
            if (one->evidence == NULL) {
                code = canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a report");
            }
        }
    }
    free(buffer);
    return code;
}

static void reverse(struct canary__report *report) {
    for (size_t i = 0, j = report->change_count; i + 1 < j; i++) {
        struct canary__report_change other = report->changes[--j];

        report->changes[j] = report->changes[i];
        report->changes[i] = other;
    }
}

static int exposure_steps(struct canary__report *report, canary_error *error) {
    uint32_t on = report->begin_on;
    uint32_t bp = report->begin_bp;
    uint32_t mark = 0;

    report->steps = calloc(report->change_count + 1, sizeof *report->steps);
    if (report->steps == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a report");
    }
    report->steps[report->step_count++] = (struct canary__report_step){
        .at_ns = report->from_ns,
        .percentage_bp = on ? bp : 0,
    };
    for (size_t i = 0; i < report->change_count; i++) {
        const canary_change *change = &report->changes[i].change;
        uint32_t before = report->steps[report->step_count - 1].percentage_bp;

        bp = change->to_percentage_bp;
        on = strcmp(change->action, "flag_on") == 0    ? 1
             : strcmp(change->action, "flag_off") == 0 ? 0
                                                       : on;
        if ((on ? bp : 0) != before) {
            report->steps[report->step_count++] = (struct canary__report_step){
                .at_ns = change->at_ns,
                .percentage_bp = on ? bp : 0,
                .mark = ++mark,
                .change = i,
            };
        }
    }
    return CANARY_OK;
}

int canary__report_changes(struct canary__report *report, canary_error *error) {
    struct reading reading = { .report = report };
    int code;

    /* Without a change of the flag it is as it was made: on. */
    report->begin_on = 1;
    code = canary_history(report->store, report->rollout.name, 0, 0, take_change, &reading, error);
    if (code == CANARY_OK && reading.failed) {
        code = canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a report");
    }
    if (code != CANARY_OK) {
        return code;
    }
    reverse(report);
    if (report->whole) {
        report->from_ns =
            report->change_count > 0 ? report->changes[0].change.at_ns : report->to_ns - 1;
    }
    code = read_evidence(report, error);
    return code == CANARY_OK ? exposure_steps(report, error) : code;
}
