/* SPDX-License-Identifier: MIT */
/* Rows of figures from elsewhere, field by field, whatever they were written in. */
#ifndef CTL_FIELDS_H
#define CTL_FIELDS_H

#include "figures.h"
#include "text.h"

#include <canary/canary.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_id {
    FIELD_METRIC,
    FIELD_COHORT,
    FIELD_KIND,
    FIELD_UNIT,
    FIELD_AT,
    FIELD_N,
    FIELD_K,
    FIELD_VALUE,
    FIELD_DURATION,
    FIELD_TP,
    FIELD_FP,
    FIELD_FN,
    FIELD_TN,
    FIELD_MINIMUM,
    FIELD_MAXIMUM,
    FIELD_RESOLUTION,
    FIELD_COUNT
};

#define FIELDS_MESSAGE 240

/* One row as it was written: NULL or "" = not given. */
struct fields {
    const char *text[FIELD_COUNT];
};

/* The field of that name, or -1. */
int fields_find(const char *name);
/* Adds the names of all fields, separated by commas. */
void fields_names(struct text *out);

/* Makes a row of the fields. `known` tells the kinds of metrics that are there. The row's strings
 * are those of `fields`. Returns false with what is wrong and what is allowed. */
bool fields_row(const struct fields *fields, const struct figures *known, canary_import_row *row,
                char message[FIELDS_MESSAGE]);

/* Reads "new" or "old". Returns NULL, or why it is neither, as the rest of a sentence that begins
 * with the word. */
const char *fields_cohort(const char *word, int32_t *cohort);
/* Reads a number such as -1.5e3. */
bool fields_number(const char *string, double *value);

#endif
