/* SPDX-License-Identifier: MIT */
/* Scenes for the gate: what surrounds it is set by hand, so that each of its steps is met alone. */
#ifndef TEST_SCENES_H
#define TEST_SCENES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge/gate.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define BEGAN (INT64_C(1790000000) * SECOND)

/* Rules of the usual policy, in its order. */
enum { TIMEOUTS, ERRORS, SLOW, NO_HARM, ACCURATE, WARNING, RULES };

struct scene {
    struct canary_policy policy;
    struct canary__state state;
    struct canary__scene around;
    canary_rollout rollout;
    canary_rule_result said[CANARY_POLICY_RULES_MAX]; /* by the state */
    int self_test;
    double highest;

    canary_verdict verdict;
    canary_rule_result results[CANARY_POLICY_RULES_MAX];
};

/* A release at 25 %, stage 2 of 5, 25, 50, 100, that may go on: everything shown, its time over. */
struct scene *scene_usual(void);
void scene_free(struct scene *scene);
/* Puts it at a percentage and the stage that goes with it. */
void scene_at(struct scene *scene, uint32_t percentage_bp);
/* Judges it. */
const canary_verdict *scene_judge(struct scene *scene);

/* Each makes one thing speak against an advance. */
void kill_it(struct scene *scene);
void freeze(struct scene *scene);
void close_it(struct scene *scene);
void break_limit(struct scene *scene);
void damage(struct scene *scene);
void prove_harm(struct scene *scene);
void go_silent(struct scene *scene);
void divide_badly(struct scene *scene);
void know_another(struct scene *scene);
void know_too_little(struct scene *scene);
void be_early(struct scene *scene);
void be_slow(struct scene *scene);
void show_nothing(struct scene *scene);
void try_too_often(struct scene *scene);
void cool_down(struct scene *scene);
void want_approval(struct scene *scene);

/* The steps of the gate in their order, each with what makes it decide. */
struct step {
    const char *name;
    void (*make)(struct scene *scene);
    int action;
    int cause;
    int rule;
};
enum { STEPS = 16 };
extern const struct step steps[STEPS];

void expect(const canary_verdict *verdict, int action, int cause, int rule, const char *what);

#endif
