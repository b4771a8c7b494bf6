/* SPDX-License-Identifier: MIT */
#include "observe/listing.h"

#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "control/row_values.h"

struct listed {
    canary_metrics_row row;
    canary_figures cohorts[2];
    size_t buckets[2]; /* where those of either begin in the listing's */
};

struct unit {
    char metric[CANARY_METRIC_NAME_MAX + 1];
    char unit[CANARY_UNIT_MAX + 1];
};

static int no_memory(canary_error *error) {
    return canary__fail(error, CANARY_E_NOMEM, 0, "no memory for rows of figures");
}

/* -- gathering -- */

static const struct {
    const char *name;
    int status; /* whose share of the outcomes it is; 0 = it is a tally of its own */
} built_in[] = {
    { "error", CANARY_STATUS_ERROR },
    { "timeout", CANARY_STATUS_TIMEOUT },
    { CANARY__SHEET_DURATION, 0 },
};
enum { BUILT_IN = sizeof built_in / sizeof built_in[0] };

static int is_built_in(const char *metric) {
    for (int i = 0; i < BUILT_IN; i++) {
        if (strcmp(built_in[i].name, metric) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Processes may compare with different thresholds: the row names those of both cohorts. */
static void align_thresholds(const struct canary__tally *const tallies[2], struct listed *out) {
    canary_metrics_row *row = &out->row;
    uint32_t next[2] = { 0, 0 };

    for (int cohort = 0; cohort < 2; cohort++) {
        memset(out->cohorts[cohort].threshold_n, 0, sizeof out->cohorts[cohort].threshold_n);
        memset(out->cohorts[cohort].threshold_above, 0,
               sizeof out->cohorts[cohort].threshold_above);
    }
    while (row->threshold_count < CANARY_THRESHOLDS_MAX) {
        int64_t least = INT64_MAX;

        for (int cohort = 0; cohort < 2; cohort++) {
            const struct canary__tally *tally = tallies[cohort];

            if (next[cohort] < tally->threshold_count &&
                tally->thresholds_ns[next[cohort]] < least) {
                least = tally->thresholds_ns[next[cohort]];
            }
        }
        if (least == INT64_MAX) {
            return;
        }
        for (int cohort = 0; cohort < 2; cohort++) {
            const struct canary__tally *tally = tallies[cohort];
            uint32_t i = next[cohort];

            if (i < tally->threshold_count && tally->thresholds_ns[i] == least) {
                out->cohorts[cohort].threshold_n[row->threshold_count] = tally->threshold_n[i];
                out->cohorts[cohort].threshold_above[row->threshold_count] =
                    tally->threshold_above[i];
                next[cohort]++;
            }
        }
        row->thresholds_ns[row->threshold_count++] = least;
    }
}

/* Outcomes recorded here, and those counted elsewhere, which have errors or timeouts only. */
static void add_status(const struct canary__tally *outcomes, int status, canary_figures *out) {
    canary_figures recorded;

    canary__tally_figures(outcomes, status, &recorded);
    out->n += recorded.n;
    out->k += recorded.k;
    for (int half = 0; half < 2; half++) {
        out->half_n[half] += recorded.half_n[half];
        out->half_k[half] += recorded.half_k[half];
    }
    out->rate = out->n != 0 ? (double)out->k / (double)out->n : NAN;
}

static int add_metric(struct canary__listing *listing, const struct canary__sheet *sheet,
                      const canary_metrics_row *like, const char *metric, int status) {
    static const struct canary__tally none;
    const struct canary__tally *tallies[2];
    struct listed one = { .row = *like };

    if (listing->metric != NULL && strcmp(listing->metric, metric) != 0) {
        return 0;
    }
    one.row.kind = status != 0 ? CANARY_METRIC_PROPORTION : 0;
    canary__text_copy(one.row.metric, sizeof one.row.metric, metric);
    for (int cohort = 0; cohort < 2; cohort++) {
        const struct canary__tally *outcomes =
            canary__sheet_find(sheet, like->generation, cohort, CANARY__SHEET_STATUS);

        tallies[cohort] = canary__sheet_find(sheet, like->generation, cohort, metric);
        tallies[cohort] = tallies[cohort] != NULL ? tallies[cohort] : &none;
        canary__tally_figures(tallies[cohort], 0, &one.cohorts[cohort]);
        if (status != 0 && outcomes != NULL) {
            add_status(outcomes, status, &one.cohorts[cohort]);
        }
        if (one.row.kind == 0) {
            one.row.kind = tallies[cohort]->kind;
        }
    }
    if (one.cohorts[0].n == 0 && one.cohorts[1].n == 0) {
        return 0;
    }
    align_thresholds(tallies, &one);
    for (int cohort = 0; cohort < 2; cohort++) {
        const canary_figures *figures = &one.cohorts[cohort];

        one.buckets[cohort] = listing->buckets.used;
        if (figures->bucket_count > 0 &&
            canary__rows_add(&listing->buckets, figures->buckets,
                             figures->bucket_count * sizeof *figures->buckets) != 0) {
            return -1;
        }
    }
    return canary__rows_add(&listing->rows, &one, sizeof one);
}

static void set_hooks(struct canary__listing *listing) {
    const struct canary__hooks *hooks = &listing->measurements->hooks;

    listing->rows.hooks = listing->buckets.hooks = listing->units.hooks = hooks;
}

int canary__listing_add(struct canary__listing *listing, const struct canary__sheet *sheet,
                        uint64_t generation, int64_t from_ns, int64_t to_ns, canary_error *error) {
    const canary_metrics_row like = {
        .size = (uint32_t)sizeof like, .from_ns = from_ns, .to_ns = to_ns, .generation = generation
    };
    const char *last = "";
    int failed = 0;

    set_hooks(listing);
    for (int i = 0; i < BUILT_IN && !failed; i++) {
        failed = add_metric(listing, sheet, &like, built_in[i].name, built_in[i].status);
    }
    for (uint32_t i = 0; i < sheet->count && !failed; i++) {
        const struct canary__entry *entry = &sheet->entries[i];

        if (entry->generation == generation && entry->metric[0] != '+' &&
            strcmp(entry->metric, last) != 0 && !is_built_in(entry->metric)) {
            failed = add_metric(listing, sheet, &like, entry->metric, 0);
            last = entry->metric;
        }
    }
    return failed ? no_memory(error) : CANARY_OK;
}

/* -- units -- */

static const char *find_unit(const struct canary__listing *listing, const canary_metrics_row *row) {
    const struct unit *units = (const struct unit *)(const void *)listing->units.bytes;

    if (row->kind == CANARY_METRIC_DURATION) {
        return "seconds";
    }
    if (is_built_in(row->metric)) {
        return "";
    }
    for (size_t i = 0; i < listing->units.used / sizeof *units; i++) {
        if (strcmp(units[i].metric, row->metric) == 0) {
            return units[i].unit;
        }
    }
    return NULL;
}

static int take_unit(void *user_data, const canary_storage_row *row) {
    struct canary__rows *units = user_data;
    struct canary__row_cursor name = { row, 1, 0 };
    struct canary__row_cursor unit = { row, 3, 0 };
    struct unit one = { { 0 }, { 0 } };

    canary__row_take_text(&name, one.metric, sizeof one.metric);
    canary__row_take_text(&unit, one.unit, sizeof one.unit);
    return canary__rows_add(units, &one, sizeof one);
}

/* A metric is declared no later than its first figures are stored, so that one look at the
 * declarations after these were read tells the units of all. */
static int read_units(struct canary__listing *listing, canary_error *error) {
    canary_storage_value key = canary__value_text(listing->rollout);
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 1, .key = &key };
    canary_store *store = listing->measurements;
    void *transaction;
    int code = canary__rows_begin(store, NULL, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = store->methods.read(transaction, CANARY_TABLE_METRICS, &range, take_unit,
                               &listing->units, error);
    code = canary__rows_end(store, transaction, code, error);
    return code == CANARY_OK && listing->units.out_of_memory ? no_memory(error) : code;
}

static int set_unit(struct canary__listing *listing, canary_metrics_row *row, canary_error *error) {
    const char *unit = find_unit(listing, row);

    if (unit == NULL) {
        struct unit undeclared = { { 0 }, { 0 } };
        int code = read_units(listing, error);

        if (code != CANARY_OK) {
            return code;
        }
        unit = find_unit(listing, row);
        if (unit == NULL) { /* its declaration is gone: not looked for again */
            canary__text_copy(undeclared.metric, sizeof undeclared.metric, row->metric);
            if (canary__rows_add(&listing->units, &undeclared, sizeof undeclared) != 0) {
                return no_memory(error);
            }
            unit = "";
        }
    }
    canary__text_copy(row->unit, sizeof row->unit, unit);
    return CANARY_OK;
}

/* -- handing out -- */

int canary__listing_hand(struct canary__listing *listing, canary_error *error) {
    struct listed *rows = (struct listed *)(void *)listing->rows.bytes;
    size_t count = listing->rows.used / sizeof *rows;
    int code = CANARY_OK;

    for (size_t i = 0; i < count && code == CANARY_OK; i++) {
        code = set_unit(listing, &rows[i].row, error);
    }
    for (size_t i = 0; i < count && code == CANARY_OK; i++) {
        for (int cohort = 0; cohort < 2; cohort++) {
            canary_figures *figures = &rows[i].cohorts[cohort];

            figures->buckets = figures->bucket_count == 0
                                   ? NULL
                                   : (const uint64_t *)(const void *)(listing->buckets.bytes +
                                                                      rows[i].buckets[cohort]);
        }
        rows[i].row.old_cohort = &rows[i].cohorts[CANARY_OLD];
        rows[i].row.new_cohort = &rows[i].cohorts[CANARY_NEW];
        if (listing->callback(listing->user_data, &rows[i].row) != 0) {
            code = CANARY__LISTING_ENDED;
        }
    }
    listing->rows.used = 0;
    listing->buckets.used = 0;
    return code;
}

void canary__listing_free(struct canary__listing *listing) {
    set_hooks(listing);
    canary__rows_free(&listing->buckets);
    canary__rows_free(&listing->rows);
    canary__rows_free(&listing->units);
}
