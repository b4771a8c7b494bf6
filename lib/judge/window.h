/* SPDX-License-Identifier: MIT */
/* What a rule of proof POINT sees: the sums of the last minutes, hours or days, of both cohorts.
 *
 * A window is a ring of panes, each the sum of its ticks, under a tree of sums: adding a tick and sliding
 * touch one path to the root, where the sum of all is, however long the window. The tree rather than
 * a running sum, from which panes are taken off again: sums of doubles do not come back to where they
 * were, a NaN never would, and a process that takes over and reads a window back has the same bits.
 *
 * A pane is as long as figures are kept finely enough to read it back: 10 s for windows up to 1 h, 60 s
 * up to 6 h, 1 h above. So a window is exact up to 1 h; longer ones cover up to one pane more than they
 * say, which is at most a sixth (of 6 h) and usually much less. */
#ifndef CANARY__JUDGE_WINDOW_H
#define CANARY__JUDGE_WINDOW_H

#include <stdint.h>

#include "judge/reading.h"

struct canary__window;

/* NULL without memory. */
struct canary__window *canary__window_open(int64_t length_ns);
void canary__window_close(struct canary__window *window);
void canary__window_clear(struct canary__window *window);

/* Drops what is too old for a window that ends at `now_ns`. Time does not go back: an earlier moment
 * changes nothing. */
void canary__window_slide(struct canary__window *window, int64_t now_ns);
/* Adds what a tick that begins at `from_ns` said. One of before the window is not added. Figures of
 * after its end move it on. */
void canary__window_add(struct canary__window *window, int64_t from_ns,
                        const struct canary__reading *reading);
/* The sum of all panes. */
const struct canary__reading *canary__window_sum(const struct canary__window *window);

#endif
