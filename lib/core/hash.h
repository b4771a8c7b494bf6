/* SPDX-License-Identifier: MIT */
/* `h` of algorithm 1 (<canary/bucket.h>), by the fastest means this machine has.
 *
 * A kernel is one way to compute it. libsodium is the reference and what is left when nothing
 * faster can be used. The choice is made at the first use, by whichever thread comes first: it
 * is the same for all of them, so that it does not matter who stores it. A kernel is taken only
 * after it gave libsodium's answers to a set of questions. */
#ifndef CANARY__HASH_H
#define CANARY__HASH_H

#include <canary/context.h>
#include <canary/decide.h>

#include <sodium/crypto_hash_sha256.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A hash that has absorbed a prefix: the salt and its colon. */
struct canary__hash_start {
    uint32_t state[8]; /* after the whole blocks of the prefix */
    uint32_t abef[4];  /* the same, f, e, b, a and h, g, d, c: as x86 wants them */
    uint32_t cdgh[4];
    uint32_t absorbed;      /* their bytes */
    uint32_t tail_size;     /* 0 to 63: the rest of the prefix */
    unsigned char tail[64]; /* followed by zeros */
    crypto_hash_sha256_state sodium;
};

/* `id` may be NULL when `size` is 0. `start` is never NULL. */
typedef uint32_t (*canary__hash_one_fn)(const struct canary__hash_start *start, const void *id,
                                        size_t size);
/* The hash of users[i] to hashes[i]; a user without id counts as an empty one. */
typedef void (*canary__hash_many_fn)(const struct canary__hash_start *start,
                                     const canary_user *users, size_t count, uint32_t *hashes);

struct canary__hash_kernel {
    const char *name;
    uint32_t mark;             /* CANARY_HASH_... */
    unsigned features;         /* set of CANARY__CPU_... that it needs */
    unsigned slow;             /* set of CANARY__CPU_... with which others are faster */
    canary__hash_one_fn one;   /* NULL: for many at once only */
    canary__hash_many_fn many; /* NULL: no better than one by one */
};

/* Every kernel of this build, best first; the last one is libsodium. For one id the first usable
 * one that has `one`, for many the first usable one that has `many`. */
extern const struct canary__hash_kernel canary__hash_kernels[];
extern const size_t canary__hash_kernel_count;

/* The outcome of a choice. */
struct canary__hash_choice {
    const struct canary__hash_kernel *one;
    const struct canary__hash_kernel *many;
    uint32_t
        dropped; /* marks of kernels that this machine could use and whose answers were wrong */
    int refused; /* a kernel was asked for by name that there is not */
};

/* Chooses among `count` kernels for a machine with `features`. `wanted` is the value of
 * CANARY_SHA256 or NULL. The last kernel must be the reference. */
void canary__hash_choose(const struct canary__hash_kernel *kernels, size_t count, unsigned features,
                         const char *wanted, struct canary__hash_choice *choice);

/* 1 when the kernel answers as libsodium does. */
int canary__hash_prove(const struct canary__hash_kernel *kernel);

/* The choice of this process, made now if it was not. Thread: any thread. */
void canary__hash_chosen(struct canary__hash_choice *choice);

void canary__hash_begin(struct canary__hash_start *start, const char *prefix, size_t prefix_size);

/* The start of rollouts without a salt. */
extern const struct canary__hash_start canary__hash_plain;

/* The way to the chosen kernels; at first, to making the choice. What is reached through the
 * pointers is code and constants, so relaxed order will do. */
extern _Atomic(canary__hash_one_fn) canary__hash_way_one;
extern _Atomic(canary__hash_many_fn) canary__hash_way_many;

/* By the chosen kernel. Inline: a call that only jumps on shows in the time of a decision. */
static inline uint32_t canary__hash_one(const struct canary__hash_start *start, const void *id,
                                        size_t size) {
    return atomic_load_explicit(&canary__hash_way_one, memory_order_relaxed)(start, id, size);
}

static inline void canary__hash_many(const struct canary__hash_start *start,
                                     const canary_user *users, size_t count, uint32_t *hashes) {
    atomic_load_explicit(&canary__hash_way_many, memory_order_relaxed)(start, users, count, hashes);
}

#endif
