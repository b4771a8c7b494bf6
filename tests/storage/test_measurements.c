/* SPDX-License-Identifier: MIT */
/* The store of measurements beside a store: how it is made and what is in it. */
#include "figures.h"
#include "storage/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static struct canary__sqlite *store_of(struct place *place) {
    return place->store;
}

/* -- how it is made -- */

static void made_when_written(void **state) {
    struct place *place = *state;
    struct place figures;
    struct place second;
    struct figures_sum sum;

    place_create(place);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    place_expect(&figures, figures_open(place, 0, &figures), CANARY_E_NO_STORE,
                 "nothing was recorded yet");
    assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
    place_expect(&figures, figures_read(&figures, "r", NULL, 0, 0, &sum), CANARY_E_NO_STORE,
                 "nothing was recorded yet");
    assert_int_equal(access(figures.path, F_OK), -1);
    assert_int_equal(figures_commit(&figures, "r", 10, 5), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "r"), 5);
    /* Another handle sees the same, also one that creates nothing, and outlives its store. */
    assert_int_equal(figures_open(place, 0, &second), CANARY_OK);
    assert_int_equal(figures_commit(&second, "r", 20, 7), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "r"), 12);
    place_close(place);
    memset(&place->hooks, 0, sizeof place->hooks);
    assert_int_equal(figures_commit(&second, "r", 30, 1), CANARY_OK);
    assert_int_equal(figures_requests(&second, "r"), 13);
    place_close(&figures);
    place_close(&second);
}

static int write_as_service(struct place *place) {
    struct place figures;

    return place_open(place, 0) == CANARY_OK && figures_open(place, 0, &figures) == CANARY_OK &&
                   figures_commit(&figures, "r", 2, 2) == CANARY_OK &&
                   figures_requests(&figures, "r") == 3
               ? 0
               : 1;
}

/* Root runs a command first; the service that owns the store must be able to go on. */
static void owner_and_mode(void **state) {
    static const char *const suffixes[] = { "-metrics", "-metrics-journal" };
    struct place *place = *state;
    struct place figures;
    struct stat status;
    char path[160];

    if (geteuid() != 0) {
        print_message("skipped: only root can give files away\n");
        skip();
    }
    place_create(place);
    snprintf(path, sizeof path, "%s-journal", place->path);
    assert_int_equal(chown(place->directory, NOBODY, NOBODY), 0);
    assert_int_equal(chown(place->path, NOBODY, NOBODY), 0);
    assert_int_equal(chown(path, NOBODY, NOBODY), 0);
    assert_int_equal(chmod(place->path, 0660), 0);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
    assert_int_equal(figures_commit(&figures, "r", 1, 1), CANARY_OK);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s%s", place->path, suffixes[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_uid, NOBODY);
        assert_int_equal(status.st_gid, NOBODY);
        assert_int_equal(status.st_mode & 07777, 0660);
    }
    place_close(place);
    place_close(&figures);
    place_child(place, write_as_service, 1);
    /* What was needed to make it is gone. */
    snprintf(path, sizeof path, "test $(ls %.100s | wc -l) = 4", place->directory);
    assert_int_equal(system(path), 0);
}

/* -- what is in it -- */

static int64_t ask(struct canary__sqlite_conn *conn, const char *sql) {
    int64_t number = -1;

    assert_int_equal(canary__sqlite_number(conn, sql, &number), SQLITE_OK);
    return number;
}

static void check_guards(struct canary__sqlite_conn *conn) {
    int on = -1;

    assert_int_equal(sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, -1, &on), SQLITE_OK);
    assert_int_equal(on, 1);
    assert_int_equal(ask(conn, "PRAGMA trusted_schema"), 0);
    assert_int_equal(ask(conn, "PRAGMA cell_size_check"), 1);
    assert_int_equal(ask(conn, "PRAGMA mmap_size"), 0);
    assert_int_equal(sqlite3_limit(conn->db, SQLITE_LIMIT_ATTACHED, -1), 0);
    assert_int_equal(sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, -1), 16 << 20);
}

static void settings(void **state) {
    struct place figures;
    struct canary__sqlite_conn *conn;

    figures_make(*state, &figures);
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
    conn = store_of(&figures)->process->writer;
    check_guards(conn);
    assert_int_equal(ask(conn, "PRAGMA synchronous"), 1);
    assert_int_equal(ask(conn, "PRAGMA secure_delete"), 0);
    assert_int_equal(ask(conn, "SELECT journal_mode = 'persist' FROM pragma_journal_mode"), 1);
    assert_int_equal(place_end(&figures, 1), CANARY_OK);
    /* The next tick comes in seconds. */
    assert_ptr_equal(store_of(&figures)->process->writer, conn);
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
    assert_int_equal(place_end(&figures, 0), CANARY_OK);
    assert_ptr_equal(store_of(&figures)->process->writer, conn);
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_READ), CANARY_OK);
    check_guards(store_of(&figures)->process->reader);
    assert_int_equal(place_end(&figures, 0), CANARY_OK);
    figures.methods.before_fork(figures.store);
    assert_null(store_of(&figures)->process->writer);
    assert_null(store_of(&figures)->process->reader);
    assert_int_equal(place_number(&figures, "PRAGMA application_id"), 0x43414E4D);
    assert_int_equal(place_number(&figures, "PRAGMA user_version"), CANARY__SQLITE_VERSION);
    assert_int_equal(place_number(&figures, "PRAGMA page_size"), 8192);
    assert_null(figures.methods.secret);
    assert_null(figures.methods.doorbell);
    assert_null(figures.methods.measurements);
    place_close(&figures);
}

/* The columns are the ones of the tables' descriptions, in their order, typed and keyed alike. */
static void tables_as_described(void **state) {
    static const char *const types[] = { "", "INTEGER", "TEXT", "BLOB" };
    struct place figures;

    figures_make(*state, &figures);
    assert_int_equal(figures_commit(&figures, "r", 1, 1), CANARY_OK);
    assert_int_equal(
        place_number(&figures, "SELECT count(*) FROM sqlite_schema WHERE type <> 'index'"),
        CANARY_TABLE_LAST_MEASUREMENT - CANARY_TABLE_FIRST_MEASUREMENT + 1);
    for (int number = CANARY_TABLE_FIRST_MEASUREMENT; number <= CANARY_TABLE_LAST_MEASUREMENT;
         number++) {
        const canary_storage_table *table = canary_storage_table_get(number);
        char sql[400];

        assert_int_equal(table->table, number);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s')", table->name);
        assert_int_equal(place_number(&figures, sql), table->column_count);
        snprintf(sql, sizeof sql, "SELECT strict FROM pragma_table_list WHERE name = '%s'",
                 table->name);
        assert_int_equal(place_number(&figures, sql), 1);
        for (uint32_t i = 0; i < table->column_count; i++) {
            snprintf(sql, sizeof sql,
                     "SELECT count(*) FROM pragma_table_info('%s') WHERE cid = %u AND name = '%s' "
                     "AND type = '%s' AND \"notnull\" AND pk = %u",
                     table->name, i, table->columns[i], types[table->types[i]],
                     i < table->key_count ? i + 1 : 0);
            if (place_number(&figures, sql) != 1) {
                fail_msg("%s", sql);
            }
        }
    }
    assert_null(canary_storage_table_get(CANARY_TABLE_LAST_MEASUREMENT + 1));
    place_close(&figures);
}

/* No plan may sort, and none with a key may scan. */
static void check_plan(struct place *place, const char *sql) {
    sqlite3 *db = NULL;
    sqlite3_stmt *plan = NULL;
    char explain[2100];
    int keyed = strstr(sql, "WHERE") != NULL;

    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(plan, 3);

        if (strstr(line, "TEMP B-TREE") != NULL || (keyed && strncmp(line, "SEARCH", 6) != 0)) {
            fail_msg("%s: %s", sql, line);
        }
    }
    sqlite3_finalize(plan);
    sqlite3_close(db);
}

static void plans(void **state) {
    struct place figures;
    int count = 0;

    figures_make(*state, &figures);
    assert_int_equal(figures_commit(&figures, "r", 1, 1), CANARY_OK);
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_READ), CANARY_OK);
    for (int i = 0; i < 8 * 12; i++) {
        int number = CANARY_TABLE_FIRST_MEASUREMENT + i / 12;
        const canary_storage_table *table = canary_storage_table_get(number);
        canary_storage_value key[2] = { { table->types[0], 0, 1, "a", 1 },
                                        { table->types[1], 0, 1, "a", 1 } };
        canary_storage_range range = { .size = (uint32_t)sizeof range,
                                       .key_count = (uint32_t)i % 12 / 4,
                                       .descending = (uint32_t)i % 2,
                                       .limit = 5,
                                       .key = key };

        if (range.key_count > table->key_count ||
            (range.key_count == table->key_count && i % 4 > 1)) {
            continue;
        }
        range.after = i % 4 > 1 ? &key[range.key_count] : NULL;
        assert_int_equal(figures.methods.read(figures.transaction, number, &range, figures_ignore,
                                              NULL, &figures.error),
                         CANARY_OK);
        check_plan(
            &figures,
            sqlite3_sql(
                store_of(&figures)->process->reader->read[i / 12][range.key_count]
                                                         [range.after != NULL][range.descending]));
        count++;
    }
    assert_int_equal(count, 7 * 10 + 6);
    assert_int_equal(place_end(&figures, 0), CANARY_OK);
    place_close(&figures);
}

static void ranges(void **state) {
    struct place *place = *state;
    struct place figures;
    struct figures_sum sum;
    int64_t after = 30;

    figures_make(place, &figures);
    for (int64_t start = -10; start <= 100; start += 10) {
        assert_int_equal(figures_commit(&figures, "a", start, start), CANARY_OK);
        assert_int_equal(figures_commit(&figures, "aa", start, 1), CANARY_OK);
    }
    assert_int_equal(figures_commit(&figures, "a", 50, 7), CANARY_OK); /* in the place of another */
    assert_int_equal(figures_read(&figures, "a", NULL, 0, 0, &sum), CANARY_OK);
    assert_true(sum.rows == 12 && sum.first == -10 && sum.last == 100 && sum.requests == 497);
    assert_int_equal(figures_read(&figures, "a", &after, 0, 3, &sum), CANARY_OK);
    assert_true(sum.rows == 3 && sum.first == 40 && sum.last == 60 && sum.requests == 107);
    assert_int_equal(figures_read(&figures, "a", &after, 1, 3, &sum), CANARY_OK);
    assert_true(sum.rows == 3 && sum.first == 20 && sum.last == 0 && sum.requests == 30);
    assert_int_equal(figures_read(&figures, "a", NULL, 1, 1, &sum), CANARY_OK);
    assert_true(sum.rows == 1 && sum.first == 100);
    assert_int_equal(figures_read(&figures, "b", NULL, 0, 0, &sum), CANARY_OK);
    assert_int_equal(sum.rows, 0);
    assert_int_equal(figures_requests(&figures, "aa"), 12);
    place_close(&figures);
}

static void other_tables(void **state) {
    struct place *place = *state;
    struct place figures;

    figures_make(place, &figures);
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
    place_expect(&figures, place_put_flag(&figures, "a", 1), CANARY_E_INVALID,
                 "the tables 6 to 14, not 3");
    assert_int_equal(place_end(&figures, 1), CANARY_OK);
    assert_int_equal(place_begin(place, CANARY_STORAGE_WRITE), CANARY_OK);
    place_expect(place, figures_put(place, CANARY_TABLE_TICKS, "r", 1, 1, 1), CANARY_E_INVALID,
                 "the tables 1 to 5, not 6");
    assert_int_equal(place_end(place, 0), CANARY_OK);
    place_close(&figures);
}

/* -- stores of others -- */

static struct {
    int closed;
    uint32_t size;
} strange;

static void close_strange(void *store) {
    (void)store;
    strange.closed++;
}

/* Of a later version, whose structure is longer, or of none. */
static int strange_measurements(void *store, int create, canary_storage_methods *methods,
                                void **implementation, canary_error *error) {
    struct place *figures = store;
    struct canary__sqlite *decisions = figures->store;
    int code = figures->methods.measurements(decisions, create, methods, implementation, error);

    for (size_t i = sizeof *methods; i < CANARY_STORAGE_METHODS_ROOM; i++) {
        assert_int_equal(((char *)methods)[i], 0);
    }
    memset((char *)methods + sizeof *methods, 0xff, CANARY_STORAGE_METHODS_ROOM - sizeof *methods);
    methods->size = strange.size;
    if (strange.size < CANARY_STORAGE_METHODS_ROOM) {
        methods->close(*implementation);
        methods->close = close_strange;
        methods->version = 0;
    }
    return code;
}

static void given_by_others(void **state) {
    struct place *place = *state;
    struct place figures;
    canary_storage_methods methods;
    canary_storage_methods out;
    void *kept = NULL;

    figures_make(place, &figures);
    methods = place->methods;
    methods.measurements = NULL;
    place_expect(place,
                 canary__storage_measurements(&methods, place, 1, &out, &kept, &place->error),
                 CANARY_E_UNSUPPORTED, "the sqlite store keeps no measurements");
    methods.measurements = strange_measurements;
    strange.size = CANARY_STORAGE_METHODS_ROOM;
    assert_int_equal(canary__storage_measurements(&methods, place, 1, &out, &kept, &place->error),
                     CANARY_OK);
    assert_int_equal(out.size, sizeof out);
    out.close(kept);
    strange.size = sizeof out;
    place_expect(place,
                 canary__storage_measurements(&methods, place, 1, &out, &kept, &place->error),
                 CANARY_E_INVALID, "version is 0");
    assert_int_equal(strange.closed, 1);
    place_close(&figures);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
#define QUICK(name) cmocka_unit_test_setup_teardown(name, place_setup_in_memory, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(made_when_written),    TEST(owner_and_mode),  TEST(settings),
        QUICK(tables_as_described), QUICK(plans),          QUICK(ranges),
        TEST(other_tables),         TEST(given_by_others),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
