/* SPDX-License-Identifier: MIT */
/* What tests of reading share: a rollout with figures put into its measurement store, and what
 * canary_metrics() says of them. */
#ifndef UNIT_MEASURED_H
#define UNIT_MEASURED_H

#include "support.h"

#include "observe/merge.h"
#include "observe/scan.h"

#define MEASURED "checkout"
/* 2026-09-21, a Monday, 14:00 UTC: hour 14 of the week. The clock of a unit stands 13 min 20 s later. */
#define MEASURED_HOUR (UNIT_NOW / CANARY__HOUR_NS * CANARY__HOUR_NS)

enum { MEASURED_ROWS = 4000 };

/* What one reading gave. */
struct measured {
    uint32_t count;
    uint32_t stop_after; /* rows; 0 = never */
    canary_metrics_report report;
    struct {
        canary_metrics_row row;
        canary_figures cohorts[2]; /* their `buckets` are NULL, and in their place stands */
        uint64_t buckets[2];       /* what measured_buckets() says of them */
    } rows[MEASURED_ROWS];
};

/* cmocka's setup: a store on which MEASURED stands at 50 %, generation 2. */
int measured_setup_memory(void **state);
int measured_setup_sqlite(void **state);
#define MEASURED_BOTH(function)                                                                    \
    { #function " (memory)", function, measured_setup_memory, unit_teardown, NULL }, {             \
#function " (sqlite)", function, measured_setup_sqlite, unit_teardown, NULL                \
    }
#define MEASURED_SQLITE(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, measured_setup_sqlite, unit_teardown)

/* The measurement store, made when there is none. */
canary_store *measured_store(struct unit *unit);
/* Merges a sheet, which is empty then. */
void measured_merge(struct unit *unit, int table, int64_t start_ns, struct canary__sheet *sheet);
/* Merges `n` outcomes of a cohort, `k` of them errors. */
void measured_outcomes(struct unit *unit, int table, int64_t start_ns, uint64_t generation,
                       int cohort, uint64_t n, uint64_t k);
/* Merges old users [0, old) and new users [from, to) of a generation. */
void measured_users(struct unit *unit, uint64_t generation, uint32_t old, uint32_t from,
                    uint32_t to);
/* Merges the rows of a step of `from` into one of `to` that begins at or before them. */
void measured_retain(struct unit *unit, int from, int64_t start_ns, int to, int64_t to_start_ns);
/* Runs SQL on the file of the measurements. */
void measured_by_hand(struct unit *unit, const char *sql);

/* All that `query` gives; the pointer is good until the next call. */
const struct measured *measured_read(struct unit *unit, const canary_metrics_query *query);
const struct measured *measured_read_of(struct unit *unit, const char *rollout,
                                        const canary_metrics_query *query);
/* A number that two histograms hardly have in common. */
uint64_t measured_buckets(const canary_figures *figures);
/* The outcomes of a cohort in all rows of "error". */
uint64_t measured_count(const struct measured *measured, int cohort);
/* The number of the first row of a metric at or after row `from`; fails without one. */
uint32_t measured_row(const struct measured *measured, const char *metric, uint32_t from);

#endif
