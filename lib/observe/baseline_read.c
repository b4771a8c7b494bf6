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
    canary_metrics_report *report;
    int by_hour;
    int code;
    canary_error *error;
};

static int list_row(void *user_data, const canary_storage_row *row) {
    struct listing_rows *rows = user_data;
    const struct canary__hooks *hooks = &rows->listing->measurements->hooks;
    canary_metrics_report *report = rows->report;
    struct canary__sheet sheet = { 0 };
    canary_baseline_info info = { 0 };
    int64_t hour = get_info(row, &info);
    int whole;

    if ((hour == -1) == rows->by_hour) {
        return 0;
    }
    report->from_ns = info.from_ns;
    report->to_ns = info.to_ns;
    report->last_at_ns = info.captured_at_ns;
    rows->code =
        canary__scan_sheet(hooks, row, DATA, rows->by_hour ? "hour of a baseline" : "baseline",
                           &sheet, &whole, report, rows->error);
    if (whole) {
        rows->code = canary__listing_add(
            rows->listing, &sheet, 0, rows->by_hour ? hour * CANARY__HOUR_NS : info.from_ns,
            rows->by_hour ? (hour + 1) * CANARY__HOUR_NS : info.to_ns, rows->error);
        canary__sheet_free(hooks, &sheet);
    }
    return rows->code != CANARY_OK;
}

int canary__baseline_list(struct canary__listing *listing, int by_hour,
                          canary_metrics_report *report, canary_error *error) {
    struct listing_rows rows = { listing, report, by_hour, CANARY_OK, error };
    canary_storage_value head = canary__value_integer(-1);
    int code = read_rows(listing->measurements, listing->rollout, by_hour ? &head : NULL,
                         by_hour ? 0 : 1, list_row, &rows, error);

    return code != CANARY_OK ? code : rows.code;
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
    canary_error unheard = CANARY_ERROR_INIT;
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
