/* SPDX-License-Identifier: MIT */
#include "base/futex.h"

#include <stddef.h>
#include <time.h>

#include "base/hot.h"

/* Where the kernel cannot wait: short sleeps, so that a stop is noticed soon. */
static int doze(const uint32_t *stop, int64_t timeout_ns) {
    enum { SLICE_NS = 10000000 };

    while (timeout_ns > 0 && __atomic_load_n(stop, __ATOMIC_ACQUIRE) == 0) {
        struct timespec slice = { 0, timeout_ns < SLICE_NS ? (long)timeout_ns : SLICE_NS };

        nanosleep(&slice, NULL);
        timeout_ns -= slice.tv_nsec;
    }
    return CANARY__FUTEX_TIMEOUT;
}

#ifdef __linux__

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static long futex(const uint32_t *word, int operation, uint32_t value,
                  const struct timespec *timeout) {
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

static CANARY__HOT int outcome(long answer, int error) {
    if (answer >= 0 || error == EAGAIN || error == EINTR) {
        return CANARY__FUTEX_WOKEN;
    }
    return error == ETIMEDOUT ? CANARY__FUTEX_TIMEOUT : CANARY__FUTEX_FAULT;
}

static struct timespec span(int64_t ns) {
    struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

    return t;
}

#if defined(SYS_futex_waitv) && defined(FUTEX_32)
/* Linux 5.16. The timeout is absolute there. */
static CANARY__HOT int wait_both(const uint32_t *shared, uint32_t expected, const uint32_t *stop,
                                 int64_t timeout_ns, int *answer) {
    struct futex_waitv words[2] = {
        { .val = expected, .uaddr = (uint64_t)(uintptr_t)shared, .flags = FUTEX_32 },
        { .val = 0, .uaddr = (uint64_t)(uintptr_t)stop, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG },
    };
    struct timespec until;
    long woken;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until = span((int64_t)until.tv_sec * 1000000000 + until.tv_nsec + timeout_ns);
    woken = syscall(SYS_futex_waitv, words, 2, 0, &until, CLOCK_MONOTONIC);
    if (woken < 0 && (errno == ENOSYS || errno == EPERM)) {
        return 0;
    }
    *answer = outcome(woken, errno);
    return 1;
}
#else
static int wait_both(const uint32_t *shared, uint32_t expected, const uint32_t *stop,
                     int64_t timeout_ns, int *answer) {
    (void)shared, (void)expected, (void)stop, (void)timeout_ns, (void)answer;
    return 0;
}
#endif

/* A kernel, or a sandbox, without the call answers at once: waiting must not become spinning. */
static int lacking(long answer) {
    return answer < 0 && (errno == ENOSYS || errno == EPERM);
}

CANARY__HOT int canary__futex_wait(const uint32_t *shared, uint32_t expected, const uint32_t *stop,
                                   int64_t timeout_ns) {
    struct timespec timeout = span(timeout_ns);
    int answer;

    if (shared == NULL) {
        long woken = futex(stop, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &timeout);

        return lacking(woken) ? doze(stop, timeout_ns) : outcome(woken, errno);
    }
    if (wait_both(shared, expected, stop, timeout_ns, &answer)) {
        return answer;
    }
    if (__atomic_load_n(stop, __ATOMIC_ACQUIRE) != 0) {
        return CANARY__FUTEX_WOKEN;
    }
    {
        long woken = futex(shared, FUTEX_WAIT, expected, &timeout);

        return lacking(woken) ? doze(stop, timeout_ns) : outcome(woken, errno);
    }
}

int canary__futex_wake_shared(const uint32_t *shared) {
    return futex(shared, FUTEX_WAKE, INT_MAX, NULL) > 0;
}

void canary__futex_wake_stop(const uint32_t *stop, const uint32_t *shared) {
    (void)futex(stop, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL);
    if (shared != NULL) {
        int answer = 0;

        /* A wait that ends at once tells whether the kernel has the call: the stop word is set. */
        if (!wait_both(shared, 0, stop, 0, &answer)) {
            canary__futex_wake_shared(shared);
        }
    }
}

int canary__futex_works(void) {
    uint32_t word = 0;

    return futex(&word, FUTEX_WAKE, 1, NULL) == 0;
}

#else

int canary__futex_wait(const uint32_t *shared, uint32_t expected, const uint32_t *stop,
                       int64_t timeout_ns) {
    (void)shared;
    (void)expected;
    return doze(stop, timeout_ns);
}

int canary__futex_wake_shared(const uint32_t *shared) {
    (void)shared;
    return 0;
}

void canary__futex_wake_stop(const uint32_t *stop, const uint32_t *shared) {
    (void)stop;
    (void)shared;
}

int canary__futex_works(void) {
    return 0;
}

#endif
