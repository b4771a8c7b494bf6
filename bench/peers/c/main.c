/* SPDX-License-Identifier: MIT */
/* libcanary from C, in the loop that goes around every peer. PEER_WHAT is `single`, one call a
 * user; `many`, canary_decide_many() over slices of 1000; `hash`, the hash that a decision needs
 * and no decision; `create`, which makes the store that all runners of libcanary open, and ends.
 * PROTOCOL.md says what goes over the pipes. */
#include <canary/canary.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IDS = 1000000, SLICE = 1000 };

static canary_user users[IDS];

static void fail(const char *what, const canary_error *error) {
    fprintf(stderr, "%s: %s\n", what, error->message);
    exit(1);
}

static void create_store(const char *path) {
    canary_error error = CANARY_ERROR_INIT;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = "checkout" };
    canary_store *store = NULL;

    options.flags = CANARY_OPEN_CREATE;
    if (canary_store_open(path, &options, &store, &error) != CANARY_OK ||
        canary_create(store, &spec, NULL, NULL, &error) != CANARY_OK ||
        canary_set_percentage(store, "checkout", 2500, NULL, NULL, NULL, &error) != CANARY_OK) {
        fail(path, &error);
    }
    canary_store_close(&store);
}

static void read_ids(const char *path) {
    FILE *file = fopen(path, "r");
    char *text;
    long size;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0) {
        perror(path);
        exit(1);
    }
    rewind(file);
    text = malloc((size_t)size + 1);
    if (text == NULL || fread(text, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        exit(1);
    }
    text[size] = '\0';
    fclose(file);
    for (int i = 0; i < IDS; i++) {
        char *end = strchr(text, '\n');

        if (end == NULL) {
            fprintf(stderr, "%s: fewer than %d ids\n", path, IDS);
            exit(1);
        }
        *end = '\0';
        users[i].id = text;
        users[i].size = (uint64_t)(end - text);
        text = end + 1;
    }
}

static uint64_t single(canary_ctx *ctx, const canary_user *from, uint64_t count) {
    uint64_t hits = 0;

    for (uint64_t i = 0; i < count; i++) {
        hits += (uint64_t)canary_should_use_new_n(ctx, from[i].id, from[i].size);
    }
    return hits;
}

static uint64_t many(canary_ctx *ctx, const canary_user *from, uint64_t count) {
    static uint8_t cohorts[SLICE];
    uint64_t hits = 0;

    while (count > 0) {
        uint64_t part = count < SLICE ? count : SLICE;

        hits += canary_decide_many(ctx, from, part, cohorts);
        from += part;
        count -= part;
    }
    return hits;
}

static uint64_t hash(canary_ctx *ctx, const canary_user *from, uint64_t count) {
    uint64_t hits = 0;

    (void)ctx;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t found = 0;

        canary_hash_user(NULL, from[i].id, from[i].size, &found);
        hits += found % 100 < 25;
    }
    return hits;
}

static int64_t now(void) {
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int main(int argc, char **argv) {
    const char *what = getenv("PEER_WHAT");
    const char *path = getenv("PEER_STORE");
    canary_error error = CANARY_ERROR_INIT;
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    uint64_t (*decide)(canary_ctx *, const canary_user *, uint64_t) = single;
    canary_ctx *ctx = NULL;
    uint64_t offset;
    uint64_t count;

    if (what == NULL || path == NULL) {
        fprintf(stderr, "PEER_WHAT and PEER_STORE are not set\n");
        return 2;
    }
    if (strcmp(what, "create") == 0) {
        create_store(path);
        return 0;
    }
    if (argc != 2) {
        fprintf(stderr, "usage: %s IDS\n", argv[0]);
        return 2;
    }
    if (strcmp(what, "many") == 0) {
        decide = many;
    } else if (strcmp(what, "hash") == 0) {
        decide = hash;
    }
    read_ids(argv[1]);
    if (canary_open(path, "checkout", NULL, &ctx, &error) != CANARY_OK) {
        fail(path, &error);
    }
    canary_info(ctx, &info);
    printf("{\"version\": \"%s\", \"modes\": [\"call\"], \"kernels\": \"%s (one user) and %s "
           "(many)\"}\n",
           canary_version(), info.hash_kernel, info.hash_many_kernel);
    fflush(stdout);
    while (scanf("%*s %" SCNu64 " %" SCNu64, &offset, &count) == 2) {
        uint64_t hits = 0;
        int64_t start = now();

        for (uint64_t next = offset % IDS; count > 0; next = 0) {
            uint64_t part = count < IDS - next ? count : IDS - next;

            hits += decide(ctx, users + next, part);
            count -= part;
        }
        printf("%" PRId64 " %" PRIu64 "\n", now() - start, hits);
        fflush(stdout);
    }
    canary_close(&ctx);
    return 0;
}
