/* SPDX-License-Identifier: MIT */
/* Stands in for libFuzzer where there is none: runs the files named, each as it is and in a number
 * of variations that are the same every time. */
#include "claim.h"

#include <string.h>

enum { VARIATIONS = 200, LARGEST = 1 << 16 };

static uint64_t state = 1;

static uint64_t next_random(void) {
    uint64_t value = state += 0x9e3779b97f4a7c15u;

    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    return value ^ value >> 31;
}

/* A copy of just that size, so that a byte read too far is seen by a sanitizer. */
static void run(const uint8_t *bytes, size_t size) {
    uint8_t *exact = calloc(1, size > 0 ? size : 1);

    if (exact != NULL) {
        memcpy(exact, bytes, size);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
}

static size_t vary(uint8_t *bytes, size_t size) {
    for (uint64_t edits = 1 + next_random() % 6; edits > 0; edits--) {
        uint64_t at = size > 0 ? next_random() % size : 0;

        switch (next_random() % 5) {
        case 0:
            size = at;
            break;
        case 1:
            if (size < LARGEST) {
                memmove(bytes + at + 1, bytes + at, size - at);
                bytes[at] = (uint8_t)next_random();
                size++;
            }
            break;
        case 2:
            if (size > 0) {
                bytes[at] = (uint8_t)(bytes[at] ^ 1u << next_random() % 8);
            }
            break;
        default:
            if (size > 0) {
                bytes[at] = (uint8_t)next_random();
            }
        }
    }
    return size;
}

int main(int count, char **names) {
    static uint8_t bytes[LARGEST + 8];
    static uint8_t varied[LARGEST + 8];
    unsigned long runs = 0;

    run(bytes, 0);
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(names[i], "rb");
        size_t size;

        if (file == NULL) {
            perror(names[i]);
            return 1;
        }
        size = fread(bytes, 1, LARGEST, file);
        fclose(file);
        run(bytes, size);
        for (int variation = 0; variation < VARIATIONS; variation++) {
            memcpy(varied, bytes, size);
            run(varied, vary(varied, size));
            runs++;
        }
    }
    printf("%d seeds, %lu variations\n", count - 1, runs);
    return 0;
}
