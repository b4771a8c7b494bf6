/* SPDX-License-Identifier: MIT */
/* See jsonout.h. */
#include "jsonout.h"

#include "say.h"
#include "text.h"
#include "when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Enough for nanoseconds in sums of seconds; more would show how the machine writes 7.1 in binary. */
#define DIGITS JSON_REAL_PRECISION(15)

json_t *jsonout_string(const char *string) {
    size_t size = strlen(string);
    if (text_is_utf8(string, size))
        return json_stringn(string, size);
    struct text clean = { 0 };
    const unsigned char *bytes = (const unsigned char *)string;
    while (size > 0) {
        uint32_t code;
        size_t length = text_decode(bytes, size, &code);
        text_bytes(&clean, length > 0 ? (const char *)bytes : "\xef\xbf\xbd",
                   length > 0 ? length : 3);
        length = length > 0 ? length : 1;
        bytes += length;
        size -= length;
    }
    json_t *value = json_stringn(clean.data, clean.size);
    text_free(&clean);
    return value;
}

json_t *jsonout_percent(uint32_t bp) {
    return bp % 100 == 0 ? json_integer(bp / 100) : json_real((double)bp / 100.0);
}

json_t *jsonout_time(int64_t ns) {
    char text[WHEN_SIZE];
    when_rfc3339(ns, text);
    return json_string(text);
}

json_t *jsonout_milliseconds(int64_t ns) {
    return json_real((double)(ns / 1000) / 1000.0);
}

void jsonout_set_bytes(json_t *object, const char *key, const void *data, size_t size) {
    if (text_is_utf8(data, size)) {
        json_object_set_new(object, key, json_stringn(data, size));
        return;
    }
    struct text hex = { 0 };
    for (size_t i = 0; i < size; i++)
        text_addf(&hex, "%02x", ((const unsigned char *)data)[i]);
    char hex_key[64];
    snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
    json_object_set_new(object, key, json_null());
    json_object_set_new(object, hex_key, json_string(hex.data));
    text_free(&hex);
}

static char *dump(json_t *value, size_t flags) {
    char *text = json_dumps(value, flags | DIGITS | JSON_ENCODE_ANY);
    json_decref(value);
    return text != NULL ? text : strcpy(text_memory(NULL, 5), "null");
}

static void print(json_t *value, size_t flags) {
    char *string = dump(value, flags);
    struct text line = { 0 };
    text_add(&line, string);
    text_add(&line, "\n");
    free(string);
    say_text(&line);
    text_free(&line);
}

void jsonout_print(json_t *value) {
    print(value, JSON_INDENT(2));
}

void jsonout_line(json_t *value) {
    print(value, 0);
}

void jsonout_error(json_t *value) {
    char *text = dump(value, 0);
    fprintf(stderr, "%s\n", text);
    free(text);
}
