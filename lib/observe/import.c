/* SPDX-License-Identifier: MIT */
/* canary_import(): a delivery of figures from elsewhere, all in one transaction. */
#include "observe/import.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/row_values.h"
#include "control/rows.h"
#include "observe/delivery.h"
#include "observe/merge.h"
#include "observe/scan.h"

enum {
    METRICS_KEPT = 256, /* of a rollout: every sheet may hold each of them */
    ROW_LEAST = offsetof(canary_import_row, tn) + sizeof(uint64_t),
};

/* A row that is to be merged. */
struct item {
    int64_t start_ns; /* of the step of `table` that it belongs to */
    int32_t table;
    uint32_t metric; /* number in `metrics` */
    uint64_t row;
};

struct importing {
    canary_store *store; /* of measurements */
    void *transaction;
    const char *rollout;
    const unsigned char *rows;
    size_t stride;
    int64_t now_ns;
    uint64_t generation;
    struct canary__rows names;   /* of the rollout's metrics, CANARY_METRIC_NAME_MAX + 1 each */
    struct canary__rows metrics; /* struct canary__declared: those that rows are of */
    struct canary__rows items;
    int fatal; /* a trouble that is not the row's */
    canary_error *error;
};

static void get_row(const struct importing *importing, uint64_t index, canary_import_row *row) {
    memset(row, 0, sizeof *row);
    row->size = (uint32_t)sizeof *row;
    (void)canary__sized_in(row, importing->rows + index * importing->stride, sizeof *row,
                           ROW_LEAST);
}

/* -- metrics -- */

static int take_name(void *user_data, const canary_storage_row *row) {
    struct canary__row_cursor cursor = { row, 1, 0 };
    char name[CANARY_METRIC_NAME_MAX + 1] = { 0 };

    canary__row_take_text(&cursor, name, sizeof name);
    return canary__rows_add(user_data, name, sizeof name);
}

static int read_names(struct importing *importing) {
    canary_storage_value key = canary__value_text(importing->rollout);
    canary_storage_range range = { .size = (uint32_t)sizeof range, .key_count = 1, .key = &key };

    return importing->store->methods.read(importing->transaction, CANARY_TABLE_METRICS, &range,
                                          take_name, &importing->names, importing->error);
}

static int unknown(const struct importing *importing, const char *metric, canary_error *error) {
    char known[160] = "error, timeout, duration";
    size_t used = strlen(known);

    for (size_t at = 0; at < importing->names.used; at += CANARY_METRIC_NAME_MAX + 1) {
        const char *name = (const char *)importing->names.bytes + at;
        size_t length = strlen(name);

        if (used + length + sizeof ", ..." + 2 > sizeof known) {
            memcpy(known + used, ", ...", sizeof ", ...");
            break;
        }
        if (strcmp(name, CANARY__SHEET_DURATION) != 0) {
            memcpy(known + used, ", ", 2);
            memcpy(known + used + 2, name, length + 1);
            used += length + 2;
        }
    }
    return canary__fail(error, CANARY_E_NOT_FOUND, 0, "no metric \"%s\"; known: %s", metric, known);
}

static int keep_metric(struct importing *importing, const struct canary__declared *metric) {
    if (canary__rows_add(&importing->metrics, metric, sizeof *metric) != 0) {
        importing->fatal = canary__fail(importing->error, CANARY_E_NOMEM, 0, "no memory to import");
    }
    return importing->fatal;
}

static struct canary__declared *kept_metrics(const struct importing *importing, uint32_t *count) {
    *count = (uint32_t)(importing->metrics.used / sizeof(struct canary__declared));
    return (struct canary__declared *)(void *)importing->metrics.bytes;
}

/* The number of a metric that is known already; CANARY_E_NOT_FOUND when none is. */
static int find_metric(struct importing *importing, const char *name, uint32_t *metric) {
    struct canary__declared found = { .kind = CANARY_METRIC_PROPORTION };
    canary_error own = canary__fail_none;
    int code = CANARY_OK;
    uint32_t count;
    const struct canary__declared *kept = kept_metrics(importing, &count);

    for (*metric = 0; *metric < count; ++*metric) {
        if (strcmp(kept[*metric].name, name) == 0) {
            return CANARY_OK;
        }
    }
    if (strcmp(name, "error") != 0 && strcmp(name, "timeout") != 0) {
        code = canary__merge_declaration(importing->store, importing->transaction,
                                         importing->rollout, name, &found, &own);
        if (code == CANARY_E_NOT_FOUND && strcmp(name, CANARY__SHEET_DURATION) == 0) {
            found.kind = CANARY_METRIC_DURATION;
            canary__text_copy(found.unit, sizeof found.unit, "seconds");
            code = CANARY_OK;
        }
    }
    if (code == CANARY_OK) {
        canary__text_copy(found.name, sizeof found.name, name);
        return keep_metric(importing, &found);
    }
    if (code != CANARY_E_NOT_FOUND) {
        canary__fail_copy(importing->error, &own);
        importing->fatal = code;
    }
    return code;
}

static int declare(struct importing *importing, const struct canary__declared *metric,
                   canary_error *error) {
    int declared;

    if (importing->names.used / sizeof metric->name >= METRICS_KEPT) {
        return canary__fail(error, CANARY_E_REFUSED, 0,
                            "metric \"%s\": the rollout has %d metrics, and more are not possible",
                            metric->name, METRICS_KEPT);
    }
    importing->fatal =
        canary__merge_declare(importing->store, importing->transaction, importing->rollout, metric,
                              &declared, importing->error);
    if (importing->fatal == CANARY_OK &&
        canary__rows_add(&importing->names, metric->name, sizeof metric->name) != 0) {
        importing->fatal = canary__fail(importing->error, CANARY_E_NOMEM, 0, "no memory to import");
    }
    return importing->fatal != CANARY_OK ? importing->fatal : keep_metric(importing, metric);
}

/* -- rows -- */

/* What a row says of a metric beside its kind is what it was declared with, or nothing. */
static int check_declared(const canary_import_row *row, const struct canary__declared *known,
                          canary_error *error) {
    int ranged = row->minimum != 0 || row->maximum != 0;

    if ((row->unit != NULL && row->unit[0] != '\0' && strcmp(row->unit, known->unit) != 0) ||
        (ranged && !(row->minimum == known->minimum && row->maximum == known->maximum)) ||
        (row->resolution != 0 && row->resolution != known->resolution)) {
        return canary__fail(error, CANARY_E_CONFLICT, 0,
                            "metric \"%s\" was declared with the unit \"%s\", range %g to %g and "
                            "resolution %g; the row says otherwise",
                            known->name, known->unit, known->minimum, known->maximum,
                            known->resolution);
    }
    return canary__import_check(row, known, error);
}

/* Checks a row and finds the number of its metric; one that is not known is declared when the row says
 * so and is allowed itself. */
static int check_row(struct importing *importing, const canary_import_row *row, uint32_t *metric,
                     canary_import_result *result, canary_error *error) {
    struct canary__declared wanted;
    uint32_t count;
    int code = canary__import_admit(row, importing->now_ns, error);

    if (code == CANARY_OK) {
        code = find_metric(importing, row->metric, metric);
        if (importing->fatal == CANARY_OK && code == CANARY_OK) {
            return check_declared(row, kept_metrics(importing, &count) + *metric, error);
        }
        if (importing->fatal == CANARY_OK && !row->declare) {
            return unknown(importing, row->metric, error);
        }
    }
    if (importing->fatal != CANARY_OK || code != CANARY_E_NOT_FOUND) {
        return code;
    }
    code = canary__import_declares(row, &wanted, error);
    if (code == CANARY_OK) {
        code = canary__import_check(row, &wanted, error);
    }
    if (code == CANARY_OK) {
        code = declare(importing, &wanted, error);
        result->declared = code == CANARY_OK;
    }
    return code;
}

static int64_t floor_to(int64_t at, int64_t width) {
    return at - at % width;
}

/* As fine as figures of that age are kept. */
static int keep_item(struct importing *importing, const canary_import_row *row, uint32_t metric,
                     uint64_t index) {
    int64_t at = row->at_ns != 0 ? row->at_ns : importing->now_ns;
    struct item item = { .metric = metric, .row = index };

    at = at > 0 ? at : 0;
    if (at >= importing->now_ns - CANARY__TICKS_NS) {
        item.table = CANARY_TABLE_TICKS;
        item.start_ns = floor_to(at, CANARY__TICK_NS);
    } else if (at >= importing->now_ns - CANARY__MINUTES_NS) {
        item.table = CANARY_TABLE_MINUTES;
        item.start_ns = floor_to(at, CANARY__MINUTE_NS);
    } else {
        item.table = CANARY_TABLE_HOURS;
        item.start_ns = floor_to(at, CANARY__HOUR_NS);
    }
    return canary__rows_add(&importing->items, &item, sizeof item);
}

static int check_rows(struct importing *importing, uint64_t count, canary_import_result *results) {
    int code = read_names(importing);

    for (uint64_t i = 0; i < count && code == CANARY_OK; i++) {
        canary_error own = canary__fail_none;
        canary_import_result result = { 0 };
        canary_import_row row;
        uint32_t metric = 0;

        get_row(importing, i, &row);
        result.code = check_row(importing, &row, &metric, &result, &own);
        code = importing->fatal;
        if (code == CANARY_OK && result.code == CANARY_OK &&
            keep_item(importing, &row, metric, i) != 0) {
            code = canary__fail(importing->error, CANARY_E_NOMEM, 0, "no memory to import");
        }
        canary__text_copy(result.message, sizeof result.message, own.message);
        canary__text_clean(result.message);
        if (results != NULL) {
            results[i] = result;
        }
    }
    if (code == CANARY_OK && importing->names.out_of_memory) {
        code = canary__fail(importing->error, CANARY_E_NOMEM, 0, "no memory to import");
    }
    return code;
}

/* -- merging -- */

static int by_place(const void *left, const void *right) {
    const struct item *a = left;
    const struct item *b = right;

    if (a->table != b->table) {
        return a->table < b->table ? -1 : 1;
    }
    if (a->start_ns != b->start_ns) {
        return a->start_ns < b->start_ns ? -1 : 1;
    }
    return a->row < b->row ? -1 : a->row > b->row;
}

static int add_item(const struct importing *importing, const struct item *item,
                    struct canary__sheet *sheet) {
    const struct canary__hooks *hooks = &importing->store->hooks;
    struct canary__tally *tally;
    canary_import_row row;
    uint32_t count;
    const struct canary__declared *metric = kept_metrics(importing, &count) + item->metric;

    get_row(importing, item->row, &row);
    tally = canary__sheet_at(hooks, sheet, importing->generation, row.cohort, metric->name);
    return tally == NULL ? CANARY_E_NOMEM : canary__import_count(hooks, &row, metric, tally);
}

/* All rows of one step in one sheet: a stored row is read and written once. */
static int merge_items(struct importing *importing) {
    struct item *items = (struct item *)(void *)importing->items.bytes;
    size_t count = importing->items.used / sizeof *items;
    struct canary__sheet sheet = { 0 };
    int code = CANARY_OK;

    if (count > 1) {
        qsort(items, count, sizeof *items, by_place);
    }
    for (size_t i = 0; i < count && code == CANARY_OK; i++) {
        code = add_item(importing, &items[i], &sheet);
        if (code != CANARY_OK) {
            code = canary__fail(importing->error, code, 0, "no memory to import");
        } else if (i + 1 == count || items[i + 1].table != items[i].table ||
                   items[i + 1].start_ns != items[i].start_ns) {
            code = canary__merge_sheet(importing->store, importing->transaction, items[i].table,
                                       importing->rollout, items[i].start_ns, &sheet,
                                       importing->error);
            canary__sheet_free(&importing->store->hooks, &sheet);
        }
    }
    canary__sheet_free(&importing->store->hooks, &sheet);
    return code;
}

/* -- the call -- */

static int import_rows(struct importing *importing, const struct canary__delivery *delivery,
                       uint64_t count, canary_import_result *results, int32_t *repeated) {
    int code = CANARY_OK;

    if (delivery->key != NULL) {
        code = canary__delivery_find(delivery, importing->store, importing->transaction,
                                     importing->now_ns, repeated, importing->error);
    }
    /* Rows of a repeated delivery are checked as well, for their results; nothing of it is kept. */
    if (code == CANARY_OK) {
        code = check_rows(importing, count, results);
    }
    if (code != CANARY_OK || *repeated || importing->items.used == 0) {
        return code;
    }
    code = merge_items(importing);
    if (code == CANARY_OK && delivery->key != NULL) {
        code = canary__delivery_keep(delivery, importing->store, importing->transaction,
                                     importing->items.used / sizeof(struct item), importing->now_ns,
                                     importing->error);
    }
    return code;
}

static int run(struct importing *importing, const struct canary__delivery *delivery, uint64_t count,
               canary_import_result *results, int32_t *repeated) {
    canary_store *store = importing->store;
    canary_error own = canary__fail_none;
    int commit;
    int ended;
    int code =
        canary__store_begin(store, CANARY_STORAGE_WRITE, &importing->transaction, importing->error);

    if (code != CANARY_OK) {
        return code;
    }
    importing->names.hooks = importing->metrics.hooks = importing->items.hooks = &store->hooks;
    code = import_rows(importing, delivery, count, results, repeated);
    commit = code == CANARY_OK && !*repeated && importing->items.used != 0;
    ended = store->methods.end(importing->transaction, commit, &own);
    canary__store_unlock(store);
    if (code == CANARY_OK && ended != CANARY_OK && commit) {
        canary__fail_copy(importing->error, &own);
        code = ended;
    }
    canary__rows_free(&importing->names);
    canary__rows_free(&importing->metrics);
    canary__rows_free(&importing->items);
    return code;
}

static int admit_rows(const canary_import_row *rows, uint64_t count, canary_error *error) {
    canary_import_row own = { 0 };
    uint32_t size;

    if (count > CANARY_IMPORT_ROWS_MAX || (count > 0 && rows == NULL)) {
        return canary__fail(
            error, CANARY_E_INVALID, 0, "canary_import: %llu rows%s; allowed are 0 to %d",
            (unsigned long long)count, rows == NULL ? " at NULL" : "", CANARY_IMPORT_ROWS_MAX);
    }
    for (uint64_t i = 0; i < count; i++) {
        const unsigned char *row = (const unsigned char *)rows + i * rows->size;

        memcpy(&size, row, sizeof size);
        if (size != rows->size || canary__sized_in(&own, row, sizeof own, ROW_LEAST) != 0) {
            return canary__fail(error, CANARY_E_INVALID, 0,
                                "canary_import: row %llu of size %u: it is too small, another than "
                                "that of the first row, or fields newer than this library are set",
                                (unsigned long long)i, (unsigned)size);
        }
    }
    return CANARY_OK;
}

int canary_import(canary_store *store, const char *rollout, const char *key,
                  const canary_import_row *rows, uint64_t count, canary_import_result *results,
                  int32_t *repeated, canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct canary__delivery delivery = { .rollout = rollout, .key = key };
    struct importing importing = { .rollout = rollout, .rows = (const unsigned char *)rows };
    int32_t again = 0;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    importing.error = error;
    code = admit_rows(rows, count, error);
    if (code == CANARY_OK) {
        code = canary__delivery_admit(&delivery, rows, count, error);
    }
    if (code == CANARY_OK) {
        code = canary__scan_writable(store, rollout, &importing.store, error);
    }
    if (code == CANARY_OK) {
        code = canary__merge_generation(store, rollout, 0, &importing.generation, error);
    }
    if (code == CANARY_OK && count > 0) {
        importing.stride = rows->size;
        importing.now_ns = canary__now(&store->hooks, CANARY_CLOCK_REALTIME);
        code = run(&importing, &delivery, count, results, &again);
    }
    if (code == CANARY_OK && repeated != NULL) {
        *repeated = again;
    }
    return code;
}
