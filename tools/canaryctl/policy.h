/* SPDX-License-Identifier: MIT */
/* Policies: what the commands about them have in common. */
#ifndef CTL_POLICY_H
#define CTL_POLICY_H

#include "session.h"

#include <canary/policy.h>

#include <jansson.h>
#include <stdbool.h>

/* What is wrong, or looks wrong, with a policy. */
struct policy_problems {
    struct text lines; /* for people */
    json_t *array;     /* the same for programs */
    uint32_t errors;   /* of them */
    uint32_t warnings;
    bool reading;          /* of the text, where each problem is an error */
    uint32_t store_errors; /* of a check against a store, counted by the library */
};

void policy_problems_begin(struct policy_problems *problems);
void policy_problems_end(struct policy_problems *problems);
/* Adds one: a canary_policy_problem_fn. */
int policy_problem(void *user_data, const char *place, const char *message);

/* Reads a file, standard input for NULL and "-". Returns 0 or the exit code after an error was told. */
int policy_read_file(const struct session *session, const char *file, struct text *out);
/* Holds a sound policy against the session's rollout. As above. */
int policy_compare(const struct session *session, const canary_policy *policy,
                   struct policy_problems *problems);

/* The policy in plain sentences. */
void policy_explain(const canary_policy *policy, struct text *out);
/* The same as an array of lines. */
json_t *policy_explanation(const canary_policy *policy);
/* The text as a JSON value. */
json_t *policy_value(const canary_policy *policy);
/* Name, digest, mode and counts. */
void policy_set_head(json_t *object, const canary_policy *policy);

/* A policy that is not in force, with what to do: session_error() with better advice. */
int policy_missing(const struct session *session, const canary_error *error);

#endif
