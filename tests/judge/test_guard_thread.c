/* SPDX-License-Identifier: MIT */
/* Guards with a thread: in time of their own, beside each other, and across fork(). */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "judged.h"

#include <canary/document.h>

#include "../sanitizers.h"

enum { PATIENCE_MS = 60000 };

/* One clock for all threads, and for a store that is opened on it. */
struct timed {
    struct unit unit; /* for the helpers, which read and move its clock */
    atomic_llong realtime;
    atomic_llong monotonic;
    atomic_int events[8];
    atomic_int stop;
};

static int64_t clock_of(void *user_data, int clock) {
    struct timed *timed = user_data;

    return atomic_load(clock == CANARY_CLOCK_REALTIME ? &timed->realtime : &timed->monotonic);
}

static void show_clock(struct timed *timed) {
    atomic_store(&timed->realtime, timed->unit.realtime);
    atomic_store(&timed->monotonic, timed->unit.monotonic);
}

static void begin(struct timed *timed, const char *mode, uint32_t percentage_bp) {
    canary_options options = CANARY_OPTIONS_INIT;

    memset(timed, 0, sizeof *timed);
    timed->unit.realtime = UNIT_NOW + 3 * SECOND;
    timed->unit.monotonic = SECOND;
    show_clock(timed);
    options.clock = clock_of;
    options.clock_data = timed;
    OK(canary_store_open_memory(&options, &timed->unit.store, &error));
    unit_create(&timed->unit, JUDGED);
    unit_set(&timed->unit, JUDGED, percentage_bp);
    judged_plain(&timed->unit, mode, "");
}

/* The clock goes on when the figures are there: what comes too late is not evidence. */
static void ticks(struct timed *timed, int count, uint64_t n_old, uint64_t k_old, uint64_t n_new,
                  uint64_t k_new) {
    for (int i = 0; i < count; i++) {
        judged_ticks(&timed->unit, 1, n_old, k_old, n_new, k_new);
        show_clock(timed);
    }
}

static void take_event(void *user_data, const canary_guard_event *event) {
    struct timed *timed = user_data;

    atomic_fetch_add(&timed->events[event->type], 1);
}

static canary_guard *start(struct timed *timed) {
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;
    canary_guard *guard = NULL;

    options.callback = take_event;
    options.user_data = timed;
    OK(canary_guard_start(timed->unit.store, &options, &guard, &error));
    assert_non_null(guard);
    return guard;
}

static int take_time(void *user_data, const canary_document *document) {
    *(int64_t *)user_data = document->at_ns;
    return 0;
}

/* Until somebody has judged at the present moment of the store's clock. */
static void wait_for_verdict(struct timed *timed) {
    const struct timespec pause = { 0, 1000000 };
    int64_t at = 0;

    for (int i = 0; i < PATIENCE_MS && at < timed->unit.realtime; i++) {
        (void)canary_document_read(timed->unit.store, JUDGED, "judge/latest", take_time, &at, NULL);
        nanosleep(&pause, NULL);
    }
    assert_true(at >= timed->unit.realtime);
}

static int wait_for(atomic_int *number, int least) {
    const struct timespec pause = { 0, 1000000 };

    for (int i = 0; i < PATIENCE_MS && atomic_load(number) < least; i++) {
        nanosleep(&pause, NULL);
    }
    return atomic_load(number) >= least;
}

static double seconds_now(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Hours of the store's clock in a moment of ours. */
static void time_may_run_fast(void **state) {
    static struct timed timed;
    canary_guard *guard;
    double began = seconds_now();

    (void)state;
    begin(&timed, "auto", 500);
    guard = start(&timed);
    wait_for_verdict(&timed);
    for (int i = 0; i < 120 && unit_read(&timed.unit, JUDGED).percentage_bp < 10000; i++) {
        ticks(&timed, 6, 500, 5, 500, 5);
        wait_for_verdict(&timed);
    }
    assert_int_equal(unit_read(&timed.unit, JUDGED).percentage_bp, 10000);
    assert_int_equal(judged_changes(timed.unit.store, "advance", NULL), 3);
    assert_true(wait_for(&timed.events[CANARY_EVENT_ACTION], 3));
    /* What people do is told; what the guard did itself is not told twice. */
    assert_int_equal(atomic_load(&timed.events[CANARY_EVENT_CHANGE]), 0);
    unit_set(&timed.unit, JUDGED, 5000);
    ticks(&timed, 1, 500, 5, 500, 5);
    assert_true(wait_for(&timed.events[CANARY_EVENT_CHANGE], 1));
    /* Harm at half of all users. */
    for (int i = 0; i < 60 && unit_read(&timed.unit, JUDGED).percentage_bp > 0; i++) {
        ticks(&timed, 1, 500, 5, 500, 25);
        wait_for_verdict(&timed);
    }
    assert_int_equal(unit_read(&timed.unit, JUDGED).percentage_bp, 0);
    assert_int_equal(judged_changes(timed.unit.store, "rollback", NULL), 1);
    assert_int_equal(atomic_load(&timed.events[CANARY_EVENT_ERROR]), 0);
    canary_guard_stop(&guard);
    assert_null(guard);
    print_message("%.1f s\n", seconds_now() - began);
    canary_store_close(&timed.unit.store);
}

/* By the machine's clock it sleeps for its interval, and stops at once all the same. */
static void a_guard_stops_at_once(void **state) {
    struct unit *unit = unit_new(UNIT_MEMORY);
    canary_options options = CANARY_OPTIONS_INIT;
    canary_guard_options hourly = CANARY_GUARD_OPTIONS_INIT;
    canary_store *store = NULL;
    canary_guard *guard = NULL;
    double began;

    (void)state;
    hourly.interval_ns = 3600 * SECOND;
    OK(canary_store_open_memory(&options, &store, &error));
    OK(canary_guard_start(store, &hourly, &guard, &error));
    usleep(30000);
    began = seconds_now();
    canary_guard_stop(&guard);
    assert_true(seconds_now() - began < 60);
    for (int i = 0; i < 50; i++) {
        OK(canary_guard_start(store, &hourly, &guard, &error));
        canary_guard_stop(&guard);
    }
    canary_store_close(&store);
    unit_free(unit);
}

static void of_two_guards_one_acts(void **state) {
    static struct timed timed;
    canary_guard *first;
    canary_guard *second;

    (void)state;
    begin(&timed, "auto", 500);
    first = start(&timed);
    assert_true(wait_for(&timed.events[CANARY_EVENT_LEASE], 1));
    second = start(&timed);
    assert_true(wait_for(&timed.events[CANARY_EVENT_LEASE], 2));
    ticks(&timed, 30, 950, 10, 50, 6);
    assert_true(wait_for(&timed.events[CANARY_EVENT_ACTION], 1));
    for (int i = 0; i < 10; i++) {
        ticks(&timed, 1, 1000, 10, 0, 0);
        wait_for_verdict(&timed);
    }
    assert_int_equal(judged_changes(timed.unit.store, "rollback", NULL), 1);
    assert_int_equal(atomic_load(&timed.events[CANARY_EVENT_ACTION]), 1);
    /* One ends and gives its lease back: the other one goes on at its next look. */
    canary_guard_stop(&first);
    ticks(&timed, 1, 1000, 10, 0, 0);
    wait_for_verdict(&timed);
    canary_guard_stop(&second);
    canary_store_close(&timed.unit.store);
}

/* The other one died: its lease is waited for, not the next look after it. */
static void a_dead_guard_is_followed_in_time(void **state) {
    static struct timed timed;
    canary_document lease = CANARY_DOCUMENT_INIT;
    char text[128];
    canary_guard *guard;

    (void)state;
    begin(&timed, "auto", 500);
    ticks(&timed, 1, 950, 10, 50, 0);
    snprintf(text, sizeof text, "{\"holder\":\"guard@elsewhere:1#1\",\"until\":%lld}",
             (long long)(timed.unit.realtime + 25 * SECOND));
    lease.name = "judge/lease";
    lease.data = text;
    lease.data_size = strlen(text);
    OK(canary_document_write(timed.unit.store, JUDGED, &lease, 1, &error));
    guard = start(&timed);
    assert_true(wait_for(&timed.events[CANARY_EVENT_LEASE], 1));
    judged_pass(&timed.unit, 20 * SECOND);
    show_clock(&timed);
    usleep(100000); /* it has looked once more */
    judged_pass(&timed.unit, 4 * SECOND);
    show_clock(&timed);
    usleep(50000);
    assert_int_equal(atomic_load(&timed.events[CANARY_EVENT_VERDICT]), 0);
    judged_pass(&timed.unit, SECOND);
    show_clock(&timed);
    assert_true(wait_for(&timed.events[CANARY_EVENT_VERDICT], 1));
    canary_guard_stop(&guard);
    canary_store_close(&timed.unit.store);
}

static void keep_nothing(void *user_data, const canary_verdict *verdict) {
    (void)user_data;
    (void)verdict;
}

static void *judge_on(void *argument) {
    struct timed *timed = argument;

    while (!atomic_load(&timed->stop)) {
        assert_int_equal(canary_evaluate(timed->unit.store, JUDGED, 0, keep_nothing, NULL, NULL),
                         CANARY_OK);
    }
    return NULL;
}

/* Judges that know nothing of each other, all at once. */
static void many_judges_add_each_tick_once(void **state) {
    static struct timed timed;
    static struct judged one;
    static struct judged many;
    pthread_t threads[4];

    (void)state;
    begin(&timed, "observe", 500);
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, judge_on, &timed), 0);
    }
    for (int i = 0; i < 60; i++) {
        ticks(&timed, 1, 950, 10, 50, (uint64_t)i % 4);
        usleep(1000);
    }
    atomic_store(&timed.stop, 1);
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    judged_evaluate(&timed.unit, 0, &many);
    canary_store_close(&timed.unit.store);
    begin(&timed, "observe", 500);
    for (int i = 0; i < 60; i++) {
        ticks(&timed, 1, 950, 10, 50, (uint64_t)i % 4);
    }
    judged_evaluate(&timed.unit, 0, &one);
    assert_true(one.rules[0].n_new == 60 * 50);
    assert_true(many.rules[0].n_new == one.rules[0].n_new);
    assert_true(many.rules[0].k_new == one.rules[0].k_new);
    assert_true(many.rules[0].ln_w == one.rules[0].ln_w);
    canary_store_close(&timed.unit.store);
}

/* A forked child has no guard, and may say that it is to stop. */
static void a_child_has_no_guard(void **state) {
    static struct timed timed;
    canary_guard *guard;
    int status = -1;
    pid_t child;

    (void)state;
    if (UNDER_ASAN || UNDER_TSAN) {
        print_message("sanitizers do not expect forks among threads\n");
        skip();
    }
    begin(&timed, "auto", 500);
    guard = start(&timed);
    wait_for_verdict(&timed);
    for (int i = 0; i < 20; i++) {
        ticks(&timed, 1, 500, 5, 500, 5); /* so that it is at work */
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(120);
            canary_guard_stop(&guard);
            _exit(guard == NULL ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    /* The parent's goes on. */
    ticks(&timed, 1, 500, 5, 500, 5);
    wait_for_verdict(&timed);
    canary_guard_stop(&guard);
    canary_store_close(&timed.unit.store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_may_run_fast),
        cmocka_unit_test(a_guard_stops_at_once),
        cmocka_unit_test(of_two_guards_one_acts),
        cmocka_unit_test(a_dead_guard_is_followed_in_time),
        cmocka_unit_test(many_judges_add_each_tick_once),
        cmocka_unit_test(a_child_has_no_guard),
    };

    return cmocka_run_group_tests_name("guards with a thread", tests, NULL, NULL);
}
