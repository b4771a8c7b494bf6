/* SPDX-License-Identifier: MIT */
/* What people read: one sentence for each rule and for each verdict, with figures in units and grouped
 * digits, and what is missing with the time when it will be there. */
#include <canary/decide.h>
#include <math.h>
#include <string.h>

#include "judge/gate_missing.h"
#include "judge/say.h"
#include "scenes.h"

static void expect_rule(struct scene *scene, int rule, const char *message) {
    scene_judge(scene);
    assert_string_equal(scene->results[rule].message, message);
}

static void expect_verdict(struct scene *scene, const char *message) {
    assert_string_equal(scene_judge(scene)->message, message);
}

/* -- rules -- */

static void evidence_has_its_interval(void **unused) {
    struct scene *scene = scene_usual();
    canary_rule_result *said = &scene->said[NO_HARM];

    (void)unused;
    expect_rule(scene, NO_HARM,
                "error ratio 0.94, 95 % anytime interval 0.71 to 1.22, n = 41 200 and 782 900: "
                "proven below 1.5");
    said->state = CANARY_STATE_UNMET;
    said->high = 1.7;
    expect_rule(scene, NO_HARM,
                "error ratio 0.94, 95 % anytime interval 0.71 to 1.7, n = 41 200 and 782 900: "
                "not yet proven below 1.5");
    expect_rule(scene, ERRORS,
                "error ratio 0.94, 95 % anytime interval 0.71 to 1.22, n = 41 200 and 782 900: "
                "not proven above 1.5");

    /* Harm that came late, or went, is not that of the whole stage. */
    scene->said[ERRORS].state = CANARY_STATE_FIRING;
    expect_rule(scene, ERRORS,
                "error ratio 0.94, 95 % anytime interval 0.71 to 1.22, n = 41 200 and 782 900: "
                "proven above 1.5 during a part of this stage");
    prove_harm(scene);
    expect_rule(scene, ERRORS,
                "error ratio 2.1, 95 % anytime interval 1.62 to 2.75, n = 41 200 and 782 900: "
                "proven above 1.5");

    /* Rounding does not make a sentence contradict itself, and open ends are said. */
    said->state = CANARY_STATE_MET;
    said->high = 1.49996;
    said->low = 0;
    said->alpha = 0.0125;
    expect_rule(scene, NO_HARM,
                "error ratio 0.94, 98.8 % anytime interval up to 1.49996, n = 41 200 and 782 900: "
                "proven below 1.5");
    said->low = 0.5;
    said->high = INFINITY;
    expect_rule(scene, NO_HARM,
                "error ratio 0.94, 98.8 % anytime interval from 0.5, n = 41 200 and 782 900: "
                "proven below 1.5");
    said->low = NAN;
    expect_rule(scene, NO_HARM, "error ratio 0.94, n = 41 200 and 782 900: proven below 1.5");
    scene_free(scene);
}

static void a_limit_is_told_in_its_unit(void **unused) {
    struct scene *scene = scene_usual();
    canary_rule_result *said = &scene->said[TIMEOUTS];

    (void)unused;
    expect_rule(scene, TIMEOUTS, "timeout rate 0.94 % in 5 min, n = 41 200: not above 5 %");
    said->state = CANARY_STATE_FIRING;
    said->value = 0.0500001;
    said->for_ns = 2 * MINUTE;
    expect_rule(scene, TIMEOUTS,
                "timeout rate 5.00001 % in 5 min, n = 41 200: above 5 % for 2 min");
    said->state = CANARY_STATE_PENDING;
    expect_rule(scene, TIMEOUTS,
                "timeout rate 5.00001 % in 5 min, n = 41 200: above 5 %, but not yet for 2 min");
    said->cohort = CANARY_OLD;
    expect_rule(scene, TIMEOUTS,
                "old cohort's timeout rate 5.00001 % in 5 min, n = 782 900: above 5 %, but not yet "
                "for 2 min");

    said->cohort = CANARY_NEW;
    said->statistic = CANARY_STATISTIC_QUANTILE;
    said->quantile = 0.95;
    said->threshold = 0.6;
    said->value = 0.812;
    said->reference = 1.25;
    said->for_ns = 0;
    said->state = CANARY_STATE_FIRING;
    strcpy(said->metric, "duration");
    strcpy(said->unit, "seconds");
    expect_rule(scene, TIMEOUTS,
                "duration p95 812 ms (old cohort 1.25 s) in 5 min, n = 41 200: above 600 ms");
    said->statistic = CANARY_STATISTIC_MEAN;
    said->reference = NAN;
    expect_rule(scene, TIMEOUTS, "mean duration 812 ms in 5 min, n = 41 200: above 600 ms");
    strcpy(said->metric, "cost");
    strcpy(said->unit, "usd");
    expect_rule(scene, TIMEOUTS, "mean cost 0.812 usd in 5 min, n = 41 200: above 0.6 usd");
    said->against = CANARY_AGAINST_BASELINE;
    said->reference = 0.5;
    said->ratio = 1.63;
    said->threshold = 1.5;
    expect_rule(scene, TIMEOUTS,
                "mean cost ratio 1.63 (0.812 usd against 0.5 usd of the baseline) in 5 min, "
                "n = 41 200: above 1.5");
    said->against = CANARY_AGAINST_OLD;
    expect_rule(scene, TIMEOUTS,
                "mean cost ratio 1.63 (0.812 usd against 0.5 usd) in 5 min, n = 41 200 and "
                "782 900: above 1.5");

    said->against = CANARY_AGAINST_LIMIT;
    said->statistic = CANARY_STATISTIC_BURN;
    said->value = 7.25;
    said->reference = NAN;
    said->threshold = 5;
    said->window_ns = HOUR;
    strcpy(said->metric, "error");
    expect_rule(scene, TIMEOUTS,
                "error budget used up 7.25 times as fast as it lasts in 1 h, n = 41 200: above 5 "
                "times");
    scene_free(scene);
}

static void f1_and_its_parts_have_their_names(void **unused) {
    struct scene *scene = scene_usual();
    canary_rule_result *said = &scene->said[ACCURATE];

    (void)unused;
    said->value = 0.97;
    said->threshold = 0.95;
    said->above = 1;
    expect_rule(scene, ACCURATE, "accuracy 97 % in 5 min, n = 41 200: above 95 %, as required");
    said->state = CANARY_STATE_UNMET;
    said->value = 0.93;
    expect_rule(scene, ACCURATE, "accuracy 93 % in 5 min, n = 41 200: must be above 95 %");
    said->statistic = CANARY_STATISTIC_F1;
    expect_rule(scene, ACCURATE, "accuracy F1 0.93 in 5 min, n = 41 200: must be above 0.95");
    strcpy(said->metric, "f1");
    expect_rule(scene, ACCURATE, "F1 0.93 in 5 min, n = 41 200: must be above 0.95");
    said->statistic = CANARY_STATISTIC_PRECISION;
    strcpy(said->metric, "spam");
    expect_rule(scene, ACCURATE, "spam precision 0.93 in 5 min, n = 41 200: must be above 0.95");
    scene_free(scene);
}

static void evidence_about_a_quantile_tells_who_is_above_it(void **unused) {
    struct scene *scene = scene_usual();
    canary_rule_result *said = &scene->said[ERRORS];

    (void)unused;
    said->statistic = CANARY_STATISTIC_QUANTILE;
    said->quantile = 0.95;
    said->threshold = 1.3;
    said->value = said->ratio = said->low = said->high = NAN;
    said->reference = 0.5;
    said->n_new = 1000;
    said->k_new = 72;
    said->n_old = 20000;
    said->k_old = 1000;
    strcpy(said->metric, "duration");
    expect_rule(scene, ERRORS,
                "duration p95 ratio, old cohort's 500 ms, above it 5 % of the old and, above 1.3 "
                "times it, 7.2 % of the new, n = 1 000 and 20 000: not proven above 1.3");
    /* A limit is not a multiple of anything. */
    said->against = CANARY_AGAINST_LIMIT;
    said->threshold = 0.6;
    expect_rule(scene, ERRORS,
                "duration p95, above 600 ms are 7.2 %, n = 1 000: not proven above 600 ms");
    said->cohort = CANARY_OLD;
    expect_rule(scene, ERRORS,
                "old cohort's duration p95, above 600 ms are 5 %, n = 20 000: not proven above "
                "600 ms");
    said->cohort = CANARY_NEW;
    said->proof = CANARY_PROOF_POINT;
    said->window_ns = 5 * MINUTE;
    said->value = said->reference = NAN;
    expect_rule(scene, ERRORS,
                "duration p95, above 600 ms are 7.2 % in 5 min, n = 1 000: not above 600 ms");
    scene_free(scene);
}

static void what_is_unknown_says_why(void **unused) {
    struct scene *scene = scene_usual();
    canary_rule_result *said = &scene->said[ACCURATE];

    (void)unused;
    said->state = CANARY_STATE_UNKNOWN;
    said->n_new = 41;
    said->n_old = 7;
    expect_rule(scene, ACCURATE, "accuracy: needs 100 outcomes of the new cohort in 5 min, has 41");
    said->cohort = CANARY_OLD;
    expect_rule(scene, ACCURATE,
                "old cohort's accuracy: needs 100 outcomes of the old cohort in 5 min, has 7");
    said->n_old = 100;
    expect_rule(scene, ACCURATE, "old cohort's accuracy: not known from the figures there are");
    said->against = CANARY_AGAINST_BASELINE;
    said->n_new = 100;
    expect_rule(scene, ACCURATE,
                "accuracy ratio: not known: there is no baseline of it, which canaryctl baseline "
                "capture keeps");
    said = &scene->said[NO_HARM];
    said->state = CANARY_STATE_UNKNOWN;
    said->design_effect = NAN;
    expect_rule(scene, NO_HARM,
                "error ratio: not known before it is measured how far requests of one user go "
                "together");
    said->n_new = 12;
    expect_rule(scene, NO_HARM, "error ratio: needs 100 outcomes of the new cohort, has 12");
    scene_free(scene);
}

/* -- verdicts -- */

static void each_verdict_says_what_why_and_what_next(void **unused) {
    static const char *const messages[STEPS] = {
        "stay at 25 %: a kill switch is on (flag checkout), everybody gets the old path and "
        "nothing "
        "is judged; next: canaryctl --rollout checkout status",
        "stay at 25 %: the policy is frozen, so nobody acts; next: canaryctl --rollout checkout "
        "policy show",
        "stay at 0 %: nobody gets the new path, and a person begins; next: canaryctl --rollout "
        "checkout advance",
        "roll back from 25 % to 0 %: rule timeouts: timeout rate 0.94 % in 5 min, n = 41 200: "
        "above "
        "5 %",
        "stay at 25 %: our own data is in doubt: 1 damaged row of figures was skipped; next: "
        "canaryctl --rollout checkout doctor",
        "roll back from 25 % to 0 %: rule errors: error ratio 2.1, 95 % anytime interval 1.62 to "
        "2.75, n = 41 200 and 782 900: proven above 1.5",
        "stay at 25 %: nothing was recorded of the new cohort for longer than 15 min; next: "
        "canaryctl --rollout checkout metrics --window 1h",
        "stay at 25 %: users are not divided as the percentage says: of 8 000 sampled users 2 500 "
        "got the new path, 31.3 % instead of 25 %, which chance does not explain; outcomes are "
        "recorded for one cohort only, or a process does not follow; next: canaryctl --rollout "
        "checkout status",
        "stay at 25 %: what is known belongs to another percentage; it is judged anew",
        "stay at 25 %: rule accurate: accuracy: not known from the figures there are",
        "stay at 25 %: 1 h are left of the stage's 1 d 2 h",
        "stay at 25 %: rule slow: error rate 0.94 % in 5 min, n = 41 200: above 5 %",
        "stay at 25 %: rule no-harm: error ratio 0.94, 95 % anytime interval 0.71 to 1.22, n = "
        "41 200 and 782 900: not yet proven below 1.5; needs about 332 more outcomes of the new "
        "cohort, about 13 min at 0.458/s",
        "stay at 25 %: guards rolled back 3 times, as often as the policy allows; setting it again "
        "counts anew; next: canaryctl --rollout checkout policy set FILE",
        "stay at 25 %: all that is required is shown, but a rollback was 29 min ago; the cooldown "
        "ends in 1 min",
        "stay at 25 %: waits for a person, no rule rolls back or holds, and what is required is "
        "shown (2 rules); error ratio 0.94, 95 % anytime interval 0.71 to 1.22, n = 41 200 and "
        "782 900: proven below 1.5; next: canaryctl --rollout checkout approve --note WHY",
    };

    (void)unused;
    for (int i = 0; i < STEPS; i++) {
        struct scene *scene = scene_usual();

        steps[i].make(scene);
        expect_verdict(scene, messages[i]);
        scene_free(scene);
    }
}

static void other_reasons_have_their_words(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    expect_verdict(scene, "go on from 25 % to 50 %: no rule rolls back or holds, and what is "
                          "required is shown (2 rules); error ratio 0.94, 95 % anytime interval "
                          "0.71 to 1.22, n = 41 200 and 782 900: proven below 1.5");
    scene->policy.mode = CANARY_MODE_OBSERVE;
    scene->said[WARNING].state = CANARY_STATE_FIRING;
    assert_non_null(strstr(scene_judge(scene)->message, "(2 rules), 1 rule warns; error ratio"));
    assert_non_null(strstr(scene->verdict.message, "; next: canaryctl --rollout checkout advance"));
    break_limit(scene);
    scene->said[TIMEOUTS].to_stage = -1;
    expect_verdict(scene,
                   "roll back from 25 % to 5 %: rule timeouts: timeout rate 0.94 % in 5 min, "
                   "n = 41 200: above 5 %; next: canaryctl --rollout checkout rollback "
                   "--stage 1");
    freeze(scene);
    expect_verdict(scene, "stay at 25 %: the policy is frozen, so nobody acts, though 1 of its "
                          "rules would roll back; next: canaryctl --rollout checkout rollback");
    scene_free(scene);

    scene = scene_usual();
    scene->rollout.kill_reasons = CANARY_KILL_ENVIRONMENT;
    assert_non_null(strstr(scene_judge(scene)->message, "(CANARY_KILL in the environment)"));
    scene->rollout.kill_reasons = CANARY_KILL_BELL;
    assert_non_null(strstr(scene_judge(scene)->message, "(damaged bell)"));
    scene->rollout.kill_reasons = 0;
    scene->around.damaged = 3;
    scene->around.dropped = 12345;
    scene->around.clock = 1;
    scene->rollout.doubt = CANARY_DOUBT_ROLLOUT;
    expect_verdict(scene, "stay at 25 %: our own data is in doubt: 3 damaged rows of figures were "
                          "skipped, 12 345 outcomes were lost, there are figures or changes from "
                          "the future, so a clock jumped, the rollout's state was changed outside "
                          "or is not recorded yet; next: canaryctl --rollout checkout verify");
    scene_free(scene);

    scene = scene_usual();
    scene_at(scene, 10000);
    expect_verdict(scene, "stay at 100 %: the top of the ladder, and nothing is wrong");
    canary__gate(NULL, NULL, &scene->around, &scene->verdict, scene->results);
    assert_string_equal(scene->verdict.message, "stay at 100 %: no policy is in force; next: "
                                                "canaryctl --rollout checkout policy set FILE");
    scene->verdict.cause = CANARY_CAUSE_ERROR;
    canary__gate_message(NULL, &scene->around, &scene->verdict);
    assert_string_equal(scene->verdict.message, "stay at 100 %: the store could not be read, and "
                                                "what was known is kept; next: canaryctl --rollout "
                                                "checkout doctor");
    scene_free(scene);
}

/* The longest names and figures end within a sentence's room, at a whole character. */
static void what_is_long_is_cut(void **unused) {
    struct scene *scene = scene_usual();
    struct canary__say say;
    char small[8];

    (void)unused;
    memset(scene->rollout.name, 'r', 128);
    memset(scene->said[ERRORS].name, 'n', 63);
    memset(scene->said[ERRORS].metric, 'm', 63);
    prove_harm(scene);
    scene->said[ERRORS].ratio = -1e-300;
    scene->said[ERRORS].n_new = scene->said[ERRORS].n_old = 1e300;
    scene->policy.mode = CANARY_MODE_OBSERVE;
    scene_judge(scene);
    assert_true(strlen(scene->verdict.message) < sizeof scene->verdict.message);
    assert_true(strlen(scene->results[ERRORS].message) < sizeof scene->results[ERRORS].message);
    scene_free(scene);

    say = canary__say_into(small, sizeof small);
    canary__say(&say, "12345\xe2\x82\xac");
    canary__say(&say, "x");
    assert_string_equal(small, "12345");
}

/* -- what is missing -- */

static void too_few_outcomes_are_counted_and_timed(void **unused) {
    struct scene *scene = scene_usual();
    canary_rule_result *said = &scene->said[NO_HARM];

    (void)unused;
    /* 25 h at about one outcome a second, for a rule that needs 102 300. */
    scene->state.through_ns = scene->around.now_ns;
    said->state = CANARY_STATE_UNKNOWN;
    said->n_new = 90000;
    said->least = 102300;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_SAMPLES);
    assert_non_null(strstr(scene->verdict.message,
                           "; needs about 12 300 more outcomes of the new cohort, about 3 h 25 min "
                           "at 1/s"));
    assert_int_equal(scene->verdict.ready_at_ns, scene->around.now_ns + 12300 * SECOND);

    /* The slowest of several is told, since the others are there before. */
    scene->said[ACCURATE].state = CANARY_STATE_UNKNOWN;
    scene->said[ACCURATE].n_new = 290;
    scene->said[ACCURATE].least = 300;
    assert_int_equal(scene_judge(scene)->rule, ACCURATE);
    assert_non_null(strstr(scene->verdict.message,
                           "; at 0.967/s its window never holds so many: give the rule a longer "
                           "one; 1 more rule is not known yet"));
    assert_int_equal(scene->verdict.ready_at_ns, 0);

    /* Of two that have their time it is the later one, wherever it stands. */
    scene->said[ACCURATE].proof = CANARY_PROOF_EVIDENCE;
    scene->said[ACCURATE].n_new = 90000;
    scene->said[ACCURATE].least = 102299;
    assert_int_equal(scene_judge(scene)->rule, NO_HARM);
    assert_int_equal(scene->verdict.ready_at_ns, scene->around.now_ns + 12300 * SECOND);
    scene->said[ACCURATE].least = 102301;
    assert_int_equal(scene_judge(scene)->rule, ACCURATE);
    assert_int_equal(scene->verdict.ready_at_ns, scene->around.now_ns + 12301 * SECOND);
    scene->said[ACCURATE].proof = CANARY_PROOF_POINT;
    scene->said[ACCURATE].n_new = 290;
    scene->said[ACCURATE].least = 300;

    /* In the first minutes a window is not full yet. */
    scene->rollout.generation_at_ns = scene->around.now_ns - 100 * SECOND;
    said->state = CANARY_STATE_MET;
    assert_int_equal(scene_judge(scene)->rule, ACCURATE);
    assert_non_null(strstr(scene->verdict.message,
                           "; needs about 10 more outcomes of the new cohort, about 3 s at 2.9/s"));

    scene->said[ACCURATE].n_new = 0;
    scene_judge(scene);
    /* Nobody is told to change his rule because nobody is there. */
    assert_non_null(strstr(scene->verdict.message, "; the new cohort has none now"));
    said->state = CANARY_STATE_UNKNOWN;
    said->n_new = 0;
    scene->said[ACCURATE].state = CANARY_STATE_MET;
    scene_judge(scene);
    assert_non_null(strstr(scene->verdict.message,
                           "; needs about 103 000 more outcomes of the new cohort, of which there "
                           "are none now"));
    assert_int_equal(scene->verdict.ready_at_ns, 0);
    scene_free(scene);
}

static void a_design_effect_takes_its_ticks(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene->said[ERRORS].state = CANARY_STATE_UNKNOWN;
    scene->said[ERRORS].design_effect = NAN;
    assert_int_equal(scene_judge(scene)->cause, CANARY_CAUSE_SAMPLES);
    assert_non_null(strstr(scene->verdict.message, "; that takes 200 ticks of 10 s"));
    scene_free(scene);
}

/* A release that is like the old one, at 1 % and a quarter of the requests, is proven below 1.5 after
 * about as many outcomes as a plan says. */
static void a_proof_is_timed_by_the_plan(void **unused) {
    struct scene *scene = scene_usual();
    canary_rule_result *said = &scene->said[NO_HARM];
    struct canary__missing missing;

    (void)unused;
    said->state = CANARY_STATE_UNMET;
    said->n_new = 1000;
    said->n_old = 3000;
    said->k_new = 10;
    said->k_old = 30;
    said->ratio = 1;
    scene_judge(scene);
    canary__gate_missing(&scene->policy.rules[NO_HARM], &scene->results[NO_HARM], &scene->around,
                         scene->state.through_ns, &missing);
    assert_int_equal(missing.what, CANARY__MISSING_PROOF);
    assert_true(missing.outcomes > 2000 && missing.outcomes < 6000);
    assert_true(scene->verdict.ready_at_ns > scene->around.now_ns);

    /* Nothing proves that 1.6 is below 1.5. */
    said->k_new = 480;
    said->k_old = 900;
    said->ratio = 1.6;
    assert_non_null(strstr(scene_judge(scene)->message, "; as things stand it never will be"));
    assert_int_equal(scene->verdict.ready_at_ns, 0);

    said->statistic = CANARY_STATISTIC_MEAN;
    said->high = 1.7;
    assert_non_null(strstr(scene_judge(scene)->message, "; as things stand it never will be"));

    /* Of means the interval tells it: half as wide after four times as many. */
    said->ratio = 1;
    said->high = 2;
    scene_judge(scene);
    canary__gate_missing(&scene->policy.rules[NO_HARM], &scene->results[NO_HARM], &scene->around,
                         scene->state.through_ns, &missing);
    assert_int_equal(missing.what, CANARY__MISSING_PROOF);
    assert_true(missing.outcomes == 3000);
    scene_free(scene);
}

/* Limits and quantiles have no interval: their evidence tells it, which grows as outcomes come in. */
static void a_proof_without_an_interval_is_timed_by_its_evidence(void **unused) {
    static const struct {
        int statistic;
        int against;
        int cohort;
    } cases[] = {
        { CANARY_STATISTIC_QUANTILE, CANARY_AGAINST_OLD, CANARY_NEW },
        { CANARY_STATISTIC_QUANTILE, CANARY_AGAINST_LIMIT, CANARY_NEW },
        { CANARY_STATISTIC_RATE, CANARY_AGAINST_LIMIT, CANARY_NEW },
        { CANARY_STATISTIC_F1, CANARY_AGAINST_LIMIT, CANARY_OLD },
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene *scene = scene_usual();
        canary_rule_result *said = &scene->said[NO_HARM];
        struct canary__missing missing;

        said->state = CANARY_STATE_UNMET;
        said->statistic = cases[i].statistic;
        said->against = cases[i].against;
        said->cohort = cases[i].cohort;
        said->quantile = said->statistic == CANARY_STATISTIC_QUANTILE ? 0.95 : NAN;
        said->threshold = 0.1;
        said->value = said->statistic == CANARY_STATISTIC_QUANTILE ? NAN : 0.04;
        said->low = said->high = NAN;
        said->n_new = said->n_old = 1000;
        said->k_new = said->k_old = 40;
        said->k_new -= 1;
        /* Sixteen alternatives share one capital: the best of them grows steadily. */
        said->ln_w = log(16);
        said->alpha = 1.0 / 256;
        scene_judge(scene);
        canary__gate_missing(&scene->policy.rules[NO_HARM], &scene->results[NO_HARM],
                             &scene->around, scene->state.through_ns, &missing);
        assert_int_equal(missing.what, CANARY__MISSING_PROOF);
        assert_int_equal(missing.cohort, cases[i].cohort);
        assert_true(fabs(missing.outcomes - 500) <= 1);
        assert_non_null(strstr(scene->verdict.message, cases[i].cohort == CANARY_OLD
                                                           ? " more outcomes of the old cohort"
                                                           : " more outcomes of the new cohort"));
        assert_true(scene->verdict.ready_at_ns > scene->around.now_ns);
        /* Nothing says yet which way it goes. */
        said->ln_w = -1;
        scene_judge(scene);
        assert_null(strstr(scene->verdict.message, "needs"));
        /* It is not so. */
        said->value = 0.11;
        said->k_new = said->k_old = 110;
        said->k_new += 1;
        scene_judge(scene);
        assert_non_null(strstr(scene->verdict.message, "; as things stand it never will be"));
        scene_free(scene);
    }
}

static void what_is_pending_says_when_it_acts(void **unused) {
    struct scene *scene = scene_usual();

    (void)unused;
    scene->said[TIMEOUTS].state = CANARY_STATE_PENDING;
    scene->said[TIMEOUTS].for_ns = 2 * MINUTE;
    scene->said[TIMEOUTS].since_ns = scene->around.now_ns - 50 * SECOND;
    expect_verdict(scene, "stay at 25 %: rule timeouts: timeout rate 0.94 % in 5 min, n = 41 200: "
                          "above 5 %, but not yet for 2 min; that is 1 min 10 s from now");
    scene_free(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_has_its_interval),
        cmocka_unit_test(a_limit_is_told_in_its_unit),
        cmocka_unit_test(f1_and_its_parts_have_their_names),
        cmocka_unit_test(evidence_about_a_quantile_tells_who_is_above_it),
        cmocka_unit_test(what_is_unknown_says_why),
        cmocka_unit_test(each_verdict_says_what_why_and_what_next),
        cmocka_unit_test(other_reasons_have_their_words),
        cmocka_unit_test(what_is_long_is_cut),
        cmocka_unit_test(too_few_outcomes_are_counted_and_timed),
        cmocka_unit_test(a_design_effect_takes_its_ticks),
        cmocka_unit_test(a_proof_is_timed_by_the_plan),
        cmocka_unit_test(a_proof_without_an_interval_is_timed_by_its_evidence),
        cmocka_unit_test(what_is_pending_says_when_it_acts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
