/* SPDX-License-Identifier: MIT */
/* Read, write, remove: statements made from the tables' descriptions, kept by the connection. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "storage/shape.h"
#include "storage/sqlite.h"

struct text {
    char data[2048];
    size_t used;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text->data + text->used, sizeof text->data - text->used, format, arguments);
    va_end(arguments);
    if (length > 0) {
        text->used += (size_t)length;
    }
    if (text->used >= sizeof text->data) {
        text->used = sizeof text->data - 1;
    }
}

static void add_columns(struct text *text, const canary_storage_table *table) {
    for (uint32_t i = 0; i < table->column_count; i++) {
        add(text, "%s%s", i == 0 ? "" : ", ", table->columns[i]);
    }
}

static int fail_step(struct canary__sqlite_tx *tx, int rc, const char *doing, canary_error *error) {
    int primary = rc & 0xff;

    tx->failed_system = rc;
    tx->failed = canary__sqlite_fail(tx->store, tx->conn->db, rc, doing, error);
    /* What SQLite refused for its content leaves the transaction whole; anything else may have left
     * it half, and a commit would make that half durable. */
    if (primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH || primary == SQLITE_TOOBIG) {
        int code = tx->failed;

        tx->failed = 0;
        return code;
    }
    tx->conn->broken = 1;
    return tx->failed;
}

/* SQLite ends a transaction by itself on some errors; a write then would commit on its own. */
static int usable(struct canary__sqlite_tx *tx, int table, const canary_storage_table **out,
                  canary_error *error) {
    int rc = canary__shape_table(tx->store->kind->set, table, out, error);

    if (rc != CANARY_OK) {
        return rc;
    }
    if (sqlite3_get_autocommit(tx->conn->db)) {
        return canary__fail(error, tx->failed != 0 ? tx->failed : CANARY_E_STORAGE,
                            tx->failed_system,
                            "%s: the transaction has failed already; end it and repeat",
                            canary__sqlite_short(tx->store->path));
    }
    return CANARY_OK;
}

static int writable(struct canary__sqlite_tx *tx, canary_error *error) {
    if (!tx->conn->writable) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "a read transaction cannot write; begin one with CANARY_STORAGE_WRITE");
    }
    return CANARY_OK;
}

/* The data outlives the step: every binding is cleared when the statement is put back. */
static int bind(sqlite3_stmt *statement, int index, const canary_storage_value *value) {
    /* A NULL pointer would bind NULL, whatever the size. */
    const void *data = value->data == NULL ? "" : value->data;

    switch (value->type) {
    case CANARY_VALUE_INTEGER:
        return sqlite3_bind_int64(statement, index, value->integer);
    case CANARY_VALUE_TEXT:
        return sqlite3_bind_text64(statement, index, data, value->size, SQLITE_STATIC, SQLITE_UTF8);
    default:
        return sqlite3_bind_blob64(statement, index, data, value->size, SQLITE_STATIC);
    }
}

static void put_back(sqlite3_stmt *statement) {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* -- read -- */

/* Columns of the trail with an index, and the only filter that is followed: on all of it, backwards. */
static const uint32_t indexed[CANARY__SQLITE_WHERE] = { 1, 8 }; /* rollout, flag */

/* The place where the statement of a filtered reading is kept; NULL when the filter is ignored. */
static sqlite3_stmt **filtered(struct canary__sqlite_conn *conn, const canary_storage_table *table,
                               const canary_storage_range *range) {
    for (int i = 0; i < CANARY__SQLITE_WHERE; i++) {
        if (range->where_value != NULL && table->table == CANARY_TABLE_CHANGES &&
            range->where_column == indexed[i] && range->key_count == 0 && range->after == NULL &&
            range->descending && range->where_value->type == CANARY_VALUE_TEXT) {
            return &conn->where[i];
        }
    }
    return NULL;
}

static void read_sql(const canary_storage_table *table, const canary_storage_range *range,
                     int filter, struct text *text) {
    const char *direction = range->descending ? " DESC" : "";

    add(text, "SELECT ");
    add_columns(text, table);
    add(text, " FROM %s", table->name);
    for (uint32_t i = 0; i < range->key_count; i++) {
        add(text, "%s%s = ?", i == 0 ? " WHERE " : " AND ", table->columns[i]);
    }
    if (range->after != NULL) {
        add(text, "%s%s %s ?", range->key_count == 0 ? " WHERE " : " AND ",
            table->columns[range->key_count], range->descending ? "<" : ">");
    }
    if (filter) {
        add(text, " WHERE %s = ?", table->columns[range->where_column]);
    }
    for (uint32_t i = 0; i < table->key_count; i++) {
        add(text, "%s%s%s", i == 0 ? " ORDER BY " : ", ", table->columns[i], direction);
    }
    add(text, " LIMIT ?");
}

static int bind_range(sqlite3_stmt *statement, const canary_storage_range *range, int filter) {
    int index = 1;
    int rc = SQLITE_OK;

    for (uint32_t i = 0; i < range->key_count && rc == SQLITE_OK; i++) {
        rc = bind(statement, index++, &range->key[i]);
    }
    if (rc == SQLITE_OK && range->after != NULL) {
        rc = bind(statement, index++, range->after);
    }
    if (rc == SQLITE_OK && filter) {
        rc = bind(statement, index++, range->where_value);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_int64(
            statement, index,
            range->limit == 0 || range->limit > INT64_MAX ? -1 : (sqlite3_int64)range->limit);
    }
    return rc;
}

/* The row under the statement. STRICT tables hold no other types, damaged files do. */
static int take_row(sqlite3_stmt *statement, const canary_storage_table *table,
                    canary_storage_value *values) {
    static const int32_t types[] = { 0, SQLITE_INTEGER, SQLITE_TEXT, SQLITE_BLOB };

    for (uint32_t i = 0; i < table->column_count; i++) {
        canary_storage_value *value = &values[i];

        memset(value, 0, sizeof *value);
        value->type = table->types[i];
        if (sqlite3_column_type(statement, (int)i) != types[value->type]) {
            return SQLITE_CORRUPT;
        }
        if (value->type == CANARY_VALUE_INTEGER) {
            value->integer = sqlite3_column_int64(statement, (int)i);
            continue;
        }
        value->data = value->type == CANARY_VALUE_TEXT
                          ? (const void *)sqlite3_column_text(statement, (int)i)
                          : sqlite3_column_blob(statement, (int)i);
        value->size = (uint64_t)sqlite3_column_bytes(statement, (int)i);
        if (value->data == NULL) {
            if (sqlite3_errcode(sqlite3_db_handle(statement)) == SQLITE_NOMEM) {
                return SQLITE_NOMEM;
            }
            value->data = "";
        }
    }
    return SQLITE_OK;
}

static int give_rows(struct canary__sqlite_conn *conn, sqlite3_stmt *statement,
                     const canary_storage_table *table, canary_storage_sink sink, void *user_data) {
    canary_storage_value values[CANARY__SQLITE_COLUMNS];
    canary_storage_row row = { (uint32_t)sizeof row, table->table, table->column_count, 0, values };
    int rc;

    for (;;) {
        canary__sqlite_be_patient(conn);
        rc = sqlite3_step(statement);
        if (rc != SQLITE_ROW) {
            return rc == SQLITE_DONE ? SQLITE_OK : rc;
        }
        rc = take_row(statement, table, values);
        if (rc != SQLITE_OK) {
            return rc;
        }
        if (sink(user_data, &row) != 0) {
            return SQLITE_OK;
        }
    }
}

int canary__sqlite_read(void *transaction, int number, const canary_storage_range *range,
                        canary_storage_sink sink, void *user_data, canary_error *error) {
    struct canary__sqlite_tx *tx = transaction;
    const canary_storage_table *table;
    sqlite3_stmt **kept;
    sqlite3_stmt *statement;
    int filter;
    int rc = usable(tx, number, &table, error);

    if (rc == CANARY_OK) {
        rc = canary__shape_check_range(table, range, error);
    }
    if (rc != CANARY_OK) {
        return rc;
    }
    if (canary__sqlite_lacks(tx->store, tx->conn, table->name)) {
        return CANARY_OK;
    }
    kept = filtered(tx->conn, table, range);
    filter = kept != NULL;
    if (!filter) {
        kept = &tx->conn->read[number - tx->store->kind->set->first][range->key_count]
                              [range->after != NULL][range->descending != 0];
    }
    /* Taken out while it runs, so a sink may read as well. */
    statement = *kept;
    *kept = NULL;
    rc = SQLITE_OK;
    if (statement == NULL) {
        struct text text = { 0 };

        read_sql(table, range, filter, &text);
        rc = canary__sqlite_prepare(tx->conn, text.data, &statement);
    }
    if (rc == SQLITE_OK) {
        rc = bind_range(statement, range, filter);
    }
    if (rc == SQLITE_OK) {
        rc = give_rows(tx->conn, statement, table, sink, user_data);
    }
    if (rc != SQLITE_OK) {
        char doing[64];

        snprintf(doing, sizeof doing, "read the table %s", table->name);
        rc = fail_step(tx, rc, doing, error);
        sqlite3_finalize(statement);
        return rc;
    }
    put_back(statement);
    if (*kept == NULL) {
        *kept = statement;
    } else {
        sqlite3_finalize(statement);
    }
    return CANARY_OK;
}

/* -- write and remove -- */

/* Measurements are replaced where they are: a row that is merged into again and again would otherwise
 * leave its place, and its index entry, each time. */
static void write_sql(const canary_storage_table *table, struct text *text) {
    int in_place = table->table >= CANARY_TABLE_FIRST_MEASUREMENT;

    add(text, "INSERT %sINTO %s (",
        in_place || table->table == CANARY_TABLE_CHANGES ? "" : "OR REPLACE ", table->name);
    add_columns(text, table);
    add(text, ") VALUES (?");
    for (uint32_t i = 1; i < table->column_count; i++) {
        add(text, ", ?");
    }
    add(text, ")");
    for (uint32_t i = table->key_count; in_place && i < table->column_count; i++) {
        add(text, "%s%s = excluded.%s",
            i == table->key_count ? " ON CONFLICT DO UPDATE SET " : ", ", table->columns[i],
            table->columns[i]);
    }
}

static int bind_row(sqlite3_stmt *statement, const canary_storage_table *table,
                    const canary_storage_row *row) {
    int rc = SQLITE_OK;

    for (uint32_t i = 0; i < table->column_count && rc == SQLITE_OK; i++) {
        canary_storage_value absent = { table->types[i], 0, 0, "", 0 };

        rc = bind(statement, (int)i + 1, i < row->count ? &row->values[i] : &absent);
    }
    return rc;
}

int canary__sqlite_write(void *transaction, const canary_storage_row *row, canary_error *error) {
    struct canary__sqlite_tx *tx = transaction;
    const canary_storage_table *table;
    sqlite3_stmt **statement;
    char doing[64];
    int rc = usable(tx, row->table, &table, error);

    if (rc == CANARY_OK) {
        rc = writable(tx, error);
    }
    if (rc == CANARY_OK) {
        rc = canary__shape_check_row(table, row, error);
    }
    if (rc != CANARY_OK) {
        return rc;
    }
    statement = &tx->conn->write[row->table - tx->store->kind->set->first];
    rc = SQLITE_OK;
    if (*statement == NULL) {
        struct text text = { 0 };

        write_sql(table, &text);
        rc = canary__sqlite_prepare(tx->conn, text.data, statement);
    }
    if (rc == SQLITE_OK) {
        rc = bind_row(*statement, table, row);
    }
    if (rc == SQLITE_OK) {
        canary__sqlite_be_patient(tx->conn);
        rc = canary__sqlite_run(*statement);
    }
    if (*statement != NULL) {
        put_back(*statement);
    }
    if (rc == SQLITE_OK) {
        return CANARY_OK;
    }
    if (row->table == CANARY_TABLE_CHANGES &&
        (rc == SQLITE_CONSTRAINT_TRIGGER || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
         rc == SQLITE_CONSTRAINT_ROWID)) {
        return canary__fail(error, CANARY_E_CONFLICT, rc,
                            "%s: change %lld is there already and the trail is append-only; read "
                            "the newest change again",
                            canary__sqlite_short(tx->store->path),
                            (long long)row->values[0].integer);
    }
    snprintf(doing, sizeof doing, "write to the table %s", table->name);
    return fail_step(tx, rc, doing, error);
}

int canary__sqlite_remove(void *transaction, int number, const canary_storage_value *key,
                          canary_error *error) {
    struct canary__sqlite_tx *tx = transaction;
    const canary_storage_table *table;
    sqlite3_stmt **statement;
    char doing[64];
    int rc = usable(tx, number, &table, error);

    if (rc == CANARY_OK) {
        rc = writable(tx, error);
    }
    if (rc == CANARY_OK) {
        rc = canary__shape_check_key(table, key, error);
    }
    if (rc != CANARY_OK) {
        return rc;
    }
    statement = &tx->conn->remove[number - tx->store->kind->set->first];
    rc = SQLITE_OK;
    if (*statement == NULL) {
        struct text text = { 0 };

        add(&text, "DELETE FROM %s", table->name);
        for (uint32_t i = 0; i < table->key_count; i++) {
            add(&text, "%s%s = ?", i == 0 ? " WHERE " : " AND ", table->columns[i]);
        }
        rc = canary__sqlite_prepare(tx->conn, text.data, statement);
    }
    for (uint32_t i = 0; rc == SQLITE_OK && i < table->key_count; i++) {
        rc = bind(*statement, (int)i + 1, &key[i]);
    }
    if (rc == SQLITE_OK) {
        canary__sqlite_be_patient(tx->conn);
        rc = canary__sqlite_run(*statement);
    }
    if (*statement != NULL) {
        put_back(*statement);
    }
    if (rc != SQLITE_OK) {
        snprintf(doing, sizeof doing, "remove from the table %s", table->name);
        return fail_step(tx, rc, doing, error);
    }
    if (sqlite3_changes64(tx->conn->db) == 0) {
        return canary__fail(error, CANARY_E_NOT_FOUND, 0, "%s: no row has this key", table->name);
    }
    return CANARY_OK;
}
