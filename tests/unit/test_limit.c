/* SPDX-License-Identifier: MIT */
/* The local cap: what it does to every way of deciding, and what it leaves alone. */
#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

#define ROLLOUT "limit"

static canary_decision explain(canary_ctx *ctx, const char *id) {
    canary_decision d = CANARY_DECISION_INIT;

    assert_int_equal(canary_explain(ctx, id, strlen(id), &d), CANARY_OK);
    return d;
}

/* One user of a bucket just below, and one of a bucket at `bp`, by every call there is. */
static void decides_at(canary_ctx *ctx, uint32_t bp) {
    char ids[2][64];
    uint8_t cohorts[2];
    canary_user users[2];

    unit_user_in("", "in", bp > 0 ? bp - 1 : 0, bp > 0 ? bp : 1, ids[0], sizeof ids[0]);
    unit_user_in("", "out", bp < 10000 ? bp : 9999, bp < 10000 ? bp + 1 : 10000, ids[1],
                 sizeof ids[1]);
    for (int i = 0; i < 2; i++) {
        int expected = i == 0 ? bp > 0 : bp == 10000;
        canary_decision d = explain(ctx, ids[i]);
        uint8_t one = 9;
        canary_ctx *contexts[1] = { ctx };

        assert_int_equal(d.cohort, expected);
        assert_int_equal(d.effective_bp, bp);
        assert_int_equal(d.reason, bp % 10000 == 0 ? CANARY_REASON_STATIC : CANARY_REASON_SPLIT);
        assert_int_equal(canary_should_use_new(ctx, ids[i]), expected);
        assert_int_equal(canary_should_use_new_n(ctx, ids[i], strlen(ids[i])), expected);
        assert_int_equal(canary_should_use_new_hash(ctx, NULL, 0, d.hash), expected);
        assert_int_equal(canary_should_use_new_bucket(ctx, d.bucket), expected);
        canary_decide_rollouts(contexts, 1, ids[i], strlen(ids[i]), &one);
        assert_int_equal(one, expected);
        users[i] = (canary_user){ ids[i], strlen(ids[i]) };
    }
    canary_decide_many(ctx, users, 2, cohorts);
    assert_int_equal(cohorts[0], bp > 0);
    assert_int_equal(cohorts[1], bp == 10000);
    assert_int_equal(unit_info(ctx).effective_bp, bp);
}

static void every_way_of_deciding(void **state) {
    struct unit *unit = *state;
    static const uint32_t caps[] = { 0, 1, 99, 100, 101, 499, 500, 2345, 4999, 5000 };
    canary_ctx *ctx;

    unit_begin_at(unit, ROLLOUT, 5000);
    ctx = unit_open(unit, ROLLOUT);
    decides_at(ctx, 5000);
    for (unsigned i = 0; i < COUNT(caps); i++) {
        canary_limit(ctx, caps[i]);
        decides_at(ctx, caps[i]);
        /* What the store says stays to be seen. */
        assert_int_equal(explain(ctx, "u").percentage_bp, 5000);
        assert_int_equal(unit_info(ctx).percentage_bp, 5000);
        assert_int_equal(unit_info(ctx).doubt, 0);
    }
    canary_limit(ctx, 5001);
    decides_at(ctx, 5000); /* never raises */
    canary_limit(ctx, 9999);
    decides_at(ctx, 5000);
    canary_limit(ctx, 300);
    decides_at(ctx, 300);
    canary_limit(ctx, 10000);
    decides_at(ctx, 5000);
    canary_limit(ctx, 300);
    canary_limit(ctx, UINT32_MAX); /* more than everything is everything */
    decides_at(ctx, 5000);
    canary_limit(NULL, 0);
    canary_close(&ctx);
}

static void later_states(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    canary_ctx *other;

    unit_begin_at(unit, ROLLOUT, 500);
    ctx = unit_open(unit, ROLLOUT);
    other = unit_open(unit, ROLLOUT);
    canary_limit(ctx, 700);
    decides_at(ctx, 500);
    unit_set(unit, ROLLOUT, 2500);
    decides_at(ctx, 700);
    decides_at(other, 2500); /* of one context, not of the store */
    unit_set(unit, ROLLOUT, 10000);
    decides_at(ctx, 700);
    unit_set(unit, ROLLOUT, 100);
    decides_at(ctx, 100); /* below the cap as it is */
    unit_set(unit, ROLLOUT, 0);
    decides_at(ctx, 0);
    unit_set(unit, ROLLOUT, 10000);
    decides_at(ctx, 700);
    canary_limit(ctx, 10000);
    decides_at(ctx, 10000); /* the last published state */
    assert_int_equal(explain(ctx, "u").revision, explain(other, "u").revision);
    /* Many states after the cap: its own slot is long reused. */
    canary_limit(ctx, 1);
    for (int i = 0; i < 40; i++) {
        unit_set(unit, ROLLOUT, i % 2 == 0 ? 10000 : 5000);
        decides_at(ctx, 1);
    }
    canary_limit(ctx, 6000);
    decides_at(ctx, 5000);
    canary_close(&ctx);
    canary_close(&other);
}

static void before_the_first_state(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_ctx *ctx = NULL;

    options.flags = CANARY_OPEN_DEFER;
    OK(canary_open_in(unit->store, ROLLOUT, &options, &ctx, &error));
    canary_limit(ctx, 250);
    assert_int_equal(explain(ctx, "u").reason, CANARY_REASON_NOT_READY);
    unit_begin_at(unit, ROLLOUT, 5000);
    OK(canary_refresh(unit->store, &error));
    decides_at(ctx, 250);
    canary_close(&ctx);
}

static void pins_and_kills(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;

    unit_begin_at(unit, ROLLOUT, 5000);
    OK(canary_override_set(unit->store, ROLLOUT, "vip", 3, CANARY_NEW, NULL, NULL, &error));
    OK(canary_override_set(unit->store, ROLLOUT, "no", 2, CANARY_OLD, NULL, NULL, &error));
    ctx = unit_open(unit, ROLLOUT);
    canary_limit(ctx, 0);
    assert_int_equal(explain(ctx, "vip").reason, CANARY_REASON_OVERRIDE);
    assert_int_equal(canary_should_use_new(ctx, "vip"), 1);
    assert_int_equal(canary_should_use_new(ctx, "no"), 0);
    assert_int_equal(explain(ctx, "other").reason, CANARY_REASON_STATIC);
    canary_kill(ctx);
    assert_int_equal(explain(ctx, "vip").reason, CANARY_REASON_KILLED);
    canary_limit(ctx, 400);
    assert_int_equal(explain(ctx, "vip").reason, CANARY_REASON_KILLED);
    assert_int_equal(unit_info(ctx).effective_bp, 0);
    canary_revive(ctx);
    decides_at(ctx, 400);
    canary_kill(ctx);
    canary_limit(ctx, 10000);
    assert_int_equal(canary_should_use_new_bucket(ctx, 0), 0);
    canary_revive(ctx);
    decides_at(ctx, 5000);
    canary_close(&ctx);
}

/* In the child nothing may fail a test of cmocka's: it answers by its exit status. */
static int child_says(canary_ctx *ctx, uint32_t bp) {
    canary_decision d = CANARY_DECISION_INIT;

    canary_explain(ctx, "u", 1, &d);
    return d.effective_bp == bp && canary_should_use_new_bucket(ctx, bp) == 0 &&
           (bp == 0 || canary_should_use_new_bucket(ctx, bp - 1) == 1);
}

static void forked_child_inherits(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    int status = -1;
    pid_t child;

    unit_begin_at(unit, ROLLOUT, 5000);
    ctx = unit_open(unit, ROLLOUT);
    canary_limit(ctx, 321);
    child = fork();
    if (child == 0) {
        int good = child_says(ctx, 321);

        canary_limit(ctx, 10000);
        good = good && child_says(ctx, 5000);
        canary_limit(ctx, 7);
        good = good && child_says(ctx, 7);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    child = fork();
    if (child == 0) { /* the cap before the first decision, and a state of its own before it */
        canary_limit(ctx, 77);
        if (unit->kind == UNIT_SQLITE) {
            (void)canary_set_percentage(unit->store, ROLLOUT, 9000, NULL, NULL, NULL, NULL);
        }
        _exit(child_says(ctx, 77) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    decides_at(ctx, 321);
    canary_close(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(every_way_of_deciding),  UNIT_BOTH(later_states),
        UNIT_BOTH(before_the_first_state), UNIT_BOTH(pins_and_kills),
        UNIT_BOTH(forked_child_inherits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
