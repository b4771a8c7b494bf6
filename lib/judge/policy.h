/* SPDX-License-Identifier: MIT */
/* A policy as its rules are applied: everything resolved, no defaults left. */
#ifndef CANARY__JUDGE_POLICY_H
#define CANARY__JUDGE_POLICY_H

#include <canary/policy.h>
#include <canary/verdict.h>

enum {
    CANARY__POLICY_STAGES = CANARY_STAGES_MAX - 1, /* above 0 */
};

struct canary__rule {
    char name[64];
    char metric[CANARY_METRIC_NAME_MAX + 1];
    uint32_t metric_index; /* in canary_policy.metrics */
    int32_t action;        /* CANARY_RULE_... */
    int32_t urgency;       /* CANARY_URGENCY_... */
    int32_t statistic;     /* CANARY_STATISTIC_... */
    int32_t cohort;        /* against a limit or baseline: whose value */
    int32_t against;       /* CANARY_AGAINST_... */
    int32_t proof;         /* CANARY_PROOF_... */
    int32_t above;         /* 1: the rule asks whether it is above the threshold; 0: below. Require
                              rules: whether it is there, as they should */
    int32_t to_stage;      /* rollback: a stage; -1 = one down */
    uint32_t stages;       /* set of stages it applies to, bit n = stage n */
    uint32_t kinds;        /* kinds of metric it can be asked of, bit n = CANARY_METRIC_... n */
    double quantile;       /* QUANTILE: 0.95 ... */
    double threshold;  /* limit in the metric's unit (durations: seconds), ratio, or burn factor */
    double objective;  /* BURN: 0.999 ... */
    int64_t window_ns; /* POINT: multiple of CANARY_TICK_NS, at least one; BURN: the long one */
    int64_t short_window_ns; /* BURN */
    int64_t for_ns;          /* 0, or a multiple of CANARY_TICK_NS */
    double least; /* outcomes (of its cohort; EVIDENCE: of the new one) before it says anything */
    double alpha; /* EVIDENCE: its share, all rollback rules of a policy together policy.alpha;
                              require rules: policy.alpha each */
};

/* A target of the service, for reports. */
struct canary__objective {
    char name[64];
    char metric[CANARY_METRIC_NAME_MAX + 1];
    int32_t statistic; /* CANARY_STATISTIC_...; UPTIME below */
    int32_t above;     /* 1: should be above the target; 0: below */
    uint32_t kinds;    /* as of a rule; 0 for UPTIME */
    double quantile;
    double target;
};

/* Besides CANARY_STATISTIC_...: share of ticks with traffic in which the rate of bad outcomes of both
 * cohorts was below one half. */
#define CANARY__STATISTIC_UPTIME 64

struct canary__policy_stage {
    uint32_t percentage_bp;
    int64_t dwell_ns; /* -1 = the rollout's own */
    char name[64];    /* "" = not given */
};

struct canary_policy {
    char *text; /* allocated, and a NUL */
    uint64_t text_size;
    char digest[72];
    char name[136];
    char description[512];
    int32_t mode; /* CANARY_MODE_... */
    uint32_t frozen;
    uint32_t attempts;
    uint32_t check_ratio; /* 1: hold on a sample-ratio mismatch */
    double alpha;
    double design_effect; /* 0 = measured */
    int64_t grace_ns;
    int64_t cooldown_ns;
    uint32_t stage_count;
    uint32_t rule_count;
    uint32_t metric_count;
    uint32_t objective_count;
    struct canary__policy_stage stages[CANARY__POLICY_STAGES];
    struct canary__rule rules[CANARY_POLICY_RULES_MAX];
    struct canary__objective objectives[CANARY_POLICY_OBJECTIVES_MAX];
    /* Distinct names in the order of their first rule; behind them "error", where no rule is about a
     * proportion and the design effect is to be measured. */
    char metrics[CANARY_POLICY_RULES_MAX][CANARY_METRIC_NAME_MAX + 1];
};

/* SHA-256 of the question a rule asks: of what its evidence is evidence of. Equal questions may share a
 * state; action, urgency, alpha and the rest do not change it. */
struct canary__question {
    uint8_t bytes[16];
};
void canary__policy_question(const struct canary__rule *rule, struct canary__question *out);

/* Looks for the longest window of the rules, POINT and BURN: how far back a process must read that takes
 * over. 0 without such rules. */
int64_t canary__policy_longest_window(const struct canary_policy *policy);

/* Dwell time of a stage: the policy's, else that of the rollout. */
int64_t canary__policy_dwell(const struct canary_policy *policy, const canary_rollout *rollout,
                             int stage);

#endif
