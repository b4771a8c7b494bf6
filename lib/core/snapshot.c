/* SPDX-License-Identifier: MIT */
#include "core/snapshot.h"

#include <canary/bucket.h>

#include <string.h>

#include "base/page.h"
#include "core/bucket.h"

static size_t kept_size(void) {
    return sizeof(struct canary__cold);
}

struct canary__cold *canary__ctx_cold(canary_ctx *ctx) {
    return (struct canary__cold *)(void *)((char *)ctx + canary__page_size());
}

static uint64_t constant_bits(const struct canary__cold *cold) {
    return CANARY__WORD_ALIVE | (cold->kill_switch != NULL ? CANARY__WORD_HOOK : 0) |
           (cold->stale_after_ns > 0 ? CANARY__WORD_STALE : 0);
}

/* The first line of the page, but for the word, which makes it visible: release. */
static void fill_line(canary_ctx *ctx, struct canary__cold *cold) {
    atomic_store_explicit(&ctx->kill_switch, cold->kill_switch, memory_order_relaxed);
    atomic_store_explicit(&ctx->kill_switch_data, cold->kill_switch_data, memory_order_relaxed);
    atomic_store_explicit(&ctx->cold, cold, memory_order_relaxed);
}

canary_ctx *canary__ctx_new(const struct canary__hooks *hooks, const canary_options *options,
                            void (*after_fork)(void *owner), void *owner) {
    int wiped = 0;
    canary_ctx *ctx = canary__page_new_split(kept_size(), &wiped);
    struct canary__cold *cold;
    struct canary__state nothing = { .stage = -1 };

    if (ctx == NULL) {
        return NULL;
    }
    cold = canary__ctx_cold(ctx);
    cold->hooks = hooks;
    cold->kill_switch = options->kill_switch;
    cold->kill_switch_data = options->kill_switch_data;
    cold->stale_after_ns = options->stale_after_ns;
    cold->after_fork = after_fork;
    cold->owner = owner;
    cold->start = canary__hash_plain;
    atomic_init(&cold->confirmed_ns, -1);
    fill_line(ctx, cold);
    canary__snapshot_publish(ctx, &nothing);
    return ctx;
}

void canary__ctx_free(canary_ctx *ctx) {
    struct canary__cold *cold;

    if (ctx == NULL) {
        return;
    }
    cold = canary__ctx_cold(ctx);
    while (cold->blocks != NULL) {
        struct canary__pins *block = cold->blocks;

        cold->blocks = block->next;
        canary__pins_free(cold->hooks, block);
    }
    canary__page_free(ctx, canary__page_size() + kept_size());
}

void canary__ctx_wipe(canary_ctx *ctx) {
    atomic_store_explicit(&ctx->observer, NULL, memory_order_relaxed);
    atomic_store_explicit(&ctx->unrecorded, 0, memory_order_relaxed);
    atomic_store_explicit(&ctx->word, 0, memory_order_release);
}

void canary__snapshot_salt(canary_ctx *ctx, const char *salt) {
    char prefix[CANARY_SALT_MAX + 1];
    size_t length = strlen(salt);

    if (length > 0 && length <= CANARY_SALT_MAX) {
        memcpy(prefix, salt, length);
        prefix[length] = ':';
        canary__hash_begin(&canary__ctx_cold(ctx)->start, prefix, length + 1);
    }
}

static int is_salted(const struct canary__cold *cold) {
    return cold->start.absorbed + cold->start.tail_size > 0;
}

struct canary__pins *canary__snapshot_block(canary_ctx *ctx, uint64_t words) {
    struct canary__cold *cold = canary__ctx_cold(ctx);
    struct canary__pins *block;

    for (block = cold->blocks; block != NULL; block = block->next) {
        if (block != cold->current && block->length >= words) {
            return block;
        }
    }
    /* Blocks are kept mapped till the end, for readers that still hold their address; growing by
     * half keeps the sum of all of them within a few times the greatest. */
    block = canary__pins_new(cold->hooks, words + words / 2);
    if (block != NULL) {
        block->next = cold->blocks;
        cold->blocks = block;
    }
    return block;
}

/* Kill and publication each store one of two places and then look at the other; without a total
 * order both could see the other's old value, and a kill would be lost until the next publication.
 * Hence sequential consistency on these accesses, and a loop until word and flag agree. */
void canary__snapshot_sync(canary_ctx *ctx) {
    struct canary__cold *cold = canary__ctx_cold(ctx);

    for (;;) {
        uint64_t word = atomic_load_explicit(&ctx->word, memory_order_seq_cst);
        uint64_t bit = atomic_load_explicit(&cold->killed_local, memory_order_seq_cst) != 0
                           ? CANARY__WORD_KILLED_LOCAL
                           : 0;

        /* In a child that has not decided yet the word stays 0: its first decision puts back the
         * inherited state and then comes here. */
        if (word == 0 || (word & CANARY__WORD_KILLED_LOCAL) == bit) {
            return;
        }
        atomic_compare_exchange_strong_explicit(&ctx->word, &word,
                                                (word & ~CANARY__WORD_KILLED_LOCAL) | bit,
                                                memory_order_seq_cst, memory_order_relaxed);
    }
}

/* The bit as it is in `word`; of a word that fork has wiped, as the cold data have it: until
 * canary__snapshot_sync() a thread could decide without the kill. */
static uint64_t local_kill(struct canary__cold *cold, uint64_t word) {
    if (word != 0) {
        return word & CANARY__WORD_KILLED_LOCAL;
    }
    return atomic_load_explicit(&cold->killed_local, memory_order_seq_cst) != 0
               ? CANARY__WORD_KILLED_LOCAL
               : 0;
}

/* Replaces the word and never touches the local kill: setting and clearing it is for those who kill
 * and revive. Were it done here as well, a thread held up between its look and its exchange could
 * undo a kill that came after: the word may have gone and come back in between. Only a word that
 * fork has wiped has lost the kill, and nobody else puts it back there.
 *
 * Answers 1 when it was such a word. */
static int store_word(canary_ctx *ctx, uint64_t next) {
    uint64_t word = atomic_load_explicit(&ctx->word, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(&ctx->word, &word,
                                                  next | local_kill(canary__ctx_cold(ctx), word),
                                                  memory_order_seq_cst, memory_order_relaxed)) {
    }
    if (word == 0) {
        canary__snapshot_sync(ctx);
    }
    return word == 0;
}

/* Slots that name another block than the current one are taken out of use, so that their block can
 * be rebuilt: a reader that still goes by such a slot finds its generation gone and begins again.
 */
static void retire_slots(struct canary__cold *cold) {
    for (unsigned i = 0; i < CANARY__RING; i++) {
        struct canary__slot *slot = &cold->ring[i];
        struct canary__pins *pins = atomic_load_explicit(&slot->pins, memory_order_relaxed);

        if (pins != NULL && pins != cold->current) {
            atomic_store_explicit(&slot->generation, 0, memory_order_release);
        }
    }
}

void canary__snapshot_publish(canary_ctx *ctx, const struct canary__state *state) {
    struct canary__cold *cold = canary__ctx_cold(ctx);
    uint64_t generation = (cold->generation + 1) & (UINT64_MAX >> CANARY__WORD_SHIFT);
    struct canary__slot *slot;
    uint64_t word;

    if (generation == 0) {
        generation = 1;
    }
    cold->generation = generation;
    slot = &cold->ring[generation % CANARY__RING];
    atomic_store_explicit(&slot->generation, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->revision, state->revision, memory_order_release);
    atomic_store_explicit(&slot->stage_and_percentage,
                          (uint64_t)(uint32_t)(state->stage + 1) << 32 | state->percentage_bp,
                          memory_order_release);
    atomic_store_explicit(&slot->pins, state->pins, memory_order_release);
    atomic_store_explicit(&slot->generation, generation, memory_order_release);

    word = constant_bits(cold) | generation << CANARY__WORD_SHIFT |
           canary__share_of(state->effective_bp) |
           (state->effective_bp % CANARY_BP_MAX != 0 ? CANARY__WORD_SPLIT : 0) |
           (state->loaded ? CANARY__WORD_LOADED : 0) | (state->killed ? CANARY__WORD_KILLED : 0) |
           (state->pins != NULL ? CANARY__WORD_PINS : 0) |
           (is_salted(cold) ? CANARY__WORD_SALT : 0);
    fill_line(ctx, cold);
    atomic_store_explicit(&cold->word, word, memory_order_release);
    /* A child whose first act is a refresh or a change finds the word made anew by its first
     * decision, which would otherwise have started the watcher. */
    if (store_word(ctx, word) && cold->published) {
        cold->after_fork(cold->owner);
    }
    cold->published = 1;
    cold->current = state->pins;
    retire_slots(cold);
}

/* Out of line: once in the life of a child. Any number of threads may come here at once; all store
 * the same values. */
static __attribute__((noinline, cold)) uint64_t revive_in_child(canary_ctx *ctx) {
    struct canary__cold *cold = canary__ctx_cold(ctx);
    uint64_t none = 0;
    uint64_t word = atomic_load_explicit(&cold->word, memory_order_acquire) | local_kill(cold, 0);

    fill_line(ctx, cold);
    /* Only from 0: the child's own watcher may have published something newer meanwhile. */
    if (atomic_compare_exchange_strong_explicit(&ctx->word, &none, word, memory_order_seq_cst,
                                                memory_order_acquire)) {
        canary__snapshot_sync(ctx);
        cold->after_fork(cold->owner);
    }
    return atomic_load_explicit(&ctx->word, memory_order_acquire);
}

uint64_t canary__snapshot_word(canary_ctx *ctx) {
    uint64_t word = atomic_load_explicit(&ctx->word, memory_order_acquire);

    return __builtin_expect(word != 0, 1) ? word : revive_in_child(ctx);
}

int canary__snapshot_view(canary_ctx *ctx, uint64_t word, struct canary__view *view) {
    struct canary__slot *slot = canary__snapshot_slot(ctx, word);
    uint64_t both;

    if (atomic_load_explicit(&slot->generation, memory_order_acquire) !=
        word >> CANARY__WORD_SHIFT) {
        return -1;
    }
    view->word = word;
    view->revision = atomic_load_explicit(&slot->revision, memory_order_acquire);
    both = atomic_load_explicit(&slot->stage_and_percentage, memory_order_acquire);
    view->stage = (int32_t)(uint32_t)(both >> 32) - 1;
    view->percentage_bp = (uint32_t)both;
    return canary__snapshot_holds(ctx, word) ? 0 : -1;
}
