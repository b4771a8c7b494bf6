/* SPDX-License-Identifier: MIT */
/* The order in which everything that speaks against more exposure is asked. The first that has
 * something to say decides; only when none has, the verdict is ADVANCE.
 *
 * Where the last ones stand, and why:
 * - Damaged, lost or doubtful figures silence rules that compare two cohorts, as what is missing may be
 *   missing from one of them only. A limit rests on one cohort's figures: what is known of them and
 *   breaks it, breaks it.
 * - At the top of the ladder nothing can be advanced, so that what an advance needs (samples, required
 *   rules, cooldown, attempts, approval) is not asked there; at 100 % a comparison with the old cohort
 *   could never be answered. What is wrong, and the stage's time, still come before COMPLETE.
 * - Attempts and cooldown come behind the evidence and before the approval: they bind guards, not people,
 *   and nobody is to be asked to approve what a guard would then not do. Attempts come first, as
 *   they do not pass by themselves, and the cooldown's end would be a false promise.
 * - A rollback or hold rule that is pending does not act yet, but nothing is raised meanwhile: it holds in
 *   the place of hold rules. One that is unknown is never taken for clear. */
#include "judge/gate.h"

#include <math.h>
#include <string.h>

#include "judge/gate_missing.h"
#include "judge/say.h"
#include "judge/srm.h"

/* From here on W counts for the risk level. */
static const double w_of_concern = 5;

/* Figures are known so long after their time: a tick, and the time that it is given to settle. */
#define LAG_NS (CANARY_TICK_NS + CANARY__SETTLE_NS)

struct gate {
    const struct canary_policy *policy;
    const struct canary__state *state;
    const struct canary__scene *scene;
    canary_verdict *verdict;
    const canary_rule_result *results;
    int stage; /* whose rules apply */
    int top;
    int unsound;   /* our own data */
    int hushed;    /* so that rules that compare are not believed */
    int disbelief; /* halves of the old cohort differ */
};

/* Any two times: what was read from a store may be any number. */
static int64_t after(int64_t from, int64_t to) {
    int64_t span;

    if (__builtin_sub_overflow(to, from, &span)) {
        return to > from ? INT64_MAX : INT64_MIN;
    }
    return span;
}

static int64_t later(int64_t at, int64_t span) {
    int64_t sum;

    return __builtin_add_overflow(at, span, &sum) ? INT64_MAX : sum;
}

static int rungs(const canary_rollout *rollout) {
    return rollout->stage_count < CANARY_STAGES_MAX ? (int)rollout->stage_count : CANARY_STAGES_MAX;
}

int canary__gate_stage(const canary_rollout *rollout) {
    return rollout->stage < 1 && rollout->percentage_bp > 0 ? 1 : rollout->stage;
}

int64_t canary__gate_since(const canary_rollout *rollout) {
    return rollout->flag_updated_at_ns > rollout->generation_at_ns ? rollout->flag_updated_at_ns
                                                                   : rollout->generation_at_ns;
}

/* The lowest rung above the percentage; -1 at the top. */
static int rung_above(const canary_rollout *rollout) {
    for (int i = 0; i < rungs(rollout); i++) {
        if (rollout->stages_bp[i] > rollout->percentage_bp) {
            return i;
        }
    }
    return -1;
}

/* The highest rung below the percentage: one down. Between two rungs that is the lower of them. */
static int rung_below(const canary_rollout *rollout) {
    int below = 0;

    for (int i = 0; i < rungs(rollout); i++) {
        if (rollout->stages_bp[i] < rollout->percentage_bp) {
            below = i;
        }
    }
    return below;
}

/* Where a rule's rollback leads: never up, and never nowhere. A rule that names a stage that is not
 * below the present percentage leads one down, which is 0 from the first. */
static int rollback_stage(const canary_rollout *rollout, int asked) {
    if (asked >= 0 && asked < rungs(rollout) &&
        rollout->stages_bp[asked] < rollout->percentage_bp) {
        return asked;
    }
    return rung_below(rollout);
}

static int applies(const struct gate *gate, uint32_t i) {
    return gate->stage >= 0 && gate->stage < 32 &&
           (gate->policy->rules[i].stages >> gate->stage & 1) != 0;
}

/* The most urgent rule of an action in a state, the first among equals; -1. `pick` may refuse one. */
static int most_urgent(const struct gate *gate, int action, int state,
                       int (*pick)(const struct gate *, const canary_rule_result *)) {
    int found = -1;

    for (uint32_t i = 0; i < gate->policy->rule_count; i++) {
        const canary_rule_result *result = &gate->results[i];

        if (result->action == action && result->state == state && applies(gate, i) &&
            (pick == NULL || pick(gate, result)) &&
            (found < 0 || result->urgency > gate->results[found].urgency)) {
            found = (int)i;
        }
    }
    return found;
}

static int hold(struct gate *gate, int cause, int rule, int64_t ready_at_ns) {
    gate->verdict->action = CANARY_VERDICT_HOLD;
    gate->verdict->cause = cause;
    gate->verdict->rule = rule;
    gate->verdict->ready_at_ns = ready_at_ns > 0 ? ready_at_ns : 0;
    return 1;
}

static void move(struct gate *gate, int action, int cause, int rule, int to_stage) {
    gate->verdict->action = action;
    gate->verdict->cause = cause;
    gate->verdict->rule = rule;
    gate->verdict->to_stage = to_stage;
    gate->verdict->to_percentage_bp = gate->scene->rollout->stages_bp[to_stage];
}

/* Steps 1 and 2: nothing to judge, or nobody acts. */
static int is_out_of_force(struct gate *gate) {
    const canary_rollout *rollout = gate->scene->rollout;

    if (rollout->kill_reasons != 0) {
        return hold(gate, CANARY_CAUSE_KILLED, -1, 0);
    }
    if (gate->policy->frozen != 0) {
        return hold(gate, CANARY_CAUSE_FROZEN, -1, 0);
    }
    if (rollout->percentage_bp == 0) {
        return hold(gate, CANARY_CAUSE_CLOSED, -1, 0);
    }
    return 0;
}

static int is_believed(const struct gate *gate, const canary_rule_result *result) {
    return (!gate->hushed || result->against == CANARY_AGAINST_LIMIT) &&
           (!gate->disbelief || result->proof != CANARY_PROOF_EVIDENCE);
}

/* Steps 2 to 4: harm, and figures that cannot tell. */
static int is_harmful(struct gate *gate) {
    int rule = most_urgent(gate, CANARY_RULE_ROLLBACK, CANARY_STATE_FIRING, is_believed);

    if (rule >= 0) {
        const canary_rule_result *result = &gate->results[rule];

        move(gate, CANARY_VERDICT_ROLLBACK,
             result->proof == CANARY_PROOF_EVIDENCE ? CANARY_CAUSE_EVIDENCE : CANARY_CAUSE_LIMIT,
             rule, rollback_stage(gate->scene->rollout, result->to_stage));
        return 1;
    }
    if (gate->unsound) {
        return hold(gate, CANARY_CAUSE_DATA, -1, 0);
    }
    rule = most_urgent(gate, CANARY_RULE_ROLLBACK, CANARY_STATE_FIRING, NULL);
    return rule >= 0 ? hold(gate, CANARY_CAUSE_EVIDENCE, rule, 0) : 0;
}

/* Steps 5 to 7: what is known may not be what it seems. */
static int is_questionable(struct gate *gate) {
    const canary_rollout *rollout = gate->scene->rollout;
    int64_t last = gate->state->traffic_ns > rollout->generation_at_ns ? gate->state->traffic_ns
                                                                       : rollout->generation_at_ns;

    if (after(later(last, LAG_NS), gate->scene->now_ns) > gate->policy->grace_ns) {
        return hold(gate, CANARY_CAUSE_NO_TRAFFIC, -1, 0);
    }
    if (gate->policy->check_ratio != 0 && gate->verdict->mismatch >= log(CANARY__JUDGE_SRM_ALERT)) {
        return hold(gate, CANARY_CAUSE_MISMATCH, -1, 0);
    }
    if (gate->state->generation != rollout->generation) {
        return hold(gate, CANARY_CAUSE_GENERATION, -1, 0);
    }
    return 0;
}

/* All but the states that an action can have. */
static int is_unknown(const canary_rule_result *result) {
    switch (result->state) {
    case CANARY_STATE_CLEAR:
    case CANARY_STATE_PENDING:
    case CANARY_STATE_FIRING:
        return 0;
    case CANARY_STATE_MET:
    case CANARY_STATE_UNMET:
        return result->action != CANARY_RULE_REQUIRE;
    default:
        return 1;
    }
}

static int is_unmet(const canary_rule_result *result) {
    return result->action == CANARY_RULE_REQUIRE && result->state != CANARY_STATE_MET;
}

/* Of all rules that lack something, the one that is ready last: what the others lack is there before. */
static int slowest(const struct gate *gate, int (*lacks)(const canary_rule_result *),
                   int64_t *ready_at_ns) {
    int found = -1;

    for (uint32_t i = 0; i < gate->policy->rule_count; i++) {
        struct canary__missing missing;

        if (gate->results[i].action == CANARY_RULE_WARN || !applies(gate, i) ||
            !lacks(&gate->results[i])) {
            continue;
        }
        canary__gate_missing(&gate->policy->rules[i], &gate->results[i], gate->scene,
                             gate->verdict->through_ns, &missing);
        if (found < 0 || (*ready_at_ns != 0 &&
                          (missing.ready_at_ns == 0 || missing.ready_at_ns > *ready_at_ns))) {
            found = (int)i;
            *ready_at_ns = missing.ready_at_ns;
        }
    }
    return found;
}

/* Steps 8 to 11: what an advance needs. */
static int is_lacking(struct gate *gate) {
    const canary_rollout *rollout = gate->scene->rollout;
    int64_t ready_at_ns = 0;
    int64_t since = canary__gate_since(rollout);
    int64_t dwell = later(canary__policy_dwell(gate->policy, rollout, gate->stage),
                          since > rollout->generation_at_ns ? 0 : gate->state->silent_ns);
    int rule = gate->top ? -1 : slowest(gate, is_unknown, &ready_at_ns);

    if (rule >= 0) {
        return hold(gate, CANARY_CAUSE_SAMPLES, rule, ready_at_ns);
    }
    if (after(since, gate->scene->now_ns) < dwell) {
        return hold(gate, CANARY_CAUSE_DWELL, -1, later(since, dwell));
    }
    for (int state = CANARY_STATE_FIRING; state >= CANARY_STATE_PENDING; state--) {
        static const int actions[] = { CANARY_RULE_ROLLBACK, CANARY_RULE_HOLD };

        for (int i = 0; i < 2; i++) {
            rule = most_urgent(gate, actions[i], state, NULL);
            if (rule >= 0) {
                return hold(gate, CANARY_CAUSE_RULE, rule, 0);
            }
        }
    }
    rule = gate->top ? -1 : slowest(gate, is_unmet, &ready_at_ns);
    return rule >= 0 ? hold(gate, CANARY_CAUSE_REQUIRE, rule, ready_at_ns) : 0;
}

/* Step 12 and what binds guards. */
static int is_to_wait(struct gate *gate) {
    const struct canary_policy *policy = gate->policy;
    const struct canary__scene *scene = gate->scene;
    /* A breaker takes users back as a rollback does, and with them the outcomes that would tell. */
    int64_t last = scene->last_rollback_ns > scene->last_opened_ns ? scene->last_rollback_ns
                                                                   : scene->last_opened_ns;

    if (gate->top) {
        return hold(gate, CANARY_CAUSE_COMPLETE, -1, 0);
    }
    if (policy->attempts > 0 && scene->guard_rollbacks >= policy->attempts) {
        return hold(gate, CANARY_CAUSE_ATTEMPTS, -1, 0);
    }
    if (last != 0 && after(last, scene->now_ns) < policy->cooldown_ns) {
        return hold(gate, CANARY_CAUSE_COOLDOWN, -1, later(last, policy->cooldown_ns));
    }
    /* In the mode observe a verdict tells what there was to do; a guard does not do it. */
    if (policy->mode != CANARY_MODE_AUTO && policy->mode != CANARY_MODE_OBSERVE &&
        scene->approved == 0) {
        return hold(gate, CANARY_CAUSE_APPROVAL, -1, 0);
    }
    return 0;
}

/* Who looks at it wants to know how near a rollback is, whatever else holds. */
static int risk_of(const struct gate *gate) {
    const canary_verdict *verdict = gate->verdict;
    int risk = CANARY_RISK_LOW;

    for (uint32_t i = 0; gate->policy != NULL && i < gate->policy->rule_count; i++) {
        const canary_rule_result *result = &gate->results[i];

        if (result->action != CANARY_RULE_ROLLBACK || !applies(gate, i)) {
            continue;
        }
        if (result->state == CANARY_STATE_FIRING ||
            (result->state == CANARY_STATE_PENDING && result->urgency == CANARY_URGENCY_CRITICAL)) {
            return CANARY_RISK_CRITICAL;
        }
        if (result->state == CANARY_STATE_PENDING || result->ln_w >= log(w_of_concern)) {
            risk = CANARY_RISK_HIGH;
        }
    }
    if (gate->state != NULL && gate->policy != NULL &&
        canary__state_highest(gate->state, gate->policy) >= log(w_of_concern)) {
        risk = CANARY_RISK_HIGH;
    }
    if (risk == CANARY_RISK_LOW && verdict->action == CANARY_VERDICT_HOLD &&
        verdict->cause != CANARY_CAUSE_COMPLETE && verdict->cause != CANARY_CAUSE_APPROVAL &&
        verdict->cause != CANARY_CAUSE_CLOSED) {
        risk = CANARY_RISK_MEDIUM;
    }
    return verdict->action == CANARY_VERDICT_ROLLBACK ? CANARY_RISK_CRITICAL : risk;
}

/* What a doubtful process proves is no reason to go on. */
static void disbelieve(canary_rule_result *result) {
    size_t size = strlen(result->message);
    struct canary__say say =
        canary__say_into(result->message + size, sizeof result->message - size);

    canary__say(&say,
                "; not believed, as the two halves of the old cohort differ by the same test: "
                "give the policy a larger \"design_effect\"");
    result->state = CANARY_STATE_UNMET;
}

/* Whether users are divided as asked. At 0 % and 100 % there is no ratio: one user elsewhere, a pin or a
 * process that follows late, would be proof of a mismatch. */
static double mismatch_of(const struct canary__scene *scene) {
    double theta = (double)scene->rollout->percentage_bp / 10000;
    double counts[2] = { scene->users_new, scene->users_old };
    double asked[2] = { theta, 1 - theta };

    if (!(theta > 0 && theta < 1) || !(counts[0] + counts[1] > 0)) {
        return NAN;
    }
    return canary__judge_mismatch(counts, asked, 2, CANARY__JUDGE_SRM_WEIGHT);
}

static void begin(const struct canary_policy *policy, const struct canary__state *state,
                  const struct canary__scene *scene, canary_verdict *verdict,
                  const canary_rule_result *results) {
    const canary_rollout *rollout = scene->rollout;

    memset(verdict, 0, sizeof *verdict);
    verdict->size = (uint32_t)sizeof *verdict;
    verdict->action = CANARY_VERDICT_HOLD;
    verdict->cause = CANARY_CAUSE_NO_POLICY;
    verdict->rule = -1;
    verdict->stage = rollout->stage;
    verdict->to_stage = rollout->stage;
    verdict->percentage_bp = rollout->percentage_bp;
    verdict->to_percentage_bp = rollout->percentage_bp;
    verdict->damaged = scene->damaged;
    verdict->revision = rollout->revision;
    verdict->generation = rollout->generation;
    verdict->at_ns = scene->now_ns;
    verdict->through_ns = state != NULL ? state->through_ns : 0;
    verdict->mismatch = mismatch_of(scene);
    verdict->users_new = isnan(scene->estimated_new) ? scene->users_new : scene->estimated_new;
    verdict->users_old = isnan(scene->estimated_old) ? scene->users_old : scene->estimated_old;
    verdict->rules = results;
    memcpy(verdict->rollout, rollout->name, sizeof verdict->rollout);
    memcpy(verdict->stage_name, rollout->stage_name, sizeof verdict->stage_name);
    if (policy != NULL) {
        verdict->rule_count = policy->rule_count;
        verdict->mode = policy->mode;
        memcpy(verdict->policy, policy->digest, sizeof verdict->policy);
        memcpy(verdict->policy_name, policy->name, sizeof verdict->policy_name);
    }
}

void canary__gate(const struct canary_policy *policy, const struct canary__state *state,
                  const struct canary__scene *scene, canary_verdict *out,
                  canary_rule_result *results) {
    struct gate gate = {
        .policy = policy, .state = state, .scene = scene, .verdict = out, .results = results
    };
    const canary_rollout *rollout = scene->rollout;

    begin(policy, state, scene, out, results);
    if (policy == NULL || state == NULL) {
        out->risk = CANARY_RISK_MEDIUM;
        canary__gate_message(policy, scene, out);
        return;
    }
    gate.stage = canary__gate_stage(rollout);
    gate.top = rung_above(rollout) < 0;
    gate.unsound =
        scene->damaged != 0 || scene->dropped != 0 || scene->clock != 0 || rollout->doubt != 0;
    /* A rollback that was rung and not recorded, as by a guard that died between the two, says nothing
     * against the figures: the same harm makes the next one record it. */
    gate.hushed = scene->damaged != 0 || scene->dropped != 0 || scene->clock != 0 ||
                  (rollout->doubt & ~CANARY_DOUBT_ROLLBACK) != 0;
    /* It tests the measured design effect; whoever gives another one knows the traffic. */
    gate.disbelief = policy->design_effect == 0 && canary__state_self_test(state, (char[64]){ 0 });
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        canary_rule_result *result = &results[i];

        canary__state_result(state, policy, i, result);
        canary__gate_rule_message(result);
        if (gate.disbelief && result->action == CANARY_RULE_REQUIRE &&
            result->proof == CANARY_PROOF_EVIDENCE && result->state == CANARY_STATE_MET) {
            disbelieve(result);
        }
        if (!applies(&gate, i)) {
            static const char elsewhere[] = "not asked at this stage";

            memcpy(result->message, elsewhere, sizeof elsewhere);
        }
    }
    if (!is_out_of_force(&gate) && !is_harmful(&gate) && !is_questionable(&gate) &&
        !is_lacking(&gate) && !is_to_wait(&gate)) {
        move(&gate, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN, -1, rung_above(rollout));
    }
    out->risk = risk_of(&gate);
    canary__gate_message(policy, scene, out);
}
