/* SPDX-License-Identifier: MIT */
/* What any ramp promises, whatever the users: raising only adds, the last added leave first, the same
 * users come back, buckets are even, salts are independent. */
#include "support.h"

enum { CROWD = 20000, MILLION = 1000000, ID_SIZE = 20 };

struct crowd {
    unsigned char ids[CROWD][ID_SIZE];
    canary_user users[CROWD];
    uint8_t before[CROWD];
    uint8_t after[CROWD];
};

static struct crowd crowd;

static void gather(uint64_t *seed) {
    for (int i = 0; i < CROWD; i++) {
        uint64_t size = 1 + unit_random(seed) % ID_SIZE;

        for (int j = 0; j < ID_SIZE; j++) {
            crowd.ids[i][j] = (unsigned char)unit_random(seed);
        }
        crowd.users[i] = (canary_user){ crowd.ids[i], size };
    }
}

static uint32_t any_percentage(uint64_t *seed) {
    static const uint32_t edges[] = { 0, 1, 99, 100, 101, 5000, 9900, 9999, 10000 };
    uint64_t pick = unit_random(seed);

    return pick % 4 == 0 ? edges[pick / 4 % COUNT(edges)] : (uint32_t)(pick / 4 % 10001);
}

static canary_ctx *rollout_with(struct unit *unit, const char *name, const char *salt) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = name, .salt = salt };

    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
    return unit_open(unit, name);
}

/* From any percentage to any other: nobody leaves on the way up, nobody joins on the way down, and
 * who was there before is there again. */
static void ramp_is_monotone(void **state) {
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    canary_ctx *ctx = rollout_with(unit, "ramp", "monotone");
    uint32_t from = 0;

    gather(&seed);
    unit_set(unit, "ramp", from);
    canary_decide_many(ctx, crowd.users, CROWD, crowd.before);
    for (int step = 0; step < 60; step++) {
        uint32_t to = any_percentage(&seed);

        unit_set(unit, "ramp", to);
        canary_decide_many(ctx, crowd.users, CROWD, crowd.after);
        for (int i = 0; i < CROWD; i++) {
            if (to >= from ? crowd.after[i] < crowd.before[i] : crowd.after[i] > crowd.before[i]) {
                fail_msg("user %d moved against the ramp from %u to %u", i, from, to);
            }
        }
        memcpy(crowd.before, crowd.after, sizeof crowd.before);
        from = to;
    }
    canary_close(&ctx);
}

/* Climb step by step and note when each user joined; descend, and each leaves at the same step. */
static void last_added_leaves_first(void **state) {
    static uint32_t joined[CROWD];
    struct unit *unit = *state;
    uint64_t seed = unit_seed() ^ 1;
    canary_ctx *ctx = rollout_with(unit, "ramp", NULL);
    uint32_t steps[40];

    gather(&seed);
    memset(joined, 0, sizeof joined);
    for (size_t s = 0; s < COUNT(steps); s++) {
        steps[s] = (uint32_t)(250 * (s + 1) - unit_random(&seed) % 250 * (s + 1 < COUNT(steps)));
        unit_set(unit, "ramp", steps[s]);
        canary_decide_many(ctx, crowd.users, CROWD, crowd.after);
        for (int i = 0; i < CROWD; i++) {
            if (crowd.after[i] && joined[i] == 0) {
                joined[i] = steps[s];
            }
        }
    }
    for (size_t s = COUNT(steps); s-- > 0;) {
        unit_set(unit, "ramp", steps[s]);
        canary_decide_many(ctx, crowd.users, CROWD, crowd.after);
        for (int i = 0; i < CROWD; i++) {
            if (crowd.after[i] != (joined[i] <= steps[s])) {
                fail_msg("user %d joined at %u and is %d at %u on the way down", i, joined[i],
                         crowd.after[i], steps[s]);
            }
        }
    }
    canary_close(&ctx);
}

/* Rolled back, closed, opened again, raised again; and a second rollout of another name: the same. */
static void restart_brings_the_same_users(void **state) {
    struct unit *unit = *state;
    uint64_t seed = unit_seed() ^ 2;
    canary_ctx *ctx = rollout_with(unit, "first", "same");
    canary_ctx *second = rollout_with(unit, "second", "same");

    gather(&seed);
    for (int round = 0; round < 5; round++) {
        uint32_t percentage = any_percentage(&seed);

        unit_set(unit, "first", percentage);
        canary_decide_many(ctx, crowd.users, CROWD, crowd.before);
        OK(canary_rollback(unit->store, "first", 0, NULL, NULL, &error));
        assert_int_equal(canary_decide_many(ctx, crowd.users, CROWD, crowd.after), 0);
        canary_close(&ctx);
        if (unit->kind == UNIT_SQLITE) {
            canary_store *fresh;

            canary_close(&second);
            canary_store_close(&unit->store);
            fresh = unit_another(unit);
            unit->store = fresh;
            second = unit_open(unit, "second");
        }
        ctx = unit_open(unit, "first");
        unit_set(unit, "first", percentage);
        canary_decide_many(ctx, crowd.users, CROWD, crowd.after);
        assert_memory_equal(crowd.before, crowd.after, sizeof crowd.before);
        unit_set(unit, "second", percentage);
        canary_decide_many(second, crowd.users, CROWD, crowd.after);
        assert_memory_equal(crowd.before, crowd.after, sizeof crowd.before);
    }
    canary_close(&second);
    canary_close(&ctx);
}

/* The rule of the systems users come from: h % 100 < p. */
static void whole_percentages_match_the_plain_rule(void **state) {
    static uint32_t hashes[CROWD];
    struct unit *unit = *state;
    uint64_t seed = unit_seed() ^ 3;
    canary_ctx *ctx = rollout_with(unit, "plain", NULL);

    gather(&seed);
    for (int i = 0; i < CROWD; i++) {
        OK(canary_hash_user(NULL, crowd.users[i].id, crowd.users[i].size, &hashes[i]) |
           (error.code = 0));
    }
    for (uint32_t percent = 0; percent <= 100; percent++) {
        unit_set(unit, "plain", percent * 100);
        canary_decide_many(ctx, crowd.users, CROWD, crowd.after);
        for (int i = 0; i < CROWD; i++) {
            if (crowd.after[i] != (hashes[i] % 100 < percent)) {
                fail_msg("h %u is %d at %u %%", hashes[i], crowd.after[i], percent);
            }
        }
    }
    canary_close(&ctx);
}

/* Below one percent the same users are parted further: still whole hundredths of the last percent. */
static void buckets_refine_the_plain_rule(void **state) {
    uint64_t seed = unit_seed() ^ 4;

    (void)state;
    for (int i = 0; i < MILLION; i++) {
        uint32_t hash = (uint32_t)unit_random(&seed);
        uint32_t bucket = canary_bucket_from_hash(hash);

        if (bucket >= CANARY_BUCKETS || bucket / 100 != hash % 100 ||
            bucket % 100 != hash / 100 % 100) {
            fail_msg("h %u has bucket %u", hash, bucket);
        }
    }
    assert_int_equal(canary_bucket_from_hash(0), 0);
    assert_int_equal(canary_bucket_from_hash(UINT32_MAX), 9572);
}

/* Chi-square over 10000 buckets, 9999 degrees of freedom: mean 9999, standard deviation
 * sqrt(2 * 9999) = 141.4. The two critical values leave one test in a million on each side (4.75
 * standard deviations, by the normal approximation): 10671 and 9327. Too even is as wrong as too
 * uneven. */
static void buckets_are_uniform(void **state) {
    static uint32_t counts[CANARY_BUCKETS];
    static const char *const shapes[] = { "user-%llu", "%llu", "u%llu@example.com",
                                          "%016llx-0000-4000" };
    uint64_t seed = unit_seed() ^ 5;
    double expected = MILLION / (double)CANARY_BUCKETS;

    (void)state;
    for (size_t shape = 0; shape < COUNT(shapes); shape++) {
        unsigned long long start = unit_random(&seed) % 1000000000;
        double chi_square = 0;

        memset(counts, 0, sizeof counts);
        for (unsigned long long i = 0; i < MILLION; i++) {
            char id[64];
            int size = snprintf(id, sizeof id, shapes[shape], start + i);

            counts[unit_bucket(NULL, id, (size_t)size)]++;
        }
        for (unsigned b = 0; b < CANARY_BUCKETS; b++) {
            double off = counts[b] - expected;

            chi_square += off * off / expected;
        }
        printf("chi-square of %s from %llu: %.0f (9327 to 10671)\n", shapes[shape], start,
               chi_square);
        assert_true(chi_square < 10671);
        assert_true(chi_square > 9327);
    }
}

/* Two salts, 100 by 100 classes of a percent each. If the salts are independent the joint table is
 * even: again 9999 degrees of freedom and the same critical values. The same salt twice must fail it,
 * or the test would not be able to. */
static double joint_chi_square(const char *one, const char *other, uint64_t start) {
    static uint32_t counts[CANARY_BUCKETS];
    double expected = MILLION / (double)CANARY_BUCKETS;
    double chi_square = 0;

    memset(counts, 0, sizeof counts);
    for (uint64_t i = 0; i < MILLION; i++) {
        char id[64];
        size_t size = (size_t)snprintf(id, sizeof id, "user-%llu", (unsigned long long)(start + i));

        counts[unit_bucket(one, id, size) / 100 * 100 + unit_bucket(other, id, size) / 100]++;
    }
    for (unsigned b = 0; b < CANARY_BUCKETS; b++) {
        double off = counts[b] - expected;

        chi_square += off * off / expected;
    }
    return chi_square;
}

static void salts_are_independent(void **state) {
    uint64_t seed = unit_seed() ^ 6;
    uint64_t start = unit_random(&seed) % 1000000000;
    double none = joint_chi_square("", "spring", start);
    double near = joint_chi_square("spring-1", "spring-2", start);

    (void)state;
    printf("chi-square of joint tables: %.0f, %.0f (9327 to 10671)\n", none, near);
    assert_true(none > 9327 && none < 10671);
    assert_true(near > 9327 && near < 10671);
    assert_true(joint_chi_square("spring", "spring", start) > 1000000);
}

/* A salt and its colon are only bytes in front: the contract says so, and services may rely on it. */
static void salt_is_a_prefix(void **state) {
    uint32_t salted;
    uint32_t plain;

    (void)state;
    assert_int_equal(canary_hash_user("spring", "alice", 5, &salted), CANARY_OK);
    assert_int_equal(canary_hash_user("", "spring:alice", 12, &plain), CANARY_OK);
    assert_int_equal(salted, plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_MEMORY_ONLY(ramp_is_monotone),
        UNIT_MEMORY_ONLY(last_added_leaves_first),
        UNIT_BOTH(restart_brings_the_same_users),
        UNIT_MEMORY_ONLY(whole_percentages_match_the_plain_rule),
        cmocka_unit_test(buckets_refine_the_plain_rule),
        cmocka_unit_test(buckets_are_uniform),
        cmocka_unit_test(salts_are_independent),
        cmocka_unit_test(salt_is_a_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
