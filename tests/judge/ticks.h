/* SPDX-License-Identifier: MIT */
/* Policies and ticks of figures for tests of what is known of a rollout. */
#ifndef TESTS_JUDGE_TICKS_H
#define TESTS_JUDGE_TICKS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "judge/state.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
/* A moment on the edge of an hour. */
#define NOON (INT64_C(1793188800) * SECOND)

enum { GENERATION = 7, STAGE = 1 };

#define HARM                                                                                       \
    "{\"name\": \"harm\", \"metric\": \"error\", \"against\": \"old\", \"above\": 1.1,"            \
    " \"action\": \"rollback\"}"

/* A policy of these rules (JSON objects, comma-separated), ready to be judged by. */
struct world {
    canary_policy *policy;
    struct canary__state state;
    struct canary__tick tick; /* under way; every add_tick() moves it on by one */
    struct canary__tick_metric metrics[CANARY_POLICY_RULES_MAX];
};

/* Design effect 1 unless `more` (keys of the policy, with a comma at the end) says something. */
void world_open(struct world *world, const char *more, const char *rules);
void world_close(struct world *world);

/* Takes all figures out of the tick under way. */
void world_empty(struct world *world);
/* The metric of that name in the tick under way. */
struct canary__tick_metric *world_metric(struct world *world, const char *name);
/* Counts into the tick under way. */
void world_share(struct world *world, const char *metric, double n_new, double k_new, double n_old,
                 double k_old);
/* n values of a mean and a deviation of 1, of one cohort. */
void world_values(struct world *world, const char *metric, int cohort, double n, double mean);
/* `n` durations into a histogram; more calls add. */
void world_durations(struct world *world, const char *metric, int cohort, double n, int64_t ns);
/* Adds the tick under way, and begins the next one empty. */
int world_add(struct world *world);
/* The same tick, `count` times. */
void world_share_ticks(struct world *world, int count, const char *metric, double n_new,
                       double k_new, double n_old, double k_old);
/* Halves of the old cohort for "error", of n each. */
void world_halves(struct world *world, double n, double k_a, double k_b);
/* Evidence of rule 0. */
double world_ln_e(const struct world *world);
double world_ln_m(const struct world *world);
double world_ln_w(const struct world *world);
/* What rule 0 says. */
canary_rule_result world_result(const struct world *world);
int world_says(const struct world *world);

/* cmocka's compares floats. */
#define assert_near(a, b, off) near((a), (b), (off), __FILE__, __LINE__)
void near(double a, double b, double off, const char *file, int line);

/* Prints the seed, and takes it from CANARY_TEST_SEED. */
uint64_t random_seed(void);
uint64_t random_next(uint64_t *state);
double random_uniform(uint64_t *state);

#endif
