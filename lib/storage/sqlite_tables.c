/* SPDX-License-Identifier: MIT */
/* The two files of a store: what is in them, and how they come to be. */
#include "storage/sqlite.h"

/* Released text: a change of it is a new version. Plain tables that an operator can read and, in an
 * emergency, write; the defaults spare him the columns that only libcanary computes. */
static const struct canary__sqlite_object decisions_1[] = {
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

/* Rows with `data` are in tables with a rowid: without one, SQLite puts what exceeds a quarter of a page
 * into pages of its own, and a row of 1200 bytes would take 3800. */
#define SPAN_COLUMNS                                                                               \
    "  rollout TEXT NOT NULL,\n"                                                                   \
    "  start INTEGER NOT NULL,\n"                                                                  \
    "  requests_old INTEGER NOT NULL DEFAULT 0,\n"                                                 \
    "  requests_new INTEGER NOT NULL DEFAULT 0,\n"                                                 \
    "  errors_old INTEGER NOT NULL DEFAULT 0,\n"                                                   \
    "  errors_new INTEGER NOT NULL DEFAULT 0,\n"                                                   \
    "  timeouts_old INTEGER NOT NULL DEFAULT 0,\n"                                                 \
    "  timeouts_new INTEGER NOT NULL DEFAULT 0,\n"                                                 \
    "  data BLOB NOT NULL,\n"                                                                      \
    "  PRIMARY KEY (rollout, start)\n"

static const struct canary__sqlite_object measurements_1[] = {
    { "table", "ticks", "ticks", "CREATE TABLE ticks (\n" SPAN_COLUMNS ") STRICT" },
    { "index", "sqlite_autoindex_ticks_1", "ticks", "" },
    { "table", "minutes", "minutes", "CREATE TABLE minutes (\n" SPAN_COLUMNS ") STRICT" },
    { "index", "sqlite_autoindex_minutes_1", "minutes", "" },
    { "table", "hours", "hours", "CREATE TABLE hours (\n" SPAN_COLUMNS ") STRICT" },
    { "index", "sqlite_autoindex_hours_1", "hours", "" },
    { "table", "metrics", "metrics",
      "CREATE TABLE metrics (\n"
      "  rollout TEXT NOT NULL,\n"
      "  metric TEXT NOT NULL,\n"
      "  kind INTEGER NOT NULL,\n"
      "  unit TEXT NOT NULL DEFAULT '',\n"
      "  minimum TEXT NOT NULL DEFAULT '',\n"
      "  maximum TEXT NOT NULL DEFAULT '',\n"
      "  resolution TEXT NOT NULL DEFAULT '',\n"
      "  thresholds TEXT NOT NULL DEFAULT '',\n"
      "  declared_at INTEGER NOT NULL DEFAULT 0,\n"
      "  PRIMARY KEY (rollout, metric)\n"
      ") STRICT, WITHOUT ROWID" },
    { "table", "subjects", "subjects",
      "CREATE TABLE subjects (\n"
      "  rollout TEXT NOT NULL,\n"
      "  generation INTEGER NOT NULL,\n"
      "  level INTEGER NOT NULL DEFAULT 0,\n"
      "  users_old INTEGER NOT NULL DEFAULT 0,\n"
      "  users_new INTEGER NOT NULL DEFAULT 0,\n"
      "  data BLOB NOT NULL,\n"
      "  PRIMARY KEY (rollout, generation)\n"
      ") STRICT" },
    { "index", "sqlite_autoindex_subjects_1", "subjects", "" },
    { "table", "writers", "writers",
      "CREATE TABLE writers (\n"
      "  writer TEXT NOT NULL PRIMARY KEY,\n"
      "  sequence INTEGER NOT NULL,\n"
      "  merged_at INTEGER NOT NULL DEFAULT 0\n"
      ") STRICT, WITHOUT ROWID" },
    { "table", "imports", "imports",
      "CREATE TABLE imports (\n"
      "  rollout TEXT NOT NULL,\n"
      "  delivery TEXT NOT NULL,\n"
      "  digest TEXT NOT NULL DEFAULT '',\n"
      "  rows INTEGER NOT NULL DEFAULT 0,\n"
      "  imported_at INTEGER NOT NULL DEFAULT 0,\n"
      "  PRIMARY KEY (rollout, delivery)\n"
      ") STRICT, WITHOUT ROWID" },
    { "table", "baselines", "baselines",
      "CREATE TABLE baselines (\n"
      "  rollout TEXT NOT NULL,\n"
      "  hour INTEGER NOT NULL,\n"
      "  captured_at INTEGER NOT NULL DEFAULT 0,\n"
      "  from_at INTEGER NOT NULL DEFAULT 0,\n"
      "  to_at INTEGER NOT NULL DEFAULT 0,\n"
      "  outcomes INTEGER NOT NULL DEFAULT 0,\n"
      "  captured_by TEXT NOT NULL DEFAULT '',\n"
      "  note TEXT NOT NULL DEFAULT '',\n"
      "  data BLOB NOT NULL,\n"
      "  PRIMARY KEY (rollout, hour)\n"
      ") STRICT" },
    { "index", "sqlite_autoindex_baselines_1", "baselines", "" },
    /* From here on: made later, see `founding_count`. */
    { "table", "documents", "documents",
      "CREATE TABLE documents (\n"
      "  rollout TEXT NOT NULL,\n"
      "  name TEXT NOT NULL,\n"
      "  version INTEGER NOT NULL DEFAULT 0,\n"
      "  at INTEGER NOT NULL DEFAULT 0,\n"
      "  data BLOB NOT NULL,\n"
      "  PRIMARY KEY (rollout, name)\n"
      ") STRICT" },
    { "index", "sqlite_autoindex_documents_1", "documents", "" },
};

enum { LATER = 2 }; /* objects of measurements_1 */

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

_Static_assert(COUNT(decisions_1) <= 32 && COUNT(measurements_1) <= 32, "a bit for each object");

static int make(struct canary__sqlite_conn *conn, const struct canary__sqlite_object *objects,
                int count, const char *numbers) {
    int rc = SQLITE_OK;

    for (int i = 0; i < count && rc == SQLITE_OK; i++) {
        rc = sqlite3_exec(conn->db, objects[i].sql, NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? sqlite3_exec(conn->db, numbers, NULL, NULL, NULL) : rc;
}

static int decisions_0_to_1(struct canary__sqlite_conn *conn) {
    int rc = make(conn, decisions_1, COUNT(decisions_1),
                  "PRAGMA application_id=0x43414E59; PRAGMA user_version=1");

    return rc == SQLITE_OK ? canary__sqlite_secret_make(conn) : rc;
}

static int measurements_0_to_1(struct canary__sqlite_conn *conn) {
    return make(conn, measurements_1, COUNT(measurements_1),
                "PRAGMA application_id=0x43414E4D; PRAGMA user_version=1");
}

static int (*const decisions_steps[])(struct canary__sqlite_conn *conn) = { decisions_0_to_1 };
static int (*const measurements_steps[])(struct canary__sqlite_conn *conn) = {
    measurements_0_to_1
};

_Static_assert(COUNT(decisions_steps) == CANARY__SQLITE_VERSION &&
                   COUNT(measurements_steps) == CANARY__SQLITE_VERSION,
               "a migration to each version");

const struct canary__sqlite_kind canary__sqlite_decisions = {
    .set = &canary__set_decisions,
    .what = "store",
    .missing = "there is no store; check the path, or create one",
    .empty =
        "the file is empty, no store was made in it; create one there, or restore a copy if it "
        "was one",
    .objects = decisions_1,
    .object_count = COUNT(decisions_1),
    .founding_count = COUNT(decisions_1),
    .application_id = CANARY__SQLITE_APPLICATION_ID,
    .version = COUNT(decisions_steps),
    .migrations = decisions_steps,
    .format = "PRAGMA page_size=4096; PRAGMA encoding='UTF-8'; PRAGMA auto_vacuum=NONE;",
    /* Spilling would take the exclusive lock long before the commit. */
    .writer = "PRAGMA synchronous=EXTRA; PRAGMA cache_spill=OFF; PRAGMA secure_delete=ON;",
};

/* A power cut may cost the last ticks, a killed process nothing. Pages that old rows leave are used
 * again, so the file does not grow once rows go as fast as they come; nothing in it needs wiping. Pages
 * of 8 KiB waste a fifth less behind rows of 2 KiB than pages of 4. */
const struct canary__sqlite_kind canary__sqlite_measurements = {
    .set = &canary__set_measurements,
    .what = "metrics database",
    .missing = "there is no metrics database: nothing was recorded yet",
    .empty = "the file is empty: nothing was recorded yet",
    .objects = measurements_1,
    .object_count = COUNT(measurements_1),
    .founding_count = COUNT(measurements_1) - LATER,
    .application_id = CANARY__SQLITE_APPLICATION_ID_METRICS,
    .version = COUNT(measurements_steps),
    .migrations = measurements_steps,
    .format = "PRAGMA page_size=8192; PRAGMA encoding='UTF-8'; PRAGMA auto_vacuum=NONE;",
    .writer = "PRAGMA synchronous=NORMAL; PRAGMA cache_spill=OFF; PRAGMA secure_delete=OFF;"
              "PRAGMA cache_size=32; PRAGMA journal_size_limit=1048576;",
};
