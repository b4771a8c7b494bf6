/* SPDX-License-Identifier: MIT */
/* Pinned users: every one right, everybody else untouched, however many and however named. */
#include "support.h"

#define ROLLOUT "pins"

enum { MANY = 100000, OTHERS = 1000000, HALF = MANY / 2 };

static char many_text[MANY][24];
static const void *many_ids[MANY];
static uint64_t many_sizes[MANY];

static void name_many(void) {
    for (int i = 0; i < MANY; i++) {
        many_sizes[i] = (uint64_t)snprintf(many_text[i], sizeof many_text[i], "pinned-%d", i * 7);
        many_ids[i] = many_text[i];
    }
}

static int all_calls(canary_ctx *ctx, const void *id, uint64_t size, int expected) {
    canary_user user = { id, size };
    canary_decision d = CANARY_DECISION_INIT;
    uint8_t cohort = 77;

    return canary_should_use_new_n(ctx, id, size) == expected &&
           canary_should_use_new_hash(ctx, id, size, 12345) == expected &&
           canary_explain(ctx, id, size, &d) == CANARY_OK && d.cohort == expected &&
           d.reason == CANARY_REASON_OVERRIDE &&
           canary_decide_many(ctx, &user, 1, &cohort) == (uint64_t)expected && cohort == expected;
}

static void pin(struct unit *unit, const char *id, int cohort) {
    OK(canary_override_set(unit->store, ROLLOUT, id, strlen(id), cohort, NULL, NULL, &error));
}

static void check_others(canary_ctx *ctx, uint32_t percentage) {
    for (int i = 0; i < OTHERS; i++) {
        char id[32];
        int size = snprintf(id, sizeof id, "user-%d", i);
        int expected = percentage == CANARY_BP_MAX ||
                       (percentage > 0 && unit_bucket(NULL, id, (size_t)size) < percentage);

        if (canary_should_use_new_n(ctx, id, (uint64_t)size) != expected) {
            fail_msg("%s is not pinned and was moved at %u", id, percentage);
        }
    }
}

static void check_many(canary_ctx *ctx) {
    for (int i = 0; i < MANY; i++) {
        if (!all_calls(ctx, many_ids[i], many_sizes[i], i < HALF ? CANARY_NEW : CANARY_OLD)) {
            fail_msg("\"%s\" does not get what it is pinned to", many_text[i]);
        }
    }
}

static void check_counts(struct unit *unit, canary_ctx *ctx, uint32_t news, uint32_t olds) {
    canary_rollout rollout = unit_read(unit, ROLLOUT);
    canary_ctx_info info = unit_info(ctx);

    assert_int_equal(rollout.overrides_new, news);
    assert_int_equal(rollout.overrides_old, olds);
    assert_int_equal(info.overrides_new, news);
    assert_int_equal(info.overrides_old, olds);
}

static void hundred_thousand(void **state) {
    struct unit *unit = *state;
    canary_change change = { .size = sizeof change };
    canary_ctx *ctx;
    canary_ctx *later;

    name_many();
    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, 5000);
    ctx = unit_open(unit, ROLLOUT);
    OK(canary_override_set_many(unit->store, ROLLOUT, many_ids, many_sizes, HALF, CANARY_NEW, NULL,
                                &change, &error));
    assert_string_equal(change.action, "override_new");
    OK(canary_override_set_many(unit->store, ROLLOUT, many_ids + HALF, many_sizes + HALF,
                                MANY - HALF, CANARY_OLD, NULL, &change, &error));
    assert_string_equal(change.action, "override_old");
    /* One row for all of them. */
    assert_int_equal(change.revision, 4);
    check_counts(unit, ctx, HALF, MANY - HALF);
    check_many(ctx);
    check_others(ctx, 5000);
    /* At the ends nobody is hashed, and pins hold all the same. */
    unit_set(unit, ROLLOUT, 0);
    check_many(ctx);
    unit_set(unit, ROLLOUT, CANARY_BP_MAX);
    check_many(ctx);
    for (int i = 0; i < OTHERS; i += 100) {
        char id[32];

        snprintf(id, sizeof id, "user-%d", i);
        assert_int_equal(canary_should_use_new(ctx, id), 1);
    }
    /* Who opens afterwards sees them too. */
    later = unit_open(unit, ROLLOUT);
    check_many(later);
    check_counts(unit, later, HALF, MANY - HALF);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&later);
    canary_close(&ctx);
}

/* Removed, replaced, set again: the count and the digest follow each step. */
static void set_replace_remove(void **state) {
    struct unit *unit = *state;
    canary_change change = { .size = sizeof change };
    canary_ctx *ctx;
    uint32_t hash;

    unit_create(unit, ROLLOUT);
    ctx = unit_open(unit, ROLLOUT);
    check_counts(unit, ctx, 0, 0);
    assert_int_equal(canary_hash_user(NULL, "alice", 5, &hash), CANARY_OK);
    OK(canary_override_set(unit->store, ROLLOUT, "alice", 5, CANARY_NEW, NULL, &change, &error));
    assert_string_equal(change.action, "override_new");
    assert_int_equal(change.user_hash, hash);
    assert_int_equal(change.revision, 2);
    assert_int_equal(change.from_percentage_bp, change.to_percentage_bp);
    check_counts(unit, ctx, 1, 0);
    assert_true(all_calls(ctx, "alice", 5, 1));
    /* Again the same: nothing counts twice. */
    OK(canary_override_set(unit->store, ROLLOUT, "alice", 5, CANARY_NEW, NULL, NULL, &error));
    check_counts(unit, ctx, 1, 0);
    OK(canary_override_set(unit->store, ROLLOUT, "alice", 5, CANARY_OLD, NULL, &change, &error));
    assert_string_equal(change.action, "override_old");
    check_counts(unit, ctx, 0, 1);
    assert_true(all_calls(ctx, "alice", 5, 0));
    pin(unit, "bob", CANARY_NEW);
    check_counts(unit, ctx, 1, 1);
    OK(canary_override_remove(unit->store, ROLLOUT, "alice", 5, NULL, &change, &error));
    assert_string_equal(change.action, "override_remove");
    assert_int_equal(change.user_hash, hash);
    check_counts(unit, ctx, 1, 0);
    unit_set(unit, ROLLOUT, CANARY_BP_MAX);
    assert_int_equal(canary_should_use_new(ctx, "alice"), 1);
    FAILS(CANARY_E_NOT_FOUND, "not pinned", ROLLOUT,
          canary_override_remove(unit->store, ROLLOUT, "alice", 5, NULL, &change, &error));
    OK(canary_override_remove(unit->store, ROLLOUT, "bob", 3, NULL, NULL, &error));
    check_counts(unit, ctx, 0, 0);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

static void twice_in_one_call_counts_once(void **state) {
    struct unit *unit = *state;
    const void *ids[] = { "a", "b", "a", "a", "b" };
    const uint64_t sizes[] = { 1, 1, 1, 1, 1 };
    canary_ctx *ctx;

    unit_create(unit, ROLLOUT);
    ctx = unit_open(unit, ROLLOUT);
    OK(canary_override_set_many(unit->store, ROLLOUT, ids, sizes, 5, CANARY_OLD, NULL, NULL,
                                &error));
    check_counts(unit, ctx, 0, 2);
    OK(canary_override_set_many(unit->store, ROLLOUT, ids, sizes, 3, CANARY_NEW, NULL, NULL,
                                &error));
    check_counts(unit, ctx, 2, 0);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

/* Lengths 1 to 4096, each a prefix of the next, pinned to alternating cohorts. */
static void lengths_and_prefixes(void **state) {
    static char bytes[4097];
    struct unit *unit = *state;
    const void *ids[2][4096];
    uint64_t sizes[2][4096];
    uint64_t counts[2] = { 0, 0 };
    canary_ctx *ctx;

    for (uint64_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i % 3 == 0 ? 0 : 'a' + (char)(i % 26)); /* NUL, and ends in NUL too */
    }
    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, 5000);
    ctx = unit_open(unit, ROLLOUT);
    for (uint64_t size = 1; size <= 4096; size += size < 300 || size > 4000 ? 1 : 13) {
        int cohort = size % 2 == 0;

        if (size % 11 == 0) {
            continue; /* left out: its neighbours must not stand for it */
        }
        ids[cohort][counts[cohort]] = bytes;
        sizes[cohort][counts[cohort]++] = size;
    }
    for (int cohort = 0; cohort < 2; cohort++) {
        OK(canary_override_set_many(unit->store, ROLLOUT, ids[cohort], sizes[cohort],
                                    counts[cohort], cohort, NULL, NULL, &error));
    }
    check_counts(unit, ctx, (uint32_t)counts[1], (uint32_t)counts[0]);
    for (int cohort = 0; cohort < 2; cohort++) {
        for (uint64_t i = 0; i < counts[cohort]; i++) {
            if (!all_calls(ctx, bytes, sizes[cohort][i], cohort)) {
                fail_msg("an id of %llu bytes", (unsigned long long)sizes[cohort][i]);
            }
        }
    }
    for (uint64_t size = 11; size < 300; size += 11) {
        canary_decision d = CANARY_DECISION_INIT;

        assert_int_equal(canary_explain(ctx, bytes, size, &d), CANARY_OK);
        assert_int_equal(d.reason, CANARY_REASON_SPLIT);
        assert_int_equal(d.cohort, d.bucket < 5000);
    }
    FAILS(CANARY_E_INVALID, "4097", "4096",
          canary_override_set(unit->store, ROLLOUT, bytes, 4097, 1, NULL, NULL, &error));
    canary_close(&ctx);
}

/* Ids that differ in nothing but zero bytes at their end, or in their last byte. */
static void nearly_the_same(void **state) {
    static const struct {
        const char *id;
        uint64_t size;
        int cohort; /* -1: not pinned */
    } near[] = {
        { "a\0\0\0\0\0\0\0\0", 1, 1 },
        { "a\0\0\0\0\0\0\0\0", 2, 0 },
        { "a\0\0\0\0\0\0\0\0", 3, -1 },
        { "a\0\0\0\0\0\0\0\0", 8, 1 },
        { "a\0\0\0\0\0\0\0\0", 9, 0 },
        { "a\0\0\0\0\0\0\0\0", 7, -1 },
        { "\0", 1, 0 },
        { "\0\0", 2, 1 },
        { "\0\0\0", 3, -1 },
        { "user-1", 6, 1 },
        { "user-10", 7, 0 },
        { "user-100", 8, 1 },
        { "user-1000", 9, -1 },
        { "User-1", 6, 0 },
        { "user-1 ", 7, -1 },
        { "\xff\xfe", 2, 1 },
        { "\xff\xff", 2, 0 },
        { "caf\xc3\xa9", 5, 1 },
        { "cafe\xcc\x81", 6, 0 },
    };
    struct unit *unit = *state;
    canary_ctx *ctx;

    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, 5000);
    ctx = unit_open(unit, ROLLOUT);
    for (size_t i = 0; i < COUNT(near); i++) {
        if (near[i].cohort >= 0) {
            OK(canary_override_set(unit->store, ROLLOUT, near[i].id, near[i].size, near[i].cohort,
                                   NULL, NULL, &error));
        }
    }
    for (size_t i = 0; i < COUNT(near); i++) {
        canary_decision d = CANARY_DECISION_INIT;

        assert_int_equal(canary_explain(ctx, near[i].id, near[i].size, &d), CANARY_OK);
        if (near[i].cohort < 0) {
            assert_int_equal(d.reason, CANARY_REASON_SPLIT);
        } else if (d.reason != CANARY_REASON_OVERRIDE || d.cohort != near[i].cohort) {
            fail_msg("row %zu gets %d for reason %d", i, d.cohort, d.reason);
        }
    }
    canary_close(&ctx);
}

/* A caller with the hash alone: pins to `old` hold, pins to `new` are not seen. */
static void hash_knows_pins_to_old(void **state) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT, .salt = "hashed" };
    struct unit *unit = *state;
    canary_ctx *ctx;
    char id[32];
    uint32_t hash;

    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
    unit_set(unit, ROLLOUT, 5000);
    ctx = unit_open(unit, ROLLOUT);
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof id, "user-%d", i);
        if (i % 3 < 2) {
            pin(unit, id, i % 3);
        }
    }
    for (int i = 0; i < 300; i++) {
        int size = snprintf(id, sizeof id, "user-%d", i);
        int by_bucket;

        assert_int_equal(canary_hash_user("hashed", id, (uint64_t)size, &hash), CANARY_OK);
        by_bucket = canary_bucket_from_hash(hash) < 5000;
        assert_int_equal(canary_should_use_new_hash(ctx, NULL, 0, hash),
                         i % 3 == 0 ? 0 : by_bucket);
        assert_int_equal(canary_should_use_new_hash(ctx, id, (uint64_t)size, hash),
                         i % 3 < 2 ? i % 3 : by_bucket);
        assert_int_equal(canary_should_use_new_bucket(ctx, canary_bucket_from_hash(hash)),
                         by_bucket);
    }
    /* Taken back: the hash is free again. */
    OK(canary_override_remove(unit->store, ROLLOUT, "user-0", 6, NULL, NULL, &error));
    assert_int_equal(canary_hash_user("hashed", "user-0", 6, &hash), CANARY_OK);
    assert_int_equal(canary_should_use_new_hash(ctx, NULL, 0, hash),
                     canary_bucket_from_hash(hash) < 5000);
    canary_close(&ctx);
}

/* Pins belong to one rollout, and come and go while others keep theirs. */
static void rollouts_keep_their_own(void **state) {
    struct unit *unit = *state;
    canary_ctx *mine;
    canary_ctx *other;

    unit_create(unit, ROLLOUT);
    unit_create(unit, "pins2");
    mine = unit_open(unit, ROLLOUT);
    other = unit_open(unit, "pins2");
    pin(unit, "alice", CANARY_NEW);
    assert_int_equal(canary_should_use_new(mine, "alice"), 1);
    assert_int_equal(canary_should_use_new(other, "alice"), 0);
    assert_int_equal(unit_read(unit, "pins2").overrides_new, 0);
    assert_int_equal(unit_read(unit, "pins2").revision, 1);
    OK(canary_flag_set(unit->store, ROLLOUT, 0, NULL, NULL, &error));
    assert_int_equal(canary_should_use_new(mine, "alice"), 0);
    OK(canary_flag_set(unit->store, ROLLOUT, 1, NULL, NULL, &error));
    assert_int_equal(canary_should_use_new(mine, "alice"), 1);
    /* A rollback takes the share, not the pins: an operator set them one by one. */
    OK(canary_rollback(unit->store, ROLLOUT, 0, NULL, NULL, &error));
    assert_int_equal(canary_should_use_new(mine, "alice"), 1);
    canary_close(&mine);
    canary_close(&other);
}

struct listed {
    unsigned count;
    unsigned stop_at;
    char last[64];
    unsigned news;
};

static int list_one(void *user_data, const void *id, uint64_t size, int cohort) {
    struct listed *listed = user_data;
    char text[64] = "";

    assert_true(size < sizeof text);
    assert_true(cohort == CANARY_OLD || cohort == CANARY_NEW);
    memcpy(text, id, (size_t)size);
    assert_true(strcmp(listed->last, text) < 0);
    memcpy(listed->last, text, sizeof text);
    listed->news += (unsigned)cohort;
    return ++listed->count == listed->stop_at;
}

static void listed_in_the_order_of_bytes(void **state) {
    static const char *const names[] = { "m", "B", "aa", "a", "\xc3\xa9", "~", "ab", "zz", "0" };
    struct unit *unit = *state;
    struct listed listed = { 0 };

    unit_create(unit, ROLLOUT);
    OK(canary_override_list(unit->store, ROLLOUT, list_one, &listed, &error));
    assert_int_equal(listed.count, 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        pin(unit, names[i], i % 2 == 0);
    }
    OK(canary_override_list(unit->store, ROLLOUT, list_one, &listed, &error));
    assert_int_equal(listed.count, COUNT(names));
    assert_int_equal(listed.news, 5);
    assert_string_equal(listed.last, "\xc3\xa9");
    listed = (struct listed){ .stop_at = 3 };
    OK(canary_override_list(unit->store, ROLLOUT, list_one, &listed, &error));
    assert_int_equal(listed.count, 3);
    FAILS(CANARY_E_NOT_FOUND, "nobody", "",
          canary_override_list(unit->store, "nobody", list_one, &listed, &error));
    FAILS(CANARY_E_INVALID, "callback", "",
          canary_override_list(unit->store, ROLLOUT, NULL, NULL, &error));
}

/* Random sets and removals against a plain array. */
static void random_walk(void **state) {
    struct unit *unit = *state;
    uint64_t seed = unit_seed();
    int8_t pinned[64];
    canary_ctx *ctx;
    uint32_t counts[2] = { 0, 0 };

    memset(pinned, -1, sizeof pinned);
    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, 3000);
    ctx = unit_open(unit, ROLLOUT);
    for (int step = 0; step < 300; step++) {
        unsigned who = (unsigned)(unit_random(&seed) % 64);
        int cohort = (int)(unit_random(&seed) % 3) - 1;
        char id[16];
        int size = snprintf(id, sizeof id, "w%u", who);
        int code;

        code = cohort >= 0 ? canary_override_set(unit->store, ROLLOUT, id, (uint64_t)size, cohort,
                                                 NULL, NULL, NULL)
                           : canary_override_remove(unit->store, ROLLOUT, id, (uint64_t)size, NULL,
                                                    NULL, NULL);
        assert_int_equal(code, cohort < 0 && pinned[who] < 0 ? CANARY_E_NOT_FOUND : CANARY_OK);
        pinned[who] = (int8_t)cohort;
    }
    for (unsigned who = 0; who < 64; who++) {
        char id[16];
        int size = snprintf(id, sizeof id, "w%u", who);

        if (pinned[who] >= 0) {
            counts[pinned[who]]++;
            assert_true(all_calls(ctx, id, (uint64_t)size, pinned[who]));
        } else {
            assert_int_equal(canary_should_use_new(ctx, id),
                             unit_bucket(NULL, id, (size_t)size) < 3000);
        }
    }
    check_counts(unit, ctx, counts[1], counts[0]);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(hundred_thousand),
        UNIT_BOTH(set_replace_remove),
        UNIT_BOTH(twice_in_one_call_counts_once),
        UNIT_BOTH(lengths_and_prefixes),
        UNIT_BOTH(nearly_the_same),
        UNIT_MEMORY_ONLY(hash_knows_pins_to_old),
        UNIT_BOTH(rollouts_keep_their_own),
        UNIT_BOTH(listed_in_the_order_of_bytes),
        UNIT_MEMORY_ONLY(random_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
