/* SPDX-License-Identifier: MIT */
/* What tests of the text for Prometheus share: the text of a store, what is looked for in it, and
 * outcomes that it is to show. */
#ifndef UNIT_EXPOSED_H
#define UNIT_EXPOSED_H

#include "support.h"

/* The text of a store; freed by the caller. */
char *exposed_text(canary_store *store);
/* 1 when `line` is a whole line of the text. */
int exposed_line(const char *text, const char *line);

/* Macros, so that a failure is reported with the line of the test. */
#define HAS(text, line)                                                                            \
    do {                                                                                           \
        if (!exposed_line(text, line)) {                                                           \
            fail_msg("no line\n%s\nin\n%s", line, text);                                           \
        }                                                                                          \
    } while (0)

#define LACKS(text, part)                                                                          \
    do {                                                                                           \
        if (strstr(text, part) != NULL) {                                                          \
            fail_msg("%s is in\n%s", part, text);                                                  \
        }                                                                                          \
    } while (0)

/* An allocator that counts, and fails once. */
struct exposed_heap {
    uint64_t bytes;
    int64_t left;      /* allocations until the one that fails; -1 = none does */
    unsigned warnings; /* the test's own */
};
void *exposed_allocate(void *heap, void *block, uint64_t old_size, uint64_t size);

void exposed_record(canary_ctx *ctx, int cohort, int status, int64_t duration_ns);
int32_t exposed_declare(canary_ctx *ctx, const char *name, int kind, const char *unit,
                        double minimum, double maximum);
/* Records an outcome with one measurement. */
void exposed_measure(canary_ctx *ctx, int cohort, canary_measurement measurement);
void exposed_measure_value(canary_ctx *ctx, int cohort, int32_t metric, double value);

#endif
