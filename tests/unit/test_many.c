/* SPDX-License-Identifier: MIT */
/* Many users at once, one user on many rollouts: the answers of the single decision, each time. */
#include "support.h"

#include "core/bucket.h"

enum { USERS = 1000, ID = 80 };

static char ids[USERS][ID];
static canary_user users[USERS];

/* Ids of every length that matters to a hash, and here and there nobody. */
static void make_users(uint64_t *seed) {
    for (size_t i = 0; i < USERS; i++) {
        size_t size = unit_random(seed) % (ID + 1);

        for (size_t k = 0; k < size; k++) {
            ids[i][k] = (char)(1 + unit_random(seed) % 255);
        }
        users[i].id = unit_random(seed) % 50 == 0 ? NULL : ids[i];
        users[i].size = size;
    }
}

static int alone(canary_ctx *ctx, const canary_user *user) {
    return canary_should_use_new_n(ctx, user->id, user->size);
}

static void compare(canary_ctx *ctx, size_t first, size_t count) {
    uint8_t cohorts[USERS + 2];
    uint64_t chosen;
    uint64_t expected = 0;

    memset(cohorts, 0x55, sizeof cohorts);
    chosen = canary_decide_many(ctx, users + first, count, cohorts + 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(cohorts[i + 1], alone(ctx, &users[first + i]));
        expected += cohorts[i + 1];
    }
    assert_int_equal(chosen, expected);
    assert_int_equal(cohorts[0], 0x55);
    assert_int_equal(cohorts[count + 1], 0x55);
}

static void create_salted(struct unit *unit, const char *name, const char *salt) {
    canary_rollout_spec spec = { .size = (uint32_t)sizeof spec, .name = name, .salt = salt };

    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
}

static void a_crowd_gets_what_each_would_get(void **state) {
    static const uint32_t percentages[] = { 0, 1, 99, 100, 750, 2500, 5001, 9999, 10000 };
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    canary_ctx *plain;
    canary_ctx *salted;

    unit_create(unit, "plain");
    create_salted(unit, "salted",
                  "a salt that is a little longer than one block of the hash, which is 64");
    plain = unit_open(unit, "plain");
    salted = unit_open(unit, "salted");
    for (size_t p = 0; p < COUNT(percentages); p++) {
        unit_set(unit, "plain", percentages[p]);
        unit_set(unit, "salted", percentages[p]);
        make_users(&seed);
        compare(plain, 0, USERS);
        compare(salted, 0, USERS);
        for (int i = 0; i < 50; i++) {
            size_t count = unit_random(&seed) % 70;

            compare(i % 2 ? plain : salted, unit_random(&seed) % (USERS - count), count);
        }
    }
    canary_close(&plain);
    canary_close(&salted);
}

static void pinned_users_stay_pinned_in_a_crowd(void **state) {
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    canary_ctx *ctx;

    unit_create(unit, "r");
    unit_set(unit, "r", 5000);
    make_users(&seed);
    for (size_t i = 0; i < USERS; i += 7) {
        if (users[i].id != NULL && users[i].size > 0) {
            OK(canary_override_set(unit->store, "r", users[i].id, users[i].size,
                                   i % 2 ? CANARY_NEW : CANARY_OLD, NULL, NULL, &error));
        }
    }
    ctx = unit_open(unit, "r");
    compare(ctx, 0, USERS);
    unit_set(unit, "r", 0);
    compare(ctx, 0, USERS);
    unit_set(unit, "r", 10000);
    compare(ctx, 0, USERS);
    canary_close(&ctx);
}

static void one_user_on_many_rollouts(void **state) {
    static const char *const salts[] = { "", "spring", "", "spring", "autumn", "spring", "", "" };
    enum { ROLLOUTS = COUNT(salts), ALL = ROLLOUTS + 1 };
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    canary_ctx *contexts[ALL];
    char name[16];

    for (size_t i = 0; i < ROLLOUTS; i++) {
        snprintf(name, sizeof name, "r%zu", i);
        create_salted(unit, name, salts[i]);
        unit_set(unit, name, i == 6 ? 0 : i == 7 ? 10000 : (uint32_t)(1000 * i + 1777));
        contexts[i] = unit_open(unit, name);
    }
    contexts[ROLLOUTS] = NULL;
    make_users(&seed);
    OK(canary_override_set(unit->store, "r0", "pinned", 6, CANARY_NEW, NULL, NULL, &error));
    OK(canary_override_set(unit->store, "r3", "pinned", 6, CANARY_OLD, NULL, NULL, &error));
    users[0] = (canary_user){ "pinned", 6 };
    canary_kill(contexts[5]);
    for (size_t u = 0; u < USERS; u++) {
        uint8_t cohorts[ALL] = { 9, 9, 9, 9, 9, 9, 9, 9, 9 };
        uint64_t expected = 0;
        uint64_t chosen =
            canary_decide_rollouts(contexts, ALL, users[u].id, users[u].size, cohorts);

        for (size_t i = 0; i < ALL; i++) {
            assert_int_equal(cohorts[i], alone(contexts[i], &users[u]));
            expected += cohorts[i];
        }
        assert_int_equal(chosen, expected);
    }
    for (size_t i = 0; i < ROLLOUTS; i++) {
        canary_close(&contexts[i]);
    }
}

static void a_rollout_not_loaded_yet_learns_its_salt_in_time(void **state) {
    struct unit *unit = *state;
    canary_options later = CANARY_OPTIONS_INIT;
    canary_ctx *contexts[2] = { NULL, NULL };
    uint8_t cohorts[2];

    later.flags = CANARY_OPEN_DEFER;
    unit_create(unit, "first");
    unit_set(unit, "first", 5000);
    contexts[0] = unit_open(unit, "first");
    OK(canary_open_in(unit->store, "second", &later, &contexts[1], &error));
    assert_int_equal(canary_decide_rollouts(contexts, 2, "alice", 5, cohorts), 1);
    assert_int_equal(cohorts[1], 0);
    create_salted(unit, "second", "spring");
    unit_set(unit, "second", 5000);
    OK(canary_refresh(unit->store, &error));
    for (int i = 0; i < 200; i++) {
        char id[16];
        uint64_t size = (uint64_t)snprintf(id, sizeof id, "user-%d", i);

        canary_decide_rollouts(contexts, 2, id, size, cohorts);
        assert_int_equal(cohorts[0], unit_bucket("", id, size) < 5000);
        assert_int_equal(cohorts[1], unit_bucket("spring", id, size) < 5000);
    }
    canary_close(&contexts[0]);
    canary_close(&contexts[1]);
}

static void bad_arguments_write_nothing(void **state) {
    struct unit *unit = *state;
    canary_ctx *contexts[1];
    uint8_t cohorts[1] = { 9 };

    unit_create(unit, "r");
    unit_set(unit, "r", 10000);
    contexts[0] = unit_open(unit, "r");
    assert_int_equal(canary_decide_rollouts(NULL, 1, "a", 1, cohorts), 0);
    assert_int_equal(canary_decide_rollouts(contexts, 1, "a", 1, NULL), 0);
    assert_int_equal(canary_decide_rollouts(NULL, 0, "a", 1, NULL), 0);
    assert_int_equal(cohorts[0], 9);
    assert_int_equal(canary_decide_rollouts(contexts, 1, "", 0, cohorts), 0);
    assert_int_equal(cohorts[0], 0);
    cohorts[0] = 9;
    assert_int_equal(canary_decide_rollouts(contexts, 1, NULL, 3, cohorts), 0);
    assert_int_equal(cohorts[0], 0);
    assert_int_equal(canary_decide_rollouts(contexts, 1, "a", 1, cohorts), 1);
    canary_close(&contexts[0]);
}

/* The shortcut against the contract, where it could go wrong: at the edges of what it multiplies. */
static void the_short_comparison_is_the_long_one(void **state) {
    uint64_t seed = unit_seed();

    (void)state;
    for (uint32_t bp = 0; bp < 10000; bp++) {
        assert_int_equal(canary__share_bp(canary__share_of(bp)), bp);
        for (int i = 0; i < 300; i++) {
            uint32_t hash = i == 0 ? 0 : i == 1 ? UINT32_MAX : (uint32_t)unit_random(&seed);

            if (i >= 150) { /* a bucket within one of the percentage */
                uint32_t bucket = (bp + 10000 + (uint32_t)(i % 3) - 1) % 10000;
                uint32_t base = (uint32_t)(unit_random(&seed) % 429496) * 10000;

                hash = base + bucket % 100 * 100 + bucket / 100;
                assert_int_equal(canary__bucket_of(hash), bucket);
            }
            assert_int_equal(canary__bucket_below(hash, canary__share_of(bp)),
                             canary__bucket_of(hash) < bp);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_MEMORY_ONLY(a_crowd_gets_what_each_would_get),
        UNIT_MEMORY_ONLY(pinned_users_stay_pinned_in_a_crowd),
        UNIT_MEMORY_ONLY(one_user_on_many_rollouts),
        UNIT_MEMORY_ONLY(a_rollout_not_loaded_yet_learns_its_salt_in_time),
        UNIT_MEMORY_ONLY(bad_arguments_write_nothing),
        cmocka_unit_test(the_short_comparison_is_the_long_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
