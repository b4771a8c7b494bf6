/* SPDX-License-Identifier: MIT */
/* The table of keys, and JSON to structs. */
#include "judge/verdict_fields.h"

#include <canary/decide.h>
#include <canary/policy.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "judge/spans.h"

#define OF(type, key, kind, member, name)                                                          \
    { key, CANARY__FIELD_##kind, offsetof(type, member), sizeof(((type *)0)->member), name }
#define V(key, kind, member) OF(canary_verdict, key, kind, member, NULL)
#define R(key, kind, member) OF(canary_rule_result, key, kind, member, NULL)

const struct canary__verdict_field canary__verdict_fields[] = {
    V("rollout", STRING, rollout),
    OF(canary_verdict, "action", NAME, action, canary_verdict_name),
    OF(canary_verdict, "cause", NAME, cause, canary_cause_name),
    OF(canary_verdict, "risk", NAME, risk, canary_risk_name),
    V("rule", INDEX, rule),
    V("message", STRING, message),
    V("stage", INT, stage),
    V("stage_name", STRING, stage_name),
    V("to_stage", INT, to_stage),
    V("percentage", BP, percentage_bp),
    V("to_percentage", BP, to_percentage_bp),
    V("at", TIME, at_ns),
    V("through", TIME, through_ns),
    V("ready_at", TIME, ready_at_ns),
    OF(canary_verdict, "mode", NAME, mode, canary_mode_name),
    V("policy", STRING, policy),
    V("policy_name", STRING, policy_name),
    V("revision", LONG, revision),
    V("generation", LONG, generation),
    V("damaged", COUNT, damaged),
    V("mismatch", NUMBER, mismatch),
    V("users_new", NUMBER, users_new),
    V("users_old", NUMBER, users_old),
    V("rule_count", COUNT, rule_count),
};
const size_t canary__verdict_field_count =
    sizeof canary__verdict_fields / sizeof canary__verdict_fields[0];

const struct canary__verdict_field canary__rule_fields[] = {
    R("name", STRING, name),
    OF(canary_rule_result, "action", NAME, action, canary_rule_action_name),
    OF(canary_rule_result, "urgency", NAME, urgency, canary_urgency_name),
    OF(canary_rule_result, "state", NAME, state, canary_rule_state_name),
    R("since", TIME, since_ns),
    R("message", STRING, message),
    R("metric", STRING, metric),
    OF(canary_rule_result, "statistic", NAME, statistic, canary_statistic_name),
    R("quantile", NUMBER, quantile),
    OF(canary_rule_result, "against", NAME, against, canary_against_name),
    OF(canary_rule_result, "proof", NAME, proof, canary_proof_name),
    R("cohort", COHORT, cohort),
    R("above", TRUTH, above),
    R("threshold", NUMBER, threshold),
    R("unit", STRING, unit),
    R("window", SPAN, window_ns),
    R("for", SPAN, for_ns),
    R("to_stage", INDEX, to_stage),
    R("value", NUMBER, value),
    R("reference", NUMBER, reference),
    R("ratio", NUMBER, ratio),
    R("low", NUMBER, low),
    R("high", NUMBER, high),
    R("n_new", NUMBER, n_new),
    R("n_old", NUMBER, n_old),
    R("k_new", NUMBER, k_new),
    R("k_old", NUMBER, k_old),
    R("least", NUMBER, least),
    R("ln_w", NUMBER, ln_w),
    R("p", NUMBER, p),
    R("alpha", NUMBER, alpha),
    R("design_effect", NUMBER, design_effect),
    R("classical_p", NUMBER, classical_p),
};
const size_t canary__rule_field_count = sizeof canary__rule_fields / sizeof canary__rule_fields[0];

void canary__verdict_time(int64_t ns, char text[40]) {
    int64_t part = ns % CANARY__SECOND_NS;
    time_t seconds;
    struct tm tm;
    size_t size;

    /* Downwards, also before 1970. */
    seconds = (time_t)(ns / CANARY__SECOND_NS - (part < 0));
    part += part < 0 ? CANARY__SECOND_NS : 0;
    if (gmtime_r(&seconds, &tm) == NULL) {
        text[0] = '\0';
        return;
    }
    size = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    if (part > 0) {
        size += (size_t)snprintf(text + size, 40 - size, ".%09d", (int)part);
        while (text[size - 1] == '0') {
            size--;
        }
    }
    memcpy(text + size, "Z", 2);
}

int64_t canary__verdict_time_of(const char *text) {
    struct tm tm = { 0 };
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t part = 0;
    int64_t seconds;
    int64_t ns;

    if (at == NULL) {
        return 0;
    }
    if (*at == '.') {
        int64_t place = CANARY__SECOND_NS / 10;

        for (at++; *at >= '0' && *at <= '9'; at++) {
            part += place * (*at - '0');
            place /= 10;
        }
    }
    seconds = (int64_t)timegm(&tm);
    if (strcmp(at, "Z") != 0 || __builtin_mul_overflow(seconds, CANARY__SECOND_NS, &ns) ||
        __builtin_add_overflow(ns, part, &ns)) {
        return 0;
    }
    return ns;
}

/* Numbers that are not used are called "unknown", and so is one state. No table has more than 64. */
static int32_t number_of(const char *word, const char *(*name)(int number)) {
    for (int number = 1; word != NULL && number <= 64; number++) {
        if (strcmp(name(number), word) == 0) {
            return number == 1 || strcmp(word, "unknown") != 0 ? number : 0;
        }
    }
    return 0;
}

/* JSON knows numbers of any size; integers do not. */
static int64_t whole_of(const json_t *value) {
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : 0;
}

static double seconds_of(const json_t *value) {
    double seconds = json_is_number(value) ? json_number_value(value) : 0;

    return fabs(seconds) < 9e9 ? seconds : 0;
}

static void read_field(const struct canary__verdict_field *field, const json_t *value, char *at) {
    int64_t whole = whole_of(value);
    int32_t small = whole >= INT32_MIN && whole <= INT32_MAX ? (int32_t)whole : 0;
    uint32_t count = whole >= 0 && whole <= UINT32_MAX ? (uint32_t)whole : 0;
    const char *text = json_string_value(value);

    switch (field->type) {
    case CANARY__FIELD_STRING:
        memset(at, 0, field->size);
        if (text != NULL) {
            strncpy(at, text, field->size - 1);
        }
        break;
    case CANARY__FIELD_INT:
        memcpy(at, &small, sizeof small);
        break;
    case CANARY__FIELD_INDEX:
        small = json_is_integer(value) ? small : -1;
        memcpy(at, &small, sizeof small);
        break;
    case CANARY__FIELD_COUNT:
        memcpy(at, &count, sizeof count);
        break;
    case CANARY__FIELD_LONG:
        memcpy(at, &(uint64_t){ whole > 0 ? (uint64_t)whole : 0 }, sizeof(uint64_t));
        break;
    case CANARY__FIELD_NUMBER:
        memcpy(at, &(double){ json_is_number(value) ? json_number_value(value) : NAN },
               sizeof(double));
        break;
    case CANARY__FIELD_TIME:
        memcpy(at, &(int64_t){ text != NULL ? canary__verdict_time_of(text) : 0 }, sizeof(int64_t));
        break;
    case CANARY__FIELD_SPAN:
        memcpy(at, &(int64_t){ llround(seconds_of(value) * 1e9) }, sizeof(int64_t));
        break;
    case CANARY__FIELD_BP:
        count = (uint32_t)lround(fmin(fmax(seconds_of(value), 0), 100) * 100);
        memcpy(at, &count, sizeof count);
        break;
    case CANARY__FIELD_TRUTH:
        memcpy(at, &(int32_t){ json_is_true(value) }, sizeof(int32_t));
        break;
    case CANARY__FIELD_COHORT:
        small = text != NULL && strcmp(text, "old") == 0 ? CANARY_OLD : CANARY_NEW;
        memcpy(at, &small, sizeof small);
        break;
    case CANARY__FIELD_NAME:
        memcpy(at, &(int32_t){ number_of(text, field->name) }, sizeof(int32_t));
        break;
    }
}

static void read_fields(const struct canary__verdict_field *fields, size_t count,
                        const json_t *object, void *out) {
    for (size_t i = 0; i < count; i++) {
        read_field(&fields[i], json_object_get(object, fields[i].key),
                   (char *)out + fields[i].offset);
    }
}

int canary__verdict_read(const json_t *object, canary_verdict *out, canary_rule_result *results,
                         uint32_t room) {
    const json_t *rules = json_object_get(object, "rules");
    size_t count = json_array_size(rules);

    if (!json_is_object(object) || !json_is_string(json_object_get(object, "action")) ||
        whole_of(json_object_get(object, "verdict")) < CANARY__VERDICT_FORMAT) {
        return -1;
    }
    memset(out, 0, sizeof *out);
    out->size = (uint32_t)sizeof *out;
    read_fields(canary__verdict_fields, canary__verdict_field_count, object, out);
    /* A text from which rules were left out counts those that are in it. */
    out->rule_count = count < room ? (uint32_t)count : room;
    out->rules = results;
    for (uint32_t i = 0; i < out->rule_count; i++) {
        memset(&results[i], 0, sizeof results[i]);
        results[i].size = (uint32_t)sizeof results[i];
        read_fields(canary__rule_fields, canary__rule_field_count, json_array_get(rules, i),
                    &results[i]);
    }
    if (out->rule < -1 || out->rule >= (int32_t)out->rule_count) {
        out->rule = -1;
    }
    return 0;
}
