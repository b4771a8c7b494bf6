/* SPDX-License-Identifier: MIT */
/* How large the store of measurements gets, and how long a flush into it takes. */
#include "figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double milliseconds(void) {
    struct timespec now = { 0, 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int64_t size_of(const struct place *place) {
    struct stat status;

    assert_int_equal(stat(place->path, &status), 0);
    return status.st_size;
}

/* -- how large it gets -- */

enum { KEPT = 300, STEPS = 6000 };

/* A tick comes and the oldest goes, again and again, with rows of all sizes: once as many are there
 * as ever will be, the file grows no more. */
static void bounded_size(void **state) {
    struct place figures;
    struct place journal;
    int64_t settled = 0;

    figures_make(*state, &figures);
    journal = figures;
    snprintf(journal.path, sizeof journal.path, "%.110s-journal", figures.path);
    for (int step = 0; step < STEPS; step += 20) {
        assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
        for (int i = step; i < step + 20; i++) {
            /* Two processes merge into a tick, so that it grows after it was written. */
            size_t size = (size_t)(i * 797 % 5000);

            assert_int_equal(figures_put(&figures, CANARY_TABLE_TICKS, "r", i, i, size / 2),
                             CANARY_OK);
            assert_int_equal(figures_put(&figures, CANARY_TABLE_TICKS, "r", i, i, size), CANARY_OK);
            if (i >= KEPT) {
                assert_int_equal(figures_remove(&figures, CANARY_TABLE_TICKS, "r", i - KEPT),
                                 CANARY_OK);
            }
        }
        assert_int_equal(place_end(&figures, 1), CANARY_OK);
        if (step == 4 * KEPT) {
            settled = size_of(&figures);
        }
    }
    print_message("%d rows of 0 to 5000 bytes: %.2f MB, after %d more %.2f MB; journal %.2f MB\n",
                  KEPT, (double)settled / 1e6, STEPS - 4 * KEPT, (double)size_of(&figures) / 1e6,
                  (double)size_of(&journal) / 1e6);
    assert_in_range(size_of(&figures), 300000, settled + settled / 20);
    assert_in_range(size_of(&journal), 0, 1 << 20);
    assert_int_equal(place_number(&figures, "SELECT count(*) FROM ticks"), KEPT);
    /* Many rows go in one transaction, whose journal is long: it is cut afterwards. */
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
    for (int i = 0; i < 2 * KEPT; i++) {
        assert_int_equal(figures_put(&figures, CANARY_TABLE_HOURS, "r", i, 1, 9000), CANARY_OK);
    }
    assert_int_equal(place_end(&figures, 1), CANARY_OK);
    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
    for (int i = 0; i < 2 * KEPT; i++) {
        assert_int_equal(figures_put(&figures, CANARY_TABLE_HOURS, "r", i, 2, 9000), CANARY_OK);
    }
    assert_int_equal(place_end(&figures, 1), CANARY_OK);
    assert_in_range(size_of(&journal), 0, 1 << 20);
    place_close(&figures);
}

/* A year of one rollout: ticks of two hours, minutes of a week, hours of 400 days. */
static void a_year(void **state) {
    static const struct {
        int table;
        int rows;
    } parts[] = { { CANARY_TABLE_TICKS, 720 },
                  { CANARY_TABLE_MINUTES, 10080 },
                  { CANARY_TABLE_HOURS, 9600 } };
    static const size_t sizes[] = { 400, 1200, 2000 };
    struct place *place = *state;
    struct place figures;

    place_create(place);
    for (size_t size = 0; size < 3; size++) {
        int64_t rows = 0;

        assert_int_equal(place_open(place, 0), CANARY_OK);
        assert_int_equal(figures_open(place, 1, &figures), CANARY_OK);
        for (size_t part = 0; part < 3; part++) {
            for (int i = 0; i < parts[part].rows; i++) {
                if (i % 200 == 0) {
                    assert_int_equal(place_begin(&figures, CANARY_STORAGE_WRITE), CANARY_OK);
                }
                assert_int_equal(figures_put(&figures, parts[part].table, "checkout",
                                             i * INT64_C(10000000000), 1000 + i,
                                             sizes[size] / 2 + (size_t)i * 997 % sizes[size]),
                                 CANARY_OK);
                if (i % 200 == 199 || i == parts[part].rows - 1) {
                    assert_int_equal(place_end(&figures, 1), CANARY_OK);
                }
                rows++;
            }
        }
        print_message("%lld rows of about %zu bytes: %.1f MB\n", (long long)rows, sizes[size],
                      (double)size_of(&figures) / 1e6);
        /* Of what the rows themselves have, a third more at most. */
        assert_in_range(size_of(&figures), 0, rows * ((int64_t)sizes[size] + 120) * 4 / 3);
        place_close(&figures);
        place_close(place);
        assert_int_equal(unlink(figures.path), 0);
    }
}

/* -- speed: printed, not asserted -- */

/* What a flush does: the writer's row, a tick, samples; read, merged and written back. */
static void flush_once(struct place *figures, int rollouts, int64_t start) {
    struct figures_sum sum;
    canary_storage_value key[2] = { { CANARY_VALUE_TEXT, 0, 0, "", 0 },
                                    { CANARY_VALUE_INTEGER, 0, start, NULL, 0 } };
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 2, .key = key };

    assert_int_equal(place_begin(figures, CANARY_STORAGE_WRITE), CANARY_OK);
    for (int i = 0; i < rollouts; i++) {
        char name[16];

        snprintf(name, sizeof name, "rollout.%d", i);
        key[0].data = name;
        key[0].size = strlen(name);
        for (int table = CANARY_TABLE_TICKS; table <= CANARY_TABLE_HOURS; table++) {
            memset(&sum, 0, sizeof sum);
            assert_int_equal(figures->methods.read(figures->transaction, table, &range,
                                                   figures_ignore, &sum, &figures->error),
                             CANARY_OK);
            assert_int_equal(figures_put(figures, table, name, start, 1, 1500), CANARY_OK);
        }
    }
    assert_int_equal(place_end(figures, 1), CANARY_OK);
}

static int by_value(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;

    return difference < 0 ? -1 : difference > 0;
}

static void speed(void **state) {
    enum { FLUSHES = 100, WAYS = 4 };
    struct place *place = *state;
    struct place figures;
    double took[WAYS][FLUSHES];

    figures_make(place, &figures);
    for (int i = 0; i < WAYS * FLUSHES; i++) {
        int way = i % WAYS;
        double start;

        if (way >= 2) {
            figures.methods.before_fork(figures.store);
        }
        start = milliseconds();
        flush_once(&figures, way % 2 == 0 ? 1 : 10, i);
        took[way][i / WAYS] = milliseconds() - start;
    }
    for (int way = 0; way < WAYS; way++) {
        qsort(took[way], FLUSHES, sizeof took[way][0], by_value);
        print_message(
            "flush of %d rows of 1500 bytes, connection %s: median %.2f ms, p95 %.2f ms\n",
            way % 2 == 0 ? 3 : 30, way < 2 ? "kept" : "opened", took[way][FLUSHES / 2],
            took[way][FLUSHES * 95 / 100]);
    }
    place_close(&figures);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)
#define QUICK(name) cmocka_unit_test_setup_teardown(name, place_setup_in_memory, place_teardown)
    const struct CMUnitTest tests[] = {
        QUICK(bounded_size),
        QUICK(a_year),
        TEST(speed),
        QUICK(speed),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
