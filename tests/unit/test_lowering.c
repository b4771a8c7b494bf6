/* SPDX-License-Identifier: MIT */
/* Rollbacks that nothing stops, emergencies, and both while somebody else holds the database. */
#include "support.h"

#include <sqlite3.h>
#include <time.h>

#define ROLLOUT "lowering"

/* -- rollbacks -- */

static void rollback_at_zero_is_harmless(void **state) {
    struct unit *unit = *state;
    canary_change change = { .size = sizeof change };
    canary_change_options wrong = unit_by("carol");

    unit_create(unit, ROLLOUT);
    wrong.expected_revision = 99;
    wrong.expected_stage = 3;
    for (int i = 0; i < 3; i++) {
        OK(canary_rollback(unit->store, ROLLOUT, 0, &wrong, &change, &error));
        assert_string_equal(change.action, "rollback");
        assert_int_equal(change.from_percentage_bp, 0);
        assert_int_equal(change.to_percentage_bp, 0);
    }
    assert_int_equal(unit_read(unit, ROLLOUT).revision, 4);
    OK(canary_set_stage(unit->store, ROLLOUT, 0, &wrong, &change, &error));
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
}

static void rollback_never_raises(void **state) {
    struct unit *unit = *state;
    canary_rollout before = unit_begin_at(unit, ROLLOUT, 2600);
    canary_ctx *ctx = unit_open(unit, ROLLOUT);

    FAILS(CANARY_E_INVALID, "cannot raise", "50.00 %",
          canary_rollback(unit->store, ROLLOUT, 3, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "26.00 %", ROLLOUT,
          canary_rollback(unit->store, ROLLOUT, 4, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "stage 5", "0 to 4",
          canary_rollback(unit->store, ROLLOUT, 5, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "stage -1", "0 to 31",
          canary_rollback(unit->store, ROLLOUT, -1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "stage 32", "0 to 31",
          canary_rollback(unit->store, ROLLOUT, 32, NULL, NULL, &error));
    unit_unchanged(unit, &before);
    /* The refused ones left no cap behind. */
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 2600);
    assert_int_equal(unit_info(ctx).doubt, 0);
    assert_int_equal(canary_should_use_new_bucket(ctx, 2599), 1);
    OK(canary_advance(unit->store, ROLLOUT, NULL, NULL, &error));
    assert_int_equal(canary_should_use_new_bucket(ctx, 4999), 1);
    canary_close(&ctx);
}

/* Down and up again, many times: no cap of an earlier rollback lingers. */
static void up_again_after_rollback(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;

    unit_begin_at(unit, ROLLOUT, 500);
    ctx = unit_open(unit, ROLLOUT);
    for (int i = 0; i < 5; i++) {
        OK(canary_set_stage(unit->store, ROLLOUT, 4, NULL, NULL, &error));
        assert_int_equal(canary_should_use_new(ctx, "u"), 1);
        OK(canary_rollback(unit->store, ROLLOUT, 0, NULL, NULL, &error));
        assert_int_equal(canary_should_use_new(ctx, "u"), 0);
        assert_int_equal(unit_info(ctx).doubt, 0);
        assert_int_equal(unit_info(ctx).effective_bp, 0);
        OK(canary_set_percentage(unit->store, ROLLOUT, 10000, NULL, NULL, NULL, &error));
        assert_int_equal(canary_should_use_new(ctx, "u"), 1);
        OK(canary_rollback(unit->store, ROLLOUT, 2, NULL, NULL, &error));
        assert_int_equal(unit_info(ctx).effective_bp, 2500);
        assert_int_equal(unit_read(unit, ROLLOUT).effective_bp, 2500);
    }
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

/* -- emergencies -- */

static void emergencies(void **state) {
    struct unit *unit = *state;
    canary_change_options now = unit_by("on-call");
    canary_change change = { .size = sizeof change };
    canary_rollout before;
    canary_ctx *ctx;

    unit_begin_at(unit, ROLLOUT, 2500);
    ctx = unit_open(unit, ROLLOUT);
    now.flags = CANARY_CHANGE_EMERGENCY;
    /* Up. */
    OK(canary_set_percentage(unit->store, ROLLOUT, 10000, "hotfix", &now, &change, &error));
    assert_string_equal(change.action, "emergency");
    assert_int_equal(change.from_percentage_bp, 2500);
    assert_int_equal(change.to_percentage_bp, 10000);
    assert_string_equal(unit_info(ctx).stage_name, "hotfix");
    assert_int_equal(unit_info(ctx).effective_bp, 10000);
    assert_int_equal(unit_info(ctx).doubt, 0);
    /* Down. */
    OK(canary_set_percentage(unit->store, ROLLOUT, 750, "brake", &now, &change, &error));
    assert_string_equal(change.action, "emergency");
    assert_int_equal(unit_info(ctx).effective_bp, 750);
    assert_string_equal(unit_info(ctx).stage_name, "brake");
    assert_int_equal(unit_info(ctx).doubt, 0);
    /* To where it is. */
    OK(canary_set_percentage(unit->store, ROLLOUT, 750, NULL, &now, &change, &error));
    assert_string_equal(unit_info(ctx).stage_name, "EARLY_TESTING");
    /* A raise still minds what is expected, and the caller hears of it. */
    before = unit_read(unit, ROLLOUT);
    now.expected_revision = 1;
    FAILS(CANARY_E_CONFLICT, "expected revision 1", "by on-call",
          canary_set_percentage(unit->store, ROLLOUT, 5000, NULL, &now, &change, &error));
    unit_unchanged(unit, &before);
    assert_int_equal(unit_info(ctx).effective_bp, 750);
    /* A lowering does not. */
    OK(canary_set_percentage(unit->store, ROLLOUT, 0, NULL, &now, &change, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 0);
    FAILS(CANARY_E_NOT_FOUND, "another", "",
          canary_set_percentage(unit->store, "another", 0, NULL, &now, &change, &error));
    FAILS(CANARY_E_NOT_FOUND, "another", "",
          canary_set_percentage(unit->store, "another", 100, NULL, &now, &change, &error));
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

/* -- while somebody else holds the database -- */

static sqlite3 *hold(struct unit *unit) {
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(unit->path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 20000);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static canary_store *impatient(struct unit *unit) {
    unit->options.busy_timeout_ns = 20000000;
    return unit_another(unit);
}

static void rollback_of_a_locked_store(void **state) {
    struct unit *unit = *state;
    canary_store *store = impatient(unit);
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;
    sqlite3 *holder;

    unit_begin_at(unit, ROLLOUT, 5000);
    assert_int_equal(canary_open_in(store, ROLLOUT, NULL, &ctx, NULL), CANARY_OK);
    holder = hold(unit);
    assert_int_equal(canary_rollback(store, ROLLOUT, 0, NULL, NULL, &error), CANARY_E_BUSY);
    assert_int_equal(error.in_effect, 1);
    assert_int_equal(unit_info(ctx).effective_bp, 0);
    assert_int_equal(canary_should_use_new_bucket(ctx, 0), 0);
    assert_int_equal(unit_info(ctx).doubt, CANARY_DOUBT_ROLLBACK);
    assert_int_equal(sqlite3_close(holder), SQLITE_OK);
    /* It stays in effect until it is recorded, and raises wait for that. */
    assert_int_equal(canary_refresh(store, NULL), CANARY_OK);
    assert_int_equal(unit_info(ctx).effective_bp, 0);
    assert_int_equal(canary_advance(store, ROLLOUT, NULL, NULL, NULL), CANARY_E_REFUSED);
    assert_int_equal(canary_rollback(store, ROLLOUT, 0, NULL, NULL, NULL), CANARY_OK);
    assert_int_equal(unit_info(ctx).doubt, 0);
    assert_int_equal(canary_advance(store, ROLLOUT, NULL, NULL, NULL), CANARY_OK);
    assert_int_equal(unit_info(ctx).effective_bp, 500);
    canary_close(&ctx);
    canary_store_close(&store);
}

/* What would raise moves nobody down while it waits, nor when it gives up. */
static void raise_of_a_locked_store(void **state) {
    struct unit *unit = *state;
    canary_store *store = impatient(unit);
    canary_change_options now = unit_by("on-call");
    canary_ctx *ctx = NULL;
    sqlite3 *holder;

    unit_begin_at(unit, ROLLOUT, 2500);
    OK(canary_open_in(store, ROLLOUT, NULL, &ctx, &error));
    holder = hold(unit);
    FAILS(CANARY_E_BUSY, unit->path, "locked", canary_advance(store, ROLLOUT, NULL, NULL, &error));
    FAILS(CANARY_E_BUSY, unit->path, "locked",
          canary_set_stage(store, ROLLOUT, 3, NULL, NULL, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 2500);
    assert_int_equal(unit_info(ctx).doubt, 0);
    now.flags = CANARY_CHANGE_EMERGENCY;
    FAILS(CANARY_E_BUSY, unit->path, "locked",
          canary_set_percentage(store, ROLLOUT, 10000, NULL, &now, NULL, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 2500);
    assert_int_equal(sqlite3_close(holder), SQLITE_OK);
    OK(canary_refresh(store, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 2500);
    assert_int_equal(unit_read(unit, ROLLOUT).percentage_bp, 2500);
    canary_close(&ctx);
    canary_store_close(&store);
}

/* -- while somebody who reads does not end -- */

static int64_t milliseconds(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A reader lets a change begin and does not let it commit. */
static sqlite3 *hold_shared(struct unit *unit) {
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(unit->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * FROM rollouts", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

static void took_its_time(int64_t start) {
    int64_t took = milliseconds() - start;

    /* 300 ms were asked for, and nothing but them may be waited for. */
    assert_true(took >= 290);
    assert_true(took < 2000);
}

static void commit_beside_a_reader(void **state) {
    struct unit *unit = *state;
    canary_verify_report report = { .size = sizeof report };
    canary_rollout before = unit_begin_at(unit, ROLLOUT, 2500);
    canary_ctx *ctx = NULL;
    canary_store *store;
    canary_error told = CANARY_ERROR_INIT;
    sqlite3 *reader;
    uint64_t changes;
    int64_t start;

    unit->options.busy_timeout_ns = 300 * 1000 * 1000;
    store = unit_another(unit);
    OK(canary_open_in(store, ROLLOUT, NULL, &ctx, &error));
    OK(canary_verify(store, NULL, NULL, &report, &error));
    changes = report.changes;

    reader = hold_shared(unit);
    start = milliseconds();
    FAILS(CANARY_E_BUSY, unit->path, "commit", canary_advance(store, ROLLOUT, NULL, NULL, &error));
    took_its_time(start);
    assert_int_equal(unit_info(ctx).effective_bp, 2500);
    assert_int_equal(unit_info(ctx).doubt, 0);
    unit_unchanged(unit, &before);
    OK(canary_verify(store, NULL, NULL, &report, &error));
    assert_int_equal(report.changes, changes);

    /* What lowers is in effect all the same, and stays so until it is recorded. */
    start = milliseconds();
    assert_int_equal(canary_rollback(store, ROLLOUT, 0, NULL, NULL, &told), CANARY_E_BUSY);
    took_its_time(start);
    assert_int_equal(told.in_effect, 1);
    assert_int_equal(unit_info(ctx).effective_bp, 0);
    assert_int_equal(unit_info(ctx).doubt, CANARY_DOUBT_ROLLBACK);
    assert_int_equal(unit_read(unit, ROLLOUT).percentage_bp, 2500);
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
    assert_int_equal(canary_advance(store, ROLLOUT, NULL, NULL, NULL), CANARY_E_REFUSED);
    OK(canary_rollback(store, ROLLOUT, 0, NULL, NULL, &error));
    assert_int_equal(unit_info(ctx).doubt, 0);
    OK(canary_verify(store, NULL, NULL, &report, &error));
    assert_int_equal(report.changes, changes + 1);
    canary_close(&ctx);
    canary_store_close(&store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(rollback_at_zero_is_harmless),      UNIT_BOTH(rollback_never_raises),
        UNIT_BOTH(up_again_after_rollback),           UNIT_BOTH(emergencies),
        UNIT_SQLITE_ONLY(rollback_of_a_locked_store), UNIT_SQLITE_ONLY(raise_of_a_locked_store),
        UNIT_SQLITE_ONLY(commit_beside_a_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
