/* SPDX-License-Identifier: MIT */
/* What to do next, made of a verdict, and the words for its numbers. */
#include "verdicts.h"

#include <math.h>
#include <string.h>

static json_t *recommended(const canary_verdict *verdict) {
    json_t *root;

    verdicts_written.size = 0;
    assert_int_equal(canary_verdict_recommend(verdict, verdicts_keep, &verdicts_written, NULL),
                     CANARY_OK);
    root = json_loadb(verdicts_written.data, verdicts_written.size, JSON_REJECT_DUPLICATES, NULL);
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
    static const int states[VERDICTS_RULES] = { CANARY_STATE_UNKNOWN, CANARY_STATE_PENDING,
                                                CANARY_STATE_FIRING };
    canary_verdict verdict;
    canary_rule_result rules[VERDICTS_RULES];
    json_t *root;
    json_t *figure;

    (void)unused;
    verdicts_any(&verdict, rules);
    verdict.action = CANARY_VERDICT_HOLD;
    verdict.cause = CANARY_CAUSE_DWELL;
    verdict.risk = CANARY_RISK_HIGH;
    verdict.rule = -1;
    verdict.stage = 2;
    verdict.percentage_bp = 2500;
    strcpy(verdict.message, "stay");
    for (int i = 0; i < VERDICTS_RULES; i++) {
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recommendations_begin_with_the_verdict),
        cmocka_unit_test(names_are_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
