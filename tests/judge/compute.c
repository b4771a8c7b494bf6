/* SPDX-License-Identifier: MIT */
/* A window into the arithmetic of judgement for other programs: each line of standard input is the name
 * of a function and its numbers, each line of output its results, so that they can be read back exactly.
 * reference.py knows the order of the numbers. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/burn.h"
#include "judge/classical.h"
#include "judge/design_effect.h"
#include "judge/evidence.h"
#include "judge/interval.h"
#include "judge/means.h"
#include "judge/srm.h"

enum { MOST_NUMBERS = 4000, MOST_CELLS = 1000, LINE = 100000 };

/* The numbers of the line that is being worked on. */
static double numbers[MOST_NUMBERS];
static size_t count;
static size_t place;

static double next(void) {
    if (place == count) {
        fprintf(stderr, "a number is missing\n");
        exit(2);
    }
    return numbers[place++];
}

static size_t next_count(size_t most) {
    double value = next();

    if (!(value >= 0) || !(value <= (double)most)) {
        fprintf(stderr, "%g is not a count up to %zu\n", value, most);
        exit(2);
    }
    return (size_t)value;
}

static int next_sign(void) {
    return next() < 0 ? -1 : 1;
}

static struct canary__judge_share next_share(void) {
    struct canary__judge_share share;

    share.n = next();
    share.k = next();
    return share;
}

static struct canary__judge_sums next_sums(void) {
    struct canary__judge_sums sums;

    sums.n = next();
    sums.sum = next();
    sums.squares = next();
    return sums;
}

static void next_cells(double *cells, size_t cells_count) {
    for (size_t i = 0; i < cells_count; i++) {
        cells[i] = next();
    }
}

static void print(double value) {
    printf(" %.17g", value);
}

/* question margin effect T ticks (n_new k_new n_old k_old planned)... */
static void do_evidence(void) {
    size_t question = next_count(3);
    double margin = next();
    double effect = next();
    double planned_ticks = next();
    size_t ticks = next_count(MOST_NUMBERS);
    double saved[CANARY__JUDGE_EVIDENCE_DOUBLES];
    struct canary__judge_evidence evidence;
    struct canary__judge_weight weight;

    canary__judge_evidence_start(&evidence);
    for (size_t i = 0; i < ticks; i++) {
        struct canary__judge_tick tick;
        struct canary__judge_step step;
        int planned;
        int known;

        tick.fresh = next_share();
        tick.old = next_share();
        planned = next() != 0;
        known = question == 0   ? canary__judge_step_above(&tick, margin, effect, &step)
                : question == 1 ? canary__judge_step_below(&tick, margin, effect, &step)
                : question == 2 ? canary__judge_step_over(tick.fresh, margin, effect, &step)
                                : canary__judge_step_under(tick.fresh, margin, effect, &step);
        if (known == CANARY__JUDGE_YES) {
            canary__judge_evidence_add(&evidence, &step, planned);
        }
        /* Through the array each time, as between two processes. */
        canary__judge_evidence_save(&evidence, saved);
        canary__judge_evidence_restore(&evidence, saved);
    }
    canary__judge_evidence_weigh(&evidence, planned_ticks, &weight);
    print(weight.ln_e);
    print(weight.ln_m);
    print(weight.ln_w);
    print(canary__judge_anytime_p(weight.ln_w));
}

/* margin alpha effect ticks (n_new k_new n_old k_old)... */
static void do_interval(void) {
    double margin = next();
    double alpha = next();
    double effect = next();
    size_t ticks = next_count(MOST_NUMBERS);
    struct canary__judge_interval interval;
    struct canary__judge_curve curve;

    canary__judge_curve_start(&curve);
    for (size_t i = 0; i < ticks; i++) {
        struct canary__judge_tick tick;

        tick.fresh = next_share();
        tick.old = next_share();
        canary__judge_curve_add(&curve, &tick, effect);
    }
    canary__judge_curve_interval(&curve, alpha, &interval);
    print(canary__judge_curve_above(&curve, margin));
    print(canary__judge_curve_below(&curve, margin));
    print(interval.low);
    print(interval.estimate);
    print(interval.high);
}

/* cells weight counts... asked... */
static void do_mismatch(void) {
    size_t cells = next_count(MOST_CELLS);
    double weight = next();
    double counts[MOST_CELLS];
    double asked[MOST_CELLS];

    next_cells(counts, cells);
    next_cells(asked, cells);
    print(canary__judge_mismatch(counts, asked, cells, weight));
}

/* cells counts... prior... asked... */
static void do_batch(void) {
    size_t cells = next_count(MOST_CELLS);
    double counts[MOST_CELLS];
    double prior[MOST_CELLS];
    double asked[MOST_CELLS];

    next_cells(counts, cells);
    next_cells(prior, cells);
    next_cells(asked, cells);
    print(canary__judge_ln_dirichlet(counts, prior, cells));
    print(canary__judge_ln_multinomial(counts, asked, cells));
}

/* s v best_v alpha */
static void do_mixture(void) {
    double s = next();
    double v = next();
    double best_v = next();
    double alpha = next();
    double rho = canary__judge_mixture_rho(best_v, alpha);

    print(rho);
    print(canary__judge_mixture_ln(s, v, rho));
    print(canary__judge_mixture_bound(v, rho, alpha));
}

/* n k alpha best_n */
static void do_rate(void) {
    struct canary__judge_share share = next_share();
    double alpha = next();
    double low;
    double high;

    canary__judge_rate_interval(share, alpha, next(), &low, &high);
    print(low);
    print(high);
}

/* factor offset alpha best_n effect sign strata (n sum squares of the new, of the old)... */
static void do_means(void) {
    struct canary__judge_stratum strata[MOST_CELLS];
    struct canary__judge_means_question question;
    struct canary__judge_means_answer answer;
    size_t strata_count;
    int known;
    int sign;

    question.factor = next();
    question.offset = next();
    question.alpha = next();
    question.best_n = next();
    question.effect = next();
    sign = next_sign();
    strata_count = next_count(MOST_CELLS);
    for (size_t i = 0; i < strata_count; i++) {
        strata[i].fresh = next_sums();
        strata[i].old = next_sums();
    }
    known = canary__judge_means(strata, strata_count, &question, sign, &answer);
    print(known);
    print(answer.estimate);
    print(answer.error);
    print(answer.width);
    print(answer.p);
    print(answer.n);
    print(answer.strata);
}

/* alpha best_n (n sum squares) of the new and of the old: the sequence, and Welch's two tests */
static void do_lift(void) {
    double alpha = next();
    double best_n = next();
    const struct canary__judge_sums of_new = next_sums();
    const struct canary__judge_sums of_old = next_sums();
    struct canary__judge_arm fresh;
    struct canary__judge_arm old;
    struct canary__judge_test welch;
    struct canary__judge_lift_test lift;
    double low;
    double high;

    canary__judge_arm_of(&of_new, &fresh);
    canary__judge_arm_of(&of_old, &old);
    canary__judge_lift_interval(&fresh, &old, alpha, best_n, &low, &high);
    canary__judge_welch(&fresh, &old, &welch);
    canary__judge_welch_lift(&fresh, &old, alpha, &lift);
    print(low);
    print(high);
    print(welch.statistic);
    print(welch.df);
    print(welch.p);
    print(lift.lift);
    print(lift.error);
    print(lift.low);
    print(lift.high);
    print(lift.p);
}

/* T ticks (n_a k_a n_b k_b)... */
static void do_split(void) {
    double planned_ticks = next();
    size_t ticks = next_count(MOST_NUMBERS);
    struct canary__judge_split split;
    struct canary__judge_weight a;
    struct canary__judge_weight b;

    canary__judge_split_start(&split);
    for (size_t i = 0; i < ticks; i++) {
        struct canary__judge_share of_a = next_share();
        struct canary__judge_share of_b = next_share();

        canary__judge_split_add(&split, of_a, of_b, 1);
    }
    canary__judge_evidence_weigh(&split.a_up, planned_ticks, &a);
    canary__judge_evidence_weigh(&split.b_up, planned_ticks, &b);
    print(split.ticks);
    print(canary__judge_split_effect(&split));
    print(a.ln_w);
    print(b.ln_w);
}

/* n k of a, n k of b */
static void do_proportions(void) {
    struct canary__judge_share a = next_share();
    struct canary__judge_test test;

    canary__judge_two_proportions(a, next_share(), &test);
    print(test.statistic);
    print(test.p);
}

/* cells counts... asked... */
static void do_chi_square(void) {
    size_t cells = next_count(MOST_CELLS);
    double counts[MOST_CELLS];
    double asked[MOST_CELLS];
    struct canary__judge_test test;

    next_cells(counts, cells);
    next_cells(asked, cells);
    canary__judge_chi_square(counts, asked, cells, &test);
    print(test.statistic);
    print(test.p);
}

/* buckets a... b... */
static void do_ranks(void) {
    size_t buckets = next_count(MOST_CELLS);
    uint64_t cells[2][MOST_CELLS];
    struct canary__judge_test test;

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < buckets; i++) {
            cells[side][i] = (uint64_t)next();
        }
    }
    canary__judge_mann_whitney(cells[0], cells[1], buckets, &test);
    print(test.statistic);
    print(test.p);
}

/* (n k) of the long and of the short window, objective, factor */
static void do_burn(void) {
    struct canary__judge_share in_long = next_share();
    struct canary__judge_share in_short = next_share();
    double objective = next();
    double factor = next();

    print(canary__judge_burn(in_long, objective));
    print(canary__judge_burn(in_short, objective));
    print(canary__judge_burns(in_long, in_short, objective, factor));
}

/* budget window period */
static void do_factor(void) {
    double budget = next();
    double window = next();

    print(canary__judge_burn_factor(budget, window, next()));
}

/* rate share ratio margin alpha effect sign */
static void do_plan(void) {
    struct canary__judge_plan plan;

    plan.rate = next();
    plan.share = next();
    plan.ratio = next();
    plan.margin = next();
    plan.alpha = next();
    plan.effect = next();
    print(canary__judge_plan_requests(&plan, next_sign()));
}

static const struct {
    const char *name;
    void (*run)(void);
} functions[] = {
    { "evidence", do_evidence },
    { "interval", do_interval },
    { "mismatch", do_mismatch },
    { "batch", do_batch },
    { "mixture", do_mixture },
    { "rate", do_rate },
    { "means", do_means },
    { "lift", do_lift },
    { "split", do_split },
    { "burn", do_burn },
    { "proportions", do_proportions },
    { "ranks", do_ranks },
    { "chi_square", do_chi_square },
    { "factor", do_factor },
    { "plan", do_plan },
};

int main(void) {
    static char line[LINE];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t end = strcspn(line, " \n");
        size_t which = 0;
        char *rest = line + end;

        while (which < sizeof(functions) / sizeof(functions[0]) &&
               (strlen(functions[which].name) != end ||
                strncmp(functions[which].name, line, end) != 0)) {
            which++;
        }
        if (which == sizeof(functions) / sizeof(functions[0])) {
            fprintf(stderr, "no such function: %.*s\n", (int)end, line);
            return 2;
        }
        place = 0;
        for (count = 0; count < MOST_NUMBERS; count++) {
            char *after;

            numbers[count] = strtod(rest, &after);
            if (after == rest) {
                break;
            }
            rest = after;
        }
        printf("%s", functions[which].name);
        functions[which].run();
        printf("\n");
    }
    return 0;
}
