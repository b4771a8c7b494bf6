/* SPDX-License-Identifier: MIT */
/* Several processes on one store, and processes that die in the middle of a change. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conformance/suite.h"

enum {
    INCREMENTS = 100,
    PAIRS = 200,
    CRASHES = 20,
    CRASH_WITHIN_US = 20000,
    PATIENCE_S = 300, /* for a child that hangs */
};

struct child {
    pid_t pid;
    int from; /* what it writes */
};

/* No handle may be open: a store lets go of what it shares only in before_fork. */
static int spawn(struct canary__suite *suite, int (*work)(struct canary__suite *suite, int to),
                 struct child *child) {
    int ends[2];

    canary__suite_close_all(suite);
    CANARY__SUITE_REQUIRE(suite, pipe(ends) == 0, "pipe: %s", strerror(errno));
    child->from = ends[0];
    child->pid = fork();
    if (child->pid == 0) {
        close(ends[0]);
        alarm(PATIENCE_S);
        suite->detail[0] = '\0';
        _exit(work(suite, ends[1]) ? 0 : 1);
    }
    close(ends[1]);
    if (child->pid < 0) {
        close(ends[0]);
        return canary__suite_fail(suite, "fork: %s", strerror(errno));
    }
    return 1;
}

/* Waits for a child that says what went wrong, if anything did. */
static int join(struct canary__suite *suite, const struct child *child) {
    char said[sizeof suite->detail] = "";
    size_t used = 0;
    ssize_t got;
    int status = 0;

    while (used < sizeof said - 1 &&
           (got = read(child->from, said + used, sizeof said - 1 - used)) != 0) {
        if (got > 0) {
            used += (size_t)got;
        } else if (errno != EINTR) {
            break;
        }
    }
    said[used] = '\0';
    close(child->from);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return 1;
    }
    return canary__suite_fail(suite, "a process %s: %.600s",
                              WIFSIGNALED(status) ? "hung or crashed" : "failed", said);
}

static int say(struct canary__suite *suite, int to, int passed) {
    if (!passed && write(to, suite->detail, strlen(suite->detail)) < 0) {
        return 0;
    }
    return passed;
}

/* A number, or -1 when it is not there. */
static int read_number(struct canary__suite *suite, struct canary__suite_handle *handle,
                       const char *name, int64_t *out) {
    canary_storage_value key = { CANARY_VALUE_TEXT, 0, 0, name, strlen(name) };
    canary_storage_range range = { (uint32_t)sizeof range, 1, 0, 0, 0, &key, NULL, NULL };
    struct canary__suite_list list = { 0 };
    int passed = canary__suite_read(suite, handle, suite->tables->numbers, &range, &list);

    *out = passed && list.count == 1
               ? canary__suite_row_value(list.rows[0], suite->tables->number)->integer
               : -1;
    canary__suite_list_clear(&list);
    return passed;
}

/* -- two writers -- */

static int increment(struct canary__suite *suite) {
    struct canary__suite_handle *handle;

    CANARY__SUITE_TRY(canary__suite_open(suite, 0, &handle));
    for (int i = 0; i < INCREMENTS;) {
        int64_t number;
        int done;

        CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
        CANARY__SUITE_TRY(read_number(suite, handle, "number", &number));
        CANARY__SUITE_TRY(canary__suite_put(suite, handle,
                                            canary__suite_row_number(suite, "number", number + 1)));
        CANARY__SUITE_TRY(canary__suite_commit(suite, handle, &done));
        i += done;
    }
    return 1;
}

static int increment_and_say(struct canary__suite *suite, int to) {
    return say(suite, to, increment(suite));
}

int canary__suite_check_two_writers(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    struct child first;
    struct child second;
    int64_t number = 0;
    int passed;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(
        canary__suite_put(suite, handle, canary__suite_row_number(suite, "number", 0)));
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    CANARY__SUITE_TRY(spawn(suite, increment_and_say, &first));
    passed = spawn(suite, increment_and_say, &second) && join(suite, &second);
    CANARY__SUITE_TRY(join(suite, &first) && passed);
    CANARY__SUITE_TRY(canary__suite_open(suite, 0, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_READ));
    CANARY__SUITE_TRY(read_number(suite, handle, "number", &number));
    CANARY__SUITE_REQUIRE(suite, number == 2 * INCREMENTS,
                          "two processes added %d to a number in %d transactions each; it is %lld",
                          INCREMENTS, INCREMENTS, (long long)number);
    return canary__suite_end(suite, handle, 0);
}

/* -- one state -- */

static int write_pairs(struct canary__suite *suite, int to) {
    struct canary__suite_handle *handle;
    int passed = canary__suite_open(suite, 0, &handle);

    for (int i = 1, done = 0; i <= PAIRS && passed; i += done) {
        passed = canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE) &&
                 canary__suite_put(suite, handle, canary__suite_row_number(suite, "left", i)) &&
                 canary__suite_put(suite, handle, canary__suite_row_number(suite, "right", i)) &&
                 canary__suite_commit(suite, handle, &done);
    }
    return say(suite, to, passed);
}

static int read_pairs(struct canary__suite *suite, int to) {
    struct canary__suite_handle *handle;
    int64_t last = -1;
    int64_t left = -1;
    int64_t right = -1;
    int passed = canary__suite_open(suite, 0, &handle);

    while (passed && left < PAIRS) {
        passed = canary__suite_begin(suite, handle, CANARY_STORAGE_READ) &&
                 read_number(suite, handle, "left", &left) &&
                 read_number(suite, handle, "right", &right) && canary__suite_end(suite, handle, 0);
        if (passed && (left != right || left < last)) {
            passed = canary__suite_fail(suite,
                                        "one read transaction saw %lld and %lld of a pair, after "
                                        "%lld",
                                        (long long)left, (long long)right, (long long)last);
        }
        last = left;
    }
    return say(suite, to, passed);
}

int canary__suite_check_one_state(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    struct child reader;
    struct child writer;
    int passed;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(spawn(suite, read_pairs, &reader));
    passed = spawn(suite, write_pairs, &writer) && join(suite, &writer);
    if (!passed) {
        char why[sizeof suite->detail];

        memcpy(why, suite->detail, sizeof why);
        kill(reader.pid, SIGKILL);
        join(suite, &reader);
        memcpy(suite->detail, why, sizeof why);
        return 0;
    }
    return join(suite, &reader);
}

/* -- unfinished -- */

static int leave_unfinished(struct canary__suite *suite, int to) {
    struct canary__suite_handle *handle;

    (void)to;
    CANARY__SUITE_TRY(canary__suite_open(suite, 0, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(canary__suite_put(suite, handle, canary__suite_row_number(suite, "kept", 2)));
    CANARY__SUITE_TRY(
        canary__suite_put(suite, handle, canary__suite_row_number(suite, "added", 2)));
    for (int i = 1; i <= 500; i++) {
        CANARY__SUITE_TRY(canary__suite_put(
            suite, handle, canary__suite_row_new(suite, suite->tables->rows, "", i, NULL, 0)));
    }
    return 1;
}

static int leave_killed(struct canary__suite *suite, int to) {
    CANARY__SUITE_TRY(leave_unfinished(suite, to));
    kill(getpid(), SIGKILL);
    return 1;
}

int canary__suite_check_unfinished(struct canary__suite *suite) {
    static int (*const ways[])(struct canary__suite * suite, int to) = { leave_unfinished,
                                                                         leave_killed };
    struct canary__suite_handle *handle;
    struct child child;
    int64_t kept = 0;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(canary__suite_put(suite, handle, canary__suite_row_number(suite, "kept", 1)));
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    for (int way = 0; way < 2; way++) {
        CANARY__SUITE_TRY(spawn(suite, ways[way], &child));
        join(suite, &child);
        CANARY__SUITE_TRY(canary__suite_open(suite, 0, &handle));
        CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_READ));
        CANARY__SUITE_TRY(read_number(suite, handle, "kept", &kept));
        CANARY__SUITE_TRY(canary__suite_end(suite, handle, 0));
        CANARY__SUITE_REQUIRE(suite, kept == 1, "a change is there that was not committed");
        CANARY__SUITE_TRY(canary__suite_counts(suite, handle, suite->tables->numbers, 1,
                                               "after a process died before its commit"));
        CANARY__SUITE_TRY(canary__suite_counts(suite, handle, suite->tables->rows, 0,
                                               "after a process died before its commit"));
        /* Its lock died with it. */
        CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
        CANARY__SUITE_TRY(canary__suite_end(suite, handle, 0));
    }
    suite->detail[0] = '\0';
    return 1;
}

/* -- crash -- */

/* Commits as fast as it can, and says the number of each commit after it has returned. */
static int commit_and_tell(struct canary__suite *suite, int to) {
    struct canary__suite_handle *handle;
    int64_t number = 0;

    CANARY__SUITE_TRY(canary__suite_open(suite, 0, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_READ));
    CANARY__SUITE_TRY(read_number(suite, handle, "number", &number));
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 0));
    for (;;) {
        number++;
        CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
        CANARY__SUITE_TRY(
            canary__suite_put(suite, handle, canary__suite_row_number(suite, "number", number)));
        CANARY__SUITE_TRY(canary__suite_put(
            suite, handle, canary__suite_row_new(suite, suite->tables->rows, "", number, NULL, 0)));
        CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
        if (write(to, &number, sizeof number) != (ssize_t)sizeof number) {
            return 0;
        }
    }
}

/* Lets a child commit for a moment, kills it, and returns the last number it told. */
static int crash_once(struct canary__suite *suite, int64_t *told) {
    struct timespec pause = { 0, (long)canary__suite_below(suite, CRASH_WITHIN_US) * 1000 };
    struct child child;
    int64_t number;

    CANARY__SUITE_TRY(spawn(suite, commit_and_tell, &child));
    /* Not before it has committed once, however busy the machine is. */
    if (read(child.from, &number, sizeof number) == (ssize_t)sizeof number) {
        *told = number;
        nanosleep(&pause, NULL);
    }
    kill(child.pid, SIGKILL);
    while (read(child.from, &number, sizeof number) == (ssize_t)sizeof number) {
        *told = number;
    }
    close(child.from);
    while (waitpid(child.pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return 1;
}

static int64_t last_key(const canary_storage_row *row) {
    return row->values[canary_storage_table_get(row->table)->key_count - 1].integer;
}

int canary__suite_check_crash(struct canary__suite *suite) {
    struct canary__suite_handle *handle;
    struct canary__suite_list list = { 0 };
    int64_t told = 0;
    int64_t number = 0;
    int passed;

    CANARY__SUITE_TRY(canary__suite_open(suite, 1, &handle));
    CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_WRITE));
    CANARY__SUITE_TRY(
        canary__suite_put(suite, handle, canary__suite_row_number(suite, "number", 0)));
    CANARY__SUITE_TRY(canary__suite_end(suite, handle, 1));
    for (int i = 0; i < CRASHES; i++) {
        CANARY__SUITE_TRY(crash_once(suite, &told));
        CANARY__SUITE_TRY(canary__suite_open(suite, 0, &handle));
        CANARY__SUITE_TRY(canary__suite_begin(suite, handle, CANARY_STORAGE_READ));
        CANARY__SUITE_TRY(read_number(suite, handle, "number", &number));
        passed = canary__suite_read(suite, handle, suite->tables->rows, NULL, &list);
        if (passed && (number < told || number > told + 1)) {
            passed = canary__suite_fail(suite, "%lld commits were acknowledged, %lld are there",
                                        (long long)told, (long long)number);
        }
        if (passed && (list.count != (size_t)number ||
                       (number > 0 && last_key(list.rows[number - 1]) != number))) {
            passed = canary__suite_fail(suite,
                                        "%lld commits of two rows, but %zu rows of the second kind",
                                        (long long)number, list.count);
        }
        canary__suite_list_clear(&list);
        CANARY__SUITE_TRY(passed && canary__suite_end(suite, handle, 0));
        told = number;
    }
    canary__suite_fail(suite, "%lld commits, %d kills", (long long)number, CRASHES);
    return 1;
}
