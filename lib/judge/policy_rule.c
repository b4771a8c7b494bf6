/* SPDX-License-Identifier: MIT */
/* One rule of a policy's text. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "judge/policy_parts.h"
#include "judge/policy_units.h"

/* Margins of evidence that are no margin: users differ for good, and a small cohort has its share of
 * those by chance, which a test without a margin takes for harm in the end. */
#define MARGIN_LOW 0.98
#define MARGIN_HIGH 1.02

/* Beyond this no test of judgement has alternatives. */
#define EVIDENCE_LIMIT_MAX 0.94

static const char *const keys[] = { "name",    "description",  "metric", "statistic",   "cohort",
                                    "against", "above",        "below",  "objective",   "proof",
                                    "window",  "short_window", "for",    "min_samples", "action",
                                    "to",      "urgency",      "stages", "alpha",       NULL };

/* Choices count from 1, cohorts from 0. */
static const char *cohort_name(int number) {
    return number == CANARY_OLD + 1 ? "old" : number == CANARY_NEW + 1 ? "new" : "unknown";
}

/* What goes together: statistic, against, proof, cohort. */
static int read_question(struct canary__policy_reading *reading, const struct canary__spot *spot,
                         const struct canary__subject *subject, struct canary__rule *out) {
    const uint32_t before = reading->count;
    int32_t cohort = CANARY_NEW + 1;

    canary__policy_read_choice(reading, spot, "cohort", cohort_name, 0, &cohort);
    out->cohort = cohort - 1;
    out->against = CANARY_AGAINST_LIMIT;
    canary__policy_read_choice(reading, spot, "against", canary_against_name, 0, &out->against);
    out->proof = out->against == CANARY_AGAINST_OLD ? CANARY_PROOF_EVIDENCE : CANARY_PROOF_POINT;
    canary__policy_read_choice(reading, spot, "proof", canary_proof_name, 0, &out->proof);

    if (out->cohort == CANARY_OLD && out->against != CANARY_AGAINST_LIMIT) {
        canary__policy_read_say(
            reading, spot, "cohort",
            "\"old\" is for limits only; against \"%s\" the new cohort is compared",
            canary_against_name(out->against));
    }
    if (subject->statistic == CANARY_STATISTIC_BURN) {
        if (out->against != CANARY_AGAINST_LIMIT) {
            canary__policy_read_say(
                reading, spot, "against",
                "\"%s\" is not allowed: a burn rate is held against a \"limit\"",
                canary_against_name(out->against));
        }
        if (out->proof != CANARY_PROOF_POINT) {
            canary__policy_read_say(reading, spot, "proof",
                                    "\"evidence\" is not allowed: a burn rate is a \"point\"");
        }
    } else if (out->proof == CANARY_PROOF_EVIDENCE) {
        if (out->against == CANARY_AGAINST_BASELINE) {
            canary__policy_read_say(reading, spot, "proof",
                                    "\"evidence\" is not allowed against a baseline, which is of "
                                    "another time; \"point\" is");
        } else if (out->against == CANARY_AGAINST_LIMIT &&
                   subject->statistic == CANARY_STATISTIC_MEAN) {
            canary__policy_read_say(
                reading, spot, "proof",
                "\"evidence\" is not allowed for a mean against a limit; \"point\" "
                "is, or \"against\": \"old\"");
        }
    } else if (out->against == CANARY_AGAINST_OLD &&
               subject->statistic == CANARY_STATISTIC_QUANTILE) {
        canary__policy_read_say(
            reading, spot, "proof",
            "\"point\" is not allowed for a quantile against \"old\"; \"evidence\" "
            "is");
    }
    return reading->count == before;
}

/* Against the old cohort or a baseline: how many times theirs. */
static void read_ratio(struct canary__policy_reading *reading, const struct canary__spot *spot,
                       struct canary__rule *out) {
    const char *key = canary__policy_side(reading, spot, &out->above);
    char quote[CANARY__POLICY_QUOTE];

    if (key == NULL ||
        !canary__policy_share(reading, spot, key, 0.001, 1000,
                              "a ratio from 0.001 to 1000, or a text such as \"150%\"",
                              &out->threshold)) {
        return;
    }
    if (out->proof == CANARY_PROOF_EVIDENCE &&
        (out->action == CANARY_RULE_ROLLBACK || out->action == CANARY_RULE_HOLD) &&
        out->threshold > MARGIN_LOW && out->threshold < MARGIN_HIGH) {
        canary__policy_read_say(
            reading, spot, key,
            "%s leaves no margin: by chance the few users of a small cohort differ "
            "for good; at least 1.02 above, or at most 0.98 below",
            canary__policy_read_quote(canary__policy_read_get(spot, key), quote));
    }
}

static void read_burn(struct canary__policy_reading *reading, const struct canary__spot *spot,
                      struct canary__rule *out) {
    const char *key = canary__policy_side(reading, spot, &out->above);
    char most[CANARY__UNITS_TEXT];
    double factor = 0;

    if (!canary__policy_read_has(spot, "objective")) {
        canary__policy_read_say(reading, spot, "objective",
                                "is missing; the share that should be good, such as \"99.9%%\"");
        return;
    }
    if (!canary__policy_share(reading, spot, "objective", 0.5, 0.99999,
                              "a share from 0.5 to 0.99999, or a text such as \"99.9%\"",
                              &out->objective) ||
        key == NULL || !canary__policy_read_number(reading, spot, key, 0.01, 1e5, &factor)) {
        return;
    }
    if (factor * (1 - out->objective) >= 1) {
        canary__policy_read_say(
            reading, spot, key,
            "is never so: with this objective a burn rate is at most %s, when all is "
            "bad",
            canary__units_number_text(floor(1 / (1 - out->objective) + 0.5), most));
        return;
    }
    out->threshold = factor;
}

static void read_limit(struct canary__policy_reading *reading, const struct canary__spot *spot,
                       struct canary__subject *subject, struct canary__rule *out) {
    char quote[CANARY__POLICY_QUOTE];

    if (!canary__policy_limit(reading, spot, subject, &out->above, &out->threshold)) {
        return;
    }
    if (out->proof == CANARY_PROOF_EVIDENCE && subject->statistic != CANARY_STATISTIC_QUANTILE &&
        !(out->threshold > 0 && out->threshold <= (out->above ? EVIDENCE_LIMIT_MAX : 0.999999))) {
        const char *key = out->above ? "above" : "below";

        canary__policy_read_say(
            reading, spot, key,
            "%s cannot be proven by evidence; above 0, at most %s, or \"proof\": "
            "\"point\"",
            canary__policy_read_quote(canary__policy_read_get(spot, key), quote),
            out->above ? "0.94" : "0.999999");
    }
}

static void read_windows(struct canary__policy_reading *reading, const struct canary__spot *spot,
                         struct canary__rule *out) {
    const int64_t minute = 60 * CANARY__SECOND_NS;
    static const char no_window[] =
        "evidence counts since the percentage was set; windows are of \"proof\": \"point\"";

    if (out->proof == CANARY_PROOF_EVIDENCE) {
        canary__policy_read_refuse(reading, spot, "window", no_window);
        canary__policy_read_refuse(reading, spot, "short_window", no_window);
        canary__policy_read_refuse(reading, spot, "for", no_window);
        return;
    }
    canary__policy_read_time(reading, spot, "window", 1, minute, CANARY__WINDOW_MAX_NS,
                             CANARY_TICK_NS, &out->window_ns);
    canary__policy_read_time(reading, spot, "for", 0, 0, CANARY__WINDOW_MAX_NS, CANARY_TICK_NS,
                             &out->for_ns);
    if (out->statistic != CANARY_STATISTIC_BURN) {
        canary__policy_read_refuse(reading, spot, "short_window",
                                   "only burn rates have a second one");
        return;
    }
    if (canary__policy_read_time(reading, spot, "short_window", 1, CANARY_TICK_NS,
                                 CANARY__WINDOW_MAX_NS, CANARY_TICK_NS, &out->short_window_ns) &&
        out->window_ns != 0 && out->short_window_ns >= out->window_ns) {
        canary__policy_read_say(reading, spot, "short_window", "is not shorter than \"window\"");
    }
}

/* A hair less, so that 5/(1 - 0.9) is 50 and not 51. */
static double whole_above(double number) {
    return ceil(number * (1 - 1e-12));
}

/* For a share: until five of the rarer sort are expected. */
static double least_for_share(double share) {
    const double rarer = share < 0.5 ? share : 1 - share;

    return rarer > 0 ? whole_above(5 / rarer) : 1;
}

static double default_least(const struct canary__rule *rule) {
    double least;

    if (rule->statistic == CANARY_STATISTIC_MEAN) {
        return 100;
    }
    if (rule->proof == CANARY_PROOF_EVIDENCE) {
        return rule->action == CANARY_RULE_REQUIRE ? 100 : 1;
    }
    if (rule->statistic == CANARY_STATISTIC_BURN) {
        /* Harm needs its five bad events; that there is none needs enough to have seen them. */
        return rule->action == CANARY_RULE_REQUIRE
                   ? least_for_share(rule->threshold * (1 - rule->objective))
                   : 5;
    }
    if (rule->against != CANARY_AGAINST_LIMIT) {
        return 200;
    }
    if (rule->statistic == CANARY_STATISTIC_RATE) {
        return least_for_share(rule->threshold);
    }
    least = rule->statistic == CANARY_STATISTIC_QUANTILE
                ? whole_above(4 * rule->quantile / (1 - rule->quantile))
                : least_for_share(rule->threshold);
    return least < 200 ? 200 : least;
}

static void read_stages(struct canary__policy_reading *reading, const struct canary__spot *spot,
                        uint32_t stage_count, struct canary__rule *out) {
    const json_t *list = canary__policy_read_get(spot, "stages");
    const long long most = stage_count != 0 ? stage_count : CANARY__POLICY_STAGES;
    char quote[CANARY__POLICY_QUOTE];
    uint32_t stages = 0;

    out->stages = UINT32_MAX - 1;
    if (list == NULL) {
        return;
    }
    if (!json_is_array(list) || json_array_size(list) == 0) {
        canary__policy_read_say(reading, spot, "stages", "%s is no list of stage numbers",
                                json_is_array(list) ? "[]"
                                                    : canary__policy_read_quote(list, quote));
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        int64_t number = 0;
        char key[32];

        snprintf(key, sizeof key, "stages[%zu]", i);
        if (!canary__policy_read_whole(entry, &number) || number < 1 || number > most) {
            canary__policy_read_say(reading, spot, key, "%s is no stage number from 1 to %lld",
                                    canary__policy_read_quote(entry, quote), most);
            return;
        }
        if ((stages & UINT32_C(1) << number) != 0) {
            canary__policy_read_say(reading, spot, key, "%lld is named twice", (long long)number);
            return;
        }
        stages |= UINT32_C(1) << number;
    }
    out->stages = stages;
}

static void read_target(struct canary__policy_reading *reading, const struct canary__spot *spot,
                        struct canary__rule *out) {
    const json_t *value = canary__policy_read_get(spot, "to");
    int64_t number = 0;
    char quote[CANARY__POLICY_QUOTE];

    if (out->action != CANARY_RULE_ROLLBACK) {
        canary__policy_read_refuse(reading, spot, "to", "only a rollback goes somewhere");
        return;
    }
    if (value == NULL) {
        return;
    }
    if (json_is_string(value) && strcmp(json_string_value(value), "previous") == 0) {
        out->to_stage = -1;
        return;
    }
    if (!canary__policy_read_whole(value, &number) || number < 0 ||
        number >= CANARY__POLICY_STAGES) {
        canary__policy_read_say(reading, spot, "to",
                                "%s is neither a stage number from 0 to %d nor \"previous\"",
                                canary__policy_read_quote(value, quote), CANARY__POLICY_STAGES - 1);
        return;
    }
    out->to_stage = (int32_t)number;
    for (int stage = 1; stage <= out->to_stage; stage++) {
        if ((out->stages & UINT32_C(1) << stage) != 0) {
            canary__policy_read_say(
                reading, spot, "to",
                "%d is no way down from stage %d, to which the rule applies, too; "
                "\"stages\" must list stages above %d only",
                (int)out->to_stage, stage, (int)out->to_stage);
            return;
        }
    }
}

static void read_action(struct canary__policy_reading *reading, const struct canary__spot *spot,
                        uint32_t stage_count, struct canary__rule *out) {
    read_stages(reading, spot, stage_count, out);
    read_target(reading, spot, out);
    switch (out->action) {
    case CANARY_RULE_ROLLBACK:
        out->urgency = out->to_stage == 0 ? CANARY_URGENCY_CRITICAL : CANARY_URGENCY_HIGH;
        break;
    case CANARY_RULE_WARN:
        out->urgency = CANARY_URGENCY_LOW;
        break;
    default:
        out->urgency = CANARY_URGENCY_MEDIUM;
        break;
    }
    canary__policy_read_choice(reading, spot, "urgency", canary_urgency_name, 0, &out->urgency);
}

void canary__policy_rule(struct canary__policy_reading *reading, const struct canary__spot *spot,
                         uint32_t stage_count, struct canary__rule *out) {
    struct canary__subject subject = { .kinds = 0 };
    int64_t least = 0;
    int sound;

    if (!canary__policy_read_object(reading, spot, keys)) {
        return;
    }
    canary__policy_read_name(reading, spot, "name", "[a-z]", "_-", sizeof out->name - 1, out->name);
    canary__policy_read_line(reading, spot, "description", 511, NULL);
    sound = canary__policy_read_choice(reading, spot, "action", canary_rule_action_name, 1,
                                       &out->action);
    if (!canary__policy_subject(reading, spot, 1, &subject)) {
        return;
    }
    memcpy(out->metric, subject.metric, sizeof out->metric);
    out->statistic = subject.statistic;
    out->quantile = subject.quantile;
    out->kinds = subject.kinds;
    if (!read_question(reading, spot, &subject, out) || !sound) {
        return;
    }
    if (subject.statistic == CANARY_STATISTIC_BURN) {
        read_burn(reading, spot, out);
    } else {
        canary__policy_read_refuse(reading, spot, "objective", "only burn rates have one");
        if (out->against == CANARY_AGAINST_LIMIT) {
            read_limit(reading, spot, &subject, out);
            out->kinds = subject.kinds;
        } else {
            read_ratio(reading, spot, out);
        }
    }
    read_windows(reading, spot, out);
    read_action(reading, spot, stage_count, out);
    out->least = default_least(out);
    if (canary__policy_read_integer(reading, spot, "min_samples", 1, INT64_C(1000000000000),
                                    &least)) {
        out->least = (double)least;
    }
    if (out->proof != CANARY_PROOF_EVIDENCE) {
        canary__policy_read_refuse(reading, spot, "alpha", "only evidence has one");
    } else {
        canary__policy_read_number(reading, spot, "alpha", 1e-6, 0.2, &out->alpha);
    }
}
