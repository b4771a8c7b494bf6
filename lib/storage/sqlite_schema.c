/* SPDX-License-Identifier: MIT */
/* What the schema must be, and the numbered migrations that lead there. */
#include <ctype.h>
#include <string.h>

#include "base/fail.h"
#include "storage/sqlite.h"

struct object {
    const char *type;
    const char *name;
    const char *table;
    const char *sql;
};

/* Released text: a change of it is a new version. Plain tables that an operator can read and, in an
 * emergency, write; the defaults spare him the columns that only libcanary computes. */
static const struct object version_1[] = {
    { "table", "rollouts", "rollouts",
      "CREATE TABLE rollouts (\n"
      "  name TEXT NOT NULL PRIMARY KEY,\n"
      "  stage INTEGER NOT NULL DEFAULT 0 CHECK (stage >= 0),\n"
      "  phase TEXT NOT NULL DEFAULT '',\n"
      "  percentage_bp INTEGER NOT NULL DEFAULT 0 CHECK (percentage_bp BETWEEN 0 AND 10000),\n"
      "  salt TEXT NOT NULL DEFAULT '',\n"
      "  algorithm INTEGER NOT NULL DEFAULT 1,\n"
      "  flag TEXT NOT NULL DEFAULT '',\n"
      "  policy TEXT NOT NULL DEFAULT '',\n"
      "  revision INTEGER NOT NULL DEFAULT 0,\n"
      "  updated_at INTEGER NOT NULL DEFAULT 0,\n"
      "  updated_by TEXT NOT NULL DEFAULT '',\n"
      "  note TEXT NOT NULL DEFAULT '',\n"
      "  overrides_new INTEGER NOT NULL DEFAULT 0,\n"
      "  overrides_old INTEGER NOT NULL DEFAULT 0,\n"
      "  overrides_digest TEXT NOT NULL DEFAULT '',\n"
      "  checksum TEXT NOT NULL DEFAULT ''\n"
      ") STRICT, WITHOUT ROWID" },
    { "table", "stages", "stages",
      "CREATE TABLE stages (\n"
      "  rollout TEXT NOT NULL,\n"
      "  stage INTEGER NOT NULL CHECK (stage >= 0),\n"
      "  name TEXT NOT NULL DEFAULT '',\n"
      "  percentage_bp INTEGER NOT NULL DEFAULT 0 CHECK (percentage_bp BETWEEN 0 AND 10000),\n"
      "  dwell_ns INTEGER NOT NULL DEFAULT 0,\n"
      "  PRIMARY KEY (rollout, stage)\n"
      ") STRICT, WITHOUT ROWID" },
    { "table", "feature_flags", "feature_flags",
      "CREATE TABLE feature_flags (\n"
      "  name TEXT NOT NULL PRIMARY KEY,\n"
      "  enabled INTEGER NOT NULL DEFAULT 0 CHECK (enabled IN (0, 1)),\n"
      "  updated_at INTEGER NOT NULL DEFAULT 0,\n"
      "  updated_by TEXT NOT NULL DEFAULT '',\n"
      "  note TEXT NOT NULL DEFAULT '',\n"
      "  checksum TEXT NOT NULL DEFAULT ''\n"
      ") STRICT, WITHOUT ROWID" },
    { "table", "overrides", "overrides",
      "CREATE TABLE overrides (\n"
      "  rollout TEXT NOT NULL,\n"
      "  user_id BLOB NOT NULL,\n"
      "  cohort INTEGER NOT NULL CHECK (cohort IN (0, 1)),\n"
      "  PRIMARY KEY (rollout, user_id)\n"
      ") STRICT, WITHOUT ROWID" },
    { "table", "changes", "changes",
      "CREATE TABLE changes (\n"
      "  id INTEGER NOT NULL PRIMARY KEY,\n"
      "  rollout TEXT NOT NULL DEFAULT '',\n"
      "  revision INTEGER NOT NULL DEFAULT 0,\n"
      "  action TEXT NOT NULL DEFAULT '',\n"
      "  from_stage INTEGER NOT NULL DEFAULT 0,\n"
      "  to_stage INTEGER NOT NULL DEFAULT 0,\n"
      "  from_percentage_bp INTEGER NOT NULL DEFAULT 0,\n"
      "  to_percentage_bp INTEGER NOT NULL DEFAULT 0,\n"
      "  flag TEXT NOT NULL DEFAULT '',\n"
      "  user_hash INTEGER NOT NULL DEFAULT 0,\n"
      "  made_at INTEGER NOT NULL DEFAULT 0,\n"
      "  made_by TEXT NOT NULL DEFAULT '',\n"
      "  note TEXT NOT NULL DEFAULT '',\n"
      "  evidence TEXT NOT NULL DEFAULT '',\n"
      "  previous_hash TEXT NOT NULL DEFAULT '',\n"
      "  hash TEXT NOT NULL DEFAULT ''\n"
      ") STRICT" },
    /* One row. Who can read it can write news into the bell that others act on. */
    { "table", "bell_secret", "bell_secret",
      "CREATE TABLE bell_secret (\n"
      "  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),\n"
      "  secret BLOB NOT NULL CHECK (length(secret) = 32)\n"
      ") STRICT" },
    /* For the last change of one rollout, or of one flag, in a trail of any length. */
    { "index", "changes_by_rollout", "changes",
      "CREATE INDEX changes_by_rollout ON changes (rollout)" },
    { "index", "changes_by_flag", "changes", "CREATE INDEX changes_by_flag ON changes (flag)" },
    { "trigger", "changes_no_update", "changes",
      "CREATE TRIGGER changes_no_update BEFORE UPDATE ON changes\n"
      "BEGIN SELECT RAISE(ABORT, 'changes is append-only'); END" },
    { "trigger", "changes_no_delete", "changes",
      "CREATE TRIGGER changes_no_delete BEFORE DELETE ON changes\n"
      "BEGIN SELECT RAISE(ABORT, 'changes is append-only'); END" },
    /* INSERT OR REPLACE passes the two above. */
    { "trigger", "changes_no_replace", "changes",
      "CREATE TRIGGER changes_no_replace BEFORE INSERT ON changes\n"
      "WHEN EXISTS (SELECT 1 FROM changes WHERE id = NEW.id)\n"
      "BEGIN SELECT RAISE(ABORT, 'changes is append-only'); END" },
};

/* What ANALYZE leaves behind: it steers the planner only, and an operator may well have run it. */
static const struct object tolerated[] = {
    { "table", "sqlite_stat1", "sqlite_stat1", "CREATE TABLE sqlite_stat1(tbl,idx,stat)" },
    { "table", "sqlite_stat4", "sqlite_stat4",
      "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)" },
};

enum {
    OBJECTS = (int)(sizeof version_1 / sizeof version_1[0]),
    TOLERATED = (int)(sizeof tolerated / sizeof tolerated[0]),
};

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
        return canary__fail(error, CANARY_E_NO_STORE, rc,
                            "%s: the file is empty, no store was made in it; create one there",
                            canary__sqlite_short(store->path));
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

static int find(const struct object *objects, int count, const char *type, const char *name) {
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
    int ours = find(version_1, OBJECTS, type, name);
    int other = find(tolerated, TOLERATED, type, name);
    const struct object *object = ours >= 0 ? &version_1[ours] : &tolerated[other < 0 ? 0 : other];

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
    for (int i = 0; i < OBJECTS; i++) {
        if ((seen & 1u << i) == 0) {
            return canary__fail(error, CANARY_E_CORRUPT, 0,
                                "%s: the %s '%s' is missing from its schema; restore a copy of the "
                                "store",
                                canary__sqlite_short(store->path), version_1[i].type,
                                version_1[i].name);
        }
    }
    return CANARY_OK;
}

int canary__sqlite_schema_check(const struct canary__sqlite *store,
                                struct canary__sqlite_conn *conn,
                                const struct canary__sqlite_header *header, canary_error *error) {
    const char *path = canary__sqlite_short(store->path);
    int rc;

    if (header->application_id != CANARY__SQLITE_APPLICATION_ID) {
        return canary__fail(error, CANARY_E_NOT_A_STORE, 0,
                            "%s: a SQLite database, but not a canary store (application_id 0x%08x "
                            "instead of 0x%08x); name another path",
                            path, header->application_id,
                            (unsigned int)CANARY__SQLITE_APPLICATION_ID);
    }
    if (header->version > CANARY__SQLITE_VERSION) {
        return canary__fail(error, CANARY_E_NEWER, 0,
                            "%s: written by a newer libcanary (schema version %u, this library "
                            "knows up to %d); upgrade this program",
                            path, header->version, CANARY__SQLITE_VERSION);
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

static int migrate_0_to_1(struct canary__sqlite_conn *conn) {
    int rc = SQLITE_OK;

    for (int i = 0; i < OBJECTS && rc == SQLITE_OK; i++) {
        rc = sqlite3_exec(conn->db, version_1[i].sql, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = canary__sqlite_secret_make(conn);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(conn->db, "PRAGMA application_id=0x43414E59", NULL, NULL, NULL);
    }
    return rc;
}

/* The step from version i to version i + 1, and the number that records it. */
static const struct {
    int (*step)(struct canary__sqlite_conn *conn);
    const char *record;
} migrations[] = {
    { migrate_0_to_1, "PRAGMA user_version=1" },
};

_Static_assert(sizeof migrations / sizeof migrations[0] == CANARY__SQLITE_VERSION,
               "a migration to each version");

int canary__sqlite_migrate(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                           uint32_t from, canary_error *error) {
    uint32_t patience = conn->patience;

    conn->patience = UINT32_MAX;
    for (uint32_t i = from; i < CANARY__SQLITE_VERSION; i++) {
        int rc = migrations[i].step(conn);

        if (rc == SQLITE_OK) {
            rc = sqlite3_exec(conn->db, migrations[i].record, NULL, NULL, NULL);
        }
        if (rc != SQLITE_OK) {
            return canary__sqlite_fail(store, conn->db, rc, "bring it to this version", error);
        }
        conn->checked = 0;
    }
    conn->patience = patience;
    return CANARY_OK;
}
