/* SPDX-License-Identifier: MIT */
/* Old figures are merged into coarser steps and lose nothing; the store stays bounded. */
#include <unistd.h>

#include "observe/observation.h"
#include "stored.h"
#include "support.h"

static const char name[] = "pay";
static const int64_t second = INT64_C(1000000000);
static const int64_t minute = INT64_C(60000000000);
static const int64_t hour = INT64_C(3600000000000);
static const int64_t day = INT64_C(86400000000000);

static canary_store *measurements_of(struct unit *unit) {
    canary_store *measurements;

    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    return measurements;
}

static void *transaction;

static void begin(struct unit *unit) {
    OK(canary__store_begin(measurements_of(unit), CANARY_STORAGE_WRITE, &transaction, &error));
}

static void end(struct unit *unit) {
    OK(measurements_of(unit)->methods.end(transaction, 1, &error));
    canary__store_unlock(measurements_of(unit));
}

/* Puts a row with the figures of some outcomes into a table. */
static void put(struct unit *unit, int table, const char *rollout, int64_t start, uint64_t *seed,
                struct canary__sheet *all) {
    canary_store *store = measurements_of(unit);
    const struct canary__hooks *hooks = &store->hooks;
    struct canary__sheet sheet = { 0 };

    for (int i = 0; i < 4; i++) {
        int cohort = (int)(unit_random(seed) % 2);
        uint64_t generation = 1 + unit_random(seed) % 2;
        struct canary__tally *tally =
            canary__sheet_at(hooks, &sheet, generation, cohort, CANARY__SHEET_STATUS);

        tally->kind = CANARY__TALLY_STATUS;
        tally->counts[unit_random(seed) % 3] += 1 + unit_random(seed) % 1000;
        tally = canary__sheet_at(hooks, &sheet, generation, cohort, CANARY__SHEET_DURATION);
        tally->kind = CANARY_METRIC_DURATION;
        assert_int_equal(
            canary__tally_add_duration(hooks, tally, (int64_t)(unit_random(seed) % 5000000000)),
            CANARY_OK);
        tally = canary__sheet_at(hooks, &sheet, generation, cohort, "cost");
        tally->kind = CANARY_METRIC_VALUE;
        tally->resolution = 0.01;
        canary__tally_add_value(tally, (int64_t)(unit_random(seed) % 2000000) - 1000000);
        tally->counts[CANARY__COUNT_N] += tally->counts[CANARY__COUNT_N] == 0;
    }
    if (all != NULL) {
        assert_int_equal(canary__sheet_merge(hooks, all, &sheet), CANARY_OK);
    }
    OK(canary__merge_sheet(store, transaction, table, rollout, start, &sheet, &error));
    canary__sheet_free(hooks, &sheet);
}

static void same(const struct canary__hooks *hooks, const struct canary__sheet *a,
                 const struct canary__sheet *b) {
    uint8_t *data[2] = { NULL, NULL };
    size_t size[2];

    assert_int_equal(canary__sheet_encode(hooks, a, &data[0], &size[0]), CANARY_OK);
    assert_int_equal(canary__sheet_encode(hooks, b, &data[1], &size[1]), CANARY_OK);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(data[0], data[1], size[0]);
    canary__free(hooks, data[0], size[0]);
    canary__free(hooks, data[1], size[1]);
}

/* Looks again and again until nothing is left to do. */
static uint32_t retain(struct unit *unit, int64_t now, uint32_t most) {
    char rollout[CANARY_NAME_MAX + 1] = "";
    uint32_t rounds = 0;
    uint32_t idle = 0;

    while (idle < 2) {
        uint32_t moved = 0;

        OK(canary__retain_some(measurements_of(unit), now, most, rollout, &moved, &error));
        assert_true(moved <= most + 256 + 128);
        idle = moved == 0 && rollout[0] == '\0' ? idle + 1 : 0;
        assert_true(++rounds < 1000);
    }
    return rounds;
}

static struct stored read_stored(struct unit *unit, const char *rollout) {
    struct stored stored;

    OK(stored_read(unit->store, rollout, &stored, &error));
    assert_int_equal(stored.damaged, 0);
    return stored;
}

/* The last full hour before `now`. */
static void put_hour(struct unit *unit, int64_t now, uint64_t *seed) {
    begin(unit);
    put(unit, CANARY_TABLE_HOURS, name, now - now % hour - hour, seed, NULL);
    end(unit);
}

static void test_exact(void **state) {
    struct unit *unit = *state;
    const struct canary__hooks *hooks = &unit->store->hooks;
    uint64_t seed = unit_seed();
    int64_t now = UNIT_NOW;
    struct canary__sheet all = { 0 };
    struct stored stored;

    begin(unit);
    for (int i = 0; i < 300; i++) {
        int64_t start = now - (int64_t)(unit_random(&seed) % (uint64_t)(4 * hour));

        put(unit, CANARY_TABLE_TICKS, name, start - start % CANARY_TICK_NS, &seed, &all);
    }
    for (int i = 0; i < 300; i++) {
        int64_t start = now - 2 * hour - (int64_t)(unit_random(&seed) % (uint64_t)(9 * day));

        put(unit, CANARY_TABLE_MINUTES, name, start - start % minute, &seed, &all);
    }
    put(unit, CANARY_TABLE_HOURS, name, now - 8 * day - (now - 8 * day) % hour, &seed, &all);
    end(unit);
    retain(unit, now, 64);
    stored = read_stored(unit, name);
    same(hooks, &stored.sheet, &all);
    assert_true(stored.first[0] >= now - 2 * hour - minute);
    assert_true(stored.first[1] >= now - 7 * day - hour);
    assert_true(stored.last[1] < now - 2 * hour);
    assert_true(stored.rows[2] > 20 && stored.rows[2] <= 52);
    stored_free(unit->store, &stored);
    /* A week later there is nothing finer than a minute. */
    retain(unit, now + 3 * hour, 1000);
    stored = read_stored(unit, name);
    assert_int_equal(stored.rows[0], 0);
    same(hooks, &stored.sheet, &all);
    stored_free(unit->store, &stored);
    retain(unit, now + 8 * day, 1000);
    stored = read_stored(unit, name);
    assert_int_equal(stored.rows[1], 0);
    same(hooks, &stored.sheet, &all);
    stored_free(unit->store, &stored);
    /* By a clock alone that may be years ahead nothing is removed; by a new hour it is. */
    retain(unit, now + 420 * day, 1000);
    stored = read_stored(unit, name);
    same(hooks, &stored.sheet, &all);
    stored_free(unit->store, &stored);
    put_hour(unit, now + 420 * day, &seed);
    retain(unit, now + 420 * day, 1000);
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_HOURS), 1);
    canary__sheet_free(hooks, &all);
}

static void test_many_rollouts(void **state) {
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    int64_t start = UNIT_NOW - 3 * hour;
    uint32_t rounds;

    begin(unit);
    for (int i = 0; i < 30; i++) {
        char rollout[16];

        snprintf(rollout, sizeof rollout, "r%d", i);
        for (int tick = 0; tick < 12; tick++) {
            put(unit, CANARY_TABLE_TICKS, rollout, start - start % minute + tick * CANARY_TICK_NS,
                &seed, NULL);
        }
    }
    end(unit);
    rounds = retain(unit, UNIT_NOW, 40);
    assert_true(rounds > 8);
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_TICKS), 0);
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_MINUTES), 60);
}

/* By flushes alone, on a driven clock. */
static void test_by_flushing(void **state) {
    struct unit *unit = *state;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    struct stored stored;
    uint64_t recorded = 0;
    canary_ctx *ctx;

    (void)unit_begin_at(unit, name, 5000);
    ctx = unit_open(unit, name);
    for (int i = 0; i < 1500; i++) {
        outcome.duration_ns = (i % 97) * 1000000;
        assert_int_equal(canary_record_cohort(ctx, i % 2, &outcome), CANARY_OK);
        recorded++;
        OK(canary_flush(unit->store, &error));
        unit->realtime += 10 * second;
        unit->monotonic += 10 * second;
    }
    stored = read_stored(unit, name);
    assert_int_equal(stored_events(&stored, 0, -1, "+status"), recorded);
    assert_int_equal(stored_events(&stored, 0, -1, "duration"), recorded);
    assert_in_range(stored.rows[0], 710, 735);
    assert_in_range(stored.rows[1], 125, 135);
    stored_free(unit->store, &stored);
    canary_close(&ctx);
}

/* For ten minutes after the clock jumped nothing is taken for old. */
static void test_not_after_a_jump(void **state) {
    struct unit *unit = *state;
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    canary_ctx *ctx;

    (void)unit_begin_at(unit, name, 5000);
    ctx = unit_open(unit, name);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(canary_record_cohort(ctx, i % 2, &outcome), CANARY_OK);
        OK(canary_flush(unit->store, &error));
        unit->realtime += 10 * second + (i == 20 ? 5 * hour : 0);
        unit->monotonic += 10 * second;
        assert_true(i >= 79 || stored_rows(unit->store, CANARY_TABLE_MINUTES) == 0);
    }
    assert_true(stored_rows(unit->store, CANARY_TABLE_MINUTES) > 0);
    assert_int_equal(stored_outcomes(unit->store, name), 100);
    canary_close(&ctx);
}

static void put_damaged(canary_store *store, canary_storage_value rollout, int64_t start) {
    canary_storage_value values[9] = { rollout, canary__value_integer(start) };
    canary_storage_row row = {
        .size = (uint32_t)sizeof row, .table = CANARY_TABLE_TICKS, .count = 9, .values = values
    };

    for (int column = 2; column < 8; column++) {
        values[column] = canary__value_integer(0);
    }
    values[8] = canary__value_blob("damaged", 7);
    OK(store->methods.write(transaction, &row, &error));
}

/* Damaged rows stay until they are 400 days old, and keep nothing else from moving. */
static void test_damaged(void **state) {
    struct unit *unit = *state;
    canary_store *store = measurements_of(unit);
    uint64_t seed = unit_seed();
    int64_t start = UNIT_NOW - 3 * hour;

    start -= start % minute;
    begin(unit);
    for (int i = 0; i < 5; i++) {
        put_damaged(store, canary__value_text(name), start + i * CANARY_TICK_NS);
    }
    for (int i = 0; i < 12; i++) {
        put(unit, CANARY_TABLE_TICKS, name, start + i * CANARY_TICK_NS, &seed, NULL);
    }
    end(unit);
    retain(unit, UNIT_NOW, 100);
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_TICKS), 5);
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_MINUTES), 2);
    put_hour(unit, UNIT_NOW + 401 * day, &seed);
    retain(unit, UNIT_NOW + 401 * day, 100);
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_TICKS), 0);
}

/* More damaged rows than a look takes keep nothing else from moving either. */
static void test_much_damage(void **state) {
    struct unit *unit = *state;
    canary_store *store = measurements_of(unit);
    uint64_t seed = unit_seed();
    int64_t start = UNIT_NOW - 6 * hour;
    char rollout[CANARY_NAME_MAX + 1] = "";
    uint32_t moved;

    start -= start % minute;
    begin(unit);
    for (int i = 0; i < 300; i++) {
        put_damaged(store, canary__value_text(name), start + i * CANARY_TICK_NS);
    }
    for (int i = 300; i < 1000; i++) {
        put(unit, CANARY_TABLE_TICKS, name, start + i * CANARY_TICK_NS, &seed, NULL);
    }
    end(unit);
    for (int i = 0; i < 400; i++) {
        OK(canary__retain_some(measurements_of(unit), UNIT_NOW, 100, rollout, &moved, &error));
    }
    assert_in_range(stored_rows(unit->store, CANARY_TABLE_TICKS), 300, 330);
    assert_true(stored_rows(unit->store, CANARY_TABLE_MINUTES) >= 110);
}

/* However many damaged rows somebody puts where figures are to go, these find a place in their step. */
static void test_spoilt_step(void **state) {
    struct unit *unit = *state;
    canary_store *store = measurements_of(unit);
    uint64_t seed = unit_seed();
    int64_t start = UNIT_NOW - UNIT_NOW % CANARY_TICK_NS;
    struct canary__sheet all = { 0 };
    struct stored stored;

    begin(unit);
    for (int i = 0; i < 40; i++) {
        put_damaged(store, canary__value_text(name), start + i);
    }
    put(unit, CANARY_TABLE_TICKS, name, start, &seed, &all);
    end(unit);
    OK(stored_read(unit->store, name, &stored, &error));
    assert_int_equal(stored.damaged, 40);
    assert_in_range(stored.last[0], start + 40, start + 9 * second);
    same(&store->hooks, &stored.sheet, &all);
    stored_free(unit->store, &stored);
    canary__sheet_free(&store->hooks, &all);
}

/* Names that no rollout can have, as somebody with an SQL shell can write them, are passed by. */
static void test_no_names(void **state) {
    struct unit *unit = *state;
    canary_store *store = measurements_of(unit);
    uint64_t seed = unit_seed();
    int64_t start = UNIT_NOW - 3 * hour;
    canary_storage_value value = canary__value_text("");
    char text[201];
    char rollout[CANARY_NAME_MAX + 1] = "";
    uint32_t moved;

    memset(text, 'b', sizeof text);
    begin(unit);
    put_damaged(store, value, start);
    value.data = text;
    for (value.size = 127; value.size <= 200; value.size++) {
        put_damaged(store, value, start);
    }
    memcpy(text, "a\0b", 4);
    for (value.size = 2; value.size <= 4; value.size++) {
        put_damaged(store, value, start);
    }
    put(unit, CANARY_TABLE_TICKS, "a", start, &seed, NULL);
    put(unit, CANARY_TABLE_TICKS, "ab", start, &seed, NULL);
    put(unit, CANARY_TABLE_TICKS, "zz", start, &seed, NULL);
    end(unit);
    OK(canary__retain_some(store, UNIT_NOW, 1000, rollout, &moved, &error));
    assert_string_equal(rollout, "");
    assert_int_equal(moved, 3);
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_MINUTES), 3);
}

/* The rows of processes that ended long ago go. */
static void test_writers(void **state) {
    struct unit *unit = *state;
    canary_store *store = measurements_of(unit);
    uint64_t seed = unit_seed();

    begin(unit);
    for (int i = 0; i < 300; i++) {
        char writer[33];
        canary_storage_value values[3];
        canary_storage_row row = { .size = (uint32_t)sizeof row,
                                   .table = CANARY_TABLE_WRITERS,
                                   .count = 3,
                                   .values = values };

        snprintf(writer, sizeof writer, "%016llx%016llx", (unsigned long long)unit_random(&seed),
                 (unsigned long long)unit_random(&seed));
        values[0] = canary__value_text(writer);
        values[1] = canary__value_integer(1);
        values[2] = canary__value_integer(UNIT_NOW - (i < 200 ? 8 : 6) * day);
        OK(store->methods.write(transaction, &row, &error));
    }
    end(unit);
    for (int i = 0; i < 20; i++) {
        retain(unit, UNIT_NOW, 100);
    }
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_WRITERS), 100);
}

/* A delivery with a key that canary_import() does not take keeps nothing else from going. */
static void test_imports(void **state) {
    struct unit *unit = *state;
    canary_store *store = measurements_of(unit);
    uint64_t seed = unit_seed();

    begin(unit);
    put(unit, CANARY_TABLE_HOURS, name, 500 * hour, &seed, NULL);
    for (int i = 0; i < 2; i++) {
        char key[301] = "";
        canary_storage_value values[5];
        canary_storage_row row = { .size = (uint32_t)sizeof row,
                                   .table = CANARY_TABLE_IMPORTS,
                                   .count = 5,
                                   .values = values };

        memset(key, 'k', i == 0 ? 100 : 300);
        values[0] = canary__value_text(name);
        values[1] = canary__value_text(key);
        values[2] = canary__value_text("");
        values[3] = canary__value_integer(1);
        values[4] = canary__value_integer(UNIT_NOW - 500 * day);
        OK(store->methods.write(transaction, &row, &error));
    }
    end(unit);
    /* Rows of the rollout must be there for its deliveries to be looked at. */
    begin(unit);
    put(unit, CANARY_TABLE_HOURS, name, UNIT_NOW, &seed, NULL);
    end(unit);
    for (int i = 0; i < 20; i++) {
        retain(unit, UNIT_NOW, 100);
    }
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_HOURS), 1);
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_IMPORTS), 1);
}

/* -- sizes -- */

static void test_generations_of_users(void **state) {
    struct unit *unit = *state;
    uint32_t user = 77;
    const struct canary__sample users[2] = { { .count = 0 }, { .count = 1, .users = &user } };

    for (uint64_t generation = 1; generation <= 80; generation++) {
        begin(unit);
        OK(canary__merge_users(measurements_of(unit), transaction, name, generation, users,
                               &error));
        end(unit);
    }
    assert_int_equal(stored_rows(unit->store, CANARY_TABLE_SUBJECTS), 64);
}

/* A cohort's outcomes of some time: log-normal durations over about three decades. */
static void put_traffic(struct unit *unit, int table, int64_t start, const uint32_t counts[2],
                        uint64_t *seed) {
    canary_store *store = measurements_of(unit);
    struct canary__sheet sheet = { 0 };
    static int64_t rising[1201];

    rising[0] = 100000;
    for (size_t i = 1; i < COUNT(rising); i++) {
        rising[i] = rising[i - 1] + rising[i - 1] / 100;
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        struct canary__tally *tally =
            canary__sheet_at(&store->hooks, &sheet, 3, cohort, CANARY__SHEET_STATUS);

        tally->kind = CANARY__TALLY_STATUS;
        tally->counts[0] = counts[cohort] - counts[cohort] / 100;
        tally->counts[1] = counts[cohort] / 100;
        tally = canary__sheet_at(&store->hooks, &sheet, 3, cohort, CANARY__SHEET_DECISIONS);
        tally->kind = CANARY__TALLY_DECISIONS;
        tally->counts[CANARY_REASON_SPLIT] = counts[cohort];
        tally = canary__sheet_at(&store->hooks, &sheet, 3, cohort, CANARY__SHEET_DURATION);
        tally->kind = CANARY_METRIC_DURATION;
        for (uint32_t i = 0; i < counts[cohort]; i++) {
            int sum = 0;

            for (int k = 0; k < 12; k++) {
                sum += (int)(unit_random(seed) % 1000);
            }
            /* A percent for each tenth of the sum, whose deviation is 1000: a factor of e. */
            assert_int_equal(canary__tally_add_duration(&store->hooks, tally, rising[sum / 10]),
                             CANARY_OK);
        }
    }
    OK(canary__merge_sheet(store, transaction, table, name, start, &sheet, &error));
    canary__sheet_free(&store->hooks, &sheet);
}

/* A year of a rollout with a hundred requests a second, 5 % of them new. A sample of the rows of each
 * table tells the size of all. */
static void test_year(void **state) {
    static const uint32_t traffic[3][2] = { { 950, 50 }, { 5700, 300 }, { 342000, 18000 } };
    static const uint32_t sample[3] = { 100, 40, 4 };
    static const double rows[3] = { 720, 7 * 24 * 60, 400 * 24 };
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    uint64_t before = 0;
    double bytes = 0;

    begin(unit);
    for (int table = 0; table < 3; table++) {
        struct stored stored;

        for (uint32_t i = 0; i < sample[table]; i++) {
            put_traffic(unit, CANARY_TABLE_TICKS + table, UNIT_NOW + i * hour, traffic[table],
                        &seed);
        }
        end(unit);
        stored = read_stored(unit, name);
        print_message("%llu bytes a row\n",
                      (unsigned long long)((stored.bytes - before) / sample[table]));
        bytes += (double)(stored.bytes - before) / sample[table] * rows[table];
        before = stored.bytes;
        stored_free(unit->store, &stored);
        begin(unit);
    }
    end(unit);
    print_message("%.1f MB a year\n", bytes / 1e6);
    assert_true(bytes < 45e6); /* the rest is for the pages' own bytes */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(test_exact),
        UNIT_BOTH(test_many_rollouts),
        UNIT_MEMORY_ONLY(test_by_flushing),
        UNIT_MEMORY_ONLY(test_not_after_a_jump),
        UNIT_BOTH(test_damaged),
        UNIT_BOTH(test_much_damage),
        UNIT_BOTH(test_spoilt_step),
        UNIT_BOTH(test_no_names),
        UNIT_BOTH(test_writers),
        UNIT_BOTH(test_imports),
        UNIT_BOTH(test_generations_of_users),
        UNIT_MEMORY_ONLY(test_year),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
