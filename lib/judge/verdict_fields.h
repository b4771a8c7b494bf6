/* SPDX-License-Identifier: MIT */
/* A verdict as JSON, both ways. One table says which field has which key, so that nothing is written
 * that is not read. */
#ifndef CANARY__JUDGE_VERDICT_FIELDS_H
#define CANARY__JUDGE_VERDICT_FIELDS_H

#include <canary/verdict.h>
#include <jansson.h>
#include <stddef.h>

/* Value of the key "verdict": the form of the text. */
#define CANARY__VERDICT_FORMAT 1

enum canary__verdict_type {
    CANARY__FIELD_STRING, /* `size` bytes, NUL included */
    CANARY__FIELD_INT,    /* int32_t */
    CANARY__FIELD_INDEX,  /* int32_t; null for -1 */
    CANARY__FIELD_COUNT,  /* uint32_t */
    CANARY__FIELD_LONG,   /* uint64_t */
    CANARY__FIELD_NUMBER, /* double; null for what is none */
    CANARY__FIELD_TIME,   /* int64_t; RFC 3339 with what is needed of nanoseconds, null for 0 */
    CANARY__FIELD_SPAN,   /* int64_t; seconds */
    CANARY__FIELD_BP,     /* uint32_t; percent */
    CANARY__FIELD_TRUTH,  /* int32_t; true or false */
    CANARY__FIELD_COHORT, /* int32_t; "new" or "old" */
    CANARY__FIELD_NAME,   /* int32_t; a word of `name` */
};

struct canary__verdict_field {
    const char *key;
    enum canary__verdict_type type;
    size_t offset;
    size_t size;
    const char *(*name)(int number);
};

extern const struct canary__verdict_field canary__verdict_fields[];
extern const size_t canary__verdict_field_count;
extern const struct canary__verdict_field canary__rule_fields[];
extern const size_t canary__rule_field_count;

/* The object of a verdict, rules included. NULL without memory. */
json_t *canary__verdict_object(const canary_verdict *verdict);

/* What the calls of verdict.h have in common: refusing arguments, and writing an object, which is taken.
 * The answer of either is theirs. */
int canary__verdict_admit(const canary_verdict *verdict, canary_write_fn write,
                          canary_error *error);
int canary__verdict_write(json_t *object, canary_write_fn write, void *user_data,
                          canary_error *error);

/* Reads what canary_verdict_json() wrote, of this or a later library: keys that it does not know are
 * passed over, what is missing or of another type becomes 0, NaN or "". `results` has room for `room`
 * rules; `out->rules` points there. 0, or -1 when it is no verdict. */
int canary__verdict_read(const json_t *object, canary_verdict *out, canary_rule_result *results,
                         uint32_t room);

/* "2026-11-21T19:04:28.5Z"; and back: 0 for what is no such time. */
void canary__verdict_time(int64_t ns, char text[40]);
int64_t canary__verdict_time_of(const char *text);

/* Any bytes as a JSON string: what is no UTF-8 comes out as '?'. */
json_t *canary__verdict_string(const char *text, size_t room);
json_t *canary__verdict_number(double number);
/* A time as above; null for 0. */
json_t *canary__verdict_moment(int64_t ns);

#endif
