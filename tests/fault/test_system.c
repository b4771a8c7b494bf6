/* SPDX-License-Identifier: MIT */
/* System calls that fail: linked with --wrap, so that the library's own calls come here. */
#include "fault.h"

#include "control/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../settle.h"

enum { OPEN, PWRITE, LINK, FLOCK, MMAP, MADVISE, THREAD, FUTEX, WAITV, CALLS };

static struct {
    int error; /* errno; 0: passes */
    int after; /* so many pass first */
    unsigned failed;
} trouble[CALLS];

static char template_db[FAULT_PATH];
static char place[FAULT_PATH];
static char bell[FAULT_PATH + 16];

static int fails(int call) {
    if (trouble[call].error == 0 || trouble[call].after-- > 0) {
        return 0;
    }
    __atomic_fetch_add(&trouble[call].failed, 1, __ATOMIC_RELAXED);
    errno = trouble[call].error;
    return 1;
}

static void calm(void) {
    memset(trouble, 0, sizeof trouble);
}

/* -- in the place of the real ones -- */

#define REAL(name) __real_##name
#define WRAP(name) __wrap_##name

int REAL(open)(const char *path, int flags, ...);
int WRAP(open)(const char *path, int flags, mode_t mode);
int WRAP(open)(const char *path, int flags, mode_t mode) {
    return strstr(path, "-doorbell") != NULL && fails(OPEN) ? -1 : REAL(open)(path, flags, mode);
}

ssize_t REAL(pwrite)(int fd, const void *bytes, size_t size, off_t at);
ssize_t WRAP(pwrite)(int fd, const void *bytes, size_t size, off_t at);
ssize_t WRAP(pwrite)(int fd, const void *bytes, size_t size, off_t at) {
    return fails(PWRITE) ? -1 : REAL(pwrite)(fd, bytes, size, at);
}

int REAL(link)(const char *from, const char *to);
int WRAP(link)(const char *from, const char *to);
int WRAP(link)(const char *from, const char *to) {
    return fails(LINK) ? -1 : REAL(link)(from, to);
}

int REAL(flock)(int fd, int operation);
int WRAP(flock)(int fd, int operation);
int WRAP(flock)(int fd, int operation) {
    return fails(FLOCK) ? -1 : REAL(flock)(fd, operation);
}

void *REAL(mmap)(void *at, size_t size, int access, int flags, int fd, off_t offset);
void *WRAP(mmap)(void *at, size_t size, int access, int flags, int fd, off_t offset);
void *WRAP(mmap)(void *at, size_t size, int access, int flags, int fd, off_t offset) {
    return fails(MMAP) ? MAP_FAILED : REAL(mmap)(at, size, access, flags, fd, offset);
}

/* The names that the same calls have where files may be large. */
int WRAP(open64)(const char *path, int flags, mode_t mode);
int WRAP(open64)(const char *path, int flags, mode_t mode) {
    return WRAP(open)(path, flags, mode);
}

ssize_t WRAP(pwrite64)(int fd, const void *bytes, size_t size, off_t at);
ssize_t WRAP(pwrite64)(int fd, const void *bytes, size_t size, off_t at) {
    return WRAP(pwrite)(fd, bytes, size, at);
}

void *WRAP(mmap64)(void *at, size_t size, int access, int flags, int fd, off_t offset);
void *WRAP(mmap64)(void *at, size_t size, int access, int flags, int fd, off_t offset) {
    return WRAP(mmap)(at, size, access, flags, fd, offset);
}

int REAL(madvise)(void *at, size_t size, int advice);
int WRAP(madvise)(void *at, size_t size, int advice);
int WRAP(madvise)(void *at, size_t size, int advice) {
    return fails(MADVISE) ? -1 : REAL(madvise)(at, size, advice);
}

int REAL(pthread_create)(pthread_t *thread, const pthread_attr_t *attributes,
                         void *(*start)(void *), void *argument);
int WRAP(pthread_create)(pthread_t *thread, const pthread_attr_t *attributes,
                         void *(*start)(void *), void *argument);
int WRAP(pthread_create)(pthread_t *thread, const pthread_attr_t *attributes,
                         void *(*start)(void *), void *argument) {
    return fails(THREAD) ? errno : REAL(pthread_create)(thread, attributes, start, argument);
}

long REAL(syscall)(long number, ...);
long WRAP(syscall)(long number, long a, long b, long c, long d, long e, long f);
long WRAP(syscall)(long number, long a, long b, long c, long d, long e, long f) {
    if ((number == SYS_futex && fails(FUTEX)) || (number != SYS_futex && fails(WAITV))) {
        return -1;
    }
    return REAL(syscall)(number, a, b, c, d, e, f);
}

/* -- helpers -- */

static canary_ctx *open_ctx(uint32_t flags) {
    canary_options options = fault_options();
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;

    options.flags = flags;
    options.tick_ns = 20 * 1000 * 1000;
    if (canary_open(place, FAULT_ROLLOUT, &options, &ctx, &error) != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    return ctx;
}

static uint32_t count_of(canary_ctx *ctx) {
    uint8_t cohorts[FAULT_USERS];

    fault_decide(ctx, cohorts);
    return fault_count(cohorts);
}

/* Waits for the watcher to bring the exposure to 0 % (pinned users stay), at most a minute and more. */
static int follows(canary_ctx *ctx) {
    for (int i = 0; i < 30000; i++) {
        const struct timespec step = { 0, 2000000 };

        if (count_of(ctx) == 4) {
            return 1;
        }
        nanosleep(&step, NULL);
    }
    return 0;
}

static void roll_back(canary_ctx *ctx) {
    canary_error error = CANARY_ERROR_INIT;

    if (canary_rollback(canary_ctx_store(ctx), FAULT_ROLLOUT, 0, NULL, NULL, &error) != CANARY_OK) {
        fail_msg("rollback: %s", error.message);
    }
    assert_int_equal(count_of(ctx), 4);
}

static int fresh_place(void **unused) {
    (void)unused;
    calm();
    fault_copy_store(template_db, place);
    return 0;
}

static int end(void **unused) {
    (void)unused;
    calm();
    return 0;
}

/* -- the tests -- */

/* Each mapping in turn: the call fails with a name, or does without it. */
static void test_mmap(void **unused) {
    (void)unused;
    for (int n = 0;; n++) {
        canary_options options = fault_options();
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *ctx = NULL;
        unsigned failed;
        int code;

        trouble[MMAP].failed = 0;
        trouble[MMAP].after = n;
        trouble[MMAP].error = ENOMEM;
        code = canary_open(place, FAULT_ROLLOUT, &options, &ctx, &error);
        failed = trouble[MMAP].failed;
        trouble[MMAP].error = 0;
        if (code != CANARY_OK) {
            fault_named(code, &error);
            assert_true(code == CANARY_E_NOMEM || code == CANARY_E_SYSTEM);
            assert_null(ctx);
        } else {
            roll_back(ctx);
            canary_close(&ctx);
        }
        if (failed == 0) {
            assert_true(n > 2);
            break;
        }
    }
}

/* A kernel that cannot wipe on fork: the handlers must do it. */
static void test_fork_without_wipe(void **unused) {
    canary_ctx *ctx;
    pid_t child;
    int status;
    int ready[2];
    char byte = 0;

    (void)unused;
    trouble[MADVISE].error = EINVAL;
    ctx = open_ctx(0);
    assert_true(trouble[MADVISE].failed > 0);
    assert_int_equal(pipe(ready), 0);
    settle(5000);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint32_t first = count_of(ctx);

        (void)!write(ready[1], &byte, 1);
        alarm(120);
        _exit(first != 4 && first > 20 && follows(ctx) ? 0 : 1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    roll_back(ctx);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    canary_close(&ctx);
    close(ready[0]);
    close(ready[1]);
}

static void test_no_thread(void **unused) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;

    (void)unused;
    trouble[THREAD].error = EAGAIN;
    assert_int_equal(canary_open(place, FAULT_ROLLOUT, &options, &ctx, &error), CANARY_E_SYSTEM);
    fault_named(CANARY_E_SYSTEM, &error);
    assert_int_equal(error.system, EAGAIN);
    assert_null(ctx);
    ctx = open_ctx(CANARY_OPEN_NO_WATCHER);
    roll_back(ctx);
    canary_close(&ctx);
}

/* The bell is a help: without it changes are made, and others follow by looking. */
static void test_bell_out_of_order(void **unused) {
    static const struct {
        int call;
        int error;
        int missing; /* the bell has to be made first */
    } cases[] = {
        { OPEN, EACCES, 0 },   { OPEN, EMFILE, 0 },  { OPEN, EACCES, 1 },   { OPEN, ENOSPC, 1 },
        { PWRITE, ENOSPC, 0 }, { PWRITE, EIO, 0 },   { PWRITE, EDQUOT, 1 }, { LINK, EPERM, 1 },
        { LINK, ENOSPC, 1 },   { FLOCK, ENOLCK, 0 }, { MMAP, ENODEV, 0 },
    };

    (void)unused;
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof cases[0]); i++) {
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *ctx;
        canary_ctx *other;
        int late = i % 2; /* the calls fail only once everything is open */
        int call = cases[i / 2].call;

        fresh_place(NULL);
        assert_true(!cases[i / 2].missing || unlink(bell) == 0);
        if (!late && call != MMAP) {
            trouble[call].error = cases[i / 2].error;
        }
        ctx = open_ctx(CANARY_OPEN_NO_WATCHER);
        other = open_ctx(0);
        trouble[call].error = cases[i / 2].error;
        roll_back(ctx);
        if (!follows(other)) {
            fail_msg("case %zu: a watcher does not follow", i);
        }
        assert_int_equal(canary_set_percentage(canary_ctx_store(ctx), FAULT_ROLLOUT, 4000, NULL,
                                               NULL, NULL, &error),
                         CANARY_OK);
        roll_back(ctx);
        assert_true(follows(other));
        assert_true(trouble[call].failed > 0);
        calm();
        roll_back(ctx);
        assert_int_equal(fault_verify(canary_ctx_store(ctx)), CANARY_OK);
        canary_close(&ctx);
        canary_close(&other);
    }
}

/* Neither the bell nor the store can be written: here it is in effect, and stays so. */
static void test_rollback_into_nothing(void **unused) {
    canary_error error = CANARY_ERROR_INIT;
    sqlite3 *locker = NULL;
    canary_ctx *ctx = open_ctx(CANARY_OPEN_NO_WATCHER);
    canary_ctx *other = open_ctx(CANARY_OPEN_NO_WATCHER);

    (void)unused;
    assert_int_equal(sqlite3_open_v2(place, &locker, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(locker, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    trouble[PWRITE].error = EIO;
    assert_int_equal(canary_rollback(canary_ctx_store(ctx), FAULT_ROLLOUT, 0, NULL, NULL, &error),
                     CANARY_E_BUSY);
    assert_int_equal(error.in_effect, 1);
    assert_int_equal(count_of(ctx), 4);
    sqlite3_exec(locker, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(locker);
    for (int look = 0; look < 3; look++) {
        assert_int_equal(canary_refresh(canary_ctx_store(ctx), &error), CANARY_OK);
        assert_int_equal(count_of(ctx), 4);
    }
    trouble[PWRITE].error = 0;
    roll_back(ctx);
    assert_int_equal(canary_refresh(canary_ctx_store(other), &error), CANARY_OK);
    assert_int_equal(count_of(other), 4);
    assert_int_equal(canary_advance(canary_ctx_store(ctx), FAULT_ROLLOUT, NULL, NULL, &error),
                     CANARY_OK);
    assert_true(count_of(ctx) > 4);
    canary_close(&ctx);
    canary_close(&other);
}

static uint64_t dropped_of(canary_store *store) {
    static const char series[] = "canary_recorded_dropped_total{rollout=\"" FAULT_ROLLOUT "\"} ";
    static char text[1 << 18];
    canary_error error = CANARY_ERROR_INIT;
    const char *line;
    uint64_t size;

    assert_int_equal(canary_format_openmetrics(store, text, sizeof text, &size, &error), CANARY_OK);
    line = strstr(text, series);
    assert_non_null(line);
    return strtoull(line + sizeof series - 1, NULL, 10);
}

/* Without memory to count in, an outcome is dropped, and stays so when its context is closed. */
static void test_recording_without_memory(void **unused) {
    canary_options options = fault_options();
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = open_ctx(CANARY_OPEN_NO_WATCHER);
    canary_ctx *other = NULL;
    canary_store *store = canary_ctx_store(ctx);

    (void)unused;
    assert_int_equal(canary_open_in(store, FAULT_ROLLOUT, &options, &other, &error), CANARY_OK);
    trouble[MMAP].error = ENOMEM;
    assert_int_equal(canary_record_cohort(other, CANARY_NEW, &outcome), CANARY_E_NOMEM);
    assert_int_equal(canary_record_cohort(other, CANARY_NEW, &outcome), CANARY_E_NOMEM);
    calm();
    assert_int_equal(dropped_of(store), 2);
    canary_close(&other);
    assert_int_equal(dropped_of(store), 2);
    canary_close(&ctx);
}

/* Older kernels lack the wait for two words, and others any: then the tick follows, without
 * spinning. */
static void test_no_futex(void **unused) {
    static const int lacking[] = { WAITV, FUTEX };

    (void)unused;
    for (int i = 0; i < 2; i++) {
        const struct timespec pause = { 0, 300000000 };
        canary_ctx *ctx;
        canary_ctx *other;
        unsigned failed;
        int64_t began;
        int64_t took;

        fresh_place(NULL);
        trouble[WAITV].error = ENOSYS;
        trouble[lacking[i]].error = ENOSYS;
        ctx = open_ctx(0);
        other = open_ctx(CANARY_OPEN_NO_WATCHER);
        began = canary__store_machine_ns();
        nanosleep(&pause, NULL);
        took = canary__store_machine_ns() - began;
        failed = __atomic_load_n(&trouble[lacking[i]].failed, __ATOMIC_RELAXED);
        /* A tick is 20 ms. */
        if (failed > 20 + took / 1500000) {
            fail_msg("%u calls in %lld ms: the watcher spins", failed, (long long)took / 1000000);
        }
        roll_back(other);
        assert_true(follows(ctx));
        canary_close(&ctx); /* ends, although nobody can be woken */
        canary_close(&other);
    }
}

static int setup(void **unused) {
    (void)unused;
    fault_path(template_db, "template.db");
    fault_path(place, "place.db");
    fault_bell(bell, place);
    fault_make(template_db, 0);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_mmap, fresh_place, end),
        cmocka_unit_test_setup_teardown(test_fork_without_wipe, fresh_place, end),
        cmocka_unit_test_setup_teardown(test_no_thread, fresh_place, end),
        cmocka_unit_test_setup_teardown(test_bell_out_of_order, fresh_place, end),
        cmocka_unit_test_setup_teardown(test_rollback_into_nothing, fresh_place, end),
        cmocka_unit_test_setup_teardown(test_recording_without_memory, fresh_place, end),
        cmocka_unit_test_setup_teardown(test_no_futex, fresh_place, end),
    };

    return cmocka_run_group_tests(tests, setup, fault_teardown);
}
