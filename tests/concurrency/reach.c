/* SPDX-License-Identifier: MIT */
/* A change reaches other processes: commands, plain SQL, rollbacks beside a locked database, with
 * a watcher and without, for processes that may write the store and for those that may not. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "herd.h"

enum { TICK_MS = 250 };

static const char *path;
static canary_store *store;
static canary_store *hasty; /* does not wait for a lock that is not going to go */

static void advance(void) {
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_advance(store, "main", NULL, NULL, &error), error);
}

static void rollback(int stage) {
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_rollback(store, "main", stage, NULL, NULL, &error), error);
}

static void set(uint32_t bp) {
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_set_percentage(store, "main", bp, NULL, NULL, NULL, &error), error);
}

/* Everything that changes the share, followed by every process of the herd. */
static void follows_everything(struct herd *herd) {
    double took;

    rollback(0);
    herd_await(herd, 0);
    advance();
    took = herd_await(herd, 500);
    printf("%s: a command after %.1f ms\n", herd->what, took);
    advance();
    herd_await(herd, 2500);
    set(8000);
    herd_await(herd, 8000);
    rollback(1);
    took = herd_await(herd, 500);
    printf("%s: a rollback after %.1f ms\n", herd->what, took);
    set(5000);
    herd_await(herd, 5000);
    /* The emergency of an operator who has a SQL shell and nothing else. */
    plain_sql(path, "UPDATE feature_flags SET enabled = 0 WHERE name = 'main'");
    took = herd_await(herd, 0);
    printf("%s: plain SQL after %.1f ms\n", herd->what, took);
    plain_sql(path, "UPDATE feature_flags SET enabled = 1 WHERE name = 'main'");
    herd_await(herd, 5000);
    plain_sql(path, "UPDATE rollouts SET percentage_bp = 100 WHERE name = 'main'");
    herd_await(herd, 100);
    /* Upwards nobody believes it. */
    plain_sql(path, "UPDATE rollouts SET percentage_bp = 9000 WHERE name = 'main'");
    herd_await(herd, 5000);
    herd_stays_below(herd, 5000, 2 * TICK_MS);
    plain_sql(path, "UPDATE rollouts SET percentage_bp = 5000 WHERE name = 'main'");
    set(6000);
    herd_await(herd, 6000);
}

static void commands_and_sql(int count, const char *what, int flags) {
    struct herd herd;

    herd_start(&herd, what, count, path, flags);
    follows_everything(&herd);
    herd_stop(&herd);
}

/* Changes that must not lift the cap: none of them is a recorded rollback. */
static void other_changes(void) {
    canary_error error = CANARY_ERROR_INIT;

    MUST(canary_flag_set(store, "main", 0, NULL, NULL, &error), error);
    MUST(canary_flag_set(store, "main", 1, NULL, NULL, &error), error);
    MUST(canary_override_set(store, "main", "somebody", 8, CANARY_OLD, NULL, NULL, &error), error);
    CHECK(canary_override_remove(store, "main", "somebody", 8, NULL, NULL, &error) ==
              CANARY_E_REFUSED,
          "a pin to `old` was removed");
    set(4000); /* downwards from 5000 */
}

static void rollback_of_locked(void) {
    canary_error error = CANARY_ERROR_INIT;
    canary_change_options seen = CANARY_CHANGE_OPTIONS_INIT;
    struct herd herd;
    pid_t locker;
    int code;

    set(5000);
    herd_start(&herd, "rollback of a locked store", 4, path, 0);
    herd_await(&herd, 5000);
    locker = lock_exclusively(path);
    code = canary_rollback(hasty, "main", 0, NULL, NULL, &error);
    CHECK(code == CANARY_E_BUSY && error.code == CANARY_E_BUSY, "rollback: %s, %s",
          canary_error_name(code), error.message);
    CHECK(error.in_effect == 1, "in_effect is %u: %s", error.in_effect, error.message);
    herd_await(&herd, 0); /* the store is still locked */
    herd_stays_below(&herd, 0, 2 * TICK_MS);
    stop_role(locker);
    herd_stays_below(&herd, 0, 2 * TICK_MS);
    other_changes();
    herd_stays_below(&herd, 0, 2 * TICK_MS);
    code = canary_advance(store, "main", NULL, NULL, &error);
    CHECK(code == CANARY_E_REFUSED, "advance: %s", canary_error_name(code));
    code = canary_set_percentage(store, "main", 6000, NULL, NULL, NULL, &error);
    CHECK(code == CANARY_E_REFUSED, "set: %s", canary_error_name(code));
    seen.flags = CANARY_CHANGE_EMERGENCY;
    code = canary_set_percentage(store, "main", 6000, NULL, &seen, NULL, &error);
    CHECK(code == CANARY_E_REFUSED, "emergency set: %s", canary_error_name(code));
    herd_stays_below(&herd, 0, TICK_MS);
    /* The rollback again, to the stage that is meant, this time recorded: the cap is lifted to it.
     */
    rollback(1);
    herd_await(&herd, 500);
    advance();
    herd_await(&herd, 2500);
    MUST(canary_override_remove(store, "main", "somebody", 8, NULL, NULL, &error), error);
    herd_stop(&herd);
}

/* A lock that comes and goes delays a rollback's recording, never its effect. */
static void rollback_beside_short_lock(void) {
    struct herd herd;
    pid_t locker;
    pid_t operator_pid;

    set(5000);
    herd_start(&herd, "rollback beside a short lock", 4, path, 0);
    herd_await(&herd, 5000);
    locker = lock_exclusively(path);
    operator_pid = run_role("rollback", path, NULL, NULL);
    printf("rollback by a process that opens a locked store: in effect after %.1f ms\n",
           herd_await(&herd, 0));
    stop_role(locker);
    child_succeeded(operator_pid, "operator");
    advance();
    herd_await(&herd, 500);
    herd_stop(&herd);
}

static void await_reason(struct herd *herd, int reason) {
    int64_t end = now_ns() + PATIENCE_MS * INT64_C(1000000);

    for (int i = 0; i < herd->count; i++) {
        while (atomic_load(&herd->slots[i].reason) != reason) {
            CHECK(now_ns() < end, "%s: process %d does not notice: reason %s", herd->what, i,
                  canary_reason_name(atomic_load(&herd->slots[i].reason)));
            sleep_us(1000);
        }
    }
}

/* What only the tick's look finds is found although the bell leaves no pause for it. */
static void rings_without_pause(void) {
    char user[48];
    char sql[200];
    struct herd herd;
    pid_t ringer;

    set(5000);
    herd_start(&herd, "rings without pause", 3, path, 0);
    herd_await(&herd, 5000);
    await_reason(&herd, CANARY_REASON_SPLIT);
    ringer = run_role("ring", path, NULL, NULL);
    sleep_us(2 * TICK_MS * 1000);
    user_in("", 0, 1, 0, user, sizeof user);
    snprintf(sql, sizeof sql, "INSERT INTO overrides VALUES ('main', CAST('%s' AS BLOB), 0)", user);
    plain_sql(path, sql);
    await_reason(&herd, CANARY_REASON_OVERRIDE);
    plain_sql(path, "DELETE FROM overrides");
    await_reason(&herd, CANARY_REASON_SPLIT);
    for (uint32_t bp = 5000; bp < 5200; bp += 10) {
        set(bp);
    }
    herd_await(&herd, 5190);
    stop_role(ringer);
    herd_stop(&herd);
}

static int ring_for_ever(const char *db) {
    canary_error error = CANARY_ERROR_INIT;
    canary_store *own = NULL;

    MUST(canary_store_open(db, NULL, &own, &error), error);
    for (;;) {
        canary_bell_info info = { .size = (uint32_t)sizeof info };

        MUST(canary_bell_check(own, &info, &error), error);
        sleep_us(1000);
    }
}

static int roll_back_patiently(const char *db) {
    canary_error error = CANARY_ERROR_INIT;
    canary_store *own = NULL;
    canary_options options = patient();

    options.flags = CANARY_OPEN_DEFER;
    MUST(canary_store_open(db, &options, &own, &error), error);
    MUST(canary_rollback(own, "main", 0, NULL, NULL, &error), error);
    canary_store_close(&own);
    return 0;
}

int main(int argc, char **argv) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;

    herd_role(argc, argv);
    if (argc > 2 && strcmp(argv[1], "rollback") == 0) {
        return roll_back_patiently(argv[2]);
    }
    if (argc > 2 && strcmp(argv[1], "ring") == 0) {
        return ring_for_ever(argv[2]);
    }
    path = path_in("db");
    store = make_store(path, "main", 500);
    canary_store_close(&store);
    MUST(canary_store_open(path, &options, &store, &error), error);
    options.busy_timeout_ns = 300000000;
    MUST(canary_store_open(path, &options, &hasty, &error), error);
    commands_and_sql(16, "16 processes", 0);
    commands_and_sql(2, "without a watcher", HERD_NO_WATCHER);
    if (geteuid() == 0) {
        CHECK(chmod(path, 0644) == 0, "chmod");
        commands_and_sql(3, "may only read", HERD_NOBODY);
    } else {
        printf("not root: nobody to read only\n");
    }
    rollback_of_locked();
    rollback_beside_short_lock();
    rings_without_pause();
    canary_store_close(&hasty);
    canary_store_close(&store);
    return 0;
}
