/* SPDX-License-Identifier: MIT */
/* Space kept in the files, so that a change can be made on a full disk.
 *
 * The reserve of the database lies behind its last page, where SQLite itself keeps none: its header
 * counts the pages, and the file may be longer. Free pages within would do as well, but each refill
 * would be a change that every process has to look at. The zeros are written, not promised: an
 * unwritten extent can need a block when it is used.
 *
 * Only under the writer's lock, and best effort: without a reserve a change is as safe, it just
 * fails where there is no space. */
#include <string.h>

#include "storage/sqlite.h"

enum {
    PAGE = 4096,
    PAGES_LOW = 16, /* a change needs about eight */
    PAGES_FULL = 32,
    JOURNAL = PAGES_FULL * (PAGE + 8) + 2 * PAGE,
};

static void extend(sqlite3_file *file, sqlite3_int64 wanted) {
    unsigned char zeros[PAGE];
    sqlite3_int64 size = 0;

    if (file->pMethods->xFileSize(file, &size) != SQLITE_OK) {
        return;
    }
    memset(zeros, 0, sizeof zeros);
    while (size < wanted) {
        int part = PAGE - (int)(size % PAGE);

        if (file->pMethods->xWrite(file, zeros, part, size) != SQLITE_OK) {
            return;
        }
        size += part;
    }
}

void canary__sqlite_reserve_journal(struct canary__sqlite_conn *conn) {
    sqlite3_file *journal = NULL;

    if (sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal) ==
            SQLITE_OK &&
        journal != NULL && journal->pMethods != NULL) {
        extend(journal, JOURNAL);
    }
}

void canary__sqlite_reserve_pages(struct canary__sqlite_conn *conn) {
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int64_t pages = 0;
    int64_t unused = 0;
    int64_t page = PAGE;

    if (sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL ||
        file->pMethods->xFileSize(file, &size) != SQLITE_OK ||
        canary__sqlite_number(conn, "PRAGMA page_size", &page) != SQLITE_OK ||
        canary__sqlite_number(conn, "PRAGMA page_count", &pages) != SQLITE_OK ||
        canary__sqlite_number(conn, "PRAGMA freelist_count", &unused) != SQLITE_OK) {
        return;
    }
    if (size - pages * page + unused * page < PAGES_LOW * page) {
        extend(file, (pages + PAGES_FULL) * page);
    }
}
