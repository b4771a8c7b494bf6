/* SPDX-License-Identifier: MIT */
/* Trying the bell out, for those who doubt that it works here. */
#include <canary/audit.h>

#include <stddef.h>

#include "base/fail.h"
#include "base/futex.h"
#include "base/sized.h"
#include "base/text.h"
#include "control/store.h"

int canary_bell_check(canary_store *store, canary_bell_info *out, canary_error *error) {
    canary_bell_info info = { .size = (uint32_t)sizeof info };
    uint32_t before;

    if (store == NULL || out == NULL ||
        out->size < offsetof(canary_bell_info, path) + sizeof out->path) {
        return canary__fail(error, CANARY_E_INVALID, 0,
                            "canary_bell_check: store or out is NULL, or out->size is not set");
    }
    canary__store_lock(store);
    if (store->bell.path != NULL) {
        canary__text_copy(info.path, sizeof info.path, store->bell.path);
        canary__bell_read(&store->bell, 1, &store->image);
        before = store->image.ring;
        if (canary__bell_ring(store->bell.path, NULL) == CANARY_OK) {
            canary__bell_read(&store->bell, 1, &store->image);
            info.works = store->image.present && store->image.ring != before;
        }
        info.present = store->image.present;
        info.damaged = (int32_t)store->image.damaged;
        info.pending = (int32_t)store->image.pending;
    }
    info.waits = store->bell.word != NULL && canary__futex_works();
    canary__store_unlock(store);
    canary__sized_out(out, &info, sizeof info);
    return CANARY_OK;
}
