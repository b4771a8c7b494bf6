/* SPDX-License-Identifier: MIT */
/* What is read out of a policy: every default, every unit, and what the object tells about itself. */
#include "policies.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND INT64_C(1000000000)

static void defaults_of_a_policy(void **state) {
    canary_policy *policy = policies_read(RULES(SOUND));

    (void)state;
    assert_string_equal(policy->name, "test");
    assert_string_equal(policy->description, "");
    assert_int_equal(policy->mode, CANARY_MODE_APPROVE);
    assert_int_equal(policy->frozen, 0);
    assert_int_equal(policy->attempts, 3);
    assert_int_equal(policy->check_ratio, 1);
    assert_true(policy->alpha == 0.05);
    assert_true(policy->design_effect == 0);
    assert_int_equal(policy->grace_ns, 900 * SECOND);
    assert_int_equal(policy->cooldown_ns, 1800 * SECOND);
    assert_int_equal(policy->stage_count, 0);
    assert_int_equal(policy->objective_count, 0);
    assert_int_equal(policy->rule_count, 1);
    assert_int_equal(policy->metric_count, 1);
    assert_string_equal(policy->metrics[0], "error");
    canary_policy_close(&policy);
    assert_null(policy);
    canary_policy_close(&policy);
    canary_policy_close(NULL);
}

static void everything_a_policy_can_say(void **state) {
    canary_policy *policy = policies_read(
        TOP("\"$schema\":\"x\",\"description\":\"d \\u00e4\",\"mode\":\"auto\",\"freeze\":true,"
            "\"alpha\":0.01,\"design_effect\":2.5,\"grace\":\"1h\",\"cooldown\":\"0s\","
            "\"attempts\":0,\"sample_ratio\":false,\"stages\":[{\"percentage\":0.01},"
            "{\"percentage\":\"7.5%\",\"dwell\":\"1w\"},{\"percentage\":33.33,\"dwell\":\"0s\","
            "\"name\":\"A.b-C\"},{\"percentage\":100}],\"objectives\":["
            "{\"name\":\"up\",\"statistic\":\"uptime\",\"above\":\"99.9%\"},"
            "{\"name\":\"slow\",\"metric\":\"duration\",\"statistic\":\"p95\",\"below\":\"5s\"},"
            "{\"name\":\"errors\",\"metric\":\"error\",\"below\":\"1%\",\"description\":\"x\"}]"));

    (void)state;
    assert_string_equal(policy->description, "d \xc3\xa4");
    assert_int_equal(policy->mode, CANARY_MODE_AUTO);
    assert_int_equal(policy->frozen, 1);
    assert_true(policy->alpha == 0.01 && policy->design_effect == 2.5);
    assert_int_equal(policy->grace_ns, 3600 * SECOND);
    assert_int_equal(policy->cooldown_ns, 0);
    assert_int_equal(policy->attempts, 0);
    assert_int_equal(policy->check_ratio, 0);
    assert_int_equal(policy->stage_count, 4);
    assert_int_equal(policy->stages[0].percentage_bp, 1);
    assert_int_equal(policy->stages[0].dwell_ns, -1);
    assert_int_equal(policy->stages[1].percentage_bp, 750);
    assert_int_equal(policy->stages[1].dwell_ns, 604800 * SECOND);
    assert_int_equal(policy->stages[2].percentage_bp, 3333);
    assert_int_equal(policy->stages[2].dwell_ns, 0);
    assert_string_equal(policy->stages[2].name, "A.b-C");
    assert_int_equal(policy->stages[3].percentage_bp, 10000);
    assert_int_equal(policy->objective_count, 3);
    assert_int_equal(policy->objectives[0].statistic, CANARY__STATISTIC_UPTIME);
    assert_true(policy->objectives[0].target == 0.999 && policy->objectives[0].above == 1);
    assert_int_equal(policy->objectives[1].statistic, CANARY_STATISTIC_QUANTILE);
    assert_true(policy->objectives[1].target == 5 && policy->objectives[1].quantile == 0.95);
    assert_int_equal(policy->objectives[1].above, 0);
    assert_true(policy->objectives[2].target == 0.01);
    assert_string_equal(policy->objectives[2].metric, "error");
    canary_policy_close(&policy);
}

#define METRIC(name, statistic) "\"metric\":\"" name "\",\"statistic\":\"" statistic "\","

static void rules_are_resolved(void **state) {
    const int limit = CANARY_AGAINST_LIMIT;
    const int old = CANARY_AGAINST_OLD;
    const int baseline = CANARY_AGAINST_BASELINE;
    const int point = CANARY_PROOF_POINT;
    const int evidence = CANARY_PROOF_EVIDENCE;
    const struct {
        const char *keys;
        int32_t action, urgency, statistic, against, proof, above, to_stage;
        double threshold, least;
    } cases[] = {
        { "\"metric\":\"error\",\"above\":\"5%\",\"window\":\"1m\",\"action\":\"rollback\"", 1, 4,
          1, limit, point, 1, 0, 0.05, 100 },
        { "\"metric\":\"timeout\",\"below\":0.1,\"window\":\"1m\",\"action\":\"require\"", 3, 2, 1,
          limit, point, 0, 0, 0.1, 50 },
        /* The rarer of the two sorts is what has to be seen. */
        { METRIC("right", "rate") "\"below\":\"92%\",\"window\":\"1m\",\"action\":\"hold\"", 2, 2,
          1, limit, point, 0, 0, 0.92, 63 },
        { METRIC("right", "rate") "\"below\":0.9,\"window\":\"1m\",\"action\":\"warn\"", 4, 1, 1,
          limit, point, 0, 0, 0.9, 50 },
        { "\"metric\":\"error\",\"above\":0,\"window\":\"1m\",\"action\":\"rollback\",\"to\":"
          "\"previous\"",
          1, 3, 1, limit, point, 1, -1, 0, 1 },
        { METRIC("duration", "p95") "\"above\":\"600ms\",\"window\":\"1m\",\"action\":\"rollback\","
                                    "\"to\":1,\"stages\":[3,2],\"urgency\":\"low\"",
          1, 1, 3, limit, point, 1, 1, 0.6, 200 },
        { METRIC("duration", "p99") "\"above\":\"1.5s\",\"window\":\"1m\",\"action\":\"hold\"", 2,
          2, 3, limit, point, 1, 0, 1.5, 396 },
        { METRIC("duration", "p999") "\"above\":\"2m\",\"window\":\"1m\",\"action\":\"hold\"", 2, 2,
          3, limit, point, 1, 0, 120, 3996 },
        { METRIC("x", "p50") "\"above\":\"25us\",\"window\":\"1m\",\"action\":\"hold\"", 2, 2, 3,
          limit, point, 1, 0, 25e-6, 200 },
        { METRIC("duration", "p90") "\"above\":\"1s\",\"proof\":\"evidence\",\"action\":\"hold\"",
          2, 2, 3, limit, evidence, 1, 0, 1, 1 },
        { METRIC("duration", "p95") "\"above\":1.2,\"against\":\"old\",\"action\":\"rollback\"", 1,
          4, 3, old, evidence, 1, 0, 1.2, 1 },
        { METRIC("duration", "mean") "\"below\":\"25ms\",\"window\":\"1m\",\"action\":\"require\"",
          3, 2, 2, limit, point, 0, 0, 0.025, 100 },
        { METRIC("cost", "mean") "\"above\":-12.5,\"window\":\"1m\",\"action\":\"hold\"", 2, 2, 2,
          limit, point, 1, 0, -12.5, 100 },
        { METRIC("cost", "mean") "\"above\":\"150%\",\"window\":\"1m\",\"against\":\"baseline\","
                                 "\"action\":\"hold\"",
          2, 2, 2, baseline, point, 1, 0, 1.5, 100 },
        { METRIC("cost", "mean") "\"below\":1,\"against\":\"old\",\"action\":\"require\"", 3, 2, 2,
          old, evidence, 0, 0, 1, 100 },
        { METRIC("q", "f1") "\"below\":0.95,\"against\":\"old\",\"action\":\"rollback\"", 1, 4, 4,
          old, evidence, 0, 0, 0.95, 1 },
        { METRIC("q", "f1") "\"above\":1.05,\"against\":\"old\",\"action\":\"require\"", 3, 2, 4,
          old, evidence, 1, 0, 1.05, 100 },
        { METRIC("q", "precision") "\"below\":0.99,\"window\":\"1m\",\"action\":\"hold\"", 2, 2, 5,
          limit, point, 0, 0, 0.99, 500 },
        { METRIC("q", "recall") "\"below\":0.5,\"window\":\"1m\",\"action\":\"hold\"", 2, 2, 6,
          limit, point, 0, 0, 0.5, 200 },
        { "\"metric\":\"error\",\"above\":2,\"against\":\"old\",\"proof\":\"point\",\"window\":"
          "\"1h\",\"action\":\"hold\"",
          2, 2, 1, old, point, 1, 0, 2, 200 },
        { METRIC("error", "burn") "\"objective\":\"99.9%\",\"above\":14.4,\"window\":\"1h\","
                                  "\"short_window\":\"5m\",\"action\":\"rollback\"",
          1, 4, 7, limit, point, 1, 0, 14.4, 5 },
        { METRIC("error", "burn") "\"objective\":0.99,\"below\":1,\"window\":\"1h\","
                                  "\"short_window\":\"5m\",\"action\":\"require\"",
          3, 2, 7, limit, point, 0, 0, 1, 500 },
        { "\"metric\":\"error\",\"above\":0.01,\"window\":\"1m\",\"action\":\"warn\","
          "\"min_samples\":7,\"cohort\":\"old\"",
          4, 1, 1, limit, point, 1, 0, 0.01, 7 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[1024];
        canary_policy *policy;
        const struct canary__rule *rule;

        snprintf(text, sizeof text, "{\"policy\":1,\"name\":\"x\",\"rules\":[{\"name\":\"r\",%s}]}",
                 cases[i].keys);
        policy = policies_read(text);
        rule = &policy->rules[0];
        assert_int_equal(rule->action, cases[i].action);
        assert_int_equal(rule->urgency, cases[i].urgency);
        assert_int_equal(rule->statistic, cases[i].statistic);
        assert_int_equal(rule->against, cases[i].against);
        assert_int_equal(rule->proof, cases[i].proof);
        assert_int_equal(rule->above, cases[i].above);
        assert_int_equal(rule->to_stage, cases[i].to_stage);
        if (rule->threshold != cases[i].threshold || rule->least != cases[i].least) {
            fail_msg("%s: threshold %.17g, least %.17g", text, rule->threshold, rule->least);
        }
        assert_int_equal(rule->cohort, strstr(text, "\"cohort\":\"old\"") == NULL);
        assert_true((rule->window_ns > 0) == (rule->proof == point));
        assert_true((rule->short_window_ns > 0) == (rule->statistic == 7));
        assert_true((rule->alpha > 0) == (rule->proof == evidence));
        assert_int_equal(rule->stages, strstr(text, "[3,2]") != NULL ? 12u : UINT32_MAX - 1);
        canary_policy_close(&policy);
    }
}

#define PROVEN(name, action, more)                                                                 \
    "{\"name\":\"" name "\",\"metric\":\"error\",\"against\":\"old\",\"" more "\":1.5,\"action\":" \
    "\"" action "\""

static void alpha_is_shared_by_rollbacks(void **state) {
    canary_policy *policy =
        policies_read(RULES(PROVEN("a", "rollback", "above") "}," PROVEN("b", "rollback", "above") ",\"alpha\":0.03}," PROVEN(
            "c", "rollback",
            "above") "}," PROVEN("d", "hold",
                                 "above") "}," PROVEN("e", "require",
                                                      "below") "}," PROVEN("f", "require",
                                                                           "below") ",\"alpha\":0."
                                                                                    "1}"));
    static const double expected[] = { 0.01, 0.03, 0.01, 0.05, 0.05, 0.1 };
    canary_policy *whole =
        policies_read(RULES(PROVEN("a", "rollback", "above") ",\"alpha\":0.02}," PROVEN(
            "b", "rollback", "above") ",\"alpha\":0.03}"));

    (void)state;
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_true(fabs(policy->rules[i].alpha - expected[i]) < 1e-15);
    }
    assert_true(whole->rules[0].alpha == 0.02 && whole->rules[1].alpha == 0.03);
    canary_policy_close(&policy);
    canary_policy_close(&whole);
}

static void metrics_are_those_that_rules_name(void **state) {
    static const char text[] =
        RULES("{\"name\":\"a\",\"metric\":\"q\",\"statistic\":\"f1\",\"below\":0.9,"
              "\"against\":\"old\",\"action\":\"hold\"},"
              "{\"name\":\"b\",\"metric\":\"cost\",\"statistic\":\"mean\",\"above\":2,"
              "\"against\":\"old\",\"action\":\"hold\"},"
              "{\"name\":\"c\",\"metric\":\"q\",\"statistic\":\"f1\",\"below\":0.5,"
              "\"against\":\"old\",\"action\":\"hold\"}");
    canary_policy *policy = policies_read(text);
    canary_policy_info info = CANARY_POLICY_INFO_INIT;

    (void)state;
    assert_int_equal(canary_policy_describe(policy, &info), CANARY_OK);
    assert_int_equal(info.metric_count, 2);
    assert_int_equal(policy->rules[0].metric_index, policy->rules[2].metric_index);
    assert_int_equal(policy->rules[1].metric_index, 1);
    assert_string_equal(policy->metrics[0], "q");
    assert_string_equal(policy->metrics[1], "cost");
    canary_policy_close(&policy);
}

static int gather(void *user_data, const char *text, uint64_t size) {
    struct policies_told *told = user_data;

    assert_true(told->size + size < sizeof told->text);
    memcpy(told->text + told->size, text, size);
    told->size += size;
    told->text[told->size] = '\0';
    return ++told->count == told->stop_after;
}

static void a_policy_tells_about_itself(void **state) {
    static const char text[] = "{ \"policy\": 1, \"name\": \"x\", \"description\": \"what for\", "
                               "\"rules\": [ " SOUND " ] }\n";
    static struct policies_told told;
    canary_policy *policy = policies_read(text);
    canary_policy_info info;
    canary_policy_info small;
    canary_error error = CANARY_ERROR_INIT;
    uint64_t size;

    (void)state;
    canary_policy_info_init(&info, (uint32_t)sizeof info);
    assert_int_equal(canary_policy_describe(policy, &info), CANARY_OK);
    assert_string_equal(info.name, "x");
    assert_string_equal(info.description, "what for");
    assert_int_equal(info.mode, CANARY_MODE_APPROVE);
    assert_int_equal(info.rule_count, 1);
    assert_int_equal(info.metric_count, 1);
    assert_true(info.alpha == 0.05);
    assert_int_equal(strlen(info.digest), 64);
    assert_int_equal(strspn(info.digest, "0123456789abcdef"), 64);
    assert_string_equal(canary_policy_text(policy, &size), text);
    assert_int_equal(size, strlen(text));
    small.size = 0;
    assert_int_equal(canary_policy_describe(policy, &small), CANARY_E_INVALID);
    assert_int_equal(canary_policy_describe(NULL, &info), CANARY_E_INVALID);
    assert_int_equal(canary_policy_describe(policy, NULL), CANARY_E_INVALID);
    assert_null(canary_policy_text(NULL, &size));
    assert_int_equal(size, 0);

    told = (struct policies_told){ .size = 0 };
    assert_int_equal(canary_policy_explain(policy, gather, &told, &error), CANARY_OK);
    assert_non_null(strstr(told.text, "policy x, sha256 "));
    assert_non_null(strstr(told.text, info.digest));
    assert_non_null(strstr(told.text, "\nwhat for\n"));
    assert_non_null(strstr(told.text, "\nsound (critical): rolls back to stage 0 when the rate of "
                                      "error is above 1 % over 1m; from 500 outcomes on\n"));
    told = (struct policies_told){ .stop_after = 2 };
    assert_int_equal(canary_policy_explain(policy, gather, &told, &error), CANARY_E_REFUSED);
    assert_int_equal(told.count, 2);
    assert_int_equal(canary_policy_explain(NULL, gather, &told, &error), CANARY_E_INVALID);
    assert_int_equal(canary_policy_explain(policy, NULL, &told, &error), CANARY_E_INVALID);
    canary_policy_close(&policy);
    assert_string_equal(canary_mode_name(CANARY_MODE_OBSERVE), "observe");
    assert_string_equal(canary_mode_name(CANARY_MODE_APPROVE), "approve");
    assert_string_equal(canary_mode_name(CANARY_MODE_AUTO), "auto");
    assert_string_equal(canary_mode_name(0), "unknown");
}

/* What jansson read is counted against the text. */
static void escapes_are_read(void **state) {
    canary_policy *policy = policies_read(TOP(
        "\"$schema\":\"\\n\",\"description\":\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00 \\\\ \\\" \\/ "
        "\xc3\xa4\""));

    (void)state;
    assert_string_equal(policy->description,
                        "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \\ \" / \xc3\xa4");
    canary_policy_close(&policy);
    policy =
        policies_read("{\"policy\":1,\"name\":\"x\",\"rules\":[" SOUND "],\"$schema\":\"\\\"\"}");
    canary_policy_close(&policy);
}

static void the_digest_is_that_of_the_text(void **state) {
    canary_policy *policy = policies_read(RULES(SOUND));
    canary_policy *spaced = policies_read(RULES(SOUND) "\n");

    (void)state;
    /* printf '%s' '{"policy":1,...' | sha256sum */
    assert_string_equal(policy->digest,
                        "21d1881551bcc1d36469eee8ce7097d563627fd3443612bf84b1787053d10bea");
    assert_string_not_equal(policy->digest, spaced->digest);
    canary_policy_close(&policy);
    canary_policy_close(&spaced);
}

static struct canary__question question_of(const char *keys) {
    struct canary__question question;
    char text[1024];
    canary_policy *policy;

    snprintf(text, sizeof text, "{\"policy\":1,\"name\":\"x\",\"rules\":[{\"name\":\"r\",%s}]}",
             keys);
    policy = policies_read(text);
    canary__policy_question(&policy->rules[0], &question);
    canary_policy_close(&policy);
    return question;
}

static void questions_are_of_what_is_asked(void **state) {
    static const char *const asked[] = {
        "\"metric\":\"error\",\"against\":\"old\",\"above\":1.5,\"action\":\"rollback\"",
        "\"metric\":\"timeout\",\"against\":\"old\",\"above\":1.5,\"action\":\"rollback\"",
        "\"metric\":\"error\",\"against\":\"old\",\"above\":1.6,\"action\":\"rollback\"",
        "\"metric\":\"error\",\"against\":\"old\",\"below\":1.5,\"action\":\"rollback\"",
        "\"metric\":\"error\",\"above\":0.5,\"action\":\"rollback\",\"proof\":\"evidence\"",
        "\"metric\":\"error\",\"above\":0.5,\"action\":\"rollback\",\"proof\":\"evidence\","
        "\"cohort\":\"old\"",
        "\"metric\":\"error\",\"above\":0.5,\"action\":\"rollback\",\"window\":\"1m\"",
        "\"metric\":\"error\",\"above\":0.5,\"action\":\"rollback\",\"window\":\"2m\"",
        METRIC("duration", "p95") "\"above\":1.5,\"against\":\"old\",\"action\":\"rollback\"",
        METRIC("duration", "p99") "\"above\":1.5,\"against\":\"old\",\"action\":\"rollback\"",
        METRIC("duration", "mean") "\"above\":1.5,\"against\":\"old\",\"action\":\"rollback\"",
        METRIC("error", "burn") "\"above\":2,\"objective\":0.99,\"window\":\"1h\","
                                "\"short_window\":\"5m\",\"action\":\"rollback\"",
        METRIC("error", "burn") "\"above\":2,\"objective\":0.999,\"window\":\"1h\","
                                "\"short_window\":\"5m\",\"action\":\"rollback\"",
        METRIC("error", "burn") "\"above\":2,\"objective\":0.99,\"window\":\"1h\","
                                "\"short_window\":\"6m\",\"action\":\"rollback\"",
    };
    struct canary__question questions[COUNT(asked)];
    struct canary__question same =
        question_of("\"metric\":\"error\",\"against\":\"old\",\"above\":\"150%\",\"action\":"
                    "\"hold\",\"urgency\":\"low\",\"alpha\":0.001,\"min_samples\":9,\"stages\":[2],"
                    "\"description\":\"another\",\"proof\":\"evidence\",\"cohort\":\"new\"");

    (void)state;
    for (size_t i = 0; i < COUNT(asked); i++) {
        questions[i] = question_of(asked[i]);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(&questions[i], &questions[j], sizeof questions[i]);
        }
    }
    assert_memory_equal(&same, &questions[0], sizeof same);
}

static void windows_and_dwell_times(void **state) {
    canary_policy *policy =
        policies_read(TOP("\"stages\":[{\"percentage\":5,\"dwell\":\"2h\"},{\"percentage\":50},{"
                          "\"percentage\":60,\"dwell\":\"0s\"}]"));
    canary_policy *windows = policies_read(
        RULES(SOUND ",{\"name\":\"b\",\"metric\":\"error\",\"statistic\":\"burn\",\"objective\":"
                    "0.99,\"above\":2,\"window\":\"3d\",\"short_window\":\"6h\",\"action\":"
                    "\"hold\"},{\"name\":\"c\",\"metric\":\"error\",\"against\":\"old\","
                    "\"above\":2,\"action\":\"hold\"}"));
    canary_rollout rollout = { .stage_count = 4, .dwell_ns = { 0, 10, 20, 30 } };

    (void)state;
    assert_int_equal(canary__policy_dwell(policy, &rollout, 1), 7200 * SECOND);
    assert_int_equal(canary__policy_dwell(policy, &rollout, 2), 20);
    assert_int_equal(canary__policy_dwell(policy, &rollout, 0), 0);
    assert_int_equal(canary__policy_dwell(policy, &rollout, 3), 0);
    assert_int_equal(canary__policy_dwell(NULL, &rollout, 3), 30);
    assert_int_equal(canary__policy_dwell(policy, &rollout, 4), 0);
    assert_int_equal(canary__policy_dwell(policy, &rollout, -1), 0);
    assert_int_equal(canary__policy_dwell(NULL, &rollout, 1), 10);
    assert_int_equal(canary__policy_longest_window(windows), 3 * 86400 * SECOND);
    assert_int_equal(canary__policy_longest_window(policy), 60 * SECOND);
    canary_policy_close(&policy);
    canary_policy_close(&windows);
}

/* A program in a locale with a decimal comma reads and writes the same. */
static void no_locale_changes_numbers(void **state) {
    static const char *const names[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ru_RU.UTF-8" };
    static struct policies_told told;
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy;
    size_t i = 0;

    (void)state;
    while (i < COUNT(names) && setlocale(LC_ALL, names[i]) == NULL) {
        i++;
    }
    if (i == COUNT(names)) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    policy = policies_read(
        RULES("{\"name\":\"r\",\"metric\":\"duration\",\"statistic\":\"p95\",\"above\":\"1.5s\","
              "\"window\":\"1m\",\"action\":\"hold\"},{\"name\":\"s\",\"metric\":\"error\","
              "\"above\":\"0.5%\",\"window\":\"1m\",\"action\":\"hold\"},{\"name\":\"t\","
              "\"metric\":\"error\",\"against\":\"old\",\"above\":1.25,\"action\":\"hold\"}"));
    assert_true(policy->rules[0].threshold == 1.5 && policy->rules[1].threshold == 0.005 &&
                policy->rules[2].threshold == 1.25);
    told = (struct policies_told){ .size = 0 };
    assert_int_equal(canary_policy_explain(policy, gather, &told, &error), CANARY_OK);
    assert_non_null(strstr(told.text, "1.5 s"));
    assert_non_null(strstr(told.text, "0.5 %"));
    assert_non_null(strstr(told.text, "1.25 times"));
    canary_policy_close(&policy);
    setlocale(LC_ALL, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_of_a_policy),
        cmocka_unit_test(everything_a_policy_can_say),
        cmocka_unit_test(rules_are_resolved),
        cmocka_unit_test(alpha_is_shared_by_rollbacks),
        cmocka_unit_test(metrics_are_those_that_rules_name),
        cmocka_unit_test(a_policy_tells_about_itself),
        cmocka_unit_test(escapes_are_read),
        cmocka_unit_test(the_digest_is_that_of_the_text),
        cmocka_unit_test(questions_are_of_what_is_asked),
        cmocka_unit_test(windows_and_dwell_times),
        cmocka_unit_test(no_locale_changes_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
