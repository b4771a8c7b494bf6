/* SPDX-License-Identifier: MIT */
#include "verdicts.h"

#include <math.h>
#include <string.h>

#include "judge/verdict_fields.h"

struct verdicts_text verdicts_written;

int verdicts_keep(void *user_data, const char *data, uint64_t size) {
    struct verdicts_text *text = user_data;

    assert_true(text->size + size < sizeof text->data);
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
    return 0;
}

uint64_t verdicts_seed = 88172645463325252u;

static uint64_t random_next(void) {
    verdicts_seed ^= verdicts_seed << 13;
    verdicts_seed ^= verdicts_seed >> 7;
    verdicts_seed ^= verdicts_seed << 17;
    return verdicts_seed * UINT64_C(2685821657736338717);
}

static double any_double(void) {
    double value;
    uint64_t bits = random_next();

    if (bits % 4 == 0) {
        return (double)(random_next() >> 40);
    }
    memcpy(&value, &bits, sizeof value);
    return bits % 4 == 1 || !isfinite(value) ? NAN : value;
}

static void fill(void *object, const struct canary__verdict_field *fields, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *at = (char *)object + fields[i].offset;
        int32_t number = 0;
        uint32_t whole = (uint32_t)random_next();
        int64_t time = (int64_t)(random_next() >> 2);
        double real = any_double();
        int names = 0;

        switch (fields[i].type) {
        case CANARY__FIELD_STRING:
            memset(at, 0, fields[i].size);
            for (size_t j = 0; j < random_next() % fields[i].size; j++) {
                at[j] = (char)(' ' + random_next() % 95);
            }
            break;
        case CANARY__FIELD_INT:
            memcpy(at, &whole, sizeof whole);
            break;
        case CANARY__FIELD_INDEX:
            number = (int32_t)(random_next() % 4) - 1;
            memcpy(at, &number, sizeof number);
            break;
        case CANARY__FIELD_COUNT:
            memcpy(at, &whole, sizeof whole);
            break;
        case CANARY__FIELD_LONG:
            memcpy(at, &time, sizeof time);
            break;
        case CANARY__FIELD_NUMBER:
            memcpy(at, &real, sizeof real);
            break;
        case CANARY__FIELD_TIME:
            time = random_next() % 4 == 0   ? 0
                   : random_next() % 2 == 0 ? time
                                            : time - time % 1000000000;
            memcpy(at, &time, sizeof time);
            break;
        case CANARY__FIELD_SPAN:
            time = (int64_t)(random_next() % 400) * 10000000000;
            memcpy(at, &time, sizeof time);
            break;
        case CANARY__FIELD_BP:
            whole %= 10001;
            memcpy(at, &whole, sizeof whole);
            break;
        case CANARY__FIELD_TRUTH:
        case CANARY__FIELD_COHORT:
            number = (int32_t)(random_next() % 2);
            memcpy(at, &number, sizeof number);
            break;
        case CANARY__FIELD_NAME:
            while (names < 64 &&
                   (names == 0 || strcmp(fields[i].name(names + 1), "unknown") != 0)) {
                names++;
            }
            number = (int32_t)(random_next() % (uint64_t)names) + 1;
            memcpy(at, &number, sizeof number);
            break;
        }
    }
}

void verdicts_any(canary_verdict *verdict, canary_rule_result *rules) {
    memset(verdict, 0, sizeof *verdict);
    memset(rules, 0, VERDICTS_RULES * sizeof *rules);
    fill(verdict, canary__verdict_fields, canary__verdict_field_count);
    verdict->size = (uint32_t)sizeof *verdict;
    verdict->rule_count = VERDICTS_RULES;
    verdict->rules = rules;
    for (int i = 0; i < VERDICTS_RULES; i++) {
        fill(&rules[i], canary__rule_fields, canary__rule_field_count);
        rules[i].size = (uint32_t)sizeof *rules;
    }
}
