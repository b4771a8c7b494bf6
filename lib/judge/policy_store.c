/* SPDX-License-Identifier: MIT */
/* Policies in a store: put in force, and read back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/policy_check.h"

static int refuse(void *user_data, const char *place, const char *message) {
    canary_error *first = user_data;

    if (first->code == CANARY_OK) {
        canary__judge_fail(first, CANARY_E_REFUSED, "%s: %s", place, message);
    }
    return 0;
}

int canary_policy_set(canary_store *store, const char *rollout, const canary_policy *policy,
                      const canary_change_options *options, canary_change *out,
                      canary_error *error) {
    canary_error first = CANARY_ERROR_INIT;
    uint32_t errors = 0;
    int code;

    if (store == NULL || policy == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "%s is NULL",
                                  store == NULL ? "store" : "policy");
    }
    code = canary__policy_compare(policy, store, rollout, 0, refuse, &first, &errors, error);
    if (code != CANARY_OK) {
        return code;
    }
    if (errors > 0) {
        return canary__judge_fail(error, CANARY_E_REFUSED,
                                  "policy \"%.40s\" does not fit \"%.40s\": %s", policy->name,
                                  rollout, first.message);
    }
    return canary_rollout_policy_set(store, rollout, policy->text, policy->text_size, options, out,
                                     error);
}

int canary_policy_load(canary_store *store, const char *rollout, const char *digest,
                       canary_policy **out, canary_error *error) {
    const uint64_t capacity = CANARY_POLICY_MAX + 1;
    canary_error trouble = CANARY_ERROR_INIT;
    uint64_t size = 0;
    char *text;
    int code;

    if (store == NULL || out == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "%s is NULL",
                                  store == NULL ? "store" : "out");
    }
    *out = NULL;
    text = malloc(capacity);
    if (text == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for the text of a policy");
    }
    code = canary_rollout_policy_read(store, rollout, digest, text, capacity, &size, NULL, error);
    if (code == CANARY_OK) {
        code = canary_policy_parse(text, size, out, NULL, NULL, &trouble);
        if (code != CANARY_OK) {
            canary__judge_fail(error, code, "the policy of \"%.60s\" in the store: %s", rollout,
                               trouble.message);
        }
    }
    free(text);
    return code;
}
