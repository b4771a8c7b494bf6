/* SPDX-License-Identifier: MIT */
/* News in the bell: what a change tells, and what is believed before the store was looked at. */
#include "hearing.h"
#include "tamper.h"

static void change_is_believed(void **state) {
    static const struct canary__rollout_row nothing;
    struct hearing s = hearing_new(*state);
    struct hearing fresh;
    canary_ctx_info info;

    OK(canary_advance(s.unit->store, "a", NULL, NULL, &error));
    hearing_hear(&s);
    hearing_believed(&s, 2500);
    info = unit_info(s.ctx);
    assert_int_equal(info.source, CANARY_SOURCE_BELL);
    assert_int_equal(info.revision, 3);
    assert_int_equal(info.percentage_bp, 2500);
    assert_int_equal(info.stage, 2);
    assert_string_equal(info.stage_name, "EXPANDED");
    assert_int_equal(info.doubt, 0);
    /* One after the other, none waited for. */
    OK(canary_set_percentage(s.unit->store, "a", 7000, "some", NULL, NULL, &error));
    hearing_hear(&s);
    hearing_believed(&s, 7000);
    assert_string_equal(unit_info(s.ctx).stage_name, "some");
    OK(canary_rollback(s.unit->store, "a", 1, NULL, NULL, &error));
    hearing_hear(&s);
    hearing_believed(&s, 500);
    assert_int_equal(unit_info(s.ctx).doubt, 0);
    hearing_confirm(&s);
    /* Nothing is left that a look from scratch would have otherwise. */
    fresh = hearing_open(s.unit, "a");
    assert_memory_equal(&s.f->good, &fresh.f->good, sizeof nothing);
    assert_string_equal(s.reader->head_hash, fresh.reader->head_hash);
    assert_int_equal(s.reader->head_id, fresh.reader->head_id);
    assert_int_equal(s.reader->head_at, fresh.reader->head_at);
    hearing_end(&fresh);
    hearing_end(&s);
}

/* Of a rollout that nobody follows here there is nothing to do, but the trail moves on. */
static void change_of_another(void **state) {
    struct hearing s = hearing_new(*state);

    unit_create(s.unit, "b");
    hearing_hear(&s);
    hearing_looked(&s); /* what is no mere move comes without news */
    unit_set(s.unit, "b", 10000);
    hearing_hear(&s);
    hearing_believed(&s, 500);
    OK(canary_advance(s.unit->store, "a", NULL, NULL, &error));
    hearing_hear(&s);
    hearing_believed(&s, 2500);
    hearing_end(&s);
}

static void pending_rollback_still_wins(void **state) {
    struct hearing s = hearing_new(*state);

    OK(canary_advance(s.unit->store, "a", NULL, NULL, &error));
    OK(canary__bell_put(s.bell, canary__bell_key("a"), 0, 100, CANARY__BELL_PENDING, &error));
    hearing_hear(&s);
    hearing_believed(&s, 100);
    assert_int_equal(unit_info(s.ctx).percentage_bp, 2500);
    hearing_end(&s);
}

/* More news does not put the look off, and when it is due it comes with the news. */
static void look_is_not_put_off(void **state) {
    struct hearing s = hearing_new(*state);
    int64_t now;

    OK(canary_advance(s.unit->store, "a", NULL, NULL, &error));
    now = canary__store_machine_ns();
    hearing_hear(&s);
    assert_in_range(s.reader->confirm_at, now, canary__store_machine_ns() + 100000000);
    OK(canary_advance(s.unit->store, "a", NULL, NULL, &error));
    hearing_hear(&s);
    hearing_believed(&s, 5000);
    assert_int_equal(s.reader->confirm_at, INT64_MAX);
    OK(canary_advance(s.unit->store, "a", NULL, NULL, &error));
    hearing_confirm(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 10000);
    assert_int_equal(unit_info(s.ctx).doubt, 0);
    hearing_end(&s);
}

/* -- the writer -- */

static int (*real_end)(void *transaction, int commit, canary_error *error);

static int end_that_fails(void *transaction, int commit, canary_error *error) {
    if (commit) {
        (void)real_end(transaction, 0, error);
        return canary_storage_fail(error, CANARY_E_FULL, 0, "full");
    }
    return real_end(transaction, commit, error);
}

/* A signed page of a change that never came to be would be believed. */
static void nothing_is_told_before_the_commit(void **state) {
    struct hearing s = hearing_new(*state);
    unsigned char before[CANARY__BELL_SIZE];
    unsigned char after[CANARY__BELL_SIZE];
    canary_change_options dry = CANARY_CHANGE_OPTIONS_INIT;

    hearing_read(&s, before, sizeof before);
    dry.flags = CANARY_CHANGE_DRY_RUN;
    OK(canary_advance(s.unit->store, "a", &dry, NULL, &error));
    real_end = s.unit->store->methods.end;
    s.unit->store->methods.end = end_that_fails;
    FAILS(CANARY_E_FULL, "full", "", canary_advance(s.unit->store, "a", NULL, NULL, &error));
    s.unit->store->methods.end = real_end;
    hearing_read(&s, after, sizeof after);
    assert_memory_equal(before, after, sizeof before);
    hearing_end(&s);
}

/* Between the commit and the ring a writer may die: the tick finds the change, and the next news
 * builds on it. */
static void writer_that_dies_before_the_ring(void **state) {
    struct hearing s = hearing_new(*state);
    unsigned char page[CANARY__BELL_SIZE];

    hearing_read(&s, page, sizeof page);
    OK(canary_advance(s.unit->store, "a", NULL, NULL, &error));
    hearing_write(&s, page, sizeof page); /* as if it had not rung */
    OK(canary_advance(s.unit->store, "a", NULL, NULL, &error));
    hearing_hear(&s); /* builds on what is not known here */
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 5000);
    OK(canary_advance(s.unit->store, "a", NULL, NULL, &error));
    hearing_hear(&s);
    hearing_believed(&s, 10000);
    hearing_end(&s);
}

static void changes_without_news(void **state) {
    struct hearing s = hearing_new(*state);

    OK(canary_flag_set(s.unit->store, "a", 0, NULL, NULL, &error));
    hearing_hear(&s);
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 0);
    OK(canary_flag_set(s.unit->store, "a", 1, NULL, NULL, &error));
    hearing_hear(&s);
    hearing_looked(&s);
    OK(canary_override_set(s.unit->store, "a", "u", 1, CANARY_OLD, NULL, NULL, &error));
    hearing_hear(&s);
    hearing_looked(&s);
    OK(canary_accept(s.unit->store, "a", NULL, NULL, &error));
    hearing_hear(&s);
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 500);
    assert_int_equal(unit_info(s.ctx).overrides_old, 1);
    hearing_end(&s);
}

/* A secret that was lost or exchanged costs looks, and no more than that. */
static void secret_that_changes(void **state) {
    static const char *const edits[] = {
        "DELETE FROM bell_secret",
        "UPDATE bell_secret SET secret = randomblob(32)",
    };
    struct hearing s = hearing_new(*state);

    for (size_t i = 0; i < COUNT(edits); i++) {
        tamper_by_hand(s.unit, edits[i]);
        unit_set(s.unit, "a", 2500);
        hearing_hear(&s);
        hearing_looked(&s);
        assert_int_equal(unit_info(s.ctx).effective_bp, 2500);
        assert_int_equal(unit_info(s.ctx).doubt, 0);
        hearing_refresh(&s, CANARY_SOURCE_TICK);
        unit_set(s.unit, "a", 5000);
        hearing_hear(&s);
        hearing_believed(&s, 5000);
        OK(canary_verify(s.unit->store, NULL, NULL, NULL, &error));
    }
    /* A store without one works as a bell that only wakes. */
    s.unit->store->methods.secret = NULL;
    unit_set(s.unit, "a", 600);
    hearing_hear(&s);
    hearing_looked(&s);
    assert_int_equal(unit_info(s.ctx).effective_bp, 600);
    hearing_end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_SQLITE_ONLY(change_is_believed),
        UNIT_SQLITE_ONLY(change_of_another),
        UNIT_SQLITE_ONLY(pending_rollback_still_wins),
        UNIT_SQLITE_ONLY(look_is_not_put_off),
        UNIT_SQLITE_ONLY(nothing_is_told_before_the_commit),
        UNIT_SQLITE_ONLY(writer_that_dies_before_the_ring),
        UNIT_SQLITE_ONLY(changes_without_news),
        UNIT_SQLITE_ONLY(secret_that_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
