/* SPDX-License-Identifier: MIT */
/* Changes against expectations: who wins, who loses and what he is told, and dry runs. */
#include "support.h"

#define ROLLOUT "changes"

/* -- expectations -- */

typedef int (*change_fn)(canary_store *store, const canary_change_options *options,
                         canary_change *out, canary_error *error);

static int do_advance(canary_store *store, const canary_change_options *options, canary_change *out,
                      canary_error *error) {
    return canary_advance(store, ROLLOUT, options, out, error);
}

static int do_set(canary_store *store, const canary_change_options *options, canary_change *out,
                  canary_error *error) {
    return canary_set_percentage(store, ROLLOUT, 3000, "phase", options, out, error);
}

static int do_lower(canary_store *store, const canary_change_options *options, canary_change *out,
                    canary_error *error) {
    return canary_set_percentage(store, ROLLOUT, 100, NULL, options, out, error);
}

static int do_stage_up(canary_store *store, const canary_change_options *options,
                       canary_change *out, canary_error *error) {
    return canary_set_stage(store, ROLLOUT, 3, options, out, error);
}

static int do_pin(canary_store *store, const canary_change_options *options, canary_change *out,
                  canary_error *error) {
    return canary_override_set(store, ROLLOUT, "u", 1, CANARY_NEW, options, out, error);
}

static int do_pin_old(canary_store *store, const canary_change_options *options, canary_change *out,
                      canary_error *error) {
    return canary_override_set(store, ROLLOUT, "v", 1, CANARY_OLD, options, out, error);
}

static int do_unpin(canary_store *store, const canary_change_options *options, canary_change *out,
                    canary_error *error) {
    return canary_override_remove(store, ROLLOUT, "pinned", 6, options, out, error);
}

static int do_accept(canary_store *store, const canary_change_options *options, canary_change *out,
                     canary_error *error) {
    return canary_accept(store, ROLLOUT, options, out, error);
}

static int do_rollback(canary_store *store, const canary_change_options *options,
                       canary_change *out, canary_error *error) {
    return canary_rollback(store, ROLLOUT, 0, options, out, error);
}

static int do_stage_down(canary_store *store, const canary_change_options *options,
                         canary_change *out, canary_error *error) {
    return canary_set_stage(store, ROLLOUT, 1, options, out, error);
}

static int do_flag(canary_store *store, const canary_change_options *options, canary_change *out,
                   canary_error *error) {
    return canary_flag_set(store, ROLLOUT, 0, options, out, error);
}

static const struct {
    const char *what;
    change_fn change;
    int looks; /* at expectations */
} kinds[] = {
    { "advance", do_advance, 1 },
    { "set", do_set, 1 },
    { "set lower", do_lower, 1 },
    { "set stage up", do_stage_up, 1 },
    { "override new", do_pin, 1 },
    { "override old", do_pin_old, 1 },
    { "override remove", do_unpin, 1 },
    { "accept", do_accept, 1 },
    { "rollback", do_rollback, 0 },
    { "set stage down", do_stage_down, 0 },
    { "flag", do_flag, 0 },
};

static void conflicts_tell_what_happened(void **state) {
    struct unit *unit = *state;
    canary_rollout before;

    unit_begin_at(unit, ROLLOUT, 2500);
    OK(canary_override_set(unit->store, ROLLOUT, "pinned", 6, 1, NULL, NULL, &error));
    {
        canary_change_options by = unit_by("alice@example.com");

        by.note = "as agreed on Monday";
        OK(canary_set_percentage(unit->store, ROLLOUT, 2600, NULL, &by, NULL, &error));
    }
    before = unit_read(unit, ROLLOUT);
    assert_int_equal(before.revision, 4);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        canary_change_options wrong = unit_by("bob");
        canary_change out;

        memset(&out, 0xa5, sizeof out);
        out.size = sizeof out;
        if (!kinds[i].looks) {
            continue;
        }
        wrong.expected_revision = 3;
        FAILS(CANARY_E_CONFLICT, "expected revision 3", "by alice@example.com",
              kinds[i].change(unit->store, &wrong, &out, &error));
        FAILS(CANARY_E_CONFLICT, "as agreed on Monday", "2026-09-21T14:13:20Z",
              kinds[i].change(unit->store, &wrong, &out, &error));
        FAILS(CANARY_E_CONFLICT, "revision 4", "26.00 %",
              kinds[i].change(unit->store, &wrong, &out, &error));
        wrong.expected_revision = 0;
        FAILS(CANARY_E_CONFLICT, "expected revision 0", "",
              kinds[i].change(unit->store, &wrong, &out, &error));
        wrong.expected_revision = CANARY_ANY_REVISION;
        wrong.expected_stage = 0;
        FAILS(CANARY_E_CONFLICT, "expected stage 0", "stage 2",
              kinds[i].change(unit->store, &wrong, &out, &error));
        /* Both are looked at. */
        wrong.expected_revision = 4;
        FAILS(CANARY_E_CONFLICT, "expected stage 0", "",
              kinds[i].change(unit->store, &wrong, &out, &error));
        assert_true(unit_all((char *)&out + 4, sizeof out - 4, 0xa5));
        unit_unchanged(unit, &before);
    }
}

static void met_expectations_pass(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct unit *unit = unit_new(UNIT_MEMORY);
        canary_change_options right = unit_by("bob");
        canary_change out = { .size = sizeof out };

        unit_begin_at(unit, ROLLOUT, 2500);
        OK(canary_override_set(unit->store, ROLLOUT, "pinned", 6, 1, NULL, NULL, &error));
        right.expected_revision = 3;
        right.expected_stage = 2;
        OK(kinds[i].change(unit->store, &right, &out, &error));
        assert_int_equal(out.revision, 4);
        assert_string_equal(out.by, "bob");
        assert_int_equal(unit_read(unit, ROLLOUT).revision, 4);
        unit_free(unit);
    }
}

/* Rollbacks and flags do not look, whatever is expected. */
static void nothing_stops_these(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct unit *unit = unit_new(UNIT_MEMORY);
        canary_change_options wrong = unit_by("bob");

        unit_begin_at(unit, ROLLOUT, 2500);
        wrong.expected_revision = 77;
        wrong.expected_stage = 4;
        if (!kinds[i].looks) {
            OK(kinds[i].change(unit->store, &wrong, NULL, &error));
            assert_int_equal(unit_read(unit, ROLLOUT).revision, 3);
        }
        unit_free(unit);
    }
}

/* Two operators who saw the same state: one wins, and the other learns who. */
static void one_of_two_wins(void **state) {
    struct unit *unit = *state;
    canary_store *other = unit_another(unit);
    canary_rollout seen = unit_begin_at(unit, ROLLOUT, 500);
    canary_change_options first = unit_by("first");
    canary_change_options second = unit_by("second");

    first.expected_revision = second.expected_revision = (int64_t)seen.revision;
    OK(canary_advance(other, ROLLOUT, &first, NULL, &error));
    FAILS(CANARY_E_CONFLICT, "advance by first", "25.00 %",
          canary_advance(unit->store, ROLLOUT, &second, NULL, &error));
    assert_int_equal(unit_read(unit, ROLLOUT).percentage_bp, 2500);
    canary_store_close(&other);
}

/* -- dry runs -- */

static void dry_runs_change_nothing(void **state) {
    struct unit *unit = *state;
    canary_verify_report before = { .size = sizeof before };
    canary_verify_report after = { .size = sizeof after };
    canary_change_options dry = unit_by("bob");
    canary_rollout_spec spec = { .size = sizeof spec, .name = "not-made" };
    canary_rollout stands;
    canary_rollout none = { .size = sizeof none };
    canary_change change = { .size = sizeof change };
    canary_ctx *ctx;
    uint64_t publications;

    unit_begin_at(unit, ROLLOUT, 2500);
    OK(canary_override_set(unit->store, ROLLOUT, "pinned", 6, 1, NULL, NULL, &error));
    stands = unit_read(unit, ROLLOUT);
    ctx = unit_open(unit, ROLLOUT);
    publications = unit_info(ctx).publications;
    OK(canary_verify(unit->store, NULL, NULL, &before, &error));
    dry.flags = CANARY_CHANGE_DRY_RUN;
    dry.note = "what if";
    for (size_t i = 0; i < COUNT(kinds); i++) {
        memset(&change, 0xa5, sizeof change);
        change.size = sizeof change;
        OK(kinds[i].change(unit->store, &dry, &change, &error));
        /* It tells what would be recorded, all but the hash. */
        assert_int_equal(change.from_percentage_bp, 2500);
        assert_int_equal(change.from_stage, 2);
        assert_int_equal(change.revision, stands.revision + 1);
        assert_string_equal(change.by, "bob");
        assert_string_equal(change.note, "what if");
        assert_string_equal(change.hash, "");
        unit_unchanged(unit, &stands);
    }
    OK(canary_advance(unit->store, ROLLOUT, &dry, &change, &error));
    assert_int_equal(change.to_percentage_bp, 5000);
    assert_int_equal(change.to_stage, 3);
    OK(canary_rollback(unit->store, ROLLOUT, 1, &dry, &change, &error));
    assert_int_equal(change.to_percentage_bp, 500);
    dry.flags |= CANARY_CHANGE_EMERGENCY;
    OK(canary_set_percentage(unit->store, ROLLOUT, 0, NULL, &dry, &change, &error));
    assert_string_equal(change.action, "emergency");
    OK(canary_set_percentage(unit->store, ROLLOUT, 10000, NULL, &dry, &change, &error));
    OK(canary_create(unit->store, &spec, &dry, &change, &error));
    assert_string_equal(change.action, "create");
    assert_string_equal(change.rollout, "not-made");
    OK(canary_flag_set(unit->store, "no-such-flag", 0, &dry, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "not-made", "",
          canary_rollout_read(unit->store, "not-made", &none, &error));
    OK(canary_verify(unit->store, NULL, NULL, &after, &error));
    assert_memory_equal(&before, &after, sizeof before);
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(unit_info(ctx).publications, publications);
    assert_int_equal(canary_should_use_new(ctx, "u"), unit_bucket(NULL, "u", 1) < 2500);
    canary_close(&ctx);
}

/* A dry run says what the real one would: also no. */
static void dry_runs_refuse_too(void **state) {
    struct unit *unit = *state;
    canary_change_options dry = unit_by("bob");

    unit_begin_at(unit, ROLLOUT, 10000);
    dry.flags = CANARY_CHANGE_DRY_RUN;
    FAILS(CANARY_E_REFUSED, "last stage", "",
          canary_advance(unit->store, ROLLOUT, &dry, NULL, &error));
    FAILS(CANARY_E_INVALID, "stage 7", "0 to 4",
          canary_rollback(unit->store, ROLLOUT, 7, &dry, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "other", "",
          canary_rollback(unit->store, "other", 0, &dry, NULL, &error));
    dry.expected_revision = 1;
    FAILS(CANARY_E_CONFLICT, "revision 2", "",
          canary_set_percentage(unit->store, ROLLOUT, 1, NULL, &dry, NULL, &error));
}

/* Every handle and context of the process follows in the moment the call returns; another handle on
 * the file follows at its refresh. */
static void in_effect_on_return(void **state) {
    struct unit *unit = *state;
    canary_store *other = unit_another(unit);
    canary_ctx *here;
    canary_ctx *there = NULL;

    unit_begin_at(unit, ROLLOUT, 0);
    here = unit_open(unit, ROLLOUT);
    OK(canary_open_in(other, ROLLOUT, NULL, &there, &error));
    unit_set(unit, ROLLOUT, 10000);
    assert_int_equal(canary_should_use_new(here, "u"), 1);
    assert_int_equal(unit_info(here).source, CANARY_SOURCE_CHANGE);
    assert_int_equal(canary_should_use_new(there, "u"), 0);
    OK(canary_refresh(other, &error));
    assert_int_equal(canary_should_use_new(there, "u"), 1);
    assert_int_equal(unit_info(there).source, CANARY_SOURCE_REFRESH);
    OK(canary_rollback(other, ROLLOUT, 0, NULL, NULL, &error));
    assert_int_equal(canary_should_use_new(there, "u"), 0);
    OK(canary_refresh(unit->store, &error));
    assert_int_equal(canary_should_use_new(here, "u"), 0);
    canary_close(&here);
    canary_close(&there);
    canary_store_close(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(conflicts_tell_what_happened), cmocka_unit_test(met_expectations_pass),
        cmocka_unit_test(nothing_stops_these),   UNIT_SQLITE_ONLY(one_of_two_wins),
        UNIT_BOTH(dry_runs_change_nothing),      UNIT_BOTH(dry_runs_refuse_too),
        UNIT_SQLITE_ONLY(in_effect_on_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
