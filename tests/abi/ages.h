/* SPDX-License-Identifier: MIT */
/* Structs of every age, for the tests of old and future callers: each lies against a page that may not
 * be touched. */
#ifndef ABI_AGES_H
#define ABI_AGES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

enum { AREA = 1 << 16, FUTURE = 64 };

/* `size` bytes that end where the mapping does. Never freed: the process is short. */
static inline void *exact(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *area =
        mmap(NULL, AREA + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(area, MAP_FAILED);
    assert_int_equal(mprotect(area + AREA, page, PROT_NONE), 0);
    memset(area, 0xa5, AREA);
    return area + AREA - size;
}

/* An input struct as a caller of another age has it: what both know, then zeros. */
static inline void *input(const void *known, size_t known_size, size_t size) {
    unsigned char *block = exact(size);
    uint32_t claimed = (uint32_t)size;

    memset(block, 0, size);
    memcpy(block, known, size < known_size ? size : known_size);
    memcpy(block, &claimed, sizeof claimed);
    return block;
}

/* A struct that claims to be smaller than any: aligned, so there is more of it than it says. */
static inline void *too_small(void) {
    uint32_t *block = exact(8);

    block[0] = 4;
    return block;
}

/* A result struct full of rubbish: what the library must fill is seen to be filled. */
static inline void *result(size_t size) {
    void *block = exact(size);
    uint32_t claimed = (uint32_t)size;

    memcpy(block, &claimed, sizeof claimed);
    return block;
}

static inline void assert_filled_like(const void *block, size_t size, const void *reference,
                                      size_t reference_size) {
    const unsigned char *bytes = block;
    size_t common = size < reference_size ? size : reference_size;
    uint32_t claimed;

    memcpy(&claimed, block, sizeof claimed);
    assert_int_equal(claimed, size);
    assert_memory_equal(bytes + 4, (const unsigned char *)reference + 4, common - 4);
    for (size_t i = reference_size; i < size; i++) {
        assert_int_equal(bytes[i], 0); /* the future's fields: zero means "not known" */
    }
}

#endif
