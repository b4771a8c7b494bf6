/* SPDX-License-Identifier: MIT */
#include "observe/openmetrics_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void flush(struct canary__exposition *out) {
    if (out->used > 0 && !out->stopped) {
        out->stopped = out->write(out->user_data, out->buffer, out->used);
    }
    out->used = 0;
}

static void put_char(struct canary__exposition *out, char c) {
    if (out->used == sizeof out->buffer) {
        flush(out);
    }
    out->buffer[out->used++] = c;
}

static void put(struct canary__exposition *out, const char *text) {
    while (*text != '\0') {
        put_char(out, *text++);
    }
}

/* Of label values. HELP texts are our own and hold nothing to escape. */
static void put_escaped(struct canary__exposition *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            put(out, "\\n");
            continue;
        }
        if (*text == '\\' || *text == '"') {
            put_char(out, '\\');
        }
        put_char(out, *text);
    }
}

static void put_head(struct canary__exposition *out, const char *word, const char *text) {
    put(out, "# ");
    put(out, word);
    put_char(out, ' ');
    put(out, out->family->name);
    put(out, out->older && strcmp(out->family->type, "counter") == 0 ? "_total " : " ");
    put(out, text);
    put_char(out, '\n');
}

void canary__exposition_family(struct canary__exposition *out,
                               const struct canary__family *family) {
    out->family = family;
    out->announced = 0;
}

void canary__exposition_sample(struct canary__exposition *out, const char *suffix) {
    if (!out->announced) {
        out->announced = 1;
        put_head(out, "TYPE", out->family->type);
        if (out->family->unit[0] != '\0' && !out->older) {
            put_head(out, "UNIT", out->family->unit);
        }
        put_head(out, "HELP", out->family->help);
    }
    put(out, out->family->name);
    put(out, suffix);
    out->labels = 0;
}

void canary__exposition_label(struct canary__exposition *out, const char *name, const char *value) {
    put_char(out, out->labels++ == 0 ? '{' : ',');
    put(out, name);
    put(out, "=\"");
    put_escaped(out, value);
    put_char(out, '"');
}

int canary__exposition_digits(double value, char out[CANARY__REAL_TEXT]) {
    char text[CANARY__REAL_TEXT];
    size_t used = 0;
    int whole = 1; /* neither point nor exponent yet */

    if (isnan(value) || isinf(value)) {
        canary__text_copy(out, CANARY__REAL_TEXT,
                          isnan(value) ? "NaN"
                          : value > 0  ? "+Inf"
                                       : "-Inf");
        return 0;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        /* Reads by the same locale that it was written by. */
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    /* Whatever else stands between the digits, be it several bytes long, is the locale's point. */
    for (const char *p = text; *p != '\0'; p++) {
        if ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e') {
            whole = whole && *p != 'e';
            out[used++] = *p;
        } else if (whole) {
            whole = 0;
            out[used++] = '.';
        }
    }
    out[used] = '\0';
    return whole;
}

void canary__exposition_label_real(struct canary__exposition *out, const char *name, double value) {
    char digits[CANARY__REAL_TEXT + 2];

    if (canary__exposition_digits(value, digits)) {
        canary__text_copy(digits + strlen(digits), sizeof ".0", ".0");
    }
    canary__exposition_label(out, name, digits);
}

static void put_value(struct canary__exposition *out, const char *digits) {
    put(out, out->labels > 0 ? "} " : " ");
    put(out, digits);
    put_char(out, '\n');
}

void canary__exposition_count(struct canary__exposition *out, uint64_t value) {
    char digits[24];

    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    put_value(out, digits);
}

void canary__exposition_real(struct canary__exposition *out, double value) {
    char digits[CANARY__REAL_TEXT];

    (void)canary__exposition_digits(value, digits);
    put_value(out, digits);
}

void canary__exposition_end(struct canary__exposition *out) {
    if (!out->older) {
        put(out, "# EOF\n");
    }
    flush(out);
}
