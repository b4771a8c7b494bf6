/* SPDX-License-Identifier: MIT */
/* Mixtures over an unknown rate or an unknown mix of rates, valid at every look: whether users were
 * divided as was asked for (sample-ratio mismatch), and the interval of one rate by itself.
 *
 * Sources: Lindon and Malek, arXiv 2011.03567 (Dirichlet-multinomial); Howard, Ramdas, McAuliffe and
 * Sekhon, arXiv 1810.08240 (normal and beta-binomial mixtures). */
#ifndef CANARY__JUDGE_SRM_H
#define CANARY__JUDGE_SRM_H

#include "judge/special.h"

/* How sure the prior is that the division is nearly as asked for, and the evidence that alerts. */
#define CANARY__JUDGE_SRM_WEIGHT 1000.0
#define CANARY__JUDGE_SRM_ALERT 1000.0

/* ln of the Bayes factor of "divided otherwise" against "divided as `asked`", which are probabilities
 * with the sum 1; cells that nobody is in count too. INFINITY when somebody is in a cell with
 * probability 0. NaN for counts or probabilities that cannot be. Count distinct subjects, never
 * requests. `weight` > 0. */
double canary__judge_mismatch(const double *counts, const double *asked, size_t cells,
                              double weight);

/* ln of the chance of these counts in this batch: when probabilities are drawn from a Dirichlet
 * distribution with the parameters `prior` (add each batch's counts to them for the next), and
 * when they are `asked`. */
double canary__judge_ln_dirichlet(const double *counts, const double *prior, size_t cells);
double canary__judge_ln_multinomial(const double *counts, const double *asked, size_t cells);

/* The two-sided normal mixture. rho that is tightest at the variance `v` for `alpha`; ln of the
 * process for a sum s with variance v; and the bound that a fair sum ever exceeds with probability
 * alpha. */
double canary__judge_mixture_rho(double v, double alpha);
double canary__judge_mixture_ln(double s, double v, double rho);
double canary__judge_mixture_bound(double v, double rho, double alpha);

/* The interval of one rate, valid at every look, tightest near `best_n` requests: the rates that the
 * beta-binomial mixture (mismatch() of two cells) has not refuted. UNKNOWN for counts that cannot be;
 * then, and before the first request, from 0 to 1. */
int canary__judge_rate_interval(struct canary__judge_share share, double alpha, double best_n,
                                double *low, double *high);

#endif
