/* SPDX-License-Identifier: MIT */
/* Verdicts of a store: what comes in, and what is kept. */
#include "judged.h"

#include "judge/dossier.h"

#include <canary/document.h>

static struct judged now;
static struct judged other;

/* -- what comes in -- */

static void no_policy_is_a_verdict(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.code, CANARY_OK);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_NO_POLICY);
    assert_int_equal(judged_recorded(unit, NULL, 0), 0);
    FAILS(CANARY_E_NOT_FOUND, "", "",
          canary_evaluate(unit->store, "nobody", 0, judged_take, &now, &error));
    assert_int_equal(now.calls, 1);
    FAILS(CANARY_E_INVALID, "flags", "0x1",
          canary_evaluate(unit->store, JUDGED, 2, judged_take, &now, &error));
    FAILS(CANARY_E_INVALID, "NULL", "",
          canary_evaluate(unit->store, NULL, 0, judged_take, &now, &error));
    unit_free(unit);
}

static void harm_is_found(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 2, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.code, CANARY_OK);
    judged_is(&now, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN);
    judged_ticks(unit, 30, 950, 10, 50, 5);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE);
    assert_int_equal(now.verdict.rule, 0);
    assert_int_equal(now.verdict.to_stage, 0);
    assert_true(now.rules[0].n_new == 1600 && now.rules[0].k_new == 152);
    assert_true(now.rules[0].n_old == 32 * 950);
    assert_int_equal(now.verdict.revision, unit_read(unit, JUDGED).revision);
    assert_int_equal(now.verdict.through_ns, unit->realtime - 3 * SECOND);
    unit_free(unit);
}

/* A tick counts once, however many look, and it does not matter who. */
static void a_tick_counts_once(void **state) {
    struct unit *often = judged_new(UNIT_MEMORY, 500);
    struct unit *once = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(often, "auto", "");
    judged_plain(once, "auto", "");
    for (int i = 0; i < 50; i++) {
        judged_ticks(often, 1, 950, 10, 50, (uint64_t)i % 3);
        judged_ticks(once, 1, 950, 10, 50, (uint64_t)i % 3);
        judged_evaluate(often, i % 2 == 0 ? 0 : CANARY_EVALUATE_LOOK, &now);
        judged_evaluate(often, 0, &now);
    }
    judged_evaluate(once, 0, &other);
    assert_true(now.rules[0].n_new == 2500 && other.rules[0].n_new == 2500);
    assert_true(now.rules[0].ln_w == other.rules[0].ln_w);
    assert_true(now.rules[0].p == other.rules[0].p);
    assert_true(now.rules[1].n_new == other.rules[1].n_new);
    assert_int_equal(now.verdict.cause, other.verdict.cause);
    unit_free(often);
    unit_free(once);
}

static void a_look_writes_nothing(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 3, 950, 10, 50, 1);
    judged_evaluate(unit, CANARY_EVALUATE_LOOK, &now);
    assert_true(now.rules[0].n_new == 150);
    assert_int_equal(judged_recorded(unit, NULL, 0), 0);
    FAILS(CANARY_E_NOT_FOUND, "", "",
          canary_document_read(unit->store, JUDGED, "judge/state",
                               (canary_document_fn)(void (*)(void))judged_take, NULL, &error));
    unit_free(unit);
}

/* The tick under way, and the one that has just ended, are left alone. */
static void ticks_settle(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 3, 950, 10, 50, 1);
    judged_pass(unit, -2 * SECOND); /* one second after the last tick's end */
    judged_evaluate(unit, 0, &now);
    assert_true(now.rules[0].n_new == 100);
    judged_pass(unit, SECOND);
    judged_evaluate(unit, 0, &now);
    assert_true(now.rules[0].n_new == 150);
    /* What comes later than that counts in windows, when they are read back, and not as evidence. */
    judged_pass(unit, SECOND);
    judged_outcomes(unit, 950, 10, 50, 50);
    judged_evaluate(unit, 0, &now);
    assert_true(now.rules[0].n_new == 150);
    assert_true(now.rules[1].n_new == 200);
    unit_free(unit);
}

static void a_generation_begins_anew(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 30, 950, 10, 50, 5);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE);
    unit_set(unit, JUDGED, 2500);
    judged_ticks(unit, 2, 750, 8, 250, 2);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ADVANCE, CANARY_CAUSE_PROVEN);
    assert_true(now.rules[0].n_new == 500 && now.rules[0].k_new == 4);
    assert_true(now.rules[1].n_new == 500);
    assert_int_equal(now.verdict.percentage_bp, 2500);
    unit_free(unit);
}

/* Another policy keeps the evidence of equal questions, and begins the others. */
static void equal_questions_keep_their_evidence(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    double ln_w;

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 20, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    ln_w = now.rules[0].ln_w;
    assert_true(now.rules[0].n_new == 1000);
    judged_policy(unit, "{\"policy\":1,\"name\":\"next\",\"mode\":\"auto\",\"design_effect\":1,"
                        "\"rules\":["
                        "{\"name\":\"other\",\"metric\":\"error\",\"against\":\"old\","
                        "\"above\":1.7,\"action\":\"rollback\"},"
                        "{\"name\":\"same\",\"metric\":\"error\",\"against\":\"old\","
                        "\"above\":1.5,\"action\":\"hold\"}]}");
    judged_evaluate(unit, 0, &now);
    assert_true(now.rules[0].n_new == 0);
    assert_true(now.rules[1].n_new == 1000);
    assert_true(now.rules[1].ln_w == ln_w);
    assert_string_equal(now.verdict.policy, unit_read(unit, JUDGED).policy);
    unit_free(unit);
}

/* Who takes over reads back what windows of all lengths hold, also from minutes and hours. */
static void windows_are_read_back(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    struct canary__dossier *dossier = NULL;
    const canary_verdict *verdict = NULL;
    uint64_t seed = unit_seed();

    (void)state;
    judged_policy(unit,
                  "{\"policy\":1,\"name\":\"p\",\"mode\":\"auto\",\"design_effect\":1,\"rules\":["
                  "{\"name\":\"a\",\"metric\":\"error\",\"above\":\"50%\",\"window\":\"5m\","
                  "\"min_samples\":1,\"action\":\"warn\"},"
                  "{\"name\":\"b\",\"metric\":\"error\",\"above\":\"50%\",\"window\":\"1h\","
                  "\"min_samples\":1,\"action\":\"warn\"},"
                  "{\"name\":\"c\",\"metric\":\"error\",\"above\":\"50%\",\"window\":\"3h\","
                  "\"min_samples\":1,\"action\":\"warn\"},"
                  "{\"name\":\"d\",\"metric\":\"error\",\"above\":\"50%\",\"window\":\"24h\","
                  "\"min_samples\":1,\"action\":\"warn\"},"
                  "{\"name\":\"e\",\"metric\":\"error\",\"statistic\":\"burn\","
                  "\"objective\":0.99,\"above\":6,\"window\":\"6h\",\"short_window\":\"30m\","
                  "\"min_samples\":1,\"action\":\"warn\"}]}");
    OK(canary__dossier_open(unit->store, JUDGED, &dossier, &error));
    for (int i = 0; i < 1500; i++) {
        judged_pass(unit, (int64_t)(1 + unit_random(&seed) % 9) * TICK);
        judged_outcomes(unit, 100, unit_random(&seed) % 3, 10, unit_random(&seed) % 3);
        OK(canary__dossier_judge(dossier, 1, &verdict, &error));
        if (i % 50 != 49) {
            continue;
        }
        judged_evaluate(unit, CANARY_EVALUATE_LOOK, &now);
        for (uint32_t rule = 0; rule < 5; rule++) {
            const canary_rule_result *held = &verdict->rules[rule];
            const canary_rule_result *read = &now.rules[rule];

            if (held->n_new != read->n_new || held->k_new != read->k_new ||
                held->n_old != read->n_old || held->state != read->state) {
                fail_msg("after %d rounds rule %s has %g of %g, and read back %g of %g", i,
                         held->name, held->k_new, held->n_new, read->k_new, read->n_new);
            }
        }
    }
    assert_true(now.rules[0].n_new < now.rules[1].n_new);
    assert_true(now.rules[2].n_new < now.rules[3].n_new);
    canary__dossier_close(&dossier);
    unit_free(unit);
}

/* Nobody judged for longer than figures are kept by the tick. What was so in every minute of it was so all the
 * time; a minute without figures is a gap, as it is for who looks at every tick. */
static void what_lasted_while_nobody_looked_has_lasted(void **state) {
    static const char policy[] =
        "{\"policy\":1,\"name\":\"p\",\"mode\":\"auto\",\"design_effect\":1,\"rules\":["
        "{\"name\":\"lasting\",\"metric\":\"error\",\"below\":\"5%\",\"window\":\"10m\","
        "\"for\":\"6h\",\"min_samples\":10,\"action\":\"require\"},"
        "{\"name\":\"ill\",\"metric\":\"timeout\",\"above\":\"5%\",\"window\":\"10m\","
        "\"for\":\"6h\",\"min_samples\":10,\"action\":\"warn\"}]}";

    (void)state;
    for (int gap = 0; gap < 2; gap++) {
        struct unit *unit = judged_new(UNIT_MEMORY, 500);
        canary_ctx *ctx = unit_open(unit, JUDGED);
        canary_decision decision = CANARY_DECISION_INIT;
        canary_outcome outcome = CANARY_OUTCOME_INIT;

        assert_int_equal(canary_explain(ctx, "anna", 4, &decision), CANARY_OK);
        judged_policy(unit, policy);
        judged_ticks(unit, 3, 95, 1, 5, 0);
        judged_evaluate(unit, 0, &now);
        assert_int_equal(now.rules[0].state, CANARY_STATE_UNMET);
        for (int i = 0; i < 8 * 360; i++) {
            judged_pass(unit, TICK);
            if (!gap || i / 12 != 100) {
                judged_outcomes(unit, 95, 1, 5, 0);
                judged_proportion(unit, "timeout", CANARY_NEW, 5, 5);
                /* Who records makes minutes of what is old. */
                assert_int_equal(canary_record(ctx, &decision, &outcome), CANARY_OK);
                OK(canary_flush(unit->store, &error));
            }
        }
        judged_evaluate(unit, 0, &now);
        assert_int_equal(now.rules[0].state, gap ? CANARY_STATE_UNMET : CANARY_STATE_MET);
        assert_int_equal(now.rules[1].state, CANARY_STATE_FIRING);
        /* Evidence and windows of the present are as ever. */
        assert_true(now.rules[0].n_new == 300);
        judged_ticks(unit, 1, 95, 1, 5, 0);
        judged_evaluate(unit, 0, &now);
        assert_int_equal(now.rules[0].state, gap ? CANARY_STATE_UNMET : CANARY_STATE_MET);
        canary_close(&ctx);
        unit_free(unit);
    }
}

/* A stage lasts until somebody approves, however short its time is: harm of five hours later is found as
 * soon as harm of its first hour. */
static void who_waits_for_a_person_is_watched(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    int ticks = 0;

    (void)state;
    judged_plain(unit, "approve",
                 ",\"stages\":[{\"percentage\":5,\"dwell\":\"30m\"},{\"percentage\":25},"
                 "{\"percentage\":50},{\"percentage\":100}]");
    for (int i = 0; i < 5 * 180; i++) {
        judged_ticks(unit, 1, 950, 10, 50, 0);
        judged_ticks(unit, 1, 950, 9, 50, 1);
    }
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_APPROVAL);
    do {
        judged_ticks(unit, 1, 950, 10, 50, 2);
        judged_evaluate(unit, 0, &now);
        ticks++;
    } while (now.verdict.action == CANARY_VERDICT_HOLD && ticks < 2000);
    judged_is(&now, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE);
    assert_true(ticks <= 40);
    unit_free(unit);
}

/* -- what is kept -- */

static void verdicts_are_kept(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    static char newest[65536];
    uint32_t kept;

    (void)state;
    judged_pass(unit, 20 * MINUTE); /* 14:33, so that an hour is not near */
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 20, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &now);
    assert_int_equal(judged_recorded(unit, newest, sizeof newest), 1);
    assert_non_null(strstr(newest, unit_read(unit, JUDGED).policy));
    judged_ticks(unit, 3, 950, 10, 50, 0);
    judged_evaluate(unit, 0, &other);
    assert_int_equal(now.verdict.cause, other.verdict.cause);
    assert_int_equal(judged_recorded(unit, NULL, 0), 1);
    judged_ticks(unit, 20, 950, 10, 50, 20);
    judged_evaluate(unit, 0, &now);
    judged_is(&now, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE);
    kept = judged_recorded(unit, newest, sizeof newest);
    assert_int_equal(kept, 2);
    assert_non_null(strstr(newest, "rollback"));
    /* One an hour though it stays. */
    for (int i = 0; i < 9; i++) {
        judged_pass(unit, 20 * MINUTE);
        judged_ticks(unit, 1, 950, 10, 50, 20);
        judged_evaluate(unit, 0, &now);
        judged_is(&now, CANARY_VERDICT_ROLLBACK, CANARY_CAUSE_EVIDENCE);
    }
    assert_int_equal(judged_recorded(unit, NULL, 0), kept + 3);
    unit_free(unit);
}

static void old_verdicts_go(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);
    uint32_t kept;

    (void)state;
    judged_plain(unit, "auto", "");
    for (int i = 0; i < 20; i++) {
        judged_pass(unit, HOUR);
        judged_evaluate(unit, 0, &now);
        assert_int_equal(now.code, CANARY_OK);
    }
    kept = judged_recorded(unit, NULL, 0);
    assert_true(kept >= 20);
    judged_pass(unit, 401 * DAY);
    for (int i = 0; i < 5; i++) {
        judged_pass(unit, HOUR);
        judged_evaluate(unit, 0, &now);
    }
    assert_int_equal(judged_recorded(unit, NULL, 0), 5);
    unit_free(unit);
}

static void write_state(struct unit *unit, const void *data, size_t size) {
    canary_document document = CANARY_DOCUMENT_INIT;

    document.name = "judge/state";
    document.data = data;
    document.data_size = size;
    OK(canary_document_write(unit->store, JUDGED, &document, 1, &error));
}

static void a_damaged_state_holds(void **state) {
    struct unit *unit = judged_new(UNIT_MEMORY, 500);

    (void)state;
    judged_plain(unit, "auto", "");
    judged_ticks(unit, 30, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    write_state(unit, "\1nonsense", 9);
    judged_ticks(unit, 1, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    assert_int_equal(now.code, CANARY_OK);
    judged_is(&now, CANARY_VERDICT_HOLD, CANARY_CAUSE_DATA);
    /* It was begun anew from the figures of the generation, and written. */
    assert_true(now.rules[0].n_new == 1550);
    judged_ticks(unit, 1, 950, 10, 50, 1);
    judged_evaluate(unit, 0, &now);
    assert_int_not_equal(now.verdict.cause, CANARY_CAUSE_DATA);
    assert_true(now.rules[0].n_new == 1600);
    unit_free(unit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_policy_is_a_verdict),
        cmocka_unit_test(harm_is_found),
        cmocka_unit_test(a_tick_counts_once),
        cmocka_unit_test(a_look_writes_nothing),
        cmocka_unit_test(ticks_settle),
        cmocka_unit_test(a_generation_begins_anew),
        cmocka_unit_test(equal_questions_keep_their_evidence),
        cmocka_unit_test(windows_are_read_back),
        cmocka_unit_test(what_lasted_while_nobody_looked_has_lasted),
        cmocka_unit_test(who_waits_for_a_person_is_watched),
        cmocka_unit_test(verdicts_are_kept),
        cmocka_unit_test(old_verdicts_go),
        cmocka_unit_test(a_damaged_state_holds),
    };

    return cmocka_run_group_tests_name("verdicts of a store", tests, NULL, NULL);
}
