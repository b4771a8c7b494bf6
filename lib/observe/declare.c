/* SPDX-License-Identifier: MIT */
/* Metrics that a program declares. */
#include <canary/observe.h>

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "observe/recorder.h"

#define DEFAULT_RESOLUTION 0.000001

static const char *const kinds[] = { "unknown", "proportion", "duration",
                                     "value",   "score",      "classification" };
static const char *const statuses[] = { "ok", "error", "timeout" };

void canary_metric_init(canary_metric *metric, uint32_t size) {
    if (metric != NULL && size >= sizeof metric->size) {
        memset(metric, 0, size);
        metric->size = size;
    }
}

const char *canary_metric_kind_name(int kind) {
    return kind < 0 || (size_t)kind >= sizeof kinds / sizeof kinds[0] ? kinds[0] : kinds[kind];
}

const char *canary_status_name(int status) {
    return status < 0 || (size_t)status >= sizeof statuses / sizeof statuses[0] ? "unknown"
                                                                                : statuses[status];
}

/* Names go into exposition formats as they are. */
static int is_word(const char *text, size_t most, int letter_first) {
    size_t length = strlen(text);

    if (length > most) {
        return 0;
    }
    for (size_t i = 0; i < length; i++) {
        int letter = text[i] >= 'a' && text[i] <= 'z';

        if (!letter &&
            ((i == 0 && letter_first) || !((text[i] >= '0' && text[i] <= '9') || text[i] == '_'))) {
            return 0;
        }
    }
    return length > 0 || !letter_first;
}

int canary__declared_name_fits(const char *name) {
    return name != NULL && is_word(name, CANARY_METRIC_NAME_MAX, 1);
}

static int is_builtin(const char *name) {
    return strcmp(name, "error") == 0 || strcmp(name, "timeout") == 0 ||
           strcmp(name, CANARY__SHEET_DURATION) == 0;
}

static int admit_numbers(const canary_metric *metric, struct canary__declared *out,
                         canary_error *error) {
    int limited = metric->minimum != 0 || metric->maximum != 0;
    double most = CANARY__MULTIPLES_MOST;

    if (metric->kind != CANARY_METRIC_VALUE && metric->kind != CANARY_METRIC_SCORE) {
        return limited || metric->resolution != 0
                   ? canary__fail(error, CANARY_E_INVALID, 0,
                                  "metric \"%s\": only values and scores have a range and a "
                                  "resolution",
                                  out->name)
                   : CANARY_OK;
    }
    out->resolution = metric->resolution != 0 ? metric->resolution : DEFAULT_RESOLUTION;
    if (!isnormal(out->resolution) || out->resolution < 0 || !isnormal(1 / out->resolution)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "metric \"%s\": the resolution %g is not a positive number", out->name,
                            metric->resolution);
    }
    if (!limited && metric->kind == CANARY_METRIC_VALUE) {
        out->minimum = -most * out->resolution;
        out->maximum = most * out->resolution;
    } else if (!(isfinite(metric->minimum) && isfinite(metric->maximum) &&
                 metric->minimum < metric->maximum)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "metric \"%s\": the range %g to %g is none; the minimum must be below "
                            "the maximum%s",
                            out->name, metric->minimum, metric->maximum,
                            limited ? "" : ", and a score needs a range");
    } else if (-metric->minimum > most * out->resolution ||
               metric->maximum > most * out->resolution) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "metric \"%s\": the range %g to %g is more than 2^47 multiples of its "
                            "resolution %g; choose a coarser one",
                            out->name, metric->minimum, metric->maximum, out->resolution);
    } else {
        out->minimum = metric->minimum;
        out->maximum = metric->maximum;
    }
    out->per_unit = 1 / out->resolution;
    return CANARY_OK;
}

static int admit_thresholds(const canary_metric *metric, struct canary__declared *out,
                            canary_error *error) {
    if (metric->threshold_count > 0 &&
        (metric->kind != CANARY_METRIC_DURATION || metric->thresholds_ns == NULL ||
         metric->threshold_count > CANARY_THRESHOLDS_MAX)) {
        return canary__fail(
            error, CANARY_E_INVALID, 0,
            "metric \"%s\": %u thresholds; durations can have up to %d, other kinds "
            "none",
            out->name, (unsigned)metric->threshold_count, CANARY_THRESHOLDS_MAX);
    }
    for (uint32_t i = 0; i < metric->threshold_count; i++) {
        int64_t threshold = metric->thresholds_ns[i];
        uint32_t place = out->threshold_count;

        if (threshold < 1 || threshold > CANARY_DURATION_MAX_NS) {
            return canary__fail(
                error, CANARY_E_INVALID, 0,
                "metric \"%s\": the threshold %lld ns is not between 1 ns and three "
                "days",
                out->name, (long long)threshold);
        }
        while (place > 0 && out->thresholds_ns[place - 1] > threshold) {
            out->thresholds_ns[place] = out->thresholds_ns[place - 1];
            place--;
        }
        if (place > 0 && out->thresholds_ns[place - 1] == threshold) {
            return canary__fail(error, CANARY_E_INVALID, 0,
                                "metric \"%s\": the threshold %lld ns is given twice", out->name,
                                (long long)threshold);
        }
        out->thresholds_ns[place] = threshold;
        out->threshold_count++;
    }
    return CANARY_OK;
}

int canary__declared_admit(const canary_metric *metric, struct canary__declared *out,
                           canary_error *error) {
    canary_metric own = CANARY_METRIC_INIT;
    const char *unit;
    int code;

    memset(out, 0, sizeof *out);
    if (metric == NULL ||
        canary__sized_in(&own, metric, sizeof own,
                         offsetof(canary_metric, reserved) + sizeof own.reserved) != 0 ||
        own.reserved != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "the metric is NULL, its size is wrong, or it has fields that this "
                            "library does not know");
    }
    if (!canary__declared_name_fits(own.name)) {
        return canary__fail(
            error, CANARY_E_INVALID, 0,
            "the metric name \"%.80s\" is not a letter and up to 62 more of a-z 0-9 _",
            own.name == NULL ? "(null)" : own.name);
    }
    canary__text_copy(out->name, sizeof out->name, own.name);
    if (own.kind < CANARY_METRIC_PROPORTION || own.kind > CANARY_METRIC_CLASSIFICATION) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "metric \"%s\": there is no kind %d; kinds are 1 to 5", out->name,
                            (int)own.kind);
    }
    if (is_builtin(out->name) &&
        (own.kind != CANARY_METRIC_DURATION || strcmp(out->name, CANARY__SHEET_DURATION) != 0)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "metric \"%s\" is built in; only \"duration\" can be declared, as a "
                            "duration, to give it thresholds",
                            out->name);
    }
    unit = own.kind == CANARY_METRIC_DURATION ? "seconds" : own.unit == NULL ? "" : own.unit;
    if (!is_word(unit, CANARY_UNIT_MAX, 0) ||
        (own.kind == CANARY_METRIC_DURATION && own.unit != NULL && own.unit[0] != '\0' &&
         strcmp(own.unit, unit) != 0)) {
        return canary__fail(
            error, CANARY_E_INVALID, 0,
            "metric \"%s\": the unit \"%.80s\" is not up to %d of a-z 0-9 _%s", out->name, own.unit,
            CANARY_UNIT_MAX,
            own.kind == CANARY_METRIC_DURATION ? ", and that of a duration is \"seconds\"" : "");
    }
    canary__text_copy(out->unit, sizeof out->unit, unit);
    out->kind = own.kind;
    code = admit_numbers(&own, out, error);
    return code != CANARY_OK ? code : admit_thresholds(&own, out, error);
}

int canary__declared_equal(const struct canary__declared *a, const struct canary__declared *b) {
    return a->kind == b->kind && strcmp(a->unit, b->unit) == 0 && a->minimum == b->minimum &&
           a->maximum == b->maximum && a->resolution == b->resolution;
}

static int same_thresholds(const struct canary__declared *a, const struct canary__declared *b) {
    return a->threshold_count == b->threshold_count &&
           memcmp(a->thresholds_ns, b->thresholds_ns, sizeof a->thresholds_ns) == 0;
}

static int conflict(const struct canary__declared *known, const struct canary__declared *wanted,
                    canary_error *error) {
    return canary__fail(error, CANARY_E_CONFLICT, 0,
                        "metric \"%s\" was declared before as a %s with the unit \"%s\", and with "
                        "this one as a %s with the unit \"%s\" it differs%s; declare it once and "
                        "alike everywhere",
                        known->name, canary_metric_kind_name(known->kind), known->unit,
                        canary_metric_kind_name(wanted->kind), wanted->unit,
                        canary__declared_equal(known, wanted)
                            ? " in its thresholds"
                            : " in these, its range or its resolution");
}

static uint32_t bytes_of(int kind) {
    size_t size = 0;

    switch (kind) {
    case CANARY_METRIC_DURATION:
        size = sizeof(struct canary__duration_slot);
        break;
    case CANARY_METRIC_VALUE:
    case CANARY_METRIC_SCORE:
        size = sizeof(struct canary__value_slot);
        break;
    case CANARY_METRIC_PROPORTION:
        size = CANARY__PARTS * CANARY__PROPORTION * sizeof(canary__counter);
        break;
    default:
        size = 4 * sizeof(canary__counter);
        break;
    }
    return (uint32_t)((2 * size + 63) / 64 * 64); /* no line of two threads' slots */
}

/* "duration" has its slots from the start: only its thresholds are new. */
static int declare_duration(struct canary__observer *observer,
                            const struct canary__declared *wanted, canary_error *error) {
    if (atomic_load_explicit(&observer->duration_fixed, memory_order_relaxed) != 0) {
        return same_thresholds(&observer->duration, wanted)
                   ? CANARY_OK
                   : conflict(&observer->duration, wanted, error);
    }
    observer->duration = *wanted;
    /* Release: who sees the count sees the thresholds. */
    atomic_store_explicit(&observer->duration_fixed, 1, memory_order_relaxed);
    atomic_store_explicit(&observer->duration_thresholds, wanted->threshold_count,
                          memory_order_release);
    return CANARY_OK;
}

static int declare(struct canary__observer *observer, const struct canary__declared *wanted,
                   int32_t *handle, canary_error *error) {
    uint32_t count = atomic_load_explicit(&observer->metric_count, memory_order_relaxed);
    struct canary__declared *place = &observer->metrics[count];

    for (uint32_t i = 0; i < count; i++) {
        const struct canary__declared *known = &observer->metrics[i];

        if (strcmp(known->name, wanted->name) == 0) {
            if (!canary__declared_equal(known, wanted) || !same_thresholds(known, wanted)) {
                return conflict(known, wanted, error);
            }
            *handle = (int32_t)i;
            return CANARY_OK;
        }
    }
    if (count == CANARY_METRICS_MAX) {
        return canary__fail(error, CANARY_E_REFUSED, 0,
                            "metric \"%s\": this context has %d declared metrics, and more are not "
                            "possible",
                            wanted->name, CANARY_METRICS_MAX);
    }
    *place = *wanted;
    place->stride = bytes_of(wanted->kind);
    place->slots = canary__observer_slots(place->stride);
    if (place->slots == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "no memory for metric \"%s\"", wanted->name);
    }
    /* Release: who sees the count sees the metric whole. */
    atomic_store_explicit(&observer->metric_count, count + 1, memory_order_release);
    *handle = (int32_t)count;
    return CANARY_OK;
}

int canary_metric_declare(canary_ctx *ctx, const canary_metric *metric, int32_t *handle,
                          canary_error *error) {
    struct canary__declared wanted;
    struct canary__observer *observer;
    int32_t own = -1;
    int code = canary__declared_admit(metric, &wanted, error);

    if (code != CANARY_OK) {
        return code;
    }
    if (ctx == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "canary_metric_declare: ctx is NULL");
    }
    observer = canary__observer_make(ctx);
    if (observer == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "no memory for metric \"%s\"", wanted.name);
    }
    canary__observer_lock(observer);
    code = strcmp(wanted.name, CANARY__SHEET_DURATION) == 0
               ? declare_duration(observer, &wanted, error)
               : declare(observer, &wanted, &own, error);
    canary__observer_unlock(observer);
    if (code == CANARY_OK && handle != NULL) {
        *handle = own;
    }
    return code;
}

int canary_metric_find(canary_ctx *ctx, const char *name, int32_t *handle) {
    struct canary__observer *observer;
    uint32_t count;

    if (ctx == NULL || name == NULL || handle == NULL) {
        return CANARY_E_INVALID;
    }
    observer = canary__observer_of(ctx);
    count =
        observer == NULL ? 0 : atomic_load_explicit(&observer->metric_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(observer->metrics[i].name, name) == 0) {
            *handle = (int32_t)i;
            return CANARY_OK;
        }
    }
    return CANARY_E_NOT_FOUND;
}
