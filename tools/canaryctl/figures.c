/* SPDX-License-Identifier: MIT */
/* See figures.h: reading, and which figures a kind of metric has. */
#include "figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The library's structs may be of another size than ours: what both know is taken. */
static void copy_known(void *to, size_t size, const void *from, uint32_t given) {
    memset(to, 0, size);
    memcpy(to, from, given < size ? given : size);
}

static int keep(void *user_data, const canary_metrics_row *row) {
    struct figures *figures = user_data;
    size_t size = (figures->count + 1) * sizeof(figures->rows[0]);
    figures->rows = text_memory(figures->rows, size);
    struct figures_row *kept = &figures->rows[figures->count++];
    copy_known(&kept->row, sizeof(kept->row), row, row->size);
    copy_known(&kept->cohorts[CANARY_OLD], sizeof(kept->cohorts[0]), row->old_cohort,
               row->old_cohort->size);
    copy_known(&kept->cohorts[CANARY_NEW], sizeof(kept->cohorts[0]), row->new_cohort,
               row->new_cohort->size);
    kept->row.old_cohort = NULL;
    kept->row.new_cohort = NULL;
    return 0;
}

int figures_read(canary_store *store, const char *rollout, const canary_metrics_query *query,
                 struct figures *out, canary_error *error) {
    figures_free(out);
    out->report.size = (uint32_t)sizeof(out->report);
    return canary_metrics(store, rollout, query, keep, out, &out->report, error);
}

void figures_free(struct figures *figures) {
    free(figures->rows);
    *figures = (struct figures){ 0 };
}

const struct figures_row *figures_find(const struct figures *figures, const char *metric,
                                       uint64_t generation) {
    for (size_t i = 0; i < figures->count; i++) {
        const canary_metrics_row *row = &figures->rows[i].row;
        if (strcmp(row->metric, metric) == 0 && (generation == 0 || row->generation == generation))
            return &figures->rows[i];
    }
    return NULL;
}

bool figures_of_generation(const struct figures *figures, uint64_t generation) {
    for (size_t i = 0; i < figures->count; i++) {
        if (figures->rows[i].row.generation == generation)
            return true;
    }
    return false;
}

int figures_kind(const struct figures *figures, const char *metric) {
    const struct figures_row *row = figures_find(figures, metric, 0);
    return row != NULL ? row->row.kind : 0;
}

#define VALUE_OF(field)                                                                            \
    static double value_of_##field(const canary_figures *figures) {                                \
        return figures->field;                                                                     \
    }
VALUE_OF(rate)
VALUE_OF(mean)
VALUE_OF(minimum)
VALUE_OF(maximum)
VALUE_OF(p50)
VALUE_OF(p90)
VALUE_OF(p95)
VALUE_OF(p99)
VALUE_OF(p999)
VALUE_OF(precision)
VALUE_OF(recall)
VALUE_OF(f1)

static double deviation(const canary_figures *figures) {
    return sqrt(figures->variance);
}

/* A quantile q is a matter of at least 4 q / (1 - q) outcomes, a mean of thirty. */
static const struct figure proportion[] = {
    { "rate", FIGURE_SHARE, value_of_rate, 0, true, false },
    { NULL, FIGURE_NUMBER, NULL, 0, false, false },
};
static const struct figure duration[] = {
    { "mean", FIGURE_SECONDS, value_of_mean, 30, false, false },
    { "p50", FIGURE_SECONDS, value_of_p50, 4, false, false },
    { "p90", FIGURE_SECONDS, value_of_p90, 36, false, true },
    { "p95", FIGURE_SECONDS, value_of_p95, 76, true, false },
    { "p99", FIGURE_SECONDS, value_of_p99, 396, false, false },
    { "p999", FIGURE_SECONDS, value_of_p999, 3996, false, true },
    { NULL, FIGURE_NUMBER, NULL, 0, false, false },
};
static const struct figure number[] = {
    { "mean", FIGURE_NUMBER, value_of_mean, 30, true, false },
    { "deviation", FIGURE_NUMBER, deviation, 30, false, true },
    { "minimum", FIGURE_NUMBER, value_of_minimum, 1, false, false },
    { "maximum", FIGURE_NUMBER, value_of_maximum, 1, false, false },
    { NULL, FIGURE_NUMBER, NULL, 0, false, false },
};
static const struct figure classification[] = {
    { "f1", FIGURE_INDEX, value_of_f1, 30, true, false },
    { "precision", FIGURE_INDEX, value_of_precision, 30, false, false },
    { "recall", FIGURE_INDEX, value_of_recall, 30, false, false },
    { NULL, FIGURE_NUMBER, NULL, 0, false, false },
};

const struct figure *figures_of_kind(int kind) {
    static const struct figure none = { NULL, FIGURE_NUMBER, NULL, 0, false, false };
    switch (kind) {
    case CANARY_METRIC_PROPORTION:
        return proportion;
    case CANARY_METRIC_DURATION:
        return duration;
    case CANARY_METRIC_VALUE:
    case CANARY_METRIC_SCORE:
        return number;
    case CANARY_METRIC_CLASSIFICATION:
        return classification;
    default:
        return &none;
    }
}

const struct figure *figures_headline(int kind) {
    for (const struct figure *figure = figures_of_kind(kind); figure->name != NULL; figure++) {
        if (figure->headline)
            return figure;
    }
    return NULL;
}

bool figures_scarce(const struct figure *figure, int kind, const canary_figures *figures) {
    if (figures->n == 0)
        return false;
    if (kind == CANARY_METRIC_PROPORTION) {
        /* The rarer side of a rate is what is counted: fewer than five are little to go by. */
        uint64_t rarer =
            figures->k < figures->n - figures->k ? figures->k : figures->n - figures->k;
        return figures->k > figures->n || rarer < 5;
    }
    return (double)figures->n < figure->needs;
}
