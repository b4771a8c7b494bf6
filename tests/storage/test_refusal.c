/* SPDX-License-Identifier: MIT */
/* What is no store, a damaged one, or a hostile one: refused by name, and never modified. */
#include "place.h"
#include "storage/sqlite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CREATE CANARY_OPEN_CREATE

static void write_file(const char *path, const void *data, size_t size) {
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "r");
    char *data = malloc(1 << 20);

    assert_non_null(file);
    assert_non_null(data);
    *size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

static void patch(struct place *place, long at, const void *data, size_t size) {
    FILE *file = fopen(place->path, "r+");

    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Opens in every way: with and without CREATE the same answer, and not a byte is changed. */
static void refused(struct place *place, int wanted, const char *part) {
    size_t size;
    size_t size_after;
    char *before = read_file(place->path, &size);
    char *after;

    place_expect(place, place_open(place, 0), wanted, part);
    assert_non_null(strstr(place->error.message, place->path));
    place_expect(place, place_open(place, CREATE), wanted, part);
    after = read_file(place->path, &size_after);
    assert_int_equal(size, size_after);
    assert_memory_equal(before, after, size);
    free(before);
    free(after);
}

static void missing(void **state) {
    struct place *place = *state;

    place_expect(place, place_open(place, 0), CANARY_E_NO_STORE, "there is no store");
    assert_int_equal(access(place->path, F_OK), -1);
    snprintf(place->path, sizeof place->path, "%s/none/store.db", place->directory);
    place_expect(place, place_open(place, 0), CANARY_E_NO_STORE, "there is no store");
    place_expect(place, place_open(place, CREATE), CANARY_E_NO_STORE, "cannot open it");
    place->path[0] = '\0';
    place_expect(place, place_open(place, CREATE), CANARY_E_INVALID, "1 to 4000 bytes");
}

static void not_a_database(void **state) {
    struct place *place = *state;
    char text[8192];

    memset(text, 'x', sizeof text);
    write_file(place->path, text, sizeof text);
    refused(place, CANARY_E_NOT_A_STORE, "not a database");
    write_file(place->path, "hello\n", 6);
    refused(place, CANARY_E_NOT_A_STORE, "not a database");
}

static void empty_file(void **state) {
    struct place *place = *state;

    write_file(place->path, "", 0);
    place_expect(place, place_open(place, 0), CANARY_E_NO_STORE, "empty");
    assert_int_equal(place_open(place, CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
}

static void other_kinds_of_file(void **state) {
    struct place *place = *state;

    assert_int_equal(mkfifo(place->path, 0644), 0);
    place_expect(place, place_open(place, 0), CANARY_E_NOT_A_STORE, "not a regular file");
    place_expect(place, place_open(place, CREATE), CANARY_E_NOT_A_STORE, "not a regular file");
    unlink(place->path);
    assert_int_equal(mkdir(place->path, 0755), 0);
    place_expect(place, place_open(place, CREATE), CANARY_E_NOT_A_STORE, "not a regular file");
}

static void database_of_others(void **state) {
    struct place *place = *state;

    place_sql(place, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1);");
    refused(place, CANARY_E_NOT_A_STORE, "application_id 0x00000000");
    place_sql(place, "PRAGMA application_id=7; DROP TABLE theirs");
    refused(place, CANARY_E_NOT_A_STORE, "application_id 0x00000007");
}

static void newer_and_impossible_version(void **state) {
    struct place *place = *state;

    place_create(place);
    place_sql(place, "PRAGMA user_version=2");
    refused(place, CANARY_E_NEWER, "upgrade this program");
    place_sql(place, "PRAGMA user_version=0");
    refused(place, CANARY_E_CORRUPT, "schema version is 0");
}

static void damaged(void **state) {
    struct place *place = *state;
    unsigned char junk[4096];
    int64_t at;

    memset(junk, 0xa5, sizeof junk);
    place_create(place);
    /* The pages behind the schema's own: opening succeeds, reading tells. */
    for (long page = 1; page < 6; page++) {
        patch(place, page * 4096, junk, sizeof junk);
    }
    assert_int_equal(place_open(place, 0), CANARY_OK);
    place_expect(place, place_try_flag(place, "a", &at), CANARY_E_CORRUPT, "restore a copy");
    place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_CORRUPT, "restore a copy");
    place_close(place);
    /* The schema itself. */
    patch(place, 100, junk, 200);
    refused(place, CANARY_E_CORRUPT, "restore a copy");
    patch(place, 0, junk, 100);
    refused(place, CANARY_E_NOT_A_STORE, "not a database");
}

static void truncated(void **state) {
    struct place *place = *state;

    place_create(place);
    assert_int_equal(truncate(place->path, 8192), 0);
    refused(place, CANARY_E_CORRUPT, "restore a copy");
    assert_int_equal(truncate(place->path, 1000), 0);
    refused(place, CANARY_E_CORRUPT, "restore a copy");
    assert_int_equal(truncate(place->path, 90), 0);
    refused(place, CANARY_E_CORRUPT, "restore a copy");
}

static void truncated_while_open(void **state) {
    struct place *place = *state;
    int64_t at;

    assert_int_equal(place_open(place, CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    assert_int_equal(truncate(place->path, 8192), 0);
    /* The header, which is still there, has not moved: what was read stays true until it has. */
    place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_CORRUPT, "restore a copy");
    assert_int_equal(truncate(place->path, 0), 0);
    place_expect(place, place_try_flag(place, "a", &at), CANARY_E_NO_STORE, "empty");
}

static int complaints(void *user_data, const char *message) {
    (void)message;
    ++*(int *)user_data;
    return 0;
}

static void check_complains(void **state) {
    struct place *place = *state;
    int count = 0;
    int64_t root;

    place_create(place);
    root = place_number(place, "SELECT rootpage FROM sqlite_schema WHERE name = 'feature_flags'");
    /* The count of cells on the table's page: one row more than there is. */
    patch(place, (root - 1) * 4096 + 3, "\0\2", 2);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(place->methods.check(place->store, complaints, &count, &place->error),
                     CANARY_OK);
    assert_true(count > 0);
}

/* Schemas that must be refused, by what was done to a store with a plain shell. */
static void foreign_objects(void **state) {
    static const struct {
        const char *sql;
        int code;
        const char *part;
    } schemas[] = {
        { "CREATE VIEW v AS SELECT 1", CANARY_E_HOSTILE, "the view 'v'" },
        { "CREATE TRIGGER t AFTER INSERT ON overrides BEGIN DELETE FROM stages; END",
          CANARY_E_HOSTILE, "the trigger 't'" },
        { "CREATE INDEX i ON changes (made_at)", CANARY_E_HOSTILE, "the index 'i'" },
        { "CREATE TABLE t (x)", CANARY_E_HOSTILE, "the table 't'" },
        { "CREATE VIRTUAL TABLE f USING fts5(x)", CANARY_E_HOSTILE, "the table 'f'" },
        { "ALTER TABLE stages ADD COLUMN x TEXT", CANARY_E_HOSTILE,
          "'stages' in its schema was altered" },
        { "DROP TABLE feature_flags; CREATE VIEW feature_flags AS SELECT 'a' AS name, 1 AS "
          "enabled",
          CANARY_E_HOSTILE, "the view 'feature_flags'" },
        { "DROP TRIGGER changes_no_update; CREATE TRIGGER changes_no_update BEFORE UPDATE ON "
          "changes BEGIN SELECT 1; END",
          CANARY_E_HOSTILE, "'changes_no_update' in its schema was altered" },
        { "DROP TRIGGER changes_no_delete", CANARY_E_CORRUPT, "'changes_no_delete' is missing" },
        { "DROP TABLE overrides", CANARY_E_CORRUPT, "'overrides' is missing" },
    };
    struct place *place = *state;
    char copy[160];

    place_create(place);
    snprintf(copy, sizeof copy, "%s.copy", place->path);
    place_copy(place->path, copy);
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        place_copy(copy, place->path);
        place_sql(place, schemas[i].sql);
        refused(place, schemas[i].code, schemas[i].part);
    }
}

/* The schema is right to the letter, but keys would come in another order. */
static void other_encoding(void **state) {
    struct place *place = *state;
    struct place other = **(struct place **)state;
    sqlite3 *from = NULL;
    sqlite3 *to = NULL;
    sqlite3_stmt *row = NULL;

    snprintf(other.path, sizeof other.path, "%s/other.db", place->directory);
    place_create(place);
    assert_int_equal(sqlite3_open(place->path, &from), SQLITE_OK);
    assert_int_equal(sqlite3_open(other.path, &to), SQLITE_OK);
    assert_int_equal(sqlite3_exec(to,
                                  "PRAGMA encoding='UTF-16le'; PRAGMA application_id=0x43414E59;"
                                  "PRAGMA user_version=1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(from, "SELECT sql FROM sqlite_schema", -1, &row, NULL),
                     SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        assert_int_equal(
            sqlite3_exec(to, (const char *)sqlite3_column_text(row, 0), NULL, NULL, NULL),
            SQLITE_OK);
    }
    sqlite3_finalize(row);
    sqlite3_close(from);
    sqlite3_close(to);
    assert_int_equal(rename(other.path, place->path), 0);
    refused(place, CANARY_E_HOSTILE, "UTF-8");
}

static void schema_changed_while_open(void **state) {
    struct place *place = *state;
    int64_t at;

    assert_int_equal(place_open(place, CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    place_sql(place, "CREATE VIEW v AS SELECT 1");
    place_expect(place, place_try_flag(place, "a", &at), CANARY_E_HOSTILE, "the view 'v'");
    place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_HOSTILE, "the view 'v'");
    place_sql(place, "DROP VIEW v");
    assert_int_equal(place_flag(place, "a"), 1);
    assert_int_equal(place_commit_flag(place, "a", 2), CANARY_OK);
}

/* What an operator may do with a shell and what tools leave behind. */
static void harmless_schemas(void **state) {
    struct place *place = *state;

    place_create(place);
    place_sql(place, "ANALYZE");
    place_sql(place, "VACUUM");
    place_sql(place, "UPDATE feature_flags SET enabled = 0, updated_at = 5 WHERE name = 'a'");
    place_sql(place, "INSERT INTO feature_flags (name) VALUES ('b')");
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 5);
    assert_int_equal(place_flag(place, "b"), 0);
    assert_int_equal(place_commit_flag(place, "a", 6), CANARY_OK);
    assert_int_equal(place_number(place, "SELECT count(*) FROM pragma_integrity_check "
                                         "WHERE integrity_check <> 'ok'"),
                     0);
}

/* A view without end in the place of a table, under a schema that claims to be ours. */
static void endless_view(void **state) {
    struct place *place = *state;
    struct timespec start = { 0, 0 };
    struct timespec now = { 0, 0 };
    int64_t at;
    int code;

    place_create(place);
    place_sql(place,
              "DROP TABLE feature_flags; CREATE VIEW feature_flags AS WITH RECURSIVE c(x) AS "
              "(SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT 'a' AS name, 1 AS enabled, 1 AS "
              "updated_at, '' AS updated_by, '' AS note, '' AS checksum FROM c WHERE x < 0");
    clock_gettime(CLOCK_MONOTONIC, &start);
    place_expect(place, place_open(place, 0), CANARY_E_HOSTILE, "the view 'feature_flags'");
    assert_int_equal(place_open(place, CANARY_OPEN_DEFER), CANARY_OK);
    code = place_try_flag(place, "a", &at);
    place_expect(place, code, CANARY_E_HOSTILE, "the view 'feature_flags'");
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_true(now.tv_sec - start.tv_sec < 5);
}

/* The last line of defence: work without end is stopped, whatever it is. */
static void endless_work(void **state) {
    struct place *place = *state;
    struct canary__sqlite_conn *conn = NULL;
    struct timespec start = { 0, 0 };
    struct timespec now = { 0, 0 };
    int64_t number;
    int rc;

    assert_int_equal(place_open(place, CREATE), CANARY_OK);
    assert_int_equal(
        canary__sqlite_connect(place->store, SQLITE_OPEN_READONLY, &conn, &place->error),
        CANARY_OK);
    clock_gettime(CLOCK_MONOTONIC, &start);
    rc = canary__sqlite_number(
        conn,
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
        &number);
    clock_gettime(CLOCK_MONOTONIC, &now);
    place_expect(place,
                 canary__sqlite_fail(place->store, conn->db, rc, "look at it", &place->error),
                 CANARY_E_HOSTILE, "work without end");
    canary__sqlite_disconnect(place->store, conn);
    assert_true(now.tv_sec - start.tv_sec < 5);
}

static void append_only_in_sql(void **state) {
    static const char *const attempts[] = {
        "UPDATE changes SET note = 'x'",
        "DELETE FROM changes",
        "INSERT INTO changes (id) VALUES (1)",
        "INSERT OR REPLACE INTO changes (id) VALUES (1)",
        "UPDATE OR REPLACE changes SET id = 2",
        "INSERT INTO changes (id) VALUES (1) ON CONFLICT DO UPDATE SET note = 'x'",
    };
    struct place *place = *state;

    place_create(place);
    place_sql(place, "INSERT INTO changes (id, note) VALUES (1, 'first'), (3, 'third')");
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        place_refuses_sql(place, attempts[i], "changes is append-only");
    }
    assert_int_equal(place_number(place, "SELECT count(*) FROM changes WHERE note = 'first'"), 1);
}

static void deferred(void **state) {
    struct place *place = *state;
    int64_t at;

    snprintf(place->path, sizeof place->path, "%s/later/store.db", place->directory);
    assert_int_equal(place_open(place, CANARY_OPEN_DEFER), CANARY_OK);
    place_expect(place, place_try_flag(place, "a", &at), CANARY_E_NO_STORE, "there is no store");
    place_expect(place, place_commit_flag(place, "a", 1), CANARY_E_NO_STORE, "there is no store");
    snprintf(place->path, sizeof place->path, "%s/later", place->directory);
    assert_int_equal(mkdir(place->path, 0755), 0);
    snprintf(place->path, sizeof place->path, "%s/later/store.db", place->directory);
    {
        struct place other = *place;

        other.store = NULL;
        place_create(&other);
    }
    assert_int_equal(place_flag(place, "a"), 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(missing),
        TEST(not_a_database),
        TEST(empty_file),
        TEST(other_kinds_of_file),
        TEST(database_of_others),
        TEST(newer_and_impossible_version),
        TEST(damaged),
        TEST(truncated),
        TEST(truncated_while_open),
        TEST(check_complains),
        TEST(foreign_objects),
        TEST(other_encoding),
        TEST(schema_changed_while_open),
        TEST(harmless_schemas),
        TEST(endless_view),
        TEST(endless_work),
        TEST(append_only_in_sql),
        TEST(deferred),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
