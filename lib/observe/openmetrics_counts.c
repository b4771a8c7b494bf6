/* SPDX-License-Identifier: MIT */
/* What was counted of each rollout. */
#include "observe/openmetrics.h"

#define COUNTER "counter"

static uint64_t count_of(canary__exposed *of, int cohort, const char *metric, int which) {
    const struct canary__tally *tally = canary__sheet_find(&of->sheet, 0, cohort, metric);

    return tally != NULL ? tally->counts[which] : 0;
}

static const struct canary__family decisions = { "canary_decisions", COUNTER, "",
                                                 "Decisions that were recorded or exposed." };

/* All that can come, from the start, so that a rate is there with the first one; the rest when it
 * does. */
static void write_decisions(struct canary__exposition *out, canary__exposed *of, size_t which) {
    (void)which;
    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
        for (int reason = CANARY_REASON_UNKNOWN; reason < CANARY__REASONS; reason++) {
            uint64_t count = count_of(of, cohort, CANARY__SHEET_DECISIONS, reason);
            int always_old = reason >= CANARY_REASON_INVALID && reason <= CANARY_REASON_STALE;

            if (count > 0 ||
                (reason <= CANARY_REASON_SPLIT && !(cohort == CANARY_NEW && always_old))) {
                canary__openmetrics_begin_cohort(out, "_total", of, cohort, NULL);
                canary__exposition_label(out, "reason", canary_reason_name(reason));
                canary__exposition_count(out, count);
            }
        }
    }
}

static const struct canary__family outcomes = { "canary_outcomes", COUNTER, "",
                                                "Outcomes that were recorded." };

static void write_outcomes(struct canary__exposition *out, canary__exposed *of, size_t which) {
    (void)which;
    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
        for (int status = CANARY_STATUS_OK; status <= CANARY_STATUS_TIMEOUT; status++) {
            canary__openmetrics_begin_cohort(out, "_total", of, cohort, NULL);
            canary__exposition_label(out, "status", canary_status_name(status));
            canary__exposition_count(out, count_of(of, cohort, CANARY__SHEET_STATUS, status));
        }
    }
}

static const struct canary__family rejected = {
    "canary_recorded_rejected", COUNTER, "",
    "Outcomes and measurements that were not allowed, by cause; not in any other count."
};

static void write_rejected(struct canary__exposition *out, canary__exposed *of, size_t which) {
    (void)which;
    static const char *const causes[CANARY_REJECTED_COUNT] = {
        [CANARY_REJECTED_ARGUMENT] = "argument",     [CANARY_REJECTED_COHORT] = "cohort",
        [CANARY_REJECTED_STATUS] = "status",         [CANARY_REJECTED_DURATION] = "duration",
        [CANARY_REJECTED_UNDECLARED] = "undeclared", [CANARY_REJECTED_KIND] = "kind",
        [CANARY_REJECTED_NUMBER] = "number",         [CANARY_REJECTED_RANGE] = "range",
    };

    for (size_t i = 0; i < CANARY_REJECTED_COUNT; i++) {
        canary__openmetrics_begin(out, "_total", of);
        canary__exposition_label(out, "cause", causes[i]);
        canary__exposition_count(out, of->recording.rejected[i]);
    }
}

enum { DROPPED, MERGED, FLUSHES, COARSENED, JUMPS, PLAIN_COUNTERS };

static const struct canary__family plain_counters[PLAIN_COUNTERS] = {
    [DROPPED] = { "canary_recorded_dropped", COUNTER, "",
                  "Outcomes that were lost for want of memory." },
    [MERGED] = { "canary_recorded_merged", COUNTER, "",
                 "Outcomes that are in the metrics database." },
    [FLUSHES] = { "canary_flushes", COUNTER, "",
                  "Transactions that merged something into the metrics database." },
    [COARSENED] = { "canary_flush_coarsened_ticks", COUNTER, "",
                    "Ticks that were merged into their neighbours while they waited." },
    [JUMPS] = { "canary_clock_jumps", COUNTER, "",
                "Times that the wall clock went back, or forth by over 5 s." },
};

static void write_plain_counter(struct canary__exposition *out, canary__exposed *of, size_t which) {
    const uint64_t values[PLAIN_COUNTERS] = {
        [DROPPED] = of->recording.dropped,   [MERGED] = of->recording.merged,
        [FLUSHES] = of->recording.flushes,   [COARSENED] = of->recording.coarsened,
        [JUMPS] = of->recording.clock_jumps,
    };

    canary__openmetrics_begin(out, "_total", of);
    canary__exposition_count(out, values[which]);
}

void canary__openmetrics_counts(struct canary__exposition *out, const struct canary__scene *scene) {
    canary__openmetrics_each(out, scene, &decisions, write_decisions, 0);
    canary__openmetrics_each(out, scene, &outcomes, write_outcomes, 0);
    canary__openmetrics_each(out, scene, &rejected, write_rejected, 0);
    for (size_t i = 0; i < PLAIN_COUNTERS; i++) {
        canary__openmetrics_each(out, scene, &plain_counters[i], write_plain_counter, i);
    }
}
