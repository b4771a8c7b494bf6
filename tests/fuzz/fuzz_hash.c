/* SPDX-License-Identifier: MIT */
/* The way into a hash: any prefix, ids of any length, place and number, by every kernel that this
 * processor can run. Everything stands in a block of just its size, so that a sanitizer sees what is
 * read or written beyond it. */
#include "claim.h"

#include <string.h>

#include "base/cpu.h"
#include "core/hash.h"

enum { PREFIX_MAX = 200, USERS_MAX = 80, SIZE_MAX_OF_ID = 10000, ALIGNMENTS = 64 };

/* An id in a block of its own, which it ends. */
struct id {
    unsigned char *block;
    unsigned char *bytes;
    size_t size;
    uint32_t right;
};

static char prefix_bytes[PREFIX_MAX];
static size_t prefix_size;

static uint32_t right_answer(const unsigned char *id, size_t size) {
    static unsigned char all[PREFIX_MAX + SIZE_MAX_OF_ID];
    unsigned char digest[crypto_hash_sha256_BYTES];

    memcpy(all, prefix_bytes, prefix_size);
    if (size > 0) {
        memcpy(all + prefix_size, id, size);
    }
    crypto_hash_sha256(digest, all, prefix_size + size);
    return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 |
           (uint32_t)digest[3];
}

/* Lengths that sit near the ends of blocks come from one byte, all others from two. */
static size_t take_size(struct fuzz_stream *in) {
    unsigned byte = fuzz_byte(in);

    return byte < 250 ? byte : (byte << 8 | fuzz_byte(in)) * 7u % (SIZE_MAX_OF_ID + 1);
}

static struct id take_id(struct fuzz_stream *in) {
    size_t offset = fuzz_byte(in) % ALIGNMENTS;
    struct id id = { .size = take_size(in) };
    unsigned pattern = fuzz_byte(in);

    id.block = malloc(offset + id.size + (offset + id.size == 0));
    FUZZ_CLAIM(id.block != NULL);
    id.bytes = id.block + offset;
    for (size_t i = 0; i < id.size; i++) {
        id.bytes[i] = (unsigned char)(i < 16 ? fuzz_byte(in) : pattern + 37 * i);
    }
    id.right = right_answer(id.bytes, id.size);
    return id;
}

static void by_one(const struct canary__hash_kernel *kernel, const struct canary__hash_start *start,
                   const struct id *id) {
    if (kernel->one == NULL) {
        return;
    }
    FUZZ_CLAIM(kernel->one(start, id->bytes, id->size) == id->right);
    if (id->size == 0) {
        FUZZ_CLAIM(kernel->one(start, NULL, 0) == id->right);
    }
}

static void by_many(const struct canary__hash_kernel *kernel,
                    const struct canary__hash_start *start, const struct id *ids,
                    const unsigned char *nobody, size_t count) {
    uint32_t *hashes = malloc(count > 0 ? count * sizeof *hashes : 1);
    canary_user *users = malloc(count > 0 ? count * sizeof *users : 1);
    uint32_t empty = right_answer(NULL, 0);

    FUZZ_CLAIM(hashes != NULL && users != NULL);
    for (size_t i = 0; i < count; i++) {
        users[i] = (canary_user){ nobody[i] ? NULL : ids[i].bytes, ids[i].size };
        hashes[i] = ~(nobody[i] ? empty : ids[i].right);
    }
    kernel->many(start, users, count, hashes);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CLAIM(hashes[i] == (nobody[i] ? empty : ids[i].right));
    }
    free(users);
    free(hashes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_stream in = { data, size };
    struct canary__hash_start *start = malloc(sizeof *start);
    unsigned features = canary__cpu_features();
    unsigned char nobody[USERS_MAX] = { 0 };
    struct id ids[USERS_MAX];
    size_t count;
    char *prefix;

    FUZZ_CLAIM(start != NULL);
    prefix_size = fuzz_byte(&in) % (PREFIX_MAX + 1u);
    count = fuzz_byte(&in) % (USERS_MAX + 1u);
    prefix = malloc(prefix_size + (prefix_size == 0));
    FUZZ_CLAIM(prefix != NULL);
    for (size_t i = 0; i < prefix_size; i++) {
        prefix[i] = prefix_bytes[i] = (char)(i < 8 ? fuzz_byte(&in) : i * 11);
    }
    canary__hash_begin(start, prefix, prefix_size);
    free(prefix);
    for (size_t i = 0; i < count; i++) {
        nobody[i] = fuzz_byte(&in) % 32 == 31;
        ids[i] = take_id(&in);
    }
    for (size_t k = 0; k < canary__hash_kernel_count; k++) {
        const struct canary__hash_kernel *kernel = &canary__hash_kernels[k];

        if ((kernel->features & ~features) != 0) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            by_one(kernel, start, &ids[i]);
        }
        if (kernel->many != NULL) {
            by_many(kernel, start, ids, nobody, count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        FUZZ_CLAIM(canary__hash_one(start, ids[i].bytes, ids[i].size) == ids[i].right);
        free(ids[i].block);
    }
    free(start);
    return 0;
}
