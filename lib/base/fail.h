/* SPDX-License-Identifier: MIT */
/* Filling the caller's canary_error. */
#ifndef CANARY__FAIL_H
#define CANARY__FAIL_H

#include <canary/error.h>

/* CANARY_ERROR_INIT, which is half a kilobyte, once instead of in each file that needs one. */
extern const canary_error canary__fail_none;

/* Fills `error` (NULL is allowed) as far as its size reaches, and returns `code`. */
int canary__fail(canary_error *error, int code, int system, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts one error into another's place, sizes respected; for errors gathered before the caller's. */
void canary__fail_copy(canary_error *to, const canary_error *from);

#endif
