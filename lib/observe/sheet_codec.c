/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "observe/codec.h"
#include "observe/histogram.h"
#include "observe/sheet.h"

#define NAME "a row of figures"

enum {
    VERSION = 1,
    SHAPE_COHORT = 1,
    SHAPE_SAME_METRIC = 2,
    SHAPE_LOSSY = 4,
    SHAPE_DIVIDED = 8,
    SHAPES = 16,
    GAP_LEAST = 3,   /* buckets that are 0 between two runs */
    ENTRY_LEAST = 4, /* bytes of the shortest entry: generation, shape, kind, a count */
};

static int is_number(int kind) {
    return kind == CANARY_METRIC_VALUE || kind == CANARY_METRIC_SCORE;
}

/* -- writing -- */

static void write_counts(struct canary__writer *w, const struct canary__tally *tally) {
    int used = canary__tally_counts(tally->kind);

    while (used > 0 && tally->counts[used - 1] == 0) {
        used--;
    }
    canary__write_byte(w, (uint8_t)used);
    for (int i = 0; i < used; i++) {
        canary__write_number(w, tally->counts[i]);
    }
}

static void write_halves(struct canary__writer *w, const struct canary__tally *tally) {
    for (int i = 0; i < canary__tally_counts(tally->kind); i++) {
        canary__write_number(w, tally->halves[0][i]);
        canary__write_number(w, tally->halves[1][i]);
    }
}

static void write_squares(struct canary__writer *w, const struct canary__tally *tally) {
    if (!tally->lossy) {
        canary__write_wide(w, tally->squares);
    }
}

static void write_values(struct canary__writer *w, const struct canary__tally *tally) {
    uint64_t bits;

    memcpy(&bits, &tally->resolution, sizeof bits);
    for (int i = 0; i < 8; i++) {
        canary__write_byte(w, (uint8_t)(bits >> 8 * i));
    }
    canary__write_wide_signed(w, tally->sum);
    write_squares(w, tally);
    canary__write_signed(w, tally->least);
    canary__write_signed(w, tally->most);
}

static void write_thresholds(struct canary__writer *w, const struct canary__tally *tally) {
    int64_t before = 0;
    uint8_t count = 0;

    for (uint32_t i = 0; i < tally->threshold_count; i++) {
        count = (uint8_t)(count + (tally->threshold_n[i] != 0));
    }
    canary__write_byte(w, count);
    for (uint32_t i = 0; i < tally->threshold_count; i++) {
        if (tally->threshold_n[i] != 0) {
            canary__write_number(w, (uint64_t)(tally->thresholds_ns[i] - before));
            canary__write_number(w, tally->threshold_n[i]);
            canary__write_number(w, tally->threshold_above[i]);
            before = tally->thresholds_ns[i];
        }
    }
}

/* From `*at` on, the next run of buckets: how many, and its first one in `*at`. It ends where a gap is
 * no shorter as zeros than as the beginning of another run. */
static uint32_t next_run(const uint64_t *buckets, uint32_t *at) {
    uint32_t end;

    while (*at < CANARY__HISTOGRAM_BUCKETS && buckets[*at] == 0) {
        (*at)++;
    }
    end = *at;
    for (uint32_t i = *at; i < CANARY__HISTOGRAM_BUCKETS && i < end + GAP_LEAST; i++) {
        if (buckets[i] != 0) {
            end = i + 1;
        }
    }
    return end - *at;
}

static void write_buckets(struct canary__writer *w, const uint64_t *buckets) {
    uint64_t before = 0;
    uint32_t runs = 0;
    uint32_t end = 0;
    uint32_t at = 0;
    uint32_t length;

    while (buckets != NULL && (length = next_run(buckets, &at)) > 0) {
        at += length;
        runs++;
    }
    canary__write_number(w, runs);
    for (at = 0; runs > 0; runs--) {
        length = next_run(buckets, &at);
        canary__write_number(w, at - end);
        canary__write_number(w, length);
        for (end = at + length; at < end; at++) {
            canary__write_signed(w, (int64_t)(buckets[at] - before));
            before = buckets[at];
        }
    }
}

static void write_entry(struct canary__writer *w, const struct canary__entry *entry,
                        const struct canary__entry *before) {
    const struct canary__tally *tally = &entry->tally;
    int same = before != NULL && strcmp(before->metric, entry->metric) == 0;
    int divided = canary__tally_divides(tally->kind) && canary__tally_is_divided(tally);
    size_t length = strlen(entry->metric);

    canary__write_number(w, entry->generation - (before != NULL ? before->generation : 0));
    canary__write_byte(w,
                       (uint8_t)(entry->cohort | (same ? SHAPE_SAME_METRIC : 0) |
                                 (tally->lossy ? SHAPE_LOSSY : 0) | (divided ? SHAPE_DIVIDED : 0)));
    if (!same) {
        canary__write_byte(w, (uint8_t)length);
        canary__write_bytes(w, entry->metric, length);
    }
    canary__write_byte(w, (uint8_t)tally->kind);
    if (tally->kind != CANARY_METRIC_DURATION) {
        write_counts(w, tally);
    }
    if (divided) {
        write_halves(w, tally);
    }
    if (is_number(tally->kind)) {
        write_values(w, tally);
    } else if (tally->kind == CANARY_METRIC_DURATION) {
        canary__write_wide(w, tally->sum);
        write_squares(w, tally);
        canary__write_number(w, tally->overflow);
        write_thresholds(w, tally);
        write_buckets(w, tally->buckets);
    }
}

static void write_sheet(struct canary__writer *w, const void *what) {
    const struct canary__sheet *sheet = what;
    const struct canary__entry *before = NULL;
    uint32_t count = 0;

    canary__write_byte(w, VERSION);
    canary__write_byte(w, CANARY__HISTOGRAM_LAYOUT);
    for (uint32_t i = 0; i < sheet->count; i++) {
        count += !canary__tally_is_empty(&sheet->entries[i].tally);
    }
    canary__write_number(w, count);
    for (uint32_t i = 0; i < sheet->count; i++) {
        if (!canary__tally_is_empty(&sheet->entries[i].tally)) {
            write_entry(w, &sheet->entries[i], before);
            before = &sheet->entries[i];
        }
    }
}

int canary__sheet_encode(const struct canary__hooks *hooks, const struct canary__sheet *sheet,
                         uint8_t **data, size_t *size) {
    return canary__write_sealed(hooks, write_sheet, sheet, data, size);
}

/* -- reading -- */

static void read_counts(struct canary__reader *r, struct canary__tally *tally) {
    int most = canary__tally_counts(tally->kind);
    uint8_t used = canary__read_byte(r);

    if (used > most) {
        canary__read_wrong(r, "a metric has more counts than its kind");
        return;
    }
    for (int i = 0; i < used; i++) {
        tally->counts[i] = canary__read_number(r, UINT64_MAX);
    }
    if (used > 0 && tally->counts[used - 1] == 0) {
        canary__read_wrong(r, "the last count is 0");
    }
}

/* Counts that stop at their end may be less than the sum of their halves. */
static void read_halves(struct canary__reader *r, struct canary__tally *tally) {
    for (int i = 0; i < canary__tally_counts(tally->kind); i++) {
        uint64_t all = tally->counts[i];
        uint64_t half = canary__read_number(r, all);

        tally->halves[0][i] = half;
        tally->halves[1][i] = canary__read_number(r, all == UINT64_MAX ? all : all - half);
    }
    if (!canary__tally_is_divided(tally)) {
        canary__read_wrong(r, "halves that hold nothing");
    }
}

static void read_squares(struct canary__reader *r, struct canary__tally *tally) {
    if (!tally->lossy) {
        tally->squares = canary__read_wide(r);
    }
}

static void read_values(struct canary__reader *r, struct canary__tally *tally) {
    uint8_t bytes[8];
    uint64_t bits = 0;

    canary__read_bytes(r, bytes, sizeof bytes);
    for (int i = 0; i < 8; i++) {
        bits |= (uint64_t)bytes[i] << 8 * i;
    }
    memcpy(&tally->resolution, &bits, sizeof bits);
    if (!(tally->resolution >= DBL_MIN && tally->resolution <= DBL_MAX)) {
        canary__read_wrong(r, "a resolution is no positive number");
    }
    tally->sum = canary__read_wide_signed(r);
    read_squares(r, tally);
    tally->least = canary__read_signed(r);
    tally->most = canary__read_signed(r);
    if ((tally->least | tally->most) != 0 &&
        ((tally->least & tally->most & 1) == 0 || tally->least > tally->most)) {
        canary__read_wrong(r, "a smallest value is no value, or above the greatest");
    }
}

static void read_thresholds(struct canary__reader *r, struct canary__tally *tally) {
    uint8_t count = canary__read_byte(r);
    int64_t ns = 0;

    if (count > CANARY_THRESHOLDS_MAX) {
        canary__read_wrong(r, "a duration has too many thresholds");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t step = canary__read_number(r, (uint64_t)(INT64_MAX - ns));

        if (i > 0 && step == 0) {
            canary__read_wrong(r, "thresholds do not rise");
        }
        ns += (int64_t)step;
        tally->thresholds_ns[i] = ns;
        tally->threshold_n[i] = canary__read_number(r, UINT64_MAX);
        tally->threshold_above[i] = canary__read_number(r, tally->threshold_n[i]);
        if (tally->threshold_n[i] == 0) {
            canary__read_wrong(r, "a threshold was compared with nothing");
        }
    }
    tally->threshold_count = count;
}

/* One run, behind its gap. */
static void read_run(struct canary__reader *r, uint64_t *buckets, uint64_t length,
                     uint64_t *before) {
    uint32_t zeros = 0;

    for (uint64_t i = 0; i < length; i++) {
        *before += (uint64_t)canary__read_signed(r);
        buckets[i] = *before;
        zeros = *before == 0 ? zeros + 1 : 0;
        if (zeros == GAP_LEAST || (zeros > 0 && (i == 0 || i + 1 == length))) {
            canary__read_wrong(r, "a run of buckets is not the shortest");
            return;
        }
    }
}

static int read_buckets(const struct canary__hooks *hooks, struct canary__reader *r,
                        struct canary__tally *tally) {
    uint64_t runs = canary__read_number(r, CANARY__HISTOGRAM_BUCKETS);
    uint64_t before = 0;
    uint64_t at = 0;

    for (uint64_t run = 0; run < runs && r->wrong == NULL; run++) {
        uint64_t gap = canary__read_number(r, CANARY__HISTOGRAM_BUCKETS - at);
        uint64_t length = canary__read_number(r, CANARY__HISTOGRAM_BUCKETS - at - gap);

        if (length == 0 || length > r->left || (run > 0 && gap < GAP_LEAST)) {
            canary__read_wrong(r, "a run of buckets is none");
            return CANARY_OK;
        }
        if (canary__tally_need_buckets(hooks, tally) != CANARY_OK) {
            return CANARY_E_NOMEM;
        }
        read_run(r, tally->buckets + at + gap, length, &before);
        at += gap + length;
    }
    return CANARY_OK;
}

/* Whether a name and a kind belong together: the built-in ones to their own, others to what can be
 * declared. */
static int names_kind(const char *name, int kind, int cohort) {
    size_t length = strlen(name);

    if (kind == CANARY__TALLY_STATUS) {
        return strcmp(name, CANARY__SHEET_STATUS) == 0;
    }
    if (kind == CANARY__TALLY_DECISIONS) {
        return strcmp(name, CANARY__SHEET_DECISIONS) == 0;
    }
    if (kind == CANARY__TALLY_LOSSES) {
        return strcmp(name, CANARY__SHEET_LOSSES) == 0 && cohort == CANARY_OLD;
    }
    return name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

static uint8_t read_key(struct canary__reader *r, struct canary__entry *entry,
                        const struct canary__entry *before) {
    uint64_t generation = before != NULL ? before->generation : 0;
    uint8_t length;
    uint8_t shape;
    int order;

    entry->generation = generation + canary__read_number(r, UINT64_MAX - generation);
    shape = canary__read_byte(r);
    if (shape >= SHAPES) {
        canary__read_wrong(r, "an entry is of an unknown shape");
    }
    entry->cohort = shape & SHAPE_COHORT;
    entry->tally.lossy = (shape & SHAPE_LOSSY) != 0;
    if ((shape & SHAPE_SAME_METRIC) != 0) {
        if (before == NULL) {
            canary__read_wrong(r, "the first entry has no name");
            return 0;
        }
        memcpy(entry->metric, before->metric, sizeof entry->metric);
    } else {
        length = canary__read_byte(r);
        if (length > CANARY_METRIC_NAME_MAX) {
            canary__read_wrong(r, "the name of a metric is too long");
            return 0;
        }
        canary__read_bytes(r, entry->metric, length);
        if (before != NULL && strcmp(entry->metric, before->metric) == 0) {
            canary__read_wrong(r, "the name of a metric is repeated");
        }
        if (strlen(entry->metric) != length) {
            canary__read_wrong(r, "the name of a metric is not allowed");
        }
    }
    if (before != NULL && entry->generation == generation) {
        order = strcmp(before->metric, entry->metric);
        if (order > 0 || (order == 0 && before->cohort >= entry->cohort)) {
            canary__read_wrong(r, "entries are out of order");
        }
    }
    return shape;
}

static int read_entry(const struct canary__hooks *hooks, struct canary__reader *r,
                      struct canary__entry *entry, const struct canary__entry *before) {
    struct canary__tally *tally = &entry->tally;
    int code = CANARY_OK;
    uint8_t shape = read_key(r, entry, before);

    tally->kind = canary__read_byte(r);
    if (canary__tally_counts(tally->kind) < 0) {
        canary__read_wrong(r, "a metric is of an unknown kind");
    } else if (!names_kind(entry->metric, tally->kind, entry->cohort)) {
        canary__read_wrong(r, "the name of a metric is not allowed");
    } else if (tally->lossy && !is_number(tally->kind) && tally->kind != CANARY_METRIC_DURATION) {
        canary__read_wrong(r, "a metric without squares has lost them");
    } else if ((shape & SHAPE_DIVIDED) != 0 &&
               (!canary__tally_divides(tally->kind) || entry->cohort != CANARY_OLD)) {
        canary__read_wrong(r, "a metric has halves that is not divided");
    }
    if (tally->kind != CANARY_METRIC_DURATION) {
        read_counts(r, tally);
    }
    if ((shape & SHAPE_DIVIDED) != 0 && r->wrong == NULL) {
        read_halves(r, tally);
    }
    if (is_number(tally->kind)) {
        read_values(r, tally);
    } else if (tally->kind == CANARY_METRIC_DURATION) {
        tally->sum = canary__read_wide(r);
        read_squares(r, tally);
        tally->overflow = canary__read_number(r, UINT64_MAX);
        read_thresholds(r, tally);
        code = read_buckets(hooks, r, tally);
    }
    if (code == CANARY_OK && canary__tally_is_empty(tally)) {
        canary__read_wrong(r, "an entry says nothing");
    }
    return code;
}

static int read_entries(const struct canary__hooks *hooks, struct canary__reader *r,
                        struct canary__sheet *sheet) {
    uint64_t count = canary__read_number(r, r->left / ENTRY_LEAST);
    int code = CANARY_OK;

    if (count > UINT32_MAX || canary__sheet_reserve(hooks, sheet, (uint32_t)count) != CANARY_OK) {
        return CANARY_E_NOMEM;
    }
    while (count > sheet->count && r->wrong == NULL && code == CANARY_OK) {
        struct canary__entry *entry = &sheet->entries[sheet->count];

        memset(entry, 0, sizeof *entry);
        code = read_entry(hooks, r, entry, sheet->count > 0 ? entry - 1 : NULL);
        sheet->count++;
    }
    if (r->left > 0) {
        canary__read_wrong(r, "it goes on after its end");
    }
    return code;
}

int canary__sheet_decode(const struct canary__hooks *hooks, const void *data, size_t size,
                         struct canary__sheet *sheet, canary_error *error) {
    struct canary__reader reader;
    uint8_t layout;
    int code = canary__read_sealed(&reader, data, size, VERSION, NAME, error);

    if (code != CANARY_OK) {
        return code;
    }
    layout = canary__read_byte(&reader);
    if (layout > CANARY__HISTOGRAM_LAYOUT) {
        return canary__fail(error, CANARY_E_NEWER, 0,
                            NAME " has histograms of layout %d, written by a later libcanary; this "
                                 "one knows layout %d",
                            layout, CANARY__HISTOGRAM_LAYOUT);
    }
    if (layout == 0) {
        canary__read_wrong(&reader, "layout 0");
    }
    code = read_entries(hooks, &reader, sheet);
    if (code == CANARY_OK && reader.wrong == NULL) {
        return CANARY_OK;
    }
    canary__sheet_free(hooks, sheet);
    return code != CANARY_OK
               ? canary__fail(error, code, 0, NAME ": there is no memory for what it says")
               : canary__fail(error, CANARY_E_CORRUPT, 0, NAME " is damaged: %s", reader.wrong);
}
