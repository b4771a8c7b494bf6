/* SPDX-License-Identifier: MIT */
#include "judge/sized.h"

#include <string.h>

/* A size beyond this is an uninitialised struct, not a future version. */
enum { SIZE_LIMIT = 1 << 16 };

int canary__judge_sized_in(void *to, const void *from, size_t known, size_t minimum) {
    uint32_t size;

    memcpy(&size, from, sizeof size);
    /* No struct of any version ends inside a pointer; half of one must not be followed. */
    if (size < minimum || size > SIZE_LIMIT || size % sizeof(void *) != 0) {
        return -1;
    }
    for (size_t i = known; i < size; i++) {
        if (((const unsigned char *)from)[i] != 0) {
            return -1;
        }
    }
    memcpy(to, from, size < known ? size : known);
    return 0;
}

int canary__judge_sized_out(void *to, const void *from, size_t known) {
    uint32_t size;

    if (to == NULL) {
        return -1;
    }
    memcpy(&size, to, sizeof size);
    if (size <= sizeof size || size > SIZE_LIMIT) {
        return -1;
    }
    memcpy((char *)to + sizeof size, (const char *)from + sizeof size,
           (size < known ? size : known) - sizeof size);
    if (size > known) {
        memset((char *)to + known, 0, size - known);
    }
    return 0;
}

void canary__judge_sized_init(void *to, uint32_t size, const void *defaults, size_t known) {
    if (to == NULL || size < sizeof size) {
        return;
    }
    memset(to, 0, size);
    memcpy(to, defaults, size < known ? size : known);
    memcpy(to, &size, sizeof size);
}
