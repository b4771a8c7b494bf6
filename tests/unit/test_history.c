/* SPDX-License-Identifier: MIT */
/* The trail read back: order, limits, ends, and what each row says. */
#include "support.h"

struct reading {
    uint64_t ids[4096];
    uint64_t revisions[4096];
    unsigned count;
    unsigned stop_at;
    const char *rollout;
    canary_change last;
};

static int take(void *user_data, const canary_change *entry) {
    struct reading *reading = user_data;

    assert_int_equal(entry->size, sizeof *entry);
    if (reading->rollout != NULL) {
        assert_string_equal(entry->rollout, reading->rollout);
    }
    if (reading->count > 0) {
        assert_true(entry->id < reading->ids[reading->count - 1]);
    }
    reading->ids[reading->count] = entry->id;
    reading->revisions[reading->count] = entry->revision;
    reading->last = *entry;
    return ++reading->count == reading->stop_at ? -7 : 0;
}

static struct reading *read_history(struct unit *unit, const char *rollout, uint64_t limit,
                                    uint64_t before) {
    static struct reading reading;

    memset(&reading, 0, sizeof reading);
    reading.rollout = rollout;
    OK(canary_history(unit->store, rollout, limit, before, take, &reading, &error));
    return &reading;
}

/* Ids 1 to 11: a and b take turns. */
static void two_rollouts(struct unit *unit) {
    unit_create(unit, "a"); /* 1 */
    unit_create(unit, "b"); /* 2 */
    for (int i = 0; i < 4; i++) {
        OK(canary_advance(unit->store, "a", NULL, NULL, &error)); /* 3, 5, 7, 9 */
        OK(canary_advance(unit->store, "b", NULL, NULL, &error)); /* 4, 6, 8, 10 */
    }
    OK(canary_rollback(unit->store, "a", 0, NULL, NULL, &error)); /* 11 */
}

static void order_limit_before(void **state) {
    struct unit *unit = *state;
    struct reading *r;

    r = read_history(unit, NULL, 0, 0);
    assert_int_equal(r->count, 0);
    two_rollouts(unit);
    r = read_history(unit, NULL, 0, 0);
    assert_int_equal(r->count, 11);
    for (unsigned i = 0; i < 11; i++) {
        assert_int_equal(r->ids[i], 11 - i); /* newest first, without gaps */
    }
    r = read_history(unit, "a", 0, 0);
    assert_int_equal(r->count, 6);
    assert_int_equal(r->ids[0], 11);
    assert_int_equal(r->ids[1], 9);
    assert_int_equal(r->ids[5], 1);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(r->revisions[i], 6 - i); /* counts its own changes */
    }
    r = read_history(unit, "b", 2, 0);
    assert_int_equal(r->count, 2);
    assert_int_equal(r->ids[0], 10);
    assert_int_equal(r->ids[1], 8);
    r = read_history(unit, "b", 2, 8);
    assert_int_equal(r->count, 2);
    assert_int_equal(r->ids[0], 6);
    r = read_history(unit, NULL, 3, 5);
    assert_int_equal(r->count, 3);
    assert_int_equal(r->ids[0], 4);
    assert_int_equal(r->ids[2], 2);
    r = read_history(unit, NULL, 0, 1);
    assert_int_equal(r->count, 0);
    r = read_history(unit, NULL, 0, 2);
    assert_int_equal(r->count, 1);
    r = read_history(unit, NULL, 0, 1000000);
    assert_int_equal(r->count, 11);
    r = read_history(unit, NULL, UINT64_MAX, INT64_MAX);
    assert_int_equal(r->count, 11);
}

static void callback_ends_it(void **state) {
    struct unit *unit = *state;
    static struct reading reading;

    two_rollouts(unit);
    memset(&reading, 0, sizeof reading);
    reading.stop_at = 4;
    OK(canary_history(unit->store, NULL, 0, 0, take, &reading, &error));
    assert_int_equal(reading.count, 4);
}

static int look_inside(void *user_data, const canary_change *entry) {
    struct unit *unit = user_data;
    struct reading *inner;

    (void)entry;
    inner = read_history(unit, NULL, 0, 0); /* no lock is held in a callback */
    assert_int_equal(inner->count, 11);
    OK(canary_refresh(unit->store, &error));
    return 0;
}

static void callbacks_may_call(void **state) {
    struct unit *unit = *state;

    two_rollouts(unit);
    OK(canary_history(unit->store, NULL, 2, 0, look_inside, unit, &error));
}

static void wrong_calls(void **state) {
    struct unit *unit = *state;
    static struct reading reading;

    two_rollouts(unit);
    FAILS(CANARY_E_NOT_FOUND, "\"c\"", "",
          canary_history(unit->store, "c", 0, 0, take, &reading, &error));
    FAILS(CANARY_E_INVALID, "no such", "A-Z",
          canary_history(unit->store, "no such", 0, 0, take, &reading, &error));
    FAILS(CANARY_E_INVALID, "callback", "",
          canary_history(unit->store, NULL, 0, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_history(NULL, NULL, 0, 0, take, &reading, &error));
    FAILS(CANARY_E_INVALID, "before", "",
          canary_history(unit->store, NULL, 0, UINT64_MAX, take, &reading, &error));
    assert_int_equal(reading.count, 0);
}

/* More rows than one reading takes at a time. */
static void long_history(void **state) {
    struct unit *unit = *state;
    struct reading *r;

    unit_create(unit, "a");
    unit_create(unit, "b");
    for (int i = 0; i < 2300; i++) {
        unit_set(unit, i % 100 == 0 ? "b" : "a", (uint32_t)(i % 10000));
    }
    r = read_history(unit, NULL, 0, 0);
    assert_int_equal(r->count, 2302);
    assert_int_equal(r->ids[2301], 1);
    r = read_history(unit, "b", 0, 0);
    assert_int_equal(r->count, 24);
    r = read_history(unit, "b", 23, 0);
    assert_int_equal(r->count, 23);
    r = read_history(unit, "a", 1000, 0);
    assert_int_equal(r->count, 1000);
    r = read_history(unit, "a", 1001, 2000);
    assert_int_equal(r->count, 1001);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
}

/* What history says of a change is what the call that made it said, byte for byte. */
static void rows_are_what_the_calls_answered(void **state) {
    struct unit *unit = *state;
    canary_change_options by = unit_by("J\xc3\xbcrgen \"Q\" O'Neil; --");
    canary_change made[10];
    canary_rollout_spec spec = { .size = sizeof spec, .name = "rows" };
    unsigned n = 0;

    memset(made, 0, sizeof made);
    for (unsigned i = 0; i < COUNT(made); i++) {
        made[i].size = sizeof made[i];
    }
    by.note = "tab\t, quote \" and line\nbreak";
    by.evidence = "{\"errors\": 0}";
    OK(canary_create(unit->store, &spec, &by, &made[n++], &error));
    unit->realtime += 1000000007;
    OK(canary_advance(unit->store, "rows", &by, &made[n++], &error));
    OK(canary_set_percentage(unit->store, "rows", 750, "canary", &by, &made[n++], &error));
    OK(canary_flag_set(unit->store, "rows", 0, &by, &made[n++], &error));
    OK(canary_flag_set(unit->store, "rows", 1, &by, &made[n++], &error));
    OK(canary_override_set(unit->store, "rows", "u", 1, 1, &by, &made[n++], &error));
    OK(canary_override_remove(unit->store, "rows", "u", 1, &by, &made[n++], &error));
    OK(canary_accept(unit->store, "rows", &by, &made[n++], &error));
    by.by = "";
    OK(canary_rollback(unit->store, "rows", 0, &by, &made[n++], &error));
    OK(canary_rollback(unit->store, "rows", 0, NULL, &made[n++], &error));
    assert_string_equal(made[n - 1].by, "unknown");
    assert_string_equal(made[n - 2].by, "unknown");
    assert_string_equal(made[n - 1].note, "");
    assert_int_equal(made[1].at_ns, UNIT_NOW + 1000000007);
    assert_string_equal(made[3].action, "flag_off");
    assert_string_equal(made[3].flag, "rows");
    assert_string_equal(made[4].action, "flag_on");
    assert_string_equal(made[7].action, "accept");
    for (unsigned i = 0; i < n; i++) {
        struct reading *r = read_history(unit, "rows", 1, i + 2);

        assert_int_equal(r->count, 1);
        assert_memory_equal(&r->last, &made[i], sizeof made[i]);
        assert_int_equal(made[i].id, i + 1);
        assert_int_equal(made[i].revision, i + 1);
        if (i > 0) {
            assert_string_equal(made[i].previous_hash, made[i - 1].hash);
            assert_int_equal(made[i].from_percentage_bp, made[i - 1].to_percentage_bp);
            assert_int_equal(made[i].from_stage, made[i - 1].to_stage);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(order_limit_before),  UNIT_BOTH(callback_ends_it),
        UNIT_BOTH(callbacks_may_call),  UNIT_BOTH(wrong_calls),
        UNIT_MEMORY_ONLY(long_history), UNIT_BOTH(rows_are_what_the_calls_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
