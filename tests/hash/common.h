/* SPDX-License-Identifier: MIT */
/* What the tests of the hash share: the right answers, the kernels to test, numbers that can be
 * repeated. */
#ifndef HASH_COMMON_H
#define HASH_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/hash.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { LENGTH_MAX = 10000, PREFIX_MAX = 129 };

/* `h` by libsodium's one call, of the bytes put one behind the other: nothing of the library has a
 * part in it. */
uint32_t hash_right(const char *prefix, size_t prefix_size, const void *id, size_t size);

/* The kernels that this processor can run; the others are named once. */
size_t hash_kernels(const struct canary__hash_kernel **kernels, size_t room);

/* Lengths worth a closer look: all below four blocks, then those around the end of a block. */
size_t hash_next_length(size_t length);

/* SplitMix64, from the seed that the run printed. */
uint64_t hash_random(uint64_t *state);
uint64_t hash_seed(void);
void hash_fill(void *bytes, size_t size, uint64_t *state);

#endif
