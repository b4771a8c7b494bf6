/* SPDX-License-Identifier: MIT */
/* Verdicts as JSON: everything that stands in one is verdicts_written, comes back as it was, and is named on the
 * page; numbers that are none are null; no memory, or a writer that refuses, is an error. */
#include "verdicts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "judge/verdict_fields.h"

static const char *page;

static json_t *json_of(const canary_verdict *verdict) {
    canary_error error = CANARY_ERROR_INIT;
    json_t *root;

    verdicts_written.size = 0;
    assert_int_equal(canary_verdict_json(verdict, verdicts_keep, &verdicts_written, &error),
                     CANARY_OK);
    root = json_loadb(verdicts_written.data, verdicts_written.size, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_object(root));
    return root;
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
                     verdicts_written.data);
        }
    }
}

static void everything_comes_back(void **unused) {
    (void)unused;
    for (int round = 0; round < 2000; round++) {
        canary_verdict verdict;
        canary_verdict read;
        canary_rule_result rules[VERDICTS_RULES];
        canary_rule_result read_rules[VERDICTS_RULES];
        json_t *root;

        verdicts_any(&verdict, rules);
        root = json_of(&verdict);
        assert_int_equal(canary__verdict_read(root, &read, read_rules, VERDICTS_RULES), 0);
        same(&verdict, &read, canary__verdict_fields, canary__verdict_field_count);
        for (int i = 0; i < VERDICTS_RULES; i++) {
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
    canary_rule_result rules[VERDICTS_RULES];
    json_t *root;
    json_t *value;
    const char *key;
    char row[80];

    (void)unused;
    verdicts_any(&verdict, rules);
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
    canary_rule_result rules[VERDICTS_RULES];
    json_t *root;
    json_t *rule;

    (void)unused;
    verdicts_any(&verdict, rules);
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
    canary_rule_result rules[VERDICTS_RULES];
    json_t *root;

    (void)unused;
    verdicts_any(&verdict, rules);
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
    canary_rule_result rules[VERDICTS_RULES];
    canary_error error = CANARY_ERROR_INIT;

    (void)unused;
    for (int i = 0; i < 2; i++) {
        verdicts_any(&verdict, rules);
        assert_int_equal(writings[i](NULL, verdicts_keep, &verdicts_written, &error),
                         CANARY_E_INVALID);
        assert_string_equal(error.message, "verdict is NULL");
        assert_int_equal(writings[i](&verdict, NULL, &verdicts_written, NULL), CANARY_E_INVALID);
        assert_int_equal(writings[i](&verdict, refuse, NULL, &error), CANARY_E_REFUSED);
        assert_string_equal(error.message, "write answered 7");
        verdict.size = 8;
        assert_int_equal(writings[i](&verdict, verdicts_keep, &verdicts_written, &error),
                         CANARY_E_INVALID);
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
    canary_rule_result rules[VERDICTS_RULES];
    json_malloc_t usual_malloc;
    json_free_t usual_free;

    (void)unused;
    verdicts_any(&verdict, rules);
    for (int i = 0; i < VERDICTS_RULES; i++) {
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
            verdicts_written.size = 0;
            living = 0;
            allowed = room;
            code = writings[i](&verdict, verdicts_keep, &verdicts_written, NULL);
            if (code != CANARY_OK) {
                assert_int_equal(code, CANARY_E_NOMEM);
                assert_int_equal(verdicts_written.size, 0);
            }
            assert_int_equal(living, 0);
        }
        assert_int_equal(code, CANARY_OK);
        assert_true(room > 20);
    }
    json_set_alloc_funcs(usual_malloc, usual_free);
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
    };
    const char *seed = getenv("CANARY_TEST_SEED");

    page = read_page(argc > 1 ? argv[1] : "docs/verdict.md");
    verdicts_seed = (seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL)) * 2 + 1;
    printf("CANARY_TEST_SEED=%" PRIu64 "\n", verdicts_seed / 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
