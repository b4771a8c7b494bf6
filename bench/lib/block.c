/* SPDX-License-Identifier: MIT */
#include "block.h"

#include <sodium/crypto_hash_sha256.h>
#include <string.h>

#include "block_kernels.h"
#include "record.h"
#include "subject.h"
#include "timing.h"

static uint32_t sodium_block(const unsigned char *block) {
    crypto_hash_sha256_state state;

    /* A whole block given at once is hashed where it lies. */
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, block, 64);
    return state.state[0];
}

struct bench_block bench_block_sodium(void) {
    return (struct bench_block){ "libsodium", sodium_block };
}

static void prove(struct bench_block block) {
    for (uint32_t round = 0; round < 1000; round++) {
        unsigned char bytes[64];

        for (unsigned i = 0; i < sizeof bytes; i++) {
            bytes[i] = (unsigned char)((round * 131 + i) * 2654435761u >> 13);
        }
        if (block.one(bytes) != sodium_block(bytes)) {
            bench_die(block.name, "the bare block gives another hash than libsodium");
        }
    }
}

struct bench_block bench_block_best(void) {
    bench_block_fn native = bench_block_native();
    struct bench_block best = bench_block_sodium();

    if (native != NULL) {
        best = (struct bench_block){ bench_block_native_name, native };
        prove(best);
    }
    return best;
}

void bench_blocks_run(void *data, uint64_t count) {
    const struct bench_blocks *subject = data;
    bench_block_fn one = subject->one;
    uint64_t chosen = 0;

#define ONE(i) one(subject->blocks[(i) % BENCH_IDS])
    for (uint64_t i = 0; i < count; i += 8) {
        chosen += BENCH_EIGHT(ONE, i);
    }
#undef ONE
    bench_use(chosen);
}

void bench_blocks_dependent(void *data, uint64_t count) {
    const struct bench_blocks *subject = data;
    bench_block_fn one = subject->one;
    uint64_t at = 0;

    for (uint64_t i = 0; i < count; i++) {
        at += 1 + (one(subject->blocks[at % BENCH_IDS]) & 1);
    }
    bench_use(at);
}
