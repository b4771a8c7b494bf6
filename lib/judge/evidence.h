/* SPDX-License-Identifier: MIT */
/* Evidence that may be looked at after every tick: a nonnegative process whose expectation is at most
 * 1 at any time and under any rule of stopping while nothing is wrong, so that it ever reaches
 * 1/alpha with a probability of at most alpha (Ville). Betting against 16 alternatives at once finds
 * harm of any size; comparing the cohorts within each tick lets ramps and daily cycles cancel.
 *
 * Why a tick's step is fair. With n_new and n_old requests, L = n_new/n_old, a rate p in the old
 * cohort and at most r0*p in the new one, k bad events in the new and m in both, the step
 * g^k / c^m with c = (r0*g*L + 1)/(r0*L + 1) has, for independent requests, an expectation of at most
 * exp(n_old*p*(r0*L*(g/c - 1) + (1/c - 1))) = exp(0): its exponent is zero by the choice of c. So it
 * holds for every p, also when p changes from tick to tick, and for rates that are not small.
 *
 * Sources: Lindon and Malek, arXiv 2011.03567; Turner and Gruenwald, arXiv 2302.11401; the change
 * detector: Shin, Ramdas and Rinaldo, arXiv 2203.03532. */
#ifndef CANARY__JUDGE_EVIDENCE_H
#define CANARY__JUDGE_EVIDENCE_H

#include "judge/special.h"

enum {
    CANARY__JUDGE_ALTERNATIVES = 16,
    CANARY__JUDGE_EVIDENCE_DOUBLES = 2 * CANARY__JUDGE_ALTERNATIVES,
};

/* The whole state; also as an array of 32 doubles, `since` first. */
struct canary__judge_evidence {
    double since[CANARY__JUDGE_ALTERNATIVES];  /* l_j, since the generation began; starts at 0 */
    double change[CANARY__JUDGE_ALTERNATIVES]; /* r_j, of a late change; starts at -INFINITY */
};

/* One tick of both cohorts. */
struct canary__judge_tick {
    struct canary__judge_share fresh; /* the new cohort */
    struct canary__judge_share old;
};

/* What a tick adds to ln of each alternative's capital. */
struct canary__judge_step {
    double by[CANARY__JUDGE_ALTERNATIVES];
};

/* All as logarithms: -INFINITY before anything was seen. */
struct canary__judge_weight {
    double ln_e; /* since the generation began */
    double ln_m; /* of a change; grows by one a tick while nothing is wrong */
    double ln_w; /* both: harm is proven at ln(1/alpha) */
};

/* ln of the factor by which alternative j exceeds the margin: ln 1.1 to ln 50, finer below. */
double canary__judge_ln_alternative(int j);

/* The four questions. Each answers YES and fills `step`; or NO when the tick tells nothing about it
 * (a cohort without requests); or UNKNOWN when an argument is impossible (k above n, NaN, a margin
 * that is not above 0, a design effect below 1). Neither of the last two may be added.
 *
 * `effect` is the design effect, known before the tick: dividing the step by it is the power 1/effect
 * of a variable with expectation 1, whose expectation is at most 1 (Jensen). */

/* Is the rate of the new cohort above `margin` times that of the old one? Users differ for good, and a
 * small new cohort has its share of them by chance; a margin of 1 takes that for harm in the end, since it
 * is a difference. See bench/judge/simulate.c for how often. */
int canary__judge_step_above(const struct canary__judge_tick *tick, double margin, double effect,
                             struct canary__judge_step *step);
/* Is it below `margin` times that of the old one? Proves that an advance does no such harm, by ln_e:
 * that it did none lately, which is what ln_m would say, is no reason to advance. */
int canary__judge_step_below(const struct canary__judge_tick *tick, double margin, double effect,
                             struct canary__judge_step *step);
/* Is a rate above `limit`, 0 < limit < 0.95, whatever the old cohort does? */
int canary__judge_step_over(struct canary__judge_share share, double limit, double effect,
                            struct canary__judge_step *step);
/* Is it below `limit`, 0 < limit < 1? */
int canary__judge_step_under(struct canary__judge_share share, double limit, double effect,
                             struct canary__judge_step *step);

void canary__judge_evidence_start(struct canary__judge_evidence *evidence);

/* Adds a tick. `planned` is 1 for the first T ticks that are added, where T is what is given to
 * weigh(), and 0 for all that come later: each planned tick may be the beginning of a change, and W
 * has spent what it may on T of them. Beginning more would let W reach 1/alpha some day by itself;
 * without, W holds for as long as the stage lasts. */
void canary__judge_evidence_add(struct canary__judge_evidence *evidence,
                                const struct canary__judge_step *step, int planned);

/* YES, or UNKNOWN when the state holds what no tick adds, or planned_ticks is not above 0. */
int canary__judge_evidence_weigh(const struct canary__judge_evidence *evidence,
                                 double planned_ticks, struct canary__judge_weight *weight);

/* As an array, for a store. Reading refuses, as UNKNOWN, what cannot have been written, and starts
 * from nothing then. */
void canary__judge_evidence_save(const struct canary__judge_evidence *evidence,
                                 double saved[CANARY__JUDGE_EVIDENCE_DOUBLES]);
int canary__judge_evidence_restore(struct canary__judge_evidence *evidence,
                                   const double saved[CANARY__JUDGE_EVIDENCE_DOUBLES]);

/* YES when the logarithm of an evidence has reached ln(1/alpha). */
int canary__judge_is_proven(double ln_evidence, double alpha);
/* min(1, 1/W) of the highest W so far: a p value that may be read at any time. */
double canary__judge_anytime_p(double highest_ln_w);

#endif
