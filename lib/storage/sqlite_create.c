/* SPDX-License-Identifier: MIT */
/* Making a store where there is none.
 *
 * In place and in one transaction: SQLite's locks let one of several creators make it, its journal
 * takes back what a creator that died has left. (Filling a temporary file and renaming it would put
 * the new store under a journal that an older one has left at that path.) */
#include <errno.h>
#include <fcntl.h>
#include <sodium/randombytes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "storage/sqlite.h"

enum { ATTEMPTS = 3 };

static int fill(const struct canary__sqlite *store, struct canary__sqlite_conn *conn,
                canary_error *error) {
    int rc = canary__sqlite_migrate(store, conn, 0, error);

    if (rc != CANARY_OK) {
        return rc;
    }
    if (store->kind == &canary__sqlite_decisions) {
        canary__sqlite_reserve_journal(conn);
    }
    conn->wait_until = canary__sqlite_deadline(store);
    rc = canary__sqlite_run(conn->commit);
    if (rc != SQLITE_OK) {
        return canary__sqlite_fail(store, conn->db, rc, "create it", error);
    }
    /* Behind the first commit: before it the file has no header that says where the data end. */
    if (store->kind == &canary__sqlite_decisions && canary__sqlite_run(conn->begin) == SQLITE_OK) {
        canary__sqlite_reserve_pages(conn);
        canary__sqlite_run(conn->commit);
    }
    return CANARY_OK;
}

/* Others may have been quicker. What they made is judged later, and never touched here. */
static int is_empty(struct canary__sqlite_conn *conn) {
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 1;

    return sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK &&
           file != NULL && file->pMethods != NULL &&
           file->pMethods->xFileSize(file, &size) == SQLITE_OK && size == 0;
}

/* `*again` when the file was moved away between its opening and the lock on it. */
static int attempt(const struct canary__sqlite *store, int *again, canary_error *error) {
    struct canary__sqlite_conn *conn = NULL;
    int rc =
        canary__sqlite_connect(store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &conn, error);

    *again = 0;
    if (rc != CANARY_OK) {
        return rc;
    }
    rc = sqlite3_exec(conn->db, store->kind->format, NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        rc = canary__sqlite_configure(store, conn, error);
        if (rc != CANARY_OK) {
            canary__sqlite_disconnect(store, conn);
            return rc;
        }
        rc = sqlite3_exec(conn->db, "BEGIN EXCLUSIVE", NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        *again = canary__sqlite_moved(conn);
        rc = *again || !is_empty(conn) ? CANARY_OK : fill(store, conn, error);
    } else {
        rc = canary__sqlite_fail(store, conn->db, rc, "create it", error);
    }
    if (!sqlite3_get_autocommit(conn->db)) {
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    }
    canary__sqlite_disconnect(store, conn);
    return rc;
}

/* SQLite tries again for reading and then only tells that there is no file to read. */
static int directory_refuses(const struct canary__sqlite *store) {
    char directory[sizeof store->path];

    snprintf(directory, sizeof directory, "%.*s",
             (int)(strrchr(store->path, '/') - store->path + 1), store->path);
    return faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) != 0 && errno != ENOENT &&
           errno != ENOTDIR;
}

/* An empty file with owner and mode of the decisions' one: whoever may write those may write figures,
 * also when root was the first who did. Under another name until it is so, and closed before it stands
 * where SQLite opens it. Best effort: SQLite makes the file otherwise, or tells why it cannot. */
static int place_like_decisions(const struct canary__sqlite *store, canary_error *error) {
    size_t length = strlen(store->path) - strlen(CANARY__SQLITE_METRICS);
    char name[sizeof store->path + 24];
    struct stat status;
    mode_t mode;
    int fd;

    snprintf(name, sizeof name, "%.*s", (int)length, store->path);
    if (stat(name, &status) != 0) {
        return canary__fail(error, errno == EACCES ? CANARY_E_PERMISSION : CANARY_E_NO_STORE, errno,
                            "%s: there is no store that these figures could be of; check the path",
                            canary__sqlite_short(name));
    }
    snprintf(name, sizeof name, "%s.%08x%08x", store->path, randombytes_random(),
             randombytes_random());
    fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return CANARY_OK;
    }
    mode = status.st_mode & 0666;
    if (fchown(fd, status.st_uid, status.st_gid) != 0 &&
        fchown(fd, (uid_t)-1, status.st_gid) != 0) {
        mode &= 0606; /* the group is another one */
    }
    (void)fchmod(fd, mode);
    close(fd);
    (void)link(name, store->path);
    unlink(name);
    return CANARY_OK;
}

int canary__sqlite_create(const struct canary__sqlite *store, canary_error *error) {
    canary_error found = canary__fail_none;
    int again = 1;
    int rc = CANARY_OK;

    if (store->kind == &canary__sqlite_measurements) {
        rc = place_like_decisions(store, error);
        if (rc != CANARY_OK) {
            return rc;
        }
    }
    for (int i = 0; i < ATTEMPTS && again; i++) {
        rc = attempt(store, &again, &found);
    }
    if (rc == CANARY_OK && again) {
        return canary__fail(error, CANARY_E_REPLACED, 0,
                            "%s: the file is moved away again and again while it is created",
                            canary__sqlite_short(store->path));
    }
    if ((rc == CANARY_E_PERMISSION || rc == CANARY_E_NO_STORE) && directory_refuses(store)) {
        return canary__fail(error, CANARY_E_READ_ONLY, found.system,
                            "%s: cannot create a store there, its directory may not be written; "
                            "check the directory's owner and mode, and the mount",
                            canary__sqlite_short(store->path));
    }
    if (rc != CANARY_OK) {
        canary__fail_copy(error, &found);
    }
    return rc;
}
