/* SPDX-License-Identifier: MIT */
/* The other processes, looked at after every tick at the very edge of what they allow: an advance that
 * must not be made, a limit that is just kept, equal means, users divided as asked. None may say
 * otherwise more often than alpha. Seeds are fixed; a missed promise fails. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "judge/burn.h"
#include "judge/evidence.h"
#include "judge/means.h"
#include "judge/srm.h"

static const double alpha = 0.05;
static int missed;

static struct canary__judge_share drawn(struct chance *chance, unsigned n, double rate) {
    return (struct canary__judge_share){ .n = n, .k = chance_binomial(chance, n, rate) };
}

/* E alone: an advance and a limit ask about all of the time since the generation began. */
static int added(struct canary__judge_evidence *evidence, const struct canary__judge_step *step) {
    struct canary__judge_weight weight;

    canary__judge_evidence_add(evidence, step, 0);
    canary__judge_evidence_weigh(evidence, 1, &weight);
    return canary__judge_is_proven(weight.ln_e, alpha) == CANARY__JUDGE_YES;
}

/* Ticks until "below 1.5 times the old rate" is proven of a release whose ratio is `ratio`; 0 for never. */
static int advance(struct chance *chance, double ratio, int ticks) {
    struct canary__judge_evidence evidence;

    canary__judge_evidence_start(&evidence);
    for (int t = 1; t <= ticks; t++) {
        unsigned fresh = ratio < 1.5 || t < ticks / 2 ? 50 : 250;
        const struct canary__judge_tick tick = {
            .fresh = drawn(chance, fresh, 0.01 * ratio),
            .old = drawn(chance, 1000 - fresh, 0.01),
        };
        struct canary__judge_step step;

        canary__judge_step_below(&tick, 1.5, 1, &step);
        if (added(&evidence, &step)) {
            return t;
        }
    }
    return 0;
}

static int false_advance(struct chance *chance) {
    return advance(chance, 1.5, 2000) > 0;
}

static int false_over(struct chance *chance) {
    struct canary__judge_evidence evidence;
    struct canary__judge_step step;

    canary__judge_evidence_start(&evidence);
    for (int t = 0; t < 2000; t++) {
        canary__judge_step_over(drawn(chance, 50, 0.02), 0.02, 1, &step);
        if (added(&evidence, &step)) {
            return 1;
        }
    }
    return 0;
}

static int false_under(struct chance *chance) {
    struct canary__judge_evidence evidence;
    struct canary__judge_step step;

    canary__judge_evidence_start(&evidence);
    for (int t = 0; t < 2000; t++) {
        canary__judge_step_under(drawn(chance, 50, 0.02), 0.02, 1, &step);
        if (added(&evidence, &step)) {
            return 1;
        }
    }
    return 0;
}

/* Log-normal: with a tail, as costs and durations have. */
static void values(struct chance *chance, struct canary__judge_sums *sums, int n, double scale) {
    for (int i = 0; i < n; i++) {
        double radius = sqrt(-2 * log(1 - chance_next(chance)));
        double value = scale * exp(0.8 * radius * cos(2 * M_PI * chance_next(chance)));

        sums->n += 1;
        sums->sum += value;
        sums->squares += value * value;
    }
}

/* Two stages, and both cohorts dearer in the second, where more users are in the new one: pooled, that
 * would be a difference. */
static int false_mean(struct chance *chance) {
    const struct canary__judge_means_question question = {
        .factor = 1, .offset = 0, .alpha = alpha, .best_n = 5000, .effect = 1
    };
    struct canary__judge_stratum strata[2];

    memset(strata, 0, sizeof(strata));
    for (int t = 0; t < 400; t++) {
        struct canary__judge_stratum *now = &strata[t / 200];
        struct canary__judge_means_answer answer;

        values(chance, &now->fresh, t < 200 ? 5 : 25, t < 200 ? 1 : 1.5);
        values(chance, &now->old, t < 200 ? 45 : 25, t < 200 ? 1 : 1.5);
        if (canary__judge_means(strata, 2, &question, 1, &answer) == CANARY__JUDGE_YES) {
            return 1;
        }
    }
    return 0;
}

static int false_mismatch(struct chance *chance) {
    const double asked[2] = { 0.95, 0.05 };
    double counts[2] = { 0, 0 };

    for (int t = 0; t < 2000; t++) {
        unsigned fresh = chance_binomial(chance, 200, 0.05);

        counts[0] += 200 - fresh;
        counts[1] += fresh;
        /* At 1/alpha, so that there is something to count: at 1000 it is one in a thousand. */
        if (canary__judge_mismatch(counts, asked, 2, CANARY__JUDGE_SRM_WEIGHT) >= -log(alpha)) {
            return 1;
        }
    }
    return 0;
}

static int ascending(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

static void advances(int runs) {
    const struct canary__judge_plan plan = {
        .rate = 0.01, .share = 0.05, .ratio = 1, .margin = 1.5, .alpha = alpha, .effect = 1
    };
    int *ticks = calloc((size_t)runs, sizeof(*ticks));
    double planned = canary__judge_plan_requests(&plan, -1);
    double median;

    if (ticks == NULL) {
        exit(1);
    }
    for (int run = 0; run < runs; run++) {
        struct chance chance = { 77 + (uint64_t)run * UINT64_C(1000003) };

        ticks[run] = advance(&chance, 1, 100000);
    }
    qsort(ticks, (size_t)runs, sizeof(*ticks), ascending);
    median = ticks[runs / 2] * 50.0;
    printf(
        "proven below 1.5 at ratio 1: median %.0f requests of the new cohort, 90 %% %.0f, planned "
        "%.0f%s\n",
        median, ticks[runs * 9 / 10] * 50.0, planned,
        fabs(planned - median) <= 0.25 * median ? "" : ": MISSED");
    missed |= !(fabs(planned - median) <= 0.25 * median);
    free(ticks);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*errs)(struct chance *);
    } worlds[] = {
        { "advance at a ratio of exactly the margin", false_advance },
        { "above a limit that is just kept", false_over },
        { "below a limit that is just reached", false_under },
        { "higher mean of equal log-normal values", false_mean },
        { "mismatch of users divided as asked", false_mismatch },
    };
    int smoke = argc > 1 && strcmp(argv[1], "--smoke") == 0;
    int runs = smoke ? 60 : 1000;
    double most = alpha + 3 * sqrt(alpha * (1 - alpha) / runs);

    printf("wrong at the edge, alpha %g, %d runs each, every tick looked at:\n", alpha, runs);
    for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
        int wrong = 0;

        for (int run = 0; run < runs; run++) {
            struct chance chance = { 4000 + i + (uint64_t)run * UINT64_C(1000003) };

            wrong += worlds[i].errs(&chance);
        }
        printf("%-42s %4.1f %%, at most %.1f %%%s\n", worlds[i].name, 100.0 * wrong / runs,
               100 * most, wrong <= most * runs ? "" : ": MISSED");
        missed |= !(wrong <= most * runs);
    }
    advances(smoke ? 60 : 500);
    return missed;
}
