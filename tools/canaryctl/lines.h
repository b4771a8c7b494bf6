/* SPDX-License-Identifier: MIT */
/* Standard input, line by line, in bounded memory: any bytes, lines up to a mebibyte. */
#ifndef CTL_LINES_H
#define CTL_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINES_LONGEST ((size_t)1 << 20)

struct lines {
    char *buffer;
    size_t start;    /* of what is not handed over yet */
    size_t end;      /* of what was read */
    uint64_t number; /* of the line handed over last, or found too long */
    bool ended;
};

enum lines_result {
    LINES_ONE,   /* a line was handed over */
    LINES_EMPTY, /* nothing more in the buffer: lines handed over so far stay valid until fill */
    LINES_END,
    LINES_TOO_LONG
};

void lines_begin(struct lines *lines);
/* Hands over the next line of the buffer without its end (LF or CRLF). */
enum lines_result lines_next(struct lines *lines, const char **line, size_t *size);
/* Reads what is there, waiting only for the first byte. Returns 0 or an errno. */
int lines_fill(struct lines *lines);
void lines_end(struct lines *lines);

#endif
