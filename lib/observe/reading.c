/* SPDX-License-Identifier: MIT */
/* What the calls that read figures have in common. */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/rows.h"
#include "observe/merge.h"
#include "observe/scan.h"

#define KNOWN_FLAGS (CANARY_METRICS_BY_GENERATION | CANARY_METRICS_BASELINE)

void canary__scan_damaged(canary_metrics_report *report, const char *what, const char *why) {
    if (report->damaged++ == 0) {
        snprintf(report->damage, sizeof report->damage, "%.70s: %.160s", what, why);
        canary__text_clean(report->damage); /* a message that was cut may end within a character */
    }
}

int canary__scan_sheet(const struct canary__hooks *hooks, const canary_storage_row *row,
                       uint32_t column, const char *what, struct canary__sheet *sheet, int *whole,
                       canary_metrics_report *report, canary_error *error) {
    const canary_storage_value *data = &row->values[column];
    canary_error own = canary__fail_none;
    int code;

    *whole = 0;
    if (row->count <= column || data->type != CANARY_VALUE_BLOB) {
        canary__scan_damaged(report, what, "it holds no figures");
        return CANARY_OK;
    }
    code = canary__sheet_decode(hooks, data->data, (size_t)data->size, sheet, &own);
    if (code == CANARY_E_CORRUPT || code == CANARY_E_NEWER) {
        canary__scan_damaged(report, what, own.message);
        return CANARY_OK;
    }
    *whole = code == CANARY_OK;
    if (code != CANARY_OK) {
        canary__fail_copy(error, &own);
    }
    return code;
}

/* Errors and timeouts of outcomes stand in one tally, and those from elsewhere under their names. */
int canary__scan_wants(const struct canary__wish *wish, const struct canary__entry *entry) {
    if ((wish->generation != 0 && entry->generation != wish->generation) ||
        (wish->cohorts >> (unsigned)entry->cohort & 1) == 0 ||
        entry->tally.kind == CANARY__TALLY_LOSSES) {
        return 0;
    }
    return wish->metric == NULL || strcmp(wish->metric, entry->metric) == 0 ||
           (entry->tally.kind == CANARY__TALLY_STATUS &&
            (strcmp(wish->metric, canary_status_name(CANARY_STATUS_ERROR)) == 0 ||
             strcmp(wish->metric, canary_status_name(CANARY_STATUS_TIMEOUT)) == 0));
}

int canary__scan_gather(const struct canary__hooks *hooks, const struct canary__wish *wish,
                        struct canary__sheet *to, const struct canary__sheet *from,
                        canary_metrics_report *report, canary_error *error) {
    for (uint32_t i = 0; i < from->count; i++) {
        const struct canary__entry *entry = &from->entries[i];
        struct canary__tally *tally;
        int code = CANARY_E_NOMEM;

        if (!canary__scan_wants(wish, entry)) {
            continue;
        }
        tally = canary__sheet_at(hooks, to, wish->together ? 0 : entry->generation, entry->cohort,
                                 entry->metric);
        if (tally != NULL) {
            code = canary__tally_merge(hooks, tally, &entry->tally);
        }
        if (code == CANARY_E_CONFLICT) {
            canary__scan_damaged(report, entry->metric,
                                 "its kind or resolution is another one in some of the rows");
        } else if (code != CANARY_OK) {
            return canary__fail(error, code, 0, "no memory for the figures of \"%s\"",
                                entry->metric);
        }
    }
    return CANARY_OK;
}

static int admit_query(const canary_metrics_query *from, canary_metrics_query *query,
                       canary_error *error) {
    *query = (canary_metrics_query)CANARY_METRICS_QUERY_INIT;
    if (from != NULL && canary__sized_in(query, from, sizeof *query,
                                         offsetof(canary_metrics_query, from_ns)) != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "query: size %u is too small, or fields newer than this library are "
                            "set",
                            (unsigned)from->size);
    }
    if ((query->flags & ~KNOWN_FLAGS) != 0) {
        return canary__fail(error, CANARY_E_INVALID, 0, "query: unknown flags 0x%x",
                            (unsigned)query->flags);
    }
    if (query->from_ns < 0 || query->to_ns < 0 ||
        (query->to_ns != 0 && query->to_ns <= query->from_ns)) {
        return canary__fail(
            error, CANARY_E_INVALID, 0,
            "query: from_ns %lld and to_ns %lld are no span of time; to_ns is after "
            "from_ns, or 0 for the newest",
            (long long)query->from_ns, (long long)query->to_ns);
    }
    if (query->step_ns < 0 || query->step_ns % CANARY_TICK_NS != 0 ||
        query->step_ns > CANARY__HOURS_NS) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "query: step_ns %lld is no multiple of 10 s up to 400 days",
                            (long long)query->step_ns);
    }
    if ((query->flags & CANARY_METRICS_BASELINE) != 0 &&
        ((query->flags & CANARY_METRICS_BY_GENERATION) != 0 || query->generation != 0 ||
         (query->from_ns == 0) != (query->to_ns == 0) ||
         (query->step_ns != 0 && query->step_ns != CANARY__HOUR_NS))) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "query: a baseline has no generations, its step_ns is 0 or one hour, "
                            "and of from_ns and to_ns it takes both or none");
    }
    return CANARY_OK;
}

static int find_rollout(canary_store *store, const char *rollout, canary_error *error) {
    struct canary__rollout_row row;
    void *transaction;
    int code;

    if (rollout == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "rollout is NULL; name one");
    }
    code = canary__rows_begin(store, rollout, &transaction, error);
    if (code != CANARY_OK) {
        return code;
    }
    code = canary__row_read_rollout(&store->methods, transaction, rollout, &row, error);
    return canary__rows_end(store, transaction, code, error);
}

/* The measurement store; NULL when nothing was recorded yet, which is no error. */
static int find_measurements(canary_store *store, canary_store **measurements,
                             canary_error *error) {
    canary_error own = canary__fail_none;
    void *transaction;
    int code = canary__merge_store(store, 0, measurements, &own);

    if (code == CANARY_OK) { /* a handle may be there before the store is */
        code = canary__rows_begin(*measurements, NULL, &transaction, &own);
        if (code == CANARY_OK) {
            code = canary__rows_end(*measurements, transaction, code, &own);
        }
    }
    if (code != CANARY_OK) {
        *measurements = NULL;
    }
    if (code != CANARY_OK && code != CANARY_E_NO_STORE) {
        canary__fail_copy(error, &own);
        return code;
    }
    return CANARY_OK;
}

int canary__scan_admit(canary_store *store, const char *rollout, const canary_metrics_query *from,
                       canary_metrics_query *query, canary_store **measurements,
                       canary_error *error) {
    int code = admit_query(from, query, error);

    if (code == CANARY_OK) {
        code = find_rollout(store, rollout, error);
    }
    return code != CANARY_OK ? code : find_measurements(store, measurements, error);
}

int canary__scan_writable(canary_store *store, const char *rollout, canary_store **measurements,
                          canary_error *error) {
    int code = find_rollout(store, rollout, error);

    if (code == CANARY_OK && (store->flags & CANARY_OPEN_READ_ONLY) != 0) {
        code = canary__fail(error, CANARY_E_READ_ONLY, 0,
                            "the store was opened with CANARY_OPEN_READ_ONLY");
    }
    return code != CANARY_OK ? code : canary__merge_store(store, 1, measurements, error);
}
