/* SPDX-License-Identifier: MIT */
/* Capturing a baseline: the old cohort's figures by hour of the week. */
#include "observe/baseline.h"

#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/edit.h"
#include "control/row_values.h"
#include "observe/merge.h"
#include "observe/scan.h"

enum {
    ALL = CANARY__WEEK_HOURS, /* place of the sum of all hours */
    COLUMNS = 9,
};

struct capture {
    const struct canary__hooks *hooks;
    const char *rollout;
    struct canary__wish wish;
    struct canary__sheet sheets[CANARY__WEEK_HOURS + 1];
    canary_metrics_report report;
    canary_baseline_info info;
    int64_t first_ns; /* that has figures */
};

static uint64_t outcomes_of(const struct canary__sheet *sheet) {
    const struct canary__tally *status =
        canary__sheet_find(sheet, 0, CANARY_OLD, CANARY__SHEET_STATUS);

    return status != NULL ? canary__merge_events(status) : 0;
}

static int take_sheet(void *user_data, int64_t start, int64_t end,
                      const struct canary__sheet *sheet, canary_error *error) {
    struct capture *capture = user_data;
    int64_t hour = (start / CANARY__HOUR_NS + CANARY__WEEK_FIRST) % CANARY__WEEK_HOURS;
    int code = CANARY_OK;

    (void)end;
    for (uint32_t i = 0; i < sheet->count; i++) {
        if (canary__scan_wants(&capture->wish, &sheet->entries[i]) &&
            (capture->first_ns == 0 || start < capture->first_ns)) {
            capture->first_ns = start;
        }
    }
    for (int both = 0; both < 2 && code == CANARY_OK; both++) {
        code =
            canary__scan_gather(capture->hooks, &capture->wish, &capture->sheets[both ? ALL : hour],
                                sheet, &capture->report, error);
    }
    return code;
}

/* -- writing -- */

static int write_hour(const struct capture *capture, canary_store *store, void *transaction,
                      int place, canary_error *error) {
    const struct canary__sheet *sheet = &capture->sheets[place];
    const canary_baseline_info *info = &capture->info;
    canary_storage_value values[COLUMNS] = {
        canary__value_text(capture->rollout),
        canary__value_integer(place == ALL ? -1 : place),
        canary__value_integer(info->captured_at_ns),
        canary__value_integer(info->from_ns),
        canary__value_integer(info->to_ns),
        canary__value_integer((int64_t)outcomes_of(sheet)),
        canary__value_text(info->by),
        canary__value_text(place == ALL ? info->note : ""),
    };
    canary_storage_row row = { (uint32_t)sizeof row, CANARY_TABLE_BASELINES, COLUMNS, 0, values };
    canary_error own = canary__fail_none;
    uint8_t *data;
    size_t size;
    int code;

    if (sheet->count == 0) { /* an earlier baseline may have had figures for it */
        code = store->methods.remove(transaction, CANARY_TABLE_BASELINES, values, &own);
        if (code != CANARY_OK && code != CANARY_E_NOT_FOUND) {
            canary__fail_copy(error, &own);
            return code;
        }
        return CANARY_OK;
    }
    code = canary__sheet_encode(capture->hooks, sheet, &data, &size);
    if (code != CANARY_OK) {
        return canary__fail(error, code, 0, "no memory for a baseline");
    }
    values[COLUMNS - 1] = canary__value_blob(data, size);
    code = store->methods.write(transaction, &row, error);
    canary__free(capture->hooks, data, size);
    return code;
}

static int write_all(const struct capture *capture, canary_store *store, canary_error *error) {
    canary_error own = canary__fail_none;
    void *transaction;
    int ended;
    int code = canary__store_begin(store, CANARY_STORAGE_WRITE, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    for (int place = 0; place <= ALL && code == CANARY_OK; place++) {
        code = write_hour(capture, store, transaction, place, error);
    }
    ended = store->methods.end(transaction, code == CANARY_OK, &own);
    canary__store_unlock(store);
    if (code == CANARY_OK && ended != CANARY_OK) {
        canary__fail_copy(error, &own);
        code = ended;
    }
    return code;
}

/* -- the call -- */

static int fill(struct capture *capture, canary_store *measurements, int64_t from, int64_t to,
                canary_error *error) {
    const struct canary__scan scan = {
        .measurements = measurements,
        .rollout = capture->rollout,
        .from_ns = from,
        .to_ns = to,
        .take = take_sheet,
        .user_data = capture,
        .report = &capture->report,
    };
    canary_baseline_info *info = &capture->info;
    int code = CANARY_OK;

    if (measurements != NULL) {
        capture->hooks = &measurements->hooks;
        code = canary__scan_run(&scan, error);
    }
    if (code == CANARY_OK && capture->sheets[ALL].count == 0) {
        char begin[32];
        char end[32];

        canary__edit_time(from, begin);
        canary__edit_time(to, end);
        return canary__fail(error, CANARY_E_REFUSED, 0,
                            "the old cohort of \"%s\" has no figures from %s until %s",
                            capture->rollout, from != 0 ? begin : "the beginning", end);
    }
    info->from_ns = from != 0 ? from : capture->first_ns;
    info->to_ns = to;
    info->outcomes = outcomes_of(&capture->sheets[ALL]);
    for (int hour = 0; hour < CANARY__WEEK_HOURS; hour++) {
        info->hours += capture->sheets[hour].count > 0;
    }
    return code;
}

static int capture_baseline(struct capture *capture, canary_store *store, int64_t from, int64_t to,
                            int dry_run, canary_error *error) {
    canary_metrics_query all;
    canary_store *measurements;
    int code = canary__scan_admit(store, capture->rollout, NULL, &all, &measurements, error);

    if (code != CANARY_OK) {
        return code;
    }
    capture->info.captured_at_ns = canary__now(&store->hooks, CANARY_CLOCK_REALTIME);
    to = to != 0 ? to : capture->info.captured_at_ns;
    if (from < 0 || to <= from) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "baseline: from_ns %lld and to_ns %lld are no span of time",
                            (long long)from, (long long)to);
    }
    code = fill(capture, measurements, from, to, error);
    if (code == CANARY_OK && capture->report.damaged > 0) {
        canary__log(&store->hooks, CANARY_LOG_WARNING,
                    "canary: %u damaged rows are not in the baseline of \"%s\"; the first: %s",
                    (unsigned)capture->report.damaged, capture->rollout, capture->report.damage);
    }
    if (code == CANARY_OK && !dry_run) {
        code = canary__scan_writable(store, capture->rollout, &measurements, error);
    }
    if (code == CANARY_OK && !dry_run) {
        code = write_all(capture, measurements, error);
    }
    for (int place = 0; place <= ALL && capture->hooks != NULL; place++) {
        canary__sheet_free(capture->hooks, &capture->sheets[place]);
    }
    return code;
}

int canary_baseline_capture(canary_store *store, const char *rollout, int64_t from_ns,
                            int64_t to_ns, const canary_change_options *options,
                            canary_baseline_info *out, canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct canary__edit edit;
    struct capture *capture;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    code = canary__edit_admit(&edit, store, rollout, options, error);
    if (code != CANARY_OK) {
        return code;
    }
    capture = canary__alloc(&store->hooks, sizeof *capture);
    if (capture == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "no memory for a baseline");
    }
    capture->rollout = rollout;
    capture->wish = (struct canary__wish){ .together = 1, .cohorts = 1u << CANARY_OLD };
    canary__text_copy(capture->info.by, sizeof capture->info.by, edit.options.by);
    canary__text_copy(capture->info.note, sizeof capture->info.note, edit.options.note);
    code = capture_baseline(capture, store, from_ns, to_ns,
                            (edit.options.flags & CANARY_CHANGE_DRY_RUN) != 0, error);
    if (code == CANARY_OK && out != NULL) {
        canary__sized_out(out, &capture->info, sizeof capture->info);
    }
    canary__free(&store->hooks, capture, sizeof *capture);
    return code;
}
