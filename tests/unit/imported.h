/* SPDX-License-Identifier: MIT */
/* What tests of importing share: rows from elsewhere, and what came of them. */
#ifndef UNIT_IMPORTED_H
#define UNIT_IMPORTED_H

#include "measured.h"

/* A row of a metric and cohort and nothing else. */
canary_import_row imported_row(const char *metric, int cohort);
canary_import_row imported_proportion(const char *metric, int cohort, uint64_t n, uint64_t k);
/* Rows that declare their metric: "f1", and one value of the new cohort. */
canary_import_row imported_classified(int cohort, uint64_t tp, uint64_t fp, uint64_t fn);
canary_import_row imported_valued(const char *metric, int kind, double value);

/* Imports rows of which all are allowed; returns whether the key was known. */
int32_t imported(struct unit *unit, const char *key, const canary_import_row *rows, uint64_t count);
/* All that is stored of a metric; good until the next reading. */
const canary_figures *imported_figures(struct unit *unit, const char *metric, int cohort);

#endif
