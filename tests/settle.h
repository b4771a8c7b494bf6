/* SPDX-License-Identifier: MIT */
/* Before fork() in a process that has threads. */
#ifndef TESTS_SETTLE_H
#define TESTS_SETTLE_H

/* Under AddressSanitizer: waits until every other thread waits for something, `limit_ms` at most. Otherwise
 * nothing. GCC's allocator for AddressSanitizer stays locked in the child when another thread was in it at
 * that moment, which a thread that starts or ends is as well: the child's threads then wait for it for ever.
 * The C library's own allocator takes care of that, so that plain builds fork at any moment. */
void settle(int limit_ms);

#endif
