/* SPDX-License-Identifier: MIT */
/* See csv.h. */
#include "csv.h"

#include <stdbool.h>
#include <string.h>

/* Reads a quoted field from behind its quote; `*at` ends behind the closing one. */
static const char *take_quoted(char *line, size_t size, size_t *at, const char **field) {
    size_t to = *at;
    *field = &line[to];
    while (*at < size) {
        char byte = line[(*at)++];
        if (byte == '"' && *at < size && line[*at] == '"') {
            (*at)++;
        } else if (byte == '"') {
            line[to] = '\0';
            return NULL;
        }
        line[to++] = byte;
    }
    return "a quote is opened and not closed on its line";
}

static void take_bare(char *line, size_t size, size_t *at, const char **field) {
    size_t from = *at;
    while (*at < size && line[*at] != ',')
        (*at)++;
    size_t to = *at;
    while (to > from && (line[to - 1] == ' ' || line[to - 1] == '\t'))
        to--;
    *field = &line[from];
    line[to] = '\0';
}

static void skip_blanks(const char *line, size_t size, size_t *at) {
    while (*at < size && (line[*at] == ' ' || line[*at] == '\t'))
        (*at)++;
}

const char *csv_split(char *line, size_t size, const char *fields[CSV_FIELDS], size_t *count) {
    size_t at = 0;
    *count = 0;
    for (;;) {
        if (*count == CSV_FIELDS)
            return "it has more than 64 fields";
        skip_blanks(line, size, &at);
        bool comma;
        if (at < size && line[at] == '"') {
            at++;
            const char *wrong = take_quoted(line, size, &at, &fields[*count]);
            if (wrong != NULL)
                return wrong;
            skip_blanks(line, size, &at);
            if (at < size && line[at] != ',')
                return "something follows a closing quote; a quote within a field is written twice";
            comma = at < size;
        } else {
            const char *end = memchr(line + at, ',', size - at);
            comma = end != NULL;
            const char *quote =
                memchr(line + at, '"', comma ? (size_t)(end - line) - at : size - at);
            if (quote != NULL)
                return "a quote stands within a field that does not begin with one";
            take_bare(line, size, &at, &fields[*count]);
        }
        ++*count;
        at++;
        if (!comma)
            return NULL;
    }
}
