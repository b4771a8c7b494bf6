/* SPDX-License-Identifier: MIT */
/* What was counted of each rollout. */
#include "observe/openmetrics.h"

static uint64_t count_of(canary__exposed *of, int cohort, const char *metric, int which) {
    const struct canary__tally *tally = canary__sheet_find(&of->sheet, 0, cohort, metric);

    return tally != NULL ? tally->counts[which] : 0;
}

static const struct canary__family decisions = { "canary_decisions", "counter", "",
                                                 "Decisions that were recorded or exposed." };

/* Numbers without a name of their own are one series. */
static uint64_t decisions_of(canary__exposed *of, int cohort, int reason) {
    uint64_t count = count_of(of, cohort, CANARY__SHEET_DECISIONS, reason);

    for (int other = CANARY_REASON_SPLIT + 1;
         reason == CANARY_REASON_UNKNOWN && other < CANARY__REASONS; other++) {
        count += count_of(of, cohort, CANARY__SHEET_DECISIONS, other);
    }
    return count;
}

/* All that can come, from the start, so that a rate is there with the first one; the rest when it
 * does. */
static void write_decisions(struct canary__exposition *out, canary__exposed *of, size_t which) {
    (void)which;
    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
        for (int reason = CANARY_REASON_UNKNOWN; reason <= CANARY_REASON_SPLIT; reason++) {
            uint64_t count = decisions_of(of, cohort, reason);
            int always_old = reason >= CANARY_REASON_INVALID && reason <= CANARY_REASON_STALE;

            if (count > 0 || cohort == CANARY_OLD || !always_old) {
                canary__openmetrics_begin_cohort(out, "_total", of, cohort, NULL);
                canary__exposition_label(out, "reason", canary_reason_name(reason));
                canary__exposition_count(out, count);
            }
        }
    }
}

static const struct canary__family outcomes = { "canary_outcomes", "counter", "",
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

void canary__openmetrics_counts(struct canary__exposition *out, const struct canary__scene *scene) {
    canary__openmetrics_each(out, scene, &decisions, write_decisions, 0);
    canary__openmetrics_each(out, scene, &outcomes, write_outcomes, 0);
}
