/* SPDX-License-Identifier: MIT */
/* What doubt means while it lasts, what the other findings are, and what an accept leaves behind. */
#include "tamper.h"

#include "control/bell.h"

/* What an accept recorded: from what the trail said to what somebody made of it. */
static void accept_records_the_difference(void **state) {
    struct unit *unit = tamper_scene();
    canary_change change = { .size = sizeof change };

    (void)state;
    tamper_by_hand(unit, "UPDATE rollouts SET percentage_bp = 100 WHERE name = 'a'");
    OK(canary_accept(unit->store, "a", NULL, &change, &error));
    assert_int_equal(change.from_percentage_bp, 2500);
    assert_int_equal(change.from_stage, 2);
    assert_int_equal(change.to_percentage_bp, 100);
    assert_int_equal(change.to_stage, 0);
    assert_int_equal(change.id, 13);
    assert_int_equal(unit_read(unit, "a").doubt, 0);
    unit_free(unit);
}

/* With a row in doubt nothing is raised before somebody looked; everything that lowers still works. */
static void doubt_refuses_raises(void **state) {
    struct unit *unit = tamper_scene();
    canary_ctx *ctx = unit_open(unit, "a");

    (void)state;
    tamper_by_hand(unit, "UPDATE rollouts SET percentage_bp = 10000 WHERE name = 'a'");
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(unit_info(ctx).doubt, CANARY_DOUBT_ROLLOUT);
    assert_int_equal(unit_info(ctx).effective_bp, 2500);
    assert_int_equal(unit_read(unit, "a").doubt, CANARY_DOUBT_ROLLOUT);
    assert_int_equal(unit_read(unit, "a").percentage_bp, 10000);
    assert_int_equal(unit_read(unit, "a").effective_bp, 2500);
    tamper_by_hand(unit, "UPDATE rollouts SET percentage_bp = 400 WHERE name = 'a'");
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 400);
    assert_int_equal(unit_read(unit, "a").effective_bp, 400);
    FAILS(CANARY_E_TAMPERED, "canaryctl verify", "canaryctl accept",
          canary_advance(unit->store, "a", NULL, NULL, &error));
    FAILS(CANARY_E_TAMPERED, "\"a\"", "",
          canary_set_percentage(unit->store, "a", 401, NULL, NULL, NULL, &error));
    FAILS(CANARY_E_TAMPERED, "\"a\"", "",
          canary_set_stage(unit->store, "a", 3, NULL, NULL, &error));
    FAILS(CANARY_E_TAMPERED, "\"a\"", "",
          canary_override_set(unit->store, "a", "u", 1, CANARY_NEW, NULL, NULL, &error));
    FAILS(CANARY_E_TAMPERED, "\"a\"", "",
          canary_override_remove(unit->store, "a", "old1", 4, NULL, NULL, &error));
    OK(canary_set_percentage(unit->store, "a", 300, NULL, NULL, NULL, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 300);
    OK(canary_flag_set(unit->store, "a", 0, NULL, NULL, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 0);
    /* Lowering did not sign the edit. */
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, ROLLOUT);
    /* The other rollout has nothing to do with it. */
    OK(canary_advance(unit->store, "b", NULL, NULL, &error));
    OK(canary_accept(unit->store, "a", NULL, NULL, &error));
    OK(canary_flag_set(unit->store, "a", 1, NULL, NULL, &error));
    OK(canary_advance(unit->store, "a", NULL, NULL, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 500);
    assert_int_equal(unit_info(ctx).doubt, 0);
    canary_close(&ctx);
    unit_free(unit);
}

/* The SQL that an operator types in an emergency, and the one that takes it back. */
static void flag_switched_by_sql(void **state) {
    struct unit *unit = tamper_scene();
    canary_ctx *ctx = unit_open(unit, "a");

    (void)state;
    unit_set(unit, "a", 10000);
    tamper_by_hand(unit, "UPDATE feature_flags SET enabled = 0 WHERE name = 'a'");
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(canary_should_use_new(ctx, "u"), 0);
    assert_int_equal(unit_info(ctx).kill_reasons, CANARY_KILL_FLAG);
    assert_int_equal(unit_info(ctx).doubt, CANARY_DOUBT_FLAG);
    assert_int_equal(unit_read(unit, "a").effective_bp, 0);
    assert_int_equal(unit_read(unit, "a").doubt, CANARY_DOUBT_FLAG);
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, FLAG);
    /* Through the library, and signed again. */
    OK(canary_flag_set(unit->store, "a", 1, NULL, NULL, &error));
    assert_int_equal(canary_should_use_new(ctx, "u"), 1);
    assert_int_equal(unit_info(ctx).doubt, 0);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    /* Switched off by the library, and on by SQL: that raises, and is not believed. */
    OK(canary_flag_set(unit->store, "a", 0, NULL, NULL, &error));
    tamper_by_hand(unit, "UPDATE feature_flags SET enabled = 1 WHERE name = 'a'");
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(canary_should_use_new(ctx, "u"), 0);
    assert_int_equal(unit_read(unit, "a").effective_bp, 0);
    assert_int_equal(unit_read(unit, "a").kill_reasons, CANARY_KILL_FLAG);
    canary_close(&ctx);
    unit_free(unit);
}

/* -- what is no edit -- */

static void clock_that_went_back(void **state) {
    struct unit *unit = *state;

    unit_create(unit, "t");
    unit->realtime -= 60000000000;
    unit_set(unit, "t", 1);
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, 0); /* a minute is forgiven */
    unit->realtime -= 60000000001;
    unit_set(unit, "t", 2);
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, TIME);
    unit->realtime += 3600000000000;
    unit_set(unit, "t", 3);
    assert_int_equal(tamper_verify(unit->store, NULL).count, 1);
}

static void bell_findings(void **state) {
    struct unit *unit = *state;
    static const char rubbish[32] = "not an entry";
    char path[600];
    FILE *bell;

    unit_create(unit, "b");
    unit_set(unit, "b", 5000);
    snprintf(path, sizeof path, "%s-doorbell", unit->path);
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, 0);
    assert_int_equal(
        canary__bell_put(path, canary__bell_key("b"), 0, 100, CANARY__BELL_PENDING, NULL),
        CANARY_OK);
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, BELL);
    assert_int_equal(unit_read(unit, "b").doubt, CANARY_DOUBT_ROLLBACK);
    assert_int_equal(unit_read(unit, "b").effective_bp, 100);
    FAILS(CANARY_E_REFUSED, "not recorded", "canaryctl rollback",
          canary_advance(unit->store, "b", NULL, NULL, &error));
    OK(canary_rollback(unit->store, "b", 0, NULL, NULL, &error));
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, 0);
    assert_int_equal(unit_read(unit, "b").doubt, 0);
    bell = fopen(path, "r+b");
    assert_non_null(bell);
    assert_int_equal(fseek(bell, 448 + 32 * 100, SEEK_SET), 0);
    assert_int_equal(fwrite(rubbish, 1, sizeof rubbish, bell), sizeof rubbish);
    fclose(bell);
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, BELL);
    assert_int_equal(unit_read(unit, "b").kill_reasons, CANARY_KILL_BELL);
    FAILS(CANARY_E_REFUSED, "damaged", "canaryctl accept",
          canary_advance(unit->store, "b", NULL, NULL, &error));
    OK(canary_accept(unit->store, "b", NULL, NULL, &error));
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, 0);
    OK(canary_advance(unit->store, "b", NULL, NULL, &error));
}

/* The database's own check: the header counts one free page too many. */
static void store_finding(void **state) {
    struct unit *unit = *state;
    unsigned char count[4];
    FILE *file;

    unit_create(unit, "s");
    unit_set(unit, "s", 5000);
    file = fopen(unit->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 36, SEEK_SET), 0);
    assert_int_equal(fread(count, 1, sizeof count, file), sizeof count);
    assert_true(count[3] < 255);
    count[3]++;
    assert_int_equal(fseek(file, 36, SEEK_SET), 0);
    assert_int_equal(fwrite(count, 1, sizeof count, file), sizeof count);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tamper_verify(unit->store, NULL).kinds, STORE);
}

static void callback_ends_the_telling_not_the_counting(void **state) {
    struct unit *unit = tamper_scene();
    struct found found = { .stop_at = 2 };
    canary_verify_report report = { .size = sizeof report };

    (void)state;
    tamper_by_hand(unit, "UPDATE changes SET note = 'x'; UPDATE rollouts SET note = 'x'");
    assert_int_equal(canary_verify(unit->store, tamper_collect, &found, &report, NULL),
                     CANARY_E_TAMPERED);
    assert_int_equal(found.count, 2);
    assert_int_equal(report.findings, 14);
    assert_int_equal(report.changes, 12);
    assert_int_equal(report.rollouts, 2);
    assert_int_equal(report.flags, 3);
    FAILS(CANARY_E_TAMPERED, "14 findings", "12 changes",
          canary_verify(unit->store, NULL, NULL, NULL, &error));
    unit_free(unit);
}

/* Against someone who rewrites the whole trail only the head noted elsewhere helps. */
static void head_moves_with_each_change(void **state) {
    struct unit *unit = *state;
    canary_verify_report before = { .size = sizeof before };
    canary_verify_report after = { .size = sizeof after };
    canary_change change = { .size = sizeof change };

    OK(canary_verify(unit->store, NULL, NULL, &before, &error));
    assert_true(unit_all(before.head_hash, 64, '0'));
    unit_create(unit, "h");
    for (int i = 0; i < 4; i++) {
        OK(canary_verify(unit->store, NULL, NULL, &before, &error));
        OK(canary_advance(unit->store, "h", NULL, &change, &error));
        OK(canary_verify(unit->store, NULL, NULL, &after, &error));
        assert_string_not_equal(before.head_hash, after.head_hash);
        assert_string_equal(after.head_hash, change.hash);
        assert_string_equal(before.head_hash, change.previous_hash);
    }
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_records_the_difference),
        cmocka_unit_test(doubt_refuses_raises),
        cmocka_unit_test(flag_switched_by_sql),
        UNIT_BOTH(clock_that_went_back),
        UNIT_SQLITE_ONLY(bell_findings),
        UNIT_SQLITE_ONLY(store_finding),
        cmocka_unit_test(callback_ends_the_telling_not_the_counting),
        UNIT_BOTH(head_moves_with_each_change),
    };

    return cmocka_run_group_tests(tests, tamper_begin, tamper_end);
}
