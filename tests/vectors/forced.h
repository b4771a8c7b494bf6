/* SPDX-License-Identifier: MIT */
/* For runs with CANARY_SHA256: makes sure that the vectors go through what it names. */
#ifndef VECTORS_FORCED_H
#define VECTORS_FORCED_H

/* 0: it is unset, or canary_info() says that it is obeyed. Else the status to end with, 77 where
 * this processor cannot run it, and the reason was printed. */
int forced_kernel(void);

#endif
