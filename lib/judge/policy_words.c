/* SPDX-License-Identifier: MIT */
/* A policy in plain sentences. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/policy_parts.h"
#include "judge/policy_units.h"

struct writing {
    canary_write_fn write;
    void *user_data;
    int refused;
};

struct sentence {
    char text[1536];
    size_t at;
};

static void add(struct sentence *sentence, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct sentence *sentence, const char *format, ...) {
    const size_t left = sizeof sentence->text - sentence->at;
    va_list arguments;
    int wrote;

    va_start(arguments, format);
    wrote = vsnprintf(sentence->text + sentence->at, left, format, arguments);
    va_end(arguments);
    if (wrote > 0) {
        sentence->at += (size_t)wrote < left ? (size_t)wrote : left - 1;
    }
}

static void put(struct writing *writing, struct sentence *sentence) {
    add(sentence, "\n");
    if (!writing->refused) {
        writing->refused = writing->write(writing->user_data, sentence->text, sentence->at) != 0;
    }
    sentence->at = 0;
}

static void add_statistic(struct sentence *sentence, int32_t statistic, double quantile) {
    char number[CANARY__UNITS_TEXT];

    switch (statistic) {
    case CANARY_STATISTIC_RATE:
        add(sentence, "the rate");
        break;
    case CANARY_STATISTIC_MEAN:
        add(sentence, "the mean");
        break;
    case CANARY_STATISTIC_QUANTILE:
        /* p999 is the thousandth part that is left. */
        canary__units_number_text(floor(quantile * 1000 + 0.5) / 10, number);
        add(sentence, "p%s", strcmp(number, "99.9") == 0 ? "999" : number);
        break;
    case CANARY_STATISTIC_F1:
        add(sentence, "F1");
        break;
    case CANARY_STATISTIC_PRECISION:
        add(sentence, "the precision");
        break;
    case CANARY_STATISTIC_RECALL:
        add(sentence, "the recall");
        break;
    default:
        add(sentence, "the budget burn");
        break;
    }
}

static void add_limit(struct sentence *sentence, int32_t statistic, uint32_t kinds, double limit) {
    char text[CANARY__UNITS_TEXT];

    if (statistic == CANARY_STATISTIC_QUANTILE ||
        (statistic == CANARY_STATISTIC_MEAN && kinds == CANARY__KIND(CANARY_METRIC_DURATION))) {
        canary__units_duration_text(limit, text);
    } else if (statistic == CANARY_STATISTIC_MEAN) {
        canary__units_number_text(limit, text);
    } else {
        canary__units_percent_text(limit, text);
    }
    add(sentence, "%s", text);
}

static void add_action(struct sentence *sentence, const struct canary__rule *rule) {
    switch (rule->action) {
    case CANARY_RULE_ROLLBACK:
        if (rule->to_stage < 0) {
            add(sentence, "rolls back one stage when ");
        } else {
            add(sentence, "rolls back to stage %d when ", (int)rule->to_stage);
        }
        break;
    case CANARY_RULE_HOLD:
        add(sentence, "holds when ");
        break;
    case CANARY_RULE_REQUIRE:
        add(sentence, "an advance requires that ");
        break;
    default:
        add(sentence, "warns when ");
        break;
    }
}

static void add_threshold(struct sentence *sentence, const struct canary__rule *rule) {
    char text[CANARY__UNITS_TEXT];

    add(sentence, " is %s%s ", rule->proof == CANARY_PROOF_EVIDENCE ? "proven to be " : "",
        rule->above ? "above" : "below");
    if (rule->statistic == CANARY_STATISTIC_BURN) {
        add(sentence, "%s times what the objective of ",
            canary__units_number_text(rule->threshold, text));
        add(sentence, "%s allows", canary__units_percent_text(rule->objective, text));
    } else if (rule->against == CANARY_AGAINST_LIMIT) {
        add_limit(sentence, rule->statistic, rule->kinds, rule->threshold);
    } else {
        add(sentence, "%s times that of the %s", canary__units_number_text(rule->threshold, text),
            rule->against == CANARY_AGAINST_OLD ? "old cohort" : "baseline");
    }
}

static void add_time(struct sentence *sentence, const struct canary__rule *rule) {
    char window[CANARY__UNITS_TEXT];
    char other[CANARY__UNITS_TEXT];

    if (rule->proof == CANARY_PROOF_EVIDENCE) {
        add(sentence, ", with a chance of error of %s",
            canary__units_number_text(rule->alpha, window));
        return;
    }
    add(sentence, " over %s", canary__units_time_text(rule->window_ns, window));
    if (rule->statistic == CANARY_STATISTIC_BURN) {
        add(sentence, " and over %s", canary__units_time_text(rule->short_window_ns, other));
    }
    if (rule->for_ns > 0) {
        add(sentence, ", at every tick of %s", canary__units_time_text(rule->for_ns, other));
    }
}

static void add_stages(struct sentence *sentence, const struct canary__rule *rule) {
    int count = 0;

    if (rule->stages == UINT32_MAX - 1) {
        return;
    }
    for (int stage = 1; stage < 32; stage++) {
        if ((rule->stages & UINT32_C(1) << stage) != 0) {
            add(sentence, "%s%d", count++ == 0 ? "; at stage " : ", ", stage);
        }
    }
}

static void put_rule(struct writing *writing, const struct canary__rule *rule) {
    struct sentence sentence = { .at = 0 };
    char number[CANARY__UNITS_TEXT];

    add(&sentence, "%s (%s): ", rule->name, canary_urgency_name(rule->urgency));
    add_action(&sentence, rule);
    add_statistic(&sentence, rule->statistic, rule->quantile);
    add(&sentence, " of %s%s", rule->metric,
        rule->cohort == CANARY_OLD ? " in the old cohort" : "");
    add_threshold(&sentence, rule);
    add_time(&sentence, rule);
    add(&sentence, "; from %s outcome%s on", canary__units_number_text(rule->least, number),
        rule->least > 1 ? "s" : "");
    add_stages(&sentence, rule);
    put(writing, &sentence);
}

static void put_objective(struct writing *writing, const struct canary__objective *objective) {
    struct sentence sentence = { .at = 0 };

    add(&sentence, "objective %s: ", objective->name);
    if (objective->statistic == CANARY__STATISTIC_UPTIME) {
        add(&sentence, "uptime should be above ");
        add_limit(&sentence, CANARY_STATISTIC_RATE, 0, objective->target);
    } else {
        add_statistic(&sentence, objective->statistic, objective->quantile);
        add(&sentence, " of %s should be %s ", objective->metric,
            objective->above ? "above" : "below");
        add_limit(&sentence, objective->statistic, objective->kinds, objective->target);
    }
    put(writing, &sentence);
}

static void put_stages(struct writing *writing, const struct canary_policy *policy) {
    struct sentence sentence = { .at = 0 };
    char text[CANARY__UNITS_TEXT];

    add(&sentence, "stages:");
    if (policy->stage_count == 0) {
        add(&sentence, " those of the rollout, with their dwell times");
    }
    for (uint32_t i = 0; i < policy->stage_count; i++) {
        const struct canary__policy_stage *stage = &policy->stages[i];

        add(&sentence, "%s %u %s", i > 0 ? "," : "", i + 1,
            stage->name[0] != '\0' ? stage->name : "at");
        add(&sentence, " %s", canary__units_percent_text(stage->percentage_bp / 10000.0, text));
        if (stage->dwell_ns >= 0) {
            add(&sentence, " for %s", canary__units_time_text(stage->dwell_ns, text));
        }
    }
    put(writing, &sentence);
}

static void put_head(struct writing *writing, const struct canary_policy *policy) {
    static const char *const modes[] = {
        "tells what it would do, and does nothing",
        "rolls back by itself, a person approves each advance",
        "rolls back and advances by itself",
    };
    struct sentence sentence = { .at = 0 };
    char text[CANARY__UNITS_TEXT];

    add(&sentence, "policy %s, sha256 %s", policy->name, policy->digest);
    put(writing, &sentence);
    if (policy->description[0] != '\0') {
        add(&sentence, "%s", policy->description);
        put(writing, &sentence);
    }
    add(&sentence, "mode: %s: %s%s", canary_mode_name(policy->mode), modes[policy->mode - 1],
        policy->frozen ? "; frozen: verdicts are told, nobody acts" : "");
    put(writing, &sentence);
    add(&sentence, "alpha: %s: the chance that a healthy release is rolled back by evidence",
        canary__units_number_text(policy->alpha, text));
    put(writing, &sentence);
    if (policy->design_effect == 0) {
        add(&sentence, "design effect: measured");
    } else {
        add(&sentence, "design effect: %s", canary__units_number_text(policy->design_effect, text));
    }
    put(writing, &sentence);
    add(&sentence, "grace: holds after %s without traffic",
        canary__units_time_text(policy->grace_ns, text));
    put(writing, &sentence);
    add(&sentence, "cooldown: no advance for %s after a rollback",
        canary__units_time_text(policy->cooldown_ns, text));
    put(writing, &sentence);
    if (policy->attempts == 0) {
        add(&sentence, "attempts: no limit");
    } else {
        add(&sentence, "attempts: none advances after %u rollback%s by guards", policy->attempts,
            policy->attempts > 1 ? "s" : "");
    }
    put(writing, &sentence);
    add(&sentence, "sample ratio: a mismatch %s", policy->check_ratio ? "holds" : "is told only");
    put(writing, &sentence);
}

int canary_policy_explain(const canary_policy *policy, canary_write_fn write, void *user_data,
                          canary_error *error) {
    struct writing writing = { write, user_data, 0 };

    if (policy == NULL || write == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "%s is NULL",
                                  policy == NULL ? "policy" : "write");
    }
    put_head(&writing, policy);
    put_stages(&writing, policy);
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        put_rule(&writing, &policy->rules[i]);
    }
    for (uint32_t i = 0; i < policy->objective_count; i++) {
        put_objective(&writing, &policy->objectives[i]);
    }
    if (writing.refused) {
        return canary__judge_fail(error, CANARY_E_REFUSED, "the writing was ended by its receiver");
    }
    return CANARY_OK;
}
