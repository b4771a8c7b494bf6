/* SPDX-License-Identifier: MIT */
/* What is old, edited, of another time or of another store raises nothing, and blinds no limit. */
#include <sqlite3.h>
#include <unistd.h>

#include "judged.h"

#include "judge/state_stored.h"

#include <canary/document.h>

#define LIMIT_POLICY                                                                               \
    "{\"policy\":1,\"name\":\"limits\",\"mode\":\"auto\",\"design_effect\":1,\"rules\":["          \
    "{\"name\":\"limit\",\"metric\":\"error\",\"above\":\"20%\",\"window\":\"1m\",\"for\":\"1m\"," \
    "\"min_samples\":100,\"action\":\"rollback\"}]}"

static struct judged now;

static uint32_t percentage(struct unit *unit) {
    return unit_read(unit, JUDGED).percentage_bp;
}

static void guard(struct unit *unit, canary_guard_fn callback) {
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;

    options.rollout = JUDGED;
    options.callback = callback;
    options.user_data = unit;
    OK(canary_guard_once(unit->store, &options, &error));
}

/* -- verdicts that are old when they are acted on -- */

static void take_ten_minutes(void *user_data, const canary_guard_event *event) {
    if (event->type == CANARY_EVENT_VERDICT) {
        judged_ticks(user_data, 60, 950, 10, 50, 40);
    }
}

static void stand_still(void *user_data, const canary_guard_event *event) {
    struct unit *unit = user_data;

    if (event->type == CANARY_EVENT_VERDICT) {
        unit->monotonic += HOUR;
    }
}

static void an_old_verdict_raises_nothing(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 30, 950, 10, 50, 0);
    judged_evaluate(unit, CANARY_EVALUATE_LOOK, &now);
    judged_is(&now, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN);
    guard(unit, stand_still);
    assert_int_equal(percentage(unit), 500);
    guard(unit, take_ten_minutes);
    assert_int_equal(percentage(unit), 500);
    /* Judged anew it is what it is by now. */
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 0);
    unit_free(unit);
}

/* A rollback is as right as it was. */
static void an_old_rollback_is_done(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 30, 950, 10, 50, 6);
    guard(unit, stand_still);
    assert_int_equal(percentage(unit), 0);
    unit_free(unit);
}

/* -- a store that was put back from a copy -- */

static void copy_file(const char *from, const char *to) {
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    char bytes[4096];
    size_t size;

    assert_non_null(in);
    assert_non_null(out);
    while ((size = fread(bytes, 1, sizeof bytes, in)) > 0) {
        assert_int_equal(fwrite(bytes, 1, size, out), size);
    }
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void an_equal_number_is_another_generation(void **state) {
    struct unit *unit = judged_new(UNIT_SQLITE, 500);
    uint64_t generation;
    char saved[600];

    (void)state;
    judged_plain(unit, "auto", "");
    canary_store_close(&unit->store);
    snprintf(saved, sizeof saved, "%s-saved", unit->path);
    copy_file(unit->path, saved);
    OK(canary_store_open(unit->path, &unit->options, &unit->store, &error));
    unit_set(unit, JUDGED, 1000);
    judged_ticks(unit, 30, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN);
    generation = now.verdict.generation;
    canary_store_close(&unit->store);
    copy_file(saved, unit->path);
    OK(canary_store_open(unit->path, &unit->options, &unit->store, &error));
    judged_pass(unit, MINUTE);
    unit_set(unit, JUDGED, 2500);
    judged_pass(unit, TICK);
    judged_evaluate(unit, 0, &now);
    /* What was seen at 10 % says nothing of 25 %. */
    assert_int_equal(now.verdict.generation, generation);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_SAMPLES);
    assert_true(now.rules[0].n_new == 0 && now.rules[1].n_new == 0);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 2500);
    unit_free(unit);
}

/* -- a trail that was edited -- */

static void edit(struct unit *unit, const char *sql) {
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(unit->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void an_edited_row_approves_nothing(void **state) {
    struct unit *unit = judged_new(UNIT_SQLITE, 500);
    canary_change_options wait = unit_by("bob");
    canary_change_options approve = unit_by("carol");

    (void)state;
    wait.note = "not before Monday";
    judged_plain(unit, "approve", "");
    OK(canary_decision_log(unit->store, JUDGED, CANARY_VERDICT_HOLD, &wait, NULL, &error));
    OK(canary_override_set(unit->store, JUDGED, "alice", 5, CANARY_OLD, &wait, NULL, &error));
    edit(unit, "DROP TRIGGER changes_no_update;"
               "UPDATE changes SET action = 'approve' WHERE action = 'decision';"
               "CREATE TRIGGER changes_no_update BEFORE UPDATE ON changes\n"
               "BEGIN SELECT RAISE(ABORT, 'changes is append-only'); END");
    judged_ticks(unit, 30, 950, 10, 50, 0);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 500);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_APPROVAL);
    /* A person's is one all the same. */
    OK(canary_approve(unit->store, JUDGED, &approve, NULL, &error));
    judged_ticks(unit, 30, 950, 10, 50, 0);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 2500);
    unit_free(unit);
}

/* -- clocks -- */

/* Somebody looks by a clock that is a year ahead: evidence waits for that time, limits do not. */
static void a_clock_ahead_blinds_no_limit(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_policy(unit, LIMIT_POLICY);
    unit_set(unit, JUDGED, 10000);
    judged_ticks(unit, 30, 500, 5, 500, 5);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_COMPLETE);
    judged_pass(unit, 365 * DAY);
    judged_evaluate(unit, 0, &now);
    judged_pass(unit, -365 * DAY);
    judged_ticks(unit, 3, 500, 5, 500, 5);
    guard(unit, NULL);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA);
    assert_int_equal(now.rules[0].state, CANARY_STATE_CLEAR);
    judged_ticks(unit, 6, 500, 5, 500, 500);
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.rules[0].state, CANARY_STATE_PENDING);
    judged_ticks(unit, 6, 500, 5, 500, 500);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_LIMIT);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 0);
    unit_free(unit);
}

/* The percentage was set an hour from now. */
static void a_clock_behind_blinds_no_limit(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_policy(unit, LIMIT_POLICY);
    judged_ticks(unit, 30, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_pass(unit, -HOUR);
    for (int i = 0; i < 30 && percentage(unit) != 0; i++) {
        judged_ticks(unit, 1, 950, 10, 50, 50);
        guard(unit, NULL);
        assert_true(percentage(unit) <= 500);
    }
    assert_int_equal(percentage(unit), 0);
    unit_free(unit);
}

/* -- kill switches -- */

/* A stage is lived through in traffic, not behind a kill switch. */
static void a_kill_switch_is_no_dwell_time(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto",
                 ",\"stages\":[{\"percentage\":\"5%\",\"dwell\":\"24h\"},{\"percentage\":\"25%\"},"
                 "{\"percentage\":\"50%\"},{\"percentage\":\"100%\"}]");
    judged_ticks(unit, 30, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DWELL);
    OK(canary_flag_set(unit->store, JUDGED, 0, NULL, NULL, &error));
    judged_pass(unit, DAY);
    OK(canary_flag_set(unit->store, JUDGED, 1, NULL, NULL, &error));
    judged_ticks(unit, 30, 950, 10, 50, 0);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 500);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DWELL);
    assert_non_null(strstr(now.verdict.message, "23 h 55 min are left of the stage's 1 d"));
    judged_pass(unit, DAY);
    judged_ticks(unit, 30, 950, 10, 50, 0);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 2500);
    unit_free(unit);
}

/* -- circuit breakers -- */

static void put_document(struct unit *unit, const char *rollout, const char *name,
                         const char *text) {
    canary_document document = CANARY_DOCUMENT_INIT;

    document.name = name;
    document.data = text;
    document.data_size = strlen(text);
    OK(canary_document_write(unit->store, rollout, &document, 1, &error));
}

static void put_opening(struct unit *unit, int64_t at_ns) {
    char name[64];

    snprintf(name, sizeof name, "judge/breaker/%020lld-4711", (long long)at_ns);
    put_document(unit, JUDGED, name, "{}");
}

/* While one is open nothing is recorded that would speak against the release. */
static void a_breaker_that_opened_cools_down(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", ",\"cooldown\":\"30m\"");
    judged_ticks(unit, 30, 950, 10, 50, 0);
    put_opening(unit, unit->realtime - MINUTE);
    /* The clock of that process is years ahead, and hides no other. */
    put_opening(unit, unit->realtime + 400 * DAY);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 500);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_COOLDOWN);
    assert_non_null(strstr(now.verdict.message, "a circuit breaker opened 1 min ago"));
    assert_true(now.verdict.ready_at_ns == unit->realtime + 29 * MINUTE);
    judged_ticks(unit, 180, 950, 10, 50, 0);
    guard(unit, NULL);
    assert_int_equal(percentage(unit), 2500);
    unit_free(unit);
}

/* -- several rollouts -- */

/* What is the matter with one is told, though another one is another guard's. */
static void a_busy_rollout_hides_no_trouble(void **state) {
    static const char *const names[] = { "aaa", "zzz" };
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct unit *unit = judged_new(UNIT_MEMORY, 500);
        char lease[128];

        for (int j = 0; j < 2; j++) {
            static const char nonsense[] = "{\"policy\":9}";

            unit_create(unit, names[j]);
            OK(canary_rollout_policy_set(unit->store, names[j], nonsense, strlen(nonsense), NULL,
                                         NULL, &error));
        }
        snprintf(lease, sizeof lease, "{\"holder\":\"other\",\"until\":%lld}",
                 (long long)(unit->realtime + 20 * SECOND));
        put_document(unit, names[i], "judge/lease", lease);
        FAILS(CANARY_E_INVALID, names[1 - i], "policy",
              canary_guard_once(unit->store, &options, &error));
        unit_free(unit);
    }
}

/* -- versions -- */

struct taken {
    uint8_t data[65536];
    size_t size;
    uint64_t version;
};

static int take_state(void *user_data, const canary_document *document) {
    struct taken *taken = user_data;

    assert_true(document->data_size <= sizeof taken->data);
    memcpy(taken->data, document->data, (size_t)document->data_size);
    taken->size = (size_t)document->data_size;
    taken->version = document->version;
    return 0;
}

/* What a newer library kept is left as it is, and limits act without it. */
static void a_newer_state_blinds_no_limit(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    canary_document document = CANARY_DOCUMENT_INIT;
    static struct taken before;
    static struct taken after;

    (void)state;
    judged_policy(unit, LIMIT_POLICY);
    judged_ticks(unit, 5, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    OK(canary_document_read(unit->store, JUDGED, "judge/state", take_state, &before, &error));
    before.data[0] = CANARY__STORED_VERSION + 1;
    canary__stored_seal(before.data, before.size - CANARY__STORED_SEAL,
                        before.data + before.size - CANARY__STORED_SEAL);
    document.name = "judge/state";
    document.data = before.data;
    document.data_size = before.size;
    OK(canary_document_write(unit->store, JUDGED, &document, 1, &error));
    OK(canary_document_read(unit->store, JUDGED, "judge/state", take_state, &before, &error));
    judged_ticks(unit, 2, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.code, CANARY_OK);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA);
    for (int i = 0; i < 30 && percentage(unit) != 0; i++) {
        judged_ticks(unit, 1, 950, 10, 50, 50);
        guard(unit, NULL);
        assert_true(percentage(unit) <= 500);
    }
    assert_int_equal(percentage(unit), 0);
    OK(canary_document_read(unit->store, JUDGED, "judge/state", take_state, &after, &error));
    assert_memory_equal(&before, &after, sizeof before);
    unit_free(unit);
}

/* -- names -- */

static void a_name_that_no_change_takes_is_refused(void **state) {
    static const char *const names[] = { "guard\xff", "on\ncall", "\x7f", "\xc3" };
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;
    canary_guard *started = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        options.by = names[i];
        FAILS(CANARY_E_INVALID, "`by`", "one line",
              canary_guard_once(unit->store, &options, &error));
        FAILS(CANARY_E_INVALID, "`by`", "one line",
              canary_guard_start(unit->store, &options, &started, &error));
        assert_null(started);
    }
    options.by = "Wächter 1";
    OK(canary_guard_once(unit->store, &options, &error));
    unit_free(unit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_verdict_raises_nothing),
        cmocka_unit_test(an_old_rollback_is_done),
        cmocka_unit_test(an_equal_number_is_another_generation),
        cmocka_unit_test(an_edited_row_approves_nothing),
        cmocka_unit_test(a_clock_ahead_blinds_no_limit),
        cmocka_unit_test(a_clock_behind_blinds_no_limit),
        cmocka_unit_test(a_kill_switch_is_no_dwell_time),
        cmocka_unit_test(a_breaker_that_opened_cools_down),
        cmocka_unit_test(a_busy_rollout_hides_no_trouble),
        cmocka_unit_test(a_newer_state_blinds_no_limit),
        cmocka_unit_test(a_name_that_no_change_takes_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
