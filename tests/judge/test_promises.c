/* SPDX-License-Identifier: MIT */
/* What a policy promises as a whole, over all its rules, its stages and its looks: healthy releases are
 * left alone, looking costs nothing, and a tick counts once, whoever counts it. */
#include "traffic.h"

static uint64_t seed;

/* -- false alarms -- */

enum { RUNS = 200, STAGE_TICKS = 360 };

/* The least margin that a rollback rule may have, and the highest alpha of a policy. */
static const char fair[] =
    "{\"policy\": 1, \"name\": \"fair\", \"alpha\": 0.2, \"design_effect\": %s, \"rules\": ["
    "{\"name\": \"errors\", \"metric\": \"error\", \"against\": \"old\", \"above\": 1.02,"
    " \"action\": \"rollback\"},"
    "{\"name\": \"timeouts\", \"metric\": \"timeout\", \"against\": \"old\", \"above\": 1.02,"
    " \"action\": \"rollback\"}]}";

/* Base rates grow from stage to stage and within each, and go up and down with the traffic. 1 when
 * anything ever fires. */
static int is_rolled_back(const char *text, double times, int watch, uint64_t run_seed) {
    struct traffic *traffic = malloc(sizeof *traffic);
    int firing = 0;

    assert_non_null(traffic);
    traffic_open_text(traffic, text, run_seed);
    for (int stage = watch ? 0 : 1; stage <= 3 && !firing; stage++) {
        traffic_set(traffic, stage, 0);
        for (int i = 0; i < STAGE_TICKS && !firing; i++) {
            double part = (double)i / STAGE_TICKS;
            double cycle = 1 + 0.5 * sin(12.566370614359172 * part);
            struct behaviour *old = &traffic->side[CANARY_OLD];

            traffic->per_tick = 500 * cycle;
            old->error = 0.005 * (1 + stage + part) * cycle;
            old->timeout = 0.003 * (1 + stage + part) * cycle;
            traffic->side[CANARY_NEW] = *old;
            traffic->side[CANARY_NEW].error *= times;
            traffic->side[CANARY_NEW].timeout *= times;
            traffic_tick(traffic);
            firing = traffic_firing(traffic) > 0;
        }
    }
    traffic_close(traffic);
    free(traffic);
    return firing;
}

static int count_rolled_back(const char *effect, double times, int watch) {
    char text[sizeof fair + 32];
    uint64_t chance = seed;
    int rolled_back = 0;

    snprintf(text, sizeof text, fair, effect);
    for (int i = 0; i < RUNS; i++) {
        rolled_back += is_rolled_back(text, times, watch, random_next(&chance));
    }
    print_message("%d of %d releases rolled back, %.2f times as many failures\n", rolled_back, RUNS,
                  times);
    return rolled_back;
}

/* alpha, and three standard deviations. */
static int most_by_chance(double alpha) {
    return (int)(RUNS * (alpha + 3 * sqrt(alpha * (1 - alpha) / RUNS)));
}

static void healthy_releases_are_left_alone(void **unused) {
    (void)unused;
    assert_in_range(count_rolled_back("\"measured\"", 1, 1), 0, most_by_chance(0.2));
}

static void what_is_allowed_is_no_harm(void **unused) {
    (void)unused;
    assert_in_range(count_rolled_back("1", 1.02, 0), 0, most_by_chance(0.2));
}

/* Else what is above would say nothing. */
static void harm_is_found(void **unused) {
    (void)unused;
    assert_in_range(count_rolled_back("1", 1.5, 0), (int)(0.99 * RUNS), RUNS);
}

/* There is no ratio to nothing; it is harm all the same. */
static void failures_of_a_kind_that_never_was_are_found(void **unused) {
    struct traffic *traffic = malloc(sizeof *traffic);
    char text[sizeof fair + 32];

    (void)unused;
    assert_non_null(traffic);
    snprintf(text, sizeof text, fair, "1");
    traffic_open_text(traffic, text, seed);
    traffic->per_tick = 500;
    traffic_set(traffic, 1, 0);
    traffic_run(traffic, HOUR);
    traffic->side[CANARY_NEW].error = 0.05;
    assert_in_range(traffic_run_until_firing(traffic, 5 * MINUTE), 0, 5 * MINUTE);
    traffic_judge(traffic);
    assert_string_equal(traffic_decider(traffic), "errors");
    assert_non_null(strstr(traffic->verdict.message, " % against 0 %), "));
    traffic_close(traffic);
    free(traffic);
}

/* -- looks -- */

/* One of each kind of question. */
static const char all_kinds[] =
    "{\"policy\": 1, \"name\": \"all\", \"rules\": ["
    "{\"name\": \"errors\", \"metric\": \"error\", \"against\": \"old\", \"above\": 1.5,"
    " \"action\": \"rollback\"},"
    "{\"name\": \"errors-not-up\", \"metric\": \"error\", \"against\": \"old\", \"below\": 1.3,"
    " \"action\": \"require\"},"
    "{\"name\": \"floor\", \"metric\": \"accuracy\", \"statistic\": \"rate\", \"below\": 0.9,"
    " \"proof\": \"evidence\", \"action\": \"rollback\"},"
    "{\"name\": \"f1\", \"metric\": \"quality\", \"statistic\": \"f1\", \"against\": \"old\","
    " \"below\": 0.9, \"action\": \"rollback\"},"
    "{\"name\": \"slow\", \"metric\": \"duration\", \"statistic\": \"p95\", \"against\": \"old\","
    " \"above\": 1.2, \"action\": \"rollback\"},"
    "{\"name\": \"time\", \"metric\": \"duration\", \"statistic\": \"mean\", \"against\": \"old\","
    " \"below\": 1.1, \"action\": \"require\"},"
    "{\"name\": \"cost\", \"metric\": \"cost\", \"statistic\": \"mean\", \"against\": \"old\","
    " \"above\": 1.1, \"proof\": \"point\", \"window\": \"5m\", \"action\": \"hold\"},"
    "{\"name\": \"limit\", \"metric\": \"timeout\", \"above\": \"2%\", \"window\": \"1m\","
    " \"for\": \"5m\", \"action\": \"rollback\"},"
    "{\"name\": \"p99\", \"metric\": \"duration\", \"statistic\": \"p99\", \"above\": \"2s\","
    " \"window\": \"2h\", \"action\": \"warn\"},"
    "{\"name\": \"burn\", \"metric\": \"error\", \"statistic\": \"burn\", \"objective\": 0.99,"
    " \"above\": 6, \"window\": \"30m\", \"short_window\": \"5m\", \"action\": \"rollback\"}]}";

/* Its looks may see anything: a bit worse, and later a bit better. */
static struct traffic *open_all(void) {
    static const struct behaviour usual = {
        .error = 0.01,
        .timeout = 0.01,
        .accuracy = 0.91,
        .cache_hit = 0.9,
        .seconds = 0.1,
        .slow = 0.05,
        .slow_seconds = 1,
        .cost = 1,
        .f1 = 0.7,
    };
    struct traffic *traffic = malloc(sizeof *traffic);

    assert_non_null(traffic);
    traffic_open_text(traffic, all_kinds, seed);
    traffic->per_tick = 200;
    traffic->side[CANARY_OLD] = traffic->side[CANARY_NEW] = usual;
    return traffic;
}

static void drift(struct traffic *traffic, int tick) {
    struct behaviour *fresh = &traffic->side[CANARY_NEW];

    *fresh = traffic->side[CANARY_OLD];
    fresh->error *= 1 + 0.5 * sin(tick / 200.0);
    fresh->timeout *= 1 + 2 * sin(tick / 100.0);
    fresh->seconds *= 1 + 0.2 * sin(tick / 300.0);
    fresh->f1 = tick > 900 ? 0.5 : 0.7;
}

static void looks_change_nothing(void **unused) {
    struct traffic *often = open_all();
    struct traffic *once = open_all();

    (void)unused;
    for (int i = 0; i < 1200; i++) {
        if (i == 300 || i == 600) {
            traffic_set(often, i / 300 + 1, 0);
            traffic_set(once, i / 300 + 1, 0);
        }
        drift(often, i);
        drift(once, i);
        traffic_tick(often);
        traffic_tick(once);
        traffic_judge(often);
        canary__state_pass(&often->state, often->policy, often->now_ns,
                           canary__gate_stage(&often->rollout));
    }
    traffic_judge(once);
    assert_memory_equal(once->results, often->results, sizeof once->results);
    assert_string_equal(once->verdict.message, often->verdict.message);
    assert_int_equal(traffic_result(once, "f1")->state, CANARY_STATE_FIRING);
    traffic_close(often);
    traffic_close(once);
    free(often);
    free(once);
}

/* -- silence -- */

/* What was so for half a minute is in a window of five for long; nobody knows of it any more. */
static void nothing_fires_by_silence(void **unused) {
    (void)unused;
    for (int others = 0; others < 2; others++) {
        struct world world;

        world_open(&world, "",
                   "{\"name\": \"errors\", \"metric\": \"error\", \"above\": \"5%\","
                   " \"window\": \"5m\", \"for\": \"2m\", \"action\": \"rollback\"},"
                   "{\"name\": \"others\", \"metric\": \"timeout\", \"above\": \"5%\","
                   " \"window\": \"5m\", \"action\": \"rollback\"}");
        world_share_ticks(&world, 3, "error", 600, 300, 600, 1);
        for (int i = 0; i < 25; i++) {
            if (others) {
                world_share_ticks(&world, 1, "timeout", 600, 0, 600, 0);
            } else {
                world.tick.from_ns += CANARY_TICK_NS;
                canary__state_pass(&world.state, world.policy, world.tick.from_ns, STAGE);
            }
            assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
        }
        /* And then it was so all the time. */
        world_share_ticks(&world, 1, "error", 600, 300, 600, 1);
        assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
        world_close(&world);
    }
}

/* -- what is measured -- */

/* Of durations alone nobody can tell how far requests of one user go together. */
static void evidence_needs_no_rule_about_failures(void **unused) {
    static const char text[] =
        "{\"policy\": 1, \"name\": \"slow\", \"rules\": [{\"name\": \"p95\","
        " \"metric\": \"duration\", \"statistic\": \"p95\", \"against\": \"old\","
        " \"above\": 1.3, \"action\": \"rollback\"}]}";
    struct traffic *traffic = malloc(sizeof *traffic);
    canary_policy_info info = CANARY_POLICY_INFO_INIT;

    (void)unused;
    assert_non_null(traffic);
    traffic_open_text(traffic, text, seed);
    assert_int_equal(canary_policy_describe(traffic->policy, &info), CANARY_OK);
    assert_int_equal(info.metric_count, 1);
    traffic->per_tick = 500;
    traffic->side[CANARY_OLD].error = 0.01;
    traffic->side[CANARY_OLD].seconds = 0.1;
    traffic->side[CANARY_NEW] = traffic->side[CANARY_OLD];
    traffic_set(traffic, 1, 0);
    traffic_run(traffic, 10 * MINUTE);
    assert_int_equal(traffic_judge(traffic)->cause, CANARY_CAUSE_SAMPLES);
    traffic_run(traffic, HOUR);
    traffic_judge(traffic);
    assert_int_equal(traffic_result(traffic, "p95")->state, CANARY_STATE_CLEAR);
    assert_true(traffic_result(traffic, "p95")->design_effect < 1.5);
    traffic->side[CANARY_NEW].seconds = 0.2;
    assert_in_range(traffic_run_until_firing(traffic, 10 * MINUTE), 0, 10 * MINUTE);
    assert_int_equal(traffic_judge(traffic)->action, CANARY_VERDICT_ROLLBACK);
    traffic_close(traffic);
    free(traffic);
}

/* -- two evaluators -- */

enum { TICKS = 400, EVALUATORS = 2 };

/* What is in the store: ticks as they come in, and a state with a version. */
struct kept {
    struct canary__tick ticks[TICKS];
    struct canary__tick_metric *metrics[TICKS];
    uint64_t (*buckets[TICKS])[CANARY_DURATION_BUCKETS];
    int count;
    uint8_t *data;
    size_t size;
    uint64_t version;
};

struct evaluator {
    struct canary__state state;
    uint64_t version;
    int open;
};

static void keep_tick(struct kept *kept, struct traffic *traffic) {
    struct canary__tick *tick = &kept->ticks[kept->count];

    traffic_draw(traffic, tick);
    kept->metrics[kept->count] = malloc(sizeof traffic->metrics);
    kept->buckets[kept->count] = malloc(sizeof traffic->buckets);
    assert_non_null(kept->metrics[kept->count]);
    assert_non_null(kept->buckets[kept->count]);
    memcpy(kept->metrics[kept->count], traffic->metrics, sizeof traffic->metrics);
    memcpy(kept->buckets[kept->count], traffic->buckets, sizeof traffic->buckets);
    for (uint32_t i = 0; i < traffic->policy->metric_count; i++) {
        for (int cohort = 0; cohort < 2; cohort++) {
            struct canary__tick_side *side = &kept->metrics[kept->count][i].side[cohort];

            if (side->buckets != NULL) {
                side->buckets = kept->buckets[kept->count][cohort];
            }
        }
    }
    tick->metrics = kept->metrics[kept->count++];
}

static void take_over(struct evaluator *evaluator, const struct kept *kept,
                      const struct traffic *traffic) {
    const canary_rollout *rollout = &traffic->rollout;
    canary_error error = CANARY_ERROR_INIT;

    assert_int_equal(canary__state_open(traffic->policy, &evaluator->state, &error), CANARY_OK);
    canary__state_begin(&evaluator->state, rollout->generation, rollout->generation_at_ns, 0);
    if (kept->data != NULL) {
        assert_int_equal(canary__state_decode(&evaluator->state, traffic->policy, kept->data,
                                              kept->size, &error),
                         CANARY_OK);
        for (int i = 0; i < kept->count; i++) {
            if (kept->ticks[i].from_ns < evaluator->state.through_ns) {
                canary__state_recall(&evaluator->state, traffic->policy, &kept->ticks[i]);
            }
        }
    }
    evaluator->version = kept->version;
    evaluator->open = 1;
}

static void forget(struct evaluator *evaluator) {
    if (evaluator->open) {
        canary__state_close(&evaluator->state);
        evaluator->open = 0;
    }
}

/* From any tick on that is in, or is the first that is not: those that are in answer 0. */
static void evaluate(struct evaluator *evaluator, const struct kept *kept,
                     const struct traffic *traffic, uint64_t *chance) {
    int in = 0;

    while (in < kept->count && kept->ticks[in].from_ns < evaluator->state.through_ns) {
        in++;
    }
    for (int i = (int)(random_next(chance) % (uint64_t)(in + 1)); i < kept->count; i++) {
        assert_int_equal(
            canary__state_add(&evaluator->state, traffic->policy, &kept->ticks[i], STAGE), i >= in);
    }
}

/* Only over what was read. Whoever was late reads again. */
static void keep_state(struct evaluator *evaluator, struct kept *kept) {
    canary_error error = CANARY_ERROR_INIT;

    if (evaluator->version != kept->version) {
        forget(evaluator);
        return;
    }
    free(kept->data);
    assert_int_equal(canary__state_encode(&evaluator->state, &kept->data, &kept->size, &error),
                     CANARY_OK);
    evaluator->version = ++kept->version;
}

static void a_tick_counts_once(void **unused) {
    struct traffic *traffic = open_all();
    struct evaluator alone = { .open = 0 };
    struct evaluator evaluators[EVALUATORS] = { { .open = 0 }, { .open = 0 } };
    struct kept *kept = calloc(1, sizeof *kept);
    uint64_t chance = seed;
    uint8_t *data = NULL;
    size_t size = 0;
    int late = 0;

    (void)unused;
    assert_non_null(kept);
    traffic_set(traffic, STAGE, 0);
    take_over(&alone, kept, traffic);
    while (kept->count < TICKS) {
        struct evaluator *evaluator = &evaluators[random_next(&chance) % EVALUATORS];

        if (random_uniform(&chance) < 0.4) {
            drift(traffic, kept->count);
            keep_tick(kept, traffic);
            evaluate(&alone, kept, traffic, &chance);
        } else if (!evaluator->open) {
            take_over(evaluator, kept, traffic);
        } else if (random_uniform(&chance) < 0.6) {
            evaluate(evaluator, kept, traffic, &chance);
        } else if (random_uniform(&chance) < 0.9) {
            late += evaluator->version != kept->version;
            keep_state(evaluator, kept);
        } else {
            forget(evaluator); /* it is killed */
        }
    }
    assert_true(late > 20);
    for (int i = 0; i < EVALUATORS; i++) {
        forget(&evaluators[i]);
    }
    take_over(&evaluators[0], kept, traffic);
    evaluate(&evaluators[0], kept, traffic, &chance);
    keep_state(&evaluators[0], kept);
    assert_true(alone.state.ticks == TICKS);
    /* The design effect is known after half of them. */
    assert_true(alone.state.rules[0].proof->ticks > 0.3 * TICKS);
    assert_int_equal(canary__state_encode(&alone.state, &data, &size, NULL), CANARY_OK);
    assert_int_equal(size, kept->size);
    assert_memory_equal(data, kept->data, size);
    free(data);
    forget(&evaluators[0]);
    forget(&alone);
    for (int i = 0; i < kept->count; i++) {
        free(kept->metrics[i]);
        free(kept->buckets[i]);
    }
    free(kept->data);
    free(kept);
    traffic_close(traffic);
    free(traffic);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy_releases_are_left_alone),
        cmocka_unit_test(what_is_allowed_is_no_harm),
        cmocka_unit_test(harm_is_found),
        cmocka_unit_test(failures_of_a_kind_that_never_was_are_found),
        cmocka_unit_test(looks_change_nothing),
        cmocka_unit_test(nothing_fires_by_silence),
        cmocka_unit_test(evidence_needs_no_rule_about_failures),
        cmocka_unit_test(a_tick_counts_once),
    };

    seed = traffic_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
