/* SPDX-License-Identifier: MIT */
/* What the SQLite store asks of SQLite: settings, tables, query plans. */
#include "place.h"
#include "storage/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct canary__sqlite *store_of(struct place *place) {
    return place->store;
}

static int64_t ask(struct canary__sqlite_conn *conn, const char *sql) {
    int64_t number = -1;

    assert_int_equal(canary__sqlite_number(conn, sql, &number), SQLITE_OK);
    return number;
}

static int config(struct canary__sqlite_conn *conn, int what) {
    int on = -1;

    assert_int_equal(sqlite3_db_config(conn->db, what, -1, &on), SQLITE_OK);
    return on;
}

static void check_guards(struct canary__sqlite_conn *conn) {
    assert_int_equal(config(conn, SQLITE_DBCONFIG_DEFENSIVE), 1);
    assert_int_equal(config(conn, SQLITE_DBCONFIG_TRUSTED_SCHEMA), 0);
    assert_int_equal(config(conn, SQLITE_DBCONFIG_ENABLE_VIEW), 0);
    assert_int_equal(config(conn, SQLITE_DBCONFIG_ENABLE_TRIGGER), 1);
    assert_int_equal(config(conn, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION), 0);
    assert_int_equal(config(conn, SQLITE_DBCONFIG_WRITABLE_SCHEMA), 0);
    assert_int_equal(sqlite3_limit(conn->db, SQLITE_LIMIT_ATTACHED, -1), 0);
    assert_int_equal(ask(conn, "PRAGMA trusted_schema"), 0);
    assert_int_equal(ask(conn, "PRAGMA cell_size_check"), 1);
    assert_int_equal(ask(conn, "PRAGMA mmap_size"), 0);
    assert_int_equal(ask(conn, "PRAGMA temp_store"), 2);
}

static void settings(void **state) {
    struct place *place = *state;
    struct canary__sqlite_conn *conn;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_begin(place, CANARY_STORAGE_WRITE), CANARY_OK);
    conn = store_of(place)->process->writer;
    check_guards(conn);
    assert_int_equal(ask(conn, "PRAGMA synchronous"), 3);
    assert_int_equal(ask(conn, "PRAGMA secure_delete"), 1);
    assert_int_equal(ask(conn, "SELECT journal_mode = 'persist' FROM pragma_journal_mode"), 1);
    assert_int_equal(place_end(place, 0), CANARY_OK);
    assert_null(store_of(place)->process->writer);

    assert_int_equal(place_begin(place, CANARY_STORAGE_READ), CANARY_OK);
    conn = store_of(place)->process->reader;
    check_guards(conn);
    assert_int_equal(sqlite3_db_readonly(conn->db, "main"), 1);
    assert_int_equal(place_end(place, 0), CANARY_OK);
    assert_int_equal(place_number(place, "PRAGMA application_id"), 0x43414E59);
    assert_int_equal(place_number(place, "PRAGMA user_version"), CANARY__SQLITE_VERSION);
    assert_int_equal(place_number(place, "PRAGMA page_size"), 4096);
}

static void reserve_at_creation(void **state) {
    struct place *place = *state;
    struct stat status;
    char journal[160];

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(stat(place->path, &status), 0);
    assert_true(status.st_size / 4096 - place_number(place, "PRAGMA page_count") >= 32);
    assert_true(status.st_blocks * 512 >= status.st_size);
    assert_int_equal(status.st_mode & 0777, 0644);
    snprintf(journal, sizeof journal, "%s-journal", place->path);
    assert_int_equal(stat(journal, &status), 0);
    assert_true(status.st_size >= 32 * 4096);
    assert_int_equal(status.st_mode & 0777, 0644);
}

/* Two creators: the one that comes late finds a file with something in it, and leaves it alone. */
static void creating_over_something(void **state) {
    static const char *const contents[] = { "PRAGMA user_version=7", "CREATE TABLE theirs (x)" };
    struct place *place = *state;
    struct place other = **(struct place **)state;

    snprintf(other.path, sizeof other.path, "%s/empty.db", place->directory);
    assert_int_equal(place_open(place, CANARY_OPEN_DEFER), CANARY_OK);
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        unlink(place->path);
        place_sql(place, contents[i]);
        assert_int_equal(canary__sqlite_create(place->store, &place->error), CANARY_OK);
        assert_int_equal(place_number(place, "PRAGMA application_id"), 0);
        assert_int_equal(place_number(place, "SELECT count(*) FROM sqlite_schema"), i);
    }
    unlink(place->path);
    place_create(&other);
    assert_int_equal(rename(other.path, place->path), 0);
    assert_int_equal(canary__sqlite_create(place->store, &place->error), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
}

/* The columns are the ones of the tables' descriptions, in their order, typed and keyed alike. */
static void tables_as_described(void **state) {
    static const char *const types[] = { "", "INTEGER", "TEXT", "BLOB" };
    struct place *place = *state;

    place_create(place);
    for (int number = 1; number <= CANARY_TABLE_COUNT; number++) {
        const canary_storage_table *table = canary_storage_table_get(number);
        char sql[400];

        snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s')", table->name);
        assert_int_equal(place_number(place, sql), table->column_count);
        snprintf(sql, sizeof sql,
                 "SELECT strict AND (wr OR name = 'changes') FROM pragma_table_list WHERE name = "
                 "'%s'",
                 table->name);
        assert_int_equal(place_number(place, sql), 1);
        for (uint32_t i = 0; i < table->column_count; i++) {
            snprintf(sql, sizeof sql,
                     "SELECT count(*) FROM pragma_table_info('%s') WHERE cid = %u AND name = '%s' "
                     "AND type = '%s' AND \"notnull\" AND pk = %u",
                     table->name, i, table->columns[i], types[table->types[i]],
                     i < table->key_count ? i + 1 : 0);
            if (place_number(place, sql) != 1) {
                fail_msg("%s", sql);
            }
        }
    }
}

static int ignore(void *user_data, const canary_storage_row *row) {
    (void)user_data;
    (void)row;
    return 0;
}

/* No plan may sort, and none with a key may scan. */
static void check_plan(struct place *place, const char *sql) {
    sqlite3 *db = NULL;
    sqlite3_stmt *plan = NULL;
    char explain[2100];
    int keyed = strstr(sql, "WHERE") != NULL;
    int searches = 0;

    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(plan, 3);

        if (strstr(line, "TEMP B-TREE") != NULL || (keyed && strncmp(line, "SCAN", 4) == 0)) {
            fail_msg("%s: %s", sql, line);
        }
        searches += strstr(line, "PRIMARY KEY") != NULL;
    }
    assert_int_equal(searches, keyed);
    sqlite3_finalize(plan);
    sqlite3_close(db);
}

static void plans(void **state) {
    struct place *place = *state;
    int count = 0;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_begin(place, CANARY_STORAGE_READ), CANARY_OK);
    for (int number = 1; number <= CANARY_TABLE_COUNT; number++) {
        const canary_storage_table *table = canary_storage_table_get(number);
        canary_storage_value key[2] = { { table->types[0], 0, 1, "a", 1 },
                                        { table->types[1], 0, 1, "a", 1 } };

        for (uint32_t i = 0; i < 4 * (table->key_count + 1); i++) {
            canary_storage_range range = {
                (uint32_t)sizeof range, i / 4, i % 2, 0, 5, key, NULL, NULL
            };

            range.after = i % 4 >= 2 ? &key[i / 4] : NULL;
            if (range.after != NULL && range.key_count == table->key_count) {
                continue;
            }
            assert_int_equal(place->methods.read(place->transaction, number, &range, ignore, NULL,
                                                 &place->error),
                             CANARY_OK);
            check_plan(
                place,
                sqlite3_sql(
                    store_of(place)->process->reader->read[number - 1][range.key_count]
                                                          [range.after != NULL][range.descending]));
            count++;
        }
    }
    assert_int_equal(count, 3 * 6 + 2 * 10);
    assert_int_equal(place_end(place, 0), CANARY_OK);
}

/* Ids are personal: they are not kept when removed, and no message names them. */
static void removed_ids_are_gone(void **state) {
    static const char id[] = "someone@example.org";
    struct place *place = *state;
    canary_storage_value key[] = { { CANARY_VALUE_TEXT, 0, 0, "r", 1 },
                                   { CANARY_VALUE_BLOB, 0, 0, id, sizeof id - 1 } };
    char command[256];

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_begin(place, CANARY_STORAGE_WRITE), CANARY_OK);
    assert_int_equal(place_put_override(place, "r", id, sizeof id - 1), CANARY_OK);
    assert_int_equal(place_end(place, 1), CANARY_OK);
    snprintf(command, sizeof command, "grep -q someone@ %s", place->path);
    assert_int_equal(system(command), 0);
    assert_int_equal(place_begin(place, CANARY_STORAGE_WRITE), CANARY_OK);
    assert_int_equal(
        place->methods.remove(place->transaction, CANARY_TABLE_OVERRIDES, key, &place->error),
        CANARY_OK);
    assert_int_equal(
        place->methods.remove(place->transaction, CANARY_TABLE_OVERRIDES, key, &place->error),
        CANARY_E_NOT_FOUND);
    assert_null(strstr(place->error.message, "someone"));
    assert_int_equal(place_end(place, 1), CANARY_OK);
    assert_int_not_equal(system(command), 0);
}

static void values_that_do_not_fit(void **state) {
    struct place *place = *state;
    canary_storage_value values[3] = { { CANARY_VALUE_TEXT, 0, 0, "r", 1 },
                                       { CANARY_VALUE_BLOB, 0, 0, "u", 1 },
                                       { CANARY_VALUE_INTEGER, 0, 2, NULL, 0 } };
    canary_storage_row row = { (uint32_t)sizeof row, CANARY_TABLE_OVERRIDES, 3, 0, values };

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_begin(place, CANARY_STORAGE_WRITE), CANARY_OK);
    place_expect(place, place->methods.write(place->transaction, &row, &place->error),
                 CANARY_E_INVALID, "schema does not allow");
    values[2].type = CANARY_VALUE_TEXT;
    place_expect(place, place->methods.write(place->transaction, &row, &place->error),
                 CANARY_E_INVALID, "overrides.cohort");
    values[2].type = CANARY_VALUE_INTEGER;
    values[2].integer = 1;
    row.count = 4;
    place_expect(place, place->methods.write(place->transaction, &row, &place->error),
                 CANARY_E_INVALID, "a row of 4 values");
    row.count = 3;
    row.table = 6;
    place_expect(place, place->methods.write(place->transaction, &row, &place->error),
                 CANARY_E_INVALID, "the tables 1 to 5, not 6");
    row.table = CANARY_TABLE_OVERRIDES;
    /* A refused row leaves the transaction whole. */
    assert_int_equal(place->methods.write(place->transaction, &row, &place->error), CANARY_OK);
    assert_int_equal(place_end(place, 1), CANARY_OK);
    assert_int_equal(place_number(place, "SELECT count(*) FROM overrides"), 1);
    assert_int_equal(place_begin(place, CANARY_STORAGE_READ), CANARY_OK);
    place_expect(place, place->methods.write(place->transaction, &row, &place->error),
                 CANARY_E_INVALID, "a read transaction cannot write");
    assert_int_equal(place_end(place, 0), CANARY_OK);
}

/* -- speed: printed, not asserted -- */

static double milliseconds(void) {
    struct timespec now = { 0, 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int count_row(void *user_data, const canary_storage_row *row) {
    (void)row;
    ++*(int *)user_data;
    return 0;
}

static void many(struct place *place, const char *name) {
    enum { MANY = 100000, LOOKS = 2000 };
    canary_storage_range all = { (uint32_t)sizeof all, 0, 0, 0, 0, NULL, NULL, NULL };
    double start = milliseconds();
    double written;
    double read;
    int count = 0;

    assert_int_equal(place_begin(place, CANARY_STORAGE_WRITE), CANARY_OK);
    for (unsigned int i = 0; i < MANY; i++) {
        char id[40];
        int length = snprintf(id, sizeof id, "%08x-0000-4000-8000-000000000000", i * 2654435761u);

        assert_int_equal(place_put_override(place, "r", id, (size_t)length), CANARY_OK);
    }
    assert_int_equal(place_end(place, 1), CANARY_OK);
    written = milliseconds();
    assert_int_equal(place_begin(place, CANARY_STORAGE_READ), CANARY_OK);
    assert_int_equal(place->methods.read(place->transaction, CANARY_TABLE_OVERRIDES, &all,
                                         count_row, &count, &place->error),
                     CANARY_OK);
    assert_int_equal(place_end(place, 0), CANARY_OK);
    assert_int_equal(count, MANY);
    read = milliseconds();
    for (int i = 0; i < LOOKS; i++) {
        place_token(place);
    }
    print_message("%s: %d overrides written in %.0f ms, read in %.1f ms; one look %.1f us\n", name,
                  MANY, written - start, read - written, (milliseconds() - read) * 1e3 / LOOKS);
}

static void many_overrides(void **state) {
    struct place *place = *state;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    many(place, "sqlite");
    place_close(place);
    assert_int_equal(
        canary__memory_open(&place->hooks, &place->methods, &place->store, &place->error),
        CANARY_OK);
    many(place, "memory");
}

static int secret_in(struct place *place, int mode, uint8_t *secret) {
    int code;

    assert_int_equal(place_begin(place, mode), CANARY_OK);
    code = place->methods.secret(place->transaction, secret, &place->error);
    assert_int_equal(place_end(place, mode == CANARY_STORAGE_WRITE), CANARY_OK);
    return code;
}

/* A lost secret costs its news only: nothing else fails, and the next change makes another. */
static void lost_secret(void **state) {
    static const char *const ways[] = {
        "DELETE FROM bell_secret",
        "PRAGMA ignore_check_constraints=1; UPDATE bell_secret SET secret = x'00'",
    };
    struct place *place = *state;
    uint8_t before[32];
    uint8_t after[32];

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(secret_in(place, CANARY_STORAGE_READ, before), CANARY_OK);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        place_sql(place, ways[i]);
        assert_int_equal(secret_in(place, CANARY_STORAGE_READ, after), CANARY_E_UNSUPPORTED);
        assert_true(place_token(place) != 0);
        assert_int_equal(secret_in(place, CANARY_STORAGE_WRITE, after), CANARY_OK);
        assert_memory_not_equal(before, after, sizeof before);
        assert_int_equal(secret_in(place, CANARY_STORAGE_READ, before), CANARY_OK);
        assert_memory_equal(before, after, sizeof before);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(settings),
        TEST(reserve_at_creation),
        TEST(creating_over_something),
        TEST(tables_as_described),
        TEST(plans),
        TEST(removed_ids_are_gone),
        TEST(values_that_do_not_fit),
        TEST(many_overrides),
        TEST(lost_secret),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
