/* SPDX-License-Identifier: MIT */
/* Whether a row, key or range fits its table: what both stores in the box refuse alike. */
#ifndef CANARY__SHAPE_H
#define CANARY__SHAPE_H

#include <canary/storage.h>

/* The table, or CANARY_E_INVALID. */
int canary__shape_table(int number, const canary_storage_table **out, canary_error *error);
/* A full row, or the first columns of one, the key at least. */
int canary__shape_check_row(const canary_storage_table *table, const canary_storage_row *row,
                            canary_error *error);
/* A full key of a row that may be removed. */
int canary__shape_check_key(const canary_storage_table *table, const canary_storage_value *key,
                            canary_error *error);
int canary__shape_check_range(const canary_storage_table *table, const canary_storage_range *range,
                              canary_error *error);

#endif
