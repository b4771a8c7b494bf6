/* SPDX-License-Identifier: MIT */
/* Rules of proof POINT: windows, how long something holds, and what is not known. */
#include "ticks.h"

/* Three consecutive minutes of more than 2 %, each of at least 100 outcomes. */
#define ERRORS                                                                                     \
    "{\"name\": \"errors\", \"metric\": \"error\", \"above\": \"2%\", \"window\": \"1m\","         \
    " \"for\": \"3m\", \"min_samples\": 100, \"action\": \"rollback\"}"

static int64_t since(const struct world *world) {
    return world_result(world).since_ns;
}

static void five_consecutive_minutes(void **unused) {
    struct world world;
    canary_rule_result result;

    (void)unused;
    world_open(&world, "", ERRORS);
    /* 30 outcomes a tick: the fourth tick has 100 in its window. */
    world_share_ticks(&world, 3, "error", 30, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    assert_true(world_result(&world).n_new == 90 && world_result(&world).least == 100);
    world_share_ticks(&world, 1, "error", 30, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    assert_true(since(&world) == NOON + 40 * SECOND);
    world_share_ticks(&world, 17, "error", 30, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    world_share_ticks(&world, 1, "error", 30, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    assert_true(since(&world) == NOON + 40 * SECOND);
    result = world_result(&world);
    assert_near(result.value, 1.0 / 30, 1e-12);
    assert_true(result.n_new == 180 && result.k_new == 6 && result.threshold == 0.02);
    assert_true(result.window_ns == MINUTE && result.for_ns == 3 * MINUTE);
    assert_true(isnan(result.ln_w) && isnan(result.p) && isnan(result.alpha));
    assert_true(isnan(result.low) && isnan(result.reference) && isnan(result.classical_p));
    /* One good tick is not enough, three of six are. */
    world_share_ticks(&world, 1, "error", 30, 0, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    world_share_ticks(&world, 2, "error", 30, 0, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    assert_true(since(&world) == 0);
    world_close(&world);
}

/* One tick below the threshold, and the time begins anew. */
static void for_means_at_every_tick(void **unused) {
    struct world world;

    (void)unused;
    world_open(
        &world, "",
        "{\"name\": \"errors\", \"metric\": \"error\", \"above\": \"2%\", \"window\": \"1m\","
        " \"for\": \"1m\", \"min_samples\": 10, \"action\": \"hold\"}");
    world_share_ticks(&world, 6, "error", 30, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    world_share_ticks(&world, 1, "error", 1000, 0, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    world_share_ticks(&world, 6, "error", 1000, 100, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    world_share_ticks(&world, 1, "error", 1000, 100, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    world_close(&world);
}

static void unknown_neither_clears_nor_extends_for_long(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "", ERRORS);
    world_share_ticks(&world, 10, "error", 30, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    /* Ten outcomes a tick: after three of them the window has 30 + 30 + 30 + 3 * 10, then too few. */
    world_share_ticks(&world, 3, "error", 10, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    assert_true(world.state.rules[0].unknown_ns == 0);
    world_share_ticks(&world, 6, "error", 10, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    assert_true(world.state.rules[0].unknown_ns != 0);
    /* Known again within the window: its time goes on. */
    world_share_ticks(&world, 1, "error", 100, 5, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    assert_true(since(&world) == NOON + 40 * SECOND);
    world_share_ticks(&world, 2, "error", 30, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    /* Unknown does not end what fires, for as long as the window. */
    world_share_ticks(&world, 6, "error", 0, 0, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    for (int i = 0; i < 4; i++) {
        world_share_ticks(&world, 1, "error", 0, 0, 900, 1);
    }
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    assert_true(since(&world) == 0);
    world_close(&world);
}

static void an_unknown_tick_does_not_fire(void **unused) {
    struct world world;

    (void)unused;
    world_open(
        &world, "",
        "{\"name\": \"errors\", \"metric\": \"error\", \"above\": \"2%\", \"window\": \"5m\","
        " \"for\": \"1m\", \"min_samples\": 10, \"action\": \"rollback\"}");
    world_share_ticks(&world, 4, "error", 30, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    world_share_ticks(&world, 10, "error", 30, 31, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
    world_share_ticks(&world, 1, "error", 30, 1, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    assert_true(world_result(&world).n_new == 150);
    world_close(&world);
}

/* Ticks without figures are usual where there is little traffic; silence for as long as the window is not. */
static void silence_as_long_as_the_window_resets_pending(void **unused) {
    struct world world;

    (void)unused;
    for (int passes = 0; passes < 2; passes++) {
        for (int64_t missing = 5; missing <= 6; missing++) {
            int64_t began;

            world_open(&world, "", ERRORS);
            world_share_ticks(&world, 12, "error", 600, 20, 900, 1);
            assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
            began = since(&world);
            for (int64_t i = 0; i < missing; i++) {
                world.tick.from_ns += CANARY_TICK_NS;
                if (passes) {
                    canary__state_pass(&world.state, world.policy, world.tick.from_ns + 3 * SECOND,
                                       STAGE);
                }
            }
            world_share_ticks(&world, 1, "error", 600, 20, 900, 1);
            assert_int_equal(world_says(&world), CANARY_STATE_PENDING);
            assert_int_equal(since(&world) == began, missing == 5);
            world_share_ticks(&world, missing == 5 ? 5 : 18, "error", 600, 20, 900, 1);
            assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
            /* What fires goes on through a gap, as long as the window knows of it. */
            world.tick.from_ns += 3 * CANARY_TICK_NS;
            world_share_ticks(&world, 1, "error", 600, 20, 900, 1);
            assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
            world_close(&world);
        }
    }
}

/* A request a minute, half of which fail: it fires in the end. */
static void a_service_with_little_traffic_is_heard(void **unused) {
    struct world world;

    (void)unused;
    world_open(
        &world, "",
        "{\"name\": \"errors\", \"metric\": \"error\", \"above\": \"20%\", \"window\": \"1h\","
        " \"for\": \"5m\", \"min_samples\": 25, \"action\": \"rollback\"}");
    for (int minute = 0; minute < 40; minute++) {
        world_share_ticks(&world, 1, "error", 1, minute % 2, 3, 0);
        world.tick.from_ns += 5 * CANARY_TICK_NS;
        canary__state_pass(&world.state, world.policy, world.tick.from_ns + 3 * SECOND, STAGE);
    }
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    world_close(&world);
}

static void time_goes_on_without_figures(void **unused) {
    struct world world;
    int64_t through;

    (void)unused;
    world_open(&world, "", ERRORS);
    world_share_ticks(&world, 30, "error", 60, 2, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    through = world.state.through_ns;
    canary__state_pass(&world.state, world.policy, through + 9 * SECOND, STAGE);
    assert_true(world.state.through_ns == through);
    canary__state_pass(&world.state, world.policy, through - HOUR, STAGE);
    assert_true(world.state.through_ns == through);
    canary__state_pass(&world.state, world.policy, through + MINUTE, STAGE);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    assert_true(world_result(&world).n_new == 0 && isnan(world_result(&world).value));
    canary__state_pass(&world.state, world.policy, through + 2 * MINUTE, STAGE);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    /* A tick of that time comes too late. */
    world_share(&world, "error", 60, 2, 900, 1);
    assert_int_equal(world_add(&world), 0);
    world_close(&world);
}

/* -- what is so, of what -- */

static int once(const char *rule, double n_new, double k_new, double n_old, double k_old) {
    struct world world;
    int says;

    world_open(&world, "", rule);
    world_share_ticks(&world, 1, "error", n_new, k_new, n_old, k_old);
    says = world_says(&world);
    world_close(&world);
    return says;
}

#define RATE(how, action)                                                                          \
    "{\"name\": \"r\", \"metric\": \"error\", " how ", \"window\": \"1m\", \"min_samples\": 100,"  \
    " \"action\": \"" action "\"}"

static void limits_and_ratios(void **unused) {
    const char *above = RATE("\"above\": 0.02", "hold");
    const char *below = RATE("\"below\": 0.02", "require");
    const char *of_old = RATE("\"above\": 0.02, \"cohort\": \"old\"", "hold");
    const char *worse = RATE("\"above\": 1.5, \"against\": \"old\", \"proof\": \"point\"", "hold");
    const char *better =
        RATE("\"below\": 1.5, \"against\": \"old\", \"proof\": \"point\"", "require");

    (void)unused;
    assert_int_equal(once(above, 100, 3, 100, 0), CANARY_STATE_FIRING);
    assert_int_equal(once(above, 100, 2, 100, 0), CANARY_STATE_CLEAR);
    assert_int_equal(once(above, 99, 99, 100, 0), CANARY_STATE_UNKNOWN);
    assert_int_equal(once(above, 0, 0, 100, 0), CANARY_STATE_UNKNOWN);
    assert_int_equal(once(below, 100, 1, 100, 0), CANARY_STATE_MET);
    assert_int_equal(once(below, 100, 2, 100, 0), CANARY_STATE_UNMET);
    assert_int_equal(once(below, 99, 0, 100, 0), CANARY_STATE_UNKNOWN);
    assert_int_equal(once(of_old, 100, 0, 100, 3), CANARY_STATE_FIRING);
    assert_int_equal(once(of_old, 100, 3, 100, 2), CANARY_STATE_CLEAR);
    assert_int_equal(once(of_old, 100, 3, 99, 2), CANARY_STATE_UNKNOWN);
    assert_int_equal(once(worse, 100, 16, 1000, 100), CANARY_STATE_FIRING);
    assert_int_equal(once(worse, 100, 15, 1000, 100), CANARY_STATE_CLEAR);
    assert_int_equal(once(worse, 99, 16, 1000, 100), CANARY_STATE_UNKNOWN);
    assert_int_equal(once(worse, 1000, 16, 99, 0), CANARY_STATE_UNKNOWN);
    assert_int_equal(once(worse, 1000, 1, 1000, 0), CANARY_STATE_FIRING);
    assert_int_equal(once(worse, 1000, 0, 1000, 0), CANARY_STATE_CLEAR);
    assert_int_equal(once(better, 100, 14, 1000, 100), CANARY_STATE_MET);
    assert_int_equal(once(better, 1000, 375, 1000, 250), CANARY_STATE_UNMET);
    assert_int_equal(once(better, 1000, 0, 1000, 0), CANARY_STATE_UNKNOWN);
}

static void ratios_have_their_figures(void **unused) {
    struct world world;
    canary_rule_result result;

    (void)unused;
    world_open(&world, "",
               RATE("\"above\": 1.5, \"against\": \"old\", \"proof\": \"point\"", "hold"));
    world_share_ticks(&world, 1, "error", 83, 5, 99, 12);
    result = world_result(&world);
    assert_near(result.value, 5.0 / 83, 1e-15);
    assert_near(result.reference, 12.0 / 99, 1e-15);
    assert_near(result.ratio, 5.0 / 83 / (12.0 / 99), 1e-15);
    /* statsmodels' */
    assert_near(result.classical_p, .15918129181156992, 1e-14);
    world_close(&world);
}

static int lasting(const char *rule, int fast, int slow) {
    struct world world;
    int says;

    world_open(&world, "", rule);
    world_durations(&world, "duration", CANARY_NEW, fast, 100000000);
    world_durations(&world, "duration", CANARY_NEW, slow, 900000000);
    world_add(&world);
    says = world_says(&world);
    world_close(&world);
    return says;
}

#define P95(how, action)                                                                           \
    "{\"name\": \"p95\", \"metric\": \"duration\", \"statistic\": \"p95\", " how                   \
    ", \"window\": \"1m\", \"action\": \"" action "\"}"

static void quantiles_have_limits(void **unused) {
    const char *above = P95("\"above\": \"600ms\"", "rollback");
    const char *below = P95("\"below\": \"600ms\"", "require");
    struct world world;
    canary_rule_result result;

    (void)unused;
    /* The value of rank 190 of 200. */
    assert_int_equal(lasting(above, 189, 11), CANARY_STATE_FIRING);
    assert_int_equal(lasting(above, 190, 10), CANARY_STATE_CLEAR);
    assert_int_equal(lasting(above, 100, 99), CANARY_STATE_UNKNOWN);
    assert_int_equal(lasting(below, 189, 11), CANARY_STATE_UNMET);
    assert_int_equal(lasting(below, 190, 10), CANARY_STATE_MET);
    assert_int_equal(lasting(below, 199, 0), CANARY_STATE_UNKNOWN);
    /* The bucket of the limit itself: in doubt neither too slow nor fast enough. */
    assert_int_equal(lasting(P95("\"above\": \"895ms\"", "rollback"), 100, 100),
                     CANARY_STATE_CLEAR);
    assert_int_equal(lasting(P95("\"below\": \"901ms\"", "require"), 100, 100), CANARY_STATE_UNMET);
    /* Exactly, where durations are compared with it. */
    world_open(&world, "", above);
    world_durations(&world, "duration", CANARY_NEW, 200, 100000000);
    world_metric(&world, "duration")->side[CANARY_NEW].threshold_count = 2;
    world_metric(&world, "duration")->side[CANARY_NEW].thresholds_ns[1] = 600000000;
    world_metric(&world, "duration")->side[CANARY_NEW].threshold_n[1] = 200;
    world_metric(&world, "duration")->side[CANARY_NEW].threshold_above[1] = 11;
    world_add(&world);
    result = world_result(&world);
    assert_int_equal(result.state, CANARY_STATE_FIRING);
    assert_true(result.k_new == 11 && isnan(result.value) && result.quantile == 0.95);
    assert_string_equal(result.unit, "seconds");
    /* Not of those that were recorded before it was declared: then by the histogram. */
    world_durations(&world, "duration", CANARY_NEW, 200, 100000000);
    world_metric(&world, "duration")->side[CANARY_NEW].threshold_count = 1;
    world_metric(&world, "duration")->side[CANARY_NEW].thresholds_ns[0] = 600000000;
    world_metric(&world, "duration")->side[CANARY_NEW].threshold_n[0] = 199;
    world_metric(&world, "duration")->side[CANARY_NEW].threshold_above[0] = 11;
    world_add(&world);
    assert_true(world_result(&world).k_new == 11);
    /* A histogram that does not hold all durations tells nothing. */
    world_durations(&world, "duration", CANARY_NEW, 200, 100000000);
    world_metric(&world, "duration")->side[CANARY_NEW].n += 1;
    world_add(&world);
    assert_true(world_result(&world).n_new == 400);
    world_close(&world);
}

static void budgets_burn_in_both_windows(void **unused) {
    struct world world;
    canary_rule_result result;

    (void)unused;
    world_open(&world, "",
               "{\"name\": \"burn\", \"metric\": \"error\", \"statistic\": \"burn\", \"objective\":"
               " 0.999, \"above\": 10, \"window\": \"10m\", \"short_window\": \"1m\", \"action\":"
               " \"rollback\"}");
    world_share_ticks(&world, 54, "error", 100, 0, 900, 1);
    /* 3 % for a minute: 30 times as fast, but 18 of 6000 in ten minutes are 3 times. */
    world_share_ticks(&world, 6, "error", 100, 3, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    world_share_ticks(&world, 16, "error", 100, 3, 900, 1);
    result = world_result(&world);
    assert_int_equal(result.state, CANARY_STATE_FIRING);
    assert_near(result.value, 22 * 3 / 6000.0 / 0.001, 1e-9);
    /* It stopped: the short window says so. */
    world_share_ticks(&world, 5, "error", 100, 0, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    world_close(&world);

    world_open(&world, "",
               "{\"name\": \"burn\", \"metric\": \"error\", \"statistic\": \"burn\", \"objective\":"
               " 0.999, \"above\": 10, \"window\": \"10m\", \"short_window\": \"1m\", \"action\":"
               " \"rollback\", \"min_samples\": 5000}");
    world_share_ticks(&world, 49, "error", 100, 3, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    world_share_ticks(&world, 1, "error", 100, 3, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    world_close(&world);

    world_open(&world, "",
               "{\"name\": \"burn\", \"metric\": \"error\", \"statistic\": \"burn\", \"objective\":"
               " 0.9, \"below\": 1, \"window\": \"10m\", \"short_window\": \"1m\", \"action\":"
               " \"require\"}");
    world_share_ticks(&world, 10, "error", 100, 3, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_MET);
    world_share_ticks(&world, 10, "error", 100, 30, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_UNMET);
    world_close(&world);
}

static void the_baseline_is_told(void **unused) {
    const char *rate =
        "{\"name\": \"b\", \"metric\": \"error\", \"against\": \"baseline\", \"above\":"
        " 1.5, \"window\": \"1m\", \"min_samples\": 100, \"action\": \"hold\"}";
    const char *p95 = P95("\"against\": \"baseline\", \"above\": 1.5", "hold");
    struct world world;
    canary_rule_result result;

    (void)unused;
    world_open(&world, "", rate);
    world_share_ticks(&world, 6, "error", 100, 2, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    canary__state_baseline(&world.state, 0, 0.01);
    world_share_ticks(&world, 1, "error", 100, 2, 900, 1);
    result = world_result(&world);
    assert_int_equal(result.state, CANARY_STATE_FIRING);
    assert_true(result.reference == 0.01 && result.ratio == 2);
    canary__state_baseline(&world.state, 0, NAN);
    world_share_ticks(&world, 7, "error", 100, 2, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    world_close(&world);

    world_open(&world, "", p95);
    for (int i = 0; i < 2; i++) {
        /* Without one, a tick cannot be counted; with one it is held against its own. */
        world_durations(&world, "duration", CANARY_NEW, 200, 900000000);
        world_add(&world);
        assert_int_equal(world_says(&world), i == 0 ? CANARY_STATE_UNKNOWN : CANARY_STATE_FIRING);
        canary__state_baseline(&world.state, 0, 0.5);
    }
    assert_true(world_result(&world).n_new == 200);
    world_close(&world);
}

static void means_have_limits(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "",
               "{\"name\": \"saving\", \"metric\": \"saving\", \"statistic\": \"mean\", \"above\":"
               " 0.35, \"window\": \"1m\", \"min_samples\": 100, \"action\": \"require\"}");
    world_values(&world, "saving", CANARY_NEW, 100, 0.36);
    world_add(&world);
    assert_int_equal(world_says(&world), CANARY_STATE_MET);
    assert_near(world_result(&world).value, 0.36, 1e-12);
    world_values(&world, "saving", CANARY_NEW, 100, 0.3);
    world_add(&world);
    assert_int_equal(world_says(&world), CANARY_STATE_UNMET);
    /* Sums that are no numbers. */
    world_values(&world, "saving", CANARY_NEW, 100, NAN);
    world_add(&world);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    world_values(&world, "saving", CANARY_NEW, 200, 0.4);
    world_add(&world);
    assert_int_equal(world_says(&world), CANARY_STATE_MET);
    world_close(&world);
}

/* A requirement is met only by what is known now. */
static void requirements_are_met_now(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "",
               "{\"name\": \"ok\", \"metric\": \"error\", \"below\": \"2%\", \"window\": \"1m\","
               " \"for\": \"2m\", \"min_samples\": 100, \"action\": \"require\"}");
    world_share_ticks(&world, 12, "error", 100, 0, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_UNMET);
    world_share_ticks(&world, 1, "error", 100, 0, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_MET);
    world_share_ticks(&world, 1, "error", 100, 101, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    world_share_ticks(&world, 1, "error", 100, 0, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_MET);
    /* A gap, and it must hold for its time again. */
    world.tick.from_ns += CANARY_TICK_NS;
    world_share_ticks(&world, 1, "error", 100, 0, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_UNMET);
    world_close(&world);
}

/* What is known belongs to this percentage. */
static void a_generation_begins_with_empty_windows(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "", ERRORS);
    world_share_ticks(&world, 30, "error", 60, 2, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_FIRING);
    canary__state_begin(&world.state, GENERATION + 1, world.tick.from_ns, 0);
    assert_int_equal(world_says(&world), CANARY_STATE_UNKNOWN);
    assert_true(since(&world) == 0 && world_result(&world).n_new == 0);
    world.tick.generation = GENERATION + 1;
    world_share_ticks(&world, 1, "error", 60, 2, 900, 1);
    assert_true(world_result(&world).n_new == 60);
    world_close(&world);
}

static void rules_of_other_stages_are_clear(void **unused) {
    struct world world;

    (void)unused;
    world_open(&world, "",
               RATE("\"above\": 0.02, \"stages\": [2]",
                    "rollback") ","
                                "{\"name\": \"harm\", \"metric\": \"error\", \"against\": \"old\", "
                                "\"above\": 1.1,"
                                " \"action\": \"rollback\", \"stages\": [2, 3]}");
    world_share_ticks(&world, 50, "error", 100, 30, 900, 1);
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    assert_int_equal(world.state.rules[1].state, CANARY_STATE_CLEAR);
    canary__state_pass(&world.state, world.policy, world.tick.from_ns + 10 * CANARY_TICK_NS, STAGE);
    assert_int_equal(world_says(&world), CANARY_STATE_CLEAR);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_consecutive_minutes),
        cmocka_unit_test(for_means_at_every_tick),
        cmocka_unit_test(unknown_neither_clears_nor_extends_for_long),
        cmocka_unit_test(an_unknown_tick_does_not_fire),
        cmocka_unit_test(silence_as_long_as_the_window_resets_pending),
        cmocka_unit_test(a_service_with_little_traffic_is_heard),
        cmocka_unit_test(time_goes_on_without_figures),
        cmocka_unit_test(limits_and_ratios),
        cmocka_unit_test(ratios_have_their_figures),
        cmocka_unit_test(quantiles_have_limits),
        cmocka_unit_test(budgets_burn_in_both_windows),
        cmocka_unit_test(the_baseline_is_told),
        cmocka_unit_test(means_have_limits),
        cmocka_unit_test(requirements_are_met_now),
        cmocka_unit_test(a_generation_begins_with_empty_windows),
        cmocka_unit_test(rules_of_other_stages_are_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
