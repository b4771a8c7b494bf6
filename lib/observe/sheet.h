/* SPDX-License-Identifier: MIT */
/* What is kept of one rollout for one step of time: tallies by generation, cohort and metric; and its
 * stored form. */
#ifndef CANARY__SHEET_H
#define CANARY__SHEET_H

#include "observe/tally.h"

/* Names of the built-in tallies: no declared metric can be called so. */
#define CANARY__SHEET_STATUS "+status"
#define CANARY__SHEET_DECISIONS "+decisions"
#define CANARY__SHEET_LOSSES "+losses"
#define CANARY__SHEET_DURATION "duration"

struct canary__entry {
    uint64_t generation;
    int32_t cohort; /* CANARY_OLD or CANARY_NEW */
    char metric[CANARY_METRIC_NAME_MAX + 1];
    struct canary__tally tally;
};

/* All zeros is an empty sheet. */
struct canary__sheet {
    struct canary__entry *entries; /* by generation, metric (memcmp), cohort */
    uint32_t count;
    uint32_t capacity;
};

void canary__sheet_free(const struct canary__hooks *hooks, struct canary__sheet *sheet);

/* The tally with this key, made empty when there is none; NULL without memory. Valid until the next
 * call. */
struct canary__tally *canary__sheet_at(const struct canary__hooks *hooks,
                                       struct canary__sheet *sheet, uint64_t generation, int cohort,
                                       const char *metric);
/* The same, but NULL when there is none. It may be an empty one. */
const struct canary__tally *canary__sheet_find(const struct canary__sheet *sheet,
                                               uint64_t generation, int cohort, const char *metric);

/* Room for so many entries: CANARY_E_NOMEM. */
int canary__sheet_reserve(const struct canary__hooks *hooks, struct canary__sheet *sheet,
                          uint32_t capacity);

/* to += from, all or nothing: CANARY_E_NOMEM or _CONFLICT leave what `to` says as it was. */
int canary__sheet_merge(const struct canary__hooks *hooks, struct canary__sheet *to,
                        const struct canary__sheet *from);

/* Puts everything of every generation under `generation`. The same errors, all or nothing. */
int canary__sheet_relabel(const struct canary__hooks *hooks, struct canary__sheet *sheet,
                          uint64_t generation);

/* Stored form: a version byte, the histogram layout, the number of entries, the entries that are not
 * empty, in order, and at the end 8 bytes SipHash-2-4 (key of zeros) of all before, which finds damage,
 * not malice; every later version will end so, too. Numbers are LEB128, signed ones zigzag. Equal
 * figures are equal bytes: each has one form only, and no other one is read. An entry:
 *   generation, as difference to the entry before
 *   1 byte: cohort, + 2 when the metric is the one of the entry before, + 4 when lossy, + 8 when divided
 *   unless + 2: length and bytes of the metric's name
 *   kind
 *   but for durations: how many counts up to the last that is not 0, and these
 *   when divided, which only outcomes and proportions of the old cohort are: of each count of its kind how
 *     many are of the first half of the users, and of the second
 *   value, score: resolution (8 bytes, IEEE 754, least first), sum, squares unless lossy, least, most
 *   duration: sum, squares unless lossy, overflow, how many thresholds; of each the difference to the
 *     one before, how many were compared, how many were above; then how many runs of buckets there
 *     are; of each how many buckets are 0 before it, how long it is, and its counts, each as signed
 *     difference to the one before, modulo 2^64. A run begins and ends with a bucket that is not 0,
 *     and has less than 3 in a row that are
 * The result is allocated; free it with its size. CANARY_E_NOMEM. */
int canary__sheet_encode(const struct canary__hooks *hooks, const struct canary__sheet *sheet,
                         uint8_t **data, size_t *size);
/* Any bytes: CANARY_E_CORRUPT with a message saying what is wrong, CANARY_E_NEWER for a version or
 * layout of a later library, CANARY_E_NOMEM. `sheet` must be empty and is empty after an error.
 * Allocates at most sizeof(struct canary__entry) for each 4 bytes and CANARY__HISTOGRAM_BUCKETS
 * counters for each 10, and these only where a count was read: 1.5 KB for a byte. */
int canary__sheet_decode(const struct canary__hooks *hooks, const void *data, size_t size,
                         struct canary__sheet *sheet, canary_error *error);

#endif
