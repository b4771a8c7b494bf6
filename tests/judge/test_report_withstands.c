/* SPDX-License-Identifier: MIT */
/* Nothing that anybody wrote somewhere breaks a report, nor one who does not take it. */
#include "reported.h"

/* Every row of a Markdown table has as many bars, not escaped, as the one before it. */
static void tables_hold(const char *text) {
    int before = 0;

    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        size_t size = end != NULL ? (size_t)(end - text) : strlen(text);
        int bars = 0;

        for (size_t i = 0; i < size && text[0] == '|'; i++) {
            bars += text[i] == '|' && (i == 0 || text[i - 1] != '\\');
        }
        if (bars > 0 && before > 0) {
            assert_int_equal(bars, before);
        }
        before = bars;
        text += size + (end != NULL);
    }
}

static void hostile_text(void **state) {
    struct unit *unit = *state;
    const char *note =
        "<img src=x onerror=alert(1)> ]]> --> | a | `b` \\| [c](http://evil) \xe2\x80\xae"
        "exe.gpj & \"quoted\" 'too' ${x} {{y}} </style></table><script>alert(2)</script>";
    canary_change_options by = unit_by("<svg onload=alert(3)>");
    json_t *verdict =
        json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:[{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:f,s:f,s:f}]}",
                  "verdict", 1, "action", "hold", "cause", "rule", "message", note, "policy_name",
                  note, "stage_name", note, "rules", "name", "\"><script>x</script>", "action",
                  "warn", "state", "firing", "metric", "<b>", "unit", "\" onload=\"x", "message",
                  note, "proof", "evidence", "ln_w", 1.5, "alpha", 0.05, "value", 0.5);
    char *data = json_dumps(verdict, 0);
    char *text;

    unit_create(unit, "checkout");
    by.note = note;
    OK(canary_advance(unit->store, "checkout", &by, NULL, &error));
    reported_keep(unit, "verdict", data);
    reported_keep(
        unit, "breaker",
        "{\"pid\":\"<script>\",\"state\":\"open\",\"outcomes\":\"</td>\",\"failures\":1e308}");
    unit->realtime += 1;
    text = reported(unit, CANARY_REPORT_HTML);
    reported_has_not(text, "<script");
    reported_has_not(text, "<img");
    reported_has_not(text, "<svg onload");
    reported_has_not(text, "\" onload");
    reported_has_not(text, "\xe2\x80\xae");
    reported_has(text, "&lt;script&gt;alert(2)&lt;/script&gt;");
    /* The page has the style it began with, and no other end of it. */
    assert_null(strstr(strstr(text, "</style>") + 1, "</style>"));
    free(text);
    text = reported(unit, CANARY_REPORT_MARKDOWN);
    reported_has_not(text, "<script");
    reported_has_not(text, "<img");
    reported_has_not(text, "[c](http");
    reported_has_not(text, "\xe2\x80\xae");
    tables_hold(text);
    free(text);
    free(data);
    json_decref(verdict);
    json_decref(reported_json(unit));
}

static void damaged_documents(void **state) {
    static const char *const damaged[] = {
        "",
        "not JSON",
        "{}",
        "[]",
        "{\"verdict\":1}",
        "{\"verdict\":0,\"action\":\"hold\"}",
        "{\"verdict\":1,\"action\":5}",
        "{\"verdict\":1,\"action\":\"hold\",\"rules\":[{\"name\":\"x\"",
        "{\"verdict\":1,\"action\":\"hold\",\"message\":\"\xff\"}",
        "{\"verdict\":1,\"action\":\"hold\",\"value\":1e999}",
    };
    static const char *const odd[] = {
        "{\"verdict\":1,\"action\":\"explode\",\"cause\":\"\",\"risk\":7,\"rule\":99}",
        "{\"verdict\":1,\"action\":\"hold\",\"rules\":5,\"percentage\":-1,\"generation\":-1}",
        "{\"verdict\":2,\"action\":\"hold\",\"rules\":[1,null,{},{\"name\":null,\"ln_w\":\"x\"},"
        "{\"name\":\"x\",\"proof\":\"evidence\",\"ln_w\":1e300,\"alpha\":-1,\"value\":1e300,"
        "\"threshold\":-1e300,\"n_new\":1e300,\"window\":1e300,\"since\":\"yesterday\"}]}",
    };
    struct unit *unit = *state;
    json_t *report;

    reported_begin(unit);
    for (size_t i = 0; i < COUNT(damaged); i++) {
        unit->realtime += SECOND;
        reported_keep(unit, "verdict", damaged[i]);
        reported_keep(unit, "breaker", damaged[i]);
    }
    for (size_t i = 0; i < COUNT(odd); i++) {
        unit->realtime += SECOND;
        reported_keep(unit, "verdict", odd[i]);
    }
    unit->realtime += SECOND;
    reported_keep_bytes(unit, "judge/verdict/", "x", 1);
    reported_keep_bytes(unit, "judge/breaker/x", "x", 1);
    report = reported_json(unit);
    assert_int_equal(reported_left_out(report, "damaged_verdicts"), COUNT(damaged));
    assert_int_equal(reported_left_out(report, "damaged_breaker_notes"), COUNT(damaged));
    assert_int_equal(json_array_size(json_object_get(report, "verdicts")), COUNT(odd));
    json_decref(report);
    free(reported(unit, CANARY_REPORT_HTML));
    free(reported(unit, CANARY_REPORT_MARKDOWN));
}

static void random_bytes(void **state) {
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    char *text;

    reported_begin(unit);
    for (int i = 0; i < 200; i++) {
        char data[] =
            "{\"verdict\":1,\"action\":\"hold\",\"message\":\"m\",\"rules\":[{\"name\":\"n\","
            "\"state\":\"firing\",\"proof\":\"evidence\",\"ln_w\":1,\"alpha\":0.1}]}";

        for (int j = 0; j < 3; j++) {
            data[unit_random(&seed) % (sizeof data - 1)] = (char)unit_random(&seed);
        }
        unit->realtime += SECOND;
        reported_keep(unit, i % 2 ? "verdict" : "breaker", data);
    }
    unit->realtime += SECOND;
    text = reported(unit, CANARY_REPORT_HTML);
    reported_has(text, "</html>");
    reported_has_not(text, "<script");
    free(text);
    text = reported(unit, CANARY_REPORT_MARKDOWN);
    tables_hold(text);
    free(text);
    json_decref(reported_json(unit));
}

static void more_than_is_shown(void **state) {
    struct unit *unit = *state;
    json_t *report;
    char *text;

    reported_begin(unit);
    for (int i = 0; i < 1100; i++) {
        unit->realtime += SECOND;
        unit_set(unit, "checkout", i % 2 ? 500 : 1000);
    }
    report = reported_json(unit);
    assert_int_equal(json_array_size(json_object_get(report, "changes")), 1000);
    assert_int_equal(reported_left_out(report, "changes"), 102);
    assert_int_equal(json_array_size(json_object_get(report, "incidents")), 500);
    reported_has(reported_text(report, "summary"), "1 102 changes");
    json_decref(report);
    text = reported(unit, CANARY_REPORT_HTML);
    reported_has(text, "102 more older changes are not shown");
    free(text);
}

static void a_writer_that_refuses(void **state) {
    static const size_t after[] = { 1, 20000 };
    struct unit *unit = *state;

    reported_begin(unit);
    reported_record(unit, "error", CANARY_OLD, 99, 12);
    for (int i = 0; i < 300; i++) {
        unit->realtime += SECOND;
        unit_set(unit, "checkout", i % 2 ? 500 : 1000);
    }
    for (int format = CANARY_REPORT_MARKDOWN; format <= CANARY_REPORT_HTML; format++) {
        for (size_t i = 0; i < COUNT(after); i++) {
            canary_report_options options = CANARY_REPORT_OPTIONS_INIT;
            struct told told = { .refuse_after = after[i] };

            options.format = format;
            FAILS(CANARY_E_REFUSED, "write answered 7", "",
                  canary_report(unit->store, "checkout", &options, reported_write, &told, &error));
            assert_true(told.refused);
            free(told.text);
        }
    }
}

static void arguments(void **state) {
    struct unit *unit = *state;
    canary_report_options options = CANARY_REPORT_OPTIONS_INIT;
    struct told told = { 0 };

    unit_create(unit, "checkout");
    FAILS(CANARY_E_INVALID, "store is NULL", "",
          canary_report(NULL, "checkout", NULL, reported_write, &told, &error));
    FAILS(CANARY_E_INVALID, "rollout is NULL", "",
          canary_report(unit->store, NULL, NULL, reported_write, &told, &error));
    FAILS(CANARY_E_INVALID, "write is NULL", "",
          canary_report(unit->store, "checkout", NULL, NULL, &told, &error));
    FAILS(CANARY_E_NOT_FOUND, "nobody", "",
          canary_report(unit->store, "nobody", NULL, reported_write, &told, &error));
    options.format = 4;
    FAILS(CANARY_E_INVALID, "format 4", "1 Markdown, 2 JSON, 3 HTML",
          canary_report(unit->store, "checkout", &options, reported_write, &told, &error));
    canary_report_options_init(&options, sizeof options);
    assert_int_equal(options.format, CANARY_REPORT_MARKDOWN);
    options.from_ns = 2;
    options.to_ns = 1;
    FAILS(CANARY_E_INVALID, "until a later one", "",
          canary_report(unit->store, "checkout", &options, reported_write, &told, &error));
    options.to_ns = 0;
    options.from_ns = unit->realtime + HOUR;
    FAILS(CANARY_E_INVALID, "ahead", "",
          canary_report(unit->store, "checkout", &options, reported_write, &told, &error));
    options.size = 4;
    FAILS(CANARY_E_INVALID, "size of 4", "",
          canary_report(unit->store, "checkout", &options, reported_write, &told, &error));
    assert_int_equal(told.calls, 0);
    OK(canary_report(unit->store, "checkout", NULL, reported_write, &told, &error));
    reported_has(told.text, "# Report on checkout");
    free(told.text);
    canary_report_options_init(NULL, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(hostile_text),          UNIT_BOTH(damaged_documents),
        UNIT_MEMORY_ONLY(random_bytes),   UNIT_MEMORY_ONLY(more_than_is_shown),
        UNIT_BOTH(a_writer_that_refuses), UNIT_BOTH(arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
