/* SPDX-License-Identifier: MIT */
/* The whole library on the store: decide, operate, audit. */
#include <string.h>

#include "conformance/suite.h"

static const char rollout[] = "conformance";

#define CALL(suite, call)                                                                          \
    do {                                                                                           \
        int code_ = (call);                                                                        \
        CANARY__SUITE_REQUIRE(suite, code_ == CANARY_OK, "%s: %s: %s", #call,                      \
                              canary_error_name(code_), (suite)->error.message);                   \
    } while (0)

static int count_change(void *user_data, const canary_change *entry) {
    (void)entry;
    ++*(int *)user_data;
    return 0;
}

static int note_finding(void *user_data, const canary_finding *finding) {
    struct canary__suite *suite = user_data;

    canary__suite_fail(suite, "verify finds: %s", finding->message);
    return 0;
}

static int verify(struct canary__suite *suite, canary_store *store, uint64_t changes) {
    canary_verify_report report;
    int code;

    memset(&report, 0, sizeof report);
    report.size = (uint32_t)sizeof report;
    code = canary_verify(store, note_finding, suite, &report, &suite->error);
    if (code == CANARY_E_TAMPERED) {
        return 0;
    }
    CANARY__SUITE_REQUIRE(suite, code == CANARY_OK, "verify: %s: %s", canary_error_name(code),
                          suite->error.message);
    CANARY__SUITE_REQUIRE(
        suite, report.changes == changes && report.rollouts == 1 && report.flags == 1,
        "verify read %llu changes, %u rollouts and %u flags; %llu, 1 and 1 are there",
        (unsigned long long)report.changes, report.rollouts, report.flags,
        (unsigned long long)changes);
    return 1;
}

static int operate(struct canary__suite *suite, canary_store *store, canary_ctx *ctx) {
    int changes = 0;

    CANARY__SUITE_REQUIRE(suite, canary_should_use_new(ctx, "alice") == 0,
                          "stage 0 lets somebody in");
    CALL(suite, canary_set_percentage(store, rollout, 10000, NULL, NULL, NULL, &suite->error));
    CANARY__SUITE_REQUIRE(suite, canary_should_use_new(ctx, "alice") == 1,
                          "100 %% keeps somebody out");
    CALL(suite, canary_rollback(store, rollout, 0, NULL, NULL, &suite->error));
    CALL(suite, canary_advance(store, rollout, NULL, NULL, &suite->error));
    /* alice has bucket 178, bob 1227: 5 % lies between. */
    CANARY__SUITE_REQUIRE(
        suite, canary_should_use_new(ctx, "alice") == 1 && canary_should_use_new(ctx, "bob") == 0,
        "5 %% do not split alice from bob");
    CALL(suite,
         canary_override_set(store, rollout, "bob", 3, CANARY_NEW, NULL, NULL, &suite->error));
    CALL(suite,
         canary_override_set(store, rollout, "alice", 5, CANARY_OLD, NULL, NULL, &suite->error));
    CANARY__SUITE_REQUIRE(
        suite, canary_should_use_new(ctx, "alice") == 0 && canary_should_use_new(ctx, "bob") == 1,
        "overrides are not obeyed");
    CALL(suite, canary_flag_set(store, rollout, 0, NULL, NULL, &suite->error));
    CANARY__SUITE_REQUIRE(suite, canary_should_use_new(ctx, "bob") == 0, "the flag does not kill");
    CALL(suite, canary_flag_set(store, rollout, 1, NULL, NULL, &suite->error));
    CALL(suite, canary_override_remove(store, rollout, "alice", 5, NULL, NULL, &suite->error));
    CANARY__SUITE_REQUIRE(suite, canary_should_use_new(ctx, "alice") == 1,
                          "a removed override is obeyed");
    CALL(suite, canary_history(store, rollout, 0, 0, count_change, &changes, &suite->error));
    CANARY__SUITE_REQUIRE(suite, changes == 9, "the history has %d changes, 9 were made", changes);
    return verify(suite, store, 9);
}

/* From here the store belongs to the library. */
static int take_over(struct canary__suite *suite, int fresh, uint32_t flags, canary_store **store) {
    canary_options options = CANARY_OPTIONS_INIT;
    struct canary__suite_handle *handle;

    options.flags = flags;
    CANARY__SUITE_TRY(canary__suite_open(suite, fresh, &handle));
    CALL(suite,
         canary_store_open_custom(&handle->methods, handle->store, &options, store, &suite->error));
    memset(handle, 0, sizeof *handle);
    return 1;
}

static int use(struct canary__suite *suite, canary_store *store, canary_ctx **ctx) {
    canary_rollout_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.size = (uint32_t)sizeof spec;
    spec.name = rollout;
    CALL(suite, canary_create(store, &spec, NULL, NULL, &suite->error));
    CALL(suite, canary_open_in(store, rollout, NULL, ctx, &suite->error));
    return operate(suite, store, *ctx);
}

static int use_again(struct canary__suite *suite, canary_store *store) {
    canary_rollout state;

    memset(&state, 0, sizeof state);
    state.size = (uint32_t)sizeof state;
    CALL(suite, canary_rollout_read(store, rollout, &state, &suite->error));
    CANARY__SUITE_REQUIRE(suite,
                          state.percentage_bp == 500 && state.stage == 1 && state.doubt == 0 &&
                              state.overrides_new == 1 && state.overrides_old == 0,
                          "opened again, the rollout is not what it was");
    return verify(suite, store, 9);
}

int canary__suite_check_library(struct canary__suite *suite) {
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    int passed = take_over(suite, 1, CANARY_OPEN_NO_WATCHER, &store) && use(suite, store, &ctx);

    canary_close(&ctx);
    canary_store_close(&store);
    if (passed && (suite->config.flags & CANARY_CONFORMANCE_ONE_HANDLE) == 0) {
        passed = take_over(suite, 0, 0, &store) && use_again(suite, store);
        canary_store_close(&store);
    }
    return passed;
}
