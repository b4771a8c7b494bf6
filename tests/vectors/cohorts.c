/* SPDX-License-Identifier: MIT */
/* Zero users moved: who of a million gets `new` at each percentage, held against what was recorded.
 */
#include <canary/canary.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium/crypto_hash_sha256.h>

#include "forced.h"

enum { USERS = 1000000, ID_ROOM = 12 };

static const char *cohorts_path;
static char (*ids)[ID_ROOM];
static canary_user *users;
static uint8_t *cohorts;

static int prepare(void **state) {
    (void)state;
    ids = malloc(USERS * sizeof *ids);
    users = malloc(USERS * sizeof *users);
    cohorts = malloc(USERS);
    assert_non_null(ids);
    assert_non_null(users);
    assert_non_null(cohorts);
    for (int i = 0; i < USERS; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "user-%d", i);

        memcpy(ids[i], text, ID_ROOM);
        users[i] = (canary_user){ ids[i], (uint64_t)length };
    }
    return 0;
}

static int clear(void **state) {
    (void)state;
    free(cohorts);
    free(users);
    free(ids);
    return 0;
}

static void unhex(const char *text, char *out, size_t room) {
    size_t size = strlen(text) / 2;

    assert_true(size < room);
    for (size_t i = 0; i < size; i++) {
        unsigned byte;

        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        out[i] = (char)byte;
    }
    out[size] = '\0';
}

static void compare(const char *salt, unsigned percentage, uint64_t expected, const char *digest) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = "recorded", .salt = salt };
    unsigned char hash[crypto_hash_sha256_BYTES];
    char text[2 * sizeof hash + 1];
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    uint64_t sum = 0;

    assert_int_equal(canary_store_open_memory(NULL, &store, NULL), CANARY_OK);
    assert_int_equal(canary_create(store, &spec, NULL, NULL, NULL), CANARY_OK);
    assert_int_equal(canary_set_percentage(store, "recorded", percentage, NULL, NULL, NULL, NULL),
                     CANARY_OK);
    assert_int_equal(canary_open_in(store, "recorded", NULL, &ctx, NULL), CANARY_OK);
    memset(cohorts, 77, USERS);
    assert_int_equal(canary_decide_many(ctx, users, USERS, cohorts), expected);
    for (int i = 0; i < USERS; i++) {
        sum += cohorts[i];
    }
    assert_int_equal(sum, expected);
    crypto_hash_sha256(hash, cohorts, USERS);
    for (size_t i = 0; i < sizeof hash; i++) {
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
    assert_string_equal(text, digest);
    /* The single call is another path through the library. */
    for (int i = 0; i < USERS; i += 7) {
        if (canary_should_use_new(ctx, ids[i]) != cohorts[i]) {
            fail_msg("\"%s\" gets another cohort alone than in the batch", ids[i]);
        }
    }
    canary_close(&ctx);
    canary_store_close(&store);
}

static void nobody_moved(void **state) {
    FILE *file = fopen(cohorts_path, "r");
    char line[1002];
    unsigned lines = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char hex[1000];
        char salt[CANARY_SALT_MAX + 1] = "";
        char digest[65];
        unsigned percentage;
        unsigned long long expected;

        if (line[0] == '#') {
            continue;
        }
        assert_int_equal(
            sscanf(line, "%999[^\t]\t%u\t%llu\t%64s", hex, &percentage, &expected, digest), 4);
        if (strcmp(hex, "-") != 0) {
            unhex(hex, salt, sizeof salt);
        }
        compare(salt, percentage, expected, digest);
        lines++;
    }
    fclose(file);
    assert_true(lines >= 10);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(nobody_moved) };
    int status = forced_kernel();

    if (argc != 2) {
        fprintf(stderr, "usage: %s cohorts.tsv\n", argv[0]);
        return 2;
    }
    if (status != 0) {
        return status;
    }
    cohorts_path = argv[1];
    return cmocka_run_group_tests(tests, prepare, clear);
}
