/* SPDX-License-Identifier: MIT */
/* What ticks prove: rules of proof EVIDENCE, from a policy's text to what each rule says. */
#include "ticks.h"

#define SAFE                                                                                       \
    "{\"name\": \"safe\", \"metric\": \"error\", \"against\": \"old\", \"below\": 1.5,"            \
    " \"action\": \"require\", \"min_samples\": 100}"

/* -- published -- */

static void published_values_come_out(void **unused) {
    static const char rule[] =
        "{\"name\": \"worse\", \"metric\": \"error\", \"against\": \"old\", \"above\": 1,"
        " \"proof\": \"evidence\", \"action\": \"require\"}";
    struct world world;

    (void)unused;
    world_open(&world, "", rule);
    assert_true(world.state.planned_ticks == 8640);
    world_share_ticks(&world, 1, "error", 50, 2, 950, 5);
    assert_near(world_ln_e(&world), 1.113573315268, 5e-13);
    assert_near(world_ln_w(&world), 0.420541868751, 5e-13);
    assert_near(world_result(&world).ln_w, 1.113573315268, 5e-13);
    world_share_ticks(&world, 1, "error", 250, 6, 750, 10);
    assert_near(world_ln_e(&world), 0.869612589211, 5e-13);
    assert_near(world_ln_m(&world), 1.233734207194, 5e-13);
    assert_near(world_ln_w(&world), 0.176631974552, 5e-13);
    assert_near(world.state.rules[0].proof->highest_ln_w, 0.420541868751, 5e-13);
    world_close(&world);

    world_open(&world, "", rule);
    world_share_ticks(&world, 1, "error", 5000, 5, 95000, 0);
    assert_near(world_ln_e(&world), 10.812782361222, 5e-13);
    world_close(&world);
}

/* -- against the old cohort -- */

static void harm_is_proven_once_and_stays_so(void **unused) {
    struct world world;
    canary_rule_result result;

    (void)unused;
    world_open(&world, "", HARM);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    world_share_ticks(&world, 1, "error", 50, 0, 950, 9);
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    result = world_result(&world);
    assert_true(result.since_ns == 0);
    for (int i = 0; i < 500 && world_says(&world) == CANARY_STATE_CLEAR; i++) {
        world_share_ticks(&world, 1, "error", 50, 3, 950, 9);
    }
    result = world_result(&world);
    assert_int_equal(result.state, CANARY_STATE_FIRING);
    assert_true(result.since_ns == world.tick.from_ns);
    assert_true(result.ln_w >= log(1 / 0.05));
    assert_true(result.p <= 0.05 && result.p > 0);
    assert_true(result.low > 1.1 && result.low < result.ratio && result.ratio < result.high);
    assert_true(result.classical_p < 0.05);
    assert_true(result.value == result.k_new / result.n_new);
    assert_true(result.reference == result.k_old / result.n_old);
    assert_true(result.design_effect == 1 && result.alpha == 0.05 && result.least == 1);
    /* Later luck does not unprove it. */
    world_share_ticks(&world, 2000, "error", 50, 0, 950, 9);
    assert_true(world_ln_w(&world) < log(1 / 0.05));
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    assert_true(world_result(&world).p == result.p);
    assert_true(world_result(&world).since_ns == result.since_ns);
    world_close(&world);
}

static void no_harm_is_found_where_there_is_none(void **unused) {
    struct world world;
    uint64_t seed = 3; /* one in some tens may find some: that is what alpha says */

    (void)unused;
    world_open(&world, "", HARM);
    for (int i = 0; i < 3000; i++) {
        double k_new = 0;
        double k_old = 0;

        for (int n = 0; n < 50; n++) {
            k_new += random_uniform(&seed) < 0.01;
        }
        for (int n = 0; n < 950; n++) {
            k_old += random_uniform(&seed) < 0.01;
        }
        world_share(&world, "error", 50, k_new, 950, k_old);
        world_add(&world);
    }
    assert_true(world_result(&world).ln_w < log(1 / 0.05));
    world_close(&world);
}

/* An advance asks whether there is no such harm, not whether there was none lately. */
static void an_advance_is_not_shown_by_the_last_hour(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "", SAFE);
    world_share_ticks(&world, 1, "error", 50, 0, 950, 9);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN); /* 50 of 100 outcomes */
    assert_true(world_result(&world).least == 100);
    world_share_ticks(&world, 100, "error", 50, 3, 950, 9);
    assert_int_equal(world_says(&world), CANARY_STATE_UNMET);
    world_share_ticks(&world, 150, "error", 50, 0, 950, 9);
    /* By W it would be shown, by E it is not. */
    assert_true(world_ln_w(&world) >= log(1 / 0.05));
    assert_true(world_ln_e(&world) < log(1 / 0.05));
    assert_int_equal(world_says(&world), CANARY_STATE_UNMET);
    assert_true(world_result(&world).ln_w == world_ln_e(&world));
    world_share_ticks(&world, 1000, "error", 50, 0, 950, 9);
    assert_int_equal(world_says(&world), CANARY_STATE_MET);
    assert_true(world_result(&world).since_ns != 0);
    /* And what is no longer so is not met. */
    world_share_ticks(&world, 1000, "error", 50, 2, 950, 9);
    assert_int_equal(world_says(&world), CANARY_STATE_UNMET);
    assert_true(world_result(&world).since_ns == 0);
    world_close(&world);
}

static void limits_are_proven_of_their_cohort(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "",
               "{\"name\": \"limit\", \"metric\": \"error\", \"above\": \"1%\", \"proof\":"
               " \"evidence\", \"action\": \"rollback\"},"
               "{\"name\": \"under\", \"metric\": \"error\", \"below\": \"1%\", \"proof\":"
               " \"evidence\", \"action\": \"require\", \"cohort\": \"old\"}");
    /* 5 of the new cohort, whose 1 the first rule needs; of the old one 100 must be there. */
    world_share_ticks(&world, 1, "error", 5, 0, 90, 0);
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    assert_int_equal(world.state.rules[1].state, CANARY_STATE_UNKNOWN);
    world_share_ticks(&world, 1, "error", 5, 0, 10, 0);
    assert_int_equal(world.state.rules[1].state, CANARY_STATE_UNMET);
    world_share_ticks(&world, 20, "error", 100, 3, 5000, 20);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    assert_true(isnan(world_result(&world).reference) && isnan(world_result(&world).low));
    assert_int_equal(world.state.rules[1].state, CANARY_STATE_MET);
    world_close(&world);
}

/* -- the design effect -- */

static void evidence_waits_for_the_design_effect(void **unused) {
    struct world world;
    double expected;
    struct canary__judge_step step;
    const struct canary__judge_tick tick = { .fresh = { 50, 3 }, .old = { 950, 9 } };

    (void)unused;
    world_open(&world, "\"design_effect\": \"measured\",", HARM);
    for (int i = 0; i < 200; i++) {
        /* (k_a - m/2)^2 / (m/4): 16/(10/4) = 6.4 and 0 by turns, 3.2 in the mean. */
        world_share(&world, "error", 50, 3, 950, 10);
        world_halves(&world, 475, i % 2 ? 9 : 5, i % 2 ? 1 : 5);
        assert_int_equal(world_add(&world), 1);
        assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
        assert_true(world_ln_e(&world) == 0);
    }
    assert_near(world_result(&world).design_effect, 3.2, 1e-12);
    world_share(&world, "error", 50, 3, 950, 9);
    world_halves(&world, 475, 300, 5); /* of this tick nothing is known in it */
    world_add(&world);
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    canary__judge_step_above(&tick, 1.1, world.state.splits[0].split.squares > 0 ? 3.2 : 1, &step);
    expected = canary__judge_log_mean(step.by, CANARY__JUDGE_ALTERNATIVES);
    assert_near(world_ln_e(&world), expected, 1e-12);
    assert_true(world_result(&world).design_effect > 4);
    assert_true(world.state.rules[0].proof->totals.n_new == 50 * 201);
    assert_true(world.state.rules[0].proof->ticks == 1);
    world_close(&world);
}

static void halves_of_any_generation_count_once(void **unused) {
    struct world world;
    uint8_t *before;
    uint8_t *after;
    size_t sizes[2];

    (void)unused;
    world_open(&world, "\"design_effect\": \"measured\",", HARM);
    world.tick.generation = GENERATION - 1;
    world_share(&world, "error", 50, 3, 950, 10);
    world_halves(&world, 475, 5, 5);
    assert_int_equal(world_add(&world), 0);
    assert_true(world.state.splits[0].split.ticks == 1);
    assert_true(world.state.through_ns == 0);
    assert_true(world.state.rules[0].proof->totals.n_new == 0);
    /* The same 10 seconds, of the next generation. */
    world.tick.from_ns -= CANARY_TICK_NS;
    world.tick.generation = GENERATION;
    world_share(&world, "error", 50, 3, 950, 10);
    world_halves(&world, 475, 5, 5);
    assert_int_equal(world_add(&world), 1);
    assert_true(world.state.splits[0].split.ticks == 2);
    /* Either of them again. */
    assert_int_equal(canary__state_encode(&world.state, &before, &sizes[0], NULL), 0);
    for (int i = 0; i < 2; i++) {
        world.tick.from_ns = NOON;
        world.tick.generation = (uint64_t)(GENERATION - i);
        world_share(&world, "error", 50, 3, 950, 10);
        world_halves(&world, 475, 5, 5);
        assert_int_equal(world_add(&world), 0);
    }
    assert_int_equal(canary__state_encode(&world.state, &after, &sizes[1], NULL), 0);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(before, after, sizes[0]);
    free(before);
    free(after);
    world_close(&world);
}

static void impossible_halves_poison_nothing(void **unused) {
    static const double bad[][3] = {
        { NAN, 1, 1 }, { 475, NAN, 1 }, { 475, 476, 1 }, { 475, 1, -1 }, { INFINITY, 1, 1 }
    };
    struct world world;

    (void)unused;
    world_open(&world, "\"design_effect\": \"measured\",", HARM);
    for (int i = 0; i < 205; i++) {
        world_share(&world, "error", 50, 3, 950, 10);
        if (i < 5) {
            world_halves(&world, bad[i][0], bad[i][1], bad[i][2]);
        } else {
            world_halves(&world, 475, i % 2 ? 9 : 5, i % 2 ? 1 : 5);
        }
        world_add(&world);
        assert_true(world.state.splits[0].ticks == (i < 5 ? 0 : i - 4));
    }
    assert_near(world_result(&world).design_effect, 3.2, 1e-12);
    world_close(&world);
}

/* A clock was an hour ahead; whoever notices begins anew, and does not wait for an hour. */
static void halves_go_on_when_time_is_taken_back(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "", HARM);
    world.tick.from_ns += HOUR;
    world_share(&world, "error", 50, 3, 950, 10);
    world_halves(&world, 475, 5, 5);
    world_add(&world);
    world.state.through_ns = 0;
    canary__state_begin(&world.state, GENERATION + 1, NOON, 0);
    world.tick.from_ns = NOON;
    world.tick.generation = GENERATION + 1;
    world_share(&world, "error", 50, 3, 950, 10);
    world_halves(&world, 475, 5, 5);
    assert_int_equal(world_add(&world), 1);
    assert_true(world.state.splits[0].split.ticks == 2);
    world_close(&world);
}

static void halves_that_differ_are_told(void **unused) {
    struct world world;
    char metric[64];

    (void)unused;
    world_open(&world, "", HARM);
    for (int i = 0; i < 400; i++) {
        world_share(&world, "error", 50, 1, 950, 12);
        world_halves(&world, 475, 6, 6);
        world_add(&world);
    }
    assert_int_equal(canary__state_self_test(&world.state, metric), 0);
    for (int i = 0; i < 400; i++) {
        world_share(&world, "error", 50, 1, 950, 12);
        world_halves(&world, 475, 9, 3);
        world_add(&world);
    }
    assert_int_equal(canary__state_self_test(&world.state, metric), 1);
    assert_string_equal(metric, "error");
    /* Also in the next generation, as it still stands. */
    canary__state_begin(&world.state, GENERATION + 1, world.tick.from_ns, 0);
    assert_int_equal(canary__state_self_test(&world.state, metric), 1);
    world_close(&world);
}

/* -- what cannot be -- */

static void impossible_ticks_poison_nothing(void **unused) {
    static const double bad[][4] = { { 50, 51, 950, 9 },  { NAN, 1, 950, 9 },
                                     { 50, NAN, 950, 9 }, { -50, 1, 950, 9 },
                                     { 50, -1, 950, 9 },  { INFINITY, 1, 950, 9 },
                                     { 50, 1, 950, NAN }, { 50, 1, 0x1p60, 9 } };
    struct world world;
    struct world good;

    (void)unused;
    world_open(&world, "", HARM "," SAFE);
    world_open(&good, "", HARM "," SAFE);
    world_share_ticks(&world, 100, "error", 50, 1, 950, 19);
    world_share_ticks(&good, 100, "error", 50, 1, 950, 19);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        world_share_ticks(&world, 1, "error", bad[i][0], bad[i][1], bad[i][2], bad[i][3]);
        assert_int_equal(world.state.rules[0].state, CANARY_STATE_UNKNOWN);
        assert_int_equal(world.state.rules[1].state, CANARY_STATE_UNKNOWN);
        /* The next good one makes good. */
        world_share_ticks(&world, 1, "error", 50, 1, 950, 19);
        world_share_ticks(&good, 1, "error", 50, 1, 950, 19);
        assert_int_equal(world.state.rules[0].state, CANARY_STATE_CLEAR);
    }
    assert_memory_equal(world.state.rules[0].proof, good.state.rules[0].proof,
                        offsetof(struct canary__proof, ends));
    /* A kind that the rule does not fit. */
    world_share(&world, "error", 50, 1, 950, 19);
    world_metric(&world, "error")->kind = CANARY_METRIC_SCORE;
    world_add(&world);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    world_close(&world);
    world_close(&good);
}

static void an_empty_cohort_proves_nothing(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "", HARM);
    world_share_ticks(&world, 100, "error", 0, 0, 950, 9);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    assert_true(world.state.traffic_ns == 0);
    world_close(&world);
    world_open(&world, "", HARM);
    world_share_ticks(&world, 100, "error", 950, 500, 0, 0);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    assert_true(world.state.traffic_ns == world.tick.from_ns);
    assert_true(world_ln_e(&world) == 0);
    world_close(&world);
}

/* -- generations and stages -- */

static void a_generation_begins_from_nothing(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "", HARM);
    world_share_ticks(&world, 100, "error", 50, 5, 950, 9);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    assert_true(canary__state_highest(&world.state, world.policy) == -INFINITY);
    canary__state_begin(&world.state, GENERATION + 1, world.tick.from_ns, 24 * HOUR);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    assert_true(world_result(&world).n_new == 0 && isnan(world_result(&world).ln_w));
    assert_true(world.state.planned_ticks == 8640 && world.state.ticks == 0);
    /* Figures of the one before are not its. */
    world_share(&world, "error", 50, 5, 950, 9);
    assert_int_equal(world_add(&world), 0);
    assert_true(world_result(&world).n_new == 0);
    canary__state_begin(&world.state, GENERATION + 2, world.tick.from_ns, 5 * MINUTE);
    assert_true(world.state.planned_ticks == 360);
    canary__state_begin(&world.state, GENERATION + 2, world.tick.from_ns, 7 * 24 * HOUR);
    assert_true(world.state.planned_ticks == 60480);
    canary__state_begin(&world.state, GENERATION + 2, world.tick.from_ns, -1);
    assert_true(world.state.planned_ticks == 8640);
    world_close(&world);
}

static void late_changes_are_looked_for_in_the_planned_time(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "", HARM);
    canary__state_begin(&world.state, GENERATION, NOON, HOUR);
    world_share_ticks(&world, 360, "error", 50, 0, 950, 0);
    /* Ticks without bad events: each is a possible beginning, and all are alike. */
    assert_near(world_ln_m(&world), log(360), 1e-9);
    world_share_ticks(&world, 500, "error", 50, 0, 950, 0);
    assert_near(world_ln_m(&world), log(360), 1e-9);
    world_close(&world);
}

static void the_highest_is_what_is_not_proven_yet(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "", HARM);
    assert_true(canary__state_highest(&world.state, world.policy) == -INFINITY);
    world_share_ticks(&world, 1, "error", 50, 3, 950, 9);
    assert_true(canary__state_highest(&world.state, world.policy) == world_ln_w(&world));
    world_close(&world);
    world_open(&world, "", SAFE);
    world_share_ticks(&world, 1, "error", 50, 0, 950, 9);
    assert_true(canary__state_highest(&world.state, world.policy) == -INFINITY);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values_come_out),
        cmocka_unit_test(harm_is_proven_once_and_stays_so),
        cmocka_unit_test(no_harm_is_found_where_there_is_none),
        cmocka_unit_test(an_advance_is_not_shown_by_the_last_hour),
        cmocka_unit_test(limits_are_proven_of_their_cohort),
        cmocka_unit_test(evidence_waits_for_the_design_effect),
        cmocka_unit_test(halves_of_any_generation_count_once),
        cmocka_unit_test(impossible_halves_poison_nothing),
        cmocka_unit_test(halves_go_on_when_time_is_taken_back),
        cmocka_unit_test(halves_that_differ_are_told),
        cmocka_unit_test(impossible_ticks_poison_nothing),
        cmocka_unit_test(an_empty_cohort_proves_nothing),
        cmocka_unit_test(a_generation_begins_from_nothing),
        cmocka_unit_test(late_changes_are_looked_for_in_the_planned_time),
        cmocka_unit_test(the_highest_is_what_is_not_proven_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
