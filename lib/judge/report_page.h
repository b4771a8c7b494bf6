/* SPDX-License-Identifier: MIT */
/* A page of a report in one of two markups: what is said is said once. All text is foreign and is made
 * harmless here. */
#ifndef CANARY__JUDGE_REPORT_PAGE_H
#define CANARY__JUDGE_REPORT_PAGE_H

#include "judge/report_text.h"

struct canary__page {
    struct canary__text *out;
    int html;
    int columns; /* of the table at hand */
    int cell;    /* that comes next */
};

enum canary__cell {
    CANARY__CELL_TEXT,
    CANARY__CELL_LONG,   /* sentences: may be broken */
    CANARY__CELL_NUMBER, /* to the right */
    CANARY__CELL_CODE,   /* a name */
    CANARY__CELL_GOOD,   /* a state, with a mark of its own besides its colour */
    CANARY__CELL_BAD,
    CANARY__CELL_WARN,
    CANARY__CELL_DIM,
};

struct canary__column {
    const char *title;
    enum canary__cell kind;
};

/* Sections follow one another; `id` is a word. */
void canary__page_section(struct canary__page *page, const char *id, const char *title);
void canary__page_section_end(struct canary__page *page);
void canary__page_paragraph(struct canary__page *page, const char *text);
/* Small print. */
void canary__page_note(struct canary__page *page, const char *text);

/* A table: its columns, then cells row by row. The first cell of a row is its head. */
void canary__page_table(struct canary__page *page, const char *caption,
                        const struct canary__column *columns, int count);
void canary__page_cell(struct canary__page *page, enum canary__cell kind, const char *text);
/* The same with a figure that was written into `text`, which is emptied. */
void canary__page_figure(struct canary__page *page, enum canary__cell kind,
                         struct canary__text *text);
void canary__page_table_end(struct canary__page *page);

/* How states are marked: a sign (NULL = none), and a class of the style. */
const char *canary__page_mark(enum canary__cell kind);
const char *canary__page_class(enum canary__cell kind);

/* Text at the present place. */
void canary__page_text(struct canary__page *page, const char *text);

#endif
