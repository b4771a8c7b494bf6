/* SPDX-License-Identifier: MIT */
/* See figures.h: figures in words and as JSON. */
#include "figures.h"

#include "jsonout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void figures_count(uint64_t count, struct text *out) {
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            text_add(out, " ");
        text_bytes(out, &digits[i], 1);
    }
}

/* Three digits that count: 1.23, 12.3, 123; never fewer before the point than there are. */
static int decimals_of(double magnitude) {
    return magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2;
}

/* Percent need two decimals to be compared with one another, and more only where two show
 * nothing. */
static int decimals_of_percent(double percent) {
    return percent == 0 || percent >= 0.0995 ? 2 : percent >= 0.00995 ? 3 : 4;
}

struct scale {
    double unit;
    const char *name;
};

/* The unit in which a span of seconds is read. */
static struct scale scale_of(double seconds) {
    static const struct scale scales[] = { { 1e-9, "ns" }, { 1e-6, "us" }, { 1e-3, "ms" },
                                           { 1, "s" },     { 60, "min" },  { 3600, "h" } };
    static const double below[] = { 0.9995e-6, 0.9995e-3, 0.9995, 119.5, 7195, INFINITY };
    size_t i = 0;
    while (i + 1 < sizeof(scales) / sizeof(scales[0]) && seconds >= below[i])
        i++;
    return seconds == 0 ? scales[2] : scales[i];
}

static void add_unit(const char *unit, struct text *out) {
    if (unit[0] == '\0')
        return;
    text_add(out, " ");
    text_safe_string(out, unit);
}

/* `sign` "+" writes the sign of what is positive, too. */
static void add_value(double value, const char *sign, enum figure_unit unit,
                      const char *metric_unit, struct text *out) {
    const char *before = value > 0 ? sign : "";
    double magnitude = fabs(value);
    if (isnan(value)) {
        text_add(out, "-");
    } else if (isinf(value)) {
        text_addf(out, "%s%s", value < 0 ? "-" : before, "inf");
        add_unit(unit == FIGURE_NUMBER ? metric_unit : "", out);
    } else if (unit == FIGURE_SHARE) {
        magnitude *= 100;
        /* Below what four decimals show there is no sign to show either. */
        if (magnitude < 0.00005)
            magnitude = value = 0;
        before = value > 0 ? sign : "";
        text_addf(out, "%s%.*f %s", before, decimals_of_percent(magnitude), value * 100,
                  sign[0] != '\0' ? "points" : "%");
    } else if (unit == FIGURE_SECONDS) {
        struct scale scale = scale_of(magnitude);
        magnitude /= scale.unit;
        text_addf(out, "%s%.*f %s", before, decimals_of(magnitude), value / scale.unit, scale.name);
    } else if (unit == FIGURE_INDEX) {
        text_addf(out, "%s%.4f", before, value);
    } else {
        /* Four digits that count; of what is large the whole part in full, since it is that which is
         * read. */
        text_add(out, value < 0 ? "-" : before);
        if (magnitude >= 9999.5 && magnitude < 1e15)
            figures_count((uint64_t)llround(magnitude), out);
        else
            text_addf(out, "%.4g", magnitude);
        add_unit(metric_unit, out);
    }
}

void figures_value(double value, enum figure_unit unit, const char *metric_unit, struct text *out) {
    add_value(value, "", unit, metric_unit, out);
}

void figures_difference(double before, double now, enum figure_unit unit, const char *metric_unit,
                        struct text *out) {
    double difference = now - before;
    /* What floating point leaves of nothing is nothing. */
    if (fabs(difference) < 1e-12 * (fabs(now) + fabs(before)))
        difference = 0;
    add_value(difference, "+", unit, metric_unit, out);
}

static double ratio_of(double before, double now) {
    return before > 0 && now >= 0 && isfinite(before) && isfinite(now) ? now / before : NAN;
}

void figures_ratio(double before, double now, struct text *out) {
    double ratio = ratio_of(before, now);
    if (isnan(ratio))
        text_add(out, "-");
    else
        text_addf(out, "%.*f", ratio >= 100 ? 0 : ratio >= 10 ? 1 : 2, ratio);
}

json_t *figures_real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(uint64_t value) {
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static void set_counts(json_t *object, const struct figures_row *row,
                       const canary_figures *figures) {
    json_object_set_new(object, "n", count(figures->n));
    switch (row->row.kind) {
    case CANARY_METRIC_PROPORTION:
        json_object_set_new(object, "k", count(figures->k));
        break;
    case CANARY_METRIC_DURATION:
        json_object_set_new(object, "overflow", count(figures->overflow));
        json_object_set_new(object, "sum", figures_real(figures->sum));
        json_object_set_new(object, "variance", figures_real(figures->variance));
        break;
    case CANARY_METRIC_VALUE:
    case CANARY_METRIC_SCORE:
        json_object_set_new(object, "sum", figures_real(figures->sum));
        json_object_set_new(object, "variance", figures_real(figures->variance));
        break;
    case CANARY_METRIC_CLASSIFICATION:
        json_object_set_new(object, "tp", count(figures->tp));
        json_object_set_new(object, "fp", count(figures->fp));
        json_object_set_new(object, "fn", count(figures->fn));
        json_object_set_new(object, "tn", count(figures->tn));
        break;
    default:
        break;
    }
}

json_t *figures_cohort_json(const struct figures_row *row, int cohort) {
    const canary_figures *figures = &row->cohorts[cohort];
    json_t *object = json_object();
    set_counts(object, row, figures);
    for (const struct figure *figure = figures_of_kind(row->row.kind); figure->name != NULL;
         figure++)
        json_object_set_new(object, figure->name, figures_real(figure->value(figures)));
    if (row->row.kind == CANARY_METRIC_DURATION) {
        json_t *array = json_array();
        for (uint32_t i = 0; i < row->row.threshold_count && i < CANARY_THRESHOLDS_MAX; i++)
            json_array_append_new(array, json_pack("{s:f, s:o, s:o}", "seconds",
                                                   (double)row->row.thresholds_ns[i] / 1e9, "n",
                                                   count(figures->threshold_n[i]), "above",
                                                   count(figures->threshold_above[i])));
        json_object_set_new(object, "thresholds", array);
    }
    return object;
}

json_t *figures_difference_json(int kind, const canary_figures *before, const canary_figures *now) {
    json_t *object = json_object();
    for (const struct figure *figure = figures_of_kind(kind); figure->name != NULL; figure++) {
        double a = figure->value(before);
        double b = figure->value(now);
        json_object_set_new(object, figure->name,
                            json_pack("{s:o, s:o}", "absolute", figures_real(b - a), "ratio",
                                      figures_real(ratio_of(a, b))));
    }
    return object;
}

json_t *figures_row_json(const struct figures_row *row) {
    json_t *object = json_object();
    json_object_set_new(object, "metric", jsonout_string(row->row.metric));
    json_object_set_new(object, "kind", json_string(canary_metric_kind_name(row->row.kind)));
    json_object_set_new(object, "unit",
                        row->row.unit[0] != '\0' ? jsonout_string(row->row.unit) : json_null());
    json_object_set_new(object, "old", figures_cohort_json(row, CANARY_OLD));
    json_object_set_new(object, "new", figures_cohort_json(row, CANARY_NEW));
    json_object_set_new(object, "difference",
                        figures_difference_json(row->row.kind, &row->cohorts[CANARY_OLD],
                                                &row->cohorts[CANARY_NEW]));
    return object;
}
