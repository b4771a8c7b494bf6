/* SPDX-License-Identifier: MIT */
/* Verdicts as JSON: everything that stands in one is written, comes back as it was, and is named on the
 * page; numbers that are none are null; no memory, or a writer that refuses, is an error. */
#include <canary/judge.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>

#include <cmocka.h>

#include "judge/verdict_fields.h"

enum { RULES = 3 };

struct text {
    char data[1 << 18];
    size_t size;
};

static struct text written;
static const char *page;

static int keep(void *user_data, const char *data, uint64_t size) {
    struct text *text = user_data;

    assert_true(text->size + size < sizeof text->data);
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
    return 0;
}

static json_t *json_of(const canary_verdict *verdict) {
    canary_error error = CANARY_ERROR_INIT;
    json_t *root;

    written.size = 0;
    assert_int_equal(canary_verdict_json(verdict, keep, &written, &error), CANARY_OK);
    root = json_loadb(written.data, written.size, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(root));
    return root;
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(2685821657736338717);
}

/* -- verdicts of any content -- */

static double any_double(void) {
    double value;
    uint64_t bits = random_next();

    if (bits % 4 == 0) {
        return (double)(random_next() >> 40);
    }
    memcpy(&value, &bits, sizeof value);
    return bits % 4 == 1 || !isfinite(value) ? NAN : value;
}

static void fill(void *object, const struct canary__verdict_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *at = (char *)object + fields[i].offset;
        int32_t number = 0;
        uint32_t whole = (uint32_t)random_next();
        int64_t time = (int64_t)(random_next() >> 2);
        double real = any_double();
        int names = 0;

        switch (fields[i].type) {
        case CANARY__FIELD_STRING:
            memset(at, 0, fields[i].size);
            for (size_t j = 0; j < random_next() % fields[i].size; j++) {
                at[j] = (char)(' ' + random_next() % 95);
            }
            break;
        case CANARY__FIELD_INT:
            memcpy(at, &whole, sizeof whole);
            break;
        case CANARY__FIELD_INDEX:
            number = (int32_t)(random_next() % 4) - 1;
            memcpy(at, &number, sizeof number);
            break;
        case CANARY__FIELD_COUNT:
            memcpy(at, &whole, sizeof whole);
            break;
        case CANARY__FIELD_LONG:
            memcpy(at, &time, sizeof time);
            break;
        case CANARY__FIELD_NUMBER:
            memcpy(at, &real, sizeof real);
            break;
        case CANARY__FIELD_TIME:
            time = random_next() % 4 == 0   ? 0
                   : random_next() % 2 == 0 ? time
                                            : time - time % 1000000000;
            memcpy(at, &time, sizeof time);
            break;
        case CANARY__FIELD_SPAN:
            time = (int64_t)(random_next() % 400) * 10000000000;
            memcpy(at, &time, sizeof time);
            break;
        case CANARY__FIELD_BP:
            whole %= 10001;
            memcpy(at, &whole, sizeof whole);
            break;
        case CANARY__FIELD_TRUTH:
        case CANARY__FIELD_COHORT:
            number = (int32_t)(random_next() % 2);
            memcpy(at, &number, sizeof number);
            break;
        case CANARY__FIELD_NAME:
            while (names < 64 &&
                   (names == 0 || strcmp(fields[i].name(names + 1), "unknown") != 0)) {
                names++;
            }
            number = (int32_t)(random_next() % (uint64_t)names) + 1;
            memcpy(at, &number, sizeof number);
            break;
        }
    }
}

static void any_verdict(canary_verdict *verdict, canary_rule_result *rules) {
    memset(verdict, 0, sizeof *verdict);
    memset(rules, 0, RULES * sizeof *rules);
    fill(verdict, canary__verdict_fields, canary__verdict_field_count);
    verdict->size = (uint32_t)sizeof *verdict;
    verdict->rule_count = RULES;
    verdict->rules = rules;
    for (int i = 0; i < RULES; i++) {
        fill(&rules[i], canary__rule_fields, canary__rule_field_count);
        rules[i].size = (uint32_t)sizeof *rules;
    }
}

/* NaN is NaN, of whatever bits. */
static void same(const void *a, const void *b, const struct canary__verdict_field *fields,
                 size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *one = (const char *)a + fields[i].offset;
        const char *other = (const char *)b + fields[i].offset;
        double x = 0;
        double y = 0;

        if (fields[i].type == CANARY__FIELD_NUMBER) {
            memcpy(&x, one, sizeof x);
            memcpy(&y, other, sizeof y);
        }
        if (!(isnan(x) && isnan(y)) && memcmp(one, other, fields[i].size) != 0) {
            fail_msg("%s is not what it was: %.17g became %.17g; %s", fields[i].key, x, y,
                     written.data);
        }
    }
}

static void everything_comes_back(void **unused) {
    (void)unused;
    for (int round = 0; round < 2000; round++) {
        canary_verdict verdict;
        canary_verdict read;
        canary_rule_result rules[RULES];
        canary_rule_result read_rules[RULES];
        json_t *root;

        any_verdict(&verdict, rules);
        root = json_of(&verdict);
        assert_int_equal(canary__verdict_read(root, &read, read_rules, RULES), 0);
        same(&verdict, &read, canary__verdict_fields, canary__verdict_field_count);
        for (int i = 0; i < RULES; i++) {
            same(&rules[i], &read_rules[i], canary__rule_fields, canary__rule_field_count);
        }
        json_decref(root);
    }
}

/* Every byte of a struct is in the table, but its size and its pointer, and what fills the last word. */
static void covered(const struct canary__verdict_field *fields, size_t count, size_t size,
                    size_t pointer) {
    char taken[sizeof(canary_verdict) + sizeof(canary_rule_result)] = { 0 };
    size_t end = 0;

    memset(taken, 1, sizeof(uint32_t));
    if (pointer != 0) {
        memset(taken + pointer, 1, sizeof(void *));
        end = pointer + sizeof(void *);
    }
    for (size_t i = 0; i < count; i++) {
        size_t last = fields[i].offset + fields[i].size;

        assert_int_equal(taken[fields[i].offset], 0);
        memset(taken + fields[i].offset, 1, fields[i].size);
        end = last > end ? last : end;
    }
    assert_in_range(size - end, 0, 7);
    for (size_t i = 0; i < end; i++) {
        if (taken[i] == 0) {
            fail_msg("byte %zu of %zu is in no field", i, size);
        }
    }
}

static void no_field_is_left_out(void **unused) {
    (void)unused;
    covered(canary__verdict_fields, canary__verdict_field_count, sizeof(canary_verdict),
            offsetof(canary_verdict, rules));
    covered(canary__rule_fields, canary__rule_field_count, sizeof(canary_rule_result), 0);
}

static void keys_are_those_of_the_page(void **unused) {
    canary_verdict verdict;
    canary_rule_result rules[RULES];
    json_t *root;
    json_t *value;
    const char *key;
    char row[80];

    (void)unused;
    any_verdict(&verdict, rules);
    root = json_of(&verdict);
    json_object_foreach(root, key, value) {
        snprintf(row, sizeof row, "`%s`", key);
        if (strstr(page, row) == NULL) {
            fail_msg("the page does not know %s", key);
        }
    }
    json_object_foreach(json_array_get(json_object_get(root, "rules"), 0), key, value) {
        snprintf(row, sizeof row, "`%s`", key);
        if (strstr(page, row) == NULL) {
            fail_msg("the page does not know %s of a rule", key);
        }
    }
    for (int cause = 1; cause <= CANARY_CAUSE_NO_POLICY; cause++) {
        snprintf(row, sizeof row, "| `%s` | ", canary_cause_name(cause));
        if (strstr(page, row) == NULL) {
            fail_msg("the page does not know %s", canary_cause_name(cause));
        }
    }
    json_decref(root);
}

/* -- single values -- */

static void values_have_their_units(void **unused) {
    canary_verdict verdict;
    canary_rule_result rules[RULES];
    json_t *root;
    json_t *rule;

    (void)unused;
    any_verdict(&verdict, rules);
    verdict.action = CANARY_VERDICT_ADVANCE;
    verdict.cause = CANARY_CAUSE_NO_TRAFFIC;
    verdict.rule = -1;
    verdict.percentage_bp = 750;
    verdict.to_percentage_bp = 2500;
    verdict.at_ns = INT64_C(1795287868500000000);
    verdict.ready_at_ns = 0;
    verdict.mode = 0;
    verdict.mismatch = INFINITY;
    verdict.users_new = 41200;
    rules[0].window_ns = INT64_C(90000000000);
    rules[0].value = -INFINITY;
    rules[0].threshold = 0.1;
    rules[0].above = 1;
    rules[0].to_stage = -1;
    root = json_of(&verdict);
    assert_string_equal(json_string_value(json_object_get(root, "word")), "PROCEED");
    assert_string_equal(json_string_value(json_object_get(root, "action")), "advance");
    assert_string_equal(json_string_value(json_object_get(root, "cause")), "no_traffic");
    assert_true(json_is_null(json_object_get(root, "rule")));
    assert_true(json_is_null(json_object_get(root, "mode")));
    assert_true(json_is_null(json_object_get(root, "mismatch")));
    assert_true(json_is_null(json_object_get(root, "ready_at")));
    assert_true(json_real_value(json_object_get(root, "percentage")) == 7.5);
    assert_int_equal(json_integer_value(json_object_get(root, "to_percentage")), 25);
    assert_int_equal(json_integer_value(json_object_get(root, "users_new")), 41200);
    assert_int_equal(json_integer_value(json_object_get(root, "verdict")), 1);
    assert_string_equal(json_string_value(json_object_get(root, "at")), "2026-11-21T19:04:28.5Z");
    rule = json_array_get(json_object_get(root, "rules"), 0);
    assert_int_equal(json_integer_value(json_object_get(rule, "window")), 90);
    assert_true(json_is_null(json_object_get(rule, "value")));
    assert_true(json_is_null(json_object_get(rule, "to_stage")));
    assert_true(json_is_true(json_object_get(rule, "above")));
    assert_true(json_real_value(json_object_get(rule, "threshold")) == 0.1);
    json_decref(root);
}

static void times_are_read_as_they_are_written(void **unused) {
    static const int64_t times[] = { 1, 999999999, 1000000000, -1, -1500000000, INT64_MAX };
    static const char *const none[] = { "",
                                        "soon",
                                        "2026-11-21",
                                        "2026-11-21T19:04:28",
                                        "2026-11-21T19:04:28+01:00",
                                        "2026-11-21T19:04:28.Zx",
                                        "9999-12-31T23:59:59Z" };
    char text[40];

    (void)unused;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        canary__verdict_time(times[i], text);
        assert_int_equal(canary__verdict_time_of(text), times[i]);
    }
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_int_equal(canary__verdict_time_of(none[i]), 0);
    }
    canary__verdict_time(INT64_MIN, text);
    assert_int_equal(canary__verdict_time_of(text), 0);
}

static void foreign_bytes_make_no_bad_json(void **unused) {
    canary_verdict verdict;
    canary_rule_result rules[RULES];
    json_t *root;

    (void)unused;
    any_verdict(&verdict, rules);
    memset(verdict.message, 'x', sizeof verdict.message);
    memcpy(verdict.message, "a\xff\xc3(\x01\"\\\n\xe2\x82", 10);
    verdict.rules = NULL;
    root = json_of(&verdict);
    assert_memory_equal(json_string_value(json_object_get(root, "message")),
                        "a\x3f\x3f(\x01\"\\\n\x3f\x3f", 10);
    assert_int_equal(json_string_length(json_object_get(root, "message")), sizeof verdict.message);
    assert_int_equal(json_array_size(json_object_get(root, "rules")), 0);
    json_decref(root);
}

static void what_is_no_verdict_is_not_read(void **unused) {
    static const char *const texts[] = { "null",
                                         "[]",
                                         "{}",
                                         "{\"verdict\": 1}",
                                         "{\"action\": \"hold\"}",
                                         "{\"verdict\": \"1\", \"action\": \"hold\"}",
                                         "{\"verdict\": 1, \"action\": 1}" };
    canary_verdict read;
    canary_rule_result rules[2];
    json_t *root;

    (void)unused;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        root = json_loads(texts[i], JSON_DECODE_ANY, NULL);
        assert_int_equal(canary__verdict_read(root, &read, rules, 2), -1);
        json_decref(root);
    }
    assert_int_equal(canary__verdict_read(NULL, &read, rules, 2), -1);
    /* Values of other types and sizes are as if they were not there. */
    root =
        json_loads("{\"verdict\": 2, \"action\": \"dance\", \"cause\": 7, \"rule\": 5, \"at\": {},"
                   "\"percentage\": 1e300, \"to_percentage\": -3, \"damaged\": -1, "
                   "\"revision\": 1.5, \"stage\": 99999999999, \"rules\": [1, {\"window\": 1e99, "
                   "\"value\": \"x\", \"state\": \"unknown\", \"action\": \"unknown\"}, {}, {}]}",
                   0, NULL);
    assert_int_equal(canary__verdict_read(root, &read, rules, 2), 0);
    assert_int_equal(read.action, 0);
    assert_int_equal(read.cause, 0);
    assert_int_equal(read.rule, -1);
    assert_int_equal(read.at_ns, 0);
    assert_int_equal(read.percentage_bp, 0);
    assert_int_equal(read.to_percentage_bp, 0);
    assert_int_equal(read.damaged, 0);
    assert_int_equal(read.revision, 0);
    assert_int_equal(read.stage, 0);
    assert_int_equal(read.rule_count, 2);
    assert_int_equal(rules[1].window_ns, 0);
    assert_true(isnan(rules[1].value));
    assert_int_equal(rules[1].state, CANARY_STATE_UNKNOWN);
    assert_int_equal(rules[1].action, 0);
    json_decref(root);
}

/* -- errors -- */

static int refuse(void *user_data, const char *data, uint64_t size) {
    (void)user_data;
    (void)data;
    (void)size;
    return 7;
}

typedef int (*writing_fn)(const canary_verdict *verdict, canary_write_fn write, void *user_data,
                          canary_error *error);
static const writing_fn writings[] = { canary_verdict_json, canary_verdict_recommend };

static void wrong_arguments_are_refused(void **unused) {
    canary_verdict verdict;
    canary_rule_result rules[RULES];
    canary_error error = CANARY_ERROR_INIT;

    (void)unused;
    for (int i = 0; i < 2; i++) {
        any_verdict(&verdict, rules);
        assert_int_equal(writings[i](NULL, keep, &written, &error), CANARY_E_INVALID);
        assert_string_equal(error.message, "verdict is NULL");
        assert_int_equal(writings[i](&verdict, NULL, &written, NULL), CANARY_E_INVALID);
        assert_int_equal(writings[i](&verdict, refuse, NULL, &error), CANARY_E_REFUSED);
        assert_string_equal(error.message, "write answered 7");
        verdict.size = 8;
        assert_int_equal(writings[i](&verdict, keep, &written, &error), CANARY_E_INVALID);
    }
}

static long allowed;
static long living;

static void *scarce(size_t size) {
    if (allowed-- <= 0) {
        return NULL;
    }
    living++;
    return malloc(size);
}

static void give_back(void *block) {
    living -= block != NULL;
    free(block);
}

/* However far it comes: all or nothing, and nothing is lost. */
static void without_memory_nothing_is_written(void **unused) {
    canary_verdict verdict;
    canary_rule_result rules[RULES];
    json_malloc_t usual_malloc;
    json_free_t usual_free;

    (void)unused;
    any_verdict(&verdict, rules);
    for (int i = 0; i < RULES; i++) {
        strcpy(rules[i].metric, "error");
        rules[i].state = CANARY_STATE_FIRING;
        rules[i].urgency = CANARY_URGENCY_HIGH;
    }
    json_get_alloc_funcs(&usual_malloc, &usual_free);
    json_set_alloc_funcs(scarce, give_back);
    for (int i = 0; i < 2; i++) {
        long room = 0;
        int code = CANARY_E_NOMEM;

        for (; code != CANARY_OK && room < 5000; room++) {
            written.size = 0;
            living = 0;
            allowed = room;
            code = writings[i](&verdict, keep, &written, NULL);
            if (code != CANARY_OK) {
                assert_int_equal(code, CANARY_E_NOMEM);
                assert_int_equal(written.size, 0);
            }
            assert_int_equal(living, 0);
        }
        assert_int_equal(code, CANARY_OK);
        assert_true(room > 20);
    }
    json_set_alloc_funcs(usual_malloc, usual_free);
}

/* -- recommendations -- */

static json_t *recommended(const canary_verdict *verdict) {
    json_t *root;

    written.size = 0;
    assert_int_equal(canary_verdict_recommend(verdict, keep, &written, NULL), CANARY_OK);
    root = json_loadb(written.data, written.size, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_object_size(root), 5);
    return root;
}

static void expect_advice(const json_t *root, size_t i, const char *type, const char *priority,
                          const char *message) {
    const json_t *one = json_array_get(json_object_get(root, "recommendations"), i);

    assert_int_equal(json_object_size(one), 3);
    assert_string_equal(json_string_value(json_object_get(one, "type")), type);
    assert_string_equal(json_string_value(json_object_get(one, "priority")), priority);
    assert_string_equal(json_string_value(json_object_get(one, "message")), message);
}

static void recommendations_begin_with_the_verdict(void **unused) {
    static const int states[RULES] = { CANARY_STATE_UNKNOWN, CANARY_STATE_PENDING,
                                       CANARY_STATE_FIRING };
    canary_verdict verdict;
    canary_rule_result rules[RULES];
    json_t *root;
    json_t *figure;

    (void)unused;
    any_verdict(&verdict, rules);
    verdict.action = CANARY_VERDICT_HOLD;
    verdict.cause = CANARY_CAUSE_DWELL;
    verdict.risk = CANARY_RISK_HIGH;
    verdict.rule = -1;
    verdict.stage = 2;
    verdict.percentage_bp = 2500;
    strcpy(verdict.message, "stay");
    for (int i = 0; i < RULES; i++) {
        snprintf(rules[i].name, sizeof rules[i].name, "r%d", i);
        snprintf(rules[i].message, sizeof rules[i].message, "m%d", i);
        strcpy(rules[i].metric, "error");
        strcpy(rules[i].unit, "");
        rules[i].action = CANARY_RULE_ROLLBACK;
        rules[i].state = states[i];
        rules[i].urgency = CANARY_URGENCY_CRITICAL;
        rules[i].statistic = CANARY_STATISTIC_RATE;
        rules[i].against = i == 2 ? CANARY_AGAINST_OLD : CANARY_AGAINST_LIMIT;
        rules[i].cohort = CANARY_NEW;
        rules[i].value = 0.02;
        rules[i].reference = i == 2 ? 0.01 : NAN;
        rules[i].n_new = 100;
        rules[i].k_new = 2;
        rules[i].n_old = 400;
        rules[i].k_old = 8;
    }
    rules[2].urgency = CANARY_URGENCY_HIGH;
    root = recommended(&verdict);
    assert_int_equal(json_integer_value(json_object_get(root, "current_stage")), 2);
    assert_int_equal(json_integer_value(json_object_get(root, "current_percentage")), 25);
    assert_string_equal(json_string_value(json_object_get(root, "risk_level")), "high");
    assert_int_equal(json_array_size(json_object_get(root, "recommendations")), 4);
    expect_advice(root, 0, "hold", "high", "stay");
    expect_advice(root, 1, "watch", "critical", "rule r1: m1");
    expect_advice(root, 2, "rollback", "high", "rule r2: m2");
    expect_advice(root, 3, "data", "medium", "rule r0: m0");
    /* One figure of three rules: a limit's rule has counted both cohorts, too. */
    figure =
        json_object_get(json_object_get(json_object_get(root, "metrics_summary"), "error"), "rate");
    assert_int_equal(json_object_size(figure), 8);
    assert_string_equal(json_string_value(json_object_get(figure, "rule")), "r0");
    assert_true(json_real_value(json_object_get(figure, "new")) == 0.02);
    assert_true(json_real_value(json_object_get(figure, "old")) == 0.02);
    assert_int_equal(json_integer_value(json_object_get(figure, "ratio")), 1);
    json_decref(root);

    rules[1].statistic = CANARY_STATISTIC_QUANTILE;
    rules[1].quantile = 0.999;
    rules[1].state = CANARY_STATE_CLEAR;
    rules[2].state = CANARY_STATE_MET;
    strcpy(rules[2].metric, "cost");
    verdict.rule = 0;
    root = recommended(&verdict);
    assert_int_equal(json_array_size(json_object_get(root, "recommendations")), 1);
    assert_non_null(json_object_get(
        json_object_get(json_object_get(root, "metrics_summary"), "error"), "p999"));
    assert_non_null(
        json_object_get(json_object_get(json_object_get(root, "metrics_summary"), "cost"), "rate"));
    json_decref(root);

    verdict.rules = NULL;
    for (int cause = 0; cause <= CANARY_CAUSE_NO_POLICY + 1; cause++) {
        verdict.cause = cause;
        json_decref(recommended(&verdict));
    }
}

static void names_are_words(void **unused) {
    static const struct {
        const char *(*name)(int number);
        int count;
        const char *last;
    } tables[] = {
        { canary_verdict_name, 3, "rollback" }, { canary_verdict_word, 3, "ROLLBACK" },
        { canary_cause_name, 20, "no_policy" }, { canary_risk_name, 4, "critical" },
        { canary_rule_action_name, 4, "warn" }, { canary_urgency_name, 4, "critical" },
        { canary_rule_state_name, 6, "unmet" }, { canary_statistic_name, 7, "burn" },
        { canary_against_name, 3, "baseline" }, { canary_proof_name, 2, "evidence" },
    };

    (void)unused;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        assert_string_equal(tables[i].name(tables[i].count), tables[i].last);
        assert_string_equal(tables[i].name(tables[i].count + 1), "unknown");
        assert_string_equal(tables[i].name(0), "unknown");
        assert_string_equal(tables[i].name(INT32_MIN), "unknown");
        for (int j = 1; j <= tables[i].count; j++) {
            for (int k = 1; k < j; k++) {
                assert_string_not_equal(tables[i].name(j), tables[i].name(k));
            }
        }
    }
}

static const char *read_page(const char *path) {
    static char text[1 << 16];
    FILE *file = fopen(path, "r");
    size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;

    if (size == 0) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    fclose(file);
    text[size] = '\0';
    return text;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(no_field_is_left_out),
        cmocka_unit_test(keys_are_those_of_the_page),
        cmocka_unit_test(values_have_their_units),
        cmocka_unit_test(times_are_read_as_they_are_written),
        cmocka_unit_test(foreign_bytes_make_no_bad_json),
        cmocka_unit_test(what_is_no_verdict_is_not_read),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(without_memory_nothing_is_written),
        cmocka_unit_test(recommendations_begin_with_the_verdict),
        cmocka_unit_test(names_are_words),
    };
    const char *seed = getenv("CANARY_TEST_SEED");

    page = read_page(argc > 1 ? argv[1] : "docs/verdict.md");
    random_state = (seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL)) * 2 + 1;
    printf("CANARY_TEST_SEED=%" PRIu64 "\n", random_state / 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
