/* SPDX-License-Identifier: MIT */
/* Verdicts as JSON. docs/verdict.md has the keys. */
#include <canary/decide.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/dump.h"
#include "judge/fail.h"
#include "judge/verdict_fields.h"

json_t *canary__verdict_string(const char *text, size_t room) {
    size_t size = strnlen(text, room);
    json_t *string = json_stringn(text, size);
    char *plain;

    if (string != NULL) {
        return string;
    }
    plain = malloc(size + 1);
    if (plain == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        plain[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    }
    string = json_stringn(plain, size);
    free(plain);
    return string;
}

json_t *canary__verdict_number(double number) {
    if (!isfinite(number)) {
        return json_null();
    }
    /* Counts are read as counts: 41200, not 41200.0. */
    if (number == floor(number) && fabs(number) <= 0x1p53 && !(number == 0 && signbit(number))) {
        return json_integer((json_int_t)number);
    }
    return json_real(number);
}

json_t *canary__verdict_moment(int64_t ns) {
    char text[40];

    canary__verdict_time(ns, text);
    return ns != 0 && text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *value_of(const struct canary__verdict_field *field, const char *at) {
    int32_t number = 0;
    uint32_t count = 0;
    uint64_t large = 0;
    int64_t time = 0;
    double real = 0;

    switch (field->type) {
    case CANARY__FIELD_STRING:
        return canary__verdict_string(at, field->size);
    case CANARY__FIELD_INT:
        memcpy(&number, at, sizeof number);
        return json_integer(number);
    case CANARY__FIELD_INDEX:
        memcpy(&number, at, sizeof number);
        return number < 0 ? json_null() : json_integer(number);
    case CANARY__FIELD_COUNT:
        memcpy(&count, at, sizeof count);
        return json_integer(count);
    case CANARY__FIELD_LONG:
        memcpy(&large, at, sizeof large);
        return json_integer((json_int_t)large);
    case CANARY__FIELD_NUMBER:
        memcpy(&real, at, sizeof real);
        return canary__verdict_number(real);
    case CANARY__FIELD_TIME:
        memcpy(&time, at, sizeof time);
        return canary__verdict_moment(time);
    case CANARY__FIELD_SPAN:
        memcpy(&time, at, sizeof time);
        return canary__verdict_number((double)time / 1e9);
    case CANARY__FIELD_BP:
        memcpy(&count, at, sizeof count);
        return canary__verdict_number((double)count / 100);
    case CANARY__FIELD_TRUTH:
        memcpy(&number, at, sizeof number);
        return json_boolean(number != 0);
    case CANARY__FIELD_COHORT:
        memcpy(&number, at, sizeof number);
        return json_string(canary_cohort_name(number));
    case CANARY__FIELD_NAME:
        memcpy(&number, at, sizeof number);
        return number > 0 ? json_string(field->name(number)) : json_null();
    }
    return NULL;
}

static int add_fields(json_t *object, const struct canary__verdict_field *fields, size_t count,
                      const void *from) {
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        failed |= json_object_set_new_nocheck(
            object, fields[i].key, value_of(&fields[i], (const char *)from + fields[i].offset));
    }
    return failed;
}

json_t *canary__verdict_object(const canary_verdict *verdict) {
    json_t *object = json_object();
    json_t *rules = json_array();
    int failed = object == NULL || rules == NULL;

    failed |= json_object_set_new(object, "verdict", json_integer(CANARY__VERDICT_FORMAT));
    failed |=
        json_object_set_new(object, "word", json_string(canary_verdict_word(verdict->action)));
    failed |= add_fields(object, canary__verdict_fields, canary__verdict_field_count, verdict);
    for (uint32_t i = 0; verdict->rules != NULL && i < verdict->rule_count; i++) {
        json_t *rule = json_object();

        failed |=
            add_fields(rule, canary__rule_fields, canary__rule_field_count, &verdict->rules[i]);
        failed |= json_array_append_new(rules, rule);
    }
    failed |= json_object_set_new(object, "rules", rules);
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int canary__verdict_write(json_t *object, canary_write_fn write, void *user_data,
                          canary_error *error) {
    size_t size = 0;
    char *text = canary__judge_dump(object, CANARY__DUMP_EXACT, &size);
    int refused = 0;

    json_decref(object);
    if (text == NULL) {
        return canary__judge_fail(error, CANARY_E_NOMEM, "no memory for the text of a verdict");
    }
    refused = write(user_data, text, size);
    free(text);
    if (refused != 0) {
        return canary__judge_fail(error, CANARY_E_REFUSED, "write answered %d", refused);
    }
    return CANARY_OK;
}

int canary__verdict_admit(const canary_verdict *verdict, canary_write_fn write,
                          canary_error *error) {
    if (verdict == NULL || write == NULL) {
        return canary__judge_fail(error, CANARY_E_INVALID, "%s is NULL",
                                  verdict == NULL ? "verdict" : "write");
    }
    if (verdict->size < sizeof *verdict) {
        return canary__judge_fail(error, CANARY_E_INVALID,
                                  "verdict has a size of %u: verdicts come from the library, which "
                                  "sets %zu",
                                  (unsigned)verdict->size, sizeof *verdict);
    }
    return CANARY_OK;
}

int canary_verdict_json(const canary_verdict *verdict, canary_write_fn write, void *user_data,
                        canary_error *error) {
    int code = canary__verdict_admit(verdict, write, error);

    return code == CANARY_OK
               ? canary__verdict_write(canary__verdict_object(verdict), write, user_data, error)
               : code;
}
