/* SPDX-License-Identifier: MIT */
/* Loading overrides. A set whose digest matches the signed row is taken as it is. Any other set is
 * in doubt: pins to `old` are taken from it and from the last good set, pins to `new` only where
 * both have them. */
#include <canary/decide.h>

#include <string.h>

#include "base/fail.h"
#include "control/follow.h"
#include "core/hash.h"

/* The rows as read: pins whose ids lie one after the other in `bytes`. */
struct gathering {
    struct canary__follower *follower;
    struct canary__pin *pins;
    uint64_t count;
    uint64_t room;
    unsigned char *bytes;
    uint64_t used;
    uint64_t size;
    uint64_t padded; /* bytes rounded up to words, id by id */
    uint32_t news;
    uint32_t olds;
    uint8_t digest[32];
    int misfit;
    int out_of_memory;
};

static const struct canary__hooks *hooks_of(const struct gathering *g) {
    return &g->follower->store->hooks;
}

static int grow(struct gathering *g, uint64_t id_size) {
    if (g->count == g->room) {
        uint64_t room = g->room == 0 ? 64 : g->room * 2;
        void *more = canary__realloc(hooks_of(g), g->pins, g->room * sizeof *g->pins,
                                     room * sizeof *g->pins);

        if (more == NULL) {
            return -1;
        }
        g->pins = more;
        g->room = room;
    }
    if (g->bytes == NULL || g->size - g->used < id_size) {
        uint64_t size = (g->size + id_size) * 2 + 4096;
        void *more = canary__realloc(hooks_of(g), g->bytes, g->size, size);

        if (more == NULL) {
            return -1;
        }
        g->bytes = more;
        g->size = size;
    }
    return 0;
}

/* Ids are kept by offset while `bytes` may still move. */
static int add(struct gathering *g, const void *id, uint64_t size, int cohort) {
    struct canary__pin *pin;

    if (grow(g, size) != 0) {
        g->out_of_memory = 1;
        return -1;
    }
    pin = &g->pins[g->count++];
    memset(pin, 0, sizeof *pin);
    pin->id = (const void *)(uintptr_t)g->used;
    pin->size = size;
    pin->cohort = cohort;
    memcpy(g->bytes + g->used, id, size);
    g->used += size;
    g->padded += (size + 7) / 8 * 8;
    if (cohort == CANARY_NEW) {
        g->news++;
    } else {
        g->olds++;
    }
    return 0;
}

static int take_override(void *user_data, const canary_storage_row *row) {
    struct gathering *g = user_data;
    const canary_storage_value *id = &row->values[1];
    const canary_storage_value *cohort = &row->values[2];

    if (row->count < 3 || id->type != CANARY_VALUE_BLOB || id->size == 0 || id->size > UINT32_MAX ||
        cohort->type != CANARY_VALUE_INTEGER ||
        (cohort->integer != CANARY_OLD && cohort->integer != CANARY_NEW)) {
        g->misfit = 1;
        return 0;
    }
    canary__row_toggle(g->digest, g->follower->name, id->data, id->size, (int)cohort->integer);
    return add(g, id->data, id->size, (int)cohort->integer);
}

static void settle_ids(struct gathering *g) {
    for (uint64_t i = 0; i < g->count; i++) {
        g->pins[i].id = g->bytes + (uintptr_t)g->pins[i].id;
    }
}

static void gathering_free(struct gathering *g) {
    canary__free(hooks_of(g), g->pins, g->room * sizeof *g->pins);
    canary__free(hooks_of(g), g->bytes, g->size);
}

/* Pins to `old` of the last good set stay. */
static int keep_old(void *user_data, const void *id, uint64_t size, int cohort) {
    return cohort == CANARY_OLD ? add(user_data, id, size, CANARY_OLD) : 0;
}

/* 0 when merged into `result`. */
static int merge(struct gathering *rows, struct gathering *result) {
    struct canary__follower *f = rows->follower;

    if (f->pins != NULL && canary__pins_each(f->pins, keep_old, result) != 0) {
        return -1;
    }
    for (uint64_t i = 0; i < rows->count; i++) {
        const struct canary__pin *pin = &rows->pins[i];
        int before =
            f->pins != NULL ? canary__pins_find(f->pins, pin->id, pin->size) : CANARY__PIN_NONE;

        if (before == CANARY_OLD || (pin->cohort == CANARY_NEW && before != CANARY_NEW)) {
            continue;
        }
        if (add(result, pin->id, pin->size, pin->cohort) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Builds the set and makes it the follower's. */
static int install(struct gathering *g) {
    struct canary__follower *f = g->follower;
    struct canary__pins *block = NULL;

    if (g->count > 0) {
        struct canary__cold *cold = canary__ctx_cold(f->ctx);

        block = canary__snapshot_block(f->ctx, canary__pins_words(g->count, g->padded));
        if (block == NULL) {
            return -1;
        }
        for (uint64_t i = 0; i < g->count; i++) {
            if (g->pins[i].cohort == CANARY_OLD) {
                g->pins[i].hash =
                    canary__hash_one(&cold->start, g->pins[i].id, (size_t)g->pins[i].size);
            }
        }
        canary__pins_build(block, g->pins, g->count);
    }
    f->pins = block;
    f->pins_new = g->news;
    f->pins_old = g->olds;
    return 0;
}

static int is_signed_set(const struct gathering *g) {
    const struct canary__follower *f = g->follower;
    uint8_t expected[32];

    return !g->misfit && (f->doubt & CANARY_DOUBT_ROLLOUT) == 0 && !f->store->trail_doubt &&
           canary__row_digest_parse(f->good.overrides_digest, expected) == 0 &&
           memcmp(expected, g->digest, sizeof expected) == 0;
}

static int settle(struct gathering *g) {
    struct canary__follower *f = g->follower;
    struct gathering result = { .follower = f };
    int outcome;

    if (is_signed_set(g)) {
        outcome = install(g);
        if (outcome == 0) {
            f->doubt &= ~CANARY_DOUBT_OVERRIDES;
            f->pins_known = 1;
            f->pins_unsafe = 0;
            memcpy(f->pins_digest, f->good.overrides_digest, sizeof f->pins_digest);
        }
        return outcome;
    }
    /* With the rollout's row in doubt the digest proves nothing against the overrides. */
    if ((f->doubt & CANARY_DOUBT_ROLLOUT) == 0) {
        f->doubt |= CANARY_DOUBT_OVERRIDES;
    }
    if (!f->pins_known) {
        f->pins_unsafe = f->good.overrides_old > 0;
    }
    outcome = merge(g, &result);
    if (outcome == 0) {
        settle_ids(&result);
        outcome = install(&result);
        f->pins_digest[0] = '\0';
    }
    gathering_free(&result);
    return outcome;
}

int canary__follow_pins(struct canary__follower *f, void *transaction, int always,
                        canary_error *error) {
    canary_storage_value key = canary__value_text(f->name);
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 1, .key = &key };
    struct gathering g = { .follower = f };
    int code;

    if (!f->loaded || (!always && strcmp(f->pins_digest, f->good.overrides_digest) == 0)) {
        return CANARY_OK;
    }
    code = f->store->methods.read(transaction, CANARY_TABLE_OVERRIDES, &range, take_override, &g,
                                  error);
    if (code == CANARY_OK && !g.out_of_memory) {
        settle_ids(&g);
        g.out_of_memory = settle(&g) != 0;
    }
    if ((code != CANARY_OK || g.out_of_memory) && f->good.overrides_old > 0 &&
        (!f->pins_known || strcmp(f->pins_digest, f->good.overrides_digest) != 0)) {
        /* The new set may hold pins to `old` that the one in force does not. */
        f->pins_unsafe = 1;
    }
    if (code == CANARY_OK && g.out_of_memory) {
        f->pins_digest[0] = '\0';
        code = canary__fail(error, CANARY_E_NOMEM, 0,
                            "out of memory for the overrides of \"%s\": everybody gets `old` "
                            "until they fit",
                            f->name);
    }
    gathering_free(&g);
    return code;
}
