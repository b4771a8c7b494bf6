/* SPDX-License-Identifier: MIT */
#include "judge/srm.h"

#include <math.h>

enum { HALVINGS = 200 };

static const double sum_is_off = 1e-9;

/* The sum of counts, or NaN. */
static double total_of(const double *counts, size_t cells) {
    double total = 0;

    for (size_t i = 0; i < cells; i++) {
        if (!(counts[i] >= 0) || !(counts[i] <= 0x1p53)) {
            return NAN;
        }
        total += counts[i];
    }
    return total;
}

static int are_probabilities(const double *asked, size_t cells) {
    double sum = 0;

    for (size_t i = 0; i < cells; i++) {
        if (!(asked[i] >= 0) || !(asked[i] <= 1)) {
            return 0;
        }
        sum += asked[i];
    }
    return fabs(sum - 1) <= sum_is_off;
}

double canary__judge_mismatch(const double *counts, const double *asked, size_t cells,
                              double weight) {
    double total = total_of(counts, cells);
    double ln_factor;

    if (isnan(total) || !are_probabilities(asked, cells) || !(weight > 0) || isinf(weight)) {
        return NAN;
    }
    ln_factor = canary__judge_ln_gamma(weight) - canary__judge_ln_gamma(weight + total);
    for (size_t i = 0; i < cells; i++) {
        double prior = weight * asked[i];

        if (counts[i] == 0) {
            continue;
        }
        if (asked[i] == 0) {
            return INFINITY;
        }
        ln_factor += canary__judge_ln_gamma(prior + counts[i]) - canary__judge_ln_gamma(prior) -
                     counts[i] * log(asked[i]);
    }
    return ln_factor;
}

/* ln(n! / (x_1! ... x_cells!)) */
static double ln_orders(const double *counts, size_t cells, double total) {
    double ln = canary__judge_ln_gamma(total + 1);

    for (size_t i = 0; i < cells; i++) {
        ln -= canary__judge_ln_gamma(counts[i] + 1);
    }
    return ln;
}

double canary__judge_ln_dirichlet(const double *counts, const double *prior, size_t cells) {
    double total = total_of(counts, cells);
    double weight = 0;
    double ln = ln_orders(counts, cells, total);

    for (size_t i = 0; i < cells; i++) {
        ln += canary__judge_ln_gamma(prior[i] + counts[i]) - canary__judge_ln_gamma(prior[i]);
        weight += prior[i];
    }
    return ln + canary__judge_ln_gamma(weight) - canary__judge_ln_gamma(weight + total);
}

double canary__judge_ln_multinomial(const double *counts, const double *asked, size_t cells) {
    double total = total_of(counts, cells);
    double ln = ln_orders(counts, cells, total);

    if (!are_probabilities(asked, cells)) {
        return NAN;
    }
    for (size_t i = 0; i < cells; i++) {
        if (counts[i] > 0) {
            ln += counts[i] * log(asked[i]);
        }
    }
    return ln;
}

double canary__judge_mixture_rho(double v, double alpha) {
    double twice = -2 * log(alpha);

    return v > 0 && alpha > 0 && alpha < 1 ? v / (twice + log1p(twice)) : NAN;
}

double canary__judge_mixture_ln(double s, double v, double rho) {
    return v >= 0 && rho > 0 ? log(rho / (v + rho)) / 2 + s * s / (2 * (v + rho)) : NAN;
}

double canary__judge_mixture_bound(double v, double rho, double alpha) {
    return v >= 0 && rho > 0 && alpha > 0 && alpha < 1
               ? sqrt((v + rho) * (log1p(v / rho) - 2 * log(alpha)))
               : NAN;
}

int canary__judge_rate_interval(struct canary__judge_share share, double alpha, double best_n,
                                double *low, double *high) {
    const double counts[2] = { share.k, share.n - share.k };
    double threshold = -log(alpha);
    double weight = canary__judge_mixture_rho(best_n, alpha) - 1;
    double *const ends[2] = { low, high };

    *low = 0;
    *high = 1;
    if (!canary__judge_share_is_possible(share) || isnan(weight)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    /* For best_n of a few requests; any weight above 0 is valid, only wider. */
    weight = weight > 1e-3 ? weight : 1e-3;
    for (int side = 0; share.n > 0 && side < 2; side++) {
        double refuted = side;
        double possible = share.k / share.n;

        if (possible == refuted) {
            continue;
        }
        for (int i = 0; i < HALVINGS; i++) {
            double middle = refuted + (possible - refuted) / 2;
            const double asked[2] = { middle, 1 - middle };

            if (middle == refuted || middle == possible) {
                break;
            }
            if (canary__judge_mismatch(counts, asked, 2, weight) >= threshold) {
                refuted = middle;
            } else {
                possible = middle;
            }
        }
        *ends[side] = possible;
    }
    return CANARY__JUDGE_YES;
}
