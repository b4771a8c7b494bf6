/* SPDX-License-Identifier: MIT */
/* The secret of the store: 32 random bytes that only those know who may read it. */
#include <sodium/randombytes.h>
#include <string.h>

#include "base/fail.h"
#include "storage/sqlite.h"

enum { SIZE = 32 };

/* SQLITE_ROW with the secret, SQLITE_DONE when there is none of the right shape, or an error. */
static int look(struct canary__sqlite_conn *conn, uint8_t *secret) {
    int rc = SQLITE_OK;

    if (conn->secret == NULL) {
        rc = canary__sqlite_prepare(conn, "SELECT secret FROM bell_secret WHERE id = 1",
                                    &conn->secret);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(conn->secret);
    if (rc == SQLITE_ROW) {
        if (sqlite3_column_type(conn->secret, 0) == SQLITE_BLOB &&
            sqlite3_column_bytes(conn->secret, 0) == SIZE) {
            memcpy(secret, sqlite3_column_blob(conn->secret, 0), SIZE);
        } else {
            rc = SQLITE_DONE;
        }
    }
    sqlite3_reset(conn->secret);
    return rc;
}

int canary__sqlite_secret_make(struct canary__sqlite_conn *conn) {
    sqlite3_stmt *statement = NULL;
    unsigned char secret[SIZE];
    int rc = canary__sqlite_prepare(
        conn, "INSERT OR REPLACE INTO bell_secret (id, secret) VALUES (1, ?1)", &statement);

    if (rc == SQLITE_OK) {
        randombytes_buf(secret, sizeof secret);
        rc = sqlite3_bind_blob(statement, 1, secret, (int)sizeof secret, SQLITE_TRANSIENT);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    sqlite3_finalize(statement);
    return rc;
}

int canary__sqlite_secret(void *transaction, uint8_t *secret, canary_error *error) {
    struct canary__sqlite_tx *tx = transaction;
    int rc = look(tx->conn, secret);
    int code;

    if (rc == SQLITE_DONE && tx->conn->writable) {
        /* Somebody removed it. The next change makes another, and all who follow learn it. */
        rc = canary__sqlite_secret_make(tx->conn);
        if (rc == SQLITE_OK) {
            rc = look(tx->conn, secret);
        }
    }
    if (rc == SQLITE_ROW) {
        return CANARY_OK;
    }
    if (rc == SQLITE_DONE) {
        return canary__fail(error, CANARY_E_UNSUPPORTED, 0,
                            "%s: it has lost its secret; the next change makes one",
                            canary__sqlite_short(tx->store->path));
    }
    tx->conn->broken = 1;
    code = canary__sqlite_fail(tx->store, tx->conn->db, rc, "read its secret", error);
    /* No memory, say: then SQLite has taken back the change that this was part of, and only here is
     * it known why. */
    if (tx->conn->writable && tx->failed == 0 && sqlite3_get_autocommit(tx->conn->db)) {
        tx->failed = code;
        tx->failed_system = rc;
    }
    return code;
}
