/* SPDX-License-Identifier: MIT */
/* The trail and the rows, recomputed by other code than the library's: what an auditor with a script of
 * his own would do. */
#include "support.h"

#include "digest.h"

/* Head of the trail that make_trail() writes with evidence. */
#define RECORDED_HEAD "04435b1e6981363d1bfaeb1d61a7140a06bc0362710757d7703917d458fbe128"

/* Every action there is, with texts of every kind. */
static void make_trail(struct unit *unit, const char *evidence) {
    canary_change_options by = unit_by("J\xc3\xbcrgen \"Q\" O'Neil");
    canary_change_options plain = CANARY_CHANGE_OPTIONS_INIT;
    static const uint32_t bp[] = { 500, 2500, 10000 };
    static const char *const names[] = { "canary", "beta", "full" };
    static const int64_t dwell[] = { 0, 3600000000000, INT64_MAX };
    canary_rollout_spec spec = { .size = sizeof spec,
                                 .name = "one",
                                 .salt = "s\xc3\xa9l",
                                 .flag = "shared",
                                 .stage_count = 3,
                                 .stages_bp = bp,
                                 .stage_names = names,
                                 .dwell_ns = dwell };

    by.note = "a note\nof two lines";
    by.evidence = evidence;
    OK(canary_create(unit->store, &spec, &by, NULL, &error));
    unit->realtime += 1;
    OK(canary_create(unit->store,
                     &(canary_rollout_spec){ .size = sizeof spec, .name = "two", .flag = "shared" },
                     NULL, NULL, &error));
    for (int i = 0; i < 3; i++) {
        unit->realtime += 999999999;
        OK(canary_advance(unit->store, "one", &by, NULL, &error));
    }
    OK(canary_flag_set(unit->store, "shared", 0, &by, NULL, &error));
    OK(canary_flag_set(unit->store, "alone", 0, NULL, NULL, &error));
    OK(canary_flag_set(unit->store, "shared", 1, NULL, NULL, &error));
    OK(canary_override_set(unit->store, "one", "alice", 5, CANARY_NEW, &by, NULL, &error));
    OK(canary_override_set(unit->store, "one", "a\0b", 3, CANARY_OLD, NULL, NULL, &error));
    OK(canary_override_set(unit->store, "one", "\xff\xfe", 2, CANARY_OLD, NULL, NULL, &error));
    OK(canary_override_set(unit->store, "one", "gone", 4, CANARY_NEW, NULL, NULL, &error));
    OK(canary_override_set(unit->store, "one", "alice", 5, CANARY_OLD, NULL, NULL, &error));
    OK(canary_override_remove(unit->store, "one", "gone", 4, NULL, NULL, &error));
    OK(canary_override_set(unit->store, "two", "alice", 5, CANARY_NEW, NULL, NULL, &error));
    OK(canary_set_percentage(unit->store, "two", 750, "phase", &by, NULL, &error));
    plain.flags = CANARY_CHANGE_EMERGENCY;
    OK(canary_set_percentage(unit->store, "two", 1, NULL, &plain, NULL, &error));
    unit->realtime = -5;
    OK(canary_accept(unit->store, "two", &by, NULL, &error));
    OK(canary_rollback(unit->store, "one", 1, &by, NULL, &error));
}

struct walk {
    char expected[72]; /* hash of the row before: what the newer one follows */
    uint64_t rows;
};

static int recompute(void *user_data, const canary_change *c) {
    struct walk *walk = user_data;
    struct digest digest;
    char hash[65];

    digest_begin(&digest, "changes");
    digest_integer(&digest, (int64_t)c->id);
    digest_text(&digest, c->rollout);
    digest_integer(&digest, (int64_t)c->revision);
    digest_text(&digest, c->action);
    digest_integer(&digest, c->from_stage);
    digest_integer(&digest, c->to_stage);
    digest_integer(&digest, c->from_percentage_bp);
    digest_integer(&digest, c->to_percentage_bp);
    digest_text(&digest, c->flag);
    digest_integer(&digest, c->user_hash);
    digest_integer(&digest, c->at_ns);
    digest_text(&digest, c->by);
    digest_text(&digest, c->note);
    digest_text(&digest, ""); /* the evidence, which history does not show */
    digest_text(&digest, c->previous_hash);
    digest_end(&digest, hash);
    assert_string_equal(hash, c->hash);
    if (walk->rows > 0) {
        assert_string_equal(walk->expected, c->hash);
    }
    memcpy(walk->expected, c->previous_hash, sizeof walk->expected);
    walk->rows++;
    return 0;
}

static void history_recomputed(void **state) {
    struct unit *unit = *state;
    canary_verify_report report = { .size = sizeof report };
    canary_change newest = { .size = sizeof newest };
    struct walk walk = { .rows = 0 };

    make_trail(unit, NULL);
    OK(canary_history(unit->store, NULL, 0, 0, recompute, &walk, &error));
    assert_int_equal(walk.rows, 21);
    assert_true(unit_all(walk.expected, 64, '0'));
    assert_int_equal(canary_verify(unit->store, NULL, NULL, &report, NULL), CANARY_E_TAMPERED);
    assert_int_equal(report.findings, 1); /* the clock that went back */
    assert_int_equal(report.changes, 21);
    assert_int_equal(report.rollouts, 2);
    assert_int_equal(report.flags, 2);
    OK(canary_advance(unit->store, "one", NULL, &newest, &error));
    assert_string_equal(newest.previous_hash, report.head_hash);
}

/* The encoding and the store have nothing to do with each other; and the numbers below are recorded:
 * a trail written today verifies with every later version. */
static void recorded_heads(void **state) {
    canary_verify_report reports[2] = { { .size = sizeof reports[0] },
                                        { .size = sizeof reports[0] } };

    (void)state;
    for (int kind = UNIT_MEMORY; kind <= UNIT_SQLITE; kind++) {
        struct unit *unit = unit_new(kind);

        make_trail(unit, "{\"errors\": 0}");
        canary_verify(unit->store, NULL, NULL, &reports[kind], NULL);
        unit_free(unit);
    }
    assert_string_equal(reports[0].head_hash, reports[1].head_hash);
    assert_string_equal(reports[0].head_hash, RECORDED_HEAD);
}

/* -- straight from the file -- */

static sqlite3 *open_file(struct unit *unit) {
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open_v2(unit->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    return db;
}

static sqlite3_stmt *query(sqlite3 *db, const char *sql, const char *name) {
    sqlite3_stmt *rows = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    if (name != NULL) {
        sqlite3_bind_text(rows, 1, name, -1, SQLITE_TRANSIENT);
    }
    return rows;
}

static const char *text(sqlite3_stmt *row, int column) {
    return (const char *)sqlite3_column_text(row, column);
}

static void changes_in_file(sqlite3 *db) {
    sqlite3_stmt *rows = query(db, "SELECT * FROM changes ORDER BY id", NULL);
    char previous[65];
    int64_t id = 0;

    memset(previous, '0', 64);
    previous[64] = '\0';
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct digest digest;
        char hash[65];

        assert_int_equal(sqlite3_column_count(rows), 16);
        assert_int_equal(sqlite3_column_int64(rows, 0), ++id);
        digest_begin(&digest, "changes");
        digest_row(&digest, rows, 15);
        digest_end(&digest, hash);
        assert_string_equal(text(rows, 14), previous);
        assert_string_equal(text(rows, 15), hash);
        memcpy(previous, hash, sizeof previous);
    }
    assert_int_equal(id, 21);
    sqlite3_finalize(rows);
}

static void stages_of(sqlite3 *db, const char *rollout, struct digest *digest) {
    sqlite3_stmt *rows =
        query(db, "SELECT * FROM stages WHERE rollout = ? ORDER BY stage", rollout);

    while (sqlite3_step(rows) == SQLITE_ROW) {
        digest_row(digest, rows, sqlite3_column_count(rows));
    }
    sqlite3_finalize(rows);
}

static void overrides_of(sqlite3 *db, const char *rollout, int64_t counts[2], char hex[65]) {
    sqlite3_stmt *rows =
        query(db, "SELECT * FROM overrides WHERE rollout = ? ORDER BY user_id", rollout);
    unsigned char all[32] = { 0 };

    counts[0] = counts[1] = 0;
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct digest digest;
        unsigned char one[32];

        assert_int_equal(sqlite3_column_type(rows, 1), SQLITE_BLOB);
        digest_begin(&digest, "overrides");
        digest_row(&digest, rows, 3);
        digest_end_raw(&digest, one);
        for (int i = 0; i < 32; i++) {
            all[i] ^= one[i];
        }
        counts[sqlite3_column_int(rows, 2)]++;
    }
    sqlite3_finalize(rows);
    digest_hex(all, hex);
}

static void rollouts_in_file(sqlite3 *db) {
    sqlite3_stmt *rows = query(db, "SELECT * FROM rollouts ORDER BY name", NULL);
    int count = 0;

    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct digest digest;
        int64_t pins[2];
        char hex[65];

        assert_int_equal(sqlite3_column_count(rows), 16);
        overrides_of(db, text(rows, 0), pins, hex);
        assert_int_equal(sqlite3_column_int64(rows, 12), pins[1]);
        assert_int_equal(sqlite3_column_int64(rows, 13), pins[0]);
        assert_string_equal(text(rows, 14), hex);
        digest_begin(&digest, "rollouts");
        digest_row(&digest, rows, 15);
        stages_of(db, text(rows, 0), &digest);
        digest_end(&digest, hex);
        assert_string_equal(text(rows, 15), hex);
        count++;
    }
    assert_int_equal(count, 2);
    sqlite3_finalize(rows);
}

static void flags_in_file(sqlite3 *db) {
    sqlite3_stmt *rows = query(db, "SELECT * FROM feature_flags ORDER BY name", NULL);
    int count = 0;

    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct digest digest;
        char hex[65];

        assert_int_equal(sqlite3_column_count(rows), 6);
        digest_begin(&digest, "feature_flags");
        digest_row(&digest, rows, 5);
        digest_end(&digest, hex);
        assert_string_equal(text(rows, 5), hex);
        count++;
    }
    assert_int_equal(count, 2);
    sqlite3_finalize(rows);
}

static void file_recomputed(void **state) {
    struct unit *unit = *state;
    sqlite3 *db;

    make_trail(unit, "{\"errors\": 0,\n \"p\": 0.01}");
    db = open_file(unit);
    changes_in_file(db);
    rollouts_in_file(db);
    flags_in_file(db);
    sqlite3_close(db);
}

/* Evidence is kept as it was given; many pins leave a count and nobody's name. */
static void evidence_in_file(void **state) {
    struct unit *unit = *state;
    canary_change_options by = unit_by("x");
    const void *ids[] = { "first-user", "second-user" };
    const uint64_t sizes[] = { 10, 11 };
    sqlite3_stmt *rows;
    sqlite3 *db;

    by.evidence = "{\"rate\": 0.25}";
    unit_create(unit, "e");
    OK(canary_advance(unit->store, "e", &by, NULL, &error));
    OK(canary_override_set_many(unit->store, "e", ids, sizes, 2, 1, NULL, NULL, &error));
    OK(canary_override_set_many(unit->store, "e", ids, sizes, 2, 0, &by, NULL, &error));
    db = open_file(unit);
    rows = query(db, "SELECT group_concat(evidence, '|'), max(user_hash) FROM changes", NULL);
    assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
    assert_string_equal(text(rows, 0), "|{\"rate\": 0.25}|users=2|{\"rate\": 0.25}");
    assert_int_equal(sqlite3_column_int64(rows, 1), 0);
    sqlite3_finalize(rows);
    sqlite3_close(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(history_recomputed),
        cmocka_unit_test(recorded_heads),
        UNIT_SQLITE_ONLY(file_recomputed),
        UNIT_SQLITE_ONLY(evidence_in_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
