/* SPDX-License-Identifier: MIT */
/* A row of small bars, where a terminal can show them. */
#ifndef CTL_SPARKLINE_H
#define CTL_SPARKLINE_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether standard output is a terminal whose locale has the characters. */
bool sparkline_able(void);
/* Adds a bar of eight heights for each value between `low` and `high`; a blank for NaN. */
void sparkline_add(const double *values, size_t count, double low, double high, struct text *out);

#endif
