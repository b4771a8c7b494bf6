/* SPDX-License-Identifier: MIT */
/* A report as one file of HTML: no scripts, nothing loaded from elsewhere, and a policy that forbids both
 * should anything hostile ever get past the escaping. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/report_body.h"
#include "judge/report_chart.h"
#include "judge/report_style.h"

enum { SERIES_MOST = 16, EVIDENCE_MOST = 8 };

static void head(struct canary__page *page, const struct canary__report *report) {
    struct canary__text *out = page->out;
    struct canary__text period = { 0 };

    canary__body_period(report, &period);
    canary__text_add(out,
                     "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "style-src 'unsafe-inline'\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n"
                     "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    canary__page_text(page, report->rollout.name);
    canary__text_add(out, ": rollout report</title>\n<style>\n");
    canary__text_add(out, canary__report_style);
    canary__text_add(out, "</style>\n</head>\n<body>\n<header>\n<h1>");
    canary__page_text(page, report->rollout.name);
    canary__text_add(out, ": rollout report</h1>\n<p class=\"period\">");
    canary__page_text(page, canary__text_string(&period));
    canary__text_add(out, "</p>\n</header>\n<main>\n");
    out->failed |= period.failed;
    canary__text_free(&period);
}

/* The recommendation, before anything else. */
static void banner(struct canary__page *page, const struct canary__report *report) {
    struct canary__text *out = page->out;
    enum canary__cell kind = canary__body_verdict(&report->latest);
    const char *word =
        report->latest.size != 0 ? canary_verdict_word(report->latest.action) : "NOT JUDGED";
    struct canary__text words = { 0 };

    canary__text_add(&words, report->recommendation);
    if (words.size > 0 && words.data[0] >= 'a' && words.data[0] <= 'z') {
        words.data[0] = (char)(words.data[0] - 'a' + 'A');
    }
    canary__text_addf(out,
                      "<div class=\"verdict %s\" id=\"recommendation\" role=\"region\" "
                      "aria-label=\"Recommendation\"><strong><span "
                      "aria-hidden=\"true\">%s</span> %s</strong><p>",
                      canary__page_class(kind), canary__page_mark(kind), word);
    canary__page_text(page, canary__text_string(&words));
    canary__text_add(out, "</p></div>\n");
    out->failed |= words.failed;
    canary__text_free(&words);
}

/* The strongest evidence first; what proves nothing is in the table of rules. */
static double strongest(const struct canary__report_evidence *evidence) {
    double most = -INFINITY;

    for (size_t i = 0; i < evidence->count; i++) {
        most = fmax(most, evidence->points[i].value[0] / evidence->needed);
    }
    return most;
}

/* What never moved shows nothing. */
static int is_telling(const struct canary__report_evidence *evidence) {
    for (size_t i = 1; i < evidence->count; i++) {
        if (evidence->points[i].value[0] != evidence->points[0].value[0]) {
            return 1;
        }
    }
    return evidence->count == 1 && evidence->points[0].value[0] > 0;
}

static void charts_of_evidence(const struct canary__report *report, struct canary__span span,
                               struct canary__text *out) {
    unsigned char done[CANARY_POLICY_RULES_MAX] = { 0 };

    for (int shown = 0; shown < EVIDENCE_MOST; shown++) {
        size_t best = report->evidence_count;

        for (size_t i = 0; i < report->evidence_count; i++) {
            if (!done[i] && is_telling(&report->evidence[i]) &&
                (best == report->evidence_count ||
                 strongest(&report->evidence[i]) > strongest(&report->evidence[best]))) {
                best = i;
            }
        }
        if (best == report->evidence_count) {
            return;
        }
        done[best] = 1;
        canary__chart_evidence(report, span, &report->evidence[best], out);
    }
}

static int any_evidence(const struct canary__report *report) {
    for (size_t i = 0; i < report->evidence_count; i++) {
        if (is_telling(&report->evidence[i])) {
            return 1;
        }
    }
    return 0;
}

static void charts(struct canary__page *page, const struct canary__report *report) {
    struct canary__span span = canary__chart_span(report);
    struct canary__text *out = page->out;

    canary__page_section(page, "exposure", "Exposure");
    canary__text_add(out, "<div class=\"charts\">\n");
    canary__chart_exposure(report, span, out);
    canary__text_add(out, "</div>\n");
    canary__page_section_end(page);
    if (report->series_count > 0) {
        canary__page_section(page, "time", "Old and new over time");
        canary__text_add(out, "<div class=\"charts\">\n");
        for (size_t i = 0; i < report->series_count && i < SERIES_MOST; i++) {
            canary__chart_series(report, span, &report->series[i], out);
        }
        canary__text_add(out, "</div>\n");
        canary__page_section_end(page);
    }
    if (any_evidence(report)) {
        canary__page_section(page, "evidence", "Evidence over time");
        canary__page_note(page, "How strongly what was recorded speaks for what a rule asks. It is "
                                "valid however often one looks; at the dotted line it is proven. "
                                "Each percentage begins it anew.");
        canary__text_add(out, "<div class=\"charts\">\n");
        charts_of_evidence(report, span, out);
        canary__text_add(out, "</div>\n");
        canary__page_section_end(page);
    }
}

void canary__report_html(const struct canary__report *report, struct canary__text *out) {
    struct canary__page page = { .out = out, .html = 1 };

    head(&page, report);
    banner(&page, report);
    canary__body_summary(&page, report);
    charts(&page, report);
    canary__body_rules(&page, report);
    canary__body_cohorts(&page, report);
    canary__body_objectives(&page, report);
    canary__body_incidents(&page, report);
    canary__body_decisions(&page, report);
    canary__text_add(out, "</main>\n<footer>\n");
    canary__body_reading(&page, report);
    canary__text_add(out, "</footer>\n</body>\n</html>\n");
}
