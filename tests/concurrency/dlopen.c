/* SPDX-License-Identifier: MIT */
/* Loading and unloading the library again and again, as plug-ins do: nothing may be left behind.
 * This program is not linked to the library; argv[1] names it. */
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include <canary/canary.h>

#include "common.h"

enum { WARM_UP = 30, ROUNDS = 600 };

/* The library's own names of its codes are not linked. */
#undef MUST
#define MUST(call, error) CHECK((call) == CANARY_OK, "%s: %s", #call, (error).message)

#define FIND(library, name) name##_fn name##_found = (name##_fn)(intptr_t)dlsym(library, #name)

typedef int (*canary_open_fn)(const char *, const char *, const canary_options *, canary_ctx **,
                              canary_error *);
typedef void (*canary_close_fn)(canary_ctx **);
typedef int (*canary_should_use_new_fn)(canary_ctx *, const char *);
typedef int (*canary_store_open_fn)(const char *, const canary_options *, canary_store **,
                                    canary_error *);
typedef void (*canary_store_close_fn)(canary_store **);
typedef int (*canary_create_fn)(canary_store *, const canary_rollout_spec *,
                                const canary_change_options *, canary_change *, canary_error *);
typedef int (*canary_set_percentage_fn)(canary_store *, const char *, uint32_t, const char *,
                                        const canary_change_options *, canary_change *,
                                        canary_error *);

static void *load(const char *file) {
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    CHECK(library != NULL, "dlopen: %s", dlerror());
    return library;
}

static void make(const char *file, const char *path) {
    void *library = load(file);
    FIND(library, canary_store_open);
    FIND(library, canary_store_close);
    FIND(library, canary_create);
    FIND(library, canary_set_percentage);
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "main" };
    canary_error error = CANARY_ERROR_INIT;
    canary_store *store = NULL;

    options.flags = CANARY_OPEN_CREATE;
    MUST(canary_store_open_found(path, &options, &store, &error), error);
    MUST(canary_create_found(store, &spec, NULL, NULL, &error), error);
    MUST(canary_set_percentage_found(store, "main", 10000, NULL, NULL, NULL, &error), error);
    canary_store_close_found(&store);
    dlclose(library);
}

static void use(const char *file, const char *path) {
    void *library = load(file);
    FIND(library, canary_open);
    FIND(library, canary_close);
    FIND(library, canary_should_use_new);
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;

    MUST(canary_open_found(path, "main", NULL, &ctx, &error), error);
    CHECK(canary_should_use_new_found(ctx, "anybody") == 1, "decision");
    canary_close_found(&ctx);
    CHECK(dlclose(library) == 0, "dlclose: %s", dlerror());
}

int main(int argc, char **argv) {
    const char *path = path_in("db");
    size_t heap;
    int descriptors;
    int mappings;

    CHECK(argc == 2, "usage: dlopen LIBRARY");
    make(argv[1], path);
    for (int i = 0; i < WARM_UP; i++) {
        use(argv[1], path);
    }
    descriptors = count_descriptors();
    mappings = count_mappings();
    heap = mallinfo2().uordblks;
    for (int i = 0; i < ROUNDS; i++) {
        use(argv[1], path);
    }
    CHECK(count_descriptors() == descriptors, "%d descriptors, %d before", count_descriptors(),
          descriptors);
    if (UNDER_ASAN || UNDER_TSAN) {
        printf("descriptors alone: a sanitizer has mappings and a heap of its own\n");
        return 0;
    }
    /* The heap of a thread that ended is given to the next one; a few mappings may come and go. */
    CHECK(count_mappings() <= mappings + 4, "%d mappings, %d before", count_mappings(), mappings);
    /* Blocks that the allocator keeps for itself count as used; a leak of 32 bytes a round shows. */
    CHECK(mallinfo2().uordblks <= heap + ROUNDS * 32, "%zu bytes in use, %zu before",
          mallinfo2().uordblks, heap);
    printf("%d rounds: %d mappings (%d before), %zu bytes in use (%zu before)\n", ROUNDS,
           count_mappings(), mappings, mallinfo2().uordblks, heap);
    return 0;
}
