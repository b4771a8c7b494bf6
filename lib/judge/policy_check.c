/* SPDX-License-Identifier: MIT */
#include "judge/policy_check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/policy_parts.h"
#include "judge/policy_units.h"

/* Margins within it are found to be broken by chance more often than people think. */
#define THIN_MARGIN 1.1

/* What a store knows of a metric. */
struct known {
    int32_t kind; /* 0 = nothing was recorded */
    uint32_t threshold_count;
    uint32_t in_baseline;
    uint32_t reserved;
    int64_t thresholds_ns[CANARY_THRESHOLDS_MAX];
};

struct comparison {
    const struct canary_policy *policy;
    canary_policy_problem_fn problem;
    void *user_data;
    uint32_t *errors;
    int warnings;
    int stopped;
    int has_figures;
    int no_metrics; /* in this store */
    int has_baseline;
    canary_rollout rollout;
    struct known known[CANARY_POLICY_RULES_MAX];
};

static void say(struct comparison *comparison, int is_error, const char *place, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

static void say(struct comparison *comparison, int is_error, const char *place, const char *format,
                ...) {
    char message[352];
    va_list arguments;

    if (is_error) {
        ++*comparison->errors;
    } else if (!comparison->warnings) {
        return;
    }
    if (comparison->problem == NULL || comparison->stopped) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    comparison->stopped = comparison->problem(comparison->user_data, place, message) != 0;
}

/* -- the ladder -- */

static void compare_ladder(struct comparison *comparison) {
    const struct canary_policy *policy = comparison->policy;
    const canary_rollout *rollout = &comparison->rollout;
    const uint32_t rungs = rollout->stage_count - 1;
    char place[32];

    if (policy->stage_count != 0 && policy->stage_count != rungs) {
        say(comparison, 1, "stages", "names %u stages above 0; \"%.60s\" has %u",
            policy->stage_count, rollout->name, rungs);
    }
    for (uint32_t i = 0; i < policy->stage_count && i < rungs; i++) {
        const struct canary__policy_stage *stage = &policy->stages[i];

        snprintf(place, sizeof place, "stages[%u]", i);
        if (stage->percentage_bp != rollout->stages_bp[i + 1]) {
            say(comparison, 1, place, "is at %u.%02u %%; stage %u of \"%.60s\" is at %u.%02u %%",
                stage->percentage_bp / 100, stage->percentage_bp % 100, i + 1, rollout->name,
                rollout->stages_bp[i + 1] / 100, rollout->stages_bp[i + 1] % 100);
        } else if (stage->name[0] != '\0' &&
                   strcmp(stage->name, rollout->stage_names[i + 1]) != 0) {
            say(comparison, 1, place, "is named \"%s\"; stage %u of \"%.60s\" is \"%s\"",
                stage->name, i + 1, rollout->name, rollout->stage_names[i + 1]);
        }
    }
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        const struct canary__rule *rule = &policy->rules[i];
        int highest = 31;

        while (highest > 0 && (rule->stages & UINT32_C(1) << highest) == 0) {
            highest--;
        }
        if (rule->stages != UINT32_MAX - 1 && (uint32_t)highest > rungs) {
            snprintf(place, sizeof place, "rules[%u].stages", i);
            say(comparison, 1, place, "names stage %d; the highest of \"%.60s\" is %u", highest,
                rollout->name, rungs);
        }
    }
}

/* Nothing would hold an advance at a stage without a dwell time and without a requirement. */
static void compare_dwell(struct comparison *comparison) {
    const struct canary_policy *policy = comparison->policy;

    if (policy->mode != CANARY_MODE_AUTO) {
        return;
    }
    for (uint32_t stage = 1; stage + 1 < comparison->rollout.stage_count; stage++) {
        int required = 0;

        for (uint32_t i = 0; i < policy->rule_count; i++) {
            required |= policy->rules[i].action == CANARY_RULE_REQUIRE &&
                        (policy->rules[i].stages & UINT32_C(1) << stage) != 0;
        }
        if (!required && canary__policy_dwell(policy, &comparison->rollout, (int)stage) == 0) {
            say(comparison, 0, "mode",
                "\"auto\" advances from stage %u at once: it has no dwell time, and no rule "
                "requires anything there",
                stage);
        }
    }
}

/* -- rules by themselves -- */

static int worse_is_above(const struct canary__rule *rule) {
    return strcmp(rule->metric, "error") == 0 || strcmp(rule->metric, "timeout") == 0 ||
           strcmp(rule->metric, "duration") == 0 || rule->statistic == CANARY_STATISTIC_QUANTILE ||
           rule->statistic == CANARY_STATISTIC_BURN;
}

static void check_sense(struct comparison *comparison, uint32_t index) {
    const struct canary__rule *rule = &comparison->policy->rules[index];
    const int require = rule->action == CANARY_RULE_REQUIRE;
    const char *key = rule->above ? "above" : "below";
    const int grace = rule->against != CANARY_AGAINST_LIMIT;
    char number[CANARY__UNITS_TEXT];
    char place[32];

    snprintf(place, sizeof place, "rules[%u].%s", index, key);
    canary__units_number_text(rule->threshold, number);
    if (worse_is_above(rule) && rule->above == require) {
        say(comparison, 0, place,
            require ? "an advance requires that it gets worse: more is worse for %s"
                    : "%s fires when it gets better: less is better for it",
            rule->metric);
    } else if (grace && !require && (rule->above ? rule->threshold < 1 : rule->threshold > 1)) {
        say(comparison, 0, place, "%s %s fires for a release that is the same as the old one", key,
            number);
    } else if (grace && rule->proof == CANARY_PROOF_EVIDENCE && rule->threshold < THIN_MARGIN &&
               rule->threshold > 1 / THIN_MARGIN && (!require || rule->threshold == 1)) {
        say(comparison, 0, place,
            require ? "%s %s leaves no margin: what differs by chance for good may count as shown"
                    : "%s %s is a thin margin: users of a small cohort differ that much by chance",
            key, number);
    }
}

/* -- figures -- */

static int take_metric(void *user_data, const canary_metrics_row *row) {
    struct comparison *comparison = user_data;

    comparison->has_figures = 1;
    for (uint32_t i = 0; i < comparison->policy->metric_count; i++) {
        struct known *known = &comparison->known[i];

        if (strcmp(comparison->policy->metrics[i], row->metric) == 0) {
            known->kind = row->kind;
            known->threshold_count = row->threshold_count;
            memcpy(known->thresholds_ns, row->thresholds_ns, sizeof known->thresholds_ns);
        }
    }
    return 0;
}

static int take_baseline(void *user_data, const canary_metrics_row *row) {
    struct comparison *comparison = user_data;

    comparison->has_baseline = 1;
    for (uint32_t i = 0; i < comparison->policy->metric_count; i++) {
        if (strcmp(comparison->policy->metrics[i], row->metric) == 0) {
            comparison->known[i].in_baseline = 1;
        }
    }
    return 0;
}

static int is_first_of_metric(const struct canary_policy *policy, uint32_t index) {
    for (uint32_t i = 0; i < index; i++) {
        if (policy->rules[i].metric_index == policy->rules[index].metric_index) {
            return 0;
        }
    }
    return 1;
}

static void compare_kind(struct comparison *comparison, uint32_t index) {
    const struct canary__rule *rule = &comparison->policy->rules[index];
    const struct known *known = &comparison->known[rule->metric_index];
    char place[32];

    if (known->kind == 0) {
        /* Once for each metric; and before the first outcome, which compare() tells, for none. */
        if (!comparison->has_figures || !is_first_of_metric(comparison->policy, index)) {
            return;
        }
        snprintf(place, sizeof place, "rules[%u].metric", index);
        say(comparison, 0, place,
            "nobody has recorded \"%s\", but other metrics; its rules say nothing until then",
            rule->metric);
    } else if ((rule->kinds & CANARY__KIND(known->kind)) == 0) {
        const int by_limit = rule->statistic == CANARY_STATISTIC_MEAN;

        snprintf(place, sizeof place, "rules[%u].%s", index,
                 by_limit ? (rule->above ? "above" : "below") : "statistic");
        say(comparison, 1, place,
            by_limit && known->kind == CANARY_METRIC_DURATION
                ? "\"%s\" is recorded as a %s, whose limit is a text such as \"600ms\""
                : "does not fit \"%s\", which is recorded as a %s",
            rule->metric, canary_metric_kind_name(known->kind));
    }
}

static void compare_threshold(struct comparison *comparison, uint32_t index) {
    const struct canary__rule *rule = &comparison->policy->rules[index];
    const struct known *known = &comparison->known[rule->metric_index];
    const int64_t limit_ns = (int64_t)floor(rule->threshold * 1e9 + 0.5);
    char text[CANARY__UNITS_TEXT];
    char place[32];

    if (known->kind != CANARY_METRIC_DURATION || rule->statistic != CANARY_STATISTIC_QUANTILE ||
        rule->against != CANARY_AGAINST_LIMIT) {
        return;
    }
    for (uint32_t i = 0; i < known->threshold_count && i < CANARY_THRESHOLDS_MAX; i++) {
        if (known->thresholds_ns[i] == limit_ns) {
            return;
        }
    }
    snprintf(place, sizeof place, "rules[%u].%s", index, rule->above ? "above" : "below");
    say(comparison, 0, place,
        "\"%s\" is not compared with %s exactly; the histogram tells, off by up to 0.8 %%: declare "
        "the threshold for more",
        rule->metric, canary__units_duration_text(rule->threshold, text));
}

static void compare_baseline(struct comparison *comparison, uint32_t index) {
    const struct canary__rule *rule = &comparison->policy->rules[index];
    char place[32];

    if (rule->against != CANARY_AGAINST_BASELINE ||
        comparison->known[rule->metric_index].in_baseline) {
        return;
    }
    snprintf(place, sizeof place, "rules[%u].against", index);
    if (comparison->has_baseline) {
        say(comparison, 0, place, "the baseline holds no \"%s\"; the rule says nothing",
            rule->metric);
    } else {
        say(comparison, 0, place,
            "no baseline was captured; the rule says nothing until `canaryctl baseline capture`");
    }
}

static int read_figures(struct comparison *comparison, canary_store *store, const char *rollout,
                        canary_error *error) {
    canary_metrics_query baseline = CANARY_METRICS_QUERY_INIT;
    canary_error own = CANARY_ERROR_INIT; /* what is passed over leaves no word in the caller's */
    int wanted = 0;
    int code = canary_metrics(store, rollout, NULL, take_metric, comparison, NULL, &own);

    for (uint32_t i = 0; i < comparison->policy->rule_count; i++) {
        wanted |= comparison->policy->rules[i].against == CANARY_AGAINST_BASELINE;
    }
    if (code == CANARY_OK && wanted && comparison->warnings) {
        baseline.flags = CANARY_METRICS_BASELINE;
        code = canary_metrics(store, rollout, &baseline, take_baseline, comparison, NULL, &own);
        code = code == CANARY_E_NOT_FOUND ? CANARY_OK : code;
    }
    if (code == CANARY_E_UNSUPPORTED) {
        comparison->no_metrics = 1;
        say(comparison, 0, "rules", "the store keeps no metrics; no rule will ever say anything");
        return CANARY_OK;
    }
    if (code == CANARY_OK || (!comparison->warnings && code != CANARY_E_NOMEM)) {
        return CANARY_OK;
    }
    return canary__judge_pass(error, code, &own);
}

/* Evidence waits for the design effect: until then somebody has to pull the brake. */
static void check_brake(struct comparison *comparison) {
    const canary_policy *policy = comparison->policy;
    int proofs = 0;

    for (uint32_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].action != CANARY_RULE_ROLLBACK) {
            continue;
        }
        if (policy->rules[i].proof == CANARY_PROOF_POINT) {
            return;
        }
        proofs++;
    }
    if (proofs > 0 && !(policy->design_effect > 0)) {
        say(comparison, 0, "rules",
            "nothing rolls back before the design effect is measured, which takes at least 34 min "
            "of "
            "outcomes with known users: add a rule with a limit and a window, or start a guard "
            "before the first users are exposed");
    }
}

static int compare(struct comparison *comparison, canary_store *store, const char *rollout,
                   canary_error *error) {
    int code;

    comparison->rollout.size = (uint32_t)sizeof comparison->rollout;
    code = canary_rollout_read(store, rollout, &comparison->rollout, error);
    if (code == CANARY_OK) {
        code = read_figures(comparison, store, rollout, error);
    }
    if (code != CANARY_OK) {
        return code;
    }
    compare_ladder(comparison);
    compare_dwell(comparison);
    check_brake(comparison);
    if (!comparison->has_figures && !comparison->no_metrics) {
        say(comparison, 0, "rules",
            "nothing was recorded yet, so that metrics and their kinds cannot be checked");
    }
    for (uint32_t i = 0; i < comparison->policy->rule_count; i++) {
        check_sense(comparison, i);
        compare_kind(comparison, i);
        compare_threshold(comparison, i);
        compare_baseline(comparison, i);
    }
    return CANARY_OK;
}

int canary__policy_compare(const canary_policy *policy, canary_store *store, const char *rollout,
                           int warnings, canary_policy_problem_fn problem, void *user_data,
                           uint32_t *errors, canary_error *error) {
    struct comparison *comparison = calloc(1, sizeof *comparison);
    uint32_t counted = 0;
    int code;

    if (comparison == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory to check a policy");
    }
    comparison->policy = policy;
    comparison->problem = problem;
    comparison->user_data = user_data;
    comparison->errors = errors != NULL ? errors : &counted;
    comparison->warnings = warnings;
    *comparison->errors = 0;
    code = compare(comparison, store, rollout, error);
    free(comparison);
    return code;
}

int canary_policy_check(const canary_policy *policy, canary_store *store, const char *rollout,
                        canary_policy_problem_fn problem, void *user_data, uint32_t *errors,
                        canary_error *error) {
    if (policy == NULL || store == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "%s is NULL",
                                  policy == NULL ? "policy" : "store");
    }
    return canary__policy_compare(policy, store, rollout, 1, problem, user_data, errors, error);
}
