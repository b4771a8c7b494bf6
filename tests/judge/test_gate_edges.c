/* SPDX-License-Identifier: MIT */
/* The gate: the edges of each of its steps. */
#include <canary/decide.h>
#include <math.h>
#include <string.h>

#include "scenes.h"

static void every_kill_is_one(void **unused) {
    static const uint32_t reasons[] = { CANARY_KILL_FLAG, CANARY_KILL_ENVIRONMENT,
                                        CANARY_KILL_BELL };

    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct scene *scene = scene_usual();

        scene->rollout.kill_reasons = reasons[i];
        assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_KILLED);
        scene_free(scene);
    }
}

static void every_trouble_with_data_holds(void **unused) {
    (void)unused;
    for (int i = 0; i < 4; i++) {
        struct scene *scene = scene_usual();

        scene->around.damaged = i == 0;
        scene->around.dropped = i == 1;
        scene->around.clock = i == 2;
        scene->rollout.doubt = i == 3 ? CANARY_DOUBT_ROLLOUT : 0;
        assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_DATA);

        /* Harm against the other cohort is not believed then, be it proven or of the moment; what breaks a
         * limit is, by whatever proof. */
        prove_harm(scene);
        assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_DATA);
        scene->said[ERRORS].proof = CANARY_PROOF_POINT;
        assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_DATA);
        scene->said[ERRORS].against = CANARY_AGAINST_BASELINE;
        assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_DATA);
        scene->said[ERRORS].against = CANARY_AGAINST_LIMIT;
        expect(scene_judge(scene), CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_LIMIT, ERRORS, "limit");
        scene->said[ERRORS].proof = CANARY_PROOF_EVIDENCE;
        expect(scene_judge(scene), CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE, ERRORS,
               "limit by evidence");
        scene_free(scene);
    }
}

/* A guard that died between ringing and recording leaves this behind. The figures are sound, so that the
 * harm which made it ring makes the next one record it; and without harm nothing is raised. */
static void a_rollback_that_was_only_rung_hushes_nobody(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene->rollout.doubt = CANARY_DOUBT_ROLLBACK;
    expect(scene_judge(scene), CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA, -1, "rung");
    prove_harm(scene);
    expect(scene_judge(scene), CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE, ERRORS, "rung");
    scene->rollout.doubt |= CANARY_DOUBT_ROLLOUT;
    expect(scene_judge(scene), CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA, -1, "rung and edited");
    scene_free(scene);
}

static void a_failed_self_test_turns_proofs_into_holds(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene->self_test = 1;
    /* What is required by proof is not taken for shown. */
    scene->said[NO_HARM].ln_w = 4;
    expect(scene_judge(scene), CANARY_VERDICT_HOLD, CANARY_CAUSE_REQUIRE, NO_HARM, "self-test");
    /* And it says so, rather than that it is not proven yet and how long that will take. */
    assert_non_null(
        strstr(scene->verdict.message,
               "proven below 1.5; not believed, as the two halves of the old cohort differ "
               "by the same test"));
    assert_null(strstr(scene->verdict.message, "not yet proven"));
    assert_null(strstr(scene->verdict.message, "needs about"));
    assert_non_null(strstr(scene->results[NO_HARM].message, "not believed"));
    prove_harm(scene);
    expect(scene_judge(scene), CANARY_VERDICT_HOLD, CANARY_CAUSE_EVIDENCE, ERRORS, "disbelief");
    assert_non_null(strstr(scene->verdict.message, "halves of the old cohort differ"));
    assert_int_equal(scene->verdict.to_percentage_bp, 2500);
    /* The way out that the message names. */
    scene->policy.design_effect = 30;
    expect(scene_judge(scene), CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE, ERRORS, "given");
    scene->policy.design_effect = 0;
    break_limit(scene);
    expect(scene_judge(scene), CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_LIMIT, TIMEOUTS, "limit");
    /* Nor is a proven limit, as it rests on the same design effect. */
    scene->said[TIMEOUTS].proof = CANARY_PROOF_EVIDENCE;
    expect(scene_judge(scene), CANARY_VERDICT_HOLD, CANARY_CAUSE_EVIDENCE, TIMEOUTS, "disbelief");
    scene_free(scene);
}

static void urgency_then_order_choose_the_rule(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    break_limit(scene);
    prove_harm(scene);
    scene->said[TIMEOUTS].to_stage = -1;
    scene->said[ERRORS].to_stage = 0;
    expect(scene_judge(scene), CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_LIMIT, TIMEOUTS, "order");
    assert_int_equal(scene->verdict.to_stage, 1);
    scene->said[TIMEOUTS].urgency = CANARY_URGENCY_HIGH;
    expect(scene_judge(scene), CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE, ERRORS, "urgency");
    assert_int_equal(scene->verdict.to_stage, 0);
    scene->said[ERRORS].urgency = CANARY_URGENCY_LOW;
    assert_int_equal(scene_judge(scene)->rule, TIMEOUTS);
    scene_free(scene);
}

static void a_rollback_always_leads_down(void **unused) {
    static const struct {
        uint32_t at;
        int asked;
        int stage;
        uint32_t to;
    } cases[] = {
        { 2500, 0, 0, 0 },
        { 2500, 1, 1, 500 },
        { 2500, -1, 1, 500 },
        { 2500, 2, 1, 500 },
        { 2500, 4, 1, 500 },
        { 2500, 99, 1, 500 },
        { 2500, -7, 1, 500 },
        { 500, -1, 0, 0 },
        { 500, 1, 0, 0 },
        { 500, 3, 0, 0 },
        { 10000, -1, 3, 5000 },
        { 10000, 4, 3, 5000 },
        /* Set by hand, between two rungs: the lower of them is one down. */
        { 3700, -1, 2, 2500 },
        { 3700, 2, 2, 2500 },
        { 3700, 3, 2, 2500 },
        { 3700, 0, 0, 0 },
        { 200, -1, 0, 0 },
        { 200, 1, 0, 0 },
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene *scene = scene_usual();
        const canary_verdict *verdict;

        scene_at(scene, cases[i].at);
        break_limit(scene);
        scene->said[TIMEOUTS].to_stage = cases[i].asked;
        verdict = scene_judge(scene);
        if (verdict->action != CANARY_VERDICT_ROLLBACK || verdict->to_stage != cases[i].stage ||
            verdict->to_percentage_bp != cases[i].to) {
            fail_msg("%u bp to stage %d: %s to stage %d, %u bp", (unsigned)cases[i].at,
                     cases[i].asked, canary_verdict_name(verdict->action), verdict->to_stage,
                     (unsigned)verdict->to_percentage_bp);
        }
        scene_free(scene);
    }
}

static void an_advance_goes_to_the_next_rung(void **unused) {
    static const struct {
        uint32_t at;
        int stage;
        int to;
        uint32_t to_bp;
    } cases[] = { { 500, 1, 2, 2500 },  { 2500, 2, 3, 5000 }, { 5000, 3, 4, 10000 },
                  { 3700, 2, 3, 5000 }, { 200, 0, 1, 500 },   { 9999, 3, 4, 10000 } };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene *scene = scene_usual();
        const canary_verdict *verdict;

        scene_at(scene, cases[i].at);
        verdict = scene_judge(scene);
        expect(verdict, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN, -1, "rung");
        assert_int_equal(verdict->stage, cases[i].stage);
        assert_int_equal(verdict->to_stage, cases[i].to);
        assert_int_equal(verdict->to_percentage_bp, cases[i].to_bp);
        scene_free(scene);
    }
}

/* Rules "of all stages" mean those above 0, and the stage is 0 at a percentage below the first rung. */
static void below_the_first_rung_the_first_stage_is_in_force(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene_at(scene, 200);
    assert_int_equal(scene->rollout.stage, 0);
    assert_int_equal(canary__gate_stage(&scene->rollout), 1);
    show_nothing(scene);
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_REQUIRE);
    break_limit(scene);
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ROLLBACK);
    scene_at(scene, 0);
    assert_int_equal(canary__gate_stage(&scene->rollout), 0);
    scene_free(scene);
}

static void rules_of_other_stages_say_nothing(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    for (int i = 0; i < RULES; i++) {
        scene->policy.rules[i].stages = 1u << 3;
        scene->said[i].state =
            scene->said[i].action == CANARY_RULE_REQUIRE ? CANARY_STATE_UNMET : CANARY_STATE_FIRING;
    }
    expect(scene_judge(scene), CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN, -1, "others");
    assert_string_equal(scene->results[SLOW].message, "not asked at this stage");
    scene_at(scene, 5000);
    expect(scene_judge(scene), CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_LIMIT, TIMEOUTS, "own");
    scene_free(scene);
}

static void silence_counts_from_the_last_outcome_or_the_stage(void **unused) {
    struct scene *scene = scene_usual();
    int64_t now = scene->around.now_ns;

    (void)unused;
    /* A tick is known 12 s late. */
    scene->state.traffic_ns = now - 15 * MINUTE - 12 * SECOND;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
    scene->state.traffic_ns -= 1;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_NO_TRAFFIC);

    scene->state.traffic_ns = 0;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_NO_TRAFFIC);
    scene->rollout.generation_at_ns = now - 15 * MINUTE;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_DWELL);
    scene_free(scene);
}

static void a_mismatch_needs_users_a_ratio_and_the_policy(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    divide_badly(scene);
    assert_true(scene_judge(scene)->mismatch >= log(1000));
    scene->policy.check_ratio = 0;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
    assert_true(scene->verdict.mismatch >= log(1000));
    scene->policy.check_ratio = 1;

    scene->around.users_new = scene->around.users_old = 0;
    assert_true(isnan(scene_judge(scene)->mismatch));
    assert_int_equal(scene->verdict.action, CANARY_VERDICT_ADVANCE);
    scene->around.users_new = NAN;
    assert_true(isnan(scene_judge(scene)->mismatch));

    /* It is held from the evidence of a thousand to one on, to the user. */
    scene->around.users_old = 6000;
    for (scene->around.users_new = 2000; scene_judge(scene)->mismatch < log(1000);
         scene->around.users_new += 1) {
        assert_int_equal(scene->verdict.action, CANARY_VERDICT_ADVANCE);
    }
    assert_int_equal(scene->verdict.cause, CANARY_CAUSE_MISMATCH);
    assert_in_range((int)scene->around.users_new, 2100, 2300);

    /* Everybody is to be new: a pinned user, or one served a moment late, mismatches nothing. */
    scene_at(scene, 10000);
    scene->around.users_old = 3;
    assert_true(isnan(scene_judge(scene)->mismatch));
    assert_int_equal(scene->verdict.cause, CANARY_CAUSE_COMPLETE);
    scene_free(scene);
}

static void what_is_unknown_is_never_clear(void **unused) {
    (void)unused;
    for (int rule = 0; rule < RULES; rule++) {
        const int other = rule == NO_HARM || rule == ACCURATE ? 7 : CANARY_STATE_MET;
        const int states[] = { CANARY_STATE_UNKNOWN, 0, -1, 7, INT32_MIN, other };

        for (size_t i = 0; i < 6; i++) {
            struct scene *scene = scene_usual();

            scene->said[rule].state = states[i];
            if (rule == WARNING) {
                assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
            } else {
                expect(scene_judge(scene), CANARY_VERDICT_HOLD, CANARY_CAUSE_SAMPLES, rule,
                       "unknown");
            }
            scene_free(scene);
        }
    }
}

static void a_required_rule_must_be_met_not_just_clear(void **unused) {
    static const int states[] = { CANARY_STATE_CLEAR, CANARY_STATE_PENDING, CANARY_STATE_FIRING,
                                  CANARY_STATE_UNMET };

    (void)unused;
    for (size_t i = 0; i < 4; i++) {
        struct scene *scene = scene_usual();

        scene->said[ACCURATE].state = states[i];
        expect(scene_judge(scene), CANARY_VERDICT_HOLD, CANARY_CAUSE_REQUIRE, ACCURATE, "not met");
        scene_free(scene);
    }
}

static void dwell_ends_to_the_nanosecond(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene->rollout.dwell_ns[2] = 25 * HOUR;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
    scene->rollout.dwell_ns[2] += 1;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_DWELL);
    assert_int_equal(scene->verdict.ready_at_ns, BEGAN + 25 * HOUR + 1);
    /* A clock that is before the stage's begin, and times that no clock shows. */
    scene->around.now_ns = BEGAN - HOUR;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_DWELL);
    scene->around.now_ns = INT64_MIN;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_HOLD);
    scene->around.now_ns = INT64_MAX;
    scene->rollout.generation_at_ns = INT64_MIN;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_HOLD);
    scene_free(scene);
}

/* What is so, but not for long enough yet, does not act; and nothing is raised meanwhile. */
static void what_is_pending_holds(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene->said[TIMEOUTS].state = CANARY_STATE_PENDING;
    expect(scene_judge(scene), CANARY_VERDICT_HOLD, CANARY_CAUSE_RULE, TIMEOUTS, "pending");
    scene->said[SLOW].state = CANARY_STATE_PENDING;
    assert_int_equal(scene_judge(scene)->rule, TIMEOUTS);
    scene->said[SLOW].state = CANARY_STATE_FIRING;
    assert_int_equal(scene_judge(scene)->rule, SLOW);
    scene->said[WARNING].state = CANARY_STATE_FIRING;
    scene->said[TIMEOUTS].state = scene->said[SLOW].state = CANARY_STATE_CLEAR;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
    scene_free(scene);
}

static void guards_are_bound_by_attempts_and_cooldown(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene->around.guard_rollbacks = 2;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
    scene->around.guard_rollbacks = 1000;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_ATTEMPTS);
    scene->policy.attempts = 0;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);

    cool_down(scene);
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_COOLDOWN);
    assert_int_equal(scene->verdict.ready_at_ns, scene->around.now_ns + MINUTE);
    scene->around.last_rollback_ns = scene->around.now_ns - 30 * MINUTE;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
    scene->around.last_rollback_ns = scene->around.now_ns + HOUR;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_COOLDOWN);
    scene_free(scene);
}

static void a_person_approves_the_last_condition(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    want_approval(scene);
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_APPROVAL);
    scene->around.approved = 1;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
    /* Approved is not excused. */
    show_nothing(scene);
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_REQUIRE);
    scene->said[NO_HARM].state = CANARY_STATE_MET;
    scene->around.approved = 0;
    scene->policy.mode = CANARY_MODE_OBSERVE;
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
    /* A mode that is none asks a person. */
    scene->policy.mode = 0;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_APPROVAL);
    scene_free(scene);
}

static void at_the_top_what_is_wrong_still_counts(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene_at(scene, 10000);
    expect(scene_judge(scene), CANARY_VERDICT_HOLD, CANARY_CAUSE_COMPLETE, -1, "top");
    assert_int_equal(scene->verdict.risk, CANARY_RISK_LOW);
    /* What an advance would need is not asked. */
    know_too_little(scene);
    show_nothing(scene);
    try_too_often(scene);
    cool_down(scene);
    want_approval(scene);
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_COMPLETE);
    be_slow(scene);
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_RULE);
    scene->rollout.dwell_ns[4] = 26 * HOUR;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_DWELL);
    go_silent(scene);
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_NO_TRAFFIC);
    prove_harm(scene);
    expect(scene_judge(scene), CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE, ERRORS, "top");

    /* The top of a ladder need not be 100 %, and nobody goes beyond it. */
    scene_free(scene);
    scene = scene_usual();
    scene->rollout.stage_count = 3;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_COMPLETE);
    scene_at(scene, 6000);
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_COMPLETE);
    scene_free(scene);
}

static void risk_tells_how_near_a_rollback_is(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene->highest = log(4.9);
    assert_int_equal(scene_judge(scene)->risk, CANARY_RISK_LOW);
    be_early(scene);
    assert_int_equal(scene_judge(scene)->risk, CANARY_RISK_MEDIUM);
    scene->highest = log(5.1);
    assert_int_equal(scene_judge(scene)->risk, CANARY_RISK_HIGH);
    scene->highest = NAN;
    scene->said[ERRORS].ln_w = log(5.1);
    assert_int_equal(scene_judge(scene)->risk, CANARY_RISK_HIGH);
    scene->said[ERRORS].ln_w = NAN;
    scene->said[TIMEOUTS].state = CANARY_STATE_PENDING;
    assert_int_equal(scene_judge(scene)->risk, CANARY_RISK_CRITICAL);
    scene->said[TIMEOUTS].urgency = CANARY_URGENCY_HIGH;
    assert_int_equal(scene_judge(scene)->risk, CANARY_RISK_HIGH);
    scene->said[TIMEOUTS].state = CANARY_STATE_FIRING;
    assert_int_equal(scene_judge(scene)->risk, CANARY_RISK_CRITICAL);
    /* Frozen, nobody acts; it is no less of a risk. */
    freeze(scene);
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_FROZEN);
    assert_int_equal(scene->verdict.risk, CANARY_RISK_CRITICAL);
    scene_free(scene);

    for (int i = 0; i < STEPS; i++) {
        int low = steps[i].cause == CANARY_CAUSE_APPROVAL || steps[i].cause == CANARY_CAUSE_CLOSED;

        scene = scene_usual();
        steps[i].make(scene);
        assert_int_equal(scene_judge(scene)->risk, steps[i].action == CANARY_VERDICT_ROLLBACK
                                                       ? CANARY_RISK_CRITICAL
                                                   : low ? CANARY_RISK_LOW
                                                         : CANARY_RISK_MEDIUM);
        scene_free(scene);
    }
}

static void numbers_that_are_none_decide_nothing(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    for (int i = 0; i < RULES; i++) {
        canary_rule_result *said = &scene->said[i];

        said->value = said->reference = said->ratio = said->low = said->high = NAN;
        said->n_new = said->n_old = said->k_new = said->k_old = said->least = NAN;
        said->ln_w = said->p = said->alpha = said->design_effect = said->threshold = NAN;
        said->quantile = said->classical_p = NAN;
    }
    scene->highest = NAN;
    scene->around.users_new = scene->around.users_old = NAN;
    /* The states still speak, and they alone. */
    assert_int_equal(scene_judge(scene)->action, CANARY_VERDICT_ADVANCE);
    for (int i = 0; i < RULES; i++) {
        scene->said[i].state = CANARY_STATE_UNKNOWN;
    }
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_SAMPLES);
    assert_int_equal(scene->verdict.ready_at_ns, 0);
    scene_free(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kill_is_one),
        cmocka_unit_test(every_trouble_with_data_holds),
        cmocka_unit_test(a_rollback_that_was_only_rung_hushes_nobody),
        cmocka_unit_test(a_failed_self_test_turns_proofs_into_holds),
        cmocka_unit_test(urgency_then_order_choose_the_rule),
        cmocka_unit_test(a_rollback_always_leads_down),
        cmocka_unit_test(an_advance_goes_to_the_next_rung),
        cmocka_unit_test(below_the_first_rung_the_first_stage_is_in_force),
        cmocka_unit_test(rules_of_other_stages_say_nothing),
        cmocka_unit_test(silence_counts_from_the_last_outcome_or_the_stage),
        cmocka_unit_test(a_mismatch_needs_users_a_ratio_and_the_policy),
        cmocka_unit_test(what_is_unknown_is_never_clear),
        cmocka_unit_test(a_required_rule_must_be_met_not_just_clear),
        cmocka_unit_test(dwell_ends_to_the_nanosecond),
        cmocka_unit_test(what_is_pending_holds),
        cmocka_unit_test(guards_are_bound_by_attempts_and_cooldown),
        cmocka_unit_test(a_person_approves_the_last_condition),
        cmocka_unit_test(at_the_top_what_is_wrong_still_counts),
        cmocka_unit_test(risk_tells_how_near_a_rollback_is),
        cmocka_unit_test(numbers_that_are_none_decide_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
