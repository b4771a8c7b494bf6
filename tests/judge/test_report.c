/* SPDX-License-Identifier: MIT */
/* Reports: what they say of what happened. */
#include "reported.h"

#include <math.h>

static void nothing_at_all(void **state) {
    struct unit *unit = *state;
    char *text;
    json_t *report;

    unit_create(unit, "checkout");
    text = reported(unit, CANARY_REPORT_MARKDOWN);
    reported_has(text, "# Report on checkout");
    reported_has(text, "no outcomes were recorded");
    reported_has(text, "No policy is in force");
    reported_has(text, "Nothing was recorded in this time.");
    reported_has(text, "## Incidents\n\nNone.");
    free(text);
    text = reported(unit, CANARY_REPORT_HTML);
    reported_has(text, "NOT JUDGED");
    reported_has(text, "</html>");
    free(text);
    report = reported_json(unit);
    assert_true(json_is_null(json_object_get(report, "verdict")));
    assert_int_equal(json_array_size(json_object_get(report, "changes")), 1);
    json_decref(report);
}

static void a_policy_without_verdicts(void **state) {
    struct unit *unit = *state;
    char *text;

    reported_begin(unit);
    reported_policy(unit, "");
    text = reported(unit, CANARY_REPORT_MARKDOWN);
    reported_has(text, "canaryctl evaluate checkout");
    reported_has(text, "| `harm` | rollback | `error` |");
    reported_has(text, "not judged in this time");
    reported_has(text, "The policy names no service objectives.");
    free(text);
}

static void the_figures_of_rules(void **state) {
    struct unit *unit = *state;
    char *text;

    reported_begin(unit);
    reported_keep_verdict(unit, "hold", "require", "pending", 2.302585, 2);
    unit->realtime += MINUTE;
    text = reported(unit, CANARY_REPORT_MARKDOWN);
    reported_has(text, "HOLD: because of require");
    reported_has(text, "| `harm` | rollback |");
    reported_has(
        text,
        " pending | error ratio 2.5 | 2.50 % | above 1.1 times old | 1.00 % | 2.5 (1.5 to 4) | "
        "12 300 | 456 000 | 10 of 20, p 0.0010 | 0.0002 |");
    reported_has(text,
                 " unknown |  | - | above 600 ms | - | - | - | - | window 5 min, for 2 min | - |");
    reported_has(text, "valid for one planned look only");
    free(text);
}

static void old_against_new(void **state) {
    struct unit *unit = *state;
    json_t *report;
    const json_t *rate;
    char *text;

    reported_begin(unit);
    reported_record(unit, "error", CANARY_OLD, 99, 12);
    reported_record(unit, "error", CANARY_NEW, 83, 5);
    unit->realtime += MINUTE;
    report = reported_json(unit);
    rate = json_array_get(
        json_object_get(json_array_get(json_object_get(report, "metrics"), 0), "figures"), 0);
    assert_true(fabs(json_number_value(json_object_get(rate, "old")) - 12 / 99.0) < 1e-12);
    assert_true(fabs(json_number_value(json_object_get(rate, "new")) - 5 / 83.0) < 1e-12);
    /* statsmodels, 5 of 83 and 12 of 99 */
    assert_true(fabs(json_number_value(json_object_get(rate, "classical_p")) -
                     0.15918129181156992) < 1e-12);
    json_decref(report);
    text = reported(unit, CANARY_REPORT_HTML);
    reported_has(
        text, "aria-label=\"error, rate, over time. New cohort: 6.02&nbsp;% to 6.02&nbsp;%, last "
              "6.02&nbsp;%");
    reported_has(text, "two-proportion z");
    free(text);
}

/* How users are divided has its textbook test, too; one degree of freedom is two tails of a normal. */
static void users_against_the_percentage(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    json_t *report;
    const json_t *users;
    double fresh;
    double old;
    double off;
    char *text;

    reported_begin(unit);
    ctx = unit_open(unit, "checkout");
    for (int i = 0; i < 1000; i++) {
        canary_decision decision = CANARY_DECISION_INIT;
        canary_outcome outcome = CANARY_OUTCOME_INIT;
        char user[16];

        snprintf(user, sizeof user, "u%d", i);
        assert_int_equal(canary_explain(ctx, user, strlen(user), &decision), CANARY_OK);
        decision.cohort = i < 40 ? CANARY_NEW : decision.cohort;
        assert_int_equal(canary_record(ctx, &decision, &outcome), CANARY_OK);
    }
    OK(canary_flush(unit->store, &error));
    unit->realtime += MINUTE;
    report = reported_json(unit);
    users = json_object_get(report, "users");
    assert_true(json_is_true(json_object_get(users, "exact")));
    fresh = json_number_value(json_object_get(users, "new"));
    old = json_number_value(json_object_get(users, "old"));
    assert_true(fresh > 60 && fresh + old == 1000);
    off = fresh - 50;
    assert_string_equal(reported_text(users, "classical_test"), "chi-square");
    assert_true(fabs(json_number_value(json_object_get(users, "classical_p")) -
                     erfc(sqrt((off * off / 50 + off * off / 950) / 2))) < 1e-12);
    json_decref(report);
    text = reported(unit, CANARY_REPORT_MARKDOWN);
    reported_has(text,
                 " old, at the newest percentage; chi-square against it: p &lt; 0.0001, valid for "
                 "one planned look only");
    free(text);
    /* What is known belongs to another percentage. */
    unit_set(unit, "checkout", 5000);
    report = reported_json(unit);
    assert_true(json_is_null(json_object_get(json_object_get(report, "users"), "classical_p")));
    json_decref(report);
    canary_close(&ctx);
}

/* Equal F1 is equal q. */
static void f1_has_a_test(void **state) {
    struct unit *unit = *state;
    json_t *report;
    const json_t *f1;

    reported_begin(unit);
    for (int cohort = 0; cohort < 2; cohort++) {
        canary_import_row row = { .size = sizeof row,
                                  .cohort = cohort,
                                  .metric = "quality",
                                  .kind = CANARY_METRIC_CLASSIFICATION,
                                  .declare = 1,
                                  .tp = cohort == CANARY_NEW ? 5 : 12,
                                  .fp = cohort == CANARY_NEW ? 70 : 80,
                                  .fn = cohort == CANARY_NEW ? 8 : 7 };

        OK(canary_import(unit->store, "checkout", NULL, &row, 1, NULL, NULL, &error));
    }
    unit->realtime += MINUTE;
    report = reported_json(unit);
    f1 = json_array_get(
        json_object_get(json_array_get(json_object_get(report, "metrics"), 0), "figures"), 0);
    assert_string_equal(reported_text(f1, "figure"), "F1");
    assert_string_equal(reported_text(f1, "classical_test"), "two-proportion z");
    /* statsmodels, 5 of 83 and 12 of 99 */
    assert_true(fabs(json_number_value(json_object_get(f1, "classical_p")) - 0.15918129181156992) <
                1e-12);
    json_decref(report);
}

static json_t *objective(const json_t *report, size_t i) {
    return json_array_get(json_object_get(report, "objectives"), i);
}

static void service_objectives(void **state) {
    struct unit *unit = *state;
    json_t *report;
    char *text;

    reported_begin(unit);
    reported_policy(unit, "{\"name\":\"up\",\"statistic\":\"uptime\",\"above\":\"90%\"},"
                          "{\"name\":\"errors\",\"metric\":\"error\",\"statistic\":\"rate\","
                          "\"below\":\"10%\"},{\"name\":\"late\",\"metric\":\"timeout\","
                          "\"statistic\":\"rate\",\"below\":\"1%\"}");
    /* Four ticks with traffic, of which one is down. One without traffic counts for nothing. */
    for (int i = 0; i < 5; i++) {
        if (i != 2) {
            reported_record(unit, "error", CANARY_OLD, 90, i == 3 ? 80 : 0);
            reported_record(unit, "error", CANARY_NEW, 10, 0);
        }
        unit->realtime += CANARY_TICK_NS;
    }
    report = reported_json(unit);
    assert_true(json_number_value(json_object_get(objective(report, 0), "value")) == 0.75);
    assert_true(json_is_false(json_object_get(objective(report, 0), "met")));
    assert_true(json_number_value(json_object_get(objective(report, 1), "value")) == 0.2);
    assert_true(json_number_value(json_object_get(objective(report, 1), "new")) == 0);
    assert_true(json_is_false(json_object_get(objective(report, 1), "met")));
    assert_true(json_is_null(json_object_get(objective(report, 2), "met")));
    json_decref(report);
    text = reported(unit, CANARY_REPORT_MARKDOWN);
    reported_has(text, "not met | at least 90 % | 75.00 %");
    reported_has(text, "| 40 s |");
    reported_has(text, "no data | at most 1 %");
    reported_has(text, "Not met: the service objective up.");
    free(text);
}

static const json_t *incident(const json_t *report, size_t i, const char *kind) {
    const json_t *one = json_array_get(json_object_get(report, "incidents"), i);

    assert_string_equal(reported_text(one, "kind"), kind);
    return one;
}

static void incidents(void **state) {
    struct unit *unit = *state;
    canary_change_options by = unit_by("carol");
    json_t *report;

    reported_begin(unit);
    unit->realtime += MINUTE;
    reported_keep_verdict(unit, "hold", "dwell", "clear", -1, 2);
    unit->realtime += MINUTE;
    reported_keep_verdict(unit, "rollback", "evidence", "firing", 4, 2);
    unit->realtime += MINUTE;
    reported_keep_verdict(unit, "hold", "no_traffic", "unknown", 4, 2);
    unit->realtime += MINUTE;
    reported_keep_verdict(unit, "hold", "dwell", "clear", 4, 2);
    unit->realtime += MINUTE;
    reported_keep(
        unit, "breaker",
        "{\"at\":1,\"pid\":42,\"state\":\"open\",\"rate\":0.8,\"outcomes\":20,\"failures\":16,"
        "\"window_ms\":10000}");
    unit->realtime += MINUTE;
    reported_keep(unit, "breaker",
                  "{\"at\":2,\"pid\":42,\"state\":\"closed\",\"outcomes\":20,\"failures\":0}");
    by.note = "INC-1";
    OK(canary_flag_set(unit->store, "checkout", 0, &by, NULL, &error));
    unit->realtime += MINUTE;
    by.note = "enough";
    OK(canary_rollback(unit->store, "checkout", 0, &by, NULL, &error));
    unit->realtime += 1;

    report = reported_json(unit);
    assert_int_equal(json_array_size(json_object_get(report, "incidents")), 5);
    assert_string_equal(reported_text(incident(report, 0, "rule"), "title"),
                        "Rule harm fired (rollback)");
    assert_string_equal(reported_text(incident(report, 0, "rule"), "detail"), "error ratio 2.5");
    /* What is unknown for a while is not over. */
    assert_string_equal(reported_text(incident(report, 0, "rule"), "until"),
                        "2026-09-21T14:18:20Z");
    reported_has(reported_text(incident(report, 1, "verdict"), "title"), "Nothing was recorded");
    assert_true(json_is_false(json_object_get(incident(report, 1, "verdict"), "open")));
    reported_has(reported_text(incident(report, 2, "breaker"), "detail"), "16 of 20 outcomes");
    assert_true(json_is_false(json_object_get(incident(report, 2, "breaker"), "open")));
    assert_string_equal(reported_text(incident(report, 3, "kill"), "by"), "carol");
    assert_true(json_is_true(json_object_get(incident(report, 3, "kill"), "open")));
    assert_string_equal(reported_text(incident(report, 4, "rollback"), "detail"), "enough");
    reported_has(reported_text(report, "summary"), "1 rollback, 4 other incidents");
    /* Nobody is exposed while the flag is off, whatever the percentage. */
    assert_int_equal(json_array_size(json_object_get(report, "exposure")), 3);
    assert_string_equal(reported_text(json_array_get(json_object_get(report, "exposure"), 2), "at"),
                        "2026-09-21T14:20:20Z");
    json_decref(report);
}

static void a_time(void **state) {
    struct unit *unit = *state;
    json_t *report;
    const json_t *exposure;

    reported_begin(unit);
    unit->realtime += HOUR;
    unit_set(unit, "checkout", 2500);
    reported_keep_verdict(unit, "hold", "dwell", "clear", 1, 3);
    unit->realtime += HOUR;
    unit_set(unit, "checkout", 5000);
    reported_keep_verdict(unit, "hold", "samples", "clear", 1, 4);
    unit->realtime += HOUR;

    report = reported_json_between(unit, unit->realtime - 90 * MINUTE, 0);
    assert_int_equal(json_array_size(json_object_get(report, "changes")), 1);
    assert_int_equal(json_array_size(json_object_get(report, "verdicts")), 1);
    exposure = json_object_get(report, "exposure");
    assert_int_equal(json_array_size(exposure), 2);
    assert_true(json_number_value(json_object_get(json_array_get(exposure, 0), "percentage")) ==
                25);
    assert_true(json_number_value(json_object_get(json_array_get(exposure, 1), "percentage")) ==
                50);
    json_decref(report);

    report = reported_json_between(unit, UNIT_NOW, unit->realtime - 90 * MINUTE);
    assert_int_equal(json_array_size(json_object_get(report, "changes")), 3);
    assert_string_equal(reported_text(json_object_get(report, "verdict"), "cause"), "dwell");
    json_decref(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(nothing_at_all),
        UNIT_BOTH(a_policy_without_verdicts),
        UNIT_BOTH(the_figures_of_rules),
        UNIT_BOTH(old_against_new),
        UNIT_BOTH(users_against_the_percentage),
        UNIT_BOTH(f1_has_a_test),
        UNIT_BOTH(service_objectives),
        UNIT_BOTH(incidents),
        UNIT_BOTH(a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
