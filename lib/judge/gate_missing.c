/* SPDX-License-Identifier: MIT */
/* See gate_missing.h. Estimates for people, from how it went in this generation: they decide nothing. */
#include "judge/gate_missing.h"

#include <math.h>

#include "judge/burn.h"

static const double longest_ns = 9e18;

static int64_t ready_after(int64_t now_ns, double seconds) {
    double at = (double)now_ns + seconds * 1e9;

    /* Whatever is that far away is not known. */
    return at > 0 && at < longest_ns ? (int64_t)at : 0;
}

/* Limits and quantiles have no interval. Of alternatives that share one capital the best one grows steadily
 * while it is so. */
static double until_grown(const canary_rule_result *result, double n) {
    const double apart = log(CANARY__JUDGE_ALTERNATIVES);
    int is_new = result->cohort == CANARY_NEW;
    double now = result->value;
    double bound = result->threshold;

    if (result->statistic == CANARY_STATISTIC_QUANTILE) {
        now = (is_new ? result->k_new : result->k_old) / n;
        bound = result->against == CANARY_AGAINST_OLD ? result->k_old / result->n_old
                                                      : 1 - result->quantile;
    }
    if (result->above ? now <= bound : now >= bound) {
        return INFINITY;
    }
    return result->ln_w > 0 ? n * (apart - log(result->alpha)) / (apart + result->ln_w) : NAN;
}

/* Outcomes that are needed until the proof is there, as things stand. INFINITY: never; NaN: not known. */
static double until_proven(const canary_rule_result *result, double n) {
    double needed = NAN;

    if (result->against == CANARY_AGAINST_OLD && result->statistic == CANARY_STATISTIC_RATE) {
        struct canary__judge_plan plan = {
            .rate = result->k_old / result->n_old,
            .share = result->n_new / (result->n_new + result->n_old),
            .ratio = result->ratio,
            .margin = result->threshold,
            .alpha = result->alpha,
            .effect = result->design_effect,
        };

        /* Of a handful of bad outcomes no ratio can be known: then as if the cohorts were equal. */
        if (!(result->k_new + result->k_old >= 20) || isinf(plan.ratio)) {
            plan.ratio = 1;
        }
        needed = canary__judge_plan_requests(&plan, result->above ? 1 : -1);
    } else if (result->against != CANARY_AGAINST_OLD ||
               result->statistic == CANARY_STATISTIC_QUANTILE) {
        needed = until_grown(result, n);
    } else {
        /* Half an interval shrinks with the root of what it rests on. */
        double end = result->above ? result->low : result->high;
        double gap = fabs(result->threshold - result->ratio);
        double width = fabs(end - result->ratio);

        if (isfinite(width) && isfinite(gap)) {
            int right = result->above ? result->ratio > result->threshold
                                      : result->ratio < result->threshold;

            needed = right ? result->n_new * (width / gap) * (width / gap) : INFINITY;
        }
    }
    return needed;
}

void canary__gate_missing(const struct canary__rule *rule, const canary_rule_result *result,
                          const struct canary__scene *scene, int64_t through_ns,
                          struct canary__missing *out) {
    double seconds = (double)through_ns / 1e9 - (double)scene->rollout->generation_at_ns / 1e9;
    double window = result->proof == CANARY_PROOF_POINT ? (double)rule->window_ns / 1e9 : INFINITY;
    double n;

    *out = (struct canary__missing){ .cohort = result->cohort, .outcomes = NAN, .per_second = NAN };
    n = out->cohort == CANARY_OLD ? result->n_old : result->n_new;
    seconds = seconds < window ? seconds : window;
    if (seconds > 0 && n >= 0) {
        out->per_second = n / seconds;
    }
    if (result->state == CANARY_STATE_PENDING) {
        out->what = CANARY__MISSING_TIME;
        out->ready_at_ns =
            result->since_ns > 0 ? ready_after(result->since_ns, (double)result->for_ns / 1e9) : 0;
        return;
    }
    if (n < result->least) {
        out->outcomes = ceil(result->least - n);
        out->what = out->per_second * window < result->least ? CANARY__MISSING_RATE
                                                             : CANARY__MISSING_OUTCOMES;
    } else if (result->proof == CANARY_PROOF_EVIDENCE && isnan(result->design_effect)) {
        out->what = CANARY__MISSING_EFFECT;
    } else if (result->proof == CANARY_PROOF_EVIDENCE && result->action == CANARY_RULE_REQUIRE &&
               canary__judge_is_proven(result->ln_w, result->alpha) != CANARY__JUDGE_YES) {
        double needed = until_proven(result, n);

        if (isinf(needed)) {
            out->what = CANARY__MISSING_NEVER;
        } else if (needed >= 0) {
            /* Chance makes it later than expected now and then: a tenth more, rather than nothing. */
            out->outcomes = ceil(needed > n ? needed - n : needed / 10);
            out->what = CANARY__MISSING_PROOF;
        }
    }
    if ((out->what == CANARY__MISSING_OUTCOMES || out->what == CANARY__MISSING_PROOF) &&
        out->per_second > 0) {
        out->ready_at_ns = ready_after(scene->now_ns, out->outcomes / out->per_second);
    }
}
