/* SPDX-License-Identifier: MIT */
/* What is refused, and how it says so: the value, what is allowed, and nothing half done. */
#include "support.h"

#define ROLLOUT "input"

static char long_text[70000];

static const char *of_length(size_t length) {
    memset(long_text, 'x', sizeof long_text);
    long_text[length] = '\0';
    return long_text;
}

/* -- names -- */

static const char *const bad_names[] = {
    "",     " ",   "a b", "a/b",     "a\n", "a\"b",       "\xc3\xa9", "a\xff",
    "../x", "a:b", "a;b", "name\t1", "a,b", "a\x01\x02z", "{}",       "%s%n",
};

static void refuse_name(struct unit *unit, const char *name) {
    canary_store *store = unit->store;
    canary_rollout_spec spec = { .size = sizeof spec, .name = name };
    canary_rollout rollout = { .size = sizeof rollout };
    canary_ctx *ctx = NULL;
    const char *shown = name == NULL ? "(null)" : strlen(name) > 100 ? "xxxx" : name;
    const char *odd = strpbrk(shown, "\n\t\xff\x01");
    const char *allowed = "A-Z a-z 0-9 . _ -";

    /* A message is one line of UTF-8, whatever it quotes. */
    shown = odd != NULL ? "?" : shown;
    FAILS(CANARY_E_INVALID, shown, allowed, canary_create(store, &spec, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, shown, allowed, canary_advance(store, name, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, shown, allowed, canary_rollback(store, name, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, shown, allowed, canary_set_stage(store, name, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, shown, allowed,
          canary_set_percentage(store, name, 1, NULL, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, shown, allowed, canary_flag_set(store, name, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, shown, allowed,
          canary_override_set(store, name, "u", 1, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, shown, allowed,
          canary_override_remove(store, name, "u", 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, shown, allowed, canary_accept(store, name, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, shown, "", canary_open_in(store, name, NULL, &ctx, &error));
    assert_null(ctx);
    FAILS(CANARY_E_INVALID, name == NULL ? "NULL" : shown, "",
          canary_rollout_read(store, name, &rollout, &error));
    spec.name = "fine";
    if (name != NULL) {
        spec.flag = name;
        FAILS(CANARY_E_INVALID, shown, allowed, canary_create(store, &spec, NULL, NULL, &error));
        FAILS(CANARY_E_NOT_FOUND, "fine", "", canary_rollout_read(store, "fine", &rollout, &error));
    }
}

static void names(void **state) {
    struct unit *unit = *state;
    char last[CANARY_NAME_MAX + 1];

    for (size_t i = 0; i < COUNT(bad_names); i++) {
        refuse_name(unit, bad_names[i]);
    }
    refuse_name(unit, NULL);
    refuse_name(unit, of_length(CANARY_NAME_MAX + 1));
    refuse_name(unit, of_length(60000));
    memset(last, '-', sizeof last);
    last[CANARY_NAME_MAX] = '\0';
    unit_create(unit, last);
    unit_create(unit, "."); /* not a path: allowed like any other */
    unit_create(unit, "..");
    unit_create(unit, "0");
    unit_create(unit, "A-Z_a.z");
    assert_int_equal(unit_read(unit, "..").revision, 1);
}

/* -- ladders -- */

struct bad_ladder {
    const char *shown;
    uint32_t count;
    uint32_t bp[4];
    const char *names[4];
};

static const struct bad_ladder bad_ladders[] = {
    { "stage 2", 2, { 2500, 500 }, { NULL } },
    { "stage 2", 2, { 500, 500 }, { NULL } },
    { "stage 1", 1, { 0 }, { NULL } },
    { "stage 1", 2, { 0, 500 }, { NULL } },
    { "100.01", 1, { 10001 }, { NULL } },
    { "at most 100 %", 3, { 500, 10000, 20000 }, { NULL } },
    { "stage 1", 1, { UINT32_MAX }, { NULL } },
    { "\"beta\" stands twice", 3, { 500, 2500, 10000 }, { "beta", "canary", "beta" } },
    { "\"DISABLED\" stands twice", 1, { 500 }, { "DISABLED" } },
    { "\"\"", 2, { 500, 10000 }, { "a", "" } },
    { "\"two words\"", 2, { 500, 10000 }, { "a", "two words" } },
    { "1 to 63", 2, { 500, 10000 }, { "a", "long" } },
};

static void ladders(void **state) {
    struct unit *unit = *state;
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };
    canary_rollout rollout = { .size = sizeof rollout };
    uint32_t many[40];
    int64_t dwell[2] = { 5, -1 };
    canary_change out;

    for (size_t i = 0; i < COUNT(bad_ladders); i++) {
        const char *names[4];

        memcpy(names, bad_ladders[i].names, sizeof names);
        if (names[1] != NULL && strcmp(names[1], "long") == 0) {
            names[1] = of_length(CANARY_PHASE_MAX + 1);
        }
        spec.stage_count = bad_ladders[i].count;
        spec.stages_bp = bad_ladders[i].bp;
        spec.stage_names = names[0] != NULL ? names : NULL;
        memset(&out, 0xa5, sizeof out);
        out.size = sizeof out;
        FAILS(CANARY_E_INVALID, bad_ladders[i].shown, "",
              canary_create(unit->store, &spec, NULL, &out, &error));
        assert_true(unit_all((char *)&out + 4, sizeof out - 4, 0xa5));
    }
    for (uint32_t i = 0; i < 40; i++) {
        many[i] = i + 1;
    }
    spec.stage_names = NULL;
    spec.stages_bp = many;
    spec.stage_count = 32;
    FAILS(CANARY_E_INVALID, "32 stages", "31",
          canary_create(unit->store, &spec, NULL, NULL, &error));
    spec.stage_count = UINT32_MAX;
    FAILS(CANARY_E_INVALID, "4294967295", "31",
          canary_create(unit->store, &spec, NULL, NULL, &error));
    spec.stage_count = 2;
    spec.stages_bp = NULL;
    FAILS(CANARY_E_INVALID, "2 stages", "percentages",
          canary_create(unit->store, &spec, NULL, NULL, &error));
    spec.stages_bp = many;
    spec.dwell_ns = dwell;
    FAILS(CANARY_E_INVALID, "-1", "stage 2", canary_create(unit->store, &spec, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, ROLLOUT, "",
          canary_rollout_read(unit->store, ROLLOUT, &rollout, &error));
    FAILS(CANARY_E_INVALID, "spec", "", canary_create(unit->store, NULL, NULL, NULL, &error));
    spec = (canary_rollout_spec){ .size = 4, .name = ROLLOUT };
    FAILS(CANARY_E_INVALID, "size", "", canary_create(unit->store, &spec, NULL, NULL, &error));
}

/* -- texts -- */

static void salts(void **state) {
    static const char *const bad[] = { "a\n",    "\x01",     "\x7f",         "\xff",
                                       "\xc3",   "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                       "ok\xc3(" };
    struct unit *unit = *state;
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };

    for (size_t i = 0; i < COUNT(bad); i++) {
        spec.salt = bad[i];
        FAILS(CANARY_E_INVALID, "salt", "128",
              canary_create(unit->store, &spec, NULL, NULL, &error));
    }
    spec.salt = of_length(CANARY_SALT_MAX + 1);
    FAILS(CANARY_E_INVALID, "salt", "128", canary_create(unit->store, &spec, NULL, NULL, &error));
    spec.salt = "\xf0\x9f\x90\xa4 : \xed\x9f\xbf"; /* any UTF-8, colons and spaces too */
    OK(canary_create(unit->store, &spec, NULL, NULL, &error));
    assert_string_equal(unit_read(unit, ROLLOUT).salt, spec.salt);
}

static void who_and_why(void **state) {
    struct unit *unit = *state;
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    canary_rollout before;
    canary_change out;
    canary_change *change = malloc(sizeof *change);

    assert_non_null(change);
    unit_create(unit, ROLLOUT);
    before = unit_read(unit, ROLLOUT);
    memset(&out, 0xa5, sizeof out);
    out.size = sizeof out;
    options.by = of_length(CANARY_ACTOR_MAX + 1);
    FAILS(CANARY_E_INVALID, "by", "255",
          canary_advance(unit->store, ROLLOUT, &options, &out, &error));
    options.by = "line\nbreak";
    FAILS(CANARY_E_INVALID, "by", "control",
          canary_advance(unit->store, ROLLOUT, &options, &out, &error));
    options.by = "\xff";
    FAILS(CANARY_E_INVALID, "by", "UTF-8",
          canary_rollback(unit->store, ROLLOUT, 0, &options, &out, &error));
    options.by = NULL;
    options.note = of_length(CANARY_NOTE_MAX + 1);
    FAILS(CANARY_E_INVALID, "note", "1023",
          canary_advance(unit->store, ROLLOUT, &options, &out, &error));
    options.note = "\xc3";
    FAILS(CANARY_E_INVALID, "note", "UTF-8",
          canary_flag_set(unit->store, ROLLOUT, 0, &options, &out, &error));
    options.note = NULL;
    options.evidence = of_length(65537);
    FAILS(CANARY_E_INVALID, "evidence", "65536",
          canary_advance(unit->store, ROLLOUT, &options, &out, &error));
    options.evidence = NULL;
    options.flags = 4;
    FAILS(CANARY_E_INVALID, "0x4", "",
          canary_advance(unit->store, ROLLOUT, &options, &out, &error));
    options.flags = 0;
    options.size = 4;
    FAILS(CANARY_E_INVALID, "size 4", "",
          canary_advance(unit->store, ROLLOUT, &options, &out, &error));
    assert_true(unit_all((char *)&out + 4, sizeof out - 4, 0xa5));
    {
        canary_rollout now = unit_read(unit, ROLLOUT);

        assert_memory_equal(&now, &before, sizeof now);
    }
    /* The longest that is allowed is kept whole. */
    options = (canary_change_options)CANARY_CHANGE_OPTIONS_INIT;
    options.evidence = of_length(65536);
    OK(canary_advance(unit->store, ROLLOUT, &options, NULL, &error));
    options.evidence = NULL;
    options.by = of_length(CANARY_ACTOR_MAX);
    change->size = sizeof *change;
    OK(canary_advance(unit->store, ROLLOUT, &options, change, &error));
    assert_int_equal(strlen(change->by), CANARY_ACTOR_MAX);
    options.by = NULL;
    options.note = of_length(CANARY_NOTE_MAX);
    OK(canary_advance(unit->store, ROLLOUT, &options, change, &error));
    assert_int_equal(strlen(change->note), CANARY_NOTE_MAX);
    assert_int_equal(strlen(unit_read(unit, ROLLOUT).note), CANARY_NOTE_MAX);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    free(change);
}

/* -- numbers -- */

static void percentages_stages_phases(void **state) {
    struct unit *unit = *state;
    canary_rollout before;
    canary_rollout now;

    unit_create(unit, ROLLOUT);
    before = unit_read(unit, ROLLOUT);
    FAILS(CANARY_E_INVALID, "10001", "0 to 10000",
          canary_set_percentage(unit->store, ROLLOUT, 10001, NULL, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "4294967295", "10000",
          canary_set_percentage(unit->store, ROLLOUT, UINT32_MAX, NULL, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "phase \"\"", "63",
          canary_set_percentage(unit->store, ROLLOUT, 5, "", NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "two words", "63",
          canary_set_percentage(unit->store, ROLLOUT, 5, "two words", NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "phase", "63",
          canary_set_percentage(unit->store, ROLLOUT, 5, of_length(64), NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "stage 5", "0 to 4",
          canary_set_stage(unit->store, ROLLOUT, 5, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "-2", "",
          canary_set_stage(unit->store, ROLLOUT, -2, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "1000", "",
          canary_set_stage(unit->store, ROLLOUT, 1000, NULL, NULL, &error));
    now = unit_read(unit, ROLLOUT);
    assert_memory_equal(&now, &before, sizeof now);
    OK(canary_set_percentage(unit->store, ROLLOUT, 5, of_length(63), NULL, NULL, &error));
}

static void overrides(void **state) {
    struct unit *unit = *state;
    const void *ids[3] = { "a", NULL, "c" };
    uint64_t sizes[3] = { 1, 1, 1 };
    canary_rollout before;
    canary_rollout now;

    unit_create(unit, ROLLOUT);
    before = unit_read(unit, ROLLOUT);
    FAILS(CANARY_E_INVALID, "cohort 2", "0 (old) and 1 (new)",
          canary_override_set(unit->store, ROLLOUT, "a", 1, 2, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "cohort -1", "",
          canary_override_set(unit->store, ROLLOUT, "a", 1, -1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "0 bytes", "1 to 4096",
          canary_override_set(unit->store, ROLLOUT, "a", 0, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "0 bytes", "1 to 4096",
          canary_override_set(unit->store, ROLLOUT, NULL, 1, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "4097", "4096",
          canary_override_set(unit->store, ROLLOUT, long_text, 4097, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "0 bytes", "",
          canary_override_remove(unit->store, ROLLOUT, "", 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "id 2 of 3", "",
          canary_override_set_many(unit->store, ROLLOUT, ids, sizes, 3, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "no user id", "",
          canary_override_set_many(unit->store, ROLLOUT, ids, sizes, 0, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "no user id", "",
          canary_override_set_many(unit->store, ROLLOUT, NULL, sizes, 3, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "cohort 7", "",
          canary_override_set_many(unit->store, ROLLOUT, ids, sizes, 3, 7, NULL, NULL, &error));
    now = unit_read(unit, ROLLOUT);
    assert_memory_equal(&now, &before, sizeof now);
}

/* -- no such thing, and no store -- */

static void not_found(void **state) {
    struct unit *unit = *state;
    canary_store *store = unit->store;
    const char *next = "canaryctl list";
    canary_rollout rollout;
    canary_ctx *ctx = NULL;

    memset(&rollout, 0xa5, sizeof rollout);
    rollout.size = sizeof rollout;
    FAILS(CANARY_E_NOT_FOUND, "\"gone\"", next, canary_advance(store, "gone", NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"gone\"", next,
          canary_rollback(store, "gone", 0, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"gone\"", next,
          canary_set_stage(store, "gone", 1, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"gone\"", next,
          canary_set_percentage(store, "gone", 1, NULL, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"gone\"", next,
          canary_override_set(store, "gone", "u", 1, 1, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"gone\"", next,
          canary_override_remove(store, "gone", "u", 1, NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"gone\"", next, canary_accept(store, "gone", NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"gone\"", next,
          canary_rollout_read(store, "gone", &rollout, &error));
    FAILS(CANARY_E_NOT_FOUND, "\"gone\"", next, canary_open_in(store, "gone", NULL, &ctx, &error));
    assert_null(ctx);
    assert_true(unit_all((char *)&rollout + 4, sizeof rollout - 4, 0xa5));
    /* The error may be left out everywhere. */
    assert_int_equal(canary_advance(store, "gone", NULL, NULL, NULL), CANARY_E_NOT_FOUND);
    assert_int_equal(canary_rollback(store, "gone", 0, NULL, NULL, NULL), CANARY_E_NOT_FOUND);
    assert_int_equal(canary_open_in(store, "gone", NULL, &ctx, NULL), CANARY_E_NOT_FOUND);
    assert_int_equal(canary_accept(store, "a b", NULL, NULL, NULL), CANARY_E_INVALID);
}

static void no_store(void **state) {
    canary_rollout_spec spec = { .size = sizeof spec, .name = ROLLOUT };
    canary_rollout rollout = { .size = sizeof rollout };
    canary_verify_report report = { .size = sizeof report };
    canary_bell_info *bell = calloc(1, sizeof *bell);
    canary_ctx *ctx = NULL;

    (void)state;
    assert_non_null(bell);
    bell->size = sizeof *bell;
    FAILS(CANARY_E_INVALID, "store", "", canary_create(NULL, &spec, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_advance(NULL, ROLLOUT, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_rollback(NULL, ROLLOUT, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_set_stage(NULL, ROLLOUT, 0, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "",
          canary_set_percentage(NULL, ROLLOUT, 0, NULL, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "",
          canary_override_set(NULL, ROLLOUT, "u", 1, 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "",
          canary_override_remove(NULL, ROLLOUT, "u", 1, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_accept(NULL, ROLLOUT, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_rollout_read(NULL, ROLLOUT, &rollout, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_verify(NULL, NULL, NULL, &report, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_bell_check(NULL, bell, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_open_in(NULL, ROLLOUT, NULL, &ctx, &error));
    FAILS(CANARY_E_INVALID, "store", "", canary_refresh(NULL, &error));
    free(bell);
}

/* -- opening -- */

static void open_options(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;

    unit_create(unit, ROLLOUT);
    options.flags = 64;
    FAILS(CANARY_E_INVALID, "0x40", "", canary_store_open_memory(&options, &store, &error));
    FAILS(CANARY_E_INVALID, "0x40", "",
          canary_open_in(unit->store, ROLLOUT, &options, &ctx, &error));
    options.flags = 0;
    options.tick_ns = 999999;
    FAILS(CANARY_E_INVALID, "999999", "1 ms", canary_store_open_memory(&options, &store, &error));
    options.tick_ns = 3600000000001;
    FAILS(CANARY_E_INVALID, "3600000000001", "1 h",
          canary_store_open("/tmp/x", &options, &store, &error));
    options.tick_ns = 0;
    options.busy_timeout_ns = -1;
    FAILS(CANARY_E_INVALID, "-1", "", canary_store_open_memory(&options, &store, &error));
    options.busy_timeout_ns = 0;
    options.stale_after_ns = -5;
    FAILS(CANARY_E_INVALID, "-5", "", canary_open_in(unit->store, ROLLOUT, &options, &ctx, &error));
    options.stale_after_ns = 0;
    options.log_level = 5;
    FAILS(CANARY_E_INVALID, "5", "0 to 4", canary_store_open_memory(&options, &store, &error));
    options.log_level = 0;
    options.size = 3;
    FAILS(CANARY_E_INVALID, "size 3", "", canary_store_open_memory(&options, &store, &error));
    FAILS(CANARY_E_INVALID, "path", "", canary_store_open(NULL, NULL, &store, &error));
    FAILS(CANARY_E_INVALID, "path", "", canary_store_open("", NULL, &store, &error));
    FAILS(CANARY_E_INVALID, "path", "4000",
          canary_store_open(of_length(4001), NULL, &store, &error));
    FAILS(CANARY_E_INVALID, "out", "", canary_store_open("/tmp/x", NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "out", "", canary_store_open_memory(NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "out", "", canary_open_in(unit->store, ROLLOUT, NULL, NULL, &error));
    assert_null(store);
    assert_null(ctx);
}

static void read_only_handles_refuse_changes(void **state) {
    struct unit *unit = *state;
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;

    unit_create(unit, ROLLOUT);
    unit_set(unit, ROLLOUT, 10000);
    options.flags = CANARY_OPEN_READ_ONLY | CANARY_OPEN_NO_WATCHER;
    OK(canary_store_open(unit->path, &options, &store, &error));
    FAILS(CANARY_E_READ_ONLY, "CANARY_OPEN_READ_ONLY", "",
          canary_advance(store, ROLLOUT, NULL, NULL, &error));
    FAILS(CANARY_E_READ_ONLY, "CANARY_OPEN_READ_ONLY", "",
          canary_rollback(store, ROLLOUT, 0, NULL, NULL, &error));
    OK(canary_open_in(store, ROLLOUT, NULL, &ctx, &error));
    assert_int_equal(canary_should_use_new(ctx, "u"), 1);
    OK(canary_rollback(unit->store, ROLLOUT, 0, NULL, NULL, &error));
    OK(canary_refresh(store, &error));
    assert_int_equal(canary_should_use_new(ctx, "u"), 0);
    OK(canary_verify(store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
    canary_store_close(&store);
}

static void missing_store(void **state) {
    canary_options options = CANARY_OPTIONS_INIT;
    canary_store *store = NULL;
    canary_ctx *ctx = NULL;

    (void)state;
    options.flags = CANARY_OPEN_NO_WATCHER;
    FAILS(CANARY_E_NO_STORE, "/no-such-directory/db", "",
          canary_store_open("/no-such-directory/db", &options, &store, &error));
    FAILS(CANARY_E_NO_STORE, "/no-such-directory/db", "",
          canary_open("/no-such-directory/db", ROLLOUT, &options, &ctx, &error));
    options.flags |= CANARY_OPEN_DEFER;
    OK(canary_open("/no-such-directory/db", ROLLOUT, &options, &ctx, &error));
    assert_int_equal(canary_should_use_new(ctx, "u"), 0);
    assert_int_equal(unit_info(ctx).last_error, CANARY_E_NO_STORE);
    canary_close(&ctx);
    assert_null(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_MEMORY_ONLY(names),
        UNIT_BOTH(ladders),
        UNIT_BOTH(salts),
        UNIT_BOTH(who_and_why),
        UNIT_BOTH(percentages_stages_phases),
        UNIT_BOTH(overrides),
        UNIT_BOTH(not_found),
        cmocka_unit_test(no_store),
        UNIT_MEMORY_ONLY(open_options),
        UNIT_SQLITE_ONLY(read_only_handles_refuse_changes),
        cmocka_unit_test(missing_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
