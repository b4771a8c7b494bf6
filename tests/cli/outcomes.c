/* SPDX-License-Identifier: MIT */
/* outcomes DB ROLLOUT USERS REQUESTS: a small service. Each of USERS users makes REQUESTS requests; every
 * tenth request of the old path fails and every fifth of the new one, they take 10 ms and 20 ms, and a
 * "cost" of 1.5 and 3 usd. All of it is merged before it ends. */
#include <canary/canary.h>

#include <stdio.h>
#include <stdlib.h>

static int serve(canary_ctx *context, long users, long requests) {
    canary_metric cost = CANARY_METRIC_INIT;
    canary_measurement measurement = { .value = 0 };
    long failed[2] = { 0, 0 };
    cost.kind = CANARY_METRIC_VALUE;
    cost.name = "cost";
    cost.unit = "usd";
    if (canary_metric_declare(context, &cost, &measurement.metric, NULL) != CANARY_OK)
        return 1;
    for (long i = 0; i < users * requests; i++) {
        char user[32];
        canary_decision decision = CANARY_DECISION_INIT;
        canary_outcome outcome = CANARY_OUTCOME_INIT;
        int size = snprintf(user, sizeof(user), "user-%ld", i % users);
        canary_explain(context, user, (uint64_t)size, &decision);
        int is_new = decision.cohort == CANARY_NEW;
        measurement.value = is_new ? 3 : 1.5;
        outcome.status =
            ++failed[is_new] % (is_new ? 5 : 10) == 0 ? CANARY_STATUS_ERROR : CANARY_STATUS_OK;
        outcome.duration_ns = is_new ? 20000000 : 10000000;
        outcome.measurements = &measurement;
        outcome.measurement_count = 1;
        if (canary_record(context, &decision, &outcome) != CANARY_OK)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    canary_ctx *context = NULL;
    canary_error error = CANARY_ERROR_INIT;
    if (argc != 5)
        return 2;
    if (canary_open(argv[1], argv[2], NULL, &context, &error) != CANARY_OK ||
        serve(context, strtol(argv[3], NULL, 10), strtol(argv[4], NULL, 10)) != 0 ||
        canary_flush(canary_ctx_store(context), &error) != CANARY_OK) {
        fprintf(stderr, "outcomes: %s\n", error.message);
        return 1;
    }
    canary_close(&context);
    return 0;
}
