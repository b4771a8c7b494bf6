/* SPDX-License-Identifier: MIT */
/* Names and UTF-8, held against a decoder written another way. */
#include "claim.h"

#include <string.h>

#include "base/text.h"

static int is_name(const char *text, size_t max) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(text);

    return length >= 1 && length <= max && strspn(text, allowed) == length;
}

/* The code point at `p` and how many bytes it has; 0 when it is none. */
static unsigned decode(const unsigned char *p, uint32_t *point) {
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned size = p[0] < 0x80             ? 1
                    : (p[0] & 0xe0) == 0xc0 ? 2
                    : (p[0] & 0xf0) == 0xe0 ? 3
                    : (p[0] & 0xf8) == 0xf0 ? 4
                                            : 0;

    if (size == 0) {
        return 0;
    }
    *point = size == 1 ? p[0] : p[0] & (0x7fu >> size);
    for (unsigned i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        *point = *point << 6 | (p[i] & 0x3f);
    }
    return *point < least[size] || *point > 0x10ffff || (*point >= 0xd800 && *point < 0xe000)
               ? 0
               : size;
}

/* 1 valid, 0 not. `controls`: holds a control character of ASCII. */
static int is_utf8(const char *text, int *controls) {
    const unsigned char *p = (const unsigned char *)text;

    *controls = 0;
    while (*p != '\0') {
        uint32_t point;
        unsigned size = decode(p, &point);

        if (size == 0) {
            return 0;
        }
        *controls |= point < 0x20 || point == 0x7f;
        p += size;
    }
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    char small[16];
    size_t length;
    int controls;
    int valid;

    FUZZ_CLAIM(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    length = strlen(text);
    valid = is_utf8(text, &controls);
    for (size_t max = 0; max < 140; max += 1 + max / 3) {
        FUZZ_CLAIM(canary__text_is_name(text, max) == is_name(text, max));
        FUZZ_CLAIM(canary__text_is_utf8(text, max, 0) == (valid && length <= max));
        if (!controls) {
            FUZZ_CLAIM(canary__text_is_utf8(text, max, 1) == (valid && length <= max));
        } else {
            FUZZ_CLAIM(!canary__text_is_utf8(text, max, 1));
        }
    }
    canary__text_copy(small, sizeof small, text);
    FUZZ_CLAIM(strlen(small) < sizeof small && strncmp(small, text, strlen(small)) == 0);
    canary__text_clean(text);
    FUZZ_CLAIM(canary__text_is_utf8(text, size, 1));
    free(text);
    return 0;
}
