/* SPDX-License-Identifier: MIT */
/* Policies drawn at random from all that the format allows. */
#ifndef TESTS_JUDGE_RANDOM_POLICY_H
#define TESTS_JUDGE_RANDOM_POLICY_H

#include <stdint.h>

enum { RANDOM_POLICY_SIZE = 65536, RANDOM_POLICY_STAGES = 4 };

/* Metrics that they name: "error", "timeout", "hit" are proportions, then "duration", the value "price"
 * and the classification "answers". `mild` ones ask little: some traffic will satisfy them. */
void random_policy(uint64_t *seed, int mild, char text[RANDOM_POLICY_SIZE]);

#endif
