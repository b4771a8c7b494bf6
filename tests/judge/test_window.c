/* SPDX-License-Identifier: MIT */
/* Windows: the sum of what lies in them, and of nothing else, whatever was in them before. */
#include "judge/window.h"

#include "ticks.h"

static struct canary__reading one(double n, double x) {
    return (struct canary__reading){ { n, 2 * n }, { x, 2 * x }, { 3 * x, 4 * x } };
}

static void a_window_holds_its_time(void **unused) {
    struct canary__window *window = canary__window_open(MINUTE);
    struct canary__reading reading = one(1, 0.5);

    (void)unused;
    assert_non_null(window);
    for (int i = 0; i < 20; i++) {
        canary__window_add(window, NOON + i * CANARY_TICK_NS, &reading);
        canary__window_slide(window, NOON + (i + 1) * CANARY_TICK_NS);
        /* Six ticks make a minute. */
        assert_true(canary__window_sum(window)->n[0] == (i < 6 ? i + 1 : 6));
        assert_true(canary__window_sum(window)->n[1] == 2 * (i < 6 ? i + 1 : 6));
        assert_true(canary__window_sum(window)->x[0] == 0.5 * (i < 6 ? i + 1 : 6));
        assert_true(canary__window_sum(window)->squares[1] == 2 * (i < 6 ? i + 1 : 6));
    }
    /* Time goes on without figures. */
    canary__window_slide(window, NOON + 23 * CANARY_TICK_NS);
    assert_true(canary__window_sum(window)->n[0] == 3);
    /* It does not go back. */
    canary__window_slide(window, NOON);
    assert_true(canary__window_sum(window)->n[0] == 3);
    canary__window_slide(window, NOON + HOUR);
    assert_true(canary__window_sum(window)->n[0] == 0);
    canary__window_close(window);
}

static void what_is_too_old_is_not_added(void **unused) {
    struct canary__window *window = canary__window_open(MINUTE);
    struct canary__reading reading = one(1, 1);

    (void)unused;
    canary__window_slide(window, NOON);
    canary__window_add(window, NOON - 6 * CANARY_TICK_NS, &reading);
    assert_true(canary__window_sum(window)->n[0] == 1);
    canary__window_add(window, NOON - 7 * CANARY_TICK_NS, &reading);
    canary__window_add(window, NOON - HOUR, &reading);
    canary__window_add(window, -5, &reading);
    assert_true(canary__window_sum(window)->n[0] == 1);
    canary__window_close(window);
}

/* What a NaN touches is unknown while it is in the window, and not a tick longer. */
static void nothing_is_poisoned(void **unused) {
    struct canary__window *window = canary__window_open(MINUTE);
    struct canary__reading reading = one(1, 1);

    (void)unused;
    reading.squares[0] = NAN;
    reading.squares[1] = INFINITY;
    canary__window_add(window, NOON, &reading);
    assert_true(isnan(canary__window_sum(window)->squares[0]));
    reading = one(1, 1);
    for (int i = 1; i < 7; i++) {
        canary__window_add(window, NOON + i * CANARY_TICK_NS, &reading);
    }
    canary__window_slide(window, NOON + 7 * CANARY_TICK_NS);
    assert_true(canary__window_sum(window)->squares[0] == 18);
    assert_true(canary__window_sum(window)->squares[1] == 24);
    canary__window_close(window);
}

struct event {
    int64_t at_ns;
    struct canary__reading reading;
};

static int64_t pane_of(int64_t length_ns) {
    if (length_ns <= HOUR) {
        return CANARY_TICK_NS;
    }
    return length_ns <= 6 * HOUR ? MINUTE : HOUR;
}

/* Against adding up all that lies in it; and a window that was filled anew, in any order, has the same
 * bits as one that slid there. */
static void windows_agree_with_adding_up(void **unused) {
    static const int64_t lengths[] = {
        CANARY_TICK_NS, 50 * SECOND,       MINUTE,    HOUR,          HOUR + MINUTE,
        6 * HOUR,       6 * HOUR + MINUTE, 24 * HOUR, 31 * 24 * HOUR
    };
    enum { EVENTS = 3000 };
    static struct event events[EVENTS];
    uint64_t seed = random_seed();

    (void)unused;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        int64_t length = lengths[l];
        int64_t pane = pane_of(length);
        struct canary__window *window = canary__window_open(length);
        int64_t now = NOON;

        for (int i = 0; i < EVENTS; i++) {
            double expected = 0;
            int64_t begin;

            /* Steps of a tick, and now and then a leap. */
            now += random_next(&seed) % 50 == 0
                       ? (int64_t)(random_next(&seed) % (uint64_t)(2 * length / CANARY_TICK_NS)) *
                             CANARY_TICK_NS
                       : CANARY_TICK_NS * (1 + length / (400 * CANARY_TICK_NS));
            events[i].at_ns = now;
            events[i].reading =
                one((double)(random_next(&seed) % 1000), random_uniform(&seed) * 1e6);
            canary__window_add(window, now, &events[i].reading);
            canary__window_slide(window, now + CANARY_TICK_NS);
            begin = (now + CANARY_TICK_NS) / pane * pane - (length + pane - 1) / pane * pane;
            for (int j = i; j >= 0 && events[j].at_ns >= begin; j--) {
                expected += events[j].reading.n[0];
            }
            if (canary__window_sum(window)->n[0] != expected) {
                fail_msg("length %lld s, event %d: %.0f, not %.0f", (long long)(length / SECOND), i,
                         canary__window_sum(window)->n[0], expected);
            }
            if (i % 500 == 499) {
                struct canary__window *again = canary__window_open(length);

                canary__window_slide(again, now + CANARY_TICK_NS);
                for (int j = 0; j <= i; j++) {
                    canary__window_add(again, events[j].at_ns, &events[j].reading);
                }
                assert_memory_equal(canary__window_sum(again), canary__window_sum(window),
                                    sizeof(struct canary__reading));
                canary__window_close(again);
            }
        }
        canary__window_close(window);
    }
}

/* A window covers what it says, and at most one pane more. */
static void longer_windows_are_a_pane_off_at_most(void **unused) {
    static const int64_t lengths[] = { HOUR + CANARY_TICK_NS, 6 * HOUR, 7 * HOUR, 24 * HOUR };
    struct canary__reading reading = one(1, 1);

    (void)unused;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int64_t past = 0; past < HOUR; past += 7 * MINUTE) {
            struct canary__window *window = canary__window_open(lengths[i]);
            int64_t now = NOON + past;

            canary__window_slide(window, now);
            canary__window_add(window, now - lengths[i], &reading);
            assert_true(canary__window_sum(window)->n[0] == 1);
            canary__window_add(window, now - lengths[i] - 2 * pane_of(lengths[i]), &reading);
            assert_true(canary__window_sum(window)->n[0] == 1);
            canary__window_close(window);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_holds_its_time),
        cmocka_unit_test(what_is_too_old_is_not_added),
        cmocka_unit_test(nothing_is_poisoned),
        cmocka_unit_test(windows_agree_with_adding_up),
        cmocka_unit_test(longer_windows_are_a_pane_off_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
