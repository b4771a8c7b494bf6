/* SPDX-License-Identifier: MIT */
#include "base/fail.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/sized.h"
#include "base/text.h"

const canary_error canary__fail_none = CANARY_ERROR_INIT;

void canary_error_init(canary_error *error, uint32_t size) {
    if (error == NULL || size < sizeof error->size) {
        return;
    }
    memset(error, 0, size);
    error->size = size;
}

void canary__fail_copy(canary_error *to, const canary_error *from) {
    if (to == NULL || to == from) {
        return;
    }
    canary__sized_out(to, from, sizeof *from);
    /* A shorter struct cuts the message in the middle: it must still end. */
    if (to->size > offsetof(canary_error, message) && to->size < sizeof *to) {
        ((char *)to)[to->size - 1] = '\0';
    }
}

int canary__fail(canary_error *error, int code, int system, const char *format, ...) {
    if (error != NULL) {
        canary_error filled = canary__fail_none;
        va_list arguments;

        filled.code = code;
        filled.system = system;
        va_start(arguments, format);
        vsnprintf(filled.message, sizeof filled.message, format, arguments);
        va_end(arguments);
        canary__text_clean(filled.message);
        canary__fail_copy(error, &filled);
    }
    return code;
}

/* Text in the table, not pointers to it, each of which the loader would have to set. */
static const struct {
    int code;
    char name[24];
    char text[44];
} codes[] = {
    { CANARY_OK, "CANARY_OK", "done" },
    { CANARY_E_INVALID, "CANARY_E_INVALID", "an argument is not allowed" },
    { CANARY_E_NOMEM, "CANARY_E_NOMEM", "out of memory" },
    { CANARY_E_NOT_FOUND, "CANARY_E_NOT_FOUND", "there is nothing of that name" },
    { CANARY_E_EXISTS, "CANARY_E_EXISTS", "there is one of that name already" },
    { CANARY_E_CONFLICT, "CANARY_E_CONFLICT", "the state is not the expected one" },
    { CANARY_E_REFUSED, "CANARY_E_REFUSED", "refused by a gate" },
    { CANARY_E_TIMEOUT, "CANARY_E_TIMEOUT", "the store did not answer in time" },
    { CANARY_E_BUSY, "CANARY_E_BUSY", "the store is locked by another process" },
    { CANARY_E_IO, "CANARY_E_IO", "input or output error" },
    { CANARY_E_CORRUPT, "CANARY_E_CORRUPT", "the store is damaged" },
    { CANARY_E_NOT_A_STORE, "CANARY_E_NOT_A_STORE", "the file is not a canary store" },
    { CANARY_E_NEWER, "CANARY_E_NEWER", "the store was written by a newer libcanary" },
    { CANARY_E_READ_ONLY, "CANARY_E_READ_ONLY", "the store can only be read" },
    { CANARY_E_FULL, "CANARY_E_FULL", "no space left" },
    { CANARY_E_REPLACED, "CANARY_E_REPLACED", "the store was replaced" },
    { CANARY_E_NO_STORE, "CANARY_E_NO_STORE", "there is no store" },
    { CANARY_E_PERMISSION, "CANARY_E_PERMISSION", "permission denied" },
    { CANARY_E_HOSTILE, "CANARY_E_HOSTILE", "the store's schema holds foreign objects" },
    { CANARY_E_TAMPERED, "CANARY_E_TAMPERED", "the store was changed outside libcanary" },
    { CANARY_E_UNSUPPORTED, "CANARY_E_UNSUPPORTED", "not supported" },
    { CANARY_E_SYSTEM, "CANARY_E_SYSTEM", "a system call failed" },
    { CANARY_E_STORAGE, "CANARY_E_STORAGE", "the store failed" },
};

const char *canary_error_name(int code) {
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            return codes[i].name;
        }
    }
    return "CANARY_E_UNKNOWN";
}

const char *canary_strerror(int code) {
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            return codes[i].text;
        }
    }
    return "unknown error code";
}
