/* SPDX-License-Identifier: MIT */
/* An operator's process that dies in the middle of a rollback: before its commit, with the bell's
 * entry saying "recorded" already, and after it, before it could ring. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <canary/storage.h>

#include "base/hooks.h"
#include "common.h"
#include "herd.h"
#include "storage/stores.h"

enum { TICK_MS = 250 };

static const char *path;
static canary_store *store;

/* -- the process that dies: a SQLite store with an end of its own -- */

static canary_storage_methods sqlite;
static void *write_transaction;
static int after_commit;

static int begin(void *pointer, int mode, void **transaction, canary_error *error) {
    int code = sqlite.begin(pointer, mode, transaction, error);

    if (code == CANARY_OK && mode == CANARY_STORAGE_WRITE) {
        write_transaction = *transaction;
    }
    return code;
}

static int end(void *transaction, int commit, canary_error *error) {
    if (transaction == write_transaction && commit) {
        if (after_commit) {
            sqlite.end(transaction, commit, error);
        }
        kill(getpid(), SIGKILL);
    }
    return sqlite.end(transaction, commit, error);
}

static int die_in_rollback(const char *db, const char *when) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    struct canary__hooks hooks;
    canary_storage_methods methods;
    canary_store *own = NULL;
    void *implementation = NULL;

    after_commit = strcmp(when, "after") == 0;
    canary__hooks_init(&hooks, &options);
    MUST(canary__sqlite_open(db, 0, &hooks, &sqlite, &implementation, &error), error);
    methods = sqlite;
    methods.begin = begin;
    methods.end = end;
    MUST(canary_store_open_custom(&methods, implementation, &options, &own, &error), error);
    canary_rollback(own, "main", 0, NULL, NULL, &error);
    return 0; /* it did not die: the caller sees that */
}

static void let_die(const char *when) {
    pid_t pid = run_role("die", path, when, NULL);
    int status = 0;

    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
          "the operator did not die: status 0x%x", status);
}

/* -- the tests -- */

static void set(uint32_t bp) {
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_set_percentage(store, "main", bp, NULL, NULL, NULL, &error), error);
}

static uint32_t recorded_bp(void) {
    canary_rollout now = { .size = (uint32_t)sizeof now };
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_rollout_read(store, "main", &now, &error), error);
    return now.percentage_bp;
}

static int pin(void) {
    canary_error error = CANARY_ERROR_INIT;

    return canary_override_set(store, "main", "somebody", 8, CANARY_OLD, NULL, NULL, &error);
}

static int flag(void) {
    canary_error error = CANARY_ERROR_INIT;

    return canary_flag_set(store, "main", 1, NULL, NULL, &error);
}

static int lower(void) {
    canary_error error = CANARY_ERROR_INIT;

    return canary_set_percentage(store, "main", 4000, NULL, NULL, NULL, &error);
}

/* The entry says "recorded" for a revision that was never committed. Whatever change takes that
 * revision is not the rollback, and must not lift it. */
static void died_before_commit(struct herd *herd, int (*other_change)(void), const char *what) {
    canary_error error = CANARY_ERROR_INIT;
    int code;

    herd->what = what;
    MUST(canary_rollback(store, "main", 0, NULL, NULL, &error), error);
    set(5000);
    herd_await(herd, 5000);
    let_die("before");
    CHECK(recorded_bp() == 5000, "the rollback was recorded");
    herd_await(herd, 0);
    herd_stays_below(herd, 0, 2 * TICK_MS);
    code = canary_advance(store, "main", NULL, NULL, &error);
    CHECK(code == CANARY_E_REFUSED, "%s: advance at once: %s", what, canary_error_name(code));
    if (other_change != NULL) {
        code = other_change();
        CHECK(code == CANARY_OK, "%s: %s", what, canary_error_name(code));
        herd_stays_below(herd, 0, 2 * TICK_MS);
        code = canary_advance(store, "main", NULL, NULL, &error);
        CHECK(code == CANARY_E_REFUSED, "%s: advance after it: %s", what, canary_error_name(code));
    }
    MUST(canary_rollback(store, "main", 1, NULL, NULL, &error), error);
    herd_await(herd, 500);
    MUST(canary_advance(store, "main", NULL, NULL, &error), error);
    herd_await(herd, 2500);
}

static void died_after_commit(struct herd *herd) {
    canary_error error = CANARY_ERROR_INIT;

    herd->what = "died after the commit";
    set(5000);
    herd_await(herd, 5000);
    let_die("after");
    CHECK(recorded_bp() == 0, "an acknowledged commit is gone");
    herd_await(herd, 0);
    MUST(canary_advance(store, "main", NULL, NULL, &error), error);
    herd_await(herd, 500);
}

static void trail_is_whole(void) {
    canary_verify_report report = { .size = (uint32_t)sizeof report };
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_verify(store, NULL, NULL, &report, &error), error);
}

int main(int argc, char **argv) {
    struct herd herd;

    herd_role(argc, argv);
    if (argc > 3 && strcmp(argv[1], "die") == 0) {
        return die_in_rollback(argv[2], argv[3]);
    }
    path = path_in("db");
    store = make_store(path, "main", 500);
    herd_start(&herd, "died", 3, path, 0);
    died_before_commit(&herd, NULL, "died before the commit, then nothing");
    died_before_commit(&herd, pin, "died before the commit, then a pin");
    died_before_commit(&herd, flag, "died before the commit, then a flag");
    died_before_commit(&herd, lower, "died before the commit, then a lower share");
    died_after_commit(&herd);
    trail_is_whole();
    herd_stop(&herd);
    canary_store_close(&store);
    return 0;
}
