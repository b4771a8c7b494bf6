/* SPDX-License-Identifier: MIT */
/* Which users were seen, in bounded memory: adaptive sampling (Flajolet, On adaptive sampling,
 * Computing 43, 1990). A user belongs to the sample of level L when its mixed hash lies below
 * 2^(32-L), the same everywhere, so samples of threads, processes and times merge into exactly the
 * sample of their union. The mixing makes the sample independent of the bucket, and so of the cohort. */
#ifndef CANARY__SAMPLE_H
#define CANARY__SAMPLE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/hooks.h"

enum {
    CANARY__SAMPLE_MOST = 8192,   /* users kept; standard error 1/sqrt of 4096 to 8192 */
    CANARY__SAMPLE_SLOTS = 16384, /* of the table that recorders share; a power of 2 */
    CANARY__SAMPLE_RUN = 128,     /* slots that a user may be in */
};

/* A bijection on 32 bits with full avalanche (lowbias32, C. Wellons 2018). 0 marks a free slot and
 * counts as 1: two users in 2^32 share a place. */
static inline uint32_t canary__sample_mix(uint32_t hash) {
    hash ^= hash >> 16;
    hash *= 0x7feb352du;
    hash ^= hash >> 15;
    hash *= 0x846ca68bu;
    hash ^= hash >> 16;
    return hash != 0 ? hash : 1;
}

/* Whether a mixed hash belongs to level `level`, 0 to 32. */
static inline int canary__sample_holds(uint32_t level, uint32_t mixed) {
    return (uint64_t)mixed >> (32 - level) == 0;
}

/* Which half of all users it is: the last bit. Users in the sample are those whose first bits are zeros,
 * up to 32 of them but in practice far fewer, and the mixing that hides the bucket in all 32 bits hides it
 * in this one; so both halves have the same share of every bucket, of the sample and of what lies beside
 * it. */
static inline uint32_t canary__sample_half(uint32_t mixed) {
    return mixed & 1;
}

/* What recorders of one cohort share. All zeros is an empty table. A slot goes from 0 to a user, and
 * from a user who has left the level to another one; a user who belongs to the level stays. The level
 * only rises: where somebody finds no place, which with CANARY__SAMPLE_MOST users in the table does not
 * happen in 10^6 tables, and by gathering, which leaves that many. */
struct canary__sample_table {
    _Atomic(uint32_t) level;
    _Atomic(uint32_t)
        added; /* changes ever, of a user or the level; without any, it need not be read */
    _Atomic(uint32_t) slots[CANARY__SAMPLE_SLOTS];
};

/* The rest of canary__sample_put(), for who was not found at once. */
void canary__sample_search(struct canary__sample_table *table, uint32_t mixed);

/* Levels up to which half of the users or more belong to the sample: too many to be foreseen. */
enum { CANARY__SAMPLE_UNFORESEEN = 1 };

/* Adds a user. Any number of threads at once; wait-free: at most 33 runs of CANARY__SAMPLE_RUN slots.
 * The commonest cases have no branch that is hard to foresee, which would cost more than all the rest:
 * in a large population a user does not belong to the level; in a small one he is in one of the first
 * two slots. */
static inline void canary__sample_put(struct canary__sample_table *table, uint32_t mixed) {
    uint32_t level = atomic_load_explicit(&table->level, memory_order_relaxed);
    uint32_t at = mixed % CANARY__SAMPLE_SLOTS;

    if (level <= CANARY__SAMPLE_UNFORESEEN || canary__sample_holds(level, mixed)) {
        uint32_t first = atomic_load_explicit(&table->slots[at], memory_order_relaxed);
        uint32_t second = atomic_load_explicit(&table->slots[(at + 1) % CANARY__SAMPLE_SLOTS],
                                               memory_order_relaxed);

        if (((first != mixed) & (second != mixed) & canary__sample_holds(level, mixed)) != 0) {
            canary__sample_search(table, mixed);
        }
    }
}

/* A sample at rest: ascending, each once. All zeros is the empty one. */
struct canary__sample {
    uint32_t level;
    uint32_t count;
    uint32_t *users; /* mixed hashes; allocated, CANARY__SAMPLE_MOST of them, or NULL */
};

void canary__sample_free(const struct canary__hooks *hooks, struct canary__sample *sample);
/* Copies what a table holds at this moment, while recorders may go on: everybody whose
 * canary__sample_put() came before, and who belongs to the level of `out`. `out` must be empty.
 * CANARY_E_NOMEM. */
int canary__sample_take(const struct canary__hooks *hooks, struct canary__sample_table *table,
                        struct canary__sample *out);
/* Empties a table that no recorder uses any more. */
void canary__sample_clear(struct canary__sample_table *table);
/* to = the sample of the union. Answers 1 in `*changed` when `to` is another one than before.
 * CANARY_E_NOMEM leaves `to` as it was. */
int canary__sample_merge(const struct canary__hooks *hooks, struct canary__sample *to,
                         const struct canary__sample *from, int *changed);
/* Users in both, at the higher of the two levels. */
uint32_t canary__sample_common(const struct canary__sample *a, const struct canary__sample *b);
/* Number of distinct users and one standard error of it: count * 2^level, corrected for users that
 * share a 32-bit hash. At level 0 everybody was seen: the count itself, and no error (8192 users have
 * 0.008 pairs that share one). */
void canary__sample_estimate(const struct canary__sample *sample, double *users, double *error);

/* Stored form of both cohorts' samples: version, then for each cohort level, count, and the users as
 * LEB128 differences, and 8 bytes SipHash-2-4 as in sheet.h; equal samples are equal bytes. Decoding
 * allocates CANARY__SAMPLE_MOST users for a cohort that has one, 64 KB for both. */
int canary__sample_encode(const struct canary__hooks *hooks, const struct canary__sample cohorts[2],
                          uint8_t **data, size_t *size);
int canary__sample_decode(const struct canary__hooks *hooks, const void *data, size_t size,
                          struct canary__sample cohorts[2], canary_error *error);

#endif
