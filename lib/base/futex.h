/* SPDX-License-Identifier: MIT */
/* Waiting for a word in a file's mapping, across processes, with a private word to stop the wait.
 */
#ifndef CANARY__FUTEX_H
#define CANARY__FUTEX_H

#include <stdint.h>

#define CANARY__FUTEX_WOKEN 0   /* woken, or a word no longer has its expected value */
#define CANARY__FUTEX_TIMEOUT 1 /* the time passed */
#define CANARY__FUTEX_FAULT 2   /* the mapping has no page there: the file was cut short */

/* Waits while `*shared` (may be NULL) holds `expected` and `*stop` holds 0, up to `timeout_ns`.
 * Never reads `*shared` itself: a load from a truncated file would kill the process by SIGBUS,
 * where the kernel's own look is a plain error. */
int canary__futex_wait(const uint32_t *shared, uint32_t expected, const uint32_t *stop,
                       int64_t timeout_ns);

/* Wakes every waiter of every process on the mapped file's word. Answers 1 when there was one. */
int canary__futex_wake_shared(const uint32_t *shared);

/* Ends this process's waits that were given `stop`; the caller has set it. Where the kernel cannot
 * wait for two words at once, the shared word's waiters are woken too, which costs others one look.
 */
void canary__futex_wake_stop(const uint32_t *stop, const uint32_t *shared);

/* 1 when the kernel waits on shared words at all. */
int canary__futex_works(void);

#endif
