/* SPDX-License-Identifier: MIT */
#include "ticks.h"

#include <time.h>

static uint64_t buckets[CANARY_POLICY_RULES_MAX][2][CANARY_DURATION_BUCKETS];

void world_empty(struct world *world) {
    memset(world->metrics, 0, sizeof world->metrics);
    memset(buckets, 0, world->policy->metric_count * sizeof buckets[0]);
}

void world_open(struct world *world, const char *more, const char *rules) {
    char text[65536];
    canary_error error = CANARY_ERROR_INIT;

    memset(world, 0, sizeof *world);
    snprintf(text, sizeof text, "{\"policy\": 1, \"name\": \"test\", %s \"rules\": [%s]}",
             strcmp(more, "") != 0 ? more : "\"design_effect\": 1,", rules);
    if (canary_policy_parse(text, strlen(text), &world->policy, NULL, NULL, &error) != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(canary__state_open(world->policy, &world->state, &error), CANARY_OK);
    canary__state_begin(&world->state, GENERATION, NOON, 0);
    world->tick.from_ns = NOON;
    world->tick.to_ns = NOON + CANARY_TICK_NS;
    world->tick.generation = GENERATION;
    world->tick.metrics = world->metrics;
    world_empty(world);
}

void world_close(struct world *world) {
    canary__state_close(&world->state);
    canary_policy_close(&world->policy);
}

struct canary__tick_metric *world_metric(struct world *world, const char *name) {
    for (uint32_t i = 0; i < world->policy->metric_count; i++) {
        if (strcmp(world->policy->metrics[i], name) == 0) {
            return &world->metrics[i];
        }
    }
    fail_msg("no rule names %s", name);
    return NULL;
}

void world_share(struct world *world, const char *metric, double n_new, double k_new, double n_old,
                 double k_old) {
    struct canary__tick_metric *to = world_metric(world, metric);

    to->kind = CANARY_METRIC_PROPORTION;
    to->side[CANARY_NEW].n = n_new;
    to->side[CANARY_NEW].k = k_new;
    to->side[CANARY_OLD].n = n_old;
    to->side[CANARY_OLD].k = k_old;
}

void world_values(struct world *world, const char *metric, int cohort, double n, double mean) {
    struct canary__tick_metric *to = world_metric(world, metric);

    to->kind = CANARY_METRIC_VALUE;
    to->side[cohort].n = n;
    to->side[cohort].sum = n * mean;
    to->side[cohort].squares = n * (mean * mean + 1);
}

void world_durations(struct world *world, const char *metric, int cohort, double n, int64_t ns) {
    struct canary__tick_metric *to = world_metric(world, metric);
    struct canary__tick_side *side = &to->side[cohort];
    uint64_t *counts = buckets[to - world->metrics][cohort];
    uint32_t bucket = 0;

    for (uint32_t step = 1024; step > 0; step /= 2) {
        if (canary_duration_bucket_ns(bucket + step) <= ns) {
            bucket += step;
        }
    }
    to->kind = CANARY_METRIC_DURATION;
    counts[bucket] += (uint64_t)n;
    side->buckets = counts;
    side->bucket_count = CANARY_DURATION_BUCKETS;
    side->n += n;
    side->sum += n * (double)ns * 1e-9;
    side->squares += n * (double)ns * 1e-9 * (double)ns * 1e-9;
}

int world_add(struct world *world) {
    int said = canary__state_add(&world->state, world->policy, &world->tick, STAGE);

    world->tick.from_ns += CANARY_TICK_NS;
    world->tick.to_ns += CANARY_TICK_NS;
    world_empty(world);
    return said;
}

void world_share_ticks(struct world *world, int count, const char *metric, double n_new,
                       double k_new, double n_old, double k_old) {
    for (int i = 0; i < count; i++) {
        world_share(world, metric, n_new, k_new, n_old, k_old);
        assert_int_equal(world_add(world), 1);
    }
}

void world_halves(struct world *world, double n, double k_a, double k_b) {
    struct canary__tick_metric *metric = world_metric(world, "error");

    metric->half[0].n = metric->half[1].n = n;
    metric->half[0].k = k_a;
    metric->half[1].k = k_b;
}

static struct canary__judge_weight weigh(const struct world *world) {
    struct canary__judge_weight weight;

    assert_int_equal(canary__judge_evidence_weigh(&world->state.rules[0].proof->evidence,
                                                  world->state.planned_ticks, &weight),
                     CANARY__JUDGE_YES);
    return weight;
}

double world_ln_e(const struct world *world) {
    return weigh(world).ln_e;
}

double world_ln_m(const struct world *world) {
    return weigh(world).ln_m;
}

double world_ln_w(const struct world *world) {
    return weigh(world).ln_w;
}

canary_rule_result world_result(const struct world *world) {
    canary_rule_result result;

    canary__state_result(&world->state, world->policy, 0, &result);
    return result;
}

int world_says(const struct world *world) {
    return world_result(world).state;
}

void near(double a, double b, double off, const char *file, int line) {
    if (!(fabs(a - b) <= off)) {
        print_error("%.17g is not %.17g within %g\n", a, b, off);
        _fail(file, line);
    }
}

uint64_t random_seed(void) {
    const char *given = getenv("CANARY_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

    print_message("CANARY_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

uint64_t random_next(uint64_t *state) {
    uint64_t value = *state += UINT64_C(0x9e3779b97f4a7c15);

    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

double random_uniform(uint64_t *state) {
    return (double)(random_next(state) >> 11) * 0x1p-53;
}
