/* SPDX-License-Identifier: MIT */
#include "subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "timing.h"

static void *get(size_t size) {
    void *block = aligned_alloc(64, (size + 63) / 64 * 64);

    if (block == NULL) {
        bench_die("memory", "none left");
    }
    return block;
}

/* Looks like a UUID, as far as it goes; the same in every run. */
static void fill(char *text, uint32_t size, uint64_t number) {
    uint64_t state = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

    for (uint32_t i = 0; i < size; i++) {
        uint32_t at = i % 37;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text[i] =
            at == 8 || at == 13 || at == 18 || at == 23 ? '-' : "0123456789abcdef"[state >> 60];
    }
    text[size] = '\0';
}

struct bench_ids *bench_ids_new(uint32_t size) {
    struct bench_ids *ids = get(sizeof *ids);
    char *text = get((size_t)(size + 1) * BENCH_IDS);

    memset(ids, 0, sizeof *ids);
    ids->size = size;
    for (uint32_t i = 0; i < BENCH_IDS; i++, text += size + 1) {
        fill(text, size, i);
        ids->text[i] = text;
        ids->users[i].id = text;
        ids->users[i].size = size;
        if (size <= 55) {
            memcpy(ids->blocks[i], text, size);
            ids->blocks[i][size] = 0x80;
            ids->blocks[i][62] = (unsigned char)(size * 8 >> 8);
            ids->blocks[i][63] = (unsigned char)(size * 8);
        }
    }
    return ids;
}

static void must(int code, const canary_error *error, const char *what) {
    if (code != CANARY_OK) {
        bench_die(what, error->message);
    }
}

static void pin_some(canary_store *store, enum bench_pins pins, const struct bench_ids *ids) {
    enum { OTHERS = 100 };
    canary_error error = CANARY_ERROR_INIT;
    char names[OTHERS][24];
    const void *all[OTHERS + BENCH_IDS];
    uint64_t sizes[OTHERS + BENCH_IDS];
    uint64_t count = 0;

    for (; count < OTHERS; count++) {
        snprintf(names[count], sizeof names[0], "pinned-%d", (int)count);
        all[count] = names[count];
        sizes[count] = strlen(names[count]);
    }
    for (int i = 0; pins == BENCH_ALL_PINNED && i < BENCH_IDS; i++, count++) {
        all[count] = ids->text[i];
        sizes[count] = ids->size;
    }
    must(
        canary_override_set_many(store, "bench", all, sizes, count, CANARY_NEW, NULL, NULL, &error),
        &error, "override");
}

canary_ctx *bench_ctx(uint32_t percentage_bp, const char *salt, enum bench_pins pins,
                      const struct bench_ids *ids) {
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "bench", .salt = salt };
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;

    must(canary_store_open_memory(NULL, &store, &error), &error, "open");
    must(canary_create(store, &spec, NULL, NULL, &error), &error, "create");
    if (pins != BENCH_NO_PINS) {
        pin_some(store, pins, ids);
    }
    if (percentage_bp > 0) {
        must(canary_set_percentage(store, "bench", percentage_bp, NULL, NULL, NULL, &error), &error,
             "set");
    }
    must(canary_open_in(store, "bench", NULL, &ctx, &error), &error, "open");
    canary_store_close(&store);
    return ctx;
}

void bench_text(void *data, uint64_t count) {
    const struct bench_subject *subject = data;
    canary_ctx *ctx = subject->ctx;
    const char *const *text = subject->ids->text;
    uint64_t chosen = 0;

#define ONE(i) (unsigned)canary_should_use_new(ctx, text[(i) % BENCH_IDS])
    for (uint64_t i = 0; i < count; i += 8) {
        chosen += BENCH_EIGHT(ONE, i);
    }
#undef ONE
    bench_use(chosen);
}

void bench_bytes(void *data, uint64_t count) {
    const struct bench_subject *subject = data;
    canary_ctx *ctx = subject->ctx;
    const canary_user *users = subject->ids->users;
    uint64_t chosen = 0;

#define ONE(i)                                                                                     \
    (unsigned)canary_should_use_new_n(ctx, users[(i) % BENCH_IDS].id, users[(i) % BENCH_IDS].size)
    for (uint64_t i = 0; i < count; i += 8) {
        chosen += BENCH_EIGHT(ONE, i);
    }
#undef ONE
    bench_use(chosen);
}

void bench_text_dependent(void *data, uint64_t count) {
    const struct bench_subject *subject = data;
    canary_ctx *ctx = subject->ctx;
    const char *const *text = subject->ids->text;
    uint64_t at = 0;

    for (uint64_t i = 0; i < count; i++) {
        at += 1 + (unsigned)canary_should_use_new(ctx, text[at % BENCH_IDS]);
    }
    bench_use(at);
}

void bench_bytes_dependent(void *data, uint64_t count) {
    const struct bench_subject *subject = data;
    canary_ctx *ctx = subject->ctx;
    const canary_user *users = subject->ids->users;
    uint64_t at = 0;

    for (uint64_t i = 0; i < count; i++) {
        const canary_user *user = &users[at % BENCH_IDS];

        at += 1 + (unsigned)canary_should_use_new_n(ctx, user->id, user->size);
    }
    bench_use(at);
}

void bench_many(void *data, uint64_t count) {
    const struct bench_subject *subject = data;
    uint64_t chosen = 0;

    while (count > 0) {
        uint64_t size = count < subject->batch_size ? count : subject->batch_size;

        chosen += canary_decide_many(subject->ctx, subject->batch, size, subject->cohorts);
        count -= size;
    }
    bench_use(chosen);
}

void bench_batch(struct bench_subject *subject, uint64_t size) {
    subject->batch = get(size * sizeof *subject->batch);
    subject->cohorts = get(size);
    subject->batch_size = size;
    for (uint64_t i = 0; i < size; i++) {
        subject->batch[i] = subject->ids->users[i % BENCH_IDS];
    }
}
