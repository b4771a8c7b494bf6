/* SPDX-License-Identifier: MIT */
/* What tests of recording share. */
#include "recorded.h"

canary_ctx *recorded_open(struct unit *unit, uint32_t percentage_bp) {
    unit_create(unit, "r");
    unit_set(unit, "r", percentage_bp);
    return unit_open(unit, "r");
}

canary_decision recorded_decide(canary_ctx *ctx, const char *user) {
    canary_decision decision = CANARY_DECISION_INIT;

    assert_int_equal(canary_explain(ctx, user, strlen(user), &decision), CANARY_OK);
    return decision;
}

canary_outcome recorded_outcome(int status, int64_t duration_ns) {
    canary_outcome made = CANARY_OUTCOME_INIT;

    made.status = status;
    made.duration_ns = duration_ns;
    return made;
}

struct canary__sheet recorded_gather(canary_ctx *ctx) {
    struct canary__observer *observer = canary__observer_of(ctx);
    struct canary__sheet sheet = { 0 };

    assert_non_null(observer);
    canary__observer_lock(observer);
    assert_int_equal(canary__observer_gather(observer, &sheet), CANARY_OK);
    canary__observer_unlock(observer);
    return sheet;
}

void recorded_free(canary_ctx *ctx, struct canary__sheet *sheet) {
    canary__sheet_free(canary__observer_of(ctx)->hooks, sheet);
}

uint64_t recorded_count(const struct canary__sheet *sheet, int cohort, const char *metric,
                        int what) {
    const struct canary__tally *tally = canary__sheet_find(sheet, 0, cohort, metric);

    return tally == NULL ? 0 : tally->counts[what];
}

void recorded_refusal(canary_ctx *ctx, int cause, int code) {
    struct canary__sheet sheet = recorded_gather(ctx);

    assert_int_equal(code, CANARY_E_INVALID);
    assert_int_equal(recorded_count(&sheet, CANARY_OLD, CANARY__SHEET_LOSSES, cause), 1);
    assert_int_equal(sheet.count, 1); /* and nothing else counted */
    recorded_free(ctx, &sheet);
}

canary_metric recorded_metric(int kind, const char *name) {
    canary_metric made = CANARY_METRIC_INIT;

    made.kind = kind;
    made.name = name;
    return made;
}

int32_t recorded_declare(canary_ctx *ctx, const canary_metric *wanted) {
    int32_t handle = -7;

    OK(canary_metric_declare(ctx, wanted, &handle, &error));
    return handle;
}
