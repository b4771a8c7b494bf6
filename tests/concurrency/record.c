/* SPDX-License-Identifier: MIT */
/* Recording from many threads while somebody gathers: every outcome is in exactly one gathering. More
 * threads than have slots of their own, threads that come and go, and children of fork. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "observe/recorder.h"

enum {
    CROWD = CANARY__SLOTS_OWNED + 40, /* alive at once */
    EACH = UNDER_TSAN ? 2000 : 20000,
    COMING_AND_GOING = UNDER_TSAN ? 300 : 2000,
    FORKS = UNDER_TSAN ? 10 : 60,
    USERS = 500,
};

static canary_store *store;
static canary_ctx *ctx;
static int32_t cost;
static canary_decision decisions[USERS];
static struct canary__sheet whole;
static atomic_int gathering;
static pthread_barrier_t everybody;

static void open_all(void) {
    canary_error error = CANARY_ERROR_INIT;
    canary_rollout_spec spec = { .size = sizeof spec, .name = "r" };
    canary_metric metric = CANARY_METRIC_INIT;
    char user[32];

    MUST(canary_store_open_memory(NULL, &store, &error), error);
    MUST(canary_create(store, &spec, NULL, NULL, &error), error);
    MUST(canary_set_percentage(store, "r", 2500, NULL, NULL, NULL, &error), error);
    MUST(canary_open_in(store, "r", NULL, &ctx, &error), error);
    metric.kind = CANARY_METRIC_VALUE;
    metric.name = "cost";
    MUST(canary_metric_declare(ctx, &metric, &cost, &error), error);
    for (int i = 0; i < USERS; i++) {
        snprintf(user, sizeof user, "user-%d", i);
        decisions[i] = (canary_decision)CANARY_DECISION_INIT;
        canary_explain(ctx, user, strlen(user), &decisions[i]);
    }
}

static void gather(void) {
    struct canary__observer *observer = canary__observer_of(ctx);
    struct canary__sheet part = { 0 };

    if (observer == NULL) {
        return;
    }
    canary__observer_lock(observer);
    CHECK(canary__observer_gather(observer, &part) == CANARY_OK, "gather");
    canary__observer_unlock(observer);
    CHECK(canary__sheet_merge(observer->hooks, &whole, &part) == CANARY_OK, "merge");
    canary__sheet_free(observer->hooks, &part);
}

static void *gather_on(void *unused) {
    (void)unused;
    while (atomic_load(&gathering)) {
        gather();
        sleep_us(200);
    }
    return NULL;
}

static void record(unsigned number) {
    canary_measurement measurement = { .metric = cost, .value = (double)(number % 7) - 3 };
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    outcome.status = (int32_t)(number % 3);
    outcome.duration_ns = (int64_t)number * 1000 + 1;
    outcome.measurements = &measurement;
    outcome.measurement_count = 1;
    CHECK(canary_record(ctx, &decisions[number % USERS], &outcome) == CANARY_OK, "record");
}

static void *crowd(void *data) {
    unsigned from = (unsigned)(uintptr_t)data;

    pthread_barrier_wait(&everybody);
    for (unsigned i = 0; i < EACH; i++) {
        record(from + i);
    }
    pthread_barrier_wait(&everybody); /* nobody's slot becomes free for another */
    return NULL;
}

static void *short_life(void *data) {
    for (unsigned i = 0; i < 50; i++) {
        record((unsigned)(uintptr_t)data + i);
    }
    return NULL;
}

/* What a single thread would have come to. */
struct expected {
    uint64_t status[2][3];
    uint64_t sum_ns[2];
    int64_t costs[2];
};

static void expect(struct expected *out, unsigned number) {
    int cohort = decisions[number % USERS].cohort;

    out->status[cohort][number % 3]++;
    out->sum_ns[cohort] += (uint64_t)number * 1000 + 1;
    out->costs[cohort] += ((int64_t)(number % 7) - 3) * 1000000;
}

static void compare(const char *what, const struct expected *expected) {
    for (int cohort = 0; cohort < 2; cohort++) {
        const struct canary__tally *status =
            canary__sheet_find(&whole, 0, cohort, CANARY__SHEET_STATUS);
        const struct canary__tally *duration = canary__sheet_find(&whole, 0, cohort, "duration");
        const struct canary__tally *value = canary__sheet_find(&whole, 0, cohort, "cost");
        uint64_t n = 0;

        CHECK(status != NULL && duration != NULL && value != NULL, "%s: nothing counted", what);
        for (int i = 0; i < 3; i++) {
            CHECK(status->counts[i] == expected->status[cohort][i],
                  "%s: cohort %d, status %d: %llu counted, %llu recorded", what, cohort, i,
                  (unsigned long long)status->counts[i],
                  (unsigned long long)expected->status[cohort][i]);
            n += status->counts[i];
        }
        CHECK(duration->sum.low == expected->sum_ns[cohort], "%s: cohort %d: %llu ns, not %llu",
              what, cohort, (unsigned long long)duration->sum.low,
              (unsigned long long)expected->sum_ns[cohort]);
        for (int i = 0; i < CANARY__HISTOGRAM_BUCKETS; i++) {
            n -= duration->buckets[i];
        }
        CHECK(n == 0, "%s: cohort %d: the histogram differs by %lld", what, cohort, (long long)n);
        CHECK((int64_t)value->sum.low == expected->costs[cohort], "%s: cohort %d: costs", what,
              cohort);
    }
    CHECK(canary__sheet_find(&whole, 0, CANARY_OLD, CANARY__SHEET_LOSSES) == NULL, "%s: losses",
          what);
}

static void many_at_once(struct expected *expected) {
    static pthread_t threads[CROWD];
    pthread_t gatherer;

    pthread_barrier_init(&everybody, NULL, CROWD);
    atomic_store(&gathering, 1);
    CHECK(pthread_create(&gatherer, NULL, gather_on, NULL) == 0, "thread");
    for (unsigned i = 0; i < CROWD; i++) {
        CHECK(pthread_create(&threads[i], NULL, crowd, (void *)(uintptr_t)(i * EACH)) == 0,
              "thread %u", i);
    }
    for (unsigned i = 0; i < CROWD; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&gathering, 0);
    pthread_join(gatherer, NULL);
    gather();
    for (unsigned i = 0; i < CROWD * EACH; i++) {
        expect(expected, i);
    }
    compare("a crowd of threads", expected);
    CHECK(atomic_load(&canary__observer_of(ctx)->shards->sharing) == 1, "nobody had to share");
}

static void come_and_go(struct expected *expected) {
    for (unsigned i = 0; i < COMING_AND_GOING; i++) {
        pthread_t pair[2];

        for (unsigned k = 0; k < 2; k++) {
            CHECK(pthread_create(&pair[k], NULL, short_life,
                                 (void *)(uintptr_t)((2 * i + k) * 50)) == 0,
                  "thread");
        }
        pthread_join(pair[0], NULL);
        pthread_join(pair[1], NULL);
    }
    gather();
    for (unsigned i = 0; i < COMING_AND_GOING * 2 * 50; i++) {
        expect(expected, i);
    }
    compare("threads that come and go", expected);
}

/* -- fork -- */

static atomic_uint recorded;

static void *record_on(void *unused) {
    (void)unused;
    while (atomic_load(&gathering)) {
        record(atomic_fetch_add(&recorded, 1));
    }
    return NULL;
}

static int child(void *data) {
    struct expected expected;

    (void)data;
    memset(&expected, 0, sizeof expected);
    memset(&whole, 0, sizeof whole); /* of the parent, as a copy */
    for (unsigned i = 0; i < 3000; i++) {
        record(i);
        expect(&expected, i);
    }
    gather();
    compare("a child", &expected);
    return 0;
}

static void forking(struct expected *expected) {
    pthread_t thread;

    atomic_store(&gathering, 1);
    CHECK(pthread_create(&thread, NULL, record_on, NULL) == 0, "thread");
    for (int i = 0; i < FORKS; i++) {
        child_succeeded(in_child(child, NULL, WATCHDOG_S), "child");
    }
    atomic_store(&gathering, 0);
    pthread_join(thread, NULL);
    gather();
    for (unsigned i = 0; i < atomic_load(&recorded); i++) {
        expect(expected, i);
    }
    compare("a parent", expected);
}

int main(void) {
    struct expected expected;

    memset(&expected, 0, sizeof expected);
    open_all();
    come_and_go(&expected);
    forking(&expected);
    many_at_once(&expected);
    canary__sheet_free(canary__observer_of(ctx)->hooks, &whole);
    canary_close(&ctx);
    canary_store_close(&store);
    puts("every outcome counted once");
    return 0;
}
