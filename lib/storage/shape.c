/* SPDX-License-Identifier: MIT */
#include "storage/shape.h"

#include <stddef.h>

#include "base/fail.h"

/* A value longer than this is a mistake: the longest that libcanary stores is a document's. */
static const uint64_t longest = 16u << 20;

const struct canary__set canary__set_decisions = { 1, CANARY_TABLE_COUNT };
const struct canary__set canary__set_measurements = { CANARY_TABLE_FIRST_MEASUREMENT,
                                                      CANARY_TABLE_LAST_MEASUREMENT };

_Static_assert(CANARY_TABLE_LAST_MEASUREMENT - CANARY_TABLE_COUNT == CANARY__SET_MOST,
               "room for either set");

int canary__shape_table(const struct canary__set *set, int number, const canary_storage_table **out,
                        canary_error *error) {
    if (number < set->first || number > set->last) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "this store has the tables %d to %d, not %d", set->first, set->last,
                            number);
    }
    *out = canary_storage_table_get(number);
    return CANARY_OK;
}

static int check_value(const canary_storage_table *table, uint32_t column,
                       const canary_storage_value *value, canary_error *error) {
    if (value->type != table->types[column]) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "%s.%s: a value of type %d was given, type %d is needed", table->name,
                            table->columns[column], value->type, table->types[column]);
    }
    if (value->type != CANARY_VALUE_INTEGER &&
        (value->size > longest || (value->data == NULL && value->size != 0))) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "%s.%s: a value of %llu bytes was given, at most %llu are allowed and "
                            "data must not be NULL",
                            table->name, table->columns[column], (unsigned long long)value->size,
                            (unsigned long long)longest);
    }
    return CANARY_OK;
}

int canary__shape_check_row(const canary_storage_table *table, const canary_storage_row *row,
                            canary_error *error) {
    int rc = CANARY_OK;

    if (row->count < table->key_count || row->count > table->column_count) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "%s: a row of %u values was given, %u are needed", table->name,
                            row->count, table->column_count);
    }
    for (uint32_t i = 0; i < row->count && rc == CANARY_OK; i++) {
        rc = check_value(table, i, &row->values[i], error);
    }
    return rc;
}

int canary__shape_check_key(const canary_storage_table *table, const canary_storage_value *key,
                            canary_error *error) {
    int rc = CANARY_OK;

    if (table->table == CANARY_TABLE_CHANGES) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "changes is append-only: no row is removed");
    }
    for (uint32_t i = 0; i < table->key_count && rc == CANARY_OK; i++) {
        rc = check_value(table, i, &key[i], error);
    }
    return rc;
}

int canary__shape_check_range(const canary_storage_table *table, const canary_storage_range *range,
                              canary_error *error) {
    int rc = CANARY_OK;

    if (range == NULL || range->key_count > table->key_count ||
        (range->after != NULL && range->key_count == table->key_count)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "%s: a range has at most %u key columns, and with `after` one less",
                            table->name, table->key_count);
    }
    for (uint32_t i = 0; i < range->key_count && rc == CANARY_OK; i++) {
        rc = check_value(table, i, &range->key[i], error);
    }
    if (rc == CANARY_OK && range->after != NULL) {
        rc = check_value(table, range->key_count, range->after, error);
    }
    return rc;
}
