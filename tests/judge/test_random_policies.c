/* SPDX-License-Identifier: MIT */
/* Any policy on any figures: nothing crashes, no verdict contradicts itself (traffic_judge() asserts
 * that), and nothing goes up by what is not known. */
#include "random_policy.h"
#include "traffic.h"

static uint64_t chance;

static int once_in(uint32_t times) {
    return random_next(&chance) % times == 0;
}

/* -- figures that nobody would record -- */

static double any_number(void) {
    static const double odd[] = { 0,   1,  5,        1e3,    1e9, 0x1p53,  0x1p60,    1e18, 1e300,
                                  NAN, -1, INFINITY, 1e-300, 0.5, -1e-300, -INFINITY, 1e15, 3 };

    return odd[random_next(&chance) % (sizeof odd / sizeof *odd)];
}

static void any_side(struct canary__tick_side *side, uint64_t *buckets) {
    double *const numbers[] = { &side->n,  &side->k,  &side->sum, &side->squares, &side->tp,
                                &side->fp, &side->fn, &side->tn,  &side->overflow };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (once_in(3)) {
            *numbers[i] = any_number();
        }
    }
    if (once_in(3)) {
        for (int i = 0; i < 5; i++) {
            buckets[random_next(&chance) % CANARY_DURATION_BUCKETS] =
                once_in(2) ? random_next(&chance) : random_next(&chance) % 100;
        }
    }
    if (once_in(4)) {
        static const uint32_t counts[] = { 0, 7, CANARY_DURATION_BUCKETS,
                                           CANARY_DURATION_BUCKETS + 1 };

        side->bucket_count = counts[random_next(&chance) % 4];
        side->buckets = once_in(2) ? NULL : buckets;
    }
    if (once_in(4)) {
        side->threshold_count = CANARY_THRESHOLDS_MAX;
        for (int i = 0; i < CANARY_THRESHOLDS_MAX; i++) {
            side->thresholds_ns[i] = once_in(2) ? SECOND : (int64_t)random_next(&chance);
            side->threshold_n[i] = once_in(2) ? side->n : any_number();
            side->threshold_above[i] = any_number();
        }
    }
}

static void spoil(struct traffic *traffic) {
    for (uint32_t i = 0; i < traffic->policy->metric_count; i++) {
        struct canary__tick_metric *metric = &traffic->metrics[i];

        for (int cohort = 0; cohort < 2; cohort++) {
            if (once_in(4)) {
                any_side(&metric->side[cohort], traffic->buckets[cohort]);
            } else if (once_in(6)) {
                memset(&metric->side[cohort], 0, sizeof metric->side[cohort]); /* nobody */
            }
        }
        if (once_in(6)) {
            metric->half[once_in(2)].n = any_number();
            metric->half[once_in(2)].k = any_number();
        }
        if (once_in(10)) {
            metric->kind = (int32_t)(random_next(&chance) % 8) - 1;
        }
    }
}

/* -- times and scenes that should not be -- */

static void leap(struct traffic *traffic) {
    static const int64_t leaps[] = { -30 * SECOND, 20 * SECOND, HOUR, -DAY, 40 * DAY };

    traffic->now_ns += leaps[random_next(&chance) % 5];
    if (traffic->now_ns < 0) {
        traffic->now_ns = 0;
    }
}

static void any_scene(struct traffic *traffic) {
    struct canary__scene *scene = &traffic->scene;
    static const int64_t times[] = { 0, 1, NOON, INT64_MAX, INT64_MIN, -5 };

    scene->approved = once_in(2) ? 1 : 0;
    scene->damaged = once_in(12) ? 3 : 0;
    scene->dropped = once_in(12) ? UINT64_MAX : 0;
    scene->clock = once_in(12) ? 1 : 0;
    scene->guard_rollbacks = once_in(6) ? 2 : 0;
    scene->last_rollback_ns = once_in(6) ? times[random_next(&chance) % 6] : 0;
    if (once_in(8)) {
        scene->users_new = any_number();
        scene->users_old = any_number();
    }
    scene->estimated_new = once_in(2) ? any_number() : NAN;
    traffic->rollout.kill_reasons = once_in(20) ? 1u << random_next(&chance) % 4 : 0;
    traffic->rollout.doubt = once_in(20) ? 1 : 0;
    if (once_in(30)) {
        traffic->rollout.generation_at_ns = times[random_next(&chance) % 6];
    }
}

static void any_stage(struct traffic *traffic) {
    canary_rollout *rollout = &traffic->rollout;

    traffic_set(traffic, (int)(random_next(&chance) % rollout->stage_count), 0);
    if (once_in(3)) {
        /* By hand, between two rungs; below the first one that is stage 0. */
        rollout->percentage_bp += 7;
        if (rollout->percentage_bp > 10000) {
            rollout->percentage_bp = 10000;
        }
    }
}

static void as_usual(struct traffic *traffic, int mild) {
    struct behaviour *side = traffic->side;

    traffic->per_tick = 40;
    side[CANARY_OLD] = (struct behaviour){
        .error = 0.01,
        .timeout = 0.004,
        .accuracy = 0.9,
        .cache_hit = 0.9,
        .seconds = 0.06,
        .slow = 0.05,
        .slow_seconds = 1.5,
        .cost = 0.7,
        .f1 = 0.6,
    };
    side[CANARY_NEW] = side[CANARY_OLD];
    if (!mild && once_in(2)) {
        side[CANARY_NEW].error = 0.3;
        side[CANARY_NEW].seconds = 3;
        side[CANARY_NEW].f1 = 0.2;
    }
}

enum { VERDICTS = 4 };

/* `mild`: figures as they are recorded, and only now and then something odd. */
static void run_policy(int mild, int verdicts[VERDICTS]) {
    static char text[RANDOM_POLICY_SIZE];
    struct traffic *traffic = malloc(sizeof *traffic);
    struct canary__tick tick;

    assert_non_null(traffic);
    random_policy(&chance, mild, text);
    traffic_open_text(traffic, text, random_next(&chance));
    as_usual(traffic, mild);
    traffic_set(traffic, 1, 0);
    for (int i = 0; i < 60; i++) {
        if (!mild && once_in(20)) {
            any_stage(traffic);
        }
        if (!mild && once_in(20)) {
            leap(traffic);
        }
        if (!mild && once_in(10)) {
            canary__state_baseline(&traffic->state,
                                   (uint32_t)(random_next(&chance) % traffic->policy->rule_count),
                                   any_number());
        }
        traffic_draw(traffic, &tick);
        if (!mild || once_in(100)) {
            spoil(traffic);
        }
        if (!mild && once_in(20)) {
            tick.generation += random_next(&chance) % 3 - 1;
            tick.from_ns = once_in(2) ? tick.from_ns : (int64_t)random_next(&chance);
        }
        /* A process that takes over has only what was before. */
        if (!mild && once_in(15)) {
            canary__state_recall(&traffic->state, traffic->policy, &tick);
        } else if (tick.from_ns < NOON + 400 * DAY) {
            canary__state_add(&traffic->state, traffic->policy, &tick,
                              canary__gate_stage(&traffic->rollout));
        }
        if (!mild && once_in(20)) {
            canary__state_pass(&traffic->state, traffic->policy, traffic->now_ns,
                               canary__gate_stage(&traffic->rollout));
        }
        if (!mild || once_in(5)) {
            any_scene(traffic);
        }
        verdicts[traffic_judge(traffic)->action]++;
    }
    traffic_close(traffic);
    free(traffic);
}

static void any_policy_on_any_figures(void **unused) {
    int verdicts[VERDICTS] = { 0 };

    (void)unused;
    for (int i = 0; i < 1500; i++) {
        run_policy(0, verdicts);
    }
    print_message("%d hold, %d advance, %d roll back\n", verdicts[CANARY_VERDICT_HOLD],
                  verdicts[CANARY_VERDICT_ADVANCE], verdicts[CANARY_VERDICT_ROLLBACK]);
    assert_true(verdicts[CANARY_VERDICT_ROLLBACK] > 100);
    assert_true(verdicts[CANARY_VERDICT_HOLD] > 100);
}

static void any_mild_policy_on_usual_figures(void **unused) {
    int verdicts[VERDICTS] = { 0 };

    (void)unused;
    for (int i = 0; i < 300; i++) {
        run_policy(1, verdicts);
    }
    print_message("%d hold, %d advance, %d roll back\n", verdicts[CANARY_VERDICT_HOLD],
                  verdicts[CANARY_VERDICT_ADVANCE], verdicts[CANARY_VERDICT_ROLLBACK]);
    assert_true(verdicts[CANARY_VERDICT_ADVANCE] > 1000);
    assert_true(verdicts[CANARY_VERDICT_HOLD] > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_policy_on_any_figures),
        cmocka_unit_test(any_mild_policy_on_usual_figures),
    };

    chance = traffic_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
