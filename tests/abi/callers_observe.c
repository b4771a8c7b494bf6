/* SPDX-License-Identifier: MIT */
/* Programs of another age that record outcomes and read figures. As callers.c. */
#include <canary/canary.h>

#include "ages.h"

/* Sizes of 0.1. */
enum { FIRST_RECORDING_INFO = 648 };

static canary_store *store;
static canary_ctx *ctx;

static int setup(void **state) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = "checkout" };

    (void)state;
    return canary_store_open_memory(NULL, &store, NULL) != 0 ||
           canary_create(store, &spec, NULL, NULL, NULL) != 0 ||
           canary_set_percentage(store, "checkout", 5000, NULL, NULL, NULL, NULL) != 0 ||
           canary_open_in(store, "checkout", NULL, &ctx, NULL) != 0;
}

static int teardown(void **state) {
    (void)state;
    canary_close(&ctx);
    canary_store_close(&store);
    return 0;
}

static canary_recording_info recording(void) {
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;

    assert_int_equal(canary_recording(ctx, &info), 0);
    return info;
}

static void outcomes_of_every_age(void **state) {
    canary_outcome known = CANARY_OUTCOME_INIT;
    canary_decision decision = CANARY_DECISION_INIT;
    unsigned char *future;

    (void)state;
    known.duration_ns = 1000000;
    canary_explain(ctx, "alice", 5, &decision);
    assert_int_equal(canary_record(ctx, input(&decision, sizeof decision, sizeof decision),
                                   input(&known, sizeof known, sizeof known)),
                     0);
    assert_int_equal(canary_record(ctx, input(&decision, sizeof decision, sizeof decision + FUTURE),
                                   input(&known, sizeof known, sizeof known + FUTURE)),
                     0);
    assert_int_equal(recording().outcomes, 2);
    future = input(&known, sizeof known, sizeof known + FUTURE);
    future[sizeof known] = 1; /* asks for something this library cannot do */
    assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, (void *)future), CANARY_E_INVALID);
    assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, too_small()), CANARY_E_INVALID);
    assert_int_equal(canary_record(ctx, too_small(), &known), CANARY_E_INVALID);
    assert_int_equal(recording().rejected[CANARY_REJECTED_ARGUMENT], 3);
}

static void metrics_of_every_age(void **state) {
    canary_metric known = CANARY_METRIC_INIT;
    unsigned char *future;
    int32_t handle = -2;
    int32_t again = -2;

    (void)state;
    known.kind = CANARY_METRIC_VALUE;
    known.name = "cost";
    assert_int_equal(
        canary_metric_declare(ctx, input(&known, sizeof known, sizeof known), &handle, NULL), 0);
    assert_int_equal(canary_metric_declare(ctx, input(&known, sizeof known, sizeof known + FUTURE),
                                           &again, NULL),
                     0);
    assert_int_equal(handle, again);
    future = input(&known, sizeof known, sizeof known + FUTURE);
    future[sizeof known + 3] = 1;
    assert_int_equal(canary_metric_declare(ctx, (void *)future, NULL, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_metric_declare(ctx, too_small(), NULL, NULL), CANARY_E_INVALID);
}

static void recordings_of_every_age(void **state) {
    static const size_t ages[] = { FIRST_RECORDING_INFO, sizeof(canary_recording_info),
                                   sizeof(canary_recording_info) + FUTURE };
    canary_recording_info reference;

    (void)state;
    assert_int_equal(canary_record_cohort(ctx, CANARY_OLD, &(canary_outcome)CANARY_OUTCOME_INIT),
                     0);
    reference = recording();
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        void *info = result(ages[i]);

        assert_int_equal(canary_recording(ctx, info), 0);
        assert_filled_like(info, ages[i], &reference, sizeof reference);
    }
    assert_int_equal(canary_recording(ctx, too_small()), CANARY_E_INVALID);
}

static int count_row(void *user_data, const canary_metrics_row *row) {
    int *rows = user_data;

    assert_true(row->size >= sizeof *row);
    assert_true(row->old_cohort->size >= sizeof *row->old_cohort);
    (*rows)++;
    return 0;
}

static void readings_of_every_age(void **state) {
    canary_metrics_query known = CANARY_METRICS_QUERY_INIT;
    canary_metrics_report reference = { .size = sizeof reference };
    canary_exposure exposure = CANARY_EXPOSURE_INIT;
    unsigned char *future;
    int rows = 0;

    (void)state;
    assert_int_equal(canary_record_cohort(ctx, CANARY_OLD, &(canary_outcome)CANARY_OUTCOME_INIT),
                     0);
    assert_int_equal(canary_flush(store, NULL), 0);
    assert_int_equal(canary_metrics(store, "checkout", &known, count_row, &rows, &reference, NULL),
                     0);
    assert_true(rows > 0);
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        void *report = result(sizeof reference + extra);
        void *out = result(sizeof exposure + extra);

        assert_int_equal(canary_metrics(store, "checkout",
                                        input(&known, sizeof known, sizeof known + extra),
                                        count_row, &rows, report, NULL),
                         0);
        assert_filled_like(report, sizeof reference + extra, &reference, sizeof reference);
        assert_int_equal(canary_exposure_read(store, "checkout", NULL, &exposure, NULL), 0);
        assert_int_equal(canary_exposure_read(store, "checkout",
                                              input(&known, sizeof known, sizeof known + extra),
                                              out, NULL),
                         0);
        assert_filled_like(out, sizeof exposure + extra, &exposure, sizeof exposure);
    }
    future = input(&known, sizeof known, sizeof known + FUTURE);
    future[sizeof known] = 1;
    assert_int_equal(
        canary_metrics(store, "checkout", (void *)future, count_row, &rows, NULL, NULL),
        CANARY_E_INVALID);
    assert_int_equal(canary_metrics(store, "checkout", too_small(), count_row, &rows, NULL, NULL),
                     CANARY_E_INVALID);
}

/* Rows lie one behind the other in the size that their caller knows. */
static void imports_of_every_age(void **state) {
    (void)state;
    for (size_t extra = 0; extra <= FUTURE; extra += FUTURE) {
        size_t size = sizeof(canary_import_row) + extra;
        unsigned char *rows = exact(2 * size);
        canary_import_result results[2] = { { 0 } };

        memset(rows, 0, 2 * size);
        for (int i = 0; i < 2; i++) {
            canary_import_row row = { .size = (uint32_t)size,
                                      .cohort = CANARY_NEW,
                                      .metric = "error",
                                      .n = 100,
                                      .k = (uint64_t)i };

            memcpy(rows + (size_t)i * size, &row, sizeof row);
        }
        assert_int_equal(
            canary_import(store, "checkout", NULL, (void *)rows, 2, results, NULL, NULL), 0);
        assert_int_equal(results[0].code, 0);
        assert_int_equal(results[1].code, 0);
        rows[size - 1 + size] = extra > 0; /* in the last byte of the second row */
        if (extra > 0) {
            assert_int_equal(
                canary_import(store, "checkout", NULL, (void *)rows, 2, results, NULL, NULL),
                CANARY_E_INVALID);
        }
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(outcomes_of_every_age), TEST(metrics_of_every_age), TEST(recordings_of_every_age),
        TEST(readings_of_every_age), TEST(imports_of_every_age),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
