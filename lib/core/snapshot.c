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
    atomic_init(&cold->limit, CANARY__SHARE_ALL);
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

static uint64_t with_share(uint64_t word, uint32_t share) {
    return (word & ~(CANARY__WORD_SHARE | CANARY__WORD_SPLIT)) | share |
           (share != 0 && share != CANARY__SHARE_ALL ? CANARY__WORD_SPLIT : 0);
}

/* A word with the published share becomes one that decisions can go by. */
static uint64_t with_limit(uint64_t word, uint32_t limit) {
    uint32_t share = (uint32_t)(word & CANARY__WORD_SHARE);

    return (with_share(word, share < limit ? share : limit) &
            ~(CANARY__WORD_SHARE << CANARY__WORD_LIMIT)) |
           (uint64_t)limit << CANARY__WORD_LIMIT;
}

static uint32_t limit_of(uint64_t word) {
    return (uint32_t)(word >> CANARY__WORD_LIMIT & CANARY__WORD_SHARE);
}

/* Kill and publication each store one of two places and then look at the other; without a total
 * order both could see the other's old value, and a kill would be lost until the next publication.
 * Hence sequential consistency on these accesses, and a loop until word and cold data agree. The local
 * cap is the same case. */
void canary__snapshot_sync(canary_ctx *ctx) {
    struct canary__cold *cold = canary__ctx_cold(ctx);

    for (;;) {
        uint64_t word = atomic_load_explicit(&ctx->word, memory_order_seq_cst);
        uint64_t bit = atomic_load_explicit(&cold->killed_local, memory_order_seq_cst) != 0
                           ? CANARY__WORD_KILLED_LOCAL
                           : 0;
        uint32_t limit = atomic_load_explicit(&cold->limit, memory_order_seq_cst);
        struct canary__view view;
        uint64_t next = word;

        /* In a child that has not decided yet the word stays 0: its first decision puts back the
         * inherited state and then comes here. */
        if (word == 0 || ((word & CANARY__WORD_KILLED_LOCAL) == bit && limit_of(word) == limit)) {
            return;
        }
        if (limit_of(word) != limit) {
            /* Of this word, not of a newer one that is on its way: the cap is to hold when the call
             * that puts it returns. */
            if (canary__snapshot_view(ctx, word, &view) != 0) {
                continue;
            }
            next = with_limit(with_share(word, canary__share_of(view.effective_bp)), limit);
        }
        atomic_compare_exchange_strong_explicit(&ctx->word, &word,
                                                (next & ~CANARY__WORD_KILLED_LOCAL) | bit,
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

/* The same for the cap. */
static uint32_t local_limit(struct canary__cold *cold, uint64_t word) {
    return word != 0 ? limit_of(word) : atomic_load_explicit(&cold->limit, memory_order_seq_cst);
}

/* A published word with what is local to the process, as it stands in the word to be replaced. */
static uint64_t localized(struct canary__cold *cold, uint64_t published, uint64_t replaced) {
    return with_limit(published, local_limit(cold, replaced)) | local_kill(cold, replaced);
}

/* Replaces the word and never touches the local kill and the local cap: changing them is for those who
 * kill, revive and limit. Were it done here as well, a thread held up between its look and its
 * exchange could undo a kill that came after: the word may have gone and come back in between. Only a
 * word that fork has wiped has lost them, and nobody else puts them back there.
 *
 * Answers 1 when it was such a word. */
static int store_word(canary_ctx *ctx, uint64_t next) {
    struct canary__cold *cold = canary__ctx_cold(ctx);
    uint64_t word = atomic_load_explicit(&ctx->word, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(&ctx->word, &word, localized(cold, next, word),
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
    atomic_store_explicit(&slot->numbers,
                          (uint64_t)(uint32_t)(state->stage + 1) << 32 |
                              (uint64_t)state->effective_bp << 16 | state->percentage_bp,
                          memory_order_release);
    atomic_store_explicit(&slot->pins, state->pins, memory_order_release);
    atomic_store_explicit(&slot->generation, generation, memory_order_release);

    word = constant_bits(cold) | generation << CANARY__WORD_SHIFT |
           (state->loaded ? CANARY__WORD_LOADED : 0) | (state->killed ? CANARY__WORD_KILLED : 0) |
           (state->pins != NULL ? CANARY__WORD_PINS : 0) |
           (is_salted(cold) ? CANARY__WORD_SALT : 0);
    word = with_share(word, canary__share_of(state->effective_bp));
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
    uint64_t word = localized(cold, atomic_load_explicit(&cold->word, memory_order_acquire), 0);

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
    uint64_t numbers;

    if (atomic_load_explicit(&slot->generation, memory_order_acquire) !=
        word >> CANARY__WORD_SHIFT) {
        return -1;
    }
    view->word = word;
    view->revision = atomic_load_explicit(&slot->revision, memory_order_acquire);
    numbers = atomic_load_explicit(&slot->numbers, memory_order_acquire);
    view->stage = (int32_t)(uint32_t)(numbers >> 32) - 1;
    view->percentage_bp = (uint32_t)numbers & 0xffff;
    view->effective_bp = (uint32_t)numbers >> 16;
    return canary__snapshot_holds(ctx, word) ? 0 : -1;
}

uint32_t canary__snapshot_limited(canary_ctx *ctx, uint32_t effective_bp) {
    uint32_t limit =
        canary__share_bp(atomic_load_explicit(&canary__ctx_cold(ctx)->limit, memory_order_relaxed));

    return effective_bp < limit ? effective_bp : limit;
}
