/* SPDX-License-Identifier: MIT */
/* A scan goes in groups of at most a few hundred rows, each in a read transaction of its own, so that
 * it neither keeps writers waiting nor holds all rows in memory, and callbacks can run between groups
 * without a lock.
 *
 * Meanwhile retention goes on moving rows: ticks into the minute they belong to, minutes into their
 * hour. A row that moved between two groups would be counted twice or not at all, if groups ended just
 * anywhere. But no row ever leaves its hour, and a move takes away the finer rows in the transaction
 * that puts the coarser one. So groups end at full hours: each hour is read, at all three levels, in
 * one transaction, and counts once, in whatever shape it is found. */
#include "observe/scan.h"

#include <stdio.h>

#include "control/edit.h"
#include "control/rows.h"

enum { LEVELS = 3, START = 1, DATA = 8 };

/* In `span` lie at most a few hundred rows of the level. */
static const struct {
    int table;
    const char *name;
    int64_t width_ns;
    int64_t span_ns;
} levels[LEVELS] = {
    { CANARY_TABLE_HOURS, "hour", CANARY__HOUR_NS, 256 * CANARY__HOUR_NS },
    { CANARY_TABLE_MINUTES, "minute", CANARY__MINUTE_NS, 4 * CANARY__HOUR_NS },
    { CANARY_TABLE_TICKS, "tick", CANARY__TICK_NS, CANARY__HOUR_NS },
};

/* No figure belongs to a later time, so that additions to times cannot overflow. */
#define LAST_NS (INT64_MAX / 2)

struct pass {
    const struct canary__scan *scan;
    void *transaction;
    int64_t next[LEVELS]; /* start of the first row not read yet; LAST_NS = there is none */
    int level;
    int64_t end; /* of what is being read */
    int code;
    canary_error *error;
};

static int take_row(void *user_data, const canary_storage_row *row) {
    struct pass *pass = user_data;
    const struct canary__scan *scan = pass->scan;
    int64_t start = row->count > START ? row->values[START].integer : 0;
    struct canary__sheet sheet = { 0 };
    char when[32];
    char what[64];
    int whole = 0;

    if (start >= pass->end) {
        pass->next[pass->level] = start < LAST_NS ? start : LAST_NS;
        return 1;
    }
    canary__edit_time(start, when);
    snprintf(what, sizeof what, "%s of %s", levels[pass->level].name, when);
    pass->code = canary__scan_sheet(&scan->measurements->hooks, row, DATA, what, &sheet, &whole,
                                    scan->report, pass->error);
    if (whole) {
        start -= start % CANARY__TICK_NS; /* beside a damaged row there are some a little later */
        pass->code = scan->take(scan->user_data, start, start + levels[pass->level].width_ns,
                                &sheet, pass->error);
        canary__sheet_free(&scan->measurements->hooks, &sheet);
    }
    return pass->code != CANARY_OK;
}

/* Takes the rows of a level from `from` until `end`, and finds the one after them. */
static int read_level(struct pass *pass, int level, int64_t from, int64_t end) {
    const struct canary__scan *scan = pass->scan;
    canary_storage_value key = canary__value_text(scan->rollout);
    canary_storage_value after = canary__value_integer(from - 1);
    canary_storage_range range = {
        .size = (uint32_t)sizeof range, .key_count = 1, .key = &key, .after = &after
    };
    int code;

    pass->level = level;
    pass->end = end;
    pass->next[level] = LAST_NS;
    code = scan->measurements->methods.read(pass->transaction, levels[level].table, &range,
                                            take_row, pass, pass->error);
    return code != CANARY_OK ? code : pass->code;
}

static int64_t first_of(const struct pass *pass) {
    int64_t first = LAST_NS;

    for (int level = 0; level < LEVELS; level++) {
        first = pass->next[level] < first ? pass->next[level] : first;
    }
    return first;
}

static int64_t end_of_group(const struct pass *pass, int64_t to) {
    for (int level = 0; level < LEVELS; level++) {
        int64_t next = pass->next[level];
        int64_t end = next - next % CANARY__HOUR_NS + levels[level].span_ns;

        to = end < to ? end : to;
    }
    return to;
}

/* One group from `*from` on, which becomes where the next one begins. */
static int read_group(struct pass *pass, int64_t *from, int64_t to) {
    int64_t step = pass->scan->step_ns;
    int64_t end = to;
    int code = CANARY_OK;

    for (int level = 0; level < LEVELS && code == CANARY_OK; level++) {
        code = read_level(pass, level, *from, *from);
    }
    if (code == CANARY_OK) {
        end = end_of_group(pass, to);
    }
    for (int64_t at = first_of(pass); code == CANARY_OK && at < end; at = first_of(pass)) {
        int64_t until = step == 0 ? end : at - at % step + step;

        until = until < end ? until : end;
        for (int level = 0; level < LEVELS && code == CANARY_OK; level++) {
            if (pass->next[level] < until) {
                code = read_level(pass, level, pass->next[level], until);
            }
        }
    }
    *from = end;
    return code;
}

int canary__scan_run(const struct canary__scan *scan, canary_error *error) {
    struct pass pass = { .scan = scan, .error = error };
    int64_t to = scan->to_ns < LAST_NS ? scan->to_ns : LAST_NS;
    int64_t from = scan->from_ns;
    int code = CANARY_OK;

    while (code == CANARY_OK && from < to) {
        code = canary__rows_begin(scan->measurements, NULL, &pass.transaction, error);
        if (code != CANARY_OK) {
            return code;
        }
        code = read_group(&pass, &from, to);
        code = canary__rows_end(scan->measurements, pass.transaction, code, error);
        if (code == CANARY_OK && scan->pause != NULL) {
            code = scan->pause(scan->user_data, error);
        }
    }
    return code;
}
