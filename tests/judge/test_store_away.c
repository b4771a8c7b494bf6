/* SPDX-License-Identifier: MIT */
/* A store that is away while it is judged: locked, removed, replaced, read-only. */
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "judged.h"

#include "judge/guard_ward.h"

#include <canary/document.h>

static struct judged now;

/* A SQLite store whose locks are waited for a moment only. */
static struct unit *away_new(const char *mode) {
    struct unit *unit = judged_new(UNIT_SQLITE, 500);

    judged_plain(unit, mode, "");
    canary_store_close(&unit->store);
    unit->options.busy_timeout_ns = 20000000;
    OK(canary_store_open(unit->path, &unit->options, &unit->store, &error));
    return unit;
}

static sqlite3 *lock(struct unit *unit, const char *which, const char *how) {
    char path[600];
    sqlite3 *db = NULL;

    snprintf(path, sizeof path, "%s%s", unit->path, which);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 20000);
    assert_int_equal(sqlite3_exec(db, how, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void unlock(sqlite3 *db) {
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Nothing is known, nothing is raised, and what was known is there afterwards. */
static void is_away(struct unit *unit, int code) {
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;

    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.code, code);
    assert_int_equal(now.error.code, code);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_ERROR);
    assert_string_equal(now.verdict.rollout, JUDGED);
    assert_non_null(strstr(now.verdict.message, canary_error_name(code)));
    options.rollout = JUDGED;
    assert_int_equal(canary_guard_once(unit->store, &options, &error), code);
}

static void is_back(struct unit *unit, double n_new) {
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.code, CANARY_OK);
    assert_true(now.rules[0].n_new == n_new);
}

static void locked_figures_hold(void **state) {
    struct unit *unit = away_new("auto");
    sqlite3 *db;

    (void)state;
    judged_ticks(unit, 3, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN);
    judged_ticks(unit, 1, 950, 10, 50, 0);
    db = lock(unit, "-metrics", "BEGIN EXCLUSIVE");
    is_away(unit, CANARY_E_BUSY);
    unlock(db);
    is_back(unit, 200);
    unit_free(unit);
}

static void a_locked_store_holds(void **state) {
    struct unit *unit = away_new("auto");
    sqlite3 *db;

    (void)state;
    judged_ticks(unit, 3, 950, 10, 50, 0);
    db = lock(unit, "", "BEGIN EXCLUSIVE");
    is_away(unit, CANARY_E_BUSY);
    unlock(db);
    is_back(unit, 150);
    unit_free(unit);
}

/* Only reading is possible: what is found is told, and an advance is not made of it. */
static void what_cannot_be_written_does_not_advance(void **state) {
    struct unit *unit = away_new("auto");
    sqlite3 *db;

    (void)state;
    judged_ticks(unit, 3, 950, 10, 50, 0);
    db = lock(unit, "-metrics", "BEGIN IMMEDIATE");
    is_away(unit, CANARY_E_BUSY);
    judged_evaluate(unit, CANARY_EVALUATE_LOOK, &now);
    assert_int_equal(now.code, CANARY_OK);
    judged_is(&now, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN);
    unlock(db);
    is_back(unit, 150);
    unit_free(unit);
}

static int errors;

static void count_errors(void *user_data, const canary_guard_event *event) {
    (void)user_data;
    errors += event->type == CANARY_EVENT_ERROR;
}

/* A brake works in trouble, too: a guard that holds its lease rolls back what it finds, though neither
 * evidence nor verdict can be written down. */
static void harm_is_rolled_back_all_the_same(void **state) {
    struct unit *unit = away_new("auto");
    struct canary__guard_setup setup = { .store = unit->store,
                                         .by = "guard@here:1",
                                         .holder = "guard@here:1#1",
                                         .callback = count_errors };
    struct canary__ward *ward = NULL;
    canary_change change = { .size = sizeof change };
    canary_error trouble = CANARY_ERROR_INIT;
    sqlite3 *db;

    (void)state;
    errors = 0;
    judged_ticks(unit, 3, 950, 10, 50, 40);
    judged_pass(unit, -2 * SECOND - 2 * TICK);
    OK(canary__ward_open(&setup, JUDGED, &ward, &error));
    OK(canary__ward_round(ward, &error));
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    judged_pass(unit, 2 * SECOND + TICK);
    db = lock(unit, "-metrics", "BEGIN IMMEDIATE");
    assert_int_equal(canary__ward_round(ward, &trouble), CANARY_E_BUSY);
    unlock(db);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 0);
    assert_int_equal(judged_changes(unit->store, "rollback", &change), 1);
    assert_string_equal(change.by, "guard@here:1");
    assert_int_equal(errors, 1);
    canary__ward_close(&ward);
    unit_free(unit);
}

/* A lease that is nearly over might be another guard's by the time of the change. */
static void a_lease_that_ends_does_not_act(void **state) {
    struct unit *unit = away_new("auto");
    struct canary__guard_setup setup = { .store = unit->store,
                                         .by = "guard@here:1",
                                         .holder = "guard@here:1#1" };
    struct canary__ward *ward = NULL;
    canary_error trouble = CANARY_ERROR_INIT;
    sqlite3 *db;

    (void)state;
    judged_ticks(unit, 3, 950, 10, 50, 40);
    judged_pass(unit, -2 * SECOND - 2 * TICK);
    OK(canary__ward_open(&setup, JUDGED, &ward, &error));
    OK(canary__ward_round(ward, &error));
    judged_pass(unit, 26 * SECOND);
    db = lock(unit, "-metrics", "BEGIN IMMEDIATE");
    assert_int_equal(canary__ward_round(ward, &trouble), CANARY_E_BUSY);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    unlock(db);
    OK(canary__ward_round(ward, &error));
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 0);
    canary__ward_close(&ward);
    unit_free(unit);
}

static void move_metrics(struct unit *unit, const char *from, const char *to) {
    char old[600];
    char new[600];

    snprintf(old, sizeof old, "%s-%s", unit->path, from);
    snprintf(new, sizeof new, "%s-%s", unit->path, to);
    assert_int_equal(rename(old, new), 0);
}

/* Without figures nothing advances, whatever is known besides; harm from nothing is none. */
static void removed_figures_hold(void **state) {
    struct unit *unit = away_new("auto");

    (void)state;
    judged_ticks(unit, 3, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN);
    move_metrics(unit, "metrics", "saved");
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.verdict.action, CANARY_VERDICT_HOLD);
    (void)canary_guard_once(unit->store, NULL, NULL);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    assert_int_equal(judged_changes(unit->store, "rollback", NULL), 0);
    move_metrics(unit, "saved", "metrics");
    canary_store_close(&unit->store);
    OK(canary_store_open(unit->path, &unit->options, &unit->store, &error));
    is_back(unit, 150);
    unit_free(unit);
}

static void damaged_figures_hold(void **state) {
    struct unit *unit = away_new("auto");
    char path[600];
    FILE *file;

    (void)state;
    judged_ticks(unit, 3, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    canary_store_close(&unit->store);
    snprintf(path, sizeof path, "%s-metrics", unit->path);
    file = fopen(path, "r+b");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++) {
        fputc("not a database"[i % 14], file);
    }
    fclose(file);
    OK(canary_store_open(unit->path, &unit->options, &unit->store, &error));
    judged_evaluate(unit, 0, &now);
    assert_int_not_equal(now.code, CANARY_OK);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_ERROR);
    assert_int_equal(now.verdict.percentage_bp, 500);
    assert_int_equal(canary_guard_once(unit->store, NULL, NULL), now.code);
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 500);
    /* A person's rollback needs none of it. */
    OK(canary_rollback(unit->store, JUDGED, 0, NULL, NULL, &error));
    assert_int_equal(unit_read(unit, JUDGED).percentage_bp, 0);
    unit_free(unit);
}

/* One row of figures fails its checksum: evidence lacks it, so that nothing goes on for an hour. */
static void a_damaged_row_holds_for_an_hour(void **state) {
    struct unit *unit = away_new("auto");
    sqlite3 *db = NULL;
    char path[600];

    (void)state;
    judged_ticks(unit, 5, 950, 10, 50, 0);
    canary_store_close(&unit->store);
    snprintf(path, sizeof path, "%s-metrics", unit->path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE ticks SET data = zeroblob(length(data)) WHERE rowid = "
                                  "(SELECT min(rowid) FROM ticks)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    OK(canary_store_open(unit->path, &unit->options, &unit->store, &error));
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.code, CANARY_OK);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA);
    assert_int_equal(now.verdict.damaged, 1);
    assert_true(now.rules[0].n_new == 200);
    judged_ticks(unit, 6 * 50, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA);
    judged_ticks(unit, 6 * 15, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_ticks(unit, 1, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN);
    unit_free(unit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locked_figures_hold),
        cmocka_unit_test(a_locked_store_holds),
        cmocka_unit_test(what_cannot_be_written_does_not_advance),
        cmocka_unit_test(harm_is_rolled_back_all_the_same),
        cmocka_unit_test(a_lease_that_ends_does_not_act),
        cmocka_unit_test(removed_figures_hold),
        cmocka_unit_test(damaged_figures_hold),
        cmocka_unit_test(a_damaged_row_holds_for_an_hour),
    };

    return cmocka_run_group_tests_name("a store that is away", tests, NULL, NULL);
}
