/* SPDX-License-Identifier: MIT */
/* Public structs of older and newer callers. Their first member is a uint32_t `size`. */
#ifndef CANARY__JUDGE_SIZED_H
#define CANARY__JUDGE_SIZED_H

#include <stddef.h>
#include <stdint.h>

/* Copies the input struct `from` (any size the caller knows) over `to`, which holds the defaults
 * and is `known` bytes here. Returns 0, or -1 when the size is below `minimum` (the struct's first
 * release, never sizeof of today's) or bytes we do not know are not zero: a newer caller wants
 * something this library cannot do. */
int canary__judge_sized_in(void *to, const void *from, size_t known, size_t minimum);

/* Copies the result `from` (`known` bytes) into the caller's `to` up to to->size, keeping that
 * size; what a newer caller has beyond is zeroed. Returns 0, or -1 when `to` is NULL or its size is
 * none. */
int canary__judge_sized_out(void *to, const void *from, size_t known);

/* What the function twins of the ..._INIT macros do: zeroes `size` bytes and sets the size, then copies
 * the defaults behind it that the caller knows. */
void canary__judge_sized_init(void *to, uint32_t size, const void *defaults, size_t known);

#endif
