/* SPDX-License-Identifier: MIT */
/* The last value that is allowed, and the first that is not. */
#include "policies.h"

#include <stdio.h>
#include <stdlib.h>

enum { SOUND_TEXT, REFUSED_TEXT };

static void expect(int refused, const char *text) {
    canary_error error = CANARY_ERROR_INIT;
    canary_policy *policy = NULL;
    int code = canary_policy_parse(text, strlen(text), &policy, NULL, NULL, &error);

    if (code != (refused ? CANARY_E_INVALID : CANARY_OK)) {
        fail_msg("%s\n%s", text, code == CANARY_OK ? "accepted" : error.message);
    }
    canary_policy_close(&policy);
}

#define OLD "\"metric\":\"error\",\"against\":\"old\""
#define AT "\"metric\":\"error\",\"window\":\"1m\",\"action\":\"warn\""
#define P50 "\"metric\":\"duration\",\"statistic\":\"p50\",\"window\":\"1m\",\"action\":\"warn\""
#define SHARE                                                                                      \
    "\"metric\":\"hits\",\"statistic\":\"rate\",\"proof\":\"evidence\",\"action\":\"warn\""
#define MEAN_OF "\"metric\":\"cost\",\"statistic\":\"mean\",\"window\":\"1m\",\"action\":\"warn\""
#define TIME_OF                                                                                    \
    "\"metric\":\"duration\",\"statistic\":\"mean\",\"window\":\"1m\",\"action\":\"warn\""
#define BURN_OF                                                                                    \
    "\"metric\":\"error\",\"statistic\":\"burn\",\"window\":\"1m\",\"short_window\":\"50s\","      \
    "\"action\":\"warn\""
#define EVENT "\"metric\":\"error\",\"above\":0.1,\"action\":\"warn\""

static void numbers_and_times(void **state) {
    static const struct {
        const char *good;
        const char *bad;
    } pairs[] = {
        { TOP("\"alpha\":0.0001"), TOP("\"alpha\":0.000099") },
        { TOP("\"alpha\":0.2"), TOP("\"alpha\":0.2001") },
        { TOP("\"design_effect\":1"), TOP("\"design_effect\":0.999") },
        { TOP("\"design_effect\":1000"), TOP("\"design_effect\":1000.1") },
        { TOP("\"grace\":\"30s\""), TOP("\"grace\":\"20s\"") },
        { TOP("\"grace\":\"31d\""), TOP("\"grace\":\"745h\"") },
        { TOP("\"cooldown\":\"0s\""), TOP("\"cooldown\":\"\"") },
        { TOP("\"cooldown\":\"000000000000031d\""), TOP("\"cooldown\":\"0000000000000031d\"") },
        { TOP("\"cooldown\":\"1s\""), TOP("\"cooldown\":\"s\"") },
        { TOP("\"attempts\":0"), TOP("\"attempts\":-0.5") },
        { TOP("\"attempts\":1000"), TOP("\"attempts\":1001") },
        { TOP("\"attempts\":1e3"), TOP("\"attempts\":1e300") },
        { TOP("\"stages\":[{\"percentage\":0.01}]"), TOP("\"stages\":[{\"percentage\":0.009}]") },
        { TOP("\"stages\":[{\"percentage\":100}]"), TOP("\"stages\":[{\"percentage\":100.01}]") },
        { TOP("\"stages\":[{\"percentage\":\"0.29%\"}]"),
          TOP("\"stages\":[{\"percentage\":0.295}]") },
        { TOP("\"stages\":[{\"percentage\":5,\"dwell\":\"366d\"}]"),
          TOP("\"stages\":[{\"percentage\":5,\"dwell\":\"367d\"}]") },
        { TOP("\"objectives\":[]"), TOP("\"objectives\":null") },
        { RULE("\"metric\":\"error\",\"above\":0.1,\"window\":\"1m\",\"action\":\"warn\""),
          RULE("\"metric\":\"error\",\"above\":0.1,\"window\":\"50s\",\"action\":\"warn\"") },
        { RULE(EVENT ",\"window\":\"31d\""), RULE(EVENT ",\"window\":\"2678410s\"") },
        { RULE(EVENT ",\"window\":\"1m\",\"for\":\"0s\""), RULE(EVENT ",\"window\":\"0s\"") },
        { RULE(EVENT ",\"window\":\"1m\",\"for\":\"31d\""),
          RULE(EVENT ",\"window\":\"1m\",\"for\":\"5w\"") },
        { RULE(EVENT ",\"window\":\"1m\",\"min_samples\":1"),
          RULE(EVENT ",\"window\":\"1m\",\"min_samples\":0") },
        { RULE(EVENT ",\"window\":\"1m\",\"min_samples\":1000000000000"),
          RULE(EVENT ",\"window\":\"1m\",\"min_samples\":1000000000001") },
        { RULE(EVENT ",\"window\":\"1m\",\"stages\":[31]"),
          RULE(EVENT ",\"window\":\"1m\",\"stages\":[32]") },
        { TOP("\"stages\":[{\"percentage\":5},{\"percentage\":6}]"),
          "{\"policy\":1,\"name\":\"x\",\"stages\":[{\"percentage\":5}],\"rules\":[{\"name\":"
          "\"a\"," EVENT ",\"window\":\"1m\",\"stages\":[2]}]}" },
        { RULE(OLD ",\"above\":1.02,\"action\":\"hold\""),
          RULE(OLD ",\"above\":1.019,\"action\":\"hold\"") },
        { RULE(OLD ",\"below\":0.98,\"action\":\"rollback\""),
          RULE(OLD ",\"below\":0.981,\"action\":\"rollback\"") },
        { RULE(OLD ",\"above\":1,\"action\":\"warn\""),
          RULE(OLD ",\"above\":1,\"action\":\"hold\"") },
        { RULE(OLD ",\"above\":0.001,\"action\":\"warn\""),
          RULE(OLD ",\"above\":0.00099,\"action\":\"warn\"") },
        { RULE(OLD ",\"above\":\"100000%\",\"action\":\"warn\""),
          RULE(OLD ",\"above\":\"100001%\",\"action\":\"warn\"") },
        { RULE(OLD ",\"above\":2,\"action\":\"warn\",\"alpha\":0.000001"),
          RULE(OLD ",\"above\":2,\"action\":\"warn\",\"alpha\":0.0000009") },
        { RULE(OLD ",\"above\":2,\"action\":\"warn\",\"alpha\":0.2"),
          RULE(OLD ",\"above\":2,\"action\":\"warn\",\"alpha\":0.21") },
        { RULE(OLD ",\"above\":2,\"action\":\"rollback\",\"alpha\":0.05"),
          RULE(OLD ",\"above\":2,\"action\":\"rollback\",\"alpha\":0.0501") },
        { RULE(AT ",\"above\":0"), RULE(AT ",\"below\":0") },
        { RULE(AT ",\"below\":1"), RULE(AT ",\"above\":1") },
        { RULE(AT ",\"above\":\"0.00000000000001%\""),
          RULE(AT ",\"above\":\"0.000000000000001%\"") },
        { RULE(SHARE ",\"above\":0.94"), RULE(SHARE ",\"above\":0.941") },
        { RULE(SHARE ",\"below\":0.999999"), RULE(SHARE ",\"below\":0.9999991") },
        { RULE(SHARE ",\"above\":0.000001"), RULE(SHARE ",\"above\":0") },
        { RULE(P50 ",\"above\":\"4294s\""), RULE(P50 ",\"above\":\"4294.1s\"") },
        { RULE(P50 ",\"above\":\"1ns\""), RULE(P50 ",\"above\":\"0ns\"") },
        { RULE(P50 ",\"above\":\"1.000000000001s\""), RULE(P50 ",\"above\":\"1.0000000000001s\"") },
        { RULE(P50 ",\"above\":\"1.0s\""), RULE(P50 ",\"above\":\"1.s\"") },
        { RULE(TIME_OF ",\"above\":\"72h\""), RULE(TIME_OF ",\"above\":\"72.1h\"") },
        { RULE(TIME_OF ",\"above\":\"1s\""), RULE(TIME_OF ",\"above\":1") },
        { RULE(MEAN_OF ",\"above\":1e15"), RULE(MEAN_OF ",\"above\":1.1e15") },
        { RULE(MEAN_OF ",\"above\":-1e15"), RULE(MEAN_OF ",\"above\":-1.1e15") },
        { RULE(BURN_OF ",\"objective\":0.5,\"above\":1.9"),
          RULE(BURN_OF ",\"objective\":0.5,\"above\":2") },
        { RULE(BURN_OF ",\"objective\":0.5,\"above\":0.01"),
          RULE(BURN_OF ",\"objective\":0.5,\"above\":0.009") },
        { RULE(BURN_OF ",\"objective\":\"99.999%\",\"above\":2"),
          RULE(BURN_OF ",\"objective\":\"99.9991%\",\"above\":2") },
        { RULE(BURN_OF ",\"objective\":0.5,\"above\":1"),
          RULE(BURN_OF ",\"objective\":0.49,\"above\":1") },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        expect(SOUND_TEXT, pairs[i].good);
        expect(REFUSED_TEXT, pairs[i].bad);
    }
}

/* `format` with a text of `length` x. */
static char *lengthy(const char *format, int length) {
    char *word = malloc((size_t)length + 1);
    char *text = malloc(strlen(format) + (size_t)length + 1);

    assert_true(word != NULL && text != NULL);
    memset(word, 'x', (size_t)length);
    word[length] = '\0';
    sprintf(text, format, word);
    free(word);
    return text;
}

static void lengths_of_texts(void **state) {
    static const struct {
        const char *format;
        int longest;
    } cases[] = {
        { "{\"policy\":1,\"name\":\"%s\",\"rules\":[" SOUND "]}", 128 },
        { TOP("\"description\":\"%s\""), 511 },
        { TOP("\"stages\":[{\"percentage\":5,\"name\":\"%s\"}]"), 63 },
        { RULES("{\"name\":\"%s\"," EVENT ",\"window\":\"1m\"}"), 63 },
        { RULE(EVENT ",\"window\":\"1m\",\"description\":\"%s\""), 511 },
        { RULE("\"metric\":\"%s\",\"statistic\":\"rate\",\"above\":0.1,\"window\":\"1m\","
               "\"action\":\"warn\""),
          63 },
        { TOP("\"objectives\":[{\"name\":\"%s\",\"metric\":\"error\",\"below\":0.1}]"), 63 },
        { TOP("\"objectives\":[{\"name\":\"a\",\"metric\":\"error\",\"below\":0.1,"
              "\"description\":\"%s\"}]"),
          511 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int more = 0; more < 2; more++) {
            char *text = lengthy(cases[i].format, cases[i].longest + more);

            expect(more ? REFUSED_TEXT : SOUND_TEXT, text);
            free(text);
        }
    }
}

static void characters_of_texts(void **state) {
    (void)state;
    /* Ends of the ranges of UTF-8 and of surrogates, which are counted against what was read. */
    expect(SOUND_TEXT,
           TOP("\"$schema\":\"\\u0001\\u007f\\u0080\\u07ff\\u0800\\ud7ff\\ue000\\uffff\""));
    expect(SOUND_TEXT, TOP("\"$schema\":\"\\ud800\\udc00\\udbff\\udfff\""));
    expect(SOUND_TEXT, TOP("\"description\":\"\\u00a0 ~\""));
    expect(REFUSED_TEXT, TOP("\"description\":\"\\u009f\""));
    expect(REFUSED_TEXT, TOP("\"description\":\"\\u0080\""));
    expect(REFUSED_TEXT, TOP("\"description\":\"\\u007f\""));
    expect(REFUSED_TEXT, TOP("\"description\":\"\\u001f\""));
    expect(SOUND_TEXT, TOP("\"description\":\"\\u0020\""));
    expect(SOUND_TEXT, RULES("{\"name\":\"a0z9_-\"," EVENT ",\"window\":\"1m\"}"));
    expect(REFUSED_TEXT, RULES("{\"name\":\"_a\"," EVENT ",\"window\":\"1m\"}"));
    expect(REFUSED_TEXT, RULES("{\"name\":\"aZ\"," EVENT ",\"window\":\"1m\"}"));
    expect(SOUND_TEXT, "{\"policy\":1,\"name\":\"aZ09._-\",\"rules\":[" SOUND "]}");
    expect(REFUSED_TEXT, "{\"policy\":1,\"name\":\"a/b\",\"rules\":[" SOUND "]}");
    expect(REFUSED_TEXT, "{\"policy\":1,\"name\":\"a:b\",\"rules\":[" SOUND "]}");
}

/* Objectives and rules of one metric are of one kind; rules that are wrong otherwise say nothing of it. */
static void kinds_of_objectives(void **state) {
    (void)state;
    expect(
        REFUSED_TEXT,
        "{\"policy\":1,\"name\":\"x\",\"rules\":[{\"name\":\"a\",\"metric\":\"m\",\"statistic\":"
        "\"rate\",\"above\":0.1,\"window\":\"1m\",\"action\":\"warn\"}],\"objectives\":[{\"name\":"
        "\"o\",\"metric\":\"m\",\"statistic\":\"p95\",\"below\":\"1s\"}]}");
    expect(
        SOUND_TEXT,
        "{\"policy\":1,\"name\":\"x\",\"rules\":[{\"name\":\"a\",\"metric\":\"m\",\"statistic\":"
        "\"rate\",\"above\":0.1,\"window\":\"1m\",\"action\":\"warn\"}],\"objectives\":[{\"name\":"
        "\"o\",\"metric\":\"m\",\"statistic\":\"rate\",\"below\":0.5}]}");
    expect(REFUSED_TEXT, TOP("\"objectives\":[{\"name\":\"o\",\"metric\":\"error\",\"below\":0.1},"
                             "{\"name\":\"o\",\"metric\":\"error\",\"below\":0.2}]"));
    /* A mean by a number is of a value, by a duration of a duration, against the old of either. */
    expect(REFUSED_TEXT, RULES("{\"name\":\"a\"," MEAN_OF ",\"above\":1},{\"name\":\"b\"," MEAN_OF
                               ",\"above\":\"1s\"}"));
    expect(SOUND_TEXT,
           RULES("{\"name\":\"a\"," MEAN_OF ",\"above\":\"1s\"},{\"name\":\"b\"," MEAN_OF
                 ",\"above\":2,\"against\":\"baseline\"}"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_times),
        cmocka_unit_test(lengths_of_texts),
        cmocka_unit_test(characters_of_texts),
        cmocka_unit_test(kinds_of_objectives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
