/* SPDX-License-Identifier: MIT */
/* Reading the stored sheets of a span of time, however finely they are kept at the moment. */
#ifndef CANARY__SCAN_H
#define CANARY__SCAN_H

#include <canary/metrics.h>

#include "control/store.h"
#include "observe/sheet.h"

#define CANARY__TICK_NS CANARY_TICK_NS
#define CANARY__MINUTE_NS INT64_C(60000000000)
#define CANARY__HOUR_NS INT64_C(3600000000000)
#define CANARY__DAY_NS INT64_C(86400000000000)

/* How long figures stay as fine as that. */
#define CANARY__TICKS_NS (2 * CANARY__HOUR_NS)
#define CANARY__MINUTES_NS (7 * CANARY__DAY_NS)
#define CANARY__HOURS_NS (400 * CANARY__DAY_NS)

struct canary__scan {
    canary_store *measurements;
    const char *rollout;
    int64_t from_ns; /* rows that begin at it or later */
    int64_t to_ns;   /* and before it */
    int64_t step_ns; /* 0 = the order of rows does not matter */
    /* Gets each row that begins in the span, which covers [start_ns, end_ns). Rows of a step come one
     * after the other, steps oldest first, but within a step rows come in any order. The store is
     * locked. Any answer but CANARY_OK ends the scan with it. */
    int (*take)(void *user_data, int64_t start_ns, int64_t end_ns,
                const struct canary__sheet *sheet, canary_error *error);
    /* After each transaction, without a lock; may be NULL. Answers as `take`. */
    int (*pause)(void *user_data, canary_error *error);
    void *user_data;
    canary_metrics_report *report; /* `damaged` and `damage` are written here */
};

int canary__scan_run(const struct canary__scan *scan, canary_error *error);

/* The sheet in column `column` of a row, with 1 in `*whole`. A damaged one is told in the report, as
 * that of the `what`, and is no error: `sheet` is empty then, and `*whole` 0. */
int canary__scan_sheet(const struct canary__hooks *hooks, const canary_storage_row *row,
                       uint32_t column, const char *what, struct canary__sheet *sheet, int *whole,
                       canary_metrics_report *report, canary_error *error);
/* One more damaged row. */
void canary__scan_damaged(canary_metrics_report *report, const char *what, const char *why);

/* to += those tallies of `from` that are asked for: of `generation` (0 = all), which then stand under
 * their generation or, with `together`, under 0; of `metric` (NULL = all) and of the cohorts whose bit
 * is set in `cohorts`. Losses are left out. A tally that does not fit the ones before is told as
 * damage. */
struct canary__wish {
    uint64_t generation;
    int together;
    unsigned cohorts;
    const char *metric;
};
int canary__scan_wants(const struct canary__wish *wish, const struct canary__entry *entry);
int canary__scan_gather(const struct canary__hooks *hooks, const struct canary__wish *wish,
                        struct canary__sheet *to, const struct canary__sheet *from,
                        canary_metrics_report *report, canary_error *error);

/* What every call that reads figures begins with: checks its arguments, looks whether the rollout is
 * there, and finds the measurement store; `*measurements` is NULL when nothing was ever kept. `query`
 * becomes the admitted one. */
int canary__scan_admit(canary_store *store, const char *rollout, const canary_metrics_query *from,
                       canary_metrics_query *query, canary_store **measurements,
                       canary_error *error);
/* The same for calls that write: the measurement store is made when there is none. */
int canary__scan_writable(canary_store *store, const char *rollout, canary_store **measurements,
                          canary_error *error);

#endif
