/* SPDX-License-Identifier: MIT */
/* canary_metrics(): the stored sheets of a span of time, merged step by step. */
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "control/row_values.h"
#include "observe/baseline.h"
#include "observe/listing.h"
#include "observe/scan.h"

/* When a generation has figures within the step under way. */
struct span {
    uint64_t generation;
    int64_t from_ns;
    int64_t to_ns;
};

struct reading {
    const struct canary__hooks *hooks;
    canary_metrics_query query;
    canary_metrics_report report;
    struct canary__wish wish;
    struct canary__listing listing;
    struct canary__sheet sheet; /* of the step under way, */
    int64_t step;               /* which began then */
    struct canary__rows spans;  /* by generation */
};

static int add_span(struct reading *reading, uint64_t generation, int64_t from, int64_t to) {
    struct span one = { generation, from, to };
    size_t count = reading->spans.used / sizeof one;
    struct span *spans = (struct span *)(void *)reading->spans.bytes;
    size_t at = count;

    while (at > 0 && spans[at - 1].generation >= generation) {
        at--;
    }
    if (at < count && spans[at].generation == generation) {
        spans[at].from_ns = from < spans[at].from_ns ? from : spans[at].from_ns;
        spans[at].to_ns = to > spans[at].to_ns ? to : spans[at].to_ns;
        return 0;
    }
    if (canary__rows_add(&reading->spans, &one, sizeof one) != 0) {
        return -1;
    }
    spans = (struct span *)(void *)reading->spans.bytes;
    memmove(&spans[at + 1], &spans[at], (count - at) * sizeof one);
    spans[at] = one;
    return 0;
}

/* Rows for a step that is complete. */
static int close_step(struct reading *reading, canary_error *error) {
    const canary_metrics_query *query = &reading->query;
    const struct span *spans = (const struct span *)(const void *)reading->spans.bytes;
    int code = CANARY_OK;

    for (size_t i = 0; i < reading->spans.used / sizeof *spans && code == CANARY_OK; i++) {
        int64_t from = spans[i].from_ns;
        int64_t to = spans[i].to_ns;

        if (query->step_ns != 0) {
            from = reading->step < query->from_ns ? query->from_ns : reading->step;
            to = reading->step + query->step_ns;
            to = query->to_ns != 0 && query->to_ns < to ? query->to_ns : to;
        } else if ((query->flags & CANARY_METRICS_BY_GENERATION) == 0) {
            from = query->from_ns != 0 ? query->from_ns : from;
            to = query->to_ns != 0 ? query->to_ns : to;
        }
        code = canary__listing_add(&reading->listing, &reading->sheet, spans[i].generation, from,
                                   to, error);
    }
    canary__sheet_free(reading->hooks, &reading->sheet);
    reading->spans.used = 0;
    return code;
}

static void count_losses(struct reading *reading, const struct canary__entry *entry) {
    if (entry->tally.kind == CANARY__TALLY_LOSSES &&
        (reading->wish.generation == 0 || reading->wish.generation == entry->generation)) {
        for (int i = 0; i < CANARY_REJECTED_COUNT; i++) {
            reading->report.rejected += entry->tally.counts[i];
        }
        reading->report.dropped += entry->tally.counts[CANARY__LOSS_DROPPED];
    }
}

static int take_sheet(void *user_data, int64_t start, int64_t end,
                      const struct canary__sheet *sheet, canary_error *error) {
    struct reading *reading = user_data;
    int64_t step = reading->query.step_ns;
    int code = CANARY_OK;

    if (step != 0 && start - start % step != reading->step) {
        code = close_step(reading, error);
        reading->step = start - start % step;
    }
    for (uint32_t i = 0; i < sheet->count && code == CANARY_OK; i++) {
        const struct canary__entry *entry = &sheet->entries[i];
        canary_metrics_report *report = &reading->report;

        count_losses(reading, entry);
        if (!canary__scan_wants(&reading->wish, entry)) {
            continue;
        }
        if (report->to_ns == 0 || start < report->from_ns) {
            report->from_ns = start;
        }
        report->to_ns = end > report->to_ns ? end : report->to_ns;
        if (add_span(reading, reading->wish.together ? 0 : entry->generation, start, end) != 0) {
            code = canary__fail(error, CANARY_E_NOMEM, 0, "no memory for figures");
        }
    }
    return code != CANARY_OK ? code
                             : canary__scan_gather(reading->hooks, &reading->wish, &reading->sheet,
                                                   sheet, &reading->report, error);
}

static int hand_out(void *user_data, canary_error *error) {
    struct reading *reading = user_data;

    return canary__listing_hand(&reading->listing, error);
}

/* -- the newest merge -- */

static int take_writer(void *user_data, const canary_storage_row *row) {
    struct canary__row_cursor time = { row, row->table == CANARY_TABLE_WRITERS ? 2 : 4, 0 };
    int64_t at = canary__row_take_integer(&time, 0, INT64_MAX);
    int64_t *last = user_data;

    *last = at > *last ? at : *last;
    return 0;
}

static int read_last(struct reading *reading, canary_error *error) {
    canary_storage_value key = canary__value_text(reading->listing.rollout);
    canary_storage_range all = { .size = (uint32_t)sizeof all };
    canary_storage_range ours = { .size = (uint32_t)sizeof ours, .key_count = 1, .key = &key };
    canary_store *store = reading->listing.measurements;
    int64_t *last = &reading->report.last_at_ns;
    void *transaction;
    int code = canary__rows_begin(store, NULL, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = store->methods.read(transaction, CANARY_TABLE_WRITERS, &all, take_writer, last, error);
    if (code == CANARY_OK) {
        code =
            store->methods.read(transaction, CANARY_TABLE_IMPORTS, &ours, take_writer, last, error);
    }
    return canary__rows_end(store, transaction, code, error);
}

/* -- the call -- */

static int read_steps(struct reading *reading, canary_error *error) {
    struct canary__scan scan = {
        .measurements = reading->listing.measurements,
        .rollout = reading->listing.rollout,
        .from_ns = reading->query.from_ns,
        .to_ns = reading->query.to_ns != 0 ? reading->query.to_ns : INT64_MAX,
        .step_ns = reading->query.step_ns,
        .take = take_sheet,
        .pause = hand_out,
        .user_data = reading,
        .report = &reading->report,
    };
    int code = read_last(reading, error);

    if (code == CANARY_OK) {
        code = canary__scan_run(&scan, error);
    }
    if (code == CANARY_OK) {
        code = close_step(reading, error);
    }
    return code;
}

static int read_all(struct reading *reading, canary_error *error) {
    int baseline = (reading->query.flags & CANARY_METRICS_BASELINE) != 0;
    int code = baseline ? canary__baseline_list(&reading->listing, &reading->query,
                                                &reading->report, error)
                        : read_steps(reading, error);

    if (code == CANARY_OK) {
        code = canary__listing_hand(&reading->listing, error);
    }
    canary__sheet_free(reading->hooks, &reading->sheet);
    canary__rows_free(&reading->spans);
    canary__listing_free(&reading->listing);
    return code == CANARY__LISTING_ENDED ? CANARY_OK : code;
}

int canary_metrics(canary_store *store, const char *rollout, const canary_metrics_query *query,
                   canary_metrics_fn callback, void *user_data, canary_metrics_report *report,
                   canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct reading reading = { .step = 0 };
    canary_store *measurements;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (callback == NULL || (report != NULL && report->size < sizeof report->size)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "canary_metrics: callback is NULL, or the size of the report is 0");
    }
    code = canary__scan_admit(store, rollout, query, &reading.query, &measurements, error);
    if (code == CANARY_OK && measurements != NULL) {
        reading.hooks = &measurements->hooks;
        reading.spans.hooks = reading.hooks;
        reading.wish = (struct canary__wish){
            .generation = reading.query.generation,
            .together = reading.query.generation == 0 &&
                        (reading.query.flags & CANARY_METRICS_BY_GENERATION) == 0,
            .cohorts = 1u << CANARY_OLD | 1u << CANARY_NEW,
            .metric = reading.query.metric,
        };
        reading.listing = (struct canary__listing){
            .measurements = measurements,
            .rollout = rollout,
            .metric = reading.query.metric,
            .callback = callback,
            .user_data = user_data,
        };
        code = read_all(&reading, error);
    }
    if (code == CANARY_OK && report != NULL) {
        canary__sized_out(report, &reading.report, sizeof reading.report);
    }
    return code;
}
