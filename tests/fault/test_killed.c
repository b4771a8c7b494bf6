/* SPDX-License-Identifier: MIT */
/* kill -9 on a writer, again and again: what was acknowledged is there, what was not is done or not
 * done, and the next process opens at once. */
#include "fault.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* As many kills as a slow disk lets come in so long, but no fewer than the least. */
enum {
    KILLS = 200,
    KILLS_LEAST = 40,
    KILLS_S = 60,
    LATEST_US = 6000,
    LONGEST_US = 2000000,
    PATIENCE_S = 60
};

static char place[FAULT_PATH];

/* What the writer says through the pipe: what it is about to do, and what was done. */
struct word {
    int done;
    uint32_t percentage_bp;
    uint64_t id;
    char hash[72];
};

/* What is known of the store for sure. */
static struct {
    uint64_t id;
    char hash[72];
    uint32_t percentage_bp;
    uint64_t acknowledged;
} known;

static void say(int fd, const struct word *word) {
    if (write(fd, word, sizeof *word) != (ssize_t)sizeof *word) {
        _exit(3);
    }
}

static int change(canary_store *store, uint32_t percentage_bp, canary_change *made) {
    static const uint32_t rungs[] = { 0, 500, 2500, 5000, 10000 };
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    size_t rung = 0;

    while (rung < 5 && rungs[rung] != percentage_bp) {
        rung++;
    }
    options.by = "writer";
    if (rung == 0) {
        return canary_rollback(store, FAULT_ROLLOUT, 0, &options, made, &error);
    }
    if (rung < 5 && percentage_bp % 3 != 0) {
        return canary_set_stage(store, FAULT_ROLLOUT, (int)rung, &options, made, &error);
    }
    return canary_set_percentage(store, FAULT_ROLLOUT, percentage_bp, NULL, &options, made, &error);
}

static void write_on(int fd) {
    static const uint32_t choices[] = { 0, 500, 700, 2500, 3300, 5000, 10000 };
    canary_options options = fault_options();
    canary_store *store = NULL;

    if (canary_store_open(place, &options, &store, NULL) != CANARY_OK) {
        _exit(2);
    }
    for (;;) {
        canary_change made = { .size = (uint32_t)sizeof made };
        struct word word = { .percentage_bp = choices[fault_below(7)] };
        int code;

        say(fd, &word);
        code = change(store, word.percentage_bp, &made);
        if (code == CANARY_E_REFUSED) {
            /* The writer before died in a rollback: that comes first. */
            word.percentage_bp = 0;
            say(fd, &word);
            code = change(store, 0, &made);
        }
        if (code != CANARY_OK) {
            _exit(4);
        }
        word.done = 1;
        word.id = made.id;
        memcpy(word.hash, made.hash, sizeof word.hash);
        say(fd, &word);
    }
}

static int take_change(void *user_data, const canary_change *entry) {
    if (entry->id == known.id) {
        *(int *)user_data = strcmp(entry->hash, known.hash) == 0;
        return 1;
    }
    return 0;
}

static int take_check(void *user_data, int columns, char **values, char **names) {
    (void)columns, (void)names;
    *(int *)user_data = strcmp(values[0], "ok") == 0;
    return 0;
}

static int integrity(void) {
    sqlite3 *db = NULL;
    int ok = 0;

    assert_int_equal(sqlite3_open_v2(place, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA integrity_check", take_check, &ok, NULL), SQLITE_OK);
    sqlite3_close(db);
    return ok;
}

static int64_t milliseconds(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void look(const struct word *attempt) {
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;
    canary_rollout rollout = { .size = (uint32_t)sizeof rollout };
    canary_ctx *ctx = NULL;
    canary_store *store;
    int64_t begun = milliseconds();
    int found = 0;
    uint32_t most = attempt != NULL && attempt->percentage_bp > known.percentage_bp
                        ? attempt->percentage_bp
                        : known.percentage_bp;

    /* Who waited for a lock of the dead would wait for all of this. */
    options.busy_timeout_ns = PATIENCE_S * INT64_C(1000000000);
    if (canary_open(place, FAULT_ROLLOUT, &options, &ctx, &error) != CANARY_OK) {
        fail_msg("open: %s", error.message);
    }
    assert_true(milliseconds() - begun < PATIENCE_S * 500);
    store = canary_ctx_store(ctx);
    assert_int_equal(canary_rollout_read(store, FAULT_ROLLOUT, &rollout, &error), CANARY_OK);
    if (rollout.percentage_bp != known.percentage_bp &&
        (attempt == NULL || rollout.percentage_bp != attempt->percentage_bp)) {
        fail_msg("it stands at %u, acknowledged was %u, attempted %u", rollout.percentage_bp,
                 known.percentage_bp, attempt == NULL ? 0 : attempt->percentage_bp);
    }
    assert_true(rollout.effective_bp <= most);
    if (known.id != 0) {
        canary_history(store, FAULT_ROLLOUT, 0, 0, take_change, &found, &error);
        assert_true(found);
    }
    /* A rollback that was rung and not recorded is no harm. */
    assert_int_equal(fault_findings(store) & ~(1u << CANARY_FINDING_BELL), 0);
    known.percentage_bp = rollout.percentage_bp;
    canary_close(&ctx);
    assert_true(integrity());
}

static void test_killed_writer(void **unused) {
    uint64_t latest_us = LATEST_US;
    int64_t begun = milliseconds();
    int kills = 0;

    (void)unused;
    for (; kills < KILLS && (kills < KILLS_LEAST || milliseconds() - begun < KILLS_S * 1000);
         kills++) {
        struct word word;
        struct word attempt = { 0 };
        int attempted = 0;
        int ends[2];
        int status;
        pid_t child;
        uint64_t after_us = fault_below(latest_us);
        struct timespec pause = { (time_t)(after_us / 1000000), (long)(after_us % 1000000) * 1000 };

        assert_int_equal(pipe(ends), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(ends[0]);
            write_on(ends[1]);
        }
        close(ends[1]);
        (void)fault_random(); /* the child went on with the same numbers */
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status)) {
            fail_msg("the writer ended by itself, with %d", WEXITSTATUS(status));
        }
        while (read(ends[0], &word, sizeof word) == (ssize_t)sizeof word) {
            attempted = !word.done;
            attempt = word;
            if (word.done) {
                known.id = word.id;
                known.percentage_bp = word.percentage_bp;
                memcpy(known.hash, word.hash, sizeof known.hash);
                known.acknowledged++;
            }
        }
        close(ends[0]);
        look(attempted ? &attempt : NULL);
        /* A slow machine or disk needs longer for a change. */
        if (known.acknowledged < (uint64_t)kills / 2 && latest_us < LONGEST_US) {
            latest_us *= 2;
        }
    }
    print_message("%llu changes acknowledged, %d writers killed\n",
                  (unsigned long long)known.acknowledged, kills);
    assert_true(known.acknowledged > (uint64_t)kills / 4);
}

static int setup(void **unused) {
    (void)unused;
    fault_seed();
    fault_path(place, "killed.db");
    fault_make(place, 0);
    known.percentage_bp = 2500;
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_writer),
    };

    return cmocka_run_group_tests(tests, setup, fault_teardown);
}
