/* SPDX-License-Identifier: MIT */
/* Rows: made at random within what libcanary could store, copied, compared. A test that has no
 * memory has no result either, so here alone that aborts. */
#include <stdlib.h>
#include <string.h>

#include "conformance/suite.h"

enum { SHORT_TEXT = 40 };

/* Integers stay within what the column means, since a store may refuse anything else. */
static int64_t random_integer(struct canary__suite *suite, const char *column) {
    if (strstr(column, "percentage_bp") != NULL) {
        return (int64_t)canary__suite_below(suite, 10001);
    }
    if (strcmp(column, "enabled") == 0 || strcmp(column, "cohort") == 0) {
        return (int64_t)canary__suite_below(suite, 2);
    }
    if (strstr(column, "stage") != NULL) {
        return (int64_t)canary__suite_below(suite, CANARY_STAGES_MAX);
    }
    if (strcmp(column, "algorithm") == 0) {
        return CANARY_ALGORITHM_SHA256;
    }
    if (strncmp(column, "overrides_", 10) == 0 || strcmp(column, "user_hash") == 0) {
        return (int64_t)(canary__suite_random(suite) >> 32);
    }
    return (int64_t)canary__suite_random(suite);
}

static size_t random_text(struct canary__suite *suite, char *out) {
    static const char *const pieces[] = { "a",
                                          "Z",
                                          "0",
                                          " ",
                                          "'",
                                          "\"",
                                          "%",
                                          "\\",
                                          "\n",
                                          "\xc3\xa4",
                                          "\xe2\x82\xac",
                                          "\xf0\x9f\x90\xa4" };
    size_t wanted = (size_t)canary__suite_below(suite, SHORT_TEXT - 4);
    size_t used = 0;

    while (used < wanted) {
        const char *piece = pieces[canary__suite_below(suite, sizeof pieces / sizeof pieces[0])];

        memcpy(out + used, piece, strlen(piece));
        used += strlen(piece);
    }
    return used;
}

static canary_storage_row *new_row(int number, const canary_storage_value *values, uint32_t given) {
    const canary_storage_table *table = canary_storage_table_get(number);
    size_t head = sizeof(canary_storage_row) + table->column_count * sizeof(canary_storage_value);
    size_t size = head;
    canary_storage_row *row;
    canary_storage_value *to;
    char *data;

    for (uint32_t i = 0; i < table->column_count; i++) {
        size += i < given && table->types[i] != CANARY_VALUE_INTEGER ? values[i].size + 1 : 1;
    }
    row = calloc(1, size);
    if (row == NULL) {
        abort();
    }
    to = (canary_storage_value *)(row + 1);
    data = (char *)row + head;
    row->size = (uint32_t)sizeof *row;
    row->table = number;
    row->count = table->column_count;
    row->values = to;
    for (uint32_t i = 0; i < table->column_count; i++) {
        to[i].type = table->types[i];
        if (table->types[i] == CANARY_VALUE_INTEGER) {
            to[i].integer = i < given ? values[i].integer : 0;
            continue;
        }
        to[i].data = data;
        to[i].size = i < given ? values[i].size : 0;
        if (to[i].size > 0) {
            memcpy(data, values[i].data, to[i].size);
        }
        data += to[i].size + 1;
    }
    return row;
}

canary_storage_row *canary__suite_row_clone(const canary_storage_row *row) {
    return new_row(row->table, row->values, row->count);
}

canary_storage_row *canary__suite_row_new(struct canary__suite *suite, int number, const char *name,
                                          int64_t integer, const void *id, size_t id_size) {
    const canary_storage_table *table = canary_storage_table_get(number);
    canary_storage_value values[64] = { { 0, 0, 0, NULL, 0 } };
    char text[64][SHORT_TEXT];

    for (uint32_t i = 0; i < table->column_count; i++) {
        canary_storage_value *value = &values[i];
        int key = i < table->key_count;

        value->type = table->types[i];
        switch (table->types[i]) {
        case CANARY_VALUE_INTEGER:
            value->integer = key ? integer : random_integer(suite, table->columns[i]);
            break;
        case CANARY_VALUE_TEXT:
            value->data = key ? name : text[i];
            value->size = key ? strlen(name) : random_text(suite, text[i]);
            break;
        default:
            value->data = id;
            value->size = id_size;
            break;
        }
    }
    return new_row(number, values, table->column_count);
}

canary_storage_row *canary__suite_row_number(struct canary__suite *suite, const char *name,
                                             int64_t number) {
    canary_storage_row *row =
        canary__suite_row_new(suite, suite->tables->numbers, name, 0, NULL, 0);

    canary__suite_row_value(row, suite->tables->number)->integer = number;
    return row;
}

canary_storage_value *canary__suite_row_value(canary_storage_row *row, const char *column) {
    const canary_storage_table *table = canary_storage_table_get(row->table);
    canary_storage_value *values = (canary_storage_value *)(row + 1);

    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i], column) == 0) {
            return &values[i];
        }
    }
    abort();
}

static int compare_value(const canary_storage_value *left, const canary_storage_value *right) {
    uint64_t common = left->size < right->size ? left->size : right->size;
    int order;

    if (left->type == CANARY_VALUE_INTEGER) {
        return left->integer < right->integer ? -1 : left->integer > right->integer;
    }
    order = common == 0 ? 0 : memcmp(left->data, right->data, common);
    if (order != 0) {
        return order;
    }
    return left->size < right->size ? -1 : left->size > right->size;
}

static int compare(const canary_storage_row *left, const canary_storage_row *right,
                   uint32_t columns) {
    int order = 0;

    for (uint32_t i = 0; i < columns && order == 0; i++) {
        order = compare_value(&left->values[i], &right->values[i]);
    }
    return order;
}

int canary__suite_row_equal(const canary_storage_row *left, const canary_storage_row *right) {
    return left->table == right->table &&
           compare(left, right, canary_storage_table_get(left->table)->column_count) == 0;
}

int canary__suite_row_compare(const canary_storage_row *left, const canary_storage_row *right) {
    return compare(left, right, canary_storage_table_get(left->table)->key_count);
}

const char *canary__suite_row_problem(const canary_storage_row *row, int number) {
    const canary_storage_table *table = canary_storage_table_get(number);

    if (row->size < sizeof *row) {
        return "a row's size is smaller than the structure";
    }
    if (row->table != number) {
        return "a row names another table";
    }
    if (row->count < table->key_count || row->count > table->column_count) {
        return "a row has too few or too many values";
    }
    for (uint32_t i = 0; i < row->count; i++) {
        const canary_storage_value *value = &row->values[i];

        if (value->type != table->types[i]) {
            return "a value has another type than its column";
        }
        if (value->type == CANARY_VALUE_INTEGER) {
            continue;
        }
        if (value->data == NULL && (value->size != 0 || value->type == CANARY_VALUE_TEXT)) {
            return "a value has no data";
        }
        if (value->type == CANARY_VALUE_TEXT && ((const char *)value->data)[value->size] != '\0') {
            return "no zero byte follows a text";
        }
    }
    return NULL;
}

void canary__suite_list_clear(struct canary__suite_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->rows[i]);
    }
    free(list->rows);
    list->rows = NULL;
    list->count = 0;
    list->capacity = 0;
    list->after_stop = 0;
    list->problem = NULL;
}

int canary__suite_list_sink(void *user_data, const canary_storage_row *row) {
    struct canary__suite_list *list = user_data;

    if (list->stop_after != 0 && list->count == list->stop_after) {
        list->after_stop++;
        return 1;
    }
    list->problem = canary__suite_row_problem(row, list->table);
    if (list->problem != NULL) {
        return 1;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        list->rows = realloc(list->rows, list->capacity * sizeof *list->rows);
        if (list->rows == NULL) {
            abort();
        }
    }
    list->rows[list->count++] = canary__suite_row_clone(row);
    return list->stop_after != 0 && list->count == list->stop_after;
}
