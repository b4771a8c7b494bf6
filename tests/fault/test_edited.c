/* SPDX-License-Identifier: MIT */
/* Rows changed by a plain SQL shell, old rows put back, old files put in place: believed as far as
 * they lower, named, refused as a ground for raising, and settled by canary_accept(). */
#include "fault.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char now[FAULT_PATH]; /* the store as it is */
static char off[FAULT_PATH]; /* the same with its flag off */
static char old[FAULT_PATH]; /* the same at 100 %, some changes earlier */
static char place[FAULT_PATH];

#define PAY "WHERE name='" FAULT_ROLLOUT "'"
#define PAY_STAGES "WHERE rollout='" FAULT_ROLLOUT "'"
#define PINS "WHERE rollout='" FAULT_ROLLOUT "' AND user_id=CAST('"
#define BIT(kind) (1u << (kind))
#define FREE_TRAIL "DROP TRIGGER changes_no_update; DROP TRIGGER changes_no_delete;"
#define BIND_TRAIL                                                                                 \
    "CREATE TRIGGER changes_no_update BEFORE UPDATE ON changes\n"                                  \
    "BEGIN SELECT RAISE(ABORT, 'changes is append-only'); END;"                                    \
    "CREATE TRIGGER changes_no_delete BEFORE DELETE ON changes\n"                                  \
    "BEGIN SELECT RAISE(ABORT, 'changes is append-only'); END;"

/* What becomes of exposure in a context that runs on. */
enum { SAME, LESS, NOBODY };
/* What canary_accept() can do about it. */
enum { SIGNS, SIGNS_FOR_NEW, REFUSES };

/* Doubt, finding and the code of a raise, for rows of each kind. */
#define IN_ROLLOUT CANARY_DOUBT_ROLLOUT, BIT(CANARY_FINDING_ROLLOUT), CANARY_E_TAMPERED
#define IN_FLAG CANARY_DOUBT_FLAG, BIT(CANARY_FINDING_FLAG), CANARY_E_TAMPERED
#define IN_PINS CANARY_DOUBT_OVERRIDES, BIT(CANARY_FINDING_OVERRIDES), CANARY_OK

static const struct edit {
    const char *sql; /* OLD stands for the path of the older store */
    int exposure;
    uint32_t doubt;   /* of canary_info(), at least */
    uint32_t finding; /* of canary_verify(), any of them */
    int raise;        /* code of a raising change before canary_accept() */
    int accept;
} edits[] = {
    /* Each column of rollouts. */
    { "UPDATE rollouts SET percentage_bp=10000 " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET percentage_bp=500 " PAY, LESS, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET percentage_bp=0 " PAY, LESS, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET stage=4 " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET stage=99999 " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET phase='FULL' " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET phase=hex(zeroblob(4000)) " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET salt='other' " PAY, SAME, IN_ROLLOUT, SIGNS_FOR_NEW },
    { "UPDATE rollouts SET algorithm=2 " PAY, SAME, IN_ROLLOUT, REFUSES },
    { "UPDATE rollouts SET flag='" FAULT_OTHER "' " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET flag='no such name!' " PAY, SAME, IN_ROLLOUT, REFUSES },
    { "UPDATE rollouts SET policy='none' " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET revision=1 " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET revision=999 " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET revision=-1 " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET updated_at=0 " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET updated_by='nobody' " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET note='x' " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET overrides_new=9 " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET overrides_old=0 " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET overrides_digest='' " PAY, SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE rollouts SET checksum='' " PAY, SAME, IN_ROLLOUT, SIGNS },
    /* Each column of stages, a rung less, a rung more. */
    { "UPDATE stages SET percentage_bp=9000 " PAY_STAGES " AND stage=2", SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE stages SET name='X' " PAY_STAGES " AND stage=3", SAME, IN_ROLLOUT, SIGNS },
    { "UPDATE stages SET dwell_ns=-7 " PAY_STAGES " AND stage=3", SAME, IN_ROLLOUT, REFUSES },
    { "UPDATE stages SET stage=9 " PAY_STAGES " AND stage=4", SAME, IN_ROLLOUT, REFUSES },
    { "UPDATE stages SET rollout='elsewhere' " PAY_STAGES " AND stage=4", SAME, IN_ROLLOUT, SIGNS },
    { "DELETE FROM stages " PAY_STAGES " AND stage=1", SAME, IN_ROLLOUT, REFUSES },
    { "DELETE FROM stages " PAY_STAGES, SAME, IN_ROLLOUT, REFUSES },
    { "INSERT INTO stages VALUES('" FAULT_ROLLOUT "', 5, 'MORE', 10000, 0)", SAME, IN_ROLLOUT,
      SIGNS },
    /* Each column of feature_flags, and the row itself. */
    { "UPDATE feature_flags SET enabled=0 WHERE name='" FAULT_FLAG "'", NOBODY, IN_FLAG, SIGNS },
    { "UPDATE feature_flags SET updated_at=1 WHERE name='" FAULT_FLAG "'", SAME, IN_FLAG, SIGNS },
    { "UPDATE feature_flags SET updated_by='x' WHERE name='" FAULT_FLAG "'", SAME, IN_FLAG, SIGNS },
    { "UPDATE feature_flags SET note='x' WHERE name='" FAULT_FLAG "'", SAME, IN_FLAG, SIGNS },
    { "UPDATE feature_flags SET checksum='x' WHERE name='" FAULT_FLAG "'", SAME, IN_FLAG, SIGNS },
    { "UPDATE feature_flags SET name='gone' WHERE name='" FAULT_FLAG "'", NOBODY, IN_FLAG, SIGNS },
    { "DELETE FROM feature_flags WHERE name='" FAULT_FLAG "'", NOBODY, IN_FLAG, SIGNS },
    /* Overrides: a pin more, turned, less; its rollout changed. A percentage may still be raised:
     * that makes no forged pin any truer. */
    { "INSERT INTO overrides VALUES('" FAULT_ROLLOUT "', CAST('user-20' AS BLOB), 1)", SAME,
      IN_PINS, SIGNS },
    { "INSERT INTO overrides SELECT '" FAULT_ROLLOUT "', CAST('user-' || value AS BLOB), 0 FROM "
      "(WITH RECURSIVE c(value) AS (SELECT 50 UNION ALL SELECT value+1 FROM c WHERE value < 150) "
      "SELECT value FROM c)",
      LESS, IN_PINS, SIGNS },
    { "UPDATE overrides SET cohort=1 " PINS "user-5' AS BLOB)", SAME, IN_PINS, SIGNS },
    { "UPDATE overrides SET cohort=0 " PINS "user-1' AS BLOB)", LESS, IN_PINS, SIGNS },
    { "UPDATE overrides SET cohort=1 - cohort " PAY_STAGES, LESS, IN_PINS, SIGNS },
    { "DELETE FROM overrides " PINS "user-5' AS BLOB)", SAME, IN_PINS, SIGNS },
    { "DELETE FROM overrides " PINS "user-1' AS BLOB)", LESS, IN_PINS, SIGNS },
    { "DELETE FROM overrides " PAY_STAGES, LESS, IN_PINS, SIGNS },
    { "UPDATE overrides SET rollout='" FAULT_OTHER "' " PINS "user-5' AS BLOB)", SAME, IN_PINS,
      SIGNS_FOR_NEW },
    { "UPDATE overrides SET user_id=CAST('user-21' AS BLOB) " PINS "user-5' AS BLOB)", SAME,
      IN_PINS, SIGNS },
    /* Old rows with their old signatures. */
    { "ATTACH 'OLD' AS old; REPLACE INTO rollouts SELECT * FROM old.rollouts " PAY, SAME,
      CANARY_DOUBT_ROLLOUT, BIT(CANARY_FINDING_HEAD), CANARY_E_TAMPERED, SIGNS },
    { "ATTACH 'OLD' AS old; REPLACE INTO rollouts SELECT * FROM old.rollouts " PAY ";"
      "DELETE FROM overrides " PAY_STAGES ";"
      "INSERT INTO overrides SELECT * FROM old.overrides " PAY_STAGES,
      SAME, CANARY_DOUBT_ROLLOUT, BIT(CANARY_FINDING_HEAD), CANARY_E_TAMPERED, SIGNS },
    /* The trail. */
    { FREE_TRAIL "DELETE FROM changes WHERE id > (SELECT max(id) - 1 FROM changes);" BIND_TRAIL,
      SAME, CANARY_DOUBT_TRAIL, BIT(CANARY_FINDING_HEAD), CANARY_E_TAMPERED, SIGNS },
    { FREE_TRAIL "DELETE FROM changes WHERE id > (SELECT max(id) - 4 FROM changes);" BIND_TRAIL,
      SAME, CANARY_DOUBT_TRAIL, BIT(CANARY_FINDING_HEAD), CANARY_E_TAMPERED, SIGNS },
    { FREE_TRAIL "UPDATE changes SET to_percentage_bp=10000 WHERE id=(SELECT max(id) FROM changes);"
                 "UPDATE rollouts SET percentage_bp=10000 " PAY ";" BIND_TRAIL,
      SAME, CANARY_DOUBT_ROLLOUT | CANARY_DOUBT_TRAIL, BIT(CANARY_FINDING_HASH), CANARY_E_TAMPERED,
      SIGNS },
};

static void done(int code, const canary_error *error) {
    if (code != CANARY_OK) {
        fail_msg("%s: %s", canary_error_name(code), error->message);
    }
}

static canary_ctx *open_at(const char *path) {
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;

    done(canary_open(path, FAULT_ROLLOUT, &options, &ctx, &error), &error);
    return ctx;
}

static int setup(void **unused) {
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx;
    canary_store *store;

    (void)unused;
    fault_path(now, "now.db");
    fault_path(off, "off.db");
    fault_path(old, "old.db");
    fault_path(place, "edited.db");
    fault_make(now, 0);
    ctx = open_at(now);
    store = canary_ctx_store(ctx);
    done(canary_set_percentage(store, FAULT_ROLLOUT, 10000, NULL, NULL, NULL, &error), &error);
    fault_copy_store(now, old);
    done(canary_override_set(store, FAULT_ROLLOUT, "user-30", 7, CANARY_OLD, NULL, NULL, &error),
         &error);
    done(canary_override_remove(store, FAULT_ROLLOUT, "user-3", 6, NULL, NULL, &error), &error);
    done(canary_rollback(store, FAULT_ROLLOUT, 2, NULL, NULL, &error), &error);
    fault_copy_store(now, off);
    canary_close(&ctx);
    ctx = open_at(off);
    done(canary_flag_set(canary_ctx_store(ctx), FAULT_FLAG, 0, NULL, NULL, &error), &error);
    canary_close(&ctx);
    return 0;
}

static void edit_place(const char *sql) {
    char text[2048];
    const char *name = strstr(sql, "'OLD'");

    if (name == NULL) {
        fault_sql(place, sql);
        return;
    }
    snprintf(text, sizeof text, "%.*s'%s'%s", (int)(name - sql), sql, old, name + 5);
    fault_sql(place, text);
}

/* A fresh context gets no more than anybody got before; it may be refused, with a name. */
static void fresh_never_raised(const uint8_t *before, const char *what) {
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;
    uint8_t after[FAULT_USERS];
    canary_ctx *ctx = NULL;
    int code = canary_open(place, FAULT_ROLLOUT, &options, &ctx, &error);

    if (code != CANARY_OK) {
        fault_named(code, &error);
        return;
    }
    fault_decide(ctx, after);
    fault_never_raised(before, after, what);
    canary_close(&ctx);
}

static void same_for_a_fresh_one(canary_ctx *running, const char *what) {
    uint8_t theirs[FAULT_USERS];
    uint8_t ours[FAULT_USERS];
    canary_ctx *fresh = open_at(place);

    fault_decide(fresh, theirs);
    fault_decide(running, ours);
    if (memcmp(ours, theirs, FAULT_USERS) != 0) {
        fail_msg("%s: accepted, and a running context lets %u users in, a fresh one %u", what,
                 fault_count(ours), fault_count(theirs));
    }
    canary_close(&fresh);
}

static void raise_it(canary_ctx *ctx, const struct edit *edit, const uint8_t *before) {
    canary_store *store = canary_ctx_store(ctx);
    canary_error error = CANARY_ERROR_INIT;
    uint8_t after[FAULT_USERS];
    int code = canary_advance(store, FAULT_ROLLOUT, NULL, NULL, &error);

    if (code != edit->raise) {
        fail_msg("%s: advance answers %s (%s), not %s", edit->sql, canary_error_name(code),
                 error.message, canary_error_name(edit->raise));
    }
    if (code == CANARY_OK) {
        done(canary_rollback(store, FAULT_ROLLOUT, 2, NULL, NULL, &error), &error);
        assert_int_equal(canary_refresh(store, &error), CANARY_OK);
    }
    fault_decide(ctx, after);
    fault_never_raised(before, after, edit->sql);
    fresh_never_raised(before, edit->sql);
}

static void accept_it(canary_ctx *ctx, const struct edit *edit, const uint8_t *before) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_error error = CANARY_ERROR_INIT;
    uint8_t after[FAULT_USERS];
    int code = canary_accept(canary_ctx_store(ctx), FAULT_ROLLOUT, NULL, NULL, &error);

    if (edit->accept == REFUSES) {
        if (code != CANARY_E_TAMPERED) {
            fail_msg("%s: accept answers %s", edit->sql, canary_error_name(code));
        }
        fault_named(code, &error);
        fault_decide(ctx, after);
        fault_never_raised(before, after, edit->sql);
        return;
    }
    if (code != CANARY_OK) {
        fail_msg("%s: accept: %s", edit->sql, error.message);
    }
    assert_int_equal(canary_refresh(canary_ctx_store(ctx), &error), CANARY_OK);
    assert_int_equal(canary_info(ctx, &info), CANARY_OK);
    if (edit->accept == SIGNS) {
        if (info.doubt != 0) {
            fail_msg("%s: doubt 0x%x after accept", edit->sql, info.doubt);
        }
        same_for_a_fresh_one(ctx, edit->sql);
    }
    /* A flag that nobody obeys is settled by switching it. */
    if (strstr(edit->sql, "'gone'") != NULL) {
        done(canary_flag_set(canary_ctx_store(ctx), "gone", 0, NULL, NULL, &error), &error);
    }
    /* Each rollout is accepted by itself. */
    if (strstr(edit->sql, "SET rollout='" FAULT_OTHER "'") != NULL) {
        done(canary_accept(canary_ctx_store(ctx), FAULT_OTHER, NULL, NULL, &error), &error);
    }
    /* A trail that was edited stays so for ever. */
    if ((edit->finding & BIT(CANARY_FINDING_HASH)) == 0 &&
        fault_verify(canary_ctx_store(ctx)) != CANARY_OK) {
        fail_msg("%s: accepted, but verify still complains", edit->sql);
    }
}

static void test_edits(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        const struct edit *edit = &edits[i];
        canary_ctx_info info = CANARY_CTX_INFO_INIT;
        canary_error error = CANARY_ERROR_INIT;
        uint8_t before[FAULT_USERS];
        uint8_t after[FAULT_USERS];
        canary_ctx *ctx;
        uint32_t count;
        uint32_t findings;

        fault_copy_store(now, place);
        ctx = open_at(place);
        fault_decide(ctx, before);
        edit_place(edit->sql);
        (void)canary_refresh(canary_ctx_store(ctx), &error);
        fault_decide(ctx, after);
        fault_never_raised(before, after, edit->sql);
        count = fault_count(after);
        if (edit->exposure == SAME   ? memcmp(before, after, FAULT_USERS) != 0
            : edit->exposure == LESS ? count >= fault_count(before) || count == 0
                                     : count != 0) {
            fail_msg("%s: %u of %u users are left", edit->sql, count, fault_count(before));
        }
        assert_int_equal(canary_info(ctx, &info), CANARY_OK);
        if ((info.doubt & edit->doubt) != edit->doubt) {
            fail_msg("%s: doubt is 0x%x, not 0x%x", edit->sql, info.doubt, edit->doubt);
        }
        fresh_never_raised(before, edit->sql);
        findings = fault_findings(canary_ctx_store(ctx));
        if ((findings & edit->finding) != edit->finding) {
            fail_msg("%s: findings are 0x%x, not 0x%x", edit->sql, findings, edit->finding);
        }
        raise_it(ctx, edit, before);
        accept_it(ctx, edit, before);
        canary_close(&ctx);
    }
}

/* A flag that is off, and its row of the time when it was on put back, signature and all. */
static void test_old_flag(void **unused) {
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_error error = CANARY_ERROR_INIT;
    uint8_t before[FAULT_USERS];
    uint8_t after[FAULT_USERS];
    canary_ctx *ctx;

    (void)unused;
    fault_copy_store(off, place);
    ctx = open_at(place);
    fault_decide(ctx, before);
    assert_int_equal(fault_count(before), 0);
    edit_place("ATTACH 'OLD' AS old; REPLACE INTO feature_flags SELECT * FROM old.feature_flags");
    assert_int_equal(canary_refresh(canary_ctx_store(ctx), &error), CANARY_OK);
    fault_decide(ctx, after);
    fault_never_raised(before, after, "an old flag, running");
    assert_int_equal(canary_info(ctx, &info), CANARY_OK);
    assert_true((info.doubt & CANARY_DOUBT_FLAG) != 0);
    fresh_never_raised(before, "an old flag, fresh");
    assert_true((fault_findings(canary_ctx_store(ctx)) & BIT(CANARY_FINDING_FLAG)) != 0);
    /* The operator's word settles it. */
    done(canary_flag_set(canary_ctx_store(ctx), FAULT_FLAG, 1, NULL, NULL, &error), &error);
    fault_decide(ctx, after);
    assert_true(fault_count(after) > 0);
    same_for_a_fresh_one(ctx, "a flag switched on");
    assert_int_equal(fault_verify(canary_ctx_store(ctx)), CANARY_OK);
    canary_close(&ctx);
}

/* A change that is none of the edited row's business must not sign the edit. */
static void test_nothing_is_signed_by_the_way(void **unused) {
    static const char *const sql[] = {
        "UPDATE rollouts SET percentage_bp=10000 " PAY,
        "ATTACH 'OLD' AS old; REPLACE INTO rollouts SELECT * FROM old.rollouts " PAY,
        "INSERT INTO overrides VALUES('" FAULT_ROLLOUT "', CAST('user-20' AS BLOB), 1)",
        "DELETE FROM overrides " PINS "user-5' AS BLOB)",
    };

    (void)unused;
    for (size_t i = 0; i < 2 * (sizeof sql / sizeof sql[0]); i++) {
        const char *edit = sql[i / 2];
        canary_error error = CANARY_ERROR_INIT;
        char bell[FAULT_PATH + 16];
        uint8_t before[FAULT_USERS];
        uint8_t after[FAULT_USERS];
        canary_store *store;
        canary_ctx *ctx;

        fault_copy_store(now, place);
        fault_bell(bell, place);
        /* The bell remembers rollbacks; without it the rows alone must do. */
        assert_true(i % 2 == 0 || unlink(bell) == 0);
        ctx = open_at(place);
        store = canary_ctx_store(ctx);
        fault_decide(ctx, before);
        edit_place(edit);
        for (int round = 0; round < 6; round++) {
            done(canary_flag_set(store, FAULT_FLAG, 0, NULL, NULL, &error), &error);
            done(canary_flag_set(store, FAULT_FLAG, 1, NULL, NULL, &error), &error);
            (void)canary_override_set(store, FAULT_ROLLOUT, "user-5", 6, CANARY_OLD, NULL, NULL,
                                      &error);
            fault_decide(ctx, after);
            fault_never_raised(before, after, edit);
            fresh_never_raised(before, edit);
        }
        assert_true(fault_findings(store) != 0);
        canary_close(&ctx);
    }
}

/* The whole store as it was some changes ago, put in place under a running context. */
static void test_old_copy(void **unused) {
    const char *const presents[] = { now, off };

    (void)unused;
    for (int i = 0; i < 2; i++) {
        canary_ctx_info info = CANARY_CTX_INFO_INIT;
        canary_error error = CANARY_ERROR_INIT;
        uint8_t before[FAULT_USERS];
        uint8_t after[FAULT_USERS];
        canary_store *store;
        canary_ctx *ctx;

        fault_copy_store(presents[i], place);
        ctx = open_at(place);
        store = canary_ctx_store(ctx);
        fault_decide(ctx, before);
        fault_copy(old, place);
        for (int look = 0; look < 3; look++) {
            (void)canary_refresh(store, &error);
            fault_decide(ctx, after);
            fault_never_raised(before, after, "an old copy, running");
        }
        assert_int_equal(canary_info(ctx, &info), CANARY_OK);
        assert_true((info.doubt & CANARY_DOUBT_TRAIL) != 0);
        /* The bell, which was not put back, remembers the rollback. That a flag was switched off,
         * only this process remembers. */
        if (i == 0) {
            uint8_t unpinned[FAULT_USERS];

            memcpy(unpinned, before, sizeof unpinned);
            unpinned[3] = unpinned[30] = 1; /* pins were put back with the rows */
            fresh_never_raised(unpinned, "an old copy, fresh");
        }
        assert_int_equal(canary_advance(store, FAULT_ROLLOUT, NULL, NULL, &error) < 0, 1);
        (void)canary_refresh(store, &error);
        fault_decide(ctx, after);
        fault_never_raised(before, after, "an old copy, after a refused change");

        done(canary_accept(store, FAULT_ROLLOUT, NULL, NULL, &error), &error);
        assert_int_equal(canary_refresh(store, &error), CANARY_OK);
        assert_int_equal(canary_info(ctx, &info), CANARY_OK);
        if (info.doubt != 0) {
            fail_msg("an old copy: doubt 0x%x after accept", info.doubt);
        }
        same_for_a_fresh_one(ctx, "an old copy");
        canary_close(&ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_old_flag),
        cmocka_unit_test(test_nothing_is_signed_by_the_way),
        cmocka_unit_test(test_old_copy),
    };

    return cmocka_run_group_tests(tests, setup, fault_teardown);
}
