/* SPDX-License-Identifier: MIT */
/* A report: everything it says, gathered once; then written in one of three forms. */
#ifndef CANARY__JUDGE_REPORT_H
#define CANARY__JUDGE_REPORT_H

#include <canary/audit.h>
#include <canary/metrics.h>
#include <canary/report.h>

#include "judge/policy.h"
#include "judge/report_text.h"

enum {
    CANARY__REPORT_CHANGES = 1000,  /* newest changes that are listed */
    CANARY__REPORT_VERDICTS = 4000, /* newest verdicts that are read */
    CANARY__REPORT_INCIDENTS = 500,
    CANARY__REPORT_POINTS = 120, /* of a curve over time, about */
    CANARY__REPORT_FIGURES = 8,  /* of one metric */
};

/* A change of the rollout. */
struct canary__report_change {
    canary_change change;
    char *evidence; /* one line that sums it up; NULL = none */
};

/* A stored verdict, but for its rules. */
struct canary__report_verdict {
    int64_t at_ns;
    int32_t action;
    int32_t cause;
    int32_t risk;
    int32_t stage;
    uint32_t percentage_bp;
    uint32_t rule_count;
    uint64_t generation;
    struct canary__report_rule *rules;
    char *message;
};

/* A rule of a verdict that is not the last one. */
struct canary__report_rule {
    char name[64];
    int32_t action;
    int32_t urgency;
    int32_t state;
    int32_t proof;
    int64_t since_ns;
    double ln_w;
    double alpha;
    char *message; /* while firing; else NULL */
};

/* One figure of a metric, old against new. Arrays of two are indexed by cohort. */
struct canary__report_figure {
    const char *name; /* "rate", "p95" */
    int32_t statistic;
    int32_t reserved;
    double quantile;
    double value[2];
    double p;         /* classical */
    const char *test; /* its name; NULL = none is known for this figure */
};

struct canary__report_metric {
    char name[64];
    char unit[32];
    int32_t kind;
    uint32_t count;
    double n[2];
    struct canary__report_figure figures[CANARY__REPORT_FIGURES];
};

struct canary__report_point {
    int64_t at_ns; /* middle of the step */
    double value[2];
    double n[2];
};

/* The headline figure of a metric over time. */
struct canary__report_series {
    char metric[64];
    char unit[32];
    const char *figure;
    int32_t statistic;
    int32_t reserved;
    size_t count;
    size_t capacity;
    struct canary__report_point *points;
};

/* Evidence of one rule over time. */
struct canary__report_evidence {
    char rule[64];
    int32_t action;
    int32_t reserved;
    double needed; /* ln(1/alpha) */
    size_t count;
    size_t capacity;
    struct canary__report_point *points; /* value[0]: ln W */
};

struct canary__report_objective {
    const struct canary__objective *asked;
    double value;   /* of the service: both cohorts */
    double side[2]; /* by cohort */
    double n;       /* what it rests on: outcomes, values; uptime: seconds with traffic */
    int32_t met;    /* CANARY__JUDGE_YES, _NO, _UNKNOWN */
    int32_t reserved;
    char unit[32];
};

/* canary__report_incident.kind */
enum {
    CANARY__INCIDENT_ROLLBACK = 1,
    CANARY__INCIDENT_KILL = 2,
    CANARY__INCIDENT_RULE = 3,
    CANARY__INCIDENT_BREAKER = 4,
    CANARY__INCIDENT_VERDICT = 5, /* the figures were in doubt, or could not be read */
};

struct canary__report_incident {
    int64_t at_ns;
    int64_t until_ns; /* 0 = not known to have ended, or over at once */
    int32_t kind;
    int32_t open; /* 1: not over */
    char title[224];
    char detail[640];
    char by[256];
};

/* Exposure from a moment on. */
struct canary__report_step {
    int64_t at_ns;
    uint32_t percentage_bp; /* in effect: 0 while the flag is off */
    uint32_t mark;          /* number of its annotation, 0 = none */
    size_t change;          /* that made it, where it has a mark */
};

struct canary__report {
    canary_store *store;
    canary_rollout rollout;
    int64_t from_ns; /* of the time asked for, its beginning where 0 was */
    int64_t to_ns;
    int64_t now_ns;
    uint32_t whole; /* 1: from the beginning of the rollout */

    struct canary_policy *policy; /* in force; NULL = none, or see policy_trouble */
    char policy_trouble[496];     /* "" = none */

    struct canary__report_change *changes; /* oldest first */
    size_t change_count;
    size_t change_capacity;
    size_t changes_left_out;
    uint32_t begin_bp; /* percentage when the time begins */
    uint32_t begin_on; /* 1: flag on */

    struct canary__report_verdict *verdicts; /* oldest first */
    size_t verdict_count;
    size_t verdict_capacity;
    size_t verdicts_damaged;
    size_t verdicts_left_out;
    canary_verdict latest; /* rules included; size 0 = there is none */
    canary_rule_result *latest_rules;

    canary_metrics_report recorded;
    canary_exposure exposure;
    double users_p; /* chi-square of its users against the percentage; NaN */
    struct canary__report_metric *metrics;
    size_t metric_count;
    struct canary__report_series *series;
    size_t series_count;
    int64_t step_ns;

    struct canary__report_evidence *evidence;
    size_t evidence_count;
    struct canary__report_objective objectives[CANARY_POLICY_OBJECTIVES_MAX];
    size_t objective_count;
    struct canary__report_incident *incidents; /* oldest first */
    size_t incident_count;
    size_t incident_capacity;
    size_t incidents_left_out;
    uint64_t breakers_damaged;
    struct canary__report_step *steps;
    size_t step_count;

    char summary[1024];
    char recommendation[1024]; /* what to do next, for people */
};

/* The parts of it. */
int canary__report_changes(struct canary__report *report, canary_error *error);
int canary__report_verdicts(struct canary__report *report, canary_error *error);
int canary__report_figures(struct canary__report *report, canary_error *error);
int canary__report_objectives(struct canary__report *report, canary_error *error);
int canary__report_incidents(struct canary__report *report, canary_error *error);
int canary__report_conclude(struct canary__report *report, canary_error *error);

/* Room for one more element at the end of a list, zeroed; NULL without memory. */
void *canary__report_grow(void **list, size_t *count, size_t *capacity, size_t size);

/* The forms. */
void canary__report_markdown(const struct canary__report *report, struct canary__text *out);
void canary__report_html(const struct canary__report *report, struct canary__text *out);
int canary__report_json(const struct canary__report *report, struct canary__text *out);

/* Words that all forms use. */
const char *canary__report_incident_name(int kind);

#endif
