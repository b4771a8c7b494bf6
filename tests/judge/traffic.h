/* SPDX-License-Identifier: MIT */
/* A rollout under a whole policy, with simulated traffic: figures tick by tick into the state, and the
 * gate. No store, no clock. */
#ifndef TESTS_JUDGE_TRAFFIC_H
#define TESTS_JUDGE_TRAFFIC_H

#include "judge/gate.h"
#include "ticks.h"

#define DAY (24 * HOUR)

/* How one cohort fares. */
struct behaviour {
    double error; /* shares of requests */
    double timeout;
    double accuracy;
    double cache_hit;
    double seconds; /* of most requests, on average */
    double slow;    /* share that takes slow_seconds */
    double slow_seconds;
    double cost; /* on average */
    double f1;   /* of the classification "quality" */
};

struct traffic {
    canary_policy *policy;
    struct canary__state state;
    canary_rollout rollout;
    struct canary__scene scene;
    canary_verdict verdict;
    canary_rule_result results[CANARY_POLICY_RULES_MAX];
    struct behaviour side[2]; /* by cohort */
    double per_tick;          /* requests of both */
    double
        cycle; /* by so much of it, requests and failures are more or less in the course of a day */
    int64_t now_ns; /* where the next tick begins */
    uint64_t seed;
    struct canary__tick_metric metrics[CANARY_POLICY_RULES_MAX];
    uint64_t buckets[2][CANARY_DURATION_BUCKETS];
};

/* Prints the seed: CANARY_TEST_SEED, or else always the same. What holds with a probability is asserted
 * with room for chance, which another seed each time would use up some day. */
uint64_t traffic_seed(void);

/* Draws how often something of probability p happens in n times. */
double traffic_binomial(uint64_t *seed, double n, double p);

/* At 0 %, of a policy's text or file, with its ladder (else 5, 25, 50, 100 %). */
void traffic_open_text(struct traffic *traffic, const char *text, uint64_t seed);
void traffic_open_file(struct traffic *traffic, const char *folder, const char *name,
                       uint64_t seed);
void traffic_close(struct traffic *traffic);

/* A generation begins at a stage, and began `ago_ns` before its first figures. */
void traffic_set(struct traffic *traffic, int stage, int64_t ago_ns);

/* Draws the figures of one tick; adds it to the state, which takes it. */
void traffic_draw(struct traffic *traffic, struct canary__tick *tick);
void traffic_tick(struct traffic *traffic);
/* So many, without looking. */
void traffic_run(struct traffic *traffic, int64_t ns);
/* Ticks until a rollback rule fires, for `most_ns`: how long it took, or -1. */
int64_t traffic_run_until_firing(struct traffic *traffic, int64_t most_ns);

/* Asks the gate, and holds what it says against itself: see traffic.c. */
const canary_verdict *traffic_judge(struct traffic *traffic);

/* Rollback rules of the policy that fire. */
int traffic_firing(const struct traffic *traffic);
/* The name of the rule that decided, "" = none. */
const char *traffic_decider(const struct traffic *traffic);
/* What a rule says. */
const canary_rule_result *traffic_result(const struct traffic *traffic, const char *rule);

#endif
