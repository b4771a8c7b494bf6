/* SPDX-License-Identifier: MIT */
/* The text that Prometheus reads. */
#include "support.h"

#include <locale.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "observe/openmetrics_text.h"

/* -- shorthand -- */

/* The text of a store; freed by the caller. */
static char *text_of(canary_store *store) {
    uint64_t capacity = 1 << 20;
    uint64_t size = 0;
    char *text = malloc(capacity);

    assert_non_null(text);
    OK(canary_format_openmetrics(store, text, capacity, &size, &error));
    assert_int_equal(size, strlen(text));
    return text;
}

static int is_line_of(const char *text, const char *line) {
    size_t length = strlen(line);

    for (const char *at = strstr(text, line); at != NULL; at = strstr(at + 1, line)) {
        if ((at == text || at[-1] == '\n') && at[length] == '\n') {
            return 1;
        }
    }
    return 0;
}

#define HAS(text, line)                                                                            \
    do {                                                                                           \
        if (!is_line_of(text, line)) {                                                             \
            fail_msg("no line\n%s\nin\n%s", line, text);                                           \
        }                                                                                          \
    } while (0)

#define LACKS(text, part)                                                                          \
    do {                                                                                           \
        if (strstr(text, part) != NULL) {                                                          \
            fail_msg("%s is in\n%s", part, text);                                                  \
        }                                                                                          \
    } while (0)

static void record(canary_ctx *ctx, int cohort, int status, int64_t duration_ns) {
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    outcome.status = status;
    outcome.duration_ns = duration_ns;
    assert_int_equal(canary_record_cohort(ctx, cohort, &outcome), CANARY_OK);
}

static int32_t declare(canary_ctx *ctx, const char *name, int kind, const char *unit,
                       double minimum, double maximum) {
    canary_metric metric = CANARY_METRIC_INIT;
    int32_t handle = -1;

    metric.name = name;
    metric.kind = kind;
    metric.unit = unit;
    metric.minimum = minimum;
    metric.maximum = maximum;
    OK(canary_metric_declare(ctx, &metric, &handle, &error));
    return handle;
}

static void measure(canary_ctx *ctx, int cohort, canary_measurement measurement) {
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    outcome.measurements = &measurement;
    outcome.measurement_count = 1;
    assert_int_equal(canary_record_cohort(ctx, cohort, &outcome), CANARY_OK);
}

static void measure_value(canary_ctx *ctx, int cohort, int32_t metric, double value) {
    measure(ctx, cohort, (canary_measurement){ .metric = metric, .value = value });
}

/* -- what it says -- */

static void nothing_open(void **state) {
    struct unit *unit = *state;
    char *text = text_of(unit->store);

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
    text = text_of(unit->store);
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
    text = text_of(unit->store);
    HAS(text, "canary_killed{rollout=\"checkout\"} 1");
    HAS(text, "canary_kill_reason{rollout=\"checkout\",reason=\"local\"} 1");
    HAS(text, "canary_kill_reason{rollout=\"checkout\",reason=\"flag\"} 0");
    HAS(text, "canary_configured_ratio{rollout=\"checkout\"} 0.0725");
    HAS(text, "canary_effective_ratio{rollout=\"checkout\"} 0");
    free(text);
    canary_close(&ctx);
    text = text_of(unit->store);
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
    text = text_of(unit->store);
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
    record(ctx, CANARY_OLD, CANARY_STATUS_ERROR, CANARY_NOT_MEASURED);
    record(ctx, CANARY_OLD, CANARY_STATUS_TIMEOUT, 30000000000);
    record(ctx, CANARY_OLD, CANARY_STATUS_TIMEOUT, 5000000000000); /* beyond the histogram */
    outcome.status = 7;
    assert_int_equal(canary_record_cohort(ctx, CANARY_OLD, &outcome), CANARY_E_INVALID);
    text = text_of(unit->store);
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
    record(ctx, CANARY_NEW, CANARY_STATUS_OK, 1000000);
    record(ctx, CANARY_OLD, CANARY_STATUS_OK, 1000000);
    text = text_of(unit->store);
    HAS(text, "canary_recorded_merged_total{rollout=\"checkout\"} 0");
    HAS(text, "canary_flushes_total 0");
    HAS(text, "canary_flush_timestamp_seconds 0");
    free(text);
    OK(canary_flush(unit->store, &error));
    text = text_of(unit->store);
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
    handle = declare(ctx, "cache_hit", CANARY_METRIC_PROPORTION, NULL, 0, 0);
    measure_value(ctx, CANARY_NEW, handle, 1);
    measure_value(ctx, CANARY_NEW, handle, 1);
    measure_value(ctx, CANARY_NEW, handle, 0);
    handle = declare(ctx, "f1", CANARY_METRIC_CLASSIFICATION, NULL, 0, 0);
    measure(ctx, CANARY_OLD, (canary_measurement){ .metric = handle, .tp = 91, .fp = 9, .fn = 8 });
    handle = declare(ctx, "cost", CANARY_METRIC_VALUE, "dollars", 0, 100);
    measure_value(ctx, CANARY_OLD, handle, 0.25);
    measure_value(ctx, CANARY_OLD, handle, 1.1);
    handle = declare(ctx, "quality", CANARY_METRIC_SCORE, NULL, -1, 1);
    measure_value(ctx, CANARY_NEW, handle, -0.75);
    handle = declare(ctx, "delta", CANARY_METRIC_VALUE, "points", 0, 0);
    measure_value(ctx, CANARY_NEW, handle, 3);
    handle = declare(ctx, "backend", CANARY_METRIC_DURATION, NULL, 0, 0);
    measure_value(ctx, CANARY_NEW, handle, 3e6);
    text = text_of(unit->store);
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
        record(ctx, CANARY_NEW, CANARY_STATUS_OK, durations[i]);
    }
    text = text_of(unit->store);
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
        record(ctx, CANARY_NEW, CANARY_STATUS_OK, 10000000);
        record(ctx, CANARY_NEW, CANARY_STATUS_OK, 400000000);
    }
    metric.name = "duration";
    metric.kind = CANARY_METRIC_DURATION;
    metric.thresholds_ns = thresholds;
    metric.threshold_count = COUNT(thresholds);
    OK(canary_metric_declare(ctx, &metric, NULL, &error));
    record(ctx, CANARY_NEW, CANARY_STATUS_OK, 100000000);
    text = text_of(unit->store);
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
    record(first, CANARY_NEW, CANARY_STATUS_OK, 1000000);
    record(second, CANARY_NEW, CANARY_STATUS_OK, 3000000);
    record(other, CANARY_NEW, CANARY_STATUS_OK, 7000000);
    handle = declare(first, "x", CANARY_METRIC_PROPORTION, NULL, 0, 0);
    measure_value(first, CANARY_OLD, handle, 1);
    handle = declare(second, "x", CANARY_METRIC_SCORE, NULL, 0, 9);
    measure_value(second, CANARY_OLD, handle, 7);
    handle = declare(second, "y", CANARY_METRIC_SCORE, NULL, 0, 9);
    measure_value(second, CANARY_OLD, handle, 7);
    (void)declare(first, "z", CANARY_METRIC_PROPORTION, NULL, 0, 0);
    handle = declare(second, "z", CANARY_METRIC_SCORE, NULL, 0, 9);
    measure_value(second, CANARY_OLD, handle, 7);
    canary_kill(second);
    text = text_of(unit->store);
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

/* -- its form -- */

/* Name of the family that a sample's name belongs to, by the type of the family at hand. */
static int is_of(const char *sample, size_t length, const char *family, const char *type) {
    static const char *const suffixes[][2] = {
        { "gauge", "" },         { "counter", "_total" },   { "histogram", "_bucket" },
        { "histogram", "_sum" }, { "histogram", "_count" }, { "summary", "_sum" },
        { "summary", "_count" },
    };
    char name[200];

    for (size_t i = 0; i < COUNT(suffixes); i++) {
        if (strcmp(type, suffixes[i][0]) == 0) {
            snprintf(name, sizeof name, "%s%s", family, suffixes[i][1]);
            if (strlen(name) == length && memcmp(name, sample, length) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

/* Each family once and together, its head before its samples, each series once, numbers in C's form. */
static void check_form(char *text) {
    static char seen[4096][160];
    static char families[200][80];
    size_t series = 0;
    size_t known = 0;
    char type[20] = "";
    char *save = NULL;
    char *last = NULL;

    assert_int_equal(text[strlen(text) - 1], '\n');
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char family[80];
        char *space;
        char *end;

        last = line;
        if (sscanf(line, "# TYPE %79s %19s", family, type) == 2) {
            for (size_t i = 0; i < known; i++) {
                assert_string_not_equal(families[i], family);
            }
            strcpy(families[known++], family);
            continue;
        }
        if (line[0] == '#') {
            if (sscanf(line, "# %*s %79s", family) == 1) {
                assert_string_equal(family, families[known - 1]);
            }
            continue;
        }
        space = strrchr(line, ' ');
        assert_non_null(space);
        (void)strtod(space + 1, &end);
        assert_int_equal(*end, '\0');
        *space = '\0';
        if (!is_of(line, strcspn(line, "{"), families[known - 1], type)) {
            fail_msg("%s is no sample of %s (%s)", line, families[known - 1], type);
        }
        for (size_t i = 0; i < series; i++) {
            assert_string_not_equal(seen[i], line);
        }
        assert_true(strlen(line) < sizeof seen[0]);
        strcpy(seen[series++], line);
    }
    assert_string_equal(last, "# EOF");
}

static void form(void **state) {
    static const int kinds[] = { CANARY_METRIC_PROPORTION, CANARY_METRIC_DURATION,
                                 CANARY_METRIC_VALUE, CANARY_METRIC_SCORE,
                                 CANARY_METRIC_CLASSIFICATION };
    /* Names that would meet built-in families or each other's suffixes. */
    static const char *const names[] = { "decisions", "outcomes_total", "results",
                                         "value_sum", "stage",          "duration_seconds_bucket" };
    struct unit *unit = *state;
    canary_ctx *contexts[3];
    char *text;

    for (int i = 0; i < 3; i++) {
        char name[20];

        snprintf(name, sizeof name, "r%d", i);
        unit_create(unit, name);
        contexts[i] = unit_open(unit, name);
        for (size_t k = 0; k < COUNT(names); k++) {
            /* The same name is another kind of thing in each rollout. */
            int kind = kinds[((size_t)i + k) % COUNT(kinds)];
            int ranged = kind == CANARY_METRIC_SCORE || kind == CANARY_METRIC_VALUE;

            (void)declare(contexts[i], names[k], kind, NULL, 0, ranged ? 10 : 0);
        }
        record(contexts[i], CANARY_NEW, CANARY_STATUS_OK, 1234567);
    }
    text = text_of(unit->store);
    check_form(text);
    free(text);
    for (int i = 0; i < 3; i++) {
        canary_close(&contexts[i]);
    }
}

struct kept {
    char text[65536];
    size_t used;
};

static int keep(void *user_data, const char *text, uint64_t size) {
    struct kept *kept = user_data;

    assert_true(kept->used + size < sizeof kept->text);
    memcpy(kept->text + kept->used, text, size);
    kept->used += size;
    kept->text[kept->used] = '\0';
    return 0;
}

/* The same lines but for the heads of counters, units and the end. */
static void older_form(void **state) {
    struct unit *unit = *state;
    static struct kept older;
    char *text;
    char *save = NULL;
    const char *at = older.text;
    canary_ctx *ctx;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    OK(canary_write_prometheus(unit->store, keep, &older, &error));
    text = text_of(unit->store);
    HAS(older.text, "# TYPE canary_outcomes_total counter");
    HAS(older.text, "# HELP canary_outcomes_total Outcomes that were recorded.");
    HAS(older.text, "# TYPE canary_duration_seconds histogram");
    LACKS(older.text, "# UNIT");
    LACKS(older.text, "# EOF");
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (line[0] != '#') {
            HAS(older.text, line);
            assert_true(strstr(at, line) >= at);
            at = strstr(at, line);
        }
    }
    FAILS(CANARY_E_INVALID, "NULL", "", canary_write_prometheus(NULL, keep, &older, &error));
    FAILS(CANARY_E_INVALID, "NULL", "", canary_write_prometheus(unit->store, NULL, &older, &error));
    free(text);
    canary_close(&ctx);
}

static void escaping(void **state) {
    static const struct canary__family family = { "x", "gauge", "", "Help." };
    static struct kept kept;
    struct canary__exposition out = { .write = keep, .user_data = &kept };

    (void)state;
    canary__exposition_family(&out, &family);
    canary__exposition_sample(&out, "");
    canary__exposition_label(&out, "a", "a\\b\"c\nd\xc3\xa4");
    canary__exposition_label(&out, "b", "");
    canary__exposition_count(&out, UINT64_MAX);
    canary__exposition_sample(&out, "");
    canary__exposition_real(&out, 0.5);
    canary__exposition_end(&out);
    assert_string_equal(kept.text, "# TYPE x gauge\n# HELP x Help.\n"
                                   "x{a=\"a\\\\b\\\"c\\nd\xc3\xa4\",b=\"\"} 18446744073709551615\n"
                                   "x 0.5\n# EOF\n");
}

/* -- numbers -- */

static void check_digits(void) {
    static const struct {
        double value;
        const char *digits;
        int whole;
    } cases[] = {
        { 0, "0", 1 },
        { 1, "1", 1 },
        { -1, "-1", 1 },
        { 0.0005, "0.0005", 0 },
        { 0.1, "0.1", 0 },
        { 1.1, "1.1", 0 },
        { 2.5e-7, "2.5e-07", 0 },
        { 1e-5, "1e-05", 0 },
        { 65.536, "65.536", 0 },
        { 1234567.875, "1234567.875", 0 },
        { 123456789012345, "123456789012345", 1 },
        { 1e15, "1e+15", 0 },
        { 1e22, "1e+22", 0 },
        { 1.7976931348623157e308, "1.7976931348623157e+308", 0 },
        { 4.9406564584124654e-324, "4.94065645841247e-324", 0 },
        { (double)INFINITY, "+Inf", 0 },
        { -(double)INFINITY, "-Inf", 0 },
        { (double)NAN, "NaN", 0 },
    };
    char digits[CANARY__REAL_TEXT];

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(canary__exposition_digits(cases[i].value, digits), cases[i].whole);
        assert_string_equal(digits, cases[i].digits);
    }
}

static void numbers(void **state) {
    uint64_t seed = unit_seed();

    (void)state;
    check_digits();
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = unit_random(&seed);
        char digits[CANARY__REAL_TEXT];
        double value;

        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            (void)canary__exposition_digits(value, digits);
            assert_true(strtod(digits, NULL) == value);
        }
    }
}

/* A locale made here: which ones a machine has nobody knows. Its point is a comma, as in half the
 * world. Answers 0 when there is no localedef. */
static int comma_locale(char *directory, size_t size) {
    char path[300];
    FILE *file;

    snprintf(directory, size, "%s/canary-locale-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/source", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3;3\nEND LC_NUMERIC\n",
          file);
    fclose(file);
    snprintf(path, sizeof path, "%s/charmap", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("<code_set_name> ANSI_X3.4-1968\n<mb_cur_min> 1\n<mb_cur_max> 1\nCHARMAP\n", file);
    for (int i = 0; i < 128; i++) {
        fprintf(file, "<U%04X> /x%02x c\n", (unsigned)i, (unsigned)i);
    }
    fputs("END CHARMAP\n", file);
    fclose(file);
    snprintf(path, sizeof path, "cd '%s' && localedef -c -i source -f ./charmap ./comma >log 2>&1",
             directory);
    (void)!system(path); /* answers 1 for every category that it was not given */
    setenv("LOCPATH", directory, 1);
    return setlocale(LC_NUMERIC, "comma") != NULL;
}

static void any_locale(void **state) {
    struct unit *unit = *state;
    char directory[200];
    char command[300];
    char shown[20];
    canary_ctx *ctx;
    char *text = NULL;
    int there = comma_locale(directory, sizeof directory);

    snprintf(shown, sizeof shown, "%.1f", 1.5);
    if (there) {
        unit_create(unit, "checkout");
        unit_set(unit, "checkout", 2500);
        ctx = unit_open(unit, "checkout");
        record(ctx, CANARY_OLD, CANARY_STATUS_OK, 1500000000);
        text = text_of(unit->store);
        check_digits();
        canary_close(&ctx);
    }
    setlocale(LC_NUMERIC, "C");
    unsetenv("LOCPATH");
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    (void)!system(command);
    if (!there) {
        print_message("no localedef here that makes a locale\n");
        skip();
    }
    assert_string_equal(shown, "1,5");
    HAS(text, "canary_configured_ratio{rollout=\"checkout\"} 0.25");
    HAS(text, "canary_duration_seconds_sum{rollout=\"checkout\",cohort=\"old\"} 1.5");
    check_form(text);
    free(text);
}

/* -- into a buffer, and into a callback -- */

static void buffers(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    uint64_t needed = 0;
    uint64_t size = 1;
    char *buffer;
    char *text;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    text = text_of(unit->store);
    FAILS(CANARY_E_FULL, "buffer", "bytes",
          canary_format_openmetrics(unit->store, NULL, 0, &needed, &error));
    assert_int_equal(needed, strlen(text));
    FAILS(CANARY_E_FULL, "buffer", "bytes",
          canary_format_openmetrics(unit->store, NULL, 100000, &size, &error));
    assert_int_equal(size, needed);
    buffer = malloc(needed + 1);
    assert_non_null(buffer);
    for (uint64_t capacity = 0; capacity <= needed; capacity += capacity + 1 < needed ? 97 : 1) {
        if (capacity + 97 > needed && capacity < needed) {
            capacity = needed;
        }
        memset(buffer, 'x', needed + 1);
        FAILS(CANARY_E_FULL, "buffer", "",
              canary_format_openmetrics(unit->store, buffer, capacity, &size, &error));
        assert_int_equal(size, needed);
        if (capacity > 0) {
            assert_int_equal(buffer[0], '\0');
        }
        assert_true(unit_all(buffer + capacity, needed + 1 - capacity, 'x'));
    }
    OK(canary_format_openmetrics(unit->store, buffer, needed + 1, &size, &error));
    assert_int_equal(size, needed);
    assert_string_equal(buffer, text);
    FAILS(CANARY_E_INVALID, "size", "",
          canary_format_openmetrics(unit->store, buffer, needed + 1, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "",
          canary_format_openmetrics(NULL, buffer, needed + 1, &size, &error));
    assert_int_equal(size, 0);
    assert_int_equal(buffer[0], '\0');
    FAILS(CANARY_E_INVALID, "write", "", canary_write_openmetrics(unit->store, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_write_openmetrics(NULL, keep, NULL, &error));
    free(buffer);
    free(text);
    canary_close(&ctx);
}

struct stopping {
    int calls;
    int stop_at;
};

static int stop(void *user_data, const char *text, uint64_t size) {
    struct stopping *stopping = user_data;

    assert_non_null(text);
    assert_true(size > 0);
    return ++stopping->calls == stopping->stop_at ? -7 : 0;
}

static void sinks_that_stop(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    struct stopping all = { 0, 0 };

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    OK(canary_write_openmetrics(unit->store, stop, &all, &error));
    assert_true(all.calls > 2);
    for (int i = 1; i <= all.calls; i++) {
        struct stopping some = { 0, i };

        FAILS(CANARY_E_REFUSED, "-7", "",
              canary_write_openmetrics(unit->store, stop, &some, &error));
        assert_int_equal(some.calls, i);
    }
    canary_close(&ctx);
}

/* No lock is held: everything that takes one can be called from there. */
static int use_store(void *user_data, const char *text, uint64_t size) {
    struct unit *unit = user_data;
    canary_ctx *ctx;
    char *inner;

    (void)text;
    (void)size;
    unit_set(unit, "checkout", 100);
    ctx = unit_open(unit, "checkout");
    (void)unit_info(ctx);
    record(ctx, CANARY_NEW, CANARY_STATUS_OK, 1);
    inner = text_of(unit->store);
    free(inner);
    canary_close(&ctx);
    return 0;
}

static void writing_holds_no_lock(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;

    unit_create(unit, "checkout");
    ctx = unit_open(unit, "checkout");
    alarm(60);
    OK(canary_write_openmetrics(unit->store, use_store, unit, &error));
    alarm(0);
    canary_close(&ctx);
}

/* The program's kill switch is asked without a lock, too. */
static int asks_back(void *user_data) {
    struct unit *unit = user_data;

    if (unit->store != NULL) {
        (void)canary_refresh(unit->store, NULL);
    }
    return 1;
}

static void kill_switch_without_a_lock(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_ctx *ctx = NULL;
    char *text;

    unit_create(unit, "checkout");
    options.kill_switch = asks_back;
    options.kill_switch_data = unit;
    OK(canary_open_in(unit->store, "checkout", &options, &ctx, &error));
    alarm(60);
    text = text_of(unit->store);
    alarm(0);
    HAS(text, "canary_kill_reason{rollout=\"checkout\",reason=\"hook\"} 1");
    free(text);
    canary_close(&ctx);
}

/* -- without memory -- */

struct heap {
    uint64_t bytes;
    int64_t left; /* allocations until the one that fails; -1 = none does */
};

static void *allocate(void *user_data, void *block, uint64_t old_size, uint64_t size) {
    struct heap *heap = user_data;
    void *moved;

    if (size == 0) {
        heap->bytes -= old_size;
        free(block);
        return NULL;
    }
    if (heap->left >= 0 && heap->left-- == 0) {
        return NULL;
    }
    moved = realloc(block, size);
    assert_non_null(moved);
    heap->bytes += size - (block != NULL ? old_size : 0);
    return moved;
}

static void without_memory(void **state) {
    struct heap heap = { 0, -1 };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *store = NULL;
    canary_ctx *contexts[3] = { NULL, NULL, NULL };
    canary_rollout_spec spec = { .size = sizeof spec };
    struct stopping none = { 0, 0 };
    uint64_t before;
    int failures = 0;

    (void)state;
    options.allocate = allocate;
    options.allocate_data = &heap;
    OK(canary_store_open_memory(&options, &store, &error));
    for (int i = 0; i < 3; i++) {
        spec.name = i < 2 ? "twice" : "once";
        if (i != 1) {
            OK(canary_create(store, &spec, NULL, NULL, &error));
        }
        OK(canary_open_in(store, spec.name, NULL, &contexts[i], &error));
        (void)declare(contexts[i], i == 0 ? "x" : "y", CANARY_METRIC_DURATION, NULL, 0, 0);
        measure_value(contexts[i], CANARY_OLD, 0, 1e6);
        record(contexts[i], CANARY_NEW, CANARY_STATUS_OK, 1000000);
    }
    before = heap.bytes;
    for (int64_t nth = 0;; nth++) {
        canary_error error = CANARY_ERROR_INIT;
        int code;
        int failed;

        heap.left = nth;
        code = canary_write_openmetrics(store, stop, &none, &error);
        failed = heap.left < 0;
        heap.left = -1;
        assert_int_equal(heap.bytes, before);
        if (!failed) {
            assert_int_equal(code, CANARY_OK);
            break;
        }
        assert_int_equal(code, CANARY_E_NOMEM);
        assert_int_equal(error.code, CANARY_E_NOMEM);
        assert_int_equal(none.calls, 0);
        failures++;
    }
    assert_true(failures > 5);
    for (int i = 0; i < 3; i++) {
        canary_close(&contexts[i]);
    }
    canary_store_close(&store);
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
        UNIT_MEMORY_ONLY(form),
        UNIT_MEMORY_ONLY(older_form),
        cmocka_unit_test(escaping),
        cmocka_unit_test(numbers),
        UNIT_MEMORY_ONLY(any_locale),
        UNIT_MEMORY_ONLY(buffers),
        UNIT_MEMORY_ONLY(sinks_that_stop),
        UNIT_BOTH(writing_holds_no_lock),
        UNIT_BOTH(kill_switch_without_a_lock),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
