/* SPDX-License-Identifier: MIT */
/* A kernel without MADV_WIPEONFORK: the fork handlers do what it does not. A child counts from zero, its
 * parent keeps what it had, and both come into the store once. */
#include "fault.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../settle.h"
#include "../unit/stored.h"

/* In the place of libc's, for the library as well. */
int madvise(void *at, size_t size, int advice);
int madvise(void *at, size_t size, int advice) {
    (void)at, (void)size, (void)advice;
    errno = EINVAL;
    return -1;
}

static char place[FAULT_PATH];

static int record(canary_ctx *ctx, int count) {
    for (int i = 0; i < count; i++) {
        canary_outcome outcome = CANARY_OUTCOME_INIT;

        outcome.duration_ns = 1000;
        if (canary_record_cohort(ctx, i % 2, &outcome) != CANARY_OK) {
            return 1;
        }
    }
    return 0;
}

/* Cannot use the framework's assertions. */
static int child(canary_ctx *ctx, int depth) {
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;
    int status = 0;

    if (canary_recording(ctx, &info) != CANARY_OK) {
        return 2;
    }
    if (info.outcomes != 0 || info.merged != 0 || info.waiting != 0 || info.flushes != 0 ||
        info.recording != 0) {
        return 3;
    }
    if (record(ctx, 10) != 0) {
        return 4;
    }
    if (depth > 0) {
        pid_t pid;

        settle(5000);
        pid = fork();
        if (pid == 0) {
            _exit(child(ctx, depth - 1));
        }
        if (waitpid(pid, &status, 0) != pid || status != 0) {
            return 5;
        }
    }
    if (canary_recording(ctx, &info) != CANARY_OK || info.outcomes != 10) {
        return 6;
    }
    if (canary_flush(canary_ctx_store(ctx), NULL) != CANARY_OK) {
        return 7;
    }
    canary_close(&ctx);
    return 0;
}

static void test_children(void **unused) {
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;
    int status;

    (void)unused;
    assert_int_equal(canary_open(place, FAULT_ROLLOUT, NULL, &ctx, &error), CANARY_OK);
    assert_int_equal(record(ctx, 100), 0);
    assert_int_equal(canary_flush(canary_ctx_store(ctx), &error), CANARY_OK);
    for (int i = 0; i < 20; i++) {
        pid_t pid;

        assert_int_equal(record(ctx, 5), 0);
        settle(5000);
        alarm(60);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            alarm(60);
            _exit(child(ctx, i % 3));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0) {
            fail_msg("child %d ended with %#x", i, (unsigned)status);
        }
    }
    assert_int_equal(canary_flush(canary_ctx_store(ctx), &error), CANARY_OK);
    /* 20 children, of which 7 had one of their own and 6 two. */
    assert_int_equal(stored_outcomes(canary_ctx_store(ctx), FAULT_ROLLOUT),
                     100 + 20 * 5 + (20 + 7 + 2 * 6) * 10);
    canary_close(&ctx);
}

static int setup(void **unused) {
    (void)unused;
    fault_path(place, "no-wipe.db");
    fault_make(place, 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children),
    };

    return cmocka_run_group_tests(tests, setup, fault_teardown);
}
