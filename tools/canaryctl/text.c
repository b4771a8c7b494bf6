/* SPDX-License-Identifier: MIT */
/* See text.h. */
#include "text.h"

#include "exits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *text_memory(void *block, size_t size) {
    void *memory = realloc(block, size == 0 ? 1 : size);
    if (memory == NULL) {
        fputs("canaryctl: out of memory\n", stderr);
        exit(CTL_EXIT_ERROR);
    }
    return memory;
}

static void reserve(struct text *text, size_t more) {
    if (text->size + more + 1 <= text->capacity)
        return;
    size_t capacity = text->capacity == 0 ? 256 : text->capacity * 2;
    if (capacity < text->size + more + 1)
        capacity = text->size + more + 1;
    text->data = text_memory(text->data, capacity);
    text->capacity = capacity;
}

void text_bytes(struct text *text, const void *data, size_t size) {
    reserve(text, size);
    if (size > 0)
        memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void text_add(struct text *text, const char *string) {
    text_bytes(text, string, strlen(string));
}

void text_addf(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    reserve(text, (size_t)size);
    va_start(arguments, format);
    vsnprintf(text->data + text->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)size;
}

int text_write(void *user_data, const char *data, uint64_t size) {
    text_bytes(user_data, data, (size_t)size);
    return 0;
}

void text_clear(struct text *text) {
    text->size = 0;
    if (text->data != NULL)
        text->data[0] = '\0';
}

void text_free(struct text *text) {
    free(text->data);
    *text = (struct text){ 0 };
}

size_t text_decode(const unsigned char *data, size_t size, uint32_t *code) {
    if (size == 0)
        return 0;
    unsigned char first = data[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length > size)
        return 0;
    uint32_t value = first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((data[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (data[i] & 0x3fu);
    }
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return length;
}

bool text_is_utf8(const void *data, size_t size) {
    const unsigned char *bytes = data;
    uint32_t code;
    while (size > 0) {
        size_t length = text_decode(bytes, size, &code);
        if (length == 0)
            return false;
        bytes += length;
        size -= length;
    }
    return true;
}

/* C0, DEL and C1 steer terminals; the direction marks make a line read other than it is. */
static bool steers(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
           (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void text_safe(struct text *text, const void *data, size_t size) {
    const unsigned char *bytes = data;
    while (size > 0) {
        uint32_t code = 0;
        size_t length = text_decode(bytes, size, &code);
        if (length == 0) {
            text_addf(text, "\\x%02x", bytes[0]);
            length = 1;
        } else if (code == '\n') {
            text_add(text, "\\n");
        } else if (code == '\t') {
            text_add(text, "\\t");
        } else if (steers(code)) {
            text_addf(text, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
        } else {
            text_bytes(text, bytes, length);
        }
        bytes += length;
        size -= length;
    }
}

void text_safe_string(struct text *text, const char *string) {
    text_safe(text, string, strlen(string));
}

void text_shell(struct text *text, const void *data, size_t size) {
    const unsigned char *bytes = data;
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_@%+=:,./-";
    bool bare = size > 0;
    bool odd = !text_is_utf8(data, size);
    for (size_t i = 0; i < size; i++) {
        bare = bare && bytes[i] != 0 && strchr(plain, bytes[i]) != NULL;
        odd = odd || bytes[i] < 0x20 || bytes[i] == 0x7f;
    }
    if (bare) {
        text_bytes(text, data, size);
        return;
    }
    text_add(text, odd ? "$'" : "'");
    for (size_t i = 0; i < size; i++) {
        if (odd && (bytes[i] < 0x20 || bytes[i] >= 0x7f))
            text_addf(text, "\\x%02x", bytes[i]);
        else if (odd && (bytes[i] == '\'' || bytes[i] == '\\'))
            text_addf(text, "\\%c", bytes[i]);
        else if (bytes[i] == '\'')
            text_add(text, "'\\''");
        else
            text_bytes(text, &bytes[i], 1);
    }
    text_add(text, "'");
}

size_t text_columns(const char *string) {
    size_t columns = 0;
    for (; *string != '\0'; string++)
        columns += ((unsigned char)*string & 0xc0) != 0x80;
    return columns;
}
