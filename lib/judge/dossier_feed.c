/* SPDX-License-Identifier: MIT */
/* Figures of the store into the state of a rollout, tick by tick. */
#include <canary/metrics.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dossier_room.h"
#include "judge/fail.h"

/* How far back the old cohort is read where there is no state yet: what is known from yesterday need not
 * be waited for. */
#define BEFORE_NS CANARY__DAY_NS
/* Windows are read back now and then, since figures may be merged, or imported, long after their time. */
#define RECALL_LEAST_NS (5 * CANARY__MINUTE_NS)
#define RECALL_MOST_NS CANARY__HOUR_NS
/* Where panes of windows become coarser; see state.h. */
#define FINE_NS CANARY__HOUR_NS
#define MIDDLE_NS (6 * CANARY__HOUR_NS)
/* Ticks that are older may stand at the beginning of their minute. */
#define COARSE_NS (90 * CANARY__MINUTE_NS)

/* Rows of one tick, until the next one's come. Histograms are the library's during a callback only. */
struct feed {
    struct canary__dossier *dossier;
    int recall; /* windows only */
    int64_t now_ns;
    int64_t until_ns; /* ticks that begin before it */
    int64_t from_ns;  /* tick under way */
    uint64_t generation;
    int count; /* rows of it */
    int code;
    canary_error *error;
    struct canary__tick_metric *metrics;
    uint64_t *buckets[CANARY_POLICY_RULES_MAX][2];
};

static void empty(struct feed *feed) {
    feed->count = 0;
    memset(feed->metrics, 0, feed->dossier->policy->metric_count * sizeof *feed->metrics);
}

/* What is older than two hours may stand for a minute, and after a week for an hour, up to what comes
 * next; a process that keeps figures may be late, and its clock is another one. Else whoever looks again
 * after half a day would find gaps where nothing is missing. */
static int64_t end_of(const struct feed *feed, int64_t next_ns) {
    int64_t from = feed->from_ns;
    int64_t age = feed->now_ns - from;
    int64_t end = from + CANARY_TICK_NS;

    if (from % CANARY__HOUR_NS == 0 && age > 7 * CANARY__DAY_NS - CANARY__HOUR_NS) {
        end = from + CANARY__HOUR_NS;
    } else if (from % CANARY__MINUTE_NS == 0 && age > COARSE_NS) {
        end = from + CANARY__MINUTE_NS;
    }
    end = next_ns > from && next_ns < end ? next_ns : end;
    return end > from + CANARY_TICK_NS ? end : from + CANARY_TICK_NS;
}

/* `next_ns`: where the next one begins, or the end of the time that is read. */
static void hand(struct feed *feed, int64_t next_ns) {
    struct canary__dossier *dossier = feed->dossier;
    struct canary__tick tick = {
        .from_ns = feed->from_ns,
        .to_ns = end_of(feed, next_ns),
        .generation = feed->generation,
        .metrics = feed->metrics,
    };

    if (feed->count == 0) {
        return;
    }
    if (feed->recall) {
        canary__state_recall(&dossier->state, dossier->policy, &tick);
    } else {
        canary__state_add(&dossier->state, dossier->policy, &tick,
                          canary__gate_stage(&dossier->seen));
        dossier->state_new = 1;
    }
    empty(feed);
}

static int copy_buckets(struct feed *feed, uint32_t metric, int cohort,
                        const canary_figures *figures) {
    struct canary__tick_side *side = &feed->metrics[metric].side[cohort];
    uint64_t **room = &feed->buckets[metric][cohort];
    uint32_t count = figures->bucket_count;

    side->buckets = NULL;
    side->bucket_count = 0;
    if (count == 0 || count > CANARY_DURATION_BUCKETS || figures->buckets == NULL) {
        return 0;
    }
    if (*room == NULL) {
        *room = malloc(CANARY_DURATION_BUCKETS * sizeof **room);
        if (*room == NULL) {
            return -1;
        }
    }
    memcpy(*room, figures->buckets, count * sizeof **room);
    side->buckets = *room;
    side->bucket_count = count;
    return 0;
}

static int find_metric(const canary_policy *policy, const char *name) {
    for (uint32_t i = 0; i < policy->metric_count; i++) {
        if (strcmp(policy->metrics[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int take_metric(struct feed *feed, uint32_t index, const canary_metrics_row *row) {
    struct canary__tick_metric *metric = &feed->metrics[index];
    const canary_figures *cohorts[2];

    cohorts[CANARY_OLD] = row->old_cohort;
    cohorts[CANARY_NEW] = row->new_cohort;
    metric->kind = row->kind;
    for (int cohort = 0; cohort < 2; cohort++) {
        struct canary__tick_side *side = &metric->side[cohort];

        canary__tick_side_of(cohorts[cohort], row->kind, side);
        side->threshold_count = row->threshold_count;
        memcpy(side->thresholds_ns, row->thresholds_ns, sizeof side->thresholds_ns);
        if (copy_buckets(feed, index, cohort, cohorts[cohort]) != 0) {
            return -1;
        }
    }
    for (int i = 0; i < 2; i++) {
        metric->half[i].n = (double)row->old_cohort->half_n[i];
        metric->half[i].k = (double)row->old_cohort->half_k[i];
    }
    return 0;
}

static int take(void *user_data, const canary_metrics_row *row) {
    struct feed *feed = user_data;
    struct canary__trouble *trouble = &feed->dossier->trouble;
    int metric;

    if (row->from_ns > trouble->ahead_ns && row->generation == feed->dossier->seen.generation) {
        trouble->ahead_ns = row->from_ns;
    }
    if (row->from_ns >= feed->until_ns) {
        return 0;
    }
    if (feed->count > 0 && (row->from_ns != feed->from_ns || row->generation != feed->generation)) {
        hand(feed, row->from_ns);
    }
    feed->from_ns = row->from_ns;
    feed->generation = row->generation;
    feed->count++;
    metric = find_metric(feed->dossier->policy, row->metric);
    if (metric >= 0 && take_metric(feed, (uint32_t)metric, row) != 0) {
        feed->code = canary__judge_fail(feed->error, CANARY_E_NOMEM, "no memory for a tick");
        return 1;
    }
    return 0;
}

static void note_trouble(struct canary__dossier *dossier, const canary_metrics_report *report,
                         int64_t now_ns) {
    struct canary__trouble *trouble = &dossier->trouble;

    if (report->damaged != 0 || report->dropped != 0) {
        trouble->damaged += report->damaged;
        trouble->dropped += report->dropped;
        trouble->at_ns = now_ns;
    }
}

static int read_figures(struct feed *feed, int64_t from_ns, int64_t to_ns, int64_t step_ns,
                        uint64_t generation, int64_t now_ns) {
    struct canary__dossier *dossier = feed->dossier;
    canary_metrics_query query = CANARY_METRICS_QUERY_INIT;
    canary_metrics_report report = { .size = (uint32_t)sizeof report };
    int code;

    query.flags = CANARY_METRICS_BY_GENERATION;
    query.from_ns = from_ns;
    query.to_ns = to_ns;
    query.step_ns = step_ns;
    query.generation = generation;
    empty(feed);
    code =
        canary_metrics(dossier->store, dossier->rollout, &query, take, feed, &report, feed->error);
    if (code == CANARY_OK) {
        code = feed->code;
    }
    if (code == CANARY_OK) {
        hand(feed, feed->until_ns);
        note_trouble(dossier, &report, now_ns);
    }
    return code;
}

static int64_t floor_to(int64_t ns, int64_t step) {
    return ns <= 0 ? 0 : ns - ns % step;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Where figures of a moment stand: those older than two hours at the beginning of their minute, and later
 * of their hour; and a process gives what it records to the middle of the time since it gathered last. */
static int64_t begin_of(int64_t ns, int64_t now_ns) {
    ns -= CANARY_TICK_NS;
    return floor_to(ns, now_ns - ns < COARSE_NS ? CANARY_TICK_NS : CANARY__HOUR_NS);
}

/* When its generation began; one that a clock ahead of ours has begun may have figures already. */
static int64_t begun(const struct canary__state *state, int64_t now_ns) {
    return state->generation_at_ns <= now_ns ? state->generation_at_ns
                                             : later(now_ns - CANARY__HOUR_NS, 0);
}

/* What windows hold of before through_ns, in steps as fine as their panes; and the health of the last
 * hour's figures, windows or not. */
static int recall(struct feed *feed, int64_t now_ns) {
    struct canary__dossier *dossier = feed->dossier;
    const struct canary__state *state = &dossier->state;
    int64_t longest = later(canary__policy_longest_window(dossier->policy), FINE_NS);
    int64_t end = state->through_ns;
    int64_t begin = later(begin_of(begun(state, now_ns), now_ns), end - longest);
    int64_t middle = floor_to(end - MIDDLE_NS, CANARY__HOUR_NS);
    int64_t fine = floor_to(end - FINE_NS, CANARY__MINUTE_NS);
    const struct {
        int64_t from;
        int64_t to;
        int64_t step;
    } parts[] = {
        { floor_to(begin, CANARY__HOUR_NS), middle, CANARY__HOUR_NS },
        { later(floor_to(begin, CANARY__MINUTE_NS), middle), fine, CANARY__MINUTE_NS },
        { later(floor_to(begin, CANARY_TICK_NS), fine), end, CANARY_TICK_NS },
    };
    int code = CANARY_OK;

    feed->recall = 1;
    feed->until_ns = end;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && code == CANARY_OK; i++) {
        if (parts[i].step == CANARY_TICK_NS) {
            dossier->trouble.damaged = 0;
            dossier->trouble.dropped = 0;
        }
        if (parts[i].from < parts[i].to) {
            code = read_figures(feed, parts[i].from, parts[i].to, parts[i].step, state->generation,
                                now_ns);
        }
    }
    feed->recall = 0;
    return code;
}

/* A state that never saw a tick begins with its generation, and learns from before it how the old cohort
 * is: how far its halves differ, and how long its requests take. */
static int64_t first_moment(const struct canary__dossier *dossier, int64_t now_ns) {
    int64_t at = begun(&dossier->state, now_ns);

    if ((dossier->policy->design_effect == 0 && dossier->state.split_count > 0) ||
        dossier->state.recent_count > 0) {
        at = at < now_ns ? at : now_ns;
        at = later(at - BEFORE_NS, 0);
    }
    return begin_of(at, now_ns);
}

/* Windows that were read long ago are filled anew, in a state of their own: what is there stays until
 * that has succeeded. */
static int renew(struct canary__dossier *dossier, int64_t now_ns, canary_error *error) {
    int64_t longest = canary__policy_longest_window(dossier->policy);
    int64_t span = later(longest / 8, RECALL_LEAST_NS);
    struct canary__state fresh;
    uint8_t *data = NULL;
    size_t size = 0;
    int code;

    span = span < RECALL_MOST_NS ? span : RECALL_MOST_NS;
    if (!dossier->windows || longest == 0 ||
        (now_ns >= dossier->recalled_ns && now_ns - dossier->recalled_ns < span)) {
        return CANARY_OK;
    }
    code = canary__state_encode(&dossier->state, &data, &size, error);
    if (code != CANARY_OK) {
        return code;
    }
    code = canary__state_open(dossier->policy, &fresh, error);
    if (code == CANARY_OK) {
        code = canary__state_decode(&fresh, dossier->policy, data, size, error);
        if (code == CANARY_OK) {
            canary__state_close(&dossier->state);
            dossier->state = fresh;
            dossier->windows = 0;
        } else {
            canary__state_close(&fresh);
        }
    }
    free(data);
    return code;
}

static int64_t longest_look_back(const struct canary_policy *policy) {
    int64_t longest = 0;

    for (uint32_t i = 0; i < policy->rule_count; i++) {
        longest = later(longest, policy->rules[i].for_ns);
    }
    return longest + canary__policy_longest_window(policy) + CANARY_TICK_NS;
}

/* The state is of a time that has not come: its evidence waits, since no tick may be in it twice. Limits
 * rest on what is in the store, and must not be blind until then: they are asked in a state of their
 * own, as if nobody had judged before. */
static int feed_behind(struct feed *feed, int64_t now_ns) {
    struct canary__dossier *dossier = feed->dossier;
    struct canary__state ahead = dossier->state;
    struct canary__state *state = &dossier->state;
    int64_t from_ns = feed->until_ns - longest_look_back(dossier->policy);
    int state_new = dossier->state_new;
    int code = canary__state_open(dossier->policy, state, feed->error);

    if (code != CANARY_OK) {
        *state = ahead;
        return code;
    }
    canary__state_begin(state, ahead.generation, ahead.generation_at_ns, 0);
    state->through_ns = later(floor_to(from_ns, CANARY_TICK_NS), CANARY_TICK_NS);
    for (uint32_t i = 0; i < state->rule_count; i++) {
        canary__state_baseline(state, i, ahead.rules[i].baseline);
    }
    code = read_figures(feed, state->through_ns, 0, CANARY_TICK_NS, ahead.generation, now_ns);
    canary__state_pass(state, dossier->policy, feed->until_ns, canary__gate_stage(&dossier->seen));
    for (uint32_t i = 0; i < state->rule_count && code == CANARY_OK; i++) {
        if (ahead.rules[i].proof == NULL) {
            const struct canary__rule_state rule = ahead.rules[i];

            ahead.rules[i] = state->rules[i];
            state->rules[i] = rule;
        }
    }
    canary__state_close(state);
    *state = ahead;
    dossier->state_new = state_new;
    dossier->behind = 1;
    return code;
}

static int feed_all(struct feed *feed, int64_t now_ns) {
    struct canary__dossier *dossier = feed->dossier;
    struct canary__state *state = &dossier->state;
    int64_t until_ns = feed->until_ns;
    int64_t from_ns;
    int code;

    if (!dossier->windows) {
        code = state->through_ns > 0 ? recall(feed, now_ns) : CANARY_OK;
        if (code != CANARY_OK) {
            return code;
        }
        dossier->windows = 1;
        dossier->recalled_ns = now_ns;
    }
    feed->until_ns = until_ns;
    if (state->through_ns > now_ns + CANARY_TICK_NS) {
        return feed_behind(feed, now_ns);
    }
    if (until_ns <= state->through_ns) {
        return CANARY_OK;
    }
    from_ns = state->through_ns > 0 ? state->through_ns : first_moment(dossier, now_ns);
    if (from_ns < until_ns) {
        code = read_figures(feed, from_ns, 0, CANARY_TICK_NS, 0, now_ns);
        if (code != CANARY_OK) {
            return code;
        }
    }
    /* A tick whose time is over is not waited for: what comes later counts in windows only. */
    canary__state_pass(state, dossier->policy, until_ns, canary__gate_stage(&dossier->seen));
    dossier->state_new = 1;
    return CANARY_OK;
}

int canary__dossier_feed(struct canary__dossier *dossier, int64_t now_ns, int64_t until_ns,
                         canary_error *error) {
    struct feed feed = {
        .dossier = dossier, .now_ns = now_ns, .until_ns = until_ns, .error = error
    };
    int code = renew(dossier, now_ns, error);

    if (code == CANARY_OK) {
        code = canary__dossier_baselines(dossier, until_ns, error);
    }
    if (code != CANARY_OK) {
        return code;
    }
    feed.metrics = calloc(CANARY_POLICY_RULES_MAX, sizeof *feed.metrics);
    if (feed.metrics == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for a tick");
    }
    code = feed_all(&feed, now_ns);
    for (uint32_t i = 0; i < CANARY_POLICY_RULES_MAX; i++) {
        free(feed.buckets[i][0]);
        free(feed.buckets[i][1]);
    }
    free(feed.metrics);
    return code;
}
