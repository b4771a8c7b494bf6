/* SPDX-License-Identifier: MIT */
/* See table.h. */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct table *table, enum say_colour colour, char *cell) {
    if (table->count == table->capacity) {
        table->capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        table->cells = text_memory(table->cells, table->capacity * sizeof(table->cells[0]));
        table->colours = text_memory(table->colours, table->capacity * sizeof(table->colours[0]));
    }
    table->cells[table->count] = cell;
    table->colours[table->count++] = colour;
}

void table_begin(struct table *table, size_t columns, const char *const *titles, unsigned right) {
    *table = (struct table){ .columns = columns, .right = right };
    for (size_t i = 0; i < columns; i++)
        table_cell(table, SAY_DIM, "%s", titles[i]);
}

void table_cell(struct table *table, enum say_colour colour, const char *format, ...) {
    char cell[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cell, sizeof(cell), format, arguments);
    va_end(arguments);
    add(table, colour, strcpy(text_memory(NULL, strlen(cell) + 1), cell));
}

void table_safe(struct table *table, enum say_colour colour, const char *string) {
    struct text text = { 0 };
    text_add(&text, "");
    text_safe_string(&text, string);
    add(table, colour, text.data);
}

/* Adds at most `room` columns of a cell, with an ellipsis where something is missing. */
static void add_cut(struct text *out, const char *cell, size_t room) {
    if (text_columns(cell) <= room) {
        text_add(out, cell);
        return;
    }
    const char *end = cell;
    for (size_t column = 0; *end != '\0'; end++) {
        if (((unsigned char)*end & 0xc0) != 0x80 && column++ == room - 1)
            break;
    }
    text_bytes(out, cell, (size_t)(end - cell));
    text_add(out, "\u2026");
}

void table_end(struct table *table, struct text *out, int width) {
    size_t widths[TABLE_COLUMNS] = { 0 };
    for (size_t i = 0; i < table->count; i++) {
        size_t columns = text_columns(table->cells[i]);
        if (columns > widths[i % table->columns])
            widths[i % table->columns] = columns;
    }
    size_t before_last = 0;
    for (size_t i = 0; i + 1 < table->columns; i++)
        before_last += widths[i] + 2;
    /* Less than a dozen columns show nothing of use: then the line may as well wrap. */
    size_t room = (size_t)-1;
    if (width > 0 && before_last + 12 <= (size_t)width)
        room = (size_t)width - before_last;
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        bool last = column + 1 == table->columns;
        size_t pad = widths[column] - text_columns(table->cells[i]);
        bool right = (table->right >> column & 1u) != 0;
        if (right)
            text_addf(out, "%*s", (int)pad, "");
        text_add(out, say_begin(table->colours[i]));
        if (last)
            add_cut(out, table->cells[i], room);
        else
            text_add(out, table->cells[i]);
        if (table->colours[i] != SAY_PLAIN)
            text_add(out, say_end());
        if (last) {
            while (out->size > 0 && out->data[out->size - 1] == ' ')
                out->size--;
            text_add(out, "\n");
        } else
            text_addf(out, "%*s", (int)(right ? 2 : pad + 2), "");
    }
    table_free(table);
}

void table_free(struct table *table) {
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table->colours);
    *table = (struct table){ 0 };
}
