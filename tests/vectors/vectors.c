/* SPDX-License-Identifier: MIT */
/* Every line of vectors.tsv through the hash call and through every way to decide, at the
 * percentage that just leaves the user out and at the one that just takes him in. */
#include <canary/canary.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "forced.h"

#define ROLLOUT "vectors"

enum { LINE_MAX_BYTES = 1000, ID_MAX = 256 };

struct vector {
    unsigned char id[ID_MAX];
    size_t size;
    char salt[CANARY_SALT_MAX + 1];
    uint32_t hash;
    uint32_t bucket;
    unsigned line;
};

static const char *vectors_path;
static struct vector *vectors;
static size_t vector_count;

static size_t unhex(const char *text, unsigned char *out, size_t room) {
    size_t size = strlen(text) / 2;

    assert_true(size <= room && strlen(text) % 2 == 0);
    for (size_t i = 0; i < size; i++) {
        unsigned byte;

        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        out[i] = (unsigned char)byte;
    }
    return size;
}

static void parse(const char *line, struct vector *vector) {
    char id[LINE_MAX_BYTES];
    char salt[LINE_MAX_BYTES];

    assert_int_equal(
        sscanf(line, "%999[^\t]\t%999[^\t]\t%u\t%u", id, salt, &vector->hash, &vector->bucket), 4);
    vector->size = unhex(id, vector->id, ID_MAX - 1);
    if (strcmp(salt, "-") != 0) {
        unhex(salt, (unsigned char *)vector->salt, CANARY_SALT_MAX);
    }
}

static int by_salt_and_bucket(const void *a, const void *b) {
    const struct vector *x = a;
    const struct vector *y = b;
    int order = strcmp(x->salt, y->salt);

    return order != 0 ? order : (x->bucket > y->bucket) - (x->bucket < y->bucket);
}

static int load(void **state) {
    char line[LINE_MAX_BYTES + 2];
    FILE *file = fopen(vectors_path, "r");
    size_t room = 0;

    (void)state;
    assert_non_null(file);
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        if (line[0] == '#') {
            continue;
        }
        if (vector_count == room) {
            room = room == 0 ? 4096 : room * 2;
            vectors = realloc(vectors, room * sizeof *vectors);
            assert_non_null(vectors);
        }
        memset(&vectors[vector_count], 0, sizeof *vectors);
        vectors[vector_count].line = number;
        parse(line, &vectors[vector_count++]);
    }
    fclose(file);
    qsort(vectors, vector_count, sizeof *vectors, by_salt_and_bucket);
    return 0;
}

static int unload(void **state) {
    (void)state;
    free(vectors);
    return 0;
}

static void hash_and_bucket(void **state) {
    (void)state;
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *v = &vectors[i];
        uint32_t hash = 0;

        assert_int_equal(canary_hash_user(v->salt, v->id, v->size, &hash), CANARY_OK);
        if (hash != v->hash || canary_bucket_from_hash(hash) != v->bucket) {
            fail_msg("%s:%u: h %u bucket %u, recorded %u and %u", vectors_path, v->line, hash,
                     canary_bucket_from_hash(hash), v->hash, v->bucket);
        }
        if (v->salt[0] == '\0') {
            hash = 0;
            assert_int_equal(canary_hash_user(NULL, v->id, v->size, &hash), CANARY_OK);
            assert_int_equal(hash, v->hash);
        }
    }
}

/* The file itself must be what the other languages rely on. */
static void file_is_complete(void **state) {
    static unsigned char buckets[CANARY_BUCKETS];
    unsigned char lengths[ID_MAX] = { 0 };
    unsigned with_nul = 0;
    unsigned salts = 1;

    (void)state;
    assert_true(vector_count >= 10000);
    for (size_t i = 0; i < vector_count; i++) {
        const struct vector *v = &vectors[i];

        assert_true(v->bucket < CANARY_BUCKETS);
        buckets[v->bucket] |= v->salt[0] == '\0';
        lengths[v->size] = 1;
        with_nul += memchr(v->id, 0, v->size) != NULL;
        salts += i > 0 && strcmp(v->salt, vectors[i - 1].salt) != 0;
    }
    for (unsigned b = 0; b < CANARY_BUCKETS; b++) {
        if (!buckets[b]) {
            fail_msg("no id for bucket %u", b);
        }
    }
    for (unsigned length = 1; length <= 200; length++) {
        if (!lengths[length]) {
            fail_msg("no id of %u bytes", length);
        }
    }
    assert_true(with_nul >= 400);
    assert_true(salts >= 6);
}

static void known_answers(void **state) {
    static const struct {
        const char *salt;
        const char *id;
        uint32_t hash;
        uint32_t bucket;
    } known[] = {
        { NULL, "alice", 735577801u, 178 },
        { "", "bob", 2176202712u, 1227 },
        { "", "user-1", 3334638052u, 5280 },
        { "spring", "alice", 196761749u, 4917 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t hash = 0;

        assert_int_equal(canary_hash_user(known[i].salt, known[i].id, strlen(known[i].id), &hash),
                         CANARY_OK);
        assert_int_equal(hash, known[i].hash);
        assert_int_equal(canary_bucket_from_hash(hash), known[i].bucket);
    }
}

static void wrong(const struct vector *v, const char *call, uint32_t percentage) {
    fail_msg("%s:%u: %s is wrong at %u basis points for bucket %u", vectors_path, v->line, call,
             percentage, v->bucket);
}

static void decide(canary_ctx *ctx, const struct vector *v, uint32_t percentage) {
    int expected = v->bucket < percentage;
    int reason =
        percentage == 0 || percentage == CANARY_BP_MAX ? CANARY_REASON_STATIC : CANARY_REASON_SPLIT;
    canary_decision decision = CANARY_DECISION_INIT;
    canary_user user = { v->id, v->size };
    uint8_t cohort = 77;

    if (canary_should_use_new_n(ctx, v->id, v->size) != expected) {
        wrong(v, "canary_should_use_new_n", percentage);
    }
    if (memchr(v->id, 0, v->size) == NULL &&
        canary_should_use_new(ctx, (const char *)v->id) != expected) {
        wrong(v, "canary_should_use_new", percentage);
    }
    if (canary_should_use_new_hash(ctx, v->id, v->size, v->hash) != expected ||
        canary_should_use_new_hash(ctx, NULL, 0, v->hash) != expected) {
        wrong(v, "canary_should_use_new_hash", percentage);
    }
    if (canary_should_use_new_bucket(ctx, v->bucket) != expected) {
        wrong(v, "canary_should_use_new_bucket", percentage);
    }
    if (canary_explain(ctx, v->id, v->size, &decision) != CANARY_OK ||
        decision.cohort != expected || decision.reason != reason || decision.hash != v->hash ||
        decision.bucket != v->bucket || decision.percentage_bp != percentage ||
        decision.effective_bp != percentage) {
        wrong(v, "canary_explain", percentage);
    }
    if (canary_decide_many(ctx, &user, 1, &cohort) != (uint64_t)expected || cohort != expected) {
        wrong(v, "canary_decide_many", percentage);
    }
}

static void set(canary_store *store, uint32_t percentage) {
    canary_error error = CANARY_ERROR_INIT;

    if (canary_set_percentage(store, ROLLOUT, percentage, NULL, NULL, NULL, &error) != CANARY_OK) {
        fail_msg("%s", error.message);
    }
}

/* Vectors `from` to `to` - 1 share a salt and are sorted by bucket. A change costs more than a
 * decision, so each percentage is set once, and serves the bucket it leaves out and the one it
 * takes in. */
static void decide_one_salt(size_t from, size_t to) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT, .salt = vectors[from].salt };
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    size_t low = from;

    assert_int_equal(canary_store_open_memory(NULL, &store, NULL), CANARY_OK);
    assert_int_equal(canary_create(store, &spec, NULL, NULL, NULL), CANARY_OK);
    assert_int_equal(canary_open_in(store, ROLLOUT, NULL, &ctx, NULL), CANARY_OK);
    for (uint32_t percentage = 0; percentage <= CANARY_BP_MAX && low < to; percentage++) {
        size_t i = low;

        if (vectors[low].bucket > percentage) {
            continue;
        }
        set(store, percentage);
        for (; i < to && vectors[i].bucket <= percentage; i++) {
            decide(ctx, &vectors[i], percentage);
            if (vectors[i].bucket < percentage) {
                low = i + 1;
            }
        }
    }
    assert_int_equal(low, to);
    canary_close(&ctx);
    canary_store_close(&store);
}

static void decisions_at_the_edges(void **state) {
    size_t from = 0;

    (void)state;
    for (size_t i = 1; i <= vector_count; i++) {
        if (i == vector_count || strcmp(vectors[i].salt, vectors[from].salt) != 0) {
            decide_one_salt(from, i);
            from = i;
        }
    }
}

/* All at once gives what one by one gives, and counts right. */
static void batch_of_all(void **state) {
    static const uint32_t percentages[] = { 0, 1, 500, 2500, 5000, 9999, 10000 };
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };
    canary_user *users = calloc(vector_count, sizeof *users);
    uint8_t *cohorts = malloc(vector_count);
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;
    size_t count = 0;

    (void)state;
    assert_non_null(users);
    assert_non_null(cohorts);
    while (count < vector_count && vectors[count].salt[0] == '\0') {
        users[count] = (canary_user){ vectors[count].id, vectors[count].size };
        count++;
    }
    assert_int_equal(canary_store_open_memory(NULL, &store, NULL), CANARY_OK);
    assert_int_equal(canary_create(store, &spec, NULL, NULL, NULL), CANARY_OK);
    assert_int_equal(canary_open_in(store, ROLLOUT, NULL, &ctx, NULL), CANARY_OK);
    for (size_t p = 0; p < sizeof percentages / sizeof percentages[0]; p++) {
        uint64_t expected = 0;

        set(store, percentages[p]);
        memset(cohorts, 77, vector_count);
        for (size_t i = 0; i < count; i++) {
            expected += vectors[i].bucket < percentages[p];
        }
        assert_int_equal(canary_decide_many(ctx, users, count, cohorts), expected);
        for (size_t i = 0; i < count; i++) {
            if (cohorts[i] != (vectors[i].bucket < percentages[p])) {
                wrong(&vectors[i], "canary_decide_many", percentages[p]);
            }
        }
    }
    canary_close(&ctx);
    canary_store_close(&store);
    free(cohorts);
    free(users);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_is_complete), cmocka_unit_test(known_answers),
        cmocka_unit_test(hash_and_bucket),  cmocka_unit_test(decisions_at_the_edges),
        cmocka_unit_test(batch_of_all),
    };
    int status = forced_kernel();

    if (argc != 2) {
        fprintf(stderr, "usage: %s vectors.tsv\n", argv[0]);
        return 2;
    }
    if (status != 0) {
        return status;
    }
    vectors_path = argv[1];
    return cmocka_run_group_tests(tests, load, unload);
}
