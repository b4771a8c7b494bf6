/* SPDX-License-Identifier: MIT */
/* The gate: what shows all goes on, and of two things that speak against it the one that is asked first
 * decides. */
#include <stdio.h>
#include <string.h>

#include "scenes.h"

static void what_shows_all_advances(void **unused) {
    struct scene *scene = scene_usual();
    const canary_verdict *verdict = scene_judge(scene);

    (void)unused;
    expect(verdict, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN, -1, "usual");
    assert_int_equal(verdict->size, sizeof *verdict);
    assert_int_equal(verdict->risk, CANARY_RISK_LOW);
    assert_int_equal(verdict->stage, 2);
    assert_int_equal(verdict->to_stage, 3);
    assert_int_equal(verdict->percentage_bp, 2500);
    assert_int_equal(verdict->to_percentage_bp, 5000);
    assert_int_equal(verdict->rule_count, RULES);
    assert_ptr_equal(verdict->rules, scene->results);
    assert_int_equal(verdict->revision, 9);
    assert_int_equal(verdict->generation, 7);
    assert_int_equal(verdict->at_ns, scene->around.now_ns);
    assert_int_equal(verdict->through_ns, scene->state.through_ns);
    assert_int_equal(verdict->ready_at_ns, 0);
    assert_true(verdict->users_new == 2000 && verdict->users_old == 6000);
    assert_true(verdict->mismatch < 0);
    assert_string_equal(verdict->rollout, "checkout");
    assert_string_equal(verdict->policy, "0123456789abcdef");
    assert_string_equal(verdict->policy_name, "usual");

    scene->around.estimated_new = 123456;
    scene->around.estimated_old = 345678;
    verdict = scene_judge(scene);
    assert_true(verdict->users_new == 123456 && verdict->users_old == 345678);
    scene_free(scene);
}

static void each_step_decides_alone(void **unused) {
    (void)unused;
    for (int i = 0; i < STEPS; i++) {
        struct scene *scene = scene_usual();

        steps[i].make(scene);
        expect(scene_judge(scene), steps[i].action, steps[i].cause, steps[i].rule, steps[i].name);
        if (steps[i].action == CANARY_VERDICT_HOLD) {
            assert_int_equal(scene->verdict.to_stage, scene->verdict.stage);
            assert_int_equal(scene->verdict.to_percentage_bp, scene->verdict.percentage_bp);
        } else {
            assert_int_equal(scene->verdict.to_stage, 0);
            assert_int_equal(scene->verdict.to_percentage_bp, 0);
        }
        assert_true(strlen(scene->verdict.message) > 20);
        scene_free(scene);
    }
}

static void the_earlier_of_two_decides(void **unused) {
    (void)unused;
    for (int i = 0; i < STEPS; i++) {
        for (int j = i + 1; j < STEPS; j++) {
            struct scene *scene = scene_usual();
            char what[64];

            snprintf(what, sizeof what, "%s and %s", steps[i].name, steps[j].name);
            steps[j].make(scene);
            steps[i].make(scene);
            expect(scene_judge(scene), steps[i].action, steps[i].cause, steps[i].rule, what);
            scene_free(scene);
        }
    }
}

static void without_a_policy_nothing_is_judged(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    canary__gate(NULL, NULL, &scene->around, &scene->verdict, scene->results);
    expect(&scene->verdict, CANARY_VERDICT_HOLD, CANARY_CAUSE_NO_POLICY, -1, "no policy");
    assert_int_equal(scene->verdict.rule_count, 0);
    assert_string_equal(scene->verdict.policy, "");
    assert_string_equal(scene->verdict.rollout, "checkout");

    kill_it(scene);
    canary__gate(NULL, NULL, &scene->around, &scene->verdict, scene->results);
    assert_int_equal(scene->verdict.cause, CANARY_CAUSE_NO_POLICY);
    scene_free(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_shows_all_advances),
        cmocka_unit_test(each_step_decides_alone),
        cmocka_unit_test(the_earlier_of_two_decides),
        cmocka_unit_test(without_a_policy_nothing_is_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
