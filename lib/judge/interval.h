/* SPDX-License-Identifier: MIT */
/* The interval of the ratio of two rates, by inverting the process of evidence.h: the ratios r0 that
 * neither "above r0" nor "below r0" has refuted. Valid at every look at once.
 *
 * The 32 doubles of a process belong to one margin and cannot be turned to another. But each step is
 * a difference of one function of the tick: with F(r) = sum over ticks of
 * (k*ln r - m*ln(r*L + 1))/D, the process against the margin r0 has l_j = F(r0*g_j) - F(r0), and the
 * one for non-inferiority F(r0/g_j) - F(r0). So it suffices to keep F as a curve. F is smooth in
 * ln r; kept with its first two derivatives at 65 points it is had between them by the polynomial of
 * degree 5, whose error (h^6/46080 times the sixth derivative, at most m/4) is below 2e-9 nats for
 * each bad event. As F is concave in ln r, both processes are monotone in r0: bisection finds the ends.
 *
 * The ends agree with the verdict: a lower end at alpha/2 above the margin means E >= 2/alpha, and
 * therefore W >= E/2 >= 1/alpha. */
#ifndef CANARY__JUDGE_INTERVAL_H
#define CANARY__JUDGE_INTERVAL_H

#include <stdint.h>

#include "judge/evidence.h"

enum {
    CANARY__JUDGE_CURVE_POINTS = 65,
    CANARY__JUDGE_CURVE_DOUBLES = 3 * CANARY__JUDGE_CURVE_POINTS,
};

/* F at ln r = -8, -7.75, ..., 8. All zero before the first tick; additive; plain doubles for a
 * store. */
struct canary__judge_curve {
    double value[CANARY__JUDGE_CURVE_POINTS];
    double slope[CANARY__JUDGE_CURVE_POINTS]; /* by ln r */
    double bend[CANARY__JUDGE_CURVE_POINTS];  /* second derivative */
};

struct canary__judge_interval {
    double low;      /* 0 when no ratio above 1/55 is refuted from below */
    double estimate; /* the most likely ratio; 0 below 1/2980, INFINITY above 2980, NaN before any
                        bad event */
    double high;     /* INFINITY when none up to 55 is refuted from above */
};

void canary__judge_curve_start(struct canary__judge_curve *curve);
/* As the steps of evidence.h: YES, NO when there is nothing to add, UNKNOWN. */
int canary__judge_curve_add(struct canary__judge_curve *curve,
                            const struct canary__judge_tick *tick, double effect);

/* ln E of the processes against `margin`, 1/55 < margin < 55, as if they had run from the beginning:
 * a rule whose margin was changed need not begin anew. */
double canary__judge_curve_above(const struct canary__judge_curve *curve, double margin);
double canary__judge_curve_below(const struct canary__judge_curve *curve, double margin);

/* Where the ends are, in steps of a grid of ln r that is 2^-14 wide (0.006 % of the ratio): each is the last
 * refuted point, so that the interval is at most a step too wide. A search that begins where the ends were
 * a tick ago takes a few looks at the curve instead of over a hundred; what it finds does not depend
 * on where it begins. */
struct canary__judge_ends {
    int32_t low_at; /* CANARY__JUDGE_ENDS_START at first */
    int32_t high_at;
    double low; /* as in the interval; NaN before the first search */
    double high;
};
enum { CANARY__JUDGE_ENDS_START = 65536 };

void canary__judge_ends_start(struct canary__judge_ends *ends);
/* As canary__judge_curve_interval(), without the estimate. */
int canary__judge_curve_ends(const struct canary__judge_curve *curve, double alpha,
                             struct canary__judge_ends *ends);

/* Two-sided, alpha/2 a side. UNKNOWN when alpha is not between 0 and 1 or the curve is damaged. */
int canary__judge_curve_interval(const struct canary__judge_curve *curve, double alpha,
                                 struct canary__judge_interval *interval);

#endif
