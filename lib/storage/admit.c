/* SPDX-License-Identifier: MIT */
/* The one door for storage vtables: behind it the library knows the newest layout only. */
#include <string.h>

#include "base/fail.h"
#include "base/sized.h"
#include "storage/stores.h"

int canary__storage_admit(const canary_storage_methods *from, canary_storage_methods *to,
                          canary_error *error) {
    memset(to, 0, sizeof *to);
    if (from == NULL || from->size < offsetof(canary_storage_methods, token) ||
        from->size % sizeof(void *) != 0) {
        return canary__fail(
            error, CANARY_E_INVALID, 0,
            "storage methods: size is %u, at least %zu and whole members are needed",
            from == NULL ? 0u : from->size, offsetof(canary_storage_methods, token));
    }
    if (from->version == 0) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "storage methods: version is 0; set it to CANARY_STORAGE_VERSION");
    }
    if (from->version > CANARY_STORAGE_VERSION) {
        return canary__fail(error, CANARY_E_UNSUPPORTED, 0,
                            "storage methods: version %u is newer than this library's %d",
                            from->version, CANARY_STORAGE_VERSION);
    }
    /* Methods of a newer version are optional by contract, so cutting them off is right. */
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
    to->size = (uint32_t)sizeof *to;
    if (to->begin == NULL || to->read == NULL || to->write == NULL || to->remove == NULL ||
        to->end == NULL || to->close == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "storage methods: begin, read, write, remove, end and close are "
                            "required");
    }
    if (to->name == NULL || to->name[0] == '\0' || strlen(to->name) > 15) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "storage methods: name must have 1 to 15 bytes");
    }
    return CANARY_OK;
}

int canary__storage_measurements(const canary_storage_methods *methods, void *implementation,
                                 int create, canary_storage_methods *out, void **out_implementation,
                                 canary_error *error) {
    union {
        canary_storage_methods methods;
        char bytes[CANARY_STORAGE_METHODS_ROOM];
    } room;
    void *opened = NULL;
    int code;

    if (methods->measurements == NULL) {
        return canary__fail(error, CANARY_E_UNSUPPORTED, 0,
                            "the %s store keeps no measurements; use one that does", methods->name);
    }
    memset(&room, 0, sizeof room);
    code = methods->measurements(implementation, create, &room.methods, &opened, error);
    if (code != CANARY_OK) {
        return code;
    }
    code = canary__storage_admit(&room.methods, out, error);
    if (code == CANARY_OK) {
        *out_implementation = opened;
    } else if (room.methods.size >= offsetof(canary_storage_methods, token) &&
               room.methods.close != NULL) {
        room.methods.close(opened);
    }
    return code;
}

int canary_storage_fail(canary_error *error, int code, int system, const char *message) {
    return canary__fail(error, code, system, "%s", message == NULL ? "" : message);
}
