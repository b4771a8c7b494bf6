/* SPDX-License-Identifier: MIT */
/* Pages that forget themselves on fork: in a child they read as zero. What must not be inherited
 * (locks, thread handles, the word that decisions read) lives in them, so a child finds out that it
 * is one without a pid check on the hot path. */
#ifndef CANARY__PAGE_H
#define CANARY__PAGE_H

#include <stddef.h>

/* Bytes in a page of this machine. */
size_t canary__page_size(void);

/* Zeroed private pages of at least `size` bytes that are wiped by fork; NULL when there are none.
 */
void *canary__page_new(size_t size);
void canary__page_free(void *pages, size_t size);

/* One page that is wiped, followed by at least `kept` bytes that are inherited. `*wiped` tells
 * whether the kernel wipes (MADV_WIPEONFORK, Linux 4.14); where it does not, the fork handlers must
 * zero the first page. Freed with canary__page_free(pages, canary__page_size() + kept). */
void *canary__page_new_split(size_t kept, int *wiped);

#endif
