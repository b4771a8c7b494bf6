/* SPDX-License-Identifier: MIT */
#include "judge/means.h"

#include <float.h>
#include <math.h>

int canary__judge_arm_of(const struct canary__judge_sums *sums, struct canary__judge_arm *arm) {
    double around;

    arm->n = sums->n;
    arm->mean = sums->sum / sums->n;
    arm->variance = NAN;
    if (!(sums->n >= 2) || !(sums->n <= 0x1p53) || !isfinite(sums->sum) ||
        !isfinite(sums->squares)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    /* What is left when two equal numbers are subtracted is rounding, not variance. */
    around = sums->squares - sums->sum * arm->mean;
    if (!(around > sums->squares * 64 * DBL_EPSILON)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    arm->variance = around / (sums->n - 1);
    return CANARY__JUDGE_YES;
}

double canary__judge_sequence_rho(double best_n, double alpha) {
    double twice = -2 * log(alpha);

    return best_n > 0 && alpha > 0 && alpha < 1 ? sqrt((twice + log1p(twice)) / best_n) : NAN;
}

/* 2(n rho^2 + 1)/(n rho^2) */
static double spread_of(double n, double rho) {
    double weight = n * rho * rho;

    return 2 * (weight + 1) / weight;
}

double canary__judge_sequence_two_sided(double v, double n, double rho, double alpha) {
    return sqrt(v * spread_of(n, rho) * log(sqrt(n * rho * rho + 1) / alpha));
}

double canary__judge_sequence_one_sided(double v, double n, double rho, double alpha) {
    return sqrt(v * spread_of(n, rho) * log1p(sqrt(n * rho * rho + 1) / (2 * alpha)));
}

/* The alpha at which the one-sided width equals `estimate`. rho stays that of the asked alpha: it
 * may not depend on what was seen. */
static double p_of(double estimate, double v, double n, double rho) {
    double p;

    if (!(estimate > 0)) {
        return 1;
    }
    p = sqrt(n * rho * rho + 1) / (2 * expm1(estimate * estimate / (v * spread_of(n, rho))));
    return p < 1 ? p : 1;
}

int canary__judge_means(const struct canary__judge_stratum *strata, size_t count,
                        const struct canary__judge_means_question *question, int sign,
                        struct canary__judge_means_answer *answer) {
    double rho = canary__judge_sequence_rho(question->best_n, question->alpha);
    double weights = 0;
    double weighted = 0;
    double n = 0;
    int used = 0;
    double v;

    *answer = (struct canary__judge_means_answer){
        .estimate = NAN, .error = NAN, .width = NAN, .p = NAN, .n = 0, .strata = 0
    };
    if (isnan(rho) || isinf(question->best_n) || !isfinite(question->factor) ||
        !isfinite(question->offset) || !(question->effect >= 1) || isinf(question->effect)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    for (size_t i = 0; i < count; i++) {
        struct canary__judge_arm fresh;
        struct canary__judge_arm old;
        double difference;
        double variance;

        if (!(strata[i].fresh.n >= CANARY__JUDGE_MEANS_LEAST) ||
            !(strata[i].old.n >= CANARY__JUDGE_MEANS_LEAST) ||
            canary__judge_arm_of(&strata[i].fresh, &fresh) != CANARY__JUDGE_YES ||
            canary__judge_arm_of(&strata[i].old, &old) != CANARY__JUDGE_YES) {
            continue;
        }
        difference = fresh.mean - question->factor * old.mean - question->offset;
        variance =
            fresh.variance / fresh.n + question->factor * question->factor * old.variance / old.n;
        weights += 1 / variance;
        weighted += difference / variance;
        n += fresh.n + old.n;
        used++;
    }
    if (used == 0 || !(weights > 0) || isinf(weights) || !isfinite(weighted)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    v = question->effect / weights;
    answer->estimate = weighted / weights;
    answer->error = sqrt(v);
    answer->width = canary__judge_sequence_one_sided(v, n, rho, question->alpha);
    answer->p = p_of(sign * answer->estimate, v, n, rho);
    answer->n = n;
    answer->strata = used;
    return sign * answer->estimate - answer->width > 0;
}

int canary__judge_lift(const struct canary__judge_arm *fresh, const struct canary__judge_arm *old,
                       double *lift, double *variance) {
    double ratio = fresh->mean / old->mean;

    *lift = ratio - 1;
    *variance = (fresh->variance / fresh->n + ratio * ratio * old->variance / old->n) /
                (old->mean * old->mean);
    if (!(fresh->n >= 2) || !(old->n >= 2) || !isfinite(*lift) || !(*variance > 0) ||
        isinf(*variance)) {
        *lift = *variance = NAN;
        return CANARY__JUDGE_UNKNOWN;
    }
    return CANARY__JUDGE_YES;
}

int canary__judge_lift_interval(const struct canary__judge_arm *fresh,
                                const struct canary__judge_arm *old, double alpha, double best_n,
                                double *low, double *high) {
    double rho = canary__judge_sequence_rho(best_n, alpha);
    double lift;
    double variance;
    double width;

    *low = *high = NAN;
    if (isnan(rho) || canary__judge_lift(fresh, old, &lift, &variance) != CANARY__JUDGE_YES) {
        return CANARY__JUDGE_UNKNOWN;
    }
    width = canary__judge_sequence_two_sided(variance, fresh->n + old->n, rho, alpha);
    *low = lift - width;
    *high = lift + width;
    return CANARY__JUDGE_YES;
}
