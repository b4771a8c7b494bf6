/* SPDX-License-Identifier: MIT */
/* Reports: reading everything once, and handing it out in the form that was asked for. */
#include "judge/report.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/sized.h"

enum {
    PIECE = 16384,
    /* What callers of the first release have. */
    OPTIONS_LEAST = offsetof(canary_report_options, to_ns) + sizeof(int64_t),
};

void canary_report_options_init(canary_report_options *options, uint32_t size) {
    canary_report_options defaults = CANARY_REPORT_OPTIONS_INIT;

    canary__judge_sized_init(options, size, &defaults, sizeof defaults);
}

static void close_report(struct canary__report *report) {
    for (size_t i = 0; i < report->change_count; i++) {
        free(report->changes[i].evidence);
    }
    for (size_t i = 0; i < report->verdict_count; i++) {
        for (uint32_t j = 0; j < report->verdicts[i].rule_count; j++) {
            free(report->verdicts[i].rules[j].message);
        }
        free(report->verdicts[i].rules);
        free(report->verdicts[i].message);
    }
    for (size_t i = 0; i < report->series_count; i++) {
        free(report->series[i].points);
    }
    for (size_t i = 0; i < report->evidence_count; i++) {
        free(report->evidence[i].points);
    }
    free(report->changes);
    free(report->verdicts);
    free(report->latest_rules);
    free(report->metrics);
    free(report->series);
    free(report->evidence);
    free(report->incidents);
    free(report->steps);
    canary_policy_close(&report->policy);
}

/* A policy that cannot be read is no reason to tell nothing. */
static int read_policy(struct canary__report *report, canary_error *error) {
    canary_error trouble = CANARY_ERROR_INIT;
    int code;

    if (report->rollout.policy[0] == '\0') {
        return CANARY_OK;
    }
    code = canary_policy_load(report->store, report->rollout.name, NULL, &report->policy, &trouble);
    if (code == CANARY_E_NOMEM) {
        return canary__judge_pass(error, code, &trouble);
    }
    if (code != CANARY_OK && code != CANARY_E_NOT_FOUND) {
        memcpy(report->policy_trouble, trouble.message, sizeof report->policy_trouble);
    }
    return CANARY_OK;
}

static int gather(struct canary__report *report, const char *rollout, canary_error *error) {
    int (*const parts[])(struct canary__report *, canary_error *) = {
        read_policy,
        canary__report_changes,
        canary__report_verdicts,
        canary__report_figures,
        canary__report_objectives,
        canary__report_incidents,
        canary__report_conclude,
    };
    int code;

    report->rollout.size = (uint32_t)sizeof report->rollout;
    code = canary_rollout_read(report->store, rollout, &report->rollout, error);
    for (size_t i = 0; code == CANARY_OK && i < sizeof parts / sizeof parts[0]; i++) {
        code = parts[i](report, error);
    }
    return code;
}

static int admit(canary_store *store, const char *rollout, const canary_report_options *options,
                 canary_write_fn write, canary_report_options *asked, canary_error *error) {
    if (store == NULL || rollout == NULL || write == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "%s is NULL",
                                  store == NULL     ? "store"
                                  : rollout == NULL ? "rollout"
                                                    : "write");
    }
    if (options != NULL &&
        canary__judge_sized_in(asked, options, sizeof *asked, OPTIONS_LEAST) != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "options have a size of %u: sizeof is %zu",
                                  (unsigned)options->size, sizeof *asked);
    }
    if (asked->format < CANARY_REPORT_MARKDOWN || asked->format > CANARY_REPORT_HTML) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "format %d is not known: 1 Markdown, 2 JSON, 3 HTML",
                                  (int)asked->format);
    }
    if (asked->from_ns < 0 || asked->to_ns < 0 ||
        (asked->to_ns != 0 && asked->from_ns >= asked->to_ns)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "a report is from a time after 1970 until a later one");
    }
    return CANARY_OK;
}

static int hand_out(const struct canary__text *text, canary_write_fn write, void *user_data,
                    canary_error *error) {
    for (size_t at = 0; at < text->size; at += PIECE) {
        size_t size = text->size - at < PIECE ? text->size - at : PIECE;
        int answer = write(user_data, text->data + at, size);

        if (answer != 0) {
            return canary__judge_fail(error, CANARY_E_REFUSED,
                                      "write answered %d after %zu of %zu bytes", answer, at,
                                      text->size);
        }
    }
    return CANARY_OK;
}

int canary_report(canary_store *store, const char *rollout, const canary_report_options *options,
                  canary_write_fn write, void *user_data, canary_error *error) {
    canary_report_options asked = CANARY_REPORT_OPTIONS_INIT;
    canary_error own = CANARY_ERROR_INIT;
    struct canary__report *report;
    struct canary__text text = { 0 };
    int code = admit(store, rollout, options, write, &asked, error);

    if (code != CANARY_OK) {
        return code;
    }
    report = calloc(1, sizeof *report);
    if (report == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a report");
    }
    report->store = store;
    report->now_ns = canary_store_now(store, CANARY_CLOCK_REALTIME);
    report->whole = asked.from_ns == 0;
    report->from_ns = asked.from_ns;
    /* What happened at this very moment belongs to it. */
    report->to_ns = asked.to_ns != 0 ? asked.to_ns : report->now_ns + 1;
    if (report->from_ns >= report->to_ns) {
        code = canary__judge_fail(error, CANARY_E_INVALID, "from_ns lies ahead");
    }
    if (code == CANARY_OK) {
        code = gather(report, rollout, &own);
        code = code == CANARY_OK ? code : canary__judge_pass(error, code, &own);
    }
    if (code == CANARY_OK) {
        if (asked.format == CANARY_REPORT_JSON) {
            text.failed = canary__report_json(report, &text) != 0;
        } else if (asked.format == CANARY_REPORT_HTML) {
            canary__report_html(report, &text);
        } else {
            canary__report_markdown(report, &text);
        }
        code = text.failed ? canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a report")
                           : hand_out(&text, write, user_data, error);
    }
    canary__text_free(&text);
    close_report(report);
    free(report);
    return code;
}
