/* SPDX-License-Identifier: MIT */
/* Counters that Prometheus reads do not fall while a context of their rollout is open. */
#include "exposed.h"
#include "flushed.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "observe/observation.h"

#define OK_OF(rollout)                                                                             \
    "canary_outcomes_total{rollout=\"" rollout "\",cohort=\"new\",status=\"ok\"} "
#define DROPPED_OF(rollout) "canary_recorded_dropped_total{rollout=\"" rollout "\"} "
#define MERGED_OF(rollout) "canary_recorded_merged_total{rollout=\"" rollout "\"} "

static void record(canary_ctx *ctx, int count) {
    for (int i = 0; i < count; i++) {
        exposed_record(ctx, CANARY_NEW, CANARY_STATUS_OK, 1000000);
    }
}

static void contexts_come_and_go(void **state) {
    struct unit *unit = *state;
    canary_decision decision = CANARY_DECISION_INIT;
    canary_outcome wrong = CANARY_OUTCOME_INIT;
    canary_ctx *ctx[4];
    canary_ctx *other;
    int32_t handle;
    char *text;

    unit_create(unit, "b");
    unit_create(unit, "a");
    unit_set(unit, "b", 10000);
    other = unit_open(unit, "a");
    ctx[0] = unit_open(unit, "b");
    ctx[1] = unit_open(unit, "b");
    record(other, 50);
    record(ctx[0], 2);
    record(ctx[1], 3);
    handle = exposed_declare(ctx[0], "x", CANARY_METRIC_PROPORTION, NULL, 0, 0);
    exposed_measure_value(ctx[0], CANARY_OLD, handle, 1);
    assert_int_equal(canary_explain(ctx[0], "u", 1, &decision), CANARY_OK);
    assert_int_equal(canary_expose(ctx[0], &decision), CANARY_OK);
    wrong.status = 7;
    assert_int_equal(canary_record_cohort(ctx[0], CANARY_NEW, &wrong), CANARY_E_INVALID);
    canary_kill(ctx[0]);

    /* Its counts stay, what it was does not. */
    canary_close(&ctx[0]);
    text = exposed_text(unit->store);
    HAS(text, OK_OF("b") "5");
    HAS(text, OK_OF("a") "50");
    HAS(text, "canary_duration_seconds_count{rollout=\"b\",cohort=\"new\"} 5");
    HAS(text, "canary_decisions_total{rollout=\"b\",cohort=\"new\",reason=\"static\"} 1");
    HAS(text, "canary_recorded_rejected_total{rollout=\"b\",cause=\"status\"} 1");
    HAS(text,
        "canary_metric_results_total{rollout=\"b\",cohort=\"old\",metric=\"x\",result=\"hit\"} 1");
    HAS(text, "canary_recording_threads{rollout=\"b\"} 1");
    HAS(text, "canary_flush_waiting_ticks{rollout=\"b\"} 0");
    HAS(text, "canary_killed{rollout=\"b\"} 0");
    HAS(text, "canary_effective_ratio{rollout=\"b\"} 1");
    /* A context that is closed merges what all have: two outcomes and a measurement here, three there. */
    HAS(text, MERGED_OF("b") "6");
    free(text);
    OK(canary_flush(unit->store, &error));

    ctx[2] = unit_open(unit, "b");
    record(ctx[2], 1);
    canary_close(&ctx[1]);
    text = exposed_text(unit->store);
    HAS(text, OK_OF("b") "6");
    HAS(text, MERGED_OF("b") "7");
    free(text);

    /* With the last one its series end. */
    canary_close(&ctx[2]);
    text = exposed_text(unit->store);
    LACKS(text, "rollout=\"b\"");
    HAS(text, OK_OF("a") "50");
    free(text);
    ctx[3] = unit_open(unit, "b");
    record(ctx[3], 1);
    text = exposed_text(unit->store);
    HAS(text, OK_OF("b") "1");
    free(text);
    canary_close(&ctx[3]);
    canary_close(&other);
}

static int child_counts(canary_store *store, canary_ctx *ctx) {
    char *text = exposed_text(store);
    int good = exposed_line(text, OK_OF("b") "0");
    canary_ctx *another = NULL;

    free(text);
    record(ctx, 4);
    good = good && canary_open_in(store, "b", NULL, &another, NULL) == CANARY_OK;
    record(another, 5);
    canary_close(&another);
    text = exposed_text(store);
    good = good && exposed_line(text, OK_OF("b") "9");
    free(text);
    return good ? 0 : 1;
}

static void a_child_begins_at_0(void **state) {
    struct unit *unit = *state;
    canary_ctx *first;
    canary_ctx *second;
    int status = -1;
    pid_t child;
    char *text;

    unit_create(unit, "b");
    first = unit_open(unit, "b");
    second = unit_open(unit, "b");
    record(first, 2);
    record(second, 3);
    canary_close(&first);
    child = fork();
    if (child == 0) {
        _exit(child_counts(unit->store, second));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    text = exposed_text(unit->store);
    HAS(text, OK_OF("b") "5");
    free(text);
    canary_close(&second);
}

/* What could not be merged before it was closed is lost, and counted. */
static void closed_with_a_locked_database(void **state) {
    struct unit *unit = *state;
    canary_store *measurements;
    sqlite3 *db = NULL;
    canary_ctx *first;
    canary_ctx *second;
    char *text;

    unit_create(unit, "b");
    first = unit_open(unit, "b");
    second = unit_open(unit, "b");
    record(first, 2);
    OK(canary_flush(unit->store, &error));
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    measurements->busy_ns = 10000000;
    flushed_lock(unit, &db);
    record(first, 4);
    canary_close(&first);
    text = exposed_text(unit->store);
    HAS(text, OK_OF("b") "6");
    HAS(text, MERGED_OF("b") "2");
    HAS(text, "canary_recorded_dropped_total{rollout=\"b\"} 4");
    free(text);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    canary_close(&second);
}

static void *close_it(void *ctx) {
    canary_ctx *closing = ctx;

    canary_close(&closing);
    return NULL;
}

/* The last of its rollout waits for the database while the rollout is opened again: what it delivers is not
 * the newcomers'. */
static void another_life_meanwhile(void **state) {
    struct unit *unit = *state;
    canary_store *measurements;
    pthread_t closing;
    pthread_t unlocking;
    sqlite3 *db = NULL;
    canary_ctx *first;
    canary_ctx *second;
    canary_ctx *third;
    char *text;

    unit_create(unit, "b");
    first = unit_open(unit, "b");
    record(first, 100);
    OK(canary_flush(unit->store, &error));
    OK(canary__merge_store(unit->store, 1, &measurements, &error));
    measurements->busy_ns = INT64_C(60000000000);
    flushed_lock(unit, &db);
    record(first, 1);
    assert_int_equal(pthread_create(&closing, NULL, close_it, first), 0);
    for (;;) {
        int gone;

        text = exposed_text(unit->store);
        gone = strstr(text, OK_OF("b")) == NULL;
        free(text);
        if (gone) {
            break;
        }
        usleep(1000);
    }
    second = unit_open(unit, "b");
    third = unit_open(unit, "b");
    record(third, 2);
    assert_int_equal(pthread_create(&unlocking, NULL, flushed_unlock_soon, db), 0);
    canary_close(&third);
    assert_int_equal(pthread_join(closing, NULL), 0);
    assert_int_equal(pthread_join(unlocking, NULL), 0);
    text = exposed_text(unit->store);
    HAS(text, OK_OF("b") "2");
    HAS(text, MERGED_OF("b") "2");
    free(text);
    sqlite3_close(db);
    canary_close(&second);
}

/* -- without memory -- */

static void listen(void *user_data, int level, const char *message) {
    struct exposed_heap *heap = user_data;

    heap->warnings +=
        level == CANARY_LOG_WARNING && strstr(message, "counts of a closed context") != NULL;
}

/* Answers how many outcomes the page shows once one of two contexts was closed, whose n-th allocation
 * failed; -1 when there was none. */
static int closed_short_of(struct exposed_heap *heap, int64_t nth, int before) {
    static const char *const lines[] = { OK_OF("b") "3", OK_OF("b") "5", OK_OF("b") "8",
                                         OK_OF("b") "10" };
    static const int numbers[] = { 3, 5, 8, 10 };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = sizeof spec, .name = "b" };
    canary_store *store = NULL;
    canary_ctx *ctx[3] = { NULL, NULL, NULL };
    int failed;
    int shown = -1;
    char *text;

    options.flags = CANARY_OPEN_NO_WATCHER;
    options.allocate = exposed_allocate;
    options.allocate_data = heap;
    options.log = listen;
    options.log_data = heap;
    OK(canary_store_open_memory(&options, &store, &error));
    OK(canary_create(store, &spec, NULL, NULL, &error));
    for (int i = 0; i < 3; i++) {
        OK(canary_open_in(store, "b", NULL, &ctx[i], &error));
    }
    record(ctx[1], 3);
    if (before) { /* another one was closed already */
        record(ctx[2], 5);
        (void)exposed_declare(ctx[0], "x", CANARY_METRIC_PROPORTION, NULL, 0, 0);
        canary_close(&ctx[2]);
    }
    record(ctx[0], 2);
    heap->left = nth;
    canary_close(&ctx[0]);
    failed = heap->left < 0;
    heap->left = -1;
    text = exposed_text(store);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        shown = exposed_line(text, lines[i]) ? numbers[i] : shown;
    }
    free(text);
    canary_close(&ctx[1]);
    canary_close(&ctx[2]);
    canary_store_close(&store);
    assert_int_equal(heap->bytes, 0);
    return failed ? shown : -1;
}

static void without_memory(void **state) {
    (void)state;
    for (int before = 0; before < 2; before++) {
        int64_t nth = 0;

        for (;; nth++) {
            struct exposed_heap heap = { 0, -1, 0 };
            int shown = closed_short_of(&heap, nth, before);

            if (shown < 0) {
                assert_int_equal(heap.warnings, 0);
                break;
            }
            /* Its two are there, or there is a word about that. */
            assert_in_range(shown, before ? 8 : 3, before ? 10 : 5);
            assert_true(heap.warnings == 1 || shown == (before ? 10 : 5));
        }
        assert_true(nth > 3);
    }
}

static long long value_of(const char *text, const char *series) {
    const char *line = strstr(text, series);

    assert_non_null(line);
    return strtoll(line + strlen(series), NULL, 10);
}

/* Whatever has no memory: what one recorded who was closed is merged or dropped. */
static void none_is_forgotten(void **state) {
    struct unit *unit = *state;
    struct exposed_heap heap = { 0, -1, 0 };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *store = NULL;
    canary_ctx *stays = NULL;
    unsigned lost = 0;

    unit_create(unit, "b");
    options.flags = CANARY_OPEN_NO_WATCHER;
    options.allocate = exposed_allocate;
    options.allocate_data = &heap;
    options.log = listen;
    options.log_data = &heap;
    OK(canary_store_open(unit->path, &options, &store, &error));
    OK(canary_open_in(store, "b", NULL, &stays, &error));
    for (int64_t nth = 0;; nth++) {
        canary_ctx *ctx = NULL;
        unsigned warnings = heap.warnings;
        long long before;
        long long merged;
        int failed;
        char *text = exposed_text(store);

        before = value_of(text, MERGED_OF("b")) + value_of(text, DROPPED_OF("b"));
        merged = value_of(text, MERGED_OF("b"));
        free(text);
        OK(canary_open_in(store, "b", NULL, &ctx, &error));
        record(ctx, 4);
        heap.left = nth;
        canary_close(&ctx);
        failed = heap.left < 0;
        heap.left = -1;
        text = exposed_text(store);
        if (heap.warnings == warnings) {
            assert_int_equal(value_of(text, MERGED_OF("b")) + value_of(text, DROPPED_OF("b")),
                             before + 4);
        }
        lost += value_of(text, MERGED_OF("b")) == merged;
        free(text);
        if (!failed) {
            break;
        }
    }
    assert_true(lost > 3);
    canary_close(&stays);
    canary_store_close(&store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(contexts_come_and_go),
        UNIT_BOTH(a_child_begins_at_0),
        UNIT_SQLITE_ONLY(closed_with_a_locked_database),
        UNIT_SQLITE_ONLY(another_life_meanwhile),
        cmocka_unit_test(without_memory),
        UNIT_SQLITE_ONLY(none_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
