/* SPDX-License-Identifier: MIT */
/* Many users of one rollout, and one user on many rollouts. */
#include <canary/decide.h>

#include <string.h>

#include "core/rules.h"

/* Users hashed at a time: enough for every lane of a kernel to stay busy, little enough that hashes
 * and ids are still in the nearest cache when they are looked at again. */
enum { CHUNK = 256 };

static int is_user(const canary_user *user) {
    return user->id != NULL && user->size > 0;
}

static uint64_t put_all(int cohort, const canary_user *users, size_t count, uint8_t *cohorts) {
    uint64_t chosen = 0;

    for (size_t i = 0; i < count; i++) {
        cohorts[i] = (uint8_t)(cohort & is_user(&users[i]));
        chosen += cohorts[i];
    }
    return chosen;
}

static uint64_t put_split(canary_ctx *ctx, uint64_t word, const canary_user *users, size_t count,
                          uint8_t *cohorts) {
    const struct canary__hash_start *start = canary__snapshot_start(ctx, word);
    uint32_t share = canary__rules_share(word);
    uint32_t hashes[CHUNK];
    uint64_t chosen = 0;

    for (size_t done = 0; done < count; done += CHUNK) {
        size_t now = count - done < CHUNK ? count - done : CHUNK;

        canary__hash_many(start, users + done, now, hashes);
        for (size_t i = 0; i < now; i++) {
            int cohort = canary__bucket_below(hashes[i], share) & is_user(&users[done + i]);

            cohorts[done + i] = (uint8_t)cohort;
            chosen += (unsigned)cohort;
        }
    }
    return chosen;
}

/* Puts the pinned users right. -1 when the slot behind the word was lost on the way. */
static int put_pins(canary_ctx *ctx, uint64_t word, const canary_user *users, size_t count,
                    uint8_t *cohorts, uint64_t *chosen) {
    for (size_t i = 0; i < count; i++) {
        struct canary__subject subject = { .id = users[i].id, .size = (size_t)users[i].size };
        int cohort =
            is_user(&users[i]) ? canary__rules_pinned(ctx, word, &subject) : CANARY__PIN_NONE;

        if (cohort == CANARY__PIN_TORN) {
            return -1;
        }
        if (cohort != CANARY__PIN_NONE) {
            *chosen = *chosen - cohorts[i] + (unsigned)cohort;
            cohorts[i] = (uint8_t)cohort;
        }
    }
    return 0;
}

/* All users under one word; 0, or -1 when it has to be taken again. */
static int decide_batch(canary_ctx *ctx, uint64_t word, const canary_user *users, size_t count,
                        uint8_t *cohorts, uint64_t *chosen) {
    uint32_t share = canary__rules_share(word);

    *chosen = 0;
    if (canary__rules_killed(ctx, word) || (word & CANARY__WORD_LOADED) == 0 ||
        canary__rules_stale(ctx, word)) {
        put_all(CANARY_OLD, users, count, cohorts);
        return 0;
    }
    *chosen = share == 0 || share == CANARY__SHARE_ALL
                  ? put_all(share != 0, users, count, cohorts)
                  : put_split(ctx, word, users, count, cohorts);
    return (word & CANARY__WORD_PINS) != 0 ? put_pins(ctx, word, users, count, cohorts, chosen) : 0;
}

uint64_t canary_decide_many(canary_ctx *ctx, const canary_user *users, uint64_t count,
                            uint8_t *cohorts) {
    if (users == NULL || cohorts == NULL || count > SIZE_MAX / sizeof *users) {
        return 0;
    }
    for (int attempt = 0; ctx != NULL && attempt < CANARY__ATTEMPTS; attempt++) {
        uint64_t chosen;

        if (decide_batch(ctx, canary__snapshot_word(ctx), users, (size_t)count, cohorts, &chosen) ==
            0) {
            return chosen;
        }
    }
    memset(cohorts, CANARY_OLD, (size_t)count);
    return 0;
}

/* A user's hashes that were made already: the plain one, and one behind a salt. */
struct made {
    const struct canary__hash_start *start;
    uint32_t hash;
};

static int same_start(const struct canary__hash_start *a, const struct canary__hash_start *b) {
    return a->absorbed == b->absorbed && a->tail_size == b->tail_size &&
           memcmp(a->tail, b->tail, a->tail_size) == 0 &&
           memcmp(a->state, b->state, sizeof a->state) == 0;
}

/* Decides by a hash that was made for an earlier rollout where the salt is the same. */
static int decide_one(canary_ctx *ctx, struct canary__subject *subject, struct made *made) {
    uint64_t word = canary__snapshot_word(ctx);
    uint32_t share = canary__rules_share(word);
    const struct canary__hash_start *start;
    struct made *mine;
    int reason;

    /* Where nothing is hashed, nothing needs to be made ready; before the first load the salt is
     * unknown. */
    subject->hashed = 0;
    if ((word & CANARY__WORD_LOADED) == 0 || (word & CANARY__WORD_ANY_KILL) != 0 || share == 0 ||
        share == CANARY__SHARE_ALL) {
        return canary__rules_decide(ctx, subject, &reason);
    }
    start = canary__snapshot_start(ctx, word);
    mine = &made[start != &canary__hash_plain];
    if (mine->start == NULL || !same_start(mine->start, start)) {
        mine->start = start;
        mine->hash = canary__hash_one(start, subject->id, subject->size);
    }
    subject->hash = mine->hash;
    subject->hashed = 1;
    return canary__rules_decide(ctx, subject, &reason);
}

uint64_t canary_decide_rollouts(canary_ctx *const *contexts, uint64_t count, const void *user_id,
                                uint64_t user_id_size, uint8_t *cohorts) {
    struct canary__subject subject = { .id = user_id, .size = (size_t)user_id_size };
    int valid = user_id != NULL && user_id_size > 0 && user_id_size <= SIZE_MAX;
    struct made made[2] = { { NULL, 0 }, { NULL, 0 } };
    uint64_t chosen = 0;

    if (contexts == NULL || cohorts == NULL || count > SIZE_MAX / sizeof *contexts) {
        return 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        cohorts[i] = CANARY_OLD;
        if (valid && contexts[i] != NULL) {
            cohorts[i] = (uint8_t)decide_one(contexts[i], &subject, made);
            chosen += cohorts[i];
        }
    }
    return chosen;
}
