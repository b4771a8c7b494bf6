/* SPDX-License-Identifier: MIT */
/* Copies of rows, gathered in one transaction and handed out after it: callbacks of the public
 * API run without any lock. */
#ifndef CANARY__ROWS_H
#define CANARY__ROWS_H

#include "control/store.h"

struct canary__rows {
    const struct canary__hooks *hooks;
    unsigned char *bytes;
    size_t used;
    size_t room;
    int out_of_memory;
};

/* Appends `size` bytes; 0, or -1 without memory (and remembers it). */
int canary__rows_add(struct canary__rows *rows, const void *bytes, size_t size);
void canary__rows_free(struct canary__rows *rows);

/* Begins a read transaction of a checked store handle; the lock is held until
 * canary__rows_end(). */
int canary__rows_begin(canary_store *store, const char *rollout, void **transaction,
                       canary_error *error);
int canary__rows_end(canary_store *store, void *transaction, int code, canary_error *error);

#endif
