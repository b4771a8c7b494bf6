/* SPDX-License-Identifier: MIT */
/* Begin, end, token.
 *
 * Reading: one connection stays open, because 64 processes look at the same moment after each
 * change and opening costs more than looking. Writing decisions: a connection of its own for each
 * change. Writing measurements: one stays open, since the next tick comes in seconds. */
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "storage/sqlite.h"

enum { ATTEMPTS = 3 };

static void drop(struct canary__sqlite *store, struct canary__sqlite_conn **kept) {
    canary__sqlite_disconnect(store, *kept);
    *kept = NULL;
}

static void roll_back(struct canary__sqlite_conn *conn) {
    if (!sqlite3_get_autocommit(conn->db)) {
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

/* A path that leads elsewhere by now: the connection would answer from the old file for ever. */
static int stale(const struct canary__sqlite *store, const struct canary__sqlite_conn *conn) {
    struct stat status;

    return stat(store->path, &status) != 0 || (uint64_t)status.st_dev != conn->device ||
           (uint64_t)status.st_ino != conn->inode;
}

/* Lets SQLite undo what a dead writer left, which takes a connection that may write. */
static int recover(struct canary__sqlite *store, int reason, canary_error *error) {
    struct canary__sqlite_conn *conn = NULL;
    int64_t cookie;
    int rc;

    if ((store->flags & CANARY_OPEN_READ_ONLY) != 0) {
        return canary__sqlite_fail(store, NULL, reason, "finish a dead writer's work", error);
    }
    rc = canary__sqlite_connect(store, SQLITE_OPEN_READWRITE, &conn, error);
    if (rc != CANARY_OK) {
        return rc;
    }
    /* Where the file may not be written SQLite has quietly opened it for reading. */
    if (sqlite3_db_readonly(conn->db, "main") != 0) {
        rc = canary__sqlite_fail(store, NULL, reason, "finish a dead writer's work", error);
    } else {
        rc = canary__sqlite_number(conn, "PRAGMA schema_version", &cookie);
        if (rc != SQLITE_OK) {
            rc = canary__sqlite_fail(store, conn->db, rc, "finish a dead writer's work", error);
        }
    }
    canary__sqlite_disconnect(store, conn);
    return rc;
}

/* Takes the shared lock: BEGIN alone takes none. */
static int take_shared(struct canary__sqlite_conn *conn) {
    int rc = canary__sqlite_run(conn->begin);

    if (rc == SQLITE_OK) {
        rc = canary__sqlite_run(conn->touch);
    }
    return rc;
}

static int needs_recovery(int rc) {
    return rc == SQLITE_READONLY_ROLLBACK || rc == SQLITE_READONLY_RECOVERY ||
           rc == SQLITE_READONLY_CANTINIT;
}

static int begin_read(struct canary__sqlite *store, canary_error *error) {
    struct canary__sqlite_process *process = store->process;
    struct canary__sqlite_tx *tx = &process->read;
    struct canary__sqlite_conn *conn;
    int recovered = 0;
    int rc;

    for (;;) {
        if (process->reader != NULL && stale(store, process->reader)) {
            drop(store, &process->reader);
        }
        if (process->reader == NULL) {
            rc = canary__sqlite_connect(store, SQLITE_OPEN_READONLY, &process->reader, error);
            if (rc != CANARY_OK) {
                return rc;
            }
        }
        conn = process->reader;
        canary__sqlite_be_patient(conn);
        rc = take_shared(conn);
        if (!needs_recovery(rc) || recovered) {
            break;
        }
        roll_back(conn);
        rc = recover(store, rc, error);
        if (rc != CANARY_OK) {
            drop(store, &process->reader);
            return rc;
        }
        recovered = 1;
    }
    if (rc != SQLITE_OK) {
        rc = canary__sqlite_fail(store, conn->db, rc, "read it", error);
    }
    if (rc == CANARY_OK) {
        rc = canary__sqlite_configure(store, conn, error);
    }
    if (rc == CANARY_OK) {
        rc = canary__sqlite_header_read(store, conn, &tx->header, error);
    }
    if (rc == CANARY_OK) {
        rc = canary__sqlite_schema_check(store, conn, &tx->header, error);
    }
    if (rc != CANARY_OK) {
        roll_back(conn);
        /* A busy connection is as good as new; from any other trouble only a new one recovers. */
        if (rc != CANARY_E_BUSY) {
            drop(store, &process->reader);
        }
        return rc;
    }
    tx->conn = conn;
    return CANARY_OK;
}

/* Everything between a connection and a transaction that may write. */
static int enter(struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                 struct canary__sqlite_tx *tx, canary_error *error) {
    int rc = canary__sqlite_configure(store, conn, error);

    if (rc != CANARY_OK) {
        return rc;
    }
    rc = canary__sqlite_run(conn->begin);
    if (rc != SQLITE_OK) {
        return canary__sqlite_fail(store, conn->db, rc, "begin a change", error);
    }
    if (canary__sqlite_moved(conn)) {
        return canary__fail(error, CANARY_E_REPLACED, 0,
                            "%s: the file was moved or replaced while it was opened; repeat",
                            canary__sqlite_short(store->path));
    }
    rc = canary__sqlite_header_read(store, conn, &tx->header, error);
    if (rc == CANARY_OK) {
        rc = canary__sqlite_schema_check(store, conn, &tx->header, error);
    }
    /* Under the lock, so of two processes that find an old store one migrates it. */
    if (rc == CANARY_OK && tx->header.version < store->kind->version) {
        rc = canary__sqlite_migrate(store, conn, tx->header.version, error);
    }
    if (rc == CANARY_OK && conn->lacking != 0) {
        rc = canary__sqlite_complete(store, conn, error);
    }
    return rc;
}

static int begin_write_once(struct canary__sqlite *store, struct canary__sqlite_tx *tx,
                            canary_error *error) {
    struct canary__sqlite_process *process = store->process;
    int rc;

    if (process->writer != NULL && stale(store, process->writer)) {
        drop(store, &process->writer);
    }
    if (process->writer == NULL) {
        rc = canary__sqlite_connect(store, SQLITE_OPEN_READWRITE, &process->writer, error);
        if (rc != CANARY_OK) {
            return rc;
        }
    }
    if (sqlite3_db_readonly(process->writer->db, "main") != 0) {
        drop(store, &process->writer);
        return canary__fail(error, CANARY_E_READ_ONLY, SQLITE_READONLY,
                            "%s: this process may read it, but not write; check the owner and mode "
                            "of the file, and the mount",
                            canary__sqlite_short(store->path));
    }
    canary__sqlite_be_patient(process->writer);
    rc = enter(store, process->writer, tx, error);
    if (rc != CANARY_OK) {
        roll_back(process->writer);
        /* Kept for the next attempt of the caller, who asks every 200 microseconds. */
        if (rc != CANARY_E_BUSY) {
            drop(store, &process->writer);
        }
    }
    return rc;
}

static int begin_write(struct canary__sqlite *store, canary_error *error) {
    struct canary__sqlite_process *process = store->process;
    struct canary__sqlite_tx *tx = &process->write;
    int rc = CANARY_OK;

    if ((store->flags & CANARY_OPEN_READ_ONLY) != 0) {
        return canary__fail(error, CANARY_E_READ_ONLY, 0,
                            "%s: opened with CANARY_OPEN_READ_ONLY; open it without to change it",
                            canary__sqlite_short(store->path));
    }
    /* In WAL mode an open reader, even an idle one, keeps the mode from being changed back. */
    if (process->reader != NULL && process->read.header.wal && !process->read.active) {
        drop(store, &process->reader);
    }
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        rc = begin_write_once(store, tx, error);
        if (rc == CANARY_E_NO_STORE && store->kind == &canary__sqlite_measurements &&
            (store->flags & CANARY_OPEN_CREATE) != 0) {
            rc = canary__sqlite_create(store, error);
            if (rc == CANARY_OK) {
                rc = begin_write_once(store, tx, error);
            }
        }
        /* Replaced between a look at the path and the lock on the file: the next look sees that. */
        if (rc != CANARY_E_REPLACED) {
            break;
        }
    }
    if (rc != CANARY_OK) {
        return rc;
    }
    tx->conn = process->writer;
    return CANARY_OK;
}

int canary__sqlite_begin(void *pointer, int mode, void **transaction, canary_error *error) {
    struct canary__sqlite *store = pointer;
    struct canary__sqlite_tx *tx;
    int rc;

    if (mode != CANARY_STORAGE_READ && mode != CANARY_STORAGE_WRITE) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "begin: mode %d is neither CANARY_STORAGE_READ nor _WRITE", mode);
    }
    drop(store, &store->process->spent);
    tx = mode == CANARY_STORAGE_WRITE ? &store->process->write : &store->process->read;
    if (tx->active) {
        return canary__fail(error, CANARY_E_BUSY, 0,
                            "%s: this handle has such a transaction open already; end it first",
                            canary__sqlite_short(store->path));
    }
    memset(tx, 0, sizeof *tx);
    rc = mode == CANARY_STORAGE_WRITE ? begin_write(store, error) : begin_read(store, error);
    if (rc == CANARY_OK) {
        tx->store = store;
        tx->active = 1;
        *transaction = tx;
    }
    return rc;
}

static int end_read(struct canary__sqlite_tx *tx) {
    struct canary__sqlite *store = tx->store;
    struct canary__sqlite_conn *conn = tx->conn;

    if (canary__sqlite_run(conn->commit) != SQLITE_OK) {
        roll_back(conn);
        conn->broken = 1;
    }
    /* In WAL mode an idle connection holds a lock on the file. */
    if (conn->broken || tx->header.wal) {
        drop(store, &store->process->reader);
    }
    return CANARY_OK;
}

static int commit(struct canary__sqlite_tx *tx, canary_error *error) {
    struct canary__sqlite *store = tx->store;
    struct canary__sqlite_conn *conn = tx->conn;
    int rc;

    if (tx->failed != 0 || sqlite3_get_autocommit(conn->db)) {
        return canary__fail(error, tx->failed != 0 ? tx->failed : CANARY_E_STORAGE,
                            tx->failed_system,
                            "%s: nothing was changed, because a step of the change failed; repeat "
                            "all of it",
                            canary__sqlite_short(store->path));
    }
    if (!tx->header.wal && store->kind == &canary__sqlite_decisions) {
        canary__sqlite_reserve_pages(conn);
        canary__sqlite_reserve_journal(conn);
    }
    /* Readers hold the lock for microseconds, and a pending commit lets no new ones in. */
    conn->wait_until = canary__sqlite_deadline(store);
    rc = canary__sqlite_run(conn->commit);
    conn->wait_until = 0;
    if (rc != SQLITE_OK) {
        return canary__sqlite_fail(store, conn->db, rc, "commit the change", error);
    }
    if (canary__sqlite_moved(conn)) {
        return canary__fail(error, CANARY_E_REPLACED, 0,
                            "%s: the file was moved or replaced during the change, which went to "
                            "the old one; look at the new one, then repeat",
                            canary__sqlite_short(store->path));
    }
    return CANARY_OK;
}

static int end_write(struct canary__sqlite_tx *tx, int keep, canary_error *error) {
    struct canary__sqlite *store = tx->store;
    int rc = keep ? commit(tx, error) : CANARY_OK;

    roll_back(tx->conn);
    if (store->kind == &canary__sqlite_measurements && rc == CANARY_OK && tx->failed == 0 &&
        !tx->conn->broken && !tx->header.wal) {
        return rc;
    }
    if (keep && rc == CANARY_OK) {
        /* Closing takes as long as everybody else's look at the change, and nobody is to wait for
         * it: the bell comes first. */
        store->process->spent = store->process->writer;
        store->process->writer = NULL;
    } else {
        drop(store, &store->process->writer);
    }
    return rc;
}

int canary__sqlite_end(void *transaction, int commit, canary_error *error) {
    struct canary__sqlite_tx *tx = transaction;
    int rc = tx == &tx->store->process->write ? end_write(tx, commit, error) : end_read(tx);

    tx->active = 0;
    return rc;
}

/* splitmix64's finish: spreads every bit over all. */
static uint64_t mix(uint64_t value) {
    value ^= value >> 30;
    value *= 0xbf58476d1ce4e5b9u;
    value ^= value >> 27;
    value *= 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

int canary__sqlite_token(void *transaction, uint64_t *token, canary_error *error) {
    struct canary__sqlite_tx *tx = transaction;
    const struct canary__sqlite_conn *conn = tx->conn;
    uint64_t value;

    (void)error;
    /* A change in WAL mode leaves the header of the file alone. */
    if (tx->header.wal) {
        *token = mix((uint64_t)canary__now(tx->store->hooks, CANARY_CLOCK_MONOTONIC)) ^
                 mix(++tx->store->distrust);
        return CANARY_OK;
    }
    /* The inode, because a copy put in the file's place has often the same counter. */
    value = mix(conn->device + 0x9e3779b97f4a7c15u);
    value = mix(value ^ conn->inode);
    value = mix(value ^ tx->header.pages);
    *token = value ^ tx->header.change_counter;
    return CANARY_OK;
}
