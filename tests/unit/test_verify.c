/* SPDX-License-Identifier: MIT */
/* Edits made behind the library's back: each is found and named, none raises anybody's exposure, a
 * rollback works in spite of it, and after a look canary_accept() makes it the state. */
#include "support.h"

#include "digest.h"

#include "control/bell.h"

#define BIT(kind) (1u << (kind))
#define GAP BIT(CANARY_FINDING_GAP)
#define LINK BIT(CANARY_FINDING_LINK)
#define HASH BIT(CANARY_FINDING_HASH)
#define ROLLOUT BIT(CANARY_FINDING_ROLLOUT)
#define FLAG BIT(CANARY_FINDING_FLAG)
#define OVERRIDES BIT(CANARY_FINDING_OVERRIDES)
#define HEAD BIT(CANARY_FINDING_HEAD)
#define STORE BIT(CANARY_FINDING_STORE)
#define BELL BIT(CANARY_FINDING_BELL)
#define TIME BIT(CANARY_FINDING_TIME)

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

/* -- the file, by hand -- */

static void run(sqlite3 *db, const char *sql) {
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", sql, message);
    }
}

/* SQL's rehash(id): signs a row of the trail as its forger would. */
static void rehash(sqlite3_context *context, int count, sqlite3_value **values) {
    sqlite3 *db = sqlite3_context_db_handle(context);
    sqlite3_stmt *row = NULL;
    struct digest digest;
    char hash[65];
    char sql[200];

    assert_int_equal(count, 1);
    snprintf(sql, sizeof sql, "SELECT * FROM changes WHERE id = %d", sqlite3_value_int(values[0]));
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    digest_begin(&digest, "changes");
    digest_row(&digest, row, 15);
    digest_end(&digest, hash);
    sqlite3_finalize(row);
    snprintf(sql, sizeof sql, "UPDATE changes SET hash = '%s' WHERE id = %d", hash,
             sqlite3_value_int(values[0]));
    run(db, sql);
}

/* The triggers that guard the trail have to go for an edit, and to be back for the schema's check. */
static void by_hand(struct unit *unit, const char *sql) {
    char triggers[3][400];
    char drop[3][200];
    sqlite3_stmt *rows = NULL;
    char attach[600];
    sqlite3 *db = NULL;
    int count = 0;

    assert_int_equal(sqlite3_open(unit->path, &db), SQLITE_OK);
    sqlite3_create_function(db, "rehash", 1, SQLITE_UTF8, NULL, rehash, NULL, NULL);
    snprintf(attach, sizeof attach, "ATTACH '%s-saved' AS saved", unit->path);
    run(db, attach);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger'",
                           -1, &rows, NULL),
        SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        snprintf(drop[count], sizeof drop[0], "DROP TRIGGER %s", sqlite3_column_text(rows, 0));
        snprintf(triggers[count++], sizeof triggers[0], "%s", sqlite3_column_text(rows, 1));
    }
    sqlite3_finalize(rows);
    assert_int_equal(count, 3);
    run(db, "PRAGMA synchronous = OFF");
    run(db, "BEGIN");
    for (int i = 0; i < count; i++) {
        run(db, drop[i]);
    }
    run(db, sql);
    for (int i = 0; i < count; i++) {
        run(db, triggers[i]);
    }
    run(db, "COMMIT");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* -- the scene -- */

static void pin(struct unit *unit, const char *id, int cohort) {
    OK(canary_override_set(unit->store, "a", id, strlen(id), cohort, NULL, NULL, &error));
}

static struct unit *original;

static int make_original(void **state) {
    struct unit *unit = unit_new(UNIT_SQLITE);
    canary_rollout_spec spec = { .size = sizeof spec, .name = "b", .flag = "shared" };

    spec.salt = "b";
    unit_create(unit, "a");                                    /* 1 */
    OK(canary_create(unit->store, &spec, NULL, NULL, &error)); /* 2 */
    unit->realtime += 1000;
    OK(canary_flag_set(unit->store, "shared", 0, NULL, NULL, &error)); /* 3 */
    by_hand(unit, "CREATE TABLE saved.old_rollouts AS SELECT * FROM rollouts;"
                  "CREATE TABLE saved.old_flags AS SELECT * FROM feature_flags");
    unit->realtime += 1000;
    OK(canary_flag_set(unit->store, "shared", 1, NULL, NULL, &error)); /* 4 */
    unit_set(unit, "a", 2500);                                         /* 5 */
    unit_set(unit, "b", 5000);                                         /* 6 */
    OK(canary_flag_set(unit->store, "alone", 0, NULL, NULL, &error));  /* 7 */
    /* Without their pins new1 were in `old` (bucket 3906) and old1 in `new` (bucket 1843). */
    pin(unit, "new1", 1);      /* 8 */
    pin(unit, "new2", 1);      /* 9 */
    pin(unit, "old1", 0);      /* 10 */
    unit_set(unit, "b", 5000); /* 11 */
    unit_set(unit, "a", 2500); /* 12 */
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    (void)state;
    original = unit;
    return 0;
}

static int drop_original(void **state) {
    (void)state;
    unit_free(original);
    return 0;
}

/* Commits wait for the disk, and there are hundreds of scenes: each is a copy. */
static struct unit *scene(void) {
    return unit_copy(original);
}

struct found {
    unsigned kinds;
    unsigned count;
    unsigned stop_at;
    int about;
    const struct edit *edit;
};

static int collect(void *user_data, const canary_finding *finding) {
    struct found *found = user_data;

    assert_int_equal(finding->size, sizeof *finding);
    assert_in_range(finding->kind, CANARY_FINDING_GAP, CANARY_FINDING_TIME);
    assert_true(strlen(finding->message) > 10);
    assert_true(strlen(finding->next) > 10);
    assert_null(strchr(finding->message, '\n'));
    found->kinds |= BIT((unsigned)finding->kind);
    found->about |= found->edit != NULL && strstr(finding->message, found->edit->about) != NULL;
    if (finding->kind <= CANARY_FINDING_HASH) {
        assert_true(finding->change_id > 0);
    }
    if (finding->kind == CANARY_FINDING_ROLLOUT || finding->kind == CANARY_FINDING_HEAD ||
        finding->kind == CANARY_FINDING_OVERRIDES) {
        assert_true(finding->rollout[0] != '\0');
    }
    if (finding->kind == CANARY_FINDING_FLAG) {
        assert_true(finding->flag[0] != '\0');
    }
    return ++found->count == found->stop_at;
}

static struct found verify(canary_store *store, const struct edit *edit) {
    struct found found = { .edit = edit };
    canary_verify_report report = { .size = sizeof report };
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_verify(store, collect, &found, &report, &error);

    assert_int_equal(code, found.count > 0 ? CANARY_E_TAMPERED : CANARY_OK);
    assert_int_equal(error.code, code);
    assert_int_equal(report.findings, found.count);
    return found;
}

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
        struct unit *unit = scene();
        struct found found;

        by_hand(unit, edits[i].sql);
        found = verify(unit->store, &edits[i]);
        expect(&edits[i], "verify", found.kinds, edits[i].kinds);
        if (edits[i].kinds != 0 && !found.about) {
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
        struct unit *unit = scene();
        struct cohorts before;
        struct cohorts after;
        canary_ctx *a = unit_open(unit, "a");
        canary_ctx *b = unit_open(unit, "b");

        ask(a, before.a);
        ask(b, before.b);
        by_hand(unit, edits[i].sql);
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
        struct unit *unit = scene();
        canary_ctx *a = unit_open(unit, "a");
        canary_error error = CANARY_ERROR_INIT;
        uint8_t cohorts[USERS + 4];

        by_hand(unit, edits[i].sql);
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
        struct unit *unit = scene();
        canary_change_options by = unit_by("auditor");
        canary_change change = { .size = sizeof change };
        canary_rollout stands;
        canary_store *fresh;
        canary_ctx *ctx = NULL;

        by_hand(unit, edits[i].sql);
        stands = unit_read(unit, "a");
        OK(canary_accept(unit->store, "a", &by, &change, &error));
        assert_string_equal(change.action, "accept");
        assert_string_equal(change.by, "auditor");
        assert_int_equal(change.to_percentage_bp, stands.percentage_bp);
        (void)canary_accept(unit->store, "b", &by, NULL, NULL);
        expect(&edits[i], "after accept", verify(unit->store, &edits[i]).kinds, edits[i].left);
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
        expect(&edits[i], "and raised", verify(unit->store, &edits[i]).kinds, edits[i].left);
        unit_free(unit);
    }
}

/* What an accept recorded: from what the trail said to what somebody made of it. */
static void accept_records_the_difference(void **state) {
    struct unit *unit = scene();
    canary_change change = { .size = sizeof change };

    (void)state;
    by_hand(unit, "UPDATE rollouts SET percentage_bp = 100 WHERE name = 'a'");
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
    struct unit *unit = scene();
    canary_ctx *ctx = unit_open(unit, "a");

    (void)state;
    by_hand(unit, "UPDATE rollouts SET percentage_bp = 10000 WHERE name = 'a'");
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(unit_info(ctx).doubt, CANARY_DOUBT_ROLLOUT);
    assert_int_equal(unit_info(ctx).effective_bp, 2500);
    assert_int_equal(unit_read(unit, "a").doubt, CANARY_DOUBT_ROLLOUT);
    assert_int_equal(unit_read(unit, "a").percentage_bp, 10000);
    assert_int_equal(unit_read(unit, "a").effective_bp, 2500);
    by_hand(unit, "UPDATE rollouts SET percentage_bp = 400 WHERE name = 'a'");
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
    assert_int_equal(verify(unit->store, NULL).kinds, ROLLOUT);
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
    struct unit *unit = scene();
    canary_ctx *ctx = unit_open(unit, "a");

    (void)state;
    unit_set(unit, "a", 10000);
    by_hand(unit, "UPDATE feature_flags SET enabled = 0 WHERE name = 'a'");
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(canary_should_use_new(ctx, "u"), 0);
    assert_int_equal(unit_info(ctx).kill_reasons, CANARY_KILL_FLAG);
    assert_int_equal(unit_info(ctx).doubt, CANARY_DOUBT_FLAG);
    assert_int_equal(unit_read(unit, "a").effective_bp, 0);
    assert_int_equal(unit_read(unit, "a").doubt, CANARY_DOUBT_FLAG);
    assert_int_equal(verify(unit->store, NULL).kinds, FLAG);
    /* Through the library, and signed again. */
    OK(canary_flag_set(unit->store, "a", 1, NULL, NULL, &error));
    assert_int_equal(canary_should_use_new(ctx, "u"), 1);
    assert_int_equal(unit_info(ctx).doubt, 0);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    /* Switched off by the library, and on by SQL: that raises, and is not believed. */
    OK(canary_flag_set(unit->store, "a", 0, NULL, NULL, &error));
    by_hand(unit, "UPDATE feature_flags SET enabled = 1 WHERE name = 'a'");
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
    assert_int_equal(verify(unit->store, NULL).kinds, 0); /* a minute is forgiven */
    unit->realtime -= 60000000001;
    unit_set(unit, "t", 2);
    assert_int_equal(verify(unit->store, NULL).kinds, TIME);
    unit->realtime += 3600000000000;
    unit_set(unit, "t", 3);
    assert_int_equal(verify(unit->store, NULL).count, 1);
}

static void bell_findings(void **state) {
    struct unit *unit = *state;
    static const char rubbish[32] = "not an entry";
    char path[600];
    FILE *bell;

    unit_create(unit, "b");
    unit_set(unit, "b", 5000);
    snprintf(path, sizeof path, "%s-doorbell", unit->path);
    assert_int_equal(verify(unit->store, NULL).kinds, 0);
    assert_int_equal(
        canary__bell_put(path, canary__bell_key("b"), 0, 100, CANARY__BELL_PENDING, NULL),
        CANARY_OK);
    assert_int_equal(verify(unit->store, NULL).kinds, BELL);
    assert_int_equal(unit_read(unit, "b").doubt, CANARY_DOUBT_ROLLBACK);
    assert_int_equal(unit_read(unit, "b").effective_bp, 100);
    FAILS(CANARY_E_REFUSED, "not recorded", "canaryctl rollback",
          canary_advance(unit->store, "b", NULL, NULL, &error));
    OK(canary_rollback(unit->store, "b", 0, NULL, NULL, &error));
    assert_int_equal(verify(unit->store, NULL).kinds, 0);
    assert_int_equal(unit_read(unit, "b").doubt, 0);
    bell = fopen(path, "r+b");
    assert_non_null(bell);
    assert_int_equal(fseek(bell, 64 + 32 * 100, SEEK_SET), 0);
    assert_int_equal(fwrite(rubbish, 1, sizeof rubbish, bell), sizeof rubbish);
    fclose(bell);
    assert_int_equal(verify(unit->store, NULL).kinds, BELL);
    assert_int_equal(unit_read(unit, "b").kill_reasons, CANARY_KILL_BELL);
    FAILS(CANARY_E_REFUSED, "damaged", "canaryctl accept",
          canary_advance(unit->store, "b", NULL, NULL, &error));
    OK(canary_accept(unit->store, "b", NULL, NULL, &error));
    assert_int_equal(verify(unit->store, NULL).kinds, 0);
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
    assert_int_equal(verify(unit->store, NULL).kinds, STORE);
}

static void callback_ends_the_telling_not_the_counting(void **state) {
    struct unit *unit = scene();
    struct found found = { .stop_at = 2 };
    canary_verify_report report = { .size = sizeof report };

    (void)state;
    by_hand(unit, "UPDATE changes SET note = 'x'; UPDATE rollouts SET note = 'x'");
    assert_int_equal(canary_verify(unit->store, collect, &found, &report, NULL), CANARY_E_TAMPERED);
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
        cmocka_unit_test(each_edit_is_found),
        cmocka_unit_test(no_edit_raises),
        cmocka_unit_test(rollback_in_spite_of_it),
        cmocka_unit_test(accept_makes_it_the_state),
        cmocka_unit_test(accept_records_the_difference),
        cmocka_unit_test(doubt_refuses_raises),
        cmocka_unit_test(flag_switched_by_sql),
        UNIT_BOTH(clock_that_went_back),
        UNIT_SQLITE_ONLY(bell_findings),
        UNIT_SQLITE_ONLY(store_finding),
        cmocka_unit_test(callback_ends_the_telling_not_the_counting),
        UNIT_BOTH(head_moves_with_each_change),
    };

    return cmocka_run_group_tests(tests, make_original, drop_original);
}
