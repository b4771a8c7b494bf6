/* SPDX-License-Identifier: MIT */
/* How recording itself fares. */
#include "observe/openmetrics.h"

#define GAUGE "gauge"
#define COUNTER "counter"

/* -- of each rollout -- */

static const struct canary__family rejected = {
    "canary_recorded_rejected", COUNTER, "",
    "Outcomes and measurements that were not allowed, by cause; not in any other count."
};

static void write_rejected(struct canary__exposition *out, canary__exposed *of, size_t which) {
    static const char *const causes[CANARY_REJECTED_COUNT] = {
        [CANARY_REJECTED_ARGUMENT] = "argument",     [CANARY_REJECTED_COHORT] = "cohort",
        [CANARY_REJECTED_STATUS] = "status",         [CANARY_REJECTED_DURATION] = "duration",
        [CANARY_REJECTED_UNDECLARED] = "undeclared", [CANARY_REJECTED_KIND] = "kind",
        [CANARY_REJECTED_NUMBER] = "number",         [CANARY_REJECTED_RANGE] = "range",
    };

    (void)which;
    for (size_t i = 0; i < CANARY_REJECTED_COUNT; i++) {
        canary__openmetrics_begin(out, "_total", of);
        canary__exposition_label(out, "cause", causes[i]);
        canary__exposition_count(out, of->recording.rejected[i]);
    }
}

enum { DROPPED, MERGED, COARSENED, WAITING, THREADS, PLAIN };

static const struct canary__family plain[PLAIN] = {
    [DROPPED] = { "canary_recorded_dropped", COUNTER, "", "Outcomes that were lost." },
    [MERGED] = { "canary_recorded_merged", COUNTER, "",
                 "Outcomes that are in the metrics database." },
    [COARSENED] = { "canary_flush_coarsened_ticks", COUNTER, "",
                    "Ticks that were merged into their neighbours while they waited." },
    [WAITING] = { "canary_flush_waiting_ticks", GAUGE, "",
                  "Ticks that are kept in memory until they can be merged." },
    [THREADS] = { "canary_recording_threads", GAUGE, "",
                  "Threads that record in memory of their own." },
};

static void write_plain(struct canary__exposition *out, canary__exposed *of, size_t which) {
    const uint64_t values[PLAIN] = {
        [DROPPED] = of->recording.dropped,     [MERGED] = of->recording.merged,
        [COARSENED] = of->recording.coarsened, [WAITING] = of->recording.waiting,
        [THREADS] = of->recording.threads,
    };

    canary__openmetrics_begin(out, which <= COARSENED ? "_total" : "", of);
    canary__exposition_count(out, values[which]);
}

/* -- of the store -- */

enum { FLUSHES, JUMPS, FLUSHED_AT, FLUSH_TIME, FAILING, SHARED };

static const struct canary__family shared[SHARED] = {
    [FLUSHES] = { "canary_flushes", COUNTER, "",
                  "Transactions that merged something into the metrics database." },
    [JUMPS] = { "canary_clock_jumps", COUNTER, "",
                "Times that the wall clock went back, or forth by over 5 s." },
    [FLUSHED_AT] = { "canary_flush_timestamp_seconds", GAUGE, "seconds",
                     "Time of the last merge into the metrics database; 0 before the first." },
    [FLUSH_TIME] = { "canary_flush_duration_seconds", GAUGE, "seconds",
                     "How long the last merge took." },
    [FAILING] = { "canary_flush_failing", GAUGE, "",
                  "1 when the last attempt to merge failed; it is repeated." },
};

/* The same in every rollout of the store. */
static void write_shared(struct canary__exposition *out, const canary_recording_info *info) {
    const double values[SHARED] = {
        [FLUSHES] = (double)info->flushes,
        [JUMPS] = info->clock_jumps,
        [FLUSHED_AT] = (double)info->flushed_at_ns / 1e9,
        [FLUSH_TIME] = (double)info->flush_ns / 1e9,
        [FAILING] = info->last_error != 0,
    };

    for (size_t i = 0; i < SHARED; i++) {
        canary__exposition_family(out, &shared[i]);
        canary__exposition_sample(out, i <= JUMPS ? "_total" : "");
        canary__exposition_real(out, values[i]);
    }
}

void canary__openmetrics_recording(struct canary__exposition *out,
                                   const struct canary__scene *scene) {
    canary__openmetrics_each(out, scene, &rejected, write_rejected, 0);
    for (size_t i = 0; i < PLAIN; i++) {
        canary__openmetrics_each(out, scene, &plain[i], write_plain, i);
    }
    if (scene->count > 0) {
        write_shared(out, &scene->rollouts[0].recording);
    }
}
