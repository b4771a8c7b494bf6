/* SPDX-License-Identifier: MIT */
/* The floor under a decision: one bare SHA-256 block, ready made, from the initial state to its
 * first word, by the best instructions of this processor. Written for this purpose alone and
 * sharing nothing with the library, which it judges. */
#ifndef BENCH_BLOCK_H
#define BENCH_BLOCK_H

#include <stdint.h>

/* The first word of the hash whose last block is `block`, and only one. */
typedef uint32_t (*bench_block_fn)(const unsigned char *block);

struct bench_block {
    const char *name;
    bench_block_fn one;
};

/* The best one that works here. Ends the program when it does not answer as libsodium does. */
struct bench_block bench_block_best(void);
/* libsodium's transformation, without padding and output. */
struct bench_block bench_block_sodium(void);

/* Loops for bench_case in the shape of those of subject.h; the data is a struct bench_blocks. */
struct bench_blocks {
    bench_block_fn one;
    const unsigned char (*blocks)[64];
};

void bench_blocks_run(void *data, uint64_t count);
void bench_blocks_dependent(void *data, uint64_t count);

#endif
