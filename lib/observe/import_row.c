/* SPDX-License-Identifier: MIT */
#include "observe/import.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "control/edit.h"
#include "observe/scan.h"

static int admit_time(int64_t at, int64_t now, canary_error *error) {
    char when[32];

    if (at == 0 || (at >= now - CANARY__HOURS_NS && at <= now + CANARY__DAY_NS)) {
        return CANARY_OK;
    }
    canary__edit_time(at, when);
    return canary__fail(error, CANARY_E_INVALID, 0,
                        "the time %s is not within the last 400 days, or more than one day ahead",
                        when);
}

int canary__import_admit(const canary_import_row *row, int64_t now_ns, canary_error *error) {
    if (row->cohort != CANARY_OLD && row->cohort != CANARY_NEW) {
        return canary__fail(error, CANARY_E_INVALID, 0, "cohort %d is neither old (0) nor new (1)",
                            (int)row->cohort);
    }
    if (!canary__declared_name_fits(row->metric)) {
        return canary__fail(
            error, CANARY_E_INVALID, 0,
            "the metric name \"%.80s\" is not a letter and up to 62 more of a-z 0-9 _",
            row->metric == NULL ? "(null)" : row->metric);
    }
    if (row->kind < 0 || row->kind > CANARY_METRIC_CLASSIFICATION || row->declare > 1) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "kind %d or declare %u: kinds are 1 to 5, or 0 for the metric's; "
                            "declare is 0 or 1",
                            (int)row->kind, (unsigned)row->declare);
    }
    return admit_time(row->at_ns, now_ns, error);
}

int canary__import_declares(const canary_import_row *row, struct canary__declared *out,
                            canary_error *error) {
    canary_metric metric = CANARY_METRIC_INIT;

    if (row->kind == 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "metric \"%s\" is not known; declaring it takes its kind", row->metric);
    }
    metric.kind = row->kind;
    metric.name = row->metric;
    metric.unit = row->unit;
    metric.minimum = row->minimum;
    metric.maximum = row->maximum;
    metric.resolution = row->resolution;
    return canary__declared_admit(&metric, out, error);
}

/* -- numbers -- */

static int refuse(const struct canary__declared *metric, const char *takes, canary_error *error) {
    return canary__fail(error, CANARY_E_INVALID, 0, "metric \"%s\" is a %s: it takes %s",
                        metric->name, canary_metric_kind_name(metric->kind), takes);
}

static double multiples(const struct canary__declared *metric, double value) {
    return value * metric->per_unit;
}

static int check_value(const canary_import_row *row, const struct canary__declared *metric,
                       canary_error *error) {
    if (!isfinite(row->value) || row->value < metric->minimum || row->value > metric->maximum ||
        fabs(multiples(metric, row->value)) > CANARY__MULTIPLES_MOST) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "metric \"%s\": the value %g is not between %g and %g", metric->name,
                            row->value, metric->minimum, metric->maximum);
    }
    return CANARY_OK;
}

static int check_duration(const canary_import_row *row, const struct canary__declared *metric,
                          canary_error *error) {
    if (!(row->value >= 0 && row->value <= (double)CANARY_DURATION_MAX_NS)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "metric \"%s\": the duration %g ns is not between 0 and three days",
                            metric->name, row->value);
    }
    return CANARY_OK;
}

int canary__import_check(const canary_import_row *row, const struct canary__declared *metric,
                         canary_error *error) {
    int classified = (row->tp | row->fp | row->fn | row->tn) != 0;
    int valued = row->value != 0; /* NaN as well */

    if (row->kind != 0 && row->kind != metric->kind) {
        return canary__fail(error, CANARY_E_CONFLICT, 0, "metric \"%s\" is a %s, not a %s",
                            metric->name, canary_metric_kind_name(metric->kind),
                            canary_metric_kind_name(row->kind));
    }
    switch (metric->kind) {
    case CANARY_METRIC_PROPORTION:
        return valued || classified || row->n == 0 || row->k > row->n ||
                       row->n > CANARY__IMPORT_COUNT_MAX
                   ? refuse(metric, "n of 1 to 10^15 and k of 0 to n, and nothing else", error)
                   : CANARY_OK;
    case CANARY_METRIC_CLASSIFICATION:
        return valued || row->n != 0 || row->k != 0 || !classified ||
                       row->tp > CANARY__IMPORT_COUNT_MAX || row->fp > CANARY__IMPORT_COUNT_MAX ||
                       row->fn > CANARY__IMPORT_COUNT_MAX || row->tn > CANARY__IMPORT_COUNT_MAX
                   ? refuse(metric,
                            "tp, fp, fn and tn of 0 to 10^15, not all of them 0, and nothing else",
                            error)
                   : CANARY_OK;
    default:
        if (classified || row->k != 0 || row->n > 1) {
            return refuse(metric, "one value, n of 0 or 1, and nothing else", error);
        }
        return metric->kind == CANARY_METRIC_DURATION ? check_duration(row, metric, error)
                                                      : check_value(row, metric, error);
    }
}

/* As tallies are merged: what is too much stays at the most there can be. */
static void add(uint64_t *sum, uint64_t more) {
    *sum = more > UINT64_MAX - *sum ? UINT64_MAX : *sum + more;
}

int canary__import_count(const struct canary__hooks *hooks, const canary_import_row *row,
                         const struct canary__declared *metric, struct canary__tally *tally) {
    if (tally->kind == 0) {
        tally->kind = metric->kind;
        tally->resolution = metric->resolution;
        tally->threshold_count = metric->threshold_count;
        memcpy(tally->thresholds_ns, metric->thresholds_ns, sizeof tally->thresholds_ns);
    }
    switch (metric->kind) {
    case CANARY_METRIC_PROPORTION:
        add(&tally->counts[CANARY__COUNT_HIT], row->k);
        add(&tally->counts[CANARY__COUNT_MISS], row->n - row->k);
        return CANARY_OK;
    case CANARY_METRIC_CLASSIFICATION:
        add(&tally->counts[CANARY__COUNT_TP], row->tp);
        add(&tally->counts[CANARY__COUNT_FP], row->fp);
        add(&tally->counts[CANARY__COUNT_FN], row->fn);
        add(&tally->counts[CANARY__COUNT_TN], row->tn);
        return CANARY_OK;
    case CANARY_METRIC_DURATION:
        return canary__tally_add_duration(hooks, tally, (int64_t)row->value);
    default: {
        double scaled = multiples(metric, row->value); /* rounded as recorders do */

        canary__tally_add_value(tally, (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5)));
        return CANARY_OK;
    }
    }
}
