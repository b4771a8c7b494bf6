/* SPDX-License-Identifier: MIT */
/* The old cohort divided into halves by a bit of the user: who is counted where, and that the bit has
 * nothing to do with the ramp or the sample. Histograms handed out, and counts of this process. */
#include "measured.h"
#include "recorded.h"

#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USERS = 4000 };

/* The bit, computed by other code than the library's. */
static int half_of(uint32_t hash) {
    uint64_t x = hash;

    x = (x ^ x >> 16) * 0x7feb352d & UINT32_MAX;
    x = (x ^ x >> 15) * 0x846ca68b & UINT32_MAX;
    return (int)((x ^ x >> 16) % 2);
}

/* n and k of either half. */
struct expected {
    uint64_t n[2];
    uint64_t k[2];
    uint64_t all_n;
    uint64_t all_k;
};

static void expect(struct expected *expected, int half, int hit) {
    expected->all_n++;
    expected->all_k += (uint64_t)hit;
    if (half >= 0) {
        expected->n[half]++;
        expected->k[half] += (uint64_t)hit;
    }
}

static void check(struct unit *unit, const char *metric, const struct expected *expected) {
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    const struct measured *m;

    query.metric = metric;
    m = measured_read_of(unit, "r", &query);
    assert_int_equal(m->count, 1);
    assert_int_equal(m->rows[0].cohorts[0].n, expected->all_n);
    assert_int_equal(m->rows[0].cohorts[0].k, expected->all_k);
    for (int half = 0; half < 2; half++) {
        assert_int_equal(m->rows[0].cohorts[0].half_n[half], expected->n[half]);
        assert_int_equal(m->rows[0].cohorts[0].half_k[half], expected->k[half]);
        assert_int_equal(m->rows[0].cohorts[1].half_n[half], 0);
        assert_int_equal(m->rows[0].cohorts[1].half_k[half], 0);
    }
}

static void who_is_counted_where(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_metric declared = recorded_metric(CANARY_METRIC_PROPORTION, "cache_hit");
    canary_measurement measured = { .metric = recorded_declare(ctx, &declared) };
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    struct expected failed = { .all_n = 0 };
    struct expected timeout = { .all_n = 0 };
    struct expected hit = { .all_n = 0 };
    canary_decision decision;

    OK(canary_override_set(unit->store, "r", "pinned", 6, CANARY_OLD, NULL, NULL, &error));
    OK(canary_refresh(unit->store, &error));
    for (int i = 0; i < USERS; i++) {
        char user[32];
        int half;

        snprintf(user, sizeof user, i % 50 == 0 ? "pinned" : "user-%d", i);
        decision = recorded_decide(ctx, user);
        outcome.status = i % 7 == 0    ? CANARY_STATUS_ERROR
                         : i % 11 == 0 ? CANARY_STATUS_TIMEOUT
                                       : CANARY_STATUS_OK;
        half = half_of(decision.hash);
        measured.value = i % 3 == 0;
        outcome.measurements = &measured;
        outcome.measurement_count = 1;
        switch (i % 4) {
        case 0: /* of an unknown user */
            half = -1;
            assert_int_equal(canary_record_cohort(ctx, decision.cohort, &outcome), CANARY_OK);
            break;
        case 1:
            assert_int_equal(canary_record_user(ctx, user, strlen(user), decision.cohort, &outcome),
                             CANARY_OK);
            break;
        default:
            half = decision.reason == CANARY_REASON_SPLIT ? half : -1;
            assert_int_equal(canary_record(ctx, &decision, &outcome), CANARY_OK);
            break;
        }
        if (decision.cohort == CANARY_OLD) {
            expect(&failed, half, outcome.status == CANARY_STATUS_ERROR);
            expect(&timeout, half, outcome.status == CANARY_STATUS_TIMEOUT);
            expect(&hit, half, i % 3 == 0);
        }
    }
    /* What is measured later belongs to its user as well. */
    outcome.status = CANARY_STATUS_NONE;
    for (int i = 0; i < 100; i++) {
        char user[32];

        snprintf(user, sizeof user, "late-%d", i);
        decision = recorded_decide(ctx, user);
        measured.value = 1;
        assert_int_equal(
            i % 2 == 0 ? canary_record(ctx, &decision, &outcome)
                       : canary_record_user(ctx, user, strlen(user), decision.cohort, &outcome),
            CANARY_OK);
        if (decision.cohort == CANARY_OLD) {
            expect(&hit, half_of(decision.hash), 1);
        }
    }
    assert_true(failed.n[0] + failed.n[1] < failed.all_n);
    assert_true(failed.n[0] > USERS / 8 && failed.n[1] > USERS / 8);
    canary_close(&ctx); /* merges */
    check(unit, "error", &failed);
    check(unit, "timeout", &timeout);
    check(unit, "cache_hit", &hit);
}

/* A killed cohort was not decided by the ramp; at 0 % it was. */
static void killed_users_are_not_divided(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    struct expected expected = { .all_n = 0 };
    canary_decision decision;

    canary_kill(ctx);
    decision = recorded_decide(ctx, "alice");
    assert_int_equal(decision.reason, CANARY_REASON_KILLED);
    assert_int_equal(canary_record(ctx, &decision, &outcome), CANARY_OK);
    expect(&expected, -1, 0);
    canary_revive(ctx);
    unit_set(unit, "r", 0);
    OK(canary_refresh(unit->store, &error));
    decision = recorded_decide(ctx, "alice");
    assert_int_equal(decision.reason, CANARY_REASON_STATIC);
    assert_int_equal(canary_record(ctx, &decision, &outcome), CANARY_OK);
    expect(&expected, half_of(decision.hash), 0);
    canary_close(&ctx);
    check(unit, "error", &expected);
}

/* Chi-square of a table of two columns, whose rows are groups of users. */
static double chi_square(const uint64_t (*groups)[2], size_t count) {
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        double difference = (double)groups[i][0] - (double)groups[i][1];

        sum += difference * difference / (double)(groups[i][0] + groups[i][1]);
    }
    return sum;
}

/* Both halves have their share of every bucket, and of every level of the sample. With `d` degrees of
 * freedom chi-square is beyond d + 6 sqrt(2 d) + 24 less than once in 10^8 seeds. */
static void the_bit_is_independent(void **state) {
    enum { DRAWS = 2000000, LEVELS = 9 };
    static uint64_t buckets[CANARY_BUCKETS][2];
    uint64_t levels[LEVELS][2] = { { 0 } };
    uint64_t inside[LEVELS][2] = { { 0 } }; /* of users in the old cohort at 25 % */
    uint64_t seed = unit_seed();

    (void)state;
    memset(buckets, 0, sizeof buckets);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t hash = (uint32_t)(unit_random(&seed) >> 32);
        uint32_t mixed = canary__sample_mix(hash);
        uint32_t bucket = canary_bucket_from_hash(hash);
        uint32_t half = canary__sample_half(mixed);
        uint32_t level = 0;

        assert_int_equal(half, half_of(hash));
        while (level < LEVELS - 1 && canary__sample_holds(level + 1, mixed)) {
            level++;
        }
        buckets[bucket][half]++;
        levels[level][half]++;
        inside[level][half] += bucket >= 2500;
    }
    assert_true(chi_square(buckets, CANARY_BUCKETS) <
                CANARY_BUCKETS + 6 * sqrt(2.0 * CANARY_BUCKETS) + 24);
    assert_true(chi_square(levels, LEVELS) < LEVELS + 6 * sqrt(2.0 * LEVELS) + 24);
    assert_true(chi_square(inside, LEVELS) < LEVELS + 6 * sqrt(2.0 * LEVELS) + 24);
}

/* -- baselines and figures from elsewhere -- */

static void baselines_keep_them(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 0);
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    canary_import_row row = { .size = sizeof row,
                              .cohort = CANARY_OLD,
                              .kind = CANARY_METRIC_PROPORTION,
                              .metric = "error",
                              .n = 1000,
                              .k = 10 };
    struct expected expected = { .all_n = 0 };
    const struct measured *m;

    for (int i = 0; i < 300; i++) {
        char user[32];
        canary_decision decision;

        snprintf(user, sizeof user, "user-%d", i);
        decision = recorded_decide(ctx, user);
        outcome.status = i % 5 == 0 ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
        assert_int_equal(canary_record(ctx, &decision, &outcome), CANARY_OK);
        expect(&expected, half_of(decision.hash), i % 5 == 0);
        if (i == 150) {
            OK(canary_flush(unit->store, &error));
            unit->realtime += 3 * CANARY_TICK_NS;
            unit->monotonic += 3 * CANARY_TICK_NS;
        }
    }
    canary_close(&ctx);
    OK(canary_import(unit->store, "r", NULL, &row, 1, NULL, NULL, &error));
    expected.all_n += 1000;
    expected.all_k += 10;
    check(unit, "error", &expected);
    unit->realtime += CANARY__HOUR_NS;
    OK(canary_baseline_capture(unit->store, "r", 0, 0, NULL, NULL, &error));
    query.flags = CANARY_METRICS_BASELINE;
    query.metric = "error";
    m = measured_read_of(unit, "r", &query);
    assert_int_equal(m->count, 1);
    for (int half = 0; half < 2; half++) {
        assert_int_equal(m->rows[0].cohorts[0].half_n[half], expected.n[half]);
        assert_int_equal(m->rows[0].cohorts[0].half_k[half], expected.k[half]);
    }
}

/* -- histograms -- */

struct histogram {
    uint32_t rows;
    uint32_t count[2];
    uint64_t buckets[2][CANARY_DURATION_BUCKETS];
};

static int take_histogram(void *user_data, const canary_metrics_row *row) {
    struct histogram *histogram = user_data;
    const canary_figures *const cohorts[2] = { row->old_cohort, row->new_cohort };

    for (int i = 0; i < 2; i++) {
        const canary_figures *figures = cohorts[i];

        if (row->kind != CANARY_METRIC_DURATION) {
            assert_int_equal(figures->bucket_count, 0);
        }
        assert_int_equal(figures->reserved2, 0);
        assert_int_equal(figures->bucket_count == 0, figures->buckets == NULL);
        assert_true(figures->bucket_count <= CANARY_DURATION_BUCKETS);
        if (figures->bucket_count > 0) {
            assert_true(figures->buckets[figures->bucket_count - 1] > 0);
        }
        histogram->count[i] += figures->bucket_count;
        for (uint32_t b = 0; b < figures->bucket_count; b++) {
            histogram->buckets[i][b] += figures->buckets[b];
        }
    }
    histogram->rows++;
    return 0;
}

/* In several steps, so that buckets of many rows are held at once. */
static void histograms_are_handed_out(void **state) {
    static const int64_t durations[] = { 0,       999,           1000,         63999,   64000,
                                         65000,   127999,        128000,       1500000, 900000000,
                                         7654321, 4294967294999, 4294967295999 };
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    static struct histogram got;
    static uint64_t expected[2][CANARY_DURATION_BUCKETS];

    memset(&got, 0, sizeof got);
    memset(expected, 0, sizeof expected);
    for (size_t i = 0; i < COUNT(durations); i++) {
        for (int cohort = 0; cohort < 2; cohort++) {
            uint32_t bucket = 0;

            outcome.duration_ns = durations[i] * (cohort + 1) / 2;
            while (canary_duration_bucket_ns(bucket + 1) <= outcome.duration_ns) {
                bucket++;
            }
            expected[cohort][bucket]++;
            assert_int_equal(canary_record_cohort(ctx, cohort, &outcome), CANARY_OK);
        }
        OK(canary_flush(unit->store, &error));
        unit->realtime += CANARY_TICK_NS;
        unit->monotonic += CANARY_TICK_NS;
    }
    /* Too long for any bucket. */
    outcome.duration_ns = canary_duration_bucket_ns(CANARY_DURATION_BUCKETS);
    assert_int_equal(canary_record_cohort(ctx, CANARY_OLD, &outcome), CANARY_OK);
    canary_close(&ctx);
    query.step_ns = CANARY_TICK_NS;
    OK(canary_metrics(unit->store, "r", &query, take_histogram, &got, NULL, &error));
    assert_int_equal(got.rows, 3 * (COUNT(durations) + 1));
    assert_memory_equal(got.buckets, expected, sizeof expected);
    memset(&got, 0, sizeof got);
    OK(canary_metrics(unit->store, "r", NULL, take_histogram, &got, NULL, &error));
    assert_int_equal(got.rows, 3);
    assert_memory_equal(got.buckets, expected, sizeof expected);
    assert_int_equal(got.count[CANARY_NEW], CANARY_DURATION_BUCKETS);
}

/* The formula as it is told. */
static void buckets_are_where_the_formula_says(void **state) {
    (void)state;
    for (uint32_t i = 0; i < CANARY_DURATION_BUCKETS; i++) {
        const int64_t ends[] = { canary_duration_bucket_ns(i),
                                 canary_duration_bucket_ns(i + 1) - 1 };

        assert_true(ends[0] <= ends[1]);
        for (size_t end = 0; end < 2; end++) {
            uint64_t v = (uint64_t)ends[end] / 1000;
            uint32_t e = 0;

            while (v >> e > 1) {
                e++;
            }
            assert_int_equal(v < 64 ? v : ((uint64_t)(e - 6 + 1) << 6) + ((v >> (e - 6)) & 63), i);
        }
    }
    assert_int_equal(canary_duration_bucket_ns(0), 0);
    assert_int_equal(canary_duration_bucket_ns(CANARY_DURATION_BUCKETS), 4294967296000);
    assert_int_equal(canary_duration_bucket_ns(CANARY_DURATION_BUCKETS + 1), 4294967296000);
    assert_int_equal(canary_duration_bucket_ns(UINT32_MAX), 4294967296000);
}

/* -- counts of this process -- */

static canary_cohort_counts counts_of(canary_ctx *ctx) {
    canary_cohort_counts counts = CANARY_COHORT_COUNTS_INIT;

    assert_int_equal(canary_counts(ctx, &counts), CANARY_OK);
    assert_int_equal(counts.size, sizeof counts);
    return counts;
}

struct recording {
    pthread_t thread;
    canary_ctx *ctx;
    int number;
};

enum { RECORDERS = 160, OUTCOMES = 250 }; /* more than have memory of their own */

static void *record_some(void *data) {
    struct recording *recording = data;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    char user[32];

    for (int i = 0; i < OUTCOMES; i++) {
        int cohort = i % 5 == 0;

        snprintf(user, sizeof user, "user-%d", i);
        outcome.status = i % 3;
        (void)(recording->number % 2 == 0
                   ? canary_record_cohort(recording->ctx, cohort, &outcome)
                   : canary_record_user(recording->ctx, user, strlen(user), cohort, &outcome));
    }
    return NULL;
}

static void counts_add_up(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    static struct recording recorders[RECORDERS];
    uint64_t expected[2][3] = { { 0 } };
    canary_cohort_counts counts = counts_of(ctx);
    canary_cohort_counts before;
    pid_t child;
    int status = 1;

    assert_int_equal(counts.outcomes[0] + counts.outcomes[1], 0); /* nothing was recorded */
    for (int i = 0; i < RECORDERS; i++) {
        recorders[i] = (struct recording){ .ctx = ctx, .number = i };
        assert_int_equal(pthread_create(&recorders[i].thread, NULL, record_some, &recorders[i]), 0);
        before = counts;
        counts = counts_of(ctx);
        for (int cohort = 0; cohort < 2; cohort++) {
            assert_true(counts.outcomes[cohort] >= before.outcomes[cohort]);
            assert_true(counts.errors[cohort] + counts.timeouts[cohort] <= counts.outcomes[cohort]);
        }
    }
    for (int i = 0; i < RECORDERS; i++) {
        pthread_join(recorders[i].thread, NULL);
        for (int o = 0; o < OUTCOMES; o++) {
            expected[o % 5 == 0][o % 3]++;
        }
    }
    for (int turn = 0; turn < 2; turn++) { /* what was merged counts as before */
        counts = counts_of(ctx);
        for (int cohort = 0; cohort < 2; cohort++) {
            assert_int_equal(counts.outcomes[cohort],
                             expected[cohort][0] + expected[cohort][1] + expected[cohort][2]);
            assert_int_equal(counts.errors[cohort], expected[cohort][CANARY_STATUS_ERROR]);
            assert_int_equal(counts.timeouts[cohort], expected[cohort][CANARY_STATUS_TIMEOUT]);
        }
        OK(canary_flush(unit->store, &error));
    }
    child = fork();
    if (child == 0) {
        canary_outcome outcome = CANARY_OUTCOME_INIT;
        canary_cohort_counts own = CANARY_COHORT_COUNTS_INIT;
        int good = canary_counts(ctx, &own) == CANARY_OK && own.outcomes[0] == 0;

        good = good && canary_record_cohort(ctx, CANARY_OLD, &outcome) == CANARY_OK &&
               canary_counts(ctx, &own) == CANARY_OK && own.outcomes[0] == 1;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(counts_of(ctx).outcomes[0], counts.outcomes[0]);
    canary_close(&ctx);
}

static void counts_take_their_arguments(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = recorded_open(unit, 5000);
    canary_cohort_counts counts = CANARY_COHORT_COUNTS_INIT;
    canary_cohort_counts made;
    struct {
        canary_cohort_counts counts;
        uint64_t later;
    } newer = { CANARY_COHORT_COUNTS_INIT, 7 };

    assert_int_equal(canary_counts(NULL, &counts), CANARY_E_INVALID);
    assert_int_equal(canary_counts(ctx, NULL), CANARY_E_INVALID);
    counts.size -= 8;
    assert_int_equal(canary_counts(ctx, &counts), CANARY_E_INVALID);
    counts.size += 8;
    newer.counts.size = sizeof newer;
    assert_int_equal(canary_counts(ctx, &newer.counts), CANARY_OK);
    assert_int_equal(newer.later, 0);
    canary_cohort_counts_init(NULL, sizeof made);
    canary_cohort_counts_init(&made, sizeof made);
    assert_memory_equal(&made, &counts, sizeof made);
    canary_close(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(who_is_counted_where),
        UNIT_MEMORY_ONLY(killed_users_are_not_divided),
        cmocka_unit_test(the_bit_is_independent),
        UNIT_BOTH(baselines_keep_them),
        UNIT_BOTH(histograms_are_handed_out),
        cmocka_unit_test(buckets_are_where_the_formula_says),
        UNIT_BOTH(counts_add_up),
        UNIT_MEMORY_ONLY(counts_take_their_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
