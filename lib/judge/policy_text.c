/* SPDX-License-Identifier: MIT */
#include "judge/policy_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int canary__policy_text_fits(struct canary__policy_reading *reading, const char *text,
                             size_t size) {
    const char *nul;
    int line = 1;
    char message[96];
    char place[64];

    if (size > CANARY_POLICY_SIZE_MAX) {
        snprintf(message, sizeof message, "the text has %zu bytes; at most %d are allowed", size,
                 CANARY_POLICY_SIZE_MAX);
        canary__policy_read_tell(reading, "line 1, column 1", message);
        return 0;
    }
    nul = memchr(text, '\0', size);
    if (nul != NULL) {
        const char *begin = text;

        for (const char *at = text; at < nul; at++) {
            if (*at == '\n') {
                line++;
                begin = at + 1;
            }
        }
        snprintf(place, sizeof place, "line %d, column %lld", line, (long long)(nul - begin) + 1);
        canary__policy_read_tell(reading, place, "a NUL byte; a policy is text");
        return 0;
    }
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        canary__policy_read_tell(reading, "line 1, column 1",
                                 "a byte order mark; a policy is UTF-8 without one");
        return 0;
    }
    return 1;
}

/* -- JSON -- */

/* jansson drops the byte for which its buffer could not grow, and goes on: a string that misses one
 * is a policy that nobody wrote. So the bytes of all strings are counted, in the text and in what was
 * read of it. */

static size_t escape_size(const char *escape, size_t left, size_t *taken) {
    char digits[5] = { 0 };
    unsigned long code;

    *taken = 2;
    if (left < 6 || escape[1] != 'u') {
        return 1;
    }
    *taken = 6;
    memcpy(digits, escape + 2, 4);
    code = strtoul(digits, NULL, 16);
    if (code >= 0xd800 && code < 0xe000) {
        return 2; /* half of a pair, of which the character has four */
    }
    return code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
}

static size_t bytes_of_text(const char *text, size_t size) {
    size_t bytes = 0;
    int inside = 0;

    for (size_t at = 0; at < size;) {
        size_t taken = 1;

        if (text[at] == '"') {
            inside = !inside;
        } else if (inside && text[at] == '\\') {
            bytes += escape_size(text + at, size - at, &taken);
        } else {
            bytes += inside ? 1 : 0;
        }
        at += taken;
    }
    return bytes;
}

static size_t bytes_of_tree(const json_t *value) {
    size_t bytes = 0;

    if (json_is_string(value)) {
        return json_string_length(value);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        bytes += bytes_of_tree(json_array_get(value, i));
    }
    for (void *entry = json_object_iter((json_t *)(uintptr_t)value); entry != NULL;
         entry = json_object_iter_next((json_t *)(uintptr_t)value, entry)) {
        bytes += strlen(json_object_iter_key(entry)) + bytes_of_tree(json_object_iter_value(entry));
    }
    return bytes;
}

json_t *canary__policy_text_json(struct canary__policy_reading *reading, const char *text,
                                 size_t size) {
    json_error_t trouble;
    char place[64];
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &trouble);

    if (root != NULL && bytes_of_text(text, size) != bytes_of_tree(root)) {
        json_decref(root);
        return NULL;
    }
    if (root != NULL || trouble.text[0] == '\0' ||
        json_error_code(&trouble) == json_error_out_of_memory) {
        return root;
    }
    snprintf(place, sizeof place, "line %d, column %d", trouble.line > 0 ? trouble.line : 1,
             trouble.column > 0 ? trouble.column : 1);
    for (char *at = trouble.text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f) {
            *at = '?';
        }
    }
    canary__policy_read_tell(reading, place, trouble.text);
    return NULL;
}
