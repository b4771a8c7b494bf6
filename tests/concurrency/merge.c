/* SPDX-License-Identifier: MIT */
/* Recording in threads and processes that flush, fork, change and close at the same time: every outcome
 * that was recorded by a process that came to flush is in the store once, nothing hangs, and nothing
 * that happens to the figures holds up a fork or a rollback. */
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../unit/stored.h"
#include "common.h"

enum {
    SLOW = UNDER_TSAN   ? 20
           : UNDER_ASAN ? 5
                        : 1,
    PROCESSES = 4,
    MANY = 10000000 / PROCESSES / SLOW,
    THREADS = 2,
    FORKS = 60,
    BORN = 10, /* outcomes that each child records */
};

static const char name[] = "main";
static const char *path;
static atomic_int stop;

static void record(canary_ctx *ctx, int count) {
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    for (int i = 0; i < count; i++) {
        outcome.status = i % 100 == 0;
        outcome.duration_ns = (i & 1023) * 1000;
        CHECK(canary_record_cohort(ctx, i & 1, &outcome) == CANARY_OK, "record");
    }
}

static void flush(canary_store *store, const char *who) {
    canary_error error = CANARY_ERROR_INIT;
    int code = canary_flush(store, &error);

    CHECK(code == CANARY_OK, "%s: %s: %s", who, canary_error_name(code), error.message);
}

static canary_ctx *open_main(const canary_options *options) {
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;

    MUST(canary_open(path, name, options, &ctx, &error), error);
    return ctx;
}

static void must_be_stored(canary_store *store, uint64_t outcomes, const char *what) {
    canary_error error = CANARY_ERROR_INIT;
    struct stored stored;
    uint64_t status;
    uint64_t durations;

    MUST(stored_read(store, name, &stored, &error), error);
    status = stored_events(&stored, 0, -1, CANARY__SHEET_STATUS);
    durations = stored_events(&stored, 0, -1, CANARY__SHEET_DURATION);
    CHECK(status == outcomes && durations == outcomes,
          "%s: %llu outcomes and %llu durations are stored, %llu were recorded", what,
          (unsigned long long)status, (unsigned long long)durations, (unsigned long long)outcomes);
    stored_free(store, &stored);
}

/* -- ten million -- */

static void *record_half(void *ctx) {
    record(ctx, MANY / THREADS);
    return NULL;
}

static int record_many(void *inherited) {
    canary_options options = patient();
    canary_ctx *ctx = inherited != NULL ? inherited : open_main(&options);
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, record_half, ctx) == 0, "thread");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    if (inherited != NULL) {
        flush(canary_ctx_store(ctx), "an heir");
    } else {
        canary_close(&ctx);
    }
    return 0;
}

static void ten_million(void) {
    canary_options options = patient();
    canary_ctx *ctx = open_main(&options);
    pid_t children[PROCESSES];

    record(ctx, 1000); /* what a child inherits is not the child's */
    for (int i = 0; i < PROCESSES; i++) {
        if (UNDER_TSAN) {
            (void)record_many(i % 2 == 0 ? ctx : NULL);
            continue;
        }
        children[i] = in_child(record_many, i % 2 == 0 ? ctx : NULL, WATCHDOG_S);
    }
    for (int i = 0; i < PROCESSES && !UNDER_TSAN; i++) {
        child_succeeded(children[i], "recording");
    }
    flush(canary_ctx_store(ctx), "the parent");
    must_be_stored(canary_ctx_store(ctx), (uint64_t)PROCESSES * MANY + 1000, "many");
    canary_close(&ctx);
}

/* -- everything at once -- */

static void *record_on(void *ctx) {
    uint64_t count = 0;

    while (atomic_load(&stop) == 0) {
        record(ctx, 500);
        count += 500;
        sleep_us(100);
    }
    return (void *)(uintptr_t)count;
}

static void *flush_on(void *ctx) {
    while (atomic_load(&stop) == 0) {
        flush(canary_ctx_store(ctx), "flushing on");
        sleep_us(2000);
    }
    return NULL;
}

static void *change_on(void *ctx) {
    uint64_t random = 1;

    while (atomic_load(&stop) == 0) {
        canary_error error = CANARY_ERROR_INIT;

        MUST(canary_set_percentage(canary_ctx_store(ctx), name,
                                   1000 + (uint32_t)(next_random(&random) % 8000), NULL, NULL, NULL,
                                   &error),
             error);
        sleep_us(50000);
    }
    return NULL;
}

static void *watch_on(void *ctx) {
    while (atomic_load(&stop) == 0) {
        canary_recording_info info = CANARY_RECORDING_INFO_INIT;

        CHECK(canary_recording(ctx, &info) == CANARY_OK, "recording");
        CHECK(info.merged <= info.outcomes, "%llu merged of %llu", (unsigned long long)info.merged,
              (unsigned long long)info.outcomes);
        sleep_us(500);
    }
    return NULL;
}

/* Opens and closes another context of the store, which records, too. */
static void *open_on(void *ctx) {
    uint64_t count = 0;

    while (atomic_load(&stop) == 0) {
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *own = NULL;

        MUST(canary_open_in(canary_ctx_store(ctx), name, NULL, &own, &error), error);
        record(own, 50);
        count += 50;
        canary_close(&own);
    }
    return (void *)(uintptr_t)count;
}

static int born(void *data) {
    canary_ctx *ctx = data;
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;

    CHECK(canary_recording(ctx, &info) == CANARY_OK, "recording");
    CHECK(info.outcomes == 0 && info.merged == 0 && info.flushes == 0 && info.waiting == 0,
          "a child begins with %llu outcomes, %llu merged", (unsigned long long)info.outcomes,
          (unsigned long long)info.merged);
    record(ctx, BORN);
    flush(canary_ctx_store(ctx), "a child");
    record(ctx, BORN);
    canary_close(&ctx);
    return 0;
}

/* Time goes by two hundred times as fast, and it is always a moment before a mark, so that the thread of
 * the store has much to do. */
static int64_t hurried_clock(void *user_data, int clock) {
    const int64_t mark = INT64_C(1790000000000000000);
    int64_t now = now_ns() % INT64_C(1000000000000000) * 200;

    (void)user_data;
    now -= now % CANARY_TICK_NS;
    return clock == CANARY_CLOCK_REALTIME ? mark + now - 20000000 : now;
}

static void at_once(void) {
    static void *(*const jobs[])(void *) = { record_on, record_on, flush_on,
                                             change_on, watch_on,  open_on };
    enum { JOBS = sizeof jobs / sizeof *jobs };
    canary_recording_info info = CANARY_RECORDING_INFO_INIT;
    canary_options options = patient();
    canary_store *observer = NULL;
    canary_error error = CANARY_ERROR_INIT;
    pthread_t threads[JOBS];
    uint64_t recorded;
    canary_ctx *ctx;

    options.clock = hurried_clock;
    ctx = open_main(&options);
    MUST(canary_store_open(path, &options, &observer, &error), error);
    recorded = stored_outcomes(observer, name);
    for (int i = 0; i < JOBS; i++) {
        CHECK(pthread_create(&threads[i], NULL, jobs[i], ctx) == 0, "thread");
    }
    /* Neither sanitizer expects forks among threads: a child of threads that allocate can wait for ever
     * for a lock of GCC's allocator for AddressSanitizer. */
    if (UNDER_TSAN || UNDER_ASAN) {
        sleep_us(6000000);
    } else {
        for (int i = 0; i < FORKS; i++) {
            child_succeeded(in_child(born, ctx, WATCHDOG_S), "a child");
            recorded += BORN * 2;
        }
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < JOBS; i++) {
        void *count = NULL;

        pthread_join(threads[i], &count);
        recorded += (uintptr_t)count;
    }
    atomic_store(&stop, 0);
    CHECK(canary_recording(ctx, &info) == CANARY_OK && info.dropped == 0, "%llu were dropped",
          (unsigned long long)info.dropped);
    canary_close(&ctx);
    must_be_stored(observer, recorded, "everything at once");
    canary_store_close(&observer);
}

/* -- by itself -- */

static int wait_for_merged(canary_ctx *ctx, uint64_t outcomes) {
    for (int64_t end = now_ns() + PATIENCE_S * INT64_C(1000000000); now_ns() < end;) {
        canary_recording_info info = CANARY_RECORDING_INFO_INIT;

        CHECK(canary_recording(ctx, &info) == CANARY_OK, "recording");
        if (info.merged == outcomes) {
            return 0;
        }
        sleep_us(10000);
    }
    CHECK(0, "nobody flushed");
    return 1;
}

/* A child that only records: nothing else of it would start a thread. */
static int only_record(void *ctx) {
    record(ctx, 77);
    return wait_for_merged(ctx, 77);
}

static void by_itself(void) {
    canary_options options = patient();
    canary_ctx *ctx;

    options.clock = hurried_clock;
    options.tick_ns = INT64_C(3600000000000);
    ctx = open_main(&options);
    sleep_us(20000); /* the watcher waits, for an hour */
    record(ctx, 5);
    wait_for_merged(ctx, 5);
    if (!UNDER_TSAN) {
        child_succeeded(in_child(only_record, ctx, WATCHDOG_S), "a child that only records");
    }
    record(ctx, 6);
    wait_for_merged(ctx, 11);
    canary_close(&ctx);
}

/* -- with the figures' database locked -- */

static int nothing(void *unused) {
    (void)unused;
    return 0;
}

static void locked(void) {
    canary_options options = patient();
    canary_error error = CANARY_ERROR_INIT;
    char metrics[600];
    sqlite3 *db = NULL;
    canary_ctx *ctx;
    canary_store *operator_store = NULL;
    int64_t begun;
    int64_t longest = 0;
    uint64_t before;
    pid_t child;

    options.clock = hurried_clock;
    ctx = open_main(&options);
    MUST(canary_store_open(path, &options, &operator_store, &error), error);
    record(ctx, 100);
    flush(canary_ctx_store(ctx), "at first");
    before = stored_outcomes(operator_store, name);
    snprintf(metrics, sizeof metrics, "%s-metrics", path);
    CHECK(sqlite3_open_v2(metrics, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK, "open");
    sqlite3_busy_timeout(db, 20000);
    CHECK(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK, "lock");
    MUST(canary_set_percentage(operator_store, name, 10000, NULL, NULL, NULL, &error), error);
    for (int i = 0; i < 60; i++) {
        record(ctx, 10);
        sleep_us(20000);
        begun = now_ns();
        if (!UNDER_TSAN) {
            child = in_child(nothing, NULL, WATCHDOG_S);
            longest = now_ns() - begun > longest ? now_ns() - begun : longest;
            child_succeeded(child, "a child");
        }
    }
    /* What waited for the figures would have waited for as long as the lock was there, and longer. */
    CHECK(longest < PATIENCE_S * INT64_C(500000000), "a fork took %lld ms",
          (long long)longest / 1000000);
    CHECK(canary_should_use_new(ctx, "someone") == CANARY_NEW, "not at 100 %%");
    begun = now_ns();
    MUST(canary_rollback(operator_store, name, 0, NULL, NULL, &error), error);
    while (canary_should_use_new(ctx, "someone") == CANARY_NEW) {
        sleep_us(50);
        CHECK(now_ns() - begun < PATIENCE_S * INT64_C(500000000), "the rollback did not arrive");
    }
    printf("metrics locked: fork %lld us at most, a rollback was in effect after %lld us\n",
           (long long)longest / 1000, (long long)(now_ns() - begun) / 1000);
    sqlite3_close(db);
    flush(canary_ctx_store(ctx), "at last");
    CHECK(stored_outcomes(operator_store, name) == before + 600, "not all was merged");
    canary_close(&ctx);
    canary_store_close(&operator_store);
}

int main(void) {
    canary_store *store;

    path = path_in("merge.db");
    store = make_store(path, name, 2500);
    canary_store_close(&store);
    ten_million();
    at_once();
    by_itself();
    locked();
    return 0;
}
