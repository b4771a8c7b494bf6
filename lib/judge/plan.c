/* SPDX-License-Identifier: MIT */
/* Planning: how many requests, and how long, until evidence can say anything. */
#include <canary/metrics.h>
#include <canary/report.h>
#include <canary/rollout.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "judge/burn.h"
#include "judge/fail.h"
#include "judge/sized.h"
#include "judge/spans.h"

/* What callers of the first release have. */
enum { PLAN_LEAST = offsetof(canary_plan, per_second) + sizeof(double) };

void canary_plan_init(canary_plan *plan, uint32_t size) {
    canary_plan defaults = CANARY_PLAN_INIT;

    canary__judge_sized_init(plan, size, &defaults, sizeof defaults);
}

void canary_plan_answer_init(canary_plan_answer *answer, uint32_t size) {
    canary_plan_answer defaults = CANARY_PLAN_ANSWER_INIT;

    canary__judge_sized_init(answer, size, &defaults, sizeof defaults);
}

/* All comparisons are written so that NaN is refused. */
static int admit(canary_plan *plan, canary_error *error) {
    if (plan->margin == 0) {
        plan->margin = 1;
    }
    if (plan->alpha == 0) {
        plan->alpha = 0.05;
    }
    if (plan->effect == 0) {
        plan->effect = 1;
    }
    if (!(plan->base_rate > 0 && plan->base_rate < 1)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "base rate %g is not allowed: above 0 and below 1",
                                  plan->base_rate);
    }
    if (!(plan->share > 0 && plan->share < 1)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "share %g is not allowed: above 0 and below 1, as evidence "
                                  "compares two cohorts",
                                  plan->share);
    }
    if (!(plan->margin >= 1 && plan->margin <= 50)) {
        return canary__judge_fail(error, CANARY_E_INVALID, "margin %g is not allowed: from 1 to 50",
                                  plan->margin);
    }
    if (!(plan->ratio > plan->margin && plan->ratio <= 1000)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "ratio %g is not allowed: above the margin, %g, and at most 1000",
                                  plan->ratio, plan->margin);
    }
    if (plan->proven == 0) {
        plan->proven = plan->ratio;
    }
    if (!(plan->proven > 1 && plan->proven <= 1000)) {
        return canary__judge_fail(
            error, CANARY_E_INVALID,
            "ratio to be proven not reached %g is not allowed: above 1 and at "
            "most 1000",
            plan->proven);
    }
    if (!(plan->base_rate * plan->ratio <= 1)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "ratio %g is not allowed: a base rate of %g can grow %g times at "
                                  "most",
                                  plan->ratio, plan->base_rate, 1 / plan->base_rate);
    }
    if (!(plan->alpha >= 1e-12 && plan->alpha < 1)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "alpha %g is not allowed: from 1e-12 to below 1", plan->alpha);
    }
    if (!(plan->effect >= 1 && plan->effect <= 1e6)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "design effect %g is not allowed: from 1 to 1000000",
                                  plan->effect);
    }
    if (!(plan->per_second >= 0 && plan->per_second <= 1e12)) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "%g requests per second are not allowed: 0 for unknown, or more",
                                  plan->per_second);
    }
    return CANARY_OK;
}

int canary_plan_compute(const canary_plan *plan, canary_plan_answer *out, canary_error *error) {
    canary_plan asked = CANARY_PLAN_INIT;
    canary_plan_answer answer = CANARY_PLAN_ANSWER_INIT;
    struct canary__judge_plan one;
    int code;

    if (plan == NULL || out == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "plan or out is NULL");
    }
    if (canary__judge_sized_in(&asked, plan, sizeof asked, PLAN_LEAST) != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID, "plan has a size of %u: sizeof is %zu",
                                  (unsigned)plan->size, sizeof asked);
    }
    code = admit(&asked, error);
    if (code != CANARY_OK) {
        return code;
    }
    one = (struct canary__judge_plan){
        .rate = asked.base_rate,
        .share = asked.share,
        .ratio = asked.ratio,
        .margin = asked.margin,
        .alpha = asked.alpha,
        .effect = asked.effect,
    };
    answer.find_new = canary__judge_plan_requests(&one, 1);
    one.ratio = 1;
    one.margin = asked.proven;
    answer.prove_new = canary__judge_plan_requests(&one, -1);
    answer.find_total = answer.find_new / asked.share;
    answer.prove_total = answer.prove_new / asked.share;
    answer.find_seconds = asked.per_second > 0 ? answer.find_total / asked.per_second : NAN;
    answer.prove_seconds = asked.per_second > 0 ? answer.prove_total / asked.per_second : NAN;
    if (canary__judge_sized_out(out, &answer, sizeof answer) != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID, "out has no size: sizeof is %zu",
                                  sizeof answer);
    }
    return CANARY_OK;
}

struct measured {
    double n[2];
    double k[2];
};

static int take_errors(void *user_data, const canary_metrics_row *row) {
    struct measured *measured = user_data;

    measured->n[CANARY_OLD] += (double)row->old_cohort->n;
    measured->k[CANARY_OLD] += (double)row->old_cohort->k;
    measured->n[CANARY_NEW] += (double)row->new_cohort->n;
    measured->k[CANARY_NEW] += (double)row->new_cohort->k;
    return 0;
}

int canary_plan_measure(canary_store *store, const char *rollout, canary_plan *plan,
                        canary_error *error) {
    canary_rollout state = { .size = (uint32_t)sizeof state };
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    canary_metrics_report report = { .size = (uint32_t)sizeof report };
    canary_plan known = CANARY_PLAN_INIT;
    struct measured measured = { { 0 }, { 0 } };
    int64_t now;
    double total;
    int code;

    if (store == NULL || rollout == NULL || plan == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "store, rollout or plan is NULL");
    }
    if (canary__judge_sized_in(&known, plan, sizeof known, PLAN_LEAST) != 0) {
        return canary__judge_fail(error, CANARY_E_INVALID, "plan has a size of %u: sizeof is %zu",
                                  (unsigned)plan->size, sizeof known);
    }
    code = canary_rollout_read(store, rollout, &state, error);
    if (code != CANARY_OK) {
        return code;
    }
    now = canary_store_now(store, CANARY_CLOCK_REALTIME);
    query.metric = "error";
    query.generation = state.generation;
    query.from_ns = now > CANARY__DAY_NS ? now - CANARY__DAY_NS : 0;
    query.from_ns -= query.from_ns % CANARY__MINUTE_NS;
    code = canary_metrics(store, rollout, &query, take_errors, &measured, &report, error);
    if (code != CANARY_OK) {
        return code;
    }
    total = measured.n[CANARY_OLD] + measured.n[CANARY_NEW];
    if (measured.n[CANARY_OLD] > 0 && measured.k[CANARY_OLD] > 0) {
        known.base_rate = measured.k[CANARY_OLD] / measured.n[CANARY_OLD];
    }
    if (measured.n[CANARY_OLD] > 0 && measured.n[CANARY_NEW] > 0) {
        known.share = measured.n[CANARY_NEW] / total;
    }
    /* The tick that is going on has not all of its outcomes yet, and not all of its time. */
    if (total > 0 && report.to_ns > report.from_ns) {
        int64_t to = report.to_ns < now ? report.to_ns : now;

        if (to - report.from_ns >= CANARY_TICK_NS) {
            known.per_second = total / ((double)(to - report.from_ns) / 1e9);
        }
    }
    canary__judge_sized_out(plan, &known, sizeof known);
    return CANARY_OK;
}
