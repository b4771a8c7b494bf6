/* SPDX-License-Identifier: MIT */
/* A file that remembers the last change somebody was told of. */
#ifndef CTL_CURSOR_H
#define CTL_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

struct cursor {
    uint64_t change; /* 0 = none yet */
    char hash[72];   /* of that row: another store's trail has another one */
};

/* Reads the file; one that is not there leaves all zeros. False with a message in `why` (240 bytes). */
bool cursor_read(const char *path, struct cursor *cursor, char *why);
/* Writes it anew, whole or not at all. As above. */
bool cursor_write(const char *path, const struct cursor *cursor, char *why);

#endif
