/* SPDX-License-Identifier: MIT */
/* What every --watch has in common: a picture that is drawn over itself on a terminal, and an end by
 * SIGINT, by SIGTERM, or by a reader that has gone. */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include "text.h"

#include <stdbool.h>

struct screen {
    int signals; /* descriptor on which SIGINT and SIGTERM arrive */
};

/* Before any other thread begins, so that none of them gets the signals. */
void screen_begin(struct screen *screen);
/* Begins drawing: what the operator had before comes back at the end. Nothing where no pictures are
 * drawn. */
void screen_show(void);
/* Draws over what was drawn before, as much of it as there is room for, and empties the text. */
void screen_draw(struct text *picture);
/* Rows that a picture takes on this terminal, and rows that the terminal has. */
size_t screen_rows(const struct text *picture);
size_t screen_height(void);
void screen_hide(void);
/* Waits so long. True when it is time to end. */
bool screen_wait(struct screen *screen, int milliseconds);
void screen_end(struct screen *screen);

#endif
