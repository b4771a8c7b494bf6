/* SPDX-License-Identifier: MIT */
/* What a report says, but for its charts, section by section. */
#ifndef CANARY__JUDGE_REPORT_BODY_H
#define CANARY__JUDGE_REPORT_BODY_H

#include "judge/report.h"
#include "judge/report_page.h"

void canary__body_summary(struct canary__page *page, const struct canary__report *report);
void canary__body_recommendation(struct canary__page *page, const struct canary__report *report);
void canary__body_rules(struct canary__page *page, const struct canary__report *report);
void canary__body_cohorts(struct canary__page *page, const struct canary__report *report);
void canary__body_objectives(struct canary__page *page, const struct canary__report *report);
void canary__body_incidents(struct canary__page *page, const struct canary__report *report);
void canary__body_decisions(struct canary__page *page, const struct canary__report *report);
void canary__body_reading(struct canary__page *page, const struct canary__report *report);

/* "2026-11-20 19:03 UTC to 2026-11-21 19:03 UTC (1 d)" */
void canary__body_period(const struct canary__report *report, struct canary__text *out);
/* How a verdict is shown. */
enum canary__cell canary__body_verdict(const canary_verdict *verdict);

#endif
