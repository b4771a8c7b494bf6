/* SPDX-License-Identifier: MIT */
/* Verdicts: may this release go on? Part of libcanary-judge.
 *
 * A verdict is computed from the rollout's state, its policy, and evidence that was gathered tick by
 * tick and is kept in the store, so that any process can go on with it. It can be asked for at any
 * time and as often as one likes: looking more often does not make false alarms more likely.
 *
 * Only ADVANCE permits more exposure. No data, too little data, data in doubt and errors are HOLD. */
#ifndef CANARY_VERDICT_H
#define CANARY_VERDICT_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>
#include <canary/observe.h>

CANARY_BEGIN_DECLS

/* canary_verdict.action. Pinned for ever. */
#define CANARY_VERDICT_HOLD 1
#define CANARY_VERDICT_ADVANCE 2
#define CANARY_VERDICT_ROLLBACK 3

/* canary_verdict.cause: what decided it. Pinned for ever. In which order causes are looked for is another
 * matter, which docs/verdict.md tells. */
#define CANARY_CAUSE_KILLED 1 /* a kill switch is on: nothing to judge */
#define CANARY_CAUSE_CLOSED 2 /* at 0 %: nobody is exposed; a person begins */
#define CANARY_CAUSE_FROZEN 3 /* the policy is frozen */
#define CANARY_CAUSE_DATA                                                                          \
    4 /* our own figures are in doubt: damaged, dropped, a clock that jumped */
#define CANARY_CAUSE_LIMIT 5      /* a limit or a burn rate was broken */
#define CANARY_CAUSE_EVIDENCE 6   /* harm is proven; HOLD: by a process that is not believed */
#define CANARY_CAUSE_NO_TRAFFIC 7 /* nothing of the new cohort for longer than the grace */
#define CANARY_CAUSE_MISMATCH 8   /* users are not divided as the percentage says */
#define CANARY_CAUSE_GENERATION 9 /* what is known belongs to another percentage */
#define CANARY_CAUSE_SAMPLES 10   /* too few outcomes */
#define CANARY_CAUSE_DWELL 11     /* the stage's time is not over */
#define CANARY_CAUSE_RULE 12      /* a rule says hold */
#define CANARY_CAUSE_REQUIRE 13   /* what an advance requires is not shown yet */
#define CANARY_CAUSE_APPROVAL 14  /* waits for a person */
#define CANARY_CAUSE_COOLDOWN 15  /* a rollback was not long ago */
#define CANARY_CAUSE_ATTEMPTS 16  /* rolled back as often as the policy allows */
#define CANARY_CAUSE_COMPLETE 17  /* at the top of the ladder, and nothing is wrong */
#define CANARY_CAUSE_PROVEN 18    /* all that the policy asks is shown: advance */
#define CANARY_CAUSE_ERROR 19     /* the store could not be read: the last state is kept */
#define CANARY_CAUSE_NO_POLICY 20 /* no policy is in force */

/* canary_verdict.risk. Pinned for ever. */
#define CANARY_RISK_LOW 1
#define CANARY_RISK_MEDIUM 2
#define CANARY_RISK_HIGH 3
#define CANARY_RISK_CRITICAL 4

/* canary_rule_result.action. Pinned for ever. */
#define CANARY_RULE_ROLLBACK 1
#define CANARY_RULE_HOLD 2
#define CANARY_RULE_REQUIRE 3
#define CANARY_RULE_WARN 4

/* canary_rule_result.urgency. Pinned for ever. */
#define CANARY_URGENCY_LOW 1
#define CANARY_URGENCY_MEDIUM 2
#define CANARY_URGENCY_HIGH 3
#define CANARY_URGENCY_CRITICAL 4

/* canary_rule_result.state. Pinned for ever. */
#define CANARY_STATE_UNKNOWN 1 /* too little is known: counts as neither */
#define CANARY_STATE_CLEAR 2   /* what it warns of is not so */
#define CANARY_STATE_PENDING 3 /* it is so, but not for as long as the rule says */
#define CANARY_STATE_FIRING 4  /* it is so */
#define CANARY_STATE_MET 5     /* require: shown */
#define CANARY_STATE_UNMET 6   /* require: not shown (yet) */

/* canary_rule_result.statistic. Pinned for ever. */
#define CANARY_STATISTIC_RATE 1 /* k / n */
#define CANARY_STATISTIC_MEAN 2
#define CANARY_STATISTIC_QUANTILE 3 /* `quantile` says which */
#define CANARY_STATISTIC_F1 4
#define CANARY_STATISTIC_PRECISION 5
#define CANARY_STATISTIC_RECALL 6
#define CANARY_STATISTIC_BURN 7 /* of an error budget */

/* canary_rule_result.against. Pinned for ever. */
#define CANARY_AGAINST_LIMIT 1    /* a number */
#define CANARY_AGAINST_OLD 2      /* the old cohort at the same time */
#define CANARY_AGAINST_BASELINE 3 /* the captured baseline */

/* canary_rule_result.proof. Pinned for ever. */
#define CANARY_PROOF_POINT 1    /* the value as it is, in the window and for the time of the rule */
#define CANARY_PROOF_EVIDENCE 2 /* evidence since the percentage was set, valid at every look */

/* One rule in a verdict. Owned by the library. What a rule does not have is NaN, and 0 for counts. */
typedef struct canary_rule_result {
    uint32_t size; /* sizeof(canary_rule_result) of the library */
    int32_t action;
    int32_t urgency;
    int32_t state;
    int32_t statistic;
    int32_t against;
    int32_t proof;
    int32_t above;    /* 1: asks whether it is above the threshold; 0: below */
    int32_t cohort;   /* CANARY_NEW, or CANARY_OLD for a limit on the old one */
    int32_t to_stage; /* rollback: stage; -1 = one down */
    int64_t window_ns;
    int64_t for_ns;
    int64_t since_ns; /* pending or firing since, real time; 0 = neither */
    double quantile;
    double threshold; /* limit in the metric's unit (durations: seconds), or ratio */
    double value;     /* of its cohort: in the window (point), in this generation (evidence) */
    double reference; /* of the old cohort or baseline */
    double ratio;     /* value / reference */
    double low;       /* interval of the ratio (evidence), valid at every look */
    double high;
    double n_new; /* what it rests on */
    double n_old;
    double k_new;
    double k_old;
    double least; /* outcomes that it needs */
    double ln_w;  /* evidence: harm (or for require: its absence) is proven at ln(1/alpha) */
    double p;     /* anytime p value */
    double alpha; /* its share */
    double design_effect;
    double classical_p; /* two-sided fixed-sample test: valid for one planned look only */
    char name[64];
    char metric[64];
    char unit[32];
    char message[320]; /* one sentence with the figures */
} canary_rule_result;

/* A verdict. Owned by the library, valid during the callback. */
typedef struct canary_verdict {
    uint32_t size; /* sizeof(canary_verdict) of the library */
    int32_t action;
    int32_t cause;
    int32_t risk;
    int32_t rule;     /* index of the rule that decided; -1 = none */
    int32_t stage;    /* that was judged */
    int32_t to_stage; /* that the action leads to; `stage` when it holds */
    uint32_t percentage_bp;
    uint32_t to_percentage_bp;
    uint32_t rule_count;
    uint32_t damaged;  /* rows of figures that were skipped */
    int32_t mode;      /* CANARY_MODE_... */
    uint64_t revision; /* that was judged */
    uint64_t generation;
    int64_t at_ns;      /* real time */
    int64_t through_ns; /* figures up to here are in it */
    int64_t
        ready_at_ns; /* hold: when, at the present rate, what is missing will be there; 0 = unknown */
    double mismatch;  /* ln of the Bayes factor of a sample-ratio mismatch; NaN = no users */
    double users_new; /* distinct */
    double users_old;
    char rollout[136];
    char stage_name[64];
    char policy[72]; /* SHA-256 of its text; "" = none */
    char policy_name[136];
    char message[496];               /* one sentence: what, why, with figures, and what next */
    const canary_rule_result *rules; /* `rule_count` in the order of the policy */
} canary_verdict;

typedef void (*canary_verdict_fn)(void *user_data, const canary_verdict *verdict);

/* canary_evaluate() flags */
#define CANARY_EVALUATE_LOOK                                                                       \
    1u /* write nothing: neither the state of the evidence nor the verdict */

/* Adds the ticks that came in since the last evaluation to the evidence, judges, keeps evidence and
 * verdict in the store, and calls `callback` once. Changes no exposure. Two at the same time add each
 * tick once. A tick is taken 2 s after its end; what is merged later than that counts in windows and
 * reports, but not as evidence. When the store cannot be read the verdict is HOLD with
 * CANARY_CAUSE_ERROR, the call answers its error, and what was known stays.
 * Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID, _NOT_FOUND (no such
 * rollout: no callback then), _NOMEM, and every storage error. That the rollout has no policy is a
 * verdict. */
CANARY_API int canary_evaluate(canary_store *store, const char *rollout, uint32_t flags,
                               canary_verdict_fn callback, void *user_data, canary_error *error);

/* Writes a verdict as one JSON object; docs/verdict.md lists the keys.
 * Thread: any thread. Blocking: never waits for storage. Errors: CANARY_E_INVALID, _NOMEM, _REFUSED
 * (`write` answered something else than 0). */
CANARY_API int canary_verdict_json(const canary_verdict *verdict, canary_write_fn write,
                                   void *user_data, canary_error *error);

/* Receives the JSON text of a stored verdict, valid during the call. Any value but 0 ends the reading. */
typedef int (*canary_verdict_text_fn)(void *user_data, int64_t at_ns, const char *json,
                                      uint64_t size);

/* Calls `callback` for stored verdicts of a rollout as their JSON text, newest first, not older than
 * `from_ns`, at most `limit` (0 = all). Stored are verdicts whose action, cause or deciding rule differ
 * from those before, those that a guard acted on, and one an hour.
 * A verdict that fails its checksum is left out.
 * Thread: any thread. Blocking: may block on storage. Errors: those of canary_document_list(). */
CANARY_API int canary_verdict_list(canary_store *store, const char *rollout, int64_t from_ns,
                                   uint64_t limit, canary_verdict_text_fn callback, void *user_data,
                                   canary_error *error);

/* Writes recommendations as one JSON object with the keys current_stage, current_percentage, risk_level,
 * recommendations [{type, priority, message}] and metrics_summary, which docs/verdict.md explains.
 * Thread: any thread. Blocking: never waits for storage. Errors: as canary_verdict_json(). */
CANARY_API int canary_verdict_recommend(const canary_verdict *verdict, canary_write_fn write,
                                        void *user_data, canary_error *error);

/* Names in lower case, as in JSON: "hold", "dwell", "low", "rollback", "critical", "firing", "rate",
 * "limit", "point"; "unknown" for any other number. Static. The word for people is "HOLD", "PROCEED" or
 * "ROLLBACK".
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_verdict_name(int action);
/* Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_verdict_word(int action);
/* Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_cause_name(int cause);
/* Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_risk_name(int risk);
/* Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_rule_action_name(int action);
/* Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_urgency_name(int urgency);
/* Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_rule_state_name(int state);
/* Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_statistic_name(int statistic);
/* Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_against_name(int against);
/* Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_proof_name(int proof);

CANARY_END_DECLS

#endif
