/* SPDX-License-Identifier: MIT */
/* A policy as an object: what it says about itself, and what its rules ask. */
#include "judge/policy.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "judge/sized.h"

void canary_policy_close(canary_policy **policy) {
    if (policy == NULL || *policy == NULL) {
        return;
    }
    free((*policy)->text);
    free(*policy);
    *policy = NULL;
}

void canary_policy_info_init(canary_policy_info *info, uint32_t size) {
    const canary_policy_info defaults = CANARY_POLICY_INFO_INIT;

    canary__judge_sized_init(info, size, &defaults, sizeof defaults);
}

int canary_policy_describe(const canary_policy *policy, canary_policy_info *out) {
    canary_policy_info info = CANARY_POLICY_INFO_INIT;

    if (policy == NULL) {
        return CANARY_E_INVALID;
    }
    info.mode = policy->mode;
    info.frozen = policy->frozen;
    info.rule_count = policy->rule_count;
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        /* In the order of their first rule. */
        if (policy->rules[i].metric_index >= info.metric_count) {
            info.metric_count = policy->rules[i].metric_index + 1;
        }
    }
    info.stage_count = policy->stage_count;
    info.objective_count = policy->objective_count;
    info.attempts = policy->attempts;
    info.alpha = policy->alpha;
    info.design_effect = policy->design_effect;
    info.grace_ns = policy->grace_ns;
    info.cooldown_ns = policy->cooldown_ns;
    memcpy(info.name, policy->name, sizeof info.name);
    memcpy(info.digest, policy->digest, sizeof info.digest);
    memcpy(info.description, policy->description, sizeof info.description);
    return canary__judge_sized_out(out, &info, sizeof info) == 0 ? CANARY_OK : CANARY_E_INVALID;
}

const char *canary_policy_text(const canary_policy *policy, uint64_t *size) {
    if (size != NULL) {
        *size = policy != NULL ? policy->text_size : 0;
    }
    return policy != NULL ? policy->text : NULL;
}

const char *canary_mode_name(int mode) {
    switch (mode) {
    case CANARY_MODE_OBSERVE:
        return "observe";
    case CANARY_MODE_APPROVE:
        return "approve";
    case CANARY_MODE_AUTO:
        return "auto";
    default:
        return "unknown";
    }
}

static void put(crypto_hash_sha256_state *state, uint64_t value) {
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(value >> (8 * i));
    }
    crypto_hash_sha256_update(state, bytes, sizeof bytes);
}

static void put_double(crypto_hash_sha256_state *state, double value) {
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    put(state, bits);
}

void canary__policy_question(const struct canary__rule *rule, struct canary__question *out) {
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    put(&state, 1); /* of this order of fields, which stores hold */
    put(&state, strlen(rule->metric));
    crypto_hash_sha256_update(&state, (const unsigned char *)rule->metric, strlen(rule->metric));
    put(&state, (uint64_t)rule->statistic);
    put_double(&state, rule->quantile);
    put(&state, (uint64_t)rule->cohort);
    put(&state, (uint64_t)rule->against);
    put(&state, (uint64_t)rule->proof);
    put(&state, (uint64_t)rule->above);
    put_double(&state, rule->threshold);
    put_double(&state, rule->objective);
    put(&state, (uint64_t)rule->window_ns);
    put(&state, (uint64_t)rule->short_window_ns);
    crypto_hash_sha256_final(&state, digest);
    memcpy(out->bytes, digest, sizeof out->bytes);
}

int64_t canary__policy_longest_window(const struct canary_policy *policy) {
    int64_t longest = 0;

    for (uint32_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].window_ns > longest) {
            longest = policy->rules[i].window_ns;
        }
    }
    return longest;
}

int64_t canary__policy_dwell(const struct canary_policy *policy, const canary_rollout *rollout,
                             int stage) {
    if (stage < 0) {
        return 0;
    }
    if (policy != NULL && stage > 0 && (uint32_t)stage <= policy->stage_count &&
        policy->stages[stage - 1].dwell_ns >= 0) {
        return policy->stages[stage - 1].dwell_ns;
    }
    return (uint32_t)stage < rollout->stage_count ? rollout->dwell_ns[stage] : 0;
}
