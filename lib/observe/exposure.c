/* SPDX-License-Identifier: MIT */
/* Who was shown what: decisions of a span of time, and distinct users of a generation. */
#include <canary/metrics.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "control/row_values.h"
#include "control/rows.h"
#include "observe/sample.h"
#include "observe/scan.h"

enum { GENERATION = 1, DATA = 5 };

struct exposing {
    const struct canary__hooks *hooks;
    uint64_t wanted; /* generation; 0 = all, and users of the newest */
    canary_exposure out;
    canary_metrics_report report;
    struct canary__sample samples[2];
    int known; /* the samples can be read */
    int code;
    canary_error *error;
};

/* -- decisions -- */

static int take_sheet(void *user_data, int64_t start, int64_t end,
                      const struct canary__sheet *sheet, canary_error *error) {
    struct exposing *exposing = user_data;

    (void)start;
    (void)end;
    (void)error;
    for (uint32_t i = 0; i < sheet->count; i++) {
        const struct canary__entry *entry = &sheet->entries[i];

        if (entry->tally.kind == CANARY__TALLY_DECISIONS &&
            (exposing->wanted == 0 || entry->generation == exposing->wanted)) {
            for (int reason = 0; reason < CANARY__TALLY_COUNTS; reason++) {
                exposing->out.decisions[entry->cohort == CANARY_NEW][reason] +=
                    entry->tally.counts[reason];
            }
        }
    }
    return CANARY_OK;
}

/* -- users -- */

static int take_subjects(void *user_data, const canary_storage_row *row) {
    struct exposing *exposing = user_data;
    struct canary__row_cursor cursor = { row, GENERATION, 0 };
    uint64_t generation = (uint64_t)canary__row_take_integer(&cursor, 0, INT64_MAX);
    canary_error own = canary__fail_none;
    char what[64];

    if (exposing->wanted != 0 && generation != exposing->wanted) {
        return generation < exposing->wanted; /* rows come newest first */
    }
    snprintf(what, sizeof what, "users of generation %llu", (unsigned long long)generation);
    exposing->code = CANARY_E_CORRUPT;
    if (row->count > DATA && row->values[DATA].type == CANARY_VALUE_BLOB) {
        exposing->code =
            canary__sample_decode(exposing->hooks, row->values[DATA].data,
                                  (size_t)row->values[DATA].size, exposing->samples, &own);
    }
    exposing->out.generation = generation;
    if (exposing->code == CANARY_E_CORRUPT || exposing->code == CANARY_E_NEWER) {
        canary__scan_damaged(&exposing->report, what,
                             own.message[0] != '\0' ? own.message : "it holds no sample");
        exposing->code = CANARY_OK;
        exposing->known = 0;
        return 1; /* those of an older generation in its place would be wrong numbers */
    }
    if (exposing->code != CANARY_OK) {
        canary__fail_copy(exposing->error, &own);
        return 1;
    }
    if (exposing->samples[0].count + exposing->samples[1].count > 0) {
        return 1;
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        canary__sample_free(exposing->hooks, &exposing->samples[cohort]);
    }
    exposing->out.generation = exposing->wanted;
    return 0;
}

static int read_samples(struct exposing *exposing, canary_store *store, const char *rollout,
                        canary_error *error) {
    canary_storage_value key = canary__value_text(rollout);
    canary_storage_range range = {
        .size = (uint32_t)sizeof range, .key_count = 1, .descending = 1, .key = &key
    };
    void *transaction;
    int code = canary__rows_begin(store, NULL, &transaction, error);

    if (code != CANARY_OK) {
        return code;
    }
    code = store->methods.read(transaction, CANARY_TABLE_SUBJECTS, &range, take_subjects, exposing,
                               error);
    code = canary__rows_end(store, transaction, code, error);
    return code != CANARY_OK ? code : exposing->code;
}

/* How many users of a sample belong to a level that is not below its own. */
static uint64_t count_at(const struct canary__sample *sample, uint32_t level) {
    uint32_t low = 0;
    uint32_t high = sample->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (canary__sample_holds(level, sample->users[middle])) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* How many users there are in all comes from the cohorts, and from those who are in both: a sample of all of
 * them together would be of a higher level than the finer of the two, know less, and not be the sum of the
 * parts that people see beside it. As one sample holds the other of a higher level, the errors of the
 * cohorts differ by what both share; its level is the higher one, so that the difference is not negative. */
static void estimate(struct exposing *exposing) {
    const struct canary__sample *samples = exposing->samples;
    canary_exposure *out = &exposing->out;
    struct canary__sample both = { 0 };
    double variance = 0;
    double users;
    double error;

    both.level = samples[0].level > samples[1].level ? samples[0].level : samples[1].level;
    both.count = canary__sample_common(&samples[0], &samples[1]);
    for (int cohort = 0; cohort < 2; cohort++) {
        canary__sample_estimate(&samples[cohort], &users, &out->users_error[cohort]);
        out->users[cohort] = round(users);
        out->users_total += out->users[cohort];
        variance += out->users_error[cohort] * out->users_error[cohort];
        /* One level for both: shares of users kept at different ones could not be compared. */
        out->sampled[cohort] = count_at(&samples[cohort], both.level);
    }
    canary__sample_estimate(&both, &users, &error);
    if (both.count > 0) {
        out->users_total -= round(users);
        variance -= error * error;
    }
    out->users_total_error = sqrt(fmax(variance, 0));
    out->sampled_both = both.count;
    out->sampled_all = both.level == 0;
    out->sample_share = ldexp(1, -(int)both.level);
}

static int read_all(struct exposing *exposing, const struct canary__scan *scan,
                    canary_error *error) {
    int code = canary__scan_run(scan, error);

    if (code == CANARY_OK) {
        code = read_samples(exposing, scan->measurements, scan->rollout, error);
    }
    if (code == CANARY_OK && exposing->known) {
        estimate(exposing);
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        canary__sample_free(exposing->hooks, &exposing->samples[cohort]);
    }
    return code;
}

int canary_exposure_read(canary_store *store, const char *rollout,
                         const canary_metrics_query *query, canary_exposure *out,
                         canary_error *error) {
    canary_error unheard = canary__fail_none;
    struct exposing exposing = { .known = 1 };
    struct canary__scan scan = { .rollout = rollout, .take = take_sheet, .user_data = &exposing };
    canary_metrics_query admitted;
    int code;

    error = error != NULL ? error : &unheard; /* stores are promised one */
    if (out == NULL || out->size < sizeof out->size) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "canary_exposure_read: out is NULL, or its size is 0");
    }
    code = canary__scan_admit(store, rollout, query, &admitted, &scan.measurements, error);
    if (code == CANARY_OK && (admitted.flags & CANARY_METRICS_BASELINE) != 0) {
        code = canary__fail(error, CANARY_E_INVALID, 0, "query: a baseline has no users");
    }
    if (code != CANARY_OK) {
        return code;
    }
    exposing.wanted = admitted.generation;
    exposing.error = error;
    exposing.out =
        (canary_exposure){ .generation = admitted.generation, .sampled_all = 1, .sample_share = 1 };
    if (scan.measurements != NULL) {
        exposing.hooks = &scan.measurements->hooks;
        scan.from_ns = admitted.from_ns;
        scan.to_ns = admitted.to_ns != 0 ? admitted.to_ns : INT64_MAX;
        scan.report = &exposing.report;
        code = read_all(&exposing, &scan, error);
    }
    if (code == CANARY_OK) {
        if (!exposing.known) {
            exposing.out.users[0] = exposing.out.users[1] = exposing.out.users_total = NAN;
            exposing.out.users_error[0] = exposing.out.users_error[1] = NAN;
            exposing.out.users_total_error = NAN;
        }
        exposing.out.damaged = exposing.report.damaged;
        memcpy(exposing.out.damage, exposing.report.damage, sizeof exposing.out.damage);
        canary__sized_out(out, &exposing.out, sizeof exposing.out);
    }
    return code;
}
