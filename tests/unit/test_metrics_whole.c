/* SPDX-License-Identifier: MIT */
/* Figures read back: nothing counts twice or not at all, however events are divided into rows. */
#include "measured.h"

#include "figures.h"

#define S INT64_C(1000000000)

static const struct level {
    int table;
    int64_t width_ns;
} levels[] = {
    { CANARY_TABLE_TICKS, CANARY__TICK_NS },
    { CANARY_TABLE_MINUTES, CANARY__MINUTE_NS },
    { CANARY_TABLE_HOURS, CANARY__HOUR_NS },
};

static canary_metrics_query everything(void) {
    return (canary_metrics_query)CANARY_METRICS_QUERY_INIT;
}

/* The outcomes of a cohort in all rows of "error". */
/* What the library would say of a sheet that nobody ever cut into pieces. */
static void compare(const struct measured *m, const struct canary__sheet *whole) {
    uint32_t rows = 0;

    for (uint32_t i = 0; i < whole->count; i++) {
        const struct canary__entry *entry = &whole->entries[i];
        canary_figures expected;
        const canary_figures *found;
        uint32_t row;

        if (entry->metric[0] == '+' && strcmp(entry->metric, CANARY__SHEET_STATUS) != 0) {
            continue;
        }
        row = measured_row(m, entry->metric[0] == '+' ? "timeout" : entry->metric, 0);
        found = &m->rows[row].cohorts[entry->cohort];
        canary__tally_figures(&entry->tally, CANARY_STATUS_TIMEOUT, &expected);
        assert_true(expected.n > 0);
        if (m->rows[row].row.kind == CANARY_METRIC_DURATION) {
            for (uint32_t t = 0; t < entry->tally.threshold_count; t++) {
                for (uint32_t r = 0; r < m->rows[row].row.threshold_count; r++) {
                    if (m->rows[row].row.thresholds_ns[r] == entry->tally.thresholds_ns[t]) {
                        assert_int_equal(found->threshold_n[r], expected.threshold_n[t]);
                        assert_int_equal(found->threshold_above[r], expected.threshold_above[t]);
                    }
                }
            }
            memcpy(expected.threshold_n, found->threshold_n, sizeof expected.threshold_n);
            memcpy(expected.threshold_above, found->threshold_above,
                   sizeof expected.threshold_above);
        }
        assert_int_equal(m->rows[row].buckets[entry->cohort], measured_buckets(&expected));
        expected.buckets = NULL;
        assert_memory_equal(found, &expected, sizeof expected);
        rows |= 1u << row;
    }
    assert_true(rows != 0);
}

/* Whatever the processes, ticks and levels among which events are spread: all together they say what one
 * sheet of all events says, and by hours they say what a sheet of each hour says. */
static void any_partition(void **state) {
    enum { EVENTS = 6000, PARTS = 150, HOURS = 30 };
    static const char *const seldom[] = { NULL, "duration", "cost", "timeout" };
    struct unit *unit = *state;
    canary_metrics_query query = everything();
    uint64_t seed = unit_seed();
    struct canary__sheet hours[HOURS] = { { 0 } };
    struct canary__sheet whole = { 0 };
    const struct measured *m;

    for (int part = 0; part < PARTS; part++) {
        const struct level *level = &levels[figures_below(&seed, 3)];
        uint64_t hour = figures_below(&seed, HOURS);
        int64_t start = MEASURED_HOUR - (int64_t)hour * CANARY__HOUR_NS * 9 +
                        (int64_t)(unit_random(&seed) >> 1) % CANARY__HOUR_NS;
        struct canary__sheet sheet = { 0 };

        start -= start % level->width_ns;
        for (int event = 0; event < EVENTS / PARTS; event++) {
            struct canary__sheet one = { 0 };

            figures_record(&seed, &one);
            assert_int_equal(canary__sheet_merge(&figures_hooks, &hours[hour], &one), CANARY_OK);
            assert_int_equal(canary__sheet_merge(&figures_hooks, &whole, &one), CANARY_OK);
            assert_int_equal(canary__sheet_merge(&figures_hooks, &sheet, &one), CANARY_OK);
            canary__sheet_free(&figures_hooks, &one);
        }
        measured_merge(unit, level->table, start, &sheet);
    }
    assert_int_equal(canary__sheet_relabel(&figures_hooks, &whole, 0), CANARY_OK);
    for (size_t i = 0; i < COUNT(seldom); i++) {
        query.metric = seldom[i];
        m = measured_read(unit, &query);
        if (i == 0) {
            compare(m, &whole);
        } else {
            assert_int_equal(m->count, 1);
        }
    }
    query.metric = NULL;
    for (int hour = 0; hour < HOURS; hour++) {
        if (hours[hour].count > 0) {
            assert_int_equal(canary__sheet_relabel(&figures_hooks, &hours[hour], 0), CANARY_OK);
            query.from_ns = MEASURED_HOUR - hour * CANARY__HOUR_NS * 9;
            query.to_ns = query.from_ns + CANARY__HOUR_NS;
            query.step_ns = hour % 2 == 0 ? 0 : CANARY__HOUR_NS;
            compare(measured_read(unit, &query), &hours[hour]);
        }
        canary__sheet_free(&figures_hooks, &hours[hour]);
    }
    canary__sheet_free(&figures_hooks, &whole);
}

/* Steps of any length add up to the whole, before and after retention. */
static void steps_add_up(void **state) {
    enum { ROWS = 120 };
    struct unit *unit = *state;
    canary_metrics_query query = everything();
    uint64_t seed = unit_seed();
    int64_t starts[ROWS];
    uint64_t all = 0;

    query.metric = "error";
    for (int i = 0; i < ROWS; i++) {
        uint64_t n = 1 + figures_below(&seed, 9);

        starts[i] = MEASURED_HOUR - (int64_t)figures_below(&seed, 7 * 360) * CANARY__TICK_NS;
        measured_outcomes(unit, CANARY_TABLE_TICKS, starts[i], 2, 0, n, 0);
        all += n;
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 12; i++) {
            const struct measured *m;

            query.step_ns = (int64_t)(1 + figures_below(&seed, 700)) * CANARY__TICK_NS;
            m = measured_read(unit, &query);
            assert_int_equal(measured_count(m, 0), all);
            for (uint32_t row = 1; row < m->count; row++) {
                assert_true(m->rows[row].row.from_ns >= m->rows[row - 1].row.to_ns);
            }
        }
        for (int i = 0; i < ROWS; i++) {
            if (round == 0 && i % 2 == 0) {
                measured_retain(unit, CANARY_TABLE_TICKS, starts[i], CANARY_TABLE_MINUTES,
                                starts[i] - starts[i] % CANARY__MINUTE_NS);
            } else if (round == 1) {
                int64_t minute = starts[i] - starts[i] % CANARY__MINUTE_NS;

                measured_retain(unit, CANARY_TABLE_MINUTES, minute, CANARY_TABLE_HOURS,
                                minute - minute % CANARY__HOUR_NS);
            }
        }
    }
}

/* Rows that become coarser between two parts of a reading. */
struct retaining {
    struct unit *unit;
    uint64_t n;
    uint64_t rows;
};

static int retain_ahead(void *user_data, const canary_metrics_row *row) {
    struct retaining *retaining = user_data;
    int64_t hour = row->from_ns - row->from_ns % CANARY__HOUR_NS;

    retaining->n += row->old_cohort->n;
    /* Everything from here on, of this hour and the next ones, moves to where its hour begins. */
    if (retaining->rows++ % 37 == 0) {
        for (int64_t tick = hour; tick < hour + 2 * CANARY__HOUR_NS;
             tick += 5 * CANARY__MINUTE_NS) {
            measured_retain(retaining->unit, CANARY_TABLE_TICKS, tick, CANARY_TABLE_HOURS,
                            tick - tick % CANARY__HOUR_NS);
        }
    }
    return 0;
}

static void retention_goes_on(void **state) {
    enum { HOURS = 12 };
    static const int64_t lengths[] = { 10 * S, 7 * CANARY__MINUTE_NS, 25 * CANARY__MINUTE_NS,
                                       100 * CANARY__MINUTE_NS };

    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct unit *unit;
        struct retaining retaining = { 0 };
        canary_metrics_query query = everything();

        assert_int_equal(measured_setup_memory((void **)&unit), 0);
        for (int64_t tick = 0; tick < HOURS * CANARY__HOUR_NS; tick += 5 * CANARY__MINUTE_NS) {
            measured_outcomes(unit, CANARY_TABLE_TICKS, MEASURED_HOUR + tick, 2, 0, 1, 0);
        }
        retaining.unit = unit;
        query.metric = "error";
        query.step_ns = lengths[i];
        OK(canary_metrics(unit->store, MEASURED, &query, retain_ahead, &retaining, NULL, &error));
        assert_int_equal(retaining.n, HOURS * 12);
        unit_free(unit);
    }
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        MEASURED_BOTH(any_partition),
        MEASURED_BOTH(steps_add_up),
        cmocka_unit_test(retention_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
