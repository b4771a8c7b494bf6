/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <string.h>

int canary__text_is_name(const char *text, size_t max) {
    size_t length;

    if (text == NULL || text[0] == '\0') {
        return 0;
    }
    for (length = 0; text[length] != '\0'; length++) {
        char c = text[length];

        /* Not isalnum(): names must not depend on the host program's locale. */
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-') ||
            length == max) {
            return 0;
        }
    }
    return 1;
}

/* Length of the UTF-8 sequence at `p`, 0 when it is none: no overlong forms, no surrogates, nothing
 * above U+10FFFF (Unicode 15, table 3-7). The terminating NUL ends every sequence that is cut. */
static size_t sequence(const unsigned char *p) {
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t length;

    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        length = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        length = 3;
        low = p[0] == 0xe0 ? 0xa0 : 0x80;
        high = p[0] == 0xed ? 0x9f : 0xbf;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        length = 4;
        low = p[0] == 0xf0 ? 0x90 : 0x80;
        high = p[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }
    return length;
}

int canary__text_is_utf8(const char *text, size_t max, int line) {
    const unsigned char *p = (const unsigned char *)text;
    size_t length = 0;

    while (p[length] != '\0') {
        size_t step = sequence(p + length);

        if (step == 0 || length + step > max) {
            return 0;
        }
        if (line && (p[length] < 0x20 || p[length] == 0x7f)) {
            return 0;
        }
        length += step;
    }
    return 1;
}

/* Messages quote what callers and stored rows hold, and are cut to fit. */
void canary__text_clean(char *text) {
    unsigned char *p = (unsigned char *)text;

    while (*p != '\0') {
        size_t step = *p < 0x20 || *p == 0x7f ? 0 : sequence(p);

        if (step == 0) {
            *p = '?';
            step = 1;
        }
        p += step;
    }
}

void canary__text_hex(const uint8_t *bytes, size_t size, char *out) {
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

void canary__text_copy(char *out, size_t size, const char *text) {
    size_t length = strlen(text);

    if (length >= size) {
        length = size - 1;
    }
    memcpy(out, text, length);
    out[length] = '\0';
}
