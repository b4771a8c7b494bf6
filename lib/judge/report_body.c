/* SPDX-License-Identifier: MIT */
/* Summary, recommendation, rules, cohorts. */
#include "judge/report_body.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "judge/classical.h"

void canary__body_period(const struct canary__report *report, struct canary__text *out) {
    canary__text_time(out, report->from_ns);
    canary__text_add(out, " to ");
    canary__text_time(out, report->to_ns);
    canary__text_add(out, " (");
    canary__text_span(out, report->to_ns - report->from_ns);
    canary__text_add(out, ")");
}

static enum canary__cell cell_of_state(int action, int state) {
    switch (state) {
    case CANARY_STATE_CLEAR:
    case CANARY_STATE_MET:
        return CANARY__CELL_GOOD;
    case CANARY_STATE_FIRING:
        return action == CANARY_RULE_WARN ? CANARY__CELL_WARN : CANARY__CELL_BAD;
    case CANARY_STATE_PENDING:
    case CANARY_STATE_UNMET:
        return CANARY__CELL_WARN;
    default:
        return CANARY__CELL_DIM;
    }
}

static enum canary__cell cell_of_risk(int risk) {
    return risk == CANARY_RISK_LOW      ? CANARY__CELL_GOOD
           : risk == CANARY_RISK_MEDIUM ? CANARY__CELL_WARN
           : risk == 0                  ? CANARY__CELL_DIM
                                        : CANARY__CELL_BAD;
}

enum canary__cell canary__body_verdict(const canary_verdict *verdict) {
    if (verdict->size == 0) {
        return CANARY__CELL_DIM;
    }
    /* To hold at the top of the ladder is what was wanted. */
    return verdict->action == CANARY_VERDICT_ADVANCE || verdict->cause == CANARY_CAUSE_COMPLETE
               ? CANARY__CELL_GOOD
           : verdict->action == CANARY_VERDICT_ROLLBACK ? CANARY__CELL_BAD
                                                        : CANARY__CELL_WARN;
}

static void add_users(const struct canary__report *report, struct canary__text *text) {
    const canary_exposure *exposure = &report->exposure;

    if (exposure->generation == 0 || isnan(exposure->users[CANARY_NEW])) {
        canary__text_add(text, "not known");
        return;
    }
    canary__text_add(text, exposure->sampled_all ? "" : "about ");
    canary__text_count(text, exposure->users[CANARY_NEW]);
    canary__text_add(text, " new, ");
    canary__text_count(text, exposure->users[CANARY_OLD]);
    canary__text_add(text, " old, at the newest percentage");
    if (!isnan(report->users_p)) {
        canary__text_add(text, "; chi-square against it: p ");
        canary__text_p(text, report->users_p);
        canary__text_add(text, ", " CANARY__JUDGE_CLASSICAL_LABEL);
    }
}

static void add_policy(const struct canary__report *report, struct canary__text *text) {
    if (report->rollout.policy[0] == '\0') {
        canary__text_add(text, "none");
        return;
    }
    if (report->policy != NULL) {
        canary__text_addf(text, "%s, mode %s%s, ", report->policy->name,
                          canary_mode_name(report->policy->mode),
                          report->policy->frozen ? ", frozen" : "");
    }
    canary__text_addf(text, "SHA-256 %.12s...", report->rollout.policy);
}

void canary__body_summary(struct canary__page *page, const struct canary__report *report) {
    static const struct canary__column columns[] = {
        { "", CANARY__CELL_TEXT },
        { "", CANARY__CELL_LONG },
    };
    struct canary__text text = { 0 };

    canary__page_section(page, "summary", "Summary");
    canary__page_paragraph(page, report->summary);
    canary__page_table(page, "the rollout now", columns, 2);
    canary__page_cell(page, CANARY__CELL_TEXT, "Exposure");
    canary__text_bp(&text, report->rollout.percentage_bp);
    canary__text_addf(&text, ", stage %d of %d", (int)report->rollout.stage,
                      (int)report->rollout.stage_count - 1);
    canary__page_figure(page, CANARY__CELL_TEXT, &text);
    canary__page_cell(page, CANARY__CELL_TEXT, "Latest verdict");
    if (report->latest.size == 0) {
        canary__page_cell(page, CANARY__CELL_DIM, "none in this time");
    } else {
        canary__text_addf(&text, "%s, ", canary_verdict_word(report->latest.action));
        canary__text_time(&text, report->latest.at_ns);
        canary__page_figure(page, canary__body_verdict(&report->latest), &text);
    }
    canary__page_cell(page, CANARY__CELL_TEXT, "Risk");
    canary__page_cell(page, cell_of_risk(report->latest.risk),
                      report->latest.size == 0 ? "not judged"
                                               : canary_risk_name(report->latest.risk));
    canary__page_cell(page, CANARY__CELL_TEXT, "Policy");
    add_policy(report, &text);
    canary__page_figure(page, CANARY__CELL_LONG, &text);
    canary__page_cell(page, CANARY__CELL_TEXT, "Users");
    add_users(report, &text);
    canary__page_figure(page, CANARY__CELL_LONG, &text);
    canary__page_table_end(page);
    canary__text_free(&text);
    canary__page_section_end(page);
}

void canary__body_recommendation(struct canary__page *page, const struct canary__report *report) {
    struct canary__text text = { 0 };

    canary__page_section(page, "recommendation", "Recommendation");
    if (report->latest.size != 0) {
        canary__text_addf(&text, "%s: ", canary_verdict_word(report->latest.action));
    }
    canary__text_add(&text, report->recommendation);
    canary__page_paragraph(page, canary__text_string(&text));
    canary__text_free(&text);
    canary__page_section_end(page);
}

/* -- rules -- */

static void add_threshold(const canary_rule_result *rule, const char *unit,
                          struct canary__text *text) {
    canary__text_add(text, rule->above ? "above " : "below ");
    if (rule->statistic == CANARY_STATISTIC_BURN) {
        canary__text_number(text, rule->threshold);
        canary__text_add(text, " times the budget");
    } else if (rule->against != CANARY_AGAINST_OLD && rule->against != CANARY_AGAINST_BASELINE) {
        canary__text_limit(text, rule->threshold, rule->statistic, unit);
    } else {
        canary__text_number(text, rule->threshold);
        canary__text_add(text, rule->against == CANARY_AGAINST_BASELINE ? " times baseline"
                                                                        : " times old");
    }
}

/* As it was recorded with; a verdict may not know. */
static const char *unit_of(const struct canary__report *report, const canary_rule_result *rule) {
    for (size_t i = 0; rule->unit[0] == '\0' && i < report->metric_count; i++) {
        if (strcmp(report->metrics[i].name, rule->metric) == 0) {
            return report->metrics[i].unit;
        }
    }
    return rule->unit;
}

static void add_ratio(const canary_rule_result *rule, struct canary__text *text) {
    canary__text_ratio(text, rule->ratio);
    if (!isnan(rule->low) || !isnan(rule->high)) {
        canary__text_add(text, " (");
        canary__text_ratio(text, rule->low);
        canary__text_add(text, " to ");
        canary__text_ratio(text, rule->high);
        canary__text_add(text, ")");
    }
}

static void add_evidence(const canary_rule_result *rule, struct canary__text *text) {
    if (rule->proof != CANARY_PROOF_EVIDENCE) {
        canary__text_add(text, "window ");
        canary__text_span(text, rule->window_ns);
        if (rule->for_ns > 0) {
            canary__text_add(text, ", for ");
            canary__text_span(text, rule->for_ns);
        }
        return;
    }
    if (isnan(rule->ln_w)) {
        canary__text_add(text, "none yet");
        return;
    }
    if (rule->ln_w > log(1e6)) {
        canary__text_add(text, "over 1 000 000");
    } else {
        canary__text_number(text, exp(rule->ln_w));
    }
    if (rule->alpha > 0) {
        canary__text_add(text, " of ");
        canary__text_number(text, 1 / rule->alpha);
    }
    if (!isnan(rule->p)) {
        canary__text_add(text, ", p ");
        canary__text_p(text, rule->p);
    }
}

static void add_rule(struct canary__page *page, const struct canary__report *report,
                     const canary_rule_result *rule, struct canary__text *text) {
    const char *unit = unit_of(report, rule);

    canary__page_cell(page, CANARY__CELL_CODE, rule->name);
    canary__page_cell(page, CANARY__CELL_TEXT, canary_rule_action_name(rule->action));
    canary__page_cell(page, cell_of_state(rule->action, rule->state),
                      canary_rule_state_name(rule->state));
    canary__page_cell(page, CANARY__CELL_LONG, rule->message);
    canary__text_value(text, rule->value, rule->statistic, unit);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    add_threshold(rule, unit, text);
    canary__page_figure(page, CANARY__CELL_TEXT, text);
    canary__text_value(text, rule->reference, rule->statistic, unit);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    add_ratio(rule, text);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    canary__text_count(text, rule->n_new);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    canary__text_count(text, rule->n_old);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    add_evidence(rule, text);
    canary__page_figure(page, CANARY__CELL_TEXT, text);
    canary__text_p(text, rule->classical_p);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
}

/* A policy that nobody has judged by yet. */
static void rules_of_policy(struct canary__page *page, const struct canary_policy *policy) {
    static const struct canary__column columns[] = {
        { "Rule", CANARY__CELL_CODE },
        { "Action", CANARY__CELL_TEXT },
        { "Metric", CANARY__CELL_CODE },
        { "State", CANARY__CELL_TEXT },
    };

    canary__page_table(page, "rules of the policy", columns, 4);
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        canary__page_cell(page, CANARY__CELL_CODE, policy->rules[i].name);
        canary__page_cell(page, CANARY__CELL_TEXT,
                          canary_rule_action_name(policy->rules[i].action));
        canary__page_cell(page, CANARY__CELL_CODE, policy->rules[i].metric);
        canary__page_cell(page, CANARY__CELL_DIM, "not judged in this time");
    }
    canary__page_table_end(page);
}

void canary__body_rules(struct canary__page *page, const struct canary__report *report) {
    static const struct canary__column columns[] = {
        { "Rule", CANARY__CELL_CODE },        { "Action", CANARY__CELL_TEXT },
        { "State", CANARY__CELL_TEXT },       { "In words", CANARY__CELL_LONG },
        { "Value", CANARY__CELL_NUMBER },     { "Threshold", CANARY__CELL_TEXT },
        { "Reference", CANARY__CELL_NUMBER }, { "Ratio", CANARY__CELL_NUMBER },
        { "n new", CANARY__CELL_NUMBER },     { "n old", CANARY__CELL_NUMBER },
        { "Evidence", CANARY__CELL_TEXT },    { "Classical p", CANARY__CELL_NUMBER },
    };
    struct canary__text text = { 0 };

    canary__page_section(page, "rules", "Rules");
    if (report->latest.size == 0 || report->latest.rule_count == 0) {
        if (report->policy != NULL) {
            rules_of_policy(page, report->policy);
        } else {
            canary__page_paragraph(page, "No rule was judged in this time.");
        }
        canary__page_section_end(page);
        return;
    }
    canary__text_add(&text, "As of ");
    canary__text_time(&text, report->latest.at_ns);
    canary__text_add(&text, ".");
    canary__page_paragraph(page, canary__text_string(&text));
    canary__text_clear(&text);
    canary__page_table(page, "rules of the latest verdict", columns, 12);
    for (uint32_t i = 0; i < report->latest.rule_count; i++) {
        add_rule(page, report, &report->latest.rules[i], &text);
    }
    canary__page_table_end(page);
    canary__page_note(page, "Evidence and the interval of the ratio are valid at every look. The "
                            "classical p is " CANARY__JUDGE_CLASSICAL_LABEL ".");
    canary__text_free(&text);
    canary__page_section_end(page);
}

/* -- old against new -- */

static void add_figure(struct canary__page *page, const struct canary__report_metric *metric,
                       const struct canary__report_figure *figure, struct canary__text *text) {
    double old = figure->value[CANARY_OLD];
    double fresh = figure->value[CANARY_NEW];

    canary__page_cell(page, CANARY__CELL_CODE, metric->name);
    canary__page_cell(page, CANARY__CELL_TEXT, figure->name);
    canary__text_value(text, old, figure->statistic, metric->unit);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    canary__text_value(text, fresh, figure->statistic, metric->unit);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    canary__text_ratio(text, old > 0 ? fresh / old : (double)NAN);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    canary__text_count(text, metric->n[CANARY_OLD]);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    canary__text_count(text, metric->n[CANARY_NEW]);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    canary__text_p(text, figure->p);
    canary__page_figure(page, CANARY__CELL_NUMBER, text);
    canary__page_cell(page, CANARY__CELL_TEXT, figure->test != NULL ? figure->test : "-");
}

void canary__body_cohorts(struct canary__page *page, const struct canary__report *report) {
    static const struct canary__column columns[] = {
        { "Metric", CANARY__CELL_CODE },      { "Figure", CANARY__CELL_TEXT },
        { "Old", CANARY__CELL_NUMBER },       { "New", CANARY__CELL_NUMBER },
        { "New / old", CANARY__CELL_NUMBER }, { "n old", CANARY__CELL_NUMBER },
        { "n new", CANARY__CELL_NUMBER },     { "Classical p", CANARY__CELL_NUMBER },
        { "Test", CANARY__CELL_TEXT },
    };
    struct canary__text text = { 0 };

    canary__page_section(page, "cohorts", "Old against new");
    if (report->metric_count == 0) {
        canary__page_paragraph(page, "Nothing was recorded in this time.");
        canary__page_section_end(page);
        return;
    }
    canary__page_table(page, "figures of both cohorts", columns, 9);
    for (size_t i = 0; i < report->metric_count; i++) {
        for (uint32_t j = 0; j < report->metrics[i].count; j++) {
            add_figure(page, &report->metrics[i], &report->metrics[i].figures[j], &text);
        }
    }
    canary__page_table_end(page);
    canary__page_note(
        page,
        "Totals of the whole time, whatever the percentage was: when it changed, such totals "
        "can differ although nothing else did. Rules take each tick by itself and do not have "
        "that fault. The classical p is " CANARY__JUDGE_CLASSICAL_LABEL
        "; it decides nothing here.");
    canary__text_free(&text);
    canary__page_section_end(page);
}
