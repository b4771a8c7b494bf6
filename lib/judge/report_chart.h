/* SPDX-License-Identifier: MIT */
/* Charts of a report as SVG within HTML. Each is a picture with a title and a description in words; colours
 * come from the page's style, and no line is told from another by its colour alone. */
#ifndef CANARY__JUDGE_REPORT_CHART_H
#define CANARY__JUDGE_REPORT_CHART_H

#include "judge/report.h"

/* The time that charts show: that in which something happened. */
struct canary__span {
    int64_t from_ns;
    int64_t to_ns;
};
struct canary__span canary__chart_span(const struct canary__report *report);

/* Exposure over time, and what changed it as a numbered list. */
void canary__chart_exposure(const struct canary__report *report, struct canary__span span,
                            struct canary__text *out);
/* A figure of both cohorts. */
void canary__chart_series(const struct canary__report *report, struct canary__span span,
                          const struct canary__report_series *series, struct canary__text *out);
/* Evidence of one rule, with the line at which it is proven. */
void canary__chart_evidence(const struct canary__report *report, struct canary__span span,
                            const struct canary__report_evidence *evidence,
                            struct canary__text *out);

#endif
