/* SPDX-License-Identifier: MIT */
/* SQLite's own look at the whole file, for `doctor` and `verify`. */
#include <string.h>

#include "storage/sqlite.h"

static int run(struct canary__sqlite_tx *tx, int (*report)(void *user_data, const char *message),
               void *user_data, canary_error *error) {
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(tx->conn->db, "PRAGMA integrity_check(20)", -1, &statement, NULL);

    /* The schema is known to be ours, so the work is bounded by the size of the file. */
    tx->conn->patience = UINT32_MAX;
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(statement, 0);

        rc = SQLITE_OK;
        if (line != NULL && strcmp(line, "ok") != 0 && report(user_data, line) != 0) {
            break;
        }
    }
    sqlite3_finalize(statement);
    canary__sqlite_be_patient(tx->conn);
    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        tx->conn->broken = 1;
        /* Damage that stops the look is what the look is for. */
        if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB) {
            report(user_data, sqlite3_errstr(rc));
            return CANARY_OK;
        }
        return canary__sqlite_fail(tx->store, tx->conn->db, rc, "check its integrity", error);
    }
    return CANARY_OK;
}

int canary__sqlite_check(void *pointer, int (*report)(void *user_data, const char *message),
                         void *user_data, canary_error *error) {
    struct canary__sqlite *store = pointer;
    void *transaction = NULL;
    int rc;

    if (store->process->read.active) {
        return run(&store->process->read, report, user_data, error);
    }
    rc = canary__sqlite_begin(store, CANARY_STORAGE_READ, &transaction, error);
    if (rc != CANARY_OK) {
        return rc;
    }
    rc = run(transaction, report, user_data, error);
    canary__sqlite_end(transaction, 0, error);
    return rc;
}
