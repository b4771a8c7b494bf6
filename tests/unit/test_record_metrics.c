/* SPDX-License-Identifier: MIT */
/* Recording metrics of one's own: declared, measured, and that gathering loses and doubles nothing. */
#include "recorded.h"

#include <math.h>

static void test_declaring(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    const int64_t thresholds[] = { 600000000, 5000, 1000000000 };
    canary_metric m = recorded_metric(CANARY_METRIC_PROPORTION, "cache_hit");
    char name[80];
    int32_t handle = -7;
    int32_t found = -7;

    handle = recorded_declare(ctx, &m);
    assert_int_equal(recorded_declare(ctx, &m), handle);
    assert_int_equal(canary_metric_find(ctx, "cache_hit", &found), CANARY_OK);
    assert_int_equal(found, handle);
    assert_int_equal(canary_metric_find(ctx, "nothing", &found), CANARY_E_NOT_FOUND);
    m.kind = CANARY_METRIC_VALUE;
    FAILS(CANARY_E_CONFLICT, "cache_hit", "proportion",
          canary_metric_declare(ctx, &m, NULL, &error));
    m = recorded_metric(6, "x");
    FAILS(CANARY_E_INVALID, "kind 6", "1 to 5", canary_metric_declare(ctx, &m, NULL, &error));
    for (const char *const *bad =
             (const char *const[]){ "", "Upper", "9lives", "a-b", "a b", NULL };
         *bad != NULL; bad++) {
        m = recorded_metric(CANARY_METRIC_VALUE, *bad);
        FAILS(CANARY_E_INVALID, *bad, "a-z 0-9 _", canary_metric_declare(ctx, &m, NULL, &error));
    }
    memset(name, 'a', 64);
    name[64] = '\0';
    m = recorded_metric(CANARY_METRIC_VALUE, name);
    FAILS(CANARY_E_INVALID, "62 more", "", canary_metric_declare(ctx, &m, NULL, &error));
    m = recorded_metric(CANARY_METRIC_PROPORTION, "error");
    FAILS(CANARY_E_INVALID, "\"error\"", "built in", canary_metric_declare(ctx, &m, NULL, &error));
    m = recorded_metric(CANARY_METRIC_SCORE, "quality");
    FAILS(CANARY_E_INVALID, "quality", "needs a range",
          canary_metric_declare(ctx, &m, NULL, &error));
    m.minimum = 1;
    m.maximum = 1;
    FAILS(CANARY_E_INVALID, "1 to 1", "below", canary_metric_declare(ctx, &m, NULL, &error));
    m.maximum = (double)NAN;
    FAILS(CANARY_E_INVALID, "nan", "below", canary_metric_declare(ctx, &m, NULL, &error));
    m.maximum = 1e12;
    FAILS(CANARY_E_INVALID, "2^47", "coarser", canary_metric_declare(ctx, &m, NULL, &error));
    m.maximum = 5;
    m.resolution = -1;
    FAILS(CANARY_E_INVALID, "resolution -1", "positive",
          canary_metric_declare(ctx, &m, NULL, &error));
    m = recorded_metric(CANARY_METRIC_VALUE, "cost");
    m.unit = "US Dollar";
    FAILS(CANARY_E_INVALID, "US Dollar", "a-z 0-9 _", canary_metric_declare(ctx, &m, NULL, &error));
    m.unit = "usd";
    m.thresholds_ns = thresholds;
    m.threshold_count = 3;
    FAILS(CANARY_E_INVALID, "3 thresholds", "durations",
          canary_metric_declare(ctx, &m, NULL, &error));
    m = recorded_metric(CANARY_METRIC_DURATION, "duration");
    m.thresholds_ns = thresholds;
    m.threshold_count = 3;
    assert_int_equal(recorded_declare(ctx, &m), -1);
    assert_int_equal(recorded_declare(ctx, &m), -1);
    m.threshold_count = 2;
    FAILS(CANARY_E_CONFLICT, "thresholds", "", canary_metric_declare(ctx, &m, NULL, &error));
    m.thresholds_ns = (const int64_t[]){ 7, 7 };
    FAILS(CANARY_E_INVALID, "7 ns", "twice", canary_metric_declare(ctx, &m, NULL, &error));
    m.thresholds_ns = (const int64_t[]){ 7, 0 };
    FAILS(CANARY_E_INVALID, "0 ns", "1 ns", canary_metric_declare(ctx, &m, NULL, &error));
    for (int i = 1; i < CANARY_METRICS_MAX; i++) {
        snprintf(name, sizeof name, "metric_%d", i);
        m = recorded_metric(CANARY_METRIC_PROPORTION, name);
        assert_int_equal(recorded_declare(ctx, &m), i);
    }
    m = recorded_metric(CANARY_METRIC_PROPORTION, "one_more");
    FAILS(CANARY_E_REFUSED, "one_more", "32", canary_metric_declare(ctx, &m, NULL, &error));
    FAILS(CANARY_E_INVALID, "ctx", "", canary_metric_declare(NULL, &m, NULL, &error));
    FAILS(CANARY_E_INVALID, "NULL", "", canary_metric_declare(ctx, NULL, NULL, &error));
    canary_close(&ctx);
}

static int measure(canary_ctx *ctx, canary_measurement measurement) {
    canary_outcome o = recorded_outcome(CANARY_STATUS_OK, CANARY_NOT_MEASURED);

    o.measurements = &measurement;
    o.measurement_count = 1;
    return canary_record_cohort(ctx, CANARY_NEW, &o);
}

static void test_measurements(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_metric m = recorded_metric(CANARY_METRIC_PROPORTION, "hit");
    int32_t hit = recorded_declare(ctx, &m);
    int32_t cost;
    int32_t score;
    int32_t f1;
    int32_t inner;
    struct canary__sheet sheet;
    const struct canary__tally *tally;

    m = recorded_metric(CANARY_METRIC_VALUE, "cost");
    cost = recorded_declare(ctx, &m);
    m = recorded_metric(CANARY_METRIC_SCORE, "quality");
    m.maximum = 5;
    score = recorded_declare(ctx, &m);
    m = recorded_metric(CANARY_METRIC_CLASSIFICATION, "f1");
    f1 = recorded_declare(ctx, &m);
    m = recorded_metric(CANARY_METRIC_DURATION, "inner");
    m.thresholds_ns = (const int64_t[]){ 2000, 1000 };
    m.threshold_count = 2;
    inner = recorded_declare(ctx, &m);

    assert_int_equal(measure(ctx, (canary_measurement){ .metric = hit, .value = 1 }), CANARY_OK);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = hit }), CANARY_OK);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .value = -0.25 }),
                     CANARY_OK);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .value = 2.5 }), CANARY_OK);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = score, .value = 5 }), CANARY_OK);
    assert_int_equal(
        measure(ctx, (canary_measurement){ .metric = f1, .tp = 91, .fp = 9, .fn = 8, .tn = 7 }),
        CANARY_OK);
    for (int i = 0; i < 3; i++) {
        double ns[] = { 1000, 1001, 2001 };

        assert_int_equal(measure(ctx, (canary_measurement){ .metric = inner, .value = ns[i] }),
                         CANARY_OK);
    }
    /* Refused: the measurement, not its outcome. */
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = 5 }), CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = -1 }), CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = hit, .value = 2 }),
                     CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = hit, .tp = 1 }),
                     CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = f1, .value = 1, .tp = 1 }),
                     CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = f1 }), CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .value = (double)NAN }),
                     CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = hit, .value = (double)INFINITY }),
                     CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = inner, .value = (double)NAN }),
                     CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = inner, .value = -1 }),
                     CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = score, .value = 5.1 }),
                     CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .value = 1e300 }),
                     CANARY_E_INVALID);
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .reserved = 1 }),
                     CANARY_E_INVALID);

    sheet = recorded_gather(ctx);
    assert_int_equal(recorded_count(&sheet, CANARY_NEW, CANARY__SHEET_STATUS, CANARY_STATUS_OK),
                     22);
    assert_int_equal(recorded_count(&sheet, CANARY_NEW, "hit", CANARY__COUNT_HIT), 1);
    assert_int_equal(recorded_count(&sheet, CANARY_NEW, "hit", CANARY__COUNT_MISS), 1);
    tally = canary__sheet_find(&sheet, 0, CANARY_NEW, "cost");
    assert_int_equal(tally->counts[CANARY__COUNT_N], 2);
    assert_int_equal(tally->sum.low, 2250000);
    assert_int_equal(tally->sum.high, 0);
    assert_int_equal(tally->squares.low, INT64_C(6250000000000) + INT64_C(62500000000));
    assert_int_equal(tally->least, 2 * -250000 + 1);
    assert_int_equal(tally->most, 2 * 2500000 + 1);
    tally = canary__sheet_find(&sheet, 0, CANARY_NEW, "f1");
    assert_int_equal(tally->counts[CANARY__COUNT_TP], 91);
    assert_int_equal(tally->counts[CANARY__COUNT_TN], 7);
    tally = canary__sheet_find(&sheet, 0, CANARY_NEW, "inner");
    assert_int_equal(tally->thresholds_ns[0], 1000);
    assert_int_equal(tally->threshold_above[0], 2); /* 1000 is not above 1000 */
    assert_int_equal(tally->threshold_above[1], 1);
    assert_int_equal(tally->threshold_n[1], 3);
    assert_int_equal(recorded_count(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_UNDECLARED),
                     2);
    assert_int_equal(recorded_count(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_KIND), 4);
    assert_int_equal(recorded_count(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_NUMBER), 3);
    assert_int_equal(recorded_count(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_DURATION), 1);
    assert_int_equal(recorded_count(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_RANGE), 2);
    assert_int_equal(recorded_count(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_ARGUMENT), 1);
    recorded_free(ctx, &sheet);

    /* Extremes belong to one gathering, sums go on. */
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .value = -1 }), CANARY_OK);
    sheet = recorded_gather(ctx);
    tally = canary__sheet_find(&sheet, 0, CANARY_NEW, "cost");
    assert_int_equal(tally->least, 2 * -1000000 + 1);
    assert_int_equal(tally->most, 2 * -1000000 + 1);
    assert_true(canary__wide_double_signed(tally->sum) == -1000000.0);
    recorded_free(ctx, &sheet);
    canary_close(&ctx);
}

/* The slot that this thread recorded a value in. */
static struct canary__value_slot *value_slot(canary_ctx *ctx, int32_t metric) {
    struct canary__observer *observer = canary__observer_of(ctx);
    struct canary__value_slot *slot = NULL;

    for (uint32_t i = 0; i < CANARY__SLOTS_OWNED && slot == NULL; i++) {
        if (atomic_load(&observer->shards->owners[i]) != 0) {
            slot = canary__declared_slot(&observer->metrics[metric], i, CANARY_NEW);
        }
    }
    assert_non_null(slot);
    return slot;
}

/* Gathering takes one extreme after the other, and a value may be recorded in between: whatever it finds,
 * what it gives can be stored and read, and no extreme gets lost. */
static void test_extremes_half_recorded(void **state) {
    static const struct {
        int64_t minimum; /* as gathering finds them */
        int64_t maximum;
        int64_t least; /* as it must give them */
        int64_t most;
    } cases[] = {
        { 0, 2 * 7 + 1, 2 * 7 + 1, 2 * 7 + 1 }, /* came after the smallest was taken */
        { 2 * 7 + 1, 0, 2 * 7 + 1, 2 * 7 + 1 }, /* before it, and the greatest comes yet */
        { 2 * 9 + 1, 2 * -3 + 1, 2 * -3 + 1, 2 * 9 + 1 }, /* one so, and another one whole */
        { 2 * -3 + 1, 2 * 9 + 1, 2 * -3 + 1, 2 * 9 + 1 },
    };
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_metric m = recorded_metric(CANARY_METRIC_VALUE, "cost");
    int32_t cost = recorded_declare(ctx, &m);
    const struct canary__hooks *hooks = canary__ctx_cold(ctx)->hooks;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        canary_error error = CANARY_ERROR_INIT;
        struct canary__sheet stored = { 0 };
        struct canary__sheet sheet;
        const struct canary__tally *tally;
        uint8_t *data;
        size_t size;

        assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .value = 1 }),
                         CANARY_OK);
        atomic_store(&value_slot(ctx, cost)->minimum, cases[i].minimum);
        atomic_store(&value_slot(ctx, cost)->maximum, cases[i].maximum);
        sheet = recorded_gather(ctx);
        assert_int_equal(canary__sheet_encode(hooks, &sheet, &data, &size), CANARY_OK);
        recorded_free(ctx, &sheet);
        if (canary__sheet_decode(hooks, data, size, &stored, &error) != CANARY_OK) {
            fail_msg("case %zu: %s", i, error.message);
        }
        canary__free(hooks, data, size);
        tally = canary__sheet_find(&stored, 0, CANARY_NEW, "cost");
        assert_int_equal(tally->least, cases[i].least);
        assert_int_equal(tally->most, cases[i].most);
        canary__sheet_free(hooks, &stored);
    }
    canary_close(&ctx);
}

static struct canary__sheet totals(canary_ctx *ctx) {
    struct canary__observer *observer = canary__observer_of(ctx);
    struct canary__sheet sheet = { 0 };

    canary__observer_lock(observer);
    assert_int_equal(canary__observer_totals(observer, &sheet), CANARY_OK);
    canary__observer_unlock(observer);
    return sheet;
}

/* After some 2^33 values, as ten days of a busy process have them: what all of them add up to is more than
 * one counter holds. */
static void test_totals_beyond_a_counter(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_metric m = recorded_metric(CANARY_METRIC_VALUE, "cost");
    int32_t cost = recorded_declare(ctx, &m);
    struct canary__sheet sheet;
    const struct canary__tally *tally;

    for (uint64_t turn = 1; turn <= 3; turn++) {
        assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .value = 1 }),
                         CANARY_OK);
        atomic_store(&value_slot(ctx, cost)->sum_low, UINT64_MAX);
        if (turn == 2) { /* whoever looks in between, for whatever */
            sheet = totals(ctx);
        } else {
            sheet = recorded_gather(ctx);
        }
        recorded_free(ctx, &sheet);
        assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .value = 1 }),
                         CANARY_OK);
        sheet = totals(ctx);
        tally = canary__sheet_find(&sheet, 0, CANARY_NEW, "cost");
        assert_int_equal(tally->counts[CANARY__COUNT_N], 2 * turn);
        assert_int_equal(tally->sum.low, 999999);
        assert_int_equal(tally->sum.high, turn);
        recorded_free(ctx, &sheet);
        sheet = recorded_gather(ctx);
        tally = canary__sheet_find(&sheet, 0, CANARY_NEW, "cost");
        assert_true(tally->sum.low == 1000000 || turn == 2);
        assert_int_equal(tally->sum.high, 0);
        recorded_free(ctx, &sheet);
    }
    canary_close(&ctx);
}

/* Any way of gathering in between gives the same whole. */
static void test_partitions(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_metric m = recorded_metric(CANARY_METRIC_VALUE, "cost");
    int32_t cost = recorded_declare(ctx, &m);
    uint64_t seed = unit_seed();
    struct canary__sheet whole = { 0 };
    struct canary__wide sum[2] = { { 0, 0 } };
    struct canary__wide squares[2] = { { 0, 0 } };
    struct canary__wide costs[2] = { { 0, 0 } };
    uint64_t n[2][3] = { { 0 } };
    const struct canary__hooks *hooks = canary__ctx_cold(ctx)->hooks;

    for (int i = 0; i < 20000; i++) {
        int cohort = (int)(unit_random(&seed) % 2);
        int status = (int)(unit_random(&seed) % 3);
        int64_t ns = (int64_t)(unit_random(&seed) >> (16 + unit_random(&seed) % 48));
        canary_measurement measurement = { .metric = cost };
        canary_outcome o;
        int64_t number = (int64_t)(unit_random(&seed) % (UINT64_C(1) << 47)) - (INT64_C(1) << 46);

        ns = ns > CANARY_DURATION_MAX_NS ? CANARY_DURATION_MAX_NS : ns;
        measurement.value = (double)number / 1e6;
        o = recorded_outcome(status, ns);
        o.measurements = &measurement;
        o.measurement_count = 1;
        assert_int_equal(canary_record_cohort(ctx, cohort, &o), CANARY_OK);
        n[cohort][status]++;
        canary__wide_add_signed(&sum[cohort], ns);
        canary__wide_add(&squares[cohort], canary__wide_square(ns));
        canary__wide_add_signed(&costs[cohort], number);
        if (unit_random(&seed) % 1000 == 0) {
            struct canary__sheet part = recorded_gather(ctx);

            assert_int_equal(canary__sheet_merge(hooks, &whole, &part), CANARY_OK);
            canary__sheet_free(hooks, &part);
        }
    }
    {
        struct canary__sheet part = recorded_gather(ctx);

        assert_int_equal(canary__sheet_merge(hooks, &whole, &part), CANARY_OK);
        canary__sheet_free(hooks, &part);
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        const struct canary__tally *duration = canary__sheet_find(&whole, 0, cohort, "duration");
        const struct canary__tally *value = canary__sheet_find(&whole, 0, cohort, "cost");
        uint64_t all = duration->overflow;

        for (int status = 0; status < 3; status++) {
            assert_int_equal(recorded_count(&whole, cohort, CANARY__SHEET_STATUS, status),
                             n[cohort][status]);
        }
        for (int i = 0; i < CANARY__HISTOGRAM_BUCKETS; i++) {
            all += duration->buckets[i];
        }
        assert_int_equal(all, n[cohort][0] + n[cohort][1] + n[cohort][2]);
        assert_memory_equal(&duration->sum, &sum[cohort], sizeof sum[cohort]);
        assert_memory_equal(&duration->squares, &squares[cohort], sizeof squares[cohort]);
        assert_memory_equal(&value->sum, &costs[cohort], sizeof costs[cohort]);
    }
    canary__sheet_free(hooks, &whole);
    canary_close(&ctx);
}

static void test_measurements_alone(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_metric m = recorded_metric(CANARY_METRIC_PROPORTION, "bought");
    canary_measurement bought = { .value = 1 };
    canary_measurement unknown = { .metric = 7 };
    canary_outcome o = recorded_outcome(CANARY_STATUS_NONE, CANARY_NOT_MEASURED);
    canary_decision decision = recorded_decide(ctx, "alice");
    struct canary__sheet sheet;

    bought.metric = recorded_declare(ctx, &m);
    o.measurements = &bought;
    o.measurement_count = 1;
    assert_int_equal(canary_record(ctx, &decision, &o), CANARY_OK);
    assert_int_equal(canary_record_user(ctx, "bob", 3, CANARY_NEW, &o), CANARY_OK);
    assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, &o), CANARY_OK);
    assert_int_equal(canary__observer_sampled(canary__observer_of(ctx)), 0);
    sheet = recorded_gather(ctx);
    assert_int_equal(recorded_count(&sheet, CANARY_NEW, "bought", CANARY__COUNT_HIT), 3);
    assert_int_equal(sheet.count, 1); /* and nothing else counted */
    recorded_free(ctx, &sheet);
    o.measurements = &unknown;
    recorded_refusal(ctx, CANARY_REJECTED_UNDECLARED, canary_record_cohort(ctx, CANARY_NEW, &o));
    o.measurement_count = 0;
    assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, &o), CANARY_OK);
    canary_close(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_MEMORY_ONLY(test_declaring),
        UNIT_MEMORY_ONLY(test_measurements),
        UNIT_MEMORY_ONLY(test_measurements_alone),
        UNIT_MEMORY_ONLY(test_extremes_half_recorded),
        UNIT_MEMORY_ONLY(test_totals_beyond_a_counter),
        UNIT_MEMORY_ONLY(test_partitions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
