/* SPDX-License-Identifier: MIT */
/* Overrides as decisions read them: a small filter that answers "not pinned" for nearly every user
 * from one word, and behind it a hash table of the pinned ids.
 *
 * A set is built in a block of words that is never unmapped while its context lives and may be
 * built again with another set. Readers have no registration, so one may still be looking at a
 * block that is being rebuilt: all words are atomic, every index is checked against the block's own
 * immutable length, and what a reader found counts only if the snapshot slot that named the block
 * is still valid afterwards (see snapshot.h). */
#ifndef CANARY__PINS_H
#define CANARY__PINS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hooks.h"

struct canary__pins {
    uint64_t length;           /* words; never changes, so that indices can always be checked */
    struct canary__pins *next; /* list of all blocks of a context, for freeing at the end */
    _Atomic(uint64_t) words[];
};

/* One pinned user, as the loader hands it over. Ids of one set are distinct. */
struct canary__pin {
    const void *id;
    uint64_t size;
    uint32_t hash; /* h of algorithm 1, used for pins to `old` only */
    int32_t cohort;
};

#define CANARY__PIN_NONE (-1)
#define CANARY__PIN_TORN                                                                           \
    (-2) /* the block changed under the reader; the caller validates and retries */

/* Words a block needs for `count` pins whose ids have `bytes` bytes in all. */
uint64_t canary__pins_words(uint64_t count, uint64_t bytes);

struct canary__pins *canary__pins_new(const struct canary__hooks *hooks, uint64_t words);
void canary__pins_free(const struct canary__hooks *hooks, struct canary__pins *block);

/* Builds a set in a block that no valid slot names. The block is long enough. Sorts `pins`. */
void canary__pins_build(struct canary__pins *block, struct canary__pin *pins, uint64_t count);

/* The cohort an id is pinned to, CANARY__PIN_NONE, or CANARY__PIN_TORN. */
int canary__pins_find(const struct canary__pins *block, const void *id, uint64_t size);

/* Calls `each` for every pinned user; the writer's only. Ends with what `each` answered if not 0.
 */
int canary__pins_each(const struct canary__pins *block,
                      int (*each)(void *user_data, const void *id, uint64_t size, int cohort),
                      void *user_data);

/* 1 when any user pinned to `old` has this hash. */
int canary__pins_old_hash(const struct canary__pins *block, uint32_t hash);

#endif
