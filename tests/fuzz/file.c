/* SPDX-License-Identifier: MIT */
/* A database with any of its bytes changed, cut short, or replaced: opening it ends in an error or
 * in a context that raises nobody. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *path;
static uint8_t *image;
static size_t image_size;
static uint8_t *changed;
static uint32_t *places; /* around the rollout's name: most of a store is reserve */
static size_t place_count;
static uint8_t before[FUZZ_USERS];

static void set_up(void) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = sizeof spec, .name = "checkout" };
    const char *origin = fuzz_path("origin.db");
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    FILE *file;

    path = fuzz_path("changed.db");
    options.flags = CANARY_OPEN_CREATE | CANARY_OPEN_NO_WATCHER;
    fuzz_require(canary_store_open(origin, &options, &store, NULL) == 0 &&
                     canary_create(store, &spec, NULL, NULL, NULL) == 0 &&
                     canary_set_percentage(store, "checkout", 2500, NULL, NULL, NULL, NULL) == 0 &&
                     canary_override_set(store, "checkout", "user-1", 6, CANARY_NEW, NULL, NULL,
                                         NULL) == 0 &&
                     canary_open_in(store, "checkout", &options, &ctx, NULL) == 0,
                 "a store can be made");
    fuzz_cohorts(ctx, before);
    canary_close(&ctx);
    canary_store_close(&store);
    file = fopen(origin, "rb");
    fuzz_require(file != NULL && fseek(file, 0, SEEK_END) == 0, "the store can be read");
    image_size = (size_t)ftell(file);
    rewind(file);
    image = malloc(image_size);
    changed = malloc(image_size);
    places = malloc(image_size * sizeof *places);
    fuzz_require(image != NULL && changed != NULL && places != NULL &&
                     fread(image, 1, image_size, file) == image_size,
                 "the store can be read");
    fclose(file);
    for (size_t i = 0, end = 0; i + 8 < image_size; i++) {
        if (memcmp(image + i, "checkout", 8) == 0) {
            for (end = i + 128; i < end && i < image_size; i++) {
                places[place_count++] = (uint32_t)i;
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = { data, size };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_ctx *ctx = NULL;
    canary_error error = CANARY_ERROR_INIT;
    size_t length;
    int code;

    if (image == NULL) {
        set_up();
    }
    memcpy(changed, image, image_size);
    length = fuzz_byte(&input) % 8 == 7 ? fuzz_number(&input, 3) % image_size : image_size;
    for (int edits = 1 + fuzz_byte(&input) % 4; edits > 0; edits--) {
        uint8_t kind = fuzz_byte(&input);
        size_t number = fuzz_number(&input, 3);
        size_t place = kind % 4 == 0 ? number % image_size : places[number % place_count];
        size_t taken;
        const uint8_t *bytes = fuzz_bytes(&input, kind % 8 == 1 ? 16 : 1, &taken);

        memcpy(changed + place, bytes, taken < image_size - place ? taken : image_size - place);
    }
    fuzz_write_file(path, changed, length);

    options.flags = CANARY_OPEN_NO_WATCHER;
    code = canary_open(path, "checkout", &options, &ctx, &error);
    fuzz_require((code == CANARY_OK) == (ctx != NULL), "a context comes with success only");
    if (code != CANARY_OK) {
        fuzz_require(error.code == code && error.message[0] != '\0', "an error says what it is");
        return 0;
    }
    fuzz_require_consistent(ctx);
    fuzz_require_not_raised(ctx, before);
    if (size % 16 == 0) { /* slow, since it reads everything */
        canary_verify(canary_ctx_store(ctx), NULL, NULL, NULL, NULL);
    }
    canary_close(&ctx);
    return 0;
}
