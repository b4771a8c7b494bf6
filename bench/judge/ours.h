/* SPDX-License-Identifier: MIT */
/* libcanary's evidence on a stream, as a guard uses it: anew with each stage, by a design effect that is
 * measured between two halves of the old cohort, before the release begins and on. */
#ifndef BENCH_OURS_H
#define BENCH_OURS_H

#include "judge/design_effect.h"
#include "release.h"

#define OURS_ALPHA 0.05

struct ours {
    struct canary__judge_evidence evidence;
    double margin;
};

/* 1 when it would roll back. `effect` is known before the tick. */
int ours_look(struct ours *ours, double effect, const struct release *release,
              const struct release_tick *tick);

/* An hour before the release, which makes the effect known. */
void ours_before(struct canary__judge_split *split, struct release *release);

/* The highest part of `runs` releases that alpha allows, with three standard deviations of chance. */
double ours_most(int runs);

#endif
