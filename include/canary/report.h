/* SPDX-License-Identifier: MIT */
/* Reports and plans. Part of libcanary-judge. */
#ifndef CANARY_REPORT_H
#define CANARY_REPORT_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>
#include <canary/observe.h>

CANARY_BEGIN_DECLS

/* canary_report_options.format. Pinned for ever. */
#define CANARY_REPORT_MARKDOWN 1
#define CANARY_REPORT_JSON 2
#define CANARY_REPORT_HTML 3 /* one file with charts, nothing loaded from elsewhere */

/* Owned by the caller, who sets `size`. */
typedef struct canary_report_options {
    uint32_t size;   /* sizeof(canary_report_options) of the caller */
    int32_t format;  /* CANARY_REPORT_... */
    int64_t from_ns; /* real time, before `to_ns`; 0 = the beginning of the rollout */
    int64_t to_ns;   /* 0 = now */
} canary_report_options;

/* clang-format off */
#define CANARY_REPORT_OPTIONS_INIT { (uint32_t)sizeof(canary_report_options), CANARY_REPORT_MARKDOWN, 0, 0 }
/* clang-format on */

/* Function twin of CANARY_REPORT_OPTIONS_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_report_options_init(canary_report_options *options, uint32_t size);

/* Writes what happened to a rollout in a time, from its stored verdicts, changes and figures: summary,
 * each rule with value, threshold, n and evidence, old against new, incidents, decision log, service
 * objectives, recommendation.
 * Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID, _NOT_FOUND, _NOMEM,
 * _REFUSED (`write` answered something else than 0), and every storage error. */
CANARY_API int canary_report(canary_store *store, const char *rollout,
                             const canary_report_options *options, canary_write_fn write,
                             void *user_data, canary_error *error);

/* What to plan for. Owned by the caller, who sets `size`. */
typedef struct canary_plan {
    uint32_t size;     /* sizeof(canary_plan) of the caller */
    uint32_t reserved; /* 0 */
    double base_rate;  /* of bad events in the old cohort, above 0 and below 1 */
    double share;      /* of requests that the new cohort gets, above 0 and below 1 */
    double ratio;      /* harm to be found: new rate / old rate, above `margin`, up to 1000 */
    double margin;     /* that harm is judged against, 1 to 50; 0 = 1 */
    double proven;     /* ratio to be proven not reached, above 1, up to 1000; 0 = `ratio` */
    double alpha;      /* 0 = 0.05 */
    double effect;     /* design effect, 1 to 1000000; 0 = 1 */
    double per_second; /* requests of both cohorts; 0 = unknown */
} canary_plan;

/* clang-format off */
#define CANARY_PLAN_INIT { (uint32_t)sizeof(canary_plan), 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* What it takes. Owned by the caller, who sets `size`. +Inf: never. NaN: not known. */
typedef struct canary_plan_answer {
    uint32_t size;     /* sizeof(canary_plan_answer) of the caller */
    uint32_t reserved; /* 0 */
    double find_new;   /* requests of the new cohort until such harm is proven: about the median */
    double find_total; /* of both cohorts */
    double find_seconds;
    double prove_new; /* until, with equal rates, `proven` is proven not to be reached */
    double prove_total;
    double prove_seconds;
} canary_plan_answer;

/* clang-format off */
#define CANARY_PLAN_ANSWER_INIT { (uint32_t)sizeof(canary_plan_answer), 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* Function twin of CANARY_PLAN_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_plan_init(canary_plan *plan, uint32_t size);

/* Function twin of CANARY_PLAN_ANSWER_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_plan_answer_init(canary_plan_answer *answer, uint32_t size);

/* How long until harm of a given size is found, and until an advance can be proven. Source: the expected
 * path of the evidence of docs/judgement.md, and the first passage of a Brownian motion along it.
 * Thread: any thread. Blocking: never waits. Errors: CANARY_E_INVALID (a value out of range; the message
 * says which, and what is allowed). */
CANARY_API int canary_plan_compute(const canary_plan *plan, canary_plan_answer *out,
                                   canary_error *error);

/* The base rate of "error" in the old cohort, share and requests per second that were measured since the
 * percentage was set, or in the last day when that is longer ago, into a plan. What cannot be told from
 * what was recorded (no outcomes, no errors among them, outcomes of one cohort only) stays as it is.
 * Thread: any thread. Blocking: may block on storage. Errors: those of canary_metrics(). */
CANARY_API int canary_plan_measure(canary_store *store, const char *rollout, canary_plan *plan,
                                   canary_error *error);

CANARY_END_DECLS

#endif
