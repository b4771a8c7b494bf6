/* SPDX-License-Identifier: MIT */
#include "judge/evidence.h"

#include <math.h>
#include <string.h>

/* ln 1.1 * (ln 50 / ln 1.1)^(j/15) */
static const double ln_alternatives[CANARY__JUDGE_ALTERNATIVES] = {
    0.095310179804324935, 0.12209281197037991, 0.15640149630856237, 0.20035109072179999,
    0.25665073864908661,  0.32877086624193036, 0.42115710657376654, 0.53950433761081629,
    0.69110772620882999,  0.88531241721005072, 1.1340895874017056,  1.452774373487427,
    1.8610111614702693,   2.3839645070301021,  3.0538703305192789,  3.912023005428146,
};

/* Where p0 times an alternative would be no rate any more. */
static const double highest_rate = 0.95;

double canary__judge_ln_alternative(int j) {
    return j >= 0 && j < CANARY__JUDGE_ALTERNATIVES ? ln_alternatives[j] : NAN;
}

/* g^k / c^m for each g = exp(sign * ln_alternatives[j]). */
static int step_between(const struct canary__judge_tick *tick, double margin, double effect,
                        int sign, struct canary__judge_step *step) {
    struct canary__judge_share fresh = tick->fresh;
    struct canary__judge_share old = tick->old;
    double k = fresh.k;
    double m = fresh.k + old.k;
    double share;

    if (!canary__judge_share_is_possible(fresh) || !canary__judge_share_is_possible(old) ||
        !(margin > 0) || isinf(margin) || !(effect >= 1) || isinf(effect)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    if (fresh.n == 0 || old.n == 0) {
        return CANARY__JUDGE_NO;
    }
    /* The new cohort's share of bad events at the margin, r0*L/(r0*L + 1); then c = 1 + share*(g - 1)
     * without a difference of large numbers. */
    share = margin * fresh.n / (margin * fresh.n + old.n);
    for (int j = 0; j < CANARY__JUDGE_ALTERNATIVES; j++) {
        double ln_g = sign * ln_alternatives[j];

        step->by[j] = (k * ln_g - m * log1p(share * expm1(ln_g))) / effect;
    }
    return CANARY__JUDGE_YES;
}

int canary__judge_step_above(const struct canary__judge_tick *tick, double margin, double effect,
                             struct canary__judge_step *step) {
    return step_between(tick, margin, effect, 1, step);
}

int canary__judge_step_below(const struct canary__judge_tick *tick, double margin, double effect,
                             struct canary__judge_step *step) {
    return step_between(tick, margin, effect, -1, step);
}

/* (p/p0)^k * ((1-p)/(1-p0))^(n-k): the likelihood ratio, monotone in the true rate. */
static int step_of_rate(struct canary__judge_share share, double limit, double highest,
                        double effect, int sign, struct canary__judge_step *step) {
    if (!canary__judge_share_is_possible(share) || !(limit > 0) || !(limit < highest) ||
        !(effect >= 1) || isinf(effect)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    if (share.n == 0) {
        return CANARY__JUDGE_NO;
    }
    for (int j = 0; j < CANARY__JUDGE_ALTERNATIVES; j++) {
        double rate = limit * exp(sign * ln_alternatives[j]);

        rate = rate < highest ? rate : highest;
        step->by[j] = (share.k * log(rate / limit) +
                       (share.n - share.k) * log1p((limit - rate) / (1 - limit))) /
                      effect;
    }
    return CANARY__JUDGE_YES;
}

int canary__judge_step_over(struct canary__judge_share share, double limit, double effect,
                            struct canary__judge_step *step) {
    return step_of_rate(share, limit, highest_rate, effect, 1, step);
}

int canary__judge_step_under(struct canary__judge_share share, double limit, double effect,
                             struct canary__judge_step *step) {
    return step_of_rate(share, limit, 1, effect, -1, step);
}

void canary__judge_evidence_start(struct canary__judge_evidence *evidence) {
    for (int j = 0; j < CANARY__JUDGE_ALTERNATIVES; j++) {
        evidence->since[j] = 0;
        evidence->change[j] = -INFINITY;
    }
}

void canary__judge_evidence_add(struct canary__judge_evidence *evidence,
                                const struct canary__judge_step *step, int planned) {
    for (int j = 0; j < CANARY__JUDGE_ALTERNATIVES; j++) {
        double before = evidence->change[j];

        evidence->since[j] += step->by[j];
        evidence->change[j] = (planned ? canary__judge_softplus(before) : before) + step->by[j];
    }
}

int canary__judge_evidence_weigh(const struct canary__judge_evidence *evidence,
                                 double planned_ticks, struct canary__judge_weight *weight) {
    weight->ln_e = canary__judge_log_mean(evidence->since, CANARY__JUDGE_ALTERNATIVES);
    weight->ln_m = canary__judge_log_mean(evidence->change, CANARY__JUDGE_ALTERNATIVES);
    weight->ln_w = NAN;
    if (!(planned_ticks > 0) || isnan(weight->ln_e) || isnan(weight->ln_m)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    /* W = E/2 + M/(2T) */
    weight->ln_w = canary__judge_log_add(weight->ln_e, weight->ln_m - log(planned_ticks)) - log(2);
    return CANARY__JUDGE_YES;
}

void canary__judge_evidence_save(const struct canary__judge_evidence *evidence,
                                 double saved[CANARY__JUDGE_EVIDENCE_DOUBLES]) {
    memcpy(saved, evidence->since, sizeof(evidence->since));
    memcpy(saved + CANARY__JUDGE_ALTERNATIVES, evidence->change, sizeof(evidence->change));
}

int canary__judge_evidence_restore(struct canary__judge_evidence *evidence,
                                   const double saved[CANARY__JUDGE_EVIDENCE_DOUBLES]) {
    for (int j = 0; j < CANARY__JUDGE_ALTERNATIVES; j++) {
        double since = saved[j];
        double change = saved[CANARY__JUDGE_ALTERNATIVES + j];

        if (!isfinite(since) || !(change < INFINITY)) {
            canary__judge_evidence_start(evidence);
            return CANARY__JUDGE_UNKNOWN;
        }
        evidence->since[j] = since;
        evidence->change[j] = change;
    }
    return CANARY__JUDGE_YES;
}

int canary__judge_is_proven(double ln_evidence, double alpha) {
    double threshold = -log(alpha);

    if (!(alpha > 0) || !(alpha < 1) || isnan(ln_evidence)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    return ln_evidence >= threshold;
}

double canary__judge_anytime_p(double highest_ln_w) {
    if (isnan(highest_ln_w)) {
        return NAN;
    }
    return highest_ln_w > 0 ? exp(-highest_ln_w) : 1;
}
