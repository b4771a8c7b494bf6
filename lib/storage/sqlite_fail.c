/* SPDX-License-Identifier: MIT */
/* SQLite's results as CANARY_E_ codes, with the next thing to do. */
#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "storage/sqlite.h"

enum { SHOWN = 160 };

const char *canary__sqlite_short(const char *path) {
    size_t length = strlen(path);

    return length <= SHOWN ? path : path + length - SHOWN;
}

struct meaning {
    int code;
    const char *next;
};

#define NEXT_LOCKED "another process has it locked: try again"
#define NEXT_RESTORE "stop changing it and restore a copy; `PRAGMA integrity_check` tells more"
#define NEXT_PERMISSION "check the owner and mode of the file and of its directory"
#define NEXT_READ_ONLY "file, directory and journal must be writable: check mount, owner and mode"
#define NEXT_FULL "free some space on its file system or raise the quota, then repeat"
#define NEXT_IO "check the device and the kernel's log, then repeat"

/* The errno behind SQLite's result often tells more than the result. */
static struct meaning of_errno(int code, struct meaning fallback) {
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return (struct meaning){ CANARY_E_FULL, NEXT_FULL };
    case EROFS:
        return (struct meaning){ CANARY_E_READ_ONLY, NEXT_READ_ONLY };
    case EACCES:
    case EPERM:
        return (struct meaning){ CANARY_E_PERMISSION, NEXT_PERMISSION };
    case EMFILE:
    case ENFILE:
        return (struct meaning){ CANARY_E_SYSTEM, "the limit of open files is reached: raise it" };
    case ENOMEM:
        return (struct meaning){ CANARY_E_NOMEM, "free memory, then repeat" };
    case ENOENT:
    case ENOTDIR:
        return (struct meaning){ CANARY_E_NO_STORE, "check the path, or create a store there" };
    default:
        return fallback;
    }
}

static struct meaning of_result(int rc, int system) {
    switch (rc) {
    case SQLITE_READONLY_ROLLBACK:
    case SQLITE_READONLY_RECOVERY:
    case SQLITE_READONLY_CANTINIT:
    case SQLITE_READONLY_CANTLOCK:
        return (struct meaning){ CANARY_E_READ_ONLY,
                                 "a writer died in the middle of a change: a process that may "
                                 "write the store must open it once, for example `canaryctl "
                                 "status` as its owner" };
    case SQLITE_READONLY_DBMOVED:
        return (struct meaning){ CANARY_E_REPLACED, "somebody moved the file: open it again" };
    case SQLITE_CANTOPEN_ISDIR:
        return (struct meaning){ CANARY_E_NOT_A_STORE, "name a file, not a directory" };
    case SQLITE_CANTOPEN_SYMLINK:
        return (struct meaning){ CANARY_E_NOT_A_STORE, "it is a symbolic link: name the file" };
    case SQLITE_IOERR_NOMEM:
        return (struct meaning){ CANARY_E_NOMEM, "free memory, then repeat" };
    case SQLITE_IOERR_CORRUPTFS:
        return (struct meaning){ CANARY_E_CORRUPT, NEXT_RESTORE };
    default:
        break;
    }
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return (struct meaning){ CANARY_E_BUSY, NEXT_LOCKED };
    case SQLITE_CORRUPT:
        return (struct meaning){ CANARY_E_CORRUPT, NEXT_RESTORE };
    case SQLITE_NOTADB:
        return (struct meaning){ CANARY_E_NOT_A_STORE,
                                 "name another path, or restore the store if it was one" };
    case SQLITE_READONLY:
        return (struct meaning){ CANARY_E_READ_ONLY, NEXT_READ_ONLY };
    case SQLITE_FULL:
        return (struct meaning){ CANARY_E_FULL, NEXT_FULL };
    case SQLITE_NOMEM:
        return (struct meaning){ CANARY_E_NOMEM, "free memory, then repeat" };
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return (struct meaning){ CANARY_E_PERMISSION, NEXT_PERMISSION };
    case SQLITE_INTERRUPT:
        return (struct meaning){ CANARY_E_HOSTILE,
                                 "it made the database work without end: look at its schema" };
    case SQLITE_CANTOPEN:
        return of_errno(system, (struct meaning){ CANARY_E_IO, NEXT_PERMISSION });
    case SQLITE_IOERR:
        return of_errno(system, (struct meaning){ CANARY_E_IO, NEXT_IO });
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return (struct meaning){ CANARY_E_INVALID, "the schema does not allow this value" };
    default:
        return (struct meaning){ CANARY_E_STORAGE, "this is not expected: please report it" };
    }
}

int canary__sqlite_fail(const struct canary__sqlite *store, sqlite3 *db, int rc, const char *doing,
                        canary_error *error) {
    int system = db == NULL ? 0 : sqlite3_system_errno(db);
    int primary = rc & 0xff;
    struct meaning meaning;

    /* The errno of an earlier failure stays in the connection: it explains these two only. */
    if (primary != SQLITE_CANTOPEN && primary != SQLITE_IOERR) {
        system = 0;
    }
    /* A write refused by a quota or by a limit on file sizes leaves its errno with the file. */
    if (primary == SQLITE_IOERR && system == 0 && db != NULL) {
        sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &system);
    }
    meaning = of_result(rc, system);
    return canary__fail(error, meaning.code, rc, "%s: cannot %s: %s%s%s; %s",
                        canary__sqlite_short(store->path), doing, sqlite3_errstr(rc),
                        system == 0 ? "" : ": ", system == 0 ? "" : strerror(system), meaning.next);
}
