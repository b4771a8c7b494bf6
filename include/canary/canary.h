/* SPDX-License-Identifier: MIT */
/* libcanary: does this user get the new path or the old one? Everything a program needs to decide
 * and to operate. Authors of stores include <canary/storage.h> besides.
 *
 * Conventions of all headers
 * - What is not documented here is not API.
 * - Times are nanoseconds (`_ns`), shares are basis points (`_bp`, 10000 = 100 %).
 * - Structs begin with `size`, which the owner sets; they grow at the end only. A shorter struct of
 *   an older program is filled or read as far as it goes; in input structs, bytes beyond what this
 *   library knows must be zero.
 * - Thread words: `any thread`: at any time, from any thread, also at the same time on one object;
 *   `one thread per object`: not twice at a time on one object; `exclusive`: nothing else of the
 *   library may run meanwhile.
 * - Blocking words: `wait-free`: a bounded number of steps whatever other threads do; `may block on
 *   storage`: takes locks, reads and writes files.
 * - Strings in are NUL-terminated UTF-8 unless a size goes with them; strings out are in the
 * caller's structs, or static. Nothing needs freeing but stores and contexts. */
#ifndef CANARY_H
#define CANARY_H

#include <canary/audit.h>
#include <canary/bucket.h>
#include <canary/context.h>
#include <canary/decide.h>
#include <canary/document.h>
#include <canary/error.h>
#include <canary/metrics.h>
#include <canary/observe.h>
#include <canary/rollout.h>
#include <canary/version.h>

#endif
