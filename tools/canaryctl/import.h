/* SPDX-License-Identifier: MIT */
/* The parts of `import`: what is under way, and making rows of what was read. */
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include "csv.h"
#include "fields.h"
#include "input.h"
#include "session.h"

#include <jansson.h>

#define IMPORT_BATCH 10000
#define IMPORT_SHOWN 20 /* refusals that are told one by one */

struct refusal {
    uint64_t line;
    char message[FIELDS_MESSAGE];
};

struct slot {
    uint64_t line;
    char metric[CANARY_METRIC_NAME_MAX + 1];
    char unit[CANARY_UNIT_MAX + 1];
};

struct import {
    struct session *session;
    struct input input;
    struct figures known;
    const char *key; /* NULL = the digest of the content */
    bool csv;
    bool declare;
    bool dry_run;
    int columns[CSV_FIELDS]; /* field ids, in the order of the header */
    size_t column_count;
    canary_import_row rows[IMPORT_BATCH];
    canary_import_result results[IMPORT_BATCH];
    struct slot slots[IMPORT_BATCH];
    size_t count;
    uint64_t batch;
    char last_key[160];
    uint64_t total;
    uint64_t merged;
    uint64_t repeated;
    uint64_t refused;
    bool undeclared; /* some for want of --declare */
    bool cut_off;    /* the input ended within an array */
    /* Refusals of this batch, until those of the store are known. */
    struct refusal waiting[IMPORT_SHOWN];
    size_t waiting_count;
    size_t told;
    struct text declared;
    json_t *refusals; /* NULL = text */
    json_t *declared_json;
    int64_t started;
    int64_t shown; /* when progress was shown last; 0 = never */
};

/* Judges one record and keeps the row that it makes, or what is wrong with it. Returns 0, or the exit
 * code after an error was told. */
int import_record(struct import *import, struct text *record, uint64_t line);
/* Keeps a row for the next batch. As above. */
int import_row(struct import *import, const struct fields *fields, uint64_t line);
/* Refuses a row before the store has seen it. */
void import_refuse(struct import *import, uint64_t line, const char *message);

#endif
