/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <inttypes.h>
#include <time.h>

#include "base/cpu.h"

uint32_t hash_right(const char *prefix, size_t prefix_size, const void *id, size_t size) {
    static unsigned char bytes[PREFIX_MAX + LENGTH_MAX];
    unsigned char digest[crypto_hash_sha256_BYTES];

    assert_true(prefix_size <= PREFIX_MAX && size <= LENGTH_MAX);
    if (prefix_size > 0) {
        memcpy(bytes, prefix, prefix_size);
    }
    if (size > 0) {
        memcpy(bytes + prefix_size, id, size);
    }
    crypto_hash_sha256(digest, bytes, prefix_size + size);
    return (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 |
           (uint32_t)digest[3];
}

size_t hash_kernels(const struct canary__hash_kernel **kernels, size_t room) {
    static int named;
    unsigned features = canary__cpu_features();
    size_t count = 0;

    for (size_t i = 0; i < canary__hash_kernel_count; i++) {
        int usable = (canary__hash_kernels[i].features & ~features) == 0;

        if (usable) {
            assert_true(count < room);
            kernels[count++] = &canary__hash_kernels[i];
        }
        if (!named) {
            printf("%s: %s\n", canary__hash_kernels[i].name,
                   usable ? "tested" : "not tested, this processor cannot run it");
        }
    }
    named = 1;
    assert_true(count > 0);
    assert_string_equal(kernels[count - 1]->name, "libsodium");
    return count;
}

size_t hash_next_length(size_t length) {
    enum { BLOCK = 64, NEAR = 10 };

    length++;
    if (length > 4 * BLOCK && length % BLOCK == NEAR) {
        length += BLOCK - 2 * NEAR;
    }
    return length;
}

uint64_t hash_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t hash_seed(void) {
    const char *text = getenv("CANARY_TEST_SEED");
    struct timespec now;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed = text != NULL ? strtoull(text, NULL, 0)
                        : (uint64_t)now.tv_sec * 1000003 ^ (uint64_t)now.tv_nsec;
    printf("CANARY_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

void hash_fill(void *bytes, size_t size, uint64_t *state) {
    unsigned char *p = bytes;

    for (size_t i = 0; i < size; i++) {
        p[i] = (unsigned char)hash_random(state);
    }
}
