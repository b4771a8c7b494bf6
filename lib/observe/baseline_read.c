/* SPDX-License-Identifier: MIT */
/* Reading stored baselines. */
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "control/row_values.h"
#include "control/rows.h"
#include "observe/baseline.h"
#include "observe/scan.h"

enum { HOUR = 1, DATA = 8 };

static int64_t get_info(const canary_storage_row *row, canary_baseline_info *info) {
    struct canary__row_cursor cursor = { row, HOUR, 0 };
    int64_t hour = canary__row_take_integer(&cursor, -1, CANARY__WEEK_HOURS - 1);

    info->captured_at_ns = canary__row_take_integer(&cursor, 0, INT64_MAX);
    info->from_ns = canary__row_take_integer(&cursor, 0, INT64_MAX);
    info->to_ns = canary__row_take_integer(&cursor, 0, INT64_MAX);
    info->outcomes = (uint64_t)canary__row_take_integer(&cursor, 0, INT64_MAX);
    canary__row_take_text(&cursor, info->by, sizeof info->by);
    canary__row_take_text(&cursor, info->note, sizeof info->note);
    return hour;
}

static int read_rows(canary_store *store, const char *rollout, const canary_storage_value *after,
                     uint64_t limit, canary_storage_sink sink, void *user_data,
                     canary_error *error) {
    canary_storage_value key = canary__value_text(rollout);
    canary_storage_range range = {
        .size = (uint32_t)sizeof range, .key_count = 1, .key = &key, .after = after, .limit = limit
    };
    void *transaction;
    int code = canary__rows_begin(store, NULL, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = store->methods.read(transaction, CANARY_TABLE_BASELINES, &range, sink, user_data, error);
    return canary__rows_end(store, transaction, code, error);
}

/* -- figures -- */

struct listing_rows {
    struct canary__listing *listing;
    const canary_metrics_query *query;
    canary_metrics_report *report;
    canary_baseline_info info;
    struct canary__sheet sum; /* of the hours of a time */
    int code;
    canary_error *error;
};

static int touches(const canary_metrics_query *query, int64_t hour) {
    int64_t first = query->from_ns / CANARY__HOUR_NS;
    int64_t count = (query->to_ns - 1) / CANARY__HOUR_NS - first + 1;
    int64_t place = (first + CANARY__WEEK_FIRST) % CANARY__WEEK_HOURS;

    return query->to_ns == 0 || (hour - place + CANARY__WEEK_HOURS) % CANARY__WEEK_HOURS < count;
}

static int list_sheet(struct listing_rows *rows, int64_t hour, const struct canary__sheet *sheet) {
    const struct canary__wish all = { .together = 1,
                                      .cohorts = 1u << CANARY_OLD | 1u << CANARY_NEW };
    const canary_baseline_info *info = &rows->info;

    if (hour >= 0 && rows->query->step_ns == 0) {
        return canary__scan_gather(&rows->listing->measurements->hooks, &all, &rows->sum, sheet,
                                   rows->report, rows->error);
    }
    return canary__listing_add(rows->listing, sheet, 0,
                               hour >= 0 ? hour * CANARY__HOUR_NS : info->from_ns,
                               hour >= 0 ? (hour + 1) * CANARY__HOUR_NS : info->to_ns, rows->error);
}

static int by_hours(const canary_metrics_query *query) {
    return query->step_ns != 0 || query->to_ns != 0;
}

static int list_row(void *user_data, const canary_storage_row *row) {
    struct listing_rows *rows = user_data;
    const struct canary__hooks *hooks = &rows->listing->measurements->hooks;
    canary_metrics_report *report = rows->report;
    struct canary__sheet sheet = { 0 };
    int64_t hour = get_info(row, &rows->info);
    int whole;

    if ((hour == -1) == by_hours(rows->query) || (hour >= 0 && !touches(rows->query, hour))) {
        return 0;
    }
    report->from_ns = rows->info.from_ns;
    report->to_ns = rows->info.to_ns;
    report->last_at_ns = rows->info.captured_at_ns;
    rows->code = canary__scan_sheet(hooks, row, DATA, hour >= 0 ? "hour of a baseline" : "baseline",
                                    &sheet, &whole, report, rows->error);
    if (whole) {
        rows->code = list_sheet(rows, hour, &sheet);
        canary__sheet_free(hooks, &sheet);
    }
    return rows->code != CANARY_OK;
}

int canary__baseline_list(struct canary__listing *listing, const canary_metrics_query *query,
                          canary_metrics_report *report, canary_error *error) {
    struct listing_rows rows = {
        .listing = listing, .query = query, .report = report, .error = error
    };
    canary_storage_value head = canary__value_integer(-1);
    int hours = by_hours(query);
    int code = read_rows(listing->measurements, listing->rollout, hours ? &head : NULL,
                         hours ? 0 : 1, list_row, &rows, error);

    code = code != CANARY_OK ? code : rows.code;
    if (code == CANARY_OK && rows.sum.count > 0) {
        code =
            canary__listing_add(listing, &rows.sum, 0, rows.info.from_ns, rows.info.to_ns, error);
    }
    canary__sheet_free(&listing->measurements->hooks, &rows.sum);
    return code;
}

/* -- what it is -- */

struct found {
    canary_baseline_info info;
    uint32_t hours;
    int head;
};

static int take_info(void *user_data, const canary_storage_row *row) {
    struct found *found = user_data;
    canary_baseline_info info = { 0 };

    if (get_info(row, &info) == -1) {
        found->info = info;
        found->head = 1;
    } else {
        found->hours++;
    }
    return 0;
}

int canary_baseline_read(canary_store *store, const char *rollout, canary_baseline_info *out,
                         canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct found found = { .head = 0 };
    canary_store *measurements;
    canary_metrics_query all;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (out == NULL || out->size < sizeof out->size) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "canary_baseline_read: out is NULL, or its size is 0");
    }
    code = canary__scan_admit(store, rollout, NULL, &all, &measurements, error);
    if (code == CANARY_OK && measurements != NULL) {
        code = read_rows(measurements, rollout, NULL, 0, take_info, &found, error);
    }
    if (code == CANARY_OK && !found.head) {
        code =
            canary__fail(error, CANARY_E_NOT_FOUND, 0,
                         "\"%s\" has no baseline; `canaryctl baseline capture` makes one", rollout);
    }
    if (code == CANARY_OK) {
        found.info.hours = found.hours;
        canary__sized_out(out, &found.info, sizeof found.info);
    }
    return code;
}
