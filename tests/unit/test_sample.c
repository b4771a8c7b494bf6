/* SPDX-License-Identifier: MIT */
/* Counting users by a sample: how far off it is, and that it is the same however it was divided. */
#include "figures.h"

#include <inttypes.h>
#include <math.h>
#include <sodium/crypto_shorthash_siphash24.h>

#include "observe/sample.h"

static struct canary__sample_table table;

static uint32_t user(uint32_t i) {
    char id[24];
    uint32_t hash = 0;

    assert_int_equal(
        canary_hash_user("", id, (size_t)snprintf(id, sizeof id, "user-%" PRIu32, i), &hash), 0);
    return canary__sample_mix(hash);
}

static struct canary__sample take(struct canary__sample_table *from) {
    struct canary__sample sample = { 0 };

    assert_int_equal(canary__sample_take(&figures_hooks, from, &sample), 0);
    assert_true(sample.count <= CANARY__SAMPLE_MOST);
    for (uint32_t i = 0; i < sample.count; i++) {
        assert_true(canary__sample_holds(sample.level, sample.users[i]));
        assert_true(sample.users[i] > (i > 0 ? sample.users[i - 1] : 0));
    }
    return sample;
}

static void same(const struct canary__sample *a, const struct canary__sample *b) {
    assert_int_equal(a->level, b->level);
    assert_int_equal(a->count, b->count);
    if (a->count > 0) {
        assert_memory_equal(a->users, b->users, a->count * sizeof *a->users);
    }
}

/* -- estimates -- */

static void an_estimate_is_as_far_off_as_it_says(void **state) {
    static const uint32_t populations[] = { 0, 1, 100, 8000, 8192, 8193, 50000, 1000000 };
    uint64_t seed = unit_seed();

    (void)state;
    for (size_t p = 0; p < COUNT(populations); p++) {
        uint32_t first = (uint32_t)unit_random(&seed) % 2000000000;
        struct canary__sample sample;
        double users;
        double error;

        canary__sample_clear(&table);
        for (uint32_t i = 0; i < populations[p]; i++) {
            canary__sample_put(&table, user(first + i));
        }
        /* Nobody counts twice, however often he comes. */
        for (uint32_t i = 0; i < populations[p]; i += 1 + populations[p] / 1000) {
            canary__sample_put(&table, user(first + i));
        }
        sample = take(&table);
        canary__sample_estimate(&sample, &users, &error);
        printf("%" PRIu32 " users: %.1f +- %.1f, %" PRIu32 " of them at level %" PRIu32 "\n",
               populations[p], users, error, sample.count, sample.level);
        assert_true(fabs(users - populations[p]) <= 4 * error + 2);
        assert_true(error <= populations[p] * 0.0157);
        if (populations[p] <= 8000) {
            assert_true(sample.level == 0 && error == 0 && users == sample.count);
        } else if (populations[p] >= 50000) {
            assert_in_range(sample.count, CANARY__SAMPLE_MOST / 2 - 300, CANARY__SAMPLE_MOST);
            assert_true(error > populations[p] * 0.009);
        }
        canary__sample_free(&figures_hooks, &sample);
    }
}

/* Hashes are 32 bits: of as many users as there are hashes, more than a third share one. */
static void users_that_share_a_hash_are_counted(void **state) {
    const double hashes = 0x1p32 - 1;
    struct canary__sample sample = { .level = 19, .count = 0 };
    double users;
    double error;

    (void)state;
    sample.count = (uint32_t)(hashes * (1 - exp(-1)) / (1 << 19));
    canary__sample_estimate(&sample, &users, &error);
    assert_true(fabs(users / hashes - 1) < 0.001);
    assert_true(error > 0.01 * users && error < 0.03 * users);
    sample.count = CANARY__SAMPLE_MOST;
    canary__sample_estimate(&sample, &users, &error);
    assert_true(isfinite(users) && isfinite(error) && users > 10 * hashes);
    sample = (struct canary__sample){ .level = 32 };
    canary__sample_estimate(&sample, &users, &error);
    assert_true(users == 0 && isfinite(error) && error > 1);
}

/* -- dividing and merging -- */

static void any_partition_merges_to_the_whole(void **state) {
    enum { PARTS = 7 };
    static const uint32_t populations[] = { 50, 5000, 12000, 60000, 300000 };
    static struct canary__sample_table tables[PARTS];
    uint64_t seed = unit_seed();

    (void)state;
    for (size_t p = 0; p < COUNT(populations); p++) {
        uint32_t first = (uint32_t)unit_random(&seed) % 2000000000;
        struct canary__sample parts[PARTS];
        struct canary__sample whole;
        uint32_t repeats = populations[p] / 3;
        size_t left = PARTS;
        int changed = -1;

        canary__sample_clear(&table);
        for (size_t i = 0; i < PARTS; i++) {
            canary__sample_clear(&tables[i]);
        }
        /* Uneven parts, and a third of the users in more than one. */
        for (uint32_t i = 0; i < populations[p] + repeats; i++) {
            uint32_t mixed = user(first + i % populations[p]);
            uint64_t part = figures_below(&seed, PARTS * PARTS);

            canary__sample_put(&table, mixed);
            canary__sample_put(&tables[part < PARTS ? part : part % 3], mixed);
        }
        whole = take(&table);
        for (size_t i = 0; i < PARTS; i++) {
            parts[i] = take(&tables[i]);
        }
        for (; left > 1; left--) {
            size_t to = figures_below(&seed, left - 1);

            assert_int_equal(
                canary__sample_merge(&figures_hooks, &parts[to], &parts[left - 1], &changed), 0);
            canary__sample_free(&figures_hooks, &parts[left - 1]);
        }
        same(&parts[0], &whole);
        /* What is in it already changes nothing. */
        assert_int_equal(canary__sample_merge(&figures_hooks, &parts[0], &whole, &changed), 0);
        assert_int_equal(changed, 0);
        same(&parts[0], &whole);
        canary__sample_free(&figures_hooks, &parts[0]);
        canary__sample_free(&figures_hooks, &whole);
    }
}

static struct canary__sample of(uint32_t level, uint32_t count, const uint32_t *users) {
    struct canary__sample sample = { level, count, NULL };

    if (count > 0) {
        sample.users = canary__alloc(&figures_hooks, CANARY__SAMPLE_MOST * sizeof *sample.users);
        memcpy(sample.users, users, count * sizeof *users);
    }
    return sample;
}

static void merging_says_whether_it_changed_anything(void **state) {
    const uint32_t few[] = { 3, 5, 0x90000000 };
    const uint32_t other[] = { 5, 7 };
    struct canary__sample a = of(0, 3, few);
    struct canary__sample b = of(1, 2, other);
    struct canary__sample none = { 0 };
    int changed = -1;

    (void)state;
    assert_int_equal(canary__sample_common(&a, &b), 1);
    assert_int_equal(canary__sample_common(&a, &none), 0);
    assert_int_equal(canary__sample_merge(&figures_hooks, &a, &none, &changed), 0);
    assert_int_equal(changed, 0);
    figures_left = 0;
    assert_int_equal(canary__sample_merge(&figures_hooks, &a, &b, &changed), CANARY_E_NOMEM);
    assert_true(changed == 0 && a.level == 0 && a.count == 3 && a.users[2] == few[2]);
    figures_left = UINT64_MAX;
    assert_int_equal(canary__sample_merge(&figures_hooks, &a, &b, &changed), 0);
    assert_true(changed == 1 && a.level == 1 && a.count == 3 && a.users[2] == 7);
    assert_int_equal(canary__sample_merge(&figures_hooks, &a, &b, &changed), 0);
    assert_int_equal(changed, 0);
    /* As many users as before, but of another level. */
    none.level = 2;
    assert_int_equal(canary__sample_merge(&figures_hooks, &a, &none, &changed), 0);
    assert_true(changed == 1 && a.level == 2 && a.count == 3);
    canary__sample_free(&figures_hooks, &a);
    canary__sample_free(&figures_hooks, &b);
}

static void taking_may_fail_for_want_of_memory(void **state) {
    struct canary__sample sample = { 0 };

    (void)state;
    canary__sample_clear(&table);
    canary__sample_put(&table, 5);
    for (uint64_t n = 0; n < 2; n++) {
        figures_left = n;
        assert_int_equal(canary__sample_take(&figures_hooks, &table, &sample), CANARY_E_NOMEM);
        assert_true(sample.users == NULL && sample.count == 0);
    }
    figures_left = UINT64_MAX;
    sample = take(&table);
    assert_int_equal(sample.count, 1);
    canary__sample_free(&figures_hooks, &sample);
}

/* -- what the sample is of -- */

/* Whether one belongs to the sample says nothing about one's cohort: at each stage of a ramp the new
 * cohort's share in the sample is its share of all, and no bucket is seen more than another. */
static void the_sample_is_independent_of_the_bucket(void **state) {
    enum { USERS = 1000000, LEVEL = 6, GROUPS = 100 };
    static const uint32_t ramp[] = { 100, 500, 2500, 5000, 9000 };
    uint64_t seed = unit_seed();
    uint32_t first = (uint32_t)unit_random(&seed) % 2000000000;
    uint32_t all[GROUPS] = { 0 };
    uint32_t sampled[GROUPS] = { 0 };
    uint32_t in_sample = 0;
    double chi_square = 0;

    (void)state;
    for (uint32_t i = 0; i < USERS; i++) {
        uint32_t hash = 0;
        uint32_t id = first + i;
        uint32_t group;

        assert_int_equal(canary_hash_user("s", &id, sizeof id, &hash), 0);
        group = canary_bucket_from_hash(hash) / (CANARY_BUCKETS / GROUPS);
        all[group]++;
        if (canary__sample_holds(LEVEL, canary__sample_mix(hash))) {
            sampled[group]++;
            in_sample++;
        }
    }
    for (int g = 0; g < GROUPS; g++) {
        double expected = (double)all[g] * in_sample / USERS;

        chi_square += (sampled[g] - expected) * (sampled[g] - expected) / expected;
    }
    printf("%" PRIu32 " sampled, chi-square %.1f of 99 degrees\n", in_sample, chi_square);
    /* A chance of 10^-6: by the cube root, which is nearly normal. */
    assert_true(cbrt(chi_square / 99) < 1 - 2.0 / (9 * 99) + 4.75 * sqrt(2.0 / (9 * 99)));
    assert_in_range(in_sample, USERS / 64 - 600, USERS / 64 + 600);
    for (size_t r = 0; r < COUNT(ramp); r++) {
        double share = ramp[r] / 10000.0;
        double of_sample = 0;

        for (uint32_t g = 0; g < ramp[r] / 100; g++) {
            of_sample += sampled[g];
        }
        assert_true(fabs(of_sample - share * in_sample) <
                    5 * sqrt(share * (1 - share) * in_sample));
    }
}

static void mixing_loses_nobody(void **state) {
    uint64_t seed = unit_seed();

    (void)state;
    assert_int_equal(canary__sample_mix(0), 1);
    for (int i = 0; i < 100000; i++) {
        uint32_t hash = (uint32_t)unit_random(&seed);
        uint32_t mixed = canary__sample_mix(hash);
        int turned = 0;

        assert_true(mixed != 0);
        /* Of 32 bits about 16 turn with any one of the hash. */
        for (int bit = 0; bit < 32; bit++) {
            turned += __builtin_popcount(mixed ^ canary__sample_mix(hash ^ 1u << bit));
        }
        assert_in_range(turned, 350, 680);
    }
}

/* -- the stored form -- */

static void decode_sealed(const uint8_t *bytes, size_t size, const char *says, int code) {
    static const uint8_t key[crypto_shorthash_siphash24_KEYBYTES];
    uint8_t data[64];
    struct canary__sample cohorts[2] = { { 0 } };

    memcpy(data, bytes, size);
    crypto_shorthash_siphash24(data + size, data, size, key);
    if (code == 0) {
        OK(canary__sample_decode(&figures_hooks, data, size + 8, cohorts, &error));
    } else {
        FAILS(code, "a sample of users", says,
              canary__sample_decode(&figures_hooks, data, size + 8, cohorts, &error));
        assert_true(cohorts[0].users == NULL && cohorts[1].users == NULL);
    }
    canary__sample_free(&figures_hooks, &cohorts[0]);
    canary__sample_free(&figures_hooks, &cohorts[1]);
}

static void what_is_stored_is_read_back(void **state) {
    struct canary__sample cohorts[2];
    struct canary__sample read[2] = { { 0 } };
    uint8_t *data;
    size_t size;

    (void)state;
    canary__sample_clear(&table);
    for (uint32_t i = 0; i < 100000; i++) {
        canary__sample_put(&table, user(i));
    }
    cohorts[0] = take(&table);
    canary__sample_clear(&table);
    canary__sample_put(&table, UINT32_MAX);
    canary__sample_put(&table, 1);
    cohorts[1] = take(&table);
    assert_int_equal(canary__sample_encode(&figures_hooks, cohorts, &data, &size), 0);
    printf("%" PRIu32 " and %" PRIu32 " users in %zu bytes\n", cohorts[0].count, cohorts[1].count,
           size);
    OK(canary__sample_decode(&figures_hooks, data, size, read, &error));
    same(&read[0], &cohorts[0]);
    same(&read[1], &cohorts[1]);
    for (int i = 0; i < 2; i++) {
        canary__sample_free(&figures_hooks, &read[i]);
    }
    for (uint64_t n = 0; n < 2; n++) {
        figures_left = n;
        assert_int_equal(canary__sample_decode(&figures_hooks, data, size, read, NULL),
                         CANARY_E_NOMEM);
        assert_true(read[0].users == NULL && read[1].users == NULL);
    }
    figures_left = UINT64_MAX;
    for (size_t i = 0; i < 2000; i++) {
        size_t bit = i < 1000 ? i : 8 * size - 1 - (i - 1000);

        data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1u << bit % 8);
        FAILS(CANARY_E_CORRUPT, "sample of users is damaged", "checksum",
              canary__sample_decode(&figures_hooks, data, size, read, &error));
        data[bit / 8] = (uint8_t)(data[bit / 8] ^ 1u << bit % 8);
    }
    canary__free(&figures_hooks, data, size);
    canary__sample_free(&figures_hooks, &cohorts[0]);
    canary__sample_free(&figures_hooks, &cohorts[1]);
}

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

static void what_makes_no_sense_is_refused(void **state) {
    (void)state;
    decode_sealed(BYTES(1, 0, 0, 0, 0), "", 0);
    decode_sealed(BYTES(1, 32, 0, 0, 2, 5, 1), "", 0);
    decode_sealed(BYTES(1, 25, 1, 127, 0, 0), "", 0);
    decode_sealed(BYTES(2, 0, 0, 0, 0), "version 2", CANARY_E_NEWER);
    decode_sealed(BYTES(0, 0, 0, 0, 0), "version 0", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 0, 0), "ends too early", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 0, 0, 0, 0, 0), "after its end", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 33, 0, 0, 0), "above 32", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 0, 2, 5, 0, 0, 0), "out of order", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 0, 1, 0, 0, 0), "out of order", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 26, 1, 64, 0, 0), "does not belong", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 32, 1, 1, 0, 0), "does not belong", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 0, 9, 1, 1, 0, 0), "too great", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 0, 2, 255, 255, 255, 255, 15, 1, 0, 0), "too great", CANARY_E_CORRUPT);
    decode_sealed(BYTES(1, 0, 1, 0x85, 0, 0, 0), "longer than", CANARY_E_CORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIGURES_TEST(an_estimate_is_as_far_off_as_it_says),
        FIGURES_TEST(users_that_share_a_hash_are_counted),
        FIGURES_TEST(any_partition_merges_to_the_whole),
        FIGURES_TEST(merging_says_whether_it_changed_anything),
        FIGURES_TEST(taking_may_fail_for_want_of_memory),
        FIGURES_TEST(the_sample_is_independent_of_the_bucket),
        FIGURES_TEST(mixing_loses_nobody),
        FIGURES_TEST(what_is_stored_is_read_back),
        FIGURES_TEST(what_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
