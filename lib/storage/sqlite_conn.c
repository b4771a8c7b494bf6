/* SPDX-License-Identifier: MIT */
/* One connection with every guard on. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fail.h"
#include "storage/sqlite.h"

enum {
    STEPS = 1000,          /* virtual machine steps between two looks at the patience */
    PATIENCE = 1000,       /* a million steps is some ten milliseconds; a row needs about twenty */
    WAIT_NS = 200 * 1000,  /* short, because SQLite's own handler sleeps up to 100 ms and loses
                            * against every writer that does not */
    LENGTH_MAX = 16 << 20, /* longest value */
};

static int64_t monotonic(void) {
    struct timespec now = { 0, 0 };

    /* Not the clock hook: a clock that a test holds still would make this wait for ever. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t canary__sqlite_deadline(const struct canary__sqlite *store) {
    return monotonic() + store->commit_wait_ns;
}

static int on_busy(void *user_data, int count) {
    struct canary__sqlite_conn *conn = user_data;
    struct timespec pause = { 0, WAIT_NS };

    (void)count;
    if (conn->wait_until == 0 || monotonic() >= conn->wait_until) {
        return 0;
    }
    nanosleep(&pause, NULL);
    return 1;
}

/* A schema from elsewhere can hold work without end in a place where a table is expected. */
static int on_progress(void *user_data) {
    struct canary__sqlite_conn *conn = user_data;

    if (conn->patience == 0) {
        return 1;
    }
    if (conn->patience != UINT32_MAX) {
        conn->patience--;
    }
    return 0;
}

void canary__sqlite_be_patient(struct canary__sqlite_conn *conn) {
    conn->patience = PATIENCE;
}

int canary__sqlite_prepare(struct canary__sqlite_conn *conn, const char *sql, sqlite3_stmt **out) {
    return sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
}

int canary__sqlite_run(sqlite3_stmt *statement) {
    int rc;

    do {
        rc = sqlite3_step(statement);
    } while (rc == SQLITE_ROW);
    sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int canary__sqlite_number(struct canary__sqlite_conn *conn, const char *sql, int64_t *out) {
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(conn->db, sql, -1, &statement, NULL);

    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
        rc = SQLITE_DONE;
    }
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int canary__sqlite_moved(struct canary__sqlite_conn *conn) {
    int moved = 0;

    sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved;
}

/* SQLite opens whatever stands at the path, and a pipe there would hold the caller for ever. */
static int look(const struct canary__sqlite *store, int create, struct stat *status,
                canary_error *error) {
    const char *path = canary__sqlite_short(store->path);

    memset(status, 0, sizeof *status);
    if (stat(store->path, status) != 0) {
        int code = errno;

        if (code == ENOENT || code == ENOTDIR) {
            return create ? CANARY_OK
                          : canary__fail(error, CANARY_E_NO_STORE, code, "%s: %s", path,
                                         store->kind->missing);
        }
        if (code == EACCES) {
            return canary__fail(error, CANARY_E_PERMISSION, code,
                                "%s: a directory of the path may not be searched; check the owner "
                                "and mode of its directories",
                                path);
        }
        return canary__fail(error, CANARY_E_IO, code, "%s: cannot look at it: %s", path,
                            strerror(code));
    }
    if (!S_ISREG(status->st_mode)) {
        return canary__fail(error, CANARY_E_NOT_A_STORE, 0,
                            "%s: not a regular file; name another path", path);
    }
    if (status->st_size == 0 && !create) {
        return canary__fail(error, CANARY_E_NO_STORE, 0, "%s: %s", path, store->kind->empty);
    }
    return CANARY_OK;
}

static int guard(struct canary__sqlite_conn *conn) {
    static const char settings[] = "PRAGMA trusted_schema=OFF;"
                                   "PRAGMA cell_size_check=ON;"
                                   "PRAGMA mmap_size=0;"
                                   "PRAGMA temp_store=MEMORY;";
    sqlite3 *db = conn->db;

    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_handler(db, on_busy, conn);
    sqlite3_progress_handler(db, STEPS, on_progress, conn);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
    return sqlite3_exec(db, settings, NULL, NULL, NULL);
}

int canary__sqlite_connect(const struct canary__sqlite *store, int flags,
                           struct canary__sqlite_conn **out, canary_error *error) {
    struct canary__sqlite_conn *conn;
    struct stat status;
    int rc = look(store, (flags & SQLITE_OPEN_CREATE) != 0, &status, error);

    if (rc != CANARY_OK) {
        return rc;
    }
    conn = canary__alloc(store->hooks, sizeof *conn);
    if (conn == NULL) {
        return canary__fail(error, CANARY_E_NOMEM, 0, "%s: no memory for a connection",
                            canary__sqlite_short(store->path));
    }
    conn->device = (uint64_t)status.st_dev;
    conn->inode = (uint64_t)status.st_ino;
    conn->writable = (flags & SQLITE_OPEN_READWRITE) != 0;
    canary__sqlite_be_patient(conn);
    rc = sqlite3_open_v2(store->path, &conn->db,
                         flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE |
                             SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                         NULL);
    if (rc == SQLITE_OK) {
        rc = guard(conn);
    }
    if (rc == SQLITE_OK) {
        rc = canary__sqlite_prepare(conn, conn->writable ? "BEGIN IMMEDIATE" : "BEGIN",
                                    &conn->begin);
    }
    if (rc == SQLITE_OK) {
        rc = canary__sqlite_prepare(conn, "COMMIT", &conn->commit);
    }
    if (rc == SQLITE_OK) {
        rc = canary__sqlite_prepare(conn, "PRAGMA schema_version", &conn->touch);
    }
    if (rc != SQLITE_OK) {
        rc = canary__sqlite_fail(store, conn->db, rc, "open it", error);
        canary__sqlite_disconnect(store, conn);
        return rc;
    }
    *out = conn;
    return CANARY_OK;
}

/* EXTRA and PERSIST lost nothing in any simulated power cut. The journal of a shared file must not
 * be a WAL: it cannot be read where nothing can be written, and it raises SIGBUS on full file
 * systems. A store that somebody switched is switched back, but not while that would keep a change
 * waiting: others have it open, and a change in WAL mode is better than none. */
static int leave_wal(struct canary__sqlite_conn *conn) {
    sqlite3_stmt *mode = NULL;
    int rc = sqlite3_exec(conn->db, "PRAGMA journal_mode=PERSIST", NULL, NULL, NULL);

    if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED) {
        return rc;
    }
    if (sqlite3_prepare_v2(conn->db, "PRAGMA journal_mode", -1, &mode, NULL) == SQLITE_OK &&
        sqlite3_step(mode) == SQLITE_ROW &&
        sqlite3_stricmp((const char *)sqlite3_column_text(mode, 0), "wal") == 0) {
        rc = SQLITE_OK;
    }
    sqlite3_finalize(mode);
    return rc;
}

int canary__sqlite_configure(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                             canary_error *error) {
    /* A reader has use for the pages of one look only, and this process is not ours. */
    static const char reader[] = "PRAGMA cache_size=16;";
    int rc;

    if (conn->configured) {
        return CANARY_OK;
    }
    rc = sqlite3_exec(conn->db, conn->writable ? store->kind->writer : reader, NULL, NULL, NULL);
    if (rc == SQLITE_OK && conn->writable) {
        rc = leave_wal(conn);
    }
    if (rc != SQLITE_OK) {
        return canary__sqlite_fail(store, conn->db, rc, "prepare it for use", error);
    }
    conn->configured = 1;
    return CANARY_OK;
}

void canary__sqlite_disconnect(const struct canary__sqlite *store,
                               struct canary__sqlite_conn *conn) {
    if (conn == NULL) {
        return;
    }
    sqlite3_finalize(conn->begin);
    sqlite3_finalize(conn->commit);
    sqlite3_finalize(conn->touch);
    for (int table = 0; table < CANARY__SET_MOST; table++) {
        sqlite3_stmt **read = &conn->read[table][0][0][0];

        for (size_t i = 0; i < sizeof conn->read[table] / sizeof *read; i++) {
            sqlite3_finalize(read[i]);
        }
        sqlite3_finalize(conn->write[table]);
        sqlite3_finalize(conn->remove[table]);
    }
    for (int i = 0; i < CANARY__SQLITE_WHERE; i++) {
        sqlite3_finalize(conn->where[i]);
    }
    sqlite3_finalize(conn->secret);
    sqlite3_close(conn->db);
    canary__free(store->hooks, conn, sizeof *conn);
}
