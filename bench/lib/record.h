/* SPDX-License-Identifier: MIT */
/* What a benchmark found: lines for people on standard output, and where CANARY_BENCH_RECORD names
 * a file, a line of JSON each at its end, from which report.py makes the tables. */
#ifndef BENCH_RECORD_H
#define BENCH_RECORD_H

#include "stats.h"

/* Takes the arguments all benchmarks share: --smoke runs everything briefly and judges nothing. */
void bench_begin(const char *program, int argc, char **argv);
int bench_is_smoke(void);

/* Figures between two headings form a table. */
void bench_heading(const char *text);
void bench_figure(const char *name, const char *unit, struct bench_spread spread);
void bench_number(const char *name, const char *unit, double value);
void bench_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line of the budgets. `figure` is for people; what counts is `ratio` against `limit`. */
void bench_at_most(const char *budget, const char *figure, double ratio, double limit);
void bench_at_least(const char *budget, const char *figure, double ratio, double limit);
/* A budget that cannot be measured here, and why. */
void bench_no_figure(const char *budget, const char *why);

/* The exit status: 1 when a budget was missed. */
int bench_end(void);

/* For errors that leave nothing to measure. */
_Noreturn void bench_die(const char *what, const char *why);

#endif
