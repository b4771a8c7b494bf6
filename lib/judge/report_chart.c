/* SPDX-License-Identifier: MIT */
#include "judge/report_chart.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "judge/report_axes.h"
#include "judge/spans.h"

enum { LISTED = 20, ROWS = 130 };

static void widen(struct canary__span *span, int64_t at_ns) {
    if (at_ns > 0) {
        span->from_ns = span->from_ns == 0 || at_ns < span->from_ns ? at_ns : span->from_ns;
        span->to_ns = at_ns > span->to_ns ? at_ns : span->to_ns;
    }
}

struct canary__span canary__chart_span(const struct canary__report *report) {
    struct canary__span span = { 0, 0 };

    for (size_t i = 0; i < report->change_count; i++) {
        widen(&span, report->changes[i].change.at_ns);
    }
    for (size_t i = 0; i < report->verdict_count; i++) {
        widen(&span, report->verdicts[i].at_ns);
    }
    widen(&span, report->recorded.from_ns);
    widen(&span, report->recorded.to_ns);
    if (span.from_ns == 0) {
        span = (struct canary__span){ report->from_ns, report->to_ns };
    }
    if (span.from_ns < report->from_ns) {
        span.from_ns = report->from_ns;
    }
    if (span.to_ns > report->to_ns) {
        span.to_ns = report->to_ns;
    }
    /* A single moment has no width. */
    if (span.to_ns - span.from_ns < CANARY__MINUTE_NS) {
        span.to_ns = span.from_ns + CANARY__MINUTE_NS;
    }
    return span;
}

static void head(struct canary__text *out, const char *name, const char *figure, const char *unit) {
    canary__text_add(out, "<figure><h3>");
    if (name[0] != '\0') {
        canary__text_add(out, "<code>");
        canary__text_html(out, name);
        canary__text_add(out, "</code> ");
    }
    canary__text_html(out, figure);
    if (unit[0] != '\0' && strcmp(unit, "seconds") != 0) {
        canary__text_add(out, ", ");
        canary__text_html(out, unit);
    }
    canary__text_add(out, "</h3>\n");
}

/* -- exposure -- */

static double top_of_exposure(const struct canary__report *report) {
    uint32_t most = 10;

    for (size_t i = 0; i < report->step_count; i++) {
        most = report->steps[i].percentage_bp > most ? report->steps[i].percentage_bp : most;
    }
    return fmin(canary__axes_round(0, most / 10000.0), 1);
}

static void staircase(const struct canary__axes *axes, const struct canary__report *report) {
    double bottom = canary__axes_y(axes, 0);
    double y = bottom;

    for (size_t i = 0; i < report->step_count; i++) {
        double x = canary__axes_x(axes, report->steps[i].at_ns);
        double next = canary__axes_y(axes, report->steps[i].percentage_bp / 10000.0);

        canary__axes_point(axes, i == 0 ? "M" : "L", x, i == 0 ? next : y);
        canary__axes_point(axes, "L", x, next);
        y = next;
    }
    canary__axes_point(axes, "L", canary__axes_x(axes, axes->span.to_ns), y);
}

static void list_marks(const struct canary__report *report, struct canary__text *out) {
    uint32_t marks = report->step_count > 0 ? report->steps[report->step_count - 1].mark : 0;

    if (marks == 0) {
        canary__text_add(out, "<p class=\"note\">It did not change in this time.</p>\n");
        return;
    }
    canary__text_add(out, "<ol class=\"marks\">\n");
    for (size_t i = 0; i < report->step_count; i++) {
        const struct canary__report_step *step = &report->steps[i];
        const canary_change *change = &report->changes[step->change].change;

        if (step->mark == 0 || step->mark + LISTED <= marks) {
            continue;
        }
        canary__text_addf(out, "<li value=\"%u\"><time datetime=\"", (unsigned)step->mark);
        canary__text_rfc3339(out, step->at_ns);
        canary__text_add(out, "\">");
        canary__text_time(out, step->at_ns);
        canary__text_add(out, "</time> <strong>");
        canary__text_bp(out, report->steps[i - 1].percentage_bp);
        canary__text_add(out, " \xe2\x86\x92 ");
        canary__text_bp(out, step->percentage_bp);
        canary__text_add(out, "</strong> ");
        canary__text_html(out, change->action);
        canary__text_add(out, " by <bdi>");
        canary__text_html(out, change->by);
        canary__text_add(out, "</bdi>");
        if (change->note[0] != '\0') {
            canary__text_add(out, ": <bdi>");
            canary__text_html(out, change->note);
            canary__text_add(out, "</bdi>");
        }
        canary__text_add(out, "</li>\n");
    }
    canary__text_add(out, "</ol>\n");
    if (marks > LISTED) {
        canary__text_add(out, "<p class=\"note\">The newest ones; the decision log has all.</p>\n");
    }
}

void canary__chart_exposure(const struct canary__report *report, struct canary__span span,
                            struct canary__text *out) {
    struct canary__axes axes = { out, span, 0, top_of_exposure(report) };
    struct canary__text label = { 0 };
    size_t last = report->step_count - 1;

    canary__text_add(&label, "Share of users that got the new path, over time: from ");
    canary__text_bp(&label, report->steps[0].percentage_bp);
    canary__text_add(&label, " to ");
    canary__text_bp(&label, report->steps[last].percentage_bp);
    canary__text_addf(&label, " in %u changes, which are listed beside it",
                      (unsigned)report->steps[last].mark);
    canary__text_add(out, "<figure class=\"wide\"><div><h3>Users on the new path</h3>\n");
    canary__axes_begin(&axes, canary__text_string(&label));
    canary__axes_values(&axes, CANARY_STATISTIC_RATE, "");
    canary__text_add(out, "<path class=\"area\" d=\"");
    staircase(&axes, report);
    canary__axes_point(&axes, "L", canary__axes_x(&axes, span.to_ns), canary__axes_y(&axes, 0));
    canary__axes_point(&axes, "L", canary__axes_x(&axes, report->steps[0].at_ns),
                       canary__axes_y(&axes, 0));
    canary__text_add(out, "Z\"/><path class=\"line new\" d=\"");
    staircase(&axes, report);
    canary__text_add(out, "\"/>");
    canary__axes_times(&axes);
    canary__axes_marks(&axes, report);
    canary__axes_end(&axes);
    canary__text_add(out, "</div><div>\n");
    list_marks(report, out);
    canary__text_add(out, "</div></figure>\n");
    out->failed |= label.failed;
    canary__text_free(&label);
}

/* -- both cohorts -- */

static int usable(const struct canary__report_point *point, int cohort) {
    return isfinite(point->value[cohort]);
}

static void curve(const struct canary__axes *axes, const struct canary__report_series *series,
                  int cohort, int64_t most_ns) {
    int64_t before = 0;
    int lone = 0;

    for (size_t i = 0; i < series->count; i++) {
        const struct canary__report_point *point = &series->points[i];
        int broken = before == 0 || point->at_ns - before > most_ns;

        if (!usable(point, cohort)) {
            continue;
        }
        if (broken && lone) {
            canary__text_add(axes->out, "h.1");
        }
        canary__axes_point(axes, broken ? "M" : "L", canary__axes_x(axes, point->at_ns),
                           canary__axes_y(axes, point->value[cohort]));
        lone = broken;
        before = point->at_ns;
    }
    /* A point without neighbours is a line without length: its round ends make it visible. */
    canary__text_add(axes->out, lone ? "h.1" : "");
}

static void bounds(const struct canary__report_series *series, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < series->count; i++) {
        for (int cohort = 0; cohort < 2; cohort++) {
            if (usable(&series->points[i], cohort)) {
                *low = fmin(*low, series->points[i].value[cohort]);
                *high = fmax(*high, series->points[i].value[cohort]);
            }
        }
    }
}

static void fit(struct canary__axes *axes, const struct canary__report_series *series) {
    double low;
    double high;

    bounds(series, &low, &high);
    if (!(low <= high)) {
        low = 0;
        high = 1;
    }
    /* Rates and durations are read from 0 on; of what lies together far from it the difference counts. */
    if (low >= 0 && ((series->statistic == CANARY_STATISTIC_RATE && high <= 0.5) ||
                     series->statistic == CANARY_STATISTIC_QUANTILE || low < 0.6 * high)) {
        low = 0;
    }
    if (high - low <= 1e-9 * fabs(high)) {
        high = low + (low != 0 ? fabs(low) * 0.1 : 0.01);
    }
    if (low != 0) {
        double step = canary__axes_round(0, high - low) / 4;

        low = step * floor(low / step);
    }
    axes->low = low;
    axes->high = canary__axes_round(low, high + (high - low) * 0.04);
    if (series->statistic == CANARY_STATISTIC_RATE || series->statistic == CANARY_STATISTIC_F1) {
        axes->high = fmin(axes->high, 1);
    }
}

static void describe(const struct canary__report_series *series, int cohort,
                     struct canary__text *out) {
    double last = NAN;
    double low = INFINITY;
    double high = -INFINITY;

    for (size_t i = 0; i < series->count; i++) {
        if (usable(&series->points[i], cohort)) {
            last = series->points[i].value[cohort];
            low = fmin(low, last);
            high = fmax(high, last);
        }
    }
    if (isnan(last)) {
        canary__text_add(out, "no data");
        return;
    }
    canary__text_value(out, low, series->statistic, series->unit);
    canary__text_add(out, " to ");
    canary__text_value(out, high, series->statistic, series->unit);
    canary__text_add(out, ", last ");
    canary__text_value(out, last, series->statistic, series->unit);
}

static void legend(struct canary__text *out, const char *class, const char *name,
                   const struct canary__report_series *series, int cohort) {
    struct canary__text text = { 0 };

    canary__text_addf(out,
                      "<span class=\"key\"><svg class=\"sample\" viewBox=\"0 0 34 10\" "
                      "aria-hidden=\"true\"><path class=\"line %s\" d=\"M2 5H32\"/></svg> %s: ",
                      class, name);
    describe(series, cohort, &text);
    canary__text_html(out, canary__text_string(&text));
    canary__text_add(out, "</span>\n");
    canary__text_free(&text);
}

static void series_table(const struct canary__report_series *series, struct canary__text *out) {
    size_t from = series->count > ROWS ? series->count - ROWS : 0;
    struct canary__text text = { 0 };

    canary__text_add(out, "<details><summary>Figures</summary><div class=\"scroll\" "
                          "role=\"region\" tabindex=\"0\" aria-label=\"figures of this "
                          "chart\"><table><thead><tr><th scope=\"col\">Time</th>");
    canary__text_add(out, "<th scope=\"col\" class=\"n\">Old</th><th scope=\"col\" "
                          "class=\"n\">New</th><th scope=\"col\" class=\"n\">n old</th><th "
                          "scope=\"col\" class=\"n\">n new</th></tr></thead><tbody>\n");
    for (size_t i = from; i < series->count; i++) {
        const struct canary__report_point *point = &series->points[i];

        canary__text_time(&text, point->at_ns);
        canary__text_addf(out, "<tr><th scope=\"row\">%s</th>", canary__text_string(&text));
        for (int j = 0; j < 4; j++) {
            canary__text_clear(&text);
            if (j < 2) {
                canary__text_value(&text, point->value[j == 0 ? CANARY_OLD : CANARY_NEW],
                                   series->statistic, series->unit);
            } else {
                canary__text_count(&text, point->n[j == 2 ? CANARY_OLD : CANARY_NEW]);
            }
            canary__text_add(out, "<td class=\"n\">");
            canary__text_html(out, canary__text_string(&text));
            canary__text_add(out, "</td>");
        }
        canary__text_add(out, "</tr>\n");
        canary__text_clear(&text);
    }
    canary__text_add(out, "</tbody></table></div></details>\n");
    canary__text_free(&text);
}

void canary__chart_series(const struct canary__report *report, struct canary__span span,
                          const struct canary__report_series *series, struct canary__text *out) {
    struct canary__axes axes = { .out = out, .span = span };
    struct canary__text label = { 0 };
    int64_t most_ns = report->step_ns * 5 / 2;

    fit(&axes, series);
    canary__text_addf(&label, "%s, %s, over time. New cohort: ", series->metric, series->figure);
    describe(series, CANARY_NEW, &label);
    canary__text_add(&label, ". Old cohort: ");
    describe(series, CANARY_OLD, &label);
    head(out, series->metric, series->figure, series->unit);
    canary__axes_begin(&axes, canary__text_string(&label));
    canary__axes_values(&axes, series->statistic, series->unit);
    canary__axes_times(&axes);
    canary__axes_marks(&axes, report);
    canary__text_add(out, "<path class=\"line old\" d=\"");
    curve(&axes, series, CANARY_OLD, most_ns);
    canary__text_add(out, "\"/><path class=\"line new\" d=\"");
    curve(&axes, series, CANARY_NEW, most_ns);
    canary__text_add(out, "\"/>");
    canary__axes_end(&axes);
    canary__text_add(out, "<figcaption>");
    legend(out, "new", "new", series, CANARY_NEW);
    legend(out, "old", "old", series, CANARY_OLD);
    canary__text_add(out, "</figcaption>");
    series_table(series, out);
    canary__text_add(out, "</figure>\n");
    out->failed |= label.failed;
    canary__text_free(&label);
}

/* -- evidence -- */

static void fit_evidence(struct canary__axes *axes,
                         const struct canary__report_evidence *evidence) {
    double needed = isnan(evidence->needed) ? log(20) : evidence->needed;
    double low = -1;
    double high = needed + 1;

    for (size_t i = 0; i < evidence->count; i++) {
        low = fmin(low, evidence->points[i].value[0] - 0.2);
        high = fmax(high, evidence->points[i].value[0] + 0.5);
    }
    /* Whether W is a millionth or a billionth is of no concern. */
    axes->low = fmax(low, -log(1e4));
    axes->high = fmin(high, 3 * needed + log(1e4));
}

static void add_w(double ln_w, struct canary__text *out) {
    if (ln_w > log(1e6)) {
        canary__text_add(out, "over 1 000 000");
    } else {
        canary__text_number(out, exp(ln_w));
    }
}

/* Verdicts are stored when they change, and hourly: lines between say less than where they were. */
static void dots(const struct canary__axes *axes, const struct canary__report_evidence *evidence) {
    if (evidence->count > ROWS) {
        return;
    }
    canary__text_add(axes->out, "<path class=\"line one dots\" d=\"");
    for (size_t i = 0; i < evidence->count; i++) {
        canary__axes_point(axes, "M", canary__axes_x(axes, evidence->points[i].at_ns),
                           canary__axes_y(axes, evidence->points[i].value[0]));
        canary__text_add(axes->out, "h.1");
    }
    canary__text_add(axes->out, "\"/>");
}

void canary__chart_evidence(const struct canary__report *report, struct canary__span span,
                            const struct canary__report_evidence *evidence,
                            struct canary__text *out) {
    struct canary__axes axes = { .out = out, .span = span };
    struct canary__text label = { 0 };
    double last = evidence->points[evidence->count - 1].value[0];
    double generation = -1;

    fit_evidence(&axes, evidence);
    add_w(last, &label);
    canary__text_add(&label, isnan(evidence->needed) ? " at last" : " at last; proven at ");
    if (!isnan(evidence->needed)) {
        add_w(evidence->needed, &label);
    }
    head(out, evidence->rule, "evidence", "");
    canary__axes_begin(&axes, canary__text_string(&label));
    canary__axes_powers(&axes);
    canary__axes_times(&axes);
    canary__axes_marks(&axes, report);
    if (!isnan(evidence->needed)) {
        double y = canary__axes_y(&axes, evidence->needed);

        canary__text_add(out, "<path class=\"limit\" d=\"");
        canary__axes_point(&axes, "M", canary__axes_x(&axes, span.from_ns), y);
        canary__axes_point(&axes, "L", canary__axes_x(&axes, span.to_ns), y);
        canary__text_add(out, "\"/><text class=\"end strong\" x=\"466\" y=\"");
        canary__text_fixed(out, y - 5, 1);
        canary__text_add(out, "\">proven at ");
        add_w(evidence->needed, out);
        canary__text_add(out, "</text>");
    }
    canary__text_add(out, "<path class=\"line one\" d=\"");
    for (size_t i = 0; i < evidence->count; i++) {
        const struct canary__report_point *point = &evidence->points[i];
        /* Each percentage begins evidence anew. */
        int broken = point->n[0] != generation;

        canary__axes_point(&axes, broken ? "M" : "L", canary__axes_x(&axes, point->at_ns),
                           canary__axes_y(&axes, point->value[0]));
        if (broken) {
            canary__text_add(out, "h.1");
        }
        generation = point->n[0];
    }
    canary__text_add(out, "\"/>");
    dots(&axes, evidence);
    canary__axes_end(&axes);
    canary__text_addf(out, "<figcaption>%s; ", canary_rule_action_name(evidence->action));
    canary__text_html(out, canary__text_string(&label));
    canary__text_add(out, "</figcaption></figure>\n");
    out->failed |= label.failed;
    canary__text_free(&label);
}
