/* SPDX-License-Identifier: MIT */
/* See cursor.h. */
#include "cursor.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHY = 240 };

bool cursor_read(const char *path, struct cursor *cursor, char *why) {
    FILE *file = fopen(path, "r");
    struct cursor found = { 0 };
    char line[128] = "";
    bool read = false;

    if (file == NULL && errno == ENOENT)
        return true;
    if (file == NULL) {
        snprintf(why, WHY, "%s cannot be read: %s", path, strerror(errno));
        return false;
    }
    read = fgets(line, sizeof(line), file) != NULL &&
           sscanf(line, "%" SCNu64 " %64[0-9a-f]", &found.change, found.hash) == 2 &&
           strlen(found.hash) == 64 && found.change > 0;
    fclose(file);
    if (!read) {
        snprintf(why, WHY, "%s is no cursor of canaryctl: its line is a number and 64 hex digits",
                 path);
        return false;
    }
    *cursor = found;
    return true;
}

/* A crash must leave the old or the new one: an empty file would tell everything again. */
bool cursor_write(const char *path, const struct cursor *cursor, char *why) {
    struct text fresh = { 0 };
    bool written = false;

    text_addf(&fresh, "%s.tmp", path);
    FILE *file = fopen(fresh.data, "w");
    if (file != NULL) {
        written = fprintf(file, "%" PRIu64 " %s\n", cursor->change, cursor->hash) > 0 &&
                  fflush(file) == 0 && fsync(fileno(file)) == 0;
        written = fclose(file) == 0 && written && rename(fresh.data, path) == 0;
    }
    if (!written) {
        snprintf(why, WHY, "%s cannot be written: %s", path, strerror(errno));
        unlink(fresh.data);
    }
    text_free(&fresh);
    return written;
}
