/* SPDX-License-Identifier: MIT */
/* See import.h: lines of JSON and of CSV, and elements of an array. */
#include "import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A value as text, as it would stand in CSV; NULL for what no field can be. */
static const char *scalar(const json_t *value, char buffer[64]) {
    if (json_is_string(value))
        return strlen(json_string_value(value)) == json_string_length(value)
                   ? json_string_value(value)
                   : NULL;
    if (json_is_integer(value))
        snprintf(buffer, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(buffer, 64, "%.17g", json_real_value(value));
    else
        return NULL;
    return buffer;
}

static int add_object(struct import *import, json_t *object, uint64_t line) {
    static char buffers[FIELD_COUNT][64];
    struct fields fields = { { 0 } };
    const char *name;
    json_t *value;
    char message[FIELDS_MESSAGE];
    json_object_foreach(object, name, value) {
        int id = fields_find(name);
        if (id < 0) {
            struct text names = { 0 };
            fields_names(&names);
            snprintf(message, sizeof(message), "there is no field \"%.40s\"; there are: %s", name,
                     names.data);
            text_free(&names);
            import_refuse(import, line, message);
            return 0;
        }
        if (json_is_null(value))
            continue;
        fields.text[id] = scalar(value, buffers[id]);
        if (fields.text[id] == NULL) {
            snprintf(message, sizeof(message), "\"%s\" is neither a string nor a number", name);
            import_refuse(import, line, message);
            return 0;
        }
    }
    return import_row(import, &fields, line);
}

static int add_json(struct import *import, const struct text *record, uint64_t line) {
    json_error_t wrong;
    json_t *value =
        json_loadb(record->data, record->size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &wrong);
    int result = 0;
    if (json_is_object(value)) {
        result = add_object(import, value, line);
    } else if (value != NULL) {
        import_refuse(import, line,
                      "it is no object, as in {\"metric\": \"f1\", \"cohort\": \"new\", ...}");
    } else {
        char message[FIELDS_MESSAGE];
        snprintf(message, sizeof(message), "it is no JSON: %.150s%s", wrong.text,
                 record->size <= 2 ? "; an object stands on one line, or in an array" : "");
        import_refuse(import, line, message);
    }
    json_decref(value);
    return result;
}

static int read_header(struct import *import, struct text *record, uint64_t line) {
    const char *names[CSV_FIELDS];
    size_t count;
    const char *wrong = csv_split(record->data, record->size, names, &count);
    if (wrong != NULL)
        return say_usage(import->session->command, "line %" PRIu64 ", the header: %s", line, wrong);
    for (size_t i = 0; i < count; i++) {
        int id = fields_find(names[i]);
        for (size_t other = 0; id >= 0 && other < i; other++) {
            if (import->columns[other] == id)
                return say_usage(import->session->command,
                                 "line %" PRIu64 ", the header: column \"%s\" stands twice", line,
                                 names[i]);
        }
        if (id < 0) {
            struct text all = { 0 };
            fields_names(&all);
            int result = say_usage(
                import->session->command,
                "line %" PRIu64
                ", the header: there is no column \"%.60s\"; there are, separated by commas: %s",
                line, names[i], all.data);
            text_free(&all);
            return result;
        }
        import->columns[i] = id;
    }
    import->column_count = count;
    return 0;
}

static int add_csv(struct import *import, struct text *record, uint64_t line) {
    const char *values[CSV_FIELDS];
    size_t count;
    struct fields fields = { { 0 } };
    if (import->column_count == 0)
        return read_header(import, record, line);
    const char *wrong = csv_split(record->data, record->size, values, &count);
    import->total++;
    if (wrong != NULL) {
        import_refuse(import, line, wrong);
        return 0;
    }
    if (count != import->column_count) {
        char message[FIELDS_MESSAGE];
        snprintf(message, sizeof(message), "it has %zu fields, and the header has %zu", count,
                 import->column_count);
        import_refuse(import, line, message);
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        fields.text[import->columns[i]] = values[i];
    return import_row(import, &fields, line);
}

int import_record(struct import *import, struct text *record, uint64_t line) {
    if (record->size == 0 || strspn(record->data, " \t\r") == record->size)
        return 0;
    bool usual = text_is_utf8(record->data, record->size) &&
                 memchr(record->data, '\0', record->size) == NULL;
    if (!usual && import->csv && import->column_count == 0)
        return say_usage(import->session->command,
                         "line %" PRIu64 ", the header, is not UTF-8 text", line);
    if (!usual) {
        import->total++;
        import_refuse(import, line, "it is not UTF-8 text");
        return 0;
    }
    if (import->csv)
        return add_csv(import, record, line);
    import->total++;
    return add_json(import, record, line);
}
