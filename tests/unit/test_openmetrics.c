/* SPDX-License-Identifier: MIT */
/* What the text for Prometheus says of a store. */
#include "exposed.h"

#include <math.h>

/* -- what it says -- */

static void nothing_open(void **state) {
    struct unit *unit = *state;
    char *text = exposed_text(unit->store);

    assert_string_equal(text,
                        "# TYPE canary_build_info gauge\n"
                        "# HELP canary_build_info 1, with the version of libcanary as a label.\n"
                        "canary_build_info{version=\"" CANARY_VERSION "\"} 1\n"
                        "# EOF\n");
    free(text);
}

static void state_of_a_rollout(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    char *text;

    unit_create(unit, "checkout");
    unit_set(unit, "checkout", 725);
    OK(canary_override_set(unit->store, "checkout", "a", 1, 1, NULL, NULL, &error));
    ctx = unit_open(unit, "checkout");
    unit->monotonic += 1250000000;
    text = exposed_text(unit->store);
    HAS(text, "# TYPE canary_configured_ratio gauge");
    HAS(text, "# UNIT canary_configured_ratio ratio");
    HAS(text, "canary_stage{rollout=\"checkout\"} 1");
    HAS(text, "canary_revision{rollout=\"checkout\"} 3");
    HAS(text, "canary_configured_ratio{rollout=\"checkout\"} 0.0725");
    HAS(text, "canary_effective_ratio{rollout=\"checkout\"} 0.0725");
    HAS(text, "canary_state_age_seconds{rollout=\"checkout\"} 1.25");
    HAS(text, "canary_killed{rollout=\"checkout\"} 0");
    HAS(text, "canary_overrides{rollout=\"checkout\",cohort=\"new\"} 1");
    HAS(text, "canary_overrides{rollout=\"checkout\",cohort=\"old\"} 0");
    /* Everything is there before anything happened, so that the first rise can be seen. */
    HAS(text, "canary_outcomes_total{rollout=\"checkout\",cohort=\"new\",status=\"timeout\"} 0");
    HAS(text, "canary_decisions_total{rollout=\"checkout\",cohort=\"old\",reason=\"stale\"} 0");
    HAS(text, "canary_duration_seconds_bucket{rollout=\"checkout\",cohort=\"new\",le=\"+Inf\"} 0");
    HAS(text, "canary_duration_seconds_count{rollout=\"checkout\",cohort=\"old\"} 0");
    HAS(text, "canary_recorded_rejected_total{rollout=\"checkout\",cause=\"number\"} 0");
    LACKS(text, "canary_metric_");
    free(text);

    canary_kill(ctx);
    text = exposed_text(unit->store);
    HAS(text, "canary_killed{rollout=\"checkout\"} 1");
    HAS(text, "canary_kill_reason{rollout=\"checkout\",reason=\"local\"} 1");
    HAS(text, "canary_kill_reason{rollout=\"checkout\",reason=\"flag\"} 0");
    HAS(text, "canary_configured_ratio{rollout=\"checkout\"} 0.0725");
    HAS(text, "canary_effective_ratio{rollout=\"checkout\"} 0");
    free(text);
    canary_close(&ctx);
    text = exposed_text(unit->store);
    LACKS(text, "checkout");
    free(text);
}

/* A name of a phase that an operator gave is shown, and what was never loaded says so. */
static void stages(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_ctx *ctx;
    canary_ctx *late = NULL;
    char *text;

    unit_create(unit, "checkout");
    OK(canary_set_percentage(unit->store, "checkout", 100, "canary.1", NULL, NULL, &error));
    ctx = unit_open(unit, "checkout");
    options.flags = CANARY_OPEN_DEFER;
    OK(canary_open_in(unit->store, "later", &options, &late, &error));
    text = exposed_text(unit->store);
    HAS(text, "canary_stage_info{rollout=\"checkout\",stage_name=\"canary.1\"} 1");
    HAS(text, "canary_stage{rollout=\"later\"} -1");
    HAS(text, "canary_state_age_seconds{rollout=\"later\"} +Inf");
    LACKS(text, "canary_stage_info{rollout=\"later\"");
    free(text);
    canary_close(&ctx);
    canary_close(&late);
}

static void counts(void **state) {
    struct unit *unit = *state;
    canary_decision decision = CANARY_DECISION_INIT;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    canary_ctx *ctx;
    char *text;

    unit_create(unit, "checkout");
    unit_set(unit, "checkout", 10000);
    ctx = unit_open(unit, "checkout");
    assert_int_equal(canary_explain(ctx, "u", 1, &decision), CANARY_OK);
    outcome.duration_ns = 1500000000;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(canary_record(ctx, &decision, &outcome), CANARY_OK);
    }
    assert_int_equal(canary_expose(ctx, &decision), CANARY_OK);
    decision.reason = 12; /* of no name: counts with the unknown ones, in one series */
    assert_int_equal(canary_expose(ctx, &decision), CANARY_OK);
    exposed_record(ctx, CANARY_OLD, CANARY_STATUS_ERROR, CANARY_NOT_MEASURED);
    exposed_record(ctx, CANARY_OLD, CANARY_STATUS_TIMEOUT, 30000000000);
    exposed_record(ctx, CANARY_OLD, CANARY_STATUS_TIMEOUT,
                   5000000000000); /* beyond the histogram */
    outcome.status = 7;
    assert_int_equal(canary_record_cohort(ctx, CANARY_OLD, &outcome), CANARY_E_INVALID);
    text = exposed_text(unit->store);
    HAS(text, "canary_decisions_total{rollout=\"checkout\",cohort=\"new\",reason=\"static\"} 4");
    HAS(text, "canary_decisions_total{rollout=\"checkout\",cohort=\"old\",reason=\"unknown\"} 3");
    HAS(text, "canary_decisions_total{rollout=\"checkout\",cohort=\"new\",reason=\"unknown\"} 1");
    HAS(text, "canary_outcomes_total{rollout=\"checkout\",cohort=\"new\",status=\"ok\"} 3");
    HAS(text, "canary_outcomes_total{rollout=\"checkout\",cohort=\"old\",status=\"error\"} 1");
    HAS(text, "canary_outcomes_total{rollout=\"checkout\",cohort=\"old\",status=\"timeout\"} 2");
    HAS(text, "canary_duration_seconds_sum{rollout=\"checkout\",cohort=\"new\"} 4.5");
    HAS(text, "canary_duration_seconds_count{rollout=\"checkout\",cohort=\"new\"} 3");
    HAS(text, "canary_duration_seconds_bucket{rollout=\"checkout\",cohort=\"new\",le=\"1.024\"} 0");
    HAS(text, "canary_duration_seconds_bucket{rollout=\"checkout\",cohort=\"new\",le=\"2.048\"} 3");
    HAS(text,
        "canary_duration_seconds_bucket{rollout=\"checkout\",cohort=\"old\",le=\"65.536\"} 1");
    HAS(text, "canary_duration_seconds_bucket{rollout=\"checkout\",cohort=\"old\",le=\"+Inf\"} 2");
    HAS(text, "canary_duration_seconds_sum{rollout=\"checkout\",cohort=\"old\"} 5030");
    HAS(text, "canary_recorded_rejected_total{rollout=\"checkout\",cause=\"status\"} 1");
    HAS(text, "canary_recorded_dropped_total{rollout=\"checkout\"} 0");
    free(text);
    canary_close(&ctx);
}

static void merging(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    char *text;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    exposed_record(ctx, CANARY_NEW, CANARY_STATUS_OK, 1000000);
    exposed_record(ctx, CANARY_OLD, CANARY_STATUS_OK, 1000000);
    text = exposed_text(unit->store);
    HAS(text, "canary_recorded_merged_total{rollout=\"checkout\"} 0");
    HAS(text, "canary_flushes_total 0");
    HAS(text, "canary_flush_timestamp_seconds 0");
    free(text);
    OK(canary_flush(unit->store, &error));
    text = exposed_text(unit->store);
    HAS(text, "canary_recorded_merged_total{rollout=\"checkout\"} 2");
    HAS(text, "canary_flushes_total 1");
    HAS(text, "canary_flush_timestamp_seconds 1790000000");
    HAS(text, "canary_flush_failing 0");
    HAS(text, "canary_flush_waiting_ticks{rollout=\"checkout\"} 0");
    HAS(text, "canary_recording_threads{rollout=\"checkout\"} 1");
    /* What was merged is still counted here. */
    HAS(text, "canary_outcomes_total{rollout=\"checkout\",cohort=\"new\",status=\"ok\"} 1");
    free(text);
    canary_close(&ctx);
}

static void declared_metrics(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    char *text;
    int32_t handle;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    handle = exposed_declare(ctx, "cache_hit", CANARY_METRIC_PROPORTION, NULL, 0, 0);
    exposed_measure_value(ctx, CANARY_NEW, handle, 1);
    exposed_measure_value(ctx, CANARY_NEW, handle, 1);
    exposed_measure_value(ctx, CANARY_NEW, handle, 0);
    handle = exposed_declare(ctx, "f1", CANARY_METRIC_CLASSIFICATION, NULL, 0, 0);
    exposed_measure(ctx, CANARY_OLD,
                    (canary_measurement){ .metric = handle, .tp = 91, .fp = 9, .fn = 8 });
    handle = exposed_declare(ctx, "cost", CANARY_METRIC_VALUE, "dollars", 0, 100);
    exposed_measure_value(ctx, CANARY_OLD, handle, 0.25);
    exposed_measure_value(ctx, CANARY_OLD, handle, 1.1);
    handle = exposed_declare(ctx, "quality", CANARY_METRIC_SCORE, NULL, -1, 1);
    exposed_measure_value(ctx, CANARY_NEW, handle, -0.75);
    handle = exposed_declare(ctx, "delta", CANARY_METRIC_VALUE, "points", 0, 0);
    exposed_measure_value(ctx, CANARY_NEW, handle, 3);
    handle = exposed_declare(ctx, "backend", CANARY_METRIC_DURATION, NULL, 0, 0);
    exposed_measure_value(ctx, CANARY_NEW, handle, 3e6);
    text = exposed_text(unit->store);
#define LABELS(cohort, metric) "{rollout=\"checkout\",cohort=\"" cohort "\",metric=\"" metric "\""
    HAS(text, "canary_metric_results_total" LABELS("new", "cache_hit") ",result=\"hit\"} 2");
    HAS(text, "canary_metric_results_total" LABELS("new", "cache_hit") ",result=\"miss\"} 1");
    HAS(text, "canary_metric_results_total" LABELS("old", "cache_hit") ",result=\"hit\"} 0");
    HAS(text, "canary_metric_classifications_total" LABELS("old", "f1") ",result=\"tp\"} 91");
    HAS(text, "canary_metric_classifications_total" LABELS("old", "f1") ",result=\"fp\"} 9");
    HAS(text, "canary_metric_classifications_total" LABELS("old", "f1") ",result=\"fn\"} 8");
    HAS(text, "canary_metric_classifications_total" LABELS("old", "f1") ",result=\"tn\"} 0");
    HAS(text, "canary_metric_value_sum" LABELS("old", "cost") ",unit=\"dollars\"} 1.35");
    HAS(text, "canary_metric_value_count" LABELS("old", "cost") ",unit=\"dollars\"} 2");
    HAS(text, "canary_metric_value_count" LABELS("new", "quality") "} 1");
    HAS(text, "canary_metric_value_net" LABELS("new", "quality") "} -0.75");
    HAS(text, "canary_metric_value_net" LABELS("new", "delta") ",unit=\"points\"} 3");
    LACKS(text, "canary_metric_value_sum" LABELS("new", "quality"));
    LACKS(text, "canary_metric_value_net" LABELS("old", "cost"));
    HAS(text, "canary_metric_duration_seconds_bucket" LABELS("new", "backend") ",le=\"0.002\"} 0");
    HAS(text, "canary_metric_duration_seconds_bucket" LABELS("new", "backend") ",le=\"0.004\"} 1");
    HAS(text, "canary_metric_duration_seconds_sum" LABELS("new", "backend") "} 0.003");
    free(text);
    canary_close(&ctx);
}

/* -- durations -- */

enum { DURATIONS = 4000 };

static const int64_t thresholds[] = { 1000, 250000000, 256000000, 1000000000, 600000000000 };

/* A bound that is an edge holds what lies below it, a declared one what is not above it. */
static uint64_t expected_count(const int64_t *durations, int64_t bound) {
    uint64_t count = 0;
    int declared = 0;

    for (size_t i = 0; i < COUNT(thresholds); i++) {
        declared = declared || thresholds[i] == bound;
    }
    for (int i = 0; i < DURATIONS; i++) {
        count += (uint64_t)(durations[i] < bound + declared);
    }
    return count;
}

static void every_bound_is_exact(void **state) {
    static const char *const bounds[] = {
        "1e-06", "0.0005", "0.001",  "0.002",  "0.004",  "0.008", "0.016", "0.032",
        "0.064", "0.128",  "0.25",   "0.256",  "0.512",  "1.0",   "1.024", "2.048",
        "4.096", "8.192",  "16.384", "32.768", "65.536", "600.0",
    };
    static int64_t durations[DURATIONS];
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    canary_metric metric = CANARY_METRIC_INIT;
    canary_ctx *ctx;
    char *text;
    const char *at;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    metric.name = "duration";
    metric.kind = CANARY_METRIC_DURATION;
    metric.thresholds_ns = thresholds;
    metric.threshold_count = COUNT(thresholds);
    OK(canary_metric_declare(ctx, &metric, NULL, &error));
    for (int i = 0; i < DURATIONS; i++) {
        uint64_t draw = unit_random(&seed);
        int64_t edge =
            i % 2 == 0 ? INT64_C(500000) << draw % 18 : thresholds[draw % COUNT(thresholds)];

        /* Half of them on and beside bounds. */
        durations[i] =
            i % 4 < 2 ? edge + (int64_t)(draw >> 40) % 3 - 1 : (int64_t)(draw >> (20 + draw % 40));
        exposed_record(ctx, CANARY_NEW, CANARY_STATUS_OK, durations[i]);
    }
    text = exposed_text(unit->store);
    at = text;
    for (size_t i = 0; i < COUNT(bounds); i++) {
        char line[200];

        snprintf(
            line, sizeof line,
            "\ncanary_duration_seconds_bucket{rollout=\"checkout\",cohort=\"new\",le=\"%s\"} "
            "%llu\n",
            bounds[i],
            (unsigned long long)expected_count(durations, llround(strtod(bounds[i], NULL) * 1e9)));
        at = strstr(at, line); /* and in this order */
        if (at == NULL) {
            fail_msg("no line%sin\n%s", line, text);
        }
    }
    HAS(text, "canary_duration_seconds_count{rollout=\"checkout\",cohort=\"new\"} 4000");
    /* The other cohort has the same bounds, though nothing came to it. */
    HAS(text, "canary_duration_seconds_bucket{rollout=\"checkout\",cohort=\"old\",le=\"600.0\"} 0");
    free(text);
    canary_close(&ctx);
}

/* Outcomes that nobody compared with a threshold are still told from each other by the histogram. */
static void thresholds_that_come_late(void **state) {
    struct unit *unit = *state;
    canary_metric metric = CANARY_METRIC_INIT;
    canary_ctx *ctx;
    char *text;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    for (int i = 0; i < 10; i++) {
        exposed_record(ctx, CANARY_NEW, CANARY_STATUS_OK, 10000000);
        exposed_record(ctx, CANARY_NEW, CANARY_STATUS_OK, 400000000);
    }
    metric.name = "duration";
    metric.kind = CANARY_METRIC_DURATION;
    metric.thresholds_ns = thresholds;
    metric.threshold_count = COUNT(thresholds);
    OK(canary_metric_declare(ctx, &metric, NULL, &error));
    exposed_record(ctx, CANARY_NEW, CANARY_STATUS_OK, 100000000);
    text = exposed_text(unit->store);
    HAS(text, "canary_duration_seconds_bucket{rollout=\"checkout\",cohort=\"new\",le=\"0.25\"} 11");
    HAS(text, "canary_duration_seconds_bucket{rollout=\"checkout\",cohort=\"new\",le=\"1.0\"} 21");
    free(text);
    canary_close(&ctx);
}

/* -- several of them -- */

static void contexts_of_one_rollout(void **state) {
    struct unit *unit = *state;
    canary_ctx *first;
    canary_ctx *second;
    canary_ctx *other;
    char *text;
    int32_t handle;

    unit_create(unit, "b");
    unit_create(unit, "a");
    unit_set(unit, "b", 5000);
    first = unit_open(unit, "b");
    other = unit_open(unit, "a");
    second = unit_open(unit, "b");
    exposed_record(first, CANARY_NEW, CANARY_STATUS_OK, 1000000);
    exposed_record(second, CANARY_NEW, CANARY_STATUS_OK, 3000000);
    exposed_record(other, CANARY_NEW, CANARY_STATUS_OK, 7000000);
    handle = exposed_declare(first, "x", CANARY_METRIC_PROPORTION, NULL, 0, 0);
    exposed_measure_value(first, CANARY_OLD, handle, 1);
    handle = exposed_declare(second, "x", CANARY_METRIC_SCORE, NULL, 0, 9);
    exposed_measure_value(second, CANARY_OLD, handle, 7);
    handle = exposed_declare(second, "y", CANARY_METRIC_SCORE, NULL, 0, 9);
    exposed_measure_value(second, CANARY_OLD, handle, 7);
    (void)exposed_declare(first, "z", CANARY_METRIC_PROPORTION, NULL, 0, 0);
    handle = exposed_declare(second, "z", CANARY_METRIC_SCORE, NULL, 0, 9);
    exposed_measure_value(second, CANARY_OLD, handle, 7);
    canary_kill(second);
    text = exposed_text(unit->store);
    HAS(text,
        "canary_metric_results_total{rollout=\"b\",cohort=\"old\",metric=\"z\",result=\"miss\"}"
        " 0");
    HAS(text, "canary_outcomes_total{rollout=\"b\",cohort=\"new\",status=\"ok\"} 2");
    HAS(text, "canary_outcomes_total{rollout=\"a\",cohort=\"new\",status=\"ok\"} 1");
    HAS(text, "canary_duration_seconds_sum{rollout=\"b\",cohort=\"new\"} 0.004");
    HAS(text, "canary_killed{rollout=\"b\"} 1");
    HAS(text, "canary_killed{rollout=\"a\"} 0");
    HAS(text, "canary_effective_ratio{rollout=\"b\"} 0");
    /* The first context's kind counts. */
    HAS(text,
        "canary_metric_results_total{rollout=\"b\",cohort=\"old\",metric=\"x\",result=\"hit\"}"
        " 1");
    LACKS(text, "canary_metric_value_sum{rollout=\"b\",cohort=\"old\",metric=\"x\"");
    HAS(text, "canary_metric_value_sum{rollout=\"b\",cohort=\"old\",metric=\"y\"} 7");
    assert_true(strstr(text, "canary_stage{rollout=\"a\"}") <
                strstr(text, "canary_stage{rollout=\"b\"}"));
    free(text);
    canary_close(&first);
    canary_close(&second);
    canary_close(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(nothing_open),
        UNIT_BOTH(state_of_a_rollout),
        UNIT_BOTH(stages),
        UNIT_BOTH(counts),
        UNIT_BOTH(merging),
        UNIT_MEMORY_ONLY(declared_metrics),
        UNIT_MEMORY_ONLY(every_bound_is_exact),
        UNIT_MEMORY_ONLY(thresholds_that_come_late),
        UNIT_BOTH(contexts_of_one_rollout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
