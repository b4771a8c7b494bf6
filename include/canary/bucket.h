/* SPDX-License-Identifier: MIT */
/* Algorithm 1: which place on the ramp a user has. A frozen contract and part of the ABI.
 *
 *     bytes  = user_id                       when the salt is empty
 *            = salt ":" user_id              otherwise
 *     h      = the first four bytes of SHA-256(bytes), big-endian
 *     bucket = (h % 100) * 100 + (h / 100) % 100          0 to 9999
 *     new    = bucket < percentage in basis points
 *
 * At whole percentages this is "h % 100 < percentage", user for user. SHA-256 is FIPS 180-4.
 * Known answers: "alice" h=735577801 bucket 178; "bob" h=2176202712 bucket 1227; "user-1"
 * h=3334638052 bucket 5280; "alice" with salt "spring" h=196761749 bucket 4917. */
#ifndef CANARY_BUCKET_H
#define CANARY_BUCKET_H

#include <canary/export.h>

CANARY_BEGIN_DECLS

#define CANARY_ALGORITHM_SHA256 1 /* the id stored with a rollout */
#define CANARY_BUCKETS 10000u
#define CANARY_BUCKET_NONE 0xffffffffu /* in results: none, the user id was invalid */
#define CANARY_BP_MAX 10000u           /* 100 % in basis points */

/* Writes `h` of algorithm 1 to `*hash`. `salt` is NUL-terminated, NULL or "" means none; `user_id`
 * is `user_id_size` bytes, any bytes.
 * Thread: any thread. Blocking: wait-free, no allocation, signal-safe.
 * Errors: CANARY_E_INVALID when `hash` or `user_id` is NULL, `user_id_size` is 0, or the salt is
 * longer than CANARY_SALT_MAX; then `*hash` is left as it was. */
CANARY_API int canary_hash_user(const char *salt, const void *user_id, uint64_t user_id_size,
                                uint32_t *hash);

/* The bucket of a hash, 0 to 9999; integer arithmetic only.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API uint32_t canary_bucket_from_hash(uint32_t hash);

CANARY_END_DECLS

#endif
