/* SPDX-License-Identifier: MIT */
/* Figures: what all processes recorded, merged in the metrics database of a store, cohort against
 * cohort; figures from elsewhere; baselines.
 *
 * Figures are kept for ticks of 10 s for 2 hours, for minutes for 7 days, and for hours for 400 days
 * before the newest one; older ones are merged into the coarser step and lose nothing but the finer
 * time. Counts and sums are exact in any order of merging. Quantiles come from a histogram of fixed
 * layout and are off by at most 2^-7 of their value (0.8 %), plus 1 microsecond. Numbers of users are
 * estimates, with their error beside them.
 *
 * A generation is the time between two changes of a rollout's percentage, named by the revision that
 * began it. A figure belongs to the generation in which its outcome was recorded. */
#ifndef CANARY_METRICS_H
#define CANARY_METRICS_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>
#include <canary/observe.h>
#include <canary/rollout.h>

CANARY_BEGIN_DECLS

#define CANARY_TICK_NS INT64_C(10000000000) /* finest step of figures */

/* canary_metrics_query.flags */
#define CANARY_METRICS_BY_GENERATION 1u /* each generation by itself, oldest first */
/* The captured baseline instead; `step_ns` one hour gives it by hour of the week, from Monday 00:00 UTC
 * = 0; `from_ns` and `to_ns`, both, choose the hours of the week that this time touches, to compare it
 * with. */
#define CANARY_METRICS_BASELINE 2u

/* Which figures. Owned by the caller, who sets `size`. NULL instead of the struct means everything. */
typedef struct canary_metrics_query {
    uint32_t size;       /* sizeof(canary_metrics_query) of the caller */
    uint32_t flags;      /* CANARY_METRICS_... */
    int64_t from_ns;     /* real time; figures kept for steps that begin at it or later; 0 = the
                            oldest. What is kept for a minute belongs to the minute's begin */
    int64_t to_ns;       /* and before it; 0 = the newest */
    int64_t step_ns;     /* 0 = one set of rows for the whole time; else one for each step of this
                            length that has figures, a multiple of CANARY_TICK_NS, at most 400 days.
                            Steps begin at multiples of it since 1970-01-01 00:00 UTC */
    uint64_t generation; /* this one only; 0 = all */
    const char *metric;  /* this one only; NULL = all */
} canary_metrics_query;

/* clang-format off */
#define CANARY_METRICS_QUERY_INIT { (uint32_t)sizeof(canary_metrics_query), 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* Figures of one metric in one cohort. Owned by the library. What its kind does not have, and what cannot be computed from
 * no data, is 0 for counts and NaN for the rest. */
typedef struct canary_figures {
    uint32_t size;     /* sizeof(canary_figures) of the library */
    uint32_t reserved; /* 0 */
    uint64_t n;        /* outcomes, or what was measured; classification: tp + fp + fn + tn */
    uint64_t k;        /* proportion: how many of n */
    double rate;       /* proportion: k / n */
    double sum;        /* duration: seconds; value, score: as recorded */
    double mean;       /* sum / n */
    double variance;   /* of single values, with n - 1 */
    double minimum;    /* value, score */
    double maximum;    /* value, score */
    double p50;        /* duration: seconds, off by at most 0.8 % and 1 microsecond */
    double p90;
    double p95;
    double p99;
    double p999;
    uint64_t overflow; /* duration: longer than 71 minutes; quantiles there are +Inf */
    uint64_t tp;
    uint64_t fp;
    uint64_t fn;
    uint64_t tn;
    double precision;            /* tp / (tp + fp) */
    double recall;               /* tp / (tp + fn) */
    double f1;                   /* 2q / (1 + q), q = tp / (tp + fp + fn) */
    uint64_t threshold_n[8];     /* durations that were compared with threshold i, */
    uint64_t threshold_above[8]; /* and how many were above it */
    uint64_t half_n[2]; /* proportion, in the old cohort: n and k of either half of its users, to */
    uint64_t half_k[2]; /* compare it with itself; see below. Else 0 */
    uint32_t bucket_count;   /* duration: buckets up to the last that is not empty; 0 = all are */
    uint32_t reserved2;      /* 0 */
    const uint64_t *buckets; /* duration: how many lie in each, `overflow` aside; NULL = all are
                                empty. Valid during the callback */
} canary_figures;

/* Halves: a bit of the user's hash, mixed, divides all users into two halves, the same everywhere and at
 * all times. The bit depends neither on the bucket, so that the ramp takes from both alike, nor on
 * whether the user belongs to the sample of canary_exposure_read(). Counted are outcomes of the old
 * cohort whose user counts for the number of distinct users: canary_record() of those whom the ramp decided,
 * and canary_record_user(). Others, canary_record_cohort() and imported figures are in n and k alone:
 * half_n[0] + half_n[1] <= n, half_k[i] <= half_n[i]. Of one release to all, the halves differ
 * by chance alone; by how much more than that says how far requests of one user go together.
 *
 * Buckets: whole microseconds v below 2^32, with P = 6 bits an octave. Bucket v below 2^P, else
 * ((e-P+1)<<P) + ((v>>(e-P)) & (2^P-1)) with e the number of v's highest bit: at most 2^-6 of its lower
 * bound wide. The layout is fixed for this version of the library's ABI. */

#define CANARY_DURATION_BUCKETS 1728 /* of a histogram: never more */

/* The lower bound of a bucket in nanoseconds, which belongs to the bucket. CANARY_DURATION_BUCKETS answers
 * the end of the last one, 2^32 us, as does all above; so bucket i is from canary_duration_bucket_ns(i)
 * to before canary_duration_bucket_ns(i + 1).
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API int64_t canary_duration_bucket_ns(uint32_t index);

/* One metric over one step. Owned by the library, valid during the callback. */
typedef struct canary_metrics_row {
    uint32_t size;       /* sizeof(canary_metrics_row) of the library */
    int32_t kind;        /* CANARY_METRIC_... */
    int64_t from_ns;     /* first moment of the step within the time asked for, real time; without
                            steps: of the time asked for, where that is 0 or with BY_GENERATION: that
                            has figures. Baseline: of the hour, since Monday 00:00 UTC, or captured */
    int64_t to_ns;       /* first moment after it */
    uint64_t generation; /* with BY_GENERATION or a generation asked for; else 0 */
    uint32_t threshold_count;
    uint32_t reserved;
    int64_t thresholds_ns[8];
    char metric[64];
    char unit[32];                    /* "" = none */
    const canary_figures *old_cohort; /* never NULL */
    const canary_figures *new_cohort;
} canary_metrics_row;

/* Any value but 0 ends the reading, without error. */
typedef int (*canary_metrics_fn)(void *user_data, const canary_metrics_row *row);

/* What reading came across. Owned by the caller, who sets `size`. */
typedef struct canary_metrics_report {
    uint32_t size;     /* sizeof(canary_metrics_report) of the caller */
    uint32_t damaged;  /* stored rows that fail their checksum or make no sense: skipped */
    int64_t from_ns;   /* first moment that has figures of what was asked for; 0 = there are none */
    int64_t to_ns;     /* end of the last step that has some. Baseline: the time it covers */
    uint64_t rejected; /* outcomes and measurements that were rejected in that time */
    uint64_t dropped;  /* outcomes that were lost for want of memory */
    int64_t last_at_ns; /* real time of the newest merge by any process; 0 = none. Baseline: of the
                           capture */
    char damage[240];   /* what is wrong with the first damaged row; "" = nothing */
} canary_metrics_report;

/* Calls `callback` for each metric of a rollout that has figures, in each step that has some: built-in
 * metrics first ("error", "timeout", "duration"), then declared ones by name; steps oldest first. Reads
 * what was merged: call canary_flush() before, for what this process recorded since its last tick. No
 * lock is held during callbacks. `report` may be NULL; it is filled on success, and tells of what was
 * read until the callback ended the reading. Long times are read in parts, each consistent in itself:
 * rows that are merged into coarser steps meanwhile count once.
 * Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID, _NOT_FOUND (no such
 * rollout), _UNSUPPORTED (the store keeps no metrics), _NOMEM, and every storage error. That nothing
 * was recorded yet is no error. */
CANARY_API int canary_metrics(canary_store *store, const char *rollout,
                              const canary_metrics_query *query, canary_metrics_fn callback,
                              void *user_data, canary_metrics_report *report, canary_error *error);

/* Decisions and users of one generation, or of all. Owned by the caller, who sets `size`. Arrays of two
 * are indexed by cohort. */
typedef struct canary_exposure {
    uint32_t size;        /* sizeof(canary_exposure) of the caller */
    uint32_t sampled_all; /* 1: every user is in the sample, and the numbers of users are exact */
    uint64_t generation;  /* whose users these are; 0 = no generation has any */
    uint64_t decisions[2][16]; /* by cohort and CANARY_REASON_... */
    double users[2];           /* distinct users, estimated */
    double users_error[2];     /* one standard error of it, in users; 0 when exact */
    double users_total;        /* distinct users of either cohort */
    double users_total_error;
    uint64_t sampled[2];   /* users in the sample: independent draws for a test of the ratio */
    uint64_t sampled_both; /* of them, users that are in the sample of both cohorts */
    double sample_share;   /* share of all users that belongs to the sample, 2^-level */
    uint32_t damaged;  /* stored rows that fail their checksum or make no sense: skipped. When that
                              of the users is one, their numbers are NaN */
    uint32_t reserved; /* 0 */
    char damage[240];  /* what is wrong with the first damaged row; "" = nothing */
} canary_exposure;

/* clang-format off */
#define CANARY_EXPOSURE_INIT \
    { (uint32_t)sizeof(canary_exposure), 0, 0, { { 0 }, { 0 } }, { 0 }, { 0 }, 0, 0, { 0 }, 0, 0, 0, 0, \
      { 0 } }
/* clang-format on */

/* Decisions in the time of `query`, and the distinct users of the generation it names. With generation 0
 * the users are those of the newest generation that has any, which is then named in `out`; decisions
 * are always those of the time and generation asked for. Users are not kept by time, but for the
 * newest 64 generations. `metric`, `step_ns`
 * and BY_GENERATION of the query are not looked at.
 * Source of the estimate: adaptive sampling of hashes (Flajolet, On adaptive sampling, Computing 43,
 * 1990): users whose mixed hash lies below 2^(32-level); at most 8192 a cohort are kept.
 * Thread: any thread. Blocking: may block on storage. Errors: as canary_metrics(). */
CANARY_API int canary_exposure_read(canary_store *store, const char *rollout,
                                    const canary_metrics_query *query, canary_exposure *out,
                                    canary_error *error);

#define CANARY_IMPORT_ROWS_MAX 100000

/* Figures that were computed elsewhere, for one metric and cohort. Owned by the caller, who sets
 * `size`. Fields that the kind does not use must be 0. */
typedef struct canary_import_row {
    uint32_t size;      /* sizeof(canary_import_row) of the caller */
    int32_t cohort;     /* CANARY_OLD or CANARY_NEW */
    int32_t kind;       /* CANARY_METRIC_...; 0 = the metric's, which must be known */
    uint32_t declare;   /* 1: a metric that is not known yet is declared by this row; else 0 */
    const char *metric; /* name; "error", "timeout" and "duration" are the built-in ones */
    const char *unit;   /* for declaring; NULL = none */
    int64_t at_ns;      /* real time they belong to; 0 = now; at most 400 days back, 1 day ahead */
    uint64_t n;         /* proportion: of how many. value, score, duration: 1, or 0 which means 1 */
    uint64_t k;         /* proportion: how many */
    double value;       /* value, score: the number. duration: nanoseconds */
    uint64_t tp;
    uint64_t fp;
    uint64_t fn;
    uint64_t tn;
    double minimum; /* for declaring: as in canary_metric */
    double maximum;
    double resolution;
} canary_import_row;

/* What became of a row. */
typedef struct canary_import_result {
    int32_t code;      /* CANARY_OK, or why it was refused */
    int32_t declared;  /* 1: it declared its metric */
    char message[240]; /* "" or what is wrong with it, and what is allowed */
} canary_import_result;

/* Merges `count` rows, at most CANARY_IMPORT_ROWS_MAX of one size, in one transaction, under `key`: a
 * name of this delivery, 1 to 128 bytes of [A-Za-z0-9._:-], which is kept for 400 days. Rows that are not
 * allowed are refused, each with its own result, and the others merged; counts of a row are at most
 * 10^15. "error" and "timeout" are proportions here, each of an `n` of its own that adds to the outcomes.
 * A second call with the same key and the same rows merges nothing and succeeds, with `*repeated` 1; with
 * other rows it is CANARY_E_CONFLICT. A delivery of which every row was refused leaves no key behind.
 * `key` NULL: the caller takes care of repetition himself. `results` has `count` entries, filled on
 * success, or is NULL; `repeated` may be NULL. The figures belong to the rollout's present generation.
 * Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID (an argument; a row's
 * trouble is in its result), _CONFLICT, _NOT_FOUND (no such rollout), _UNSUPPORTED, _NOMEM, and every
 * storage error: then nothing was merged. */
CANARY_API int canary_import(canary_store *store, const char *rollout, const char *key,
                             const canary_import_row *rows, uint64_t count,
                             canary_import_result *results, int32_t *repeated, canary_error *error);

/* A captured baseline. Owned by the caller, who sets `size`. */
typedef struct canary_baseline_info {
    uint32_t size;  /* sizeof(canary_baseline_info) of the caller */
    uint32_t hours; /* hours of the week that have figures, of 168 */
    int64_t captured_at_ns;
    int64_t from_ns;   /* first moment it covers; asked for as 0: that has figures */
    int64_t to_ns;     /* first moment after it */
    uint64_t outcomes; /* of the old cohort in that time, recorded by processes */
    char by[256];
    char note[1024];
} canary_baseline_info;

/* Freezes what the old cohort lived through from `from_ns` (0 = the oldest) until `to_ns` (0 = now):
 * rates, histograms, values and volumes, by hour of the week (UTC). Takes the place of an earlier
 * baseline of the rollout. Of `options` only `by`, `note` and CANARY_CHANGE_DRY_RUN are read. Fills
 * `*out` (may be NULL). Damaged rows are left out, and logged as a warning.
 * Thread: any thread. Blocking: may block on storage. Errors: as canary_metrics(); CANARY_E_REFUSED when the old cohort has no figures in
 * that time, _READ_ONLY. */
CANARY_API int canary_baseline_capture(canary_store *store, const char *rollout, int64_t from_ns,
                                       int64_t to_ns, const canary_change_options *options,
                                       canary_baseline_info *out, canary_error *error);

/* Tells about the baseline of a rollout; its figures come from canary_metrics() with
 * CANARY_METRICS_BASELINE, in `old_cohort` of the rows.
 * Thread: any thread. Blocking: may block on storage. Errors: as canary_metrics(); CANARY_E_NOT_FOUND when there is none. */
CANARY_API int canary_baseline_read(canary_store *store, const char *rollout,
                                    canary_baseline_info *out, canary_error *error);

CANARY_END_DECLS

#endif
