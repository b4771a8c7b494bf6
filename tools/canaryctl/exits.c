/* SPDX-License-Identifier: MIT */
/* See exits.h. */
#include "exits.h"

#include <canary/canary.h>

#include <stddef.h>

static const struct {
    int code;
    int exit_code;
} table[] = {
    { CANARY_OK, CTL_EXIT_DONE },
    { CANARY_E_INVALID, CTL_EXIT_USAGE },
    { CANARY_E_NOMEM, CTL_EXIT_ERROR },
    { CANARY_E_NOT_FOUND, CTL_EXIT_ERROR },
    { CANARY_E_EXISTS, CTL_EXIT_ERROR },
    { CANARY_E_CONFLICT, CTL_EXIT_CONFLICT },
    { CANARY_E_REFUSED, CTL_EXIT_REFUSED },
    { CANARY_E_TIMEOUT, CTL_EXIT_TIMEOUT },
    { CANARY_E_BUSY, CTL_EXIT_TIMEOUT },
    { CANARY_E_IO, CTL_EXIT_STORAGE },
    { CANARY_E_CORRUPT, CTL_EXIT_STORAGE },
    { CANARY_E_NOT_A_STORE, CTL_EXIT_STORAGE },
    { CANARY_E_NEWER, CTL_EXIT_STORAGE },
    { CANARY_E_READ_ONLY, CTL_EXIT_STORAGE },
    { CANARY_E_FULL, CTL_EXIT_STORAGE },
    { CANARY_E_REPLACED, CTL_EXIT_STORAGE },
    { CANARY_E_NO_STORE, CTL_EXIT_STORAGE },
    { CANARY_E_PERMISSION, CTL_EXIT_STORAGE },
    { CANARY_E_HOSTILE, CTL_EXIT_STORAGE },
    { CANARY_E_TAMPERED, CTL_EXIT_REFUSED },
    { CANARY_E_UNSUPPORTED, CTL_EXIT_ERROR },
    { CANARY_E_SYSTEM, CTL_EXIT_ERROR },
    { CANARY_E_STORAGE, CTL_EXIT_STORAGE },
};

int exits_of(int code, bool changing) {
    if (code == CANARY_E_TAMPERED && !changing)
        return CTL_EXIT_UNHEALTHY;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].code == code)
            return table[i].exit_code;
    }
    return CTL_EXIT_ERROR;
}

const char *exits_meaning(int exit_code) {
    switch (exit_code) {
    case CTL_EXIT_DONE:
        return "done";
    case CTL_EXIT_ERROR:
        return "error";
    case CTL_EXIT_USAGE:
        return "invalid arguments";
    case CTL_EXIT_STORAGE:
        return "storage error";
    case CTL_EXIT_REFUSED:
        return "refused by a gate";
    case CTL_EXIT_CONFLICT:
        return "conflict: the state is not the expected one";
    case CTL_EXIT_TIMEOUT:
        return "timeout: the store was locked";
    case CTL_EXIT_UNHEALTHY:
        return "unhealthy: verify or doctor found something";
    default:
        return NULL;
    }
}
