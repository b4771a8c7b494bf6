/* SPDX-License-Identifier: MIT */
/* See lines.h. */
#include "lines.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for the longest line, its CR and LF, and a block besides. */
#define CAPACITY (LINES_LONGEST + 2 + ((size_t)1 << 20))

void lines_begin(struct lines *lines) {
    *lines = (struct lines){ .buffer = text_memory(NULL, CAPACITY) };
}

enum lines_result lines_next(struct lines *lines, const char **line, size_t *size) {
    size_t left = lines->end - lines->start;
    const char *begin = lines->buffer + lines->start;
    const char *newline = left == 0 ? NULL : memchr(begin, '\n', left);
    if (newline == NULL && !lines->ended) {
        if (left <= LINES_LONGEST + 1)
            return LINES_EMPTY;
        lines->number++;
        return LINES_TOO_LONG;
    }
    if (newline == NULL && left == 0)
        return LINES_END;
    size_t length = newline != NULL ? (size_t)(newline - begin) : left;
    lines->start += length + (newline != NULL ? 1 : 0);
    lines->number++;
    if (length > 0 && begin[length - 1] == '\r')
        length--;
    if (length > LINES_LONGEST)
        return LINES_TOO_LONG;
    *line = begin;
    *size = length;
    return LINES_ONE;
}

int lines_fill(struct lines *lines) {
    size_t left = lines->end - lines->start;
    memmove(lines->buffer, lines->buffer + lines->start, left);
    lines->start = 0;
    lines->end = left;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, lines->buffer + left, CAPACITY - left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        lines->ended = got == 0;
        lines->end += (size_t)got;
        return 0;
    }
}

void lines_end(struct lines *lines) {
    free(lines->buffer);
    lines->buffer = NULL;
}
