/* SPDX-License-Identifier: MIT */
/* The store handle: path, probe, close, fork. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "base/page.h"
#include "storage/sqlite.h"
#include "storage/stores.h"

#define MILLISECOND INT64_C(1000000)
#define COMMIT_WAIT_LEAST (100 * MILLISECOND)
#define COMMIT_WAIT_MOST (5000 * MILLISECOND)
/* A figure can wait for the next tick, and who forks meanwhile cannot. */
#define COMMIT_WAIT_MEASUREMENTS (250 * MILLISECOND)

enum {
    PATH_LONGEST = 4000,
    SQLITE_OLDEST = 3040000, /* 3.40.0 */
};

/* The library that is loaded may be another one than the headers were of. */
static int check_library(canary_error *error) {
    if (sqlite3_libversion_number() < SQLITE_OLDEST) {
        return canary__fail(error, CANARY_E_UNSUPPORTED, sqlite3_libversion_number(),
                            "the SQLite that is loaded is %s, 3.40.0 or newer is needed",
                            sqlite3_libversion());
    }
    if (sqlite3_threadsafe() == 0) {
        return canary__fail(error, CANARY_E_UNSUPPORTED, 0,
                            "the SQLite that is loaded was built without threads; link one built "
                            "with SQLITE_THREADSAFE=1");
    }
    return CANARY_OK;
}

/* SQLite is told to follow no links, because one can be planted beside a store; so the links that
 * the user's own path goes through are resolved here, once. Of a path that does not exist yet the
 * part that does is resolved: a store may be opened before its directory is made. */
static int resolve(const char *path, char *out, size_t size, canary_error *error) {
    char prefix[PATH_LONGEST + 1];
    char whole[PATH_MAX];
    size_t kept;
    int length;

    if (path == NULL || path[0] == '\0' || strlen(path) > PATH_LONGEST) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "the path of a store must have 1 to %d bytes, it has %zu", PATH_LONGEST,
                            path == NULL ? (size_t)0 : strlen(path));
    }
    kept = strlen(path);
    for (;;) {
        snprintf(prefix, sizeof prefix, "%.*s", kept == 0 ? 1 : (int)kept, kept == 0 ? "." : path);
        if (realpath(prefix, whole) != NULL) {
            break;
        }
        if ((errno != ENOENT && errno != ENOTDIR && errno != EACCES) || kept == 0) {
            return canary__fail(error, errno == ENOMEM ? CANARY_E_NOMEM : CANARY_E_INVALID, errno,
                                "%s: cannot resolve the path: %s", canary__sqlite_short(path),
                                strerror(errno));
        }
        while (kept > 0 && path[kept - 1] == '/') {
            kept--;
        }
        while (kept > 0 && path[kept - 1] != '/') {
            kept--;
        }
    }
    length = snprintf(out, size, "%s%s%s", strcmp(whole, "/") == 0 ? "" : whole,
                      path[kept] == '\0' ? "" : "/", path + kept);
    if (length < 0 || (size_t)length > PATH_LONGEST) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "%s: the path without links must have at most %d bytes",
                            canary__sqlite_short(path), PATH_LONGEST);
    }
    return CANARY_OK;
}

/* Reads once, so that open() tells what is wrong and not the first use. Tries once: whoever opens
 * knows how long to wait for a lock, and a deferred open must not wait at all, since the next thing
 * may be a rollback. */
static int probe(struct canary__sqlite *store, canary_error *error) {
    void *transaction = NULL;
    int rc = canary__sqlite_begin(store, CANARY_STORAGE_READ, &transaction, error);

    if (rc == CANARY_OK) {
        canary__sqlite_end(transaction, 0, error);
    }
    return rc;
}

static void let_go(void *pointer) {
    struct canary__sqlite *store = pointer;
    struct canary__sqlite_process *process = store->process;

    canary__sqlite_disconnect(store, process->reader);
    canary__sqlite_disconnect(store, process->writer);
    canary__sqlite_disconnect(store, process->spent);
    process->reader = NULL;
    process->writer = NULL;
    process->spent = NULL;
}

static void close_store(void *pointer) {
    struct canary__sqlite *store = pointer;
    struct canary__hooks hooks;

    if (store == NULL) {
        return;
    }
    hooks = *store->hooks;
    let_go(store);
    canary__page_free(store->process, sizeof *store->process);
    canary__free(&hooks, store, sizeof *store);
}

static const char *doorbell(void *pointer) {
    const struct canary__sqlite *store = pointer;

    return store->doorbell;
}

static const canary_storage_methods sqlite_methods;

/* A handle on a file that was not looked at yet; NULL without memory. */
static struct canary__sqlite *new_store(const struct canary__hooks *hooks, uint32_t flags,
                                        canary_error *error) {
    struct canary__sqlite *store = canary__alloc(hooks, sizeof *store);

    if (store != NULL) {
        store->hooks = hooks;
        store->flags = flags;
        store->process = canary__page_new(sizeof *store->process);
    }
    if (store == NULL || store->process == NULL) {
        canary__free(hooks, store, sizeof *store);
        canary__fail(error, CANARY_E_NOMEM, 0, "no memory for a store");
        return NULL;
    }
    return store;
}

/* SQLite is not asked here: that would be at the cost of who holds the lock on the decisions. */
static int measurements(void *pointer, int create, canary_storage_methods *methods,
                        void **implementation, canary_error *error) {
    const struct canary__sqlite *decisions = pointer;
    uint32_t flags = decisions->flags & CANARY_OPEN_READ_ONLY;
    struct canary__sqlite *store;
    struct stat status;
    int rc;

    if (create && flags == 0) {
        flags = CANARY_OPEN_CREATE;
    }
    store = new_store(decisions->hooks, flags, error);
    if (store == NULL) {
        return CANARY_E_NOMEM;
    }
    store->own_hooks = *decisions->hooks;
    store->hooks = &store->own_hooks;
    store->kind = &canary__sqlite_measurements;
    store->commit_wait_ns = COMMIT_WAIT_MEASUREMENTS;
    snprintf(store->path, sizeof store->path, "%.*s" CANARY__SQLITE_METRICS, PATH_LONGEST,
             decisions->path);
    if (flags != CANARY_OPEN_CREATE && stat(store->path, &status) != 0 &&
        (errno == ENOENT || errno == ENOTDIR)) {
        rc = canary__fail(error, CANARY_E_NO_STORE, errno, "%s: %s",
                          canary__sqlite_short(store->path), store->kind->missing);
        close_store(store);
        return rc;
    }
    *methods = sqlite_methods;
    methods->doorbell = NULL;
    methods->secret = NULL;
    methods->measurements = NULL;
    *implementation = store;
    return CANARY_OK;
}

static const canary_storage_methods sqlite_methods = {
    .size = (uint32_t)sizeof(canary_storage_methods),
    .version = CANARY_STORAGE_VERSION,
    .name = "sqlite",
    .begin = canary__sqlite_begin,
    .read = canary__sqlite_read,
    .write = canary__sqlite_write,
    .remove = canary__sqlite_remove,
    .end = canary__sqlite_end,
    .close = close_store,
    .token = canary__sqlite_token,
    .doorbell = doorbell,
    .check = canary__sqlite_check,
    .before_fork = let_go,
    .secret = canary__sqlite_secret,
    .measurements = measurements,
};

void canary__sqlite_wait(void *implementation, int64_t busy_ns) {
    struct canary__sqlite *store = implementation;

    store->commit_wait_ns = busy_ns < COMMIT_WAIT_LEAST  ? COMMIT_WAIT_LEAST
                            : busy_ns > COMMIT_WAIT_MOST ? COMMIT_WAIT_MOST
                                                         : busy_ns;
}

int canary__sqlite_open(const char *path, uint32_t flags, const struct canary__hooks *hooks,
                        canary_storage_methods *methods, void **implementation,
                        canary_error *error) {
    struct canary__sqlite *store;
    int rc = check_library(error);

    if (rc != CANARY_OK) {
        return rc;
    }
    store = new_store(hooks, flags, error);
    if (store == NULL) {
        return CANARY_E_NOMEM;
    }
    store->kind = &canary__sqlite_decisions;
    store->commit_wait_ns = COMMIT_WAIT_MOST;
    rc = resolve(path, store->path, sizeof store->path, error);
    if (rc == CANARY_OK) {
        snprintf(store->doorbell, sizeof store->doorbell, "%s-doorbell", store->path);
        rc = probe(store, error);
        if (rc == CANARY_E_NO_STORE && (flags & CANARY_OPEN_CREATE) != 0) {
            rc = canary__sqlite_create(store, error);
            if (rc == CANARY_OK) {
                rc = probe(store, error);
            }
        }
        if (rc != CANARY_OK && (flags & CANARY_OPEN_DEFER) != 0 && rc != CANARY_E_NOMEM &&
            rc != CANARY_E_SYSTEM) {
            rc = CANARY_OK;
        }
    }
    if (rc != CANARY_OK) {
        close_store(store);
        return rc;
    }
    *methods = sqlite_methods;
    *implementation = store;
    return CANARY_OK;
}
