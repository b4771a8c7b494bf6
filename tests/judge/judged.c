/* SPDX-License-Identifier: MIT */
#include "judged.h"

#include <canary/document.h>

struct unit *judged_new(int kind, uint32_t percentage_bp) {
    struct unit *unit = unit_new(kind);

    unit->realtime += 3 * SECOND;
    unit_create(unit, JUDGED);
    if (percentage_bp != 0) {
        unit_set(unit, JUDGED, percentage_bp);
    }
    return unit;
}

void judged_policy(struct unit *unit, const char *text) {
    canary_policy *policy = NULL;

    OK(canary_policy_parse(text, strlen(text), &policy, NULL, NULL, &error));
    OK(canary_policy_set(unit->store, JUDGED, policy, NULL, NULL, &error));
    canary_policy_close(&policy);
}

void judged_plain(struct unit *unit, const char *mode, const char *more) {
    char text[2048];

    snprintf(text, sizeof text, JUDGED_POLICY, mode, more);
    judged_policy(unit, text);
}

void judged_proportion(struct unit *unit, const char *metric, int cohort, uint64_t n, uint64_t k) {
    canary_import_row row = { .size = sizeof row,
                              .cohort = cohort,
                              .kind = CANARY_METRIC_PROPORTION,
                              .declare = 1,
                              .metric = metric,
                              .at_ns = unit->realtime - TICK,
                              .n = n,
                              .k = k };
    canary_import_result result;

    if (strcmp(metric, "error") == 0 || strcmp(metric, "timeout") == 0) {
        row.declare = 0;
    }
    OK(canary_import(unit->store, JUDGED, NULL, &row, 1, &result, NULL, &error));
    if (result.code != CANARY_OK) {
        fail_msg("import: %s", result.message);
    }
}

void judged_outcomes(struct unit *unit, uint64_t n_old, uint64_t k_old, uint64_t n_new,
                     uint64_t k_new) {
    if (n_old != 0) {
        judged_proportion(unit, "error", CANARY_OLD, n_old, k_old);
    }
    if (n_new != 0) {
        judged_proportion(unit, "error", CANARY_NEW, n_new, k_new);
    }
}

void judged_pass(struct unit *unit, int64_t ns) {
    unit->realtime += ns;
    unit->monotonic += ns;
}

void judged_ticks(struct unit *unit, int ticks, uint64_t n_old, uint64_t k_old, uint64_t n_new,
                  uint64_t k_new) {
    for (int i = 0; i < ticks; i++) {
        judged_pass(unit, TICK);
        judged_outcomes(unit, n_old, k_old, n_new, k_new);
    }
}

void judged_take(void *user_data, const canary_verdict *verdict) {
    struct judged *judged = user_data;

    assert_int_equal(verdict->size, sizeof *verdict);
    assert_true(verdict->rule_count <= COUNT(judged->rules));
    judged->calls++;
    judged->verdict = *verdict;
    if (verdict->rule_count != 0) {
        memcpy(judged->rules, verdict->rules, verdict->rule_count * sizeof judged->rules[0]);
    }
    judged->verdict.rules = judged->rules;
}

void judged_evaluate(struct unit *unit, uint32_t flags, struct judged *out) {
    memset(out, 0, sizeof *out);
    out->error = (canary_error)CANARY_ERROR_INIT;
    out->code = canary_evaluate(unit->store, JUDGED, flags, judged_take, out, &out->error);
}

void judged_is(const struct judged *judged, int action, int cause) {
    if (judged->verdict.action != action || judged->verdict.cause != cause) {
        fail_msg("%s, %s (code %d) instead of %s, %s: %s",
                 canary_verdict_name(judged->verdict.action),
                 canary_cause_name(judged->verdict.cause), judged->code,
                 canary_verdict_name(action), canary_cause_name(cause), judged->verdict.message);
    }
    assert_int_equal(judged->calls, 1);
}

struct recorded {
    uint32_t count;
    char *newest;
    size_t size;
};

static int take_text(void *user_data, int64_t at_ns, const char *json, uint64_t size) {
    struct recorded *recorded = user_data;

    (void)at_ns;
    assert_int_equal(strlen(json), size);
    if (recorded->count++ == 0 && recorded->newest != NULL) {
        snprintf(recorded->newest, recorded->size, "%s", json);
    }
    return 0;
}

uint32_t judged_recorded(struct unit *unit, char *newest, size_t size) {
    struct recorded recorded = { .newest = newest, .size = size };

    OK(canary_verdict_list(unit->store, JUDGED, 0, 0, take_text, &recorded, &error));
    return recorded.count;
}

struct counted {
    const char *action;
    canary_change *out;
    uint32_t count;
};

static int take_change(void *user_data, const canary_change *change) {
    struct counted *counted = user_data;

    if (strcmp(change->action, counted->action) == 0 && counted->count++ == 0 &&
        counted->out != NULL) {
        *counted->out = *change;
    }
    return 0;
}

uint32_t judged_changes(canary_store *store, const char *action, canary_change *out) {
    struct counted counted = { .action = action, .out = out };

    OK(canary_history(store, JUDGED, 0, 0, take_change, &counted, &error));
    return counted.count;
}
