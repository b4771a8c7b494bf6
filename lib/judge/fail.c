/* SPDX-License-Identifier: MIT */
#include "judge/fail.h"

#include <canary/storage.h>
#include <stdarg.h>
#include <stdio.h>

int canary__judge_fail(canary_error *error, int code, const char *format, ...) {
    char message[sizeof error->message];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return canary_storage_fail(error, code, 0, message);
}
