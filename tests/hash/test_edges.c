/* SPDX-License-Identifier: MIT */
/* Ids, arrays and salts that end where memory ends, or begin where it begins: whatever is read or
 * written outside them ends the program, which then says what it was at. */
#include "common.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KERNELS_MAX = 16, LANES_MAX = 16 };

static const struct canary__hash_kernel *kernels[KERNELS_MAX];
static size_t kernel_count;
static unsigned char *room; /* with a page before and behind it that nobody may touch */
static size_t room_size;    /* not less than LENGTH_MAX */
static volatile sig_atomic_t at_kernel;
static volatile sig_atomic_t at_size;

static void outside(int number) {
    char text[128];
    int length = snprintf(text, sizeof text, "%s touched memory outside an id of %d bytes\n",
                          kernels[at_kernel]->name, (int)at_size);

    (void)number;
    (void)!write(STDERR_FILENO, text, (size_t)length);
    _exit(1);
}

static int prepare(void **state) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint64_t seed = 1;
    unsigned char *pages;

    (void)state;
    kernel_count = hash_kernels(kernels, KERNELS_MAX);
    room_size = (LENGTH_MAX / page + 1) * page;
    pages = mmap(NULL, room_size + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 -1, 0);
    assert_true(pages != MAP_FAILED);
    room = pages + page;
    hash_fill(room, room_size, &seed);
    assert_int_equal(mprotect(pages, page, PROT_NONE), 0);
    assert_int_equal(mprotect(room + room_size, page, PROT_NONE), 0);
    return 0;
}

/* Within each test, since cmocka puts handlers of its own in their place, which do not know. */
static void catch_signals(void) {
    struct sigaction action = { .sa_handler = outside };

    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

static void check(const struct canary__hash_start *start, const char *prefix, size_t prefix_size,
                  const unsigned char *id, size_t size) {
    uint32_t right = hash_right(prefix, prefix_size, id, size);
    canary_user users[LANES_MAX + 1];
    uint32_t found[COUNT(users)];

    at_size = (int)size;
    for (size_t i = 0; i < COUNT(users); i++) {
        users[i] = (canary_user){ id, size };
    }
    for (size_t k = 0; k < kernel_count; k++) {
        at_kernel = (int)k;
        if (kernels[k]->one != NULL && kernels[k]->one(start, id, size) != right) {
            fail_msg("%s is wrong for an id of %zu bytes at an edge", kernels[k]->name, size);
        }
        if (kernels[k]->many == NULL) {
            continue;
        }
        kernels[k]->many(start, users, COUNT(users), found);
        for (size_t i = 0; i < COUNT(found); i++) {
            if (found[i] != right) {
                fail_msg("%s, many: wrong for an id of %zu bytes at an edge", kernels[k]->name,
                         size);
            }
        }
    }
}

static void ids(const char *prefix, size_t prefix_size, size_t (*next)(size_t)) {
    struct canary__hash_start start;

    catch_signals();
    canary__hash_begin(&start, prefix, prefix_size);
    for (size_t size = 0; size <= LENGTH_MAX; size = next(size)) {
        check(&start, prefix, prefix_size, room + room_size - size, size);
        check(&start, prefix, prefix_size, room, size);
    }
}

static size_t first_blocks(size_t length) {
    return length < 64 ? length + 1 : length < 300 ? length + 5 : SIZE_MAX;
}

static void ids_without_a_salt(void **state) {
    (void)state;
    ids("", 0, hash_next_length);
}

/* Each length by the calls for one id alone, which are what most programs make. */
static void every_length_alone(void **state) {

    (void)state;
    catch_signals();
    for (size_t size = 0; size <= LENGTH_MAX; size++) {
        unsigned char *places[] = { room + room_size - size, room };

        at_size = (int)size;
        for (size_t p = 0; p < COUNT(places); p++) {
            uint32_t right = hash_right("", 0, places[p], size);

            for (size_t k = 0; k < kernel_count; k++) {
                at_kernel = (int)k;
                if (kernels[k]->one != NULL) {
                    assert_int_equal(kernels[k]->one(&canary__hash_plain, places[p], size), right);
                }
            }
        }
    }
}

static void ids_behind_a_salt(void **state) {
    static const char prefix[PREFIX_MAX + 1] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde:"
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef:";

    (void)state;
    for (size_t prefix_size = 1; prefix_size <= PREFIX_MAX; prefix_size++) {
        ids(prefix, prefix_size, first_blocks);
    }
}

/* The salt, with nothing behind it but the end of memory. */
static void salts(void **state) {
    (void)state;
    catch_signals();
    for (size_t size = 0; size <= PREFIX_MAX; size++) {
        char *places[] = { (char *)room + room_size - size, (char *)room };

        for (size_t p = 0; p < COUNT(places); p++) {
            struct canary__hash_start start;

            canary__hash_begin(&start, places[p], size);
            assert_int_equal(canary__hash_one(&start, "alice", 5),
                             hash_right(places[p], size, "alice", 5));
        }
    }
}

/* Users and answers that end, or begin, where memory does. */
static void arrays(void **state) {
    enum { USERS_MAX = 70 };
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *answers =
        mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(answers != MAP_FAILED);
    assert_true(USERS_MAX * sizeof(canary_user) <= page);
    assert_int_equal(mprotect(answers, page, PROT_NONE), 0);
    assert_int_equal(mprotect(answers + 2 * page, page, PROT_NONE), 0);
    catch_signals();
    for (size_t count = 0; count <= USERS_MAX; count++) {
        for (int behind = 0; behind < 2; behind++) {
            canary_user *users =
                (canary_user *)(void *)(room + (behind ? 0 : room_size - count * sizeof *users));
            uint32_t *hashes =
                (uint32_t *)(void *)(answers + page + (behind ? 0 : page - count * sizeof *hashes));

            for (size_t i = 0; i < count; i++) {
                users[i] = (canary_user){ id, i * 7 % sizeof id };
            }
            for (size_t k = 0; k < kernel_count; k++) {
                at_kernel = (int)k;
                at_size = (int)count;
                if (kernels[k]->many == NULL) {
                    continue;
                }
                memset(hashes, 0, count * sizeof *hashes);
                kernels[k]->many(&canary__hash_plain, users, count, hashes);
                for (size_t i = 0; i < count; i++) {
                    assert_int_equal(hashes[i], hash_right("", 0, id, (size_t)users[i].size));
                }
            }
        }
    }
    munmap(answers, 3 * page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_without_a_salt),
        cmocka_unit_test(every_length_alone),
        cmocka_unit_test(ids_behind_a_salt),
        cmocka_unit_test(salts),
        cmocka_unit_test(arrays),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
