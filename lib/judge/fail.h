/* SPDX-License-Identifier: MIT */
/* Errors of the judging library. */
#ifndef CANARY__JUDGE_FAIL_H
#define CANARY__JUDGE_FAIL_H

#include <canary/error.h>

/* Fills `error` (NULL is allowed) with a code and a message, cut to fit at a whole UTF-8 character, and
 * returns `code`. */
int canary__judge_fail(canary_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Passes on what a call answered that filled `own`, which is for calls that may fail without the caller's
 * being told: who succeeds leaves no word in the caller's error. Returns `code`. */
int canary__judge_pass(canary_error *error, int code, const canary_error *own);

#endif
