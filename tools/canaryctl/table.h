/* SPDX-License-Identifier: MIT */
/* Tables for people: columns as wide as their longest cell, the last one cut on a terminal. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "say.h"
#include "text.h"

#define TABLE_COLUMNS 12

struct table {
    char **cells;
    enum say_colour *colours;
    size_t count;
    size_t capacity;
    size_t columns;
    unsigned right; /* bit set of columns that are written to the right */
};

/* Begins a table with the titles of its columns. */
void table_begin(struct table *table, size_t columns, const char *const *titles, unsigned right);
/* The next cell, row after row. The text is taken as it is: foreign text goes through table_safe.
 */
void table_cell(struct table *table, enum say_colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void table_safe(struct table *table, enum say_colour colour, const char *string);
/* Adds the table to `out` and frees it. `width` 0 cuts nothing. */
void table_end(struct table *table, struct text *out, int width);
/* Frees a table that nobody is to see; one that was never begun, too. */
void table_free(struct table *table);

#endif
