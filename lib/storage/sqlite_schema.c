/* SPDX-License-Identifier: MIT */
/* What the schema must be, and the numbered migrations that lead there. */
#include <ctype.h>
#include <string.h>

#include "base/fail.h"
#include "storage/sqlite.h"

/* What ANALYZE leaves behind: it steers the planner only, and an operator may well have run it. */
static const struct canary__sqlite_object tolerated[] = {
    { "table", "sqlite_stat1", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)" },
    { "table", "sqlite_stat4", "sqlite_stat4",
      "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)" },
};

enum { TOLERATED = (int)(sizeof tolerated / sizeof tolerated[0]) };

static uint32_t big_endian(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           (uint32_t)bytes[3];
}

/* A file in WAL mode: its newest header may be in the log, where only SQLite finds it. */
static int header_from_pragmas(struct canary__sqlite_conn *conn,
                               struct canary__sqlite_header *header) {
    int64_t cookie = 0;
    int64_t version = 0;
    int64_t application_id = 0;
    int rc = canary__sqlite_number(conn, "PRAGMA schema_version", &cookie);

    if (rc == SQLITE_OK) {
        rc = canary__sqlite_number(conn, "PRAGMA user_version", &version);
    }
    if (rc == SQLITE_OK) {
        rc = canary__sqlite_number(conn, "PRAGMA application_id", &application_id);
    }
    header->cookie = (uint32_t)cookie;
    header->version = (uint32_t)version;
    header->application_id = (uint32_t)application_id;
    return rc;
}

int canary__sqlite_header_read(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                               struct canary__sqlite_header *header, canary_error *error) {
    unsigned char bytes[CANARY__SQLITE_HEADER];
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

    memset(header, 0, sizeof *header);
    if (rc != SQLITE_OK || file == NULL || file->pMethods == NULL) {
        return canary__sqlite_fail(store, conn->db, rc == SQLITE_OK ? SQLITE_ERROR : rc,
                                   "find its file", error);
    }
    rc = file->pMethods->xRead(file, bytes, (int)sizeof bytes, 0);
    if (rc == SQLITE_IOERR_SHORT_READ) {
        /* The creation of a store died, and SQLite has rolled it back to nothing. */
        return canary__fail(error, CANARY_E_NO_STORE, rc, "%s: %s",
                            canary__sqlite_short(store->path), store->kind->empty);
    }
    if (rc != SQLITE_OK) {
        return canary__sqlite_fail(store, conn->db, rc, "read its header", error);
    }
    header->change_counter = big_endian(bytes + 24);
    header->pages = big_endian(bytes + 28);
    header->cookie = big_endian(bytes + 40);
    header->encoding = big_endian(bytes + 56);
    header->version = big_endian(bytes + 60);
    header->application_id = big_endian(bytes + 68);
    header->wal = bytes[18] == 2 || bytes[19] == 2;
    if (header->wal) {
        rc = header_from_pragmas(conn, header);
        if (rc != SQLITE_OK) {
            return canary__sqlite_fail(store, conn->db, rc, "read its header", error);
        }
    }
    return CANARY_OK;
}

/* White space is the one thing that tools change when they copy a schema. */
static int same_sql(const char *left, const char *right) {
    while (*left != '\0' || *right != '\0') {
        int left_space = isspace((unsigned char)*left) != 0;
        int right_space = isspace((unsigned char)*right) != 0;

        if (left_space != right_space || (!left_space && *left != *right)) {
            return 0;
        }
        if (!left_space) {
            left++;
            right++;
            continue;
        }
        while (isspace((unsigned char)*left)) {
            left++;
        }
        while (isspace((unsigned char)*right)) {
            right++;
        }
    }
    return 1;
}

static const char *column(sqlite3_stmt *statement, int index) {
    const char *text = (const char *)sqlite3_column_text(statement, index);

    return text == NULL ? "" : text;
}

static int find(const struct canary__sqlite_object *objects, int count, const char *type,
                const char *name) {
    for (int i = 0; i < count; i++) {
        if (strcmp(objects[i].type, type) == 0 && strcmp(objects[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* One row of sqlite_schema. `seen` is the set of our objects met so far. */
static int judge(const struct canary__sqlite *store, sqlite3_stmt *row, uint32_t *seen,
                 canary_error *error) {
    const char *type = column(row, 0);
    const char *name = column(row, 1);
    const char *table = column(row, 2);
    const char *sql = column(row, 3);
    const struct canary__sqlite_kind *kind = store->kind;
    int ours = find(kind->objects, kind->object_count, type, name);
    int other = find(tolerated, TOLERATED, type, name);
    const struct canary__sqlite_object *object =
        ours >= 0 ? &kind->objects[ours] : &tolerated[other < 0 ? 0 : other];

    if (ours < 0 && other < 0) {
        return canary__fail(error, CANARY_E_HOSTILE, 0,
                            "%s: its schema holds the %.20s '%.60s', which is not libcanary's; "
                            "find out who made it, then drop it",
                            canary__sqlite_short(store->path), type, name);
    }
    if (strcmp(table, object->table) != 0 || !same_sql(sql, object->sql) ||
        (ours >= 0 && (*seen & 1u << ours) != 0)) {
        return canary__fail(error, CANARY_E_HOSTILE, 0,
                            "%s: the %s '%s' in its schema was altered; restore a copy of the "
                            "store, or bring the schema back",
                            canary__sqlite_short(store->path), object->type, object->name);
    }
    if (ours >= 0) {
        *seen |= 1u << ours;
    }
    return CANARY_OK;
}

static int check_objects(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                         canary_error *error) {
    sqlite3_stmt *statement = NULL;
    uint32_t seen = 0;
    int rc = sqlite3_prepare_v2(conn->db, "SELECT type, name, tbl_name, sql FROM sqlite_schema", -1,
                                &statement, NULL);

    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        int code = judge(store, statement, &seen, error);

        if (code != CANARY_OK) {
            sqlite3_finalize(statement);
            return code;
        }
        rc = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    if (rc != SQLITE_DONE) {
        return canary__sqlite_fail(store, conn->db, rc, "read its schema", error);
    }
    conn->lacking = 0;
    for (int i = 0; i < store->kind->object_count; i++) {
        if ((seen & 1u << i) == 0 && i >= store->kind->founding_count) {
            conn->lacking |= 1u << i;
        } else if ((seen & 1u << i) == 0) {
            return canary__fail(error, CANARY_E_CORRUPT, 0,
                                "%s: the %s '%s' is missing from its schema; restore a copy of the "
                                "store",
                                canary__sqlite_short(store->path), store->kind->objects[i].type,
                                store->kind->objects[i].name);
        }
    }
    return CANARY_OK;
}

int canary__sqlite_schema_check(const struct canary__sqlite *store,
                                struct canary__sqlite_conn *conn,
                                const struct canary__sqlite_header *header, canary_error *error) {
    const char *path = canary__sqlite_short(store->path);
    int rc;

    if (header->application_id != store->kind->application_id) {
        return canary__fail(error, CANARY_E_NOT_A_STORE, 0,
                            "%s: a SQLite database, but not a canary %s (application_id 0x%08x "
                            "instead of 0x%08x); name another path",
                            path, store->kind->what, header->application_id,
                            store->kind->application_id);
    }
    if (header->version > store->kind->version) {
        return canary__fail(error, CANARY_E_NEWER, 0,
                            "%s: written by a newer libcanary (schema version %u, this library "
                            "knows up to %u); upgrade this program",
                            path, header->version, store->kind->version);
    }
    if (header->version == 0) {
        return canary__fail(error, CANARY_E_CORRUPT, 0,
                            "%s: its schema version is 0, which no store has; restore a copy",
                            path);
    }
    /* Keys would come in another order. */
    if (header->encoding != SQLITE_UTF8 && !header->wal) {
        return canary__fail(error, CANARY_E_HOSTILE, 0,
                            "%s: its text is not encoded as UTF-8, as every store's is; restore a "
                            "copy of the store",
                            path);
    }
    if (conn->checked && conn->cookie == header->cookie) {
        return CANARY_OK;
    }
    conn->checked = 0;
    rc = check_objects(store, conn, error);
    if (rc == CANARY_OK) {
        conn->checked = 1;
        conn->cookie = header->cookie;
    }
    return rc;
}

int canary__sqlite_lacks(const struct canary__sqlite *store, const struct canary__sqlite_conn *conn,
                         const char *table) {
    const struct canary__sqlite_kind *kind = store->kind;
    int object = conn->lacking != 0 ? find(kind->objects, kind->object_count, "table", table) : -1;

    return object >= 0 && (conn->lacking & 1u << object) != 0;
}

int canary__sqlite_complete(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                            canary_error *error) {
    for (int i = store->kind->founding_count; i < store->kind->object_count; i++) {
        int rc = SQLITE_OK;

        if ((conn->lacking & 1u << i) != 0) {
            rc = sqlite3_exec(conn->db, store->kind->objects[i].sql, NULL, NULL, NULL);
            conn->checked = 0; /* it is gone again if the transaction comes to nothing */
        }
        if (rc != SQLITE_OK) {
            return canary__sqlite_fail(store, conn->db, rc, "add a table", error);
        }
    }
    conn->lacking = 0;
    return CANARY_OK;
}

int canary__sqlite_migrate(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                           uint32_t from, canary_error *error) {
    uint32_t patience = conn->patience;

    conn->patience = UINT32_MAX;
    for (uint32_t i = from; i < store->kind->version; i++) {
        int rc = store->kind->migrations[i](conn);

        if (rc != SQLITE_OK) {
            return canary__sqlite_fail(store, conn->db, rc, "bring it to this version", error);
        }
        conn->checked = 0;
    }
    conn->patience = patience;
    return CANARY_OK;
}
