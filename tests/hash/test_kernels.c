/* SPDX-License-Identifier: MIT */
/* Every kernel that this processor can run, against libsodium: all lengths, prefixes, alignments and
 * numbers of users. */
#include "common.h"

enum { KERNELS_MAX = 16, CROWD = 70, LANES_MAX = 16 };

static const struct canary__hash_kernel *kernels[KERNELS_MAX];
static size_t kernel_count;
static uint64_t seed;
static unsigned char bytes[LENGTH_MAX + 256];
static char prefix[PREFIX_MAX];

static int prepare(void **state) {
    (void)state;
    kernel_count = hash_kernels(kernels, KERNELS_MAX);
    seed = hash_seed();
    hash_fill(bytes, sizeof bytes, &seed);
    hash_fill(prefix, sizeof prefix, &seed);
    return 0;
}

static void differs(const struct canary__hash_kernel *kernel, const char *call, size_t prefix_size,
                    size_t size, size_t offset, uint32_t found, uint32_t right) {
    fail_msg("%s, %s: prefix of %zu bytes, id of %zu bytes at offset %zu: %08x instead of %08x",
             kernel->name, call, prefix_size, size, offset, found, right);
}

static void check_one(const struct canary__hash_start *start, size_t prefix_size, size_t offset,
                      size_t size) {
    uint32_t right = hash_right(prefix, prefix_size, bytes + offset, size);

    for (size_t k = 0; k < kernel_count; k++) {
        if (kernels[k]->one != NULL) {
            uint32_t found = kernels[k]->one(start, bytes + offset, size);

            if (found != right) {
                differs(kernels[k], "one", prefix_size, size, offset, found, right);
            }
        }
    }
}

/* In a room of just that size: a sanitizer sees what is written behind it. */
static void check_users(const struct canary__hash_start *start, size_t prefix_size,
                        const canary_user *users, size_t count) {
    uint32_t *found = malloc(count > 0 ? count * sizeof *found : 1);
    uint32_t *right = malloc(count > 0 ? count * sizeof *right : 1);

    assert_non_null(found);
    assert_non_null(right);
    for (size_t i = 0; i < count; i++) {
        right[i] = hash_right(prefix, prefix_size, users[i].id,
                              users[i].id != NULL ? (size_t)users[i].size : 0);
    }
    for (size_t k = 0; k < kernel_count; k++) {
        if (kernels[k]->many == NULL) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            found[i] = ~right[i];
        }
        kernels[k]->many(start, users, count, found);
        for (size_t i = 0; i < count; i++) {
            if (found[i] != right[i]) {
                print_error("user %zu of %zu\n", i, count);
                differs(kernels[k], "many", prefix_size, (size_t)users[i].size,
                        (size_t)((uintptr_t)users[i].id & 63), found[i], right[i]);
            }
        }
    }
    free(right);
    free(found);
}

/* As many ids of one length as the widest kernel has lanes, and one more. */
static void check_lanes(const struct canary__hash_start *start, size_t prefix_size, size_t offset,
                        size_t size) {
    canary_user users[LANES_MAX + 1];

    for (size_t i = 0; i < COUNT(users); i++) {
        users[i] = (canary_user){ bytes + offset + 3 * i, size };
    }
    check_users(start, prefix_size, users, COUNT(users));
}

static void every_length(void **state) {
    (void)state;
    for (size_t size = 0; size <= LENGTH_MAX; size++) {
        size_t prefix_size = size % (PREFIX_MAX + 1);
        struct canary__hash_start start;

        canary__hash_begin(&start, prefix, prefix_size);
        check_one(&canary__hash_plain, 0, 0, size);
        check_one(&start, prefix_size, 0, size);
        if (size <= 512 || size % 97 == 0) {
            check_lanes(&canary__hash_plain, 0, 0, size);
            check_lanes(&start, prefix_size, 0, size);
        }
    }
}

static void every_prefix(void **state) {
    enum { LENGTHS = 200 };

    (void)state;
    for (size_t prefix_size = 0; prefix_size <= PREFIX_MAX; prefix_size++) {
        struct canary__hash_start start;

        canary__hash_begin(&start, prefix, prefix_size);
        for (size_t size = 0; size <= LENGTHS; size++) {
            check_one(&start, prefix_size, size % 7, size);
            if (size % 5 == prefix_size % 5) {
                check_lanes(&start, prefix_size, size % 7, size);
            }
        }
    }
}

static void every_alignment(void **state) {
    enum { ALIGNMENTS = 64, LENGTHS = 200 };
    static const size_t prefixes[] = { 0, 1, 9, 64, 100 };

    (void)state;
    for (size_t p = 0; p < COUNT(prefixes); p++) {
        struct canary__hash_start start;

        canary__hash_begin(&start, prefix, prefixes[p]);
        for (size_t offset = 0; offset < ALIGNMENTS; offset++) {
            for (size_t size = 0; size <= LENGTHS; size += 1 + p) {
                check_one(&start, prefixes[p], offset, size);
            }
            for (size_t size = offset % 9; size <= LENGTHS; size += 9) {
                check_lanes(&start, prefixes[p], offset, size);
            }
        }
    }
}

/* An empty id may be no pointer at all. */
static void empty_ids(void **state) {
    (void)state;
    for (size_t prefix_size = 0; prefix_size <= PREFIX_MAX; prefix_size++) {
        uint32_t right = hash_right(prefix, prefix_size, NULL, 0);
        struct canary__hash_start start;

        canary__hash_begin(&start, prefix, prefix_size);
        for (size_t k = 0; k < kernel_count; k++) {
            if (kernels[k]->one != NULL) {
                assert_int_equal(kernels[k]->one(&start, NULL, 0), right);
                assert_int_equal(kernels[k]->one(&start, bytes, 0), right);
            }
        }
        assert_int_equal(canary__hash_one(&start, NULL, 0), right);
    }
}

static void random_users(canary_user *users, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t chance = hash_random(&seed);
        /* Mostly what fits one block, as ids do; some of any length; some that are no users. */
        uint64_t most = chance % 16 < 11 ? 60 : chance % 16 < 15 ? 300 : LENGTH_MAX / 4;

        users[i].id = bytes + hash_random(&seed) % 128;
        users[i].size = hash_random(&seed) % (most + 1);
        if (chance >> 32 & 1 && chance >> 33 & 1 && chance >> 34 & 1) {
            users[i].id = NULL;
            users[i].size = chance >> 35 & 1 ? users[i].size : 0;
        }
    }
}

static void every_count(void **state) {
    canary_user users[CROWD];

    (void)state;
    for (size_t prefix_size = 0; prefix_size <= PREFIX_MAX; prefix_size += 8) {
        struct canary__hash_start start;

        canary__hash_begin(&start, prefix, prefix_size);
        for (size_t count = 0; count <= CROWD; count++) {
            random_users(users, count);
            check_users(&start, prefix_size, users, count);
            memset(users, 0, sizeof users);
            check_users(&start, prefix_size, users, count);
        }
    }
}

static void random_batches(void **state) {
    enum { ROUNDS = 300, USERS_MAX = 1000 };
    canary_user *users = calloc(USERS_MAX, sizeof *users);

    (void)state;
    assert_non_null(users);
    for (int round = 0; round < ROUNDS; round++) {
        size_t prefix_size = round % 2 == 0 ? 0 : hash_random(&seed) % (PREFIX_MAX + 1);
        size_t count = hash_random(&seed) % (round % 10 == 0 ? USERS_MAX + 1 : 100);
        struct canary__hash_start start;

        canary__hash_begin(&start, prefix, prefix_size);
        random_users(users, count);
        check_users(&start, prefix_size, users, count);
    }
    free(users);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length),    cmocka_unit_test(every_prefix),
        cmocka_unit_test(every_alignment), cmocka_unit_test(empty_ids),
        cmocka_unit_test(every_count),     cmocka_unit_test(random_batches),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
