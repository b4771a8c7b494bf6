/* SPDX-License-Identifier: MIT */
#include "control/rows.h"

#include <string.h>

#include "base/fail.h"
#include "base/text.h"

int canary__rows_add(struct canary__rows *rows, const void *bytes, size_t size) {
    if (rows->room - rows->used < size) {
        size_t room = (rows->room + size) * 2;
        void *more = canary__realloc(rows->hooks, rows->bytes, rows->room, room);

        if (more == NULL) {
            rows->out_of_memory = 1;
            return -1;
        }
        rows->bytes = more;
        rows->room = room;
    }
    memcpy(rows->bytes + rows->used, bytes, size);
    rows->used += size;
    return 0;
}

void canary__rows_free(struct canary__rows *rows) {
    canary__free(rows->hooks, rows->bytes, rows->room);
    rows->bytes = NULL;
}

int canary__rows_begin(canary_store *store, const char *rollout, void **transaction,
                       canary_error *error) {
    if (store == NULL) {
        return canary__fail(error, CANARY_E_INVALID, 0, "store is NULL; open one first");
    }
    if (rollout != NULL && !canary__text_is_name(rollout, CANARY_NAME_MAX)) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "name \"%.140s\": allowed are 1 to 128 of A-Z a-z 0-9 . _ -", rollout);
    }
    return canary__store_begin(store, CANARY_STORAGE_READ, transaction, error);
}

int canary__rows_end(canary_store *store, void *transaction, int code, canary_error *error) {
    canary_error own = canary__fail_none;
    int ended = store->methods.end(transaction, 0, &own);

    canary__store_unlock(store);
    if (code == CANARY_OK && ended != CANARY_OK) {
        canary__fail_copy(error, &own);
        code = ended;
    }
    return code;
}
