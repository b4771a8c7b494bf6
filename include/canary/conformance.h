/* SPDX-License-Identifier: MIT */
/* libcanary-conformance: proves that a store keeps the promises of storage.h. Link it into a test
 * of your own store; it is no part of libcanary itself. */
#ifndef CANARY_CONFORMANCE_H
#define CANARY_CONFORMANCE_H

#include <canary/storage.h>

CANARY_BEGIN_DECLS

/* How the suite gets at a store. `open` makes a handle on the store called `name`: with `fresh` 1
 * after removing whatever was there, its measurements included, with 0 on what is there. Returns 0 and
 * sets both, or a code. A store that keeps measurements is checked twice, with names that begin with
 * "measurements: " the second time. */
typedef struct canary_conformance {
    uint32_t size;  /* sizeof(canary_conformance) of the caller */
    uint32_t flags; /* CANARY_CONFORMANCE_... */
    int (*open)(void *user_data, const char *name, int fresh, canary_storage_methods *methods,
                void **implementation);
    void *user_data;
    /* One line a check: `passed` 1, 0 or -1 for skipped. */
    void (*report)(void *user_data, const char *check, int passed, const char *detail);
    void *report_data;
    uint64_t seed; /* of the random checks; 0 = take one from the clock; it is reported */
} canary_conformance;

/* The store lives in one handle (memory): a second open of a name sees nothing of the first, and
 * the checks with several handles, processes and crashes are reported as skipped. */
#define CANARY_CONFORMANCE_ONE_HANDLE 1u

/* Runs every check. Returns the number that failed, or a negative code when it could not run.
 * Thread: exclusive. Blocking: may block on storage. Errors: CANARY_E_INVALID. */
CANARY_API int canary_conformance_run(const canary_conformance *suite);

CANARY_END_DECLS

#endif
