/* SPDX-License-Identifier: MIT */
/* The store of measurements beside a store: how it is made, what is in it, how large it gets. */
#include "figures.h"
#include "storage/sqlite.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static struct canary__sqlite *store_of(struct place *place) {
    return place->store;
}

static double milliseconds(void) {
    struct timespec now = { 0, 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int64_t size_of(const struct place *place) {
    struct stat status;

    assert_int_equal(stat(place->path, &status), 0);
    return status.st_size;
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

static int make_one(struct place *place) {
    struct place figures;
    int code = place_open(place, 0);

    if (code == CANARY_OK) {
        code = figures_open(place, 1, &figures);
    }
    for (int i = 0; i < 100000 && code == CANARY_OK; i++) {
        code = figures_commit(&figures, "r", getpid(), 1);
        if (code != CANARY_E_BUSY) {
            break;
        }
        usleep(200);
        code = CANARY_OK;
    }
    if (code != CANARY_OK) {
        printf("%s\n", figures.error.message);
    }
    return code != CANARY_OK;
}

static void many_makers(void **state) {
    struct place *place = *state;
    struct place figures;
    int status = 0;
    int failed = 0;

    place_create(place);
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            _exit(make_one(place));
        }
    }
    while (wait(&status) > 0) {
        failed += status != 0;
    }
    assert_int_equal(failed, 0);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(figures_open(place, 0, &figures), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "r"), 8);
    place_close(&figures);
}

static void killed_makers(void **state) {
    struct place *place = *state;
    struct place figures;
    char journal[160];

    place_create(place);
    snprintf(journal, sizeof journal, "%s-metrics-journal", place->path);
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            _exit(make_one(place));
        }
        usleep((useconds_t)i * 60);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(place_open(place, 0), CANARY_OK);
        assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
        assert_int_equal(figures_commit(&figures, "mine", i, 1), CANARY_OK);
        assert_int_equal(figures_requests(&figures, "mine"), 1);
        assert_int_equal(place_number(&figures, "SELECT count(*) FROM pragma_integrity_check "
                                                "WHERE integrity_check <> 'ok'"),
                         0);
        place_close(&figures);
        place_close(place);
        assert_int_equal(unlink(figures.path), 0);
        unlink(journal);
    }
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
        assert_int_equal(
            figures.methods.read(figures.transaction, number, &range, ignore, NULL, &figures.error),
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
                 "the tables 6 to 13, not 3");
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

/* -- in memory -- */

enum { ADDITIONS = 2000 };

static int take_requests(void *user_data, const canary_storage_row *row) {
    *(int64_t *)user_data = row->values[2].integer;
    return 0;
}

/* One more in the only tick, in one transaction. */
static int add_one(struct place *figures) {
    canary_storage_range all = { .size = (uint32_t)sizeof all };
    int64_t requests = 0;
    int code;

    while ((code = place_begin(figures, CANARY_STORAGE_WRITE)) == CANARY_E_BUSY) {
        sched_yield();
    }
    if (code != CANARY_OK) {
        return code;
    }
    code = figures->methods.read(figures->transaction, CANARY_TABLE_TICKS, &all, take_requests,
                                 &requests, &figures->error);
    if (code == CANARY_OK) {
        code = figures_put(figures, CANARY_TABLE_TICKS, "r", 0, requests + 1, 700);
    }
    return code == CANARY_OK ? place_end(figures, 1) : code;
}

static void *add_up(void *argument) {
    for (int i = 0; i < ADDITIONS; i++) {
        if (add_one(argument) != CANARY_OK) {
            return argument;
        }
    }
    return NULL;
}

/* Handles on one store in memory have a lock each, so two threads are in it at once. */
static void memory_of_two_threads(void **state) {
    struct place *place = *state;
    struct place figures[2];
    pthread_t threads[2];

    assert_int_equal(
        canary__memory_open(&place->hooks, &place->methods, &place->store, &place->error),
        CANARY_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(figures_open(place, 1, &figures[i]), CANARY_OK);
    }
    place_close(place);
    memset(&place->hooks, 0, sizeof place->hooks);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_up, &figures[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        void *failed = NULL;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(figures_requests(&figures[0], "r"), 2 * ADDITIONS);
    place_close(&figures[0]);
    assert_int_equal(figures_requests(&figures[1], "r"), 2 * ADDITIONS);
    place_close(&figures[1]);
}

/* -- fork -- */

static int write_in_child(struct place *figures) {
    for (int i = 0; i < 50; i++) {
        int code;

        while ((code = figures_commit(figures, "child", i, 1)) == CANARY_E_BUSY) {
        }
        if (code != CANARY_OK) {
            printf("%s\n", figures->error.message);
            return 1;
        }
    }
    return figures_requests(figures, "child") == 50 ? 0 : 2;
}

/* Both go on writing through what they had before, and neither spoils the other's locks. */
static void written_by_a_child(void **state) {
    struct place figures;
    int status = 0;
    pid_t pid;

    figures_make(*state, &figures);
    assert_int_equal(figures_commit(&figures, "parent", -1, 1), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "parent"), 1);
    figures.methods.before_fork(figures.store);
    pid = fork();
    if (pid == 0) {
        _exit(write_in_child(&figures));
    }
    for (int i = 0; i < 50; i++) {
        int code;

        while ((code = figures_commit(&figures, "parent", i, 1)) == CANARY_E_BUSY) {
        }
        assert_int_equal(code, CANARY_OK);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(figures_requests(&figures, "parent"), 51);
    assert_int_equal(figures_requests(&figures, "child"), 50);
    place_close(&figures);
}

/* -- how large it gets -- */

enum { KEPT = 300, STEPS = 6000 };

/* A tick comes and the oldest goes, again and again, with rows of all sizes: once as many are there
 * as ever will be, the file grows no more. */
static void bounded_size(void **state) {
    struct place figures;
    struct place journal;
    int64_t settled = 0;

    figures_make(*state, &figures);
    journal = figures;
    snprintf(journal.path, sizeof journal.path, "%.110s-journal", figures.path);
    for (int step = 0; step < STEPS; step += 20) {
        assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
        for (int i = step; i < step + 20; i++) {
            /* Two processes merge into a tick, so that it grows after it was written. */
            size_t size = (size_t)(i * 797 % 5000);

            assert_int_equal(figures_put(&figures, CANARY_TABLE_TICKS, "r", i, i, size / 2),
                             CANARY_OK);
            assert_int_equal(figures_put(&figures, CANARY_TABLE_TICKS, "r", i, i, size), CANARY_OK);
            if (i >= KEPT) {
                assert_int_equal(figures_remove(&figures, CANARY_TABLE_TICKS, "r", i - KEPT),
                                 CANARY_OK);
            }
        }
        assert_int_equal(place_end(&figures, 1), CANARY_OK);
        if (step == 4 * KEPT) {
            settled = size_of(&figures);
        }
    }
    print_message("%d rows of 0 to 5000 bytes: %.2f MB, after %d more %.2f MB; journal %.2f MB\n",
                  KEPT, (double)settled / 1e6, STEPS - 4 * KEPT, (double)size_of(&figures) / 1e6,
                  (double)size_of(&journal) / 1e6);
    assert_in_range(size_of(&figures), 300000, settled + settled / 20);
    assert_in_range(size_of(&journal), 0, 1 << 20);
    assert_int_equal(place_number(&figures, "SELECT count(*) FROM ticks"), KEPT);
    /* Many rows go in one transaction, whose journal is long: it is cut afterwards. */
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
    for (int i = 0; i < 2 * KEPT; i++) {
        assert_int_equal(figures_put(&figures, CANARY_TABLE_HOURS, "r", i, 1, 9000), CANARY_OK);
    }
    assert_int_equal(place_end(&figures, 1), CANARY_OK);
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
    for (int i = 0; i < 2 * KEPT; i++) {
        assert_int_equal(figures_put(&figures, CANARY_TABLE_HOURS, "r", i, 2, 9000), CANARY_OK);
    }
    assert_int_equal(place_end(&figures, 1), CANARY_OK);
    assert_in_range(size_of(&journal), 0, 1 << 20);
    place_close(&figures);
}

/* A year of one rollout: ticks of two hours, minutes of a week, hours of 400 days. */
static void a_year(void **state) {
    static const struct {
        int table;
        int rows;
    } parts[] = { { CANARY_TABLE_TICKS, 720 },
                  { CANARY_TABLE_MINUTES, 10080 },
                  { CANARY_TABLE_HOURS, 9600 } };
    static const size_t sizes[] = { 400, 1200, 2000 };
    struct place *place = *state;
    struct place figures;

    place_create(place);
    for (size_t size = 0; size < 3; size++) {
        int64_t rows = 0;

        assert_int_equal(place_open(place, 0), CANARY_OK);
        assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
        for (size_t part = 0; part < 3; part++) {
            for (int i = 0; i < parts[part].rows; i++) {
                if (i % 200 == 0) {
                    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
                }
                assert_int_equal(figures_put(&figures, parts[part].table, "checkout",
                                             i * INT64_C(10000000000), 1000 + i,
                                             sizes[size] / 2 + (size_t)i * 997 % sizes[size]),
                                 CANARY_OK);
                if (i % 200 == 199 || i == parts[part].rows - 1) {
                    assert_int_equal(place_end(&figures, 1), CANARY_OK);
                }
                rows++;
            }
        }
        print_message("%lld rows of about %zu bytes: %.1f MB\n", (long long)rows, sizes[size],
                      (double)size_of(&figures) / 1e6);
        /* Of what the rows themselves have, a third more at most. */
        assert_in_range(size_of(&figures), 0, rows * ((int64_t)sizes[size] + 120) * 4 / 3);
        place_close(&figures);
        place_close(place);
        assert_int_equal(unlink(figures.path), 0);
    }
}

/* -- speed: printed, not asserted -- */

/* What a flush does: the writer's row, a tick, samples; read, merged and written back. */
static void flush_once(struct place *figures, int rollouts, int64_t start) {
    struct figures_sum sum;
    canary_storage_value key[2] = { { CANARY_VALUE_TEXT, 0, 0, "", 0 },
                                    { CANARY_VALUE_INTEGER, 0, start, NULL, 0 } };
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 2, .key = key };

    assert_int_equal(place_begin(figures, CANARY_STORAGE_WRITE), CANARY_OK);
    for (int i = 0; i < rollouts; i++) {
        char name[16];

        snprintf(name, sizeof name, "rollout.%d", i);
        key[0].data = name;
        key[0].size = strlen(name);
        for (int table = CANARY_TABLE_TICKS; table <= CANARY_TABLE_HOURS; table++) {
            memset(&sum, 0, sizeof sum);
            assert_int_equal(figures->methods.read(figures->transaction, table, &range, ignore,
                                                   &sum, &figures->error),
                             CANARY_OK);
            assert_int_equal(figures_put(figures, table, name, start, 1, 1500), CANARY_OK);
        }
    }
    assert_int_equal(place_end(figures, 1), CANARY_OK);
}

static int by_value(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;

    return difference < 0 ? -1 : difference > 0;
}

static void speed(void **state) {
    enum { FLUSHES = 100, WAYS = 4 };
    struct place *place = *state;
    struct place figures;
    double took[WAYS][FLUSHES];

    figures_make(place, &figures);
    for (int i = 0; i < WAYS * FLUSHES; i++) {
        int way = i % WAYS;
        double start;

        if (way >= 2) {
            figures.methods.before_fork(figures.store);
        }
        start = milliseconds();
        flush_once(&figures, way % 2 == 0 ? 1 : 10, i);
        took[way][i / WAYS] = milliseconds() - start;
    }
    for (int way = 0; way < WAYS; way++) {
        qsort(took[way], FLUSHES, sizeof took[way][0], by_value);
        print_message(
            "flush of %d rows of 1500 bytes, connection %s: median %.2f ms, p95 %.2f ms\n",
            way % 2 == 0 ? 3 : 30, way < 2 ? "kept" : "opened", took[way][FLUSHES / 2],
            took[way][FLUSHES * 95 / 100]);
    }
    place_close(&figures);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
#define QUICK(name) cmocka_unit_test_setup_teardown(name, place_setup_in_memory, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(made_when_written),
        TEST(many_makers),
        QUICK(killed_makers),
        TEST(owner_and_mode),
        TEST(settings),
        QUICK(tables_as_described),
        QUICK(plans),
        QUICK(ranges),
        TEST(other_tables),
        TEST(given_by_others),
        TEST(memory_of_two_threads),
        QUICK(written_by_a_child),
        QUICK(bounded_size),
        QUICK(a_year),
        TEST(speed),
        QUICK(speed),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
