/* SPDX-License-Identifier: MIT */
/* See fields.h. */
#include "fields.h"

#include "say.h"
#include "when.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
/* What the library takes in one row; more would be a mistake in any case. */
#define MOST_COUNT UINT64_C(1000000000000000)

static const char *const names[FIELD_COUNT] = {
    [FIELD_METRIC] = "metric",
    [FIELD_COHORT] = "cohort",
    [FIELD_KIND] = "kind",
    [FIELD_UNIT] = "unit",
    [FIELD_AT] = "at",
    [FIELD_N] = "n",
    [FIELD_K] = "k",
    [FIELD_VALUE] = "value",
    [FIELD_DURATION] = "duration",
    [FIELD_TP] = "tp",
    [FIELD_FP] = "fp",
    [FIELD_FN] = "fn",
    [FIELD_TN] = "tn",
    [FIELD_MINIMUM] = "minimum",
    [FIELD_MAXIMUM] = "maximum",
    [FIELD_RESOLUTION] = "resolution",
};

int fields_find(const char *name) {
    for (int id = 0; id < FIELD_COUNT; id++) {
        if (strcmp(names[id], name) == 0)
            return id;
    }
    return -1;
}

void fields_names(struct text *out) {
    for (int id = 0; id < FIELD_COUNT; id++)
        text_addf(out, "%s%s", id == 0 ? "" : ", ", names[id]);
}

const char *fields_cohort(const char *word, int32_t *cohort) {
    if (strcmp(word, "new") == 0 || strcmp(word, "old") == 0) {
        *cohort = strcmp(word, "new") == 0 ? CANARY_NEW : CANARY_OLD;
        return NULL;
    }
    return say_distance(word, "new") <= 1   ? "is no cohort: new or old; did you mean \"new\"?"
           : say_distance(word, "old") <= 1 ? "is no cohort: new or old; did you mean \"old\"?"
                                            : "is no cohort: new or old";
}

bool fields_number(const char *string, double *value) {
    /* strtod() reads more than people mean: hexadecimal, "inf", "nan". */
    char *end;
    if (string[0] == '\0' || string[strspn(string, DIGITS ".eE+-")] != '\0')
        return false;
    *value = strtod(string, &end);
    return *end == '\0' && isfinite(*value);
}

static bool given(const struct fields *fields, int id) {
    return fields->text[id] != NULL && fields->text[id][0] != '\0';
}

static bool fail(char message[FIELDS_MESSAGE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(char message[FIELDS_MESSAGE], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, FIELDS_MESSAGE, format, arguments);
    va_end(arguments);
    return false;
}

/* A count: digits, or a number without a fraction, as programs write that keep all as 91.0. */
static bool take_count(const struct fields *fields, int id, uint64_t *out,
                       char message[FIELDS_MESSAGE]) {
    if (!given(fields, id))
        return true;
    const char *string = fields->text[id];
    size_t digits = strspn(string, DIGITS);
    double value = 0;
    if (digits > 0 && digits <= 16 && string[digits] == '\0') {
        *out = strtoull(string, NULL, 10);
    } else if (fields_number(string, &value) && value >= 0 && value <= (double)MOST_COUNT &&
               value == floor(value)) {
        *out = (uint64_t)value;
    } else {
        return fail(message, "%s \"%.60s\" is no whole number from 0 to %" PRIu64, names[id],
                    string, MOST_COUNT);
    }
    return *out <= MOST_COUNT ||
           fail(message, "%s %.20s is more than %" PRIu64, names[id], string, MOST_COUNT);
}

static bool take_number(const struct fields *fields, int id, double *out,
                        char message[FIELDS_MESSAGE]) {
    if (!given(fields, id) || fields_number(fields->text[id], out))
        return true;
    return fail(message, "%s \"%.60s\" is no finite number, as in 0.25", names[id],
                fields->text[id]);
}

static bool take_duration(const struct fields *fields, double *out, char message[FIELDS_MESSAGE]) {
    const char *string = fields->text[FIELD_DURATION];
    if (!given(fields, FIELD_DURATION) || (when_parse_duration(string, true, out) && *out >= 0))
        return true;
    return fail(message,
                "duration \"%.60s\" is no time of 0 or more: seconds as in 0.0125, or with a unit "
                "as in 12.5ms",
                string);
}

/* What the fields that are given say about the kind; 0 and a message when they say nothing or two
 * things. */
static int kind_of(const struct fields *fields, const struct figures *known,
                   char message[FIELDS_MESSAGE]) {
    static const struct {
        int kind;
        int first;
        int last;
        const char *names;
    } groups[] = {
        { CANARY_METRIC_PROPORTION, FIELD_N, FIELD_K, "n and k" },
        { CANARY_METRIC_VALUE, FIELD_VALUE, FIELD_VALUE, "value" },
        { CANARY_METRIC_DURATION, FIELD_DURATION, FIELD_DURATION, "duration" },
        { CANARY_METRIC_CLASSIFICATION, FIELD_TP, FIELD_TN, "tp, fp, fn and tn" },
    };
    int kind = 0;
    const char *one = NULL;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        bool any = false;
        for (int id = groups[i].first; id <= groups[i].last; id++)
            any = any || given(fields, id);
        if (any && one != NULL) {
            fail(message, "it gives %s and %s, which belong to different kinds of metrics", one,
                 groups[i].names);
            return 0;
        }
        if (any) {
            one = groups[i].names;
            kind = groups[i].kind;
        }
    }
    if (one == NULL) {
        fail(message, "it gives no figure: n and k, value, duration, or tp, fp and fn");
        return 0;
    }
    bool score = kind == CANARY_METRIC_VALUE &&
                 figures_kind(known, fields->text[FIELD_METRIC]) == CANARY_METRIC_SCORE;
    return score ? CANARY_METRIC_SCORE : kind;
}

static bool take_kind(const struct fields *fields, const struct figures *known, int32_t *out,
                      char message[FIELDS_MESSAGE]) {
    *out = kind_of(fields, known, message);
    if (*out == 0 || !given(fields, FIELD_KIND))
        return *out != 0;
    int implied = *out;
    const char *word = fields->text[FIELD_KIND];
    for (int kind = CANARY_METRIC_PROPORTION; kind <= CANARY_METRIC_CLASSIFICATION; kind++) {
        if (strcmp(word, canary_metric_kind_name(kind)) == 0)
            *out = kind;
    }
    if (strcmp(word, canary_metric_kind_name(*out)) != 0)
        return fail(message,
                    "kind \"%.40s\" is none: proportion, duration, value, score or classification",
                    word);
    bool number = implied == CANARY_METRIC_VALUE || implied == CANARY_METRIC_SCORE;
    if (*out != implied &&
        !(number && (*out == CANARY_METRIC_VALUE || *out == CANARY_METRIC_SCORE)))
        return fail(message, "its fields are those of a %s, and its kind is %s",
                    canary_metric_kind_name(implied), word);
    return true;
}

static bool complete(const struct fields *fields, int32_t kind, char message[FIELDS_MESSAGE]) {
    if (kind == CANARY_METRIC_PROPORTION && !(given(fields, FIELD_N) && given(fields, FIELD_K)))
        return fail(message, "a proportion needs n and k, and %s is missing",
                    given(fields, FIELD_N) ? "k" : "n");
    if (kind == CANARY_METRIC_CLASSIFICATION) {
        for (int id = FIELD_TP; id <= FIELD_FN; id++) {
            if (!given(fields, id))
                return fail(message, "a classification needs tp, fp and fn, and %s is missing",
                            names[id]);
        }
    }
    return true;
}

static bool take_words(const struct fields *fields, canary_import_row *row,
                       char message[FIELDS_MESSAGE]) {
    if (!given(fields, FIELD_METRIC) || !given(fields, FIELD_COHORT))
        return fail(message, "%s is missing", given(fields, FIELD_METRIC) ? "cohort" : "metric");
    row->metric = fields->text[FIELD_METRIC];
    row->unit = given(fields, FIELD_UNIT) ? fields->text[FIELD_UNIT] : NULL;
    const char *wrong = fields_cohort(fields->text[FIELD_COHORT], &row->cohort);
    if (wrong != NULL)
        return fail(message, "cohort \"%.40s\" %s", fields->text[FIELD_COHORT], wrong);
    if (strlen(row->metric) > CANARY_METRIC_NAME_MAX)
        return fail(message, "metric \"%.40s...\" is longer than %d bytes", row->metric,
                    CANARY_METRIC_NAME_MAX);
    if (row->unit != NULL && strlen(row->unit) > CANARY_UNIT_MAX)
        return fail(message, "unit \"%.40s...\" is longer than %d bytes", row->unit,
                    CANARY_UNIT_MAX);
    /* No "2h ago": the same rows delivered again would be other rows. */
    if (given(fields, FIELD_AT) &&
        (!when_parse_time(fields->text[FIELD_AT], 0, &row->at_ns) || row->at_ns <= 0))
        return fail(message,
                    "at \"%.60s\" is no time, as in 2026-01-31T09:22:20Z or 1769851340 (seconds "
                    "since 1970)",
                    fields->text[FIELD_AT]);
    return true;
}

bool fields_row(const struct fields *fields, const struct figures *known, canary_import_row *row,
                char message[FIELDS_MESSAGE]) {
    *row = (canary_import_row){ .size = (uint32_t)sizeof(*row) };
    return take_words(fields, row, message) && take_kind(fields, known, &row->kind, message) &&
           complete(fields, row->kind, message) && take_count(fields, FIELD_N, &row->n, message) &&
           take_count(fields, FIELD_K, &row->k, message) &&
           take_count(fields, FIELD_TP, &row->tp, message) &&
           take_count(fields, FIELD_FP, &row->fp, message) &&
           take_count(fields, FIELD_FN, &row->fn, message) &&
           take_count(fields, FIELD_TN, &row->tn, message) &&
           take_number(fields, FIELD_VALUE, &row->value, message) &&
           take_number(fields, FIELD_MINIMUM, &row->minimum, message) &&
           take_number(fields, FIELD_MAXIMUM, &row->maximum, message) &&
           take_number(fields, FIELD_RESOLUTION, &row->resolution, message) &&
           take_duration(fields, &row->value, message);
}
