/* SPDX-License-Identifier: MIT */
#include "judge/special.h"

#include <float.h>
#include <math.h>

enum { MOST_TERMS = 100000 };

int canary__judge_share_is_possible(struct canary__judge_share share) {
    return share.k >= 0 && share.k <= share.n && share.n <= 0x1p53;
}

double canary__judge_log_add(double a, double b) {
    double high = a > b ? a : b;
    double low = a > b ? b : a;

    if (isnan(a) || isnan(b)) {
        return NAN;
    }
    /* Also keeps -inf - -inf and inf - inf, which are NaN, out of exp(). */
    if (isinf(low) || isinf(high)) {
        return high;
    }
    return high + log1p(exp(low - high));
}

double canary__judge_softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

double canary__judge_log_mean(const double *x, size_t count) {
    double high = -INFINITY;
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (isnan(x[i])) {
            return NAN;
        }
        high = x[i] > high ? x[i] : high;
    }
    if (isinf(high)) {
        return high;
    }
    for (size_t i = 0; i < count; i++) {
        /* Beside exp(0) the rest is nothing, and takes exp() long: it sets errno. */
        if (x[i] - high > -700) {
            sum += exp(x[i] - high);
        }
    }
    return high + log(sum / (double)count);
}

double canary__judge_ln_gamma(double x) {
    int sign;

    return x > 0 ? lgamma_r(x, &sign) : NAN;
}

double canary__judge_normal_tails(double z) {
    return erfc(fabs(z) / sqrt(2));
}

/* ln(gamma(a + 1/2) / gamma(a)). For large a the difference of two lgamma() would lose what they
 * have in common; its asymptotic series (DLMF 5.11.13) does not. */
static double ln_half_step(double a) {
    int steps = a < 32 ? (int)ceil(32 - a) : 0;
    double shift = 0;
    double i;

    /* gamma(a + 1/2) / gamma(a) = gamma(a + 3/2) / gamma(a + 1) * a / (a + 1/2) */
    for (int step = 0; step < steps; step++) {
        shift -= log1p(1 / (2 * a));
        a++;
    }
    i = 1 / (a * a);
    return shift + log(a) / 2 -
           (1.0 / 8 - i * (1.0 / 192 - i * (1.0 / 640 - i * (17.0 / 14336 - i * 31.0 / 18432)))) /
               a;
}

/* The continued fraction of the incomplete beta function (DLMF 8.17.22) by the method of Lentz, for
 * x < (a + 1) / (a + b + 2), where it converges fast. */
static double beta_fraction(double a, double b, double x) {
    const double tiny = DBL_MIN * 0x1p100;
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    double value;

    d = 1 / (fabs(d) < tiny ? tiny : d);
    value = d;
    for (int m = 1; m < MOST_TERMS; m++) {
        double terms[2] = {
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        };
        double change = 1;

        for (int i = 0; i < 2; i++) {
            d = 1 + terms[i] * d;
            c = 1 + terms[i] / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            change *= c * d;
        }
        value *= change;
        if (fabs(change - 1) < 2 * DBL_EPSILON) {
            return value;
        }
    }
    return NAN;
}

double canary__judge_t_tails(double t, double df) {
    const double a = df / 2;
    const double b = 0.5;
    double square = t * t;
    double x = df / (df + square);
    double y = square / (df + square);
    double front;

    if (!(df > 0) || isinf(df) || isnan(t)) {
        return NAN;
    }
    if (isinf(square)) {
        return 0;
    }
    if (square == 0) {
        return 1;
    }
    /* x^a * y^b / B(a, b) with B(a, 1/2) = gamma(a) * sqrt(pi) / gamma(a + 1/2) */
    front = exp(-a * log1p(square / df) + b * log(y) + ln_half_step(a) - log(M_PI) / 2);
    if (x < (a + 1) / (a + b + 2)) {
        return front * beta_fraction(a, b, x) / a;
    }
    return 1 - front * beta_fraction(b, a, y) / b;
}

double canary__judge_t_quantile(double tails, double df) {
    double low = 0;
    double high = 1;

    if (!(tails > 0) || !(tails < 1) || !(df > 0) || isinf(df)) {
        return NAN;
    }
    while (canary__judge_t_tails(high, df) > tails && high < 0x1p500) {
        high *= 2;
    }
    for (int i = 0; i < 200; i++) {
        double middle = low + (high - low) / 2;

        if (canary__judge_t_tails(middle, df) > tails) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + (high - low) / 2;
}

/* 1 - P(a, x) by the series of P (DLMF 8.11.4), for x below a + 1. */
static double gamma_series(double a, double x, double front) {
    double term = 1 / a;
    double sum = term;

    for (int i = 1; i < MOST_TERMS; i++) {
        term *= x / (a + i);
        sum += term;
        if (term < sum * DBL_EPSILON / 4) {
            return 1 - front * sum;
        }
    }
    return NAN;
}

/* Q(a, x) by its continued fraction (DLMF 8.9.2), for the other x. */
static double gamma_fraction(double a, double x, double front) {
    double b = x + 1 - a;
    double c = 1 / DBL_MIN;
    double d = 1 / b;
    double value = d;

    for (int i = 1; i < MOST_TERMS; i++) {
        double term = -i * (i - a);
        double change;

        b += 2;
        d = 1 / (term * d + b);
        c = b + term / c;
        change = c * d;
        value *= change;
        if (fabs(change - 1) < 2 * DBL_EPSILON) {
            return front * value;
        }
    }
    return NAN;
}

double canary__judge_chi_square_tail(double x, double df) {
    double a = df / 2;
    double half = x / 2;
    double front;

    if (!(df > 0) || isinf(df) || !(x >= 0)) {
        return NAN;
    }
    if (x == 0) {
        return 1;
    }
    if (isinf(x)) {
        return 0;
    }
    front = exp(a * log(half) - half - canary__judge_ln_gamma(a));
    return half < a + 1 ? gamma_series(a, half, front) : gamma_fraction(a, half, front);
}
