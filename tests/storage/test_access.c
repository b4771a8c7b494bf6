/* SPDX-License-Identifier: MIT */
/* Locks, permissions, and files that go away: each has its named answer, and nothing is lost. */
#include "place.h"
#include "storage/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
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

/* -- locks -- */

/* Another process runs `sql` on the store, then waits to be told to go. */
struct shell {
    pid_t pid;
    int go;
};

static struct shell start_shell(struct place *place, const char *sql) {
    struct shell shell;
    int go[2];
    int ready[2];
    char byte;

    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(ready), 0);
    shell.pid = fork();
    if (shell.pid == 0) {
        sqlite3 *db = NULL;

        close(go[1]);
        if (sqlite3_open(place->path, &db) != SQLITE_OK ||
            sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK || write(ready[1], "r", 1) != 1) {
            _exit(1);
        }
        _exit(read(go[0], &byte, 1) != 0);
    }
    close(go[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    shell.go = go[1];
    return shell;
}

static void end_shell(const struct shell *shell) {
    int status = 0;

    close(shell->go);
    while (waitpid(shell->pid, &status, 0) < 0 && errno == EINTR) {
    }
    assert_int_equal(status, 0);
}

static void locked_by_another_process(void **state) {
    struct place *place = *state;
    struct shell shell;
    int64_t start;
    int64_t at;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);

    shell = start_shell(place, "BEGIN IMMEDIATE");
    start = milliseconds();
    place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_BUSY, "try again");
    place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_BUSY, "try again");
    assert_true(milliseconds() - start < 4500); /* it waited for nothing, not even for a commit */
    assert_int_equal(place_flag(place, "a"), 1);
    end_shell(&shell);
    assert_int_equal(place_commit_flag(place, "a", 2), CANARY_OK);

    shell = start_shell(place, "BEGIN EXCLUSIVE");
    place_expect(place, place_try_flag(place, "a", &at), CANARY_E_BUSY, "try again");
    place_expect(place, place_commit_flag(place, "a", 3), CANARY_E_BUSY, "try again");
    end_shell(&shell);
    assert_int_equal(place_flag(place, "a"), 2);
    assert_int_equal(place_commit_flag(place, "a", 3), CANARY_OK);
}

static void commit_waits_for_readers(void **state) {
    struct place *place = *state;
    struct shell shell;
    int64_t start;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    /* A reader that goes after 200 ms: shorter than the commit's patience. */
    shell = start_shell(place, "BEGIN; SELECT * FROM feature_flags");
    start = milliseconds(); /* the child may go on before its parent does */
    if (fork() == 0) {
        usleep(200000);
        kill(shell.pid, SIGKILL);
        _exit(0);
    }
    assert_int_equal(place_commit_flag(place, "a", 2), CANARY_OK);
    assert_true(milliseconds() - start >= 100);
    close(shell.go);
    while (wait(NULL) > 0) {
    }
    assert_int_equal(place_flag(place, "a"), 2);
}

static void commit_gives_up_on_a_reader(void **state) {
    static const struct {
        int64_t told_ns;
        int64_t least_ms;
        int64_t most_ms;
    } waits[] = { { 1, 90, 4400 }, { INT64_C(3600) * 1000000000, 4500, 60000 } };
    struct place *place = *state;
    struct shell shell;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    shell = start_shell(place, "BEGIN; SELECT * FROM feature_flags");
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        int64_t start = milliseconds();

        canary__sqlite_wait(place->store, waits[i].told_ns);
        place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_BUSY, "commit the change");
        assert_in_range(milliseconds() - start, waits[i].least_ms, waits[i].most_ms);
    }
    end_shell(&shell);
    assert_int_equal(place_flag(place, "a"), 1);
}

/* -- permissions: in a child that is nobody, because root is allowed everything -- */

static int follow_as_reader(struct place *place) {
    uint64_t before;
    int64_t at;

    if (place_open(place, 0) != CANARY_OK || place_try_flag(place, "a", &at) != CANARY_OK ||
        at != 1) {
        return 1;
    }
    if (place_begin(place, CANARY_STORAGE_READ) != CANARY_OK ||
        place->methods.token(place->transaction, &before, &place->error) != CANARY_OK ||
        place_end(place, 0) != CANARY_OK) {
        return 2;
    }
    if (place_commit_flag(place, "a", 9) != CANARY_E_READ_ONLY ||
        strstr(place->error.message, "may read it, but not write") == NULL) {
        return 3;
    }
    place_close(place);
    return place_open(place, CANARY_OPEN_CREATE) == CANARY_OK ? 0 : 4;
}

static void reader_without_write_permission(void **state) {
    struct place *place = *state;

    place_create(place);
    chmod(place->path, 0444);
    chmod(place->directory, 0555);
    place_child(place, follow_as_reader, 1);
}

static int open_without_permission(struct place *place) {
    if (place_open(place, 0) != CANARY_E_PERMISSION ||
        strstr(place->error.message, "owner and mode") == NULL) {
        return 1;
    }
    return place_open(place, CANARY_OPEN_CREATE) == CANARY_E_PERMISSION ? 0 : 2;
}

static void no_read_permission(void **state) {
    struct place *place = *state;

    place_create(place);
    chmod(place->path, 0);
    place_child(place, open_without_permission, 1);
    chmod(place->path, 0644);
    chmod(place->directory, 0600);
    place_child(place, open_without_permission, 1);
}

static int create_without_permission(struct place *place) {
    return place_open(place, CANARY_OPEN_CREATE) == CANARY_E_READ_ONLY &&
                   strstr(place->error.message, "cannot create a store") != NULL
               ? 0
               : 1;
}

static void no_permission_to_create(void **state) {
    struct place *place = *state;

    chmod(place->directory, 0555);
    place_child(place, create_without_permission, 1);
    assert_int_equal(access(place->path, F_OK), -1);
}

static void read_only_handle(void **state) {
    struct place *place = *state;

    place_create(place);
    assert_int_equal(place_open(place, CANARY_OPEN_READ_ONLY), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_READ_ONLY,
                 "CANARY_OPEN_READ_ONLY");
}

/* -- files that go away -- */

static void remove_store(struct place *place) {
    char journal[160];

    snprintf(journal, sizeof journal, "%s-journal", place->path);
    assert_int_equal(unlink(place->path), 0);
    unlink(journal);
}

static void deleted_while_open(void **state) {
    struct place *place = *state;
    int64_t at;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    remove_store(place);
    place_expect(place, place_try_flag(place, "a", &at), CANARY_E_NO_STORE, "there is no store");
    place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_NO_STORE, "there is no store");
    assert_int_equal(access(place->path, F_OK), -1);
}

static void replaced_while_open(void **state) {
    struct place *place = *state;
    struct place other = **(struct place **)state;
    uint64_t token;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    token = place_token(place);
    /* A copy of the same content: only the inode tells. */
    snprintf(other.path, sizeof other.path, "%s/other.db", place->directory);
    place_copy(place->path, other.path);
    assert_int_equal(rename(other.path, place->path), 0);
    assert_int_not_equal(place_token(place), token);
    assert_int_equal(place_flag(place, "a"), 1);
    assert_int_equal(place_commit_flag(place, "a", 2), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 2);
}

static void replaced_during_a_change(void **state) {
    struct place *place = *state;
    char copy[160];

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    snprintf(copy, sizeof copy, "%s.copy", place->path);
    place_copy(place->path, copy);
    assert_int_equal(place_begin(place, CANARY_STORAGE_WRITE), CANARY_OK);
    assert_int_equal(place_put_flag(place, "a", 2), CANARY_OK);
    assert_int_equal(rename(copy, place->path), 0);
    place_expect(place, place_end(place, 1), CANARY_E_REPLACED, "went to the old one");
    assert_int_equal(place_flag(place, "a"), 1);
}

static void symbolic_links(void **state) {
    struct place *place = *state;
    struct place real = **(struct place **)state;
    char link[160];
    int64_t at;

    snprintf(real.path, sizeof real.path, "%s/real.db", place->directory);
    place_create(&real);
    assert_int_equal(symlink(real.path, place->path), 0);
    snprintf(link, sizeof link, "%s/link", place->directory);
    assert_int_equal(symlink(place->directory, link), 0);
    /* Links in the user's path are followed, once. */
    snprintf(place->path, sizeof place->path, "%.70s/link/store.db", real.directory);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    snprintf(link, sizeof link, "%s-doorbell", real.path);
    assert_string_equal(place->methods.doorbell(place->store), link);
    /* One planted in the place of the file later is not. */
    snprintf(link, sizeof link, "%s.copy", real.path);
    place_copy(real.path, link);
    assert_int_equal(unlink(real.path), 0);
    assert_int_equal(symlink(link, real.path), 0);
    place_expect(place, place_try_flag(place, "a", &at), CANARY_E_NOT_A_STORE, "symbolic link");
    place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_NOT_A_STORE, "symbolic link");
    assert_int_equal(unlink(link), 0);
    place_expect(place, place_commit_flag(place, "a", 2), CANARY_E_NO_STORE, "there is no store");
}

/* -- another journal mode -- */

static void switched_to_wal(void **state) {
    struct place *place = *state;
    uint64_t token;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    place_sql(place, "PRAGMA journal_mode=WAL; UPDATE feature_flags SET updated_at = 2");
    assert_int_equal(place_flag(place, "a"), 2);
    token = place_token(place);
    assert_int_not_equal(place_token(place), token);
    assert_int_equal(place_commit_flag(place, "a", 3), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 3);
    token = place_token(place);
    assert_int_equal(place_token(place), token);
    assert_int_equal(place_number(place, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"),
                     1);
}

/* Somebody has the store open in WAL mode, so it cannot be switched back now: changes still work. */
static void kept_in_wal(void **state) {
    struct place *place = *state;
    struct shell shell;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
    shell = start_shell(place, "PRAGMA journal_mode=WAL; UPDATE feature_flags SET updated_at = 2;"
                               "BEGIN; SELECT * FROM feature_flags");
    assert_int_equal(place_flag(place, "a"), 2);
    assert_int_equal(place_commit_flag(place, "a", 3), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 3);
    end_shell(&shell);
    assert_int_equal(place_commit_flag(place, "a", 4), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 4);
}

/* -- a dead writer's journal -- */

/* A writer that was killed when the database was half written: SQLite's own files are copied at
 * that moment, and put in place. */
static void make_hot_journal(struct place *place) {
    char journal[160];
    char copy[160];
    char journal_copy[176];
    sqlite3 *db = NULL;

    snprintf(journal, sizeof journal, "%s-journal", place->path);
    snprintf(copy, sizeof copy, "%s.copy", place->path);
    snprintf(journal_copy, sizeof journal_copy, "%s-journal", copy);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    /* With one page of cache, changed pages go to the file before the commit. */
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA cache_size=1; BEGIN IMMEDIATE;"
                                  "UPDATE feature_flags SET updated_at = 77;"
                                  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c "
                                  "LIMIT 5000) INSERT INTO overrides SELECT 'r', "
                                  "CAST('u' || x AS BLOB), 1 FROM c",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    place_copy(place->path, copy);
    place_copy(journal, journal_copy);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(rename(copy, place->path), 0);
    assert_int_equal(rename(journal_copy, journal), 0);
}

static void hot_journal(void **state) {
    struct place *place = *state;

    place_create(place);
    make_hot_journal(place);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    assert_int_equal(place_number(place, "SELECT count(*) FROM overrides"), 0);
    assert_int_equal(place_number(place, "SELECT count(*) FROM pragma_integrity_check "
                                         "WHERE integrity_check <> 'ok'"),
                     0);
}

static void hot_journal_before_a_change(void **state) {
    struct place *place = *state;

    place_create(place);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    make_hot_journal(place);
    assert_int_equal(place_commit_flag(place, "b", 2), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    assert_int_equal(place_flag(place, "b"), 2);
}

static int open_beside_hot_journal(struct place *place) {
    return place_open(place, 0) == CANARY_E_READ_ONLY &&
                   strstr(place->error.message, "a writer died") != NULL
               ? 0
               : 1;
}

static void hot_journal_that_may_not_be_touched(void **state) {
    struct place *place = *state;

    place_create(place);
    make_hot_journal(place);
    place_expect(place, place_open(place, CANARY_OPEN_READ_ONLY), CANARY_E_READ_ONLY,
                 "a writer died");
    chmod(place->path, 0444);
    chmod(place->directory, 0555);
    place_child(place, open_beside_hot_journal, 1);
    chmod(place->directory, 0755);
    /* One that may write it makes it good for all. */
    chmod(place->path, 0644);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    place_close(place);
    assert_int_equal(place_open(place, CANARY_OPEN_READ_ONLY), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
}

/* -- fork -- */

static int use_in_child(struct place *place) {
    int64_t at;

    return place_try_flag(place, "a", &at) == CANARY_OK && at == 1 &&
                   place_commit_flag(place, "a", 2) == CANARY_OK
               ? 0
               : 1;
}

/* With and without the fork handlers, the child opens what it needs by itself. */
static void used_in_a_child(void **state) {
    struct place *place = *state;
    struct canary__sqlite *store;

    assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
    for (int handlers = 0; handlers < 2; handlers++) {
        store = place->store;
        assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
        assert_int_equal(place_flag(place, "a"), 1);
        assert_non_null(store->process->reader);
        if (handlers) {
            place->methods.before_fork(place->store);
            assert_null(store->process->reader);
        }
        place_child(place, use_in_child, 0);
        assert_int_equal(place_flag(place, "a"), 2);
    }
}

static int child_forgets(struct place *place) {
    return ((struct canary__sqlite *)place->store)->process->reader == NULL ? 0 : 1;
}

static void child_forgets_the_connection(void **state) {
    struct place *place = *state;

    place_create(place);
    assert_int_equal(place_open(place, 0), CANARY_OK);
    assert_int_equal(place_flag(place, "a"), 1);
    place_child(place, child_forgets, 0);
}

/* -- creation -- */

static int create(struct place *place) {
    int code = CANARY_E_BUSY;

    /* As libcanary does: a store tries once and does not wait. */
    for (int i = 0; i < 300000 && code == CANARY_E_BUSY; i++) {
        code = place_open(place, CANARY_OPEN_CREATE);
        usleep(code == CANARY_E_BUSY ? 200 : 0);
    }
    if (code != CANARY_OK) {
        fprintf(stderr, "%s\n", place->error.message);
    }
    return code == CANARY_OK ? 0 : 1;
}

static void many_creators(void **state) {
    enum { CREATORS = 8, ROUNDS = 10 };
    struct place *place = *state;

    for (int round = 0; round < ROUNDS; round++) {
        int status;

        for (int i = 0; i < CREATORS; i++) {
            if (fork() == 0) {
                _exit(create(place));
            }
        }
        for (int i = 0; i < CREATORS; i++) {
            assert_true(wait(&status) > 0);
            assert_int_equal(status, 0);
        }
        remove_store(place);
    }
}

static void killed_creators(void **state) {
    struct place *place = *state;
    int64_t at;

    for (int round = 0; round < 40; round++) {
        pid_t pid = fork();
        int code;

        if (pid == 0) {
            _exit(create(place));
        }
        usleep((useconds_t)(round * 60));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        code = place_open(place, 0);
        if (code != CANARY_E_NO_STORE) {
            place_expect(place, code, CANARY_OK, "");
            assert_int_equal(place_try_flag(place, "a", &at), CANARY_OK);
            place_close(place);
        }
        assert_int_equal(place_open(place, CANARY_OPEN_CREATE), CANARY_OK);
        assert_int_equal(place_commit_flag(place, "a", 1), CANARY_OK);
        place_close(place);
        remove_store(place);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(locked_by_another_process),
        TEST(commit_waits_for_readers),
        TEST(commit_gives_up_on_a_reader),
        TEST(reader_without_write_permission),
        TEST(no_read_permission),
        TEST(no_permission_to_create),
        TEST(read_only_handle),
        TEST(deleted_while_open),
        TEST(replaced_while_open),
        TEST(replaced_during_a_change),
        TEST(symbolic_links),
        TEST(switched_to_wal),
        TEST(kept_in_wal),
        TEST(hot_journal),
        TEST(hot_journal_before_a_change),
        TEST(hot_journal_that_may_not_be_touched),
        TEST(used_in_a_child),
        TEST(child_forgets_the_connection),
        TEST(many_creators),
        TEST(killed_creators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
