/* SPDX-License-Identifier: MIT */
/* A stream of records, lines or elements of a JSON array, in bounded memory, with the SHA-256 of
 * what was read of it so far. */
#ifndef CTL_INPUT_H
#define CTL_INPUT_H

#include "text.h"

#include <sodium.h>

#include <stdbool.h>
#include <stdint.h>

#define INPUT_LONGEST ((size_t)1 << 20) /* bytes of one record */
#define INPUT_DIGEST 65                 /* hex digits and a NUL */

struct input {
    int descriptor;
    char *buffer;
    size_t start;   /* of what is not consumed yet */
    size_t end;     /* of what was read */
    size_t hashed;  /* up to here, of what is in the buffer */
    uint64_t line;  /* of the next byte, from 1 */
    uint64_t bytes; /* read so far */
    bool ended;
    int failed; /* errno of a read that failed; 0 = none */
    crypto_hash_sha256_state digest;
};

enum input_result {
    INPUT_RECORD,
    INPUT_TOO_LONG,  /* one record that is longer than allowed was passed over */
    INPUT_TRUNCATED, /* the input ends within this one */
    INPUT_TRAILING,  /* something follows the array: the rest was not read */
    INPUT_END,       /* nothing more, or `failed` */
};

void input_begin(struct input *input, int descriptor);
/* The first byte that is neither blank nor a byte order mark, not consumed; -1 at the end. */
int input_peek(struct input *input);
/* The next line without its end, LF or CRLF; `*line` becomes its number. */
enum input_result input_line(struct input *input, struct text *out, uint64_t *line);
/* The next element of an array, whose bracket is consumed by the first call (`first`). */
enum input_result input_element(struct input *input, bool first, struct text *out, uint64_t *line);
/* The hex digits of the SHA-256 of everything consumed so far. */
void input_digest(struct input *input, char out[INPUT_DIGEST]);
void input_end(struct input *input);

#endif
