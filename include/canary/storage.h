/* SPDX-License-Identifier: MIT */
/* For people who write a store. Programs that only decide or operate never include this.
 *
 * A store keeps five small tables of typed rows and gives transactions on them. It needs to know
 * nothing of percentages, checksums or audit chains: libcanary computes every value, checks every
 * expectation and does all retrying. A store may also keep measurements: nine further tables, in a
 * second store beside the first that it opens on request (`measurements`). What a store must get right
 * is exactly what the conformance suite (conformance.h) proves, of either:
 *
 *   1. A write transaction is alone: from begin(WRITE) to end() no other write transaction of any
 *      thread or process begins, and it reads its own writes.
 *   2. All or nothing: after end(commit) returned 0 everything written is durable; after any other
 *      ending, a crash included, nothing of it is there.
 *   3. A read transaction sees one state: what was committed before it began, all of it.
 *   4. CANARY_TABLE_CHANGES is append-only: a row whose id exists is refused with
 * CANARY_E_CONFLICT.
 *   5. Rows come back in the order of their keys, values byte for byte as they were written.
 *
 * Calls of one store handle are made one at a time by libcanary (it holds a lock), from any thread;
 * `wait` alone is called without that lock, by the watcher. No transaction stays open between calls
 * of the public API. No callback of libcanary may be called except the sink that was passed in. */
#ifndef CANARY_STORAGE_H
#define CANARY_STORAGE_H

#include <canary/context.h>
#include <canary/error.h>
#include <canary/export.h>

CANARY_BEGIN_DECLS

#define CANARY_STORAGE_VERSION 1 /* version of this tier, for canary_storage_methods.version */
#define CANARY_STORAGE_METHODS_ROOM 512 /* bytes; canary_storage_methods never grows beyond */

/* Tables. Pinned for ever. Columns are asked of canary_storage_table_get(); the first `key_count`
 * columns are the key. */
#define CANARY_TABLE_ROLLOUTS 1  /* key: name */
#define CANARY_TABLE_STAGES 2    /* key: rollout, stage */
#define CANARY_TABLE_FLAGS 3     /* key: name; stored as `feature_flags` */
#define CANARY_TABLE_OVERRIDES 4 /* key: rollout, user_id */
#define CANARY_TABLE_CHANGES 5   /* key: id */
#define CANARY_TABLE_COUNT 5

/* Tables of a measurement store, which has these and none of the above. Keys are two columns but for
 * the writers'. Times are real time in nanoseconds. What libcanary reads is in `data`; the counts beside
 * it are for people with an SQL shell. */
#define CANARY_TABLE_TICKS 6      /* key: rollout, start. Counts of 10 s */
#define CANARY_TABLE_MINUTES 7    /* key: rollout, start. Of a minute */
#define CANARY_TABLE_HOURS 8      /* key: rollout, start. Of an hour */
#define CANARY_TABLE_METRICS 9    /* key: rollout, metric. What was declared */
#define CANARY_TABLE_SUBJECTS 10  /* key: rollout, generation. Samples of distinct users */
#define CANARY_TABLE_WRITERS 11   /* key: writer. The last delivery of each process */
#define CANARY_TABLE_IMPORTS 12   /* key: rollout, delivery. Figures from elsewhere that are in */
#define CANARY_TABLE_BASELINES 13 /* key: rollout, hour of the week; -1: the whole */
#define CANARY_TABLE_DOCUMENTS 14 /* key: rollout, name. What judges rollouts keeps */
#define CANARY_TABLE_FIRST_MEASUREMENT 6
#define CANARY_TABLE_LAST_MEASUREMENT 14

/* Types of values. Pinned for ever. */
#define CANARY_VALUE_NULL 0
#define CANARY_VALUE_INTEGER 1 /* `integer` */
#define CANARY_VALUE_TEXT 2 /* `data` and `size`, UTF-8; a zero byte follows but does not count */
#define CANARY_VALUE_BLOB 3 /* `data` and `size`, any bytes */

typedef struct canary_storage_value {
    int32_t type;      /* CANARY_VALUE_... */
    uint32_t reserved; /* 0 */
    int64_t integer;
    const void *data;
    uint64_t size;
} canary_storage_value;

/* Description of a table. Static; strings and arrays live as long as the library. */
typedef struct canary_storage_table {
    uint32_t size;         /* sizeof(canary_storage_table) of the library */
    int32_t table;         /* CANARY_TABLE_... */
    const char *name;      /* "rollouts", "feature_flags", "ticks"... */
    uint32_t column_count; /* grows with later versions, at the end */
    uint32_t key_count;
    const char *const *columns; /* names, [a-z_]+ */
    const int32_t *types;       /* CANARY_VALUE_... of each column; NULL values do not occur */
} canary_storage_table;

/* The description of a table, or NULL for any other number.
 * Thread: any thread. Blocking: wait-free. Errors: none. */
CANARY_API const canary_storage_table *canary_storage_table_get(int table);

/* A row: `count` values in the order of the table's columns. To the sink a store may give fewer
 * columns than the table has (rows of an older version); libcanary takes 0 and "" for the rest. */
typedef struct canary_storage_row {
    uint32_t size;  /* sizeof(canary_storage_row) of whoever made it */
    int32_t table;  /* CANARY_TABLE_... */
    uint32_t count; /* values */
    uint32_t reserved;
    const canary_storage_value *values;
} canary_storage_row;

/* Which rows to read: those whose first `key_count` key columns equal `key`; of those, with `after`
 * not NULL, only the ones whose next key column lies beyond `*after` in the reading direction. With
 * `where_value` not NULL only rows whose column number `where_column` equals it are wanted: a hint that
 * saves reading a long trail for one row, which a store may ignore and give the others too. It does not
 * come together with a limit. */
typedef struct canary_storage_range {
    uint32_t size;       /* sizeof(canary_storage_range) of the library */
    uint32_t key_count;  /* 0 = all rows */
    uint32_t descending; /* 1 = from the greatest key down */
    uint32_t where_column;
    uint64_t limit; /* at most this many; 0 = no limit */
    const canary_storage_value *key;
    const canary_storage_value *after;
    const canary_storage_value *where_value;
} canary_storage_range;

/* Receives rows; `row` is valid during the call. Any value but 0 ends the reading, without error.
 */
typedef int (*canary_storage_sink)(void *user_data, const canary_storage_row *row);

#define CANARY_STORAGE_READ 0
#define CANARY_STORAGE_WRITE 1

/* The operations. `size` and `version` first; a member beyond `size`, or NULL, is absent. Every
 * operation returns 0 or a CANARY_E_ code and says in `error` (never NULL) what happened; see
 * canary_storage_fail(). `store` is the pointer given to canary_store_open_custom(). */
typedef struct canary_storage_methods {
    uint32_t size;    /* sizeof(canary_storage_methods) of the store */
    uint32_t version; /* CANARY_STORAGE_VERSION of the store */
    const char *name; /* short name for people, at most 15 bytes; lives as long as the store */

    /* -- version 1, all required -- */

    /* Begins a transaction; `mode` is CANARY_STORAGE_READ or _WRITE. Tries once and does not wait:
     * _BUSY when another has the lock, and libcanary asks again until the deadline. */
    int (*begin)(void *store, int mode, void **transaction, canary_error *error);
    /* Gives the rows of a range to the sink, in key order: integers by value, text and blobs by
     * memcmp, shorter first. */
    int (*read)(void *transaction, int table, const canary_storage_range *range,
                canary_storage_sink sink, void *user_data, canary_error *error);
    /* Puts one row, replacing the one with its key; in CANARY_TABLE_CHANGES never replacing. */
    int (*write)(void *transaction, const canary_storage_row *row, canary_error *error);
    /* Removes the row with this full key; CANARY_E_NOT_FOUND when there is none. Never asked for
     * CANARY_TABLE_CHANGES, and must refuse it there. */
    int (*remove)(void *transaction, int table, const canary_storage_value *key,
                  canary_error *error);
    /* Ends the transaction and frees it, whatever is returned. `commit` 1 makes it durable;
     * CANARY_E_BUSY when readers kept it from that for as long as the store waits: nothing was changed,
     * and the caller repeats the whole transaction. */
    int (*end)(void *transaction, int commit, canary_error *error);
    /* Frees the store. Called once, after every transaction has ended. */
    void (*close)(void *store);

    /* -- version 1, optional -- */

    /* A number that differs whenever anything committed since, by anyone. Called first in a read
     * transaction; when it has not moved, nothing else is read. Absent: everything is read at each
     * tick. */
    int (*token)(void *transaction, uint64_t *token, canary_error *error);
    /* Blocks until something may have been committed, or `timeout_ns` has passed; returns 0 for
     * either. Called by the watcher only. Absent: bell or tick. */
    int (*wait)(void *store, int64_t timeout_ns, canary_error *error);
    /* Path of a file beside the data through which processes of one host ring each other; libcanary
     * makes and minds the file. Called PATH-doorbell it gets owner and mode of PATH, otherwise mode
     * 0600. NULL or absent: no bell. Lives as long as the store. */
    const char *(*doorbell)(void *store);
    /* Looks over the store's own integrity; one call of `report` for each complaint. */
    int (*check)(void *store, int (*report)(void *user_data, const char *message), void *user_data,
                 canary_error *error);
    /* Called in the forking thread before fork(), with the store at rest: let go of everything that
     * must not be inherited (connections). The next begin() opens it again. */
    void (*before_fork)(void *store);
    /* Gives the store's secret: 32 random bytes, kept with the data, the same for every handle of the
     * store and for no other store, and readable by nobody who may not read the data. With it
     * libcanary signs what a change did and puts that into the bell, where other processes act on it
     * before they have looked into the store. In a write transaction a store may make the secret, or
     * a new one. CANARY_E_UNSUPPORTED when there is none; no answer of it fails a change or a look.
     * Absent: the bell only wakes, and everybody looks. */
    int (*secret)(void *transaction, uint8_t *secret, canary_error *error);
    /* Opens the store that keeps measurements, apart from the decisions, so that nothing that happens to
     * it delays a change. Fills in methods and implementation of a store of its own, with the tables
     * CANARY_TABLE_FIRST_MEASUREMENT to _LAST_MEASUREMENT; `methods` points to
     * CANARY_STORAGE_METHODS_ROOM zeroed bytes. Its `close` may come before that of this store or
     * after it; several may be open at once, each with a lock of its own, and see the same data. Its
     * `secret`, `doorbell`, `wait` and `measurements` are never asked for.
     * Called with the other operations, one at a time, and must wait for nothing: trouble with what is
     * there is told by begin(). `create` 0: CANARY_E_NO_STORE when there is nothing yet. `create` 1: a
     * begin(WRITE) that finds nothing makes it; a begin(READ) may say CANARY_E_NO_STORE until then.
     * Absent: no measurements are kept. */
    int (*measurements)(void *store, int create, struct canary_storage_methods *methods,
                        void **implementation, canary_error *error);
} canary_storage_methods;

/* Makes a store of `methods`, which is copied, and `implementation`, which belongs to the store
 * from success on: `close` is called by the last canary_store_close() or canary_close(). With a
 * watcher unless options say CANARY_OPEN_NO_WATCHER; it follows `doorbell`, else `wait`, else the
 * tick. Thread: any thread. Blocking: may block on storage. Errors: CANARY_E_INVALID (a required
 * operation missing, version 0 or size too small), _UNSUPPORTED (version above this library's),
 * _NOMEM, _SYSTEM; on failure `implementation` stays the caller's. */
CANARY_API int canary_store_open_custom(const canary_storage_methods *methods, void *implementation,
                                        const canary_options *options, canary_store **out,
                                        canary_error *error);

/* For a store that is read whole and written whole, as a file, an object in a bucket or one value on
 * a server is: does everything that depends on keys. Puts in the place of `*methods` and
 * `*implementation` ones that hold the rows of the open transaction in memory and know of keys, order,
 * ranges, replacing, removing and the append-only trail. The methods given then have less to do:
 *
 *   read     is called at most once for each table in a transaction, with a range of everything, and
 *            may give the rows in any order; a row that does not fit its table, or two with one key,
 *            is answered to the reader as CANARY_E_CORRUPT.
 *   write    is called only right before end(commit), once for each row of the new state, by table
 *            and then in key order; every table has been read by then. What was there before is gone
 *            but for what is written again.
 *   remove   is never called and may be NULL.
 *   end      is told to commit in write transactions only.
 *
 * Everything else is as above; optional operations are passed on. One transaction of a handle can be
 * open at a time, a second begin() is _BUSY; libcanary never needs two.
 * Each transaction costs the reading of the tables it asks for, and each commit the writing of all.
 * What `measurements` gives is made whole in the same way when it has no `remove`, with its own tables;
 * otherwise it stays as it is.
 * `methods->size` must be set and stays; its strings must live as long as the store. From success on
 * the given implementation belongs to the new one, whose `close` closes it too.
 * Thread: any thread. Blocking: may allocate, never waits. Errors: CANARY_E_INVALID (a pointer is
 * NULL, a required operation but `remove` missing, version 0 or size too small), _UNSUPPORTED (version
 * above this library's), _NOMEM; on failure nothing has changed. */
CANARY_API int canary_storage_make_whole(canary_storage_methods *methods, void **implementation,
                                         canary_error *error);

/* For implementations: fills `error` (NULL is allowed) with a code, the implementation's own code
 * and a message, cut to fit, and returns `code`. No format strings: build the text with snprintf.
 * Thread: one thread per object. Blocking: wait-free. */
CANARY_API int canary_storage_fail(canary_error *error, int code, int system, const char *message);

CANARY_END_DECLS

#endif
