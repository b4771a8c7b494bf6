/* SPDX-License-Identifier: MIT */
#include "tamper.h"

#include <sqlite3.h>

#include "digest.h"

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
void tamper_by_hand(struct unit *unit, const char *sql) {
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

int tamper_begin(void **state) {
    struct unit *unit = unit_new(UNIT_SQLITE);
    canary_rollout_spec spec = { .size = sizeof spec, .name = "b", .flag = "shared" };

    spec.salt = "b";
    unit_create(unit, "a");                                    /* 1 */
    OK(canary_create(unit->store, &spec, NULL, NULL, &error)); /* 2 */
    unit->realtime += 1000;
    OK(canary_flag_set(unit->store, "shared", 0, NULL, NULL, &error)); /* 3 */
    tamper_by_hand(unit, "CREATE TABLE saved.old_rollouts AS SELECT * FROM rollouts;"
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

int tamper_end(void **state) {
    (void)state;
    unit_free(original);
    return 0;
}

/* Commits wait for the disk, and there are hundreds of scenes: each is a copy. */
struct unit *tamper_scene(void) {
    return unit_copy(original);
}

int tamper_collect(void *user_data, const canary_finding *finding) {
    struct found *found = user_data;

    assert_int_equal(finding->size, sizeof *finding);
    assert_in_range(finding->kind, CANARY_FINDING_GAP, CANARY_FINDING_TIME);
    assert_true(strlen(finding->message) > 10);
    assert_true(strlen(finding->next) > 10);
    assert_null(strchr(finding->message, '\n'));
    found->kinds |= BIT((unsigned)finding->kind);
    found->told |= found->about != NULL && strstr(finding->message, found->about) != NULL;
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

struct found tamper_verify(canary_store *store, const char *about) {
    struct found found = { .about = about };
    canary_verify_report report = { .size = sizeof report };
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_verify(store, tamper_collect, &found, &report, &error);

    assert_int_equal(code, found.count > 0 ? CANARY_E_TAMPERED : CANARY_OK);
    assert_int_equal(error.code, code);
    assert_int_equal(report.findings, found.count);
    return found;
}
