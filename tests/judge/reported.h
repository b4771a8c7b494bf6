/* SPDX-License-Identifier: MIT */
/* What tests of reports share: things that happen, and what is told of them. */
#ifndef JUDGE_REPORTED_H
#define JUDGE_REPORTED_H

#include "support.h"

#include <canary/judge.h>
#include <jansson.h>

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

struct told {
    char *text;
    size_t size;
    size_t refuse_after; /* bytes; 0 = never */
    int calls;
    int refused;
};

/* canary_write_fn into a struct told. */
int reported_write(void *user_data, const char *text, uint64_t size);
/* A report as text, to be freed; 0 as in canary_report_options. */
char *reported_between(struct unit *unit, int format, int64_t from_ns, int64_t to_ns);
char *reported(struct unit *unit, int format);
json_t *reported_json_between(struct unit *unit, int64_t from_ns, int64_t to_ns);
json_t *reported_json(struct unit *unit);
/* A part that must, or must not, be in a text. */
void reported_has(const char *text, const char *part);
void reported_has_not(const char *text, const char *part);
/* What a report of JSON says it left out, and a text within it. */
int64_t reported_left_out(const json_t *report, const char *what);
const char *reported_text(const json_t *object, const char *key);
/* Stored documents, at the present moment; a kind is "verdict" or "breaker". */
void reported_keep_bytes(struct unit *unit, const char *name, const void *data, size_t size);
void reported_keep(struct unit *unit, const char *kind, const char *data);
/* A verdict of two rules, the first in a state. */
void reported_keep_verdict(struct unit *unit, const char *action, const char *cause,
                           const char *state, double ln_w, int generation);
/* Outcomes of "error" or "timeout" at the present moment. */
void reported_record(struct unit *unit, const char *metric, int cohort, uint64_t n, uint64_t k);
/* A rollout "checkout" at its first stage since a minute. */
void reported_begin(struct unit *unit);
/* A policy of one rule in force, with objectives as JSON. */
void reported_policy(struct unit *unit, const char *objectives);

#endif
