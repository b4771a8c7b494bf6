/* SPDX-License-Identifier: MIT */
/* The kernels there are, for hash.c, which chooses among them. */
#ifndef CANARY__HASH_KERNELS_H
#define CANARY__HASH_KERNELS_H

#include "core/hash.h"

/* The round constants of FIPS 180-4, 4.2.2, and the initial value, 5.3.3. */
extern _Alignas(64) const uint32_t canary__sha256_k[64];
extern const uint32_t canary__sha256_initial[8];

uint32_t canary__hash_sodium_one(const struct canary__hash_start *start, const void *id,
                                 size_t size);
void canary__hash_sodium_many(const struct canary__hash_start *start, const canary_user *users,
                              size_t count, uint32_t *hashes);

/* Kernels are compiled with attributes of their functions, so that whoever builds the library needs
 * no flags and no instruction of theirs leaks into code that runs everywhere. */
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define CANARY__HASH_X86 1

uint32_t canary__hash_shani_one(const struct canary__hash_start *start, const void *id,
                                size_t size);
void canary__hash_shani_many(const struct canary__hash_start *start, const canary_user *users,
                             size_t count, uint32_t *hashes);
void canary__hash_avx2_many(const struct canary__hash_start *start, const canary_user *users,
                            size_t count, uint32_t *hashes);
void canary__hash_avx512_many(const struct canary__hash_start *start, const canary_user *users,
                              size_t count, uint32_t *hashes);
#endif

#if defined(__aarch64__) && defined(__AARCH64EL__)
#define CANARY__HASH_ARM 1

uint32_t canary__hash_armv8_one(const struct canary__hash_start *start, const void *id,
                                size_t size);
void canary__hash_armv8_many(const struct canary__hash_start *start, const canary_user *users,
                             size_t count, uint32_t *hashes);
#endif

#endif
