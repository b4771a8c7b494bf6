/* SPDX-License-Identifier: MIT */
/* What is no policy: refused with its place, the value, and what is allowed. */
#include "policies.h"

#include <stdio.h>
#include <stdlib.h>

struct refused {
    const char *text;
    const char *place;
    const char *words; /* part of the message */
};

#define EVIDENCE "\"metric\":\"error\",\"against\":\"old\",\"action\":\"rollback\""
#define POINT "\"metric\":\"error\",\"window\":\"1m\",\"action\":\"rollback\""
#define P95 "\"metric\":\"duration\",\"statistic\":\"p95\",\"action\":\"rollback\""
#define BURN                                                                                       \
    "\"metric\":\"error\",\"statistic\":\"burn\",\"window\":\"1h\",\"short_window\":\"5m\","       \
    "\"action\":\"rollback\""
#define MEAN "\"metric\":\"cost\",\"statistic\":\"mean\",\"action\":\"hold\""

static const struct refused no_json[] = {
    { "", "line 1, column 1", "end of file" },
    { " ", "line 1, column", "end of file" },
    { "5", "line 1, column 1", "'[' or '{' expected" },
    { "null", "line 1, column", "expected" },
    { "{\n  \"policy\": 1,\n  \"policy\": 1\n}", "line 3, column 10", "duplicate object key" },
    { "{\"policy\":1,}", "line 1, column 13", "string or '}' expected" },
    { "{\"policy\":01}", "line 1, column", "invalid token" },
    { "{'policy':1}", "line 1, column 2", "string or '}' expected" },
    { "{\"policy\":1} x", "line 1, column 14", "end of file expected" },
    { "{\"alpha\":NaN}", "line 1, column", "invalid token near 'NaN'" },
    { "{\"alpha\":Infinity}", "line 1, column", "invalid token" },
    { "{\"alpha\":1e999}", "line 1, column", "real number overflow" },
    { "{\"attempts\":99999999999999999999}", "line 1, column", "too big" },
    { "{\"name\":\"a\\u0000b\"}", "line 1, column", "\\u0000 is not allowed" },
    { "{\"name\":\"\xff\"}", "line 1, column", "decode byte 0xff" },
    { "{\"name\":\"\xc0\xaf\"}", "line 1, column", "decode byte 0xc0" },
    { "{\"name\":\"\\ud800\"}", "line 1, column", "Unicode" },
    { "{\"name\":\"a\x1b[31mb\"}", "line 1, column", "control character" },
    { "\xef\xbb\xbf{}", "line 1, column 1", "byte order mark" },
    { "// a comment\n{}", "line 1, column 1", "expected" },
};

static const struct refused tops[] = {
    { "[]", "line 1, column 1", "a list stands where an object" },
    { "{}", "policy", "is missing" },
    { "{\"policy\":1,\"name\":\"test\"}", "rules", "is missing; a list of 1 to 64" },
    { "{\"policy\":2,\"name\":\"test\",\"rules\":[" SOUND "]}", "policy", "2 is no version" },
    { "{\"policy\":\"1\",\"name\":\"test\",\"rules\":[" SOUND "]}", "policy", "\"1\" is no" },
    { "{\"policy\":1,\"name\":\"a b\",\"rules\":[" SOUND "]}", "name", "\"a b\" is no name" },
    { "{\"policy\":1,\"name\":\"\",\"rules\":[" SOUND "]}", "name", "1 to 128 bytes" },
    { "{\"policy\":1,\"name\":7,\"rules\":[" SOUND "]}", "name", "7 is no name" },
    { "{\"policy\":1,\"rules\":[" SOUND "]}", "name", "is missing" },
    { TOP("\"widnow\":1"), "widnow", "the key \"widnow\" is unknown; known here: $schema, policy" },
    { TOP("\"a b\\n\":1"), "line 1, column 1", "the key \"a b?\" is unknown" },
    { TOP("\"$schema\":1"), "$schema", "1 is no text" },
    { TOP("\"description\":1"), "description", "1 is no text" },
    { TOP("\"description\":\"two\\nlines\""), "description", "one line" },
    { TOP("\"description\":\"\\u009b31m\""), "description", "control character" },
    { TOP("\"mode\":\"Auto\""), "mode", "\"Auto\" is none of observe, approve, auto" },
    { TOP("\"mode\":null"), "mode", "null is none of" },
    { TOP("\"freeze\":1"), "freeze", "1 is neither true nor false" },
    { TOP("\"sample_ratio\":\"yes\""), "sample_ratio", "\"yes\" is neither" },
    { TOP("\"alpha\":0"), "alpha", "0 is no number from 0.0001 to 0.2" },
    { TOP("\"alpha\":0.3"), "alpha", "0.3 is no number" },
    { TOP("\"alpha\":\"5%\""), "alpha", "\"5%\" is no number" },
    { TOP("\"design_effect\":0.5"), "design_effect", "0.5 is neither \"measured\" nor" },
    { TOP("\"design_effect\":\"guessed\""), "design_effect", "\"guessed\" is neither" },
    { TOP("\"design_effect\":1001"), "design_effect", "1 to 1000" },
    { TOP("\"grace\":900"), "grace", "900 is no time; a text of a whole number and one of s, m" },
    { TOP("\"grace\":\"15\""), "grace", "\"15\" is no time" },
    { TOP("\"grace\":\"1.5h\""), "grace", "\"1.5h\" is no time" },
    { TOP("\"grace\":\"15 m\""), "grace", "is no time" },
    { TOP("\"grace\":\"-15m\""), "grace", "is no time" },
    { TOP("\"grace\":\"15ms\""), "grace", "is no time" },
    { TOP("\"grace\":\"35s\""), "grace", "\"35s\" is no multiple of 10s" },
    { TOP("\"grace\":\"10s\""), "grace", "\"10s\" is not within \"30s\" to \"31d\"" },
    { TOP("\"cooldown\":\"32d\""), "cooldown", "\"32d\" is not within \"0s\" to \"31d\"" },
    { TOP("\"cooldown\":\"99999999999999w\""), "cooldown", "is no time" },
    { TOP("\"attempts\":-1"), "attempts", "-1 is no whole number from 0 to 1000" },
    { TOP("\"attempts\":1.5"), "attempts", "1.5 is no whole number" },
    { TOP("\"attempts\":true"), "attempts", "true is no whole number" },
    { TOP("\"stages\":[]"), "stages", "is no list of 1 to 31 stages" },
    { TOP("\"stages\":[5]"), "stages[0]", "5 stands where an object" },
    { TOP("\"stages\":[{}]"), "stages[0].percentage", "is missing" },
    { TOP("\"stages\":[{\"percentage\":0}]"), "stages[0].percentage", "0 is no percentage" },
    { TOP("\"stages\":[{\"percentage\":100.5}]"), "stages[0].percentage", "100.5 is no" },
    { TOP("\"stages\":[{\"percentage\":0.001}]"), "stages[0].percentage", "at most two decimals" },
    { TOP("\"stages\":[{\"percentage\":5},{\"percentage\":5}]"), "stages[1].percentage",
      "5.00 % is not above the 5.00 %" },
    { TOP("\"stages\":[{\"percentage\":7.05},{\"percentage\":3.5}]"), "stages[1].percentage",
      "3.50 % is not above the 7.05 %" },
    { TOP("\"mode\":\"a\\\"b\\\\\""), "mode", "\"a\\\"b\\\\\" is none of" },
    { TOP("\"stages\":[{\"percentage\":5,\"dwell\":\"400d\"}]"), "stages[0].dwell", "366d" },
    { TOP("\"stages\":[{\"percentage\":5,\"to\":6}]"), "stages[0].to", "unknown" },
    { TOP("\"stages\":[{\"percentage\":5,\"name\":\"a b\"}]"), "stages[0].name", "is no name" },
    { TOP("\"stages\":[{\"percentage\":5,\"name\":\"A\"},{\"percentage\":6,\"name\":\"A\"}]"),
      "stages[1].name", "\"A\" is the name of stages[0], too" },
    { RULES(""), "rules", "has 0 entries; 1 to 64" },
    { "{\"policy\":1,\"name\":\"test\",\"rules\":{}}", "rules", "an object stands where a list" },
    { RULES(SOUND "," SOUND), "rules[1].name", "\"sound\" is the name of rules[0], too" },
    { RULES("7"), "rules[0]", "7 stands where an object" },
    { TOP("\"objectives\":1"), "objectives", "1 stands where a list" },
    { TOP("\"objectives\":[{}]"), "objectives[0].name", "is missing" },
    { TOP("\"objectives\":[{\"name\":\"up\",\"statistic\":\"uptime\",\"metric\":\"error\","
          "\"above\":\"99.9%\"}]"),
      "objectives[0].metric", "must not be given" },
    { TOP("\"objectives\":[{\"name\":\"up\",\"statistic\":\"uptime\",\"below\":\"99.9%\"}]"),
      "objectives[0].below", "must not be given" },
    { TOP("\"objectives\":[{\"name\":\"up\",\"statistic\":\"uptime\",\"above\":\"100%\"}]"),
      "objectives[0].above", "\"100%\" is not allowed" },
    { TOP("\"objectives\":[{\"name\":\"up\",\"statistic\":\"uptime\"}]"), "objectives[0].above",
      "is missing" },
    { TOP("\"objectives\":[{\"name\":\"b\",\"metric\":\"error\",\"statistic\":\"burn\","
          "\"above\":1}]"),
      "objectives[0].statistic", "\"burn\" is no statistic of \"error\"; it has rate" },
    { TOP("\"objectives\":[{\"name\":\"b\",\"metric\":\"error\",\"below\":\"1%\",\"window\":"
          "\"1m\"}]"),
      "objectives[0].window", "unknown" },
};

static const struct refused rules[] = {
    { RULE("\"metric\":\"error\",\"above\":0.01,\"window\":\"1m\""), "rules[0].action",
      "is missing; one of rollback, hold, require, warn" },
    { RULE(POINT ",\"above\":0.01,\"actoin\":1"), "rules[0].actoin", "unknown" },
    { RULES("{\"name\":\"Rule\"," POINT ",\"above\":0.01}"), "rules[0].name", "[a-z][a-z0-9_-]" },
    { RULES("{\"name\":\"1st\"," POINT ",\"above\":0.01}"), "rules[0].name", "is no name" },
    { RULE("\"window\":\"1m\",\"above\":1,\"action\":\"hold\""), "rules[0].metric", "is missing" },
    { RULE("\"metric\":\"Error\",\"above\":1,\"action\":\"hold\""), "rules[0].metric",
      "is no name" },
    { RULE("\"metric\":\"my-metric\",\"action\":\"hold\""), "rules[0].metric", "[a-z][a-z0-9_]" },
    { RULE("\"metric\":\"cost\",\"above\":1,\"window\":\"1m\",\"action\":\"hold\""),
      "rules[0].statistic", "is missing; of \"cost\" one of rate, mean" },
    { RULE("\"metric\":\"duration\",\"above\":1,\"action\":\"hold\""), "rules[0].statistic",
      "mean, p50, p90, p95, p99, p999" },
    { RULE("\"metric\":\"error\",\"statistic\":\"p95\",\"above\":\"1s\",\"action\":\"hold\""),
      "rules[0].statistic", "\"p95\" is no statistic of \"error\"; it has rate, burn" },
    { RULE("\"metric\":\"error\",\"statistic\":7,\"action\":\"hold\""), "rules[0].statistic",
      "7 is no statistic" },
    { RULE(POINT), "rules[0]", "neither \"above\" nor \"below\"" },
    { RULE(POINT ",\"above\":0.1,\"below\":0.2"), "rules[0]", "exactly one" },
    { RULE(POINT ",\"above\":\"1\""), "rules[0].above", "\"1\" is not allowed; a share" },
    { RULE(POINT ",\"above\":\"101%\""), "rules[0].above", "\"101%\" is not allowed" },
    { RULE(POINT ",\"above\":\"1 %\""), "rules[0].above", "is not allowed" },
    { RULE(POINT ",\"above\":\"1e1%\""), "rules[0].above", "is not allowed" },
    { RULE(POINT ",\"above\":\".5%\""), "rules[0].above", "is not allowed" },
    { RULE(POINT ",\"above\":-0.1"), "rules[0].above", "-0.1 is not allowed" },
    { RULE(POINT ",\"above\":1"), "rules[0].above", "1 is never so" },
    { RULE(POINT ",\"below\":0"), "rules[0].below", "0 is never so" },
    { RULE(POINT ",\"above\":[1]"), "rules[0].above", "a list is not allowed" },
    { RULE(P95 ",\"window\":\"1m\",\"above\":600"), "rules[0].above", "600 is no duration" },
    { RULE(P95 ",\"window\":\"1m\",\"above\":\"600\""), "rules[0].above", "such as \"600ms\"" },
    { RULE(P95 ",\"window\":\"1m\",\"above\":\"0ms\""), "rules[0].above", "above \"0s\"" },
    { RULE(P95 ",\"window\":\"1m\",\"above\":\"2h\""), "rules[0].above", "at most \"4294s\"" },
    { RULE(P95 ",\"against\":\"old\",\"above\":1.2,\"proof\":\"point\""), "rules[0].proof",
      "\"evidence\" is" },
    { RULE(MEAN ",\"window\":\"1m\",\"above\":\"5 usd\""), "rules[0].above", "is no duration" },
    { RULE(MEAN ",\"window\":\"1m\",\"above\":1e16"), "rules[0].above", "1e+16 is not allowed" },
    { RULE(MEAN ",\"above\":5,\"proof\":\"evidence\""), "rules[0].proof", "\"point\" is" },
    { RULE(EVIDENCE ",\"above\":1"), "rules[0].above", "1 leaves no margin" },
    { RULE(EVIDENCE ",\"above\":1.01"), "rules[0].above", "at least 1.02 above" },
    { RULE(EVIDENCE ",\"below\":\"99%\""), "rules[0].below", "at most 0.98 below" },
    { RULE(EVIDENCE ",\"above\":0"), "rules[0].above", "a ratio from 0.001 to 1000" },
    { RULE(EVIDENCE ",\"above\":1e9"), "rules[0].above", "1000000000 is not allowed" },
    { RULE(EVIDENCE ",\"above\":1.5,\"window\":\"1h\""), "rules[0].window", "must not be given" },
    { RULE(EVIDENCE ",\"above\":1.5,\"for\":\"1h\""), "rules[0].for", "must not be given" },
    { RULE(EVIDENCE ",\"above\":1.5,\"cohort\":\"old\""), "rules[0].cohort", "limits only" },
    { RULE("\"metric\":\"error\",\"against\":\"baseline\",\"proof\":\"evidence\",\"above\":1.5,"
           "\"action\":\"hold\""),
      "rules[0].proof", "not allowed against a baseline" },
    { RULE("\"metric\":\"error\",\"against\":\"control\",\"action\":\"hold\""), "rules[0].against",
      "\"control\" is none of limit, old, baseline" },
    { RULE("\"metric\":\"ok\",\"statistic\":\"rate\",\"proof\":\"evidence\",\"above\":\"95%\","
           "\"action\":\"require\""),
      "rules[0].above", "cannot be proven by evidence; above 0, at most 0.94" },
    { RULE("\"metric\":\"error\",\"above\":0.01,\"action\":\"rollback\""), "rules[0].window",
      "is missing; a time from \"1m\" to \"31d\"" },
    { RULE("\"metric\":\"error\",\"above\":0.01,\"window\":\"90x\",\"action\":\"rollback\""),
      "rules[0].window", "\"90x\" is no time" },
    { RULE("\"metric\":\"error\",\"above\":0.01,\"window\":\"50s\",\"action\":\"rollback\""),
      "rules[0].window", "\"50s\" is not within" },
    { RULE("\"metric\":\"error\",\"above\":0.01,\"window\":\"65s\",\"action\":\"rollback\""),
      "rules[0].window", "\"65s\" is no multiple of 10s" },
    { RULE(POINT ",\"above\":0.01,\"for\":\"5s\""), "rules[0].for", "no multiple of 10s" },
    { RULE(POINT ",\"above\":0.01,\"short_window\":\"10s\""), "rules[0].short_window",
      "only burn rates" },
    { RULE(POINT ",\"above\":0.01,\"objective\":0.999"), "rules[0].objective", "only burn rates" },
    { RULE(POINT ",\"above\":0.01,\"alpha\":0.01"), "rules[0].alpha", "only evidence" },
    { RULE(POINT ",\"above\":0.01,\"min_samples\":0"), "rules[0].min_samples", "whole number" },
    { RULE(POINT ",\"above\":0.01,\"min_samples\":\"10\""), "rules[0].min_samples", "\"10\"" },
    { RULE(POINT ",\"above\":0.01,\"urgency\":\"urgent\""), "rules[0].urgency",
      "low, medium, high, critical" },
    { RULE(POINT ",\"above\":0.01,\"stages\":[]"), "rules[0].stages", "[] is no list" },
    { RULE(POINT ",\"above\":0.01,\"stages\":[0]"), "rules[0].stages[0]", "0 is no stage number" },
    { RULE(POINT ",\"above\":0.01,\"stages\":[2,2]"), "rules[0].stages[1]", "2 is named twice" },
    { RULE(POINT ",\"above\":0.01,\"stages\":[32]"), "rules[0].stages[0]", "1 to 31" },
    { RULE(POINT ",\"above\":0.01,\"to\":\"last\""), "rules[0].to", "\"last\" is neither" },
    { RULE(POINT ",\"above\":0.01,\"to\":31"), "rules[0].to", "31 is neither" },
    { RULE(POINT ",\"above\":0.01,\"to\":1"), "rules[0].to", "1 is no way down from stage 1" },
    { RULE(POINT ",\"above\":0.01,\"to\":2,\"stages\":[2,3]"), "rules[0].to", "from stage 2" },
    { RULE("\"metric\":\"error\",\"above\":0.01,\"window\":\"1m\",\"action\":\"hold\",\"to\":0"),
      "rules[0].to", "only a rollback" },
    { RULE(BURN ",\"above\":2"), "rules[0].objective", "is missing" },
    { RULE(BURN ",\"above\":2,\"objective\":1"), "rules[0].objective", "1 is not allowed" },
    { RULE(BURN ",\"above\":2,\"objective\":\"99.9\""), "rules[0].objective", "is not allowed" },
    { RULE(BURN ",\"above\":\"2\",\"objective\":0.999"), "rules[0].above", "\"2\" is no number" },
    { RULE(BURN ",\"above\":1000,\"objective\":0.999"), "rules[0].above", "at most 1000" },
    { RULE(BURN ",\"above\":2,\"objective\":0.999,\"against\":\"old\",\"proof\":\"point\""),
      "rules[0].against", "\"old\" is not allowed" },
    { RULE(BURN ",\"above\":2,\"objective\":0.999,\"proof\":\"evidence\""), "rules[0].proof",
      "\"evidence\" is not allowed" },
    { RULE("\"metric\":\"error\",\"statistic\":\"burn\",\"above\":2,\"objective\":0.999,\"window\":"
           "\"1h\",\"action\":\"hold\""),
      "rules[0].short_window", "is missing" },
    { RULE("\"metric\":\"error\",\"statistic\":\"burn\",\"above\":2,\"objective\":0.999,\"window\":"
           "\"5m\",\"short_window\":\"5m\",\"action\":\"hold\""),
      "rules[0].short_window", "is not shorter" },
    { RULES(SOUND ",{\"name\":\"a\",\"metric\":\"x\",\"statistic\":\"p95\",\"above\":\"1s\","
                  "\"window\":\"1m\",\"action\":\"hold\"},{\"name\":\"b\",\"metric\":\"x\","
                  "\"statistic\":\"rate\",\"above\":0.5,\"window\":\"1m\",\"action\":\"hold\"}"),
      "rules[2].metric", "taken for a proportion here and for a duration in rules[1]" },
    { RULES("{\"name\":\"a\"," EVIDENCE ",\"above\":1.5,\"alpha\":0.05},{\"name\":\"b\"," EVIDENCE
            ",\"above\":1.6}"),
      "alpha", "0.05 is less than what the rollback rules take of it, 0.05, and something" },
    { RULES("{\"name\":\"a\"," EVIDENCE ",\"above\":1.5,\"alpha\":0.04},{\"name\":\"b\"," EVIDENCE
            ",\"above\":1.6,\"alpha\":0.02}"),
      "alpha", "0.06" },
};

static void check_refused(const struct refused *table, size_t count) {
    static struct policies_told told;

    for (size_t i = 0; i < count; i++) {
        const struct refused *one = &table[i];
        canary_error error = CANARY_ERROR_INIT;
        canary_policy *policy = (canary_policy *)(void *)&told; /* must not stay */
        char expected[600];
        int code;

        told = (struct policies_told){ .size = 0 };
        code = canary_policy_parse(one->text, strlen(one->text), &policy, policies_tell, &told,
                                   &error);
        if (code != CANARY_E_INVALID || policy != NULL || told.count == 0) {
            fail_msg("not refused: %s", one->text);
        }
        if (strncmp(told.text, one->place, strlen(one->place)) != 0 ||
            strstr(told.text, one->words) == NULL) {
            fail_msg("%s\nexpected %s: ... %s ...\nfound %s", one->text, one->place, one->words,
                     told.text);
        }
        /* The error is the first of them. */
        snprintf(expected, sizeof expected, "%.*s", (int)strcspn(told.text, "\n"), told.text);
        assert_string_equal(error.message, expected);
        assert_int_equal(error.code, CANARY_E_INVALID);
    }
}

static void texts_that_are_no_json(void **state) {
    (void)state;
    check_refused(no_json, COUNT(no_json));
}

static void policies_with_a_mistake(void **state) {
    (void)state;
    check_refused(tops, COUNT(tops));
}

static void rules_with_a_mistake(void **state) {
    (void)state;
    check_refused(rules, COUNT(rules));
}

static void all_problems_are_told_until_nobody_listens(void **state) {
    static const char text[] = TOP("\"alpha\":7,\"mode\":\"x\",\"grace\":1,\"attempts\":\"y\"");
    static struct policies_told told;
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy;

    (void)state;
    told = (struct policies_told){ .size = 0 };
    assert_int_equal(canary_policy_parse(text, strlen(text), &policy, policies_tell, &told, &error),
                     CANARY_E_INVALID);
    assert_int_equal(told.count, 4);
    told = (struct policies_told){ .stop_after = 2 };
    assert_int_equal(canary_policy_parse(text, strlen(text), &policy, policies_tell, &told, &error),
                     CANARY_E_INVALID);
    assert_int_equal(told.count, 2);
    assert_int_equal(canary_policy_parse(text, strlen(text), &policy, NULL, NULL, NULL),
                     CANARY_E_INVALID);
}

/* A text of `size` bytes: `head`, filling, `tail`. */
static char *padded(size_t size, const char *head, char filling, const char *tail) {
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, filling, size);
    memcpy(text, head, strlen(head));
    memcpy(text + size - strlen(tail), tail, strlen(tail));
    text[size] = '\0';
    return text;
}

static void sizes_and_depths_have_an_end(void **state) {
    const struct {
        size_t size;
        const char *head;
        char filling;
        const char *tail;
        const char *words; /* "" = sound */
    } cases[] = {
        { CANARY_POLICY_SIZE_MAX, "", ' ', RULES(SOUND), "" },
        { CANARY_POLICY_SIZE_MAX + 1, "", ' ', RULES(SOUND), "65537 bytes; at most 65536" },
        { 60000, "", '[', "", "maximum parsing depth" },
        { 60000, "{\"policy\":", '[', "", "maximum parsing depth" },
        { 60000, "{\"policy\":1,\"name\":\"", 'x', "\",\"rules\":[" SOUND "]}",
          "name: \"xxxxxxxxxx" },
        { 60000, "{\"", 'x', "\":1}", "the key \"xxxxxxxxxx" },
        { 60000, "{\"alpha\":", '9', "}", "too big" },
        { 2000, "{\"policy\":1,\"name\":\"x\",\"description\":\"", 'x', "\",\"rules\":[" SOUND "]}",
          "description: has 1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = padded(cases[i].size, cases[i].head, cases[i].filling, cases[i].tail);
        canary_error error = CANARY_ERROR_INIT;
        canary_policy *policy;
        int code = canary_policy_parse(text, cases[i].size, &policy, NULL, NULL, &error);

        if (cases[i].words[0] == '\0') {
            assert_int_equal(code, CANARY_OK);
        } else {
            assert_int_equal(code, CANARY_E_INVALID);
            if (strstr(error.message, cases[i].words) == NULL) {
                fail_msg("%zu: %s", i, error.message);
            }
        }
        canary_policy_close(&policy);
        free(text);
    }
}

static void bytes_after_the_size_are_not_read(void **state) {
    static const char text[] = RULES(SOUND) "rubbish";
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy;
    uint64_t size = 0;

    (void)state;
    assert_int_equal(canary_policy_parse(text, strlen(RULES(SOUND)), &policy, NULL, NULL, &error),
                     CANARY_OK);
    assert_string_equal(canary_policy_text(policy, &size), RULES(SOUND));
    assert_int_equal(size, strlen(RULES(SOUND)));
    canary_policy_close(&policy);
    assert_int_equal(canary_policy_parse("{}\n \0{}", 7, &policy, NULL, NULL, &error),
                     CANARY_E_INVALID);
    assert_string_equal(error.message, "line 2, column 2: a NUL byte; a policy is text");
    assert_int_equal(canary_policy_parse(NULL, 0, &policy, NULL, NULL, &error), CANARY_E_INVALID);
    assert_int_equal(canary_policy_parse("{}", 2, NULL, NULL, NULL, &error), CANARY_E_INVALID);
}

/* Sixteen and sixty-four fit, one more does not. */
static void lists_have_an_end(void **state) {
    static char text[CANARY_POLICY_SIZE_MAX];
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy;

    (void)state;
    for (int count = CANARY_POLICY_RULES_MAX; count <= CANARY_POLICY_RULES_MAX + 1; count++) {
        size_t at = (size_t)sprintf(text, "{\"policy\":1,\"name\":\"x\",\"rules\":[");

        for (int i = 0; i < count; i++) {
            at += (size_t)sprintf(text + at,
                                  "%s{\"name\":\"r%d\",\"metric\":\"m%d\",\"statistic\":\"rate\","
                                  "\"above\":0.5,\"window\":\"1m\",\"action\":\"warn\"}",
                                  i > 0 ? "," : "", i, i);
        }
        at += (size_t)sprintf(text + at, "]}");
        if (count == CANARY_POLICY_RULES_MAX) {
            assert_int_equal(canary_policy_parse(text, at, &policy, NULL, NULL, &error), CANARY_OK);
            assert_int_equal(policy->metric_count, CANARY_POLICY_RULES_MAX);
            assert_int_equal(policy->rules[63].metric_index, 63);
            canary_policy_close(&policy);
        } else {
            assert_int_equal(canary_policy_parse(text, at, &policy, NULL, NULL, &error),
                             CANARY_E_INVALID);
            assert_string_equal(error.message, "rules: has 65 entries; 1 to 64 are allowed");
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_no_json),
        cmocka_unit_test(policies_with_a_mistake),
        cmocka_unit_test(rules_with_a_mistake),
        cmocka_unit_test(all_problems_are_told_until_nobody_listens),
        cmocka_unit_test(sizes_and_depths_have_an_end),
        cmocka_unit_test(bytes_after_the_size_are_not_read),
        cmocka_unit_test(lists_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
