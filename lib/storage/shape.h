/* SPDX-License-Identifier: MIT */
/* Whether a row, key or range fits its table: what both stores in the box refuse alike. */
#ifndef CANARY__SHAPE_H
#define CANARY__SHAPE_H

#include <canary/storage.h>

/* What a store keeps: the tables from `first` on, up to `last`. */
struct canary__set {
    int first;
    int last;
};

enum { CANARY__SET_MOST = 9 }; /* tables of the larger set */

extern const struct canary__set canary__set_decisions;
extern const struct canary__set canary__set_measurements;

/* The table, or CANARY_E_INVALID when it is none of the set. */
int canary__shape_table(const struct canary__set *set, int number, const canary_storage_table **out,
                        canary_error *error);
/* A full row, or the first columns of one, the key at least. */
int canary__shape_check_row(const canary_storage_table *table, const canary_storage_row *row,
                            canary_error *error);
/* A full key of a row that may be removed. */
int canary__shape_check_key(const canary_storage_table *table, const canary_storage_value *key,
                            canary_error *error);
int canary__shape_check_range(const canary_storage_table *table, const canary_storage_range *range,
                              canary_error *error);

#endif
