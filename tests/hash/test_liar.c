/* SPDX-License-Identifier: MIT */
/* A processor that computes wrongly: linked with --wrap, so that the library's own table of kernels
 * leads here. The program must see it in the log and in canary_info(), and nobody may be moved. */
#include "common.h"

#include <canary/canary.h>

#include "base/cpu.h"
#include "core/hash_kernels.h"

#define ROLLOUT "liar"

static unsigned lies;

/* Wrong for most, but not for every id: the first try alone would not show it. */
static uint32_t lie(uint32_t hash) {
    if (hash % 4 == 0) {
        return hash;
    }
    lies++;
    return hash + 1;
}

#define LYING_ONE(name)                                                                            \
    uint32_t __wrap_canary__hash_##name##_one(const struct canary__hash_start *start,              \
                                              const void *id, size_t size);                        \
    uint32_t __wrap_canary__hash_##name##_one(const struct canary__hash_start *start,              \
                                              const void *id, size_t size) {                       \
        return lie(canary__hash_sodium_one(start, id, size));                                      \
    }
#define LYING_MANY(name)                                                                           \
    void __wrap_canary__hash_##name##_many(const struct canary__hash_start *start,                 \
                                           const canary_user *users, size_t count,                 \
                                           uint32_t *hashes);                                      \
    void __wrap_canary__hash_##name##_many(const struct canary__hash_start *start,                 \
                                           const canary_user *users, size_t count,                 \
                                           uint32_t *hashes) {                                     \
        canary__hash_sodium_many(start, users, count, hashes);                                     \
        for (size_t i = 0; i < count; i++) {                                                       \
            hashes[i] = lie(hashes[i]);                                                            \
        }                                                                                          \
    }

LYING_ONE(shani)
LYING_MANY(shani)
LYING_MANY(avx2)
LYING_MANY(avx512)
LYING_ONE(armv8)
LYING_MANY(armv8)

struct log {
    unsigned lines;
    char text[4096];
};

static void keep_line(void *user_data, int level, const char *message) {
    struct log *log = user_data;

    if (strstr(message, "SHA-256") != NULL) {
        size_t used = strlen(log->text);

        assert_int_equal(level, CANARY_LOG_ERROR);
        snprintf(log->text + used, sizeof log->text - used, "%s\n", message);
        log->lines++;
    }
}

static void liars_are_dropped(void **state) {
    enum { USERS = 1000 };
    static char ids[USERS][24];
    static canary_user users[USERS];
    static uint8_t cohorts[USERS];
    struct log log = { 0, "" };
    canary_options options = { .size = sizeof options, .log = keep_line, .log_data = &log };
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };
    canary_ctx_info info = CANARY_CTX_INFO_INIT;
    unsigned features = canary__cpu_features();
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    uint64_t expected = 0;
    uint32_t marks = 0;
    unsigned liars = 0;

    (void)state;
    assert_int_equal(canary_store_open_memory(&options, &store, NULL), CANARY_OK);
    assert_int_equal(canary_create(store, &spec, NULL, NULL, NULL), CANARY_OK);
    assert_int_equal(canary_set_percentage(store, ROLLOUT, 5000, NULL, NULL, NULL, NULL),
                     CANARY_OK);
    assert_int_equal(canary_open_in(store, ROLLOUT, &options, &ctx, NULL), CANARY_OK);
    assert_int_equal(canary_info(ctx, &info), CANARY_OK);
    for (size_t i = 0; i + 1 < canary__hash_kernel_count; i++) {
        const struct canary__hash_kernel *kernel = &canary__hash_kernels[i];
        char quoted[40];

        if ((kernel->features & ~features) != 0) {
            continue;
        }
        snprintf(quoted, sizeof quoted, "\"%s\"", kernel->name);
        assert_non_null(strstr(log.text, quoted));
        marks |= kernel->mark;
        liars++;
    }
    assert_int_equal(info.hash_dropped, marks);
    assert_int_equal(log.lines, liars);
    assert_string_equal(info.hash_kernel, "libsodium");
    assert_string_equal(info.hash_many_kernel, "libsodium");
    for (int i = 0; i < USERS; i++) {
        uint32_t hash = 0;
        uint32_t right;

        users[i].size = (uint64_t)snprintf(ids[i], sizeof ids[i], "user-%d", i);
        users[i].id = ids[i];
        right = hash_right("", 0, ids[i], (size_t)users[i].size);
        assert_int_equal(canary_hash_user(NULL, ids[i], users[i].size, &hash), CANARY_OK);
        assert_int_equal(hash, right);
        assert_int_equal(canary_should_use_new(ctx, ids[i]), right % 100 < 50);
        expected += right % 100 < 50;
    }
    assert_int_equal(canary_decide_many(ctx, users, USERS, cohorts), expected);
    canary_close(&ctx);
    canary_store_close(&store);
    if (liars == 0) {
        print_message("this processor has no kernel but libsodium's, which is never wrong\n");
        skip();
    }
    assert_true(lies > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(liars_are_dropped) };

    unsetenv("CANARY_SHA256");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
