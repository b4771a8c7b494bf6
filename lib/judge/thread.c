/* SPDX-License-Identifier: MIT */
#include "judge/thread.h"

#include <signal.h>

#include "judge/spans.h"

/* SQLite's deepest path needs well under a quarter of this; callbacks of the host program run here, too. */
enum { STACK_BYTES = 1024 * 1024 };

int canary__thread_start(pthread_t *thread, const char *name, void *(*run)(void *),
                         void *argument) {
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int code;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (code == 0) {
        (void)pthread_setname_np(*thread, name);
    }
    return code;
}

int64_t canary__thread_now(clockid_t clock) {
    struct timespec now = { 0, 0 };

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * CANARY__SECOND_NS + now.tv_nsec;
}

void canary__thread_bell(pthread_cond_t *bell) {
    pthread_condattr_t clock;

    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(bell, &clock);
    pthread_condattr_destroy(&clock);
}

int canary__thread_wait(pthread_cond_t *bell, pthread_mutex_t *lock, int64_t until_ns) {
    struct timespec until = { .tv_sec = (time_t)(until_ns / CANARY__SECOND_NS),
                              .tv_nsec = until_ns % CANARY__SECOND_NS };

    return pthread_cond_timedwait(bell, lock, &until);
}
