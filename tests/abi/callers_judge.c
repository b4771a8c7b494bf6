/* SPDX-License-Identifier: MIT */
/* Programs of another age that keep documents and let releases be judged. As callers.c. */
#include <canary/document.h>
#include <canary/judge.h>

#include "ages.h"

static const char rules[] =
    "{\"policy\": 1, \"name\": \"p\", \"rules\": [{\"name\": \"high\", \"metric\": \"error\", "
    "\"above\": \"5%\", \"window\": \"1m\", \"action\": \"rollback\"}]}";

static canary_store *store;
static canary_ctx *ctx;
static canary_policy *policy;

static int setup(void **state) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = "checkout" };

    (void)state;
    return canary_store_open_memory(NULL, &store, NULL) != 0 ||
           canary_create(store, &spec, NULL, NULL, NULL) != 0 ||
           canary_set_percentage(store, "checkout", 5000, NULL, NULL, NULL, NULL) != 0 ||
           canary_policy_parse(rules, sizeof rules - 1, &policy, NULL, NULL, NULL) != 0 ||
           canary_policy_set(store, "checkout", policy, NULL, NULL, NULL) != 0 ||
           canary_open_in(store, "checkout", NULL, &ctx, NULL) != 0;
}

static int teardown(void **state) {
    (void)state;
    canary_policy_close(&policy);
    canary_close(&ctx);
    canary_store_close(&store);
    return 0;
}

/* Documents lie one behind the other in the size that their caller knows. */
static void documents_of_every_age(void **state) {
    (void)state;
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        size_t size = sizeof(canary_document) + extra;
        unsigned char *rows = exact(2 * size);

        memset(rows, 0, 2 * size);
        for (size_t i = 0; i < 2; i++) {
            canary_document one = CANARY_DOCUMENT_INIT;

            one.size = (uint32_t)size;
            one.name = i == 0 ? "a" : "b";
            one.data = "x";
            one.data_size = 1;
            memcpy(rows + i * size, &one, sizeof one);
        }
        assert_int_equal(canary_document_write(store, "checkout", (void *)rows, 2, NULL), 0);
        rows[2 * size - 1] = extra > 0; /* in the last byte of the second one */
        if (extra > 0) {
            assert_int_equal(canary_document_write(store, "checkout", (void *)rows, 2, NULL),
                             CANARY_E_INVALID);
        }
    }
    assert_int_equal(canary_document_write(store, "checkout", too_small(), 1, NULL),
                     CANARY_E_INVALID);
}

static int count_document(void *user_data, const canary_document *document) {
    assert_true(document->size >= sizeof *document);
    ++*(int *)user_data;
    return 0;
}

static void queries_of_every_age(void **state) {
    canary_document_query known = CANARY_DOCUMENT_QUERY_INIT;
    canary_document one = CANARY_DOCUMENT_INIT;
    int count = 0;

    (void)state;
    one.name = "a";
    one.data = "x";
    one.data_size = 1;
    assert_int_equal(canary_document_write(store, "checkout", &one, 1, NULL), 0);
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        assert_int_equal(canary_document_list(store, "checkout",
                                              input(&known, sizeof known, sizeof known + extra),
                                              count_document, &count, NULL, NULL),
                         0);
    }
    assert_int_equal(count, 2);
    assert_int_equal(
        canary_document_list(store, "checkout", too_small(), count_document, &count, NULL, NULL),
        CANARY_E_INVALID);
}

static void counts_of_every_age(void **state) {
    canary_cohort_counts reference = CANARY_COHORT_COUNTS_INIT;

    (void)state;
    canary_record_cohort(ctx, CANARY_NEW, &(canary_outcome)CANARY_OUTCOME_INIT);
    assert_int_equal(canary_counts(ctx, &reference), 0);
    assert_int_equal(reference.outcomes[CANARY_NEW], 1);
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        void *out = result(sizeof reference + extra);

        assert_int_equal(canary_counts(ctx, out), 0);
        assert_filled_like(out, sizeof reference + extra, &reference, sizeof reference);
    }
    assert_int_equal(canary_counts(ctx, too_small()), CANARY_E_INVALID);
}

static void policies_of_every_age(void **state) {
    canary_policy_info reference = CANARY_POLICY_INFO_INIT;

    (void)state;
    assert_int_equal(canary_policy_describe(policy, &reference), 0);
    assert_string_equal(reference.name, "p");
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        void *out = result(sizeof reference + extra);

        assert_int_equal(canary_policy_describe(policy, out), 0);
        assert_filled_like(out, sizeof reference + extra, &reference, sizeof reference);
    }
    assert_int_equal(canary_policy_describe(policy, too_small()), CANARY_E_INVALID);
}

static void guards_of_every_age(void **state) {
    canary_guard_options known = CANARY_GUARD_OPTIONS_INIT;
    unsigned char *future;

    (void)state;
    known.rollout = "checkout";
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        assert_int_equal(
            canary_guard_once(store, input(&known, sizeof known, sizeof known + extra), NULL), 0);
    }
    future = input(&known, sizeof known, sizeof known + FUTURE);
    future[sizeof known] = 1; /* asks for something this library cannot do */
    assert_int_equal(canary_guard_once(store, (void *)future, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_guard_once(store, too_small(), NULL), CANARY_E_INVALID);
}

static void breakers_of_every_age(void **state) {
    canary_breaker_options known = CANARY_BREAKER_OPTIONS_INIT;
    canary_breaker *breaker = NULL;
    unsigned char *future;

    (void)state;
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        canary_breaker_info *info = result(sizeof *info + extra);

        assert_int_equal(canary_breaker_start(ctx,
                                              input(&known, sizeof known, sizeof known + extra),
                                              &breaker, NULL),
                         0);
        assert_int_equal(canary_breaker_read(breaker, info), 0);
        assert_int_equal(info->size, sizeof *info + extra);
        assert_int_equal(info->state, CANARY_BREAKER_CLOSED);
        assert_int_equal(canary_breaker_read(breaker, too_small()), CANARY_E_INVALID);
        canary_breaker_stop(&breaker);
    }
    future = input(&known, sizeof known, sizeof known + FUTURE);
    future[sizeof known] = 1;
    assert_int_equal(canary_breaker_start(ctx, (void *)future, &breaker, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_breaker_start(ctx, too_small(), &breaker, NULL), CANARY_E_INVALID);
}

static int swallow(void *user_data, const char *text, uint64_t size) {
    (void)text;
    *(uint64_t *)user_data += size;
    return 0;
}

static void reports_of_every_age(void **state) {
    canary_report_options known = CANARY_REPORT_OPTIONS_INIT;
    unsigned char *future;
    uint64_t written = 0;

    (void)state;
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        assert_int_equal(canary_report(store, "checkout",
                                       input(&known, sizeof known, sizeof known + extra), swallow,
                                       &written, NULL),
                         0);
    }
    assert_true(written > 0);
    future = input(&known, sizeof known, sizeof known + FUTURE);
    future[sizeof known] = 1;
    assert_int_equal(canary_report(store, "checkout", (void *)future, swallow, &written, NULL),
                     CANARY_E_INVALID);
    assert_int_equal(canary_report(store, "checkout", too_small(), swallow, &written, NULL),
                     CANARY_E_INVALID);
}

static void plans_of_every_age(void **state) {
    canary_plan known = CANARY_PLAN_INIT;
    canary_plan_answer reference = CANARY_PLAN_ANSWER_INIT;
    unsigned char *future;

    (void)state;
    known.base_rate = 0.01;
    known.share = 0.05;
    known.ratio = 2;
    assert_int_equal(canary_plan_compute(&known, &reference, NULL), 0);
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        void *out = result(sizeof reference + extra);

        assert_int_equal(
            canary_plan_compute(input(&known, sizeof known, sizeof known + extra), out, NULL), 0);
        assert_filled_like(out, sizeof reference + extra, &reference, sizeof reference);
    }
    future = input(&known, sizeof known, sizeof known + FUTURE);
    future[sizeof known] = 1;
    assert_int_equal(canary_plan_compute((void *)future, &reference, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_plan_compute(too_small(), &reference, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_plan_compute(&known, too_small(), NULL), CANARY_E_INVALID);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(documents_of_every_age), TEST(queries_of_every_age), TEST(counts_of_every_age),
        TEST(policies_of_every_age),  TEST(guards_of_every_age),  TEST(breakers_of_every_age),
        TEST(reports_of_every_age),   TEST(plans_of_every_age),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
