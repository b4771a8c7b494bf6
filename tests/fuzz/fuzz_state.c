/* SPDX-License-Identifier: MIT */
/* Any bytes as stored evidence, as they are and with the seal that they should have. What is refused
 * changes nothing; what is read is written and read as the same, and can be judged by and added to. */
#include "claim.h"

#include <canary/policy.h>
#include <string.h>

#include "judge/state.h"
#include "judge/state_stored.h"

static const char text[] =
    "{\"policy\": 1, \"name\": \"fuzz\", \"rules\": ["
    "{\"name\": \"harm\", \"metric\": \"error\", \"against\": \"old\", \"above\": 1.5,"
    " \"action\": \"rollback\"},"
    "{\"name\": \"slow\", \"metric\": \"duration\", \"statistic\": \"p95\", \"against\": \"old\","
    " \"above\": 1.3, \"action\": \"rollback\"},"
    "{\"name\": \"cost\", \"metric\": \"cost\", \"statistic\": \"mean\", \"against\": \"old\","
    " \"below\": 1.2, \"action\": \"require\"},"
    "{\"name\": \"errors\", \"metric\": \"error\", \"above\": \"4%\", \"window\": \"2m\","
    " \"for\": \"3m\", \"action\": \"rollback\"}]}";

static canary_policy *policy;

static void open_state(struct canary__state *state) {
    FUZZ_CLAIM(canary__state_open(policy, state, NULL) == CANARY_OK);
}

static uint8_t *written(const struct canary__state *state, size_t *size) {
    uint8_t *data = NULL;

    FUZZ_CLAIM(canary__state_encode(state, &data, size, NULL) == CANARY_OK);
    return data;
}

static void is_written_as(const struct canary__state *state, const uint8_t *data, size_t size) {
    size_t size_now;
    uint8_t *now = written(state, &size_now);

    FUZZ_CLAIM(size_now == size && memcmp(now, data, size) == 0);
    free(now);
}

/* Whatever it says: no comparison may be upset by it. */
static void judge(struct canary__state *state) {
    struct canary__tick_metric metrics[CANARY_POLICY_RULES_MAX] = { { .kind = 0 } };
    struct canary__tick tick = { .from_ns = state->through_ns,
                                 .to_ns = state->through_ns,
                                 .generation = state->generation,
                                 .metrics = metrics };
    canary_rule_result result;
    char metric[64];

    for (int cohort = 0; cohort < 2; cohort++) {
        metrics[0].kind = CANARY_METRIC_PROPORTION;
        metrics[0].side[cohort].n = 100;
        metrics[0].side[cohort].k = 3;
        metrics[0].half[cohort].n = 50;
        metrics[0].half[cohort].k = 2;
    }
    canary__state_recall(state, policy, &tick);
    canary__state_add(state, policy, &tick, 1);
    canary__state_pass(state, policy,
                       state->through_ns + INT64_C(100000000000) * (state->ticks < 9), 1);
    canary__state_self_test(state, metric);
    canary__state_highest(state, policy);
    for (uint32_t i = 0; i < state->rule_count; i++) {
        canary__state_result(state, policy, i, &result);
        FUZZ_CLAIM(result.state >= CANARY_STATE_UNKNOWN && result.state <= CANARY_STATE_UNMET);
    }
}

static void read_state(const uint8_t *data, size_t size) {
    struct canary__state state;
    struct canary__state other;
    canary_error error = CANARY_ERROR_INIT;
    size_t size_before;
    size_t size_read;
    uint8_t *before;
    uint8_t *read;
    int code;

    open_state(&state);
    before = written(&state, &size_before);
    code = canary__state_decode(&state, policy, data, size, &error);
    if (code != CANARY_OK) {
        FUZZ_CLAIM(code == CANARY_E_CORRUPT || code == CANARY_E_NEWER);
        FUZZ_CLAIM(error.code == code && error.message[0] != '\0');
        is_written_as(&state, before, size_before);
    } else {
        open_state(&other);
        read = written(&state, &size_read);
        FUZZ_CLAIM(canary__state_decode(&other, policy, read, size_read, &error) == CANARY_OK);
        is_written_as(&other, read, size_read);
        judge(&other);
        free(read);
        canary__state_close(&other);
    }
    free(before);
    canary__state_close(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *sealed = malloc(size + CANARY__STORED_SEAL);

    FUZZ_CLAIM(sealed != NULL);
    if (policy == NULL) {
        FUZZ_CLAIM(canary_policy_parse(text, sizeof text - 1, &policy, NULL, NULL, NULL) ==
                   CANARY_OK);
    }
    read_state(data, size);
    if (size > 0) {
        memcpy(sealed, data, size);
    }
    canary__stored_seal(sealed, size, sealed + size);
    read_state(sealed, size + CANARY__STORED_SEAL);
    free(sealed);
    return 0;
}
