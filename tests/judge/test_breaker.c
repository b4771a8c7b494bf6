/* SPDX-License-Identifier: MIT */
/* The circuit breaker by what users get: in time, for few, and never more than the store says. Time is
 * what the test says; only the last test goes by the machine's clock. */
#include "broken.h"

#include <time.h>

static void open_it(struct broken *broken) {
    broken_record(broken, CANARY_NEW, 40, 40);
    broken_look(broken);
    assert_int_equal(broken_state(broken), CANARY_BREAKER_OPEN);
    assert_true(broken_serves(broken, 0));
}

static void half_open_it(struct broken *broken) {
    canary_breaker_info info = broken_info(broken);

    broken_pass(broken, info.next_ns - info.since_ns);
    assert_int_equal(broken_state(broken), CANARY_BREAKER_HALF_OPEN);
    assert_true(broken_serves(broken, 500));
}

static void opens_and_closes(void **state) {
    struct broken *broken = broken_in_memory();
    canary_breaker_info info;

    (void)state;
    broken_start(broken);
    info = broken_info(broken);
    assert_int_equal(info.state, CANARY_BREAKER_CLOSED);
    assert_int_equal(info.since_ns, UNIT_NOW);
    assert_int_equal(info.next_ns, 0);
    assert_true(broken_serves(broken, 5000));

    open_it(broken);
    info = broken_info(broken);
    assert_int_equal(info.opened, 1);
    assert_int_equal(info.next_ns, UNIT_NOW + BROKEN_OPEN);
    assert_int_equal(atomic_load(&broken->states[CANARY_BREAKER_OPEN]), 1);
    assert_int_equal(broken_documents(broken->store), 1);

    broken_pass(broken, BROKEN_OPEN - 1);
    assert_true(broken_serves(broken, 0));
    broken_pass(broken, 1);
    assert_true(broken_serves(broken, 500));
    info = broken_info(broken);
    assert_int_equal(info.state, CANARY_BREAKER_HALF_OPEN);
    assert_int_equal(info.since_ns, UNIT_NOW + BROKEN_OPEN);
    assert_int_equal(info.next_ns, 0);

    /* As long as it takes: nothing is known of the new cohort but what comes. */
    broken_pass(broken, 1000 * BROKEN_WINDOW);
    broken_record(broken, CANARY_NEW, 19, 0);
    broken_pass(broken, 1000 * BROKEN_WINDOW);
    assert_true(broken_serves(broken, 500));
    assert_int_equal(broken_info(broken).outcomes, 19);
    broken_record(broken, CANARY_NEW, 1, 0);
    broken_look(broken);
    assert_int_equal(broken_state(broken), CANARY_BREAKER_CLOSED);
    assert_true(broken_serves(broken, 5000));
    assert_int_equal(atomic_load(&broken->states[CANARY_BREAKER_HALF_OPEN]), 1);
    assert_int_equal(atomic_load(&broken->states[CANARY_BREAKER_CLOSED]), 1);
    assert_int_equal(broken_documents(broken->store), 1);
    broken_free(broken);
}

/* 2, 4, ... 32 times as long while it does not get better; as long as at first once it was closed. */
static void stays_open_for_longer(void **state) {
    struct broken *broken = broken_in_memory();

    (void)state;
    broken_start(broken);
    open_it(broken);
    for (int i = 1; i <= 7; i++) {
        canary_breaker_info info;

        half_open_it(broken);
        broken_record(broken, CANARY_NEW, 20, 11);
        broken_look(broken);
        assert_true(broken_serves(broken, 0));
        info = broken_info(broken);
        assert_int_equal(info.opened, i + 1);
        assert_int_equal(info.next_ns - info.since_ns, BROKEN_OPEN << (i < 5 ? i : 5));
    }
    assert_int_equal(broken_documents(broken->store), 8);
    half_open_it(broken);
    broken_record(broken, CANARY_NEW, 20, 10);
    broken_look(broken);
    assert_true(broken_serves(broken, 5000));
    open_it(broken);
    assert_int_equal(broken_info(broken).next_ns - broken_info(broken).since_ns, BROKEN_OPEN);
    broken_free(broken);
}

/* Not the other cohort, not too few, not as many as is allowed, and not what is over. */
static void what_does_not_open_it(void **state) {
    struct broken *broken = broken_in_memory();

    (void)state;
    broken_start(broken);
    broken_record(broken, CANARY_OLD, 1000, 1000);
    broken_record(broken, CANARY_NEW, 19, 19);
    broken_look(broken);
    assert_true(broken_serves(broken, 5000));
    assert_int_equal(broken_info(broken).outcomes, 19);
    assert_int_equal(broken_info(broken).failures, 19);

    broken_pass(broken, BROKEN_STEP);
    broken_pass(broken, BROKEN_WINDOW);
    assert_int_equal(broken_info(broken).outcomes, 0);
    broken_record(broken, CANARY_NEW, 19, 19);
    broken_look(broken);
    assert_true(broken_serves(broken, 5000));

    broken_pass(broken, BROKEN_STEP);
    broken_pass(broken, BROKEN_WINDOW);
    broken_record(broken, CANARY_NEW, 200, 100);
    broken_look(broken);
    assert_int_equal(broken_info(broken).failures, 100);
    assert_true(broken_serves(broken, 5000));
    broken_record(broken, CANARY_NEW, 1, 1);
    broken_look(broken);
    assert_true(broken_serves(broken, 0));
    broken_free(broken);
}

/* Requests that were on their way when it opened fail while it is open, and are not held against those
 * who get new afterwards. */
static void late_failures_are_not_judged_twice(void **state) {
    struct broken *broken = broken_in_memory();

    (void)state;
    broken->options.open_ns = BROKEN_STEP;
    broken_start(broken);
    open_it(broken);
    broken_record(broken, CANARY_NEW, 100, 100);
    half_open_it(broken);
    broken_record(broken, CANARY_NEW, 20, 0);
    broken_look(broken);
    assert_true(broken_serves(broken, 5000));
    broken_record(broken, CANARY_NEW, 20, 0);
    broken_pass(broken, BROKEN_STEP);
    assert_true(broken_serves(broken, 5000));
    broken_free(broken);
}

/* "Opens to the old path within that window": after any history, at any rate above the one that is allowed,
 * though the look at the beginning comes late, and at any part of a step that it begins after one. */
static void opens_within_its_window(void **state) {
    static const int failing[] = { 100, 75, 60, 51 };
    static const int64_t since_look[] = { 0, BROKEN_STEP / 2, BROKEN_STEP - 1 };

    (void)state;
    for (size_t i = 0; i < COUNT(failing); i++) {
        for (size_t j = 0; j < COUNT(since_look); j++) {
            struct broken *broken = broken_in_memory();
            int64_t began;

            broken_start(broken);
            for (int step = 0; step < 45; step++) {
                broken_record(broken, CANARY_NEW, 100, 1);
                broken_pass(broken, BROKEN_STEP);
            }
            assert_true(broken_serves(broken, 5000));
            broken_hold(broken);
            broken_record(broken, CANARY_NEW, 100, 0);
            began = atomic_fetch_add(&broken->monotonic, since_look[j]) + since_look[j];
            broken_record(broken, CANARY_NEW, 100, failing[i]);
            atomic_fetch_add(&broken->monotonic, BROKEN_STEP - since_look[j]);
            broken_release(broken);
            broken_look(broken);
            while (!broken_serves(broken, 0)) {
                broken_record(broken, CANARY_NEW, 100, failing[i]);
                broken_pass(broken, BROKEN_STEP);
                assert_true(atomic_load(&broken->monotonic) - began <= BROKEN_WINDOW);
            }
            broken_free(broken);
        }
    }
}

static void never_above_the_store(void **state) {
    struct broken *broken = broken_in_memory();

    (void)state;
    broken_start(broken);
    open_it(broken);
    /* Somebody opens the rollout further, and the breaker stays. */
    OK(canary_set_percentage(broken->store, BROKEN_ROLLOUT, 10000, NULL, NULL, NULL, &error));
    assert_true(broken_serves(broken, 0));
    half_open_it(broken);
    /* Somebody rolls back further than half open is. */
    OK(canary_set_percentage(broken->store, BROKEN_ROLLOUT, 100, NULL, NULL, NULL, &error));
    assert_true(broken_serves(broken, 100));
    broken_record(broken, CANARY_NEW, 20, 0);
    broken_look(broken);
    assert_int_equal(broken_state(broken), CANARY_BREAKER_CLOSED);
    assert_true(broken_serves(broken, 100));
    open_it(broken);
    OK(canary_rollback(broken->store, BROKEN_ROLLOUT, 0, NULL, NULL, &error));
    broken_pass(broken, BROKEN_OPEN);
    assert_int_equal(broken_state(broken), CANARY_BREAKER_HALF_OPEN);
    assert_true(broken_serves(broken, 0));
    canary_breaker_stop(&broken->breaker);
    assert_true(broken_serves(broken, 0));
    broken_free(broken);
}

static void pinned_users_stay(void **state) {
    struct broken *broken = broken_in_memory();

    (void)state;
    OK(canary_override_set(broken->store, BROKEN_ROLLOUT, "pinned", 6, CANARY_NEW, NULL, NULL,
                           &error));
    broken_start(broken);
    open_it(broken);
    assert_int_equal(canary_should_use_new(broken->ctx, "pinned"), 1);
    broken_free(broken);
}

static void stop_takes_the_limit_back(void **state) {
    struct broken *broken = broken_in_memory();

    (void)state;
    broken_start(broken);
    open_it(broken);
    canary_breaker_stop(&broken->breaker);
    assert_null(broken->breaker);
    assert_true(broken_serves(broken, 5000));
    /* And another one begins anew. */
    broken_start(broken);
    assert_true(broken_serves(broken, 5000));
    assert_int_equal(broken_info(broken).opened, 0);
    broken_look(broken);
    assert_int_equal(broken_state(broken), CANARY_BREAKER_CLOSED);
    open_it(broken);
    half_open_it(broken);
    canary_breaker_stop(&broken->breaker);
    assert_true(broken_serves(broken, 5000));
    broken_free(broken);
}

/* A program that was stopped, or a clock that is set: what was counted in between is judged once. */
static void clocks_that_jump(void **state) {
    struct broken *broken = broken_in_memory();

    (void)state;
    broken_start(broken);
    broken_record(broken, CANARY_NEW, 100, 0);
    broken_pass(broken, 3600000000000);
    assert_true(broken_serves(broken, 5000));
    broken_record(broken, CANARY_NEW, 100, 90);
    broken_pass(broken, 3600000000000);
    assert_true(broken_serves(broken, 0));
    broken_pass(broken, -7200000000000);
    assert_true(broken_serves(broken, 0));
    broken_pass(broken, 7200000000000 + BROKEN_OPEN);
    assert_true(broken_serves(broken, 500));
    broken_record(broken, CANARY_NEW, 20, 0);
    broken_look(broken);
    assert_true(broken_serves(broken, 5000));
    broken_pass(broken, -3600000000000);
    open_it(broken);
    broken_free(broken);
}

static int64_t machine_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* All of it by the machine's clock. Everything fails, so half a window is enough, and the others are there
 * for machines with other work to do: that it takes no longer than one is opens_within_its_window(). */
static void by_the_machines_clock(void **state) {
    struct broken *broken = broken_new();
    canary_store *store = NULL;
    int64_t from;

    (void)state;
    OK(canary_store_open_memory(NULL, &store, &error));
    broken_on(broken, store);
    broken->options.window_ns = 1000000000;
    broken->options.open_ns = 50000000;
    broken_start(broken);
    for (int i = 0; i < 1200; i++) {
        struct timespec step = { 0, 1000000 };

        broken_record(broken, CANARY_NEW, 5, 0);
        nanosleep(&step, NULL);
    }
    from = machine_ns();
    while (!broken_serves(broken, 0)) {
        struct timespec step = { 0, 1000000 };

        assert_true(machine_ns() - from <= 60 * broken->options.window_ns);
        broken_record(broken, CANARY_NEW, 5, 5);
        nanosleep(&step, NULL);
    }
    print_message("opened after %lld ms of a window of 1000\n",
                  (long long)(machine_ns() - from) / 1000000);
    while (!broken_serves(broken, 500)) {
        struct timespec step = { 0, 1000000 };

        nanosleep(&step, NULL);
    }
    while (!broken_serves(broken, 5000)) {
        struct timespec step = { 0, 1000000 };

        broken_record(broken, CANARY_NEW, 1, 0);
        nanosleep(&step, NULL);
    }
    assert_int_equal(broken_info(broken).opened, 1);
    broken_free(broken);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_closes),
        cmocka_unit_test(stays_open_for_longer),
        cmocka_unit_test(what_does_not_open_it),
        cmocka_unit_test(late_failures_are_not_judged_twice),
        cmocka_unit_test(opens_within_its_window),
        cmocka_unit_test(never_above_the_store),
        cmocka_unit_test(pinned_users_stay),
        cmocka_unit_test(stop_takes_the_limit_back),
        cmocka_unit_test(clocks_that_jump),
        cmocka_unit_test(by_the_machines_clock),
    };

    return cmocka_run_group_tests_name("circuit breaker", tests, NULL, NULL);
}
