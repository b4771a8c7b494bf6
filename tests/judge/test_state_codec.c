/* SPDX-License-Identifier: MIT */
/* What is stored of evidence: it comes back as it was, any process goes on with it as if it had been there
 * from the beginning, and what is damaged changes nothing. */
#include "ticks.h"

#define RULES                                                                                      \
    "{\"name\": \"harm\", \"metric\": \"error\", \"against\": \"old\", \"above\": 1.5,"            \
    " \"action\": \"rollback\"},"                                                                  \
    "{\"name\": \"safe\", \"metric\": \"error\", \"against\": \"old\", \"below\": 1.3,"            \
    " \"action\": \"require\"},"                                                                   \
    "{\"name\": \"limit\", \"metric\": \"hit\", \"statistic\": \"rate\", \"below\": \"80%\","      \
    " \"proof\": \"evidence\", \"action\": \"rollback\", \"stages\": [1, 2]},"                     \
    "{\"name\": \"slow\", \"metric\": \"duration\", \"statistic\": \"p95\", \"against\": \"old\"," \
    " \"above\": 1.3, \"action\": \"rollback\"},"                                                  \
    "{\"name\": \"f1\", \"metric\": \"answers\", \"statistic\": \"f1\", \"against\": \"old\","     \
    " \"below\": 0.9, \"action\": \"hold\"},"                                                      \
    "{\"name\": \"cost\", \"metric\": \"cost\", \"statistic\": \"mean\", \"against\": \"old\","    \
    " \"above\": 1.2, \"action\": \"rollback\"},"                                                  \
    "{\"name\": \"errors\", \"metric\": \"error\", \"above\": \"4%\", \"window\": \"2m\","         \
    " \"for\": \"3m\", \"action\": \"rollback\", \"min_samples\": 200},"                           \
    "{\"name\": \"p95\", \"metric\": \"duration\", \"statistic\": \"p95\", \"above\": \"150ms\","  \
    " \"window\": \"5m\", \"for\": \"1m\", \"action\": \"hold\"},"                                 \
    "{\"name\": \"burn\", \"metric\": \"error\", \"statistic\": \"burn\", \"objective\": 0.98,"    \
    " \"above\": 1.6, \"window\": \"90m\", \"short_window\": \"5m\", \"action\": \"hold\"},"       \
    "{\"name\": \"dear\", \"metric\": \"cost\", \"statistic\": \"mean\", \"against\": \"old\","    \
    " \"proof\": \"point\", \"above\": 1.0, \"window\": \"10m\", \"action\": \"warn\"},"           \
    "{\"name\": \"base\", \"metric\": \"error\", \"against\": \"baseline\", \"above\": 1.5,"       \
    " \"window\": \"1m\", \"min_samples\": 50, \"action\": \"hold\"},"                             \
    "{\"name\": \"ok\", \"metric\": \"error\", \"below\": \"5%\", \"window\": \"2m\","             \
    " \"min_samples\": 50, \"action\": \"require\"},"                                              \
    "{\"name\": \"harm2\", \"metric\": \"error\", \"against\": \"old\", \"above\": 1.5,"           \
    " \"action\": \"warn\"}"
#define MEASURED "\"design_effect\": \"measured\","

static double count(uint64_t *seed, double n, double p) {
    double k = 0;

    for (int i = 0; i < (int)n; i++) {
        k += random_uniform(seed) < p;
    }
    return k;
}

static double of(uint64_t *seed, double most) {
    return floor(random_uniform(seed) * most);
}

/* Tick `i` of a history is always the same: now worse, now better, now nothing, now nonsense. */
static void fill(struct world *world, uint64_t history, int i) {
    uint64_t seed = history + (uint64_t)i * 7919;
    double worse = 1 + (i / 60 % 3);
    double n_new = of(&seed, 60);
    double n_old = of(&seed, 300);

    world_empty(world);
    world->tick.from_ns = NOON + i * CANARY_TICK_NS;
    world->tick.to_ns = world->tick.from_ns + CANARY_TICK_NS;
    world->tick.generation = random_next(&seed) % 20 == 0 ? GENERATION - 1 : GENERATION;
    if (random_next(&seed) % 10 != 0) {
        world_share(world, "error", n_new, count(&seed, n_new, 0.02 * worse), n_old,
                    count(&seed, n_old, 0.02));
        for (int half = 0; half < 2; half++) {
            double n = floor(n_old / 2);

            world_metric(world, "error")->half[half] =
                (struct canary__judge_share){ n, count(&seed, n, half == 0 ? 0.05 : 0.15) };
        }
    }
    world_share(world, "hit", n_new, count(&seed, n_new, 0.8), n_old, count(&seed, n_old, 0.8));
    for (int n = 0; n < 60; n++) {
        int64_t ns = 100000000 + (int64_t)(random_next(&seed) % 70000000);

        world_durations(world, "duration", n % 4 == 0 ? CANARY_NEW : CANARY_OLD, 1 + n % 3, ns);
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        struct canary__tick_metric *answers = world_metric(world, "answers");

        world_values(world, "cost", cohort, 1 + of(&seed, 30), 3 + random_uniform(&seed));
        answers->kind = CANARY_METRIC_CLASSIFICATION;
        answers->side[cohort].tp = of(&seed, 40);
        answers->side[cohort].fp = of(&seed, 8);
        answers->side[cohort].fn = of(&seed, 8);
    }
    if (random_next(&seed) % 15 == 0) {
        world_metric(world, "error")->side[random_next(&seed) % 2].k = NAN;
        world_metric(world, "cost")->side[random_next(&seed) % 2].squares = INFINITY;
        world_metric(world, "answers")->side[random_next(&seed) % 2].fn = -1;
    }
}

static int is_missing(uint64_t history, int i) {
    uint64_t seed = history ^ (uint64_t)i * 104729;

    return random_next(&seed) % 37 == 0;
}

static void live(struct world *world, uint64_t history, int i) {
    if (!is_missing(history, i)) {
        fill(world, history, i);
        world_add(world);
    } else if (i % 2 == 0) {
        canary__state_pass(&world->state, world->policy, NOON + (i + 1) * CANARY_TICK_NS + SECOND,
                           STAGE);
    }
}

/* Field by field: what is written of both alike may still be wrong. */
static void are_same(const struct canary__state *a, const struct canary__state *b) {
    assert_true(a->generation == b->generation && a->generation_at_ns == b->generation_at_ns);
    assert_true(a->through_ns == b->through_ns && a->traffic_ns == b->traffic_ns);
    assert_true(a->planned_ticks == b->planned_ticks && a->ticks == b->ticks);
    assert_true(a->halves_ns == b->halves_ns && a->halves_generation == b->halves_generation);
    assert_int_equal(a->rule_count, b->rule_count);
    assert_int_equal(a->split_count, b->split_count);
    assert_int_equal(a->recent_count, b->recent_count);
    assert_string_equal(a->digest, b->digest);
    for (uint32_t i = 0; i < a->rule_count; i++) {
        const struct canary__rule_state *rules[2] = { &a->rules[i], &b->rules[i] };

        assert_memory_equal(&rules[0]->question, &rules[1]->question, sizeof rules[0]->question);
        assert_int_equal(rules[0]->state, rules[1]->state);
        assert_true(rules[0]->since_ns == rules[1]->since_ns);
        assert_true(rules[0]->unknown_ns == rules[1]->unknown_ns);
        assert_int_equal(rules[0]->proof != NULL, rules[1]->proof != NULL);
        if (rules[0]->proof != NULL) {
            assert_memory_equal(rules[0]->proof, rules[1]->proof,
                                offsetof(struct canary__proof, ends));
            assert_memory_equal(&rules[0]->proof->ends.low, &rules[1]->proof->ends.low,
                                2 * sizeof(double));
        }
    }
    assert_memory_equal(a->splits, b->splits, a->split_count * sizeof a->splits[0]);
    assert_memory_equal(a->recents, b->recents, a->recent_count * sizeof a->recents[0]);
}

/* Another process takes over after tick `i`. */
static void take_over(struct world *world, uint64_t history, int i) {
    struct canary__state fresh;
    uint8_t *data;
    uint8_t *again;
    size_t size;
    size_t size_again;
    canary_error error = CANARY_ERROR_INIT;

    assert_int_equal(canary__state_encode(&world->state, &data, &size, &error), CANARY_OK);
    assert_int_equal(canary__state_open(world->policy, &fresh, &error), CANARY_OK);
    if (canary__state_decode(&fresh, world->policy, data, size, &error) != CANARY_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(canary__state_encode(&fresh, &again, &size_again, &error), CANARY_OK);
    assert_int_equal(size, size_again);
    assert_memory_equal(data, again, size);
    free(data);
    free(again);
    are_same(&world->state, &fresh);
    canary__state_close(&world->state);
    world->state = fresh;
    canary__state_baseline(&world->state, 10, 0.02);
    for (int before = 0; before <= i; before++) {
        if (!is_missing(history, before)) {
            fill(world, history, before);
            canary__state_recall(&world->state, world->policy, &world->tick);
        }
    }
}

static void any_process_goes_on_with_it(void **unused) {
    enum { TICKS = 700, RUNS = 4 };
    uint64_t history = random_seed();
    uint64_t cuts = history + 1;

    (void)unused;
    for (int run = 0; run < RUNS; run++, history++) {
        static struct world one;
        static struct world many;
        uint8_t *data[2];
        size_t size[2];
        int states = 0;

        world_open(&one, MEASURED, RULES);
        world_open(&many, MEASURED, RULES);
        canary__state_baseline(&one.state, 10, 0.02);
        canary__state_baseline(&many.state, 10, 0.02);
        for (int i = 0; i < TICKS; i++) {
            live(&one, history, i);
            live(&many, history, i);
            if (random_next(&cuts) % (run == 0 ? 10 : 40) == 0) {
                take_over(&many, history, i);
            }
            for (uint32_t rule = 0; rule < one.policy->rule_count; rule++) {
                canary_rule_result results[2];

                canary__state_result(&one.state, one.policy, rule, &results[0]);
                canary__state_result(&many.state, many.policy, rule, &results[1]);
                if (memcmp(&results[0], &results[1], sizeof results[0]) != 0) {
                    fail_msg("tick %d, rule %s: %d %.17g and %d %.17g", i, results[0].name,
                             results[0].state, results[0].value, results[1].state,
                             results[1].value);
                }
                states |= 1 << results[0].state;
            }
        }
        /* It was not too quiet to tell. */
        assert_int_equal(states, 0x7e);
        assert_int_equal(canary__state_encode(&one.state, &data[0], &size[0], NULL), CANARY_OK);
        assert_int_equal(canary__state_encode(&many.state, &data[1], &size[1], NULL), CANARY_OK);
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(data[0], data[1], size[0]);
        are_same(&one.state, &many.state);
        free(data[0]);
        free(data[1]);
        world_close(&one);
        world_close(&many);
    }
}

/* -- damage -- */

static void lived(struct world *world, int ticks) {
    world_open(world, MEASURED, RULES);
    for (int i = 0; i < ticks; i++) {
        live(world, 1, i);
    }
}

static void what_is_damaged_changes_nothing(void **unused) {
    static struct world world;
    static struct world other;
    uint8_t *data;
    uint8_t *before;
    uint8_t *after;
    size_t size;
    size_t sizes[2];
    canary_error error = CANARY_ERROR_INIT;

    (void)unused;
    lived(&world, 300);
    lived(&other, 20);
    assert_int_equal(canary__state_encode(&world.state, &data, &size, &error), CANARY_OK);
    assert_int_equal(canary__state_encode(&other.state, &before, &sizes[0], &error), CANARY_OK);
    for (size_t at = 0; at < size; at += at < 300 || at > size - 300 ? 1 : 7) {
        uint8_t was = data[at];
        int code;

        data[at] = (uint8_t)(was ^ (1u << at % 8));
        code = canary__state_decode(&other.state, other.policy, data, size, &error);
        assert_int_equal(code, CANARY_E_CORRUPT);
        assert_true(strlen(error.message) > 0);
        data[at] = was;
    }
    for (size_t shorter = 0; shorter < size; shorter += shorter < 300 ? 1 : 97) {
        assert_int_equal(canary__state_decode(&other.state, other.policy, data, shorter, &error),
                         CANARY_E_CORRUPT);
    }
    assert_int_equal(canary__state_encode(&other.state, &after, &sizes[1], &error), CANARY_OK);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(before, after, sizes[0]);
    /* The bytes as they are, to be sure that it was not for something else. */
    assert_int_equal(canary__state_decode(&other.state, other.policy, data, size, &error),
                     CANARY_OK);
    free(data);
    free(before);
    free(after);
    world_close(&world);
    world_close(&other);
}

void canary__stored_seal(const uint8_t *data, size_t size, uint8_t seal[8]);

static void a_newer_one_is_told_from_a_damaged_one(void **unused) {
    static struct world world;
    uint8_t *data;
    size_t size;
    canary_error error = CANARY_ERROR_INIT;

    (void)unused;
    lived(&world, 3);
    assert_int_equal(canary__state_encode(&world.state, &data, &size, &error), CANARY_OK);
    data[0] = 2;
    canary__stored_seal(data, size - 8, data + size - 8);
    assert_int_equal(canary__state_decode(&world.state, world.policy, data, size, &error),
                     CANARY_E_NEWER);
    assert_non_null(strstr(error.message, "version 2"));
    free(data);
    world_close(&world);
}

/* -- another policy -- */

static void move_to(struct world *from, struct world *to) {
    uint8_t *data;
    size_t size;

    assert_int_equal(canary__state_encode(&from->state, &data, &size, NULL), CANARY_OK);
    assert_int_equal(canary__state_decode(&to->state, to->policy, data, size, NULL), CANARY_OK);
    free(data);
}

#define RATIO(name, above, more)                                                                   \
    "{\"name\": \"" name "\", \"metric\": \"error\", \"against\": \"old\", \"above\": " above more \
    "}"

static void evidence_goes_by_its_question(void **unused) {
    static struct world world;
    static struct world next;
    canary_rule_result before;
    canary_rule_result result;

    (void)unused;
    world_open(&world, "",
               RATIO("a", "1.5", ", \"action\": \"warn\"") "," RATIO("b", "2",
                                                                     ", \"action\": \"rollback\""));
    world_share_ticks(&world, 10, "error", 50, 2, 950, 9);
    before = world_result(&world);
    assert_int_equal(before.state, CANARY_STATE_FIRING);
    /* Another name, action and place; the first question is as it was, the second is another one. */
    world_open(&next, "",
               RATIO("other", "3", ", \"action\": \"rollback\", \"alpha\": 0.01") "," RATIO(
                   "same", "1.5", ", \"action\": \"rollback\", \"alpha\": 0.001"));
    move_to(&world, &next);
    assert_true(next.state.generation == GENERATION);
    assert_true(next.state.through_ns == world.state.through_ns);
    result = world_result(&next);
    assert_true(result.n_new == 0 && isnan(result.ln_w));
    assert_int_equal(result.state, CANARY_STATE_UNKNOWN);
    canary__state_result(&next.state, next.policy, 1, &result);
    assert_true(result.n_new == 500 && result.ln_w == before.ln_w);
    /* What it says is by its own share of alpha, at once. */
    assert_true(result.p > 0.001 && result.p < 0.05);
    assert_int_equal(result.state, CANARY_STATE_CLEAR);
    world_close(&next);
    world_close(&world);
}

static void pending_goes_by_the_new_time(void **unused) {
    static const char *const rules[] = {
        "{\"name\": \"e\", \"metric\": \"error\", \"above\": \"2%\", \"window\": \"1m\", \"for\": "
        "\"10m\", \"min_samples\": 10, \"action\": \"rollback\"}",
        "{\"name\": \"e\", \"metric\": \"error\", \"above\": \"2%\", \"window\": \"1m\", \"for\": "
        "\"1m\", \"min_samples\": 10, \"action\": \"rollback\"}",
        "{\"name\": \"e\", \"metric\": \"error\", \"above\": \"2%\", \"window\": \"2m\", \"for\": "
        "\"1m\", \"min_samples\": 10, \"action\": \"rollback\"}",
    };
    static const int states[] = { CANARY_STATE_PENDING, CANARY_STATE_FIRING, CANARY_STATE_UNKNOWN };
    static struct world world;
    static struct world next;

    (void)unused;
    world_open(&world, "", rules[0]);
    world_share_ticks(&world, 20, "error", 50, 5, 950, 9);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    for (int i = 0; i < 3; i++) {
        world_open(&next, "", rules[i]);
        move_to(&world, &next);
        assert_int_equal(world_says(&next), states[i]);
        world_close(&next);
    }
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_process_goes_on_with_it),
        cmocka_unit_test(what_is_damaged_changes_nothing),
        cmocka_unit_test(a_newer_one_is_told_from_a_damaged_one),
        cmocka_unit_test(evidence_goes_by_its_question),
        cmocka_unit_test(pending_goes_by_the_new_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
