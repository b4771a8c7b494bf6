/* SPDX-License-Identifier: MIT */
#include "judge/burn.h"

#include <math.h>

#include "judge/evidence.h"

double canary__judge_burn(struct canary__judge_share share, double objective) {
    if (!canary__judge_share_is_possible(share) || !(share.n > 0) || !(objective > 0) ||
        !(objective < 1)) {
        return NAN;
    }
    return share.k / share.n / (1 - objective);
}

double canary__judge_burn_factor(double budget, double window, double period) {
    return budget > 0 && window > 0 && period > 0 ? budget * period / window : NAN;
}

int canary__judge_burns(struct canary__judge_share in_long, struct canary__judge_share in_short,
                        double objective, double factor) {
    double of_long = canary__judge_burn(in_long, objective);
    double of_short = canary__judge_burn(in_short, objective);

    if (of_long < factor || of_short < factor) {
        return CANARY__JUDGE_NO;
    }
    if (of_long >= factor && of_short >= factor && in_long.k >= CANARY__JUDGE_BURN_LEAST) {
        return CANARY__JUDGE_YES;
    }
    return CANARY__JUDGE_UNKNOWN;
}

/* ln E after `requests` of the new cohort, were all counts what is expected. */
static double expected_ln_e(const double per_request[CANARY__JUDGE_ALTERNATIVES], double requests) {
    double path[CANARY__JUDGE_ALTERNATIVES];

    for (int j = 0; j < CANARY__JUDGE_ALTERNATIVES; j++) {
        path[j] = per_request[j] * requests;
    }
    return canary__judge_log_mean(path, CANARY__JUDGE_ALTERNATIVES);
}

/* The median of the first passage of a Brownian motion with drift, divided by its mean; `shape` is its
 * squared drift times the mean time, divided by the variance. */
static double early(double shape) {
    double low = 0;
    double high = 1;

    if (!(shape < 100)) {
        return 1;
    }
    for (int i = 0; i < 60; i++) {
        double x = low + (high - low) / 2;
        double root = sqrt(shape / x / 2);
        double passed = erfc(root * (1 - x)) / 2 + exp(2 * shape) * erfc(root * (1 + x)) / 2;

        if (passed < 0.5) {
            low = x;
        } else {
            high = x;
        }
    }
    return high;
}

double canary__judge_plan_requests(const struct canary__judge_plan *plan, int sign) {
    double per_request[CANARY__JUDGE_ALTERNATIVES];
    double odds = plan->share / (1 - plan->share);
    double of_new = plan->rate * plan->ratio; /* bad events for each request of the new cohort */
    double of_both = of_new + plan->rate / odds;
    double at_margin = plan->margin * odds / (plan->margin * odds + 1);
    double threshold = log((sign > 0 ? 2 : 1) / plan->alpha);
    double low = 0;
    double high = 1;
    double fastest = -INFINITY;
    double variance = 0; /* of the fastest, a request */

    if (!(plan->rate > 0) || !(plan->rate < 1) || !(plan->share > 0) || !(plan->share < 1) ||
        !(plan->ratio >= 0) || !(of_new <= 1) || !(plan->margin > 0) || isinf(plan->margin) ||
        !(plan->alpha > 0) || !(plan->alpha < 1) || !(plan->effect >= 1) || isinf(plan->effect)) {
        return NAN;
    }
    for (int j = 0; j < CANARY__JUDGE_ALTERNATIVES; j++) {
        double ln_g = sign * canary__judge_ln_alternative(j);

        double each = log1p(at_margin * expm1(ln_g));

        per_request[j] = (of_new * ln_g - of_both * each) / plan->effect;
        if (per_request[j] > fastest) {
            fastest = per_request[j];
            /* Of Poisson counts; in clusters effect times as much, and divided by its square. */
            variance = (of_new * (ln_g - each) * (ln_g - each) + (of_both - of_new) * each * each) /
                       plan->effect;
        }
    }
    if (!(fastest > 0)) {
        return INFINITY;
    }
    while (expected_ln_e(per_request, high) < threshold) {
        low = high;
        high *= 2;
    }
    for (int i = 0; i < 60; i++) {
        double middle = low + (high - low) / 2;

        if (expected_ln_e(per_request, middle) < threshold) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high * early(fastest * fastest * high / variance);
}
