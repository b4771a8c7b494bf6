/* SPDX-License-Identifier: MIT */
/* A database with a few of its bytes changed, or cut short: opening it ends in an error that says
 * what it is, or in a context that raises nobody. */
#include "claim.h"

#include <canary/canary.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { USERS = 64, AROUND = 128 };

static char origin[64];
static char changed[64];
static uint8_t *image;
static uint8_t *bytes;
static size_t image_size;
static uint32_t *places; /* around the rollout's name: most of a store is reserve */
static size_t place_count;
static uint8_t before[USERS];

static void clean_up(void) {
    static const char *const endings[] = { "", "-journal", "-doorbell" };
    char path[96];

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(path, sizeof path, "%s%s", origin, endings[i]);
        unlink(path);
        snprintf(path, sizeof path, "%s%s", changed, endings[i]);
        unlink(path);
    }
    free(image);
    free(bytes);
    free(places);
}

static void decide(canary_ctx *ctx, uint8_t *cohorts) {
    for (int i = 0; i < USERS; i++) {
        char id[16];

        snprintf(id, sizeof id, "user-%d", i);
        cohorts[i] = (uint8_t)canary_should_use_new(ctx, id);
    }
}

static void make_origin(void) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "checkout" };
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;

    options.flags = CANARY_OPEN_CREATE | CANARY_OPEN_NO_WATCHER;
    FUZZ_CLAIM(canary_store_open(origin, &options, &store, NULL) == 0);
    FUZZ_CLAIM(canary_create(store, &spec, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_set_percentage(store, "checkout", 2500, NULL, NULL, NULL, NULL) == 0);
    FUZZ_CLAIM(canary_override_set(store, "checkout", "user-1", 6, CANARY_NEW, NULL, NULL, NULL) ==
               0);
    FUZZ_CLAIM(canary_open_in(store, "checkout", &options, &ctx, NULL) == 0);
    decide(ctx, before);
    canary_close(&ctx);
    canary_store_close(&store);
}

static void set_up(void) {
    const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    FILE *file;

    snprintf(origin, sizeof origin, "%s/canary-fuzz-origin-%d", where, (int)getpid());
    snprintf(changed, sizeof changed, "%s/canary-fuzz-file-%d", where, (int)getpid());
    atexit(clean_up);
    make_origin();
    file = fopen(origin, "rb");
    FUZZ_CLAIM(file != NULL && fseek(file, 0, SEEK_END) == 0);
    image_size = (size_t)ftell(file);
    rewind(file);
    image = malloc(image_size);
    bytes = malloc(image_size);
    places = calloc(image_size, sizeof *places);
    FUZZ_CLAIM(image != NULL && bytes != NULL && places != NULL);
    FUZZ_CLAIM(fread(image, 1, image_size, file) == image_size);
    fclose(file);
    for (size_t i = 0; i + 8 < image_size; i++) {
        if (memcmp(image + i, "checkout", 8) == 0) {
            for (size_t end = i + AROUND; i < end && i < image_size; i++) {
                places[place_count++] = (uint32_t)i;
            }
        }
    }
    FUZZ_CLAIM(place_count > 0);
}

/* Input: 1 byte that may ask for a cut, 3 where; 1 byte how many edits; for each 1 byte of what
 * kind, 3 where, and 1 or 16 new bytes. */
static size_t edit(struct fuzz_stream *stream) {
    int cut = fuzz_byte(stream) % 8 == 7;
    size_t at = (size_t)fuzz_byte(stream) << 16 | (size_t)fuzz_byte(stream) << 8;
    size_t size = cut ? (at | fuzz_byte(stream)) % image_size : image_size;

    memcpy(bytes, image, image_size);
    for (int edits = 1 + fuzz_byte(stream) % 4; edits > 0; edits--) {
        uint8_t kind = fuzz_byte(stream);

        at = (size_t)fuzz_byte(stream) << 16 | (size_t)fuzz_byte(stream) << 8;
        at |= fuzz_byte(stream);
        at = kind % 4 == 0 ? at % image_size : places[at % place_count];
        for (int count = kind % 8 == 1 ? 16 : 1; count > 0 && at < image_size; count--) {
            bytes[at++] = fuzz_byte(stream);
        }
    }
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_stream stream = { data, size };
    canary_options options = CANARY_OPTIONS_INIT;
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx *ctx = NULL;
    uint8_t now[USERS];
    size_t length;
    int code;
    int fd;

    if (image == NULL) {
        set_up();
    }
    length = edit(&stream);
    fd = open(changed, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    FUZZ_CLAIM(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
    FUZZ_CLAIM(ftruncate(fd, (off_t)length) == 0);
    close(fd);

    options.flags = CANARY_OPEN_NO_WATCHER;
    code = canary_open(changed, "checkout", &options, &ctx, &error);
    FUZZ_CLAIM((code == CANARY_OK) == (ctx != NULL));
    if (code != CANARY_OK) {
        FUZZ_CLAIM(error.code == code && error.message[0] != '\0');
        return 0;
    }
    decide(ctx, now);
    for (int i = 0; i < USERS; i++) {
        FUZZ_CLAIM(now[i] <= before[i]);
    }
    if (size % 16 == 0) { /* slow, since it reads everything */
        (void)canary_verify(canary_ctx_store(ctx), NULL, NULL, NULL, NULL);
    }
    canary_close(&ctx);
    return 0;
}
