/* SPDX-License-Identifier: MIT */
/* What a verdict costs: a tick of figures into windows and evidence, and the gate with all its sentences.
 * Nothing of the store, which is read once a tick whatever the policy. The cost may grow neither with the
 * length of windows nor with how long a release has been watched. */
#include <canary/policy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/record.h"
#include "../lib/timing.h"
#include "chance.h"
#include "judge/gate.h"

enum {
    EVALUATIONS = 100000,
    BLOCKS = 20, /* by which early and late ones are compared */
    TICKS = 509, /* that take turns */
    METRICS = 6,
};

/* Twenty rules of every kind; %s: windows, the short ones of burn rates in between. */
static const char rules[] =
    "{\"policy\": 1, \"name\": \"bench\", \"alpha\": 0.05, \"rules\": ["
    "{\"name\": \"error-ratio\", \"metric\": \"error\", \"against\": \"old\", \"above\": 1.5,"
    " \"action\": \"rollback\"},"
    "{\"name\": \"timeout-ratio\", \"metric\": \"timeout\", \"against\": \"old\", \"above\": 2,"
    " \"action\": \"rollback\"},"
    "{\"name\": \"error-not-up\", \"metric\": \"error\", \"against\": \"old\", \"below\": 1.2,"
    " \"action\": \"require\"},"
    "{\"name\": \"hits-not-down\", \"metric\": \"cache_hit\", \"statistic\": \"rate\", \"against\":"
    " \"old\", \"below\": 0.9, \"action\": \"hold\"},"
    "{\"name\": \"f1-down\", \"metric\": \"answers\", \"statistic\": \"f1\", \"against\": \"old\","
    " \"below\": 0.95, \"action\": \"rollback\"},"
    "{\"name\": \"precision-down\", \"metric\": \"answers\", \"statistic\": \"precision\","
    " \"against\": \"old\", \"below\": 0.95, \"action\": \"hold\"},"
    "{\"name\": \"p95-up\", \"metric\": \"duration\", \"statistic\": \"p95\", \"against\": \"old\","
    " \"above\": 1.3, \"action\": \"rollback\"},"
    "{\"name\": \"time-up\", \"metric\": \"duration\", \"statistic\": \"mean\", \"against\": "
    "\"old\","
    " \"above\": 1.3, \"action\": \"hold\"},"
    "{\"name\": \"cost-up\", \"metric\": \"cost\", \"statistic\": \"mean\", \"against\": \"old\","
    " \"above\": 1.5, \"action\": \"rollback\"},"
    "{\"name\": \"errors-proven\", \"metric\": \"error\", \"above\": \"5%%\", \"proof\": "
    "\"evidence\","
    " \"action\": \"rollback\"},"
    "{\"name\": \"errors\", \"metric\": \"error\", \"above\": \"5%%\", \"window\": \"%s\", \"for\":"
    " \"1m\", \"action\": \"rollback\"},"
    "{\"name\": \"timeouts\", \"metric\": \"timeout\", \"above\": \"5%%\", \"window\": \"%s\","
    " \"for\": \"5m\", \"action\": \"rollback\"},"
    "{\"name\": \"p95\", \"metric\": \"duration\", \"statistic\": \"p95\", \"above\": \"900ms\","
    " \"window\": \"%s\", \"for\": \"5m\", \"action\": \"rollback\"},"
    "{\"name\": \"p99\", \"metric\": \"duration\", \"statistic\": \"p99\", \"below\": \"2s\","
    " \"window\": \"%s\", \"action\": \"require\"},"
    "{\"name\": \"burn-fast\", \"metric\": \"error\", \"statistic\": \"burn\", \"objective\": 0.95,"
    " \"above\": 14.4, \"window\": \"%s\", \"short_window\": \"%s\", \"action\": \"rollback\"},"
    "{\"name\": \"burn-slow\", \"metric\": \"error\", \"statistic\": \"burn\", \"objective\": 0.95,"
    " \"above\": 6, \"window\": \"%s\", \"short_window\": \"%s\", \"action\": \"hold\"},"
    "{\"name\": \"cost\", \"metric\": \"cost\", \"statistic\": \"mean\", \"above\": 9, \"window\":"
    " \"%s\", \"action\": \"hold\"},"
    "{\"name\": \"errors-up\", \"metric\": \"error\", \"against\": \"old\", \"proof\": \"point\","
    " \"above\": 3, \"window\": \"%s\", \"action\": \"warn\"},"
    "{\"name\": \"recall\", \"metric\": \"answers\", \"statistic\": \"recall\", \"above\": 0.6,"
    " \"window\": \"%s\", \"action\": \"require\", \"min_samples\": 200},"
    "{\"name\": \"errors-as-before\", \"metric\": \"error\", \"against\": \"baseline\", \"above\":"
    " 3, \"window\": \"%s\", \"action\": \"hold\"}]}";

struct bench {
    canary_policy *policy;
    struct canary__state state;
    canary_rollout rollout;
    canary_verdict verdict;
    canary_rule_result results[CANARY_POLICY_RULES_MAX];
};

static struct canary__tick_metric ticks[TICKS][METRICS];
static uint64_t buckets[TICKS][2][CANARY_DURATION_BUCKETS];

static void parse(struct bench *bench, const char *long_window, const char *short_window) {
    static char text[8192];
    canary_error error = CANARY_ERROR_INIT;
    const char *l = long_window;

    snprintf(text, sizeof text, rules, l, l, l, l, l, short_window, l, short_window, l, l, l, l);
    if (canary_policy_parse(text, strlen(text), &bench->policy, NULL, NULL, &error) != CANARY_OK) {
        bench_die("policy", error.message);
    }
}

static int metric_of(const canary_policy *policy, const char *name) {
    for (uint32_t i = 0; i < policy->metric_count && i < METRICS; i++) {
        if (strcmp(policy->metrics[i], name) == 0) {
            return (int)i;
        }
    }
    bench_die(name, "is no metric of the policy");
}

static void share(struct chance *chance, struct canary__tick_metric *metric, double rate) {
    static const unsigned n[2] = { 950, 50 };

    metric->kind = CANARY_METRIC_PROPORTION;
    for (int cohort = 0; cohort < 2; cohort++) {
        metric->side[cohort].n = n[cohort];
        metric->side[cohort].k = chance_binomial(chance, n[cohort], rate);
        metric->half[cohort].n = 475;
        metric->half[cohort].k = chance_binomial(chance, 475, rate);
    }
}

static void duration(struct chance *chance, struct canary__tick_metric *metric,
                     uint64_t counts[2][CANARY_DURATION_BUCKETS]) {
    static const unsigned n[2] = { 950, 50 };

    metric->kind = CANARY_METRIC_DURATION;
    for (int cohort = 0; cohort < 2; cohort++) {
        struct canary__tick_side *side = &metric->side[cohort];

        for (unsigned i = 0; i < n[cohort]; i++) {
            /* 1 ms to 1 s, and most of them short. */
            double seconds = 0.001 + 0.999 * chance_next(chance) * chance_next(chance);
            uint32_t bucket = 0;

            for (uint32_t step = 1024; step > 0; step /= 2) {
                if ((double)canary_duration_bucket_ns(bucket + step) <= seconds * 1e9) {
                    bucket += step;
                }
            }
            counts[cohort][bucket]++;
            side->sum += seconds;
            side->squares += seconds * seconds;
        }
        side->n = n[cohort];
        side->buckets = counts[cohort];
        side->bucket_count = CANARY_DURATION_BUCKETS;
    }
}

static void fill_ticks(const canary_policy *policy) {
    struct chance chance = { .state = 20261121 };

    for (int i = 0; i < TICKS; i++) {
        struct canary__tick_metric *tick = ticks[i];

        share(&chance, &tick[metric_of(policy, "error")], 0.01);
        share(&chance, &tick[metric_of(policy, "timeout")], 0.002);
        share(&chance, &tick[metric_of(policy, "cache_hit")], 0.4);
        duration(&chance, &tick[metric_of(policy, "duration")], buckets[i]);
        for (int cohort = 0; cohort < 2; cohort++) {
            struct canary__tick_side *answers = &tick[metric_of(policy, "answers")].side[cohort];
            struct canary__tick_side *cost = &tick[metric_of(policy, "cost")].side[cohort];

            answers->tp = chance_binomial(&chance, 100, 0.7);
            answers->fp = chance_binomial(&chance, 20, 0.5);
            answers->fn = chance_binomial(&chance, 20, 0.5);
            cost->n = 100;
            cost->sum = 300 + 50 * chance_next(&chance);
            cost->squares = cost->sum * cost->sum / cost->n + 100;
        }
        tick[metric_of(policy, "answers")].kind = CANARY_METRIC_CLASSIFICATION;
        tick[metric_of(policy, "cost")].kind = CANARY_METRIC_VALUE;
    }
}

static void open_bench(struct bench *bench, const char *long_window, const char *short_window) {
    static const int64_t begin_ns = INT64_C(1793188800000000000);
    canary_error error = CANARY_ERROR_INIT;

    memset(bench, 0, sizeof *bench);
    parse(bench, long_window, short_window);
    if (canary__state_open(bench->policy, &bench->state, &error) != CANARY_OK) {
        bench_die("state", error.message);
    }
    canary__state_begin(&bench->state, 7, begin_ns, INT64_C(30) * 86400 * 1000000000);
    for (uint32_t i = 0; i < bench->policy->rule_count; i++) {
        canary__state_baseline(&bench->state, i, 0.01);
    }
    bench->rollout.size = (uint32_t)sizeof bench->rollout;
    bench->rollout.stage = 1;
    bench->rollout.stage_count = 5;
    bench->rollout.percentage_bp = bench->rollout.effective_bp = 500;
    bench->rollout.flag_enabled = 1;
    for (uint32_t i = 1; i < 5; i++) {
        static const uint32_t ladder[] = { 0, 500, 2500, 5000, 10000 };

        bench->rollout.stages_bp[i] = ladder[i];
        bench->rollout.dwell_ns[i] = INT64_C(30) * 86400 * 1000000000;
    }
    bench->rollout.generation = 7;
    bench->rollout.generation_at_ns = begin_ns;
    bench->state.through_ns = begin_ns;
}

static void close_bench(struct bench *bench) {
    canary__state_close(&bench->state);
    canary_policy_close(&bench->policy);
}

static void evaluate(struct bench *bench, int count) {
    struct canary__scene scene = { .rollout = &bench->rollout,
                                   .users_new = 500,
                                   .users_old = 9500 };

    for (int i = 0; i < count; i++) {
        const struct canary__tick tick = {
            .from_ns = bench->state.through_ns,
            .to_ns = bench->state.through_ns + CANARY_TICK_NS,
            .generation = 7,
            .metrics = ticks[(bench->state.through_ns / CANARY_TICK_NS) % TICKS],
        };

        canary__state_add(&bench->state, bench->policy, &tick, 1);
        scene.now_ns = bench->state.through_ns + 2 * INT64_C(1000000000);
        canary__gate(bench->policy, &bench->state, &scene, &bench->verdict, bench->results);
    }
}

static int64_t timed(struct bench *bench, int count) {
    int64_t begin = bench_cpu_ns();

    evaluate(bench, count);
    return bench_cpu_ns() - begin;
}

static double least(const int64_t *blocks, int count) {
    int64_t found = blocks[0];

    for (int i = 1; i < count; i++) {
        found = blocks[i] < found ? blocks[i] : found;
    }
    return (double)found;
}

static void watched_for_long(int evaluations) {
    static struct bench bench;
    int64_t blocks[BLOCKS];
    int64_t all = 0;
    double ratio;
    char figure[96];

    open_bench(&bench, "1h", "5m");
    fill_ticks(bench.policy);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = timed(&bench, evaluations / BLOCKS);
        all += blocks[i];
    }
    bench_number("one evaluation", "us", (double)all / 1e3 / evaluations);
    bench_note("verdict: %s", bench.verdict.message);
    snprintf(figure, sizeof figure, "%.2f s of %d", (double)all / 1e9, evaluations);
    bench_at_most("100 000 evaluations of 20 rules: 10 s of one core", figure,
                  (double)all / 1e9 * EVALUATIONS / evaluations / 10, 1);
    ratio = least(blocks + 3 * BLOCKS / 4, BLOCKS / 4) / least(blocks, BLOCKS / 4);
    snprintf(figure, sizeof figure, "%.2f times", ratio);
    bench_at_most("an evaluation after eleven days, of one in the first: 1.2 times", figure, ratio,
                  1.2);
    close_bench(&bench);
}

/* In turns, and the least of each. */
static void long_windows(int evaluations) {
    static const char *const windows[][2] = { { "2m", "1m" }, { "1h", "30m" }, { "31d", "7d" } };
    enum { LENGTHS = 3 };
    static struct bench benches[LENGTHS];
    int64_t blocks[LENGTHS][BLOCKS];
    double ratio;
    char figure[96];

    for (int l = 0; l < LENGTHS; l++) {
        open_bench(&benches[l], windows[l][0], windows[l][1]);
    }
    for (int i = 0; i < BLOCKS; i++) {
        for (int l = 0; l < LENGTHS; l++) {
            blocks[l][i] = timed(&benches[l], evaluations / BLOCKS);
        }
    }
    for (int l = 0; l < LENGTHS; l++) {
        snprintf(figure, sizeof figure, "one evaluation, all windows of %s", windows[l][0]);
        bench_number(figure, "us", least(blocks[l], BLOCKS) / 1e3 / (evaluations / BLOCKS));
        close_bench(&benches[l]);
    }
    ratio = least(blocks[2], BLOCKS) / least(blocks[0], BLOCKS);
    snprintf(figure, sizeof figure, "%.2f times", ratio);
    bench_at_most("windows of 31 days, of windows of two minutes: 1.2 times", figure, ratio, 1.2);
}

int main(int argc, char **argv) {
    bench_begin("evaluate", argc, argv);
    bench_heading("Verdicts of a policy with 20 rules, a tick each");
    watched_for_long(bench_is_smoke() ? 400 : EVALUATIONS);
    long_windows(bench_is_smoke() ? 400 : EVALUATIONS / 10);
    return bench_end();
}
