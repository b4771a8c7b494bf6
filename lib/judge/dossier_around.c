/* SPDX-License-Identifier: MIT */
/* What surrounds the evidence: rollbacks and approvals in the trail, distinct users, baselines, and the
 * quantiles that people read. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dossier_room.h"
#include "judge/fail.h"

/* A baseline may be captured anew at any time; it is looked for again after this. */
#define BASELINE_NS (5 * CANARY__MINUTE_NS)
/* A quantile over a long window changes slowly, and takes long to read. */
#define QUANTILE_SHARE 60
#define QUANTILE_MOST_NS CANARY__HOUR_NS

/* -- the trail -- */

enum {
    GUARD_ROWS = 256
}; /* rollbacks whose evidence is looked at; more than any limit of attempts */

struct trail_reading {
    struct canary__trail out;
    const canary_rollout *rollout;
    int64_t since_ns; /* older rollbacks are of no concern */
    int withdrawn;    /* somebody decided otherwise after any approval */
    uint32_t count;
    uint64_t rollbacks[GUARD_ROWS]; /* ids, since the policy was set, not surely by a guard */
};

static int take_change(void *user_data, const canary_change *change) {
    struct trail_reading *reading = user_data;
    const canary_rollout *rollout = reading->rollout;
    struct canary__trail *out = &reading->out;
    int rollback = strcmp(change->action, "rollback") == 0 ||
                   change->to_percentage_bp < change->from_percentage_bp;

    if (change->revision > rollout->revision) {
        return 0; /* came after what is judged */
    }
    if (change->revision <= rollout->generation && change->revision <= rollout->policy_revision &&
        (out->last_rollback_ns != 0 || change->at_ns < reading->since_ns)) {
        return 1;
    }
    if (rollback && out->last_rollback_ns == 0) {
        out->last_rollback_ns = change->at_ns;
    }
    if (rollback && change->revision > rollout->policy_revision) {
        if (strncmp(change->by, "guard@", 6) == 0) {
            out->guard_rollbacks++;
        } else if (reading->count < GUARD_ROWS) {
            reading->rollbacks[reading->count++] = change->id;
        }
    }
    /* The last word counts: who writes HOLD after he approved does not mean "advance". */
    if (strcmp(change->action, "decision") == 0 && change->revision > rollout->generation &&
        (strncmp(change->note, "HOLD:", 5) == 0 || strncmp(change->note, "ROLLBACK:", 9) == 0)) {
        reading->withdrawn |= !out->approved;
    }
    if (!out->approved && !reading->withdrawn && strcmp(change->action, "approve") == 0 &&
        change->revision > rollout->generation) {
        out->approved = 1;
        out->approved_by_change = change->id;
    }
    return 0;
}

/* A guard may go by any name; what it did carries its verdict, which names it. */
static int is_by_guard(canary_store *store, uint64_t change, int *is, canary_error *error) {
    uint64_t size = 0;
    char *text;
    int code = canary_change_evidence(store, change, NULL, 0, &size, NULL);
    json_t *root;

    *is = 0;
    if (size == 0 || (code != CANARY_OK && code != CANARY_E_FULL)) {
        return CANARY_OK;
    }
    text = malloc((size_t)size + 1);
    if (text == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for evidence");
    }
    code = canary_change_evidence(store, change, text, size + 1, &size, error);
    if (code == CANARY_OK) {
        root = json_loadb(text, (size_t)size, 0, NULL);
        *is = json_is_string(json_object_get(root, "acted_by"));
        json_decref(root);
    }
    free(text);
    return code;
}

struct checking {
    uint64_t change;
    int edited;
};

static int take_finding(void *user_data, const canary_finding *finding) {
    struct checking *checking = user_data;

    checking->edited |= finding->change_id == checking->change;
    return checking->edited;
}

/* What was edited raises nothing: a row that became an approval by hand is none. */
static int check_approval(canary_store *store, struct canary__trail *trail, canary_error *error) {
    struct checking checking = { .change = trail->approved_by_change };
    canary_error own = CANARY_ERROR_INIT;
    int code = canary_verify(store, take_finding, &checking, NULL, &own);

    if (code != CANARY_OK && code != CANARY_E_TAMPERED) {
        return canary__judge_pass(error, code, &own);
    }
    if (checking.edited) {
        trail->approved = 0;
        trail->approved_by_change = 0;
    }
    return CANARY_OK;
}

int canary__dossier_trail(struct canary__dossier *dossier, int64_t now_ns, canary_error *error) {
    const canary_rollout *rollout = &dossier->seen;
    struct trail_reading *reading;
    int code;

    if (dossier->trail.revision == rollout->revision) {
        return CANARY_OK;
    }
    reading = calloc(1, sizeof *reading);
    if (reading == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for the trail");
    }
    reading->rollout = rollout;
    reading->since_ns = now_ns - (dossier->policy != NULL ? dossier->policy->cooldown_ns : 0);
    code = canary_history(dossier->store, dossier->rollout, 0, 0, take_change, reading, error);
    for (uint32_t i = 0; i < reading->count && code == CANARY_OK; i++) {
        int is = 0;

        code = is_by_guard(dossier->store, reading->rollbacks[i], &is, error);
        reading->out.guard_rollbacks += (uint32_t)is;
    }
    if (code == CANARY_OK && reading->out.approved && dossier->policy != NULL &&
        dossier->policy->mode == CANARY_MODE_APPROVE) {
        code = check_approval(dossier->store, &reading->out, error);
    }
    if (code == CANARY_OK) {
        dossier->trail = reading->out;
        dossier->trail.revision = rollout->revision;
    }
    free(reading);
    return code;
}

/* -- circuit breakers -- */

static int take_opening(void *user_data, const canary_document *document) {
    int64_t *opened_ns = user_data;

    *opened_ns = strtoll(document->name + strlen(CANARY__DOCUMENT_BREAKER), NULL, 10);
    return 1;
}

int canary__dossier_breakers(struct canary__dossier *dossier, int64_t now_ns, canary_error *error) {
    canary_document_query query = CANARY_DOCUMENT_QUERY_INIT;
    char from[64];

    /* One that a clock ahead of ours wrote must not hide the others. */
    snprintf(from, sizeof from, CANARY__DOCUMENT_BREAKER "%020" PRId64,
             now_ns > 0 ? now_ns + CANARY__JUDGE_AHEAD_NS : 0);
    query.descending = 1;
    query.prefix = CANARY__DOCUMENT_BREAKER;
    query.from = from;
    query.limit = 1;
    dossier->opened_ns = 0;
    return canary_document_list(dossier->store, dossier->rollout, &query, take_opening,
                                &dossier->opened_ns, NULL, error);
}

/* -- users -- */

int canary__dossier_users(struct canary__dossier *dossier, int64_t until_ns, canary_error *error) {
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;

    /* Users are kept by generation whatever the time; decisions, which are, nobody asked for. */
    query.to_ns = until_ns > CANARY_TICK_NS ? until_ns : CANARY_TICK_NS;
    query.from_ns = query.to_ns - CANARY_TICK_NS;
    query.generation = dossier->seen.generation;
    dossier->exposure = (canary_exposure)CANARY_EXPOSURE_INIT;
    return canary_exposure_read(dossier->store, dossier->rollout, &query, &dossier->exposure,
                                error);
}

/* -- figures that are asked for -- */

struct asking {
    const struct canary__rule *rule;
    struct canary__asked *out;
};

static double statistic_of(const struct canary__rule *rule, const canary_figures *figures) {
    switch (rule->statistic) {
    case CANARY_STATISTIC_RATE:
        return figures->rate;
    case CANARY_STATISTIC_MEAN:
        return figures->mean;
    case CANARY_STATISTIC_F1:
        return figures->f1;
    case CANARY_STATISTIC_PRECISION:
        return figures->precision;
    case CANARY_STATISTIC_RECALL:
        return figures->recall;
    case CANARY_STATISTIC_QUANTILE:
        /* A policy has no others. */
        return rule->quantile == 0.5    ? figures->p50
               : rule->quantile == 0.9  ? figures->p90
               : rule->quantile == 0.95 ? figures->p95
               : rule->quantile == 0.99 ? figures->p99
                                        : figures->p999;
    default:
        return NAN;
    }
}

static int take_answer(void *user_data, const canary_metrics_row *row) {
    struct asking *asking = user_data;

    asking->out->values[CANARY_OLD] = statistic_of(asking->rule, row->old_cohort);
    asking->out->values[CANARY_NEW] = statistic_of(asking->rule, row->new_cohort);
    asking->out->n[CANARY_OLD] = (double)row->old_cohort->n;
    asking->out->n[CANARY_NEW] = (double)row->new_cohort->n;
    return 0;
}

static void forget(struct canary__asked *asked) {
    *asked = (struct canary__asked){ .values = { NAN, NAN } };
}

static int ask(struct canary__dossier *dossier, const struct canary__rule *rule, uint32_t flags,
               int64_t from_ns, int64_t to_ns, struct canary__asked *out, canary_error *error) {
    struct asking asking = { rule, out };
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;

    query.flags = flags;
    query.from_ns = from_ns;
    query.to_ns = to_ns;
    query.generation = (flags & CANARY_METRICS_BASELINE) != 0 ? 0 : dossier->seen.generation;
    query.metric = rule->metric;
    forget(out);
    return canary_metrics(dossier->store, dossier->rollout, &query, take_answer, &asking, NULL,
                          error);
}

/* Older than `span`, or of a time that has not come. */
static int is_due(const struct canary__asked *asked, int64_t at_ns, int64_t span_ns) {
    return asked->at_ns == 0 || at_ns < asked->at_ns || at_ns - asked->at_ns >= span_ns;
}

int canary__dossier_baselines(struct canary__dossier *dossier, int64_t until_ns,
                              canary_error *error) {
    for (uint32_t i = 0; i < dossier->policy->rule_count; i++) {
        const struct canary__rule *rule = &dossier->policy->rules[i];
        struct canary__asked *asked = &dossier->baselines[i];
        int64_t window = rule->window_ns > 0 ? rule->window_ns : CANARY__HOUR_NS;
        int code;

        if (rule->against != CANARY_AGAINST_BASELINE) {
            continue;
        }
        if (is_due(asked, until_ns, BASELINE_NS)) {
            code = ask(dossier, rule, CANARY_METRICS_BASELINE,
                       until_ns > window ? until_ns - window : 0, until_ns, asked, error);
            /* One that was captured within a day knows nothing of the other hours of the week; the
             * whole of it is then better than no limit at all. */
            if (code == CANARY_OK && !isfinite(asked->values[CANARY_OLD])) {
                code = ask(dossier, rule, CANARY_METRICS_BASELINE, 0, 0, asked, error);
            }
            if (code != CANARY_OK) {
                return code;
            }
            asked->at_ns = until_ns;
        }
        canary__state_baseline(&dossier->state, i, asked->values[CANARY_OLD]);
    }
    return CANARY_OK;
}

int canary__dossier_quantiles(struct canary__dossier *dossier, int64_t until_ns,
                              canary_error *error) {
    for (uint32_t i = 0; i < dossier->policy->rule_count; i++) {
        const struct canary__rule *rule = &dossier->policy->rules[i];
        struct canary__asked *asked = &dossier->quantiles[i];
        int64_t span = rule->window_ns / QUANTILE_SHARE;
        int code;

        if (rule->statistic != CANARY_STATISTIC_QUANTILE || rule->proof != CANARY_PROOF_POINT) {
            continue;
        }
        span = span < QUANTILE_MOST_NS ? span : QUANTILE_MOST_NS;
        if (!is_due(asked, until_ns, span > CANARY_TICK_NS ? span : CANARY_TICK_NS)) {
            continue;
        }
        code = ask(dossier, rule, 0, until_ns > rule->window_ns ? until_ns - rule->window_ns : 0,
                   until_ns, asked, error);
        if (code != CANARY_OK) {
            return code;
        }
        asked->at_ns = until_ns;
    }
    return CANARY_OK;
}
