/* SPDX-License-Identifier: MIT */
/* People's words in the trail, the evidence of changes read back, and the store's clock and log lent to
 * others. */
#include "tamper.h"

#include <time.h>

#define NAME "note"

static void note_is_a_row(void **state) {
    struct unit *unit = *state;
    static const char *const actions[] = { "approve", "decision" };
    canary_change_options by = unit_by("bob@example.com");
    canary_rollout before = unit_begin_at(unit, NAME, 2500);
    canary_ctx *ctx = unit_open(unit, NAME);
    uint64_t publications = unit_info(ctx).publications;

    by.note = "looks good";
    by.evidence = "dashboard 7";
    by.expected_revision = 2;
    by.expected_stage = 2;
    for (unsigned i = 0; i < COUNT(actions); i++) {
        canary_change change = { .size = sizeof change };
        canary_rollout now;
        char evidence[32];

        unit->realtime += 1000;
        OK(canary_note(unit->store, NAME, actions[i], &by, &change, &error));
        assert_string_equal(change.action, actions[i]);
        assert_string_equal(change.by, "bob@example.com");
        assert_string_equal(change.note, "looks good");
        assert_int_equal(change.revision, 3 + i);
        assert_int_equal(change.from_percentage_bp, 2500);
        assert_int_equal(change.to_percentage_bp, 2500);
        assert_int_equal(change.from_stage, change.to_stage);
        OK(canary_change_evidence(unit->store, change.id, evidence, sizeof evidence, NULL, &error));
        assert_string_equal(evidence, "dashboard 7");
        now = unit_read(unit, NAME);
        assert_int_equal(now.revision, 3 + i);
        assert_int_equal(now.percentage_bp, before.percentage_bp);
        assert_int_equal(now.effective_bp, before.effective_bp);
        assert_int_equal(now.stage, before.stage);
        assert_int_equal(now.generation, before.generation);
        assert_int_equal(now.generation_at_ns, before.generation_at_ns);
        by.expected_revision = 3 + i;
    }
    assert_int_equal(unit_info(ctx).revision, 4);
    assert_int_equal(unit_info(ctx).effective_bp, 2500);
    assert_true(unit_info(ctx).publications > publications);
    OK(canary_verify(unit->store, NULL, NULL, NULL, &error));
    canary_close(&ctx);
}

static void refused(void **state) {
    struct unit *unit = *state;
    static const char *const words[] = { "advance", "Approve", "approve ", "", "policy", "approv" };
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    canary_change change = { .size = sizeof change };
    canary_rollout before = unit_begin_at(unit, NAME, 2500);

    for (unsigned i = 0; i < COUNT(words); i++) {
        FAILS(CANARY_E_INVALID, "approve", "decision",
              canary_note(unit->store, NAME, words[i], NULL, NULL, &error));
    }
    FAILS(CANARY_E_INVALID, "approve", "decision",
          canary_note(unit->store, NAME, NULL, NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "", "", canary_note(NULL, NAME, "approve", NULL, NULL, &error));
    FAILS(CANARY_E_INVALID, "", "", canary_note(unit->store, "a b", "approve", NULL, NULL, &error));
    FAILS(CANARY_E_NOT_FOUND, "nobody", "",
          canary_note(unit->store, "nobody", "approve", NULL, NULL, &error));
    options.expected_revision = 1;
    FAILS(CANARY_E_CONFLICT, "revision", "alice@example.com",
          canary_note(unit->store, NAME, "approve", &options, NULL, &error));
    options.expected_revision = 2;
    options.expected_stage = 1;
    FAILS(CANARY_E_CONFLICT, "stage", "",
          canary_note(unit->store, NAME, "approve", &options, NULL, &error));
    options.expected_stage = 2;
    options.flags = CANARY_CHANGE_DRY_RUN;
    OK(canary_note(unit->store, NAME, "approve", &options, &change, &error));
    assert_int_equal(change.revision, 3);
    assert_string_equal(change.hash, "");
    unit_unchanged(unit, &before);
}

/* A row that somebody edited is not signed by a word about it, and the word is not refused. */
static void in_doubt(void **state) {
    struct unit *unit = *state;
    canary_change change = { .size = sizeof change };

    unit_begin_at(unit, NAME, 2500);
    tamper_by_hand(unit, "UPDATE rollouts SET percentage_bp = 9000");
    /* Nor does it, or a switch, make a percentage of what stands there. */
    OK(canary_note(unit->store, NAME, "decision", NULL, &change, &error));
    assert_int_equal(change.from_percentage_bp, 2500);
    assert_int_equal(change.to_percentage_bp, 2500);
    assert_int_equal(change.revision, 3);
    assert_int_equal(unit_read(unit, NAME).doubt, CANARY_DOUBT_ROLLOUT);
    assert_int_equal(unit_read(unit, NAME).effective_bp, 2500);
    OK(canary_flag_set(unit->store, NAME, 1, NULL, &change, &error));
    assert_int_equal(change.to_percentage_bp, 2500);
    assert_int_equal(change.revision, 4);
    assert_int_equal(unit_read(unit, NAME).effective_bp, 2500);
    assert_int_equal(unit_read(unit, NAME).percentage_bp, 9000);
    assert_true(tamper_verify(unit->store, NULL).count > 0);
}

static void evidence(void **state) {
    struct unit *unit = *state;
    canary_change_options options = CANARY_CHANGE_OPTIONS_INIT;
    char *text = malloc(65537);
    char *back = malloc(65537);
    char buffer[16];
    uint64_t size = 99;

    assert_non_null(text);
    assert_non_null(back);
    unit_create(unit, NAME); /* 1 */
    options.evidence = "f1=0.9\n\xc3\xa9";
    OK(canary_advance(unit->store, NAME, &options, NULL, &error)); /* 2 */
    memset(text, 'e', 65536);
    text[65536] = '\0';
    options.evidence = text;
    OK(canary_advance(unit->store, NAME, &options, NULL, &error)); /* 3 */
    OK(canary_change_evidence(unit->store, 1, buffer, 1, &size, &error));
    assert_string_equal(buffer, "");
    assert_int_equal(size, 0);
    OK(canary_change_evidence(unit->store, 2, buffer, sizeof buffer, &size, &error));
    assert_string_equal(buffer, "f1=0.9\n\xc3\xa9");
    assert_int_equal(size, 9);
    for (uint64_t capacity = 0; capacity < 10; capacity++) {
        memset(buffer, 'x', sizeof buffer);
        size = 0;
        FAILS(CANARY_E_FULL, "9 bytes", "",
              canary_change_evidence(unit->store, 2, buffer, capacity, &size, &error));
        assert_int_equal(size, 9);
        assert_true(unit_all(buffer, sizeof buffer, 'x'));
    }
    OK(canary_change_evidence(unit->store, 2, buffer, 10, NULL, &error));
    FAILS(CANARY_E_FULL, "", "", canary_change_evidence(unit->store, 1, NULL, 0, &size, &error));
    assert_int_equal(size, 0);
    OK(canary_change_evidence(unit->store, 3, back, 65537, &size, &error));
    assert_int_equal(size, 65536);
    assert_string_equal(back, text);
    FAILS(CANARY_E_NOT_FOUND, "change 4", "",
          canary_change_evidence(unit->store, 4, buffer, 16, &size, &error));
    FAILS(CANARY_E_NOT_FOUND, "change 0", "",
          canary_change_evidence(unit->store, 0, buffer, 16, &size, &error));
    FAILS(CANARY_E_NOT_FOUND, "change 18446744073709551615", "",
          canary_change_evidence(unit->store, UINT64_MAX, buffer, 16, &size, &error));
    FAILS(CANARY_E_INVALID, "store", "",
          canary_change_evidence(NULL, 1, buffer, 16, &size, &error));
    free(text);
    free(back);
}

static void clock_and_log(void **state) {
    struct unit *unit = *state;
    struct timespec now;
    int64_t system;

    unit->realtime = 123;
    unit->monotonic = 456;
    assert_int_equal(canary_store_now(unit->store, CANARY_CLOCK_REALTIME), 123);
    assert_int_equal(canary_store_now(unit->store, CANARY_CLOCK_MONOTONIC), 456);
    assert_int_equal(canary_store_now(unit->store, 77), 456);
    clock_gettime(CLOCK_REALTIME, &now);
    system = canary_store_now(NULL, CANARY_CLOCK_REALTIME);
    assert_in_range(system, (int64_t)now.tv_sec * 1000000000,
                    ((int64_t)now.tv_sec + 60) * 1000000000);
    clock_gettime(CLOCK_MONOTONIC, &now);
    system = canary_store_now(NULL, CANARY_CLOCK_MONOTONIC);
    assert_in_range(system, (int64_t)now.tv_sec * 1000000000,
                    ((int64_t)now.tv_sec + 60) * 1000000000);

    unit->log_used = 0;
    unit->log[0] = '\0';
    canary_store_log(unit->store, CANARY_LOG_WARNING, "a judge says: 100 %s\nbold");
    assert_non_null(strstr(unit->log, "a judge says: 100 %s?bold"));
    assert_int_equal(unit->log_level, CANARY_LOG_WARNING);
    canary_store_log(unit->store, -3, "low");
    assert_int_equal(unit->log_level, CANARY_LOG_ERROR);
    unit->log_level = 0;
    canary_store_log(unit->store, CANARY_LOG_DEBUG + 1, "too talkative");
    assert_int_equal(unit->log_level, 0);
    canary_store_log(unit->store, CANARY_LOG_ERROR, NULL);
    canary_store_log(NULL, CANARY_LOG_ERROR, "nobody hears it");
    assert_int_equal(unit->log_level, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT_BOTH(note_is_a_row),   UNIT_BOTH(refused),       UNIT_BOTH(evidence),
        UNIT_SQLITE_ONLY(in_doubt), UNIT_BOTH(clock_and_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
