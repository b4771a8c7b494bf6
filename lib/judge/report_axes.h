/* SPDX-License-Identifier: MIT */
/* The frame of a chart over time: where a moment and a value lie, and what is written along the edges. */
#ifndef CANARY__JUDGE_REPORT_AXES_H
#define CANARY__JUDGE_REPORT_AXES_H

#include "judge/report_chart.h"

/* In units of the picture, which is scaled as a whole; small enough for a phone to keep letters legible. */
#define CANARY__CHART_WIDTH 480
#define CANARY__CHART_HEIGHT 250

struct canary__axes {
    struct canary__text *out;
    struct canary__span span;
    double low; /* value at the lower edge */
    double high;
};

double canary__axes_x(const struct canary__axes *axes, int64_t at_ns);
/* Values beyond an edge lie on it. */
double canary__axes_y(const struct canary__axes *axes, double value);

/* "M12.5 30.1" */
void canary__axes_point(const struct canary__axes *axes, const char *command, double x, double y);

/* Begins and ends the picture; `label` says what it shows to who does not see it. */
void canary__axes_begin(const struct canary__axes *axes, const char *label);
void canary__axes_end(const struct canary__axes *axes);

/* Values at the left, with lines across; of a statistic and unit as in canary__text_value(). */
void canary__axes_values(const struct canary__axes *axes, int statistic, const char *unit);
/* Powers of ten of what `low` and `high` are natural logarithms of. */
void canary__axes_powers(const struct canary__axes *axes);
/* Times below. */
void canary__axes_times(const struct canary__axes *axes);
/* Lines where exposure changed, with their numbers. */
void canary__axes_marks(const struct canary__axes *axes, const struct canary__report *report);

/* A rounder number not below `high`, to end an axis at that begins at `low`. */
double canary__axes_round(double low, double high);

#endif
