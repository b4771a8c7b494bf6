/* SPDX-License-Identifier: MIT */
/* The helpers that use the library; plain.c has those that do not. */
#include "common.h"

#include <stdio.h>
#include <string.h>

void user_in(const char *salt, uint32_t low, uint32_t high, unsigned number, char *out,
             size_t size) {
    for (unsigned i = 0;; i++) {
        uint32_t hash = 0;

        snprintf(out, size, "user-%u-%u", number, i);
        CHECK(canary_hash_user(salt, out, strlen(out), &hash) == CANARY_OK, "hash");
        if (canary_bucket_from_hash(hash) >= low && canary_bucket_from_hash(hash) < high) {
            return;
        }
    }
}

canary_options patient(void) {
    canary_options options = CANARY_OPTIONS_INIT;

    options.busy_timeout_ns = PATIENCE_S * INT64_C(1000000000);
    return options;
}

canary_store *make_store(const char *path, const char *name, uint32_t percentage_bp) {
    static const uint32_t stages[] = { 500, 2500, 5000, 10000 };
    canary_options options = patient();
    canary_rollout_spec spec = {
        .size = (uint32_t)sizeof spec, .name = name, .stage_count = 4, .stages_bp = stages
    };
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;

    options.flags = CANARY_OPEN_CREATE;
    if (path != NULL) {
        MUST(canary_store_open(path, &options, &store, &error), error);
    } else {
        MUST(canary_store_open_memory(NULL, &store, &error), error);
    }
    MUST(canary_create(store, &spec, NULL, NULL, &error), error);
    if (percentage_bp > 0) {
        MUST(canary_set_percentage(store, name, percentage_bp, NULL, NULL, NULL, &error), error);
    }
    return store;
}
