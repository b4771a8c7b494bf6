/* SPDX-License-Identifier: MIT */
/* What tests of reports share. */
#include "reported.h"

#include <inttypes.h>

int reported_write(void *user_data, const char *text, uint64_t size) {
    struct told *told = user_data;

    assert_false(told->refused);
    told->calls++;
    if (told->refuse_after != 0 && told->size + size > told->refuse_after) {
        told->refused = 1;
        return 7;
    }
    told->text = realloc(told->text, told->size + (size_t)size + 1);
    assert_non_null(told->text);
    memcpy(told->text + told->size, text, (size_t)size);
    told->size += (size_t)size;
    told->text[told->size] = '\0';
    return 0;
}

char *reported_between(struct unit *unit, int format, int64_t from_ns, int64_t to_ns) {
    canary_report_options options = CANARY_REPORT_OPTIONS_INIT;
    struct told told = { 0 };

    options.format = format;
    options.from_ns = from_ns;
    options.to_ns = to_ns;
    OK(canary_report(unit->store, "checkout", &options, reported_write, &told, &error));
    assert_non_null(told.text);
    assert_int_equal(strlen(told.text), told.size);
    return told.text;
}

char *reported(struct unit *unit, int format) {
    return reported_between(unit, format, 0, 0);
}

json_t *reported_json_between(struct unit *unit, int64_t from_ns, int64_t to_ns) {
    char *text = reported_between(unit, CANARY_REPORT_JSON, from_ns, to_ns);
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(report);
    free(text);
    return report;
}

json_t *reported_json(struct unit *unit) {
    return reported_json_between(unit, 0, 0);
}

void reported_has(const char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %.3000s", part, text);
    }
}

void reported_has_not(const char *text, const char *part) {
    const char *at = strstr(text, part);

    if (at != NULL) {
        fail_msg("\"%s\" is in: %.300s", part, at);
    }
}

int64_t reported_left_out(const json_t *report, const char *what) {
    return json_integer_value(json_object_get(json_object_get(report, "left_out"), what));
}

const char *reported_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "(none)";
}

void reported_keep_bytes(struct unit *unit, const char *name, const void *data, size_t size) {
    canary_document document = CANARY_DOCUMENT_INIT;

    document.name = name;
    document.data = data;
    document.data_size = size;
    OK(canary_document_write(unit->store, "checkout", &document, 1, &error));
}

void reported_keep(struct unit *unit, const char *kind, const char *data) {
    char name[96];

    snprintf(name, sizeof name, "judge/%s/%020" PRId64, kind, unit->realtime);
    reported_keep_bytes(unit, name, data, strlen(data));
}

void reported_keep_verdict(struct unit *unit, const char *action, const char *cause,
                           const char *state, double ln_w, int generation) {
    char text[2048];

    snprintf(
        text, sizeof text,
        "{\"verdict\":1,\"word\":\"X\",\"rollout\":\"checkout\",\"action\":\"%s\","
        "\"cause\":\"%s\",\"risk\":\"medium\",\"rule\":null,\"message\":\"because of %s\","
        "\"stage\":1,\"percentage\":5,\"generation\":%d,\"rules\":[{\"name\":\"harm\","
        "\"action\":\"rollback\",\"urgency\":\"critical\",\"state\":\"%s\",\"message\":\"error "
        "ratio 2.5\",\"metric\":\"error\",\"statistic\":\"rate\",\"against\":\"old\","
        "\"proof\":\"evidence\",\"above\":true,\"threshold\":1.1,\"value\":0.025,"
        "\"reference\":0.01,\"ratio\":2.5,\"low\":1.5,\"high\":4,\"n_new\":12300,"
        "\"n_old\":456000,\"ln_w\":%g,\"p\":0.001,\"alpha\":0.05,\"classical_p\":0.0002},"
        "{\"name\":\"slow\",\"action\":\"hold\",\"state\":\"unknown\",\"metric\":\"duration\","
        "\"above\":true,"
        "\"statistic\":\"quantile\",\"quantile\":0.95,\"proof\":\"point\",\"unit\":\"seconds\","
        "\"threshold\":0.6,\"value\":null,\"window\":300,\"for\":120}]}",
        action, cause, cause, generation, state, ln_w);
    reported_keep(unit, "verdict", text);
}

void reported_record(struct unit *unit, const char *metric, int cohort, uint64_t n, uint64_t k) {
    canary_import_row row = {
        .size = sizeof row, .cohort = cohort, .metric = metric, .n = n, .k = k
    };

    OK(canary_import(unit->store, "checkout", NULL, &row, 1, NULL, NULL, &error));
}

void reported_begin(struct unit *unit) {
    canary_change_options by = unit_by("alice@example.com");

    unit_create(unit, "checkout");
    unit->realtime += MINUTE;
    OK(canary_advance(unit->store, "checkout", &by, NULL, &error));
}

void reported_policy(struct unit *unit, const char *objectives) {
    char text[2048];
    canary_policy *policy = NULL;

    snprintf(text, sizeof text,
             "{\"policy\":1,\"name\":\"plain\",\"rules\":[{\"name\":\"harm\",\"metric\":\"error\","
             "\"against\":\"old\",\"above\":1.1,\"action\":\"rollback\"}],\"objectives\":[%s]}",
             objectives);
    OK(canary_policy_parse(text, strlen(text), &policy, NULL, NULL, &error));
    OK(canary_policy_set(unit->store, "checkout", policy, NULL, NULL, &error));
    canary_policy_close(&policy);
}
