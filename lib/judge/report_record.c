/* SPDX-License-Identifier: MIT */
/* Service objectives, incidents, the decision log, and how the report was made. */
#include <canary/version.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "judge/report_body.h"
#include "judge/special.h"

/* -- service objectives -- */

static void add_objective_value(const struct canary__report_objective *objective, double value,
                                struct canary__text *text) {
    const struct canary__objective *asked = objective->asked;

    if (asked->statistic == CANARY__STATISTIC_UPTIME) {
        canary__text_percent(text, value);
    } else {
        canary__text_value(text, value, asked->statistic, objective->unit);
    }
}

static void add_figure_name(const struct canary__objective *asked, struct canary__text *text) {
    if (asked->statistic == CANARY__STATISTIC_UPTIME) {
        canary__text_add(text, "time with traffic in which most requests ended well");
    } else if (asked->statistic == CANARY_STATISTIC_QUANTILE) {
        canary__text_addf(text, "%s, p", asked->metric);
        canary__text_general(text, asked->quantile * 100);
    } else {
        canary__text_addf(text, "%s, %s", asked->metric, canary_statistic_name(asked->statistic));
    }
}

static void add_objective(struct canary__page *page,
                          const struct canary__report_objective *objective,
                          struct canary__text *text) {
    const struct canary__objective *asked = objective->asked;

    canary__page_cell(page, CANARY__CELL_CODE, asked->name);
    if (objective->met == CANARY__JUDGE_UNKNOWN) {
        canary__page_cell(page, CANARY__CELL_DIM, "no data");
    } else {
        canary__page_cell(
            page, objective->met == CANARY__JUDGE_YES ? CANARY__CELL_GOOD : CANARY__CELL_BAD,
            objective->met == CANARY__JUDGE_YES ? "met" : "not met");
    }
    canary__text_add(text, asked->above ? "at least " : "at most ");
    canary__text_limit(text, asked->target,
                       asked->statistic == CANARY__STATISTIC_UPTIME ? CANARY_STATISTIC_RATE
                                                                    : asked->statistic,
                       objective->unit);
    canary__page_figure(page, CANARY__CELL_TEXT, text);
    add_objective_value(objective, objective->value, text);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    add_objective_value(objective, objective->side[CANARY_OLD], text);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    add_objective_value(objective, objective->side[CANARY_NEW], text);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    if (asked->statistic == CANARY__STATISTIC_UPTIME) {
        canary__text_span(text, (int64_t)(objective->n * 1e9));
    } else {
        canary__text_count(text, objective->n);
    }
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    add_figure_name(asked, text);
    canary__page_figure(page, CANARY__CELL_TEXT, text);
}

void canary__body_objectives(struct canary__page *page, const struct canary__report *report) {
    static const struct canary__column columns[] = {
        { "Objective", CANARY__CELL_CODE },  { "State", CANARY__CELL_TEXT },
        { "Target", CANARY__CELL_TEXT },     { "Service", CANARY__CELL_NUMBER },
        { "Old", CANARY__CELL_NUMBER },      { "New", CANARY__CELL_NUMBER },
        { "Rests on", CANARY__CELL_NUMBER }, { "Figure", CANARY__CELL_TEXT },
    };
    struct canary__text text = { 0 };

    canary__page_section(page, "objectives", "Service objectives");
    if (report->objective_count == 0) {
        canary__page_paragraph(page, "The policy names no service objectives.");
        canary__page_section_end(page);
        return;
    }
    canary__page_table(page, "service objectives", columns, 8);
    for (size_t i = 0; i < report->objective_count; i++) {
        add_objective(page, &report->objectives[i], &text);
    }
    canary__page_table_end(page);
    canary__page_note(page, "Of the service as its users met it: both cohorts together.");
    canary__text_free(&text);
    canary__page_section_end(page);
}

/* -- incidents -- */

static enum canary__cell cell_of_incident(const struct canary__report_incident *incident) {
    return incident->kind == CANARY__INCIDENT_VERDICT ? CANARY__CELL_WARN : CANARY__CELL_BAD;
}

static void add_end(const struct canary__report_incident *incident, struct canary__text *text) {
    if (incident->open) {
        canary__text_add(text, "not over");
    } else if (incident->until_ns > incident->at_ns) {
        canary__text_span(text, incident->until_ns - incident->at_ns);
    } else {
        canary__text_add(text, "-");
    }
}

static void left_out(struct canary__page *page, size_t count, const char *what) {
    struct canary__text text = { 0 };

    if (count > 0) {
        canary__text_count(&text, (double)count);
        canary__text_addf(&text, " more %s are not shown.", what);
        canary__page_note(page, canary__text_string(&text));
    }
    canary__text_free(&text);
}

void canary__body_incidents(struct canary__page *page, const struct canary__report *report) {
    static const struct canary__column columns[] = {
        { "Time", CANARY__CELL_TEXT }, { "What", CANARY__CELL_TEXT }, { "Took", CANARY__CELL_TEXT },
        { "By", CANARY__CELL_TEXT },   { "Why", CANARY__CELL_LONG },
    };
    struct canary__text text = { 0 };

    canary__page_section(page, "incidents", "Incidents");
    if (report->incident_count == 0) {
        canary__page_paragraph(page, "None.");
        canary__page_section_end(page);
        return;
    }
    canary__page_table(page, "incidents", columns, 5);
    for (size_t i = 0; i < report->incident_count; i++) {
        const struct canary__report_incident *incident = &report->incidents[i];

        canary__text_moment(&text, incident->at_ns);
        canary__page_figure(page, CANARY__CELL_TEXT, &text);
        canary__page_cell(page, cell_of_incident(incident), incident->title);
        add_end(incident, &text);
        canary__page_figure(page, CANARY__CELL_TEXT, &text);
        canary__page_cell(page, CANARY__CELL_TEXT, incident->by[0] != '\0' ? incident->by : "-");
        canary__page_cell(page, CANARY__CELL_LONG, incident->detail);
    }
    canary__page_table_end(page);
    left_out(page, report->incidents_left_out, "incidents");
    canary__text_free(&text);
    canary__page_section_end(page);
}

/* -- decisions -- */

static void add_exposure(const canary_change *change, struct canary__text *text) {
    if (change->from_stage >= 0 && change->from_percentage_bp != change->to_percentage_bp) {
        canary__text_bp(text, change->from_percentage_bp);
        canary__text_add(text, " to ");
    }
    canary__text_bp(text, change->to_percentage_bp);
}

/* A guard's note is what its verdict says. */
static const char *rests_on(const struct canary__report_change *one) {
    return one->evidence == NULL ? ""
           : strncmp(one->evidence, one->change.note, strlen(one->evidence)) == 0
               ? "the verdict that the note cites"
               : one->evidence;
}

void canary__body_decisions(struct canary__page *page, const struct canary__report *report) {
    static const struct canary__column columns[] = {
        { "Time", CANARY__CELL_TEXT },     { "Revision", CANARY__CELL_NUMBER },
        { "Action", CANARY__CELL_CODE },   { "Exposure", CANARY__CELL_NUMBER },
        { "By", CANARY__CELL_TEXT },       { "Note", CANARY__CELL_LONG },
        { "Rests on", CANARY__CELL_LONG },
    };
    struct canary__text text = { 0 };

    canary__page_section(page, "decisions", "Decision log");
    if (report->change_count == 0) {
        canary__page_paragraph(page, "Nobody changed or decided anything in this time.");
        canary__page_section_end(page);
        return;
    }
    canary__page_table(page, "changes, approvals and decisions", columns, 7);
    for (size_t i = 0; i < report->change_count; i++) {
        const struct canary__report_change *one = &report->changes[i];
        const canary_change *change = &one->change;

        canary__text_moment(&text, change->at_ns);
        canary__page_figure(page, CANARY__CELL_TEXT, &text);
        canary__text_addf(&text, "%llu", (unsigned long long)change->revision);
        canary__page_figure(page, CANARY__CELL_NUMBER, &text);
        canary__page_cell(page, CANARY__CELL_CODE, change->action);
        add_exposure(change, &text);
        canary__page_figure(page, CANARY__CELL_NUMBER, &text);
        canary__page_cell(page, CANARY__CELL_TEXT, change->by);
        canary__page_cell(page, CANARY__CELL_LONG, change->note);
        canary__page_cell(page, CANARY__CELL_LONG, rests_on(one));
    }
    canary__page_table_end(page);
    left_out(page, report->changes_left_out, "older changes");
    canary__text_free(&text);
    canary__page_section_end(page);
}

/* -- how it was made -- */

static void doubt(struct canary__text *text, double count, const char *what) {
    if (count > 0) {
        canary__text_add(text, " ");
        canary__text_count(text, count);
        canary__text_add(text, " ");
        canary__text_add(text, what);
        canary__text_add(text, ".");
    }
}

void canary__body_reading(struct canary__page *page, const struct canary__report *report) {
    struct canary__text text = { 0 };

    canary__page_section(page, "about", "About this report");
    canary__text_add(&text, "Made ");
    canary__text_time(&text, report->now_ns);
    canary__text_addf(&text, " by libcanary %s from ", canary_version());
    canary__text_count(&text, (double)report->verdict_count);
    canary__text_add(&text, " stored verdicts. Times are UTC.");
    doubt(&text, (double)report->verdicts_left_out, "older verdicts were left out");
    doubt(&text, (double)report->verdicts_damaged,
          "stored verdicts could not be read and were left out");
    doubt(&text, (double)report->breakers_damaged,
          "notes of circuit breakers could not be read and were left out");
    doubt(&text, (double)report->recorded.damaged,
          "rows of figures are damaged and were left out: canaryctl doctor tells more");
    doubt(&text, (double)report->recorded.dropped, "outcomes were lost for want of memory");
    doubt(&text, (double)report->recorded.rejected,
          "outcomes or measurements were rejected when they were recorded");
    if (report->policy_trouble[0] != '\0') {
        canary__text_add(&text, " The policy in force cannot be read: ");
        canary__text_add(&text, report->policy_trouble);
    }
    canary__page_paragraph(page, canary__text_string(&text));
    page->out->failed |= text.failed;
    canary__text_free(&text);
    canary__page_section_end(page);
}

/* -- Markdown -- */

void canary__report_markdown(const struct canary__report *report, struct canary__text *out) {
    struct canary__page page = { .out = out };
    struct canary__text text = { 0 };

    canary__text_add(out, "# Report on ");
    canary__page_text(&page, report->rollout.name);
    canary__text_add(out, "\n\n");
    canary__body_period(report, &text);
    canary__page_paragraph(&page, canary__text_string(&text));
    canary__text_free(&text);
    canary__body_summary(&page, report);
    canary__body_recommendation(&page, report);
    canary__body_rules(&page, report);
    canary__body_cohorts(&page, report);
    canary__body_objectives(&page, report);
    canary__body_incidents(&page, report);
    canary__body_decisions(&page, report);
    canary__body_reading(&page, report);
}
