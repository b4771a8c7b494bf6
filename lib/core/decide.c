/* SPDX-License-Identifier: MIT */
/* The decision. Nothing here locks, allocates, makes a system call or writes to shared memory. */
#include <canary/bucket.h>
#include <canary/decide.h>

#include <stddef.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "core/rules.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

__attribute__((noinline)) int canary__rules_decide(canary_ctx *ctx, struct canary__subject *subject,
                                                   int *reason) {
    for (int attempt = 0; attempt < CANARY__ATTEMPTS; attempt++) {
        int cohort = canary__rules_word(ctx, canary__snapshot_word(ctx), subject, reason);

        if (cohort != CANARY__PIN_TORN) {
            return cohort;
        }
    }
    *reason = CANARY_REASON_NOT_READY;
    return CANARY_OLD;
}

/* The ways out of a decision are functions of their own, called last: so the commonest ones need no
 * stack frame, or a small one, and what they do not use is not computed. */
static __attribute__((noinline)) int split_text(uint64_t word, const char *user_id) {
    return canary__bucket_below(canary__hash_one(&canary__hash_plain, user_id, strlen(user_id)),
                                canary__rules_share(word));
}

static __attribute__((noinline)) int split_bytes(uint64_t word, const void *user_id, size_t size) {
    return canary__bucket_below(canary__hash_one(&canary__hash_plain, user_id, size),
                                canary__rules_share(word));
}

static __attribute__((noinline)) int salted_bytes(canary_ctx *ctx, const void *user_id, size_t size,
                                                  uint64_t word) {
    return canary__bucket_below(canary__rules_hash(ctx, word, user_id, size),
                                canary__rules_share(word));
}

static __attribute__((noinline)) int salted_text(canary_ctx *ctx, const char *user_id,
                                                 uint64_t word) {
    return salted_bytes(ctx, user_id, strlen(user_id), word);
}

static __attribute__((noinline)) int slow_text(canary_ctx *ctx, const char *user_id) {
    struct canary__subject subject = { .id = user_id, .size = strlen(user_id) };
    int reason;

    return canary__rules_decide(ctx, &subject, &reason);
}

static __attribute__((noinline)) int slow_bytes(canary_ctx *ctx, const void *user_id, size_t size) {
    struct canary__subject subject = { .id = user_id, .size = size };
    int reason;

    return canary__rules_decide(ctx, &subject, &reason);
}

/* Each of the two below goes straight through where nothing is hashed: a branch that is taken costs as
 * much there as all that is computed, and so does a line of code more. */
__attribute__((aligned(64))) int canary_should_use_new(canary_ctx *ctx, const char *user_id) {
    uint64_t word;
    uint64_t flags;

    if (UNLIKELY(ctx == NULL || user_id == NULL || user_id[0] == '\0')) {
        return CANARY_OLD;
    }
    word = atomic_load_explicit(&ctx->word, memory_order_acquire);
    flags = word & CANARY__WORD_FLAGS;
    if (LIKELY(flags == CANARY__WORD_PLAIN)) {
        return canary__rules_share(word) != 0;
    }
    if (LIKELY((flags & CANARY__WORD_ANY_KILL) != 0)) { /* what hashes can afford the branch */
        return CANARY_OLD;
    }
    if (LIKELY(flags == CANARY__WORD_HASHED)) {
        return split_text(word, user_id);
    }
    return flags == CANARY__WORD_SALTED ? salted_text(ctx, user_id, word) : slow_text(ctx, user_id);
}

__attribute__((aligned(64))) int canary_should_use_new_n(canary_ctx *ctx, const void *user_id,
                                                         uint64_t user_id_size) {
    size_t size = (size_t)user_id_size;
    uint64_t word;
    uint64_t flags;

    if (UNLIKELY(ctx == NULL || user_id == NULL || user_id_size == 0 || user_id_size > SIZE_MAX)) {
        return CANARY_OLD;
    }
    word = atomic_load_explicit(&ctx->word, memory_order_acquire);
    flags = word & CANARY__WORD_FLAGS;
    if (LIKELY(flags == CANARY__WORD_PLAIN)) {
        return canary__rules_share(word) != 0;
    }
    if (LIKELY((flags & CANARY__WORD_ANY_KILL) != 0)) { /* what hashes can afford the branch */
        return CANARY_OLD;
    }
    if (LIKELY(flags == CANARY__WORD_HASHED)) {
        return split_bytes(word, user_id, size);
    }
    return flags == CANARY__WORD_SALTED ? salted_bytes(ctx, user_id, size, word)
                                        : slow_bytes(ctx, user_id, size);
}

int canary_should_use_new_hash(canary_ctx *ctx, const void *user_id, uint64_t user_id_size,
                               uint32_t hash) {
    struct canary__subject subject = { .hash = hash, .hashed = 1 };
    uint64_t word;
    int reason;

    if (ctx == NULL || user_id_size > SIZE_MAX) {
        return CANARY_OLD;
    }
    word = atomic_load_explicit(&ctx->word, memory_order_acquire);
    if ((word & CANARY__WORD_FLAGS & ~(CANARY__WORD_SALT | CANARY__WORD_SPLIT)) ==
        CANARY__WORD_PLAIN) {
        return canary__rules_split(word, hash);
    }
    if (user_id != NULL && user_id_size > 0) {
        subject.id = user_id;
        subject.size = (size_t)user_id_size;
    }
    return canary__rules_decide(ctx, &subject, &reason);
}

int canary_should_use_new_bucket(canary_ctx *ctx, uint32_t bucket) {
    uint64_t word;

    if (ctx == NULL || bucket >= CANARY_BUCKETS) {
        return CANARY_OLD;
    }
    word = canary__snapshot_word(ctx);
    if (canary__rules_killed(ctx, word) || (word & CANARY__WORD_LOADED) == 0 ||
        canary__rules_stale(ctx, word)) {
        return CANARY_OLD;
    }
    return bucket < canary__share_bp(canary__rules_share(word)) ? CANARY_NEW : CANARY_OLD;
}

/* Fills what the view knows; the decision must have been made under the same word. */
static void describe(canary_ctx *ctx, const struct canary__view *view,
                     const struct canary__subject *subject, int reason, canary_decision *decision) {
    uint32_t effective = canary__share_bp(canary__rules_share(view->word));

    decision->reason = reason;
    decision->hash = subject->hash;
    decision->bucket = canary__bucket_of(subject->hash);
    decision->percentage_bp = view->percentage_bp;
    decision->effective_bp =
        reason == CANARY_REASON_KILLED || reason == CANARY_REASON_STALE ? 0 : effective;
    decision->stage = view->stage;
    decision->revision = view->revision;
    decision->age_ns = canary__rules_age(ctx);
}

int canary_explain(canary_ctx *ctx, const void *user_id, uint64_t user_id_size,
                   canary_decision *out) {
    canary_decision decision = {
        .reason = CANARY_REASON_INVALID, .bucket = CANARY_BUCKET_NONE, .stage = -1, .age_ns = -1
    };
    struct canary__subject subject = { .id = user_id, .size = (size_t)user_id_size };

    if (out == NULL || out->size < offsetof(canary_decision, age_ns) + sizeof out->age_ns) {
        return CANARY_E_INVALID;
    }
    if (ctx == NULL || user_id == NULL || user_id_size == 0 || user_id_size > SIZE_MAX) {
        canary__sized_out(out, &decision, sizeof decision);
        return CANARY_OK;
    }
    for (int attempt = 0;; attempt++) {
        uint64_t word = canary__snapshot_word(ctx);
        struct canary__view view;
        int torn = canary__snapshot_view(ctx, word, &view) != 0;
        int cohort = CANARY__PIN_TORN;
        int reason = CANARY_REASON_NOT_READY;

        if (!torn) {
            if (!subject.hashed) {
                subject.hash = canary__rules_hash(ctx, word, user_id, subject.size);
                /* Before the first load the salt is unknown: hash again once it is. */
                subject.hashed = (word & CANARY__WORD_LOADED) != 0;
            }
            cohort = canary__rules_word(ctx, word, &subject, &reason);
        }
        if (cohort != CANARY__PIN_TORN || attempt == CANARY__ATTEMPTS) {
            if (!torn) {
                describe(ctx, &view, &subject, reason, &decision);
            }
            decision.cohort = cohort == CANARY_NEW ? CANARY_NEW : CANARY_OLD;
            decision.reason = reason;
            canary__sized_out(out, &decision, sizeof decision);
            return CANARY_OK;
        }
    }
}

void canary_kill(canary_ctx *ctx) {
    if (ctx != NULL) {
        atomic_store_explicit(&canary__ctx_cold(ctx)->killed_local, 1, memory_order_seq_cst);
        canary__snapshot_sync(ctx);
    }
}

void canary_revive(canary_ctx *ctx) {
    if (ctx != NULL) {
        atomic_store_explicit(&canary__ctx_cold(ctx)->killed_local, 0, memory_order_seq_cst);
        canary__snapshot_sync(ctx);
    }
}

void canary_limit(canary_ctx *ctx, uint32_t percentage_bp) {
    if (ctx != NULL) {
        uint32_t limit =
            canary__share_of(percentage_bp < CANARY_BP_MAX ? percentage_bp : CANARY_BP_MAX);

        atomic_store_explicit(&canary__ctx_cold(ctx)->limit, limit, memory_order_seq_cst);
        canary__snapshot_sync(ctx);
    }
}

const char *canary_reason_name(int reason) {
    static const char *const names[] = { "unknown", "invalid",  "killed", "not_ready",
                                         "stale",   "override", "static", "split" };

    return reason < 0 || (size_t)reason >= sizeof names / sizeof names[0] ? names[0]
                                                                          : names[reason];
}

const char *canary_cohort_name(int cohort) {
    return cohort == CANARY_OLD ? "old" : cohort == CANARY_NEW ? "new" : "unknown";
}
