/* SPDX-License-Identifier: MIT */
/* Lines of comma-separated values, quoted as in RFC 4180. */
#ifndef CTL_CSV_H
#define CTL_CSV_H

#include <stddef.h>

#define CSV_FIELDS 64

/* Cuts a line of `size` bytes, without its end and followed by a byte that may be overwritten, into
 * NUL-terminated fields, in place. Blanks around what is not quoted are left out. Returns NULL, or
 * what is wrong. A quote that is open at the end of the line is an error: no field here goes over
 * lines, and one lost quote must not swallow the rows that follow. */
const char *csv_split(char *line, size_t size, const char *fields[CSV_FIELDS], size_t *count);

#endif
