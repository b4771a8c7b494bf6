/* SPDX-License-Identifier: MIT */
/* Whether evidence keeps its promises when it is looked at after every tick: how often a healthy
 * release would be rolled back, and how many requests harm costs until it is found. Seeds are fixed.
 * A missed promise fails. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "judge/burn.h"
#include "judge/classical.h"
#include "judge/design_effect.h"
#include "judge/evidence.h"

static const double alpha = 0.05;
static const unsigned requests = 1000; /* a tick */

/* A healthy stream, tick by tick. */
struct world {
    const char *name;
    int ticks;
    double rate;      /* of bad requests in the first tick */
    double last_rate; /* and in the last */
    double daily;     /* the rate and the traffic swing by this part of themselves within a day */
    int ramp;         /* the new cohort's share goes 5, 25, 50 % */
    unsigned cluster; /* requests that fail or succeed together */
    int corrected;    /* by the design effect */
    double margin;
    double persons; /* relative spread of the rates of 20000 users, who keep their cohorts */
    int compared;   /* shown beside, and not held to the promise */
};

struct outcome {
    int runs;
    int rolled_back;
    int by_peeking; /* a z test below alpha after some tick */
    int in_time;    /* rolled back before the self-test spoke, which then holds such rules */
    int self_tests; /* halves of the old cohort that "differ" */
    double effect;  /* mean design effect at the end */
};

static int missed;

static struct canary__judge_share drawn(struct chance *chance, unsigned n, double rate,
                                        unsigned cluster) {
    unsigned users = n / cluster;

    return (struct canary__judge_share){
        .n = users * cluster,
        .k = chance_binomial(chance, users, rate) * cluster,
    };
}

static double share_at(const struct world *world, int tick) {
    if (!world->ramp) {
        return 0.05;
    }
    return tick < world->ticks / 3 ? 0.05 : tick < 2 * world->ticks / 3 ? 0.25 : 0.5;
}

/* What a cohort of so many users fails more than the average, for as long as it lasts. */
static double lasting(struct chance *chance, double spread, double users) {
    double sum = -6;

    for (int i = 0; i < 12; i++) {
        sum += chance_next(chance);
    }
    return 1 + sum * spread / sqrt(users);
}

/* One rollout of a release that changes nothing; each tick is looked at. */
static void live(const struct world *world, struct chance *chance, struct outcome *outcome) {
    const double day = 8640;
    struct canary__judge_evidence evidence;
    struct canary__judge_split split;
    struct canary__judge_tick total = { .fresh = { 0, 0 }, .old = { 0, 0 } };
    const double of_a = lasting(chance, world->persons, 9500);
    const double of_b = lasting(chance, world->persons, 9500);
    const double of_new = lasting(chance, world->persons, 1000);
    int rolled_back = 0;
    int peeked = 0;
    int differs = 0;
    int in_time = 0;

    canary__judge_evidence_start(&evidence);
    canary__judge_split_start(&split);
    for (int t = 0; t < world->ticks; t++) {
        double swing = 1 + world->daily * sin(2 * M_PI * t / day);
        double rate = (world->rate + (world->last_rate - world->rate) * t / world->ticks) * swing;
        unsigned n = (unsigned)(requests * swing);
        unsigned fresh = (unsigned)(n * share_at(world, t));
        unsigned half = (n - fresh) / 2;
        struct canary__judge_share a = drawn(chance, half, rate * of_a, world->cluster);
        struct canary__judge_share b = drawn(chance, n - fresh - half, rate * of_b, world->cluster);
        struct canary__judge_tick tick = {
            .fresh = drawn(chance, fresh, rate * of_new, world->cluster),
            .old = { .n = a.n + b.n, .k = a.k + b.k },
        };
        struct canary__judge_weight weight;
        struct canary__judge_step step;
        struct canary__judge_test z;
        double effect = world->corrected ? canary__judge_split_effect(&split) : 1;

        if (canary__judge_step_above(&tick, world->margin, effect, &step) == CANARY__JUDGE_YES) {
            canary__judge_evidence_add(&evidence, &step, 1);
        }
        canary__judge_evidence_weigh(&evidence, world->ticks, &weight);
        rolled_back |= canary__judge_is_proven(weight.ln_w, alpha) == CANARY__JUDGE_YES;
        in_time |= rolled_back && !differs;
        if (world->corrected) {
            canary__judge_split_add(&split, a, b, 1);
            differs |=
                canary__judge_split_differs(&split, world->ticks, alpha) == CANARY__JUDGE_YES;
        }
        total.fresh.n += tick.fresh.n;
        total.fresh.k += tick.fresh.k;
        total.old.n += tick.old.n;
        total.old.k += tick.old.k;
        canary__judge_two_proportions(total.fresh, total.old, &z);
        peeked |= z.p < 2 * alpha && z.statistic > 0; /* one-sided */
    }
    outcome->runs++;
    outcome->rolled_back += rolled_back;
    outcome->in_time += in_time;
    outcome->by_peeking += peeked;
    outcome->self_tests += differs;
    outcome->effect += canary__judge_split_effect(&split);
}

static void healthy(const struct world *world, int runs, uint64_t seed) {
    struct outcome outcome = { .runs = 0 };
    double most = alpha + 3 * sqrt(alpha * (1 - alpha) / runs);
    double part;

    for (int run = 0; run < runs; run++) {
        struct chance chance = { seed + (uint64_t)run * UINT64_C(1000003) };

        live(world, &chance, &outcome);
    }
    part = (double)outcome.rolled_back / runs;
    printf("%-40s %5.1f %%  peeked z test %5.1f %%", world->name, 100 * part,
           100.0 * outcome.by_peeking / runs);
    if (world->corrected) {
        printf("  self-test %4.1f %%, before it %4.1f %%, D %.2f",
               100.0 * outcome.self_tests / runs, 100.0 * outcome.in_time / runs,
               outcome.effect / runs);
    }
    if (world->compared) {
        printf("  (for comparison)\n");
    } else {
        printf("  at most %.1f %%%s\n", 100 * most, part <= most ? "" : ": MISSED");
        missed |= !(part <= most);
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Requests of the new cohort until harm is proven. `before` ticks without harm come first. */
static double until_found(struct chance *chance, double ratio, int before, unsigned a_tick) {
    const double planned = 8640;
    const double rate = 0.01;
    const unsigned fresh = a_tick / 20;
    struct canary__judge_evidence evidence;

    canary__judge_evidence_start(&evidence);
    for (int t = 0;; t++) {
        double fresh_rate = t < before ? rate : rate * ratio;
        const struct canary__judge_tick tick = {
            .fresh = drawn(chance, fresh, fresh_rate, 1),
            .old = drawn(chance, a_tick - fresh, rate, 1),
        };
        struct canary__judge_weight weight;
        struct canary__judge_step step;

        canary__judge_step_above(&tick, 1, 1, &step);
        canary__judge_evidence_add(&evidence, &step, t < planned);
        canary__judge_evidence_weigh(&evidence, planned, &weight);
        if (canary__judge_is_proven(weight.ln_w, alpha) == CANARY__JUDGE_YES) {
            return (t + 1 - before) * (double)fresh;
        }
    }
}

/* `expected` is the promised median, or 0. */
static void harmful(double ratio, int before, double expected, int runs, uint64_t seed) {
    const struct canary__judge_plan plan = {
        .rate = 0.01, .share = 0.05, .ratio = ratio, .margin = 1, .alpha = alpha, .effect = 1
    };
    double *found = calloc((size_t)runs, sizeof(*found));
    double median;

    if (found == NULL) {
        exit(1);
    }
    for (int run = 0; run < runs; run++) {
        struct chance chance = { seed + (uint64_t)run * UINT64_C(1000003) };

        found[run] = until_found(&chance, ratio, before, requests);
    }
    qsort(found, (size_t)runs, sizeof(*found), ascending);
    median = found[runs / 2];
    printf("ratio %-4g after %5d ticks: median %6.0f requests of the new cohort, 90 %% %6.0f",
           ratio, before, median, found[runs * 9 / 10]);
    if (before == 0) {
        printf(", planned %6.0f", canary__judge_plan_requests(&plan, 1));
    }
    if (expected > 0) {
        printf(", promised %g", expected);
        if (!(fabs(median - expected) <= 0.2 * expected)) {
            printf("  MISSED");
            missed = 1;
        }
    }
    printf("\n");
    free(found);
}

int main(int argc, char **argv) {
    static const struct world worlds[] = {
        { .name = "no difference",
          .ticks = 5000,
          .rate = 0.01,
          .last_rate = 0.01,
          .cluster = 1,
          .margin = 1 },
        { .name = "rare failures",
          .ticks = 5000,
          .rate = 0.0005,
          .last_rate = 0.0005,
          .cluster = 1,
          .margin = 1 },
        { .name = "rate rises during the ramp",
          .ticks = 5000,
          .rate = 0.005,
          .last_rate = 0.02,
          .ramp = 1,
          .cluster = 1,
          .margin = 1 },
        { .name = "rate and traffic swing by half, daily",
          .ticks = 8640,
          .rate = 0.01,
          .last_rate = 0.01,
          .daily = 0.5,
          .ramp = 1,
          .cluster = 1,
          .margin = 1 },
        { .name = "users of 5 requests, corrected",
          .ticks = 5000,
          .rate = 0.01,
          .last_rate = 0.01,
          .cluster = 5,
          .corrected = 1,
          .margin = 1 },
        { .name = "users of 5 requests, not corrected",
          .ticks = 5000,
          .rate = 0.01,
          .last_rate = 0.01,
          .cluster = 5,
          .margin = 1,
          .compared = 1 },
        { .name = "users who differ for good, margin 1",
          .ticks = 5000,
          .rate = 0.01,
          .last_rate = 0.01,
          .cluster = 1,
          .corrected = 1,
          .margin = 1,
          .persons = 3,
          .compared = 1 },
        { .name = "users who differ for good, margin 1.5",
          .ticks = 5000,
          .rate = 0.01,
          .last_rate = 0.01,
          .cluster = 1,
          .corrected = 1,
          .margin = 1.5,
          .persons = 3,
          .compared = 1 },
    };
    int smoke = argc > 1 && strcmp(argv[1], "--smoke") == 0;
    int runs = smoke ? 40 : 600;

    printf("healthy releases rolled back, alpha %g, %d runs each, every tick looked at:\n", alpha,
           runs);
    for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
        healthy(&worlds[i], worlds[i].compared ? runs / 4 : runs, 20260 + i);
    }
    printf("requests until harm is found, 1 %% failures, 5 %% in the new cohort:\n");
    harmful(10, 0, 0, smoke ? 200 : 2000, 1);
    harmful(5, 0, 150, smoke ? 200 : 2000, 2);
    harmful(2, 0, 1100, smoke ? 200 : 2000, 3);
    harmful(1.5, 0, 0, smoke ? 50 : 500, 4);
    harmful(5, 2000, 0, smoke ? 20 : 200, 5);
    harmful(2, 2000, 0, smoke ? 20 : 200, 6);
    return missed;
}
