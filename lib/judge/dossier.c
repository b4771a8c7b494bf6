/* SPDX-License-Identifier: MIT */
#include "judge/dossier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dossier_room.h"
#include "judge/fail.h"

/* Somebody else may write the state between our reading and writing; each of them gets on. */
enum { ATTEMPTS = 3 };

/* The end of the last tick that may be taken at `now_ns`. */
static int64_t settled(int64_t now_ns) {
    int64_t end = now_ns - CANARY__SETTLE_NS;

    return end <= 0 ? 0 : end - end % CANARY_TICK_NS;
}

static void forget_asked(struct canary__dossier *dossier) {
    for (uint32_t i = 0; i < CANARY_POLICY_RULES_MAX; i++) {
        dossier->quantiles[i] = (struct canary__asked){ .values = { NAN, NAN } };
        dossier->baselines[i] = (struct canary__asked){ .values = { NAN, NAN } };
    }
}

void canary__dossier_forget(struct canary__dossier *dossier) {
    if (dossier->state_open) {
        canary__state_close(&dossier->state);
    }
    memset(&dossier->state, 0, sizeof dossier->state);
    dossier->state_open = 0;
    dossier->state_new = 0;
    dossier->state_version = 0;
    dossier->windows = 0;
    dossier->foreign = 0;
    dossier->behind = 0;
    dossier->kept.known = 0;
    forget_asked(dossier);
}

int canary__dossier_open(canary_store *store, const char *rollout, struct canary__dossier **out,
                         canary_error *error) {
    struct canary__dossier *dossier = calloc(1, sizeof *dossier);

    if (dossier == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a rollout's dossier");
    }
    dossier->store = store;
    snprintf(dossier->rollout, sizeof dossier->rollout, "%s", rollout);
    forget_asked(dossier);
    *out = dossier;
    return CANARY_OK;
}

void canary__dossier_close(struct canary__dossier **dossier) {
    if (dossier != NULL && *dossier != NULL) {
        canary__dossier_forget(*dossier);
        canary_policy_close(&(*dossier)->policy);
        free(*dossier);
        *dossier = NULL;
    }
}

/* -- looking -- */

static int read_rollout(struct canary__dossier *dossier, canary_error *error) {
    canary_rollout now = { .size = (uint32_t)sizeof now };
    int code = canary_rollout_read(dossier->store, dossier->rollout, &now, error);

    if (code == CANARY_OK) {
        dossier->seen = now;
        dossier->seen_known = 1;
    }
    return code;
}

/* By the digest in the rollout, so that both are of one moment. */
static int read_policy(struct canary__dossier *dossier, canary_error *error) {
    const char *digest = dossier->seen.policy;
    int code;

    if (dossier->policy != NULL && strcmp(dossier->policy->digest, digest) == 0) {
        return CANARY_OK;
    }
    canary__dossier_forget(dossier);
    dossier->trail.revision = 0;
    canary_policy_close(&dossier->policy);
    if (digest[0] == '\0') {
        return CANARY_OK;
    }
    code = canary_policy_load(dossier->store, dossier->rollout, digest, &dossier->policy, error);
    /* The rollout is there: what is missing is the text that its row names. */
    return code == CANARY_E_NOT_FOUND
               ? canary__judge_fail(error, CANARY_E_TAMPERED,
                                    "the trail has no policy %.16s..., which "
                                    "rollout \"%s\" names",
                                    digest, dossier->rollout)
               : code;
}

/* Rollout, policy and state of one moment. Whose state is of a later percentage than we saw was quicker:
 * all is read again, since the policy may be another one, too. */
static int read_all(struct canary__dossier *dossier, int64_t now_ns, canary_error *error) {
    int code = CANARY_OK;

    for (int attempt = 0; attempt < ATTEMPTS && code == CANARY_OK; attempt++) {
        code = read_rollout(dossier, error);
        if (code == CANARY_OK) {
            code = read_policy(dossier, error);
        }
        if (code != CANARY_OK || dossier->policy == NULL) {
            return code;
        }
        if (!dossier->state_open) {
            code = canary__dossier_load(dossier, now_ns, error);
        }
        if (dossier->state.generation <= dossier->seen.generation) {
            break;
        }
    }
    return code;
}

/* How long the stage will last, which evidence of late harm is laid out for: its time; where somebody has to
 * approve what follows, until he comes, which is a day rather than the minutes that the stage takes. */
static int64_t planned(const struct canary__dossier *dossier) {
    const canary_rollout *seen = &dossier->seen;
    int64_t dwell = canary__policy_dwell(dossier->policy, seen, canary__gate_stage(seen));

    return dossier->policy->mode != CANARY_MODE_AUTO && dwell < CANARY__DAY_NS ? CANARY__DAY_NS
                                                                               : dwell;
}

/* Generations are compared by their time, too: in a store that was put back from a copy revisions are
 * counted anew, and one of the same number was another percentage. */
static void follow_generation(struct canary__dossier *dossier, int64_t now_ns) {
    struct canary__state *state = &dossier->state;
    const canary_rollout *seen = &dossier->seen;

    if (state->generation != seen->generation ||
        state->generation_at_ns != seen->generation_at_ns) {
        /* Who judged by a clock that was ahead left ticks closed that have not come. A new generation
         * cannot count anything twice, and is the way out of it. */
        if (state->through_ns > now_ns + CANARY_TICK_NS) {
            state->through_ns = 0;
        }
        if (state->generation != 0) {
            dossier->trouble = (struct canary__trouble){ 0 };
        }
        canary__state_begin(state, seen->generation, seen->generation_at_ns, planned(dossier));
        dossier->state_new = 1;
        forget_asked(dossier);
    }
}

static int look(struct canary__dossier *dossier, int64_t now_ns, canary_error *error) {
    int64_t until_ns = settled(now_ns);
    int code;

    if (dossier->behind) {
        canary__dossier_forget(dossier); /* windows are not those of the state */
    }
    code = read_all(dossier, now_ns, error);
    if (code != CANARY_OK || dossier->policy == NULL) {
        return code;
    }
    follow_generation(dossier, now_ns);
    code = canary__dossier_feed(dossier, now_ns, until_ns, error);
    if (code != CANARY_OK && !dossier->windows) {
        canary__dossier_forget(dossier); /* windows are half full */
    }
    if (code == CANARY_OK) {
        code = canary__dossier_trail(dossier, now_ns, error);
    }
    if (code == CANARY_OK) {
        code = canary__dossier_breakers(dossier, now_ns, error);
    }
    if (code == CANARY_OK) {
        code = canary__dossier_users(dossier, until_ns, error);
    }
    if (code == CANARY_OK) {
        code = canary__dossier_quantiles(dossier, until_ns, error);
    }
    return code;
}

/* -- judging -- */

static int clock_is_wrong(const struct canary__dossier *dossier, int64_t now_ns) {
    int64_t limit = now_ns + CANARY__JUDGE_AHEAD_NS;
    const canary_rollout *seen = &dossier->seen;

    return dossier->state.through_ns > now_ns + CANARY_TICK_NS ||
           dossier->trouble.ahead_ns > limit || seen->updated_at_ns > limit ||
           seen->generation_at_ns > limit || seen->flag_updated_at_ns > limit;
}

static void set_scene(struct canary__dossier *dossier, int64_t now_ns,
                      struct canary__scene *scene) {
    struct canary__trouble *trouble = &dossier->trouble;
    const canary_exposure *exposure = &dossier->exposure;

    if (now_ns < trouble->at_ns || now_ns - trouble->at_ns > CANARY__HOUR_NS) {
        trouble->damaged = 0;
        trouble->dropped = 0;
    }
    *scene = (struct canary__scene){
        .now_ns = now_ns,
        .rollout = &dossier->seen,
        .last_rollback_ns = dossier->trail.last_rollback_ns,
        .last_opened_ns = dossier->opened_ns,
        .guard_rollbacks = dossier->trail.guard_rollbacks,
        .approved = dossier->trail.approved,
        .approved_by_change = dossier->trail.approved_by_change,
        .damaged = trouble->damaged + exposure->damaged,
        .clock = (uint32_t)clock_is_wrong(dossier, now_ns),
        .dropped = trouble->dropped,
        .users_new = (double)exposure->sampled[CANARY_NEW],
        .users_old = (double)exposure->sampled[CANARY_OLD],
        .estimated_new = exposure->users[CANARY_NEW],
        .estimated_old = exposure->users[CANARY_OLD],
    };
}

/* Values of quantiles are read by people; the rules were judged by exact shares. */
static void put_quantiles(struct canary__dossier *dossier, const struct canary__scene *scene) {
    int decided = 0;

    for (uint32_t i = 0; i < dossier->verdict.rule_count; i++) {
        const struct canary__rule *rule = &dossier->policy->rules[i];
        const struct canary__asked *asked = &dossier->quantiles[i];
        canary_rule_result *result = &dossier->results[i];

        if (asked->at_ns == 0 || rule->statistic != CANARY_STATISTIC_QUANTILE) {
            continue;
        }
        result->value = asked->values[rule->cohort];
        if (rule->against == CANARY_AGAINST_BASELINE) {
            result->reference = dossier->baselines[i].values[CANARY_OLD];
        } else {
            result->reference = asked->values[CANARY_OLD];
        }
        result->ratio = result->value / result->reference;
        canary__gate_rule_message(result);
        decided |= dossier->verdict.rule == (int32_t)i;
    }
    if (decided) {
        canary__gate_message(dossier->policy, scene, &dossier->verdict);
    }
}

static void judge(struct canary__dossier *dossier, int64_t now_ns) {
    struct canary__scene scene;

    set_scene(dossier, now_ns, &scene);
    canary__gate(dossier->policy, &dossier->state, &scene, &dossier->verdict, dossier->results);
    if (dossier->policy != NULL) {
        put_quantiles(dossier, &scene);
    }
}

/* In doubt nothing is raised, and nothing is known that would lower. */
static void fail_verdict(struct canary__dossier *dossier, int64_t now_ns,
                         const canary_error *error) {
    const canary_rollout *seen = &dossier->seen;
    canary_verdict *verdict = &dossier->verdict;

    memset(verdict, 0, sizeof *verdict);
    verdict->size = (uint32_t)sizeof *verdict;
    verdict->action = CANARY_VERDICT_HOLD;
    verdict->cause = CANARY_CAUSE_ERROR;
    verdict->risk = CANARY_RISK_MEDIUM;
    verdict->rule = -1;
    verdict->at_ns = now_ns;
    verdict->mode = CANARY_MODE_OBSERVE;
    verdict->mismatch = NAN;
    verdict->users_new = NAN;
    verdict->users_old = NAN;
    verdict->rules = dossier->results;
    snprintf(verdict->rollout, sizeof verdict->rollout, "%s", dossier->rollout);
    if (dossier->seen_known) {
        verdict->stage = verdict->to_stage = seen->stage;
        verdict->percentage_bp = verdict->to_percentage_bp = seen->percentage_bp;
        verdict->revision = seen->revision;
        verdict->generation = seen->generation;
        snprintf(verdict->stage_name, sizeof verdict->stage_name, "%s", seen->stage_name);
        snprintf(verdict->policy, sizeof verdict->policy, "%s", seen->policy);
    }
    if (dossier->policy != NULL) {
        verdict->mode = dossier->policy->mode;
        verdict->through_ns = dossier->state.through_ns;
        snprintf(verdict->policy_name, sizeof verdict->policy_name, "%s", dossier->policy->name);
    }
    snprintf(verdict->message, sizeof verdict->message,
             "hold: the store could not be read, so nothing is judged and what was known stays: "
             "%.350s (%s)",
             error->message, canary_error_name(error->code));
}

int canary__dossier_judge(struct canary__dossier *dossier, int keep, const canary_verdict **verdict,
                          canary_error *error) {
    canary_error own = CANARY_ERROR_INIT;
    int64_t now_ns = canary_store_now(dossier->store, CANARY_CLOCK_REALTIME);
    int judged = 0;
    int code = CANARY_OK;

    *verdict = NULL;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        code = look(dossier, now_ns, &own);
        if (code != CANARY_OK) {
            break;
        }
        judge(dossier, now_ns);
        judged = 1;
        if (!keep || dossier->policy == NULL) {
            break;
        }
        code = canary__dossier_keep(dossier, now_ns, &own);
        if (code != CANARY_E_CONFLICT) {
            break;
        }
        canary__dossier_forget(dossier);
        code = CANARY_OK; /* whoever wrote has kept as much */
    }
    if (code == CANARY_E_NOT_FOUND && !dossier->seen_known) {
        return canary__judge_pass(error, code, &own);
    }
    /* Harm that was found is told though it could not be written down; an advance is not. */
    if (code != CANARY_OK && (!judged || dossier->verdict.action != CANARY_VERDICT_ROLLBACK)) {
        fail_verdict(dossier, now_ns, &own);
    }
    *verdict = &dossier->verdict;
    return code == CANARY_OK ? code : canary__judge_pass(error, code, &own);
}
