/* SPDX-License-Identifier: MIT */
/* Any ladder, climbed and descended: rungs, names, dwell times, percentages between the rungs. */
#include "support.h"

#define ROLLOUT "ladder"

struct ladder {
    const char *what;
    uint32_t count; /* as given to create; 0 = default */
    uint32_t bp[32];
    const char *names[32]; /* all NULL: not given */
    const char *expected[32];
};

static const struct ladder ladders[] = {
    { "default",
      0,
      { 500, 2500, 5000, 10000 },
      { NULL },
      { "EARLY_TESTING", "EXPANDED", "HALF_ROLLOUT", "FULL_ROLLOUT" } },
    { "default, spelled out",
      4,
      { 500, 2500, 5000, 10000 },
      { NULL },
      { "EARLY_TESTING", "EXPANDED", "HALF_ROLLOUT", "FULL_ROLLOUT" } },
    { "20/50/100", 3, { 2000, 5000, 10000 }, { NULL }, { "STAGE_1", "STAGE_2", "STAGE_3" } },
    { "5/25/100 named",
      3,
      { 500, 2500, 10000 },
      { "canary", "beta", "full" },
      { "canary", "beta", "full" } },
    { "5/10/25/50/100",
      5,
      { 500, 1000, 2500, 5000, 10000 },
      { NULL },
      { "STAGE_1", "STAGE_2", "STAGE_3", "STAGE_4", "STAGE_5" } },
    { "one rung", 1, { 10000 }, { NULL }, { "STAGE_1" } },
    { "never full", 2, { 1, 9999 }, { "least", "nearly-all_1.0" }, { "least", "nearly-all_1.0" } },
};

static void make(struct unit *unit, const struct ladder *ladder) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };

    spec.stage_count = ladder->count;
    if (ladder->count > 0) {
        spec.stages_bp = ladder->bp;
        spec.stage_names = ladder->names[0] != NULL ? ladder->names : NULL;
    }
    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
}

static uint32_t rungs(const struct ladder *ladder) {
    return ladder->count > 0 ? ladder->count : 4;
}

static void is_at(struct unit *unit, canary_ctx *ctx, int stage, const char *name,
                  uint32_t percentage_bp) {
    canary_rollout rollout = unit_read(unit, ROLLOUT);
    canary_ctx_info info = unit_info(ctx);

    assert_int_equal(rollout.stage, stage);
    assert_string_equal(rollout.stage_name, name);
    assert_int_equal(rollout.percentage_bp, percentage_bp);
    assert_int_equal(rollout.effective_bp, percentage_bp);
    assert_int_equal(info.stage, stage);
    assert_string_equal(info.stage_name, name);
    assert_int_equal(info.percentage_bp, percentage_bp);
    assert_int_equal(info.revision, rollout.revision);
    /* And it is acted on: the last bucket inside and the first outside. */
    assert_int_equal(canary_should_use_new_bucket(ctx, percentage_bp - 1), percentage_bp > 0);
    assert_int_equal(canary_should_use_new_bucket(ctx, percentage_bp), 0);
}

static void as_declared(struct unit *unit, const struct ladder *ladder) {
    canary_rollout rollout = unit_read(unit, ROLLOUT);

    assert_int_equal(rollout.stage_count, rungs(ladder) + 1);
    assert_int_equal(rollout.stages_bp[0], 0);
    assert_string_equal(rollout.stage_names[0], "DISABLED");
    for (uint32_t i = 0; i < rungs(ladder); i++) {
        assert_int_equal(rollout.stages_bp[i + 1], ladder->bp[i]);
        assert_string_equal(rollout.stage_names[i + 1], ladder->expected[i]);
        assert_int_equal(rollout.dwell_ns[i + 1], 0);
    }
}

static void climb_one(struct unit *unit, const struct ladder *ladder) {
    canary_change change = { .size = sizeof change };
    canary_ctx *ctx;
    uint32_t top = rungs(ladder);

    print_message("%s\n", ladder->what);
    make(unit, ladder);
    as_declared(unit, ladder);
    ctx = unit_open(unit, ROLLOUT);
    is_at(unit, ctx, 0, "DISABLED", 0);
    for (uint32_t i = 0; i < top; i++) {
        OK(canary_advance(unit->store, ROLLOUT, NULL, &change, &error));
        assert_string_equal(change.action, "advance");
        assert_int_equal(change.from_stage, i);
        assert_int_equal(change.to_stage, i + 1);
        assert_int_equal(change.from_percentage_bp, i == 0 ? 0 : ladder->bp[i - 1]);
        assert_int_equal(change.to_percentage_bp, ladder->bp[i]);
        is_at(unit, ctx, (int)i + 1, ladder->expected[i], ladder->bp[i]);
    }
    FAILS(CANARY_E_REFUSED, ROLLOUT, ladder->expected[top - 1],
          canary_advance(unit->store, ROLLOUT, NULL, &change, &error));
    is_at(unit, ctx, (int)top, ladder->expected[top - 1], ladder->bp[top - 1]);
    for (uint32_t i = top; i-- > 0;) {
        OK(canary_rollback(unit->store, ROLLOUT, (int)i, NULL, &change, &error));
        assert_string_equal(change.action, "rollback");
        assert_int_equal(change.from_stage, i + 1);
        assert_int_equal(change.to_stage, i);
        is_at(unit, ctx, (int)i, i == 0 ? "DISABLED" : ladder->expected[i - 1],
              i == 0 ? 0 : ladder->bp[i - 1]);
    }
    /* In one step to any rung and back. */
    for (uint32_t i = 1; i <= top; i++) {
        OK(canary_set_stage(unit->store, ROLLOUT, (int)i, NULL, &change, &error));
        assert_string_equal(change.action, "set");
        is_at(unit, ctx, (int)i, ladder->expected[i - 1], ladder->bp[i - 1]);
        OK(canary_set_stage(unit->store, ROLLOUT, 0, NULL, &change, &error));
        assert_string_equal(change.action, "rollback");
        is_at(unit, ctx, 0, "DISABLED", 0);
    }
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

static void climb_each(int kind) {
    for (size_t i = 0; i < COUNT(ladders); i++) {
        struct unit *unit = unit_new(kind);

        climb_one(unit, &ladders[i]);
        unit_free(unit);
    }
}

static void every_ladder_in_memory(void **state) {
    (void)state;
    climb_each(UNIT_MEMORY);
}

static void every_ladder_in_sqlite(void **state) {
    (void)state;
    climb_each(UNIT_SQLITE);
}

/* 7.5 % named canary, on the default ladder: above rung 1, and the next advance goes to rung 2. */
static void percentage_outside_the_ladder(void **state) {
    struct unit *unit = *state;
    canary_change change = { .size = sizeof change };
    canary_ctx *ctx;

    unit_create(unit, ROLLOUT);
    ctx = unit_open(unit, ROLLOUT);
    OK(canary_set_percentage(unit->store, ROLLOUT, 750, "canary", NULL, &change, &error));
    assert_string_equal(change.action, "set");
    assert_int_equal(change.from_stage, 0);
    assert_int_equal(change.to_stage, 1);
    assert_int_equal(change.to_percentage_bp, 750);
    is_at(unit, ctx, 1, "canary", 750);
    OK(canary_advance(unit->store, ROLLOUT, NULL, &change, &error));
    assert_int_equal(change.from_percentage_bp, 750);
    is_at(unit, ctx, 2, "EXPANDED", 2500);
    /* Without a phase the rung's name comes back. */
    OK(canary_set_percentage(unit->store, ROLLOUT, 4999, NULL, NULL, NULL, &error));
    is_at(unit, ctx, 2, "EXPANDED", 4999);
    OK(canary_rollback(unit->store, ROLLOUT, 2, NULL, &change, &error));
    assert_int_equal(change.from_stage, 2);
    assert_int_equal(change.to_stage, 2);
    is_at(unit, ctx, 2, "EXPANDED", 2500);
    /* Below the first rung is stage 0, and the advance goes to the first. */
    OK(canary_set_percentage(unit->store, ROLLOUT, 1, "one-bucket", NULL, NULL, &error));
    is_at(unit, ctx, 0, "one-bucket", 1);
    OK(canary_advance(unit->store, ROLLOUT, NULL, NULL, &error));
    is_at(unit, ctx, 1, "EARLY_TESTING", 500);
    OK(canary_set_percentage(unit->store, ROLLOUT, 10000, "everybody", NULL, NULL, &error));
    is_at(unit, ctx, 4, "everybody", 10000);
    canary_close(&ctx);
}

/* Above the top rung of a ladder that does not end at 100 % there is nothing to advance to. */
static void above_the_top_rung(void **state) {
    struct unit *unit = *state;
    static const struct ladder half = { "half", 1, { 5000 }, { NULL }, { "STAGE_1" } };
    canary_ctx *ctx;

    make(unit, &half);
    ctx = unit_open(unit, ROLLOUT);
    OK(canary_set_percentage(unit->store, ROLLOUT, 6000, NULL, NULL, NULL, &error));
    is_at(unit, ctx, 1, "STAGE_1", 6000);
    FAILS(CANARY_E_REFUSED, "last stage", ROLLOUT,
          canary_advance(unit->store, ROLLOUT, NULL, NULL, &error));
    OK(canary_rollback(unit->store, ROLLOUT, 1, NULL, NULL, &error));
    is_at(unit, ctx, 1, "STAGE_1", 5000);
    canary_close(&ctx);
}

static void longest_ladder_and_longest_texts(void **state) {
    struct unit *unit = *state;
    uint32_t bp[31];
    int64_t dwell[31];
    char names[31][64];
    const char *pointers[31];
    char name[CANARY_NAME_MAX + 1];
    char flag[CANARY_NAME_MAX + 1];
    char salt[CANARY_SALT_MAX + 1];
    canary_rollout_spec spec = { .size = sizeof spec };
    canary_rollout rollout;
    canary_ctx *ctx;

    for (unsigned i = 0; i < 31; i++) {
        bp[i] = i == 30 ? 10000 : 1 + i;
        dwell[i] = i == 0 ? INT64_MAX : (int64_t)i * 3600000000000;
        memset(names[i], 'n', 63);
        names[i][0] = (char)('A' + i % 26);
        names[i][1] = (char)('a' + i / 26);
        names[i][63] = '\0';
        pointers[i] = names[i];
    }
    memset(name, 'r', sizeof name);
    memset(flag, 'f', sizeof flag);
    memset(salt, 's', sizeof salt);
    name[CANARY_NAME_MAX] = flag[CANARY_NAME_MAX] = salt[CANARY_SALT_MAX] = '\0';
    spec.name = name;
    spec.flag = flag;
    spec.salt = salt;
    spec.stage_count = 31;
    spec.stages_bp = bp;
    spec.stage_names = pointers;
    spec.dwell_ns = dwell;
    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
    rollout = unit_read(unit, name);
    assert_int_equal(rollout.stage_count, CANARY_STAGES_MAX);
    assert_string_equal(rollout.name, name);
    assert_string_equal(rollout.flag, flag);
    assert_string_equal(rollout.salt, salt);
    assert_int_equal(rollout.dwell_ns[0], 0);
    for (unsigned i = 0; i < 31; i++) {
        assert_int_equal(rollout.stages_bp[i + 1], bp[i]);
        assert_string_equal(rollout.stage_names[i + 1], names[i]);
        assert_int_equal(rollout.dwell_ns[i + 1], dwell[i]);
    }
    ctx = unit_open(unit, name);
    for (unsigned i = 0; i < 31; i++) {
        OK(canary_advance(unit->store, name, NULL, NULL, &error));
    }
    assert_string_equal(unit_info(ctx).stage_name, names[30]);
    assert_string_equal(unit_info(ctx).rollout, name);
    assert_string_equal(unit_info(ctx).salt, salt);
    assert_int_equal(canary_should_use_new(ctx, "alice"), 1);
    FAILS(CANARY_E_REFUSED, "", "", canary_advance(unit->store, name, NULL, NULL, &error));
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

/* Everything create was told is what can be read, and what it was not told is the default. */
static void creation_is_recorded(void **state) {
    struct unit *unit = *state;
    canary_change_options options = unit_by("dora@example.com");
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT, .salt = "s\xc3\xa9l" };
    canary_change change = { .size = sizeof change };
    canary_rollout rollout;

    options.note = "first\nsecond line";
    OK(canary_create(unit->store, &spec, &options, &change, &error));
    assert_string_equal(change.action, "create");
    assert_int_equal(change.from_stage, -1);
    assert_int_equal(change.to_stage, 0);
    assert_int_equal(change.id, 1);
    assert_int_equal(change.revision, 1);
    assert_int_equal(change.at_ns, UNIT_NOW);
    assert_string_equal(change.rollout, ROLLOUT);
    assert_string_equal(change.flag, "");
    assert_string_equal(change.by, "dora@example.com");
    assert_string_equal(change.note, "first\nsecond line");
    assert_true(unit_all(change.previous_hash, 64, '0'));
    assert_int_equal(strspn(change.hash, "0123456789abcdef"), 64);
    rollout = unit_read(unit, ROLLOUT);
    assert_int_equal(rollout.revision, 1);
    assert_int_equal(rollout.algorithm, CANARY_ALGORITHM_SHA256);
    assert_int_equal(rollout.flag_enabled, 1);
    assert_int_equal(rollout.kill_reasons, 0);
    assert_int_equal(rollout.doubt, 0);
    assert_int_equal(rollout.updated_at_ns, UNIT_NOW);
    assert_string_equal(rollout.updated_by, "dora@example.com");
    assert_string_equal(rollout.note, "first\nsecond line");
    assert_string_equal(rollout.flag, ROLLOUT);
    assert_string_equal(rollout.salt, "s\xc3\xa9l");
    FAILS(CANARY_E_EXISTS, ROLLOUT, "already",
          canary_create(unit->store, &spec, NULL, NULL, &error));
    assert_int_equal(unit_read(unit, ROLLOUT).revision, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ladder_in_memory),    cmocka_unit_test(every_ladder_in_sqlite),
        UNIT_BOTH(percentage_outside_the_ladder),    UNIT_BOTH(above_the_top_rung),
        UNIT_BOTH(longest_ladder_and_longest_texts), UNIT_BOTH(creation_is_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
