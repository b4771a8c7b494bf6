/* SPDX-License-Identifier: MIT */
/* kill -9 on a process that records and flushes, again and again: what a flush acknowledged is in the
 * store, and of what it did not acknowledge all or nothing. */
#include "fault.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../unit/stored.h"

enum { KILLS = 100, LATEST_US = 30000, LONGEST_US = 2000000, MOST = 400 };

static char place[FAULT_PATH];

/* In memory that both share. */
static struct {
    volatile uint64_t recorded; /* before the flush that is under way */
    volatile uint64_t merged;   /* when the last one returned */
} * told;

static void record_on(void) {
    canary_options options = fault_options();
    canary_ctx *ctx = NULL;

    options.busy_timeout_ns = INT64_C(10000000000);
    if (canary_open(place, FAULT_ROLLOUT, &options, &ctx, NULL) != CANARY_OK) {
        _exit(2);
    }
    for (;;) {
        uint64_t count = 1 + fault_below(MOST);

        for (uint64_t i = 0; i < count; i++) {
            canary_outcome outcome = CANARY_OUTCOME_INIT;

            outcome.duration_ns = (int64_t)i * 1000;
            if (canary_record_cohort(ctx, (int)(i % 2), &outcome) != CANARY_OK) {
                _exit(3);
            }
        }
        told->recorded += count;
        if (canary_flush(canary_ctx_store(ctx), NULL) != CANARY_OK) {
            _exit(4);
        }
        told->merged = told->recorded;
    }
}

static uint64_t look(void) {
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;
    struct stored stored;
    uint64_t outcomes;

    assert_int_equal(canary_store_open(place, &options, &store, &error), CANARY_OK);
    if (stored_read(store, FAULT_ROLLOUT, &stored, &error) != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(stored.damaged, 0);
    outcomes = stored_events(&stored, 0, -1, CANARY__SHEET_STATUS);
    assert_int_equal(stored_events(&stored, 0, -1, CANARY__SHEET_DURATION), outcomes);
    stored_free(store, &stored);
    canary_store_close(&store);
    return outcomes;
}

static void test_killed(void **unused) {
    uint64_t known = 0;
    uint64_t acknowledged = 0;
    uint64_t latest_us = LATEST_US;

    (void)unused;
    for (int i = 0; i < KILLS; i++) {
        uint64_t after_us = 1 + fault_below(latest_us);
        struct timespec pause = { (time_t)(after_us / 1000000), (long)(after_us % 1000000) * 1000 };
        uint64_t found;
        pid_t child;
        int status;

        told->recorded = 0;
        told->merged = 0;
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            record_on();
        }
        (void)fault_random();
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status)) {
            fail_msg("the recorder ended by itself, with %d", WEXITSTATUS(status));
        }
        found = look();
        if (found != known + told->merged && found != known + told->recorded) {
            fail_msg("%llu outcomes are stored; there were %llu, %llu were acknowledged since and "
                     "%llu recorded",
                     (unsigned long long)found, (unsigned long long)known,
                     (unsigned long long)told->merged, (unsigned long long)told->recorded);
        }
        acknowledged += told->merged;
        known = found;
        /* A slow machine or disk needs longer for a flush. */
        if (acknowledged < (uint64_t)i * 2 && latest_us < LONGEST_US) {
            latest_us *= 2;
        }
    }
    print_message("%llu outcomes acknowledged, %d recorders killed\n",
                  (unsigned long long)acknowledged, KILLS);
    assert_true(acknowledged > KILLS);
}

static int setup(void **unused) {
    (void)unused;
    fault_seed();
    fault_path(place, "metrics.db");
    fault_make(place, 0);
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return told == MAP_FAILED;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
    };

    return cmocka_run_group_tests(tests, setup, fault_teardown);
}
