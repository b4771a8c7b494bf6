/* SPDX-License-Identifier: MIT */
/* News: what the last change did, signed, in the bell. A process that has seen the change before acts
 * on it at once and looks into the store a few milliseconds later; the store has the last word.
 *
 * The principle stays that nothing unauthenticated raises. News is believed only if all of this holds:
 *   - its code is right: SipHash with the store's secret, over the record, the ring value and
 *     the bell's own inode. So it is by somebody who may read the store, of this ring, in this file.
 *   - it was rung within the last second. An old page put back is not, nor is one of before a restart
 *     of the machine.
 *   - it continues exactly the trail and the row that this process has, and nothing here is in doubt.
 * Anything else is only a ring: the process looks. */
#ifndef CANARY__NEWS_H
#define CANARY__NEWS_H

#include "control/store.h"

/* The first bytes of the bell's page, so that one write rings and tells. A ring without news changes
 * the first field alone, and the code fails. */
struct canary__news {
    uint32_t ring;
    int32_t stage;
    uint32_t percentage_bp;
    uint32_t reserved; /* 0 */
    uint64_t id;       /* of the change */
    uint64_t revision;
    int64_t made_at;    /* of the change */
    int64_t updated_at; /* of the rollout */
    int64_t rung_ns;    /* the machine's monotonic time */
    uint8_t previous_hash[32];
    uint8_t hash[32];
    uint8_t row_before[32]; /* checksums of the rollout's row */
    uint8_t row_after[32];
    char phase[64];
    char rollout[136];
    uint8_t code[32];
};

/* Writer: describes a change of percentage, rung and phase, and nothing else. 1 when there is news:
 * not of a row or a trail in doubt. `head` is the change as appended. */
int canary__news_describe(struct canary__news *news, const struct canary__rollout_row *before,
                          const struct canary__rollout_row *row,
                          const struct canary__change_row *head);

/* Writer: fills in the ring, the time and the code. To be kept in memory until the change is committed:
 * signed news of one that never came to be would be believed. */
void canary__news_sign(struct canary__news *news, const struct canary__bell_ringer *ringer,
                       const uint8_t *secret);

/* Learns the store's secret, inside a transaction. */
void canary__news_learn(canary_store *store, void *transaction);

/* Reader, after the bell was read because it rang: takes the news into all followers it is about, as far
 * as decisions go by it; the caller publishes, and then settles. `ring` is the one seen before, `now` the
 * machine's time. 0 when there is nothing to be believed: look. */
int canary__news_take(canary_store *store, uint32_t ring, int64_t now);

/* Takes the rest of the news that was just taken, which nobody waits for; under the same lock. */
void canary__news_settle(canary_store *store, int64_t now);

#endif
