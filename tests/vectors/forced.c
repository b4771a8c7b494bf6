/* SPDX-License-Identifier: MIT */
#include "forced.h"

#include <canary/canary.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "core/hash.h"

#define ROLLOUT "forced"

static const struct canary__hash_kernel *kernel_called(const char *name) {
    for (size_t i = 0; i < canary__hash_kernel_count; i++) {
        if (strcmp(canary__hash_kernels[i].name, name) == 0) {
            return &canary__hash_kernels[i];
        }
    }
    return NULL;
}

static int obeyed(const struct canary__hash_kernel *kernel) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    int known = canary_store_open_memory(NULL, &store, NULL) == CANARY_OK &&
                canary_create(store, &spec, NULL, NULL, NULL) == CANARY_OK &&
                canary_open_in(store, ROLLOUT, NULL, &ctx, NULL) == CANARY_OK &&
                canary_info(ctx, &info) == CANARY_OK;

    canary_close(&ctx);
    canary_store_close(&store);
    printf("one user by \"%s\", many by \"%s\"\n", info.hash_kernel, info.hash_many_kernel);
    return known && info.hash_refused == 0 && info.hash_dropped == 0 &&
           (kernel->one == NULL || strcmp(info.hash_kernel, kernel->name) == 0) &&
           (kernel->many == NULL || strcmp(info.hash_many_kernel, kernel->name) == 0);
}

int forced_kernel(void) {
    const char *name = getenv("CANARY_SHA256");
    const struct canary__hash_kernel *kernel;

    if (name == NULL) {
        return 0;
    }
    kernel = kernel_called(name);
    if (kernel == NULL) {
        fprintf(stderr, "there is no kernel \"%s\" in this build\n", name);
        return 1;
    }
    if ((kernel->features & ~canary__cpu_features()) != 0) {
        printf("this processor cannot run \"%s\"\n", name);
        return 77;
    }
    if (!obeyed(kernel)) {
        fprintf(stderr, "\"%s\" was asked for and is not what is used\n", name);
        return 1;
    }
    return 0;
}
