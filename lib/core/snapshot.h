/* SPDX-License-Identifier: MIT */
/* The published state: one packed word that most decisions need alone, and behind it a ring of
 * eight slots for what does not fit the word.
 *
 * Writers of a context are serialised by their store's lock. Readers register nowhere and write
 * nothing. Publishing generation g:
 *     slot[g % 8].generation = 0; slot fields (release); slot.generation = g (release); word
 * (release) Reading: word (acquire); slot.generation == g? (acquire); fields (acquire);
 * slot.generation == g still? If not, the slot was reused meanwhile: begin again with the new word.
 *
 * Why these orders suffice. A reader that loads a field written for a later generation does so by
 * an acquire load of a release store, so the store of 0 that preceded it is visible to the reader's
 * second look at the generation, which acquire keeps from moving up: the mix is detected. A reader
 * that sees generation g by acquire sees every field stored before it. A reader that sees the word
 * of generation g by acquire sees slot g complete, or overwritten by a later one, never unfinished.
 * No reader writes, so no store of one reader has to be ordered against another's; sequential
 * consistency is needed in one place only, between the kill switch or the local cap and a publication
 * (canary__snapshot_sync).
 *
 * The share in the word is what decisions go by: the published one, but no more than the local cap. The
 * published one stays in the slot, and the cap stands in the word as well, so that a publication made
 * for one cap cannot replace a word that another was put into since. */
#ifndef CANARY__SNAPSHOT_H
#define CANARY__SNAPSHOT_H

#include <canary/context.h>

#include <stdatomic.h>
#include <stdint.h>

#include "base/hooks.h"
#include "core/hash.h"
#include "core/pins.h"

#define CANARY__WORD_SHARE UINT64_C(0x3fff)           /* effective, as in core/bucket.h */
#define CANARY__WORD_ALIVE (UINT64_C(1) << 14)        /* always set: 0 means "wiped by fork" */
#define CANARY__WORD_LOADED (UINT64_C(1) << 15)       /* a state was read at least once */
#define CANARY__WORD_KILLED (UINT64_C(1) << 16)       /* by flag, environment or bell */
#define CANARY__WORD_KILLED_LOCAL (UINT64_C(1) << 17) /* by canary_kill() */
#define CANARY__WORD_HOOK (UINT64_C(1) << 18)         /* ask the application's kill switch */
#define CANARY__WORD_STALE (UINT64_C(1) << 19)        /* there is a stale policy: ask the clock */
#define CANARY__WORD_PINS (UINT64_C(1) << 20)         /* there are overrides: look into the ring */
#define CANARY__WORD_SALT (UINT64_C(1) << 21)         /* hash with the salt in front */
#define CANARY__WORD_SPLIT (UINT64_C(1) << 22)        /* neither 0 nor 100 %: ids are hashed */
#define CANARY__WORD_FLAGS UINT64_C(0xffc000)         /* all bits that are neither number */
#define CANARY__WORD_LIMIT 24                         /* local cap above, 14 bits, a share */
#define CANARY__WORD_SHIFT 38                         /* generation above, 26 bits, never 0 */
/* What the short ways can handle: the share alone, and what is hashed to compare with it. */
#define CANARY__WORD_PLAIN (CANARY__WORD_ALIVE | CANARY__WORD_LOADED)
#define CANARY__WORD_HASHED (CANARY__WORD_PLAIN | CANARY__WORD_SPLIT)
#define CANARY__WORD_SALTED (CANARY__WORD_HASHED | CANARY__WORD_SALT)
#define CANARY__WORD_ANY_KILL (CANARY__WORD_KILLED | CANARY__WORD_KILLED_LOCAL)

#define CANARY__RING 8u

struct canary__slot {
    _Atomic(uint64_t) generation;
    _Atomic(uint64_t) revision;
    /* Stage + 1 << 32 | basis points in effect but for the local cap << 16 | configured ones. */
    _Atomic(uint64_t) numbers;
    _Atomic(struct canary__pins *) pins;
};

/* What survives fork: all a child needs to go on with the parent's last state. */
struct canary__cold {
    _Atomic(uint64_t) word; /* as published, without the local kill and the local cap */
    _Atomic(uint32_t) killed_local;
    _Atomic(uint32_t) limit;         /* the local cap, a share; CANARY__SHARE_ALL for none */
    struct canary__hash_start start; /* has absorbed the salt; constant once loaded */
    _Atomic(int64_t) confirmed_ns; /* monotonic; when the state was last known to be the store's */
    int64_t stale_after_ns;
    canary_kill_fn kill_switch;
    void *kill_switch_data;
    const struct canary__hooks *hooks;
    void (*after_fork)(void *owner); /* called once a child finds its page wiped */
    void *owner;
    struct canary__slot ring[CANARY__RING];
    _Atomic(void *) observer; /* of the room that records outcomes; made by the first of them */

    /* The writer's own. */
    int published; /* at least once, by canary__ctx_new() */
    uint64_t generation;
    struct canary__pins *blocks;  /* every block ever made for this context */
    struct canary__pins *current; /* the one the newest slot names, or NULL */
};

/* A context is a page that fork wipes, of which decisions use the first line, and cold data behind.
 */
struct canary_ctx {
    _Alignas(64) _Atomic(uint64_t) word;
    _Atomic(canary_kill_fn) kill_switch;
    _Atomic(void *) kill_switch_data;
    _Atomic(struct canary__cold *) cold;
    /* As in the cold data; NULL until it is looked up there. */
    _Atomic(void *) observer;
    _Atomic(uint64_t) unrecorded; /* outcomes for which no observer could be made */
};

/* What the control room wants published. */
struct canary__state {
    int loaded;
    int killed;
    int32_t stage;
    uint32_t percentage_bp; /* configured */
    uint32_t effective_bp;  /* but for the local cap */
    uint64_t revision;
    struct canary__pins *pins; /* from canary__snapshot_block(), or NULL */
};

/* One consistent look at the published state. */
struct canary__view {
    uint64_t word;
    uint64_t revision;
    int32_t stage;
    uint32_t percentage_bp;
    uint32_t effective_bp; /* but for the local cap, which the word has */
};

/* A context that answers NOT_READY, or NULL. `owner` and `after_fork` are for children. */
canary_ctx *canary__ctx_new(const struct canary__hooks *hooks, const canary_options *options,
                            void (*after_fork)(void *owner), void *owner);
void canary__ctx_free(canary_ctx *ctx);

/* For fork handlers on kernels that do not wipe. */
void canary__ctx_wipe(canary_ctx *ctx);

struct canary__cold *canary__ctx_cold(canary_ctx *ctx);

/* Fixes the salt; before the first state that is `loaded` is published, and never again. */
void canary__snapshot_salt(canary_ctx *ctx, const char *salt);

/* What ids are hashed from under this word. */
static inline const struct canary__hash_start *canary__snapshot_start(canary_ctx *ctx,
                                                                      uint64_t word) {
    if (__builtin_expect((word & CANARY__WORD_SALT) == 0, 1)) {
        return &canary__hash_plain;
    }
    return &atomic_load_explicit(&ctx->cold, memory_order_relaxed)->start;
}

/* A block of at least `words` that no valid slot names, for the next state; NULL without memory. */
struct canary__pins *canary__snapshot_block(canary_ctx *ctx, uint64_t words);

/* Publishes; under the store's lock. */
void canary__snapshot_publish(canary_ctx *ctx, const struct canary__state *state);

/* The word that decisions go by; puts back the inherited one in a child. */
uint64_t canary__snapshot_word(canary_ctx *ctx);

static inline struct canary__slot *canary__snapshot_slot(canary_ctx *ctx, uint64_t word) {
    struct canary__cold *cold = atomic_load_explicit(&ctx->cold, memory_order_relaxed);

    return &cold->ring[(word >> CANARY__WORD_SHIFT) % CANARY__RING];
}

/* 1 while what was read behind the word is still unchanged. Comes after acquire loads of what was
 * read, which keep this look from moving up. */
static inline int canary__snapshot_holds(canary_ctx *ctx, uint64_t word) {
    return atomic_load_explicit(&canary__snapshot_slot(ctx, word)->generation,
                                memory_order_relaxed) == word >> CANARY__WORD_SHIFT;
}

/* The overrides behind a word. 0, or -1 when the slot was reused: take the word again. What is
 * found in them counts if canary__snapshot_holds() afterwards. */
static inline int canary__snapshot_pins(canary_ctx *ctx, uint64_t word,
                                        struct canary__pins **pins) {
    struct canary__slot *slot = canary__snapshot_slot(ctx, word);

    if (atomic_load_explicit(&slot->generation, memory_order_acquire) !=
        word >> CANARY__WORD_SHIFT) {
        return -1;
    }
    *pins = atomic_load_explicit(&slot->pins, memory_order_acquire);
    return canary__snapshot_holds(ctx, word) ? 0 : -1;
}

/* Reads one consistent view of the slot behind `word`. 0, or -1 when the slot was reused: take the
 * word again. */
int canary__snapshot_view(canary_ctx *ctx, uint64_t word, struct canary__view *view);

/* Brings local kill and local cap of the word in line with the cold data. */
void canary__snapshot_sync(canary_ctx *ctx);

/* What is left of a percentage under the local cap. */
uint32_t canary__snapshot_limited(canary_ctx *ctx, uint32_t effective_bp);

#endif
