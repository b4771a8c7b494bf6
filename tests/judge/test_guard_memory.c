/* SPDX-License-Identifier: MIT */
/* Judging and acting while memory runs out, at each allocation in turn: once only, and from then on.
 * libcanary itself, which is shared, has its own tests of that. */
#include "exhausted.h"
#include "judged.h"

static struct judged now;

/* 1 when all allocations had been made before the one that was to fail. */
static int evaluates(struct unit *unit, long at, int lastingly) {
    int failed;

    memset(&now, 0, sizeof now);
    now.error = (canary_error)CANARY_ERROR_INIT;
    exhausted_begin(at, lastingly);
    now.code = canary_evaluate(unit->store, JUDGED, 0, judged_take, &now, &now.error);
    failed = exhausted_end();
    assert_true(now.code == CANARY_OK || now.code == CANARY_E_NOMEM ||
                now.code == CANARY_E_INVALID);
    assert_int_equal(now.error.code, now.code);
    if (now.code != CANARY_OK && now.calls > 0) {
        assert_int_not_equal(now.verdict.action, CANARY_VERDICT_ADVANCE);
    }
    return !failed;
}

static void evaluating_survives(void **state) {
    long at = 0;

    (void)state;
    for (int lastingly = 0; lastingly < 2; lastingly++) {
        struct unit *unit = judged_new(UNIT_MEMORY, 500);

        judged_plain(unit, "auto", "");
        for (at = 0;; at++) {
            judged_ticks(unit, 1, 950, 10, 50, 0);
            if (evaluates(unit, at, lastingly)) {
                break;
            }
            assert_true(at < 100000);
        }
        /* What was missed is made up for. */
        judged_evaluate(unit, 0, &now);
        assert_int_equal(now.code, CANARY_OK);
        assert_true(now.rules[0].n_new == 50.0 * (double)(at + 1));
        unit_free(unit);
    }
    print_message("%ld allocations\n", at);
}

static int acts(struct unit *unit, long at, int lastingly) {
    canary_guard_options options = CANARY_GUARD_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    int failed;
    int code;

    options.rollout = JUDGED;
    exhausted_begin(at, lastingly);
    code = canary_guard_once(unit->store, &options, &error);
    failed = exhausted_end();
    assert_int_equal(error.code, code);
    return !failed;
}

/* Harm is rolled back once, by the round that had no memory or by the next one, and a healthy release
 * goes one stage, not two. */
static void acting_survives(void **state) {
    int done = 0;
    int without_evidence = 0;

    (void)state;
    /* Of the many for JSON every third. */
    for (long at = 0; !done; at += at < 150 ? 1 : 3) {
        for (int i = 0; i < 4; i++) {
            struct unit *unit = judged_new(UNIT_MEMORY, 500);
            int harmful = i % 2;
            canary_change change = { .size = sizeof change };
            uint64_t size = 0;

            judged_plain(unit, "auto", "");
            judged_ticks(unit, 3, 950, 10, 50, harmful ? 40 : 0);
            done = acts(unit, at, i / 2);
            judged_pass(unit, 31 * SECOND); /* a lease may not have been given back */
            OK(canary_guard_once(unit->store, NULL, &error));
            assert_int_equal(unit_read(unit, JUDGED).percentage_bp, harmful ? 0 : 2500);
            assert_int_equal(judged_changes(unit->store, "rollback", &change), harmful);
            assert_int_equal(judged_changes(unit->store, "advance", NULL), !harmful);
            if (harmful) {
                (void)canary_change_evidence(unit->store, change.id, NULL, 0, &size, NULL);
                without_evidence += size == 0;
            }
            unit_free(unit);
        }
        assert_true(at < 100000);
    }
    print_message("%d rollbacks did not wait for the memory of their evidence\n", without_evidence);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluating_survives),
        cmocka_unit_test(acting_survives),
    };

    exhausted_jansson(1);
    return cmocka_run_group_tests_name("judging without memory", tests, NULL, NULL);
}
