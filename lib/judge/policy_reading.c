/* SPDX-License-Identifier: MIT */
#include "judge/policy_reading.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge/policy_units.h"

void canary__policy_read_tell(struct canary__policy_reading *reading, const char *place,
                              const char *message) {
    if (reading->count++ == 0) {
        snprintf(reading->place, sizeof reading->place, "%s", place);
        snprintf(reading->message, sizeof reading->message, "%s", message);
    }
    if (reading->problem != NULL && !reading->stopped) {
        reading->stopped = reading->problem(reading->user_data, place, message) != 0;
    }
}

void canary__policy_read_say(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, const char *format,
                             ...) {
    char place[sizeof reading->place];
    char message[sizeof reading->message];
    va_list arguments;

    if (key == NULL) {
        snprintf(place, sizeof place, "%s",
                 spot->path[0] != '\0' ? spot->path : "line 1, column 1");
    } else {
        snprintf(place, sizeof place, "%s%s%.64s", spot->path, spot->path[0] != '\0' ? "." : "",
                 key);
    }
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    canary__policy_read_tell(reading, place, message);
}

static const char *quote_text(const char *text, char out[CANARY__POLICY_QUOTE]) {
    const size_t end = CANARY__POLICY_QUOTE - 12;
    size_t at = 0;

    out[at++] = '"';
    for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++) {
        /* Other bytes could steer a terminal, or be cut within a character. */
        if (at >= end) {
            memcpy(out + at, "...", 3);
            at += 3;
            break;
        }
        if (*byte == '"' || *byte == '\\') {
            out[at++] = '\\';
            out[at++] = (char)*byte;
        } else {
            out[at++] = *byte >= 0x20 && *byte < 0x7f ? (char)*byte : '?';
        }
    }
    out[at++] = '"';
    out[at] = '\0';
    return out;
}

const char *canary__policy_read_quote(const json_t *value, char out[CANARY__POLICY_QUOTE]) {
    switch (json_typeof(value)) {
    case JSON_STRING:
        return quote_text(json_string_value(value), out);
    case JSON_INTEGER:
        snprintf(out, CANARY__POLICY_QUOTE, "%lld", (long long)json_integer_value(value));
        return out;
    case JSON_REAL:
        return canary__units_number_text(json_real_value(value), out);
    case JSON_TRUE:
        return strcpy(out, "true");
    case JSON_FALSE:
        return strcpy(out, "false");
    case JSON_NULL:
        return strcpy(out, "null");
    case JSON_ARRAY:
        return strcpy(out, "a list");
    default:
        return strcpy(out, "an object");
    }
}

const json_t *canary__policy_read_get(const struct canary__spot *spot, const char *key) {
    return json_object_get(spot->object, key);
}

int canary__policy_read_has(const struct canary__spot *spot, const char *key) {
    return canary__policy_read_get(spot, key) != NULL;
}

/* One word more of a list that begins as "". */
static void join(char *list, size_t size, const char *word) {
    const size_t at = strlen(list);

    snprintf(list + at, size - at, "%s%s", at > 0 ? ", " : "", word);
}

static int is_plain(const char *key) {
    return key[0] != '\0' && strlen(key) <= 64 &&
           strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$-") ==
               strlen(key);
}

int canary__policy_read_object(struct canary__policy_reading *reading,
                               const struct canary__spot *spot, const char *const *allowed) {
    char quote[CANARY__POLICY_QUOTE];
    char list[256] = "";
    void *entry;

    if (!json_is_object(spot->object)) {
        canary__policy_read_say(reading, spot, NULL, "%s stands where an object { } must be",
                                canary__policy_read_quote(spot->object, quote));
        return 0;
    }
    for (const char *const *known = allowed; *known != NULL; known++) {
        join(list, sizeof list, *known);
    }
    /* The plain iteration, since jansson's macro casts const away. */
    entry = json_object_iter((json_t *)(uintptr_t)spot->object);
    while (entry != NULL) {
        const char *key = json_object_iter_key(entry);
        const char *const *known = allowed;

        while (*known != NULL && strcmp(*known, key) != 0) {
            known++;
        }
        if (*known == NULL) {
            canary__policy_read_say(reading, spot, is_plain(key) ? key : NULL,
                                    "the key %s is unknown; known here: %s", quote_text(key, quote),
                                    list);
        }
        entry = json_object_iter_next((json_t *)(uintptr_t)spot->object, entry);
    }
    return 1;
}

void canary__policy_read_refuse(struct canary__policy_reading *reading,
                                const struct canary__spot *spot, const char *key, const char *why) {
    if (canary__policy_read_has(spot, key)) {
        canary__policy_read_say(reading, spot, key, "must not be given: %s", why);
    }
}

int canary__policy_read_name(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, const char *first,
                             const char *rest, size_t max, char *out) {
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const json_t *value = canary__policy_read_get(spot, key);
    const char *text = json_string_value(value);
    const int is_lower = strcmp(first, "[a-z]") == 0;
    char quote[CANARY__POLICY_QUOTE];
    char allowed[96];

    snprintf(allowed, sizeof allowed, "%s[%s%s]", is_lower ? first : "",
             is_lower ? "a-z0-9" : "A-Za-z0-9", rest);
    if (value == NULL) {
        canary__policy_read_say(reading, spot, key, "is missing; a name of %s, at most %zu bytes",
                                allowed, max);
        return 0;
    }
    if (text == NULL || text[0] == '\0' || json_string_length(value) > max ||
        (is_lower && strchr(lower, text[0]) == NULL)) {
        text = NULL;
    }
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        if (strchr(rest, *at) == NULL && strchr(is_lower ? lower : all, *at) == NULL &&
            !(*at >= '0' && *at <= '9')) {
            text = NULL;
            break;
        }
    }
    if (text == NULL) {
        canary__policy_read_say(reading, spot, key,
                                "%s is no name; a name is of %s, 1 to %zu bytes",
                                canary__policy_read_quote(value, quote), allowed, max);
        return 0;
    }
    memcpy(out, text, json_string_length(value) + 1);
    return 1;
}

/* Control characters, of the second block too. jansson has seen to it that it is UTF-8. */
static int has_control(const char *text) {
    const unsigned char *at = (const unsigned char *)text;

    for (; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0)) {
            return 1;
        }
    }
    return 0;
}

int canary__policy_read_line(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, size_t max,
                             char *out) {
    const json_t *value = canary__policy_read_get(spot, key);
    char quote[CANARY__POLICY_QUOTE];

    if (value == NULL) {
        return 0;
    }
    if (!json_is_string(value)) {
        canary__policy_read_say(reading, spot, key, "%s is no text",
                                canary__policy_read_quote(value, quote));
        return 0;
    }
    if (json_string_length(value) > max) {
        canary__policy_read_say(reading, spot, key, "has %zu bytes; at most %zu are allowed",
                                json_string_length(value), max);
        return 0;
    }
    if (has_control(json_string_value(value))) {
        canary__policy_read_say(reading, spot, key,
                                "holds a control character; one line of text is allowed");
        return 0;
    }
    if (out != NULL) {
        memcpy(out, json_string_value(value), json_string_length(value) + 1);
    }
    return 1;
}

int canary__policy_read_choice(struct canary__policy_reading *reading,
                               const struct canary__spot *spot, const char *key,
                               const char *(*name)(int number), int required, int32_t *out) {
    const json_t *value = canary__policy_read_get(spot, key);
    char quote[CANARY__POLICY_QUOTE];
    char list[160] = "";

    if (value == NULL && !required) {
        return 0;
    }
    for (int32_t number = 1; strcmp(name(number), "unknown") != 0; number++) {
        if (json_is_string(value) && strcmp(name(number), json_string_value(value)) == 0) {
            *out = number;
            return 1;
        }
        join(list, sizeof list, name(number));
    }
    if (value == NULL) {
        canary__policy_read_say(reading, spot, key, "is missing; one of %s", list);
    } else {
        canary__policy_read_say(reading, spot, key, "%s is none of %s",
                                canary__policy_read_quote(value, quote), list);
    }
    return 0;
}

int canary__policy_read_flag(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, uint32_t *out) {
    const json_t *value = canary__policy_read_get(spot, key);
    char quote[CANARY__POLICY_QUOTE];

    if (value == NULL) {
        return 0;
    }
    if (!json_is_boolean(value)) {
        canary__policy_read_say(reading, spot, key, "%s is neither true nor false",
                                canary__policy_read_quote(value, quote));
        return 0;
    }
    *out = json_is_true(value) ? 1 : 0;
    return 1;
}

int canary__policy_read_whole(const json_t *value, int64_t *out) {
    const double number = json_number_value(value);

    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return 1;
    }
    /* To JSON 3.0 is the same number as 3. */
    if (!json_is_real(value) || !(fabs(number) <= 9007199254740992.0) || floor(number) != number) {
        return 0;
    }
    *out = (int64_t)number;
    return 1;
}

int canary__policy_read_integer(struct canary__policy_reading *reading,
                                const struct canary__spot *spot, const char *key, int64_t least,
                                int64_t most, int64_t *out) {
    const json_t *value = canary__policy_read_get(spot, key);
    int64_t number = 0;
    char quote[CANARY__POLICY_QUOTE];

    if (value == NULL) {
        return 0;
    }
    if (!canary__policy_read_whole(value, &number) || number < least || number > most) {
        canary__policy_read_say(reading, spot, key, "%s is no whole number from %lld to %lld",
                                canary__policy_read_quote(value, quote), (long long)least,
                                (long long)most);
        return 0;
    }
    *out = number;
    return 1;
}

int canary__policy_read_number(struct canary__policy_reading *reading,
                               const struct canary__spot *spot, const char *key, double least,
                               double most, double *out) {
    const json_t *value = canary__policy_read_get(spot, key);
    char quote[CANARY__POLICY_QUOTE];
    char low[CANARY__UNITS_TEXT];
    char high[CANARY__UNITS_TEXT];

    if (value == NULL) {
        return 0;
    }
    if (!json_is_number(value) || !(json_number_value(value) >= least) ||
        !(json_number_value(value) <= most)) {
        canary__policy_read_say(reading, spot, key, "%s is no number from %s to %s",
                                canary__policy_read_quote(value, quote),
                                canary__units_number_text(least, low),
                                canary__units_number_text(most, high));
        return 0;
    }
    *out = json_number_value(value);
    return 1;
}

int canary__policy_read_time(struct canary__policy_reading *reading,
                             const struct canary__spot *spot, const char *key, int required,
                             int64_t least_ns, int64_t most_ns, int64_t step_ns, int64_t *out) {
    const json_t *value = canary__policy_read_get(spot, key);
    char quote[CANARY__POLICY_QUOTE];
    char low[CANARY__UNITS_TEXT];
    char high[CANARY__UNITS_TEXT];
    char step[CANARY__UNITS_TEXT];
    int64_t ns;

    canary__units_time_text(least_ns, low);
    canary__units_time_text(most_ns, high);
    canary__units_time_text(step_ns, step);
    if (value == NULL) {
        if (required) {
            canary__policy_read_say(reading, spot, key, "is missing; a time from \"%s\" to \"%s\"",
                                    low, high);
        }
        return 0;
    }
    if (!json_is_string(value) || !canary__units_time(json_string_value(value), &ns)) {
        canary__policy_read_say(
            reading, spot, key,
            "%s is no time; a text of a whole number and one of s, m, h, d, w, from "
            "\"%s\" to \"%s\"",
            canary__policy_read_quote(value, quote), low, high);
        return 0;
    }
    if (ns < least_ns || ns > most_ns) {
        canary__policy_read_say(reading, spot, key, "%s is not within \"%s\" to \"%s\"",
                                canary__policy_read_quote(value, quote), low, high);
        return 0;
    }
    if (ns % step_ns != 0) {
        canary__policy_read_say(reading, spot, key, "%s is no multiple of %s",
                                canary__policy_read_quote(value, quote), step);
        return 0;
    }
    *out = ns;
    return 1;
}
