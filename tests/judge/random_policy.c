/* SPDX-License-Identifier: MIT */
#include "random_policy.h"

#include "ticks.h"

struct writer {
    char *text;
    size_t size;
    uint64_t *seed;
    int mild;
};

static uint32_t pick(struct writer *to, uint32_t count) {
    return (uint32_t)(random_next(to->seed) % count);
}

static int chance(struct writer *to, double p) {
    return random_uniform(to->seed) < p;
}

static void put(struct writer *to, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    to->size +=
        (size_t)vsnprintf(to->text + to->size, RANDOM_POLICY_SIZE - to->size, format, arguments);
    va_end(arguments);
    assert_true(to->size < RANDOM_POLICY_SIZE);
}

/* What a rule asks, as far as the keys depend on each other. */
struct question {
    const char *metric;
    const char *statistic;
    const char *limits[3]; /* for "above" and "below" */
    int is_quantile;
    int is_mean;
    int is_burn;
    int against; /* 0 limit, 1 old, 2 baseline */
    int evidence;
    int action; /* 0 rollback, 1 hold, 2 require, 3 warn */
};

static void draw_subject(struct writer *to, struct question *out) {
    static const char *const proportions[] = { "error", "timeout", "hit" };
    static const char *const quantiles[] = { "p50", "p90", "p95", "p99", "p999" };
    static const char *const classes[] = { "f1", "precision", "recall" };
    static const struct question subjects[] = {
        { .statistic = "rate", .limits = { "\"1%\"", "0.5", "\"93%\"" } },
        { .statistic = "burn", .limits = { "0.5", "2", "14.4" }, .is_burn = 1 },
        { .metric = "duration", .limits = { "\"50ms\"", "\"1s\"", "\"2m\"" }, .is_quantile = 1 },
        { .metric = "duration",
          .statistic = "mean",
          .limits = { "\"50ms\"", "\"1s\"", "\"2m\"" },
          .is_mean = 1 },
        { .metric = "price", .statistic = "mean", .limits = { "-5", "0.7", "1e6" }, .is_mean = 1 },
        { .metric = "answers", .limits = { "0.1", "\"50%\"", "0.9" } },
    };

    *out = subjects[pick(to, sizeof subjects / sizeof *subjects)];
    if (out->metric == NULL) {
        out->metric = proportions[pick(to, 3)];
    }
    if (out->statistic == NULL) {
        out->statistic = out->is_quantile ? quantiles[pick(to, 5)] : classes[pick(to, 3)];
    }
}

static void draw_question(struct writer *to, struct question *out) {
    draw_subject(to, out);
    out->against = out->is_burn ? 0 : (int)pick(to, 3);
    if (out->is_burn || out->against == 2 || (out->against == 0 && out->is_mean)) {
        out->evidence = 0;
    } else if (out->against == 1 && out->is_quantile) {
        out->evidence = 1;
    } else {
        out->evidence = (int)pick(to, 2);
    }
    out->action = (int)pick(to, 4);
    if (to->mild && out->against == 2) {
        out->against = 0;
        out->evidence = 0;
    }
}

/* Mild: harm is far away, and what is required is near. */
static void put_threshold(struct writer *to, const struct question *question) {
    static const char *const ratios[] = { "0.5", "\"90%\"", "0.979", "1.021", "\"120%\"", "3" };
    static const char *const required[] = { "0.9", "1", "1.1" };
    int above = (int)pick(to, 2);
    const char *value;

    if (question->against == 0) {
        value = question->limits[pick(to, 3)];
    } else if (question->action >= 2 && chance(to, 0.3)) {
        value = required[pick(to, 3)];
    } else {
        value = ratios[pick(to, 6)];
    }
    if (to->mild) {
        above = question->action != 2;
        value = question->against == 0 ? question->limits[2] : "3";
    }
    put(to, ", \"%s\": %s", above ? "above" : "below", value);
}

static void put_windows(struct writer *to, const struct question *question) {
    static const char *const windows[] = { "1m", "70s", "5m", "1h", "90m", "6h", "1d", "31d" };
    static const char *const times[] = { "0s", "10s", "1m", "5m", "2h" };

    if (question->evidence) {
        if (chance(to, 0.2)) {
            put(to, ", \"alpha\": 0.0001");
        }
        return;
    }
    put(to, ", \"window\": \"%s\"", windows[to->mild ? 2 : pick(to, 8)]);
    if (question->is_burn) {
        put(to, ", \"objective\": %s, \"short_window\": \"%s\"", to->mild ? "0.95" : "\"99.5%\"",
            chance(to, 0.5) ? "10s" : "50s");
    }
    if (!to->mild && chance(to, 0.6)) {
        put(to, ", \"for\": \"%s\"", times[pick(to, 5)]);
    }
}

static void put_rule(struct writer *to, uint32_t number, int with_stages) {
    static const char *const againsts[] = { "limit", "old", "baseline" };
    static const char *const actions[] = { "rollback", "hold", "require", "warn" };
    static const char *const urgencies[] = { "low", "medium", "high", "critical" };
    struct question question;
    int up = 0;

    draw_question(to, &question);
    put(to, "%s\n{\"name\": \"rule-%u\", \"metric\": \"%s\", \"statistic\": \"%s\"",
        number > 0 ? "," : "", number, question.metric, question.statistic);
    put(to, ", \"action\": \"%s\", \"against\": \"%s\", \"proof\": \"%s\"",
        actions[question.action], againsts[question.against],
        question.evidence ? "evidence" : "point");
    put_threshold(to, &question);
    put_windows(to, &question);
    if (question.against == 0 && chance(to, 0.2)) {
        put(to, ", \"cohort\": \"%s\"", chance(to, 0.5) ? "new" : "old");
    }
    if (chance(to, 0.3)) {
        put(to, ", \"urgency\": \"%s\"", urgencies[pick(to, 4)]);
    }
    if (to->mild || chance(to, 0.2)) {
        put(to, ", \"min_samples\": %u", 1 + pick(to, 50));
    }
    if (question.action == 0 && chance(to, 0.3)) {
        up = with_stages && chance(to, 0.5);
        put(to, ", \"to\": %s", up ? "1" : chance(to, 0.5) ? "\"previous\"" : "0");
    }
    if (up || chance(to, 0.2)) {
        put(to, ", \"stages\": [%s]", chance(to, 0.5) ? "2, 3" : "3");
    }
    put(to, "}");
}

void random_policy(uint64_t *seed, int mild, char text[RANDOM_POLICY_SIZE]) {
    static const char *const modes[] = { "observe", "approve", "auto" };
    struct writer to = { .text = text, .size = 0, .seed = seed, .mild = mild };
    uint32_t rules = chance(&to, 0.02) ? CANARY_POLICY_RULES_MAX : 1 + pick(&to, 12);
    int with_stages = chance(&to, 0.5);

    put(&to, "{\"policy\": 1, \"name\": \"random\", \"alpha\": %s, \"mode\": \"%s\"",
        chance(&to, 0.5) ? "0.05" : "0.2", modes[pick(&to, 3)]);
    if (mild || chance(&to, 0.6)) {
        put(&to, ", \"design_effect\": %u", 1 + pick(&to, 3));
    }
    if (chance(&to, 0.05)) {
        put(&to, ", \"freeze\": true");
    }
    put(&to, ", \"grace\": \"%s\", \"cooldown\": \"%s\", \"attempts\": %u, \"sample_ratio\": %s",
        chance(&to, 0.5) ? "30s" : "1h", chance(&to, 0.5) ? "0s" : "30m", pick(&to, 4),
        chance(&to, 0.5) ? "true" : "false");
    if (with_stages) {
        put(&to, ", \"stages\": [{\"percentage\": 1}, {\"percentage\": 10, \"dwell\": \"5m\"},"
                 " {\"percentage\": \"50%%\", \"dwell\": \"0s\"}, {\"percentage\": 100}]");
    }
    put(&to, ", \"rules\": [");
    for (uint32_t i = 0; i < rules; i++) {
        put_rule(&to, i, with_stages);
    }
    put(&to, "]}");
}
