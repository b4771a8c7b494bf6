/* SPDX-License-Identifier: MIT */
/* A verdict as recommendations: what to do, how urgent it is, and the figures at a glance. */
#include <canary/decide.h>
#include <math.h>
#include <string.h>

#include "judge/say.h"
#include "judge/verdict_fields.h"

static const char *type_of(const canary_verdict *verdict) {
    switch (verdict->action) {
    case CANARY_VERDICT_ADVANCE:
        return "advance";
    case CANARY_VERDICT_ROLLBACK:
        return "rollback";
    default:
        break;
    }
    switch (verdict->cause) {
    case CANARY_CAUSE_APPROVAL:
        return "approve";
    case CANARY_CAUSE_COMPLETE:
        return "complete";
    case CANARY_CAUSE_CLOSED:
        return "begin";
    case CANARY_CAUSE_NO_POLICY:
    case CANARY_CAUSE_FROZEN:
    case CANARY_CAUSE_ATTEMPTS:
        return "policy";
    case CANARY_CAUSE_DATA:
    case CANARY_CAUSE_NO_TRAFFIC:
    case CANARY_CAUSE_MISMATCH:
    case CANARY_CAUSE_ERROR:
    case CANARY_CAUSE_EVIDENCE:
    case CANARY_CAUSE_KILLED:
        return "investigate";
    default:
        return "hold";
    }
}

static int add(json_t *list, const char *type, int priority, const char *message, size_t room) {
    json_t *one = json_object();
    int failed = json_object_set_new(one, "type", json_string(type));

    failed |= json_object_set_new(one, "priority", json_string(canary_urgency_name(priority)));
    failed |= json_object_set_new(one, "message", canary__verdict_string(message, room));
    return failed | json_array_append_new(list, one);
}

/* What is not known stands below what is. */
static int rank(const canary_rule_result *rule) {
    return rule->state == CANARY_STATE_FIRING || rule->state == CANARY_STATE_PENDING ? rule->urgency
           : rule->urgency < CANARY_URGENCY_MEDIUM                                   ? rule->urgency
                                                   : CANARY_URGENCY_MEDIUM;
}

static int add_rule(json_t *list, const canary_rule_result *rule) {
    char message[sizeof rule->name + sizeof rule->message + 8];
    struct canary__say say = canary__say_into(message, sizeof message);
    const char *type;

    switch (rule->state) {
    case CANARY_STATE_FIRING:
    case CANARY_STATE_UNMET:
        type = canary_rule_action_name(rule->action);
        break;
    case CANARY_STATE_PENDING:
        type = "watch";
        break;
    default:
        type = "data";
    }
    canary__say(&say, "rule ");
    canary__say(&say, rule->name);
    canary__say(&say, ": ");
    canary__say(&say, rule->message);
    return add(list, type, rank(rule), message, sizeof message);
}

/* What a rule says by itself that the verdict does not. 0 = nothing. */
static int is_telling(const canary_verdict *verdict, uint32_t i) {
    const canary_rule_result *rule = &verdict->rules[i];

    return (int32_t)i != verdict->rule && rule->state != CANARY_STATE_CLEAR &&
           rule->state != CANARY_STATE_MET &&
           (rule->state != CANARY_STATE_UNKNOWN || rule->action != CANARY_RULE_WARN);
}

/* The verdict first, then rules by urgency and in the order of the policy. */
static json_t *recommendations(const canary_verdict *verdict) {
    json_t *list = json_array();
    int failed = list == NULL;

    /* Urgencies and risks have the same four numbers. */
    failed |= add(list, type_of(verdict), verdict->risk, verdict->message, sizeof verdict->message);
    for (int urgency = CANARY_URGENCY_CRITICAL; urgency >= CANARY_URGENCY_LOW; urgency--) {
        for (uint32_t i = 0; verdict->rules != NULL && i < verdict->rule_count; i++) {
            const canary_rule_result *rule = &verdict->rules[i];

            if (rank(rule) == urgency && is_telling(verdict, i)) {
                failed |= add_rule(list, rule);
            }
        }
    }
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static void figure_name(const canary_rule_result *rule, char name[32]) {
    struct canary__say say = canary__say_into(name, 32);

    if (rule->statistic == CANARY_STATISTIC_QUANTILE) {
        canary__say_quantile(&say, rule->quantile);
    } else {
        canary__say(&say, canary_statistic_name(rule->statistic));
    }
}

/* Of one cohort. A rule about a limit judges one and has counted both. */
static double value_of(const canary_rule_result *rule, int cohort) {
    double n = cohort == CANARY_NEW ? rule->n_new : rule->n_old;
    double k = cohort == CANARY_NEW ? rule->k_new : rule->k_old;
    int own = rule->against == CANARY_AGAINST_LIMIT ? rule->cohort : CANARY_NEW;

    if (cohort == own) {
        return rule->value;
    }
    if (cohort == CANARY_OLD && rule->against != CANARY_AGAINST_BASELINE &&
        !isnan(rule->reference)) {
        return rule->reference;
    }
    return rule->statistic == CANARY_STATISTIC_RATE ? k / n : NAN;
}

/* Of several rules about one figure the first that knows both cohorts, else the first. */
static int is_better(const canary_rule_result *rule, const canary_rule_result *than) {
    return (isnan(value_of(than, CANARY_OLD)) && !isnan(value_of(rule, CANARY_OLD)));
}

static json_t *figure_of(const canary_rule_result *rule) {
    double fresh = value_of(rule, CANARY_NEW);
    double old = value_of(rule, CANARY_OLD);
    json_t *figure = json_object();
    int failed = figure == NULL;

    failed |= json_object_set_new(figure, "new", canary__verdict_number(fresh));
    failed |= json_object_set_new(figure, "old", canary__verdict_number(old));
    failed |= json_object_set_new(figure, "ratio", canary__verdict_number(fresh / old));
    failed |= json_object_set_new(figure, "n_new", canary__verdict_number(rule->n_new));
    failed |= json_object_set_new(figure, "n_old", canary__verdict_number(rule->n_old));
    failed |=
        json_object_set_new(figure, "unit", canary__verdict_string(rule->unit, sizeof rule->unit));
    failed |=
        json_object_set_new(figure, "rule", canary__verdict_string(rule->name, sizeof rule->name));
    failed |=
        json_object_set_new(figure, "state", json_string(canary_rule_state_name(rule->state)));
    if (failed) {
        json_decref(figure);
        return NULL;
    }
    return figure;
}

/* By metric, then by figure: {"error": {"rate": {...}}, "duration": {"p95": {...}}}. */
static json_t *metrics_summary(const canary_verdict *verdict) {
    json_t *summary = json_object();
    int failed = summary == NULL;

    for (uint32_t i = 0; verdict->rules != NULL && i < verdict->rule_count; i++) {
        const canary_rule_result *best = &verdict->rules[i];
        json_t *metric = json_object_get(summary, verdict->rules[i].metric);
        char name[32];

        figure_name(&verdict->rules[i], name);
        if (metric == NULL) {
            failed |= json_object_set_new(summary, verdict->rules[i].metric, json_object());
            metric = json_object_get(summary, verdict->rules[i].metric);
        }
        if (json_object_get(metric, name) != NULL) {
            continue;
        }
        for (uint32_t j = i + 1; j < verdict->rule_count; j++) {
            const canary_rule_result *rule = &verdict->rules[j];

            if (strcmp(rule->metric, verdict->rules[i].metric) == 0 &&
                rule->statistic == verdict->rules[i].statistic &&
                (rule->statistic != CANARY_STATISTIC_QUANTILE ||
                 rule->quantile == verdict->rules[i].quantile) &&
                is_better(rule, best)) {
                best = rule;
            }
        }
        failed |= json_object_set_new(metric, name, figure_of(best));
    }
    if (failed) {
        json_decref(summary);
        return NULL;
    }
    return summary;
}

int canary_verdict_recommend(const canary_verdict *verdict, canary_write_fn write, void *user_data,
                             canary_error *error) {
    int code = canary__verdict_admit(verdict, write, error);
    json_t *object;
    int failed;

    if (code != CANARY_OK) {
        return code;
    }
    object = json_object();
    failed = object == NULL;
    failed |= json_object_set_new(object, "current_stage", json_integer(verdict->stage));
    failed |= json_object_set_new(object, "current_percentage",
                                  canary__verdict_number((double)verdict->percentage_bp / 100));
    failed |=
        json_object_set_new(object, "risk_level", json_string(canary_risk_name(verdict->risk)));
    failed |= json_object_set_new(object, "recommendations", recommendations(verdict));
    failed |= json_object_set_new(object, "metrics_summary", metrics_summary(verdict));
    if (failed) {
        json_decref(object);
        object = NULL;
    }
    return canary__verdict_write(object, write, user_data, error);
}
