/* SPDX-License-Identifier: MIT */
/* Rows of the measurement store that say what a metric is. */
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "observe/merge.h"

enum {
    COLUMNS = 9,
    NUMBER = 32,                           /* holds any double in 17 digits */
    LIST = CANARY_THRESHOLDS_MAX * 21 + 1, /* holds as many int64_t and commas */
};

/* The program's own locale may write numbers with a comma. */
static locale_t plain_begin(locale_t *before) {
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);

    *before = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
    return plain;
}

static void plain_end(locale_t plain, locale_t before) {
    if (plain != (locale_t)0) {
        uselocale(before);
        freelocale(plain);
    }
}

struct found {
    const char *metric;
    struct canary__declared *out;
    int present;
    int intact;
};

static const char *text_of(const canary_storage_row *row, uint32_t column) {
    return column < row->count && row->values[column].type == CANARY_VALUE_TEXT
               ? row->values[column].data
               : "";
}

static void parse_thresholds(const char *text, struct canary__declared *out) {
    while (*text != '\0' && out->threshold_count < CANARY_THRESHOLDS_MAX) {
        char *end = NULL;

        out->thresholds_ns[out->threshold_count++] = strtoll(text, &end, 10);
        if (end == text) {
            out->threshold_count--;
            return;
        }
        text = *end == ',' ? end + 1 : end;
    }
}

/* Figures of what makes no sense could be stored, but not be read again. */
static int makes_sense(const struct canary__declared *metric) {
    int number = metric->kind == CANARY_METRIC_VALUE || metric->kind == CANARY_METRIC_SCORE;
    int64_t before = -1;

    for (uint32_t i = 0; i < metric->threshold_count; i++) {
        if (metric->thresholds_ns[i] <= before) {
            return 0;
        }
        before = metric->thresholds_ns[i];
    }
    return metric->kind >= CANARY_METRIC_PROPORTION &&
           metric->kind <= CANARY_METRIC_CLASSIFICATION &&
           (!number || (metric->resolution >= DBL_MIN && metric->resolution <= DBL_MAX));
}

static int take(void *user_data, const canary_storage_row *row) {
    struct found *found = user_data;
    struct canary__declared *out = found->out;
    locale_t before;
    locale_t plain = plain_begin(&before);

    found->present = 1;
    memset(out, 0, sizeof *out);
    canary__text_copy(out->name, sizeof out->name, found->metric);
    canary__text_copy(out->unit, sizeof out->unit, text_of(row, 3));
    out->kind = row->count > 2 ? (int32_t)row->values[2].integer : 0;
    out->minimum = strtod(text_of(row, 4), NULL);
    out->maximum = strtod(text_of(row, 5), NULL);
    out->resolution = strtod(text_of(row, 6), NULL);
    out->per_unit = out->resolution > 0 ? 1 / out->resolution : 0;
    parse_thresholds(text_of(row, 7), out);
    plain_end(plain, before);
    found->intact = makes_sense(out);
    return 1;
}

static int find(canary_store *store, void *transaction, const char *rollout, struct found *found,
                canary_error *error) {
    const canary_storage_value key[2] = { canary__value_text(rollout),
                                          canary__value_text(found->metric) };
    const canary_storage_range range = {
        .size = (uint32_t)sizeof range, .key_count = 2, .limit = 1, .key = key
    };

    return store->methods.read(transaction, CANARY_TABLE_METRICS, &range, take, found, error);
}

int canary__merge_declaration(canary_store *measurements, void *transaction, const char *rollout,
                              const char *metric, struct canary__declared *out,
                              canary_error *error) {
    struct found found = { .metric = metric, .out = out };
    int code = find(measurements, transaction, rollout, &found, error);

    if (code == CANARY_OK && !found.present) {
        return canary__fail(error, CANARY_E_NOT_FOUND, 0, "\"%s\" has no metric \"%s\"", rollout,
                            metric);
    }
    if (code == CANARY_OK && !found.intact) {
        return canary__fail(error, CANARY_E_CORRUPT, 0,
                            "what is stored of metric \"%s\" of \"%s\" makes no sense", metric,
                            rollout);
    }
    return code;
}

static int write_metric(canary_store *store, void *transaction, const char *rollout,
                        const struct canary__declared *metric, canary_error *error) {
    char numbers[3][NUMBER];
    char thresholds[LIST] = "";
    size_t used = 0;
    locale_t before;
    locale_t plain = plain_begin(&before);

    snprintf(numbers[0], NUMBER, "%.17g", metric->minimum);
    snprintf(numbers[1], NUMBER, "%.17g", metric->maximum);
    snprintf(numbers[2], NUMBER, "%.17g", metric->resolution);
    plain_end(plain, before);
    for (uint32_t i = 0; i < metric->threshold_count; i++) {
        used += (size_t)snprintf(thresholds + used, sizeof thresholds - used, "%s%" PRId64,
                                 i == 0 ? "" : ",", metric->thresholds_ns[i]);
    }
    {
        const canary_storage_value values[COLUMNS] = {
            canary__value_text(rollout),
            canary__value_text(metric->name),
            canary__value_integer(metric->kind),
            canary__value_text(metric->unit),
            canary__value_text(numbers[0]),
            canary__value_text(numbers[1]),
            canary__value_text(numbers[2]),
            canary__value_text(thresholds),
            canary__value_integer(canary__now(&store->hooks, CANARY_CLOCK_REALTIME)),
        };
        const canary_storage_row row = { .size = (uint32_t)sizeof row,
                                         .table = CANARY_TABLE_METRICS,
                                         .count = COLUMNS,
                                         .values = values };

        return store->methods.write(transaction, &row, error);
    }
}

/* Puts those of `metric` into `known`, in order; the smallest stay. 1 when there are new ones. */
static int add_thresholds(struct canary__declared *known, const struct canary__declared *metric) {
    int changed = 0;

    for (uint32_t i = 0; i < metric->threshold_count; i++) {
        int64_t threshold = metric->thresholds_ns[i];
        uint32_t at = 0;

        while (at < known->threshold_count && known->thresholds_ns[at] < threshold) {
            at++;
        }
        if (at == CANARY_THRESHOLDS_MAX ||
            (at < known->threshold_count && known->thresholds_ns[at] == threshold)) {
            continue;
        }
        if (known->threshold_count < CANARY_THRESHOLDS_MAX) {
            known->threshold_count++;
        }
        memmove(&known->thresholds_ns[at + 1], &known->thresholds_ns[at],
                (known->threshold_count - 1 - at) * sizeof known->thresholds_ns[0]);
        known->thresholds_ns[at] = threshold;
        changed = 1;
    }
    return changed;
}

int canary__merge_declare(canary_store *measurements, void *transaction, const char *rollout,
                          const struct canary__declared *metric, int *declared,
                          canary_error *error) {
    struct canary__declared known;
    struct found found = { .metric = metric->name, .out = &known };
    int code = find(measurements, transaction, rollout, &found, error);

    *declared = 0;
    if (code != CANARY_OK) {
        return code;
    }
    if (!found.present || !found.intact) {
        if (found.present) {
            canary__log(&measurements->hooks, CANARY_LOG_WARNING,
                        "canary: what was stored of metric \"%s\" of \"%s\" made no sense; it is "
                        "declared anew",
                        metric->name, rollout);
        }
        *declared = 1;
        return write_metric(measurements, transaction, rollout, metric, error);
    }
    if (!canary__declared_equal(&known, metric)) {
        return canary__fail(error, CANARY_E_CONFLICT, 0,
                            "metric \"%s\" of \"%s\" is known as %s of unit \"%s\", range %g to "
                            "%g, resolution %g, and cannot be another one",
                            metric->name, rollout, canary_metric_kind_name(known.kind), known.unit,
                            known.minimum, known.maximum, known.resolution);
    }
    return add_thresholds(&known, metric)
               ? write_metric(measurements, transaction, rollout, &known, error)
               : CANARY_OK;
}
