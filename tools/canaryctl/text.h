/* SPDX-License-Identifier: MIT */
/* A growing text buffer, and writing foreign bytes into it so that no terminal or shell obeys them.
 */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. `data` is NUL-terminated as soon as something was added. */
struct text {
    char *data;
    size_t size;
    size_t capacity;
};

void text_bytes(struct text *text, const void *data, size_t size);
void text_add(struct text *text, const char *string);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Gathers what a call of the library writes, as its canary_write_fn; `user_data` is a text. */
int text_write(void *user_data, const char *data, uint64_t size);
void text_clear(struct text *text);
void text_free(struct text *text);

/* Adds bytes for people to read: control characters, marks that turn the direction of writing, and
 * bytes that are not UTF-8 come out as escapes. */
void text_safe(struct text *text, const void *data, size_t size);
void text_safe_string(struct text *text, const char *string);

/* Adds bytes as one word of a shell command, quoted only where that is needed. */
void text_shell(struct text *text, const void *data, size_t size);

/* Decodes one UTF-8 sequence: its length, or 0 where the bytes are not UTF-8. */
size_t text_decode(const unsigned char *data, size_t size, uint32_t *code);
bool text_is_utf8(const void *data, size_t size);

/* Columns that a string takes on a terminal, one for each code point. */
size_t text_columns(const char *string);

/* realloc that never answers NULL: a command line tool without memory can only say so and end. */
void *text_memory(void *block, size_t size);

#endif
