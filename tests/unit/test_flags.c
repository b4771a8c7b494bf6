/* SPDX-License-Identifier: MIT */
/* Stored flags: one a rollout, shared ones, and ones that no rollout names. */
#include "support.h"

static void create_with_flag(struct unit *unit, const char *name, const char *flag) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = name, .flag = flag };

    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
    unit_set(unit, name, 10000);
}

static void off_and_on(void **state) {
    struct unit *unit = *state;
    canary_change_options by = unit_by("dora");
    canary_change change = { .size = sizeof change };
    canary_rollout rollout;
    canary_ctx *ctx;

    create_with_flag(unit, "f", NULL);
    ctx = unit_open(unit, "f");
    assert_int_equal(canary_should_use_new(ctx, "u"), 1);
    by.note = "errors";
    unit->realtime += 5;
    OK(canary_flag_set(unit->store, "f", 0, &by, &change, &error));
    assert_string_equal(change.action, "flag_off");
    assert_string_equal(change.flag, "f");
    assert_string_equal(change.rollout, "f");
    assert_int_equal(change.revision, 3);
    assert_int_equal(change.from_percentage_bp, 10000);
    assert_int_equal(change.to_percentage_bp, 10000);
    assert_int_equal(canary_should_use_new(ctx, "u"), 0);
    assert_int_equal(unit_info(ctx).kill_reasons, CANARY_KILL_FLAG);
    rollout = unit_read(unit, "f");
    assert_int_equal(rollout.percentage_bp, 10000);
    assert_int_equal(rollout.effective_bp, 0);
    assert_int_equal(rollout.kill_reasons, CANARY_KILL_FLAG);
    assert_int_equal(rollout.flag_enabled, 0);
    assert_string_equal(rollout.flag_updated_by, "dora");
    assert_string_equal(rollout.flag_note, "errors");
    assert_int_equal(rollout.flag_updated_at_ns, UNIT_NOW + 5);
    /* Off while off is recorded and harmless. */
    OK(canary_flag_set(unit->store, "f", 0, &by, &change, &error));
    assert_int_equal(change.revision, 4);
    OK(canary_flag_set(unit->store, "f", 1, &by, &change, &error));
    assert_string_equal(change.action, "flag_on");
    assert_int_equal(canary_should_use_new(ctx, "u"), 1);
    assert_int_equal(unit_read(unit, "f").effective_bp, 10000);
    /* The share moves while it is off, and shows when it is on again. */
    OK(canary_flag_set(unit->store, "f", 0, &by, &change, &error));
    unit_set(unit, "f", 2500);
    assert_int_equal(unit_read(unit, "f").effective_bp, 0);
    OK(canary_flag_set(unit->store, "f", 1, &by, &change, &error));
    assert_int_equal(unit_info(ctx).effective_bp, 2500);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

static void shared_by_many(void **state) {
    struct unit *unit = *state;
    static const char *const names[] = { "one", "two", "three" };
    canary_change change = { .size = sizeof change };
    canary_ctx *ctx[3];
    canary_ctx *other;

    for (size_t i = 0; i < COUNT(names); i++) {
        create_with_flag(unit, names[i], "shared");
        ctx[i] = unit_open(unit, names[i]);
    }
    create_with_flag(unit, "apart", NULL);
    other = unit_open(unit, "apart");
    OK(canary_flag_set(unit->store, "shared", 0, NULL, &change, &error));
    /* `out` is the last row; each rollout has one of its own. */
    assert_int_equal(change.id, 8 + 3);
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(canary_should_use_new(ctx[i], "u"), 0);
        assert_int_equal(unit_read(unit, names[i]).revision, 3);
        assert_int_equal(unit_read(unit, names[i]).kill_reasons, CANARY_KILL_FLAG);
        assert_string_equal(unit_read(unit, names[i]).flag, "shared");
    }
    assert_int_equal(canary_should_use_new(other, "u"), 1);
    assert_int_equal(unit_read(unit, "apart").revision, 2);
    OK(canary_flag_set(unit->store, "shared", 1, NULL, NULL, &error));
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(canary_should_use_new(ctx[i], "u"), 1);
        canary_close(&ctx[i]);
    }
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&other);
}

struct flags {
    canary_flag entries[8];
    unsigned count;
    unsigned stop_at;
};

static int take_flag(void *user_data, const canary_flag *entry) {
    struct flags *flags = user_data;

    assert_int_equal(entry->size, sizeof *entry);
    flags->entries[flags->count++] = *entry;
    return flags->count == flags->stop_at;
}

/* A flag that is not there is made, off or on, and waits for a rollout. */
static void made_before_their_rollout(void **state) {
    struct unit *unit = *state;
    canary_change change = { .size = sizeof change };
    struct flags flags = { .count = 0 };
    canary_ctx *ctx;

    OK(canary_flag_set(unit->store, "early", 0, NULL, &change, &error));
    assert_string_equal(change.rollout, "");
    assert_string_equal(change.flag, "early");
    assert_string_equal(change.action, "flag_off");
    assert_int_equal(change.id, 1);
    assert_int_equal(change.revision, 0);
    create_with_flag(unit, "late", "early");
    ctx = unit_open(unit, "late");
    /* Creating a rollout does not switch on a flag that somebody switched off. */
    assert_int_equal(canary_should_use_new(ctx, "u"), 0);
    assert_int_equal(unit_read(unit, "late").flag_enabled, 0);
    OK(canary_flag_set(unit->store, "early", 1, NULL, NULL, &error));
    assert_int_equal(canary_should_use_new(ctx, "u"), 1);
    OK(canary_flag_set(unit->store, "alone", 1, NULL, NULL, &error));
    create_with_flag(unit, "second", "early");
    OK(canary_flag_list(unit->store, take_flag, &flags, &error));
    assert_int_equal(flags.count, 2);
    assert_string_equal(flags.entries[0].name, "alone");
    assert_int_equal(flags.entries[0].rollouts, 0);
    assert_int_equal(flags.entries[0].enabled, 1);
    assert_int_equal(flags.entries[0].doubt, 0);
    assert_string_equal(flags.entries[0].updated_by, "unknown");
    assert_int_equal(flags.entries[0].updated_at_ns, UNIT_NOW);
    assert_string_equal(flags.entries[1].name, "early");
    assert_int_equal(flags.entries[1].rollouts, 2);
    flags = (struct flags){ .stop_at = 1 };
    OK(canary_flag_list(unit->store, take_flag, &flags, &error));
    assert_int_equal(flags.count, 1);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

/* The clock of the machine went back between two switches: the second one still counts. */
static void clock_goes_back(void **state) {
    struct unit *unit = *state;
    canary_ctx *ctx;

    create_with_flag(unit, "f", NULL);
    ctx = unit_open(unit, "f");
    for (int i = 0; i < 4; i++) {
        unit->realtime -= 3600000000000;
        OK(canary_flag_set(unit->store, "f", 0, NULL, NULL, &error));
        assert_int_equal(canary_should_use_new(ctx, "u"), 0);
        assert_int_equal(unit_info(ctx).doubt, 0);
        unit->realtime -= 3600000000000;
        OK(canary_flag_set(unit->store, "f", 1, NULL, NULL, &error));
        assert_int_equal(canary_should_use_new(ctx, "u"), 1);
        assert_int_equal(unit_info(ctx).doubt, 0);
    }
    canary_close(&ctx);
}

static void wrong_calls(void **state) {
    struct unit *unit = *state;
    struct flags flags = { .count = 0 };

    FAILS(CANARY_E_INVALID, "2", "0 (off) and 1 (on)",
          canary_flag_set(unit->store, "f", 2, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "-1", "", canary_flag_set(unit->store, "f", -1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "a b", "A-Z",
          canary_flag_set(unit->store, "a b", 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "(null)", "",
          canary_flag_set(unit->store, NULL, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_flag_set(NULL, "f", 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "callback", "", canary_flag_list(unit->store, NULL, NULL, &error));
    OK(canary_flag_list(unit->store, take_flag, &flags, &error));
    assert_int_equal(flags.count, 0);
}

static int take_name(void *user_data, const canary_rollout *entry) {
    char *names = user_data;

    assert_int_equal(entry->size, sizeof *entry);
    strcat(names, entry->name);
    strcat(names, " ");
    return strcmp(entry->name, "stop") == 0;
}

/* Listing rollouts: by name, each as canary_rollout_read() gives it. */
static int compare_entry(void *user_data, const canary_rollout *entry) {
    canary_rollout one = unit_read(user_data, entry->name);

    assert_memory_equal(&one, entry, sizeof one);
    return 0;
}

static void rollouts_listed_by_name(void **state) {
    struct unit *unit = *state;
    char names[200] = "";

    OK(canary_rollout_list(unit->store, take_name, names, &error));
    assert_string_equal(names, "");
    create_with_flag(unit, "b", "shared");
    create_with_flag(unit, "a.1", NULL);
    create_with_flag(unit, "A", "shared");
    create_with_flag(unit, "stop", NULL);
    create_with_flag(unit, "z", NULL);
    OK(canary_flag_set(unit->store, "shared", 0, NULL, NULL, &error));
    OK(canary_rollout_list(unit->store, take_name, names, &error));
    assert_string_equal(names, "A a.1 b stop ");
    OK(canary_rollout_list(unit->store, compare_entry, unit, &error));
    FAILS(CANARY_E_INVALID, "callback", "", canary_rollout_list(unit->store, NULL, NULL, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(off_and_on),      UNIT_BOTH(shared_by_many), UNIT_BOTH(made_before_their_rollout),
        UNIT_BOTH(clock_goes_back), UNIT_BOTH(wrong_calls),    UNIT_BOTH(rollouts_listed_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
