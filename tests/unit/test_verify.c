/* SPDX-License-Identifier: MIT */
/* Edits made behind the library's back: each is found and named, none raises anybody's exposure, a
 * rollback works in spite of it, and after a look canary_accept() makes it the state. */
#include "tamper.h"

enum { USERS = 400 };

struct edit {
    const char *what;
    const char *sql;
    unsigned kinds;    /* exactly these are found */
    unsigned left;     /* these stay after an accept of "a" and "b" */
    const char *about; /* in some message */
};

/* "a" stands at 25 % with three pins and its own flag, "b" at 50 % with the flag "shared"; the trail has
 * 12 rows, the last one of "a". Rows saved before: `old_rollouts`, `old_flags` of an earlier moment. */
static const struct edit edits[] = {
    { "nothing", "SELECT 1", 0, 0, "" },

    { "a row of the trail edited", "UPDATE changes SET made_by = 'mallory' WHERE id = 4", HASH,
      HASH, "change 4" },
    { "its note", "UPDATE changes SET note = 'x' WHERE id = 7", HASH, HASH, "change 7" },
    { "its evidence", "UPDATE changes SET evidence = 'x' WHERE id = 5", HASH, HASH, "change 5" },
    { "its percentage", "UPDATE changes SET to_percentage_bp = 1 WHERE id = 3", HASH, HASH,
      "change 3" },
    { "the newest row edited", "UPDATE changes SET made_by = 'mallory' WHERE id = 12", HASH, HASH,
      "change 12" },
    { "edited with its hash", "UPDATE changes SET note = 'x' WHERE id = 6; SELECT rehash(6)", LINK,
      LINK, "change 7" },
    { "a previous hash edited",
      "UPDATE changes SET previous_hash = (SELECT hash FROM changes WHERE id = 2) WHERE id = 8",
      LINK | HASH, LINK | HASH, "change 8" },
    { "a row removed in the middle", "DELETE FROM changes WHERE id = 5", GAP, GAP, "5 to 5" },
    { "several removed", "DELETE FROM changes WHERE id BETWEEN 4 AND 7", GAP | FLAG, GAP,
      "4 to 7" },
    { "the first removed", "DELETE FROM changes WHERE id = 1", GAP, GAP, "1 to 1" },
    { "the tail cut", "DELETE FROM changes WHERE id = 12", HEAD, 0, "cut off" },
    { "all of the trail removed", "DELETE FROM changes", HEAD, 0, "cut off" },
    { "a row inserted at the end",
      "INSERT INTO changes SELECT 13, rollout, revision + 1, action, from_stage, to_stage, "
      "from_percentage_bp, to_percentage_bp, flag, user_hash, made_at, made_by, note, evidence, "
      "hash, hash FROM changes WHERE id = 12; SELECT rehash(13)",
      HEAD, 0, "\"a\"" },
    { "one with a wrong hash",
      "INSERT INTO changes SELECT 13, rollout, revision, action, from_stage, to_stage, "
      "from_percentage_bp, to_percentage_bp, flag, user_hash, made_at, made_by, note, evidence, "
      "hash, hash FROM changes WHERE id = 12",
      HASH, HASH, "change 13" },
    { "two rows swapped",
      "UPDATE changes SET id = 100 WHERE id = 5; UPDATE changes SET id = 5 WHERE id = 6;"
      "UPDATE changes SET id = 6 WHERE id = 100",
      LINK | HASH, LINK | HASH, "change 5" },
    { "a time far ahead", "UPDATE changes SET made_at = 9223372036854775807 WHERE id = 4",
      HASH | TIME, HASH | TIME, "change 5" },
    { "a time long ago", "UPDATE changes SET made_at = -9223372036854775807 - 1 WHERE id = 4",
      HASH | TIME, HASH | TIME, "change 4" },
    { "a line break in a name", "UPDATE changes SET rollout = 'a' || char(10) || 'b' WHERE id = 4",
      HASH | ROLLOUT, HASH | ROLLOUT, "a?b" },

    { "a percentage raised", "UPDATE rollouts SET percentage_bp = 10000 WHERE name = 'a'", ROLLOUT,
      0, "100.00 %" },
    { "a percentage lowered", "UPDATE rollouts SET percentage_bp = 100 WHERE name = 'a'", ROLLOUT,
      0, "1.00 %" },
    { "both lowered to nothing", "UPDATE rollouts SET percentage_bp = 0", ROLLOUT, 0, "0.00 %" },
    { "a salt", "UPDATE rollouts SET salt = 'x' WHERE name = 'a'", ROLLOUT, 0, "\"a\"" },
    { "a note", "UPDATE rollouts SET note = 'x' WHERE name = 'b'", ROLLOUT, 0, "\"b\"" },
    { "a policy", "UPDATE rollouts SET policy = 'x' WHERE name = 'b'", ROLLOUT, 0, "\"b\"" },
    { "another flag named", "UPDATE rollouts SET flag = 'a' WHERE name = 'b'", ROLLOUT, 0,
      "\"b\"" },
    { "a revision raised", "UPDATE rollouts SET revision = 900 WHERE name = 'a'", ROLLOUT, 0,
      "\"a\"" },
    { "an old signed row put back",
      "DELETE FROM rollouts WHERE name = 'b'; INSERT INTO rollouts SELECT * FROM old_rollouts "
      "WHERE "
      "name = 'b'",
      HEAD, 0, "\"b\"" },
    { "a rollout removed", "DELETE FROM rollouts WHERE name = 'b'", ROLLOUT, ROLLOUT, "missing" },
    { "a rung moved", "UPDATE stages SET percentage_bp = 9000 WHERE rollout = 'a' AND stage = 3",
      ROLLOUT, 0, "\"a\"" },
    { "a rung renamed", "UPDATE stages SET name = 'x' WHERE rollout = 'b' AND stage = 1", ROLLOUT,
      0, "\"b\"" },
    { "a dwell time", "UPDATE stages SET dwell_ns = 1 WHERE rollout = 'b' AND stage = 1", ROLLOUT,
      0, "\"b\"" },
    { "a rung removed", "DELETE FROM stages WHERE rollout = 'a' AND stage = 4", ROLLOUT, 0,
      "\"a\"" },
    { "a rung added", "INSERT INTO stages VALUES ('a', 5, 'more', 10000, 0)", ROLLOUT, 0, "\"a\"" },

    { "a flag switched off", "UPDATE feature_flags SET enabled = 0 WHERE name = 'a'", FLAG, 0,
      "\"a\" was changed outside: it is off" },
    { "a flag's note", "UPDATE feature_flags SET note = 'x' WHERE name = 'shared'", FLAG, 0,
      "\"shared\"" },
    { "an old signed flag put back",
      "DELETE FROM feature_flags WHERE name = 'shared'; INSERT INTO feature_flags SELECT * FROM "
      "old_flags WHERE name = 'shared'",
      FLAG, 0, "the trail last switched it" },
    { "a flag removed", "DELETE FROM feature_flags WHERE name = 'shared'", FLAG, 0, "missing" },
    { "a flag that nobody obeys removed", "DELETE FROM feature_flags WHERE name = 'alone'", FLAG,
      FLAG, "\"alone\"" },

    { "an override added", "INSERT INTO overrides VALUES ('a', x'6d', 1)", OVERRIDES, 0, "\"a\"" },
    { "an override removed", "DELETE FROM overrides WHERE user_id = x'6f6c6431'", OVERRIDES, 0,
      "\"a\"" },
    { "an override changed", "UPDATE overrides SET cohort = 1 WHERE user_id = x'6f6c6431'",
      OVERRIDES, 0, "\"a\"" },
    { "overrides exchanged",
      "UPDATE overrides SET cohort = 1 - cohort WHERE user_id IN (x'6f6c6431', x'6e657731')",
      OVERRIDES, 0, "\"a\"" },
    { "all overrides removed", "DELETE FROM overrides", OVERRIDES, 0, "\"a\"" },
    { "several at once",
      "UPDATE rollouts SET percentage_bp = 9999; DELETE FROM overrides; UPDATE feature_flags SET "
      "note = 'x'; UPDATE changes SET note = 'y' WHERE id = 2",
      ROLLOUT | OVERRIDES | FLAG | HASH, HASH | FLAG, "change 2" },
};

static void expect(const struct edit *edit, const char *when, unsigned found, unsigned expected) {
    if (found != expected) {
        fail_msg("%s, %s: findings 0x%x instead of 0x%x", edit->what, when, found, expected);
    }
}

/* Who gets `new`: users by number, then the pinned ones. */
struct cohorts {
    uint8_t a[USERS + 4];
    uint8_t b[USERS + 4];
};

static void ask(canary_ctx *ctx, uint8_t *cohorts) {
    static const char *const pinned[] = { "new1", "new2", "old1", "m" };

    for (int i = 0; i < USERS + 4; i++) {
        char id[16];

        snprintf(id, sizeof id, "u%d", i);
        cohorts[i] = (uint8_t)(ctx != NULL &&
                               canary_should_use_new(ctx, i < USERS ? id : pinned[i - USERS]));
    }
}

static void not_raised(const struct edit *edit, const char *when, const struct cohorts *before,
                       const struct cohorts *after) {
    for (int i = 0; i < USERS + 4; i++) {
        if (after->a[i] > before->a[i] || after->b[i] > before->b[i]) {
            fail_msg("%s, %s: user %d was raised", edit->what, when, i);
        }
    }
}

static canary_ctx *open_if_can(canary_store *store, const char *name) {
    canary_ctx *ctx = NULL;

    (void)canary_open_in(store, name, NULL, &ctx, NULL);
    return ctx;
}

static void ask_fresh(struct unit *unit, struct cohorts *cohorts) {
    canary_store *store = unit_another(unit);
    canary_ctx *a = open_if_can(store, "a");
    canary_ctx *b = open_if_can(store, "b");

    ask(a, cohorts->a);
    ask(b, cohorts->b);
    canary_close(&a);
    canary_close(&b);
    canary_store_close(&store);
}

/* -- the tests -- */

static int read_on(void *user_data, const canary_change *entry) {
    (void)user_data;
    assert_int_equal(entry->size, sizeof *entry);
    return 0;
}

static void each_edit_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(edits); i++) {
        struct unit *unit = tamper_scene();
        struct found found;

        tamper_by_hand(unit, edits[i].sql);
        found = tamper_verify(unit->store, edits[i].about);
        expect(&edits[i], "verify", found.kinds, edits[i].kinds);
        if (edits[i].kinds != 0 && !found.told) {
            fail_msg("%s: no message holds \"%s\"", edits[i].what, edits[i].about);
        }
        /* Reading the trail goes on working. */
        OK(canary_history(unit->store, NULL, 0, 0, read_on, NULL, &error));
        unit_free(unit);
    }
}

static void no_edit_raises(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(edits); i++) {
        struct unit *unit = tamper_scene();
        struct cohorts before;
        struct cohorts after;
        canary_ctx *a = unit_open(unit, "a");
        canary_ctx *b = unit_open(unit, "b");

        ask(a, before.a);
        ask(b, before.b);
        tamper_by_hand(unit, edits[i].sql);
        (void)canary_refresh(unit->store, NULL);
        ask(a, after.a);
        ask(b, after.b);
        not_raised(&edits[i], "in a process that followed", &before, &after);
        ask_fresh(unit, &after);
        not_raised(&edits[i], "in a process that started later", &before, &after);
        if ((edits[i].kinds & (ROLLOUT | FLAG | OVERRIDES)) != 0 &&
            (edits[i].kinds & (HASH | HEAD)) == 0 && edits[i].left == 0) {
            assert_int_not_equal(unit_info(a).doubt | unit_info(b).doubt, 0);
        }
        canary_close(&a);
        canary_close(&b);
        unit_free(unit);
    }
}

static void rollback_in_spite_of_it(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(edits); i++) {
        struct unit *unit = tamper_scene();
        canary_ctx *a = unit_open(unit, "a");
        canary_error error = CANARY_ERROR_INIT;
        uint8_t cohorts[USERS + 4];

        tamper_by_hand(unit, edits[i].sql);
        if (canary_rollback(unit->store, "a", 0, NULL, NULL, &error) != CANARY_OK) {
            fail_msg("%s: the rollback failed: %s", edits[i].what, error.message);
        }
        for (int round = 0; round < 2; round++) {
            ask(a, cohorts);
            for (int user = 0; user < USERS; user++) {
                if (cohorts[user] != 0) {
                    fail_msg("%s: user %d is still on the new path", edits[i].what, user);
                }
            }
            (void)canary_refresh(unit->store, NULL);
        }
        assert_int_equal(unit_read(unit, "a").percentage_bp, 0);
        canary_close(&a);
        unit_free(unit);
    }
}

static void accept_makes_it_the_state(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(edits); i++) {
        struct unit *unit = tamper_scene();
        canary_change_options by = unit_by("auditor");
        canary_change change = { .size = sizeof change };
        canary_rollout stands;
        canary_store *fresh;
        canary_ctx *ctx = NULL;

        tamper_by_hand(unit, edits[i].sql);
        stands = unit_read(unit, "a");
        OK(canary_accept(unit->store, "a", &by, &change, &error));
        assert_string_equal(change.action, "accept");
        assert_string_equal(change.by, "auditor");
        assert_int_equal(change.to_percentage_bp, stands.percentage_bp);
        (void)canary_accept(unit->store, "b", &by, NULL, NULL);
        expect(&edits[i], "after accept", tamper_verify(unit->store, NULL).kinds, edits[i].left);
        /* What stands there is now believed by who opens, and can be raised again. */
        fresh = unit_another(unit);
        OK(canary_open_in(fresh, "a", NULL, &ctx, &error));
        if (unit_info(ctx).doubt != 0) {
            fail_msg("%s: doubt 0x%x after accept", edits[i].what, unit_info(ctx).doubt);
        }
        assert_int_equal(unit_info(ctx).percentage_bp, stands.percentage_bp);
        assert_int_equal(unit_info(ctx).effective_bp,
                         stands.flag_enabled ? stands.percentage_bp : 0);
        OK(canary_set_percentage(fresh, "a", 10000, NULL, NULL, NULL, &error));
        assert_int_equal(canary_should_use_new(ctx, "u1"), (int)stands.flag_enabled);
        canary_close(&ctx);
        canary_store_close(&fresh);
        expect(&edits[i], "and raised", tamper_verify(unit->store, NULL).kinds, edits[i].left);
        unit_free(unit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_edit_is_found),
        cmocka_unit_test(no_edit_raises),
        cmocka_unit_test(rollback_in_spite_of_it),
        cmocka_unit_test(accept_makes_it_the_state),
    };

    return cmocka_run_group_tests(tests, tamper_begin, tamper_end);
}
