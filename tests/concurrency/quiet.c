/* SPDX-License-Identifier: MIT */
/* Deciding and recording make no system call, and so allocate nothing, lock nothing and wait for nothing:
 * done in a process that the kernel kills for any call but read, write and exit. */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

enum { ROUNDS = 20000 };

static canary_store *store;
static canary_ctx *ctx;
static int32_t cost;
static int32_t hit;
static int32_t f1;

/* The system's clock is a call on some machines, and where it is none it reads a counter that confined
 * processes may not read. */
static int64_t standing_clock(void *user_data, int clock) {
    (void)user_data;
    (void)clock;
    return INT64_C(1790000000000000000);
}

static void open_all(void) {
    canary_error error = CANARY_ERROR_INIT;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_metric metric = CANARY_METRIC_INIT;

    store = make_store(path_in("quiet.db"), "r", 2500);
    canary_store_close(&store);
    options.clock = standing_clock;
    options.flags = CANARY_OPEN_NO_WATCHER; /* the kernel ends threads, not processes */
    MUST(canary_store_open(path_in("quiet.db"), &options, &store, &error), error);
    MUST(canary_open_in(store, "r", NULL, &ctx, &error), error);
    metric.kind = CANARY_METRIC_VALUE;
    metric.name = "cost";
    MUST(canary_metric_declare(ctx, &metric, &cost, &error), error);
    metric.kind = CANARY_METRIC_PROPORTION;
    metric.name = "hit";
    MUST(canary_metric_declare(ctx, &metric, &hit, &error), error);
    metric.kind = CANARY_METRIC_CLASSIFICATION;
    metric.name = "f1";
    MUST(canary_metric_declare(ctx, &metric, &f1, &error), error);
}

/* Each call that a request makes. What is refused is counted without a call as well. */
static int work(unsigned number) {
    canary_measurement measurements[3] = { { .metric = cost, .value = number % 100 },
                                           { .metric = hit, .value = number % 2 },
                                           { .metric = f1, .tp = number % 3, .fn = 1 } };
    canary_decision decision = CANARY_DECISION_INIT;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    char user[16] = "user-";
    int failed = 0;

    for (int i = 0; i < 8; i++) {
        user[5 + i] = (char)('a' + (number >> 2 * i & 15));
    }
    outcome.duration_ns = (int64_t)number * 1013;
    outcome.status = (int32_t)(number % 3);
    outcome.measurements = measurements;
    outcome.measurement_count = 3;
    canary_explain(ctx, user, strlen(user), &decision);
    failed |= canary_record(ctx, &decision, &outcome);
    failed |=
        canary_record_user(ctx, user, strlen(user), canary_should_use_new(ctx, user), &outcome);
    failed |= canary_record_cohort(ctx, CANARY_NEW, &outcome);
    failed |= canary_expose(ctx, &decision);
    outcome.status = 99;
    failed |= canary_record_cohort(ctx, CANARY_NEW, &outcome) == CANARY_OK;
    return failed;
}

/* Leaves without the C library's ways out, which are calls that are not allowed. */
static void leave(int answer) {
    syscall(SYS_exit, answer);
}

static pid_t confined(int flush_too) {
    pid_t pid = fork();

    CHECK(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        int failed = work(0); /* maps the memory */

        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) {
            leave(77);
        }
        for (unsigned i = 0; i < ROUNDS; i++) {
            failed |= work(i);
        }
        if (flush_too) {
            canary_flush(store, NULL);
        }
        leave(failed != 0);
    }
    return pid;
}

int main(void) {
    int status = 0;

    if (UNDER_TSAN || UNDER_ASAN) {
        skip("the sanitizer makes calls of its own");
    }
    open_all();
    CHECK(work(1) == 0, "work");
    CHECK(waitpid(confined(0), &status, 0) > 0, "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip("this kernel has no seccomp");
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "deciding and recording %s (status %x)",
          WIFSIGNALED(status) ? "made a system call" : "failed", (unsigned)status);
    /* And the kernel does notice. */
    CHECK(waitpid(confined(1), &status, 0) > 0, "waitpid");
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a flush made no system call");
    canary_close(&ctx);
    canary_store_close(&store);
    puts("no system call");
    return 0;
}
