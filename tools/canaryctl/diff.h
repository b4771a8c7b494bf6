/* SPDX-License-Identifier: MIT */
/* Two texts, line by line: what went and what came. */
#ifndef CTL_DIFF_H
#define CTL_DIFF_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>

enum diff_side { DIFF_BOTH, DIFF_OLD, DIFF_NEW };

struct diff_line {
    enum diff_side side;
    size_t size; /* without the end of the line */
    const char *text;
};

/* Lines of both in order: those of a change, the old ones before the new ones. */
struct diff {
    struct diff_line *lines;
    size_t count;
    bool different;
};

/* Compares; the texts must outlive the result. */
struct diff diff_make(const char *old_text, const char *new_text);
/* Adds the lines that differ with three lines around them, as `diff -u` writes it, without the names of
 * the files. */
void diff_unified(const struct diff *diff, struct text *out);
void diff_free(struct diff *diff);

#endif
