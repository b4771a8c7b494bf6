/* SPDX-License-Identifier: MIT */
/* The decision. Nothing here locks, allocates, makes a system call or writes to shared memory. */
#include <canary/bucket.h>
#include <canary/decide.h>

#include <stddef.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "core/bucket.h"
#include "core/snapshot.h"

/* A slot is lost under a reader only when eight states were published, or the overrides replaced,
 * while it was being read. After this many losses in a row the answer is `old`. */
enum { ATTEMPTS = 16 };

#define LIKELY(x) __builtin_expect(!!(x), 1)

static int cohort_of(uint32_t bucket, uint64_t word) {
    return bucket < (word & CANARY__WORD_PERCENTAGE) ? CANARY_NEW : CANARY_OLD;
}

static uint32_t hash_of(canary_ctx *ctx, uint64_t word, const void *id, size_t size) {
    if (LIKELY((word & CANARY__WORD_SALT) == 0)) {
        return canary__bucket_hash(NULL, 0, id, size);
    }
    struct canary__cold *cold = atomic_load_explicit(&ctx->cold, memory_order_relaxed);

    return canary__bucket_hash(cold->prefix, cold->salt_size, id, size);
}

static int is_killed(canary_ctx *ctx, uint64_t word) {
    if ((word & CANARY__WORD_ANY_KILL) != 0) {
        return 1;
    }
    if ((word & CANARY__WORD_HOOK) != 0) {
        canary_kill_fn hook = atomic_load_explicit(&ctx->kill_switch, memory_order_relaxed);

        return hook(atomic_load_explicit(&ctx->kill_switch_data, memory_order_relaxed)) != 0;
    }
    return 0;
}

static int64_t age_of(canary_ctx *ctx) {
    struct canary__cold *cold = atomic_load_explicit(&ctx->cold, memory_order_relaxed);
    int64_t confirmed = atomic_load_explicit(&cold->confirmed_ns, memory_order_relaxed);
    int64_t age;

    if (confirmed < 0) {
        return -1;
    }
    age = canary__now(cold->hooks, CANARY_CLOCK_MONOTONIC) - confirmed;
    return age < 0 ? 0 : age;
}

static int is_stale(canary_ctx *ctx, uint64_t word) {
    struct canary__cold *cold;
    int64_t age;

    if ((word & CANARY__WORD_STALE) == 0) {
        return 0;
    }
    cold = atomic_load_explicit(&ctx->cold, memory_order_relaxed);
    age = age_of(ctx);
    return age < 0 || age > cold->stale_after_ns;
}

/* What a user id is known by. Without `id` only the hash is known; without `hashed` only the id. */
struct subject {
    const void *id;
    size_t size;
    uint32_t hash;
    int hashed;
};

/* The pinned cohort, CANARY__PIN_NONE, or CANARY__PIN_TORN when the slot behind the word was lost.
 */
static int pinned(canary_ctx *ctx, uint64_t word, const struct subject *subject) {
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
static int decide_loaded(canary_ctx *ctx, uint64_t word, struct subject *subject, int *reason) {
    uint64_t percentage = word & CANARY__WORD_PERCENTAGE;

    if ((word & CANARY__WORD_PINS) != 0) {
        int cohort = pinned(ctx, word, subject);

        if (cohort != CANARY__PIN_NONE) {
            *reason = CANARY_REASON_OVERRIDE;
            return cohort;
        }
    }
    if (percentage == 0 || percentage == CANARY_BP_MAX) {
        *reason = CANARY_REASON_STATIC;
        return percentage == 0 ? CANARY_OLD : CANARY_NEW;
    }
    if (!subject->hashed) {
        subject->hash = hash_of(ctx, word, subject->id, subject->size);
        subject->hashed = 1;
    }
    *reason = CANARY_REASON_SPLIT;
    return cohort_of(canary__bucket_of(subject->hash), word);
}

/* Reasons 2 to 6 under one word. */
static int decide_word(canary_ctx *ctx, uint64_t word, struct subject *subject, int *reason) {
    if (is_killed(ctx, word)) {
        *reason = CANARY_REASON_KILLED;
        return CANARY_OLD;
    }
    if ((word & CANARY__WORD_LOADED) == 0) {
        *reason = CANARY_REASON_NOT_READY;
        return CANARY_OLD;
    }
    if (is_stale(ctx, word)) {
        *reason = CANARY_REASON_STALE;
        return CANARY_OLD;
    }
    return decide_loaded(ctx, word, subject, reason);
}

static __attribute__((noinline)) int decide_slow(canary_ctx *ctx, struct subject *subject,
                                                 int *reason) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int cohort = decide_word(ctx, canary__snapshot_word(ctx), subject, reason);

        if (cohort != CANARY__PIN_TORN) {
            return cohort;
        }
    }
    *reason = CANARY_REASON_NOT_READY;
    return CANARY_OLD;
}

/* The three ways out of a decision are functions of their own, called last: so the commonest ones
 * need no stack frame, and what they do not use is not computed. */
static __attribute__((noinline)) int split_text(const char *user_id, uint64_t word) {
    return cohort_of(canary__bucket_of(canary__bucket_hash(NULL, 0, user_id, strlen(user_id))),
                     word);
}

static __attribute__((noinline)) int slow_text(canary_ctx *ctx, const char *user_id) {
    struct subject subject = { .id = user_id, .size = strlen(user_id) };
    int reason;

    return decide_slow(ctx, &subject, &reason);
}

static __attribute__((noinline)) int slow_bytes(canary_ctx *ctx, const void *user_id, size_t size) {
    struct subject subject = { .id = user_id, .size = size };
    int reason;

    return decide_slow(ctx, &subject, &reason);
}

int canary_should_use_new(canary_ctx *ctx, const char *user_id) {
    uint64_t word;
    uint64_t percentage;

    if (ctx == NULL || user_id == NULL || user_id[0] == '\0') {
        return CANARY_OLD;
    }
    word = atomic_load_explicit(&ctx->word, memory_order_acquire);
    if (LIKELY((word & CANARY__WORD_FLAGS) == CANARY__WORD_PLAIN)) {
        percentage = word & CANARY__WORD_PERCENTAGE;
        if (percentage == 0 || percentage == CANARY_BP_MAX) {
            return percentage != 0;
        }
        return split_text(user_id, word);
    }
    return (word & CANARY__WORD_ANY_KILL) != 0 ? CANARY_OLD : slow_text(ctx, user_id);
}

int canary_should_use_new_n(canary_ctx *ctx, const void *user_id, uint64_t user_id_size) {
    uint64_t word;
    uint64_t percentage;

    if (ctx == NULL || user_id == NULL || user_id_size == 0 || user_id_size > SIZE_MAX) {
        return CANARY_OLD;
    }
    word = atomic_load_explicit(&ctx->word, memory_order_acquire);
    if (LIKELY((word & CANARY__WORD_FLAGS) == CANARY__WORD_PLAIN)) {
        percentage = word & CANARY__WORD_PERCENTAGE;
        if (percentage == 0 || percentage == CANARY_BP_MAX) {
            return percentage != 0;
        }
        return cohort_of(
            canary__bucket_of(canary__bucket_hash(NULL, 0, user_id, (size_t)user_id_size)), word);
    }
    return (word & CANARY__WORD_ANY_KILL) != 0 ? CANARY_OLD
                                               : slow_bytes(ctx, user_id, (size_t)user_id_size);
}

int canary_should_use_new_hash(canary_ctx *ctx, const void *user_id, uint64_t user_id_size,
                               uint32_t hash) {
    struct subject subject = { .hash = hash, .hashed = 1 };
    int reason;

    if (ctx == NULL || user_id_size > SIZE_MAX) {
        return CANARY_OLD;
    }
    if (user_id != NULL && user_id_size > 0) {
        subject.id = user_id;
        subject.size = (size_t)user_id_size;
    }
    return decide_slow(ctx, &subject, &reason);
}

int canary_should_use_new_bucket(canary_ctx *ctx, uint32_t bucket) {
    uint64_t word;

    if (ctx == NULL || bucket >= CANARY_BUCKETS) {
        return CANARY_OLD;
    }
    word = canary__snapshot_word(ctx);
    if (is_killed(ctx, word) || (word & CANARY__WORD_LOADED) == 0 || is_stale(ctx, word)) {
        return CANARY_OLD;
    }
    return cohort_of(bucket, word);
}

/* Fills what the view knows; the decision must have been made under the same word. */
static void describe(canary_ctx *ctx, const struct canary__view *view,
                     const struct subject *subject, int reason, canary_decision *decision) {
    uint64_t effective = view->word & CANARY__WORD_PERCENTAGE;

    decision->reason = reason;
    decision->hash = subject->hash;
    decision->bucket = canary__bucket_of(subject->hash);
    decision->percentage_bp = view->percentage_bp;
    decision->effective_bp =
        reason == CANARY_REASON_KILLED || reason == CANARY_REASON_STALE ? 0 : (uint32_t)effective;
    decision->stage = view->stage;
    decision->revision = view->revision;
    decision->age_ns = age_of(ctx);
}

int canary_explain(canary_ctx *ctx, const void *user_id, uint64_t user_id_size,
                   canary_decision *out) {
    canary_decision decision = {
        .reason = CANARY_REASON_INVALID, .bucket = CANARY_BUCKET_NONE, .stage = -1, .age_ns = -1
    };
    struct subject subject = { .id = user_id, .size = (size_t)user_id_size };

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
                subject.hash = hash_of(ctx, word, user_id, subject.size);
                /* Before the first load the salt is unknown: hash again once it is. */
                subject.hashed = (word & CANARY__WORD_LOADED) != 0;
            }
            cohort = decide_word(ctx, word, &subject, &reason);
        }
        if (cohort != CANARY__PIN_TORN || attempt == ATTEMPTS) {
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

/* All users under one word; -1 when its slot was lost on the way. */
static int64_t decide_batch(canary_ctx *ctx, uint64_t word, const canary_user *users,
                            uint64_t count, uint8_t *cohorts) {
    int killed = is_killed(ctx, word);
    int stale = is_stale(ctx, word);
    int64_t chosen = 0;

    if (killed || stale || (word & CANARY__WORD_LOADED) == 0) {
        memset(cohorts, CANARY_OLD, (size_t)count);
        return 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct subject subject = { .id = users[i].id, .size = (size_t)users[i].size };
        int cohort = CANARY_OLD;
        int reason;

        if (users[i].id != NULL && users[i].size > 0) {
            cohort = decide_loaded(ctx, word, &subject, &reason);
            if (cohort == CANARY__PIN_TORN) {
                return -1;
            }
        }
        cohorts[i] = (uint8_t)cohort;
        chosen += cohort;
    }
    return chosen;
}

uint64_t canary_decide_many(canary_ctx *ctx, const canary_user *users, uint64_t count,
                            uint8_t *cohorts) {
    if (users == NULL || cohorts == NULL || count > SIZE_MAX / sizeof *users) {
        return 0;
    }
    for (int attempt = 0; ctx != NULL && attempt < ATTEMPTS; attempt++) {
        int64_t chosen = decide_batch(ctx, canary__snapshot_word(ctx), users, count, cohorts);

        if (chosen >= 0) {
            return (uint64_t)chosen;
        }
    }
    memset(cohorts, CANARY_OLD, (size_t)count);
    return 0;
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

const char *canary_reason_name(int reason) {
    static const char *const names[] = { "unknown", "invalid",  "killed", "not_ready",
                                         "stale",   "override", "static", "split" };

    return reason < 0 || (size_t)reason >= sizeof names / sizeof names[0] ? names[0]
                                                                          : names[reason];
}

const char *canary_cohort_name(int cohort) {
    return cohort == CANARY_OLD ? "old" : cohort == CANARY_NEW ? "new" : "unknown";
}
