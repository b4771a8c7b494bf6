/* SPDX-License-Identifier: MIT */
/* The words for the numbers of verdicts. */
#include <canary/verdict.h>
#include <stddef.h>

/* Numbers begin at 1: names[0] is that of 1. */
static const char *name_of(const char *const *names, size_t count, int number) {
    return number >= 1 && (size_t)number <= count ? names[number - 1] : "unknown";
}

#define NAME_OF(names, number) name_of(names, sizeof(names) / sizeof((names)[0]), number)

const char *canary_verdict_name(int action) {
    static const char *const names[] = { "hold", "advance", "rollback" };

    return NAME_OF(names, action);
}

const char *canary_verdict_word(int action) {
    static const char *const names[] = { "HOLD", "PROCEED", "ROLLBACK" };

    return NAME_OF(names, action);
}

const char *canary_cause_name(int cause) {
    static const char *const names[] = { "killed",     "closed",   "frozen",     "data",
                                         "limit",      "evidence", "no_traffic", "mismatch",
                                         "generation", "samples",  "dwell",      "rule",
                                         "require",    "approval", "cooldown",   "attempts",
                                         "complete",   "proven",   "error",      "no_policy" };

    return NAME_OF(names, cause);
}

const char *canary_risk_name(int risk) {
    static const char *const names[] = { "low", "medium", "high", "critical" };

    return NAME_OF(names, risk);
}

const char *canary_rule_action_name(int action) {
    static const char *const names[] = { "rollback", "hold", "require", "warn" };

    return NAME_OF(names, action);
}

const char *canary_urgency_name(int urgency) {
    static const char *const names[] = { "low", "medium", "high", "critical" };

    return NAME_OF(names, urgency);
}

const char *canary_rule_state_name(int state) {
    static const char *const names[] = { "unknown", "clear", "pending", "firing", "met", "unmet" };

    return NAME_OF(names, state);
}

const char *canary_statistic_name(int statistic) {
    static const char *const names[] = { "rate",      "mean",   "quantile", "f1",
                                         "precision", "recall", "burn" };

    return NAME_OF(names, statistic);
}

const char *canary_against_name(int against) {
    static const char *const names[] = { "limit", "old", "baseline" };

    return NAME_OF(names, against);
}

const char *canary_proof_name(int proof) {
    static const char *const names[] = { "point", "evidence" };

    return NAME_OF(names, proof);
}
