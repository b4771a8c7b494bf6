/* SPDX-License-Identifier: MIT */
/* The SQLite store, as its files see each other.
 *
 *     sqlite_open        the store handle: path, probe, close, fork
 *     sqlite_conn        one connection with every guard on
 *     sqlite_create      making a store where there is none
 *     sqlite_tables      the two files, decisions and measurements: schema, settings, migrations
 *     sqlite_schema      whether a file is one of them
 *     sqlite_transaction begin, end, token
 *     sqlite_statement   read, write, remove
 *     sqlite_secret      what only readers of the store know
 *     sqlite_reserve     space kept for the next changes
 *     sqlite_check       integrity
 *     sqlite_fail        SQLite's results as CANARY_E_ codes */
#ifndef CANARY__SQLITE_H
#define CANARY__SQLITE_H

#include <canary/storage.h>

#include <sqlite3.h>
#include <stdint.h>

#include "base/hooks.h"
#include "storage/shape.h"

#define CANARY__SQLITE_APPLICATION_ID 0x43414E59
#define CANARY__SQLITE_APPLICATION_ID_METRICS 0x43414E4D
#define CANARY__SQLITE_VERSION 1 /* user_version that this library writes, to either file */
#define CANARY__SQLITE_METRICS "-metrics" /* behind the path of the decisions */

enum {
    CANARY__SQLITE_KEYS = 2,     /* most key columns that a table has */
    CANARY__SQLITE_WHERE = 2,    /* columns of the trail that have an index */
    CANARY__SQLITE_COLUMNS = 64, /* more than any table has */
    CANARY__SQLITE_HEADER = 100, /* bytes of a database file's header */
};

/* What the first bytes of the file say. */
struct canary__sqlite_header {
    uint32_t change_counter;
    uint32_t pages;
    uint32_t cookie;
    uint32_t version;
    uint32_t application_id;
    uint32_t encoding;
    int wal;
};

struct canary__sqlite_conn {
    sqlite3 *db;
    uint64_t device; /* of the file when it was opened: another one at the path is a replacement */
    uint64_t inode;
    int writable;
    int configured;      /* the settings that need a readable file are made */
    int checked;         /* the schema was found right at `cookie` */
    int broken;          /* not to be used again */
    uint32_t cookie;     /* schema cookie */
    uint32_t lacking;    /* set of the kind's objects that the file was made without */
    int64_t wait_until;  /* CLOCK_MONOTONIC: until then a lock is waited for; 0 = not at all */
    uint32_t patience;   /* thousands of steps left until a statement counts as hostile */
    sqlite3_stmt *begin; /* BEGIN or BEGIN IMMEDIATE */
    sqlite3_stmt *commit;
    sqlite3_stmt *touch; /* takes the shared lock and answers the schema cookie */
    sqlite3_stmt *read[CANARY__SET_MOST][CANARY__SQLITE_KEYS + 1][2][2]; /* keys, after, desc. */
    sqlite3_stmt *where[CANARY__SQLITE_WHERE]; /* changes of one rollout, of one flag */
    sqlite3_stmt *write[CANARY__SET_MOST];
    sqlite3_stmt *remove[CANARY__SET_MOST];
    sqlite3_stmt *secret;
};

/* Something in a schema. */
struct canary__sqlite_object {
    char type[8];
    char name[32];
    char table[16];
    const char *sql; /* "" when SQLite makes it by itself */
};

/* What a file holds. */
struct canary__sqlite_kind {
    const struct canary__set *set;
    const char *what;    /* for people */
    const char *missing; /* what it means that the file is not there, */
    const char *empty;   /* or has no bytes */
    const struct canary__sqlite_object *objects;
    int object_count;
    int founding_count; /* those that every file has; the others, if they are missing, hold nothing and
                           are made by the next transaction that writes */
    uint32_t application_id;
    uint32_t version; /* user_version that this library writes */
    /* The step from version i to version i + 1, which records the new number. */
    int (*const *migrations)(struct canary__sqlite_conn *conn);
    const char *format; /* settings of a new file */
    const char *writer; /* settings of a connection that writes */
};

extern const struct canary__sqlite_kind canary__sqlite_decisions;
extern const struct canary__sqlite_kind canary__sqlite_measurements;

struct canary__sqlite;

struct canary__sqlite_tx {
    struct canary__sqlite *store;
    struct canary__sqlite_conn *conn;
    int active;
    int failed;        /* code of the failure that makes a commit impossible */
    int failed_system; /* and SQLite's code */
    struct canary__sqlite_header header;
};

/* Everything that a forked child must not take over, in a page that is wiped for it. */
struct canary__sqlite_process {
    struct canary__sqlite_conn *reader; /* kept between read transactions */
    struct canary__sqlite_conn *writer; /* of decisions: kept only while its begin() answers BUSY */
    struct canary__sqlite_conn *spent;  /* of the last change, closed when there is time */
    struct canary__sqlite_tx read;
    struct canary__sqlite_tx write;
};

struct canary__sqlite {
    const struct canary__hooks *hooks;
    struct canary__hooks own_hooks;
    const struct canary__sqlite_kind *kind;
    struct canary__sqlite_process *process;
    uint32_t flags; /* CANARY_OPEN_... */
    int64_t commit_wait_ns;
    uint64_t distrust; /* makes tokens that never repeat, for files whose header cannot tell */
    char path[4096];   /* absolute, without symbolic links */
    char doorbell[4128];
};

/* -- sqlite_fail -- */

/* Fills `error` from the result `rc` of `db` (may be NULL); `doing` completes "cannot ...". */
int canary__sqlite_fail(const struct canary__sqlite *store, sqlite3 *db, int rc, const char *doing,
                        canary_error *error);
/* The end of a path that fits into a message. */
const char *canary__sqlite_short(const char *path);

/* -- sqlite_conn -- */

int canary__sqlite_connect(const struct canary__sqlite *store, int flags,
                           struct canary__sqlite_conn **out, canary_error *error);
void canary__sqlite_disconnect(const struct canary__sqlite *store,
                               struct canary__sqlite_conn *conn);
/* Settings that SQLite can make only once it may read the file. Not inside a transaction. */
int canary__sqlite_configure(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                             canary_error *error);
int canary__sqlite_prepare(struct canary__sqlite_conn *conn, const char *sql, sqlite3_stmt **out);
/* Runs a statement that answers at most one number. */
int canary__sqlite_number(struct canary__sqlite_conn *conn, const char *sql, int64_t *out);
/* Runs a kept statement to its end; the result code of the run. */
int canary__sqlite_run(sqlite3_stmt *statement);
int canary__sqlite_moved(struct canary__sqlite_conn *conn);
/* Until when a commit that begins now waits for readers. */
int64_t canary__sqlite_deadline(const struct canary__sqlite *store);
void canary__sqlite_be_patient(struct canary__sqlite_conn *conn);

/* -- sqlite_create -- */

int canary__sqlite_create(const struct canary__sqlite *store, canary_error *error);

/* -- sqlite_schema -- */

/* Reads the header inside a transaction: with SQLite's own file object, never by hand. */
int canary__sqlite_header_read(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                               struct canary__sqlite_header *header, canary_error *error);
/* Judges header and schema inside a transaction; the schema again only when it has changed. */
int canary__sqlite_schema_check(const struct canary__sqlite *store,
                                struct canary__sqlite_conn *conn,
                                const struct canary__sqlite_header *header, canary_error *error);
/* Brings the schema from version `from` to this library's inside the write transaction. */
int canary__sqlite_migrate(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                           uint32_t from, canary_error *error);

/* Whether the checked schema has no such table yet. */
int canary__sqlite_lacks(const struct canary__sqlite *store, const struct canary__sqlite_conn *conn,
                         const char *table);
/* Makes what the file was made without, inside the write transaction. */
int canary__sqlite_complete(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                            canary_error *error);

/* -- sqlite_transaction -- */

int canary__sqlite_begin(void *store, int mode, void **transaction, canary_error *error);
int canary__sqlite_end(void *transaction, int commit, canary_error *error);
int canary__sqlite_token(void *transaction, uint64_t *token, canary_error *error);

/* -- sqlite_statement -- */

int canary__sqlite_read(void *transaction, int table, const canary_storage_range *range,
                        canary_storage_sink sink, void *user_data, canary_error *error);
int canary__sqlite_write(void *transaction, const canary_storage_row *row, canary_error *error);
int canary__sqlite_remove(void *transaction, int table, const canary_storage_value *key,
                          canary_error *error);

/* -- sqlite_secret -- */

int canary__sqlite_secret(void *transaction, uint8_t *secret, canary_error *error);
/* Puts a new one, inside a transaction that may write. */
int canary__sqlite_secret_make(struct canary__sqlite_conn *conn);

/* -- sqlite_reserve -- */

void canary__sqlite_reserve_journal(struct canary__sqlite_conn *conn);
void canary__sqlite_reserve_pages(struct canary__sqlite_conn *conn);

/* -- sqlite_check -- */

int canary__sqlite_check(void *store, int (*report)(void *user_data, const char *message),
                         void *user_data, canary_error *error);

#endif
