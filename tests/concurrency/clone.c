/* SPDX-License-Identifier: MIT */
/* Children that no fork handler announces: raw clone(), vfork() and posix_spawn(). */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "control/store.h"

enum { CLONES = 30, SPAWNS = 150 };

static const char name[] = "main";
static const char *path;
static canary_ctx *ctx;
static canary_store *hasty; /* does not wait for a lock that is not going to go */
static char low[48];
extern char **environ;

/* -- raw clone -- */

/* A copy of the process without any handler having run: only what decisions use is promised to
 * work, and the bell. The child makes no use of stdio. It comes into being between two looks of the
 * watcher: a clone of a process that is inside SQLite is left without it, and no promise is made for
 * that one. */
static pid_t raw_clone(int (*body)(void)) {
    pid_t pid;

    canary__store_lock(canary_ctx_store(ctx));
    pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        alarm(WATCHDOG_S);
        _exit(body());
    }
    canary__store_unlock(canary_ctx_store(ctx));
    CHECK(pid >= 0, "clone: %s", strerror(errno));
    return pid;
}

static int expect_rollback(void) {
    canary_decision d = CANARY_DECISION_INIT;
    int64_t end;

    canary_explain(ctx, low, strlen(low), &d);
    if (d.reason != CANARY_REASON_SPLIT || d.cohort != CANARY_NEW) {
        return 2;
    }
    kill(getppid(), SIGUSR1);
    for (end = now_ns() + PATIENCE_S * INT64_C(1000000000); now_ns() < end; sleep_us(200)) {
        if (canary_should_use_new(ctx, low) == CANARY_OLD) {
            return 0;
        }
    }
    return 3;
}

/* The database stays locked all the while, so that the bell alone can have brought it. */
static void clones_hear_rollbacks(canary_store *operator_store) {
    sqlite3 *locker = NULL;
    sigset_t decided;
    sigset_t before;

    sigemptyset(&decided);
    sigaddset(&decided, SIGUSR1);
    sigprocmask(SIG_BLOCK, &decided, &before);
    CHECK(sqlite3_open(path, &locker) == SQLITE_OK, "sqlite3_open");
    for (int i = 0; i < CLONES; i++) {
        canary_error error = CANARY_ERROR_INIT;
        int signal_number;
        int64_t end = now_ns() + PATIENCE_S * INT64_C(1000000000);
        pid_t pid;

        MUST(canary_rollback(operator_store, name, 0, NULL, NULL, &error), error);
        MUST(canary_set_percentage(operator_store, name, 5000, NULL, NULL, NULL, &error), error);
        while (canary_should_use_new(ctx, low) != CANARY_NEW) {
            CHECK(now_ns() < end, "the parent does not follow");
            sleep_us(200);
        }
        pid = raw_clone(expect_rollback);
        CHECK(sigwait(&decided, &signal_number) == 0, "sigwait");
        while (sqlite3_exec(locker, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_BUSY) {
            sleep_us(200);
        }
        CHECK(canary_rollback(hasty, name, 0, NULL, NULL, &error) == CANARY_E_BUSY &&
                  error.in_effect == 1,
              "rollback of a locked store: %s", error.message);
        child_succeeded(pid, "child of a raw clone");
        CHECK(sqlite3_exec(locker, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "unlock");
    }
    sqlite3_close(locker);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* -- vfork and posix_spawn -- */

static char *const arguments[] = { (char *)(uintptr_t) "true", NULL };

static pid_t spawned(void) {
    pid_t pid = -1;

    CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) == 0, "posix_spawn");
    return pid;
}

/* Shares this process's memory until it executes: nothing here may be wiped. */
static pid_t vforked(void) {
    pid_t pid = vfork();

    if (pid == 0) {
        execv("/bin/true", arguments);
        _exit(126);
    }
    return pid;
}

static void spawn_others(canary_store *operator_store) {
    int descriptors = 0;

    for (int i = 0; i < SPAWNS; i++) {
        canary_error error = CANARY_ERROR_INIT;
        uint32_t to = i % 2 == 0 ? 7500 : 2500;
        int64_t end;
        pid_t pid;

        pid = i % 4 < 2 ? spawned() : vforked();
        CHECK(canary_should_use_new(ctx, low) == CANARY_NEW, "low user");
        MUST(canary_set_percentage(operator_store, name, to, NULL, NULL, NULL, &error), error);
        end = now_ns() + PATIENCE_S * INT64_C(1000000000);
        for (canary_decision d = CANARY_DECISION_INIT; d.percentage_bp != to; sleep_us(100)) {
            CHECK(now_ns() < end, "the parent does not follow");
            canary_explain(ctx, low, strlen(low), &d);
        }
        child_succeeded(pid, "/bin/true");
        if (i == 10) {
            descriptors = count_descriptors();
        }
    }
    CHECK(count_descriptors() <= descriptors, "%d descriptors, %d before", count_descriptors(),
          descriptors);
}

int main(void) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *operator_store;

    if (UNDER_TSAN) {
        skip("ThreadSanitizer allows no threads in children of threaded processes");
    }
    path = path_in("db");
    user_in("", 0, 500, 1, low, sizeof low);
    operator_store = make_store(path, name, 5000);
    canary_store_close(&operator_store);
    options.tick_ns = INT64_C(3600000000000); /* nor is it to look of itself when it is cloned */
    MUST(canary_open(path, name, &options, &ctx, &error), error);
    MUST(canary_store_open(path, &options, &operator_store, &error), error);
    options.busy_timeout_ns = 1000000;
    MUST(canary_store_open(path, &options, &hasty, &error), error);
    /* A handle that is only operated has no watcher; the followed one is another. */
    spawn_others(operator_store);
    clones_hear_rollbacks(operator_store);
    canary_store_close(&hasty);
    canary_store_close(&operator_store);
    canary_close(&ctx);
    return 0;
}
