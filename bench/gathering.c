/* SPDX-License-Identifier: MIT */
/* What lies behind recording: memory, gathering, flushing, and what a year of figures takes on disk. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <canary/storage.h>

#include "lib/outcomes.h"
#include "lib/record.h"
#include "lib/timing.h"
#include "observe/merge.h"
#include "observe/recorder.h"

enum {
    THREADS = 16,
    ROUNDS = 101,
    SMOKE_ROUNDS = 3,
    EACH = 4096,
    HALF_BP = 2500,
    TICKS = 720,     /* 2 hours of 10 s */
    MINUTES = 10080, /* 7 days */
    HOURS = 8760,    /* a year */
    PER_TICK = 1000, /* outcomes */
};

static char directory[64];
static char path[96];

static void must(int code, const canary_error *error, const char *what) {
    if (code != CANARY_OK) {
        bench_die(what, error->message);
    }
}

static int rounds(void) {
    return bench_is_smoke() ? SMOKE_ROUNDS : ROUNDS;
}

static canary_ctx *open_ctx(canary_store **store) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "bench" };
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;

    options.flags = CANARY_OPEN_CREATE | CANARY_OPEN_NO_WATCHER;
    must(canary_store_open(path, &options, store, &error), &error, "open");
    must(canary_create(*store, &spec, NULL, NULL, &error), &error, "create");
    must(canary_set_percentage(*store, "bench", HALF_BP, NULL, NULL, NULL, &error), &error, "set");
    must(canary_open_in(*store, "bench", &options, &ctx, &error), &error, "open");
    return ctx;
}

/* -- gathering and flushing -- */

static void *record_some(void *data) {
    bench_record(data, EACH);
    return NULL;
}

/* Each round has threads of its own, which take over the slots of those before. */
static void record_everywhere(struct bench_outcomes *all) {
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, record_some, all) != 0) {
            bench_die("thread", "cannot be started");
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* All sixteen at once, so that each has a slot of its own. */
static pthread_barrier_t together;

static void *claim(void *data) {
    bench_record(data, 8);
    pthread_barrier_wait(&together);
    return NULL;
}

static void claim_slots(struct bench_outcomes *all) {
    pthread_t threads[THREADS];

    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, claim, all) != 0) {
            bench_die("thread", "cannot be started");
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&together);
}

static void gathering(struct bench_outcomes *all) {
    struct canary__observer *observer;
    double gather_us[ROUNDS];
    double flush_us[ROUNDS];
    struct bench_spread gathered;
    char figure[120];

    claim_slots(all);
    observer = canary__observer_of(all->ctx);
    for (int round = 0; round < rounds(); round++) {
        struct canary__sheet sheet = { 0 };
        int64_t start;

        record_everywhere(all);
        start = bench_wall_ns();
        canary__observer_lock(observer);
        if (canary__observer_totals(observer, &sheet) != CANARY_OK) {
            bench_die("gather", "no memory");
        }
        canary__observer_unlock(observer);
        gather_us[round] = (double)(bench_wall_ns() - start) / 1e3;
        canary__sheet_free(observer->hooks, &sheet);
        start = bench_wall_ns();
        {
            canary_error error = CANARY_ERROR_INIT;

            must(canary_flush(canary_ctx_store(all->ctx), &error), &error, "flush");
        }
        flush_us[round] = (double)(bench_wall_ns() - start) / 1e3;
    }
    bench_heading("Flushing what 16 threads recorded");
    bench_number("slots in use", "", (double)atomic_load(&observer->shards->claimed));
    gathered = bench_spread_of(gather_us, (size_t)rounds());
    bench_figure("gathering them", "us", gathered);
    bench_figure("canary_flush(), with its transaction on this disk", "us",
                 bench_spread_of(flush_us, (size_t)rounds()));
    snprintf(figure, sizeof figure, "%.0f us", gathered.median);
    bench_at_most("gathering the shards of 16 threads: 1 ms", figure, gathered.median / 1000, 1.0);
}

static void memory(void) {
    size_t slot = 2 * sizeof(struct canary__duration_slot);
    char figure[120];

    bench_heading("Memory of recording, for each rollout");
    bench_number("durations of both cohorts, for each thread", "KiB", (double)slot / 1024);
    bench_number("all that every thread counts", "KiB",
                 (double)sizeof(struct canary__slot_of_thread) / 1024);
    bench_number("users seen, once for all threads", "KiB",
                 (double)sizeof((struct canary__shards *)0)->samples / 1024);
    snprintf(figure, sizeof figure, "%.1f KiB", (double)slot / 1024);
    bench_at_most("durations of both cohorts and a thread: 64 KiB", figure,
                  (double)slot / (64.0 * 1024), 1.0);
}

/* -- a year -- */

/* Sheets of `n` outcomes in both cohorts, as the recorder makes them. */
static void fill(struct bench_outcomes *all, uint64_t n, struct canary__sheet *sheet) {
    struct canary__observer *observer = canary__observer_of(all->ctx);
    static uint64_t random = 88172645463325252u;
    struct canary__sheet rest = { 0 };

    canary__observer_lock(observer);
    canary__observer_gather(observer, &rest);
    canary__sheet_free(observer->hooks, &rest);
    for (uint64_t i = 0; i < n; i++) {
        canary_outcome outcome = CANARY_OUTCOME_INIT;
        double spread = 1;

        /* A product of uniform factors: skewed as durations are, from 0.5 ms to 1 s. */
        for (int factor = 0; factor < 4; factor++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            spread *= 0.5 + 2.0 * (double)(random >> 11) / 9007199254740992.0;
        }
        outcome.status = random % 100 == 0 ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
        outcome.duration_ns = (int64_t)(8e6 * spread);
        {
            const struct bench_request *request = &all->requests[(random >> 32) % BENCH_OUTCOMES];
            canary_decision decision = all->decision;

            decision.hash = request->hash;
            decision.cohort = request->cohort;
            canary_record(all->ctx, &decision, &outcome);
        }
    }
    if (canary__observer_gather(observer, sheet) != CANARY_OK) {
        bench_die("gather", "no memory");
    }
    canary__observer_unlock(observer);
}

static void put_rows(canary_store *measurements, int table, int count, int64_t step_ns,
                     struct bench_outcomes *all, uint64_t per_row) {
    enum { VARIANTS = 8 };
    struct canary__sheet sheets[VARIANTS] = { { 0 } };
    canary_error error = CANARY_ERROR_INIT;
    void *transaction = NULL;

    for (int i = 0; i < VARIANTS; i++) {
        fill(all, per_row, &sheets[i]);
    }
    must(canary__store_begin(measurements, CANARY_STORAGE_WRITE, &transaction, &error), &error,
         "begin");
    for (int i = 0; i < count; i++) {
        must(canary__merge_sheet(measurements, transaction, table, "bench", i * step_ns,
                                 &sheets[i % VARIANTS], &error),
             &error, "merge");
    }
    must(measurements->methods.end(transaction, 1, &error), &error, "commit");
    canary__store_unlock(measurements);
    for (int i = 0; i < VARIANTS; i++) {
        canary__sheet_free(canary__observer_of(all->ctx)->hooks, &sheets[i]);
    }
}

static double megabytes(const char *suffix) {
    char name[160];
    struct stat status;

    snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &status) == 0 ? (double)status.st_size / 1e6 : 0;
}

static void year(struct bench_outcomes *all) {
    int less = bench_is_smoke() ? 100 : 1;
    canary_error error = CANARY_ERROR_INIT;
    canary_store *measurements;
    char figure[120];

    must(canary__merge_store(canary_ctx_store(all->ctx), 1, &measurements, &error), &error,
         "metrics");
    put_rows(measurements, CANARY_TABLE_TICKS, TICKS / less, CANARY_TICK_NS, all, PER_TICK);
    put_rows(measurements, CANARY_TABLE_MINUTES, MINUTES / less, 6 * CANARY_TICK_NS, all,
             6 * PER_TICK);
    put_rows(measurements, CANARY_TABLE_HOURS, HOURS / less, 360 * CANARY_TICK_NS, all,
             360 * PER_TICK);
    bench_heading("A year of one rollout on disk (1000 outcomes a tick, two cohorts)");
    bench_number("ticks, minutes and hours that are kept", "rows", TICKS + MINUTES + HOURS);
    bench_number("the metrics database", "MB", megabytes("-metrics") * less);
    snprintf(figure, sizeof figure, "%.1f MB", megabytes("-metrics"));
    bench_at_most("a year of ticks of one rollout: 50 MB", figure, megabytes("-metrics") / 50, 1.0);
}

static void clean_up(void) {
    static const char *const suffixes[] = { "", "-journal", "-doorbell", "-metrics",
                                            "-metrics-journal" };

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char name[160];

        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    rmdir(directory);
}

int main(int argc, char **argv) {
    const char *temporary = getenv("TMPDIR");
    const struct bench_ids *ids;
    struct bench_outcomes *all;
    canary_store *store = NULL;

    bench_begin("gathering", argc, argv);
    snprintf(directory, sizeof directory, "%.40s/gathering-XXXXXX",
             temporary == NULL ? "/tmp" : temporary);
    if (mkdtemp(directory) == NULL) {
        bench_die(directory, "cannot be made");
    }
    snprintf(path, sizeof path, "%s/bench.db", directory);
    atexit(clean_up);
    ids = bench_ids_new(36);
    all = bench_outcomes_new(open_ctx(&store), ids);
    memory();
    gathering(all);
    year(all);
    canary_close(&all->ctx);
    canary_store_close(&store);
    return bench_end();
}
