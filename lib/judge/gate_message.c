/* SPDX-License-Identifier: MIT */
/* One sentence for a verdict: what, why, with figures, and what next. */
#include <math.h>
#include <string.h>

#include "judge/gate.h"
#include "judge/gate_missing.h"
#include "judge/say.h"

/* A person's next command; the store is that of his environment. */
static void next(struct canary__say *say, const canary_verdict *verdict, const char *command) {
    canary__say(say, "; next: canaryctl --rollout ");
    canary__say(say, verdict->rollout);
    canary__say(say, " ");
    canary__say(say, command);
}

static void head(struct canary__say *say, const canary_verdict *verdict) {
    static const char *const words[] = { "stay at ", "go on from ", "roll back from " };

    canary__say(say, words[verdict->action >= 1 && verdict->action <= 3 ? verdict->action - 1 : 0]);
    canary__say_bp(say, verdict->percentage_bp);
    if (verdict->to_percentage_bp != verdict->percentage_bp) {
        canary__say(say, " to ");
        canary__say_bp(say, verdict->to_percentage_bp);
    }
    canary__say(say, ": ");
}

static const canary_rule_result *decider(const canary_verdict *verdict) {
    return verdict->rule >= 0 && (uint32_t)verdict->rule < verdict->rule_count &&
                   verdict->rules != NULL
               ? &verdict->rules[verdict->rule]
               : NULL;
}

static uint32_t count(const canary_verdict *verdict, int action, int state) {
    uint32_t found = 0;

    for (uint32_t i = 0; verdict->rules != NULL && i < verdict->rule_count; i++) {
        found +=
            (action == 0 || verdict->rules[i].action == action) && verdict->rules[i].state == state;
    }
    return found;
}

static void rule(struct canary__say *say, const canary_verdict *verdict) {
    const canary_rule_result *result = decider(verdict);

    if (result != NULL) {
        canary__say(say, "rule ");
        canary__say(say, result->name);
        canary__say(say, ": ");
        canary__say(say, result->message);
    }
}

/* An estimate needs no seconds behind minutes. */
static void about(struct canary__say *say, int64_t from_ns, int64_t to_ns) {
    int64_t span;
    int64_t step;

    if (__builtin_sub_overflow(to_ns, from_ns, &span)) {
        span = INT64_MAX / 2;
    }
    step = span >= 2 * CANARY__DAY_NS       ? CANARY__HOUR_NS
           : span >= 10 * CANARY__MINUTE_NS ? CANARY__MINUTE_NS
                                            : 1;
    canary__say_span(say, (span / step + (span % step > 0)) * step);
}

/* "; needs about 12 300 more outcomes of the new cohort, about 3 h 20 min at 1/s" */
static void missing(struct canary__say *say, const struct canary_policy *policy,
                    const struct canary__scene *scene, const canary_verdict *verdict) {
    const canary_rule_result *result = decider(verdict);
    struct canary__missing what;

    if (result == NULL || policy == NULL || (uint32_t)verdict->rule >= policy->rule_count) {
        return;
    }
    canary__gate_missing(&policy->rules[verdict->rule], result, scene, verdict->through_ns, &what);
    switch (what.what) {
    case CANARY__MISSING_OUTCOMES:
    case CANARY__MISSING_PROOF:
        canary__say(say, "; needs about ");
        canary__say_about(say, what.outcomes);
        canary__say(say, what.outcomes <= 1 ? " more outcome of the " : " more outcomes of the ");
        canary__say(say, what.cohort == CANARY_OLD ? "old cohort" : "new cohort");
        if (what.ready_at_ns > 0) {
            canary__say(say, ", about ");
            about(say, scene->now_ns, what.ready_at_ns);
            canary__say(say, " at ");
            canary__say_number(say, what.per_second, NAN);
            canary__say(say, "/s");
        } else {
            canary__say(say, ", of which there are none now");
        }
        break;
    case CANARY__MISSING_RATE:
        if (!(what.per_second > 0)) {
            canary__say(say, what.cohort == CANARY_OLD ? "; the old cohort has none now"
                                                       : "; the new cohort has none now");
            break;
        }
        canary__say(say, "; at ");
        canary__say_number(say, what.per_second, NAN);
        canary__say(say, "/s its window never holds so many: give the rule a longer one");
        break;
    case CANARY__MISSING_EFFECT:
        canary__say(say, "; that takes 200 ticks of 10 s with a bad outcome in the old cohort, at "
                         "least 34 min");
        break;
    case CANARY__MISSING_NEVER:
        canary__say(say, "; as things stand it never will be");
        break;
    case CANARY__MISSING_TIME:
        if (what.ready_at_ns > scene->now_ns) {
            canary__say(say, "; that is ");
            canary__say_between(say, scene->now_ns, what.ready_at_ns);
            canary__say(say, " from now");
        }
        break;
    default:
        break;
    }
}

static void others(struct canary__say *say, const canary_verdict *verdict) {
    uint32_t all = count(verdict, 0, CANARY_STATE_UNKNOWN) -
                   count(verdict, CANARY_RULE_WARN, CANARY_STATE_UNKNOWN);

    if (all > 1) {
        canary__say(say, "; ");
        canary__say_count(say, all - 1);
        canary__say(say,
                    all == 2 ? " more rule is not known yet" : " more rules are not known yet");
    }
}

static void killed(struct canary__say *say, const struct canary__scene *scene,
                   const canary_verdict *verdict) {
    uint32_t reasons = scene->rollout->kill_reasons;

    canary__say(say, "a kill switch is on (");
    if ((reasons & CANARY_KILL_FLAG) != 0) {
        canary__say(say, "flag ");
        canary__say(say, scene->rollout->flag);
    } else if ((reasons & CANARY_KILL_ENVIRONMENT) != 0) {
        canary__say(say, "CANARY_KILL in the environment");
    } else {
        canary__say(say, (reasons & CANARY_KILL_BELL) != 0 ? "damaged bell" : "unknown");
    }
    canary__say(say, "), everybody gets the old path and nothing is judged");
    next(say, verdict, "status");
}

static void comma(struct canary__say *say, int *some) {
    canary__say(say, *some ? ", " : "");
    *some = 1;
}

static void unsound(struct canary__say *say, const struct canary__scene *scene,
                    const canary_verdict *verdict) {
    int some = 0;

    canary__say(say, "our own data is in doubt: ");
    if (scene->damaged != 0) {
        comma(say, &some);
        canary__say_count(say, scene->damaged);
        canary__say(say, scene->damaged == 1 ? " damaged row of figures was skipped"
                                             : " damaged rows of figures were skipped");
    }
    if (scene->dropped != 0) {
        comma(say, &some);
        canary__say_count(say, (double)scene->dropped);
        canary__say(say, scene->dropped == 1 ? " outcome was lost" : " outcomes were lost");
    }
    if (scene->clock != 0) {
        comma(say, &some);
        canary__say(say, "there are figures or changes from the future, so a clock jumped");
    }
    if (scene->rollout->doubt != 0) {
        comma(say, &some);
        canary__say(say, "the rollout's state was changed outside or is not recorded yet");
    }
    next(say, verdict, scene->rollout->doubt != 0 ? "verify" : "doctor");
}

static void no_traffic(struct canary__say *say, const struct canary_policy *policy,
                       const canary_verdict *verdict) {
    canary__say(say, "nothing was recorded of the new cohort for longer than ");
    if (policy != NULL) {
        canary__say_span(say, policy->grace_ns);
    } else {
        canary__say(say, "the grace");
    }
    next(say, verdict, "metrics --window 1h");
}

static void mismatch(struct canary__say *say, const struct canary__scene *scene,
                     const canary_verdict *verdict) {
    double all = scene->users_new + scene->users_old;

    canary__say(say, "users are not divided as the percentage says: of ");
    canary__say_count(say, all);
    canary__say(say, " sampled users ");
    canary__say_count(say, scene->users_new);
    canary__say(say, " got the new path, ");
    canary__say_percent(say, scene->users_new / all, (double)verdict->percentage_bp / 10000);
    canary__say(say, " instead of ");
    canary__say_bp(say, verdict->percentage_bp);
    canary__say(say, ", which chance does not explain; outcomes are recorded for one cohort only, "
                     "or a process does not follow");
    next(say, verdict, "status");
}

static void dwell(struct canary__say *say, const struct canary_policy *policy,
                  const struct canary__scene *scene, const canary_verdict *verdict) {
    canary__say_between(say, scene->now_ns, verdict->ready_at_ns);
    canary__say(say, " are left of the stage's ");
    canary__say_span(say, canary__policy_dwell(policy, scene->rollout, verdict->stage));
}

static void cooldown(struct canary__say *say, const struct canary__scene *scene,
                     const canary_verdict *verdict) {
    int opened = scene->last_opened_ns > scene->last_rollback_ns;

    canary__say(say, "all that is required is shown, but a ");
    canary__say(say, opened ? "circuit breaker opened " : "rollback was ");
    canary__say_between(say, opened ? scene->last_opened_ns : scene->last_rollback_ns,
                        scene->now_ns);
    canary__say(say, " ago; the cooldown ends in ");
    canary__say_between(say, scene->now_ns, verdict->ready_at_ns);
}

/* What was shown, and the best of it with figures. */
static void shown(struct canary__say *say, const canary_verdict *verdict) {
    uint32_t met = count(verdict, CANARY_RULE_REQUIRE, CANARY_STATE_MET);
    uint32_t warnings = count(verdict, CANARY_RULE_WARN, CANARY_STATE_FIRING);
    const canary_rule_result *best = NULL;

    canary__say(say, "no rule rolls back or holds");
    if (met > 0) {
        canary__say(say, ", and what is required is shown (");
        canary__say_count(say, met);
        canary__say(say, met == 1 ? " rule)" : " rules)");
    }
    if (warnings > 0) {
        canary__say(say, ", ");
        canary__say_count(say, warnings);
        canary__say(say, warnings == 1 ? " rule warns" : " rules warn");
    }
    for (uint32_t i = 0; i < verdict->rule_count; i++) {
        const canary_rule_result *result = &verdict->rules[i];

        if (result->action == CANARY_RULE_REQUIRE && result->state == CANARY_STATE_MET &&
            (best == NULL || result->proof > best->proof)) {
            best = result;
        }
    }
    if (best != NULL) {
        canary__say(say, "; ");
        canary__say(say, best->message);
    }
}

static void harm(struct canary__say *say, const canary_verdict *verdict) {
    rule(say, verdict);
    if (verdict->action == CANARY_VERDICT_HOLD) {
        canary__say(say, "; not believed, as the two halves of the old cohort differ by the same "
                         "test: give the policy a larger \"design_effect\"");
        next(say, verdict, "metrics");
    } else if (verdict->mode == CANARY_MODE_OBSERVE) {
        next(say, verdict, "rollback --stage ");
        canary__say_count(say, verdict->to_stage);
    }
}

static void advance(struct canary__say *say, const canary_verdict *verdict) {
    shown(say, verdict);
    if (verdict->mode == CANARY_MODE_OBSERVE) {
        next(say, verdict, "advance");
    }
}

static void because(struct canary__say *say, const struct canary_policy *policy,
                    const struct canary__scene *scene, const canary_verdict *verdict) {
    switch (verdict->cause) {
    case CANARY_CAUSE_KILLED:
        killed(say, scene, verdict);
        break;
    case CANARY_CAUSE_CLOSED:
        canary__say(say, "nobody gets the new path, and a person begins");
        next(say, verdict, "advance");
        break;
    case CANARY_CAUSE_FROZEN:
        canary__say(say, "the policy is frozen, so nobody acts");
        if (count(verdict, CANARY_RULE_ROLLBACK, CANARY_STATE_FIRING) > 0) {
            canary__say(say, ", though ");
            canary__say_count(say, count(verdict, CANARY_RULE_ROLLBACK, CANARY_STATE_FIRING));
            canary__say(say, " of its rules would roll back");
            next(say, verdict, "rollback");
        } else {
            next(say, verdict, "policy show");
        }
        break;
    case CANARY_CAUSE_DATA:
        unsound(say, scene, verdict);
        break;
    case CANARY_CAUSE_LIMIT:
    case CANARY_CAUSE_EVIDENCE:
        harm(say, verdict);
        break;
    case CANARY_CAUSE_NO_TRAFFIC:
        no_traffic(say, policy, verdict);
        break;
    case CANARY_CAUSE_MISMATCH:
        mismatch(say, scene, verdict);
        break;
    case CANARY_CAUSE_GENERATION:
        canary__say(say, "what is known belongs to another percentage; it is judged anew");
        break;
    case CANARY_CAUSE_SAMPLES:
        rule(say, verdict);
        missing(say, policy, scene, verdict);
        others(say, verdict);
        break;
    case CANARY_CAUSE_DWELL:
        dwell(say, policy, scene, verdict);
        break;
    case CANARY_CAUSE_RULE:
    case CANARY_CAUSE_REQUIRE:
        rule(say, verdict);
        missing(say, policy, scene, verdict);
        break;
    case CANARY_CAUSE_APPROVAL:
        canary__say(say, "waits for a person, ");
        shown(say, verdict);
        next(say, verdict, "approve --note WHY");
        break;
    case CANARY_CAUSE_COOLDOWN:
        cooldown(say, scene, verdict);
        break;
    case CANARY_CAUSE_ATTEMPTS:
        canary__say(say, "guards rolled back ");
        canary__say_count(say, scene->guard_rollbacks);
        canary__say(say, scene->guard_rollbacks == 1 ? " time" : " times");
        canary__say(say, ", as often as the policy allows; setting it again counts anew");
        next(say, verdict, "policy set FILE");
        break;
    case CANARY_CAUSE_COMPLETE:
        canary__say(say, "the top of the ladder, and nothing is wrong");
        break;
    case CANARY_CAUSE_PROVEN:
        advance(say, verdict);
        break;
    case CANARY_CAUSE_ERROR:
        canary__say(say, "the store could not be read, and what was known is kept");
        next(say, verdict, "doctor");
        break;
    default:
        canary__say(say, "no policy is in force");
        next(say, verdict, "policy set FILE");
    }
}

void canary__gate_message(const struct canary_policy *policy, const struct canary__scene *scene,
                          canary_verdict *verdict) {
    struct canary__say say = canary__say_into(verdict->message, sizeof verdict->message);

    head(&say, verdict);
    because(&say, policy, scene, verdict);
}
