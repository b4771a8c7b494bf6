/* SPDX-License-Identifier: MIT */
/* What both cohorts lived through in a report's time: in all, and over time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/classical.h"
#include "judge/fail.h"
#include "judge/report.h"
#include "judge/spans.h"

struct reading {
    struct canary__report *report;
    int failed;
};

static int is_value(int kind) {
    return kind == CANARY_METRIC_VALUE || kind == CANARY_METRIC_SCORE;
}

/* -- figures and their classical tests -- */

static double proportions(double k_new, double n_new, double k_old, double n_old) {
    struct canary__judge_test test;

    canary__judge_two_proportions((struct canary__judge_share){ n_new, k_new },
                                  (struct canary__judge_share){ n_old, k_old }, &test);
    return test.p;
}

static double means(const canary_figures *fresh, const canary_figures *old) {
    struct canary__judge_arm a = { (double)fresh->n, fresh->mean, fresh->variance };
    struct canary__judge_arm b = { (double)old->n, old->mean, old->variance };
    struct canary__judge_test test = { .p = NAN };

    if (fresh->n < 2 || old->n < 2) {
        return NAN;
    }
    canary__judge_welch(&a, &b, &test);
    return test.p;
}

/* Whether durations as such are longer or shorter, whichever quantile one looks at. */
static double ranks(const canary_figures *fresh, const canary_figures *old) {
    const canary_figures *figures[2] = { fresh, old };
    uint64_t *counts = calloc(2 * (CANARY_DURATION_BUCKETS + 1), sizeof *counts);
    struct canary__judge_test test = { .p = NAN };

    for (int i = 0; counts != NULL && i < 2; i++) {
        uint64_t *to = counts + i * (CANARY_DURATION_BUCKETS + 1);

        if (figures[i]->buckets != NULL && figures[i]->bucket_count <= CANARY_DURATION_BUCKETS) {
            memcpy(to, figures[i]->buckets, figures[i]->bucket_count * sizeof *to);
        }
        to[CANARY_DURATION_BUCKETS] = figures[i]->overflow;
    }
    if (counts != NULL) {
        canary__judge_mann_whitney(counts, counts + CANARY_DURATION_BUCKETS + 1,
                                   CANARY_DURATION_BUCKETS + 1, &test);
    }
    free(counts);
    return test.p;
}

/* Users against the percentage, of the sample, whose users are independent draws. */
static double division(const canary_rollout *rollout, const canary_exposure *exposure) {
    double theta = (double)rollout->percentage_bp / 10000;
    const double counts[2] = { (double)exposure->sampled[CANARY_NEW],
                               (double)exposure->sampled[CANARY_OLD] };
    const double asked[2] = { theta, 1 - theta };
    struct canary__judge_test test;

    if (exposure->generation == 0 || exposure->generation != rollout->generation ||
        isnan(exposure->users[CANARY_NEW])) {
        return NAN;
    }
    canary__judge_chi_square(counts, asked, 2, &test);
    return test.p;
}

static struct canary__report_figure *add_figure(struct canary__report_metric *metric,
                                                const char *name, int statistic, double old,
                                                double fresh) {
    struct canary__report_figure *figure = &metric->figures[metric->count++];

    memset(figure, 0, sizeof *figure);
    figure->name = name;
    figure->statistic = statistic;
    figure->quantile = NAN;
    figure->value[CANARY_OLD] = old;
    figure->value[CANARY_NEW] = fresh;
    figure->p = NAN;
    return figure;
}

static void tested(struct canary__report_figure *figure, const char *test, double p) {
    figure->test = test;
    figure->p = p;
}

static void add_quantile(struct canary__report_metric *metric, const char *name, double quantile,
                         double old, double fresh) {
    add_figure(metric, name, CANARY_STATISTIC_QUANTILE, old, fresh)->quantile = quantile;
}

static void fill_figures(struct canary__report_metric *metric, const canary_figures *old,
                         const canary_figures *fresh) {
    if (metric->kind == CANARY_METRIC_PROPORTION) {
        tested(add_figure(metric, "rate", CANARY_STATISTIC_RATE, old->rate, fresh->rate),
               "two-proportion z",
               proportions((double)fresh->k, (double)fresh->n, (double)old->k, (double)old->n));
    } else if (metric->kind == CANARY_METRIC_DURATION) {
        tested(add_figure(metric, "mean", CANARY_STATISTIC_MEAN, old->mean, fresh->mean),
               "Welch's t", means(fresh, old));
        add_quantile(metric, "p50", 0.5, old->p50, fresh->p50);
        tested(&metric->figures[metric->count - 1], "Mann-Whitney", ranks(fresh, old));
        add_quantile(metric, "p95", 0.95, old->p95, fresh->p95);
        add_quantile(metric, "p99", 0.99, old->p99, fresh->p99);
    } else if (is_value(metric->kind)) {
        tested(add_figure(metric, "mean", CANARY_STATISTIC_MEAN, old->mean, fresh->mean),
               "Welch's t", means(fresh, old));
    } else if (metric->kind == CANARY_METRIC_CLASSIFICATION) {
        /* F1 rises with q = tp / (tp + fp + fn): they are equal together. */
        tested(add_figure(metric, "F1", CANARY_STATISTIC_F1, old->f1, fresh->f1),
               "two-proportion z",
               proportions((double)fresh->tp,
                           (double)fresh->tp + (double)fresh->fp + (double)fresh->fn,
                           (double)old->tp, (double)old->tp + (double)old->fp + (double)old->fn));
        tested(add_figure(metric, "precision", CANARY_STATISTIC_PRECISION, old->precision,
                          fresh->precision),
               "two-proportion z",
               proportions((double)fresh->tp, (double)fresh->tp + (double)fresh->fp,
                           (double)old->tp, (double)old->tp + (double)old->fp));
        tested(add_figure(metric, "recall", CANARY_STATISTIC_RECALL, old->recall, fresh->recall),
               "two-proportion z",
               proportions((double)fresh->tp, (double)fresh->tp + (double)fresh->fn,
                           (double)old->tp, (double)old->tp + (double)old->fn));
    }
}

static int take_total(void *user_data, const canary_metrics_row *row) {
    struct reading *reading = user_data;
    struct canary__report *report = reading->report;
    struct canary__report_metric *grown =
        realloc(report->metrics, (report->metric_count + 1) * sizeof *grown);

    if (grown == NULL) {
        reading->failed = 1;
        return 1;
    }
    report->metrics = grown;
    grown += report->metric_count++;
    memset(grown, 0, sizeof *grown);
    memcpy(grown->name, row->metric, sizeof grown->name);
    memcpy(grown->unit, row->unit, sizeof grown->unit);
    grown->kind = row->kind;
    grown->n[CANARY_OLD] = (double)row->old_cohort->n;
    grown->n[CANARY_NEW] = (double)row->new_cohort->n;
    fill_figures(grown, row->old_cohort, row->new_cohort);
    return 0;
}

/* -- over time -- */

/* About as many steps as a curve can show, none finer than figures of that age are kept. */
static int64_t step_for(int64_t span, int64_t age) {
    static const int64_t steps[] = {
        10 * CANARY__SECOND_NS, 30 * CANARY__SECOND_NS, CANARY__MINUTE_NS,
        2 * CANARY__MINUTE_NS,  5 * CANARY__MINUTE_NS,  10 * CANARY__MINUTE_NS,
        15 * CANARY__MINUTE_NS, 30 * CANARY__MINUTE_NS, CANARY__HOUR_NS,
        2 * CANARY__HOUR_NS,    3 * CANARY__HOUR_NS,    6 * CANARY__HOUR_NS,
        12 * CANARY__HOUR_NS,   CANARY__DAY_NS,         2 * CANARY__DAY_NS,
        7 * CANARY__DAY_NS,     14 * CANARY__DAY_NS,    28 * CANARY__DAY_NS,
        56 * CANARY__DAY_NS,    112 * CANARY__DAY_NS,   224 * CANARY__DAY_NS,
    };
    int64_t least = age <= 2 * CANARY__HOUR_NS  ? 10 * CANARY__SECOND_NS
                    : age <= 7 * CANARY__DAY_NS ? CANARY__MINUTE_NS
                                                : CANARY__HOUR_NS;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i] >= least && span / steps[i] <= CANARY__REPORT_POINTS) {
            return steps[i];
        }
    }
    return 400 * CANARY__DAY_NS;
}

static double headline(int kind, const canary_figures *figures) {
    switch (kind) {
    case CANARY_METRIC_PROPORTION:
        return figures->rate;
    case CANARY_METRIC_DURATION:
        return figures->p95;
    case CANARY_METRIC_CLASSIFICATION:
        return figures->f1;
    default:
        return figures->mean;
    }
}

static struct canary__report_series *series_of(struct canary__report *report,
                                               const canary_metrics_row *row) {
    struct canary__report_series *grown;

    for (size_t i = report->series_count; i > 0; i--) {
        if (strcmp(report->series[i - 1].metric, row->metric) == 0) {
            return &report->series[i - 1];
        }
    }
    grown = realloc(report->series, (report->series_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    report->series = grown;
    grown += report->series_count++;
    memset(grown, 0, sizeof *grown);
    memcpy(grown->metric, row->metric, sizeof grown->metric);
    memcpy(grown->unit, row->unit, sizeof grown->unit);
    grown->figure = row->kind == CANARY_METRIC_PROPORTION       ? "rate"
                    : row->kind == CANARY_METRIC_DURATION       ? "p95"
                    : row->kind == CANARY_METRIC_CLASSIFICATION ? "F1"
                                                                : "mean";
    grown->statistic = row->kind == CANARY_METRIC_PROPORTION       ? CANARY_STATISTIC_RATE
                       : row->kind == CANARY_METRIC_DURATION       ? CANARY_STATISTIC_QUANTILE
                       : row->kind == CANARY_METRIC_CLASSIFICATION ? CANARY_STATISTIC_F1
                                                                   : CANARY_STATISTIC_MEAN;
    return grown;
}

static int take_step(void *user_data, const canary_metrics_row *row) {
    struct reading *reading = user_data;
    struct canary__report_series *series = series_of(reading->report, row);
    struct canary__report_point *point =
        series == NULL ? NULL
                       : canary__report_grow((void **)&series->points, &series->count,
                                             &series->capacity, sizeof *point);

    if (point == NULL) {
        reading->failed = 1;
        return 1;
    }
    point->at_ns = row->from_ns + (row->to_ns - row->from_ns) / 2;
    point->value[CANARY_OLD] = headline(row->kind, row->old_cohort);
    point->value[CANARY_NEW] = headline(row->kind, row->new_cohort);
    point->n[CANARY_OLD] = (double)row->old_cohort->n;
    point->n[CANARY_NEW] = (double)row->new_cohort->n;
    return 0;
}

static int read_steps(struct canary__report *report, struct reading *reading,
                      canary_metrics_query *query, canary_error *error) {
    int64_t from = report->recorded.from_ns;
    canary_metrics_report ignored = { .size = (uint32_t)sizeof ignored };

    if (from == 0) {
        return CANARY_OK;
    }
    report->step_ns = step_for(report->recorded.to_ns - from, report->recorded.to_ns - from);
    query->step_ns = report->step_ns;
    return canary_metrics(report->store, report->rollout.name, query, take_step, reading, &ignored,
                          error);
}

int canary__report_figures(struct canary__report *report, canary_error *error) {
    struct reading reading = { .report = report };
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    int code;

    report->recorded.size = (uint32_t)sizeof report->recorded;
    report->exposure = (canary_exposure)CANARY_EXPOSURE_INIT;
    report->users_p = NAN;
    query.from_ns = report->whole ? 0 : report->from_ns;
    query.to_ns = report->to_ns;
    code = canary_metrics(report->store, report->rollout.name, &query, take_total, &reading,
                          &report->recorded, error);
    if (code == CANARY_OK) {
        code = canary_exposure_read(report->store, report->rollout.name, &query, &report->exposure,
                                    error);
    }
    if (code == CANARY_OK) {
        report->users_p = division(&report->rollout, &report->exposure);
        code = read_steps(report, &reading, &query, error);
    }
    if (code == CANARY_E_UNSUPPORTED) {
        return CANARY_OK; /* a store without metrics has changes to tell of all the same */
    }
    if (code == CANARY_OK && reading.failed) {
        code = canary__judge_fail(error, CANARY_E_NOMEM, "no memory for the figures of a report");
    }
    return code;
}
