/* SPDX-License-Identifier: MIT */
/* Values as JSON, the same way in every command. */
#ifndef CTL_JSONOUT_H
#define CTL_JSONOUT_H

#include <jansson.h>

#include <stddef.h>
#include <stdint.h>

/* A string that may not be UTF-8: bytes that are not come out as U+FFFD. */
json_t *jsonout_string(const char *string);
/* Basis points as a number in percent: 25, 7.5. */
json_t *jsonout_percent(uint32_t bp);
json_t *jsonout_time(int64_t ns);         /* RFC 3339 */
json_t *jsonout_milliseconds(int64_t ns); /* with up to three decimals */

/* Sets `key` to bytes that somebody will compare: the string when they are UTF-8, otherwise null,
 * and `key`_hex to their hex digits. A replaced character would make two users one. */
void jsonout_set_bytes(json_t *object, const char *key, const void *data, size_t size);

/* Print and free. The first indented, the second on one line, the third on standard error. */
void jsonout_print(json_t *value);
void jsonout_line(json_t *value);
void jsonout_error(json_t *value);

#endif
