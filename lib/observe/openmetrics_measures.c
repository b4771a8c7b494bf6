/* SPDX-License-Identifier: MIT */
/* What was measured of each rollout: durations, and the metrics that the program declared. */
#include "observe/histogram.h"
#include "observe/openmetrics.h"

/* -- durations -- */

/* 0.5 ms, doubled again and again up to 65.536 s. As 500 us are 125 * 4 us, each of them is where a
 * bucket of the internal histogram begins: what lies below is known exactly. */
enum { EDGES = 18, EDGE_FIRST_US = 500, NANOSECONDS = 1000 };

/* Bounds of one duration's histogram: the edges and the declared thresholds, ascending. */
struct bounds {
    uint32_t count;
    int64_t ns[EDGES + CANARY_THRESHOLDS_MAX];
};

static void add_bound(struct bounds *bounds, int64_t ns) {
    uint32_t place = bounds->count;

    for (uint32_t i = 0; i < bounds->count; i++) {
        if (bounds->ns[i] == ns) {
            return;
        }
    }
    for (; place > 0 && bounds->ns[place - 1] > ns; place--) {
        bounds->ns[place] = bounds->ns[place - 1];
    }
    bounds->ns[place] = ns;
    bounds->count++;
}

static void find_bounds(const struct canary__declared *metric, struct bounds *bounds) {
    bounds->count = 0;
    for (int i = 0; i < EDGES; i++) {
        add_bound(bounds, ((int64_t)EDGE_FIRST_US << i) * NANOSECONDS);
    }
    for (uint32_t i = 0; i < metric->threshold_count; i++) {
        add_bound(bounds, metric->thresholds_ns[i]);
    }
}

static uint64_t sum_below(const struct canary__tally *tally, uint32_t end) {
    uint64_t sum = 0;

    for (uint32_t i = 0; tally->buckets != NULL && i < end; i++) {
        sum += tally->buckets[i];
    }
    return sum;
}

/* How many durations are at most `ns`. At a threshold that is what was counted above it, taken from all
 * that were compared. These are other counters than the histogram's, and not all outcomes need have been
 * compared; held between what the histogram says of the two sides of the bucket around `ns`, the
 * numbers of a series never fall, neither along the bounds nor in time. */
static uint64_t count_up_to(const struct canary__tally *tally, int64_t ns) {
    uint64_t us = (uint64_t)ns / NANOSECONDS;
    int over = us >= CANARY__HISTOGRAM_END;
    uint32_t index = over ? CANARY__HISTOGRAM_BUCKETS : canary__histogram_index(us);
    uint64_t low = sum_below(tally, index);
    uint64_t inside = over ? tally->overflow : tally->buckets == NULL ? 0 : tally->buckets[index];

    for (uint32_t i = 0; i < tally->threshold_count; i++) {
        if (tally->thresholds_ns[i] == ns) {
            uint64_t most = tally->threshold_n[i] - tally->threshold_above[i];

            return most <= low ? low : most - low < inside ? most : low + inside;
        }
    }
    return low;
}

static void write_duration(struct canary__exposition *out, canary__exposed *of, int cohort,
                           const char *metric, const struct canary__tally *tally,
                           const struct bounds *bounds) {
    static const struct canary__tally empty;
    uint64_t count;

    if (tally == NULL) {
        tally = &empty;
    }
    count = sum_below(tally, CANARY__HISTOGRAM_BUCKETS) + tally->overflow;
    for (uint32_t i = 0; i < bounds->count; i++) {
        canary__openmetrics_begin_cohort(out, "_bucket", of, cohort, metric);
        canary__exposition_label_real(out, "le", (double)bounds->ns[i] / 1e9);
        canary__exposition_count(out, count_up_to(tally, bounds->ns[i]));
    }
    canary__openmetrics_begin_cohort(out, "_bucket", of, cohort, metric);
    canary__exposition_label(out, "le", "+Inf");
    canary__exposition_count(out, count);
    canary__openmetrics_begin_cohort(out, "_sum", of, cohort, metric);
    canary__exposition_real(out, canary__wide_double(tally->sum) / 1e9);
    canary__openmetrics_begin_cohort(out, "_count", of, cohort, metric);
    canary__exposition_count(out, count);
}

static void write_durations(struct canary__exposition *out, canary__exposed *of, const char *label,
                            const struct canary__declared *metric,
                            const struct canary__tally *const tallies[2]) {
    struct bounds bounds;

    find_bounds(metric, &bounds);
    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
        write_duration(out, of, cohort, label, tallies[cohort], &bounds);
    }
}

static const struct canary__family duration = { "canary_duration_seconds", "histogram", "seconds",
                                                "How long requests took." };

static void write_built_in_duration(struct canary__exposition *out, canary__exposed *of,
                                    size_t which) {
    const struct canary__tally *const tallies[2] = {
        canary__sheet_find(&of->sheet, 0, CANARY_OLD, CANARY__SHEET_DURATION),
        canary__sheet_find(&of->sheet, 0, CANARY_NEW, CANARY__SHEET_DURATION),
    };

    (void)which;
    write_durations(out, of, NULL, &of->duration, tallies);
}

/* -- declared metrics -- */

enum { RESULTS, CLASSIFICATIONS, DURATIONS, VALUES, NET_VALUES, FAMILIES };

static const struct canary__family families[FAMILIES] = {
    [RESULTS] = { "canary_metric_results", "counter", "",
                  "Declared proportions: hits and misses." },
    [CLASSIFICATIONS] = { "canary_metric_classifications", "counter", "",
                          "Declared classifications: true and false positives and negatives." },
    [DURATIONS] = { "canary_metric_duration_seconds", "histogram", "seconds",
                    "Declared durations." },
    [VALUES] = { "canary_metric_value", "summary", "",
                 "Declared values and scores; a sum where none can be negative." },
    [NET_VALUES] = { "canary_metric_value_net", "gauge", "",
                     "Sum of declared values and scores that can be negative." },
};

/* NULL when nothing was counted, or another context of the rollout counts something else under that
 * name. */
static const struct canary__tally *tally_of(canary__exposed *of, int cohort,
                                            const struct canary__declared *metric) {
    const struct canary__tally *tally = canary__sheet_find(&of->sheet, 0, cohort, metric->name);

    return tally != NULL && tally->kind == metric->kind ? tally : NULL;
}

static void write_counts(struct canary__exposition *out, canary__exposed *of, int cohort,
                         const struct canary__declared *metric, const char *const *names,
                         int count) {
    const struct canary__tally *tally = tally_of(of, cohort, metric);

    for (int i = 0; i < count; i++) {
        canary__openmetrics_begin_cohort(out, "_total", of, cohort, metric->name);
        canary__exposition_label(out, "result", names[i]);
        canary__exposition_count(out, tally != NULL ? tally->counts[i] : 0);
    }
}

static void begin_value(struct canary__exposition *out, const char *suffix, canary__exposed *of,
                        int cohort, const struct canary__declared *metric) {
    canary__openmetrics_begin_cohort(out, suffix, of, cohort, metric->name);
    if (metric->unit[0] != '\0') {
        canary__exposition_label(out, "unit", metric->unit);
    }
}

/* A sum that can fall is no counter: a rate of it would take each fall for a new start. The range tells,
 * not what came so far, so that a series does not change its kind. */
static void write_value(struct canary__exposition *out, canary__exposed *of, int cohort,
                        const struct canary__declared *metric, int net) {
    const struct canary__tally *tally = tally_of(of, cohort, metric);
    canary_figures figures = { 0 };

    if (tally != NULL) {
        canary__tally_figures(tally, 0, &figures);
    }
    if (!net) {
        begin_value(out, "_count", of, cohort, metric);
        canary__exposition_count(out, figures.n);
    }
    if (net == (metric->minimum < 0)) {
        begin_value(out, net ? "" : "_sum", of, cohort, metric);
        canary__exposition_real(out, figures.sum);
    }
}

static int belongs(const struct canary__declared *metric, size_t family) {
    switch (metric->kind) {
    case CANARY_METRIC_PROPORTION:
        return family == RESULTS;
    case CANARY_METRIC_CLASSIFICATION:
        return family == CLASSIFICATIONS;
    case CANARY_METRIC_DURATION:
        return family == DURATIONS;
    default:
        return family == VALUES || family == NET_VALUES;
    }
}

static void write_metric(struct canary__exposition *out, canary__exposed *of,
                         const struct canary__declared *metric, size_t family) {
    static const char *const results[] = {
        [CANARY__COUNT_MISS] = "miss",
        [CANARY__COUNT_HIT] = "hit",
    };
    static const char *const classes[] = {
        [CANARY__COUNT_TP] = "tp",
        [CANARY__COUNT_FP] = "fp",
        [CANARY__COUNT_FN] = "fn",
        [CANARY__COUNT_TN] = "tn",
    };

    if (family == DURATIONS) {
        const struct canary__tally *const tallies[2] = { tally_of(of, CANARY_OLD, metric),
                                                         tally_of(of, CANARY_NEW, metric) };

        write_durations(out, of, metric->name, metric, tallies);
        return;
    }
    for (int cohort = CANARY_OLD; cohort <= CANARY_NEW; cohort++) {
        switch (family) {
        case RESULTS:
            write_counts(out, of, cohort, metric, results, 2);
            break;
        case CLASSIFICATIONS:
            write_counts(out, of, cohort, metric, classes, 4);
            break;
        default:
            write_value(out, of, cohort, metric, family == NET_VALUES);
            break;
        }
    }
}

static void write_family(struct canary__exposition *out, canary__exposed *of, size_t which) {
    for (uint32_t i = 0; i < of->metric_count; i++) {
        if (belongs(&of->metrics[i], which)) {
            write_metric(out, of, &of->metrics[i], which);
        }
    }
}

void canary__openmetrics_measures(struct canary__exposition *out,
                                  const struct canary__scene *scene) {
    canary__openmetrics_each(out, scene, &duration, write_built_in_duration, 0);
    for (size_t i = 0; i < FAMILIES; i++) {
        canary__openmetrics_each(out, scene, &families[i], write_family, i);
    }
}
