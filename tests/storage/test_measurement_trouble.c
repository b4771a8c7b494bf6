/* SPDX-License-Identifier: MIT */
/* Measurements that are locked, damaged, hostile, not ours, not allowed, or gone: each has its named
 * answer, and the decisions beside them go on. */
#include "figures.h"
#include "storage/sqlite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t milliseconds(void) {
    struct timespec now = { 0, 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* With one tick of 5 requests, both handles open. */
static void make_with_tick(struct place *place, struct place *figures) {
    figures_make(place, figures);
    assert_int_equal(figures_commit(figures, "r", 1, 5), CANARY_OK);
    assert_int_equal(figures_requests(figures, "r"), 5);
}

/* Whatever is the matter with the figures. */
static void decisions_go_on(struct place *place) {
    static int64_t at = 100;

    assert_int_equal(place_commit_flag(place, "a", ++at), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), at);
}

/* A handle that was open and one that is opened now give the same answers, to readers and writers. */
static void refused(struct place *place, struct place *figures, int reading, int writing,
                    const char *part) {
    struct place now;
    struct figures_sum sum;

    place_expect(figures, figures_read(figures, "r", NULL, 0, 0, &sum), reading, part);
    place_expect(figures, figures_commit(figures, "r", 2, 7), writing, part);
    assert_int_equal(figures_open(place, 1, &now), CANARY_OK);
    place_expect(&now, figures_read(&now, "r", NULL, 0, 0, &sum), reading, part);
    place_expect(&now, figures_commit(&now, "r", 2, 7), writing, part);
    place_close(&now);
    decisions_go_on(place);
}

static void patch(const char *path, long at, const void *data, size_t size) {
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* -- what it is not -- */

static void not_ours(void **state) {
    struct place *place = *state;
    struct place figures;

    make_with_tick(place, &figures);
    assert_int_equal(unlink(figures.path), 0);
    place_sql(&figures, "CREATE TABLE theirs (x)");
    refused(place, &figures, CANARY_E_NOT_A_STORE, CANARY_E_NOT_A_STORE,
            "not a canary metrics database");
    assert_int_equal(place_number(&figures, "SELECT count(*) FROM sqlite_schema"), 1);
    /* The decisions in the place of the figures, say by a slip of cp. */
    place_copy(place->path, figures.path);
    refused(place, &figures, CANARY_E_NOT_A_STORE, CANARY_E_NOT_A_STORE,
            "application_id 0x43414e59 instead of 0x43414e4d");
    assert_int_equal(truncate(figures.path, 0), 0);
    patch(figures.path, 0, "hello, hello, hello\n", 20);
    refused(place, &figures, CANARY_E_NOT_A_STORE, CANARY_E_NOT_A_STORE, "not a database");
    assert_int_equal(unlink(figures.path), 0);
    assert_int_equal(mkfifo(figures.path, 0644), 0);
    refused(place, &figures, CANARY_E_NOT_A_STORE, CANARY_E_NOT_A_STORE, "not a regular file");
    assert_int_equal(unlink(figures.path), 0);
    assert_int_equal(symlink(place->path, figures.path), 0);
    refused(place, &figures, CANARY_E_NOT_A_STORE, CANARY_E_NOT_A_STORE, "symbolic link");
    assert_int_equal(unlink(figures.path), 0);
    /* And the figures in the place of the decisions. */
    assert_int_equal(figures_commit(&figures, "r", 1, 1), CANARY_OK);
    place_close(place);
    place_copy(figures.path, place->path);
    place_expect(place, place_open(place, 0), CANARY_E_NOT_A_STORE,
                 "not a canary store (application_id 0x43414e4d");
    place_close(&figures);
}

static void newer(void **state) {
    struct place *place = *state;
    struct place figures;

    make_with_tick(place, &figures);
    place_sql(&figures, "PRAGMA user_version=2");
    refused(place, &figures, CANARY_E_NEWER, CANARY_E_NEWER, "upgrade this program");
    place_sql(&figures, "PRAGMA user_version=0");
    refused(place, &figures, CANARY_E_CORRUPT, CANARY_E_CORRUPT, "schema version is 0");
    place_sql(&figures, "PRAGMA user_version=1");
    assert_int_equal(figures_requests(&figures, "r"), 5);
    place_close(&figures);
}

static void hostile(void **state) {
    static const struct {
        const char *sql;
        int code;
        const char *part;
    } schemas[] = {
        { "CREATE VIEW v AS SELECT 1", CANARY_E_HOSTILE, "the view 'v'" },
        { "CREATE TRIGGER t AFTER INSERT ON ticks BEGIN DELETE FROM hours; END", CANARY_E_HOSTILE,
          "the trigger 't'" },
        { "CREATE INDEX i ON ticks (data)", CANARY_E_HOSTILE, "the index 'i'" },
        { "CREATE TABLE more (x)", CANARY_E_HOSTILE, "the table 'more'" },
        { "CREATE TABLE changes (x)", CANARY_E_HOSTILE, "the table 'changes'" },
        { "ALTER TABLE ticks ADD COLUMN more INTEGER", CANARY_E_HOSTILE,
          "the table 'ticks' in its schema was altered" },
        { "DROP TABLE hours; CREATE TABLE hours (rollout TEXT NOT NULL, start INTEGER NOT NULL, "
          "data BLOB NOT NULL, PRIMARY KEY (rollout, start)) STRICT",
          CANARY_E_HOSTILE, "the table 'hours' in its schema was altered" },
        { "DROP TABLE imports", CANARY_E_CORRUPT, "the table 'imports' is missing" },
    };
    struct place *place = *state;
    struct place figures;
    char copy[160];

    make_with_tick(place, &figures);
    snprintf(copy, sizeof copy, "%.120s.copy", figures.path);
    place_copy(figures.path, copy);
    /* What ANALYZE leaves is harmless. */
    place_sql(&figures, "ANALYZE");
    assert_int_equal(figures_requests(&figures, "r"), 5);
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        place_copy(copy, figures.path);
        assert_int_equal(figures_requests(&figures, "r"), 5);
        place_sql(&figures, schemas[i].sql);
        refused(place, &figures, schemas[i].code, schemas[i].code, schemas[i].part);
    }
    place_close(&figures);
}

static int complaints(void *user_data, const char *message) {
    (void)message;
    ++*(int *)user_data;
    return 0;
}

static void damaged(void **state) {
    struct place *place = *state;
    struct place figures;
    struct figures_sum sum;
    unsigned char junk[8192];
    int64_t root;
    int count = 0;

    memset(junk, 0xa5, sizeof junk);
    make_with_tick(place, &figures);
    assert_int_equal(figures.methods.check(figures.store, complaints, &count, &figures.error),
                     CANARY_OK);
    assert_int_equal(count, 0);
    root = place_number(&figures, "SELECT rootpage FROM sqlite_schema WHERE name = 'ticks'");
    place_close(&figures);
    patch(figures.path, (root - 1) * 8192, junk, sizeof junk);
    assert_int_equal(figures_open(place, 0, &figures), CANARY_OK);
    place_expect(&figures, figures_read(&figures, "r", NULL, 0, 0, &sum), CANARY_E_CORRUPT,
                 "restore a copy");
    place_expect(&figures, figures_commit(&figures, "r", 2, 7), CANARY_E_CORRUPT, "restore a copy");
    assert_int_equal(figures.methods.check(figures.store, complaints, &count, &figures.error),
                     CANARY_OK);
    assert_true(count > 0);
    decisions_go_on(place);
    /* The schema itself; and cut short. */
    patch(figures.path, 100, junk, 200);
    refused(place, &figures, CANARY_E_CORRUPT, CANARY_E_CORRUPT, "restore a copy");
    assert_int_equal(truncate(figures.path, 90), 0);
    refused(place, &figures, CANARY_E_CORRUPT, CANARY_E_CORRUPT, "restore a copy");
    /* Moved out of the way, the next tick makes a new one. */
    assert_int_equal(unlink(figures.path), 0);
    place_close(&figures);
    assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
    assert_int_equal(figures_commit(&figures, "r", 1, 3), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "r"), 3);
    place_close(&figures);
}

/* -- files that go away -- */

static void deleted_while_open(void **state) {
    struct place *place = *state;
    struct place figures;
    struct place looking;
    struct figures_sum sum;

    make_with_tick(place, &figures);
    assert_int_equal(figures_open(place, 0, &looking), CANARY_OK);
    assert_int_equal(figures_requests(&looking, "r"), 5);
    assert_int_equal(unlink(figures.path), 0);
    place_expect(&looking, figures_read(&looking, "r", NULL, 0, 0, &sum), CANARY_E_NO_STORE,
                 "nothing was recorded yet");
    place_expect(&looking, figures_commit(&looking, "r", 2, 7), CANARY_E_NO_STORE,
                 "nothing was recorded yet");
    assert_int_equal(access(figures.path, F_OK), -1);
    /* Who creates goes on in a new one, which the other finds. */
    assert_int_equal(figures_commit(&figures, "r", 2, 7), CANARY_OK);
    assert_int_equal(figures_requests(&looking, "r"), 7);
    /* An empty file is none. */
    place_close(&figures);
    place_close(&looking);
    assert_int_equal(truncate(figures.path, 0), 0);
    assert_int_equal(figures_open(place, 0, &looking), CANARY_OK);
    place_expect(&looking, figures_read(&looking, "r", NULL, 0, 0, &sum), CANARY_E_NO_STORE,
                 "empty");
    assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
    assert_int_equal(figures_commit(&figures, "r", 3, 9), CANARY_OK);
    assert_int_equal(figures_requests(&looking, "r"), 9);
    place_close(&looking);
    place_close(&figures);
}

static void store_is_gone(void **state) {
    struct place *place = *state;
    struct place figures;

    make_with_tick(place, &figures);
    assert_int_equal(unlink(place->path), 0);
    /* What is there can be written; what is not is not made for a store that nobody has. */
    assert_int_equal(figures_commit(&figures, "r", 2, 7), CANARY_OK);
    assert_int_equal(unlink(figures.path), 0);
    place_expect(&figures, figures_commit(&figures, "r", 3, 7), CANARY_E_NO_STORE,
                 "no store that these figures could be of");
    assert_int_equal(access(figures.path, F_OK), -1);
    place_close(&figures);
}

static void replaced_while_open(void **state) {
    struct place *place = *state;
    struct place figures;
    char copy[160];
    uint64_t token;

    make_with_tick(place, &figures);
    token = place_token(&figures);
    snprintf(copy, sizeof copy, "%.120s.copy", figures.path);
    place_copy(figures.path, copy);
    assert_int_equal(figures_commit(&figures, "r", 2, 7), CANARY_OK);
    assert_int_equal(rename(copy, figures.path), 0);
    assert_int_not_equal(place_token(&figures), token);
    assert_int_equal(figures_requests(&figures, "r"), 5);
    assert_int_equal(figures_commit(&figures, "r", 2, 8), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "r"), 13);
    /* During a flush: what was written went to the old one, and the flush is told so. */
    place_copy(figures.path, copy);
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
    assert_int_equal(figures_put(&figures, CANARY_TABLE_TICKS, "r", 3, 9, 700), CANARY_OK);
    assert_int_equal(rename(copy, figures.path), 0);
    place_expect(&figures, place_end(&figures, 1), CANARY_E_REPLACED, "went to the old one");
    assert_int_equal(figures_requests(&figures, "r"), 13);
    assert_int_equal(figures_commit(&figures, "r", 3, 9), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "r"), 22);
    place_close(&figures);
}

static void switched_to_wal(void **state) {
    struct place *place = *state;
    struct place figures;

    make_with_tick(place, &figures);
    place_sql(&figures, "PRAGMA journal_mode=WAL; UPDATE ticks SET requests_old = 6");
    assert_int_equal(figures_commit(&figures, "r", 2, 1), CANARY_OK);
    assert_int_equal(figures_commit(&figures, "r", 3, 1), CANARY_OK);
    assert_int_equal(
        place_number(&figures, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
    assert_int_equal(place_number(&figures, "SELECT sum(requests_old) FROM ticks"), 8);
    place_close(&figures);
}

/* -- permissions: in a child that is nobody, because root is allowed everything -- */

static int may_only_read(struct place *place) {
    struct place figures;

    return place_open(place, 0) == CANARY_OK && figures_open(place, 1, &figures) == CANARY_OK &&
                   figures_requests(&figures, "r") == 5 &&
                   figures_commit(&figures, "r", 2, 7) == CANARY_E_READ_ONLY &&
                   strstr(figures.error.message, "may read it, but not write") != NULL
               ? 0
               : 1;
}

static int may_not_even_read(struct place *place) {
    struct place figures;
    struct figures_sum sum;

    return place_open(place, 0) == CANARY_OK && figures_open(place, 1, &figures) == CANARY_OK &&
                   figures_read(&figures, "r", NULL, 0, 0, &sum) == CANARY_E_PERMISSION &&
                   strstr(figures.error.message, "owner and mode") != NULL &&
                   figures_commit(&figures, "r", 2, 7) == CANARY_E_PERMISSION
               ? 0
               : 1;
}

static int may_not_make(struct place *place) {
    struct place figures;

    return place_open(place, 0) == CANARY_OK && figures_open(place, 1, &figures) == CANARY_OK &&
                   figures_commit(&figures, "r", 2, 7) == CANARY_E_READ_ONLY &&
                   strstr(figures.error.message, "its directory may not be written") != NULL
               ? 0
               : 1;
}

static int may_record(struct place *place) {
    struct place figures;

    return place_open(place, 0) == CANARY_OK &&
                   place_commit_flag(place, "a", 9) == CANARY_E_READ_ONLY &&
                   figures_open(place, 1, &figures) == CANARY_OK &&
                   figures_commit(&figures, "r", 2, 7) == CANARY_OK &&
                   figures_requests(&figures, "r") == 12
               ? 0
               : 1;
}

/* A service that may read the decisions and no more, and write the figures. */
static void allowed_to_record(void **state) {
    struct place *place = *state;
    struct place figures;
    char journal[160];

    make_with_tick(place, &figures);
    place_close(&figures);
    place_close(place);
    snprintf(journal, sizeof journal, "%.120s-journal", figures.path);
    chmod(place->path, 0444);
    chmod(figures.path, 0666);
    chmod(journal, 0666);
    chmod(place->directory, 0555);
    place_child(place, may_record, 1);
}

static void permissions(void **state) {
    struct place *place = *state;
    struct place figures;

    make_with_tick(place, &figures);
    place_close(&figures);
    place_close(place);
    chmod(figures.path, 0444);
    chmod(place->directory, 0555);
    place_child(place, may_only_read, 1);
    chmod(figures.path, 0);
    place_child(place, may_not_even_read, 1);
    assert_int_equal(unlink(figures.path), 0);
    place_child(place, may_not_make, 1);
    assert_int_equal(access(figures.path, F_OK), -1);
}

static void read_only_handle(void **state) {
    struct place *place = *state;
    struct place figures;

    make_with_tick(place, &figures);
    place_close(&figures);
    place_close(place);
    assert_int_equal(place_open(place, CANARY_OPEN_READ_ONLY), CANARY_OK);
    assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "r"), 5);
    place_expect(&figures, figures_commit(&figures, "r", 2, 7), CANARY_E_READ_ONLY,
                 "CANARY_OPEN_READ_ONLY");
    place_close(&figures);
    assert_int_equal(unlink(figures.path), 0);
    place_expect(&figures, figures_open(place, 1, &figures), CANARY_E_NO_STORE,
                 "nothing was recorded yet");
    assert_int_equal(access(figures.path, F_OK), -1);
}

/* -- locks -- */

/* Another process runs `sql` on the figures and holds what it got, until it is killed. */
static pid_t hold(struct place *figures, const char *sql) {
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        sqlite3 *db = NULL;

        alarm(300);
        if (sqlite3_open(figures->path, &db) == SQLITE_OK &&
            sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK && write(ready[1], "r", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void let_go(pid_t pid) {
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void locked(void **state) {
    struct place *place = *state;
    struct place figures;
    struct figures_sum sum;
    int64_t start;
    pid_t holder;

    make_with_tick(place, &figures);
    holder = hold(&figures, "BEGIN IMMEDIATE");
    start = milliseconds();
    place_expect(&figures, figures_commit(&figures, "r", 2, 7), CANARY_E_BUSY, "try again");
    assert_true(milliseconds() - start < 4500);
    decisions_go_on(place);
    let_go(holder);
    assert_int_equal(figures_commit(&figures, "r", 2, 7), CANARY_OK);
    holder = hold(&figures, "BEGIN EXCLUSIVE");
    place_expect(&figures, figures_read(&figures, "r", NULL, 0, 0, &sum), CANARY_E_BUSY,
                 "try again");
    decisions_go_on(place);
    let_go(holder);
    assert_int_equal(figures_requests(&figures, "r"), 12);
    /* A reader that stays: the commit gives up soon, for who forks waits for it; nothing is half
     * done, and the next flush finds all as it was. */
    holder = hold(&figures, "BEGIN; SELECT * FROM ticks");
    start = milliseconds();
    place_expect(&figures, figures_commit(&figures, "r", 3, 9), CANARY_E_BUSY, "commit the change");
    assert_in_range(milliseconds() - start, 200, 4500); /* a change would wait for 5 s */
    decisions_go_on(place);
    assert_int_equal(figures_requests(&figures, "r"), 12);
    let_go(holder);
    assert_int_equal(figures_commit(&figures, "r", 3, 9), CANARY_OK);
    assert_int_equal(figures_requests(&figures, "r"), 21);
    place_close(&figures);
}

/* A flush that was killed when the file was half written: SQLite's own files, copied at that moment. */
static void dead_writer(void **state) {
    struct place *place = *state;
    struct place figures;
    char journal[160];
    char copy[160];
    char journal_copy[176];
    sqlite3 *db = NULL;

    make_with_tick(place, &figures);
    snprintf(journal, sizeof journal, "%.120s-journal", figures.path);
    snprintf(copy, sizeof copy, "%.120s.copy", figures.path);
    snprintf(journal_copy, sizeof journal_copy, "%.130s-journal", copy);
    assert_int_equal(sqlite3_open(figures.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA cache_size=1; BEGIN IMMEDIATE;"
                                  "UPDATE ticks SET requests_old = 77;"
                                  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
                                  "LIMIT 5000) INSERT INTO writers SELECT 'w' || x, x, x FROM c",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    place_copy(figures.path, copy);
    place_copy(journal, journal_copy);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(rename(copy, figures.path), 0);
    assert_int_equal(rename(journal_copy, journal), 0);
    assert_int_equal(figures_requests(&figures, "r"), 5);
    assert_int_equal(figures_commit(&figures, "r", 2, 7), CANARY_OK);
    assert_int_equal(place_number(&figures, "SELECT count(*) FROM writers"), 0);
    place_close(&figures);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(not_ours),
        TEST(newer),
        TEST(hostile),
        TEST(damaged),
        TEST(deleted_while_open),
        TEST(store_is_gone),
        TEST(replaced_while_open),
        TEST(switched_to_wal),
        TEST(permissions),
        TEST(allowed_to_record),
        TEST(read_only_handle),
        TEST(locked),
        TEST(dead_writer),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
