/* SPDX-License-Identifier: MIT */
#include "judge/report_text.h"

#include <canary/verdict.h>
#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "judge/say.h"
#include "judge/spans.h"

void canary__text_free(struct canary__text *text) {
    free(text->data);
    memset(text, 0, sizeof *text);
}

void canary__text_clear(struct canary__text *text) {
    text->size = 0;
    if (text->data != NULL) {
        text->data[0] = '\0';
    }
}

static void add_bytes(struct canary__text *text, const void *data, size_t size) {
    if (text->failed) {
        return;
    }
    if (size >= text->capacity - text->size || text->capacity == 0) {
        size_t capacity = text->capacity == 0 ? 256 : text->capacity;
        char *grown;

        while (capacity - text->size <= size && capacity < SIZE_MAX / 2) {
            capacity *= 2;
        }
        grown = capacity - text->size > size ? realloc(text->data, capacity) : NULL;
        if (grown == NULL) {
            text->failed = 1;
            return;
        }
        text->data = grown;
        text->capacity = capacity;
    }
    if (size > 0) {
        memcpy(text->data + text->size, data, size);
    }
    text->size += size;
    text->data[text->size] = '\0';
}

void canary__text_add(struct canary__text *text, const char *string) {
    add_bytes(text, string, strlen(string));
}

void canary__text_addf(struct canary__text *text, const char *format, ...) {
    char small[512];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (size < 0) {
        text->failed = 1;
        return;
    }
    if ((size_t)size >= sizeof small) {
        char *large = malloc((size_t)size + 1);

        if (large == NULL) {
            text->failed = 1;
            return;
        }
        va_start(arguments, format);
        vsnprintf(large, (size_t)size + 1, format, arguments);
        va_end(arguments);
        add_bytes(text, large, (size_t)size);
        free(large);
        return;
    }
    add_bytes(text, small, (size_t)size);
}

static void add_double(struct canary__text *text, const char *format, int digits, double value) {
    const char *point = localeconv()->decimal_point;
    char buffer[400]; /* the greatest double has 309 digits before its point */
    char *at;

    snprintf(buffer, sizeof buffer, format, digits, value);
    at = point[0] != '\0' && strcmp(point, ".") != 0 ? strstr(buffer, point) : NULL;
    if (at == NULL) {
        canary__text_add(text, buffer);
        return;
    }
    add_bytes(text, buffer, (size_t)(at - buffer));
    canary__text_add(text, ".");
    canary__text_add(text, at + strlen(point));
}

void canary__text_fixed(struct canary__text *text, double value, int decimals) {
    add_double(text, "%.*f", decimals, value);
}

void canary__text_general(struct canary__text *text, double value) {
    add_double(text, "%.*g", 4, value);
}

const char *canary__text_string(const struct canary__text *text) {
    return text->data != NULL ? text->data : "";
}

/* -- foreign bytes -- */

/* One sequence of well-formed UTF-8: its length, or 0. */
static size_t decode(const unsigned char *s, uint32_t *code) {
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t size = s[0] < 0x80             ? 1
                  : (s[0] & 0xe0) == 0xc0 ? 2
                  : (s[0] & 0xf0) == 0xe0 ? 3
                  : (s[0] & 0xf8) == 0xf0 ? 4
                                          : 0;

    if (size <= 1) {
        *code = s[0];
        return size;
    }
    *code = s[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        /* Also stops at the NUL that ends the string. */
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        *code = *code << 6 | (s[i] & 0x3fu);
    }
    return *code >= least[size] && *code <= 0x10ffff && !(*code >= 0xd800 && *code <= 0xdfff) ? size
                                                                                              : 0;
}

/* What a reader could be deceived by: controls, and marks that reorder the text around them. */
static int is_deceiving(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c ||
           (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code & 0xfffe) == 0xfffe ||
           (code >= 0xe0000 && code <= 0xe0fff);
}

static const char *html_entity(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

enum target { PLAIN, HTML, MARKDOWN };

static void add_ascii(struct canary__text *text, const char *all, const char *at,
                      enum target target) {
    char c = *at;

    if (target == HTML && c == ' ' && at > all && isdigit((unsigned char)at[-1]) &&
        (isdigit((unsigned char)at[1]) || at[1] == '%')) {
        /* "41 200" and "5 %" are one figure each: no line ends within. */
        canary__text_add(text, "&nbsp;");
    } else if (target == HTML && html_entity(c) != NULL) {
        canary__text_add(text, html_entity(c));
    } else if (target == MARKDOWN && (c == '&' || c == '<' || c == '>')) {
        canary__text_add(text, html_entity(c));
    } else {
        /* "http://" and "www." become links by themselves; a backslash between keeps them text. */
        int links = (c == ':' && at[1] == '/') ||
                    (c == '.' && at - all >= 3 && strncasecmp(at - 3, "www", 3) == 0);

        if (target == MARKDOWN && (links || strchr("\\`*_[]#!|~@$", c) != NULL)) {
            canary__text_add(text, "\\");
        }
        add_bytes(text, &c, 1);
    }
}

static void add_foreign(struct canary__text *text, const char *string, enum target target) {
    const char *at = string;

    while (*at != '\0') {
        uint32_t code;
        size_t size = decode((const unsigned char *)at, &code);

        if (size == 0) {
            canary__text_add(text, "\xef\xbf\xbd");
            at++;
            continue;
        }
        if (code == '\n' || code == '\r' || code == '\t') {
            canary__text_add(text, " ");
        } else if (is_deceiving(code)) {
            canary__text_add(text, "\xef\xbf\xbd");
        } else if (size == 1) {
            add_ascii(text, string, at, target);
        } else {
            add_bytes(text, at, size);
        }
        at += size;
    }
}

void canary__text_html(struct canary__text *text, const char *string) {
    add_foreign(text, string, HTML);
}

void canary__text_markdown(struct canary__text *text, const char *string) {
    add_foreign(text, string, MARKDOWN);
}

void canary__text_plain(struct canary__text *text, const char *string) {
    add_foreign(text, string, PLAIN);
}

/* -- figures -- */

void canary__text_count(struct canary__text *text, double count) {
    char digits[64];
    struct canary__say say = canary__say_into(digits, sizeof digits);

    if (isnan(count) || !(fabs(count) < 1e15)) {
        canary__text_add(text, isnan(count) ? "-" : count > 0 ? "inf" : "-inf");
        return;
    }
    canary__say_count(&say, count);
    canary__text_add(text, digits);
}

static int decimals_of(double magnitude) {
    return magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2;
}

void canary__text_percent(struct canary__text *text, double share) {
    double percent = share * 100;
    double magnitude = fabs(percent);

    if (isnan(share)) {
        canary__text_add(text, "-");
    } else if (magnitude == 0 || magnitude == 100) {
        canary__text_fixed(text, percent, 0);
        canary__text_add(text, " %");
    } else {
        canary__text_fixed(text, percent,
                           magnitude > 99 && magnitude < 100 ? 3
                           : magnitude >= 0.0995             ? 2
                           : magnitude >= 0.00995            ? 3
                                                             : 4);
        canary__text_add(text, " %");
    }
}

static void add_seconds(struct canary__text *text, double seconds) {
    static const struct {
        double below;
        double unit;
        const char *name;
    } scales[] = { { 0.9995e-3, 1e-6, "us" },
                   { 0.9995, 1e-3, "ms" },
                   { 119.5, 1, "s" },
                   { 7195, 60, "min" },
                   { INFINITY, 3600, "h" } };
    size_t i = 0;

    if (isnan(seconds)) {
        canary__text_add(text, "-");
        return;
    }
    if (isinf(seconds)) {
        canary__text_add(text, "over 71 min");
        return;
    }
    while (i + 1 < sizeof scales / sizeof scales[0] && fabs(seconds) >= scales[i].below) {
        i++;
    }
    if (seconds == 0) {
        canary__text_add(text, "0 ms");
        return;
    }
    canary__text_fixed(text, seconds / scales[i].unit, decimals_of(fabs(seconds) / scales[i].unit));
    canary__text_add(text, " ");
    canary__text_add(text, scales[i].name);
}

void canary__text_number(struct canary__text *text, double value) {
    if (isnan(value)) {
        canary__text_add(text, "-");
    } else if (fabs(value) >= 9999.5 && fabs(value) < 1e15) {
        canary__text_count(text, value);
    } else {
        canary__text_general(text, value);
    }
}

void canary__text_p(struct canary__text *text, double p) {
    if (isnan(p)) {
        canary__text_add(text, "-");
    } else if (p < 0.0001) {
        canary__text_add(text, "< 0.0001");
    } else {
        canary__text_fixed(text, p, p < 0.01 ? 4 : 3);
    }
}

void canary__text_bp(struct canary__text *text, uint32_t bp) {
    char percent[64];
    struct canary__say say = canary__say_into(percent, sizeof percent);

    canary__say_bp(&say, bp);
    canary__text_add(text, percent);
}

static void add_time(struct canary__text *text, int64_t ns, const char *format) {
    time_t seconds = (time_t)(ns / CANARY__SECOND_NS);
    struct tm broken;
    char buffer[64];

    if (ns < 0 || gmtime_r(&seconds, &broken) == NULL ||
        strftime(buffer, sizeof buffer, format, &broken) == 0) {
        canary__text_add(text, "-");
        return;
    }
    canary__text_add(text, buffer);
}

void canary__text_time(struct canary__text *text, int64_t ns) {
    add_time(text, ns, "%Y-%m-%d %H:%M UTC");
}

void canary__text_moment(struct canary__text *text, int64_t ns) {
    add_time(text, ns, "%Y-%m-%d %H:%M:%S UTC");
}

void canary__text_rfc3339(struct canary__text *text, int64_t ns) {
    add_time(text, ns, "%Y-%m-%dT%H:%M:%SZ");
}

void canary__text_span(struct canary__text *text, int64_t ns) {
    char span[64];
    struct canary__say say = canary__say_into(span, sizeof span);

    canary__say_span(&say, ns);
    canary__text_add(text, span);
}

void canary__text_value(struct canary__text *text, double value, int statistic, const char *unit) {
    switch (statistic) {
    case CANARY_STATISTIC_RATE:
        canary__text_percent(text, value);
        return;
    case CANARY_STATISTIC_F1:
    case CANARY_STATISTIC_PRECISION:
    case CANARY_STATISTIC_RECALL:
        if (isnan(value)) {
            canary__text_add(text, "-");
        } else {
            canary__text_fixed(text, value, 4);
        }
        return;
    default:
        break;
    }
    if (statistic == CANARY_STATISTIC_QUANTILE || strcmp(unit, "seconds") == 0) {
        add_seconds(text, value);
    } else {
        canary__text_number(text, value);
        if (unit[0] != '\0' && !isnan(value)) {
            canary__text_add(text, " ");
            canary__text_plain(text, unit);
        }
    }
}

void canary__text_limit(struct canary__text *text, double value, int statistic, const char *unit) {
    if (statistic == CANARY_STATISTIC_RATE && !isnan(value)) {
        /* A limit is shown as it was given: 99.95 % is not 99.950 %. */
        add_double(text, "%.*g", 7, value * 100);
        canary__text_add(text, " %");
    } else if ((statistic == CANARY_STATISTIC_QUANTILE || strcmp(unit, "seconds") == 0) &&
               value > 0 && value < 120) {
        add_double(text, "%.*g", 7, value < 1 ? value * 1e3 : value);
        canary__text_add(text, value < 1 ? " ms" : " s");
    } else {
        canary__text_value(text, value, statistic, unit);
    }
}

void canary__text_ratio(struct canary__text *text, double ratio) {
    if (isnan(ratio)) {
        canary__text_add(text, "-");
    } else {
        add_double(text, "%.*g", 3, ratio);
    }
}
