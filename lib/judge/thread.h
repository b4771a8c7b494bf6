/* SPDX-License-Identifier: MIT */
/* What threads of this library have in common: how they start, and the clock they wait by, which is the
 * machine's, since nobody can sleep by that of a store's hook. */
#ifndef CANARY__JUDGE_THREAD_H
#define CANARY__JUDGE_THREAD_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Starts a thread. Signals of the host program are not for it. 0, or an errno. */
int canary__thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);

int64_t canary__thread_now(clockid_t clock);

/* A condition for canary__thread_wait(). */
void canary__thread_bell(pthread_cond_t *bell);
/* Waits until it is rung, or `until_ns` of CLOCK_MONOTONIC: then the answer is not 0. */
int canary__thread_wait(pthread_cond_t *bell, pthread_mutex_t *lock, int64_t until_ns);

#endif
