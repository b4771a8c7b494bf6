/* SPDX-License-Identifier: MIT */
/* What a rule or an objective measures, and the limits that it can have. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "judge/policy_parts.h"
#include "judge/policy_units.h"

/* Quantiles beyond the end of a histogram are infinite: they are above every limit. */
#define QUANTILE_END_SECONDS 4294.0
#define DURATION_END_SECONDS 259200.0

static const struct {
    const char *word;
    int32_t statistic;
    double quantile;
    uint32_t kinds;
} statistics[] = {
    { "rate", CANARY_STATISTIC_RATE, 0, CANARY__KIND(CANARY_METRIC_PROPORTION) },
    { "mean", CANARY_STATISTIC_MEAN, 0,
      CANARY__KINDS_NUMBER | CANARY__KIND(CANARY_METRIC_DURATION) },
    { "p50", CANARY_STATISTIC_QUANTILE, 0.5, CANARY__KIND(CANARY_METRIC_DURATION) },
    { "p90", CANARY_STATISTIC_QUANTILE, 0.9, CANARY__KIND(CANARY_METRIC_DURATION) },
    { "p95", CANARY_STATISTIC_QUANTILE, 0.95, CANARY__KIND(CANARY_METRIC_DURATION) },
    { "p99", CANARY_STATISTIC_QUANTILE, 0.99, CANARY__KIND(CANARY_METRIC_DURATION) },
    { "p999", CANARY_STATISTIC_QUANTILE, 0.999, CANARY__KIND(CANARY_METRIC_DURATION) },
    { "f1", CANARY_STATISTIC_F1, 0, CANARY__KIND(CANARY_METRIC_CLASSIFICATION) },
    { "precision", CANARY_STATISTIC_PRECISION, 0, CANARY__KIND(CANARY_METRIC_CLASSIFICATION) },
    { "recall", CANARY_STATISTIC_RECALL, 0, CANARY__KIND(CANARY_METRIC_CLASSIFICATION) },
    { "burn", CANARY_STATISTIC_BURN, 0, CANARY__KIND(CANARY_METRIC_PROPORTION) },
};

enum { STATISTICS = sizeof statistics / sizeof *statistics };

static uint32_t kinds_of_name(const char *metric) {
    if (strcmp(metric, "error") == 0 || strcmp(metric, "timeout") == 0) {
        return CANARY__KIND(CANARY_METRIC_PROPORTION);
    }
    if (strcmp(metric, "duration") == 0) {
        return CANARY__KIND(CANARY_METRIC_DURATION);
    }
    return CANARY__KINDS_ANY;
}

/* The statistics that a metric of these kinds can have, for people. */
static void list_fitting(uint32_t kinds, int burns, char *out, size_t size) {
    size_t at = 0;

    out[0] = '\0';
    for (int i = 0; i < STATISTICS; i++) {
        if ((statistics[i].kinds & kinds) != 0 &&
            (burns || statistics[i].statistic != CANARY_STATISTIC_BURN) && at < size) {
            at += (size_t)snprintf(out + at, size - at, "%s%s", at > 0 ? ", " : "",
                                   statistics[i].word);
        }
    }
}

static int find(const char *word, int burns) {
    for (int i = 0; word != NULL && i < STATISTICS; i++) {
        if (strcmp(statistics[i].word, word) == 0 &&
            (burns || statistics[i].statistic != CANARY_STATISTIC_BURN)) {
            return i;
        }
    }
    return -1;
}

int canary__policy_subject(struct canary__policy_reading *reading, const struct canary__spot *spot,
                           int burns, struct canary__subject *out) {
    const json_t *value = canary__policy_read_get(spot, "statistic");
    char quote[CANARY__POLICY_QUOTE];
    char list[128];
    uint32_t kinds;
    int found = 0;

    if (!canary__policy_read_name(reading, spot, "metric", "[a-z]", "_", CANARY_METRIC_NAME_MAX,
                                  out->metric)) {
        return 0;
    }
    kinds = kinds_of_name(out->metric);
    list_fitting(kinds, burns, list, sizeof list);
    if (value == NULL && kinds != CANARY__KIND(CANARY_METRIC_PROPORTION)) {
        canary__policy_read_say(reading, spot, "statistic", "is missing; of \"%s\" one of %s",
                                out->metric, list);
        return 0;
    }
    if (value != NULL) {
        found = find(json_string_value(value), burns);
    }
    if (found < 0 || (statistics[found].kinds & kinds) == 0) {
        canary__policy_read_say(reading, spot, "statistic",
                                "%s is no statistic of \"%s\"; it has %s",
                                canary__policy_read_quote(value, quote), out->metric, list);
        return 0;
    }
    out->statistic = statistics[found].statistic;
    out->quantile = statistics[found].quantile;
    out->kinds = statistics[found].kinds & kinds;
    snprintf(out->word, sizeof out->word, "%s", statistics[found].word);
    return 1;
}

const char *canary__policy_side(struct canary__policy_reading *reading,
                                const struct canary__spot *spot, int32_t *above) {
    const int has_above = canary__policy_read_has(spot, "above");
    const int has_below = canary__policy_read_has(spot, "below");

    if (has_above == has_below) {
        canary__policy_read_say(reading, spot, NULL,
                                has_above ? "has \"above\" and \"below\"; exactly one is allowed"
                                          : "has neither \"above\" nor \"below\"; one is needed");
        return NULL;
    }
    *above = has_above;
    return has_above ? "above" : "below";
}

int canary__policy_share(struct canary__policy_reading *reading, const struct canary__spot *spot,
                         const char *key, double least, double most, const char *allowed,
                         double *out) {
    const json_t *value = canary__policy_read_get(spot, key);
    char quote[CANARY__POLICY_QUOTE];
    double share;

    if (json_is_number(value)) {
        share = json_number_value(value);
    } else if (!json_is_string(value) || !canary__units_percent(json_string_value(value), &share)) {
        share = -1;
    }
    if (!(share >= least && share <= most)) {
        canary__policy_read_say(reading, spot, key, "%s is not allowed; %s",
                                canary__policy_read_quote(value, quote), allowed);
        return 0;
    }
    *out = share;
    return 1;
}

/* Durations as texts with a unit, so that nobody has to guess it. */
static int limit_duration(struct canary__policy_reading *reading, const struct canary__spot *spot,
                          const char *key, double most, double *limit) {
    const json_t *value = canary__policy_read_get(spot, key);
    char quote[CANARY__POLICY_QUOTE];

    if (!json_is_string(value) || !canary__units_duration(json_string_value(value), limit)) {
        canary__policy_read_say(
            reading, spot, key,
            "%s is no duration; a text of a number and ns, us, ms, s, m or h, such "
            "as \"600ms\"",
            canary__policy_read_quote(value, quote));
        return 0;
    }
    if (!(*limit > 0 && *limit <= most)) {
        canary__policy_read_say(reading, spot, key,
                                "%s is not allowed; above \"0s\", at most \"%gs\"",
                                canary__policy_read_quote(value, quote), most);
        return 0;
    }
    return 1;
}

static int limit_mean(struct canary__policy_reading *reading, const struct canary__spot *spot,
                      const char *key, struct canary__subject *subject, double *limit) {
    const json_t *value = canary__policy_read_get(spot, key);
    char quote[CANARY__POLICY_QUOTE];

    if (json_is_string(value) || subject->kinds == CANARY__KIND(CANARY_METRIC_DURATION)) {
        subject->kinds = CANARY__KIND(CANARY_METRIC_DURATION);
        return limit_duration(reading, spot, key, DURATION_END_SECONDS, limit);
    }
    if (!json_is_number(value) || !(fabs(json_number_value(value)) <= 1e15)) {
        canary__policy_read_say(
            reading, spot, key,
            "%s is not allowed; a number up to 1e15 for values and scores, or a "
            "text such as \"600ms\" for durations",
            canary__policy_read_quote(value, quote));
        return 0;
    }
    subject->kinds = CANARY__KINDS_NUMBER;
    *limit = json_number_value(value);
    return 1;
}

int canary__policy_limit(struct canary__policy_reading *reading, const struct canary__spot *spot,
                         struct canary__subject *subject, int32_t *above, double *limit) {
    const char *key = canary__policy_side(reading, spot, above);
    char quote[CANARY__POLICY_QUOTE];

    if (key == NULL) {
        return 0;
    }
    if (subject->statistic == CANARY_STATISTIC_QUANTILE) {
        return limit_duration(reading, spot, key, QUANTILE_END_SECONDS, limit);
    }
    if (subject->statistic == CANARY_STATISTIC_MEAN) {
        return limit_mean(reading, spot, key, subject, limit);
    }
    if (!canary__policy_share(reading, spot, key, 0, 1,
                              "a share from 0 to 1, or a text such as \"1%\"", limit)) {
        return 0;
    }
    if (*limit == (*above ? 1.0 : 0.0)) {
        canary__policy_read_say(
            reading, spot, key, "%s is never so: a share is %s",
            canary__policy_read_quote(canary__policy_read_get(spot, key), quote),
            *above ? "at most 1" : "at least 0");
        return 0;
    }
    return 1;
}

void canary__policy_objective(struct canary__policy_reading *reading,
                              const struct canary__spot *spot, struct canary__objective *out) {
    static const char *const keys[] = { "name",  "description", "metric", "statistic",
                                        "above", "below",       NULL };
    const char *word = json_string_value(canary__policy_read_get(spot, "statistic"));
    struct canary__subject subject = { .kinds = 0 };

    if (!canary__policy_read_object(reading, spot, keys)) {
        return;
    }
    canary__policy_read_name(reading, spot, "name", "[a-z]", "_-", sizeof out->name - 1, out->name);
    canary__policy_read_line(reading, spot, "description", 511, NULL);
    if (word != NULL && strcmp(word, "uptime") == 0) {
        canary__policy_read_refuse(reading, spot, "metric", "uptime is of all outcomes");
        canary__policy_read_refuse(reading, spot, "below", "uptime should be \"above\" its target");
        out->statistic = CANARY__STATISTIC_UPTIME;
        out->above = 1;
        if (!canary__policy_read_has(spot, "above")) {
            canary__policy_read_say(reading, spot, "above",
                                    "is missing; a share such as \"99.9%%\"");
        } else {
            canary__policy_share(reading, spot, "above", 0, 0.999999999,
                                 "a share from 0 to below 1, or a text such as \"99.9%\"",
                                 &out->target);
        }
        return;
    }
    if (!canary__policy_subject(reading, spot, 0, &subject) ||
        !canary__policy_limit(reading, spot, &subject, &out->above, &out->target)) {
        return;
    }
    memcpy(out->metric, subject.metric, sizeof out->metric);
    out->statistic = subject.statistic;
    out->quantile = subject.quantile;
    out->kinds = subject.kinds;
}
