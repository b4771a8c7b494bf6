/* SPDX-License-Identifier: MIT */
/* What went wrong in a report's time: exposure that was taken back, kills, rules that fired, circuit
 * breakers that opened, figures in doubt. */
#include <canary/document.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dossier.h"
#include "judge/fail.h"
#include "judge/report.h"

const char *canary__report_incident_name(int kind) {
    static const char *const names[] = {
        "unknown", "rollback", "kill", "rule", "breaker", "verdict"
    };

    return names[kind >= CANARY__INCIDENT_ROLLBACK && kind <= CANARY__INCIDENT_VERDICT ? kind : 0];
}

/* Cuts at a whole character. */
static void copy(char *to, size_t room, const char *from) {
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

struct finding {
    struct canary__report *report;
    int code;
};

/* NULL without memory, and beyond as many as a report shows. */
static struct canary__report_incident *begin(struct finding *finding, int kind, int64_t at_ns) {
    struct canary__report *report = finding->report;
    struct canary__report_incident *one;

    if (report->incident_count >= CANARY__REPORT_INCIDENTS) {
        report->incidents_left_out++;
        return NULL;
    }
    one = canary__report_grow((void **)&report->incidents, &report->incident_count,
                              &report->incident_capacity, sizeof *one);
    if (one == NULL) {
        finding->code = CANARY_E_NOMEM;
        return NULL;
    }
    one->kind = kind;
    one->at_ns = at_ns;
    return one;
}

/* -- changes -- */

static void lowered(struct finding *finding, const struct canary__report_change *change) {
    struct canary__report_incident *one =
        begin(finding, CANARY__INCIDENT_ROLLBACK, change->change.at_ns);
    struct canary__text title = { 0 };

    if (one == NULL) {
        return;
    }
    canary__text_add(&title, "Exposure taken back from ");
    canary__text_bp(&title, change->change.from_percentage_bp);
    canary__text_add(&title, " to ");
    canary__text_bp(&title, change->change.to_percentage_bp);
    copy(one->title, sizeof one->title, canary__text_string(&title));
    copy(one->detail, sizeof one->detail,
         change->change.note[0] != '\0' ? change->change.note
         : change->evidence != NULL     ? change->evidence
                                        : "");
    copy(one->by, sizeof one->by, change->change.by);
    canary__text_free(&title);
}

static void killed(struct finding *finding, const canary_change *change) {
    struct canary__report_incident *one = begin(finding, CANARY__INCIDENT_KILL, change->at_ns);

    if (one == NULL) {
        return;
    }
    one->open = 1;
    snprintf(one->title, sizeof one->title, "Flag %.128s switched off: everybody to old",
             change->flag);
    copy(one->detail, sizeof one->detail, change->note);
    copy(one->by, sizeof one->by, change->by);
}

static void revived(struct canary__report *report, int64_t at_ns) {
    for (size_t i = 0; i < report->incident_count; i++) {
        struct canary__report_incident *one = &report->incidents[i];

        if (one->kind == CANARY__INCIDENT_KILL && one->open) {
            one->open = 0;
            one->until_ns = at_ns;
        }
    }
}

static void from_changes(struct finding *finding) {
    struct canary__report *report = finding->report;

    for (size_t i = 0; finding->code == CANARY_OK && i < report->change_count; i++) {
        const canary_change *change = &report->changes[i].change;

        if (strcmp(change->action, "flag_off") == 0) {
            killed(finding, change);
        } else if (strcmp(change->action, "flag_on") == 0) {
            revived(report, change->at_ns);
        } else if (change->to_percentage_bp < change->from_percentage_bp) {
            lowered(finding, &report->changes[i]);
        }
    }
}

/* -- verdicts -- */

/* The open incident of a rule or cause, -1 = none. Looked for from the end: what is open is recent. */
static struct canary__report_incident *open_of(struct canary__report *report, int kind,
                                               const char *title) {
    for (size_t i = report->incident_count; i > 0; i--) {
        struct canary__report_incident *one = &report->incidents[i - 1];

        if (one->kind == kind && one->open && strcmp(one->title, title) == 0) {
            return one;
        }
    }
    return NULL;
}

static void close_at(struct canary__report_incident *one, int64_t at_ns) {
    if (one != NULL) {
        one->open = 0;
        one->until_ns = at_ns;
    }
}

static void follow_rule(struct finding *finding, const struct canary__report_verdict *verdict,
                        const struct canary__report_rule *rule) {
    char title[sizeof finding->report->incidents->title];
    struct canary__report_incident *one;

    snprintf(title, sizeof title, "Rule %.63s fired (%s)", rule->name,
             canary_rule_action_name(rule->action));
    one = open_of(finding->report, CANARY__INCIDENT_RULE, title);
    if (rule->state != CANARY_STATE_FIRING) {
        /* What is unknown for a while is not over. */
        if (rule->state != CANARY_STATE_UNKNOWN) {
            close_at(one, verdict->at_ns);
        }
        return;
    }
    if (one == NULL) {
        int64_t at_ns = verdict->at_ns;

        if (rule->since_ns >= finding->report->from_ns && rule->since_ns < at_ns) {
            at_ns = rule->since_ns;
        }
        one = begin(finding, CANARY__INCIDENT_RULE, at_ns);
        if (one != NULL) {
            one->open = 1;
            copy(one->title, sizeof one->title, title);
            copy(one->detail, sizeof one->detail, rule->message != NULL ? rule->message : "");
        }
    }
}

static const char *title_of_cause(int cause) {
    switch (cause) {
    case CANARY_CAUSE_DATA:
        return "The figures were in doubt";
    case CANARY_CAUSE_NO_TRAFFIC:
        return "Nothing was recorded for the new cohort";
    case CANARY_CAUSE_MISMATCH:
        return "Users were not divided as the percentage says";
    case CANARY_CAUSE_ERROR:
        return "The store could not be read";
    default:
        return NULL;
    }
}

static void follow_cause(struct finding *finding, const struct canary__report_verdict *verdict) {
    static const int causes[] = { CANARY_CAUSE_DATA, CANARY_CAUSE_NO_TRAFFIC, CANARY_CAUSE_MISMATCH,
                                  CANARY_CAUSE_ERROR };

    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        struct canary__report_incident *one =
            open_of(finding->report, CANARY__INCIDENT_VERDICT, title_of_cause(causes[i]));

        if (verdict->cause != causes[i]) {
            close_at(one, verdict->at_ns);
        } else if (one == NULL) {
            one = begin(finding, CANARY__INCIDENT_VERDICT, verdict->at_ns);
            if (one != NULL) {
                one->open = 1;
                copy(one->title, sizeof one->title, title_of_cause(causes[i]));
                copy(one->detail, sizeof one->detail, verdict->message);
            }
        }
    }
}

/* A new percentage begins every rule anew. */
static void close_rules(struct canary__report *report, int64_t at_ns) {
    for (size_t i = 0; i < report->incident_count; i++) {
        if (report->incidents[i].kind == CANARY__INCIDENT_RULE && report->incidents[i].open) {
            close_at(&report->incidents[i], at_ns);
        }
    }
}

static void from_verdicts(struct finding *finding) {
    struct canary__report *report = finding->report;

    for (size_t i = 0; finding->code == CANARY_OK && i < report->verdict_count; i++) {
        const struct canary__report_verdict *verdict = &report->verdicts[i];

        if (i > 0 && verdict->generation != report->verdicts[i - 1].generation) {
            close_rules(report, verdict->at_ns);
        }
        follow_cause(finding, verdict);
        for (uint32_t j = 0; finding->code == CANARY_OK && j < verdict->rule_count; j++) {
            follow_rule(finding, verdict, &verdict->rules[j]);
        }
    }
}

/* -- circuit breakers -- */

static double number_in(const json_t *root, const char *key) {
    return json_number_value(json_object_get(root, key));
}

static int take_breaker(void *user_data, const canary_document *document) {
    struct finding *finding = user_data;
    struct canary__report *report = finding->report;
    int64_t at_ns = strtoll(document->name + strlen(CANARY__DOCUMENT_BREAKER), NULL, 10);
    json_t *root = json_loadb(document->data, (size_t)document->data_size, 0, NULL);
    const char *state = json_string_value(json_object_get(root, "state"));
    char title[sizeof report->incidents->title];
    struct canary__report_incident *one;

    if (at_ns < report->from_ns || at_ns >= report->to_ns) {
        json_decref(root);
        return 0;
    }
    if (state == NULL) {
        report->breakers_damaged++;
        json_decref(root);
        return 0;
    }
    snprintf(title, sizeof title, "Circuit breaker opened in process %.0f", number_in(root, "pid"));
    one = open_of(report, CANARY__INCIDENT_BREAKER, title);
    if (strcmp(state, "closed") == 0) {
        close_at(one, at_ns);
    } else if (strcmp(state, "open") == 0 && one == NULL) {
        one = begin(finding, CANARY__INCIDENT_BREAKER, at_ns);
        if (one != NULL) {
            one->open = 1;
            copy(one->title, sizeof one->title, title);
            snprintf(one->detail, sizeof one->detail,
                     "%.0f of %.0f outcomes of the new cohort failed within %.0f ms; this process "
                     "gave everybody old",
                     number_in(root, "failures"), number_in(root, "outcomes"),
                     number_in(root, "window_ms"));
        }
    }
    json_decref(root);
    return finding->code != CANARY_OK;
}

static int from_breakers(struct finding *finding, canary_error *error) {
    struct canary__report *report = finding->report;
    canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;
    char from[64];
    uint64_t damaged = 0;
    int code;

    snprintf(from, sizeof from, CANARY__DOCUMENT_BREAKER "%020" PRId64, report->from_ns);
    query.prefix = CANARY__DOCUMENT_BREAKER;
    query.from = from;
    code = canary_document_list(report->store, report->rollout.name, &query, take_breaker, finding,
                                &damaged, error);
    report->breakers_damaged += damaged;
    return code == CANARY_E_UNSUPPORTED ? CANARY_OK : code;
}

static int by_time(const void *a, const void *b) {
    const struct canary__report_incident *one = a;
    const struct canary__report_incident *other = b;

    return (one->at_ns > other->at_ns) - (one->at_ns < other->at_ns);
}

int canary__report_incidents(struct canary__report *report, canary_error *error) {
    struct finding finding = { .report = report, .code = CANARY_OK };
    int code;

    from_changes(&finding);
    from_verdicts(&finding);
    code = from_breakers(&finding, error);
    if (code == CANARY_OK && finding.code != CANARY_OK) {
        code = canary__judge_fail(error, finding.code, "no memory for the incidents of a report");
    }
    if (report->incident_count > 1) {
        qsort(report->incidents, report->incident_count, sizeof *report->incidents, by_time);
    }
    return code;
}
