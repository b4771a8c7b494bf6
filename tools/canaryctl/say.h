/* SPDX-License-Identifier: MIT */
/* What the tool says: results on standard output, errors on standard error, in either format. */
#ifndef CTL_SAY_H
#define CTL_SAY_H

#include "text.h"

#include <canary/canary.h>

#include <stdbool.h>
#include <stddef.h>

struct command;

/* Colours by meaning, so that red is never just decoration. */
enum say_colour { SAY_PLAIN, SAY_STRONG, SAY_GOOD, SAY_WARN, SAY_BAD, SAY_DIM };

struct say_mode {
    bool json;
    bool terminal;      /* standard output is one */
    bool screen;        /* and pictures can be drawn on it */
    bool colour;        /* on standard output */
    bool colour_errors; /* on standard error */
};
extern struct say_mode say_mode;

/* Looks at the terminal and the environment (NO_COLOR, TERM). */
void say_setup(bool json);
/* Columns of the terminal; 0 when standard output is none. */
int say_columns(void);

/* Escape sequences to begin and end a colour on standard output; "" when there are no colours. */
const char *say_begin(enum say_colour colour);
const char *say_end(void);

/* Writes to standard output. When nobody reads it any more the process ends quietly, with 0: what
 * was to be done has been done. Any other failure ends it with 1 and a line. */
void say_out(const void *data, size_t size);
void say_text(struct text *text); /* and empties it */

/* One line about a wrong command line, with the way to its help. Returns exit code 2. */
int say_usage(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* An error of the library, with the next thing to do (NULL = none). Returns the exit code. */
int say_error(const canary_error *error, bool changing, const char *next);

/* An error of the tool's own, said as if it were the library's. Returns the exit code. */
int say_failure(int code, const char *next, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One line on standard error; nothing in JSON mode, where warnings are part of the result. */
void say_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How many letters lie between two words: inserted, left out, changed or swapped. */
int say_distance(const char *a, const char *b);

#endif
