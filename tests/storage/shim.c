/* SPDX-License-Identifier: MIT */
#include "shim.h"

#include <sqlite3.h>
#include <string.h>

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs shim_vfs;
static int64_t countdown;
static enum shim_fault fault;
static int onwards;
static int fired;
static int64_t space = -1;

void shim_arm(int64_t at, enum shim_fault what, int from_then_on) {
    countdown = at;
    fault = what;
    onwards = from_then_on;
    fired = 0;
}

int shim_fired(void) {
    return fired;
}

void shim_space(int64_t bytes) {
    space = bytes;
}

static int fails(void) {
    if (countdown == 0) {
        return 0;
    }
    if (countdown > 1) {
        countdown--;
        return 0;
    }
    if (!onwards) {
        countdown = 0;
    }
    fired = 1;
    return 1;
}

static sqlite3_file *real(sqlite3_file *file) {
    return ((struct shim_file *)file)->real;
}

static int shim_close(sqlite3_file *file) {
    return real(file)->pMethods->xClose(real(file));
}

static int shim_read(sqlite3_file *file, void *data, int size, sqlite3_int64 at) {
    return fails() ? SQLITE_IOERR_READ : real(file)->pMethods->xRead(real(file), data, size, at);
}

static int shim_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at) {
    sqlite3_int64 length = 0;

    if (fails()) {
        if (fault == SHIM_HALF_WRITE) {
            real(file)->pMethods->xWrite(real(file), data, size / 2, at);
        }
        return fault == SHIM_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    if (space >= 0) {
        real(file)->pMethods->xFileSize(real(file), &length);
        if (at + size > length) {
            if (at + size - length > space) {
                return SQLITE_FULL;
            }
            space -= at + size - length;
        }
    }
    return real(file)->pMethods->xWrite(real(file), data, size, at);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return fails() ? SQLITE_IOERR_TRUNCATE : real(file)->pMethods->xTruncate(real(file), size);
}

static int shim_sync(sqlite3_file *file, int flags) {
    return fails() ? SQLITE_IOERR_FSYNC : real(file)->pMethods->xSync(real(file), flags);
}

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return fails() ? SQLITE_IOERR_FSTAT : real(file)->pMethods->xFileSize(real(file), size);
}

static int shim_lock(sqlite3_file *file, int level) {
    return fails() ? SQLITE_IOERR_LOCK : real(file)->pMethods->xLock(real(file), level);
}

/* Unlocking never fails here: SQLite ignores what it answers. */
static int shim_unlock(sqlite3_file *file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *out) {
    return fails() ? SQLITE_IOERR_CHECKRESERVEDLOCK
                   : real(file)->pMethods->xCheckReservedLock(real(file), out);
}

static int shim_control(sqlite3_file *file, int operation, void *argument) {
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}

static int shim_sector_size(sqlite3_file *file) {
    return real(file)->pMethods->xSectorSize(real(file));
}

static int shim_characteristics(sqlite3_file *file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_lock,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_characteristics,
};

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out) {
    struct shim_file *shim = (struct shim_file *)file;
    int rc;

    (void)vfs;
    shim->base.pMethods = NULL;
    if (fails()) {
        return SQLITE_CANTOPEN;
    }
    shim->real = (sqlite3_file *)(shim + 1);
    rc = real_vfs->xOpen(real_vfs, path, shim->real, flags, out);
    if (rc == SQLITE_OK) {
        shim->base.pMethods = &methods;
    }
    return rc;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync) {
    (void)vfs;
    return fails() ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, path, sync);
}

static int shim_access(sqlite3_vfs *vfs, const char *path, int flags, int *out) {
    (void)vfs;
    return fails() ? SQLITE_IOERR_ACCESS : real_vfs->xAccess(real_vfs, path, flags, out);
}

void shim_install(void) {
    sqlite3_initialize();
    real_vfs = sqlite3_vfs_find(NULL);
    shim_vfs = *real_vfs;
    shim_vfs.zName = "shim";
    shim_vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
    shim_vfs.xOpen = shim_open;
    shim_vfs.xDelete = shim_delete;
    shim_vfs.xAccess = shim_access;
    sqlite3_vfs_register(&shim_vfs, 1);
}
