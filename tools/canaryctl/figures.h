/* SPDX-License-Identifier: MIT */
/* Figures of metrics: read and kept, and written in units that people read. */
#ifndef CTL_FIGURES_H
#define CTL_FIGURES_H

#include "text.h"

#include <canary/canary.h>

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

/* One row of canary_metrics(), kept beyond its callback. Cohorts are indexed by CANARY_OLD and
 * _NEW. */
struct figures_row {
    canary_metrics_row row; /* without its pointers */
    canary_figures cohorts[2];
};

/* Zero-initialised is empty. */
struct figures {
    struct figures_row *rows;
    size_t count;
    canary_metrics_report report;
};

/* Reads rows; what `out` held before is freed. A CANARY_ code. */
int figures_read(canary_store *store, const char *rollout, const canary_metrics_query *query,
                 struct figures *out, canary_error *error);
void figures_free(struct figures *figures);
/* The row of a metric, and of a generation unless that is 0; NULL when there is none. */
const struct figures_row *figures_find(const struct figures *figures, const char *metric,
                                       uint64_t generation);
/* Whether some row is about that generation. */
bool figures_of_generation(const struct figures *figures, uint64_t generation);
/* The kind of a metric that some row is about; 0 when none is. */
int figures_kind(const struct figures *figures, const char *metric);

/* One line of a table: a figure that a kind of metric has. */
enum figure_unit { FIGURE_SHARE, FIGURE_SECONDS, FIGURE_NUMBER, FIGURE_INDEX };
struct figure {
    const char *name; /* "rate", "p95"; also its JSON key */
    enum figure_unit unit;
    double (*value)(const canary_figures *figures);
    double needs;  /* fewer outcomes than this say little */
    bool headline; /* the one that stands for the metric, as in sparklines */
    bool detail;   /* in JSON only */
};
/* The figures of a kind, ended by one without a name; empty for a kind that is not known. */
const struct figure *figures_of_kind(int kind);
/* The headline figure of a kind; NULL for a kind that is not known. */
const struct figure *figures_headline(int kind);
/* Whether a value rests on so little that a reader should be told. */
bool figures_scarce(const struct figure *figure, int kind, const canary_figures *figures);

/* Adds a value: "0.42 %", "12.3 ms", "1 204.5 eur", "0.9314"; "-" for NaN. `metric_unit` "" =
 * none. */
void figures_value(double value, enum figure_unit unit, const char *metric_unit, struct text *out);
/* Adds how far `now` is from `before`: "+0.19 points", "-1.2 ms"; "-" when either is NaN. */
void figures_difference(double before, double now, enum figure_unit unit, const char *metric_unit,
                        struct text *out);
/* Adds now / before as "1.45"; "-" where there is none. */
void figures_ratio(double before, double now, struct text *out);
/* Adds a count in groups of three digits: "48 200". */
void figures_count(uint64_t count, struct text *out);

/* A number, or null for what is none. */
json_t *figures_real(double value);
/* One cohort's figures as an object. */
json_t *figures_cohort_json(const struct figures_row *row, int cohort);
/* Differences of the kind's figures, {figure: {absolute, ratio}}. */
json_t *figures_difference_json(int kind, const canary_figures *before, const canary_figures *now);
/* {metric, kind, unit, old, new, difference}. */
json_t *figures_row_json(const struct figures_row *row);

#endif
