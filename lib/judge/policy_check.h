/* SPDX-License-Identifier: MIT */
/* A policy held against a rollout of a store. */
#ifndef CANARY__JUDGE_POLICY_CHECK_H
#define CANARY__JUDGE_POLICY_CHECK_H

#include "judge/policy.h"

/* As canary_policy_check(). `warnings` 0: errors only, and figures that cannot be read contradict
 * nothing: a stricter policy can be put in force while the metrics are away. */
int canary__policy_compare(const canary_policy *policy, canary_store *store, const char *rollout,
                           int warnings, canary_policy_problem_fn problem, void *user_data,
                           uint32_t *errors, canary_error *error);

#endif
