/* SPDX-License-Identifier: MIT */
/* What is measured: ids, and contexts in every state. */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <canary/canary.h>

/* As many ids take turns, so that no call can be left out or foreseen. They, and the blocks made of
 * them, stay in the first-level cache (those of 200 bytes partly in the second). */
enum { BENCH_IDS = 128 };

struct bench_ids {
    uint32_t size;
    const char *text[BENCH_IDS]; /* NUL-terminated, one behind the other: at every alignment */
    canary_user users[BENCH_IDS];
    /* The one block that SHA-256 makes of an id without salt; where it is one (up to 55 bytes). */
    unsigned char blocks[BENCH_IDS][64];
};

struct bench_ids *bench_ids_new(uint32_t size);

enum bench_pins { BENCH_NO_PINS, BENCH_OTHERS_PINNED, BENCH_ALL_PINNED };

/* A rollout in a store in memory. `salt` may be NULL. With pins, 100 users have one: others than
 * `ids`, or the ids themselves besides. */
canary_ctx *bench_ctx(uint32_t percentage_bp, const char *salt, enum bench_pins pins,
                      const struct bench_ids *ids);

struct bench_subject {
    canary_ctx *ctx;
    const struct bench_ids *ids;
    canary_user *batch; /* for bench_many() */
    uint64_t batch_size;
    uint8_t *cohorts;
};

/* Loops for bench_case: one decision a time; the data is a struct bench_subject. */
void bench_text(void *data, uint64_t count);
void bench_bytes(void *data, uint64_t count);
/* The next id is known only by the answer before: nothing overlaps. */
void bench_text_dependent(void *data, uint64_t count);
void bench_bytes_dependent(void *data, uint64_t count);
/* `batch_size` users a call; counts users. */
void bench_many(void *data, uint64_t count);

/* Repeats the ids until there are `size` users. */
void bench_batch(struct bench_subject *subject, uint64_t size);

#endif
