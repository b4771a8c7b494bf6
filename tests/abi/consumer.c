/* SPDX-License-Identifier: MIT */
/* The smallest program of a stranger, built by install.py against an installed libcanary. */
#include <canary/canary.h>
#include <canary/storage.h>

#include <stdio.h>
#include <string.h>

int main(void) {
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    canary_rollout_spec spec = { 0 };
    canary_error error = CANARY_ERROR_INIT;
    int decided;

    spec.size = sizeof spec;
    spec.name = "checkout";
    if (strcmp(canary_version(), CANARY_VERSION) != 0 ||
        canary_store_open_memory(NULL, &store, &error) != 0 ||
        canary_create(store, &spec, NULL, NULL, &error) != 0 ||
        canary_set_percentage(store, "checkout", 1000, NULL, NULL, NULL, &error) != 0 ||
        canary_open_in(store, "checkout", NULL, &ctx, &error) != 0) {
        printf("failed: %s\n", error.message);
        return 1;
    }
    decided = canary_should_use_new(ctx, "alice") * 10 + canary_should_use_new(ctx, "bob");
    canary_close(&ctx);
    canary_store_close(&store);
    printf("libcanary %s: alice and bob get %02d\n", canary_version(), decided);
    return decided == 10 ? 0 : 1;
}
