/* SPDX-License-Identifier: MIT */
#include "exposed.h"

char *exposed_text(canary_store *store) {
    uint64_t capacity = 1 << 20;
    uint64_t size = 0;
    char *text = malloc(capacity);

    assert_non_null(text);
    OK(canary_format_openmetrics(store, text, capacity, &size, &error));
    assert_int_equal(size, strlen(text));
    return text;
}

int exposed_line(const char *text, const char *line) {
    size_t length = strlen(line);

    for (const char *at = strstr(text, line); at != NULL; at = strstr(at + 1, line)) {
        if ((at == text || at[-1] == '\n') && at[length] == '\n') {
            return 1;
        }
    }
    return 0;
}

void *exposed_allocate(void *user_data, void *block, uint64_t old_size, uint64_t size) {
    struct exposed_heap *heap = user_data;
    void *moved;

    if (size == 0) {
        heap->bytes -= old_size;
        free(block);
        return NULL;
    }
    if (heap->left >= 0 && heap->left-- == 0) {
        return NULL;
    }
    moved = realloc(block, size);
    assert_non_null(moved);
    heap->bytes += size - (block != NULL ? old_size : 0);
    return moved;
}

void exposed_record(canary_ctx *ctx, int cohort, int status, int64_t duration_ns) {
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    outcome.status = status;
    outcome.duration_ns = duration_ns;
    assert_int_equal(canary_record_cohort(ctx, cohort, &outcome), CANARY_OK);
}

int32_t exposed_declare(canary_ctx *ctx, const char *name, int kind, const char *unit,
                        double minimum, double maximum) {
    canary_metric metric = CANARY_METRIC_INIT;
    int32_t handle = -1;

    metric.name = name;
    metric.kind = kind;
    metric.unit = unit;
    metric.minimum = minimum;
    metric.maximum = maximum;
    OK(canary_metric_declare(ctx, &metric, &handle, &error));
    return handle;
}

void exposed_measure(canary_ctx *ctx, int cohort, canary_measurement measurement) {
    canary_outcome outcome = CANARY_OUTCOME_INIT;

    outcome.measurements = &measurement;
    outcome.measurement_count = 1;
    assert_int_equal(canary_record_cohort(ctx, cohort, &outcome), CANARY_OK);
}

void exposed_measure_value(canary_ctx *ctx, int cohort, int32_t metric, double value) {
    exposed_measure(ctx, cohort, (canary_measurement){ .metric = metric, .value = value });
}
