/* SPDX-License-Identifier: MIT */
/* Writing OpenMetrics 1.0 text, or that of Prometheus from before: escaping, and numbers that do not
 * depend on the host program's locale. */
#ifndef CANARY__OPENMETRICS_TEXT_H
#define CANARY__OPENMETRICS_TEXT_H

#include <canary/observe.h>

#include <stddef.h>

struct canary__family {
    const char *name; /* a counter's without "_total" */
    const char *type;
    const char *unit; /* "" = none; else `name` ends with it */
    const char *help;
};

/* All zeros but for the first three. Text goes out in pieces of at most the buffer's size. */
struct canary__exposition {
    canary_write_fn write;
    void *user_data;
    int older;   /* 1: heads of counters have their samples' names, and there is no UNIT nor EOF */
    int stopped; /* what `write` answered when it was not 0: nothing is written after that */
    const struct canary__family *family;
    int announced; /* the family's head is written */
    int labels;    /* of the sample being written */
    size_t used;
    char buffer[1024];
};

/* From here on samples are of this family. Its head comes with the first of them. */
void canary__exposition_family(struct canary__exposition *out, const struct canary__family *family);

/* One sample: its name is the family's and `suffix`, then any number of labels, then the value. */
void canary__exposition_sample(struct canary__exposition *out, const char *suffix);
void canary__exposition_label(struct canary__exposition *out, const char *name, const char *value);
void canary__exposition_label_real(struct canary__exposition *out, const char *name, double value);
void canary__exposition_count(struct canary__exposition *out, uint64_t value);
void canary__exposition_real(struct canary__exposition *out, double value);

/* Ends the text and hands out what is left of it. */
void canary__exposition_end(struct canary__exposition *out);

enum { CANARY__REAL_TEXT = 48 };
/* The shortest digits that are read back as the same number: "0.25", "1e-05", "+Inf". Answers 1 when
 * they look like a whole number; labels have ".0" behind them then. */
int canary__exposition_digits(double value, char out[CANARY__REAL_TEXT]);

#endif
