/* SPDX-License-Identifier: MIT */
/* The policies of examples/policies, and what tests expect of them. */
#ifndef TESTS_JUDGE_EXAMPLES_H
#define TESTS_JUDGE_EXAMPLES_H

#include "traffic.h"

/* Everybody fares well. */
extern const struct behaviour examples_well;

/* By the folder and the seed of example_arguments(); at 0 %, both cohorts well. */
struct traffic *example_open(const char *name);
void example_close(struct traffic *traffic);

/* Watched for an hour before anybody is exposed, so that the design effect is known. */
void example_warm_up(struct traffic *traffic);

void expect_hold(struct traffic *traffic, int cause, const char *rule);
/* Holds until a person agrees, and goes up by one then. */
void expect_advance(struct traffic *traffic);
/* A rule fires, and no other one does; it leads where it should. */
void expect_firing(struct traffic *traffic, int64_t took_ns, const char *rule, int to_stage);
/* The same, within some time. */
void expect_rollback(struct traffic *traffic, int64_t most_ns, const char *rule, int to_stage);

/* From 0 % to the end of the last stage's time, in `most_ns` more than the dwell times; by day and by
 * night. Nothing pulls it back at any tick. */
void expect_climb(struct traffic *traffic, int64_t most_ns);

/* Takes the folder, which is the only argument, and prints the seed. 0, or -1. */
int example_arguments(int argc, char **argv);

#endif
