/* SPDX-License-Identifier: MIT */
/* Which kernel, and the way to it. */
#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "core/hash_kernels.h"

const struct canary__hash_kernel canary__hash_kernels[] = {
#ifdef CANARY__HASH_X86
    { "avx512", CANARY_HASH_AVX512, CANARY__CPU_AVX512, CANARY__CPU_HALVES_512, NULL,
      canary__hash_avx512_many },
    { "shani", CANARY_HASH_SHANI, CANARY__CPU_SHANI, 0, canary__hash_shani_one,
      canary__hash_shani_many },
    { "avx2", CANARY_HASH_AVX2, CANARY__CPU_AVX2, 0, NULL, canary__hash_avx2_many },
#endif
#ifdef CANARY__HASH_ARM
    { "armv8", CANARY_HASH_ARMV8, CANARY__CPU_ARMV8, 0, canary__hash_armv8_one,
      canary__hash_armv8_many },
#endif
    { "libsodium", CANARY_HASH_LIBSODIUM, 0, 0, canary__hash_sodium_one, canary__hash_sodium_many },
};
const size_t canary__hash_kernel_count =
    sizeof canary__hash_kernels / sizeof canary__hash_kernels[0];

static uint32_t first_one(const struct canary__hash_start *start, const void *id, size_t size);
static void first_many(const struct canary__hash_start *start, const canary_user *users,
                       size_t count, uint32_t *hashes);

/* Set once, to what `made` says. */
_Atomic(canary__hash_one_fn) canary__hash_way_one = first_one;
_Atomic(canary__hash_many_fn) canary__hash_way_many = first_many;

void canary__hash_begin(struct canary__hash_start *start, const char *prefix, size_t prefix_size) {
    size_t whole = prefix_size & ~(size_t)63;

    *start = canary__hash_plain;
    if (prefix_size == 0) {
        return;
    }
    crypto_hash_sha256_update(&start->sodium, (const unsigned char *)prefix, whole);
    /* Between two blocks libsodium's state is the chaining value of FIPS 180-4, in the order of its
     * words; if that ever changed, no kernel would pass its proof. */
    memcpy(start->state, start->sodium.state, sizeof start->state);
    for (int i = 0; i < 2; i++) {
        start->abef[i] = start->state[5 - i];
        start->abef[2 + i] = start->state[1 - i];
        start->cdgh[i] = start->state[7 - i];
        start->cdgh[2 + i] = start->state[3 - i];
    }
    start->absorbed = (uint32_t)whole;
    start->tail_size = (uint32_t)(prefix_size - whole);
    memcpy(start->tail, prefix + whole, start->tail_size);
    crypto_hash_sha256_update(&start->sodium, (const unsigned char *)start->tail, start->tail_size);
}

/* Every way through a kernel: the sizes around its vectors and the ends of blocks, prefixes of less
 * and more than a block, unaligned ids, and more users than there are lanes. */
enum { QUESTIONS = 19, PREFIXES = 4, BYTES = 256 };

struct exam {
    unsigned char bytes[BYTES];
    canary_user users[QUESTIONS];
    struct canary__hash_start starts[PREFIXES];
};

static void prepare(struct exam *exam) {
    static const unsigned char sizes[QUESTIONS] = { 1,  3,  7,  8,  15, 16, 31,  36,  47, 48,
                                                    55, 56, 63, 64, 65, 80, 119, 120, 150 };
    static const unsigned char prefixes[PREFIXES] = { 0, 7, 60, 70 };

    for (size_t i = 0; i < BYTES; i++) {
        exam->bytes[i] = (unsigned char)(i * 167 + 13);
    }
    for (size_t i = 0; i < QUESTIONS; i++) {
        exam->users[i].id = exam->bytes + 5 * i;
        exam->users[i].size = sizes[i];
    }
    for (size_t i = 0; i < PREFIXES; i++) {
        canary__hash_begin(&exam->starts[i], (const char *)exam->bytes + 100, prefixes[i]);
    }
}

static int prove_one(const struct canary__hash_kernel *kernel) {
    struct exam exam;

    prepare(&exam);
    for (size_t s = 0; s < PREFIXES; s++) {
        for (size_t i = 0; i < QUESTIONS; i++) {
            const canary_user *user = &exam.users[i];

            if (kernel->one(&exam.starts[s], user->id, (size_t)user->size) !=
                canary__hash_sodium_one(&exam.starts[s], user->id, (size_t)user->size)) {
                return 0;
            }
        }
    }
    return 1;
}

static int prove_many(const struct canary__hash_kernel *kernel) {
    enum { CROWD = 3 * QUESTIONS, ONE_BLOCK = 8 };
    struct exam exam;
    canary_user crowd[CROWD];
    uint32_t found[CROWD];
    uint32_t right[CROWD];

    prepare(&exam);
    for (size_t i = 0; i < CROWD; i++) {
        /* Enough ids of one block to fill every lane. */
        crowd[i] = exam.users[i < QUESTIONS ? i : i % ONE_BLOCK];
    }
    for (size_t s = 0; s < PREFIXES; s++) {
        kernel->many(&exam.starts[s], crowd, CROWD, found);
        canary__hash_sodium_many(&exam.starts[s], crowd, CROWD, right);
        if (memcmp(found, right, sizeof right) != 0) {
            return 0;
        }
    }
    return 1;
}

int canary__hash_prove(const struct canary__hash_kernel *kernel) {
    return (kernel->one == NULL || prove_one(kernel)) &&
           (kernel->many == NULL || prove_many(kernel));
}

/* The first kernel that `takes_part`, can be used here, passes and is not slow here; the one that is
 * wanted before all others. NULL when none passes. What was dropped before gets no other chance. */
static const struct canary__hash_kernel *pick(const struct canary__hash_kernel *kernels,
                                              size_t count, unsigned features, const char *wanted,
                                              int (*takes_part)(const struct canary__hash_kernel *),
                                              int (*passes)(const struct canary__hash_kernel *),
                                              uint32_t *dropped) {
    const struct canary__hash_kernel *best = NULL;
    const struct canary__hash_kernel *forced = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct canary__hash_kernel *kernel = &kernels[i];

        if ((kernel->features & ~features) != 0 || (kernel->mark & *dropped) != 0 ||
            !takes_part(kernel)) {
            continue;
        }
        if (!passes(kernel)) {
            *dropped |= kernel->mark;
            continue;
        }
        if (best == NULL || ((best->slow & features) != 0 && (kernel->slow & features) == 0)) {
            best = kernel;
        }
        if (wanted != NULL && strcmp(kernel->name, wanted) == 0) {
            forced = kernel;
        }
    }
    return forced != NULL ? forced : best;
}

static int has_one(const struct canary__hash_kernel *kernel) {
    return kernel->one != NULL;
}

static int has_many(const struct canary__hash_kernel *kernel) {
    return kernel->many != NULL;
}

static const struct canary__hash_kernel *pick_one(const struct canary__hash_kernel *kernels,
                                                  size_t count, unsigned features,
                                                  const char *wanted, uint32_t *dropped) {
    const struct canary__hash_kernel *one =
        pick(kernels, count, features, wanted, has_one, prove_one, dropped);

    /* Without a reference that agrees with itself there is still nothing better. */
    one = one != NULL ? one : &kernels[count - 1];
    if (kernels == canary__hash_kernels) {
        /* Kernels for many send what does not fit their lanes to the one for single ids. */
        atomic_store_explicit(&canary__hash_way_one, one->one, memory_order_relaxed);
    }
    return one;
}

void canary__hash_choose(const struct canary__hash_kernel *kernels, size_t count, unsigned features,
                         const char *wanted, struct canary__hash_choice *choice) {
    const struct canary__hash_kernel *many;

    memset(choice, 0, sizeof *choice);
    choice->one = pick_one(kernels, count, features, wanted, &choice->dropped);
    many = pick(kernels, count, features, wanted, has_many, prove_many, &choice->dropped);
    choice->many = many != NULL ? many : &kernels[count - 1];
    if ((choice->dropped & choice->one->mark) != 0) {
        /* Instructions that fail for many are not trusted for one. */
        choice->one = pick_one(kernels, count, features, wanted, &choice->dropped);
    }
    choice->refused = wanted != NULL && strcmp(choice->one->name, wanted) != 0 &&
                      strcmp(choice->many->name, wanted) != 0;
}

/* The choice of this process: 0, or CHOSEN with what the masks below cut out. One word, so that
 * threads who choose at the same time cannot mix theirs. */
static _Atomic(uint64_t) made;
#define CHOSEN (UINT64_C(1) << 63)
#define REFUSED (UINT64_C(1) << 62)
#define ONE_SHIFT 32
#define MANY_SHIFT 40

static uint64_t choose(void) {
    uint64_t choice_made = atomic_load_explicit(&made, memory_order_relaxed);
    const char *wanted = secure_getenv("CANARY_SHA256");
    struct canary__hash_choice choice;
    uint64_t mine;

    if (choice_made == 0) {
        canary__hash_choose(canary__hash_kernels, canary__hash_kernel_count, canary__cpu_features(),
                            wanted != NULL && wanted[0] != '\0' ? wanted : NULL, &choice);
        mine = CHOSEN | (choice.refused ? REFUSED : 0) |
               (uint64_t)(choice.one - canary__hash_kernels) << ONE_SHIFT |
               (uint64_t)(choice.many - canary__hash_kernels) << MANY_SHIFT | choice.dropped;
        if (atomic_compare_exchange_strong_explicit(&made, &choice_made, mine, memory_order_relaxed,
                                                    memory_order_relaxed)) {
            choice_made = mine;
        }
    }
    /* By everybody who comes here, not by the one who chose: he may be held up before this, or not be
     * there any more in a forked child, and the others would come back here for ever. */
    atomic_store_explicit(&canary__hash_way_one,
                          canary__hash_kernels[choice_made >> ONE_SHIFT & 0xff].one,
                          memory_order_relaxed);
    atomic_store_explicit(&canary__hash_way_many,
                          canary__hash_kernels[choice_made >> MANY_SHIFT & 0xff].many,
                          memory_order_relaxed);
    return choice_made;
}

void canary__hash_chosen(struct canary__hash_choice *choice) {
    uint64_t choice_made = choose();

    choice->one = &canary__hash_kernels[choice_made >> ONE_SHIFT & 0xff];
    choice->many = &canary__hash_kernels[choice_made >> MANY_SHIFT & 0xff];
    choice->dropped = (uint32_t)choice_made;
    choice->refused = (choice_made & REFUSED) != 0;
}

static uint32_t first_one(const struct canary__hash_start *start, const void *id, size_t size) {
    choose();
    return canary__hash_one(start, id, size);
}

static void first_many(const struct canary__hash_start *start, const canary_user *users,
                       size_t count, uint32_t *hashes) {
    choose();
    canary__hash_many(start, users, count, hashes);
}
