/* SPDX-License-Identifier: MIT */
/* Metrics are read while threads record, contexts are opened and closed, the rollout changes and the
 * process forks: no number falls, along the bounds of a histogram or in time, and none is missing at
 * the end. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <canary/observe.h>

#include "common.h"

enum { SECONDS = 3, RECORDERS = 2, SCRAPERS = 2, BOUNDS = 40, CAPACITY = 1 << 18 };

static canary_store *store;
static canary_ctx *steady;
static atomic_int stop;
static atomic_ulong recorded;
static atomic_int scrapes;
static atomic_int opened;
static atomic_int departed; /* outcomes of contexts of "steady" that were closed */

static void *record(void *unused) {
    canary_outcome outcome = CANARY_OUTCOME_INIT;
    unsigned long done = 0;

    (void)unused;
    for (; !atomic_load_explicit(&stop, memory_order_relaxed); done++) {
        outcome.duration_ns = (int64_t)(done % 1000) * 1000000;
        CHECK(canary_record_cohort(steady, CANARY_NEW, &outcome) == CANARY_OK, "record");
    }
    atomic_fetch_add(&recorded, done);
    return NULL;
}

static void *open_and_close(void *unused) {
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    (void)unused;
    for (int i = 0; !atomic_load(&stop); i++) {
        canary_error error = CANARY_ERROR_INIT;
        canary_ctx *ctx = NULL;

        MUST(canary_open_in(store, i % 2 ? "steady" : "other", NULL, &ctx, &error), error);
        /* Closing one that recorded waits for the metrics database: most are to go quickly. */
        if (i % 64 <= 1) {
            CHECK(canary_record_cohort(ctx, CANARY_OLD, &outcome) == CANARY_OK, "record");
            atomic_fetch_add(&departed, i % 64);
        }
        canary_close(&ctx);
        if (i % 64 == 1) {
            MUST(canary_set_percentage(store, "other", (uint32_t)i % 10000, NULL, NULL, NULL,
                                       &error),
                 error);
        }
        atomic_fetch_add(&opened, 1);
    }
    return NULL;
}

/* Value of the series whose line begins like this; -1 when there is none. */
static double value_of(const char *text, const char *series) {
    const char *line = strstr(text, series);

    return line == NULL ? -1 : strtod(strchr(line, '}') + 1, NULL);
}

static char *scrape(char *text) {
    canary_error error = CANARY_ERROR_INIT;
    uint64_t size = 0;

    MUST(canary_format_openmetrics(store, text, CAPACITY, &size, &error), error);
    CHECK(size > 6 && strcmp(text + size - 6, "# EOF\n") == 0, "no end of the text");
    return text;
}

#define DURATION "canary_duration_seconds_"
#define LABELS "{rollout=\"steady\",cohort=\"new\""
#define OLD "canary_outcomes_total{rollout=\"steady\",cohort=\"old\",status=\"ok\"}"

static void *read_metrics(void *unused) {
    char *text = malloc(CAPACITY);
    double before[BOUNDS] = { 0 };
    double outcomes_before = 0;
    double old_before = 0;

    (void)unused;
    CHECK(text != NULL, "memory");
    while (!atomic_load(&stop)) {
        const char *line = scrape(text);
        double outcomes = value_of(text, "canary_outcomes_total" LABELS ",status=\"ok\"");
        double old = value_of(text, OLD);
        double along = 0;
        int bounds = 0;

        CHECK(outcomes >= outcomes_before, "outcomes fell from %.0f to %.0f", outcomes_before,
              outcomes);
        outcomes_before = outcomes;
        CHECK(old >= old_before, "outcomes of closed contexts fell from %.0f to %.0f", old_before,
              old);
        old_before = old;
        for (; (line = strstr(line, DURATION "bucket" LABELS)) != NULL; line++, bounds++) {
            double count = strtod(strchr(line, '}') + 1, NULL);

            CHECK(bounds < BOUNDS, "too many bounds");
            CHECK(count >= before[bounds], "bound %d fell from %.0f to %.0f: %.90s", bounds,
                  before[bounds], count, line);
            CHECK(count >= along, "bound %d is %.0f after %.0f: %.90s", bounds, count, along, line);
            before[bounds] = count;
            along = count;
        }
        CHECK(bounds == 20, "%d bounds", bounds);
        CHECK(along == value_of(text, DURATION "count" LABELS), "+Inf is not the count");
        atomic_fetch_add(&scrapes, 1);
    }
    free(text);
    return NULL;
}

/* A child counts from 0, and no lock of its parent's threads is closed in it. */
static int read_in_child(void *unused) {
    char *text = malloc(CAPACITY);

    (void)unused;
    CHECK(text != NULL, "memory");
    CHECK(value_of(scrape(text), "canary_outcomes_total" LABELS ",status=\"ok\"") == 0,
          "the child has outcomes of its parent");
    CHECK(value_of(text, OLD) == 0, "the child has outcomes of its parent's closed contexts");
    free(text);
    return 0;
}

static int hardly_anything(void) {
    return atomic_load(&scrapes) <= 10 || atomic_load(&opened) <= 10;
}

int main(void) {
    static const int64_t threshold = 250000000;
    canary_error error = CANARY_ERROR_INIT;
    canary_rollout_spec spec = { .size = sizeof spec, .name = "other" };
    canary_metric metric = CANARY_METRIC_INIT;
    pthread_t threads[RECORDERS + SCRAPERS + 1];
    int64_t began = now_ns();
    char *text = malloc(CAPACITY);
    int forks = 0;

    store = make_store(path_in("canary.db"), "steady", 5000);
    MUST(canary_create(store, &spec, NULL, NULL, &error), error);
    MUST(canary_open_in(store, "steady", NULL, &steady, &error), error);
    metric.name = "duration";
    metric.kind = CANARY_METRIC_DURATION;
    metric.thresholds_ns = &threshold;
    metric.threshold_count = 1;
    MUST(canary_metric_declare(steady, &metric, NULL, &error), error);
    for (int i = 0; i < RECORDERS + SCRAPERS + 1; i++) {
        CHECK(pthread_create(&threads[i], NULL,
                             i < RECORDERS              ? record
                             : i < RECORDERS + SCRAPERS ? read_metrics
                                                        : open_and_close,
                             NULL) == 0,
              "thread");
    }
    while (now_ns() - began < SECONDS * INT64_C(1000000000) ||
           (hardly_anything() && now_ns() - began < PATIENCE_S * INT64_C(1000000000))) {
        /* The child of a thread sanitizer's process cannot make threads, and that of threads that
         * allocate can wait for ever for a lock of GCC's allocator for AddressSanitizer. */
        if (!UNDER_TSAN && !UNDER_ASAN) {
            child_succeeded(in_child(read_in_child, NULL, WATCHDOG_S), "reading in a child");
            forks++;
        }
        sleep_us(20000);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < RECORDERS + SCRAPERS + 1; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(text != NULL, "memory");
    scrape(text);
    CHECK(value_of(text, "canary_outcomes_total" LABELS ",status=\"ok\"") ==
              (double)atomic_load(&recorded),
          "%.0f outcomes of %lu", value_of(text, "canary_outcomes_total" LABELS ",status=\"ok\""),
          atomic_load(&recorded));
    CHECK(value_of(text, DURATION "count" LABELS) == (double)atomic_load(&recorded), "durations");
    CHECK(value_of(text, OLD) == atomic_load(&departed), "%.0f outcomes of closed contexts, not %d",
          value_of(text, OLD), atomic_load(&departed));
    free(text);
    printf("%d scrapes, %d contexts, %d forks, %lu outcomes\n", atomic_load(&scrapes),
           atomic_load(&opened), forks, atomic_load(&recorded));
    CHECK(!hardly_anything(), "hardly anything happened");
    canary_close(&steady);
    canary_store_close(&store);
    return 0;
}
