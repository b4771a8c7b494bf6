/* SPDX-License-Identifier: MIT */
#include "judge/fail.h"

#include <canary/storage.h>
#include <stdarg.h>
#include <stdio.h>

#include "judge/sized.h"

int canary__judge_fail(canary_error *error, int code, const char *format, ...) {
    char message[sizeof error->message];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return canary_storage_fail(error, code, 0, message);
}

int canary__judge_pass(canary_error *error, int code, const canary_error *own) {
    canary_error copy = *own;

    copy.code = code;
    (void)canary__judge_sized_out(error, &copy, sizeof copy);
    return code;
}
