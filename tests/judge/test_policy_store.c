/* SPDX-License-Identifier: MIT */
/* Policies in a store: held against a rollout, put in force, read back. */
#include "policies.h"

#include <stdio.h>
#include <stdlib.h>

static canary_error error = CANARY_ERROR_INIT;
static struct policies_told told;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != CANARY_OK)                                                                   \
            fail_msg("%s: %s", #call, error.message);                                              \
    } while (0)

static canary_store *open_store(void) {
    static const uint32_t stages[] = { 500, 2500, 10000 };
    static const int64_t dwell[] = { 0, 3600000000000, 0 };
    const canary_rollout_spec spec = { .size = (uint32_t)sizeof spec,
                                       .stage_count = 3,
                                       .name = "checkout",
                                       .stages_bp = stages,
                                       .dwell_ns = dwell };
    canary_store *store = NULL;

    OK(canary_store_open_memory(NULL, &store, &error));
    OK(canary_create(store, &spec, NULL, NULL, &error));
    return store;
}

static canary_import_row row_of(const char *metric, int kind, int cohort) {
    return (canary_import_row){ .size = (uint32_t)sizeof(canary_import_row),
                                .cohort = cohort,
                                .kind = kind,
                                .declare = 1,
                                .metric = metric,
                                .n = 1 };
}

/* A proportion "error", a duration "duration", a value "cost", a classification "quality". */
static void record(canary_store *store) {
    canary_import_row rows[8];
    canary_import_result results[8];

    for (int cohort = 0; cohort < 2; cohort++) {
        canary_import_row *four = rows + 4 * cohort;

        four[0] = row_of("error", 0, cohort);
        four[0].declare = 0;
        four[0].n = 100;
        four[0].k = 3;
        four[1] = row_of("duration", CANARY_METRIC_DURATION, cohort);
        four[1].declare = 0;
        four[1].value = 5e6;
        four[2] = row_of("cost", CANARY_METRIC_VALUE, cohort);
        four[2].value = 3;
        four[3] = row_of("quality", CANARY_METRIC_CLASSIFICATION, cohort);
        four[3].n = 0;
        four[3].tp = 5;
        four[3].fp = 1;
    }
    OK(canary_import(store, "checkout", "figures", rows, 8, results, NULL, &error));
    for (size_t i = 0; i < COUNT(results); i++) {
        if (results[i].code != CANARY_OK) {
            fail_msg("row %zu: %s", i, results[i].message);
        }
    }
}

static void remove_directory(const char *directory) {
    char command[96];

    snprintf(command, sizeof command, "rm -r '%s'", directory);
    assert_int_equal(system(command), 0);
}

static const char *check(canary_store *store, const char *text, uint32_t errors) {
    canary_policy *policy = policies_read(text);
    uint32_t counted = 99;

    told = (struct policies_told){ .size = 0 };
    OK(canary_policy_check(policy, store, "checkout", policies_tell, &told, &counted, &error));
    if (counted != errors) {
        fail_msg("%u errors: %s", counted, told.text);
    }
    canary_policy_close(&policy);
    return told.text;
}

static void set_is_refused(canary_store *store, const char *text, const char *words) {
    canary_policy *policy = policies_read(text);
    canary_rollout rollout = { .size = (uint32_t)sizeof rollout };

    assert_int_equal(canary_policy_set(store, "checkout", policy, NULL, NULL, &error),
                     CANARY_E_REFUSED);
    if (strstr(error.message, words) == NULL) {
        fail_msg("%s", error.message);
    }
    OK(canary_rollout_read(store, "checkout", &rollout, &error));
    assert_string_equal(rollout.policy, "");
    assert_int_equal(rollout.revision, 1);
    canary_policy_close(&policy);
}

static void ladders_must_agree(void **state) {
    static const struct {
        const char *text;
        const char *place;
        const char *words;
    } cases[] = {
        { TOP("\"stages\":[{\"percentage\":5},{\"percentage\":25}]"),
          "stages: ", "names 2 stages above 0; \"checkout\" has 3" },
        { TOP("\"stages\":[{\"percentage\":5},{\"percentage\":20},{\"percentage\":100}]"),
          "stages[1]: ", "is at 20.00 %; stage 2 of \"checkout\" is at 25.00 %" },
        { TOP("\"stages\":[{\"percentage\":5,\"name\":\"FIRST\"},{\"percentage\":25},"
              "{\"percentage\":100}]"),
          "stages[0]: ", "is named \"FIRST\"; stage 1 of \"checkout\" is \"STAGE_1\"" },
        { RULE("\"metric\":\"error\",\"above\":0.1,\"window\":\"1m\",\"action\":\"hold\","
               "\"stages\":[1,4]"),
          "rules[0].stages: ", "names stage 4; the highest of \"checkout\" is 3" },
    };
    canary_store *store = open_store();

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = check(store, cases[i].text, 1);

        assert_int_equal(strncmp(text, cases[i].place, strlen(cases[i].place)), 0);
        assert_non_null(strstr(text, cases[i].words));
        set_is_refused(store, cases[i].text, cases[i].words);
    }
    assert_non_null(strstr(check(store,
                                 RULE("\"metric\":\"error\",\"above\":0.1,\"window\":\"1m\","
                                      "\"action\":\"hold\",\"stages\":[1,3]"),
                                 0),
                           "nothing was recorded yet"));
    check(store,
          TOP("\"stages\":[{\"percentage\":5,\"name\":\"STAGE_1\",\"dwell\":\"1h\"},"
              "{\"percentage\":25},{\"percentage\":100}]"),
          0);
    canary_store_close(&store);
}

static void kinds_must_agree(void **state) {
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        { RULE("\"metric\":\"cost\",\"statistic\":\"rate\",\"above\":0.1,\"window\":\"1m\","
               "\"action\":\"hold\""),
          "rules[0].statistic: does not fit \"cost\", which is recorded as a value" },
        { RULE("\"metric\":\"cost\",\"statistic\":\"mean\",\"above\":\"5s\",\"window\":\"1m\","
               "\"action\":\"hold\""),
          "rules[0].above: does not fit \"cost\", which is recorded as a value" },
        { RULES(SOUND ",{\"name\":\"b\",\"metric\":\"quality\",\"statistic\":\"p95\",\"against\":"
                      "\"old\",\"above\":2,\"action\":\"hold\"}"),
          "rules[1].statistic: does not fit \"quality\", which is recorded as a classification" },
    };
    canary_store *store = open_store();

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_non_null(strstr(check(store, cases[i].text, 0), "nothing was recorded yet"));
    }
    record(store);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_non_null(strstr(check(store, cases[i].text, 1), cases[i].words));
        set_is_refused(store, cases[i].text, cases[i].words);
    }
    canary_store_close(&store);
}

static void what_looks_wrong_is_told_and_stops_nobody(void **state) {
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        { RULE("\"metric\":\"hits\",\"statistic\":\"rate\",\"below\":0.1,\"window\":\"1m\","
               "\"action\":\"hold\""),
          "rules[0].metric: nobody has recorded \"hits\", but other metrics" },
        { RULE("\"metric\":\"cost\",\"statistic\":\"mean\",\"above\":2,\"window\":\"1m\","
               "\"against\":\"baseline\",\"action\":\"hold\""),
          "rules[0].against: no baseline was captured" },
        { RULE("\"metric\":\"duration\",\"statistic\":\"p95\",\"above\":\"600ms\",\"window\":"
               "\"1m\",\"action\":\"hold\""),
          "rules[0].above: \"duration\" is not compared with 600 ms exactly" },
        { RULE("\"metric\":\"error\",\"against\":\"old\",\"above\":1.05,\"action\":\"hold\""),
          "rules[0].above: above 1.05 is a thin margin" },
        { RULE("\"metric\":\"error\",\"against\":\"old\",\"below\":1,\"action\":\"require\""),
          "rules[0].below: below 1 leaves no margin" },
        { RULE("\"metric\":\"error\",\"against\":\"old\",\"above\":1.5,\"action\":\"rollback\""),
          "rules: nothing rolls back before the design effect is measured" },
        { RULE("\"metric\":\"error\",\"against\":\"old\",\"above\":0.5,\"action\":\"hold\""),
          "rules[0].above: above 0.5 fires for a release that is the same" },
        { RULE("\"metric\":\"error\",\"below\":0.01,\"window\":\"1m\",\"action\":\"rollback\""),
          "rules[0].below: error fires when it gets better" },
        { RULE("\"metric\":\"duration\",\"statistic\":\"mean\",\"against\":\"old\",\"above\":1.2,"
               "\"action\":\"require\""),
          "rules[0].above: an advance requires that it gets worse" },
        { TOP("\"mode\":\"auto\""), "mode: \"auto\" advances from stage 1 at once" },
    };
    canary_store *store = open_store();

    (void)state;
    record(store);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = check(store, cases[i].text, 0);
        canary_policy *policy = policies_read(cases[i].text);

        if (strstr(text, cases[i].words) == NULL || strchr(text, '\n')[1] != '\0') {
            fail_msg("expected %s\nfound %s", cases[i].words, text);
        }
        OK(canary_policy_set(store, "checkout", policy, NULL, NULL, &error));
        canary_policy_close(&policy);
    }
    assert_string_equal(check(store,
                              RULES("{\"name\":\"proof\",\"metric\":\"error\",\"against\":\"old\","
                                    "\"above\":1.5,\"action\":\"rollback\"}," SOUND),
                              0),
                        "");
    canary_store_close(&store);
}

static void a_baseline_of_other_metrics_is_told(void **state) {
    static const char text[] =
        RULE("\"metric\":\"hits\",\"statistic\":\"rate\",\"below\":0.9,\"window\":\"1m\","
             "\"against\":\"baseline\",\"action\":\"hold\"");
    static const char captured[] =
        RULE("\"metric\":\"cost\",\"statistic\":\"mean\",\"above\":2,\"window\":\"1m\","
             "\"against\":\"baseline\",\"action\":\"hold\"");
    canary_store *store = open_store();

    (void)state;
    record(store);
    OK(canary_baseline_capture(store, "checkout", 0, 0, NULL, NULL, &error));
    assert_non_null(strstr(check(store, text, 0),
                           "rules[0].against: the baseline holds no \"hits\"; the rule says"));
    assert_string_equal(check(store, captured, 0), "");
    canary_store_close(&store);
}

#define P95_ABOVE(limit)                                                                           \
    RULE("\"metric\":\"duration\",\"statistic\":\"p95\",\"above\":\"" limit                        \
         "\",\"window\":\"1m\",\"action\":\"hold\"")

static void declared_thresholds_are_known(void **state) {
    static const int64_t thresholds_ns[] = { 100000000, 600000000, 4000000000 };
    canary_metric metric = CANARY_METRIC_INIT;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    canary_store *store = open_store();
    canary_ctx *ctx = NULL;
    int32_t handle;

    (void)state;
    metric.kind = CANARY_METRIC_DURATION;
    metric.name = "duration";
    metric.thresholds_ns = thresholds_ns;
    metric.threshold_count = COUNT(thresholds_ns);
    outcome.duration_ns = 5000000;
    OK(canary_open_in(store, "checkout", NULL, &ctx, &error));
    OK(canary_metric_declare(ctx, &metric, &handle, &error));
    OK(canary_record_cohort(ctx, CANARY_NEW, &outcome));
    OK(canary_flush(store, &error));
    assert_string_equal(check(store, P95_ABOVE("100ms"), 0), "");
    assert_string_equal(check(store, P95_ABOVE("0.6s"), 0), "");
    assert_string_equal(check(store, P95_ABOVE("4s"), 0), "");
    assert_non_null(strstr(check(store, P95_ABOVE("601ms"), 0), "not compared with 601 ms"));
    canary_close(&ctx);
    canary_store_close(&store);
}

/* Stage 1 of the ladder has no dwell time, stage 2 an hour. */
static void auto_needs_a_reason_to_stay(void **state) {
    canary_store *store = open_store();

    (void)state;
    record(store);
    assert_string_equal(
        check(store,
              TOP("\"mode\":\"auto\",\"stages\":[{\"percentage\":5,\"dwell\":\"1m\"},"
                  "{\"percentage\":25},{\"percentage\":100}]"),
              0),
        "");
    assert_string_equal(check(store,
                              "{\"policy\":1,\"name\":\"x\",\"mode\":\"auto\",\"rules\":[{\"name\":"
                              "\"a\",\"metric\":\"error\",\"below\":0.1,\"window\":\"1m\","
                              "\"action\":\"require\",\"stages\":[1]}]}",
                              0),
                        "");
    assert_non_null(strstr(check(store,
                                 "{\"policy\":1,\"name\":\"x\",\"mode\":\"auto\",\"rules\":[{"
                                 "\"name\":\"a\",\"metric\":\"error\",\"below\":0.1,\"window\":"
                                 "\"1m\",\"action\":\"require\",\"stages\":[2]}]}",
                                 0),
                           "advances from stage 1 at once"));
    canary_store_close(&store);
}

static void a_policy_comes_back_as_it_was(void **state) {
    static const char text[] = " { \"policy\": 1, \"name\": \"first\", \"rules\": [" SOUND "] }\n";
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    canary_change change = { .size = (uint32_t)sizeof change };
    canary_rollout rollout = { .size = (uint32_t)sizeof rollout };
    canary_store *store = open_store();
    canary_policy *first = policies_read(text);
    canary_policy *second = policies_read(RULES(SOUND));
    canary_policy *loaded = NULL;
    uint64_t size;

    (void)state;
    assert_int_equal(canary_policy_load(store, "checkout", NULL, &loaded, &error),
                     CANARY_E_NOT_FOUND);
    assert_null(loaded);
    options.by = "ann";
    options.note = "why";
    options.flags = CANARY_CHANGE_DRY_RUN;
    OK(canary_policy_set(store, "checkout", first, &options, &change, &error));
    assert_int_equal(canary_policy_load(store, "checkout", NULL, &loaded, &error),
                     CANARY_E_NOT_FOUND);
    options.flags = 0;
    OK(canary_policy_set(store, "checkout", first, &options, &change, &error));
    assert_string_equal(change.action, "policy");
    assert_string_equal(change.by, "ann");
    assert_string_equal(change.note, "why");
    OK(canary_policy_set(store, "checkout", second, NULL, NULL, &error));
    OK(canary_rollout_read(store, "checkout", &rollout, &error));
    assert_string_equal(rollout.policy, second->digest);
    OK(canary_policy_load(store, "checkout", NULL, &loaded, &error));
    assert_string_equal(loaded->digest, second->digest);
    canary_policy_close(&loaded);
    OK(canary_policy_load(store, "checkout", first->digest, &loaded, &error));
    assert_string_equal(canary_policy_text(loaded, &size), text);
    assert_int_equal(size, strlen(text));
    canary_policy_close(&loaded);
    options.expected_revision = 1;
    assert_int_equal(canary_policy_set(store, "checkout", first, &options, &change, &error),
                     CANARY_E_CONFLICT);
    assert_int_equal(canary_policy_set(store, "nothing", first, NULL, NULL, &error),
                     CANARY_E_NOT_FOUND);
    assert_int_equal(canary_policy_load(store, "checkout", "abc", &loaded, &error),
                     CANARY_E_INVALID);
    assert_int_equal(canary_policy_set(NULL, "checkout", first, NULL, NULL, &error),
                     CANARY_E_INVALID);
    assert_int_equal(canary_policy_set(store, "checkout", NULL, NULL, NULL, &error),
                     CANARY_E_INVALID);
    assert_int_equal(canary_policy_set(store, NULL, first, NULL, NULL, &error), CANARY_E_INVALID);
    assert_int_equal(canary_policy_load(NULL, "checkout", NULL, &loaded, &error), CANARY_E_INVALID);
    assert_int_equal(canary_policy_load(store, "checkout", NULL, NULL, &error), CANARY_E_INVALID);
    assert_int_equal(canary_policy_check(NULL, store, "checkout", NULL, NULL, NULL, &error),
                     CANARY_E_INVALID);
    assert_int_equal(canary_policy_check(first, NULL, "checkout", NULL, NULL, NULL, &error),
                     CANARY_E_INVALID);
    assert_int_equal(canary_policy_check(first, store, "nothing", NULL, NULL, NULL, &error),
                     CANARY_E_NOT_FOUND);
    OK(canary_policy_check(first, store, "checkout", NULL, NULL, NULL, &error));
    canary_policy_close(&first);
    canary_policy_close(&second);
    canary_store_close(&store);
}

/* Metrics that cannot be read keep nobody from a stricter policy. */
static void figures_may_be_away(void **state) {
    static const uint32_t stages[] = { 500 };
    const canary_rollout_spec spec = {
        .size = (uint32_t)sizeof spec, .stage_count = 1, .name = "checkout", .stages_bp = stages
    };
    char directory[] = "/tmp/canary-policy-XXXXXX";
    canary_options options = CANARY_OPTIONS_INIT;
    canary_policy *policy = policies_read(RULES(SOUND));
    canary_policy *other = policies_read(TOP("\"stages\":[{\"percentage\":6}]"));
    canary_error none = CANARY_ERROR_INIT;
    canary_store *store = NULL;
    char path[80];
    char metrics[96];
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/app.db", directory);
    snprintf(metrics, sizeof metrics, "%s-metrics", path);
    options.flags = CANARY_OPEN_CREATE | CANARY_OPEN_NO_WATCHER;
    OK(canary_store_open(path, &options, &store, &error));
    OK(canary_create(store, &spec, NULL, NULL, &error));
    file = fopen(metrics, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++) {
        fputs("this is no database, ", file);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(canary_policy_check(policy, store, "checkout", NULL, NULL, NULL, &error),
                     CANARY_E_NOT_A_STORE);
    assert_int_equal(canary_policy_set(store, "checkout", policy, NULL, NULL, &none), CANARY_OK);
    assert_int_equal(none.code, CANARY_OK);
    assert_string_equal(none.message, "");
    assert_int_equal(canary_policy_set(store, "checkout", other, NULL, NULL, &error),
                     CANARY_E_REFUSED);
    canary_store_close(&store);
    canary_policy_close(&policy);
    canary_policy_close(&other);
    remove_directory(directory);
}

/* Somebody else may put any text there, or a later version of the library. */
static void a_text_that_is_no_policy_is_told_apart(void **state) {
    static const char text[] = "{\"policy\":2}";
    canary_store *store = open_store();
    canary_policy *loaded = NULL;

    (void)state;
    OK(canary_rollout_policy_set(store, "checkout", text, strlen(text), NULL, NULL, &error));
    assert_int_equal(canary_policy_load(store, "checkout", NULL, &loaded, &error),
                     CANARY_E_INVALID);
    assert_string_equal(error.message, "the policy of \"checkout\" in the store: policy: 2 is no "
                                       "version of the format that this library reads; 1 is");
    assert_null(loaded);
    canary_store_close(&store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ladders_must_agree),
        cmocka_unit_test(kinds_must_agree),
        cmocka_unit_test(what_looks_wrong_is_told_and_stops_nobody),
        cmocka_unit_test(a_baseline_of_other_metrics_is_told),
        cmocka_unit_test(declared_thresholds_are_known),
        cmocka_unit_test(auto_needs_a_reason_to_stay),
        cmocka_unit_test(a_policy_comes_back_as_it_was),
        cmocka_unit_test(figures_may_be_away),
        cmocka_unit_test(a_text_that_is_no_policy_is_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
