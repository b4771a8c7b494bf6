/* SPDX-License-Identifier: MIT */
/* The stores in the box, as the control room gets at them. */
#ifndef CANARY__STORES_H
#define CANARY__STORES_H

#include <canary/storage.h>

#include "base/hooks.h"
#include "storage/shape.h"

/* Opens (flags: CANARY_OPEN_CREATE, _READ_ONLY, _DEFER) the SQLite store at `path`, checks that it
 * is one, and fills `methods` and `*implementation`. With _DEFER a store that cannot be read now is
 * opened all the same; begin() then tells the error each time. `hooks` outlives the store. */
int canary__sqlite_open(const char *path, uint32_t flags, const struct canary__hooks *hooks,
                        canary_storage_methods *methods, void **implementation,
                        canary_error *error);

/* Tells a SQLite store how long its user waits for locks; 5 s until told. Between begin() and end()
 * nobody can ask again, so a commit waits by itself, for readers to go: as long as that, but not so
 * short that the looks which follow each change would fail the next one, and not so long that a
 * reader which never goes holds up every other call on the handle. */
void canary__sqlite_wait(void *implementation, int64_t busy_ns);

int canary__memory_open(const struct canary__hooks *hooks, canary_storage_methods *methods,
                        void **implementation, canary_error *error);
/* The same, with the tables of `set`. */
int canary__memory_open_set(const struct canary__hooks *hooks, const struct canary__set *set,
                            canary_storage_methods *methods, void **implementation,
                            canary_error *error);

/* Admits a vtable: copies what the caller's size covers, checks version and required members. */
int canary__storage_admit(const canary_storage_methods *from, canary_storage_methods *to,
                          canary_error *error);

/* Opens the measurement store of a store: its `measurements`, if it has that, and an admitted vtable of
 * what it gives. CANARY_E_UNSUPPORTED when the store keeps none. */
int canary__storage_measurements(const canary_storage_methods *methods, void *implementation,
                                 int create, canary_storage_methods *out, void **out_implementation,
                                 canary_error *error);

#endif
