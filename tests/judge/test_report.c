/* SPDX-License-Identifier: MIT */
/* Reports: what they say of what happened, and that nothing that anybody wrote somewhere breaks them. */
#include "support.h"

#include <canary/judge.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

/* -- what a report says -- */

struct told {
    char *text;
    size_t size;
    size_t refuse_after; /* bytes; 0 = never */
    int calls;
    int refused;
};

static int listen(void *user_data, const char *text, uint64_t size) {
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

static char *tell_between(struct unit *unit, int format, int64_t from_ns, int64_t to_ns) {
    canary_report_options options = CANARY_REPORT_OPTIONS_INIT;
    struct told told = { 0 };

    options.format = format;
    options.from_ns = from_ns;
    options.to_ns = to_ns;
    OK(canary_report(unit->store, "checkout", &options, listen, &told, &error));
    assert_non_null(told.text);
    assert_int_equal(strlen(told.text), told.size);
    return told.text;
}

static char *tell(struct unit *unit, int format) {
    return tell_between(unit, format, 0, 0);
}

static json_t *tell_json_between(struct unit *unit, int64_t from_ns, int64_t to_ns) {
    char *text = tell_between(unit, CANARY_REPORT_JSON, from_ns, to_ns);
    json_t *report = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(report);
    free(text);
    return report;
}

static json_t *tell_json(struct unit *unit) {
    return tell_json_between(unit, 0, 0);
}

static void has(const char *text, const char *part) {
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %.3000s", part, text);
    }
}

static void has_not(const char *text, const char *part) {
    const char *at = strstr(text, part);

    if (at != NULL) {
        fail_msg("\"%s\" is in: %.300s", part, at);
    }
}

static int64_t left_out(const json_t *report, const char *what) {
    return json_integer_value(json_object_get(json_object_get(report, "left_out"), what));
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "(none)";
}

/* -- what happened -- */

static void keep_bytes(struct unit *unit, const char *name, const void *data, size_t size) {
    canary_document document = CANARY_DOCUMENT_INIT;

    document.name = name;
    document.data = data;
    document.data_size = size;
    OK(canary_document_write(unit->store, "checkout", &document, 1, &error));
}

static void keep(struct unit *unit, const char *kind, const char *data) {
    char name[96];

    snprintf(name, sizeof name, "judge/%s/%020" PRId64, kind, unit->realtime);
    keep_bytes(unit, name, data, strlen(data));
}

/* A verdict of two rules, the first in a state. */
static void keep_verdict(struct unit *unit, const char *action, const char *cause,
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
    keep(unit, "verdict", text);
}

static void record(struct unit *unit, const char *metric, int cohort, uint64_t n, uint64_t k) {
    canary_import_row row = {
        .size = sizeof row, .cohort = cohort, .metric = metric, .n = n, .k = k
    };

    OK(canary_import(unit->store, "checkout", NULL, &row, 1, NULL, NULL, &error));
}

static void begin(struct unit *unit) {
    canary_change_options by = unit_by("alice@example.com");

    unit_create(unit, "checkout");
    unit->realtime += MINUTE;
    OK(canary_advance(unit->store, "checkout", &by, NULL, &error));
}

static void with_policy(struct unit *unit, const char *objectives) {
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

/* -- tests -- */

static void nothing_at_all(void **state) {
    struct unit *unit = *state;
    char *text;
    json_t *report;

    unit_create(unit, "checkout");
    text = tell(unit, CANARY_REPORT_MARKDOWN);
    has(text, "# Report on checkout");
    has(text, "no outcomes were recorded");
    has(text, "No policy is in force");
    has(text, "Nothing was recorded in this time.");
    has(text, "## Incidents\n\nNone.");
    free(text);
    text = tell(unit, CANARY_REPORT_HTML);
    has(text, "NOT JUDGED");
    has(text, "</html>");
    free(text);
    report = tell_json(unit);
    assert_true(json_is_null(json_object_get(report, "verdict")));
    assert_int_equal(json_array_size(json_object_get(report, "changes")), 1);
    json_decref(report);
}

static void a_policy_without_verdicts(void **state) {
    struct unit *unit = *state;
    char *text;

    begin(unit);
    with_policy(unit, "");
    text = tell(unit, CANARY_REPORT_MARKDOWN);
    has(text, "canaryctl evaluate checkout");
    has(text, "| `harm` | rollback | `error` |");
    has(text, "not judged in this time");
    has(text, "The policy names no service objectives.");
    free(text);
}

static void the_figures_of_rules(void **state) {
    struct unit *unit = *state;
    char *text;

    begin(unit);
    keep_verdict(unit, "hold", "require", "pending", 2.302585, 2);
    unit->realtime += MINUTE;
    text = tell(unit, CANARY_REPORT_MARKDOWN);
    has(text, "HOLD: because of require");
    has(text, "| `harm` | rollback |");
    has(text,
        " pending | error ratio 2.5 | 2.50 % | above 1.1 times old | 1.00 % | 2.5 (1.5 to 4) | "
        "12 300 | 456 000 | 10 of 20, p 0.0010 | 0.0002 |");
    has(text, " unknown |  | - | above 600 ms | - | - | - | - | window 5 min, for 2 min | - |");
    has(text, "valid for one planned look only");
    free(text);
}

static void old_against_new(void **state) {
    struct unit *unit = *state;
    json_t *report;
    const json_t *rate;
    char *text;

    begin(unit);
    record(unit, "error", CANARY_OLD, 99, 12);
    record(unit, "error", CANARY_NEW, 83, 5);
    unit->realtime += MINUTE;
    report = tell_json(unit);
    rate = json_array_get(
        json_object_get(json_array_get(json_object_get(report, "metrics"), 0), "figures"), 0);
    assert_true(fabs(json_number_value(json_object_get(rate, "old")) - 12 / 99.0) < 1e-12);
    assert_true(fabs(json_number_value(json_object_get(rate, "new")) - 5 / 83.0) < 1e-12);
    /* statsmodels, 5 of 83 and 12 of 99 */
    assert_true(fabs(json_number_value(json_object_get(rate, "classical_p")) -
                     0.15918129181156992) < 1e-12);
    json_decref(report);
    text = tell(unit, CANARY_REPORT_HTML);
    has(text, "aria-label=\"error, rate, over time. New cohort: 6.02&nbsp;% to 6.02&nbsp;%, last "
              "6.02&nbsp;%");
    has(text, "two-proportion z");
    free(text);
}

static json_t *objective(const json_t *report, size_t i) {
    return json_array_get(json_object_get(report, "objectives"), i);
}

static void service_objectives(void **state) {
    struct unit *unit = *state;
    json_t *report;
    char *text;

    begin(unit);
    with_policy(unit, "{\"name\":\"up\",\"statistic\":\"uptime\",\"above\":\"90%\"},"
                      "{\"name\":\"errors\",\"metric\":\"error\",\"statistic\":\"rate\","
                      "\"below\":\"10%\"},{\"name\":\"late\",\"metric\":\"timeout\","
                      "\"statistic\":\"rate\",\"below\":\"1%\"}");
    /* Four ticks with traffic, of which one is down. One without traffic counts for nothing. */
    for (int i = 0; i < 5; i++) {
        if (i != 2) {
            record(unit, "error", CANARY_OLD, 90, i == 3 ? 80 : 0);
            record(unit, "error", CANARY_NEW, 10, 0);
        }
        unit->realtime += CANARY_TICK_NS;
    }
    report = tell_json(unit);
    assert_true(json_number_value(json_object_get(objective(report, 0), "value")) == 0.75);
    assert_true(json_is_false(json_object_get(objective(report, 0), "met")));
    assert_true(json_number_value(json_object_get(objective(report, 1), "value")) == 0.2);
    assert_true(json_number_value(json_object_get(objective(report, 1), "new")) == 0);
    assert_true(json_is_false(json_object_get(objective(report, 1), "met")));
    assert_true(json_is_null(json_object_get(objective(report, 2), "met")));
    json_decref(report);
    text = tell(unit, CANARY_REPORT_MARKDOWN);
    has(text, "not met | at least 90 % | 75.00 %");
    has(text, "| 40 s |");
    has(text, "no data | at most 1 %");
    has(text, "Not met: the service objective up.");
    free(text);
}

static const json_t *incident(const json_t *report, size_t i, const char *kind) {
    const json_t *one = json_array_get(json_object_get(report, "incidents"), i);

    assert_string_equal(text_of(one, "kind"), kind);
    return one;
}

static void incidents(void **state) {
    struct unit *unit = *state;
    canary_change_options by = unit_by("carol");
    json_t *report;

    begin(unit);
    unit->realtime += MINUTE;
    keep_verdict(unit, "hold", "dwell", "clear", -1, 2);
    unit->realtime += MINUTE;
    keep_verdict(unit, "rollback", "evidence", "firing", 4, 2);
    unit->realtime += MINUTE;
    keep_verdict(unit, "hold", "no_traffic", "unknown", 4, 2);
    unit->realtime += MINUTE;
    keep_verdict(unit, "hold", "dwell", "clear", 4, 2);
    unit->realtime += MINUTE;
    keep(unit, "breaker",
         "{\"at\":1,\"pid\":42,\"state\":\"open\",\"rate\":0.8,\"outcomes\":20,\"failures\":16,"
         "\"window_ms\":10000}");
    unit->realtime += MINUTE;
    keep(unit, "breaker",
         "{\"at\":2,\"pid\":42,\"state\":\"closed\",\"outcomes\":20,\"failures\":0}");
    by.note = "INC-1";
    OK(canary_flag_set(unit->store, "checkout", 0, &by, NULL, &error));
    unit->realtime += MINUTE;
    by.note = "enough";
    OK(canary_rollback(unit->store, "checkout", 0, &by, NULL, &error));
    unit->realtime += 1;

    report = tell_json(unit);
    assert_int_equal(json_array_size(json_object_get(report, "incidents")), 5);
    assert_string_equal(text_of(incident(report, 0, "rule"), "title"),
                        "Rule harm fired (rollback)");
    assert_string_equal(text_of(incident(report, 0, "rule"), "detail"), "error ratio 2.5");
    /* What is unknown for a while is not over. */
    assert_string_equal(text_of(incident(report, 0, "rule"), "until"), "2026-09-21T14:18:20Z");
    has(text_of(incident(report, 1, "verdict"), "title"), "Nothing was recorded");
    assert_true(json_is_false(json_object_get(incident(report, 1, "verdict"), "open")));
    has(text_of(incident(report, 2, "breaker"), "detail"), "16 of 20 outcomes");
    assert_true(json_is_false(json_object_get(incident(report, 2, "breaker"), "open")));
    assert_string_equal(text_of(incident(report, 3, "kill"), "by"), "carol");
    assert_true(json_is_true(json_object_get(incident(report, 3, "kill"), "open")));
    assert_string_equal(text_of(incident(report, 4, "rollback"), "detail"), "enough");
    has(text_of(report, "summary"), "1 rollback, 4 other incidents");
    /* Nobody is exposed while the flag is off, whatever the percentage. */
    assert_int_equal(json_array_size(json_object_get(report, "exposure")), 3);
    assert_string_equal(text_of(json_array_get(json_object_get(report, "exposure"), 2), "at"),
                        "2026-09-21T14:20:20Z");
    json_decref(report);
}

static void a_time(void **state) {
    struct unit *unit = *state;
    json_t *report;
    const json_t *exposure;

    begin(unit);
    unit->realtime += HOUR;
    unit_set(unit, "checkout", 2500);
    keep_verdict(unit, "hold", "dwell", "clear", 1, 3);
    unit->realtime += HOUR;
    unit_set(unit, "checkout", 5000);
    keep_verdict(unit, "hold", "samples", "clear", 1, 4);
    unit->realtime += HOUR;

    report = tell_json_between(unit, unit->realtime - 90 * MINUTE, 0);
    assert_int_equal(json_array_size(json_object_get(report, "changes")), 1);
    assert_int_equal(json_array_size(json_object_get(report, "verdicts")), 1);
    exposure = json_object_get(report, "exposure");
    assert_int_equal(json_array_size(exposure), 2);
    assert_true(json_number_value(json_object_get(json_array_get(exposure, 0), "percentage")) ==
                25);
    assert_true(json_number_value(json_object_get(json_array_get(exposure, 1), "percentage")) ==
                50);
    json_decref(report);

    report = tell_json_between(unit, UNIT_NOW, unit->realtime - 90 * MINUTE);
    assert_int_equal(json_array_size(json_object_get(report, "changes")), 3);
    assert_string_equal(text_of(json_object_get(report, "verdict"), "cause"), "dwell");
    json_decref(report);
}

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
    keep(unit, "verdict", data);
    keep(unit, "breaker",
         "{\"pid\":\"<script>\",\"state\":\"open\",\"outcomes\":\"</td>\",\"failures\":1e308}");
    unit->realtime += 1;
    text = tell(unit, CANARY_REPORT_HTML);
    has_not(text, "<script");
    has_not(text, "<img");
    has_not(text, "<svg onload");
    has_not(text, "\" onload");
    has_not(text, "\xe2\x80\xae");
    has(text, "&lt;script&gt;alert(2)&lt;/script&gt;");
    /* The page has the style it began with, and no other end of it. */
    assert_null(strstr(strstr(text, "</style>") + 1, "</style>"));
    free(text);
    text = tell(unit, CANARY_REPORT_MARKDOWN);
    has_not(text, "<script");
    has_not(text, "<img");
    has_not(text, "[c](http");
    has_not(text, "\xe2\x80\xae");
    tables_hold(text);
    free(text);
    free(data);
    json_decref(verdict);
    json_decref(tell_json(unit));
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

    begin(unit);
    for (size_t i = 0; i < COUNT(damaged); i++) {
        unit->realtime += SECOND;
        keep(unit, "verdict", damaged[i]);
        keep(unit, "breaker", damaged[i]);
    }
    for (size_t i = 0; i < COUNT(odd); i++) {
        unit->realtime += SECOND;
        keep(unit, "verdict", odd[i]);
    }
    unit->realtime += SECOND;
    keep_bytes(unit, "judge/verdict/", "x", 1);
    keep_bytes(unit, "judge/breaker/x", "x", 1);
    report = tell_json(unit);
    assert_int_equal(left_out(report, "damaged_verdicts"), COUNT(damaged));
    assert_int_equal(left_out(report, "damaged_breaker_notes"), COUNT(damaged));
    assert_int_equal(json_array_size(json_object_get(report, "verdicts")), COUNT(odd));
    json_decref(report);
    free(tell(unit, CANARY_REPORT_HTML));
    free(tell(unit, CANARY_REPORT_MARKDOWN));
}

static void random_bytes(void **state) {
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    char *text;

    begin(unit);
    for (int i = 0; i < 200; i++) {
        char data[] =
            "{\"verdict\":1,\"action\":\"hold\",\"message\":\"m\",\"rules\":[{\"name\":\"n\","
            "\"state\":\"firing\",\"proof\":\"evidence\",\"ln_w\":1,\"alpha\":0.1}]}";

        for (int j = 0; j < 3; j++) {
            data[unit_random(&seed) % (sizeof data - 1)] = (char)unit_random(&seed);
        }
        unit->realtime += SECOND;
        keep(unit, i % 2 ? "verdict" : "breaker", data);
    }
    unit->realtime += SECOND;
    text = tell(unit, CANARY_REPORT_HTML);
    has(text, "</html>");
    has_not(text, "<script");
    free(text);
    text = tell(unit, CANARY_REPORT_MARKDOWN);
    tables_hold(text);
    free(text);
    json_decref(tell_json(unit));
}

static void more_than_is_shown(void **state) {
    struct unit *unit = *state;
    json_t *report;
    char *text;

    begin(unit);
    for (int i = 0; i < 1100; i++) {
        unit->realtime += SECOND;
        unit_set(unit, "checkout", i % 2 ? 500 : 1000);
    }
    report = tell_json(unit);
    assert_int_equal(json_array_size(json_object_get(report, "changes")), 1000);
    assert_int_equal(left_out(report, "changes"), 102);
    assert_int_equal(json_array_size(json_object_get(report, "incidents")), 500);
    has(text_of(report, "summary"), "1 102 changes");
    json_decref(report);
    text = tell(unit, CANARY_REPORT_HTML);
    has(text, "102 more older changes are not shown");
    free(text);
}

static void a_writer_that_refuses(void **state) {
    static const size_t after[] = { 1, 20000 };
    struct unit *unit = *state;

    begin(unit);
    record(unit, "error", CANARY_OLD, 99, 12);
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
                  canary_report(unit->store, "checkout", &options, listen, &told, &error));
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
          canary_report(NULL, "checkout", NULL, listen, &told, &error));
    FAILS(CANARY_E_INVALID, "rollout is NULL", "",
          canary_report(unit->store, NULL, NULL, listen, &told, &error));
    FAILS(CANARY_E_INVALID, "write is NULL", "",
          canary_report(unit->store, "checkout", NULL, NULL, &told, &error));
    FAILS(CANARY_E_NOT_FOUND, "nobody", "",
          canary_report(unit->store, "nobody", NULL, listen, &told, &error));
    options.format = 4;
    FAILS(CANARY_E_INVALID, "format 4", "1 Markdown, 2 JSON, 3 HTML",
          canary_report(unit->store, "checkout", &options, listen, &told, &error));
    canary_report_options_init(&options, sizeof options);
    assert_int_equal(options.format, CANARY_REPORT_MARKDOWN);
    options.from_ns = 2;
    options.to_ns = 1;
    FAILS(CANARY_E_INVALID, "until a later one", "",
          canary_report(unit->store, "checkout", &options, listen, &told, &error));
    options.to_ns = 0;
    options.from_ns = unit->realtime + HOUR;
    FAILS(CANARY_E_INVALID, "ahead", "",
          canary_report(unit->store, "checkout", &options, listen, &told, &error));
    options.size = 4;
    FAILS(CANARY_E_INVALID, "size of 4", "",
          canary_report(unit->store, "checkout", &options, listen, &told, &error));
    assert_int_equal(told.calls, 0);
    OK(canary_report(unit->store, "checkout", NULL, listen, &told, &error));
    has(told.text, "# Report on checkout");
    free(told.text);
    canary_report_options_init(NULL, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(nothing_at_all),
        UNIT_BOTH(a_policy_without_verdicts),
        UNIT_BOTH(the_figures_of_rules),
        UNIT_BOTH(old_against_new),
        UNIT_BOTH(service_objectives),
        UNIT_BOTH(incidents),
        UNIT_BOTH(a_time),
        UNIT_BOTH(hostile_text),
        UNIT_BOTH(damaged_documents),
        UNIT_MEMORY_ONLY(random_bytes),
        UNIT_MEMORY_ONLY(more_than_is_shown),
        UNIT_BOTH(a_writer_that_refuses),
        UNIT_BOTH(arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
