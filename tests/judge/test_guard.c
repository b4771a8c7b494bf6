/* SPDX-License-Identifier: MIT */
/* Guards, one round at a time: what they do with a verdict, and what they leave alone. */
#include <jansson.h>

#include "judged.h"

#include <canary/document.h>

static struct judged now;

/* -- what a guard told -- */

struct told {
    canary_guard_options options;
    struct unit *unit;
    int counts[8]; /* by type */
    int acting;    /* of the last LEASE */
    int code;      /* of the last ERROR */
    char messages[8][512];
    canary_change action;
    canary_verdict verdict;
    void (*then)(struct told *told, const canary_guard_event *event);
};

static void take_event(void *user_data, const canary_guard_event *event) {
    struct told *told = user_data;

    assert_int_equal(event->size, sizeof *event);
    assert_true(event->type >= CANARY_EVENT_CHANGE && event->type <= CANARY_EVENT_LEASE);
    assert_string_equal(event->rollout, JUDGED);
    assert_int_equal(event->at_ns, told->unit->realtime);
    assert_true(event->message[0] != '\0' && strchr(event->message, '\n') == NULL);
    assert_int_equal(event->change != NULL,
                     event->type == CANARY_EVENT_CHANGE || event->type == CANARY_EVENT_ACTION);
    assert_int_equal(event->verdict != NULL,
                     event->type == CANARY_EVENT_VERDICT || event->type == CANARY_EVENT_ACTION);
    told->counts[event->type]++;
    snprintf(told->messages[event->type], sizeof told->messages[0], "%s", event->message);
    if (event->type == CANARY_EVENT_ACTION) {
        told->action = *event->change;
    }
    if (event->verdict != NULL) {
        told->verdict = *event->verdict;
    }
    told->code = event->type == CANARY_EVENT_ERROR ? event->code : told->code;
    told->acting = event->type == CANARY_EVENT_LEASE ? event->acting : told->acting;
    if (told->then != NULL) {
        told->then(told, event);
    }
}

static void told_begin(struct told *told, struct unit *unit) {
    memset(told, 0, sizeof *told);
    told->unit = unit;
    told->options = (canary_guard_options)CANARY_GUARD_OPTIONS_INIT;
    told->options.rollout = JUDGED;
    told->options.callback = take_event;
    told->options.user_data = told;
}

static struct told told;

static void round_of(struct unit *unit) {
    told_begin(&told, unit);
    OK(canary_guard_once(unit->store, &told.options, &error));
}

static struct unit *harmed(const char *mode, const char *more) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    judged_plain(unit, mode, more);
    judged_ticks(unit, 30, 950, 10, 50, 6);
    return unit;
}

static struct unit *healthy(const char *mode, const char *more) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    judged_plain(unit, mode, more);
    judged_ticks(unit, 30, 950, 10, 50, 0);
    return unit;
}

/* -- acting -- */

static void harm_is_rolled_back_once(void **state) {
    struct unit *unit = harmed("auto", "");
    canary_change change = { .size = sizeof change };
    static char evidence[65536];
    uint64_t size = 0;
    json_t *root;

    (void)state;
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 0);
    assert_int_equal(judged_changes(unit->store, "rollback", &change), 1);
    assert_int_equal(strncmp(change.by, "guard@", 6), 0);
    assert_int_equal(change.from_percentage_bp, 500);
    assert_non_null(strstr(change.note, "harm"));
    assert_int_equal(told.counts[CANARY_EVENT_ACTION], 1);
    assert_int_equal(told.action.id, change.id);
    assert_int_equal(told.counts[CANARY_EVENT_CHANGE], 0);
    assert_int_equal(told.counts[CANARY_EVENT_VERDICT], 1);
    assert_int_equal(told.counts[CANARY_EVENT_ERROR], 0);
    /* The evidence is the verdict. */
    OK(canary_change_evidence(unit->store, change.id, evidence, sizeof evidence, &size, &error));
    root = json_loadb(evidence, (size_t)size, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "acted_by")), change.by);
    assert_string_equal(json_string_value(json_object_get(root, "action")), "rollback");
    assert_int_equal(json_array_size(json_object_get(root, "rules")), 2);
    assert_int_equal(json_integer_value(json_object_get(root, "revision")), change.revision - 1);
    json_decref(root);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    /* And that was it. */
    for (int i = 0; i < 5; i++) {
        judged_ticks(unit, 1, 1000, 10, 0, 0);
        round_of(unit);
        assert_int_equal(told.counts[CANARY_EVENT_ACTION], 0);
        assert_int_equal(told.verdict.cause, CANARY_CAUSE_CLOSED);
    }
    assert_int_equal(judged_changes(unit->store, "rollback", NULL), 1);
    unit_free(unit);
}

static void a_gradual_rollback_goes_one_stage(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 5000);

    (void)state;
    judged_policy(unit,
                  "{\"policy\":1,\"name\":\"p\",\"mode\":\"approve\",\"design_effect\":1,"
                  "\"rules\":[{\"name\":\"harm\",\"metric\":\"error\",\"above\":\"1%\","
                  "\"window\":\"1m\",\"for\":\"1m\",\"min_samples\":100,\"action\":\"rollback\","
                  "\"to\":\"previous\"}]}");
    judged_ticks(unit, 30, 500, 5, 500, 20);
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    /* Judged anew: what was recorded at 50 % does not count any more. */
    judged_pass(unit, TICK);
    round_of(unit);
    assert_int_equal(told.counts[CANARY_EVENT_ACTION], 0);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    judged_ticks(unit, 30, 750, 7, 250, 10);
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    assert_int_equal(judged_changes(unit->store, "rollback", NULL), 2);
    unit_free(unit);
}

static void a_healthy_release_goes_all_the_way(void **state) {
    struct unit *unit = healthy("auto", "");
    canary_change change = { .size = sizeof change };

    (void)state;
    for (int i = 0; i < 40; i++) {
        round_of(unit);
        judged_ticks(unit, 10, 500, 5, 500, 5);
    }
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 10000);
    assert_int_equal(judged_changes(unit->store, "advance", &change), 3);
    assert_int_equal(change.to_percentage_bp, 10000);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_COMPLETE);
    unit_free(unit);
}

static void dwell_time_is_kept(void **state) {
    struct unit *unit = healthy("auto", ",\"stages\":[{\"percentage\":5,\"dwell\":\"1h\"},"
                                        "{\"percentage\":25,\"dwell\":\"1h\"},"
                                        "{\"percentage\":50},{\"percentage\":100}]");

    (void)state;
    round_of(unit);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_DWELL);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    judged_ticks(unit, 329, 950, 10, 50, 0); /* to 10 s before the hour is over */
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    judged_ticks(unit, 1, 950, 10, 50, 0);
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    unit_free(unit);
}

/* A clock that jumps by a day, or a night without a request, tries nobody. */
static void silence_is_no_dwell_time(void **state) {
    struct unit *unit = healthy("auto", ",\"stages\":[{\"percentage\":5,\"dwell\":\"1h\"},"
                                        "{\"percentage\":25,\"dwell\":\"1h\"},"
                                        "{\"percentage\":50},{\"percentage\":100}]");

    (void)state;
    round_of(unit);
    judged_pass(unit, DAY);
    judged_ticks(unit, 40, 950, 10, 50, 0);
    round_of(unit);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_DWELL);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    judged_ticks(unit, 300, 950, 10, 50, 0);
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    unit_free(unit);
}

/* -- leaving alone -- */

static void observers_do_nothing(void **state) {
    struct unit *unit = harmed("observe", "");

    (void)state;
    round_of(unit);
    assert_int_equal(told.verdict.action, CANARY_VERDICT_ROLLBACK);
    assert_int_equal(told.counts[CANARY_EVENT_ACTION], 0);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    unit_free(unit);
    unit = harmed("auto", "");
    told_begin(&told, unit);
    told.options.flags = CANARY_GUARD_OBSERVE;
    OK(canary_guard_once(unit->store, &told.options, &error));
    assert_int_equal(told.verdict.action, CANARY_VERDICT_ROLLBACK);
    assert_int_equal(told.counts[CANARY_EVENT_ACTION] + told.counts[CANARY_EVENT_LEASE], 0);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    unit_free(unit);
}

static void frozen_and_killed_are_left_alone(void **state) {
    struct unit *unit = harmed("auto", ",\"freeze\":true");

    (void)state;
    round_of(unit);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_FROZEN);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    unit_free(unit);
    unit = harmed("auto", "");
    OK(canary_flag_set(unit->store, JUDGED, 0, NULL, NULL, &error));
    round_of(unit);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_KILLED);
    assert_int_equal(judged_changes(unit->store, "rollback", NULL), 0);
    unit_free(unit);
}

/* A person is quicker, between verdict and action: the guard's verdict is about what is no more. */
static void person_rolls_back(struct told *by, const canary_guard_event *event) {
    canary_change_options person = unit_by("alice@example.com");

    if (event->type == CANARY_EVENT_VERDICT) {
        OK(canary_rollback(by->unit->store, JUDGED, 0, &person, NULL, &error));
    }
}

static void person_notes(struct told *by, const canary_guard_event *event) {
    canary_change_options person = unit_by("alice@example.com");

    if (event->type == CANARY_EVENT_VERDICT) {
        OK(canary_note(by->unit->store, JUDGED, "decision", &person, NULL, &error));
    }
}

static void what_changed_meanwhile_is_judged_anew(void **state) {
    struct unit *unit = harmed("auto", "");
    canary_change change = { .size = sizeof change };

    (void)state;
    told_begin(&told, unit);
    told.then = person_rolls_back;
    OK(canary_guard_once(unit->store, &told.options, &error));
    assert_int_equal(told.counts[CANARY_EVENT_ACTION], 0);
    assert_int_equal(judged_changes(unit->store, "rollback", &change), 1);
    assert_string_equal(change.by, "alice@example.com");
    unit_free(unit);
    /* An advance expects the revision, too. */
    unit = healthy("auto", "");
    told_begin(&told, unit);
    told.then = person_notes;
    OK(canary_guard_once(unit->store, &told.options, &error));
    assert_int_equal(told.counts[CANARY_EVENT_ACTION], 0);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    unit_free(unit);
}

/* -- people -- */

static void approval_opens_one_advance(void **state) {
    struct unit *unit = healthy("approve", "");
    canary_change_options person = unit_by("alice@example.com");
    canary_change change = { .size = sizeof change };

    (void)state;
    round_of(unit);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_APPROVAL);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    OK(canary_approve(unit->store, JUDGED, &person, &change, &error));
    assert_string_equal(change.action, "approve");
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    /* For that generation only. */
    judged_ticks(unit, 30, 750, 7, 250, 2);
    round_of(unit);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_APPROVAL);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    unit_free(unit);
}

static void the_last_word_of_people_counts(void **state) {
    struct unit *unit = healthy("approve", "");
    canary_change_options person = unit_by("alice@example.com");

    (void)state;
    OK(canary_approve(unit->store, JUDGED, &person, NULL, &error));
    person.note = "the queue is growing";
    OK(canary_decision_log(unit->store, JUDGED, CANARY_VERDICT_HOLD, &person, NULL, &error));
    round_of(unit);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_APPROVAL);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    person.note = "it was another service's";
    OK(canary_decision_log(unit->store, JUDGED, CANARY_VERDICT_ADVANCE, &person, NULL, &error));
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    OK(canary_approve(unit->store, JUDGED, &person, NULL, &error));
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    unit_free(unit);
}

static void cooldown_and_attempts(void **state) {
    struct unit *unit = harmed("auto", ",\"cooldown\":\"30m\",\"attempts\":2");

    (void)state;
    round_of(unit);
    unit_set(unit, JUDGED, 500);
    judged_ticks(unit, 30, 950, 10, 50, 0);
    round_of(unit);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_COOLDOWN);
    judged_ticks(unit, 160, 950, 10, 50, 0);
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    /* A second time, by a guard of another name; then none advances any more. */
    judged_ticks(unit, 30, 750, 8, 250, 20);
    told_begin(&told, unit);
    told.options.by = "the night watch";
    OK(canary_guard_once(unit->store, &told.options, &error));
    assert_string_equal(told.action.by, "the night watch");
    unit_set(unit, JUDGED, 500);
    judged_ticks(unit, 400, 950, 10, 50, 0);
    round_of(unit);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_ATTEMPTS);
    /* The next policy counts anew. */
    judged_plain(unit, "auto", ",\"attempts\":2");
    judged_ticks(unit, 1, 950, 10, 50, 0);
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 2500);
    unit_free(unit);
}

/* -- leases -- */

static void write_lease(struct unit *unit, const char *holder, int64_t until_ns) {
    canary_document lease = CANARY_DOCUMENT_INIT;
    char text[128];

    snprintf(text, sizeof text, "{\"holder\":\"%s\",\"until\":%lld}", holder, (long long)until_ns);
    lease.name = "judge/lease";
    lease.data = text;
    lease.data_size = strlen(text);
    OK(canary_document_write(unit->store, JUDGED, &lease, 1, &error));
}

static void one_guard_acts(void **state) {
    struct unit *unit = harmed("auto", "");

    (void)state;
    write_lease(unit, "guard@elsewhere:1#1", unit->realtime + 30 * SECOND);
    told_begin(&told, unit);
    FAILS(CANARY_E_BUSY, "guard@elsewhere:1", JUDGED,
          canary_guard_once(unit->store, &told.options, &error));
    assert_int_equal(told.counts[CANARY_EVENT_LEASE], 1);
    assert_int_equal(told.acting, 0);
    assert_int_equal(told.counts[CANARY_EVENT_VERDICT] + told.counts[CANARY_EVENT_ERROR], 0);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    /* It died: 30 s later another one takes over. */
    judged_pass(unit, 29 * SECOND);
    FAILS(CANARY_E_BUSY, "", "", canary_guard_once(unit->store, &told.options, &error));
    judged_pass(unit, SECOND);
    round_of(unit);
    assert_int_equal(told.acting, 1);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 0);
    unit_free(unit);
}

static void a_lease_from_the_future_holds_nothing(void **state) {
    struct unit *unit = harmed("auto", "");

    (void)state;
    write_lease(unit, "guard@elsewhere:1#1", unit->realtime + 61 * SECOND);
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 0);
    unit_free(unit);
    unit = harmed("auto", "");
    write_lease(unit, "\\u0000", INT64_MAX); /* no JSON string of C */
    round_of(unit);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 0);
    unit_free(unit);
}

static int take_nothing(void *user_data, const canary_document *document) {
    (void)user_data;
    (void)document;
    return 0;
}

static void a_lease_is_given_back(void **state) {
    struct unit *unit = healthy("observe", "");

    (void)state;
    round_of(unit);
    assert_int_equal(told.acting, 1);
    FAILS(CANARY_E_NOT_FOUND, "", "",
          canary_document_read(unit->store, JUDGED, "judge/lease", take_nothing, NULL, &error));
    unit_free(unit);
}

/* -- trouble -- */

static void a_policy_of_no_understanding_holds(void **state) {
    struct unit *unit = healthy("auto", "");

    (void)state;
    OK(canary_rollout_policy_set(unit->store, JUDGED, "{\"policy\":2}", 12, NULL, NULL, &error));
    told_begin(&told, unit);
    FAILS(CANARY_E_INVALID, "", "", canary_guard_once(unit->store, &told.options, &error));
    assert_int_equal(told.counts[CANARY_EVENT_ERROR], 1);
    assert_int_equal(told.verdict.cause, CANARY_CAUSE_ERROR);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.code, CANARY_E_INVALID);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_ERROR);
    assert_int_equal(now.verdict.percentage_bp, 500);
    unit_free(unit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harm_is_rolled_back_once),
        cmocka_unit_test(a_gradual_rollback_goes_one_stage),
        cmocka_unit_test(a_healthy_release_goes_all_the_way),
        cmocka_unit_test(dwell_time_is_kept),
        cmocka_unit_test(silence_is_no_dwell_time),
        cmocka_unit_test(observers_do_nothing),
        cmocka_unit_test(frozen_and_killed_are_left_alone),
        cmocka_unit_test(what_changed_meanwhile_is_judged_anew),
        cmocka_unit_test(approval_opens_one_advance),
        cmocka_unit_test(the_last_word_of_people_counts),
        cmocka_unit_test(cooldown_and_attempts),
        cmocka_unit_test(one_guard_acts),
        cmocka_unit_test(a_lease_from_the_future_holds_nothing),
        cmocka_unit_test(a_lease_is_given_back),
        cmocka_unit_test(a_policy_of_no_understanding_holds),
    };

    return cmocka_run_group_tests_name("guards", tests, NULL, NULL);
}
