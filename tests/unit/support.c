/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

static int64_t clock_of(void *user_data, int clock) {
    const struct unit *unit = user_data;

    return clock == CANARY_CLOCK_REALTIME ? unit->realtime : unit->monotonic;
}

static void keep_line(void *user_data, int level, const char *message) {
    struct unit *unit = user_data;
    size_t length = strlen(message);

    assert_true(level >= CANARY_LOG_ERROR && level <= CANARY_LOG_DEBUG);
    assert_true(canary__text_is_utf8(message, 1000, 1));
    if (length + 2 > sizeof unit->log - unit->log_used) {
        return;
    }
    memcpy(unit->log + unit->log_used, message, length);
    unit->log_used += length;
    unit->log[unit->log_used++] = '\n';
    unit->log[unit->log_used] = '\0';
    unit->log_level = level;
}

static void make_path(struct unit *unit) {
    const char *base = getenv("TMPDIR");
    char directory[256];

    snprintf(directory, sizeof directory, "%s/canary-unit-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(directory));
    snprintf(unit->path, sizeof unit->path, "%s/store.db", directory);
}

static const char *const files[] = { "",     "-journal", "-doorbell", "-saved",
                                     "-wal", "-shm",     "-metrics",  "-metrics-journal" };

static void remove_path(struct unit *unit) {
    char name[600];

    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(name, sizeof name, "%s%s", unit->path, files[i]);
        (void)unlink(name);
    }
    *strrchr(unit->path, '/') = '\0';
    assert_int_equal(rmdir(unit->path), 0);
}

static struct unit *blank(int kind) {
    struct unit *unit = calloc(1, sizeof *unit);

    assert_non_null(unit);
    unit->kind = kind;
    unit->realtime = UNIT_NOW;
    unit->monotonic = 1000000000;
    unit->options = (canary_options)CANARY_OPTIONS_INIT;
    unit->options.flags = CANARY_OPEN_CREATE | CANARY_OPEN_NO_WATCHER;
    unit->options.clock = clock_of;
    unit->options.clock_data = unit;
    unit->options.log = keep_line;
    unit->options.log_data = unit;
    unit->options.log_level = CANARY_LOG_DEBUG;
    return unit;
}

struct unit *unit_new(int kind) {
    struct unit *unit = blank(kind);

    if (kind == UNIT_MEMORY) {
        OK(canary_store_open_memory(&unit->options, &unit->store, &error));
    } else {
        make_path(unit);
        OK(canary_store_open(unit->path, &unit->options, &unit->store, &error));
    }
    return unit;
}

static void copy_file(const char *from, const char *to) {
    static char bytes[1 << 16];
    FILE *in = fopen(from, "rb");
    FILE *out;
    size_t size;

    if (in == NULL) {
        return;
    }
    out = fopen(to, "wb");
    assert_non_null(out);
    while ((size = fread(bytes, 1, sizeof bytes, in)) > 0) {
        assert_int_equal(fwrite(bytes, 1, size, out), size);
    }
    assert_int_equal(fclose(out), 0);
    fclose(in);
}

struct unit *unit_copy(const struct unit *from) {
    struct unit *unit = blank(UNIT_SQLITE);

    make_path(unit);
    for (size_t i = 0; i < COUNT(files); i++) {
        char source[600];
        char target[600];

        snprintf(source, sizeof source, "%s%s", from->path, files[i]);
        snprintf(target, sizeof target, "%s%s", unit->path, files[i]);
        copy_file(source, target);
    }
    unit->realtime = from->realtime;
    unit->monotonic = from->monotonic;
    OK(canary_store_open(unit->path, &unit->options, &unit->store, &error));
    return unit;
}

void unit_free(struct unit *unit) {
    canary_store_close(&unit->store);
    assert_null(unit->store);
    if (unit->kind == UNIT_SQLITE) {
        remove_path(unit);
    }
    free(unit);
}

canary_store *unit_another(struct unit *unit) {
    canary_store *store = NULL;

    assert_int_equal(unit->kind, UNIT_SQLITE);
    OK(canary_store_open(unit->path, &unit->options, &store, &error));
    return store;
}

int unit_setup_memory(void **state) {
    *state = unit_new(UNIT_MEMORY);
    return 0;
}

int unit_setup_sqlite(void **state) {
    *state = unit_new(UNIT_SQLITE);
    return 0;
}

int unit_teardown(void **state) {
    unit_free(*state);
    return 0;
}

void unit_check_error(const char *call, const canary_error *error, int code, const char *first,
                      const char *second) {
    if (error->code != code || error->size != sizeof *error) {
        fail_msg("%s: the error holds code %d, size %u", call, error->code, error->size);
    }
    if (error->message[0] == '\0' ||
        !canary__text_is_utf8(error->message, sizeof error->message - 1, 1)) {
        fail_msg("%s: the message is not one line of UTF-8: \"%s\"", call, error->message);
    }
    if (strstr(error->message, first) == NULL || strstr(error->message, second) == NULL) {
        fail_msg("%s: the message lacks \"%s\" or \"%s\": %s", call, first, second, error->message);
    }
}

void unit_create(struct unit *unit, const char *name) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = name };

    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
}

void unit_set(struct unit *unit, const char *name, uint32_t percentage_bp) {
    OK(canary_set_percentage(unit->store, name, percentage_bp, NULL, NULL, NULL, &error));
}

canary_ctx *unit_open(struct unit *unit, const char *name) {
    canary_ctx *ctx = NULL;

    OK(canary_open_in(unit->store, name, NULL, &ctx, &error));
    return ctx;
}

canary_rollout unit_read(struct unit *unit, const char *name) {
    canary_rollout rollout;

    memset(&rollout, 0xa5, sizeof rollout);
    rollout.size = sizeof rollout;
    OK(canary_rollout_read(unit->store, name, &rollout, &error));
    return rollout;
}

canary_rollout unit_begin_at(struct unit *unit, const char *name, uint32_t percentage_bp) {
    canary_change_options by = unit_by("alice@example.com");

    by.note = "as agreed on Monday";
    unit_create(unit, name);
    OK(canary_set_percentage(unit->store, name, percentage_bp, NULL, &by, NULL, &error));
    return unit_read(unit, name);
}

void unit_unchanged(struct unit *unit, const canary_rollout *before) {
    canary_rollout now = unit_read(unit, before->name);

    assert_memory_equal(&now, before, sizeof now);
}

canary_ctx_info unit_info(canary_ctx *ctx) {
    canary_ctx_info info;

    memset(&info, 0xa5, sizeof info);
    info.size = sizeof info;
    assert_int_equal(canary_info(ctx, &info), CANARY_OK);
    return info;
}

canary_change_options unit_by(const char *who) {
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;

    options.by = who;
    return options;
}

int unit_all(const void *bytes, size_t size, int byte) {
    for (size_t i = 0; i < size; i++) {
        if (((const unsigned char *)bytes)[i] != byte) {
            return 0;
        }
    }
    return 1;
}

uint64_t unit_seed(void) {
    static uint64_t seed;
    static int known;

    if (!known) {
        const char *text = getenv("CANARY_TEST_SEED");
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        seed = text != NULL ? strtoull(text, NULL, 0)
                            : (uint64_t)now.tv_sec * 1000003 ^ (uint64_t)now.tv_nsec;
        known = 1;
        printf("CANARY_TEST_SEED=%" PRIu64 "\n", seed);
    }
    return seed;
}

/* SplitMix64. */
uint64_t unit_random(uint64_t *seed) {
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t unit_bucket(const char *salt, const void *id, size_t size) {
    uint32_t hash = 0;

    assert_int_equal(canary_hash_user(salt, id, size, &hash), CANARY_OK);
    return canary_bucket_from_hash(hash);
}

void unit_user_in(const char *salt, const char *prefix, uint32_t from, uint32_t to, char *out,
                  size_t size) {
    for (unsigned i = 0; i < 10000000; i++) {
        uint32_t bucket;

        snprintf(out, size, "%s%u", prefix, i);
        bucket = unit_bucket(salt, out, strlen(out));
        if (bucket >= from && bucket < to) {
            return;
        }
    }
    fail_msg("no user found in buckets %u to %u", from, to);
}
