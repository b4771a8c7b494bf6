/* SPDX-License-Identifier: MIT */
/* Outcomes: what happened to requests after their decision, recorded per cohort in the process that
 * decides. Reading the figures of all processes is metrics.h.
 *
 * An outcome says how one request ended: ok, error or timeout, how long it took, and values of metrics
 * declared beforehand. Recording is as cheap as counting can be: each thread counts in memory of its
 * own, claimed by its first outcome and never given back, so nothing is lost when it ends, no thread
 * registers, and none must say good-bye. The first CANARY_RECORDING_THREADS threads of a process have
 * such memory; further ones share, correct but slower.
 *
 * Every ten seconds, on the marks of the wall clock, a thread of the store merges what was counted
 * since into the metrics database (`<path>-metrics` of a SQLite store) in one transaction. It starts
 * by itself soon after the first outcome, unless the store has no watcher: then the program calls
 * canary_flush(). canary_close() merges what is left, waiting for a lock up to busy_timeout_ns. A
 * process that is killed, or ends without closing, loses what it recorded since its last flush. A metrics
 * database that is away, locked or full delays the merging; nothing that happens to it delays a
 * decision, a change or a rollback. One that was deleted is made anew; one that is damaged as a whole
 * stays until somebody moves it away. What waits is merged into coarser ticks rather than dropped.
 *
 * fork(): a child counts from zero, its parent keeps what it had. Declared metrics are inherited.
 *
 * Built-in metrics of every rollout: "error" and "timeout" (proportions of all outcomes; a request
 * ends in one of them or in neither) and "duration" (of the outcomes that have one). */
#ifndef CANARY_OBSERVE_H
#define CANARY_OBSERVE_H

#include <canary/context.h>
#include <canary/decide.h>
#include <canary/error.h>
#include <canary/export.h>

CANARY_BEGIN_DECLS

#define CANARY_RECORDING_THREADS 128 /* threads of a context with memory of their own */
#define CANARY_METRICS_MAX 32        /* metrics that one context can declare */
#define CANARY_THRESHOLDS_MAX 8      /* thresholds of one duration */
#define CANARY_DURATION_MAX_NS INT64_C(259200000000000) /* longest duration: three days */
#define CANARY_METRIC_NAME_MAX 63 /* longest metric name, bytes; [a-z][a-z0-9_]* */
#define CANARY_UNIT_MAX 31        /* longest unit, bytes; [a-z0-9_]* */

/* canary_outcome.status. Pinned for ever. NONE: no request ended, something was measured all the same
 * (a purchase an hour later): only the measurements count, no outcome, decision or user, and a duration
 * is rejected. */
#define CANARY_STATUS_NONE (-1)
#define CANARY_STATUS_OK 0
#define CANARY_STATUS_ERROR 1
#define CANARY_STATUS_TIMEOUT 2

/* canary_metric.kind. Pinned for ever. */
#define CANARY_METRIC_PROPORTION 1     /* how many of n: cache hits, right answers */
#define CANARY_METRIC_DURATION 2       /* nanoseconds, with a histogram */
#define CANARY_METRIC_VALUE 3          /* any number: cost, bytes */
#define CANARY_METRIC_SCORE 4          /* a number within a declared range: quality */
#define CANARY_METRIC_CLASSIFICATION 5 /* true and false positives and negatives */

/* A metric to be declared. Owned by the caller, who sets `size`; copied by the call. */
typedef struct canary_metric {
    uint32_t size;     /* sizeof(canary_metric) of the caller */
    int32_t kind;      /* CANARY_METRIC_... */
    const char *name;  /* [a-z][a-z0-9_]{0,62}; "duration" with kind DURATION adds thresholds to
                             the built-in one; "error" and "timeout" are taken */
    const char *unit;  /* NULL or "" = none; a duration's is always "seconds" */
    double minimum;    /* value, score: smallest number allowed; a score must give a range */
    double maximum;    /* greatest; both 0 = no limits but those of `resolution` (value) */
    double resolution; /* value, score: numbers are kept as whole multiples of it, which is what
                             makes sums exact in any order; 0 = 0.000001. At most 2^47 multiples */
    const int64_t *thresholds_ns; /* duration: outcomes above each of these are counted exactly */
    uint32_t threshold_count;     /* at most CANARY_THRESHOLDS_MAX */
    uint32_t reserved;            /* 0 */
} canary_metric;

/* clang-format off */
#define CANARY_METRIC_INIT { (uint32_t)sizeof(canary_metric), 0, 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* Declares a metric of the context's rollout, and answers its handle, 0 to CANARY_METRICS_MAX - 1, for
 * canary_measurement.metric; -1 for "duration", which has canary_outcome.duration_ns. Declaring the same again answers the same handle. `handle` may be NULL. A
 * duration's thresholds are fixed by its first declaration ("duration" by its first one too), so
 * declare before recording: what was recorded earlier is not in their counts. Handles belong to the
 * context and are inherited by forked children.
 * Thread: any thread. Blocking: takes a short lock; never waits for storage. Errors: CANARY_E_INVALID
 * (ctx or metric NULL, name, unit, kind, range, resolution or thresholds not allowed; the message says
 * which), _CONFLICT (declared before with another kind, unit, range, resolution or other thresholds),
 * _REFUSED (CANARY_METRICS_MAX are declared), _NOMEM. */
CANARY_API int canary_metric_declare(canary_ctx *ctx, const canary_metric *metric, int32_t *handle,
                                     canary_error *error);

/* The handle of a declared metric; CANARY_E_NOT_FOUND when there is none of that name, or it is a
 * built-in one. Thread: any thread. Blocking: wait-free. Errors: CANARY_E_INVALID, _NOT_FOUND. */
CANARY_API int canary_metric_find(canary_ctx *ctx, const char *name, int32_t *handle);

/* One value of a declared metric. Fields that its kind does not use must be 0. */
typedef struct canary_measurement {
    int32_t metric;    /* handle */
    uint32_t reserved; /* 0 */
    double value;      /* value, score: the number. duration: nanoseconds. proportion: 1 or 0 */
    uint32_t tp;       /* classification: true positives of this request, */
    uint32_t fp;       /* false positives, */
    uint32_t fn;       /* false negatives, */
    uint32_t tn;       /* true negatives */
} canary_measurement;

/* How a request ended. Owned by the caller, who sets `size`. */
typedef struct canary_outcome {
    uint32_t size;                          /* sizeof(canary_outcome) of the caller */
    int32_t status;                         /* CANARY_STATUS_... */
    int64_t duration_ns;                    /* CANARY_NOT_MEASURED, or 0 and more */
    const canary_measurement *measurements; /* `measurement_count` of them; NULL when 0 */
    uint32_t measurement_count;             /* at most CANARY_METRICS_MAX */
    uint32_t reserved;                      /* 0 */
} canary_outcome;

#define CANARY_NOT_MEASURED (-1) /* canary_outcome.duration_ns: this request has no duration */

/* clang-format off */
#define CANARY_OUTCOME_INIT \
    { (uint32_t)sizeof(canary_outcome), CANARY_STATUS_OK, CANARY_NOT_MEASURED, 0, 0, 0 }
/* clang-format on */

/* Function twin of CANARY_METRIC_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_metric_init(canary_metric *metric, uint32_t size);

/* Function twin of CANARY_OUTCOME_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_outcome_init(canary_outcome *outcome, uint32_t size);

/* Records the outcome of a request that was decided by canary_explain(): counts for
 * `decision->cohort`, the cohort that was served, whatever happened to the percentage since; counts
 * the decision with its reason, and its user for the number of distinct users: users whom the ramp
 * decided (reasons SPLIT and STATIC), not those who were pinned or met a kill switch.
 *
 * What is not allowed is counted as rejected, by cause, and visible in canary_recording(): a whole
 * outcome with an unknown status, cohort or size, or a negative duration other than
 * CANARY_NOT_MEASURED or one above CANARY_DURATION_MAX_NS; or one measurement, whose handle is unknown or whose
 * value is not finite, out of range, or not of the metric's kind, while the rest of its outcome counts.
 *
 * Returns 0 when all of it was counted, otherwise a code; programs may ignore it.
 * Thread: any thread, but not from signal handlers: it could interrupt itself. Blocking: wait-free; the
 * very first outcome of a context in a process maps its memory. No lock, no allocation. Errors:
 * CANARY_E_INVALID (something was rejected; a NULL argument), _NOMEM (no memory could be mapped: the
 * outcome is counted as dropped). */
CANARY_API int canary_record(canary_ctx *ctx, const canary_decision *decision,
                             const canary_outcome *outcome);

/* The same for a caller who keeps only the user and what canary_should_use_new() answered: `cohort`,
 * CANARY_OLD or CANARY_NEW, is the one that was served. The id is hashed again for the number of
 * distinct users; the decision's reason is not known and counts as CANARY_REASON_UNKNOWN.
 * Thread: any thread, but not from signal handlers. Blocking: wait-free, as canary_record(). Errors: as
 * canary_record(); an empty id is CANARY_E_INVALID, rejected. */
CANARY_API int canary_record_user(canary_ctx *ctx, const void *user_id, uint64_t user_id_size,
                                  int cohort, const canary_outcome *outcome);

/* The cheapest form: an outcome of a cohort, of an unknown user.
 * Thread: any thread, but not from signal handlers. Blocking: wait-free, as canary_record(). Errors: as
 * canary_record(). */
CANARY_API int canary_record_cohort(canary_ctx *ctx, int cohort, const canary_outcome *outcome);

/* Counts a decision and its user without an outcome, for programs that learn the outcome elsewhere or
 * never: canary_record() does this too.
 * Thread: any thread, but not from signal handlers. Blocking: wait-free, as canary_record(). Errors: as
 * canary_record(). */
CANARY_API int canary_expose(canary_ctx *ctx, const canary_decision *decision);

#define CANARY_REASON_UNKNOWN 0 /* in counts of decisions only */

/* Merges what this process recorded for rollouts of this store into its metrics database, now. All of
 * it is merged once and only once, however often a flush fails and is repeated.
 * Thread: any thread. Blocking: may block on storage, waiting for a lock up to busy_timeout_ns on each
 * of the two databases. Errors: CANARY_E_INVALID (NULL), _UNSUPPORTED (the store keeps no metrics), and
 * every storage error: what was recorded stays in memory for the next flush. */
CANARY_API int canary_flush(canary_store *store, canary_error *error);

/* Why an outcome or measurement was rejected: indices of canary_recording_info.rejected. */
#define CANARY_REJECTED_ARGUMENT 0   /* a size, reserved field or array that is not allowed */
#define CANARY_REJECTED_COHORT 1     /* neither old nor new */
#define CANARY_REJECTED_STATUS 2     /* no CANARY_STATUS_ */
#define CANARY_REJECTED_DURATION 3   /* negative, or above CANARY_DURATION_MAX_NS */
#define CANARY_REJECTED_UNDECLARED 4 /* no metric has that handle */
#define CANARY_REJECTED_KIND 5       /* fields that the metric's kind does not use, or no 0 or 1 */
#define CANARY_REJECTED_NUMBER 6     /* not a number, or infinite */
#define CANARY_REJECTED_RANGE 7      /* outside the declared range, or too many multiples */
#define CANARY_REJECTED_COUNT 8

/* What a process did with outcomes of one context since it opened it, or was forked. Owned by the
 * caller, who sets `size`. */
typedef struct canary_recording_info {
    uint32_t size;          /* sizeof(canary_recording_info) of the caller */
    int32_t recording;      /* 1 once something was recorded in this process */
    uint64_t outcomes;      /* counted */
    uint64_t decisions;     /* counted, canary_expose() included */
    uint64_t rejected[8];   /* by CANARY_REJECTED_... */
    uint64_t dropped;       /* outcomes lost for want of memory */
    uint64_t merged;        /* outcomes that are in the metrics database */
    uint64_t flushes;       /* transactions of this process that merged something */
    int64_t flushed_at_ns;  /* real time of the last; 0 = none */
    int64_t flush_ns;       /* how long it took */
    uint32_t waiting;       /* ticks in memory that could not be merged yet */
    uint32_t coarsened;     /* ticks that were merged into their neighbours meanwhile */
    uint32_t threads;       /* that have memory of their own */
    uint32_t sharing;       /* 1 when further threads came: these share */
    uint32_t clock_jumps;   /* times the wall clock went back, or forth by over 5 s */
    int32_t last_error;     /* of the last flush: 0 or CANARY_E_... */
    char last_message[496]; /* what it said */
} canary_recording_info;

/* clang-format off */
#define CANARY_RECORDING_INFO_INIT \
    { (uint32_t)sizeof(canary_recording_info), 0, 0, 0, { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 } }
/* clang-format on */

/* Fills `*out` up to `out->size`. Thread: any thread. Blocking: takes a short lock; never waits for
 * storage. Errors: CANARY_E_INVALID (NULL, size too small), _NOMEM. */
CANARY_API int canary_recording(canary_ctx *ctx, canary_recording_info *out);

/* Outcomes by cohort that this process recorded for one context since it opened it, or was forked. Owned
 * by the caller, who sets `size`. Arrays of two are indexed by cohort. */
typedef struct canary_cohort_counts {
    uint32_t size;        /* sizeof(canary_cohort_counts) of the caller */
    uint32_t reserved;    /* 0 */
    uint64_t outcomes[2]; /* all of them: */
    uint64_t errors[2];   /* of these, which ended in an error, */
    uint64_t timeouts[2]; /* or in a timeout */
} canary_cohort_counts;

/* clang-format off */
#define CANARY_COHORT_COUNTS_INIT \
    { (uint32_t)sizeof(canary_cohort_counts), 0, { 0 }, { 0 }, { 0 } }
/* clang-format on */

/* Function twin of CANARY_COHORT_COUNTS_INIT. NULL does nothing.
 * Thread: one thread per object. Blocking: wait-free. Errors: none. */
CANARY_API void canary_cohort_counts_init(canary_cohort_counts *counts, uint32_t size);

/* Adds up what the threads of this process counted, under a microsecond for each of them: for who watches
 * many times a second. Numbers never fall but by a fork, in the child; each outcome is in all the numbers
 * it belongs to, or in none.
 * Thread: any thread. Blocking: wait-free. Errors: CANARY_E_INVALID (NULL, size too small). */
CANARY_API int canary_counts(canary_ctx *ctx, canary_cohort_counts *out);

/* Receives a piece of text, `size` bytes at `text`. Any value but 0 ends the writing. */
typedef int (*canary_write_fn)(void *user_data, const char *text, uint64_t size);

/* Writes what this process decided and recorded, for every rollout it has open in this store, as
 * OpenMetrics 1.0 text up to and including "# EOF": counters since it opened them, durations as
 * histograms, and the state of each rollout. Several contexts of one rollout are one, and counters do
 * not fall when one of them is closed; a metric that they declared differently is told as the oldest
 * one that is open declared it. Serve it as
 * "application/openmetrics-text; version=1.0.0; charset=utf-8". docs/metrics.md lists the names.
 * `write` is called without a lock held.
 * Thread: any thread. Blocking: may block on storage (takes the lock that a refresh holds). Errors:
 * CANARY_E_INVALID (NULL), _NOMEM, _REFUSED (`write` answered something else than 0). */
CANARY_API int canary_write_openmetrics(canary_store *store, canary_write_fn write, void *user_data,
                                        canary_error *error);

/* The same into `buffer` of `capacity` bytes, NUL-terminated. `*size` becomes the length without the
 * NUL, also when the buffer is too small or NULL: then the answer is CANARY_E_FULL and the buffer holds
 * nothing that may be served. Two calls can differ in length: ask for a little more.
 * Thread: any thread. Blocking: may block on storage, as above. Errors: as above. */
CANARY_API int canary_format_openmetrics(canary_store *store, char *buffer, uint64_t capacity,
                                         uint64_t *size, canary_error *error);

/* The same in Prometheus's format from before OpenMetrics, for readers that ask for no other, `promtool
 * check metrics` among them: heads of counters have the names of their samples, and there is no UNIT
 * and no EOF. Serve it as "text/plain; version=0.0.4; charset=utf-8".
 * Thread: any thread. Blocking: may block on storage, as above. Errors: as above. */
CANARY_API int canary_write_prometheus(canary_store *store, canary_write_fn write, void *user_data,
                                       canary_error *error);

/* "ok", "error" or "timeout"; "unknown" for any other number. Static.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_status_name(int status);

/* "proportion", "duration", "value", "score" or "classification"; "unknown" for any other number. Static.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const char *canary_metric_kind_name(int kind);

CANARY_END_DECLS

#endif
