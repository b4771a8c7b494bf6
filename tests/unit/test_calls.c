/* SPDX-License-Identifier: MIT */
/* Arguments and answers of the calls that decide: what cannot fail must not, whatever it is given. */
#include "support.h"

#define ROLLOUT "calls"

static canary_ctx *fully_open(struct unit *unit) {
    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, CANARY_BP_MAX);
    return unit_open(unit, ROLLOUT);
}

static void no_context(void **state) {
    canary_decision d = CANARY_DECISION_INIT;
    canary_user users[2] = { { "a", 1 }, { "b", 1 } };
    uint8_t cohorts[2] = { 77, 77 };
    canary_ctx *none = NULL;
    canary_ctx_info info = CANARY_CTX_INFO_INIT;

    (void)state;
    assert_int_equal(canary_should_use_new(NULL, "alice"), 0);
    assert_int_equal(canary_should_use_new(NULL, NULL), 0);
    assert_int_equal(canary_should_use_new_n(NULL, "alice", 5), 0);
    assert_int_equal(canary_should_use_new_hash(NULL, "alice", 5, 0), 0);
    assert_int_equal(canary_should_use_new_bucket(NULL, 0), 0);
    assert_int_equal(canary_decide_many(NULL, users, 2, cohorts), 0);
    assert_int_equal(cohorts[0] | cohorts[1], 0);
    assert_int_equal(canary_explain(NULL, "alice", 5, &d), CANARY_OK);
    assert_int_equal(d.reason, CANARY_REASON_INVALID);
    assert_int_equal(d.cohort, CANARY_OLD);
    assert_int_equal(d.stage, -1);
    assert_int_equal(d.age_ns, -1);
    assert_int_equal(d.bucket, CANARY_BUCKET_NONE);
    assert_null(canary_ctx_store(NULL));
    assert_int_equal(canary_info(NULL, &info), CANARY_E_INVALID);
    canary_close(NULL);
    canary_close(&none);
    canary_store_close(NULL);
    canary_store_close(&(canary_store *){ NULL });
    assert_int_equal(canary_refresh(NULL, NULL), CANARY_E_INVALID);
}

static void batches_of_nothing(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = fully_open(unit);
    canary_user users[2] = { { "a", 1 }, { "b", 1 } };
    uint8_t cohorts[2] = { 77, 77 };

    assert_int_equal(canary_decide_many(ctx, NULL, 0, NULL), 0);
    assert_int_equal(canary_decide_many(ctx, users, 0, cohorts), 0);
    assert_int_equal(canary_decide_many(ctx, NULL, 2, cohorts), 0);
    assert_int_equal(canary_decide_many(NULL, NULL, 2, cohorts), 0);
    assert_int_equal(canary_decide_many(ctx, users, 2, NULL), 0);
    assert_true(unit_all(cohorts, sizeof cohorts, 77));
    assert_int_equal(canary_decide_many(ctx, users, 1, cohorts), 1);
    assert_int_equal(cohorts[0], 1);
    assert_int_equal(cohorts[1], 77);
    canary_close(&ctx);
}

/* Sizes next to each other keep their bytes apart: one too many read would change the hash. */
static void length_is_respected(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;
    char id[301];
    uint64_t seed = unit_seed();

    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, 5000);
    ctx = unit_open(unit, ROLLOUT);
    for (size_t size = 1; size <= 300; size++) {
        canary_decision d = CANARY_DECISION_INIT;

        for (size_t i = 0; i < size; i++) {
            id[i] = (char)('!' + unit_random(&seed) % 90);
        }
        id[size] = 'x';
        assert_int_equal(canary_explain(ctx, id, size, &d), CANARY_OK);
        assert_int_equal(d.bucket, unit_bucket(NULL, id, size));
        assert_int_equal(canary_should_use_new_n(ctx, id, size), d.bucket < 5000);
        id[size] = '\0';
        assert_int_equal(canary_should_use_new(ctx, id), d.bucket < 5000);
        /* The twin goes on behind a NUL, where the other ends. */
        if (size > 1) {
            id[size / 2] = '\0';
            assert_int_equal(canary_should_use_new_n(ctx, id, size),
                             unit_bucket(NULL, id, size) < 5000);
            assert_int_equal(canary_should_use_new(ctx, id),
                             unit_bucket(NULL, id, size / 2) < 5000);
        }
    }
    canary_close(&ctx);
}

/* A hash made once serves rollouts of one salt; a hash of another salt gives that one's bucket. */
static void hash_serves_many_rollouts(void **state) {
    struct unit *unit = *state;
    canary_ctx *low;
    canary_ctx *high;

    unit_create(unit, "low");
    unit_create(unit, "high");
    unit_set(unit, "low", 1000);
    unit_set(unit, "high", 7000);
    low = unit_open(unit, "low");
    high = unit_open(unit, "high");
    for (int i = 0; i < 2000; i++) {
        char id[32];
        int size = snprintf(id, sizeof id, "user-%d", i);
        uint32_t hash;

        assert_int_equal(canary_hash_user(NULL, id, (uint64_t)size, &hash), CANARY_OK);
        assert_int_equal(canary_should_use_new_hash(low, id, (uint64_t)size, hash),
                         canary_should_use_new(low, id));
        assert_int_equal(canary_should_use_new_hash(high, NULL, 0, hash),
                         canary_should_use_new(high, id));
        assert_int_equal(canary_should_use_new_bucket(high, canary_bucket_from_hash(hash)),
                         canary_should_use_new(high, id));
        /* Someone in the smaller share is in the greater one. */
        assert_true(canary_should_use_new(low, id) <= canary_should_use_new(high, id));
    }
    canary_close(&low);
    canary_close(&high);
}

static void every_bucket_at_every_whole_percent(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;

    unit_create(unit, ROLLOUT);
    ctx = unit_open(unit, ROLLOUT);
    for (uint32_t percentage = 0; percentage <= CANARY_BP_MAX; percentage += 100) {
        unit_set(unit, ROLLOUT, percentage);
        for (uint32_t bucket = 0; bucket < CANARY_BUCKETS; bucket++) {
            if (canary_should_use_new_bucket(ctx, bucket) != (bucket < percentage)) {
                fail_msg("bucket %u at %u", bucket, percentage);
            }
        }
        assert_int_equal(canary_should_use_new_bucket(ctx, CANARY_BUCKETS), 0);
        assert_int_equal(canary_should_use_new_bucket(ctx, UINT32_MAX), 0);
    }
    canary_close(&ctx);
}

static void hash_refuses_bad_input(void **state) {
    char salt[CANARY_SALT_MAX + 2];
    uint32_t hash = 4711;

    (void)state;
    memset(salt, 's', sizeof salt);
    salt[CANARY_SALT_MAX + 1] = '\0';
    assert_int_equal(canary_hash_user(NULL, NULL, 5, &hash), CANARY_E_INVALID);
    assert_int_equal(canary_hash_user(NULL, "alice", 0, &hash), CANARY_E_INVALID);
    assert_int_equal(canary_hash_user(NULL, "alice", 5, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_hash_user(salt, "alice", 5, &hash), CANARY_E_INVALID);
    assert_int_equal(hash, 4711);
    salt[CANARY_SALT_MAX] = '\0';
    assert_int_equal(canary_hash_user(salt, "alice", 5, &hash), CANARY_OK);
    assert_int_not_equal(hash, 4711);
}

static void explain_needs_room(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx = fully_open(unit);
    canary_decision d;

    memset(&d, 0xa5, sizeof d);
    d.size = 8;
    assert_int_equal(canary_explain(ctx, "alice", 5, NULL), CANARY_E_INVALID);
    assert_int_equal(canary_explain(ctx, "alice", 5, &d), CANARY_E_INVALID);
    assert_true(unit_all((char *)&d + 4, sizeof d - 4, 0xa5));
    assert_int_equal(canary_info(ctx, NULL), CANARY_E_INVALID);
    canary_close(&ctx);
    assert_null(ctx);
    canary_close(&ctx);
}

/* What explain says is what the rollout has: revision, stage and share move with each change. */
static void explain_tells_the_state(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;

    unit_create(unit, ROLLOUT);
    ctx = unit_open(unit, ROLLOUT);
    for (int stage = 0; stage <= 4; stage++) {
        static const uint32_t ladder[] = { 0, 500, 2500, 5000, 10000 };
        canary_decision d = CANARY_DECISION_INIT;

        assert_int_equal(canary_explain(ctx, "alice", 5, &d), CANARY_OK);
        assert_int_equal(d.size, sizeof d);
        assert_int_equal(d.stage, stage);
        assert_int_equal(d.percentage_bp, ladder[stage]);
        assert_int_equal(d.effective_bp, ladder[stage]);
        assert_int_equal(d.revision, stage + 1);
        assert_int_equal(d.hash, 735577801);
        assert_int_equal(d.bucket, 178);
        assert_int_equal(d.cohort, stage > 0);
        if (stage < 4) {
            OK(canary_advance(unit->store, ROLLOUT, NULL, NULL, &error));
        }
    }
    canary_close(&ctx);
}

/* Contexts outlive the handle that made them; the last one ends the store. */
static void context_outlives_its_store_handle(void **state) {
    struct unit *unit = *state;
    canary_ctx *one = fully_open(unit);
    canary_ctx *two = unit_open(unit, ROLLOUT);
    canary_store *borrowed;

    borrowed = canary_ctx_store(one);
    assert_ptr_equal(borrowed, unit->store);
    canary_store_close(&unit->store);
    assert_int_equal(canary_should_use_new(one, "alice"), 1);
    OK(canary_rollback(borrowed, ROLLOUT, 0, NULL, NULL, &error));
    canary_close(&one);
    assert_int_equal(canary_should_use_new(two, "alice"), 0);
    assert_int_equal(unit_info(two).percentage_bp, 0);
    canary_close(&two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_context),
        UNIT_MEMORY_ONLY(batches_of_nothing),
        UNIT_MEMORY_ONLY(length_is_respected),
        UNIT_MEMORY_ONLY(hash_serves_many_rollouts),
        UNIT_MEMORY_ONLY(every_bucket_at_every_whole_percent),
        cmocka_unit_test(hash_refuses_bad_input),
        UNIT_MEMORY_ONLY(explain_needs_room),
        UNIT_BOTH(explain_tells_the_state),
        UNIT_BOTH(context_outlives_its_store_handle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
