/* SPDX-License-Identifier: MIT */
/* Recording, as far as the memory of the process goes: what is counted, what is refused, and that
 * gathering loses and doubles nothing. */
#include <math.h>

#include "observe/recorder.h"
#include "support.h"

static canary_ctx *opened(struct unit *unit, uint32_t percentage_bp) {
    unit_create(unit, "r");
    unit_set(unit, "r", percentage_bp);
    return unit_open(unit, "r");
}

static canary_decision decide(canary_ctx *ctx, const char *user) {
    canary_decision decision = CANARY_DECISION_INIT;

    assert_int_equal(canary_explain(ctx, user, strlen(user), &decision), CANARY_OK);
    return decision;
}

static canary_outcome outcome(int status, int64_t duration_ns) {
    canary_outcome made = CANARY_OUTCOME_INIT;

    made.status = status;
    made.duration_ns = duration_ns;
    return made;
}

static struct canary__sheet gathered(canary_ctx *ctx) {
    struct canary__observer *observer = canary__observer_of(ctx);
    struct canary__sheet sheet = { 0 };

    assert_non_null(observer);
    canary__observer_lock(observer);
    assert_int_equal(canary__observer_gather(observer, &sheet), CANARY_OK);
    canary__observer_unlock(observer);
    return sheet;
}

static void done(canary_ctx *ctx, struct canary__sheet *sheet) {
    canary__sheet_free(canary__observer_of(ctx)->hooks, sheet);
}

static uint64_t counted(const struct canary__sheet *sheet, int cohort, const char *metric,
                        int what) {
    const struct canary__tally *tally = canary__sheet_find(sheet, 0, cohort, metric);

    return tally == NULL ? 0 : tally->counts[what];
}

static void test_cohort_served(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = opened(unit, 10000);
    canary_decision new_path = decide(ctx, "alice");
    canary_outcome ok = outcome(CANARY_STATUS_OK, 1000000);
    canary_outcome late = outcome(CANARY_STATUS_TIMEOUT, CANARY_NOT_MEASURED);
    struct canary__sheet sheet;

    assert_null(canary__observer_of(ctx)); /* who does not record pays nothing */
    unit_set(unit, "r", 0);                /* what was served before counts as it was served */
    assert_int_equal(canary_record(ctx, &new_path, &ok), CANARY_OK);
    assert_int_equal(canary_record_cohort(ctx, CANARY_OLD, &late), CANARY_OK);
    assert_int_equal(canary_record_user(ctx, "bob", 3, CANARY_NEW, &ok), CANARY_OK);
    assert_int_equal(canary_expose(ctx, &new_path), CANARY_OK);
    sheet = gathered(ctx);
    assert_int_equal(counted(&sheet, CANARY_NEW, CANARY__SHEET_STATUS, CANARY_STATUS_OK), 2);
    assert_int_equal(counted(&sheet, CANARY_OLD, CANARY__SHEET_STATUS, CANARY_STATUS_OK), 0);
    assert_int_equal(counted(&sheet, CANARY_OLD, CANARY__SHEET_STATUS, CANARY_STATUS_TIMEOUT), 1);
    assert_int_equal(counted(&sheet, CANARY_NEW, CANARY__SHEET_DECISIONS, CANARY_REASON_STATIC), 2);
    assert_int_equal(counted(&sheet, CANARY_NEW, CANARY__SHEET_DECISIONS, CANARY_REASON_UNKNOWN),
                     1);
    assert_int_equal(canary__sheet_find(&sheet, 0, CANARY_NEW, "duration")->sum.low, 2000000);
    assert_null(canary__sheet_find(&sheet, 0, CANARY_OLD, "duration")); /* had none */
    assert_null(canary__sheet_find(&sheet, 0, CANARY_OLD, CANARY__SHEET_LOSSES));
    done(ctx, &sheet);
    sheet = gathered(ctx); /* once and only once */
    assert_int_equal(sheet.count, 0);
    done(ctx, &sheet);
    canary_close(&ctx);
}

static void rejected(canary_ctx *ctx, int cause, int code) {
    struct canary__sheet sheet = gathered(ctx);

    assert_int_equal(code, CANARY_E_INVALID);
    assert_int_equal(counted(&sheet, CANARY_OLD, CANARY__SHEET_LOSSES, cause), 1);
    assert_int_equal(sheet.count, 1); /* and nothing else counted */
    done(ctx, &sheet);
}

static void test_refused_outcomes(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = opened(unit, 5000);
    canary_decision decision = decide(ctx, "alice");
    canary_decision odd;
    canary_outcome o = outcome(CANARY_STATUS_OK, 5);

    assert_int_equal(canary_record(NULL, &decision, &o), CANARY_E_INVALID);
    assert_int_equal(canary_record(ctx, NULL, &o), CANARY_E_INVALID);
    assert_int_equal(canary_record(ctx, &decision, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_record_cohort(NULL, 0, &o), CANARY_E_INVALID);
    assert_int_equal(canary_record_user(NULL, "a", 1, 0, &o), CANARY_E_INVALID);
    assert_int_equal(canary_expose(NULL, &decision), CANARY_E_INVALID);

    o.status = 3;
    rejected(ctx, CANARY_REJECTED_STATUS, canary_record(ctx, &decision, &o));
    o.status = -2;
    rejected(ctx, CANARY_REJECTED_STATUS, canary_record_cohort(ctx, CANARY_OLD, &o));
    o.status = CANARY_STATUS_NONE;
    rejected(ctx, CANARY_REJECTED_DURATION, canary_record_cohort(ctx, CANARY_OLD, &o));
    o = outcome(CANARY_STATUS_OK, -2);
    rejected(ctx, CANARY_REJECTED_DURATION, canary_record(ctx, &decision, &o));
    o.duration_ns = INT64_MIN;
    rejected(ctx, CANARY_REJECTED_DURATION, canary_record(ctx, &decision, &o));
    o.duration_ns = CANARY_DURATION_MAX_NS + 1;
    rejected(ctx, CANARY_REJECTED_DURATION, canary_record_cohort(ctx, CANARY_NEW, &o));
    o.duration_ns = INT64_MAX;
    rejected(ctx, CANARY_REJECTED_DURATION, canary_record(ctx, &decision, &o));
    o = outcome(CANARY_STATUS_OK, 5);
    rejected(ctx, CANARY_REJECTED_COHORT, canary_record_cohort(ctx, 2, &o));
    rejected(ctx, CANARY_REJECTED_COHORT, canary_record_user(ctx, "a", 1, -1, &o));
    rejected(ctx, CANARY_REJECTED_ARGUMENT, canary_record_user(ctx, "", 0, 1, &o));
    rejected(ctx, CANARY_REJECTED_ARGUMENT, canary_record_user(ctx, NULL, 1, 1, &o));
    odd = decision;
    odd.cohort = 7;
    rejected(ctx, CANARY_REJECTED_COHORT, canary_record(ctx, &odd, &o));
    odd = decision;
    odd.reason = 16;
    rejected(ctx, CANARY_REJECTED_ARGUMENT, canary_record(ctx, &odd, &o));
    odd = decision;
    odd.size = 8;
    rejected(ctx, CANARY_REJECTED_ARGUMENT, canary_record(ctx, &odd, &o));
    rejected(ctx, CANARY_REJECTED_ARGUMENT, canary_expose(ctx, &odd));
    o.reserved = 1;
    rejected(ctx, CANARY_REJECTED_ARGUMENT, canary_record(ctx, &decision, &o));
    o = outcome(CANARY_STATUS_OK, 5);
    o.size = 12;
    rejected(ctx, CANARY_REJECTED_ARGUMENT, canary_record(ctx, &decision, &o));
    canary_close(&ctx);
}

static void test_longer_outcome(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = opened(unit, 5000);
    struct {
        canary_outcome known;
        uint64_t unknown;
    } newer = { CANARY_OUTCOME_INIT, 0 };
    struct canary__sheet sheet;

    newer.known.size = sizeof newer;
    assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, &newer.known), CANARY_OK);
    sheet = gathered(ctx);
    assert_int_equal(counted(&sheet, CANARY_NEW, CANARY__SHEET_STATUS, CANARY_STATUS_OK), 1);
    done(ctx, &sheet);
    newer.unknown = 1;
    rejected(ctx, CANARY_REJECTED_ARGUMENT, canary_record_cohort(ctx, CANARY_NEW, &newer.known));
    canary_close(&ctx);
}

static canary_metric metric(int kind, const char *name) {
    canary_metric made = CANARY_METRIC_INIT;

    made.kind = kind;
    made.name = name;
    return made;
}

static int32_t declared(canary_ctx *ctx, const canary_metric *wanted) {
    int32_t handle = -7;

    OK(canary_metric_declare(ctx, wanted, &handle, &error));
    return handle;
}

static void test_declaring(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = opened(unit, 5000);
    const int64_t thresholds[] = { 600000000, 5000, 1000000000 };
    canary_metric m = metric(CANARY_METRIC_PROPORTION, "cache_hit");
    char name[80];
    int32_t handle = -7;
    int32_t found = -7;

    handle = declared(ctx, &m);
    assert_int_equal(declared(ctx, &m), handle);
    assert_int_equal(canary_metric_find(ctx, "cache_hit", &found), CANARY_OK);
    assert_int_equal(found, handle);
    assert_int_equal(canary_metric_find(ctx, "nothing", &found), CANARY_E_NOT_FOUND);
    m.kind = CANARY_METRIC_VALUE;
    FAILS(CANARY_E_CONFLICT, "cache_hit", "proportion",
          canary_metric_declare(ctx, &m, NULL, &error));
    m = metric(6, "x");
    FAILS(CANARY_E_INVALID, "kind 6", "1 to 5", canary_metric_declare(ctx, &m, NULL, &error));
    for (const char *const *bad =
             (const char *const[]){ "", "Upper", "9lives", "a-b", "a b", NULL };
         *bad != NULL; bad++) {
        m = metric(CANARY_METRIC_VALUE, *bad);
        FAILS(CANARY_E_INVALID, *bad, "a-z 0-9 _", canary_metric_declare(ctx, &m, NULL, &error));
    }
    memset(name, 'a', 64);
    name[64] = '\0';
    m = metric(CANARY_METRIC_VALUE, name);
    FAILS(CANARY_E_INVALID, "62 more", "", canary_metric_declare(ctx, &m, NULL, &error));
    m = metric(CANARY_METRIC_PROPORTION, "error");
    FAILS(CANARY_E_INVALID, "\"error\"", "built in", canary_metric_declare(ctx, &m, NULL, &error));
    m = metric(CANARY_METRIC_SCORE, "quality");
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
    m = metric(CANARY_METRIC_VALUE, "cost");
    m.unit = "US Dollar";
    FAILS(CANARY_E_INVALID, "US Dollar", "a-z 0-9 _", canary_metric_declare(ctx, &m, NULL, &error));
    m.unit = "usd";
    m.thresholds_ns = thresholds;
    m.threshold_count = 3;
    FAILS(CANARY_E_INVALID, "3 thresholds", "durations",
          canary_metric_declare(ctx, &m, NULL, &error));
    m = metric(CANARY_METRIC_DURATION, "duration");
    m.thresholds_ns = thresholds;
    m.threshold_count = 3;
    assert_int_equal(declared(ctx, &m), -1);
    assert_int_equal(declared(ctx, &m), -1);
    m.threshold_count = 2;
    FAILS(CANARY_E_CONFLICT, "thresholds", "", canary_metric_declare(ctx, &m, NULL, &error));
    m.thresholds_ns = (const int64_t[]){ 7, 7 };
    FAILS(CANARY_E_INVALID, "7 ns", "twice", canary_metric_declare(ctx, &m, NULL, &error));
    m.thresholds_ns = (const int64_t[]){ 7, 0 };
    FAILS(CANARY_E_INVALID, "0 ns", "1 ns", canary_metric_declare(ctx, &m, NULL, &error));
    for (int i = 1; i < CANARY_METRICS_MAX; i++) {
        snprintf(name, sizeof name, "metric_%d", i);
        m = metric(CANARY_METRIC_PROPORTION, name);
        assert_int_equal(declared(ctx, &m), i);
    }
    m = metric(CANARY_METRIC_PROPORTION, "one_more");
    FAILS(CANARY_E_REFUSED, "one_more", "32", canary_metric_declare(ctx, &m, NULL, &error));
    FAILS(CANARY_E_INVALID, "ctx", "", canary_metric_declare(NULL, &m, NULL, &error));
    FAILS(CANARY_E_INVALID, "NULL", "", canary_metric_declare(ctx, NULL, NULL, &error));
    canary_close(&ctx);
}

static int measure(canary_ctx *ctx, canary_measurement measurement) {
    canary_outcome o = outcome(CANARY_STATUS_OK, CANARY_NOT_MEASURED);

    o.measurements = &measurement;
    o.measurement_count = 1;
    return canary_record_cohort(ctx, CANARY_NEW, &o);
}

static void test_measurements(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = opened(unit, 5000);
    canary_metric m = metric(CANARY_METRIC_PROPORTION, "hit");
    int32_t hit = declared(ctx, &m);
    int32_t cost;
    int32_t score;
    int32_t f1;
    int32_t inner;
    struct canary__sheet sheet;
    const struct canary__tally *tally;

    m = metric(CANARY_METRIC_VALUE, "cost");
    cost = declared(ctx, &m);
    m = metric(CANARY_METRIC_SCORE, "quality");
    m.maximum = 5;
    score = declared(ctx, &m);
    m = metric(CANARY_METRIC_CLASSIFICATION, "f1");
    f1 = declared(ctx, &m);
    m = metric(CANARY_METRIC_DURATION, "inner");
    m.thresholds_ns = (const int64_t[]){ 2000, 1000 };
    m.threshold_count = 2;
    inner = declared(ctx, &m);

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

    sheet = gathered(ctx);
    assert_int_equal(counted(&sheet, CANARY_NEW, CANARY__SHEET_STATUS, CANARY_STATUS_OK), 22);
    assert_int_equal(counted(&sheet, CANARY_NEW, "hit", CANARY__COUNT_HIT), 1);
    assert_int_equal(counted(&sheet, CANARY_NEW, "hit", CANARY__COUNT_MISS), 1);
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
    assert_int_equal(counted(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_UNDECLARED), 2);
    assert_int_equal(counted(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_KIND), 4);
    assert_int_equal(counted(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_NUMBER), 3);
    assert_int_equal(counted(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_DURATION), 1);
    assert_int_equal(counted(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_RANGE), 2);
    assert_int_equal(counted(&sheet, 0, CANARY__SHEET_LOSSES, CANARY_REJECTED_ARGUMENT), 1);
    done(ctx, &sheet);

    /* Extremes belong to one gathering, sums go on. */
    assert_int_equal(measure(ctx, (canary_measurement){ .metric = cost, .value = -1 }), CANARY_OK);
    sheet = gathered(ctx);
    tally = canary__sheet_find(&sheet, 0, CANARY_NEW, "cost");
    assert_int_equal(tally->least, 2 * -1000000 + 1);
    assert_int_equal(tally->most, 2 * -1000000 + 1);
    assert_true(canary__wide_double_signed(tally->sum) == -1000000.0);
    done(ctx, &sheet);
    canary_close(&ctx);
}

/* Any way of gathering in between gives the same whole. */
static void test_partitions(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = opened(unit, 5000);
    canary_metric m = metric(CANARY_METRIC_VALUE, "cost");
    int32_t cost = declared(ctx, &m);
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
        o = outcome(status, ns);
        o.measurements = &measurement;
        o.measurement_count = 1;
        assert_int_equal(canary_record_cohort(ctx, cohort, &o), CANARY_OK);
        n[cohort][status]++;
        canary__wide_add_signed(&sum[cohort], ns);
        canary__wide_add(&squares[cohort], canary__wide_square(ns));
        canary__wide_add_signed(&costs[cohort], number);
        if (unit_random(&seed) % 1000 == 0) {
            struct canary__sheet part = gathered(ctx);

            assert_int_equal(canary__sheet_merge(hooks, &whole, &part), CANARY_OK);
            canary__sheet_free(hooks, &part);
        }
    }
    {
        struct canary__sheet part = gathered(ctx);

        assert_int_equal(canary__sheet_merge(hooks, &whole, &part), CANARY_OK);
        canary__sheet_free(hooks, &part);
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        const struct canary__tally *duration = canary__sheet_find(&whole, 0, cohort, "duration");
        const struct canary__tally *value = canary__sheet_find(&whole, 0, cohort, "cost");
        uint64_t all = duration->overflow;

        for (int status = 0; status < 3; status++) {
            assert_int_equal(counted(&whole, cohort, CANARY__SHEET_STATUS, status),
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
    canary_ctx *ctx = opened(unit, 5000);
    canary_metric m = metric(CANARY_METRIC_PROPORTION, "bought");
    canary_measurement bought = { .value = 1 };
    canary_measurement unknown = { .metric = 7 };
    canary_outcome o = outcome(CANARY_STATUS_NONE, CANARY_NOT_MEASURED);
    canary_decision decision = decide(ctx, "alice");
    struct canary__sheet sheet;

    bought.metric = declared(ctx, &m);
    o.measurements = &bought;
    o.measurement_count = 1;
    assert_int_equal(canary_record(ctx, &decision, &o), CANARY_OK);
    assert_int_equal(canary_record_user(ctx, "bob", 3, CANARY_NEW, &o), CANARY_OK);
    assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, &o), CANARY_OK);
    assert_int_equal(canary__observer_sampled(canary__observer_of(ctx)), 0);
    sheet = gathered(ctx);
    assert_int_equal(counted(&sheet, CANARY_NEW, "bought", CANARY__COUNT_HIT), 3);
    assert_int_equal(sheet.count, 1); /* and nothing else counted */
    done(ctx, &sheet);
    o.measurements = &unknown;
    rejected(ctx, CANARY_REJECTED_UNDECLARED, canary_record_cohort(ctx, CANARY_NEW, &o));
    o.measurement_count = 0;
    assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, &o), CANARY_OK);
    canary_close(&ctx);
}

static void test_users(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = opened(unit, 2500);
    canary_outcome o = outcome(CANARY_STATUS_OK, 5);
    struct canary__observer *observer;
    struct canary__sample samples[2] = { { 0 } };
    char user[32];
    uint32_t new_users = 0;
    uint32_t before;

    for (int i = 0; i < 3000; i++) {
        canary_decision decision;

        snprintf(user, sizeof user, "user-%d", i % 1000);
        decision = decide(ctx, user);
        new_users += i < 1000 && decision.cohort == CANARY_NEW;
        assert_int_equal(canary_record(ctx, &decision, &o), CANARY_OK);
        if (i ==
            1500) { /* a user who is pinned, and one who met a kill switch, are not on the ramp */
            canary_kill(ctx);
            decision = decide(ctx, "killed");
            canary_record(ctx, &decision, &o);
            canary_revive(ctx);
        }
    }
    observer = canary__observer_of(ctx);
    assert_int_equal(canary__observer_samples(observer, samples), CANARY_OK);
    assert_int_equal(samples[CANARY_NEW].count, new_users);
    assert_int_equal(samples[CANARY_OLD].count, 1000 - new_users);
    canary__sample_free(observer->hooks, &samples[0]);
    canary__sample_free(observer->hooks, &samples[1]);
    before = canary__observer_sampled(observer);
    canary__observer_turn(observer);
    assert_int_equal(canary__observer_samples(observer, samples), CANARY_OK);
    assert_int_equal(samples[0].count + samples[1].count, 0);
    canary__sample_free(observer->hooks, &samples[0]);
    canary__sample_free(observer->hooks, &samples[1]);
    assert_true(before != canary__observer_sampled(observer));
    canary_close(&ctx);
}

/* More nanoseconds than 64 bits hold, in one tick. */
static void test_longest_durations(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = opened(unit, 10000);
    canary_outcome o = outcome(CANARY_STATUS_OK, CANARY_DURATION_MAX_NS);
    struct canary__wide sum = { 0, 0 };
    struct canary__sheet sheet;
    const struct canary__tally *tally;

    for (int i = 0; i < 80000; i++) {
        assert_int_equal(canary_record_cohort(ctx, CANARY_NEW, &o), CANARY_OK);
        canary__wide_add_signed(&sum, o.duration_ns);
    }
    sheet = gathered(ctx);
    tally = canary__sheet_find(&sheet, 0, CANARY_NEW, "duration");
    assert_non_null(tally);
    assert_int_equal(tally->sum.high, 1);
    assert_int_equal(tally->sum.low, sum.low);
    assert_int_equal(sum.high, 1);
    done(ctx, &sheet);
    canary_close(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_MEMORY_ONLY(test_cohort_served),     UNIT_MEMORY_ONLY(test_refused_outcomes),
        UNIT_MEMORY_ONLY(test_longer_outcome),    UNIT_MEMORY_ONLY(test_declaring),
        UNIT_MEMORY_ONLY(test_measurements),      UNIT_MEMORY_ONLY(test_measurements_alone),
        UNIT_MEMORY_ONLY(test_partitions),        UNIT_MEMORY_ONLY(test_users),
        UNIT_MEMORY_ONLY(test_longest_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
