/* SPDX-License-Identifier: MIT */
/* The verdicts of a report's time, and the evidence of each rule over time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/report.h"
#include "judge/verdict_fields.h"

struct reading {
    struct canary__report *report;
    canary_rule_result *rules; /* of the verdict at hand */
    int code;
};

static int keep_rules(struct canary__report_verdict *kept, const canary_verdict *verdict) {
    if (verdict->rule_count == 0) {
        return CANARY_OK;
    }
    kept->rules = calloc(verdict->rule_count, sizeof *kept->rules);
    if (kept->rules == NULL) {
        return CANARY_E_NOMEM;
    }
    kept->rule_count = verdict->rule_count;
    for (uint32_t i = 0; i < verdict->rule_count; i++) {
        const canary_rule_result *rule = &verdict->rules[i];
        struct canary__report_rule *one = &kept->rules[i];

        memcpy(one->name, rule->name, sizeof one->name);
        one->action = rule->action;
        one->urgency = rule->urgency;
        one->state = rule->state;
        one->proof = rule->proof;
        one->since_ns = rule->since_ns;
        one->ln_w = rule->ln_w;
        one->alpha = rule->alpha;
        if (rule->state == CANARY_STATE_FIRING) {
            one->message = strdup(rule->message);
            if (one->message == NULL) {
                return CANARY_E_NOMEM;
            }
        }
    }
    return CANARY_OK;
}

static int keep(struct canary__report *report, int64_t at_ns, const canary_verdict *verdict) {
    struct canary__report_verdict *kept =
        canary__report_grow((void **)&report->verdicts, &report->verdict_count,
                            &report->verdict_capacity, sizeof *kept);

    if (kept == NULL) {
        return CANARY_E_NOMEM;
    }
    kept->at_ns = at_ns;
    kept->action = verdict->action;
    kept->cause = verdict->cause;
    kept->risk = verdict->risk;
    kept->stage = verdict->stage;
    kept->percentage_bp = verdict->percentage_bp;
    kept->generation = verdict->generation;
    kept->message = strdup(verdict->message);
    return kept->message != NULL ? keep_rules(kept, verdict) : CANARY_E_NOMEM;
}

/* Newest first. */
static int take_verdict(void *user_data, int64_t at_ns, const char *json, uint64_t size) {
    struct reading *reading = user_data;
    struct canary__report *report = reading->report;
    canary_verdict verdict;
    json_t *root;

    if (at_ns >= report->to_ns) {
        return 0;
    }
    if (report->verdict_count >= CANARY__REPORT_VERDICTS) {
        report->verdicts_left_out++;
        return 0;
    }
    root = json_loadb(json, (size_t)size, 0, NULL);
    if (canary__verdict_read(root, &verdict, reading->rules, CANARY_POLICY_RULES_MAX) != 0) {
        report->verdicts_damaged++;
    } else {
        reading->code = keep(report, at_ns, &verdict);
        if (reading->code == CANARY_OK && report->latest.size == 0) {
            memcpy(report->latest_rules, reading->rules,
                   CANARY_POLICY_RULES_MAX * sizeof *reading->rules);
            report->latest = verdict;
            report->latest.at_ns = at_ns;
            report->latest.rules = report->latest_rules;
        }
    }
    json_decref(root);
    return reading->code != CANARY_OK;
}

static void reverse(struct canary__report *report) {
    for (size_t i = 0, j = report->verdict_count; i + 1 < j; i++) {
        struct canary__report_verdict other = report->verdicts[--j];

        report->verdicts[j] = report->verdicts[i];
        report->verdicts[i] = other;
    }
}

static struct canary__report_evidence *evidence_of(struct canary__report *report,
                                                   const struct canary__report_rule *rule) {
    struct canary__report_evidence *grown;

    for (size_t i = 0; i < report->evidence_count; i++) {
        if (strcmp(report->evidence[i].rule, rule->name) == 0) {
            return &report->evidence[i];
        }
    }
    /* Policies follow one another; names of rules that were are few, but nothing says how few. */
    if (report->evidence_count >= CANARY_POLICY_RULES_MAX) {
        return NULL;
    }
    grown = realloc(report->evidence, (report->evidence_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    report->evidence = grown;
    grown += report->evidence_count++;
    memset(grown, 0, sizeof *grown);
    memcpy(grown->rule, rule->name, sizeof grown->rule);
    return grown;
}

static int add_evidence(struct canary__report *report,
                        const struct canary__report_verdict *verdict) {
    for (uint32_t i = 0; i < verdict->rule_count; i++) {
        const struct canary__report_rule *rule = &verdict->rules[i];
        struct canary__report_evidence *evidence;
        struct canary__report_point *point;

        if (rule->proof != CANARY_PROOF_EVIDENCE || isnan(rule->ln_w) || rule->name[0] == '\0') {
            continue;
        }
        evidence = evidence_of(report, rule);
        if (evidence == NULL) {
            continue;
        }
        evidence->action = rule->action;
        evidence->needed = rule->alpha > 0 && rule->alpha < 1 ? -log(rule->alpha) : (double)NAN;
        point = canary__report_grow((void **)&evidence->points, &evidence->count,
                                    &evidence->capacity, sizeof *point);
        if (point == NULL) {
            return CANARY_E_NOMEM;
        }
        point->at_ns = verdict->at_ns;
        point->value[0] = rule->ln_w;
        point->value[1] = NAN;
        point->n[0] = (double)verdict->generation;
    }
    return CANARY_OK;
}

static int read_all(struct canary__report *report, struct reading *reading, canary_error *error) {
    int code = canary_verdict_list(report->store, report->rollout.name, report->from_ns, 0,
                                   take_verdict, reading, error);

    if (code == CANARY_E_UNSUPPORTED) {
        return CANARY_OK;
    }
    reverse(report);
    for (size_t i = 0; reading->code == CANARY_OK && i < report->verdict_count; i++) {
        reading->code = add_evidence(report, &report->verdicts[i]);
    }
    if (code == CANARY_OK && reading->code != CANARY_OK) {
        code = canary__judge_fail(error, reading->code, "no memory for the verdicts of a report");
    }
    return code;
}

int canary__report_verdicts(struct canary__report *report, canary_error *error) {
    struct reading reading = { .report = report, .code = CANARY_OK };
    int code;

    report->latest_rules = calloc(CANARY_POLICY_RULES_MAX, sizeof *report->latest_rules);
    reading.rules = calloc(CANARY_POLICY_RULES_MAX, sizeof *reading.rules);
    code = report->latest_rules != NULL && reading.rules != NULL
               ? read_all(report, &reading, error)
               : canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a report");
    free(reading.rules);
    return code;
}
