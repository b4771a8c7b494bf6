/* SPDX-License-Identifier: MIT */
/* What the targets with seeds share. A target defines LLVMFuzzerTestOneInput(); a claim that does not hold
 * ends the program, which libFuzzer and the replay take for a find. */
#ifndef CLAIM_H
#define CLAIM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CLAIM(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Bytes taken off the front of an input; zeros once it is used up. */
struct fuzz_stream {
    const uint8_t *bytes;
    size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_stream *stream) {
    if (stream->left == 0) {
        return 0;
    }
    stream->left--;
    return *stream->bytes++;
}

static inline uint64_t fuzz_word(struct fuzz_stream *stream) {
    uint64_t word = 0;

    for (int i = 0; i < 8; i++) {
        word = word << 8 | fuzz_byte(stream);
    }
    return word;
}

#endif
