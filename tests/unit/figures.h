/* SPDX-License-Identifier: MIT */
/* What tests of figures share: memory that can run out, and sheets of any content. */
#ifndef UNIT_FIGURES_H
#define UNIT_FIGURES_H

#include "support.h"

#include "base/hooks.h"
#include "observe/sheet.h"

/* Counts what is allocated; the allocation after `figures_left` more fails. */
extern struct canary__hooks figures_hooks;
extern uint64_t figures_left;
extern uint64_t figures_held; /* bytes at this moment */
extern uint64_t figures_most; /* the most at any moment since it was set to 0 */

/* cmocka's setup: memory without end; and teardown: nothing is held. */
int figures_setup(void **state);
int figures_teardown(void **state);
#define FIGURES_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, figures_setup, figures_teardown)

/* In [0, 1), below `bound`, and normal with deviation 1. */
double figures_uniform(uint64_t *seed);
uint64_t figures_below(uint64_t *seed, uint64_t bound);
double figures_normal(uint64_t *seed);

/* Adds something of any kind to any of few entries; the resolution of a metric is always the same. */
void figures_record(uint64_t *seed, struct canary__sheet *sheet);

/* Both encode to the same bytes. */
void figures_equal(const struct canary__sheet *a, const struct canary__sheet *b);

#endif
