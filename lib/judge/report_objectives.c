/* SPDX-License-Identifier: MIT */
/* Service objectives: what the policy promises of the service as a whole, against what was. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/fail.h"
#include "judge/report.h"
#include "judge/spans.h"
#include "judge/special.h"
#include "judge/tick.h"

/* -- uptime -- */

struct moment {
    int64_t from_ns;
    double outcomes;
    double bad;
};

struct moments {
    struct moment *list;
    size_t count;
    size_t capacity;
    int failed;
};

/* First all rows of "error", then those of "timeout" at the same steps. */
static int take_moment(void *user_data, const canary_metrics_row *row) {
    struct moments *moments = user_data;
    double n = (double)row->old_cohort->n + (double)row->new_cohort->n;
    double k = (double)row->old_cohort->k + (double)row->new_cohort->k;
    struct moment *one;
    size_t low = 0;
    size_t high = moments->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (moments->list[middle].from_ns < row->from_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < moments->count && moments->list[low].from_ns == row->from_ns) {
        /* An outcome is in both metrics; imported figures may be in one only. */
        moments->list[low].bad += k;
        moments->list[low].outcomes = fmax(moments->list[low].outcomes, n);
        return 0;
    }
    one = canary__report_grow((void **)&moments->list, &moments->count, &moments->capacity,
                              sizeof *one);
    if (one == NULL) {
        moments->failed = 1;
        return 1;
    }
    memmove(moments->list + low + 1, moments->list + low, (moments->count - 1 - low) * sizeof *one);
    moments->list[low] = (struct moment){ .from_ns = row->from_ns, .outcomes = n, .bad = k };
    return 0;
}

/* Figures grow coarser with their age, counted from the newest: each part of the time in steps that all
 * of it has. */
struct part {
    int64_t from_ns;
    int64_t to_ns;
    int64_t step_ns;
};

static void parts_of(const struct canary__report *report, struct part parts[3]) {
    int64_t newest = report->recorded.to_ns;
    int64_t minutes = (newest - 168 * CANARY__HOUR_NS) / CANARY__HOUR_NS * CANARY__HOUR_NS;
    int64_t ticks = (newest - 2 * CANARY__HOUR_NS) / CANARY__MINUTE_NS * CANARY__MINUTE_NS;
    int64_t from = report->recorded.from_ns;

    parts[0] = (struct part){ from, minutes, CANARY__HOUR_NS };
    parts[1] = (struct part){ minutes > from ? minutes : from, ticks, CANARY__MINUTE_NS };
    parts[2] = (struct part){ ticks > from ? ticks : from, newest, CANARY_TICK_NS };
}

static int read_part(struct canary__report *report, const struct part *part,
                     struct canary__report_objective *objective, double *up, canary_error *error) {
    static const char *const metrics[] = { "error", "timeout" };
    struct moments moments = { NULL, 0, 0, 0 };
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    double seconds = (double)part->step_ns / 1e9;
    int code = CANARY_OK;

    query.from_ns = part->from_ns;
    query.to_ns = part->to_ns;
    query.step_ns = part->step_ns;
    for (int i = 0; code == CANARY_OK && i < 2; i++) {
        query.metric = metrics[i];
        code = canary_metrics(report->store, report->rollout.name, &query, take_moment, &moments,
                              NULL, error);
    }
    if (code == CANARY_OK && moments.failed) {
        code = canary__judge_fail(error, CANARY_E_NOMEM, "no memory for the uptime of a report");
    }
    for (size_t i = 0; i < moments.count; i++) {
        const struct moment *one = &moments.list[i];

        if (one->outcomes > 0) {
            objective->n += seconds;
            *up += one->bad / one->outcomes < 0.5 ? seconds : 0;
        }
    }
    free(moments.list);
    return code;
}

static int uptime(struct canary__report *report, struct canary__report_objective *objective,
                  canary_error *error) {
    struct part parts[3];
    int code = CANARY_OK;
    double up = 0;

    if (report->recorded.from_ns == 0) {
        return CANARY_OK;
    }
    parts_of(report, parts);
    for (int i = 0; code == CANARY_OK && i < 3; i++) {
        if (parts[i].from_ns < parts[i].to_ns) {
            code = read_part(report, &parts[i], objective, &up, error);
        }
    }
    objective->value = objective->n > 0 ? up / objective->n : (double)NAN;
    return code;
}

/* -- statistics of one metric -- */

struct asking {
    struct canary__report_objective *objective;
    int failed;
};

static double share_of(double part, double whole) {
    return whole > 0 ? part / whole : (double)NAN;
}

static double statistic_of(const struct canary__tick_side *side,
                           const struct canary__objective *asked, double *n) {
    *n = side->n;
    switch (asked->statistic) {
    case CANARY_STATISTIC_RATE:
        return share_of(side->k, side->n);
    case CANARY_STATISTIC_MEAN:
        return share_of(side->sum, side->n);
    case CANARY_STATISTIC_QUANTILE:
        return canary__tick_quantile(side, asked->quantile);
    case CANARY_STATISTIC_PRECISION:
        *n = side->tp + side->fp;
        return share_of(side->tp, *n);
    case CANARY_STATISTIC_RECALL:
        *n = side->tp + side->fn;
        return share_of(side->tp, *n);
    case CANARY_STATISTIC_F1:
        *n = side->tp + side->fp + side->fn;
        return share_of(2 * side->tp, 2 * side->tp + side->fp + side->fn);
    default:
        return NAN;
    }
}

static int take_service(void *user_data, const canary_metrics_row *row) {
    struct asking *asking = user_data;
    struct canary__report_objective *objective = asking->objective;
    const canary_figures *figures[2] = { row->old_cohort, row->new_cohort };
    struct canary__tick_side side[2];
    struct canary__tick_side all;
    uint64_t *buckets = calloc(CANARY_DURATION_BUCKETS, sizeof *buckets);
    double ignored;

    if (buckets == NULL) {
        asking->failed = 1;
        return 1;
    }
    memset(&all, 0, sizeof all);
    for (int cohort = 0; cohort < 2; cohort++) {
        canary__tick_side_of(figures[cohort], row->kind, &side[cohort]);
        objective->side[cohort] = statistic_of(&side[cohort], objective->asked, &ignored);
        all.n += side[cohort].n;
        all.k += side[cohort].k;
        all.sum += side[cohort].sum;
        all.tp += side[cohort].tp;
        all.fp += side[cohort].fp;
        all.fn += side[cohort].fn;
        all.overflow += side[cohort].overflow;
        for (uint32_t i = 0; i < side[cohort].bucket_count; i++) {
            buckets[i] += side[cohort].buckets[i];
        }
    }
    all.bucket_count = CANARY_DURATION_BUCKETS;
    all.buckets = buckets;
    objective->value = statistic_of(&all, objective->asked, &objective->n);
    memcpy(objective->unit, row->unit, sizeof objective->unit);
    free(buckets);
    return 0;
}

static int service(struct canary__report *report, struct canary__report_objective *objective,
                   canary_error *error) {
    struct asking asking = { .objective = objective };
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    int code;

    query.from_ns = report->whole ? 0 : report->from_ns;
    query.to_ns = report->to_ns;
    query.metric = objective->asked->metric;
    code = canary_metrics(report->store, report->rollout.name, &query, take_service, &asking, NULL,
                          error);
    if (code == CANARY_OK && asking.failed) {
        code = canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a report");
    }
    return code;
}

static int met(const struct canary__report_objective *objective) {
    double target = objective->asked->target;
    double value = objective->value;

    if (isnan(value) || isnan(target)) {
        return CANARY__JUDGE_UNKNOWN;
    }
    if (objective->asked->above ? value >= target : value <= target) {
        return CANARY__JUDGE_YES;
    }
    return CANARY__JUDGE_NO;
}

int canary__report_objectives(struct canary__report *report, canary_error *error) {
    int code = CANARY_OK;

    for (uint32_t i = 0; report->policy != NULL && i < report->policy->objective_count; i++) {
        struct canary__report_objective *objective = &report->objectives[report->objective_count++];

        memset(objective, 0, sizeof *objective);
        objective->asked = &report->policy->objectives[i];
        objective->value = NAN;
        objective->side[CANARY_OLD] = NAN;
        objective->side[CANARY_NEW] = NAN;
        code = objective->asked->statistic == CANARY__STATISTIC_UPTIME
                   ? uptime(report, objective, error)
                   : service(report, objective, error);
        if (code == CANARY_E_UNSUPPORTED) {
            code = CANARY_OK;
        }
        if (code != CANARY_OK) {
            return code;
        }
        objective->met = met(objective);
    }
    return code;
}
