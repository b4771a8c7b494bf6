/* SPDX-License-Identifier: MIT */
#include "judge/interval.h"

#include <math.h>

static const double first_point = -8;
static const double spacing = 0.25;
/* As far as an end is looked for: the farthest alternative from there is still on the curve. */
static const double farthest = 4;

enum { HALVINGS = 60 };

/* Of the ends: from -farthest to farthest. */
static const double grid = 0x1p-14;
enum { GRID_LAST = 131072, GRID_WIDEST = 1 << 17 };

void canary__judge_curve_start(struct canary__judge_curve *curve) {
    *curve = (struct canary__judge_curve){ .value = { 0 } };
}

int canary__judge_curve_add(struct canary__judge_curve *curve,
                            const struct canary__judge_tick *tick, double effect) {
    double k = tick->fresh.k;
    double m = tick->fresh.k + tick->old.k;

    if (!canary__judge_share_is_possible(tick->fresh) ||
        !canary__judge_share_is_possible(tick->old) || !(effect >= 1) || isinf(effect)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    if (tick->fresh.n == 0 || tick->old.n == 0) {
        return CANARY__JUDGE_NO;
    }
    if (m == 0) {
        return CANARY__JUDGE_YES;
    }
    for (int i = 0; i < CANARY__JUDGE_CURVE_POINTS; i++) {
        double ln_r = first_point + spacing * i;
        double rl = exp(ln_r) * tick->fresh.n / tick->old.n;
        double share = rl / (1 + rl);

        curve->value[i] += (k * ln_r - m * log1p(rl)) / effect;
        curve->slope[i] += (k - m * share) / effect;
        curve->bend[i] -= m * share / (1 + rl) / effect;
    }
    return CANARY__JUDGE_YES;
}

/* The polynomial of degree 5 with the value and both derivatives of its two neighbours. */
static double value_at(const struct canary__judge_curve *curve, double ln_r) {
    double place = (ln_r - first_point) / spacing;
    int i;
    double t;
    double u;

    if (!(place >= 0) || !(place <= CANARY__JUDGE_CURVE_POINTS - 1)) {
        return NAN;
    }
    i = place < CANARY__JUDGE_CURVE_POINTS - 1 ? (int)place : CANARY__JUDGE_CURVE_POINTS - 2;
    t = place - i;
    u = 1 - t;
    return u * u * u *
               (curve->value[i] * (1 + t * (3 + 6 * t)) +
                spacing * curve->slope[i] * t * (1 + 3 * t) +
                spacing * spacing * curve->bend[i] * t * t / 2) +
           t * t * t *
               (curve->value[i + 1] * (1 + u * (3 + 6 * u)) -
                spacing * curve->slope[i + 1] * u * (1 + 3 * u) +
                spacing * spacing * curve->bend[i + 1] * u * u / 2);
}

static double ln_e(const struct canary__judge_curve *curve, double ln_margin, int sign) {
    double steps[CANARY__JUDGE_ALTERNATIVES];
    double here = value_at(curve, ln_margin);

    for (int j = 0; j < CANARY__JUDGE_ALTERNATIVES; j++) {
        steps[j] = value_at(curve, ln_margin + sign * canary__judge_ln_alternative(j)) - here;
    }
    return canary__judge_log_mean(steps, CANARY__JUDGE_ALTERNATIVES);
}

double canary__judge_curve_above(const struct canary__judge_curve *curve, double margin) {
    return ln_e(curve, log(margin), 1);
}

double canary__judge_curve_below(const struct canary__judge_curve *curve, double margin) {
    return ln_e(curve, log(margin), -1);
}

/* The ratio next to those refuted on one side, and always one that is not refuted. */
static double end_of(const struct canary__judge_curve *curve, double threshold, int sign) {
    double refuted = -sign * farthest;
    double possible = sign * farthest;

    if (!(ln_e(curve, refuted, sign) >= threshold)) {
        return sign > 0 ? 0 : INFINITY;
    }
    if (ln_e(curve, possible, sign) >= threshold) {
        return exp(possible);
    }
    for (int i = 0; i < HALVINGS; i++) {
        double middle = refuted + (possible - refuted) / 2;

        if (ln_e(curve, middle, sign) >= threshold) {
            refuted = middle;
        } else {
            possible = middle;
        }
    }
    return exp(possible);
}

/* Where the slope of the polynomial changes its sign. The slope itself falls from k to k - m. */
static double most_likely(const struct canary__judge_curve *curve) {
    const int last = CANARY__JUDGE_CURVE_POINTS - 1;
    double low;
    double high;
    int i = 0;

    if (!(curve->slope[0] > 0)) {
        return curve->slope[last] < 0 ? 0 : NAN;
    }
    if (!(curve->slope[last] < 0)) {
        return INFINITY;
    }
    while (i < last - 1 && curve->slope[i + 1] > 0) {
        i++;
    }
    low = first_point + spacing * i;
    high = low + spacing;
    /* By thirds: F is concave, and comparing values needs no second polynomial. Its top is flat, so
     * this is good for about eight digits. */
    for (int n = 0; n < HALVINGS; n++) {
        double left = low + (high - low) / 3;
        double right = high - (high - low) / 3;

        if (value_at(curve, left) < value_at(curve, right)) {
            low = left;
        } else {
            high = right;
        }
    }
    return exp(low + (high - low) / 2);
}

static int is_sound(const struct canary__judge_curve *curve) {
    for (int i = 0; i < CANARY__JUDGE_CURVE_POINTS; i++) {
        if (!isfinite(curve->value[i]) || !isfinite(curve->slope[i]) || !isfinite(curve->bend[i])) {
            return 0;
        }
    }
    return 1;
}

/* -- ends on the grid -- */

void canary__judge_ends_start(struct canary__judge_ends *ends) {
    ends->low_at = ends->high_at = CANARY__JUDGE_ENDS_START;
    ends->low = ends->high = NAN;
}

/* The grid from the side where ratios are refuted: its point 0 is -farthest for the low end, farthest for
 * the high one. */
static double point_of(int32_t at, int sign) {
    return sign * (grid * at - farthest);
}

static int is_refuted(const struct canary__judge_curve *curve, double threshold, int32_t at,
                      int sign) {
    return ln_e(curve, point_of(at, sign), sign) >= threshold;
}

/* The last point that is refuted, -1 for none: by steps that double from `near`, then by halves. */
static int32_t last_refuted(const struct canary__judge_curve *curve, double threshold, int32_t near,
                            int sign) {
    int32_t refuted = -1;
    int32_t possible = GRID_LAST + 1;
    int32_t at = near < 0 ? 0 : near > GRID_LAST ? GRID_LAST : near;

    for (int32_t step = 1; step <= GRID_WIDEST && at > refuted && at < possible; step *= 2) {
        if (is_refuted(curve, threshold, at, sign)) {
            refuted = at;
            at = possible - refuted > step ? refuted + step : possible - 1;
        } else {
            possible = at;
            at = possible - refuted > step ? possible - step : refuted + 1;
        }
    }
    while (possible - refuted > 1) {
        int32_t middle = refuted + (possible - refuted) / 2;

        if (is_refuted(curve, threshold, middle, sign)) {
            refuted = middle;
        } else {
            possible = middle;
        }
    }
    return refuted;
}

int canary__judge_curve_ends(const struct canary__judge_curve *curve, double alpha,
                             struct canary__judge_ends *ends) {
    double threshold = log(2 / alpha);

    ends->low = ends->high = NAN;
    if (!(alpha > 0) || !(alpha < 1) || !is_sound(curve)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    ends->low_at = last_refuted(curve, threshold, ends->low_at, 1);
    ends->high_at = last_refuted(curve, threshold, ends->high_at, -1);
    ends->low = ends->low_at < 0 ? 0 : exp(point_of(ends->low_at, 1));
    ends->high = ends->high_at < 0 ? INFINITY : exp(point_of(ends->high_at, -1));
    return CANARY__JUDGE_YES;
}

int canary__judge_curve_interval(const struct canary__judge_curve *curve, double alpha,
                                 struct canary__judge_interval *interval) {
    double threshold = log(2 / alpha);

    interval->low = interval->estimate = interval->high = NAN;
    if (!(alpha > 0) || !(alpha < 1) || !is_sound(curve)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    interval->low = end_of(curve, threshold, 1);
    interval->high = end_of(curve, threshold, -1);
    interval->estimate = most_likely(curve);
    return CANARY__JUDGE_YES;
}
