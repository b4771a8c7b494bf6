/* SPDX-License-Identifier: MIT */
/* Guards and what people say: options and words that are refused, and evidence that fits. */
#include <jansson.h>

#include "judged.h"

#include "judge/guard_ward.h"

static void approval_has_its_limits(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 0);
    canary_change_options expecting = CANARY_CHANGE_OPTIONS_INIT;

    (void)state;
    FAILS(CANARY_E_REFUSED, "0 %", "", canary_approve(unit->store, JUDGED, NULL, NULL, &error));
    unit_set(unit, JUDGED, 10000);
    FAILS(CANARY_E_REFUSED, "top", "", canary_approve(unit->store, JUDGED, NULL, NULL, &error));
    unit_set(unit, JUDGED, 500);
    expecting.expected_revision = 1;
    FAILS(CANARY_E_CONFLICT, "", "", canary_approve(unit->store, JUDGED, &expecting, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "", "", canary_approve(unit->store, "nobody", NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "NULL", "", canary_approve(NULL, JUDGED, NULL, NULL, &error));
    assert_int_equal(judged_changes(unit->store, "approve", NULL), 0);
    unit_free(unit);
}

static void decisions_are_recorded(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    canary_change_options person = unit_by("alice@example.com");
    canary_change change = { .size = sizeof change };
    char longest[CANARY_NOTE_MAX + 1];

    (void)state;
    person.note = "the payment team is at a conference";
    OK(canary_decision_log(unit->store, JUDGED, CANARY_VERDICT_HOLD, &person, &change, &error));
    assert_string_equal(change.action, "decision");
    assert_string_equal(change.note, "HOLD: the payment team is at a conference");
    assert_int_equal(change.to_percentage_bp, 500);
    OK(canary_decision_log(unit->store, JUDGED, CANARY_VERDICT_ADVANCE, &person, &change, &error));
    assert_int_equal(strncmp(change.note, "PROCEED: ", 9), 0);
    person.note = " ";
    FAILS(CANARY_E_INVALID, "why", "",
          canary_decision_log(unit->store, JUDGED, CANARY_VERDICT_HOLD, &person, NULL, &error));
    FAILS(CANARY_E_INVALID, "why", "",
          canary_decision_log(unit->store, JUDGED, CANARY_VERDICT_HOLD, NULL, NULL, &error));
    person.note = "why";
    FAILS(CANARY_E_INVALID, "decision 4", "3",
          canary_decision_log(unit->store, JUDGED, 4, &person, NULL, &error));
    memset(longest, 'x', sizeof longest);
    longest[CANARY_NOTE_MAX - 5] = '\0';
    person.note = longest;
    FAILS(CANARY_E_INVALID, "1018 bytes", "1023",
          canary_decision_log(unit->store, JUDGED, CANARY_VERDICT_HOLD, &person, NULL, &error));
    longest[CANARY_NOTE_MAX - 6] = '\0';
    OK(canary_decision_log(unit->store, JUDGED, CANARY_VERDICT_HOLD, &person, NULL, &error));
    assert_int_equal(judged_changes(unit->store, "decision", NULL), 3);
    unit_free(unit);
}

static void options_are_checked(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;
    canary_guard *guard = NULL;
    char name[300];

    (void)state;
    options.rollout = "nobody";
    FAILS(CANARY_E_NOT_FOUND, "nobody", "", canary_guard_once(unit->store, &options, &error));
    FAILS(CANARY_E_NOT_FOUND, "nobody", "",
          canary_guard_start(unit->store, &options, &guard, &error));
    options.rollout = "";
    FAILS(CANARY_E_INVALID, "0 bytes", "128", canary_guard_once(unit->store, &options, &error));
    options.rollout = NULL;
    options.flags = 6;
    FAILS(CANARY_E_INVALID, "0x6", "0x1",
          canary_guard_start(unit->store, &options, &guard, &error));
    options.flags = 0;
    options.interval_ns = -1;
    FAILS(CANARY_E_INVALID, "-1", "1 day",
          canary_guard_start(unit->store, &options, &guard, &error));
    options.interval_ns = 0;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    options.by = name;
    FAILS(CANARY_E_INVALID, "299", "255", canary_guard_once(unit->store, &options, &error));
    options.by = NULL;
    FAILS(CANARY_E_INVALID, "NULL", "", canary_guard_once(NULL, &options, &error));
    FAILS(CANARY_E_INVALID, "NULL", "", canary_guard_start(unit->store, &options, NULL, &error));
    options.size = 4;
    FAILS(CANARY_E_INVALID, "size", "4", canary_guard_once(unit->store, &options, &error));
    assert_null(guard);
    canary_guard_stop(&guard);
    canary_guard_stop(NULL);
    /* Nothing to guard is no error. */
    OK(canary_guard_once(unit->store, NULL, &error));
    unit_free(unit);
}

/* A verdict may be longer than evidence: whole rules are left out, the one that decided is not. */
static void evidence_fits(void **state) {
    static canary_rule_result rules[64];
    canary_verdict verdict = { .size = sizeof verdict,
                               .action = CANARY_VERDICT_ROLLBACK,
                               .cause = CANARY_CAUSE_EVIDENCE,
                               .rule = 62,
                               .rule_count = 64,
                               .rules = rules };
    char *text = NULL;
    json_t *root;
    const json_t *kept;

    (void)state;
    for (int i = 0; i < 64; i++) {
        rules[i].size = sizeof rules[i];
        snprintf(rules[i].name, sizeof rules[i].name, "rule-%d", i);
        memset(rules[i].message, i % 2 == 0 ? '"' : '\\', sizeof rules[i].message - 1);
    }
    OK(canary__guard_evidence(&verdict, "guard@here:1", &text, &error));
    assert_true(strlen(text) < 65536 && strlen(text) > 60000);
    root = json_loads(text, 0, NULL);
    assert_non_null(root);
    kept = json_object_get(root, "rules");
    assert_true(json_array_size(kept) > 32);
    assert_int_equal(json_integer_value(json_object_get(root, "rule")), json_array_size(kept) - 1);
    assert_int_equal(json_integer_value(json_object_get(root, "rules_left_out")),
                     64 - (json_int_t)json_array_size(kept));
    assert_string_equal(json_string_value(json_object_get(json_array_get(kept, 0), "name")),
                        "rule-0");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(kept, json_array_size(kept) - 1), "name")),
        "rule-62");
    json_decref(root);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approval_has_its_limits),
        cmocka_unit_test(decisions_are_recorded),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(evidence_fits),
    };

    return cmocka_run_group_tests_name("calls of guards", tests, NULL, NULL);
}
