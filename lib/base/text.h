/* SPDX-License-Identifier: MIT */
/* What names and texts may look like. */
#ifndef CANARY__TEXT_H
#define CANARY__TEXT_H

#include <stddef.h>
#include <stdint.h>

/* [A-Za-z0-9._-]{1,max}; NULL is not a name. */
int canary__text_is_name(const char *text, size_t max);

/* UTF-8 without NUL, at most `max` bytes; with `line` 1 no control characters either. */
int canary__text_is_utf8(const char *text, size_t max, int line);

/* Lower-case hex of `size` bytes, NUL-terminated: `out` holds 2 * size + 1. */
void canary__text_hex(const uint8_t *bytes, size_t size, char *out);

/* Makes one line of UTF-8 out of whatever stands there: other bytes become '?'. */
void canary__text_clean(char *text);

/* Copies as much as fits; `out` is always terminated. */
void canary__text_copy(char *out, size_t size, const char *text);

#endif
