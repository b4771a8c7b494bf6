/* SPDX-License-Identifier: MIT */
/* The order of reasons, under one word of the published state; for the files that decide. */
#ifndef CANARY__RULES_H
#define CANARY__RULES_H

#include <canary/bucket.h>
#include <canary/decide.h>

#include "core/bucket.h"
#include "core/snapshot.h"

/* A slot is lost under a reader only when eight states were published, or the overrides replaced,
 * while it was being read. After this many losses in a row the answer is `old`. */
enum { CANARY__ATTEMPTS = 16 };

static inline uint32_t canary__rules_share(uint64_t word) {
    return (uint32_t)(word & CANARY__WORD_SHARE);
}

static inline uint32_t canary__rules_hash(canary_ctx *ctx, uint64_t word, const void *id,
                                          size_t size) {
    return canary__hash_one(canary__snapshot_start(ctx, word), id, size);
}

/* Reasons 5 and 6 for who has a hash. */
static inline int canary__rules_split(uint64_t word, uint32_t hash) {
    uint32_t share = canary__rules_share(word);

    return share == CANARY__SHARE_ALL || canary__bucket_below(hash, share);
}

static inline int canary__rules_killed(canary_ctx *ctx, uint64_t word) {
    if ((word & CANARY__WORD_ANY_KILL) != 0) {
        return 1;
    }
    if ((word & CANARY__WORD_HOOK) != 0) {
        canary_kill_fn hook = atomic_load_explicit(&ctx->kill_switch, memory_order_relaxed);

        return hook(atomic_load_explicit(&ctx->kill_switch_data, memory_order_relaxed)) != 0;
    }
    return 0;
}

static inline int64_t canary__rules_age(canary_ctx *ctx) {
    struct canary__cold *cold = atomic_load_explicit(&ctx->cold, memory_order_relaxed);
    int64_t confirmed = atomic_load_explicit(&cold->confirmed_ns, memory_order_relaxed);
    int64_t age;

    if (confirmed < 0) {
        return -1;
    }
    age = canary__now(cold->hooks, CANARY_CLOCK_MONOTONIC) - confirmed;
    return age < 0 ? 0 : age;
}

static inline int canary__rules_stale(canary_ctx *ctx, uint64_t word) {
    struct canary__cold *cold;
    int64_t age;

    if ((word & CANARY__WORD_STALE) == 0) {
        return 0;
    }
    cold = atomic_load_explicit(&ctx->cold, memory_order_relaxed);
    age = canary__rules_age(ctx);
    return age < 0 || age > cold->stale_after_ns;
}

/* What a user id is known by. Without `id` only the hash is known; without `hashed` only the id. */
struct canary__subject {
    const void *id;
    size_t size;
    uint32_t hash;
    int hashed;
};

/* The pinned cohort, CANARY__PIN_NONE, or CANARY__PIN_TORN when the slot behind the word was lost.
 */
static inline int canary__rules_pinned(canary_ctx *ctx, uint64_t word,
                                       const struct canary__subject *subject) {
    struct canary__pins *pins;
    int cohort = CANARY__PIN_NONE;

    if (canary__snapshot_pins(ctx, word, &pins) != 0) {
        return CANARY__PIN_TORN;
    }
    if (subject->id != NULL) {
        cohort = canary__pins_find(pins, subject->id, subject->size);
    } else if (canary__pins_old_hash(pins, subject->hash)) {
        cohort = CANARY_OLD;
    }
    return canary__snapshot_holds(ctx, word) ? cohort : CANARY__PIN_TORN;
}

/* Reasons 4 to 6 under one word; answers CANARY__PIN_TORN when the word has to be taken again. */
static inline int canary__rules_loaded(canary_ctx *ctx, uint64_t word,
                                       struct canary__subject *subject, int *reason) {
    uint32_t share = canary__rules_share(word);

    if ((word & CANARY__WORD_PINS) != 0) {
        int cohort = canary__rules_pinned(ctx, word, subject);

        if (cohort != CANARY__PIN_NONE) {
            *reason = CANARY_REASON_OVERRIDE;
            return cohort;
        }
    }
    if (share == 0 || share == CANARY__SHARE_ALL) {
        *reason = CANARY_REASON_STATIC;
        return share == 0 ? CANARY_OLD : CANARY_NEW;
    }
    if (!subject->hashed) {
        subject->hash = canary__rules_hash(ctx, word, subject->id, subject->size);
        subject->hashed = 1;
    }
    *reason = CANARY_REASON_SPLIT;
    return canary__bucket_below(subject->hash, share);
}

/* Reasons 2 to 6 under one word. */
static inline int canary__rules_word(canary_ctx *ctx, uint64_t word,
                                     struct canary__subject *subject, int *reason) {
    if (canary__rules_killed(ctx, word)) {
        *reason = CANARY_REASON_KILLED;
        return CANARY_OLD;
    }
    if ((word & CANARY__WORD_LOADED) == 0) {
        *reason = CANARY_REASON_NOT_READY;
        return CANARY_OLD;
    }
    if (canary__rules_stale(ctx, word)) {
        *reason = CANARY_REASON_STALE;
        return CANARY_OLD;
    }
    return canary__rules_loaded(ctx, word, subject, reason);
}

/* Reasons 2 to 6, by words taken until one of them could be followed to its end. */
int canary__rules_decide(canary_ctx *ctx, struct canary__subject *subject, int *reason);

#endif
