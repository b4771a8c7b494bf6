/* SPDX-License-Identifier: MIT */
/* Random states, numbers that are none among them: whatever is known, only a release of which everything is
 * shown goes on, and only that is raised. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scenes.h"

static uint64_t random_state;

static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(2685821657736338717);
}

static int one_of(int count) {
    return (int)(random_next() >> 33) % count;
}

static double any_number(void) {
    static const double odd[] = { NAN, INFINITY, -INFINITY, 0, -0.0, 1e300, -1e300, 5e-324, -1, 1 };
    int choice = one_of(14);

    return choice < 10 ? odd[choice] : (double)(random_next() >> 20) / 1e6;
}

static int64_t any_time(void) {
    switch (one_of(6)) {
    case 0:
        return 0;
    case 1:
        return INT64_MAX;
    case 2:
        return INT64_MIN;
    case 3:
        return (int64_t)random_next();
    default:
        return BEGAN + 25 * HOUR + ((int64_t)(random_next() >> 16) - (INT64_C(1) << 47));
    }
}

static void scramble(struct scene *scene) {
    static const uint32_t places[] = { 0, 200, 500, 2500, 3700, 5000, 9999, 10000 };

    scene_at(scene, one_of(4) > 0 ? 2500 : places[one_of(8)]);
    for (int i = 0; i < RULES; i++) {
        canary_rule_result *said = &scene->said[i];
        double *const numbers[] = { &said->value, &said->reference,     &said->ratio,
                                    &said->low,   &said->high,          &said->n_new,
                                    &said->n_old, &said->k_new,         &said->least,
                                    &said->ln_w,  &said->alpha,         &said->k_old,
                                    &said->p,     &said->design_effect, &said->threshold };

        if (one_of(4) == 0) {
            said->state = one_of(8);
        }
        if (one_of(4) == 0) {
            *numbers[one_of(15)] = any_number();
        }
        if (one_of(8) == 0) {
            said->to_stage = one_of(40) - 5;
            said->urgency = one_of(6);
            said->against = one_of(5);
            said->proof = one_of(4);
            said->statistic = one_of(9);
            said->since_ns = any_time();
            said->for_ns = any_time();
            said->window_ns = any_time();
            said->quantile = any_number();
            said->cohort = one_of(2);
            scene->policy.rules[i].window_ns = said->window_ns;
        }
        if (one_of(8) == 0) {
            scene->policy.rules[i].stages = (uint32_t)random_next();
        }
    }
    scene->around.damaged = one_of(10) == 0;
    scene->around.dropped = one_of(10) == 0;
    scene->around.clock = one_of(10) == 0;
    scene->rollout.doubt = one_of(10) == 0 ? 1u << one_of(6) : 0;
    scene->rollout.kill_reasons = one_of(10) == 0 ? 1u << one_of(5) : 0;
    scene->policy.frozen = one_of(10) == 0;
    scene->policy.mode = one_of(5);
    scene->around.approved = one_of(2) == 0;
    scene->self_test = one_of(8) == 0;
    scene->highest = any_number();
    if (one_of(6) == 0) {
        scene->state.generation = random_next();
    }
    if (one_of(6) == 0) {
        scene->state.traffic_ns = any_time();
    }
    if (one_of(6) == 0) {
        scene->rollout.generation_at_ns = any_time();
    }
    if (one_of(6) == 0) {
        scene->around.last_rollback_ns = any_time();
    }
    if (one_of(6) == 0) {
        scene->around.now_ns = any_time();
    }
    if (one_of(6) == 0) {
        scene->around.users_new = any_number();
    }
    if (one_of(10) == 0) {
        scene->state.through_ns = any_time();
    }
}

/* What must be so of a release that goes on, said apart from the gate. */
static const char *why_not(const struct scene *scene) {
    int stage = canary__gate_stage(&scene->rollout);

    for (int i = 0; i < RULES; i++) {
        const canary_rule_result *said = &scene->said[i];

        if ((scene->policy.rules[i].stages >> stage & 1) == 0 || said->action == CANARY_RULE_WARN) {
            continue;
        }
        if (said->state !=
            (said->action == CANARY_RULE_REQUIRE ? CANARY_STATE_MET : CANARY_STATE_CLEAR)) {
            return "a rule is against it";
        }
        if (scene->self_test && said->action == CANARY_RULE_REQUIRE &&
            said->proof == CANARY_PROOF_EVIDENCE) {
            return "its proof is not believed";
        }
    }
    if (scene->around.damaged || scene->around.dropped || scene->around.clock ||
        scene->rollout.doubt != 0) {
        return "its data is in doubt";
    }
    if (scene->rollout.kill_reasons != 0 || scene->policy.frozen != 0) {
        return "it is out of force";
    }
    if (scene->rollout.percentage_bp == 0 || scene->rollout.percentage_bp == 10000) {
        return "there is nowhere to go";
    }
    if (scene->state.generation != scene->rollout.generation) {
        return "it is of another generation";
    }
    if ((scene->policy.mode == CANARY_MODE_APPROVE || scene->policy.mode == 0) &&
        !scene->around.approved) {
        return "nobody approved";
    }
    if ((long double)scene->around.now_ns - (long double)scene->rollout.generation_at_ns <
        24.0L * HOUR) {
        return "it is too early";
    }
    return NULL;
}

static void only_what_is_shown_is_raised(void **unused) {
    const char *given = getenv("CANARY_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    int found[4] = { 0 };

    (void)unused;
    printf("CANARY_TEST_SEED=%" PRIu64 "\n", seed);
    random_state = seed * 2 + 1;
    for (int round = 0; round < 20000; round++) {
        struct scene *scene = scene_usual();
        const canary_verdict *verdict;
        const char *why;

        scramble(scene);
        if (round % 2 == 0) {
            /* Near enough to an advance that it happens. */
            for (int i = 0; i < RULES; i++) {
                if (scene->said[i].state != CANARY_STATE_MET || one_of(2) == 0) {
                    scene->said[i].state = scene->said[i].action == CANARY_RULE_REQUIRE
                                               ? CANARY_STATE_MET
                                               : CANARY_STATE_CLEAR;
                }
            }
        }
        verdict = scene_judge(scene);
        why = why_not(scene);
        assert_in_range(verdict->action, CANARY_VERDICT_HOLD, CANARY_VERDICT_ROLLBACK);
        assert_in_range(verdict->risk, CANARY_RISK_LOW, CANARY_RISK_CRITICAL);
        found[verdict->action]++;
        if (verdict->action == CANARY_VERDICT_ADVANCE && why != NULL) {
            fail_msg("round %d goes on, though %s", round, why);
        }
        assert_int_equal(verdict->to_percentage_bp > verdict->percentage_bp,
                         verdict->action == CANARY_VERDICT_ADVANCE);
        assert_int_equal(verdict->to_percentage_bp < verdict->percentage_bp,
                         verdict->action == CANARY_VERDICT_ROLLBACK);
        assert_true(memchr(verdict->message, 0, sizeof verdict->message) != NULL);
        assert_true(verdict->message[0] != '\0' && verdict->ready_at_ns >= 0);
        for (int i = 0; i < RULES; i++) {
            assert_true(memchr(verdict->rules[i].message, 0, sizeof verdict->rules[i].message) !=
                        NULL);
        }
        scene_free(scene);
    }
    printf("%d held, %d went on, %d rolled back\n", found[CANARY_VERDICT_HOLD],
           found[CANARY_VERDICT_ADVANCE], found[CANARY_VERDICT_ROLLBACK]);
    assert_true(found[CANARY_VERDICT_ADVANCE] > 100 && found[CANARY_VERDICT_ROLLBACK] > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(only_what_is_shown_is_raised) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
