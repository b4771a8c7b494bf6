/* SPDX-License-Identifier: MIT */
#include "observe/sheet.h"

#include <string.h>

static int compare(const struct canary__entry *entry, uint64_t generation, int cohort,
                   const char *metric) {
    int names;

    if (entry->generation != generation) {
        return entry->generation < generation ? -1 : 1;
    }
    names = strcmp(entry->metric, metric);
    return names != 0 ? names : entry->cohort - cohort;
}

/* Where such an entry is, or would have to be put. */
static uint32_t place(const struct canary__sheet *sheet, uint64_t generation, int cohort,
                      const char *metric, int *found) {
    uint32_t low = 0;
    uint32_t high = sheet->count;

    *found = 0;
    while (low < high && !*found) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare(&sheet->entries[middle], generation, cohort, metric);

        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
            *found = order == 0;
        }
    }
    return high;
}

void canary__sheet_free(const struct canary__hooks *hooks, struct canary__sheet *sheet) {
    for (uint32_t i = 0; i < sheet->count; i++) {
        canary__tally_free(hooks, &sheet->entries[i].tally);
    }
    canary__free(hooks, sheet->entries, sheet->capacity * sizeof *sheet->entries);
    memset(sheet, 0, sizeof *sheet);
}

int canary__sheet_reserve(const struct canary__hooks *hooks, struct canary__sheet *sheet,
                          uint32_t capacity) {
    const size_t size = sizeof *sheet->entries;
    struct canary__entry *entries;

    if (capacity <= sheet->capacity) {
        return CANARY_OK;
    }
    if (capacity > SIZE_MAX / size) {
        return CANARY_E_NOMEM;
    }
    entries = canary__realloc(hooks, sheet->entries, sheet->capacity * size, capacity * size);
    if (entries == NULL) {
        return CANARY_E_NOMEM;
    }
    sheet->entries = entries;
    sheet->capacity = capacity;
    return CANARY_OK;
}

struct canary__tally *canary__sheet_at(const struct canary__hooks *hooks,
                                       struct canary__sheet *sheet, uint64_t generation, int cohort,
                                       const char *metric) {
    int found;
    uint32_t at = place(sheet, generation, cohort, metric, &found);
    struct canary__entry *entry;

    if (!found) {
        if (sheet->count == sheet->capacity &&
            canary__sheet_reserve(hooks, sheet, 2 * sheet->capacity + 8) != CANARY_OK) {
            return NULL;
        }
        entry = &sheet->entries[at];
        memmove(entry + 1, entry, (sheet->count - at) * sizeof *entry);
        memset(entry, 0, sizeof *entry);
        entry->generation = generation;
        entry->cohort = cohort;
        memcpy(entry->metric, metric, strnlen(metric, CANARY_METRIC_NAME_MAX));
        sheet->count++;
    }
    return &sheet->entries[at].tally;
}

const struct canary__tally *canary__sheet_find(const struct canary__sheet *sheet,
                                               uint64_t generation, int cohort,
                                               const char *metric) {
    int found;
    uint32_t at = place(sheet, generation, cohort, metric, &found);

    return found ? &sheet->entries[at].tally : NULL;
}

/* First every place that is missing, then the numbers: places that stay empty say nothing, so that
 * failing on the way changes nothing. */
int canary__sheet_merge(const struct canary__hooks *hooks, struct canary__sheet *to,
                        const struct canary__sheet *from) {
    for (int adding = 0; adding <= 1; adding++) {
        for (uint32_t i = 0; i < from->count; i++) {
            const struct canary__entry *entry = &from->entries[i];
            struct canary__tally *tally;
            int code;

            if (canary__tally_is_empty(&entry->tally)) {
                continue;
            }
            tally = canary__sheet_at(hooks, to, entry->generation, entry->cohort, entry->metric);
            if (tally == NULL) {
                return CANARY_E_NOMEM;
            }
            if (adding) {
                canary__tally_add(tally, &entry->tally);
                continue;
            }
            code = canary__tally_prepare(hooks, tally, &entry->tally);
            if (code != CANARY_OK) {
                return code;
            }
        }
    }
    return CANARY_OK;
}

/* Adds all of `from` to the empty sheet `to` under one generation. */
static int gather(const struct canary__hooks *hooks, struct canary__sheet *to,
                  const struct canary__sheet *from, uint64_t generation) {
    for (uint32_t i = 0; i < from->count; i++) {
        const struct canary__entry *entry = &from->entries[i];
        struct canary__tally *tally =
            canary__sheet_at(hooks, to, generation, entry->cohort, entry->metric);
        int code =
            tally != NULL ? canary__tally_merge(hooks, tally, &entry->tally) : CANARY_E_NOMEM;

        if (code != CANARY_OK) {
            return code;
        }
    }
    return CANARY_OK;
}

int canary__sheet_relabel(const struct canary__hooks *hooks, struct canary__sheet *sheet,
                          uint64_t generation) {
    struct canary__sheet all = { 0 };
    struct canary__sheet old = *sheet;
    int code;

    if (sheet->count > 0 && old.entries[0].generation == old.entries[old.count - 1].generation) {
        for (uint32_t i = 0; i < sheet->count; i++) {
            sheet->entries[i].generation = generation;
        }
        return CANARY_OK;
    }
    code = gather(hooks, &all, sheet, generation);
    if (code != CANARY_OK) {
        canary__sheet_free(hooks, &all);
        return code;
    }
    *sheet = all;
    canary__sheet_free(hooks, &old);
    return CANARY_OK;
}
