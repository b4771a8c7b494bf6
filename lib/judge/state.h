/* SPDX-License-Identifier: MIT */
/* What is known of a rollout under its policy: evidence, windows, and since when each rule holds. It
 * grows by one tick at a time, and a tick is added once. Evidence is kept in the store; windows are read
 * back from the figures by whoever takes over. No input or output here. */
#ifndef CANARY__JUDGE_STATE_H
#define CANARY__JUDGE_STATE_H

#include "judge/design_effect.h"
#include "judge/evidence.h"
#include "judge/interval.h"
#include "judge/means.h"
#include "judge/policy.h"
#include "judge/tick.h"

/* Totals of a rule since the generation began. */
struct canary__totals {
    double n_new;
    double n_old;
    double k_new;
    double k_old;
};

/* Evidence of one rule; proof EVIDENCE only. */
struct canary__proof {
    struct canary__judge_evidence evidence;
    struct canary__judge_curve curve; /* ratio rules: for the interval */
    struct canary__totals totals;
    struct canary__judge_sums fresh; /* MEAN: of the generation */
    struct canary__judge_sums old;
    double ticks;        /* that were added */
    double highest_ln_w; /* -INFINITY at first */
    /* Of the old cohort, before the next tick: QUANTILE: it, in seconds; F1: it. NaN at first. */
    double known;
    struct canary__judge_ends ends; /* of the curve's interval as the curve stands; not stored */
};

struct canary__rule_state {
    struct canary__question question;
    int32_t state; /* CANARY_STATE_... after the last tick */
    uint32_t reserved;
    double baseline;                     /* what it is held against; NaN = not known; not stored */
    int64_t since_ns;                    /* pending or firing since; 0 */
    int64_t unknown_ns;                  /* pending, and unknown since; 0 */
    struct canary__proof *proof;         /* allocated for proof EVIDENCE, else NULL */
    struct canary__window *window;       /* POINT and BURN, else NULL; not stored */
    struct canary__window *short_window; /* BURN */
};

/* Design effect of one proportion of the rollout, of all its generations. */
struct canary__split_state {
    char metric[CANARY_METRIC_NAME_MAX + 1];
    struct canary__judge_split split;
    double ticks;    /* that were added, with or without a bad event */
    int32_t differs; /* 1: the self-test found a difference, in this generation or lastingly */
    uint32_t metric_index; /* in canary_policy.metrics */
};

/* Durations of the old cohort lately, of all generations: what its quantile is known from before a tick.
 * Counts are halved when they get many, so that it follows the day. */
struct canary__recent {
    char metric[CANARY_METRIC_NAME_MAX + 1];
    uint32_t metric_index; /* in canary_policy.metrics */
    uint32_t reserved;
    double most; /* at twice that many they are halved; from the policy, not stored */
    double n;    /* all, overflow included */
    double overflow;
    double buckets[CANARY_DURATION_BUCKETS];
};

struct canary__state {
    uint64_t generation; /* whose evidence this is */
    int64_t generation_at_ns;
    int64_t through_ns; /* ticks that begin before it are in; 0 = none yet */
    int64_t traffic_ns; /* end of the last tick with outcomes of the new cohort; 0 = none */
    int64_t silent_ns; /* of this generation, without outcomes of the new cohort for longer than the
                              grace, and than an hour: nobody was tried then, and no clock that jumps makes it so */
    double planned_ticks; /* T of the stage */
    double ticks;         /* of this generation that were added */
    int64_t halves_ns;    /* begin and generation of the newest tick in `splits` and `recents` */
    uint64_t halves_generation;
    uint32_t rule_count;
    uint32_t split_count;
    uint32_t recent_count;
    uint32_t reserved;
    struct canary__rule_state rules[CANARY_POLICY_RULES_MAX];
    struct canary__split_state *splits; /* allocated, `split_count`: one for each proportion, when a
                                           rule is of proof EVIDENCE */
    struct canary__recent *recents; /* allocated, `recent_count`: one for each metric with a rule of
                                       proof EVIDENCE about a quantile */
    char digest[72];                /* policy that the rules are of */
};

/* An empty state for a policy. CANARY_E_NOMEM. */
int canary__state_open(const struct canary_policy *policy, struct canary__state *state,
                       canary_error *error);
void canary__state_close(struct canary__state *state);

/* Begins a generation: evidence and totals from nothing, rules unknown, windows empty (gate 7: results
 * belong to this generation). Splits stay; where the caller took through_ns back to 0, they go on from
 * `at_ns`. `dwell_ns` gives T: 0 = one day, and at least one hour. */
void canary__state_begin(struct canary__state *state, uint64_t generation, int64_t at_ns,
                         int64_t dwell_ns);

/* What a rule against the baseline is held against, in the metric's unit (durations: seconds; rates, F1:
 * as they are); NaN = not known, and then the rule is UNKNOWN. Neither stored nor changed by begin(): it
 * is to be set in each new state, before recall() and add(). A quantile's may change with the hour of
 * the week: each tick is held against what was set when it was added. */
void canary__state_baseline(struct canary__state *state, uint32_t rule, double value);

/* Adds a tick that begins at through_ns or later, in order, up to its end, which is 10 s later at least;
 * an earlier one, or one of another generation, adds to nothing and answers 0; else 1. Splits take every tick that is newer than the newest one they
 * have, of any generation. Rules of stages other than `stage` are CLEAR. When a whole tick is missing
 * between through_ns and this one, what was pending begins anew. */
int canary__state_add(struct canary__state *state, const struct canary_policy *policy,
                      const struct canary__tick *tick, int stage);

/* Adds a tick to the windows only: for reading back what a window of before through_ns holds. Ticks may
 * be as long as a window's panes (window.h), and come in any order. */
void canary__state_recall(struct canary__state *state, const struct canary_policy *policy,
                          const struct canary__tick *tick);

/* Time goes on without figures, up to the last tick that ended by `now_ns`: windows slide, rules of proof
 * POINT are asked anew, pending begins anew, and through_ns moves on: a tick of that time is not taken
 * any more. */
void canary__state_pass(struct canary__state *state, const struct canary_policy *policy,
                        int64_t now_ns, int stage);

/* What a rule says now, with all figures but the message; `to_stage` as the policy has it. Of a QUANTILE
 * only the old cohort's is known, for proof EVIDENCE; `value` stays NaN, and k counts durations above. For
 * require rules ln_w and p are those of E, which decides about them. */
void canary__state_result(const struct canary__state *state, const struct canary_policy *policy,
                          uint32_t rule, canary_rule_result *out);

/* 1 when a self-test found halves of the old cohort to differ; `metric` (64 bytes) names it. */
int canary__state_self_test(const struct canary__state *state, char *metric);

/* The highest W of rollback rules that is not proven yet, as ln; -INFINITY. For the risk level. */
double canary__state_highest(const struct canary__state *state, const struct canary_policy *policy);

/* Stored form: version byte, header, rules by question, splits by metric, SipHash at the end.
 * Allocated with malloc(); free(). CANARY_E_NOMEM. */
int canary__state_encode(const struct canary__state *state, uint8_t **data, size_t *size,
                         canary_error *error);
/* Puts what is stored into an open state of `policy`: rules by question, the others begin anew. Any bytes:
 * CANARY_E_CORRUPT, CANARY_E_NEWER; then the state is as it was. */
int canary__state_decode(struct canary__state *state, const struct canary_policy *policy,
                         const void *data, size_t size, canary_error *error);

#endif
