/* SPDX-License-Identifier: MIT */
/* The rules by which others judge a release, on counts of a tick. From their documentation and sources:
 *
 * Flagger 1.44.0 (docs: "How it works", "Metrics Analysis"; scheduler.go, scheduler_metrics.go). Each
 * interval, 1 minute, the success rate of the canary in the last minute is held against a least value,
 * 99 % in the examples. A check that fails is counted, and the count is never taken back within a
 * release; when it has reached the threshold, the next interval rolls back.
 *
 * Argo Rollouts 1.9.1 (docs: "Analysis & Progressive Delivery"; analysis.go). A measurement each interval,
 * 5 minutes in the example of a background analysis, meets its success condition, `result >= 0.95` there,
 * or is a failure. More failures than failureLimit, 3 there, abort the rollout. A measurement that is
 * neither (inconclusiveLimit, 0), or that is none (consecutiveErrorLimit, 4), does not come up here: one
 * condition is given, and it can always be measured. The query of the example is an irate over 5 minutes,
 * of the last two scrapes; here it is the rate of all 5 minutes, which is kinder to it.
 *
 * Kayenta 2.46.0 (docs: "Canary Config", "Frequently Asked Questions", "json-formats"; NetflixACAJudge,
 * MannWhitneyClassifier, MannWhitney). One value a minute of the canary and of a baseline of the same size.
 * A metric is High when the interval of the shift between both, at 98 %, after Mann and Whitney, lies
 * above a quarter of the shift's estimate, and the ratio of means is at least the allowed increase, 1. One
 * metric makes a score of 0 or 100, so that every threshold of the score is the same. It is judged each
 * hour over all of the stage (a lookback of 0).
 *
 * And two that people write themselves: a z test at 0.05 that is looked at after each tick, and "error rate
 * up 50 % over 5 minutes". */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "release.h"

enum {
    PEERS_MINUTES = 2 * RELEASE_DAY / RELEASE_MINUTE, /* of a stage, at most */
    PEERS_WINDOW = 30,                                /* ticks: 5 minutes */
};

/* Sums over the last ticks, up to 5 minutes of them. */
struct peers_window {
    struct canary__judge_share ticks[PEERS_WINDOW];
    int count;
};

struct peers_success {
    double least; /* success rate */
    int every;    /* ticks between two checks, and the window */
    int failures; /* of checks: roll back when there are more */
    int next;     /* 1: at the next check, not at once */
    int failed;
    struct peers_window window;
};

struct peers_kayenta {
    double fresh[PEERS_MINUTES]; /* in ascending order */
    double baseline[PEERS_MINUTES];
    int minutes;
    struct canary__judge_share minute[2];
};

struct peers_z {
    struct canary__judge_tick total;
};

struct peers_up {
    double factor;
    struct peers_window fresh;
    struct peers_window old;
};

/* Each looks at a tick and answers 1 when it would roll back. */
int peers_success_look(struct peers_success *success, const struct release_tick *tick);
int peers_kayenta_look(struct peers_kayenta *kayenta, const struct release_tick *tick);
int peers_z_look(struct peers_z *z, const struct release_tick *tick);
int peers_up_look(struct peers_up *up, const struct release_tick *tick);

#endif
